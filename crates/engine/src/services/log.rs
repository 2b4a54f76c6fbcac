//! What a service prints, in bounded memory: the end of it, and what is shown of it as it comes.

use std::collections::VecDeque;

/// Bytes of a service's output that are kept while it runs.
const KEPT: usize = 256 * 1024;
/// Bytes that are shown at once at most. A service that prints more in a moment is shown by the end of that.
const SHOWN: usize = 8 * 1024;

/// The end of what a service printed.
#[derive(Debug, Default)]
pub(crate) struct Ring(VecDeque<u8>);

impl Ring {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.0.len() + bytes.len()).saturating_sub(KEPT);
        self.0.drain(..over);
        self.0.extend(bytes);
    }

    /// The last lines, of `most` bytes at most.
    pub(crate) fn tail(&self, lines: usize, most: usize) -> String {
        let newest = self.0.iter().skip(self.0.len().saturating_sub(most)).copied();
        let mut bytes: Vec<u8> = newest.collect();
        // Half a character at the beginning.
        let cut = bytes.iter().take(3).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
        bytes.drain(..cut);
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.strip_suffix('\n').unwrap_or(&text);
        match whole.rmatch_indices('\n').nth(lines.saturating_sub(1)) {
            Some((at, _)) => text[at + 1..].to_owned(),
            None => text.into_owned(),
        }
    }
}

/// What is to be shown next.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pending: Vec<u8>,
    left_out: usize,
}

impl Shown {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let over = self.pending.len().saturating_sub(SHOWN);
        if over > 0 {
            self.pending.drain(..over);
            self.left_out += over;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// What there is, in whole characters; all of it at the `end`.
    pub(crate) fn take(&mut self, end: bool) -> String {
        let whole = match std::str::from_utf8(&self.pending) {
            Err(error) if error.error_len().is_none() && !end => error.valid_up_to(),
            _ => self.pending.len(),
        };
        let rest = self.pending.split_off(whole);
        let bytes = std::mem::replace(&mut self.pending, rest);
        let text = String::from_utf8_lossy(&bytes);
        match std::mem::take(&mut self.left_out) {
            0 => text.into_owned(),
            left_out => format!("\n[… {left_out} bytes are not shown here …]\n{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_in_bounded_memory() {
        let mut ring = Ring::default();
        assert_eq!(ring.tail(10, KEPT), "");
        ring.push("one\ntwo\nthree\n".as_bytes());
        assert_eq!(ring.tail(2, KEPT), "two\nthree\n");
        assert_eq!(ring.tail(9, KEPT), "one\ntwo\nthree\n");
        ring.push(b"half");
        assert_eq!(ring.tail(1, KEPT), "half");
        assert_eq!(ring.tail(9, 7), "ee\nhalf");
        ring.push("ä".repeat(KEPT).as_bytes());
        assert_eq!(ring.0.len(), KEPT);
        assert_eq!(ring.tail(1, 5), "ää");
    }

    #[test]
    fn what_is_shown_is_whole_characters_and_says_what_it_leaves_out() {
        let mut shown = Shown::default();
        let bytes = "a€b".as_bytes();
        shown.push(&bytes[..2]);
        assert_eq!(shown.take(false), "a");
        shown.push(&bytes[2..]);
        assert_eq!(shown.take(false), "€b");
        shown.push(&[b'x', 0xe2]);
        assert_eq!(shown.take(true), "x\u{fffd}");
        shown.push(&vec![b'y'; SHOWN + 5]);
        let text = shown.take(false);
        assert!(text.starts_with("\n[… 5 bytes are not shown here …]\nyy") && shown.is_empty());
    }
}
