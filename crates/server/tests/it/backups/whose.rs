//! Whose backups are at a place, which of them can be read, and on which the next one builds.

use std::time::SystemTime;

use guildhall_team::backup::{BackedUp, Manifest, PlannedBackups, shelved};
use guildhall_types::alert::{Threshold, Thresholds};
use guildhall_types::backup::BackupCause;

use super::*;

/// A team with a place for backups, of which none is looked at.
pub struct House {
    pub app: TestApp,
    clock: FixedClock,
    folder: PathBuf,
    _dir: tempfile::TempDir,
}

impl House {
    pub async fn new() -> Self {
        let clock = FixedClock::new(SystemClock.now());
        let app = TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
        app.owner().await.project("shop", json!({ "kind": "sample" })).await;
        let dir = tempfile::tempdir().unwrap();
        Self { app, clock, folder: dir.path().join("backups"), _dir: dir }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn shelf(&self) -> Shelf {
        Shelf::Folder(self.folder.clone())
    }

    fn plan(&self, last: u32, key_file: Option<&Path>) -> BackupPlan {
        let keep = Keep { last, days: 0, weeks: 0 };
        let key_file = key_file.map(Path::to_owned);
        BackupPlan {
            shelf: self.shelf(),
            rules: BackupRules { keep, key_file, verify: false, ..BackupRules::default() },
        }
    }

    fn with(&self, plan: BackupPlan) -> Backups {
        let team = &self.app.app.team;
        let (places, vault) = (Arc::clone(&team.places), Arc::clone(&team.vault));
        Backups::new(
            team.store.clone(),
            places,
            Arc::new(self.clock.clone()),
            vault,
            plan,
            self.app.dir.path().to_owned(),
        )
    }

    pub async fn night(&self, last: u32) -> BackedUp {
        self.clock.advance(chrono::Duration::days(1));
        self.with(self.plan(last, None)).make(BackupCause::Schedule, false).await.unwrap()
    }

    async fn made(&self, last: u32) -> Manifest {
        self.night(last).await.made.manifest
    }

    async fn names(&self) -> Vec<String> {
        listed(&self.shelf()).await.unwrap().into_iter().map(|one| one.name).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_that_was_restored_leaves_the_former_ones_backups_alone() {
    let house = House::new().await;
    let (first, second) = (house.made(3).await, house.made(3).await);
    assert_eq!(second.parent.as_ref(), Some(&first.name));
    let drill = Empty::new().await;
    let shelf = house.shelf();
    drill.from(&shelf, None, None).restore().await.unwrap();
    assert_eq!(drill.store.last_good_backup(None).await.unwrap(), None, "it has made none itself");
    let known = drill.store.backups(9).await.unwrap();
    assert_eq!(known.len(), 1, "that it was there when it was made is known");

    house.clock.advance(chrono::Duration::hours(1));
    let (places, vault) = (Arc::new(Places::below(drill.dir.path(), Vec::new())), Arc::new(vault_of(drill.dir.path())));
    let data = drill.dir.path().to_owned();
    let clock = Arc::new(house.clock.clone());
    let of_drill = Backups::new(drill.store.clone(), places, clock, vault, house.plan(1, None), data);
    let done = of_drill.make(BackupCause::Schedule, false).await.unwrap();
    let others = done.made.manifest;
    assert_eq!((others.kind, done.gone.unwrap()), (BackupKind::Full, Vec::<String>::new()));
    assert_ne!(others.installation, second.installation);

    // Nor does the former one build on that, or let it count as one of those that it keeps.
    let third = house.made(3).await;
    assert_eq!(third.parent.as_ref(), Some(&second.name));
    let fourth = house.night(1).await;
    assert_eq!(fourth.gone.as_ref().unwrap(), &[] as &[String]);
    assert_eq!(fourth.made.manifest.parent.as_ref(), Some(&third.name));
    let all = [&first, &second, &others, &third, &fourth.made.manifest];
    assert_eq!(house.names().await, all.map(|one| one.name.clone()));

    // Which is the latest one is for whoever restores to say.
    let empty = Empty::new().await;
    let refused = empty.from(&shelf, None, None).restore().await.unwrap_err();
    let both = format!("{}, {}", others.name, fourth.made.manifest.name);
    assert!(matches!(&refused, BackupError::Several { latest, .. } if *latest == both), "{refused}");
    let restored = empty.from(&shelf, Some(&fourth.made.manifest.name), None).restore().await.unwrap();
    assert_eq!(restored.problems, Vec::<String>::new());
    let data = house.app.dir.path();
    let (code, out, _) = run(guildhall(data).args(["backup", "list", "--to"]).arg(&house.folder)).await;
    let of_others: Vec<_> = out.lines().filter(|line| line.ends_with("  of another installation")).collect();
    assert!(code == Some(0) && of_others.len() == 1 && of_others[0].starts_with(&others.name), "{out}");
    drill.store.close().await;
    empty.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_say_who_made_it_is_whose_database_knows_it() {
    let house = House::new().await;
    let (first, second) = (house.made(9).await, house.made(9).await);
    for one in [&first, &second] {
        let manifest = Manifest { installation: None, ..one.clone() };
        std::fs::write(part(&house.folder, &one.name, "manifest"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    }
    assert_eq!(house.made(9).await.parent, Some(second.name.clone()));
    // As if this database had never made them.
    let stranger = part(&house.folder, &second.name, "manifest");
    let (rows, renamed) = (house.folder.join(&second.name), house.folder.join("20200101T000000Z"));
    let manifest = Manifest { name: "20200101T000000Z".to_owned(), parent: None, installation: None, ..second };
    std::fs::write(&stranger, serde_json::to_vec(&manifest).unwrap()).unwrap();
    std::fs::rename(rows, renamed).unwrap();
    for _ in 0..2 {
        house.made(1).await;
    }
    assert!(house.names().await.contains(&manifest.name), "what nobody here knows goes by nobody's hand here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_read_stands_in_nobodys_way_and_stays() {
    let house = House::new().await;
    let (first, second) = (house.made(9).await, house.made(9).await);
    let manifest = part(&house.folder, &second.name, "manifest");
    let whole = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, &whole[..whole.len() / 2]).unwrap();
    let found = shelved(&house.shelf()).await.unwrap();
    assert_eq!((found.whole.len(), found.unreadable[0].0.as_str()), (1, second.name.as_str()));
    // The latest that reads is restored, and what came after it is named.
    let empty = Empty::new().await;
    let restored = empty.from(&house.shelf(), None, None).restore().await.unwrap();
    assert_eq!((restored.manifest.name, restored.passed_over), (first.name.clone(), vec![second.name.clone()]));
    let named = Empty::new().await.from(&house.shelf(), Some(&second.name), None).restore().await.unwrap_err();
    assert!(matches!(named, BackupError::Manifest { .. }), "{named}");
    let (code, out, _) = run(guildhall(house.app.dir.path()).args(["backup", "list", "--to"]).arg(&house.folder)).await;
    assert!(code == Some(0) && out.contains(&format!("{}  CANNOT BE READ: the manifest", second.name)), "{out}");

    // What it should build on may be that one, so the next one begins anew; and none of this takes it away.
    let third = house.made(1).await;
    assert_eq!((third.kind, third.parent.as_ref()), (BackupKind::Full, None));
    let fourth = house.made(1).await;
    assert_eq!(fourth.parent.as_ref(), Some(&third.name));
    assert!(house.folder.join(&second.name).is_dir());
    let known = house.app.app.team.store.backups(9).await.unwrap();
    let gone: Vec<_> = known.iter().map(|one| (one.name.as_deref().unwrap(), one.gone)).collect();
    let names = [(&fourth, false), (&third, false), (&second, false), (&first, true)];
    assert_eq!(gone, names.map(|(one, gone)| (one.name.as_str(), gone)));
    std::fs::write(&manifest, whole).unwrap();
    assert_eq!(house.names().await.len(), 3, "whoever mends it has it again");
    empty.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_builds_on_what_is_whole_and_sealed_alike() {
    let house = House::new().await;
    let (first, second) = (house.made(9).await, house.made(9).await);
    assert_eq!(second.parent.as_ref(), Some(&first.name));
    // A part of what it would build on is shorter than it was.
    let rows = part(&house.folder, &first.name, "rows");
    let whole = std::fs::read(&rows).unwrap();
    std::fs::write(&rows, &whole[1..]).unwrap();
    assert_eq!(house.made(9).await.kind, BackupKind::Full);
    std::fs::write(&rows, whole).unwrap();
    let fourth = house.made(9).await;
    assert_eq!(fourth.kind, BackupKind::Incremental);
    // The list of what is in the latest cannot be read.
    let index = part(&house.folder, &fourth.name, "index");
    let mut bytes = std::fs::read(&index).unwrap();
    bytes[8] ^= 1;
    std::fs::write(&index, bytes).unwrap();
    assert_eq!(house.made(9).await.kind, BackupKind::Full);
    // From now on they are sealed.
    let key = house.folder.with_extension("key");
    key_file(&key, 7);
    house.clock.advance(chrono::Duration::days(1));
    let sealed = house.with(house.plan(9, Some(&key))).make(BackupCause::Schedule, false).await.unwrap().made.manifest;
    assert_eq!((sealed.kind, sealed.sealed_with.is_some()), (BackupKind::Full, true));
    // What it builds on is gone.
    let seventh = house.made(9).await;
    let eighth = house.made(9).await;
    assert_eq!((seventh.kind, eighth.parent.as_ref()), (BackupKind::Full, Some(&seventh.name)));
    std::fs::remove_dir_all(house.folder.join(&seventh.name)).unwrap();
    assert_eq!(house.made(9).await.kind, BackupKind::Full);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_names_what_is_not_its_own_is_none() {
    let house = House::new().await;
    let one = house.made(9).await;
    let path = part(&house.folder, &one.name, "manifest");
    let wrong: [fn(&mut Manifest); 6] = [
        |one| one.name = "20200101T000000Z".to_owned(),
        |one| one.parent = Some("../elsewhere".to_owned()),
        |one| one.rows.file = "../rows".to_owned(),
        |one| one.packs[0].file = "/etc/passwd".to_owned(),
        |one| one.index.file = ".hidden".to_owned(),
        |one| one.format = 2,
    ];
    for change in wrong {
        let mut changed = one.clone();
        change(&mut changed);
        std::fs::write(&path, serde_json::to_vec(&changed).unwrap()).unwrap();
        let error = Empty::new().await.from(&house.shelf(), Some(&one.name), None).restore().await.unwrap_err();
        assert!(matches!(error, BackupError::Manifest { .. }), "{error}");
        assert!(house.names().await.is_empty());
    }
    // In a circle.
    let circle = Manifest { parent: Some(one.name.clone()), ..one.clone() };
    std::fs::write(&path, serde_json::to_vec(&circle).unwrap()).unwrap();
    let error = Empty::new().await.from(&house.shelf(), None, None).restore().await.unwrap_err();
    assert!(error.to_string().contains("builds on itself"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_restored_where_somebodys_work_lies() {
    let house = House::new().await;
    house.made(9).await;
    for what in ["repositories/a.git", "worktrees/b"] {
        let empty = Empty::new().await;
        let in_the_way = empty.dir.path().join(what);
        std::fs::create_dir_all(&in_the_way).unwrap();
        std::fs::write(in_the_way.join("file"), format!("{:?}", SystemTime::now())).unwrap();
        let error = empty.from(&house.shelf(), None, None).restore().await.unwrap_err();
        assert!(matches!(&error, BackupError::InTheWay { .. }), "{error}");
        assert!(in_the_way.join("file").exists() && empty.store.occupied().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_elsewhere_is_no_backup_of_the_place_where_they_are_to_go() {
    let house = House::new().await;
    let every = Some(Rhythm::Every(chrono::Duration::hours(24)));
    let planned = |folder: &str| {
        let BackupPlan { rules, .. } = house.plan(9, None);
        let shelf = Shelf::Folder(house.folder.with_file_name(folder));
        BackupPlan { shelf, rules: BackupRules { rhythm: every, verify: true, full_every: 2, ..rules } }
    };
    let (here, elsewhere) = (planned("here"), planned("elsewhere"));
    let team = house.app.app.team.clone().with_backups(Some(PlannedBackups::of(&here)));
    let (by_plan, by_hand) = (house.with(here), house.with(elsewhere));
    let view = async || team.backups(Some(&by_plan)).await.unwrap();
    by_hand.make(BackupCause::Command, false).await.unwrap();
    let now = || house.clock.now();
    assert_eq!(team.store.last_good_backup(None).await.unwrap().unwrap().started_at, now());
    let stands = view().await;
    assert_eq!((stands.last_good_at, stands.next_at), (None, Some(now())), "one is due here");
    assert_eq!(team.not_backed_up_since().await.unwrap(), None, "none was tried here yet, and no server was told to");
    let planned = now();
    team.store.plan_backups(&planned_at(&team)).await.unwrap();
    assert_eq!((team.not_backed_up_since().await.unwrap(), view().await.overdue), (Some(planned), false));
    house.clock.advance(chrono::Duration::hours(26));
    assert!(view().await.overdue, "as the alert says, though there is a good one elsewhere");
    house.clock.advance(chrono::Duration::minutes(1));
    let made = now();
    by_plan.make(BackupCause::Schedule, false).await.unwrap();
    house.clock.advance(chrono::Duration::hours(30));
    by_hand.make(BackupCause::Command, false).await.unwrap();
    let stands = view().await;
    assert_eq!((stands.last_good_at, stands.next_at, stands.overdue), (Some(made), Some(now()), true));
    assert_eq!(team.not_backed_up_since().await.unwrap(), Some(made));
    // Who plans none is told of none, whatever somebody did once.
    assert_eq!(team.clone().with_backups(None).not_backed_up_since().await.unwrap(), None);

    house.clock.advance(chrono::Duration::minutes(1));
    // One after the other is made and can never be looked at: when the latest that was is older than two full ones, that is told.
    let lock = std::fs::File::create(house.app.dir.path().join("verify.lock")).unwrap();
    lock.lock().unwrap();
    for _ in 0..3 {
        by_plan.make(BackupCause::Schedule, true).await.unwrap();
        assert_eq!(team.not_backed_up_since().await.unwrap(), Some(now()));
        house.clock.advance(chrono::Duration::hours(24));
    }
    assert_eq!(team.not_backed_up_since().await.unwrap(), Some(made), "102 hours: more than four days");
    drop(lock);
    by_plan.make(BackupCause::Schedule, false).await.unwrap();
    assert_eq!(team.not_backed_up_since().await.unwrap(), Some(now()));
}

fn planned_at(team: &guildhall_team::Team) -> String {
    team.planned_backups().unwrap().destination.clone()
}

#[tokio::test]
async fn from_when_on_a_backup_is_old_is_said_as_it_is_judged() {
    let house = House::new().await;
    let every = |hours| {
        let rhythm = Some(Rhythm::Every(chrono::Duration::hours(hours)));
        let planned = PlannedBackups { destination: "/mnt/backups".to_owned(), rhythm, unchecked_for: None };
        house.app.app.team.clone().with_backups(Some(planned))
    };
    let (weekly, daily) = (every(168), every(24));
    let hours = async |team: &guildhall_team::Team| {
        let Threshold { warning, critical } = team.thresholds().await.unwrap().backup_hours.unwrap();
        (warning, critical)
    };
    assert_eq!((hours(&weekly).await, hours(&daily).await), ((170, 338), (26, 50)));
    // Who sends back what was shown sets nothing of it.
    let shown = weekly.thresholds().await.unwrap();
    let memory = Threshold { warning: 60, critical: 70 };
    assert_eq!(weekly.set_thresholds(Thresholds { memory, ..shown }).await.unwrap().backup_hours, shown.backup_hours);
    assert_eq!((hours(&weekly).await, hours(&daily).await), ((170, 338), (26, 50)));
    // What is set on purpose holds, also where it is what is usual elsewhere.
    let own = Some(Threshold { warning: 26, critical: 50 });
    assert_eq!(weekly.set_thresholds(Thresholds { backup_hours: own, ..shown }).await.unwrap().backup_hours, own);
    assert_eq!((hours(&weekly).await, hours(&daily).await), ((26, 50), (26, 50)));
    assert_eq!(weekly.set_thresholds(Thresholds::default()).await.unwrap().backup_hours, shown.backup_hours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lacks_a_repository_is_not_sound_where_nobody_looks_either() {
    let house = House::new().await;
    house.made(9).await;
    let repositories = house.app.app.team.places.repositories.clone();
    std::fs::rename(&repositories, repositories.with_extension("away")).unwrap();
    assert_eq!(house.night(9).await.made.lost, ["shop"]);
    let latest = house.app.app.team.store.backups(1).await.unwrap().remove(0);
    assert!(!latest.is_sound() && latest.verify_problem.unwrap().contains("shop"));
    std::fs::rename(repositories.with_extension("away"), &repositories).unwrap();
    assert_eq!(house.made(9).await.kind, BackupKind::Full, "nothing builds on it");
}
