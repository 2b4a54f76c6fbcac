//! Agents of one member misbehave at once, in every way that needs no measuring, while another member's run goes through its
//! work. `bench/run soak` lets fifty of them do it, and measures how fast the server answers meanwhile.

use std::time::Duration;

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp, Wish};

/// One for each of the deeds.
const AGENTS: usize = DEEDS.len();

/// What agents do. The bounds in the lines keep a machine alive whose kernel holds no limits; that of processes is in the line
/// itself, since the kernel holds none against whoever is root outside.
const DEEDS: &[&str] = &[
    "f() { if (( $1 )); then f $(($1 - 1)) | f $(($1 - 1)) & fi; }; f 5; sleep 1",
    "ulimit -v 300000; perl -e 'my @a; push @a, \"x\" x 1048576 while 1'",
    "head -c 30M /dev/zero > big; head -c 100M /dev/zero > /tmp/big; rm -f big",
    "yes 'a flood of words' & yes >&2 & sleep 1",
    "head -c 20M /dev/zero | tr '\\0' x",
    "trap '' TERM; sleep 60 & kill -9 -1; setsid sleep 60 & disown; true",
    "setsid sleep 1000 & while :; do :; done",
    "sleep 1000",
    "perl -MSocket -e 'my @s; for (1 .. 20000) { socket(my $s, AF_UNIX, SOCK_STREAM, 0) or last; push @s, $s }'",
    "for n in $(seq 200); do ln -sfn / l; ln -sfn /proc/self/root m; rm -rf l m; mkdir l; rmdir l; done; ln -s . here",
    "perl -e 'for (1 .. 2000) { mkdir \"d\"; chdir \"d\" }'; ln -s / root; mkfifo pipe.rs; chmod 000 .",
    "mount -t tmpfs x /mnt; unshare -Ur true; ls /proc/1/root/root; exec 3<> /dev/tcp/127.0.0.1/22",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_members_run_goes_on_beside_agents_that_misbehave() {
    let app = TestApp::with(Wish::default()).await;
    let mut owner = app.owner().await;
    let mut mallory = app.member(MemberRole::Member).await;
    let mut limits = owner.get("/api/settings/limits").await.is(StatusCode::OK);
    limits["team"]["maxConcurrentFeaturesPerMember"] = AGENTS.into();
    limits["team"]["maxConcurrentFeatures"] = (2 * AGENTS).into();
    limits["team"]["maxWorktreesPerMember"] = (2 * AGENTS).into();
    owner.put("/api/settings/limits", limits).await.is(StatusCode::OK);
    let mut projects = Vec::new();
    for name in ["Ours", "Theirs"] {
        let project = owner.project(name, json!({ "kind": "empty" })).await;
        projects.push(format!("/api/projects/{}/features", project["id"].as_str().unwrap()));
    }
    let card = |steps: &[Value]| {
        let lines: Vec<String> = steps.iter().map(Value::to_string).collect();
        let description = format!("As scripted.\n\n```sim\n{}\n```", lines.join("\n"));
        json!({ "description": description, "model": "simulated", "skipVerification": true })
    };
    let mut bad = Vec::new();
    for number in 0..AGENTS {
        let step = |n: usize| {
            // A little different each time, so that nobody takes it for going in circles.
            let line = format!("{} # {n}", DEEDS[(number + n) % DEEDS.len()]);
            json!({ "tools": [["bash", { "command": line, "timeoutMs": 2000 }]] })
        };
        let steps: Vec<Value> = (0..60).map(step).collect();
        bad.push(mallory.post(&projects[1], card(&steps)).await.is(StatusCode::CREATED)["id"].clone());
    }
    let good = |n: usize| {
        let line = format!("echo {n} > made-{n}.txt && cat made-{n}.txt README.md");
        json!({ "tools": [["read", { "path": "README.md" }], ["bash", { "command": line }]] })
    };
    let steps: Vec<Value> = (0..6).map(good).chain([json!({ "say": "Done." })]).collect();
    let id = owner.post(&projects[0], card(&steps)).await.is(StatusCode::CREATED)["id"].clone();
    let path = format!("/api/features/{}", id.as_str().unwrap());
    for id in &bad {
        mallory.call(&format!("/api/features/{}/start", id.as_str().unwrap())).await.is(StatusCode::ACCEPTED);
    }
    // Most of them are at it; some have done their worst already.
    looks(&mut owner, "/api/health/detailed", |health| health["activeAgents"].as_u64() >= Some(AGENTS as u64 / 2))
        .await;
    owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    let rests = |card: &Value| {
        assert_ne!(card["status"], "failed", "{card:#}");
        card["status"] == "waiting_approval"
    };
    looks(&mut owner, &path, rests).await;
    let diff = owner.get(&format!("{path}/diff")).await.is(StatusCode::OK);
    assert_eq!(diff["files"].as_array().unwrap().len(), 6, "all of its work is there: {diff:#}");
    // The server still stands, and nothing of theirs outlives the switch that stops everything.
    owner.call("/api/agents/stop-all").await.is(StatusCode::OK);
    looks(&mut owner, "/api/health/detailed", |health| health["activeAgents"].as_u64() == Some(0)).await;
    let data = app.dir.path().display().to_string();
    let left = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.map(|process| std::fs::read(process.path().join("cmdline")).unwrap_or_default());
        lines
            .filter(|line| {
                line.split(|byte| *byte == 0).next().is_some_and(|name| name.ends_with(b"bwrap"))
                    && String::from_utf8_lossy(line).contains(&data)
            })
            .count()
    };
    let gone = async {
        while left() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), gone).await.is_ok(), "{} are left", left());
}

/// Looks at something until it is as it should be. Not by the socket, which so many agents fill faster than a test reads.
async fn looks(who: &mut Persona, path: &str, wanted: impl Fn(&Value) -> bool) {
    let looking = async {
        while !wanted(&who.get(path).await.is(StatusCode::OK)) {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(240), looking).await.is_ok(), "{path}: waited in vain");
}
