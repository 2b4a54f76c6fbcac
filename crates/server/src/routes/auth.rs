//! Signing up, in and out.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use guildhall_store::Session;
use guildhall_team::{HalfDone, NewAccount, Origin, Registered, Team, Way};
use guildhall_types::DateTime;
use guildhall_types::access::Invitation;
use guildhall_types::audit::AuditAction;
use guildhall_types::factor::SecondFactor;
use guildhall_types::member::{Member, MemberRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::cookie::{self, Held};
use crate::auth::{From, Signed};
use crate::extract::Json;
use crate::problem::Problem;
use crate::routes::account::Me;
use crate::routes::health::VERSION;
use crate::routes::second_step::SecondStep;

/// Seconds for which a browser holds what it has begun; the server forgets it by itself.
const BEGUN: i64 = 5 * 60;

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
    /// Whether this server sends mail: for invitations, forgotten passwords and the proof of addresses.
    mail: bool,
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
    /// By a passkey alone.
    Passkey,
}

/// Says who may sign up and how to sign in.
#[utoipa::path(get, path = "/api/auth/status", tag = "auth", responses((status = 200, body = AuthStatus)))]
pub async fn auth_status(State(app): State<App>, headers: HeaderMap) -> Result<Json<AuthStatus>, Problem> {
    let state = app.team.sign_up_state().await?;
    let sign_up = match state {
        guildhall_team::SignUp::First => SignUp::First,
        guildhall_team::SignUp::Closed => SignUp::Closed,
        guildhall_team::SignUp::Invitation => SignUp::Invitation,
        guildhall_team::SignUp::Open => SignUp::Open,
    };
    let set_up = state != guildhall_team::SignUp::First;
    let mut sign_in = vec![SignIn::Password];
    if Team::passkeys_at(app.public.site(&headers).as_ref()) {
        sign_in.push(SignIn::Passkey);
    }
    let button = |provider: &guildhall_team::oidc::ProviderSettings| ProviderButton {
        name: provider.name.clone(),
        label: provider.label.clone(),
        url: provider.path(),
    };
    let providers = app.team.sign_in.all().map(button).collect();
    let mail = app.team.mail_is_on();
    Ok(Json(AuthStatus { set_up, sign_up, sign_in, providers, mail, version: VERSION }))
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

/// What to do next, whether or not there is such an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookIntoYourMail {
    /// The words for the member.
    detail: &'static str,
}

fn look_into_your_mail() -> Response {
    let detail = "Look into your mail: what to do next stands there. It may take some minutes.";
    (StatusCode::ACCEPTED, Json(LookIntoYourMail { detail })).into_response()
}

/// Makes an account and signs in: the first one, whose member is the owner; one that was invited; or any, where sign-up is
/// open. In the last case, on a server that sends mail, the answer is 202 whether or not the address has an account, and a
/// mail says how to go on.
#[utoipa::path(post, path = "/api/auth/register", tag = "auth",
    responses((status = 201, body = Me), (status = 202, body = LookIntoYourMail)))]
pub async fn register(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Json(new): Json<Register>,
) -> Result<Response, Problem> {
    let team = app.team.acting_as(from.nobody());
    let account = NewAccount { email: new.email, password: new.password, name: new.name, invitation: new.invitation };
    match team.register(account, &from).await? {
        Registered::Member(member) => signed_in(&app, StatusCode::CREATED, *member, from, &headers).await,
        Registered::LookIntoYourMail => Ok(look_into_your_mail()),
    }
}

/// What finishes a sign-up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishSignUp {
    /// The code, as it stands in the mailed link.
    code: String,
    /// The password that was chosen.
    password: String,
}

/// Finishes a sign-up by the mailed link, and signs in.
#[utoipa::path(post, path = "/api/auth/register/finish", tag = "auth", responses((status = 201, body = Me)))]
pub async fn finish_sign_up(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Json(finish): Json<FinishSignUp>,
) -> Result<Response, Problem> {
    let team = app.team.acting_as(from.nobody());
    let member = team.finish_sign_up(&finish.code, &finish.password, &from).await?;
    signed_in(&app, StatusCode::CREATED, member, from, &headers).await
}

/// Whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgotPassword {
    /// The e-mail address of the account.
    email: String,
}

/// Mails a link to set a new password, if there is such an account. The answer is the same whether there is or not.
#[utoipa::path(post, path = "/api/auth/forgot", tag = "auth", responses((status = 202, body = LookIntoYourMail)))]
pub async fn forgot_password(
    State(app): State<App>,
    From(from): From,
    Json(forgot): Json<ForgotPassword>,
) -> Result<Response, Problem> {
    app.team.forgot_password(&forgot.email, &from).await?;
    Ok(look_into_your_mail())
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

/// Signs in. A session that the browser had before ends. Whoever has a second factor is asked for it: the sign-in is then half
/// done, for five minutes and in this browser alone.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth",
    responses((status = 200, body = Me), (status = 202, body = SecondStep)))]
pub async fn login(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Result<Response, Problem> {
    let member = app.team.login(&login.email, &login.password, &from).await?;
    signed_in(&app, StatusCode::OK, member, from, &headers).await
}

/// What came of it when somebody has shown a first factor.
pub(super) enum Door {
    /// The member has a session: who it is, and the cookies to set.
    Open(Box<Me>, HeaderMap),
    /// The member is to show a second factor: which there are, and the cookies to set.
    SecondStep(Vec<SecondFactor>, HeaderMap),
}

/// Lets a member in who has shown one factor, by whichever way, or asks for the second one. Every way to sign in by one
/// factor ends here; what is both factors by itself ends in [`open`].
pub(super) async fn door(
    app: &App,
    member: Member,
    way: &Way,
    from: Origin,
    headers: &HeaderMap,
) -> Result<Door, Problem> {
    let Some(HalfDone { token, kinds }) = app.team.begin_second_step(&member).await? else {
        let (me, cookies) = open(app, member, way, from, headers).await?;
        return Ok(Door::Open(Box::new(me), cookies));
    };
    tracing::info!(member = %member.id, "a member is asked for a second factor");
    let mut cookies = HeaderMap::new();
    cookies.append(SET_COOKIE, held(app, Held::SecondStep, &token)?);
    Ok(Door::SecondStep(kinds, cookies))
}

/// Opens a session for a member who has shown all that is asked. A session that the browser had before ends.
pub(super) async fn open(
    app: &App,
    member: Member,
    way: &Way,
    from: Origin,
    headers: &HeaderMap,
) -> Result<(Me, HeaderMap), Problem> {
    if let Some(token) = cookie::session_token(headers, app.public.is_secure())
        && let Some((former, whose)) = app.team.session(&token).await?
    {
        app.team.acting_as(from.of(whose.id)).store.end_session(former.id, whose.id, AuditAction::SignOut).await?;
    }
    let (token, session) = app.team.open_session(member.id, way, from).await?;
    tracing::info!(member = %member.id, session = %session.id, ?way, "a member signed in");
    let mut cookies = HeaderMap::new();
    cookies.append(SET_COOKIE, session_cookie(app, &token, &session)?);
    for begun in [Held::SecondStep, Held::Passkey] {
        if begun.token(headers, app.public.is_secure()).is_some() {
            cookies.extend(begun.clear(app.public.is_secure()).map(|value| (SET_COOKIE, value)));
        }
    }
    Ok((Me::of(app, member).await?, cookies))
}

async fn signed_in(
    app: &App,
    status: StatusCode,
    member: Member,
    from: Origin,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    Ok(match door(app, member, &Way::Password, from, headers).await? {
        Door::Open(me, cookies) => (status, cookies, Json(me)).into_response(),
        Door::SecondStep(kinds, cookies) => (StatusCode::ACCEPTED, cookies, Json(SecondStep { kinds })).into_response(),
    })
}

/// The header that lets a browser hold what it has begun.
pub(super) fn held(app: &App, held: Held, token: &str) -> Result<HeaderValue, Problem> {
    held.set(app.public.is_secure(), token, BEGUN).ok_or_else(|| Problem::internal("a token that no header takes"))
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

/// A new password, by a link that an admin made or that was mailed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// The code, as it stands in the link.
    code: String,
    /// The new password: at least 12 characters.
    password: String,
}

/// Sets a new password by a link that an admin made or that was mailed, and ends all sessions of the member.
#[utoipa::path(post, path = "/api/auth/reset", tag = "auth", responses((status = 204)))]
pub async fn reset_password(
    State(app): State<App>,
    From(from): From,
    Json(reset): Json<ResetPassword>,
) -> Result<StatusCode, Problem> {
    app.team.acting_as(from.nobody()).reset_password(&reset.code, &reset.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
