//! What a tool is.

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_types::chat::ToolSpec;
use guildhall_types::event::OutputStream;
use serde_json::Value;

use crate::Journal;

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolAnswer {
    /// What the model reads; bounded by the tool.
    pub text: String,
    /// It failed, and `text` says why and what to do.
    pub is_error: bool,
    /// Images for the model to see. Those of a failure are left out, and so are those for which there is no room.
    pub images: Vec<ToolImage>,
}

/// An image that a tool returned.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolImage {
    /// As its bytes say, such as `image/png`.
    pub media_type: &'static str,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for ToolImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolImage").field("media_type", &self.media_type).field("size", &self.bytes.len()).finish()
    }
}

impl ToolAnswer {
    /// It worked.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false, images: Vec::new() }
    }

    /// It failed.
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true, images: Vec::new() }
    }
}

/// Where a call stands.
#[derive(Clone, Copy)]
pub struct ToolContext<'a> {
    /// The run's journal.
    pub journal: &'a dyn Journal,
    /// The turn.
    pub turn: i64,
    /// The provider's id of the call.
    pub call: &'a str,
}

impl std::fmt::Debug for ToolContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolContext").field("turn", &self.turn).field("call", &self.call).finish_non_exhaustive()
    }
}

impl ToolContext<'_> {
    /// Shows what the tool prints, while it prints it.
    pub fn live(&self, text: &str) {
        self.journal.live(self.turn, OutputStream::Tool { call: self.call.to_owned() }, text);
    }
}

/// A tool.
#[async_trait]
pub trait Tool: Send + Sync {
    /// The tool as it is told to the model.
    fn spec(&self) -> ToolSpec;

    /// Whether a call may change files of the worktree.
    fn changes_files(&self) -> bool {
        false
    }

    /// Whether a call has no effect but its answer: one that was cut off is then simply made again.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// Does what the model asks. Dropping the future ends it, with everything that it started.
    async fn call(&self, input: Value, context: ToolContext<'_>) -> ToolAnswer;
}

/// The tools of a run.
#[derive(Clone, Default)]
pub struct Toolbox(Vec<(String, Arc<dyn Tool>)>);

impl std::fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Toolbox {
    /// A box with these tools; of two with one name, the first counts.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        let mut named: Vec<(String, Arc<dyn Tool>)> = Vec::with_capacity(tools.len());
        for tool in tools {
            let name = tool.spec().name;
            if !named.iter().any(|(other, _)| *other == name) {
                named.push((name, tool));
            }
        }
        Self(named)
    }

    /// This box, with more tools behind those in it.
    #[must_use]
    pub fn with(self, more: Vec<Arc<dyn Tool>>) -> Self {
        Self::new(self.0.into_iter().map(|(_, tool)| tool).chain(more).collect())
    }

    /// This box, with another in the place of each tool.
    #[must_use]
    pub fn each(self, change: impl Fn(Arc<dyn Tool>) -> Arc<dyn Tool>) -> Self {
        Self(self.0.into_iter().map(|(name, tool)| (name, change(tool))).collect())
    }

    /// This box, with the tools of these names alone. What is left out is neither told to the model nor run when it calls it.
    #[must_use]
    pub fn only(self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.into_iter().filter(|(name, _)| keep(name)).collect())
    }

    /// The tools as they are told to the model.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.0.iter().map(|(_, tool)| tool.spec()).collect()
    }

    /// The tools' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The tool with this name.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, tool)| tool)
    }
}
