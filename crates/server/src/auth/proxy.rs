//! Where a request comes from when a proxy stands in front: what the proxies that the operator trusts say, and nobody else.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use crate::app::App;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// By which a span tells another program of itself (W3C's Trace Context).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Puts the client's address in the place of the proxy's. Everything behind this sees the client's alone.
pub async fn see_through(State(app): State<App>, mut request: Request, next: Next) -> Response {
    see_through_of(&app.guard.trusted_proxies, &mut request);
    next.run(request).await
}

/// The same, of one request.
pub(crate) fn see_through_of(trusted: &[IpNet], request: &mut Request) {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    match peer {
        Some(peer) if is_one_of(trusted, &peer.ip().to_canonical()) => {
            let client = client(peer.ip(), request.headers(), trusted);
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, peer.port())));
        }
        // Anybody else could put requests into a trace of theirs, or have each of them kept by the collector.
        _ => drop(request.headers_mut().remove(TRACEPARENT)),
    }
}

fn is_one_of(trusted: &[IpNet], address: &IpAddr) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// Goes from the connection's own address to the left through what each proxy has added, as long as it was added by a
/// proxy that is trusted. What a client wrote into the header stands further left and is not reached.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| is_one_of(trusted, address);
    let said: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    let mut client = peer.to_canonical();
    for part in said.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(&client) {
            break;
        }
        // What cannot be read ends it: the proxy that is known to have said it is as near as one gets.
        let Some(before) = address(part.trim()) else { break };
        client = before;
    }
    client
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = plain.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_may_put_a_request_into_a_trace() {
        let trusted: Vec<IpNet> = vec!["127.0.0.1/32".parse().unwrap()];
        let passes = |trusted: &[IpNet], peer: Option<&str>| {
            let request = Request::builder().header(TRACEPARENT, "00-a").header(FORWARDED_FOR, "198.51.100.1");
            let mut request = request.body(Body::empty()).unwrap();
            if let Some(peer) = peer {
                request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
            }
            see_through_of(trusted, &mut request);
            request.headers().contains_key(TRACEPARENT)
        };
        assert!(passes(&trusted, Some("127.0.0.1:9")) && passes(&trusted, Some("[::ffff:127.0.0.1]:9")));
        assert!(!passes(&trusted, Some("198.51.100.1:9")), "somebody who is not trusted");
        assert!(!passes(&[], Some("127.0.0.1:9")), "nobody is trusted");
        assert!(!passes(&trusted, None));
    }

    #[test]
    fn a_forged_header_is_not_believed() {
        let trusted: Vec<IpNet> = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).into();
        for (peer, lines, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["1.2.3.4, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
            ("127.0.0.1", &["1.2.3.4", "198.51.100.1 , 10.0.0.7"], "198.51.100.1"),
            ("127.0.0.1", &["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
            ("127.0.0.1", &["198.51.100.1, nonsense"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1, , 10.0.0.8"], "10.0.0.8"),
            ("127.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("::ffff:127.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", &["10.0.0.1\u{e9}"], "127.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, axum::http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            assert_eq!(
                client(peer.parse().unwrap(), &headers, &trusted),
                expected.parse::<IpAddr>().unwrap(),
                "{lines:?}"
            );
            assert_eq!(client(peer.parse().unwrap(), &headers, &[]), peer.parse::<IpAddr>().unwrap().to_canonical());
        }
    }
}
