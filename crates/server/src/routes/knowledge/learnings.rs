//! Learnings: verifying, rejecting, telling what came of them, and taking back what a run recorded.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_team::Team;
use guildhall_types::knowledge::{
    AnyItem, BlueprintDraft, EntryDraft, KnowledgeApplication, KnowledgeDraft, KnowledgeItem, KnowledgeKind,
    KnowledgeRule, Learning, LearningDraft, LearningOutcome,
};
use guildhall_types::rights::MemberRight;
use guildhall_types::{KnowledgeId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Anyway, Shown, author};
use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;

/// Finds a learning good.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyLearning {
    /// The version that was looked at: refused when it is another by now. Needed with `draft`.
    #[schema(nullable = false)]
    version: Option<i64>,
    /// The learning as it ought to be, where it had to be corrected.
    #[schema(nullable = false)]
    draft: Option<LearningDraft>,
    /// Why, for whoever reads the history.
    #[schema(nullable = false)]
    why: Option<String>,
}

/// Verifies a learning, as it is or corrected: agents are given it from then on.
#[utoipa::path(post, path = "/api/knowledge/learnings/{id}/verify", tag = "knowledge",
    params(("id" = KnowledgeId, Path, description = "The learning.")), responses((status = 200, body = Learning)))]
pub async fn verify_learning(
    signed: Signed,
    Path(id): Path<KnowledgeId>,
    body: Option<Json<VerifyLearning>>,
) -> Result<Json<Learning>, Problem> {
    let Json(body) = body.unwrap_or(Json(VerifyLearning::default()));
    let (by, draft) = (author(&signed), body.draft.map(KnowledgeDraft::from));
    let item = signed.team.verify_learning(&by, id, body.version, draft, body.why.as_deref()).await?;
    Ok(Json(Shown(item).try_into()?))
}

/// Finds a learning wrong.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectLearning {
    /// Why.
    reason: String,
    /// The version that was looked at: refused when it is another by now.
    #[schema(nullable = false)]
    version: Option<i64>,
}

/// Rejects a learning: no agent is given it.
#[utoipa::path(post, path = "/api/knowledge/learnings/{id}/reject", tag = "knowledge",
    params(("id" = KnowledgeId, Path, description = "The learning.")), responses((status = 200, body = Learning)))]
pub async fn reject_learning(
    signed: Signed,
    Path(id): Path<KnowledgeId>,
    Json(body): Json<RejectLearning>,
) -> Result<Json<Learning>, Problem> {
    let item = signed.team.reject_learning(&author(&signed), id, body.version, &body.reason).await?;
    Ok(Json(Shown(item).try_into()?))
}

/// Tells what came of using a learning.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyLearning {
    /// What came of it.
    outcome: LearningOutcome,
    /// More about it.
    #[schema(nullable = false)]
    note: Option<String>,
}

/// What is known of a learning's use, and the learning after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppliedLearning {
    /// The learning.
    learning: Learning,
    /// This use of it.
    application: KnowledgeApplication,
    /// Whether it became accepted by it, under the team's rule.
    proven: bool,
}

/// Tells that a learning was used, and what came of it. Told again by the same member, it counts once.
#[utoipa::path(post, path = "/api/knowledge/learnings/{id}/apply", tag = "knowledge",
    params(("id" = KnowledgeId, Path, description = "The learning.")), responses((status = 200, body = AppliedLearning)))]
pub async fn apply_learning(
    signed: Signed,
    Path(id): Path<KnowledgeId>,
    Json(body): Json<ApplyLearning>,
) -> Result<Json<AppliedLearning>, Problem> {
    let applied = signed.team.apply_learning(&author(&signed), id, body.outcome, body.note.as_deref()).await?;
    let learning = Shown(applied.item).try_into()?;
    Ok(Json(AppliedLearning { learning, application: applied.application, proven: applied.proven }))
}

/// Uses of a learning.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationList {
    /// The latest first; 200 at most.
    items: Vec<KnowledgeApplication>,
}

/// Lists by whom a learning was used, and what came of it.
#[utoipa::path(get, path = "/api/knowledge/learnings/{id}/applications", tag = "knowledge",
    params(("id" = KnowledgeId, Path, description = "The learning.")), responses((status = 200, body = ApplicationList)))]
pub async fn list_applications(
    State(app): State<App>,
    Path(id): Path<KnowledgeId>,
) -> Result<Json<ApplicationList>, Problem> {
    app.team.knowledge(KnowledgeKind::Learning, id).await?;
    Ok(Json(ApplicationList { items: app.team.store.knowledge_applications(id).await? }))
}

/// What a run has to do with the hub.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunKnowledge {
    /// What it brought into the hub, deleted or not, without contents.
    items: Vec<AnyItem>,
    /// Which learnings it used, and what came of them.
    applications: Vec<KnowledgeApplication>,
    /// Whether whoever asks may take back what its agent recorded.
    may_roll_back: bool,
}

/// Shows what a run brought into the hub, and which learnings it used.
#[utoipa::path(get, path = "/api/runs/{id}/knowledge", tag = "knowledge",
    params(("id" = RunId, Path, description = "The run.")), responses((status = 200, body = RunKnowledge)))]
pub async fn get_run_knowledge(signed: Signed, Path(id): Path<RunId>) -> Result<Json<RunKnowledge>, Problem> {
    let store = &signed.team.store;
    let run = store.run(id).await?.ok_or_else(|| Problem::not_found("run"))?;
    Ok(Json(RunKnowledge {
        items: store.knowledge_of_run(id).await?.into_iter().map(KnowledgeItem::shown).collect(),
        applications: store.applications_of_run(id).await?,
        may_roll_back: signed.may(MemberRight::Knowledge) && Team::may_roll_back(&author(&signed), &run),
    }))
}

/// Something that a run found, in a member's words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum PromoteKnowledge {
    /// As a blueprint.
    Blueprint(BlueprintDraft),
    /// As an entry.
    Entry(EntryDraft),
    /// As a learning.
    Learning(LearningDraft),
}

/// Brings something that a run found into the hub: it names the run and its card.
#[utoipa::path(post, path = "/api/runs/{id}/knowledge", tag = "knowledge",
    params(("id" = RunId, Path, description = "The run."), Anyway), responses((status = 201, body = AnyItem)))]
pub async fn promote_knowledge(
    signed: Signed,
    Path(id): Path<RunId>,
    Query(query): Query<Anyway>,
    Json(body): Json<PromoteKnowledge>,
) -> Result<(StatusCode, Json<AnyItem>), Problem> {
    let draft: KnowledgeDraft = match body {
        PromoteKnowledge::Blueprint(draft) => draft.into(),
        PromoteKnowledge::Entry(draft) => draft.into(),
        PromoteKnowledge::Learning(draft) => draft.into(),
    };
    let anyway = query.anyway.unwrap_or_default();
    let item = signed.team.promote_knowledge(&author(&signed), id, draft, anyway).await?;
    Ok((StatusCode::CREATED, Json(item.shown())))
}

/// Takes back what a run's agent recorded in the hub.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBackKnowledge {
    /// Why.
    reason: String,
}

/// How much was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RolledBack {
    /// Items that are deleted now.
    items: i64,
}

/// Deletes everything that a run's agent recorded in the hub; each item can be taken back.
#[utoipa::path(post, path = "/api/runs/{id}/knowledge/roll-back", tag = "knowledge",
    params(("id" = RunId, Path, description = "The run.")), responses((status = 200, body = RolledBack)))]
pub async fn roll_back_knowledge(
    signed: Signed,
    Path(id): Path<RunId>,
    Json(body): Json<RollBackKnowledge>,
) -> Result<Json<RolledBack>, Problem> {
    Ok(Json(RolledBack { items: signed.team.roll_back_knowledge(&author(&signed), id, &body.reason).await? }))
}

/// Shows the team's rule by which a proposed learning becomes accepted without a member's look.
#[utoipa::path(get, path = "/api/settings/knowledge", tag = "settings", responses((status = 200, body = KnowledgeRule)))]
pub async fn get_knowledge_rule(State(app): State<App>) -> Result<Json<KnowledgeRule>, Problem> {
    Ok(Json(app.team.knowledge_rule().await?))
}

/// Sets this rule. For admins.
#[utoipa::path(put, path = "/api/settings/knowledge", tag = "settings", responses((status = 200, body = KnowledgeRule)))]
pub async fn put_knowledge_rule(
    signed: Signed,
    Json(rule): Json<KnowledgeRule>,
) -> Result<Json<KnowledgeRule>, Problem> {
    Ok(Json(signed.team.put_knowledge_rule(rule).await?))
}
