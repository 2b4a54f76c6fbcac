//! Passkeys: to sign in by, to confirm by, and a member's own.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use guildhall_team::{AskPasskey, Way};
use guildhall_types::PasskeyId;
use guildhall_types::factor::Passkey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::cookie::Held;
use crate::auth::{From, Signed};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::routes::account::Me;
use crate::routes::auth::{held, open};

/// A question to a passkey.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyQuestion {
    /// What `navigator.credentials` is to be given as `publicKey`, as the JSON of WebAuthn level 3.
    #[schema(value_type = Object)]
    public_key: Value,
}

/// Keeps in the browser by what its answer will be known.
fn question(app: &App, (token, public_key): (String, Value)) -> Result<Response, Problem> {
    Ok(([(SET_COOKIE, held(app, Held::Passkey, &token)?)], Json(PasskeyQuestion { public_key })).into_response())
}

fn begun(app: &App, headers: &HeaderMap) -> String {
    Held::Passkey.token(headers, app.public.is_secure()).unwrap_or_default()
}

/// For what a passkey is asked.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskForPasskey {
    /// Whether it is for the second step of the sign-in that this browser has begun.
    #[serde(default)]
    second_step: bool,
}

/// Asks for a passkey to sign in by. The answer is good once, within five minutes, from this browser alone.
#[utoipa::path(post, path = "/api/auth/passkey/options", tag = "auth", responses((status = 200, body = PasskeyQuestion)))]
pub async fn ask_passkey(
    State(app): State<App>,
    headers: HeaderMap,
    Json(ask): Json<AskForPasskey>,
) -> Result<Response, Problem> {
    let half_done = Held::SecondStep.token(&headers, app.public.is_secure()).unwrap_or_default();
    let why = if ask.second_step { AskPasskey::SecondStep(&half_done) } else { AskPasskey::SignIn };
    question(&app, app.team.ask_passkey(app.public.site(&headers).as_ref(), why).await?)
}

/// A passkey's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowPasskey {
    /// What the browser returned, as the JSON of WebAuthn level 3.
    #[schema(value_type = Object)]
    credential: Map<String, Value>,
}

/// Signs in by a passkey, which is both factors by itself.
#[utoipa::path(post, path = "/api/auth/passkey", tag = "auth", responses((status = 200, body = Me)))]
pub async fn sign_in_by_passkey(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Json(show): Json<ShowPasskey>,
) -> Result<Response, Problem> {
    let site = app.public.site(&headers);
    let half_done = Held::SecondStep.token(&headers, app.public.is_secure());
    let token = begun(&app, &headers);
    let signing_in =
        app.team.sign_in_by_passkey(site.as_ref(), &token, half_done.as_deref(), Value::Object(show.credential), &from);
    let member = signing_in.await?;
    let (me, cookies) = open(&app, member, &Way::Passkey, from, &headers).await?;
    Ok((cookies, Json(me)).into_response())
}

/// Asks for one of one's own passkeys, to confirm that it is oneself.
#[utoipa::path(post, path = "/api/auth/confirm/passkey", tag = "auth", responses((status = 200, body = PasskeyQuestion)))]
pub async fn ask_to_confirm(State(app): State<App>, signed: Signed, headers: HeaderMap) -> Result<Response, Problem> {
    let why = AskPasskey::Confirm(&signed.member);
    question(&app, signed.team.ask_passkey(app.public.site(&headers).as_ref(), why).await?)
}

/// Asks the browser for a new passkey.
#[utoipa::path(post, path = "/api/auth/passkeys/options", tag = "factors", responses((status = 200, body = PasskeyQuestion)))]
pub async fn begin_passkey(State(app): State<App>, signed: Signed, headers: HeaderMap) -> Result<Response, Problem> {
    question(&app, signed.team.begin_passkey(&signed.member, app.public.site(&headers).as_ref()).await?)
}

/// A new passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePasskey {
    /// By what one will know it, such as the device.
    name: String,
    /// What the browser returned, as the JSON of WebAuthn level 3.
    #[schema(value_type = Object)]
    credential: Map<String, Value>,
}

/// A passkey that was added.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedPasskey {
    /// The passkey.
    passkey: Passkey,
    /// Recovery codes, shown this once, if it is the first second factor.
    recovery_codes: Option<Vec<String>>,
}

/// Adds a passkey.
#[utoipa::path(post, path = "/api/auth/passkeys", tag = "factors", responses((status = 201, body = CreatedPasskey)))]
pub async fn create_passkey(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Json(new): Json<CreatePasskey>,
) -> Result<(StatusCode, Json<CreatedPasskey>), Problem> {
    let site = app.public.site(&headers);
    let token = begun(&app, &headers);
    let credential = Value::Object(new.credential);
    let made = signed.team.create_passkey(&signed.member, site.as_ref(), &token, &new.name, credential).await?;
    let (passkey, recovery_codes) = made;
    Ok((StatusCode::CREATED, Json(CreatedPasskey { passkey, recovery_codes })))
}

/// What to change of a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskey {
    /// By what one will know it.
    name: String,
}

/// Gives one of one's own passkeys another name.
#[utoipa::path(patch, path = "/api/auth/passkeys/{id}", tag = "factors",
    params(("id" = PasskeyId, Path, description = "The passkey.")), responses((status = 200, body = Passkey)))]
pub async fn rename_passkey(
    signed: Signed,
    Path(id): Path<PasskeyId>,
    Json(change): Json<RenamePasskey>,
) -> Result<Json<Passkey>, Problem> {
    Ok(Json(signed.team.rename_passkey(&signed.member, id, &change.name).await?))
}

/// Deletes one of one's own passkeys. The only way to sign in stays.
#[utoipa::path(delete, path = "/api/auth/passkeys/{id}", tag = "factors",
    params(("id" = PasskeyId, Path, description = "The passkey.")), responses((status = 204)))]
pub async fn delete_passkey(signed: Signed, Path(id): Path<PasskeyId>) -> Result<StatusCode, Problem> {
    signed.team.delete_passkey(&signed.member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
