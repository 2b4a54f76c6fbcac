//! Services of runs: commands that run on while others do, each kept by a task of this node.
//!
//! A service is an agent's, and ends with its attempt, or a member's, who looks at work that waits: that one ends after a
//! while, and before anybody works in the worktree again. None is ever started again by itself.

mod begin;
mod keep;
mod log;
mod of_agent;

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_agent::{Tool, tools};
use guildhall_git::Oid;
use guildhall_sandbox::{Exit, Isolation, Network, Room};
use guildhall_store::{Claimed, ServiceEnd};
use guildhall_team::{Team, TeamError};
use guildhall_types::event::OutputStream;
use guildhall_types::feature::WorkMode;
use guildhall_types::member::Member;
use guildhall_types::rights::MemberRight;
use guildhall_types::run::{Run, RunStatus};
use guildhall_types::service::{MINUTES, Service, ServiceStatus, checked};
use guildhall_types::{MemberId, RunId, ServiceId};
use tokio::net::TcpStream;
use tokio::sync::OwnedRwLockReadGuard;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::outfit::Whose;
use crate::problems::{Trouble, chain};
use crate::set_up::Due;
use crate::stay::Stay;
use begin::Wish;
use log::Ring;
use of_agent::RunServices;

/// How often it is put down that this node's services still run. Well below what makes one count as lost.
const BEAT: Duration = Duration::from_secs(20);
/// Bytes of the end of a service's output that are kept when it has ended.
const TAIL: usize = 24 * 1024;
/// Bytes of a log that is asked for, at most.
const LOG: usize = 256 * 1024;
/// How long whoever needs the worktree waits for a service to be gone, at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection to a service may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The services that this node runs, by run and name.
pub(crate) type Registry = Mutex<HashMap<(RunId, String), Arc<Live>>>;

/// A service of this node.
#[derive(Debug)]
pub(crate) struct Live {
    id: ServiceId,
    run: RunId,
    name: String,
    /// Whose it is; nobody's where an agent started it.
    member: Option<MemberId>,
    room: Room,
    /// Nothing is taken from the caches under a member's; an agent's are held by its attempt.
    _caches: Option<OwnedRwLockReadGuard<()>>,
    log: Mutex<Ring>,
    /// Why it is to stop; the first reason counts.
    why: Mutex<Option<Why>>,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// Why a service stops that does not end by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its agent wants it so.
    Agent,
    /// This member wants it so.
    Member(String),
    /// The agent's work ended, or is interrupted.
    Attempt,
    /// The look of the pipeline ended whose agent started it.
    Step,
    /// Somebody works in the worktree again, or it goes.
    Ground,
    /// Its member may run nothing any more.
    Dismissed,
    /// Its time is up.
    Time,
    /// This node stops.
    Shutdown,
    /// It could not be run.
    Failed(String),
}

impl Why {
    fn words(self) -> String {
        match self {
            Self::Agent => "The agent stopped it.".to_owned(),
            Self::Member(name) => format!("{name} stopped it."),
            Self::Attempt => "The agent's work ended, and it ended with that.".to_owned(),
            Self::Step => "The look of the pipeline whose agent started it ended, and it ended with that.".to_owned(),
            Self::Dismissed => "Its member may run nothing any more.".to_owned(),
            Self::Ground => "Its worktree was needed for work.".to_owned(),
            Self::Time => format!("It ran for {MINUTES} minutes, which is the most."),
            Self::Shutdown => "The server was stopped.".to_owned(),
            Self::Failed(why) => why,
        }
    }
}

/// Why a service cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It does not run, or not here.
    #[error("the service does not run on this server")]
    NotHere,
    /// It says no port.
    #[error("the service has no port")]
    NoPort,
    /// What it listens at cannot be reached from outside.
    #[error("what listens in this run's sandbox cannot be reached")]
    Closed,
    /// Nothing listens there.
    #[error("nothing listens at port {port}")]
    Nothing {
        /// The port.
        port: u16,
        /// What the connection ended with.
        #[source]
        source: io::Error,
    },
}

/// What a member sees who looks at work.
pub(crate) struct Look {
    pub(crate) run: Run,
    pub(crate) room: Room,
    /// Nothing is taken from the project's caches meanwhile.
    pub(crate) caches: OwnedRwLockReadGuard<()>,
    /// The worktree stays where it is until who looks is known to be there.
    pub(crate) stay: Stay,
    /// What of its set-up is still to be done, as in a worktree that was made again.
    pub(crate) set_up: Option<Due>,
}

impl Live {
    /// Makes it stop, for this reason unless there is one already.
    fn halt(&self, why: Why) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.stop.cancel();
    }

    fn log(&self) -> MutexGuard<'_, Ring> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    fn services(&self) -> MutexGuard<'_, HashMap<(RunId, String), Arc<Live>>> {
        self.0.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self, run: RunId, name: &str) -> Option<Arc<Live>> {
        self.services().get(&(run, name.to_owned())).cloned()
    }

    /// Starts a service in the worktree of work that waits for somebody, on behalf of `member`: to look at the work.
    ///
    /// # Errors
    /// [`TeamError::Invalid`], [`TeamError::NotYours`]; [`TeamError::Conflict`] while an agent is at work, without a worktree
    /// on this server, and while one of this name runs.
    pub async fn start_service(
        &self,
        by: &Team,
        member: &Member,
        id: RunId,
        (name, command, port): (&str, &str, Option<u16>),
    ) -> Result<Service, TeamError> {
        let (name, command) = checked(name, command).map_err(|(field, message)| TeamError::invalid(field, message))?;
        let Look { run, room, caches, set_up, stay: _stay } = self.room_to_look(member, id).await?;
        if run.status.is_live() {
            return Err(at_work());
        }
        let (name, command) = (name.to_owned(), command.to_owned());
        let wish = Wish { run: id, room, name, command, port, member: Some(member.id), caches: Some(caches), set_up };
        self.begin_service(&by.store, wish).await.map(|(service, _)| service)
    }

    /// A run, and the room of commands in its worktree, which must be on this server: for its member and admins, because
    /// what they start there takes the place of that member's commands. A worktree that was taken away while nobody used it is
    /// made again.
    pub(crate) async fn room_to_look(&self, member: &Member, id: RunId) -> Result<Look, TeamError> {
        let team = &self.0.team;
        let run = team.store.run(id).await?.ok_or(TeamError::NotFound { what: "run" })?;
        if run.member_id != member.id && !member.role.may(MemberRight::Administer) {
            return Err(TeamError::not_yours(
                "a service or a terminal is for whoever started this work, and for admins; ask one of them",
            ));
        }
        let (project, repo) = team.ready_project(run.project_id).await?;
        let stay = self.stay(id).await;
        let there = repo.worktree(&id.to_string(), &team.places.run(id))?.filter(|tree| tree.tree().is_dir());
        // One of an earlier state of the work, with which another server went on, is brought to that first.
        let head = run.head_commit.as_deref().or(run.base_commit.as_deref());
        let head = head.map(Oid::parse).transpose()?;
        let behind = head.is_some_and(|head| self.is_behind(&team.places.run(id), &head));
        let behind = behind && !self.active().contains_key(&id);
        let worktree = match there.filter(|_| run.status != RunStatus::Closed && !behind) {
            Some(worktree) => {
                self.rid_of_checks(&repo, &run, &worktree).await.map_err(of_trouble)?;
                Some(worktree)
            }
            None => {
                let made = self.bring_back(&repo, &run).await.map_err(of_trouble)?;
                if made.is_some() {
                    team.store.note_place(id, self.0.place.id()).await?;
                }
                made
            }
        };
        let Some(worktree) = worktree else {
            return Err(TeamError::conflict(
                "no-worktree",
                "the worktree of this work is not on this server: it is made when an agent begins, and goes when the work is \
                 merged or started anew",
            ));
        };
        self.usable_sandbox().await.map_err(|error| TeamError::conflict("no-sandbox", chain(&error)))?;
        self.note_used(id).await;
        let caches = self.hold_caches(project.id).await;
        // What tools keep stays whose work it is: else this work's code would be in the way of the looking member's own.
        let whose = Whose { project: project.id, member: member.id, owner: run.member_id, run: Some(id), lease: None };
        let room = self.outfit(whose, &repo, &worktree).await.map_err(of_trouble)?;
        let mode = team.store.feature(run.feature_id).await?.map(|feature| feature.card.mode);
        let room = Room { frozen: mode == Some(WorkMode::Read), ..room };
        let set_up = self.set_up_due(&project.settings, id, &room);
        Ok(Look { run, room, caches, stay, set_up })
    }

    /// Stops a service, on behalf of `member`, and waits until it is gone.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] when it runs on another server.
    pub async fn stop_service(&self, by: &Team, member: &Member, run: RunId, name: &str) -> Result<Service, TeamError> {
        let service = self.known_service(run, name).await?;
        if service.status == ServiceStatus::Running {
            let live = self.live(run, name).ok_or_else(elsewhere)?;
            by.store.note_service_stop(&service).await?;
            self.halt_and_wait(&live, Why::Member(member.name.clone())).await;
        }
        self.known_service(run, name).await
    }

    /// The last lines that a service printed: of one that runs, and of one that has ended.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] when it runs on another server.
    pub async fn service_log(&self, run: RunId, name: &str, lines: usize) -> Result<(Service, String), TeamError> {
        let service = self.known_service(run, name).await?;
        let text = match self.live(run, name) {
            Some(live) => live.log().tail(lines, LOG),
            None if service.status == ServiceStatus::Running => return Err(elsewhere()),
            None => {
                let mut ring = Ring::default();
                ring.push(self.0.team.store.service_log(service.id).await?.unwrap_or_default().as_bytes());
                ring.tail(lines, LOG)
            }
        };
        Ok((service, text))
    }

    async fn known_service(&self, run: RunId, name: &str) -> Result<Service, TeamError> {
        self.0.team.store.service(run, name).await?.ok_or(TeamError::NotFound { what: "service" })
    }

    /// Connects to what listens at a service's port.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn connect_service(&self, service: &Service) -> Result<TcpStream, NoAnswer> {
        let live = self.live(service.run_id, &service.name).filter(|live| !live.stop.is_cancelled());
        let live = live.ok_or(NoAnswer::NotHere)?;
        let port = service.port.and_then(|port| u16::try_from(port).ok()).ok_or(NoAnswer::NoPort)?;
        self.connect(&live.room, port).await
    }

    /// Resolves when a service of this node no longer runs; at once when it does not.
    pub async fn service_ended(&self, service: &Service) {
        if let Some(live) = self.live(service.run_id, &service.name) {
            live.stop.cancelled().await;
        }
    }

    async fn connect(&self, room: &Room, port: u16) -> Result<TcpStream, NoAnswer> {
        let connecting = async {
            match (self.0.sandbox.isolation(), &room.network) {
                (Isolation::None, _) => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await,
                (Isolation::Bubblewrap, Network::Of(net)) => net.connect(port).await,
                (Isolation::Bubblewrap, Network::None) => Err(io::ErrorKind::Unsupported.into()),
            }
        };
        let connected = tokio::time::timeout(CONNECT, connecting).await;
        connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|source| match source.kind() {
            io::ErrorKind::Unsupported => NoAnswer::Closed,
            _ => NoAnswer::Nothing { port, source },
        })
    }

    fn forget_service(&self, live: &Arc<Live>) {
        let mut services = self.services();
        let key = (live.run, live.name.clone());
        if services.get(&key).is_some_and(|now| Arc::ptr_eq(now, live)) {
            services.remove(&key);
        }
        live.ended.cancel();
    }

    /// Puts down how a service ended, and forgets it.
    async fn put_end(&self, live: &Arc<Live>, how: Result<Exit, Why>) {
        let log = live.log().tail(usize::MAX, TAIL);
        let end = match how {
            Ok(exit) => {
                let exit_code = match exit {
                    Exit::Code(code) => Some(i64::from(code)),
                    Exit::Signal(_) | Exit::TimedOut => None,
                };
                ServiceEnd { status: ServiceStatus::Ended, exit_code, problem: None, log, untold: false }
            }
            Err(why) => {
                let untold = !matches!(why, Why::Agent | Why::Step | Why::Failed(_));
                let problem = Some(why.words());
                ServiceEnd { status: ServiceStatus::Stopped, exit_code: None, problem, log, untold }
            }
        };
        live.stop.cancel();
        if let Err(error) = self.0.team.store.end_service(live.id, self.0.node, &end).await {
            // It then counts as lost.
            tracing::warn!(run = %live.run, service = live.name, error = &error as &dyn std::error::Error, "the end of a service was not saved");
        }
        self.0.bus.forget(live.run, &OutputStream::Service { service: live.id });
        self.note_used(live.run).await;
        self.forget_service(live);
    }

    async fn halt_and_wait(&self, live: &Live, why: Why) {
        live.halt(why);
        if tokio::time::timeout(PATIENCE, live.ended.cancelled()).await.is_err() {
            tracing::warn!(run = %live.run, service = live.name, "a service that was stopped is still there");
        }
    }

    /// A worktree is about to go: whoever looks at it there has to leave.
    pub(crate) fn leave_ground(&self, run: RunId) {
        self.send_away(run, true);
        for live in self.services().values().filter(|live| live.run == run && live.member.is_some()) {
            live.halt(Why::Ground);
        }
    }

    /// Whether a service of a run runs here.
    pub(crate) fn runs_service(&self, run: RunId) -> bool {
        self.services().values().any(|live| live.run == run)
    }

    /// Ends the services of a member who may run nothing any more.
    pub(crate) fn dismiss_services(&self, member: MemberId) {
        for live in self.services().values().filter(|live| live.member == Some(member)) {
            live.halt(Why::Dismissed);
        }
    }

    /// Ends all services of a run, and waits until they are gone.
    pub(crate) async fn end_services(&self, run: RunId, why: Why) {
        let all: Vec<Arc<Live>> = self.services().values().filter(|live| live.run == run).cloned().collect();
        for live in &all {
            live.halt(why.clone());
        }
        for live in &all {
            self.halt_and_wait(live, why.clone()).await;
        }
    }

    /// The tools by which the agents of a run reach its services, whose commands see `room`.
    pub(crate) fn services_of(&self, claimed: &Claimed, room: Room) -> Vec<Arc<dyn Tool>> {
        tools::of_services(&RunServices::new(self, claimed, room).shared())
    }
}

/// Says again and again that this node's services still run, until the engine stops.
pub(crate) async fn beat_forever(engine: Engine) {
    loop {
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        let ids: Vec<ServiceId> = engine.services().values().map(|live| live.id).collect();
        if !ids.is_empty()
            && let Err(error) = engine.0.team.store.beat_services(engine.0.node, &ids).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "it could not be noted that services still run");
        }
    }
}

pub(crate) fn at_work() -> TeamError {
    TeamError::conflict(
        "agent-at-work",
        "an agent works in this worktree, or is about to; wait until the work waits for you",
    )
}

fn elsewhere() -> TeamError {
    TeamError::conflict(
        "other-node",
        "this service runs on another server of this Guildhall; ask there, or let whoever runs it name where that is reached by GUILDHALL_NODE_URL",
    )
}

pub(crate) fn of_trouble(trouble: Trouble) -> TeamError {
    match trouble {
        Trouble::Team(error) => error,
        Trouble::Store(error) => error.into(),
        Trouble::Git(error) => error.into(),
        other => TeamError::conflict("no-room", chain(&other)),
    }
}
