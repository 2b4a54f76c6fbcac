//! Tests on real repositories.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod backup;
mod hostile;
mod login;
mod pipes;
mod share;
mod stack;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use guildhall_git::*;
use guildhall_types::room::Least;

struct Place {
    dir: tempfile::TempDir,
    repo: Repo,
}

fn me() -> Identity {
    Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() }
}

fn work(base: &Oid, head: &Oid) -> Work {
    Work { base: base.clone(), head: head.clone() }
}

fn file(path: &str, text: &str) -> NewFile {
    NewFile { path: path.to_owned(), bytes: text.as_bytes().to_vec(), executable: false }
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            file("README.md", "# It\n"),
            file("src/a.txt", &"one\ntwo\nthree\n".repeat(5)),
            file(".gitignore", "out/\n"),
        ];
        let repo = Repo::create(&dir.path().join("r.git"), "main", &me(), "First\n", &files).await.unwrap();
        Self { dir, repo }
    }

    async fn base(&self) -> Oid {
        self.repo.branch("main").await.unwrap().unwrap()
    }

    fn folder(&self, run: &str) -> PathBuf {
        self.dir.path().join("worktrees").join(run)
    }

    async fn worktree(&self, run: &str) -> (Worktree, Oid) {
        let base = self.base().await;
        (self.repo.add_worktree(run, &self.folder(run), &format!("work/{run}"), &base).await.unwrap(), base)
    }

    async fn snap(&self, worktree: &Worktree, parent: &Oid) -> Oid {
        self.repo.snapshot(worktree, parent, "Turn\n", &me()).await.unwrap().commit.unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own git, to make what a member would have")]
fn git(at: &Path, args: &[&str]) -> String {
    let out = std::process::Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"])
        .args(args)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

fn paths(diff: &Diff) -> Vec<(FileStatus, &str)> {
    diff.files.iter().map(|file| (file.status, file.new_path.as_str())).collect()
}

#[tokio::test]
async fn a_snapshot_holds_what_the_agent_did_and_nothing_else() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    assert!(place.repo.snapshot(&worktree, &base, "Turn\n", &me()).await.unwrap().commit.is_none(), "nothing changed");
    let tree = worktree.tree();
    fs::write(tree.join("new file\nwith break.txt"), "x").unwrap();
    fs::remove_file(tree.join("README.md")).unwrap();
    fs::create_dir(tree.join("out")).unwrap();
    fs::write(tree.join("out/ignored"), "x").unwrap();
    symlink("/etc/passwd", tree.join("link")).unwrap();
    fs::write(tree.join("large"), vec![0; 51 * 1024 * 1024]).unwrap();
    let taken = place.repo.snapshot(&worktree, &base, "Turn\n", &me()).await.unwrap();
    let first = taken.commit.unwrap();
    let large = [("large".to_owned(), 51 * 1024 * 1024)];
    assert_eq!(taken.left_out.large, large);
    let diff = place.repo.diff(&base, &first, &DiffLimits::default()).await.unwrap();
    assert_eq!(
        paths(&diff),
        [
            (FileStatus::Deleted, "README.md"),
            (FileStatus::Added, "link"),
            (FileStatus::Added, "new file\nwith break.txt"),
        ]
    );
    assert_eq!(diff.files[1].new_mode, "120000");
    assert_eq!(place.repo.snapshot_of("r1").await.unwrap().as_ref(), Some(&first));
    // What is not kept is told also of a look that finds nothing else.
    let again = place.repo.snapshot(&worktree, &first, "Turn\n", &me()).await.unwrap();
    assert_eq!((again.commit, again.left_out.large.as_slice()), (None, large.as_slice()));
    assert_eq!(place.base().await, base, "no branch moved");
}

#[tokio::test]
async fn a_file_may_become_a_folder_and_a_folder_a_file() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("w").await;
    let tree = worktree.tree();
    fs::remove_file(tree.join("README.md")).unwrap();
    fs::create_dir(tree.join("README.md")).unwrap();
    fs::write(tree.join("README.md/inner.txt"), "x\n").unwrap();
    fs::remove_dir_all(tree.join("src")).unwrap();
    symlink("README.md/inner.txt", tree.join("src")).unwrap();
    let first = place.snap(&worktree, &base).await;
    let diff = place.repo.diff(&base, &first, &DiffLimits::default()).await.unwrap();
    let mut found: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["README.md", "README.md/inner.txt", "src", "src/a.txt"]);

    // The same again changes nothing; a changed mode alone does.
    assert!(place.repo.snapshot(&worktree, &first, "Turn\n", &me()).await.unwrap().commit.is_none());
    let inner = tree.join("README.md/inner.txt");
    fs::set_permissions(&inner, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let second = place.snap(&worktree, &first).await;
    let diff = place.repo.diff(&first, &second, &DiffLimits::default()).await.unwrap();
    assert_eq!((diff.files.len(), diff.files[0].new_mode.as_str()), (1, "100755"));
}

#[tokio::test]
async fn one_files_part_is_what_the_whole_says_of_it() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("w").await;
    let tree = worktree.tree();
    fs::write(tree.join("src/a.txt"), "changed\n").unwrap();
    fs::write(tree.join("*.txt"), "odd\n").unwrap();
    fs::write(tree.join("later.txt"), "one\ntwo\nthree\nfour\n").unwrap();
    fs::remove_file(tree.join("README.md")).unwrap();
    fs::create_dir(tree.join("README.md")).unwrap();
    fs::write(tree.join("README.md/inner.txt"), "x\n").unwrap();
    let first = place.snap(&worktree, &base).await;
    fs::rename(tree.join("later.txt"), tree.join("last.txt")).unwrap();
    let second = place.snap(&worktree, &first).await;
    let limits = DiffLimits::default();
    for (base, head) in [(&base, &first), (&first, &second)] {
        let whole = place.repo.diff(base, head, &limits).await.unwrap();
        for file in &whole.files {
            for path in [&file.new_path, &file.old_path] {
                let part = place.repo.file_diff(base, head, path, &limits).await.unwrap().unwrap();
                assert_eq!((part.files.as_slice(), part.stat.files), (std::slice::from_ref(file), 1), "{path}");
            }
        }
    }
    // A folder is no file, and a pattern is a name.
    for path in ["src", "no such", "*", "../src/a.txt", "", "-p"] {
        assert_eq!(place.repo.file_diff(&base, &first, path, &limits).await.unwrap(), None, "{path}");
    }
}

#[tokio::test]
async fn nothing_that_an_agent_plants_runs_on_the_host() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    let tree = worktree.tree();
    let canary = place.dir.path().join("canary");
    let run = format!("!touch {}; true", canary.display());
    let script = tree.join("evil.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\ncat\n", canary.display())).unwrap();
    git(&tree, &["init", "-q", "nested"]);
    let nested = tree.join("nested");
    fs::write(nested.join("inner.txt"), "kept").unwrap();
    for config in [nested.join(".git/config"), worktree.agent_git().join("config")] {
        let text = format!(
            "[core]\n\tfsmonitor = {s}\n\thooksPath = {t}\n[filter \"e\"]\n\tclean = {s}\n\tsmudge = {s}\n\trequired = true\n\
             [diff \"e\"]\n\tcommand = {s}\n\ttextconv = {s}\n[diff]\n\texternal = {s}\n[alias]\n\tstatus = {run}\n",
            s = script.display(),
            t = tree.display()
        );
        fs::write(config, text).unwrap();
    }
    // The agent replaces its `.git` by a whole repository with the same configuration.
    fs::remove_file(tree.join(".git")).unwrap();
    git(&tree, &["init", "-q"]);
    fs::copy(nested.join(".git/config"), tree.join(".git/config")).unwrap();
    fs::write(tree.join(".gitattributes"), "* filter=e diff=e\n").unwrap();
    fs::write(tree.join("src/a.txt"), "changed\n").unwrap();
    let head = place.snap(&worktree, &base).await;
    let diff = place.repo.diff(&base, &head, &DiffLimits::default()).await.unwrap();
    assert!(
        paths(&diff).contains(&(FileStatus::Added, "nested/inner.txt")),
        "the nested files are kept: {:?}",
        paths(&diff)
    );
    assert!(!diff.files.iter().any(|file| file.new_path.contains(".git/")));
    assert!(matches!(place.repo.merge(&work(&base, &head), "main", "Merge\n", &me()).await.unwrap(), Merge::Done(_)));
    place.repo.restore(&worktree, "work/r1", &base, &head).await.unwrap();
    place.repo.remove_worktree(&worktree).await.unwrap();
    assert!(!canary.exists(), "the agent's code ran on the host");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn worktrees_are_made_and_removed_at_once_and_a_half_made_one_stands_in_nobody_s_way() {
    let place = Place::new().await;
    // As a server leaves it that is killed while git makes a worktree.
    let half = place.repo.path().join("worktrees/half");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("commondir"), "").unwrap();
    let base = place.base().await;
    let works: Vec<_> = (0..12)
        .map(|n| {
            let (repo, folder, base) = (place.repo.clone(), place.folder(&format!("w{n}")), base.clone());
            tokio::spawn(async move {
                let worktree = repo.add_worktree(&format!("w{n}"), &folder, &format!("work/{n}"), &base).await.unwrap();
                assert_eq!(fs::read_to_string(worktree.tree().join("README.md")).unwrap(), "# It\n");
                if n % 2 == 0 {
                    repo.remove_worktree(&worktree).await.unwrap();
                }
            })
        })
        .collect();
    for work in works {
        work.await.unwrap();
    }
    assert!(!half.exists());
    assert_eq!(fs::read_dir(place.repo.path().join("worktrees")).unwrap().count(), 6);
    place.repo.drop_branch("work/0", &base).await.unwrap();
    assert_eq!(place.repo.branch("work/0").await.unwrap(), None);
}

#[tokio::test]
async fn a_worktree_that_was_not_yet_put_in_its_place_is_removed_and_made_again() {
    for put_in_place in [false, true] {
        let place = Place::new().await;
        let (worktree, base) = place.worktree("r1").await;
        // As a server leaves it that is killed when git is done and its own part is not: git knows it at the place where
        // it made it, and holds it locked.
        let made = place.folder("r1").join("r1");
        let admin = place.repo.path().join("worktrees/r1");
        fs::write(admin.join("gitdir"), format!("{}\n", made.join(".git").display())).unwrap();
        assert!(admin.join("locked").exists());
        if !put_in_place {
            fs::rename(worktree.tree(), &made).unwrap();
        }
        let half = place.repo.worktree("r1", &place.folder("r1")).unwrap().unwrap();
        place.repo.remove_worktree(&half).await.unwrap();
        place.repo.drop_branch("work/r1", &base).await.unwrap();
        let again = place.repo.add_worktree("r1", &place.folder("r1"), "work/r1", &base).await.unwrap();
        assert_eq!(fs::read_to_string(again.tree().join("README.md")).unwrap(), "# It\n");
    }
}

#[tokio::test]
async fn after_a_crash_the_worktree_is_as_in_the_snapshot() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    let tree = worktree.tree();
    fs::write(tree.join("kept.txt"), "kept").unwrap();
    let head = place.snap(&worktree, &base).await;
    fs::write(tree.join("kept.txt"), "half a wri").unwrap();
    fs::write(tree.join("stray.txt"), "stray").unwrap();
    fs::remove_file(tree.join("src/a.txt")).unwrap();
    fs::write(place.repo.path().join("worktrees/r1/index.lock"), "").unwrap();
    let again = place.repo.worktree("r1", &place.folder("r1")).unwrap().unwrap();
    place.repo.restore(&again, "work/r1", &base, &head).await.unwrap();
    assert_eq!(fs::read_to_string(tree.join("kept.txt")).unwrap(), "kept");
    assert!(tree.join("src/a.txt").exists() && !tree.join("stray.txt").exists());
    assert!(place.repo.snapshot(&again, &head, "Turn\n", &me()).await.unwrap().commit.is_none());

    fs::remove_dir_all(&tree).unwrap();
    place.repo.restore(&again, "work/r1", &base, &head).await.unwrap();
    assert_eq!(fs::read_to_string(tree.join("kept.txt")).unwrap(), "kept");
}

#[tokio::test]
async fn every_lock_that_a_dead_git_left_is_taken_away() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    fs::write(worktree.tree().join("src/a.txt"), "from one\n").unwrap();
    let head = place.snap(&worktree, &base).await;
    // Whoever moves the branch that HEAD names locks both, and may be killed between.
    let locks = ["refs/heads/main.lock", "HEAD.lock"].map(|lock| place.repo.path().join(lock));
    for lock in &locks {
        fs::write(lock, "").unwrap();
    }
    let Merge::Done(merged) = place.repo.merge(&work(&base, &head), "main", "One\n", &me()).await.unwrap() else {
        panic!()
    };
    assert_eq!(place.base().await, merged);
    assert!(locks.iter().all(|lock| !lock.exists()));
}

#[tokio::test]
async fn a_merge_is_whole_or_not_at_all() {
    let place = Place::new().await;
    let (one, base) = place.worktree("r1").await;
    let (two, _) = place.worktree("r2").await;
    fs::write(one.tree().join("src/a.txt"), "from one\n").unwrap();
    fs::write(two.tree().join("src/a.txt"), "from two\n").unwrap();
    fs::write(two.tree().join("free.txt"), "free\n").unwrap();
    let (head_one, head_two) = (place.snap(&one, &base).await, place.snap(&two, &base).await);
    let (work_one, work_two) = (work(&base, &head_one), work(&base, &head_two));
    let Merge::Done(merged) = place.repo.merge(&work_one, "main", "One (#1)\n\nBody\n", &me()).await.unwrap() else {
        panic!()
    };
    assert_eq!(place.base().await, merged);
    let log = place.repo.log("main", 0, 10).await.unwrap();
    assert_eq!(
        (log[0].subject.as_str(), log[0].body.as_str(), log[0].author_name.as_str()),
        ("One (#1)", "Body", "Anna")
    );
    assert_eq!(log.len(), 2, "the snapshots are not in the history");

    let refs = git(place.repo.path(), &["for-each-ref"]);
    let Merge::Conflict(files) = place.repo.merge(&work_two, "main", "Two\n", &me()).await.unwrap() else { panic!() };
    assert_eq!(files, [ConflictFile { path: "src/a.txt".to_owned(), kind: "contents".to_owned() }]);
    assert_eq!(git(place.repo.path(), &["for-each-ref"]), refs, "every ref is as it was");
    assert_eq!(place.repo.merge(&work_one, "main", "Again\n", &me()).await.unwrap(), Merge::Nothing);
    git(place.repo.path(), &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_branch_that_exists_is_named() {
    let place = Place::new().await;
    let (_, base) = place.worktree("r1").await;
    let again = place.repo.add_worktree("r2", &place.folder("r2"), "work/r1", &base).await;
    assert!(matches!(again, Err(GitError::BranchExists { branch }) if branch == "work/r1"));
    for bad in ["-x", "a..b", "a b", "x.lock", "@{", "refs/../x", "a\u{7}"] {
        let refused = place.repo.add_worktree("r3", &place.folder("r3"), bad, &base).await;
        assert!(matches!(refused, Err(GitError::BadName { .. })), "{bad}");
    }
}

#[tokio::test]
async fn git_works_inside_the_sandbox_s_view() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    // What the sandbox mounts at /run/git, /run/objects and /workspace, looked at by their real places.
    fs::write(worktree.agent_git().join("objects/info/alternates"), format!("{}\n", place.repo.objects().display()))
        .unwrap();
    fs::write(worktree.tree().join("src/a.txt"), "changed\n").unwrap();
    let (dir, tree) = (worktree.agent_git().display().to_string(), worktree.tree().display().to_string());
    let at = place.dir.path();
    let status = git(at, &["--git-dir", &dir, "--work-tree", &tree, "status", "--porcelain"]);
    assert_eq!(status, "M src/a.txt");
    assert_eq!(git(at, &["--git-dir", &dir, "rev-parse", "HEAD"]), base.to_string());
    git(at, &["--git-dir", &dir, "--work-tree", &tree, "commit", "-qam", "mine"]);
    assert_eq!(place.repo.branch("work/r1").await.unwrap(), Some(base.clone()), "the agent's commit is its own affair");
    let head = place.snap(&worktree, &base).await;
    place.repo.settle_branch("work/r1", &head).await.unwrap();
    assert_eq!(place.repo.branch("work/r1").await.unwrap(), Some(head));
}

#[tokio::test]
async fn removing_a_worktree_keeps_its_work() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    fs::write(worktree.tree().join("work.txt"), "work").unwrap();
    let head = place.snap(&worktree, &base).await;
    place.repo.remove_worktree(&worktree).await.unwrap();
    assert!(!place.folder("r1").exists());
    assert!(place.repo.worktree("r1", &place.folder("r1")).unwrap().is_none());
    assert_eq!(place.repo.file_at(&head, "work.txt", 100).await.unwrap(), Some(Blob::Bytes(b"work".to_vec())));
    assert_eq!(place.repo.file_at(&head, "work.txt", 3).await.unwrap(), Some(Blob::TooLarge(4)));
    assert_eq!(place.repo.file_at(&head, "nowhere", 3).await.unwrap(), None);
    place.repo.remove_worktree(&worktree).await.unwrap();
}

#[tokio::test]
async fn a_diff_tells_renames_binaries_modes_and_bounds() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    let tree = worktree.tree();
    fs::rename(tree.join("src/a.txt"), tree.join("src/b.txt")).unwrap();
    fs::write(tree.join("src/b.txt"), "one\ntwo\nthree\n".repeat(5) + "four").unwrap();
    fs::write(tree.join("image.bin"), [0, 159, 146, 150]).unwrap();
    fs::write(tree.join("latin.txt"), b"caf\xe9\n").unwrap();
    fs::write(tree.join("long.txt"), "line\n".repeat(300)).unwrap();
    fs::remove_file(tree.join("README.md")).unwrap();
    symlink("src/b.txt", tree.join("README.md")).unwrap();
    let head = place.snap(&worktree, &base).await;
    let limits = DiffLimits { max_lines: 100, ..DiffLimits::default() };
    let diff = place.repo.diff(&base, &head, &limits).await.unwrap();
    assert_eq!(
        paths(&diff),
        [
            (FileStatus::TypeChanged, "README.md"),
            (FileStatus::Added, "image.bin"),
            (FileStatus::Added, "latin.txt"),
            (FileStatus::Added, "long.txt"),
            (FileStatus::Renamed, "src/b.txt"),
        ]
    );
    assert!(diff.files[1].binary && diff.files[1].hunks.is_empty());
    assert_eq!(diff.files[2].hunks[0].lines[0].text, "caf\u{fffd}");
    assert!(diff.files[3].too_large && diff.files[3].hunks[0].lines.len() == 100 && diff.files[3].additions == 300);
    let renamed = &diff.files[4];
    assert_eq!((renamed.old_path.as_str(), renamed.additions, renamed.deletions), ("src/a.txt", 1, 0));
    let last = renamed.hunks[0].lines.last().unwrap();
    assert_eq!(
        (last.kind, last.new_line, last.text.as_str(), last.no_newline),
        (LineKind::Add, Some(16), "four", true)
    );
    assert!(diff.truncated);
    assert_eq!(place.repo.stat(&base, &head).await.unwrap(), diff.stat);
}

#[tokio::test]
async fn sources_of_every_kind_are_cloned_or_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let clone = async |name: &str| {
        Repo::clone_from(&at(&format!("{name}-copy.git")), &Source::Folder(at(name)), None, &me()).await
    };

    fs::create_dir(at("plain")).unwrap();
    assert!(matches!(clone("plain").await, Err(GitError::NotARepository { .. })));
    assert!(matches!(clone("absent").await, Err(GitError::NotARepository { .. })));
    assert!(!at("plain-copy.git").exists(), "nothing stays behind");

    fs::create_dir(at("empty")).unwrap();
    git(&at("empty"), &["init", "-q", "-b", "trunk"]);
    let repo = clone("empty").await.unwrap();
    let branch = repo.default_branch().await.unwrap();
    assert!(repo.branch(&branch).await.unwrap().is_some(), "an empty source gets a first commit");

    fs::create_dir(at("dirty")).unwrap();
    git(&at("dirty"), &["init", "-q", "-b", "trunk"]);
    for n in 0..3 {
        fs::write(at("dirty").join("f"), format!("{n}")).unwrap();
        git(&at("dirty"), &["add", "."]);
        git(&at("dirty"), &["commit", "-qm", &format!("c{n}")]);
    }
    fs::write(at("dirty").join("f"), "uncommitted").unwrap();
    let repo = clone("dirty").await.unwrap();
    assert_eq!(repo.default_branch().await.unwrap(), "trunk");
    let tip = repo.branch("trunk").await.unwrap().unwrap();
    assert_eq!(repo.file_at(&tip, "f", 10).await.unwrap(), Some(Blob::Bytes(b"2".to_vec())));
    assert!(!repo.path().join("objects/info/alternates").exists());

    git(dir.path(), &["clone", "-q", "--bare", "dirty", "bare"]);
    assert!(clone("bare").await.is_ok());
    let url = format!("file://{}", at("dirty").display());
    git(dir.path(), &["clone", "-q", "--depth", "1", &url, "shallow"]);
    let repo = clone("shallow").await.unwrap();
    let tip = repo.branch("trunk").await.unwrap().unwrap();
    let worktree = repo.add_worktree("r1", &at("wt"), "work", &tip).await.unwrap();
    fs::write(worktree.tree().join("g"), "g").unwrap();
    let head = repo.snapshot(&worktree, &tip, "Turn\n", &me()).await.unwrap().commit.unwrap();
    assert!(matches!(repo.merge(&work(&tip, &head), "trunk", "Merge\n", &me()).await.unwrap(), Merge::Done(_)));

    let within = async |bounds: Bounds| {
        let done = Repo::clone_within(bounds, &at("within.git"), &Source::Folder(at("dirty")), None, &me()).await;
        assert!(!at("within.git").exists() || done.is_ok(), "nothing stays behind");
        done
    };
    let narrow = Bounds { bytes: 1_000, ..Bounds::default() };
    assert!(matches!(within(narrow).await, Err(GitError::TooLarge { bytes: 1_000 })));
    assert!(matches!(
        within(Bounds { least: Least { bytes: u64::MAX, files: 0 }, ..Bounds::default() }).await,
        Err(GitError::NoRoom)
    ));
    within(Bounds { bytes: 1_000_000, ..Bounds::default() }).await.unwrap();

    // A host that takes the call and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (asked, _) = Source::parse(&format!("http://{}/r.git", silent.local_addr().unwrap())).unwrap();
    let impatient = Bounds { silence: std::time::Duration::from_secs(2), ..Bounds::default() };
    let error = Repo::clone_within(impatient, &at("silent.git"), &asked, None, &me()).await.unwrap_err();
    assert!(error.to_string().contains("nothing of it came within 2 seconds"), "{error}");

    let (gone, _) = Source::parse("http://127.0.0.1:9/r.git").unwrap();
    let error = Repo::clone_from(&at("x.git"), &gone, None, &me()).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error}");
}

#[test]
fn addresses_are_read_or_refused() {
    for good in ["https://a.example/r", "ssh://git@a.example/r", "git@a.example:r.git", "/srv/r", "file:///srv/r"] {
        assert!(Source::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "-x", "ext::sh -c id", "ftp://a/r", "relative/path", "https://-oProxyCommand=x/", "a\nb:c"] {
        assert!(Source::parse(bad).is_err(), "{bad}");
    }
}
