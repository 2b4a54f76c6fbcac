//! Backups, for whoever operates the server.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_team::TeamError;
use guildhall_team::backup::BackupsView;
use guildhall_types::backup::Backup;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::Json;
use crate::problem::Problem;

/// Shows how backups stand: the latest, those that failed, when the next one is due. For admins.
#[utoipa::path(get, path = "/api/operation/backups", tag = "operation", responses((status = 200, body = BackupsView)))]
pub async fn list_backups(State(app): State<App>) -> Result<Json<BackupsView>, Problem> {
    Ok(Json(app.team.backups(app.backups.as_ref()).await?))
}

/// Has a backup made now, where the operator said that they go. For admins.
#[utoipa::path(post, path = "/api/operation/backups", tag = "operation", responses((status = 202, body = Backup)))]
pub async fn make_backup(State(app): State<App>, signed: Signed) -> Result<(StatusCode, Json<Backup>), Problem> {
    let backups = app.backups.as_ref().ok_or_else(|| {
        TeamError::conflict(
            "no-backups",
            "no place for backups is configured; whoever operates the server sets GUILDHALL_BACKUP_TO",
        )
    })?;
    Ok((StatusCode::ACCEPTED, Json(backups.ask(&signed.team).await?)))
}
