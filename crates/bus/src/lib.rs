//! The bus carries hints between the parts of a node (and, with a shared bus, between nodes): events that are already
//! in the store, live output that is stored only once it is complete, and who writes at what just now. Losing everything on it
//! loses nothing.
//!
//! This is the in-memory bus of a team on one machine.

mod live;

use std::sync::Arc;

use guildhall_types::RunId;
use guildhall_types::event::{Editing, Event, OutputStream, RunOutput};
use tokio::sync::broadcast;

pub use live::LiveText;

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
    live: Arc<LiveText>,
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
            live: Arc::default(),
        }
    }

    /// Tells every listener of an event that the store holds. Call it in the order of the events' numbers.
    pub fn publish(&self, event: Arc<Event>) {
        // Nobody listening is no fault: the event is in the store.
        let _ = self.events.send(event);
    }

    /// Adds to a live stream of a run and tells every listener.
    pub fn write(&self, run: RunId, turn: i64, stream: OutputStream, text: &str) {
        if text.is_empty() {
            return;
        }
        let output = self.live.append(run, turn, stream, text);
        let _ = self.output.send(Arc::new(output));
    }

    /// Tells every listener who writes at what.
    pub fn edit(&self, editing: Editing) {
        let _ = self.editing.send(editing);
    }

    /// Forgets the live streams of a run's turns up to `turn`: they are in the store now.
    pub fn settled(&self, run: RunId, turn: i64) {
        self.live.settle(run, turn);
    }

    /// Forgets one live stream of a run: what wrote it has ended.
    pub fn forget(&self, run: RunId, stream: &OutputStream) {
        self.live.forget(run, stream);
    }

    /// Forgets all live streams of a run: it no longer works.
    pub fn ended(&self, run: RunId) {
        self.live.end(run);
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
