//! What uses the server's disk, and how it is kept tidy.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_engine::Removed;
use guildhall_types::NodeId;
use guildhall_types::change::Change;
use guildhall_types::retention::Retention;
use guildhall_types::tidy::{DiskReport, Tidiness};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::Json;
use crate::problem::Problem;

/// Things that are removed by one request at most.
const ORPHANS: usize = 200;

/// What uses the disk of the server that answers, and how the clean-up goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskStanding {
    /// The server that answered.
    node: NodeId,
    /// As it was measured last; nothing until then.
    report: Option<DiskReport>,
    /// Whether it is being measured now: ask again in a moment.
    measuring: bool,
    /// How the clean-up goes.
    tidiness: Tidiness,
}

fn standing(app: &App) -> DiskStanding {
    let (report, measuring) = app.engine.disk_report();
    DiskStanding {
        node: app.engine.node(),
        report: report.map(|report| DiskReport::clone(&report)),
        measuring,
        tidiness: app.engine.tidiness(),
    }
}

/// Shows what uses the disk of the server that answers, what would go now and why, and how the clean-up goes. It is measured in the
/// background: what was measured a while ago is shown while it is measured anew. For admins.
#[utoipa::path(get, path = "/api/operation/disk", tag = "operation", responses((status = 200, body = DiskStanding)))]
pub async fn get_disk(State(app): State<App>) -> Json<DiskStanding> {
    Json(standing(&app))
}

/// Lets the server that answers do now what it shows as its plan, rather than at the next half hour. For admins.
#[utoipa::path(post, path = "/api/operation/tidy", tag = "operation", responses((status = 202, body = DiskStanding)))]
pub async fn tidy_now(State(app): State<App>, signed: Signed) -> Result<(StatusCode, Json<DiskStanding>), Problem> {
    app.engine.tidy_now(&signed.team).await?;
    tracing::info!(member = %signed.member.id, "a member let the server tidy up");
    Ok((StatusCode::ACCEPTED, Json(standing(&app))))
}

/// What is to be removed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveOrphans {
    /// Their paths, as the report names them.
    paths: Vec<String>,
}

/// What was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedOrphans {
    /// Their paths.
    removed: Vec<String>,
    /// What was not, though the rest was.
    refused: Vec<RefusedOrphan>,
}

/// What could not be removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedOrphan {
    /// Its path.
    path: String,
    /// Why it stays.
    why: String,
}

/// Removes from the disk of the server that answers what nothing in the database belongs to. That cannot be taken back:
/// see to it that the server was started with its own database. What cannot be removed keeps nothing else from going.
/// For admins who have proved lately who they are.
#[utoipa::path(post, path = "/api/operation/orphans/remove", tag = "operation", responses((status = 200, body = RemovedOrphans)))]
pub async fn remove_orphans(
    State(app): State<App>,
    signed: Signed,
    Json(asked): Json<RemoveOrphans>,
) -> Result<Json<RemovedOrphans>, Problem> {
    if asked.paths.is_empty() || asked.paths.len() > ORPHANS {
        return Err(Problem::invalid("paths", format!("name from 1 to {ORPHANS} of them")));
    }
    let Removed { gone, refused } = app.engine.remove_orphans(&signed.team, &asked.paths).await?;
    if gone.is_empty() {
        let all: Vec<String> = refused.iter().map(|(path, why)| format!("{path} was not removed: {why}")).collect();
        return Err(Problem::conflict("not-removed", all.join("; ")));
    }
    let refused = refused.into_iter().map(|(path, why)| RefusedOrphan { path, why }).collect();
    Ok(Json(RemovedOrphans { removed: gone, refused }))
}

/// Shows how long what is kept. For admins.
#[utoipa::path(get, path = "/api/settings/retention", tag = "settings", responses((status = 200, body = Retention)))]
pub async fn get_retention(State(app): State<App>) -> Result<Json<Retention>, Problem> {
    Ok(Json(app.team.retention().await?))
}

/// Sets how long what is kept; nothing: for ever. It holds from the next clean-up on. For admins.
#[utoipa::path(put, path = "/api/settings/retention", tag = "settings", responses((status = 200, body = Retention)))]
pub async fn put_retention(signed: Signed, Json(new): Json<Retention>) -> Result<Json<Retention>, Problem> {
    let set = signed.team.set_retention(new).await?;
    tracing::info!(member = %signed.member.id, retention = ?set, "a member set how long what is kept");
    Ok(Json(set))
}

/// Sets how long some of it is kept; the rest stays as it is, whoever sets it meanwhile. For admins.
#[utoipa::path(patch, path = "/api/settings/retention", tag = "settings", request_body = Retention,
    responses((status = 200, body = Retention)))]
pub async fn change_retention(
    signed: Signed,
    Json(change): Json<Change<Retention>>,
) -> Result<Json<Retention>, Problem> {
    let set = signed.team.change_retention(&change).await?;
    tracing::info!(member = %signed.member.id, retention = ?set, "a member set how long what is kept");
    Ok(Json(set))
}
