//! Who may come in with a git program: whoever shows a personal access token with the scope for it, as the password that git asks
//! for, or as other programs do. No session opens this door: a page could use it without its member.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use guildhall_team::Origin;
use guildhall_types::audit::Actor;
use guildhall_types::rights::MemberRight;

use crate::app::App;
use crate::auth::bearer::{self, Shown};
use crate::auth::{self, Gate, Pass, Signed, refusal};
use crate::problem::{Carried, Problem};
use crate::rates;

/// What is asked of whoever comes in.
const GATE: Gate = Gate { right: MemberRight::Git, confirmed: false, metrics: false, lacking: false };
/// How git programs are told to ask for a name and a password.
const CHALLENGE: &str = "Basic realm=\"Guildhall: any name, and a personal access token with the scope git\"";

/// A problem in plain words.
#[derive(Debug)]
pub(super) struct Told(Problem);

impl<E: Into<Problem>> From<E> for Told {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        said(&self.0)
    }
}

fn said(problem: &Problem) -> Response {
    problem.log();
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let mut response = (problem.status(), kind, format!("{}\n", problem.detail())).into_response();
    if problem.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    response
}

/// Lets in who shows a good token.
pub(super) async fn enter(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let from = auth::connection(request.headers(), request.extensions());
    let route = refusal::Route::of(&request);
    match admit(&app, request.headers(), &from, &route).await {
        Ok(signed) => {
            // The token ends here: nothing behind this door sees it.
            request.headers_mut().remove(header::AUTHORIZATION);
            request.headers_mut().remove(header::COOKIE);
            request.extensions_mut().insert(Arc::new(signed));
            let mut response = next.run(request).await;
            // Of the extractors.
            match response.extensions_mut().remove::<Carried>() {
                Some(Carried(problem)) => said(&problem),
                None => response,
            }
        }
        Err(problem) => said(&problem),
    }
}

async fn admit(app: &App, headers: &HeaderMap, from: &Origin, route: &refusal::Route) -> Result<Signed, Problem> {
    let basic = basic(headers);
    let token = match (bearer::shown(headers), &basic) {
        (Shown::Token(token), _) => token,
        (Shown::SomethingElse, Some(password)) => password,
        (Shown::SomethingElse, None) => {
            return Err(bearer::refused("git has to show it as the password, with any name, or in a Bearer header"));
        }
        (Shown::Nothing, _) => {
            rates::stranger(app, from.address.as_deref())?;
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "not-signed-in",
                "Show a personal access token with the scope git: as the password, with any name. Make one in the page, under Settings.",
            ));
        }
    };
    let answer = app.team.token(token).await?;
    let (member, token) = auth::holder(app, answer, from, route).await?;
    app.rates.take(&format!("token {}", token.id), app.guard.requests_per_member, app.team.clock.now())?;
    let actor = Actor { token: Some(token.id), ..from.of(member.id) };
    let signed = Signed { team: app.team.acting_as(actor.clone()), member, pass: Pass::Token(token) };
    let mut passes = signed.passes(GATE);
    if passes.is_ok() && app.team.lacks_second_factor(signed.member.id).await? {
        passes = Err(auth::lacking());
    }
    if let Err(problem) = passes {
        refusal::tell(app, actor, route, problem.code()).await;
        return Err(problem);
    }
    Ok(signed)
}

/// The password that a client shows with some name.
fn basic(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(first), None) = (all.next(), all.next()) else { return None };
    let (scheme, shown) = first.to_str().ok()?.split_once(' ')?;
    let shown = STANDARD.decode(shown.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, password) = std::str::from_utf8(&shown).ok()?.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_password_of_whatever_name() {
        let shown = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(text).unwrap());
            basic(&headers)
        };
        let of = |pair: &str| shown(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(of("anna:guild_x").as_deref(), Some("guild_x"));
        assert_eq!(of(":guild_x").as_deref(), Some("guild_x"));
        assert_eq!(of("a:b:c").as_deref(), Some("b:c"));
        assert_eq!(of("guild_x"), None);
        assert_eq!(shown("Basic %%%"), None);
        assert_eq!(shown("Bearer guild_x"), None);
        assert_eq!(basic(&HeaderMap::new()), None);
    }
}
