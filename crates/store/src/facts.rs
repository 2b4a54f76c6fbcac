//! What a database says of itself, for whoever looks after it.

use guildhall_types::DateTime;

use crate::db::Db;
use crate::patience::Patient;
use crate::{Store, StoreError};

/// What every program of ours calls itself in PostgreSQL's list of connections begins with this.
const NAME: &str = "guildhall ";
/// Characters of a host's name that are kept: PostgreSQL cuts the whole name off after 63.
const HOST: usize = 40;

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its version, in its own words.
    pub version: String,
    /// What a server has beside that. SQLite is none.
    pub server: Option<ServerFacts>,
}

/// What a database server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version as a number, such as 150014 for 15.14.
    pub number: i32,
    /// How it writes text, such as `UTF8`.
    pub encoding: String,
    /// What its clock said when it answered.
    pub now: DateTime,
    /// The other programs of Guildhall that are connected to this database, each as its process and its machine.
    pub others: Vec<String>,
}

impl Store {
    /// Asks the database what it is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn facts(&self) -> Result<Facts, StoreError> {
        match &self.db {
            Db::Sqlite { readers, .. } => {
                let (version,) = sqlx::query_as("SELECT sqlite_version()").fetch_one(readers).await?;
                Ok(Facts { version, server: None })
            }
            Db::Postgres(pool) => {
                let pool = Patient(pool);
                let (version, number, encoding): (String, i32, String) = sqlx::query_as(
                    "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
                     current_setting('server_encoding')",
                )
                .fetch_one(pool)
                .await?;
                let others: Vec<(String,)> = sqlx::query_as(
                    "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() \
                     AND starts_with(application_name, $1) AND application_name <> current_setting('application_name') \
                     ORDER BY 1",
                )
                .bind(NAME)
                .fetch_all(pool)
                .await?;
                let others = others.into_iter().map(|(name,)| name.trim_start_matches(NAME).to_owned()).collect();
                // Last, and alone: whoever compares it with a clock of their own wants little time in between.
                let (now,) = sqlx::query_as("SELECT clock_timestamp()").fetch_one(pool).await?;
                Ok(Facts { version, server: Some(ServerFacts { number, encoding, now, others }) })
            }
        }
    }
}

/// What this process calls itself in PostgreSQL's list of connections: operators see there who is connected.
pub(crate) fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(HOST).collect();
    format!("{NAME}{}@{host}", std::process::id())
}
