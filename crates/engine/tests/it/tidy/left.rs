//! What was left behind goes in time, and what of it is somebody's work becomes a part of that first.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_terminal_left_unsaved_is_work_before_its_worktree_goes() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (feature, run) = tidy.finished("work.txt").await;
    let (folder, id) = (tidy.folder(run), feature.card.id);
    std::fs::write(folder.join("tree/b.txt"), "by hand\n").unwrap();
    // As a terminal leaves it whose changes could not be saved, while they still cannot be.
    let mark = folder.join("by-hand");
    std::fs::create_dir(&mark).unwrap();
    clock.advance(TimeDelta::days(15));
    let report = tidy.sweep().await;
    assert!(folder.join("tree/b.txt").exists() && mark.exists());
    let why = report.worktrees[0].unsaved.clone().unwrap();
    assert!(why.starts_with("what was changed there in a terminal is no part of the work yet"), "{why}");
    let fine = hall.engine.tidiness();
    assert_eq!((fine.stuck_since, fine.last_fault), (None, None));

    // Without a server nobody can save it.
    std::fs::remove_dir(&mark).unwrap();
    std::fs::write(&mark, hall.anna.id.to_string()).unwrap();
    let places = Places::below(hall.team.places.data(), Vec::new());
    let alone = Broom::alone(hall.team.store.clone(), places, hall.team.clock.clone());
    let swept = alone.sweep(false).await;
    assert!(
        mark.exists() && swept.faults.is_empty() && swept.stays[0].contains("only a server that runs"),
        "{swept:?}"
    );

    tidy.sweep().await;
    assert!(!folder.exists());
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(hall.text_at_main(project, "b.txt").await.as_deref(), Some("by hand\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_checks_left_that_were_cut_off_does_not_come_back_with_a_worktree() {
    let tidy = Tidy::open().await;
    let Tidy { hall, clock, project } = &tidy;
    let (_, run) = tidy.finished("work.txt").await;
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    std::fs::write(tidy.folder(run).join("tree/left.txt"), "").unwrap();
    std::fs::write(tidy.folder(run).join("checking"), "").unwrap();
    clock.advance(TimeDelta::days(15));
    tidy.sweep().await;
    assert!(!tidy.folder(run).exists());
    assert_eq!(repo.all_left().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_look_at_a_backup_left_goes_also_from_a_folder_of_its_own() {
    let Tidy { hall, .. } = &Tidy::open().await;
    let scratch = hall.dir.path().join("scratch");
    let data = hall.team.places.data();
    let left = [data.join(".verify-one"), scratch.join(".verify-two")];
    for folder in &left {
        std::fs::create_dir_all(folder).unwrap();
    }
    let places = Places::below(data, Vec::new()).with_scratch(Some(scratch.clone()));
    let alone = Broom::alone(hall.team.store.clone(), places, hall.team.clock.clone());
    let swept = alone.sweep(false).await;
    assert!(swept.faults.is_empty() && left.iter().all(|folder| !folder.exists()), "{swept:?}");
}
