//! What the live streams of running turns hold so far, so that a page opened in the middle of a turn shows all of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use guildhall_types::RunId;
use guildhall_types::event::{OutputStream, RunOutput};

/// Bytes kept of one stream; the oldest go first.
const KEPT: usize = 64 * 1024;

#[derive(Debug, Default)]
struct Stream {
    /// Characters written so far, those no longer kept included.
    written: i64,
    /// The end of what was written.
    text: String,
}

/// The live streams of every running turn.
#[derive(Debug, Default)]
pub struct LiveText(Mutex<BTreeMap<(RunId, i64, OutputStream), Stream>>);

impl LiveText {
    fn streams(&self) -> MutexGuard<'_, BTreeMap<(RunId, i64, OutputStream), Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, run_id: RunId, turn: i64, stream: OutputStream, text: &str) -> RunOutput {
        let mut streams = self.streams();
        let entry = streams.entry((run_id, turn, stream.clone())).or_default();
        let offset = entry.written;
        entry.written += text.chars().count() as i64;
        entry.text.push_str(text);
        if entry.text.len() > KEPT {
            let cut = entry.text.ceil_char_boundary(entry.text.len() - KEPT / 2);
            entry.text.drain(..cut);
            entry.text.shrink_to_fit();
        }
        RunOutput { run_id, turn, stream, offset, text: text.to_owned() }
    }

    pub(crate) fn settle(&self, run: RunId, turn: i64) {
        let goes_on = |stream: &OutputStream| matches!(stream, OutputStream::Service { .. });
        self.streams().retain(|(of, number, stream), _| *of != run || *number > turn || goes_on(stream));
    }

    pub(crate) fn forget(&self, run: RunId, stream: &OutputStream) {
        self.streams().retain(|(of, _, other), _| *of != run || other != stream);
    }

    pub(crate) fn end(&self, run: RunId) {
        self.streams().retain(|(of, _, _), _| *of != run);
    }

    pub(crate) fn so_far(&self) -> Vec<RunOutput> {
        self.streams()
            .iter()
            .map(|((run_id, turn, stream), entry)| RunOutput {
                run_id: *run_id,
                turn: *turn,
                stream: stream.clone(),
                offset: entry.written - entry.text.chars().count() as i64,
                text: entry.text.clone(),
            })
            .collect()
    }
}
