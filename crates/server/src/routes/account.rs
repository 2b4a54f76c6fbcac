//! A member's own account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use guildhall_team::ProfileChange;
use guildhall_types::member::Member;
use guildhall_types::rights::MemberRight;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{From, Signed};
use crate::extract::{Json, present};
use crate::problem::Problem;
use crate::routes::auth::session_cookie;

/// The member who asks, and what the member may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The member.
    #[serde(flatten)]
    member: Member,
    /// What the member may do.
    rights: Vec<MemberRight>,
}

impl Me {
    pub(super) fn new(member: Member) -> Self {
        let rights = member.role.rights().collect();
        Self { member, rights }
    }
}

/// Says who is signed in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn me(signed: Signed) -> Json<Me> {
    Json(Me::new(signed.member))
}

/// What to change of oneself; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMe {
    /// The name that is shown.
    #[schema(nullable = false)]
    name: Option<String>,
    /// The time zone by its IANA name, such as `Europe/Berlin`; `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    time_zone: Option<Option<String>>,
    /// The former password; with `newPassword`.
    #[schema(nullable = false)]
    current_password: Option<String>,
    /// The new password: at least 12 characters. Ends every other session.
    #[schema(nullable = false)]
    new_password: Option<String>,
}

/// Changes one's own name, time zone or password.
#[utoipa::path(patch, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn update_me(signed: Signed, From(from): From, Json(change): Json<UpdateMe>) -> Result<Json<Me>, Problem> {
    let password = match (change.current_password, change.new_password) {
        (Some(current), Some(new)) => Some((current, new)),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(Problem::invalid("currentPassword", "give the password that you have now as well"));
        }
        (Some(_), None) => return Err(Problem::invalid("newPassword", "give the new password as well")),
    };
    let change = ProfileChange { name: change.name, time_zone: change.time_zone, password };
    let member = signed.team.change_profile(&signed.member, signed.session()?.id, change, &from).await?;
    Ok(Json(Me::new(member)))
}

/// The password, once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// One's own password.
    password: String,
}

/// Proves once more who one is. For ten minutes, sensitive changes are then taken from this session.
#[utoipa::path(post, path = "/api/auth/confirm", tag = "auth", responses((status = 204)))]
pub async fn confirm(
    State(app): State<App>,
    signed: Signed,
    From(from): From,
    Json(confirm): Json<Confirm>,
) -> Result<Response, Problem> {
    let session = signed.session()?.id;
    let (token, session) = signed.team.confirm(&signed.member, session, &confirm.password, &from).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, session_cookie(&app, &token, &session)?)]).into_response())
}
