//! Walking through the whole hub, in an order that no change alters.

use guildhall_types::KnowledgeId;
use guildhall_types::knowledge::KnowledgeItem;
use guildhall_types::knowledge::index::{Mark, marks};
use uuid::Uuid;

use super::{KnowledgeFilter, Row, WHOLE};
use crate::{Store, StoreError, read};

impl KnowledgeFilter {
    /// Whether an item passes, as the index would say.
    fn passes(&self, item: &KnowledgeItem) -> bool {
        if self.since.is_some_and(|since| item.common.updated_at < since) {
            return false;
        }
        if self.author.is_some_and(|author| author != item.common.created_by) {
            return false;
        }
        let wanted = self.marks();
        if wanted.is_empty() {
            return true;
        }
        let draft = item.draft();
        let has: Vec<String> = marks(&draft, item.standing.review, item.common.origin).iter().map(Mark::term).collect();
        wanted.iter().all(|mark| has.contains(mark))
    }
}

impl Store {
    /// Looks at the next `limit` items in the order of their ids, and returns those that pass a filter, whole; also where to go on,
    /// if there may be more. Lists go by the latest change, and what changes while one reads on is on none of their later pages;
    /// a walk comes to every item that is there from its beginning to its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_walk(
        &self,
        filter: &KnowledgeFilter,
        after: Option<KnowledgeId>,
        limit: i64,
    ) -> Result<(Vec<KnowledgeItem>, Option<KnowledgeId>), StoreError> {
        let sql = format!(
            "SELECT {WHOLE} FROM knowledge_items WHERE id > $1 AND deleted_at IS NULL AND ($2 = '' OR kind = $2)
             ORDER BY id LIMIT $3"
        );
        let kind = filter.kind.map_or("", |kind| kind.as_str());
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(after.unwrap_or(KnowledgeId(Uuid::nil()))).bind(kind).bind(limit).fetch_all(c).await)?;
        let next = rows.last().filter(|_| rows.len() as i64 == limit).map(|row| row.id);
        Ok((rows.into_iter().map(Row::item).filter(|item| filter.passes(item)).collect(), next))
    }
}
