//! What Guildhall keeps: SQL over SQLite and PostgreSQL, one text for both.
//!
//! A change, the event that tells of it and its entry in the audit commit together; both are numbered in the order of
//! commit, without gaps.
//! The store has no rules beyond what SQL must enforce; which moves of a card are legal, `guildhall_types` says.

mod agents;
mod alerts;
mod asides;
mod at_work;
mod attachments;
mod attempts;
mod audit;
mod avatars;
mod backups;
mod budgets;
mod challenges;
mod checks;
mod clients;
mod credentials;
mod db;
mod error;
mod events;
mod executions;
mod factors;
mod facts;
mod feature_texts;
mod features;
mod foundations;
mod guides;
mod identities;
mod imports;
mod invitations;
mod keys;
mod knowledge;
mod leases;
mod log;
mod mails;
mod mcp_servers;
mod members;
mod merges;
mod neighbours;
mod network;
mod notifications;
mod orders;
mod passkeys;
mod patience;
mod plans;
mod prices;
mod project_secrets;
mod projects;
mod remotes;
mod reports;
mod resets;
mod runs;
mod samples;
mod secrets;
mod services;
mod sessions;
mod settings;
mod shared;
mod sign_ups;
mod spans;
mod steps;
mod systems;
mod tidy;
mod tokens;
mod transfer;
mod trials;
mod tries;
mod usage;
mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use guildhall_types::audit::{Actor, Note};
use guildhall_types::notification::Tell;
use guildhall_types::{Clock, DateTime, boundary};
use tokio::sync::{Notify, watch};

pub use agents::{AgentPatch, AgentQuery, NewAgent};
pub use alerts::{AlertQuery, NewAlert, THRESHOLDS};
pub use asides::{AsideQuery, NewAside};
pub use attachments::NewFile;
pub use attempts::TryLimit;
pub use audit::{AuditQuery, Broken, Verdict};
pub use avatars::Avatar;
pub use backups::{BackupEnd, GoodBackup, NewBackup, NotBackedUp};
pub use budgets::{BUDGETS, BudgetChange, Reserved};
pub use challenges::NewChallenge;
pub use clients::{ClientBounds, FoundClientToken, FoundCode, Grant, NewGrant, NewPair};
pub use credentials::{KeptKey, NewCredential, NewTeamCredential, credential_identity, team_credential_identity};
pub use db::Backend;
pub use error::StoreError;
pub use executions::{
    Advanced, CardToMake, ExecutionQuery, ExecutionRecord, NewExecution, OPEN as OPEN_EXECUTIONS, TaskWork, Texts,
};
pub use factors::{SecondProof, Totp, totp_identity};
pub use facts::{Facts, ServerFacts};
pub use features::{FeaturePatch, FeatureQuery, NewFeature, Page};
pub use foundations::Foundation;
pub use guides::{Asked, Traces};
pub use identities::{NewIdentity, Unlinked};
pub use imports::BroughtCard;
pub use invitations::NewInvitation;
pub use keys::{KnownKey, Rewrapped, WrappedKey};
pub use knowledge::{Applied, Judged, KnowledgeFilter, NewKnowledge};
pub use leases::{Claimed, Counts, Ending, Finished, Lease, Word};
pub use mails::{ClaimedMail, MailEnd, NewMail, mail_identity};
pub use mcp_servers::{McpLook, McpSecrets, McpServerPatch, McpServersOf, NewMcpServer, SeenTool, mcp_identity};
pub use members::{Changed, NewMember};
pub use merges::{DueMerge, InHand};
pub use neighbours::Neighbour;
pub use network::Refusal;
pub use notifications::{ReadUpTo, Told};
pub use orders::{CardFacts, Chosen, Evening, Foretold, Night, OrderChange, Queued, Ready, WaitingPlan, Wish};
pub use passkeys::{KeptPasskey, NewPasskey};
pub use project_secrets::{KeptProjectSecret, NewProjectSecret, PutSecret, project_secret_identity};
pub use projects::{NewProject, ProjectPatch, ProjectSummary, project_source_identity};
pub use remotes::{DueRemote, Looked, NewRemote, RemoteLogin, project_remote_identity};
pub use reports::{NewReport, UntoldRun};
pub use resets::NewReset;
pub use runs::NewRun;
pub use samples::{KnownNode, MemberSample, Minute, NodeSample};
pub use secrets::SealedSecret;
pub use services::{NewPass, NewService, ServiceEnd};
pub use sessions::{NewSession, Session};
pub use shared::{
    Appended, AskedMove, Going, LogEntry, Making, NewLog, NewPack, PACK_PART, RefMove, SharedLog, SharedStanding,
};
pub use sign_ups::{NewSignUp, OpenSignUp};
pub use spans::RunSpan;
pub use steps::StepEnd;
pub use tidy::{KEPT_EVENTS, KnownProject, OldRefs, RunPlace};
pub use tokens::{FoundToken, NewToken};
pub use transfer::{
    Filling, Named, OpenRun, Piece, Row as PlainRow, Settled, TableHead, TableSum, Value, read_pieces, write_piece,
};
pub use tries::SignInTry;
pub use usage::{Group, UsageQuery};
pub use webhooks::{ClaimedDelivery, DeliveryEnd, NewWebhook, Tried, WebhookChange, webhook_identity};

use db::{Db, Keep, Reader, Rows, Tx, on, read, read_by};
use notifications::Put;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Arc<dyn Clock>,
    commits: watch::Sender<i64>,
    /// On whose behalf it is used; nobody's when the server does something by itself.
    actor: Arc<Actor>,
    /// What its next change puts into the outbox.
    mails: Option<Arc<Mutex<Vec<NewMail>>>>,
    /// Told when a mail was put there.
    mail_put: Arc<Notify>,
    /// Whether this server sends mail: if not, nobody's notifications go into the outbox.
    sends_mail: bool,
    /// Told when a delivery to a webhook was put.
    delivery_put: Arc<Notify>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password, so it is not kept at all.
        f.debug_struct("Store").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `sqlite:///path/to/file` (made when it is absent) or `postgres://…`. Call [`Store::migrate`] before use.
    ///
    /// # Errors
    /// When the URL is of neither kind or the database cannot be reached.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Ok(Self {
            db: Db::open(url).await?,
            clock,
            commits: watch::Sender::new(0),
            actor: Arc::default(),
            mails: None,
            mail_put: Arc::default(),
            sends_mail: false,
            delivery_put: Arc::default(),
        })
    }

    /// The same store, used on behalf of `actor`: the audit tells so.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor: Arc::new(actor), ..self.clone() }
    }

    /// Brings the schema to this version. Does nothing when it is there already; safe on several nodes at once.
    ///
    /// # Errors
    /// When a migration fails. [`StoreError::Newer`] when a later version has worked on the database; nothing is changed then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        if let (Some(found), known) = self.schema_version().await?
            && found > known
        {
            return Err(StoreError::Newer { found, known });
        }
        match &self.db {
            Db::Sqlite { writer, .. } => {
                // What a migration takes out of the rows is not to stay in the file.
                sqlx::query("PRAGMA secure_delete = ON").execute(writer).await?;
                let done = SQLITE.run(writer).await;
                sqlx::query("PRAGMA secure_delete = OFF").execute(writer).await?;
                done?;
                self.db.fold().await?;
                self.db.keep(Keep::FromPowerLoss).await?;
            }
            Db::Postgres(pool) => POSTGRES.run(pool).await?,
        }
        let last = self.last_seq().await?;
        self.commits.send_replace(last);
        Ok(())
    }

    /// The number of the schema that the database is at, and of the one that this version wants; the first is absent where
    /// there are no tables yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema_version(&self) -> Result<(Option<i64>, i64), StoreError> {
        let wanted = Self::known_schema();
        self.ping().await?;
        let found: sqlx::Result<(Option<i64>,)> = read!(self, c => sqlx::query_as(
            "SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(c).await);
        Ok((found.ok().and_then(|(version,)| version), wanted))
    }

    /// The number of the schema that this version wants, which is the latest that it knows.
    pub fn known_schema() -> i64 {
        SQLITE.iter().map(|migration| migration.version).max().unwrap_or_default()
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.db.backend()
    }

    /// The folder of the database's file, where it is a file of this machine.
    pub fn folder(&self) -> Option<PathBuf> {
        match &self.db {
            Db::Sqlite { readers, .. } => readers.connect_options().get_filename().parent().map(Path::to_owned),
            Db::Postgres(_) => None,
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        read!(self, c => sqlx::query("SELECT 1").execute(c).await.map(|_| ()))?;
        Ok(())
    }

    /// Connections to the database that this process holds, and those of them that nobody uses.
    pub fn connections(&self) -> (u32, usize) {
        match &self.db {
            Db::Sqlite { writer, readers, .. } => {
                (writer.size() + readers.size(), writer.num_idle() + readers.num_idle())
            }
            Db::Postgres(pool) => (pool.size(), pool.num_idle()),
        }
    }

    /// Shows the number of the latest event that this process committed, as soon as it is committed. Events of other
    /// nodes do not show here.
    pub fn commits(&self) -> watch::Receiver<i64> {
        self.commits.subscribe()
    }

    /// Closes every connection; on SQLite, the log is folded into the file.
    pub async fn close(&self) {
        self.db.close().await;
    }

    fn now(&self) -> DateTime {
        self.clock.now()
    }

    /// A transaction whose commit survives the loss of power.
    async fn begin(&self) -> Result<Tx, StoreError> {
        self.db.begin(Keep::FromPowerLoss).await
    }

    /// A transaction whose commit survives the end of the process, and comes cheap.
    async fn begin_light(&self) -> Result<Tx, StoreError> {
        self.db.begin(Keep::FromDeath).await
    }

    async fn commit(&self, mut tx: Tx) -> Result<(), StoreError> {
        let mut put = Put { mail: self.write_mails(&mut tx).await?, ..Put::default() };
        for tell in std::mem::take(&mut tx.tells) {
            self.write_tell(&mut tx, &tell, &mut put).await?;
        }
        for note in std::mem::take(&mut tx.notes) {
            self.write_note(&mut tx, &note).await?;
        }
        let (boundary, last, keep) = (tx.boundary, tx.last_event, tx.keep);
        boundary!("store.{boundary}.before");
        self.db.commit(tx).await?;
        boundary!("store.{boundary}.after");
        // The engine may begin with it while it is still being kept: what that writes is kept after it.
        if let Some(last) = last {
            self.commits.send_if_modified(|seq| {
                let newer = last > *seq;
                *seq = last.max(*seq);
                newer
            });
        }
        self.db.keep(keep).await?;
        if put.mail {
            self.mail_put.notify_one();
        }
        if put.delivery {
            self.delivery_put.notify_one();
        }
        Ok(())
    }
}

impl Tx {
    /// Puts an entry into the audit when the transaction commits.
    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Tells members of something when the transaction commits, on the page and wherever else they asked for it.
    fn tell(&mut self, tell: Tell) {
        self.tells.push(tell);
    }
}

/// Text without NUL, which PostgreSQL cannot hold.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
