//! Headers between a browser and a service: what is of the connection stays with it, what is the house's stays with the house.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::Place;

/// Headers of one connection, beside those that `Connection` itself names.
const HOPS: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Of a request: who sent it is said anew.
const OURS: &[&str] =
    &["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"];
/// Of an answer: they reach beyond the origin that sends them.
const BEYOND: &[&str] =
    &["alt-svc", "clear-site-data", "nel", "report-to", "reporting-endpoints", "strict-transport-security"];
/// What the names of the house's own cookies begin with.
const COOKIES: &[&str] = &["guildhall", "__Host-guildhall"];

/// Whether a request asks for a WebSocket.
pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|what| what.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Takes away what is of one connection.
pub(crate) fn without_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOPS {
        headers.remove(*name);
    }
}

/// Makes the headers of a browser's request those that the service gets, as if it came to `localhost` and this port.
pub(super) fn to_service(headers: &mut HeaderMap, place: &Place, port: u16, address: Option<&str>) {
    let upgrade = is_websocket(headers);
    without_hops(headers);
    for name in OURS {
        headers.remove(*name);
    }
    let own = place.origin();
    let local = format!("http://localhost:{port}");
    for name in [header::ORIGIN, header::REFERER] {
        let rest = headers.get(&name).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix(&own));
        let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(value) = rest.and_then(|rest| HeaderValue::from_str(&format!("{local}{rest}")).ok()) {
            headers.insert(name, value);
        }
    }
    let kept: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|cookie| !cookie.is_empty() && !is_the_houses(cookie))
        .map(str::to_owned)
        .collect();
    headers.remove(header::COOKIE);
    let said = [
        (header::COOKIE, kept.join("; ")),
        (header::HOST, format!("localhost:{port}")),
        (HeaderName::from_static("x-forwarded-host"), place.authority.clone()),
        (HeaderName::from_static("x-forwarded-proto"), if place.secure { "https" } else { "http" }.to_owned()),
        (HeaderName::from_static("x-forwarded-for"), address.unwrap_or_default().to_owned()),
    ];
    for (name, value) in said {
        if let Some(value) = Some(value).filter(|value| !value.is_empty()).and_then(|value| value.parse().ok()) {
            headers.insert(name, value);
        }
    }
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
}

/// Makes the headers of a service's answer those that the browser gets.
pub(super) fn to_browser(headers: &mut HeaderMap, port: u16, upgrade: bool) {
    without_hops(headers);
    for name in BEYOND {
        headers.remove(*name);
    }
    let cookies: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().filter_map(of_this_host).collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    let to = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).and_then(|to| here(to, port));
    if let Some(path) = to.and_then(|path| HeaderValue::from_str(&path).ok()) {
        headers.insert(header::LOCATION, path);
    }
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
}

fn is_the_houses(cookie: &str) -> bool {
    COOKIES.iter().any(|name| cookie.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)))
}

/// A cookie that stays with the host that sets it; nothing where it would take the place of one of the house's.
fn of_this_host(cookie: &HeaderValue) -> Option<HeaderValue> {
    let text = std::str::from_utf8(cookie.as_bytes()).ok().filter(|text| !is_the_houses(text.trim_start()))?;
    let is_domain = |part: &str| {
        let name = part.split('=').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("domain")
    };
    let mut parts = text.split(';');
    let first = parts.next()?;
    let kept: Vec<&str> = std::iter::once(first).chain(parts.filter(|part| !is_domain(part))).collect();
    HeaderValue::from_str(&kept.join(";")).ok()
}

/// The path of an address that leads to the service itself.
fn here(to: &str, port: u16) -> Option<String> {
    let uri: Uri = to.parse().ok()?;
    let authority = uri.authority()?;
    let local = matches!(authority.host(), "localhost" | "127.0.0.1" | "0.0.0.0" | "[::1]");
    let own = local && authority.port_u16().unwrap_or(80) == port;
    own.then(|| uri.path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn place() -> Place {
        Place { label: "p-a".to_owned(), secure: false, authority: "p-a.localhost:4300".to_owned() }
    }

    #[test]
    fn a_service_gets_nothing_by_which_the_house_knows_a_browser() {
        let mut headers = map(&[
            ("host", "p-a.localhost:4300"),
            ("cookie", "theme=dark; guildhall-preview=secret; __Host-guildhall-preview=secret; a=b"),
            ("cookie", "guildhall=secret"),
            ("origin", "http://p-a.localhost:4300"),
            ("referer", "http://p-a.localhost:4300/x?y"),
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("authorization", "Basic abc"),
        ]);
        to_service(&mut headers, &place(), 3000, Some("203.0.113.9"));
        let expected = map(&[
            ("host", "localhost:3000"),
            ("cookie", "theme=dark; a=b"),
            ("origin", "http://localhost:3000"),
            ("referer", "http://localhost:3000/x?y"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-host", "p-a.localhost:4300"),
            ("x-forwarded-proto", "http"),
            ("authorization", "Basic abc"),
        ]);
        assert_eq!(headers, expected);
        let mut upgrade =
            map(&[("connection", "Upgrade"), ("upgrade", "WebSocket"), ("origin", "http://p-a.localhost:43001")]);
        to_service(&mut upgrade, &place(), 3000, None);
        assert_eq!(
            (&upgrade["connection"], &upgrade["upgrade"]),
            (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
        );
        assert_eq!(upgrade["origin"], "http://p-a.localhost:43001", "another origin stays another");
    }

    #[test]
    fn an_answer_reaches_no_further_than_its_origin() {
        let mut headers = map(&[
            ("set-cookie", "a=1; Path=/; Domain=localhost; HttpOnly"),
            ("set-cookie", "b=2; domain = .example.com"),
            ("set-cookie", "guildhall=evil"),
            ("set-cookie", "__Host-guildhall-preview=evil; Secure; Path=/"),
            ("strict-transport-security", "max-age=1; includeSubDomains"),
            ("clear-site-data", "\"*\""),
            ("location", "http://localhost:3000/next?x=1"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("content-type", "text/html"),
        ]);
        to_browser(&mut headers, 3000, false);
        let expected = map(&[
            ("set-cookie", "a=1; Path=/; HttpOnly"),
            ("set-cookie", "b=2"),
            ("location", "/next?x=1"),
            ("content-type", "text/html"),
        ]);
        assert_eq!(headers, expected);
        for (to, path) in [
            ("http://127.0.0.1:3000", Some("/")),
            ("http://localhost:3001/a", None),
            ("https://example.com/a", None),
            ("/a", None),
        ] {
            assert_eq!(here(to, 3000).as_deref(), path, "{to}");
        }
    }
}
