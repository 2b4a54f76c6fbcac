//! Systems: workflows of several agents, their steps, and what is wrong with one. What an execution does next is a pure
//! function of its system and its state ([`advance`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::feature::WorkMode;
use crate::{AgentId, DateTime, MemberId, SystemId, text_enum::text_enum};

mod advance;
mod condition;
mod execution;
mod lineage;
mod schema;
mod shape;
pub mod template;
mod transform;
mod validate;
mod worktime;

pub use advance::{Action, Happened, advance, outstanding, wake_at};
pub use condition::{Condition, Operator};
pub use execution::{
    Execution, ExecutionState, ExecutionStatus, ExecutionTask, ExecutionView, StepState, StepView, SystemStepStatus,
};
pub use lineage::builds_on;
pub use schema::{InputField, InputFieldKind, InputProblem, InputSchema};
pub use transform::{Deed, PlannedCard, Transform, cards_of, json_in};
pub use validate::{SystemProblem, validate};
pub use worktime::{Stretch, due};

/// Steps of a system at most, those within others included.
pub const STEPS: usize = 100;
/// How deep steps may stand in one another.
pub const DEPTH: usize = 6;
/// Agents of a system at most.
pub const AGENTS: usize = 20;
/// Rounds of a loop, and times that a person may send work back, at most.
pub const ROUNDS: i64 = 50;
/// Steps that one execution may begin, rounds of loops counted each.
pub const BEGUN: usize = 500;
/// Characters of a template or of an agent's prompt at most.
pub const TEMPLATE: usize = 20_000;
/// Characters of a name at most.
pub const NAME: usize = 80;
/// Characters of a description at most.
pub const DESCRIPTION: usize = 2_000;
/// Tries of a step at most.
pub const ATTEMPTS: i64 = 10;
/// The longest time between two tries, in milliseconds: six hours.
pub const LONGEST_DELAY: i64 = 6 * 60 * 60 * 1000;
/// The longest time that a step may be given, in milliseconds: a week.
pub const LONGEST_TIMEOUT: i64 = 7 * 24 * 60 * 60 * 1000;
/// Characters of what a step gives that are kept at most.
pub const OUTPUT: usize = 60_000;
/// Characters of what a step is given at most.
pub const INPUT: usize = 90_000;
/// Characters of what an agent is asked at most: a step's input, the form of its answer, and an answer that is sent back.
pub const TASK: usize = INPUT + OUTPUT + 30_000;
/// How often a person may send work back where the step does not say.
pub const SENT_BACK: i64 = 5;

text_enum! {
    /// Whether a system is ready for use.
    pub enum SystemStatus {
        /// Still being written; seen by its maker and admins.
        Draft = "draft",
        /// Everybody sees and runs it.
        Active = "active",
        /// Kept, and not run any more.
        Archived = "archived",
    }
}

text_enum! {
    /// What an agent is in a system.
    pub enum AgentRole {
        /// Says who does what.
        Orchestrator = "orchestrator",
        /// Finds things out.
        Researcher = "researcher",
        /// Draws conclusions.
        Analyzer = "analyzer",
        /// Changes files.
        Implementer = "implementer",
        /// Judges what others made.
        Reviewer = "reviewer",
        /// Tries whether it holds.
        Validator = "validator",
        /// Something else.
        Custom = "custom",
    }
}

text_enum! {
    /// What a step does.
    pub enum StepKind {
        /// An agent works on what it is given.
        Agent = "agent",
        /// One of two branches is taken.
        Conditional = "conditional",
        /// All its children at the same time.
        Parallel = "parallel",
        /// Its children, one after the other.
        Sequential = "sequential",
        /// Its children again and again, while its condition holds.
        Loop = "loop",
        /// A person looks, and approves or sends back.
        HumanReview = "human_review",
        /// Makes something of what is there, without an agent.
        Transform = "transform",
    }
}

text_enum! {
    /// When a parallel step fails.
    pub enum FailurePolicy {
        /// As soon as one of its children fails; the others are stopped.
        FailAll = "fail_all",
        /// When all have ended and one of them failed.
        WaitAll = "wait_all",
        /// Only when all fail: the first that succeeds ends the others.
        Any = "any",
    }
}

text_enum! {
    /// What an agent's closing words are taken for.
    pub enum OutputFormat {
        /// Text.
        Text = "text",
        /// JSON; anything else is a failure of the step.
        Json = "json",
    }
}

/// An agent of a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemAgent {
    /// What steps call it.
    pub id: String,
    /// The agent of the team's library that it is; one made of its role and its prompt when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// Its name.
    pub name: String,
    /// What it is here.
    pub role: AgentRole,
    /// What it is told of its part, in place of what its role says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_override: Option<String>,
    /// The model that it calls, in place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_override: Option<String>,
}

/// How often and how soon a step that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// Tries in all, the first included.
    pub max_attempts: i64,
    /// How long to wait before the second, in milliseconds.
    #[serde(default)]
    pub delay_ms: i64,
    /// By what the wait grows from try to try.
    #[serde(default = "once")]
    pub backoff_multiplier: f64,
}

const fn once() -> f64 {
    1.0
}

impl Retry {
    /// How long to wait after try number `attempt` failed, in milliseconds.
    pub fn delay_after(&self, attempt: i64) -> i64 {
        let exponent = i32::try_from((attempt - 1).clamp(0, ATTEMPTS)).unwrap_or_default();
        let delay = to_f64(self.delay_ms) * self.backoff_multiplier.powi(exponent);
        if delay.is_finite() { to_i64(delay).clamp(0, LONGEST_DELAY) } else { LONGEST_DELAY }
    }
}

#[expect(clippy::cast_precision_loss, reason = "delays are far below 2^53")]
const fn to_f64(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float to int saturates, and a delay is cut anyway")]
const fn to_i64(number: f64) -> i64 {
    number as i64
}

/// Where a step stands in the picture of its system, seen from where the steps beside it begin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// One step. Which fields count depends on what it does; a field that does not belong to it is a problem that is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// What others call it; once in a system.
    pub id: String,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: StepKind,
    /// Its name.
    pub name: String,
    /// Agent: who works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Agent: what it is asked. Human review: what is looked at. A template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_template: Option<String>,
    /// The variable that holds what the step gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_variable: Option<String>,
    /// Agent: what its closing words are taken for; text when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_format: Option<OutputFormat>,
    /// Agent that answers in JSON: the form that its answer must have, as a part of JSON Schema. An answer of another form is
    /// sent back once, with what is wrong with it; then the step fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Agent: what it may do with the project; read it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<WorkMode>,
    /// Conditional: which branch. Loop: whether another round follows, looked at before each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Parallel, sequential, loop: the steps in it. Human review: what is done with work that a person sent back, before they
    /// are asked again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub children: Vec<Step>,
    /// Conditional: what is done when its condition holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub true_branch: Vec<Step>,
    /// Conditional: what is done when it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub false_branch: Vec<Step>,
    /// Loop: rounds at most. Human review: how often work may be sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_iterations: Option<i64>,
    /// Parallel: when it fails; at the first failure when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// Transform: what it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// How long its agents may work, in milliseconds: what they wait for does not count. A person's review takes as long as it
    /// takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// Whether the execution goes on when it fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Agent, transform: how it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Where it stands in the picture; laid out by itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

impl Step {
    /// A step of this kind with nothing else said.
    pub fn new(id: &str, kind: StepKind) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            name: id.to_owned(),
            agent_id: None,
            input_template: None,
            output_variable: None,
            output_format: None,
            output_schema: None,
            mode: None,
            condition: None,
            children: Vec::new(),
            true_branch: Vec::new(),
            false_branch: Vec::new(),
            max_iterations: None,
            failure_policy: None,
            transform: None,
            timeout_ms: None,
            optional: false,
            retry: None,
            position: None,
        }
    }

    /// The steps in it, whatever they are to it.
    pub fn inner(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().chain(&self.true_branch).chain(&self.false_branch)
    }

    /// Rounds of a loop, or times that a person may send work back.
    pub fn rounds(&self) -> i64 {
        let unsaid = if self.kind == StepKind::HumanReview { SENT_BACK } else { 1 };
        self.max_iterations.unwrap_or(unsaid).clamp(0, ROUNDS)
    }
}

/// What a system does: what an execution keeps a copy of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemDefinition {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Its agents.
    #[serde(default)]
    pub agents: Vec<SystemAgent>,
    /// Its steps, one after the other.
    #[serde(default)]
    pub workflow: Vec<Step>,
    /// What whoever runs it is asked for.
    #[serde(default)]
    pub input_schema: InputSchema,
    /// What its end looks like; for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Variables with a value from the beginning.
    #[serde(default)]
    pub variables: BTreeMap<String, Value>,
    /// A free label to group by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// More labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// A picture, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
}

impl SystemDefinition {
    /// The step with this id, wherever it stands.
    pub fn step(&self, id: &str) -> Option<&Step> {
        fn find<'a>(steps: impl Iterator<Item = &'a Step>, id: &str) -> Option<&'a Step> {
            for step in steps {
                if step.id == id {
                    return Some(step);
                }
                // The depth is bounded by what `validate` lets pass, and by the JSON parser before that.
                let inner: Vec<&Step> = step.inner().collect();
                if let Some(found) = find(inner.into_iter(), id) {
                    return Some(found);
                }
            }
            None
        }
        find(self.workflow.iter(), id)
    }

    /// The agent that steps call `id`.
    pub fn agent(&self, id: &str) -> Option<&SystemAgent> {
        self.agents.iter().find(|agent| agent.id == id)
    }
}

/// A system of the team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct System {
    /// The system's id.
    pub id: SystemId,
    /// Whether it is ready for use.
    pub status: SystemStatus,
    /// Whether it comes with Guildhall. Such a one cannot be changed; a duplicate can.
    pub built_in: bool,
    /// Counts the changes; send it back with a change to notice somebody else's in between.
    pub version: i64,
    /// What it does.
    #[serde(flatten)]
    pub definition: SystemDefinition,
    /// Who made it; absent for one that comes with Guildhall.
    pub created_by: Option<MemberId>,
    /// Who changed it last.
    pub updated_by: Option<MemberId>,
    /// When it was made.
    pub created_at: DateTime,
    /// When it last changed.
    pub updated_at: DateTime,
}

#[cfg(test)]
mod tests;
