//! The team's members.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use guildhall_types::MemberId;
use guildhall_types::member::{Member, MemberChange, MemberRole};
use guildhall_types::rights::MemberRight;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::work::INERT;
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
#[serde(rename_all = "camelCase")]
pub struct MemberPage {
    /// The members, in the order of their making.
    items: Vec<Member>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
    /// Which of these members have a second factor. Told to admins alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    with_second_factor: Option<Vec<MemberId>>,
}

/// Lists the members.
#[utoipa::path(get, path = "/api/members", tag = "members", params(ListMembers), responses((status = 200, body = MemberPage)))]
pub async fn list_members(
    State(app): State<App>,
    signed: Signed,
    Query(query): Query<ListMembers>,
) -> Result<Json<MemberPage>, Problem> {
    let limit = page_size(query.limit)?;
    let mut items = app.team.store.members(query.after, limit + 1).await?;
    let next = next(&mut items, limit, |member| member.id.to_string());
    let with_second_factor = match (items.first(), items.last()) {
        (Some(first), Some(last)) if signed.may(MemberRight::Administer) => {
            Some(app.team.store.members_with_factors(first.id, last.id).await?)
        }
        _ => None,
    };
    Ok(Json(MemberPage { items, next, with_second_factor }))
}

/// Shows a member.
#[utoipa::path(get, path = "/api/members/{id}", tag = "members",
    params(("id" = MemberId, Path, description = "The member.")), responses((status = 200, body = Member)))]
pub async fn get_member(State(app): State<App>, Path(id): Path<MemberId>) -> Result<Json<Member>, Problem> {
    app.team.store.member(id).await?.map(Json).ok_or_else(|| Problem::not_found("member"))
}

/// Shows the picture of a member, as a provider gave it.
#[utoipa::path(get, path = "/api/members/{id}/avatar", tag = "members",
    params(("id" = MemberId, Path, description = "The member.")),
    responses((status = 200, description = "The picture's bytes.", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "It is the one that the browser has.")))]
pub async fn get_avatar(
    State(app): State<App>,
    Path(id): Path<MemberId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let avatar = app.team.store.avatar(id).await?.ok_or_else(|| Problem::not_found("picture"))?;
    let tag = format!("\"{}\"", avatar.version);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, avatar.media_type)], avatar.bytes).into_response(),
    };
    for (name, value) in [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::CONTENT_SECURITY_POLICY, INERT),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_str(value).map_err(Problem::internal)?);
    }
    Ok(response)
}

/// What to change of a member; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMember {
    /// Whether the account is disabled. Ends the member's sessions, tokens and runs at once.
    #[schema(nullable = false)]
    disabled: Option<bool>,
    /// What the member may do; not above one's own role. Ends the member's sessions.
    #[schema(nullable = false)]
    role: Option<MemberRole>,
}

/// Gives a member another role, or disables or enables the account. For admins; owners are changed by owners alone, and the
/// last one cannot be lost.
#[utoipa::path(patch, path = "/api/members/{id}", tag = "members",
    params(("id" = MemberId, Path, description = "The member.")), responses((status = 200, body = Member)))]
pub async fn update_member(
    signed: Signed,
    Path(id): Path<MemberId>,
    Json(change): Json<UpdateMember>,
) -> Result<Json<Member>, Problem> {
    let change = MemberChange { role: change.role, disabled: change.disabled };
    Ok(Json(signed.team.change_member(&signed.member, id, change).await?.member))
}

/// Ends all sessions of a member. For admins.
#[utoipa::path(post, path = "/api/members/{id}/sign-out", tag = "members",
    params(("id" = MemberId, Path, description = "The member.")), responses((status = 204)))]
pub async fn sign_out_member(signed: Signed, Path(id): Path<MemberId>) -> Result<StatusCode, Problem> {
    signed.team.sign_out_member(&signed.member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A link by which a member sets a new password.
#[derive(Serialize, ToSchema)]
pub struct ResetLink {
    /// The code. It is shown this once, and good for one password, for 24 hours.
    code: String,
    /// The page on which the password is set.
    url: String,
}

/// Makes a link by which a member sets a new password. For admins, who hand it over themselves.
#[utoipa::path(post, path = "/api/members/{id}/reset-link", tag = "members",
    params(("id" = MemberId, Path, description = "The member.")), responses((status = 201, body = ResetLink)))]
pub async fn create_reset_link(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<MemberId>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<ResetLink>), Problem> {
    let code = signed.team.reset_link(&signed.member, id).await?;
    let url = app.public.link(&headers, &format!("/reset/{code}"));
    Ok((StatusCode::CREATED, Json(ResetLink { code, url })))
}

/// Takes all second factors of a member away, who lost them, and ends the member's sessions. For admins; an owner's are taken
/// away by owners alone.
#[utoipa::path(delete, path = "/api/members/{id}/factors", tag = "members",
    params(("id" = MemberId, Path, description = "The member.")), responses((status = 204)))]
pub async fn take_factors(signed: Signed, Path(id): Path<MemberId>) -> Result<StatusCode, Problem> {
    signed.team.take_factors(&signed.member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
