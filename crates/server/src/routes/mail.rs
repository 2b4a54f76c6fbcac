//! Whether and how the server sends mail.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_types::mail::Mail;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::Json;
use crate::problem::Problem;

/// How mail is.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailOverview {
    /// Whether the server sends mail.
    on: bool,
    /// The mail server.
    server: Option<String>,
    /// The address as which mail is sent.
    from: Option<String>,
    /// Mails that wait to be sent.
    waiting: i64,
    /// Mails that were given up or whose last try failed, the latest first, 50 at most. What they say is not kept.
    troubles: Vec<Mail>,
}

/// Says whether the server sends mail, and which mails could not be sent. For admins.
#[utoipa::path(get, path = "/api/mail", tag = "mail", responses((status = 200, body = MailOverview)))]
pub async fn mail_status(State(app): State<App>) -> Result<Json<MailOverview>, Problem> {
    let state = app.team.mail_state().await?;
    let on = state.through.is_some();
    let (server, from) = state.through.unzip();
    Ok(Json(MailOverview { on, server, from, waiting: state.waiting, troubles: state.troubles }))
}

/// Sends a mail to one's own address at once, to see whether mail works. For admins.
#[utoipa::path(post, path = "/api/mail/test", tag = "mail", responses((status = 204)))]
pub async fn test_mail(signed: Signed) -> Result<StatusCode, Problem> {
    signed.team.send_test_mail(&signed.member).await?;
    Ok(StatusCode::NO_CONTENT)
}
