//! The second step of a sign-in.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use guildhall_team::{Shown, Way};
use guildhall_types::factor::SecondFactor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::From;
use crate::auth::cookie::Held;
use crate::extract::Json;
use crate::problem::Problem;
use crate::routes::account::Me;
use crate::routes::auth::open;

/// A sign-in whose second factor is still to be shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecondStep {
    /// What can be shown.
    pub(super) kinds: Vec<SecondFactor>,
}

/// Says what can be shown in the sign-in that this browser has begun.
#[utoipa::path(get, path = "/api/auth/second-step", tag = "auth", responses((status = 200, body = SecondStep)))]
pub async fn second_step(State(app): State<App>, headers: HeaderMap) -> Result<Json<SecondStep>, Problem> {
    let begun = Held::SecondStep.token(&headers, app.public.is_secure()).unwrap_or_default();
    let kinds = app.team.second_step(&begun).await?.ok_or_else(|| Problem::not_found("sign-in to go on with"))?;
    Ok(Json(SecondStep { kinds }))
}

/// What is shown beside the password: one of the two. A passkey is shown to `POST /api/auth/passkey`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PassSecondStep {
    /// A code of one's authenticator app.
    #[schema(nullable = false)]
    code: Option<String>,
    /// A recovery code; it is used up.
    #[schema(nullable = false)]
    recovery_code: Option<String>,
}

/// One of the two, or neither.
pub(super) fn shown(code: Option<String>, recovery_code: Option<String>) -> Result<Option<Shown>, Problem> {
    match (code, recovery_code) {
        (Some(_), Some(_)) => Err(Problem::invalid("recoveryCode", "give a code or a recovery code, not both")),
        (code, recovery) => Ok(code.map(Shown::Code).or(recovery.map(Shown::RecoveryCode))),
    }
}

/// Shows the second factor, and so ends the sign-in that this browser has begun.
#[utoipa::path(post, path = "/api/auth/second-step", tag = "auth", responses((status = 200, body = Me)))]
pub async fn pass_second_step(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Json(step): Json<PassSecondStep>,
) -> Result<Response, Problem> {
    let shown = shown(step.code, step.recovery_code)?
        .ok_or_else(|| Problem::invalid("code", "give the code that your authenticator app shows"))?;
    let begun = Held::SecondStep.token(&headers, app.public.is_secure()).unwrap_or_default();
    let member = app.team.pass_second_step(&begun, &shown, &from).await?;
    let (me, cookies) = open(&app, member, &Way::SecondFactor, from, &headers).await?;
    Ok((cookies, Json(me)).into_response())
}
