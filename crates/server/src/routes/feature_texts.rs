//! What a card says: what it said before and the way back to that, and what a model makes of it.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_team::TextDraft;
use guildhall_types::agent::TaskState;
use guildhall_types::feature::Feature;
use guildhall_types::feature_text::{Enhancement, FeatureText};
use guildhall_types::{FeatureId, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::routes::deeds::usable_sandbox;

/// The texts of a card.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeatureTextList {
    /// The latest first, which is what the card says now, without their descriptions. The first text and the latest hundred are kept.
    items: Vec<FeatureText>,
}

/// Lists what a card said: its title and description from each change of them on.
#[utoipa::path(get, path = "/api/features/{id}/versions", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = FeatureTextList)))]
pub async fn list_feature_versions(
    State(app): State<App>,
    Path(id): Path<FeatureId>,
) -> Result<Json<FeatureTextList>, Problem> {
    Ok(Json(FeatureTextList { items: app.team.feature_texts(id).await? }))
}

/// Shows one of the texts of a card, whole.
#[utoipa::path(get, path = "/api/features/{id}/versions/{number}", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature."), ("number" = i64, Path, description = "The number of the text.")),
    responses((status = 200, body = FeatureText)))]
pub async fn get_feature_version(
    State(app): State<App>,
    Path((id, number)): Path<(FeatureId, i64)>,
) -> Result<Json<FeatureText>, Problem> {
    Ok(Json(app.team.feature_text(id, number).await?))
}

/// How a former text is taken back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreFeatureText {
    /// Refuses it when the card is no longer at this version.
    #[schema(nullable = false)]
    expect_version: Option<i64>,
}

/// Takes a former text of a card back: its title and its description. Everything else of the card stays.
#[utoipa::path(post, path = "/api/features/{id}/versions/{number}/restore", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature."), ("number" = i64, Path, description = "The number of the text.")),
    responses((status = 200, body = Feature)))]
pub async fn restore_feature_version(
    signed: Signed,
    Path((id, number)): Path<(FeatureId, i64)>,
    Json(body): Json<RestoreFeatureText>,
) -> Result<Json<Feature>, Problem> {
    Ok(Json(signed.team.restore_feature_text(id, number, body.expect_version).await?))
}

/// Erases a former text of a card for good. What the card says now is never erased: change it first.
///
/// Runs keep what they were given. The audit tells who erased which version of which card, without a word of it.
#[utoipa::path(delete, path = "/api/features/{id}/versions/{number}", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature."), ("number" = i64, Path, description = "The number of the text.")),
    responses((status = 204)))]
pub async fn erase_feature_version(
    signed: Signed,
    Path((id, number)): Path<(FeatureId, i64)>,
) -> Result<StatusCode, Problem> {
    signed.team.erase_feature_text(id, number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A text to be rewritten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnhanceText {
    /// What a model is to make of it.
    kind: Enhancement,
    /// What the card says, in Markdown; saved or not.
    description: String,
    /// What the card is called, if anything.
    #[schema(nullable = false)]
    title: Option<String>,
}

/// Asks a model, with one's own key, to rewrite what a card is to say.
///
/// The answer is a task; its `result` is the suggestion, once it has ended. No card is changed: whoever takes the suggestion saves the
/// card with it, and says so by `enhanced`.
#[utoipa::path(post, path = "/api/projects/{id}/enhance", tag = "features",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 202, body = TaskState)))]
pub async fn enhance_text(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(ask): Json<EnhanceText>,
) -> Result<(StatusCode, Json<TaskState>), Problem> {
    usable_sandbox(&app).await?;
    let draft = TextDraft { title: ask.title, description: ask.description };
    Ok((StatusCode::ACCEPTED, Json(signed.team.enhance(signed.member.id, id, ask.kind, &draft).await?)))
}
