//! What is kept for a time only.

use chrono::Duration;
use guildhall_store::{KEPT_EVENTS, Store};
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureKind;
use guildhall_types::run::{Run, RunEvent, RunStatus};
use guildhall_types::{Clock, FeatureId};

use crate::harness::{Fresh, file, new_run, on_both};

/// A card that was started and taken back: its run is closed.
async fn closed(fresh: &Fresh) -> (FeatureId, Run) {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    let id = fresh.card(&project, "one").await.card.id;
    let (_, run) = fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
    for n in 0..5 {
        fresh.store.follow_up(id, anna.id, &format!("word {n}")).await.unwrap();
    }
    fresh.store.stop_feature(id).await.unwrap();
    fresh.store.shelve_feature(id).await.unwrap();
    (id, run)
}

/// As if so much had happened since that all of that is old.
async fn much_happens(fresh: &Fresh) {
    fresh.tamper(&format!("UPDATE event_counter SET seq = seq + {KEPT_EVENTS}")).await.unwrap();
}

async fn told(store: &Store, run: &Run) -> Vec<RunEvent> {
    let events = store.run_events(run.id, 0, 1_000).await.unwrap();
    events
        .into_iter()
        .filter_map(|event| match event.what {
            Happening::Run { event, .. } => Some(event),
            _ => None,
        })
        .collect()
}

on_both! {
    async fn the_history_of_a_closed_run_goes_and_says_so(fresh: Fresh) {
        let (id, run) = closed(&fresh).await;
        let store = &fresh.store;
        let anna = store.member(run.member_id).await.unwrap().unwrap();
        fresh.tamper("INSERT INTO turns (run_id, number, turn, saved_at)
            SELECT id, 1, 'x', created_at FROM runs WHERE id = (SELECT id FROM runs LIMIT 1)").await.unwrap();
        let file = store.add_attachment(id, anna.id, &file("a.png", "image/png", b"a")).await.unwrap();
        let kept = crate::harness::file("b.png", "image/png", b"b");
        let kept = store.add_attachment(id, anna.id, &kept).await.unwrap();
        fresh.tamper("UPDATE attachments SET run_id = (SELECT id FROM runs LIMIT 1) WHERE name = 'a.png'").await.unwrap();
        let before = told(store, &run).await;
        assert!(before.len() >= 6);
        let at = fresh.clock.now();
        fresh.clock.advance(Duration::days(181));
        let long_ago = fresh.clock.now() - Duration::days(180);
        assert_eq!(store.count_runs_to_forget(long_ago).await.unwrap(), 1);
        assert_eq!(store.count_runs_to_forget(at).await.unwrap(), 0, "not before its time");
        assert!(store.runs_to_forget(long_ago, 10).await.unwrap().is_empty(), "somebody may yet ask for what was told last");
        much_happens(&fresh).await;
        assert_eq!(store.runs_to_forget(long_ago, 10).await.unwrap(), [run.id]);
        let last = store.run_events(run.id, 0, 1_000).await.unwrap().last().unwrap().seq;
        while !store.forget_run(run.id).await.unwrap() {}

        let after = told(store, &run).await;
        assert!(matches!(after.as_slice(), [RunEvent::Note { text }] if text.contains("is gone")), "{after:?}");
        assert!(store.forgotten_seq().await.unwrap() >= last);
        assert!(store.runs_to_forget(long_ago, 10).await.unwrap().is_empty());
        assert!(store.forget_run(run.id).await.unwrap(), "twice is once");
        assert!(store.attachment_bytes(file.id).await.unwrap().is_none(), "the files of the run are gone");
        // The run itself, and its card with its files, are there.
        assert!(store.attachment_bytes(kept.id).await.unwrap().is_some());
        let place = store.run_place(run.id).await.unwrap().unwrap();
        assert_eq!((place.run.id, place.kind, place.deleted), (run.id, FeatureKind::Card, false));
        store.delete_feature(id).await.unwrap();
        assert!(store.run_place(run.id).await.unwrap().unwrap().deleted);
    }

    async fn files_of_deleted_cards_go_after_a_while(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let store = &fresh.store;
        let [gone, stays] = [fresh.card(&project, "gone").await.card.id, fresh.card(&project, "stays").await.card.id];
        for id in [gone, stays] {
            store.add_attachment(id, anna.id, &file("a.png", "image/png", b"a")).await.unwrap();
        }
        store.delete_feature(gone).await.unwrap();
        let deleted = fresh.clock.now();
        fresh.clock.advance(Duration::days(31));
        assert_eq!(store.forget_files_of_deleted_cards(deleted).await.unwrap(), 0, "not before its time");
        assert_eq!(store.forget_files_of_deleted_cards(fresh.clock.now() - Duration::days(30)).await.unwrap(), 1);
        let left: i64 = store.count_chat_files(gone).await.unwrap();
        assert_eq!((left, store.count_chat_files(stays).await.unwrap()), (0, 1));
        assert_eq!(store.forget_files_of_deleted_cards(fresh.clock.now()).await.unwrap(), 0);
    }

    async fn a_run_that_may_go_on_keeps_its_history_however_old(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let id = fresh.card(&project, "one").await.card.id;
        let (_, run) = fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        fresh.store.stop_feature(id).await.unwrap();
        fresh.clock.advance(Duration::days(4_000));
        much_happens(&fresh).await;
        assert!(fresh.store.runs_to_forget(fresh.clock.now(), 10).await.unwrap().is_empty());
        let before = told(&fresh.store, &run).await;
        // Not even by its name.
        fresh.store.forget_events(fresh.clock.now()).await.unwrap();
        assert_eq!(told(&fresh.store, &run).await, before);
    }

    async fn old_events_go_but_for_the_latest_and_those_of_runs(fresh: Fresh) {
        let (_, run) = closed(&fresh).await;
        let store = &fresh.store;
        let all = store.events_after(0, 1_000).await.unwrap();
        let of_run = all.iter().filter(|event| event.what.run_id().is_some()).count();
        fresh.clock.advance(Duration::days(31));
        let month = || fresh.clock.now() - Duration::days(30);
        assert_eq!(store.count_old_events(month()).await.unwrap(), 0, "the latest stay, however old");
        assert_eq!(store.forget_events(month()).await.unwrap(), 0);
        much_happens(&fresh).await;
        assert_eq!(store.count_old_events(month() - Duration::days(2)).await.unwrap(), 0, "they are younger than that");
        let old = (all.len() - of_run) as i64;
        assert_eq!(store.count_old_events(month()).await.unwrap(), old);
        let mut gone = 0;
        loop {
            match store.forget_events(month()).await.unwrap() {
                0 => break,
                some => gone += some as i64,
            }
        }
        assert_eq!(gone, old);
        let left = store.events_after(0, 1_000).await.unwrap();
        assert_eq!(left.len(), of_run);
        assert!(left.iter().all(|event| event.what.run_id() == Some(run.id)));
        assert_eq!(store.forgotten_seq().await.unwrap(), all.iter().filter(|event| event.what.run_id().is_none()).map(|event| event.seq).max().unwrap());
    }

    async fn refs_of_closed_runs_are_looked_through_once(fresh: Fresh) {
        let (_, run) = closed(&fresh).await;
        let store = &fresh.store;
        let now = fresh.clock.now();
        assert_eq!(store.count_old_refs(now).await.unwrap(), 0);
        fresh.clock.advance(Duration::days(1));
        let old = store.old_refs(fresh.clock.now(), None, 10).await.unwrap();
        assert_eq!((old.len(), old[0].id, old[0].kind, old[0].merged), (1, run.id, FeatureKind::Card, false));
        assert!(store.old_refs(fresh.clock.now(), Some(run.id), 10).await.unwrap().is_empty(), "it was the last one");
        store.note_refs_tidied(run.id).await.unwrap();
        assert!(store.old_refs(fresh.clock.now(), None, 10).await.unwrap().is_empty());
        assert_eq!(store.count_old_refs(fresh.clock.now()).await.unwrap(), 0);
    }

    async fn a_deleted_card_never_works_again_and_gives_its_place_back(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let (one, two) = (fresh.card(&project, "one").await.card.id, fresh.card(&project, "two").await.card.id);
        let (_, run) = fresh.store.start_feature(one, anna.id, new_run(), 1).await.unwrap();
        fresh.store.stop_feature(one).await.unwrap();
        assert!(fresh.store.start_feature(two, anna.id, new_run(), 1).await.is_err());
        fresh.store.delete_feature(one).await.unwrap();
        let place = fresh.store.run_place(run.id).await.unwrap().unwrap();
        assert_eq!((place.run.status, place.deleted), (RunStatus::Closed, true));
        fresh.store.start_feature(two, anna.id, new_run(), 1).await.unwrap();
    }

    async fn the_database_tells_its_size_and_who_is_gone(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let (bytes, free) = fresh.store.size().await.unwrap();
        assert!(bytes > 100_000 && free < bytes);
        fresh.store.archive_project(project.id).await.unwrap();
        let known = fresh.store.known_projects(None, 10).await.unwrap();
        assert_eq!((known.len(), known[0].id), (1, project.id));
        assert_eq!(known[0].archived_at, Some(fresh.clock.now()));
        assert!(fresh.store.known_projects(Some(project.id), 10).await.unwrap().is_empty());
        assert!(fresh.store.disabled_members().await.unwrap().is_empty());
    }
}
