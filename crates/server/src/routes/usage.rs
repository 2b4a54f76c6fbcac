//! What the calls took and cost.

use chrono::NaiveDate;
use guildhall_team::{UsageAsked, UsageView};
use guildhall_types::usage::UsageBy;
use guildhall_types::{MemberId, ProjectId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Signed;
use crate::extract::{Json, Query};
use crate::problem::Problem;

/// Which calls, and by what they are added up.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UsageParams {
    /// The first day; thirty days in all when absent.
    #[param(nullable = false)]
    from: Option<NaiveDate>,
    /// The last day; today when absent. Days are those of one's own time zone.
    #[param(nullable = false)]
    to: Option<NaiveDate>,
    /// By what they are added up.
    by: UsageBy,
    /// Only in this project.
    #[param(nullable = false)]
    project: Option<ProjectId>,
    /// Only of this member: oneself, or for admins anybody.
    #[param(nullable = false)]
    member: Option<MemberId>,
}

/// Shows what calls took and cost, in groups and day by day. By project and by card everybody sees the whole team's, otherwise
/// their own; admins see everything.
#[utoipa::path(get, path = "/api/usage", tag = "usage", params(UsageParams), responses((status = 200, body = UsageView)))]
pub async fn get_usage(signed: Signed, Query(query): Query<UsageParams>) -> Result<Json<UsageView>, Problem> {
    let asked =
        UsageAsked { from: query.from, to: query.to, by: query.by, project: query.project, member: query.member };
    Ok(Json(signed.team.usage(signed.by(), asked).await?))
}
