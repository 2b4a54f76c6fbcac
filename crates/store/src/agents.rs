//! Agents: the team's reusable definitions of who works.

use guildhall_types::agent::{Agent, AgentModel, AgentServer, AgentStatus, AgentTool, Briefing};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::{AgentId, MemberId, RunId};
use sqlx::types::Json;

use crate::{Page, Rows, Store, StoreError, Tx, on, read};

pub(crate) const COLUMNS: &str = "id, name, description, system_prompt, status, model, tools, mcp_servers, icon, tags, version, built_in, \
    created_by, created_at, updated_at, shared_at";
/// Agents of one team at most.
const MOST: i64 = 500;

/// An agent to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is the field of `Agent` of the same name")]
pub struct NewAgent {
    pub name: String,
    pub description: String,
    pub system_prompt: String,
    pub status: AgentStatus,
    pub model: AgentModel,
    pub tools: Vec<AgentTool>,
    pub mcp_servers: Vec<AgentServer>,
    pub icon: Option<String>,
    pub tags: Vec<String>,
    pub built_in: Option<String>,
    pub created_by: Option<MemberId>,
}

/// What to change of an agent; what is absent stays. `Some(None)` takes a value away.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field is the field of `Agent` of the same name")]
pub struct AgentPatch {
    pub name: Option<String>,
    pub description: Option<String>,
    pub system_prompt: Option<String>,
    pub status: Option<AgentStatus>,
    pub model: Option<AgentModel>,
    pub tools: Option<Vec<AgentTool>>,
    pub mcp_servers: Option<Vec<AgentServer>>,
    pub icon: Option<Option<String>>,
    pub tags: Option<Vec<String>>,
}

impl AgentPatch {
    fn names(&self) -> String {
        let all = [
            ("name", self.name.is_some()),
            ("description", self.description.is_some()),
            ("systemPrompt", self.system_prompt.is_some()),
            ("status", self.status.is_some()),
            ("model", self.model.is_some()),
            ("tools", self.tools.is_some()),
            ("mcpServers", self.mcp_servers.is_some()),
            ("icon", self.icon.is_some()),
            ("tags", self.tags.is_some()),
        ];
        let names: Vec<&str> = all.into_iter().filter(|(_, changes)| *changes).map(|(name, _)| name).collect();
        names.join(", ")
    }
}

/// Which agents.
#[derive(Debug, Clone, Default)]
pub struct AgentQuery {
    /// Who looks: others' drafts are not there.
    pub viewer: MemberId,
    /// Only with this status.
    pub status: Option<AgentStatus>,
    /// Only with this text in name, description or tags.
    pub text: Option<String>,
    /// After the agent where the last page ended.
    pub after: Option<AgentId>,
    /// At most so many.
    pub limit: i64,
}

impl Store {
    /// A page of the agents that a member sees, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agents(&self, query: &AgentQuery) -> Result<Page<Agent>, StoreError> {
        let text = query.text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(|text| {
            let plain = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            format!("%{plain}%")
        });
        let tags = match self.backend() {
            crate::Backend::Sqlite => "tags",
            crate::Backend::Postgres => "tags::text",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM agents WHERE deleted_at IS NULL AND (shared_at IS NOT NULL OR created_by = $1)
               AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR id > $3)
               AND ($4 IS NULL OR lower(name) LIKE $4 ESCAPE '\\' OR lower(description) LIKE $4 ESCAPE '\\'
                 OR lower({tags}) LIKE $4 ESCAPE '\\')
             ORDER BY id LIMIT $5"
        );
        let mut items: Vec<Agent> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(query.viewer)
            .bind(query.status).bind(query.after).bind(text).bind(query.limit + 1).fetch_all(c).await)?;
        let more = items.len() as i64 > query.limit;
        items.truncate(usize::try_from(query.limit).unwrap_or_default());
        let next = items.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(Page { items, next })
    }

    /// The agent with this id, whoever sees it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agent(&self, id: AgentId) -> Result<Option<Agent>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = $1 AND deleted_at IS NULL");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// Makes an agent.
    ///
    /// # Errors
    /// [`StoreError::TooMany`].
    pub async fn create_agent(&self, new: NewAgent) -> Result<Agent, StoreError> {
        let mut tx = self.begin().await?;
        let (count,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM agents WHERE deleted_at IS NULL")
            .fetch_one(c).await)?;
        if count >= MOST {
            return Err(StoreError::TooMany { what: "agents", most: MOST });
        }
        let id = self.put_agent(&mut tx, &new).await?.ok_or(StoreError::NotFound { what: "agent" })?;
        let agent = self.tell_of_agent(&mut tx, id).await?;
        tx.note(Note::new(AuditAction::CreateAgent).on(AuditObject::Agent, id).with("name", &agent.name));
        self.commit(tx).await?;
        Ok(agent)
    }

    /// Makes the agents that every team begins with, those that were never made before. One that was changed or deleted since
    /// stays so. Returns how many were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_built_in_agents(&self, all: &[NewAgent]) -> Result<usize, StoreError> {
        let known: Vec<(String,)> = read!(self, c => sqlx::query_as(
            "SELECT built_in FROM agents WHERE built_in IS NOT NULL").fetch_all(c).await)?;
        let missing: Vec<&NewAgent> = all
            .iter()
            .filter(|new| new.built_in.as_ref().is_some_and(|word| !known.iter().any(|(known,)| known == word)))
            .collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let mut made = 0;
        for new in missing {
            // Nobody listens yet: this is done before the first page is served.
            made += usize::from(self.put_agent(&mut tx, new).await?.is_some());
        }
        self.commit(tx).await?;
        Ok(made)
    }

    /// Nothing when another node made the same built-in one in between.
    async fn put_agent(&self, tx: &mut Tx, new: &NewAgent) -> Result<Option<AgentId>, StoreError> {
        let (id, now) = (AgentId::new(), self.now());
        let shared = (new.status == AgentStatus::Active).then_some(now);
        let done = on!(tx, c => sqlx::query(
            "INSERT INTO agents (id, name, description, system_prompt, status, model, tools, mcp_servers, icon, tags, built_in,
               created_by, created_at, updated_at, shared_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14) ON CONFLICT (built_in) DO NOTHING")
            .bind(id).bind(crate::clean(&new.name)).bind(crate::clean(&new.description)).bind(crate::clean(&new.system_prompt))
            .bind(new.status).bind(Json(&new.model)).bind(Json(&new.tools)).bind(Json(&new.mcp_servers))
            .bind(new.icon.as_deref().map(crate::clean)).bind(Json(&new.tags)).bind(&new.built_in).bind(new.created_by)
            .bind(now).bind(shared).execute(c).await.rows())?;
        Ok((done == 1).then_some(id))
    }

    /// Changes an agent. `expect_version` refuses the change when somebody else's came in between.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Stale`].
    pub async fn update_agent(
        &self,
        id: AgentId,
        patch: AgentPatch,
        expect_version: Option<i64>,
    ) -> Result<Agent, StoreError> {
        let mut tx = self.begin().await?;
        let old = self.locked_agent(&mut tx, id).await?;
        if let Some(expected) = expect_version
            && expected != old.version
        {
            return Err(StoreError::Stale { current: old.version });
        }
        let changed = patch.names();
        let (now, status) = (self.now(), patch.status.unwrap_or(old.status));
        let shared = old.shared_at.or((status == AgentStatus::Active).then_some(now));
        on!(tx, c => sqlx::query(
            "UPDATE agents SET name = $2, description = $3, system_prompt = $4, status = $5, model = $6, tools = $7,
               mcp_servers = $8, icon = $9, tags = $10, version = version + 1, updated_at = $11, shared_at = $12 WHERE id = $1")
            .bind(id).bind(crate::clean(&patch.name.unwrap_or(old.name)))
            .bind(crate::clean(&patch.description.unwrap_or(old.description)))
            .bind(crate::clean(&patch.system_prompt.unwrap_or(old.system_prompt))).bind(status)
            .bind(Json(patch.model.unwrap_or(old.model))).bind(Json(patch.tools.unwrap_or(old.tools)))
            .bind(Json(patch.mcp_servers.unwrap_or(old.mcp_servers)))
            .bind(patch.icon.unwrap_or(old.icon).as_deref().map(crate::clean))
            .bind(Json(patch.tags.unwrap_or(old.tags))).bind(now).bind(shared).execute(c).await.rows())?;
        let agent = self.tell_of_agent(&mut tx, id).await?;
        let note = Note::new(AuditAction::ChangeAgent).on(AuditObject::Agent, id);
        tx.note(note.with("name", &agent.name).with("changed", changed).with("status", agent.status));
        self.commit(tx).await?;
        Ok(agent)
    }

    /// Deletes an agent. Runs that began with it keep it, and it stays in the database.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_agent(&self, id: AgentId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let agent = self.locked_agent(&mut tx, id).await?;
        on!(tx, c => sqlx::query("UPDATE agents SET deleted_at = $2 WHERE id = $1").bind(id).bind(self.now())
            .execute(c).await.rows())?;
        self.record_agent(&mut tx, &agent).await?;
        tx.note(Note::new(AuditAction::DeleteAgent).on(AuditObject::Agent, id).with("name", &agent.name));
        self.commit(tx).await
    }

    async fn locked_agent(&self, tx: &mut Tx, id: AgentId) -> Result<Agent, StoreError> {
        let sql =
            format!("UPDATE agents SET version = version WHERE id = $1 AND deleted_at IS NULL RETURNING {COLUMNS}");
        let agent: Option<Agent> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        agent.ok_or(StoreError::NotFound { what: "agent" })
    }

    async fn tell_of_agent(&self, tx: &mut Tx, id: AgentId) -> Result<Agent, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = $1");
        let agent: Agent = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(c).await)?;
        self.record_agent(tx, &agent).await?;
        Ok(agent)
    }

    async fn record_agent(&self, tx: &mut Tx, agent: &Agent) -> Result<(), StoreError> {
        let private_to = if agent.shared_at.is_some() { None } else { agent.created_by };
        self.record(tx, &Happening::AgentUpdated { agent_id: agent.id, private_to }).await
    }

    /// What a run goes by that its card does not say, as it was when the run was made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn briefing(&self, run: RunId) -> Result<Briefing, StoreError> {
        let row: Option<(Option<Json<Briefing>>,)> = read!(self, c => sqlx::query_as(
            "SELECT briefing FROM runs WHERE id = $1").bind(run).fetch_optional(c).await)?;
        Ok(row.and_then(|(briefing,)| briefing).map(|Json(briefing)| briefing).unwrap_or_default())
    }
}
