//! What an admin names goes: what belongs to nothing, and what cannot all be kept.

use std::time::SystemTime;

use guildhall_engine::Removed;
use guildhall_git::Repo;
use guildhall_store::AuditQuery;
use guildhall_types::audit::AuditAction;

use super::*;

/// This went, and nothing was refused.
fn gone(path: &str) -> Removed {
    Removed { gone: vec![path.to_owned()], refused: Vec::new() }
}

/// Something of that name is in the way of what is to be kept of a worktree.
fn in_the_way(repo: &Repo, run: RunId, commit: &str) {
    let way = repo.path().join(format!("refs/guildhall/left/{run}"));
    std::fs::create_dir_all(&way).unwrap();
    std::fs::write(way.join("in-the-way"), format!("{commit}\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_that_is_over_with_more_than_is_kept_stays_until_an_admin_gives_it_up() {
    let tidy = Tidy::open().await;
    let Tidy { hall, project, .. } = &tidy;
    let (feature, run) = tidy.finished("work.txt").await;
    let tree = tidy.folder(run).join("tree");
    std::fs::write(tree.join("by-hand.txt"), "by hand\n").unwrap();
    std::fs::File::create(tree.join("large.bin")).unwrap().set_len(1024 * 1024 * 1024 + 1).unwrap();
    let path = format!("worktrees/{run}");
    let give_up = async || hall.engine.remove_orphans(&hall.team, std::slice::from_ref(&path)).await;
    assert!(give_up().await.is_err(), "it may go on");
    hall.team.shelve(feature.card.id).await.unwrap();
    let report = tidy.sweep().await;
    let one = &report.worktrees[0];
    assert!(one.over && one.unsaved.as_ref().unwrap().contains("large.bin has 1073741825 bytes"), "{report:?}");
    assert_eq!(give_up().await.unwrap(), gone(&path));
    assert!(!tidy.folder(run).exists());
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    let left = repo.all_left().await.unwrap();
    let text = repo.file_at(&left[0].commit, "by-hand.txt", 100).await.unwrap();
    assert_eq!(text, Some(guildhall_git::Blob::Bytes(b"by hand\n".to_vec())), "what can be kept is");
    let query = AuditQuery { action: Some(AuditAction::RemoveOrphans), limit: 10, ..AuditQuery::default() };
    let told = hall.team.store.audit_entries(&query).await.unwrap();
    assert_eq!(told[0].object_id.as_deref(), Some(path.as_str()));
    assert!(told[0].detail["unsaved"].contains("large.bin has"), "{told:?}");
}

/// A disk that is full, too many files, no memory: whatever the reason, it is the admin's word that counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_gives_up_whatever_keeps_git_from_saving_it() {
    let tidy = Tidy::open().await;
    let Tidy { hall, project, .. } = &tidy;
    let (feature, run) = tidy.finished("work.txt").await;
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    let head = hall.team.store.run(run).await.unwrap().unwrap().head_commit.unwrap();
    in_the_way(&repo, run, &head);
    std::fs::write(tidy.folder(run).join("tree/left.txt"), "left\n").unwrap();
    hall.team.shelve(feature.card.id).await.unwrap();
    let report = tidy.sweep().await;
    let why = report.worktrees[0].unsaved.clone().unwrap();
    let path = format!("worktrees/{run}");
    let removed = hall.engine.remove_orphans(&hall.team, std::slice::from_ref(&path)).await.unwrap();
    assert_eq!(removed, gone(&path));
    assert!(!tidy.folder(run).exists());
    assert_eq!(repo.snapshot_of(&run.to_string()).await.unwrap().unwrap().as_str(), head, "the work itself is kept");
    let query = AuditQuery { action: Some(AuditAction::RemoveOrphans), limit: 10, ..AuditQuery::default() };
    let told = hall.team.store.audit_entries(&query).await.unwrap();
    let told = told[0].detail["unsaved"].trim_end_matches('…');
    assert!(told.len() > 100 && why.starts_with(told), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_removed_keeps_nothing_else_from_going() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    let base = repo.branch("main").await.unwrap().unwrap();
    let [first, second] = [RunId::new(), RunId::new()];
    for (run, branch) in [(first, "guild/first"), (second, "guild/second")] {
        let worktree = repo.add_worktree(&run.to_string(), &tidy.folder(run), branch, &base).await.unwrap();
        std::fs::write(worktree.tree().join("theirs.txt"), "theirs\n").unwrap();
    }
    in_the_way(&repo, first, base.as_str());
    // The clock here is far behind that of the files.
    clock.advance(TimeDelta::days(20_000));
    tidy.sweep().await;
    let named = [first, second].map(|run| format!("worktrees/{run}"));
    let removed = hall.engine.remove_orphans(&hall.team, &named).await.unwrap();
    assert_eq!(removed.gone, [named[1].as_str()]);
    assert_eq!((removed.refused.len(), &removed.refused[0].0), (1, &named[0]));
    assert!(!removed.refused[0].1.is_empty() && tidy.folder(first).exists() && !tidy.folder(second).exists());
    // It is measured anew, though something stays.
    let anew = async || hall.engine.disk_report().0.filter(|report| report.orphans.len() == 1);
    assert_eq!(hall.until("a report", anew).await.orphans[0].path, named[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_are_named_and_go_only_when_an_admin_says_so() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (_, run) = tidy.finished("work.txt").await;
    let places = &hall.team.places;
    let stranger = RunId::new();
    let lost = tidy.folder(stranger);
    std::fs::create_dir_all(lost.join("tree")).unwrap();
    std::fs::write(lost.join("tree/theirs.txt"), "theirs\n").unwrap();
    let half = places.repositories.join(".gone-half");
    std::fs::create_dir_all(&half).unwrap();
    // As after the hand of somebody who knows no better.
    std::fs::remove_dir_all(tidy.folder(run)).unwrap();
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    assert_eq!(repo.worktree_names().unwrap(), [run.to_string()]);

    let report = tidy.sweep().await;
    assert!(!half.exists() && repo.worktree_names().unwrap().is_empty(), "what is provably nobody's goes by itself");
    let path = format!("worktrees/{stranger}");
    assert_eq!(report.orphans.iter().map(|orphan| orphan.path.as_str()).collect::<Vec<_>>(), [path.as_str()]);
    assert!(lost.exists() && report.orphans[0].bytes > 0);

    // The clock here is not that of the files.
    let changed = |path: PathBuf| {
        std::fs::File::open(path).unwrap().set_modified(SystemTime::from(clock.now())).unwrap();
    };
    for path in [lost.join("tree/theirs.txt"), lost.join("tree"), lost.clone()] {
        changed(path);
    }
    let remove = async |path: &str| hall.engine.remove_orphans(&hall.team, &[path.to_owned()]).await;
    let young = remove(&path).await.unwrap_err();
    assert!(young.to_string().contains("is young"), "{young}");
    clock.advance(TimeDelta::days(8));
    for other in [format!("worktrees/{run}"), "../data".to_owned(), format!("repositories/{}.git", project.id)] {
        let refused = remove(&other).await.unwrap_err();
        assert!(refused.to_string().contains("belongs to something"), "{refused}");
    }
    // Work deep within does not touch the folder itself.
    changed(lost.join("tree/theirs.txt"));
    let young = remove(&path).await.unwrap_err();
    assert!(young.to_string().contains("is young"), "{young}");
    clock.advance(TimeDelta::days(8));
    // Whoever works in it can give a file any time: what is yet to come says nothing.
    let later = SystemTime::from(clock.now()) + Duration::from_secs(100 * 365 * 24 * 60 * 60);
    std::fs::File::open(lost.join("tree/theirs.txt")).unwrap().set_modified(later).unwrap();
    assert_eq!(remove(&path).await.unwrap(), gone(&path));
    assert!(!lost.exists());
    let query = AuditQuery { action: Some(AuditAction::RemoveOrphans), limit: 10, ..AuditQuery::default() };
    let told = hall.team.store.audit_entries(&query).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].object_id.as_deref(), Some(path.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphan_without_a_snapshot_is_put_on_a_ref_by_where_its_branch_stands() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    let base = repo.branch("main").await.unwrap().unwrap();
    let stranger = RunId::new();
    let worktree = repo.add_worktree(&stranger.to_string(), &tidy.folder(stranger), "guild/lost", &base).await.unwrap();
    std::fs::write(worktree.tree().join("theirs.txt"), "theirs\n").unwrap();
    std::fs::remove_file(repo.path().join(format!("refs/guildhall/runs/{stranger}"))).unwrap();
    assert_eq!(repo.snapshot_of(&stranger.to_string()).await.unwrap(), None);
    // The clock here is far behind that of the files.
    clock.advance(TimeDelta::days(20_000));
    let path = format!("worktrees/{stranger}");
    hall.engine.remove_orphans(&hall.team, std::slice::from_ref(&path)).await.unwrap();
    assert!(!tidy.folder(stranger).exists());
    let left = repo.all_left().await.unwrap();
    assert_eq!(left[0].run, stranger.to_string());
    let text = repo.file_at(&left[0].commit, "theirs.txt", 100).await.unwrap();
    assert_eq!(text, Some(guildhall_git::Blob::Bytes(b"theirs\n".to_vec())));
    // No database knows it: what was left of it never goes by itself.
    clock.advance(TimeDelta::days(91));
    tidy.sweep().await;
    assert_eq!(repo.all_left().await.unwrap(), left);
}
