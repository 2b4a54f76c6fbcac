//! Signing up, in and out.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use guildhall_types::MemberId;
use guildhall_types::member::{Member, Right};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{From, Signed, cookie};
use crate::extract::Json;
use crate::problem::Problem;
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
    /// The version of this server.
    version: &'static str,
}

/// Who may sign up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SignUp {
    /// The first member, who becomes the owner.
    First,
    /// Nobody.
    Closed,
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
    let set_up = app.team.store.member_count().await? > 0;
    let sign_up = if set_up { SignUp::Closed } else { SignUp::First };
    Ok(Json(AuthStatus { set_up, sign_up, sign_in: vec![SignIn::Password], version: VERSION }))
}

/// The member who asks, and what the member may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The member.
    #[serde(flatten)]
    member: Member,
    /// What the member may do.
    rights: Vec<MemberRight>,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum MemberRight {
    /// See boards, features, runs and diffs.
    Read,
    /// Write cards; start, stop, verify and merge features.
    Build,
    /// Add, change and archive projects.
    ManageProjects,
    /// Change the team: members, limits, settings.
    Administer,
}

impl Me {
    fn new(member: Member) -> Self {
        let all = [
            (Right::Read, MemberRight::Read),
            (Right::Build, MemberRight::Build),
            (Right::ManageProjects, MemberRight::ManageProjects),
            (Right::Administer, MemberRight::Administer),
        ];
        let rights = all.into_iter().filter(|(right, _)| member.role.may(*right)).map(|(_, word)| word).collect();
        Self { member, rights }
    }
}

/// A first member to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The e-mail address, by which the member signs in.
    email: String,
    /// At least 12 characters.
    password: String,
    /// The name that is shown.
    name: String,
}

/// Makes the first account, whose member is the owner, and signs in. Closed from then on.
#[utoipa::path(post, path = "/api/auth/register", tag = "auth", responses((status = 201, body = Me)))]
pub async fn register(
    State(app): State<App>,
    From(from): From,
    Json(new): Json<Register>,
) -> Result<Response, Problem> {
    let member = app.team.register_first(&new.email, &new.password, &new.name).await?;
    signed_in(&app, StatusCode::CREATED, member, from).await
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

/// Signs in.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", responses((status = 200, body = Me)))]
pub async fn login(State(app): State<App>, From(from): From, Json(login): Json<Login>) -> Result<Response, Problem> {
    let member = app.team.login(&login.email, &login.password, &from).await?;
    signed_in(&app, StatusCode::OK, member, from).await
}

async fn signed_in(
    app: &App,
    status: StatusCode,
    member: Member,
    from: guildhall_team::Origin,
) -> Result<Response, Problem> {
    let (token, session) = app.team.open_session(member.id, from).await?;
    let cookie = cookie::set(app.public.is_secure(), &token, session.expires_at, app.team.clock.now())
        .ok_or_else(|| Problem::internal("a token that no header takes"))?;
    tracing::info!(member = %member.id, session = %session.id, "a member signed in");
    Ok((status, [(SET_COOKIE, cookie)], Json(Me::new(member))).into_response())
}

/// Signs out: ends this session.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204)))]
pub async fn logout(State(app): State<App>, signed: Signed) -> Result<Response, Problem> {
    end(&app, signed.session.id, signed.member.id).await?;
    let mut headers = HeaderMap::new();
    headers.extend(cookie::clear(app.public.is_secure()).map(|value| (SET_COOKIE, value)));
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Ends a session of a member; false when there is none such.
pub(super) async fn end(app: &App, session: guildhall_types::SessionId, member: MemberId) -> Result<bool, Problem> {
    let ended = app.team.store.delete_session(session, member).await?;
    tracing::info!(%member, %session, ended, "a member signed out");
    Ok(ended)
}

/// Says who is signed in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn me(signed: Signed) -> Json<Me> {
    Json(Me::new(signed.member))
}

/// What to change of oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMe {
    /// The name that is shown.
    name: String,
}

/// Changes one's own name.
#[utoipa::path(patch, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn update_me(
    State(app): State<App>,
    signed: Signed,
    Json(change): Json<UpdateMe>,
) -> Result<Json<Me>, Problem> {
    Ok(Json(Me::new(app.team.rename(signed.member.id, &change.name).await?)))
}
