//! The conversation as it goes to the provider, made from saved turns.

use std::borrow::Cow;

use guildhall_types::chat::{Block, Message, Picture, Role, StopReason};
use guildhall_types::run::{Compaction, Turn};

use crate::text::bounded;

/// Tokens that an image is taken for.
const IMAGE: i64 = 1_600;

/// Tokens of the words in the place of one that is not shown.
const UNSHOWN: i64 = 20;
/// Kept images that a conversation shows at most. Beyond 20 of them Anthropic takes smaller ones only.
const IN_VIEW: usize = 16;
/// Kept images that stay in view when there are too many: fewer than may be, so that the provider's cache is not lost with
/// each new one.
pub const KEPT_IN_VIEW: usize = IN_VIEW / 2;
/// Bytes of base64 of them. Anthropic takes 32 MB in a call.
const BYTES_IN_VIEW: usize = 27 * 1024 * 1024;

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
            Block::Picture(picture) => seen(picture),
            Block::Thinking { thinking, signature } => bytes(thinking.len() + signature.len()),
            Block::RedactedThinking { data } => bytes(data.len()),
            Block::ToolUse { id, name, input } => bytes(id.len() + name.len() + input.to_string().len()),
            Block::ToolResult { tool_use_id, content, images, .. } => {
                bytes(tool_use_id.len() + content.len()) + images.iter().map(seen).sum::<i64>()
            }
            Block::Sealed { item: value, .. } | Block::Unknown(value) => bytes(value.to_string().len()),
        })
        .sum()
}

fn seen(picture: &Picture) -> i64 {
    picture.data().map_or(UNSHOWN, |_| IMAGE)
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
    /// The numbers of the turns that are kept as they were. They grow, with gaps where another agent of the run was at work.
    numbers: Vec<i64>,
    /// The latest turn that the summary stands for.
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

    /// How many messages come before the turns that are kept as they were.
    const fn head(&self) -> usize {
        if self.summarised > 0 { 2 } else { 0 }
    }

    /// Where the first turn begins that is kept and comes after `upto`.
    fn after(&self, upto: i64) -> usize {
        self.head() + PARTS * self.numbers.partition_point(|number| *number <= upto)
    }

    /// Adds what is said to the model next, until [`Self::take_input`].
    pub(crate) fn say(&mut self, input: Vec<Block>) {
        self.messages.push(Message { role: Role::User, content: input });
    }

    /// Takes back what was said last.
    pub(crate) fn take_input(&mut self) -> Vec<Block> {
        self.messages.pop().map(|message| message.content).unwrap_or_default()
    }

    /// Takes the oldest of the kept images out of view when there are more than a provider takes; with `all`, all of them.
    /// Words stand in their places. Returns whether any was taken out.
    pub(crate) fn dim(&mut self, all: bool) -> bool {
        let blocks = self.messages.iter_mut().flat_map(|message| &mut message.content);
        let mut shown: Vec<&mut Picture> =
            blocks.flat_map(Block::pictures_mut).filter(|picture| picture.data().is_some()).collect();
        let bytes: usize = shown.iter().map(|picture| picture.data.len()).sum();
        if shown.is_empty() || !all && shown.len() <= IN_VIEW && bytes <= BYTES_IN_VIEW {
            return false;
        }
        let (mut most, mut room) = if all { (0, 0) } else { (KEPT_IN_VIEW, BYTES_IN_VIEW / 2) };
        while let Some(picture) = shown.pop() {
            let length = picture.data.len();
            if most > 0 && length <= room {
                (most, room) = (most - 1, room - length);
            } else {
                // What is older than one that had to go goes as well.
                most = 0;
                picture.data = String::new();
            }
        }
        true
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
        self.numbers.push(turn.number);
        self.last = turn.number;
    }

    /// Puts a summary in the place of the turns that it stands for, if it does not stand there already.
    pub(crate) fn compact(&mut self, compaction: &Compaction) {
        if compaction.upto <= self.summarised || compaction.upto > self.last {
            return;
        }
        let end = self.after(compaction.upto);
        let summary = note(&format!(
            "To make room, the beginning of this conversation was replaced by this summary, which you wrote. The files are \
             as you left them.\n\n{}",
            compaction.summary
        ));
        self.messages.splice(1..end, [Message { role: Role::User, content: vec![summary] }]);
        self.summarised = compaction.upto;
        self.numbers.retain(|number| *number > compaction.upto);
    }

    /// About how many tokens it has.
    pub(crate) fn tokens(&self) -> i64 {
        self.messages.iter().map(|message| tokens(&message.content)).sum()
    }

    /// The last turn that a summary would have to stand for, so that those after it have at most `keep` tokens, and
    /// about how many tokens would go. Nothing when there is no turn to summarise.
    pub(crate) fn could_go(&self, keep: i64) -> Option<(i64, i64)> {
        let weight = |at: usize| -> i64 {
            let start = self.head() + PARTS * at;
            self.messages[start..start + PARTS].iter().map(|message| tokens(&message.content)).sum()
        };
        let mut gone = self.numbers.len();
        let mut kept = 0;
        while gone > 0 {
            kept += weight(gone - 1);
            if kept > keep {
                break;
            }
            gone -= 1;
        }
        let upto = *self.numbers[..gone].last()?;
        Some((upto, (0..gone).map(weight).sum()))
    }

    /// The conversation up to a turn as one text of at most about `max` bytes, for its summary: without reasoning, and
    /// with long parts cut short.
    pub(crate) fn transcript(&self, upto: i64, max: usize) -> String {
        let mut text = String::new();
        for message in &self.messages[..self.after(upto)] {
            for block in &message.content {
                let (who, words, most) = match block {
                    Block::Text { text } if message.role == Role::User => ("Said to the agent", Cow::from(text), 8_000),
                    Block::Text { text } => ("The agent", Cow::from(text), 4_000),
                    Block::ToolUse { name, input, .. } => (name.as_str(), Cow::from(input.to_string()), 1_500),
                    Block::ToolResult { content, is_error: false, .. } => ("Result", Cow::from(content), 1_500),
                    Block::ToolResult { content, .. } => ("Error", Cow::from(content), 1_500),
                    Block::Image { .. } | Block::Picture(_) => ("Said to the agent", Cow::from("(an image)"), 100),
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
