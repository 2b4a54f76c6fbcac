//! What the machines have and who uses what: for whoever keeps the server running.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use guildhall_team::{MemberNow, NodeNow, SamplesOf, SamplesView};
use guildhall_types::DateTime;
use guildhall_types::alert::AlertLevel;
use guildhall_types::reading::{DatabaseTrouble, Reading};
use guildhall_types::sample::SampleRange;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Query};
use crate::metrics::Now;
use crate::problem::Problem;
use crate::routes::settings::{TeamLimits, limits};
use crate::traces::Traces;

/// The exposition format's media type.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a scrape waits for what only the database knows.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the servers are, and who uses what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// When this was.
    at: DateTime,
    /// The servers; the one that answers is as it is, others as they were when they last told.
    nodes: Vec<NodeNow>,
    /// Runs of the whole team at work.
    active_agents: i64,
    /// Runs that wait in the queue.
    queue_depth: i64,
    /// What members use, of those who use anything: as of the last minute, and the tokens of the last 24 hours.
    members: Vec<MemberNow>,
    /// Whether commands can be run on the server that answers.
    sandbox_usable: bool,
    /// The limits that hold.
    limits: TeamLimits,
}

/// Shows how the servers are and who uses what. For admins.
#[utoipa::path(get, path = "/api/operation", tag = "operation", responses((status = 200, body = Operation)))]
pub async fn get_operation(State(app): State<App>, signed: Signed) -> Result<Json<Operation>, Problem> {
    let reading = app.engine.readings().borrow().clone();
    let (active_agents, queue_depth) = app.team.store.run_counts().await?;
    Ok(Json(Operation {
        at: app.team.clock.now(),
        nodes: signed.team.nodes_now(reading.as_deref()).await?,
        active_agents,
        queue_depth,
        members: signed.team.members_now().await?,
        sandbox_usable: app.engine.sandbox_report().await.usable,
        limits: limits(&app).await?,
    }))
}

/// Which samples.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SamplesParams {
    /// Of the servers or of the members.
    of: SamplesOf,
    /// Over how long.
    range: SampleRange,
}

/// Shows what servers or members used over time. For admins.
#[utoipa::path(get, path = "/api/operation/samples", tag = "operation", params(SamplesParams),
    responses((status = 200, body = SamplesView)))]
pub async fn list_samples(signed: Signed, Query(query): Query<SamplesParams>) -> Result<Json<SamplesView>, Problem> {
    Ok(Json(signed.team.samples(query.of, query.range).await?))
}

/// Figures for Prometheus. For admins and the operator's metrics token.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4; charset=utf-8")))]
pub async fn get_metrics(State(app): State<App>) -> impl IntoResponse {
    let lanes = app.engine.rate_limits(None);
    let sum = |of: fn(&guildhall_llm::governor::Snapshot) -> usize| {
        lanes.iter().map(|one| of(&one.lane.state)).sum::<usize>()
    };
    let reading = app.engine.readings().borrow().clone();
    // Above all it is to come through that the database does not answer: monitors wait for a scrape no longer than ten
    // seconds.
    // One that takes nothing that is written can be asked all the same.
    let read = |one: &Reading| one.database_trouble.is_none_or(|trouble| trouble != DatabaseTrouble::Away);
    let answers = reading.as_deref().is_some_and(read);
    let store = &app.team.store;
    let asked = async {
        match answers {
            true => {
                tokio::time::timeout(PATIENCE, async { tokio::join!(store.open_alerts(), store.last_seq()) }).await.ok()
            }
            false => None,
        }
    };
    let (open, events) = asked.await.map_or((None, None), |(open, events)| (open.ok(), events.ok()));
    let alerts = open.map(|open| {
        let critical = open.iter().filter(|alert| alert.level == AlertLevel::Critical).count();
        (open.len() - critical, critical)
    });
    let now = Now {
        reading,
        beside: app.engine.known_beside(),
        counted: app.engine.counted(),
        calls: (sum(|state| state.in_flight), sum(|state| state.queued)),
        connections: app.team.store.connections(),
        events,
        bus: app.bus.link().map(|link| link.up),
        sandbox: app.engine.sandbox_report().await.usable,
        alerts,
        spans: app.traces.as_ref().map(Traces::told).unwrap_or_default(),
        uptime: (app.team.clock.now() - app.started).num_seconds(),
    };
    ([(header::CONTENT_TYPE, EXPOSITION), (header::CACHE_CONTROL, "no-store")], app.metrics.render(&now))
}
