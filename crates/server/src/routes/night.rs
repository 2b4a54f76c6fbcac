//! Auto mode, the queue, and the switch that stops every agent.

use axum::extract::State;
use guildhall_store::OrderChange;
use guildhall_team::{AutoMode, QueueItem};
use guildhall_types::at_work::LiveRun;
use guildhall_types::auto::AtClose;
use guildhall_types::forecast::Forecast;
use guildhall_types::window::Window;
use guildhall_types::{MemberId, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query, present};
use crate::problem::Problem;

/// Whose auto mode.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhoseAutoMode {
    /// The member; oneself when absent.
    #[param(nullable = false)]
    member_id: Option<MemberId>,
}

/// Shows a member's auto mode in a project, with why nothing starts at the moment.
#[utoipa::path(get, path = "/api/projects/{id}/auto-mode", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project."), WhoseAutoMode), responses((status = 200, body = AutoMode)))]
pub async fn get_auto_mode(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Query(query): Query<WhoseAutoMode>,
) -> Result<Json<AutoMode>, Problem> {
    Ok(Json(signed.team.auto_mode_for(signed.member.id, query.member_id.unwrap_or(signed.member.id), id).await?))
}

/// What to do with auto mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AutoModeAction {
    /// Switch it on, resume it after a pause, or change it.
    Start,
    /// Switch it off. What is at work is finished.
    Stop,
}

/// Switches auto mode; what is absent stays as it was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetAutoMode {
    /// Runs at once at most, from 1 to the limit of a member; 1 at first.
    #[serde(alias = "maxConcurrency")]
    #[schema(nullable = false)]
    max_concurrent: Option<i64>,
    /// What to do.
    action: AutoModeAction,
    /// When it works; `null` means always.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Window>)]
    window: Option<Option<Window>>,
    /// What becomes of work that is not done when the window closes.
    #[schema(nullable = false)]
    at_close: Option<AtClose>,
    /// Whose auto mode an admin stops; oneself when absent.
    #[schema(nullable = false)]
    member_id: Option<MemberId>,
}

/// Switches a member's auto mode in a project. Only its member starts it; admins may stop that of others.
#[utoipa::path(post, path = "/api/projects/{id}/auto-mode", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = AutoMode)))]
pub async fn set_auto_mode(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(set): Json<SetAutoMode>,
) -> Result<Json<AutoMode>, Problem> {
    let member = set.member_id.unwrap_or(signed.member.id);
    if set.action == AutoModeAction::Stop {
        return Ok(Json(signed.team.stop_auto_mode(signed.by(), member, id).await?));
    }
    if member != signed.member.id {
        return Err(Problem::invalid("memberId", "a member's auto mode is started by that member alone; leave it out"));
    }
    crate::routes::deeds::usable_sandbox(&app).await?;
    let change = OrderChange { max_concurrent: set.max_concurrent, window: set.window, at_close: set.at_close };
    Ok(Json(signed.team.start_auto_mode(member, id, change).await?))
}

/// What waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct Queue {
    /// What waits, in the order in which it would begin.
    items: Vec<QueueItem>,
}

/// Lists the cards of a project that wait, of everybody, each with the reason: those in the queue, those whose plan waits for
/// a person, and those that auto mode will take.
#[utoipa::path(get, path = "/api/projects/{id}/queue", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = Queue)))]
pub async fn list_queue(signed: Signed, Path(id): Path<ProjectId>) -> Result<Json<Queue>, Problem> {
    Ok(Json(Queue { items: signed.team.queue(signed.member.id, Some(id)).await? }))
}

/// Lists what waits in all projects, of everybody, each with its place and the reason: cards, and chats and tasks that have no
/// place yet.
#[utoipa::path(get, path = "/api/queue", tag = "projects", responses((status = 200, body = Queue)))]
pub async fn list_team_queue(signed: Signed) -> Result<Json<Queue>, Problem> {
    Ok(Json(Queue { items: signed.team.queue(signed.member.id, None).await? }))
}

/// What is at work.
#[derive(Debug, Serialize, ToSchema)]
pub struct AtWork {
    /// The runs, those that have a place first.
    items: Vec<LiveRun>,
}

/// Lists everybody's runs that have a place or wait for one: of cards, of chats, and of agents that run by themselves or for a
/// step of a system. Every member may read what these say.
#[utoipa::path(get, path = "/api/agents/at-work", tag = "agents", responses((status = 200, body = AtWork)))]
pub async fn list_at_work(State(app): State<App>) -> Result<Json<AtWork>, Problem> {
    Ok(Json(AtWork { items: app.team.store.at_work().await? }))
}

/// Everybody's auto modes.
#[derive(Debug, Serialize, ToSchema)]
pub struct AutoModes {
    /// Those that are on or paused.
    items: Vec<AutoMode>,
}

/// Lists everybody's auto modes that are not switched off, in all projects.
#[utoipa::path(get, path = "/api/auto-modes", tag = "projects", responses((status = 200, body = AutoModes)))]
pub async fn list_auto_modes(signed: Signed) -> Result<Json<AutoModes>, Problem> {
    Ok(Json(AutoModes { items: signed.team.auto_modes(signed.member.id).await? }))
}

/// How one's own auto mode would work; what is absent is as it was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskForecast {
    /// Runs at once at most.
    #[schema(nullable = false)]
    max_concurrent: Option<i64>,
    /// When it works; `null` means always.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Window>)]
    window: Option<Option<Window>>,
    /// What becomes of work that is not done when the window closes.
    #[schema(nullable = false)]
    at_close: Option<AtClose>,
}

/// Says what one's own auto mode would probably do from now on. Changes nothing.
#[utoipa::path(post, path = "/api/projects/{id}/auto-mode/forecast", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = Forecast)))]
pub async fn forecast_auto_mode(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(ask): Json<AskForecast>,
) -> Result<Json<Forecast>, Problem> {
    let change = OrderChange { max_concurrent: ask.max_concurrent, window: ask.window, at_close: ask.at_close };
    Ok(Json(signed.team.forecast(signed.member.id, id, change).await?))
}

/// What was stopped.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoppedAll {
    /// Runs that were queued or at work.
    runs: usize,
    /// Auto modes that were on.
    auto_modes: usize,
}

/// Stops every agent at once and pauses every auto mode. Each run can go on later from its last saved turn.
#[utoipa::path(post, path = "/api/agents/stop-all", tag = "settings", responses((status = 200, body = StoppedAll)))]
pub async fn stop_all(signed: Signed) -> Result<Json<StoppedAll>, Problem> {
    let (runs, auto_modes) = signed.team.stop_all(&signed.member).await?;
    Ok(Json(StoppedAll { runs, auto_modes }))
}
