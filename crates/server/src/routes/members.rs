//! The team's members.

use axum::extract::State;
use guildhall_types::MemberId;
use guildhall_types::member::Member;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::routes::{next, page_size};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListMembers {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<MemberId>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of members.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberPage {
    /// The members, in the order of their making.
    items: Vec<Member>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists the members.
#[utoipa::path(get, path = "/api/members", tag = "members", params(ListMembers), responses((status = 200, body = MemberPage)))]
pub async fn list_members(
    State(app): State<App>,
    Query(query): Query<ListMembers>,
) -> Result<Json<MemberPage>, Problem> {
    let limit = page_size(query.limit)?;
    let mut items = app.team.store.members(query.after, limit + 1).await?;
    let next = next(&mut items, limit, |member| member.id.to_string());
    Ok(Json(MemberPage { items, next }))
}
