//! A Markdown text without its marks, as a line or two of it are shown where nothing draws Markdown. It reads each line by
//! itself: enough for an excerpt, and quick over long texts.

/// Brackets that may stand in each other and be links; deeper ones are left as they are. So a text of nothing but
/// brackets takes no more time than another, nor more of the stack.
const LEVELS: usize = 8;
/// Bytes of a link's address at most; a longer one is left as it is.
const ADDRESS: usize = 2_000;

/// What may mean something within a line.
const MARKS: &[u8] = b"\\`![*~_";

/// The text without the marks of Markdown, still in lines. What stands in code is left as it is.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        let marker = ["```", "~~~"].into_iter().find(|marker| trimmed.starts_with(marker));
        match (fence, marker) {
            (None, Some(marker)) => fence = Some(marker),
            (Some(open), Some(marker)) if open == marker => fence = None,
            (Some(_), _) => push(&mut out, trimmed),
            (None, None) => block(trimmed, &mut out),
        }
    }
    out
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// A line outside of code.
fn block(line: &str, out: &mut String) {
    let mut line = line;
    while let Some(quoted) = line.strip_prefix('>') {
        line = quoted.trim_start();
    }
    let is_rule = |marks: &[char]| line.chars().all(|c| c == ' ' || marks.contains(&c));
    // A line that is drawn or that parts a table's head from its rows; the empty one, too.
    if is_rule(&['-', '|', ':']) || is_rule(&['*']) || is_rule(&['_']) || is_rule(&['=']) || is_definition(line) {
        return;
    }
    let line = without_item(without_heading(line));
    match line.strip_prefix('|') {
        Some(row) => {
            let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
            inline(&cells.join(" · "), out);
        }
        None => inline(line, out),
    }
    out.push('\n');
}

/// Says where a link leads that stands elsewhere: `[name]: address`.
fn is_definition(line: &str) -> bool {
    line.starts_with('[') && line.split_once("]: ").is_some_and(|(name, _)| !name[1..].contains(['[', ']']))
}

fn without_heading(line: &str) -> &str {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    match (level, rest.strip_prefix(' ')) {
        (1..=6, Some(title)) => title.trim().trim_end_matches('#').trim_end(),
        _ => line,
    }
}

/// A line of a list without its dot or number, and without its box.
fn without_item(line: &str) -> &str {
    let dotted = ["- ", "* ", "+ "].into_iter().find_map(|dot| line.strip_prefix(dot));
    let item = dotted.or_else(|| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let numbered = matches!(line.len() - rest.len(), 1..=9);
        rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")).filter(|_| numbered)
    });
    let Some(item) = item.map(str::trim_start) else { return line };
    ["[ ] ", "[x] ", "[X] "].into_iter().find_map(|marks| item.strip_prefix(marks)).unwrap_or(item)
}

/// What stands in a line, without what draws it.
fn inline(line: &str, out: &mut String) {
    let mut before = ' ';
    let mut rest = line;
    loop {
        // What means nothing is taken at once: nearly all of a text.
        let words = rest.bytes().position(|byte| MARKS.contains(&byte)).unwrap_or(rest.len());
        if words > 0 {
            out.push_str(&rest[..words]);
            before = rest[..words].chars().next_back().unwrap_or(before);
            rest = &rest[words..];
        }
        let Some(c) = rest.chars().next() else { return };
        let after = &rest[c.len_utf8()..];
        let next = after.chars().next().unwrap_or(' ');
        rest = match c {
            '\\' if next.is_ascii_punctuation() => {
                out.push(next);
                before = next;
                &after[1..]
            }
            '`' => {
                let ticks = rest.len() - rest.trim_start_matches('`').len();
                let (open, body) = rest.split_at(ticks);
                match body.split_once(open) {
                    Some((code, after)) => {
                        out.push_str(code);
                        before = 'x';
                        after
                    }
                    None => {
                        out.push_str(open);
                        before = '`';
                        body
                    }
                }
            }
            '!' if next == '[' => after,
            '[' => match link(after) {
                Some((label, after)) => {
                    inline(label, out);
                    before = 'x';
                    after
                }
                None => {
                    out.push(c);
                    before = c;
                    after
                }
            },
            // Next to a word it draws it; between two blanks it is a sign. Within a word `_` belongs to a name.
            '*' | '~' | '_' => {
                let after = rest.trim_start_matches(c);
                if !draws(c, before, rest.len() - after.len(), after) {
                    out.push_str(&rest[..rest.len() - after.len()]);
                    before = c;
                }
                after
            }
            _ => {
                out.push(c);
                before = c;
                after
            }
        };
    }
}

/// Whether so many of a mark draw what is beside them.
fn draws(mark: char, before: char, count: usize, after: &str) -> bool {
    let next = after.chars().next().unwrap_or(' ');
    match mark {
        '~' => count == 2 && !(before.is_whitespace() && next.is_whitespace()),
        '_' => before.is_alphanumeric() != next.is_alphanumeric(),
        _ => !(before.is_whitespace() && next.is_whitespace()),
    }
}

/// What a link says, and what comes after it. `text` comes after the bracket that opens it.
fn link(text: &str) -> Option<(&str, &str)> {
    let end = closing(text.bytes())?;
    let (label, after) = (&text[..end], &text[end + 1..]);
    let (close, address) = match after.chars().next()? {
        '(' => (')', &after[1..]),
        '[' => (']', &after[1..]),
        _ => return None,
    };
    let end = address[..address.floor_char_boundary(ADDRESS)].find(close)?;
    Some((label, &address[end + 1..]))
}

/// Where the bracket closes that opened before these bytes, unless too many stand in it.
fn closing(bytes: impl Iterator<Item = u8>) -> Option<usize> {
    let mut open = 1;
    for (at, byte) in bytes.enumerate() {
        match byte {
            b'[' if open == LEVELS => return None,
            b'[' => open += 1,
            b']' if open == 1 => return Some(at),
            b']' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ADDRESS, LEVELS, closing, plain};

    fn line(text: &str) -> String {
        plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_draws_a_text_is_left_out() {
        for (markdown, expected) in [
            ("# Section 59\n\nHow **we** _ship_.", "Section 59 How we ship."),
            ("| Port | Use |\n|---|:-:|\n| 80 | HTTP |", "Port · Use 80 · HTTP"),
            ("- [ ] one\n- [x] two\n* three\n1. four\n2) five", "one two three four five"),
            ("> > quoted\n\n---\n\nTitle\n=====", "quoted Title"),
            ("See [the `docs`](https://example.com/a_b) and ![a plan](x.png).", "See the docs and a plan."),
            ("See [them][1], [2] and [ ].\n\n[1]: https://example.com", "See them, [2] and [ ]."),
            ("```sh\nls -l * # all\n```\n~~gone~~", "ls -l * # all gone"),
            ("`a_b*c*` is ``x`y``, some_long_name is 3 * 4", "a_b*c* is x`y, some_long_name is 3 * 4"),
            ("\\*not drawn\\* __both__ ***all***", "*not drawn* both all"),
            ("#channel and 1.5 and -1", "#channel and 1.5 and -1"),
            ("2 ** 3, a__b and ~~~", "2 ** 3, a__b and ~~~"),
            ("[a [b](c) d](e)", "a b d"),
        ] {
            assert_eq!(line(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn links_in_links_without_end_are_left_as_they_are() {
        let nested = |count: usize| format!("{}x{}", "[".repeat(count), "]()".repeat(count));
        assert_eq!(line(&nested(LEVELS)), "x");
        let deep = line(&nested(20_000));
        assert!(deep.starts_with("[[[") && deep.ends_with("]()") && deep.contains("[x]"), "{} bytes", deep.len());
    }

    #[test]
    fn a_long_text_of_marks_is_looked_through_a_bounded_number_of_times() {
        for text in ["[".repeat(100_000), "[] [".repeat(25_000), "[[]".repeat(30_000), "[a](".repeat(25_000)] {
            let mut looked = 0;
            for (at, _) in text.match_indices('[') {
                closing(text[at + 1..].bytes().inspect(|_| looked += 1));
            }
            assert!(looked <= LEVELS * text.len(), "{looked} of {}", &text[..4]);
        }
        for part in ["[", "[](", "[a](", "`", "*", "_", "~", " _ ", "[]["] {
            plain(&format!("a {}", part.repeat(100_000)));
        }
        let far = format!("[x]({})", "a".repeat(ADDRESS));
        assert_eq!(line(&far), far);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[\\\\`*_~\\[\\]()!|#> a\u{e4}\n-]{0,60}") {
            prop_assert!(plain(&text).len() <= text.len() + text.len() / 2 * 4 + 1);
        }
    }
}
