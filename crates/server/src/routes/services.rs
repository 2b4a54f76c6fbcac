//! Services of runs: what runs on in a worktree, its log, and its pages.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use guildhall_types::RunId;
use guildhall_types::service::Service;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::runs::shown;

/// Lines of a log when the request does not say, and at most.
const LINES: usize = 500;
const LINES_MOST: usize = 5_000;

/// A run's services.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceList {
    /// In the order of their names; of each name the latest.
    items: Vec<Service>,
}

/// Lists a run's services, those that have ended as well.
#[utoipa::path(get, path = "/api/runs/{id}/services", tag = "runs",
    params(("id" = RunId, Path, description = "The run.")), responses((status = 200, body = ServiceList)))]
pub async fn list_services(State(app): State<App>, Path(id): Path<RunId>) -> Result<Json<ServiceList>, Problem> {
    shown(&app, id).await?;
    Ok(Json(ServiceList { items: app.team.store.services(id).await? }))
}

/// A service to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartService {
    /// What it is called: small letters, digits and hyphens.
    name: String,
    /// The command, for bash in the root of the worktree.
    command: String,
    /// The port at which it will listen, if its pages are to be looked at.
    #[schema(nullable = false, minimum = 1)]
    port: Option<u16>,
}

/// Starts a service in the worktree of work that waits for somebody, to look at the work: for the run's member and admins, in
/// a session. It ends after an hour, and before anybody works in the worktree again.
#[utoipa::path(post, path = "/api/runs/{id}/services", tag = "runs",
    params(("id" = RunId, Path, description = "The run.")), responses((status = 201, body = Service)))]
pub async fn start_service(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<RunId>,
    Json(new): Json<StartService>,
) -> Result<(StatusCode, Json<Service>), Problem> {
    signed.session()?;
    if new.port == Some(0) {
        return Err(Problem::invalid("port", "give a number from 1 to 65535"));
    }
    let wish = (new.name.as_str(), new.command.as_str(), new.port);
    let service = app.engine.start_service(&signed.team, &signed.member, id, wish).await?;
    Ok((StatusCode::CREATED, Json(service)))
}

/// Which service.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ServicePath {
    /// The run.
    id: RunId,
    /// The service's name.
    name: String,
}

/// How much of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ServiceLogQuery {
    /// How many lines, from the end; 5000 are the most.
    #[param(nullable = false)]
    lines: Option<usize>,
}

/// What a service printed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceLog {
    /// The service as it stands.
    service: Service,
    /// The end of what it printed on both streams: up to 256 KiB while it runs, less when it has ended.
    text: String,
}

/// Shows what a service printed.
#[utoipa::path(get, path = "/api/runs/{id}/services/{name}/log", tag = "runs",
    params(ServicePath, ServiceLogQuery), responses((status = 200, body = ServiceLog)))]
pub async fn get_service_log(
    State(app): State<App>,
    Path(path): Path<ServicePath>,
    Query(query): Query<ServiceLogQuery>,
) -> Result<Json<ServiceLog>, Problem> {
    let lines = query.lines.unwrap_or(LINES);
    if !(1..=LINES_MOST).contains(&lines) {
        return Err(Problem::invalid("lines", format!("give a number from 1 to {LINES_MOST}")));
    }
    shown(&app, path.id).await?;
    let (service, text) = app.engine.service_log(path.id, &path.name, lines).await?;
    Ok(Json(ServiceLog { service, text }))
}

/// Stops a service with everything that it started. Nothing happens to one that has ended.
#[utoipa::path(post, path = "/api/runs/{id}/services/{name}/stop", tag = "runs",
    params(ServicePath), responses((status = 200, body = Service)))]
pub async fn stop_service(
    State(app): State<App>,
    signed: Signed,
    Path(path): Path<ServicePath>,
) -> Result<Json<Service>, Problem> {
    Ok(Json(app.engine.stop_service(&signed.team, &signed.member, path.id, &path.name).await?))
}

/// Where the pages of a service are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// The address to open, good once and for a minute. It leads to an origin of the service's own.
    url: String,
}

/// Makes an address at which this browser sees the pages of a service, as long as the service runs and the member is signed
/// in. `preview-not-set`: the operator has to say under which name pages are shown.
#[utoipa::path(post, path = "/api/runs/{id}/services/{name}/preview", tag = "runs",
    params(ServicePath), responses((status = 201, body = Preview)))]
pub async fn open_preview(
    State(app): State<App>,
    signed: Signed,
    Path(path): Path<ServicePath>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Preview>), Problem> {
    let service = app.team.store.service(path.id, &path.name).await?.ok_or_else(|| Problem::not_found("service"))?;
    let session = signed.session()?;
    let Some(origin) = app.previews.origin(&service.label, &headers, &app.public) else {
        let detail = "This Guildhall does not show pages of services yet: its operator has to set GUILDHALL_PREVIEW_URL to a \
            name of its own, such as https://*.preview.example.com.";
        return Err(Problem::conflict("preview-not-set", detail));
    };
    let ticket = signed.team.preview_ticket(session, &service).await?;
    Ok((StatusCode::CREATED, Json(Preview { url: crate::preview::entrance(&origin, &ticket) })))
}
