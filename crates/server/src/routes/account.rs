//! A member's own account.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use guildhall_team::{PasswordChange, ProfileChange};
use guildhall_types::factor::SecondFactor;
use guildhall_types::member::{Member, Preferences};
use guildhall_types::rights::MemberRight;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::cookie::Held;
use crate::auth::{From, Signed};
use crate::extract::{Json, present};
use crate::problem::Problem;
use crate::routes::auth::session_cookie;
use crate::routes::second_step::shown;

/// The member who asks, and what the member may do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The member.
    #[serde(flatten)]
    member: Member,
    /// What the member may do.
    rights: Vec<MemberRight>,
    /// What the member can show beside the password.
    second_factors: Vec<SecondFactor>,
    /// Whether the team asks for a second factor that the member has yet to set up. Nothing else can be done before.
    second_factor_needed: bool,
    /// Whether the member has a password.
    has_password: bool,
    /// The names of the providers by which the member can sign in and prove who they are.
    linked: Vec<String>,
    /// How the member likes the page.
    preferences: Preferences,
}

impl Me {
    pub(super) async fn of(app: &App, member: Member) -> Result<Self, Problem> {
        let rights = member.role.rights().collect();
        let second_factors = app.team.factors(member.id).await?.kinds();
        let second_factor_needed = app.team.lacks_second_factor(member.id).await?;
        let has_password = app.team.store.password_hash(member.id).await?.is_some();
        let identities = app.team.store.identities_of(member.id).await?;
        let providers = app.team.sign_in.all();
        let linked = providers
            .filter(|provider| identities.iter().any(|identity| identity.issuer == provider.issuer))
            .map(|provider| provider.name.clone())
            .collect();
        let preferences = app.team.store.preferences(member.id).await?;
        Ok(Self { member, rights, second_factors, second_factor_needed, has_password, linked, preferences })
    }
}

/// Says who is signed in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn me(State(app): State<App>, signed: Signed) -> Result<Json<Me>, Problem> {
    Ok(Json(Me::of(&app, signed.member).await?))
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
    /// How the page is liked, all of it.
    #[schema(nullable = false)]
    preferences: Option<Preferences>,
    /// The former password; with `newPassword`. A member without one leaves it out and must have proved lately who they are.
    #[schema(nullable = false)]
    current_password: Option<String>,
    /// The new password: at least 12 characters. Ends every other session.
    #[schema(nullable = false)]
    new_password: Option<String>,
}

/// Changes one's own name, time zone, preferences or password.
#[utoipa::path(patch, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn update_me(
    State(app): State<App>,
    signed: Signed,
    From(from): From,
    Json(change): Json<UpdateMe>,
) -> Result<Json<Me>, Problem> {
    let password = match (change.current_password, change.new_password) {
        (None, Some(new)) => {
            // Whoever has a password is asked for it, and need not have proved anything before.
            if app.team.store.password_hash(signed.member.id).await?.is_none() {
                signed.confirmed()?;
            }
            Some(PasswordChange { current: None, new })
        }
        (current, Some(new)) => Some(PasswordChange { current, new }),
        (None, None) => None,
        (Some(_), None) => return Err(Problem::invalid("newPassword", "give the new password as well")),
    };
    let preferences = change.preferences;
    let change = ProfileChange { name: change.name, time_zone: change.time_zone, password };
    let member = signed.team.change_profile(&signed.member, signed.session()?.id, change, &from).await?;
    if let Some(preferences) = preferences {
        signed.team.store.set_preferences(member.id, preferences).await?;
    }
    Ok(Json(Me::of(&app, member).await?))
}

/// Takes one's own picture away: none comes from a provider by itself from then on, until another account is linked.
#[utoipa::path(delete, path = "/api/auth/avatar", tag = "auth", responses((status = 204)))]
pub async fn delete_avatar(signed: Signed) -> Result<StatusCode, Problem> {
    match signed.team.store.remove_avatar(signed.member.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("picture")),
    }
}

/// The password once more, with a second factor beside it for who has one; or a passkey alone.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Confirm {
    /// One's own password.
    #[schema(nullable = false)]
    password: Option<String>,
    /// A code of one's authenticator app; with `password`.
    #[schema(nullable = false)]
    code: Option<String>,
    /// A recovery code instead; it is used up.
    #[schema(nullable = false)]
    recovery_code: Option<String>,
    /// What the browser returned to the question of `POST /api/auth/confirm/passkey`; alone.
    #[schema(nullable = false, value_type = Option<Object>)]
    credential: Option<Map<String, Value>>,
}

/// Proves once more who one is. For ten minutes, sensitive changes are then taken from this session.
#[utoipa::path(post, path = "/api/auth/confirm", tag = "auth", responses((status = 204)))]
pub async fn confirm(
    State(app): State<App>,
    signed: Signed,
    From(from): From,
    headers: HeaderMap,
    Json(confirm): Json<Confirm>,
) -> Result<Response, Problem> {
    let session = signed.session()?.id;
    let second = shown(confirm.code, confirm.recovery_code)?;
    let (team, member) = (&signed.team, &signed.member);
    let (token, session) = match (confirm.password, confirm.credential) {
        (Some(password), None) => team.confirm(member, session, &password, second.as_ref(), &from).await?,
        (None, Some(credential)) if second.is_none() => {
            let site = app.public.site(&headers);
            let begun = Held::Passkey.token(&headers, app.public.is_secure()).unwrap_or_default();
            let credential = Value::Object(credential);
            team.confirm_by_passkey(member, session, site.as_ref(), &begun, credential, &from).await?
        }
        (None, None) => return Err(Problem::invalid("password", "give your password, or a passkey as `credential`")),
        _ => return Err(Problem::invalid("credential", "a passkey is shown alone, without password or code")),
    };
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, session_cookie(&app, &token, &session)?)]).into_response())
}
