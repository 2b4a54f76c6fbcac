//! When backups are made: when one is asked for, and when one is due.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_has_one_made_and_what_is_not_kept_goes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("backups");
    let shelf = Shelf::Folder(folder.clone());
    let keep = Keep { last: 1, days: 0, weeks: 0 };
    let rules = BackupRules { keep, full_every: 1, ..BackupRules::default() };
    let change = Box::new(|config: &mut Config| (config.backup, config.backup_rules) = (Some(shelf), rules));
    let app = TestApp::with(Wish { change, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let path = "/api/operation/backups";
    let none = owner.get(path).await.is(StatusCode::OK);
    assert_eq!((&none["items"], &none["lastGoodAt"], &none["sealed"]), (&json!([]), &Value::Null, &json!(false)));
    let mut names = Vec::new();
    for _ in 0..2 {
        let begun = owner.call(path).await.is(StatusCode::ACCEPTED);
        assert_eq!((&begun["status"], &begun["cause"]), (&json!("running"), &json!("member")));
        let done = async {
            loop {
                let latest = owner.get(path).await.is(StatusCode::OK)["items"][0].clone();
                if latest["verifiedAt"].is_string() || latest["status"] == "failed" {
                    return latest;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, done).await.unwrap();
        assert_eq!(
            (&done["status"], &done["verifyProblem"], &done["kind"]),
            (&json!("done"), &Value::Null, &json!("full")),
            "{done}"
        );
        names.push(done["name"].as_str().unwrap().to_owned());
    }
    // What is not kept goes a moment after the other was found sound.
    let gone = async {
        loop {
            let left = listed(&Shelf::Folder(folder.clone())).await.unwrap();
            if left.iter().map(|one| one.name.as_str()).eq(names[1..].iter().map(String::as_str)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    let view = owner.get(path).await.is(StatusCode::OK);
    assert_eq!(view["lastGoodAt"], view["items"][0]["startedAt"]);
    let audit = owner.get("/api/audit?action=backup.make").await.is(StatusCode::OK);
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
    let me = owner.get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["memberId"], me["id"], "whoever asked for it is named: {audit}");

    let plain = TestApp::start().await;
    plain.owner().await.call(path).await.is_problem(StatusCode::CONFLICT, "no-backups");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_find_a_backup_due_one_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let url = fresh_postgres().await;
    let clock = FixedClock::new(SystemClock.now());
    let shelf = Shelf::Folder(dir.path().join("backups"));
    let every = chrono::Duration::hours(1);
    let stop = CancellationToken::new();
    let mut nodes = Vec::new();
    for node in ["one", "other"] {
        let data = dir.path().join(node);
        std::fs::create_dir(&data).unwrap();
        let store = Store::open(&url, Arc::new(clock.clone())).await.unwrap();
        store.migrate().await.unwrap();
        let rules = BackupRules {
            rhythm: Some(Rhythm::Every(every)),
            keep: Keep { last: 100, days: 0, weeks: 0 },
            key_file: None,
            full_every: 100,
            verify: false,
            scratch: None,
        };
        let plan = BackupPlan { shelf: shelf.clone(), rules };
        let (places, vault) = (Arc::new(Places::below(&data, Vec::new())), Arc::new(vault_of(&data)));
        let backups = Backups::new(store.clone(), places, Arc::new(clock.clone()), vault, plan, data);
        let looking = backups.make_looking_until(Duration::from_millis(5), stop.clone().cancelled_owned());
        nodes.push((store, tokio::spawn(looking)));
    }
    let store = nodes[0].0.clone();
    let done = async || -> Vec<_> {
        let tries = store.backups(i64::MAX).await.unwrap();
        // A node that still tidies where backups go keeps the other one out: that is tried again later, on a busy machine many times.
        if tries.first().is_some_and(|latest| latest.status == BackupStatus::Failed) {
            clock.advance(chrono::Duration::minutes(20));
        }
        let done = tries.into_iter().filter(|one| one.status == BackupStatus::Done);
        done.map(|one| one.started_at).collect()
    };
    for round in 1..=6 {
        let made = async {
            while done().await.len() < round {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let made = tokio::time::timeout(PATIENCE, made).await;
        assert!(made.is_ok(), "round {round}: {:#?}", store.backups(5).await.unwrap());
        clock.advance(every);
    }
    stop.cancel();
    for (store, looking) in nodes {
        tokio::time::timeout(PATIENCE, looking).await.unwrap().unwrap();
        store.close().await;
    }
    // The latest first. Had both made one that both found due, two would have begun at one moment.
    let moments = store_moments(&url, &clock).await;
    assert!(moments.len() >= 6 && moments.windows(2).all(|two| two[0] - two[1] >= every), "{moments:?}");
}

/// When the backups began that were made, the latest first.
async fn store_moments(url: &str, clock: &FixedClock) -> Vec<guildhall_types::DateTime> {
    let store = Store::open(url, Arc::new(clock.clone())).await.unwrap();
    let tries = store.backups(i64::MAX).await.unwrap();
    store.close().await;
    tries.into_iter().filter(|one| one.status == BackupStatus::Done).map(|one| one.started_at).collect()
}
