//! Calls a tool: a request to its route, within this process.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use guildhall_team::Origin;
use serde_json::{Map, Value};
use tower::ServiceExt;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::tools::{KINDS, Tool};
use crate::auth::Signed;
use crate::problem::{Carried, Problem};

/// Bytes of an answer at most that is given as it is: more than a model can read.
pub const ANSWER: usize = 1024 * 1024;
/// Items of a page when the call does not say: fewer than a route gives, because a model reads them.
const PAGE: &str = "25";
/// Bytes of an answer that can be cut, when the call does not say: a few ten thousand tokens.
const BYTES: &str = "200000";
/// Versions of a plan, and the checks of a run, when the call does not say: each may be long.
const LATEST: &[(&str, &str)] = &[("versions", "1"), ("latest", "10")];

/// Who calls, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who came in by the door.
    pub signed: Arc<Signed>,
    /// From where.
    pub from: Arc<Origin>,
}

/// Calls a tool on behalf of who shows a token, and returns what its route answers, up to so many bytes.
///
/// # Errors
/// The problem with which the route refuses; `too-large`.
pub async fn call(
    routes: &Router,
    caller: &Caller,
    tool: &Tool,
    arguments: Map<String, Value>,
    most: usize,
) -> Result<Value, Arc<Problem>> {
    let request = request(caller, tool, arguments)?;
    let Ok(response) = routes.clone().oneshot(request).await;
    if let Some(Carried(problem)) = response.extensions().get::<Carried>() {
        problem.log();
        return Err(Arc::clone(problem));
    }
    let status = response.status();
    let body = to_bytes(response.into_body(), most).await.map_err(|_| {
        let detail = "The answer is too large to be given here. Ask for less, or look at it in the page.";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    })?;
    if !status.is_success() {
        return Err(Problem::internal(format!("the route of {} answered {status} without a problem", tool.name)).into());
    }
    Ok(serde_json::from_slice(&body).map_err(Problem::internal)?)
}

fn request(caller: &Caller, tool: &Tool, mut arguments: Map<String, Value>) -> Result<Request<Body>, Problem> {
    let known = tool.input["properties"].as_object();
    if let Some(odd) = arguments.keys().find(|name| known.is_none_or(|known| !known.contains_key(*name))) {
        return Err(Problem::invalid(odd, "this tool does not take it; its schema says what it takes"));
    }
    let mut path = tool.path.to_owned();
    if let Some(name) = tool.id {
        let id = arguments.remove(name);
        let id = id.as_ref().and_then(Value::as_str).and_then(|text| text.parse::<Uuid>().ok());
        let id = id.ok_or_else(|| Problem::invalid(name, "give the id, as a list or another tool shows it"))?;
        path = path.replace("{id}", &id.to_string());
    }
    if tool.kinds {
        let word = arguments.remove("kind");
        let plural = KINDS.iter().find(|(kind, _)| word.as_ref().and_then(Value::as_str) == Some(kind));
        let (_, plural) = plural.ok_or_else(|| Problem::invalid("kind", "give blueprint, entry or learning"))?;
        path = path.replace("{kind}", plural);
    }
    let mut query = Serializer::new(String::new());
    for name in &tool.query {
        match arguments.remove(name) {
            None | Some(Value::Null) if name == "limit" => query.append_pair(name, PAGE),
            None | Some(Value::Null) if name == "bytes" => query.append_pair(name, BYTES),
            None | Some(Value::Null) => match LATEST.iter().find(|(known, _)| known == name) {
                Some((_, usual)) => query.append_pair(name, usual),
                None => continue,
            },
            Some(Value::String(text)) => query.append_pair(name, &text),
            Some(Value::Number(number)) => query.append_pair(name, &number.to_string()),
            Some(Value::Bool(is)) => query.append_pair(name, &is.to_string()),
            Some(_) => return Err(Problem::invalid(name, "give one value")),
        };
    }
    let query = query.finish();
    if !query.is_empty() {
        path = format!("{path}?{query}");
    }
    let mut request = Request::builder().method(tool.method.clone()).uri(path);
    request = request.extension(Arc::clone(&caller.signed)).extension(Arc::clone(&caller.from));
    let body = if tool.body {
        request = request.header(header::CONTENT_TYPE, "application/json");
        let body = match tool.kinds {
            true => arguments.remove("item").unwrap_or_default(),
            false => Value::Object(arguments),
        };
        Body::from(body.to_string())
    } else {
        Body::empty()
    };
    request.body(body).map_err(Problem::internal)
}
