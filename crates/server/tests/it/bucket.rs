//! Backups in an S3-compatible store that nobody here wrote (`tests/s3`): what a folder does, and what only a network can do to it.

mod between;
mod found;
mod tls;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use guildhall_llm::Secret;
use guildhall_team::backup::{BackupError, BackupRules, Making, Patience, Room, S3Access, Shelf, listed, verify};
use guildhall_types::backup::{BackupKind, Keep};
use guildhall_types::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::backups::{Empty, key_file};
use crate::fsck::fsck;
use crate::harness::{PASSWORD, PATIENCE, Persona, TestApp};
use crate::program::{guildhall, run};
use between::{Asked, between, holding};

const PLACE: &str = "s3://backups/guild/hall";

/// A store in a process of its own, which goes with the test.
struct Store {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    writer: (String, String),
    reader: (String, String),
}

impl Store {
    async fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/s3");
        let python = folder.join("python/bin/python");
        assert!(python.exists(), "run scripts/setup.sh test first: the tests' S3-compatible store is missing");
        let mut child = Command::new(python)
            .arg(folder.join("server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = line(&mut lines).await;
        let key = |name: &str| {
            let part = |n: usize| told[name][n].as_str().unwrap().to_owned();
            (part(0), part(1))
        };
        let port = told["port"].as_u64().unwrap() as u16;
        Self { _child: child, stdin, lines, port, writer: key("writer"), reader: key("reader") }
    }

    async fn ask(&mut self, what: &str) -> Value {
        self.stdin.write_all(format!("{what}\n").as_bytes()).await.unwrap();
        line(&mut self.lines).await
    }

    /// The objects below the place, and how large each is.
    async fn objects(&mut self) -> BTreeMap<String, u64> {
        let all: BTreeMap<String, u64> = serde_json::from_value(self.ask("list").await).unwrap();
        all.into_iter().map(|(name, size)| (name.strip_prefix("guild/hall/").unwrap().to_owned(), size)).collect()
    }

    fn access(&self, port: u16, key: &(String, String)) -> S3Access {
        S3Access {
            endpoint: Some(format!("http://127.0.0.1:{port}").parse().unwrap()),
            key_id: Some(key.0.clone()),
            secret: Some(Secret::new(key.1.as_str())),
            patience: Patience { retries: 1, pause: Duration::from_millis(5), longest: Duration::from_millis(5) },
            ..S3Access::default()
        }
    }

    /// The place, as another process would have it.
    fn shelf(&self) -> Shelf {
        Shelf::at(PLACE, &self.access(self.port, &self.writer)).unwrap()
    }

    fn env(&self) -> [(&'static str, String); 3] {
        [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ACCESS_KEY_ID", self.writer.0.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.writer.1.clone()),
        ]
    }
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
    serde_json::from_str(&line.unwrap_or_else(|| panic!("the store ended"))).unwrap()
}

/// Stands between a client and the store, and breaks off for good when so many bytes were sent to the store.
async fn breaking_off(store: u16, after: i64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicI64::new(after));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                if left.load(Ordering::Relaxed) <= 0 {
                    return;
                }
                let (mut from, mut back) = client.into_split();
                let (mut answers, mut to) = TcpStream::connect(("127.0.0.1", store)).await.unwrap().into_split();
                let answering = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
                let mut piece = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = from.read(&mut piece).await {
                    if left.fetch_sub(read as i64, Ordering::Relaxed) <= read as i64 {
                        break;
                    }
                    if to.write_all(&piece[..read]).await.is_err() {
                        break;
                    }
                }
                answering.abort();
            });
        }
    });
    port
}

/// Puts a commit with a file of so many bytes, in which nothing repeats, on a branch of a repository.
async fn large_commit(repository: &Path, size: usize) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = format!("blob\nmark :1\ndata {size}\n").into_bytes();
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.extend(
        b"\ncommit refs/heads/large\ncommitter Olga <olga@example.com> 1700000000 +0000\ndata 5\nlarge\nM 100644 :1 large.bin\n\n",
    );
    let mut git = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    git.stdin.take().unwrap().write_all(&bytes).await.unwrap();
    assert!(git.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_holds_backups_as_a_folder_does_whatever_the_network_does_to_it() {
    let mut store = Store::start().await;
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("shop", json!({ "kind": "sample" })).await;
    let team = &app.app.team;
    let dir = tempfile::tempdir().unwrap();
    let key = key_file(&dir.path().join("key"), 7);
    let making = |shelf| Making {
        store: &team.store,
        places: &team.places,
        shared: None,
        clock: &*team.clock,
        shelf,
        key: Some(&key),
        full_every: 10,
        known_only: false,
    };
    let shelf = store.shelf();

    // The same files as in a folder, and an incremental one is few of them.
    let first = making(&shelf).make().await.unwrap().manifest;
    let folder = Shelf::Folder(dir.path().join("folder"));
    let beside = making(&folder).make().await.unwrap().manifest;
    let files = |name: &str, all: &BTreeMap<String, u64>| {
        let of_it = all.keys().filter_map(|path| path.strip_prefix(&format!("{name}/")));
        of_it.map(str::to_owned).collect::<Vec<_>>()
    };
    let there = store.objects().await;
    let in_folder = std::fs::read_dir(dir.path().join("folder").join(&beside.name)).unwrap().flatten();
    let mut in_folder: Vec<String> = in_folder.map(|entry| entry.file_name().into_string().unwrap()).collect();
    in_folder.sort();
    assert_eq!(files(&first.name, &there), in_folder);
    assert_eq!(there.len(), in_folder.len(), "nothing else is left there: {there:?}");
    for part in first.parts() {
        assert_eq!(there[&format!("{}/{}", first.name, part.file)], part.bytes);
    }
    let second = making(&shelf).make().await.unwrap().manifest;
    assert_eq!((second.kind, second.parent.as_deref()), (BackupKind::Incremental, Some(&*first.name)));
    assert_eq!(store.objects().await.len() - there.len(), 3, "the rows, the list, the manifest");

    // Broken off in the middle of an upload in parts: nothing half is listed.
    let project = owner.project("large", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let repository = app.dir.path().join(format!("repositories/{project}.git"));
    large_commit(&repository, 20 << 20).await;
    let through = breaking_off(store.port, 18 << 20).await;
    let broken = Shelf::at(PLACE, &store.access(through, &store.writer)).unwrap();
    let error = making(&broken).make().await.unwrap_err();
    assert!(matches!(&error, BackupError::Bucket { deed: "written", .. }), "{error:?}");
    assert_eq!(store.ask("uploads").await.as_array().unwrap().len(), 1, "it could not be ended any more");
    let names = |all: Vec<guildhall_team::backup::Manifest>| all.into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(listed(&shelf).await.unwrap()), [first.name.as_str(), second.name.as_str()]);
    // It could not say either that it is gone. Others wait for it, until it was silent for long.
    let claim = store.objects().await.into_keys().find(|name| name.starts_with("backup.lock/")).unwrap();
    let error = making(&shelf).make().await.unwrap_err();
    assert!(matches!(&error, BackupError::Claimed { silent: 0, .. }), "{error}");
    store.ask(&format!("delete guild/hall/{claim}")).await;
    // Of two at once, one at most gets in; when one does, it takes away what was left there.
    let other = store.shelf();
    let (one, two) = (making(&shelf), making(&other));
    let (one, two) = tokio::join!(one.make(), two.make());
    let refused = [&one, &two].into_iter().filter(|done| matches!(done, Err(BackupError::Claimed { .. }))).count();
    assert!(refused >= 1, "{one:?}, {two:?}");
    let third = match one.or(two) {
        Ok(made) => made.manifest,
        Err(_) => making(&shelf).make().await.unwrap().manifest,
    };
    assert!(third.packs.iter().any(|pack| pack.bytes > 20 << 20), "{third:?}");
    assert_eq!(store.ask("uploads").await, json!([]));
    let all = store.objects().await;
    let whole: Vec<&str> = all.keys().map(|name| name.split_once('/').unwrap().0).collect();
    assert!(whole.iter().all(|name| [&first.name, &second.name, &third.name].iter().any(|one| one == name)), "{all:?}");

    // All of it comes out, also by a key that may only read; a byte that was changed is found.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let looked_at =
        verify(&shelf, None, Some(&key), &team.vault, clock.clone(), app.dir.path(), Room::ALL).await.unwrap();
    assert_eq!((looked_at.problems.as_slice(), looked_at.restored.repositories), (&[] as &[String], 2));
    let reading = Shelf::at(PLACE, &store.access(store.port, &store.reader)).unwrap();
    let empty = Empty::new().await;
    let restoring = |name| empty.from(&reading, Some(name), Some(&key));
    let error = making(&reading).make().await.unwrap_err();
    assert!(
        matches!(&error, BackupError::Bucket { source, .. } if source.to_string().contains("may not")),
        "{error:?}"
    );
    let pack = format!("{}/{}", third.name, third.packs[0].file);
    store.ask(&format!("damage guild/hall/{pack}")).await;
    let error = verify(&shelf, None, Some(&key), &team.vault, clock, app.dir.path(), Room::ALL).await.unwrap_err();
    assert!(matches!(&error, BackupError::Damaged { part, .. } if *part == third.packs[0].file), "{error}");
    store.ask(&format!("delete guild/hall/{pack}")).await;
    let error = restoring(&third.name).restore().await.unwrap_err();
    assert!(matches!(&error, BackupError::Damaged { why, .. } if why.contains("not there")), "{error}");
    // A store that cannot be reached says nothing of the backup.
    let gone = Shelf::at(PLACE, &store.access(breaking_off(store.port, 0).await, &store.writer)).unwrap();
    let error = verify(&gone, None, Some(&key), &team.vault, Arc::new(SystemClock), app.dir.path(), Room::ALL)
        .await
        .unwrap_err();
    assert!(matches!(&error, BackupError::Bucket { .. }), "{error}");
    let restored = restoring(&second.name).restore().await.unwrap();
    assert_eq!((restored.problems.as_slice(), restored.repositories), (&[] as &[String], 1));
    empty.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_backs_up_into_a_bucket_restores_from_it_and_says_what_is_wrong_with_it() {
    let mut store = Store::start().await;
    let mut app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("shop", json!({ "kind": "sample" })).await["id"].as_str().unwrap().to_owned();
    app.stop().await;
    let data = app.dir.path().to_owned();
    let env = store.env();
    let program = |data: &Path, args: &[&str], change: &[(&str, &str)]| {
        let mut command = guildhall(data);
        command.args(args).envs(env.iter().map(|(name, value)| (*name, value.as_str()))).envs(change.iter().copied());
        command
    };
    let to = &[("GUILDHALL_BACKUP_TO", PLACE)];
    let (code, out, err) = run(&mut program(&data, &["backup"], to)).await;
    assert!(code == Some(0) && out.contains(&format!("in {PLACE}: it is a full one")), "{out}{err}");
    assert!(out.contains("Restored it into a scratch place"), "{out}");
    let (code, out, err) = run(&mut program(&data, &["backup", "list", "--to", PLACE], &[])).await;
    assert!(code == Some(0) && out.lines().count() == 1 && out.contains("full"), "{out}{err}");
    assert!(store.objects().await.keys().all(|name| !name.contains("lock")), "nothing holds the place any more");

    // What an operator gets wrong is told in words, and no secret with it.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let elsewhere = format!("http://{nobody}");
    let stranger = ("AKIASTRANGER", "no-key-of-this-store-at-all");
    let list = ["backup", "list", "--to", PLACE];
    for (args, change, expected) in [
        (&list[..], &[("AWS_SECRET_ACCESS_KEY", stranger.1)][..], "does not accept the secret key"),
        (
            &list,
            &[("AWS_ACCESS_KEY_ID", stranger.0), ("AWS_SECRET_ACCESS_KEY", stranger.1)],
            "does not know this access key",
        ),
        (&list, &[("AWS_ENDPOINT_URL", elsewhere.as_str())], "gives no answer"),
        (&list, &[("AWS_ENDPOINT_URL", "http://s3.example.com")], "GUILDHALL_S3_ALLOW_HTTP"),
        (&list, &[("AWS_SECRET_ACCESS_KEY", "")], "AWS_SECRET_ACCESS_KEY"),
        (&list, &[("AWS_CA_BUNDLE", "/nowhere")], "AWS_CA_BUNDLE in the environment: found \"/nowhere\""),
        (&["restore", "--from", PLACE], &[("AWS_ENDPOINT_URL", "http://minio/of/others")], "or the name of a bucket"),
        (&["backup", "list", "--to", "s3://nobodys-bucket"], &[], "there is no bucket nobodys-bucket at http"),
        (&["restore", "--from", "s3://backups/elsewhere"], &[], "there is no backup in s3://backups/elsewhere"),
        (&["backup", "list", "--to", "s3://key:no-key-of-this-store-at-all@backups"], &[], "never in the address"),
    ] {
        let (code, out, err) = run(&mut program(&app.dir.path().join("lite"), args, change)).await;
        assert!(code == Some(1) && err.contains(expected), "{args:?} {change:?}: {out}{err}");
        let said = format!("{out}{err}");
        assert!(!said.contains(stranger.1) && !said.contains(&store.writer.1), "{said}");
    }
    let doctor = |change: &[(&str, &str)]| program(&data, &["doctor"], &[&to[..], change].concat());
    let (_, out, _) = run(&mut doctor(&[])).await;
    assert!(out.contains(&format!("ok    place for backups: {PLACE} at http")), "{out}");
    assert!(out.contains("one small object was written, read and deleted"), "{out}");
    let (_, out, _) =
        run(&mut doctor(&[("AWS_ACCESS_KEY_ID", &store.reader.0), ("AWS_SECRET_ACCESS_KEY", &store.reader.1)])).await;
    assert!(out.contains("FAIL  place for backups: ") && out.contains("s3:PutObject"), "{out}");
    assert!(store.objects().await.keys().all(|name| !name.contains("doctor")), "it took away what it had written");

    // The key in a file of its own, into an empty server.
    let secret = app.dir.path().join("s3.secret");
    std::fs::write(&secret, format!("{}\n", store.writer.1)).unwrap();
    let lite = app.dir.path().join("restored");
    let file = [("AWS_SECRET_ACCESS_KEY", ""), ("GUILDHALL_S3_SECRET_ACCESS_KEY_FILE", secret.to_str().unwrap())];
    let (code, out, err) = run(&mut program(&lite, &["restore", "--from", PLACE], &file)).await;
    assert!(code == Some(0) && out.contains("1 repositories are whole"), "{out}{err}");
    fsck(&lite.join(format!("repositories/{project}.git"))).await;
    let (code, out, _) = run(&mut program(&lite, &["audit", "verify"], &[])).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(store.objects().await.len() == 4, "{:?}", store.objects().await);
}

#[tokio::test]
async fn backups_that_go_into_a_bucket_are_made_kept_and_shown_by_the_server() {
    let mut store = Store::start().await;
    let shelf = store.shelf();
    let keep = Keep { last: 1, days: 0, weeks: 0 };
    let rules = BackupRules { keep, full_every: 1, verify: false, ..BackupRules::default() };
    let change = Box::new(|config: &mut guildhall_server::config::Config| {
        (config.backup, config.backup_rules) = (Some(shelf), rules);
    });
    let app = TestApp::with(crate::harness::Wish { change, ..Default::default() }).await;
    let mut owner = app.owner().await;
    let path = "/api/operation/backups";
    let mut latest = Value::Null;
    for _ in 0..2 {
        owner.call(path).await.is(reqwest::StatusCode::ACCEPTED);
        latest = crate::backups::until(&mut owner, path, |view| view["items"][0]["status"] != "running").await;
        assert_eq!(latest["items"][0]["status"], "done", "{latest:#}");
    }
    assert_eq!((&latest["destination"], &latest["items"][0]["destination"]), (&json!(PLACE), &json!(PLACE)));
    assert_eq!(latest["lastGoodAt"], latest["items"][0]["startedAt"]);
    // What is not kept goes, and so does the claim, a moment after it was said that the backup is there.
    let name = latest["items"][0]["name"].as_str().unwrap();
    let tidy = async {
        loop {
            let all = store.objects().await;
            if all.keys().all(|path| path.starts_with(&format!("{name}/"))) && all.len() == 3 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tidy).await.unwrap();
}

/// What one refuses that keeps a lock on objects.
const NO_DIGEST: &str = "<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters</Message></Error>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_with_a_lock_on_objects_is_told_the_digest_of_each_when_that_is_wanted() {
    let mut store = Store::start().await;
    let mut app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("large", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    app.stop().await;
    large_commit(&app.dir.path().join(format!("repositories/{project}.git")), 20 << 20).await;
    let strict = between(store.port, |asked: Asked| async move {
        let digest = ["content-md5", "x-amz-checksum-sha256"].iter().any(|name| asked.headers.contains_key(*name));
        (asked.method == Method::PUT && !digest).then(|| (StatusCode::BAD_REQUEST, NO_DIGEST.to_owned()))
    });
    let endpoint = format!("http://127.0.0.1:{}", strict.await);
    let backup = |change: &[(&str, &str)]| {
        let mut command = guildhall(app.dir.path());
        let env = [("GUILDHALL_BACKUP_TO", PLACE), ("AWS_ENDPOINT_URL", &endpoint)];
        command.arg("backup").envs(store.env()).envs(env).envs(change.iter().copied());
        command
    };
    let (code, out, err) = run(&mut backup(&[])).await;
    assert!(code == Some(1) && err.contains("400 InvalidRequest Content-MD5"), "{out}{err}");
    let (code, out, err) = run(&mut backup(&[("AWS_CHECKSUM_ALGORITHM", "sha256")])).await;
    assert!(code == Some(0) && out.contains("Restored it into a scratch place"), "{out}{err}");
    let all = store.objects().await;
    assert!(all.len() == 4 && all.values().any(|size| *size > 20 << 20), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_404_that_is_not_the_stores_and_a_claim_that_was_forgotten_harm_no_backup() {
    let mut store = Store::start().await;
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("shop", json!({ "kind": "sample" })).await;
    let team = &app.app.team;
    let making = |shelf| Making {
        store: &team.store,
        places: &team.places,
        shared: None,
        clock: &*team.clock,
        shelf,
        key: None,
        full_every: 1,
        known_only: false,
    };
    let shelf = store.shelf();
    let first = making(&shelf).make().await.unwrap().manifest;
    let whole = store.objects().await;

    // What stands in front of the store says 404 to whoever reads this file, in these words.
    let lie = Arc::new(Mutex::new(("manifest.json", "404 page not found\n")));
    let told = Arc::clone(&lie);
    let lying = between(store.port, move |asked: Asked| {
        let (file, words) = *told.lock().unwrap();
        let lies = asked.method == Method::GET && asked.path.contains(file);
        async move { lies.then(|| (StatusCode::NOT_FOUND, words.to_owned())) }
    });
    let lying = Shelf::at(PLACE, &store.access(lying.await, &store.writer)).unwrap();
    let unlike = |error: &BackupError| matches!(error, BackupError::Bucket { source, .. } if source.to_string().contains("not as S3 does"));
    let error = making(&lying).make().await.unwrap_err();
    assert!(unlike(&error), "{error:?}");
    assert_eq!(store.objects().await, whole, "it was not swept away");
    // Nor does it say anything of a part.
    *lie.lock().unwrap() = ("rows.jsonl", "404 page not found\n");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let looked_at = verify(&lying, Some(&first.name), None, &team.vault, clock, app.dir.path(), Room::ALL).await;
    assert!(matches!(&looked_at, Err(error) if unlike(error)), "{looked_at:?}");
    // And where the store itself says so of a manifest that it lists, the list is believed.
    *lie.lock().unwrap() = ("manifest.json", "<Error><Code>NoSuchKey</Code></Error>");
    let second = making(&lying).make().await.unwrap().manifest;
    let names = |all: Vec<guildhall_team::backup::Manifest>| all.into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(listed(&shelf).await.unwrap()), [first.name.as_str(), second.name.as_str()]);

    // Another process takes the claim for one that was left, as if this one had stood still.
    let forgets = async |store: &mut Store, held: between::Held| {
        let through = Shelf::at(PLACE, &store.access(held.port, &store.writer)).unwrap();
        let made = async { Making { shelf: &through, ..making(&shelf) }.make().await };
        let forget = async {
            let go_on = held.reached().await;
            let all = store.objects().await;
            let claim = all.keys().find(|name| name.starts_with("backup.lock/")).unwrap();
            store.ask(&format!("delete guild/hall/{claim}")).await;
            go_on.send(()).unwrap();
        };
        let (made, ()) = tokio::join!(made, forget);
        assert!(matches!(&made, Err(BackupError::Forgotten { .. })), "{made:?}");
    };
    let held = holding(store.port, Method::PUT, "index.json").await;
    forgets(&mut store, held).await;
    assert_eq!(listed(&shelf).await.unwrap().len(), 2, "it wrote no manifest");
    let left = store.objects().await;
    let mut there = left.keys().map(|path| path.split_once('/').unwrap().0);
    let cut_off = there.find(|name| *name != first.name && *name != second.name).unwrap();
    let held = holding(store.port, Method::GET, &format!("{cut_off}/manifest.json")).await;
    forgets(&mut store, held).await;
    assert_eq!(store.objects().await, left, "nor did it sweep: that may be the other one's by now");
    making(&shelf).make().await.unwrap();
    // The next one does, and may have the name of what it swept away.
    assert_eq!((store.objects().await.len(), listed(&shelf).await.unwrap().len()), (3 * whole.len(), 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_in_the_middle_of_a_backup_lets_others_in() {
    let mut store = Store::start().await;
    // It never gets to the end, and its claim goes slowly enough that nobody who does not wait sees it go.
    let held = holding(store.port, Method::PUT, "index.json").await;
    let slow = between(held.port, |asked: Asked| async move {
        if asked.method == Method::DELETE && asked.path.contains("backup.lock") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        None
    });
    let endpoint = format!("http://127.0.0.1:{}", slow.await);
    let data = tempfile::tempdir().unwrap();
    let key = [("AWS_ACCESS_KEY_ID", store.writer.0.as_str()), ("AWS_SECRET_ACCESS_KEY", &store.writer.1)];
    let env = [("GUILDHALL_BACKUP_TO", PLACE), ("GUILDHALL_BACKUP_EVERY", "off"), ("AWS_ENDPOINT_URL", &endpoint)];
    let (mut server, url) = crate::rotation::serve(data.path(), &[&key[..], &env].concat()).await;
    let mut owner = Persona::at(&url);
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", me).await.is(reqwest::StatusCode::CREATED);
    owner.call("/api/operation/backups").await.is(reqwest::StatusCode::ACCEPTED);
    let _held = held.reached().await;
    assert!(store.objects().await.keys().any(|name| name.starts_with("backup.lock/")));
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap().success());
    let all = store.objects().await;
    assert!(!all.is_empty() && all.keys().all(|name| !name.starts_with("backup.lock/")), "{all:?}");
}
