//! Erasing for good: of an item, or of former texts of one, nothing is left in these tables and indexes. What runs were told of
//! it stays with those runs, as do titles in the audit.

use guildhall_types::KnowledgeId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::knowledge::words::grams;
use guildhall_types::knowledge::{Author, KnowledgeDeed, KnowledgeDraft, KnowledgeItem};
use sqlx::types::Json;

use super::index::Standing;
use super::write::indexed_of;
use crate::{Backend, Rows, Store, StoreError, Tx, on};

/// What is said of an erased item in place of its title.
pub(super) const NO_TITLE: &str = "(erased)";
/// Words that are forgotten at once.
const AT_ONCE: usize = 1_000;

impl Store {
    /// Erases an item for good, deleted or not. Its bare row is left, because runs name it; nobody finds it any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also for one that was erased.
    pub async fn erase_knowledge(&self, id: KnowledgeId, author: &Author) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.write_over().await?;
        self.erase_all_of(&mut tx, id, author).await?;
        self.commit(tx).await?;
        self.finish_now(id).await;
        Ok(())
    }

    async fn erase_all_of(&self, tx: &mut Tx, id: KnowledgeId, author: &Author) -> Result<(), StoreError> {
        self.next_places(tx, 0, 0).await?;
        let (item, place) = self.knowledge_in(tx, id).await?;
        if item.common.deleted_at.is_none() {
            self.next_places(tx, 0, -1).await?;
            let before = indexed_of(&item);
            self.reindex(tx, &[Standing { place, indexed: &before }], &[]).await?;
        }
        for sql in [
            "DELETE FROM knowledge_relations WHERE item_id = $1 OR related_id = $1",
            "DELETE FROM knowledge_applications WHERE item_id = $1",
            "DELETE FROM knowledge_versions WHERE item_id = $1",
        ] {
            on!(tx, c => sqlx::query(sql).bind(id).execute(c).await.rows())?;
        }
        let bare = KnowledgeDraft::bare(item.kind(), String::new(), String::new());
        on!(tx, c => sqlx::query(
            "UPDATE knowledge_items SET title = '', tags = $2, reject_reason = NULL, verified_by = NULL, verified_at = NULL,
               application_count = 0, success_count = 0, failure_count = 0, deleted_at = coalesce(deleted_at, $3),
               erased_at = $3, description = '', profile = $4, related = $5, details = $6, content = '' WHERE id = $1")
            .bind(id).bind(Json(&bare.tags)).bind(self.now()).bind(Vec::<u8>::new()).bind(Json(&bare.related))
            .bind(Json(&bare.details)).execute(c).await.rows())?;
        self.forget_words(tx).await?;
        self.begin_finishing(tx, id).await?;
        self.tell_erased(tx, &item, KnowledgeDeed::Erased, author).await?;
        tx.note(Note::new(AuditAction::EraseKnowledge).on(AuditObject::Knowledge, id).with("kind", item.kind()));
        Ok(())
    }

    /// Erases former texts of an item for good: who made these versions, and when, stays. Its present text stays, too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also when one of the versions is none, or the present one.
    pub async fn erase_versions(&self, id: KnowledgeId, versions: &[i64], author: &Author) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.write_over().await?;
        self.erase_texts_of(&mut tx, id, versions, author).await?;
        self.commit(tx).await?;
        self.finish_now(id).await;
        Ok(())
    }

    async fn erase_texts_of(
        &self,
        tx: &mut Tx,
        id: KnowledgeId,
        versions: &[i64],
        author: &Author,
    ) -> Result<(), StoreError> {
        self.next_places(tx, 0, 0).await?;
        let (item, _) = self.knowledge_in(tx, id).await?;
        for version in versions {
            let done = on!(tx, c => sqlx::query(
                "UPDATE knowledge_versions SET draft = $4, why = NULL, erased_at = coalesce(erased_at, $5)
                 WHERE item_id = $1 AND version = $2 AND version < $3")
                .bind(id).bind(version).bind(item.common.version).bind(Json(serde_json::json!({}))).bind(self.now())
                .execute(c).await.rows())?;
            if done != 1 {
                return Err(StoreError::NotFound { what: "version" });
            }
        }
        self.forget_words(tx).await?;
        self.begin_finishing(tx, id).await?;
        self.tell_erased(tx, &item, KnowledgeDeed::Forgotten, author).await?;
        let note = Note::new(AuditAction::EraseKnowledge).on(AuditObject::Knowledge, id).with("kind", item.kind());
        let numbers: Vec<String> = versions.iter().map(i64::to_string).collect();
        tx.note(note.with("versions", numbers.join(", ")));
        Ok(())
    }

    async fn tell_erased(
        &self,
        tx: &mut Tx,
        item: &KnowledgeItem,
        deed: KnowledgeDeed,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut change = item.change(deed, author.member, author.origin());
        change.title = NO_TITLE.to_owned();
        self.record(tx, &Happening::knowledge(change)).await
    }

    /// Forgets the words that no item holds any more. They are otherwise kept, for whoever writes them again.
    async fn forget_words(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let gone: Vec<(String,)> = on!(tx, c => sqlx::query_as("DELETE FROM knowledge_words WHERE docs <= 0 RETURNING word").fetch_all(c).await)?;
        let each = match self.backend() {
            Backend::Sqlite => "SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)",
            Backend::Postgres => {
                "SELECT value ->> 0, (value ->> 1)::bigint, value ->> 2 FROM jsonb_array_elements($1::jsonb) AS value"
            }
        };
        for words in gone.chunks(AT_ONCE) {
            let of: Vec<(String, usize, &str)> = words
                .iter()
                .flat_map(|(word,)| {
                    let letters = word.chars().count();
                    grams(word).into_iter().map(move |gram| (gram, letters, word.as_str()))
                })
                .collect();
            let sql = format!("DELETE FROM knowledge_grams WHERE (gram, letters, word) IN ({each})");
            on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(serde_json::to_string(&of)?).execute(c).await.rows())?;
        }
        Ok(())
    }
}
