//! Words of a text as the hub knows them: in lower case, without accents, parted where letters and digits end. Both databases
//! are given the same words, so both find the same.

/// Characters of a word that count at most; what is longer is noise, such as an encoded picture.
pub const LONGEST: usize = 40;
/// Letters from which on a word may be misspelt once, and twice.
const MISSPELT: (usize, usize) = (4, 8);

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As the hub knows it.
    pub text: String,
    /// Where it begins in the text, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Whether it is only a part of a longer one, as `socket` is of `WebSocket`.
    pub part: bool,
}

/// The words of a text, in order. A word that capitals part is followed by its parts.
pub fn words(text: &str) -> Vec<Word> {
    let mut all = Vec::new();
    each(text, |folded, start, end, part| all.push(Word { text: folded.to_owned(), start, end, part }));
    all
}

/// Tells each word of a text as [`words`] does, without taking memory for it: as the hub knows it, where it begins and ends, and
/// whether it is a part of the one before.
pub fn each(text: &str, tell: impl FnMut(&str, usize, usize, bool)) {
    let mut teller = Teller { tell, folded: String::with_capacity(LONGEST) };
    let mut begun: Option<usize> = None;
    for (at, c) in text.char_indices() {
        match (begun, belongs(c)) {
            (None, true) if !is_mark(c) => begun = Some(at),
            (Some(start), false) => {
                teller.word(&text[start..at], start);
                begun = None;
            }
            _ => {}
        }
    }
    if let Some(start) = begun {
        teller.word(&text[start..], start);
    }
}

fn belongs(c: char) -> bool {
    c.is_alphanumeric() || is_mark(c)
}

/// An accent that stands behind its letter.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Letters of writings that put no blanks between words.
const fn is_unparted(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2ffff}' | '\u{e00}'..='\u{e7f}')
}

/// Who hears of each word, and room for one.
struct Teller<F> {
    tell: F,
    folded: String,
}

impl<F: FnMut(&str, usize, usize, bool)> Teller<F> {
    fn word(&mut self, run: &str, start: usize) {
        if !run.is_ascii() && run.chars().any(is_unparted) {
            return self.pairs(run, start);
        }
        self.piece(run, start, false);
        // Most words have no capital but the first.
        if run.is_ascii() && !run.bytes().skip(1).any(|letter| letter.is_ascii_uppercase()) {
            return;
        }
        let parts = parts(run);
        if parts.len() > 1 {
            for (from, to) in parts {
                if run[from..to].chars().count() > 1 {
                    self.piece(&run[from..to], start + from, true);
                }
            }
        }
    }

    fn piece(&mut self, piece: &str, start: usize, part: bool) {
        self.folded.clear();
        fold(piece, &mut self.folded);
        if !self.folded.is_empty() {
            (self.tell)(&self.folded, start, start + piece.len(), part);
        }
    }

    /// Where nothing parts words, two letters each stand for them.
    fn pairs(&mut self, run: &str, start: usize) {
        let letters: Vec<(usize, char)> = run.char_indices().filter(|(_, c)| !is_mark(*c)).collect();
        let end_of = |n: usize| letters.get(n).map_or(run.len(), |(at, _)| *at);
        if letters.len() == 1 {
            return self.piece(run, start, false);
        }
        for (n, pair) in letters.windows(2).enumerate() {
            let (from, to) = (pair[0].0, end_of(n + 2));
            self.piece(&run[from..to], start + from, false);
        }
    }
}

/// The parts of a word that capitals begin: `HTTPServer` has two.
fn parts(run: &str) -> Vec<(usize, usize)> {
    let letters: Vec<(usize, char)> = run.char_indices().collect();
    let mut cuts = vec![0];
    for n in 1..letters.len() {
        let (before, here) = (letters[n - 1].1, letters[n].1);
        let after = letters.get(n + 1).map(|(_, c)| *c);
        let begins = here.is_uppercase()
            && (before.is_lowercase() || (before.is_uppercase() && after.is_some_and(char::is_lowercase)));
        if begins {
            cuts.push(letters[n].0);
        }
    }
    cuts.push(run.len());
    cuts.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// A piece of text as the hub knows it.
pub fn folded(piece: &str) -> String {
    let mut out = String::with_capacity(piece.len().min(LONGEST));
    fold(piece, &mut out);
    out
}

fn fold(piece: &str, out: &mut String) {
    if piece.is_ascii() {
        return out.extend(piece.chars().take(LONGEST).map(|c| c.to_ascii_lowercase()));
    }
    let lower = piece.chars().filter(|c| !is_mark(*c)).flat_map(char::to_lowercase).filter(|c| !is_mark(*c));
    for c in lower.take(LONGEST) {
        match plain(c) {
            Some(letters) => out.push_str(letters),
            None => out.push(c),
        }
    }
}

/// A letter of Latin writings without what stands above or below it.
const fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ð' | 'ď' | 'đ' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ț' => "t",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// Words that say nothing of what somebody looks for.
pub fn is_empty_word(word: &str) -> bool {
    const EMPTY: &[&str] = &[
        "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i", "if", "in",
        "is", "it", "its", "my", "of", "on", "or", "our", "so", "that", "the", "their", "this", "to", "was", "we",
        "what", "when", "where", "which", "why", "will", "with", "you", "your",
    ];
    EMPTY.binary_search(&word).is_ok()
}

/// The trigrams of a word, with its ends marked: by them a misspelt word is found.
pub fn grams(word: &str) -> Vec<String> {
    let letters: Vec<char> = std::iter::once('$').chain(word.chars()).chain(std::iter::once('$')).collect();
    let mut all: Vec<String> = letters.windows(3).map(|three| three.iter().collect()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// How many slips of the pen a word of so many letters may hold: a missing, a needless, a wrong letter, or two that changed
/// places.
pub const fn slips(letters: usize) -> usize {
    match letters {
        n if n >= MISSPELT.1 => 2,
        n if n >= MISSPELT.0 => 1,
        _ => 0,
    }
}

/// How many slips lie between two words; nothing when there are more than `most`.
pub fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let wrong = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + wrong);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        if row.iter().min().is_none_or(|least| *least > most) {
            return None;
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|slips| *slips <= most)
}

/// What the forms of an English word have in common, by the rules of M. F. Porter ("An algorithm for suffix stripping", 1980).
/// A word of another language or with digits is left as it is, mostly.
pub fn stem(word: &str) -> String {
    if word.len() < 3 || !word.bytes().all(|letter| letter.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut stem = Stem(word.as_bytes().to_vec());
    stem.plurals();
    stem.past_and_progressive();
    stem.ending_y();
    stem.replace(SECOND, 0);
    stem.replace(THIRD, 0);
    stem.strip_fourth();
    stem.tidy();
    String::from_utf8(stem.0).unwrap_or_else(|_| word.to_owned())
}

/// Endings of the second step and what takes their place; the longer before the shorter.
const SECOND: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("abli", "able"),
    ("alli", "al"),
    ("entli", "ent"),
    ("ousli", "ous"),
    ("eli", "e"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
];

/// Endings of the third step.
const THIRD: &[(&str, &str)] =
    &[("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Endings of the fourth step, which go where enough is left.
const FOURTH: &[&str] = &[
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion",
    "al", "er", "ic", "ou",
];

/// A word whose endings are taken away.
struct Stem(Vec<u8>);

impl Stem {
    fn is_consonant(&self, at: usize) -> bool {
        match self.0[at] {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => at == 0 || !self.is_consonant(at - 1),
            _ => true,
        }
    }

    /// How often consonants follow vowels in the first `end` letters.
    fn measure(&self, end: usize) -> usize {
        (1..end).filter(|at| self.is_consonant(*at) && !self.is_consonant(at - 1)).count()
    }

    fn has_vowel(&self, end: usize) -> bool {
        (0..end).any(|at| !self.is_consonant(at))
    }

    /// Where an ending begins, if the word ends so.
    fn before(&self, ending: &str) -> Option<usize> {
        self.0.ends_with(ending.as_bytes()).then(|| self.0.len() - ending.len())
    }

    fn doubled(&self) -> bool {
        let n = self.0.len();
        n > 1 && self.0[n - 1] == self.0[n - 2] && self.is_consonant(n - 1)
    }

    /// Whether the first `end` letters end in consonant, vowel, consonant, and the last is none of w, x, y.
    fn short(&self, end: usize) -> bool {
        end > 2
            && self.is_consonant(end - 1)
            && !self.is_consonant(end - 2)
            && self.is_consonant(end - 3)
            && !matches!(self.0[end - 1], b'w' | b'x' | b'y')
    }

    fn put(&mut self, at: usize, ending: &str) {
        self.0.truncate(at);
        self.0.extend_from_slice(ending.as_bytes());
    }

    fn plurals(&mut self) {
        if let Some(at) = self.before("sses") {
            self.put(at, "ss");
        } else if let Some(at) = self.before("ies") {
            self.put(at, "i");
        } else if self.before("ss").is_none()
            && let Some(at) = self.before("s")
        {
            self.put(at, "");
        }
    }

    fn past_and_progressive(&mut self) {
        if let Some(at) = self.before("eed") {
            if self.measure(at) > 0 {
                self.put(at, "ee");
            }
            return;
        }
        let Some(at) = self.before("ed").or_else(|| self.before("ing")).filter(|at| self.has_vowel(*at)) else {
            return;
        };
        self.put(at, "");
        if self.before("at").is_some() || self.before("bl").is_some() || self.before("iz").is_some() {
            self.0.push(b'e');
        } else if self.doubled() && !matches!(self.0.last(), Some(b'l' | b's' | b'z')) {
            self.0.pop();
        } else if self.measure(self.0.len()) == 1 && self.short(self.0.len()) {
            self.0.push(b'e');
        }
    }

    fn ending_y(&mut self) {
        if let Some(at) = self.before("y").filter(|at| self.has_vowel(*at)) {
            self.put(at, "i");
        }
    }

    fn replace(&mut self, endings: &[(&str, &str)], more_than: usize) {
        let found = endings.iter().find_map(|(ending, other)| Some((self.before(ending)?, *other)));
        if let Some((at, other)) = found.filter(|(at, _)| self.measure(*at) > more_than) {
            self.put(at, other);
        }
    }

    fn strip_fourth(&mut self) {
        let found = FOURTH.iter().find_map(|ending| Some((self.before(ending)?, *ending)));
        let Some((at, ending)) = found.filter(|(at, _)| self.measure(*at) > 1) else { return };
        if ending != "ion" || matches!(self.0[..at].last(), Some(b's' | b't')) {
            self.put(at, "");
        }
    }

    fn tidy(&mut self) {
        if let Some(at) = self.before("e")
            && (self.measure(at) > 1 || (self.measure(at) == 1 && !self.short(at)))
        {
            self.put(at, "");
        }
        if self.0.last() == Some(&b'l') && self.doubled() && self.measure(self.0.len()) > 1 {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_parted_folded_and_found_again() {
        assert_eq!(
            texts("How do I restart the Café's WebSocket?"),
            ["how", "do", "i", "restart", "the", "cafe", "s", "websocket", "web", "socket"]
        );
        assert_eq!(
            texts("snake_case HTTPServer sha256 E0382 a+b"),
            ["snake", "case", "httpserver", "http", "server", "sha256", "e0382", "a", "b"]
        );
        assert_eq!(texts("Größe Straße cafe\u{301} ŁÓDŹ"), ["grosse", "strasse", "cafe", "lodz"]);
        assert_eq!(texts("完成任务 和"), ["完成", "成任", "任务", "和"]);
        assert_eq!(texts(&"x".repeat(500))[0].len(), LONGEST);
        assert_eq!(texts(" \u{301} … "), Vec::<String>::new());
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for (one, other) in [
            ("connect", "connections"),
            ("connecting", "connected"),
            ("retry", "retries"),
            ("migration", "migrations"),
            ("deploy", "deployed"),
            ("authenticate", "authentication"),
            ("running", "runs"),
            ("caches", "caching"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
        // From the paper.
        for (word, expected) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("motoring", "motor"),
            ("conflated", "conflat"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("filing", "file"),
            ("happy", "happi"),
            ("relational", "relat"),
            ("conditional", "condit"),
            ("triplicate", "triplic"),
            ("formative", "form"),
            ("hopeful", "hope"),
            ("allowance", "allow"),
            ("adoption", "adopt"),
            ("rate", "rate"),
            ("controll", "control"),
            ("roll", "roll"),
            ("probate", "probat"),
            ("generalizations", "gener"),
        ] {
            assert_eq!(stem(word), expected, "{word}");
        }
        assert_eq!(stem("größe"), "größe");
    }

    #[test]
    fn slips_are_counted() {
        assert_eq!(distance("websocket", "websokcet", 2), Some(1));
        assert_eq!(distance("docker", "dcoker", 1), Some(1));
        assert_eq!(distance("docker", "dokcre", 1), None);
        assert_eq!(distance("authentication", "authetnicaton", 2), Some(2));
        assert_eq!(distance("", "ab", 2), Some(2));
        assert_eq!((slips(3), slips(4), slips(8)), (0, 1, 2));
    }

    #[test]
    fn empty_words_are_sorted_and_known() {
        for word in ["a", "how", "your", "the"] {
            assert!(is_empty_word(word), "{word}");
        }
        assert!(!is_empty_word("docker"));
    }

    proptest! {
        #[test]
        fn any_text_has_words_that_stand_in_it(text in "\\PC{0,200}") {
            for word in words(&text) {
                prop_assert!(text.get(word.start..word.end).is_some());
                prop_assert!(!word.text.is_empty() && !word.text.contains(' '));
                prop_assert!(word.text.chars().all(char::is_alphanumeric), "{:?}", word.text);
                prop_assert!(!word.text.bytes().any(|letter| letter.is_ascii_uppercase()));
                stem(&word.text);
                prop_assert_eq!(distance(&word.text, &word.text, 0), Some(0));
            }
        }

        #[test]
        fn a_distance_is_the_same_both_ways(one in "[a-d]{0,9}", other in "[a-d]{0,9}") {
            prop_assert_eq!(distance(&one, &other, 3), distance(&other, &one, 3));
        }
    }
}
