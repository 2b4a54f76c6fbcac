//! What an agent records at a place of its run. The id of the learning follows from the place, so that a call which was cut
//! off and is made again finds what it had recorded.

use guildhall_store::NewKnowledge;
use guildhall_types::knowledge::{Author, KnowledgeDraft, KnowledgeItem, KnowledgeKind, KnowledgeReview};
use guildhall_types::{KnowledgeId, RunId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::check;
use crate::{Team, TeamError};

/// Learnings that the agent of one run may record: more than any work teaches, and few enough to be looked at.
const EACH_RUN: i64 = 20;

/// The id of what is recorded by a call of a run: of the time at which the run was made, so that ids still sort by time.
fn id_at(run: RunId, turn: i64, call: &str) -> KnowledgeId {
    let mut hash = Sha256::new();
    hash.update(run.0.as_bytes());
    hash.update(turn.to_be_bytes());
    hash.update(call.as_bytes());
    let mut bytes = *run.0.as_bytes();
    bytes[6..].copy_from_slice(&hash.finalize()[..10]);
    // Version 7, and the variant of the standard.
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    KnowledgeId(Uuid::from_bytes(bytes))
}

impl Team {
    /// Records what an agent learnt, by the call with this id in this turn of its run: proposed, and once, however often the
    /// call is made.
    ///
    /// # Errors
    /// As for [`Team::create_knowledge`]; [`TeamError::NotYours`] for whoever is no agent; [`TeamError::Conflict`] for one that
    /// has recorded as much as a run may.
    pub async fn record_in_run(
        &self,
        author: &Author,
        turn: i64,
        call: &str,
        draft: KnowledgeDraft,
    ) -> Result<KnowledgeItem, TeamError> {
        let run = author.run().ok_or_else(|| TeamError::not_yours("Only an agent records in a run."))?;
        if draft.kind() != KnowledgeKind::Learning {
            return Err(TeamError::invalid("kind", "record a learning"));
        }
        let id = id_at(run, turn, call);
        if let Some(item) = self.store.knowledge(id).await? {
            return Ok(item);
        }
        if self.store.recorded_by_agent(run).await? >= EACH_RUN {
            let message = format!(
                "this run has recorded {EACH_RUN} learnings, which is the most; go on with the work, and say in its summary what \
                 else was found out"
            );
            return Err(TeamError::conflict("enough-recorded", message));
        }
        let draft = check::sound(draft, None)?;
        let looked = self.refuse_duplicates(&draft).await?;
        let new = NewKnowledge {
            draft,
            author: *author,
            review: KnowledgeReview::Proposed,
            source_run: Some(run),
            source_feature: author.feature(),
        };
        match self.store.create_unlike_knowledge(id, new, Some(looked)).await {
            Ok(made) => Ok(made),
            // Its answer may have been lost on the way.
            Err(error) => self.store.knowledge(id).await?.ok_or_else(|| super::or_alike(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_an_id_of_its_own() {
        let (run, other) = (RunId::new(), RunId::new());
        let id = id_at(run, 3, "call_1");
        assert_eq!(id, id_at(run, 3, "call_1"));
        for different in [id_at(run, 4, "call_1"), id_at(run, 3, "call_2"), id_at(other, 3, "call_1")] {
            assert_ne!(id, different);
        }
        assert_eq!((id.0.get_version_num(), id.0.get_variant()), (7, uuid::Variant::RFC4122));
    }
}
