//! What hostile agents and hostile repositories leave for git to find. `tests/hostile.sh` makes it; here the host does
//! with it all that it ever does, and nothing may run, be read or be written outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use guildhall_git::*;

use crate::{Place, git, me, paths, work};

/// Runs the script that makes hostile things.
#[expect(clippy::disallowed_methods, reason = "the script stands for the agent, not for the host")]
pub fn hostile(args: &[&str]) -> String {
    // Asked at run time: the tests may be run elsewhere than they were built.
    let script = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/hostile.sh");
    let out = std::process::Command::new("bash").arg(script).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A folder that stays empty when all is well.
pub struct Marks(PathBuf);

impl Marks {
    pub fn new(place: &Path) -> Self {
        let marks = Self(place.join("marks"));
        fs::create_dir(&marks.0).unwrap();
        marks
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    #[track_caller]
    fn none(&self, when: &str) {
        let left: Vec<_> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{when}: {left:?}");
    }
}

/// Work that changes `src/a.txt` and is merged, so that all other work on it conflicts.
async fn somebody_elses_merge(place: &Place) {
    let (worktree, base) = place.worktree("other").await;
    fs::write(worktree.tree().join("src/a.txt"), "theirs\n").unwrap();
    let head = place.snap(&worktree, &base).await;
    assert!(matches!(place.repo.merge(&work(&base, &head), "main", "Theirs\n", &me()).await.unwrap(), Merge::Done(_)));
}

/// All that the host does with a run's work, from its first turn to the removal of its worktree.
async fn whole_life(name: &str) {
    let place = Place::new().await;
    let marks = Marks::new(place.dir.path());
    let (worktree, base) = place.worktree("r1").await;
    somebody_elses_merge(&place).await;
    let (tree, agent_git) = (worktree.tree(), worktree.agent_git());
    let plant = || {
        hostile(&["plant", name, tree.to_str().unwrap(), agent_git.to_str().unwrap(), marks.path()]);
        marks.none(&format!("{name}, while it was planted"));
    };
    plant();
    let repo = &place.repo;
    let head = place.snap(&worktree, &base).await;
    marks.none(&format!("{name}, after the snapshot"));
    let diff = repo.diff(&base, &head, &DiffLimits::default()).await.unwrap();
    let told = paths(&diff);
    let is_git = |path: &str| path.split('/').any(|part| part.eq_ignore_ascii_case(".git"));
    assert!(!told.iter().any(|(_, path)| is_git(path)), "{name}: {told:?}");
    let deep = format!("{}/{}/f", "d".repeat(100), "d".repeat(100));
    let expected: &[&str] = match name {
        "links" => &["src"],
        "nested" => &["src/deep/file", "linked/file"],
        "closed" => &["src/a.txt", "closed/inner/file", "unread"],
        "names" => &["src/a.txt", "-u/hooks/post-checkout", "dir/:(exclude)*", "dir/new\nline"],
        "settings" => &["src/a.txt", "nested/inner.txt", ".gitattributes"],
        "deep" => &["src/a.txt", &deep],
        _ => &["src/a.txt"],
    };
    for path in expected {
        assert!(told.iter().any(|(_, found)| found == path), "{name}: {path} is not in {told:?}");
    }
    assert_eq!(repo.stat(&base, &head).await.unwrap(), diff.stat);
    assert!(!repo.files(&head, 100).await.unwrap().is_empty());
    for path in ["src/a.txt", ".gitattributes", ".gitmodules", "-u", ".git/config"] {
        repo.file_at(&head, path, 1 << 20).await.unwrap();
    }
    repo.conflict_marks(&base, &head).await.unwrap();
    repo.fork_point(&base, &head).await.unwrap().unwrap();
    let mine = work(&base, &head);
    assert!(matches!(repo.merge(&mine, "main", "Mine\n", &me()).await.unwrap(), Merge::Conflict(_)), "{name}");
    marks.none(&format!("{name}, after what a page shows"));

    // A member asks for a change: the branch is joined into the work, as after a crash.
    let joined = repo.join("r1", &mine, &place.base().await, "main", &me()).await.unwrap().unwrap();
    repo.restore(&worktree, "work/r1", &joined.base, &joined.commit).await.unwrap();
    marks.none(&format!("{name}, after joining"));
    assert_eq!(fs::read_to_string(agent_git.join("HEAD")).unwrap(), "ref: refs/heads/work/r1\n", "{name}");
    assert!(!agent_git.join("hooks").exists() && fs::symlink_metadata(tree.join(".git")).unwrap().is_file(), "{name}");
    plant();
    let taken = repo.snapshot(&worktree, &joined.commit, "Turn\n", &me()).await.unwrap();
    let head = taken.commit.unwrap_or(joined.commit);
    let mine = work(&joined.base, &head);
    assert!(matches!(repo.bring_up("r1", &mine, "main", &me(), true).await.unwrap(), BroughtUp::Current(_)));
    repo.settle_branch("work/r1", &head).await.unwrap();
    let landed = repo.land(&head, &joined.base, "main", "Landed\n", &me()).await.unwrap();
    assert!(matches!(landed, Landed::Done(_)), "{name}: {landed:?}");
    assert_eq!(repo.log("main", 0, 10).await.unwrap()[0].subject, "Landed");
    marks.none(&format!("{name}, after landing"));

    // The next run and a trial of checks start from what was merged, and this one's worktree is made anew and removed.
    let (next, _) = place.worktree("r2").await;
    repo.remove_worktree(&next).await.unwrap();
    repo.remove_worktree(&worktree).await.unwrap();
    assert!(!place.folder("r1").exists(), "{name}");
    let again = repo.readd_worktree("r1", &place.folder("r1"), &head).await.unwrap();
    repo.restore(&again, "work/r1", &base, &head).await.unwrap();
    repo.remove_worktree(&again).await.unwrap();
    git(repo.path(), &["fsck", "--connectivity-only", "--no-dangling"]);
    marks.none(&format!("{name}, at the end"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_planted_in_a_worktree_runs_or_leads_out() {
    // 32, 33
    let names = hostile(&["plants"]);
    let mut lives = tokio::task::JoinSet::new();
    for name in names.split_whitespace().map(str::to_owned) {
        lives.spawn(async move { whole_life(&name).await });
        if lives.len() >= 3 {
            lives.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }
    assert!(names.split_whitespace().count() >= 17, "{names}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_a_hostile_repository_runs_when_it_becomes_a_project() {
    // 32
    let names = hostile(&["sources"]);
    for name in names.split_whitespace() {
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks::new(dir.path());
        let source = dir.path().join("source");
        hostile(&["source", name, source.to_str().unwrap(), marks.path()]);
        marks.none(&format!("{name}, while it was made"));
        let cloned = Repo::clone_from(&dir.path().join("p.git"), &Source::Folder(source), None, &me()).await;
        marks.none(&format!("{name}, after cloning"));
        // What is incomplete, or has names that git does not hand on, is refused with what git says of it.
        let refused = ["promised", "badrefs"].contains(&name);
        let (Ok(repo), false) = (&cloned, refused) else {
            assert!(refused && cloned.is_err(), "{name}: {cloned:?}");
            continue;
        };
        let config = fs::read_to_string(repo.path().join("config")).unwrap();
        assert!(!config.contains("evil") && !repo.path().join("hooks").exists(), "{name}: {config}");
        assert!(!repo.path().join("refs/replace").exists() && !repo.path().join("info/grafts").exists(), "{name}");
        let tip = repo.branch("main").await.unwrap().unwrap();
        repo.files(&tip, 100).await.unwrap();
        repo.log("main", 0, 10).await.unwrap();
        let made = repo.add_worktree("r1", &dir.path().join("r1"), "work/r1", &tip).await;
        marks.none(&format!("{name}, after its worktree"));
        match name {
            // Paths that no worktree can hold: the run is refused, with the path.
            "paths" | "climbing" | "windows" => {
                let error = made.unwrap_err().to_string();
                assert!(error.contains("invalid path") && !dir.path().join("hooks").exists(), "{name}: {error}");
            }
            _ => {
                let worktree = made.unwrap();
                fs::write(worktree.tree().join("src/a.txt"), "changed\n").unwrap();
                let head = repo.snapshot(&worktree, &tip, "Turn\n", &me()).await.unwrap().commit.unwrap();
                let diff = repo.diff(&tip, &head, &DiffLimits::default()).await.unwrap();
                assert_eq!(paths(&diff), [(FileStatus::Modified, "src/a.txt")], "{name}");
                repo.restore(&worktree, "work/r1", &tip, &head).await.unwrap();
                let merge = repo.merge(&work(&tip, &head), "main", "Merge\n", &me()).await.unwrap();
                assert!(matches!(merge, Merge::Done(_)), "{name}");
                repo.remove_worktree(&worktree).await.unwrap();
            }
        }
        marks.none(&format!("{name}, at the end"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_swapped_in_while_a_snapshot_is_taken_bring_nothing_of_the_hosts_into_it() {
    // 7: a service of the agent's may be at work meanwhile.
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    let tree = worktree.tree();
    let outside = place.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let secret = "a key of the server's\n";
    fs::write(outside.join("a.txt"), secret).unwrap();
    symlink(&outside, tree.join("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (stop, src, link) = (Arc::clone(&stop), tree.join("src"), tree.join("link"));
        std::thread::spawn(move || {
            // Swapped in one step each, so that there always is one of the two.
            while !stop.load(Ordering::Relaxed) {
                let (cwd, both) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
                rustix::fs::renameat_with(cwd, &src, cwd, &link, both).unwrap();
            }
        })
    };
    let (mut parent, until) = (base, Instant::now() + Duration::from_secs(3));
    while Instant::now() < until {
        // One that meets a link is refused what that leads to, and fails; the next may find the folder.
        if let Ok(taken) = place.repo.snapshot(&worktree, &parent, "Turn\n", &me()).await {
            parent = taken.commit.unwrap_or(parent);
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    let id = git(place.dir.path(), &["hash-object", outside.join("a.txt").to_str().unwrap()]);
    let all = git(place.repo.path(), &["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    assert!(!all.contains(&id), "the secret is among the objects");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_put_in_place_of_git_while_a_worktree_is_restored_leads_no_write_out() {
    // 7: the same, where the host writes itself.
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    let git = worktree.tree().join(".git");
    let outside = place.dir.path().join("guildhall.db");
    fs::write(&outside, "the server's database\n").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let planting = {
        let (stop, git, outside) = (Arc::clone(&stop), git.clone(), outside.clone());
        std::thread::spawn(move || {
            for folder in [false, true].into_iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                let _ = if folder { fs::create_dir(&git) } else { symlink(&outside, &git) };
                std::thread::yield_now();
            }
        })
    };
    for _ in 0..40 {
        // It may fail for what is planted, and then was not given; but it leads nowhere.
        let _ = place.repo.restore(&worktree, "work/r1", &base, &base).await;
        assert_eq!(fs::read_to_string(&outside).unwrap(), "the server's database\n");
    }
    stop.store(true, Ordering::Relaxed);
    planting.join().unwrap();
    place.repo.restore(&worktree, "work/r1", &base, &base).await.unwrap();
    assert_eq!(fs::read_to_string(&git).unwrap(), "gitdir: /run/git\n");
    assert!(fs::symlink_metadata(&git).unwrap().is_file());
    let left: Vec<_> = fs::read_dir(place.folder("r1")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the worktree and the git folder: {left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_writes_for_git_to_obey_takes_no_more_memory_than_git_may_have() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    let tree = worktree.tree();
    fs::write(tree.join("out"), "ignored, as long as that can be told\n").unwrap();
    // Of each line git makes forty times its bytes, and once more in each folder.
    fs::write(tree.join(".gitignore"), "b\n".repeat(16 * 1024 * 1024)).unwrap();
    for n in 0..4 {
        let folder = tree.join("d/".repeat(n + 1));
        fs::create_dir_all(&folder).unwrap();
        fs::hard_link(tree.join(".gitignore"), folder.join(".gitignore")).unwrap();
        fs::write(folder.join("file"), "").unwrap();
    }
    let refused = place.repo.snapshot(&worktree, &base, "Turn\n", &me()).await.unwrap_err();
    assert!(matches!(&refused, GitError::NoMemory { command, .. } if command == "ls-files"), "{refused:?}");
    // The worktree is brought back all the same.
    place.repo.restore(&worktree, "work/r1", &base, &base).await.unwrap();
    assert_eq!(fs::read_to_string(tree.join(".gitignore")).unwrap(), "out/\n");
    assert!(!tree.join("d").exists());
    assert_eq!(place.repo.snapshot(&worktree, &base, "Turn\n", &me()).await.unwrap().commit, None);
}

#[tokio::test]
async fn a_pipe_where_git_opens_files_holds_nobody_up_for_long() {
    // 34
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    fs::remove_file(worktree.tree().join(".gitignore")).unwrap();
    for name in [".gitignore", ".gitattributes", "src/.gitattributes"] {
        let at = worktree.tree().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }
    fs::write(worktree.tree().join("src/new.txt"), "new\n").unwrap();
    let started = Instant::now();
    let head = place.snap(&worktree, &base).await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let diff = place.repo.diff(&base, &head, &DiffLimits::default()).await.unwrap();
    assert_eq!(paths(&diff), [(FileStatus::Deleted, ".gitignore"), (FileStatus::Added, "src/new.txt")]);
}

#[tokio::test]
async fn git_reads_no_settings_but_the_repositorys_own() {
    let place = Place::new().await;
    let (worktree, base) = place.worktree("r1").await;
    // What a careless line in the server's own environment or home would do is kept out as well.
    assert!(version().await.unwrap().starts_with("git version "));
    let config = fs::read_to_string(place.repo.path().join("config")).unwrap();
    for word in ["hook", "filter", "include", "fsmonitor", "driver", "external"] {
        assert!(!config.contains(word), "{config}");
    }
    // A replaced object in the canonical repository itself would still not be believed.
    let other = git(place.repo.path(), &["commit-tree", "-m", "Replaced", &format!("{base}^{{tree}}")]);
    git(place.repo.path(), &["replace", base.as_str(), &other]);
    assert_eq!(place.repo.log("main", 0, 1).await.unwrap()[0].subject, "First");
    fs::write(worktree.tree().join("src/a.txt"), "changed\n").unwrap();
    place.snap(&worktree, &base).await;
}

/// Every call of git that the host makes goes by one place, which clears the environment and names the repository.
#[test]
fn no_other_place_starts_git() {
    fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, out);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                out.push(path);
            }
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut all = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut all);
    }
    assert!(all.len() > 200, "{}", all.len());
    // A program to start is named by a word of its own, or found on the PATH by one.
    let named =
        ["Command::new(\"git", "Call::git(", "of(&PROGRAM", "join(\"git\")", "\"/usr/bin/git", "program: \"git"];
    let starts: Vec<(String, usize)> = all
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            // What tests do within a module is theirs.
            let text = text.split("#[cfg(test)]").next().unwrap();
            let count = named.iter().map(|name| text.matches(name).count()).sum();
            (count > 0).then(|| (path.strip_prefix(crates).unwrap().display().to_string(), count))
        })
        .collect();
    let mut starts: Vec<(&str, usize)> = starts.iter().map(|(path, count)| (path.as_str(), *count)).collect();
    starts.sort_unstable();
    // The look whether it starts within walls; the call itself; where both are begun; the agent's own git folder, whose name is `git`.
    let all =
        [("git/src/confine.rs", 1), ("git/src/program.rs", 1), ("git/src/start.rs", 2), ("git/src/worktree.rs", 1)];
    assert_eq!(starts, all);
}
