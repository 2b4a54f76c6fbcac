//! Where a program may have its members led back to.

use url::{Host, Url};

/// Characters of an address at most.
const LONGEST: usize = 500;

/// Schemes that editors have registered for themselves. Any other must be one that belongs to a domain (RFC 8252), with a
/// dot in it; so no scheme that a browser itself understands can be meant.
const EDITORS: &[&str] = &["cursor", "vscode", "vscode-insiders", "windsurf", "zed"];

/// Whether members may be led there at all.
pub(super) fn check(uri: &str) -> Result<(), &'static str> {
    let url = Url::parse(uri).map_err(|_| "each must be a whole address")?;
    if uri.len() > LONGEST || uri.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err("each must have 500 characters at most, all of them plain ASCII");
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("none may have a fragment or a user's name");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err("http is for the loopback address alone; use https"),
        scheme if EDITORS.contains(&scheme) || scheme.contains('.') => Ok(()),
        _ => Err("use https, http on the loopback address, or a scheme of your own that has a dot in it"),
    }
}

/// Whether `asked` is one of those that were registered: the same to the letter, but for the port of a loopback address,
/// which a program does not know before it listens (RFC 8252, 7.3).
pub(super) fn is_registered(registered: &[String], asked: &str) -> bool {
    registered.iter().any(|known| known == asked || same_but_for_port(known, asked).unwrap_or(false))
}

fn same_but_for_port(known: &str, asked: &str) -> Option<bool> {
    let without_port = |text: &str| {
        let mut url = Url::parse(text).ok().filter(|url| url.scheme() == "http" && is_loopback(url))?;
        check(text).ok()?;
        url.set_port(None).ok()?;
        Some(url)
    };
    Some(without_port(known)? == without_port(asked)?)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_programs_are_taken() {
        for good in [
            "https://claude.ai/api/mcp/auth_callback",
            "http://localhost:6274/oauth/callback",
            "http://127.0.0.1/callback",
            "http://[::1]:9/cb",
            "cursor://anysphere.cursor-retrieval/oauth/callback",
            "com.example.app:/callback",
        ] {
            check(good).unwrap();
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "http://example.com/callback",
            "http://localhost.example.com/callback",
            "http://127.0.0.1@evil.example/callback",
            "https://user@example.com/",
            "https://example.com/#x",
            "/callback",
            "vbscript:x",
            "https://example.com/a b",
            "",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        let registered = ["http://127.0.0.1:1/cb?x=1".to_owned(), "https://a.example/cb".to_owned()];
        for (asked, known) in [
            ("http://127.0.0.1:1/cb?x=1", true),
            ("http://127.0.0.1:54321/cb?x=1", true),
            ("http://127.0.0.1/cb?x=1", true),
            ("http://127.0.0.1:1/cb", false),
            ("http://127.0.0.1:1/cb/../cb2?x=1", false),
            ("http://localhost:1/cb?x=1", false),
            ("http://x@127.0.0.1:1/cb?x=1", false),
            ("https://a.example/cb", true),
            ("https://a.example:8443/cb", false),
            ("https://a.example/cb/", false),
            ("https://a.example/cb?x", false),
            ("https://a.example.evil.example/cb", false),
        ] {
            assert_eq!(is_registered(&registered, asked), known, "{asked}");
        }
    }
}
