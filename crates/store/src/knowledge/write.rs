//! Writing in the hub: each change is a version, an event and an entry in the audit, in one transaction.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::knowledge::index::{Indexed, index};
use guildhall_types::knowledge::item::LearningStanding;
use guildhall_types::knowledge::{
    Author, KnowledgeDeed, KnowledgeDraft, KnowledgeItem, KnowledgeOrigin, KnowledgeReview,
};
use guildhall_types::{FeatureId, KnowledgeId, RunId};
use sqlx::types::Json;

use super::index::Standing;
use super::judge::{Judged, as_sure_as_it_says, propose, verify};
use crate::{Rows, Store, StoreError, Tx, on};

/// An item to be written.
#[derive(Debug, Clone)]
pub struct NewKnowledge {
    /// What is said of it.
    pub draft: KnowledgeDraft,
    /// Who writes it, and how.
    pub author: Author,
    /// Whether the team takes it for true.
    pub review: KnowledgeReview,
    /// The run in which it was found.
    pub source_run: Option<RunId>,
    /// The card on which it was found.
    pub source_feature: Option<FeatureId>,
}

/// What a change makes of an item.
pub(super) struct Changed {
    pub(super) draft: KnowledgeDraft,
    pub(super) standing: LearningStanding,
    pub(super) deleted: bool,
    pub(super) deed: KnowledgeDeed,
    pub(super) why: Option<String>,
}

fn note(action: AuditAction, item: &KnowledgeItem) -> Note {
    let note = Note::new(action).on(AuditObject::Knowledge, item.id()).with("kind", item.kind());
    note.with("title", &item.title).with("version", item.common.version)
}

/// Text without NUL, wherever it stands in a draft.
fn cleaned(mut draft: KnowledgeDraft) -> KnowledgeDraft {
    for (_, text) in draft.texts_mut() {
        if text.contains('\0') {
            *text = crate::clean(text);
        }
    }
    draft
}

pub(super) fn indexed_of(item: &KnowledgeItem) -> Indexed {
    index(&item.draft(), item.standing.review, item.common.origin)
}

impl Store {
    /// Writes an item.
    ///
    /// # Errors
    /// [`StoreError::BadRelation`] when it names an item as related that is not there.
    pub async fn create_knowledge(&self, new: NewKnowledge) -> Result<KnowledgeItem, StoreError> {
        self.create_unlike_knowledge(KnowledgeId::new(), new, None).await
    }

    /// Writes an item under this id, unless somebody wrote much the same since the hub was at the place `looked`, up to which
    /// the caller has looked.
    ///
    /// # Errors
    /// [`StoreError::Alike`] with what was written; otherwise as for [`Store::create_knowledge`].
    pub async fn create_unlike_knowledge(
        &self,
        id: KnowledgeId,
        new: NewKnowledge,
        looked: Option<i64>,
    ) -> Result<KnowledgeItem, StoreError> {
        let mut made = self.create_knowledge_as(vec![(id, new)], looked).await?;
        made.pop().ok_or(StoreError::NotFound { what: "item" })
    }

    /// Writes several items, all or none, in this order.
    ///
    /// # Errors
    /// As for [`Store::create_knowledge`].
    pub async fn create_all_knowledge(&self, new: Vec<NewKnowledge>) -> Result<Vec<KnowledgeItem>, StoreError> {
        let with_ids = new.into_iter().map(|new| (KnowledgeId::new(), new)).collect();
        self.create_knowledge_as(with_ids, None).await
    }

    /// The same, under ids that the caller chose: items that are written together may name each other as related. With
    /// `looked` none is written if somebody wrote much the same as one of them since the hub was at that place.
    ///
    /// # Errors
    /// As for [`Store::create_unlike_knowledge`].
    pub async fn create_knowledge_as(
        &self,
        new: Vec<(KnowledgeId, NewKnowledge)>,
        looked: Option<i64>,
    ) -> Result<Vec<KnowledgeItem>, StoreError> {
        let count = new.len() as i64;
        let new: Vec<_> = new
            .into_iter()
            .map(|(id, new)| {
                let new = NewKnowledge { draft: cleaned(new.draft), ..new };
                let indexed = index(&new.draft, new.review, new.author.origin());
                (id, new, indexed)
            })
            .collect();
        let mut tx = self.begin().await?;
        let first = self.next_places(&mut tx, count, count).await?;
        if let Some(looked) = looked {
            let own: Vec<_> = new.iter().map(|(_, new, indexed)| (&new.draft, indexed)).collect();
            self.refuse_alike(&mut tx, looked, &own).await?;
        }
        for (place, (id, new, indexed)) in (first..).zip(&new) {
            self.insert_knowledge(&mut tx, *id, place, new, indexed).await?;
        }
        let come: Vec<Standing<'_>> =
            (first..).zip(&new).map(|(place, (.., indexed))| Standing { place, indexed }).collect();
        self.reindex(&mut tx, &[], &come).await?;
        let mut items = Vec::with_capacity(new.len());
        for (id, new, _) in &new {
            self.relate_knowledge(&mut tx, *id, &new.draft.related).await?;
            let (item, _) = self.knowledge_in(&mut tx, *id).await?;
            self.tell_knowledge(&mut tx, &item, KnowledgeDeed::Created, None, &new.author).await?;
            tx.note(note(AuditAction::CreateKnowledge, &item).with("origin", new.author.origin()));
            items.push(item);
        }
        self.commit(tx).await?;
        Ok(items)
    }

    async fn insert_knowledge(
        &self,
        tx: &mut Tx,
        id: KnowledgeId,
        place: i64,
        new: &NewKnowledge,
        indexed: &Indexed,
    ) -> Result<(), StoreError> {
        let (draft, author) = (&new.draft, &new.author);
        // What was erased may come anew under its id, such as from an old export.
        let put = on!(tx, c => sqlx::query(
            "INSERT INTO knowledge_items (id, kind, place, title, tags, review, origin, source_run_id, source_feature_id,
               version, created_by, created_at, updated_by, updated_at, description, profile, related, details, content)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (id) DO UPDATE SET
               kind = excluded.kind, place = excluded.place, title = excluded.title, tags = excluded.tags,
               review = excluded.review, origin = excluded.origin, source_run_id = excluded.source_run_id,
               source_feature_id = excluded.source_feature_id, version = 1, text_version = 1,
               created_by = excluded.created_by, created_at = excluded.created_at, updated_by = excluded.updated_by,
               updated_at = excluded.updated_at, description = excluded.description, profile = excluded.profile,
               related = excluded.related, details = excluded.details, content = excluded.content,
               deleted_at = NULL, erased_at = NULL
             WHERE knowledge_items.erased_at IS NOT NULL")
            .bind(id).bind(draft.kind()).bind(place).bind(&draft.title).bind(Json(&draft.tags)).bind(new.review)
            .bind(author.origin()).bind(new.source_run).bind(new.source_feature).bind(author.member).bind(self.now())
            .bind(&draft.description).bind(&indexed.profile).bind(Json(&draft.related)).bind(Json(&draft.details))
            .bind(&draft.content).execute(c).await.rows())?;
        if put != 1 {
            return Err(StoreError::Taken { what: "id of an item" });
        }
        Ok(())
    }

    /// Changes the text of an item, and what that says of it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also for a deleted one; [`StoreError::StaleItem`] when somebody else's change came in
    /// between; [`StoreError::BadRelation`].
    pub async fn update_knowledge(
        &self,
        id: KnowledgeId,
        version: i64,
        draft: KnowledgeDraft,
        why: Option<&str>,
        judged: Judged,
        author: &Author,
    ) -> Result<KnowledgeItem, StoreError> {
        let now = self.now();
        let verifies = judged == Judged::Verified;
        let action = if verifies { AuditAction::VerifyKnowledge } else { AuditAction::ChangeKnowledge };
        self.change_knowledge(id, Some(version), false, author, action, |item| {
            let mut standing = item.standing.clone();
            let mut draft = draft;
            match judged {
                Judged::AsBefore => as_sure_as_it_says(&mut standing, &draft),
                Judged::Verified => verify(&mut standing, &mut draft, author, now),
                Judged::Proposed => propose(&mut standing, &mut draft),
            }
            let deed = if verifies { KnowledgeDeed::Verified } else { KnowledgeDeed::Updated };
            Changed { draft, standing, deleted: false, deed, why: why.map(str::to_owned) }
        })
        .await
    }

    pub(super) async fn change_knowledge(
        &self,
        id: KnowledgeId,
        version: Option<i64>,
        deleted_too: bool,
        author: &Author,
        action: AuditAction,
        change: impl FnOnce(&KnowledgeItem) -> Changed,
    ) -> Result<KnowledgeItem, StoreError> {
        let mut tx = self.begin().await?;
        self.next_places(&mut tx, 0, 0).await?;
        let (item, place) = self.knowledge_in(&mut tx, id).await?;
        if item.common.deleted_at.is_some() && !deleted_too {
            return Err(StoreError::NotFound { what: "item" });
        }
        if version.is_some_and(|version| version != item.common.version) {
            return Err(StoreError::StaleItem { current: item.common.version });
        }
        let changed = change(&item);
        let item = self.put_change(&mut tx, &item, place, changed, author).await?;
        tx.note(note(action, &item));
        self.commit(tx).await?;
        Ok(item)
    }

    /// Writes a change down: the row, its version, the index, the event. The caller holds the lock of the hub.
    pub(super) async fn put_change(
        &self,
        tx: &mut Tx,
        old: &KnowledgeItem,
        old_place: i64,
        changed: Changed,
        author: &Author,
    ) -> Result<KnowledgeItem, StoreError> {
        let Changed { draft, standing, deleted, deed, why } = changed;
        let draft = cleaned(draft);
        let was_there = old.common.deleted_at.is_none();
        let place = self.next_places(tx, 1, i64::from(!deleted) - i64::from(was_there)).await?;
        let (before, after) = (indexed_of(old), index(&draft, standing.review, old.common.origin));
        let gone = [Standing { place: old_place, indexed: &before }];
        let come = [Standing { place, indexed: &after }];
        let now = self.now();
        on!(tx, c => sqlx::query(
            "UPDATE knowledge_items SET place = $2, title = $3, tags = $4, review = $5, reject_reason = $6, verified_by = $7,
               verified_at = $8, version = version + 1, updated_by = $9, updated_at = $10, deleted_at = $11,
               description = $12, profile = $13, related = $14, details = $15, content = $16,
               text_version = CASE WHEN $17 THEN text_version ELSE version + 1 END WHERE id = $1")
            .bind(old.id()).bind(place).bind(&draft.title).bind(Json(&draft.tags)).bind(standing.review)
            .bind(&standing.reject_reason).bind(standing.verified_by).bind(standing.verified_at).bind(author.member)
            .bind(now).bind(deleted.then_some(now)).bind(&draft.description).bind(&after.profile)
            .bind(Json(&draft.related)).bind(Json(&draft.details)).bind(&draft.content).bind(draft.says_as(&old.draft()))
            .execute(c).await.rows())?;
        self.reindex(tx, if was_there { &gone } else { &[] }, if deleted { &[] } else { &come }).await?;
        if draft.related != old.common.related {
            self.relate_knowledge(tx, old.id(), &draft.related).await?;
        }
        let (item, _) = self.knowledge_in(tx, old.id()).await?;
        self.tell_knowledge(tx, &item, deed, why.as_deref(), author).await?;
        Ok(item)
    }

    async fn relate_knowledge(&self, tx: &mut Tx, id: KnowledgeId, related: &[KnowledgeId]) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("DELETE FROM knowledge_relations WHERE item_id = $1").bind(id).execute(c).await.rows())?;
        for other in related {
            let done = on!(tx, c => sqlx::query(
                "INSERT INTO knowledge_relations (item_id, related_id)
                 SELECT $1, id FROM knowledge_items WHERE id = $2 AND id <> $1 ON CONFLICT DO NOTHING")
                .bind(id).bind(*other).execute(c).await.rows())?;
            if done != 1 {
                return Err(StoreError::BadRelation { id: *other });
            }
        }
        Ok(())
    }

    async fn tell_knowledge(
        &self,
        tx: &mut Tx,
        item: &KnowledgeItem,
        deed: KnowledgeDeed,
        why: Option<&str>,
        author: &Author,
    ) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "INSERT INTO knowledge_versions (item_id, version, deed, why, draft, origin, member_id, token_id, run_id, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
            .bind(item.id()).bind(item.common.version).bind(deed).bind(why.map(crate::clean)).bind(Json(item.draft()))
            .bind(author.origin()).bind(author.member).bind(author.token()).bind(author.run()).bind(self.now())
            .execute(c).await.rows())?;
        self.record_knowledge(tx, item, deed, author.member, author.origin()).await
    }

    pub(super) async fn record_knowledge(
        &self,
        tx: &mut Tx,
        item: &KnowledgeItem,
        deed: KnowledgeDeed,
        member: guildhall_types::MemberId,
        origin: KnowledgeOrigin,
    ) -> Result<(), StoreError> {
        self.record(tx, &Happening::knowledge(item.change(deed, member, origin))).await
    }
}
