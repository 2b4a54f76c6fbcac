//! The tools: each is a route of the API under another name. So a tool checks, does and answers what the route does, asks
//! for the right that stands beside the route, and says in its schemas what the description says of it.

use std::sync::{Arc, LazyLock};

use axum::http::Method;
use guildhall_types::rights::MemberRight;
use serde_json::{Map, Value, json};

use super::schema;
use crate::openapi;

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

type Row = (&'static str, Effect, &'static str, &'static str, Option<&'static str>, &'static str, &'static str);

/// Name, effect, method, path, name of its braces, title, description.
const ROWS: &[Row] = &[
    (
        "member_me",
        Effect::Looks,
        "get",
        "/api/auth/me",
        None,
        "Who I am",
        "Shows the member whose token this is, with role and rights.",
    ),
    (
        "project_list",
        Effect::Looks,
        "get",
        "/api/projects",
        None,
        "List projects",
        "Lists the team's projects. Most other tools need the id of one.",
    ),
    (
        "feature_list",
        Effect::Looks,
        "get",
        "/api/projects/{id}/features",
        Some("projectId"),
        "List features",
        "Lists a project's cards in the board's order.",
    ),
    (
        "feature_get",
        Effect::Looks,
        "get",
        "/api/features/{id}",
        Some("featureId"),
        "Show a feature",
        "Shows a card with its texts, its status and its run.",
    ),
    (
        "feature_create",
        Effect::Adds,
        "post",
        "/api/projects/{id}/features",
        Some("projectId"),
        "Write a feature",
        "Writes a card at the end of the backlog. No agent works on it before it is started.",
    ),
    (
        "feature_update",
        Effect::Changes,
        "patch",
        "/api/features/{id}",
        Some("featureId"),
        "Change a feature",
        "Changes a card; what is absent stays as it is.",
    ),
    (
        "feature_start",
        Effect::Adds,
        "post",
        "/api/features/{id}/start",
        Some("featureId"),
        "Start a feature",
        "Lets an agent build a card, on the member's key and within the member's limits and budget.",
    ),
    (
        "feature_stop",
        Effect::Changes,
        "post",
        "/api/features/{id}/stop",
        Some("featureId"),
        "Stop a feature",
        "Stops the agent at work on a card at once. Its work is kept.",
    ),
    (
        "feature_follow_up",
        Effect::Adds,
        "post",
        "/api/features/{id}/follow-up",
        Some("featureId"),
        "Say something to the agent",
        "Says something to the agent of a card: it reads it at its next turn, or goes on with the work for it.",
    ),
    (
        "feature_diff",
        Effect::Looks,
        "get",
        "/api/features/{id}/diff",
        Some("featureId"),
        "Show the work",
        "Shows what the latest run of a card changed, file by file. Where that is too long for one answer, the files are listed \
         without their texts, and `note` says so: ask with `path` for each.",
    ),
    (
        "feature_verify",
        Effect::Changes,
        "post",
        "/api/features/{id}/verify",
        Some("featureId"),
        "Verify a feature",
        "Finds the work of a card good: it is verified once the project's checks pass on it.",
    ),
    (
        "feature_merge",
        Effect::Finishes,
        "post",
        "/api/features/{id}/merge",
        Some("featureId"),
        "Merge a feature",
        "Puts the work of a verified card on the project's default branch, as one commit.",
    ),
    (
        "run_list",
        Effect::Looks,
        "get",
        "/api/features/{id}/runs",
        Some("featureId"),
        "List runs",
        "Lists the runs of a card, the latest first.",
    ),
    (
        "run_get",
        Effect::Looks,
        "get",
        "/api/runs/{id}",
        Some("runId"),
        "Show a run",
        "Shows a run: its status, model, tokens and cost.",
    ),
    (
        "run_events",
        Effect::Looks,
        "get",
        "/api/runs/{id}/events",
        Some("runId"),
        "List what happened in a run",
        "Lists what happened in a run, in order.",
    ),
    (
        "knowledge_search",
        Effect::Looks,
        "get",
        "/api/knowledge/search",
        None,
        "Search the hub",
        "Searches what the team knows, ranked, with snippets. Search before you write.",
    ),
    (
        "knowledge_get",
        Effect::Looks,
        "get",
        "/api/knowledge/items/{id}",
        Some("itemId"),
        "Read an item of the hub",
        "Shows a blueprint, an entry or a learning, whole, and what it is related to.",
    ),
    (
        "knowledge_list",
        Effect::Looks,
        "get",
        "/api/knowledge/{kind}",
        None,
        "List items of the hub",
        "Lists items of one kind, the latest changed first, by tag, type and age.",
    ),
    (
        "knowledge_create",
        Effect::Adds,
        "post",
        "/api/knowledge/{kind}",
        None,
        "Write an item of the hub",
        "Writes a blueprint, an entry or a learning. One that is nearly there already is refused with the ids of what \
         is there; change that, or write it `anyway`.",
    ),
    (
        "knowledge_update",
        Effect::Changes,
        "put",
        "/api/knowledge/{kind}/{id}",
        Some("itemId"),
        "Change an item of the hub",
        "Changes an item: what is sent is the whole of it from then on. Give the version that knowledge_get showed.",
    ),
    (
        "learning_record",
        Effect::Adds,
        "post",
        "/api/knowledge/learnings",
        None,
        "Record a learning",
        "Records what was learned in the work: what the problem was, what solved it, how to prevent it. Never a secret. \
         One that is nearly there already is refused with its id.",
    ),
    (
        "learning_apply",
        Effect::Adds,
        "post",
        "/api/knowledge/learnings/{id}/apply",
        Some("learningId"),
        "Say what came of a learning",
        "Says that a learning was used and whether it helped; by that the team knows which are worth keeping.",
    ),
];

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
        let create = named("knowledge_create").unwrap();
        assert_eq!(create.right, MemberRight::Knowledge);
        assert_eq!(create.input["properties"]["item"]["anyOf"].as_array().unwrap().len(), 3);
        assert!(create.input["$defs"]["LearningDraft"]["properties"]["content"].is_object());
        assert_eq!(create.input["required"], json!(["item", "kind"]));
    }
}
