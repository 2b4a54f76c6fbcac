//! Which model a run calls, where, and with whose key.

use std::collections::HashMap;

use guildhall_llm::models::{self, Model};
use guildhall_llm::{Endpoint, Secret};
use guildhall_store::{KeptKey, credential_identity, team_credential_identity};
use guildhall_types::MemberId;
use guildhall_types::member::{ListedModel, ProviderKind};
use guildhall_types::project::{Project, ProjectSource};
use guildhall_types::run::{KeySource, RunKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::credentials::hint;
use crate::{Team, TeamError};

/// The keys and addresses that the operator gave to the whole team.
#[derive(Debug, Clone, Default)]
pub struct TeamProviders {
    /// Used by members who have no key of their own.
    pub anthropic: Option<Endpoint>,
    /// The same for OpenAI.
    pub openai: Option<Endpoint>,
    /// A provider that plays a model and asks for no key. The sample project uses it when there is no key.
    pub simulated: Option<Endpoint>,
}

impl TeamProviders {
    /// What the operator gave for a provider.
    pub fn of(&self, provider: ProviderKind) -> Option<&Endpoint> {
        match provider {
            ProviderKind::Anthropic => self.anthropic.as_ref(),
            ProviderKind::Openai => self.openai.as_ref(),
            _ => None,
        }
    }
}

/// Where a run's calls go, and whose key they bear.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The address and the key.
    pub endpoint: Endpoint,
    /// Which key it is.
    pub key: RunKey,
    /// Whether the key is one that is kept sealed, so that its use is noted.
    pub kept: bool,
    /// Tokens that a conversation may have, if the server said so.
    pub context_window: Option<i64>,
}

/// A model as it is offered to a member.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelChoice {
    /// What is known of it.
    #[serde(flatten)]
    pub model: Model,
    /// Whether its price is known. Without one its tokens are counted, and its cost is not.
    pub priced: bool,
    /// Whether this member can use it now.
    pub usable: bool,
    /// Whose key its calls would bear; nothing when there is none.
    pub key_source: Option<KeySource>,
    /// Why not, and what to do.
    pub why: Option<String>,
}

/// The models that are offered to a member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Models {
    /// The models, the recommended one first, those of a provider together.
    pub items: Vec<ModelChoice>,
    /// The one that is used where neither card nor project names one; nothing when none can be used.
    pub default: Option<String>,
}

/// The providers in the order in which they are offered.
const OFFERED: [ProviderKind; 4] =
    [ProviderKind::Anthropic, ProviderKind::Openai, ProviderKind::Google, ProviderKind::Compatible];

/// What a member can use of a provider.
pub(crate) struct Reachable {
    source: KeySource,
    models: Vec<ListedModel>,
}

/// What a member can use, by provider.
pub(crate) type Reached = HashMap<ProviderKind, Reachable>;

fn no_key(provider: ProviderKind) -> TeamError {
    let name = provider.name();
    TeamError::conflict(
        "no-key",
        format!(
            "there is no key for this model's provider: put your key for {name} in place under Settings, ask an admin for one of the team's, or choose another model"
        ),
    )
}

fn none_simulated() -> TeamError {
    TeamError::conflict("no-key", "this server offers no simulated model; choose another model")
}

impl Team {
    /// An endpoint out of a key as it is kept. Whose address somebody chose is looked at before it is called.
    pub(crate) fn endpoint(
        &self,
        provider: ProviderKind,
        identity: &str,
        kept: &KeptKey,
    ) -> Result<Endpoint, TeamError> {
        let key = self.vault.open(identity, &kept.secret)?;
        let key = std::str::from_utf8(&key).map_err(|error| TeamError::internal("reading a key", error))?;
        let endpoint = Endpoint::new(provider, kept.base_url.as_deref(), Secret::new(key))
            .map_err(|reason| TeamError::invalid("baseUrl", reason))?;
        Ok(if kept.base_url.is_some() { endpoint.guarded() } else { endpoint })
    }

    /// Where a member's calls of a model go, and with whose key: the member's own, else the team's, that of an admin before
    /// that of the operator. Never another member's.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `no-key` when there is none.
    pub async fn provider_for(&self, member: MemberId, model: &str) -> Result<Provider, TeamError> {
        if models::find(model).is_some_and(|model| model.simulated) {
            let endpoint = self.providers.simulated.clone().ok_or_else(none_simulated)?;
            let key = RunKey { source: KeySource::Simulated, provider: endpoint.provider, hint: None };
            return Ok(Provider { endpoint, key, kept: false, context_window: None });
        }
        let provider = models::provider_of(model);
        let own = self.store.sealed_credential(member, provider).await?;
        let found = match own {
            Some(kept) => Some((kept, KeySource::Member, credential_identity(member, provider))),
            None => {
                let team = self.store.sealed_team_credential(provider).await?;
                team.map(|kept| (kept, KeySource::Team, team_credential_identity(provider)))
            }
        };
        if let Some((kept, source, identity)) = found {
            let endpoint = self.endpoint(provider, &identity, &kept)?;
            let name = models::wire_name(model);
            let listed = kept.models.iter().find(|listed| listed.id == name);
            let hint = Some(kept.hint).filter(|hint| !hint.is_empty());
            let context_window = listed.and_then(|listed| listed.context_window);
            return Ok(Provider { endpoint, key: RunKey { source, provider, hint }, kept: true, context_window });
        }
        let endpoint = self.providers.of(provider).cloned().ok_or_else(|| no_key(provider))?;
        let hint = Some(hint(endpoint.key.expose())).filter(|hint| !hint.is_empty());
        let key = RunKey { source: KeySource::Team, provider, hint };
        Ok(Provider { endpoint, key, kept: false, context_window: None })
    }

    /// Notes that a run uses a key that is kept sealed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn note_use(&self, member: MemberId, provider: &Provider) -> Result<(), TeamError> {
        match provider.key.source {
            KeySource::Member if provider.kept => self.store.touch_credential(member, provider.key.provider).await?,
            KeySource::Team if provider.kept => self.store.touch_team_credential(provider.key.provider).await?,
            _ => {}
        }
        Ok(())
    }

    /// What a member can use, by provider.
    pub(crate) async fn reachable(&self, member: MemberId) -> Result<Reached, TeamError> {
        let mut all = HashMap::new();
        for provider in OFFERED.into_iter().filter(|provider| self.providers.of(*provider).is_some()) {
            all.insert(provider, Reachable { source: KeySource::Team, models: Vec::new() });
        }
        for kept in self.store.team_credentials().await? {
            all.insert(kept.provider, Reachable { source: KeySource::Team, models: kept.models });
        }
        for kept in self.store.credentials_of(member).await? {
            all.insert(kept.provider, Reachable { source: KeySource::Member, models: kept.models });
        }
        Ok(all)
    }

    /// The model of a run: what is wished for, else the project's, or what the member has a key for. Without any key the sample
    /// project is played through by the simulated model.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn model_for(
        &self,
        member: MemberId,
        project: &Project,
        wish: Option<&str>,
    ) -> Result<String, TeamError> {
        Ok(match wish.or(project.settings.default_model.as_deref()) {
            Some(model) => model.to_owned(),
            None => self.model_of(project, None, &self.reachable(member).await?),
        })
    }

    /// The same, of what the member is known to reach.
    pub(crate) fn model_of(&self, project: &Project, wish: Option<&str>, reached: &Reached) -> String {
        let named = wish.or(project.settings.default_model.as_deref()).map(str::to_owned);
        let sample = project.source == ProjectSource::Sample && self.providers.simulated.is_some();
        let last = if sample { models::SIMULATED } else { models::DEFAULT };
        named.or_else(|| default(reached)).unwrap_or_else(|| last.to_owned())
    }

    /// Why a member who reaches this cannot call a model, as far as that shows without opening a key.
    pub(crate) fn missing_key(&self, model: &str, reached: &Reached) -> Option<TeamError> {
        if models::find(model).is_some_and(|model| model.simulated) {
            return self.providers.simulated.is_none().then(none_simulated);
        }
        let provider = models::provider_of(model);
        (!reached.contains_key(&provider)).then(|| no_key(provider))
    }

    /// The models as they are offered to a member.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn models(&self, member: MemberId) -> Result<Models, TeamError> {
        let reachable = self.reachable(member).await?;
        let mut items = Vec::new();
        let rows = self.store.prices().await?;
        let priced = |model: Model| {
            let price = models::price_of(&rows, model.provider, &model.id, &model.id);
            (price.map_or_else(|| model.clone(), |price| model.clone().priced(price)), price.is_some())
        };
        for provider in OFFERED {
            let source = reachable.get(&provider).map(|reachable| reachable.source);
            let known = models::all().iter().filter(|model| model.provider == provider && !model.simulated).cloned();
            let listed = reachable.get(&provider).map(|reachable| reachable.models.as_slice()).unwrap_or_default();
            let listed = listed.iter().map(|listed| models::listed(&listed.id, listed.context_window));
            for model in known.chain(listed) {
                let why = source.is_none().then(|| {
                    let name = provider.name();
                    format!("Put your key for {name} in place under Settings to use it.")
                });
                let (model, priced) = priced(model);
                items.push(ModelChoice { model, priced, usable: source.is_some(), key_source: source, why });
            }
        }
        if self.providers.simulated.is_some() {
            for model in models::all().iter().filter(|model| model.simulated).cloned() {
                let (model, priced) = priced(model);
                items.push(ModelChoice {
                    model,
                    priced,
                    usable: true,
                    key_source: Some(KeySource::Simulated),
                    why: None,
                });
            }
        }
        Ok(Models { items, default: default(&reachable) })
    }
}

/// The model that is used where nobody named one: the recommended one of the first provider that can be called.
fn default(reachable: &Reached) -> Option<String> {
    OFFERED.into_iter().find_map(|provider| {
        let reachable = reachable.get(&provider)?;
        match models::default_of(provider) {
            Some(model) => Some(model.id.clone().into_owned()),
            None => reachable.models.first().map(|listed| models::card_name(provider, &listed.id)),
        }
    })
}
