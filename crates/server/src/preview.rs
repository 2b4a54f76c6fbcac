//! Pages of services, on an origin of their own: whoever built them must not act in the name of whoever looks at them.
//!
//! A request is for such a page if its Host says so, and is then answered here, before any of the house's own routes. A
//! browser comes with a ticket, exchanges it for a cookie of that origin alone, and is asked for it at every request. What the
//! house knows a browser by never goes to a service, and what a service says never goes beyond its origin.

mod headers;
mod pages;
mod place;
mod proxy;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use guildhall_engine::NoAnswer;
use guildhall_types::event::Happening;
use guildhall_types::member::Member;
use guildhall_types::service::{Service, ServiceStatus};

use crate::app::App;
use crate::auth::cookie::Held;
use crate::auth::{connection, proxy as trusted};
use crate::{nodes, rates};
pub(crate) use headers::{is_websocket, without_hops};
pub use place::{Place, PreviewUrl, Previews};

/// Where a browser comes in with its ticket. Nothing of a service is below this.
const ENTRANCE: &str = "/.guildhall/enter";
/// Requests to pages that a member may send, for each that the API takes: a page that is developed loads many files.
const FILES: u32 = 4;

/// The address at which a browser exchanges a ticket.
pub(crate) fn entrance(origin: &str, ticket: &str) -> String {
    format!("{origin}{ENTRANCE}?ticket={ticket}")
}

/// Somebody who may see the pages of a service.
struct Seen {
    place: Place,
    token: String,
    service: Service,
    member: Member,
}

/// Answers what is for a page of a service; hands everything else on.
pub async fn divert(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(place) = app.previews.place(&request, &app.public) else { return next.run(request).await };
    let path = request.uri().path().to_owned();
    let response = match answer(&app, place, request).await {
        Ok(response) | Err(response) => response,
    };
    tracing::debug!(status = response.status().as_u16(), path, "a page of a service was answered");
    response
}

/// What is answered; as an error what the house answers itself.
async fn answer(app: &App, place: Place, mut request: Request) -> Result<Response, Response> {
    trusted::see_through_of(&app.guard.trusted_proxies, &mut request);
    nodes::see_through(app, &mut request).map_err(IntoResponse::into_response)?;
    let address = connection(request.headers(), request.extensions()).address;
    let stranger = || rates::stranger(app, address.as_deref()).map_err(IntoResponse::into_response);
    if request.uri().path() == ENTRANCE {
        stranger()?;
        if *request.method() != Method::GET {
            return Err(pages::closed());
        }
        let query = request.uri().query().unwrap_or_default();
        let ticket = query.split('&').find_map(|pair| pair.strip_prefix("ticket=")).unwrap_or_default().to_owned();
        return enter(app, &place, &ticket).await;
    }
    let token = Held::Preview.token(request.headers(), place.secure);
    let found = match &token {
        Some(token) => app.team.preview(&place.label, token).await.map_err(|error| pages::failed(&error))?,
        None => None,
    };
    let (Some(token), Some((service, member))) = (token, found) else {
        stranger()?;
        return Err(pages::closed());
    };
    let most = app.guard.requests_per_member.map(|most| most.saturating_mul(FILES));
    let caller = format!("pages for {}", member.id);
    app.rates.take(&caller, most, app.team.clock.now()).map_err(IntoResponse::into_response)?;
    if !place.is_own(request.headers(), request.method()) {
        return Err(pages::foreign());
    }
    if service.status != ServiceStatus::Running {
        return Err(pages::ended(&service));
    }
    let stream = match app.engine.connect_service(&service).await {
        Ok(stream) => stream,
        Err(NoAnswer::Nothing { port, .. }) => return Err(pages::nothing(&service, port)),
        Err(NoAnswer::NotHere) if nodes::was_passed_on(&request) => return Err(pages::elsewhere(&service)),
        Err(NoAnswer::NotHere) => {
            let there = nodes::elsewhere(app, service.id).await.map_err(|error| pages::failed(&error.into()))?;
            let Some(node) = there else { return Err(pages::elsewhere(&service)) };
            return nodes::ask(app, &node, request).await.map_err(|away| pages::away(&service, &node.name, &away));
        }
        Err(error @ (NoAnswer::NoPort | NoAnswer::Closed)) => return Err(pages::unreachable(&service, &error)),
    };
    let seen = Seen { place, token, service, member };
    proxy::pass(app, seen, stream, request, address.as_deref()).await
}

/// Exchanges a ticket for the cookie.
async fn enter(app: &App, place: &Place, ticket: &str) -> Result<Response, Response> {
    let entered = app.team.enter_preview(&place.label, ticket).await.map_err(|error| pages::failed(&error))?;
    let pass = entered.ok_or_else(pages::closed)?;
    let seconds = (pass.expires_at - app.team.clock.now()).num_seconds();
    let mut response =
        (StatusCode::SEE_OTHER, [(header::LOCATION, "/"), (header::CACHE_CONTROL, "no-store")]).into_response();
    let headers = response.headers_mut();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(cookie) = Held::Preview.set(place.secure, &pass.token, seconds) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Resolves when somebody no longer sees these pages: the service ended, or the session did, or the server shuts down.
async fn gone(app: App, seen: std::sync::Arc<Seen>) {
    let mut ear = app.bus.listen();
    let ended = app.engine.service_ended(&seen.service);
    tokio::pin!(ended);
    // A clock of its own: what else happens does not put it off.
    let pace = app.listening.recheck;
    let mut recheck = tokio::time::interval_at(tokio::time::Instant::now() + pace, pace);
    loop {
        tokio::select! {
            () = &mut ended => return,
            () = app.closing.cancelled() => return,
            hint = ear.next() => match hint {
                Ok(Some(guildhall_bus::Hint::Event(event))) => match &event.what {
                    Happening::MemberUpdated { member } if member.id == seen.member.id => {}
                    _ => continue,
                },
                Ok(Some(_)) => continue,
                Ok(None) => return,
                Err(guildhall_bus::Lagged) => {}
            },
            _ = recheck.tick() => {}
        }
        if !matches!(app.team.preview(&seen.place.label, &seen.token).await, Ok(Some(_))) {
            return;
        }
    }
}
