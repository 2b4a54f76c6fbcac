//! Holds back what changes files until a plan is approved.

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_types::chat::ToolSpec;
use serde_json::Value;

use crate::{Tool, ToolAnswer, ToolContext};

const HELD: &str = "Nothing may change a file before a person has approved your plan. Look at what you need with the other \
    tools, then call `propose_plan`.";
const OUTSIDE: &str = "Before a person has approved your plan, only tools that are known to change nothing can be used. Look at what \
    you need with the other tools, then call `propose_plan`.";
const FROZEN: &str = "(Before a person has approved your plan, a command can read the worktree and not write to it; /tmp and \
    the home folder can be written, and are empty again for each command.)";

const LOOKS: &str = "(Here a command can read the worktree and not write to it: you are asked to look, not to change. /tmp and the \
    home folder can be written, and are empty again for each command.)";

/// The tool as it is while a plan is awaited. `bash` stays: the kernel keeps its commands from writing.
pub(super) fn until_approved(tool: Arc<dyn Tool>) -> Arc<dyn Tool> {
    match tool.spec().name.as_str() {
        "bash" => Arc::new(Reading(tool, FROZEN)),
        _ if tool.changes_files() => Arc::new(Held(tool, HELD)),
        _ => tool,
    }
}

/// `bash` as it is where nothing may be changed at all.
pub(super) fn looking(bash: Arc<dyn Tool>) -> Arc<dyn Tool> {
    Arc::new(Reading(bash, LOOKS))
}

/// A tool that reaches out of the worktree, as it is while a plan is awaited.
pub(super) fn outside(tool: Arc<dyn Tool>) -> Arc<dyn Tool> {
    Arc::new(Held(tool, OUTSIDE))
}

struct Held(Arc<dyn Tool>, &'static str);

#[async_trait]
impl Tool for Held {
    fn spec(&self) -> ToolSpec {
        self.0.spec()
    }

    async fn call(&self, _input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        ToolAnswer::error(self.1)
    }
}

/// Commands in a frozen room: they change no file, and one that fails is told why that may be.
struct Reading(Arc<dyn Tool>, &'static str);

#[async_trait]
impl Tool for Reading {
    fn spec(&self) -> ToolSpec {
        self.0.spec()
    }

    async fn call(&self, input: Value, context: ToolContext<'_>) -> ToolAnswer {
        let answer = self.0.call(input, context).await;
        match answer.is_error && answer.text.contains("Read-only file system") {
            true => ToolAnswer::error(format!("{}\n{}", answer.text, self.1)),
            false => answer,
        }
    }
}
