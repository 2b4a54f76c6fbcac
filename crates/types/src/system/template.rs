//! Templates: text with `{{paths}}` in it, and nothing else. A value that is put in is never read as a template, so that
//! what agents and people write stays data. There are no loops, filters or calls, so that filling one in takes time in
//! proportion to what comes out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::execution::StepState;

/// Parts of a path at most.
const PARTS: usize = 12;
/// From this length on a value in an agent's prompt is fenced even if it is one line.
const FENCED: usize = 200;

/// A template that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("`{{{{` at character {at} is not closed by `}}}}`")]
    Open {
        /// Where it is, in characters from 1.
        at: usize,
    },
    /// Between the braces is no path.
    #[error(
        "`{{{{{path}}}}}` is no path: write names with dots between them, such as `{{{{topic}}}}` or `{{{{steps.plan.output}}}}`"
    )]
    Path {
        /// What is there.
        path: String,
    },
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// What is at this path.
    Path(&'a str),
}

/// The parts of a template.
///
/// # Errors
/// [`TemplateError`].
pub fn parse(template: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(begin) = rest.find("{{") {
        let (before, after) = (&rest[..begin], &rest[begin + 2..]);
        let Some(end) = after.find("}}") else {
            let at = template[..template.len() - rest.len() + begin].chars().count() + 1;
            return Err(TemplateError::Open { at });
        };
        let path = after[..end].trim();
        if !is_path(path) {
            return Err(TemplateError::Path { path: after[..end].chars().take(60).collect() });
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Path(path));
        rest = &after[end + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// Whether this is a path: names, or places in lists after the first, with dots between them.
pub fn is_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    let place = |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() <= PARTS && is_name(parts[0]) && parts[1..].iter().all(|part| is_name(part) || place(part))
}

/// Whether this may be a name: of a variable, a field, a step, an agent.
pub fn is_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// What paths lead to: variables by their names, and `steps.ID` with `output`, `error`, `feedback`, `status` and `rounds`.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The variables.
    pub variables: &'a BTreeMap<String, Value>,
    /// The steps in the order in which they began; of several rounds the last counts.
    pub steps: &'a [StepState],
}

impl Context<'_> {
    /// What is at this path, if anything is.
    pub fn get(&self, path: &str) -> Option<Value> {
        let mut parts = path.split('.');
        let first = parts.next()?;
        if first != "steps" {
            return within(self.variables.get(first)?, parts);
        }
        let (id, field) = (parts.next()?, parts.next()?);
        let step = self.steps.iter().rev().find(|step| step.step_id == id)?;
        match field {
            "output" => within(step.output.as_ref()?, parts),
            "error" => step.error.clone().map(Value::String),
            "feedback" => step.feedback.clone().map(Value::String),
            "status" => Some(Value::String(step.status.as_str().to_owned())),
            "rounds" => Some(Value::from(step.rounds)),
            _ => None,
        }
    }
}

fn within<'a>(value: &Value, mut parts: impl Iterator<Item = &'a str>) -> Option<Value> {
    parts
        .try_fold(value, |value, part| match value {
            Value::Object(fields) => fields.get(part),
            Value::Array(list) => list.get(part.parse::<usize>().ok()?),
            _ => None,
        })
        .cloned()
}

/// A value as text: a text as it is, nothing for nothing, the rest as JSON.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// For whom a template is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person, or another step: as it is.
    Anybody,
    /// An agent: what is longer than a line stands in `<data>`, which it is told to take for data.
    Agent,
}

/// Fills a template in; what is cut at `most` characters says so.
///
/// # Errors
/// [`TemplateError`].
pub fn render(template: &str, context: &Context<'_>, reader: Reader, most: usize) -> Result<String, TemplateError> {
    let mut out = String::new();
    for piece in parse(template)? {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Path(path) => {
                let value = context.get(path).map(|value| text_of(&value)).unwrap_or_default();
                match reader {
                    Reader::Agent if value.contains('\n') || value.len() > FENCED => {
                        out.push_str(&fenced(path, &value))
                    }
                    _ => out.push_str(&value),
                }
            }
        }
    }
    Ok(cut(out, most))
}

/// A text as data for an agent, which it is told to take for that.
pub(super) fn fenced(name: &str, value: &str) -> String {
    // Whoever wrote the value cannot end the fence.
    let value = value.replace("</data", "<\u{200b}/data");
    format!("<data from=\"{name}\">\n{}\n</data>", value.trim_matches('\n'))
}

/// At most this many characters, with a word on what was cut.
pub fn cut(text: String, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text;
    }
    let kept: String = text.chars().take(most).collect();
    format!("{kept}\n[{} characters were cut here]", count - most)
}
