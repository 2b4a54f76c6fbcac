//! Members at a terminal in the worktree of a run: in the sandbox of its commands, and one at a time where files may change.

pub(crate) mod by_hand;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_sandbox::{Room, Running, SandboxError, Size, Streams, Terminal};
use guildhall_team::{Team, TeamError};
use guildhall_types::blot::{Blot, BlotStream};
use guildhall_types::feature::{FeatureKind, FeatureStatus, WorkMode};
use guildhall_types::member::Member;
use guildhall_types::run::Run;
use guildhall_types::secret::SecretUse;
use guildhall_types::{MemberId, RunId};
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::Engine;
use crate::problems::chain;
use crate::services::{Look, of_trouble};
use crate::set_up::Due;

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
    /// [`TeamError::Conflict`] when somebody is still there after a while, and when what was changed cannot be saved.
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
        let held = turn.is_some();
        let off = HandsOff { engine: self.clone(), run, turn };
        if held && let Err(error) = self.keep_left_by_hand(run).await {
            return Err(TeamError::conflict(
                "hand-work-unsaved",
                format!(
                    "what was changed in a terminal of this work could not be saved, and would be left behind: {}; try again, or \
                     open a terminal there and take away what stands in the way",
                    chain(&error).trim_end_matches('.')
                ),
            ));
        }
        Ok(off)
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
        let Look { run, room, caches, set_up, stay: _stay } = self.room_to_look(member, id).await?;
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
        if !read_only {
            // What an earlier one left there is that one's.
            self.keep_left_by_hand(id).await.map_err(of_trouble)?;
            self.begin_by_hand(id, member.id)?;
        }
        let mut env = room.env.clone();
        env.push(("TERM".to_owned(), "xterm-256color".to_owned()));
        let blot = room.secrets.blot().clone();
        let room = Room { frozen: read_only || room.frozen, env, ..room }.given(SecretUse::Terminals);
        by.store.note_terminal(&run, read_only).await?;
        let line = shell(set_up.filter(|_| !read_only));
        let running = self.0.sandbox.start(&room, &line, Streams::Terminal(size)).await;
        let mut running = running.map_err(|error| match error {
            SandboxError::Refused { reason } => TeamError::conflict("command-refused", reason),
            other => TeamError::conflict("no-sandbox", chain(&other)),
        })?;
        let terminal = running.terminal.take();
        let terminal =
            terminal.ok_or_else(|| TeamError::conflict("no-sandbox", "the shell came without a terminal"))?;
        tracing::info!(run = %id, member = %member.id, read_only, "a terminal was opened");
        let _task = self.0.tasks.token();
        Ok(Sitting { running, terminal, by: by.clone(), run: id, read_only, blot, turn, taken, _caches: caches, _task })
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
}

/// The shell, and what it says first of a worktree that was made again: whoever sits there may set it up, or not.
fn shell(set_up: Option<Due>) -> String {
    let Some(Due { lines, .. }) = set_up else { return SHELL.to_owned() };
    let all = lines.iter().map(|line| format!("  {line}\n")).collect::<String>();
    let said = format!("This worktree is not set up. The project is set up by:\n{all}");
    format!("printf %s '{}'; {SHELL}", said.replace('\'', "'\\''"))
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

    /// Ends the shell with everything that it started, and keeps what was changed. Returns what whoever sat there is to be told,
    /// if not all of it is kept.
    pub async fn close(self) -> Option<String> {
        let Self { running, terminal: _terminal, by, run, read_only, turn, taken, _caches, _task, .. } = self;
        let engine = taken.engine.clone();
        if let Err(error) = running.kill().await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "a shell may not be gone");
        }
        let told = match read_only {
            true => None,
            false => engine.leave_by_hand(&by, run).await,
        };
        engine.note_used(run).await;
        drop(turn);
        drop(taken);
        engine.forget_ground(run);
        told
    }
}
