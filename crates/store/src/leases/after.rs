//! What follows the agent's work, as a node that holds the run writes it: words to the agent, a moved base, rest, a merge.

use chrono::Duration;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::feature::{FeatureKind, Move, Stage};
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::report::SpanKind;
use guildhall_types::run::{Awaits, DiffStat, Run, RunEvent, RunStatus};
use guildhall_types::{DateTime, RunId};

use super::Lease;
use crate::{Rows, Store, StoreError, Tx, on, read};

/// Something that Guildhall itself says to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What it is to do.
    pub text: String,
    /// What that is about, such as a check's output: data, never a command.
    pub data: String,
    /// What it is counted as.
    pub counts: Counts,
}

/// What a word to the agent is counted as, since a member last said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Nothing.
    Nothing,
    /// Failing checks that it is to mend.
    Repair,
    /// Work that could not be merged.
    Return,
}

/// What a run tells of its rest.
const RESTS: &str = "Auto mode's window has closed. The run goes on by itself when it opens.";
/// How long after it was put off a run still waits in the same outage; it asks far more often.
const LATELY: Duration = Duration::hours(1);

impl Store {
    /// The run's work now starts from another commit; its agent hears at its next turn what is to be said of that.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn move_base(
        &self,
        lease: &Lease,
        base: &str,
        head: &str,
        stat: DiffStat,
        word: Option<&Word>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        on!(tx, c => sqlx::query("UPDATE runs SET base_commit = $2 WHERE id = $1").bind(run.id).bind(base).execute(c).await.rows())?;
        self.set_work(&mut tx, &run, head, stat).await?;
        if let Some(word) = word {
            self.say_in(&mut tx, &run, word).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// What was changed beside the turns of the agent is part of the run's work now, as `said` tells in it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn take_in(&self, lease: &Lease, head: &str, stat: DiffStat, said: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        self.set_work(&mut tx, &run, head, stat).await?;
        self.record_run(&mut tx, &run, RunEvent::Note { text: crate::clean(said) }).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Guildhall itself says something to the agent, which hears it at its next turn.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn say(&self, lease: &Lease, word: &Word) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        self.change_stage(&mut tx, run.feature_id, Stage::Implementing).await?;
        self.say_in(&mut tx, &run, word).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    pub(crate) async fn say_in(&self, tx: &mut Tx, run: &Run, word: &Word) -> Result<(), StoreError> {
        let (repairs, returns) = match word.counts {
            Counts::Nothing => (0, 0),
            Counts::Repair => (1, 0),
            Counts::Return => (0, 1),
        };
        on!(tx, c => sqlx::query("UPDATE runs SET repairs = repairs + $2, returns = returns + $3 WHERE id = $1").bind(run.id)
            .bind(repairs).bind(returns).execute(c).await.rows())?;
        let mut said = format!("<note>{}</note>", word.text);
        if !word.data.is_empty() {
            said.push_str(&format!("\n\n{}", word.data));
        }
        on!(tx, c => sqlx::query(
            "INSERT INTO run_messages (run_id, seq, member_id, text, said_at)
             SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4 FROM run_messages WHERE run_id = $1")
            .bind(run.id).bind(run.member_id).bind(crate::clean(&said)).bind(self.now()).execute(c).await.rows())?;
        self.record_run(tx, run, RunEvent::Note { text: crate::clean(&word.text) }).await
    }

    /// The run's work was verified and is on the default branch as `commit`: the card is completed and the run closed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Illegal`].
    pub async fn finish_merged(&self, lease: &Lease, commit: &str, summary: Option<&str>) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let mut feature = self.locked_feature(&mut tx, run.feature_id).await?;
        feature.card.status = self.move_feature(&mut tx, &feature, Move::Accept).await?;
        self.move_feature(&mut tx, &feature, Move::Merge).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, error = NULL, ended_at = $3, closed_at = $3, lease_owner = NULL, lease_until = NULL
             WHERE id = $1")
            .bind(run.id).bind(RunStatus::Closed).bind(now).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "UPDATE features SET error = NULL, summary = coalesce($3, summary), merge_commit = $4, finished_at = $2 WHERE id = $1")
            .bind(run.feature_id).bind(now).bind(summary.map(crate::clean)).bind(commit).execute(c).await.rows())?;
        let order = self.count_for_order(&mut tx, &run, Ok(())).await?;
        self.record_run(&mut tx, &run, RunEvent::Ended { status: RunStatus::Closed, problem: None }).await?;
        self.tell_orders(&mut tx, order.as_slice()).await?;
        let note = Note::new(AuditAction::Merge).on(AuditObject::Feature, run.feature_id).with("run", run.id);
        tx.note(note.with("commit", commit).with("by", "after work"));
        let text = "Its checks passed, and it was merged.";
        tx.tell(Tell::of_card(NotificationKind::CardVerified, &feature.card, &run, text));
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Gives a run back to the queue that makes room on a server which is short of something. Any node that has room may claim
    /// it at once.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn hold_run(&self, lease: &Lease, why: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
        self.give_back(&mut tx, &run, &feature, run.intent).await?;
        self.begin_span(&mut tx, run.id, SpanKind::Server).await?;
        self.record_run(&mut tx, &run, RunEvent::Note { text: why.to_owned() }).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Since when the provider of a run has answered none of its calls, if it waited for that when it was last put off, and that was
    /// lately: of what came after, a machine that slept or a long queue knows nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn out_since(&self, run: RunId) -> Result<Option<DateTime>, StoreError> {
        let row: Option<(Option<DateTime>, DateTime)> = read!(self, c => sqlx::query_as("SELECT out_since, queued_at FROM runs WHERE id = $1")
            .bind(run).fetch_optional(c).await)?;
        Ok(row.and_then(|(since, put_off)| since.filter(|_| self.now() - put_off < LATELY)))
    }

    /// Gives a run back to the queue that no node is to claim before `until`: with a reason one that has to wait for its
    /// provider, or for what `awaits` says, or without a reason one that rests until auto mode's window opens.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn park_run(
        &self,
        lease: &Lease,
        until: DateTime,
        reason: Option<&str>,
        awaits: Option<Awaits>,
    ) -> Result<(), StoreError> {
        self.put_off(lease, until, reason, awaits, None).await
    }

    /// The same with one whose provider has answered none of its calls since `since`: whoever takes it up next is told.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn park_in_outage(
        &self,
        lease: &Lease,
        until: DateTime,
        reason: &str,
        since: DateTime,
    ) -> Result<(), StoreError> {
        self.put_off(lease, until, Some(reason), None, Some(since)).await
    }

    async fn put_off(
        &self,
        lease: &Lease,
        until: DateTime,
        reason: Option<&str>,
        awaits: Option<Awaits>,
        out_since: Option<DateTime>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
        self.give_back(&mut tx, &run, &feature, run.intent).await?;
        let reason = reason.map(crate::clean);
        self.begin_span(&mut tx, run.id, SpanKind::of_rest(awaits, reason.is_some())).await?;
        on!(tx, c => sqlx::query("UPDATE runs SET parked_until = $2, parked_reason = $3, parked_for = $4, out_since = $5 WHERE id = $1")
            .bind(run.id).bind(until).bind(reason.as_deref()).bind(awaits).bind(out_since).execute(c).await.rows())?;
        let reason = reason.unwrap_or_else(|| RESTS.to_owned());
        let kind = NotificationKind::BudgetReached;
        match awaits {
            Some(Awaits::RunBudget) if feature.card.kind == FeatureKind::Card => {
                tx.tell(Tell::of_card(kind, &feature.card, &run, &reason))
            }
            // A chat is looked at by whoever talks; of what works by itself nobody would know.
            Some(Awaits::RunBudget) if feature.card.kind == FeatureKind::Task => {
                let tell =
                    Tell::new(kind, run.member_id, &feature.card.title, &reason).project(feature.card.project_id);
                let execution = self.execution_in(&mut tx, feature.card.id).await?;
                tx.tell(Tell { feature: Some(feature.card.id), run: Some(run.id), execution, ..tell });
            }
            Some(Awaits::MonthBudget) => self.tell_of_month(&mut tx, run.member_id, &reason).await?,
            Some(Awaits::RunBudget | Awaits::Dependencies | Awaits::Server) | None => {}
        }
        self.record_run(&mut tx, &run, RunEvent::Waiting { reason, until }).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }
}
