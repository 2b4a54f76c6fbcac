//! How long the start of a sandboxed command takes, against plain fork and exec and against bare bubblewrap; and what many
//! commands at once cost.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use guildhall_sandbox::{Command, Exit, Isolation, Room, Sandbox};

use crate::table::{Table, median, quantile};

/// The most that a start may take, in starts of bare bubblewrap.
const RATIO: f64 = 1.2;
/// Starts of each kind that are not counted.
const WARM: usize = 5;
/// Commands at once.
const TOGETHER: usize = 200;
/// How often memory is looked at while they run.
const LOOK: Duration = Duration::from_millis(5);

/// What the sandbox starts for a command, and so what the others start.
const LINE: &str = "true";

/// Bare bubblewrap: the same namespaces, and nothing else of what keeps an agent apart.
const BARE: &[&str] = &[
    "--unshare-user",
    "--disable-userns",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup",
    "--unshare-net",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--clearenv",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--",
    "/bin/bash",
    "-c",
    LINE,
];

/// Measures `rounds` starts of each kind in turn, and then many at once.
pub async fn measure(rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    let place = tempfile::tempdir()?;
    let at = place.path().canonicalize()?;
    let mut parts = ["tree", "git", "objects"].map(|name| at.join(name)).into_iter();
    for part in parts.clone() {
        std::fs::create_dir(&part)?;
    }
    let tree = parts.next().context("no tree")?;
    let room = Room { git: parts.next(), objects: parts.next(), ..Room::new(tree) };
    let sandbox = Sandbox::new(Isolation::Bubblewrap);
    let report = sandbox.probe().await;
    ensure!(report.usable, "this host cannot isolate: {:#?}", report.findings);

    let [mut plain, mut bare, mut ours] = [const { Vec::new() }; 3];
    for round in 0..rounds + WARM {
        let times = [
            other(Path::new("/bin/bash"), &["-c", LINE]).await?,
            other(Path::new("bwrap"), BARE).await?,
            sandboxed(&sandbox, &room).await?,
        ];
        if round >= WARM {
            for (list, time) in [&mut plain, &mut bare, &mut ours].into_iter().zip(times) {
                list.push(time);
            }
        }
    }
    let note = |list: &[f64]| format!("median of {rounds}; p95 {:.2} ms", quantile(list, 0.95));
    table.tell("sandbox: plain fork and exec", median(&plain), "ms", note(&plain));
    table.tell("sandbox: bare bubblewrap", median(&bare), "ms", note(&bare));
    table.tell("sandbox: a sandboxed command", median(&ours), "ms", note(&ours));
    table.add("sandbox: against bare bubblewrap", median(&ours) / median(&bare), "times", RATIO, "of the medians");
    together(&sandbox, &room, table).await
}

/// Starts many at once: how long until all have ended, and what this process takes for it.
async fn together(sandbox: &Sandbox, room: &Room, table: &mut Table) -> anyhow::Result<()> {
    let before = resident()?;
    let began = Instant::now();
    let all = try_join_all((0..TOGETHER).map(|_| sandboxed(sandbox, room)));
    tokio::pin!(all);
    let mut peak = before;
    let each = loop {
        tokio::select! {
            each = &mut all => break each?,
            () = tokio::time::sleep(LOOK) => peak = peak.max(resident()?),
        }
    };
    let whole = began.elapsed().as_secs_f64() * 1_000.0;
    let note =
        format!("all of them; the slowest {:.0} ms, {:.1} ms for each", quantile(&each, 1.0), whole / TOGETHER as f64);
    table.tell(format!("sandbox: {TOGETHER} commands at once"), whole, "ms", note);
    let note = format!("{before:.1} MiB before, {peak:.1} MiB at most");
    table.tell(format!("sandbox: memory of who starts {TOGETHER}"), peak - before, "MiB", note);
    Ok(())
}

/// One start by the sandbox; milliseconds.
async fn sandboxed(sandbox: &Sandbox, room: &Room) -> anyhow::Result<f64> {
    let command = Command { line: LINE.to_owned(), timeout: Duration::from_secs(60), max_output: 32 * 1024 };
    let began = Instant::now();
    let outcome = sandbox.run(room, &command, &mut |_| {}).await?;
    ensure!(outcome.exit == Exit::Code(0), "{:?} {}", outcome.exit, outcome.output);
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}

/// One start of another program, whose output is read in the same way; milliseconds.
async fn other(program: &Path, arguments: &[&str]) -> anyhow::Result<f64> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let began = Instant::now();
    let output = command.output().await.with_context(|| format!("starting {}", program.display()))?;
    ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}

/// What this process has in memory, in MiB.
fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
}
