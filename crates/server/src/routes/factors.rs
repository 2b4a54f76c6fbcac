//! A member's own second factors but passkeys.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use guildhall_team::{Team, TotpSetUp};
use guildhall_types::DateTime;
use guildhall_types::factor::Passkey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{From, Signed};
use crate::extract::Json;
use crate::problem::Problem;

/// A member's second factors.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FactorList {
    /// Since when there is an authenticator app; `null` without one.
    totp_since: Option<DateTime>,
    /// Recovery codes that are not used up.
    recovery_codes: i64,
    /// The passkeys, the first made first.
    passkeys: Vec<Passkey>,
    /// Whether passkeys can be made and shown at the address under which the page was opened. They need a name: not an IP
    /// address.
    passkeys_here: bool,
    /// Whether the team asks everyone for a second factor.
    required: bool,
}

/// Lists one's own second factors.
#[utoipa::path(get, path = "/api/auth/factors", tag = "factors", responses((status = 200, body = FactorList)))]
pub async fn list_factors(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
) -> Result<Json<FactorList>, Problem> {
    let factors = app.team.factors(signed.member.id).await?;
    Ok(Json(FactorList {
        totp_since: factors.totp_since,
        recovery_codes: factors.recovery_codes,
        passkeys: factors.passkeys,
        passkeys_here: Team::passkeys_at(app.public.site(&headers).as_ref()),
        required: app.team.second_factor_setting().await?.required,
    }))
}

/// Makes a secret for an authenticator app, which is shown this once. It protects nothing until a first code is given.
#[utoipa::path(post, path = "/api/auth/totp", tag = "factors", responses((status = 201, body = TotpSetUp)))]
pub async fn begin_totp(signed: Signed) -> Result<(StatusCode, Json<TotpSetUp>), Problem> {
    Ok((StatusCode::CREATED, Json(signed.team.begin_totp(&signed.member).await?)))
}

/// A first code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableTotp {
    /// The code that the authenticator app shows now.
    code: String,
}

/// Recovery codes, which are shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodes {
    /// The codes, each good for one sign-in; `null` when those that were shown earlier go on to be good.
    recovery_codes: Option<Vec<String>>,
}

/// Brings the authenticator app into use by a first code of it.
#[utoipa::path(post, path = "/api/auth/totp/enable", tag = "factors", responses((status = 200, body = RecoveryCodes)))]
pub async fn enable_totp(
    signed: Signed,
    From(from): From,
    Json(first): Json<EnableTotp>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let recovery_codes = signed.team.enable_totp(&signed.member, &first.code, &from).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// Takes the authenticator app away.
#[utoipa::path(delete, path = "/api/auth/totp", tag = "factors", responses((status = 204)))]
pub async fn delete_totp(signed: Signed) -> Result<StatusCode, Problem> {
    signed.team.delete_totp(&signed.member).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes recovery codes in place of the former ones.
#[utoipa::path(post, path = "/api/auth/recovery-codes", tag = "factors", responses((status = 201, body = RecoveryCodes)))]
pub async fn create_recovery_codes(signed: Signed) -> Result<(StatusCode, Json<RecoveryCodes>), Problem> {
    let codes = signed.team.new_recovery_codes(&signed.member).await?;
    Ok((StatusCode::CREATED, Json(RecoveryCodes { recovery_codes: Some(codes) })))
}
