//! Begins a service: known here first, then written down, then started.

use std::sync::{Arc, Mutex};

use guildhall_sandbox::{Room, SandboxError, Streams};
use guildhall_store::{NewService, Store};
use guildhall_team::TeamError;
use guildhall_types::run::RunStatus;
use guildhall_types::secret::SecretUse;
use guildhall_types::service::{MINUTES, Service};
use guildhall_types::trace::carried;
use guildhall_types::{MemberId, RunId, ServiceId, boundary};
use tokio::sync::OwnedRwLockReadGuard;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::keep::{keep, set_up_and_keep};
use super::{Live, Why, at_work};
use crate::Engine;
use crate::problems::chain;
use crate::set_up::Due;

/// What is to be started.
pub(super) struct Wish {
    pub(super) run: RunId,
    pub(super) room: Room,
    pub(super) name: String,
    pub(super) command: String,
    pub(super) port: Option<u16>,
    pub(super) member: Option<MemberId>,
    pub(super) caches: Option<OwnedRwLockReadGuard<()>>,
    /// How the worktree is to be set up first.
    pub(super) set_up: Option<Due>,
}

impl Engine {
    /// Starts a service, on behalf of whoever `store` acts for. Whoever asks may give up: it is begun whole all the same, or
    /// not at all.
    pub(super) async fn begin_service(&self, store: &Store, wish: Wish) -> Result<(Service, Arc<Live>), TeamError> {
        let (engine, store) = (self.clone(), store.clone());
        let beginning = async move { engine.begin_whole(&store, wish).await };
        let begun = self.0.tasks.spawn(carried(beginning.in_current_span())).await;
        begun.map_err(|error| TeamError::internal("starting a service", error))?
    }

    async fn begin_whole(&self, store: &Store, wish: Wish) -> Result<(Service, Arc<Live>), TeamError> {
        boundary!("service.begin");
        let Wish { run, room, name, command, port, member, caches, set_up } = wish;
        let live = Arc::new(Live {
            id: ServiceId::new(),
            run,
            name: name.clone(),
            member,
            room,
            _caches: caches,
            log: Mutex::default(),
            why: Mutex::default(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        let running = || {
            let message = format!("a service {name} runs already; stop it first, or give this one another name");
            TeamError::conflict("service-running", message)
        };
        {
            let mut services = self.services();
            if services.contains_key(&(run, name.clone())) {
                return Err(running());
            }
            services.insert((run, name.clone()), Arc::clone(&live));
        }
        // Asked once it is known here, and before anything is started: whoever has claimed the run by now is refused here, and
        // whoever does later finds this.
        if let Some(member) = member
            && let Err(error) = self.must_still_wait(run, member).await
        {
            self.forget_service(&live);
            return Err(error);
        }
        let minutes = chrono::Duration::minutes(MINUTES);
        let new = NewService {
            id: live.id,
            run,
            name: name.clone(),
            command: command.clone(),
            port: port.map(i64::from),
            member,
            node: self.0.node,
            until: member.map(|_| self.0.team.clock.now() + minutes),
            label: guildhall_team::preview_label(),
        };
        let service = match store.begin_service(new).await {
            Ok(Some(service)) => service,
            refused => {
                self.forget_service(&live);
                return Err(refused.err().map_or_else(running, TeamError::from));
            }
        };
        if let Some(due) = set_up {
            self.spawn(set_up_and_keep(self.clone(), Arc::clone(&live), due, command));
            return Ok((service, live));
        }
        let room = live.room.given(SecretUse::Services);
        match self.0.sandbox.start(&room, &command, Streams::Merged).await {
            Ok(process) => {
                self.spawn(keep(self.clone(), Arc::clone(&live), process));
                Ok((service, live))
            }
            Err(error) => {
                let why = Why::Failed(chain(&error));
                self.put_end(&live, Err(why)).await;
                Err(match error {
                    SandboxError::Refused { reason } => TeamError::conflict("command-refused", reason),
                    other => TeamError::conflict("no-sandbox", chain(&other)),
                })
            }
        }
    }

    /// Refuses a member's service whose run was claimed, or closed, meanwhile, or who may run nothing any more.
    async fn must_still_wait(&self, run: RunId, member: MemberId) -> Result<(), TeamError> {
        let store = &self.0.team.store;
        let now = store.run(run).await?;
        let waits = now.is_some_and(|now| !now.status.is_live() && now.status != RunStatus::Closed);
        match store.member(member).await?.is_some_and(|member| member.may_run()) {
            true if waits => Ok(()),
            true => Err(at_work()),
            false => Err(TeamError::not_yours("you may run nothing any more")),
        }
    }
}
