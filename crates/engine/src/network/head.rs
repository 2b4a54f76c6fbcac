//! The head of a request to the proxy: read strictly, and written anew for whoever is asked.
//!
//! What is passed on is put together out of what was understood, never copied as it came: so the proxy and the host that
//! answers cannot take it for two different things.

use guildhall_types::network::{HostName, port_number};
use httparse::{EMPTY_HEADER, Header};

use super::body::Body;

/// Header lines of a request or an answer at most.
pub(super) const HEADERS: usize = 100;
/// Characters that are repeated of what cannot be asked for.
const SHOWN: usize = 100;

/// A refusal, as the command that asked is told it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// A sentence, in ASCII, without control characters.
    pub(super) words: String,
}

impl Answer {
    pub(super) fn new(status: u16, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }
}

/// What a command asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) host: HostName,
    pub(super) port: u16,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A connection, whatever goes through it.
    Tunnel,
    /// One request in plain HTTP: its head as it is passed on, how its body ends, and whether its answer has none.
    Plain { head: Vec<u8>, body: Body, bodiless: bool },
}

/// Reads a head, which ends with its empty line.
pub(super) fn read(bytes: &[u8]) -> Result<Request, Answer> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !line.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return Err(Answer::new(403, "An address holds no control characters and nothing but ASCII."));
    }
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(status) if status.is_complete() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Answer::new(431, "The request has too many headers.")),
        _ => return Err(unreadable()),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(unreadable());
    };
    let headers = &*request.headers;
    if method == "CONNECT" {
        let (host, port) = authority(target, None)?;
        agrees(headers, &host, port, None)?;
        if !matches!(Body::of(headers, minor)?, Body::None | Body::Length(0)) {
            return Err(Answer::new(400, "A CONNECT request has no body."));
        }
        return Ok(Request { host, port, kind: Kind::Tunnel });
    }
    let rest = match target.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
            return Err(Answer::new(400, "This proxy does not speak TLS for a command; ask by CONNECT."));
        }
        Some(_) => return Err(Answer::new(403, "Only http and https lead out.")),
        None => {
            return Err(Answer::new(
                400,
                "This is the proxy that leads out of the sandbox; ask it as a proxy is asked.",
            ));
        }
    };
    let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (name, path) = rest.split_at(cut);
    if path.contains('#') {
        return Err(Answer::new(400, "A request names no fragment."));
    }
    let (host, port) = authority(name, Some(80))?;
    agrees(headers, &host, port, Some(80))?;
    let body = Body::of(headers, minor)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut head = format!("{method} {slash}{path} HTTP/1.{minor}\r\nHost: {host}");
    if port != 80 {
        head.push_str(&format!(":{port}"));
    }
    head.push_str("\r\n");
    let mut head = head.into_bytes();
    pass_on(headers, &mut head, &["host", "content-length", "transfer-encoding"]);
    head.extend_from_slice(body.header().as_bytes());
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    Ok(Request { host, port, kind: Kind::Plain { head, body, bodiless: method == "HEAD" } })
}

fn unreadable() -> Answer {
    Answer::new(400, "The request cannot be read as HTTP/1.1.")
}

/// Writes the headers that are for whoever is at the other end, but for these: none that is for the next hop alone.
pub(super) fn pass_on(headers: &[Header<'_>], to: &mut Vec<u8>, but: &[&str]) {
    let named: Vec<String> = values(headers, "connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .collect();
    for header in headers {
        let name = header.name.to_ascii_lowercase();
        let hop = matches!(name.as_str(), "connection" | "keep-alive" | "te" | "trailer" | "upgrade")
            || name.starts_with("proxy-");
        let framing = matches!(name.as_str(), "content-length" | "transfer-encoding");
        if hop || but.contains(&name.as_str()) || !framing && named.contains(&name) {
            continue;
        }
        to.extend_from_slice(header.name.as_bytes());
        to.extend_from_slice(b": ");
        to.extend_from_slice(header.value);
        to.extend_from_slice(b"\r\n");
    }
}

/// The values of a header.
pub(super) fn values<'h>(headers: &'h [Header<'h>], name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// The host and the port that are asked for.
fn authority(text: &str, usual: Option<u16>) -> Result<(HostName, u16), Answer> {
    let shown: String = text.chars().take(SHOWN).collect();
    let refused = |why: &str| Answer::new(403, format!("{shown:?} cannot be asked for: {why}."));
    if text.contains('@') {
        return Err(refused("a name and a password have no place in an address"));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, Some(port_number(port).ok_or_else(|| refused("behind the colon there must be a port"))?))
        }
        _ => (text, usual),
    };
    // Why a name is refused may be said in more than ASCII.
    let host = HostName::parse(host).map_err(|bad| refused(&bad.to_string().replace('…', "...")))?;
    Ok((host, port.ok_or_else(|| refused("it names no port"))?))
}

/// Whether the Host header, if there is one, names what the request names. One that names no port leaves it open.
fn agrees(headers: &[Header<'_>], host: &HostName, port: u16, usual: Option<u16>) -> Result<(), Answer> {
    let mut named = values(headers, "host");
    let Some(first) = named.next() else { return Ok(()) };
    let text = str::from_utf8(first).unwrap_or_default().trim();
    let (name, said) = match text.rsplit_once(':') {
        Some((name, said)) => (name, port_number(said)),
        None => (text, Some(usual.unwrap_or(port))),
    };
    let same = said == Some(port) && HostName::parse(name).is_ok_and(|name| name == *host);
    match same && named.next().is_none() {
        true => Ok(()),
        false => Err(Answer::new(400, "The Host header names another host than the request.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (u16, String) {
        let answer = read(text.as_bytes()).unwrap_err();
        assert!(answer.words.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", answer.words);
        (answer.status, answer.words)
    }

    fn plain(text: &str) -> (String, Body) {
        match read(text.as_bytes()).unwrap().kind {
            Kind::Plain { head, body, .. } => (String::from_utf8(head).unwrap(), body),
            Kind::Tunnel => panic!("a tunnel"),
        }
    }

    #[test]
    fn what_no_command_may_ask_for_is_refused() {
        for target in [
            "evil\0.allowed.example:443",
            "evil\u{1}.allowed.example:443",
            "allowed.example.:443",
            "127.0.0.1:443",
            "127.1:443",
            "2130706433:443",
            "0x7f000001:443",
            "0177.0.0.1:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:443",
            "::1:443",
            "user@allowed.example:443",
            "allowed.example@evil.example:443",
            "localhost:443",
            "allowed.example",
            "allowed.example:",
            "allowed.example:0",
            "allowed.example:99999",
            "allowed.example:+443",
            "b\u{fc}cher.example:443",
            "allowed.example%00:443",
            "allowed.example\t:443",
            ":443",
        ] {
            let (status, words) = refusal(&format!("CONNECT {target} HTTP/1.1\r\n\r\n"));
            assert_eq!(status, 403, "{target:?} {words}");
            if let Some(name) = target.strip_suffix(":443") {
                let (status, words) = refusal(&format!("GET http://{name}/ HTTP/1.1\r\n\r\n"));
                assert_eq!(status, 403, "{target:?} {words}");
            }
        }
        for target in ["ftp://allowed.example/", "file://allowed.example/", "ws://allowed.example/"] {
            assert_eq!(refusal(&format!("GET {target} HTTP/1.1\r\n\r\n")).0, 403, "{target}");
        }
        for target in ["/", "*", "allowed.example", "https://allowed.example/", "http://allowed.example/#x"] {
            assert_eq!(refusal(&format!("GET {target} HTTP/1.1\r\n\r\n")).0, 400, "{target}");
        }
    }

    #[test]
    fn what_could_be_taken_for_two_things_is_refused() {
        for headers in [
            "Host: other.example",
            "Host: a.example\r\nHost: a.example",
            "Host: a.example\r\nHost: b.example",
            "Host: a.example:81",
            "Host: a.example.",
            "Host: u@a.example",
            "Host:",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: +1",
            "Content-Length: 1, 1",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: x",
            "Bad Name: x",
            "Folded: a\r\n b",
            "Nul: a\0b",
            "No colon",
        ] {
            assert_eq!(refusal(&format!("POST http://a.example/ HTTP/1.1\r\n{headers}\r\n\r\n")).0, 400, "{headers}");
        }
        assert_eq!(refusal("POST http://a.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").0, 400);
        assert_eq!(refusal("CONNECT a.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n").0, 400);
        assert_eq!(refusal("CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\n").0, 400);
        let many = "X: y\r\n".repeat(HEADERS + 1);
        assert_eq!(refusal(&format!("GET http://a.example/ HTTP/1.1\r\n{many}\r\n")).0, 431);
    }

    #[test]
    fn a_request_is_passed_on_without_what_was_for_the_proxy() {
        let (head, body) = plain(
            "POST http://A.example:8080?q=1 HTTP/1.1\r\nHost: a.EXAMPLE:8080\r\nProxy-Authorization: Basic x\r\n\
             Proxy-Connection: keep-alive\r\nConnection: keep-alive, X-Own, Content-Length\r\nX-Own: 1\r\nKeep-Alive: 5\r\n\
             Upgrade: websocket\r\nTE: trailers\r\nAccept: */*\r\nContent-Length: 5\r\n\r\n",
        );
        assert_eq!(
            head,
            "POST /?q=1 HTTP/1.1\r\nHost: a.example:8080\r\nAccept: */*\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(body, Body::Length(5));
        let (head, body) = plain("GET HTTP://a.example HTTP/1.0\r\n\r\n");
        assert_eq!(head, "GET / HTTP/1.0\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        assert_eq!(body, Body::None);
        let (head, body) = plain("PUT http://a.example/x HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n");
        assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
        assert!(matches!(body, Body::Chunked(_)));
        for host in ["", "Host: A.example:443\r\n", "Host: a.example\r\n"] {
            let read = read(format!("CONNECT a.Example:443 HTTP/1.1\r\n{host}\r\n").as_bytes()).unwrap();
            assert_eq!((read.host.as_str(), read.port, read.kind), ("a.example", 443, Kind::Tunnel));
        }
    }
}
