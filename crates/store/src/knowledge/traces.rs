//! What is left elsewhere of what was erased: its titles in events, its words in the parts of SQLite's index, and the log of commits.
//! It takes longer than others can wait, so it is done piece by piece after the erasing, which notes that it is still to be done.

use guildhall_types::KnowledgeId;

use super::erase::NO_TITLE;
use crate::{Backend, Rows, Store, StoreError, Tx, on, read};

/// The setting that names the items of which something is still to be done, each as often as something of it was erased.
const UNDONE: &str = "knowledge_erased";
/// Pages of SQLite's index that are merged in one transaction: a fraction of a second. The sign has parts of any size be merged.
const PAGES: i64 = -256;
/// Events that are changed in one transaction.
const EVENTS: usize = 200;

impl Store {
    /// Does what is still to be done of all that was erased, such as by a server that died in the middle.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_erasing(&self) -> Result<(), StoreError> {
        match self.setting::<Vec<KnowledgeId>>(UNDONE).await?.filter(|undone| !undone.is_empty()) {
            Some(undone) => self.finish(undone).await,
            None => Ok(()),
        }
    }

    /// Notes that something is still to be done.
    pub(super) async fn begin_finishing(&self, tx: &mut Tx, id: KnowledgeId) -> Result<(), StoreError> {
        self.change_undone(tx, |undone| undone.push(id)).await
    }

    /// Does what is still to be done of an item that is erased by now. Where that fails, it stays noted, for the next
    /// clean-up.
    pub(super) async fn finish_now(&self, id: KnowledgeId) {
        if let Err(error) = self.finish(vec![id]).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what was erased is left in events or indexes still; it goes with the next clean-up"
            );
        }
    }

    /// Does what is still to be done of these items.
    async fn finish(&self, items: Vec<KnowledgeId>) -> Result<(), StoreError> {
        for id in &items {
            self.forget_titles(*id).await?;
        }
        self.merge_index().await?;
        if !self.db.fold().await? {
            tracing::warn!(
                "what was erased stands in the database's log still, because something reads in it; it goes with the next clean-up"
            );
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let done = |undone: &mut Vec<KnowledgeId>| {
            for id in &items {
                if let Some(at) = undone.iter().position(|undone| undone == id) {
                    undone.remove(at);
                }
            }
        };
        self.change_undone(&mut tx, done).await?;
        self.commit(tx).await
    }

    async fn change_undone(
        &self,
        tx: &mut Tx,
        change: impl FnOnce(&mut Vec<KnowledgeId>) + Send,
    ) -> Result<(), StoreError> {
        let former = self.locked_setting(tx, UNDONE).await?;
        let mut undone: Vec<KnowledgeId> = former.map(serde_json::from_value).transpose()?.unwrap_or_default();
        change(&mut undone);
        on!(tx, c => sqlx::query("UPDATE settings SET value = $2 WHERE name = $1").bind(UNDONE)
            .bind(sqlx::types::Json(&undone)).execute(c).await.rows())?;
        Ok(())
    }

    /// Takes the titles that an item had out of the events that told of it.
    async fn forget_titles(&self, id: KnowledgeId) -> Result<(), StoreError> {
        let told: Vec<(i64, String)> = read!(self, c => sqlx::query_as(
            "SELECT seq, what FROM events WHERE run_id IS NULL AND kind LIKE 'knowledge.%' AND what LIKE $1")
            .bind(format!("%{id}%")).fetch_all(c).await)?;
        let mut found = Vec::new();
        for (seq, what) in told {
            let mut what: serde_json::Value = serde_json::from_str(&what)?;
            if what["id"] == id.to_string() && what["title"] != NO_TITLE {
                what["title"] = NO_TITLE.into();
                found.push((seq, what.to_string()));
            }
        }
        for events in found.chunks(EVENTS) {
            let mut tx = self.begin_light().await?;
            tx.write_over().await?;
            for (seq, what) in events {
                on!(tx, c => sqlx::query("UPDATE events SET what = $2 WHERE seq = $1").bind(seq).bind(what)
                    .execute(c).await.rows())?;
            }
            self.commit(tx).await?;
        }
        Ok(())
    }

    /// SQLite's index only marks what was taken out of it, until its parts are merged.
    async fn merge_index(&self) -> Result<(), StoreError> {
        if self.backend() == Backend::Postgres {
            return Ok(());
        }
        loop {
            let mut tx = self.begin_light().await?;
            tx.write_over().await?;
            let went_on = self.merge_pages(&mut tx).await?;
            self.commit(tx).await?;
            if !went_on {
                return Ok(());
            }
        }
    }

    /// Merges some pages of the index. False when there was nothing to merge.
    async fn merge_pages(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        const CHANGES: &str = "SELECT total_changes()";
        let (before,): (i64,) = on!(tx, c => sqlx::query_as(CHANGES).fetch_one(c).await)?;
        on!(tx, c => sqlx::query("INSERT INTO knowledge_index (knowledge_index, rank) VALUES ('merge', $1)").bind(PAGES)
            .execute(c).await.rows())?;
        let (after,): (i64,) = on!(tx, c => sqlx::query_as(CHANGES).fetch_one(c).await)?;
        // The statement itself is one.
        Ok(after - before > 1)
    }
}
