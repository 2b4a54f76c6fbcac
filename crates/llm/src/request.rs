//! A call, before it is written in a provider's dialect.

use std::collections::HashSet;

use guildhall_types::chat::{Block, Message, Picture, ToolSpec, UNSHOWN};
use guildhall_types::feature::ThinkingLevel;

/// A part of the system prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemPart {
    /// The words.
    pub text: String,
}

/// A call.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The model.
    pub model: &'a str,
    /// The system prompt; the same in every call of a conversation, so that the provider's cache holds.
    pub system: &'a [SystemPart],
    /// The tools; the same in every call of a conversation.
    pub tools: &'a [ToolSpec],
    /// The conversation.
    pub messages: &'a [Message],
    /// Tokens that the answer may have.
    pub max_tokens: i64,
    /// How hard the model is asked to think.
    pub thinking: ThinkingLevel,
    /// How freely it words its answer, from 0 to 1. Left out where the model does not let one choose: while it reasons.
    pub temperature: Option<f64>,
    /// The answer is to call a tool; words alone are not taken. Some providers let no model reason that must call.
    pub must_call: bool,
}

/// Tokens that an image is taken for.
const IMAGE: usize = 1_500;

impl Request<'_> {
    /// About how many tokens the call has, for providers that do not say.
    pub(crate) fn rough_tokens(&self) -> i64 {
        let system: usize = self.system.iter().map(|part| part.text.len()).sum();
        let tools: usize =
            self.tools.iter().map(|tool| tool.description.len() + tool.input_schema.to_string().len()).sum();
        let talk: usize = self.messages.iter().flat_map(|message| &message.content).map(size).sum();
        ((system + tools + talk) / 4) as i64
    }

    /// The ids of the calls so far.
    pub(crate) fn call_ids(&self) -> HashSet<String> {
        self.messages.iter().flat_map(Message::tool_uses).map(|(id, _, _)| id.to_owned()).collect()
    }
}

fn size(block: &Block) -> usize {
    match block {
        Block::Text { text } => text.len(),
        Block::Image { .. } => IMAGE * 4,
        Block::Picture(picture) => seen(picture),
        Block::Thinking { .. } | Block::RedactedThinking { .. } => 0,
        Block::ToolUse { name, input, .. } => name.len() + input.to_string().len(),
        Block::ToolResult { content, images, .. } => content.len() + images.iter().map(seen).sum::<usize>(),
        Block::Sealed { item, .. } | Block::Unknown(item) => item.to_string().len(),
    }
}

fn seen(picture: &Picture) -> usize {
    picture.data().map_or(UNSHOWN.len(), |_| IMAGE * 4)
}
