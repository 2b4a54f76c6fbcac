//! What can go wrong with the store.

use std::path::PathBuf;

use guildhall_types::feature::{IllegalMove, IllegalStage};
use guildhall_types::knowledge::SimilarItem;
use guildhall_types::knowledge::cursor::NoCursor;
use guildhall_types::member::ChangeRefused;
use guildhall_types::reading::DatabaseTrouble;
use guildhall_types::{ExecutionId, KnowledgeId};

/// Why the store did not do what it was asked. Nothing was half done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database's address cannot be used. Not repeated here: it may hold a password.
    #[error("the database URL must begin with sqlite:// (and a path) or postgres://")]
    BadUrl,
    /// The database file could not be made.
    #[error("the database file {path} cannot be opened")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A migration failed.
    #[error("the database could not be brought to this version's schema")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A later version of Guildhall has worked on the database.
    #[error(
        "the database is at schema {found} and this version of Guildhall knows schemas up to {known}: a later version has \
         worked on it. Install that version again, or a later one; or restore a backup that was made before the upgrade"
    )]
    Newer {
        /// The schema that it is at.
        found: i64,
        /// The latest that this version knows.
        known: i64,
    },
    /// The name or address is in use.
    #[error("this {what} is already in use; choose another")]
    Taken {
        /// What is in use.
        what: &'static str,
    },
    /// What should be changed is not there.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The state machine does not know this move.
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// The state machine does not know this change of stage.
    #[error(transparent)]
    IllegalStage(#[from] IllegalStage),
    /// A member may not be changed so, or not by this one.
    #[error(transparent)]
    Refused(#[from] ChangeRefused),
    /// Somebody changed the card in between.
    #[error("the card was changed by somebody else in between (it is now at version {current}); look at it again")]
    Stale {
        /// The version that it is at.
        current: i64,
    },
    /// Somebody changed it in between.
    #[error("the {what} was changed by somebody else in between (it is now at version {current}); look at it again")]
    Changed {
        /// What.
        what: &'static str,
        /// The version that it is at.
        current: i64,
    },
    /// The plan that was decided on is not the latest.
    #[error("there is a later version of this plan (version {current}); look at that")]
    StalePlan {
        /// The latest version.
        current: i64,
    },
    /// Somebody changed the item in between.
    #[error("the item was changed by somebody else in between (it is now at version {current}); look at it again")]
    StaleItem {
        /// The version that it is at.
        current: i64,
    },
    /// The hub came to hold much the same while this was about to be written.
    #[error("the hub holds much the same by now, written this very moment")]
    Alike {
        /// What it holds.
        similar: Vec<SimilarItem>,
    },
    /// What was given as the end of the page before is none, or of another search.
    #[error(transparent)]
    NoCursor(#[from] NoCursor),
    /// An item cannot be related to this one.
    #[error("there is no other item {id} that it could be related to")]
    BadRelation {
        /// Which one.
        id: KnowledgeId,
    },
    /// A card asks a person to approve a plan that nobody makes.
    #[error(
        "with planning mode skip there is no plan to approve: choose lite, spec or full, or leave the approval off"
    )]
    NothingToApprove,
    /// The project was archived.
    #[error("this project was archived: its work stays as it is, and none begins or goes on")]
    Archived,
    /// A run of it is queued or at work.
    #[error("{what} while an agent works on it; stop it first")]
    Live {
        /// What cannot be done.
        what: &'static str,
    },
    /// An agent that was only to look is to become a card.
    #[error(
        "this agent was only let look, so that there is no work of it to become a card; let it run again, and let it change files"
    )]
    OnlyLooked,
    /// It is done for a step of a system: nobody else says how it goes on.
    #[error(
        "this works for a step of a system, and its execution {execution} alone decides how that goes on; end that execution, and \
         run the system again"
    )]
    OfExecution {
        /// Which one.
        execution: ExecutionId,
    },
    /// The dependencies would form a circle, or leave the project.
    #[error("{0}")]
    BadDependency(&'static str),
    /// There are as many as there may be.
    #[error("there are {most} {what} already, which is the most; delete one that is no longer needed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: i64,
    },
    /// So many repositories of a member's projects are still being made.
    #[error("the repositories of {most} of your projects are still being made; wait until one of them is there")]
    TooManyPreparing {
        /// How many there may be.
        most: i64,
    },
    /// The member has as many worktrees as one may have.
    #[error(
        "you have work in {most} worktrees, which is the most that a member may have; merge, or take back to the backlog, what is \
         finished or no longer wanted, or ask an admin for a higher limit"
    )]
    TooManyWorktrees {
        /// How many a member may have.
        most: i64,
    },
    /// The member has as many executions that are not over as one may have.
    #[error(
        "{most} systems that you started have not come to their end, which is the most; cancel those that are no longer wanted, or \
         answer those that wait for a person"
    )]
    TooManyExecutions {
        /// How many a member may have.
        most: i64,
    },
    /// A tool of an MCP server is not what the member looked at.
    #[error("the server does not offer the tool {name:?} like that any more; look at what it says now")]
    McpToolMoved {
        /// Which tool.
        name: String,
    },
    /// An MCP server is not as it was when a change of how it is reached began.
    #[error("somebody else changed the server meanwhile, and nothing was saved; look at it again")]
    McpServerMoved,
    /// The run is no longer this node's: another node has it, or a member stopped it.
    #[error("the run is no longer held by this node")]
    LeaseLost,
    /// Another key-encryption key became the current one in between.
    #[error("the key that seals secrets was changed this very moment, and nothing was saved; try again")]
    KeyMoved {
        /// Which one is current.
        current: String,
    },
    /// The key-encryption key was retired.
    #[error("the key {id} was retired and is not used again; make a new one by `guildhall keys rotate`")]
    KeyRetired {
        /// Which key.
        id: String,
    },
    /// The key-encryption key cannot go yet.
    #[error("the key {id} {}", match current {
        true => "is the current one; make another current first: `guildhall keys rotate`".to_owned(),
        false => format!("still seals {secrets} secret(s); run `guildhall keys rotate` first, which seals them under the current one"),
    })]
    KeyNeeded {
        /// Which key.
        id: String,
        /// Whether it is the current one.
        current: bool,
        /// How many secrets are sealed under it.
        secrets: i64,
    },
    /// A database that should be empty is not.
    #[error("the database holds rows already: {what}; name an empty one")]
    NotEmpty {
        /// Which tables, with how many rows.
        what: String,
    },
    /// The rows are of a later version.
    #[error(
        "these rows are of the schema {found}, and this version knows up to {known}; use a later version of Guildhall"
    )]
    NewerSchema {
        /// Of which.
        found: i64,
        /// Which is the latest that is known.
        known: i64,
    },
    /// Rows do not fit, or are not what they were.
    #[error("the rows cannot be taken over: {0}")]
    Unfit(String),
    /// The database refused a row that came from elsewhere.
    #[error("the database refused a row of the table {table}")]
    Row {
        /// Which table.
        table: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Another backup is being made.
    #[error("another backup is being made, since {since}; wait until it is done")]
    BackupUnderWay {
        /// Since when.
        since: guildhall_types::DateTime,
    },
    /// The database has no room to write.
    #[error("the server's disk is full: nothing was changed; try again when its operator has made room")]
    Full(#[source] sqlx::Error),
    /// The database cannot be reached now.
    #[error("the database does not answer: nothing was changed; try again in a moment")]
    Away(#[source] sqlx::Error),
    /// The database refused or failed.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// What is stored cannot be read.
    #[error("a stored value cannot be read")]
    Corrupt(#[from] serde_json::Error),
}

/// What SQLite and PostgreSQL say when the disk is full.
const FULL: [&str; 2] = ["13", "53100"];

/// What PostgreSQL says when it only stands by, or may only be read.
const READ_ONLY: &str = "25006";
/// The same of SQLite, whose further words on it are in the higher bits.
const SQLITE_READ_ONLY: i64 = 8;

/// What PostgreSQL says when it takes no more, is going away or coming up, or ended a transaction that was idle for long.
const AWAY: [&str; 6] = ["53300", "57P01", "57P02", "57P03", "25006", "25P03"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|database| database.code());
        let away = match (&error, &code) {
            (_, Some(code)) => AWAY.contains(&&**code) || code.starts_with("08"),
            (
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
                None,
            ) => true,
            _ => false,
        };
        match code.is_some_and(|code| FULL.contains(&&*code)) {
            true => Self::Full(error),
            false if away => Self::Away(error),
            false => Self::Database(error),
        }
    }
}

impl StoreError {
    /// Why nothing can be written, if this is what came of writing something that any database takes.
    pub fn trouble(&self) -> DatabaseTrouble {
        let (Self::Full(error) | Self::Away(error) | Self::Database(error)) = self else {
            return DatabaseTrouble::Away;
        };
        let code = error.as_database_error().and_then(|database| database.code()).unwrap_or_default();
        let sqlite = code.parse().is_ok_and(|code: i64| code & 0xFF == SQLITE_READ_ONLY && code < 25_000);
        match self {
            Self::Full(_) => DatabaseTrouble::Full,
            _ if sqlite || code == READ_ONLY => DatabaseTrouble::ReadOnly,
            _ => DatabaseTrouble::Away,
        }
    }

    /// Turns a breach of a unique index into [`StoreError::Taken`].
    pub(crate) fn taken(error: sqlx::Error, what: &'static str) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Taken { what },
            _ => error.into(),
        }
    }
}
