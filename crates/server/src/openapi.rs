//! The description of the API, from which the page's client is made.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use guildhall_git::ConflictFile;
use guildhall_team::SamplesOf;
use serde_json::{Map, Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::{OpenApi, SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::auth::Gate;
use crate::problem::{Extras, FieldError, MEDIA_TYPE, ProblemDetails};
use crate::router::description;
use crate::routes::knowledge::versions::KindPath;
use crate::routes::work::DiffSide;

/// The names of the two ways to say who asks.
const SESSION: &str = "session";
const TOKEN: &str = "token";
/// How programs that watch the server say that they may.
const METRICS: &str = "metrics";

/// The description as text, the same for every start of this version.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
});

/// The description as text.
pub fn text() -> &'static str {
    &TEXT
}

pub(crate) async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text())
}

/// What the description holds beside the routes.
pub(crate) fn beginning() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(ProblemDetails, FieldError, Extras, ConflictFile, DiffSide, KindPath, SamplesOf)))]
    struct Beginning;
    <Beginning as utoipa::OpenApi>::openapi()
}

/// Says of routes what they ask for: a session, or a token of this scope; this right; a proof of who one is.
pub(crate) fn closed(mut routes: OpenApiRouter<App>, gate: Gate) -> OpenApiRouter<App> {
    for path in routes.get_openapi_mut().paths.paths.values_mut() {
        let all = [&mut path.get, &mut path.put, &mut path.post, &mut path.patch, &mut path.delete];
        for operation in all.into_iter().flatten() {
            let mut security = vec![SecurityRequirement::new(SESSION, [""; 0])];
            let mut extensions = Extensions::builder().add("x-right", gate.right.as_str());
            if let Some(scope) = gate.right.scope().filter(|_| !gate.confirmed) {
                security.push(SecurityRequirement::new(TOKEN, [scope.as_str()]));
                extensions = extensions.add("x-scope", scope.as_str());
            }
            if gate.metrics {
                security.push(SecurityRequirement::new(METRICS, [""; 0]));
            }
            if gate.confirmed {
                extensions = extensions.add("x-confirmed", true);
            }
            operation.security = Some(security);
            operation.extensions = Some(extensions.build());
        }
    }
    routes
}

fn document() -> Value {
    let mut api = serde_json::to_value(description()).unwrap_or_default();
    api["info"] = json!({
        "title": "Guildhall",
        "description": "A studio where a team and its AI coding agents build software together.",
        "version": env!("CARGO_PKG_VERSION"),
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    api["components"]["securitySchemes"] = json!({
        SESSION: { "type": "apiKey", "in": "cookie", "name": "__Host-guildhall",
            "description": "Set by signing in. On plain http, which is for loopback, its name is `guildhall`." },
        TOKEN: { "type": "http", "scheme": "bearer",
            "description": "A personal access token. It gives what its scopes and the role of its member both give." },
        METRICS: { "type": "http", "scheme": "bearer",
            "description": "The operator's metrics token (GUILDHALL_METRICS_TOKEN). It opens these routes alone." },
    });
    let problem = json!({
        "description": "Why the request was refused or failed.",
        "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/ProblemDetails" } } },
    });
    for operation in operations(&mut api) {
        let responses = operation["responses"].as_object_mut().into_iter().flatten();
        for (status, response) in responses {
            let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
            let words = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
            if response["description"].as_str().is_none_or(str::is_empty) {
                response["description"] = json!(words);
            }
        }
        operation["responses"]["default"] = problem.clone();
    }
    camel_case(&mut api["components"]["schemas"]);
    answers_are_whole(&mut api);
    api
}

/// Names in JSON are in camel case. Utoipa passes over serde's `rename_all_fields`, by which the fields of enums are.
fn camel_case(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                *properties = std::mem::take(properties).into_iter().map(|(name, of)| (camel(&name), of)).collect();
            }
            for name in object.get_mut("required").and_then(Value::as_array_mut).into_iter().flatten() {
                *name = json!(camel(name.as_str().unwrap_or_default()));
            }
            object.values_mut().for_each(camel_case);
        }
        Value::Array(list) => list.iter_mut().for_each(camel_case),
        _ => {}
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

/// Every operation of the description.
fn operations(api: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = api["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(|path| {
        path.iter_mut().filter(|(method, _)| method.as_str() != "parameters").map(|(_, operation)| operation)
    })
}

/// Says of a value that may be `null` that it is nevertheless always there, in everything that the server answers; and
/// the same of settings, which may be left out in a request but are told whole. What is left out when it says nothing is
/// declared as not nullable where it is declared.
fn answers_are_whole(api: &mut Value) {
    const TOLD_WHOLE: &[&str] =
        &["Limits", "RunLimits", "ProjectSettings", "SignUpSetting", "Usage", "NodeFigures", "MemberFigures"];
    let schemas = api["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (name, schema) in schemas {
        let asked = schema["additionalProperties"] == json!(false) && !TOLD_WHOLE.contains(&name.as_str());
        if !asked {
            complete(schema, TOLD_WHOLE.contains(&name.as_str()));
        }
    }
}

fn complete(schema: &mut Value, all: bool) {
    if let Value::Object(object) = schema {
        if let Some(Value::Object(properties)) = object.get("properties") {
            let mut required: Vec<Value> =
                object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            for (name, property) in properties {
                if (all || is_nullable(property)) && !required.iter().any(|known| known == name) {
                    required.push(json!(name));
                }
            }
            if !required.is_empty() {
                object.insert("required".to_owned(), Value::Array(required));
            }
        }
        for part in ["allOf", "oneOf"] {
            for inner in object.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
                complete(inner, all);
            }
        }
    }
}

fn is_nullable(property: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    property["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_null))
        || property["oneOf"].as_array().is_some_and(|any| any.iter().any(|one| is_null(&one["type"])))
}
