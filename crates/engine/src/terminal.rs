//! Members at a terminal in the worktree of a run: in the sandbox of its commands, and one at a time where files may change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_git::{Oid, Repo};
use guildhall_sandbox::{Room, Running, SandboxError, Size, Streams, Terminal};
use guildhall_team::{Team, TeamError};
use guildhall_types::blot::{Blot, BlotStream};
use guildhall_types::feature::{FeatureKind, FeatureStatus, WorkMode};
use guildhall_types::member::Member;
use guildhall_types::run::{DiffStat, Run};
use guildhall_types::{MemberId, RunId};
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::Engine;
use crate::problems::{Trouble, chain};
use crate::services::Look;

/// Terminals of a member at once, on this node.
const AT_ONCE: usize = 4;
/// How long a deed waits for whoever works by hand, at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a terminal runs. The home folder is new each time, so nothing in it is read.
const SHELL: &str = "export PS1='\\w \\$ '; exec /bin/bash --noprofile -i";

/// Who sits at a terminal here.
pub(crate) type Registry = Mutex<Vec<Arc<Seat>>>;

/// A place at a terminal.
#[derive(Debug)]
pub(crate) struct Seat {
    run: RunId,
    member: MemberId,
    /// Cancelled when whoever may change files there has to leave.
    leave: CancellationToken,
    /// Cancelled when the worktree goes.
    gone: CancellationToken,
}

/// A seat that is given back when it is dropped.
#[derive(Debug)]
struct Taken {
    engine: Engine,
    seat: Arc<Seat>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.engine.sittings().retain(|seat| !Arc::ptr_eq(seat, &self.seat));
    }
}

/// Nobody works by hand in the worktree of a run until this is dropped.
#[derive(Debug)]
pub struct HandsOff {
    engine: Engine,
    run: RunId,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Drop for HandsOff {
    fn drop(&mut self) {
        drop(self.turn.take());
        self.engine.forget_ground(self.run);
    }
}

/// A member at a terminal. Dropping it ends the shell with all that it started; closing it keeps what was changed as well.
#[derive(Debug)]
pub struct Sitting {
    running: Running,
    terminal: Terminal,
    by: Team,
    member: Member,
    run: RunId,
    read_only: bool,
    /// The project's secrets, which it does not show.
    blot: Blot,
    /// Whoever may change files holds the turn to work in the worktree.
    turn: Option<OwnedMutexGuard<()>>,
    taken: Taken,
    /// Nothing is taken from the project's caches meanwhile.
    _caches: OwnedRwLockReadGuard<()>,
    /// The engine does not end before what was changed is kept.
    _task: TaskTrackerToken,
}

impl Engine {
    fn sittings(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.0.sittings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody sits in the worktree of a run.
    pub(crate) fn has_seat(&self, run: RunId) -> bool {
        self.sittings().iter().any(|seat| seat.run == run)
    }

    /// Asks everybody who may change files of a run to leave their terminals; everybody at all, if the worktree goes.
    pub(crate) fn send_away(&self, run: RunId, goes: bool) {
        for seat in self.sittings().iter().filter(|seat| seat.run == run) {
            seat.leave.cancel();
            if goes {
                seat.gone.cancel();
            }
        }
    }

    /// Keeps hands off the worktree of a run while a deed takes the work as it is: whoever changes files there in a terminal
    /// has to leave, and what was changed is part of the work when this resolves.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when somebody is still there after a while.
    pub async fn hands_off(&self, run: RunId) -> Result<HandsOff, TeamError> {
        let turn = match self.free_ground(run) {
            Some(turn) => Some(turn),
            // An agent's work is not done by hand, and the deed says itself what it thinks of that.
            None if self.active().contains_key(&run) => None,
            None => {
                self.send_away(run, false);
                let turn = tokio::time::timeout(PATIENCE, self.ground_turn(run)).await;
                Some(turn.map_err(|_| {
                    TeamError::conflict(
                        "terminal-open",
                        "somebody still changes files of this work in a terminal; close it, or try again in a moment",
                    )
                })?)
            }
        };
        Ok(HandsOff { engine: self.clone(), run, turn })
    }

    /// Opens a terminal in the worktree of a run, for its member or an admin. Files can be changed in it while the work waits
    /// for somebody and nobody else is at it; otherwise they can only be looked at.
    ///
    /// # Errors
    /// [`TeamError::NotFound`], [`TeamError::NotYours`]; [`TeamError::Conflict`] without a worktree on this server, or with too
    /// many terminals.
    pub async fn open_terminal(&self, by: &Team, member: &Member, id: RunId, size: Size) -> Result<Sitting, TeamError> {
        let store = &self.0.team.store;
        let taken = self.take_seat(member.id, id)?;
        let Look { run, room, caches, stay: _stay } = self.room_to_look(member, id).await?;
        let turn = match self.may_be_changed(&run).await? {
            true => self.free_ground(id),
            false => None,
        };
        // Asked once more, with the seat taken and the turn held: whoever claims it, or takes it as it is, from now on sends
        // this one away.
        let still = match store.run(id).await? {
            Some(now) => !now.status.is_live() && self.may_be_changed(&now).await?,
            None => false,
        };
        let turn = turn.filter(|_| still);
        let read_only = turn.is_none();
        let mut env = room.env.clone();
        env.push(("TERM".to_owned(), "xterm-256color".to_owned()));
        let blot = room.secrets.blot().clone();
        let room = Room { frozen: read_only || room.frozen, env, ..room };
        by.store.note_terminal(&run, read_only).await?;
        let running = self.0.sandbox.start(&room, SHELL, Streams::Terminal(size)).await;
        let mut running = running.map_err(|error| match error {
            SandboxError::Refused { reason } => TeamError::conflict("command-refused", reason),
            other => TeamError::conflict("no-sandbox", chain(&other)),
        })?;
        let terminal = running.terminal.take();
        let terminal =
            terminal.ok_or_else(|| TeamError::conflict("no-sandbox", "the shell came without a terminal"))?;
        tracing::info!(run = %id, member = %member.id, read_only, "a terminal was opened");
        let _task = self.0.tasks.token();
        Ok(Sitting {
            running,
            terminal,
            by: by.clone(),
            member: member.clone(),
            run: id,
            read_only,
            blot,
            turn,
            taken,
            _caches: caches,
            _task,
        })
    }

    /// Whether a member may open a terminal there.
    ///
    /// # Errors
    /// Those of [`Self::open_terminal`].
    pub async fn may_sit(&self, member: &Member, id: RunId) -> Result<(), TeamError> {
        self.room_to_look(member, id).await?;
        self.take_seat(member.id, id).map(drop)
    }

    fn take_seat(&self, member: MemberId, run: RunId) -> Result<Taken, TeamError> {
        let seat = Arc::new(Seat { run, member, leave: CancellationToken::new(), gone: CancellationToken::new() });
        let mut sittings = self.sittings();
        if sittings.iter().filter(|seat| seat.member == member).count() >= AT_ONCE {
            return Err(TeamError::conflict(
                "too-many-terminals",
                format!("you have {AT_ONCE} terminals open, which is the most; close one of them"),
            ));
        }
        sittings.push(Arc::clone(&seat));
        Ok(Taken { engine: self.clone(), seat })
    }

    /// Whether work waits for somebody to look at it and to change it. What was verified is verified as it is.
    async fn may_be_changed(&self, run: &Run) -> Result<bool, TeamError> {
        let feature = self.0.team.store.feature(run.feature_id).await?;
        Ok(feature.is_some_and(|feature| {
            let card = &feature.card;
            let waits =
                matches!(card.status, FeatureStatus::WaitingApproval | FeatureStatus::Failed | FeatureStatus::Paused);
            card.kind == FeatureKind::Card && card.mode == WorkMode::Work && waits
        }))
    }

    /// Keeps what a member changed by hand, as a snapshot in their name.
    async fn keep_hand_work(&self, by: &Team, member: &Member, id: RunId) -> Result<(), Trouble> {
        let team = &self.0.team;
        let Some(run) = team.store.run(id).await? else { return Ok(()) };
        let Some(base) = run.base_commit.as_deref() else { return Ok(()) };
        let head = Oid::parse(run.head_commit.as_deref().unwrap_or(base))?;
        let base = Oid::parse(base)?;
        let repo = Repo::open(&team.places.repository(run.project_id))?;
        let Some(worktree) = repo.worktree(&id.to_string(), &team.places.run(id))? else { return Ok(()) };
        repo.take_snapshots(&id.to_string(), &head).await?;
        let author = team.identity(member.id).await?;
        let taken = repo.snapshot(&worktree, &head, "By hand, in a terminal\n", &author).await?;
        let Some(commit) = taken.commit else {
            // There is no change to tell of it with; the page of the disk does when the worktree is to go.
            return Ok(());
        };
        let stat = repo.stat(&base, &commit).await?;
        let stat = DiffStat { files: stat.files, added: stat.additions, removed: stat.deletions };
        let mut said = format!("{} changed files of this work in a terminal.", member.name);
        for (_, left_out) in taken.left_out.told() {
            said.push_str(&format!(" {left_out}"));
        }
        if by.store.note_hand_work(id, self.0.node, head.as_str(), commit.as_str(), stat, &said).await? {
            repo.settle_branch(&run.branch, &commit).await?;
        }
        Ok(())
    }
}

impl Sitting {
    /// The terminal, and what resolves when its shell has ended, with the limit that it came up against, if any. To be
    /// awaited while the terminal is used: that keeps the worktree within what it may take.
    pub fn split(&mut self) -> (&Terminal, impl Future<Output = Option<String>> + Send) {
        let running = &mut self.running;
        let ended = async move {
            let _ = running.ended().await;
            running.over().map(|over| over.to_string())
        };
        (&self.terminal, ended)
    }

    /// What blots the project's secrets out of what the terminal shows, before anybody sees it.
    pub fn blot(&self) -> BlotStream {
        self.blot.stream()
    }

    /// Whether files can only be looked at.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Cancelled when the worktree is needed for work.
    pub fn leave(&self) -> CancellationToken {
        // Whoever only looks is in nobody's way.
        match self.read_only {
            true => self.taken.seat.gone.clone(),
            false => self.taken.seat.leave.clone(),
        }
    }

    /// Ends the shell with everything that it started, and keeps what was changed.
    pub async fn close(self) {
        let Self { running, terminal: _terminal, by, member, run, read_only, turn, taken, _caches, _task, .. } = self;
        let engine = taken.engine.clone();
        if let Err(error) = running.kill().await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "a shell may not be gone");
        }
        if !read_only && let Err(error) = engine.keep_hand_work(&by, &member, run).await {
            // The files stay in the worktree, and are kept with the next turn that changes some.
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "what was changed in a terminal was not kept yet");
        }
        engine.note_used(run).await;
        drop(turn);
        drop(taken);
        engine.forget_ground(run);
    }
}
