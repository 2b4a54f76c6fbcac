//! `guildhall import automaker`, as an operator uses it beside a running server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Persona, TestApp, Wish};
use crate::program::{guildhall, run};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10";

/// A token that nobody has.
fn token() -> String {
    format!("ghp_{}", "q2m8d1rTHqT5kdrY2HmuCkuYv205dC8TvvT8")
}

fn write(at: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = at.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn card(at: &Path, folder: &str, card: &Value) {
    write(at, &format!("features/{folder}/feature.json"), card.to_string());
}

async fn git(at: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=Olga", "-c", "user.email=olga@example.com"];
    let done = Command::new("git").arg("-C").arg(at).args(who).args(arguments).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A project of Automaker's with every field and oddity. Its branch `feature/open` has what `main` lacks.
async fn fixture(at: &Path) {
    write(at, "README.md", "# Shop\n");
    git(at, &["init", "-q", "-b", "main"]).await;
    git(at, &["add", "README.md"]).await;
    git(at, &["commit", "-q", "-m", "Begin"]).await;
    git(at, &["branch", "feature/merged"]).await;
    git(at, &["checkout", "-q", "-b", "feature/open"]).await;
    git(at, &["commit", "-q", "--allow-empty", "-m", "More"]).await;
    git(at, &["checkout", "-q", "main"]).await;
    let at = &at.join(".automaker");
    card(
        at,
        "f-1",
        &json!({
            "id": "f-1", "title": "A list", "description": "Build a list.", "category": "UI", "status": "backlog", "priority": 1,
            "dependencies": ["f-2", "ghost"], "spec": "The spec.", "model": "opus", "branchName": "feature/list",
            "passes": false, "skipTests": true, "requirePlanApproval": true, "planningMode": "spec", "thinkingLevel": "high",
            "imagePaths": [".automaker/images/a.png", {"id": "i", "filename": "b.png", "mimeType": "image/png",
                "path": "/elsewhere/shop/.automaker/features/f-1/images/b.png"}, "images/leak.png", "../../../../../../../../etc/hostname"],
            "textFilePaths": [{"id": "t", "path": "gone.txt", "filename": "notes.txt", "mimeType": "text/plain", "content": "Mind the gap."}],
            "planSpec": {"status": "approved", "content": "# Plan", "version": 2, "tasksTotal": 1,
                "tasks": [{"id": "T001", "description": "First", "status": "completed"}]},
            "descriptionHistory": [{"description": "A list", "timestamp": "2025-01-01T00:00:00Z", "source": "initial"}],
            "balance": {"left": 7}
        }),
    );
    write(at, "images/a.png", PNG);
    write(at, "features/f-1/images/b.png", PNG);
    symlink("/etc/hostname", at.join("features/f-1/images/leak.png")).unwrap();
    write(at, "features/f-1/agent-output.md", "Thinking aloud.");
    write(at, "features/f-1/raw-output.jsonl", "{}");
    // What it depends on comes later by name, and begins with a mark; its lines end as on Windows.
    let marked = "\u{feff}{\r\n  \"id\": \"f-2\",\r\n  \"description\": \"Build\\r\\nmore.\",\r\n  \"status\": \"in_progress\",\r\n  \"branchName\": \"feature/open\",\r\n  \"error\": \"It stopped.\"\r\n}";
    write(at, "features/f-2/feature.json", marked);
    card(
        at,
        "f-3",
        &json!({ "id": "f-3", "description": "Sign in", "status": "verified", "branchName": "feature/merged" }),
    );
    card(
        at,
        "f-4",
        &json!({ "id": "f-4", "description": "Sign out", "status": "verified", "branchName": "feature/open" }),
    );
    card(at, "f-5", &json!({ "id": "f-5", "description": "Begin", "status": "completed", "summary": "All is begun." }));
    write(at, "features/f-5/agent-output.md", vec![b'a'; 6 << 20]);
    card(at, "f-6", &json!({ "id": "f-6", "description": "One", "dependencies": ["f-7"], "status": "on_hold" }));
    card(at, "f-7", &json!({ "id": "f-7", "description": "Two", "dependencies": ["f-6"], "title": 7 }));
    card(at, "f-8", &json!({ "id": "f-1", "description": "A twin" }));
    card(at, "f-9", &json!({ "description": format!("First.\nUse {} for it.", token()) }));
    write(at, "features/g-1/feature.json", "{\"id\": \"g-1\", ");
    write(at, "features/g-2/feature.json", b"{\"description\": \"\xff\"}");
    write(at, "features/g-3/feature.json", vec![b' '; (16 << 20) + 1]);
    write(at, "features/g-4/images/a.png", PNG);
    card(at, "g-5", &json!({ "description": "a".repeat(100_001) }));
    symlink("/etc", at.join("features/g-6")).unwrap();
    write(at, "context/rules.md", "Keep functions short.\r\n");
    write(at, "context/context-metadata.json", "{}");
    write(at, "context/token.md", token());
    write(
        at,
        "memory/gotchas.md",
        "---\ntags: [api]\nsummary: What to mind\nusageStats:\n  loaded: 3\n---\n# Gotchas\n\nThe port is 4300.",
    );
    write(at, "app_spec.txt", "<project>A shop for quinces</project>");
    write(at, "categories.json", "[\"UI\"]");
    write(
        at,
        "pipeline.json",
        r#"{"version": 1, "steps": [{"id": "s", "name": "Review", "order": 0, "instructions": "Look twice.", "colorClass": "red"}]}"#,
    );
    write(at, "settings.json", "{}");
    let known =
        json!({ "id": "e-1", "title": "Medlars", "content": "Lay them in straw.", "type": "faq", "createdBy": "x" });
    write(at, "team/knowledge/entries/e-1/entry.json", known.to_string());
    write(at, "team/knowledge/learnings/l-1/learning.json", "[]");
    write(at, "team/agents/a-1/agent.json", "{}");
}

async fn items(who: &mut Persona, path: &str) -> Vec<Value> {
    who.get(path).await.is(StatusCode::OK)["items"].as_array().unwrap().clone()
}

#[track_caller]
fn has(out: &str, lines: &[&str]) {
    for line in lines {
        assert!(out.contains(line), "no {line:?} in {out}");
    }
}

async fn a_project_comes_in_once(postgres: bool) {
    let url = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&url);
    let keep = move |config: &mut guildhall_server::config::Config| {
        *kept.lock().unwrap() = config.database_url.expose().to_owned();
    };
    let app = TestApp::with(Wish { postgres, change: Box::new(keep), ..Wish::default() }).await;
    let mut olga = app.owner().await;
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path().canonicalize().unwrap();
    let shop = desk.join("shop");
    fixture(&shop).await;
    let database = url.lock().unwrap().clone();
    let ask = async |allowed: bool, arguments: &[&str]| {
        let mut command = guildhall(app.dir.path());
        command.env("DATABASE_URL", &database);
        if allowed {
            command.env("GUILDHALL_ALLOWED_REPO_PATHS", &desk);
        }
        run(command.args(["import", "automaker"]).args(arguments)).await
    };
    let path = shop.to_str().unwrap();

    // What stands in the way is told, and a trial writes nothing.
    let (code, out, err) = ask(false, &[path]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    has(
        &out,
        &["shop stays out: source.url: this folder is not below", &format!("GUILDHALL_ALLOWED_REPO_PATHS={path}")],
    );
    let (code, _, err) = ask(true, &[desk.join("none").to_str().unwrap()]).await;
    assert!(code == Some(1) && err.contains("cannot be read"), "{err}");
    let (code, _, err) = ask(true, &[app.dir.path().to_str().unwrap()]).await;
    assert!(code == Some(1) && err.contains("there is no folder .automaker"), "{err}");
    let (code, _, err) = ask(true, &[path, "--member", "nobody@example.com"]).await;
    assert!(code == Some(1) && err.contains("no member has the e-mail address"), "{err}");
    let (code, out, err) = ask(true, &[path, "--project", "Nothing"]).await;
    assert!(code == Some(1) && out.contains("there is no project called “Nothing”"), "{out}{err}");
    let (code, out, err) = ask(true, &[path, "--dry-run"]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    has(&out, &["would come in: shop: would be added", "would come in: features/f-1/feature.json: card “A list”"]);
    has(&out, &["stays out: features/g-1/feature.json", "Nothing was written."]);
    assert!(items(&mut olga, "/api/projects").await.is_empty());
    assert!(items(&mut olga, "/api/knowledge/search").await.is_empty());

    let (code, out, err) = ask(true, &[path]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    has(
        &out,
        &[
            "came in: features/f-1/feature.json: card #2 “A list”",
            "changed: features/f-1/feature.json: it does not wait for ghost, which did not come in",
            "changed: features/f-1/feature.json: the model opus became claude-opus-5-5",
            "stays out: features/f-1/feature.json: the card's file images/leak.png: it is a symbolic link",
            "etc/hostname: it ",
            "left aside: features/f-1/raw-output.jsonl: the card does not speak of it",
            "changed: features/f-2/feature.json: in_progress became backlog: an agent had begun it",
            "changed: features/f-3/feature.json: verified became completed",
            "changed: features/f-4/feature.json: verified became backlog",
            "stays out: features/f-5/agent-output.md: it is too large",
            "changed: features/f-6/feature.json: on_hold became backlog: no such status is known",
            "changed: features/f-7/feature.json: `title` is not of the type that it should be",
            "stays out: features/f-8/feature.json: another card has its id, f-1",
            "stays out: features/f-9/feature.json: description: line 2 looks like ",
            "stays out: features/g-1/feature.json: it cannot be read as it should",
            "stays out: features/g-2/feature.json: it is no UTF-8 text",
            "stays out: features/g-3/feature.json: it is too large: at most 16 MiB are read",
            "stays out: features/g-4/feature.json: it cannot be read",
            "stays out: features/g-5/feature.json: description: use at most 100000 characters",
            "stays out: features/g-6: it is a symbolic link",
            "came in: context/rules.md: in the project's instructions",
            "stays out: context/token.md: line 1 looks like",
            "came in: memory/gotchas.md: learning “Gotchas (shop)”",
            "came in: app_spec.txt: entry “App specification (shop)”",
            "left aside: categories.json: 1 categories",
            "came in: pipeline.json: the project's pipeline: “Review”",
            "came in: team/knowledge/entries/e-1/entry.json: entry “Medlars”",
            "changed: team/knowledge/entries/e-1/entry.json: left out: createdBy",
            "stays out: team/knowledge/learnings/l-1/learning.json: it cannot be read",
            "left aside: team/agents: it was not read",
            "left aside: settings.json: it has no counterpart here",
        ],
    );
    assert!(!format!("{out}{err}").contains(&token()));

    // The board has it, and the page may go on with it.
    let project = items(&mut olga, "/api/projects").await.remove(0);
    assert_eq!((&project["name"], &project["status"]), (&json!("shop"), &json!("ready")));
    assert_eq!(project["settings"]["instructions"], json!("## rules\n\nKeep functions short."));
    assert_eq!(project["settings"]["pipeline"][0]["instructions"], json!("Look twice."));
    let board = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let cards = items(&mut olga, &board).await;
    let called = |title: &str| cards.iter().find(|card| card["title"] == title).unwrap().clone();
    let of: Vec<(&str, &str)> =
        cards.iter().map(|card| (card["title"].as_str().unwrap(), card["status"].as_str().unwrap())).collect();
    assert_eq!(
        of,
        [
            ("Build", "backlog"),
            ("A list", "backlog"),
            ("Sign in", "completed"),
            ("Sign out", "backlog"),
            ("Begin", "completed"),
            ("Two", "backlog"),
            ("One", "backlog"),
        ]
    );
    let list = called("A list");
    assert_eq!(
        (&list["category"], &list["priority"], &list["branch"]),
        (&json!("UI"), &json!(1), &json!("feature/list"))
    );
    assert_eq!(list["dependencies"], json!([called("Build")["id"]]));
    assert_eq!((&list["model"], &list["skipVerification"]), (&json!("claude-opus-5-5"), &json!(true)));
    assert_eq!((&list["planningMode"], &list["requirePlanApproval"]), (&json!("spec"), &json!(true)));
    assert_eq!((&list["thinkingLevel"], &list["createdBy"]), (&json!("high"), &json!(olga.id().await)));
    let one = format!("/api/features/{}", list["id"].as_str().unwrap());
    let text = olga.get(&one).await.is(StatusCode::OK)["description"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Build a list.\n\n---\n\n**From Automaker**\n\n- It depended on cards"), "{text}");
    let files = items(&mut olga, &format!("{one}/attachments")).await;
    let names: Vec<&str> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["specification.md", "plan.md", "automaker.json", "a.png", "b.png", "notes.txt", "agent-output.md"]
    );
    assert_eq!((&files[3]["mediaType"], &files[3]["createdBy"]), (&json!("image/png"), &json!(olga.id().await)));
    let left = olga.get(&format!("/api/attachments/{}", files[2]["id"].as_str().unwrap())).await.json();
    assert_eq!((&left["balance"]["left"], &left["passes"], &left["model"]), (&json!(7), &json!(false), &json!("opus")));
    let texts = items(&mut olga, &format!("{one}/versions")).await;
    let of: Vec<(&Value, &Value)> = texts.iter().map(|text| (&text["number"], &text["deed"])).collect();
    assert_eq!(of, [(&json!(2), &json!("imported")), (&json!(1), &json!("imported"))]);
    assert_eq!(texts[1]["at"], json!("2025-01-01T00:00:00Z"));
    let begun = olga.get(&format!("/api/features/{}", called("Build")["id"].as_str().unwrap())).await.json();
    assert!(begun["branch"].is_null(), "an agent could not make that branch");
    has(
        begun["description"].as_str().unwrap(),
        &["It was `in_progress`", "the branch `feature/open`", "> It stopped."],
    );
    let done = olga.get(&format!("/api/features/{}", called("Begin")["id"].as_str().unwrap())).await.json();
    assert_eq!(done["summary"], json!("All is begun."));
    let found = items(&mut olga, "/api/knowledge/search?q=port").await;
    assert_eq!((&found[0]["kind"], &found[0]["review"]), (&json!("learning"), &json!("proposed")));
    assert_eq!(items(&mut olga, "/api/knowledge/search?q=quinces").await[0]["kind"], json!("entry"));
    let audit = items(&mut olga, "/api/audit?object=feature").await.remove(0);
    assert_eq!(
        (&audit["memberId"], &audit["userAgent"]),
        (&json!(olga.id().await), &json!("guildhall import automaker"))
    );

    // Once more nothing comes in, whatever was deleted here since; what was mended there does.
    olga.delete(&format!("/api/features/{}", called("One")["id"].as_str().unwrap())).await;
    let at = &shop.join(".automaker");
    card(at, "g-1", &json!({ "id": "g-1", "description": "Mended", "dependencies": ["f-6", "f-2"] }));
    let (code, out, err) = ask(true, &[shop.join(".automaker").to_str().unwrap()]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    has(
        &out,
        &["1 came in, with 1 changes; 12 were here before", "came in: features/g-1/feature.json: card #8 “Mended”"],
    );
    has(&out, &["here before: memory/gotchas.md", "here before: context/rules.md", "here before: pipeline.json"]);
    has(&out, &["it does not wait for f-6, which did not come in"]);
    assert_eq!(items(&mut olga, &board).await.len(), 7);

    // Without what stays out, all is well: also into a project that is here.
    for folder in ["f-8", "f-9", "g-1", "g-2", "g-3", "g-4", "g-5"] {
        fs::remove_dir_all(at.join("features").join(folder)).unwrap();
    }
    for file in [
        "team/knowledge/learnings/l-1/learning.json",
        "features/g-6",
        "features/f-1/images/leak.png",
        "features/f-5/agent-output.md",
        "context/token.md",
    ] {
        fs::remove_file(at.join(file)).unwrap();
    }
    card(at, "f-1", &json!({ "id": "f-1", "description": "A list" }));
    let other = olga.project("Other", json!({ "kind": "empty" })).await;
    let (code, out, err) = ask(false, &[path, "--project", "other", "--member", "Olga@example.com"]).await;
    // The hub has much the same from the first project.
    assert_eq!(code, Some(1), "{out}{err}");
    has(&out, &["came in: features/f-1/feature.json: card #1 “A list”", "the hub holds much the same already"]);
    let board = format!("/api/projects/{}/features", other["id"].as_str().unwrap());
    assert_eq!(items(&mut olga, &board).await.len(), 7);
    // In a folder of several, each is told; all of it is here.
    for file in ["memory", "team", "app_spec.txt"] {
        let file = at.join(file);
        if file.is_dir() { fs::remove_dir_all(file).unwrap() } else { fs::remove_file(file).unwrap() }
    }
    let (code, out, err) = ask(true, &[desk.to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    has(&out, &["shop, from ", "0 came in, with 0 changes; 9 were here before, 0 stay out"]);
}

#[tokio::test]
async fn a_project_comes_in_once_into_sqlite() {
    a_project_comes_in_once(false).await;
}

#[tokio::test]
async fn a_project_comes_in_once_into_postgres() {
    a_project_comes_in_once(true).await;
}

#[tokio::test]
async fn it_is_brought_in_for_who_may_write_and_needs_a_name_where_two_own_the_team() {
    use guildhall_types::member::MemberRole;
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    olga.project("Shop", json!({ "kind": "empty" })).await;
    app.member(MemberRole::Viewer).await;
    let desk = tempfile::tempdir().unwrap();
    card(&desk.path().join(".automaker"), "f-1", &json!({ "description": "Build it." }));
    let ask = async |arguments: &[&str]| {
        let mut command = guildhall(app.dir.path());
        run(command.args(["import", "automaker"]).arg(desk.path()).args(["--project", "Shop"]).args(arguments)).await
    };
    let (code, out, err) = ask(&["--member", "viewer@example.com"]).await;
    assert!(code == Some(1) && out.contains("is a viewer and may write no cards"), "{out}{err}");
    app.member(MemberRole::Owner).await;
    let (code, _, err) = ask(&[]).await;
    assert!(code == Some(1) && err.contains("more than one owner; say with --member"), "{err}");
    let (code, out, err) = ask(&["--member", "olga@example.com"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("1 came in, with 0 changes"), "{out}");
    // A folder that is no repository cannot become a project.
    let (code, out, _) = run(guildhall(app.dir.path())
        .args(["import", "automaker"])
        .arg(desk.path())
        .args(["--member", "olga@example.com"]))
    .await;
    assert!(code == Some(1) && out.contains("it is no git repository"), "{out}");
}

#[tokio::test]
async fn nothing_comes_in_while_auto_mode_would_work_on_it() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let project = olga.project("Shop", json!({ "kind": "empty" })).await;
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let desk = tempfile::tempdir().unwrap();
    card(&desk.path().join(".automaker"), "f-1", &json!({ "description": "Build it." }));
    let ask = async |arguments: &[&str]| {
        let mut command = guildhall(app.dir.path());
        run(command.args(["import", "automaker"]).arg(desk.path()).args(["--project", "Shop"]).args(arguments)).await
    };
    let auto_mode = format!("{base}/auto-mode");
    olga.post(&auto_mode, json!({ "action": "start" })).await.is(StatusCode::OK);
    let (code, out, err) = ask(&["--dry-run"]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    has(&out, &["stays out: Shop: the auto mode of olga@example.com is on in “Shop”", "would come in: features/f-1"]);
    let (code, out, err) = ask(&[]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    has(&out, &["stays out: the auto mode of olga@example.com is on", "switch it off, or name another member"]);
    assert!(items(&mut olga, &format!("{base}/features")).await.is_empty());
    olga.post(&auto_mode, json!({ "action": "stop" })).await.is(StatusCode::OK);
    let (code, out, err) = ask(&[]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(items(&mut olga, &format!("{base}/features")).await.len(), 1);
}

#[tokio::test]
async fn what_somebody_gives_the_project_meanwhile_is_kept() {
    use guildhall_team::automaker::Became;
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let project = olga.project("Shop", json!({ "kind": "empty" })).await;
    let id: String = project["id"].as_str().unwrap().to_owned();
    let team = &app.app.team;
    let (member, _) = team.store.member_by_email("olga@example.com").await.unwrap().unwrap();
    let mut import = team.import_automaker(&member, Some(id.parse().unwrap()), "Shop", false).await.unwrap();
    let own =
        json!({ "settings": { "instructions": "Mine.", "pipeline": [{ "name": "Mine", "instructions": "Look." }] } });
    let before = olga.patch(&format!("/api/projects/{id}"), own).await.is(StatusCode::OK);
    import.context("context", vec![("rules.md".to_owned(), b"Keep it short.".to_vec())]).await.unwrap();
    import.pipeline("pipeline.json", br#"{"steps": [{"name": "Review", "instructions": "Twice."}]}"#).await.unwrap();
    let after = olga.get(&format!("/api/projects/{id}")).await.is(StatusCode::OK);
    assert_eq!(after["settings"], before["settings"]);
    let told = import.report();
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, what) in told.iter().zip(["given instructions meanwhile", "given a pipeline meanwhile"]) {
        assert!(told.became == Became::Out && told.words.contains(what), "{told:?}");
    }
}

/// What came in until then is told, and of several folders the others come in.
#[tokio::test]
async fn one_that_fails_midway_is_told_as_far_as_it_came() {
    use sqlx::Connection;
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path().canonicalize().unwrap();
    for name in ["one", "two"] {
        let at = desk.join(name);
        write(&at, "README.md", "# Shop\n");
        git(&at, &["init", "-q", "-b", "main"]).await;
        git(&at, &["add", "README.md"]).await;
        git(&at, &["commit", "-q", "-m", "Begin"]).await;
        card(&at.join(".automaker"), "f-1", &json!({ "description": "Build it.", "title": "First" }));
    }
    let broken = &desk.join("one/.automaker");
    card(broken, "f-2", &json!({ "description": "Build it.", "title": "Thunder" }));
    card(broken, "f-3", &json!({ "description": "Build it.", "title": "Third" }));
    let url = format!("sqlite://{}", app.dir.path().join("guildhall.db").display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let trigger = "CREATE TRIGGER thunder BEFORE INSERT ON features WHEN NEW.title = 'Thunder'
                   BEGIN SELECT RAISE(ABORT, 'struck'); END";
    sqlx::query(trigger).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let mut command = guildhall(app.dir.path());
    command.env("GUILDHALL_ALLOWED_REPO_PATHS", &desk);
    let (code, out, err) = run(command.args(["import", "automaker"]).arg(&desk)).await;
    assert_eq!(code, Some(1), "{out}{err}");
    let first = out.find("came in: features/f-1/feature.json: card #1 “First”").unwrap_or_else(|| panic!("{out}{err}"));
    let fault = out.find("one was not gone through to the end: the database failed").unwrap_or_else(|| panic!("{out}"));
    let other = out.find("two, from ").unwrap_or_else(|| panic!("{out}{err}"));
    assert!(first < fault && fault < other && !out.contains("Third"), "{out}");
    assert!(out[fault..other].contains("struck") && out[other..].contains("1 came in"), "{out}");
    assert_eq!(items(&mut olga, "/api/projects").await.len(), 2);
}
