//! Attachments: images and text files on cards, in chats, and from the tools of runs.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::feature::{Attachment, FeatureKind};
use guildhall_types::run::{Said, SaidFile};
use guildhall_types::{AttachmentId, FeatureId, MemberId, RunId};

use crate::{Lease, Rows, Store, StoreError, Tx, on, read};

const COLUMNS: &str = "id, feature_id, name, media_type, size, created_at, created_by";
/// What holds of a file whose card, chat or task is there.
const THERE: &str = "feature_id IN (SELECT id FROM features WHERE deleted_at IS NULL)";
/// Images that the tools of a run may leave with it.
const IMAGES_OF_RUN: i64 = 300;
/// Bytes of them.
const BYTES_OF_RUN: i64 = 200 * 1024 * 1024;

#[derive(sqlx::FromRow)]
struct WithBytes {
    #[sqlx(flatten)]
    attachment: Attachment,
    bytes: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct OfMessage {
    message: i64,
    #[sqlx(flatten)]
    file: WithBytes,
}

/// A file to be kept.
#[derive(Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its name.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for NewFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewFile").field("name", &self.name).field("size", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// What was done to a file, as the audit tells it.
fn note(action: AuditAction, file: &Attachment) -> Note {
    let note = Note::new(action).on(AuditObject::Feature, file.feature_id);
    note.with("file", file.id).with("name", &file.name).with("size", file.size)
}

impl Store {
    /// Puts a file of a member's on a card.
    ///
    /// # Errors
    /// When the card is gone or the database fails.
    pub async fn add_attachment(
        &self,
        feature: FeatureId,
        by: MemberId,
        file: &NewFile,
    ) -> Result<Attachment, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_of_kind(&mut tx, feature, FeatureKind::Card).await?;
        let sql = format!(
            "INSERT INTO attachments (id, feature_id, name, media_type, size, bytes, created_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"
        );
        let saved: Attachment = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(AttachmentId::new()).bind(feature).bind(crate::clean(&file.name)).bind(&file.media_type)
            .bind(file.bytes.len() as i64).bind(file.bytes.as_slice()).bind(self.now()).bind(by).fetch_one(c).await)?;
        tx.note(note(AuditAction::AttachFile, &saved));
        self.tell_feature(&mut tx, feature).await?;
        self.commit(tx).await?;
        Ok(saved)
    }

    /// Keeps files of a card or a chat: of its run, where one is named, and with which message they came.
    pub(crate) async fn keep_files(
        &self,
        tx: &mut Tx,
        feature: FeatureId,
        of: Option<(RunId, Option<i64>)>,
        files: &[NewFile],
    ) -> Result<Vec<Attachment>, StoreError> {
        let (run, message) = (of.map(|(run, _)| run), of.and_then(|(_, message)| message));
        let sql = format!(
            "INSERT INTO attachments (id, feature_id, name, media_type, size, bytes, created_at, run_id, message)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {COLUMNS}"
        );
        let mut kept = Vec::with_capacity(files.len());
        for file in files {
            let saved: Attachment = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql.clone()))
                .bind(AttachmentId::new()).bind(feature).bind(crate::clean(&file.name)).bind(&file.media_type)
                .bind(file.bytes.len() as i64).bind(file.bytes.as_slice()).bind(self.now()).bind(run).bind(message)
                .fetch_one(c).await)?;
            kept.push(saved);
        }
        Ok(kept)
    }

    /// Keeps an image that a tool of a run returned; nothing when the run has its fill of them.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn keep_image(&self, lease: &Lease, image: NewFile) -> Result<Option<Attachment>, StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        let (count, bytes): (i64, i64) = on!(tx, c => sqlx::query_as(
            "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM attachments
             WHERE run_id = $1 AND message IS NULL").bind(run.id).fetch_one(c).await)?;
        if count >= IMAGES_OF_RUN || bytes + image.bytes.len() as i64 > BYTES_OF_RUN {
            return Ok(None);
        }
        let kept = self.keep_files(&mut tx, run.feature_id, Some((run.id, None)), &[image]).await?.pop();
        self.commit(tx).await?;
        Ok(kept)
    }

    /// The files on a card, or those that a chat began with, in the order they came.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachments(&self, feature: FeatureId) -> Result<Vec<Attachment>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM attachments WHERE feature_id = $1 AND run_id IS NULL ORDER BY id LIMIT 200");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(feature).fetch_all(c).await)?)
    }

    /// All files that members sent: those of [`attachments`](Self::attachments), and those that came with later messages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sent_files(&self, feature: FeatureId) -> Result<Vec<Attachment>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM attachments WHERE feature_id = $1 AND (run_id IS NULL OR message IS NOT NULL)
             ORDER BY id LIMIT 200"
        );
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(feature).fetch_all(c).await)?)
    }

    /// The files on a card, or those that a chat began with, with their bytes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attached(&self, feature: FeatureId) -> Result<Vec<SaidFile>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, bytes FROM attachments WHERE feature_id = $1 AND run_id IS NULL ORDER BY id LIMIT 200"
        );
        let rows: Vec<WithBytes> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(feature).fetch_all(c).await)?;
        Ok(rows.into_iter().map(WithBytes::said).collect())
    }

    /// How many files members have sent in a chat.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_chat_files(&self, chat: FeatureId) -> Result<i64, StoreError> {
        let (count,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM attachments WHERE feature_id = $1 AND (run_id IS NULL OR message IS NOT NULL)")
            .bind(chat).fetch_one(c).await)?;
        Ok(count)
    }

    /// Reads the files that came with what was said to a run.
    pub(crate) async fn with_files(&self, run: RunId, mut said: Vec<Said>) -> Result<Vec<Said>, StoreError> {
        let (Some(first), Some(last)) = (said.first(), said.last()) else { return Ok(said) };
        let (first, last) = (first.seq, last.seq);
        let sql = format!(
            "SELECT message, {COLUMNS}, bytes FROM attachments WHERE run_id = $1 AND message BETWEEN $2 AND $3 ORDER BY id"
        );
        let rows: Vec<OfMessage> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run).bind(first).bind(last)
            .fetch_all(c).await)?;
        for row in rows {
            if let Some(said) = said.iter_mut().find(|said| said.seq == row.message) {
                said.files.push(row.file.said());
            }
        }
        Ok(said)
    }

    /// One file with its bytes, unless what it belongs to was deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachment_bytes(&self, id: AttachmentId) -> Result<Option<(Attachment, Vec<u8>)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, bytes FROM attachments WHERE id = $1 AND {THERE}");
        let row: Option<WithBytes> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        Ok(row.map(|row| (row.attachment, row.bytes)))
    }

    /// A file without its bytes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM attachments WHERE id = $1 AND {THERE}");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// Takes a file off its card; false when there is none such. What was said in a chat, or said or returned in a run, stays
    /// with it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_attachment(&self, id: AttachmentId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("SELECT {COLUMNS} FROM attachments WHERE id = $1 AND run_id IS NULL AND {THERE}");
        let file: Option<Attachment> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let Some(file) = file else { return Ok(false) };
        match self.locked_of_kind(&mut tx, file.feature_id, FeatureKind::Card).await {
            Err(StoreError::NotFound { .. }) => return Ok(false),
            card => card?,
        };
        let done = on!(tx, c => sqlx::query("DELETE FROM attachments WHERE id = $1").bind(id).execute(c).await.rows())?;
        if done != 1 {
            return Ok(false);
        }
        tx.note(note(AuditAction::DetachFile, &file));
        self.tell_feature(&mut tx, file.feature_id).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}

impl WithBytes {
    fn said(self) -> SaidFile {
        SaidFile { attachment: self.attachment, bytes: self.bytes }
    }
}
