//! Checks what the server answers against its own description: nothing undescribed, nothing missing, nothing of another
//! kind. Knows the words of JSON Schema that the description uses.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};

static API: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(guildhall_server::openapi::text()).unwrap());

/// The description.
pub fn api() -> &'static Value {
    &API
}

/// Every operation: method, path, description.
pub fn operations() -> impl Iterator<Item = (Method, &'static str, &'static Value)> {
    let paths = api()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(|(method, operation)| (method.to_uppercase().parse().unwrap(), path.as_str(), operation))
    })
}

/// A JSON answer is as the description says.
#[track_caller]
pub fn check_answer(method: &Method, path: &str, status: StatusCode, body: &Value) {
    let of_path = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        let given: Vec<&str> = path.split('/').collect();
        parts.len() == given.len()
            && parts.iter().zip(&given).all(|(part, given)| part.starts_with('{') || part == given)
    };
    let operation = operations().find(|(known, template, _)| known == method && of_path(template));
    let described = operation.and_then(|(_, _, operation)| {
        let responses = &operation["responses"];
        let response = responses.get(status.as_str()).unwrap_or(&responses["default"]);
        response["content"].as_object()?.values().next()?.get("schema")
    });
    let problem = Value::from_iter([("$ref", "#/components/schemas/ProblemDetails")]);
    let schema = match described {
        Some(schema) => schema,
        // An address or a method that there is not.
        None if status.is_client_error() => &problem,
        None => panic!("{method} {path}: the answer {status} is not described"),
    };
    if let Err(why) = matches(schema, body, "body", true) {
        panic!("{method} {path}: {status}: {why}\n{body:#}");
    }
}

/// A value is as the schema of this name says.
#[track_caller]
pub fn check(name: &str, value: &Value) {
    let schema = &api()["components"]["schemas"][name];
    if let Err(why) = matches(schema, value, name, true) {
        panic!("{why}\n{value:#}");
    }
}

/// Returns the keys of an object that the schema describes. `whole` asks that it describes all of them.
fn matches(schema: &Value, value: &Value, at: &str, whole: bool) -> Result<BTreeSet<String>, String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return matches(&api()["components"]["schemas"][name], value, at, whole);
    }
    let mut keys = BTreeSet::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        keys.extend(matches(part, value, at, false)?);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let tried: Vec<_> = choices.iter().map(|choice| matches(choice, value, at, false)).collect();
        match tried.iter().find_map(|one| one.as_ref().ok()) {
            Some(found) => keys.extend(found.iter().cloned()),
            None => {
                let why: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
                return Err(format!("{at}: none of\n  {}", why.join("\n  ")));
            }
        }
    }
    if let Some(kinds) = kinds(schema)
        && !kinds.contains(&kind(value))
        && !(kinds.contains(&"number") && value.is_i64())
    {
        return Err(format!("{at}: {} where {kinds:?} is described", kind(value)));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at}: {value} is none of {words:?}"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        matches(&schema["items"], item, &format!("{at}[{n}]"), true)?;
    }
    if let Value::Object(object) = value {
        of_object(schema, object, at, &mut keys)?;
        let free = schema.get("properties").is_none() && schema["allOf"].is_null() && schema["oneOf"].is_null();
        if let Some(key) = object.keys().find(|key| whole && !free && !keys.contains(*key)) {
            return Err(format!("{at}.{key} is not described"));
        }
    }
    Ok(keys)
}

fn of_object(schema: &Value, object: &Map<String, Value>, at: &str, keys: &mut BTreeSet<String>) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(format!("{at}.{name} is missing"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(inner) = object.get(name) {
            matches(property, inner, &format!("{at}.{name}"), true)?;
            keys.insert(name.clone());
        }
    }
    if schema["additionalProperties"].is_object() {
        for (name, inner) in object {
            matches(&schema["additionalProperties"], inner, &format!("{at}.{name}"), true)?;
            keys.insert(name.clone());
        }
    }
    Ok(())
}

fn kinds(schema: &Value) -> Option<Vec<&str>> {
    match &schema["type"] {
        Value::String(kind) => Some(vec![kind]),
        Value::Array(kinds) => Some(kinds.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn the_checker_can_say_no() {
    let no = |name: &str, value: Value| matches(&api()["components"]["schemas"][name], &value, name, true).unwrap_err();
    let health = serde_json::json!({ "status": "ok", "version": "1" });
    assert!(matches(&api()["components"]["schemas"]["Health"], &health, "", true).is_ok());
    assert!(no("Health", serde_json::json!({ "status": "ok" })).contains("version is missing"));
    assert!(no("Health", serde_json::json!({ "status": "ok", "version": 1 })).contains("integer where"));
    assert!(
        no("Health", serde_json::json!({ "status": "ok", "version": "1", "more": 1 }))
            .contains("more is not described")
    );
    assert!(no("Frame", serde_json::json!({ "type": "hullo" })).contains("none of"));
    assert!(no("Member", serde_json::json!([])).contains("array where"));
}
