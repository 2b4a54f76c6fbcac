//! What the live streams of running turns hold so far, so that a page opened in the middle of a turn shows all of it.
//!
//! Of what other nodes write, what was heard is kept beside it: a page may be opened at any node.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use guildhall_types::event::{OutputStream, RunOutput};
use guildhall_types::{NodeId, RunId};

/// Bytes kept of one stream; the oldest go first.
const KEPT: usize = 64 * 1024;
/// Streams of other nodes that are kept.
const OF_OTHERS: usize = 4 * 1024;
/// Turns of which it is remembered that they are stored. What is still on its way comes within moments.
const SETTLED: usize = 256;

type Key = (RunId, i64, OutputStream);

#[derive(Debug, Default)]
struct Stream {
    /// Characters written so far, those no longer kept included.
    written: i64,
    /// The end of what was written.
    text: String,
    /// The node that writes it; nothing for this one.
    of: Option<NodeId>,
}

impl Stream {
    fn push(&mut self, text: &str) {
        self.written += length(text);
        self.text.push_str(text);
        if self.text.len() > KEPT {
            let cut = self.text.ceil_char_boundary(self.text.len() - KEPT / 2);
            self.text.drain(..cut);
            self.text.shrink_to_fit();
        }
    }

    fn begins(&self) -> i64 {
        self.written - length(&self.text)
    }
}

fn length(text: &str) -> i64 {
    text.chars().count() as i64
}

#[derive(Debug, Default)]
struct Streams {
    all: BTreeMap<Key, Stream>,
    /// The latest turns that were stored.
    settled: VecDeque<(RunId, i64)>,
}

impl Streams {
    /// Whether a turn is stored already, so that what comes of it comes late.
    fn is_late(&self, output: &RunOutput) -> bool {
        !lasts(&output.stream) && self.settled.iter().any(|(run, turn)| *run == output.run_id && *turn >= output.turn)
    }
}

/// Whether a stream goes on over many turns.
fn lasts(stream: &OutputStream) -> bool {
    matches!(stream, OutputStream::Service { .. })
}

/// The live streams of every running turn.
#[derive(Debug, Default)]
pub struct LiveText(Mutex<Streams>);

impl LiveText {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to a stream of this node; `tell` says it to the others before anything else of it is said.
    pub(crate) fn append(
        &self,
        run_id: RunId,
        turn: i64,
        stream: OutputStream,
        text: &str,
        tell: impl FnOnce(&RunOutput),
    ) -> RunOutput {
        let mut streams = self.streams();
        let entry = streams.all.entry((run_id, turn, stream.clone())).or_default();
        // The run came here from another node.
        if entry.of.is_some() {
            *entry = Stream::default();
        }
        let output = RunOutput { run_id, turn, stream, offset: entry.written, text: text.to_owned() };
        entry.push(text);
        tell(&output);
        output
    }

    /// Takes in what another node wrote, and answers what of it is new here.
    pub(crate) fn join(&self, node: NodeId, said: RunOutput) -> Option<RunOutput> {
        let mut streams = self.streams();
        if streams.is_late(&said) {
            return None;
        }
        let full = streams.all.values().filter(|stream| stream.of.is_some()).count() >= OF_OTHERS;
        let begun = || {
            let mut stream = Stream { written: said.offset, text: String::new(), of: Some(node) };
            stream.push(&said.text);
            stream
        };
        let stream = match streams.all.entry((said.run_id, said.turn, said.stream.clone())) {
            Entry::Vacant(_) if full => return None,
            Entry::Vacant(free) => {
                free.insert(begun());
                return Some(said);
            }
            Entry::Occupied(there) => there.into_mut(),
        };
        // Whoever lost a run may say something for a moment yet.
        stream.of?;
        let ends = said.offset + length(&said.text);
        let goes_on = stream.of == Some(node)
            && (said.offset == stream.written
                || said.offset < stream.written && ends >= stream.written && said.offset >= stream.begins());
        if !goes_on {
            // There is a gap, or it began anew, or comes nearer to its beginning.
            *stream = begun();
            return Some(said);
        }
        let known = usize::try_from(stream.written - said.offset).unwrap_or_default();
        let new: String = said.text.chars().skip(known).collect();
        let offset = stream.written;
        stream.push(&new);
        (!new.is_empty()).then_some(RunOutput { offset, text: new, ..said })
    }

    /// The turns of a run up to `turn` are stored, whoever wrote them.
    pub(crate) fn settle(&self, run: RunId, turn: i64) {
        let mut streams = self.streams();
        streams.all.retain(|(of, number, stream), _| *of != run || *number > turn || lasts(stream));
        streams.settled.retain(|(of, _)| *of != run);
        streams.settled.push_back((run, turn));
        if streams.settled.len() > SETTLED {
            streams.settled.pop_front();
        }
    }

    /// Forgets a stream of a node; of this one, where none is named.
    pub(crate) fn forget(&self, node: Option<NodeId>, run: RunId, stream: &OutputStream) {
        self.streams().all.retain(|(of, _, other), kept| *of != run || other != stream || kept.of != node);
    }

    /// Forgets all streams of a run that a node worked on; this one, where none is named.
    pub(crate) fn end(&self, node: Option<NodeId>, run: RunId) {
        self.streams().all.retain(|(of, _, _), kept| *of != run || kept.of != node);
    }

    /// Forgets all streams of another node.
    pub(crate) fn leave(&self, node: NodeId) {
        self.streams().all.retain(|_, kept| kept.of != Some(node));
    }

    /// Forgets all streams of other nodes.
    pub(crate) fn alone(&self) {
        self.streams().all.retain(|_, kept| kept.of.is_none());
    }

    pub(crate) fn so_far(&self) -> Vec<RunOutput> {
        self.streams().all.iter().map(said).collect()
    }

    /// Tells of all that the streams of this node hold so far, before anything is added to them.
    pub(crate) fn tell_own(&self, mut tell: impl FnMut(RunOutput)) {
        let streams = self.streams();
        streams.all.iter().filter(|(_, kept)| kept.of.is_none()).map(said).for_each(&mut tell);
    }
}

fn said(((run_id, turn, stream), kept): (&Key, &Stream)) -> RunOutput {
    RunOutput { run_id: *run_id, turn: *turn, stream: stream.clone(), offset: kept.begins(), text: kept.text.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(run_id: RunId, turn: i64, offset: i64, text: &str) -> RunOutput {
        RunOutput { run_id, turn, stream: OutputStream::Text { block: 0 }, offset, text: text.to_owned() }
    }

    fn kept(live: &LiveText) -> Vec<(i64, String)> {
        live.so_far().into_iter().map(|output| (output.offset, output.text)).collect()
    }

    #[test]
    fn what_another_node_writes_is_put_together_by_its_offsets() {
        let (live, node, run) = (LiveText::default(), NodeId::new(), RunId::new());
        let join = |offset, text| live.join(node, piece(run, 1, offset, text)).map(|new| (new.offset, new.text));
        let new = |offset, text: &str| Some((offset, text.to_owned()));
        // What was said before anybody listened is missing.
        assert_eq!(join(4, "ß"), new(4, "ß"));
        assert_eq!(join(5, "e an"), new(5, "e an"));
        assert_eq!(kept(&live), [(4, "ße an".to_owned())]);
        // The whole of it once more.
        assert_eq!(join(0, "Die ße an"), new(0, "Die ße an"));
        assert_eq!(join(9, ""), None);
        assert_eq!(join(0, "Die ße an"), None);
        assert_eq!(join(0, "Die ße an alle"), new(9, " alle"));
        assert_eq!(kept(&live), [(0, "Die ße an alle".to_owned())]);
        // A gap, and a beginning.
        assert_eq!(join(20, "!"), new(20, "!"));
        assert_eq!(kept(&live), [(20, "!".to_owned())]);
        assert_eq!(join(0, "Anew"), new(0, "Anew"));
        assert_eq!(kept(&live), [(0, "Anew".to_owned())]);
    }

    #[test]
    fn each_node_ends_what_is_its_own() {
        let (live, other, third, run) = (LiveText::default(), NodeId::new(), NodeId::new(), RunId::new());
        live.append(run, 2, OutputStream::Text { block: 0 }, "mine", |_| {});
        assert!(live.join(other, piece(run, 2, 0, "a former one's")).is_none());
        live.end(Some(other), run);
        assert_eq!(kept(&live), [(0, "mine".to_owned())]);
        live.end(None, run);
        assert!(live.join(other, piece(run, 2, 3, "theirs")).is_some());
        live.forget(None, run, &OutputStream::Text { block: 0 });
        assert_eq!(kept(&live), [(3, "theirs".to_owned())]);
        // A third one took the run over, then this one.
        assert!(live.join(third, piece(run, 2, 0, "x")).is_some());
        live.leave(other);
        assert_eq!(kept(&live), [(0, "x".to_owned())]);
        let output = live.append(run, 2, OutputStream::Text { block: 0 }, "here", |_| {});
        assert_eq!((output.offset, kept(&live)), (0, vec![(0, "here".to_owned())]));
        live.join(third, piece(RunId::new(), 1, 0, "y")).unwrap();
        live.alone();
        assert_eq!(live.so_far().len(), 1);
    }

    #[test]
    fn what_comes_after_its_turn_was_stored_is_late() {
        let (live, node, run) = (LiveText::default(), NodeId::new(), RunId::new());
        live.settle(run, 4);
        assert!(live.join(node, piece(run, 4, 7, "late")).is_none());
        assert!(live.join(node, piece(run, 5, 0, "next")).is_some());
        let service = OutputStream::Service { service: guildhall_types::ServiceId::new() };
        assert!(live.join(node, RunOutput { stream: service, ..piece(run, 0, 0, "goes on") }).is_some());
        for _ in 0..=SETTLED {
            live.settle(RunId::new(), 1);
        }
        assert_eq!(live.streams().settled.len(), SETTLED);
    }

    #[test]
    fn others_fill_only_so_much() {
        let (live, node) = (LiveText::default(), NodeId::new());
        for _ in 0..OF_OTHERS + 10 {
            live.join(node, piece(RunId::new(), 1, 0, "x"));
        }
        assert_eq!(live.so_far().len(), OF_OTHERS);
        let run = RunId::new();
        live.append(run, 1, OutputStream::Text { block: 0 }, "mine", |_| {});
        let mut own = Vec::new();
        live.tell_own(|output| own.push(output.run_id));
        assert_eq!(own, [run]);
    }
}
