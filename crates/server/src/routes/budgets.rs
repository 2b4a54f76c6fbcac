//! Budgets: what members' calls may cost in a month, and runs.

use guildhall_team::BudgetsView;
use guildhall_types::budget::MonthStanding;
use guildhall_types::{FeatureId, MemberId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::deeds::{Accepted, FeatureAndRun, accepted};
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// Shows the budgets and how the month stands: one's own, and for admins everybody's.
#[utoipa::path(get, path = "/api/budgets", tag = "usage", responses((status = 200, body = BudgetsView)))]
pub async fn get_budgets(signed: Signed) -> Result<Json<BudgetsView>, Problem> {
    Ok(Json(signed.team.budgets(signed.by()).await?))
}

/// A budget for a month.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetMonthBudget {
    /// Micro-dollars; `null` takes the budget away, and it must be said: nothing takes it away by being left out.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    month_micros: Option<i64>,
}

/// Sets what the calls of each member may cost in a month, where nothing else is said. For admins.
#[utoipa::path(put, path = "/api/settings/budgets", tag = "settings", responses((status = 200, body = BudgetsView)))]
pub async fn put_budgets(signed: Signed, Json(set): Json<SetMonthBudget>) -> Result<Json<BudgetsView>, Problem> {
    signed.team.set_team_budgets(set.month_micros).await?;
    Ok(Json(signed.team.budgets(signed.by()).await?))
}

/// Gives a member a budget of their own, or the team's again. For admins.
#[utoipa::path(put, path = "/api/members/{id}/budget", tag = "members",
    params(("id" = MemberId, Path, description = "The member.")), responses((status = 200, body = MonthStanding)))]
pub async fn give_budget(
    signed: Signed,
    Path(id): Path<MemberId>,
    Json(set): Json<SetMonthBudget>,
) -> Result<Json<MonthStanding>, Problem> {
    Ok(Json(signed.team.give_budget(id, set.month_micros).await?))
}

/// Sets a budget for oneself. It holds where it is lower than what one is given.
#[utoipa::path(put, path = "/api/budgets/own", tag = "usage", responses((status = 200, body = MonthStanding)))]
pub async fn put_own_budget(signed: Signed, Json(set): Json<SetMonthBudget>) -> Result<Json<MonthStanding>, Problem> {
    Ok(Json(signed.team.set_own_budget(signed.member.id, set.month_micros).await?))
}

/// How much more a run may cost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowCost {
    /// Micro-dollars.
    micros: i64,
}

/// Lets a card's run cost more than its budget; it goes on if it waits for that. For the member whose run it is, and admins.
#[utoipa::path(post, path = "/api/features/{id}/allow-cost", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn allow_cost(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Json(allow): Json<AllowCost>,
) -> Result<Accepted, Problem> {
    Ok(accepted(signed.team.allow_cost(signed.by(), id, allow.micros).await?))
}
