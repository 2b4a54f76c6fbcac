//! What follows from an answer: whether the agent goes on, is done, or goes round in circles.

use std::hash::{DefaultHasher, Hash, Hasher};

use guildhall_types::chat::{Block, StopReason};
use guildhall_types::feature::Problem;
use guildhall_types::run::Turn;
use serde_json::Value;

use crate::conversation::{is_from_member, note};
use crate::problem;

/// The same call with the same result this often in a row: the model is told.
const REPEATS_TOLD: usize = 4;
/// … and this often: the run is ended.
const REPEATS: usize = 8;
/// Turns in a row with malformed calls, after which the run is ended.
const MALFORMED: u32 = 5;
/// Answers in a row that were cut off before they came to anything, and may be gone on with.
const CUT: u32 = 3;

/// What comes next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Another call, with these words of Guildhall's before it.
    Call(Vec<Block>),
    /// The same, but the conversation must become shorter first.
    Shorten(Vec<Block>),
    /// The agent is done, with these closing words.
    Done(String),
    /// The agent proposed a plan that a person is to look at.
    Proposed,
    /// The agent is a step of the pipeline, and asks for these changes.
    Asked(String),
}

/// What the agent did in the latest turns, as far as it is needed to see that it gets nowhere.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    /// One answer is all that counts: one that was cut off is no answer.
    once: bool,
    call: Repeats,
    turn: Repeats,
    malformed: u32,
    cut: u32,
    empty: bool,
    last_words: String,
}

/// How often the same thing came in a row.
#[derive(Debug, Default)]
struct Repeats {
    print: u64,
    times: usize,
}

impl Repeats {
    fn count(&mut self, print: u64) -> usize {
        self.times = if self.print == print { self.times + 1 } else { 1 };
        self.print = print;
        self.times
    }
}

fn print(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Habits {
    pub(crate) fn new(once: bool) -> Self {
        Self { once, ..Self::default() }
    }

    /// Takes note of an earlier turn's words, in case that the last ones are its closing words.
    pub(crate) fn hear(&mut self, turn: &Turn) {
        let text = turn.answer.plain_text();
        if !text.trim().is_empty() {
            self.last_words = text.trim().to_owned();
        }
    }

    /// What follows from a turn whose tools have run. After a `resumed` turn, a refusal is tried once more: a member
    /// wants the run to go on.
    pub(crate) fn judge(&mut self, turn: &Turn, resumed: bool) -> Result<Next, Problem> {
        let text = turn.answer.plain_text();
        if turn.stop_reason == StopReason::Refusal {
            return if resumed { Ok(Next::Call(Vec::new())) } else { Err(problem::refused(&text)) };
        }
        self.hear(turn);
        let calls: Vec<(&str, &str, &Value)> = turn.answer.tool_uses().collect();
        let mut notes = Vec::new();
        if !calls.is_empty() {
            notes.extend(self.repeats(turn, &calls)?);
        }
        let malformed = calls.iter().any(|(_, _, input)| !input.is_object());
        self.malformed = if malformed { self.malformed + 1 } else { 0 };

        let full = turn.stop_reason == StopReason::ContextWindowExceeded;
        if self.once && (full || turn.stop_reason == StopReason::MaxTokens) {
            return Err(problem::too_long());
        }
        let came_to_something = calls.iter().any(|(_, _, input)| input.is_object());
        if (full || turn.stop_reason == StopReason::MaxTokens) && !came_to_something {
            self.cut += 1;
            if self.cut > CUT {
                return Err(problem::output_limit());
            }
            notes.push(note(
                "Your answer was cut off at its greatest length. Go on where it ended, in smaller pieces: write a long file \
                 in several steps.",
            ));
        } else {
            self.cut = 0;
        }
        if self.malformed >= MALFORMED {
            return Err(problem::malformed_calls(self.malformed));
        }
        if full {
            return Ok(Next::Shorten(notes));
        }
        let goes_on = !calls.is_empty() || matches!(turn.stop_reason, StopReason::PauseTurn | StopReason::MaxTokens);
        let empty = !goes_on && text.trim().is_empty();
        let again = std::mem::replace(&mut self.empty, empty);
        if empty && !again {
            notes.push(note("Your answer was empty. Go on with the work, or say in a few words what you did."));
            return Ok(Next::Call(notes));
        }
        Ok(if goes_on { Next::Call(notes) } else { Next::Done(self.last_words.clone()) })
    }

    /// Counts calls, and turns of several calls, that come again with the same results.
    fn repeats(&mut self, turn: &Turn, calls: &[(&str, &str, &Value)]) -> Result<Option<Block>, Problem> {
        if is_from_member(&turn.input) {
            (self.call, self.turn) = Default::default();
        }
        let results = turn.results.as_deref().unwrap_or_default();
        let results = results.iter().filter_map(|block| match block {
            Block::ToolResult { content, is_error, .. } => Some((content, is_error)),
            _ => None,
        });
        let (before_call, before_turn) = (self.call.times, self.turn.times);
        let mut prints = Vec::with_capacity(calls.len());
        for ((_, name, input), result) in calls.iter().zip(results) {
            let print = print(&(name, input.to_string(), result));
            prints.push(print);
            if self.call.count(print) >= REPEATS {
                return Err(problem::looping(name, self.call.times));
            }
        }
        if self.turn.count(print(&prints)) >= REPEATS {
            return Err(problem::looping(calls[0].1, self.turn.times));
        }
        let told = |before: usize, now: usize| before < REPEATS_TOLD && now >= REPEATS_TOLD;
        Ok((told(before_call, self.call.times) || told(before_turn, self.turn.times)).then(|| {
            note(
                "You made the same call with the same result several times in a row. Doing it again will change nothing: \
                 look at what the result says, and do something else. If you cannot go on, say so and end your work.",
            )
        }))
    }
}
