//! What happens to a card that is in progress, and which stage may follow which.

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::UnknownText;
use crate::text_enum::column;

/// What the text of a pipeline's stage begins with; the step's name follows.
const PIPELINE: &str = "pipeline:";

/// What happens to a card that is in progress. As a text, one of `planning`, `plan_approval`, `implementing`,
/// `pipeline:<the step's name>` and `verifying`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Stage {
    /// The agent writes its plan.
    Planning,
    /// A person looks at the plan.
    PlanApproval,
    /// The agent works.
    Implementing,
    /// A step of the project's pipeline passes over the work; this is its name.
    Pipeline(String),
    /// The project's own commands run.
    Verifying,
}

/// A stage that cannot follow another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a card at the stage {from} cannot come to {to}")]
pub struct IllegalStage {
    /// Where the card is.
    pub from: Stage,
    /// What was asked for.
    pub to: Stage,
}

impl Stage {
    /// Checks that `to` may follow while one node holds the run. A stage may follow itself. Which stage a claim begins
    /// with, the run says: an agent that has to go on with its plan, its work or its checks begins there.
    ///
    /// # Errors
    /// [`IllegalStage`].
    pub fn after(&self, to: Self) -> Result<Self, IllegalStage> {
        use Stage as S;
        let legal = match (self, &to) {
            (S::Planning, S::Planning | S::PlanApproval)
            // Who mends what a step or a check found is at work again; what passed is looked at by the next.
            | (S::Implementing | S::Pipeline(_) | S::Verifying, S::Implementing | S::Verifying)
            | (S::Implementing | S::Pipeline(_), S::Pipeline(_))
            | (S::PlanApproval, S::PlanApproval) => true,
            (S::Planning | S::PlanApproval, _) | (_, S::Planning | S::PlanApproval) => false,
            // What was checked is not handed to the pipeline without an agent's work in between.
            (S::Verifying, S::Pipeline(_)) => false,
        };
        match legal {
            true => Ok(to),
            false => Err(IllegalStage { from: self.clone(), to }),
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Planning => f.write_str("planning"),
            Self::PlanApproval => f.write_str("plan_approval"),
            Self::Implementing => f.write_str("implementing"),
            Self::Pipeline(step) => write!(f, "{PIPELINE}{step}"),
            Self::Verifying => f.write_str("verifying"),
        }
    }
}

impl std::str::FromStr for Stage {
    type Err = UnknownText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "planning" => Ok(Self::Planning),
            "plan_approval" => Ok(Self::PlanApproval),
            "implementing" => Ok(Self::Implementing),
            "verifying" => Ok(Self::Verifying),
            other => match other.strip_prefix(PIPELINE) {
                Some(step) if !step.is_empty() => Ok(Self::Pipeline(step.to_owned())),
                _ => Err(UnknownText { kind: "Stage", text: other.to_owned() }),
            },
        }
    }
}

impl From<Stage> for String {
    fn from(stage: Stage) -> Self {
        stage.to_string()
    }
}

impl TryFrom<String> for Stage {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl PartialSchema for Stage {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^(planning|plan_approval|implementing|verifying|pipeline:.+)$"))
            .description(Some(
                "What happens to a card that is in progress: `planning`, `plan_approval`, `implementing`, \
                 `pipeline:` and the step's name, or `verifying`.",
            ))
            .into()
    }
}

impl ToSchema for Stage {}

column!(Stage, String, |stage: &Stage| stage.to_string(), |text: String| text.parse::<Stage>());

#[cfg(test)]
mod tests;
