//! Deleting items, and taking back: what was deleted, a former text, or all that a run recorded.

use guildhall_types::audit::{AuditAction, Note};
use guildhall_types::knowledge::{
    Author, KnowledgeDeed, KnowledgeDraft, KnowledgeItem, KnowledgeKind, KnowledgeOrigin, LearningConfidence,
};
use guildhall_types::{KnowledgeId, RunId};

use super::judge::{Judged, propose, verify};
use super::write::Changed;
use crate::{Store, StoreError, on};

impl Store {
    /// Deletes an item; it can be taken back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also for a deleted one.
    pub async fn delete_knowledge(
        &self,
        id: KnowledgeId,
        why: Option<&str>,
        author: &Author,
    ) -> Result<KnowledgeItem, StoreError> {
        self.change_knowledge(id, None, false, author, AuditAction::DeleteKnowledge, |item| Changed {
            draft: item.draft(),
            standing: item.standing.clone(),
            deleted: true,
            deed: KnowledgeDeed::Deleted,
            why: why.map(str::to_owned),
        })
        .await
    }

    /// Takes a deleted item back, or a former text of one, or both. How sure it is, is not taken back with a text: whoever puts
    /// another one in the place of what is verified stands for it where `judged` says [`Judged::Verified`], as somebody does who
    /// changes it; with [`Judged::Proposed`] an accepted learning is proposed again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::StaleItem`] when it is not at `version` any more, if one is given.
    pub async fn restore_knowledge(
        &self,
        id: KnowledgeId,
        version: Option<i64>,
        draft: Option<KnowledgeDraft>,
        judged: Judged,
        why: Option<&str>,
        author: &Author,
    ) -> Result<KnowledgeItem, StoreError> {
        let now = self.now();
        self.change_knowledge(id, version, true, author, AuditAction::RestoreKnowledge, |item| {
            let present = item.draft();
            let mut draft = draft.map_or_else(|| present.clone(), |draft| draft.sure_as(&present));
            let mut standing = item.standing.clone();
            let is_verified = present.confidence() == Some(LearningConfidence::Verified);
            match judged {
                Judged::Proposed if item.kind() == KnowledgeKind::Learning => propose(&mut standing, &mut draft),
                Judged::Verified if is_verified && draft != present => verify(&mut standing, &mut draft, author, now),
                _ => {}
            }
            Changed { draft, standing, deleted: false, deed: KnowledgeDeed::Restored, why: why.map(str::to_owned) }
        })
        .await
    }

    /// Deletes everything that a run's agent recorded in the hub, all or nothing; each can be taken back. What members made of it
    /// in their own words is theirs. Returns how much.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roll_back_knowledge(&self, run: RunId, why: &str, author: &Author) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        // Locked before it is looked, so that nothing comes in between.
        self.next_places(&mut tx, 0, 0).await?;
        let ids: Vec<(KnowledgeId,)> = on!(tx, c => sqlx::query_as(
            "SELECT id FROM knowledge_items WHERE source_run_id = $1 AND origin = $2 AND deleted_at IS NULL ORDER BY place")
            .bind(run).bind(KnowledgeOrigin::Agent).fetch_all(c).await)?;
        for (id,) in &ids {
            let (item, place) = self.knowledge_in(&mut tx, *id).await?;
            let changed = Changed {
                draft: item.draft(),
                standing: item.standing.clone(),
                deleted: true,
                deed: KnowledgeDeed::Deleted,
                why: Some(why.to_owned()),
            };
            self.put_change(&mut tx, &item, place, changed, author).await?;
        }
        let note = Note::new(AuditAction::RollBackKnowledge).with("run", run).with("items", ids.len());
        tx.note(note.with("why", why));
        self.commit(tx).await?;
        Ok(ids.len() as i64)
    }
}
