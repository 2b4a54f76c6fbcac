//! The turn loop itself.

use std::time::Instant;

use chrono::Duration;
use guildhall_llm::{Answer, ErrorKind, LlmError, Request, SystemPart, models};
use guildhall_types::chat::{Block, Message, StopReason, ToolSpec};
use guildhall_types::feature::ThinkingLevel;
use guildhall_types::run::{Compaction, RunEvent, Said, Turn};
use serde_json::Value;

use crate::caller::{Caller, NoAnswer, unless_cancelled};
use crate::conversation::{Conversation, is_from_member, tokens};
use crate::habits::{Habits, Next};
use crate::text::{beginning, bounded};
use crate::{Ended, Job, Journal, ToolAnswer, ToolContext, Toolbox, problem};

/// Tokens of one answer at most, where the model could give more.
const OUTPUT: i64 = 32_000;
/// Less than this is not tried when a provider finds an answer's limit too high.
const LEAST_OUTPUT: i64 = 4_096;
/// Tokens of a summary at most.
const SUMMARY: i64 = 8_000;
/// Bytes of a tool's result at most, whatever the tool itself keeps to.
const RESULT: usize = 100_000;
/// Characters of a malformed call that are quoted.
const QUOTED: usize = 300;

const INTERRUPTED: &str = "The server was stopped in the middle of this call. It may or may not have had its effect: look at \
    the state of things before you repeat it.";
const DECLINED: &str = "This call was not made, because the answer was declined.";

/// A run at work.
pub(crate) struct Work<'a> {
    caller: Caller<'a>,
    journal: &'a dyn Journal,
    model: String,
    thinking: ThinkingLevel,
    system: Vec<SystemPart>,
    tools: Toolbox,
    specs: Vec<ToolSpec>,
    /// What is said first, until it is said.
    opening: Vec<Block>,
    /// The saved turns, until they are read.
    history: Vec<Turn>,
    talk: Conversation,
    habits: Habits,
    /// Tokens that the conversation may have.
    window: i64,
    max_tokens: i64,
    /// Tokens of the conversation, as far as the provider counted them, and about as many for what came since.
    size: Option<i64>,
    /// Calls since a member last said something.
    alone: i64,
    /// Since the last answer.
    compacted: Option<Compaction>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(job: Job, journal: &'a dyn Journal) -> Self {
        let model = models::assume(&job.model);
        Self {
            window: job.context_window.unwrap_or(model.context_window),
            max_tokens: model.max_output.min(OUTPUT),
            caller: Caller {
                journal,
                client: job.client,
                endpoint: job.endpoint,
                model_id: job.model.clone(),
                model,
                limits: job.limits,
                began: job.clock.now(),
                clock: job.clock,
                cancel: job.cancel,
                backoff: job.backoff,
                spent: job.spent_micros,
                parked: Duration::zero(),
            },
            journal,
            model: job.model,
            thinking: job.thinking,
            system: job.system,
            specs: job.tools.specs(),
            tools: job.tools,
            opening: job.opening,
            history: job.history,
            talk: Conversation::default(),
            habits: Habits::default(),
            size: None,
            alone: 0,
            compacted: None,
        }
    }

    pub(crate) async fn go(mut self) -> Ended {
        match self.work().await {
            Ok(summary) => Ended::Done { summary },
            Err(ended) => ended,
        }
    }

    async fn work(&mut self) -> Result<String, Ended> {
        let mut next = self.resume().await?;
        loop {
            if self.caller.cancel.is_cancelled() {
                return Err(Ended::Cancelled);
            }
            let said = self.journal.inbox().await?;
            let notes = match next {
                Next::Done(summary) if said.is_empty() => return Ok(summary),
                Next::Done(_) => Vec::new(),
                Next::Call(notes) => notes,
                Next::Shorten(notes) => {
                    self.compact(true).await?;
                    notes
                }
            };
            next = self.turn(notes, said).await?;
        }
    }

    /// Takes up the saved turns. The calls of a turn whose tools had not all run are answered as interrupted.
    async fn resume(&mut self) -> Result<Next, Ended> {
        let mut history = std::mem::take(&mut self.history);
        let Some(mut last) = history.pop() else { return Ok(Next::Call(Vec::new())) };
        for turn in history {
            self.alone = if is_from_member(&turn.input) { 1 } else { self.alone + 1 };
            self.habits.hear(&turn);
            self.talk.add(turn);
        }
        self.alone = if is_from_member(&last.input) { 1 } else { self.alone + 1 };
        if last.results.is_none() {
            self.settle_interrupted(&mut last).await?;
        }
        let next = self.habits.judge(&last, true).map_err(Ended::Failed)?;
        self.take_up(last);
        Ok(next)
    }

    async fn settle_interrupted(&mut self, turn: &mut Turn) -> Result<(), Ended> {
        let mut results = Vec::new();
        let mut events = Vec::new();
        let mut changed = false;
        for (id, name, _) in turn.answer.tool_uses() {
            changed |= self.tools.find(name).is_some_and(|tool| tool.changes_files());
            results.push(result(id, &ToolAnswer::error(INTERRUPTED)));
            events.push(finished(turn.number, id, name, &ToolAnswer::error(INTERRUPTED), 0));
        }
        if !events.is_empty() {
            self.journal.happened(events).await?;
        }
        turn.results = Some(results);
        let call = self.caller.bill(Some(turn.number), "", turn.usage);
        self.journal.settled(turn, &call, changed).await?;
        Ok(())
    }

    /// Adds a turn to the conversation.
    fn take_up(&mut self, turn: Turn) {
        let new = turn.results.as_deref().map(tokens).unwrap_or_default();
        self.size = Some(turn.usage.context_tokens() + turn.usage.output_tokens + new);
        self.talk.add(turn);
    }

    /// One call and its tools.
    async fn turn(&mut self, notes: Vec<Block>, said: Vec<Said>) -> Result<Next, Ended> {
        let read_upto = said.last().map(|said| said.seq);
        let mut input = std::mem::take(&mut self.opening);
        if self.talk.last() > 0 {
            input = notes;
        }
        input.extend(said.into_iter().map(|said| Block::text(said.text)));
        if is_from_member(&input) {
            self.alone = 0;
        }
        if self.alone >= self.caller.limits.max_turns {
            return Err(Ended::Failed(problem::turn_limit(&self.caller.limits)));
        }
        self.alone += 1;

        let answer = self.ask(input).await?;
        let number = self.talk.last() + 1;
        let mut turn = Turn {
            number,
            input: self.talk.take_input(),
            compacted: self.compacted.take(),
            answer: answer.message,
            stop_reason: answer.stop_reason,
            usage: answer.usage,
            results: None,
            snapshot: None,
        };
        let call = self.caller.bill(Some(number), &answer.model, answer.usage);
        self.journal.answered(&turn, read_upto, &call, words(&turn)).await?;
        let (results, changed) = self.run_tools(&turn).await?;
        turn.results = Some(results);
        self.journal.settled(&turn, &call, changed).await?;
        let next = self.habits.judge(&turn, false).map_err(Ended::Failed)?;
        self.take_up(turn);
        Ok(next)
    }

    /// Says `input` to the model; it stays in the conversation.
    async fn ask(&mut self, input: Vec<Block>) -> Result<Answer, Ended> {
        if self.size() + tokens(&input) >= self.window / 5 * 4 {
            self.compact(false).await?;
        }
        self.talk.say(input);
        let mut shortened = false;
        loop {
            let live = self.talk.last() + 1;
            let request = Request {
                model: &self.model,
                system: &self.system,
                tools: &self.specs,
                messages: self.talk.messages(),
                max_tokens: self.max_tokens,
                thinking: self.thinking,
            };
            let error = match self.caller.call(&request, Some(live)).await {
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::Ended(ended)) => return Err(ended),
                Err(NoAnswer::GivenUp(error)) => error,
            };
            match error.kind {
                ErrorKind::PromptTooLong | ErrorKind::TooLarge if !shortened => {
                    let input = self.talk.take_input();
                    shortened = self.compact(true).await?;
                    self.talk.say(input);
                    if shortened {
                        continue;
                    }
                }
                ErrorKind::OutputTooLong if self.max_tokens > LEAST_OUTPUT => {
                    self.max_tokens = (self.max_tokens / 2).max(LEAST_OUTPUT);
                    continue;
                }
                _ => {}
            }
            return Err(given_up(&error));
        }
    }

    /// About how many tokens the next call has, without what is said in it.
    fn size(&self) -> i64 {
        self.size.unwrap_or_else(|| {
            let system: usize = self.system.iter().map(|part| part.text.len()).sum();
            let tools: usize =
                self.specs.iter().map(|tool| tool.description.len() + tool.input_schema.to_string().len()).sum();
            self.talk.tokens() + (system + tools) as i64 / 3
        })
    }

    /// Puts a summary in the place of all but the latest turns. Returns whether there was anything to summarise; when it
    /// need not be, little is not worth it.
    async fn compact(&mut self, needed: bool) -> Result<bool, Ended> {
        // The provider counts, we only estimate: when there must be room, and all of it seems little, all of it goes.
        let some = self.talk.could_go(self.window / 5);
        let Some((upto, gone)) = some.or_else(|| self.talk.could_go(0).filter(|_| needed)) else { return Ok(false) };
        if !needed && gone < self.window / 10 {
            return Ok(false);
        }
        let before_tokens = self.size();
        // At a byte and a half for each token of the window, the transcript fits whatever language it is in.
        let most = usize::try_from(self.window).unwrap_or_default() * 3 / 2;
        let transcript = self.talk.transcript(upto, most);
        let ask =
            format!("{}\n<transcript>\n{transcript}\n</transcript>", include_str!("../prompts/summary.md").trim_end());
        let request = Request {
            model: &self.model,
            system: &[SystemPart { text: include_str!("../prompts/summary-system.md").to_owned() }],
            tools: &[],
            messages: &[Message::user(ask)],
            max_tokens: self.max_tokens.min(SUMMARY),
            thinking: ThinkingLevel::None,
        };
        let answer = match self.caller.call(&request, None).await {
            Ok(answer) => answer,
            Err(NoAnswer::Ended(ended)) => return Err(ended),
            Err(NoAnswer::GivenUp(error)) => return Err(given_up(&error)),
        };
        self.journal.billed(&self.caller.bill(None, &answer.model, answer.usage)).await?;
        let mut summary = answer.message.plain_text().trim().to_owned();
        if summary.is_empty() || answer.stop_reason == StopReason::Refusal {
            summary = format!(
                "(No summary could be had; this is what remains of the transcript.)\n\n{}",
                bounded(&transcript, 8_000)
            );
        }
        self.journal.happened(vec![RunEvent::Compacted { before_tokens, summary: summary.clone() }]).await?;
        let compaction = Compaction { summary, upto };
        self.talk.compact(&compaction);
        self.compacted = Some(compaction);
        self.size = None;
        Ok(true)
    }

    /// Runs the tools that an answer asks for, in order. Returns a result for each, and whether files may have changed.
    async fn run_tools(&mut self, turn: &Turn) -> Result<(Vec<Block>, bool), Ended> {
        let number = turn.number;
        let mut results = Vec::new();
        let mut changed = false;
        let mut told = Vec::new();
        for (id, name, input) in turn.answer.tool_uses() {
            told.push(RunEvent::ToolStarted {
                turn: number,
                call: id.to_owned(),
                tool: name.to_owned(),
                input: input.clone(),
            });
            self.journal.happened(std::mem::take(&mut told)).await?;
            let began = Instant::now();
            let answer = if turn.stop_reason == StopReason::Refusal {
                ToolAnswer::error(DECLINED)
            } else {
                changed |= self.tools.find(name).is_some_and(|tool| tool.changes_files());
                let context = ToolContext { journal: self.journal, turn: number, call: id };
                let cut = turn.stop_reason == StopReason::MaxTokens;
                unless_cancelled(&self.caller.cancel, self.run_tool(name, input, cut, context)).await?
            };
            let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            results.push(result(id, &answer));
            told.push(finished(number, id, name, &answer, took));
        }
        if !told.is_empty() {
            self.journal.happened(told).await?;
        }
        Ok((results, changed))
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
        let answer = tool.call(input.clone(), context).await;
        ToolAnswer { text: bounded(&answer.text, RESULT), ..answer }
    }
}

fn given_up(error: &LlmError) -> Ended {
    Ended::Failed(problem::of_call(error))
}

fn result(call: &str, answer: &ToolAnswer) -> Block {
    Block::ToolResult { tool_use_id: call.to_owned(), content: answer.text.clone(), is_error: answer.is_error }
}

fn finished(turn: i64, call: &str, tool: &str, answer: &ToolAnswer, duration_ms: i64) -> RunEvent {
    RunEvent::ToolFinished {
        turn,
        call: call.to_owned(),
        tool: tool.to_owned(),
        output: answer.text.clone(),
        is_error: answer.is_error,
        duration_ms,
    }
}

/// What the model said and thought in a turn, as events.
fn words(turn: &Turn) -> Vec<RunEvent> {
    let number = turn.number;
    let said = turn.answer.content.iter().filter_map(|block| match block {
        Block::Text { text } if !text.trim().is_empty() => Some(RunEvent::Text { turn: number, text: text.clone() }),
        Block::Thinking { thinking, .. } if !thinking.trim().is_empty() => {
            Some(RunEvent::Thinking { turn: number, text: thinking.clone() })
        }
        _ => None,
    });
    said.collect()
}
