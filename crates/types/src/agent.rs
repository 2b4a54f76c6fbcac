//! Agents: reusable definitions of who works, and what a run keeps of one when it begins.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::feature::ThinkingLevel;
use crate::mcp::McpServer;
use crate::member::ProviderKind;
use crate::{AgentId, DateTime, FeatureId, MemberId, ProjectId, RunId, text_enum::text_enum};

/// Characters of an agent's name at most.
pub const NAME: usize = 60;
/// Characters of its description at most.
pub const DESCRIPTION: usize = 500;
/// Characters of its prompt at most.
pub const PROMPT: usize = 30_000;
/// Characters of its icon at most: an emoji of many parts has several.
pub const ICON: usize = 16;
/// Tags of an agent at most.
pub const TAGS: usize = 20;
/// Characters of a tag at most.
pub const TAG: usize = 40;
/// Tools that an agent can name at most.
pub const TOOLS: usize = 200;
/// MCP servers of an agent at most.
pub const SERVERS: usize = 20;
/// The least and the most tokens of one answer that an agent can ask for.
pub const ANSWER: (i64, i64) = (1_024, 128_000);

text_enum! {
    /// How far an agent is.
    pub enum AgentStatus {
        /// Its maker works on it. Before it was active once, nobody else sees it.
        Draft = "draft",
        /// Everybody can use it.
        Active = "active",
        /// Nobody can use it for something new. What has begun with it goes on with it; a card that names it and has not begun waits
        /// until it names another.
        Archived = "archived",
    }
}

/// Which model an agent calls, and how. What is absent is as it would be without the agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentModel {
    /// The provider. The model's name says which it is; one that says something else is refused.
    #[serde(default)]
    pub provider: Option<ProviderKind>,
    /// The model.
    #[serde(default)]
    pub model: Option<String>,
    /// How hard it is asked to think.
    #[serde(default)]
    pub thinking: Option<ThinkingLevel>,
    /// Tokens of one answer at most.
    #[serde(default)]
    pub max_tokens: Option<i64>,
    /// How freely it words its answers, from 0 to 1, where the model lets one choose.
    #[serde(default)]
    pub temperature: Option<f64>,
}

/// A tool, and whether the agent has it. One that is not named it does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentTool {
    /// The tool.
    pub name: String,
    /// Whether the agent has it.
    pub enabled: bool,
}

/// An MCP server whose tools the agent gets, as far as a member approved them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentServer {
    /// Which one: its name, which means the server of that name in each project and else the team's, or its id.
    pub server_id: String,
    /// Which of its tools, by the names that the server gives them; all of them when absent.
    #[serde(default)]
    pub enabled_tools: Option<Vec<String>>,
}

/// Who works: a prompt, a model and tools, under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// The agent's id.
    pub id: AgentId,
    /// What it is called.
    pub name: String,
    /// What it is good for, in a sentence or two.
    pub description: String,
    /// What it is told beside the house's own rules, in Markdown.
    pub system_prompt: String,
    /// How far it is.
    pub status: AgentStatus,
    /// Which model it calls.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub model: AgentModel,
    /// Its tools: those that are enabled, and no other, are offered to it and run for it.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub tools: Vec<AgentTool>,
    /// Its MCP servers.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub mcp_servers: Vec<AgentServer>,
    /// A character that it is shown by.
    pub icon: Option<String>,
    /// Words to find it by.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub tags: Vec<String>,
    /// Counts the changes; send it back with a change to notice somebody else's in between.
    pub version: i64,
    /// The word by which Guildhall knows one of the agents that every team begins with.
    pub built_in: Option<String>,
    /// Who made it; nobody where Guildhall did.
    pub created_by: Option<MemberId>,
    /// When it was made.
    pub created_at: DateTime,
    /// When it last changed.
    pub updated_at: DateTime,
    /// When it was active for the first time: since then everybody sees it.
    pub shared_at: Option<DateTime>,
}

impl Agent {
    /// The tools that it has.
    pub fn enabled_tools(&self) -> Vec<String> {
        self.tools.iter().filter(|tool| tool.enabled).map(|tool| tool.name.clone()).collect()
    }

    /// Whether this member sees it.
    pub fn is_seen_by(&self, member: MemberId) -> bool {
        self.shared_at.is_some() || self.created_by == Some(member)
    }

    /// What a run keeps of it.
    pub fn brief(&self) -> Briefed {
        Briefed {
            id: Some(self.id),
            name: self.name.clone(),
            prompt: self.system_prompt.clone(),
            tools: Some(self.enabled_tools()),
            servers: Some(self.mcp_servers.clone()),
            thinking: self.model.thinking,
            max_tokens: self.model.max_tokens,
            temperature: self.model.temperature,
            alone: false,
        }
    }
}

/// An agent as it was when a run began: a change of it holds from the next run on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Briefed {
    /// Which agent, if it is one of the team's.
    pub id: Option<AgentId>,
    /// What it is called.
    pub name: String,
    /// What it is told.
    pub prompt: String,
    /// The tools that it has, and no other; all where nothing is said.
    pub tools: Option<Vec<String>>,
    /// The MCP servers whose tools it has, and no other; all of the project's own for the usual agent.
    #[serde(default)]
    pub servers: Option<Vec<AgentServer>>,
    /// How hard it is asked to think.
    pub thinking: Option<ThinkingLevel>,
    /// Tokens of one answer at most.
    pub max_tokens: Option<i64>,
    /// How freely it words its answers.
    pub temperature: Option<f64>,
    /// Whether it is given its task alone, without what project, repository and hub would tell it, and makes one answer of it.
    #[serde(default)]
    pub alone: bool,
}

impl Briefed {
    /// Whether it gets this tool of this MCP server, which is the project's or the whole team's. One of the team's has to be
    /// chosen; and one that is `hidden`, as the project has another of its name, by its id.
    pub fn has_mcp_tool(&self, server: &McpServer, hidden: bool, tool: &str) -> bool {
        let Some(servers) = &self.servers else { return self.id.is_none() && server.project_id.is_some() };
        let named =
            |one: &&AgentServer| one.server_id == server.id.to_string() || one.server_id == server.name && !hidden;
        servers
            .iter()
            .filter(named)
            .any(|one| one.enabled_tools.as_ref().is_none_or(|tools| tools.iter().any(|name| name == tool)))
    }
}

/// What a run goes by that its card does not say, settled when it is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Briefing {
    /// Who works; the usual agent when absent.
    pub agent: Option<Briefed>,
    /// The branch that it starts from; the project's default branch when absent.
    pub from: Option<String>,
}

/// A tool as the page shows it among an agent's switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnownTool {
    /// The tool.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// Whether it can change files.
    pub changes_files: bool,
}

const fn tool(name: &'static str, changes_files: bool, what: &'static str) -> KnownTool {
    KnownTool { name, what, changes_files }
}

/// The tools that an agent can have. What the planning of a card and the pipeline need beside them belongs to these, not to
/// the agent: whoever must propose a plan, or may send work back, has the tool for it.
pub const KNOWN_TOOLS: &[KnownTool] = &[
    tool("read", false, "Reads a file of the worktree."),
    tool("glob", false, "Finds files by their names."),
    tool("grep", false, "Finds lines in files by a pattern."),
    tool("edit", true, "Changes a part of a file."),
    tool("write", true, "Writes a whole file."),
    tool("bash", true, "Runs commands in the sandbox, such as tests."),
    tool("service_start", true, "Starts a command that runs on, such as a web server."),
    tool("service_list", false, "Lists the commands that run on."),
    tool("service_logs", false, "Reads what one of them printed."),
    tool("service_stop", true, "Stops one of them."),
    tool("plan", false, "Keeps a list of tasks that members see."),
    tool("update_tasks", false, "Says how far the tasks are."),
    tool("knowledge_search", false, "Searches what the team knows."),
    tool("knowledge_read", false, "Reads an item of the hub."),
    tool("learning_record", false, "Proposes a learning for the hub."),
    tool("learning_outcome", false, "Says whether a learning helped."),
];

/// How a task stands, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct TaskState {
    /// The task.
    pub feature_id: FeatureId,
    /// Its run.
    pub run_id: RunId,
    /// Its project.
    pub project_id: ProjectId,
    /// Where the run stands: it has ended when it is no longer live.
    pub status: crate::run::RunStatus,
    /// The agent's closing words, when it ended well.
    pub result: Option<String>,
    /// Why it ended, when it failed.
    #[cfg_attr(feature = "sqlx", sqlx(json(nullable)))]
    pub error: Option<crate::feature::Problem>,
    /// The branch that holds its work.
    pub branch: String,
    /// The commit that it started from.
    pub base_commit: Option<String>,
    /// The latest state of its work.
    pub head_commit: Option<String>,
    /// Tokens of all kinds so far.
    pub tokens: i64,
    /// Cost so far, in micro-dollars.
    pub cost_micros: i64,
    /// When it was asked for.
    pub created_at: DateTime,
    /// When its agent began.
    pub started_at: Option<DateTime>,
    /// When it ended.
    pub ended_at: Option<DateTime>,
}

impl TaskState {
    /// Whether it waits or works no more.
    pub const fn has_ended(&self) -> bool {
        !self.status.is_live()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> Agent {
        let at = DateTime::UNIX_EPOCH;
        Agent {
            id: AgentId::new(),
            name: "Reader".to_owned(),
            description: String::new(),
            system_prompt: "Read.".to_owned(),
            status: AgentStatus::Draft,
            model: AgentModel { thinking: Some(ThinkingLevel::High), ..AgentModel::default() },
            tools: [("read", true), ("bash", false), ("grep", true)]
                .map(|(name, enabled)| AgentTool { name: name.to_owned(), enabled })
                .to_vec(),
            mcp_servers: Vec::new(),
            icon: None,
            tags: Vec::new(),
            version: 1,
            built_in: None,
            created_by: Some(MemberId::new()),
            created_at: at,
            updated_at: at,
            shared_at: None,
        }
    }

    #[test]
    fn a_run_keeps_the_tools_that_are_switched_on_and_no_other() {
        let brief = agent().brief();
        assert_eq!(brief.tools, Some(vec!["read".to_owned(), "grep".to_owned()]));
        assert_eq!(brief.thinking, Some(ThinkingLevel::High));
        let back: Briefed = serde_json::from_value(serde_json::to_value(&brief).unwrap()).unwrap();
        assert_eq!(back, brief);
    }

    #[test]
    fn a_draft_is_its_makers_alone_until_it_was_active_once() {
        let mut agent = agent();
        let (maker, other) = (agent.created_by.unwrap(), MemberId::new());
        assert!(agent.is_seen_by(maker) && !agent.is_seen_by(other));
        agent.status = AgentStatus::Archived;
        assert!(!agent.is_seen_by(other), "archiving shares nothing");
        agent.shared_at = Some(DateTime::UNIX_EPOCH);
        assert!(agent.is_seen_by(other));
    }
}
