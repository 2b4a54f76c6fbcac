//! Replaces a passage of a text: to the letter where it matches, otherwise by lines without regard to the white space at
//! their ends, and then to their indentation.

use std::collections::BTreeMap;
use std::ops::Range;

/// Lines of a text that are looked through for something similar.
const LOOKED_AT: usize = 50_000;
/// Lines of something similar that are shown.
const SIMILAR: usize = 12;
/// How similar a line must be to be shown, between 0 and 1.
const SIMILARITY: f64 = 0.5;
/// Places that are named when there are too many.
const NAMED: usize = 10;

/// A text in which something was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    /// The new text.
    pub(super) text: String,
    /// The lines of it, from 0, that are new; an empty range where something was deleted.
    pub(super) places: Vec<Range<usize>>,
    /// White space was ignored.
    pub(super) loosely: bool,
}

/// Replaces `old` with `new`: in its only place, or in all of them.
pub(super) fn replace(text: &str, old: &str, new: &str, all: bool) -> Result<Replaced, String> {
    if old.is_empty() {
        return Err(
            "oldText is empty. Give the passage that is to be replaced, or use `write` for a new file.".to_owned()
        );
    }
    if old == new {
        return Err("oldText and newText are the same: nothing would change.".to_owned());
    }
    let exact: Vec<(Range<usize>, String)> =
        text.match_indices(old).map(|(at, _)| (at..at + old.len(), new.to_owned())).collect();
    if !exact.is_empty() {
        return put(text, exact, all, false);
    }
    let lines: Vec<Line<'_>> = lines(text);
    let wanted: Vec<&str> = old.lines().collect();
    if wanted.iter().any(|line| !line.trim().is_empty()) {
        for (same, indented) in [(str::trim_end as fn(&str) -> &str, false), (str::trim, true)] {
            let found = windows(&lines, &wanted, same)
                .map(|window| {
                    (window[0].start..window[window.len() - 1].end, in_place_of(window, &wanted, new, indented))
                })
                .collect::<Vec<_>>();
            if !found.is_empty() {
                return put(text, found, all, true);
            }
        }
    }
    Err(not_found(&lines, &wanted))
}

/// A line of a text, with where it stands, line end included.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let begins = start;
            start += line.len();
            Line { text: line, start: begins, end: start }
        })
        .collect()
}

/// Where the wanted lines stand, one after the other, as far as `same` makes them equal. None overlap.
fn windows<'t>(lines: &'t [Line<'t>], wanted: &[&str], same: fn(&str) -> &str) -> impl Iterator<Item = &'t [Line<'t>]> {
    let wanted: Vec<String> = wanted.iter().map(|line| same(line).to_owned()).collect();
    let mut free = 0;
    lines.windows(wanted.len()).enumerate().filter_map(move |(at, window)| {
        let equal = at >= free && window.iter().zip(&wanted).all(|(line, wanted)| same(line.text) == wanted);
        equal.then(|| {
            free = at + wanted.len();
            window
        })
    })
}

/// What comes in the place of whole lines: the new text, with the line ends, and perhaps the indentation, of what was
/// there.
fn in_place_of(window: &[Line<'_>], wanted: &[&str], new: &str, indented: bool) -> String {
    let last = window[window.len() - 1].text;
    let line_end = if window[0].text.ends_with("\r\n") { "\r\n" } else { "\n" };
    let pairs: BTreeMap<&str, &str> = wanted
        .iter()
        .zip(window)
        .filter(|(wanted, _)| !wanted.trim().is_empty())
        .map(|(wanted, line)| (indentation(wanted), indentation(line.text)))
        .collect();
    // A new text that begins where the file's lines do is indented rightly already.
    let first = new.lines().find(|line| !line.trim().is_empty()).map(indentation);
    let theirs = wanted.iter().zip(window).find(|(line, _)| !line.trim().is_empty());
    let right = theirs
        .is_some_and(|(wanted, line)| first == Some(indentation(line.text)) && first != Some(indentation(wanted)));
    let mut lines: Vec<String> = new
        .lines()
        .map(|line| match indented && !right && !line.trim().is_empty() {
            true => reindent(line, &pairs),
            false => line.to_owned(),
        })
        .collect();
    if last.ends_with('\n') && !lines.is_empty() {
        lines.push(String::new());
    }
    lines.join(line_end)
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// A line whose indentation follows from that of the lines which were found: `pairs` says what each wanted indentation is
/// in the file.
fn reindent(line: &str, pairs: &BTreeMap<&str, &str>) -> String {
    let old = indentation(line);
    // The longest known indentation that this one begins with; it goes on as it is.
    let known = pairs.iter().filter(|(wanted, _)| old.starts_with(**wanted)).max_by_key(|(wanted, _)| wanted.len());
    if let Some((wanted, actual)) = known {
        return format!("{actual}{}", &line[wanted.len()..]);
    }
    // Less than any that is known: take away what the file has less.
    let less = pairs.iter().find_map(|(wanted, actual)| wanted.strip_suffix(*actual));
    match less {
        Some(less) => line.strip_prefix(less).unwrap_or(line.trim_start()).to_owned(),
        None => line.to_owned(),
    }
}

fn put(text: &str, found: Vec<(Range<usize>, String)>, all: bool, loosely: bool) -> Result<Replaced, String> {
    if found.len() > 1 && !all {
        let mut places: Vec<String> =
            found.iter().take(NAMED).map(|(range, _)| line_of(text, range.start).to_string()).collect();
        if found.len() > NAMED {
            places.push("…".to_owned());
        }
        return Err(format!(
            "oldText occurs {} times{}, at lines {}. Give more of the lines around it, or set replaceAll.",
            found.len(),
            if loosely { " when white space is ignored" } else { "" },
            places.join(", ")
        ));
    }
    let mut out = String::with_capacity(text.len());
    let mut places = Vec::with_capacity(found.len());
    let (mut upto, mut line) = (0, 0);
    for (range, new) in found {
        let kept = &text[upto..range.start];
        out.push_str(kept);
        line += kept.matches('\n').count();
        let whole = new.matches('\n').count();
        let more = usize::from(!new.is_empty() && !new.ends_with('\n'));
        places.push(line..line + whole + more);
        line += whole;
        out.push_str(&new);
        upto = range.end;
    }
    out.push_str(&text[upto..]);
    if out == text {
        return Err("newText is what stands there already: nothing would change.".to_owned());
    }
    Ok(Replaced { text: out, places, loosely })
}

/// The number, from 1, of the line in which a byte stands.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn not_found(lines: &[Line<'_>], wanted: &[&str]) -> String {
    let mut message = "oldText was not found, not even when white space is ignored.".to_owned();
    let key = wanted.iter().enumerate().max_by_key(|(_, line)| line.trim().len());
    let Some((place, key)) = key.filter(|(_, line)| !line.trim().is_empty()) else { return message };
    let key = pairs_of(key.trim());
    let nearest = lines
        .iter()
        .take(LOOKED_AT)
        .enumerate()
        .map(|(at, line)| (at, similarity(&key, &pairs_of(line.text.trim()))))
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    match nearest {
        Some((at, likeness)) if likeness >= SIMILARITY => {
            let from = at.saturating_sub(place.min(SIMILAR / 2));
            message.push_str(" The most similar lines are these; copy from them:\n");
            for (number, line) in lines.iter().enumerate().skip(from).take(wanted.len().clamp(3, SIMILAR)) {
                message.push_str(&format!("{:>6}\t{}\n", number + 1, line.text.trim_end()));
            }
        }
        _ => message.push_str(" Nothing in the file is similar to it. Read the file, and copy the passage from there."),
    }
    message
}

/// The pairs of neighbouring characters in the beginning of a line, sorted.
fn pairs_of(line: &str) -> Vec<(char, char)> {
    let mut pairs: Vec<(char, char)> = line.chars().zip(line.chars().skip(1)).take(400).collect();
    pairs.sort_unstable();
    pairs
}

/// The share of pairs that two lines have in common, between 0 and 1.
fn similarity(one: &[(char, char)], other: &[(char, char)]) -> f64 {
    let (mut a, mut b, mut common) = (0, 0, 0);
    while a < one.len() && b < other.len() {
        match one[a].cmp(&other[b]) {
            std::cmp::Ordering::Less => a += 1,
            std::cmp::Ordering::Greater => b += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                a += 1;
                b += 1;
            }
        }
    }
    2.0 * f64::from(common) / (one.len() + other.len()).max(1) as f64
}

#[cfg(test)]
mod tests;
