//! What Automaker kept of a project on disk, brought into a team: its cards, its context and what its agents noted.
//!
//! The reading of its files stands in `format`, what a card becomes in `card`, what the hub and the project get in `hub` and
//! `team_data`. Whoever imports reads the folder and gives one file after the other.

mod card;
pub mod format;
mod hub;
mod team_data;

use std::collections::{HashMap, HashSet};

use guildhall_git::{Oid, Repo};
use guildhall_store::{BroughtCard, NewFile, StoreError};
use guildhall_types::auto::OrderState;
use guildhall_types::knowledge::{Author, Via, secrets};
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::rights::MemberRight;
use guildhall_types::{FeatureId, KnowledgeId, ProjectId};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::attachments::{LARGEST, MOST, SentFile, admitted, plain_name};
use crate::cards::{new_feature, title_of};
use crate::{Team, TeamError};
use card::{Branch, Mapped, mapped};
use format::OldFeature;

/// Cards that one may depend on at most.
const DEPENDENCIES: usize = 50;

/// What became of something in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It came in, or would.
    In,
    /// It came in, but not as it was.
    Changed,
    /// It came in before.
    Before,
    /// It did not come in, and somebody should look.
    Out,
    /// It has no counterpart here, or says nothing.
    Aside,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What became of it.
    pub became: Became,
    /// The file, by its way from the folder.
    pub of: String,
    /// What is to be said of it.
    pub words: String,
}

/// An import of one project's folder.
#[derive(Debug)]
pub struct Automaker {
    team: Team,
    member: Member,
    /// The project that it goes into; none is there yet where it is only looked what would come in.
    project: Option<Project>,
    name: String,
    repo: Option<(Repo, Option<Oid>)>,
    dry_run: bool,
    /// The ids there of cards that came in, or would, with what they are here.
    cards: HashMap<String, FeatureId>,
    /// Branches that cards which came in are to work on.
    branches: HashSet<String>,
    told: Vec<Told>,
}

impl Team {
    /// Begins to import into a project, or, without one, to look what would come into one of this name.
    ///
    /// # Errors
    /// [`TeamError::NotYours`] when the member may not write cards; [`TeamError::Conflict`] when the project is not ready, or the
    /// member's auto mode there would begin the cards while the others still come in. Who only looks is told of that.
    pub async fn import_automaker(
        &self,
        member: &Member,
        project: Option<ProjectId>,
        name: &str,
        dry_run: bool,
    ) -> Result<Automaker, TeamError> {
        if !member.role.may(MemberRight::Build) {
            let message = format!("{} is a {} and may write no cards; name another member", member.email, member.role);
            return Err(TeamError::not_yours(message));
        }
        let (mut ready, mut repo, mut told) = (None, None, Vec::new());
        if let Some(id) = project {
            let (project, of) = self.ready_project(id).await?;
            if let Some(order) = self.store.order(id, member.id).await?.filter(|order| order.state != OrderState::Off) {
                let words = format!(
                    "the auto mode of {} is {} in “{}” and would work on what comes in: switch it off, or name another member",
                    member.email, order.state, project.name
                );
                if !dry_run {
                    return Err(TeamError::conflict("auto-mode-on", words));
                }
                told.push(Told { became: Became::Out, of: project.name.clone(), words });
            }
            let head = of.branch(&project.default_branch).await?;
            (ready, repo) = (Some(project), Some((of, head)));
        }
        Ok(Automaker {
            team: self.clone(),
            member: member.clone(),
            name: ready.as_ref().map_or_else(|| name.to_owned(), |project| project.name.clone()),
            project: ready,
            repo,
            dry_run: dry_run || project.is_none(),
            cards: HashMap::new(),
            branches: HashSet::new(),
            told,
        })
    }
}

impl Automaker {
    /// What became of everything so far.
    pub fn report(self) -> Vec<Told> {
        self.told
    }

    /// Tells of something that the caller met.
    pub fn tell(&mut self, became: Became, of: &str, words: impl Into<String>) {
        self.told.push(Told { became, of: of.to_owned(), words: words.into() });
    }

    fn author(&self) -> Author {
        let may_manage = self.member.role.may(MemberRight::Administer);
        Author { member: self.member.id, may_manage, via: Via::Page }
    }

    /// The id here of something that had a name there: the same each time, so that it comes in once. Like every id it begins with
    /// a time: that of the project.
    fn id_of(&self, kind: &str, name: &str) -> Uuid {
        let project = self.project.as_ref().map_or(Uuid::nil(), |project| project.id.0);
        let hash =
            Sha256::new().chain_update(project).chain_update(kind).chain_update([0]).chain_update(name).finalize();
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&project.as_bytes()[..6]);
        let mut rest = [0; 10];
        rest.copy_from_slice(&hash[..10]);
        Builder::from_unix_timestamp_millis(u64::from_be_bytes(millis), &rest).into_uuid()
    }

    fn knowledge_id(&self, of: &str) -> KnowledgeId {
        KnowledgeId(self.id_of("knowledge", of))
    }

    /// Brings in a card that stands in the file `of`, with the files that lie beside it.
    ///
    /// # Errors
    /// When the store or git fails. What is wrong with the card is told.
    pub async fn card(&mut self, of: &str, old: OldFeature, beside: Vec<SentFile>) -> Result<(), TeamError> {
        let there = old.id.clone();
        if self.cards.contains_key(&there) {
            self.tell(Became::Out, of, format!("another card has its id, {there}; give it one of its own"));
            return Ok(());
        }
        let id = FeatureId(self.id_of("card", &there));
        if self.team.store.came_in(id).await? {
            self.cards.insert(there, id);
            self.tell(Became::Before, of, "the card came in before; what changed there since is left there");
            return Ok(());
        }
        let (dependencies, lost) = self.dependencies(&old).await?;
        let branch = self.branch(old.branch_name.as_deref()).await?;
        let shared = old.branch_name.as_ref().is_some_and(|name| self.branches.contains(name));
        let Mapped { card, done, summary, mut files, changed, earlier } =
            mapped(old, branch, shared, dependencies, lost);

        let texts = [("title", card.title.as_deref()), ("description", Some(card.description.as_str()))];
        let texts = texts.into_iter().chain([("category", card.category.as_deref()), ("summary", summary.as_deref())]);
        let texts = texts.filter_map(|(field, text)| Some((field, text?)));
        let made = files.iter().filter_map(|file| Some((file.name.as_str(), std::str::from_utf8(&file.bytes).ok()?)));
        let before = earlier.iter().map(|(_, text)| ("an earlier description", text.as_str()));
        let secret = texts.chain(made).chain(before).find_map(|(field, text)| Some((field, secrets::find(text)?)));
        if let Some((field, found)) = secret {
            let (line, what) = (found.line, found.what);
            let why =
                format!("{field}: line {line} looks like {what}; take it out, and exchange it if it is a real one");
            self.tell(Became::Out, of, why);
            return Ok(());
        }
        if let Some(large) = files.iter().find(|file| file.bytes.len() > LARGEST) {
            self.tell(Became::Out, of, format!("{} would have more than 5 MiB; shorten the card there", large.name));
            return Ok(());
        }
        let wish = card.branch.clone();
        let title = card.title.clone().filter(|title| !title.is_empty()).unwrap_or_else(|| title_of(&card.description));
        let project = self.project.as_ref().map(|project| project.id).unwrap_or_default();
        let new = match new_feature(self.member.id, project, card) {
            Ok(new) => new,
            Err(error) => return self.refused(of, error),
        };
        files.extend(self.attachable(of, beside, MOST - files.len().min(MOST)));
        let mut number = String::new();
        if !self.dry_run {
            let kept = files.into_iter().map(|file| {
                let media_type = admitted(&file.bytes).unwrap_or("text/plain").to_owned();
                NewFile { name: plain_name(&file.name), media_type, bytes: file.bytes }
            });
            let brought = BroughtCard { id, card: new, done, summary, files: kept.collect(), earlier };
            match self.team.store.bring_card(brought).await {
                Ok(Some(feature)) => number = format!("#{} ", feature.card.number),
                Ok(None) => {}
                Err(error) => return self.refused(of, error.into()),
            }
        }
        self.cards.insert(there, id);
        self.branches.extend(wish);
        self.tell(Became::In, of, format!("card {number}“{title}”{}", if done { ", completed" } else { "" }));
        for what in changed {
            self.tell(Became::Changed, of, what);
        }
        Ok(())
    }

    /// What a card depends on: that which is here by its id here, and the ids there of that which is not.
    async fn dependencies(&self, old: &OldFeature) -> Result<(Vec<FeatureId>, Vec<String>), TeamError> {
        let (mut here, mut lost): (Vec<FeatureId>, Vec<String>) = (Vec::new(), Vec::new());
        for name in &old.dependencies {
            // One that would come in is not here yet; one that came in may be deleted.
            let known = match self.cards.get(name).copied() {
                Some(id) if self.team.store.feature(id).await?.is_some() => Some(id),
                Some(id) if self.dry_run && !self.team.store.came_in(id).await? => Some(id),
                _ => None,
            };
            match known {
                Some(id) if here.contains(&id) => {}
                Some(id) if here.len() < DEPENDENCIES => here.push(id),
                _ => lost.push(name.clone()),
            }
        }
        Ok((here, lost))
    }

    /// What the repository has of a branch.
    async fn branch(&self, name: Option<&str>) -> Result<Branch, TeamError> {
        let Some((repo, head)) = &self.repo else { return Ok(Branch::Unknown) };
        let Some(name) = name.filter(|name| guildhall_git::check_branch(name).is_ok()) else {
            return Ok(Branch::Absent);
        };
        let Some(tip) = repo.branch(name).await? else { return Ok(Branch::Absent) };
        let merged = match head {
            Some(head) => repo.is_ancestor(&tip, head).await?,
            None => false,
        };
        Ok(if merged { Branch::Merged } else { Branch::Open })
    }

    /// Those of a card's files that may be attached, `most` of them; of the others it is told why not.
    fn attachable(&mut self, of: &str, files: Vec<SentFile>, most: usize) -> Vec<SentFile> {
        let mut taken = Vec::new();
        for file in files {
            let suspect = || std::str::from_utf8(&file.bytes).ok().and_then(secrets::find);
            let why = match admitted(&file.bytes) {
                _ if taken.len() == most => Some("a card may have at most 20 files".to_owned()),
                _ if file.bytes.is_empty() => Some("it is empty".to_owned()),
                Err(why) => Some(why.to_owned()),
                Ok("text/plain") => suspect().map(|found| format!("line {} looks like {}", found.line, found.what)),
                Ok(_) => None,
            };
            match why {
                Some(why) => self.tell(Became::Out, of, format!("the card's file {}: {why}", file.name)),
                None => taken.push(file),
            }
        }
        taken
    }

    /// Tells why something did not come in, if that is its own fault; else the import cannot go on.
    fn refused(&mut self, of: &str, error: TeamError) -> Result<(), TeamError> {
        use StoreError as S;
        match error {
            TeamError::Invalid { .. }
            | TeamError::LooksLikeSecret { .. }
            | TeamError::NearDuplicate { .. }
            | TeamError::Conflict { .. }
            | TeamError::Store(S::BadDependency(_) | S::NothingToApprove | S::Taken { .. }) => {
                self.tell(Became::Out, of, error.to_string());
                Ok(())
            }
            other => Err(other),
        }
    }
}

/// Cards in an order in which each comes after what it depends on, as far as there is one, and else in the order given. Each goes
/// with what the caller knows of it.
pub fn in_order<T>(cards: Vec<(T, OldFeature)>) -> Vec<(T, OldFeature)> {
    let places: HashMap<String, usize> =
        cards.iter().enumerate().rev().map(|(place, (_, old))| (old.id.clone(), place)).collect();
    let needs: Vec<Vec<usize>> = cards
        .iter()
        .map(|(_, old)| old.dependencies.iter().filter_map(|id| places.get(id).copied()).rev().collect())
        .collect();
    let mut order = Vec::with_capacity(cards.len());
    let mut seen = vec![false; cards.len()];
    for first in 0..cards.len() {
        // The second time that one is met, all that it needs stands before it.
        let mut path = vec![(first, false)];
        while let Some((place, ready)) = path.pop() {
            if ready {
                order.push(place);
            } else if !std::mem::replace(&mut seen[place], true) {
                path.push((place, true));
                path.extend(needs[place].iter().filter(|need| !seen[**need]).map(|need| (*need, false)));
            }
        }
    }
    let mut cards: Vec<Option<(T, OldFeature)>> = cards.into_iter().map(Some).collect();
    order.into_iter().filter_map(|place| cards[place].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_card_needs_comes_before_it() {
        let card = |id: &str, needs: &[&str]| {
            let dependencies = needs.iter().map(|id| (*id).to_owned()).collect();
            ((), OldFeature { id: id.to_owned(), dependencies, ..OldFeature::default() })
        };
        let order =
            |cards: Vec<((), OldFeature)>| in_order(cards).into_iter().map(|(_, old)| old.id).collect::<Vec<_>>();
        assert_eq!(
            order(vec![card("a", &["c", "b"]), card("b", &["c"]), card("c", &[]), card("d", &["x"])]),
            ["c", "b", "a", "d"]
        );
        // Of a circle each comes once, and so does each of two with one id.
        assert_eq!(
            order(vec![card("a", &["b"]), card("b", &["a"]), card("a", &[]), card("e", &["e"])]),
            ["b", "a", "a", "e"]
        );
        let chain = (0..50_000).map(|n| card(&n.to_string(), &[&(n + 1).to_string()])).collect();
        assert_eq!(order(chain).first().map(String::as_str), Some("49999"));
    }
}
