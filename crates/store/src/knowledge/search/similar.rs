//! What says much the same as a text, so that nothing is written twice.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use guildhall_types::KnowledgeId;
use guildhall_types::knowledge::alike::{Compared, NEAR};
use guildhall_types::knowledge::index::{HEAD, Indexed, Profile, asked, index};
use guildhall_types::knowledge::{KnowledgeDraft, KnowledgeOrigin, KnowledgeReview, SimilarItem};

use super::super::listed;
use super::{CANDIDATES, FOUND, Found, LOOKED_FOR, Must, Span};
use crate::{Store, StoreError, Tx, on, read_by};

/// Rare words of a text by which its like is looked for.
const RARE: usize = 12;
/// Items that are shown as similar at most.
const SIMILAR: usize = 5;

impl Store {
    /// Items that say much the same as a text, the likest first; `but` is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn similar_knowledge(
        &self,
        draft: &KnowledgeDraft,
        but: Option<KnowledgeId>,
    ) -> Result<Vec<SimilarItem>, StoreError> {
        let own = index(draft, KnowledgeReview::Proposed, KnowledgeOrigin::Member);
        let list = listed(self.backend(), 1);
        let sql = format!(
            "SELECT word, docs FROM knowledge_words WHERE word {list} AND docs > 0 ORDER BY docs, word LIMIT {RARE}"
        );
        let mut held = self.db.reader().await?;
        let by = &mut held;
        let rare: Vec<(String, i64)> = read_by!(by, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(serde_json::to_string(&own.words)?).fetch_all(c).await)?;
        let title = asked(&draft.title);
        let title: Must =
            title.words.iter().take(LOOKED_FOR).map(|word| vec![format!("{HEAD}{}", word.word)]).collect();
        let mut looks: Vec<Must> = Vec::new();
        if !title.is_empty() {
            looks.push(title);
        }
        if !rare.is_empty() {
            // Whoever shares the rarest words is looked at first; then whoever shares any of them.
            looks.push(rare.iter().take(3).map(|(word, _)| vec![word.clone()]).collect());
            looks.push(vec![rare.into_iter().map(|(word, _)| word).collect()]);
        }
        let counts = self.counts(by, &looks, None).await?;
        let mut found: BTreeMap<i64, Found> = BTreeMap::new();
        for must in looks {
            found.extend(self.look(by, &must, Span::ALL, &counts).await?.into_iter().map(|one| (one.place, one)));
        }
        drop(held);
        Ok(likest(draft, &own, found.into_values().filter(|found| Some(found.id) != but)))
    }

    /// How far the hub has come: what is looked for from here on is looked for among all that was written up to now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_place(&self) -> Result<i64, StoreError> {
        Ok(self.hub_size(&mut self.db.reader().await?).await?.1)
    }

    /// Refuses to write what somebody else wrote since `place`. The caller holds the lock of the hub, so that nothing comes in
    /// between. `own` are the drafts that are to be written.
    pub(in crate::knowledge) async fn refuse_alike(
        &self,
        tx: &mut Tx,
        mut place: i64,
        own: &[(&KnowledgeDraft, &Indexed)],
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT {FOUND} FROM knowledge_items i WHERE i.place > $1 AND i.deleted_at IS NULL ORDER BY i.place LIMIT $2"
        );
        loop {
            let found: Vec<Found> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql.clone())).bind(place)
                .bind(CANDIDATES).fetch_all(c).await)?;
            let full = found.len() as i64 == CANDIDATES;
            place = found.last().map_or(place, |last| last.place);
            for (draft, indexed) in own {
                let similar = likest(draft, indexed, &found);
                if !similar.is_empty() {
                    return Err(StoreError::Alike { similar });
                }
            }
            if !full {
                return Ok(());
            }
        }
    }
}

/// Which of these say much the same as a draft, the likest first.
fn likest(
    draft: &KnowledgeDraft,
    own: &Indexed,
    found: impl IntoIterator<Item = impl Borrow<Found>>,
) -> Vec<SimilarItem> {
    let own = Compared::new(draft.kind(), &draft.title, Profile::read(&own.profile));
    let mut similar: Vec<(i64, SimilarItem)> = Vec::new();
    for one in found {
        let found: &Found = one.borrow();
        let like = own.likeness(&Compared::new(found.kind, &found.title, Profile::read(&found.profile)));
        if like >= NEAR {
            let likeness = (like * 100.0).round() / 100.0;
            similar.push((
                found.place,
                SimilarItem { id: found.id, kind: found.kind, title: found.title.clone(), likeness },
            ));
        }
    }
    similar.sort_by(|(one, a), (other, b)| b.likeness.total_cmp(&a.likeness).then(other.cmp(one)));
    similar.truncate(SIMILAR);
    similar.into_iter().map(|(_, similar)| similar).collect()
}
