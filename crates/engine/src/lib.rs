//! Claims runs, holds their leases, and drives each feature from its worktree to its checks.
//!
//! Nobody calls the engine to make it work: it hears of new work by the events that the store commits, and looks for
//! itself every few seconds, in case a hint was lost.

mod after;
mod alerts;
mod attached;
mod caches;
mod checks;
mod drive;
mod ending;
mod git_group;
mod guide;
mod hear;
mod hold;
mod hub;
mod journal;
mod keep;
mod lasting;
mod mcp;
mod morning;
mod network;
mod outfit;
mod parking;
mod passed;
mod pipeline;
mod problems;
mod rate_limits;
mod reading;
mod remotes;
mod room;
mod samples;
mod schedule;
mod services;
mod set_up;
mod sharing;
mod stay;
mod systems;
mod tally;
mod terminal;
mod tidy;
mod trial;
mod unsaved;
mod worktree;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use caches::CacheSize;
use guildhall_bus::Bus;
use guildhall_llm::Patience;
use guildhall_llm::governor::Governor;
use guildhall_sandbox::{Groups, Report, Sandbox, SandboxError, ServerGroup, Toolchain, Usage};
pub use guildhall_team::{LIMITS, RUN_LIMITS};
use guildhall_team::{Team, TeamError};
use guildhall_types::alert::Beside;
use guildhall_types::limits::{Limits, RunLimits};
use guildhall_types::reading::Reading;
use guildhall_types::trace::{self, Key, carried};
use guildhall_types::{MemberId, NodeId, PlaceId, ProjectId, RunId};
pub use lasting::last;
pub use network::{Outside, Resolve};
pub use rate_limits::{KeyLimits, UsedKey};
pub use reading::disks::{disk_folders, disks};
pub use services::NoAnswer;
pub use tally::{Counted, Tokens};
pub use terminal::{HandsOff, Sitting};
pub use tidy::{Broom, Removed, Swept};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How long gits that outlived their server may take to end by themselves.
const LAST_GITS: Duration = Duration::from_secs(2);

/// How the engine keeps time.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long a run is held before the hold must be renewed. A dead node's runs go on elsewhere after this.
    pub lease: Duration,
    /// How often the engine looks for work that no hint told it of.
    pub look: Duration,
    /// How often it is read how this node is.
    pub read: Duration,
    /// Whether these readings raise alerts and let work wait. A test has no other readings judged than its own: the machine on
    /// which it runs may be short of memory or disk.
    pub alerts: bool,
    /// How often worktrees that nobody needs are looked for.
    pub tidy: Duration,
    /// How long a run may wait for its provider with its lease held; for longer waits it goes back to the queue.
    pub patience: Duration,
    /// How often it is looked whether a project is up to date with its other repository.
    pub remotes: Duration,
    /// How long a run waits that found no room on the disk, or no database, before it is tried again.
    pub rest: Duration,
    /// How long a provider may be silent. The server makes its client of this.
    pub calls: Patience,
    /// How long a call waits that failed, before it is tried a second time; then longer and longer.
    pub tries: Duration,
    /// How long a run is put off whose provider cannot answer, however often it is tried.
    pub outage: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            look: Duration::from_secs(5),
            read: Duration::from_secs(15),
            alerts: true,
            tidy: Duration::from_secs(30 * 60),
            patience: Duration::from_secs(5 * 60),
            remotes: Duration::from_secs(60),
            rest: Duration::from_secs(30),
            calls: Patience::default(),
            tries: Duration::from_secs(1),
            outage: Duration::from_secs(10 * 60),
        }
    }
}

impl Pace {
    /// The length of a lease as the store takes it.
    fn hold(&self) -> chrono::Duration {
        chrono::Duration::from_std(self.lease).unwrap_or(chrono::Duration::MAX)
    }

    fn outage(&self) -> chrono::Duration {
        chrono::Duration::from_std(self.outage).unwrap_or(chrono::Duration::MAX)
    }
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Runs at work on this node.
    pub active_runs: usize,
    /// Worktrees on this node's disk.
    pub worktrees: usize,
}

/// How long a host counts as one that cannot isolate before it is tried again, and as one that can. The latter is seen from its
/// commands as well; but where nothing is at work, only so.
const UNUSABLE: Duration = Duration::from_secs(10);
const USABLE: Duration = Duration::from_secs(3 * 60);
/// How long after a self-test that failed on a host that could isolate it is tried once more: a moment's want of memory or of
/// processes stops no node.
const ONCE_MORE: Duration = Duration::from_secs(3);

/// An attempt at a run that is at work here.
#[derive(Debug)]
struct Attempt {
    number: i64,
    cancel: CancellationToken,
}

/// What this host was found to be able to do.
#[derive(Debug)]
struct Tried {
    at: tokio::time::Instant,
    /// How often commands had found it otherwise until then.
    doubts: u64,
    /// When the self-test last failed, be it once.
    failed: Option<tokio::time::Instant>,
    report: Arc<Report>,
}

/// The engine of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    team: Team,
    bus: Bus,
    sandbox: Sandbox,
    /// What the kernel lets commands have of this machine.
    groups: Groups,
    /// What git has of it that works for no run: for as long as this is there.
    _git_group: Option<Arc<ServerGroup>>,
    /// What commands reach of the network.
    networks: network::Networks,
    /// Lets the calls of this node's runs go when the limits of their keys have room.
    governor: Governor,
    /// Whose keys its lanes belong to, by the hashes that it tells.
    keys: Mutex<HashMap<String, UsedKey>>,
    /// What this node's runs did.
    tally: Arc<tally::Tally>,
    /// Calls that the database did not take.
    unsaved: Arc<unsaved::Unsaved>,
    /// What this node is called over time.
    place: samples::Place,
    /// What becomes of that: alerts, and whether work begins here.
    watcher: tokio::sync::Mutex<alerts::Watcher>,
    /// What was known beside the latest reading.
    beside: Mutex<Option<Beside>>,
    /// What this node is short of.
    strains: Mutex<parking::Strains>,
    /// How to let the runs at work here make room.
    parkings: Mutex<HashMap<RunId, Arc<parking::Parking>>>,
    /// How this node is.
    readings: watch::Sender<Option<Arc<Reading>>>,
    /// The projects in which an MCP server is tried here.
    trying: Mutex<HashSet<Option<ProjectId>>>,
    /// What members were told here of MCP servers that are programs in runs' worktrees.
    told: mcp::Told,
    /// Places for trials of checks.
    trials: Arc<Semaphore>,
    /// The trials at work here.
    tries: trial::Registry,
    /// What this host can do, and when that was tried.
    report: tokio::sync::Mutex<Option<Tried>>,
    node: NodeId,
    pace: Pace,
    /// The runs at work here, in which attempt, and how to stop each.
    active: Mutex<HashMap<RunId, Attempt>>,
    /// Whose turn it is to work in the worktree of each of them: one claim's at a time.
    grounds: Mutex<HashMap<RunId, Arc<tokio::sync::Mutex<()>>>>,
    /// The services of runs that this node runs.
    services: services::Registry,
    /// Who sits at a terminal here.
    sittings: terminal::Registry,
    /// Who is about to look into a worktree here, and which are being taken away.
    stays: stay::Registry,
    /// How the clean-up goes.
    tidying: tidy::Tidying,
    /// The projects whose repository is being made here.
    preparing: Mutex<HashSet<ProjectId>>,
    /// Whose turn it is to merge, in each project.
    merging: Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<()>>>>,
    /// Who sets up worktrees for members who look into them.
    set_ups: Mutex<set_up::Turns>,
    /// Who works with the caches of each project.
    holds: Mutex<caches::Holds>,
    /// How large the caches of each project were found to be.
    cache_sizes: Mutex<caches::Sizes>,
    /// What auto mode found to lack something, such as a key.
    passed_over: Mutex<passed::Passed>,
    /// There may be a run to claim.
    wake: Notify,
    /// There may be an execution to bring forward.
    executions: Notify,
    /// There may be a worktree that nobody needs.
    untidy: Notify,
    /// Cancelled when this node is to stop.
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Engine {
    /// Starts the engine. `alone` says that no other process uses this database: runs that a former process held are
    /// then taken up at once, without waiting for their leases to end.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(team: Team, bus: Bus, sandbox: Sandbox, pace: Pace, alone: bool) -> Result<Self, TeamError> {
        Self::start_to(team, bus, sandbox, pace, alone, Outside::default()).await
    }

    /// The same, with another way out for commands than the host's own.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start_to(
        team: Team,
        bus: Bus,
        sandbox: Sandbox,
        pace: Pace,
        alone: bool,
        outside: Outside,
    ) -> Result<Self, TeamError> {
        // Whatever database it is, a data folder is one process's: what still works there was a dead one's.
        let rooms = [team.places.worktrees.clone(), team.places.trials.clone()];
        let repositories = team.places.repositories.clone();
        let sandbox = sandbox.of_server(team.places.worktrees.clone()).trying_in(team.places.data().to_owned());
        let ended = tokio::task::spawn_blocking(move || {
            let commands: usize = rooms.iter().map(|folder| guildhall_sandbox::end_leftovers(folder)).sum();
            (commands, guildhall_git::end_leftovers(&repositories, LAST_GITS))
        });
        let (commands, gits) = ended.await.unwrap_or_default();
        if commands + gits > 0 {
            tracing::warn!(commands, gits, "what a former process had left at work was ended");
        }
        if alone {
            let orphans = team.store.expire_leases().await?;
            if orphans > 0 {
                tracing::info!(orphans, "runs of a former process go on");
            }
        }
        let (data, now) = (team.places.data().to_owned(), team.clock.now());
        let place = tokio::task::spawn_blocking(move || samples::Place::of(&data, now)).await;
        let place = place.map_err(io::Error::other).and_then(|place| place);
        let place = place.map_err(|error| TeamError::internal("the file `node` of the data folder", error))?;
        team.shared.look().await?;
        let limits = team.limits().await?;
        let groups = tokio::task::spawn_blocking(move || Groups::begin(limits));
        let groups = groups.await.map_err(|error| TeamError::internal("control groups", error))?;
        let git_group = git_group::gather(&groups).await;
        team.store.lose_services(alone).await?;
        let last_seen = team.store.last_seq().await?;
        let inner = Inner {
            team,
            bus,
            sandbox,
            groups,
            _git_group: git_group,
            networks: network::Networks::to(outside),
            governor: Governor::default(),
            keys: Mutex::default(),
            tally: Arc::default(),
            unsaved: Arc::default(),
            place,
            watcher: tokio::sync::Mutex::default(),
            beside: Mutex::default(),
            strains: Mutex::default(),
            parkings: Mutex::default(),
            readings: watch::Sender::new(None),
            trying: Mutex::default(),
            told: mcp::Told::default(),
            trials: Arc::new(Semaphore::new(trial::AT_ONCE)),
            tries: trial::Registry::default(),
            report: tokio::sync::Mutex::default(),
            node: NodeId::new(),
            pace,
            active: Mutex::default(),
            grounds: Mutex::default(),
            services: services::Registry::default(),
            sittings: terminal::Registry::default(),
            stays: stay::Registry::default(),
            tidying: tidy::Tidying::default(),
            preparing: Mutex::default(),
            merging: Mutex::default(),
            set_ups: Mutex::default(),
            holds: Mutex::default(),
            cache_sizes: Mutex::default(),
            passed_over: Mutex::default(),
            wake: Notify::new(),
            executions: Notify::new(),
            untidy: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let engine = Self(Arc::new(inner));
        engine.sweep_trials().await;
        let seen = Arc::new(AtomicI64::new(last_seen));
        engine.last("events", move |engine| hear::listen(engine, Arc::clone(&seen)));
        engine.last("claims", schedule::claim_forever);
        engine.last("shared repositories", sharing::share_forever);
        engine.last("clean-up", tidy::tidy_forever);
        engine.last("refused hosts", network::note_forever);
        engine.last("reports", morning::report_forever);
        engine.last("other repositories", remotes::sync_forever);
        engine.last("alerts", alerts::watch_forever);
        engine.last("certificates", alerts::look_at_certificates_forever);
        engine.last("readings", reading::read_forever);
        engine.last("missing days", samples::make_missing_days);
        engine.last("executions", systems::drive_forever);
        engine.last("services", services::beat_forever);
        engine.last("unsaved calls", unsaved::write_forever);
        Ok(engine)
    }

    /// The data folder in which this node works: what it is called over time.
    pub fn place(&self) -> PlaceId {
        self.0.place.id()
    }

    /// This node's id.
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// What the engine is doing.
    pub async fn stats(&self) -> Stats {
        let active_runs = self.active().len();
        let worktrees = self.worktrees_on_disk().await.len();
        Stats { active_runs, worktrees }
    }

    /// Stops claiming, gives the runs at work back to the queue, and waits for that, at most for `grace`. Returns whether
    /// everything ended in time.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        self.0.stop.cancel();
        self.0.tasks.close();
        tokio::time::timeout(grace, self.0.tasks.wait()).await.is_ok()
    }

    /// What this host's sandbox can do. A host that cannot isolate is tried again after some seconds, as it may have been
    /// mended; one that can after some minutes, and as soon as a command could not be run, and twice before it is taken for
    /// one that cannot.
    pub async fn sandbox_report(&self) -> Arc<Report> {
        let mut known = self.0.report.lock().await;
        let doubts = self.0.sandbox.doubts();
        if let Some(tried) = &*known {
            let lasts = if tried.report.usable { USABLE } else { UNUSABLE };
            if (tried.doubts == doubts || !tried.report.usable) && tried.at.elapsed() < lasts {
                return Arc::clone(&tried.report);
            }
        }
        let mut report = self.0.sandbox.probe().await;
        let mut failed = (!report.usable).then(tokio::time::Instant::now);
        if failed.is_some() && known.as_ref().is_some_and(|tried| tried.report.usable) {
            let wrong: Vec<_> = report.findings.iter().filter(|found| !found.ok).collect();
            tracing::warn!(?wrong, "the self-test of the sandbox failed; it is tried once more");
            tokio::time::sleep(ONCE_MORE).await;
            report = self.0.sandbox.probe().await;
        } else if failed.is_none() {
            failed = known.as_ref().and_then(|tried| tried.failed);
        }
        report.findings.extend(self.0.groups.findings());
        let report = Arc::new(report);
        *known = Some(Tried { at: tokio::time::Instant::now(), doubts, failed, report: Arc::clone(&report) });
        report
    }

    /// Whether this host cannot isolate, or could not a moment ago.
    pub(crate) async fn fails_to_isolate(&self) -> bool {
        let usable = self.sandbox_report().await.usable;
        let failed = self.0.report.lock().await.as_ref().and_then(|tried| tried.failed);
        !usable || failed.is_some_and(|at| at.elapsed() < UNUSABLE)
    }

    /// What this node's runs did since it started. What calls waited for their leave is told once.
    pub fn counted(&self) -> Counted {
        Counted { sandbox: self.0.sandbox.counts(), ..self.0.tally.counted() }
    }

    /// Lets the team's limits hold as they are set now, for runs at work as well. They hold within seconds without this.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn apply_limits(&self) -> Result<(), TeamError> {
        self.0.groups.set(self.limits().await?).await;
        Ok(())
    }

    /// What the commands of this member's runs use on this node now.
    pub async fn usage_of(&self, member: MemberId) -> Usage {
        let groups = self.0.groups.clone();
        tokio::task::spawn_blocking(move || groups.usage(member)).await.unwrap_or_default()
    }

    /// The toolchains that the operator listed, which commands find.
    pub fn toolchains(&self) -> &[Toolchain] {
        self.0.sandbox.toolchains().all()
    }

    /// Refuses work on a host that cannot isolate it.
    async fn usable_sandbox(&self) -> Result<(), SandboxError> {
        let report = self.sandbox_report().await;
        if report.usable {
            return Ok(());
        }
        // What the kernel does not limit is told as well, and keeps nothing from running.
        let limits = self.0.groups.findings();
        let missing: Vec<String> = report
            .findings
            .iter()
            .filter(|finding| !finding.ok && !limits.iter().any(|limit| limit.name == finding.name))
            .map(|finding| format!("{}: {}", finding.name, finding.detail))
            .collect();
        Err(SandboxError::Unavailable { reason: missing.join("; ") })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // What is begun for a request or a run says so in its lines of the log.
        self.0.tasks.spawn(carried(task.in_current_span()));
    }

    /// A stretch of a run's work has ended so.
    fn ended(&self, how: &'static str) {
        self.0.tally.ended(how);
        trace::note(Key::Outcome, how);
    }

    fn active(&self) -> MutexGuard<'_, HashMap<RunId, Attempt>> {
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn preparing(&self) -> MutexGuard<'_, HashSet<ProjectId>> {
        self.0.preparing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The team's limits as they are set now.
    async fn limits(&self) -> Result<Limits, TeamError> {
        self.0.team.limits().await
    }

    /// The limits of one run as they are set now.
    async fn run_limits(&self) -> Result<RunLimits, TeamError> {
        self.0.team.run_limits().await
    }
}
