//! The drill, and the move to the other database: by the real program.

use guildhall_sim::Sim;
use guildhall_store::credential_identity;
use guildhall_types::MemberId;
use guildhall_types::member::ProviderKind;

use super::*;
use crate::death::price;
use crate::fsck::fsck;
use crate::harness::PASSWORD;
use crate::rotation::serve;

/// A card whose agent works on, turn after turn.
fn card(name: &str, turns: usize, extra: Value) -> Value {
    let turn = |n: usize| {
        let write = json!(["write", { "path": format!("{name}-{n}.txt"), "content": "whole\n" }]);
        json!({ "say": format!("This is turn {n}."), "silence_ms": 400, "tools": [write], "insist": true }).to_string()
    };
    let script: Vec<String> = (1..=turns).map(turn).chain([json!({ "say": "All done." }).to_string()]).collect();
    let description = format!("{name}\n\n```sim\n{}\n```", script.join("\n"));
    let mut card = json!({ "description": description, "model": "simulated" });
    card.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    card
}

async fn signed_in(url: &str) -> Persona {
    let mut owner = Persona::at(url);
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    owner.post("/api/auth/login", login).await.is(StatusCode::OK);
    owner
}

/// The drill: a server at work is backed up, once in vain, and restored elsewhere, on either database; work goes on there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_at_work_is_backed_up_and_goes_on_elsewhere_on_either_database() {
    let dir = tempfile::tempdir().unwrap();
    let (data, folder) = (dir.path().join("data"), dir.path().join("backups"));
    let sim = Sim::start(guildhall_sim::Config::default()).await.unwrap();
    let sim_url = sim.url();
    let env = [("GUILDHALL_SIMULATED_PROVIDER_URL", sim_url.as_str())];
    let (mut server, url) = serve(&data, &env).await;
    let mut owner = Persona::at(&url);
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
    let id: MemberId = owner.id().await.parse().unwrap();
    owner.put("/api/settings/prices", price()).await.is(StatusCode::OK);
    let key = json!({ "key": "sk-ant-the-members-own", "baseUrl": sim_url });
    owner.put("/api/user/credentials/anthropic", key).await.is(StatusCode::OK);
    let project = owner.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let cards = format!("/api/projects/{project}/features");
    let mut ids = Vec::new();
    // One that works for a while, and one that comes to rest at its budget.
    for new in [card("long", 25, json!({})), card("parked", 4, json!({ "budgetMicros": 1 }))] {
        let made = owner.post(&cards, new).await.is(StatusCode::CREATED);
        let id = made["id"].as_str().unwrap().to_owned();
        owner.call(&format!("/api/features/{id}/start")).await.is(StatusCode::ACCEPTED);
        ids.push(id);
    }
    let (long, parked) = (format!("/api/features/{}", ids[0]), format!("/api/features/{}", ids[1]));
    until(&mut owner, &format!("{parked}/runs"), |runs| runs["items"][0]["parkedFor"].is_string()).await;
    until(&mut owner, &format!("{long}/runs"), |runs| runs["items"][0]["turns"].as_i64() > Some(1)).await;

    // Whoever writes meanwhile goes on writing.
    let mut writer = owner.clone();
    let to = cards.clone();
    let writing = tokio::spawn(async move {
        for n in 0.. {
            writer.post(&to, json!({ "description": format!("wish {n}") })).await.is(StatusCode::CREATED);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let backup = |args: &[&str], at: &str| {
        let mut command = guildhall(&data);
        command.arg("backup").args(args).arg("--to").arg(&folder).env("GUILDHALL_TEST_AT", at);
        command
    };
    let (code, out, err) = run(&mut backup(&[], "")).await;
    assert!(code == Some(0) && out.contains("NOT in it are the keys"), "{out}{err}");
    assert!(out.contains("The key ") && out.contains("opens 1 of 1 secrets"), "{out}");
    // Killed in the middle, once among the parts and once with all but the manifest there.
    for at in ["kill git.pack-objects.before 1", "kill backup.manifest 1"] {
        // A full one, so that there is something to be packed whatever happened since the former.
        let (code, ..) = run(&mut backup(&["--full"], at)).await;
        assert_eq!(code, None, "{at}");
        let (_, out, _) = run(&mut backup(&["list"], "")).await;
        assert_eq!(out.lines().count(), 1, "{out}");
        // The database knows of a process that ended only after a while: here its row is told to be old.
        forget_running(&data).await;
    }
    let (code, out, err) = run(&mut backup(&[], "")).await;
    assert!(code == Some(0) && out.contains("builds on"), "{out}{err}");
    writing.abort();
    assert_eq!(std::fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.path().is_dir()).count(), 2);
    server.kill().await.unwrap();
    let before = run_of(&data, &ids[0]).await;
    assert_eq!(before["status"], "running", "it was to be at work until now");

    // On SQLite, without the keys, cut off at the last moment and begun anew.
    let lite = dir.path().join("lite");
    let restore = |data: &Path, env: &[(&str, &str)]| {
        let mut command = guildhall(data);
        command.arg("restore").arg("--from").arg(&folder).envs(env.iter().copied());
        command
    };
    let (code, ..) = run(&mut restore(&lite, &[("GUILDHALL_TEST_AT", "kill restore.rows 1")])).await;
    assert_eq!(code, None);
    let (code, _, err) = run(guildhall(&lite).arg("serve")).await;
    assert!(code == Some(1) && err.contains("was cut off"), "{err}");
    let (code, out, err) = run(&mut restore(&lite, &[])).await;
    assert!(code == Some(0) && out.contains("LACKING: the key "), "{out}{err}");
    let (code, out, _) = run(guildhall(&lite).args(["audit", "verify"])).await;
    assert_eq!(code, Some(0), "{out}");
    fsck(&lite.join(format!("repositories/{project}.git"))).await;
    let store = Store::open(&format!("sqlite://{}/guildhall.db", lite.display()), Arc::new(SystemClock)).await.unwrap();
    let sealed = store.sealed_credential(id, ProviderKind::Anthropic).await.unwrap().unwrap().secret;
    let identity = credential_identity(id, ProviderKind::Anthropic);
    let (without, with) = (vault_of(&lite), vault_of(&data));
    assert!(without.open(&identity, &sealed).is_err());
    assert_eq!(&**with.open(&identity, &sealed).unwrap(), b"sk-ant-the-members-own");
    store.close().await;

    // On PostgreSQL, with the keys: what was at work goes on, and what was parked when it may.
    let post = dir.path().join("post");
    std::fs::create_dir_all(post.join("keys")).unwrap();
    std::fs::copy(data.join("keys/vault.key"), post.join("keys/vault.key")).unwrap();
    let database = fresh_postgres().await;
    let env = [("DATABASE_URL", database.as_str()), env[0]];
    let (code, out, err) = run(&mut restore(&post, &env)).await;
    assert!(
        code == Some(0) && out.contains("opens 1 of 1 secrets") && out.contains("1 runs were at work"),
        "{out}{err}"
    );
    let (code, _, err) = run(&mut restore(&post, &env)).await;
    assert!(code == Some(1) && err.contains("the database holds rows: "), "{err}");
    let (_server, url) = serve(&post, &env).await;
    let mut owner = signed_in(&url).await;
    owner.post(&format!("{parked}/allow-cost"), json!({ "micros": 1_000_000 })).await.is(StatusCode::ACCEPTED);
    for path in [&long, &parked] {
        let card =
            until(&mut owner, path, |card| !["queued", "in_progress"].contains(&card["status"].as_str().unwrap()))
                .await;
        assert_eq!(card["status"], "waiting_approval", "{card:#}");
    }
    let runs = owner.get(&format!("{long}/runs")).await.is(StatusCode::OK);
    let run = &runs["items"][0];
    // A turn whose tools were cut off is done again.
    assert!(run["id"] == before["id"] && [json!(26), json!(27)].contains(&run["turns"]), "{runs:#}");
    let diff = owner.get(&format!("{long}/diff")).await.is(StatusCode::OK);
    assert_eq!(diff["files"].as_array().unwrap().len(), 25, "every turn's file is there");
    fsck(&post.join(format!("repositories/{project}.git"))).await;
}

/// Has the database think that whoever makes a backup has been silent for long.
async fn forget_running(data: &Path) {
    use sqlx::Connection;
    let url = format!("sqlite://{}/guildhall.db", data.display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 5000").execute(&mut db).await.unwrap();
    sqlx::query("UPDATE backups SET seen_at = '2020-01-01T00:00:00+00:00' WHERE status = 'running'")
        .execute(&mut db)
        .await
        .unwrap();
}

/// The run of a card, as the database of a server that is gone knows it.
async fn run_of(data: &Path, card: &str) -> Value {
    let store = Store::open(&format!("sqlite://{}/guildhall.db", data.display()), Arc::new(SystemClock)).await.unwrap();
    let runs = store.runs_of(card.parse().unwrap(), 1).await.unwrap();
    store.close().await;
    serde_json::to_value(&runs[0]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_is_copied_to_postgresql_when_its_server_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (mut server, url) = serve(&data, &[]).await;
    let mut owner = Persona::at(&url);
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
    let project = owner.project("p", json!({ "kind": "sample" })).await;
    let database = fresh_postgres().await;
    let copy = || {
        let mut command = guildhall(&data);
        command.arg("copy-to").env("GUILDHALL_COPY_TO", &database);
        command
    };
    let (code, _, err) = run(&mut copy()).await;
    assert!(code == Some(1) && err.contains("the server must be stopped"), "{err}");
    server.kill().await.unwrap();
    let (code, out, err) = run(&mut copy()).await;
    assert!(
        code == Some(0) && out.contains("members: 1 rows") && out.contains("each table is as it was"),
        "{out}{err}"
    );
    let (code, _, err) = run(&mut copy()).await;
    assert!(code == Some(1) && err.contains("the team of this database was moved to PostgreSQL at"), "{err}");
    assert!(!err.contains(&database), "addresses may hold passwords");
    // The former one is neither served nor backed up nor worked on, until somebody says that it is the team's after
    // all.
    let backup = || {
        let mut command = guildhall(&data);
        command.arg("backup").arg("--to").arg(dir.path().join("backups"));
        command
    };
    let moved = "was moved to PostgreSQL at";
    let works: [&[&str]; 6] = [
        &["serve"],
        &["tidy"],
        &["keys", "list"],
        &["member", "rescue", "olga@example.com"],
        &["knowledge", "search", "anything"],
        &["backup", "--to", "/nowhere"],
    ];
    for args in works {
        let (code, _, err) = run(guildhall(&data).args(args)).await;
        assert!(code == Some(1) && err.contains(moved), "{args:?}: {err}");
    }
    // To look does no harm, and the doctor says what is the matter.
    let looks: [&[&str]; 3] = [&["tidy", "--dry-run"], &["audit", "verify"], &["backup", "list", "--to", "/nowhere"]];
    for args in looks {
        let (_, out, err) = run(guildhall(&data).args(args)).await;
        assert!(!out.contains(moved) && !err.contains(moved), "{args:?}: {out}{err}");
    }
    let (code, out, _) = run(guildhall(&data).args(["tidy", "--dry-run"])).await;
    assert_eq!(code, Some(0), "{out}");
    let (code, out, _) = run(guildhall(&data).arg("doctor")).await;
    assert!(code == Some(1) && out.contains("FAIL  database: the team of this database was moved to"), "{out}");
    let (code, _, err) = run(guildhall(&data).args(["migrate", "--unmark"])).await;
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = run(&mut backup()).await;
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = run(&mut copy()).await;
    assert!(code == Some(1) && err.contains("holds rows already"), "{err}");
    // The same session, on the same data folder, with the other database.
    let cookie = owner.cookie.clone();
    let (_server, url) = serve(&data, &[("DATABASE_URL", &database)]).await;
    let mut owner = Persona::at(&url);
    owner.cookie = cookie;
    let found = owner.get(&format!("/api/projects/{}", project["id"].as_str().unwrap())).await.is(StatusCode::OK);
    assert_eq!(found, project);
    owner.get(&format!("/api/projects/{}/commits", project["id"].as_str().unwrap())).await.is(StatusCode::OK);
    let (code, out, _) = run(guildhall(&data).env("DATABASE_URL", &database).args(["audit", "verify"])).await;
    assert_eq!(code, Some(0), "{out}");
}
