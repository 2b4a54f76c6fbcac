//! A Markdown text without its marks, as a line or two of it are shown where nothing draws Markdown. It reads each line by
//! itself: enough for an excerpt, and quick over long texts.

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
    while let Some(c) = rest.chars().next() {
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
            '*' | '~' | '_' if draws(c, before, rest) => rest.trim_start_matches(c),
            _ => {
                out.push(c);
                before = c;
                after
            }
        };
    }
}

/// Whether a run of marks at the beginning of `rest` draws what is beside it.
fn draws(mark: char, before: char, rest: &str) -> bool {
    let after = rest.trim_start_matches(mark);
    let next = after.chars().next().unwrap_or(' ');
    match (mark, rest.len() - after.len()) {
        ('~', count) => count == 2 && !(before.is_whitespace() && next.is_whitespace()),
        ('_', _) => before.is_alphanumeric() != next.is_alphanumeric(),
        _ => !(before.is_whitespace() && next.is_whitespace()),
    }
}

/// What a link says, and what comes after it. `text` comes after the bracket that opens it.
fn link(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    let end = text.char_indices().find_map(|(at, c)| {
        depth += match c {
            '[' => 1,
            ']' => -1,
            _ => 0,
        };
        (depth == 0).then_some(at)
    })?;
    let (label, after) = (&text[..end], &text[end + 1..]);
    let (close, address) = match after.chars().next()? {
        '(' => (')', &after[1..]),
        '[' => (']', &after[1..]),
        _ => return None,
    };
    let (_, after) = address.split_once(close)?;
    Some((label, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::plain;

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
        ] {
            assert_eq!(line(markdown), expected, "{markdown}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[\\\\`*_~\\[\\]()!|#> a\u{e4}\n-]{0,60}") {
            prop_assert!(plain(&text).len() <= text.len() + text.len() / 2 * 4 + 1);
        }
    }
}
