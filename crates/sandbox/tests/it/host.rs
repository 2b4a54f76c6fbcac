//! What the self-test says of good and of bad hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use guildhall_sandbox::{Isolation, Report, Sandbox, SandboxError};

use crate::harness::{Place, command};

/// A program that stands in for bubblewrap.
fn stand_in(place: &Place, script: &str) -> PathBuf {
    let path = place.at("bwrap");
    fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn failed(report: &Report) -> String {
    let failed: Vec<String> = report
        .findings
        .iter()
        .filter(|found| !found.ok)
        .map(|found| format!("{}: {}", found.name, found.detail))
        .collect();
    failed.join("\n")
}

#[tokio::test]
async fn this_host_can_isolate() {
    let report = Sandbox::new(Isolation::Bubblewrap).probe().await;
    assert!(report.usable, "{}", failed(&report));
    let names: Vec<&str> = report.findings.iter().map(|found| found.name).collect();
    let expected = [
        "bubblewrap",
        "namespaces",
        "processes",
        "network",
        "system",
        "files",
        "descriptors",
        "privileges",
        "system calls",
        "workspace",
        "run network",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn without_bubblewrap_nothing_runs() {
    // 36
    let place = Place::new();
    let sandbox = Sandbox::with_bubblewrap(place.at("absent"));
    let report = sandbox.probe().await;
    assert!(!report.usable && failed(&report).contains("install bubblewrap"), "{report:?}");
    let error = sandbox.run(&place.room, &command("touch ran"), &mut |_| {}).await.unwrap_err();
    assert!(matches!(&error, SandboxError::Unavailable { reason } if reason.contains("install")), "{error}");
    assert!(!place.tree("ran").exists());
}

#[tokio::test]
async fn a_bubblewrap_that_does_not_isolate_is_not_used() {
    // 36: each of these hosts is found out, and the command never runs.
    let place = Place::new();
    let version = "[[ $1 == --version ]] && { echo bubblewrap 0.8.0; exit; }";
    // Finds the end of the options and runs the command as it is.
    let run = "while [[ $1 != -- ]]; do [[ $1 == --setenv ]] && export \"$2=$3\"; shift; done; shift";
    // Changes the options on their way to the real one.
    let with = |change: &str| {
        format!("{version}; a=(); for x; do {change}; a+=(\"$x\"); done; exec /usr/bin/bwrap \"${{a[@]}}\"")
    };
    let temporary = place.dir.path().parent().unwrap().display().to_string();
    for (script, found) in [
        ("echo bubblewrap 0.6.2".to_owned(), "0.8 or later is needed"),
        ("echo something else".to_owned(), "does not tell its version"),
        ("exit 1".to_owned(), "does not tell its version"),
        (format!("{version}; echo 'bwrap: No permissions to create new namespace' >&2; exit 1"), "No permissions to"),
        (format!("{version}; echo \"bwrap: Can't mount proc on /newroot/proc\" >&2; exit 1"), "masks /proc"),
        (format!("{version}; {run}; exec \"$@\""), "sandboxed command: "),
        (with("[[ $x == --unshare-ipc ]] && continue"), "shared with the host: ipc"),
        (with("[[ $x == --unshare-net ]] && continue"), "network: a command sees: lo, "),
        (with("[[ $x == --remount-ro ]] && x=--dir"), "system: a command can write to: /"),
        // Before `/` can only be read: the folder need not be below one that the sandbox makes for itself.
        (with(&format!("[[ $x == --symlink ]] && a+=(--ro-bind {temporary} {temporary})")), "files: a command sees "),
        (with("[[ $x == -- ]] && a+=(--ro-bind /proc /proc)"), "processes: /proc shows the host's"),
        (with("[[ $x == -- ]] && a+=(--tmpfs /workspace)"), "workspace: what a command writes"),
        (with("[[ $x == --seccomp ]] && { x=--sync-fd; }"), "system calls: not filtered"),
        (format!("{version}; exec 9< /etc/passwd; exec /usr/bin/bwrap \"$@\""), "descriptors: a command has inherited"),
    ] {
        let sandbox = Sandbox::with_bubblewrap(stand_in(&place, &script));
        let report = sandbox.probe().await;
        assert!(!report.usable && failed(&report).contains(found), "{script}\n{report:#?}");
        let error = sandbox.run(&place.room, &command("touch ran"), &mut |_| {}).await.unwrap_err();
        assert!(matches!(error, SandboxError::Unavailable { .. }), "{script}: {error}");
        assert!(!place.tree("ran").exists(), "{script}");
    }
}

#[tokio::test]
async fn a_self_test_that_finds_no_folder_says_nothing_of_the_sandbox() {
    let place = Place::new();
    let at = |folder: PathBuf| Sandbox::new(Isolation::Bubblewrap).trying_in(folder);
    let report = at(place.at("absent")).probe().await;
    let why = failed(&report);
    assert!(!report.usable && why.starts_with("folder of the self-test: none can be made in"), "{why}");
    assert!(!why.contains("sandboxed command"), "{why}");
    let folder = place.at("data");
    fs::create_dir(&folder).unwrap();
    assert!(at(folder.clone()).probe().await.usable);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing of it stays");
}

#[tokio::test]
async fn what_was_mended_is_used() {
    let place = Place::new();
    let path = stand_in(&place, "exit 1");
    let sandbox = Sandbox::with_bubblewrap(path.clone());
    assert!(sandbox.run(&place.room, &command("true"), &mut |_| {}).await.is_err());
    stand_in(&place, "exec /usr/bin/bwrap \"$@\"");
    sandbox.run(&place.room, &command("true"), &mut |_| {}).await.unwrap();
    // What was found usable is not tried out again; should it break, that is told, with what it said.
    stand_in(&place, "echo broken by an upgrade; exit 1");
    let error = sandbox.run(&place.room, &command("true"), &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("broken by an upgrade"), "{error}");
    // From then on nothing is taken for granted that an earlier self-test said.
    assert_eq!(sandbox.doubts(), 2);
    stand_in(&place, "exit 1");
    let error = sandbox.run(&place.room, &command("true"), &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("does not tell its version"), "{error}");
    stand_in(&place, "exec /usr/bin/bwrap \"$@\"");
    sandbox.run(&place.room, &command("true"), &mut |_| {}).await.unwrap();
    // Nor by a self-test that says otherwise.
    stand_in(&place, "exit 1");
    assert!(!sandbox.probe().await.usable);
    let error = sandbox.run(&place.room, &command("true"), &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("does not tell its version"), "{error}");
}

/// What Debian's own programs read in `/etc` is there for them, where they are installed: `scripts/setup.sh test`
/// installs PHP, but not Maven, which brings 200 MB of Java with it.
#[tokio::test]
async fn programs_of_the_distribution_run() {
    let place = Place::new();
    for (program, line) in [("/usr/bin/mvn", "mvn --version"), ("/usr/bin/php", "php -m")] {
        if !std::path::Path::new(program).exists() {
            eprintln!("SKIPPED: {line}, as there is no {program}");
            continue;
        }
        let outcome = Sandbox::new(Isolation::Bubblewrap).run(&place.room, &command(line), &mut |_| {}).await.unwrap();
        assert_eq!(outcome.exit, guildhall_sandbox::Exit::Code(0), "{}", outcome.output);
    }
}

#[tokio::test]
async fn an_operator_who_does_without_is_told_so() {
    let report = Sandbox::new(Isolation::None).probe().await;
    assert!(report.usable);
    assert!(failed(&report).contains("sandbox = \"none\""), "{report:?}");
}
