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
    /// The key; empty where a server asks for none.
    pub key: Secret,
    /// Whether a member chose the address, so that it is looked at before it is called.
    pub guarded: bool,
}

impl Endpoint {
    /// The address of the Anthropic API.
    pub const ANTHROPIC: &str = "https://api.anthropic.com";
    /// The address of the OpenAI API.
    pub const OPENAI: &str = "https://api.openai.com";
    /// The address of the Gemini API in the dialect that many servers speak.
    pub const GOOGLE: &str = "https://generativelanguage.googleapis.com/v1beta/openai";

    /// An endpoint at `base_url`, or at the provider's usual address.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the address.
    pub fn new(provider: ProviderKind, base_url: Option<&str>, key: Secret) -> Result<Self, String> {
        let usual = match provider {
            ProviderKind::Anthropic => Some(Self::ANTHROPIC),
            ProviderKind::Openai => Some(Self::OPENAI),
            ProviderKind::Google => Some(Self::GOOGLE),
            ProviderKind::Compatible => None,
            ProviderKind::ClaudeSubscription => {
                return Err("a subscription's token is only kept for an external agent; it has no address".to_owned());
            }
        };
        let text =
            base_url.map(str::trim).or(usual).ok_or("give the server's address, such as http://10.0.0.5:8000/v1")?;
        let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
        match plain && url.username().is_empty() && url.password().is_none() && url.query().is_none() {
            true => Ok(Self { provider, base_url: url, key, guarded: false }),
            false => Err("give an http or https address without a user, a password or a query".to_owned()),
        }
    }

    /// The same endpoint, whose address a member chose: see [`crate::Reach`].
    #[must_use]
    pub fn guarded(mut self) -> Self {
        self.guarded = true;
        self
    }

    /// The address of one of the provider's routes. A base URL may end with the version or leave it out; one of a
    /// compatible server is taken as it is, if it has a path at all, because not all of them have `/v1`.
    pub(crate) fn route(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        let base = url.path().trim_end_matches('/');
        let base = match self.provider {
            ProviderKind::Google => base.to_owned(),
            ProviderKind::Compatible if !base.is_empty() => {
                base.strip_suffix("/chat/completions").unwrap_or(base).to_owned()
            }
            _ => format!("{}/v1", base.strip_suffix("/v1").unwrap_or(base)),
        };
        url.set_path(&format!("{base}/{path}"));
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
    fn each_provider_has_its_address_and_its_routes() {
        use ProviderKind::*;
        for (provider, base, path, route) in [
            (Openai, None, "responses", "https://api.openai.com/v1/responses"),
            (Openai, Some("http://x/openai/v1"), "responses", "http://x/openai/v1/responses"),
            (
                Google,
                None,
                "chat/completions",
                "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            ),
            (Compatible, Some("http://x:11434"), "models", "http://x:11434/v1/models"),
            (Compatible, Some("http://x:11434/v1/"), "models", "http://x:11434/v1/models"),
            (Compatible, Some("https://x/api/v1"), "chat/completions", "https://x/api/v1/chat/completions"),
            (Compatible, Some("https://x/paas/v4"), "chat/completions", "https://x/paas/v4/chat/completions"),
            (Compatible, Some("https://x/v1/chat/completions"), "models", "https://x/v1/models"),
        ] {
            let endpoint = Endpoint::new(provider, base, Secret::new("x")).unwrap();
            assert_eq!(endpoint.route(path).as_str(), route);
        }
        assert!(Endpoint::new(Compatible, None, Secret::new("x")).is_err(), "it has no usual address");
        assert!(Endpoint::new(ClaudeSubscription, None, Secret::new("x")).is_err(), "it is never called");
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
