//! The conversation as it goes to the provider, made from saved turns.

use std::borrow::Cow;

use guildhall_types::chat::{Block, Message, Role, StopReason};
use guildhall_types::run::{Compaction, Turn};

use crate::text::bounded;

/// Tokens that an image is taken for.
const IMAGE: i64 = 1_600;

/// Something that Guildhall itself says to the model.
pub(crate) fn note(text: &str) -> Block {
    Block::text(format!("<note>{text}</note>"))
}

/// Whether a member said something here.
pub(crate) fn is_from_member(input: &[Block]) -> bool {
    input.iter().any(|block| !matches!(block, Block::Text { text } if text.starts_with("<note>")))
}

/// About how many tokens these blocks have. Cautious: prose has four bytes to a token, code three.
pub(crate) fn tokens(blocks: &[Block]) -> i64 {
    let bytes = |len: usize| len as i64 / 3 + 4;
    blocks
        .iter()
        .map(|block| match block {
            Block::Text { text } => bytes(text.len()),
            Block::Image { .. } => IMAGE,
            Block::Thinking { thinking, signature } => bytes(thinking.len() + signature.len()),
            Block::RedactedThinking { data } => bytes(data.len()),
            Block::ToolUse { id, name, input } => bytes(id.len() + name.len() + input.to_string().len()),
            Block::ToolResult { tool_use_id, content, .. } => bytes(tool_use_id.len() + content.len()),
            Block::Sealed { item: value, .. } | Block::Unknown(value) => bytes(value.to_string().len()),
        })
        .sum()
}

/// Messages to a turn: what was said, the answer, the tools' results.
const PARTS: usize = 3;

/// The conversation.
///
/// The messages are those of each turn, any of which may be empty: to the provider, several in a row of one role are one
/// message, and empty ones are none. After a compaction, the first turn's input and the summary come before them.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    messages: Vec<Message>,
    /// Turns that the summary stands for.
    summarised: i64,
    /// The latest turn.
    last: i64,
}

impl Conversation {
    /// The number of the latest turn; 0 before the first.
    pub(crate) const fn last(&self) -> i64 {
        self.last
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Where a turn begins that is kept as it was.
    const fn start(&self, turn: i64) -> usize {
        let head = if self.summarised > 0 { 2 } else { 0 };
        head + PARTS * (turn - self.summarised - 1) as usize
    }

    /// Adds what is said to the model next, until [`Self::take_input`].
    pub(crate) fn say(&mut self, input: Vec<Block>) {
        self.messages.push(Message { role: Role::User, content: input });
    }

    /// Takes back what was said last.
    pub(crate) fn take_input(&mut self) -> Vec<Block> {
        self.messages.pop().map(|message| message.content).unwrap_or_default()
    }

    /// Adds a turn whose tools have run.
    pub(crate) fn add(&mut self, turn: Turn) {
        if let Some(compaction) = &turn.compacted {
            self.compact(compaction);
        }
        // A model that declined goes on declining while it sees that it did.
        let (answer, results) = match turn.stop_reason {
            StopReason::Refusal => (Vec::new(), Vec::new()),
            _ => (turn.answer.content, turn.results.unwrap_or_default()),
        };
        self.messages.extend([
            Message { role: Role::User, content: turn.input },
            Message { role: Role::Assistant, content: answer },
            Message { role: Role::User, content: results },
        ]);
        self.last = turn.number;
    }

    /// Puts a summary in the place of the turns that it stands for, if it does not stand there already.
    pub(crate) fn compact(&mut self, compaction: &Compaction) {
        if compaction.upto <= self.summarised || compaction.upto > self.last {
            return;
        }
        let end = self.start(compaction.upto + 1);
        let summary = note(&format!(
            "To make room, the beginning of this conversation was replaced by this summary, which you wrote. The files are \
             as you left them.\n\n{}",
            compaction.summary
        ));
        self.messages.splice(1..end, [Message { role: Role::User, content: vec![summary] }]);
        self.summarised = compaction.upto;
    }

    /// About how many tokens it has.
    pub(crate) fn tokens(&self) -> i64 {
        self.messages.iter().map(|message| tokens(&message.content)).sum()
    }

    /// The last turn that a summary would have to stand for, so that those after it have at most `keep` tokens, and
    /// about how many tokens would go. Nothing when there is no turn to summarise.
    pub(crate) fn could_go(&self, keep: i64) -> Option<(i64, i64)> {
        let weight = |turn: i64| -> i64 {
            let start = self.start(turn);
            self.messages[start..start + PARTS].iter().map(|message| tokens(&message.content)).sum()
        };
        let mut upto = self.last;
        let mut kept = 0;
        while upto > self.summarised {
            kept += weight(upto);
            if kept > keep {
                break;
            }
            upto -= 1;
        }
        let gone = (self.summarised + 1..=upto).map(weight).sum();
        (upto > self.summarised).then_some((upto, gone))
    }

    /// The conversation up to a turn as one text of at most about `max` bytes, for its summary: without reasoning, and
    /// with long parts cut short.
    pub(crate) fn transcript(&self, upto: i64, max: usize) -> String {
        let mut text = String::new();
        for message in &self.messages[..self.start(upto + 1)] {
            for block in &message.content {
                let (who, words, most) = match block {
                    Block::Text { text } if message.role == Role::User => ("Said to the agent", Cow::from(text), 8_000),
                    Block::Text { text } => ("The agent", Cow::from(text), 4_000),
                    Block::ToolUse { name, input, .. } => (name.as_str(), Cow::from(input.to_string()), 1_500),
                    Block::ToolResult { content, is_error: false, .. } => ("Result", Cow::from(content), 1_500),
                    Block::ToolResult { content, .. } => ("Error", Cow::from(content), 1_500),
                    Block::Image { .. } => ("Said to the agent", Cow::from("(an image)"), 100),
                    Block::Thinking { .. }
                    | Block::RedactedThinking { .. }
                    | Block::Sealed { .. }
                    | Block::Unknown(_) => continue,
                };
                text.push_str(&format!("[{who}]\n{}\n\n", bounded(&words, most)));
            }
        }
        bounded(&text, max)
    }
}
