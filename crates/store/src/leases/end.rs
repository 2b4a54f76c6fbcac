//! How a node lets go of a run.

use guildhall_types::feature::{Feature, FeatureKind, Move, Problem, Stage};
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::run::{Run, RunEvent, RunIntent, RunStatus};
use sqlx::types::Json;

use super::{Ending, Finished, Lease};
use crate::{Rows, Store, StoreError, Tx, on};

impl Store {
    /// Ends a run, or lets it wait for a person to look at its plan, and moves its card; unless a member said something
    /// in the last moment: then it goes on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Illegal`].
    pub async fn finish_run(&self, lease: &Lease, ending: Ending) -> Result<Finished, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
        let (unread,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM run_messages WHERE run_id = $1 AND read_by_turn IS NULL").bind(run.id).fetch_one(c).await)?;
        if unread > 0 && ending.status == RunStatus::Waiting {
            self.give_back(&mut tx, &run, &feature, RunIntent::Work).await?;
            self.tell_both(tx, run.feature_id, run.id).await?;
            return Ok(Finished::GoesOn);
        }
        self.move_feature(&mut tx, &feature, ending.what).await?;
        // Whoever talks with an agent sees its answer, and a system is told of its steps.
        if feature.card.kind == FeatureKind::Card
            && let Some((kind, text)) = news(&ending)
        {
            tx.tell(Tell::of_card(kind, &feature.card, &run, text));
        }
        // Before any event is written: the order comes before the counter of those, as with whoever stops or switches it.
        let order = match ending.what {
            Move::Propose => None,
            _ => self.count_for_order(&mut tx, &run, ending.problem.clone().map_or(Ok(()), Err)).await?,
        };
        if ending.what == Move::Finish
            && let Some(problem) = &ending.problem
        {
            self.stop_steps(&mut tx, &run, &problem.message).await?;
        }
        self.let_go(&mut tx, lease).await?;
        let problem = ending.problem.map(|problem| Problem {
            code: problem.code,
            message: crate::clean(&problem.message),
            hint: crate::clean(&problem.hint),
        });
        if let Some(text) = &ending.later {
            self.record_run(&mut tx, &run, RunEvent::Note { text: crate::clean(text) }).await?;
        }
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, error = $3, ended_at = $4, merge_later = $5, lease_owner = NULL, lease_until = NULL
             WHERE id = $1")
            .bind(run.id).bind(ending.status).bind(problem.as_ref().map(Json)).bind(now).bind(ending.later.is_some()).execute(c)
            .await.rows())?;
        on!(tx, c => sqlx::query(
            "UPDATE features SET error = $2, summary = coalesce($3, summary), finished_at = $4 WHERE id = $1")
            .bind(run.feature_id).bind(problem.as_ref().map(Json)).bind(ending.summary.as_deref().map(crate::clean)).bind(now)
            .execute(c).await.rows())?;
        if ending.what == Move::Propose {
            on!(tx, c => sqlx::query("UPDATE features SET stage = $2 WHERE id = $1").bind(run.feature_id)
                .bind(Stage::PlanApproval).execute(c).await.rows())?;
        } else {
            self.record_run(&mut tx, &run, RunEvent::Ended { status: ending.status, problem }).await?;
            self.tell_orders(&mut tx, order.as_slice()).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await?;
        Ok(Finished::Ended)
    }

    /// Gives a run back to the queue, for another node or a later start.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn requeue_run(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
        self.give_back(&mut tx, &run, &feature, run.intent).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    pub(crate) async fn give_back(
        &self,
        tx: &mut Tx,
        run: &Run,
        feature: &Feature,
        intent: RunIntent,
    ) -> Result<(), StoreError> {
        self.end_span(tx, run.id, self.now()).await?;
        self.move_feature(tx, feature, Move::Requeue).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, intent = $3, merge_later = FALSE, lease_owner = NULL, lease_until = NULL, queued_at = $4
             WHERE id = $1")
            .bind(run.id).bind(RunStatus::Queued).bind(intent).bind(self.now()).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("DELETE FROM reservations WHERE run_id = $1 AND attempt = $2").bind(run.id).bind(run.attempt)
            .execute(c).await.rows())?;
        Ok(())
    }
}

/// What an ending tells the members whose card it is. Of a stop they know.
fn news(ending: &Ending) -> Option<(NotificationKind, String)> {
    let (kind, usual) = match ending.what {
        Move::Finish => (NotificationKind::CardWaits, "The agent is done. Look at the changes, then verify or merge."),
        Move::Accept => (NotificationKind::CardVerified, "Its checks passed. It is ready to be merged."),
        Move::Fail => (NotificationKind::CardFailed, "The run ended in an error."),
        Move::Propose => (NotificationKind::PlanReady, "No file is changed before somebody approves it."),
        _ => return None,
    };
    let text = match &ending.problem {
        Some(problem) => problem.text(),
        None => usual.to_owned(),
    };
    Some((kind, text))
}
