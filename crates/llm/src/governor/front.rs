//! The governor for callers that wait: one [`Core`] for each key and class of models, and somebody who watches its clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{Ask, Core, Next, Outcome, Reason, Settings, Snapshot, Ticket, TooLarge};
use crate::{Answer, Endpoint, LlmError, RateLimits, models};

/// Keys that are remembered without having been used lately.
const IDLE_LANES: usize = 256;

/// Lets calls to providers go when the limits of their key have room. Cheap to clone; one for the whole process.
#[derive(Debug, Clone)]
pub struct Governor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// Hashed with each key, so that nobody can try out keys on what is shown.
    salt: [u8; 32],
    lanes: Mutex<HashMap<Lane, Arc<Shared>>>,
}

/// A key and a class of models that share limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    /// A hash of the key and where it is used; differs from process to process.
    pub credential: String,
    /// Where it is used.
    pub host: String,
    /// The models that share the limits.
    pub class: String,
}

/// A lane and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaneState {
    /// Which.
    pub lane: Lane,
    /// How it stands.
    pub state: Snapshot,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    state: Mutex<State>,
    /// The time to look again has changed.
    wake: Notify,
}

#[derive(Debug)]
struct State {
    core: Core,
    callers: HashMap<Ticket, oneshot::Sender<Result<(), TooLarge>>>,
    /// Somebody watches the clock.
    watched: bool,
}

impl Default for Governor {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Governor {
    /// A governor that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner { settings, salt: rand::random(), lanes: Mutex::default() }))
    }

    /// Takes a call in line for a key and a model.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn ask(&self, endpoint: &Endpoint, model: &str, ask: Ask) -> Result<Asking, TooLarge> {
        let shared = self.shared(endpoint, model);
        let (answer, granted) = oneshot::channel();
        let mut state = shared.lock();
        let ticket = state.core.ask(shared.now(), ask)?;
        state.callers.insert(ticket, answer);
        shared.pump(state);
        Ok(Asking { shared, ticket, granted, taken: false })
    }

    /// How every key and class that was used lately stands; for admins and monitors.
    pub fn snapshot(&self) -> Vec<LaneState> {
        let lanes: Vec<(Lane, Arc<Shared>)> =
            self.lanes().iter().map(|(lane, shared)| (lane.clone(), Arc::clone(shared))).collect();
        let mut list: Vec<LaneState> = lanes
            .into_iter()
            .map(|(lane, shared)| LaneState { lane, state: shared.lock().core.snapshot(shared.now()) })
            .collect();
        list.sort_by(|a, b| a.lane.cmp(&b.lane));
        list
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Lane, Arc<Shared>>> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self, endpoint: &Endpoint, model: &str) -> Arc<Shared> {
        let lane = self.lane(endpoint, model);
        let mut lanes = self.lanes();
        if lanes.len() >= IDLE_LANES && !lanes.contains_key(&lane) {
            lanes.retain(|_, shared| !shared.lock().core.is_idle());
        }
        let settings = match models::find(model).is_some_and(|model| model.simulated) {
            // Nobody pays for it, and it takes whatever comes.
            true => Settings { first_concurrency: self.0.settings.max_concurrency, ..self.0.settings },
            false => self.0.settings,
        };
        let shared = lanes.entry(lane).or_insert_with(|| {
            let core = Core::new(settings, rand::random());
            let state = State { core, callers: HashMap::new(), watched: false };
            Arc::new(Shared { began: Instant::now(), state: Mutex::new(state), wake: Notify::new() })
        });
        Arc::clone(shared)
    }

    /// Which key and class a call would belong to.
    pub fn lane(&self, endpoint: &Endpoint, model: &str) -> Lane {
        let mut hash = Sha256::new();
        for part in [&self.0.salt[..], endpoint.base_url.as_str().as_bytes(), endpoint.key.expose().as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let credential = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Lane { credential, host: endpoint.host(), class: class(model) }
    }
}

/// The models that share limits with this one: a provider counts the versions of a family together.
fn class(model: &str) -> String {
    let name = models::find(model).map_or(model, |model| &model.id);
    match name.strip_prefix("claude-").and_then(|rest| rest.split('-').find(|part| !is_version(part))) {
        Some(family) => format!("claude-{family}"),
        None => name.to_owned(),
    }
}

fn is_version(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_digit())
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Lets go what may go, and sees to it that somebody looks again in time.
    fn pump(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let until = self.let_go(&mut state);
        if state.watched {
            self.wake.notify_one();
        } else if until.is_some() {
            state.watched = true;
            tokio::spawn(Arc::clone(self).watch());
        }
    }

    fn let_go(&self, state: &mut State) -> Option<Duration> {
        loop {
            let (ticket, answer) = match state.core.next(self.now()) {
                Next::Wait(until) => return until,
                Next::Go(ticket) => (ticket, Ok(())),
                Next::Refuse(ticket, too_large) => (ticket, Err(too_large)),
            };
            // Whoever no longer listens gives the call back when it is dropped.
            if let Some(caller) = state.callers.remove(&ticket) {
                let _ = caller.send(answer);
            }
        }
    }

    async fn watch(self: Arc<Self>) {
        loop {
            let until = {
                let mut state = self.lock();
                let until = self.let_go(&mut state);
                state.watched = until.is_some();
                until
            };
            // Without a time, whatever happens next starts another watch if it is needed.
            let Some(until) = until else { return };
            tokio::select! {
                () = tokio::time::sleep_until(self.began + until) => {}
                () = self.wake.notified() => {}
            }
        }
    }
}

/// Why a call waits, and for how long, as well as that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Why.
    pub reason: Reason,
    /// For how long from now; nothing when that depends on other calls alone.
    pub time: Option<Duration>,
}

/// A call in line. Dropping it gives up its place.
#[derive(Debug)]
pub struct Asking {
    shared: Arc<Shared>,
    ticket: Ticket,
    granted: oneshot::Receiver<Result<(), TooLarge>>,
    taken: bool,
}

impl Asking {
    /// Waits until the call may go. May be dropped and called again without losing the place.
    ///
    /// # Errors
    /// [`TooLarge`], when the limits became known, or smaller, while it waited.
    pub async fn granted(&mut self) -> Result<Permit, TooLarge> {
        if self.taken {
            // There is one permit for a call.
            return std::future::pending().await;
        }
        let granted = (&mut self.granted).await;
        self.taken = true;
        // The sender is dropped only after it has sent.
        granted.unwrap_or(Ok(()))?;
        Ok(Permit {
            shared: Arc::clone(&self.shared),
            ticket: self.ticket,
            heard: AtomicBool::new(false),
            settled: false,
        })
    }

    /// Why the call waits; nothing when it may go.
    pub fn wait(&self) -> Option<Wait> {
        let now = self.shared.now();
        let waiting = self.shared.lock().core.why(now, self.ticket)?;
        Some(Wait { reason: waiting.reason, time: waiting.until.map(|until| until.saturating_sub(now)) })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let now = self.shared.now();
        let mut state = self.shared.lock();
        state.callers.remove(&self.ticket);
        match state.core.is_waiting(self.ticket) {
            true => state.core.withdraw(now, self.ticket),
            // It was let go in the same moment, and nobody made it.
            false => state.core.settle(now, self.ticket, &Outcome::Failed(None)),
        }
        self.shared.pump(state);
    }
}

/// A call that may be made now. Tell how it ended; when it is dropped without that, it counts as one that failed.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    ticket: Ticket,
    heard: AtomicBool,
    settled: bool,
}

impl Permit {
    /// The provider has begun to answer, and said this of its limits.
    pub fn hear(&self, limits: &RateLimits) {
        self.heard.store(true, Ordering::Relaxed);
        let mut state = self.shared.lock();
        state.core.hear(self.shared.now(), self.ticket, limits);
        self.shared.pump(state);
    }

    /// The call has ended so.
    pub fn settle(mut self, outcome: &Outcome) {
        self.end(outcome);
    }

    /// The call has ended with this answer or error.
    pub fn settle_call(self, result: &Result<Answer, LlmError>) {
        if let Ok(answer) = result
            && !self.heard.load(Ordering::Relaxed)
        {
            self.hear(&answer.limits);
        }
        self.settle(&Outcome::of(result));
    }

    fn end(&mut self, outcome: &Outcome) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let mut state = self.shared.lock();
        state.core.settle(self.shared.now(), self.ticket, outcome);
        self.shared.pump(state);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.end(&Outcome::Failed(None));
    }
}

#[cfg(test)]
mod tests;
