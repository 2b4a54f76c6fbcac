//! What a provider says of itself: looked up when it is needed, kept for a while, and looked up anew when a signature is by
//! a key that is not known.

use std::sync::Arc;

use chrono::Duration;
use guildhall_types::DateTime;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::http::Http;
use super::{ProviderError, ProviderSettings, is_safe};

/// For so long a provider is what it said it was.
const KEPT: Duration = Duration::hours(1);
/// It is asked for new keys no more often than this.
const KEYS: Duration = Duration::minutes(1);

/// What the library does not read by itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct More {
    /// RFC 9207: whether every answer names its issuer.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

/// What a provider says of itself, with its keys.
pub(super) type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Signatures that are taken: those that only the provider can make.
const ALGORITHMS: &[CoreJwsSigningAlgorithm] = &[
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A provider, and what is known of it.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: ProviderSettings,
    pub(super) issuer: IssuerUrl,
    pub(super) http: Http,
    /// Held while it is asked: whoever comes meanwhile waits for the answer instead of asking too.
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    metadata: Arc<Metadata>,
    /// When it was said.
    at: DateTime,
}

impl Provider {
    pub(super) fn new(settings: ProviderSettings, issuer: IssuerUrl, http: Http) -> Self {
        Self { settings, issuer, http, known: Mutex::default() }
    }

    /// What the provider says of itself, at most an hour ago; older while it does not answer.
    pub(super) async fn metadata(&self, now: DateTime) -> Result<Arc<Metadata>, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some(Known { metadata, at }) = &*known
            && *at + KEPT > now
        {
            return Ok(Arc::clone(metadata));
        }
        match (self.discover().await, known.as_ref()) {
            (Ok(metadata), _) => {
                let metadata = Arc::new(metadata);
                *known = Some(Known { metadata: Arc::clone(&metadata), at: now });
                Ok(metadata)
            }
            (Err(error), Some(Known { metadata, .. })) => {
                tracing::warn!(provider = self.settings.name, %error, "a provider is taken for what it was");
                Ok(Arc::clone(metadata))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// The same with the keys of now, because one was used that is not among those that are known; nothing when the provider
    /// was asked a moment ago, or does not answer.
    pub(super) async fn with_new_keys(&self, now: DateTime) -> Option<Arc<Metadata>> {
        let mut known = self.known.lock().await;
        if known.as_ref().is_some_and(|known| known.at + KEYS > now) {
            return None;
        }
        let metadata = Arc::new(self.discover().await.ok()?);
        *known = Some(Known { metadata: Arc::clone(&metadata), at: now });
        Some(metadata)
    }

    /// Asks the provider.
    pub(super) async fn discover(&self) -> Result<Metadata, ProviderError> {
        let metadata = Metadata::discover_async(self.issuer.clone(), &self.http)
            .await
            .map_err(|error| ProviderError::away(&error))?;
        let local = self.settings.is_local();
        let urls: [Option<&Url>; 4] = [
            Some(metadata.authorization_endpoint().url()),
            Some(metadata.jwks_uri().url()),
            metadata.token_endpoint().map(|endpoint| endpoint.url()),
            metadata.userinfo_endpoint().map(|endpoint| endpoint.url()),
        ];
        let unsafe_url = urls.into_iter().flatten().find(|url| !is_safe(url, local)).map(Url::to_string);
        match unsafe_url {
            Some(url) => Err(ProviderError::Away(format!("it names an address that is not https: {url}"))),
            None => Ok(metadata),
        }
    }

    /// By which algorithms the provider signs, of those that are taken.
    pub(super) fn algorithms(&self, metadata: &Metadata) -> Vec<CoreJwsSigningAlgorithm> {
        let named = metadata.id_token_signing_alg_values_supported();
        ALGORITHMS.iter().filter(|algorithm| named.contains(algorithm)).cloned().collect()
    }
}
