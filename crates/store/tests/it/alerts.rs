//! Alerts: one open of a kind and subject, told once, with a history.

use chrono::Duration;
use guildhall_store::{AlertQuery, NewAlert, Store, StoreError};
use guildhall_types::alert::{Alert, AlertKind, AlertLevel, SILENT, Strain};
use guildhall_types::audit::{Actor, AuditAction};
use guildhall_types::event::Happening;
use guildhall_types::feature::{Move, Problem};
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, MemberRole, ProviderKind};
use guildhall_types::notification::{Notification, NotificationKind as Kind};
use guildhall_types::rights::MemberRight;
use guildhall_types::run::{KeySource, LedgerRow, RunKey, RunStatus};
use guildhall_types::{Clock, NodeId};

use crate::harness::{Fresh, new_run, on_both};

fn new(kind: AlertKind, subject: &str, level: AlertLevel, value: i64) -> NewAlert {
    let (subject, about) = (subject.to_owned(), subject.to_owned());
    NewAlert { kind, subject, about, level, value, text: "It is so.\0".to_owned() }
}

async fn disk(store: &Store) -> Alert {
    store.raise_alert(&new(AlertKind::Disk, "hall-1", AlertLevel::Warning, 80)).await.unwrap().unwrap()
}

async fn told(store: &Store, member: &Member) -> Vec<(Kind, i64)> {
    let told = store.notifications(member.id, None, false, 50).await.unwrap().page.items;
    told.iter().map(|one: &Notification| (one.kind, one.count)).collect()
}

async fn listed(store: &Store, open: Option<bool>) -> Vec<Alert> {
    store.alerts(&AlertQuery { open, before: None, limit: 50 }).await.unwrap().items
}

on_both! {
    async fn whoever_is_first_raises_it_and_those_who_administer_hear_of_it_once(fresh: Fresh) {
        let (olga, ada) = (fresh.with_role("olga", MemberRole::Owner).await, fresh.with_role("ada", MemberRole::Admin).await);
        let anna = fresh.member("anna").await;
        let before = fresh.store.last_seq().await.unwrap();
        let wanted = new(AlertKind::Memory, "hall-1", AlertLevel::Warning, 72);
        let nodes: Vec<Store> = vec![fresh.again().await, fresh.again().await, fresh.store.clone()];
        let all = nodes.iter().map(|node| node.raise_alert(&wanted));
        let mut raised = Vec::new();
        for one in all {
            raised.extend(one.await.unwrap());
        }
        assert_eq!(raised.len(), 1);
        let alert = raised.remove(0);
        assert_eq!((alert.text.as_str(), alert.worst, alert.cleared_at), ("It is so.\u{fffd}", 72, None));
        for member in [&olga, &ada] {
            assert_eq!(told(&fresh.store, member).await, [(Kind::AlertWarning, 1)], "{}", member.name);
        }
        assert_eq!(told(&fresh.store, &anna).await, []);
        let events = fresh.store.events_after(before, 50).await.unwrap();
        assert_eq!(events[0].what, Happening::AlertRaised { alert: alert.clone() });
        assert_eq!(events[0].what.only_with(), None, "memory keeps everybody's work from beginning");
        assert_eq!(events.len(), 3, "the alert, and one for each who is told");
        // Another server's is another.
        let other = fresh.store.raise_alert(&new(AlertKind::Memory, "hall-2", AlertLevel::Warning, 72)).await.unwrap();
        assert!(other.is_some());
        assert_eq!(told(&fresh.store, &olga).await, [(Kind::AlertWarning, 1), (Kind::AlertWarning, 1)]);
        let key = fresh.store.raise_alert(&new(AlertKind::KeyRefused, "team/openai", AlertLevel::Critical, 2)).await;
        let what = Happening::AlertRaised { alert: key.unwrap().unwrap() };
        assert_eq!((what.kind(), what.only_with()), ("alert.raised", Some(MemberRight::Administer)));
    }

    async fn two_nodes_at_the_same_moment_raise_one(fresh: Fresh) {
        let wanted = new(AlertKind::BackupOld, "", AlertLevel::Warning, 27);
        let (one, other) = (fresh.again().await, fresh.again().await);
        let (one, other) = tokio::join!(one.raise_alert(&wanted), other.raise_alert(&wanted));
        let raised = [one.unwrap().is_some(), other.unwrap().is_some()];
        assert_ne!(raised[0], raised[1], "{raised:?}");
        assert_eq!(listed(&fresh.store, Some(true)).await.len(), 1);
    }

    async fn it_gets_worse_and_better_and_is_over_and_keeps_its_worst(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let alert = disk(&fresh.store).await;
        assert_eq!(fresh.store.strain().await.unwrap(), None);
        let worse = fresh.store.change_alert(alert.id, 93, AlertLevel::Critical, "Worse.").await.unwrap().unwrap();
        assert_eq!((worse.level, worse.value, worse.worst, worse.text.as_str()), (AlertLevel::Critical, 93, 93, "Worse."));
        assert_eq!(fresh.store.change_alert(alert.id, 93, AlertLevel::Critical, "Worse.").await.unwrap(), None, "it is so already");
        assert_eq!(fresh.store.strain().await.unwrap(), Some(Strain::Disk));
        fresh.clock.advance(Duration::minutes(2));
        fresh.store.see_alert(alert.id, 91).await.unwrap();
        let seen = fresh.store.open_alerts().await.unwrap().remove(0);
        assert_eq!((seen.value, seen.worst, seen.seen_at), (91, 93, fresh.clock.now()));
        let eased = fresh.store.change_alert(alert.id, 84, AlertLevel::Warning, "Better.").await.unwrap().unwrap();
        assert_eq!((eased.level, eased.worst_level, eased.worst), (AlertLevel::Warning, AlertLevel::Critical, 93));
        assert_eq!(fresh.store.strain().await.unwrap(), None);
        let over = fresh.store.clear_alert(alert.id, 60).await.unwrap().unwrap();
        assert_eq!((over.cleared_at, over.gone), (Some(fresh.clock.now()), false));
        assert_eq!(fresh.store.clear_alert(alert.id, 60).await.unwrap(), None, "whoever is first clears it");
        // That it eased is told nobody.
        let kinds = [(Kind::AlertCleared, 1), (Kind::AlertCritical, 1), (Kind::AlertWarning, 1)];
        assert_eq!(told(&fresh.store, &olga).await, kinds);
        assert_eq!((listed(&fresh.store, Some(true)).await, listed(&fresh.store, Some(false)).await), (vec![], vec![over]));
        // The next is another alert.
        let again = disk(&fresh.store).await;
        assert_ne!(again.id, alert.id);
        assert_eq!(told(&fresh.store, &olga).await[0], (Kind::AlertWarning, 1), "told for itself, though the former is unread");
        // Of what is over nothing more is written.
        fresh.store.see_alert(alert.id, 99).await.unwrap();
        assert_eq!(fresh.store.change_alert(alert.id, 99, AlertLevel::Critical, "").await.unwrap(), None);
        assert_eq!(listed(&fresh.store, Some(false)).await[0].worst, 93);
    }

    async fn a_certificate_is_at_its_worst_where_least_is_left(fresh: Fresh) {
        let wanted = new(AlertKind::CertificateEnds, "", AlertLevel::Warning, 13);
        let alert = fresh.store.raise_alert(&wanted).await.unwrap().unwrap();
        fresh.store.see_alert(alert.id, 5).await.unwrap();
        fresh.store.see_alert(alert.id, 8).await.unwrap();
        let seen = fresh.store.open_alerts().await.unwrap().remove(0);
        assert_eq!((seen.value, seen.worst), (8, 5));
    }

    async fn who_silences_is_written_down_and_nobody_is_told_until_then(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let by_olga = fresh.store.acting_as(Actor { member: Some(olga.id), ..Actor::default() });
        let alert = disk(&fresh.store).await;
        let until = fresh.clock.now() + Duration::hours(1);
        let silent = by_olga.silence_alert(alert.id, Some(until)).await.unwrap();
        assert_eq!((silent.silenced_until, silent.silenced_by), (Some(until), Some(olga.id)));
        assert_eq!(silent.silenced_level, Some(AlertLevel::Warning));
        fresh.store.clear_alert(alert.id, 50).await.unwrap().unwrap();
        // Raised again within that time it is silent as well.
        let again = disk(&fresh.store).await;
        assert_eq!((again.silenced_until, again.silenced_by), (Some(until), Some(olga.id)));
        assert_eq!(again.silenced_level, Some(AlertLevel::Warning));
        assert_eq!(told(&fresh.store, &olga).await, [(Kind::AlertWarning, 1)], "of the first alone");
        // Until it is over, or somebody ends it.
        by_olga.silence_alert(again.id, None).await.unwrap();
        fresh.store.change_alert(again.id, 95, AlertLevel::Critical, "Worse.").await.unwrap().unwrap();
        assert_eq!(told(&fresh.store, &olga).await, [(Kind::AlertCritical, 1), (Kind::AlertWarning, 1)]);
        fresh.store.clear_alert(again.id, 50).await.unwrap();
        let third = disk(&fresh.store).await;
        assert_eq!((third.silenced_until, told(&fresh.store, &olga).await.len()), (None, 4), "the former one's is over too");
        let over = by_olga.silence_alert(alert.id, Some(until)).await;
        assert!(matches!(over, Err(StoreError::NotFound { .. })), "{over:?}");
        let audit = fresh.store.audit_entries(&guildhall_store::AuditQuery { limit: 50, ..Default::default() }).await.unwrap();
        let silences: Vec<_> = audit.iter().filter(|entry| entry.action == AuditAction::SilenceAlert).collect();
        assert_eq!((silences.len(), silences[1].member_id), (2, Some(olga.id)));
        assert_eq!(silences[1].object_id, Some(alert.id.to_string()));
    }

    async fn a_silence_holds_for_how_bad_it_was_when_somebody_gave_it(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let store = fresh.store.clone().sending_mail();
        let alert = disk(&store).await;
        let until = fresh.clock.now() + Duration::hours(8);
        let wait = |minutes| fresh.clock.advance(Duration::minutes(minutes));
        store.silence_alert(alert.id, Some(until)).await.unwrap();
        assert_eq!(store.waiting_mails().await.unwrap(), 1);
        wait(1);
        let worse = store.change_alert(alert.id, 95, AlertLevel::Critical, "Worse.").await.unwrap().unwrap();
        assert!(!worse.is_silent(fresh.clock.now()) && worse.silenced_until == Some(until), "it holds for a warning: {worse:?}");
        assert_eq!(store.strain().await.unwrap(), Some(Strain::Disk));
        assert_eq!(told(&store, &olga).await, [(Kind::AlertCritical, 1), (Kind::AlertWarning, 1)]);
        assert_eq!(store.waiting_mails().await.unwrap(), 2);
        // A warning again it is silent; each time that it becomes worse is told, also by mail to who has not read of the last one.
        wait(1);
        let eased = store.change_alert(alert.id, 80, AlertLevel::Warning, "Better.").await.unwrap().unwrap();
        assert!(eased.is_silent(fresh.clock.now()));
        wait(1);
        store.change_alert(alert.id, 95, AlertLevel::Critical, "Worse.").await.unwrap().unwrap();
        assert_eq!(told(&store, &olga).await, [(Kind::AlertCritical, 2), (Kind::AlertWarning, 1)]);
        assert_eq!(store.waiting_mails().await.unwrap(), 3);
        // Whoever was told that it is critical is told that it is over, whatever it was last.
        wait(1);
        store.change_alert(alert.id, 80, AlertLevel::Warning, "Better.").await.unwrap().unwrap();
        store.clear_alert(alert.id, 50).await.unwrap().unwrap();
        let all = [(Kind::AlertCleared, 1), (Kind::AlertCritical, 2), (Kind::AlertWarning, 1)];
        assert_eq!(told(&store, &olga).await, all);
        // Raised again within that time it is told if it is worse, and of that silence on it is silent.
        wait(1);
        let again = disk(&store).await;
        store.clear_alert(again.id, 50).await.unwrap().unwrap();
        assert_eq!(told(&store, &olga).await, all);
        let critical = new(AlertKind::Disk, "hall-1", AlertLevel::Critical, 95);
        let third = store.raise_alert(&critical).await.unwrap().unwrap();
        assert_eq!(told(&store, &olga).await[0], (Kind::AlertCritical, 1));
        let before = told(&store, &olga).await;
        store.silence_alert(third.id, Some(until)).await.unwrap();
        store.change_alert(third.id, 80, AlertLevel::Warning, "Better.").await.unwrap().unwrap();
        store.change_alert(third.id, 95, AlertLevel::Critical, "Worse.").await.unwrap().unwrap();
        store.clear_alert(third.id, 50).await.unwrap().unwrap();
        assert_eq!(told(&store, &olga).await, before, "it was silenced as critical");
    }

    async fn when_a_silence_is_over_that_it_stands_is_told_once(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let store = fresh.store.clone().sending_mail();
        let other = fresh.again().await.sending_mail();
        let alert = disk(&store).await;
        let until = fresh.clock.now() + Duration::hours(8);
        store.silence_alert(alert.id, Some(until)).await.unwrap();
        fresh.clock.advance(Duration::hours(8) - Duration::seconds(1));
        assert_eq!(store.tell_alert_again(alert.id, 84, "Still.").await.unwrap(), None);
        fresh.clock.advance(Duration::seconds(1));
        let (one, two) = tokio::join!(store.tell_alert_again(alert.id, 84, "Still."), other.tell_alert_again(alert.id, 84, "Still."));
        let told_by: Vec<Alert> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
        assert_eq!(told_by.len(), 1, "whoever measures first");
        let now = &told_by[0];
        assert_eq!((now.silenced_until, now.silenced_level, now.silenced_by), (None, None, None));
        assert_eq!((now.value, now.worst, now.text.as_str(), now.seen_at), (84, 84, "Still.", until));
        assert_eq!(told(&store, &olga).await, [(Kind::AlertWarning, 2)]);
        let last = store.notifications(olga.id, None, false, 1).await.unwrap().page.items.remove(0);
        assert_eq!(last.text, "It was silenced until now, and it still stands. Still.");
        assert_eq!(store.waiting_mails().await.unwrap(), 2, "by mail, too, though nobody read the first");
        assert_eq!(store.tell_alert_again(alert.id, 84, "Still.").await.unwrap(), None);
        store.clear_alert(alert.id, 50).await.unwrap().unwrap();
        assert_eq!(told(&store, &olga).await[0], (Kind::AlertCleared, 1));

        // When its level changes at that very moment, that tells it; nothing is left to be told.
        for (level, kind) in [(AlertLevel::Critical, Kind::AlertCritical), (AlertLevel::Warning, Kind::AlertWarning)] {
            let first = match level {
                AlertLevel::Critical => AlertLevel::Warning,
                AlertLevel::Warning => AlertLevel::Critical,
            };
            let alert = store.raise_alert(&new(AlertKind::Disk, "hall-1", first, 90)).await.unwrap().unwrap();
            store.silence_alert(alert.id, Some(fresh.clock.now() + Duration::hours(1))).await.unwrap();
            let before = told(&store, &olga).await.len();
            fresh.clock.advance(Duration::hours(2));
            let now = store.change_alert(alert.id, 90, level, "Another.").await.unwrap().unwrap();
            assert_eq!(now.silenced_until, None);
            let after = told(&store, &olga).await;
            assert_eq!((after.len(), after[0]), (before + 1, (kind, 1)));
            assert_eq!(store.tell_alert_again(alert.id, 90, "Still.").await.unwrap(), None);
            store.clear_alert(alert.id, 50).await.unwrap().unwrap();
        }
    }

    async fn of_a_node_that_is_gone_it_is_over(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let gone = fresh.store.raise_alert(&new(AlertKind::Memory, "gone", AlertLevel::Critical, 95)).await.unwrap().unwrap();
        let own = fresh.store.raise_alert(&new(AlertKind::Memory, "own", AlertLevel::Critical, 95)).await.unwrap().unwrap();
        // It measures the one, and the other no more.
        let taken_out = fresh.store.raise_alert(&new(AlertKind::LogDisk, "own", AlertLevel::Warning, 80)).await.unwrap().unwrap();
        let measured = [(AlertKind::Memory, "own")];
        fresh.clock.advance(SILENT - Duration::seconds(1));
        let alive = disk(&fresh.store).await;
        assert_eq!(fresh.store.clear_silent_alerts(&measured).await.unwrap(), []);
        fresh.clock.advance(Duration::seconds(1));
        assert_eq!(fresh.store.strain().await.unwrap(), None, "nor does it keep work any more");
        let cleared = fresh.store.clear_silent_alerts(&measured).await.unwrap();
        assert_eq!(cleared.iter().map(|alert| (alert.id, alert.gone)).collect::<Vec<_>>(), [(gone.id, true), (taken_out.id, true)]);
        let open: Vec<_> = fresh.store.open_alerts().await.unwrap().iter().map(|alert| alert.id).collect();
        assert_eq!(open, [own.id, alive.id]);
        let last = fresh.store.notifications(olga.id, None, false, 1).await.unwrap().page.items.remove(0);
        assert!(last.kind == Kind::AlertCleared && last.text.contains("Nobody measures it"), "{last:?}");
    }

    async fn whatever_keeps_work_from_beginning_is_told_members(fresh: Fresh) {
        for kind in AlertKind::ALL {
            let alert = fresh.store.raise_alert(&new(*kind, "hall-1", AlertLevel::Critical, 99)).await.unwrap().unwrap();
            assert_eq!(fresh.store.strain().await.unwrap(), kind.strain(), "{kind}");
            fresh.store.clear_alert(alert.id, 1).await.unwrap();
        }
        for kind in [AlertKind::DiskFiles, AlertKind::Memory] {
            fresh.store.raise_alert(&new(kind, "hall-1", AlertLevel::Critical, 99)).await.unwrap().unwrap();
        }
        assert_eq!(fresh.store.strain().await.unwrap(), Some(Strain::Memory), "it is the more urgent");
    }

    async fn the_history_comes_in_pages(fresh: Fresh) {
        for _ in 0..5 {
            let alert = disk(&fresh.store).await;
            fresh.store.clear_alert(alert.id, 10).await.unwrap();
        }
        let open = disk(&fresh.store).await;
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let page = fresh.store.alerts(&AlertQuery { open: None, before, limit: 4 }).await.unwrap();
            all.extend(page.items.iter().map(|alert| alert.id));
            match page.next {
                Some(next) => before = Some(next.parse().unwrap()),
                None => break,
            }
        }
        assert_eq!((all.len(), all[0]), (6, open.id));
        assert!(all.is_sorted_by(|one, other| one > other));
        // What is long over is forgotten when the next is raised.
        fresh.store.clear_alert(open.id, 10).await.unwrap();
        fresh.clock.advance(Duration::days(366));
        let only = disk(&fresh.store).await;
        assert_eq!(listed(&fresh.store, None).await.iter().map(|alert| alert.id).collect::<Vec<_>>(), [only.id]);
    }

    async fn keys_that_providers_refuse_are_found_until_they_work_or_are_replaced(fresh: Fresh) {
        let ben = fresh.member("ben").await;
        let project = fresh.project(&ben).await;
        let project = fresh.store.project_ready(project.id, "main").await.unwrap();
        let fail = async |source: KeySource, code: &str| {
            let card = fresh.card(&project, "x").await.card.id;
            fresh.store.start_feature(card, ben.id, new_run(), i64::MAX).await.unwrap();
            let claimed = fresh.store.claim_run(NodeId::new(), Duration::seconds(30), &Limits::default()).await.unwrap().unwrap();
            let key = RunKey { source, provider: ProviderKind::Openai, hint: Some("abcd".to_owned()) };
            fresh.store.run_started(&claimed.lease, "c", "b", &[], &key, vec![]).await.unwrap();
            let problem = Problem { code: code.to_owned(), message: "No.".to_owned(), hint: String::new() };
            let ending = guildhall_store::Ending { status: RunStatus::Failed, what: Move::Fail, summary: None, problem: Some(problem), later: None };
            fresh.store.finish_run(&claimed.lease, ending).await.unwrap();
            fresh.clock.advance(Duration::seconds(5));
        };
        let refused = async || {
            let keys = fresh.store.refused_keys().await.unwrap();
            keys.into_iter().map(|key| (key.source, key.member.map(|(id, _)| id), key.provider)).collect::<Vec<_>>()
        };
        fail(KeySource::Team, "provider-error").await;
        fail(KeySource::Simulated, "invalid-key").await;
        assert_eq!(refused().await, []);
        fail(KeySource::Team, "invalid-key").await;
        fail(KeySource::Team, "key-not-allowed").await;
        let team = (KeySource::Team, None, ProviderKind::Openai);
        assert_eq!(refused().await, [team], "one key, however many runs");
        // A member's counts while it is in place.
        fail(KeySource::Member, "invalid-key").await;
        assert_eq!(refused().await, [team]);
        fresh.tamper(&format!(
            "INSERT INTO credentials (member_id, provider, hint, updated_at, models)
             SELECT id, 'openai', 'abcd', '2020-01-01T00:00:00Z', '[]' FROM members WHERE id = {}",
            uuid_literal(&fresh, &ben)
        )).await.unwrap();
        assert_eq!(refused().await, [(KeySource::Member, Some(ben.id), ProviderKind::Openai), team]);
        fresh.tamper("DELETE FROM credentials").await.unwrap();
        // A call that was paid shows that the key works.
        let card = fresh.card(&project, "y").await.card.id;
        fresh.store.start_feature(card, ben.id, new_run(), i64::MAX).await.unwrap();
        let claimed = fresh.store.claim_run(NodeId::new(), Duration::seconds(30), &Limits::default()).await.unwrap().unwrap();
        let row = LedgerRow {
            id: guildhall_types::CallId::new(),
            member_id: ben.id,
            key_source: KeySource::Team,
            key_hint: Some("abcd".to_owned()),
            run_id: claimed.run.id,
            turn: None,
            provider: ProviderKind::Openai,
            model: "m".to_owned(),
            usage: Default::default(),
            cost_micros: 1,
            priced: true,
        };
        fresh.store.save_side_call(&claimed.lease, &row).await.unwrap();
        assert_eq!(refused().await, []);
    }
}

/// A member's id as SQL writes it.
fn uuid_literal(fresh: &Fresh, member: &Member) -> String {
    match fresh.store.backend() {
        guildhall_store::Backend::Sqlite => format!("X'{}'", member.id.0.simple()),
        guildhall_store::Backend::Postgres => format!("'{}'", member.id),
    }
}
