//! What waits to be said to the other nodes. It never makes anybody wait who puts something in: what finds no room pushes out what
//! is oldest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use guildhall_types::event::RunOutput;
use tokio::sync::Notify;

use crate::wire::Word;

/// Words, and bytes of live output among them, that wait at most.
const MOST_WORDS: usize = 8 * 1024;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Words, and bytes of live output among them, that go in one message.
const AT_ONCE_WORDS: usize = 512;
const AT_ONCE_BYTES: usize = 256 * 1024;
/// Bytes of live output that are put into one word.
const ONE_WORD: usize = 16 * 1024;

#[derive(Debug, Default)]
struct Waiting {
    words: VecDeque<Word>,
    bytes: usize,
    /// Whether anybody takes what is put in.
    open: bool,
    /// A word was pushed out without which the others would hold something for true that is not.
    wrong: bool,
}

/// What waits to be said.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    put: Notify,
}

fn weight(word: &Word) -> usize {
    match word {
        Word::Output(output) => output.text.len(),
        _ => 0,
    }
}

/// Whether others are wrong about a live stream when they do not hear it. Of output that is missing, offsets tell.
fn must_be_heard(word: &Word) -> bool {
    matches!(word, Word::Settled { .. } | Word::Forgotten { .. } | Word::Ended { .. } | Word::Anew)
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on what is put in is kept until it is taken.
    pub(crate) fn open(&self) {
        *self.waiting() = Waiting { open: true, ..Waiting::default() };
    }

    /// From now on what is put in is forgotten, and so is what waits.
    pub(crate) fn close(&self) {
        *self.waiting() = Waiting::default();
    }

    /// Puts in a word, if anybody takes it.
    pub(crate) fn put(&self, word: Word) {
        let mut waiting = self.waiting();
        if !waiting.open {
            return;
        }
        waiting.add(word);
        drop(waiting);
        self.put.notify_one();
    }

    /// Waits until something was put in. For one who waits.
    pub(crate) async fn filled(&self) {
        self.put.notified().await;
    }

    /// Takes what goes in one message, and whether the others are to hear anew what live streams hold; nothing when nothing waits.
    pub(crate) fn take(&self) -> Option<(Vec<Word>, bool)> {
        let mut waiting = self.waiting();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < AT_ONCE_WORDS && bytes < AT_ONCE_BYTES {
            let Some(word) = waiting.words.pop_front() else { break };
            bytes += weight(&word);
            taken.push(word);
        }
        waiting.bytes -= bytes;
        let wrong = std::mem::take(&mut waiting.wrong);
        (!taken.is_empty() || wrong).then_some((taken, wrong))
    }
}

impl Waiting {
    fn add(&mut self, word: Word) {
        match (self.words.back_mut(), word) {
            // Words of a model come one by one.
            (Some(Word::Output(last)), Word::Output(next)) if goes_on(last, &next) => {
                last.text.push_str(&next.text);
                self.bytes += next.text.len();
            }
            (Some(Word::Committed(last)), Word::Committed(next)) => *last = next.max(*last),
            (_, word) => {
                self.bytes += weight(&word);
                self.words.push_back(word);
            }
        }
        while self.words.len() > MOST_WORDS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.words.pop_front() else { break };
            self.bytes -= weight(&oldest);
            self.wrong |= must_be_heard(&oldest);
        }
    }
}

fn goes_on(last: &RunOutput, next: &RunOutput) -> bool {
    last.run_id == next.run_id
        && last.turn == next.turn
        && last.stream == next.stream
        && last.text.len() + next.text.len() <= ONE_WORD
        && last.offset + last.text.chars().count() as i64 == next.offset
}

#[cfg(test)]
mod tests {
    use guildhall_types::RunId;
    use guildhall_types::event::OutputStream;

    use super::*;

    fn output(run: RunId, offset: i64, text: &str) -> Word {
        let stream = OutputStream::Text { block: 0 };
        Word::Output(RunOutput { run_id: run, turn: 1, stream, offset, text: text.to_owned() })
    }

    #[test]
    fn nothing_waits_for_nobody() {
        let outbox = Outbox::default();
        outbox.put(Word::Here);
        outbox.open();
        assert_eq!(outbox.take(), None);
        outbox.put(Word::Here);
        outbox.close();
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn what_belongs_together_is_one_word() {
        let (outbox, run) = (Outbox::default(), RunId::new());
        outbox.open();
        for word in [output(run, 0, "Grü"), output(run, 3, "ße"), output(run, 9, "x"), output(RunId::new(), 10, "y")]
        {
            outbox.put(word);
        }
        outbox.put(Word::Committed(4));
        outbox.put(Word::Committed(5));
        let (taken, wrong) = outbox.take().unwrap();
        assert_eq!((taken.len(), wrong), (4, false));
        assert_eq!((&taken[0], &taken[3]), (&output(run, 0, "Grüße"), &Word::Committed(5)));
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn what_finds_no_room_pushes_out_the_oldest_and_what_must_be_heard_is_said_anew() {
        let (outbox, run, text) = (Outbox::default(), RunId::new(), "x".repeat(ONE_WORD));
        outbox.open();
        for n in 0..1_000 {
            outbox.put(output(run, n * 20_000, &text));
        }
        let (taken, wrong) = outbox.take().unwrap();
        assert!(!wrong && taken.len() == AT_ONCE_BYTES / ONE_WORD, "{}", taken.len());
        // The latest are there.
        assert_eq!(taken[0], output(run, (1_000 - MOST_BYTES as i64 / ONE_WORD as i64) * 20_000, &text));
        outbox.put(Word::Ended { run });
        for n in 0..1_000 {
            outbox.put(output(run, n * 20_000, &text));
        }
        assert!(outbox.take().unwrap().1 && !outbox.take().unwrap().1);
        for n in 0..3 * MOST_WORDS {
            outbox.put(Word::Settled { run, turn: n as i64 });
        }
        assert_eq!(outbox.waiting().words.len(), MOST_WORDS);
    }
}
