//! Plans that wait for a person: shown, approved, rejected.

use axum::extract::State;
use guildhall_team::Correction;
use guildhall_types::FeatureId;
use guildhall_types::plan::{Plan, PlannedTask};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::deeds::{Accepted, FeatureAndRun, accepted};
use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;

/// The plans of a card's runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanList {
    /// The versions, the latest first.
    items: Vec<Plan>,
}

/// How many versions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListPlans {
    /// Only so many of the latest; all when absent.
    #[param(nullable = false, minimum = 1)]
    versions: Option<u16>,
}

/// Lists the versions of the plans of a card's runs, the latest first.
#[utoipa::path(get, path = "/api/features/{id}/plans", tag = "runs",
    params(("id" = FeatureId, Path, description = "The feature."), ListPlans), responses((status = 200, body = PlanList)))]
pub async fn list_plans(
    State(app): State<App>,
    Path(id): Path<FeatureId>,
    Query(query): Query<ListPlans>,
) -> Result<Json<PlanList>, Problem> {
    let mut items = app.team.plans(id).await?;
    items.truncate(query.versions.map_or(usize::MAX, usize::from));
    Ok(Json(PlanList { items }))
}

/// A yes to a plan, and what the member made of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovePlan {
    /// The version that was looked at.
    version: i64,
    /// The plan as the member changed it, in Markdown; as it was when absent.
    text: Option<String>,
    /// The tasks as the member changed them; as they were when absent.
    tasks: Option<Vec<PlannedTask>>,
}

/// Approves the plan that waits, as it stands or corrected: the agent goes on, and may change files.
#[utoipa::path(post, path = "/api/features/{id}/approve-plan", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn approve_plan(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Json(yes): Json<ApprovePlan>,
) -> Result<Accepted, Problem> {
    let correction = Correction { text: yes.text, tasks: yes.tasks };
    Ok(accepted(signed.team.approve_plan(signed.member.id, id, yes.version, correction).await?))
}

/// A no to a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectPlan {
    /// The version that was looked at.
    version: i64,
    /// What should be different, in Markdown.
    feedback: String,
}

/// Rejects the plan that waits: in the same conversation, the agent makes another.
#[utoipa::path(post, path = "/api/features/{id}/reject-plan", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn reject_plan(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Json(no): Json<RejectPlan>,
) -> Result<Accepted, Problem> {
    Ok(accepted(signed.team.reject_plan(signed.member.id, id, no.version, &no.feedback).await?))
}
