//! How well an item fits what somebody looks for: one pure function, so that both databases give the same order. They find
//! candidates by their indexes; who comes first is decided here.
//!
//! The measure is BM25F: how often the words stand in which field, how long the fields are, how rare the words are. What is
//! recent and what has helped comes first among what fits alike.

use super::index::{FIELDS, Profile, folded_phrase};

/// What a word is worth in title, tags, description and the rest.
const WORTH: [f64; FIELDS] = [4.0, 3.0, 2.0, 1.0];
/// How long these fields usually are, in words.
const USUAL: [f64; FIELDS] = [6.0, 4.0, 20.0, 250.0];
/// How much the length of a field takes from what a word in it is worth.
const LENGTH: f64 = 0.6;
/// After how much of a word more of it counts little.
const ENOUGH: f64 = 1.5;
/// What it is worth, of 1, that the title is, or holds, the very words in their order.
const SAME_TITLE: f64 = 0.5;
const IN_TITLE: f64 = 0.2;
/// What being recent and having helped are worth at most, of 1: they decide among what fits alike.
const RECENT: f64 = 0.04;
const HELPED: f64 = 0.04;
/// Days after which half of being recent is left.
const HALF: f64 = 90.0;

/// What a word that somebody looks for stands for in the hub.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Words of the hub, the surest first.
    pub meant: Vec<Meant>,
    /// How much the term is worth: the rarer the more.
    pub rarity: f64,
}

/// A word of the hub that may be meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Meant {
    /// The word.
    pub word: String,
    /// How surely it is meant, up to 1.
    pub sure: f64,
    /// How many items hold it.
    pub docs: i64,
}

/// The word itself, another form of it, one that begins so, and one that it may be a slip of, once and twice.
pub mod sure {
    /// The word itself.
    pub const SAME: f64 = 1.0;
    /// Another form of it.
    pub const FORM: f64 = 0.85;
    /// A word that begins so.
    pub const BEGINS: f64 = 0.7;
    /// A word that differs by so many slips.
    pub const fn slips(slips: usize) -> f64 {
        match slips {
            0 | 1 => 0.6,
            _ => 0.4,
        }
    }
}

/// What a word is worth that `docs` of `items` hold.
pub fn rarity(docs: i64, items: i64) -> f64 {
    let (docs, items) = (docs.clamp(0, items.max(0)) as f64, items.max(0) as f64);
    (1.0 + (items - docs + 0.5) / (docs + 0.5)).ln()
}

/// What is known of an item.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its title, as it is written.
    pub title: &'a str,
    /// How often which word stands where.
    pub profile: Profile<'a>,
    /// How many days ago it changed.
    pub days: f64,
    /// How often it helped.
    pub helped: i64,
    /// How often it did not. What is not known says nothing.
    pub failed: i64,
}

/// How well an item fits; 0 where no word stands in it. Grows with each word that stands in it, and with each that is rare.
pub fn score(terms: &[Term], phrase: &str, candidate: &Candidate<'_>) -> f64 {
    let lengths = candidate.profile.lengths();
    let (mut sum, mut found) = (0.0, 0_usize);
    for term in terms {
        let best = term.meant.iter().map(|meant| meant.sure * weight(&candidate.profile.counts(&meant.word), &lengths));
        let best = best.fold(0.0, f64::max);
        if best > 0.0 {
            found += 1;
            sum += term.rarity * best;
        }
    }
    if found == 0 {
        return 0.0;
    }
    let whole = found as f64 / terms.len().max(1) as f64;
    // A title is read only if all words of the phrase are in it, which few are.
    let may_hold = !phrase.is_empty() && phrase.split(' ').all(|word| candidate.profile.counts(word)[0] > 0);
    let title = may_hold.then(|| folded_phrase(candidate.title)).map_or(0.0, |title| match title == phrase {
        true => SAME_TITLE,
        false if holds(&title, phrase) => IN_TITLE,
        false => 0.0,
    });
    let recent = RECENT * HALF / (HALF + candidate.days.max(0.0));
    let helped = HELPED * usefulness(candidate.helped, candidate.failed);
    sum * whole * (1.0 + title) * (1.0 + recent + helped)
}

/// How useful something has been, from 0 to 1, by the uses of which it is known; what was hardly used is hardly useful.
pub fn usefulness(helped: i64, failed: i64) -> f64 {
    let (helped, failed) = (helped.max(0) as f64, failed.max(0) as f64);
    helped / (helped + failed + 3.0)
}

fn weight(counts: &[u16; FIELDS], lengths: &[u16; FIELDS]) -> f64 {
    let of = |n: usize| {
        let length = 1.0 - LENGTH + LENGTH * f64::from(lengths[n]) / USUAL[n];
        WORTH[n] * f64::from(counts[n]) / length.max(0.1)
    };
    let all: f64 = (0..FIELDS).map(of).sum();
    all / (ENOUGH + all)
}

/// Whether a phrase stands in a title, at the bounds of words.
fn holds(title: &str, phrase: &str) -> bool {
    !phrase.is_empty() && format!(" {title} ").contains(&format!(" {phrase} "))
}
