//! MCP servers of projects and of the whole team: who may be reached how, with which secrets, and which of their tools agents get.
//! One of the team's reaches every project, so only those who run the team add and change it.
//!
//! A secret goes to the place that it was given for: when a server is moved to another address or command, or what stands beside
//! the secret in a program's environment changes, its secrets must be given anew, or whoever moves it could have them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use guildhall_git::Blob;
use guildhall_store::{McpLook, McpSecrets, McpServerPatch, McpServersOf, NewMcpServer, SeenTool, mcp_identity};
use guildhall_types::knowledge::secrets;
use guildhall_types::mcp::{
    LINE, McpProposal, McpServer, McpShape, McpTransport, McpValue, NAME, SECONDS, SECRET, SERVERS, TOOLS,
    USUAL_SECONDS, VALUE, VALUES, is_server_name, proposals,
};
use guildhall_types::secret::{is_taken, taken_fault};
use guildhall_types::{McpServerId, ProjectId};
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::cards::line;
use crate::{By, Team, TeamError};

/// Where a repository names servers, and bytes of that file at most.
const FILE: &str = ".mcp.json";
const FILE_SIZE: u64 = 64 * 1024;
/// Characters of a name of a variable or a header at most.
const WORD: usize = 100;
/// Headers that are the protocol's or the connection's, not a member's.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A variable or header, as somebody wishes it.
#[derive(Clone)]
pub struct McpValueWish {
    /// What it is called.
    pub name: String,
    /// The value. A secret that is there already stays when it is absent.
    pub value: Option<Zeroizing<String>>,
    /// Whether it is sealed and never shown again.
    pub secret: bool,
}

impl McpValueWish {
    /// A wish.
    pub fn new(name: String, value: Option<String>, secret: bool) -> Self {
        Self { name, value: value.map(Zeroizing::new), secret }
    }
}

impl std::fmt::Debug for McpValueWish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpValueWish").field("name", &self.name).field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// An MCP server to be added, as somebody wishes it.
#[derive(Debug, Clone)]
pub struct McpServerWish {
    /// What it is called.
    pub name: String,
    /// How it is reached.
    pub transport: McpTransport,
    /// Its environment or headers.
    pub values: Vec<McpValueWish>,
    /// Seconds that a start and each call may take.
    pub timeout_seconds: Option<i64>,
}

/// How an MCP server is to be from now on; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct McpServerWishes {
    /// What it is called.
    pub name: Option<String>,
    /// How it is reached.
    pub transport: Option<McpTransport>,
    /// Its environment or headers: all of them.
    pub values: Option<Vec<McpValueWish>>,
    /// Seconds that a start and each call may take.
    pub timeout_seconds: Option<i64>,
    /// Whether agents may have its tools at all.
    pub enabled: Option<bool>,
    /// Whether what it says of its tools is trusted.
    pub trusted: Option<bool>,
}

/// Secret values by their names.
type Sealed = BTreeMap<String, String>;

/// The SHA-256 by which what a server says of a tool is known, in hexadecimal.
pub fn mcp_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Team {
    /// Adds an MCP server to a project, or to the whole team.
    ///
    /// # Errors
    /// [`TeamError::Invalid`]; [`TeamError::LooksLikeSecret`] where a secret would be shown; [`TeamError::NotYours`] where it is to
    /// be the team's and this one does not run the team; when the name is in use.
    pub async fn create_mcp_server(
        &self,
        by: By<'_>,
        project: Option<ProjectId>,
        wish: McpServerWish,
    ) -> Result<McpServer, TeamError> {
        may_manage(by, project)?;
        let transport = self.check_transport(wish.transport)?;
        let (values, secrets) = check_values(&transport, wish.values, &Sealed::new(), true)?;
        let new = NewMcpServer {
            id: McpServerId::new(),
            project,
            name: check_name(&wish.name)?,
            transport,
            values,
            timeout_seconds: check_seconds(wish.timeout_seconds.unwrap_or(USUAL_SECONDS))?,
            by: by.member.id,
            secrets: McpSecrets::None,
        };
        let store = &self.store;
        if secrets.is_empty() {
            return Ok(store.create_mcp_server(new).await?);
        }
        let put = |sealed| {
            let new = NewMcpServer { secrets: McpSecrets::Put(sealed), ..new.clone() };
            async move { store.create_mcp_server(new).await }
        };
        self.sealing(&mcp_identity(new.id), &sealable(&secrets)?, put).await
    }

    /// Changes an MCP server.
    ///
    /// # Errors
    /// As for [`Team::create_mcp_server`]; [`TeamError::NotFound`]; when somebody else changed meanwhile how it is reached.
    pub async fn change_mcp_server(
        &self,
        by: By<'_>,
        id: McpServerId,
        wishes: McpServerWishes,
    ) -> Result<McpServer, TeamError> {
        let old = self.managed_mcp_server(by, id).await?;
        let name = wishes.name.as_deref().map(check_name).transpose()?;
        let timeout_seconds = wishes.timeout_seconds.map(check_seconds).transpose()?;
        let transport = wishes.transport.map(|transport| self.check_transport(transport)).transpose()?;
        let moved = transport.as_ref().is_some_and(|transport| *transport != old.transport);
        let from = (transport.is_some() || wishes.values.is_some()).then(|| Box::new(old.clone()));
        // Trust was given to what is at the old place. Whoever moves it may say that they trust what is at the new one.
        let trusted = wishes.trusted.or((moved && old.trusted).then_some(false));
        let enabled = wishes.enabled;
        let patch =
            McpServerPatch { name, transport, timeout_seconds, enabled, trusted, from, ..McpServerPatch::default() };
        if wishes.values.is_none() && !moved {
            return Ok(self.store.change_mcp_server(id, patch).await?);
        }
        // Without new ones, the old ones are checked as well: they may be the secrets of another address.
        let wished = wishes.values.unwrap_or_else(|| old.values.iter().map(as_wished).collect());
        let known = self.mcp_secrets(&old).await?;
        let transport = patch.transport.clone().unwrap_or_else(|| old.transport.clone());
        let moved =
            moved || matches!(transport, McpTransport::Stdio { .. }) && changes_environment(&old.values, &wished);
        let (values, secrets) = check_values(&transport, wished, &known, moved)?;
        let patch = McpServerPatch { values: Some(values), secrets: McpSecrets::None, ..patch };
        let store = &self.store;
        if secrets.is_empty() {
            return Ok(store.change_mcp_server(id, patch).await?);
        }
        let put = |sealed| {
            let patch = McpServerPatch { secrets: McpSecrets::Put(sealed), ..patch.clone() };
            async move { store.change_mcp_server(id, patch).await }
        };
        self.sealing(&mcp_identity(id), &sealable(&secrets)?, put).await
    }

    /// The MCP server with this id.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn mcp_server(&self, id: McpServerId) -> Result<McpServer, TeamError> {
        self.store.mcp_server(id).await?.ok_or(TeamError::NotFound { what: "MCP server" })
    }

    /// The same, for whoever changes or tries it.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::NotYours`] where it is the team's and this one does not run the team.
    pub async fn managed_mcp_server(&self, by: By<'_>, id: McpServerId) -> Result<McpServer, TeamError> {
        let server = self.mcp_server(id).await?;
        may_manage(by, server.project_id)?;
        Ok(server)
    }

    /// Takes an MCP server away, with its secrets.
    ///
    /// # Errors
    /// As for [`Team::managed_mcp_server`].
    pub async fn delete_mcp_server(&self, by: By<'_>, id: McpServerId) -> Result<(), TeamError> {
        self.managed_mcp_server(by, id).await?;
        Ok(self.store.delete_mcp_server(id).await?)
    }

    /// The servers that the project's repository names in its `.mcp.json` on the default branch, for members to look at. Those
    /// whose names the project has already are left out.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] while there is no repository.
    pub async fn mcp_proposals(&self, project: ProjectId) -> Result<Vec<McpProposal>, TeamError> {
        let (project, repo) = self.ready_project(project).await?;
        let Some(tip) = repo.branch(&project.default_branch).await? else { return Ok(Vec::new()) };
        let Some(Blob::Bytes(bytes)) = repo.file_at(&tip, FILE, FILE_SIZE).await? else { return Ok(Vec::new()) };
        let servers = self.store.mcp_server_lines(McpServersOf::Project(project.id), None, SERVERS).await?;
        let known: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        Ok(proposals(&String::from_utf8_lossy(&bytes), &known))
    }

    /// Approves tools of a server, each as the member saw it, which its hash says.
    ///
    /// # Errors
    /// As for [`Team::managed_mcp_server`]; [`TeamError::Invalid`]; when one is not offered so any more.
    pub async fn approve_mcp_tools(
        &self,
        by: By<'_>,
        id: McpServerId,
        tools: Vec<(String, String)>,
    ) -> Result<McpServer, TeamError> {
        check_count(tools.len())?;
        self.managed_mcp_server(by, id).await?;
        Ok(self.store.approve_mcp_tools(id, by.member.id, &tools).await?)
    }

    /// Switches tools of a server on and off for agents.
    ///
    /// # Errors
    /// As for [`Team::managed_mcp_server`]; [`TeamError::Invalid`].
    pub async fn choose_mcp_tools(
        &self,
        by: By<'_>,
        id: McpServerId,
        tools: Vec<(String, bool)>,
    ) -> Result<McpServer, TeamError> {
        check_count(tools.len())?;
        self.managed_mcp_server(by, id).await?;
        Ok(self.store.choose_mcp_tools(id, &tools).await?)
    }

    /// Writes down what a server offers now; see the store.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; when the server is reached otherwise by now.
    pub async fn see_mcp_tools(
        &self,
        from: &McpServer,
        shapes: Option<Vec<McpShape>>,
        look: McpLook,
    ) -> Result<McpServer, TeamError> {
        let seen = |shape: McpShape| SeenTool { hash: mcp_hash(&shape.canonical()), shape };
        let tools: Option<Vec<SeenTool>> = shapes.map(|shapes| shapes.into_iter().map(seen).collect());
        Ok(self.store.see_mcp_tools(from, tools.as_deref(), look).await?)
    }

    /// The environment or the headers of a server, whole: for whoever starts or calls it, and for nobody else.
    ///
    /// # Errors
    /// When the secrets cannot be opened or are missing.
    pub async fn mcp_values(&self, server: &McpServer) -> Result<Vec<(McpValue, Zeroizing<String>)>, TeamError> {
        let mut secrets = self.mcp_secrets(server).await?;
        let mut all = Vec::with_capacity(server.values.len());
        for value in &server.values {
            let whole = match value.secret {
                false => value.value.clone(),
                true => secrets.remove(&value.name),
            };
            let whole = whole.ok_or_else(|| {
                TeamError::conflict("secret-missing", format!("the secret {} is missing; set it again", value.name))
            })?;
            all.push((value.clone(), Zeroizing::new(whole)));
        }
        Ok(all)
    }

    async fn mcp_secrets(&self, server: &McpServer) -> Result<Sealed, TeamError> {
        if !server.values.iter().any(|value| value.secret) {
            return Ok(Sealed::new());
        }
        let identity = mcp_identity(server.id);
        let Some(sealed) = self.store.secret(&identity).await? else { return Ok(Sealed::new()) };
        let opened = self.vault.open(&identity, &sealed)?;
        serde_json::from_slice(&opened).map_err(|error| TeamError::internal("reading an MCP server's secrets", error))
    }

    fn check_transport(&self, transport: McpTransport) -> Result<McpTransport, TeamError> {
        match transport {
            McpTransport::Stdio { command } => {
                let command = line("transport.command", &command, LINE)?;
                if command.is_empty() {
                    return Err(TeamError::invalid("transport.command", "give the command that starts the server"));
                }
                plain("transport.command", &command)?;
                Ok(McpTransport::Stdio { command })
            }
            McpTransport::Http { url } => {
                let bad = |message: String| TeamError::invalid("transport.url", message);
                let url = line("transport.url", &url, LINE)?;
                let parsed: Url =
                    url.parse().map_err(|_| bad("give a whole address, such as https://example.com/mcp".to_owned()))?;
                if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
                    return Err(bad("the address must begin with https:// or http://".to_owned()));
                }
                if !parsed.username().is_empty() || parsed.password().is_some() {
                    return Err(bad(
                        "leave user and password out of the address; put them into a secret header".to_owned()
                    ));
                }
                plain("transport.url", &url)?;
                self.caller()?.admits(&parsed).map_err(|blocked| bad(blocked.to_string()))?;
                Ok(McpTransport::Http { url: parsed.into() })
            }
        }
    }
}

/// Refuses whoever changes what is the whole team's and does not run the team. Who manages projects, routes ask.
fn may_manage(by: By<'_>, project: Option<ProjectId>) -> Result<(), TeamError> {
    match project.is_some() || by.administers {
        true => Ok(()),
        false => Err(TeamError::not_yours(
            "this MCP server is the whole team's: its admins add, try, approve and change it; ask one of them",
        )),
    }
}

/// Refuses what looks like a secret where everybody would see it.
fn plain(field: &'static str, text: &str) -> Result<(), TeamError> {
    match secrets::find(text) {
        Some(suspect) => Err(TeamError::LooksLikeSecret { field, line: suspect.line, what: suspect.what }),
        None => Ok(()),
    }
}

fn as_wished(value: &McpValue) -> McpValueWish {
    let McpValue { name, secret, value } = value.clone();
    McpValueWish { name, secret, value: value.map(Zeroizing::new) }
}

fn check_name(name: &str) -> Result<String, TeamError> {
    match is_server_name(name) {
        true => Ok(name.to_owned()),
        false => Err(TeamError::invalid(
            "name",
            format!(
                "use 1 to {NAME} small letters, digits and single hyphens, a letter first: it becomes a part of the tools' names"
            ),
        )),
    }
}

fn check_seconds(seconds: i64) -> Result<i64, TeamError> {
    let (least, most) = SECONDS;
    match (least..=most).contains(&seconds) {
        true => Ok(seconds),
        false => Err(TeamError::invalid("timeoutSeconds", format!("give a number from {least} to {most}"))),
    }
}

fn check_count(count: usize) -> Result<(), TeamError> {
    match (1..=TOOLS).contains(&count) {
        true => Ok(()),
        false => Err(TeamError::invalid("tools", format!("name 1 to {TOOLS} tools"))),
    }
}

/// Whether a program would find something else beside its secrets: a variable of another name or value may decide what it does
/// with them, and where it sends them. A secret that is given anew changes nothing for the others.
fn changes_environment(old: &[McpValue], wished: &[McpValueWish]) -> bool {
    let same = |known: &McpValue, wish: &McpValueWish| {
        known.name == wish.name.trim()
            && known.secret == wish.secret
            && (known.secret || known.value.as_deref() == wish.value.as_ref().map(|value| value.as_str()))
    };
    old.len() != wished.len() || !wished.iter().all(|wish| old.iter().any(|known| same(known, wish)))
}

/// What is shown of the values, and the secrets among them.
fn check_values(
    transport: &McpTransport,
    wished: Vec<McpValueWish>,
    known: &Sealed,
    moved: bool,
) -> Result<(Vec<McpValue>, Sealed), TeamError> {
    let bad = |message: String| TeamError::invalid("values", message);
    if wished.len() > VALUES {
        return Err(bad(format!("give at most {VALUES} values")));
    }
    let (mut shown, mut secrets) = (Vec::<McpValue>::with_capacity(wished.len()), Sealed::new());
    for McpValueWish { name, value, secret } in wished {
        let name = name.trim().to_owned();
        check_value_name(transport, &name).map_err(&bad)?;
        if shown.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            return Err(bad(format!("{name} is there twice; give it once")));
        }
        let whole = match (value, secret) {
            (Some(value), _) => value,
            (None, true) if moved && known.contains_key(&name) => {
                return Err(bad(format!(
                    "give the secret {name} anew: it was given for another command, address or environment, and goes to no other \
                     by itself"
                )));
            }
            (None, true) => match known.get(&name) {
                Some(value) => Zeroizing::new(value.clone()),
                None => return Err(bad(format!("give the secret {name} a value"))),
            },
            (None, false) => return Err(bad(format!("give {name} a value"))),
        };
        check_value(transport, &name, &whole, secret).map_err(&bad)?;
        if secret {
            secrets.insert(name.clone(), whole.to_string());
        } else {
            plain("values", &format!("{name}={}", whole.as_str()))?;
        }
        shown.push(McpValue { name, secret, value: (!secret).then(|| whole.to_string()) });
    }
    Ok((shown, secrets))
}

fn check_value_name(transport: &McpTransport, name: &str) -> Result<(), String> {
    let short = (1..=WORD).contains(&name.len());
    match transport {
        McpTransport::Stdio { .. } => {
            let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !short || !word || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(format!("{name:?} is no name of an environment variable: use letters, digits and _"));
            }
            match is_taken(name) {
                true => Err(taken_fault(name)),
                false => Ok(()),
            }
        }
        McpTransport::Http { .. } => {
            let token = name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
            if !short || !token {
                return Err(format!("{name:?} is no name of a header: use letters, digits and -"));
            }
            let small = name.to_ascii_lowercase();
            match RESERVED.contains(&small.as_str()) || small.starts_with("mcp-") {
                true => Err(format!("the header {name} is the protocol's own; leave it out")),
                false => Ok(()),
            }
        }
    }
}

fn check_value(transport: &McpTransport, name: &str, value: &str, secret: bool) -> Result<(), String> {
    let length = value.chars().count();
    if length > VALUE {
        return Err(format!("{name} has {length} characters, over {VALUE}"));
    }
    if secret && value.trim().chars().count() < SECRET {
        return Err(format!(
            "the secret {name} is shorter than {SECRET} characters: what is so short cannot be kept out of what a server answers"
        ));
    }
    match transport {
        McpTransport::Stdio { .. } if value.contains('\0') => Err(format!("{name} holds a NUL character")),
        McpTransport::Http { .. } if !value.chars().all(|c| c == '\t' || (' '..='~').contains(&c)) => {
            Err(format!("{name} holds what no header may: use plain ASCII on one line"))
        }
        _ => Ok(()),
    }
}

fn sealable(secrets: &Sealed) -> Result<Zeroizing<Vec<u8>>, TeamError> {
    let plain =
        serde_json::to_vec(secrets).map_err(|error| TeamError::internal("sealing an MCP server's secrets", error))?;
    Ok(Zeroizing::new(plain))
}
