//! What nodes have in common of repositories.

use chrono::Duration;
use guildhall_store::{
    Appended, AskedMove, Going, Making, NewLog, NewPack, PACK_PART, RefMove, SharedLog, SharedStanding, Store,
    StoreError,
};
use guildhall_types::limits::Limits;
use guildhall_types::{Clock, NodeId, ProjectId};
use uuid::Uuid;

use crate::harness::{Fresh, new_run, on_both};

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const THREE: &str = "3333333333333333333333333333333333333333";
const HOLD: Duration = Duration::seconds(60);

fn pack(bytes: &[u8]) -> NewPack {
    NewPack { id: Some(Uuid::now_v7()), last: bytes.to_vec(), parts: 1, bytes: bytes.len() as i64 }
}

fn moved(name: &str, old: Option<&str>, new: Option<&str>) -> AskedMove {
    let text = |at: Option<&str>| at.map(str::to_owned);
    AskedMove { change: RefMove { name: name.to_owned(), old: text(old), new: text(new) }, whatever: false }
}

fn new_log() -> NewLog {
    let standing = SharedStanding { head: "main".to_owned(), object_format: "sha1".to_owned(), shallow: String::new() };
    NewLog { standing, refs: vec![("refs/heads/main".to_owned(), ONE.to_owned())], pack: pack(b"all") }
}

async fn begun(fresh: &Fresh) -> (ProjectId, SharedLog) {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await.id;
    let node = NodeId::new();
    assert_eq!(fresh.store.take_making(project, node, HOLD).await.unwrap(), Making::Taken);
    assert!(fresh.store.begin_log(project, node, &new_log()).await.unwrap());
    (project, fresh.store.shared_log(project).await.unwrap().unwrap())
}

async fn append(store: &Store, project: ProjectId, log: &SharedLog, since: i64, moves: &[AskedMove]) -> Appended {
    let going = Going { log: log.log_id, since, moves, drops: false, pack: pack(b"some"), lease: None };
    store.append_log(project, going).await.unwrap()
}

on_both! {
    async fn one_node_makes_a_repository_and_another_when_that_one_says_no_more(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await.id;
        let (one, other) = (NodeId::new(), NodeId::new());
        let store = &fresh.store;
        assert_eq!(store.take_making(project, one, HOLD).await.unwrap(), Making::Taken);
        assert_eq!(store.take_making(project, other, HOLD).await.unwrap(), Making::Others);
        assert_eq!(store.take_making(project, one, HOLD).await.unwrap(), Making::Taken, "it says so again");
        assert!(!store.begin_log(project, other, &new_log()).await.unwrap());
        assert_eq!(store.shared_log(project).await.unwrap(), None);
        assert!(!store.shares_repositories().await.unwrap());
        store.leave_making(project, one).await.unwrap();
        assert_eq!(store.take_making(project, other, HOLD).await.unwrap(), Making::Taken);
        // One that died says nothing any more.
        assert_eq!(store.take_making(project, other, -HOLD).await.unwrap(), Making::Taken);
        assert_eq!(store.take_making(project, one, HOLD).await.unwrap(), Making::Taken);
        assert!(!store.begin_log(project, other, &new_log()).await.unwrap());
        assert!(store.begin_log(project, one, &new_log()).await.unwrap());
        assert_eq!(store.take_making(project, other, HOLD).await.unwrap(), Making::There);
        assert!(store.shares_repositories().await.unwrap());
        let log = store.shared_log(project).await.unwrap().unwrap();
        assert_eq!((log.last_seq, log.whole_seq), (1, 1));
        assert_eq!(log.standing, new_log().standing);
    }

    async fn of_two_that_move_a_ref_one_does_and_the_other_hears_where_it_is(fresh: Fresh) {
        let (project, log) = begun(&fresh).await;
        let store = &fresh.store;
        let main = "refs/heads/main";
        assert_eq!(append(store, project, &log, 1, &[moved(main, Some(ONE), Some(TWO))]).await, Appended::At(2));
        let late = [moved("refs/heads/x", None, Some(ONE)), moved(main, Some(ONE), Some(THREE))];
        let found = Appended::Moved(vec![(main.to_owned(), Some(TWO.to_owned()))]);
        assert_eq!(append(store, project, &log, 1, &late).await, found);
        let there = moved("refs/heads/x", Some(ONE), Some(TWO));
        let gone = Appended::Moved(vec![("refs/heads/x".to_owned(), None)]);
        assert_eq!(append(store, project, &log, 1, &[there]).await, gone, "all or nothing");
        let whatever = AskedMove { whatever: true, ..moved(main, None, Some(THREE)) };
        assert_eq!(append(store, project, &log, 1, &[whatever]).await, Appended::At(3));
        assert_eq!(append(store, project, &log, 1, &[moved(main, Some(THREE), None)]).await, Appended::At(4));
        assert_eq!(append(store, project, &log, 1, &[moved(main, None, Some(ONE))]).await, Appended::At(5));
        let all = store.log_after(project, 0).await.unwrap();
        assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(all.iter().filter(|entry| entry.is_whole()).count(), 1);
        assert_eq!(all[2].changes.0[0].old.as_deref(), Some(TWO), "it says what it took the place of");
        assert_eq!(store.log_after(project, 4).await.unwrap().len(), 1);
        assert_eq!(store.pack_part(all[1].pack.unwrap(), 0).await.unwrap().unwrap(), b"some");
        assert_eq!(store.pack_part(all[1].pack.unwrap(), 1).await.unwrap(), None);
        // Another log than that is none of its business.
        let other = SharedLog { log_id: Uuid::now_v7(), ..log };
        assert_eq!(append(store, project, &other, 5, &[moved("refs/tags/t", None, Some(ONE))]).await, Appended::Behind);
    }

    async fn what_builds_on_what_may_have_gone_is_packed_anew(fresh: Fresh) {
        let (project, log) = begun(&fresh).await;
        let store = &fresh.store;
        assert_eq!(append(store, project, &log, 1, &[moved("refs/heads/x", None, Some(TWO))]).await, Appended::At(2));
        let moves = [moved("refs/heads/x", Some(TWO), None)];
        let going = Going { log: log.log_id, since: 2, moves: &moves, drops: true, pack: NewPack::default(), lease: None };
        assert_eq!(store.append_log(project, going).await.unwrap(), Appended::At(3));
        let new = [moved("refs/heads/y", None, Some(TWO))];
        assert_eq!(append(store, project, &log, 2, &new).await, Appended::Behind);
        assert_eq!(append(store, project, &log, 3, &new).await, Appended::At(4));
    }

    async fn a_log_is_made_short_when_nothing_builds_on_what_goes(fresh: Fresh) {
        let (project, log) = begun(&fresh).await;
        let store = &fresh.store;
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            let name = format!("refs/heads/{name}");
            // The last one was packed against the state before the second.
            let since = [1, 2, 2][n];
            let seq = n as i64 + 2;
            assert_eq!(append(store, project, &log, since, &[moved(&name, None, Some(TWO))]).await, Appended::At(seq));
        }
        assert_eq!(store.log_weight(project).await.unwrap(), (3, 12));
        let refs = vec![("refs/heads/main".to_owned(), ONE.to_owned()), ("refs/heads/a".to_owned(), TWO.to_owned())];
        assert!(!store.make_whole(project, log.log_id, 3, &refs, &pack(b"whole")).await.unwrap());
        let former = store.log_after(project, 0).await.unwrap()[0].pack.unwrap();
        assert!(store.make_whole(project, log.log_id, 2, &refs, &pack(b"whole")).await.unwrap());
        assert!(!store.make_whole(project, log.log_id, 2, &refs, &pack(b"whole")).await.unwrap(), "once is enough");
        assert_eq!(store.pack_part(former, 0).await.unwrap(), None);
        let left = store.log_after(project, 0).await.unwrap();
        assert_eq!(left.iter().map(|entry| (entry.seq, entry.is_whole())).collect::<Vec<_>>(), [(2, true), (3, false), (4, false)]);
        assert_eq!(left[0].changes.0.len(), 2);
        assert_eq!(store.log_weight(project).await.unwrap(), (5, 8));
        assert_eq!(append(store, project, &log, 1, &[moved("refs/heads/d", None, Some(TWO))]).await, Appended::Behind);
        // Refs are as they were.
        let main = [moved("refs/heads/main", Some(ONE), Some(TWO))];
        assert_eq!(append(store, project, &log, 4, &main).await, Appended::At(5));
    }

    async fn parts_that_nobody_came_to_name_go_and_all_goes_with_its_project(fresh: Fresh) {
        let (project, log) = begun(&fresh).await;
        let store = &fresh.store;
        let id = Uuid::now_v7();
        store.put_pack_part(project, id, 0, &vec![1; PACK_PART]).await.unwrap();
        let large = NewPack { id: Some(id), last: vec![2; 10], parts: 2, bytes: PACK_PART as i64 + 10 };
        let moves = [moved("refs/heads/large", None, Some(TWO))];
        let going = Going { log: log.log_id, since: 1, moves: &moves, drops: false, pack: large, lease: None };
        assert_eq!(store.append_log(project, going).await.unwrap(), Appended::At(2));
        let lost = Uuid::now_v7();
        store.put_pack_part(project, lost, 0, b"lost").await.unwrap();
        assert_eq!(store.forget_lost_packs(fresh.clock.now()).await.unwrap(), 0, "it may be about to be named");
        fresh.clock.advance(Duration::days(2));
        assert_eq!(store.forget_lost_packs(fresh.clock.now()).await.unwrap(), 1);
        assert_eq!(store.pack_part(lost, 0).await.unwrap(), None);
        assert_eq!(store.pack_part(id, 1).await.unwrap().unwrap(), vec![2; 10]);
        store.forget_log(project).await.unwrap();
        assert_eq!(store.pack_part(id, 0).await.unwrap(), None);
        assert_eq!(store.shared_log(project).await.unwrap(), None);
        assert!(store.log_after(project, 0).await.unwrap().is_empty());
        // A backup has the repositories themselves.
        assert!(fresh.store.occupied().await.unwrap().iter().all(|(table, _)| !table.contains("repositor")));
    }

    async fn who_lost_a_run_adds_nothing(fresh: Fresh) {
        let (project, log) = begun(&fresh).await;
        let store = &fresh.store;
        store.project_ready(project, "main").await.unwrap();
        let project_row = store.project(project).await.unwrap().unwrap();
        let id = fresh.card(&project_row, "one").await.card.id;
        let anna = project_row.created_by;
        store.start_feature(id, anna, new_run(), i64::MAX).await.unwrap();
        let claimed = store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        let moves = [moved("refs/guildhall/runs/r", None, Some(TWO))];
        let going = |lease| Going { log: log.log_id, since: 1, moves: &moves, drops: false, pack: pack(b"x"), lease };
        let late = guildhall_store::Lease { attempt: claimed.lease.attempt - 1, ..claimed.lease };
        let refused = store.append_log(project, going(Some(&late))).await.unwrap_err();
        assert!(matches!(refused, StoreError::LeaseLost), "{refused}");
        assert_eq!(store.append_log(project, going(Some(&claimed.lease))).await.unwrap(), Appended::At(2));
    }
}
