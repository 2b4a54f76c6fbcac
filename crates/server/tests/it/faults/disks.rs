//! Full disks, each alone: refused with a sentence, put off without a failure, gone on with when there is room.
//!
//! The small disks are mounted in a name space of the test's own, as root or as anybody who may have a user name space.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use guildhall_engine::Pace;
use guildhall_llm::Secret;
use guildhall_sim::Sim;
use guildhall_team::backup::{BackupError, BackupPlan, BackupRules, Backups, Shelf, listed};
use guildhall_types::alert::{AlertKind, AlertLevel};
use guildhall_types::backup::{BackupCause, Keep};
use guildhall_types::reading::{Disk, DiskRole, Reading, Used};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{program, tell};
use crate::harness::{PASSWORD, PATIENCE, Persona, TestApp, Wish};
use crate::program::guildhall;

const INSIDE: &str = "GUILDHALL_TEST_INSIDE";
/// Where this is set, what cannot be tested on a machine is passed over; else it fails, so that nobody takes it for tested.
const MAY_SKIP: &str = "GUILDHALL_TEST_MAY_SKIP";
const TURNS: usize = 6;

/// Whether this is the test in its name space. Otherwise it was run there, or says why it cannot be.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = program("unshare");
        match rustix::process::getuid().is_root() {
            true => command.arg("--mount"),
            false => command.args(["--user", "--map-root-user", "--mount"]),
        };
        command
    };
    let tried = unshare().args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output().unwrap();
    if !tried.status.success() {
        let why = format!("no small disk can be mounted here: {}", String::from_utf8_lossy(&tried.stderr));
        assert!(
            std::env::var_os(MAY_SKIP).is_some(),
            "{why}Allow user namespaces, or say with {MAY_SKIP}=1 that this is not tested here."
        );
        tell(&format!("SKIPPED: {why}"));
        return false;
    }
    let mut command = unshare();
    command.arg(std::env::current_exe().unwrap()).args(["--exact", "--nocapture", test]).env(INSIDE, "1");
    assert!(command.status().unwrap().success(), "it failed in its name space");
    false
}

fn mount(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    let mut command = program("mount");
    assert!(command.args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(path).status().unwrap().success());
}

/// Fills a disk until so many percent of it are used.
fn fill_to(disk: &Path, percent: u64) {
    let mut file = File::create(disk.join("most of it")).unwrap();
    let used = || {
        let found = rustix::fs::statvfs(disk).unwrap();
        (found.f_blocks - found.f_bfree) * 100 / found.f_blocks
    };
    while used() < percent {
        file.write_all(&vec![0_u8; 1 << 18]).unwrap();
    }
}

/// A disk as it is now.
fn as_it_is(disk: &Disk) -> Disk {
    let found = rustix::fs::statvfs(&disk.path).unwrap();
    let whole = |blocks: u64| i64::try_from(blocks * found.f_frsize).unwrap();
    let bytes = Used { used: whole(found.f_blocks - found.f_bfree), total: whole(found.f_blocks) };
    Disk { bytes, ..disk.clone() }
}

/// Fills a disk to the last byte.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filler");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 20, 4096, 1] {
        let bytes = vec![0_u8; size];
        while file.write_all(&bytes).is_ok() {}
    }
    path
}

async fn app(disk: &'static str) -> TestApp {
    let pace = Pace {
        lease: Duration::from_secs(6),
        look: Duration::from_millis(300),
        read: Duration::from_millis(300),
        rest: Duration::from_secs(1),
        alerts: false,
        ..Pace::default()
    };
    let change = move |config: &mut guildhall_server::config::Config| {
        let path = config.data_dir.join(disk);
        mount(&path);
        if disk == "database" {
            config.database_url = Secret::new(format!("sqlite://{}/guildhall.db", path.display()));
        }
    };
    TestApp::with(Wish { pace, change: Box::new(change), ..Wish::default() }).await
}

fn card() -> Value {
    let turn = |n: usize| {
        let tools = json!([
            ["write", { "path": format!("{n}.txt"), "content": "whole\n" }],
            ["bash", { "command": format!("head -c 20000 /dev/urandom > {n}.bin") }],
        ]);
        json!({ "silence_ms": 250, "say": format!("Turn {n}."), "tools": tools }).to_string()
    };
    let lines: Vec<String> = (1..=TURNS).map(turn).chain([json!({ "say": "All done." }).to_string()]).collect();
    json!({ "description": format!("Work\n\n```sim\n{}\n```", lines.join("\n")), "model": "simulated" })
}

struct Scene {
    app: TestApp,
    owner: Persona,
    project: String,
    card: String,
}

/// A run in the middle of its work.
async fn begun(disk: &'static str) -> Scene {
    let app = app(disk).await;
    let mut owner = app.owner().await;
    let project = owner.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let cards = format!("/api/projects/{project}/features");
    let card = owner.post(&cards, card()).await.is(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    owner.call(&format!("/api/features/{card}/start")).await.is(StatusCode::ACCEPTED);
    let mut scene = Scene { app, owner, project, card };
    scene.until("the first turn", async |scene| scene.run().await["turns"].as_i64().unwrap() >= 2).await;
    scene
}

impl Scene {
    async fn run(&mut self) -> Value {
        let runs = self.owner.get(&format!("/api/features/{}/runs", self.card)).await.is(StatusCode::OK);
        runs["items"][0].clone()
    }

    async fn feature(&mut self) -> Value {
        self.owner.get(&format!("/api/features/{}", self.card)).await.is(StatusCode::OK)
    }

    async fn until(&mut self, what: &str, so: impl AsyncFn(&mut Self) -> bool) {
        let waiting = async {
            while !so(self).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
    }

    /// The alerts that stand after a reading so many seconds from now. The test's own mounts alone count: the machine itself
    /// may be short of something.
    async fn alerts_after(&self, seconds: i64) -> Vec<(AlertKind, AlertLevel)> {
        let app = &self.app.app;
        let mut readings = app.engine.readings();
        let latest = readings.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        let at = app.team.clock.now() + chrono::Duration::seconds(seconds);
        let own = |disk: &&Disk| !matches!(disk.role(), DiskRole::Data | DiskRole::Log);
        let disks = latest.disks.iter().filter(own).map(as_it_is).collect();
        app.engine.judge(&Reading { at, memory: None, disks, database_millis: Some(1.0), ..(*latest).clone() }).await;
        let open = app.team.store.open_alerts().await.unwrap();
        open.iter().filter(|alert| alert.kind == AlertKind::Disk).map(|alert| (alert.kind, alert.level)).collect()
    }

    /// Everything that was done before or after is in the work; what a tool could not write, it said.
    async fn ends_well(mut self) {
        self.until("the end", async |scene| {
            let card = scene.feature().await;
            assert_ne!(card["status"], "failed", "{card:#}");
            card["status"] == "waiting_approval"
        })
        .await;
        let store = &self.app.app.team.store;
        let id = self.card.parse().unwrap();
        let run = store.feature(id).await.unwrap().unwrap().card.run_id.unwrap();
        let diff = self.app.app.team.diff(id).await.unwrap();
        let turns = store.turns(run).await.unwrap();
        assert_eq!(turns.len(), TURNS + 1);
        for turn in &turns[..TURNS] {
            let results = serde_json::to_string(turn.results.as_ref().unwrap()).unwrap();
            let there = diff.files.iter().any(|file| file.new_path == format!("{}.txt", turn.number));
            let told = results.contains("No space left")
                || results.contains("stopped in the middle")
                || results.contains("os error 28");
            assert!(there || told, "turn {}: {results}", turn.number);
        }
        let data = self.app.dir.path().to_owned();
        let repository = data.join(format!("repositories/{}.git", self.project));
        self.app.stop().await;
        crate::fsck::fsck(&repository).await;
    }
}

/// A disk on which agents work. The run is put off, with the real cause, and nothing else is.
async fn work_waits_for_room(disk: &'static str) {
    let mut scene = begun(disk).await;
    let filler = fill(&scene.app.dir.path().join(disk));
    scene
        .until("a word on the disk", async |scene| {
            let card = scene.feature().await;
            assert_ne!(card["status"], "failed", "{card:#}");
            let run = scene.run().await["id"].as_str().unwrap().to_owned();
            let events = scene.owner.get(&format!("/api/runs/{run}/events")).await.is(StatusCode::OK);
            events.to_string().contains("disk is full. The run goes on by itself")
        })
        .await;
    // Reading goes on, and so does what needs no room there.
    let cards = format!("/api/projects/{}/features", scene.project);
    let another = json!({ "description": "Another card" });
    scene.owner.post(&cards, another).await.is(StatusCode::CREATED);
    assert_eq!(scene.owner.get(&cards).await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 2);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_ne!(scene.feature().await["status"], "failed");
    assert_eq!(scene.alerts_after(0).await, [(AlertKind::Disk, AlertLevel::Critical)]);
    let told = scene.owner.get("/api/notifications").await.is(StatusCode::OK);
    assert_eq!(told["items"][0]["kind"], "alert.critical", "{told}");
    std::fs::remove_file(filler).unwrap();
    scene.alerts_after(15).await;
    assert_eq!(scene.alerts_after(80).await, [(AlertKind::Disk, AlertLevel::Warning)], "work begins again");
    assert_eq!(scene.alerts_after(600).await, []);
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_worktrees_puts_runs_off() {
    if inside("faults::disks::a_full_disk_of_worktrees_puts_runs_off") {
        work_waits_for_room("worktrees").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_repositories_puts_runs_off() {
    if inside("faults::disks::a_full_disk_of_repositories_puts_runs_off") {
        work_waits_for_room("repositories").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_database_refuses_changes_and_loses_none() {
    if !inside("faults::disks::a_full_disk_of_the_database_refuses_changes_and_loses_none") {
        return;
    }
    let mut scene = begun("database").await;
    // While there is room to write it down.
    fill_to(&scene.app.dir.path().join("database"), 92);
    assert_eq!(scene.alerts_after(0).await, [(AlertKind::Disk, AlertLevel::Critical)]);
    let filler = fill(&scene.app.dir.path().join("database"));
    let cards = format!("/api/projects/{}/features", scene.project);
    let mut kept = Vec::new();
    let mut refused = None;
    for n in 0..500 {
        let title = format!("card {n}");
        let card = json!({ "title": title, "description": "x".repeat(20_000) });
        let answer = scene.owner.post(&cards, card).await;
        if answer.status == StatusCode::CREATED {
            kept.push(title);
            continue;
        }
        let problem = answer.is_problem(StatusCode::INSUFFICIENT_STORAGE, "disk-full");
        refused = Some(problem["detail"].as_str().unwrap().to_owned());
        break;
    }
    assert!(refused.is_some_and(|words| words.contains("when its operator has made room")));
    // Whoever watches is told, since no alert can be.
    let ready = async |scene: &mut Scene| scene.owner.get("/api/health/ready").await;
    scene.until("a word on the disk", async |scene| ready(scene).await.json()["status"] == "disk-full").await;
    assert_eq!(ready(&mut scene).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let metrics = scene.owner.get("/metrics").await;
    assert!(metrics.text().contains("guildhall_database_up 0"));
    scene.owner.get(&cards).await.is(StatusCode::OK);
    // Longer than a lease.
    tokio::time::sleep(Duration::from_secs(8)).await;
    scene.owner.get(&cards).await.is(StatusCode::OK);
    std::fs::remove_file(filler).unwrap();
    std::fs::remove_file(scene.app.dir.path().join("database/most of it")).unwrap();
    scene.until("a well server", async |scene| ready(scene).await.status == StatusCode::OK).await;
    scene.alerts_after(15).await;
    scene.alerts_after(80).await;
    scene
        .until("room", async |scene| {
            let cards = format!("/api/projects/{}/features", scene.project);
            scene.owner.post(&cards, json!({ "title": "after", "description": "x" })).await.status
                == StatusCode::CREATED
        })
        .await;
    let listed = scene.owner.get(&format!("{cards}?limit=500")).await.is(StatusCode::OK);
    let titles: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|card| card["title"].as_str().unwrap()).collect();
    assert!(kept.iter().all(|title| titles.contains(&title.as_str())), "an acknowledged card was lost");
    scene.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_backups_gets_room_when_fewer_are_kept() {
    if !inside("faults::disks::a_full_disk_of_backups_gets_room_when_fewer_are_kept") {
        return;
    }
    let app = TestApp::start().await;
    let (team, data) = (&app.app.team, app.dir.path().to_owned());
    let folder = data.join("backups");
    mount(&folder);
    let keeping = |last| {
        let keep = Keep { last, days: 0, weeks: 0 };
        let rules = BackupRules { keep, full_every: 1, verify: false, ..BackupRules::default() };
        let plan = BackupPlan { shelf: Shelf::Folder(folder.clone()), rules };
        let (places, clock, vault) = (Arc::clone(&team.places), Arc::clone(&team.clock), Arc::clone(&team.vault));
        Backups::new(team.store.clone(), places, clock, vault, plan, data.clone())
    };
    for _ in 0..3 {
        keeping(9).make(BackupCause::Command, false).await.unwrap();
    }
    fill(&folder);
    let error = keeping(9).make(BackupCause::Command, false).await.unwrap_err();
    assert!(matches!(error, BackupError::File { .. }), "{error}");
    let done = keeping(1).make(BackupCause::Command, false).await.unwrap();
    assert_eq!(done.gone.unwrap().len(), 3, "two before it was made, and the one that it replaces");
    assert_eq!(listed(&Shelf::Folder(folder)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_log_loses_lines_and_nothing_else() {
    if !inside("faults::disks::a_full_disk_of_the_log_loses_lines_and_nothing_else") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("log");
    mount(&disk);
    fill_to(&disk, 92);
    let sim = Sim::start(guildhall_sim::Config::default()).await.unwrap();
    let mut command = guildhall(&dir.path().join("data"));
    command.env_remove("GUILDHALL_TEST_ALERTS");
    command.arg("serve").env("GUILDHALL_SIMULATED_PROVIDER_URL", sim.url()).stdout(std::process::Stdio::piped());
    let path = disk.join("guildhall.log");
    let log = File::options().create(true).append(true).open(&path).unwrap();
    let mut server = command.stderr(log).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let mut owner = Persona::at(line.split_once(" is at ").unwrap().1);
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
    let project = owner.project("p", json!({ "kind": "empty" })).await;
    let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let mut socket = owner.listen("").await.unwrap();
    let raised = async {
        loop {
            let alerts = owner.get("/api/alerts").await.is(StatusCode::OK);
            if let Some(alert) = alerts["items"].as_array().unwrap().iter().find(|alert| alert["kind"] == "log-disk") {
                return alert.clone();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let alert = tokio::time::timeout(PATIENCE, raised).await.unwrap();
    assert!(alert["text"].as_str().unwrap().contains("Work goes on"), "{alert}");
    let filler = fill(&disk);
    // The rest of its own last page, too.
    let mut log = File::options().append(true).open(&path).unwrap();
    while log.write_all(b"\n").is_ok() {}
    let full = std::fs::metadata(&path).unwrap().len();
    owner.post(&format!("{project}/auto-mode"), json!({ "action": "start" })).await.is(StatusCode::OK);
    let mut work = async || {
        let card = json!({ "description": "Work\n\n```sim\n{\"say\": \"Done.\"}\n```", "model": "simulated" });
        let card = owner.post(&format!("{project}/features"), card).await.is(StatusCode::CREATED);
        let ended =
            |frame: &Value| frame["feature"]["id"] == card["id"] && frame["feature"]["status"] == "waiting_approval";
        socket.wait(ended).await;
    };
    work().await;
    work().await;
    assert_eq!(std::fs::metadata(&path).unwrap().len(), full, "there was room for a line");
    std::fs::remove_file(filler).unwrap();
    work().await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("a run begins").count(), 1, "the log goes on by itself: {text}");
    server.kill().await.unwrap();
}
