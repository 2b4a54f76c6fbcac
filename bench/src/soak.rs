//! Fifty agents of one member misbehave at once, each in its own way and again and again, while another member's run goes
//! through its work. Whether that run ends undisturbed, and how fast the server answers meanwhile.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::try_join_all;
use guildhall_sim::{Config, Sim};
use serde_json::{Value, json};

use crate::server::{Server, text};
use crate::table::{Table, median, quantile};
use crate::visitor::{Visitor, elsewhere};

/// Agents that misbehave.
pub const AGENTS: usize = 50;
/// How much slower than in quiet the slowest of a hundred answers may be.
const SLOWER: f64 = 2.0;
/// Between two requests of each kind.
const LOOK: Duration = Duration::from_millis(50);
/// Between two looks at the server's memory.
const OFTEN: Duration = Duration::from_millis(500);
/// Steps of the run that must not be disturbed: each reads, writes and runs something.
const STEPS: usize = 30;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What agents do, by name. Memory and processes are bounded by the kernel where it is up to that; the bounds in the lines
/// keep a machine alive that is not. That of processes is in the line itself: the kernel holds none against whoever is root
/// outside.
const DEEDS: &[(&str, &str)] = &[
    ("fork bomb", "f() { if (( $1 )); then f $(($1 - 1)) | f $(($1 - 1)) & fi; }; f 8; sleep 3"),
    ("processes", "for n in $(seq 100); do sleep 60 & done; wait"),
    (
        "memory",
        "ulimit -v 600000; perl -e 'my @a; push @a, \"x\" x 1048576 while 1'; tail -c 300M /dev/zero | tail -n 1",
    ),
    ("disk", "head -c 200M /dev/zero > big; head -c 700M /dev/zero > /tmp/big; rm -f big; true"),
    ("many files", "mkdir -p many; for n in $(seq 5000); do : > many/$n; done; rm -rf many"),
    ("flood", "yes 'a flood of words' & yes >&2 & sleep 4"),
    ("one long line", "head -c 300M /dev/zero | tr '\\0' x"),
    ("kill all", "trap '' TERM; sleep 60 & kill -9 -1; echo alive; setsid sleep 60 & nohup sleep 60 & disown; true"),
    ("endless", "while :; do :; done"),
    ("sleep", "setsid sleep 1000 & sleep 1000"),
    (
        "sockets",
        "perl -MSocket -e 'my @s; for (1 .. 20000) { socket(my $s, AF_UNIX, SOCK_STREAM, 0) or last; push @s, $s } sleep 3'",
    ),
    (
        "links",
        "for n in $(seq 2000); do ln -sfn / l; ln -sfn /proc/self/root m; rm -rf l m; mkdir l; rmdir l; done; ln -s . here; ln -s / root; true",
    ),
    ("depth", "perl -e 'for (1 .. 3000) { mkdir \"d\"; chdir \"d\" }'; mkfifo .gitattributes; true"),
    (
        "escape",
        "mount -t tmpfs x /mnt; unshare -Ur true; cat /proc/1/environ; ls /proc/1/root/root; exec 3<> /dev/tcp/127.0.0.1/22; true",
    ),
];

/// What became of the members' work.
struct Outcome {
    /// How long the run that must not be disturbed took, in seconds.
    run: f64,
    /// Milliseconds of the server's answers meanwhile, for each of what was asked.
    answers: [Vec<f64>; 3],
    /// Whether who looked came before all else on this machine.
    first: bool,
    /// Where the misbehaving cards stand at the end.
    cards: BTreeMap<String, usize>,
    /// The most memory of the server itself, in MiB.
    peak: f64,
}

/// Measures a quiet run, and then one among agents that misbehave.
///
/// # Errors
/// When that one does not come to its end, or the server does not stand.
pub async fn measure(program: &Path, agents: usize, table: &mut Table) -> anyhow::Result<()> {
    let quiet = one(program, 0).await?;
    let loud = one(program, agents).await?;
    let p99 = |outcome: &Outcome| quantile(&outcome.answers.concat(), 0.99);
    let note = |outcome: &Outcome| {
        let all = outcome.answers.concat();
        let [card, board, health] = outcome.answers.each_ref().map(|answers| quantile(answers, 0.99));
        format!(
            "median {:.1} ms, slowest {:.1} ms of {}; p99 of the card {card:.1}, the board {board:.1}, health {health:.1}",
            median(&all),
            quantile(&all, 1.0),
            all.len()
        )
    };
    table.tell("soak: the API in quiet, p99", p99(&quiet), "ms", note(&quiet));
    table.add(format!("soak: the same beside {agents} agents"), p99(&loud), "ms", SLOWER * p99(&quiet), note(&loud));
    table.tell("soak: a run in quiet", quiet.run, "s", format!("{STEPS} steps"));
    table.tell("soak: the same run beside them", loud.run, "s", "undisturbed: every step answered as in quiet");
    table.tell("soak: the server's memory at most", loud.peak, "MiB", format!("{:.1} MiB in quiet", quiet.peak));
    if !(quiet.first && loud.first) {
        writeln!(std::io::stdout(), "whoever looked had to wait for a turn on this machine: as root, it need not")?;
    }
    let cards: Vec<String> = loud.cards.iter().map(|(status, count)| format!("{count} {status}")).collect();
    writeln!(std::io::stdout(), "the misbehaving cards at the end: {}\n", cards.join(", "))?;
    Ok(())
}

async fn one(program: &Path, agents: usize) -> anyhow::Result<Outcome> {
    let sim = Sim::start(Config::default()).await?;
    let mut server = Server::start(program, Some(&sim.url()), None).await?;
    server.sign_up().await?;
    server.raise_limits().await?;
    let session = server.invite("mallory").await?;
    let own = server.project_named("Ours", json!({ "kind": "empty" })).await?;
    let theirs = server.project_named("Theirs", json!({ "kind": "empty" })).await?;
    let mut bad = Vec::new();
    for number in 0..agents {
        let (name, line) = DEEDS[number % DEEDS.len()];
        // Again and again, and a little different each time, so that nobody takes it for going in circles.
        let steps: Vec<String> = (0..40)
            .map(|n| {
                json!({ "tools": [["bash", { "command": format!("{line} # {n}"), "timeoutMs": 8000 }]] }).to_string()
            })
            .collect();
        let description = format!("Misbehaves: {name}.\n\n```sim\n{}\n```", steps.join("\n"));
        let body = json!({ "title": format!("{name} {number}"), "description": description, "model": "simulated",
            "skipVerification": true });
        let path = format!("/api/projects/{theirs}/features");
        bad.push(text(&server.post_as(&session, &path, &body).await?, "id")?);
    }
    let good = server.card(&own, "Undisturbed", &steady()).await?;
    let start = |id: String| {
        let (server, session) = (&server, &session);
        async move { server.post_as(session, &format!("/api/features/{id}/start"), &Value::Null).await.map(|_| ()) }
    };
    try_join_all(bad.iter().cloned().map(start)).await?;
    if agents > 0 {
        // Until they are at it.
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    server.post(&format!("/api/features/{good}/start"), &Value::Null).await?;
    let visitor = server.visitor();
    let (card, project) = (good.clone(), own.clone());
    let mut looking = Box::pin(elsewhere(move || async move { look(&visitor(), &card, &project).await }));
    let mut peak = 0.0_f64;
    let (first, (run, answers)) = loop {
        peak = peak.max(server.memory()?.server_mib);
        tokio::select! {
            looked = &mut looking => break looked?,
            () = tokio::time::sleep(OFTEN) => {}
        }
    };
    // All of its work is there.
    let diff = server.get(&format!("/api/features/{good}/diff")).await?;
    let files = diff["files"].as_array().map_or(0, Vec::len);
    ensure!(files == STEPS, "the run beside them has {files} files of {STEPS}");
    let mut cards = BTreeMap::new();
    for id in &bad {
        *cards.entry(text(&server.get(&format!("/api/features/{id}")).await?, "status")?).or_default() += 1;
    }
    if agents > 0 {
        server.post("/api/agents/stop-all", &Value::Null).await?;
    }
    Ok(Outcome { run, answers, first, cards, peak })
}

/// Looks at a card until its run has ended, and at its board and at the server's health; the seconds until then, and the milliseconds of the
/// answers.
async fn look(visitor: &Visitor, card: &str, project: &str) -> anyhow::Result<(f64, [Vec<f64>; 3])> {
    let began = Instant::now();
    let mut answers = [const { Vec::new() }; 3];
    let paths = [
        format!("/api/features/{card}"),
        format!("/api/projects/{project}/features?limit=50"),
        "/api/health".to_owned(),
    ];
    loop {
        ensure!(began.elapsed() < PATIENCE, "the run beside them did not come to its end");
        let mut ended = false;
        for (path, answers) in paths.iter().zip(&mut answers) {
            let (answer, took) = visitor.get(path).await?;
            answers.push(took);
            ensure!(answer["status"] != "failed", "the run beside them failed: {}", answer["error"]);
            ended |= answer["status"] == "waiting_approval";
        }
        if ended {
            return Ok((began.elapsed().as_secs_f64(), answers));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A script of ordinary work.
fn steady() -> String {
    let step = |n: usize| {
        let command = format!("echo {n} > made-{n}.txt && cat made-{n}.txt README.md && sleep 0.3");
        json!({ "say": "I go on.", "tools": [["read", { "path": "README.md" }], ["bash", { "command": command }]] })
            .to_string()
    };
    let mut steps: Vec<String> = (0..STEPS).map(step).collect();
    steps.push(json!({ "say": "Done." }).to_string());
    steps.join("\n")
}
