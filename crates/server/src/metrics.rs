//! Figures for Prometheus.
//!
//! They belong to one server, not to the process: several servers in one process, as in the tests, count apart. What happens
//! in requests is recorded as it happens; everything else is counted where it happens, in plain numbers, and put here when
//! somebody asks.

mod names;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use guildhall_engine::Counted;
use guildhall_types::DateTime;
use guildhall_types::alert::{AlertLevel, Beside};
use guildhall_types::reading::Reading;
use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::traces::Told;
pub use names::{ALL, Kind, Metric};
pub use token::MetricsToken;

/// Seconds of an answer, each an upper bound.
const ANSWERS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds that a call to a provider waits for its leave.
const WAITS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0];
/// How often durations are put into their buckets when nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(30);
/// A figure that was not measured for so long is told no more: its disk or its host is gone, or nobody knows any more.
const KNOWN: Duration = Duration::from_secs(5 * 60);
/// Where a request belongs that no route takes: files of the page, and addresses that there are not.
const NO_ROUTE: &str = "page";

/// The figures of one server.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// WebSockets that are open.
    sockets: AtomicI64,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}

/// What is put beside what was recorded, when somebody asks.
#[derive(Debug, Default)]
pub struct Now {
    /// How the node is; nothing in the first moments.
    pub reading: Option<Arc<Reading>>,
    /// What is known beside that.
    pub beside: Option<Beside>,
    /// What its runs did.
    pub counted: Counted,
    /// Calls to providers under way, and waiting for their leave.
    pub calls: (usize, usize),
    /// Connections to the database, and those of them that nobody uses.
    pub connections: (u32, usize),
    /// The number of the team's latest event; nothing when the database does not answer.
    pub events: Option<i64>,
    /// Whether words of other servers come through; nothing where the bus is this process's own.
    pub bus: Option<bool>,
    /// Whether commands can be run.
    pub sandbox: bool,
    /// Open alerts: warnings, and critical ones; nothing when the database does not answer.
    pub alerts: Option<(usize, usize)>,
    /// What became of spans for the collector of traces.
    pub spans: Told,
    /// Seconds since the process started.
    pub uptime: i64,
}

impl Metrics {
    /// Figures of a server that has done nothing yet.
    ///
    /// # Errors
    /// Never: the buckets are fixed, and are some.
    pub fn new() -> Result<Self, BuildError> {
        Self::knowing_for(KNOWN)
    }

    fn knowing_for(known: Duration) -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .idle_timeout(MetricKindMask::GAUGE, Some(known))
            .set_buckets_for_metric(Matcher::Full(names::REQUEST_SECONDS.to_owned()), ANSWERS)?
            .set_buckets_for_metric(Matcher::Full(names::WAIT_SECONDS.to_owned()), WAITS)?
            .build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || ALL.iter().for_each(Metric::describe));
        Ok(Self { recorder, handle, sockets: AtomicI64::new(0) })
    }

    fn answered(&self, method: &Method, route: &str, status: u16, seconds: f64) {
        let method = word(method);
        with_local_recorder(&self.recorder, || {
            let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
            counter!(names::REQUESTS, &labels).increment(1);
            let labels = [("method", method.to_owned()), ("route", route.to_owned())];
            histogram!(names::REQUEST_SECONDS, &labels).record(seconds);
        });
    }

    /// Counts a WebSocket until what is returned is dropped.
    pub fn socket(self: &Arc<Self>) -> Open {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// All figures as Prometheus reads them.
    pub fn render(&self, now: &Now) -> String {
        with_local_recorder(&self.recorder, || self.put(now));
        self.handle.render()
    }

    fn put(&self, now: &Now) {
        gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        gauge!(names::UPTIME).set(now.uptime as f64);
        gauge!(names::SOCKETS).set(self.sockets.load(Ordering::Relaxed) as f64);
        gauge!(names::CALLS_UNDER_WAY).set(now.calls.0 as f64);
        gauge!(names::CALLS_WAITING).set(now.calls.1 as f64);
        let (all, idle) = now.connections;
        gauge!(names::CONNECTIONS, "state" => "idle").set(idle as f64);
        gauge!(names::CONNECTIONS, "state" => "used").set(f64::from(all) - idle as f64);
        gauge!(names::SANDBOX_USABLE).set(f64::from(u8::from(now.sandbox)));
        if let Some(up) = now.bus {
            gauge!(names::BUS_UP).set(f64::from(u8::from(up)));
        }
        if let Some((warnings, critical)) = now.alerts {
            gauge!(names::OPEN_ALERTS, "level" => AlertLevel::Warning.as_str()).set(warnings as f64);
            gauge!(names::OPEN_ALERTS, "level" => AlertLevel::Critical.as_str()).set(critical as f64);
        }
        if let Some(events) = now.events {
            counter!(names::EVENTS).absolute(events.unsigned_abs());
        }
        let Told { sent, dropped, refused } = now.spans;
        for (outcome, spans) in [("sent", sent), ("dropped", dropped), ("refused", refused)] {
            counter!(names::SPANS, "outcome" => outcome).absolute(spans);
        }
        put_counted(&now.counted);
        if let Some(reading) = &now.reading {
            put_reading(reading);
        }
        if let Some(beside) = &now.beside {
            put_beside(beside);
        }
    }

    /// Keeps durations small that nobody asks for, until `closing`.
    pub async fn keep_up(self: Arc<Self>, closing: CancellationToken) {
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(UPKEEP) => self.handle.run_upkeep(),
            }
        }
    }
}

fn put_counted(counted: &Counted) {
    for ((provider, outcome), count) in &counted.calls {
        counter!(names::CALLS, "provider" => provider.as_str(), "outcome" => *outcome).absolute(*count);
    }
    for (provider, tokens) in &counted.tokens {
        let kinds = [
            ("input", tokens.input),
            ("output", tokens.output),
            ("cache_read", tokens.cache_read),
            ("cache_write", tokens.cache_write),
        ];
        for (kind, count) in kinds {
            counter!(names::TOKENS, "provider" => provider.as_str(), "kind" => kind).absolute(count);
        }
        counter!(names::COST, "provider" => provider.as_str()).absolute(tokens.cost_micros);
    }
    for seconds in &counted.waits {
        histogram!(names::WAIT_SECONDS).record(*seconds);
    }
    for (how, count) in &counted.ended {
        counter!(names::RUNS_ENDED, "outcome" => *how).absolute(*count);
    }
    let (started, refused) = counted.sandbox;
    counter!(names::COMMANDS).absolute(started);
    counter!(names::COMMANDS_REFUSED).absolute(refused);
}

fn put_reading(reading: &Reading) {
    let set = |name: &'static str, value: Option<f64>| {
        if let Some(value) = value {
            gauge!(name).set(value);
        }
    };
    let whole = |value: i64| Some(value as f64);
    set(names::MEMORY_USED, reading.memory.map(|memory| memory.used as f64));
    set(names::MEMORY_TOTAL, reading.memory.map(|memory| memory.total as f64));
    set(names::PROCESS_MEMORY, reading.process_memory.map(|bytes| bytes as f64));
    for disk in &reading.disks {
        let labels = [("path", disk.path.clone()), ("role", disk.role().to_string())];
        gauge!(names::DISK_USED, &labels).set(disk.bytes.used as f64);
        gauge!(names::DISK_TOTAL, &labels).set(disk.bytes.total as f64);
        if let Some(files) = disk.files {
            gauge!(names::DISK_FILES_USED, &labels).set(files.used as f64);
            gauge!(names::DISK_FILES_LIMIT, &labels).set(files.total as f64);
        }
    }
    set(names::PROCESSORS, whole(reading.processors));
    set(names::LOAD, reading.load);
    set(names::ACTIVE_AGENTS, reading.active_agents.map(|count| count as f64));
    set(names::QUEUE_DEPTH, reading.queue_depth.map(|count| count as f64));
    set(names::ACTIVE_RUNS, whole(reading.active_runs));
    set(names::WORKTREES, whole(reading.worktrees));
    set(names::PROVIDER_FAILURES, whole(reading.provider_failures));
    set(names::DATABASE_UP, Some(f64::from(u8::from(reading.database_millis.is_some()))));
    set(names::DATABASE_SECONDS, reading.database_millis.map(|millis| millis / 1_000.0));
}

fn put_beside(beside: &Beside) {
    let set = |name: &'static str, at: Option<DateTime>| {
        if let Some(at) = at {
            gauge!(name).set(at.timestamp() as f64);
        }
    };
    set(names::LAST_BACKUP, beside.last_backup);
    set(names::LAST_CLEAN_UP, beside.last_clean_up);
    set(names::MAIL_STUCK, beside.mail_stuck);
    for certificate in &beside.certificates {
        gauge!(names::CERTIFICATE_ENDS, "host" => certificate.host.clone()).set(certificate.ends.timestamp() as f64);
    }
    if let Some(refused) = &beside.refused_keys {
        gauge!(names::REFUSED_KEYS).set(refused.len() as f64);
    }
}

/// A WebSocket that is open.
#[derive(Debug)]
pub struct Open(Arc<Metrics>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Methods that are told apart. Anybody can make up others.
pub(crate) fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts requests by their route: never by their path, which may name a member's work and of which there is no end.
pub async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = tokio::time::Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    app.metrics.answered(&method, route, response.status().as_u16(), began.elapsed().as_secs_f64());
    response
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use guildhall_types::NodeId;
    use guildhall_types::alert::Certificate;
    use guildhall_types::reading::{Disk, DiskRole, Used};

    use super::*;

    #[test]
    fn what_is_gone_is_told_no_more_after_a_while_and_what_is_there_is_told_always() {
        let known = Duration::from_millis(200);
        let metrics = Metrics::knowing_for(known).unwrap();
        let disk = |role, path: &str| Disk {
            holds: vec![role],
            path: path.to_owned(),
            bytes: Used { used: 1, total: 2 },
            files: Some(Used { used: 1, total: 2 }),
        };
        let at: DateTime = "2026-03-01T12:00:00Z".parse().unwrap();
        let now = |disks: Vec<Disk>, hosts: &[&str]| Now {
            reading: Some(Arc::new(Reading {
                node: NodeId::new(),
                at,
                memory: None,
                process_memory: None,
                disk: None,
                disks,
                processors: 1,
                load: None,
                active_agents: None,
                active_runs: 0,
                worktrees: 0,
                queue_depth: None,
                provider_failures: 0,
                database_millis: None,
                database_trouble: None,
            })),
            beside: Some(Beside {
                certificates: hosts
                    .iter()
                    .map(|host| Certificate { host: (*host).to_owned(), begins: at, ends: at })
                    .collect(),
                ..Beside::default()
            }),
            ..Now::default()
        };
        let data = disk(DiskRole::Data, "/data");
        // What is counted stays, though nobody counts further.
        metrics.answered(&Method::GET, "/metrics", 200, 0.5);
        let both = now(vec![data.clone(), disk(DiskRole::Log, "/var/log")], &["old.example"]);
        let text = metrics.render(&both);
        assert!(text.contains("guildhall_disk_files_used{path=\"/var/log\",role=\"log\"} 1"), "{text}");
        assert!(text.contains("old.example"), "{text}");
        let one = now(vec![data], &[]);
        for _ in 0..3 {
            sleep(known);
            metrics.render(&one);
        }
        let text = metrics.render(&one);
        assert!(text.contains("guildhall_disk_used_bytes{path=\"/data\",role=\"data\"} 1"), "{text}");
        assert!(!text.contains("/var/log") && !text.contains("old.example"), "{text}");
        for counted in [names::REQUESTS, "guildhall_http_request_duration_seconds_count"] {
            let labels = "{method=\"GET\",route=\"/metrics\"";
            assert!(text.contains(&format!("{counted}{labels}")), "{text}");
        }
    }
}
