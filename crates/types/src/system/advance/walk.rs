//! One walk through the steps of an execution: which begin, end, fail, and are tried again.

use std::collections::HashMap;

use chrono::Duration;
use serde_json::{Map, Value};

use super::bounds::bounded;
use crate::DateTime;
use crate::system::execution::{ExecutionState, ExecutionStatus, StepState, SystemStepStatus};
use crate::system::shape::misfit;
use crate::system::template::{Context, Reader, cut, fenced, render, text_of};
use crate::system::transform::json_in;
use crate::system::{ATTEMPTS, BEGUN, INPUT, OUTPUT, OutputFormat, Step, StepKind, SystemDefinition, TASK};

/// How far a step came, or several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Open,
    Done,
    Failed,
}

/// A state that is brought forward.
pub(super) struct Walk<'a> {
    system: &'a SystemDefinition,
    pub(super) state: ExecutionState,
    index: HashMap<String, usize>,
    now: DateTime,
    /// Why the execution cannot go on at all.
    pub(super) broken: Option<String>,
}

impl<'a> Walk<'a> {
    /// A walk through the steps of an execution, as they stand.
    pub(super) fn new(system: &'a SystemDefinition, state: ExecutionState, now: DateTime) -> Self {
        let index = state.steps.iter().enumerate().map(|(place, step)| (step.key.clone(), place)).collect();
        Self { system, state, index, now, broken: None }
    }

    fn context(&self) -> Context<'_> {
        Context { variables: &self.state.variables, steps: &self.state.steps }
    }

    pub(super) fn at(&mut self, place: usize) -> &mut StepState {
        &mut self.state.steps[place]
    }

    /// The step of the system that stands behind a state. Lives as long as the system, so that the state can be changed.
    fn step(&self, place: usize) -> Option<&'a Step> {
        self.system.step(&self.state.steps[place].step_id)
    }

    pub(super) fn ended(&mut self, key: &str, attempt: i64, result: Result<Value, String>) {
        let Some(place) = self.index.get(key).copied() else { return };
        let state = &self.state.steps[place];
        // An answer to an earlier try comes too late.
        if state.status != SystemStepStatus::Running || state.attempt != attempt {
            return;
        }
        let Some(step) = self.step(place) else { return };
        let answer = match result {
            Ok(answer) => answer,
            Err(why) => return self.try_failed(step, place, why),
        };
        match taken_for(step, &answer) {
            Ok(value) => self.complete(step, place, value),
            Err(why) if step.output_schema.is_some() && self.state.steps[place].rounds == 0 => {
                self.send_back(place, &answer, &why);
            }
            Err(why) => self.try_failed(step, place, why),
        }
    }

    /// An agent's answer is not of the form that it must have: it is asked once to say the same in that form. What it worked out
    /// is given to it, so that nothing is worked out again.
    fn send_back(&mut self, place: usize, answer: &Value, why: &str) {
        let state = self.at(place);
        let task = state.input.take().unwrap_or_default();
        let said = fenced("your answer", &cut(text_of(answer), OUTPUT));
        let ask = format!(
            "An answer to the task at the end is not of the form that is asked for: {why}\n\nSay the same in the right form, and \
             leave out nothing. Do not work on the task again unless something is missing.\n\n{said}\n\nThe task was:\n\n{task}"
        );
        // Whole, with the form at its end: the task and the answer have their own bounds.
        state.input = Some(cut(ask, TASK));
        state.error = Some(cut(format!("Its answer was sent back: {why}"), 2_000));
        state.rounds = 1;
        // A try of its own, so that what comes late of the former is not taken for its answer.
        state.attempt += 1;
        state.deadline = None;
    }

    /// The work of a step that has a limit goes on, or rests.
    pub(super) fn due(&mut self, key: &str, attempt: i64, at: Option<DateTime>) {
        let Some(place) = self.index.get(key).copied() else { return };
        let state = self.at(place);
        if state.status == SystemStepStatus::Running && state.attempt == attempt {
            state.deadline = at;
        }
    }

    pub(super) fn reviewed(&mut self, key: &str, approved: bool, text: &str) {
        let Some(place) = self.index.get(key).copied() else { return };
        if self.state.steps[place].status != SystemStepStatus::Waiting {
            return;
        }
        let Some(step) = self.step(place) else { return };
        let text = cut(text.to_owned(), OUTPUT);
        self.at(place).feedback = (!text.is_empty()).then(|| text.clone());
        if approved {
            let said = Map::from_iter([("approved".to_owned(), Value::Bool(true)), ("text".to_owned(), text.into())]);
            return self.complete(step, place, Value::Object(said));
        }
        let again = !step.children.is_empty() && self.state.steps[place].rounds < step.rounds();
        if again {
            let state = self.at(place);
            state.rounds += 1;
            state.status = SystemStepStatus::Running;
            return;
        }
        let why = match text.is_empty() {
            true => "It was sent back.".to_owned(),
            false => format!("It was sent back: {text}"),
        };
        self.fail(place, why);
    }

    /// Walks through steps one after the other, until one is open or fails.
    pub(super) fn sequence(&mut self, steps: &'a [Step], prefix: &str) -> Outcome {
        for step in steps {
            match self.run(step, &format!("{prefix}{}", step.id)) {
                Outcome::Done => {}
                other => return other,
            }
        }
        Outcome::Done
    }

    pub(super) fn run(&mut self, step: &'a Step, key: &str) -> Outcome {
        let place = match self.index.get(key).copied() {
            Some(place) => place,
            None => match self.begin(step, key) {
                Some(place) => place,
                None => return Outcome::Open,
            },
        };
        let state = &self.state.steps[place];
        if state.status == SystemStepStatus::Retrying && state.retry_at.is_none_or(|at| at <= self.now) {
            let again = self.at(place);
            again.attempt += 1;
            again.retry_at = None;
            self.start(step, place);
        }
        let state = &self.state.steps[place];
        if state.status.is_open() && state.deadline.is_some_and(|at| at <= self.now) {
            self.close(&format!("{key}."));
            self.close(&format!("{key}@"));
            let seconds = step.timeout_ms.unwrap_or_default().max(0) / 1000;
            self.try_failed(step, place, format!("It did not end within {seconds} seconds of work."));
        }
        if self.state.steps[place].status == SystemStepStatus::Running {
            self.walk_into(step, key, place);
        }
        match self.state.steps[place].status {
            SystemStepStatus::Completed => Outcome::Done,
            SystemStepStatus::Failed | SystemStepStatus::Cancelled if step.optional => Outcome::Done,
            SystemStepStatus::Failed | SystemStepStatus::Cancelled => Outcome::Failed,
            SystemStepStatus::Running | SystemStepStatus::Waiting | SystemStepStatus::Retrying => Outcome::Open,
        }
    }

    /// A step begins; nothing when the execution has begun too many.
    fn begin(&mut self, step: &'a Step, key: &str) -> Option<usize> {
        if self.broken.is_some() || self.state.steps.len() >= BEGUN {
            let why =
                || format!("It began {BEGUN} steps without coming to its end; that is as many as one execution may.");
            self.broken.get_or_insert_with(why);
            return None;
        }
        let place = self.state.steps.len();
        self.index.insert(key.to_owned(), place);
        self.state.steps.push(StepState {
            key: key.to_owned(),
            step_id: step.id.clone(),
            kind: step.kind,
            status: SystemStepStatus::Running,
            attempt: 1,
            rounds: 0,
            input: None,
            output: None,
            error: None,
            feedback: None,
            deadline: None,
            retry_at: None,
            started_at: self.now,
            ended_at: None,
        });
        self.start(step, place);
        Some(place)
    }

    /// A try of a step begins.
    fn start(&mut self, step: &'a Step, place: usize) {
        let state = self.at(place);
        state.status = SystemStepStatus::Running;
        // Its time begins when its agent does.
        state.deadline = None;
        match step.kind {
            StepKind::Agent => self.give(step, place, Reader::Agent),
            StepKind::HumanReview => self.ask(step, place),
            StepKind::Conditional => {
                let holds = self.holds(step);
                self.at(place).input = Some(holds.to_string());
            }
            StepKind::Loop => match self.holds(step) && step.rounds() > 0 {
                true => self.at(place).rounds = 1,
                false => self.complete(step, place, Value::Null),
            },
            StepKind::Transform => {
                let made = match &step.transform {
                    Some(transform) => transform.apply(&self.context()),
                    None => Err("The step does not say what to make.".to_owned()),
                };
                match made {
                    Ok(Ok(value)) => self.complete(step, place, value),
                    // It is done outside, and its end is heard of. What it is stays as it was settled here.
                    Ok(Err(deed)) => self.at(place).input = serde_json::to_string(&deed).ok(),
                    Err(why) => self.try_failed(step, place, why),
                }
            }
            StepKind::Parallel | StepKind::Sequential => {}
        }
    }

    pub(super) fn holds(&self, step: &Step) -> bool {
        let condition = step.condition.as_ref();
        condition.is_none_or(|condition| condition.holds(self.context().get(&condition.field).as_ref()))
    }

    /// Fills in what a step is given.
    fn give(&mut self, step: &'a Step, place: usize, reader: Reader) {
        let template = step.input_template.as_deref().unwrap_or_default();
        match render(template, &self.context(), reader, INPUT) {
            Ok(input) => self.at(place).input = Some(input + &form_of(step)),
            Err(error) => self.fail(place, error.to_string()),
        }
    }

    pub(super) fn ask(&mut self, step: &'a Step, place: usize) {
        self.give(step, place, Reader::Anybody);
        if self.state.steps[place].status.is_open() {
            self.at(place).status = SystemStepStatus::Waiting;
        }
    }

    pub(super) fn complete(&mut self, step: &'a Step, place: usize, output: Value) {
        let output = match bounded(output) {
            Ok(output) => output,
            // Another try of an agent may say less; what is put together comes out the same.
            Err(why) if step.kind == StepKind::Agent => return self.try_failed(step, place, why),
            Err(why) => return self.fail(place, why),
        };
        if let Some(name) = &step.output_variable {
            self.state.variables.insert(name.clone(), output.clone());
        }
        let now = self.now;
        let state = self.at(place);
        if step.kind != StepKind::Loop {
            state.error = None;
        }
        state.status = SystemStepStatus::Completed;
        // Nothing is nothing, whether it was written down in between or not.
        state.output = Some(output).filter(|output| !output.is_null());
        end(state, now);
    }

    /// A try failed: another follows, if the step says so.
    fn try_failed(&mut self, step: &'a Step, place: usize, why: String) {
        let now = self.now;
        let state = self.at(place);
        // An answer that was sent back is no try that the step is given.
        let sent_back = if step.kind == StepKind::Agent { state.rounds } else { 0 };
        let tried = state.attempt - sent_back;
        match step.retry.filter(|retry| tried < retry.max_attempts.min(ATTEMPTS)) {
            Some(retry) => {
                state.status = SystemStepStatus::Retrying;
                state.error = Some(cut(why, 2_000));
                state.deadline = None;
                state.retry_at = Some(now + Duration::milliseconds(retry.delay_after(tried)));
            }
            None => self.fail(place, why),
        }
    }

    pub(super) fn fail(&mut self, place: usize, why: String) {
        let now = self.now;
        let state = self.at(place);
        state.status = SystemStepStatus::Failed;
        state.error = Some(cut(why, 2_000));
        end(state, now);
    }

    /// Ends every open step whose place begins so.
    pub(super) fn close(&mut self, prefix: &str) {
        let now = self.now;
        let open = self.state.steps.iter_mut().filter(|step| step.status.is_open() && step.key.starts_with(prefix));
        for state in open {
            state.status = SystemStepStatus::Cancelled;
            end(state, now);
        }
    }

    /// Whether anything works, or only people are waited for.
    pub(super) fn standing(&self) -> ExecutionStatus {
        let leaf = |step: &StepState| matches!(step.kind, StepKind::Agent | StepKind::Transform);
        let works = |step: &StepState| leaf(step) && step.status.is_open() || step.status == SystemStepStatus::Retrying;
        match self.state.steps.iter().any(works) {
            true => ExecutionStatus::Running,
            false => ExecutionStatus::Waiting,
        }
    }

    pub(super) fn completed(&self, key: &str) -> bool {
        self.index.get(key).is_some_and(|place| self.state.steps[*place].status == SystemStepStatus::Completed)
    }

    pub(super) fn output_at(&self, key: &str) -> Value {
        let state = self.index.get(key).map(|place| &self.state.steps[*place]);
        state.and_then(|state| state.output.clone()).unwrap_or(Value::Null)
    }

    /// What the last of several steps gave.
    pub(super) fn output_of(&self, steps: &[Step], prefix: &str) -> Value {
        steps.last().map_or(Value::Null, |last| self.output_at(&format!("{prefix}{}", last.id)))
    }

    /// Why one of several steps failed.
    pub(super) fn why_in(&self, steps: &[Step], prefix: &str) -> String {
        let failed = steps.iter().find_map(|step| {
            let state = &self.state.steps[*self.index.get(&format!("{prefix}{}", step.id))?];
            let counts = state.status == SystemStepStatus::Failed && !step.optional;
            counts.then(|| format!("{}: {}", step.name, state.error.as_deref().unwrap_or("it failed")))
        });
        failed.unwrap_or_else(|| "A step failed.".to_owned())
    }
}

fn end(state: &mut StepState, now: DateTime) {
    state.ended_at = Some(now);
    state.deadline = None;
    state.retry_at = None;
}

/// What an agent said, as the step takes it.
fn taken_for(step: &Step, value: &Value) -> Result<Value, String> {
    let taken = match (step.kind, step.output_format, value) {
        (StepKind::Agent, Some(OutputFormat::Json), Value::String(text)) => json_in(text)?,
        _ => value.clone(),
    };
    match step.output_schema.as_ref().and_then(|schema| misfit(schema, &taken)) {
        Some(why) => Err(format!("What was given does not have the form that is asked for: {why}")),
        None => Ok(taken),
    }
}

/// What an agent is told of the form of its answer.
fn form_of(step: &Step) -> String {
    match &step.output_schema {
        Some(schema) if step.kind == StepKind::Agent => {
            format!("\n\nClose with JSON alone, of the form that this JSON Schema describes:\n```json\n{schema}\n```")
        }
        _ => String::new(),
    }
}
