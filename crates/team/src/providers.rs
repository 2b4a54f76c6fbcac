//! Keys, and which model a run calls with whose key.

use guildhall_llm::models::{self, Model};
use guildhall_llm::{Endpoint, Secret};
use guildhall_store::{NewCredential, credential_identity};
use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::feature::FeatureCard;
use guildhall_types::member::{Credential, ProviderKind};
use guildhall_types::project::{Project, ProjectSource};
use guildhall_types::run::KeySource;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Team, TeamError};

/// Characters of a key that are shown.
const HINT: usize = 4;
/// Characters that a key has at least; a shorter one is a slip of the hand, and its hint would show too much of it.
const SHORTEST: usize = 12;
const LONGEST: usize = 500;

/// The keys and addresses that the operator gave to the whole team.
#[derive(Debug, Clone, Default)]
pub struct TeamProviders {
    /// Used by members who have no key of their own.
    pub anthropic: Option<Endpoint>,
    /// A provider that plays a model and asks for no key. The sample project uses it when there is no key.
    pub simulated: Option<Endpoint>,
}

/// Where a run's calls go, and whose key they bear.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The address and the key.
    pub endpoint: Endpoint,
    /// Whose key it is.
    pub source: KeySource,
}

/// A model as it is offered to a member.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelChoice {
    /// What is known of it.
    #[serde(flatten)]
    pub model: Model,
    /// Whether this member can use it now.
    pub usable: bool,
    /// Why not, and what to do.
    pub why: Option<String>,
}

/// The models that are offered to a member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Models {
    /// The models, the recommended one first.
    pub items: Vec<ModelChoice>,
    /// The one that is used where neither card nor project names one; nothing when none can be used.
    pub default: Option<String>,
}

fn no_key() -> TeamError {
    TeamError::conflict(
        "no-key",
        "there is no key for this model's provider: put your Anthropic key in place under Settings, or choose the simulated model where it is offered",
    )
}

impl Team {
    /// Seals a member's key and puts it in place of the former one.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for what is no key or no address.
    pub async fn put_credential(
        &self,
        member: MemberId,
        provider: ProviderKind,
        key: &str,
        base_url: Option<&str>,
    ) -> Result<Credential, TeamError> {
        let key = key.trim();
        let length = key.chars().count();
        if !(SHORTEST..=LONGEST).contains(&length) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TeamError::invalid("key", "this is no provider's key; copy it whole, without spaces"));
        }
        let base_url = base_url.map(str::trim).filter(|url| !url.is_empty());
        let endpoint = Endpoint::new(provider, base_url, Secret::new(key))
            .map_err(|reason| TeamError::invalid("baseUrl", reason))?;
        let hint: String = key.chars().skip(length - HINT).collect();
        let base_url = base_url.map(|_| endpoint.base_url.to_string());
        self.sealing(&credential_identity(member, provider), key.as_bytes(), |secret| {
            let (store, hint, base_url) = (self.store.clone(), hint.clone(), base_url.clone());
            let new = NewCredential { member_id: member, provider, secret, hint, base_url };
            async move { store.put_credential(&new).await }
        })
        .await
    }

    /// Asks the provider whether it knows the member's key. The answer is a sentence either way.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the member has none, or when it cannot be opened.
    pub async fn test_credential(&self, member: MemberId, provider: ProviderKind) -> Result<(bool, String), TeamError> {
        let endpoint =
            self.own_endpoint(member, provider).await?.ok_or(TeamError::NotFound { what: "key of this provider" })?;
        let checked = self.client.check(&endpoint).await;
        let note = Note::new(AuditAction::TestCredential).on(AuditObject::Credential, provider);
        self.store.audit(note.with("taken", checked.is_ok())).await?;
        Ok(match checked {
            Ok(()) => (true, "The provider knows this key.".to_owned()),
            Err(error) => (false, format!("{error}. {}", error.kind.hint())),
        })
    }

    async fn own_endpoint(&self, member: MemberId, provider: ProviderKind) -> Result<Option<Endpoint>, TeamError> {
        let Some((sealed, base_url)) = self.store.sealed_credential(member, provider).await? else { return Ok(None) };
        let key = self.vault.open(&credential_identity(member, provider), &sealed)?;
        let key = std::str::from_utf8(&key).map_err(|error| TeamError::internal("reading a key", error))?;
        Endpoint::new(provider, base_url.as_deref(), Secret::new(key))
            .map(Some)
            .map_err(|reason| TeamError::invalid("baseUrl", reason))
    }

    /// Where a member's calls of a model go, and with whose key: the member's own, else the team's. Never another
    /// member's.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `no-key` when there is none.
    pub async fn provider_for(&self, member: MemberId, model: &str) -> Result<Provider, TeamError> {
        let known = models::find(model);
        if known.is_some_and(|model| model.simulated) {
            let endpoint = self.providers.simulated.clone().ok_or_else(|| {
                TeamError::conflict("no-key", "this server offers no simulated model; choose another model")
            })?;
            return Ok(Provider { endpoint, source: KeySource::Simulated });
        }
        let kind = known.map_or(ProviderKind::Anthropic, |model| model.provider);
        if let Some(endpoint) = self.own_endpoint(member, kind).await? {
            return Ok(Provider { endpoint, source: KeySource::Member });
        }
        let endpoint = self.providers.anthropic.clone().ok_or_else(no_key)?;
        Ok(Provider { endpoint, source: KeySource::Team })
    }

    /// The model of a card: its own wish, the project's, or what the member has a key for. Without any key the sample
    /// project is played through by the simulated model.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn model_for(
        &self,
        member: MemberId,
        project: &Project,
        card: &FeatureCard,
    ) -> Result<String, TeamError> {
        if let Some(model) = card.model.as_ref().or(project.settings.default_model.as_ref()) {
            return Ok(model.clone());
        }
        let sample = project.source == ProjectSource::Sample && self.providers.simulated.is_some();
        Ok(match sample && !self.has_key(member).await? {
            true => models::SIMULATED.to_owned(),
            false => models::DEFAULT.to_owned(),
        })
    }

    async fn has_key(&self, member: MemberId) -> Result<bool, TeamError> {
        Ok(self.providers.anthropic.is_some()
            || self.store.sealed_credential(member, ProviderKind::Anthropic).await?.is_some())
    }

    /// The models as they are offered to a member.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn models(&self, member: MemberId) -> Result<Models, TeamError> {
        let has_key = self.has_key(member).await?;
        let mut items = Vec::new();
        for model in models::all() {
            if model.simulated && self.providers.simulated.is_none() {
                continue;
            }
            let usable = model.simulated || has_key;
            let why = (!usable).then(|| "Put your Anthropic key in place under Settings to use it.".to_owned());
            items.push(ModelChoice { model: model.clone(), usable, why });
        }
        let default = has_key.then(|| models::DEFAULT.to_owned());
        Ok(Models { items, default })
    }
}
