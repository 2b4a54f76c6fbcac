//! Who asks, and whether they may: a session by cookie, the rights of its member, and the page that the request came from.
//!
//! A route is closed unless [`crate::router`] puts it among the open ones. A closed route runs only behind [`closed`],
//! which finds the session and asks for the right that stands beside the route.

pub mod cookie;
pub mod origin;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use guildhall_store::Session;
use guildhall_types::member::{Member, Right};

use crate::app::App;
use crate::problem::Problem;

/// Who asks: a member, by a session.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The member.
    pub member: Member,
    /// The session.
    pub session: Session,
}

/// Lets only members with this right pass.
pub async fn closed(
    State((app, right)): State<(App, Right)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let token = cookie::session_token(request.headers(), app.public.is_secure());
    let found = match token {
        Some(token) => app.team.session(&token).await?,
        None => None,
    };
    let Some((session, member)) = found else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            "You are not signed in, or your session has ended. Sign in and try again.",
        ));
    };
    if !member.role.may(right) {
        let detail = format!("As a {} you may not do this. Ask an admin of your team.", member.role);
        return Err(Problem::new(StatusCode::FORBIDDEN, "missing-right", detail));
    }
    request.extensions_mut().insert(Arc::new(Signed { member, session }));
    Ok(next.run(request).await)
}

impl<S: Send + Sync> FromRequestParts<S> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let signed = parts.extensions.get::<Arc<Self>>();
        // Without `closed` in front of it there is nobody: a route that was put among the open ones by mistake fails closed.
        signed.map(|signed| Self::clone(signed)).ok_or_else(|| Problem::internal("an open route asks who is signed in"))
    }
}

/// From where somebody signs in: the connection's own address, and what the browser calls itself.
#[derive(Debug)]
pub struct From(pub guildhall_team::Origin);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Headers such as X-Forwarded-For are not read: anyone can write them.
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_string());
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self(guildhall_team::Origin { address, user_agent }))
    }
}
