//! What is known of backups.

use chrono::Duration;
use guildhall_store::{BackupEnd, NewBackup, NotBackedUp};
use guildhall_types::backup::{BackupCause, BackupKind, Finding};
use guildhall_types::{Clock, DateTime};

use crate::harness::{Fresh, on_both};

fn made_as(name: &str, parent: Option<&str>, unchecked: Option<&str>) -> BackupEnd {
    BackupEnd::Done {
        name: name.to_owned(),
        kind: if parent.is_some() { BackupKind::Incremental } else { BackupKind::Full },
        bytes: 1,
        parent: parent.map(str::to_owned),
        unchecked: unchecked.map(str::to_owned),
    }
}

/// Makes a backup an hour after the last one.
async fn make(fresh: &Fresh, end: BackupEnd) -> DateTime {
    fresh.clock.advance(Duration::hours(1));
    let new = NewBackup { cause: BackupCause::Command, destination: "/mnt/backups".to_owned() };
    let id = fresh.store.begin_backup(&new).await.unwrap();
    fresh.store.end_backup(id, &end).await.unwrap();
    fresh.clock.now()
}

on_both! {
    async fn what_is_found_in_one_holds_for_those_that_build_on_it(fresh: Fresh) {
        let store = &fresh.store;
        let good = async || store.last_good_backup(None).await.unwrap().map(|good| good.started_at);
        let found = async || {
            let all = store.backup_findings().await.unwrap();
            all.into_iter().map(|(name, finding)| format!("{name} {finding:?}")).collect::<Vec<_>>().join(", ")
        };
        let sunday = make(&fresh, made_as("a", None, None)).await;
        store.note_backup_verified("a", None).await.unwrap();
        for (name, parent) in [("b", None), ("b1", Some("b")), ("b2", Some("b1"))] {
            make(&fresh, made_as(name, parent, None)).await;
        }
        let latest = fresh.clock.now();
        assert_eq!((good().await, found().await.as_str()), (Some(latest), "a Sound, b Unknown, b1 Unknown, b2 Unknown"));
        fresh.clock.advance(Duration::minutes(1));
        store.note_backup_verified("b", Some("a part is damaged")).await.unwrap();
        assert_eq!((good().await, found().await.as_str()), (Some(sunday), "a Sound, b Unsound, b1 Unsound, b2 Unsound"));
        assert_eq!(store.not_backed_up_since("/mnt/backups").await.unwrap().since, Some(sunday));
        let shown = store.backups(9).await.unwrap();
        let below: Vec<_> = shown.iter().map(|one| (one.name.as_deref().unwrap(), one.unsound_below.as_deref())).collect();
        assert_eq!(below, [("b2", Some("b")), ("b1", Some("b")), ("b", None), ("a", None)]);
        assert_eq!((shown[0].parent.as_deref(), shown[0].verify_problem.as_deref()), (Some("b1"), None));
        // One that comes later and builds on it all the same is none, either.
        make(&fresh, made_as("b3", Some("b2"), None)).await;
        assert_eq!(good().await, Some(sunday));
        // What was looked at itself since is what was found, and so is what builds on that: it was restored with all below it.
        store.note_backup_verified("b2", None).await.unwrap();
        assert_eq!(found().await, "a Sound, b Unsound, b1 Unsound, b2 Sound, b3 Unknown");
        assert_eq!(good().await, Some(fresh.clock.now()));
        // And when it is mended, all of it is as it was.
        store.note_backup_verified("b", None).await.unwrap();
        assert_eq!(found().await, "a Sound, b Sound, b1 Unknown, b2 Sound, b3 Unknown");
    }

    async fn that_one_could_not_be_looked_at_is_known_until_it_was(fresh: Fresh) {
        let store = &fresh.store;
        let why = async || store.last_good_backup(None).await.unwrap().unwrap().unchecked;
        make(&fresh, made_as("a", None, Some("under way"))).await;
        assert_eq!(why().await.as_deref(), Some("under way"), "also when whoever looks dies");
        store.note_backup_unchecked("a", "no room").await.unwrap();
        assert_eq!(why().await.as_deref(), Some("no room"));
        assert_eq!(store.backups(1).await.unwrap()[0].unchecked.as_deref(), Some("no room"));
        make(&fresh, made_as("a1", Some("a"), None)).await;
        make(&fresh, made_as("a2", Some("a1"), None)).await;
        assert_eq!(why().await.as_deref(), Some("no room"), "nobody has looked at what they build on");
        assert_eq!(store.why_unchecked("a1").await.unwrap().as_deref(), Some("no room"));
        store.note_backup_verified("a1", None).await.unwrap();
        assert_eq!((why().await, store.why_unchecked("a2").await.unwrap()), (None, None), "who looks at one looks at what is below");
        assert_eq!(store.why_unchecked("a").await.unwrap(), None);
        let shown = store.backups(9).await.unwrap();
        let looked: Vec<_> = shown.iter().map(|one| (one.verified_at.is_some(), one.unchecked.is_some())).collect();
        assert_eq!(looked, [(false, false), (true, false), (false, false)], "none is still to be looked at");
        // Where something is wrong, nobody knows in which of them.
        make(&fresh, made_as("b", None, Some("no room"))).await;
        make(&fresh, made_as("b1", Some("b"), None)).await;
        store.note_backup_verified("b1", Some("a part is damaged")).await.unwrap();
        assert_eq!(store.why_unchecked("b").await.unwrap().as_deref(), Some("no room"));
        store.note_backup_verified("a", None).await.unwrap();
        // What was found once is not forgotten because another look was not possible.
        store.note_backup_unchecked("a", "no room").await.unwrap();
        let shown = store.backups(9).await.unwrap().pop().unwrap();
        assert!(shown.unchecked.is_none() && shown.verified_at.is_some(), "{shown:?}");
        assert_eq!(store.why_unchecked("none").await.unwrap(), None);
    }

    async fn what_was_found_is_known_however_often_others_failed_since(fresh: Fresh) {
        let store = &fresh.store;
        let names = async || store.standing_backups().await.unwrap().into_iter().filter_map(|one| one.name).collect::<Vec<_>>();
        let good = make(&fresh, made_as("a", None, None)).await;
        store.note_backup_verified("a", None).await.unwrap();
        make(&fresh, made_as("b", None, None)).await;
        store.note_backup_verified("b", Some("a part is damaged")).await.unwrap();
        make(&fresh, made_as("b1", Some("b"), None)).await;
        make(&fresh, made_as("c", None, None)).await;
        for _ in 0..510 {
            make(&fresh, BackupEnd::Failed("no room".to_owned())).await;
        }
        assert_eq!(store.backups(999).await.unwrap().len(), 4 + 500 + 1, "of those that failed the earliest are forgotten");
        assert_eq!(names().await, ["c", "b1", "b", "a"]);
        store.note_backups_gone("/mnt/others", &[].into()).await.unwrap();
        store.note_backups_gone("/mnt/backups", &["a", "b", "b1"].map(str::to_owned).into()).await.unwrap();
        let made = store.standing_backups().await.unwrap();
        assert_eq!(names().await, ["b1", "b", "a"]);
        assert_eq!((made[0].unsound_below.as_deref(), made[1].verify_problem.as_deref()), (Some("b"), Some("a part is damaged")));
        assert!(!made[0].is_sound() && !made[1].is_sound() && made[2].is_good());
        assert_eq!(store.last_good_backup(None).await.unwrap().map(|good| good.started_at), Some(good), "the later one is gone");
        let found = store.backup_findings().await.unwrap();
        assert_eq!((found["a"], found["b"], found["b1"]), (Finding::Sound, Finding::Unsound, Finding::Unsound));
        // Somebody put it back.
        store.note_backups_gone("/mnt/backups", &["a", "b", "b1", "c"].map(str::to_owned).into()).await.unwrap();
        assert_eq!(names().await, ["c", "b1", "b", "a"]);
    }

    async fn what_is_not_sound_is_told_of_where_they_are_to_go_and_of_the_own(fresh: Fresh) {
        let store = &fresh.store;
        let unsound = async |at: Option<&str>, limit| {
            let all = store.unsound_backups(at, limit).await.unwrap();
            all.into_iter().filter_map(|one| one.name).collect::<Vec<_>>()
        };
        for (name, parent) in [("a", None), ("a1", Some("a")), ("b", None), ("c", None), ("d", None), ("e", None)] {
            make(&fresh, made_as(name, parent, None)).await;
        }
        for name in ["a", "b", "c", "d"] {
            store.note_backup_verified(name, Some("a part is damaged")).await.unwrap();
        }
        assert_eq!(unsound(Some("/mnt/backups"), 9).await, ["d", "c", "b", "a1", "a"], "and not e");
        assert_eq!(unsound(Some("/mnt/backups"), 2).await, ["d", "c"]);
        fresh.tamper("UPDATE backups SET destination = '/mnt/former' WHERE name = 'b'").await.unwrap();
        fresh.tamper("UPDATE backups SET installation = 'another' WHERE name = 'c'").await.unwrap();
        assert_eq!(unsound(Some("/mnt/backups"), 9).await, ["d", "a1", "a"]);
        assert_eq!(unsound(None, 9).await, ["d", "b", "a1", "a"], "where no place is named");
        store.note_backups_gone("/mnt/backups", &["a", "a1", "e"].map(str::to_owned).into()).await.unwrap();
        assert_eq!(unsound(Some("/mnt/backups"), 9).await, ["a1", "a"]);
        let standing: Vec<_> = store.standing_backups().await.unwrap().into_iter().filter_map(|one| one.name).collect();
        assert_eq!(standing, ["e", "b", "a1", "a"]);
    }

    async fn since_when_there_is_none_is_known_however_many_tries_were_forgotten(fresh: Fresh) {
        // Another installation, from which this one was restored, put its own there before.
        make(&fresh, BackupEnd::Failed("no room".to_owned())).await;
        fresh.tamper("UPDATE backups SET installation = 'another'").await.unwrap();
        let first = make(&fresh, BackupEnd::Failed("no room".to_owned())).await;
        for _ in 0..510 {
            make(&fresh, BackupEnd::Failed("no room".to_owned())).await;
        }
        let since = fresh.store.not_backed_up_since("/mnt/backups").await.unwrap();
        assert_eq!((since.since, since.unchecked_since), (Some(first), Some(first)));
        assert_eq!(fresh.store.not_backed_up_since("/mnt/others").await.unwrap(), NotBackedUp::default());
    }

    async fn what_counts_is_what_is_where_they_are_to_go(fresh: Fresh) {
        let store = &fresh.store;
        let good = async |at: &str| store.last_good_backup(Some(at)).await.unwrap().map(|good| good.started_at);
        let here = make(&fresh, made_as("a", None, None)).await;
        store.note_backup_verified("a", None).await.unwrap();
        make(&fresh, made_as("a1", Some("a"), None)).await;
        let looked_at = fresh.clock.now();
        let unseen = make(&fresh, made_as("b", None, Some("no room"))).await;
        fresh.clock.advance(Duration::hours(1));
        let new = NewBackup { cause: BackupCause::Command, destination: "s3://elsewhere".to_owned() };
        let id = store.begin_backup(&new).await.unwrap();
        store.end_backup(id, &made_as("c", None, None)).await.unwrap();
        assert_eq!((good("/mnt/backups").await, good("s3://elsewhere").await, good("none").await), (Some(unseen), Some(fresh.clock.now()), None));
        let since = store.not_backed_up_since("/mnt/backups").await.unwrap();
        assert_eq!(since, NotBackedUp { since: Some(unseen), unchecked_since: Some(looked_at) }, "that builds on one that was looked at");
        let tries: Vec<_> = store.backups_at("/mnt/backups", 9).await.unwrap().into_iter().filter_map(|one| one.name).collect();
        assert_eq!(tries, ["b", "a1", "a"]);
        assert!(here < looked_at && store.installation().await.unwrap() == store.installation().await.unwrap());
    }

    async fn how_old_the_latest_good_backup_is_counts_tries_only_where_none_is_good(fresh: Fresh) {
        let store = &fresh.store;
        let since = async || store.not_backed_up_since("/mnt/backups").await.unwrap().since;
        let made = async |end: BackupEnd| make(&fresh, end).await;
        let done = |name: &str| made_as(name, None, None);
        assert_eq!(since().await, None);
        // From the first start on with which they were to go there, however often it is said, and for that place alone.
        let planned = fresh.clock.now();
        store.plan_backups("/mnt/backups").await.unwrap();
        fresh.clock.advance(Duration::hours(1));
        store.plan_backups("/mnt/backups").await.unwrap();
        assert_eq!(since().await, Some(planned));
        assert_eq!(store.not_backed_up_since("/mnt/others").await.unwrap(), NotBackedUp::default());
        made(BackupEnd::Failed("no room".to_owned())).await;
        assert_eq!(since().await, Some(planned), "a try that came to nothing changes nothing");
        store.plan_backups("/mnt/others").await.unwrap();
        fresh.tamper("DELETE FROM backups").await.unwrap();
        assert_eq!(since().await, None);
        let tried = made(BackupEnd::Failed("no room".to_owned())).await;
        made(BackupEnd::Failed("no room".to_owned())).await;
        assert_eq!(since().await, Some(tried), "the first that was tried");
        let good = made(done("one")).await;
        made(BackupEnd::Failed("no room".to_owned())).await;
        assert_eq!(since().await, Some(good));
        let later = made(done("two")).await;
        assert_eq!(since().await, Some(later));
        store.note_backup_verified("two", Some("a ref is missing")).await.unwrap();
        assert_eq!(since().await, Some(good), "what is wrong with the other was found");
    }
}
