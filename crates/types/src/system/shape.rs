//! The form that an agent's answer must have: a part of JSON Schema that can be checked without resolving anything. A word that is
//! not understood makes a schema unusable, rather than being passed over.

use serde_json::{Map, Value};

/// Characters of a schema at most.
pub(super) const SCHEMA: usize = 8_000;
/// How deep a schema may stand in itself.
const DEPTH: usize = 12;
/// Characters of a value that are shown at most.
const SHOWN: usize = 60;

/// Words that say something to people alone.
const NOTES: [&str; 6] = ["$schema", "title", "description", "default", "examples", "$comment"];
const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/// What makes a schema unusable, in a sentence; nothing when it can be used.
pub fn unusable(schema: &Value) -> Option<String> {
    if schema.to_string().len() > SCHEMA {
        return Some(format!("Use at most {SCHEMA} characters."));
    }
    look(schema, "the schema", 0).err()
}

fn look(schema: &Value, at: &str, depth: usize) -> Result<(), String> {
    if depth > DEPTH {
        return Err(format!("Schemas stand more than {DEPTH} deep in one another; take some out."));
    }
    let words = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(words) => words,
        _ => return Err(format!("{at} must be an object, such as {{\"type\": \"string\"}}.")),
    };
    for (word, value) in words {
        let here = format!("{at}.{word}");
        match word.as_str() {
            "type" => {
                let known = |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
                let fits = known(value) || value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(known));
                if !fits {
                    return Err(format!("{here} must be one of {}, or a list of them.", TYPES.join(", ")));
                }
            }
            "properties" => {
                let Value::Object(all) = value else { return Err(format!("{here} must be an object.")) };
                for (name, inner) in all {
                    look(inner, &format!("{here}.{name}"), depth + 1)?;
                }
            }
            "items" | "additionalProperties" => look(value, &here, depth + 1)?,
            "anyOf" => {
                let all = value.as_array().filter(|all| !all.is_empty());
                for inner in all.ok_or_else(|| format!("{here} must be a list of schemas."))? {
                    look(inner, &here, depth + 1)?;
                }
            }
            "required" => {
                let names = value.as_array().is_some_and(|names| names.iter().all(Value::is_string));
                if !names {
                    return Err(format!("{here} must be a list of names."));
                }
            }
            "enum" => {
                if value.as_array().is_none_or(Vec::is_empty) {
                    return Err(format!("{here} must be a list of values."));
                }
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" => {
                if !value.is_u64() {
                    return Err(format!("{here} must be a whole number that is not below 0."));
                }
            }
            "minimum" | "maximum" => {
                if !value.is_number() {
                    return Err(format!("{here} must be a number."));
                }
            }
            "const" => {}
            note if NOTES.contains(&note) => {}
            _ => {
                return Err(format!(
                    "{here} is not understood. Known are type, properties, required, additionalProperties, items, enum, const, \
                     anyOf, minLength, maxLength, minItems, maxItems, minimum, maximum, and notes such as description."
                ));
            }
        }
    }
    Ok(())
}

/// The first place where a value is not of the form that a schema asks for, in a sentence; nothing when it fits.
pub fn misfit(schema: &Value, value: &Value) -> Option<String> {
    fits(schema, value, "").err()
}

fn named(at: &str) -> &str {
    if at.is_empty() { "the answer" } else { at }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.chars().count() > SHOWN {
        true => format!("{}…", text.chars().take(SHOWN).collect::<String>()),
        false => text,
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        // 3.0 is a whole number in JSON Schema.
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// Equal as JSON has it: 1 and 1.0 are the same.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let words = match schema {
        Value::Object(words) => words,
        Value::Bool(false) => return Err(format!("{} must not be there.", named(at))),
        _ => return Ok(()),
    };
    let types: Vec<&str> = match words.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_type(name, value)) {
        return Err(format!("{} must be of the type {}, and is {}.", named(at), types.join(" or "), shown(value)));
    }
    if let Some(only) = words.get("const").filter(|only| !same(only, value)) {
        return Err(format!("{} must be {}, and is {}.", named(at), shown(only), shown(value)));
    }
    if let Some(choices) = words.get("enum").and_then(Value::as_array)
        && !choices.iter().any(|choice| same(choice, value))
    {
        let known: Vec<String> = choices.iter().map(shown).collect();
        return Err(format!("{} must be one of {}, and is {}.", named(at), known.join(", "), shown(value)));
    }
    if let Some(ways) = words.get("anyOf").and_then(Value::as_array)
        && !ways.is_empty()
        && ways.iter().all(|way| fits(way, value, at).is_err())
    {
        return Err(format!("{} fits none of the forms that it may have.", named(at)));
    }
    match value {
        Value::String(text) => bounds(words, ("minLength", "maxLength"), text.chars().count(), "characters", at)?,
        Value::Array(list) => {
            bounds(words, ("minItems", "maxItems"), list.len(), "entries", at)?;
            if let Some(items) = words.get("items") {
                for (place, item) in list.iter().enumerate() {
                    fits(items, item, &format!("{at}[{place}]"))?;
                }
            }
        }
        Value::Object(fields) => within(words, fields, at)?,
        Value::Number(_) => {
            let bound = |word: &str| words.get(word).and_then(Value::as_f64);
            let number = value.as_f64().unwrap_or_default();
            if let Some(least) = bound("minimum").filter(|least| number < *least) {
                return Err(format!("{} must be at least {least}, and is {number}.", named(at)));
            }
            if let Some(most) = bound("maximum").filter(|most| number > *most) {
                return Err(format!("{} must be at most {most}, and is {number}.", named(at)));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    Ok(())
}

fn bounds(
    words: &Map<String, Value>,
    (least, most): (&str, &str),
    count: usize,
    what: &str,
    at: &str,
) -> Result<(), String> {
    let bound = |word: &str| words.get(word).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    if let Some(least) = bound(least).filter(|least| count < *least) {
        return Err(format!("{} must have at least {least} {what}, and has {count}.", named(at)));
    }
    if let Some(most) = bound(most).filter(|most| count > *most) {
        return Err(format!("{} must have at most {most} {what}, and has {count}.", named(at)));
    }
    Ok(())
}

fn within(words: &Map<String, Value>, fields: &Map<String, Value>, at: &str) -> Result<(), String> {
    let inner = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let required = words.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{} is missing.", inner(name)));
        }
    }
    let known = words.get("properties").and_then(Value::as_object);
    for (name, value) in fields {
        match known.and_then(|known| known.get(name)).or_else(|| words.get("additionalProperties")) {
            Some(Value::Bool(false)) => return Err(format!("{} is not asked for; leave it out.", inner(name))),
            Some(schema) => fits(schema, value, &inner(name))?,
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_fits_or_the_first_place_is_told_where_it_does_not() {
        let schema = json!({
            "type": "object",
            "required": ["cards"],
            "additionalProperties": false,
            "properties": {
                "cards": { "type": "array", "minItems": 1, "maxItems": 2, "items": {
                    "type": "object", "required": ["title"],
                    "properties": {
                        "title": { "type": "string", "minLength": 2, "maxLength": 5 },
                        "priority": { "type": "integer", "minimum": 1, "maximum": 3 },
                        "kind": { "enum": ["bug", 1] },
                        "size": { "anyOf": [{ "type": "null" }, { "type": "number", "maximum": 9 }] },
                        "version": { "const": 2 },
                    },
                } },
                "note": { "type": ["string", "null"] },
            },
        });
        assert_eq!(unusable(&schema), None);
        let card = |field: &str, value: Value| json!({ "cards": [{ "title": "Door", field: value }] });
        let cases = [
            (json!({ "cards": [{ "title": "Döör", "priority": 2.0, "kind": 1.0, "size": null }], "note": null }), ""),
            (card("more", json!({ "is": "allowed" })), ""),
            (json!([]), "the answer must be of the type object, and is []."),
            (json!({}), "cards is missing."),
            (json!({ "cards": [], }), "cards must have at least 1 entries, and has 0."),
            (json!({ "cards": [{}] }), "cards[0].title is missing."),
            (
                json!({ "cards": [{ "title": "Door" }, { "title": 7 }] }),
                "cards[1].title must be of the type string, and is 7.",
            ),
            (json!({ "cards": [{ "title": "D" }] }), "cards[0].title must have at least 2 characters, and has 1."),
            (json!({ "cards": [{ "title": "Door" }], "x": 1 }), "x is not asked for; leave it out."),
            (card("priority", json!(4)), "cards[0].priority must be at most 3, and is 4."),
            (card("priority", json!(1.5)), "cards[0].priority must be of the type integer, and is 1.5."),
            (card("kind", json!("other")), "cards[0].kind must be one of \"bug\", 1, and is \"other\"."),
            (card("size", json!(10)), "cards[0].size fits none of the forms that it may have."),
            (card("version", json!("2")), "cards[0].version must be 2, and is \"2\"."),
        ];
        for (value, expected) in cases {
            assert_eq!(misfit(&schema, &value).unwrap_or_default(), expected, "{value}");
        }
        assert_eq!(misfit(&json!(true), &json!(1)), None);
        assert!(misfit(&json!({ "properties": { "x": false } }), &json!({ "x": 1 })).is_some());
    }

    #[test]
    fn a_schema_that_is_not_understood_is_unusable() {
        for (schema, why) in [
            (json!("string"), "must be an object"),
            (json!({ "type": "text" }), "must be one of object"),
            (json!({ "pattern": "^a" }), "the schema.pattern is not understood"),
            (json!({ "properties": { "x": { "$ref": "#/y" } } }), "the schema.properties.x.$ref is not understood"),
            (json!({ "required": [1] }), "list of names"),
            (json!({ "items": [] }), "must be an object"),
            (json!({ "minItems": -1 }), "whole number"),
            (json!({ "enum": [] }), "list of values"),
            (json!({ "description": "x".repeat(SCHEMA) }), "at most"),
        ] {
            let told = unusable(&schema).unwrap_or_default();
            assert!(told.contains(why), "{schema}: {told}");
        }
        let mut deep = json!({ "type": "string" });
        for _ in 0..=DEPTH {
            deep = json!({ "items": deep });
        }
        assert!(unusable(&deep).unwrap_or_default().contains("deep"));
    }
}
