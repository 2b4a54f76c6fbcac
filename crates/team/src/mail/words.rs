//! What mails say: the templates in `mails/`, and what is put into them.
//!
//! A template gives the text: its first line is the subject. The HTML is made of that text, paragraph by paragraph and
//! escaped, so that the two never differ and nothing that a member chose can be markup.

use guildhall_types::DateTime;
use guildhall_types::member::MemberRole;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::Letter;
use crate::TeamError;

/// What a mail is about.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Words<'a> {
    Invitation { inviter: &'a str, role: MemberRole, email: &'a str, until: DateTime, link: String },
    PasswordReset { email: &'a str, link: String },
    SignUp { link: String },
    SignUpKnown { link: String },
    Notice { name: &'a str, subject: &'a str, what: &'a str, advice: &'a str, at: DateTime },
    Notification { name: &'a str, headline: &'a str, text: &'a str, at: DateTime, link: String },
    Test { name: &'a str },
    Report { name: &'a str, headline: String, total: String, cards: Vec<String>, link: String },
}

/// What a template sees beside its own words.
#[derive(Serialize)]
struct Page<'a> {
    subject: &'a str,
    paragraphs: Vec<&'a str>,
    link: Option<&'a str>,
}

impl Words<'_> {
    fn template(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => include_str!("../../mails/invitation.txt.jinja"),
            Self::PasswordReset { .. } => include_str!("../../mails/password-reset.txt.jinja"),
            Self::SignUp { .. } => include_str!("../../mails/sign-up.txt.jinja"),
            Self::SignUpKnown { .. } => include_str!("../../mails/sign-up-known.txt.jinja"),
            Self::Notice { .. } => include_str!("../../mails/notice.txt.jinja"),
            Self::Notification { .. } => include_str!("../../mails/notification.txt.jinja"),
            Self::Test { .. } => include_str!("../../mails/test.txt.jinja"),
            Self::Report { .. } => include_str!("../../mails/report.txt.jinja"),
        }
    }

    fn link(&self) -> Option<&str> {
        match self {
            Self::Invitation { link, .. }
            | Self::PasswordReset { link, .. }
            | Self::SignUp { link }
            | Self::SignUpKnown { link }
            | Self::Notification { link, .. }
            | Self::Report { link, .. } => Some(link),
            Self::Notice { .. } | Self::Test { .. } => None,
        }
    }

    /// The mail, of a server at `base`.
    pub(super) fn letter(&self, base: &str) -> Result<Letter, TeamError> {
        let failed = |error: minijinja::Error| TeamError::internal("writing a mail", error);
        let mut values = serde_json::to_value(self).map_err(|error| TeamError::internal("writing a mail", error))?;
        for value in values.as_object_mut().into_iter().flat_map(|values| values.values_mut()) {
            match value {
                serde_json::Value::Array(list) => list.iter_mut().for_each(make_readable),
                value => make_readable(value),
            }
        }
        values["base"] = base.into();
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|name| match name.ends_with(".html") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        let text = templates.render_named_str("mail.txt", self.template(), Serde(&values)).map_err(failed)?;
        let (subject, text) = text.split_once("\n\n").unwrap_or((&text, ""));
        let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()).collect();
        let page = Page { subject, paragraphs, link: self.link() };
        let html = templates
            .render_named_str("mail.html", include_str!("../../mails/mail.html.jinja"), Serde(&page))
            .map_err(failed)?;
        Ok(Letter { subject: one_line(subject), text: format!("{}\n", text.trim()), html })
    }
}

fn make_readable(value: &mut serde_json::Value) {
    if let Some(text) = value.as_str() {
        *value = readable(text).into();
    }
}

/// Moments as people read them.
fn readable(text: &str) -> String {
    match text.parse::<DateTime>() {
        Ok(at) => at.format("%-d %B %Y, %H:%M UTC").to_string(),
        Err(_) => one_line(text),
    }
}

/// Text that begins no line of its own: not in a header, and not in the body, where it could look like the server's words.
pub(super) fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let reverses = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.split(breaks)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .replace(reverses, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(inviter: &str) -> Letter {
        let until = "2026-03-01T10:05:00Z".parse().unwrap();
        let link = "https://guild.example.com/join/c0de".to_owned();
        let role = MemberRole::Member;
        let words = Words::Invitation { inviter, role, email: "ben@example.com", until, link };
        words.letter("https://guild.example.com").unwrap()
    }

    #[test]
    fn a_mail_has_a_subject_a_text_and_the_same_in_html() {
        let letter = invitation("Olga");
        assert_eq!(letter.subject, "Olga invites you to Guildhall");
        assert!(letter.text.starts_with("Olga invites you to join the team at https://guild.example.com as member."));
        assert!(letter.text.contains("until 1 March 2026, 10:05 UTC:\n\nhttps://guild.example.com/join/c0de\n\n"));
        let link = "<a href=\"https:&#x2f;&#x2f;guild.example.com&#x2f;join&#x2f;c0de\"";
        assert!(letter.html.contains(link), "{}", letter.html);
    }

    #[test]
    fn a_name_is_neither_a_line_nor_markup() {
        let letter =
            invitation("Eve\r\nBcc: all@example.com\n\nhttps://evil.example\u{2028}<img src=x onerror=y>\u{202e}");
        assert_eq!(
            letter.subject,
            "Eve Bcc: all@example.com https://evil.example <img src=x onerror=y> invites you to Guildhall"
        );
        assert!(!letter.text.contains("\nBcc") && !letter.text.contains("\nhttps://evil"), "{}", letter.text);
        assert!(!letter.html.contains("<img") && letter.html.contains("&lt;img"), "{}", letter.html);
    }

    #[test]
    fn every_mail_can_be_written() {
        let at = "2026-03-01T10:05:00Z".parse().unwrap();
        for words in [
            Words::PasswordReset { email: "a@b.example", link: "https://g/reset/x".to_owned() },
            Words::SignUp { link: "https://g/welcome/x".to_owned() },
            Words::SignUpKnown { link: "https://g/forgot".to_owned() },
            Words::Notice { name: "Anna", subject: "Your role was changed", what: "It was.", advice: "Ask.", at },
            Words::Notification {
                name: "Anna",
                headline: "Shop: auto mode has stopped",
                text: "It broke.",
                at,
                link: "https://g/p/x".to_owned(),
            },
            Words::Test { name: "Anna" },
            Words::Report {
                name: "Anna",
                headline: "2 cards were built.".to_owned(),
                total: "It cost $1.".to_owned(),
                cards: vec!["#1 Login\n\nhttps://evil.example: merged.".to_owned()],
                link: "https://g/".to_owned(),
            },
        ] {
            let letter = words.letter("https://g").unwrap();
            assert!(!letter.subject.is_empty() && letter.text.len() > 20 && letter.html.contains("</p>"), "{words:?}");
            assert!(!letter.text.contains("{{") && !letter.text.contains("undefined"), "{}", letter.text);
        }
    }
}
