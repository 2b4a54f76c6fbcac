//! The tools: each is a route of the API under another name. So a tool checks, does and answers what the route does, asks
//! for the right that stands beside the route, and says in its schemas what the description says of it.

mod rows;

use std::sync::{Arc, LazyLock};

use axum::http::Method;
use guildhall_types::rights::MemberRight;
use serde_json::{Map, Value, json};

use super::schema;
use crate::openapi;
use rows::{ROWS, Row};

/// What a call does to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Looks,
    /// Something comes to it.
    Adds,
    /// Something is changed or ends; to do it again changes nothing more.
    Changes,
    /// Something is done that cannot be taken back.
    Finishes,
}

/// A tool, and the route that it is.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, for a model.
    pub description: String,
    /// What a call does to what is there.
    pub effect: Effect,
    /// The route's method.
    pub method: Method,
    /// The route's path, with braces.
    pub path: &'static str,
    /// What `{id}` in the path is called among the arguments.
    pub id: Option<&'static str>,
    /// Whether it is several routes, one for each kind of knowledge: `{kind}` in the path says which.
    pub kinds: bool,
    /// The right that the route asks for.
    pub right: MemberRight,
    /// The arguments that go into the query.
    pub query: Vec<String>,
    /// Whether the others make a body.
    pub body: bool,
    /// The schema of its arguments.
    pub input: Arc<Map<String, Value>>,
    /// The schema of its answer.
    pub output: Arc<Map<String, Value>>,
}

/// What the description of every tool ends with that gives its list in pages.
const PAGES: &str =
    " It comes a page at a time: give `next` of a page as `after` for the page that follows; the last has none.";

static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    let api: Value = serde_json::from_str(openapi::text()).unwrap_or_default();
    ROWS.iter().filter_map(|row| tool(&api, row)).collect()
});

/// Every tool, always in the same order.
pub fn all() -> &'static [Tool] {
    &TOOLS
}

/// The tool of this name.
pub fn named(name: &str) -> Option<&'static Tool> {
    all().iter().find(|tool| tool.name == name)
}

/// The kinds of knowledge, as the argument `kind` and in the path.
pub const KINDS: [(&str, &str); 3] = [("blueprint", "blueprints"), ("entry", "entries"), ("learning", "learnings")];

/// One schema for what is one thing or another.
fn any_of(schemas: Vec<Value>) -> Value {
    match <[Value; 1]>::try_from(schemas) {
        Ok([one]) => one,
        Err(several) => json!({ "anyOf": several }),
    }
}

fn tool(api: &Value, row: &Row) -> Option<Tool> {
    let &(name, effect, method, path, id, title, description) = row;
    let kinds = path.contains("{kind}");
    let paths: Vec<String> = match kinds {
        true => KINDS.iter().map(|(_, plural)| path.replace("{kind}", plural)).collect(),
        false => vec![path.to_owned()],
    };
    let operations: Vec<&Value> = paths.iter().filter_map(|path| api["paths"].get(path)?.get(method)).collect();
    let operation = operations.first().filter(|_| operations.len() == paths.len())?;
    // What asks for a proof of who one is, no token may do.
    let right = operation["x-right"].as_str()?.parse().ok().filter(|_| operation.get("x-confirmed").is_none())?;
    let bodies = operations.iter().filter_map(|one| one.pointer("/requestBody/content/application~1json/schema"));
    let bodies: Vec<Value> = bodies.cloned().collect();
    let body = !bodies.is_empty();
    let bare = json!({ "type": "object", "properties": {} });
    let mut schema = match (body, kinds) {
        (true, false) => schema::whole(api, &any_of(bodies), true),
        // What it is of which kind stands apart, so that each kind can have its own form.
        (true, true) => {
            let of = json!({ "type": "object", "properties": { "item": any_of(bodies) }, "required": ["item"] });
            schema::whole(api, &of, true)
        }
        (false, _) => bare,
    };
    let mut query = Vec::new();
    let mut needed: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    if kinds {
        let words: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
        schema["properties"]["kind"] =
            json!({ "type": "string", "enum": words, "description": "The kind of knowledge." });
        needed.push(json!("kind"));
    }
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let Some(word) = parameter["name"].as_str() else { continue };
        let mut of = schema::whole(api, &parameter["schema"], true);
        of["description"] = parameter["description"].clone();
        let word = match (parameter["in"].as_str(), id) {
            (Some("path"), Some(id)) => {
                needed.push(json!(id));
                id
            }
            _ => {
                query.push(word.to_owned());
                if parameter["required"] == true {
                    needed.push(json!(word));
                }
                word
            }
        };
        schema["properties"][word] = of;
    }
    if needed.is_empty() {
        schema.as_object_mut()?.remove("required");
    } else {
        schema["required"] = Value::Array(needed);
    }
    schema["additionalProperties"] = json!(false);
    let answers = operations.iter().filter_map(|one| {
        let (_, answer) = one["responses"].as_object()?.iter().find(|(status, _)| status.starts_with('2'))?;
        answer.pointer("/content/application~1json/schema").cloned()
    });
    let mut output = schema::whole(api, &any_of(answers.collect()), false);
    let pages = if query.iter().any(|word| word == "after") { PAGES } else { "" };
    // One that is put together of several says so of each of them alone.
    output["type"] = json!("object");
    Some(Tool {
        name,
        title,
        description: format!("{description}{pages}"),
        effect,
        method: method.to_uppercase().parse().ok()?,
        path,
        id,
        kinds,
        right,
        query,
        body,
        input: Arc::new(schema.as_object()?.clone()),
        output: Arc::new(output.as_object()?.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_a_route_with_whole_schemas() {
        let names: Vec<&str> = all().iter().map(|tool| tool.name).collect();
        let rows: Vec<&str> = ROWS.iter().map(|row| row.0).collect();
        assert_eq!(names, rows, "a row names a route that there is not, or one that no token may call");
        for tool in all() {
            for schema in [&tool.input, &tool.output] {
                assert_eq!(schema["type"], "object", "{}", tool.name);
                let text = serde_json::to_string(&**schema).unwrap();
                assert!(!text.contains("#/components/"), "{}: {text}", tool.name);
            }
            assert_eq!(tool.effect == Effect::Looks, tool.method == Method::GET, "{}", tool.name);
            if let Some(id) = tool.id {
                assert!(tool.input["required"].as_array().unwrap().contains(&json!(id)), "{}", tool.name);
            }
        }
    }

    #[test]
    fn a_tool_takes_what_its_route_takes() {
        let create = named("feature_create").unwrap();
        assert_eq!(create.right, MemberRight::Build);
        assert!(create.input["properties"]["description"]["type"] == "string" && create.query.is_empty());
        assert_eq!(create.input["properties"]["projectId"]["format"], "uuid");
        let list = named("feature_list").unwrap();
        assert_eq!(list.query, ["status", "q", "after", "limit"]);
        // Whatever comes in pages says how the next one is had, in the same words.
        let paged = ["project_list", "feature_list", "run_events", "knowledge_search", "knowledge_list"];
        for tool in all() {
            assert_eq!(tool.description.ends_with(PAGES), paged.contains(&tool.name), "{}", tool.name);
            let next = tool.output.get("properties").is_some_and(|fields| fields["next"].is_object());
            let list = tool.kinds && tool.effect == Effect::Looks;
            assert_eq!(paged.contains(&tool.name), next || list, "{}: {:?}", tool.name, tool.output);
        }
        let diff = named("feature_diff").unwrap();
        assert_eq!(diff.query, ["path", "bytes"]);
        let usage = named("usage_get").unwrap();
        assert_eq!(usage.input["required"], json!(["by"]), "what the route needs in its query, the tool needs");
        assert!(
            usage.input["properties"]["by"]["enum"].as_array().unwrap().contains(&json!("day")),
            "{:?}",
            usage.input
        );
        let create = named("knowledge_create").unwrap();
        assert_eq!(create.right, MemberRight::Knowledge);
        assert_eq!(create.input["properties"]["item"]["anyOf"].as_array().unwrap().len(), 3);
        assert!(create.input["$defs"]["LearningDraft"]["properties"]["content"].is_object());
        assert_eq!(create.input["required"], json!(["item", "kind"]));
    }
}
