//! Attachments: images and text files on cards.

use guildhall_types::feature::Attachment;
use guildhall_types::{AttachmentId, FeatureId};

use crate::{Rows, Store, StoreError, on, read};

const COLUMNS: &str = "id, feature_id, name, media_type, size, created_at";

#[derive(sqlx::FromRow)]
struct WithBytes {
    #[sqlx(flatten)]
    attachment: Attachment,
    bytes: Vec<u8>,
}

impl Store {
    /// Puts a file on a card.
    ///
    /// # Errors
    /// When the card is gone or the database fails.
    pub async fn add_attachment(
        &self,
        feature: FeatureId,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Attachment, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "INSERT INTO attachments (id, feature_id, name, media_type, size, bytes, created_at)
             SELECT $1, id, $3, $4, $5, $6, $7 FROM features WHERE id = $2 AND kind = 'card' AND deleted_at IS NULL RETURNING {COLUMNS}"
        );
        let saved = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(AttachmentId::new()).bind(feature).bind(crate::clean(name)).bind(media_type).bind(bytes.len() as i64)
            .bind(bytes).bind(self.now()).fetch_optional(c).await)?;
        self.commit(tx).await?;
        saved.ok_or(StoreError::NotFound { what: "feature" })
    }

    /// The files on a card, in the order they came.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachments(&self, feature: FeatureId) -> Result<Vec<Attachment>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM attachments WHERE feature_id = $1 ORDER BY id LIMIT 200");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(feature).fetch_all(c).await)?)
    }

    /// One file with its bytes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachment_bytes(&self, id: AttachmentId) -> Result<Option<(Attachment, Vec<u8>)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, bytes FROM attachments WHERE id = $1");
        let row: Option<WithBytes> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        Ok(row.map(|row| (row.attachment, row.bytes)))
    }

    /// Takes a file off its card; false when there is none such.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_attachment(&self, id: AttachmentId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query("DELETE FROM attachments WHERE id = $1").bind(id).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(done == 1)
    }
}
