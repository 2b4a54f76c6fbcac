use serde_json::json;

use super::*;

fn read(value: &Value) -> OldFeature {
    feature(value.to_string().as_bytes(), "folder").unwrap()
}

fn names(of: &Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<&str> = of.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_field_is_read() {
    let old = read(&json!({
        "id": "feature-1", "title": "A list", "description": "Build\r\na list.", "category": "UI", "status": "pipeline_review",
        "priority": 1, "dependencies": ["feature-0"], "spec": "Long.", "model": "opus", "branchName": "feature/list",
        "error": "It broke.", "summary": "Built.", "skipTests": true, "requirePlanApproval": true, "planningMode": "spec",
        "thinkingLevel": "high", "reasoningEffort": "low",
        "imagePaths": ["images/a.png", {"id": "i", "path": "/x/b.png", "filename": "b.png", "mimeType": "image/png"}],
        "textFilePaths": [{"id": "t", "path": "c.txt", "filename": "c.txt", "mimeType": "text/plain", "content": "text"}],
        "planSpec": {"status": "approved", "content": "# Plan", "version": 2, "reviewedByUser": true,
            "tasks": [{"id": "T001", "description": "First", "filePath": "a.rs", "phase": "One", "status": "completed"}]},
        "descriptionHistory": [{"description": "A list", "timestamp": "2025-01-01T00:00:00Z", "source": "initial"}],
        "passes": true, "startedAt": "2025-01-02T00:00:00Z", "balance": 1
    }));
    assert_eq!((old.id.as_str(), old.description.as_str()), ("feature-1", "Build\na list."));
    assert_eq!((old.status.as_deref(), old.priority), (Some("pipeline_review"), Some(json!(1))));
    assert_eq!(old.images.iter().map(OldFile::name).collect::<Vec<_>>(), ["images/a.png", "b.png"]);
    assert_eq!((old.texts[0].content(), old.texts[0].path()), (Some("text"), Some("c.txt")));
    let plan = old.plan.unwrap();
    assert_eq!((plan.tasks[0].phase.as_deref(), &plan.rest["version"]), (Some("One"), &json!(2)));
    assert_eq!(old.history[0].source.as_deref(), Some("initial"));
    assert_eq!(names(&old.rest), ["balance", "passes", "startedAt"]);
    assert!(old.odd.is_empty(), "{:?}", old.odd);
}

#[test]
fn what_is_of_another_type_is_told_and_kept() {
    let old = read(&json!({
        "description": "x", "id": 7, "dependencies": "feature-0", "skipTests": "yes", "imagePaths": {"a": 1}, "title": null,
        "planSpec": {"tasks": "none"}, "priority": "high"
    }));
    assert_eq!((old.id.as_str(), old.title, old.priority), ("folder", None, Some(json!("high"))));
    assert_eq!(old.odd.len(), 5, "{:?}", old.odd);
    assert!(old.odd[0].contains("`id`"));
    assert_eq!(names(&old.rest), ["dependencies", "id", "imagePaths", "planSpec", "skipTests"]);
    assert_eq!(old.rest["dependencies"], json!("feature-0"));
}

#[test]
fn odd_files_are_read_or_told() {
    let told = |bytes: &[u8]| feature(bytes, "folder").unwrap_err();
    assert!(told(b"").contains("cannot be read"));
    assert!(told(b"[1]").contains("cannot be read"));
    assert!(told(b"{\"description\": \"cut").contains("cannot be read"));
    assert!(told(b"{\"description\": \"\xff\"}").contains("no UTF-8"));
    assert!(told(format!("{{\"a\": {}", "[".repeat(100_000)).as_bytes()).contains("recursion"));
    assert!(told(b"{\"id\": \"a\", \"description\": \" \\r\\n\"}").contains("neither a description nor a title"));
    let titled = feature(b"{\"title\": \"A list\"}", "f-1").unwrap();
    assert_eq!((titled.description.as_str(), titled.id.as_str(), titled.odd.len()), ("A list", "f-1", 1));
    let marked = feature("\u{feff}{\r\n\"description\": \"é\"\r\n}".as_bytes(), "f").unwrap();
    assert_eq!(marked.description, "é");
    let huge = json!({ "description": "a".repeat(3_000_000) });
    assert_eq!(read(&huge).description.len(), 3_000_000);
}

#[test]
fn steps_come_in_their_order() {
    let steps = pipeline(
        br#"{"version": 1, "steps": [{"id": "b", "name": "Second", "order": 2, "instructions": "y", "colorClass": "red"},
            {"id": "a", "name": "First", "order": 0, "instructions": "x"}]}"#,
    );
    assert_eq!(steps.unwrap().iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["First", "Second"]);
    assert!(pipeline(b"{}").unwrap().is_empty());
    assert!(pipeline(b"{\"steps\": 1}").is_err() && categories(b"{}").is_err());
    assert_eq!(categories(b"[\"UI\", \"Core\"]"), Ok(2));
}

#[test]
fn what_stands_above_a_note_is_kept() {
    let lined = note(b"---\r\ntags: [api, \"rest\"]\r\nsummary: 'How it goes'\r\nusageStats:\r\n  loaded: 3\r\n---\r\n# Gotchas\r\n\r\nMind.\r\n");
    let lined = lined.unwrap();
    assert_eq!(
        (lined.tags, lined.summary.as_deref()),
        (vec!["api".to_owned(), "rest".to_owned()], Some("How it goes"))
    );
    assert_eq!(lined.body, "# Gotchas\n\nMind.");
    assert!(lined.front.unwrap().ends_with("usageStats:\n  loaded: 3"));
    let dashed = note(b"---\nsummary:\ntags:\n  - one\n  - two\nother: 1\n---\nText\n---\nmore").unwrap();
    assert_eq!((dashed.tags, dashed.summary), (vec!["one".to_owned(), "two".to_owned()], None));
    assert_eq!(dashed.body, "Text\n---\nmore");
    assert_eq!(note(b"---\n---").unwrap(), OldNote::default());
    assert_eq!(note(b"--- no front").unwrap().body, "--- no front");
    assert_eq!(note(b"---\nnever: closed").unwrap().body, "---\nnever: closed");
    assert!(note(b"\xff").is_err());
}
