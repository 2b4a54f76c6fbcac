//! Versions of items: looking at them, comparing them, taking them back.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_types::KnowledgeId;
use guildhall_types::knowledge::compare::ComparedField;
use guildhall_types::knowledge::{AnyItem, KnowledgeKind, KnowledgeVersion};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{author, cursor};
use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::page_size;

/// A kind, as it stands in an address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindPath {
    /// Blueprints.
    Blueprints,
    /// Entries.
    Entries,
    /// Learnings.
    Learnings,
}

impl From<KindPath> for KnowledgeKind {
    fn from(of: KindPath) -> Self {
        match of {
            KindPath::Blueprints => Self::Blueprint,
            KindPath::Entries => Self::Entry,
            KindPath::Learnings => Self::Learning,
        }
    }
}

/// Which page of the changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListVersions {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<String>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of the changes of an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionPage {
    /// The latest first, without their texts.
    items: Vec<KnowledgeVersion>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists the changes of an item.
#[utoipa::path(get, path = "/api/knowledge/{kind}/{id}/versions", tag = "knowledge",
    params(("kind" = KindPath, Path, description = "The kind."), ("id" = KnowledgeId, Path, description = "The item."),
        ListVersions), responses((status = 200, body = VersionPage)))]
pub async fn list_knowledge_versions(
    State(app): State<App>,
    Path((kind, id)): Path<(KindPath, KnowledgeId)>,
    Query(query): Query<ListVersions>,
) -> Result<Json<VersionPage>, Problem> {
    let before = cursor(query.after.as_deref())?;
    let page = app.team.knowledge_versions(kind.into(), id, before, page_size(query.limit)?).await?;
    Ok(Json(VersionPage { items: page.items, next: page.next }))
}

/// Shows one change of an item, with the text as it was from then on.
#[utoipa::path(get, path = "/api/knowledge/{kind}/{id}/versions/{version}", tag = "knowledge",
    params(("kind" = KindPath, Path, description = "The kind."), ("id" = KnowledgeId, Path, description = "The item."),
        ("version" = i64, Path, description = "The number of the change.")),
    responses((status = 200, body = KnowledgeVersion)))]
pub async fn get_knowledge_version(
    State(app): State<App>,
    Path((kind, id, version)): Path<(KindPath, KnowledgeId, i64)>,
) -> Result<Json<KnowledgeVersion>, Problem> {
    Ok(Json(app.team.knowledge_version(kind.into(), id, version).await?))
}

/// With which version another is compared.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CompareWith {
    /// The later version; the one before `version` is the former when it is absent.
    #[param(nullable = false)]
    with: Option<i64>,
}

/// How two versions of an item differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnowledgeComparison {
    /// The former version.
    from: i64,
    /// The later one.
    to: i64,
    /// The fields that differ.
    fields: Vec<ComparedField>,
}

/// Compares two versions of an item, line by line: `version` with the one before it, or with another.
#[utoipa::path(get, path = "/api/knowledge/{kind}/{id}/versions/{version}/compare", tag = "knowledge",
    params(("kind" = KindPath, Path, description = "The kind."), ("id" = KnowledgeId, Path, description = "The item."),
        ("version" = i64, Path, description = "The number of a change."), CompareWith),
    responses((status = 200, body = KnowledgeComparison)))]
pub async fn compare_knowledge_versions(
    State(app): State<App>,
    Path((kind, id, version)): Path<(KindPath, KnowledgeId, i64)>,
    Query(query): Query<CompareWith>,
) -> Result<Json<KnowledgeComparison>, Problem> {
    let (from, to) = match query.with {
        Some(with) => (version, with),
        // The first version has none before it: it is compared with itself, and nothing differs.
        None => (version.saturating_sub(1).max(1), version),
    };
    Ok(Json(KnowledgeComparison { from, to, fields: app.team.compare_knowledge(kind.into(), id, from, to).await? }))
}

/// What is taken back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreKnowledge {
    /// The version whose text is taken back; absent to take back a deleted item as it is.
    #[schema(nullable = false)]
    version: Option<i64>,
    /// The version that was looked at: refused when it is another by now.
    #[schema(nullable = false)]
    current: Option<i64>,
    /// Why, for whoever reads the history.
    #[schema(nullable = false)]
    why: Option<String>,
}

/// Takes back a deleted item, or the text of a former version.
#[utoipa::path(post, path = "/api/knowledge/{kind}/{id}/restore", tag = "knowledge",
    params(("kind" = KindPath, Path, description = "The kind."), ("id" = KnowledgeId, Path, description = "The item.")),
    responses((status = 200, body = AnyItem)))]
pub async fn restore_knowledge(
    signed: Signed,
    Path((kind, id)): Path<(KindPath, KnowledgeId)>,
    Json(body): Json<RestoreKnowledge>,
) -> Result<Json<AnyItem>, Problem> {
    let by = author(&signed);
    let (kind, why) = (kind.into(), body.why.as_deref());
    let item = signed.team.restore_knowledge(&by, kind, id, body.version, body.current, why).await?;
    Ok(Json(item.shown()))
}

/// What is erased.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseKnowledge {
    /// Former versions whose texts are erased; absent to erase the whole item.
    #[schema(nullable = false)]
    versions: Option<Vec<i64>>,
}

/// Erases an item, or former texts of it, for good: nobody can take that back. For admins.
#[utoipa::path(post, path = "/api/knowledge/{kind}/{id}/erase", tag = "knowledge",
    params(("kind" = KindPath, Path, description = "The kind."), ("id" = KnowledgeId, Path, description = "The item.")),
    responses((status = 204, description = "Nothing is left of it.")))]
pub async fn erase_knowledge(
    signed: Signed,
    Path((kind, id)): Path<(KindPath, KnowledgeId)>,
    Json(body): Json<EraseKnowledge>,
) -> Result<StatusCode, Problem> {
    signed.team.erase_knowledge(&author(&signed), kind.into(), id, body.versions.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
