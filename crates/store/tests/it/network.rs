//! Hosts that commands were refused, and those that they are allowed.

use chrono::Duration;
use guildhall_store::{AuditQuery, ProjectPatch, Refusal, StoreError};
use guildhall_types::audit::AuditAction;
use guildhall_types::event::Happening;
use guildhall_types::network::{HostEntry, HostName, NetworkPolicy, REFUSED};
use guildhall_types::{Clock, ProjectId, RunId};

use crate::harness::{Fresh, on_both};

fn host(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

fn entry(text: &str) -> HostEntry {
    HostEntry::parse(text).unwrap()
}

fn refusal(fresh: &Fresh, name: &str, port: u16, count: i64, run: Option<RunId>) -> Refusal {
    let now = fresh.clock.now();
    Refusal { host: host(name), port, count, first_at: now, last_at: now, run }
}

on_both! {
    async fn refusals_are_a_row_for_each_host_and_bounded(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let (project, other) = (fresh.project(&anna).await, fresh.project(&anna).await);
        let (store, run) = (&fresh.store, RunId::new());
        let before = store.last_seq().await.unwrap();
        let first = [refusal(&fresh, "a.example", 443, 2, None), refusal(&fresh, "b.example", 22, 1, Some(run))];
        assert!(store.note_refusals(project.id, &first).await.unwrap());
        fresh.clock.advance(Duration::minutes(1));
        assert!(!store.note_refusals(project.id, &[refusal(&fresh, "a.example", 443, 3, Some(run))]).await.unwrap());
        assert!(store.note_refusals(other.id, &[refusal(&fresh, "a.example", 443, 1, None)]).await.unwrap());
        let rows = store.refused_hosts(project.id).await.unwrap();
        assert_eq!(rows.len(), 2);
        let [a, b] = [&rows[0], &rows[1]];
        assert_eq!((a.host.as_str(), a.port, a.count, a.last_run_id), ("a.example", 443, 5, Some(run)));
        assert_eq!((a.first_at, a.last_at), (first[0].first_at, fresh.clock.now()));
        assert_eq!((b.host.as_str(), b.port, b.count, b.last_run_id), ("b.example", 22, 1, Some(run)));
        // It is told when somebody says so.
        assert_eq!(store.events_after(before, 10).await.unwrap().len(), 0);
        store.tell_of_refusals(project.id).await.unwrap();
        let told = store.events_after(before, 10).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].what, Happening::RefusedHosts { project_id: project.id });

        fresh.clock.advance(Duration::minutes(1));
        let many: Vec<Refusal> =
            (0..REFUSED).map(|n| refusal(&fresh, &format!("h{n:03}.example"), 443, 1, None)).collect();
        store.note_refusals(project.id, &many).await.unwrap();
        let rows = store.refused_hosts(project.id).await.unwrap();
        assert!(rows.len() as i64 == REFUSED && rows.iter().all(|row| row.host.starts_with('h')));
        assert_eq!(store.refused_hosts(other.id).await.unwrap().len(), 1);
        // Of a project that is gone nothing is kept.
        store.archive_project(other.id).await.unwrap();
        assert!(!store.note_refusals(other.id, &first).await.unwrap());
        assert_eq!(store.refused_hosts(other.id).await.unwrap().len(), 1);
    }

    async fn allowing_ends_the_refusals_that_it_covers_and_dismissing_forgets_one(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let store = &fresh.store;
        let all = [("a.example", 443), ("a.example", 22), ("x.b.example", 443), ("b.example", 443)];
        let refusals: Vec<Refusal> = all.iter().map(|(name, port)| refusal(&fresh, name, *port, 1, None)).collect();
        store.note_refusals(project.id, &refusals).await.unwrap();
        let left = async || {
            let rows = store.refused_hosts(project.id).await.unwrap();
            let mut left: Vec<String> = rows.iter().map(|row| format!("{}:{}", row.host, row.port)).collect();
            left.sort();
            left
        };
        let changed = store.allow_host(project.id, &entry("a.example"), 3).await.unwrap();
        assert_eq!(changed.settings.network.hosts, ["a.example"]);
        assert_eq!(left().await, ["a.example:22", "b.example:443", "x.b.example:443"]);
        store.allow_host(project.id, &entry("*.b.example"), 3).await.unwrap();
        let again = store.allow_host(project.id, &entry("a.example"), 3).await.unwrap();
        assert_eq!(again.settings.network.hosts, ["a.example", "*.b.example"]);
        assert_eq!(left().await, ["a.example:22", "b.example:443"]);
        assert!(store.dismiss_host(project.id, &host("b.example"), 443).await.unwrap());
        assert!(!store.dismiss_host(project.id, &host("b.example"), 443).await.unwrap());
        assert_eq!(left().await, ["a.example:22"]);
        store.allow_host(project.id, &entry("c.example:22"), 3).await.unwrap();
        let full = store.allow_host(project.id, &entry("d.example"), 3).await;
        assert!(matches!(full, Err(StoreError::TooMany { most: 3, .. })), "{full:?}");
        let missing = store.allow_host(ProjectId::new(), &entry("d.example"), 3).await;
        assert!(matches!(missing, Err(StoreError::NotFound { .. })));
        let page = store.audit_entries(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
        let deeds = |action| page.iter().filter(|entry| entry.action == action).count();
        assert_eq!((deeds(AuditAction::AllowHost), deeds(AuditAction::DismissHost)), (4, 1));
    }

    async fn many_who_allow_and_many_who_are_refused_at_once_lose_nothing(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let names: Vec<String> = (0..8).map(|n| format!("h{n}.example")).collect();
        let refusals: Vec<Refusal> = names.iter().map(|name| refusal(&fresh, name, 443, 1, None)).collect();
        let mut tasks = tokio::task::JoinSet::new();
        for name in names {
            let (store, refusals, id) = (fresh.store.clone(), refusals.clone(), project.id);
            tasks.spawn(async move {
                store.note_refusals(id, &refusals).await.unwrap();
                store.allow_host(id, &entry(&name), 100).await.unwrap();
                store.dismiss_host(id, &host(&name), 443).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(fresh.store.project(project.id).await.unwrap().unwrap().settings.network.hosts.len(), 8);
    }

    async fn the_network_is_opened_by_who_may_and_stays_open_for_the_others(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let patch = |policy| {
            let mut settings = project.settings.clone();
            settings.network.policy = policy;
            ProjectPatch { name: None, settings: Some(settings) }
        };
        let set = async |policy, may_open| fresh.store.update_project(project.id, patch(policy), may_open).await.unwrap();
        assert!(set(NetworkPolicy::Open, false).await.is_none());
        assert_eq!(fresh.store.project(project.id).await.unwrap().unwrap().settings, project.settings);
        assert!(set(NetworkPolicy::None, false).await.is_some());
        assert!(set(NetworkPolicy::Open, false).await.is_none());
        assert!(set(NetworkPolicy::Open, true).await.is_some());
        assert!(set(NetworkPolicy::Open, false).await.is_some(), "who changes something else keeps it open");
        assert!(set(NetworkPolicy::AllowList, false).await.is_some());
        assert!(set(NetworkPolicy::Open, false).await.is_none());
    }
}
