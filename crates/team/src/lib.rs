//! What the page, the API, agents' tools and the command line all do: one function each, without HTTP.

mod accounts;
mod agents;
mod alerts;
pub mod api_tokens;
mod attachments;
pub mod automaker;
pub mod backup;
mod budgets;
mod by;
mod cards;
mod caught;
mod certificate;
mod chats;
pub mod clients;
mod credentials;
mod enhance;
mod error;
mod executions;
mod factors;
mod footing;
mod forecast;
mod forgotten;
mod guides;
mod hindered;
pub mod keys;
mod knowledge;
pub mod mail;
mod mcp_servers;
mod members;
mod network;
mod night;
pub mod oidc;
mod operation;
mod part;
pub mod passwords;
mod picture;
mod places;
mod plans;
mod previews;
mod prices;
mod project_secrets;
mod projects;
mod providers;
mod remotes;
mod reports;
mod repositories;
mod retention;
pub mod sample;
mod shared;
mod sign_in;
mod sign_up;
mod systems;
mod throttle;
pub mod tokens;
mod turns;
mod usage;
pub mod vault;
mod waiting;
mod webhooks;
mod work;

pub use accounts::{Origin, PasswordChange, ProfileChange, Way};
pub use agents::AgentWish;
pub use api_tokens::TokenAnswer;
pub use attachments::SentFile;
pub use budgets::{BudgetsView, RUN_LIMITS};
pub use by::By;
pub use cards::NewCard;
pub use caught::caught;
pub use certificate::certificate_holds;
pub use chats::{NewChat, NewTask};
pub use credentials::{KeyTest, TeamKey};
pub use enhance::TextDraft;
pub use error::{TeamError, merged_before};
pub use factors::{AskPasskey, HalfDone, QrPicture, Shown, TotpSetUp};
pub use footing::Footing;
pub use knowledge::{
    FailedFile, IMPORT_FILES, ImportReport, ImportWay, KNOWLEDGE_RULE, KnowledgeSource, KnownItem, SkippedFile,
    UnrelatedFile,
};
pub use mcp_servers::{McpServerWish, McpServerWishes, McpValueWish, mcp_hash};
pub use network::ProjectNetwork;
pub use night::{AutoMode, LIMITS, QueueItem};
pub use operation::{MemberNow, MemberPoint, MemberSeries, NodeNow, NodePoint, NodeSeries, SamplesOf, SamplesView};
pub use places::Places;
pub use plans::Correction;
pub use previews::{PREVIEW, PreviewPass, is_preview_label, preview_label};
pub use prices::{KnownPrice, Prices};
pub use project_secrets::{Added, OpenSecret, added_secrets, listed};
pub use projects::commands;
pub use providers::{ModelChoice, Models, Provider, TeamProviders};
pub use retention::RETENTION;
pub use shared::{How, NOT_SHARED, Shared, Wish};
pub use sign_in::{Answer, Begin, Begun, Purpose, own_path};
pub use sign_up::{NewAccount, Registered, SignUp, make_owner};
pub use systems::built_in_systems;
pub use throttle::{Throttle, network};
pub use usage::{UsageAsked, UsageDay, UsageGroup, UsageOf, UsagePart, UsageView};
pub use webhooks::{WebhookOwner, WebhookPace, WebhookWish, WebhookWishes};
pub use work::{Merged, Side, WorkFile};

use std::sync::{Arc, OnceLock};

use guildhall_llm::{Caller, Client};
use guildhall_store::Store;
use guildhall_types::Clock;
use guildhall_types::audit::Actor;
use url::Url;

use crate::mail::Mailer;
use crate::oidc::Providers;
use crate::part::{changed, changed_setting};
use crate::passwords::Passwords;
use crate::vault::Vault;

/// The team's rules, over its store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Team {
    /// Where everything is kept.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Seals and opens credentials.
    pub vault: Arc<Vault>,
    /// Where repositories and worktrees are.
    pub places: Arc<Places>,
    /// What of the repositories several nodes have in common.
    pub shared: Shared,
    /// Calls providers.
    pub client: Client,
    /// The keys and addresses that the operator gave to the whole team.
    pub providers: Arc<TeamProviders>,
    /// Slows down whoever tries too often.
    pub throttle: Throttle,
    /// The providers by which members may sign in.
    pub sign_in: Providers,
    passwords: Passwords,
    mail: Option<Arc<Mailer>>,
    /// The address under which members reach the server, without a slash at the end, for links in messages.
    base: Arc<str>,
    /// The names under which pages of services are shown by HTTPS, and one address of them.
    pages: Option<Arc<(String, Url)>>,
    /// Where the other nodes reach this one, if they do.
    pub node_url: Option<Arc<str>>,
    /// Which backups are to be there, if any are.
    backups: Option<Arc<backup::PlannedBackups>>,
    caller: Arc<OnceLock<Caller>>,
    /// Clones that this node may make at once.
    clones: Arc<turns::Turns>,
    /// Fetches and pushes that it answers at once.
    exchanges: Arc<turns::Turns>,
    /// Exchanges with projects' other repositories at once.
    far: Arc<turns::Turns>,
    /// What came of putting works together.
    tried: Arc<footing::Tried>,
}

impl Team {
    /// A team over this store.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        vault: Vault,
        places: Places,
        client: Client,
        providers: TeamProviders,
    ) -> Self {
        let places = Arc::new(places);
        Self {
            throttle: Throttle::new(Arc::clone(&clock)),
            shared: Shared::new(store.clone(), Arc::clone(&places)),
            store,
            clock,
            vault: Arc::new(vault),
            places,
            client,
            providers: Arc::new(providers),
            passwords: Passwords::default(),
            sign_in: Providers::default(),
            mail: None,
            base: Arc::from(""),
            pages: None,
            node_url: None,
            backups: None,
            caller: Arc::default(),
            clones: Arc::new(turns::Turns::new(projects::CLONES)),
            exchanges: Arc::new(turns::Turns::new(repositories::EXCHANGES)),
            far: Arc::new(turns::Turns::new(remotes::EXCHANGES)),
            tried: Arc::default(),
        }
    }

    /// The same team, whose members may sign in by these providers.
    #[must_use]
    pub fn with_sign_in(self, sign_in: Providers) -> Self {
        Self { sign_in, ..self }
    }

    /// The same team, whose members reach the server at this address.
    #[must_use]
    pub fn at(self, base: &str) -> Self {
        Self { base: Arc::from(base.trim_end_matches('/')), ..self }
    }

    /// The same team, whose services show their pages by HTTPS under these names, of which `at` is one.
    #[must_use]
    pub fn with_pages_at(self, names: &str, at: Url) -> Self {
        Self { pages: Some(Arc::new((names.to_owned(), at))), ..self }
    }

    /// The same team, whose repositories are shared with other nodes if `on` and the database is one that nodes can share.
    #[must_use]
    pub fn sharing(self, on: bool) -> Self {
        if on {
            self.shared.begin();
        }
        self
    }

    /// The same team, at a node that the others reach at this address.
    #[must_use]
    pub fn reached_at(self, url: Option<&str>) -> Self {
        Self { node_url: url.map(Arc::from), ..self }
    }

    /// The same team, which sends mail.
    #[must_use]
    pub fn with_mail(mut self, mailer: Mailer) -> Self {
        self.mail = Some(Arc::new(mailer));
        self.store = self.store.sending_mail();
        self
    }

    /// The same team, on whose behalf `actor` does something: the audit tells so.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { store: self.store.acting_as(actor), ..self.clone() }
    }
}
