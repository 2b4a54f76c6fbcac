//! What is found in a backup, or cannot be found out, and what comes of it: in a folder as in a bucket, on either database.

use std::sync::Arc;

use guildhall_llm::Secret;
use guildhall_server::config::Config;
use guildhall_team::backup::{
    BackedUp, BackupError, BackupPlan, BackupRules, Backups, BackupsView, Manifest, Shelf, listed,
};
use guildhall_types::backup::{BackupCause, BackupKind, BackupStatus, Keep};
use guildhall_types::{Clock, FixedClock, SystemClock};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::Connection;

use super::Store;
use crate::harness::{TestApp, Wish, fresh_postgres};
use crate::program::{guildhall, run};

enum Place {
    Folder(tempfile::TempDir),
    Bucket(Box<Store>),
}

impl Place {
    fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    async fn bucket() -> Self {
        Self::Bucket(Box::new(Store::start().await))
    }

    fn shelf(&self) -> Shelf {
        match self {
            Self::Folder(dir) => Shelf::Folder(dir.path().join("backups")),
            Self::Bucket(store) => store.shelf(),
        }
    }

    async fn damage(&mut self, backup: &str, file: &str) {
        match self {
            Self::Folder(dir) => {
                let path = dir.path().join("backups").join(backup).join(file);
                let mut bytes = std::fs::read(&path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                std::fs::write(path, bytes).unwrap();
            }
            Self::Bucket(store) => drop(store.ask(&format!("damage guild/hall/{backup}/{file}")).await),
        }
    }
}

/// A team that is backed up each night.
struct Nights {
    app: TestApp,
    clock: FixedClock,
    database: String,
    place: Place,
    backups: Backups,
}

impl Nights {
    async fn new(place: Place, postgres: bool, last: u32, full_every: u32) -> Self {
        let clock = FixedClock::new(SystemClock.now());
        let other = if postgres { Some(fresh_postgres().await) } else { None };
        let url = other.clone();
        let change = Box::new(|config: &mut Config| {
            if let Some(url) = url {
                config.database_url = Secret::new(url);
            }
        });
        let app = TestApp::with(Wish { change, clock: Some(clock.clone()), ..Wish::default() }).await;
        let mut owner = app.owner().await;
        owner.project("shop", json!({ "kind": "sample" })).await;
        let key = json!({ "key": "sk-ant-the-members-own", "baseUrl": app.sim.url() });
        owner.put("/api/user/credentials/anthropic", key).await.is(StatusCode::OK);
        let data = app.dir.path().to_owned();
        let database = other.unwrap_or_else(|| format!("sqlite://{}/guildhall.db", data.display()));
        let keep = Keep { last, days: 0, weeks: 0 };
        let rules = BackupRules { keep, full_every, ..BackupRules::default() };
        let plan = BackupPlan { shelf: place.shelf(), rules };
        let team = &app.app.team;
        let (store, places, vault) = (team.store.clone(), Arc::clone(&team.places), Arc::clone(&team.vault));
        let backups = Backups::new(store, places, Arc::new(clock.clone()), vault, plan, data);
        Self { app, clock, database, place, backups }
    }

    async fn night(&self) -> BackedUp {
        self.clock.advance(chrono::Duration::days(1));
        self.backups.make(BackupCause::Schedule, false).await.unwrap()
    }

    async fn view(&self) -> BackupsView {
        self.app.app.team.backups(Some(&self.backups)).await.unwrap()
    }

    async fn names(&self) -> Vec<String> {
        listed(&self.place.shelf()).await.unwrap().into_iter().map(|one| one.name).collect()
    }

    /// Does something to the rows behind the server's back.
    async fn tamper(&self, sql: &'static str) {
        if self.database.starts_with("sqlite") {
            let mut db = sqlx::SqliteConnection::connect(&self.database).await.unwrap();
            sqlx::query("PRAGMA busy_timeout = 5000").execute(&mut db).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
        } else {
            let mut db = sqlx::PgConnection::connect(&self.database).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
        }
    }
}

/// What was made and is sound, as somebody saw who restored it.
fn sound(done: BackedUp) -> Manifest {
    let found = done.verified.unwrap().unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    done.made.manifest
}

/// What was made, and nobody looked at.
fn unseen(done: BackedUp) -> Manifest {
    assert!(done.verified.is_none(), "{done:?}");
    done.made.manifest
}

async fn nothing_builds_on_a_damaged_one(mut nights: Nights) {
    let full = sound(nights.night().await);
    let (one, two) = (unseen(nights.night().await), unseen(nights.night().await));
    assert_eq!((full.kind, two.parent.as_deref()), (BackupKind::Full, Some(&*one.name)));
    let good = nights.view().await;
    assert_eq!((good.last_good_at, good.last_good_unchecked), (Some(good.items[0].started_at), None));

    nights.place.damage(&full.name, &full.packs[0].file).await;
    let error = nights.backups.verify(Some(&one.name)).await.unwrap_err();
    assert!(matches!(&error, BackupError::Damaged { name, .. } if *name == full.name), "{error}");
    let view = nights.view().await;
    assert_eq!(view.last_good_at, None);
    let [of_two, of_one, of_full] = &view.items[..] else { panic!("{view:?}") };
    for looked_at in [of_one, of_full] {
        assert!(looked_at.verify_problem.as_ref().unwrap().contains("is damaged"), "{looked_at:?}");
    }
    assert_eq!((&of_two.verify_problem, of_two.unsound_below.as_ref()), (&None, Some(&full.name)));

    // The next night begins anew, and from there it goes on.
    let anew = sound(nights.night().await);
    assert_eq!((anew.kind, anew.parent), (BackupKind::Full, None));
    let view = nights.view().await;
    assert_eq!(view.last_good_at, Some(view.items[0].started_at));
    assert_eq!(unseen(nights.night().await).parent, Some(anew.name));

    // Nor does anything build on what this database does not know, as after a restore from one that is older.
    nights.tamper("DELETE FROM backups").await;
    assert_eq!(sound(nights.night().await).kind, BackupKind::Full);
}

async fn the_last_sound_one_stays(nights: Nights) {
    let first = sound(nights.night().await);
    assert_eq!(nights.names().await, [first.name.as_str()]);
    // From now on what is written cannot be all restored: a secret is another's.
    nights.tamper("UPDATE secrets SET identity = '~' || identity").await;
    let mut bad = Vec::new();
    for _ in 0..2 {
        let done = nights.night().await;
        let found = done.verified.unwrap().unwrap();
        assert!(found.problems.concat().contains("does not open"), "{found:?}");
        assert_eq!(done.gone.unwrap(), bad.last().cloned().into_iter().collect::<Vec<_>>());
        bad.push(done.made.manifest.name);
        assert_eq!(nights.names().await, [first.name.clone(), bad[bad.len() - 1].clone()]);
    }
    let view = nights.view().await;
    assert_eq!(view.last_good_at, Some(view.items[2].started_at));
    nights.tamper("UPDATE secrets SET identity = substr(identity, 2)").await;
    let done = nights.night().await;
    let mut gone = done.gone.as_ref().unwrap().clone();
    gone.sort();
    assert_eq!(gone, [first.name, bad[1].clone()]);
    assert_eq!(nights.names().await, [sound(done).name]);
}

async fn what_could_not_be_looked_at_is_told_and_looked_at_the_next_night(nights: Nights) {
    let first = sound(nights.night().await);
    // Somebody else has the only scratch place.
    let lock = std::fs::File::create(nights.app.dir.path().join("verify.lock")).unwrap();
    lock.lock().unwrap();
    nights.clock.advance(chrono::Duration::days(1));
    let done = nights.backups.make(BackupCause::Schedule, true).await.unwrap();
    assert!(matches!(&done.verified, Some(Err(BackupError::Busy { .. }))), "{done:?}");
    let second = done.made.manifest;
    assert_eq!(nights.names().await, [first.name.as_str(), &second.name], "it may not be sound");
    let view = nights.view().await;
    assert_eq!((view.items[0].status, view.last_good_at), (BackupStatus::Done, Some(view.items[0].started_at)));
    let why = view.last_good_unchecked.unwrap();
    assert!(why.contains("another process makes, restores or checks") && view.items[0].unchecked == Some(why.clone()));
    let (_, out, err) = run(guildhall(nights.app.dir.path()).env("DATABASE_URL", &nights.database).arg("doctor")).await;
    assert!(out.contains("warn  backups: the latest good one is") && out.contains(&why), "{out}{err}");

    drop(lock);
    let done = nights.night().await;
    assert_eq!(done.gone.as_ref().unwrap(), &[first.name]);
    let third = sound(done);
    assert_eq!(third.parent, Some(second.name), "it builds on that, and was restored with it");
    assert_eq!(nights.view().await.last_good_unchecked, None);
    assert_eq!(unseen(nights.night().await).parent, Some(third.name));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_builds_on_a_damaged_one_in_a_folder() {
    nothing_builds_on_a_damaged_one(Nights::new(Place::folder(), false, 9, 7).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_builds_on_a_damaged_one_in_a_bucket() {
    nothing_builds_on_a_damaged_one(Nights::new(Place::bucket().await, true, 9, 7).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_sound_one_stays_in_a_folder() {
    the_last_sound_one_stays(Nights::new(Place::folder(), true, 1, 1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_sound_one_stays_in_a_bucket() {
    the_last_sound_one_stays(Nights::new(Place::bucket().await, false, 1, 1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_looked_at_is_told_in_a_folder() {
    let nights = Nights::new(Place::folder(), false, 1, 7).await;
    what_could_not_be_looked_at_is_told_and_looked_at_the_next_night(nights).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_looked_at_is_told_in_a_bucket() {
    let nights = Nights::new(Place::bucket().await, true, 1, 7).await;
    what_could_not_be_looked_at_is_told_and_looked_at_the_next_night(nights).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_not_sound_takes_no_place_of_one_that_nobody_looked_at() {
    let nights = Nights::new(Place::folder(), false, 1, 1).await;
    let lock = std::fs::File::create(nights.app.dir.path().join("verify.lock")).unwrap();
    lock.lock().unwrap();
    let first = nights.night().await;
    assert!(matches!(&first.verified, Some(Err(BackupError::Busy { .. }))), "{first:?}");
    let first = first.made.manifest.name;
    drop(lock);
    nights.tamper("UPDATE secrets SET identity = '~' || identity").await;
    let bad = nights.night().await;
    assert_eq!(bad.gone.unwrap(), Vec::<String>::new(), "it is looked at before others go");
    assert_eq!(nights.names().await, [first, bad.made.manifest.name]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_found_sound_stays_no_longer_where_nobody_looks_at_later_ones() {
    let nights = Nights::new(Place::folder(), false, 1, 1).await;
    let first = sound(nights.night().await);
    let BackupPlan { shelf, rules } = nights.backups.plan().clone();
    let plan = BackupPlan { shelf, rules: BackupRules { verify: false, ..rules } };
    let team = &nights.app.app.team;
    let (store, places, vault) = (team.store.clone(), Arc::clone(&team.places), Arc::clone(&team.vault));
    let data = nights.app.dir.path().to_owned();
    let blind = Backups::new(store, places, Arc::new(nights.clock.clone()), vault, plan, data);
    nights.clock.advance(chrono::Duration::days(1));
    let done = blind.make(BackupCause::Schedule, false).await.unwrap();
    assert_eq!(done.gone.unwrap(), [first.name]);
}

async fn what_lacks_a_repository_is_not_sound(nights: Nights) {
    let good = sound(nights.night().await);
    let team = &nights.app.app.team;
    let shop = team.store.known_projects(None, 9).await.unwrap().remove(0).id;
    let (there, away) = (team.places.repository(shop), nights.app.dir.path().join("away"));
    // As when the disk that holds it is not mounted.
    std::fs::rename(&there, &away).unwrap();
    let done = nights.night().await;
    assert_eq!((done.made.lost.as_slice(), done.made.without.len()), (&["shop".to_owned()][..], 0));
    assert_eq!(done.gone.unwrap(), Vec::<String>::new(), "the good one stays");
    let bad = done.made.manifest.name;
    let view = nights.view().await;
    assert_eq!(view.last_good_at, Some(view.items[1].started_at));
    assert!(view.items[0].verify_problem.as_ref().unwrap().contains("the project shop was not there"), "{view:?}");
    // Whoever looks at it later finds the same.
    let found = nights.backups.verify(Some(&bad)).await.unwrap();
    assert!(found.problems.concat().contains("the project shop was not there"), "{found:?}");
    std::fs::rename(&away, &there).unwrap();
    let again = nights.night().await;
    assert_eq!(again.made.manifest.kind, BackupKind::Full, "nothing builds on that one");
    let mut gone = again.gone.as_ref().unwrap().clone();
    gone.sort();
    assert_eq!(gone, [good.name, bad]);
    sound(again);
    // A project without one that was put away is not missed.
    team.store.archive_project(shop).await.unwrap();
    std::fs::rename(&there, &away).unwrap();
    let done = nights.night().await;
    assert_eq!((done.made.lost.len(), done.made.without.as_slice()), (0, &["shop".to_owned()][..]));
    sound(done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lacks_a_repository_is_not_sound_on_sqlite() {
    what_lacks_a_repository_is_not_sound(Nights::new(Place::folder(), false, 1, 1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lacks_a_repository_is_not_sound_on_postgresql() {
    what_lacks_a_repository_is_not_sound(Nights::new(Place::folder(), true, 1, 1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_for_which_there_is_no_room_is_not_begun_and_that_is_told() {
    let nights = Nights::new(Place::folder(), false, 1, 7).await;
    let team = &nights.app.app.team;
    let lock = std::fs::File::create(nights.app.dir.path().join("verify.lock")).unwrap();
    lock.lock().unwrap();
    let first = nights.night().await.made.manifest;
    let Shelf::Folder(folder) = nights.place.shelf() else { panic!("it is a folder") };
    let path = folder.join(&first.name).join("manifest.json");
    let (whole, mut large) = (std::fs::read(&path).unwrap(), first.clone());
    large.rows.bytes = 1 << 50;
    std::fs::write(&path, serde_json::to_vec(&large).unwrap()).unwrap();
    lock.unlock().unwrap();
    let refused = nights.backups.verify(Some(&first.name)).await.unwrap_err();
    assert!(matches!(refused, BackupError::NoRoom { percent: 75, .. }), "{refused}");
    let view = nights.view().await;
    assert_eq!(view.last_good_at, Some(view.items[0].started_at), "it says nothing of the backup");
    assert!(view.last_good_unchecked.as_ref().unwrap().contains("GUILDHALL_BACKUP_SCRATCH"), "{view:?}");
    std::fs::write(&path, whole).unwrap();
    lock.lock().unwrap();

    // In a folder that somebody named, whose lock nobody has.
    let elsewhere = tempfile::tempdir().unwrap();
    let BackupPlan { shelf, rules } = nights.backups.plan().clone();
    let plan = BackupPlan { shelf, rules: BackupRules { scratch: Some(elsewhere.path().to_owned()), ..rules } };
    let (store, places, vault) = (team.store.clone(), Arc::clone(&team.places), Arc::clone(&team.vault));
    let data = nights.app.dir.path().to_owned();
    let beside = Backups::new(store, places, Arc::new(nights.clock.clone()), vault, plan, data);
    nights.clock.advance(chrono::Duration::days(1));
    sound(beside.make(BackupCause::Schedule, false).await.unwrap());
    assert_eq!(nights.view().await.last_good_unchecked, None);
}

/// The program, with its rules where no place is named, is killed in the middle of looking at what it has made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_names_the_place_heeds_the_rules_and_what_was_cut_off_is_looked_at_again() {
    let mut app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("shop", json!({ "kind": "sample" })).await;
    app.stop().await;
    let place = Place::folder();
    let Shelf::Folder(folder) = place.shelf() else { panic!("it is a folder") };
    let backup = |env: &[(&str, &str)]| {
        let mut command = guildhall(app.dir.path());
        command.arg("backup").arg("--to").arg(&folder).envs(env.iter().copied());
        command
    };
    let rules = [
        ("GUILDHALL_BACKUP_KEEP", "last 1"),
        ("GUILDHALL_BACKUP_FULL_EVERY", "1"),
        ("GUILDHALL_BACKUP_VERIFY", "false"),
    ];
    for n in 0..2 {
        let (code, out, err) = run(&mut backup(&rules)).await;
        assert!(code == Some(0) && out.contains("it is a full one") && !out.contains("Restored it"), "{out}{err}");
        assert_eq!(out.contains("Deleted the backup"), n > 0, "{out}{err}");
        assert_eq!(listed(&place.shelf()).await.unwrap().len(), 1);
    }
    let (code, out, err) = run(&mut backup(&[("GUILDHALL_BACKUP_KEEP", "days 3")])).await;
    assert!(code == Some(1) && err.contains("which backups are kept"), "{out}{err}");

    let (code, ..) = run(backup(&[]).arg("--full").env("GUILDHALL_TEST_AT", "kill restore.rows 1")).await;
    assert_eq!(code, None);
    let (_, out, _) = run(guildhall(app.dir.path()).arg("doctor")).await;
    assert!(out.contains("but it is not checked yet: It is being restored into a scratch place, or"), "{out}");
    let (code, out, err) = run(&mut backup(&[])).await;
    assert!(code == Some(0) && out.contains("it builds on") && out.contains("Restored it"), "{out}{err}");
    let (_, out, _) = run(guildhall(app.dir.path()).arg("doctor")).await;
    assert!(out.contains("ok    backups: the latest good one is 0 hours old"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_says_what_was_found_in_each() {
    let mut nights = Nights::new(Place::folder(), false, 9, 7).await;
    let full = sound(nights.night().await);
    let (one, two) = (unseen(nights.night().await), unseen(nights.night().await));
    let Shelf::Folder(folder) = nights.place.shelf() else { panic!("it is a folder") };
    let list = async |data: &std::path::Path| {
        let (code, out, err) = run(guildhall(data).args(["backup", "list", "--to"]).arg(&folder)).await;
        assert_eq!(code, Some(0), "{out}{err}");
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let data = nights.app.dir.path().to_owned();
    let said = list(&data).await;
    for (line, (name, found)) in
        said.iter().zip([(&full.name, "  sound"), (&one.name, "  not checked"), (&two.name, "  not checked")])
    {
        assert!(line.starts_with(name.as_str()) && line.ends_with(found), "{said:?}");
    }
    nights.place.damage(&full.name, &full.packs[0].file).await;
    nights.backups.verify(Some(&one.name)).await.unwrap_err();
    let said = list(&data).await;
    let below = format!("  NOT SOUND: it builds on {}, which is not: the part {}", full.name, full.packs[0].file);
    assert!(said[..2].iter().all(|line| line.contains("  NOT SOUND: the ")) && said[2].contains(&below), "{said:?}");
    nights.tamper("DELETE FROM backups").await;
    assert!(list(&data).await.iter().all(|line| line.ends_with("  not known here")));
    // Where one is to be restored there is no database yet.
    let empty = tempfile::tempdir().unwrap();
    let said = list(empty.path()).await;
    assert!(
        said.len() == 4 && said[3].starts_with("Whether they are sound is not known here: there is no database"),
        "{said:?}"
    );
}
