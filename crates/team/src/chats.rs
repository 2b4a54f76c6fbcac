//! Work without a card on the board: conversations with agents, and agents that run by themselves.

use guildhall_git::check_branch;
use guildhall_store::{AsideQuery, NewAside, NewFile, NewRun, Page, StoreError};
use guildhall_types::agent::{Agent, Briefed, Briefing, PROMPT, TaskState};
use guildhall_types::feature::{Feature, FeatureCard, FeatureKind, ThinkingLevel, WorkMode};
use guildhall_types::member::ChangeRefused;
use guildhall_types::run::Run;
use guildhall_types::system::TASK;
use guildhall_types::{AgentId, ExecutionId, FeatureId, MemberId, ProjectId};

use crate::attachments::SentFile;
use crate::cards::{MESSAGE, TITLE, line, model, slug, text, title_of};
use crate::{By, Team, TeamError};

/// A chat to be begun.
#[derive(Debug, Clone)]
pub struct NewChat {
    /// What is said first.
    pub message: String,
    /// The files that come with it.
    pub files: Vec<SentFile>,
    /// A few words; made from the message when left out.
    pub title: Option<String>,
    /// Who answers; the usual agent when absent.
    pub agent: Option<AgentId>,
    /// The model; the agent's, the project's or the server's default when absent.
    pub model: Option<String>,
    /// What the agent may do to the files.
    pub mode: WorkMode,
}

/// A task: one agent that works on a prompt.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id. Whoever keeps it before asking may ask again after a death: asking twice begins one task.
    pub id: FeatureId,
    /// The project.
    pub project: ProjectId,
    /// What to do.
    pub prompt: String,
    /// A few words; made from the prompt when left out.
    pub title: Option<String>,
    /// Who works; the usual agent when absent.
    pub agent: Option<AgentId>,
    /// What the agent is like where none is named; the usual one when absent.
    pub brief: Option<Briefed>,
    /// What the agent is called here, where that says more than its own name.
    pub name: Option<String>,
    /// Instructions in the place of the agent's own; without an agent, beside the usual ones.
    pub instructions: Option<String>,
    /// The model; the agent's, the project's or the server's default when absent.
    pub model: Option<String>,
    /// What the agent may do to the files.
    pub mode: WorkMode,
    /// The branch that it starts from; the project's default branch when absent.
    pub from: Option<String>,
    /// What it belongs to; [`Team::tasks_of`] finds it by that.
    pub execution: Option<ExecutionId>,
}

impl NewTask {
    /// A task of the usual agent that looks and changes nothing; the fields say the rest.
    pub fn new(project: ProjectId, prompt: impl Into<String>) -> Self {
        Self {
            id: FeatureId::new(),
            project,
            prompt: prompt.into(),
            title: None,
            agent: None,
            brief: None,
            name: None,
            instructions: None,
            model: None,
            mode: WorkMode::Read,
            from: None,
            execution: None,
        }
    }
}

/// What a chat and a task have in common.
struct Begin {
    id: FeatureId,
    project: ProjectId,
    kind: FeatureKind,
    mode: WorkMode,
    title: String,
    text: String,
    files: Vec<NewFile>,
    agent: Option<Agent>,
    briefed: Option<Briefed>,
    model: Option<String>,
    from: Option<String>,
    execution: Option<ExecutionId>,
}

impl Team {
    /// Begins a chat: an agent answers as soon as there is a place, with this member's key.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad value; [`TeamError::Conflict`] when the project is not ready, the agent cannot be used or
    /// there is no key.
    pub async fn start_chat(
        &self,
        member: MemberId,
        project: ProjectId,
        new: NewChat,
    ) -> Result<(Feature, Run), TeamError> {
        let text = text("message", &new.message, 1, MESSAGE)?;
        let agent = match new.agent {
            Some(id) => Some(self.usable_agent(member, id).await?),
            None => None,
        };
        let begin = Begin {
            id: FeatureId::new(),
            project,
            kind: FeatureKind::Chat,
            mode: new.mode,
            title: title(new.title.as_deref(), &text)?,
            text,
            files: self.message_files(None, new.files).await?,
            briefed: agent.as_ref().map(Agent::brief),
            agent,
            model: model(new.model)?,
            from: None,
            execution: None,
        };
        self.begin_aside(member, begin).await
    }

    /// Says something in a chat: the same conversation goes on in the same worktree. `mode` says what its agent may do to the
    /// files from then on.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Invalid`] for an empty or overlong message, and for files that cannot be taken.
    pub async fn say_in_chat(
        &self,
        member: MemberId,
        id: FeatureId,
        message: &str,
        mode: Option<WorkMode>,
        files: Vec<SentFile>,
    ) -> Result<(Feature, Run), TeamError> {
        self.chat(id).await?;
        let message = text("message", message, 1, MESSAGE)?;
        let files = self.message_files(Some(id), files).await?;
        Ok(self.store.follow_up_in(id, member, &message, mode, &files).await?)
    }

    /// A chat.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn chat(&self, id: FeatureId) -> Result<Feature, TeamError> {
        let found = self.store.feature(id).await?.filter(|feature| feature.card.kind == FeatureKind::Chat);
        found.ok_or(TeamError::NotFound { what: "chat" })
    }

    /// A page of a project's chats, those in which something happened last first.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the project is gone.
    pub async fn chats(&self, project: ProjectId, query: &AsideQuery) -> Result<Page<FeatureCard>, TeamError> {
        self.store.project(project).await?.ok_or(TeamError::NotFound { what: "project" })?;
        Ok(self.store.chats(project, query).await?)
    }

    async fn own_chat(&self, by: By<'_>, id: FeatureId) -> Result<(), TeamError> {
        let chat = self.chat(id).await?;
        match chat.card.created_by == by.member.id || by.administers {
            true => Ok(()),
            false => Err(StoreError::Refused(ChangeRefused::NotYours).into()),
        }
    }

    /// Takes a chat off the list, and its files away: who began it may, and who runs the team.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; the store's error when the member may not, or while its agent answers.
    pub async fn delete_chat(&self, by: By<'_>, id: FeatureId) -> Result<(), TeamError> {
        self.own_chat(by, id).await?;
        self.store.delete_chat(id).await?;
        // It is deleted; what of its files is left now, the clean-up finds.
        if let Err(error) = self.store.forget_files_of_chat(id).await {
            tracing::warn!(chat = %id, error = &error as &dyn std::error::Error, "files of a deleted chat are left for now");
        }
        Ok(())
    }

    /// Gives a chat another title: who began it may, and who runs the team.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Invalid`] for a bad title; the store's error when the member may not.
    pub async fn rename_chat(&self, by: By<'_>, id: FeatureId, title: &str) -> Result<Feature, TeamError> {
        self.own_chat(by, id).await?;
        let title = line("title", title, TITLE)?;
        if title.is_empty() {
            return Err(TeamError::invalid("title", "give the chat a title"));
        }
        Ok(self.store.rename_chat(id, &title).await?)
    }

    /// Stops the answer of a chat. What was said stays; saying something goes on.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; the store's error when nothing is being answered.
    pub async fn stop_chat(&self, id: FeatureId) -> Result<(Feature, Run), TeamError> {
        self.chat(id).await?;
        Ok(self.store.stop_feature(id).await?)
    }

    /// Turns a chat into a card: conversation, worktree and changes stay.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Invalid`] for a bad title; the store's error while its agent answers.
    pub async fn to_card(&self, id: FeatureId, kind: FeatureKind, title: Option<&str>) -> Result<Feature, TeamError> {
        let title = title.map(|title| line("title", title, TITLE)).transpose()?.filter(|title| !title.is_empty());
        Ok(self.store.to_card(id, kind, title.as_deref()).await?)
    }

    /// Lets an agent work on a prompt by itself, with this member's key, as soon as there is a place. Asking again with the
    /// same id answers with the task that there is.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad value; [`TeamError::Conflict`] when the project is not ready, the agent cannot be used or
    /// there is no key.
    pub async fn start_task(&self, member: MemberId, new: NewTask) -> Result<(Feature, Run), TeamError> {
        // What a system asks is put together of parts that have bounds of their own, and closed with a few words.
        let most = if new.execution.is_some() { TASK + MESSAGE } else { MESSAGE };
        let said = text("prompt", &new.prompt, 1, most)?;
        let instructions =
            new.instructions.as_deref().map(|words| text("instructions", words, 0, PROMPT)).transpose()?;
        let name = new.name.as_deref().map(|name| line("name", name, TITLE)).transpose()?;
        if let Some(from) = &new.from {
            check_branch(from).map_err(|_| TeamError::invalid("from", "this is no name for a git branch"))?;
        }
        let agent = match new.agent {
            Some(id) => Some(self.usable_agent(member, id).await?),
            None => None,
        };
        let mut briefed = agent.as_ref().map(Agent::brief).or(new.brief);
        if name.is_some() || instructions.is_some() {
            let brief = briefed.get_or_insert_default();
            if let Some(name) = name {
                brief.name = name;
            }
            if let Some(instructions) = instructions {
                brief.prompt = instructions;
            }
        }
        let begin = Begin {
            id: new.id,
            project: new.project,
            kind: FeatureKind::Task,
            mode: new.mode,
            title: title(new.title.as_deref(), &said)?,
            text: said,
            files: Vec::new(),
            agent,
            briefed,
            model: model(new.model)?,
            from: new.from,
            execution: new.execution,
        };
        self.begin_aside(member, begin).await
    }

    /// The tasks that a member gave an agent, those in which something happened last first.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] for an agent that the member does not see.
    pub async fn tasks_of_agent(
        &self,
        member: MemberId,
        agent: AgentId,
        query: &AsideQuery,
    ) -> Result<Page<FeatureCard>, TeamError> {
        self.agent(member, agent).await?;
        Ok(self.store.tasks_of_agent(agent, query).await?)
    }

    /// What came of a task so far.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn task(&self, id: FeatureId) -> Result<TaskState, TeamError> {
        self.store.task(id).await?.ok_or(TeamError::NotFound { what: "task" })
    }

    /// The tasks that belong to something larger, those that have ended among them: whoever waits for their ends asks here, and
    /// is told by the event `run.updated` when it is worth asking.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tasks_of(&self, execution: ExecutionId) -> Result<Vec<TaskState>, TeamError> {
        Ok(self.store.tasks_of(execution).await?)
    }

    /// Stops a task at once. One that has ended stays as it is. Returns how it stands then.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn cancel_task(&self, id: FeatureId) -> Result<TaskState, TeamError> {
        if !self.task(id).await?.has_ended() {
            match self.store.stop_feature(id).await {
                // It ended this very moment.
                Ok(_) | Err(StoreError::Illegal(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.task(id).await
    }

    async fn begin_aside(&self, member: MemberId, begin: Begin) -> Result<(Feature, Run), TeamError> {
        let (project, repo) = self.ready_project(begin.project).await?;
        let wish = begin.model.or_else(|| begin.agent.as_ref().and_then(|agent| agent.model.model.clone()));
        let model = self.model_for(member, &project, wish.as_deref()).await?;
        // Asked for now, so that a missing key is told at once.
        self.provider_for(member, &model).await?;
        if let Some(from) = &begin.from
            && repo.branch(from).await?.is_none()
        {
            return Err(TeamError::conflict("branch-missing", format!("there is no branch {from} in this project")));
        }
        // A part of the id that nothing else has, so that no branch is taken.
        let id = begin.id.0.simple().to_string();
        let tail = id.get(id.len().saturating_sub(12)..).unwrap_or(&id);
        let run = NewRun {
            model,
            branch: format!("guildhall/{}-{}-{tail}", begin.kind, slug(&begin.title)),
            briefing: Briefing { agent: begin.briefed, from: begin.from },
        };
        let new = NewAside {
            id: begin.id,
            project_id: begin.project,
            kind: begin.kind,
            mode: begin.mode,
            title: begin.title,
            text: begin.text,
            files: begin.files,
            agent_id: begin.agent.map(|agent| agent.id),
            thinking_level: ThinkingLevel::Medium,
            execution_id: begin.execution,
            created_by: member,
        };
        Ok(self.store.start_aside(new, run).await?)
    }
}

/// The title that was given, or one made of what is said.
fn title(given: Option<&str>, said: &str) -> Result<String, TeamError> {
    match given.map(str::trim).filter(|title| !title.is_empty()) {
        Some(title) => line("title", title, TITLE),
        None => Ok(title_of(said)),
    }
}
