//! Searching. The database finds a bounded number of candidates by its index; who of them comes first, a pure function in
//! `guildhall_types` decides, which both databases share. So both answer in the same order.
//!
//! What somebody looks for is first turned into words that the hub holds: other forms, words that begin so, and words that it
//! may be a slip of. Then candidates are looked for that hold all of them, and, where these are few, without the most
//! frequent ones. Of too many the latest are taken, those with the words in their title first.

mod counts;
mod similar;
mod terms;

use std::collections::{BTreeMap, HashMap, HashSet};

use guildhall_types::knowledge::cursor::{Depth, NoCursor, ReadTo, SearchCursor, name_of};
use guildhall_types::knowledge::index::{HEAD, Profile, asked};
use guildhall_types::knowledge::rank::{Candidate, Meant, Term, score};
use guildhall_types::knowledge::snippet::snippet;
use guildhall_types::knowledge::{KnowledgeDetails, KnowledgeHit, KnowledgeItem, KnowledgeKind};
use guildhall_types::{DateTime, KnowledgeId, MemberId};

use self::counts::Counts;
use super::{KnowledgeFilter, Row, WHOLE, listed_places};
use crate::{Backend, Page, Reader, Store, StoreError, read_by};

/// Candidates that one look into the index gives at most.
const CANDIDATES: i64 = 200;
/// From how many on no wider look is taken.
const ENOUGH: usize = 40;
/// Words of a question by which candidates are looked for; all of them count for the order.
const LOOKED_FOR: usize = 8;

/// What the order needs of a candidate.
#[derive(sqlx::FromRow)]
struct Found {
    id: KnowledgeId,
    place: i64,
    kind: KnowledgeKind,
    title: String,
    updated_at: DateTime,
    success_count: i64,
    failure_count: i64,
    profile: Vec<u8>,
}

/// Where it comes from: SQLite looks beside its index for it, PostgreSQL has it in there ([`super::index`]).
const FOUND: &str = "i.id, i.place, i.kind, i.title, i.updated_at, i.success_count, i.failure_count, i.profile";

/// Which items are looked at.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// From this place on.
    since: i64,
    /// Up to below this one.
    before: i64,
    /// Of this member alone. Who wrote an item never changes, and is looked up beside the index.
    author: Option<MemberId>,
}

impl Span {
    /// All of them.
    const ALL: Self = Self { since: 0, before: i64::MAX, author: None };

    /// Those of them from this place on.
    fn from(self, place: i64) -> Self {
        Self { since: self.since.max(place), ..self }
    }
}

/// What a search goes by.
struct Round {
    /// The candidates.
    found: Vec<Found>,
    /// The look that found most of them, which finds those beyond them, too.
    widest: Option<Must>,
    /// How deep it was looked.
    depth: Depth,
    counts: Counts,
}

/// Words that must all be there: of each list one.
type Must = Vec<Vec<String>>;

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
        Ok(self.search_page(query, filter, None, limit).await?.items)
    }

    /// A page of what a search finds. First come the candidates, the best first; where there are more that hold the words,
    /// these follow, the latest first. `after` is what the page before gave as `next`.
    ///
    /// # Errors
    /// [`StoreError::NoCursor`] for an `after` of another search.
    pub async fn search_page(
        &self,
        query: &str,
        filter: &KnowledgeFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<KnowledgeHit>, StoreError> {
        let asked = asked(query);
        if asked.words.is_empty() {
            return match query.trim().is_empty() {
                true => self.latest(filter, after, limit).await,
                // Signs alone are in nothing.
                false => Ok(Page { items: Vec::new(), next: None }),
            };
        }
        let mut marks = filter.marks();
        marks.extend(filter.author.map(|author| format!("a={author}")));
        let name = name_of(&asked.phrase, &marks);
        let mut held = self.db.reader().await?;
        let by = &mut held;
        // Read before anything is looked for, so that all up to it is found.
        let size = self.hub_size(by).await?;
        let (items, place) = size;
        let known = self.known_words(by, &asked).await?;
        let mut terms = self.terms(by, &asked, &known, items).await?;
        let mut cursor = match after {
            Some(after) => after.parse::<SearchCursor>().ok().filter(|of| of.asked == name).ok_or(NoCursor)?,
            None => SearchCursor {
                asked: name,
                place,
                seconds: self.now().timestamp(),
                rarities: terms.iter().map(|term| term.rarity).collect(),
                depth: Depth::default(),
                read_to: ReadTo::Start,
            },
        };
        // A word that came or went in between may make more or fewer terms; then each counts as it does now.
        if cursor.rarities.len() == terms.len() {
            terms.iter_mut().zip(&cursor.rarities).for_each(|(term, rarity)| term.rarity = *rarity);
        }
        let span = Span {
            since: self.first_place(by, filter).await?,
            before: cursor.place.saturating_add(1),
            author: filter.author,
        };
        let first = cursor.read_to == ReadTo::Start;
        let round = self.candidates(by, &terms, filter, span, size, (!first).then_some(cursor.depth)).await?;
        cursor.depth = round.depth;
        let cursor = cursor;
        let scored = |found: Found| {
            let candidate = Candidate {
                title: &found.title,
                profile: Profile::read(&found.profile),
                days: (cursor.seconds - found.updated_at.timestamp()) as f64 / 86_400.0,
                helped: found.success_count,
                failed: found.failure_count,
            };
            (score(&terms, &asked.phrase, &candidate), found)
        };
        let places: HashSet<i64> = round.found.iter().map(|found| found.place).collect();
        let mut shown: Vec<(f64, Found)> = round.found.into_iter().map(scored).collect();
        shown.retain(|(score, found)| *score > 0.0 && cursor.is_after(*score, found.place));
        shown.sort_by(|(one, a), (other, b)| other.total_cmp(one).then(b.place.cmp(&a.place)));
        shown.truncate(limit + 1);
        let ranked = shown.len();
        if let Some(must) = round.widest.as_ref().filter(|_| round.depth.lowest > 0) {
            let mut before = if let ReadTo::Rest { place } = cursor.read_to { place } else { round.depth.lowest };
            // Each look passes over candidates, of which there are few; so there are few looks.
            while shown.len() <= limit {
                let more = self.look(by, must, Span { before, ..span }, &round.counts).await?;
                let full = more.len() as i64 == CANDIDATES;
                before = more.iter().map(|found| found.place).min().unwrap_or_default();
                let mut others: Vec<(f64, Found)> =
                    more.into_iter().filter(|found| !places.contains(&found.place)).map(scored).collect();
                others.sort_by_key(|(_, found)| std::cmp::Reverse(found.place));
                shown.extend(others);
                if !full {
                    break;
                }
            }
        }
        let more = shown.len() > limit;
        shown.truncate(limit);
        let next = shown.last().filter(|_| more).map(|(score, found)| {
            let read_to = match shown.len() > ranked {
                true => ReadTo::Rest { place: found.place },
                false => ReadTo::Ranked { score: *score, place: found.place },
            };
            SearchCursor { read_to, ..cursor.clone() }.to_string()
        });
        let words: HashSet<&str> = terms.iter().flat_map(|term| &term.meant).map(|meant| meant.word.as_str()).collect();
        let mut items = self.at_places(by, shown.iter().map(|(_, found)| found.place)).await?;
        drop(held);
        let mut hits = Vec::with_capacity(shown.len());
        for (score, found) in shown {
            let item = match items.remove(&found.place) {
                Some(item) => Some(item),
                // What changed in between stands elsewhere now; what is gone is not found.
                None => self.knowledge(found.id).await?.filter(|item| item.common.deleted_at.is_none()),
            };
            hits.extend(item.map(|item| hit(item, (score * 1e4).round() / 1e4, &words)));
        }
        Ok(Page { items: hits, next })
    }

    async fn latest(
        &self,
        filter: &KnowledgeFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<KnowledgeHit>, StoreError> {
        let after = after.map(|text| text.parse().map_err(|_| NoCursor)).transpose()?;
        let mut held = self.db.reader().await?;
        let mut places = self.places(&mut held, filter, after, limit as i64 + 1).await?;
        let more = places.len() > limit;
        places.truncate(limit);
        let mut items = self.at_places(&mut held, places.iter().copied()).await?;
        drop(held);
        Ok(Page {
            next: places.last().filter(|_| more).map(i64::to_string),
            items: places.iter().filter_map(|place| Some(hit(items.remove(place)?, 0.0, &HashSet::new()))).collect(),
        })
    }

    /// How many items the hub holds, and the place of its latest change.
    async fn hub_size(&self, by: &mut Reader) -> Result<(i64, i64), StoreError> {
        let sql = "SELECT items, place FROM knowledge_counter WHERE one = 1";
        Ok(read_by!(by, c => sqlx::query_as(sql).fetch_one(c).await)?)
    }

    /// The items that stand at these places, whole.
    async fn at_places(
        &self,
        by: &mut Reader,
        places: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, KnowledgeItem>, StoreError> {
        let list = listed_places(self.backend());
        let sql = format!("SELECT {WHOLE} FROM knowledge_items WHERE place {list}");
        let places = serde_json::to_string(&places.collect::<Vec<_>>())?;
        let rows: Vec<Row> =
            read_by!(by, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(places).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|row| (row.place, row.item())).collect())
    }

    /// The places of items that pass a filter, the latest first.
    pub(super) async fn places(
        &self,
        by: &mut Reader,
        filter: &KnowledgeFilter,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let since = self.first_place(by, filter).await?;
        let before = after.unwrap_or(i64::MAX);
        let marks: Must = filter.marks().into_iter().map(|mark| vec![mark]).collect();
        if marks.is_empty() {
            let of = if filter.author.is_some() { "created_by = $4 AND" } else { "" };
            let sql = format!(
                "SELECT place FROM knowledge_items WHERE {of} deleted_at IS NULL AND place >= $1 AND place < $2
                 ORDER BY place DESC LIMIT $3"
            );
            let places: Vec<(i64,)> = read_by!(by, c => {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(since).bind(before).bind(limit);
                let query = match filter.author {
                    Some(author) => query.bind(author),
                    None => query,
                };
                query.fetch_all(c).await
            })?;
            return Ok(places.into_iter().map(|(place,)| place).collect());
        }
        let of = match (filter.author, self.backend()) {
            (None, _) => "",
            (Some(_), Backend::Postgres) => "AND created_by = $5",
            (Some(_), Backend::Sqlite) => {
                "AND EXISTS (SELECT 1 FROM knowledge_items i WHERE i.place = knowledge_index.rowid AND i.created_by = $5)"
            }
        };
        let sql = match self.backend() {
            Backend::Sqlite => format!(
                "SELECT rowid FROM knowledge_index WHERE knowledge_index MATCH $1 AND rowid >= $2 AND rowid < $3 {of}
                 ORDER BY rowid DESC LIMIT $4"
            ),
            Backend::Postgres => format!(
                "SELECT place FROM knowledge_index WHERE terms @@ $1::tsquery AND place + 0 >= $2 AND place + 0 < $3 {of}
                 ORDER BY place + 0 DESC LIMIT $4"
            ),
        };
        let counts = self.counts(by, std::slice::from_ref(&marks), None).await?;
        for from in counts.windows(&marks, since, before, limit) {
            let (sql, must) = (sql.clone(), counts.expression(self.backend(), &marks, from, since, before));
            let places: Vec<(i64,)> = read_by!(by, c => {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(must).bind(from).bind(before).bind(limit);
                let query = match filter.author {
                    Some(author) => query.bind(author),
                    None => query,
                };
                query.persistent(false).fetch_all(c).await
            })?;
            if places.len() as i64 == limit || from == since {
                return Ok(places.into_iter().map(|(place,)| place).collect());
            }
        }
        Ok(Vec::new())
    }

    /// From which place on items changed since the moment that a filter names.
    async fn first_place(&self, by: &mut Reader, filter: &KnowledgeFilter) -> Result<i64, StoreError> {
        let Some(since) = filter.since else { return Ok(0) };
        let (place,): (Option<i64>,) = read_by!(by, c => sqlx::query_as(
            "SELECT min(place) FROM knowledge_items WHERE updated_at >= $1").bind(since).fetch_one(c).await)?;
        Ok(place.unwrap_or(i64::MAX))
    }

    /// Those among which the best are found. A later page looks as deep as the first did, `deep`, so that what somebody else
    /// changed brings no others.
    async fn candidates(
        &self,
        by: &mut Reader,
        terms: &[Term],
        filter: &KnowledgeFilter,
        span: Span,
        size: (i64, i64),
        deep: Option<Depth>,
    ) -> Result<Round, StoreError> {
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
        let counts = self.counts(by, &looks, Some(size)).await?;
        let mut looks = looks.into_iter();
        let mut found: BTreeMap<i64, Found> = BTreeMap::new();
        let mut depth = Depth::default();
        let mut widest = None;
        // A look at titles alone is never enough: what says more in its text may fit better. So there are two in any case.
        if let (Some(titles), Some(texts)) = (looks.next(), looks.next()) {
            let heads = span.from(deep.map_or(0, |deep| deep.titles));
            let words = span.from(deep.filter(|deep| deep.looks == 1).map_or(0, |deep| deep.lowest));
            let in_titles = self.look(by, &titles, heads, &counts).await?;
            let in_texts = self.look(by, &texts, words, &counts).await?;
            depth = Depth { looks: 1, titles: lowest_of(&in_titles), lowest: lowest_of(&in_texts) };
            found.extend(in_titles.into_iter().chain(in_texts).map(|one| (one.place, one)));
            widest = Some(texts);
        }
        // A look that finds so many that there are more is the last: it finds what the narrower ones did, too.
        for must in looks {
            if deep.map_or(found.len() >= ENOUGH, |deep| depth.looks >= deep.looks) {
                break;
            }
            depth.looks += 1;
            let words = span.from(deep.filter(|deep| deep.looks == depth.looks).map_or(0, |deep| deep.lowest));
            let more = self.look(by, &must, words, &counts).await?;
            depth.lowest = lowest_of(&more);
            found.extend(more.into_iter().map(|one| (one.place, one)));
            widest = Some(must);
        }
        Ok(Round { found: found.into_values().collect(), widest, depth: deep.unwrap_or(depth), counts })
    }

    /// One look into the index: the latest items of a span that hold all of it.
    async fn look(&self, by: &mut Reader, must: &Must, span: Span, counts: &Counts) -> Result<Vec<Found>, StoreError> {
        let of = if span.author.is_some() { "AND i.created_by = $5" } else { "" };
        let sql = match self.backend() {
            Backend::Sqlite => format!(
                "SELECT {FOUND} FROM knowledge_index CROSS JOIN knowledge_items i ON i.place = knowledge_index.rowid
                 WHERE knowledge_index MATCH $1 AND knowledge_index.rowid >= $2 AND knowledge_index.rowid < $3 {of}
                 ORDER BY knowledge_index.rowid DESC LIMIT $4"
            ),
            // By what is no column, or it could walk along the places, and read the terms of each.
            Backend::Postgres => format!(
                "SELECT {FOUND} FROM knowledge_index i WHERE i.terms @@ $1::tsquery AND i.place + 0 >= $2 AND i.place + 0 < $3 {of}
                 ORDER BY i.place + 0 DESC LIMIT $4"
            ),
        };
        for from in counts.windows(must, span.since, span.before, CANDIDATES) {
            let sql = sql.clone();
            let expression = counts.expression(self.backend(), must, from, span.since, span.before);
            // Planned for these very words: how frequent they are decides which way is short.
            let found: Vec<Found> = read_by!(by, c => {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&expression).bind(from).bind(span.before);
                let query = query.bind(CANDIDATES);
                let query = match span.author {
                    Some(author) => query.bind(author),
                    None => query,
                };
                query.persistent(false).fetch_all(c).await
            })?;
            if found.len() as i64 == CANDIDATES || from == span.since {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

/// The lowest place that a look came to; 0 if it found all that there was.
fn lowest_of(found: &[Found]) -> i64 {
    let lowest = found.iter().map(|found| found.place).min().filter(|_| found.len() as i64 == CANDIDATES);
    lowest.unwrap_or_default()
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
        status: match &item.details {
            KnowledgeDetails::Blueprint(of) => Some(of.status),
            KnowledgeDetails::Entry(_) | KnowledgeDetails::Learning(_) => None,
        },
        confidence: item.details.confidence(),
        created_by: item.common.created_by,
        origin: item.common.origin,
        updated_at: item.common.updated_at,
        application_count: item.standing.application_count,
        success_count: item.standing.success_count,
        failure_count: item.standing.failure_count,
    }
}
