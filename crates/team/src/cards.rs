//! Cards: writing, changing, and the deeds that move them.

use guildhall_git::{Repo, check_branch};
use guildhall_store::{FeaturePatch, NewFeature, NewRun};
use guildhall_types::agent::{Agent, AgentStatus, Briefing};
use guildhall_types::feature::{Feature, PlanningMode, ThinkingLevel};
use guildhall_types::feature_text::{FeatureText, TextDeed};
use guildhall_types::knowledge::plain::plain;
use guildhall_types::member::Member;
use guildhall_types::run::{CheckKind, CheckStatus, Run};
use guildhall_types::{AgentId, FeatureId, MemberId, ProjectId};

use crate::budgets::sum;
use crate::{By, Team, TeamError};

pub(crate) const TITLE: usize = 200;
pub(crate) const DESCRIPTION: usize = 100_000;
pub(crate) const CATEGORY: usize = 60;
pub(crate) const MESSAGE: usize = 100_000;
const MODEL: usize = 100;
/// Characters of a title that is made from the description.
const MADE_TITLE: usize = 80;
/// Bytes of a description that are read for a title.
const READ_FOR_TITLE: usize = 4_000;
/// Names that are tried for a branch before giving up.
const BRANCHES: usize = 100;

/// A card to be written.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field is the field of `Feature` of the same name")]
pub struct NewCard {
    pub title: Option<String>,
    pub description: String,
    pub category: Option<String>,
    pub priority: Option<i64>,
    pub agent_id: Option<AgentId>,
    pub model: Option<String>,
    pub thinking_level: Option<ThinkingLevel>,
    pub planning_mode: Option<PlanningMode>,
    pub require_plan_approval: Option<bool>,
    pub skip_verification: Option<bool>,
    pub needs_approval: Option<bool>,
    pub budget_micros: Option<i64>,
    pub branch: Option<String>,
    pub dependencies: Vec<FeatureId>,
}

impl Team {
    /// Writes a card at the end of a project's backlog.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad value; the store's error when the project is gone or the dependencies are bad.
    pub async fn create_feature(
        &self,
        member: &Member,
        project: ProjectId,
        card: NewCard,
    ) -> Result<Feature, TeamError> {
        self.check_agent(card.agent_id).await?;
        Ok(self.store.create_feature(new_feature(member.id, project, card)?).await?)
    }

    /// Changes a card. `expect_version` refuses the change when somebody else's came in between. What it may cost while an agent
    /// works on it, that run's member changes, and who runs the team.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad value; the store's error when the card is gone, stale or the dependencies are bad, and
    /// when the member may not.
    pub async fn update_feature(
        &self,
        by: By<'_>,
        id: FeatureId,
        mut patch: FeaturePatch,
        expect_version: Option<i64>,
    ) -> Result<Feature, TeamError> {
        patch.title = patch.title.map(|title| line("title", &title, TITLE)).transpose()?;
        if patch.title.as_deref() == Some("") {
            return Err(TeamError::invalid("title", "give the card a title"));
        }
        patch.description = patch.description.map(|words| text("description", &words, 1, DESCRIPTION)).transpose()?;
        patch.category = patch.category.map(|category| line("category", &category, CATEGORY)).transpose()?;
        patch.priority = patch.priority.map(priority).transpose()?;
        if patch.position.is_some_and(|position| !position.is_finite()) {
            return Err(TeamError::invalid("position", "give a finite number"));
        }
        if let Some(Some(agent)) = patch.agent_id
            && self.card(id).await?.card.agent_id != Some(agent)
        {
            self.check_agent(Some(agent)).await?;
        }
        patch.model = patch.model.map(model).transpose()?;
        patch.branch = patch.branch.map(branch).transpose()?;
        patch.budget_micros = patch.budget_micros.map(|micros| sum("budgetMicros", micros)).transpose()?;
        patch.budget_of = (!by.administers).then_some(by.member.id);
        Ok(self.store.update_feature(id, patch, expect_version).await?)
    }

    /// The texts of a card, the latest first, without their descriptions.
    ///
    /// # Errors
    /// The store's error when the card is gone.
    pub async fn feature_texts(&self, id: FeatureId) -> Result<Vec<FeatureText>, TeamError> {
        Ok(self.store.feature_texts(id).await?)
    }

    /// One text of a card, whole.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn feature_text(&self, id: FeatureId, number: i64) -> Result<FeatureText, TeamError> {
        self.store.feature_text(id, number).await?.ok_or(TeamError::NotFound { what: "version" })
    }

    /// Takes a former text of a card back, title and description. `expect_version` refuses it when somebody changed the card since.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; the store's error when the card is gone or stale.
    pub async fn restore_feature_text(
        &self,
        id: FeatureId,
        number: i64,
        expect_version: Option<i64>,
    ) -> Result<Feature, TeamError> {
        let FeatureText { title, description, .. } = self.feature_text(id, number).await?;
        let deed = Some(TextDeed::Restored);
        let patch =
            FeaturePatch { title: Some(title), description, deed, restored: Some(number), ..FeaturePatch::default() };
        Ok(self.store.update_feature(id, patch, expect_version).await?)
    }

    /// Erases a former text of a card for good.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] for what the card says now; the store's error when there is no such text or the card is gone.
    pub async fn erase_feature_text(&self, id: FeatureId, number: i64) -> Result<(), TeamError> {
        if self.store.erase_feature_text(id, number).await? {
            return Ok(());
        }
        Err(TeamError::conflict("present-text", "the card says this now: change it first, then erase this version"))
    }

    /// Starts a card: an agent will build it from nothing, with this member's key, as soon as what it depends on is done.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when the project is not ready, there is no key, its branch is taken, or what it depends on does
    /// not go together; the store's error when the card must not start.
    pub async fn start(&self, member: MemberId, id: FeatureId) -> Result<(Feature, Run), TeamError> {
        let new = self.new_run(member, id).await?;
        let most = self.limits().await?.max_worktrees_per_member;
        Ok(self.store.start_feature(id, member, new, most).await?)
    }

    /// How a card would run with this member's key: its model and its branch.
    ///
    /// # Errors
    /// As for [`Team::start`].
    pub async fn new_run(&self, member: MemberId, id: FeatureId) -> Result<NewRun, TeamError> {
        let feature = self.card(id).await?;
        let (project, repo) = self.ready_project(feature.card.project_id).await?;
        if let Some(why) = self.no_footing(&project, &repo, &feature.card.dependencies).await? {
            return Err(TeamError::conflict(crate::footing::APART, why));
        }
        let agent = match feature.card.agent_id {
            Some(id) => {
                let agent = self.store.agent(id).await?.filter(|agent| agent.status == AgentStatus::Active);
                Some(agent.ok_or_else(agent_gone)?)
            }
            None => None,
        };
        let wish = feature.card.model.as_deref().or(agent.as_ref().and_then(|agent| agent.model.model.as_deref()));
        let model = self.model_for(member, &project, wish).await?;
        // Asked for now, so that a missing key is told at once and not by a failed card.
        self.provider_for(member, &model).await?;
        let branch = self.free_branch(&repo, &feature).await?;
        let briefing = Briefing { agent: agent.as_ref().map(Agent::brief), from: None };
        Ok(NewRun { model, branch, briefing })
    }

    /// Refuses an agent that is not there for everybody: cards are the team's.
    async fn check_agent(&self, id: Option<AgentId>) -> Result<(), TeamError> {
        let Some(id) = id else { return Ok(()) };
        let agent = self.store.agent(id).await?;
        match agent.is_some_and(|agent| agent.status == AgentStatus::Active) {
            true => Ok(()),
            false => {
                Err(TeamError::invalid("agentId", "there is no active agent with this id; GET /api/agents lists them"))
            }
        }
    }

    /// Goes on with a card's latest run from its last saved turn, with this member's key.
    ///
    /// # Errors
    /// As for [`Team::start`].
    pub async fn retry(&self, member: MemberId, id: FeatureId) -> Result<(Feature, Run), TeamError> {
        let (feature, run) = self.card_and_run(id).await?;
        self.ready_project(feature.card.project_id).await?;
        self.provider_for(member, &run.model).await?;
        Ok(self.store.retry_feature(id, member).await?)
    }

    /// Says something to a card's agent: it reads it at its next turn, or goes on with it.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for an empty or overlong message; the store's error when the card has no run.
    pub async fn follow_up(&self, member: MemberId, id: FeatureId, message: &str) -> Result<(Feature, Run), TeamError> {
        let message = text("message", message, 1, MESSAGE)?;
        Ok(self.store.follow_up(id, member, &message).await?)
    }

    /// Stops a card's run at once. It can go on later from its last saved turn.
    ///
    /// # Errors
    /// The store's error when no run is queued or at work.
    pub async fn stop(&self, id: FeatureId) -> Result<(Feature, Run), TeamError> {
        Ok(self.store.stop_feature(id).await?)
    }

    /// Takes a card back to the backlog. Its work stays on its refs.
    ///
    /// # Errors
    /// The store's error when the card must not move so.
    pub async fn shelve(&self, id: FeatureId) -> Result<Feature, TeamError> {
        Ok(self.store.shelve_feature(id).await?)
    }

    /// A member finds the work good: the card is verified once the project's checks pass on it. Checks that passed on
    /// this very commit are not run again.
    ///
    /// # Errors
    /// The store's error when the card does not wait for approval.
    pub async fn verify(&self, id: FeatureId) -> Result<(Feature, Run), TeamError> {
        let (feature, run) = self.card_and_run(id).await?;
        let project =
            self.store.project(feature.card.project_id).await?.ok_or(TeamError::NotFound { what: "project" })?;
        let commands = &project.settings.verify_commands;
        let unchecked = !feature.card.skip_verification && !commands.is_empty();
        let checked = !unchecked || self.passed_before(&run, commands).await?;
        Ok(match checked {
            true => self.store.accept_feature(id).await?,
            false => self.store.request_verify(id).await?,
        })
    }

    /// Whether each of the checks passed when it last ran on the latest state of the work.
    async fn passed_before(&self, run: &Run, commands: &[String]) -> Result<bool, TeamError> {
        let state = run.head_commit.as_ref().or(run.base_commit.as_ref());
        let checks = self.store.checks(run.id).await?;
        let passed = |command: &String| {
            let latest = checks.iter().find(|check| {
                check.kind == CheckKind::Check && check.command == *command && check.commit_id.as_ref() == state
            });
            latest.is_some_and(|check| check.status == CheckStatus::Passed)
        };
        Ok(state.is_some() && commands.iter().all(passed))
    }

    pub(crate) async fn card(&self, id: FeatureId) -> Result<Feature, TeamError> {
        self.store.feature(id).await?.ok_or(TeamError::NotFound { what: "feature" })
    }

    pub(crate) async fn card_and_run(&self, id: FeatureId) -> Result<(Feature, Run), TeamError> {
        let feature = self.card(id).await?;
        let run = match feature.card.run_id {
            Some(run) => self.store.run(run).await?,
            None => None,
        };
        let run = run.ok_or_else(|| {
            TeamError::conflict("nothing-yet", "no agent has worked on this card yet; start it first")
        })?;
        Ok((feature, run))
    }

    /// A branch for a new run. A name that the card itself asks for must be free, or left by an earlier run of the card.
    async fn free_branch(&self, repo: &Repo, feature: &Feature) -> Result<String, TeamError> {
        let own = feature.card.branch.clone();
        let name =
            own.clone().unwrap_or_else(|| format!("guildhall/{}-{}", feature.card.number, slug(&feature.card.title)));
        let taken = self.branch_taken(repo, feature, &name).await?;
        let Some(why) = taken else { return Ok(name) };
        let earlier = self.store.runs_of(feature.card.id, 100).await?;
        if own.is_some() && !earlier.iter().any(|run| run.branch == name) {
            return Err(why);
        }
        for n in 2..BRANCHES {
            let next = format!("{name}-{n}");
            if self.branch_taken(repo, feature, &next).await?.is_none() {
                return Ok(next);
            }
        }
        Err(TeamError::conflict(
            "branch-exists",
            format!("every branch from {name} to {name}-{BRANCHES} exists already"),
        ))
    }

    /// Why a card cannot have this branch, if it is there, or another card's run is to make it.
    async fn branch_taken(&self, repo: &Repo, feature: &Feature, name: &str) -> Result<Option<TeamError>, TeamError> {
        if repo.branch(name).await?.is_some() {
            return Ok(Some(branch_exists(name)));
        }
        let promised = self.store.branch_of_another(feature.card.project_id, name, feature.card.id).await?;
        Ok(promised.then(|| branch_promised(name)))
    }
}

/// A card that may be written.
///
/// # Errors
/// [`TeamError::Invalid`] for a bad value.
pub(crate) fn new_feature(member: MemberId, project: ProjectId, card: NewCard) -> Result<NewFeature, TeamError> {
    let description = text("description", &card.description, 1, DESCRIPTION)?;
    let title = match card.title.as_deref().map(str::trim).filter(|title| !title.is_empty()) {
        Some(title) => line("title", title, TITLE)?,
        None => title_of(&description),
    };
    // Whoever wants to approve a plan and does not say which kind gets one that is worth a look.
    let require_plan_approval = card.require_plan_approval.unwrap_or(false);
    let usual = if require_plan_approval { PlanningMode::Spec } else { PlanningMode::Skip };
    Ok(NewFeature {
        project_id: project,
        title,
        description,
        category: line("category", card.category.as_deref().unwrap_or_default(), CATEGORY)?,
        priority: priority(card.priority.unwrap_or(2))?,
        agent_id: card.agent_id,
        model: model(card.model)?,
        thinking_level: card.thinking_level.unwrap_or(ThinkingLevel::Medium),
        planning_mode: card.planning_mode.unwrap_or(usual),
        require_plan_approval,
        skip_verification: card.skip_verification.unwrap_or(false),
        needs_approval: card.needs_approval.unwrap_or(false),
        budget_micros: sum("budgetMicros", card.budget_micros)?,
        branch: branch(card.branch)?,
        dependencies: card.dependencies,
        created_by: member,
    })
}

pub(crate) fn agent_gone() -> TeamError {
    TeamError::conflict("agent-gone", "the agent of this card was archived or deleted; choose another on the card")
}

pub(crate) fn branch_exists(name: &str) -> TeamError {
    let message = format!("the branch {name} exists already; name another one on the card, or leave it empty");
    TeamError::conflict("branch-exists", message)
}

pub(crate) fn branch_promised(name: &str) -> TeamError {
    let message =
        format!("the branch {name} is that of another card at work; name another one on this card, or leave it empty");
    TeamError::conflict("branch-exists", message)
}

pub(crate) fn text(field: &'static str, words: &str, least: usize, most: usize) -> Result<String, TeamError> {
    let words = words.trim();
    match words.chars().count() {
        count if count < least => Err(TeamError::invalid(field, "write at least a word")),
        count if count > most => Err(TeamError::invalid(field, format!("use at most {most} characters"))),
        _ => Ok(words.to_owned()),
    }
}

pub(crate) fn line(field: &'static str, words: &str, most: usize) -> Result<String, TeamError> {
    let words = text(field, words, 0, most)?;
    match words.chars().any(char::is_control) {
        true => Err(TeamError::invalid(field, "use one line without control characters")),
        false => Ok(words),
    }
}

fn priority(number: i64) -> Result<i64, TeamError> {
    match number {
        1..=3 => Ok(number),
        _ => Err(TeamError::invalid("priority", "give 1 (first), 2 or 3 (last)")),
    }
}

pub(crate) fn model(name: Option<String>) -> Result<Option<String>, TeamError> {
    let name = name.map(|name| line("model", &name, MODEL)).transpose()?;
    Ok(name.filter(|name| !name.is_empty()))
}

fn branch(name: Option<String>) -> Result<Option<String>, TeamError> {
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    if let Some(name) = &name {
        check_branch(name).map_err(|_| TeamError::invalid("branch", "this is no name for a git branch"))?;
    }
    Ok(name)
}

/// A title made of a description: its first line without Markdown's marks, as nothing draws them in a title, cut at a word.
pub(crate) fn title_of(description: &str) -> String {
    let description = description.trim_start();
    let plain = plain(&description[..description.floor_char_boundary(READ_FOR_TITLE)]);
    let first = plain.lines().map(str::trim).find(|line| !line.is_empty());
    let first: String = first.unwrap_or("A feature").chars().filter(|c| !c.is_control()).collect();
    if first.chars().count() <= MADE_TITLE {
        return first;
    }
    let cut: String = first.chars().take(MADE_TITLE).collect();
    let end = cut.rfind(' ').filter(|end| *end > MADE_TITLE / 2).unwrap_or(cut.len());
    format!("{}…", &cut[..end])
}

/// A title as part of a branch's name.
pub(crate) fn slug(title: &str) -> String {
    let plain = title.to_lowercase();
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        if !slug.is_empty() && slug.len() + word.len() > 40 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.extend(word.chars().take(40));
    }
    if slug.is_empty() { "feature".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_the_first_line() {
        assert_eq!(title_of("## Add a command\n\nIt prints."), "Add a command");
        assert_eq!(title_of("\n\n- do this"), "do this");
        // Nothing draws Markdown in a title.
        let marked = "> Why does `todo done` **never** end? See [the list](https://example.com/a_b) and `snake_case`.";
        assert_eq!(title_of(marked), "Why does todo done never end? See the list and snake_case.");
        assert_eq!(title_of("```sh\nmake test\n```\nfails"), "make test");
        assert_eq!(title_of("2 * 3 * 4 is `24"), "2 * 3 * 4 is `24");
        assert_eq!((title_of("***").as_str(), title_of("``` \n```").as_str()), ("A feature", "A feature"));
        let long = title_of(&"word ".repeat(60));
        assert!(long.ends_with("word…") && long.chars().count() <= MADE_TITLE + 1, "{long}");
        assert!(title_of(&"é".repeat(200)).ends_with('…'));
        // Its beginning alone is read.
        assert_eq!(title_of(&format!("{}late", "---\n".repeat(READ_FOR_TITLE))), "A feature");
        assert_eq!(title_of(&format!("{}late", "\n".repeat(READ_FOR_TITLE))), "late");
        assert!(title_of(&format!("{}x{}", "[".repeat(30_000), "]()".repeat(20_000))).starts_with("[[["));
    }

    #[test]
    fn a_slug_is_a_part_of_a_branch_name() {
        assert_eq!(slug("Add `todo done`, please!"), "add-todo-done-please");
        assert_eq!(slug("完成"), "feature");
        assert!(check_branch(&format!("guildhall/1-{}", slug(&"long title ".repeat(30)))).is_ok());
    }
}
