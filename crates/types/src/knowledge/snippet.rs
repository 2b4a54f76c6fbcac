//! A part of a text in which the words of a search stand, for people to see why it was found.

use std::collections::HashSet;

use super::plain::plain;
use super::{KnowledgeSnippet, SnippetMark, words};

/// Characters of a part.
const LENGTH: usize = 180;
/// Characters before the first word that is marked.
const BEFORE: usize = 40;
/// Bytes of a text that are looked through; and such of which only the beginning is shown.
const LOOKED_THROUGH: usize = 20_000;
const BEGINNING: usize = 4_000;

/// The part of a Markdown text in which most of these words stand, the rarest first; its beginning where none does. It comes
/// without the marks of Markdown: people and agents read it, and nothing draws it.
pub fn snippet(text: &str, wanted: &HashSet<&str>) -> KnowledgeSnippet {
    let looked_through = if wanted.is_empty() { BEGINNING } else { LOOKED_THROUGH };
    let text = &plain(&text[..floor(text, looked_through)]);
    let mut hits: Vec<(usize, usize, &str)> = Vec::new();
    if !wanted.is_empty() {
        words::each(text, |word, start, end, _| {
            if let Some(word) = wanted.get(word) {
                hits.push((start, end, word));
            }
        });
    }
    let from = best(&hits).map_or(0, |start| ceil(text, start.saturating_sub(BEFORE)));
    let from = if from == 0 { 0 } else { word_bound(text, from) };
    let rest = &text[from..];
    let to = from + rest.char_indices().nth(LENGTH).map_or(rest.len(), |(at, _)| at);
    let marked =
        hits.iter().filter(|(start, end, _)| *start >= from && *end <= to).map(|(start, end, _)| (*start, *end));
    cut(text, from, to, marked.collect())
}

/// Where the words stand thickest: the beginning of the window with the most different ones.
fn best(hits: &[(usize, usize, &str)]) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for (n, (start, ..)) in hits.iter().enumerate() {
        let window = hits[n..].iter().take_while(|(other, ..)| other - start < LENGTH - BEFORE);
        let different = window.map(|(.., word)| word).collect::<HashSet<_>>().len();
        if best.is_none_or(|(_, most)| different > most) {
            best = Some((*start, different));
        }
    }
    best.map(|(start, _)| start)
}

/// Takes the part out, with runs of blanks and line ends as one blank, and the marks where the words are then.
fn cut(text: &str, from: usize, to: usize, mut marked: Vec<(usize, usize)>) -> KnowledgeSnippet {
    // A part of a word lies within the word: only what is outermost is marked.
    marked.sort_by_key(|(start, end)| (*start, usize::MAX - end));
    let mut out = String::new();
    let mut units = 0_u32;
    let mut marks: Vec<SnippetMark> = Vec::new();
    let mut open: Option<(u32, usize)> = None;
    let mut next = marked.into_iter().peekable();
    let push = |out: &mut String, units: &mut u32, c: char| {
        out.push(c);
        *units += c.len_utf16() as u32;
    };
    if from > 0 {
        push(&mut out, &mut units, '…');
    }
    for (at, c) in text[from..to].char_indices().map(|(at, c)| (from + at, c)) {
        if let Some((start, end)) = open
            && at >= end
        {
            marks.push(SnippetMark { from: start, to: units });
            open = None;
        }
        while let Some((start, end)) = next.next_if(|(start, _)| *start <= at) {
            if open.is_none() && start == at {
                open = Some((units, end));
            }
        }
        match c.is_whitespace() || c.is_control() {
            true if out.is_empty() || out.ends_with(' ') => {}
            true => push(&mut out, &mut units, ' '),
            false => push(&mut out, &mut units, c),
        }
    }
    if let Some((start, _)) = open {
        marks.push(SnippetMark { from: start, to: units });
    }
    let trimmed = out.trim_end().len();
    out.truncate(trimmed);
    if to < text.len() {
        out.push('…');
    }
    KnowledgeSnippet { text: out, marks }
}

/// The first character's beginning at or after `at`.
fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// The last one at or before it.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The first beginning of a word from `at` on, near by.
fn word_bound(text: &str, at: usize) -> usize {
    let near = text[at..].char_indices().take(BEFORE).find(|(_, c)| c.is_whitespace());
    near.map_or(at, |(skipped, c)| at + skipped + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(snippet: &KnowledgeSnippet) -> Vec<String> {
        let units: Vec<u16> = snippet.text.encode_utf16().collect();
        let of = |mark: &SnippetMark| String::from_utf16(&units[mark.from as usize..mark.to as usize]).unwrap();
        snippet.marks.iter().map(of).collect()
    }

    #[test]
    fn the_thickest_part_is_shown_and_its_words_are_marked() {
        let text = format!(
            "{} A retry.\n\nThe 🙂 WebSocket drops;  retry the socket at once.{}",
            "x ".repeat(300),
            " y".repeat(300)
        );
        let found = snippet(&text, &HashSet::from(["websocket", "retry", "socket"]));
        assert!(found.text.starts_with('…') && found.text.ends_with('…'), "{}", found.text);
        assert_eq!(marked(&found), ["retry", "WebSocket", "retry", "socket"], "{}", found.text);
        assert!(!found.text.contains('\n') && !found.text.contains("  "));
    }

    #[test]
    fn a_text_without_the_words_is_shown_from_its_beginning() {
        let found = snippet("One two", &HashSet::from(["three"]));
        assert_eq!((found.text.as_str(), found.marks.len()), ("One two", 0));
        assert_eq!(snippet("", &HashSet::new()).text, "");
    }

    proptest! {
        #[test]
        fn marks_stand_in_the_part(text in "\\PC{0,400}", word in "[a-z]{1,3}") {
            let found = snippet(&text, &HashSet::from([word.as_str()]));
            let units = found.text.encode_utf16().count() as u32;
            for mark in &found.marks {
                prop_assert!(mark.from < mark.to && mark.to <= units);
            }
        }
    }
}
