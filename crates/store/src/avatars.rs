//! Pictures of members.

use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};

use crate::{Rows, Store, StoreError, on, read};

/// A picture of a member.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Avatar {
    /// Names it; another picture has another name.
    pub version: String,
    /// Such as `image/png`.
    pub media_type: String,
    /// The picture.
    pub bytes: Vec<u8>,
}

impl Store {
    /// The picture of a member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn avatar(&self, member: MemberId) -> Result<Option<Avatar>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT m.avatar AS version, a.media_type, a.bytes FROM avatars a JOIN members m ON m.id = a.member_id
             WHERE a.member_id = $1 AND a.bytes IS NOT NULL AND m.avatar IS NOT NULL")
            .bind(member).fetch_optional(c).await)?)
    }

    /// Puts a picture in place of the former one, unless the member has taken it away; false when nothing changed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such member.
    pub async fn put_avatar(&self, member: MemberId, new: &Avatar) -> Result<bool, StoreError> {
        let mut tx = self.begin_light().await?;
        let now = self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        if now.avatar.as_deref() == Some(&new.version) {
            return Ok(false);
        }
        let done = on!(tx, c => sqlx::query(
            "INSERT INTO avatars (member_id, media_type, bytes, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (member_id) DO UPDATE SET media_type = excluded.media_type, bytes = excluded.bytes,
               updated_at = excluded.updated_at WHERE avatars.bytes IS NOT NULL")
            .bind(member).bind(&new.media_type).bind(&new.bytes).bind(self.now()).execute(c).await.rows())?;
        if done == 0 {
            return Ok(false);
        }
        on!(tx, c => sqlx::query("UPDATE members SET avatar = $2 WHERE id = $1").bind(member).bind(&new.version)
            .execute(c).await.rows())?;
        self.tell_member(&mut tx, member).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Takes the picture of a member away, on the member's own behalf: none comes by itself from then on. False when there
    /// is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_avatar(&self, member: MemberId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query("UPDATE members SET avatar = NULL WHERE id = $1 AND avatar IS NOT NULL")
            .bind(member).execute(c).await.rows())?;
        if done == 0 {
            return Ok(false);
        }
        on!(tx, c => sqlx::query("UPDATE avatars SET bytes = NULL, updated_at = $2 WHERE member_id = $1").bind(member)
            .bind(self.now()).execute(c).await.rows())?;
        tx.note(Note::new(AuditAction::ChangeProfile).on(AuditObject::Member, member).with("picture", "removed"));
        self.tell_member(&mut tx, member).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}
