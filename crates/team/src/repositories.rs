//! Projects' repositories for members' own git: what is fetched from there, and what may be pushed.

use guildhall_git::{GitError, Push, RefChange, Repo, Version, check_branch};
use guildhall_types::audit::{AuditAction, AuditObject, AuditOutcome, Note};
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::{ProjectId, boundary};
use tokio::sync::mpsc;

use crate::shared::{How, Wish};
use crate::{Team, TeamError};

/// Fetches and pushes that a node answers at once: each may keep a processor busy. More wait, and one place is never the same
/// member's as all others.
pub(crate) const EXCHANGES: usize = 6;
/// Below which the branches of cards are that name none.
const FOLDER: &str = "guildhall";
/// Pieces of git's answer that wait to be heard.
const WAITING: usize = 4;
/// Refs of a push that the audit names.
const NAMED: usize = 20;

impl Team {
    /// The project that an address names, by its id or its name, and its repository.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] while it is not ready.
    pub async fn addressed(&self, name: &str) -> Result<(Project, Repo), TeamError> {
        let id = match name.parse::<ProjectId>() {
            Ok(id) => id,
            Err(_) => self.store.project_named(name).await?.ok_or(TeamError::NotFound { what: "project" })?.id,
        };
        self.ready_project(id).await
    }

    /// Answers one request of a member's fetch, whose body comes from `feed`.
    ///
    /// # Errors
    /// When git fails, or nobody takes the answer.
    pub async fn answer_fetch(
        &self,
        member: &Member,
        repo: &Repo,
        version: Version,
        feed: mpsc::Receiver<Vec<u8>>,
        drain: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), TeamError> {
        let _turn = self.exchanges.of(member.id).await;
        Ok(repo.fetched(version, feed, drain).await?)
    }

    /// Why refs of a push may not be changed as it asks: each by its name, with the reason in a few words.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn objections(&self, project: &Project, push: &Push) -> Result<Vec<(String, String)>, TeamError> {
        let at_work = self.store.branches_of_work(project.id).await?;
        let objection = |change: &RefChange| {
            let Some(branch) = change.branch() else {
                let is_tag = change.name.starts_with("refs/tags/");
                return (!is_tag).then(|| "only branches and tags can be pushed".to_owned());
            };
            if change.new.is_none() && branch == project.default_branch {
                return Some("the project's default branch cannot be deleted".to_owned());
            }
            if change.new.is_some() && check_branch(branch).is_err() {
                return Some("this is no usable name of a branch".to_owned());
            }
            // Git has no branch beside one that is the beginning of its name.
            let beside =
                |name: &str| name.starts_with(&format!("{branch}/")) || branch.starts_with(&format!("{name}/"));
            if branch == FOLDER || change.new.is_some() && at_work.iter().any(|(name, _)| beside(name)) {
                return Some("no card could have its branch beside one of this name: give it another".to_owned());
            }
            let (_, title) = at_work.iter().find(|(name, _)| name == branch)?;
            Some(format!(
                "the work on \u{201c}{title}\u{201d} is on it: push to another branch, or change it in the card's terminal"
            ))
        };
        Ok(push.changes.iter().filter_map(|it| objection(it).map(|why| (it.name.clone(), why))).collect())
    }

    /// Takes a member's push, against which there are no objections, and whose pack comes from `feed`. The audit knows of it before git does.
    ///
    /// # Errors
    /// When the store or git fails. That git refused single refs is in the answer alone.
    pub async fn take_push(
        &self,
        member: &Member,
        project: &Project,
        repo: &Repo,
        push: &Push,
        feed: mpsc::Receiver<Vec<u8>>,
        drain: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), TeamError> {
        let _turn = self.exchanges.of(member.id).await;
        if push.changes.is_empty() {
            return Ok(repo.pushed(push, true, feed, drain).await?);
        }
        self.store.audit(note(project, &push.changes, AuditOutcome::Ok)).await?;
        // What others build on only grows.
        let forward = push.changes.iter().any(|change| change.branch() == Some(&project.default_branch));
        let done = match self.shared.is_on() {
            false => repo.pushed(push, forward, feed, drain).await,
            true => Box::pin(self.push_to_all(project, repo, push, forward, feed, drain)).await?,
        };
        let (mut moved, mut refused) = (Vec::new(), Vec::new());
        for change in &push.changes {
            match repo.ref_at(&change.name).await? == change.new {
                true => moved.push(change.clone()),
                false => refused.push(change.clone()),
            }
        }
        if !refused.is_empty() {
            let refused = note(project, &refused, AuditOutcome::Refused);
            let why = done.as_ref().err().map_or_else(|| "git refused it".to_owned(), ToString::to_string);
            self.store.audit(refused.with("error", why)).await?;
        }
        let default = moved.iter().find(|change| change.branch() == Some(&project.default_branch));
        let told = match default.and_then(|change| change.old.as_ref()) {
            Some(from) => self.came_to(project, repo, from).await,
            None if !moved.is_empty() => self.store.project_pushed(project.id).await.map_err(TeamError::from),
            None => Ok(()),
        };
        if let Err(error) = told {
            // The push stands; the page hears of it with the next change.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(project = %project.id, error, "nobody was told of a push");
        }
        match done {
            // Where it was only the answer that nobody took, the push is as good as any.
            Err(GitError::Program(_)) if !moved.is_empty() => Ok(()),
            done => Ok(done?),
        }
    }
}

impl Team {
    /// The same where other nodes have the repository as well: the client is told that its push is taken when they have it. What of it
    /// they do not have is not here either then, but kept beside.
    async fn push_to_all(
        &self,
        project: &Project,
        repo: &Repo,
        push: &Push,
        forward: bool,
        feed: mpsc::Receiver<Vec<u8>>,
        drain: mpsc::Sender<Vec<u8>>,
    ) -> Result<Result<(), GitError>, TeamError> {
        let (said, mut hear) = mpsc::channel(WAITING);
        // A few lines for each ref.
        let listen = async {
            let mut answer = Vec::new();
            while let Some(piece) = hear.recv().await {
                answer.push(piece);
            }
            answer
        };
        let (done, answer) = tokio::join!(repo.pushed(push, forward, feed, said), listen);
        let mut wishes = Vec::new();
        for change in &push.changes {
            if repo.ref_at(&change.name).await? == change.new {
                wishes.push(Wish::of(&change.name, change.new.clone()));
            }
        }
        boundary!("push.taken");
        let answer = match self.shared.give(project.id, repo, &wishes, How::default()).await {
            Ok(()) => answer,
            Err(TeamError::Git(GitError::Moved { .. })) => {
                let mut why = Vec::new();
                for change in &push.changes {
                    if repo.ref_at(&change.name).await? != change.new {
                        why.push((change.name.clone(), "somebody else moved it: fetch first".to_owned()));
                    }
                }
                push.refused(&why).into_iter().collect()
            }
            Err(error) => return Err(error),
        };
        for piece in answer {
            // The push stands, whoever hears of it.
            let _ = drain.send(piece).await;
        }
        Ok(done)
    }
}

fn note(project: &Project, changes: &[RefChange], outcome: AuditOutcome) -> Note {
    let mut note = Note::new(AuditAction::Push).on(AuditObject::Project, project.id).outcome(outcome);
    for change in changes.iter().take(NAMED) {
        let or_none = |at: &Option<guildhall_git::Oid>| at.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        note = note.with(&change.name, format!("{} {}", or_none(&change.old), or_none(&change.new)));
    }
    match changes.len().saturating_sub(NAMED) {
        0 => note,
        more => note.with("more", more),
    }
}
