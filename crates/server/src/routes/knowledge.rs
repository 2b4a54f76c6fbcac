//! The knowledge hub: searching, reading and writing items. What is special to learnings stands in `learnings`, versions in
//! `versions`.

pub mod files;
pub mod learnings;
pub mod versions;

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_store::KnowledgeFilter;
use guildhall_team::{KnowledgeSource, KnownItem};
use guildhall_types::knowledge::{
    AnyItem, Author, Blueprint, BlueprintDraft, Entry, EntryDraft, KnowledgeDraft, KnowledgeHit, KnowledgeItem,
    KnowledgeKind, KnowledgeRef, Learning, LearningDraft, SimilarItem, UpdateBlueprint, UpdateEntry, UpdateLearning,
    Via,
};
use guildhall_types::rights::MemberRight;
use guildhall_types::{DateTime, KnowledgeId, MemberId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Pass, Signed};
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::{page_size, word};

/// What a search finds when the request does not say.
const FOUND: i64 = 20;

/// Who writes, by what the request is signed in.
pub(super) fn author(signed: &Signed) -> Author {
    let via = match &signed.pass {
        Pass::Session(_) => Via::Page,
        Pass::Token(token) => Via::Token(token.id),
    };
    Author { member: signed.member.id, may_manage: signed.may(MemberRight::Administer), via }
}

/// Which items; what is absent says nothing, and all that is not must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SearchKnowledge {
    /// What to look for. Words may be misspelt, and the last one unfinished. Without it, the latest come first.
    #[param(nullable = false)]
    q: Option<String>,
    /// Only of this kind: `blueprint`, `entry` or `learning`.
    #[param(nullable = false)]
    kind: Option<String>,
    /// Only with all of these tags, with commas between them.
    #[param(nullable = false)]
    tag: Option<String>,
    /// Only of this category (blueprints) or type (entries, learnings).
    #[serde(rename = "type")]
    #[param(rename = "type", nullable = false)]
    sort: Option<String>,
    /// Only blueprints of this status.
    #[param(nullable = false)]
    status: Option<String>,
    /// Only learnings that stand so: `proposed`, `accepted` or `rejected`. Without it, all but rejected ones.
    #[param(nullable = false)]
    review: Option<String>,
    /// Only learnings as sure as that.
    #[param(nullable = false)]
    confidence: Option<String>,
    /// Only what speaks of this language.
    #[param(nullable = false)]
    language: Option<String>,
    /// Only what came by this way: `member`, `agent` or `token`.
    #[param(nullable = false)]
    origin: Option<String>,
    /// Only what this member, or an agent or a token of theirs, brought in.
    #[param(nullable = false)]
    author: Option<MemberId>,
    /// Only what agents may be given without a member's look.
    #[param(nullable = false)]
    trusted: Option<bool>,
    /// Only what changed from this moment on.
    #[param(nullable = false)]
    since: Option<DateTime>,
    /// What the page before gave as `next`. What changed since the first page is left out.
    #[param(nullable = false)]
    after: Option<String>,
    /// How many at most; 50 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// Which items of a kind; what is absent says nothing, and all that is not must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListKnowledge {
    /// Only with all of these tags, with commas between them.
    #[param(nullable = false)]
    tag: Option<String>,
    /// Only of this category (blueprints) or type (entries, learnings).
    #[serde(rename = "type")]
    #[param(rename = "type", nullable = false)]
    sort: Option<String>,
    /// Only blueprints of this status.
    #[param(nullable = false)]
    status: Option<String>,
    /// Only learnings that stand so: `proposed`, `accepted` or `rejected`. Without it, all but rejected ones.
    #[param(nullable = false)]
    review: Option<String>,
    /// Only learnings as sure as that.
    #[param(nullable = false)]
    confidence: Option<String>,
    /// Only what speaks of this language.
    #[param(nullable = false)]
    language: Option<String>,
    /// Only what came by this way: `member`, `agent` or `token`.
    #[param(nullable = false)]
    origin: Option<String>,
    /// Only what this member, or an agent or a token of theirs, brought in.
    #[param(nullable = false)]
    author: Option<MemberId>,
    /// Only what changed from this moment on.
    #[param(nullable = false)]
    since: Option<DateTime>,
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<String>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

fn tags(text: Option<&str>) -> Vec<String> {
    let all = text.unwrap_or_default().split(',').map(str::trim).filter(|tag| !tag.is_empty());
    all.map(str::to_owned).collect()
}

fn chosen<T: serde::de::DeserializeOwned>(field: &str, text: Option<&String>) -> Result<Option<T>, Problem> {
    text.map(|text| word(field, text)).transpose()
}

/// Reads a category or a type: one of this kind's, or of any where none is named.
fn sort_of(kind: Option<KnowledgeKind>, text: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let words: Vec<&str> = match kind {
        Some(kind) => kind.sorts(),
        None => KnowledgeKind::ALL.iter().flat_map(|kind| kind.sorts()).collect(),
    };
    match words.contains(&text.as_str()) {
        true => Ok(Some(text)),
        false => {
            Err(Problem::invalid("type", format!("there is no type {text:?}; choose one of {}", words.join(", "))))
        }
    }
}

impl ListKnowledge {
    fn filter(&self, kind: KnowledgeKind) -> Result<KnowledgeFilter, Problem> {
        Ok(KnowledgeFilter {
            kind: Some(kind),
            tags: tags(self.tag.as_deref()),
            sort: sort_of(Some(kind), self.sort.clone())?,
            status: chosen("status", self.status.as_ref())?,
            // As a search does: what was found wrong is shown to who asks for it.
            standing: kind == KnowledgeKind::Learning && self.review.is_none(),
            review: chosen("review", self.review.as_ref())?,
            confidence: chosen("confidence", self.confidence.as_ref())?,
            language: self.language.clone(),
            origin: chosen("origin", self.origin.as_ref())?,
            author: self.author,
            trusted: false,
            since: self.since,
        })
    }
}

/// Reads where the page before ended: a number.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<i64>, Problem> {
    let number =
        |text: &str| text.parse().map_err(|_| Problem::invalid("after", "give what the page before gave as next"));
    after.map(number).transpose()
}

/// What a search found.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnowledgeHits {
    /// The best first; where very much holds the words, the others follow, the latest first.
    items: Vec<KnowledgeHit>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Searches the hub, over all kinds.
#[utoipa::path(get, path = "/api/knowledge/search", tag = "knowledge", params(SearchKnowledge),
    responses((status = 200, body = KnowledgeHits)))]
pub async fn search_knowledge(
    State(app): State<App>,
    Query(query): Query<SearchKnowledge>,
) -> Result<Json<KnowledgeHits>, Problem> {
    let limit = match query.limit.unwrap_or(FOUND) {
        limit @ 1..=50 => usize::try_from(limit).unwrap_or_default(),
        _ => return Err(Problem::invalid("limit", "give a number from 1 to 50")),
    };
    let kind = chosen("kind", query.kind.as_ref())?;
    let filter = KnowledgeFilter {
        kind,
        tags: tags(query.tag.as_deref()),
        sort: sort_of(kind, query.sort)?,
        status: chosen("status", query.status.as_ref())?,
        standing: query.review.is_none(),
        review: chosen("review", query.review.as_ref())?,
        confidence: chosen("confidence", query.confidence.as_ref())?,
        language: query.language,
        origin: chosen("origin", query.origin.as_ref())?,
        author: query.author,
        trusted: query.trusted.unwrap_or_default(),
        since: query.since,
    };
    let words = query.q.as_deref().unwrap_or_default();
    let page = app.team.search_page(words, &filter, query.after.as_deref(), limit).await?;
    Ok(Json(KnowledgeHits { items: page.items, next: page.next }))
}

/// A text to which the like is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SimilarKnowledge {
    /// Its title.
    title: String,
    /// Its text.
    #[param(nullable = false)]
    content: Option<String>,
    /// What it is to be, `blueprint`, `entry` or `learning`; an entry when absent. Two of a kind with one title are alike in any
    /// case.
    #[param(nullable = false)]
    kind: Option<String>,
    /// An item that is left out.
    #[param(nullable = false)]
    but: Option<KnowledgeId>,
}

/// What says much the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimilarItems {
    /// The likest first.
    items: Vec<SimilarItem>,
}

/// Shows what says much the same as a text, so that nothing is written twice.
#[utoipa::path(get, path = "/api/knowledge/similar", tag = "knowledge", params(SimilarKnowledge),
    responses((status = 200, body = SimilarItems)))]
pub async fn similar_knowledge(
    State(app): State<App>,
    Query(query): Query<SimilarKnowledge>,
) -> Result<Json<SimilarItems>, Problem> {
    let content = query.content.filter(|content| !content.trim().is_empty()).unwrap_or_else(|| query.title.clone());
    let kind = chosen("kind", query.kind.as_ref())?.unwrap_or(KnowledgeKind::Entry);
    let draft = KnowledgeDraft::bare(kind, query.title, content);
    Ok(Json(SimilarItems { items: app.team.similar_knowledge(draft, query.but).await? }))
}

/// An item with what it is related to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelatedItem {
    /// The item.
    item: AnyItem,
    /// What it names as related.
    related: Vec<KnowledgeRef>,
    /// What names it as related.
    related_from: Vec<KnowledgeRef>,
}

/// Shows an item of any kind, with what it is related to.
#[utoipa::path(get, path = "/api/knowledge/items/{id}", tag = "knowledge",
    params(("id" = KnowledgeId, Path, description = "The item.")), responses((status = 200, body = RelatedItem)))]
pub async fn get_knowledge(State(app): State<App>, Path(id): Path<KnowledgeId>) -> Result<Json<RelatedItem>, Problem> {
    let KnownItem { item, related, related_from } = app.team.known_item(id).await?;
    Ok(Json(RelatedItem { item: item.shown(), related, related_from }))
}

/// Deleted items.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedPage {
    /// Those deleted last first, without their contents.
    items: Vec<AnyItem>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Which page of the deleted items.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListDeleted {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<String>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// Lists deleted items, which can be taken back.
#[utoipa::path(get, path = "/api/knowledge/deleted", tag = "knowledge", params(ListDeleted),
    responses((status = 200, body = DeletedPage)))]
pub async fn list_deleted_knowledge(
    State(app): State<App>,
    Query(query): Query<ListDeleted>,
) -> Result<Json<DeletedPage>, Problem> {
    let page = app.team.store.deleted_knowledge(cursor(query.after.as_deref())?, page_size(query.limit)?).await?;
    Ok(Json(DeletedPage { items: page.items.into_iter().map(KnowledgeItem::shown).collect(), next: page.next }))
}

/// Whether an item is to be written although the hub holds much the same.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Anyway {
    /// Write it although the hub holds much the same.
    #[param(nullable = false)]
    anyway: Option<bool>,
}

/// Why an item is deleted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// Why, for whoever reads the history.
    #[param(nullable = false)]
    why: Option<String>,
}

fn other_kind() -> Problem {
    Problem::internal("an item of another kind came back")
}

/// The routes that each kind has, typed.
macro_rules! kind {
    ($kind:ident, $plural:literal, $what:literal, $draft:ident, $update:ident, $page:ident,
     $list:ident, $create:ident, $get:ident, $put:ident, $delete:ident) => {
        /// A page of items of one kind.
        #[derive(Debug, Serialize, ToSchema)]
        pub struct $page {
            /// The latest change first, without their contents.
            items: Vec<$kind>,
            /// Where the next page begins, if there is one.
            next: Option<String>,
        }

        impl TryFrom<Shown> for $kind {
            type Error = Problem;

            fn try_from(Shown(item): Shown) -> Result<Self, Problem> {
                match item.shown() {
                    AnyItem::$kind(shown) => Ok(shown),
                    _ => Err(other_kind()),
                }
            }
        }

        #[doc = concat!("Lists ", $plural, ".")]
        #[utoipa::path(get, summary = concat!("Lists ", $plural, "."), path = concat!("/api/knowledge/", $plural), tag = "knowledge", params(ListKnowledge),
            responses((status = 200, body = $page)))]
        pub async fn $list(
            State(app): State<App>,
            Query(query): Query<ListKnowledge>,
        ) -> Result<Json<$page>, Problem> {
            let filter = query.filter(KnowledgeKind::$kind)?;
            let after = cursor(query.after.as_deref())?;
            let page = app.team.store.knowledge_list(&filter, after, page_size(query.limit)?).await?;
            let items = page.items.into_iter().map(|item| Shown(item).try_into()).collect::<Result<_, _>>()?;
            Ok(Json($page { items, next: page.next }))
        }

        #[doc = concat!("Writes ", $what, ".")]
        #[utoipa::path(post, summary = concat!("Writes ", $what, "."), path = concat!("/api/knowledge/", $plural), tag = "knowledge", params(Anyway),
            responses((status = 201, body = $kind)))]
        pub async fn $create(
            signed: Signed,
            Query(query): Query<Anyway>,
            Json(draft): Json<$draft>,
        ) -> Result<(StatusCode, Json<$kind>), Problem> {
            let anyway = query.anyway.unwrap_or_default();
            let source = KnowledgeSource::default();
            let item = signed.team.create_knowledge(&author(&signed), draft.into(), source, anyway).await?;
            Ok((StatusCode::CREATED, Json(Shown(item).try_into()?)))
        }

        #[doc = concat!("Shows ", $what, ", whole; also a deleted one, which says so.")]
        #[utoipa::path(get, summary = concat!("Shows ", $what, ", whole; also a deleted one, which says so."), path = concat!("/api/knowledge/", $plural, "/{id}"), tag = "knowledge",
            params(("id" = KnowledgeId, Path, description = "The item.")), responses((status = 200, body = $kind)))]
        pub async fn $get(State(app): State<App>, Path(id): Path<KnowledgeId>) -> Result<Json<$kind>, Problem> {
            Ok(Json(Shown(app.team.knowledge(KnowledgeKind::$kind, id).await?).try_into()?))
        }

        #[doc = concat!("Changes ", $what, ": what is sent is the whole of it from then on.")]
        #[utoipa::path(put, summary = concat!("Changes ", $what, ": what is sent is the whole of it from then on."), path = concat!("/api/knowledge/", $plural, "/{id}"), tag = "knowledge",
            params(("id" = KnowledgeId, Path, description = "The item.")), responses((status = 200, body = $kind)))]
        pub async fn $put(
            signed: Signed,
            Path(id): Path<KnowledgeId>,
            Json(update): Json<$update>,
        ) -> Result<Json<$kind>, Problem> {
            let (draft, version, why) = update.split();
            let by = author(&signed);
            let item = signed.team.update_knowledge(&by, id, version, draft.into(), why.as_deref()).await?;
            Ok(Json(Shown(item).try_into()?))
        }

        #[doc = concat!("Deletes ", $what, ": its author may, and an admin. It can be taken back.")]
        #[utoipa::path(delete, summary = concat!("Deletes ", $what, ": its author may, and an admin. It can be taken back."), path = concat!("/api/knowledge/", $plural, "/{id}"), tag = "knowledge",
            params(("id" = KnowledgeId, Path, description = "The item."), Why), responses((status = 204)))]
        pub async fn $delete(
            signed: Signed,
            Path(id): Path<KnowledgeId>,
            Query(query): Query<Why>,
        ) -> Result<StatusCode, Problem> {
            let by = author(&signed);
            signed.team.delete_knowledge(&by, KnowledgeKind::$kind, id, query.why.as_deref()).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    };
}

/// An item on its way to be shown.
struct Shown(KnowledgeItem);

kind!(
    Blueprint,
    "blueprints",
    "a blueprint",
    BlueprintDraft,
    UpdateBlueprint,
    BlueprintPage,
    list_blueprints,
    create_blueprint,
    get_blueprint,
    update_blueprint,
    delete_blueprint
);
kind!(
    Entry,
    "entries",
    "an entry",
    EntryDraft,
    UpdateEntry,
    EntryPage,
    list_entries,
    create_entry,
    get_entry,
    update_entry,
    delete_entry
);
kind!(
    Learning,
    "learnings",
    "a learning",
    LearningDraft,
    UpdateLearning,
    LearningPage,
    list_learnings,
    create_learning,
    get_learning,
    update_learning,
    delete_learning
);
