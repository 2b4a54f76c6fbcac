//! The seal by which nodes of one installation know each other's requests: it holds the client's address and the time, sealed under the
//! key that seals members' secrets, for this request to this node alone.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::Duration;
use guildhall_store::SealedSecret;
use guildhall_types::{DateTime, PlaceId};
use serde::{Deserialize, Serialize};

use super::SEAL;
use crate::app::App;
use crate::auth::connection;
use crate::problem::Problem;
use crate::rates;

/// How far the clocks of two nodes may be apart, with the way between them.
const HOLDS: Duration = Duration::seconds(30);

/// A request that another node passed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassedOn;

/// What is sealed.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    at: DateTime,
    address: Option<IpAddr>,
}

/// What the seal is for. One for another request, or another node, does not open.
fn identity(to: PlaceId, request: &Request) -> String {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("passed-on\n{to}\n{}\n{path}\n{host}", request.method())
}

/// The seal for a request of a client at this address; nothing when nothing can be sealed here.
pub(super) fn of(app: &App, to: PlaceId, request: &Request, address: Option<&str>) -> Option<HeaderValue> {
    let address = address.and_then(|address| address.parse().ok());
    let plain = serde_json::to_vec(&Sealed { at: app.team.clock.now(), address }).ok()?;
    let sealed = app.team.vault.seal(&identity(to, request), &plain).ok()?;
    let text = format!("{}.{}.{}", sealed.key_id, BASE64.encode(&sealed.wrapped_key), BASE64.encode(&sealed.sealed));
    HeaderValue::from_str(&text).ok()
}

fn opened(app: &App, request: &Request, text: &str) -> Option<Sealed> {
    let mut parts = text.split('.');
    let (key_id, wrapped, sealed) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let identity = identity(app.engine.place(), request);
    let secret = SealedSecret {
        identity: identity.clone(),
        key_id: key_id.to_owned(),
        wrapped_key: BASE64.decode(wrapped).ok()?,
        sealed: BASE64.decode(sealed).ok()?,
    };
    let plain = app.team.vault.open(&identity, &secret).ok()?;
    let said: Sealed = serde_json::from_slice(&plain).ok()?;
    ((app.team.clock.now() - said.at).abs() <= HOLDS).then_some(said)
}

/// Puts the client's address in the place of that of the node that passed the request on.
///
/// # Errors
/// When it says so and cannot show it.
pub(crate) fn see_through(app: &App, request: &mut Request) -> Result<(), Problem> {
    let Some(value) = request.headers_mut().remove(&SEAL) else { return Ok(()) };
    let said = value.to_str().ok().and_then(|text| opened(app, request, text));
    let Some(said) = said else {
        rates::stranger(app, connection(request.headers(), request.extensions()).address.as_deref())?;
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "bad-node-seal",
            "This request says that another server of this Guildhall passed it on, and cannot show it. If one did, their keys or their clocks differ.",
        ));
    };
    if let Some(address) = said.address {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 0)));
    }
    request.extensions_mut().insert(PassedOn);
    Ok(())
}
