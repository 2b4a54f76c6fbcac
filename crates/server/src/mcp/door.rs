//! Who may talk MCP: whoever shows a token in the Authorization header, a personal one or one of a connected program, that is
//! good at this address. Everybody else is told where to get one (RFC 9728).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use guildhall_team::Origin;
use guildhall_team::clients::ACCESS_PREFIX;
use guildhall_types::audit::Actor;

use crate::app::App;
use crate::auth::bearer::{self, Shown};
use crate::auth::{self, Gate, Pass, Signed, refusal};
use crate::oauth::{RESOURCE_METADATA, here, scopes};
use crate::problem::{Carried, Problem};
use crate::rates;

/// Lets in who shows a good token; tells everybody else where to get one.
pub async fn enter(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let from = auth::connection(request.headers(), request.extensions());
    let route = refusal::Route::of(&request);
    match admit(&app, request.headers(), &from, &route).await {
        Ok(signed) => {
            // The token ends here: nothing behind this door sees it.
            request.headers_mut().remove(header::AUTHORIZATION);
            request.headers_mut().remove(header::COOKIE);
            request.extensions_mut().insert(Arc::new(signed));
            request.extensions_mut().insert(Arc::new(from));
            next.run(request).await
        }
        Err(problem) => challenged(&app, request.headers(), problem),
    }
}

async fn admit(app: &App, headers: &HeaderMap, from: &Origin, route: &refusal::Route) -> Result<Signed, Problem> {
    auth::origin::own_origin(app, headers)?;
    let here = here(app, headers)?;
    let answer = match bearer::shown(headers) {
        Shown::Token(token) if token.starts_with(ACCESS_PREFIX) => app.team.client_token(token, &here).await?,
        Shown::Token(token) => app.team.token(token).await?,
        Shown::SomethingElse => {
            return Err(bearer::refused("the Authorization header must hold: Bearer, and the token"));
        }
        Shown::Nothing => {
            rates::stranger(app, from.address.as_deref())?;
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "not-signed-in",
                "Show a token in the Authorization header: a personal access token, or one that this program gets by OAuth.",
            ));
        }
    };
    let (member, token) = auth::holder(app, answer, from, route).await?;
    app.rates.take(&format!("token {}", token.id), app.guard.requests_per_member, app.team.clock.now())?;
    let actor = Actor { token: Some(token.id), ..from.of(member.id) };
    if app.team.lacks_second_factor(member.id).await? {
        let problem = auth::lacking();
        refusal::tell(app, actor, route, problem.code()).await;
        return Err(problem);
    }
    Ok(Signed { team: app.team.acting_as(actor), member, pass: Pass::Token(token) })
}

fn challenged(app: &App, headers: &HeaderMap, problem: Problem) -> Response {
    let (status, bad) = (problem.status(), problem.code() == "bad-token");
    let mut response = problem.into_response();
    if status == StatusCode::UNAUTHORIZED
        && let Ok(here) = here(app, headers)
    {
        let error = if bad { "error=\"invalid_token\", " } else { "" };
        let metadata = format!("{}{RESOURCE_METADATA}", here.issuer);
        let challenge =
            format!("Bearer realm=\"guildhall\", {error}resource_metadata=\"{metadata}\", scope=\"{}\"", scopes());
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

/// The gate of a route for whoever came in by the door: as for everybody else, but without asking again who they are.
pub async fn within(State((app, gate)): State<(App, Gate)>, request: Request, next: Next) -> Result<Response, Problem> {
    let signed = request.extensions().get::<Arc<Signed>>().map(Arc::clone);
    let signed = signed.ok_or_else(|| Problem::internal("a tool is called by nobody"))?;
    let token = match &signed.pass {
        Pass::Token(token) => Some(token.id),
        Pass::Session(_) => None,
    };
    let actor = Actor { token, ..origin(&request).of(signed.member.id) };
    let route = refusal::Route::of(&request);
    if let Err(problem) = signed.passes(gate) {
        refusal::tell(&app, actor, &route, problem.code()).await;
        return Err(problem);
    }
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN
        && let Some(Carried(problem)) = response.extensions().get::<Carried>()
    {
        refusal::tell(&app, actor, &route, problem.code()).await;
    }
    Ok(response)
}

/// From where the call of a tool comes: not the request to its route, but the one around it.
fn origin(request: &Request) -> Origin {
    request.extensions().get::<Arc<Origin>>().map(|from| Origin::clone(from)).unwrap_or_default()
}
