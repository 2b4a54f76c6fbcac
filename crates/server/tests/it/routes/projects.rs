use std::time::Duration;

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{PATIENCE, TestApp, Wish};

#[tokio::test]
async fn a_project_is_made_listed_changed_and_archived() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    assert_eq!(project["status"], "ready", "{project}");
    let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
    assert_eq!(owner.get(&path).await.is(StatusCode::OK), project);

    owner.post(&format!("{path}/features"), json!({ "description": "Do it." })).await.is(StatusCode::CREATED);
    let list = owner.get("/api/projects").await.is(StatusCode::OK);
    assert_eq!(list["items"][0]["counts"], json!({ "backlog": 1 }));
    assert!(list["next"].is_null());

    let commits = owner.get(&format!("{path}/commits")).await.is(StatusCode::OK);
    assert_eq!(commits["branch"], "main");
    assert_eq!(commits["items"][0]["authorName"], "Olga");
    owner.get(&format!("{path}/commits?branch=nope")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner
        .get(&format!("{path}/commits?branch=--output=x"))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(owner.get(&format!("{path}/commits?skip=1")).await.is(StatusCode::OK)["items"], json!([]));

    let mut settings =
        json!({ "verifyCommands": ["true"], "defaultModel": null, "instructions": "Be brief.", "repairs": 2 });
    let bad = json!({ "settings": { "repairs": 4 } });
    owner.patch(&path, bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let changed = owner.patch(&path, json!({ "name": "Demo 2", "settings": settings })).await.is(StatusCode::OK);
    let usual = json!({
        "afterWork": "wait", "checkMinutes": 20, "pipeline": [], "askWhatToKeep": true, "knowledgeTokens": 4000,
        "network": { "policy": "allow-list", "registries": true, "hosts": [] },
        "setUp": [], "setUpMinutes": 30, "cacheGib": 10, "sharedCaches": false,
    });
    settings.as_object_mut().unwrap().extend(usual.as_object().unwrap().clone());
    assert_eq!((&changed["name"], &changed["settings"]), (&json!("Demo 2"), &settings));

    // What somebody else set stays; so do the other fields of an object.
    let part = json!({ "settings": { "repairs": 3, "defaultModel": null, "network": { "registries": false } } });
    let changed = owner.patch(&path, part).await.is(StatusCode::OK);
    settings["repairs"] = json!(3);
    settings["network"]["registries"] = json!(false);
    assert_eq!((&changed["name"], &changed["settings"]), (&json!("Demo 2"), &settings));
    let unknown = json!({ "settings": { "repairz": 3 } });
    let problem = owner.patch(&path, unknown).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert!(problem.to_string().contains("repairz"), "{problem}");

    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    owner.get(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(owner.get("/api/projects").await.is(StatusCode::OK)["items"], json!([]));
}

#[tokio::test]
async fn projects_come_page_by_page() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for name in ["a", "b", "c"] {
        owner.project(name, json!({ "kind": "empty" })).await;
    }
    let first = owner.get("/api/projects?limit=2").await.is(StatusCode::OK);
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["a", "b"]);
    let next = first["next"].as_str().unwrap();
    let second = owner.get(&format!("/api/projects?limit=2&after={next}")).await.is(StatusCode::OK);
    assert_eq!(names(&second), ["c"]);
    assert!(second["next"].is_null());
}

#[tokio::test]
async fn a_name_is_used_once_and_a_source_must_be_allowed() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("Demo", json!({ "kind": "empty" })).await;
    let again = json!({ "name": "demo", "source": { "kind": "empty" } });
    owner.post("/api/projects", again).await.is_problem(StatusCode::CONFLICT, "taken");
    for (field, body) in [
        ("name", json!({ "name": "", "source": { "kind": "empty" } })),
        ("source.url", json!({ "name": "x", "source": { "kind": "clone", "url": "/etc" } })),
        ("source.url", json!({ "name": "x", "source": { "kind": "clone", "url": "file:///etc" } })),
        ("source.url", json!({ "name": "x", "source": { "kind": "clone", "url": "ext::sh -c id" } })),
        ("source.url", json!({ "name": "x", "source": { "kind": "clone", "url": "--upload-pack=id" } })),
        ("source", json!({ "name": "x", "source": { "kind": "gift" } })),
        ("source", json!({ "name": "x" })),
    ] {
        let answer = owner.post("/api/projects", body.clone()).await;
        let problem = answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(problem["errors"][0]["field"].as_str().unwrap().starts_with(field), "{body}: {problem}");
    }
    assert_eq!(owner.get("/api/projects").await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_repository_fails_in_words_and_can_be_tried_again() {
    let allowed = tempfile::tempdir().unwrap();
    let folder = allowed.path().to_owned();
    let app = TestApp::with(Wish {
        change: Box::new(move |config| config.allowed_repo_paths.push(folder)),
        ..Wish::default()
    })
    .await;
    let mut owner = app.owner().await;
    let folder = allowed.path().join("notes");
    std::fs::create_dir(&folder).unwrap();
    let source = json!({ "kind": "clone", "url": folder.to_str().unwrap() });
    let project = owner.project("Notes", source).await;
    assert_eq!(project["status"], "failed");
    assert!(project["error"].as_str().unwrap().contains("not a git repository"), "{project}");
    let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
    owner.get(&format!("{path}/commits")).await.is_problem(StatusCode::CONFLICT, "project-not-ready");

    let mut socket = owner.listen("").await.unwrap();
    let retried = owner.call(&format!("{path}/retry")).await.is(StatusCode::ACCEPTED);
    assert_eq!(retried["status"], "preparing");
    socket.wait(|frame| frame["project"]["status"] == "failed").await;
    let fine = owner.project("Fine", json!({ "kind": "empty" })).await;
    let path = format!("/api/projects/{}/retry", fine["id"].as_str().unwrap());
    owner.call(&path).await.is_problem(StatusCode::CONFLICT, "not-failed");
}

#[tokio::test]
async fn the_sample_offers_features() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let offered = viewer.get("/api/sample/suggestions").await.is(StatusCode::OK);
    assert!(offered.as_array().unwrap().len() >= 3);
}

/// A host that takes connections and never answers: what is cloned from there waits. Tells how many it has taken.
async fn silent_host() -> (String, tokio::sync::watch::Receiver<Vec<std::sync::Arc<tokio::net::TcpStream>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (told, taken) = tokio::sync::watch::channel(Vec::new());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            told.send_modify(|all| all.push(std::sync::Arc::new(stream)));
        }
    });
    (address, taken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_are_cloned_at_once_and_so_many_of_a_member_wait() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (host, mut taken) = silent_host().await;
    let clone = |n: usize| {
        let source = json!({ "kind": "clone", "url": format!("{host}/{n}.git") });
        json!({ "name": format!("p{n}"), "source": source })
    };
    for n in 0..10 {
        owner.post("/api/projects", clone(n)).await.is(StatusCode::CREATED);
    }
    let refused = owner.post("/api/projects", clone(10)).await.is_problem(StatusCode::CONFLICT, "too-many-clones");
    assert!(refused["detail"].as_str().unwrap().contains("of 10 of your projects"), "{refused}");
    // What is not cloned is made all the same, and others have a number of their own.
    owner.project("own", json!({ "kind": "empty" })).await;
    let mut admin = app.member(MemberRole::Admin).await;
    admin.post("/api/projects", clone(11)).await.is(StatusCode::CREATED);

    let came = |many: usize| move |all: &Vec<std::sync::Arc<tokio::net::TcpStream>>| all.len() >= many;
    tokio::time::timeout(PATIENCE, taken.wait_for(came(3))).await.unwrap().unwrap();
    let mut asked = Vec::new();
    for one in taken.borrow().clone() {
        let mut line = [0; 64];
        let read = one.peek(&mut line).await.unwrap();
        asked.push(String::from_utf8_lossy(&line[..read]).into_owned());
    }
    assert!(asked.iter().any(|line| line.starts_with("GET /11.git/")), "nobody waits for another's alone: {asked:?}");
    let fourth = tokio::time::timeout(Duration::from_millis(700), taken.wait_for(came(4))).await.is_ok();
    assert!(!fourth, "three at once");
    // One that fails makes room for the next.
    let first = taken.borrow()[0].clone();
    rustix::net::shutdown(&*first, rustix::net::Shutdown::Both).unwrap();
    tokio::time::timeout(PATIENCE, taken.wait_for(came(4))).await.unwrap().unwrap();
}
