//! Who somebody is, by what a provider says, once it was checked that it says so, to us, now, and for this very try.

use std::borrow::Cow;
use std::time::Duration as StdDuration;

use chrono::Duration;
use guildhall_types::DateTime;
use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreGenderClaim, CoreIdToken,
    CoreIdTokenClaims, CoreIdTokenVerifier, CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EmptyAdditionalClaims, EndpointMaybeSet, EndpointNotSet, EndpointSet, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    TokenResponse, UserInfoClaims, UserInfoError,
};
use url::Url;

use super::discovery::{Metadata, Provider};
use super::{GOOGLE, ProviderError};
use crate::accounts::plain_email;

/// How far the provider's clock may be from ours.
pub(crate) const SKEW: Duration = Duration::minutes(2);
/// Characters of a subject at most, as OpenID Connect has it.
const SUBJECT: usize = 255;

/// Who somebody is, by what a provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The provider.
    pub issuer: String,
    /// The account, as the provider names it for good.
    pub subject: String,
    /// The e-mail address, in lower case, whether it is the person's or not.
    pub email: Option<String>,
    /// Whether the provider has made sure that the address is the person's.
    pub email_verified: bool,
    /// The name.
    pub name: Option<String>,
    /// Where there is a picture.
    pub picture: Option<Url>,
    /// When the person last proved to the provider who they are, if it says so.
    pub auth_time: Option<DateTime>,
}

impl Person {
    /// The e-mail address, if it can be believed.
    pub fn verified_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_verified)
    }
}

/// What a try knows that is not in its addresses.
pub(crate) struct Secrets {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

fn untrusted(error: impl std::error::Error + 'static) -> ProviderError {
    ProviderError::Untrusted(super::chain(&error))
}

impl Provider {
    fn client(&self, metadata: &Metadata) -> Client {
        let id = ClientId::new(self.settings.client_id.clone());
        let secret = ClientSecret::new(self.settings.client_secret.expose().to_owned());
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, Some(secret));
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
        match takes(CoreClientAuthMethod::ClientSecretBasic) || !takes(CoreClientAuthMethod::ClientSecretPost) {
            true => client.set_auth_type(AuthType::BasicAuth),
            false => client.set_auth_type(AuthType::RequestBody),
        }
    }

    /// The address at the provider where the person says who they are. `fresh` asks that they prove it anew.
    pub(crate) async fn address(
        &self,
        redirect: &RedirectUrl,
        secrets: &Secrets,
        fresh: bool,
        now: DateTime,
    ) -> Result<Url, ProviderError> {
        let metadata = self.metadata(now).await?;
        let client = self.client(&metadata);
        let verifier = PkceCodeVerifier::new(secrets.verifier.clone());
        let (state, nonce) = (CsrfToken::new(secrets.state.clone()), Nonce::new(secrets.nonce.clone()));
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .set_redirect_uri(Cow::Borrowed(redirect))
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new));
        if fresh {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(StdDuration::ZERO);
            if self.settings.name == GOOGLE || metadata.claims_parameter_supported() == Some(true) {
                request = request.add_extra_param("claims", r#"{"id_token":{"auth_time":{"essential":true}}}"#);
            }
        }
        Ok(request.url().0)
    }

    /// Whether an answer that names this issuer, or none, can be the provider's (RFC 9207).
    pub(crate) async fn answers_as(&self, issuer: Option<&str>, now: DateTime) -> Result<(), ProviderError> {
        let metadata = self.metadata(now).await?;
        match issuer {
            Some(issuer) if issuer == self.issuer.as_str() => Ok(()),
            Some(_) => Err(ProviderError::Untrusted("the answer comes from another issuer".to_owned())),
            None if metadata.additional_metadata().authorization_response_iss_parameter_supported => Err(
                ProviderError::Untrusted("the answer does not name its issuer, as this one says it does".to_owned()),
            ),
            None => Ok(()),
        }
    }

    /// Exchanges a code for what the provider says of the person, and checks all of it.
    pub(crate) async fn person(
        &self,
        code: String,
        redirect: &RedirectUrl,
        secrets: &Secrets,
        started: DateTime,
        now: DateTime,
    ) -> Result<Person, ProviderError> {
        let mut metadata = self.metadata(now).await?;
        let client = self.client(&metadata);
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::away(&error))?
            .set_pkce_verifier(PkceCodeVerifier::new(secrets.verifier.clone()))
            .set_redirect_uri(Cow::Borrowed(redirect))
            .request_async(&self.http)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(answer) => ProviderError::Ended(answer.to_string()),
                error => ProviderError::away(&error),
            })?;
        let token = answer.id_token().ok_or_else(|| ProviderError::Untrusted("there is no ID token".to_owned()))?;
        let nonce = Nonce::new(secrets.nonce.clone());
        let checked = token.claims(&self.verifier(&metadata, started, now), &nonce);
        let claims = match checked {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                metadata = self.with_new_keys(now).await.ok_or_else(|| {
                    ProviderError::Untrusted("the ID token is signed by a key that is not published".to_owned())
                })?;
                token.claims(&self.verifier(&metadata, started, now), &nonce)
            }
            checked => checked,
        }
        .map_err(untrusted)?;
        self.check_rest(token, claims, &answer, &metadata, started, now)?;
        self.read(claims, answer.access_token(), &metadata).await
    }

    fn verifier(&self, metadata: &Metadata, started: DateTime, now: DateTime) -> CoreIdTokenVerifier<'static> {
        let id = ClientId::new(self.settings.client_id.clone());
        // A public client's verifier takes no signature by a shared secret, whatever the token says of itself.
        CoreIdTokenVerifier::new_public_client(id, self.issuer.clone(), metadata.jwks().clone())
            .set_allowed_algs(self.algorithms(metadata))
            .set_time_fn(move || now - SKEW)
            .set_issue_time_verifier_fn(move |at| match at <= now + SKEW && at >= started - SKEW {
                true => Ok(()),
                false => Err(format!("the ID token was issued at {at}, which is not now")),
            })
    }

    /// What the library leaves to us: for whom the token was made, and the access token beside it.
    fn check_rest(
        &self,
        token: &CoreIdToken,
        claims: &CoreIdTokenClaims,
        answer: &CoreTokenResponse,
        metadata: &Metadata,
        started: DateTime,
        now: DateTime,
    ) -> Result<(), ProviderError> {
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.settings.client_id) {
            return Err(ProviderError::Untrusted("the ID token was made for another client (azp)".to_owned()));
        }
        if let Some(told) = claims.access_token_hash() {
            let verifier = self.verifier(metadata, started, now);
            let algorithm = token.signing_alg().map_err(untrusted)?;
            let key = token.signing_key(&verifier).map_err(untrusted)?;
            let made = AccessTokenHash::from_token(answer.access_token(), algorithm, key).map_err(untrusted)?;
            if made != *told {
                return Err(ProviderError::Untrusted("the access token is not the one that was signed".to_owned()));
            }
        }
        Ok(())
    }

    /// Reads who the person is, from the ID token, or where that says no address, from the provider's own page on them.
    async fn read(
        &self,
        claims: &CoreIdTokenClaims,
        access: &AccessToken,
        metadata: &Metadata,
    ) -> Result<Person, ProviderError> {
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > SUBJECT || subject.chars().any(char::is_control) {
            return Err(ProviderError::Untrusted("the subject is none".to_owned()));
        }
        let more: Option<UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>> =
            match claims.email().is_none() && metadata.userinfo_endpoint().is_some() {
                true => {
                    let client = self.client(metadata);
                    let request = client
                        .user_info(access.clone(), Some(claims.subject().clone()))
                        .map_err(|error| ProviderError::away(&error))?;
                    Some(request.request_async(&self.http).await.map_err(|error| match error {
                        UserInfoError::ClaimsVerification(error) => untrusted(error),
                        error => ProviderError::away(&error),
                    })?)
                }
                false => None,
            };
        let (email, verified, name, picture) = match &more {
            Some(more) => (more.email(), more.email_verified(), more.name(), more.picture()),
            None => (claims.email(), claims.email_verified(), claims.name(), claims.picture()),
        };
        Ok(Person {
            issuer: self.issuer.as_str().to_owned(),
            subject: subject.to_owned(),
            email: email.and_then(|email| plain_email(email.as_str()).ok()),
            email_verified: verified == Some(true),
            name: name.and_then(|name| name.get(None)).map(|name| name.as_str().to_owned()),
            picture: picture.and_then(|picture| picture.get(None)).and_then(|url| Url::parse(url.as_str()).ok()),
            auth_time: claims.auth_time(),
        })
    }
}
