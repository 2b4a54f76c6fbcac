//! The log itself: how it begins, how a clone follows it, and how it is kept short.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use guildhall_git::{GitError, Oid, Repo, Standing, Step, Unfinished, is_shared};
use guildhall_store::{LogEntry, Making, NewLog, NewPack, PACK_PART, SharedLog, SharedStanding};
use guildhall_types::{ProjectId, boundary};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{NOT_SHARED, NOTE, Note, OwnClone, Shared, State, TRIES, beside, is_kept, no_note};
use crate::TeamError;

/// Pieces of a pack that wait for whoever takes them.
const WAITING: usize = 4;
/// For how long a node says that it makes something, and how often it says so again.
const HOLD: TimeDelta = TimeDelta::seconds(15);
const BEAT: Duration = Duration::from_secs(5);
/// How often it is looked whether another node has made what it had taken on.
const LOOK: Duration = Duration::from_millis(500);
/// A log of which this and twice its whole entry came since is made short.
const HEAVY: i64 = 64 * 1024 * 1024;

/// What a node finds that wants to make a project's repository.
pub(crate) enum Turn {
    /// It is there already, and here.
    There(Repo),
    /// It is this node's to make.
    Ours,
    /// Another node says that it does.
    Others,
}

impl Shared {
    /// Puts what this node alone has of a repository into the database, if nobody has. Returns whether it was this that did.
    ///
    /// # Errors
    /// When the store or git fails.
    pub async fn share(&self, project: ProjectId) -> Result<bool, TeamError> {
        if !self.is_on() || self.0.store.shared_log(project).await?.is_some() {
            return Ok(false);
        }
        let repo = match Repo::open(&self.path(project)) {
            Err(GitError::NotARepository { .. }) => return Ok(false),
            repo => repo?,
        };
        let clone = self.clone_of(project);
        let mut state = clone.state.lock().await;
        Box::pin(self.share_in(&clone, &mut state, project, &repo)).await?;
        Ok(true)
    }

    pub(super) async fn share_in(
        &self,
        clone: &OwnClone,
        state: &mut State,
        project: ProjectId,
        repo: &Repo,
    ) -> Result<(), TeamError> {
        let store = &self.0.store;
        let (log, refs) = loop {
            match store.take_making(project, self.0.node, HOLD).await? {
                Making::Taken => {
                    let shared = self.held(project, Box::pin(self.share_whole(project, repo))).await?;
                    if let Some(shared) = shared {
                        break shared;
                    }
                }
                Making::There => {
                    let log = store.shared_log(project).await?.ok_or_else(no_note)?;
                    Box::pin(self.catch_up(clone, state, project, log)).await?;
                    return Ok(());
                }
                // Another one that has it as well is about to.
                Making::Others => tokio::time::sleep(LOOK).await,
            }
        };
        let note = Note { log: log.log_id, seq: 1, own: Default::default(), refs };
        state.swept = true;
        self.keep(clone, state, project, note)?;
        tracing::info!(%project, "a repository is shared with other servers from now on");
        Ok(())
    }

    /// Puts all of it into the database. Nothing where this node had not said for too long that it does.
    async fn share_whole(
        &self,
        project: ProjectId,
        repo: &Repo,
    ) -> Result<Option<(SharedLog, BTreeMap<String, Oid>)>, TeamError> {
        let store = &self.0.store;
        let Standing { head, object_format, shallow, refs } = repo.standing().await?;
        let begun = self.begun().await;
        let refs: Vec<(String, String)> =
            refs.into_iter().filter(|one| is_shared(&one.0) && !begun.contains(one)).collect();
        let all = refs.iter().map(|(_, at)| Oid::parse(at)).collect::<Result<Vec<Oid>, GitError>>()?;
        let pack = self.pack(project, repo, &all, &[]).await?;
        let standing = SharedStanding { head, object_format, shallow: shallow.join("\n") };
        let new = NewLog { standing, refs, pack };
        boundary!("shared.whole");
        if !store.begin_log(project, self.0.node, &new).await? {
            return Ok(None);
        }
        let log = store.shared_log(project).await?.ok_or_else(no_note)?;
        Ok(Some((log, new.refs.into_iter().map(|(name, _)| name).zip(all).collect())))
    }

    /// Does what may take long, and says again and again that this node does it.
    async fn held<T>(&self, project: ProjectId, work: impl Future<Output = T>) -> T {
        let beat = async {
            loop {
                tokio::time::sleep(BEAT).await;
                if let Err(error) = self.0.store.take_making(project, self.0.node, HOLD).await {
                    tracing::warn!(%project, %error, "that a repository is being made could not be noted");
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = beat => std::future::pending().await,
        }
    }

    /// Whose turn it is to make a project's repository; never this node's where it cannot.
    pub(crate) async fn turn_to_make(&self, project: ProjectId, can: bool) -> Result<Turn, TeamError> {
        if !can && self.0.store.shared_log(project).await?.is_none() {
            tokio::time::sleep(LOOK).await;
            return Ok(Turn::Others);
        }
        Ok(match self.0.store.take_making(project, self.0.node, HOLD).await? {
            Making::Taken => Turn::Ours,
            Making::There => Turn::There(self.caught_up(project).await?),
            Making::Others => {
                tokio::time::sleep(LOOK).await;
                Turn::Others
            }
        })
    }

    /// Makes a repository whose turn it is, and shares it.
    pub(crate) async fn made(
        &self,
        project: ProjectId,
        make: impl Future<Output = Result<Repo, TeamError>>,
    ) -> Result<Repo, TeamError> {
        let made = async {
            let repo = make.await?;
            let clone = self.clone_of(project);
            let mut state = clone.state.lock().await;
            Box::pin(self.share_in(&clone, &mut state, project, &repo)).await?;
            Ok(repo)
        };
        self.held(project, Box::pin(made)).await
    }

    /// Lets another node make what could not be made here.
    pub(crate) async fn leave(&self, project: ProjectId) -> Result<(), TeamError> {
        Ok(self.0.store.leave_making(project, self.0.node).await?)
    }

    /// Brings a clone to what the log stands at; makes it where there is none.
    pub(super) async fn catch_up(
        &self,
        clone: &OwnClone,
        state: &mut State,
        project: ProjectId,
        mut log: SharedLog,
    ) -> Result<Repo, TeamError> {
        for _ in 0..TRIES {
            let repo = match Repo::open(&self.path(project)) {
                Ok(repo) => repo,
                Err(GitError::NotARepository { .. }) => {
                    if let Some((repo, note)) = Box::pin(self.cloned(project, &log)).await? {
                        state.swept = true;
                        self.keep(clone, state, project, note)?;
                        return Ok(repo);
                    }
                    log = self.0.store.shared_log(project).await?.ok_or_else(no_note)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let note = match state.note.take() {
                Some(note) => Some(note),
                None => read(repo.path()),
            };
            let note = note.filter(|note| note.log == log.log_id);
            let note = note.unwrap_or(Note { log: log.log_id, seq: 0, own: Default::default(), refs: BTreeMap::new() });
            if note.seq >= log.last_seq {
                state.note = Some(note);
                clone.place(state);
                return Ok(repo);
            }
            match Box::pin(self.followed(project, &repo, &note)).await {
                Ok(Some((next, kept))) => {
                    self.keep(clone, state, project, next)?;
                    boundary!("shared.noted");
                    if kept {
                        // What is only here is to be everywhere.
                        state.swept = false;
                        clone.place(state);
                    }
                    return Ok(repo);
                }
                Ok(None) => state.note = Some(note),
                Err(error) => {
                    state.note = Some(note);
                    return Err(error);
                }
            }
            log = self.0.store.shared_log(project).await?.ok_or_else(no_note)?;
        }
        Err(TeamError::conflict(NOT_SHARED, "this repository could not be caught up with; try again"))
    }

    /// Takes what came after what a clone took last. Returns as well whether something is kept that only this clone had. Nothing
    /// when it went from under this.
    async fn followed(&self, project: ProjectId, repo: &Repo, note: &Note) -> Result<Option<(Note, bool)>, TeamError> {
        let entries = self.0.store.log_after(project, note.seq).await?;
        let Some(first) = entries.first() else { return Ok(None) };
        if !first.is_whole() && first.seq != note.seq + 1 {
            return Ok(None);
        }
        for entry in &entries {
            let own = note.own.contains(&entry.seq) && !entry.is_whole();
            if !own && !self.take(repo, entry).await? {
                return Ok(None);
            }
        }
        boundary!("shared.taken");
        let refs = after(note.refs.clone(), &entries)?;
        let kept = self.settle(repo, &note.refs, &refs).await?;
        boundary!("shared.settled");
        let seq = entries.last().map_or(note.seq, |entry| entry.seq);
        let mut next = Note { log: note.log, seq, own: note.own.clone(), refs };
        next.follow_own();
        Ok(Some((next, kept)))
    }

    /// Makes a clone out of the log alone. Nothing when it went from under this.
    async fn cloned(&self, project: ProjectId, log: &SharedLog) -> Result<Option<(Repo, Note)>, TeamError> {
        let entries = self.0.store.log_after(project, 0).await?;
        if !entries.first().is_some_and(LogEntry::is_whole) {
            return Ok(None);
        }
        let SharedStanding { head, object_format, shallow } = log.standing.clone();
        let shallow = shallow.lines().map(str::to_owned).collect();
        let standing = Standing { head, object_format, shallow, refs: Vec::new() };
        let path = self.path(project);
        let half = Unfinished::begin(&path, &standing).await?;
        for entry in &entries {
            if !self.take(half.repo(), entry).await? {
                return Ok(None);
            }
        }
        let refs = after(BTreeMap::new(), &entries)?;
        let all: Vec<(String, String)> = refs.iter().map(|(name, at)| (name.clone(), at.to_string())).collect();
        half.repo().stand_at(&all).await?;
        let seq = entries.last().map_or(0, |entry| entry.seq);
        let note = Note { log: log.log_id, seq, own: Default::default(), refs };
        write(half.repo().path(), &note)?;
        boundary!("shared.cloned");
        let repo = half.finish(&path)?;
        tracing::info!(%project, "a repository was made here out of what other servers share of it");
        Ok(Some((repo, note)))
    }

    /// Moves the refs of a clone to what holds. What only this one has is kept on a ref of its own; returns whether there was any.
    async fn settle(
        &self,
        repo: &Repo,
        before: &BTreeMap<String, Oid>,
        after: &BTreeMap<String, Oid>,
    ) -> Result<bool, TeamError> {
        let changed = before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name));
        let changed: std::collections::BTreeSet<&String> = changed.collect();
        for _ in 0..TRIES {
            let here = repo.shared_refs().await?;
            let (mut steps, mut kept) = (Vec::new(), false);
            for name in &changed {
                let (at, new) = (here.get(*name), after.get(*name));
                if at == new {
                    continue;
                }
                if let Some(at) = at.filter(|at| Some(*at) != before.get(*name) && is_kept(name)) {
                    let held = match new {
                        Some(new) => repo.is_ancestor(at, new).await.unwrap_or(false),
                        None => false,
                    };
                    let place = beside(name, at);
                    kept |= !held;
                    if !held && here.get(&place) != Some(at) {
                        tracing::warn!(name, %at, place, "what only this server had of a ref is kept beside it");
                        steps.push(Step { name: place.clone(), old: here.get(&place).cloned(), new: Some(at.clone()) });
                    }
                }
                steps.push(Step { name: (*name).clone(), old: at.cloned(), new: new.cloned() });
            }
            match repo.move_refs(&steps).await {
                // Somebody of this node moves it this very moment.
                Err(GitError::Moved { .. }) => {}
                done => {
                    done?;
                    return Ok(kept);
                }
            }
        }
        Err(GitError::Moved { name: "a shared ref".to_owned() }.into())
    }

    /// Takes the pack of an entry. False when it is gone.
    async fn take(&self, repo: &Repo, entry: &LogEntry) -> Result<bool, TeamError> {
        let Some(pack) = entry.pack else { return Ok(true) };
        let (feed, pieces) = mpsc::channel(WAITING);
        let (store, parts) = (self.0.store.clone(), entry.parts);
        let feeding = async move {
            for part in 0..parts {
                let Some(bytes) = store.pack_part(pack, part).await? else { return Ok(false) };
                if feed.send(bytes).await.is_err() {
                    break;
                }
            }
            Ok::<_, TeamError>(true)
        };
        let (whole, taken) = tokio::join!(feeding, repo.take_pack(pieces));
        if !whole? {
            return Ok(false);
        }
        taken?;
        Ok(true)
    }

    /// Packs what these reach and those do not reach. All parts but the last one are put in place.
    pub(super) async fn pack(
        &self,
        project: ProjectId,
        repo: &Repo,
        wanted: &[Oid],
        known: &[Oid],
    ) -> Result<NewPack, TeamError> {
        if wanted.is_empty() {
            return Ok(NewPack::default());
        }
        let text = |all: &[Oid]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (out, mut pieces) = mpsc::channel::<Vec<u8>>(WAITING);
        let (store, id) = (self.0.store.clone(), Uuid::now_v7());
        let reading = async move {
            let (mut part, mut parts, mut bytes) = (Vec::new(), 0, 0);
            while let Some(piece) = pieces.recv().await {
                bytes += piece.len() as i64;
                part.extend(piece);
                while part.len() > PACK_PART {
                    let rest = part.split_off(PACK_PART);
                    store.put_pack_part(project, id, parts, &part).await?;
                    (part, parts) = (rest, parts + 1);
                }
            }
            Ok::<_, TeamError>((part, parts, bytes))
        };
        let (wanted, known) = (text(wanted), text(known));
        let (packed, read) = tokio::join!(repo.pack_objects(&wanted, &known, out), reading);
        let (last, parts, bytes) = read?;
        packed?;
        // After `PACK` and its version stands how many objects are in it.
        if parts == 0 && last.get(8..12).is_none_or(|count| count == [0; 4]) {
            return Ok(NewPack::default());
        }
        Ok(NewPack { id: Some(id), last, parts: parts + 1, bytes })
    }

    pub(super) fn keep(
        &self,
        clone: &OwnClone,
        state: &mut State,
        project: ProjectId,
        note: Note,
    ) -> Result<(), TeamError> {
        let written = write(&self.path(project), &note);
        state.note = Some(note);
        clone.place(state);
        written
    }

    /// Makes the log of a repository short where what came since its whole entry outweighs that. Returns whether it did.
    ///
    /// # Errors
    /// When the store or git fails.
    pub async fn shorten(&self, project: ProjectId) -> Result<bool, TeamError> {
        if !self.is_on() {
            return Ok(false);
        }
        let (whole, _) = self.0.store.log_weight(project).await?;
        self.shorten_beyond(project, whole.saturating_mul(2).max(HEAVY)).await
    }

    /// The same where more bytes than these came since its whole entry.
    ///
    /// # Errors
    /// As for [`Shared::shorten`].
    pub async fn shorten_beyond(&self, project: ProjectId, most: i64) -> Result<bool, TeamError> {
        let (_, since) = self.0.store.log_weight(project).await?;
        if since <= most {
            return Ok(false);
        }
        let repo = self.caught_up(project).await?;
        let clone = self.clone_of(project);
        let note = clone.state.lock().await.note.clone().ok_or_else(no_note)?;
        let all: Vec<Oid> = note.refs.values().cloned().collect();
        let pack = self.pack(project, &repo, &all, &[]).await?;
        let refs: Vec<(String, String)> = note.refs.iter().map(|(name, at)| (name.clone(), at.to_string())).collect();
        Ok(self.0.store.make_whole(project, note.log, note.seq, &refs, &pack).await?)
    }
}

/// What refs name after these entries.
fn after(mut refs: BTreeMap<String, Oid>, entries: &[LogEntry]) -> Result<BTreeMap<String, Oid>, TeamError> {
    for entry in entries {
        if entry.is_whole() {
            refs.clear();
        }
        for change in &entry.changes.0 {
            match &change.new {
                Some(new) => refs.insert(change.name.clone(), Oid::parse(new)?),
                None => refs.remove(&change.name),
            };
        }
    }
    Ok(refs)
}

fn read(repo: &Path) -> Option<Note> {
    serde_json::from_slice(&std::fs::read(repo.join(NOTE)).ok()?).ok()
}

fn write(repo: &Path, note: &Note) -> Result<(), TeamError> {
    let (path, half) = (repo.join(NOTE), repo.join(format!("{NOTE}.half")));
    let text = serde_json::to_vec(note).map_err(|error| TeamError::internal("noting what a repository took", error))?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| GitError::File { path, deed: "written", source }
    };
    std::fs::write(&half, text).map_err(failed(&half))?;
    Ok(std::fs::rename(&half, &path).map_err(failed(&path))?)
}
