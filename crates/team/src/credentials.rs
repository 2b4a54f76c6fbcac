//! Keys: put in place, tested, deleted. A key comes in and never goes out.

use std::time::Duration;

use guildhall_llm::{Endpoint, ErrorKind, LlmError, Secret};
use guildhall_store::{NewCredential, NewTeamCredential, credential_identity, team_credential_identity};
use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::{Credential, ListedModel, ProviderKind, TeamCredential};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Team, TeamError};

/// Characters of a key that are shown.
const HINT: usize = 4;
/// Characters that a key has at least; a shorter one is a slip of the hand, and its hint would show too much of it.
const SHORTEST: usize = 12;
const LONGEST: usize = 500;
/// How long a provider may take to answer while a member waits for it.
const WAIT: Duration = Duration::from_secs(15);

/// What a provider says of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyTest {
    /// Whether it takes the key.
    pub ok: bool,
    /// What it said, in a sentence.
    pub message: String,
}

/// The team's key for a provider, as far as every member may know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamKey {
    /// Which provider it is for.
    pub provider: ProviderKind,
    /// Whether an admin put it in place here; otherwise the operator gave it in the server's configuration.
    pub by_admin: bool,
    /// Whether this member's runs use it: they have no key of their own.
    pub in_use: bool,
    /// The models that its server listed.
    pub models: Vec<ListedModel>,
}

/// The last characters of a key that is long enough for that.
pub(crate) fn hint(key: &str) -> String {
    let length = key.chars().count();
    if length < SHORTEST { String::new() } else { key.chars().skip(length - HINT).collect() }
}

/// A key that was looked at, with where it leads.
struct Checked {
    key: String,
    hint: String,
    base_url: Option<String>,
    models: Vec<ListedModel>,
}

impl Team {
    /// Seals a member's key and puts it in place of the former one.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for what is no key or no address that may be called.
    pub async fn put_credential(
        &self,
        member: MemberId,
        provider: ProviderKind,
        key: &str,
        base_url: Option<&str>,
    ) -> Result<Credential, TeamError> {
        let Checked { key, hint, base_url, models } = self.looked_at(provider, key, base_url).await?;
        self.sealing(&credential_identity(member, provider), key.as_bytes(), |secret| {
            let (store, hint, base_url, models) = (self.store.clone(), hint.clone(), base_url.clone(), models.clone());
            let new = NewCredential { member_id: member, provider, secret, hint, base_url, models };
            async move { store.put_credential(&new).await }
        })
        .await
    }

    /// Seals a key for the whole team and puts it in place of the former one.
    ///
    /// # Errors
    /// As for a member's key; also for a provider of which a team can have no key.
    pub async fn put_team_credential(
        &self,
        put_by: MemberId,
        provider: ProviderKind,
        key: &str,
        base_url: Option<&str>,
    ) -> Result<TeamCredential, TeamError> {
        if !provider.is_called() {
            return Err(TeamError::invalid("provider", "a subscription belongs to one person; no team can have it"));
        }
        let Checked { key, hint, base_url, models } = self.looked_at(provider, key, base_url).await?;
        self.sealing(&team_credential_identity(provider), key.as_bytes(), |secret| {
            let (store, hint, base_url, models) = (self.store.clone(), hint.clone(), base_url.clone(), models.clone());
            let new = NewTeamCredential { put_by, provider, secret, hint, base_url, models };
            async move { store.put_team_credential(&new).await }
        })
        .await
    }

    async fn looked_at(&self, provider: ProviderKind, key: &str, base_url: Option<&str>) -> Result<Checked, TeamError> {
        let key = key.trim();
        let length = key.chars().count();
        // A server in the house may ask for no key, or for any word.
        let shortest = if provider == ProviderKind::Compatible { 0 } else { SHORTEST };
        if !(shortest..=LONGEST).contains(&length) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TeamError::invalid("key", "this is no provider's key; copy it whole, without spaces"));
        }
        let hint = hint(key);
        let base_url = base_url.map(str::trim).filter(|url| !url.is_empty());
        if !provider.is_called() {
            return match base_url {
                Some(_) => Err(TeamError::invalid("baseUrl", "a subscription has no address of its own; leave it out")),
                None => Ok(Checked { key: key.to_owned(), hint, base_url: None, models: Vec::new() }),
            };
        }
        let mut endpoint = Endpoint::new(provider, base_url, Secret::new(key))
            .map_err(|reason| TeamError::invalid("baseUrl", reason))?;
        if base_url.is_some() {
            endpoint = endpoint.guarded();
        }
        self.client.admits(&endpoint).map_err(|error| TeamError::invalid("baseUrl", error.to_string()))?;
        let mut models = Vec::new();
        if provider == ProviderKind::Compatible {
            match self.listed(&endpoint).await {
                Ok(list) => models = list,
                Err(error) if error.kind == ErrorKind::Blocked => {
                    return Err(TeamError::invalid("baseUrl", error.to_string()));
                }
                // The key may be meant for a server that does not run yet; a test says what is wrong.
                Err(error) => tracing::debug!(kind = error.kind.code(), "a server did not list its models"),
            }
        }
        let base_url = base_url.map(|_| endpoint.base_url.to_string());
        Ok(Checked { key: key.to_owned(), hint, base_url, models })
    }

    async fn listed(&self, endpoint: &Endpoint) -> Result<Vec<ListedModel>, LlmError> {
        match tokio::time::timeout(WAIT, self.client.models(endpoint)).await {
            Ok(listed) => listed,
            Err(_) => Err(LlmError {
                kind: ErrorKind::Idle,
                message: format!("the provider did not answer for {} s", WAIT.as_secs()),
                retry_after: None,
                limits: None,
                partial: None,
                source: None,
            }),
        }
    }

    /// Asks the provider whether it knows the member's key. The answer is a sentence either way.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the member has none, [`TeamError::Conflict`] for a kind that cannot be tested.
    pub async fn test_credential(&self, member: MemberId, provider: ProviderKind) -> Result<KeyTest, TeamError> {
        let kept = self.store.sealed_credential(member, provider).await?;
        let kept = kept.ok_or(TeamError::NotFound { what: "key of this provider" })?;
        testable(provider)?;
        let endpoint = self.endpoint(provider, &credential_identity(member, provider), &kept)?;
        let (test, models) = self.test(&endpoint).await;
        let note = Note::new(AuditAction::TestCredential).on(AuditObject::Credential, provider);
        self.store.audit(note.with("taken", test.ok)).await?;
        if let Some(models) = models {
            self.store.keep_models(member, provider, &models).await?;
        }
        Ok(test)
    }

    /// The same for the team's key: the one that an admin put in place, else the operator's.
    ///
    /// # Errors
    /// As for a member's key.
    pub async fn test_team_credential(&self, provider: ProviderKind) -> Result<KeyTest, TeamError> {
        testable(provider)?;
        let kept = self.store.sealed_team_credential(provider).await?;
        let endpoint = match &kept {
            Some(kept) => self.endpoint(provider, &team_credential_identity(provider), kept)?,
            None => {
                let given = self.providers.of(provider).cloned();
                given.ok_or(TeamError::NotFound { what: "key of the team for this provider" })?
            }
        };
        let (test, models) = self.test(&endpoint).await;
        let note = Note::new(AuditAction::TestTeamCredential).on(AuditObject::Credential, provider);
        self.store.audit(note.with("taken", test.ok)).await?;
        if let Some(models) = models.filter(|_| kept.is_some()) {
            self.store.keep_team_models(provider, &models).await?;
        }
        Ok(test)
    }

    /// Tries a key; with it come the models of a server that has its own.
    async fn test(&self, endpoint: &Endpoint) -> (KeyTest, Option<Vec<ListedModel>>) {
        match self.listed(endpoint).await {
            Ok(models) if endpoint.provider == ProviderKind::Compatible => {
                let message = match models.len() {
                    0 => "The server answers, but lists no models. Type a model's name on the card.".to_owned(),
                    1 => {
                        "The server answers and lists one model. Not every server looks at the key for that.".to_owned()
                    }
                    n => {
                        format!("The server answers and lists {n} models. Not every server looks at the key for that.")
                    }
                };
                (KeyTest { ok: true, message }, Some(models))
            }
            Ok(_) => (KeyTest { ok: true, message: "The provider knows this key.".to_owned() }, None),
            Err(error) => (KeyTest { ok: false, message: format!("{error}. {}", error.kind.hint()) }, None),
        }
    }

    /// The team's keys, as far as every member may know of them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn team_keys(&self, member: MemberId) -> Result<Vec<TeamKey>, TeamError> {
        let own: Vec<ProviderKind> =
            self.store.credentials_of(member).await?.into_iter().map(|credential| credential.provider).collect();
        let by_admin = self.store.team_credentials().await?;
        let mut keys = Vec::new();
        for provider in ProviderKind::ALL.iter().copied() {
            let in_use = !own.contains(&provider);
            if let Some(kept) = by_admin.iter().find(|kept| kept.provider == provider) {
                keys.push(TeamKey { provider, by_admin: true, in_use, models: kept.models.clone() });
            } else if self.providers.of(provider).is_some() {
                keys.push(TeamKey { provider, by_admin: false, in_use, models: Vec::new() });
            }
        }
        Ok(keys)
    }
}

fn testable(provider: ProviderKind) -> Result<(), TeamError> {
    match provider.is_called() {
        true => Ok(()),
        false => Err(TeamError::conflict(
            "not-testable",
            "a subscription's token is only kept for an external agent; the server never uses it, so it cannot be tested",
        )),
    }
}
