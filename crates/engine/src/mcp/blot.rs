//! Keeps a server's secrets out of what it says.

use guildhall_types::mcp::{McpValue, SECRET};
use zeroize::Zeroizing;

/// The secrets that were given to a server, and those of its project, which a command may have left in the worktree. It may repeat
/// them; what it says is told to a model and to members.
pub(crate) struct Blot {
    own: Vec<(String, Zeroizing<String>)>,
    project: guildhall_types::blot::Blot,
}

impl std::fmt::Debug for Blot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.own.iter().map(|(name, _)| name)).entry(&self.project).finish()
    }
}

impl Blot {
    pub(crate) fn new(values: &[(McpValue, Zeroizing<String>)], project: guildhall_types::blot::Blot) -> Self {
        let mut all: Vec<(String, Zeroizing<String>)> = Vec::new();
        for (about, value) in values.iter().filter(|(about, _)| about.secret) {
            // Whole, each line, and what follows the word for the way of signing in.
            // As it stands in JSON, too.
            let escaped = serde_json::Value::from(value.as_str()).to_string();
            let parts =
                value.lines().chain(value.split_whitespace()).chain([value.as_str(), escaped.trim_matches('"')]);
            let parts = parts.map(str::trim);
            for part in parts.filter(|part| part.chars().count() >= SECRET) {
                if !all.iter().any(|(_, known)| known.as_str() == part) {
                    all.push((about.name.clone(), Zeroizing::new(part.to_owned())));
                }
            }
        }
        // The longer first: it may hold the shorter.
        all.sort_by_key(|(_, part)| std::cmp::Reverse(part.len()));
        Self { own: all, project }
    }

    /// The text with each secret's name in the place of the secret.
    pub(crate) fn over(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, part) in &self.own {
            if text.contains(part.as_str()) {
                text = text.replace(part.as_str(), &format!("[secret {name}]"));
            }
        }
        self.project.owned(text)
    }

    /// Whether a text holds a secret.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        !self.project.found_in(text.as_bytes()).is_empty()
            || self.own.iter().any(|(_, part)| text.contains(part.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out_whole_and_in_parts() {
        let value = |name: &str, secret, value: &str| {
            let shown = McpValue { name: name.to_owned(), secret, value: None };
            (shown, Zeroizing::new(value.to_owned()))
        };
        let values = [
            value("Authorization", true, "Bearer abc-12345678"),
            value("PEM", true, "line one is long\nshort\nline two is long"),
            value("QUOTED", true, "say \"hello\" now"),
            value("MODE", false, "not-a-secret"),
        ];
        let blot = Blot::new(&values, guildhall_types::blot::Blot::new([("TOKEN", "tok/0123+secret=value")]));
        for (text, blotted) in [
            ("Bearer abc-12345678!", "[secret Authorization]!"),
            ("token=abc-12345678", "token=[secret Authorization]"),
            ("line two is long", "[secret PEM]"),
            (r#"{"x":"say \"hello\" now"}"#, r#"{"x":"[secret QUOTED]"}"#),
            ("not-a-secret Bearer", "not-a-secret Bearer"),
            ("the project's tok/0123+secret=value, too", "the project's [secret TOKEN], too"),
        ] {
            assert_eq!(blot.over(text), blotted);
            assert_eq!(blot.is_in(text), text != blotted);
        }
        assert!(!format!("{blot:?}").contains("12345678"));
    }
}
