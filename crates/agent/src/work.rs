//! The turn loop itself.

pub(crate) mod keep;
mod planning;
mod shorten;
pub(crate) mod standing;
mod tools;

use guildhall_llm::{Answer, ErrorKind, LlmError, Request, SystemPart, models};
use guildhall_types::blot::Blot;
use guildhall_types::chat::{Block, ToolSpec};
use guildhall_types::feature::ThinkingLevel;
use guildhall_types::run::{Compaction, RunEvent, Said, Turn};
use guildhall_types::trace::{Key, Side, Span};

use crate::caller::{Caller, NoAnswer};
use crate::conversation::{Conversation, is_from_member, tokens};
use crate::habits::{Habits, Next};
use crate::tools::changes_requested;
use crate::{Ended, Job, Journal, PriceTable, Toolbox, problem, prompt};
use planning::Planning;

/// Tokens of one answer at most, where the model could give more.
const OUTPUT: i64 = 32_000;
/// Less than this is not tried when a provider finds an answer's limit too high.
const LEAST_OUTPUT: i64 = 4_096;
/// A run at work.
pub(crate) struct Work<'a> {
    caller: Caller<'a>,
    journal: &'a dyn Journal,
    model: String,
    thinking: ThinkingLevel,
    temperature: Option<f64>,
    system: Vec<SystemPart>,
    tools: Toolbox,
    specs: Vec<ToolSpec>,
    blot: Blot,
    /// What is said first, until it is said.
    opening: Vec<Block>,
    /// The saved turns, until they are read.
    history: Vec<Turn>,
    talk: Conversation,
    /// The number of the run's latest turn, whichever agent made it.
    last: i64,
    /// The model is yet to be told how far its tasks are: the work was interrupted.
    tell_tasks: bool,
    habits: Habits,
    planning: Planning,
    /// Tokens that the conversation may have.
    window: i64,
    max_tokens: i64,
    /// Tokens of the conversation, as far as the provider counted them, and about as many for what came since.
    size: Option<i64>,
    /// Calls since a member last said something.
    alone: i64,
    /// Since the last answer.
    compacted: Option<Compaction>,
    /// The provider took no call with images in it.
    blind: bool,
}

impl<'a> Work<'a> {
    pub(crate) fn new(mut job: Job, journal: &'a dyn Journal) -> Self {
        for part in &mut job.system {
            part.text = job.blot.owned(std::mem::take(&mut part.text));
        }
        for block in &mut job.opening {
            if let Block::Text { text } = block {
                *text = job.blot.owned(std::mem::take(text));
            }
        }
        // What was said before something was a secret. The model's own answers stay: providers seal them.
        let said =
            job.history.iter_mut().flat_map(|turn| turn.input.iter_mut().chain(turn.results.iter_mut().flatten()));
        for block in said {
            if let Block::Text { text } | Block::ToolResult { content: text, .. } = block {
                *text = job.blot.owned(std::mem::take(text));
            }
        }
        let model = models::assume(&job.model);
        Self {
            window: job.context_window.unwrap_or(model.context_window),
            max_tokens: model.max_output.min(job.max_tokens.unwrap_or(OUTPUT)),
            caller: Caller {
                journal,
                client: job.client,
                governor: job.governor,
                member: job.member,
                patience: job.patience,
                endpoint: job.endpoint,
                model_id: job.model.clone(),
                limits: job.limits,
                began: job.clock.awake(),
                clock: job.clock,
                cancel: job.cancel,
                backoff: job.backoff,
                prices: PriceTable::default(),
                unpriced_told: false,
                held: 0,
                waited: std::time::Duration::ZERO,
                outage: job.outage,
                cached: None,
            },
            journal,
            model: job.model,
            thinking: job.thinking,
            temperature: job.temperature,
            system: job.system,
            specs: job.tools.specs(),
            tools: job.tools,
            blot: job.blot,
            opening: job.opening,
            last: job.history.last().map_or(0, |turn| turn.number).max(job.last_turn),
            tell_tasks: !job.history.is_empty(),
            history: job.history,
            talk: Conversation::default(),
            habits: Habits::new(job.once),
            planning: Planning::new(job.approval),
            size: None,
            alone: 0,
            compacted: None,
            blind: false,
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
            if let Next::Asked(what) = next {
                return Err(Ended::ChangesRequested { what });
            }
            let said = self.journal.inbox().await?;
            let notes = match next {
                Next::Proposed if said.is_empty() => return Err(Ended::PlanProposed),
                Next::Done(summary) if said.is_empty() => match self.planning.owed().map_err(Ended::Failed)? {
                    Some(note) => vec![note],
                    None => return Ok(summary),
                },
                Next::Done(_) | Next::Proposed => Vec::new(),
                Next::Call(notes) => notes,
                Next::Asked(_) => Vec::new(),
                Next::Shorten(notes) => {
                    self.shorten(true).await?;
                    notes
                }
            };
            let span = Span::begin(Side::Internal, "turn", "");
            span.count(Key::Turn, self.last + 1);
            next = span.around(self.turn(notes, said)).await?;
        }
    }

    /// Takes up the saved turns. The calls of a turn whose tools had not all run are answered as interrupted.
    async fn resume(&mut self) -> Result<Next, Ended> {
        let mut history = std::mem::take(&mut self.history);
        let Some(mut last) = history.pop() else { return Ok(Next::Call(Vec::new())) };
        for turn in history {
            self.alone = if is_from_member(&turn.input) { 1 } else { self.alone + 1 };
            self.planning.hear(&turn.input);
            self.habits.hear(&turn);
            self.talk.add(turn);
        }
        self.alone = if is_from_member(&last.input) { 1 } else { self.alone + 1 };
        self.planning.hear(&last.input);
        if last.results.is_none() {
            self.settle_interrupted(&mut last).await?;
        }
        let next = self.judge(&last, true)?;
        self.take_up(last);
        Ok(next)
    }

    /// What follows from a turn whose tools have run.
    fn judge(&mut self, turn: &Turn, resumed: bool) -> Result<Next, Ended> {
        let next = self.habits.judge(turn, resumed).map_err(Ended::Failed)?;
        if let Some(what) = changes_requested(turn) {
            return Ok(Next::Asked(what));
        }
        Ok(if self.planning.is_proposed_by(turn) { Next::Proposed } else { next })
    }

    /// Adds a turn to the conversation.
    fn take_up(&mut self, turn: Turn) {
        let new = turn.results.as_deref().map(tokens).unwrap_or_default();
        self.size = Some(turn.usage.context_tokens() + turn.usage.output_tokens + new);
        self.last = self.last.max(turn.number);
        self.talk.add(turn);
    }

    /// One call and its tools.
    async fn turn(&mut self, notes: Vec<Block>, said: Vec<Said>) -> Result<Next, Ended> {
        let read_upto = said.last().map(|said| said.seq);
        let mut input = std::mem::take(&mut self.opening);
        if self.talk.last() > 0 {
            input = notes;
        }
        if std::mem::take(&mut self.tell_tasks) {
            input.extend(standing::note(&self.journal.tasks().await?));
        }
        for said in said {
            input.push(Block::text(self.blot.owned(said.text)));
            input.extend(prompt::attached(&said.files).into_iter().map(|block| match block {
                Block::Text { text } => Block::text(self.blot.owned(text)),
                other => other,
            }));
        }
        if is_from_member(&input) {
            self.alone = 0;
        }
        self.planning.hear(&input);
        if self.alone >= self.caller.limits.max_turns {
            return Err(Ended::Failed(problem::turn_limit(&self.caller.limits)));
        }
        self.alone += 1;

        let answer = self.ask(input).await?;
        let number = self.last + 1;
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
        let next = self.judge(&turn, false)?;
        self.take_up(turn);
        Ok(next)
    }

    /// Says `input` to the model; it stays in the conversation.
    async fn ask(&mut self, input: Vec<Block>) -> Result<Answer, Ended> {
        let said = tokens(&input);
        if self.size() + said >= self.window / 5 * 4 {
            self.shorten(false).await?;
        }
        self.talk.say(input);
        if self.talk.dim(self.blind) {
            self.caller.cached = None;
        }
        let mut shortened = false;
        loop {
            let live = self.last + 1;
            // Before the provider has counted, what was said is in the estimate already.
            let size = self.size.map_or_else(|| self.size(), |size| size + said);
            let request = Request {
                model: &self.model,
                system: &self.system,
                tools: &self.specs,
                messages: self.talk.messages(),
                max_tokens: self.max_tokens,
                thinking: self.thinking,
                temperature: self.temperature,
                must_call: false,
            };
            let error = match self.caller.call(&request, size, Some(live)).await {
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::Ended(ended)) => return Err(ended),
                Err(NoAnswer::GivenUp(error)) => error,
            };
            match error.kind {
                ErrorKind::PromptTooLong | ErrorKind::TooLarge if !shortened => {
                    let input = self.talk.take_input();
                    shortened = self.shorten(true).await?;
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
            // Some models see nothing, some servers take few images, and one that cannot be read would be refused for ever.
            let asks_too_much =
                matches!(error.kind, ErrorKind::BadRequest | ErrorKind::PromptTooLong | ErrorKind::TooLarge);
            if asks_too_much && !self.blind && self.talk.dim(true) {
                self.blind = true;
                self.caller.cached = None;
                let text = format!(
                    "The provider refused a call with images in it, which are left out from here on. It said: {}",
                    error.message
                );
                self.journal.happened(vec![RunEvent::Note { text }]).await?;
                continue;
            }
            return Err(given_up(&error));
        }
    }
}

fn given_up(error: &LlmError) -> Ended {
    Ended::Failed(problem::of_call(error))
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
