//! What steps do outside of agents: cards that are made, changes that are read.

use guildhall_git::{Diff, DiffLimits, LineKind};
use guildhall_store::{CardToMake, ExecutionRecord, NewFeature};
use guildhall_types::feature::{PlanningMode, ThinkingLevel};
use guildhall_types::system::{Execution, OUTPUT, PlannedCard, template};
use guildhall_types::{FeatureId, MemberId, ProjectId};

use super::TITLE;
use crate::cards::title_of;
use crate::project_secrets::blotted;
use crate::{Team, TeamError};

impl Team {
    pub(super) async fn make_cards(
        &self,
        record: &ExecutionRecord,
        key: &str,
        cards: Vec<PlannedCard>,
    ) -> Result<(), TeamError> {
        let Execution { id, revision, project_id, member_id, .. } = record.execution;
        let cards = cards.into_iter().map(|card| {
            let after = card.after.iter().filter_map(|place| usize::try_from(place - 1).ok()).collect();
            CardToMake { card: new_card(project_id, member_id, card), after }
        });
        let cards = cards.collect();
        self.store.make_cards(id, revision, key, cards).await?;
        Ok(())
    }

    /// What a card's work, or a branch, changes, as text.
    pub(super) async fn change_of(&self, project: ProjectId, of: &str) -> Result<String, TeamError> {
        let number = of.strip_prefix('#').unwrap_or(of).parse::<i64>().ok();
        let card = match (number, of.parse::<FeatureId>()) {
            (Some(number), _) => self.store.feature_by_number(project, number).await?,
            (None, Ok(id)) => self.store.feature(id).await?.filter(|card| card.card.project_id == project),
            (None, Err(_)) => None,
        };
        if let Some(card) = card {
            return Ok(unified(&self.diff(card.card.id).await?));
        }
        let (project, repo) = self.ready_project(project).await?;
        guildhall_git::check_branch(of)?;
        let (Some(head), Some(tip)) = (repo.branch(of).await?, repo.branch(&project.default_branch).await?) else {
            let message = format!("there is neither a card nor a branch {of} in this project");
            return Err(TeamError::conflict("no-such-work", message));
        };
        let base = repo.fork_point(&tip, &head).await?.unwrap_or(tip);
        let diff = repo.diff(&base, &head, &DiffLimits::default()).await?;
        Ok(unified(&blotted(diff, &self.blot_of(project.id).await?)))
    }
}

fn new_card(project_id: ProjectId, created_by: MemberId, card: PlannedCard) -> NewFeature {
    let plain = |text: &str, most: usize| text.chars().filter(|c| !c.is_control()).take(most).collect::<String>();
    let title = match plain(card.title.trim(), TITLE) {
        title if title.is_empty() => title_of(&card.description),
        title => title,
    };
    NewFeature {
        project_id,
        title,
        description: card.description,
        category: plain(card.category.trim(), 60),
        priority: card.priority,
        model: None,
        agent_id: None,
        thinking_level: ThinkingLevel::Medium,
        planning_mode: PlanningMode::Skip,
        require_plan_approval: false,
        skip_verification: false,
        needs_approval: false,
        budget_micros: None,
        branch: None,
        dependencies: Vec::new(),
        created_by,
    }
}

/// A diff as text, as far as it is kept.
fn unified(diff: &Diff) -> String {
    let mut out = format!("{} file(s), +{} -{}\n", diff.stat.files, diff.stat.additions, diff.stat.deletions);
    for file in &diff.files {
        out.push_str(&format!("\n--- {}\n+++ {}\n", file.old_path, file.new_path));
        if file.binary {
            out.push_str("(no text)\n");
        }
        for hunk in &file.hunks {
            out.push_str(&hunk.header);
            out.push('\n');
            for line in &hunk.lines {
                out.push(match line.kind {
                    LineKind::Context => ' ',
                    LineKind::Add => '+',
                    LineKind::Delete => '-',
                });
                out.push_str(&line.text);
                out.push('\n');
            }
        }
        // The rest would be cut anyway.
        if out.len() > 4 * OUTPUT {
            break;
        }
    }
    if diff.truncated {
        out.push_str("\n(The change is larger than what is shown.)\n");
    }
    template::cut(out, OUTPUT)
}
