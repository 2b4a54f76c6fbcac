//! Blots secrets out of text, however they are spelled there.
//!
//! It knows the secret itself, each telling line of one that has several, the password in an address, and what base64, hex, the
//! escapes of addresses, of JSON, of HTML and of a shell make of it. What somebody makes of a secret otherwise, such as each
//! second letter of it, it does not know: it keeps secrets from being shown by accident, and nobody from telling one on purpose.

mod spell;

pub(crate) use spell::is_word;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Blots secrets out. Cheap to clone; without secrets, it costs nothing.
#[derive(Clone, Default)]
pub struct Blot(Option<Arc<Known>>);

struct Known {
    names: Vec<String>,
    /// Every spelling, in order, none twice.
    spellings: Vec<Vec<u8>>,
    /// Whose each of them is.
    owners: Vec<usize>,
    /// Bytes with which a spelling begins.
    begins: [bool; 256],
    longest: usize,
    finder: AhoCorasick,
}

impl std::fmt::Debug for Blot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().flat_map(|known| &known.names)).finish()
    }
}

impl Blot {
    /// Blots out these secrets, each given with its name.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut names = Vec::new();
        let mut all: Vec<(Vec<u8>, usize)> = Vec::new();
        for (name, value) in secrets {
            all.extend(spell::spellings(value).into_iter().map(|spelling| (spelling, names.len())));
            names.push(name.to_owned());
        }
        all.sort();
        all.dedup_by(|one, other| one.0 == other.0);
        let (spellings, owners): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        // A table of all steps would be faster, and take some megabytes for each kilobyte of a secret.
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let finder = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(kind).build(&spellings);
        // It has none for gigabytes of patterns alone, and a secret has a few kilobytes.
        let (false, Ok(finder)) = (spellings.is_empty(), finder) else { return Self(None) };
        let mut begins = [false; 256];
        for first in spellings.iter().filter_map(|spelling| spelling.first()) {
            begins[usize::from(*first)] = true;
        }
        let longest = spellings.iter().map(Vec::len).max().unwrap_or_default();
        Self(Some(Arc::new(Known { names, spellings, owners, begins, longest, finder })))
    }

    /// Whether there is nothing to blot out.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The text without secrets: `[secret NAME]` stands in the place of each.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(
                // Secrets are whole characters; a spelling may begin in the middle of one by chance.
                String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
        }
    }

    /// The same of bytes.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.0 {
            Some(known) if known.finder.is_match(bytes) => {
                let mut stream = self.stream();
                let mut out = stream.push(bytes);
                out.extend(stream.finish());
                Cow::Owned(out)
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    /// A text of one's own without secrets.
    pub fn owned(&self, text: String) -> String {
        match self.text(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(blotted) => blotted,
        }
    }

    /// The names of the secrets that stand in these bytes.
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let Some(known) = &self.0 else { return BTreeSet::new() };
        let found = known.finder.find_overlapping_iter(bytes);
        found.map(|found| known.names[known.owners[found.pattern().as_usize()]].as_str()).collect()
    }

    /// Blots secrets out of what comes piece by piece.
    pub fn stream(&self) -> BlotStream {
        BlotStream { known: self.0.clone(), held: Vec::new(), told: 0 }
    }
}

impl Known {
    /// Where secrets stand, and whose: what overlaps is one place.
    fn places(&self, bytes: &[u8]) -> Vec<(Range<usize>, usize)> {
        let found = self.finder.find_overlapping_iter(bytes);
        let mut all: Vec<_> = found.map(|found| (found.range(), self.owners[found.pattern().as_usize()])).collect();
        // Of two that begin together, the longer one gives its name.
        all.sort_by_key(|(range, owner)| (range.start, std::cmp::Reverse(range.end), *owner));
        let mut places: Vec<(Range<usize>, usize)> = Vec::new();
        for (range, owner) in all {
            match places.last_mut() {
                Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
                _ => places.push((range, owner)),
            }
        }
        places
    }

    /// Where a secret may have begun that what follows would end.
    fn open_end(&self, bytes: &[u8]) -> usize {
        let first = bytes.len().saturating_sub(self.longest - 1);
        let begun = |at: &usize| self.begins[usize::from(bytes[*at])] && self.is_beginning(&bytes[*at..]);
        (first..bytes.len()).find(begun).unwrap_or(bytes.len())
    }

    /// Whether a longer spelling begins so.
    fn is_beginning(&self, bytes: &[u8]) -> bool {
        let at = self.spellings.partition_point(|spelling| spelling.as_slice() <= bytes);
        self.spellings.get(at).is_some_and(|spelling| spelling.starts_with(bytes))
    }
}

/// Blots secrets out of what comes piece by piece: what may be the beginning of one is held back until it is known.
#[derive(Default)]
pub struct BlotStream {
    known: Option<Arc<Known>>,
    held: Vec<u8>,
    /// How many of the bytes that are held belong to a secret in whose place something was told already.
    told: usize,
}

impl std::fmt::Debug for BlotStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlotStream").finish_non_exhaustive()
    }
}

impl BlotStream {
    /// Takes a piece, and gives what can be told by now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(known) = self.known.clone() else { return bytes.to_vec() };
        self.held.extend_from_slice(bytes);
        let end = known.open_end(&self.held);
        self.tell(&known, end)
    }

    /// Whether something is held back.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// What was held back, when nothing more comes, or nobody waits for it any longer.
    pub fn finish(&mut self) -> Vec<u8> {
        let Some(known) = self.known.clone() else { return Vec::new() };
        let end = self.held.len();
        self.tell(&known, end)
    }

    fn tell(&mut self, known: &Known, end: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(end);
        // Up to where everything is told, or lies in a secret that is.
        let mut at = self.told;
        for (range, owner) in known.places(&self.held) {
            if range.start >= end {
                break;
            }
            if range.start >= at {
                out.extend_from_slice(&self.held[at..range.start]);
                out.extend_from_slice(format!("[secret {}]", known.names[owner]).as_bytes());
            }
            at = at.max(range.end);
        }
        if at < end {
            out.extend_from_slice(&self.held[at..end]);
        }
        self.told = at.saturating_sub(end);
        self.held.drain(..end);
        out
    }
}

#[cfg(test)]
mod tests;
