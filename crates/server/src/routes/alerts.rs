//! Alerts: what whoever runs the servers is told of them.

use axum::extract::State;
use guildhall_store::AlertQuery;
use guildhall_types::AlertId;
use guildhall_types::alert::{Alert, Strain, Thresholds};
use guildhall_types::change::Change;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::page_size;

/// Which alerts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListAlerts {
    /// Only those that are open, or only those that are over.
    #[param(nullable = false)]
    open: Option<bool>,
    /// The `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<AlertId>,
    /// How many at most, from 1 to 500; 100 when absent.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertPage {
    /// Those raised last first.
    items: Vec<Alert>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists alerts, those raised last first. For admins.
#[utoipa::path(get, path = "/api/alerts", tag = "alerts", params(ListAlerts), responses((status = 200, body = AlertPage)))]
pub async fn list_alerts(State(app): State<App>, Query(query): Query<ListAlerts>) -> Result<Json<AlertPage>, Problem> {
    let query = AlertQuery { open: query.open, before: query.cursor, limit: page_size(query.limit)? };
    let page = app.team.store.alerts(&query).await?;
    Ok(Json(AlertPage { items: page.items, next: page.next }))
}

/// For how long nobody is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceAlert {
    /// Minutes from now on, up to thirty days; absent, it is told again from now on.
    minutes: Option<i64>,
}

/// Lets nobody be told of an open alert for a while: not that it is over, nor that it is raised again; only if it becomes worse than
/// it is now. When the time is over and it still stands, that is told once. It is shown all the same. For admins.
#[utoipa::path(post, path = "/api/alerts/{id}/silence", tag = "alerts", params(("id" = AlertId, Path, description = "The alert.")),
    responses((status = 200, body = Alert)))]
pub async fn silence_alert(
    signed: Signed,
    Path(id): Path<AlertId>,
    Json(silence): Json<SilenceAlert>,
) -> Result<Json<Alert>, Problem> {
    Ok(Json(signed.team.silence_alert(id, silence.minutes).await?))
}

/// Shows from which figure on alerts are raised, also where that follows from something else. For admins.
#[utoipa::path(get, path = "/api/settings/alerts", tag = "settings", responses((status = 200, body = Thresholds)))]
pub async fn get_thresholds(State(app): State<App>) -> Result<Json<Thresholds>, Problem> {
    Ok(Json(app.team.thresholds().await?))
}

/// Sets from which figure on alerts are raised; what is absent is as at first. It holds from the next reading on, within
/// seconds. Figures that follow from something else, and are sent as they were shown, still do. For admins.
#[utoipa::path(put, path = "/api/settings/alerts", tag = "settings", responses((status = 200, body = Thresholds)))]
pub async fn put_thresholds(signed: Signed, Json(new): Json<Thresholds>) -> Result<Json<Thresholds>, Problem> {
    let set = signed.team.set_thresholds(new).await?;
    tracing::info!(member = %signed.member.id, thresholds = ?set, "a member set the thresholds of alerts");
    Ok(Json(set))
}

/// Sets some of them; the others stay as they are, whoever sets them meanwhile. For admins.
#[utoipa::path(patch, path = "/api/settings/alerts", tag = "settings", request_body = Thresholds,
    responses((status = 200, body = Thresholds)))]
pub async fn change_thresholds(
    signed: Signed,
    Json(change): Json<Change<Thresholds>>,
) -> Result<Json<Thresholds>, Problem> {
    let set = signed.team.change_thresholds(&change).await?;
    tracing::info!(member = %signed.member.id, thresholds = ?set, "a member set the thresholds of alerts");
    Ok(Json(set))
}

/// What keeps work from beginning.
#[derive(Debug, Serialize, ToSchema)]
pub struct StrainView {
    /// What a server is short of; nothing where all is well.
    strain: Option<Strain>,
    /// What that means, in sentences.
    message: Option<&'static str>,
}

/// Says whether a server is short of memory or disk, so that no work begins. For every member: whoever starts an agent should
/// know.
#[utoipa::path(get, path = "/api/strain", tag = "alerts", responses((status = 200, body = StrainView)))]
pub async fn get_strain(State(app): State<App>) -> Result<Json<StrainView>, Problem> {
    let strain = app.team.store.strain().await?;
    Ok(Json(StrainView { strain, message: strain.map(Strain::why) }))
}
