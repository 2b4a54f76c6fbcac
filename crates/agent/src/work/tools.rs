//! Runs the tools of a turn.

use std::time::Instant;

use guildhall_types::boundary;
use guildhall_types::chat::{Block, Picture, StopReason};
use guildhall_types::feature::Attachment;
use guildhall_types::run::{RunEvent, Turn};
use guildhall_types::trace::{Key, Side, Span};
use serde_json::Value;

use super::Work;
use crate::caller::unless_cancelled;
use crate::text::{beginning, bounded};
use crate::{Ended, ToolAnswer, ToolContext};

/// Bytes of a tool's result at most, whatever the tool itself keeps to.
const RESULT: usize = 100_000;
/// Images that the tools of a turn show at most.
const IMAGES: usize = 8;
/// Characters of a malformed call that are quoted.
const QUOTED: usize = 300;

const INTERRUPTED: &str = "The server was stopped in the middle of this call. It may or may not have had its effect: look at \
    the state of things before you repeat it.";
const DECLINED: &str = "This call was not made, because the answer was declined.";

impl Work<'_> {
    /// Runs the tools that an answer asks for, in order. Returns a result for each, and whether files may have changed.
    pub(super) async fn run_tools(&mut self, turn: &Turn) -> Result<(Vec<Block>, bool), Ended> {
        let number = turn.number;
        let mut results = Vec::new();
        let mut changed = false;
        let mut told = Vec::new();
        let mut room = IMAGES;
        for (id, name, input) in turn.answer.tool_uses() {
            if self.caller.cancel.is_cancelled() {
                return Err(Ended::Cancelled);
            }
            told.push(RunEvent::ToolStarted {
                turn: number,
                call: id.to_owned(),
                tool: name.to_owned(),
                input: input.clone(),
            });
            self.journal.happened(std::mem::take(&mut told)).await?;
            let began = Instant::now();
            let mut answer = if turn.stop_reason == StopReason::Refusal {
                ToolAnswer::error(DECLINED)
            } else {
                changed |= self.tools.find(name).is_some_and(|tool| tool.changes_files());
                let context = ToolContext { journal: self.journal, turn: number, call: id };
                let cut = turn.stop_reason == StopReason::MaxTokens;
                let span = self.span(name);
                let running = span.around(self.run_tool(name, input, cut, context));
                let answer = unless_cancelled(&self.caller.cancel, running).await?;
                if answer.is_error {
                    span.failed("tool");
                }
                answer
            };
            let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            let images = self.keep_images(name, &mut answer, &mut room).await?;
            results.push(result(id, &answer, &images));
            told.push(finished(number, id, name, &answer, &images, took));
        }
        if !told.is_empty() {
            self.journal.happened(told).await?;
        }
        Ok((results, changed))
    }

    /// The span of a call. A name that is no tool's is the model's own words, and stays here.
    fn span(&self, name: &str) -> Span {
        let name = if self.tools.find(name).is_some() { name } else { "unknown" };
        let span = Span::begin(Side::Internal, "execute_tool", name);
        span.set(Key::Operation, "execute_tool");
        span.set(Key::Tool, name);
        span
    }

    async fn run_tool(&self, name: &str, input: &Value, cut: bool, context: ToolContext<'_>) -> ToolAnswer {
        let Some(tool) = self.tools.find(name) else {
            let names: Vec<&str> = self.tools.names().collect();
            return ToolAnswer::error(format!("There is no tool {name:?}. There are: {}.", names.join(", ")));
        };
        if let Value::String(text) = input {
            return ToolAnswer::error(match cut {
                true => "The call was cut off, because the answer reached its greatest length. Call again with less: write a \
                    long file in several steps."
                    .to_owned(),
                false => format!(
                    "The arguments are not a valid JSON object. They began: {}\nCall `{name}` again with one valid JSON \
                     object.",
                    beginning(text, QUOTED)
                ),
            });
        }
        boundary!("tool.{name}.start");
        let answer = tool.call(input.clone(), context).await;
        boundary!("tool.{name}.end");
        // The one place that every answer passes on its way to the model, the store and the page, whichever tool gives it: a
        // secret may have come into a file, and from there into anything.
        let text = self.blot.owned(answer.text);
        ToolAnswer { text: bounded(&text, RESULT), ..answer }
    }

    /// Keeps the images of an answer with the run, as far as there is `room` in the turn, and says in words how many there
    /// was none for. With a failure none are kept: Anthropic takes nothing but words with one.
    async fn keep_images(&self, tool: &str, answer: &mut ToolAnswer, room: &mut usize) -> Result<Vec<Kept>, Ended> {
        let images = std::mem::take(&mut answer.images);
        let (mut kept, mut left_out) = (Vec::new(), 0);
        for image in images {
            let attachment = match *room > 0 && !answer.is_error {
                true => self.journal.keep(tool, &image).await?,
                false => None,
            };
            match attachment {
                Some(attachment) => {
                    *room -= 1;
                    kept.push((attachment, image.bytes));
                }
                None => left_out += 1,
            }
        }
        if left_out > 0 {
            answer.text.push_str(&format!(
                "\n\n[Not shown: {left_out} of the images. A turn shows {IMAGES} at most, a failed call none, and a run only so many.]"
            ));
        }
        Ok(kept)
    }

    /// Answers the calls of a turn that was cut as interrupted; those that can be made again are.
    pub(super) async fn settle_interrupted(&mut self, turn: &mut Turn) -> Result<(), Ended> {
        let mut results = Vec::new();
        let mut events = Vec::new();
        let mut changed = false;
        let mut room = IMAGES;
        for (id, name, input) in turn.answer.tool_uses() {
            changed |= self.tools.find(name).is_some_and(|tool| tool.changes_files());
            let again = self.tools.find(name).is_some_and(|tool| tool.is_repeatable());
            let mut answer = match turn.stop_reason {
                StopReason::Refusal => ToolAnswer::error(DECLINED),
                reason if again => {
                    let context = ToolContext { journal: self.journal, turn: turn.number, call: id };
                    self.run_tool(name, input, reason == StopReason::MaxTokens, context).await
                }
                _ => ToolAnswer::error(INTERRUPTED),
            };
            let images = self.keep_images(name, &mut answer, &mut room).await?;
            results.push(result(id, &answer, &images));
            events.push(finished(turn.number, id, name, &answer, &images, 0));
        }
        if !events.is_empty() {
            self.journal.happened(events).await?;
        }
        turn.results = Some(results);
        let call = self.caller.bill(Some(turn.number), "", turn.usage);
        self.journal.settled(turn, &call, changed).await?;
        Ok(())
    }
}

/// An image that is kept with the run, and its bytes.
type Kept = (Attachment, Vec<u8>);

fn result(call: &str, answer: &ToolAnswer, images: &[Kept]) -> Block {
    Block::ToolResult {
        tool_use_id: call.to_owned(),
        content: answer.text.clone(),
        is_error: answer.is_error,
        images: images.iter().map(|(kept, bytes)| Picture::of(kept, bytes)).collect(),
    }
}

fn finished(turn: i64, call: &str, tool: &str, answer: &ToolAnswer, images: &[Kept], duration_ms: i64) -> RunEvent {
    RunEvent::ToolFinished {
        turn,
        call: call.to_owned(),
        tool: tool.to_owned(),
        output: answer.text.clone(),
        is_error: answer.is_error,
        duration_ms,
        images: images.iter().map(|(kept, _)| kept.clone()).collect(),
    }
}
