//! Projects' repositories where several nodes have them, each its own clone: what became of their refs is a log in the database, with
//! the packs that hold what they name. A node catches up with it before it reads, and adds to it before it promises anything.
//!
//! Here a ref moves first in the clone and then in the log, by comparing and setting: so git is worked with as on a single server, and
//! who loses finds the clone at what holds. What a clone took last is a file in it. Whatever dies in between is met again by comparing
//! that with the refs: a pack that is taken twice is there once, and a ref that is moved already is moved.

mod log;

pub(crate) use log::Turn;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guildhall_git::{BESIDE, GitError, Oid, Repo, Step};
use guildhall_store::{Appended, AskedMove, Backend, Going, Lease, RefMove, Store};
use guildhall_types::{NodeId, ProjectId, RunId, boundary};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Places, TeamError};

/// How often it is tried to add to a log that others add to.
const TRIES: usize = 20;
/// The hidden refs of runs: what a runner whose lease is lost puts there is no work.
const RUNS: &str = "refs/guildhall/runs/";
/// Up to where a branch was looked through: of two, either will do.
pub(crate) const LOOKED_THROUGH: &str = "refs/guildhall/looked-through";
/// Why a repository is not to be had: another node has it, and has not shared it yet.
pub const NOT_SHARED: &str = "repository-not-shared";
/// The file in a clone that says what it took last.
const NOTE: &str = "guildhall-shared";

/// What nodes have in common of projects' repositories, as this node sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    places: Arc<Places>,
    node: NodeId,
    /// Whether repositories are shared.
    on: AtomicBool,
    clones: Mutex<HashMap<ProjectId, Arc<OwnClone>>>,
}

/// One of this node's clones.
#[derive(Debug, Default)]
struct OwnClone {
    /// What it stands at, for whoever only wants to know whether there is something new.
    at: Mutex<Option<(Uuid, i64)>>,
    /// Held while it catches up or something is added.
    state: tokio::sync::Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    note: Option<Note>,
    /// What this clone has and the log has not, such as what a process before this one had moved, was looked for.
    swept: bool,
}

/// What a clone took last.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    log: Uuid,
    /// All entries up to this one.
    seq: i64,
    /// Later ones that it made itself.
    own: BTreeSet<i64>,
    /// What the shared refs name, as far as it knows.
    refs: BTreeMap<String, Oid>,
}

/// A ref that is to be, for all nodes, what it is in this clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    name: String,
    new: Option<Oid>,
}

impl Wish {
    /// A ref by its whole name, and what it names; nothing where it is gone.
    pub fn of(name: impl Into<String>, new: Option<Oid>) -> Self {
        Self { name: name.into(), new }
    }

    /// A branch.
    pub fn branch(name: &str, at: Option<&Oid>) -> Self {
        Self::of(format!("refs/heads/{name}"), at.cloned())
    }

    /// The states of a run between its turns.
    pub fn run(run: RunId, at: Option<&Oid>) -> Self {
        Self::of(format!("{RUNS}{run}"), at.cloned())
    }
}

/// How something is added to the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// Whose work it is, if a run's: it must still be held, and then its own states hold whatever others put there.
    pub lease: Option<&'a Lease>,
    /// Whoever asks does it again when another state held, so that this one need not be kept.
    pub again: bool,
}

impl Shared {
    /// What this node has of it in these places.
    pub fn new(store: Store, places: Arc<Places>) -> Self {
        let inner = Inner { store, places, node: NodeId::new(), on: AtomicBool::new(false), clones: Mutex::default() };
        Self(Arc::new(inner))
    }

    /// Has repositories shared from now on. With SQLite there is nobody to share them with.
    pub fn begin(&self) {
        let may = self.0.store.backend() == Backend::Postgres;
        self.0.on.store(may, Ordering::Relaxed);
    }

    /// The same if the database holds logs of repositories: then it knows best, whatever the configuration says.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self) -> Result<(), TeamError> {
        if !self.is_on() && self.may() && self.0.store.shares_repositories().await? {
            self.begin();
        }
        Ok(())
    }

    /// Whether repositories are shared.
    pub fn is_on(&self) -> bool {
        self.0.on.load(Ordering::Relaxed)
    }

    fn may(&self) -> bool {
        self.0.store.backend() == Backend::Postgres
    }

    fn path(&self, project: ProjectId) -> PathBuf {
        self.0.places.repository(project)
    }

    fn clones(&self) -> MutexGuard<'_, HashMap<ProjectId, Arc<OwnClone>>> {
        self.0.clones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clone_of(&self, project: ProjectId) -> Arc<OwnClone> {
        Arc::clone(self.clones().entry(project).or_default())
    }

    /// A project's repository, with all that any node promised of it. Where nothing is new, that is one question to the database.
    ///
    /// # Errors
    /// When there is none, or the store or git fails.
    pub async fn caught_up(&self, project: ProjectId) -> Result<Repo, TeamError> {
        let here = || Repo::open(&self.path(project));
        if !self.is_on() {
            match here() {
                Err(GitError::NotARepository { .. }) if self.may() => {}
                opened => return Ok(opened?),
            }
        }
        let Some(log) = self.0.store.shared_log(project).await? else {
            return here().map_err(|error| match error {
                GitError::NotARepository { .. } if self.is_on() => TeamError::conflict(
                    NOT_SHARED,
                    "the project's repository is at another server, which has not shared it yet; try again in a moment",
                ),
                error => error.into(),
            });
        };
        self.begin();
        let clone = self.clone_of(project);
        if clone.stands_at() == Some((log.log_id, log.last_seq))
            && let Ok(repo) = here()
        {
            return Ok(repo);
        }
        // On the heap, as all that is rare here: whoever only looks need not carry it on the stack.
        let follow = async {
            let mut state = clone.state.lock().await;
            let repo = self.catch_up(&clone, &mut state, project, log).await?;
            self.sweep(&clone, &mut state, project, &repo).await?;
            Ok(repo)
        };
        Box::pin(follow).await
    }

    /// Lets all nodes have these refs as they are in this clone: when it returns, they do. Does nothing where repositories are not shared.
    ///
    /// # Errors
    /// [`GitError::Moved`] where another node was faster: this clone then stands at what holds, and what only it had is on a ref of its
    /// own. The store's error when a lease is lost.
    pub async fn give(&self, project: ProjectId, repo: &Repo, wishes: &[Wish], how: How<'_>) -> Result<(), TeamError> {
        match self.is_on() && !wishes.is_empty() {
            true => Box::pin(self.give_to_all(project, repo, wishes, how)).await,
            false => Ok(()),
        }
    }

    async fn give_to_all(
        &self,
        project: ProjectId,
        repo: &Repo,
        wishes: &[Wish],
        how: How<'_>,
    ) -> Result<(), TeamError> {
        let clone = self.clone_of(project);
        let mut state = clone.state.lock().await;
        let Some(log) = self.0.store.shared_log(project).await? else {
            // Its first state has it all.
            return Box::pin(self.share_in(&clone, &mut state, project, repo)).await;
        };
        Box::pin(self.catch_up(&clone, &mut state, project, log)).await?;
        let done = self.give_in(&clone, &mut state, project, repo, wishes, how).await;
        if how.again && matches!(done, Err(TeamError::Git(GitError::Moved { .. }))) {
            self.forget_beside(&clone, &mut state, project, repo, wishes).await?;
        }
        if done.is_err() {
            // What this clone has and others do not is looked for once more.
            state.swept = false;
            clone.place(&state);
        }
        done
    }

    /// The same of refs that this clone has, or had, whatever they name now.
    ///
    /// # Errors
    /// As for [`Shared::give`].
    pub async fn give_as_here(&self, project: ProjectId, repo: &Repo, names: &[String]) -> Result<(), TeamError> {
        if !self.is_on() {
            return Ok(());
        }
        let here = repo.shared_refs().await?;
        let wishes: Vec<Wish> = names.iter().map(|name| Wish::of(name, here.get(name).cloned())).collect();
        self.give(project, repo, &wishes, How::default()).await
    }

    /// The same of all refs below this folder that this clone has otherwise than others.
    ///
    /// # Errors
    /// As for [`Shared::give`].
    pub async fn give_below(&self, project: ProjectId, repo: &Repo, folder: &str) -> Result<(), TeamError> {
        if !self.is_on() {
            return Ok(());
        }
        let here = repo.shared_refs().await?;
        let below = here.into_iter().filter(|(name, _)| name.starts_with(folder));
        let wishes: Vec<Wish> = below.map(|(name, at)| Wish::of(name, Some(at))).collect();
        self.give(project, repo, &wishes, How::default()).await
    }

    async fn give_in(
        &self,
        clone: &OwnClone,
        state: &mut State,
        project: ProjectId,
        repo: &Repo,
        wishes: &[Wish],
        how: How<'_>,
    ) -> Result<(), TeamError> {
        // Others who are faster each time are as one who is.
        let mut lost = wishes.first().map(|wish| wish.name.clone());
        for _ in 0..TRIES {
            let here = repo.shared_refs().await?;
            let note = state.note.clone().ok_or_else(no_note)?;
            let (mut moves, mut behind) = (Vec::new(), None);
            for Wish { name, new } in wishes {
                let (known, at) = (note.refs.get(name), here.get(name));
                if known == new.as_ref() {
                    continue;
                }
                let whatever = how.lease.is_some() && name.starts_with(RUNS);
                let mut to = new.as_ref();
                if at != to && !whatever {
                    // Others of this node may have gone on from there, and given that already.
                    let on = match (to, at) {
                        (Some(to), Some(at)) => repo.is_ancestor(to, at).await?,
                        _ => false,
                    };
                    if !on {
                        behind = Some(name.clone());
                        continue;
                    }
                    to = at;
                    if known == to {
                        continue;
                    }
                }
                let text = |at: Option<&Oid>| at.map(ToString::to_string);
                let change = RefMove { name: name.clone(), old: text(known), new: text(to) };
                moves.push((AskedMove { change, whatever }, to.cloned()));
            }
            if moves.is_empty() {
                lost = behind;
                break;
            }
            match Box::pin(self.append(project, repo, &note, &here, &moves, how.lease)).await? {
                Appended::At(seq) => {
                    boundary!("shared.appended");
                    let mut note = note;
                    let mut steps = Vec::new();
                    for (AskedMove { change: RefMove { name, .. }, whatever }, to) in moves {
                        let at = here.get(&name).cloned();
                        if whatever && at != to {
                            steps.push(Step { name: name.clone(), old: at, new: to.clone() });
                        }
                        match to {
                            Some(to) => note.refs.insert(name, to),
                            None => note.refs.remove(&name),
                        };
                    }
                    note.own.insert(seq);
                    note.follow_own();
                    self.keep(clone, state, project, note)?;
                    boundary!("shared.given");
                    if let Err(error) = repo.move_refs(&steps).await {
                        // The next one to take this run over puts it right.
                        tracing::warn!(%project, %error, "a run's ref stays behind what is shared of it");
                    }
                    lost = behind;
                    break;
                }
                Appended::Behind | Appended::Moved(_) => {
                    let log = self.0.store.shared_log(project).await?.ok_or_else(no_note)?;
                    Box::pin(self.catch_up(clone, state, project, log)).await?;
                }
            }
        }
        let Some(name) = lost else { return Ok(()) };
        tracing::info!(%project, name, "a ref was moved by another node first");
        Err(GitError::Moved { name }.into())
    }

    /// Forgets what is kept of wishes that were not granted, and are done again.
    async fn forget_beside(
        &self,
        clone: &OwnClone,
        state: &mut State,
        project: ProjectId,
        repo: &Repo,
        wishes: &[Wish],
    ) -> Result<(), TeamError> {
        let names: Vec<String> =
            wishes.iter().filter_map(|wish| Some(beside(&wish.name, wish.new.as_ref()?))).collect();
        let here = repo.shared_refs().await?;
        let step = |name: &String| Some(Step { name: name.clone(), old: Some(here.get(name)?.clone()), new: None });
        repo.move_refs(&names.iter().filter_map(step).collect::<Vec<_>>()).await?;
        // Somebody of this node may have given it to all meanwhile.
        let gone: Vec<Wish> = names.into_iter().map(|name| Wish::of(name, None)).collect();
        self.give_in(clone, state, project, repo, &gone, How::default()).await
    }

    async fn append(
        &self,
        project: ProjectId,
        repo: &Repo,
        note: &Note,
        here: &BTreeMap<String, Oid>,
        moves: &[(AskedMove, Option<Oid>)],
        lease: Option<&Lease>,
    ) -> Result<Appended, TeamError> {
        let changed: BTreeSet<&str> = moves.iter().map(|(asked, _)| asked.change.name.as_str()).collect();
        let held: BTreeSet<&Oid> = here.values().collect();
        // What a ref of this clone names is there with all that it reaches.
        let known: Vec<Oid> = note.refs.values().filter(|at| held.contains(at)).cloned().collect();
        let stays = note.refs.iter().filter(|(name, at)| !changed.contains(name.as_str()) && held.contains(at));
        let new: Vec<Oid> = moves.iter().filter_map(|(_, to)| to.clone()).collect();
        let after: Vec<Oid> = stays.map(|(_, at)| at.clone()).chain(new.iter().cloned()).collect();
        let before: Vec<Oid> = changed.iter().filter_map(|name| note.refs.get(*name).cloned()).collect();
        let drops = repo.loses(&before, &after).await?;
        let known = match drops {
            true => known,
            // Then all of it is here: the new ones reach it.
            false => known.into_iter().chain(before).collect(),
        };
        let pack = self.pack(project, repo, &new, &known).await?;
        boundary!("shared.packed");
        let moves: Vec<AskedMove> = moves.iter().map(|(asked, _)| asked.clone()).collect();
        let going = Going { log: note.log, since: note.seq, moves: &moves, drops, pack, lease };
        Ok(self.0.store.append_log(project, going).await?)
    }

    /// Gives what a former process had moved in this clone and died before it gave it, or could not give. States of runs are left out:
    /// whoever holds a run knows which holds.
    async fn sweep(
        &self,
        clone: &OwnClone,
        state: &mut State,
        project: ProjectId,
        repo: &Repo,
    ) -> Result<(), TeamError> {
        if state.swept {
            return Ok(());
        }
        let begun = self.begun().await;
        let here = repo.shared_refs().await?;
        let note = state.note.as_ref().ok_or_else(no_note)?;
        let left: Vec<Wish> = here
            .into_iter()
            .filter(|(name, at)| {
                let own =
                    name.starts_with(RUNS) || name == LOOKED_THROUGH || begun.contains(&(name.clone(), at.to_string()));
                note.refs.get(name) != Some(at) && !own
            })
            .map(|(name, at)| Wish::of(name, Some(at)))
            .collect();
        if !left.is_empty() {
            tracing::info!(%project, refs = left.len(), "what was left in this clone of a repository is shared now");
        }
        match Box::pin(self.give_in(clone, state, project, repo, &left, How::default())).await {
            Ok(()) | Err(TeamError::Git(GitError::Moved { .. })) => {}
            Err(error) => return Err(error),
        }
        state.swept = true;
        clone.place(state);
        Ok(())
    }

    /// The branches that were made here for runs, and where they begin: others hear of them with the work on them.
    async fn begun(&self) -> BTreeSet<(String, String)> {
        let worktrees = self.0.places.worktrees.clone();
        let read = tokio::task::spawn_blocking(move || {
            let folders = std::fs::read_dir(worktrees).into_iter().flatten().flatten();
            let texts = folders.filter_map(|folder| std::fs::read_to_string(folder.path().join("begun")).ok());
            let named = |text: String| {
                let (base, branch) = text.trim_end().split_once(' ')?;
                Some((format!("refs/heads/{branch}"), base.to_owned()))
            };
            texts.filter_map(named).collect()
        });
        read.await.unwrap_or_default()
    }
}

impl OwnClone {
    fn stands_at(&self) -> Option<(Uuid, i64)> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says where it stands, unless something of it is to be looked for.
    fn place(&self, state: &State) {
        let at = state.note.as_ref().filter(|_| state.swept).map(|note| (note.log, note.seq));
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Note {
    fn follow_own(&mut self) {
        while self.own.remove(&(self.seq + 1)) {
            self.seq += 1;
        }
        let seq = self.seq;
        self.own.retain(|own| *own > seq);
    }
}

/// Where a state is kept that only one clone had.
fn beside(name: &str, at: &Oid) -> String {
    let name = name.strip_prefix("refs/").unwrap_or(name);
    format!("{BESIDE}{name}/{at}")
}

/// Whether such a state is kept.
fn is_kept(name: &str) -> bool {
    !name.starts_with(RUNS) && !name.starts_with(BESIDE) && name != LOOKED_THROUGH
}

fn no_note() -> TeamError {
    TeamError::conflict(NOT_SHARED, "what nodes share of this repository has gone; try again in a moment")
}
