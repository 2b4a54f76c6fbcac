//! What a command prints, in bounded memory.

use std::collections::VecDeque;

/// Bytes of a command's output that are handed on while it runs, at most.
const MAX_LIVE: usize = 1024 * 1024;
/// What is handed on last when there is more.
const LIVE_END: &str = "\n[… what follows is not shown while the command runs …]\n";

/// Keeps the beginning and the end of what comes in, and counts the rest.
#[derive(Debug)]
pub(crate) struct HeadAndTail {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    max_head: usize,
    max_tail: usize,
    omitted: u64,
}

impl HeadAndTail {
    /// Keeps `max` bytes at most.
    pub(crate) fn new(max: usize) -> Self {
        let max_head = max / 2;
        Self { head: Vec::new(), tail: VecDeque::new(), max_head, max_tail: max - max_head, omitted: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.max_head - self.head.len()));
        self.head.extend_from_slice(head);
        // Of a piece that is longer than the whole tail, only its end counts.
        let (skipped, kept) = rest.split_at(rest.len().saturating_sub(self.max_tail));
        let over = (self.tail.len() + kept.len()).saturating_sub(self.max_tail);
        self.tail.drain(..over);
        self.tail.extend(kept);
        self.omitted += (skipped.len() + over) as u64;
    }

    /// The text, and how many bytes were left out of it.
    pub(crate) fn finish(self) -> (String, u64) {
        let Self { mut head, tail, mut omitted, .. } = self;
        let tail = Vec::from(tail);
        if omitted == 0 {
            head.extend_from_slice(&tail);
            return (lossy(head), 0);
        }
        // Neither edge of the gap shows half a character.
        let end = head.len() - incomplete(&head);
        let start = tail.iter().take(3).take_while(|byte| is_continuation(**byte)).count();
        omitted += (head.len() - end + start) as u64;
        let head = String::from_utf8_lossy(&head[..end]);
        let tail = String::from_utf8_lossy(&tail[start..]);
        (format!("{head}\n[… {omitted} bytes left out …]\n{tail}"), omitted)
    }
}

/// Hands text on as it comes, in whole characters.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pending: Vec<u8>,
    sent: usize,
}

impl Live {
    pub(crate) fn push(&mut self, bytes: &[u8], on_output: &mut (dyn FnMut(&str) + Send)) {
        if self.sent >= MAX_LIVE {
            return;
        }
        self.pending.extend_from_slice(bytes);
        let rest = self.pending.split_off(self.pending.len() - incomplete(&self.pending));
        let text = std::mem::replace(&mut self.pending, rest);
        self.send(&text, on_output);
    }

    /// Hands on what waited for its other half.
    pub(crate) fn finish(mut self, on_output: &mut (dyn FnMut(&str) + Send)) {
        let rest = std::mem::take(&mut self.pending);
        self.send(&rest, on_output);
    }

    fn send(&mut self, bytes: &[u8], on_output: &mut (dyn FnMut(&str) + Send)) {
        if bytes.is_empty() || self.sent >= MAX_LIVE {
            return;
        }
        on_output(&String::from_utf8_lossy(bytes));
        self.sent += bytes.len();
        if self.sent >= MAX_LIVE {
            self.pending = Vec::new();
            on_output(LIVE_END);
        }
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// How many bytes at the end begin a character that is not complete yet: 0 to 3.
fn incomplete(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        if is_continuation(byte) {
            continue;
        }
        let length = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(max: usize, pieces: &[&[u8]]) -> (String, u64) {
        let mut kept = HeadAndTail::new(max);
        for piece in pieces {
            kept.push(piece);
        }
        kept.finish()
    }

    #[test]
    fn what_fits_is_kept_whole() {
        assert_eq!(kept(10, &[b"12345", b"67890"]), ("1234567890".to_owned(), 0));
        assert_eq!(kept(10, &[]), (String::new(), 0));
    }

    #[test]
    fn head_and_tail_are_kept_and_the_rest_counted() {
        let expected = ("1234\n[… 3 bytes left out …]\n89ab".to_owned(), 3);
        assert_eq!(kept(8, &[b"123456789ab"]), expected);
        assert_eq!(kept(8, &[b"12", b"345", b"6789", b"ab"]), expected);
        let bytes: Vec<&[u8]> = b"123456789ab".chunks(1).collect();
        assert_eq!(kept(8, &bytes), expected);
        assert_eq!(kept(0, &[b"abc"]).1, 3);
        assert_eq!(kept(1, &[b"abc"]), ("\n[… 2 bytes left out …]\nc".to_owned(), 2));
    }

    #[test]
    fn characters_are_never_cut_at_the_gap() {
        let text = "ä".repeat(50);
        for max in 0..60 {
            let (shown, omitted) = kept(max, &[text.as_bytes()]);
            assert!(!shown.contains('\u{fffd}'), "{max}: {shown}");
            let there = shown.matches('ä').count() as u64 * 2;
            assert_eq!(there + omitted, 100, "{max}: {shown}");
        }
    }

    #[test]
    fn memory_stays_bounded() {
        let mut kept = HeadAndTail::new(1000);
        let piece = vec![b'y'; 65_536];
        for _ in 0..200 {
            kept.push(&piece);
        }
        assert!(kept.tail.capacity() <= 4000, "{}", kept.tail.capacity());
        assert_eq!(kept.finish().1, 200 * 65_536 - 1000);
    }

    #[test]
    fn live_text_comes_in_whole_characters() {
        let bytes = "aä€𝄞b".as_bytes();
        for size in 1..=bytes.len() {
            let mut shown = Vec::new();
            let mut sink = |text: &str| shown.push(text.to_owned());
            let mut live = Live::default();
            for piece in bytes.chunks(size) {
                live.push(piece, &mut sink);
            }
            live.finish(&mut sink);
            assert_eq!(shown.concat(), "aä€𝄞b", "in pieces of {size}");
        }
        let mut shown = String::new();
        let mut sink = |text: &str| shown.push_str(text);
        let mut live = Live::default();
        live.push(b"x\xff\xfey\xe2\x82", &mut sink);
        live.finish(&mut sink);
        assert_eq!(shown, "x\u{fffd}\u{fffd}y\u{fffd}");
    }

    #[test]
    fn live_text_ends_at_its_limit() {
        let mut length = 0;
        let mut last = String::new();
        let mut sink = |text: &str| {
            length += text.len();
            text.clone_into(&mut last);
        };
        let mut live = Live::default();
        for _ in 0..1000 {
            live.push(&[b'y'; 65_536], &mut sink);
        }
        live.finish(&mut sink);
        assert!(length < MAX_LIVE + 70_000, "{length}");
        assert_eq!(last, LIVE_END);
    }
}
