//! What is broken, left over or in the way where backups are made, looked at and restored.

use guildhall_team::backup::Manifest;

use super::whose::House;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_cannot_be_read_keeps_nothing_else_out_of_a_backup() {
    let house = House::new().await;
    let team = &house.app.app.team;
    let repositories = std::fs::read_dir(&team.places.repositories).unwrap().flatten();
    let objects = repositories.map(|entry| entry.path().join("objects")).next().unwrap();
    let away = objects.with_extension("away");
    std::fs::rename(&objects, &away).unwrap();
    std::fs::create_dir(&objects).unwrap();

    let made = house.night(9).await.made;
    assert_eq!((made.damaged.len(), made.damaged[0].name.as_str(), made.repositories), (1, "shop", 0));
    assert!(made.rows > 0 && made.lost.is_empty() && made.manifest.packs.is_empty(), "{made:?}");
    let files = std::fs::read_dir(house.folder().join(&made.manifest.name)).unwrap().count();
    assert_eq!(files, 3, "the manifest, the rows and the index: of half a pack nothing is left");
    let latest = team.store.backups(1).await.unwrap().remove(0);
    let told = latest.verify_problem.clone().unwrap();
    assert!(!latest.is_sound() && told.contains("project shop could not be read when it was made"), "{told}");
    let empty = Empty::new().await;
    let restored = empty.from(&house.shelf(), None, None).restore().await.unwrap();
    assert_eq!((restored.repositories, restored.problems.len()), (0, 1), "{:?}", restored.problems);
    assert!(restored.problems[0].contains("put it back from an earlier backup"), "{:?}", restored.problems);

    std::fs::remove_dir(&objects).unwrap();
    std::fs::rename(&away, &objects).unwrap();
    let made = house.night(9).await.made;
    assert_eq!(
        (made.manifest.kind, made.repositories, made.problem()),
        (BackupKind::Full, 1, None),
        "nothing builds on it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_look_left_goes_before_it_is_looked_whether_there_is_room() {
    let house = House::new().await;
    let made = house.night(9).await.made.manifest;
    let path = house.folder().join(&made.name).join("manifest.json");
    let mut large: Manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    large.rows.bytes = 1 << 50;
    std::fs::write(&path, serde_json::to_vec(&large).unwrap()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let left = scratch.path().join(".verify-left");
    std::fs::create_dir_all(left.join("repositories")).unwrap();
    let team = &house.app.app.team;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let error = verify(&house.shelf(), None, None, &team.vault, clock, scratch.path(), Room::ALL).await.unwrap_err();
    assert!(matches!(error, BackupError::NoRoom { .. }) && !left.exists(), "{error}");
}

/// A disk of its own is where it is mounted, and cannot be moved away; here a link leads to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_that_have_a_disk_of_their_own_are_restored_there() {
    let mut app = TestApp::start().await;
    let mut owner = app.owner().await;
    for name in ["shop", "store"] {
        owner.project(name, json!({ "kind": "sample" })).await;
    }
    let (code, _, err) = run(guildhall(app.dir.path()).arg("migrate")).await;
    assert!(code == Some(1) && err.contains("another Guildhall works in"), "{err}");
    app.stop().await;
    let dir = tempfile::tempdir().unwrap();
    let (folder, data, disk) = (dir.path().join("backups"), dir.path().join("data"), dir.path().join("disk"));
    let (code, out, err) = run(guildhall(app.dir.path()).arg("backup").arg("--to").arg(&folder)).await;
    assert_eq!(code, Some(0), "{out}{err}");
    for own in ["repositories/lost+found", "worktrees/lost+found"] {
        std::fs::create_dir_all(disk.join(own)).unwrap();
    }
    std::fs::create_dir(&data).unwrap();
    for link in ["repositories", "worktrees"] {
        std::os::unix::fs::symlink(disk.join(link), data.join(link)).unwrap();
    }
    let restore = |at: &str| -> tokio::process::Command {
        let mut command = guildhall(&data);
        command.arg("restore").arg("--from").arg(&folder).env("GUILDHALL_TEST_AT", at);
        command
    };
    let names = || {
        let entries = std::fs::read_dir(disk.join("repositories")).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // Cut off when the first of two is in its place: that is nobody's, and goes with the rest.
    let (code, ..) = run(&mut restore("kill restore.repository 1")).await;
    assert_eq!((code, names().len()), (None, 3), "{:?}", names());
    let (code, _, err) = run(guildhall(&data).arg("migrate")).await;
    assert!(code == Some(1) && err.contains("was cut off"), "{err}");
    // So an earlier version called where they are meanwhile.
    let former = data.join("repositories.restoring");
    std::fs::create_dir_all(former.join("one.git")).unwrap();
    let (code, out, err) = run(&mut restore("")).await;
    assert!(code == Some(0) && out.contains("2 repositories are whole") && !former.exists(), "{out}{err}");
    let there = names();
    assert!(there.len() == 3 && there[2] == "lost+found" && there[0].ends_with(".git"), "{there:?}");
    assert!(data.join("repositories").is_symlink() && !data.join("restore.unfinished").exists());
    // What lies there now is somebody's.
    for file in ["guildhall.db", "guildhall.db-wal", "guildhall.db-shm"] {
        std::fs::remove_file(data.join(file)).ok();
    }
    let (code, _, err) = run(&mut restore("")).await;
    assert!(code == Some(1) && err.contains("there are repositories in"), "{err}");
}
