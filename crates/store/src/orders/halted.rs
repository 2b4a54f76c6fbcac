//! What was stopped with its order: who is told of it, and how it goes on.

use std::collections::BTreeMap;

use guildhall_types::audit::AuditAction;
use guildhall_types::auto::{AutoOrder, OrderState};
use guildhall_types::feature::{Feature, FeatureKind, FeatureStatus, Move, Problem};
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::run::{Run, RunStatus};
use guildhall_types::{FeatureId, MemberId, ProjectId, RunId};

use crate::{Rows, Store, StoreError, Tx, on};

/// Cards that one notification names at most.
const NAMED: usize = 5;

impl Store {
    /// Puts a run in the queue again that was stopped with its order, which keeps it: it goes on from its last saved turn. False
    /// when it is no longer to, because a member has taken it in hand; then the transaction is to be dropped.
    pub(super) async fn go_on(&self, tx: &mut Tx, id: FeatureId, run: RunId) -> Result<bool, StoreError> {
        let Some(former) = self.run_in(tx, run).await? else { return Ok(false) };
        self.held_project(tx, former.project_id).await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, queued_at = $3, ended_at = NULL, halted = FALSE, untold = TRUE, out_since = NULL
             WHERE id = $1 AND status = $4 AND halted")
            .bind(run).bind(RunStatus::Queued).bind(self.now()).bind(RunStatus::Stopped).execute(c).await.rows())?;
        let feature = self.locked_feature(tx, id).await?;
        if done != 1 || feature.card.run_id != Some(run) || feature.card.status != FeatureStatus::Paused {
            return Ok(false);
        }
        self.end_span(tx, run, former.ended_at.unwrap_or_else(|| self.now())).await?;
        self.move_feature(tx, &feature, Move::Retry).await?;
        on!(tx, c => sqlx::query("UPDATE features SET error = NULL, finished_at = NULL WHERE id = $1").bind(id).execute(c).await
            .rows())?;
        tx.note(crate::runs::note(AuditAction::RetryRun, id, run).with("autoModeOf", former.member_id));
        Ok(true)
    }

    /// Tells members which of their runs were stopped with everything else, unless the pause of their auto mode says so: with
    /// that, they go on.
    pub(super) async fn tell_of_killed(
        &self,
        tx: &mut Tx,
        runs: &[Run],
        cards: &[Feature],
        paused: &[AutoOrder],
        why: &Problem,
    ) -> Result<(), StoreError> {
        let mut killed: BTreeMap<(MemberId, ProjectId), Vec<String>> = BTreeMap::new();
        for (run, Feature { card, .. }) in runs.iter().zip(cards) {
            let of = |order: &AutoOrder| (order.member_id, order.project_id) == (run.member_id, run.project_id);
            // A chat shows it to whoever comes back to it, and a task belongs to a system.
            if card.kind == FeatureKind::Card && !(run.auto && paused.iter().any(of)) {
                let named = format!("#{} {}", card.number, card.title);
                killed.entry((run.member_id, run.project_id)).or_default().push(named);
            }
        }
        for ((member, project), cards) in killed {
            let more = match cards.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named = cards.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let text = format!("{} Of your cards: {named}{more}. When that is settled, retry them.", why.message);
            let name = self.project_name(tx, project).await?;
            tx.tell(Tell::new(NotificationKind::RunsStopped, member, name, text).project(project));
        }
        Ok(())
    }

    /// Why this order is off from now on, if somebody else than its member switches it off; the member is told.
    pub(super) async fn switched_off_by_other(
        &self,
        tx: &mut Tx,
        order: &AutoOrder,
    ) -> Result<Option<Problem>, StoreError> {
        let Some(by) = self.actor.member.filter(|by| *by != order.member_id) else { return Ok(None) };
        if order.state == OrderState::Off {
            return Ok(order.pause.clone());
        }
        let (by,): (String,) =
            on!(tx, c => sqlx::query_as("SELECT name FROM members WHERE id = $1").bind(by).fetch_one(c).await)?;
        let why = Problem {
            code: "switched-off".to_owned(),
            message: format!("{by} switched it off."),
            hint: "What was at work is finished. What rested goes on when you start auto mode again.".to_owned(),
        };
        let name = self.project_name(tx, order.project_id).await?;
        let text = format!("{} {}", why.message, why.hint);
        tx.tell(Tell::new(NotificationKind::AutoModePaused, order.member_id, name, text).project(order.project_id));
        Ok(Some(why))
    }

    pub(super) async fn project_name(&self, tx: &mut Tx, project: ProjectId) -> Result<String, StoreError> {
        let (name,): (String,) =
            on!(tx, c => sqlx::query_as("SELECT name FROM projects WHERE id = $1").bind(project).fetch_one(c).await)?;
        Ok(name)
    }
}
