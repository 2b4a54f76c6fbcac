//! Searching. The database finds a bounded number of candidates by its index; who of them comes first, a pure function in
//! `guildhall_types` decides, which both databases share. So both answer in the same order.
//!
//! What somebody looks for is first turned into words that the hub holds: other forms, words that begin so, and words that it
//! may be a slip of. Then candidates are looked for that hold all of them, and, where these are few, without the most
//! frequent ones. Of too many the latest are taken, those with the words in their title first.

use std::collections::{BTreeMap, HashMap, HashSet};

use guildhall_types::knowledge::alike::{NEAR, likeness, titles};
use guildhall_types::knowledge::index::{Asked, AskedWord, HEAD, Profile, asked, folded_phrase, index};
use guildhall_types::knowledge::rank::{Candidate, Meant, Term, rarity, score, sure};
use guildhall_types::knowledge::snippet::snippet;
use guildhall_types::knowledge::words::{distance, grams, slips};
use guildhall_types::knowledge::{
    KnowledgeDetails, KnowledgeDraft, KnowledgeHit, KnowledgeItem, KnowledgeKind, KnowledgeOrigin, KnowledgeReview,
    SimilarItem,
};
use guildhall_types::{DateTime, KnowledgeId};

use super::{KnowledgeFilter, Row, WHOLE, listed};
use crate::{Backend, Store, StoreError, read};

/// Candidates that one look into the index gives at most.
const CANDIDATES: i64 = 200;
/// From how many on no wider look is taken.
const ENOUGH: usize = 40;
/// Words of a question by which candidates are looked for; all of them count for the order.
const LOOKED_FOR: usize = 8;
/// Words that begin so, or that one may be a slip of, at most.
const MEANT: usize = 12;
/// Words that share trigrams with a misspelt one and are compared with it.
const COMPARED: i64 = 60;
/// Letters from which on a beginning stands for words.
const BEGINNING: usize = 2;
/// Rare words of a text by which its like is looked for.
const RARE: usize = 12;
/// Items that a look is expected to find from which on PostgreSQL looks among the latest first: it visits the row of each that it
/// finds, before it sorts them.
const MANY: f64 = 2_000.0;
/// Items that are shown as similar at most.
const SIMILAR: usize = 5;

/// What the order needs of a candidate.
#[derive(sqlx::FromRow)]
struct Found {
    id: KnowledgeId,
    place: i64,
    kind: KnowledgeKind,
    title: String,
    updated_at: DateTime,
    application_count: i64,
    success_count: i64,
    profile: Vec<u8>,
}

const FOUND: &str = "i.id, i.place, i.kind, i.title, i.updated_at, i.application_count, i.success_count, i.profile";

/// Words that must all be there: of each list one.
type Must = Vec<Vec<String>>;

/// An expression of the database's own language for it.
fn expression(backend: Backend, must: &Must) -> String {
    // Words hold letters and digits, marks a few signs beside them, and neither a quote.
    let (quote, or, and) = match backend {
        Backend::Sqlite => ('"', " OR ", " AND "),
        Backend::Postgres => ('\'', " | ", " & "),
    };
    let one = |of: &Vec<String>| {
        let words: Vec<String> = of.iter().map(|word| format!("{quote}{word}{quote}")).collect();
        format!("({})", words.join(or))
    };
    must.iter().map(one).collect::<Vec<_>>().join(and)
}

/// How many items hold which words and marks.
#[derive(Default)]
struct Counts {
    items: i64,
    /// The latest place.
    place: i64,
    docs: HashMap<String, i64>,
}

impl Counts {
    /// From which places on to look, one after the other, until there are `limit` items. What very many items hold is looked for
    /// among the latest first, where as many as are wanted will be.
    fn windows(&self, must: &Must, since: i64, before: i64, limit: i64) -> Vec<i64> {
        let items = self.items.max(1) as f64;
        let share = |any: &Vec<String>| {
            let docs: i64 = any.iter().filter_map(|word| self.docs.get(word)).sum();
            (docs as f64 / items).min(1.0)
        };
        let share: f64 = must.iter().map(share).product();
        if share * items < MANY {
            return vec![since];
        }
        // Places that nobody holds any more lie between those of the items.
        let spread = (self.place as f64 / items).max(1.0);
        let width = (1.5 * limit as f64 * spread / share).ceil() as i64;
        let from = before.min(self.place + 1).saturating_sub(width);
        if from > since { vec![from, since] } else { vec![since] }
    }
}

impl Store {
    /// The items that fit best what somebody looks for, the best first; the latest first where nothing is looked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_knowledge(
        &self,
        query: &str,
        filter: &KnowledgeFilter,
        limit: usize,
    ) -> Result<Vec<KnowledgeHit>, StoreError> {
        let asked = asked(query);
        if asked.words.is_empty() {
            return match query.trim().is_empty() {
                true => self.latest(filter, limit).await,
                // Signs alone are in nothing.
                false => Ok(Vec::new()),
            };
        }
        let terms = self.terms(&asked).await?;
        let since = self.first_place(filter).await?;
        let found = self.candidates(&terms, filter, since).await?;
        let now = self.now();
        let mut scored: Vec<(f64, &Found)> = found
            .iter()
            .map(|found| {
                let title = folded_phrase(&found.title);
                let candidate = Candidate {
                    title: &title,
                    profile: Profile::read(&found.profile),
                    days: (now - found.updated_at).num_seconds() as f64 / 86_400.0,
                    used: found.application_count,
                    helped: found.success_count,
                };
                (score(&terms, &asked.phrase, &candidate), found)
            })
            .filter(|(score, _)| *score > 0.0)
            .collect();
        scored.sort_by(|(one, a), (other, b)| other.total_cmp(one).then(b.place.cmp(&a.place)));
        scored.truncate(limit);
        let words: HashSet<&str> = terms.iter().flat_map(|term| &term.meant).map(|meant| meant.word.as_str()).collect();
        let mut items = self.at_places(scored.iter().map(|(_, found)| found.place)).await?;
        let mut hits = Vec::with_capacity(scored.len());
        for (score, found) in scored {
            let item = match items.remove(&found.place) {
                Some(item) => Some(item),
                // What changed in between stands elsewhere now; what is gone is not found.
                None => self.knowledge(found.id).await?,
            };
            hits.extend(item.map(|item| hit(item, (score * 1e4).round() / 1e4, &words)));
        }
        Ok(hits)
    }

    async fn latest(&self, filter: &KnowledgeFilter, limit: usize) -> Result<Vec<KnowledgeHit>, StoreError> {
        let places = self.places(filter, None, limit as i64).await?;
        let mut items = self.at_places(places.iter().copied()).await?;
        Ok(places.iter().filter_map(|place| Some(hit(items.remove(place)?, 0.0, &HashSet::new()))).collect())
    }

    /// The items that stand at these places, whole.
    async fn at_places(&self, places: impl Iterator<Item = i64>) -> Result<HashMap<i64, KnowledgeItem>, StoreError> {
        let list = match self.backend() {
            Backend::Sqlite => "IN (SELECT value FROM json_each($1))",
            Backend::Postgres => "= ANY (ARRAY (SELECT place::bigint FROM jsonb_array_elements_text($1::jsonb) place))",
        };
        let sql = format!("SELECT {WHOLE} FROM knowledge_items WHERE place {list}");
        let places = serde_json::to_string(&places.collect::<Vec<_>>())?;
        let rows: Vec<Row> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(places).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|row| (row.place, row.item())).collect())
    }

    /// The places of items that pass a filter, the latest first.
    pub(super) async fn places(
        &self,
        filter: &KnowledgeFilter,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let since = self.first_place(filter).await?;
        let before = after.unwrap_or(i64::MAX);
        let marks: Must = filter.marks().into_iter().map(|mark| vec![mark]).collect();
        if marks.is_empty() {
            let places: Vec<(i64,)> = read!(self, c => sqlx::query_as(
                "SELECT place FROM knowledge_items WHERE deleted_at IS NULL AND place >= $1 AND place < $2
                 ORDER BY place DESC LIMIT $3").bind(since).bind(before).bind(limit).fetch_all(c).await)?;
            return Ok(places.into_iter().map(|(place,)| place).collect());
        }
        let sql = match self.backend() {
            Backend::Sqlite => {
                "SELECT rowid FROM knowledge_index WHERE knowledge_index MATCH $1 AND rowid >= $2 AND rowid < $3
                 ORDER BY rowid DESC LIMIT $4"
            }
            Backend::Postgres => {
                "SELECT place FROM knowledge_index WHERE terms @@ $1::tsquery AND place >= $2 AND place < $3
                 ORDER BY place + 0 DESC LIMIT $4"
            }
        };
        let counts = self.counts(std::slice::from_ref(&marks)).await?;
        for from in counts.windows(&marks, since, before, limit) {
            let places: Vec<(i64,)> = read!(self, c => sqlx::query_as(sql).bind(expression(self.backend(), &marks))
                .bind(from).bind(before).bind(limit).persistent(false).fetch_all(c).await)?;
            if places.len() as i64 == limit || from == since {
                return Ok(places.into_iter().map(|(place,)| place).collect());
            }
        }
        Ok(Vec::new())
    }

    /// How many items hold each of these words and marks. SQLite has no need of it: it walks its index from the latest item
    /// on, and stops when it has enough. PostgreSQL finds all before it sorts them.
    async fn counts(&self, looks: &[Must]) -> Result<Counts, StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(Counts::default());
        }
        let wanted: HashSet<&String> = looks.iter().flatten().flatten().collect();
        let (items, place): (i64, i64) = read!(self, c => sqlx::query_as(
            "SELECT items, place FROM knowledge_counter WHERE one = 1").fetch_one(c).await)?;
        let sql = format!("SELECT word, docs FROM knowledge_words WHERE word {}", listed(self.backend(), 1));
        let docs: Vec<(String, i64)> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(serde_json::to_string(&wanted)?).fetch_all(c).await)?;
        Ok(Counts { items, place, docs: docs.into_iter().collect() })
    }

    /// From which place on items changed since the moment that a filter names.
    async fn first_place(&self, filter: &KnowledgeFilter) -> Result<i64, StoreError> {
        let Some(since) = filter.since else { return Ok(0) };
        let (place,): (Option<i64>,) = read!(self, c => sqlx::query_as(
            "SELECT min(place) FROM knowledge_items WHERE updated_at >= $1").bind(since).fetch_one(c).await)?;
        Ok(place.unwrap_or(i64::MAX))
    }

    async fn candidates(&self, terms: &[Term], filter: &KnowledgeFilter, since: i64) -> Result<Vec<Found>, StoreError> {
        // The rarest first. What is in no item can find none.
        let mut groups: Vec<&Term> = terms.iter().filter(|term| !term.meant.is_empty()).collect();
        groups.sort_by(|a, b| b.rarity.total_cmp(&a.rarity).then(a.meant[0].word.cmp(&b.meant[0].word)));
        groups.truncate(LOOKED_FOR);
        let marks = filter.marks();
        let words = |term: &Term, head: bool| -> Vec<String> {
            let word = |meant: &Meant| if head { format!("{HEAD}{}", meant.word) } else { meant.word.clone() };
            term.meant.iter().map(word).collect()
        };
        let mut looks: Vec<Must> = Vec::new();
        if !groups.is_empty() {
            looks.push(groups.iter().map(|term| words(term, true)).collect());
        }
        for count in (1..=groups.len()).rev() {
            looks.push(groups[..count].iter().map(|term| words(term, false)).collect());
        }
        looks.extend(groups.iter().skip(1).map(|term| vec![words(term, false)]));
        for must in &mut looks {
            must.extend(marks.iter().map(|mark| vec![mark.clone()]));
        }
        let counts = self.counts(&looks).await?;
        let mut looks = looks.iter();
        let mut found: BTreeMap<i64, Found> = BTreeMap::new();
        // A look at titles alone is never enough: what says more in its text may fit better. So there are two in any case.
        if let (Some(titles), Some(texts)) = (looks.next(), looks.next()) {
            let both = tokio::try_join!(self.look(titles, since, &counts), self.look(texts, since, &counts))?;
            found.extend(both.0.into_iter().chain(both.1).map(|one| (one.place, one)));
        }
        for must in looks {
            if found.len() >= ENOUGH {
                break;
            }
            let more = self.look(must, since, &counts).await?;
            found.extend(more.into_iter().map(|one| (one.place, one)));
        }
        Ok(found.into_values().collect())
    }

    /// One look into the index: the latest items that hold all of it.
    async fn look(&self, must: &Must, since: i64, counts: &Counts) -> Result<Vec<Found>, StoreError> {
        let sql = match self.backend() {
            Backend::Sqlite => format!(
                "SELECT {FOUND} FROM knowledge_index CROSS JOIN knowledge_items i ON i.place = knowledge_index.rowid
                 WHERE knowledge_index MATCH $1 AND knowledge_index.rowid >= $2 ORDER BY knowledge_index.rowid DESC LIMIT $3"
            ),
            Backend::Postgres => format!(
                "SELECT {FOUND} FROM (SELECT place FROM knowledge_index WHERE terms @@ $1::tsquery AND place >= $2
                   ORDER BY place + 0 DESC LIMIT $3) x JOIN knowledge_items i ON i.place = x.place"
            ),
        };
        let expression = expression(self.backend(), must);
        for from in counts.windows(must, since, i64::MAX, CANDIDATES) {
            let sql = sql.clone();
            // Planned for these very words: how frequent they are decides which way is short.
            let found: Vec<Found> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&expression).bind(from)
                .bind(CANDIDATES).persistent(false).fetch_all(c).await)?;
            if found.len() as i64 == CANDIDATES || from == since {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// What the words that somebody looks for stand for in the hub.
    async fn terms(&self, asked: &Asked) -> Result<Vec<Term>, StoreError> {
        let (items,): (i64,) = read!(self, c => sqlx::query_as("SELECT items FROM knowledge_counter WHERE one = 1")
            .fetch_one(c).await)?;
        let known = self.known_words(asked).await?;
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
                for (known, docs) in self.beginning_with(&word.word).await? {
                    if !meant.iter().any(|meant| meant.word == known) {
                        meant.push(Meant { word: known, sure: sure::BEGINS, docs });
                    }
                }
            }
            if meant.is_empty() {
                meant = self.misspelt(word).await?;
            }
            terms.push(term(meant, items));
        }
        Ok(terms)
    }

    /// Those words of the hub that are asked for, or have a stem in common with one.
    async fn known_words(&self, asked: &Asked) -> Result<Vec<(String, String, i64)>, StoreError> {
        let wanted: Vec<&String> =
            asked.words.iter().flat_map(|word| [&word.word, &word.stem].into_iter().chain(&word.parts)).collect();
        let list = listed(self.backend(), 1);
        let sql = format!(
            "SELECT word, stem, docs FROM knowledge_words WHERE docs > 0 AND (word {list} OR stem {list}) ORDER BY docs DESC, word"
        );
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(serde_json::to_string(&wanted)?).fetch_all(c)
            .await)?)
    }

    async fn beginning_with(&self, start: &str) -> Result<Vec<(String, i64)>, StoreError> {
        let end = format!("{start}\u{10ffff}");
        Ok(read!(self, c => sqlx::query_as(
            "SELECT word, docs FROM knowledge_words WHERE word > $1 AND word < $2 AND docs > 0 ORDER BY docs DESC, word LIMIT $3")
            .bind(start).bind(end).bind(MEANT as i64).fetch_all(c).await)?)
    }

    /// Words that a word may be a slip of.
    async fn misspelt(&self, word: &AskedWord) -> Result<Vec<Meant>, StoreError> {
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
        let near: Vec<(String, i64)> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
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
        let rare: Vec<(String, i64)> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
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
        let counts = self.counts(&looks).await?;
        let mut found: BTreeMap<i64, Found> = BTreeMap::new();
        for must in looks {
            found.extend(self.look(&must, 0, &counts).await?.into_iter().map(|one| (one.place, one)));
        }
        let profile = Profile::read(&own.profile);
        let mut similar: Vec<(i64, SimilarItem)> = found
            .into_values()
            .filter(|found| Some(found.id) != but)
            .filter_map(|found| {
                let like = likeness((&draft.title, profile), (&found.title, Profile::read(&found.profile)));
                let same_title = found.kind == draft.kind() && titles(&draft.title, &found.title) >= 1.0;
                let like = if same_title { like.max(NEAR) } else { like };
                let likeness = (like * 100.0).round() / 100.0;
                (like >= NEAR).then_some((
                    found.place,
                    SimilarItem { id: found.id, kind: found.kind, title: found.title, likeness },
                ))
            })
            .collect();
        similar.sort_by(|(one, a), (other, b)| b.likeness.total_cmp(&a.likeness).then(other.cmp(one)));
        similar.truncate(SIMILAR);
        Ok(similar.into_iter().map(|(_, similar)| similar).collect())
    }
}

/// A term that stands for these words of the hub, as rare as all of them together.
fn term(mut meant: Vec<Meant>, items: i64) -> Term {
    meant.truncate(2 * MEANT);
    let docs = meant.iter().map(|meant| meant.docs).sum::<i64>().min(items);
    Term { rarity: rarity(docs, items), meant }
}

fn hit(item: KnowledgeItem, score: f64, words: &HashSet<&str>) -> KnowledgeHit {
    let content = item.common.content.as_deref().unwrap_or_default();
    let mut part = snippet(content, words);
    if part.marks.is_empty()
        && let KnowledgeDetails::Learning(of) = &item.details
    {
        let parts = [&of.problem, &of.solution, &of.prevention];
        let better = parts.into_iter().flatten().map(|text| snippet(text, words)).find(|part| !part.marks.is_empty());
        part = better.unwrap_or(part);
    }
    KnowledgeHit {
        id: item.common.id,
        kind: item.common.kind,
        sort: item.details.sort().to_owned(),
        title: item.title,
        description: item.common.description,
        score,
        snippet: part,
        tags: item.common.tags,
        review: item.standing.review,
        updated_at: item.common.updated_at,
        application_count: item.standing.application_count,
        success_count: item.standing.success_count,
    }
}

#[cfg(test)]
mod tests;
