//! Features: reading and writing cards.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_store::{FeaturePatch, FeatureQuery};
use guildhall_team::NewCard;
use guildhall_types::feature::{Feature, FeatureCard, PlanningMode, ThinkingLevel};
use guildhall_types::feature_text::TextDeed;
use guildhall_types::{AgentId, FeatureId, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query, present};
use crate::problem::Problem;
use crate::routes::{page_size, word};

/// Which cards.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListFeatures {
    /// Only in these statuses, with commas between them.
    #[param(nullable = false)]
    status: Option<String>,
    /// Only with this text in title or description, or with this number.
    #[param(nullable = false)]
    q: Option<String>,
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<String>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of cards.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeaturePage {
    /// The cards, in the board's order.
    items: Vec<FeatureCard>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists a project's cards in the board's order.
#[utoipa::path(get, path = "/api/projects/{id}/features", tag = "features",
    params(("id" = ProjectId, Path, description = "The project."), ListFeatures), responses((status = 200, body = FeaturePage)))]
pub async fn list_features(
    State(app): State<App>,
    Path(id): Path<ProjectId>,
    Query(query): Query<ListFeatures>,
) -> Result<Json<FeaturePage>, Problem> {
    let limit = page_size(query.limit)?;
    let words = query.status.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    let status = words.map(|text| word("status", text)).collect::<Result<_, _>>()?;
    if let Some(after) = &query.after {
        after
            .split_once('_')
            .filter(|(position, id)| position.parse::<f64>().is_ok() && id.parse::<FeatureId>().is_ok())
            .ok_or_else(|| Problem::invalid("after", "give what the page before gave as next"))?;
    }
    if app.team.store.project(id).await?.is_none() {
        return Err(Problem::not_found("project"));
    }
    let page = app.team.store.features(id, &FeatureQuery { status, text: query.q, after: query.after, limit }).await?;
    Ok(Json(FeaturePage { items: page.items, next: page.next }))
}

/// A card to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateFeature {
    /// What to build, in Markdown.
    description: String,
    /// A few words; made from the description when absent.
    title: Option<String>,
    /// A free label to group by.
    category: Option<String>,
    /// 1 (first) to 3 (last); 2 when absent.
    priority: Option<i64>,
    /// Features of the same project that must be verified or completed first.
    dependencies: Option<Vec<FeatureId>>,
    /// How much of a plan comes first.
    planning_mode: Option<PlanningMode>,
    /// Whether a person approves the plan before work starts.
    require_plan_approval: Option<bool>,
    /// How hard the model is asked to think.
    thinking_level: Option<ThinkingLevel>,
    /// Who works on it; the usual agent when absent.
    agent_id: Option<AgentId>,
    /// The model to use; the agent's, the project's or the server's default when absent.
    model: Option<String>,
    /// The branch to work on; made from number and title when absent.
    branch: Option<String>,
    /// Whether the project's checks are left out.
    skip_verification: Option<bool>,
    /// Whether a person looks at the work, whatever the project does after it.
    needs_approval: Option<bool>,
    /// What a run of it may cost, in micro-dollars; the team's limit when absent.
    budget_micros: Option<i64>,
}

/// Writes a card at the end of the backlog.
#[utoipa::path(post, path = "/api/projects/{id}/features", tag = "features",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 201, body = Feature)))]
pub async fn create_feature(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(new): Json<CreateFeature>,
) -> Result<(StatusCode, Json<Feature>), Problem> {
    let card = NewCard {
        title: new.title,
        description: new.description,
        category: new.category,
        priority: new.priority,
        agent_id: new.agent_id,
        model: new.model,
        thinking_level: new.thinking_level,
        planning_mode: new.planning_mode,
        require_plan_approval: new.require_plan_approval,
        skip_verification: new.skip_verification,
        needs_approval: new.needs_approval,
        budget_micros: new.budget_micros,
        branch: new.branch,
        dependencies: new.dependencies.unwrap_or_default(),
    };
    Ok((StatusCode::CREATED, Json(signed.team.create_feature(&signed.member, id, card).await?)))
}

/// Shows a card with its texts.
#[utoipa::path(get, path = "/api/features/{id}", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = Feature)))]
pub async fn get_feature(State(app): State<App>, Path(id): Path<FeatureId>) -> Result<Json<Feature>, Problem> {
    app.team.store.feature(id).await?.map(Json).ok_or_else(|| Problem::not_found("feature"))
}

/// What to change of a card; what is absent stays, and `null` takes a value away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateFeature {
    /// What to build, in Markdown.
    #[schema(nullable = false)]
    description: Option<String>,
    /// A few words.
    #[schema(nullable = false)]
    title: Option<String>,
    /// A free label to group by.
    #[schema(nullable = false)]
    category: Option<String>,
    /// 1 (first) to 3 (last).
    #[schema(nullable = false)]
    priority: Option<i64>,
    /// Order within its column: smaller comes first.
    #[schema(nullable = false)]
    position: Option<f64>,
    /// Features of the same project that must be verified or completed first.
    #[schema(nullable = false)]
    dependencies: Option<Vec<FeatureId>>,
    /// How much of a plan comes first.
    #[schema(nullable = false)]
    planning_mode: Option<PlanningMode>,
    /// Whether a person approves the plan before work starts.
    #[schema(nullable = false)]
    require_plan_approval: Option<bool>,
    /// How hard the model is asked to think.
    #[schema(nullable = false)]
    thinking_level: Option<ThinkingLevel>,
    /// Who works on it; `null` means the usual agent. A run that has begun keeps its agent.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<AgentId>)]
    agent_id: Option<Option<AgentId>>,
    /// The model to use; `null` means the agent's, the project's or the server's default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<String>>,
    /// The branch to work on; `null` means one made from number and title.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    branch: Option<Option<String>>,
    /// Whether the project's checks are left out.
    #[schema(nullable = false)]
    skip_verification: Option<bool>,
    /// Whether a person looks at the work, whatever the project does after it.
    #[schema(nullable = false)]
    needs_approval: Option<bool>,
    /// What a run of it may cost, in micro-dollars; `null` means the team's limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    budget_micros: Option<Option<i64>>,
    /// Whether the description is a suggestion of a model that the member took: its history tells so.
    #[schema(nullable = false)]
    enhanced: Option<bool>,
    /// Refuses the change when the card is no longer at this version.
    #[schema(nullable = false)]
    expect_version: Option<i64>,
}

/// Changes a card.
#[utoipa::path(patch, path = "/api/features/{id}", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = Feature)))]
pub async fn update_feature(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Json(change): Json<UpdateFeature>,
) -> Result<Json<Feature>, Problem> {
    let patch = FeaturePatch {
        title: change.title,
        description: change.description,
        category: change.category,
        priority: change.priority,
        position: change.position,
        agent_id: change.agent_id,
        model: change.model,
        thinking_level: change.thinking_level,
        planning_mode: change.planning_mode,
        require_plan_approval: change.require_plan_approval,
        skip_verification: change.skip_verification,
        needs_approval: change.needs_approval,
        budget_micros: change.budget_micros,
        branch: change.branch,
        dependencies: change.dependencies,
        // Whose budget may change, the team says.
        budget_of: None,
        deed: change.enhanced.unwrap_or(false).then_some(TextDeed::Enhanced),
        restored: None,
    };
    Ok(Json(signed.team.update_feature(signed.by(), id, patch, change.expect_version).await?))
}

/// Takes a card off the board.
///
/// Unless its work is merged, cards that depend on it wait on until somebody takes the dependency off them.
#[utoipa::path(delete, path = "/api/features/{id}", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 204)))]
pub async fn delete_feature(signed: Signed, Path(id): Path<FeatureId>) -> Result<StatusCode, Problem> {
    signed.team.store.delete_feature(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
