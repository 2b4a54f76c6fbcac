//! Who asks, and whether they may: a session by cookie or a personal access token, the rights of its member, and the page
//! that the request came from.
//!
//! A route is closed unless [`crate::router`] puts it among the open ones. A closed route runs only behind [`closed`],
//! which finds out who asks and asks for the right that stands beside the route.

pub mod bearer;
pub mod cookie;
pub mod origin;
pub mod proxy;
pub(crate) mod refusal;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use guildhall_store::Session;
use guildhall_team::{By, Origin, Team, TokenAnswer};
use guildhall_types::access::ApiToken;
use guildhall_types::audit::Actor;
use guildhall_types::member::Member;
use guildhall_types::rights::MemberRight;

use crate::app::App;
use crate::auth::bearer::Shown;
use crate::nodes::{self, Answers};
use crate::problem::{Carried, Problem};
use crate::rates;

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// The right.
    pub right: MemberRight,
    /// Whether the member must have proved who they are lately.
    pub confirmed: bool,
    /// Whether the operator's metrics token opens it, too.
    pub metrics: bool,
    /// Whether it is open to a member, too, who has yet to set up the second factor that the team asks for: what is needed
    /// for doing that, and nothing else.
    pub lacking: bool,
}

/// By what somebody is known.
#[derive(Debug, Clone)]
pub enum Pass {
    /// A session in a browser.
    Session(Session),
    /// A personal access token, in a program.
    Token(ApiToken),
}

/// Who asks: a member, by a session or a token.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The member.
    pub member: Member,
    /// By what the member is known.
    pub pass: Pass,
    /// The team, on whose behalf this member does something. Every change goes through it, so that the audit knows who.
    pub team: Team,
}

impl Signed {
    /// The session; refuses a token. Routes that need one ask for a right that no token has, so this is a second lock.
    pub fn session(&self) -> Result<&Session, Problem> {
        match &self.pass {
            Pass::Session(session) => Ok(session),
            Pass::Token(_) => Err(session_only()),
        }
    }

    /// Whether the member has a right, and whatever they are known by gives it.
    pub fn may(&self, right: MemberRight) -> bool {
        self.member.role.may(right)
            && match &self.pass {
                Pass::Session(_) => true,
                Pass::Token(token) => right.scope().is_some_and(|scope| token.scopes.contains(&scope)),
            }
    }

    /// The member, for what the team asks of whoever does something.
    pub fn by(&self) -> By<'_> {
        By { member: &self.member, administers: self.may(MemberRight::Administer) }
    }

    /// Refuses who has not proved lately who they are.
    pub fn confirmed(&self) -> Result<(), Problem> {
        match self.team.is_confirmed(self.session()?) {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "confirm-needed",
                "This change asks that you prove again who you are: POST /api/auth/confirm with your password, or POST /api/auth/confirm/provider, then try once more.",
            )),
        }
    }

    /// Whether the member, and the token if it is one, hold what the route asks for.
    pub(crate) fn passes(&self, gate: Gate) -> Result<(), Problem> {
        if !self.member.role.may(gate.right) {
            let detail = format!("As a {} you may not do this. Ask an admin of your team.", self.member.role);
            return Err(Problem::new(StatusCode::FORBIDDEN, "missing-right", detail));
        }
        if let Pass::Token(token) = &self.pass {
            let Some(scope) = gate.right.scope() else { return Err(session_only()) };
            if !token.scopes.contains(&scope) {
                let detail =
                    format!("This token does not have the scope {scope}. Make one that has it under Settings.");
                return Err(Problem::new(StatusCode::FORBIDDEN, "missing-scope", detail));
            }
        }
        if gate.confirmed { self.confirmed() } else { Ok(()) }
    }
}

pub(crate) fn lacking() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "second-factor-needed",
        "Your team asks everyone for a second factor. Sign in to the page and set one up; then all is as before.",
    )
}

fn session_only() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "session-only",
        "This takes a member who has signed in to the page; no token may do it.",
    )
}

/// Who shows a token that is good. Tells the audit of one that has ended.
pub(crate) async fn holder(
    app: &App,
    answer: TokenAnswer,
    from: &Origin,
    route: &refusal::Route,
) -> Result<(Member, ApiToken), Problem> {
    match answer {
        TokenAnswer::Good(token, member) => Ok((*member, token)),
        TokenAnswer::Ended(id, member, why) => {
            let problem = bearer::refused(why);
            refusal::tell(app, Actor { token: Some(id), ..from.of(member) }, route, problem.code()).await;
            Err(problem)
        }
        TokenAnswer::Unknown => {
            rates::stranger(app, from.address.as_deref())?;
            Err(bearer::refused("there is no such token"))
        }
    }
}

/// Lets only those pass who hold what the route asks for, and tells the audit of everybody else who is known.
pub async fn closed(
    State((app, gate)): State<(App, Gate)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let from = connection(request.headers(), request.extensions());
    let route = refusal::Route::of(&request);
    let stranger = || rates::stranger(&app, from.address.as_deref());
    let (member, pass, token) = match bearer::shown(request.headers()) {
        // A token that is shown counts alone: a cookie beside it is not looked at.
        Shown::Token(token) if gate.metrics && app.metrics_token.as_ref().is_some_and(|known| known.is(token)) => {
            return Ok(next.run(request).await);
        }
        Shown::Token(token) => {
            let (member, token) = holder(&app, app.team.token(token).await?, &from, &route).await?;
            let id = token.id;
            (member, Pass::Token(token), Some(id))
        }
        Shown::SomethingElse => {
            return Err(bearer::refused("the Authorization header must hold: Bearer, and the token"));
        }
        Shown::Nothing => {
            let found = match cookie::session_token(request.headers(), app.public.is_secure()) {
                Some(token) => app.team.session(&token).await?,
                None => None,
            };
            let Some((session, member)) = found else {
                stranger()?;
                return Err(Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "not-signed-in",
                    "You are not signed in, or your session has ended. Sign in and try again.",
                ));
            };
            (member, Pass::Session(session), None)
        }
    };
    let caller = token.map_or_else(|| format!("member {}", member.id), |token| format!("token {token}"));
    app.rates.take(&caller, app.guard.requests_per_member, app.team.clock.now())?;
    let actor = Actor { token, ..from.of(member.id) };
    let signed = Signed { team: app.team.acting_as(actor.clone()), member, pass };
    let mut passes = signed.passes(gate);
    if passes.is_ok() && (token.is_some() || !gate.lacking) && app.team.lacks_second_factor(signed.member.id).await? {
        passes = Err(lacking());
    }
    if let Err(problem) = passes {
        refusal::tell(&app, actor, &route, problem.code()).await;
        return Err(problem);
    }
    request.extensions_mut().insert(Arc::new(signed));
    let request = match nodes::pass_on(&app, request).await? {
        Answers::Here(request) => request,
        Answers::There(response) => return Ok(response),
    };
    let response = next.run(request).await;
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && let Some(Carried(problem)) = response.extensions().get::<Carried>()
    {
        refusal::tell(&app, actor, &route, problem.code()).await;
    }
    Ok(response)
}

impl<S: Send + Sync> FromRequestParts<S> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let signed = parts.extensions.get::<Arc<Self>>();
        // Without `closed` in front of it there is nobody: a route that was put among the open ones by mistake fails closed.
        signed.map(|signed| Self::clone(signed)).ok_or_else(|| Problem::internal("an open route asks who is signed in"))
    }
}

/// From where somebody comes: the client's address, and what the browser calls itself.
#[derive(Debug)]
pub struct From(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(connection(&parts.headers, &parts.extensions)))
    }
}

pub(crate) fn connection(headers: &HeaderMap, extensions: &Extensions) -> Origin {
    // Headers such as X-Forwarded-For are not read here: anyone can write them. `proxy` has put what a trusted one says in
    // the place of the connection's own address.
    let address = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_string());
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Origin { address, user_agent }
}
