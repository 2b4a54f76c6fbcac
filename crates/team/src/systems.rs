//! Systems of agents: those that come with Guildhall, and those that members write.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use guildhall_store::StoreError;
use guildhall_types::agent::{AgentStatus, Briefed};
use guildhall_types::feature::WorkMode;
use guildhall_types::member::{ChangeRefused, Member};
use guildhall_types::project::Project;
use guildhall_types::system::{
    AGENTS, AgentRole, Step, System, SystemAgent, SystemDefinition, SystemProblem, SystemStatus, validate,
};
use guildhall_types::{AgentId, DateTime, SystemId};

use crate::{By, Team, TeamError};

/// The ids of the systems that come with Guildhall never change: executions and links name them.
const BUILT_IN: [(&str, &str); 4] = [
    ("01900000-0000-7000-8000-535700000001", include_str!("../systems/research.toml")),
    ("01900000-0000-7000-8000-535700000002", include_str!("../systems/code-review.toml")),
    ("01900000-0000-7000-8000-535700000003", include_str!("../systems/feature-planning.toml")),
    ("01900000-0000-7000-8000-535700000004", include_str!("../systems/bug-investigation.toml")),
];

static SYSTEMS: LazyLock<Result<Vec<System>, String>> = LazyLock::new(|| {
    let read = |(id, text): (&str, &str)| {
        let definition: SystemDefinition = toml::from_str(text).map_err(|error| error.to_string())?;
        Ok(System {
            id: id.parse::<SystemId>().map_err(|error| error.to_string())?,
            status: SystemStatus::Active,
            built_in: true,
            version: 1,
            definition,
            created_by: None,
            updated_by: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        })
    };
    BUILT_IN.into_iter().map(read).collect()
});

/// The systems that come with Guildhall.
///
/// # Errors
/// [`TeamError::Internal`] when one of them cannot be read, which a test rules out.
pub fn built_in_systems() -> Result<&'static [System], TeamError> {
    SYSTEMS.as_deref().map_err(|why| {
        TeamError::internal("reading the systems that come with Guildhall", std::io::Error::other(why.clone()))
    })
}

/// What an agent of a system is told that has no prompt of its own.
pub(crate) const fn role_words(role: AgentRole) -> &'static str {
    match role {
        AgentRole::Orchestrator => {
            "You plan the work of others: what is to be done, by whom, in which order, and when it is done."
        }
        AgentRole::Researcher => {
            "You find out how things really are, in the files themselves, and quote the places that prove it as `path:line`."
        }
        AgentRole::Analyzer => {
            "You draw conclusions from what others found, check them against the files, and say what remains open."
        }
        AgentRole::Implementer => {
            "You change the files so that they do what is asked, with tests, and leave the project working."
        }
        AgentRole::Reviewer => {
            "You judge what others made: what breaks, what is missing, what is not true. Each finding has its place."
        }
        AgentRole::Validator => {
            "You try whether what is claimed holds, and say exactly what you tried and what came of it."
        }
        AgentRole::Custom => "You do your part of a larger work, exactly as it is asked.",
    }
}

/// The agent of the library that comes with Guildhall for this role: its tools are what an agent of a system has that names
/// none.
const fn library_word(role: AgentRole, mode: WorkMode) -> &'static str {
    match (mode, role) {
        (WorkMode::Work, _) => "builder",
        (WorkMode::Read, AgentRole::Reviewer | AgentRole::Validator) => "reviewer",
        (WorkMode::Read, _) => "researcher",
    }
}

impl Team {
    /// Systems after this one, those that come with Guildhall first, and where the next page begins, if there is one. A draft
    /// is its maker's and the admins' alone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn systems(
        &self,
        by: By<'_>,
        after: Option<SystemId>,
        limit: i64,
    ) -> Result<(Vec<System>, Option<SystemId>), TeamError> {
        let kept = self.store.systems(after, limit).await?;
        let next =
            kept.last().filter(|_| i64::try_from(kept.len()).is_ok_and(|count| count == limit)).map(|last| last.id);
        // Their ids come before all others.
        let own = built_in_systems()?.iter().filter(|system| after.is_none_or(|after| system.id > after)).cloned();
        Ok((own.chain(kept.into_iter().filter(|system| sees(by, system))).collect(), next))
    }

    /// The system with this id.
    ///
    /// # Errors
    /// [`TeamError::NotFound`], also for another member's draft.
    pub async fn system(&self, by: By<'_>, id: SystemId) -> Result<System, TeamError> {
        if let Some(system) = built_in_systems()?.iter().find(|system| system.id == id) {
            return Ok(system.clone());
        }
        let system = self.store.system(id).await?.filter(|system| sees(by, system));
        system.ok_or(TeamError::NotFound { what: "system" })
    }

    /// Keeps a new system. A draft may have problems; one that everybody is to run may not.
    ///
    /// # Errors
    /// [`TeamError::SystemProblems`].
    pub async fn create_system(
        &self,
        member: &Member,
        status: SystemStatus,
        definition: &SystemDefinition,
    ) -> Result<System, TeamError> {
        self.may_be(member, status, definition).await?;
        Ok(self.store.create_system(member.id, status, definition).await?)
    }

    /// Changes a system: its maker may, and admins.
    ///
    /// # Errors
    /// [`TeamError::SystemProblems`]; [`TeamError::Conflict`] `built-in`; the store's error when somebody else's change came in
    /// between or the member may not.
    pub async fn change_system(
        &self,
        by: By<'_>,
        id: SystemId,
        version: i64,
        status: SystemStatus,
        definition: &SystemDefinition,
    ) -> Result<System, TeamError> {
        self.own_system(by, id).await?;
        self.may_be(by.member, status, definition).await?;
        Ok(self.store.change_system(by.member.id, id, version, status, definition).await?)
    }

    /// Takes a system away. Executions of it stay, and go on.
    ///
    /// # Errors
    /// As for [`Team::change_system`].
    pub async fn delete_system(&self, by: By<'_>, id: SystemId) -> Result<(), TeamError> {
        self.own_system(by, id).await?;
        Ok(self.store.delete_system(id).await?)
    }

    /// Makes a draft that is the same as a system, under another name.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn duplicate_system(&self, by: By<'_>, id: SystemId) -> Result<System, TeamError> {
        let mut definition = self.system(by, id).await?.definition;
        let stem: String = definition.name.chars().take(guildhall_types::system::NAME - 7).collect();
        definition.name = format!("{} (copy)", stem.trim_end());
        Ok(self.store.create_system(by.member.id, SystemStatus::Draft, &definition).await?)
    }

    /// Everything that keeps this member from running a system, wherever: what is wrong with it, and agents of the library that
    /// the member cannot use.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn system_problems(
        &self,
        member: &Member,
        definition: &SystemDefinition,
    ) -> Result<Vec<SystemProblem>, TeamError> {
        let mut problems = validate(definition);
        for (place, agent) in definition.agents.iter().enumerate().take(AGENTS) {
            let Some(id) = agent.agent_id else { continue };
            match self.usable_agent(member.id, id).await {
                Ok(_) => {}
                Err(TeamError::Conflict { .. }) => {
                    let gone = "This agent is archived, deleted or another member's draft; choose another.";
                    problems.push(of_agent(place, gone));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(problems)
    }

    /// Refuses a system that calls a model for which this member has no key.
    pub(crate) async fn keys_for(
        &self,
        member: &Member,
        definition: &SystemDefinition,
        project: &Project,
    ) -> Result<(), TeamError> {
        let reached = self.reachable(member.id).await?;
        for agent in &definition.agents {
            for mode in modes(&definition.workflow, &agent.id) {
                let own = match self.agent_of(agent, mode).await?.0 {
                    Some(id) => self.usable_agent(member.id, id).await?.model.model,
                    None => None,
                };
                let wish = agent.model_override.as_deref().map(str::trim).or(own.as_deref());
                if let Some(error) = self.missing_key(&self.model_of(project, wish, &reached), &reached) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The agent of the library that works for one of a system's: the one that it names, or the one that comes with Guildhall for
    /// such work; or else what that was like.
    pub(crate) async fn agent_of(
        &self,
        agent: &SystemAgent,
        mode: WorkMode,
    ) -> Result<(Option<AgentId>, Option<Briefed>), TeamError> {
        match agent.agent_id {
            Some(id) => Ok((Some(id), None)),
            None => self.usual_agent(library_word(agent.role, mode)).await,
        }
    }

    /// Whether a system may be kept so: everybody runs an active one, so it has no problems, and no agent that is one member's
    /// alone.
    async fn may_be(
        &self,
        member: &Member,
        status: SystemStatus,
        definition: &SystemDefinition,
    ) -> Result<(), TeamError> {
        if status != SystemStatus::Active {
            // What is bounded only by validation must not grow without bounds where there is none.
            let text =
                serde_json::to_string(definition).map_err(|error| TeamError::internal("writing a system", error))?;
            return match text.len() > DRAFT {
                true => Err(TeamError::invalid("workflow", "the system is larger than 500 kB; take something out")),
                false => Ok(()),
            };
        }
        let mut problems = self.system_problems(member, definition).await?;
        for (place, agent) in definition.agents.iter().enumerate().take(AGENTS) {
            let Some(id) = agent.agent_id else { continue };
            if self.store.agent(id).await?.is_some_and(|agent| agent.status == AgentStatus::Draft) {
                let draft =
                    "This agent is a draft, which only its maker can use: activate it first, or choose another.";
                problems.push(of_agent(place, draft));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(TeamError::SystemProblems(problems)) }
    }

    async fn own_system(&self, by: By<'_>, id: SystemId) -> Result<System, TeamError> {
        let system = self.system(by, id).await?;
        if system.built_in {
            let message = "this system comes with Guildhall and stays as it is; duplicate it and change the copy";
            return Err(TeamError::conflict("built-in", message));
        }
        if system.created_by != Some(by.member.id) && !by.administers {
            return Err(StoreError::Refused(ChangeRefused::MissingRight).into());
        }
        Ok(system)
    }
}

fn of_agent(place: usize, message: &str) -> SystemProblem {
    SystemProblem { path: format!("agents[{place}].agentId"), step_id: None, message: message.to_owned() }
}

/// How this agent of a system works in these steps: each way once, and none where it works in none.
fn modes(steps: &[Step], agent: &str) -> BTreeSet<WorkMode> {
    let mut found = BTreeSet::new();
    for step in steps {
        if step.agent_id.as_deref() == Some(agent) {
            found.insert(step.mode.unwrap_or(WorkMode::Read));
        }
        for inner in [&step.children, &step.true_branch, &step.false_branch] {
            found.extend(modes(inner, agent));
        }
    }
    found
}

fn sees(by: By<'_>, system: &System) -> bool {
    system.status != SystemStatus::Draft || system.created_by == Some(by.member.id) || by.administers
}

/// Bytes of a draft at most.
const DRAFT: usize = 500_000;

/// The problems of a system as one sentence.
pub(crate) fn first_of(problems: &[SystemProblem]) -> String {
    let first = problems.first().map(|problem| format!("{}: {}", problem.path, problem.message)).unwrap_or_default();
    match problems.len() {
        0 | 1 => first,
        more => format!("{first} (and {} more)", more - 1),
    }
}

#[cfg(test)]
mod tests {
    use guildhall_types::system::Transform;

    use super::*;

    #[test]
    fn what_comes_with_guildhall_can_be_run() {
        let systems = built_in_systems().expect("they can be read");
        assert_eq!(systems.len(), 4);
        for system in systems {
            assert_eq!(validate(&system.definition), [], "{}", system.definition.name);
            assert!(!system.definition.input_schema.required.is_empty());
        }
    }

    #[test]
    fn an_answer_in_which_something_is_looked_for_has_a_form_that_holds_it() {
        fn all<'a>(steps: &'a [Step], found: &mut Vec<&'a Step>) {
            for step in steps {
                found.push(step);
                for inner in [&step.children, &step.true_branch, &step.false_branch] {
                    all(inner, found);
                }
            }
        }
        let mut looked = 0;
        for system in built_in_systems().expect("they can be read") {
            let mut steps = Vec::new();
            all(&system.definition.workflow, &mut steps);
            let conditions = steps.iter().filter_map(|step| step.condition.as_ref()).map(|one| one.field.clone());
            let cards = steps.iter().filter_map(|step| match &step.transform {
                Some(Transform::CreateCards { from }) => Some(format!("{from}.cards")),
                _ => None,
            });
            for path in conditions.chain(cards) {
                let (variable, field) = path.split_once('.').expect("a field of an answer");
                for step in steps.iter().filter(|step| step.output_variable.as_deref() == Some(variable)) {
                    let needed = step.output_schema.as_ref().and_then(|schema| schema["required"].as_array());
                    assert!(needed.is_some_and(|all| all.iter().any(|name| name == field)), "{}: {path}", step.id);
                    looked += 1;
                }
            }
        }
        assert_eq!(looked, 4);
    }
}
