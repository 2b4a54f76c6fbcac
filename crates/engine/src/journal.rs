//! The journal of a run: saves what its agent does, under the run's lease.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use guildhall_agent::{Call, Journal, JournalError, Leave, PriceTable, ToolImage};
use guildhall_bus::Bus;
use guildhall_git::{GitError, Identity, Oid, Repo, Worktree};
use guildhall_llm::{ErrorKind, models};
use guildhall_sandbox::Groups;
use guildhall_store::{Counts, Lease, NewFile, Reserved, StoreError, Word};
use guildhall_team::{Added, Team, TeamError, added_secrets, listed};
use guildhall_types::blot::Blot;
use guildhall_types::budget::{BudgetKind, Need, never};
use guildhall_types::chat::StopReason;
use guildhall_types::event::{Happening, OutputStream};
use guildhall_types::feature::{Attachment, WorkMode};
use guildhall_types::member::ProviderKind;
use guildhall_types::plan::{PlanApproval, Proposal};
use guildhall_types::price::Price;
use guildhall_types::run::{DiffStat, LedgerRow, Run, RunEvent, RunKey, Said, Task, Turn};
use guildhall_types::{CallId, RunId, boundary};
use tokio_util::task::TaskTracker;

use crate::Engine;
use crate::parking::Parking;
use crate::room::NoRoom;
use crate::tally::Tally;
use crate::unsaved::{Tries, Unsaved};

/// A run's journal.
pub(crate) struct RunJournal {
    pub(crate) engine: Engine,
    pub(crate) team: Team,
    /// What of the agent's is still ending when its tools are gone.
    pub(crate) leaving: TaskTracker,
    /// The project's secrets: work in which one stands is told.
    pub(crate) blot: Blot,
    /// Whether the agent itself is told of it as well.
    pub(crate) tells: bool,
    /// What the agent's tools may do to the files, if a member can change that while it works.
    pub(crate) mode: Option<WorkMode>,
    /// The length of a lease.
    pub(crate) hold: chrono::Duration,
    pub(crate) bus: Bus,
    /// Know of the limits that the run's commands came up against.
    pub(crate) groups: Groups,
    /// Counts what this node's runs do.
    pub(crate) tally: Arc<Tally>,
    /// Keeps calls that the database does not take.
    pub(crate) unsaved: Arc<Unsaved>,
    pub(crate) lease: Lease,
    pub(crate) run: Run,
    pub(crate) provider: ProviderKind,
    pub(crate) key: RunKey,
    /// The model that is asked.
    pub(crate) model: String,
    pub(crate) repo: Repo,
    pub(crate) worktree: Worktree,
    pub(crate) author: Identity,
    /// Where there must be room for a turn.
    pub(crate) folders: Vec<PathBuf>,
    /// Says whether the run is to make room, and hears what it is at.
    pub(crate) parking: Option<Arc<Parking>>,
    /// How long a write is tried while the database does not take it.
    pub(crate) patience: Duration,
    pub(crate) base: Oid,
    /// The latest state of the files that is on a ref.
    pub(crate) head: Mutex<Oid>,
    /// What was told of files that are not kept: each is told once.
    pub(crate) left_out: Mutex<HashSet<String>>,
    /// Whether the latest turn was the agent's last word.
    pub(crate) done: AtomicBool,
    /// The agent hears nothing new: another agent of the run is in the middle of its turns.
    pub(crate) deaf: bool,
    /// The look of the pipeline whose agent this is; nothing for the agent that builds the card.
    pub(crate) step: Option<i64>,
}

impl RunJournal {
    pub(crate) fn id(&self) -> RunId {
        self.run.id
    }

    /// The latest state of the files that is on a ref.
    pub(crate) fn head(&self) -> Oid {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A call to a model begins, or what it brought is saved.
    pub(crate) fn at_call(&self, calling: bool) {
        if let Some(parking) = &self.parking {
            parking.at_call(calling);
        }
    }

    /// Whether the order that started this run lets it rest now.
    async fn rests(&self) -> Result<bool, StoreError> {
        let order = self.team.store.order(self.run.project_id, self.run.member_id).await?;
        Ok(order.is_some_and(|order| order.rests_until(self.team.clock.now()).is_some()))
    }

    /// Whether the latest events of the run are these.
    async fn are_written(&self, events: &[RunEvent]) -> Result<bool, StoreError> {
        let told = self.team.store.run_events(self.id(), 0, i64::MAX).await?;
        let told = told.into_iter().filter_map(|event| match event.what {
            Happening::Run { event, .. } => Some(event),
            _ => None,
        });
        let told: Vec<RunEvent> = told.collect();
        Ok(told.ends_with(events))
    }

    /// What is to be told of a turn after which a secret of the project stands in a file that has none before it.
    async fn secrets_in(&self, commit: &Oid) -> Result<Option<String>, JournalError> {
        let added = added_secrets(&self.blot, &self.repo, &self.head(), commit).await.map_err(not_had)?;
        Ok(match added {
            Added::Secrets(names) => Some(format!(
                "The value of {} stands in the work now. Take it out: work with a secret in it is not merged. A command that \
                 needs it gets it as an environment variable.",
                listed(&names)
            )),
            Added::None | Added::TooMuch => None,
        })
    }

    async fn saved_turn(&self, number: i64) -> Result<Option<Turn>, StoreError> {
        Ok(self.team.store.turns(self.id()).await?.into_iter().find(|turn| turn.number == number))
    }

    pub(crate) fn row(&self, call: &Call) -> LedgerRow {
        LedgerRow {
            id: CallId::new(),
            member_id: self.run.member_id,
            key_source: self.key.source,
            key_hint: self.key.hint.clone(),
            run_id: self.id(),
            turn: call.turn,
            provider: self.provider,
            model: call.model.clone(),
            usage: call.usage,
            cost_micros: call.cost_micros,
            priced: call.priced,
        }
    }

    /// Writes a call to the ledger that could not be saved with what it brought: it was made, whoever holds the run now. While the
    /// database does not take it, it is kept.
    pub(crate) async fn bill_late(&self, call: &Call, row: LedgerRow) {
        self.tally.billed(self.provider, call);
        // It belongs to no turn: whoever takes the run up asks for that one again.
        let row = LedgerRow { turn: None, ..row };
        self.unsaved.bill(&self.team.store, self.lease, row).await;
    }

    /// Takes a snapshot of the files, if they changed. Returns it with the whole change since the base, and what is to be
    /// told of files that are not kept, changed or not.
    async fn snapshot(&self, turn: i64) -> Result<(Option<(Oid, DiffStat)>, Vec<RunEvent>), JournalError> {
        let head = self.head();
        let message = format!("Turn {turn}\n");
        let take = || self.repo.snapshot(&self.worktree, &head, &message, &self.author);
        let taken = match take().await {
            Err(GitError::Moved { .. }) => {
                // Whoever holds the lease is right: a late runner of a former claim, or somebody's hand, is not.
                self.team.store.append_events(&self.lease, Vec::new()).await.map_err(refused)?;
                self.repo.take_snapshots(&self.id().to_string(), &head).await.map_err(unsaved)?;
                take().await
            }
            taken => taken,
        };
        let taken = taken.map_err(unsaved)?;
        let told = {
            let mut known = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
            let new = taken.left_out.told().filter(|(what, _)| known.insert((*what).to_owned()));
            new.map(|(_, text)| RunEvent::Note { text }).collect()
        };
        let Some(commit) = taken.commit else { return Ok((None, told)) };
        let stat = self.repo.stat(&self.base, &commit).await.map_err(unsaved)?;
        let stat = DiffStat { files: stat.files, added: stat.additions, removed: stat.deletions };
        Ok((Some((commit, stat)), told))
    }
}

/// What a turn proposes as the plan, where one is to be kept.
fn kept(turn: &Turn, approval: PlanApproval) -> Option<Proposal> {
    match approval {
        PlanApproval::Awaited | PlanApproval::NotNeeded => guildhall_agent::tools::proposal(turn),
        PlanApproval::Given => None,
    }
}

/// What a turn proposes as the plan, where a person is to approve one.
fn proposed(turn: &Turn, approval: PlanApproval) -> Option<Proposal> {
    match approval {
        PlanApproval::Awaited => guildhall_agent::tools::proposal(turn),
        PlanApproval::NotNeeded | PlanApproval::Given => None,
    }
}

/// Whether the agent has nothing more to do after this turn, for now at least.
pub(crate) fn is_last(turn: &Turn, approval: PlanApproval) -> bool {
    turn.results.is_some() && (turn.stop_reason == StopReason::EndTurn || proposed(turn, approval).is_some())
}

pub(crate) fn unsaved(error: impl std::error::Error + Send + Sync + 'static) -> JournalError {
    JournalError::Failed(Box::new(error))
}

fn not_had(error: TeamError) -> JournalError {
    match error {
        TeamError::Store(error) => refused(error),
        other => unsaved(other),
    }
}

/// What a call is answered that asks for money.
fn leave(reserved: Reserved, prices: PriceTable) -> Leave {
    let dollars = |micros: i64| micros as f64 / 1e6;
    match reserved {
        Reserved::Go { output } => Leave::Go { output, prices },
        Reserved::Held { cap_micros } => Leave::Held {
            reason: format!(
                "Calls under way may cost all that is left of the month's budget of ${:.2}. The run goes on by itself when they are over.",
                dollars(cap_micros)
            ),
        },
        Reserved::RunUsedUp { cap_micros, spent_micros } => Leave::Parked {
            until: never(),
            reason: format!(
                "The run has cost ${:.2}, and its next call could go beyond the ${:.2} that it may cost. It goes on when somebody allows more.",
                dollars(spent_micros),
                dollars(cap_micros)
            ),
            budget: BudgetKind::Run,
        },
        Reserved::MonthUsedUp { cap_micros, spent_micros, until } => Leave::Parked {
            until,
            reason: format!(
                "Of the month's budget of ${:.2}, ${:.2} is used: too little is left for the next call. The run goes on by itself on {} (UTC), or when the budget is raised.",
                dollars(cap_micros),
                dollars(spent_micros),
                until.format("%-d %B")
            ),
            budget: BudgetKind::Month,
        },
    }
}

pub(crate) fn refused(error: StoreError) -> JournalError {
    match error {
        StoreError::LeaseLost => JournalError::Lost,
        other => unsaved(other),
    }
}

#[async_trait]
impl Journal for RunJournal {
    async fn inbox(&self) -> Result<Vec<Said>, JournalError> {
        if self.deaf {
            return Ok(Vec::new());
        }
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        NoRoom::look(&folders).map_err(unsaved)?;
        let said = self.team.store.inbox(self.id()).await.map_err(refused)?;
        if self.step.is_some() && !said.is_empty() {
            // It is for the agent that builds the card. A look that is over is not taken again for it.
            return match self.done.load(Ordering::Relaxed) {
                true => Ok(Vec::new()),
                false => Err(JournalError::Interrupted),
            };
        }
        // Work that is done is not held up by a window that has closed.
        let done = self.done.load(Ordering::Relaxed) && said.is_empty();
        if !done && self.parking.as_ref().is_some_and(|parking| parking.asked().is_some()) {
            return Err(JournalError::Hold);
        }
        if let Some(mode) = self.mode.filter(|_| !said.is_empty()) {
            let chat = self.team.store.feature(self.run.feature_id).await.map_err(refused)?;
            if chat.is_some_and(|chat| chat.card.mode != mode) {
                // It is heard with the tools that whoever said it chose.
                return Err(JournalError::Interrupted);
            }
        }
        match self.run.auto && !done && self.rests().await.map_err(refused)? {
            true => Err(JournalError::Rest),
            false => Ok(said),
        }
    }

    async fn answered(
        &self,
        turn: &Turn,
        read_upto: Option<i64>,
        call: &Call,
        events: Vec<RunEvent>,
    ) -> Result<(), JournalError> {
        boundary!("call.answered");
        let row = self.row(call);
        let mut tries = Tries::within(self.patience);
        loop {
            let write = async {
                if tries.again && self.saved_turn(turn.number).await?.is_some_and(|saved| saved.answer == turn.answer) {
                    return Ok(());
                }
                self.team.store.save_answer(&self.lease, turn, read_upto, &row, events.clone()).await
            };
            let done = write.await;
            if !tries.go_on(&done).await {
                match &done {
                    Ok(()) => self.tally.billed(self.provider, call),
                    Err(_) => self.bill_late(call, row).await,
                }
                // What was paid is saved: a run that is to make room can stop here.
                self.at_call(false);
                return done.map_err(refused);
            }
        }
    }

    async fn settled(&self, turn: &Turn, call: &Call, changed_files: bool) -> Result<(), JournalError> {
        let (taken, mut events) = match changed_files {
            true => self.snapshot(turn.number).await?,
            false => (None, Vec::new()),
        };
        if let Some((commit, _)) = &taken {
            self.share(commit).await?;
        }
        let saved = taken.as_ref().map(|(commit, stat)| (commit.to_string(), *stat));
        let hits = self.groups.take_hits(self.run.member_id, &self.id().to_string());
        events.extend(hits.iter().map(|over| RunEvent::Note { text: format!("A command met a limit. {over}") }));
        let secrets = match &taken {
            Some((commit, ..)) => self.secrets_in(commit).await?,
            None => None,
        };
        if let Some(text) = secrets.clone().filter(|_| !self.tells) {
            events.push(RunEvent::Note { text });
        }
        events.push(RunEvent::TurnSaved {
            turn: turn.number,
            stop_reason: turn.stop_reason,
            usage: call.usage,
            cost_micros: call.cost_micros,
            snapshot: saved.as_ref().map(|(commit, _)| commit.clone()),
        });
        self.done.store(is_last(turn, self.run.approval), Ordering::Relaxed);
        let results = turn.results.clone().unwrap_or_default();
        let proposal = self.step.is_none().then(|| kept(turn, self.run.approval)).flatten();
        let mut tries = Tries::within(self.patience);
        loop {
            let write = async {
                if tries.again && self.saved_turn(turn.number).await?.is_some_and(|saved| saved.results == turn.results)
                {
                    return Ok(());
                }
                let (results, saved, events) = (results.clone(), saved.clone(), events.clone());
                self.team.store.save_results(&self.lease, turn.number, results, saved, proposal.as_ref(), events).await
            };
            let done = write.await;
            if !tries.go_on(&done).await {
                done.map_err(refused)?;
                break;
            }
        }
        if let Some(text) = secrets.filter(|_| self.tells) {
            let word = Word { text, data: String::new(), counts: Counts::Nothing };
            match self.team.store.say(&self.lease, &word).await {
                Err(StoreError::LeaseLost) => return Err(JournalError::Lost),
                // The work is looked through once more at its end.
                Err(error) => tracing::warn!(run = %self.id(), %error, "an agent was not told of a secret in its work"),
                Ok(()) => {}
            }
        }
        if let Some((commit, ..)) = taken {
            self.engine.stands_at(&self.team.places.run(self.id()), &commit).map_err(unsaved)?;
            *self.head.lock().unwrap_or_else(PoisonError::into_inner) = commit;
        }
        self.bus.settled(self.id(), turn.number);
        Ok(())
    }

    async fn reserve(&self, need: &Need) -> Result<Leave, JournalError> {
        let prices: PriceTable = self.team.store.prices().await.map_err(refused)?.into();
        let (asked, store) = (&self.model, &self.team.store);
        let price = models::price_of(&prices, self.provider, asked, asked);
        let Some(price) = price.filter(|price| *price != Price::FREE) else {
            // What is free, or of an unknown price, takes no part in budgets.
            self.at_call(true);
            return Ok(Leave::Go { output: need.output, prices });
        };
        let cap = self.team.run_limits().await.map_err(not_had)?.max_cost_micros;
        let budgets = self.team.team_budgets().await.map_err(not_had)?;
        let reserved = store.reserve(&self.lease, self.hold, need, &price, cap, budgets).await.map_err(refused)?;
        let leave = leave(reserved, prices);
        self.at_call(matches!(leave, Leave::Go { .. }));
        Ok(leave)
    }

    async fn unused(&self) -> Result<(), JournalError> {
        self.at_call(false);
        self.team.store.release(&self.lease).await.map_err(refused)
    }

    async fn billed(&self, call: &Call) -> Result<(), JournalError> {
        let row = self.row(call);
        let mut tries = Tries::within(self.patience);
        loop {
            let done = self.team.store.save_side_call(&self.lease, &row).await;
            if tries.go_on(&done).await {
                continue;
            }
            let done = match done {
                Ok(()) => {
                    self.tally.billed(self.provider, call);
                    Ok(())
                }
                Err(error) => {
                    self.bill_late(call, row).await;
                    // That the run is another's is noticed by what it does next.
                    if matches!(error, StoreError::LeaseLost) { Ok(()) } else { Err(refused(error)) }
                }
            };
            self.at_call(false);
            return done;
        }
    }

    async fn happened(&self, events: Vec<RunEvent>) -> Result<(), JournalError> {
        let mut tries = Tries::within(self.patience);
        loop {
            let write = async {
                match tries.again && self.are_written(&events).await? {
                    true => Ok(()),
                    false => self.team.store.append_events(&self.lease, events.clone()).await,
                }
            };
            let done = write.await;
            if !tries.go_on(&done).await {
                return done.map_err(refused);
            }
        }
    }

    async fn keep(&self, tool: &str, image: &ToolImage) -> Result<Option<Attachment>, JournalError> {
        let ending = image.media_type.rsplit('/').next().unwrap_or_default();
        let mut tries = Tries::within(self.patience);
        loop {
            let file = NewFile {
                name: format!("{tool}.{ending}"),
                media_type: image.media_type.to_owned(),
                bytes: image.bytes.clone(),
            };
            // One whose answer was lost on the way may be kept twice; nothing names the first.
            match self.team.store.keep_image(&self.lease, file).await {
                Ok(kept) => return Ok(kept),
                Err(error) => {
                    let done: Result<(), StoreError> = Err(error);
                    if !tries.go_on(&done).await {
                        return done.map(|()| None).map_err(refused);
                    }
                }
            }
        }
    }

    async fn tasks(&self) -> Result<Vec<Task>, JournalError> {
        if self.step.is_some() {
            return Ok(Vec::new());
        }
        let run = self.team.store.run(self.id()).await.map_err(refused)?;
        Ok(run.map(|run| run.plan).unwrap_or_default())
    }

    async fn planned(&self, tasks: &[Task]) -> Result<(), JournalError> {
        self.team.store.set_plan(&self.lease, tasks).await.map_err(refused)
    }

    fn called(&self, outcome: Result<(), ErrorKind>) {
        self.tally.called(self.provider, outcome);
        if outcome.is_err() {
            self.at_call(false);
        }
    }

    fn waited(&self, time: Duration) {
        self.tally.waited(time);
    }

    fn live(&self, turn: i64, stream: OutputStream, text: &str) {
        self.bus.write(self.id(), turn, stream, text);
    }
}
