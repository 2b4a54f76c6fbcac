//! MCP servers of projects and of the whole team, and the tools that they offer: as they are now, and as a member approved them.

mod list;

pub use list::McpServersOf;

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::mcp::{McpServer, McpShape, McpTest, McpTool, McpTransport, McpValue, SERVERS};
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::{DateTime, McpServerId, MemberId, ProjectId};
use sqlx::types::Json;

use crate::{Rows, SealedSecret, Store, StoreError, Tx, on, read};

const COLUMNS: &str = "id, project_id, name, transport, \"values\", enabled, trusted, timeout_seconds, created_by, created_at, \
    updated_at, test";
const TOOL: &str =
    "server_id, name, enabled, offered, hash, approved, approved_hash, approved_by, approved_at, seen_at";
/// Names of tools in a notification at most.
const NAMED: usize = 5;

/// Names the secret values of an MCP server among the sealed secrets.
pub fn mcp_identity(id: McpServerId) -> String {
    format!("mcp/{id}")
}

/// What becomes of a server's secret values with a change of it.
#[derive(Debug, Clone, Default)]
pub enum McpSecrets {
    /// They stay.
    #[default]
    Stay,
    /// These take their place, sealed under [`mcp_identity`].
    Put(SealedSecret),
    /// There are none any more.
    None,
}

/// An MCP server to be added.
#[derive(Debug, Clone)]
pub struct NewMcpServer {
    /// Its id.
    pub id: McpServerId,
    /// Its project; nothing where it is the whole team's.
    pub project: Option<ProjectId>,
    /// What it is called.
    pub name: String,
    /// How it is reached.
    pub transport: McpTransport,
    /// Its environment or headers, without what is a secret.
    pub values: Vec<McpValue>,
    /// Seconds that a start and each call may take.
    pub timeout_seconds: i64,
    /// Who adds it.
    pub by: MemberId,
    /// The values that are secrets.
    pub secrets: McpSecrets,
}

/// How an MCP server is to be from now on; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct McpServerPatch {
    /// What it is called.
    pub name: Option<String>,
    /// How it is reached.
    pub transport: Option<McpTransport>,
    /// Its environment or headers, without what is a secret.
    pub values: Option<Vec<McpValue>>,
    /// Whether agents may have its tools at all.
    pub enabled: Option<bool>,
    /// Whether a member trusts what it says of its tools.
    pub trusted: Option<bool>,
    /// Seconds that a start and each call may take.
    pub timeout_seconds: Option<i64>,
    /// The values that are secrets.
    pub secrets: McpSecrets,
    /// The server that the change was made from: of one that is reached otherwise by now, nothing is changed. Whoever changes how
    /// it is reached gives it, or the secrets of one place could come to another.
    pub from: Option<Box<McpServer>>,
}

/// A tool as its server describes it now.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenTool {
    /// What it says.
    pub shape: McpShape,
    /// The SHA-256 of that.
    pub hash: String,
}

/// How a server's tools came to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpLook {
    /// A member tried the server, in this project's sandbox if in one; this came of it.
    Test(McpTest, Option<ProjectId>),
    /// An agent's run uses it, and it is at the same place for all.
    Run,
    /// The same, where it is a program in the worktree of that run: what it says there holds there.
    Worktree,
}

#[derive(sqlx::FromRow)]
struct ToolRow {
    server_id: McpServerId,
    name: String,
    enabled: bool,
    offered: Option<Json<McpShape>>,
    hash: Option<String>,
    approved: Option<Json<McpShape>>,
    approved_hash: Option<String>,
    approved_by: Option<MemberId>,
    approved_at: Option<DateTime>,
    seen_at: DateTime,
}

impl From<ToolRow> for McpTool {
    fn from(row: ToolRow) -> Self {
        Self {
            standing: Self::standing(row.hash.as_deref(), row.approved_hash.as_deref()),
            name: row.name,
            enabled: row.enabled,
            offered: row.offered.map(|Json(shape)| shape),
            hash: row.hash,
            approved: row.approved.map(|Json(shape)| shape),
            approved_hash: row.approved_hash,
            approved_by: row.approved_by,
            approved_at: row.approved_at,
            seen_at: row.seen_at,
        }
    }
}

impl Store {
    /// The MCP server with this id, with its tools.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_server(&self, id: McpServerId) -> Result<Option<McpServer>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM mcp_servers WHERE id = $1");
        let server: Option<McpServer> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let Some(server) = server else { return Ok(None) };
        let sql = format!("SELECT {TOOL} FROM mcp_tools WHERE server_id = $1 ORDER BY name");
        let rows: Vec<ToolRow> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_all(c).await)?;
        Ok(Some(McpServer { tools: rows.into_iter().map(Into::into).collect(), ..server }))
    }

    /// Adds an MCP server to a project, or to the whole team.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Taken`], [`StoreError::TooMany`], [`StoreError::KeyMoved`].
    pub async fn create_mcp_server(&self, new: NewMcpServer) -> Result<McpServer, StoreError> {
        let mut tx = self.begin().await?;
        // The project's row is what those who add to it wait for, so that there are not too many.
        match new.project {
            Some(project) => {
                let there = on!(tx, c => sqlx::query(
                    "UPDATE projects SET name = name WHERE id = $1 AND archived_at IS NULL")
                    .bind(project).execute(c).await.rows())?;
                if there != 1 {
                    return Err(StoreError::NotFound { what: "project" });
                }
            }
            None => self.one_at_a_time(&mut tx).await?,
        }
        let (count,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM mcp_servers WHERE project_id IS NOT DISTINCT FROM $1")
            .bind(new.project).fetch_one(c).await)?;
        if count >= SERVERS {
            return Err(StoreError::TooMany { what: "MCP servers", most: SERVERS });
        }
        self.put_mcp_secrets(&mut tx, new.id, &new.secrets).await?;
        let sql = format!(
            "INSERT INTO mcp_servers (id, project_id, name, transport, \"values\", enabled, trusted, timeout_seconds, created_by,
               created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING {COLUMNS}"
        );
        let server: McpServer = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(new.id).bind(new.project)
            .bind(&new.name).bind(Json(&new.transport)).bind(Json(&new.values)).bind(true).bind(false)
            .bind(new.timeout_seconds).bind(new.by).bind(self.now()).fetch_one(c).await)
        .map_err(|error| StoreError::taken(error, name_in(new.project)))?;
        self.tell_of_mcp_server(&mut tx, &server).await?;
        tx.note(note(AuditAction::CreateMcpServer, &server).with("reached", reached(&server.transport)));
        self.commit(tx).await?;
        Ok(server)
    }

    /// Changes an MCP server. What was approved of its tools stays, also when it is reached otherwise: a member
    /// approved words, and a tool is had only where those same words are said.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Taken`], [`StoreError::KeyMoved`], [`StoreError::McpServerMoved`].
    pub async fn change_mcp_server(&self, id: McpServerId, patch: McpServerPatch) -> Result<McpServer, StoreError> {
        let mut tx = self.begin().await?;
        let before = self.locked_mcp_server(&mut tx, id).await?;
        if patch.from.as_ref().is_some_and(|from| from.updated_at != before.updated_at || !before.is_reached_as(from)) {
            return Err(StoreError::McpServerMoved);
        }
        let sql = format!(
            "UPDATE mcp_servers SET name = coalesce($2, name), transport = coalesce($3, transport),
               \"values\" = coalesce($4, \"values\"), enabled = coalesce($5, enabled), trusted = coalesce($6, trusted),
               timeout_seconds = coalesce($7, timeout_seconds), updated_at = $8 WHERE id = $1 RETURNING {COLUMNS}"
        );
        let server: Option<McpServer> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id)
            .bind(patch.name.as_deref()).bind(patch.transport.as_ref().map(Json)).bind(patch.values.as_ref().map(Json))
            .bind(patch.enabled).bind(patch.trusted).bind(patch.timeout_seconds).bind(self.now()).fetch_optional(c).await)
        .map_err(|error| StoreError::taken(error, name_in(before.project_id)))?;
        let server = server.ok_or(StoreError::NotFound { what: "MCP server" })?;
        self.put_mcp_secrets(&mut tx, id, &patch.secrets).await?;
        self.tell_of_mcp_server(&mut tx, &server).await?;
        let mut note = note(AuditAction::ChangeMcpServer, &server);
        if let Some(transport) = &patch.transport {
            note = note.with("reached", reached(transport));
        }
        for (name, value) in [("enabled", patch.enabled), ("trusted", patch.trusted)] {
            if let Some(value) = value {
                note = note.with(name, value);
            }
        }
        tx.note(note.with("newSecrets", matches!(patch.secrets, McpSecrets::Put(_))));
        self.commit(tx).await?;
        self.mcp_server(id).await?.ok_or(StoreError::NotFound { what: "MCP server" })
    }

    /// Takes an MCP server out of its project or the team, with its tools and secrets.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_mcp_server(&self, id: McpServerId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("DELETE FROM mcp_servers WHERE id = $1 RETURNING {COLUMNS}");
        let server: Option<McpServer> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let server = server.ok_or(StoreError::NotFound { what: "MCP server" })?;
        self.delete_secret(&mut tx, &mcp_identity(id)).await?;
        self.tell_of_mcp_server(&mut tx, &server).await?;
        tx.note(note(AuditAction::DeleteMcpServer, &server));
        self.commit(tx).await
    }

    /// Writes down what a server offers now; nothing when a test did not get so far. What it offers no more is gone, but what
    /// was approved of it stays known. When a run finds tools that are new, or other than they were last seen, whoever
    /// added the server is told, of one of the team's all admins are, once for each such change. Of a program in a run's worktree nothing is written down, so that
    /// what one agent makes of it is nobody else's; they are told of it each time. `from` is the server that was looked
    /// at: of one that is reached otherwise by now, nothing is written down.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::McpServerMoved`].
    pub async fn see_mcp_tools(
        &self,
        from: &McpServer,
        tools: Option<&[SeenTool]>,
        look: McpLook,
    ) -> Result<McpServer, StoreError> {
        let (id, now) = (from.id, self.now());
        let mut tx = self.begin().await?;
        let server = self.locked_mcp_server(&mut tx, id).await?;
        if !server.is_reached_as(from) {
            return Err(StoreError::McpServerMoved);
        }
        let mut news = Vec::new();
        let mut changed = matches!(look, McpLook::Test(..));
        let written = look != McpLook::Worktree;
        if let Some(tools) = tools {
            let before: Vec<ToolRow> = self.mcp_rows(&mut tx, id).await?;
            for tool in tools {
                let known = before.iter().find(|row| row.name == tool.shape.name);
                if known.is_some_and(|row| row.hash.as_ref() == Some(&tool.hash)) {
                    continue;
                }
                changed |= written;
                // One that was gone and is back as it was approved is nothing to look at.
                if known.is_none_or(|row| row.approved_hash.as_ref() != Some(&tool.hash)) {
                    news.push(tool.shape.name.as_str());
                }
                if !written {
                    continue;
                }
                on!(tx, c => sqlx::query(
                    "INSERT INTO mcp_tools (server_id, name, enabled, offered, hash, seen_at) VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (server_id, name) DO UPDATE SET offered = excluded.offered, hash = excluded.hash,
                       seen_at = excluded.seen_at")
                    .bind(id).bind(&tool.shape.name).bind(true).bind(Json(&tool.shape)).bind(&tool.hash).bind(now)
                    .execute(c).await.rows())?;
            }
            for row in before.iter().filter(|row| written && row.hash.is_some()) {
                if !tools.iter().any(|tool| tool.shape.name == row.name) {
                    changed = true;
                    on!(tx, c => sqlx::query(
                        "UPDATE mcp_tools SET offered = NULL, hash = NULL WHERE server_id = $1 AND name = $2")
                        .bind(id).bind(&row.name).execute(c).await.rows())?;
                }
            }
            // What nobody approved and nobody offers is nothing any more.
            if written {
                on!(tx, c => sqlx::query(
                "DELETE FROM mcp_tools WHERE server_id = $1 AND hash IS NULL AND approved_hash IS NULL")
                    .bind(id).execute(c).await.rows())?;
            }
        }
        match look {
            McpLook::Test(test, place) => {
                let test = McpTest {
                    problem: test.problem.as_deref().map(crate::clean),
                    stderr: test.stderr.as_deref().map(crate::clean),
                    server: test.server.as_deref().map(crate::clean),
                    protocol: test.protocol.as_deref().map(crate::clean),
                    left_out: test.left_out.as_deref().map(crate::clean),
                    ..test
                };
                on!(tx, c => sqlx::query("UPDATE mcp_servers SET test = $2 WHERE id = $1").bind(id).bind(Json(&test))
                    .execute(c).await.rows())?;
                let good = test.problem.is_none();
                let noted = note(AuditAction::TestMcpServer, &server).with("good", good).with("tools", test.tools);
                tx.note(match place.filter(|_| server.project_id.is_none()) {
                    Some(project) => noted.with("project", project),
                    None => noted,
                });
            }
            McpLook::Run | McpLook::Worktree if !news.is_empty() => {
                let mut named: Vec<&str> = news.iter().take(NAMED).copied().collect();
                if news.len() > NAMED {
                    named.push("…");
                }
                let named = crate::clean(&named.join(", "));
                let settings = server.settings();
                let text = match written {
                    true => format!(
                        "It describes tools otherwise than a member approved, or has new ones: {named}. Agents do not get them until \
                         somebody has looked at them in {settings}."
                    ),
                    false => format!(
                        "In the worktree of a run it describes tools otherwise than a member approved, or has new ones: {named}. That \
                         run does without them. If they are to stay so, try the server in {settings}, and look at them."
                    ),
                };
                changed = true;
                let subject = format!("MCP server {}", server.name);
                let tell = Tell::new(NotificationKind::McpToolsChanged, server.created_by, subject, text);
                let tell = match server.project_id {
                    Some(project) => tell.project(project),
                    // Those who may look at them.
                    None => Tell { members: self.admins(&mut tx).await?, ..tell },
                };
                tx.tell(tell);
            }
            McpLook::Run | McpLook::Worktree => {}
        }
        if changed {
            if written {
                self.tell_of_mcp_server(&mut tx, &server).await?;
            }
            self.commit(tx).await?;
        } else {
            drop(tx);
        }
        self.mcp_server(id).await?.ok_or(StoreError::NotFound { what: "MCP server" })
    }

    /// Approves tools as they are offered: those of these names and hashes, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::McpToolMoved`] when one is not offered so any more.
    pub async fn approve_mcp_tools(
        &self,
        id: McpServerId,
        by: MemberId,
        tools: &[(String, String)],
    ) -> Result<McpServer, StoreError> {
        let mut tx = self.begin().await?;
        let server = self.locked_mcp_server(&mut tx, id).await?;
        for (name, hash) in tools {
            let done = on!(tx, c => sqlx::query(
                "UPDATE mcp_tools SET approved = offered, approved_hash = hash, approved_by = $4, approved_at = $5
                 WHERE server_id = $1 AND name = $2 AND hash = $3")
                .bind(id).bind(name).bind(hash).bind(by).bind(self.now()).execute(c).await.rows())?;
            if done != 1 {
                return Err(StoreError::McpToolMoved { name: name.clone() });
            }
        }
        self.tell_of_mcp_server(&mut tx, &server).await?;
        let names: Vec<String> =
            tools.iter().map(|(name, hash)| format!("{name} {}", hash.get(..12).unwrap_or(hash))).collect();
        tx.note(note(AuditAction::ApproveMcpTools, &server).with("tools", names.join(", ")));
        self.commit(tx).await?;
        self.mcp_server(id).await?.ok_or(StoreError::NotFound { what: "MCP server" })
    }

    /// Switches tools on and off for agents. Tools that the server does not know are passed over.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn choose_mcp_tools(&self, id: McpServerId, tools: &[(String, bool)]) -> Result<McpServer, StoreError> {
        let mut tx = self.begin().await?;
        let server = self.locked_mcp_server(&mut tx, id).await?;
        for (name, enabled) in tools {
            on!(tx, c => sqlx::query("UPDATE mcp_tools SET enabled = $3 WHERE server_id = $1 AND name = $2")
                .bind(id).bind(name).bind(enabled).execute(c).await.rows())?;
        }
        self.tell_of_mcp_server(&mut tx, &server).await?;
        let named = |on: bool| {
            let names: Vec<&str> =
                tools.iter().filter(|(_, enabled)| *enabled == on).map(|(name, _)| name.as_str()).collect();
            names.join(", ")
        };
        tx.note(note(AuditAction::ChangeMcpServer, &server).with("on", named(true)).with("off", named(false)));
        self.commit(tx).await?;
        self.mcp_server(id).await?.ok_or(StoreError::NotFound { what: "MCP server" })
    }

    async fn locked_mcp_server(&self, tx: &mut Tx, id: McpServerId) -> Result<McpServer, StoreError> {
        let sql = format!("UPDATE mcp_servers SET name = name WHERE id = $1 RETURNING {COLUMNS}");
        let server: Option<McpServer> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        server.ok_or(StoreError::NotFound { what: "MCP server" })
    }

    async fn mcp_rows(&self, tx: &mut Tx, id: McpServerId) -> Result<Vec<ToolRow>, StoreError> {
        let sql = format!("SELECT {TOOL} FROM mcp_tools WHERE server_id = $1");
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_all(c).await)?)
    }

    async fn put_mcp_secrets(&self, tx: &mut Tx, id: McpServerId, secrets: &McpSecrets) -> Result<(), StoreError> {
        match secrets {
            McpSecrets::Stay => Ok(()),
            McpSecrets::Put(sealed) => self.put_secret(tx, sealed).await,
            McpSecrets::None => self.delete_secret(tx, &mcp_identity(id)).await,
        }
    }

    async fn tell_of_mcp_server(&self, tx: &mut Tx, server: &McpServer) -> Result<(), StoreError> {
        let what = Happening::McpServerUpdated { server_id: server.id, project_id: server.project_id };
        self.record(tx, &what).await
    }
}

fn note(action: AuditAction, server: &McpServer) -> Note {
    let note = Note::new(action).on(AuditObject::McpServer, server.id).with("name", &server.name);
    match server.project_id {
        Some(project) => note.with("project", project),
        None => note,
    }
}

/// What is in use already where two servers would be called the same.
const fn name_in(project: Option<ProjectId>) -> &'static str {
    match project {
        Some(_) => "name of an MCP server in this project",
        None => "name of an MCP server of the team",
    }
}

/// What is reached, for the audit.
fn reached(transport: &McpTransport) -> &str {
    match transport {
        McpTransport::Stdio { command } => command,
        McpTransport::Http { url } => url,
    }
}
