//! An answer, and how it is put together out of the events of a stream, whatever dialect they are in.

use std::collections::HashSet;

use guildhall_types::chat::{Message, StopReason, Usage};
use rand::RngExt;
use serde_json::Value;

use crate::error::Partial;
use crate::{Dialect, ErrorKind, LlmError, RateLimits, Request, completions, messages, responses};

/// A piece of an answer as it comes. `block` counts the answer's blocks from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delta<'a> {
    /// The provider has taken the call, and says this of the key's limits. Comes before all others, once.
    Limits(&'a RateLimits),
    /// The answer begins.
    Started,
    /// Words.
    Text {
        /// Which block.
        block: i64,
        /// The addition.
        text: &'a str,
    },
    /// Reasoning.
    Thinking {
        /// Which block.
        block: i64,
        /// The addition.
        text: &'a str,
    },
    /// A tool is about to be called.
    Tool {
        /// Which block.
        block: i64,
        /// The tool's name.
        name: &'a str,
    },
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the model said.
    pub message: Message,
    /// Why it stopped.
    pub stop_reason: StopReason,
    /// What the call took.
    pub usage: Usage,
    /// The model that answered.
    pub model: String,
    /// What the provider said of the key's limits.
    pub limits: RateLimits,
}

/// Blocks that an answer may have; more is garbage.
pub(crate) const BLOCKS: usize = 10_000;

/// Puts an answer together, in one of the dialects.
pub(crate) enum Assembler {
    Messages(messages::Assembler),
    Responses(responses::Assembler),
    Completions(completions::Assembler),
}

macro_rules! each {
    ($self:expr, $one:ident => $do:expr) => {
        match $self {
            Assembler::Messages($one) => $do,
            Assembler::Responses($one) => $do,
            Assembler::Completions($one) => $do,
        }
    };
}

impl Assembler {
    /// For the answer to this request.
    pub(crate) fn new(dialect: Dialect, request: &Request<'_>) -> Self {
        match dialect {
            Dialect::Messages => Self::Messages(messages::Assembler::default()),
            Dialect::Responses => {
                Self::Responses(responses::Assembler::new(request.rough_tokens(), Ids::new(request.call_ids())))
            }
            Dialect::Completions => {
                Self::Completions(completions::Assembler::new(request.rough_tokens(), Ids::new(request.call_ids())))
            }
        }
    }

    /// Takes one event.
    pub(crate) fn take(&mut self, data: &str, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        each!(self, one => one.take(data, on_delta))
    }

    /// Whether any of the answer came.
    pub(crate) fn has_begun(&self) -> bool {
        each!(self, one => one.has_begun())
    }

    /// Whether the answer is whole, and nothing more is to be read.
    pub(crate) fn is_done(&self) -> bool {
        each!(self, one => one.is_done())
    }

    /// Whether the answer is whole if the stream ends here.
    pub(crate) fn may_end(&self) -> bool {
        match self {
            Self::Completions(one) => one.may_end(),
            other => other.is_done(),
        }
    }

    /// What an answer that is not whole has used, if it had begun.
    pub(crate) fn partial(&self) -> Option<Partial> {
        each!(self, one => one.partial())
    }

    /// The whole answer.
    pub(crate) fn finish(self, limits: RateLimits) -> Result<Answer, LlmError> {
        each!(self, one => one.finish(limits))
    }
}

/// The ids of calls. Some servers send none, or the same one again and again; a conversation needs each of them once, in
/// a form that every dialect takes.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    taken: HashSet<String>,
}

/// Characters of an id at most.
const ID: usize = 64;
/// Characters of an id that is made here. Some servers take nine letters and digits, and nothing else.
const MADE: usize = 9;

impl Ids {
    pub(crate) const fn new(taken: HashSet<String>) -> Self {
        Self { taken }
    }

    /// This id, or another one where it will not do.
    pub(crate) fn fit(&mut self, id: &str) -> String {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if plain && (1..=ID).contains(&id.len()) && self.taken.insert(id.to_owned()) {
            return id.to_owned();
        }
        loop {
            let made: String = rand::rng().sample_iter(rand::distr::Alphanumeric).take(MADE).map(char::from).collect();
            if self.taken.insert(made.clone()) {
                return made;
            }
        }
    }
}

pub(crate) fn garbage(message: impl Into<String>) -> LlmError {
    LlmError::new(ErrorKind::Garbage, message)
}

/// One event as JSON. The reason is put into words, because those are scrubbed of the key; an error that is kept as a
/// source is not.
pub(crate) fn event(data: &str) -> Result<Value, LlmError> {
    let unreadable = |error: String| garbage(format!("the provider sent an event that cannot be read: {error}"));
    match serde_json::from_str::<Value>(data) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(unreadable("it is no object".to_owned())),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// A count that a provider sent, which is never less than nothing.
pub(crate) fn count(value: &Value) -> Option<i64> {
    value.as_i64().map(|count| count.max(0))
}

/// A tool's arguments. Text that is no JSON object stays text, so that the tool can answer what was wrong with it.
pub(crate) fn parsed(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    match serde_json::from_str::<Value>(text) {
        // An unfinished block may happen to be valid JSON, such as a number cut short; an object is whole.
        Ok(value) if value.is_object() => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_if_it_will_do_for_every_dialect() {
        let mut ids = Ids::new(HashSet::from(["call_1".to_owned()]));
        assert_eq!(ids.fit("call_2"), "call_2");
        let long = "x".repeat(65);
        for bad in ["", "call_1", "call_2", "a b", "functions.read:0", &long] {
            let made = ids.fit(bad);
            assert!(made != bad && made.len() == 9 && made.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{made}");
        }
    }
}
