//! How the server is.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_bus::Link;
use guildhall_sandbox::{Isolation, Report};
use guildhall_store::Backend;
use guildhall_team::NodeNow;
use guildhall_types::DateTime;
use guildhall_types::alert::Alert;
use guildhall_types::reading::{DatabaseTrouble, Disk, Reading, Used};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::Json;
use crate::problem::Problem;
use crate::routes::settings::{TeamLimits, limits};

/// The version of this server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether the server answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
    /// The version of this server.
    version: &'static str,
}

/// Says that the server answers.
#[utoipa::path(get, path = "/api/health", tag = "health", responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: VERSION })
}

/// Whether the server can work, as it last found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`; `starting` until it has looked for the first time, `database-away` when the database did not answer,
    /// `database-read-only` or `disk-full` when it answers and takes nothing that is written, and `stuck` when it looks no more.
    status: &'static str,
}

/// After so many seconds without a new reading, nothing is known of the server.
const STALE: i64 = 60;

/// Says whether the server can work: with 200 when the database took what was written there last, some seconds ago; else with
/// 503. Asks nothing anew.
#[utoipa::path(get, path = "/api/health/ready", tag = "health",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, description = "It cannot work now.")))]
pub async fn health_ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let reading = app.engine.readings().borrow().clone();
    let status = readiness(reading.as_deref(), app.team.clock.now());
    let code = if status == READY { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Readiness { status }))
}

const READY: &str = "ready";

fn readiness(reading: Option<&Reading>, now: DateTime) -> &'static str {
    match reading {
        None => "starting",
        Some(reading) if (now - reading.at).num_seconds() > STALE => "stuck",
        Some(Reading { database_millis: None, database_trouble, .. }) => {
            database_trouble.unwrap_or(DatabaseTrouble::Away).as_str()
        }
        Some(_) => READY,
    }
}

/// How the server is, in detail.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthDetailed {
    /// `ok`, or `degraded` when the database does not answer or takes nothing that is written, or commands cannot be run.
    status: &'static str,
    /// The version of this server.
    version: &'static str,
    /// Seconds since this process started.
    uptime: i64,
    /// What this process holds.
    memory: Memory,
    /// Memory of the machine, or of the container or service, whichever has less left of its own.
    machine_memory: Option<Used>,
    /// Disk of the data folder's file system.
    disk: Option<Used>,
    /// Every disk on which something of the server's lies.
    disks: Vec<Disk>,
    /// Runs that this node works on.
    active_agents: usize,
    /// Worktrees on this node's disk.
    active_worktrees: usize,
    /// Runs that wait for a free place.
    queue_depth: i64,
    /// Calls to model providers that failed in the last five minutes on this node, without rate limits and overloads.
    api_failures: i64,
    /// The database.
    database: Database,
    /// What carries hints between the parts of the server.
    bus: BusState,
    /// The servers of the team, as they last told; none when the database does not answer.
    nodes: Vec<NodeNow>,
    /// How agents' commands are kept apart from the host.
    sandbox: SandboxReport,
    /// The limits that hold.
    limits: TeamLimits,
    /// Alerts that are open.
    open_alerts: Vec<Alert>,
}

/// Bytes that this process holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Its own data that is in memory.
    heap_used: i64,
    /// Its own data, what is not in memory included.
    heap_total: i64,
    /// All that is in memory, the program and its libraries included.
    rss: i64,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
pub struct Database {
    /// `sqlite` or `postgres`.
    backend: &'static str,
    /// Whether it answers.
    ok: bool,
    /// Milliseconds until it had taken something that was written, when that was last tried; absent when it took nothing.
    milliseconds: Option<f64>,
    /// Why it took nothing, if it did not.
    trouble: Option<DatabaseTrouble>,
}

/// What carries hints between the parts of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct BusState {
    /// `memory`: within this process; `redis`: also to the other servers of the team.
    kind: &'static str,
    /// Whether it carries all that it should: over Redis, whether words come through.
    ok: bool,
    /// Since when that is so, over Redis.
    since: Option<DateTime>,
    /// Why they do not come through, if that is known.
    trouble: Option<String>,
}

impl From<Option<Link>> for BusState {
    fn from(link: Option<Link>) -> Self {
        match link {
            // It lives as long as the process that answers.
            None => Self { kind: "memory", ok: true, since: None, trouble: None },
            Some(Link { up, since, trouble }) => Self { kind: "redis", ok: up, since: Some(since), trouble },
        }
    }
}

/// How agents' commands are kept apart from the host.
#[derive(Debug, Serialize, ToSchema)]
pub struct SandboxReport {
    /// `bubblewrap`, or `none` where the operator wrote so.
    isolation: &'static str,
    /// Whether commands can be run.
    usable: bool,
    /// What was looked at: when the server started, and again where it was not usable.
    findings: Vec<SandboxFinding>,
}

/// One thing that the sandbox's self-test looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct SandboxFinding {
    /// What was tried.
    name: String,
    /// Whether it works.
    ok: bool,
    /// What was found, or what to do.
    detail: String,
}

impl From<&Report> for SandboxReport {
    fn from(report: &Report) -> Self {
        let finding = |finding: &guildhall_sandbox::Finding| SandboxFinding {
            name: finding.name.to_owned(),
            ok: finding.ok,
            detail: finding.detail.clone(),
        };
        Self {
            isolation: match report.isolation {
                Isolation::Bubblewrap => "bubblewrap",
                Isolation::None => "none",
            },
            usable: report.usable,
            findings: report.findings.iter().map(finding).collect(),
        }
    }
}

/// Says how the server is, in detail. For admins, and programs that show the operator's metrics token.
#[utoipa::path(get, path = "/api/health/detailed", tag = "health", responses((status = 200, body = HealthDetailed)))]
pub async fn health_detailed(State(app): State<App>) -> Result<Json<HealthDetailed>, Problem> {
    let ok = app.team.store.ping().await.is_ok();
    let stats = app.engine.stats().await;
    let sandbox = app.engine.sandbox_report().await;
    let (_, queue_depth) = if ok { app.team.store.run_counts().await? } else { (0, 0) };
    let reading = app.engine.readings().borrow().clone();
    let reading = reading.as_deref();
    let trouble = reading.and_then(|reading| reading.database_trouble);
    let nodes = if ok { app.team.nodes_now(reading).await? } else { Vec::new() };
    Ok(Json(HealthDetailed {
        status: if ok && trouble.is_none() && sandbox.usable { "ok" } else { "degraded" },
        version: VERSION,
        uptime: (app.team.clock.now() - app.started).num_seconds(),
        memory: memory(&tokio::fs::read_to_string("/proc/self/status").await.unwrap_or_default()),
        machine_memory: reading.and_then(|reading| reading.memory),
        disk: reading.and_then(|reading| reading.disk),
        disks: reading.map(|reading| reading.disks.clone()).unwrap_or_default(),
        active_agents: stats.active_runs,
        active_worktrees: stats.worktrees,
        queue_depth,
        api_failures: reading.map_or(0, |reading| reading.provider_failures),
        database: Database {
            backend: match app.team.store.backend() {
                Backend::Sqlite => "sqlite",
                Backend::Postgres => "postgres",
            },
            ok,
            milliseconds: reading.and_then(|reading| reading.database_millis),
            trouble,
        },
        bus: app.bus.link().into(),
        nodes,
        sandbox: SandboxReport::from(&*sandbox),
        limits: limits(&app).await.unwrap_or_default(),
        open_alerts: if ok { app.team.store.open_alerts().await? } else { Vec::new() },
    }))
}

/// Says how agents' commands are kept apart from the host. For every member: whoever starts an agent should know.
#[utoipa::path(get, path = "/api/sandbox", tag = "health", responses((status = 200, body = SandboxReport)))]
pub async fn get_sandbox(State(app): State<App>) -> Json<SandboxReport> {
    Json(SandboxReport::from(&*app.engine.sandbox_report().await))
}

/// Reads `/proc/self/status`. The allocator is not asked: the kernel knows what it took.
fn memory(status: &str) -> Memory {
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<i64>().ok());
        kib.unwrap_or(0) * 1024
    };
    Memory { heap_used: of("RssAnon"), heap_total: of("VmData"), rss: of("VmRSS") }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use guildhall_types::NodeId;

    use super::*;

    #[test]
    fn a_server_is_ready_while_the_database_gives_it_turns_and_it_looks() {
        let at: DateTime = "2026-03-01T12:00:00Z".parse().unwrap();
        let told = |database_millis: Option<f64>, database_trouble| Reading {
            node: NodeId::new(),
            at,
            memory: None,
            process_memory: None,
            disk: None,
            disks: Vec::new(),
            processors: 1,
            load: None,
            active_agents: None,
            active_runs: 0,
            worktrees: 0,
            queue_depth: None,
            provider_failures: 0,
            database_millis,
            database_trouble,
        };
        let after = |millis, seconds| readiness(Some(&told(millis, None)), at + Duration::seconds(seconds));
        assert_eq!(readiness(None, at), "starting");
        assert_eq!((after(Some(1.0), 0), after(Some(4_000.0), 60)), (READY, READY));
        assert_eq!(after(None, 0), "database-away");
        for (trouble, word) in [
            (DatabaseTrouble::Away, "database-away"),
            (DatabaseTrouble::ReadOnly, "database-read-only"),
            (DatabaseTrouble::Full, "disk-full"),
        ] {
            assert_eq!(readiness(Some(&told(None, Some(trouble))), at), word);
        }
        assert_eq!(after(Some(1.0), 61), "stuck");
    }

    #[test]
    fn memory_is_read_from_what_the_kernel_says() {
        let status = "Name:\tguildhall\nVmRSS:\t   24000 kB\nRssAnon:\t    9000 kB\nVmData:\t   50000 kB\n";
        let expected = Memory { heap_used: 9000 * 1024, heap_total: 50_000 * 1024, rss: 24_000 * 1024 };
        assert_eq!(memory(status), expected);
        assert_eq!(memory(""), Memory::default());
    }
}
