//! All routes on one page, each below the right that it asks for.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use guildhall_types::rights::MemberRight as Right;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Gate;
use crate::routes as on;
use crate::{auth, git, layers, mcp, metrics, nodes, oauth, openapi, page, preview, rates, ws};

/// Bytes of a body at most.
const BODY: usize = 2 * 1024 * 1024;
/// Bytes of an upload at most: a file of 5 MiB and the form around it.
const UPLOAD: usize = 6 * 1024 * 1024;
/// Bytes of a message in a chat at most: files of 10 MiB in base64, and the words.
const MESSAGE: usize = 16 * 1024 * 1024;
/// Bytes of an archive that comes into the knowledge hub at most.
const ARCHIVE: usize = 32 * 1024 * 1024;
/// Bytes of an answer from which on it is compressed.
const COMPRESSED: u64 = 1024;
/// What git makes as small as it gets itself.
const PACKS: NotForContentType = NotForContentType::const_new("application/x-git-");

/// Everybody may call these.
fn open() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::beginning())
        .routes(routes!(on::health::health))
        .routes(routes!(on::health::health_ready))
        .routes(routes!(on::auth::auth_status))
        .routes(routes!(on::auth::register))
        .routes(routes!(on::auth::login))
        .routes(routes!(on::auth::look_at_invitation))
        .routes(routes!(on::auth::reset_password))
        .routes(routes!(on::second_step::second_step, on::second_step::pass_second_step))
        .routes(routes!(on::passkeys::ask_passkey))
        .routes(routes!(on::passkeys::sign_in_by_passkey))
        .routes(routes!(on::sign_in::google))
        .routes(routes!(on::sign_in::google_callback))
        .routes(routes!(on::sign_in::oidc, on::sign_in::begin_sign_in))
        .routes(routes!(on::sign_in::oidc_callback))
        .routes(routes!(on::auth::forgot_password))
        .routes(routes!(on::auth::finish_sign_up))
        .route("/api/openapi.json", get(openapi::serve))
        .merge(oauth::routes())
}

/// Every member may call these: to look.
fn read() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::credentials::list_credentials))
        .routes(routes!(on::models::list_models))
        .routes(routes!(on::members::list_members))
        .routes(routes!(on::members::get_member))
        .routes(routes!(on::members::get_avatar))
        .routes(routes!(on::projects::list_suggestions))
        .routes(routes!(on::projects::list_projects))
        .routes(routes!(on::projects::get_project))
        .routes(routes!(on::projects::list_commits))
        .routes(routes!(on::network::get_network))
        .routes(routes!(on::remotes::get_remote))
        .routes(routes!(on::outfit::list_project_secrets))
        .routes(routes!(on::outfit::get_project_outfit))
        .routes(routes!(on::features::list_features))
        .routes(routes!(on::agents::list_agents))
        .routes(routes!(on::agents::list_agent_tools))
        .routes(routes!(on::agents::get_agent))
        .routes(routes!(on::agents::list_tasks))
        .routes(routes!(on::agents::get_task))
        .routes(routes!(on::chats::list_chats))
        .routes(routes!(on::chats::get_chat))
        .routes(routes!(on::night::get_auto_mode))
        .routes(routes!(on::night::list_queue))
        .routes(routes!(on::night::list_team_queue))
        .routes(routes!(on::night::list_auto_modes))
        .routes(routes!(on::night::list_at_work))
        .routes(routes!(on::reports::list_reports))
        .routes(routes!(on::reports::latest_report))
        .routes(routes!(on::reports::get_report))
        .routes(routes!(on::features::get_feature))
        .routes(routes!(on::feature_texts::list_feature_versions))
        .routes(routes!(on::feature_texts::get_feature_version))
        .routes(routes!(on::runs::list_runs))
        .routes(routes!(on::runs::get_run))
        .routes(routes!(on::runs::list_run_events))
        .routes(routes!(on::runs::list_checks))
        .routes(routes!(on::runs::list_run_steps))
        .routes(routes!(on::runs::get_run_guide))
        .routes(routes!(on::services::list_services))
        .routes(routes!(on::services::get_service_log))
        .routes(routes!(on::trials::get_trial))
        .routes(routes!(on::mcp_servers::list_all_mcp_servers))
        .routes(routes!(on::mcp_servers::list_mcp_servers))
        .routes(routes!(on::mcp_servers::get_mcp_server))
        .routes(routes!(on::mcp_servers::list_mcp_proposals))
        .routes(routes!(on::rate_limits::list_rate_limits))
        .routes(routes!(on::health::get_sandbox))
        .routes(routes!(on::alerts::get_strain))
        .routes(routes!(on::plans::list_plans))
        .routes(routes!(on::work::get_diff))
        .routes(routes!(on::work::get_file))
        .routes(routes!(on::attachments::list_attachments))
        .routes(routes!(on::attachments::get_attachment))
        .routes(routes!(on::notifications::list_notifications))
        .routes(routes!(on::notifications::count_notifications))
        .routes(routes!(on::settings::get_limits))
        .routes(routes!(on::prices::list_prices))
        .routes(routes!(on::usage::get_usage))
        .routes(routes!(on::budgets::get_budgets))
        .routes(routes!(on::knowledge::search_knowledge))
        .routes(routes!(on::knowledge::similar_knowledge))
        .routes(routes!(on::knowledge::get_knowledge))
        .routes(routes!(on::knowledge::list_deleted_knowledge))
        .routes(routes!(on::knowledge::files::export_item))
        .routes(routes!(on::knowledge::files::export_knowledge))
        .routes(routes!(on::knowledge::list_blueprints))
        .routes(routes!(on::knowledge::get_blueprint))
        .routes(routes!(on::knowledge::list_entries))
        .routes(routes!(on::knowledge::get_entry))
        .routes(routes!(on::knowledge::list_learnings))
        .routes(routes!(on::knowledge::get_learning))
        .routes(routes!(on::knowledge::versions::list_knowledge_versions))
        .routes(routes!(on::knowledge::versions::get_knowledge_version))
        .routes(routes!(on::knowledge::versions::compare_knowledge_versions))
        .routes(routes!(on::knowledge::learnings::list_applications))
        .routes(routes!(on::knowledge::learnings::get_run_knowledge))
        .routes(routes!(on::knowledge::learnings::get_knowledge_rule))
        .routes(routes!(on::systems::list_systems))
        .routes(routes!(on::systems::get_system))
        .routes(routes!(on::executions::list_executions))
        .routes(routes!(on::executions::get_execution))
        .routes(routes!(on::executions::get_execution_step))
        .routes(routes!(ws::listen_events))
}

/// The same, and whoever has yet to set up the second factor that the team asks for.
fn read_lacking() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(on::account::me))
}

/// Every member may call these: to change what is their own.
fn account() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::account::update_me))
        .routes(routes!(on::services::open_preview))
        .routes(routes!(on::budgets::put_own_budget))
        .routes(routes!(on::passkeys::rename_passkey))
        .routes(routes!(on::account::delete_avatar))
        .routes(routes!(on::identities::list_identities))
        .routes(routes!(on::sessions::list_sessions, on::sessions::end_other_sessions))
        .routes(routes!(on::sessions::end_session))
        .routes(routes!(on::notifications::read_notifications))
        .routes(routes!(on::notifications::get_mail_choices, on::notifications::put_mail_choices))
        .routes(routes!(on::webhooks::list_webhooks))
        .routes(routes!(on::webhooks::list_deliveries))
        .routes(routes!(on::webhooks::test_webhook))
        .routes(routes!(on::webhooks::send_again))
        .routes(routes!(on::tokens::list_tokens))
        .routes(routes!(on::tokens::revoke_token))
        .routes(routes!(on::clients::list_clients))
        .routes(routes!(on::clients::disconnect_client))
        .routes(routes!(on::clients::get_consent))
        .routes(routes!(on::reports::read_report))
        .routes(routes!(on::reports::get_report_settings, on::reports::put_report_settings))
}

/// The same, and whoever has yet to set up the second factor that the team asks for.
fn account_lacking() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::auth::logout))
        .routes(routes!(on::account::confirm))
        .routes(routes!(on::identities::confirm_by_provider))
        .routes(routes!(on::passkeys::ask_to_confirm))
        .routes(routes!(on::factors::list_factors))
}

/// Every member may call these who has proved lately who they are.
fn account_confirmed() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::tokens::create_token))
        .routes(routes!(on::clients::give_consent))
        .routes(routes!(on::webhooks::create_webhook))
        .routes(routes!(on::webhooks::change_webhook, on::webhooks::delete_webhook))
        .routes(routes!(on::webhooks::renew_webhook_secret))
        .routes(routes!(on::factors::create_recovery_codes))
        .routes(routes!(on::passkeys::delete_passkey))
        .routes(routes!(on::identities::link_identity))
        .routes(routes!(on::identities::unlink_identity))
}

/// The same, and whoever has yet to set up the second factor that the team asks for.
fn account_confirmed_lacking() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::factors::begin_totp, on::factors::delete_totp))
        .routes(routes!(on::factors::enable_totp))
        .routes(routes!(on::passkeys::begin_passkey))
        .routes(routes!(on::passkeys::create_passkey))
}

/// Whoever keeps keys may call these.
fn keys() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(on::credentials::test_credential))
}

/// The same, for who has proved lately who they are.
fn keys_confirmed() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::credentials::put_credential, on::credentials::delete_credential))
        .routes(routes!(on::outfit::put_project_secret, on::outfit::delete_project_secret))
        .routes(routes!(on::remotes::put_remote, on::remotes::delete_remote))
}

/// Whoever builds may call these.
fn build() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::features::create_feature))
        .routes(routes!(on::features::update_feature, on::features::delete_feature))
        .routes(routes!(on::feature_texts::restore_feature_version))
        .routes(routes!(on::feature_texts::erase_feature_version))
        .routes(routes!(on::agents::create_agent))
        .routes(routes!(on::agents::update_agent, on::agents::delete_agent))
        .routes(routes!(on::agents::activate_agent))
        .routes(routes!(on::agents::archive_agent))
        .routes(routes!(on::agents::duplicate_agent))
        .routes(routes!(on::chats::chat_to_card))
        .routes(routes!(on::agents::task_to_card))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(on::attachments::add_attachment))
                .route_layer(DefaultBodyLimit::max(UPLOAD)),
        )
        .routes(routes!(on::attachments::delete_attachment))
        .routes(routes!(on::systems::create_system))
        .routes(routes!(on::systems::validate_system))
        .routes(routes!(on::systems::change_system, on::systems::delete_system))
        .routes(routes!(on::systems::duplicate_system))
}

/// Whoever lets agents work may call these.
fn run() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::deeds::start_feature))
        .routes(routes!(on::deeds::retry_feature))
        .routes(routes!(on::deeds::stop_feature))
        .routes(routes!(on::deeds::follow_up))
        .routes(routes!(on::plans::approve_plan))
        .routes(routes!(on::plans::reject_plan))
        .routes(routes!(on::deeds::verify_feature))
        .routes(routes!(on::deeds::merge_feature))
        .routes(routes!(on::remotes::publish_feature))
        .routes(routes!(on::remotes::sync_remote))
        .routes(routes!(on::deeds::shelve_feature))
        .routes(routes!(on::services::start_service))
        .routes(routes!(on::services::stop_service))
        .routes(routes!(on::terminal::open_terminal))
        .routes(routes!(on::agents::run_agent))
        .routes(routes!(on::feature_texts::enhance_text))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(on::chats::start_chat))
                .routes(routes!(on::chats::say_in_chat))
                .route_layer(DefaultBodyLimit::max(MESSAGE)),
        )
        .routes(routes!(on::chats::stop_chat))
        .routes(routes!(on::chats::rename_chat, on::chats::delete_chat))
        .routes(routes!(on::night::set_auto_mode))
        .routes(routes!(on::night::forecast_auto_mode))
        .routes(routes!(on::budgets::allow_cost))
        .routes(routes!(on::executions::run_system))
        .routes(routes!(on::executions::cancel_execution))
        .routes(routes!(on::executions::review_step))
}

/// Whoever manages projects may call these.
fn manage_projects() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::projects::create_project))
        .routes(routes!(on::projects::update_project, on::projects::archive_project))
        .routes(routes!(on::projects::retry_project))
        .routes(routes!(on::trials::try_checks))
        .routes(routes!(on::trials::stop_trial))
        .routes(routes!(on::network::allow_host))
        .routes(routes!(on::network::dismiss_host))
        .routes(routes!(on::outfit::clear_project_caches))
        .routes(routes!(on::mcp_servers::create_mcp_server))
        .routes(routes!(on::mcp_servers::change_mcp_server, on::mcp_servers::delete_mcp_server))
        .routes(routes!(on::mcp_servers::test_mcp_server))
        .routes(routes!(on::mcp_servers::approve_mcp_tools))
        .routes(routes!(on::mcp_servers::choose_mcp_tools))
}

/// Whoever writes in the knowledge hub may call these.
fn knowledge() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::knowledge::create_blueprint))
        .routes(routes!(on::knowledge::update_blueprint, on::knowledge::delete_blueprint))
        .routes(routes!(on::knowledge::create_entry))
        .routes(routes!(on::knowledge::update_entry, on::knowledge::delete_entry))
        .routes(routes!(on::knowledge::create_learning))
        .routes(routes!(on::knowledge::update_learning, on::knowledge::delete_learning))
        .routes(routes!(on::knowledge::versions::restore_knowledge))
        .routes(routes!(on::knowledge::learnings::verify_learning))
        .routes(routes!(on::knowledge::learnings::reject_learning))
        .routes(routes!(on::knowledge::learnings::apply_learning))
        .routes(routes!(on::knowledge::learnings::promote_knowledge))
        .routes(routes!(on::knowledge::learnings::roll_back_knowledge))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(on::knowledge::files::import_knowledge))
                .route_layer(DefaultBodyLimit::max(ARCHIVE)),
        )
}

/// Whoever runs the team may call these.
fn administer() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::operation::get_operation))
        .routes(routes!(on::operation::list_samples))
        .routes(routes!(on::backups::list_backups, on::backups::make_backup))
        .routes(routes!(on::settings::put_limits, on::settings::change_limits))
        .routes(routes!(on::mcp_servers::create_team_mcp_server))
        .routes(routes!(on::alerts::list_alerts))
        .routes(routes!(on::alerts::silence_alert))
        .routes(routes!(on::alerts::get_thresholds, on::alerts::put_thresholds, on::alerts::change_thresholds))
        .routes(routes!(on::disk::get_disk))
        .routes(routes!(on::disk::tidy_now))
        .routes(routes!(on::disk::get_retention, on::disk::put_retention, on::disk::change_retention))
        .routes(routes!(on::knowledge::learnings::put_knowledge_rule))
        .routes(routes!(on::prices::put_price))
        .routes(routes!(on::prices::delete_price))
        .routes(routes!(on::budgets::put_budgets))
        .routes(routes!(on::budgets::give_budget))
        .routes(routes!(on::settings::get_sign_up))
        .routes(routes!(on::settings::list_keys))
        .routes(routes!(on::credentials::list_team_credentials))
        .routes(routes!(on::credentials::test_team_credential))
        .routes(routes!(on::settings::get_second_factor))
        .routes(routes!(on::invitations::list_invitations, on::invitations::create_invitation))
        .routes(routes!(on::invitations::revoke_invitation))
        .routes(routes!(on::members::sign_out_member))
        .routes(routes!(on::webhooks::list_team_webhooks))
        .routes(routes!(on::webhooks::list_team_deliveries))
        .routes(routes!(on::webhooks::test_team_webhook))
        .routes(routes!(on::webhooks::send_team_again))
        .routes(routes!(on::mail::mail_status))
        .routes(routes!(on::mail::test_mail))
        .routes(routes!(on::audit::list_audit))
        .routes(routes!(on::audit::export_audit))
}

/// The same, and programs that show the operator's metrics token.
fn watch() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(on::health::health_detailed)).routes(routes!(on::operation::get_metrics))
}

/// The same, for who has proved lately who they are.
fn administer_confirmed() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(on::members::update_member))
        .routes(routes!(on::members::create_reset_link))
        .routes(routes!(on::night::stop_all))
        .routes(routes!(on::webhooks::create_team_webhook))
        .routes(routes!(on::webhooks::change_team_webhook, on::webhooks::delete_team_webhook))
        .routes(routes!(on::webhooks::renew_team_webhook_secret))
        .routes(routes!(on::credentials::put_team_credential, on::credentials::delete_team_credential))
        .routes(routes!(on::members::take_factors))
        .routes(routes!(on::disk::remove_orphans))
        .routes(routes!(on::knowledge::versions::erase_knowledge))
}

/// Owners may call these, when they have proved lately who they are.
fn own_confirmed() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(on::settings::put_sign_up)).routes(routes!(on::settings::put_second_factor))
}

/// Every route of the API with its description; `counted` counts the requests to the open ones, `guard` closes the routes
/// of one gate.
fn api(
    counted: impl Fn(OpenApiRouter<App>) -> OpenApiRouter<App>,
    guard: impl Fn(OpenApiRouter<App>, Gate) -> OpenApiRouter<App>,
) -> OpenApiRouter<App> {
    let gate = |right| Gate { right, confirmed: false, metrics: false, lacking: false };
    let confirmed = |right| Gate { confirmed: true, ..gate(right) };
    let metrics = |gate| Gate { metrics: true, ..gate };
    let lacking = |gate| Gate { lacking: true, ..gate };
    counted(open())
        .merge(guard(read(), gate(Right::Read)))
        .merge(guard(read_lacking(), lacking(gate(Right::Read))))
        .merge(guard(account(), gate(Right::Account)))
        .merge(guard(account_lacking(), lacking(gate(Right::Account))))
        .merge(guard(account_confirmed(), confirmed(Right::Account)))
        .merge(guard(account_confirmed_lacking(), lacking(confirmed(Right::Account))))
        .merge(guard(keys(), gate(Right::Keys)))
        .merge(guard(keys_confirmed(), confirmed(Right::Keys)))
        .merge(guard(build(), gate(Right::Build)))
        .merge(guard(run(), gate(Right::Run)))
        .merge(guard(manage_projects(), gate(Right::ManageProjects)))
        .merge(guard(knowledge(), gate(Right::Knowledge)))
        .merge(guard(administer(), gate(Right::Administer)))
        .merge(guard(watch(), metrics(gate(Right::Administer))))
        .merge(guard(administer_confirmed(), confirmed(Right::Administer)))
        .merge(guard(own_confirmed(), confirmed(Right::Own)))
}

/// The description of the API, without a server to go with it.
pub fn description() -> utoipa::openapi::OpenApi {
    api(|routes| routes, openapi::closed).into_openapi()
}

/// The whole server as a router.
pub fn router(app: App) -> Router {
    let guard =
        |routes: OpenApiRouter<App>, gate| routes.route_layer(from_fn_with_state((app.clone(), gate), auth::closed));
    let counted = |routes: OpenApiRouter<App>| routes.route_layer(from_fn_with_state(app.clone(), rates::of_address));
    let within = |routes: OpenApiRouter<App>, gate| {
        routes.route_layer(from_fn_with_state((app.clone(), gate), mcp::door::within))
    };
    let (tools, _) = api(|routes| routes, within).split_for_parts();
    let door = from_fn_with_state(app.clone(), mcp::door::enter);
    let mcp = mcp::router(&app, tools.with_state(app.clone())).layer(door);
    let (api, _) = api(counted, guard).split_for_parts();
    let compressed = SizeAbove::new(COMPRESSED).and(NotForContentType::IMAGES).and(PACKS);
    api.merge(mcp)
        .merge(git::router(&app))
        .fallback(page::serve)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(app.clone(), auth::origin::own_page_only))
        .layer(from_fn_with_state(app.clone(), nodes::believe))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(app.clone(), metrics::count))
        .layer(from_fn(layers::accompany))
        .layer(from_fn_with_state(app.clone(), layers::careful))
        .layer(from_fn_with_state(app.clone(), auth::proxy::see_through))
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(from_fn_with_state(app.clone(), preview::divert))
        .with_state(app)
}
