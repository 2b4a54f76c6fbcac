//! The keys changed by the real program, beside a real server at work.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use guildhall_llm::models;
use guildhall_sim::{Config, Sim};
use guildhall_store::{Store, credential_identity};
use guildhall_team::vault::{KeyFiles, Vault};
use guildhall_types::member::ProviderKind;
use guildhall_types::{MemberId, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::process::Child;

use crate::harness::{PASSWORD, PATIENCE, Persona, fresh_postgres};
use crate::program::{guildhall, run};

/// Kills of a rotation; each at a moment that the seed chooses.
const KILLS: usize = 20;
/// Another one can be given as GUILDHALL_TEST_SEED.
const SEED: u64 = 20_261_125;
/// Secrets beside the members' own, so that a rotation takes a while.
const MANY: usize = 400;
const CREDENTIAL: &str = "/api/user/credentials/anthropic";

/// A server as a process of its own, and where it is. What it says goes to files in its folder.
pub async fn serve(data: &Path, env: &[(&str, &str)]) -> (Child, String) {
    std::fs::create_dir_all(data).unwrap();
    let file = |name: &str| std::fs::File::options().create(true).append(true).open(data.join(name)).unwrap();
    let said = || std::fs::read_to_string(data.join("stdout")).unwrap();
    let (stdout, before) = (file("stdout"), said().len());
    let mut command = guildhall(data);
    // The provider of the tests is on this machine.
    command.env("GUILDHALL_ALLOW_PRIVATE_PROVIDERS", "true").envs(env.iter().copied());
    command.arg("serve").stdout(stdout).stderr(file("log"));
    let mut server = command.spawn().unwrap();
    let started = async {
        loop {
            if let Some((line, _)) = said()[before..].split_once('\n') {
                let (_, url) = line.split_once(" is at ").unwrap_or_else(|| panic!("{line}"));
                return url.to_owned();
            }
            assert!(server.try_wait().unwrap().is_none(), "it does not start: {}", log_of(data));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let url = tokio::time::timeout(PATIENCE, started).await.unwrap();
    (server, url)
}

fn log_of(data: &Path) -> String {
    std::fs::read_to_string(data.join("log")).unwrap()
}

async fn keys(data: &Path, env: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String, String) {
    run(guildhall(data).envs(env.iter().copied()).arg("keys").args(args)).await
}

async fn owner(url: &str) -> Persona {
    let mut owner = Persona::at(url);
    let body = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", body).await.is(StatusCode::CREATED);
    // On a quick machine many cards are built before the last kill.
    let mut limits = owner.get("/api/settings/limits").await.is(StatusCode::OK);
    limits["team"]["maxWorktreesPerMember"] = 1_000.into();
    owner.put("/api/settings/limits", limits).await.is(StatusCode::OK);
    owner
}

async fn invited(owner: &mut Persona, name: &str) -> Persona {
    let email = format!("{name}@example.com");
    let made =
        owner.post("/api/invitations", json!({ "email": email, "role": "member" })).await.is(StatusCode::CREATED);
    let mut member = Persona::at(&owner.base);
    let body = json!({ "email": email, "password": PASSWORD, "name": name, "invitation": made["code"] });
    member.post("/api/auth/register", body).await.is(StatusCode::CREATED);
    member
}

/// The ids of keys, and how many secrets are under each.
async fn under(store: &Store) -> HashMap<String, i64> {
    store.known_keys().await.unwrap().into_iter().map(|key| (key.id, key.secrets)).collect()
}

fn vault_of(data: &Path) -> Vault {
    Vault::open_files(KeyFiles::new(&data.join("keys/vault.key"))).unwrap()
}

/// Secrets that nobody replaces.
async fn plant(url: &str, vault: &Vault) {
    let sealed = (0..MANY).map(|n| {
        let identity = format!("test/{n:04}");
        let sealed = vault.seal(&identity, format!("secret {n}").as_bytes()).unwrap();
        (identity, sealed)
    });
    let sql = "INSERT INTO secrets (identity, key_id, wrapped_key, sealed) VALUES ($1, $2, $3, $4)";
    macro_rules! into {
        ($connection:ty) => {{
            let mut db = <$connection>::connect(url).await.unwrap();
            let mut tx = db.begin().await.unwrap();
            for (identity, sealed) in sealed {
                let query = sqlx::query(sql).bind(identity).bind(sealed.key_id).bind(sealed.wrapped_key);
                query.bind(sealed.sealed).execute(&mut *tx).await.unwrap();
            }
            tx.commit().await.unwrap();
        }};
    }
    match url.starts_with("sqlite") {
        true => into!(sqlx::SqliteConnection),
        false => into!(sqlx::PgConnection),
    }
}

/// A card whose agent answers slowly, in several turns, and so needs the member's key again and again.
async fn start_card(member: &mut Persona, cards: &str, name: &str) -> Value {
    let turn = |n: usize| {
        let tool = json!(["write", { "path": format!("{name}-{n}.txt"), "content": "whole\n" }]);
        json!({ "say": format!("This is turn {n}."), "silence_ms": 80, "tools": [tool] }).to_string()
    };
    let script: Vec<String> = (1..=3).map(turn).chain([json!({ "say": "All done." }).to_string()]).collect();
    let description = format!("{name}\n\n```sim\n{}\n```", script.join("\n"));
    let card = member.post(cards, json!({ "description": description, "model": models::DEFAULT })).await;
    let card = card.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    member.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    card["id"].clone()
}

/// Starts card after card until it is told to stop, then waits for the last one. Returns how many there were.
async fn build(mut member: Persona, project: String, name: String, stop: Arc<AtomicBool>) -> usize {
    let cards = format!("/api/projects/{project}/features");
    let mut built = 0;
    while !stop.load(Ordering::Relaxed) || built == 0 {
        let id = start_card(&mut member, &cards, &format!("{name}{built}")).await;
        let path = format!("/api/features/{}", id.as_str().unwrap());
        let ended = async {
            loop {
                let card = member.get(&path).await.is(StatusCode::OK);
                if card["status"] != "queued" && card["status"] != "in_progress" {
                    return card;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        let card = tokio::time::timeout(PATIENCE, ended).await.unwrap();
        assert_eq!(card["status"], "waiting_approval", "{card:#}");
        let runs = member.get(&format!("{path}/runs")).await.is(StatusCode::OK);
        assert_eq!(runs["items"][0]["keySource"], "member", "{runs:#}");
        built += 1;
    }
    built
}

/// Puts one key after another in place until it is told to stop. Returns the last one that was acknowledged.
async fn replace(mut member: Persona, name: String, provider: String, stop: Arc<AtomicBool>) -> String {
    let mut n = 0;
    loop {
        let key = format!("sk-ant-{name}-{n:06}");
        member.put(CREDENTIAL, json!({ "key": key, "baseUrl": provider })).await.is(StatusCode::OK);
        if stop.load(Ordering::Relaxed) {
            return key;
        }
        n += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn killed_rotations(url: String, data: &Path) {
    let sim = Sim::start(Config { per_word: Duration::from_millis(5), ..Config::default() }).await.unwrap();
    let env = [("DATABASE_URL", url.as_str())];
    let (_server, at) = serve(data, &env).await;
    let mut owner = owner(&at).await;
    let project = owner.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let first = vault_of(data).key_id().unwrap();
    plant(&url, &vault_of(data)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (mut builders, mut replacers) = (Vec::new(), Vec::new());
    for name in ["anna", "ben", "carl"] {
        let mut member = invited(&mut owner, name).await;
        let id: MemberId = member.id().await.parse().unwrap();
        member.put(CREDENTIAL, json!({ "key": "sk-ant-the-first-one", "baseUrl": sim.url() })).await.is(StatusCode::OK);
        builders.push(tokio::spawn(build(member.clone(), project.clone(), name.to_owned(), Arc::clone(&stop))));
        replacers.push((id, tokio::spawn(replace(member, name.to_owned(), sim.url(), Arc::clone(&stop)))));
    }

    let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
    let mut seed = std::env::var("GUILDHALL_TEST_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut in_the_middle = 0;
    for _ in 0..KILLS {
        let mut command = guildhall(data);
        command.envs(env).args(["keys", "rotate"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut rotation = command.spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(random(700))).await;
        rotation.kill().await.unwrap();
        in_the_middle += usize::from(under(&store).await.values().filter(|secrets| **secrets > 0).count() > 1);
    }
    assert!(in_the_middle > 0, "no kill hit the middle of a rotation: choose another seed");

    let (code, out, err) = keys(data, &env, &["rotate"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    stop.store(true, Ordering::Relaxed);
    for builder in builders {
        assert!(builder.await.unwrap() > 0);
    }
    let current = store.current_key().await.unwrap().unwrap();
    assert_ne!(current, first);
    let all = under(&store).await;
    assert!(all.iter().all(|(id, secrets)| (*id == current) == (*secrets > 0)), "{current}: {all:?}");
    assert_eq!(all[&current], MANY as i64 + 3);

    let vault = vault_of(data);
    for (id, replacer) in replacers {
        let last = replacer.await.unwrap();
        let provider = ProviderKind::Anthropic;
        let sealed = store.sealed_credential(id, provider).await.unwrap().unwrap().secret;
        let opened = vault.open(&credential_identity(id, provider), &sealed).unwrap();
        assert_eq!(String::from_utf8_lossy(&opened), last, "an acknowledged key was lost");
    }
    for n in 0..MANY {
        let identity = format!("test/{n:04}");
        let sealed = store.secret(&identity).await.unwrap().unwrap();
        assert_eq!(&**vault.open(&identity, &sealed).unwrap(), format!("secret {n}").as_bytes());
    }
    // What is not used any more goes, file and all, and the server goes on.
    for (id, _) in all.iter().filter(|(id, _)| **id != current) {
        let (code, out, err) = keys(data, &env, &["retire", id]).await;
        assert_eq!(code, Some(0), "{out}{err}");
    }
    for entry in std::fs::read_dir(data.join("keys")).unwrap().flatten() {
        if entry.file_name().to_str().unwrap() != format!("{current}.key") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let (code, out, err) = keys(data, &env, &["retire", &current]).await;
    assert!(code == Some(1) && err.contains("is the current one"), "{out}{err}");
    let (code, out, err) = keys(data, &env, &["list"]).await;
    assert!(
        code == Some(0) && out.contains(&format!("{current}     {} secret(s)  current since", MANY + 3)),
        "{out}{err}"
    );
    assert_eq!(store.verify_audit().await.unwrap().broken, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_that_are_killed_at_any_moment_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    killed_rotations(format!("sqlite://{}", data.join("guildhall.db").display()), &data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_that_are_killed_at_any_moment_lose_nothing_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    killed_rotations(fresh_postgres().await, &dir.path().join("data")).await;
}

#[tokio::test]
async fn one_works_on_the_keys_of_a_folder_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = keys(dir.path(), &[], &["rotate"]).await;
    assert!(code == Some(1) && err.contains("there is no database"), "{err}");
    let (_server, _) = serve(dir.path(), &[]).await;
    let lock = std::fs::File::create(dir.path().join("keys.lock")).unwrap();
    lock.lock().unwrap();
    for args in [&["rotate"][..], &["new"], &["retire", "0123456789ab"]] {
        let (code, _, err) = keys(dir.path(), &[], args).await;
        assert!(code == Some(1) && err.contains("another `guildhall keys` is at work"), "{err}");
    }
    let (code, ..) = keys(dir.path(), &[], &["list"]).await;
    assert_eq!(code, Some(0), "to look is always possible");
    drop(lock);
    let (code, out, err) = keys(dir.path(), &[], &["new"]).await;
    let id = out.split(' ').nth(3).unwrap_or_else(|| panic!("{out}{err}")).to_owned();
    assert!(code == Some(0) && out.contains(&format!("guildhall keys rotate --to {id}")), "{out}");
    let (code, out, err) = keys(dir.path(), &[], &["rotate", "--to", &id]).await;
    assert!(code == Some(0) && out.contains(&format!("The current key is now {id}; it was ")), "{out}{err}");
    let (code, _, err) = keys(dir.path(), &[], &["rotate", "--to", "0123456789ab"]).await;
    assert!(code == Some(1) && err.contains("0123456789ab") && err.contains("does not have"), "{err}");
    let store =
        Store::open(&format!("sqlite://{}/guildhall.db", dir.path().display()), Arc::new(SystemClock)).await.unwrap();
    let told = store.audit_entries(&guildhall_store::AuditQuery { limit: 2, ..Default::default() }).await.unwrap();
    let told: Vec<_> = told.iter().map(|entry| (entry.action.as_str(), entry.user_agent.as_deref())).collect();
    assert_eq!(told, [("key.rotate", Some("guildhall keys")), ("key.new", Some("guildhall keys"))]);
}

#[tokio::test]
async fn a_lost_key_file_is_told_wherever_one_looks() {
    let dir = tempfile::tempdir().unwrap();
    let (mut server, at) = serve(dir.path(), &[]).await;
    let mut owner = owner(&at).await;
    owner.put(CREDENTIAL, json!({ "key": "sk-ant-the-first-one" })).await.is(StatusCode::OK);
    let file = dir.path().join("keys/vault.key");
    let lost = vault_of(dir.path()).key_id().unwrap();
    server.kill().await.unwrap();
    std::fs::rename(&file, dir.path().join("away")).unwrap();

    let (_server, at) = serve(dir.path(), &[]).await;
    assert!(
        log_of(dir.path()).contains(&lost) && log_of(dir.path()).contains("is not on this server"),
        "{}",
        log_of(dir.path())
    );
    (owner.base, owner.origin) = (at.clone(), Some(at));
    for answer in [
        owner.put(CREDENTIAL, json!({ "key": "sk-ant-another-one" })).await,
        owner.call(&format!("{CREDENTIAL}/test")).await,
    ] {
        let problem = answer.is_problem(StatusCode::CONFLICT, "sealed-key");
        assert!(problem["detail"].as_str().unwrap().contains(&lost), "{problem}");
    }
    assert!(!file.exists(), "no key is made in its place");
    let (code, out, _) = run(guildhall(dir.path()).arg("doctor")).await;
    assert!(
        code == Some(1) && out.contains(&format!("FAIL  keys that seal secrets: the key {lost} is not on this server")),
        "{out}"
    );
    let (code, out, _) = keys(dir.path(), &[], &["list"]).await;
    assert!(code == Some(1) && out.contains("MISSING") && out.contains(&lost), "{out}");
    let (code, _, err) = keys(dir.path(), &[], &["rotate"]).await;
    assert!(code == Some(1) && err.contains("copy its file here"), "{err}");

    // It comes back, and the server goes on without a restart.
    std::fs::rename(dir.path().join("away"), &file).unwrap();
    owner.put(CREDENTIAL, json!({ "key": "sk-ant-another-one" })).await.is(StatusCode::OK);
    let (_, out, _) = run(guildhall(dir.path()).arg("doctor")).await;
    assert!(out.contains(&format!("holds the current key {lost}, which seals 1 secret(s)")), "{out}");
}

#[tokio::test]
async fn an_operators_key_file_is_used_and_never_written() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("credential"));
    let (one, two) = ("A".repeat(43) + "=\n", format!("{}E=\n", "AQEB".repeat(10) + "AQ"));
    std::fs::write(&file, &one).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let env = [("GUILDHALL_KEY_FILE", file.to_str().unwrap())];
    let (code, _, err) = run(guildhall(&data).envs(env).arg("serve")).await;
    assert!(code == Some(1) && err.contains("may be read by others"), "{err}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();

    let (_server, at) = serve(&data, &env).await;
    let mut owner = owner(&at).await;
    owner.put(CREDENTIAL, json!({ "key": "sk-ant-the-first-one" })).await.is(StatusCode::OK);
    assert!(!data.join("keys/vault.key").exists());
    // Who asks without the server's own setting is told that this may be why.
    let (code, out, _) = run(guildhall(&data).arg("doctor")).await;
    assert!(code == Some(1) && out.contains("given its keys by GUILDHALL_KEY_FILE"), "{out}");
    let (_, out, _) = run(guildhall(&data).envs(env).arg("doctor")).await;
    assert!(out.contains("ok    keys that seal secrets: ") && out.contains("which seals 1 secret(s)"), "{out}");
    for args in [&["new"][..], &["rotate"]] {
        let (code, _, err) = keys(&data, &env, args).await;
        assert!(code == Some(1) && err.contains("which Guildhall never writes") && err.contains("--to"), "{err}");
    }
    std::fs::write(&file, format!("{one}{two}")).unwrap();
    let (code, out, err) = keys(&data, &env, &["list"]).await;
    assert_eq!(code, Some(0), "{err}");
    let new = out.lines().find(|line| line.contains("not used yet")).unwrap_or_else(|| panic!("{out}"));
    let (code, out, err) = keys(&data, &env, &["rotate", "--to", new.split(' ').next().unwrap()]).await;
    assert!(code == Some(0) && out.contains("Sealed 1 secret(s) anew."), "{out}{err}");
    owner.put(CREDENTIAL, json!({ "key": "sk-ant-another-one" })).await.is(StatusCode::OK);
    let listed = owner.get("/api/settings/keys").await.is(StatusCode::OK);
    let current = listed["items"].as_array().unwrap().iter().find(|key| key["current"] == true).unwrap();
    assert_eq!(current["secrets"], 1, "{listed}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{one}{two}"));
}
