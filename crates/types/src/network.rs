//! What a project's commands reach of the network: its policy, and the names of hosts.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::address::{Whereabouts, whereabouts};
use crate::{DateTime, RunId, text_enum::text_enum};

text_enum! {
    /// What the commands of a project's agents and checks reach of the network.
    pub enum NetworkPolicy {
        /// Nothing.
        None = "none",
        /// The hosts on the project's list.
        AllowList = "allow-list",
        /// Every host out in the world; never the server's own machine or network.
        Open = "open",
    }
}

/// What a project's commands reach of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// How much. Only admins set it to `open`.
    pub policy: NetworkPolicy,
    /// Whether the usual package registries are on the list beside `hosts`.
    pub registries: bool,
    /// Hosts on the list: `example.com`, or `*.example.com` for all below it, at the ports 80 and 443; or with another port
    /// behind a colon.
    pub hosts: Vec<String>,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self { policy: NetworkPolicy::AllowList, registries: true, hosts: Vec::new() }
    }
}

/// Entries that a project's list may have at most.
pub const HOSTS: usize = 200;
/// Hosts that were refused of which a project remembers at most.
pub const REFUSED: i64 = 200;

/// Where packages of the usual kinds come from, and what their tools need to fetch and check them. No host of source code
/// is among them: what can be read from such a host can be written to it by anybody, so that a project names those it needs. Where
/// packages are read and published at one host, as with npm and RubyGems, a command that has a token can publish; so a host that is for
/// publishing alone, such as `crates.io`, is none of these.
pub const REGISTRIES: &[&str] = &[
    // Rust
    "index.crates.io",
    "static.crates.io",
    "static.rust-lang.org",
    // JavaScript
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "npm.jsr.io",
    "jsr.io",
    "nodejs.org",
    // Python
    "pypi.org",
    "files.pythonhosted.org",
    // Go
    "proxy.golang.org",
    "sum.golang.org",
    // Java and its relations
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "services.gradle.org",
    // Ruby, PHP, .NET, Elixir, Dart, Perl
    "rubygems.org",
    "index.rubygems.org",
    "repo.packagist.org",
    "api.nuget.org",
    "repo.hex.pm",
    "pub.dev",
    "cpan.metacpan.org",
    "fastapi.metacpan.org",
    // Packages of distributions
    "deb.debian.org",
    "security.debian.org",
    "archive.ubuntu.com",
    "security.ubuntu.com",
    "dl-cdn.alpinelinux.org",
];

/// Why something is no name of a host that commands may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// There is none.
    #[error("there is no name")]
    Empty,
    /// It is longer than a name can be.
    #[error("it is longer than 253 characters")]
    Long,
    /// Characters that no name has.
    #[error(
        "a name consists of letters, digits, hyphens and dots; write an international one in its ASCII form (xn--…)"
    )]
    Characters,
    /// An empty label, a dot at the end, or a hyphen where none may be.
    #[error("its dots or hyphens are where no name has any")]
    Labels,
    /// An address in place of a name.
    #[error("it is an address; only names can be asked for")]
    Address,
    /// A name of one label, such as `localhost`.
    #[error("it is a name within a machine or a network, not one of the world")]
    Local,
}

/// The name of a host: ASCII, lower-cased, at least two labels, no address in any notation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`BadHost`] says why it is none.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        if text.is_empty() {
            return Err(BadHost::Empty);
        }
        if text.len() > 253 {
            return Err(BadHost::Long);
        }
        if text.starts_with('[') || text.parse::<IpAddr>().is_ok() {
            return Err(BadHost::Address);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
            return Err(BadHost::Characters);
        }
        let name = text.to_ascii_lowercase();
        let whole = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
        if !name.split('.').all(whole) {
            return Err(BadHost::Labels);
        }
        // Every notation of an address ends in a number, decimal, octal or hexadecimal; no name of the world does.
        let last = name.rsplit('.').next().unwrap_or_default();
        let hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if last.bytes().all(|byte| byte.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(hex) {
            return Err(BadHost::Address);
        }
        if !name.contains('.') {
            return Err(BadHost::Local);
        }
        Ok(Self(name))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an entry cannot stand on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// The name is none.
    #[error(transparent)]
    Host(#[from] BadHost),
    /// The port is none.
    #[error("behind the colon there must be a port from 1 to 65535")]
    Port,
    /// `*.com`, or a star elsewhere than at the beginning.
    #[error("a star stands at the beginning alone, and for what is below a name of at least two parts: *.example.com")]
    Star,
}

/// An entry of a list: a host, or all below it, at the usual ports or at one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostEntry {
    name: HostName,
    below: bool,
    port: Option<u16>,
}

impl HostEntry {
    /// Reads an entry: `name`, `*.name`, either with `:port`.
    ///
    /// # Errors
    /// [`BadEntry`] says why it is none.
    pub fn parse(text: &str) -> Result<Self, BadEntry> {
        let text = text.trim();
        if text.contains('/') {
            return Err(BadHost::Characters.into());
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port_number(port).ok_or(BadEntry::Port)?)),
            _ => (text, None),
        };
        let (below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        if name.contains('*') {
            return Err(BadEntry::Star);
        }
        let name = HostName::parse(name).map_err(|bad| match bad {
            BadHost::Local if below => BadEntry::Star,
            bad => BadEntry::Host(bad),
        })?;
        Ok(Self { name, below, port })
    }

    /// The entry for exactly this host, at this port: without a port where it is one of the usual.
    pub fn of(name: HostName, port: u16) -> Self {
        Self { name, below: false, port: (!is_usual(port)).then_some(port) }
    }

    /// Whether a host is meant, at this port.
    pub fn admits(&self, name: &HostName, port: u16) -> bool {
        let named = match self.below {
            true => name.0.strip_suffix(&self.name.0).is_some_and(|rest| rest.ends_with('.')),
            false => *name == self.name,
        };
        named && self.port.map_or_else(|| is_usual(port), |only| only == port)
    }
}

impl fmt::Display for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.below { "*." } else { "" };
        match self.port {
            Some(port) => write!(f, "{star}{}:{port}", self.name),
            None => write!(f, "{star}{}", self.name),
        }
    }
}

/// Whether a port needs no mention on a list.
fn is_usual(port: u16) -> bool {
    matches!(port, 80 | 443)
}

/// A port as it is written: digits alone, from 1 on.
pub fn port_number(text: &str) -> Option<u16> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// What holds for a connection that a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRules {
    policy: NetworkPolicy,
    list: Vec<HostEntry>,
}

impl NetworkRules {
    /// What a project's settings say. An entry that cannot be read allows nothing.
    pub fn of(settings: &NetworkSettings) -> Self {
        let usual = REGISTRIES.iter().copied().filter(|_| settings.registries);
        let all = usual.chain(settings.hosts.iter().map(String::as_str));
        Self { policy: settings.policy, list: all.filter_map(|entry| HostEntry::parse(entry).ok()).collect() }
    }

    /// The policy.
    pub fn policy(&self) -> NetworkPolicy {
        self.policy
    }

    /// Whether a host may be asked for, at this port.
    pub fn admit(&self, name: &HostName, port: u16) -> bool {
        match self.policy {
            NetworkPolicy::None => false,
            NetworkPolicy::AllowList => self.list.iter().any(|entry| entry.admits(name, port)),
            NetworkPolicy::Open => true,
        }
    }
}

/// Whether commands may be connected to this address, whatever the policy.
pub fn is_reachable(address: IpAddr) -> bool {
    whereabouts(address) == Whereabouts::Outside
}

/// A host that commands of a project asked for and were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct RefusedHost {
    /// The host's name.
    pub host: String,
    /// The port.
    pub port: i64,
    /// How often it was asked for.
    pub count: i64,
    /// When for the first time.
    pub first_at: DateTime,
    /// When for the last time.
    pub last_at: DateTime,
    /// The run whose commands asked last; nothing for a trial of checks.
    pub last_run_id: Option<RunId>,
}

#[cfg(test)]
mod tests;
