//! The knowledge hub: items, their versions and relations. What is searched for stands in `search`, what is told to the
//! indexes in `index`, what came of using a learning in `applied`; the way through all of it is `walk`.

mod anew;
mod applied;
mod back;
mod erase;
mod index;
mod judge;
mod search;
mod traces;
mod walk;
mod write;

use guildhall_types::knowledge::index::Mark;
use guildhall_types::knowledge::item::LearningStanding;
use guildhall_types::knowledge::{
    BlueprintStatus, KnowledgeCommon, KnowledgeDeed, KnowledgeDetails, KnowledgeDraft, KnowledgeItem, KnowledgeKind,
    KnowledgeOrigin, KnowledgeRef, KnowledgeReview, KnowledgeVersion, LearningConfidence,
};
use guildhall_types::{DateTime, FeatureId, KnowledgeId, MemberId, RunId};
use sqlx::types::Json;

use crate::{Backend, Page, Store, StoreError, Tx, on, read};

pub use applied::Applied;
pub use judge::Judged;
pub use write::NewKnowledge;

/// What lists show.
const SHORT: &str = "id, place, title, tags, review, reject_reason, verified_by, verified_at, application_count, \
    success_count, failure_count, origin, source_run_id, source_feature_id, version, created_by, created_at, updated_by, \
    updated_at, deleted_at, description, related, details, CAST(NULL AS TEXT) AS content";
/// What a whole item holds.
const WHOLE: &str = "id, place, title, tags, review, reject_reason, verified_by, verified_at, application_count, \
    success_count, failure_count, origin, source_run_id, source_feature_id, version, created_by, created_at, updated_by, \
    updated_at, deleted_at, description, related, details, content";
/// Items of a page at most.
const PAGE: i64 = 500;

#[derive(sqlx::FromRow)]
struct Row {
    id: KnowledgeId,
    place: i64,
    title: String,
    tags: Json<Vec<String>>,
    review: KnowledgeReview,
    reject_reason: Option<String>,
    verified_by: Option<MemberId>,
    verified_at: Option<DateTime>,
    application_count: i64,
    success_count: i64,
    failure_count: i64,
    origin: KnowledgeOrigin,
    source_run_id: Option<RunId>,
    source_feature_id: Option<FeatureId>,
    version: i64,
    created_by: MemberId,
    created_at: DateTime,
    updated_by: MemberId,
    updated_at: DateTime,
    deleted_at: Option<DateTime>,
    description: String,
    related: Json<Vec<KnowledgeId>>,
    details: Json<KnowledgeDetails>,
    content: Option<String>,
}

impl Row {
    fn item(self) -> KnowledgeItem {
        KnowledgeItem {
            title: self.title,
            common: KnowledgeCommon {
                id: self.id,
                kind: self.details.kind(),
                description: self.description,
                content: self.content,
                tags: self.tags.0,
                related: self.related.0,
                origin: self.origin,
                source_run_id: self.source_run_id,
                source_feature_id: self.source_feature_id,
                version: self.version,
                created_by: self.created_by,
                created_at: self.created_at,
                updated_by: self.updated_by,
                updated_at: self.updated_at,
                deleted_at: self.deleted_at,
            },
            details: self.details.0,
            standing: LearningStanding {
                review: self.review,
                reject_reason: self.reject_reason,
                verified_by: self.verified_by,
                verified_at: self.verified_at,
                application_count: self.application_count,
                success_count: self.success_count,
                failure_count: self.failure_count,
            },
        }
    }
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    item_id: KnowledgeId,
    version: i64,
    deed: KnowledgeDeed,
    why: Option<String>,
    member_id: MemberId,
    origin: KnowledgeOrigin,
    run_id: Option<RunId>,
    at: DateTime,
    erased_at: Option<DateTime>,
    draft: Option<Json<KnowledgeDraft>>,
}

impl VersionRow {
    fn version(self) -> KnowledgeVersion {
        KnowledgeVersion {
            item_id: self.item_id,
            version: self.version,
            deed: self.deed,
            why: self.why,
            member_id: self.member_id,
            origin: self.origin,
            run_id: self.run_id,
            at: self.at,
            erased_at: self.erased_at,
            draft: self.draft.map(|Json(draft)| draft),
        }
    }
}

/// Which items; what is absent says nothing, and all that is not must hold.
#[derive(Debug, Clone, Default)]
pub struct KnowledgeFilter {
    /// Of this kind.
    pub kind: Option<KnowledgeKind>,
    /// With all of these tags.
    pub tags: Vec<String>,
    /// Of this category or type.
    pub sort: Option<String>,
    /// Blueprints of this status.
    pub status: Option<BlueprintStatus>,
    /// Learnings that stand so.
    pub review: Option<KnowledgeReview>,
    /// Learnings as sure as that.
    pub confidence: Option<LearningConfidence>,
    /// That speak of this language.
    pub language: Option<String>,
    /// That came by this way.
    pub origin: Option<KnowledgeOrigin>,
    /// That this member, or an agent or a token of theirs, brought in.
    pub author: Option<MemberId>,
    /// That agents may be given without a member's look.
    pub trusted: bool,
    /// But for rejected learnings.
    pub standing: bool,
    /// That changed from this moment on.
    pub since: Option<DateTime>,
}

impl KnowledgeFilter {
    fn marks(&self) -> Vec<String> {
        let mut marks: Vec<Mark<'_>> = self.tags.iter().map(|tag| Mark::Tag(tag)).collect();
        marks.extend(self.kind.map(Mark::Kind));
        marks.extend(self.sort.as_deref().map(Mark::Sort));
        marks.extend(self.status.map(Mark::Status));
        marks.extend(self.review.map(Mark::Review));
        marks.extend(self.confidence.map(Mark::Confidence));
        marks.extend(self.language.as_deref().map(Mark::Language));
        marks.extend(self.origin.map(Mark::Origin));
        marks.extend(self.trusted.then_some(Mark::Trusted));
        marks.extend(self.standing.then_some(Mark::Standing));
        marks.iter().map(Mark::term).collect()
    }
}

/// An SQL list out of a list as JSON, bound as `$n`.
fn listed(backend: Backend, n: usize) -> String {
    match backend {
        Backend::Sqlite => format!("IN (SELECT value FROM json_each(${n}))"),
        Backend::Postgres => format!("= ANY (ARRAY (SELECT jsonb_array_elements_text(${n}::jsonb)))"),
    }
}

/// The condition that a place is one of those in a list of numbers, the first parameter.
const fn listed_places(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "IN (SELECT value FROM json_each($1))",
        Backend::Postgres => "= ANY (ARRAY (SELECT jsonb_array_elements_text($1::jsonb)::bigint))",
    }
}

impl Store {
    /// The item with this id, whole; a deleted one, too, unless it was erased.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge(&self, id: KnowledgeId) -> Result<Option<KnowledgeItem>, StoreError> {
        let sql = format!("SELECT {WHOLE} FROM knowledge_items WHERE id = $1 AND erased_at IS NULL");
        let row: Option<Row> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        Ok(row.map(Row::item))
    }

    async fn knowledge_in(&self, tx: &mut Tx, id: KnowledgeId) -> Result<(KnowledgeItem, i64), StoreError> {
        let sql = format!("SELECT {WHOLE} FROM knowledge_items WHERE id = $1 AND erased_at IS NULL");
        let row: Option<Row> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let row = row.ok_or(StoreError::NotFound { what: "item" })?;
        let place = row.place;
        Ok((row.item(), place))
    }

    /// A page of the items that pass a filter, the latest change first, without their contents.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_list(
        &self,
        filter: &KnowledgeFilter,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Page<KnowledgeItem>, StoreError> {
        let limit = limit.clamp(1, PAGE);
        let places = self.places(&mut self.db.reader().await?, filter, after, limit + 1).await?;
        self.page_of(places, limit).await
    }

    /// A page of the deleted items, those deleted last first, without their contents.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deleted_knowledge(&self, after: Option<i64>, limit: i64) -> Result<Page<KnowledgeItem>, StoreError> {
        let limit = limit.clamp(1, PAGE);
        let places: Vec<(i64,)> = read!(self, c => sqlx::query_as(
            "SELECT place FROM knowledge_items WHERE deleted_at IS NOT NULL AND erased_at IS NULL AND place < $1
             ORDER BY place DESC LIMIT $2")
            .bind(after.unwrap_or(i64::MAX)).bind(limit + 1).fetch_all(c).await)?;
        self.page_of(places.into_iter().map(|(place,)| place).collect(), limit).await
    }

    /// Everything that a run brought into the hub, deleted or not, without contents.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_of_run(&self, run: RunId) -> Result<Vec<KnowledgeItem>, StoreError> {
        let sql = format!(
            "SELECT {SHORT} FROM knowledge_items WHERE source_run_id = $1 AND erased_at IS NULL
             ORDER BY place DESC LIMIT {PAGE}"
        );
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run).fetch_all(c).await)?;
        Ok(rows.into_iter().map(Row::item).collect())
    }

    async fn page_of(&self, mut places: Vec<i64>, limit: i64) -> Result<Page<KnowledgeItem>, StoreError> {
        let more = places.len() as i64 > limit;
        places.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let list = listed_places(self.backend());
        let sql = format!("SELECT {SHORT} FROM knowledge_items WHERE place {list} ORDER BY place DESC");
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(serde_json::to_string(&places)?).fetch_all(c).await)?;
        let next = rows.last().filter(|_| more).map(|row| row.place.to_string());
        Ok(Page { items: rows.into_iter().map(Row::item).collect(), next })
    }

    /// The items with these ids, in no order, whole or without their contents. Those that are not there are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_items(&self, ids: &[KnowledgeId], whole: bool) -> Result<Vec<KnowledgeItem>, StoreError> {
        let mut items = Vec::with_capacity(ids.len());
        let columns = if whole { WHOLE } else { SHORT };
        // By their ids one after the other: on SQLite an id is no text, so no list of texts names it.
        let sql = format!("SELECT {columns} FROM knowledge_items WHERE id = $1 AND erased_at IS NULL");
        for id in ids {
            let sql = sql.clone();
            let row: Option<Row> =
                read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(*id).fetch_optional(c).await)?;
            items.extend(row.map(Row::item));
        }
        Ok(items)
    }

    /// What an item names as related, and what names it, but for deleted ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_relations(
        &self,
        id: KnowledgeId,
    ) -> Result<(Vec<KnowledgeRef>, Vec<KnowledgeRef>), StoreError> {
        let to: Vec<KnowledgeRef> = read!(self, c => sqlx::query_as(
            "SELECT i.id, i.kind, i.title FROM knowledge_relations r JOIN knowledge_items i ON i.id = r.related_id
             WHERE r.item_id = $1 AND i.deleted_at IS NULL ORDER BY i.place DESC").bind(id).fetch_all(c).await)?;
        let from: Vec<KnowledgeRef> = read!(self, c => sqlx::query_as(
            "SELECT i.id, i.kind, i.title FROM knowledge_relations r JOIN knowledge_items i ON i.id = r.item_id
             WHERE r.related_id = $1 AND i.deleted_at IS NULL ORDER BY i.place DESC LIMIT 100").bind(id).fetch_all(c).await)?;
        Ok((to, from))
    }

    /// The changes of an item, the latest first, without their texts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_versions(
        &self,
        id: KnowledgeId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Page<KnowledgeVersion>, StoreError> {
        let limit = limit.clamp(1, PAGE);
        // The draft is left out as an absent value of its own type.
        let none = match self.backend() {
            Backend::Sqlite => "CAST(NULL AS TEXT)",
            Backend::Postgres => "CAST(NULL AS JSONB)",
        };
        let sql = format!(
            "SELECT item_id, version, deed, why, member_id, origin, run_id, at, erased_at, {none} AS draft FROM knowledge_versions
             WHERE item_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3"
        );
        let mut rows: Vec<VersionRow> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id)
            .bind(before.unwrap_or(i64::MAX)).bind(limit + 1).fetch_all(c).await)?;
        let more = rows.len() as i64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| more).map(|row| row.version.to_string());
        Ok(Page { items: rows.into_iter().map(VersionRow::version).collect(), next })
    }

    /// One change of an item, with the text as it was from then on, unless that was erased.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_version(
        &self,
        id: KnowledgeId,
        version: i64,
    ) -> Result<Option<KnowledgeVersion>, StoreError> {
        let row: Option<VersionRow> = read!(self, c => sqlx::query_as(
            "SELECT item_id, version, deed, why, member_id, origin, run_id, at, erased_at,
               CASE WHEN erased_at IS NULL THEN draft END AS draft FROM knowledge_versions
             WHERE item_id = $1 AND version = $2").bind(id).bind(version).fetch_optional(c).await)?;
        Ok(row.map(VersionRow::version))
    }
}
