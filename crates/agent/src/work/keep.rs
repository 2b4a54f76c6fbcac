//! Asks an agent, when its work is done, what of it is worth keeping.
//!
//! That is a short conversation of its own, about a transcript of the work: the long one would have to be read anew by the
//! provider, because what it may call is another. It can change nothing: there is no tool but the one that records.

use guildhall_llm::{Request, SystemPart};
use guildhall_types::chat::{Message, ToolSpec};
use guildhall_types::feature::ThinkingLevel;
use serde_json::json;

use super::{Work, given_up};
use crate::caller::NoAnswer;
use crate::hub::Lesson;
use crate::tools::hub::{RECORD, lesson, record_spec};
use crate::{Call, Ended};

/// The tool by which the model says that there is nothing.
pub(crate) const NOTHING: &str = "nothing_to_keep";
/// Lessons that are kept at most.
const KEPT: usize = 3;
/// Tokens of the answer at most.
const ANSWER: i64 = 4_000;
/// Bytes of the transcript at most.
const TRANSCRIPT: usize = 60_000;

/// What an agent finds worth keeping.
#[derive(Debug)]
pub struct Kept {
    /// The lessons, in its order; often none.
    pub lessons: Vec<Lesson>,
    /// The call that brought them, which is yet to be billed.
    pub call: Call,
}

impl Work<'_> {
    /// Asks what is worth keeping of the work in the history. `known` are the titles of what the agent was told and read.
    pub(crate) async fn keep(mut self, known: &[String]) -> Result<Kept, Ended> {
        let history = std::mem::take(&mut self.history);
        for turn in history.into_iter().filter(|turn| turn.results.is_some()) {
            self.talk.add(turn);
        }
        let transcript = self.talk.transcript(self.talk.last(), TRANSCRIPT);
        let mut ask = include_str!("../../prompts/keep.md").trim_end().to_owned();
        if !known.is_empty() {
            let list: String = known.iter().map(|title| format!("- {title}\n")).collect();
            ask.push_str(&format!("\n\nThe hub holds these already:\n\n{}", list.trim_end()));
        }
        let ask = format!("{ask}\n\n<transcript>\n{transcript}\n</transcript>");
        let size = ask.len() as i64 / 3;
        let nothing = ToolSpec {
            name: NOTHING.to_owned(),
            description: "Says that nothing of the work is worth keeping. That is the usual answer.".to_owned(),
            input_schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        };
        let request = Request {
            model: &self.model,
            system: &[SystemPart { text: include_str!("../../prompts/keep-system.md").trim_end().to_owned() }],
            tools: &[record_spec(), nothing],
            messages: &[Message::user(ask)],
            max_tokens: self.max_tokens.min(ANSWER),
            thinking: ThinkingLevel::None,
            temperature: None,
            must_call: true,
        };
        let answer = match self.caller.call(&request, size, None).await {
            Ok(answer) => answer,
            Err(NoAnswer::Ended(ended)) => return Err(ended),
            Err(NoAnswer::GivenUp(error)) => return Err(given_up(&error)),
        };
        let calls = answer.message.tool_uses().filter(|(_, name, _)| *name == RECORD);
        let lessons = calls.filter_map(|(_, _, input)| lesson(input.clone()).ok()).take(KEPT).collect();
        Ok(Kept { lessons, call: self.caller.bill(None, &answer.model, answer.usage) })
    }
}
