//! The configuration: by a TOML file, by environment and by flags, later ones first.
//!
//! Every bad value is reported, all of them at once, each with where it stands, what was found and what is expected. A
//! secret is never shown, not even as the value that was found.

mod backup;
mod layers;
mod parse;
mod providers;
mod s3;
#[cfg(test)]
mod tests;
mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use guildhall_bus::RedisUrl;
use guildhall_llm::{Endpoint, Secret};
use guildhall_sandbox::Isolation;
use guildhall_team::backup::{BackupRules, S3Access, Shelf};
use guildhall_team::mail::SmtpSettings;
use guildhall_team::oidc::ProviderSettings;
use guildhall_team::vault::KeyFiles;
use ipnet::IpNet;
use url::Url;

use crate::preview::PreviewUrl;
use crate::traces::Collector;

pub use layers::{Flags, Layers};

/// Where the server listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:4300";

/// How the server is to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where repositories, worktrees, keys and, on SQLite, the database are.
    pub data_dir: PathBuf,
    /// The address under which members reach the server, when it is not the one where it listens.
    pub public_url: Option<Url>,
    /// The names under which pages of services are shown, when that is not on the loopback address.
    pub preview_url: Option<PreviewUrl>,
    /// Folders below which a project may be cloned from a path or a `file://` URL.
    pub allowed_repo_paths: Vec<PathBuf>,
    /// Folders of toolchains outside of `/usr` that agents' commands find where they are, read-only.
    pub toolchains: Vec<PathBuf>,
    /// Addresses of the machine that commands are never led to, beside those that the server finds as its own: in a container it finds
    /// the container's.
    pub own_addresses: Vec<IpNet>,
    /// A file of the operator's with key-encryption keys, instead of those in the data folder.
    pub key_file: Option<PathBuf>,
    /// Whether that file is a credential that systemd guards.
    pub key_file_guarded: bool,
    /// The database's address. May hold a password.
    pub database_url: Secret,
    /// The Redis by which the servers of a team hear of each other, if there are several. Hides its password.
    pub redis_url: Option<RedisUrl>,
    /// The address at which the other servers of the team reach this one, if they do.
    pub node_url: Option<String>,
    /// How agents' commands are kept apart from the host.
    pub sandbox: Isolation,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is written to the log, in the words of `RUST_LOG`.
    pub log: String,
    /// The team's own provider, used by members who have no key.
    pub anthropic: Option<Endpoint>,
    /// The same for OpenAI.
    pub openai: Option<Endpoint>,
    /// Whether members may name providers on this machine and in its private networks.
    pub allow_private_providers: bool,
    /// A provider that plays a model and asks for no key.
    pub simulated: Option<Endpoint>,
    /// The OpenID providers by which members may sign in.
    pub sign_in: Vec<ProviderSettings>,
    /// What programs show that watch the server, if any may.
    pub metrics_token: Option<Secret>,
    /// Where traces go, if they are told to anybody.
    pub collector: Option<Collector>,
    /// How mail is sent, if it is.
    pub mail: Option<SmtpSettings>,
    /// What keeps others from overwhelming the server.
    pub guard: Guard,
    /// Where backups go that the server makes, if a place for them is named.
    pub backup: Option<Shelf>,
    /// How backups are made, also by a command that names another place.
    pub backup_rules: BackupRules,
    /// How an S3-compatible store is reached, if backups go to one.
    pub s3: S3Access,
    /// What is wrong with that in the environment, where no bucket is configured: it may be meant for other programs. A command that
    /// names a bucket tells it.
    pub s3_faults: Vec<Fault>,
    /// What the operator should know, though nothing is wrong.
    pub notes: Vec<String>,
}

/// What keeps others from overwhelming the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Proxies in front of the server: what they say of where a request comes from is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests that a member, or a token of one, may send in a minute; nothing for as many as they like.
    pub requests_per_member: Option<u32>,
    /// Requests to open routes, and with a pass that is none, that may come from one address in a minute.
    pub requests_per_address: Option<u32>,
    /// Connections at once; more wait.
    pub max_connections: usize,
    /// How long a client may take to say what it wants; a connection that says nothing for so long is closed.
    pub header_timeout: Duration,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            requests_per_member: Some(3_000),
            requests_per_address: Some(600),
            max_connections: 800,
            header_timeout: Duration::from_secs(30),
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for machines.
    Json,
}

/// One bad value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands, such as `GUILDHALL_LISTEN in the environment`.
    pub at: String,
    /// What was found; not for secrets.
    pub found: Option<String>,
    /// What is expected.
    pub expected: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, found, expected } = self;
        match found {
            Some(found) => write!(f, "{at}: found {found:?}; expected {expected}"),
            None => write!(f, "{at}: expected {expected}"),
        }
    }
}

/// All that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration cannot be used:\n{}", .0.iter().map(|fault| format!("  - {fault}")).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

impl Config {
    /// Reads the file that is named, the environment and the flags.
    ///
    /// # Errors
    /// [`Faults`]: every bad value.
    pub fn load(flags: &Flags) -> Result<Self, Faults> {
        Self::read(&Layers { flags, env: &|name| std::env::var_os(name), file: &|path| std::fs::read_to_string(path) })
    }

    /// The files in which secrets of the operator's stand, that are named by flags, the environment and the file.
    pub fn secret_files(flags: &Flags) -> Vec<PathBuf> {
        let layers = Layers { flags, env: &|name| std::env::var_os(name), file: &|path| std::fs::read_to_string(path) };
        Self::secret_files_in(&layers)
    }

    /// Where the key-encryption keys are.
    pub fn key_files(&self) -> KeyFiles {
        let first = self.data_dir.join("keys").join("vault.key");
        KeyFiles { first, given: self.key_file.clone(), guarded: self.key_file_guarded }
    }

    /// The address to open in a browser, given where the server came to listen.
    pub fn url(&self, listening: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{listening}"),
        }
    }
}
