//! What the work on a card starts from: the default branch, and on it the work that the card depends on and that is not merged
//! yet. An agent so finds what it is to build on, and does not build it again.

mod tried;

use std::collections::HashSet;

use guildhall_git::{ConflictFile, Oid, Repo, Stacked, Work};
use guildhall_store::Foundation;
use guildhall_types::FeatureId;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::Project;
use guildhall_types::run::HeldCard;

use crate::{Team, TeamError};

use tried::Apart;
pub(crate) use tried::Tried;

/// Files that one sentence names at most.
const NAMED: usize = 3;

/// What work on a card would start from now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Footing {
    /// This commit.
    At {
        /// The commit.
        commit: Oid,
        /// The cards whose work it holds because of the dependencies; what is built on others comes after them.
        holds: Vec<HeldCard>,
    },
    /// A card that it depends on is not done. The queue waits for that by itself.
    Open {
        /// Which, in a sentence.
        why: String,
    },
    /// What it depends on is done, but cannot be built on as it is.
    Broken {
        /// Why, and what helps, in a sentence or two.
        why: String,
    },
}

/// Cards that work is built on, in the order in which they are put onto each other.
#[derive(Default)]
struct Layers {
    holds: Vec<HeldCard>,
    /// What is not on the default branch, each with its place in `holds`.
    works: Vec<(usize, Work)>,
}

impl Layers {
    fn works(&self) -> Vec<Work> {
        self.works.iter().map(|(_, work)| work.clone()).collect()
    }

    fn why_apart(&self, project: &Project, Apart { work, with, files }: Apart) -> String {
        let named = |work: usize| self.holds[self.works[work].0].to_string();
        let rivals: Vec<String> = with.into_iter().map(named).collect();
        conflict(&named(work), &rivals, &project.default_branch, &files)
    }
}

/// Where a project's default branch stands.
pub(crate) async fn tip_of(project: &Project, repo: &Repo) -> Result<Oid, TeamError> {
    let branch = &project.default_branch;
    let missing = || guildhall_git::GitError::Missing { what: "branch", name: branch.clone() };
    Ok(repo.branch(branch).await?.ok_or_else(missing)?)
}

impl Team {
    /// What work that depends on these cards would start from now.
    ///
    /// # Errors
    /// When git or the store fails.
    pub async fn footing(
        &self,
        project: &Project,
        repo: &Repo,
        dependencies: &[FeatureId],
    ) -> Result<Footing, TeamError> {
        let layers = match self.layers(dependencies).await? {
            Ok(layers) => layers,
            Err(missing) => return Ok(missing),
        };
        let tip = tip_of(project, repo).await?;
        Ok(match repo.stack(&tip, &layers.works()).await? {
            Stacked::On(commit) => Footing::At { commit, holds: layers.holds },
            Stacked::Conflict { work, with, files } => {
                Footing::Broken { why: layers.why_apart(project, Apart { work, with, files }) }
            }
        })
    }

    /// Why work that depends on these cards could not begin though they are done. Told now rather than by a run that waits; for
    /// what is not done yet it may wait in the queue.
    pub(crate) async fn no_footing(
        &self,
        project: &Project,
        repo: &Repo,
        dependencies: &[FeatureId],
    ) -> Result<Option<String>, TeamError> {
        if dependencies.is_empty() {
            return Ok(None);
        }
        self.apart(project, repo, &tip_of(project, repo).await?, dependencies).await
    }

    /// The same, where the default branch stands at `tip`.
    pub(crate) async fn apart(
        &self,
        project: &Project,
        repo: &Repo,
        tip: &Oid,
        dependencies: &[FeatureId],
    ) -> Result<Option<String>, TeamError> {
        let layers = match self.layers(dependencies).await? {
            Ok(layers) => layers,
            Err(Footing::Broken { why }) => return Ok(Some(why)),
            Err(Footing::At { .. } | Footing::Open { .. }) => return Ok(None),
        };
        let works = layers.works();
        if works.is_empty() {
            return Ok(None);
        }
        let apart = self.tried.apart(project.id, repo, tip, &works).await?;
        Ok(apart.map(|apart| layers.why_apart(project, apart)))
    }

    /// The cards that work with these dependencies is built on, or which of them it cannot be built on.
    async fn layers(&self, dependencies: &[FeatureId]) -> Result<Result<Layers, Footing>, TeamError> {
        /// A card to look at, and the one that was built on it; then once more, when what it was itself built on is there.
        enum Step {
            Look(FeatureId, Option<String>),
            Put(Foundation),
        }
        let mut layers = Layers::default();
        let mut seen = HashSet::new();
        let mut steps: Vec<Step> = dependencies.iter().rev().map(|id| Step::Look(*id, None)).collect();
        while let Some(step) = steps.pop() {
            match step {
                Step::Look(id, above) if seen.insert(id) => {
                    let card = self.store.foundation(id).await?.ok_or(TeamError::NotFound { what: "feature" })?;
                    let direct = dependencies.contains(&id);
                    if !card.is_firm() {
                        return Ok(Err(not_firm(&card, above.filter(|_| !direct))));
                    }
                    if card.is_merged() {
                        layers.holds.extend(direct.then(|| card.named()));
                        continue;
                    }
                    let name = card.named().to_string();
                    let below: Vec<FeatureId> = card.holds.iter().map(|held| held.feature_id).collect();
                    steps.push(Step::Put(card));
                    steps.extend(below.into_iter().rev().map(|id| Step::Look(id, Some(name.clone()))));
                }
                Step::Look(..) => {}
                Step::Put(card) => {
                    let Some(work) = work_of(&card)? else { continue };
                    layers.works.push((layers.holds.len(), work));
                    layers.holds.push(card.named());
                }
            }
        }
        Ok(Ok(layers))
    }

    /// Those of these cards that are not on the default branch.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unmerged(&self, holds: &[HeldCard]) -> Result<Vec<Foundation>, TeamError> {
        let mut unmerged = Vec::new();
        for held in holds {
            let card = self.store.foundation(held.feature_id).await?.ok_or(TeamError::NotFound { what: "feature" })?;
            if !card.is_merged() {
                unmerged.push(card);
            }
        }
        Ok(unmerged)
    }

    /// The cards that have to be merged before work that holds them, in their order.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `holds-unmerged` when one of them is not ready for that; when the store fails.
    pub(crate) async fn to_merge_first(&self, holds: &[HeldCard]) -> Result<Vec<HeldCard>, TeamError> {
        let unmerged = self.unmerged(holds).await?;
        if let Some(card) = unmerged.iter().find(|card| !card.is_firm()) {
            let (name, stands) = (card.named(), stands(card));
            let help = "Verify or merge that first, or start this card again";
            return Err(TeamError::conflict(
                UNMERGED,
                format!("this work is built on that of {name}, which {stands}. {help}"),
            ));
        }
        Ok(unmerged.iter().map(Foundation::named).collect())
    }
}

/// Why work does not begin: what it depends on does not go together.
pub(crate) const APART: &str = "dependencies-apart";
/// Why work is not merged: what it is built on is not.
pub(crate) const UNMERGED: &str = "holds-unmerged";

/// What a card's latest run changed; nothing when it changed nothing.
fn work_of(card: &Foundation) -> Result<Option<Work>, TeamError> {
    let (Some(base), Some(head)) = (&card.base_commit, &card.head_commit) else { return Ok(None) };
    let work = Work { base: Oid::parse(base)?, head: Oid::parse(head)? };
    Ok(Some(work).filter(|work| work.base != work.head))
}

/// How a card that cannot be built on stands, after “which”.
fn stands(card: &Foundation) -> String {
    match card.deleted {
        true => "was deleted before it was merged".to_owned(),
        false => format!("is {} again", card.status.words()),
    }
}

fn not_firm(card: &Foundation, above: Option<String>) -> Footing {
    let name = card.named();
    let Some(above) = above else {
        return Footing::Open {
            why: match card.deleted {
                true => format!("It depends on {name}, which was deleted. Take the dependency off the card."),
                false => format!("It waits for {name}, which is {}.", card.status.words()),
            },
        };
    };
    let help = match card.status {
        FeatureStatus::Backlog => format!("Start {above} again."),
        _ if card.deleted => format!("Start {above} again."),
        FeatureStatus::Queued | FeatureStatus::InProgress => "It goes on by itself when that is verified.".to_owned(),
        _ => format!("Verify that, or start {above} again."),
    };
    Footing::Broken { why: format!("{above} is built on {name}, which {}. {help}", stands(card)) }
}

/// Why works that are needed together do not go together, and what helps.
fn conflict(work: &str, rivals: &[String], branch: &str, files: &[ConflictFile]) -> String {
    let shown: Vec<&str> = files.iter().take(NAMED).map(|file| file.path.as_str()).collect();
    let more = files.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let files = format!("{}{rest}", shown.join(", "));
    if rivals.is_empty() {
        return format!(
            "It depends on {work}, which conflicts with {branch} in {files}. Tell the agent of that to bring it up to date, and \
             verify it."
        );
    }
    let rivals = rivals.join(" and ");
    format!(
        "It depends on {rivals} and {work}, which conflict with each other in {files}. Merge one of them; then tell the agent of \
         the other to bring it up to date, and verify it."
    )
}
