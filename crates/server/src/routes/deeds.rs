//! The deeds that move a card: start, retry, stop, follow up, verify, merge, shelve.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_engine::HandsOff;
use guildhall_types::FeatureId;
use guildhall_types::feature::{Feature, Move};
use guildhall_types::run::Run;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// A card and the run that a deed has moved.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeatureAndRun {
    /// The card.
    feature: Feature,
    /// Its run.
    run: Run,
}

pub(super) type Accepted = (StatusCode, Json<FeatureAndRun>);

pub(super) fn accepted((feature, run): (Feature, Run)) -> Accepted {
    (StatusCode::ACCEPTED, Json(FeatureAndRun { feature, run }))
}

/// Starts a card: an agent will build it from nothing.
#[utoipa::path(post, path = "/api/features/{id}/start", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn start_feature(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<FeatureId>,
) -> Result<Accepted, Problem> {
    usable_sandbox(&app).await?;
    Ok(accepted(signed.team.start(signed.member.id, id).await?))
}

/// Refuses to let an agent start on a host that cannot isolate it.
pub(super) async fn usable_sandbox(app: &App) -> Result<(), Problem> {
    let sandbox = app.engine.sandbox_report().await;
    if !sandbox.usable {
        let found = sandbox.findings.iter().find(|finding| !finding.ok).map(|finding| finding.detail.as_str());
        let detail = format!(
            "This server cannot keep agents' commands apart from the host, so no agent may start. {} Ask your operator to run `guildhall doctor`.",
            found.unwrap_or_default()
        );
        return Err(Problem::conflict("no-sandbox", detail));
    }
    Ok(())
}

/// Lets nobody change files of a card by hand while a deed takes its work as it is; what was changed until then is kept.
/// Nobody has to leave for a deed that is refused.
pub(super) async fn hands_off(app: &App, id: FeatureId, deed: Move) -> Result<Option<HandsOff>, Problem> {
    let Some(Feature { card, .. }) = app.team.store.feature(id).await? else { return Ok(None) };
    Ok(match card.run_id.filter(|_| card.after(deed).is_ok()) {
        Some(run) => Some(app.engine.hands_off(run).await?),
        None => None,
    })
}

/// Goes on with a card's latest run from its last saved turn.
#[utoipa::path(post, path = "/api/features/{id}/retry", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn retry_feature(signed: Signed, Path(id): Path<FeatureId>) -> Result<Accepted, Problem> {
    Ok(accepted(signed.team.retry(signed.member.id, id).await?))
}

/// Stops a card's run at once.
#[utoipa::path(post, path = "/api/features/{id}/stop", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn stop_feature(signed: Signed, Path(id): Path<FeatureId>) -> Result<Accepted, Problem> {
    Ok(accepted(signed.team.stop(id).await?))
}

/// Something to say to the agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// The words, in Markdown.
    message: String,
}

/// Says something to the agent: it is read at its next turn, or the same conversation goes on with it.
#[utoipa::path(post, path = "/api/features/{id}/follow-up", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn follow_up(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Json(said): Json<FollowUp>,
) -> Result<Accepted, Problem> {
    Ok(accepted(signed.team.follow_up(signed.member.id, id, &said.message).await?))
}

/// Finds the work good: the card is verified once the project's checks pass on it.
#[utoipa::path(post, path = "/api/features/{id}/verify", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn verify_feature(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<FeatureId>,
) -> Result<Accepted, Problem> {
    let _kept = hands_off(&app, id, Move::Verify).await?;
    Ok(accepted(signed.team.verify(id).await?))
}

/// How to merge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeFeature {
    /// The commit's message; made from the card when absent.
    message: Option<String>,
}

/// A card whose work is on the default branch.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergedFeature {
    /// The card.
    feature: Feature,
    /// The commit on the default branch.
    commit: String,
}

/// Puts a card's work on the default branch as one commit. The body may be left out.
///
/// Verified work that it is built on and that is not there yet goes first, each card's as a commit of its own.
#[utoipa::path(post, path = "/api/features/{id}/merge", tag = "features", request_body = MergeFeature,
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = MergedFeature)))]
pub async fn merge_feature(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<FeatureId>,
    body: Option<Json<MergeFeature>>,
) -> Result<Json<MergedFeature>, Problem> {
    let message = body.and_then(|Json(how)| how.message);
    let _kept = hands_off(&app, id, Move::Merge).await?;
    let merged = signed.team.merge(&signed.member, id, message.as_deref()).await?;
    Ok(Json(MergedFeature { feature: merged.feature, commit: merged.commit }))
}

/// Takes a card back to the backlog.
#[utoipa::path(post, path = "/api/features/{id}/shelve", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = Feature)))]
pub async fn shelve_feature(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<FeatureId>,
) -> Result<Json<Feature>, Problem> {
    let _kept = hands_off(&app, id, Move::Shelve).await?;
    Ok(Json(signed.team.shelve(id).await?))
}
