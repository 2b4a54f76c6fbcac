//! The knowledge hub as files: out, and in again.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use super::knowledge::{learning, path, sent, titles, wrote};
use crate::harness::{Persona, TestApp};

async fn file_of(persona: &mut Persona, item: &Value) -> String {
    persona.get(&format!("/api/knowledge/items/{}/markdown", item["id"].as_str().unwrap())).await.text()
}

async fn related(persona: &mut Persona, item: &Value) -> Value {
    persona.get(&path("entries", item)).await.is(StatusCode::OK)["related"].clone()
}

/// An archive of a folder, in one of the forms that the tar program knows.
async fn archive(form: &str, folder: &Path) -> Vec<u8> {
    let made =
        Command::new("tar").arg(format!("--format={form}")).arg("-C").arg(folder).args(["-cf", "-", "."]).output();
    let made = made.await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

#[tokio::test]
async fn what_goes_out_as_files_comes_in_again() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let blueprint = wrote(
        &mut olga,
        "blueprints",
        json!({ "name": "../Tests: how?", "content": "Write\n\n---\n\nthem.", "priority": 9 }),
    )
    .await;
    let mut body = learning("Sockets drop", "Connect again.");
    body["related"] = json!([blueprint["id"]]);
    let told = wrote(&mut olga, "learnings", body).await;
    let archive = olga.get("/api/knowledge/export").await;
    assert_eq!(archive.header("content-type"), "application/x-tar");
    let bytes = archive.text().into_bytes();
    // As a browser asks for it.
    let packed = olga.request(Method::GET, "/api/knowledge/export").header("accept-encoding", "gzip");
    let packed = olga.send(packed).await;
    assert_eq!((packed.status, packed.header("content-encoding")), (StatusCode::OK, "gzip"));

    // Nothing changed: nothing is written.
    let report = sent(&mut olga, "application/x-tar", bytes.clone()).await.is(StatusCode::OK);
    assert_eq!(
        (report["unchanged"].as_array().unwrap().len(), report["created"].as_array().unwrap().len()),
        (2, 0),
        "{report}"
    );
    // Into another hub.
    let other = TestApp::start().await;
    let mut ida = other.owner().await;
    let report = sent(&mut ida, "application/x-tar", bytes.clone()).await.is(StatusCode::OK);
    assert_eq!(report["created"].as_array().unwrap().len(), 2, "{report}");
    let there = ida.get("/api/knowledge/blueprints").await.is(StatusCode::OK)["items"][0].clone();
    assert_eq!((&there["name"], &there["priority"]), (&blueprint["name"], &json!(9)));
    let there = ida.get(&path("blueprints", &there)).await.is(StatusCode::OK);
    assert_eq!(there["content"], blueprint["content"]);
    let learnt = ida.get("/api/knowledge/learnings").await.is(StatusCode::OK)["items"][0].clone();
    assert_eq!(
        (&learnt["related"], &learnt["problem"], &learnt["tags"]),
        (&json!([there["id"]]), &told["problem"], &told["tags"])
    );
    assert_eq!(learnt["id"], told["id"], "an id that nothing has there is kept");
    // A second time, it is there.
    let report = sent(&mut ida, "application/x-tar", bytes).await.is(StatusCode::OK);
    assert_eq!(report["unchanged"].as_array().unwrap().len(), 2, "{report}");

    // One file, changed by hand.
    let file = olga.get(&format!("/api/knowledge/items/{}/markdown", told["id"].as_str().unwrap())).await;
    assert!(file.header("content-disposition").contains("sockets-drop-"), "{}", file.header("content-disposition"));
    let text = file.text().replace("Connect again.", "Connect at once.");
    let report = sent(&mut olga, "text/markdown; charset=utf-8", text).await.is(StatusCode::OK);
    assert_eq!(report["updated"][0]["id"], told["id"], "{report}");
    assert_eq!(olga.get(&path("learnings", &told)).await.is(StatusCode::OK)["content"], "Connect at once.");

    let bad = "---\nkind: entry\ntitle: x\napplicationCount: 9\n---\ny".to_owned();
    sent(&mut olga, "text/markdown", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let secret = format!("---\nkind: entry\ntitle: x\n---\nghp_{}", "q2m8d1rTHqT5kdrY2HmuCkuYv205dC8TvvT8");
    let problem =
        sent(&mut olga, "text/markdown", secret).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert!(!problem.to_string().contains("q2m8"), "{problem}");
    sent(&mut olga, "application/x-tar", vec![1_u8; 2_000])
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    sent(&mut olga, "application/zip", "PK").await.is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-knowledge");
    sent(&mut olga, "application/x-tar", vec![0_u8; 33 << 20])
        .await
        .is_problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    assert_eq!(titles(&mut olga, "").await.len(), 2);
}

#[tokio::test]
async fn of_an_archive_every_file_comes_in_or_is_told_of() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let desk = tempfile::tempdir().unwrap();
    let learnings = desk.path().join("knowledge-export-2026/learnings");
    std::fs::create_dir_all(&learnings).unwrap();
    let long = format!("{}.md", "a-rather-long-title-".repeat(6));
    for (name, bytes) in [
        (long.as_str(), &b"---\nkind: entry\ntitle: Quinces\n---\nThey ripen late."[..]),
        ("medlars.markdown", b"---\nkind: entry\ntitle: Medlars\n---\nLay them in straw."),
        ("picture.png", b"\x89PNG"),
        ("._quinces.md", b"\xff\xfe"),
    ] {
        std::fs::write(learnings.join(name), bytes).unwrap();
    }
    std::fs::create_dir(desk.path().join(".git")).unwrap();
    std::fs::write(desk.path().join(".git/hidden.md"), "no item").unwrap();
    for form in ["gnu", "pax"] {
        let report = sent(&mut olga, "application/x-tar", archive(form, desk.path()).await).await.is(StatusCode::OK);
        let came = report["created"].as_array().unwrap().len() + report["skipped"].as_array().unwrap().len();
        assert_eq!(came, 1, "{form}: {report}");
        let mut ignored: Vec<&str> =
            report["ignored"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        ignored.sort_unstable();
        let of = |name: &str| format!("./knowledge-export-2026/learnings/{name}");
        assert_eq!(ignored, [of("medlars.markdown"), of("picture.png")], "{form}");
    }
    assert_eq!(titles(&mut olga, "").await, ["Quinces"]);

    // What is wrong in a file is told with its field, of all faulty ones at once, and nothing comes in.
    std::fs::write(learnings.join("bad.md"), "---\nkind: entry\ntitle: x\ntags: one\n---\ny").unwrap();
    std::fs::write(learnings.join("worse.md"), b"\xff\xfe").unwrap();
    let twice = format!("---\nid: {}\nkind: entry\ntitle: Sloes\n---\nAfter the first frost.", uuid::Uuid::nil());
    for name in ["one.md", "two.md"] {
        std::fs::write(learnings.join(name), &twice).unwrap();
    }
    let answer = sent(&mut olga, "application/x-tar", archive("gnu", desk.path()).await).await;
    let problem = answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let why = |name: &str| {
        let of = format!("./knowledge-export-2026/learnings/{name}");
        let told = problem["faulty"].as_array().unwrap().iter().find(|one| one["file"] == of.as_str());
        told.map(|one| one["why"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert!(why("bad.md").starts_with("tags: write a list of words"), "{problem}");
    assert_eq!(why("worse.md"), "the file is no UTF-8 text");
    assert!(format!("{}{}", why("one.md"), why("two.md")).starts_with("it has the id of "), "{problem}");
    assert_eq!(problem["faulty"].as_array().unwrap().len(), 3, "{problem}");
    assert_eq!(titles(&mut olga, "").await, ["Quinces"]);
}

#[tokio::test]
async fn what_is_related_stays_so_over_the_parts_of_an_import() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let entry = |title: &str, content: &str| json!({ "title": title, "content": content });
    let pears = wrote(&mut olga, "entries", entry("Pears", "They are picked while they are hard.")).await;
    let plums = wrote(&mut olga, "entries", entry("Plums", "Dry them on the stove, not in the sun.")).await;
    let mut fruit = entry("Fruit", "What grows behind the house.");
    fruit["related"] = json!([pears["id"], plums["id"]]);
    let fruit = wrote(&mut olga, "entries", fruit).await;

    // Another hub says much the same of pears already.
    let other = TestApp::start().await;
    let mut ida = other.owner().await;
    let like = wrote(&mut ida, "entries", entry("Pears", "They are picked while they are hard.")).await;
    let first = file_of(&mut olga, &fruit).await;
    let report = sent(&mut ida, "text/markdown", first.clone()).await.is(StatusCode::OK);
    assert_eq!(report["created"][0]["id"], fruit["id"], "{report}");
    assert_eq!(report["unrelated"], json!([{ "file": "the file", "related": [pears["id"], plums["id"]] }]));
    // Their files come later, and the first one again.
    let desk = tempfile::tempdir().unwrap();
    for (name, item) in [("pears.md", &pears), ("plums.md", &plums), ("fruit.md", &fruit)] {
        std::fs::write(desk.path().join(name), file_of(&mut olga, item).await).unwrap();
    }
    let report = sent(&mut ida, "application/x-tar", archive("gnu", desk.path()).await).await.is(StatusCode::OK);
    assert_eq!((&report["created"][0]["id"], &report["updated"][0]["id"]), (&plums["id"], &fruit["id"]), "{report}");
    assert_eq!(report["skipped"][0]["similar"][0]["id"], like["id"], "{report}");
    assert_eq!(report["unrelated"], json!([]));
    assert_eq!(related(&mut ida, &fruit).await, json!([like["id"], plums["id"]]));

    // An id that a deleted item has is not free.
    ida.delete(&path("entries", &plums)).await.is(StatusCode::NO_CONTENT);
    let report = sent(&mut ida, "text/markdown", file_of(&mut olga, &plums).await).await.is(StatusCode::OK);
    assert_ne!(report["created"][0]["id"], plums["id"], "{report}");
}
