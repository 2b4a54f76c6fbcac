//! How much of what a step gave is kept.

use serde_json::Value;

use crate::system::OUTPUT;
use crate::system::template::{cut, text_of};

/// Characters that a text within something larger keeps at least.
const LEAST: usize = 200;
/// A text that is at most so much longer than it may be stays whole: the word on what was cut would be as long.
const WORD: usize = 60;

/// What a step gave, as far as it is kept. Something with parts keeps its shape, so that every path into it leads where it did: the
/// longest texts in it are cut.
///
/// # Errors
/// That cutting texts is not enough, in a sentence.
pub(super) fn bounded(value: Value) -> Result<Value, String> {
    if let Value::String(text) = value {
        return Ok(Value::String(cut(text, OUTPUT)));
    }
    if size(&value) <= OUTPUT {
        return Ok(value);
    }
    let mut kept = shortened(&value, LEAST);
    if size(&kept) > OUTPUT {
        return Err(format!(
            "What it gave has {} characters, and at most {OUTPUT} are kept. It is made of too many parts for its longest texts to \
             be cut: let it give fewer.",
            size(&value)
        ));
    }
    // The most that its texts may have.
    let (mut fits, mut too_much) = (LEAST, OUTPUT);
    while too_much - fits > 1 {
        let most = usize::midpoint(fits, too_much);
        let tried = shortened(&value, most);
        match size(&tried) <= OUTPUT {
            true => (fits, kept) = (most, tried),
            false => too_much = most,
        }
    }
    Ok(kept)
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(_) | Value::Object(_) => text_of(value).chars().count(),
        _ => 0,
    }
}

/// The same with texts of at most so many characters.
fn shortened(value: &Value, most: usize) -> Value {
    match value {
        Value::String(text) if text.chars().count() > most + WORD => Value::String(cut(text.clone(), most)),
        Value::Array(list) => list.iter().map(|part| shortened(part, most)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, part)| (name.clone(), shortened(part, most))).collect())
        }
        other => other.clone(),
    }
}
