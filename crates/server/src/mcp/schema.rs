//! Schemas that stand alone, out of the API's description.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const COMPONENTS: &str = "#/components/schemas/";

/// A schema of the description with all that it refers to. Its own level is never a reference, because clients look at its
/// type. `spoken` keeps what is said of the single values.
pub fn whole(api: &Value, schema: &Value, spoken: bool) -> Value {
    let mut names = BTreeSet::new();
    let mut top = schema.clone();
    while let Some(name) = top["$ref"].as_str().and_then(|name| name.strip_prefix(COMPONENTS)) {
        top = api["components"]["schemas"][name].clone();
    }
    let mut top = own(&top, spoken, &mut names);
    let mut definitions = Map::new();
    while let Some(name) = names.pop_first() {
        if !definitions.contains_key(&name) {
            let definition = own(&api["components"]["schemas"][&name], spoken, &mut names);
            definitions.insert(name, definition);
        }
    }
    if !definitions.is_empty() {
        top["$defs"] = Value::Object(definitions);
    }
    top
}

/// A schema that refers to `$defs`; the names of those go into `names`.
fn own(schema: &Value, spoken: bool, names: &mut BTreeSet<String>) -> Value {
    match schema {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        let name = target.strip_prefix(COMPONENTS).unwrap_or(target);
                        names.insert(name.to_owned());
                        kept.insert(key.clone(), json!(format!("#/$defs/{name}")));
                    }
                    ("description", Value::String(_)) if !spoken => {}
                    // Words of OpenAPI that validators do not know.
                    ("format", Value::String(format)) if format != "uuid" && format != "date-time" => {}
                    ("properties", Value::Object(properties)) => {
                        let of = |(name, value): (&String, &Value)| (name.clone(), own(value, spoken, names));
                        kept.insert(key.clone(), Value::Object(properties.iter().map(of).collect()));
                    }
                    _ => {
                        kept.insert(key.clone(), own(value, spoken, names));
                    }
                }
            }
            Value::Object(kept)
        }
        Value::Array(list) => Value::Array(list.iter().map(|one| own(one, spoken, names)).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_along() {
        let api = json!({ "components": { "schemas": {
            "Page": { "type": "object", "description": "A page.", "properties": {
                "description": { "type": "string", "description": "Words." },
                "items": { "type": "array", "items": { "$ref": "#/components/schemas/Item" } } } },
            "Item": { "type": "object", "properties": { "next": { "$ref": "#/components/schemas/Item" },
                "n": { "type": "integer", "format": "int64" } } },
        } } });
        let page = json!({ "$ref": "#/components/schemas/Page" });
        assert_eq!(
            whole(&api, &page, false),
            json!({ "type": "object", "properties": {
                "description": { "type": "string" },
                "items": { "type": "array", "items": { "$ref": "#/$defs/Item" } } },
                "$defs": { "Item": { "type": "object", "properties": {
                    "next": { "$ref": "#/$defs/Item" }, "n": { "type": "integer" } } } } })
        );
        assert_eq!(whole(&api, &page, true)["properties"]["description"]["description"], "Words.");
    }
}
