//! Texts that are cut to a size.

use guildhall_sandbox::FileRead;

/// A text of at most about `max` bytes: whole, or its head and tail with a line between them that counts what was left
/// out. Cuts at the ends of lines where there are any nearby.
pub(crate) fn bounded(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(max / 2)];
    let head = match head.rfind('\n') {
        Some(end) if end > head.len() / 2 => &head[..end],
        _ => head,
    };
    let tail = &text[text.ceil_char_boundary(text.len() - max / 2)..];
    let tail = match tail.find('\n') {
        Some(end) if end < tail.len() / 2 => &tail[end + 1..],
        _ => tail,
    };
    let left_out = text[head.len()..text.len() - tail.len()].chars().count();
    format!("{head}\n[… {left_out} characters left out …]\n{tail}")
}

/// The beginning of a text, on one line, for a message.
pub(crate) fn beginning(text: &str, chars: usize) -> String {
    let mut short: String = text.trim().chars().take(chars).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(chars).is_some() {
        short.push('…');
    }
    short
}

/// A text in a fence that it cannot close.
pub(crate) fn fenced(text: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().bytes().take_while(|byte| *byte == b'`').count()).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// The text of a file, if it is UTF-8. One that was not read whole may end in the middle of a character.
pub(crate) fn of_file(read: &FileRead) -> Option<&str> {
    match std::str::from_utf8(&read.bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && (read.bytes.len() as u64) < read.size => {
            std::str::from_utf8(&read.bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_stay_and_the_rest_is_counted() {
        assert_eq!(bounded("short", 10), "short");
        let text: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        let cut = bounded(&text, 200);
        assert!(cut.starts_with("line 0\n") && cut.ends_with("line 999\n") && cut.len() < 300, "{cut}");
        let (head, rest) = cut.split_once("\n[… ").unwrap();
        let (count, tail) = rest.split_once(" characters left out …]\n").unwrap();
        assert_eq!(head.len() + count.parse::<usize>().unwrap() + tail.len(), text.len());
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for max in 0..40 {
            let cut = bounded(&"ä€🦀".repeat(30), max);
            assert!(cut.contains("left out"), "{cut}");
        }
    }
}
