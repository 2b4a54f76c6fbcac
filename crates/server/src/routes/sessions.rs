//! A member's own sessions.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_types::audit::AuditAction;
use guildhall_types::{DateTime, SessionId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// A sign-in of this member in one browser.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionItem {
    /// The session's id.
    id: SessionId,
    /// The browser, as it calls itself.
    user_agent: Option<String>,
    /// The address it was opened from.
    address: Option<String>,
    /// When it was opened.
    created_at: DateTime,
    /// When it was last used, to the minute.
    last_used_at: DateTime,
    /// When it ends.
    expires_at: DateTime,
    /// Whether it is the one that asks.
    current: bool,
}

/// Lists one's own sessions, the latest used first.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "auth", responses((status = 200, body = Vec<SessionItem>)))]
pub async fn list_sessions(State(app): State<App>, signed: Signed) -> Result<Json<Vec<SessionItem>>, Problem> {
    let current = signed.session()?.id;
    let sessions = app.team.store.sessions_of(signed.member.id).await?;
    let item = |session: guildhall_store::Session| SessionItem {
        current: session.id == current,
        id: session.id,
        user_agent: session.user_agent,
        address: session.address,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
    };
    Ok(Json(sessions.into_iter().map(item).collect()))
}

/// Ends all of one's own sessions but the one that asks.
#[utoipa::path(delete, path = "/api/auth/sessions", tag = "auth", responses((status = 204)))]
pub async fn end_other_sessions(signed: Signed) -> Result<StatusCode, Problem> {
    let ended = signed.team.store.end_sessions(signed.member.id, Some(signed.session()?.id)).await?;
    tracing::info!(member = %signed.member.id, ended, "a member ended the other sessions");
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one of one's own sessions.
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "auth",
    params(("id" = SessionId, Path, description = "The session.")), responses((status = 204)))]
pub async fn end_session(signed: Signed, Path(id): Path<SessionId>) -> Result<StatusCode, Problem> {
    match signed.team.store.end_session(id, signed.member.id, AuditAction::EndSession).await? {
        true => {
            tracing::info!(member = %signed.member.id, session = %id, "a member ended a session");
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(Problem::not_found("session")),
    }
}
