//! What goes on after a panic or a death: the loop that makes backups, and what a restore tells.

use std::sync::atomic::{AtomicBool, Ordering};

use guildhall_types::DateTime;
use guildhall_types::backup::Backup;
use sqlx::Connection;

use super::*;

/// A clock that breaks once when it is told to.
#[derive(Debug, Default)]
struct Brittle(AtomicBool);

impl Clock for Brittle {
    fn now(&self) -> DateTime {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the clock is broken");
        SystemClock.now()
    }
}

async fn latest(store: &Store, is: impl Fn(&Backup) -> bool) -> Backup {
    let found = async {
        loop {
            if let Some(found) = store.backups(1).await.unwrap().pop().filter(&is) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_whose_making_panics_has_failed_and_the_next_one_is_made() {
    let app = TestApp::start().await;
    app.owner().await.project("shop", json!({ "kind": "empty" })).await;
    let team = app.app.team.clone();
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::<Brittle>::default();
    let backups = |rhythm| {
        let rules = BackupRules { rhythm, verify: false, ..BackupRules::default() };
        let plan = BackupPlan { shelf: Shelf::Folder(dir.path().join("backups")), rules };
        let (places, vault) = (Arc::clone(&team.places), Arc::clone(&team.vault));
        Backups::new(
            team.store.clone(),
            places,
            Arc::clone(&clock) as Arc<dyn Clock>,
            vault,
            plan,
            app.dir.path().into(),
        )
    };
    let stop = CancellationToken::new();
    let asked = backups(None);
    let look = Duration::from_millis(5);
    let making = tokio::spawn(asked.clone().make_looking_until(look, stop.clone().cancelled_owned()));
    clock.0.store(true, Ordering::SeqCst);
    asked.ask(&team).await.unwrap();
    let failed = latest(&team.store, |one| one.status != BackupStatus::Running).await;
    assert_eq!(failed.status, BackupStatus::Failed);
    assert!(failed.problem.unwrap().starts_with("Guildhall itself made a mistake in the middle of it"));
    asked.ask(&team).await.unwrap();
    assert_eq!(latest(&team.store, |one| one.status != BackupStatus::Running).await.status, BackupStatus::Done);
    stop.cancel();
    making.await.unwrap();

    // One that panics while it looks whether one is due can begin anew.
    let due = backups(Some(Rhythm::Every(chrono::Duration::nanoseconds(1))));
    let stop = CancellationToken::new();
    clock.0.store(true, Ordering::SeqCst);
    let making = tokio::spawn(due.clone().make_looking_until(look, stop.clone().cancelled_owned()));
    assert!(making.await.unwrap_err().is_panic());
    let before = latest(&team.store, |_| true).await.id;
    let making = tokio::spawn(due.make_looking_until(look, stop.clone().cancelled_owned()));
    latest(&team.store, |one| one.id != before && one.status == BackupStatus::Done).await;
    stop.cancel();
    making.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_cut_off_at_its_end_is_told_once() {
    let mut app = TestApp::start().await;
    app.owner().await.project("shop", json!({ "kind": "empty" })).await;
    app.stop().await;
    let dir = tempfile::tempdir().unwrap();
    let (folder, data) = (dir.path().join("backups"), dir.path().join("data"));
    let (code, out, err) = run(guildhall(app.dir.path()).arg("backup").arg("--to").arg(&folder)).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let restore = |at: &str| {
        let mut command = guildhall(&data);
        command.arg("restore").arg("--from").arg(&folder).env("GUILDHALL_TEST_AT", at);
        command
    };
    let (code, ..) = run(&mut restore("kill restore.noted 1")).await;
    assert_eq!(code, None);
    let (code, out, err) = run(&mut restore("")).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let url = format!("sqlite://{}/guildhall.db", data.display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let (told,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM audit WHERE action = 'backup.restore'").fetch_one(&mut db).await.unwrap();
    assert_eq!(told, 1);
    let (code, out, _) = run(guildhall(&data).args(["audit", "verify"])).await;
    assert_eq!(code, Some(0), "{out}");
}
