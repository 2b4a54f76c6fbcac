//! What came of using a learning: once for each run, or for each member who used it without one. The counters of the item
//! follow from these rows, and change with them. Each row says which version was used, so that only what came of the present
//! text proves it; what the run says that recorded it counts nowhere.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::knowledge::{
    Author, KnowledgeApplication, KnowledgeDeed, KnowledgeItem, KnowledgeReview, KnowledgeRule, LearningOutcome,
};
use guildhall_types::{KnowledgeId, RunId};

use crate::{Rows, Store, StoreError, Tx, on, read};

/// That a use `a` was not of the run that recorded the learning.
const OF_OTHERS: &str = "(a.run_id IS NULL OR a.run_id IS DISTINCT FROM knowledge_items.source_run_id)";
/// Applications that are shown at most.
const LISTED: i64 = 200;

/// What was told of a learning's use, and the learning after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The learning.
    pub item: KnowledgeItem,
    /// What is known of this use.
    pub application: KnowledgeApplication,
    /// Whether the learning became accepted by it, under the team's rule.
    pub proven: bool,
}

impl Store {
    /// Tells that a learning was used, and what came of it. Told again by the same run, or by the same member without one, it
    /// says the same once; that nothing is known does not take back what was known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also for a deleted one.
    pub async fn apply_knowledge(
        &self,
        id: KnowledgeId,
        outcome: LearningOutcome,
        remark: Option<&str>,
        author: &Author,
        rule: &KnowledgeRule,
    ) -> Result<Applied, StoreError> {
        let mut tx = self.begin().await?;
        self.next_places(&mut tx, 0, 0).await?;
        let (item, place) = self.knowledge_in(&mut tx, id).await?;
        if item.common.deleted_at.is_some() {
            return Err(StoreError::NotFound { what: "item" });
        }
        let by = author.run().map_or(author.member.0, |run| run.0);
        let application: KnowledgeApplication = on!(tx, c => sqlx::query_as(
            "INSERT INTO knowledge_applications (item_id, by_id, run_id, member_id, outcome, note, at, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce(
               (SELECT max(version) FROM run_knowledge WHERE run_id = $3 AND item_id = $1 AND way <> 'offered'), $8))
             ON CONFLICT (item_id, by_id) DO UPDATE SET
               outcome = CASE WHEN excluded.outcome = 'unknown' THEN knowledge_applications.outcome ELSE excluded.outcome END,
               version = CASE WHEN excluded.outcome = 'unknown' THEN knowledge_applications.version ELSE excluded.version END,
               note = coalesce(excluded.note, knowledge_applications.note), at = excluded.at
             RETURNING item_id, run_id, member_id, outcome, note, at")
            .bind(id).bind(by).bind(author.run()).bind(author.member).bind(outcome).bind(remark.map(crate::clean))
            .bind(self.now()).bind(item.common.version).fetch_one(c).await)?;
        let count = |of: &str| {
            format!("(SELECT count(*) FROM knowledge_applications a WHERE a.item_id = $1 AND {OF_OTHERS} AND {of})")
        };
        let (all, helped, not) = (count("1 = 1"), count("a.outcome = 'helped'"), count("a.outcome = 'did-not-help'"));
        let sql = format!(
            "UPDATE knowledge_items SET application_count = {all}, success_count = {helped}, failure_count = {not} WHERE id = $1"
        );
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).execute(c).await.rows())?;
        self.copy_uses(&mut tx, place).await?;
        let proven = item.standing.review == KnowledgeReview::Proposed && self.is_proven(&mut tx, &item, rule).await?;
        let item = match proven {
            true => self.prove_knowledge(&mut tx, id, author).await?,
            false => {
                let (item, _) = self.knowledge_in(&mut tx, id).await?;
                self.record_knowledge(&mut tx, &item, KnowledgeDeed::Applied, author.member, author.origin()).await?;
                item
            }
        };
        let note = Note::new(AuditAction::ApplyKnowledge).on(AuditObject::Knowledge, id);
        let note = note.with("outcome", application.outcome).with("origin", author.origin());
        tx.note(if proven { note.with("proven", true) } else { note });
        self.commit(tx).await?;
        Ok(Applied { item, application, proven })
    }

    /// Whether a learning has proven itself as it is now: in runs other than the one that recorded it, by the present text.
    async fn is_proven(&self, tx: &mut Tx, item: &KnowledgeItem, rule: &KnowledgeRule) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT count(CASE WHEN outcome = 'helped' THEN 1 END), count(CASE WHEN outcome = 'did-not-help' THEN 1 END),
               count(DISTINCT CASE WHEN outcome = 'helped' THEN a.member_id END)
             FROM knowledge_applications a JOIN knowledge_items ON knowledge_items.id = a.item_id
             WHERE a.item_id = $1 AND a.run_id IS NOT NULL AND {OF_OTHERS} AND a.version >= knowledge_items.text_version"
        );
        let counted: (i64, i64, i64) =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(item.id()).fetch_one(c).await)?;
        let (helped, failed, members) = counted;
        Ok(rule.proves(helped, failed, members))
    }

    /// By whom a learning was used, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_applications(&self, id: KnowledgeId) -> Result<Vec<KnowledgeApplication>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT item_id, run_id, member_id, outcome, note, at FROM knowledge_applications WHERE item_id = $1
             ORDER BY at DESC, by_id DESC LIMIT $2").bind(id).bind(LISTED).fetch_all(c).await)?)
    }

    /// What a run used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn applications_of_run(&self, run: RunId) -> Result<Vec<KnowledgeApplication>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT item_id, run_id, member_id, outcome, note, at FROM knowledge_applications WHERE run_id = $1
             ORDER BY at, item_id LIMIT $2").bind(run).bind(LISTED).fetch_all(c).await)?)
    }
}
