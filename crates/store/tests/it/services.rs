//! Services of runs, and what lets a browser see their pages.

use chrono::Duration;
use guildhall_store::{AuditQuery, Claimed, Ending, NewPass, NewService, ServiceEnd, StoreError};
use guildhall_types::audit::AuditAction;
use guildhall_types::event::Happening;
use guildhall_types::feature::Move;
use guildhall_types::limits::Limits;
use guildhall_types::run::{DiffStat, RunStatus};
use guildhall_types::service::{AT_ONCE, ServiceStatus as S};
use guildhall_types::{Clock, MemberId, NodeId, RunId, ServiceId, SessionId};

use crate::harness::{Fresh, new_run, on_both};

async fn claim(fresh: &Fresh, node: NodeId) -> Claimed {
    fresh.store.claim_run(node, Duration::minutes(60), &Limits::default()).await.unwrap().unwrap()
}

pub async fn at_work(fresh: &Fresh, node: NodeId) -> Claimed {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    let id = fresh.card(&project, "one").await.card.id;
    fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
    claim(fresh, node).await
}

pub fn new(run: RunId, name: &str, node: NodeId, member: Option<MemberId>) -> NewService {
    NewService {
        id: ServiceId::new(),
        run,
        name: name.to_owned(),
        command: format!("serve \0 {name}"),
        port: Some(8000),
        member,
        node,
        until: None,
        label: format!("p-{}", NodeId::new()),
    }
}

pub fn end(status: S, untold: bool) -> ServiceEnd {
    ServiceEnd { status, exit_code: Some(3), problem: None, log: "the\0end".to_owned(), untold }
}

on_both! {
    async fn a_name_runs_once_and_a_lost_one_makes_room(fresh: Fresh) {
        let node = NodeId::new();
        let claimed = at_work(&fresh, node).await;
        let (store, run) = (&fresh.store, claimed.run.id);
        let many: Vec<_> = (0..6).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.begin_service(new(run, "web", node, None)).await.unwrap() })
        }).collect();
        let mut begun = Vec::new();
        for one in many {
            begun.extend(one.await.unwrap());
        }
        let [web] = &begun[..] else { panic!("{begun:?}") };
        assert_eq!((web.status, web.command.as_str()), (S::Running, "serve \u{fffd} web"));
        for n in 1..AT_ONCE {
            assert!(store.begin_service(new(run, &format!("s{n}"), node, None)).await.unwrap().is_some());
        }
        let refused = store.begin_service(new(run, "more", node, None)).await;
        assert!(matches!(refused, Err(StoreError::TooMany { .. })), "{refused:?}");

        // Another process has no say in it.
        assert!(!store.end_service(web.id, NodeId::new(), &end(S::Stopped, true)).await.unwrap());
        assert!(store.end_service(web.id, node, &end(S::Ended, false)).await.unwrap());
        assert!(!store.end_service(web.id, node, &end(S::Stopped, true)).await.unwrap(), "it has ended");
        let shown = store.service(run, "web").await.unwrap().unwrap();
        assert_eq!((shown.status, shown.exit_code, shown.ended_at.is_some()), (S::Ended, Some(3), true));
        assert_eq!(store.service_log(web.id).await.unwrap().as_deref(), Some("the\u{fffd}end"));
        let told = store.events_after(0, 500).await.unwrap();
        let told = told.iter().filter(|event| matches!(&event.what, Happening::ServiceUpdated { service } if service.name == "web"));
        assert_eq!(told.count(), 2);

        // Those whose process says nothing of them any more are gone, and their places are free. The others stay.
        fresh.clock.advance(Duration::minutes(1));
        let all: Vec<_> = store.services(run).await.unwrap().iter().map(|service| service.id).collect();
        store.beat_services(node, &all).await.unwrap();
        assert_eq!(store.service(run, "web").await.unwrap().unwrap().status, S::Ended);
        let other = NodeId::new();
        let late = store.begin_service(new(run, "late", other, None)).await.unwrap().unwrap();
        fresh.clock.advance(Duration::seconds(90));
        assert!(store.services(run).await.unwrap().iter().all(|service| service.status != S::Lost));
        store.beat_services(other, &[late.id, all[0]]).await.unwrap();
        fresh.clock.advance(Duration::minutes(1));
        let lost = store.services(run).await.unwrap();
        let lost: Vec<&str> = lost.iter().filter(|one| one.status == S::Lost).map(|one| one.name.as_str()).collect();
        assert_eq!(lost, ["s1", "s2", "s3", "s4", "s5"]);
        assert!(store.begin_service(new(run, "s1", other, None)).await.unwrap().is_some());
        assert_eq!(store.lose_services(false).await.unwrap(), 4);
        assert_eq!(store.lose_services(true).await.unwrap(), 2, "nobody else uses this database");
    }

    async fn an_agent_hears_once_of_what_ended_without_it(fresh: Fresh) {
        let node = NodeId::new();
        let claimed = at_work(&fresh, node).await;
        let (store, run, anna) = (&fresh.store, claimed.run.id, claimed.run.member_id);
        store.forget_services(&claimed.lease, true).await.unwrap();
        assert!(store.inbox(run).await.unwrap().is_empty(), "there was none");
        let mut made = Vec::new();
        for (name, member) in [("cut", None), ("died", None), ("own", None), ("looked", Some(anna))] {
            made.push(store.begin_service(new(run, name, node, member)).await.unwrap().unwrap());
        }
        store.end_service(made[0].id, node, &end(S::Stopped, true)).await.unwrap();
        store.end_service(made[2].id, node, &end(S::Stopped, false)).await.unwrap();
        store.end_service(made[3].id, node, &end(S::Stopped, true)).await.unwrap();
        store.requeue_run(&claimed.lease).await.unwrap();
        let again = claim(&fresh, NodeId::new()).await;
        let late = store.forget_services(&claimed.lease, true).await;
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
        store.forget_services(&again.lease, false).await.unwrap();
        assert_eq!(store.service(run, "died").await.unwrap().unwrap().status, S::Lost);
        assert!(store.inbox(run).await.unwrap().is_empty(), "its agent will not be called");
        store.forget_services(&again.lease, true).await.unwrap();
        let said = store.inbox(run).await.unwrap();
        assert_eq!(said.len(), 1);
        let text = &said[0].text;
        assert!(text.contains("cut (`serve") && text.contains("died (`serve"), "{text}");
        assert!(!text.contains("own (") && !text.contains("looked ("), "{text}");
        store.forget_services(&again.lease, true).await.unwrap();
        assert_eq!(store.inbox(run).await.unwrap().len(), 1);
        let query = AuditQuery { action: Some(AuditAction::StartService), limit: 10, ..AuditQuery::default() };
        assert_eq!(store.audit_entries(&query).await.unwrap().len(), 1, "what an agent does is told by its run");
    }

    async fn a_ticket_is_good_once_and_a_pass_as_long_as_its_service(fresh: Fresh) {
        let node = NodeId::new();
        let claimed = at_work(&fresh, node).await;
        let (store, run) = (&fresh.store, claimed.run.id);
        let web = store.begin_service(new(run, "web", node, None)).await.unwrap().unwrap();
        let other = store.begin_service(new(run, "other", node, None)).await.unwrap().unwrap();
        let session = SessionId::new();
        let soon = fresh.clock.now() + Duration::seconds(60);
        let ticket = |hash: &[u8]| NewPass {
            token_hash: hash.to_vec(), label: web.label.clone(), session, ticket: true, expires_at: soon,
        };
        let later = soon + Duration::hours(1);
        store.create_preview_ticket(&web, ticket(b"t1")).await.unwrap();
        assert_eq!(store.preview_pass(&web.label, b"t1").await.unwrap(), None, "a ticket is no pass");
        let wrong = store.use_preview_ticket(&other.label, b"t1", b"x".to_vec(), later).await.unwrap();
        assert_eq!(wrong, None, "it is for another service");
        let many: Vec<_> = (0..6u8).map(|n| {
            let (store, label) = (store.clone(), web.label.clone());
            tokio::spawn(async move { store.use_preview_ticket(&label, b"t1", vec![n], later).await.unwrap() })
        }).collect();
        let mut used = 0;
        for one in many {
            used += usize::from(one.await.unwrap() == Some(session));
        }
        assert_eq!(used, 1);
        let mut good = Vec::new();
        for n in 0..6u8 {
            good.extend(store.preview_pass(&web.label, &[n]).await.unwrap());
        }
        assert_eq!(good, [session]);
        store.create_preview_ticket(&web, ticket(b"t2")).await.unwrap();
        fresh.clock.advance(Duration::seconds(61));
        assert_eq!(store.use_preview_ticket(&web.label, b"t2", b"y".to_vec(), later).await.unwrap(), None, "too late");

        store.end_service(web.id, node, &end(S::Stopped, true)).await.unwrap();
        for n in 0..6u8 {
            assert_eq!(store.preview_pass(&web.label, &[n]).await.unwrap(), None, "the service has ended");
        }
        let query = AuditQuery { action: Some(AuditAction::OpenPreview), limit: 10, ..AuditQuery::default() };
        assert_eq!(store.audit_entries(&query).await.unwrap().len(), 2);
    }

    async fn work_by_hand_is_noted_while_nobody_elses_is_at_it(fresh: Fresh) {
        let node = NodeId::new();
        let claimed = at_work(&fresh, node).await;
        let (store, run) = (&fresh.store, claimed.run.id);
        let stat = DiffStat { files: 1, added: 2, removed: 0 };
        store.set_head(&claimed.lease, "c1", stat).await.unwrap();
        let note = async |node: NodeId, before: &str| {
            store.note_hand_work(run, node, before, "c2", stat, "Anna changed files.").await.unwrap()
        };
        assert!(!note(NodeId::new(), "c1").await, "another process has it");
        assert!(!note(node, "c0").await, "it is not what it was");
        assert!(note(node, "c1").await);
        assert_eq!(store.run(run).await.unwrap().unwrap().head_commit.as_deref(), Some("c2"));

        // What was found good is what it was then.
        let ending = Ending { status: RunStatus::Waiting, what: Move::Finish, summary: None, problem: None, later: None };
        store.finish_run(&claimed.lease, ending).await.unwrap();
        let later = async |before: &str, commit: &str| {
            store.note_hand_work(run, node, before, commit, stat, "Anna changed files.").await.unwrap()
        };
        assert!(later("c2", "c3").await, "it waits");
        store.accept_feature(claimed.run.feature_id).await.unwrap();
        assert!(!later("c3", "c4").await, "it is verified");
        store.shelve_feature(claimed.run.feature_id).await.unwrap();
        assert!(!later("c3", "c4").await, "it is shelved");
        assert_eq!(store.run(run).await.unwrap().unwrap().head_commit.as_deref(), Some("c3"));
        let query = AuditQuery { action: Some(AuditAction::ChangeFiles), limit: 10, ..AuditQuery::default() };
        assert_eq!(store.audit_entries(&query).await.unwrap().len(), 2);
    }
}
