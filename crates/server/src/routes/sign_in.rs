//! Signing in by a provider: the way there, and the way back.
//!
//! The way back is a link that the provider gives to the browser, so whatever comes of it is told by a page: a refusal by
//! the word for it in the page's address, which the page turns into a sentence.

use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use guildhall_store::{Session, SignInTry};
use guildhall_team::oidc::{GOOGLE, Person};
use guildhall_team::{Answer, Begin, Begun, Origin, Purpose, Way, own_path};
use guildhall_types::member::Member;
use guildhall_types::{MemberId, SessionId};
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use url::Url;
use url::form_urlencoded::byte_serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::From;
use crate::auth::cookie::{self, Held};
use crate::auth::origin::is_loopback;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::auth::{Door, door, session_cookie};

/// The page to which a proof leads that was asked for in a window of its own.
const CONFIRMED: &str = "/confirm?done";

/// Where to go when it is done.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GoTo {
    /// A page of this server, such as `/p/018f…`; the first one where it is absent.
    #[param(nullable = false)]
    to: Option<String>,
}

/// Goes to Google to sign in.
#[utoipa::path(get, path = "/api/auth/google", tag = "auth", params(GoTo),
    responses((status = 303, description = "Leads to the provider, or to the sign-in page with `problem`.")))]
pub async fn google(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Query(go): Query<GoTo>,
) -> Result<Response, Problem> {
    away(&app, GOOGLE, go, &headers, from).await
}

/// Goes to a provider to sign in.
#[utoipa::path(get, path = "/api/auth/oidc/{name}", tag = "auth",
    params(("name" = String, Path, description = "The provider."), GoTo),
    responses((status = 303, description = "Leads to the provider, or to the sign-in page with `problem`.")))]
pub async fn oidc(
    State(app): State<App>,
    From(from): From,
    Path(name): Path<String>,
    headers: HeaderMap,
    Query(go): Query<GoTo>,
) -> Result<Response, Problem> {
    away(&app, &name, go, &headers, from).await
}

async fn away(app: &App, name: &str, go: GoTo, headers: &HeaderMap, from: Origin) -> Result<Response, Problem> {
    let go_to = go.to.as_deref().unwrap_or("/");
    match begin(app, headers, name, Purpose::SignIn, None, None, go_to, &from).await {
        Ok(begun) => {
            let cookie = try_cookie(app, &begun)?;
            lead(begun.url.as_str(), [cookie])
        }
        Err(problem) => lead(&told(&problem, Purpose::SignIn, own_path(go_to)), []),
    }
}

/// A sign-in to be begun.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginSignIn {
    /// The code of an invitation, as it stands in the link. The account's verified address must be the one that is invited.
    #[schema(nullable = false)]
    invitation: Option<String>,
    /// The page of this server to go to when it is done; the first one where it is absent.
    #[schema(nullable = false)]
    to: Option<String>,
}

/// Where the browser is to go.
#[derive(Debug, Serialize, ToSchema)]
pub struct Elsewhere {
    /// An address at the provider, for the browser that asked and for ten minutes.
    url: String,
}

/// Begins to sign in by a provider, or to join by one.
#[utoipa::path(post, path = "/api/auth/oidc/{name}", tag = "auth",
    params(("name" = String, Path, description = "The provider.")), responses((status = 200, body = Elsewhere)))]
pub async fn begin_sign_in(
    State(app): State<App>,
    From(from): From,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<BeginSignIn>,
) -> Result<Response, Problem> {
    let go_to = body.to.as_deref().unwrap_or("/");
    let invitation = body.invitation.as_deref();
    let begun = begin(&app, &headers, &name, Purpose::SignIn, invitation, None, go_to, &from).await?;
    elsewhere(&app, &begun)
}

/// Answers with the address to go to, and gives the browser what it is to keep.
pub(super) fn elsewhere(app: &App, begun: &Begun) -> Result<Response, Problem> {
    let body = Json(Elsewhere { url: begun.url.to_string() });
    Ok(([(SET_COOKIE, try_cookie(app, begun)?)], body).into_response())
}

/// Begins a try at a provider.
#[expect(clippy::too_many_arguments, reason = "the parts of a try, each from another place")]
pub(super) async fn begin(
    app: &App,
    headers: &HeaderMap,
    provider: &str,
    purpose: Purpose,
    invitation: Option<&str>,
    signed: Option<(MemberId, SessionId)>,
    go_to: &str,
    from: &Origin,
) -> Result<Begun, Problem> {
    let settings = app.team.sign_in.all().find(|settings| settings.name == provider);
    let path = settings.ok_or_else(|| Problem::not_found("way to sign in"))?.path();
    let redirect_url = app.public.link(headers, &format!("{path}/callback"));
    // Without a public address the browser says where the server is: on this machine, and nowhere else.
    let usable = Url::parse(&redirect_url).is_ok_and(|url| url.scheme() == "https" || is_loopback(&url));
    if !usable {
        let detail = "Under this name the server cannot be signed in to; your operator must set GUILDHALL_PUBLIC_URL.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail));
    }
    let begin = Begin { provider, purpose, invitation, signed, go_to, redirect_url };
    Ok(app.team.begin(begin, from).await?)
}

fn try_cookie(app: &App, begun: &Begun) -> Result<HeaderValue, Problem> {
    let seconds = (begun.expires_at - app.team.clock.now()).num_seconds();
    Held::Try
        .set(app.public.is_secure(), &begun.browser, seconds)
        .ok_or_else(|| Problem::internal("a token that no header takes"))
}

/// Comes back from Google.
#[utoipa::path(get, path = "/api/auth/google/callback", tag = "auth",
    responses((status = 303, description = "Leads to a page, with `problem` where it came to nothing.")))]
pub async fn google_callback(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Query(answer): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    back(&app, GOOGLE, answer, &headers, from).await
}

/// Comes back from a provider.
#[utoipa::path(get, path = "/api/auth/oidc/{name}/callback", tag = "auth",
    params(("name" = String, Path, description = "The provider.")),
    responses((status = 303, description = "Leads to a page, with `problem` where it came to nothing.")))]
pub async fn oidc_callback(
    State(app): State<App>,
    From(from): From,
    Path(name): Path<String>,
    headers: HeaderMap,
    Query(answer): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    back(&app, &name, answer, &headers, from).await
}

/// Where somebody goes who came back, and with which cookies.
struct Arrived {
    to: String,
    cookies: Vec<HeaderValue>,
}

async fn back(
    app: &App,
    provider: &str,
    answer: Vec<(String, String)>,
    headers: &HeaderMap,
    from: Origin,
) -> Result<Response, Problem> {
    let secure = app.public.is_secure();
    let browser = Held::Try.token(headers, secure);
    let answer = read(answer);
    let taken = match &answer {
        Some(answer) => app.team.take_try(provider, &answer.state, browser.as_deref()).await.map_err(Problem::from),
        None => Err(Problem::conflict("try-ended", "This is no answer of a provider; begin again.")),
    };
    let (try_, arrived) = match taken {
        Ok(try_) => {
            let arrived =
                finish(app, &try_, browser.unwrap_or_default(), answer.unwrap_or_default(), headers, &from).await;
            (Some(try_), arrived)
        }
        Err(problem) => (None, Err(problem)),
    };
    let clear = Held::Try.clear(secure);
    match arrived {
        Ok(Arrived { to, cookies }) => lead(&to, cookies.into_iter().chain(clear)),
        Err(problem) => {
            if problem.status().is_server_error() {
                tracing::error!(error = crate::problem::chain(&problem), "a sign-in by a provider failed");
            }
            app.team.tell_refused(provider, try_.as_ref(), problem.code(), &from).await?;
            let purpose = try_.as_ref().map_or(Purpose::SignIn, Purpose::of);
            let go_to = try_.as_ref().map_or("/", |try_| try_.go_to.as_str());
            // The cookie of another try that is under way in this browser stays.
            lead(&told(&problem, purpose, go_to), clear.filter(|_| try_.is_some()))
        }
    }
}

/// Reads what a provider gave to the browser. What is said twice is said by somebody else.
fn read(pairs: Vec<(String, String)>) -> Option<Answer> {
    let mut answer = Answer::default();
    let mut state = None;
    for (name, value) in pairs {
        let place = match name.as_str() {
            "state" => &mut state,
            "code" => &mut answer.code,
            "iss" => &mut answer.iss,
            "error" => &mut answer.error,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    answer.state = state?;
    Some(answer)
}

async fn finish(
    app: &App,
    try_: &SignInTry,
    browser: String,
    answer: Answer,
    headers: &HeaderMap,
    from: &Origin,
) -> Result<Arrived, Problem> {
    let person = app.team.arrived(try_, &browser, answer).await?;
    match Purpose::of(try_) {
        Purpose::SignIn => {
            let member = app.team.member_for(&person, try_, from).await?;
            let way = Way::Provider { name: try_.provider.clone(), proved: person.auth_time };
            bring_picture(app, member.id, person);
            Ok(match door(app, member, &way, from.clone(), headers).await? {
                Door::Open(_, cookies) => Arrived { to: try_.go_to.clone(), cookies: values(cookies) },
                // The page asks for it, and then goes where the member wanted to go.
                Door::SecondStep(_, cookies) => Arrived { to: second_step(&try_.go_to), cookies: values(cookies) },
            })
        }
        Purpose::Link => {
            let (_, member) = same_session(app, try_, headers).await?;
            app.team.acting_as(from.of(member.id)).link(&member, &person).await?;
            bring_picture(app, member.id, person);
            Ok(Arrived { to: try_.go_to.clone(), cookies: Vec::new() })
        }
        Purpose::Confirm => {
            let (session, member) = same_session(app, try_, headers).await?;
            let team = app.team.acting_as(from.of(member.id));
            let (token, session) = team.confirm_by(&session, try_, &person).await?;
            Ok(Arrived { to: CONFIRMED.to_owned(), cookies: vec![session_cookie(app, &token, &session)?] })
        }
    }
}

/// The session of this browser, if it is the one in which the try was begun.
async fn same_session(app: &App, try_: &SignInTry, headers: &HeaderMap) -> Result<(Session, Member), Problem> {
    let found = match cookie::session_token(headers, app.public.is_secure()) {
        Some(token) => app.team.session(&token).await?,
        None => None,
    };
    let found = found.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "signed-out",
            "Your session has ended meanwhile; sign in and begin again.",
        )
    })?;
    app.team.same_session(try_, &found.0)?;
    Ok(found)
}

/// Fetches the picture meanwhile: nobody waits for it.
fn bring_picture(app: &App, member: MemberId, person: Person) {
    let team = app.team.clone();
    let bringing = async move {
        if let Err(error) = team.bring_picture(member, &person).await {
            tracing::warn!(%member, error = crate::problem::chain(&error), "a member's picture could not be kept");
        }
    };
    tokio::spawn(bringing.in_current_span());
}

/// The cookies that are to be set.
fn values(cookies: HeaderMap) -> Vec<HeaderValue> {
    cookies.into_iter().map(|(_, value)| value).collect()
}

/// The page that asks for a second factor.
fn second_step(go_to: &str) -> String {
    match go_to {
        "/" => "/login?step=true".to_owned(),
        go_to => format!("/login?step=true&next={}", byte_serialize(go_to.as_bytes()).collect::<String>()),
    }
}

/// The page that tells of a refusal.
fn told(problem: &Problem, purpose: Purpose, go_to: &str) -> String {
    let code = if problem.status().is_server_error() { "failed" } else { problem.code() };
    match purpose {
        Purpose::SignIn if go_to == "/" => format!("/login?problem={code}"),
        Purpose::SignIn => {
            format!("/login?problem={code}&next={}", byte_serialize(go_to.as_bytes()).collect::<String>())
        }
        Purpose::Link => format!("/settings?problem={code}"),
        Purpose::Confirm => format!("/confirm?problem={code}"),
    }
}

fn lead(to: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Result<Response, Problem> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(to).map_err(Problem::internal)?);
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    Ok(response)
}
