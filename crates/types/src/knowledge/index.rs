//! What the databases are told of an item, so that they find it: its words, its marks, and how often which word stands where.

use std::collections::{BTreeMap, BTreeSet};

use super::item::is_trusted;
use super::words::{each, folded, stem, words};
use super::{
    BlueprintStatus, KnowledgeDetails, KnowledgeDraft, KnowledgeKind, KnowledgeOrigin, KnowledgeReview,
    LearningConfidence,
};

/// Words of one item that count at most.
const WORDS: usize = 5_000;
/// Fields that count apart: title, tags, description, everything else.
pub(crate) const FIELDS: usize = 4;
/// How often a word counts in a field at most.
const MOST: u16 = 15;
/// Stands before a word that is in the title or among the tags.
pub const HEAD: char = '^';

/// What the databases are told of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// Its words, each once, sorted.
    pub words: Vec<String>,
    /// Its words, those of its title once more with [`HEAD`], and its marks.
    pub terms: Vec<String>,
    /// How often which word stands where, as bytes.
    pub profile: Vec<u8>,
}

/// A mark by which items are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'a> {
    /// Of this kind.
    Kind(KnowledgeKind),
    /// With this tag.
    Tag(&'a str),
    /// Category of a blueprint, type of an entry or a learning.
    Sort(&'a str),
    /// A blueprint of this status.
    Status(BlueprintStatus),
    /// A learning that stands so.
    Review(KnowledgeReview),
    /// A learning as sure as that.
    Confidence(LearningConfidence),
    /// Speaks of this language.
    Language(&'a str),
    /// Came by this way.
    Origin(KnowledgeOrigin),
    /// Agents may be given it without a member's look.
    Trusted,
    /// Not a rejected learning.
    Standing,
}

impl Mark<'_> {
    /// As it stands in the index.
    pub fn term(&self) -> String {
        match self {
            Self::Kind(kind) => format!("k={kind}"),
            Self::Tag(tag) => format!("g={}", label(tag)),
            Self::Sort(sort) => format!("t={}", label(sort)),
            Self::Status(status) => format!("s={status}"),
            Self::Review(review) => format!("r={review}"),
            Self::Confidence(confidence) => format!("c={confidence}"),
            Self::Language(language) => format!("l={}", label(language)),
            Self::Origin(origin) => format!("o={origin}"),
            Self::Trusted => "x=trusted".to_owned(),
            Self::Standing => "x=standing".to_owned(),
        }
    }
}

/// A tag or the name of a language as the hub knows it: in lower case, with `-` for blanks, of letters, digits and `-_.+#/`.
pub fn label(text: &str) -> String {
    let mut out = String::new();
    for part in text.split_whitespace() {
        let part: String = part
            .chars()
            .flat_map(char::to_lowercase)
            .filter(|c| c.is_alphanumeric() || "-_.+#/".contains(*c))
            .collect();
        if !part.is_empty() {
            if !out.is_empty() {
                out.push('-');
            }
            out.push_str(&part);
        }
    }
    out
}

/// What the databases are told of an item.
pub fn index(draft: &KnowledgeDraft, review: KnowledgeReview, origin: KnowledgeOrigin) -> Indexed {
    let mut fields: [Vec<&str>; FIELDS] = Default::default();
    fields[0].push(&draft.title);
    fields[1].extend(draft.tags.iter().map(String::as_str));
    fields[2].push(&draft.description);
    fields[3].push(&draft.content);
    match &draft.details {
        KnowledgeDetails::Blueprint(_) => {}
        KnowledgeDetails::Entry(of) => fields[1].extend(of.keywords.iter().map(String::as_str)),
        KnowledgeDetails::Learning(of) => {
            fields[3].extend([&of.problem, &of.solution, &of.prevention].into_iter().flatten().map(String::as_str));
            fields[1].extend(of.context.languages.iter().chain(&of.context.frameworks).map(String::as_str));
        }
    }
    let mut counts: BTreeMap<String, [u16; FIELDS]> = BTreeMap::new();
    let mut lengths = [0_u16; FIELDS];
    for (n, texts) in fields.iter().enumerate() {
        let mut count = |word: &str, _, _, part: bool| {
            if !part {
                lengths[n] = lengths[n].saturating_add(1);
            }
            if let Some(of) = counts.get_mut(word) {
                of[n] = (of[n] + 1).min(MOST);
            } else if counts.len() < WORDS {
                counts.entry(word.to_owned()).or_default()[n] = 1;
            }
        };
        texts.iter().for_each(|text| each(text, &mut count));
    }
    let head = counts.iter().filter(|(_, of)| of[0] + of[1] > 0).map(|(word, _)| format!("{HEAD}{word}"));
    let mut terms: BTreeSet<String> = head.chain(counts.keys().cloned()).collect();
    terms.extend(marks(draft, review, origin).iter().map(Mark::term));
    Indexed {
        terms: terms.into_iter().collect(),
        profile: Profile::bytes(&counts, lengths),
        words: counts.into_keys().collect(),
    }
}

/// The marks of an item.
pub fn marks(draft: &KnowledgeDraft, review: KnowledgeReview, origin: KnowledgeOrigin) -> Vec<Mark<'_>> {
    let mut all = vec![Mark::Kind(draft.kind()), Mark::Sort(draft.details.sort()), Mark::Origin(origin)];
    all.extend(draft.tags.iter().map(|tag| Mark::Tag(tag)));
    all.extend(draft.details.languages().iter().map(|language| Mark::Language(language)));
    match &draft.details {
        KnowledgeDetails::Blueprint(of) => all.push(Mark::Status(of.status)),
        KnowledgeDetails::Entry(_) => {}
        KnowledgeDetails::Learning(of) => all.extend([Mark::Review(review), Mark::Confidence(of.confidence)]),
    }
    if is_trusted(&draft.details, review) {
        all.push(Mark::Trusted);
    }
    if review != KnowledgeReview::Rejected {
        all.push(Mark::Standing);
    }
    all
}

/// Names a word in a profile, and a search in its cursor.
pub(super) fn hash(word: &str) -> u32 {
    // FNV-1a: short, and the same for ever.
    word.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// How often which word stands where in an item: two bytes for the length of each field, then for each word four that name it
/// and two that count it in each field, sorted.
#[derive(Debug, Clone, Copy)]
pub struct Profile<'a> {
    lengths: &'a [u8],
    words: &'a [u8],
}

const HEADER: usize = 2 * FIELDS;
const EACH: usize = 6;

impl<'a> Profile<'a> {
    /// Reads it; bytes that are none are an item without words.
    pub fn read(bytes: &'a [u8]) -> Self {
        match bytes.len() >= HEADER && (bytes.len() - HEADER).is_multiple_of(EACH) {
            true => Self { lengths: &bytes[..HEADER], words: &bytes[HEADER..] },
            false => Self { lengths: &[0; HEADER], words: &[] },
        }
    }

    fn bytes(counts: &BTreeMap<String, [u16; FIELDS]>, lengths: [u16; FIELDS]) -> Vec<u8> {
        let mut all: Vec<(u32, u16)> = counts
            .iter()
            .map(|(word, of)| (hash(word), of.iter().rev().fold(0, |packed, count| (packed << 4) | count)))
            .collect();
        all.sort_unstable();
        all.dedup_by_key(|(hash, _)| *hash);
        let mut bytes: Vec<u8> = lengths.iter().flat_map(|length| length.to_be_bytes()).collect();
        for (hash, packed) in all {
            bytes.extend(hash.to_be_bytes());
            bytes.extend(packed.to_be_bytes());
        }
        bytes
    }

    /// Words in each field.
    pub fn lengths(&self) -> [u16; FIELDS] {
        std::array::from_fn(|n| u16::from_be_bytes([self.lengths[2 * n], self.lengths[2 * n + 1]]))
    }

    /// How many different words there are.
    pub fn len(&self) -> usize {
        self.words.len() / EACH
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn at(&self, n: usize) -> (u32, u16) {
        let of = &self.words[n * EACH..];
        (u32::from_be_bytes([of[0], of[1], of[2], of[3]]), u16::from_be_bytes([of[4], of[5]]))
    }

    /// How often a word stands in each field.
    pub fn counts(&self, word: &str) -> [u16; FIELDS] {
        let wanted = hash(word);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            let (found, packed) = self.at(middle);
            match found.cmp(&wanted) {
                std::cmp::Ordering::Equal => return std::array::from_fn(|n| (packed >> (4 * n)) & MOST),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        [0; FIELDS]
    }

    /// The names of its words, sorted.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u32> + use<'a> {
        let words = self.words;
        words.chunks_exact(EACH).map(|of| u32::from_be_bytes([of[0], of[1], of[2], of[3]]))
    }
}

/// The words that somebody looks for: each once, without those that say nothing where others do.
pub fn asked(query: &str) -> Asked {
    let found = words(query);
    let mut terms: Vec<AskedWord> = Vec::new();
    for (n, word) in found.iter().enumerate().filter(|(_, word)| !word.part) {
        let parts = found[n + 1..].iter().take_while(|next| next.part).map(|next| next.text.clone()).collect();
        if !terms.iter().any(|known| known.word == word.text) {
            let last = word.end == query.len();
            terms.push(AskedWord { stem: stem(&word.text), word: word.text.clone(), parts, unfinished: last });
        }
    }
    if terms.iter().any(|term| !super::words::is_empty_word(&term.word)) {
        terms.retain(|term| !super::words::is_empty_word(&term.word));
    }
    terms.truncate(MOST_ASKED);
    Asked { phrase: folded_phrase(query), words: terms }
}

/// Words of a question that count at most.
const MOST_ASKED: usize = 16;

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The whole of it, as the hub knows words.
    pub phrase: String,
    /// Its words.
    pub words: Vec<AskedWord>,
}

/// A word that somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedWord {
    /// As the hub knows it.
    pub word: String,
    /// What it has in common with its other forms.
    pub stem: String,
    /// The parts that capitals begin, if there are any.
    pub parts: Vec<String>,
    /// Whether more of it may come: it is the last, and nothing follows.
    pub unfinished: bool,
}

/// A text as its words, with a blank between each two.
pub fn folded_phrase(text: &str) -> String {
    let mut phrase = String::with_capacity(text.len());
    each(text, |word, _, _, part| {
        if !part {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            // Letters that stand for two make a long word longer.
            phrase.push_str(&folded(word));
        }
    });
    phrase
}
