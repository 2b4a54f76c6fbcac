//! The models that a member can choose from.

use axum::extract::State;
use guildhall_team::Models;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::Json;
use crate::problem::Problem;

/// Lists the models, the recommended one first, and says which of them this member can use.
#[utoipa::path(get, path = "/api/models", tag = "models", responses((status = 200, body = Models)))]
pub async fn list_models(State(app): State<App>, signed: Signed) -> Result<Json<Models>, Problem> {
    Ok(Json(app.team.models(signed.member.id).await?))
}
