//! The fields of a front matter: which a kind has, and what their values look like. People write these by hand, so what does not fit
//! is told by its name and by the form that is expected.

use serde_json::{Map, Value};

use crate::KnowledgeId;
use crate::knowledge::{
    BlueprintCategory, BlueprintStatus, EntryType, KnowledgeKind, LearningConfidence, LearningType,
};

/// What the value of a field looks like.
enum Form {
    /// Words; a number is one.
    Words,
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// A whole number.
    Number,
    /// A list of words.
    List,
    /// A list of ids of items.
    Ids,
    /// Lists of words under these names.
    Lists(&'static [&'static str]),
}

macro_rules! one_of {
    ($of:ty) => {
        Form::OneOf(<$of>::ALL.iter().map(|value| value.as_str()).collect())
    };
}

/// The form of a field, if items of this kind have it.
fn form(kind: KnowledgeKind, name: &str) -> Option<Form> {
    use KnowledgeKind::{Blueprint, Entry, Learning};
    Some(match (kind, name) {
        (Blueprint, "name") | (Entry | Learning, "title") | (_, "description" | "content") => Form::Words,
        (_, "tags") => Form::List,
        (_, "related") => Form::Ids,
        (Blueprint, "category") => one_of!(BlueprintCategory),
        (Blueprint, "status") => one_of!(BlueprintStatus),
        (Blueprint, "priority") => Form::Number,
        (Blueprint, "autoLoadConditions") => Form::Lists(&["filePatterns", "languages", "taskTypes"]),
        (Entry, "type") => one_of!(EntryType),
        (Entry, "sourceUrl") => Form::Words,
        (Entry, "keywords") => Form::List,
        (Learning, "type") => one_of!(LearningType),
        (Learning, "confidence") => one_of!(LearningConfidence),
        (Learning, "problem" | "solution" | "prevention") => Form::Words,
        (Learning, "context") => Form::Lists(&["languages", "frameworks", "filePatterns"]),
        _ => return None,
    })
}

/// The fields of an item as they can be read. What is empty is as if it were not there.
///
/// # Errors
/// A sentence that names the field, and says what is expected of it.
pub(super) fn fitted(kind: KnowledgeKind, map: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let own = if kind == KnowledgeKind::Blueprint { "name" } else { "title" };
    let mut fitted = Map::new();
    for (name, value) in map {
        let form = form(kind, &name).ok_or_else(|| {
            let article = if kind == KnowledgeKind::Entry { "an" } else { "a" };
            format!("{name}: {article} {kind} has no such field")
        })?;
        if name == "content" || !is_empty(&value) {
            let value = fit(&name, &form, value)?;
            fitted.insert(name, value);
        }
    }
    match fitted.contains_key(own) {
        true => Ok(fitted),
        false => Err(format!("{own}: say in a few words what it is called")),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(words) => words.trim().is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn fit(name: &str, form: &Form, value: Value) -> Result<Value, String> {
    match form {
        Form::Words => match word(value) {
            Some(words) => Ok(Value::String(words)),
            None => Err(format!("{name}: write words on one line, in quotes where they begin with a bracket")),
        },
        Form::OneOf(known) => match word(value) {
            Some(word) if known.contains(&word.as_str()) => Ok(Value::String(word)),
            _ => Err(format!("{name}: write one of {}", known.join(", "))),
        },
        Form::Number => match value.as_i64().or_else(|| value.as_str().and_then(|digits| digits.parse().ok())) {
            Some(number) => Ok(number.into()),
            None => Err(format!("{name}: write a whole number")),
        },
        Form::List => list(name, value),
        Form::Ids => {
            let ids = list(name, value)?;
            let all = ids.as_array().into_iter().flatten().filter_map(Value::as_str);
            match all.into_iter().find(|id| id.parse::<KnowledgeId>().is_err()) {
                Some(id) => Err(format!("{name}: {id:?} is no id of an item; write ids as an export does")),
                None => Ok(ids),
            }
        }
        Form::Lists(known) => {
            let Value::Object(map) = value else {
                return Err(format!(
                    "{name}: write lists under their names, on one line, such as {{\"{}\": [\"one\", \"two\"]}}",
                    known[0]
                ));
            };
            let mut fitted = Map::new();
            for (inner, value) in map {
                if !known.contains(&inner.as_str()) {
                    return Err(format!("{name}.{inner}: there is no such list; there are {}", known.join(", ")));
                }
                if !is_empty(&value) {
                    let value = list(&format!("{name}.{inner}"), value)?;
                    fitted.insert(inner, value);
                }
            }
            Ok(Value::Object(fitted))
        }
    }
}

/// Words; what looks like a number, or like `true`, is a word as well.
fn word(value: Value) -> Option<String> {
    match value {
        Value::String(words) => Some(words),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn list(name: &str, value: Value) -> Result<Value, String> {
    let expected = || format!("{name}: write a list of words, such as [one, two]");
    let Value::Array(all) = value else { return Err(expected()) };
    let words = all.into_iter().map(|entry| word(entry).map(Value::String).ok_or_else(expected));
    words.collect::<Result<Vec<_>, _>>().map(Value::Array)
}
