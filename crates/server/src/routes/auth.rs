//! Signing up, in and out.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use guildhall_store::Session;
use guildhall_team::{NewAccount, Origin, Way};
use guildhall_types::DateTime;
use guildhall_types::access::Invitation;
use guildhall_types::audit::AuditAction;
use guildhall_types::member::{Member, MemberRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{From, Signed, cookie};
use crate::extract::Json;
use crate::problem::Problem;
use crate::routes::account::Me;
use crate::routes::health::VERSION;

/// Who may sign up and how.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthStatus {
    /// Whether there is a first member.
    set_up: bool,
    /// Who may sign up.
    sign_up: SignUp,
    /// The ways to sign in.
    sign_in: Vec<SignIn>,
    /// The providers by which one can sign in.
    providers: Vec<ProviderButton>,
    /// The version of this server.
    version: &'static str,
}

/// A provider by which one can sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderButton {
    /// Its name in addresses.
    name: String,
    /// Its name for people.
    label: String,
    /// Where a sign-in begins: a link for the browser.
    url: String,
}

/// Who may sign up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SignUp {
    /// The first member, who becomes the owner.
    First,
    /// Nobody.
    Closed,
    /// Whoever is invited.
    Invitation,
    /// Anybody, with or without an invitation.
    Open,
}

/// A way to sign in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SignIn {
    /// By e-mail address and password.
    Password,
}

/// Says who may sign up and how to sign in.
#[utoipa::path(get, path = "/api/auth/status", tag = "auth", responses((status = 200, body = AuthStatus)))]
pub async fn auth_status(State(app): State<App>) -> Result<Json<AuthStatus>, Problem> {
    let state = app.team.sign_up_state().await?;
    let sign_up = match state {
        guildhall_team::SignUp::First => SignUp::First,
        guildhall_team::SignUp::Closed => SignUp::Closed,
        guildhall_team::SignUp::Invitation => SignUp::Invitation,
        guildhall_team::SignUp::Open => SignUp::Open,
    };
    let set_up = state != guildhall_team::SignUp::First;
    let button = |provider: &guildhall_team::oidc::ProviderSettings| ProviderButton {
        name: provider.name.clone(),
        label: provider.label.clone(),
        url: provider.path(),
    };
    let providers = app.team.sign_in.all().map(button).collect();
    Ok(Json(AuthStatus { set_up, sign_up, sign_in: vec![SignIn::Password], providers, version: VERSION }))
}

/// A member to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The e-mail address, by which the member signs in.
    email: String,
    /// At least 12 characters.
    password: String,
    /// The name that is shown.
    name: String,
    /// The code of an invitation to this address.
    #[schema(nullable = false)]
    invitation: Option<String>,
}

/// Makes an account and signs in: the first one, whose member is the owner; one that was invited; or any, where sign-up is
/// open.
#[utoipa::path(post, path = "/api/auth/register", tag = "auth", responses((status = 201, body = Me)))]
pub async fn register(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Json(new): Json<Register>,
) -> Result<Response, Problem> {
    let team = app.team.acting_as(from.nobody());
    let account = NewAccount { email: new.email, password: new.password, name: new.name, invitation: new.invitation };
    let member = team.register(account, &from).await?;
    signed_in(&app, StatusCode::CREATED, &headers, member, from).await
}

/// Who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The e-mail address.
    email: String,
    /// The password.
    password: String,
}

/// Signs in. A session that the browser had before ends.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", responses((status = 200, body = Me)))]
pub async fn login(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Result<Response, Problem> {
    let member = app.team.login(&login.email, &login.password, &from).await?;
    signed_in(&app, StatusCode::OK, &headers, member, from).await
}

async fn signed_in(
    app: &App,
    status: StatusCode,
    headers: &HeaderMap,
    member: Member,
    from: Origin,
) -> Result<Response, Problem> {
    let cookie = enter(app, headers, &member, &Way::Password, from).await?;
    Ok((status, [(SET_COOKIE, cookie)], Json(Me::of(app, member).await?)).into_response())
}

/// Where every sign-in ends that succeeded, in whatever way: a session that the browser had before ends, and the header is
/// returned that gives it the new one.
pub(super) async fn enter(
    app: &App,
    headers: &HeaderMap,
    member: &Member,
    way: &Way,
    from: Origin,
) -> Result<HeaderValue, Problem> {
    if let Some(token) = cookie::session_token(headers, app.public.is_secure())
        && let Some((former, whose)) = app.team.session(&token).await?
    {
        app.team.acting_as(from.of(whose.id)).store.end_session(former.id, whose.id, AuditAction::SignOut).await?;
    }
    let (token, session) = app.team.open_session(member.id, way, from).await?;
    tracing::info!(member = %member.id, session = %session.id, ?way, "a member signed in");
    session_cookie(app, &token, &session)
}

/// The header that gives a browser its session.
pub(super) fn session_cookie(app: &App, token: &str, session: &Session) -> Result<HeaderValue, Problem> {
    cookie::set(app.public.is_secure(), token, session.expires_at, app.team.clock.now())
        .ok_or_else(|| Problem::internal("a token that no header takes"))
}

/// Signs out: ends this session.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204)))]
pub async fn logout(State(app): State<App>, signed: Signed) -> Result<Response, Problem> {
    let session = signed.session()?.id;
    signed.team.store.end_session(session, signed.member.id, AuditAction::SignOut).await?;
    tracing::info!(member = %signed.member.id, %session, "a member signed out");
    let mut headers = HeaderMap::new();
    headers.extend(cookie::clear(app.public.is_secure()).map(|value| (SET_COOKIE, value)));
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// The code of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookAtInvitation {
    /// The code, as it stands in the link.
    code: String,
}

/// What somebody is invited to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationCard {
    /// The address that is invited.
    email: String,
    /// The role that the new member will have.
    role: MemberRole,
    /// When the invitation ends by itself.
    expires_at: DateTime,
}

/// Shows the holder of a code what it is an invitation to.
#[utoipa::path(post, path = "/api/auth/invitation", tag = "auth", responses((status = 200, body = InvitationCard)))]
pub async fn look_at_invitation(
    State(app): State<App>,
    Json(look): Json<LookAtInvitation>,
) -> Result<Json<InvitationCard>, Problem> {
    let invitation = app.team.invitation(&look.code).await?;
    let Invitation { email, role, expires_at, .. } = invitation;
    Ok(Json(InvitationCard { email, role, expires_at }))
}

/// A new password, by a link that an admin made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// The code, as it stands in the link.
    code: String,
    /// The new password: at least 12 characters.
    password: String,
}

/// Sets a new password by a link that an admin made, and ends all sessions of the member.
#[utoipa::path(post, path = "/api/auth/reset", tag = "auth", responses((status = 204)))]
pub async fn reset_password(
    State(app): State<App>,
    From(from): From,
    Json(reset): Json<ResetPassword>,
) -> Result<StatusCode, Problem> {
    app.team.acting_as(from.nobody()).reset_password(&reset.code, &reset.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
