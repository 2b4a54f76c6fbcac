//! Invitations to the team.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use guildhall_types::InvitationId;
use guildhall_types::access::Invitation;
use guildhall_types::member::MemberRole;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::{next, page_size};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListInvitations {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<InvitationId>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of invitations.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationPage {
    /// The latest first.
    items: Vec<Invitation>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists the invitations, without their codes. For admins.
#[utoipa::path(get, path = "/api/invitations", tag = "invitations", params(ListInvitations),
    responses((status = 200, body = InvitationPage)))]
pub async fn list_invitations(
    State(app): State<App>,
    Query(query): Query<ListInvitations>,
) -> Result<Json<InvitationPage>, Problem> {
    let limit = page_size(query.limit)?;
    let mut items = app.team.store.invitations(query.after, limit + 1).await?;
    let next = next(&mut items, limit, |invitation| invitation.id.to_string());
    Ok(Json(InvitationPage { items, next }))
}

/// Who is to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    /// The e-mail address. Only who registers with it can use the invitation.
    email: String,
    /// The role that the new member will have; not above one's own.
    role: MemberRole,
    /// Whether the link is mailed to that address as well. When absent, it is if the server sends mail.
    #[schema(nullable = false)]
    mail: Option<bool>,
}

/// An invitation that was made.
#[derive(Serialize, ToSchema)]
pub struct CreatedInvitation {
    /// What is kept of it.
    #[serde(flatten)]
    invitation: Invitation,
    /// The code. It is shown this once, and good for one member.
    code: String,
    /// The page on which the invitation is accepted.
    url: String,
    /// Whether the link is on its way by mail as well.
    mailed: bool,
}

/// Invites somebody. For admins; whoever invites an admin or an owner must have proved lately who they are.
#[utoipa::path(post, path = "/api/invitations", tag = "invitations", responses((status = 201, body = CreatedInvitation)))]
pub async fn create_invitation(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Json(new): Json<CreateInvitation>,
) -> Result<(StatusCode, Json<CreatedInvitation>), Problem> {
    // As much as giving a member such a role, and so asked for as much.
    if new.role.is_above(MemberRole::Member) {
        signed.confirmed()?;
    }
    let mailed = new.mail.unwrap_or(signed.team.mail_is_on());
    let (code, invitation) = signed.team.invite(&signed.member, &new.email, new.role, mailed).await?;
    let url = app.public.link(&headers, &format!("/join/{code}"));
    Ok((StatusCode::CREATED, Json(CreatedInvitation { invitation, code, url, mailed })))
}

/// Takes an invitation back. For admins.
#[utoipa::path(delete, path = "/api/invitations/{id}", tag = "invitations",
    params(("id" = InvitationId, Path, description = "The invitation.")), responses((status = 204)))]
pub async fn revoke_invitation(signed: Signed, Path(id): Path<InvitationId>) -> Result<StatusCode, Problem> {
    match signed.team.store.revoke_invitation(id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("invitation that waits")),
    }
}
