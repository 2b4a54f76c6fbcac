//! Names of MCP servers and of their tools.

use super::{NAME, TOOL_NAME};

/// What the name of every such tool begins with, as models hear it.
pub const PREFIX: &str = "mcp__";
/// Characters of a tool's name as models hear it, at most: what the strictest provider takes.
const HEARD: usize = 64;

/// Whether a server may be called so: small letters, digits and single hyphens, a letter first. So the parts of a tool's
/// name can be told apart.
pub fn is_server_name(name: &str) -> bool {
    name.len() <= NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Whether a character stands in a text and is not seen there, or turns what is seen around. By such characters a server could
/// say to a model what the member who approves it does not read.
pub const fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\r' | '\t' | '\0' => false,
        '\u{01}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // The soft hyphen, marks of direction, joiners, fillers, and what is not shown by itself.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        // Of what chooses between shapes, the one that makes a picture of a sign is common, and says nothing by itself.
        '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{3164}' | '\u{fff0}'..='\u{fffb}' => true,
        // Tags, and more that chooses between shapes.
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// Whether a server's tool may be called so: 1 to 128 characters, all of which are seen.
pub fn is_tool_name(name: &str) -> bool {
    (1..=TOOL_NAME).contains(&name.chars().count()) && !name.chars().any(|c| c.is_control() || is_hidden(c))
}

/// What a model calls a tool: `mcp__SERVER__TOOL`, of letters, digits, `_` and `-` alone and at most 64 characters long, as
/// every provider takes it. Where the tool's own name is not like that, a part of `hash`, which is of the server's and the
/// tool's names, makes it one of its own again.
pub fn heard_name(server: &str, tool: &str, hash: &str) -> String {
    let plain: String =
        tool.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect();
    let name = format!("{PREFIX}{server}__{plain}");
    if plain == tool && name.len() <= HEARD {
        return name;
    }
    let mark: String = hash.chars().take(8).collect();
    let kept: String = name.chars().take(HEARD - mark.len() - 1).collect();
    format!("{kept}_{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_every_provider_takes_and_no_two_the_same() {
        let valid =
            |name: &str| name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        assert_eq!(heard_name("docs", "search_all", "00"), "mcp__docs__search_all");
        let long = "x".repeat(100);
        let odd = [
            heard_name("docs", "a.b", "0123456789"),
            heard_name("docs", "a b", "1123456789"),
            heard_name("docs", "Größe", "2123456789"),
            heard_name("docs", &long, "3123456789"),
            heard_name("docs", &format!("{long}y"), "4123456789"),
        ];
        for name in &odd {
            assert!(valid(name), "{name}");
            assert_eq!(odd.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
        assert_eq!(odd[0], "mcp__docs__a_b_01234567");
    }

    #[test]
    fn a_servers_name_is_a_plain_word() {
        for good in ["docs", "git-hub2", "a"] {
            assert!(is_server_name(good), "{good}");
        }
        for bad in ["", "Docs", "2x", "a_b", "a--b", "a-", "größe", &"x".repeat(25)] {
            assert!(!is_server_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_tools_name_is_what_can_be_seen() {
        for good in ["add", "a.b/c d", "Größe", &"ß".repeat(128)] {
            assert!(is_tool_name(good), "{good}");
        }
        for bad in ["", "a\nb", "a\u{200b}b", "a\0", &"x".repeat(129)] {
            assert!(!is_tool_name(bad), "{bad}");
        }
    }
}
