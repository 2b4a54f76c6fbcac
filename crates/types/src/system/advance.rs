//! What an execution does next: a pure function of its system, its state, the time and what happened.
//!
//! The state alone says what is under way ([`outstanding`]). So whoever died between writing a state down and doing what it
//! asks for begins again there, and does nothing twice that is known by its place and its try.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::Duration;
use serde_json::{Map, Value};

use super::execution::{ExecutionState, ExecutionStatus, StepState, SystemStepStatus};
use super::template::{Context, Reader, cut, render, text_of};
use super::transform::{Deed, json_in};
use super::{BEGUN, FailurePolicy, INPUT, OUTPUT, OutputFormat, Step, StepKind, SystemDefinition};
use crate::DateTime;
use crate::feature::WorkMode;

/// What happened since the last look.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// A try of an agent, or of a deed, came to its end.
    Ended {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
        /// What came of it, or why nothing did.
        result: Result<Value, String>,
    },
    /// A person looked.
    Reviewed {
        /// The step's place.
        key: String,
        /// Whether it is good.
        approved: bool,
        /// What they say.
        text: String,
    },
    /// A member ended the execution.
    Cancelled {
        /// Who, or why, in a sentence.
        why: String,
    },
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// An agent is to work.
    Start {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
        /// The agent, as the system calls it.
        agent: String,
        /// What it is asked.
        prompt: String,
        /// What it may do with the project.
        mode: WorkMode,
    },
    /// Something is to be done without an agent.
    Do {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
        /// What.
        deed: Deed,
    },
    /// A person is to look.
    Ask {
        /// The step's place.
        key: String,
        /// Counts how often they were asked, from 1.
        time: i64,
    },
    /// What was started is not needed any more.
    Cancel {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
    },
}

impl Action {
    /// The step's place, and which time.
    fn id(&self) -> (&str, i64) {
        match self {
            Self::Start { key, attempt, .. } | Self::Do { key, attempt, .. } | Self::Cancel { key, attempt } => {
                (key, *attempt)
            }
            Self::Ask { key, time } => (key, *time),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Open,
    Done,
    Failed,
}

/// Brings an execution forward as far as it comes. Returns the new state and what is to be done because of it.
pub fn advance(
    system: &SystemDefinition,
    before: &ExecutionState,
    now: DateTime,
    happened: &[Happened],
) -> (ExecutionState, Vec<Action>) {
    if before.status.is_over() {
        return (before.clone(), Vec::new());
    }
    let index = before.steps.iter().enumerate().map(|(place, step)| (step.key.clone(), place)).collect();
    let mut walk = Walk { system, state: before.clone(), index, now, broken: None };
    let mut ended = None;
    for what in happened {
        match what {
            Happened::Ended { key, attempt, result } => walk.ended(key, *attempt, result.clone()),
            Happened::Reviewed { key, approved, text } => walk.reviewed(key, *approved, text),
            Happened::Cancelled { why } => ended = Some((ExecutionStatus::Cancelled, why.clone())),
        }
    }
    if ended.is_none() {
        let outcome = walk.sequence(&system.workflow, "");
        ended = match (walk.broken.take(), outcome) {
            (Some(why), _) => Some((ExecutionStatus::Failed, why)),
            (None, Outcome::Failed) => Some((ExecutionStatus::Failed, walk.why_in(&system.workflow, ""))),
            (None, Outcome::Done) => {
                walk.state.output = Some(walk.output_of(&system.workflow, "")).filter(|output| !output.is_null());
                walk.state.status = ExecutionStatus::Completed;
                None
            }
            (None, Outcome::Open) => {
                walk.state.status = walk.standing();
                None
            }
        };
    }
    if let Some((status, why)) = ended {
        walk.close("");
        walk.state.status = status;
        walk.state.error = Some(why);
    }
    let actions = actions(system, before, &walk.state, happened);
    (walk.state, actions)
}

/// What is under way in this state: agents and deeds that were begun and have not ended, and people who were asked.
pub fn outstanding(system: &SystemDefinition, state: &ExecutionState) -> Vec<Action> {
    if state.status.is_over() {
        return Vec::new();
    }
    let action = |step: &StepState| -> Option<Action> {
        let (key, attempt) = (step.key.clone(), step.attempt);
        let of = system.step(&step.step_id)?;
        match (of.kind, step.status) {
            (StepKind::Agent, SystemStepStatus::Running) => Some(Action::Start {
                key,
                attempt,
                agent: of.agent_id.clone()?,
                prompt: step.input.clone().unwrap_or_default(),
                mode: of.mode.unwrap_or(WorkMode::Read),
            }),
            (StepKind::Transform, SystemStepStatus::Running) => {
                let deed = serde_json::from_str(step.input.as_deref()?).ok()?;
                Some(Action::Do { key, attempt, deed })
            }
            (StepKind::HumanReview, SystemStepStatus::Waiting) => Some(Action::Ask { key, time: step.rounds + 1 }),
            _ => None,
        }
    };
    state.steps.iter().filter_map(action).collect()
}

/// When something happens by the clock alone, if anything does.
pub fn wake_at(state: &ExecutionState) -> Option<DateTime> {
    let open = state.steps.iter().filter(|step| step.status.is_open());
    open.flat_map(|step| [step.deadline, step.retry_at.filter(|_| step.status == SystemStepStatus::Retrying)])
        .flatten()
        .min()
        .filter(|_| !state.status.is_over())
}

fn actions(
    system: &SystemDefinition,
    before: &ExecutionState,
    after: &ExecutionState,
    happened: &[Happened],
) -> Vec<Action> {
    let (was, is) = (outstanding(system, before), outstanding(system, after));
    let was_ids: HashSet<(&str, i64)> = was.iter().map(Action::id).collect();
    let is_ids: HashSet<(&str, i64)> = is.iter().map(Action::id).collect();
    let ended = |key: &str, attempt: i64| {
        happened
            .iter()
            .any(|what| matches!(what, Happened::Ended { key: k, attempt: a, .. } if k == key && *a == attempt))
    };
    let gone = was.iter().filter_map(|action| match action {
        Action::Start { key, attempt, .. } | Action::Do { key, attempt, .. }
            if !is_ids.contains(&action.id()) && !ended(key, *attempt) =>
        {
            Some(Action::Cancel { key: key.clone(), attempt: *attempt })
        }
        _ => None,
    });
    let begun = is.iter().filter(|action| !was_ids.contains(&action.id())).cloned();
    gone.chain(begun).collect()
}

struct Walk<'a> {
    system: &'a SystemDefinition,
    state: ExecutionState,
    index: HashMap<String, usize>,
    now: DateTime,
    /// Why the execution cannot go on at all.
    broken: Option<String>,
}

impl<'a> Walk<'a> {
    fn context(&self) -> Context<'_> {
        Context { variables: &self.state.variables, steps: &self.state.steps }
    }

    fn at(&mut self, place: usize) -> &mut StepState {
        &mut self.state.steps[place]
    }

    /// The step of the system that stands behind a state. Lives as long as the system, so that the state can be changed.
    fn step(&self, place: usize) -> Option<&'a Step> {
        self.system.step(&self.state.steps[place].step_id)
    }

    fn ended(&mut self, key: &str, attempt: i64, result: Result<Value, String>) {
        let Some(place) = self.index.get(key).copied() else { return };
        let state = &self.state.steps[place];
        // An answer to an earlier try comes too late.
        if state.status != SystemStepStatus::Running || state.attempt != attempt {
            return;
        }
        let Some(step) = self.step(place) else { return };
        match result.and_then(|value| taken_for(step, value)) {
            Ok(value) => self.complete(step, place, value),
            Err(why) => self.try_failed(step, place, why),
        }
    }

    fn reviewed(&mut self, key: &str, approved: bool, text: &str) {
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
    fn sequence(&mut self, steps: &'a [Step], prefix: &str) -> Outcome {
        for step in steps {
            match self.run(step, &format!("{prefix}{}", step.id)) {
                Outcome::Done => {}
                other => return other,
            }
        }
        Outcome::Done
    }

    fn run(&mut self, step: &'a Step, key: &str) -> Outcome {
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
            self.try_failed(step, place, format!("It did not end within {seconds} seconds."));
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
        let now = self.now;
        let state = self.at(place);
        state.status = SystemStepStatus::Running;
        state.deadline =
            step.timeout_ms.map(|limit| now + Duration::milliseconds(limit.clamp(1, super::LONGEST_TIMEOUT)));
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

    fn holds(&self, step: &Step) -> bool {
        let condition = step.condition.as_ref();
        condition.is_none_or(|condition| condition.holds(self.context().get(&condition.field).as_ref()))
    }

    /// Fills in what a step is given.
    fn give(&mut self, step: &'a Step, place: usize, reader: Reader) {
        let template = step.input_template.as_deref().unwrap_or_default();
        match render(template, &self.context(), reader, INPUT) {
            Ok(input) => self.at(place).input = Some(input),
            Err(error) => self.fail(place, error.to_string()),
        }
    }

    fn ask(&mut self, step: &'a Step, place: usize) {
        self.give(step, place, Reader::Anybody);
        if self.state.steps[place].status.is_open() {
            self.at(place).status = SystemStepStatus::Waiting;
        }
    }

    /// Goes on with the steps within one.
    fn walk_into(&mut self, step: &'a Step, key: &str, place: usize) {
        match step.kind {
            StepKind::Agent | StepKind::Transform => {}
            StepKind::Sequential => {
                let outcome = self.sequence(&step.children, &format!("{key}."));
                self.follow(step, place, outcome, &step.children, &format!("{key}."));
            }
            StepKind::Conditional => {
                let taken = self.state.steps[place].input.as_deref() == Some("true");
                let branch = if taken { &step.true_branch } else { &step.false_branch };
                let outcome = self.sequence(branch, &format!("{key}."));
                self.follow(step, place, outcome, branch, &format!("{key}."));
            }
            StepKind::Parallel => self.side_by_side(step, key, place),
            StepKind::Loop => self.rounds(step, key, place),
            StepKind::HumanReview => {
                let prefix = format!("{key}@{}.", self.state.steps[place].rounds);
                match self.sequence(&step.children, &prefix) {
                    Outcome::Open => {}
                    Outcome::Done => self.ask(step, place),
                    Outcome::Failed => {
                        let why = self.why_in(&step.children, &prefix);
                        self.fail(place, why);
                    }
                }
            }
        }
    }

    fn follow(&mut self, step: &'a Step, place: usize, outcome: Outcome, inner: &'a [Step], prefix: &str) {
        match outcome {
            Outcome::Open => {}
            Outcome::Done => {
                let output = self.output_of(inner, prefix);
                self.complete(step, place, output);
            }
            Outcome::Failed => {
                let why = self.why_in(inner, prefix);
                self.fail(place, why);
            }
        }
    }

    fn side_by_side(&mut self, step: &'a Step, key: &str, place: usize) {
        let policy = step.failure_policy.unwrap_or(FailurePolicy::FailAll);
        let prefix = format!("{key}.");
        let (mut open, mut failed) = (0, 0);
        for child in &step.children {
            let own = format!("{prefix}{}", child.id);
            match self.run(child, &own) {
                Outcome::Open => open += 1,
                Outcome::Done if policy == FailurePolicy::Any && !self.completed(&own) => failed += 1,
                Outcome::Done if policy == FailurePolicy::Any => {
                    let output = self.output_at(&own);
                    self.close(&prefix);
                    return self.complete(step, place, output);
                }
                Outcome::Done => {}
                Outcome::Failed => failed += 1,
            }
            if failed > 0 && policy == FailurePolicy::FailAll {
                break;
            }
        }
        let all_failed = failed == step.children.len() && failed > 0;
        let fails = match policy {
            FailurePolicy::FailAll => failed > 0,
            FailurePolicy::WaitAll => failed > 0 && open == 0,
            FailurePolicy::Any => all_failed,
        };
        if fails {
            let why = self.why_in(&step.children, &prefix);
            self.close(&prefix);
            return self.fail(place, why);
        }
        if open == 0 {
            let each =
                step.children.iter().map(|child| (child.id.clone(), self.output_at(&format!("{prefix}{}", child.id))));
            let output = Value::Object(each.collect());
            self.complete(step, place, output);
        }
    }

    fn rounds(&mut self, step: &'a Step, key: &str, place: usize) {
        loop {
            let round = self.state.steps[place].rounds;
            let prefix = format!("{key}@{round}.");
            match self.sequence(&step.children, &prefix) {
                Outcome::Open => return,
                Outcome::Failed => {
                    let why = self.why_in(&step.children, &prefix);
                    return self.fail(place, why);
                }
                Outcome::Done => {}
            }
            let again = self.holds(step);
            if again && round < step.rounds() {
                self.at(place).rounds = round + 1;
                continue;
            }
            let output = self.output_of(&step.children, &prefix);
            if again && step.condition.is_some() {
                self.at(place).error = Some(format!("It stopped at its cap of {round} rounds."));
            }
            return self.complete(step, place, output);
        }
    }

    fn complete(&mut self, step: &'a Step, place: usize, output: Value) {
        let output = bounded(output);
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
        match step.retry.filter(|retry| state.attempt < retry.max_attempts.min(super::ATTEMPTS)) {
            Some(retry) => {
                state.status = SystemStepStatus::Retrying;
                state.error = Some(cut(why, 2_000));
                state.deadline = None;
                state.retry_at = Some(now + Duration::milliseconds(retry.delay_after(state.attempt)));
            }
            None => self.fail(place, why),
        }
    }

    fn fail(&mut self, place: usize, why: String) {
        let now = self.now;
        let state = self.at(place);
        state.status = SystemStepStatus::Failed;
        state.error = Some(cut(why, 2_000));
        end(state, now);
    }

    /// Ends every open step whose place begins so.
    fn close(&mut self, prefix: &str) {
        let now = self.now;
        let open = self.state.steps.iter_mut().filter(|step| step.status.is_open() && step.key.starts_with(prefix));
        for state in open {
            state.status = SystemStepStatus::Cancelled;
            end(state, now);
        }
    }

    /// Whether anything works, or only people are waited for.
    fn standing(&self) -> ExecutionStatus {
        let leaf = |step: &StepState| matches!(step.kind, StepKind::Agent | StepKind::Transform);
        let works = |step: &StepState| leaf(step) && step.status.is_open() || step.status == SystemStepStatus::Retrying;
        match self.state.steps.iter().any(works) {
            true => ExecutionStatus::Running,
            false => ExecutionStatus::Waiting,
        }
    }

    fn completed(&self, key: &str) -> bool {
        self.index.get(key).is_some_and(|place| self.state.steps[*place].status == SystemStepStatus::Completed)
    }

    fn output_at(&self, key: &str) -> Value {
        let state = self.index.get(key).map(|place| &self.state.steps[*place]);
        state.and_then(|state| state.output.clone()).unwrap_or(Value::Null)
    }

    /// What the last of several steps gave.
    fn output_of(&self, steps: &[Step], prefix: &str) -> Value {
        steps.last().map_or(Value::Null, |last| self.output_at(&format!("{prefix}{}", last.id)))
    }

    /// Why one of several steps failed.
    fn why_in(&self, steps: &[Step], prefix: &str) -> String {
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
fn taken_for(step: &Step, value: Value) -> Result<Value, String> {
    match (step.kind, step.output_format, &value) {
        (StepKind::Agent, Some(OutputFormat::Json), Value::String(text)) => json_in(text),
        _ => Ok(value),
    }
}

/// What a step gave, as far as it is kept.
fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text, OUTPUT)),
        Value::Array(_) | Value::Object(_) => {
            let text = text_of(&value);
            if text.chars().count() > OUTPUT { Value::String(cut(text, OUTPUT)) } else { value }
        }
        other => other,
    }
}

impl ExecutionState {
    /// The variables that a system begins with: its own, and above them what it was given.
    pub fn begin(system: &SystemDefinition, input: BTreeMap<String, Value>) -> Self {
        let mut variables = system.variables.clone();
        variables.extend(input);
        Self::new(variables)
    }
}
