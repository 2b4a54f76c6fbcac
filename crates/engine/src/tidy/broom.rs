//! Does what is decided: takes worktrees, caches and repositories away.

use std::path::Path;
use std::sync::Arc;

use guildhall_git::{GitError, Identity, Leaving, LeftOut, Oid, Repo, Worktree};
use guildhall_store::{KnownProject, RunPlace, Store};
use guildhall_team::backup::sweep_scratch;
use guildhall_team::{Places, RETENTION, TeamError};
use guildhall_types::feature::FeatureKind;
use guildhall_types::retention::Retention;
use guildhall_types::run::Run;
use guildhall_types::tidy::{TidyReason, WorktreeFacts, caches_to_go, repository_goes, worktrees_to_go};
use guildhall_types::{Clock, ProjectId, RunId};

use super::look::Held;
use crate::problems::{Trouble, chain};
use crate::reading::disks;
use crate::terminal::by_hand;
use crate::worktree::stood_at;
use crate::{Engine, checks};

/// How old a pack is that no repository came to have.
const LOST: chrono::Duration = chrono::Duration::days(1);

/// What a clean-up did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// What went, each in a sentence.
    pub gone: Vec<String>,
    /// What stays until somebody says what is to become of it, each in a sentence. Nothing is wrong with the clean-up.
    pub stays: Vec<String>,
    /// What went wrong, each in a sentence.
    pub faults: Vec<String>,
}

impl Swept {
    pub(super) fn fault(&mut self, what: &str, error: &(dyn std::error::Error + 'static)) {
        self.faults.push(format!("{what}: {}", chain(error)));
    }
}

/// Tidies up one server's data folder and its database. With an engine beside it, it keeps out of whatever that works with.
#[derive(Debug, Clone)]
pub struct Broom {
    pub(super) store: Store,
    pub(super) places: Arc<Places>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) engine: Option<Engine>,
}

impl Broom {
    /// For a server that does not run. Only who holds the data folder may sweep; anybody may look.
    pub fn alone(store: Store, places: Places, clock: Arc<dyn Clock>) -> Self {
        Self { store, places: Arc::new(places), clock, engine: None }
    }

    pub(super) fn of(engine: &Engine) -> Self {
        let team = &engine.0.team;
        let (store, places, clock) = (team.store.clone(), Arc::clone(&team.places), Arc::clone(&team.clock));
        Self { store, places, clock, engine: Some(engine.clone()) }
    }

    /// How long what is kept, as it is set now.
    pub(super) async fn rules(&self) -> Result<Retention, Trouble> {
        Ok(self.store.setting(RETENTION).await?.unwrap_or_default())
    }

    /// Tidies everything up once; with `pack`, repositories are packed as well. What goes wrong with one thing keeps nothing
    /// else from going.
    pub async fn sweep(&self, pack: bool) -> Swept {
        let mut swept = self.sweep_worktrees(true).await;
        self.sweep_leavings(&mut swept).await;
        if let Err(error) = self.sweep_caches(&mut swept).await {
            swept.fault("what tools keep could not be looked at", &error);
        }
        if let Err(error) = self.sweep_repositories(&mut swept).await {
            swept.fault("repositories could not be looked at", &error);
        }
        if let Err(error) = self.sweep_records(&mut swept).await {
            swept.fault("the database could not be tidied up", &error);
        }
        if let Err(error) = self.sweep_left(&mut swept).await {
            swept.fault("what was left in worktrees could not be looked at", &error);
        }
        for scratch in self.places.scratch() {
            match sweep_scratch(scratch).await {
                Ok(true) => swept.gone.push("what was left of a look at a backup that was cut off".to_owned()),
                Ok(false) => {}
                Err(error) => swept.fault("what was left of a look at a backup stays", &error),
            }
        }
        if pack {
            self.pack(&mut swept).await;
        }
        swept
    }

    /// Takes worktrees away that nobody needs; with `measured`, also those that a disk has no room for.
    pub(super) async fn sweep_worktrees(&self, measured: bool) -> Swept {
        let mut swept = Swept::default();
        if let Err(error) = self.try_worktrees(measured, &mut swept).await {
            swept.fault("worktrees could not be looked at", &error);
        }
        swept
    }

    async fn try_worktrees(&self, measured: bool, swept: &mut Swept) -> Result<(), Trouble> {
        let rules = self.rules().await?;
        let disk = || disks::room(&self.places.worktrees).filter(|_| measured);
        // What they take is asked for only where it matters.
        let full = disk().is_some_and(|disk| rules.disk_percent.is_some_and(|percent| disk.is_over(percent)));
        let held = self.held(full).await?;
        // What could not be saved is tried again when all is looked at.
        let of = |one: &Held| WorktreeFacts { unsaved: one.facts.unsaved && !measured, ..one.facts.clone() };
        let facts: Vec<_> = held.iter().map(of).collect();
        for going in worktrees_to_go(&facts, disk(), &rules, self.clock.now()) {
            let Some(one) = held.iter().find(|one| one.facts.run == going.run_id) else { continue };
            // What others took away meanwhile makes room, too.
            let room = || disk().is_none_or(|disk| !rules.disk_percent.is_some_and(|percent| disk.is_over(percent)));
            if going.why == TidyReason::Disk && room() {
                break;
            }
            match self.take_away(&one.place, going.why, false).await {
                Ok(true) => {
                    tracing::info!(run = %going.run_id, why = %going.why, "a worktree was tidied away");
                    swept.gone.push(format!("the worktree of run {} ({})", going.run_id, going.why));
                }
                Ok(false) => {}
                Err(error @ (Trouble::TooLarge { .. } | Trouble::TooMany(_) | Trouble::ByHand(_))) => {
                    swept.stays.push(format!("the worktree of {} stays: {error}", named(&one.place)));
                }
                Err(error) => swept.fault(&format!("the worktree of run {} stays", going.run_id), &error),
            }
        }
        Ok(())
    }

    /// Takes a worktree away, unless somebody has come to use it. What is not on a ref is put on one first. Returns whether it
    /// went. What is given up goes though not all of it can be kept.
    async fn take_away(&self, place: &RunPlace, why: TidyReason, given_up: bool) -> Result<bool, Trouble> {
        let id = place.run.id;
        let over = matches!(why, TidyReason::Over | TidyReason::Deleted);
        let mut hands = (None, None);
        if let Some(engine) = &self.engine {
            if engine.active().contains_key(&id) {
                return Ok(false);
            }
            hands = if over {
                // Whoever claims it this very moment waits, and then makes the worktree anew.
                engine.leave_ground(id);
                (Some(engine.clear_ground(id).await), None)
            } else {
                let (Some(turn), Some(goes)) = (engine.free_ground(id), engine.begin_going(id)) else {
                    return Ok(false);
                };
                (Some(turn), Some(goes))
            };
        }
        let done = match self.store.run(id).await? {
            Some(now) if now.status == place.run.status && now.attempt == place.run.attempt => {
                self.remove(place, &now, over, given_up).await
            }
            _ => Ok(false),
        };
        drop(hands);
        if let Some(engine) = &self.engine {
            engine.forget_ground(id);
        }
        done
    }

    async fn remove(&self, place: &RunPlace, run: &Run, over: bool, given_up: bool) -> Result<bool, Trouble> {
        let (id, folder) = (run.id, self.places.run(run.id));
        let repo = self.repository(run.project_id).await?;
        let Some(worktree) = repo.worktree(&id.to_string(), &folder)? else {
            return self.remove_unknown(&folder).await;
        };
        let saved = async {
            let run = self.keep_by_hand(run, over).await?;
            self.save(&repo, &worktree, &run, over, given_up).await?;
            Ok(run)
        };
        let saved: Result<Run, Trouble> = saved.await;
        if let Some(engine) = &self.engine {
            let why = saved.as_ref().err().map(|error| chain(error));
            engine.0.tidying.state().tried(id, why, self.clock.now());
        }
        let run = saved?;
        repo.remove_worktree(&worktree).await?;
        // Nothing was made in it, so that its branch says nothing.
        let nothing = run.head_commit == run.base_commit || run.head_commit.is_none();
        if let Some(base) = run.base_commit.as_ref().filter(|_| nothing && place.kind != FeatureKind::Card) {
            repo.drop_branch(&run.branch, &Oid::parse(base)?).await?;
            self.share(run.project_id, &repo, vec![format!("refs/heads/{}", run.branch)]).await?;
        }
        Ok(true)
    }

    /// A project's repository as all nodes have it.
    pub(super) async fn repository(&self, project: ProjectId) -> Result<Repo, Trouble> {
        match &self.engine {
            Some(engine) => Ok(engine.0.team.shared.caught_up(project).await?),
            None => Ok(Repo::open(&self.places.repository(project))?),
        }
    }

    /// Lets all nodes have these refs as they are here now. What only a stopped server has, they have when it starts.
    pub(super) async fn share(&self, project: ProjectId, repo: &Repo, names: Vec<String>) -> Result<(), Trouble> {
        let Some(engine) = &self.engine else { return Ok(()) };
        match engine.0.team.shared.give_as_here(project, repo, &names).await {
            // Another node does the same, or works with it again.
            Err(TeamError::Git(GitError::Moved { .. })) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Makes what a member changed by hand and what could not be saved then a part of the work: that does not come back by itself.
    /// Of what is over it is kept with all else. Returns the run as it is then.
    async fn keep_by_hand(&self, run: &Run, over: bool) -> Result<Run, Trouble> {
        if over || !by_hand::is_left(&self.places.run(run.id)) {
            return Ok(run.clone());
        }
        let Some(engine) = &self.engine else {
            return Err(Trouble::ByHand("only a server that runs can do that".to_owned()));
        };
        engine.keep_left_by_hand(run.id).await.map_err(|error| Trouble::ByHand(chain(&error)))?;
        Ok(self.store.run(run.id).await?.unwrap_or_else(|| run.clone()))
    }

    /// Puts what a worktree holds beside its work on a ref of its own: for good of what is over, anything else so that
    /// it comes back. What cannot all be kept stays, unless it is given up: then as much is kept as can be. The work
    /// itself never is.
    async fn save(
        &self,
        repo: &Repo,
        worktree: &Worktree,
        run: &Run,
        over: bool,
        given_up: bool,
    ) -> Result<(), Trouble> {
        let Some(base) = run.base_commit.as_ref().filter(|_| worktree.tree().is_dir()) else { return Ok(()) };
        let head = Oid::parse(run.head_commit.as_ref().unwrap_or(base))?;
        let name = run.id.to_string();
        repo.take_snapshots(&name, &head).await?;
        let leaving = if over { Leaving::ForGood } else { Leaving::ForAWhile };
        let folder = self.places.run(run.id);
        // Where another node went on with the work, what is here is to be seen beside what it was then.
        let head = match &self.engine {
            Some(engine) if engine.is_behind(&folder, &head) => stood_at(&folder).unwrap_or(head),
            _ => head,
        };
        let laid = async {
            // Where somebody was at work by hand, nobody can tell any more what checks left.
            if !by_hand::is_left(&folder) {
                checks::recover(repo, worktree, &folder).await?;
            }
            let left_out = repo.lay_aside(worktree, &head, &author(), leaving, self.clock.now()).await?;
            self.share(run.project_id, repo, vec![format!("refs/guildhall/left/{name}")]).await?;
            Ok::<_, Trouble>(left_out)
        };
        match laid.await.and_then(|left_out| all_kept(&left_out)) {
            // Whatever is in the way, such as a full disk: room on it is what is wanted.
            Err(error) if given_up => {
                tracing::warn!(run = %run.id, why = chain(&error), "not all of a worktree was kept, as an admin wants it");
                Ok(())
            }
            done => done,
        }
    }

    /// Takes a worktree that is over away though not all of it can be kept, whatever the reason, because an admin says
    /// so.
    pub(super) async fn give_up(&self, id: RunId) -> Result<bool, Trouble> {
        let Some(place) = self.store.run_place(id).await? else { return Ok(false) };
        let why = if place.deleted { TidyReason::Deleted } else { TidyReason::Over };
        self.take_away(&place, why, true).await
    }

    /// A folder that no repository knows as a worktree: of one that was not made, or that is nearly gone.
    async fn remove_unknown(&self, folder: &Path) -> Result<bool, Trouble> {
        let (folder, tree) = (folder.to_owned(), folder.join("tree"));
        let removed = tokio::task::spawn_blocking(move || {
            let holds = std::fs::read_dir(&tree).is_ok_and(|mut entries| entries.next().is_some());
            if holds {
                let name = tree.display().to_string();
                return Err(GitError::Missing { what: "registration of the worktree", name });
            }
            guildhall_git::remove_folder(&folder).map(|()| true)
        });
        Ok(removed.await??)
    }

    async fn sweep_caches(&self, swept: &mut Swept) -> Result<(), Trouble> {
        let all = self.caches().await?;
        let rules = self.rules().await?;
        for (at, why) in caches_to_go(&all, &rules, self.clock.now()) {
            let one = &all[at];
            let path = self.places.cache(one.project, one.of).join(&one.tool);
            let what = format!("what {} keeps for project {}", one.tool, one.project);
            match self.take_cache(one.project, &path).await {
                Ok(true) => swept.gone.push(format!("{what} ({why})")),
                Ok(false) => {}
                Err(error) => swept.fault(&format!("{what} could not be taken away"), &error),
            }
        }
        Ok(())
    }

    /// Takes what a tool keeps away, unless somebody has begun to work with it. Returns whether it went.
    async fn take_cache(&self, project: ProjectId, path: &Path) -> Result<bool, Trouble> {
        let path = path.to_owned();
        let take = move || guildhall_git::remove_folder(&path).map_err(std::io::Error::other);
        let done = match &self.engine {
            Some(engine) => engine.while_unused(project, move |_| take()).await,
            None => tokio::task::spawn_blocking(take).await?.map(|()| true),
        };
        let folder = self.places.caches.join(project.to_string());
        done.map_err(|source| Trouble::Cache { path: folder, source })
    }

    /// Removes the repositories of projects that were archived long ago.
    async fn sweep_repositories(&self, swept: &mut Swept) -> Result<(), Trouble> {
        let rules = self.rules().await?;
        let held = self.held(false).await?;
        for project in self.projects().await? {
            let path = self.places.repository(project.id);
            let worktrees = held.iter().filter(|one| one.place.run.project_id == project.id).count();
            let goes = repository_goes(project.archived_at, worktrees, &rules, self.clock.now());
            if !goes || !path.exists() {
                continue;
            }
            // Out of sight in one step, so that half of one is never found.
            let gone = self.places.repositories.join(format!(".gone-{}", project.id));
            let removing = tokio::task::spawn_blocking(move || {
                std::fs::rename(&path, &gone).map_err(|source| GitError::File {
                    path: path.clone(),
                    deed: "put aside",
                    source,
                })?;
                guildhall_git::remove_folder(&gone)
            });
            match removing.await? {
                Ok(()) => {
                    if self.engine.as_ref().is_some_and(|engine| engine.0.team.shared.is_on()) {
                        self.store.forget_log(project.id).await?;
                    }
                    tracing::info!(project = %project.id, "the repository of an archived project was removed");
                    swept.gone.push(format!("the repository of {}, archived", project.name));
                }
                Err(error) => swept.fault(&format!("the repository of {} stays", project.name), &error),
            }
        }
        Ok(())
    }

    /// Packs the repositories that have become untidy.
    async fn pack(&self, swept: &mut Swept) {
        let projects = match self.projects().await {
            Ok(projects) => projects,
            Err(error) => return swept.fault("projects could not be listed", &error),
        };
        if let Some(engine) = &self.engine {
            self.shorten_logs(engine, &projects, swept).await;
        }
        for project in projects {
            let Ok(repo) = Repo::open(&self.places.repository(project.id)) else { continue };
            match repo.pack(false).await {
                Ok(Some(packed)) => {
                    tracing::info!(project = %project.id, loose = packed.loose, packs = packed.packs, "a repository was packed");
                }
                Ok(None) => {}
                Err(error) => swept.fault(&format!("the repository of {} could not be packed", project.name), &error),
            }
        }
    }

    /// Keeps short what nodes share of repositories.
    async fn shorten_logs(&self, engine: &Engine, projects: &[KnownProject], swept: &mut Swept) {
        let shared = &engine.0.team.shared;
        if !shared.is_on() {
            return;
        }
        for project in projects.iter().filter(|project| project.archived_at.is_none()) {
            match shared.shorten(project.id).await {
                Ok(true) => tracing::info!(project = %project.id, "what is shared of a repository was made short"),
                Ok(false) => {}
                Err(error) => swept.fault(&format!("what is shared of {} stays long", project.name), &error),
            }
        }
        // Of a node that died while it put one in place.
        if let Err(error) = self.store.forget_lost_packs(self.clock.now() - LOST).await {
            swept.fault("packs that no repository has stay", &error);
        }
    }

    /// Whether an agent works in a worktree here, or is about to.
    pub(super) fn is_active(&self, run: RunId) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.active().contains_key(&run))
    }
}

/// What a worktree is of, as members call it.
fn named(place: &RunPlace) -> String {
    let RunPlace { kind, number, title, .. } = place;
    match kind {
        FeatureKind::Card => format!("the card #{number} “{title}”"),
        FeatureKind::Chat => format!("the chat “{title}”"),
        FeatureKind::Task => format!("the task “{title}”"),
    }
}

/// Whether all of a worktree is on a ref.
pub(super) fn all_kept(left_out: &LeftOut) -> Result<(), Trouble> {
    match left_out.large.first() {
        Some((file, bytes)) => {
            Err(Trouble::TooLarge { file: file.clone(), bytes: *bytes, more: left_out.large.len() - 1 })
        }
        None if left_out.nested > 0 => Err(Trouble::TooMany(left_out.nested)),
        None => Ok(()),
    }
}

/// In whose name the server saves what is left.
pub(crate) fn author() -> Identity {
    Identity { name: "Guildhall".to_owned(), email: "guildhall@localhost".to_owned() }
}
