//! What the simulated model makes of the description of a card that it is asked to rewrite: always the same of the same text.

/// What such a request begins with.
const BEGINS: &str = "Rewrite the description of a card.";

/// The description as it is asked for; nothing when something else is.
pub fn asked(prompt: &str) -> Option<String> {
    let request = prompt.trim_start().strip_prefix(BEGINS)?;
    let (how, text) = request.split_once("<description>\n")?;
    let text = text.rsplit_once("\n</description>").map_or(text, |(text, _)| text).trim();
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    Some(if how.contains("\"Technical notes\"") {
        format!(
            "{text}\n\n## Technical notes\n\n- Follow what the project has of the kind already.\n- A test covers it, and one of what may go wrong."
        )
    } else if how.contains("\"Acceptance criteria\"") {
        format!("{text}\n\n## Acceptance criteria\n\n- [ ] {first}\n- [ ] The checks of the project pass.")
    } else if how.contains("as short and as plain") {
        first.to_owned()
    } else {
        format!("{text}\n\nIt is done when somebody can see it work, and a test shows it.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rewrites_the_text_between_the_marks_and_nothing_else() {
        let of = |how: &str| {
            format!("Rewrite the description of a card.\n\n{how}\n\n<description>\nCount them.\nAll.\n</description>\n")
        };
        assert_eq!(asked(&of("Make it as short and as plain as it can be.")).unwrap(), "Count them.");
        assert!(asked(&of("Make it clearer.")).unwrap().starts_with("Count them.\nAll.\n\nIt is done when"));
        let listed = asked(&of("below it, under the heading \"Acceptance criteria\", a list")).unwrap();
        assert!(listed.contains("- [ ] Count them."), "{listed}");
        assert_eq!(asked("Count them.\n\n<description>\nx\n</description>"), None);
    }
}
