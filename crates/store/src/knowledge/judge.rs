//! Judging learnings: members find them good or wrong, or they have proven themselves.

use guildhall_types::audit::AuditAction;
use guildhall_types::knowledge::item::LearningStanding;
use guildhall_types::knowledge::{
    Author, KnowledgeDeed, KnowledgeDetails, KnowledgeDraft, KnowledgeItem, KnowledgeReview, LearningConfidence,
};
use guildhall_types::{DateTime, KnowledgeId};

use super::write::Changed;
use crate::{Store, StoreError, Tx};

/// What a change of a learning's text says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Nothing: it stands as before.
    AsBefore,
    /// A member stands for it.
    Verified,
    /// Nobody has looked at it as it is now.
    Proposed,
}

impl Store {
    /// Finds a learning good, as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::StaleItem`] when it is not at `version` any more, if one is given.
    pub async fn verify_knowledge(
        &self,
        id: KnowledgeId,
        version: Option<i64>,
        why: Option<&str>,
        author: &Author,
    ) -> Result<KnowledgeItem, StoreError> {
        let now = self.now();
        self.change_knowledge(id, version, false, author, AuditAction::VerifyKnowledge, |item| {
            let (mut standing, mut draft) = (item.standing.clone(), item.draft());
            verify(&mut standing, &mut draft, author, now);
            Changed { draft, standing, deleted: false, deed: KnowledgeDeed::Verified, why: why.map(str::to_owned) }
        })
        .await
    }

    /// Finds a learning wrong.
    ///
    /// # Errors
    /// As for [`Store::verify_knowledge`].
    pub async fn reject_knowledge(
        &self,
        id: KnowledgeId,
        version: Option<i64>,
        reason: &str,
        author: &Author,
    ) -> Result<KnowledgeItem, StoreError> {
        self.change_knowledge(id, version, false, author, AuditAction::RejectKnowledge, |item| {
            let mut draft = item.draft();
            unsure(&mut draft);
            let standing = LearningStanding {
                review: KnowledgeReview::Rejected,
                reject_reason: Some(crate::clean(reason)),
                verified_by: None,
                verified_at: None,
                ..item.standing.clone()
            };
            Changed { draft, standing, deleted: false, deed: KnowledgeDeed::Rejected, why: Some(reason.to_owned()) }
        })
        .await
    }

    /// That a learning has proven itself by the team's rule. The caller holds the lock of the hub.
    pub(super) async fn prove_knowledge(
        &self,
        tx: &mut Tx,
        id: KnowledgeId,
        author: &Author,
    ) -> Result<KnowledgeItem, StoreError> {
        let (item, place) = self.knowledge_in(tx, id).await?;
        let changed = Changed {
            draft: item.draft(),
            standing: LearningStanding { review: KnowledgeReview::Accepted, ..item.standing.clone() },
            deleted: false,
            deed: KnowledgeDeed::Proven,
            why: Some("It has proven itself by the team's rule.".to_owned()),
        };
        self.put_change(tx, &item, place, changed, author).await
    }
}

pub(super) fn verify(standing: &mut LearningStanding, draft: &mut KnowledgeDraft, author: &Author, now: DateTime) {
    standing.review = KnowledgeReview::Accepted;
    standing.reject_reason = None;
    standing.verified_by = Some(author.member);
    standing.verified_at = Some(now);
    if let KnowledgeDetails::Learning(of) = &mut draft.details {
        of.confidence = LearningConfidence::Verified;
    }
}

/// Whoever says that a learning is less sure than verified takes it back that somebody verified it.
pub(super) fn as_sure_as_it_says(standing: &mut LearningStanding, draft: &KnowledgeDraft) {
    if let KnowledgeDetails::Learning(of) = &draft.details
        && of.confidence != LearningConfidence::Verified
    {
        (standing.verified_by, standing.verified_at) = (None, None);
    }
}

/// Nobody has looked at it as it is now. What a member found wrong stays so, whatever becomes of its text, until one judges it.
pub(super) fn propose(standing: &mut LearningStanding, draft: &mut KnowledgeDraft) {
    unsure(draft);
    (standing.verified_by, standing.verified_at) = (None, None);
    if standing.review == KnowledgeReview::Accepted {
        standing.review = KnowledgeReview::Proposed;
    }
}

/// Nobody stands for it any more.
fn unsure(draft: &mut KnowledgeDraft) {
    if let KnowledgeDetails::Learning(of) = &mut draft.details
        && of.confidence == LearningConfidence::Verified
    {
        of.confidence = LearningConfidence::Low;
    }
}
