//! Agents: defining, changing and sharing them, and those that every team begins with.

use guildhall_llm::models;
use guildhall_store::{AgentPatch, AgentQuery, NewAgent, Page, StoreError};
use guildhall_types::agent::{
    ANSWER, Agent, AgentModel, AgentServer, AgentStatus, AgentTool, Briefed, DESCRIPTION, ICON, KNOWN_TOOLS, NAME,
    PROMPT, SERVERS, TAG, TAGS, TOOLS,
};
use guildhall_types::feature::ThinkingLevel;
use guildhall_types::member::{ChangeRefused, Member};
use guildhall_types::{AgentId, MemberId, mcp};

use crate::cards::{line, model, text};
use crate::{By, Team, TeamError};

/// Characters of the name of a tool of ours or of a server at most.
const WORD: usize = 64;

/// An agent as a member defines it; what is left out is empty.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field is the field of `Agent` of the same name")]
pub struct AgentWish {
    pub name: String,
    pub description: Option<String>,
    pub system_prompt: String,
    pub model: Option<AgentModel>,
    pub tools: Option<Vec<AgentTool>>,
    pub mcp_servers: Option<Vec<AgentServer>>,
    pub icon: Option<String>,
    pub tags: Option<Vec<String>>,
}

impl Team {
    /// A page of the agents that a member sees.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn agents(&self, query: &AgentQuery) -> Result<Page<Agent>, TeamError> {
        Ok(self.store.agents(query).await?)
    }

    /// An agent that this member sees.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when there is none, or it is another's draft.
    pub async fn agent(&self, viewer: MemberId, id: AgentId) -> Result<Agent, TeamError> {
        let agent = self.store.agent(id).await?.filter(|agent| agent.is_seen_by(viewer));
        agent.ok_or(TeamError::NotFound { what: "agent" })
    }

    /// Defines an agent: a draft of its maker, until it is activated. Without a word on tools it has all that are known.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad value.
    pub async fn create_agent(&self, member: &Member, wish: AgentWish) -> Result<Agent, TeamError> {
        let tools = wish.tools.unwrap_or_else(|| tools_of(&|_| true));
        let new = NewAgent {
            name: name(&wish.name)?,
            description: text("description", &wish.description.unwrap_or_default(), 0, DESCRIPTION)?,
            system_prompt: text("systemPrompt", &wish.system_prompt, 1, PROMPT)?,
            status: AgentStatus::Draft,
            model: check_model(wish.model.unwrap_or_default())?,
            tools: check_tools(tools)?,
            mcp_servers: check_servers(wish.mcp_servers.unwrap_or_default())?,
            icon: icon(wish.icon)?,
            tags: tags(wish.tags.unwrap_or_default())?,
            built_in: None,
            created_by: Some(member.id),
        };
        Ok(self.store.create_agent(new).await?)
    }

    /// Changes an agent: its maker may, and who runs the team. `expect_version` refuses the change when somebody else's came in
    /// between.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Invalid`] for a bad value; the store's error when the member may not, or the
    /// agent is stale.
    pub async fn update_agent(
        &self,
        by: By<'_>,
        id: AgentId,
        mut patch: AgentPatch,
        expect_version: Option<i64>,
    ) -> Result<Agent, TeamError> {
        let old = self.changeable(by, id).await?;
        patch.name = patch.name.map(|words| name(&words)).transpose()?;
        patch.description = patch.description.map(|words| text("description", &words, 0, DESCRIPTION)).transpose()?;
        patch.system_prompt = patch.system_prompt.map(|words| text("systemPrompt", &words, 1, PROMPT)).transpose()?;
        patch.model = patch.model.map(check_model).transpose()?;
        patch.tools = patch.tools.map(check_tools).transpose()?;
        patch.mcp_servers = patch.mcp_servers.map(check_servers).transpose()?;
        patch.icon = patch.icon.map(icon).transpose()?;
        patch.tags = patch.tags.map(tags).transpose()?;
        if patch.status == Some(AgentStatus::Draft) && old.shared_at.is_some() {
            return Err(TeamError::conflict(
                "agent-shared",
                "others may use this agent already, so it cannot become a draft again; archive it instead",
            ));
        }
        Ok(self.store.update_agent(id, patch, expect_version).await?)
    }

    /// Copies an agent that a member sees into a draft of that member.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn duplicate_agent(&self, member: &Member, id: AgentId) -> Result<Agent, TeamError> {
        let agent = self.agent(member.id, id).await?;
        let stem: String = agent.name.chars().take(NAME - " (copy)".len()).collect();
        let new = NewAgent {
            name: format!("{} (copy)", stem.trim_end()),
            description: agent.description,
            system_prompt: agent.system_prompt,
            status: AgentStatus::Draft,
            model: agent.model,
            tools: agent.tools,
            mcp_servers: agent.mcp_servers,
            icon: agent.icon,
            tags: agent.tags,
            built_in: None,
            created_by: Some(member.id),
        };
        Ok(self.store.create_agent(new).await?)
    }

    /// Deletes an agent. What runs with it goes on as it began; a card that names it asks for another before it starts.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; the store's error when the member may not.
    pub async fn delete_agent(&self, by: By<'_>, id: AgentId) -> Result<(), TeamError> {
        self.changeable(by, id).await?;
        Ok(self.store.delete_agent(id).await?)
    }

    async fn changeable(&self, by: By<'_>, id: AgentId) -> Result<Agent, TeamError> {
        let agent = self.agent(by.member.id, id).await?;
        match agent.created_by == Some(by.member.id) || by.administers {
            true => Ok(agent),
            false => Err(StoreError::Refused(ChangeRefused::NotYours).into()),
        }
    }

    /// An agent for something new: an active one, or a draft of this member.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `agent-gone` when it cannot be used.
    pub async fn usable_agent(&self, member: MemberId, id: AgentId) -> Result<Agent, TeamError> {
        let usable = |agent: &Agent| match agent.status {
            AgentStatus::Active => true,
            AgentStatus::Draft => agent.created_by == Some(member),
            AgentStatus::Archived => false,
        };
        self.store.agent(id).await?.filter(usable).ok_or_else(|| {
            TeamError::conflict(
                "agent-gone",
                "this agent is archived, deleted or another member's draft; choose another",
            )
        })
    }

    /// The agent that comes with Guildhall under this word, for whoever names none. Where it was archived or deleted, what it was
    /// like: nobody gets more tools by that.
    pub(crate) async fn usual_agent(&self, word: &str) -> Result<(Option<AgentId>, Option<Briefed>), TeamError> {
        let brief = match self.store.built_in_agent(word).await? {
            Some((agent, true)) => return Ok((Some(agent.id), None)),
            Some((agent, false)) => Some(agent.brief()),
            None => built_in().into_iter().find(|new| new.built_in.as_deref() == Some(word)).map(|new| Briefed {
                tools: Some(new.tools.into_iter().filter(|tool| tool.enabled).map(|tool| tool.name).collect()),
                servers: Some(new.mcp_servers),
                thinking: new.model.thinking,
                ..Briefed::default()
            }),
        };
        Ok((None, brief.map(|brief| Briefed { id: None, ..brief })))
    }

    /// Makes the agents that every team begins with, once. Returns how many were made.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn make_built_in_agents(&self) -> Result<usize, TeamError> {
        Ok(self.store.make_built_in_agents(&built_in()).await?)
    }
}

/// The known tools, each switched on or off.
fn tools_of(enabled: &dyn Fn(&str) -> bool) -> Vec<AgentTool> {
    KNOWN_TOOLS.iter().map(|tool| AgentTool { name: tool.name.to_owned(), enabled: enabled(tool.name) }).collect()
}

/// The agents that every team begins with.
fn built_in() -> Vec<NewAgent> {
    let all = |_: &str| true;
    let hub = |tool: &str| tool.starts_with("knowledge_") || tool.starts_with("learning_");
    let looking = |tool: &str| matches!(tool, "read" | "glob" | "grep" | "bash") || hub(tool);
    let agent =
        |word: &str, name: &str, icon: &str, description: &str, prompt: &str, tools, thinking, tags: &[&str]| {
            NewAgent {
                name: name.to_owned(),
                description: description.to_owned(),
                system_prompt: prompt.trim().to_owned(),
                status: AgentStatus::Active,
                model: AgentModel { thinking, ..AgentModel::default() },
                tools,
                mcp_servers: Vec::new(),
                icon: Some(icon.to_owned()),
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                built_in: Some(word.to_owned()),
                created_by: None,
            }
        };
    vec![
        agent(
            "builder",
            "Builder",
            "🔨",
            "Builds what a card asks for, in small steps that are tested.",
            include_str!("../agents/builder.md"),
            tools_of(&all),
            None,
            &["code"],
        ),
        agent(
            "reviewer",
            "Reviewer",
            "🔎",
            "Looks for what is wrong in a change or in the code, proves it, and changes nothing.",
            include_str!("../agents/reviewer.md"),
            tools_of(&looking),
            Some(ThinkingLevel::High),
            &["review", "read only"],
        ),
        agent(
            "test-writer",
            "Test writer",
            "🧪",
            "Writes tests that fail when the code is wrong, in the project's own style.",
            include_str!("../agents/test-writer.md"),
            tools_of(&all),
            None,
            &["code", "tests"],
        ),
        agent(
            "researcher",
            "Researcher",
            "📚",
            "Answers questions about the repository, with the places that the answer rests on. Changes nothing.",
            include_str!("../agents/researcher.md"),
            tools_of(&looking),
            None,
            &["questions", "read only"],
        ),
        agent(
            "documentation",
            "Documentation",
            "📝",
            "Writes and mends documentation that is checked against the code.",
            include_str!("../agents/documentation.md"),
            tools_of(&all),
            None,
            &["docs"],
        ),
    ]
}

fn name(words: &str) -> Result<String, TeamError> {
    let name = line("name", words, NAME)?;
    match name.is_empty() {
        true => Err(TeamError::invalid("name", "give the agent a name")),
        false => Ok(name),
    }
}

fn check_model(wish: AgentModel) -> Result<AgentModel, TeamError> {
    let model = model(wish.model)?;
    match (wish.provider, &model) {
        (Some(_), None) => {
            return Err(TeamError::invalid("model.provider", "name the model as well, or leave the provider out"));
        }
        (Some(provider), Some(model)) if models::provider_of(model) != provider => {
            return Err(TeamError::invalid(
                "model.provider",
                format!("the model {model} is of {}; leave the provider out", models::provider_of(model).name()),
            ));
        }
        _ => {}
    }
    let (least, most) = ANSWER;
    if wish.max_tokens.is_some_and(|tokens| !(least..=most).contains(&tokens)) {
        return Err(TeamError::invalid(
            "model.maxTokens",
            format!("give a number from {least} to {most}, or leave it out"),
        ));
    }
    if wish.temperature.is_some_and(|heat| !(0.0..=1.0).contains(&heat)) {
        return Err(TeamError::invalid("model.temperature", "give a number from 0 to 1, or leave it out"));
    }
    Ok(AgentModel { model, ..wish })
}

/// A name as tools and servers have them.
fn is_word(word: &str) -> bool {
    (1..=WORD).contains(&word.len())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

fn check_tools(tools: Vec<AgentTool>) -> Result<Vec<AgentTool>, TeamError> {
    if tools.len() > TOOLS {
        return Err(TeamError::invalid("tools", format!("name at most {TOOLS} tools")));
    }
    let mut known: Vec<AgentTool> = Vec::with_capacity(tools.len());
    for tool in tools {
        if !is_word(&tool.name) {
            return Err(TeamError::invalid(
                "tools",
                format!("{:?} is no name of a tool; GET /api/agents/tools lists those that there are", tool.name),
            ));
        }
        if known.iter().any(|other| other.name == tool.name) {
            return Err(TeamError::invalid("tools", format!("the tool {} is named twice; name it once", tool.name)));
        }
        known.push(tool);
    }
    Ok(known)
}

fn check_servers(servers: Vec<AgentServer>) -> Result<Vec<AgentServer>, TeamError> {
    if servers.len() > SERVERS {
        return Err(TeamError::invalid("mcpServers", format!("name at most {SERVERS} servers")));
    }
    for server in &servers {
        let tools = server.enabled_tools.as_deref().unwrap_or_default();
        if !is_word(&server.server_id) {
            let message = "name servers by letters, digits and _ - . : alone, of at most 64 characters";
            return Err(TeamError::invalid("mcpServers", message));
        }
        // As many, and called as oddly, as a server may have them.
        if tools.len() > mcp::TOOLS || !tools.iter().all(|tool| mcp::is_tool_name(tool)) {
            let (most, longest) = (mcp::TOOLS, mcp::TOOL_NAME);
            let message =
                format!("name at most {most} tools of a server, by 1 to {longest} characters that can be seen");
            return Err(TeamError::invalid("mcpServers", message));
        }
    }
    Ok(servers)
}

fn icon(icon: Option<String>) -> Result<Option<String>, TeamError> {
    let icon = icon.map(|icon| line("icon", &icon, ICON)).transpose()?;
    Ok(icon.filter(|icon| !icon.is_empty()))
}

fn tags(tags: Vec<String>) -> Result<Vec<String>, TeamError> {
    if tags.len() > TAGS {
        return Err(TeamError::invalid("tags", format!("give at most {TAGS} tags")));
    }
    let mut kept: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags {
        let tag = line("tags", &tag, TAG)?;
        if !tag.is_empty() && !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use guildhall_types::member::ProviderKind;

    use super::*;

    #[test]
    fn what_every_team_begins_with_keeps_to_the_rules() {
        let all = built_in();
        for new in &all {
            name(&new.name).unwrap();
            text("systemPrompt", &new.system_prompt, 200, PROMPT).unwrap();
            text("description", &new.description, 10, DESCRIPTION).unwrap();
            icon(new.icon.clone()).unwrap().unwrap();
            check_tools(new.tools.clone()).unwrap();
        }
        let reads = all.iter().find(|new| new.built_in.as_deref() == Some("researcher")).unwrap();
        let has: Vec<&str> = reads.tools.iter().filter(|tool| tool.enabled).map(|tool| tool.name.as_str()).collect();
        let hub = ["knowledge_search", "knowledge_read", "learning_record", "learning_outcome"];
        assert_eq!(has, [["read", "glob", "grep", "bash"], hub].concat());
    }

    #[test]
    fn a_model_and_tools_that_make_no_sense_are_refused() {
        let model = |provider, model: Option<&str>, max_tokens, temperature| AgentModel {
            provider,
            model: model.map(str::to_owned),
            thinking: None,
            max_tokens,
            temperature,
        };
        assert!(check_model(model(None, Some("claude-sonnet-5-5"), Some(8_000), Some(0.2))).is_ok());
        assert!(check_model(model(Some(ProviderKind::Anthropic), Some("claude-sonnet-5-5"), None, None)).is_ok());
        assert!(check_model(model(Some(ProviderKind::Google), Some("claude-sonnet-5-5"), None, None)).is_err());
        assert!(check_model(model(Some(ProviderKind::Google), None, None, None)).is_err());
        assert!(check_model(model(None, None, Some(10), None)).is_err());
        assert!(check_model(model(None, None, None, Some(1.5))).is_err());
        assert!(check_model(model(None, None, None, Some(f64::NAN))).is_err());
        let tool = |name: &str| AgentTool { name: name.to_owned(), enabled: true };
        assert!(check_tools(vec![tool("read"), tool("knowledge_search")]).is_ok());
        assert!(check_tools(vec![tool("read"), tool("read")]).is_err());
        assert!(check_tools(vec![tool("rm -rf")]).is_err());
        assert!(check_tools(vec![tool("")]).is_err());
    }

    #[test]
    fn every_tool_that_a_server_may_have_can_be_chosen() {
        let chosen = |tools: Vec<String>| {
            check_servers(vec![AgentServer { server_id: "docs".to_owned(), enabled_tools: Some(tools) }])
        };
        assert!(chosen(vec!["a.b/c d".to_owned(), "Größe".to_owned(), "x".repeat(mcp::TOOL_NAME)]).is_ok());
        assert!(chosen((0..mcp::TOOLS).map(|n| format!("tool{n}")).collect()).is_ok());
        assert!(chosen((0..=mcp::TOOLS).map(|n| format!("tool{n}")).collect()).is_err());
        for bad in [String::new(), "a\u{200b}b".to_owned(), "x".repeat(mcp::TOOL_NAME + 1)] {
            assert!(chosen(vec![bad]).is_err());
        }
    }
}
