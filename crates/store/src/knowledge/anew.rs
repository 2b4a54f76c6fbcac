//! The index made anew out of the items, where rows came from elsewhere. The words and their counts came with them.

use super::{Row, WHOLE, index, write};
use crate::{Backend, Rows, Store, StoreError, Tx, on};

/// Items that are read at once.
const AT_ONCE: i64 = 100;

impl Store {
    /// Makes the index of the hub anew, in a transaction of its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reindex_knowledge(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.next_places(&mut tx, 0, 0).await?;
        self.index_knowledge_anew(&mut tx).await?;
        self.commit(tx).await
    }

    pub(crate) async fn index_knowledge_anew(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let empty = match self.backend() {
            Backend::Sqlite => "INSERT INTO knowledge_index (knowledge_index) VALUES ('delete-all')",
            Backend::Postgres => "DELETE FROM knowledge_index",
        };
        on!(tx, c => sqlx::query(empty).execute(c).await.rows())?;
        let sql = format!(
            "SELECT {WHOLE} FROM knowledge_items WHERE deleted_at IS NULL AND place > $1 ORDER BY place LIMIT {AT_ONCE}"
        );
        let mut last = 0;
        loop {
            let rows: Vec<Row> =
                on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql.clone())).bind(last).fetch_all(c).await)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                last = row.place;
                let indexed = write::indexed_of(&row.item());
                self.put_terms(tx, &[index::Standing { place: last, indexed: &indexed }]).await?;
            }
        }
    }
}
