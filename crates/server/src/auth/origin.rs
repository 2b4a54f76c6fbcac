//! The page that a request comes from. A browser says it in the Origin header; other pages must not act with a member's
//! cookie (CSRF), nor open a WebSocket with it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use guildhall_team::tokens::token_hash;
use url::{Host, Url};

use crate::app::App;
use crate::auth::{cookie, refusal};
use crate::problem::Problem;

/// The address under which members reach this server.
#[derive(Debug, Clone, Default)]
pub struct Public(Option<Url>);

impl Public {
    /// The address that the operator gave; without one the server is reached on the loopback address only.
    pub fn new(url: Option<Url>) -> Self {
        Self(url)
    }

    /// Whether members come by https.
    pub fn is_secure(&self) -> bool {
        self.0.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// The address of a page of this server, as whoever sent a request with these headers reaches it.
    pub fn link(&self, headers: &HeaderMap, path: &str) -> String {
        match &self.0 {
            Some(public) => format!("{}{path}", public.as_str().trim_end_matches('/')),
            None => format!("http://{}{path}", text(headers, header::HOST).unwrap_or("localhost")),
        }
    }

    /// The address under which the browser that sent these headers knows this server, in so far as it can be relied on:
    /// the public one, or the name of the loopback address by which the request came.
    pub fn site(&self, headers: &HeaderMap) -> Option<Url> {
        match &self.0 {
            Some(public) => Some(public.clone()),
            None => {
                let host = text(headers, header::HOST)?;
                Url::parse(&format!("http://{host}")).ok().filter(is_loopback)
            }
        }
    }

    /// Whether `origin` is this server's own page. Without a public address that is plain http on the name of the
    /// loopback address by which the request came; any other name could be somebody else's that leads here (DNS rebinding).
    fn owns(&self, origin: &str, host: Option<&str>) -> bool {
        let Ok(origin) = Url::parse(origin) else { return false };
        match &self.0 {
            Some(public) => origin.origin() == public.origin(),
            None => {
                let own = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
                own.is_some_and(|own| is_loopback(&own) && own.origin() == origin.origin())
            }
        }
    }
}

/// Whether an address names this machine itself.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Refuses what comes from a foreign page: any unsafe request and any WebSocket with a foreign Origin, and those with a
/// session's cookie that have no Origin at all. A program that shows a token has neither page nor cookie.
pub async fn own_page_only(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    match foreign(&app, &request) {
        None => Ok(next.run(request).await),
        Some(problem) => {
            if let Some(token) = cookie::session_token(request.headers(), app.public.is_secure())
                && let Some((_, member)) = app.team.store.session_by_token(&token_hash(&token)).await?
            {
                let from = super::connection(request.headers(), request.extensions());
                let route = refusal::Route::of(&request);
                refusal::tell(&app, from.of(member.id), &route, problem.code()).await;
            }
            Err(problem)
        }
    }
}

fn foreign(app: &App, request: &Request) -> Option<Problem> {
    let headers = request.headers();
    let upgrade = headers.contains_key(header::UPGRADE);
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe && !upgrade {
        return None;
    }
    match text(headers, header::ORIGIN) {
        Some(origin) if app.public.owns(origin, text(headers, header::HOST)) => None,
        Some(_) => Some(refused("This request comes from another page.")),
        None if headers.contains_key(header::AUTHORIZATION) => None,
        None if upgrade => Some(refused("A WebSocket needs an Origin header.")),
        None if cookie::session_token(headers, app.public.is_secure()).is_some() => {
            Some(refused("A request with a session cookie needs an Origin header."))
        }
        // A program, not a browser, and without anyone's cookie.
        None => None,
    }
}

/// Refuses what says that it comes from a foreign page, whatever it asks for.
///
/// # Errors
/// 403 `foreign-origin`.
pub fn own_origin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    match text(headers, header::ORIGIN) {
        Some(origin) if !app.public.owns(origin, text(headers, header::HOST)) => {
            Err(refused("This request comes from another page."))
        }
        _ => Ok(()),
    }
}

/// A header's text; what is not text counts as foreign, not as absent.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn refused(what: &str) -> Problem {
    let detail = format!(
        "{what} Use Guildhall's own page; if that is what you do, your operator must set GUILDHALL_PUBLIC_URL to the address that your browser shows."
    );
    Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_page_is_own() {
        let local = Public::default();
        let public = Public::new(Some("https://guild.example.com/".parse().unwrap()));
        let other_port = Public::new(Some("https://guild.example.com:8443".parse().unwrap()));
        for (server, origin, host, own) in [
            (&local, "http://127.0.0.1:4300", "127.0.0.1:4300", true),
            (&local, "http://localhost:4300", "localhost:4300", true),
            (&local, "http://[::1]:4300", "[::1]:4300", true),
            (&local, "http://localhost:4300", "127.0.0.1:4300", false),
            (&local, "http://localhost:4301", "localhost:4300", false),
            (&local, "https://localhost:4300", "localhost:4300", false),
            (&local, "http://evil.example:4300", "evil.example:4300", false),
            (&local, "http://127.0.0.1.evil.example", "127.0.0.1.evil.example", false),
            (&local, "null", "localhost:4300", false),
            (&local, "", "localhost:4300", false),
            (&public, "https://guild.example.com", "whatever", true),
            (&public, "http://guild.example.com", "guild.example.com", false),
            (&public, "https://guild.example.com.evil.example", "guild.example.com", false),
            (&public, "https://guild.example.com:8443", "guild.example.com", false),
            (&public, "null", "guild.example.com", false),
            (&public, "http://localhost:4300", "localhost:4300", false),
            (&other_port, "https://guild.example.com:8443", "x", true),
            (&other_port, "https://guild.example.com", "x", false),
        ] {
            assert_eq!(server.owns(origin, Some(host)), own, "{server:?} {origin} {host}");
        }
        assert!(!local.owns("http://localhost:4300", None));
        assert!(public.is_secure() && !local.is_secure());
    }
}
