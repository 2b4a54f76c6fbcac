//! The knowledge hub: one function for each deed, which the page, the API, MCP and agents' tools all call.

mod bring;
mod check;
mod erase;
mod export;
mod import;
mod learn;
mod recorded;
mod tar;

use guildhall_store::{Judged, KnowledgeFilter, NewKnowledge, Page, StoreError};
use guildhall_types::knowledge::compare::{ComparedField, compare};
use guildhall_types::knowledge::{
    Author, KnowledgeDraft, KnowledgeHit, KnowledgeItem, KnowledgeKind, KnowledgeRef, KnowledgeReview,
    KnowledgeVersion, LearningConfidence, SimilarItem, Via,
};
use guildhall_types::{FeatureId, KnowledgeId, RunId};

use crate::{Team, TeamError};

pub use import::{FailedFile, IMPORT_FILES, ImportReport, ImportWay, SkippedFile, UnrelatedFile};
pub use learn::KNOWLEDGE_RULE;

/// Characters of a question at most.
const QUESTION: usize = 1_000;
/// What a search finds at most.
const FOUND: usize = 50;

/// Where something was found that comes into the hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnowledgeSource {
    /// The run.
    pub run: Option<RunId>,
    /// The card.
    pub feature: Option<FeatureId>,
}

/// An item with what it is related to.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownItem {
    /// The item.
    pub item: KnowledgeItem,
    /// What it names as related.
    pub related: Vec<KnowledgeRef>,
    /// What names it.
    pub related_from: Vec<KnowledgeRef>,
}

/// What somebody else wrote at the same moment is a near-duplicate like any other.
fn or_alike(error: StoreError) -> TeamError {
    match error {
        StoreError::Alike { similar } => TeamError::NearDuplicate { similar },
        other => other.into(),
    }
}

fn gone() -> TeamError {
    TeamError::NotFound { what: "item" }
}

impl Team {
    /// The items that fit best what somebody looks for, the best first; the latest first where nothing is looked for. The last
    /// word may be unfinished, and words may be misspelt.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for an overlong question.
    pub async fn search_knowledge(
        &self,
        question: &str,
        filter: &KnowledgeFilter,
        limit: usize,
    ) -> Result<Vec<KnowledgeHit>, TeamError> {
        Ok(self.search_page(question, filter, None, limit).await?.items)
    }

    /// A page of what a search finds. `after` is what the page before gave as `next`; what changed since the first page is left
    /// out, and nothing comes twice.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for an overlong question; [`StoreError::NoCursor`] for an `after` of another search.
    pub async fn search_page(
        &self,
        question: &str,
        filter: &KnowledgeFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<KnowledgeHit>, TeamError> {
        if question.chars().count() > QUESTION {
            return Err(TeamError::invalid("q", format!("ask in at most {QUESTION} characters")));
        }
        Ok(self.store.search_page(question, filter, after, limit.clamp(1, FOUND)).await?)
    }

    /// An item of this kind, whole; also a deleted one, which says so.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn knowledge(&self, kind: KnowledgeKind, id: KnowledgeId) -> Result<KnowledgeItem, TeamError> {
        self.store.knowledge(id).await?.filter(|item| item.kind() == kind).ok_or_else(gone)
    }

    /// An item of any kind, whole, with what it is related to. A deleted one is not found.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn known_item(&self, id: KnowledgeId) -> Result<KnownItem, TeamError> {
        let item = self.store.knowledge(id).await?.filter(|item| item.common.deleted_at.is_none());
        let item = item.ok_or_else(gone)?;
        let (related, related_from) = self.store.knowledge_relations(id).await?;
        Ok(KnownItem { item, related, related_from })
    }

    /// Items that say much the same as a draft, the likest first.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a draft that could not be written either.
    pub async fn similar_knowledge(
        &self,
        draft: KnowledgeDraft,
        but: Option<KnowledgeId>,
    ) -> Result<Vec<SimilarItem>, TeamError> {
        let draft = check::bounded(draft)?;
        Ok(self.store.similar_knowledge(&draft, but).await?)
    }

    /// Writes an item. What a member writes on the page is accepted at once; a learning that an agent or a program records is
    /// proposed. Agents record learnings and nothing else.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad value; [`TeamError::LooksLikeSecret`]; [`TeamError::NearDuplicate`] unless it is to be
    /// written `anyway`.
    pub async fn create_knowledge(
        &self,
        author: &Author,
        draft: KnowledgeDraft,
        source: KnowledgeSource,
        anyway: bool,
    ) -> Result<KnowledgeItem, TeamError> {
        let draft = check::sound(draft, None)?;
        let kind = draft.kind();
        if matches!(author.via, Via::Run { .. }) && kind != KnowledgeKind::Learning {
            return Err(TeamError::not_yours(
                "An agent records learnings; a member makes blueprints and entries of them.",
            ));
        }
        let looked = if anyway { None } else { Some(self.refuse_duplicates(&draft).await?) };
        let review = match (kind, author.via) {
            (KnowledgeKind::Learning, Via::Token(_) | Via::Run { .. }) => KnowledgeReview::Proposed,
            _ => KnowledgeReview::Accepted,
        };
        let new = NewKnowledge {
            draft,
            author: *author,
            review,
            source_run: author.run().or(source.run),
            source_feature: author.feature().or(source.feature),
        };
        self.store.create_unlike_knowledge(KnowledgeId::new(), new, looked).await.map_err(or_alike)
    }

    /// Refuses what the hub holds already. Returns up to where it was looked: what came later, the store compares as it writes.
    async fn refuse_duplicates(&self, draft: &KnowledgeDraft) -> Result<i64, TeamError> {
        let looked = self.store.knowledge_place().await?;
        let similar = self.store.similar_knowledge(draft, None).await?;
        match similar.is_empty() {
            true => Ok(looked),
            false => Err(TeamError::NearDuplicate { similar }),
        }
    }

    /// Brings something that a run found into the hub, in a member's words: it is theirs, and names run and card.
    ///
    /// # Errors
    /// As for [`Team::create_knowledge`]; [`TeamError::NotFound`] without such a run.
    pub async fn promote_knowledge(
        &self,
        author: &Author,
        run: RunId,
        draft: KnowledgeDraft,
        anyway: bool,
    ) -> Result<KnowledgeItem, TeamError> {
        let run = self.store.run(run).await?.ok_or(TeamError::NotFound { what: "run" })?;
        let source = KnowledgeSource { run: Some(run.id), feature: Some(run.feature_id) };
        self.create_knowledge(author, draft, source, anyway).await
    }

    /// Changes an item: `draft` is the whole of it from then on. `version` is the one that the change was made to.
    ///
    /// Whoever changes on the page what a member verified stands for it from then on. A learning that a program changes is
    /// proposed again; what was rejected stays so until a member judges it.
    ///
    /// # Errors
    /// As for [`Team::create_knowledge`], but for duplicates; [`TeamError::NotFound`]; [`TeamError::KnowledgeChanged`] with the
    /// item as it is when somebody else's change came in between.
    pub async fn update_knowledge(
        &self,
        author: &Author,
        id: KnowledgeId,
        version: i64,
        draft: KnowledgeDraft,
        why: Option<&str>,
    ) -> Result<KnowledgeItem, TeamError> {
        self.people_only(author)?;
        let why = check::why(why)?;
        let current = self.live(id, draft.kind()).await?;
        let draft = check::sound(draft, current.details.confidence())?;
        let judged = match (author.via, current.kind(), current.details.confidence()) {
            (Via::Page, _, Some(LearningConfidence::Verified)) => match draft.confidence() {
                Some(LearningConfidence::Verified) => Judged::Verified,
                _ => Judged::AsBefore,
            },
            (Via::Token(_), KnowledgeKind::Learning, _) => Judged::Proposed,
            _ => Judged::AsBefore,
        };
        let done = self.store.update_knowledge(id, version, draft, why.as_deref(), judged, author).await;
        self.or_changed(id, done).await
    }

    /// Deletes an item: its author may, and an admin. It can be taken back.
    ///
    /// # Errors
    /// [`TeamError::NotFound`], [`TeamError::NotYours`].
    pub async fn delete_knowledge(
        &self,
        author: &Author,
        kind: KnowledgeKind,
        id: KnowledgeId,
        why: Option<&str>,
    ) -> Result<KnowledgeItem, TeamError> {
        self.people_only(author)?;
        let why = check::why(why)?;
        let item = self.live(id, kind).await?;
        if item.common.created_by != author.member && !author.may_manage {
            return Err(TeamError::not_yours(
                "Only who wrote it and an admin may delete it. Reject a learning that is wrong, or change what holds no longer.",
            ));
        }
        Ok(self.store.delete_knowledge(id, why.as_deref(), author).await?)
    }

    /// Takes a deleted item back, or the text of a former version of one. `current` is the version that was looked at.
    ///
    /// Whoever puts on the page another text in the place of what a member verified stands for it from then on, as if they had
    /// written it. A learning that a program takes back is proposed again: nobody who vouched for what came in between has
    /// vouched for that.
    ///
    /// # Errors
    /// [`TeamError::NotFound`], also without such a version; [`TeamError::Conflict`] when there is nothing to take back;
    /// [`TeamError::LooksLikeSecret`] when the former text is one that would be refused today;
    /// [`TeamError::KnowledgeChanged`] when it is not at `current` any more.
    pub async fn restore_knowledge(
        &self,
        author: &Author,
        kind: KnowledgeKind,
        id: KnowledgeId,
        version: Option<i64>,
        current: Option<i64>,
        why: Option<&str>,
    ) -> Result<KnowledgeItem, TeamError> {
        self.people_only(author)?;
        let why = check::why(why)?;
        let item = self.knowledge(kind, id).await?;
        let draft = match version {
            Some(version) => {
                let draft = self.former_text(kind, id, version).await?;
                Some(check::sound(draft, Some(LearningConfidence::Verified))?)
            }
            None if item.common.deleted_at.is_none() => {
                return Err(TeamError::conflict(
                    "not-deleted",
                    "the item is not deleted; say which version to take back",
                ));
            }
            None => None,
        };
        let usual = version.map(|version| format!("Took version {version} back."));
        let judged = match author.via {
            Via::Token(_) | Via::Run { .. } => Judged::Proposed,
            Via::Page => Judged::Verified,
        };
        let why = why.or(usual);
        let done = self.store.restore_knowledge(id, current, draft, judged, why.as_deref(), author).await;
        self.or_changed(id, done).await
    }

    /// The changes of an item, the latest first, without their texts.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn knowledge_versions(
        &self,
        kind: KnowledgeKind,
        id: KnowledgeId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Page<KnowledgeVersion>, TeamError> {
        self.knowledge(kind, id).await?;
        Ok(self.store.knowledge_versions(id, before, limit).await?)
    }

    /// One change of an item, with its text.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn knowledge_version(
        &self,
        kind: KnowledgeKind,
        id: KnowledgeId,
        version: i64,
    ) -> Result<KnowledgeVersion, TeamError> {
        self.knowledge(kind, id).await?;
        self.store.knowledge_version(id, version).await?.ok_or(TeamError::NotFound { what: "version" })
    }

    /// How two versions of an item differ, field by field and line by line.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn compare_knowledge(
        &self,
        kind: KnowledgeKind,
        id: KnowledgeId,
        from: i64,
        to: i64,
    ) -> Result<Vec<ComparedField>, TeamError> {
        let (from, to) = (self.former_text(kind, id, from).await?, self.former_text(kind, id, to).await?);
        Ok(compare(&from, &to))
    }

    /// What an item said from this version on.
    async fn former_text(
        &self,
        kind: KnowledgeKind,
        id: KnowledgeId,
        version: i64,
    ) -> Result<KnowledgeDraft, TeamError> {
        self.knowledge_version(kind, id, version).await?.draft.ok_or_else(|| {
            TeamError::conflict("erased", format!("version {version} was erased for good; nothing is left of its text"))
        })
    }

    /// The item, unless it is deleted or of another kind.
    async fn live(&self, id: KnowledgeId, kind: KnowledgeKind) -> Result<KnowledgeItem, TeamError> {
        let item = self.knowledge(kind, id).await?;
        match item.common.deleted_at {
            None => Ok(item),
            Some(_) => Err(gone()),
        }
    }

    /// Refuses agents: what they do beyond recording and telling of outcomes is a member's.
    fn people_only(&self, author: &Author) -> Result<(), TeamError> {
        match author.via {
            Via::Run { .. } => Err(TeamError::not_yours("A member decides on this, not an agent.")),
            Via::Page | Via::Token(_) => Ok(()),
        }
    }

    /// Where somebody else's change came in between, the item as it is comes with the refusal.
    async fn or_changed(
        &self,
        id: KnowledgeId,
        done: Result<KnowledgeItem, StoreError>,
    ) -> Result<KnowledgeItem, TeamError> {
        match done {
            Err(StoreError::StaleItem { .. }) => {
                let current = self.store.knowledge(id).await?.ok_or_else(gone)?;
                Err(TeamError::KnowledgeChanged { current: Box::new(current) })
            }
            done => Ok(done?),
        }
    }
}
