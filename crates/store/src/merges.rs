//! Verified work that is to be merged by itself when what it is built on is merged.

use chrono::Duration;
use guildhall_types::feature::{FeatureStatus, Move};
use guildhall_types::project::AfterWork;
use guildhall_types::run::{RunEvent, RunIntent, RunStatus};
use guildhall_types::{DateTime, FeatureId, MemberId, RunId};

use crate::{Backend, Rows, Store, StoreError, on, read};

/// Such work that is found at once.
const AT_ONCE: usize = 100;

/// How long a merge by hand keeps such work from being taken up, if nobody says what came of it: longer than git takes,
/// and than the clocks of two servers differ. Were it taken up in the middle all the same, its checks would be in vain.
const IN_HAND: Duration = Duration::minutes(10);

/// What a run that is taken up tells.
const TAKEN_UP: &str = "What it is built on is merged now. Its work is checked together with that, and merged.";

/// Verified work that nothing keeps from being merged any more.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DueMerge {
    /// The card.
    #[sqlx(rename = "feature_id")]
    pub feature: FeatureId,
    /// Its run.
    #[sqlx(rename = "id")]
    pub run: RunId,
    /// Whose run it is.
    #[sqlx(rename = "member_id")]
    pub member: MemberId,
    /// The model of its agent.
    pub model: String,
}

/// Work that is to be merged by itself, and that somebody merges by hand now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InHand {
    run: RunId,
    attempt: i64,
    until: DateTime,
    /// Until when another one had it in hand.
    former: Option<DateTime>,
}

impl Store {
    /// Verified work that was to be merged by itself when what it is built on is, where that is so now, and where the project
    /// still merges by itself: the oldest, but none of the cards in `passed`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_merges(&self, passed: &[FeatureId]) -> Result<Vec<DueMerge>, StoreError> {
        let held = match self.backend() {
            Backend::Sqlite => {
                "json_each(r.holds) h LEFT JOIN features b ON b.id = unhex(replace(h.value ->> 'featureId', '-', ''))"
            }
            Backend::Postgres => {
                "jsonb_array_elements(r.holds) h (value) LEFT JOIN features b ON b.id = (h.value ->> 'featureId')::uuid"
            }
        };
        let sql = format!(
            "SELECT r.feature_id, r.id, r.member_id, r.model
             FROM runs r JOIN features f ON f.run_id = r.id JOIN projects p ON p.id = r.project_id
             WHERE r.merge_later AND r.status = 'waiting' AND f.status = 'verified' AND f.deleted_at IS NULL
               AND p.status = 'ready' AND p.archived_at IS NULL AND p.settings ->> 'afterWork' = $1
               AND (r.merge_in_hand_until IS NULL OR r.merge_in_hand_until <= $4)
               AND NOT EXISTS (SELECT 1 FROM {held} WHERE b.status IS NULL OR b.status <> $2)
             ORDER BY r.ended_at, r.id LIMIT $3"
        );
        let most = i64::try_from(AT_ONCE + passed.len()).unwrap_or(i64::MAX);
        let mut due: Vec<DueMerge> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(AfterWork::Merge)
            .bind(FeatureStatus::Completed).bind(most).bind(self.now()).fetch_all(c).await)?;
        due.retain(|due| !passed.contains(&due.feature));
        Ok(due)
    }

    /// Keeps a card's verified work from being taken up while somebody merges it by hand: for a while, so that a merge
    /// which is cut off takes nothing from it. Nothing where it is not to be merged by itself.
    ///
    /// # Errors
    /// [`StoreError::Illegal`] when the card is not to be merged, or no longer; [`StoreError::NotFound`].
    pub async fn take_merge_in_hand(&self, id: FeatureId) -> Result<Option<InHand>, StoreError> {
        let mut tx = self.begin().await?;
        let (feature, run) = self.locked_with_run(&mut tx, id).await?;
        feature.card.after(Move::Merge)?;
        let later: Option<(Option<DateTime>,)> = on!(tx, c => sqlx::query_as(
            "SELECT merge_in_hand_until FROM runs WHERE id = $1 AND merge_later")
            .bind(run.id).fetch_optional(c).await)?;
        let Some((former,)) = later else { return Ok(None) };
        // Later than that of whoever has it in hand: it says whose it is.
        let after = former.map_or(DateTime::UNIX_EPOCH, |at| at + Duration::milliseconds(1));
        let until = (self.now() + IN_HAND).max(after);
        on!(tx, c => sqlx::query("UPDATE runs SET merge_in_hand_until = $2 WHERE id = $1").bind(run.id).bind(until)
            .execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(Some(InHand { run: run.id, attempt: run.attempt, until, former }))
    }

    /// Lets it be taken up again, unless another one has it in hand since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave_merge(&self, hand: InHand) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE runs SET merge_in_hand_until = $3 WHERE id = $1 AND merge_in_hand_until = $2")
            .bind(hand.run).bind(hand.until).bind(hand.former).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Has it no longer be merged by itself, unless it went on since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn merge_no_later(&self, hand: InHand) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("UPDATE runs SET merge_later = FALSE WHERE id = $1 AND attempt = $2 AND status = $3")
            .bind(hand.run).bind(hand.attempt).bind(RunStatus::Waiting).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Puts such work in the queue: its checks run on it together with the branch as it is, and it is merged. It no longer belongs
    /// to auto mode, since a person's merge has let it go on. False when somebody else has taken it in hand, or up.
    ///
    /// # Errors
    /// When the database fails; [`StoreError::Refused`] when its member may run nothing any more; [`StoreError::Archived`].
    pub async fn take_up_merge(&self, due: &DueMerge) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.runner(&mut tx, due.member).await?;
        let Some(former) = self.run_in(&mut tx, due.run).await? else { return Ok(false) };
        let done = on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, intent = $3, queued_at = $4, ended_at = NULL, auto = FALSE, merge_later = FALSE
             WHERE id = $1 AND status = $5 AND merge_later AND member_id = $6
               AND (merge_in_hand_until IS NULL OR merge_in_hand_until <= $4)")
            .bind(due.run).bind(RunStatus::Queued).bind(RunIntent::Work).bind(self.now()).bind(RunStatus::Waiting)
            .bind(due.member).execute(c).await.rows())?;
        let feature = self.locked_feature(&mut tx, due.feature).await?;
        self.held_project(&mut tx, former.project_id).await?;
        if done != 1 || feature.card.run_id != Some(due.run) || feature.card.status != FeatureStatus::Verified {
            return Ok(false);
        }
        self.end_span(&mut tx, due.run, former.ended_at.unwrap_or_else(|| self.now())).await?;
        self.move_feature(&mut tx, &feature, Move::TakeUp).await?;
        on!(tx, c => sqlx::query("UPDATE features SET finished_at = NULL WHERE id = $1").bind(due.feature).execute(c).await
            .rows())?;
        self.record_run(&mut tx, &former, RunEvent::Note { text: TAKEN_UP.to_owned() }).await?;
        self.tell_both(tx, due.feature, due.run).await?;
        Ok(true)
    }
}
