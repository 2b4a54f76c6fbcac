//! Under which names pages of services are shown, and what a request says of that.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use guildhall_team::PREVIEW;
use url::{Host, Url};

use crate::auth::origin::{Public, is_loopback};

/// Names on this machine itself: every browser takes them for the loopback address.
const LOCAL: &str = ".localhost";

/// A label that no service has, by which is seen how these names are served.
const NOBODY: &str = "p-doctor";

/// The names under which an operator lets pages be shown, such as `https://*.preview.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewUrl {
    secure: bool,
    /// What follows the label, with its dot.
    suffix: String,
    /// The port, where it is not the usual one.
    port: Option<u16>,
}

impl std::fmt::Display for PreviewUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin("*"))
    }
}

impl PreviewUrl {
    fn origin(&self, label: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let port = self.port.map_or(String::new(), |port| format!(":{port}"));
        format!("{scheme}://{label}{}{port}", self.suffix)
    }

    /// Reads it: `https://*.` and a name, or `http://*.` and a name below `localhost`, with a port or not, and nothing more.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://*.")?;
        let url = Url::parse(&format!("{scheme}://x.{rest}")).ok()?;
        let Some(Host::Domain(host)) = url.host() else { return None };
        let suffix = host.strip_prefix('x').filter(|suffix| suffix.len() > 2)?.to_owned();
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let secure = match url.scheme() {
            "https" => true,
            "http" if suffix == LOCAL || suffix.ends_with(LOCAL) => false,
            _ => return None,
        };
        (plain && url.password().is_none()).then_some(Self { secure, suffix, port: url.port() })
    }

    /// The host of one of these names, and whether it is on this machine by its name alone.
    pub fn host(&self, label: &str) -> (String, bool) {
        (format!("{label}{}", self.suffix), !self.secure)
    }

    /// These names without the scheme, and an address of one of them, where browsers come by HTTPS. No service has that one.
    pub fn secured(&self) -> Option<(String, Url)> {
        let at = self.secure.then(|| self.origin(NOBODY).parse().ok())??;
        Some((format!("*{}", self.suffix), at))
    }

    /// Whether a host is one of these names.
    pub fn holds(&self, host: &str) -> bool {
        self.label(host).is_some()
    }

    fn label<'a>(&self, host: &'a str) -> Option<&'a str> {
        host.strip_suffix(self.suffix.as_str()).filter(|label| !label.is_empty() && !label.contains('.'))
    }
}

/// Where pages of services are shown.
#[derive(Debug, Clone, Default)]
pub struct Previews(Option<PreviewUrl>);

/// The origin of one service, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which service.
    pub label: String,
    /// Whether browsers come by https.
    pub secure: bool,
    /// The name and the port, as the browser shows them.
    pub authority: String,
}

impl Previews {
    /// Under these names, or below `localhost` where the server is reached on the loopback address alone.
    pub fn new(url: Option<PreviewUrl>) -> Self {
        Self(url)
    }

    /// The origin of a service for a browser that sent these headers; nothing where the operator has to name one.
    pub fn origin(&self, label: &str, headers: &HeaderMap, public: &Public) -> Option<String> {
        if let Some(url) = &self.0 {
            return Some(url.origin(label));
        }
        let site = public.site(headers).filter(is_loopback).filter(|site| site.scheme() == "http")?;
        let port = site.port().map_or(String::new(), |port| format!(":{port}"));
        Some(format!("http://{label}{LOCAL}{port}"))
    }

    /// The place that a request is for; nothing when it is for the house itself.
    pub fn place(&self, request: &Request, public: &Public) -> Option<Place> {
        let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        let authority = named.or_else(|| request.uri().authority().map(|of| of.as_str()))?.to_ascii_lowercase();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &authority,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let (label, secure) = match &self.0 {
            Some(url) => (url.label(host)?, url.secure),
            None if public.is_secure() => return None,
            None => {
                let label = host.strip_suffix(LOCAL).filter(|label| label.starts_with(PREVIEW))?;
                (label, false)
            }
        };
        Some(Place { label: label.to_owned(), secure, authority: authority.clone() })
    }
}

impl Place {
    /// The origin of its pages.
    pub fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// Whether a request may come from where it comes: from its own pages, or from anywhere if it changes nothing and opens no
    /// WebSocket.
    pub fn is_own(&self, headers: &HeaderMap, method: &Method) -> bool {
        let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let upgrade = headers.contains_key(header::UPGRADE);
        match headers.get(header::ORIGIN) {
            Some(origin) => (safe && !upgrade) || origin.as_bytes() == self.origin().as_bytes(),
            // Browsers say it with whatever changes something; what does not is no page of the service's.
            None => safe && !upgrade,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str) -> Request {
        Request::builder().uri("/").header("host", host).body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn names_of_the_operators_are_read_or_refused() {
        for good in [
            "https://*.preview.example.com",
            "https://*.preview.example.com/",
            "https://*.example.dev:8443",
            "http://*.localhost:4300",
            "http://*.pages.localhost",
        ] {
            assert!(PreviewUrl::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "https://preview.example.com",
            "http://*.preview.example.com",
            "https://*.preview.example.com/x",
            "https://*.preview.example.com/?a",
            "https://u:p@*.preview.example.com",
            "https://*.*.example.com",
            "https://a.*.example.com",
            "https://*.",
            "https://*.127.0.0.1",
            "ftp://*.example.com",
        ] {
            assert!(PreviewUrl::parse(bad).is_none_or(|url| url.suffix.contains('*')), "{bad}");
        }
    }

    #[test]
    fn only_names_of_pages_are_taken_for_them() {
        let local = (Previews::default(), Public::default());
        let url = PreviewUrl::parse("https://*.preview.example.com").unwrap();
        let https = Public::new(Some("https://guild.example.com".parse().unwrap()));
        let named = (Previews::new(Some(url)), https.clone());
        let unnamed = (Previews::default(), https);
        for ((previews, public), host, label) in [
            (&local, "p-abc.localhost:4300", Some("p-abc")),
            (&local, "P-ABC.localhost", Some("p-abc")),
            (&local, "p-abc.localhost.:4300", Some("p-abc")),
            (&local, "localhost:4300", None),
            (&local, "127.0.0.1:4300", None),
            (&local, "other.localhost:4300", None),
            (&named, "p-abc.preview.example.com", Some("p-abc")),
            // Whatever is below that name is no page of the house.
            (&named, "www.preview.example.com", Some("www")),
            (&named, "a.b.preview.example.com", None),
            (&named, "preview.example.com", None),
            (&named, "guild.example.com", None),
            (&named, "p-abc.localhost", None),
            (&unnamed, "p-abc.localhost:4300", None),
        ] {
            let place = previews.place(&asked(host), public);
            assert_eq!(place.as_ref().map(|place| place.label.as_str()), label, "{host}");
        }
        let (names, at) = PreviewUrl::parse("https://*.example.dev:8443").and_then(|url| url.secured()).unwrap();
        assert_eq!((names.as_str(), at.as_str()), ("*.example.dev", "https://p-doctor.example.dev:8443/"));
        assert_eq!(PreviewUrl::parse("http://*.localhost:4300").unwrap().secured(), None);
        let headers = asked("127.0.0.1:4300").headers().clone();
        assert_eq!(local.0.origin("p-x", &headers, &local.1).unwrap(), "http://p-x.localhost:4300");
        assert_eq!(named.0.origin("p-x", &headers, &named.1).unwrap(), "https://p-x.preview.example.com");
        assert_eq!(unnamed.0.origin("p-x", &headers, &unnamed.1), None);
    }

    #[test]
    fn other_pages_neither_change_anything_nor_listen() {
        let place = Previews::default().place(&asked("p-a.localhost:1"), &Public::default()).unwrap();
        let with = |origin: Option<&str>, upgrade: bool| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert("origin", origin.parse().unwrap());
            }
            if upgrade {
                headers.insert("upgrade", "websocket".parse().unwrap());
            }
            headers
        };
        let own = "http://p-a.localhost:1";
        for (origin, upgrade, method, fine) in [
            (Some(own), false, Method::POST, true),
            (Some(own), true, Method::GET, true),
            (Some("http://p-b.localhost:1"), false, Method::POST, false),
            (Some("http://p-b.localhost:1"), true, Method::GET, false),
            (Some("http://p-b.localhost:1"), false, Method::GET, true),
            (Some("null"), false, Method::DELETE, false),
            (None, true, Method::GET, false),
            (None, false, Method::GET, true),
            (None, false, Method::POST, false),
            (None, false, Method::PATCH, false),
        ] {
            assert_eq!(place.is_own(&with(origin, upgrade), &method), fine, "{origin:?} {upgrade} {method}");
        }
    }
}
