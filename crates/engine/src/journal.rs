//! The journal of a run: saves what its agent does, under the run's lease.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use guildhall_agent::{Call, Journal, JournalError, Leave, PriceTable};
use guildhall_bus::Bus;
use guildhall_git::{GitError, Identity, Oid, Repo, Worktree};
use guildhall_llm::models;
use guildhall_store::{Lease, Reserved, StoreError};
use guildhall_team::{Team, TeamError};
use guildhall_types::RunId;
use guildhall_types::budget::{BudgetKind, Need, never};
use guildhall_types::chat::StopReason;
use guildhall_types::event::OutputStream;
use guildhall_types::member::ProviderKind;
use guildhall_types::plan::{PlanApproval, Proposal};
use guildhall_types::price::Price;
use guildhall_types::run::{DiffStat, LedgerRow, Run, RunEvent, RunKey, Said, Task, Turn};

/// A run's journal.
pub(crate) struct RunJournal {
    pub(crate) team: Team,
    /// The length of a lease.
    pub(crate) hold: chrono::Duration,
    pub(crate) bus: Bus,
    pub(crate) lease: Lease,
    pub(crate) run: Run,
    pub(crate) provider: ProviderKind,
    pub(crate) key: RunKey,
    pub(crate) repo: Repo,
    pub(crate) worktree: Worktree,
    pub(crate) author: Identity,
    pub(crate) base: Oid,
    /// The latest state of the files that is on a ref.
    pub(crate) head: Mutex<Oid>,
    /// Whether the latest turn was the agent's last word.
    pub(crate) done: AtomicBool,
}

impl RunJournal {
    fn id(&self) -> RunId {
        self.run.id
    }

    /// The latest state of the files that is on a ref.
    pub(crate) fn head(&self) -> Oid {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the order that started this run lets it rest now.
    async fn rests(&self) -> Result<bool, StoreError> {
        let order = self.team.store.order(self.run.project_id, self.run.member_id).await?;
        Ok(order.is_some_and(|order| order.rests_until(self.team.clock.now()).is_some()))
    }

    fn row(&self, call: &Call) -> LedgerRow {
        LedgerRow {
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

    /// Takes a snapshot of the files, if they changed. Returns it with the whole change since the base, and what is to be
    /// told of it.
    async fn snapshot(&self, turn: i64) -> Result<Option<(Oid, DiffStat, Vec<RunEvent>)>, GitError> {
        let head = self.head();
        let message = format!("Turn {turn}\n");
        let Some(taken) = self.repo.snapshot(&self.worktree, &head, &message, &self.author).await? else {
            return Ok(None);
        };
        let stat = self.repo.stat(&self.base, &taken.commit).await?;
        let stat = DiffStat { files: stat.files, added: stat.additions, removed: stat.deletions };
        let told = taken.left_out.iter().map(|(path, size)| RunEvent::Note {
            text: format!("{path} has {size} bytes: too large to be kept, so it stays out of the work."),
        });
        Ok(Some((taken.commit.clone(), stat, told.collect())))
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

fn unsaved(error: impl std::error::Error + Send + Sync + 'static) -> JournalError {
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

fn refused(error: StoreError) -> JournalError {
    match error {
        StoreError::LeaseLost => JournalError::Lost,
        other => unsaved(other),
    }
}

#[async_trait]
impl Journal for RunJournal {
    async fn inbox(&self) -> Result<Vec<Said>, JournalError> {
        let said = self.team.store.inbox(self.id()).await.map_err(refused)?;
        // Work that is done is not held up by a window that has closed.
        let done = self.done.load(Ordering::Relaxed) && said.is_empty();
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
        self.team.store.save_answer(&self.lease, turn, read_upto, &self.row(call), events).await.map_err(refused)
    }

    async fn settled(&self, turn: &Turn, call: &Call, changed_files: bool) -> Result<(), JournalError> {
        let taken = match changed_files {
            true => self.snapshot(turn.number).await.map_err(unsaved)?,
            false => None,
        };
        let mut events = Vec::new();
        let mut saved = None;
        if let Some((commit, stat, told)) = &taken {
            events.extend(told.iter().cloned());
            saved = Some((commit.to_string(), *stat));
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
        let proposal = proposed(turn, self.run.approval);
        let saving = self.team.store.save_results(&self.lease, turn.number, results, saved, proposal.as_ref(), events);
        saving.await.map_err(refused)?;
        if let Some((commit, ..)) = taken {
            *self.head.lock().unwrap_or_else(PoisonError::into_inner) = commit;
        }
        self.bus.settled(self.id(), turn.number);
        Ok(())
    }

    async fn reserve(&self, need: &Need) -> Result<Leave, JournalError> {
        let prices: PriceTable = self.team.store.prices().await.map_err(refused)?.into();
        let (asked, store) = (&self.run.model, &self.team.store);
        let price = models::price_of(&prices, self.provider, asked, asked);
        let Some(price) = price.filter(|price| *price != Price::FREE) else {
            // What is free, or of an unknown price, takes no part in budgets.
            return Ok(Leave::Go { output: need.output, prices });
        };
        let cap = self.team.run_limits().await.map_err(not_had)?.max_cost_micros;
        let budgets = self.team.team_budgets().await.map_err(not_had)?;
        let reserved = store.reserve(&self.lease, self.hold, need, &price, cap, budgets).await.map_err(refused)?;
        Ok(leave(reserved, prices))
    }

    async fn unused(&self) -> Result<(), JournalError> {
        self.team.store.release(&self.lease).await.map_err(refused)
    }

    async fn billed(&self, call: &Call) -> Result<(), JournalError> {
        let row = self.row(call);
        match self.team.store.save_side_call(&self.lease, &row).await {
            // The call was made, whoever holds the run now.
            Err(StoreError::LeaseLost) => self.team.store.save_late_call(&self.lease, &row).await.map_err(refused),
            other => other.map_err(refused),
        }
    }

    async fn happened(&self, events: Vec<RunEvent>) -> Result<(), JournalError> {
        self.team.store.append_events(&self.lease, events).await.map_err(refused)
    }

    async fn planned(&self, tasks: &[Task]) -> Result<(), JournalError> {
        self.team.store.set_plan(&self.lease, tasks).await.map_err(refused)
    }

    fn live(&self, turn: i64, stream: OutputStream, text: &str) {
        self.bus.write(self.id(), turn, stream, text);
    }
}
