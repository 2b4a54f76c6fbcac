//! Backups: made beside servers at work, cut off, damaged, and restored elsewhere by the real program.

mod lasting;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use guildhall_server::config::Config;
use guildhall_sim::Sim;
use guildhall_store::{Store, credential_identity};
use guildhall_team::Places;
use guildhall_team::backup::{
    BackupError, BackupKey, BackupPlan, BackupRules, Backups, Making, Restoring, Shelf, listed, verify,
};
use guildhall_team::vault::{KeyFiles, Vault};
use guildhall_types::backup::{BackupKind, BackupStatus, Keep, Rhythm};
use guildhall_types::member::ProviderKind;
use guildhall_types::{Clock, FixedClock, MemberId, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::death::{fsck, price};
use crate::harness::{PASSWORD, PATIENCE, Persona, TestApp, Wish, fresh_postgres};
use crate::program::{guildhall, run};
use crate::rotation::serve;

/// A key file, and the key.
pub fn key_file(path: &Path, byte: u8) -> BackupKey {
    std::fs::write(path, BASE64.encode([byte; 32])).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    BackupKey::read(path).unwrap()
}

fn vault_of(data: &Path) -> Vault {
    Vault::open_files(KeyFiles::new(&data.join("keys/vault.key"))).unwrap()
}

/// A server that is to be restored into.
pub struct Empty {
    dir: tempfile::TempDir,
    pub store: Store,
    places: Places,
    vault: Vault,
}

impl Empty {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/guildhall.db", dir.path().display());
        Self::with(dir, &url).await
    }

    /// One whose database is elsewhere.
    pub async fn on(url: &str) -> Self {
        Self::with(tempfile::tempdir().unwrap(), url).await
    }

    /// Where the database is of one that has its own.
    pub fn url(&self) -> String {
        format!("sqlite://{}/guildhall.db", self.dir.path().display())
    }

    async fn with(dir: tempfile::TempDir, url: &str) -> Self {
        let store = Store::open(url, Arc::new(SystemClock)).await.unwrap();
        let places = Places::below(dir.path(), Vec::new());
        let vault = vault_of(dir.path());
        Self { dir, store, places, vault }
    }

    pub fn from<'a>(&'a self, shelf: &'a Shelf, name: Option<&'a str>, key: Option<&'a BackupKey>) -> Restoring<'a> {
        let Self { dir, store, places, vault } = self;
        Restoring { shelf, name, key, store, places, data: dir.path(), vault }
    }
}

/// The first file of a backup whose name begins so.
fn part(folder: &Path, name: &str, begins: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder.join(name)).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begins)).collect();
    found.sort();
    found.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_backup_needs_its_key_and_whatever_is_wrong_with_one_is_named() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("shop", json!({ "kind": "sample" })).await;
    let team = &app.app.team;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("backups");
    let shelf = Shelf::Folder(folder.clone());
    let (key, other) = (key_file(&dir.path().join("key"), 7), key_file(&dir.path().join("other"), 8));
    let making = Making {
        store: &team.store,
        places: &team.places,
        clock: &*team.clock,
        shelf: &shelf,
        key: Some(&key),
        full_every: 3,
        known_only: false,
    };
    let first = making.make().await.unwrap().manifest;
    assert_eq!((first.kind, first.packs.len()), (BackupKind::Full, 1));
    owner.project("second", json!({ "kind": "empty" })).await;
    let second = making.make().await.unwrap().manifest;
    assert_eq!((second.kind, second.parent.as_deref()), (BackupKind::Incremental, Some(&*first.name)));
    assert_eq!(second.packs.len(), 1, "the repository of the shop is in the first one, as it is");
    let third = making.make().await.unwrap().manifest;
    assert_eq!((third.kind, third.packs.len()), (BackupKind::Incremental, 0));
    let fourth = making.make().await.unwrap().manifest;
    assert_eq!((fourth.kind, fourth.packs.len()), (BackupKind::Full, 2));
    for path in
        [part(&folder, &first.name, "rows"), part(&folder, &first.name, "git"), part(&folder, &first.name, "manifest")]
    {
        let bytes = std::fs::read(&path).unwrap();
        let reads = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!reads("shop") && !reads("olga") && !reads("PACK"), "{}", path.display());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }

    // All of it comes out, and the incremental one needs the one that it builds on.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let scratch = app.dir.path();
    let found = verify(&shelf, Some(&third.name), Some(&key), &team.vault, clock.clone(), scratch).await.unwrap();
    assert_eq!((found.problems.as_slice(), found.restored.repositories), (&[] as &[String], 2));
    assert!(
        std::fs::read_dir(scratch).unwrap().flatten().all(|entry| !entry
            .file_name()
            .to_str()
            .unwrap()
            .contains("verify-"))
    );

    let empty = Empty::new().await;
    let refused = |key| {
        let restoring = empty.from(&shelf, Some(&second.name), key);
        async move { restoring.restore().await.unwrap_err() }
    };
    assert!(matches!(refused(None).await, BackupError::NoKey { needed, .. } if needed == key.name()));
    let wrong = refused(Some(&other)).await;
    assert!(matches!(&wrong, BackupError::WrongKey { given, .. } if given == other.name()), "{wrong}");
    for (backup, name) in [(&first, "git"), (&second, "rows"), (&second, "index"), (&second, "git")] {
        let path = part(&folder, &backup.name, name);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let longer = [&whole[..], b"x"].concat();
        for bytes in [&flipped[..], &whole[..whole.len() / 2], &longer, &[]] {
            std::fs::write(&path, bytes).unwrap();
            let error = refused(Some(&key)).await;
            let file = path.file_name().unwrap().to_str().unwrap();
            assert!(
                matches!(&error, BackupError::Damaged { part, name, .. } if part == file && *name == backup.name),
                "{error}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(refused(Some(&key)).await, BackupError::Damaged { .. }));
        std::fs::write(&path, whole).unwrap();
    }
    let manifest = part(&folder, &first.name, "manifest");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    assert!(matches!(refused(Some(&key)).await, BackupError::Missing { name, .. } if name == first.name));
    std::fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let later = refused(Some(&key)).await.to_string();
    assert!(later.contains("use a later version"), "{later}");
    std::fs::write(&manifest, text).unwrap();
    assert_eq!(empty.store.occupied().await.unwrap(), [], "nothing of all this was put in place");
    assert!(!empty.places.repositories.exists());

    let restored = empty.from(&shelf, Some(&second.name), Some(&key)).restore().await.unwrap();
    assert_eq!((restored.problems.as_slice(), restored.repositories), (&[] as &[String], 2));
    let again = empty.from(&shelf, None, Some(&key)).restore().await.unwrap_err().to_string();
    assert!(again.contains("members (1)"), "{again}");
    empty.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_has_one_made_and_what_is_not_kept_goes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("backups");
    let shelf = Shelf::Folder(folder.clone());
    let keep = Keep { last: 1, days: 0, weeks: 0 };
    let rules = BackupRules { keep, full_every: 1, ..BackupRules::default() };
    let change = Box::new(|config: &mut Config| (config.backup, config.backup_rules) = (Some(shelf), rules));
    let app = TestApp::with(Wish { change, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let path = "/api/operation/backups";
    let none = owner.get(path).await.is(StatusCode::OK);
    assert_eq!((&none["items"], &none["lastGoodAt"], &none["sealed"]), (&json!([]), &Value::Null, &json!(false)));
    let mut names = Vec::new();
    for _ in 0..2 {
        let begun = owner.call(path).await.is(StatusCode::ACCEPTED);
        assert_eq!((&begun["status"], &begun["cause"]), (&json!("running"), &json!("member")));
        let done = async {
            loop {
                let latest = owner.get(path).await.is(StatusCode::OK)["items"][0].clone();
                if latest["verifiedAt"].is_string() || latest["status"] == "failed" {
                    return latest;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, done).await.unwrap();
        assert_eq!(
            (&done["status"], &done["verifyProblem"], &done["kind"]),
            (&json!("done"), &Value::Null, &json!("full")),
            "{done}"
        );
        names.push(done["name"].as_str().unwrap().to_owned());
    }
    // What is not kept goes a moment after the other was found sound.
    let gone = async {
        loop {
            let left = listed(&Shelf::Folder(folder.clone())).await.unwrap();
            if left.iter().map(|one| one.name.as_str()).eq(names[1..].iter().map(String::as_str)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    let view = owner.get(path).await.is(StatusCode::OK);
    assert_eq!(view["lastGoodAt"], view["items"][0]["startedAt"]);
    let audit = owner.get("/api/audit?action=backup.make").await.is(StatusCode::OK);
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
    let me = owner.get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["memberId"], me["id"], "whoever asked for it is named: {audit}");

    let plain = TestApp::start().await;
    plain.owner().await.call(path).await.is_problem(StatusCode::CONFLICT, "no-backups");
}

/// A card whose agent works on, turn after turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_find_a_backup_due_one_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let url = fresh_postgres().await;
    let clock = FixedClock::new(SystemClock.now());
    let shelf = Shelf::Folder(dir.path().join("backups"));
    let every = chrono::Duration::hours(1);
    let stop = CancellationToken::new();
    let mut nodes = Vec::new();
    for node in ["one", "other"] {
        let data = dir.path().join(node);
        std::fs::create_dir(&data).unwrap();
        let store = Store::open(&url, Arc::new(clock.clone())).await.unwrap();
        store.migrate().await.unwrap();
        let rules = BackupRules {
            rhythm: Some(Rhythm::Every(every)),
            keep: Keep { last: 100, days: 0, weeks: 0 },
            key_file: None,
            full_every: 100,
            verify: false,
        };
        let plan = BackupPlan { shelf: shelf.clone(), rules };
        let (places, vault) = (Arc::new(Places::below(&data, Vec::new())), Arc::new(vault_of(&data)));
        let backups = Backups::new(store.clone(), places, Arc::new(clock.clone()), vault, plan, data);
        let looking = backups.make_looking_until(Duration::from_millis(5), stop.clone().cancelled_owned());
        nodes.push((store, tokio::spawn(looking)));
    }
    let store = nodes[0].0.clone();
    let done = async || -> Vec<_> {
        let tries = store.backups(50).await.unwrap();
        // A node that still tidies where backups go keeps the other one out: that is tried again later.
        if tries.first().is_some_and(|latest| latest.status == BackupStatus::Failed) {
            clock.advance(chrono::Duration::minutes(20));
        }
        let done = tries.into_iter().filter(|one| one.status == BackupStatus::Done);
        done.map(|one| one.started_at).collect()
    };
    for round in 1..=6 {
        let made = async {
            while done().await.len() < round {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, made).await.unwrap();
        clock.advance(every);
    }
    stop.cancel();
    for (store, looking) in nodes {
        tokio::time::timeout(PATIENCE, looking).await.unwrap().unwrap();
        store.close().await;
    }
    // The latest first. Had both made one that both found due, two would have begun at one moment.
    let moments = store_moments(&url, &clock).await;
    assert!(moments.len() >= 6 && moments.windows(2).all(|two| two[0] - two[1] >= every), "{moments:?}");
}

/// When the backups began that were made, the latest first.
async fn store_moments(url: &str, clock: &FixedClock) -> Vec<guildhall_types::DateTime> {
    let store = Store::open(url, Arc::new(clock.clone())).await.unwrap();
    let tries = store.backups(50).await.unwrap();
    store.close().await;
    tries.into_iter().filter(|one| one.status == BackupStatus::Done).map(|one| one.started_at).collect()
}

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

/// Waits for what stands at a path.
pub async fn until(persona: &mut Persona, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let found = persona.get(path).await.is(StatusCode::OK);
            if wanted(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{path} is not as it should be"))
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
    assert!(code == Some(1) && err.contains("holds rows already"), "{err}");
    assert!(!err.contains(&database), "addresses may hold passwords");
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
