//! All routes on one page, each beside the right that it asks for.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use guildhall_types::member::Right;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::routes as on;
use crate::{auth, layers, openapi, page, ws};

/// Bytes of a body at most.
const BODY: usize = 2 * 1024 * 1024;
/// Bytes of an upload at most: a file of 5 MiB and the form around it.
const UPLOAD: usize = 6 * 1024 * 1024;
/// Bytes of an answer from which on it is compressed.
const COMPRESSED: u64 = 1024;

/// Everybody may call these.
fn open() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::beginning())
        .routes(routes!(on::health::health))
        .routes(routes!(on::auth::auth_status))
        .routes(routes!(on::auth::register))
        .routes(routes!(on::auth::login))
        .route("/api/openapi.json", get(openapi::serve))
}

/// Every member may call these: to look, and to change what is their own.
fn read() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::auth::logout))
        .routes(routes!(on::auth::me, on::auth::update_me))
        .routes(routes!(on::sessions::list_sessions))
        .routes(routes!(on::sessions::end_session))
        .routes(routes!(on::credentials::list_credentials))
        .routes(routes!(on::models::list_models))
        .routes(routes!(on::members::list_members))
        .routes(routes!(on::projects::list_suggestions))
        .routes(routes!(on::projects::list_projects))
        .routes(routes!(on::projects::get_project))
        .routes(routes!(on::projects::list_commits))
        .routes(routes!(on::features::list_features))
        .routes(routes!(on::features::get_feature))
        .routes(routes!(on::runs::list_runs))
        .routes(routes!(on::runs::get_run))
        .routes(routes!(on::runs::list_run_events))
        .routes(routes!(on::runs::list_checks))
        .routes(routes!(on::work::get_diff))
        .routes(routes!(on::work::get_file))
        .routes(routes!(on::attachments::list_attachments))
        .routes(routes!(on::attachments::get_attachment))
        .routes(routes!(on::settings::get_limits))
        .routes(routes!(ws::listen_events))
}

/// Whoever builds may call these.
fn build() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::credentials::put_credential, on::credentials::delete_credential))
        .routes(routes!(on::credentials::test_credential))
        .routes(routes!(on::features::create_feature))
        .routes(routes!(on::features::update_feature, on::features::delete_feature))
        .routes(routes!(on::deeds::start_feature))
        .routes(routes!(on::deeds::retry_feature))
        .routes(routes!(on::deeds::stop_feature))
        .routes(routes!(on::deeds::follow_up))
        .routes(routes!(on::deeds::verify_feature))
        .routes(routes!(on::deeds::merge_feature))
        .routes(routes!(on::deeds::shelve_feature))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(on::attachments::add_attachment))
                .route_layer(DefaultBodyLimit::max(UPLOAD)),
        )
        .routes(routes!(on::attachments::delete_attachment))
}

/// Whoever manages projects may call these.
fn manage_projects() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::projects::create_project))
        .routes(routes!(on::projects::update_project, on::projects::archive_project))
        .routes(routes!(on::projects::retry_project))
}

/// Whoever runs the team may call these.
fn administer() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(on::health::health_detailed)).routes(routes!(on::settings::put_limits))
}

/// Every route of the API with its description; `guard` closes the routes of one right.
fn api(guard: impl Fn(OpenApiRouter<App>, Right) -> OpenApiRouter<App>) -> OpenApiRouter<App> {
    open()
        .merge(guard(read(), Right::Read))
        .merge(guard(build(), Right::Build))
        .merge(guard(manage_projects(), Right::ManageProjects))
        .merge(guard(administer(), Right::Administer))
}

/// The description of the API, without a server to go with it.
pub fn description() -> utoipa::openapi::OpenApi {
    api(openapi::closed).into_openapi()
}

/// The whole server as a router.
pub fn router(app: App) -> Router {
    let guard =
        |routes: OpenApiRouter<App>, right| routes.route_layer(from_fn_with_state((app.clone(), right), auth::closed));
    let (api, _) = api(guard).split_for_parts();
    let compressed = SizeAbove::new(COMPRESSED).and(NotForContentType::IMAGES);
    api.fallback(page::serve)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(app.clone(), auth::origin::own_page_only))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn(layers::accompany))
        .layer(from_fn_with_state(app.clone(), layers::careful))
        .layer(CompressionLayer::new().compress_when(compressed))
        .with_state(app)
}
