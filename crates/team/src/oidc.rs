//! OpenID providers: Google and any other that can be discovered. Each is looked up when it is first needed, so that one
//! that is away keeps nobody from signing in another way.

mod discovery;
mod http;
mod person;

use std::sync::Arc;

use guildhall_llm::Secret;
use openidconnect::IssuerUrl;
use url::{Host, Url};

use crate::TeamError;

pub(crate) use discovery::Provider;
pub(crate) use http::{bounded, careful};
pub use person::Person;
pub(crate) use person::{SKEW, Secrets};

/// The name of Google among the providers, which also stands in its own addresses.
pub const GOOGLE: &str = "google";

/// A provider as the operator names it.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Its name in addresses.
    pub name: String,
    /// Its name on buttons.
    pub label: String,
    /// Its issuer, letter by letter as the provider writes it.
    pub issuer: String,
    /// By what it knows this server.
    pub client_id: String,
    /// By what this server proves that it is the one.
    pub client_secret: Secret,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
}

impl ProviderSettings {
    /// What is asked for unless the operator says otherwise.
    pub fn usual_scopes() -> Vec<String> {
        vec!["email".to_owned(), "profile".to_owned()]
    }

    /// Google.
    pub fn google(client_id: &str, client_secret: Secret) -> Self {
        Self {
            name: GOOGLE.to_owned(),
            label: "Google".to_owned(),
            issuer: "https://accounts.google.com".to_owned(),
            client_id: client_id.to_owned(),
            client_secret,
            scopes: Self::usual_scopes(),
        }
    }

    /// The address at which a sign-in begins; the provider leads back to the same with `/callback`.
    pub fn path(&self) -> String {
        match self.name.as_str() {
            GOOGLE => "/api/auth/google".to_owned(),
            name => format!("/api/auth/oidc/{name}"),
        }
    }

    /// Whether the provider is on this machine, as for trying things out. Plain http is taken from such a one alone.
    pub(crate) fn is_local(&self) -> bool {
        Url::parse(&self.issuer).is_ok_and(|url| is_loopback(&url))
    }
}

/// Whether what is said to or by a provider may go this way.
fn is_safe(url: &Url, local: bool) -> bool {
    url.scheme() == "https" || (local && url.scheme() == "http" && is_loopback(url))
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The providers by which members may sign in. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Providers(Arc<Vec<Provider>>);

impl Providers {
    /// These providers. Asks none of them anything yet.
    ///
    /// # Errors
    /// When an issuer is no address, or the system's certificates cannot be loaded.
    pub fn new(all: Vec<ProviderSettings>) -> Result<Self, TeamError> {
        guildhall_llm::ready_tls();
        let make = |settings: ProviderSettings| {
            let issuer = IssuerUrl::new(settings.issuer.clone())
                .map_err(|error| TeamError::internal("reading a provider's issuer", error))?;
            Ok(Provider::new(settings, issuer, http::Http::new()?))
        };
        Ok(Self(Arc::new(all.into_iter().map(make).collect::<Result<_, TeamError>>()?)))
    }

    /// All of them, in the operator's order.
    pub fn all(&self) -> impl Iterator<Item = &ProviderSettings> {
        self.0.iter().map(|provider| &provider.settings)
    }

    /// Their issuers.
    pub fn issuers(&self) -> Vec<String> {
        self.all().map(|settings| settings.issuer.clone()).collect()
    }

    /// The one of this issuer.
    pub fn of_issuer(&self, issuer: &str) -> Option<&ProviderSettings> {
        self.all().find(|settings| settings.issuer == issuer)
    }

    /// What people call the one of this issuer, where there is one.
    pub fn label_of<'a>(&'a self, issuer: &'a str) -> &'a str {
        self.of_issuer(issuer).map_or(issuer, |settings| settings.label.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.settings.name == name)
    }

    /// Asks the provider of this name who it is; for operators. Returns what it says of itself, or what is wrong.
    ///
    /// # Errors
    /// A sentence.
    pub async fn examine(&self, name: &str) -> Result<String, String> {
        let provider = self.get(name).ok_or_else(|| format!("there is no provider {name}"))?;
        let known = provider.discover().await.map_err(|error| error.to_string())?;
        let keys = known.jwks().keys().len();
        match provider.algorithms(&known).is_empty() {
            true => Err("it signs by no algorithm that is taken here (RS256, ES256, EdDSA and their kin)".to_owned()),
            false if keys == 0 => Err("it publishes no key to check its signatures by".to_owned()),
            false => Ok(format!("{} answers and publishes {keys} key(s)", provider.settings.issuer)),
        }
    }
}

/// What went wrong with a provider. For the log; members are told less.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// It does not answer, or not in a way that is understood.
    #[error("{0}")]
    Away(String),
    /// It ended the sign-in.
    #[error("the provider ended the sign-in: {0}")]
    Ended(String),
    /// What it says cannot be believed.
    #[error("what the provider says cannot be believed: {0}")]
    Untrusted(String),
}

impl ProviderError {
    fn away(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Away(chain(error))
    }

    /// As a member is told.
    pub(crate) fn told(self, label: &str) -> TeamError {
        tracing::warn!(provider = label, error = %self, "a sign-in by a provider failed");
        let (code, message) = match self {
            Self::Away(_) => (
                "provider-away",
                format!("{label} cannot be reached at the moment; try again in a minute, or sign in another way"),
            ),
            Self::Ended(_) => ("provider-ended", format!("{label} ended the sign-in; begin again")),
            Self::Untrusted(_) => (
                "provider-untrusted",
                format!(
                    "what {label} answered could not be verified, so nobody was signed in; begin again, and tell your operator if it stays so"
                ),
            ),
        };
        TeamError::conflict(code, message)
    }
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (url, local, safe) in [
            ("https://id.example.com/x", false, true),
            ("http://id.example.com/x", false, false),
            ("http://id.example.com/x", true, false),
            ("http://127.0.0.1:9/x", true, true),
            ("http://127.0.0.1:9/x", false, false),
            ("http://localhost/x", true, true),
            ("ftp://127.0.0.1/x", true, false),
        ] {
            assert_eq!(is_safe(&Url::parse(url).unwrap(), local), safe, "{url} {local}");
        }
    }
}
