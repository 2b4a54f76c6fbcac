//! How commands come to an end, and that nothing outlives them.

use std::fs;
use std::time::{Duration, Instant};

use guildhall_sandbox::{Command, Exit, Isolation, Sandbox};

use crate::harness::{Place, command, patience};

/// How many processes of the host have this word in their arguments; bubblewrap's own have their command's.
pub fn alive(word: &str) -> usize {
    let line = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let holds = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(word);
    fs::read_dir("/proc").unwrap().flatten().map(line).filter(holds).count()
}

/// Waits for all of them to end; they have been killed, so this takes moments.
pub async fn none_alive(word: &str) -> bool {
    let until = Instant::now() + patience(10);
    while alive(word) > 0 {
        if Instant::now() > until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

/// A number of seconds to sleep by which a test knows its own processes.
pub fn word(test: u32) -> String {
    format!("{}.{test}", 100_000 + std::process::id())
}

/// Children of every kind: in the background, in a session of their own, and with no parent left.
pub fn brood(word: &str) -> String {
    format!(
        "sleep {word} & setsid sleep {word} & (setsid bash -c 'sleep {word} & sleep {word} & exit' &) ; \
         (trap '' HUP TERM INT; exec setsid sleep {word} > /dev/null 2>&1 < /dev/null &) ; nohup sleep {word} &> /dev/null & \
         until [[ $(cat /proc/[0-9]*/comm 2> /dev/null | grep -cx sleep) -ge 6 ]]; do :; done; echo ready"
    )
}

#[tokio::test]
async fn a_child_that_holds_the_output_holds_up_nothing() {
    // 24
    let place = Place::new();
    let word = word(1);
    let started = Instant::now();
    let out = place.run(&brood(&word)).await;
    assert_eq!((out.exit, out.output.as_str()), (Exit::Code(0), "ready\n"));
    assert!(started.elapsed() < patience(30));
    // They are gone when the call returns, not some time later.
    assert_eq!(alive(&word), 0);
}

#[tokio::test]
async fn at_the_timeout_the_whole_tree_dies() {
    // 23
    let place = Place::new();
    let word = word(2);
    let line = format!("{}; trap '' TERM INT; sleep {word}; wait", brood(&word));
    let out = place.try_run(&Command { timeout: patience(5), ..command(&line) }).await.unwrap();
    assert_eq!((out.exit, out.output.as_str()), (Exit::TimedOut, "ready\n"));
    assert_eq!(alive(&word), 0);
    assert!(out.duration >= patience(5) && out.duration < patience(30), "{:?}", out.duration);
}

#[tokio::test]
async fn dropping_the_call_kills_the_whole_tree() {
    // 23
    let place = Place::new();
    let word = word(3);
    let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
    let (sandbox, room) = (place.sandbox.clone(), place.room.clone());
    let line = format!("{}; wait", brood(&word));
    let call = tokio::spawn(async move {
        sandbox.run(&room, &command(&line), &mut |_| ready.send(()).unwrap()).await.unwrap();
    });
    is_ready.recv().await.unwrap();
    assert!(alive(&word) >= 6);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(none_alive(&word).await, "{} survived", alive(&word));
}

#[tokio::test]
async fn dropping_the_call_at_any_moment_leaves_nothing() {
    // The sandbox takes some ten milliseconds to be set up; these are dropped before, during and after that.
    let place = Place::new();
    let word = word(4);
    place.run("true").await;
    for step in 0..60 {
        let line = format!("sleep {word}");
        let command = command(&line);
        let mut sink = |_: &str| {};
        let call = place.sandbox.run(&place.room, &command, &mut sink);
        let cut = tokio::time::timeout(Duration::from_micros(step * 400), call).await;
        assert!(cut.is_err());
    }
    assert!(none_alive(&word).await, "{} survived", alive(&word));
}

#[tokio::test]
async fn a_command_outlives_the_thread_that_asked_for_it() {
    // The kernel tells a child of its parent's death when the thread that made it ends.
    let place = Place::new();
    let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
    let (sandbox, room) = (place.sandbox.clone(), place.room.clone());
    let mut call = Box::pin(async move {
        let line = command("echo on; until [[ -e go ]]; do sleep 0.01; done");
        sandbox.run(&room, &line, &mut |_| ready.send(()).unwrap()).await.unwrap()
    });
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::spawn(move || {
        let started = runtime.block_on(async {
            tokio::select! {
                _ = &mut call => false,
                _ = is_ready.recv() => true,
            }
        });
        (started, call)
    });
    let (started, call) = tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    assert!(started);
    fs::write(place.tree("go"), "").unwrap();
    assert_eq!(call.await.exit, Exit::Code(0));
}

/// Not a test: what a server does, in a process that another test kills.
#[tokio::test]
#[ignore = "is started by another test"]
async fn as_a_server_that_is_killed() {
    let Ok(word) = std::env::var("KILLED_SERVER_WORD") else { return };
    let place = Place::new();
    let tree = place.tree("");
    let line = format!("{}; touch ready; wait", brood(&word));
    let mut show = |_: &str| fs::write(std::env::var("KILLED_SERVER_READY").unwrap(), tree.to_str().unwrap()).unwrap();
    place.sandbox.run(&place.room, &command(&line), &mut show).await.unwrap();
}

#[tokio::test]
async fn when_the_server_is_killed_nothing_survives() {
    // 23
    let place = Place::new();
    let word = word(5);
    let mut server = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "endings::as_a_server_that_is_killed", "--ignored", "--nocapture"])
        .env("KILLED_SERVER_WORD", &word)
        .env("KILLED_SERVER_READY", place.at("ready"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let until = Instant::now() + patience(30);
    while !place.at("ready").exists() {
        assert!(Instant::now() < until && server.try_wait().unwrap().is_none(), "the server did not start");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(alive(&word) >= 6);
    server.kill().await.unwrap();
    assert!(none_alive(&word).await, "{} survived", alive(&word));
}

#[tokio::test]
async fn when_the_sandbox_is_killed_nothing_survives() {
    // 23: somebody kills bubblewrap itself.
    let place = Place::new();
    let word = word(6);
    let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
    let (sandbox, room) = (place.sandbox.clone(), place.room.clone());
    let line = format!("{}; wait", brood(&word));
    let call =
        tokio::spawn(
            async move { sandbox.run(&room, &command(&line), &mut |_| ready.send(()).unwrap()).await.unwrap() },
        );
    is_ready.recv().await.unwrap();
    // The children of a process are listed by the thread that started them.
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let all: Vec<String> = threads.map(|t| fs::read_to_string(t.path().join("children")).unwrap_or_default()).collect();
    let ours = |pid: &&str| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(&word));
    let bwraps: Vec<i32> = all.join(" ").split_whitespace().filter(ours).map(|pid| pid.parse().unwrap()).collect();
    assert!(!bwraps.is_empty());
    for pid in bwraps {
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL);
    }
    assert_eq!(call.await.unwrap().exit, Exit::Signal(9));
    assert!(none_alive(&word).await, "{} survived", alive(&word));
}

/// Bytes of memory that this process has now.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn output_without_end_takes_little_memory() {
    // 25
    let place = Place::new();
    place.run("true").await;
    let before = resident();
    let mut shown = 0;
    let mut sink = |text: &str| shown += text.len();
    let endless = Command { timeout: patience(2), ..command("yes") };
    let out = place.sandbox.run(&place.room, &endless, &mut sink).await.unwrap();
    assert_eq!(out.exit, Exit::TimedOut);
    assert!(out.omitted > 1024 * 1024 && out.output.len() < 33_000, "{} {}", out.omitted, out.output.len());
    assert!(out.output.starts_with("y\ny\n") && out.output.trim_end().ends_with("y\ny"));
    assert!(shown < 1_200_000, "{shown}");
    // One line of 2 GB, without a line break.
    let line = "head -c 2147483648 /dev/zero | tr '\\0' x";
    let out = place.run(line).await;
    assert_eq!((out.exit, out.omitted + 32 * 1024), (Exit::Code(0), 2_147_483_648));
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes more");
}

#[tokio::test]
async fn without_a_sandbox_commands_run_in_the_tree() {
    let place = Place::new();
    let sandbox = Sandbox::new(Isolation::None);
    let run = async |line: &str, timeout: u64| {
        let command = Command { timeout: patience(timeout), ..command(line) };
        sandbox.run(&place.room, &command, &mut |_| {}).await.unwrap()
    };
    let out = run("pwd; env | grep -c -E '^(CARGO|NEXTEST)'; readlink /proc/self/fd/0; exit 4", 60).await;
    assert_eq!((out.exit, out.output), (Exit::Code(4), format!("{}\n0\n/dev/null\n", place.room.tree.display())));
    assert_eq!(run("kill -KILL $$", 60).await.exit, Exit::Signal(9));
    let word = word(7);
    let out = run(&format!("sleep {word} & echo done"), 60).await;
    assert_eq!((out.exit, out.output.as_str()), (Exit::Code(0), "done\n"));
    assert!(none_alive(&word).await);
    let out = run(&format!("echo on; sleep {word}; echo off"), 1).await;
    assert_eq!((out.exit, out.output.as_str()), (Exit::TimedOut, "on\n"));
    assert!(none_alive(&word).await);
}

#[tokio::test]
async fn what_a_killed_server_left_behind_is_ended() {
    let place = Place::new();
    let stuck = |name: &str, argument: &str| {
        tokio::process::Command::new("/bin/bash")
            .arg0(name)
            .args(["-c", "read", argument])
            .stdin(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let at = |path: &str| place.at(path).display().to_string();
    let ours = [stuck("bwrap", &at("run/tree")), stuck("/usr/bin/bwrap", &at("run"))];
    let mut others = [stuck("/usr/bin/bwrap", &at("runner/tree")), stuck("bash", &at("run/tree")), stuck("bwrap", "/")];
    assert_eq!(guildhall_sandbox::end_leftovers(&place.at("run")), 2);
    for mut ours in ours {
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ours.wait().await.unwrap()), Some(9));
    }
    for other in &mut others {
        assert!(other.try_wait().unwrap().is_none());
    }
    assert_eq!(guildhall_sandbox::end_leftovers(&place.at("run")), 0);
}

#[tokio::test]
async fn what_was_to_hold_a_network_is_ended_with_what_else_a_killed_server_left() {
    let place = Place::new();
    // Stands for a bubblewrap that waits for the word of a dead one: what holds a network has the host's processes.
    let (program, stuck) = (place.at("bwrap"), place.at("stuck"));
    let script = format!(
        "#!/bin/bash\n[[ -e {} && \" $* \" != *' --unshare-pid '* ]] || exec /usr/bin/bwrap \"$@\"\n\
         exec -a bwrap /bin/bash -c 'read -r' \"$@\"\n",
        stuck.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let sandbox = Sandbox::with_bubblewrap(program).of_server(place.at("run"));
    assert!(sandbox.probe().await.usable);
    // What tried the sandbox out may be about to be gone.
    while guildhall_sandbox::end_leftovers(&place.at("run")) > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fs::write(&stuck, "").unwrap();
    let making = tokio::spawn(async move { sandbox.net().await });
    let until = Instant::now() + patience(8);
    while guildhall_sandbox::end_leftovers(&place.at("run")) == 0 {
        assert!(Instant::now() < until, "it was not found");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(making.await.unwrap().is_err());
}
