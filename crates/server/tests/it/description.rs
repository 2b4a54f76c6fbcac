//! The description of the API is kept in the repository, whole and clean.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::TestApp;
use crate::schema::{api, operations};

#[test]
fn the_file_in_the_repository_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == guildhall_server::openapi::text(),
        "crates/server/openapi.json is stale; run: cargo run -p guildhall-server -- openapi > crates/server/openapi.json"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_and_words() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} twice");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path} has no summary");
        let bare = operation["responses"].as_object().unwrap().values().any(|response| response["description"] == "");
        assert!(!bare, "{method} {path} has an answer without words");
    }
    assert!(names.len() > 40);
}

#[test]
fn every_reference_leads_somewhere_and_names_are_in_camel_case() {
    fn walk(value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                    assert!(
                        !api().pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null).is_null(),
                        "{target}"
                    );
                }
                for name in
                    object.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name)
                {
                    assert!(!name.contains('_'), "{name}");
                }
                object.values().for_each(walk);
            }
            Value::Array(list) => list.iter().for_each(walk),
            _ => {}
        }
    }
    walk(api());
}

#[tokio::test]
async fn the_server_tells_it_to_everybody() {
    let app = TestApp::start().await;
    let answer = app.anonymous().get("/api/openapi.json").await;
    assert_eq!(answer.text(), guildhall_server::openapi::text());
}
