//! What goes from a server's disk, when, and how it comes back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use guildhall_engine::Broom;
use guildhall_sim::Config;
use guildhall_team::{NewChat, Places, SentFile};
use guildhall_types::alert::Strain;
use guildhall_types::feature::{Feature, FeatureStatus, WorkMode};
use guildhall_types::project::{Project, ProjectSource};
use guildhall_types::reading::{Disk, DiskRole, Reading, Used};
use guildhall_types::retention::Retention;
use guildhall_types::tidy::{DiskReport, Occupied, TidyReason};
use guildhall_types::{Clock, FixedClock, RunId};
use serde_json::json;

use crate::harness::{Hall, script};

mod left;
mod named;

/// Bytes of a file that no snapshot takes.
const LARGE: u64 = 51 * 1024 * 1024;
/// Longer than any leap of the clock here.
const LEASE: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);

struct Tidy {
    hall: Hall,
    clock: FixedClock,
    project: Project,
}

impl Tidy {
    async fn open() -> Self {
        let clock = FixedClock::default();
        let hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), LEASE).await;
        let project = hall.project("p", ProjectSource::Empty).await;
        Self { hall, clock, project }
    }

    /// A card whose agent has written a file, and waits for a member.
    async fn finished(&self, file: &str) -> (Feature, RunId) {
        let lines = [json!({ "tools": [["write", { "path": file, "content": "work\n" }]] }), json!({ "say": "Done." })];
        let id = self.hall.scripted(&self.project, &lines).await;
        let feature = self.hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
        let run = feature.card.run_id.unwrap();
        self.hall
            .until("an idle engine", async || (self.hall.engine.stats().await.active_runs == 0).then_some(()))
            .await;
        (feature, run)
    }

    fn folder(&self, run: RunId) -> PathBuf {
        self.hall.team.places.run(run)
    }

    /// Lets the server tidy up whole, once, and waits for its end and for the report after it.
    async fn sweep(&self) -> Arc<DiskReport> {
        // A moment of its own, by which it is known.
        self.clock.advance(TimeDelta::seconds(1));
        let asked = self.clock.now();
        self.hall.engine.tidy_now(&self.hall.team).await.unwrap();
        let done = async || {
            let (report, measuring) = self.hall.engine.disk_report();
            report.filter(|report| !measuring && report.at >= asked)
        };
        self.hall.until("a clean-up", done).await
    }

    async fn keep(&self, rules: Retention) {
        self.hall.team.set_retention(rules).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_that_rests_goes_and_comes_back_wherever_somebody_goes_on() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, .. } = &tidy;
    let (feature, run) = tidy.finished("work.txt").await;
    let (id, tree) = (feature.card.id, tidy.folder(run).join("tree"));
    // What no turn has saved, such as what a service wrote.
    std::fs::write(tree.join("left.txt"), "left\n").unwrap();

    clock.advance(TimeDelta::days(13));
    let report = tidy.sweep().await;
    assert!(tree.exists() && report.plan.worktrees.is_empty());
    assert_eq!((report.worktrees.len(), report.worktrees[0].run_id), (1, run));
    assert!(report.worktrees[0].bytes > 0 && report.bytes.worktrees == report.worktrees[0].bytes);
    assert!(report.bytes.database > 0 && report.bytes.repositories > 0 && report.disk.is_some());

    // The plan says what the next clean-up does, and it does that.
    clock.advance(TimeDelta::days(1));
    hall.engine.disk_report();
    let planned = async || hall.engine.disk_report().0.filter(|report| !report.plan.worktrees.is_empty());
    let planned = hall.until("a plan", planned).await;
    assert_eq!((planned.plan.worktrees[0].run_id, planned.plan.worktrees[0].why), (run, TidyReason::Idle));
    assert!(tree.exists(), "to look changes nothing");
    let report = tidy.sweep().await;
    assert!(!tidy.folder(run).exists() && report.worktrees.is_empty());

    // What members look at needs no worktree.
    let diff = hall.team.diff(id).await.unwrap();
    let files: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    assert_eq!(files, ["work.txt"], "what was left is no work");

    // Whoever looks into it has it again, with what was left.
    let service = hall.engine.start_service(&hall.team, &hall.anna, run, ("web", "sleep 86397", None)).await.unwrap();
    assert_eq!(std::fs::read_to_string(tree.join("left.txt")).unwrap(), "left\n");
    assert_eq!(std::fs::read_to_string(tree.join("work.txt")).unwrap(), "work\n");
    let report = tidy.sweep().await;
    assert!(tree.exists() && report.worktrees[0].in_use == Occupied::Looks, "something runs in it");
    hall.engine.stop_service(&hall.team, &hall.anna, run, &service.name).await.unwrap();
    tidy.sweep().await;
    assert!(tree.exists(), "it was used a moment ago");
    clock.advance(TimeDelta::days(14));
    tidy.sweep().await;
    assert!(!tidy.folder(run).exists());

    // The agent goes on in it as if nothing had happened.
    let more = script(&[
        json!({ "tools": [["bash", { "command": "cat work.txt left.txt > both.txt" }]] }),
        json!({ "say": "Done again." }),
    ]);
    hall.team.follow_up(hall.anna.id, id, &more).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let diff = hall.team.diff(id).await.unwrap();
    let both = diff.files.iter().find(|file| file.new_path == "both.txt").unwrap();
    assert_eq!(both.additions, 2);

    // Checks and a merge find what they need, too.
    clock.advance(TimeDelta::days(14));
    tidy.sweep().await;
    assert!(!tidy.folder(run).exists());
    hall.team.verify(id).await.unwrap();
    hall.reaches(id, FeatureStatus::Verified).await;
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert!(hall.text_at_main(&tidy.project, "both.txt").await.is_some());
    hall.until("a tidy disk", async || (hall.engine.stats().await.worktrees == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_a_server_left_in_the_middle_of_deleting_a_chat_go() {
    let tidy = Tidy::open().await;
    let hall = &tidy.hall;
    let new = NewChat {
        message: script(&[json!({ "say": "Seen." })]),
        files: vec![SentFile { name: "notes.md".to_owned(), bytes: b"one".to_vec() }],
        title: None,
        agent: None,
        model: Some("simulated".to_owned()),
        mode: WorkMode::Read,
    };
    let (feature, _) = hall.team.start_chat(hall.anna.id, tidy.project.id, new).await.unwrap();
    let id = feature.card.id;
    hall.rests(id).await;
    let store = &hall.team.store;
    tidy.sweep().await;
    assert_eq!(store.count_chat_files(id).await.unwrap(), 1, "the chat is there");
    // As if the server had died after this.
    store.delete_chat(id).await.unwrap();
    assert_eq!(store.count_chat_files(id).await.unwrap(), 1);
    tidy.sweep().await;
    assert_eq!(store.count_chat_files(id).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_large_for_git_keeps_its_worktree_and_nothing_else() {
    let tidy = Tidy::open().await;
    let (feature, run) = tidy.finished("work.txt").await;
    let (_, other) = tidy.finished("other.txt").await;
    let large = tidy.folder(run).join("tree/large.bin");
    std::fs::File::create(&large).unwrap().set_len(51 * 1024 * 1024).unwrap();
    tidy.clock.advance(TimeDelta::days(15));
    let report = tidy.sweep().await;
    assert!(large.exists() && !tidy.folder(other).exists());
    let one = &report.worktrees[0];
    assert_eq!((report.worktrees.len(), one.number, &one.title), (1, feature.card.number, &feature.card.title));
    assert!(one.unsaved.as_ref().unwrap().contains("large.bin has 53477376 bytes"), "{report:?}");
    assert!(report.plan.worktrees.is_empty(), "the plan knows it, too");
    // Nothing is wrong with the clean-up: it came through, and does so again and again.
    let fine = tidy.hall.engine.tidiness();
    assert_eq!((fine.stuck_since, fine.last_fault), (None, None));
    tidy.sweep().await;
    let again = tidy.hall.engine.tidiness();
    assert!(again.stuck_since.is_none() && again.last_good_at > fine.last_good_at, "{again:?}");
    assert!(large.exists());

    // Whoever sweeps without a server is told of the card and of the file.
    let Hall { team, .. } = &tidy.hall;
    let alone = Broom::alone(team.store.clone(), Places::below(team.places.data(), Vec::new()), team.clock.clone());
    let swept = alone.sweep(false).await;
    let told =
        format!("the worktree of the card #{} “{}” stays: large.bin has", feature.card.number, feature.card.title);
    assert!(swept.faults.is_empty() && swept.stays.len() == 1 && swept.stays[0].starts_with(&told), "{swept:?}");

    std::fs::remove_file(&large).unwrap();
    let report = tidy.sweep().await;
    assert!(!tidy.folder(run).exists() && report.worktrees.is_empty());
}

/// Of what is over nothing comes back, so that nothing goes which is on no ref: not a large file, not what nobody saved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_left_in_a_worktree_that_is_over_is_on_a_ref_of_its_own_and_outlasts_the_snapshots() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (merged, one) = tidy.finished("one.txt").await;
    let (deleted, two) = tidy.finished("two.txt").await;
    for run in [one, two] {
        let tree = tidy.folder(run).join("tree");
        std::fs::write(tree.join("by-hand.txt"), "by hand\n").unwrap();
        std::fs::File::create(tree.join("large.bin")).unwrap().set_len(LARGE).unwrap();
    }
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    hall.team.merge(&hall.anna, merged.card.id, None).await.unwrap();
    hall.team.store.delete_feature(deleted.card.id).await.unwrap();
    let gone = async || (!tidy.folder(one).exists() && !tidy.folder(two).exists()).then_some(());
    hall.until("worktrees that are over", gone).await;
    let left = async || {
        let mut all: Vec<String> = repo.all_left().await.unwrap().into_iter().map(|left| left.run).collect();
        all.sort();
        all
    };
    let mut both = [one.to_string(), two.to_string()];
    both.sort();
    assert_eq!(left().await, both);
    for left in repo.all_left().await.unwrap() {
        let text = repo.file_at(&left.commit, "by-hand.txt", 100).await.unwrap();
        assert_eq!(text, Some(guildhall_git::Blob::Bytes(b"by hand\n".to_vec())));
        assert_eq!(
            repo.file_at(&left.commit, "large.bin", 3).await.unwrap(),
            Some(guildhall_git::Blob::TooLarge(LARGE))
        );
    }

    clock.advance(TimeDelta::days(31));
    tidy.sweep().await;
    assert_eq!(repo.snapshot_of(&one.to_string()).await.unwrap(), None, "the states between its turns go");
    assert_eq!(left().await, both, "what no branch holds stays");
    clock.advance(TimeDelta::days(60));
    tidy.sweep().await;
    assert_eq!(left().await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_git_cannot_put_on_a_ref_stays_and_the_clean_up_is_stuck_until_it_can() {
    let tidy = Tidy::open().await;
    let (_, run) = tidy.finished("work.txt").await;
    let (_, repo) = tidy.hall.team.ready_project(tidy.project.id).await.unwrap();
    // Something of that name is in the way.
    let head = tidy.hall.team.store.run(run).await.unwrap().unwrap().head_commit.unwrap();
    let way = repo.path().join(format!("refs/guildhall/left/{run}"));
    std::fs::create_dir_all(&way).unwrap();
    std::fs::write(way.join("in-the-way"), head + "\n").unwrap();
    std::fs::write(tidy.folder(run).join("tree/left.txt"), "left\n").unwrap();
    tidy.clock.advance(TimeDelta::days(15));
    let first = tidy.clock.now();
    let report = tidy.sweep().await;
    assert!(report.worktrees[0].unsaved.is_some(), "{report:?}");
    let tidiness = tidy.hall.engine.tidiness();
    assert!(tidiness.last_fault.unwrap().message.contains(&run.to_string()));
    let stuck = tidiness.stuck_since.unwrap();
    assert!(stuck > first);
    // Once more: it is stuck since the first time.
    tidy.sweep().await;
    assert_eq!(tidy.hall.engine.tidiness().stuck_since, Some(stuck));

    std::fs::remove_dir_all(&way).unwrap();
    let report = tidy.sweep().await;
    assert!(!tidy.folder(run).exists() && report.worktrees.is_empty());
    let tidiness = tidy.hall.engine.tidiness();
    assert_eq!((tidiness.stuck_since, tidiness.running_since), (None, None));
    assert!(tidiness.last_good_at.unwrap() > stuck);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_takes_what_nobody_uses_and_a_card_that_is_over_goes_at_once() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (_, one) = tidy.finished("one.txt").await;
    let (served, two) = tidy.finished("two.txt").await;
    hall.engine.start_service(&hall.team, &hall.anna, two, ("web", "sleep 86396", None)).await.unwrap();
    let (deleted, three) = tidy.finished("three.txt").await;
    let (anew, four) = tidy.finished("four.txt").await;

    hall.team.store.delete_feature(deleted.card.id).await.unwrap();
    hall.until("what was deleted", async || (!tidy.folder(three).exists()).then_some(())).await;
    hall.team.shelve(anew.card.id).await.unwrap();
    hall.until("what was taken back", async || (!tidy.folder(four).exists()).then_some(())).await;

    // Any disk is fuller than that.
    tidy.keep(Retention { disk_percent: Some(1), ..Retention::default() }).await;
    tidy.sweep().await;
    assert!(tidy.folder(one).exists(), "it was used less than an hour ago");
    clock.advance(TimeDelta::hours(2));
    tidy.keep(Retention { disk_percent: None, ..Retention::default() }).await;
    tidy.sweep().await;
    assert!(tidy.folder(one).exists());
    tidy.keep(Retention { disk_percent: Some(1), ..Retention::default() }).await;
    let report = tidy.sweep().await;
    assert!(!tidy.folder(one).exists());
    assert!(tidy.folder(two).exists() && report.worktrees.len() == 1, "something runs in it: {report:?}");

    // The work of all of them is where it was.
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    for run in [one, three, four] {
        assert!(repo.snapshot_of(&run.to_string()).await.unwrap().is_some());
    }
    hall.engine.stop_service(&hall.team, &hall.anna, two, "web").await.unwrap();
    hall.team.merge(&hall.anna, served.card.id, None).await.unwrap();
    hall.until("what was merged", async || (!tidy.folder(two).exists()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_work_waits_for_room_what_nobody_uses_goes_at_once() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, .. } = &tidy;
    let (_, run) = tidy.finished("one.txt").await;
    clock.advance(TimeDelta::hours(2));
    tidy.keep(Retention { disk_percent: Some(1), ..Retention::default() }).await;
    let mut readings = hall.engine.readings();
    let latest = readings.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    let bytes = Used { used: 95, total: 100 };
    let full = Disk { holds: vec![DiskRole::Data], path: "/data".to_owned(), bytes, files: None };
    assert!(tidy.folder(run).exists());
    hall.engine.judge(&Reading { at: clock.now(), disks: vec![full], memory: None, ..(*latest).clone() }).await;
    assert_eq!(hall.engine.strain(), Some(Strain::Disk));
    hall.until("room", async || (!tidy.folder(run).exists()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_long_over_goes_and_what_was_never_merged_stays() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (merged, one) = tidy.finished("one.txt").await;
    let (shelved, two) = tidy.finished("two.txt").await;
    hall.team.merge(&hall.anna, merged.card.id, None).await.unwrap();
    hall.team.shelve(shelved.card.id).await.unwrap();
    hall.until("a tidy disk", async || (hall.engine.stats().await.worktrees == 0).then_some(())).await;
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();

    clock.advance(TimeDelta::days(31));
    tidy.sweep().await;
    assert_eq!(repo.snapshot_of(&one.to_string()).await.unwrap(), None, "it is merged, and on its branch");
    assert!(repo.snapshot_of(&two.to_string()).await.unwrap().is_some(), "nobody merged it");
    assert_eq!(hall.team.diff(merged.card.id).await.unwrap().files.len(), 1);

    hall.team.store.archive_project(project.id).await.unwrap();
    clock.advance(TimeDelta::days(89));
    let report = tidy.sweep().await;
    assert!(report.repositories[0].archived_at.is_some() && repo.path().exists());
    clock.advance(TimeDelta::days(1));
    let report = tidy.sweep().await;
    assert!(!repo.path().exists() && report.repositories.is_empty());
    assert_eq!(hall.engine.tidiness().stuck_since, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_cannot_be_read_keeps_no_other_from_being_tidied() {
    let mut tidy = Tidy::open().await;
    let other = tidy.hall.project("q", ProjectSource::Empty).await;
    let broken = std::mem::replace(&mut tidy.project, other);
    let (_, broken) = tidy.hall.team.ready_project(broken.id).await.unwrap();
    let (feature, run) = tidy.finished("work.txt").await;
    std::fs::write(tidy.folder(run).join("tree/left.txt"), "left\n").unwrap();
    tidy.hall.team.shelve(feature.card.id).await.unwrap();
    tidy.hall.until("what is over", async || (!tidy.folder(run).exists()).then_some(())).await;
    let (_, repo) = tidy.hall.team.ready_project(tidy.project.id).await.unwrap();
    assert_eq!(repo.all_left().await.unwrap().len(), 1);

    std::fs::write(broken.path().join("packed-refs"), "no ref at all\n").unwrap();
    tidy.clock.advance(TimeDelta::days(91));
    tidy.sweep().await;
    assert_eq!(repo.all_left().await.unwrap(), []);
    let fault = tidy.hall.engine.tidiness().last_fault.unwrap().message;
    assert!(fault.contains("what is on the refs of p could not be read"), "{fault}");
}
