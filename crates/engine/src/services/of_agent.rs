//! The services of a run as its agent reaches them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use guildhall_agent::services::{Begun, Printed, Services};
use guildhall_sandbox::Room;
use guildhall_store::Claimed;
use guildhall_team::TeamError;
use guildhall_types::RunId;
use guildhall_types::service::{Service, checked};
use tokio::time::Instant;

use super::begin::Wish;
use super::{NoAnswer, Why};
use crate::Engine;
use crate::problems::chain;

/// How long a service is watched when it was started: one that is to listen, and another.
const LISTENS: Duration = Duration::from_secs(10);
const BEGINS: Duration = Duration::from_millis(1_500);
/// How often it is looked whether it listens.
const LOOK: Duration = Duration::from_millis(100);
/// Lines that are told of a service that was started or stopped.
const LINES: usize = 60;

/// The services of one run, for its agent.
pub(crate) struct RunServices {
    engine: Engine,
    run: RunId,
    room: Room,
}

impl RunServices {
    /// Those of this run, whose commands see `room`.
    pub(crate) fn new(engine: &Engine, claimed: &Claimed, room: Room) -> Self {
        Self { engine: engine.clone(), run: claimed.run.id, room }
    }

    /// As what its tools reach.
    pub(crate) fn shared(self) -> Arc<dyn Services> {
        Arc::new(self)
    }

    async fn printed(&self, name: &str, lines: usize) -> Result<Printed, String> {
        let found = self.engine.service_log(self.run, name, lines).await;
        found.map(|(service, text)| Printed { service, text }).map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &TeamError) -> String {
        match error {
            TeamError::NotFound { .. } => "There is no service of this name. `service_list` lists them.".to_owned(),
            other => format!("That cannot be done: {}.", chain(other)),
        }
    }
}

#[async_trait]
impl Services for RunServices {
    async fn start(&self, name: &str, command: &str, port: Option<u16>) -> Result<Begun, String> {
        let (name, command) = checked(name, command).map_err(|(field, message)| format!("`{field}`: {message}."))?;
        let (run, room) = (self.run, self.room.clone());
        let wish = Wish {
            run,
            room,
            name: name.to_owned(),
            command: command.to_owned(),
            port,
            member: None,
            caches: None,
            set_up: None,
        };
        let store = &self.engine.0.team.store;
        let (_, live) = self.engine.begin_service(store, wish).await.map_err(|error| self.refused(&error))?;
        let began = Instant::now();
        let mut answers = None;
        let mut patience = BEGINS;
        while !live.ended.is_cancelled() && began.elapsed() < patience {
            if let Some(port) = port {
                answers = match self.engine.connect(&self.room, port).await {
                    Ok(_) => Some(true),
                    Err(NoAnswer::Nothing { .. }) => {
                        patience = LISTENS;
                        Some(false)
                    }
                    Err(_) => None,
                };
                if answers == Some(true) {
                    break;
                }
            }
            tokio::select! {
                () = live.ended.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        let Printed { service, text } = self.printed(name, LINES).await?;
        Ok(Begun { service, printed: text, answers })
    }

    async fn list(&self) -> Result<Vec<Service>, String> {
        let found = self.engine.0.team.store.services(self.run).await;
        found.map_err(|error| self.refused(&error.into()))
    }

    async fn logs(&self, name: &str, lines: usize) -> Result<Printed, String> {
        self.printed(name.trim(), lines).await
    }

    async fn stop(&self, name: &str) -> Result<Printed, String> {
        let name = name.trim();
        if let Some(live) = self.engine.live(self.run, name) {
            self.engine.halt_and_wait(&live, Why::Agent).await;
        }
        self.printed(name, LINES).await
    }
}
