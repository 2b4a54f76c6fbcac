//! Where a provider is, and the key to it.

use guildhall_types::member::ProviderKind;
use url::Url;
use zeroize::Zeroizing;

/// A key. Shows nothing of itself, and is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(Zeroizing::new(key.into()))
    }

    /// The key itself. For the header of a request, and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the key, for what a provider answers and a person will read.
    pub(crate) fn scrub(&self, text: &str) -> String {
        match self.0.len() {
            0..8 => text.to_owned(),
            _ => text.replace(self.expose(), "[key]"),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A provider's address and the key to use there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Which protocol it speaks.
    pub provider: ProviderKind,
    /// Such as `https://api.anthropic.com`.
    pub base_url: Url,
    /// The key.
    pub key: Secret,
}

impl Endpoint {
    /// The address of the Anthropic API.
    pub const ANTHROPIC: &str = "https://api.anthropic.com";

    /// An endpoint at `base_url`, or at the provider's usual address.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the address.
    pub fn new(provider: ProviderKind, base_url: Option<&str>, key: Secret) -> Result<Self, String> {
        let ProviderKind::Anthropic = provider;
        let text = base_url.unwrap_or(Self::ANTHROPIC).trim();
        let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
        match plain && url.username().is_empty() && url.password().is_none() && url.query().is_none() {
            true => Ok(Self { provider, base_url: url, key }),
            false => Err("give an http or https address without a user, a password or a query".to_owned()),
        }
    }

    /// The address of one of the provider's routes.
    pub(crate) fn route(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        let base = url.path().trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base);
        let path = format!("{base}/v1/{path}");
        url.set_path(&path);
        url
    }

    /// The host, and the port if it is not the usual one; for messages.
    pub(crate) fn host(&self) -> String {
        let host = self.base_url.host_str().unwrap_or("the provider");
        match self.base_url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint, String> {
        Endpoint::new(ProviderKind::Anthropic, Some(url), Secret::new("sk-test-0123456789"))
    }

    #[test]
    fn a_base_url_may_end_in_many_ways() {
        for (base, route) in [
            ("https://api.example.com", "https://api.example.com/v1/messages"),
            ("https://api.example.com/", "https://api.example.com/v1/messages"),
            ("https://api.example.com/v1/", "https://api.example.com/v1/messages"),
            (" http://10.0.0.1:8080/anthropic ", "http://10.0.0.1:8080/anthropic/v1/messages"),
        ] {
            assert_eq!(endpoint(base).unwrap().route("messages").as_str(), route);
        }
        assert_eq!(endpoint("http://10.0.0.1:8080").unwrap().host(), "10.0.0.1:8080");
        let usual = Endpoint::new(ProviderKind::Anthropic, None, Secret::new("x")).unwrap();
        assert_eq!(usual.host(), "api.anthropic.com");
    }

    #[test]
    fn what_is_no_plain_address_is_refused() {
        for bad in ["", "api.example.com", "ftp://x", "file:///etc/passwd", "https://u:p@x", "https://x?key=1"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_does_not_show() {
        let all = endpoint("https://x").unwrap();
        assert!(!format!("{all:?}").contains("0123456789"));
        assert_eq!(all.key.scrub("no sk-test-0123456789 here"), "no [key] here");
    }
}
