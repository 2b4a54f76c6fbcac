//! Where a page of a search has ended, and what the next one goes by, so that it goes on there.
//!
//! What decides an order changes all the time: the clock, how rare words are, and the items themselves. So a cursor says what the
//! first page went by: its moment, what each word was worth then, the latest change that it knew of, and how deep it looked. What
//! changed since stands at a higher place and is left out, wherever it would come now: it is found by searching anew. So nothing
//! comes twice, and what nobody touched is not left out. Two things are not held: how often an item helped, by which one that was
//! used meanwhile may move a little, and which words of the hub a word stands for, when such a word comes or goes.

use std::fmt;
use std::str::FromStr;

use super::index::hash;

/// Terms of a search of which a cursor holds the worth at most; words that capitals part count for each part.
const TERMS: usize = 128;

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReadTo {
    /// Nothing yet.
    Start,
    /// Down to this one of those that were ranked.
    Ranked {
        /// How well it fits.
        score: f64,
        /// Its place.
        place: i64,
    },
    /// All that were ranked, and of the others down to this place; the latest come first.
    Rest {
        /// Its place.
        place: i64,
    },
}

/// How deep the first page looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// How many looks it took into the index, those at titles alone not counted.
    pub looks: usize,
    /// The lowest place to which it looked at titles; 0 where it looked at all of them.
    pub titles: i64,
    /// The lowest place to which the last look came; 0 where it found all that there was.
    pub lowest: i64,
}

/// Where a page of a search has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchCursor {
    /// Names what was asked: a cursor is good for that alone. See [`name_of`].
    pub asked: u32,
    /// The latest place that the first page knew of.
    pub place: i64,
    /// The moment of the first page, in seconds since 1970.
    pub seconds: i64,
    /// What each term was worth on the first page.
    pub rarities: Vec<f64>,
    /// How deep the first page looked.
    pub depth: Depth,
    /// How far it was read.
    pub read_to: ReadTo,
}

impl SearchCursor {
    /// Whether what was ranked so comes after what was read.
    pub fn is_after(&self, score: f64, place: i64) -> bool {
        match self.read_to {
            ReadTo::Start => true,
            ReadTo::Ranked { score: last, place: lowest } => score.total_cmp(&last).then(place.cmp(&lowest)).is_lt(),
            ReadTo::Rest { .. } => false,
        }
    }
}

/// Names a search: the words, and the marks by which it is narrowed, in any order.
pub fn name_of(phrase: &str, marks: &[String]) -> u32 {
    let mut marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    marks.sort_unstable();
    // Neither a phrase nor a mark holds the sign between them.
    hash(&format!("{phrase}\n{}", marks.join("\n")))
}

impl fmt::Display for SearchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}.{:x}.", self.asked, self.place, self.seconds)?;
        for (n, rarity) in self.rarities.iter().enumerate() {
            let between = if n == 0 { "" } else { "-" };
            write!(f, "{between}{:x}", rarity.to_bits())?;
        }
        write!(f, ".{:x}-{:x}-{:x}", self.depth.looks, self.depth.titles, self.depth.lowest)?;
        match self.read_to {
            ReadTo::Start => f.write_str(".s"),
            ReadTo::Ranked { score, place } => write!(f, ".r{:x}-{place:x}", score.to_bits()),
            ReadTo::Rest { place } => write!(f, ".o{place:x}"),
        }
    }
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give what the page before of this very search gave as next")]
pub struct NoCursor;

fn number(text: &str) -> Result<i64, NoCursor> {
    i64::from_str_radix(text, 16).ok().filter(|number| *number >= 0).ok_or(NoCursor)
}

fn weight(text: &str) -> Result<f64, NoCursor> {
    let bits = u64::from_str_radix(text, 16).map_err(|_| NoCursor)?;
    Some(f64::from_bits(bits)).filter(|weight| weight.is_finite() && *weight >= 0.0).ok_or(NoCursor)
}

impl FromStr for SearchCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let [asked, place, seconds, rarities, depth, read_to] = text.split('.').collect::<Vec<_>>()[..] else {
            return Err(NoCursor);
        };
        let rarities: Vec<f64> = match rarities {
            "" => Vec::new(),
            some => some.split('-').map(weight).collect::<Result<_, _>>()?,
        };
        if rarities.len() > TERMS {
            return Err(NoCursor);
        }
        let depth = match depth.split('-').map(number).collect::<Result<Vec<_>, _>>()?[..] {
            [looks, titles, lowest] => Depth { looks: usize::try_from(looks).map_err(|_| NoCursor)?, titles, lowest },
            _ => return Err(NoCursor),
        };
        let read_to = match (read_to.get(..1), read_to.get(1..)) {
            (Some("r"), Some(rest)) => {
                let (score, place) = rest.split_once('-').ok_or(NoCursor)?;
                ReadTo::Ranked { score: weight(score)?, place: number(place)? }
            }
            (Some("o"), Some(place)) => ReadTo::Rest { place: number(place)? },
            _ => return Err(NoCursor),
        };
        Ok(Self {
            asked: u32::from_str_radix(asked, 16).map_err(|_| NoCursor)?,
            place: number(place)?,
            seconds: number(seconds)?,
            rarities,
            depth,
            read_to,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(read_to: ReadTo) -> SearchCursor {
        let depth = Depth { looks: 2, titles: 30, lowest: 800 };
        SearchCursor { asked: 7, place: 1_000, seconds: 1_800_000_000, rarities: vec![0.1 + 0.2, 3.5], depth, read_to }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for read_to in [ReadTo::Ranked { score: 1.0 / 3.0, place: 77 }, ReadTo::Rest { place: 0 }] {
            let cursor = cursor(read_to);
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        let bare = SearchCursor { rarities: Vec::new(), ..cursor(ReadTo::Rest { place: 1 }) };
        assert_eq!(bare.to_string().parse(), Ok(bare));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let nan = f64::NAN.to_bits();
        let many = vec!["1"; TERMS + 1].join("-");
        for text in [
            String::new(),
            "12".to_owned(),
            cursor(ReadTo::Start).to_string(),
            "7.3e8.6b49d200..1-0-0.x1".to_owned(),
            "7.3e8.6b49d200.1.1-0-0.r1".to_owned(),
            "7.3e8.6b49d200.1.1-0-0.ö1".to_owned(),
            "7.3e8.6b49d200.1.1-0.o1".to_owned(),
            "7.-1.6b49d200.1.1-0-0.o1".to_owned(),
            format!("7.3e8.6b49d200.{nan:x}.1-0-0.o1"),
            format!("7.3e8.6b49d200.{many}.1-0-0.o1"),
        ] {
            assert_eq!(text.parse::<SearchCursor>(), Err(NoCursor), "{text}");
        }
    }

    #[test]
    fn what_comes_after_follows_the_order_of_the_ranking() {
        let read = cursor(ReadTo::Ranked { score: 2.0, place: 50 });
        assert!(read.is_after(1.9, 90) && read.is_after(2.0, 49));
        assert!(!read.is_after(2.0, 50) && !read.is_after(2.0, 51) && !read.is_after(2.1, 1));
        assert!(cursor(ReadTo::Start).is_after(0.0, 1) && !cursor(ReadTo::Rest { place: 5 }).is_after(0.0, 1));
    }

    #[test]
    fn a_search_is_named_by_its_words_and_marks() {
        let marks = |all: &[&str]| all.iter().map(|mark| (*mark).to_owned()).collect::<Vec<_>>();
        assert_eq!(name_of("a b", &marks(&["g=x", "k=entry"])), name_of("a b", &marks(&["k=entry", "g=x"])));
        assert_ne!(name_of("a b", &marks(&[])), name_of("a", &marks(&["b"])));
        assert_ne!(name_of("a b", &marks(&[])), name_of("b a", &marks(&[])));
    }
}
