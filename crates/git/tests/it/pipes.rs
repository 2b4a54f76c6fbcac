//! Pipes, and repositories that cannot be read, where git opens files of an agent's worktree: at the ones it would wait for ever, at
//! the others it would stop.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_git::*;

use crate::hostile::{Marks, hostile};
use crate::{Place, git, me, paths};

/// A repository whose work has a submodule, `one`.
async fn with_submodule() -> (tempfile::TempDir, Repo, Oid) {
    let dir = tempfile::tempdir().unwrap();
    let marks = Marks::new(dir.path());
    let source = dir.path().join("source");
    hostile(&["source", "submodules", source.to_str().unwrap(), marks.path()]);
    let repo = Repo::clone_from(&dir.path().join("p.git"), &Source::Folder(source), None, &me()).await.unwrap();
    let base = repo.branch("main").await.unwrap().unwrap();
    (dir, repo, base)
}

fn make_repository(at: &Path) {
    fs::create_dir_all(at).unwrap();
    let _ = fs::remove_dir_all(at.join(".git"));
    git(at, &["init", "--quiet"]);
    git(at, &["commit", "--quiet", "--allow-empty", "-m", "x"]);
}

/// Where git opens files of a worktree, or could: `nested` is a repository that nobody knows of, `one` is a submodule.
const PIPES: &[&str] = &[
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".mailmap",
    ".git",
    "src/.gitignore",
    "src/.gitattributes",
    "src/a.txt",
    "new.rs",
    "nested/.git",
    "nested/.git/HEAD",
    "nested/.git/config",
    "nested/.git/commondir",
    "nested/.git/index",
    "nested/.git/packed-refs",
    "nested/.git/refs/heads/main",
    "nested/.gitignore",
    "one/.git",
    "one/.git/HEAD",
    "one/.git/config",
    "one/.git/commondir",
    "one/.git/index",
    "one/.git/packed-refs",
    "one/.git/refs/heads/main",
    "one/.gitattributes",
];

fn put_pipe(at: &Path) {
    let _ = fs::remove_file(at);
    rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_at_any_place_that_git_opens_holds_nobody_up_for_long() {
    // 34
    let (dir, repo, base) = with_submodule().await;
    let at_once = Arc::new(tokio::sync::Semaphore::new(6));
    let mut lives = tokio::task::JoinSet::new();
    for (number, pipe) in PIPES.iter().enumerate() {
        let (repo, base, at_once, dir) = (repo.clone(), base.clone(), Arc::clone(&at_once), dir.path().to_owned());
        lives.spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            let (run, branch) = (format!("r{number}"), format!("work/{number}"));
            let worktree = repo.add_worktree(&run, &dir.join(&run), &branch, &base).await.unwrap();
            let tree = worktree.tree();
            if let Some((folder, rest)) = pipe.split_once('/').filter(|(folder, _)| *folder != "src") {
                fs::create_dir_all(tree.join(folder)).unwrap();
                if rest != ".git" {
                    make_repository(&tree.join(folder));
                }
            }
            put_pipe(&tree.join(pipe));
            fs::write(tree.join("src/new.txt"), "new\n").unwrap();
            let started = Instant::now();
            let head = repo.snapshot(&worktree, &base, "Turn\n", &me()).await.unwrap().commit.unwrap();
            assert!(started.elapsed() < Duration::from_secs(60), "{pipe}: {:?}", started.elapsed());
            let diff = repo.diff(&base, &head, &DiffLimits::default()).await.unwrap();
            let told = paths(&diff);
            assert!(told.contains(&(FileStatus::Added, "src/new.txt")), "{pipe}: {told:?}");
            if let Some(parent) = tree.join(pipe).parent().filter(|parent| parent.is_dir() && *pipe != ".git") {
                put_pipe(&parent.join(Path::new(pipe).file_name().unwrap()));
            }
            let started = Instant::now();
            repo.restore(&worktree, &branch, &base, &head).await.unwrap();
            repo.remove_worktree(&worktree).await.unwrap();
            assert!(started.elapsed() < Duration::from_secs(60), "{pipe}: {:?}", started.elapsed());
        });
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_that_come_again_hold_a_snapshot_up_only_for_as_long_as_they_come() {
    // 34: by a service of the agent's.
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    let at = worktree.tree().join("src/.gitignore");
    put_pipe(&at);
    fs::write(worktree.tree().join("src/new.txt"), "new\n").unwrap();
    let putting = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(8);
        while Instant::now() < until {
            if !at.exists() {
                put_pipe(&at);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let started = Instant::now();
    place.snap(&worktree, &base).await;
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    putting.join().unwrap();
}

#[tokio::test]
async fn a_repository_within_the_work_that_cannot_be_read_stops_nothing() {
    let (dir, repo, base) = with_submodule().await;
    for (number, folder) in ["nested", "one", "nested/a b/deep"].into_iter().enumerate() {
        let run = format!("r{number}");
        let worktree = repo.add_worktree(&run, &dir.path().join(&run), &format!("work/{run}"), &base).await.unwrap();
        let (at, mut head) = (worktree.tree().join(folder), base.clone());
        for (name, text) in [("commondir", ""), ("config", "[core"), ("packed-refs", "junk\n"), ("HEAD", "junk\n")] {
            for when in ["at a snapshot", "when it is restored"] {
                make_repository(&at);
                git(&at, &["pack-refs", "--all"]);
                fs::write(at.join("file"), format!("{name} {when}\n")).unwrap();
                fs::write(at.join(".git").join(name), text).unwrap();
                if when == "at a snapshot" {
                    let taken = repo.snapshot(&worktree, &head, "Turn\n", &me()).await;
                    let taken = taken.unwrap_or_else(|error| panic!("{folder} {name}: {error}"));
                    // What is in a submodule is not the work's.
                    assert_eq!(taken.commit.is_none(), folder == "one", "{name}");
                    head = taken.commit.unwrap_or(head);
                } else {
                    let restored = repo.restore(&worktree, &format!("work/{run}"), &base, &head).await;
                    restored.unwrap_or_else(|error| panic!("{folder} {name}: {error}"));
                }
            }
        }
        let kept = repo.files(&head, 100).await.unwrap();
        assert!(kept.iter().any(|path| path == "src/a.txt"), "{kept:?}");
        repo.remove_worktree(&worktree).await.unwrap();
    }
}

/// The gits at work below a folder that were told to do this.
fn gits(below: &Path, subcommand: &str) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let found = processes.filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let told = line.split(|byte| *byte == 0).any(|word| word == subcommand.as_bytes());
        (told && fs::read_link(process.path().join("cwd")).ok()?.starts_with(below)).then_some(pid)
    });
    found.collect()
}

/// Not a test: what a server does, in a process that another test kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started by another test"]
async fn as_a_server_that_is_killed() {
    if std::env::var_os("KILLED_SERVER").is_none() {
        return;
    }
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    put_pipe(&worktree.tree().join("src/.gitignore"));
    place.snap(&worktree, &base).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this program itself")]
async fn when_the_server_is_killed_no_git_of_its_waits_on() {
    // 23, 34: at a pipe, git would wait for ever.
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().canonicalize().unwrap();
    let mut server = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pipes::as_a_server_that_is_killed", "--ignored", "--nocapture"])
        .env("KILLED_SERVER", "yes")
        .env("TMPDIR", &at)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    // It is seen twice, so that it is no moment's.
    let mut before = Vec::new();
    loop {
        let now = gits(&at, "ls-files");
        if now.iter().any(|pid| before.contains(pid)) {
            break;
        }
        before = now;
        let runs = server.try_wait().unwrap().is_none();
        assert!(Instant::now() < until && runs, "the server did not come so far");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while !gits(&at, "ls-files").is_empty() {
        assert!(Instant::now() < until, "it waits on: {:?}", gits(&at, "ls-files"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
