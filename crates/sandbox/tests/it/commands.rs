//! Ordinary commands.

use std::fs;
use std::time::Duration;

use guildhall_git::{Identity, NewFile, Repo};
use guildhall_sandbox::{Command, Exit, SandboxError};

use crate::harness::{Place, command, patience};

#[tokio::test]
async fn a_command_ends_with_its_code_or_its_signal() {
    let place = Place::new();
    for (line, exit) in [
        ("true", Exit::Code(0)),
        ("exit 3", Exit::Code(3)),
        ("exit 129", Exit::Code(129)),
        ("exit 255", Exit::Code(255)),
        ("no-such-program", Exit::Code(127)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -SEGV $$", Exit::Signal(11)),
        ("bash -c 'kill -KILL $$'; exit $?", Exit::Signal(9)),
    ] {
        assert_eq!(place.run(line).await.exit, exit, "{line}");
    }
}

#[tokio::test]
async fn both_streams_come_in_the_order_of_writing() {
    let place = Place::new();
    let out = place.run("for i in 1 2 3; do echo out$i; echo err$i >&2; done; printf end").await;
    assert_eq!(out.output, "out1\nerr1\nout2\nerr2\nout3\nerr3\nend");
    assert_eq!(out.omitted, 0);
}

#[tokio::test]
async fn a_command_works_in_the_tree_and_finds_its_tools() {
    let place = Place::new();
    fs::write(place.tree("in.txt"), "text").unwrap();
    let line =
        "pwd; cat in.txt; echo; id -un; hostname; cat; mkdir -p new && echo made > new/out.txt; ls /tmp ~ /var/tmp";
    assert_eq!(place.says(line).await, "/workspace\ntext\nagent\nsandbox\n/home/agent:\n\n/tmp:\n\n/var/tmp:\n");
    assert_eq!(fs::read_to_string(place.tree("new/out.txt")).unwrap(), "made\n");
    // Nothing but the tree outlives a command.
    place.run("touch /tmp/left ~/left").await;
    assert_eq!(place.says("ls /tmp ~").await, "/home/agent:\n\n/tmp:\n");
}

#[tokio::test]
async fn the_environment_is_clean_and_the_rooms_own() {
    let mut place = Place::new();
    place.room.env = vec![("LANG".to_owned(), "de_DE.UTF-8".to_owned()), ("A_KEY".to_owned(), "a b\n$c".to_owned())];
    let out = place.says("env; tr '\\0' '\\n' < /proc/1/environ").await;
    // Cargo sets these for every test; a server's secrets would come the same way.
    for leaked in ["CARGO", "NEXTEST", "RUST"] {
        assert!(!out.contains(leaked), "{out}");
    }
    assert!(
        out.contains("A_KEY=a b\n$c\n") && out.contains("LANG=de_DE.UTF-8\n") && out.contains("HOME=/home/agent\n")
    );
    assert!(out.contains("TERM=dumb\n") && out.contains("PATH=/usr/local/sbin:"), "{out}");
    let keys: Vec<&str> = out.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key).collect();
    let known = |key: &&str| {
        key.starts_with("GIT_") || "LANG LC_CTYPE A_KEY HOME TERM PATH USER PAGER PWD SHLVL _".contains(*key)
    };
    assert!(keys.iter().all(known), "{keys:?}");
}

#[tokio::test]
async fn toolchains_appear_where_they_are_and_can_be_called() {
    let mut place = Place::new();
    let inside = tempfile::tempdir_in("/tmp").unwrap();
    place.room.read_only = vec![inside.path().to_owned()];
    let error = place.try_run(&command("hello")).await.unwrap_err();
    assert!(matches!(&error, SandboxError::Refused { reason } if reason.contains("of its own")), "{error}");
    // Not below /tmp, which is the sandbox's own.
    let given = std::env::var("GUILDHALL_TEST_FOLDER").ok();
    let places = given.iter().map(String::as_str).chain(["/opt", "/srv", env!("CARGO_TARGET_TMPDIR")]);
    let folder = places.into_iter().find_map(|at| tempfile::tempdir_in(at).ok());
    let tools = folder.unwrap();
    let program = tools.path().join("bin/hello");
    fs::create_dir(tools.path().join("bin")).unwrap();
    fs::write(&program, "#!/bin/sh\necho hello\n").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.room.read_only = vec![tools.path().to_owned()];
    place.room.path = vec![tools.path().join("bin")];
    let line = format!("hello; ls -A {0}/..; touch {0}/x", tools.path().display());
    let out = place.says(&line).await;
    let name = tools.path().file_name().unwrap().to_str().unwrap();
    assert!(out.starts_with(&format!("hello\n{name}\n")) && out.contains("Read-only file system"), "{out}");
}

#[tokio::test]
async fn what_is_not_utf8_is_shown_as_such() {
    let place = Place::new();
    assert_eq!(place.says(r"printf 'a\xff\xc3\xa4\xe2\x82'").await, "a\u{fffd}ä\u{fffd}");
}

#[tokio::test]
async fn long_output_keeps_its_head_and_its_tail() {
    let place = Place::new();
    let small = Command { max_output: 100, ..command("seq 1 20000") };
    let out = place.try_run(&small).await.unwrap();
    assert!(out.output.starts_with("1\n2\n3\n") && out.output.ends_with("19999\n20000\n"), "{}", out.output);
    assert!(out.output.contains(&format!("[… {} bytes left out …]", out.omitted)), "{}", out.output);
    assert_eq!(out.omitted, 108_894 - 100);
}

#[tokio::test]
async fn output_is_handed_on_while_the_command_runs() {
    let place = Place::new();
    let (mut shown, tree) = (String::new(), place.room.tree.clone());
    // The command goes on only when its first word arrived outside.
    let line = "echo first; until [[ -e go ]]; do sleep 0.01; done; echo second";
    let mut sink = |text: &str| {
        shown.push_str(text);
        fs::write(tree.join("go"), "").unwrap();
    };
    let out = place.sandbox.run(&place.room, &command(line), &mut sink).await.unwrap();
    assert_eq!((out.exit, shown.as_str()), (Exit::Code(0), "first\nsecond\n"));
}

#[tokio::test]
async fn a_line_that_cannot_be_passed_is_refused() {
    let place = Place::new();
    let reason = |error: SandboxError| error.to_string();
    let long = format!(": {}", "x".repeat(200_000));
    assert!(reason(place.try_run(&command(&long)).await.unwrap_err()).contains("write a file and run that"));
    assert!(reason(place.try_run(&command("a\0b")).await.unwrap_err()).contains("NUL"));
    let longest = format!(": {}", "x".repeat(120 * 1024 - 2));
    assert_eq!(place.try_run(&command(&longest)).await.unwrap().exit, Exit::Code(0));
    let mut place = Place::new();
    place.room.env = vec![("A=B".to_owned(), String::new())];
    assert!(reason(place.try_run(&command("true")).await.unwrap_err()).contains("environment variable"));
}

#[tokio::test]
async fn git_works_in_the_worktree_of_a_run() {
    let mut place = Place::new();
    let me = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
    let file = NewFile { path: "a.txt".to_owned(), bytes: b"one\n".to_vec(), executable: false };
    let repo = Repo::create(&place.at("r.git"), "main", &me, "First\n", &[file]).await.unwrap();
    let base = repo.branch("main").await.unwrap().unwrap();
    let worktree = repo.add_worktree("r1", &place.at("r1"), "work/r1", &base).await.unwrap();
    place.room.tree = worktree.tree();
    place.room.git = Some(worktree.agent_git());
    place.room.objects = Some(repo.objects());
    let out =
        place.says("git status --short --branch && git log --oneline --format=%s && git branch --show-current").await;
    assert_eq!(out, "## work/r1\nFirst\nwork/r1\n");
    let line = "echo two >> a.txt && git diff --stat && git add -A && git commit -qm Mine && git log --format=%s/%an";
    let out = place.run(line).await;
    assert_eq!(out.exit, Exit::Code(0), "{}", out.output);
    assert!(out.output.ends_with("Mine/Agent\nFirst/Anna\n"), "{}", out.output);
    // The canonical repository is none the wiser, and cannot be written to.
    assert_eq!(repo.branch("work/r1").await.unwrap(), Some(base.clone()));
    let out = place.says("touch /run/objects/x; git gc -q; git status --short").await;
    assert!(out.contains("Read-only file system"), "{out}");
    let taken = repo.snapshot(&worktree, &base, "Turn\n", &me).await.unwrap().commit.unwrap();
    let diff = repo.diff(&base, &taken, &guildhall_git::DiffLimits::default()).await.unwrap();
    assert_eq!(diff.files.iter().map(|file| file.new_path.as_str()).collect::<Vec<_>>(), ["a.txt"]);
}

#[tokio::test]
async fn many_run_at_once() {
    let place = Place::new();
    let runs = (0..24).map(|n| {
        let (sandbox, room) = (place.sandbox.clone(), place.room.clone());
        tokio::spawn(async move {
            let line =
                format!("echo {n} > /tmp/mine && cat /tmp/mine && ls /proc > /tmp/all; grep -c '^[0-9]' /tmp/all");
            sandbox.run(&room, &command(&line), &mut |_| {}).await.unwrap().output
        })
    });
    for (n, run) in runs.collect::<Vec<_>>().into_iter().enumerate() {
        // Bubblewrap's own first process, bash, and ls.
        assert_eq!(run.await.unwrap(), format!("{n}\n3\n"));
    }
}

#[tokio::test]
async fn a_command_takes_as_long_as_it_says() {
    let place = Place::new();
    let out = place.run("sleep 0.3").await;
    assert!(out.duration >= Duration::from_millis(300) && out.duration < patience(20), "{:?}", out.duration);
}
