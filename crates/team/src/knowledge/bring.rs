//! Items that come from another program, each once.

use guildhall_store::{NewKnowledge, StoreError};
use guildhall_types::KnowledgeId;
use guildhall_types::knowledge::{Author, KnowledgeDraft, KnowledgeKind, KnowledgeReview};

use super::{check, or_alike};
use crate::{Team, TeamError};

impl Team {
    /// Writes an item under an id that follows from where it comes from; false when it came in before, even if it was deleted
    /// since. A learning stands as `review` says.
    ///
    /// # Errors
    /// As for [`Team::create_knowledge`].
    pub(crate) async fn bring_knowledge(
        &self,
        author: &Author,
        id: KnowledgeId,
        draft: KnowledgeDraft,
        review: KnowledgeReview,
        dry_run: bool,
    ) -> Result<bool, TeamError> {
        if self.store.knowledge(id).await?.is_some() {
            return Ok(false);
        }
        let draft = check::sound(draft, None)?;
        let looked = self.refuse_duplicates(&draft).await?;
        if dry_run {
            return Ok(true);
        }
        let review = if draft.kind() == KnowledgeKind::Learning { review } else { KnowledgeReview::Accepted };
        let new = NewKnowledge { draft, author: *author, review, source_run: None, source_feature: None };
        match self.store.create_unlike_knowledge(id, new, Some(looked)).await.map_err(or_alike) {
            // Nothing is left of it but its id: it was erased.
            Err(TeamError::Store(StoreError::Taken { .. })) => Ok(false),
            done => done.map(|_| true),
        }
    }
}
