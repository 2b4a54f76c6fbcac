//! Limits that the kernel keeps: of memory and processes, by control groups; and the one of the disk, by looking.

use std::time::{Duration, Instant};

use guildhall_git::{GitError, Identity, NewFile, Repo, SharedGroup, gather_in};
use guildhall_sandbox::{Command, Exit, Groups, Isolation, Over, Room, Running, Sandbox, Share, Streams};
use guildhall_types::MemberId;
use guildhall_types::limits::{Limits, MB, Part};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::endings::{alive, none_alive, word};
use crate::harness::{Place, command, patience};

/// Takes so many MB of memory, and lets go of them at the end of the line.
fn takes(mb: u32) -> String {
    format!("dd if=/dev/zero of=/dev/null bs={mb}000000 count=1 status=none && echo fits")
}

fn limits(memory: i64, processes: i64) -> Limits {
    Limits { max_memory_mb_per_member: memory, max_processes_per_member: processes, ..Limits::default() }
}

/// The groups of this process. None, with the reason printed, where the host offers none: but root on a host with version 1
/// has them.
#[expect(clippy::print_stdout, reason = "whoever reads the tests' output is to know what was not tried")]
async fn groups(limits: Limits) -> Option<Groups> {
    let groups = tokio::task::spawn_blocking(move || Groups::begin(limits)).await.unwrap();
    if groups.limit_memory() && groups.limit_processes() {
        return Some(groups);
    }
    let writable = ["memory", "pids"]
        .iter()
        .all(|name| rustix::fs::access(format!("/sys/fs/cgroup/{name}"), rustix::fs::Access::WRITE_OK).is_ok());
    assert!(!writable, "version 1 can be written, and is not used: {:?}", groups.findings());
    println!("skipped, because this host offers no control groups: {:?}", groups.findings());
    None
}

async fn room(place: &Place, groups: &Groups, member: MemberId, name: &str) -> Room {
    Room { share: Some(groups.share(member, name).await.unwrap()), ..place.room.clone() }
}

#[tokio::test]
async fn git_in_a_worktree_counts_among_what_its_run_may_have() {
    let Some(groups) = groups(limits(200, 100)).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let author = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
    let repo = Repo::create(&dir.path().join("r.git"), "main", &author, "First", &[]).await.unwrap();
    let base = repo.branch("main").await.unwrap().unwrap();
    let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "work", &base).await.unwrap();
    let share = groups.share(MemberId::new(), "r1").await.unwrap();
    let beside = share.beside().unwrap().unwrap();
    let worktree = worktree.among(std::sync::Arc::new(move || beside.doors()));
    std::fs::write(worktree.tree().join("a.txt"), "one\n").unwrap();
    let first = repo.snapshot(&worktree, &base, "Turn\n", &author).await.unwrap().commit.unwrap();
    // Less than a git may have by itself, and more than this member may.
    std::fs::write(worktree.tree().join(".gitignore"), "b\n".repeat(8 * 1024 * 1024)).unwrap();
    let refused = repo.snapshot(&worktree, &first, "Turn\n", &author).await.unwrap_err();
    assert!(matches!(refused, GitError::NoMemory { .. }), "{refused:?}");
    drop(worktree);
}

#[tokio::test]
async fn git_that_works_for_no_run_is_in_a_group_of_the_servers_own() {
    let Some(groups) = groups(limits(4_000, 500)).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let author = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
    // Two texts of which git takes many times their size to tell what differs.
    let text = |add: usize| (0..1_400_000).map(|n| format!("{}\n", (n + add) % 9_973)).collect::<String>().into_bytes();
    let file = NewFile { path: "a.txt".to_owned(), bytes: text(0), executable: false };
    let repo = Repo::create(&dir.path().join("r.git"), "main", &author, "First", &[file]).await.unwrap();
    let base = repo.branch("main").await.unwrap().unwrap();
    let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "work", &base).await.unwrap();
    std::fs::write(worktree.tree().join("a.txt"), text(7)).unwrap();
    let head = repo.snapshot(&worktree, &base, "Turn\n", &author).await.unwrap().commit.unwrap();
    repo.stat(&base, &head).await.unwrap();

    let part = Part { memory: 60 * MB, processes: 50 };
    let group = std::sync::Arc::new(groups.server_group("git", part).unwrap().unwrap());
    let known = std::sync::Arc::downgrade(&group);
    let doors = move || known.upgrade().map_or_else(|| Ok(Vec::new()), |group| group.doors());
    gather_in(Some(SharedGroup { doors: std::sync::Arc::new(doors), memory: part.memory }));
    let starved = repo.stat(&base, &head).await.unwrap_err();
    assert!(matches!(&starved, GitError::Starved { megabytes: 60, .. }), "{starved:?}");
    // What needs less goes on, and the server is none the worse for it.
    assert_eq!(repo.branch("main").await.unwrap(), Some(base.clone()));
    assert!(group.memory().is_some_and(|bytes| bytes < 60 * MB));
    // Where the group is gone, git works without it.
    drop(group);
    repo.stat(&base, &head).await.unwrap();
    assert!(folders().iter().all(|name| !name.ends_with("-git")), "{:?}", folders());
    gather_in(None);
}

/// The folders of this process's groups that are there, in any hierarchy.
fn folders() -> Vec<String> {
    let ours = format!("guildhall-{}-", std::process::id());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let mut found = Vec::new();
    for mount in mounts.lines().filter(|line| line.contains(" - cgroup")) {
        let at = mount.split(' ').nth(4).unwrap();
        for path in own.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
            // In version 2 this process is in a group of its own, beside those of its commands.
            let path = path.strip_suffix("/guildhall-server").unwrap_or(path);
            let listed = std::fs::read_dir(format!("{at}{path}")).into_iter().flatten().flatten();
            found.extend(listed.filter_map(|entry| entry.file_name().into_string().ok()));
        }
    }
    found.retain(|name| name.starts_with(&ours));
    found
}

#[tokio::test]
async fn what_needs_too_much_memory_dies_alone_and_is_told_why() {
    // 19
    let Some(groups) = groups(limits(200, 500)).await else { return };
    let (place, others) = (Place::new(), Place::new());
    let (anna, bert) = (MemberId::new(), MemberId::new());
    let leaking = room(&place, &groups, anna, "leaking").await;
    let steady = room(&others, &groups, bert, "steady").await;
    let line = format!("until [[ -e go ]]; do sleep 0.05; done; {}", takes(100));
    let mut sink = |_: &str| {};
    let (leak, steadily) = (command(&takes(500)), command(&line));
    let (leaked, other) = tokio::join!(
        async {
            let out = place.sandbox.run(&leaking, &leak, &mut |_| {}).await.unwrap();
            std::fs::write(others.tree("go"), "").unwrap();
            out
        },
        others.sandbox.run(&steady, &steadily, &mut sink),
    );
    assert_eq!(leaked.over, Some(Over::RunMemory { part: 200 * MB, whole: 200 * MB, runs: 1 }), "{leaked:?}");
    assert!(!leaked.output.contains("fits"), "{leaked:?}");
    let peak = leaked.peak_memory.unwrap();
    // In version 2 the kernel charges a little at once for each processor, also beyond the limit.
    assert!((150 * MB..=210 * MB).contains(&peak), "{peak}");
    assert_eq!(leaking.share.as_ref().unwrap().take_hits(), [leaked.over.unwrap()]);
    assert!(leaking.share.as_ref().unwrap().take_hits().is_empty());
    let other = other.unwrap();
    assert_eq!((other.exit, other.over, other.output.trim()), (Exit::Code(0), None, "fits"));
    // The same run goes on, and its group is not seen from within.
    let after = place.sandbox.run(&leaking, &command("ls /sys; cat /proc/self/cgroup"), &mut |_| {}).await.unwrap();
    assert_eq!((after.over, after.output.contains("guildhall")), (None, false), "{after:?}");
    assert!(groups.usage(bert).memory.is_some_and(|bytes| bytes < 100 * MB));
}

#[tokio::test]
async fn another_that_begins_hides_from_none_why_it_was_killed() {
    let Some(groups) = groups(limits(200, 500)).await else { return };
    let place = Place::new();
    let room = room(&place, &groups, MemberId::new(), "run").await;
    // In version 1 one process of it is killed, and it goes on; in version 2 all of it ends there.
    let leak = command(&format!("{}; touch met; until [[ -e go ]]; do sleep 0.05; done", takes(500)));
    let over = std::cell::Cell::new(false);
    let (leaked, beside) = tokio::join!(
        async {
            let out = place.sandbox.run(&room, &leak, &mut |_| {}).await.unwrap();
            over.set(true);
            out
        },
        async {
            while !place.tree("met").exists() && !over.get() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let out = place.sandbox.run(&room, &command("true"), &mut |_| {}).await.unwrap();
            std::fs::write(place.tree("go"), "").unwrap();
            out
        },
    );
    assert_eq!(leaked.over, Some(Over::RunMemory { part: 200 * MB, whole: 200 * MB, runs: 1 }), "{leaked:?}");
    assert_eq!((beside.exit, beside.over), (Exit::Code(0), None), "{beside:?}");
}

#[tokio::test]
async fn a_fork_bomb_is_capped_and_another_member_does_not_notice() {
    // 18
    let Some(groups) = groups(limits(2_000, 120)).await else { return };
    let (place, others) = (Place::new(), Place::new());
    let (anna, bert) = (MemberId::new(), MemberId::new());
    let bomb = Command { timeout: patience(3), ..command("bomb() { bomb | bomb & }; bomb; sleep 100") };
    let (bombed, calm) = (room(&place, &groups, anna, "a").await, room(&others, &groups, bert, "b").await);
    let mut sink = |_: &str| {};
    let (out, most) = tokio::join!(place.sandbox.run(&bombed, &bomb, &mut sink), async {
        let mut most = 0;
        for _ in 0..4 {
            tokio::time::sleep(patience(3) / 5).await;
            most = most.max(groups.usage(anna).processes.unwrap());
            let started = Instant::now();
            let out = others.sandbox.run(&calm, &command("echo here"), &mut |_| {}).await.unwrap();
            assert_eq!((out.output.as_str(), out.over), ("here\n", None));
            assert!(started.elapsed() < patience(20), "{:?}", started.elapsed());
        }
        most
    });
    let out = out.unwrap();
    assert_eq!((out.exit, out.over), (Exit::TimedOut, Some(Over::Processes { part: 120, whole: 120 })), "{out:?}");
    assert!((60..=120).contains(&most), "{most}");
    // The host's first process takes leave of the last ones.
    let until = Instant::now() + patience(10);
    while groups.usage(anna).processes != Some(0) {
        assert!(Instant::now() < until, "{:?}", groups.usage(anna));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn limits_and_parts_change_for_what_is_at_work() {
    let Some(groups) = groups(limits(1_600, 1_000)).await else { return };
    let place = Place::new();
    let anna = MemberId::new();
    let first = room(&place, &groups, anna, "first").await;
    let take = async || place.sandbox.run(&first, &command(&takes(700)), &mut |_| {}).await.unwrap();
    assert_eq!(take().await.output.trim(), "fits");
    let (second, third) = (groups.share(anna, "second").await.unwrap(), groups.share(anna, "third").await.unwrap());
    assert_eq!(groups.usage(anna).runs, 3);
    let out = take().await;
    assert_eq!(out.over, Some(Over::RunMemory { part: 1_600 * MB / 3, whole: 1_600 * MB, runs: 3 }), "{out:?}");
    drop((second, third));
    let until = Instant::now() + patience(10);
    while groups.usage(anna).runs > 1 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(take().await.output.trim(), "fits");
    // Two that are at work when the limit is lowered: one stays within it.
    let start = async |size: u32| {
        let line = format!("echo on; read -r; {}", takes(size));
        let mut running = place.sandbox.start(&first, &line, Streams::Parted).await.unwrap();
        let mut lines = BufReader::new(running.output.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "on");
        (running, lines)
    };
    let (mut greedy, _lines) = start(700).await;
    let (mut modest, mut lines) = start(100).await;
    groups.set(limits(300, 1_000)).await;
    let go = async |running: &mut Running| running.input.take().unwrap().write_all(b"\n").await.unwrap();
    go(&mut greedy).await;
    greedy.ended().await.unwrap();
    assert_eq!(greedy.over(), Some(Over::RunMemory { part: 300 * MB, whole: 300 * MB, runs: 1 }));
    go(&mut modest).await;
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "fits");
    assert_eq!((modest.ended().await.unwrap(), modest.over()), (Exit::Code(0), None));
}

#[tokio::test]
async fn nothing_is_left_of_a_command_or_of_its_groups() {
    // Of tests in the same process before this one, the kernel may hold some for a while.
    let before = folders();
    let Some(groups) = groups(limits(1_000, 500)).await else { return };
    let left = || folders().into_iter().filter(|name| !before.contains(name)).collect::<Vec<_>>();
    let place = Place::new();
    let word = word(31);
    let open =
        Room { share: Some(groups.share(MemberId::new(), "../a run").await.unwrap()), ..Room::new(place.tree("")) };
    // Without a sandbox, a process that leaves its group of processes is found by the control group alone.
    let sandbox = Sandbox::new(Isolation::None);
    let line = format!("(trap '' TERM HUP; setsid sleep {word} > /dev/null 2>&1 < /dev/null &); echo done");
    let out = sandbox.run(&open, &command(&line), &mut |_| {}).await.unwrap();
    assert_eq!((out.exit, out.output.as_str()), (Exit::Code(0), "done\n"));
    assert!(none_alive(&word).await);
    // Given up at any moment.
    for step in 0..20 {
        let (mut sink, command) = (|_: &str| {}, command(&format!("setsid --wait sleep {word}")));
        let call = sandbox.run(&open, &command, &mut sink);
        assert!(tokio::time::timeout(Duration::from_micros(step * 300), call).await.is_err());
    }
    assert!(none_alive(&word).await, "{} survived", alive(&word));
    assert!(!left().is_empty());
    drop((open, groups));
    let until = Instant::now() + patience(20);
    while !left().is_empty() {
        assert!(Instant::now() < until, "left: {:?}", left());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Not a test: what a server does, in a process that another test kills.
#[tokio::test]
#[ignore = "is started by another test"]
async fn as_a_server_with_groups_that_is_killed() {
    let Ok(word) = std::env::var("KILLED_SERVER_WORD") else { return };
    let Some(groups) = groups(Limits::default()).await else { return };
    let place = Place::new();
    let open = room(&place, &groups, MemberId::new(), "run").await;
    let mut show = |_: &str| std::fs::write(std::env::var("KILLED_SERVER_READY").unwrap(), "").unwrap();
    let line = format!("setsid sleep {word} & setsid sleep {word} & echo ready; wait");
    Sandbox::new(Isolation::None).run(&open, &command(&line), &mut show).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_server_left_in_its_groups_is_ended() {
    // 23
    if groups(Limits::default()).await.is_none() {
        return;
    }
    let place = Place::new();
    let word = word(32);
    let mut server = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cgroups::as_a_server_with_groups_that_is_killed", "--ignored", "--nocapture"])
        .env("KILLED_SERVER_WORD", &word)
        .env("KILLED_SERVER_READY", place.at("ready"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let until = Instant::now() + patience(30);
    while !place.at("ready").exists() || alive(&word) < 2 {
        assert!(Instant::now() < until && server.try_wait().unwrap().is_none(), "the server did not start");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.kill().await.unwrap();
    assert!(alive(&word) >= 2, "without a sandbox they live on");
    drop(groups(Limits::default()).await);
    assert!(none_alive(&word).await, "{} survived", alive(&word));
}

#[tokio::test]
async fn a_worktree_that_grows_too_large_ends_what_makes_it_grow() {
    // 21. No control groups are needed for this.
    let small = Limits { max_disk_mb_per_worktree: 30, ..Limits::default() };
    let groups = tokio::task::spawn_blocking(move || Groups::begin(small)).await.unwrap();
    let place = Place::new();
    let room = room(&place, &groups, MemberId::new(), "run").await;
    let run = async |line: &str| place.sandbox.run(&room, &command(line), &mut |_| {}).await.unwrap();
    let out =
        run("mkdir sub; dd if=/dev/zero of=sub/large bs=1M count=64 status=none; sync sub/large; sleep 600").await;
    assert_eq!(out.exit, Exit::Signal(9));
    let Some(Over::Disk { used, most }) = out.over else { panic!("{out:?}") };
    assert!(most == 30 * MB && (30 * MB..80 * MB).contains(&used), "{used}");
    assert!(out.duration < patience(20), "{:?}", out.duration);
    // What does not let it grow may go on, so that room can be made.
    let out = run("sleep 2; ls sub; rm -r sub").await;
    assert_eq!((out.exit, out.over, out.output.as_str()), (Exit::Code(0), None, "large\n"));
    // One that is over before it is noticed is told all the same; by another size than before, since what says the same is told once.
    let out = run("dd if=/dev/zero of=again bs=1M count=70 status=none; sync again").await;
    // On a slow machine it is noticed.
    assert!(matches!(out.exit, Exit::Code(0) | Exit::Signal(9)), "{out:?}");
    assert!(matches!(out.over, Some(Over::Disk { .. })), "{out:?}");
    // Nor is the cache a way around it.
    let cache = place.at("cache");
    std::fs::create_dir(&cache).unwrap();
    let with_cache = Room { cache: Some(cache), ..room.clone() };
    let run = async |line: &str| place.sandbox.run(&with_cache, &command(line), &mut |_| {}).await.unwrap();
    // What it wrote between the look and its end is another size, and may be told once more.
    let told_again = run("true").await.over.is_some();
    assert_eq!(run("true").await.over, None);
    let out =
        run("rm again; dd if=/dev/zero of=/run/cache/large bs=1M count=100 status=none; sync /run/cache/large").await;
    assert!(matches!(out.over, Some(Over::Cache { added, .. }) if added > 64 << 20), "{out:?}");
    let share: &Share = room.share.as_ref().unwrap();
    assert_eq!(share.take_hits().len(), 3 + usize::from(told_again));
}
