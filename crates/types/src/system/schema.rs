//! What whoever runs a system is asked for: a small part of JSON Schema, enough for a form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::INPUT;
use crate::text_enum::text_enum;

/// Fields at most.
pub(super) const FIELDS: usize = 30;
/// Characters of what an input is about at most.
const ABOUT: usize = 100;

text_enum! {
    /// What a field holds.
    pub enum InputFieldKind {
        /// Text.
        String = "string",
        /// A number.
        Number = "number",
        /// A whole number.
        Integer = "integer",
        /// Yes or no.
        Boolean = "boolean",
        /// A list of texts.
        Array = "array",
    }
}

/// A field of the input: the part of JSON Schema that is understood. Anything else is refused rather than ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InputField {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: InputFieldKind,
    /// What the form calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is meant by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is when nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values that it may have.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Value>>,
    /// Characters of a text at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// Characters of a text at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// A number's least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// A number's greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// `multiline` for a text of several lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

impl InputField {
    /// A field that holds this.
    pub const fn of(kind: InputFieldKind) -> Self {
        Self {
            kind,
            title: None,
            description: None,
            default: None,
            choices: None,
            min_length: None,
            max_length: None,
            minimum: None,
            maximum: None,
            format: None,
        }
    }

    /// What is wrong with a value, in a sentence.
    fn wrong(&self, value: &Value) -> Option<String> {
        let fits = match self.kind {
            InputFieldKind::String => value.is_string(),
            InputFieldKind::Number => value.is_number(),
            InputFieldKind::Integer => value.is_i64() || value.is_u64(),
            InputFieldKind::Boolean => value.is_boolean(),
            InputFieldKind::Array => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        };
        if !fits {
            return Some(match self.kind {
                InputFieldKind::Array => "give a list of texts".to_owned(),
                InputFieldKind::Integer => "give a whole number".to_owned(),
                InputFieldKind::Boolean => "give true or false".to_owned(),
                InputFieldKind::Number => "give a number".to_owned(),
                InputFieldKind::String => "give a text".to_owned(),
            });
        }
        if let Some(choices) = &self.choices
            && !choices.contains(value)
        {
            let known: Vec<String> = choices.iter().map(super::template::text_of).collect();
            return Some(format!("give one of: {}", known.join(", ")));
        }
        if let Some(text) = value.as_str() {
            let count = text.chars().count();
            if count < self.min_length.unwrap_or_default() {
                return Some(format!("write at least {} characters", self.min_length.unwrap_or_default()));
            }
            let most = self.max_length.unwrap_or(INPUT).min(INPUT);
            if count > most {
                return Some(format!("write at most {most} characters"));
            }
        }
        if let Some(number) = value.as_f64() {
            if let Some(least) = self.minimum.filter(|least| number < *least) {
                return Some(format!("give at least {least}"));
            }
            if let Some(most) = self.maximum.filter(|most| number > *most) {
                return Some(format!("give at most {most}"));
            }
        }
        if value.as_array().is_some_and(|list| list.len() > 100) {
            return Some("give at most 100 texts".to_owned());
        }
        None
    }

    /// What is wrong with the field itself, in a sentence.
    pub(super) fn problem(&self) -> Option<String> {
        let number = matches!(self.kind, InputFieldKind::Number | InputFieldKind::Integer);
        if !number && (self.minimum.is_some() || self.maximum.is_some()) {
            return Some("only numbers have a minimum and a maximum".to_owned());
        }
        if self.kind != InputFieldKind::String && (self.min_length.is_some() || self.max_length.is_some()) {
            return Some("only texts have a length".to_owned());
        }
        if self.choices.as_ref().is_some_and(|choices| choices.is_empty() || choices.len() > 100) {
            return Some("give 1 to 100 choices".to_owned());
        }
        let default = self.default.as_ref().and_then(|value| self.wrong(value));
        default.map(|why| format!("its default does not fit: {why}"))
    }
}

/// What a system asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InputSchema {
    /// Always `object`.
    #[serde(default, rename = "type")]
    pub kind: ObjectKind,
    /// The fields by name; each becomes a variable.
    #[serde(default)]
    pub properties: BTreeMap<String, InputField>,
    /// Those that must be given.
    #[serde(default)]
    pub required: Vec<String>,
}

text_enum! {
    /// The one kind of input.
    pub enum ObjectKind {
        /// Named fields.
        Object = "object",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that makes text enums knows no default")]
impl Default for ObjectKind {
    fn default() -> Self {
        Self::Object
    }
}

/// A field of an input that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// Which.
    pub field: String,
    /// What to do about it.
    pub message: String,
}

impl InputSchema {
    /// What an input is about, in a few words that tell it from others: the beginning of the first text that is needed, or of
    /// another where none is.
    pub fn about(&self, input: &Value) -> String {
        let text = |name: &String| input.get(name)?.as_str().and_then(first_line);
        let first = self.required.iter().find_map(text).or_else(|| self.properties.keys().find_map(text));
        let Some(line) = first else { return String::new() };
        match line.char_indices().nth(ABOUT) {
            Some((end, _)) => format!("{}…", line[..end].trim_end()),
            None => line.to_owned(),
        }
    }

    /// The variables that an input gives, with what stands for what was left out.
    ///
    /// # Errors
    /// Every field that does not fit.
    pub fn read(&self, input: &Value) -> Result<BTreeMap<String, Value>, Vec<InputProblem>> {
        let problem =
            |field: &str, message: &str| InputProblem { field: field.to_owned(), message: message.to_owned() };
        let nothing = serde_json::Map::new();
        let given = match input {
            Value::Object(given) => given,
            Value::Null => &nothing,
            _ => return Err(vec![problem("input", "give an object with the fields that the system asks for")]),
        };
        let unknown = given.keys().filter(|name| !self.properties.contains_key(*name));
        let mut problems: Vec<InputProblem> =
            unknown.map(|name| problem(name, "the system asks for no such field; leave it out")).collect();
        let mut variables = BTreeMap::new();
        for (name, field) in &self.properties {
            let value = given.get(name).filter(|value| !value.is_null()).or(field.default.as_ref());
            match value {
                Some(value) => match field.wrong(value) {
                    Some(why) => problems.push(problem(name, &why)),
                    None => drop(variables.insert(name.clone(), value.clone())),
                },
                None if self.required.contains(name) => problems.push(problem(name, "this is needed")),
                None => {}
            }
        }
        if problems.is_empty() { Ok(variables) } else { Err(problems) }
    }
}

fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty())
}
