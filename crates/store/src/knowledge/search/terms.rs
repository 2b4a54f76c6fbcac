//! What the words that somebody looks for stand for in the hub: other forms, words that begin so, and words that one may be a
//! slip of.

use guildhall_types::knowledge::index::{Asked, AskedWord};
use guildhall_types::knowledge::rank::{Meant, Term, rarity, sure};
use guildhall_types::knowledge::words::{distance, grams, slips};

use super::super::listed;
use crate::{Reader, Store, StoreError, read_by};

/// Words that begin so, or that one may be a slip of, at most.
const MEANT: usize = 12;
/// Words that share trigrams with a misspelt one and are compared with it.
const COMPARED: i64 = 60;
/// Letters from which on a beginning stands for words.
const BEGINNING: usize = 2;

/// A word of the hub, its stem, and how many items hold it.
pub(super) type Known = (String, String, i64);

impl Store {
    /// What the words that somebody looks for stand for in the hub, of which these are `known`.
    pub(super) async fn terms(
        &self,
        by: &mut Reader,
        asked: &Asked,
        known: &[Known],
        items: i64,
    ) -> Result<Vec<Term>, StoreError> {
        let mut terms = Vec::new();
        for word in &asked.words {
            let mut meant: Vec<Meant> = known
                .iter()
                .filter(|(known, stem, _)| *known == word.word || *stem == word.stem)
                .map(|(known, _, docs)| {
                    let sure = if *known == word.word { sure::SAME } else { sure::FORM };
                    Meant { word: known.clone(), sure, docs: *docs }
                })
                .collect();
            let whole: Vec<&String> =
                word.parts.iter().filter(|part| known.iter().any(|(known, ..)| known == *part)).collect();
            if meant.is_empty() && !whole.is_empty() {
                // `WebSocket` is nowhere, but `web` and `socket` are.
                for part in whole {
                    let docs = known.iter().find(|(known, ..)| known == part).map_or(0, |(.., docs)| *docs);
                    terms.push(term(vec![Meant { word: part.clone(), sure: sure::FORM, docs }], items));
                }
                continue;
            }
            if (word.unfinished || meant.is_empty()) && word.word.chars().count() >= BEGINNING {
                for (known, docs) in self.beginning_with(by, &word.word).await? {
                    if !meant.iter().any(|meant| meant.word == known) {
                        meant.push(Meant { word: known, sure: sure::BEGINS, docs });
                    }
                }
            }
            if meant.is_empty() {
                meant = self.misspelt(by, word).await?;
            }
            terms.push(term(meant, items));
        }
        Ok(terms)
    }

    /// Those words of the hub that are asked for, or have a stem in common with one.
    pub(super) async fn known_words(&self, by: &mut Reader, asked: &Asked) -> Result<Vec<Known>, StoreError> {
        let wanted: Vec<&String> =
            asked.words.iter().flat_map(|word| [&word.word, &word.stem].into_iter().chain(&word.parts)).collect();
        let list = listed(self.backend(), 1);
        let sql = format!(
            "SELECT word, stem, docs FROM knowledge_words WHERE docs > 0 AND (word {list} OR stem {list}) ORDER BY docs DESC, word"
        );
        Ok(
            read_by!(by, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(serde_json::to_string(&wanted)?).fetch_all(c)
            .await)?,
        )
    }

    async fn beginning_with(&self, by: &mut Reader, start: &str) -> Result<Vec<(String, i64)>, StoreError> {
        let end = format!("{start}\u{10ffff}");
        Ok(read_by!(by, c => sqlx::query_as(
            "SELECT word, docs FROM knowledge_words WHERE word > $1 AND word < $2 AND docs > 0 ORDER BY docs DESC, word LIMIT $3")
            .bind(start).bind(end).bind(MEANT as i64).fetch_all(c).await)?)
    }

    /// Words that a word may be a slip of.
    async fn misspelt(&self, by: &mut Reader, word: &AskedWord) -> Result<Vec<Meant>, StoreError> {
        let letters = word.word.chars().count();
        let most = slips(letters);
        if most == 0 {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT w.word, w.docs FROM (
               SELECT word, count(*) AS shared FROM knowledge_grams
               WHERE gram {} AND letters BETWEEN $2 AND $3 GROUP BY word ORDER BY shared DESC, word LIMIT $4) g
             JOIN knowledge_words w ON w.word = g.word WHERE w.docs > 0",
            listed(self.backend(), 1)
        );
        let (least, longest) = (letters.saturating_sub(most) as i64, (letters + most) as i64);
        let near: Vec<(String, i64)> = read_by!(by, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(serde_json::to_string(&grams(&word.word))?).bind(least).bind(longest).bind(COMPARED).fetch_all(c).await)?;
        let mut meant: Vec<(usize, Meant)> = near
            .into_iter()
            .filter_map(|(near, docs)| {
                let slips = distance(&word.word, &near, most)?;
                Some((slips, Meant { word: near, sure: sure::slips(slips), docs }))
            })
            .collect();
        meant.sort_by(|(near, a), (far, b)| near.cmp(far).then(b.docs.cmp(&a.docs)).then(a.word.cmp(&b.word)));
        // What is nearer is meant rather than what is further off.
        let nearest = meant.first().map(|(slips, _)| *slips);
        meant.retain(|(slips, _)| Some(*slips) == nearest);
        meant.truncate(MEANT / 2);
        Ok(meant.into_iter().map(|(_, meant)| meant).collect())
    }
}

/// A term that stands for these words of the hub, as rare as all of them together.
fn term(mut meant: Vec<Meant>, items: i64) -> Term {
    meant.truncate(2 * MEANT);
    let docs = meant.iter().map(|meant| meant.docs).sum::<i64>().min(items);
    Term { rarity: rarity(docs, items), meant }
}
