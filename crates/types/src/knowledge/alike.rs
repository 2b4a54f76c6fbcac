//! How much two items say the same, so that one is found before it is written a second time.

use std::collections::BTreeSet;

use super::KnowledgeKind;
use super::index::{Profile, folded_phrase};
use super::words::grams;

/// From how much on two items count as near-duplicates.
pub const NEAR: f64 = 0.6;
/// How much of it is the text where titles are compared, too.
const TEXT: f64 = 0.6;

/// What two items are compared by.
#[derive(Debug)]
pub struct Compared<'a> {
    kind: KnowledgeKind,
    title: BTreeSet<String>,
    words: Profile<'a>,
}

impl<'a> Compared<'a> {
    /// An item of this kind, with this title, that holds these words.
    pub fn new(kind: KnowledgeKind, title: &str, words: Profile<'a>) -> Self {
        let title = folded_phrase(title).split(' ').filter(|word| !word.is_empty()).flat_map(grams).collect();
        Self { kind, title, words }
    }

    /// How much two items have in common, from 0 to 1: by their words, and by their titles where these are closer than the
    /// texts. Two of a kind with one title are near in any case.
    pub fn likeness(&self, other: &Self) -> f64 {
        let text = shared(self.words.hashes(), other.words.hashes());
        let title = shared(self.title.iter(), other.title.iter());
        let like = text.max(TEXT * text + (1.0 - TEXT) * title);
        if self.kind == other.kind && title >= 1.0 { like.max(NEAR) } else { like }
    }
}

/// Which part of all that one or the other holds both hold. Both come sorted, each thing once.
fn shared<T: Ord>(one: impl Iterator<Item = T>, other: impl Iterator<Item = T>) -> f64 {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    let (mut both, mut all) = (0_u32, 0_u32);
    loop {
        let order = match (one.peek(), other.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b),
        };
        all += 1;
        both += u32::from(order.is_eq());
        if order.is_le() {
            one.next();
        }
        if order.is_ge() {
            other.next();
        }
    }
    match all {
        0 => 0.0,
        _ => f64::from(both) / f64::from(all),
    }
}
