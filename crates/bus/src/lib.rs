//! The bus carries hints between the parts of a node (and, with a shared bus, between nodes): events that are already
//! in the store, live output that is stored only once it is complete, and who writes at what just now. Losing everything on it
//! loses nothing.
//!
//! A bus is in memory, for a team with one node, or goes over Redis to the other nodes beside that. What it carries within
//! the node comes the same way and as fast, whatever becomes of Redis.

mod address;
mod link;
mod live;
mod outbox;
mod wire;

use std::sync::Arc;

use guildhall_types::event::{Editing, Event, Happening, OutputStream, RunOutput};
use guildhall_types::run::RunEvent;
use guildhall_types::{Clock, RunId};
use tokio::sync::{broadcast, watch};

pub use address::{Found, RedisUrl};
use link::Shared;
pub use link::{Link, LinkError};
pub use live::LiveText;
use wire::Word;

/// Events that a slow listener may fall behind before it is told to resynchronise.
const EVENTS_KEPT: usize = 1024;
/// Pieces of live output that a slow listener may fall behind.
const OUTPUT_KEPT: usize = 1024;
/// Words about who writes at what that a slow listener may fall behind. They are said again.
const EDITING_KEPT: usize = 256;

/// What a listener hears.
#[derive(Debug, Clone)]
pub enum Hint {
    /// An event that the store holds.
    Event(Arc<Event>),
    /// A piece of live output.
    Output(Arc<RunOutput>),
    /// Who writes at what.
    Editing(Editing),
}

/// The bus. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    events: broadcast::Sender<Arc<Event>>,
    output: broadcast::Sender<Arc<RunOutput>>,
    editing: broadcast::Sender<Editing>,
    /// The number of an event that another node said it committed.
    committed: watch::Sender<i64>,
    live: Arc<LiveText>,
    /// This node's part in the bus that it shares with others.
    shared: Option<Arc<Shared>>,
}

impl Default for Bus {
    fn default() -> Self {
        Self::in_memory()
    }
}

impl Bus {
    /// A bus within this process.
    pub fn in_memory() -> Self {
        Self {
            events: broadcast::channel(EVENTS_KEPT).0,
            output: broadcast::channel(OUTPUT_KEPT).0,
            editing: broadcast::channel(EDITING_KEPT).0,
            committed: watch::Sender::new(0),
            live: Arc::default(),
            shared: None,
        }
    }

    /// A bus that this process shares with the other nodes of an installation. It carries nothing between them but while
    /// somebody [keeps it linked](Self::keep_linked).
    pub fn over_redis(url: RedisUrl, installation: &str, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Some(Arc::new(Shared::new(url, installation, clock))), ..Self::in_memory() }
    }

    /// How the link to the other nodes is; nothing where the bus is this process's own.
    pub fn link(&self) -> Option<Link> {
        Some(self.shared.as_ref()?.link())
    }

    /// Shows that another node may have committed something. It is a hint: nothing may be there, and of something none may come.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.committed.subscribe()
    }

    fn say(&self, word: impl FnOnce() -> Word) {
        if let Some(shared) = &self.shared {
            shared.outbox.put(word());
        }
    }

    /// Tells the listeners of this process.
    fn tell(&self, hint: Hint) {
        // Nobody listening is no fault: what matters is in the store.
        match hint {
            Hint::Event(event) => drop(self.events.send(event)),
            Hint::Output(output) => drop(self.output.send(output)),
            Hint::Editing(editing) => drop(self.editing.send(editing)),
        }
    }

    /// Tells every listener of this process of an event that the store holds, whoever committed it. Call it in the order of
    /// the events' numbers.
    pub fn publish(&self, event: Arc<Event>) {
        // The store may be faster than the words of the turn that another node made.
        if self.shared.is_some()
            && let Happening::Run { run_id, event: RunEvent::TurnSaved { turn, .. }, .. } = &event.what
        {
            self.live.settle(*run_id, *turn);
        }
        self.tell(Hint::Event(event));
    }

    /// Adds to a live stream of a run and tells every listener.
    pub fn write(&self, run: RunId, turn: i64, stream: OutputStream, text: &str) {
        if text.is_empty() {
            return;
        }
        let output = self.live.append(run, turn, stream, text, |output| self.say(|| Word::Output(output.clone())));
        self.tell(Hint::Output(Arc::new(output)));
    }

    /// Tells every listener who writes at what.
    pub fn edit(&self, editing: Editing) {
        self.tell(Hint::Editing(editing));
        self.say(|| Word::Editing(editing));
    }

    /// Forgets the live streams of a run's turns up to `turn`: they are in the store now.
    pub fn settled(&self, run: RunId, turn: i64) {
        self.live.settle(run, turn);
        self.say(|| Word::Settled { run, turn });
    }

    /// Forgets one live stream of a run: what wrote it has ended.
    pub fn forget(&self, run: RunId, stream: &OutputStream) {
        self.live.forget(None, run, stream);
        self.say(|| Word::Forgotten { run, stream: stream.clone() });
    }

    /// Forgets all live streams of a run: it no longer works.
    pub fn ended(&self, run: RunId) {
        self.live.end(None, run);
        self.say(|| Word::Ended { run });
    }

    /// Listens from now on. Read what is in the store after this call, not before, to miss nothing.
    pub fn listen(&self) -> Listener {
        Listener { events: self.events.subscribe(), output: self.output.subscribe(), editing: self.editing.subscribe() }
    }

    /// What every live stream holds so far, for a listener that has just come.
    pub fn live_so_far(&self) -> Vec<RunOutput> {
        self.live.so_far()
    }
}

/// The listener fell too far behind and has missed events: it must read them from the store again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lagged;

/// One listener's ear.
#[derive(Debug)]
pub struct Listener {
    events: broadcast::Receiver<Arc<Event>>,
    output: broadcast::Receiver<Arc<RunOutput>>,
    editing: broadcast::Receiver<Editing>,
}

impl Listener {
    /// The next hint, events first; `None` when the bus is gone.
    ///
    /// Output that was missed is passed over: its offsets show the gap. So is who writes at what: it is said again.
    ///
    /// # Errors
    /// [`Lagged`] when events were missed.
    pub async fn next(&mut self) -> Result<Option<Hint>, Lagged> {
        loop {
            tokio::select! {
                biased;
                event = self.events.recv() => return match event {
                    Ok(event) => Ok(Some(Hint::Event(event))),
                    Err(broadcast::error::RecvError::Closed) => Ok(None),
                    Err(broadcast::error::RecvError::Lagged(_)) => Err(Lagged),
                },
                output = self.output.recv() => match output {
                    Ok(output) => return Ok(Some(Hint::Output(output))),
                    Err(broadcast::error::RecvError::Closed) => return Ok(None),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                },
                editing = self.editing.recv() => match editing {
                    Ok(editing) => return Ok(Some(Hint::Editing(editing))),
                    Err(broadcast::error::RecvError::Closed) => return Ok(None),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
