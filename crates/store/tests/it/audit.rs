//! The audit: in one transaction with what it tells of, and nothing can be changed in it unseen.

use guildhall_store::{AuditQuery, Backend, Broken};
use guildhall_types::audit::{Actor, AuditAction, AuditObject, AuditOutcome, Note};
use guildhall_types::member::{MemberChange, MemberRole};
use guildhall_types::{Clock, TokenId};

use crate::harness::{Fresh, new_run, on_both};

/// Everything, the oldest first.
fn all() -> AuditQuery {
    AuditQuery { oldest_first: true, limit: 1_000, ..AuditQuery::default() }
}

async fn ten_entries(fresh: &Fresh) {
    for n in 0..10 {
        let note = Note::new(AuditAction::ChangeSetting).on(AuditObject::Setting, "limits").with("n", n);
        fresh.store.audit(note).await.unwrap();
    }
    assert_eq!(fresh.store.verify_audit().await.unwrap().broken, None);
}

/// Takes away what keeps the table from being changed: whoever owns the database can.
async fn unlock(fresh: &Fresh) {
    let sql = match fresh.store.backend() {
        Backend::Sqlite => "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_cut",
        Backend::Postgres => "DROP TRIGGER audit_only_grows ON audit",
    };
    fresh.tamper(sql).await.unwrap();
}

async fn broken(fresh: &Fresh) -> Option<Broken> {
    fresh.store.verify_audit().await.unwrap().broken
}

on_both! {
    async fn entries_follow_each_other_without_gaps_whoever_writes(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let writers: Vec<_> = (0..8).map(|n| {
            let actor = Actor { member: Some(anna.id), address: Some(format!("192.0.2.{n}")), ..Actor::default() };
            let store = fresh.store.acting_as(actor);
            tokio::spawn(async move {
                for m in 0..5 {
                    store.put_setting(&format!("s{n}"), &m).await.unwrap();
                }
            })
        }).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let entries = fresh.store.audit_entries(&all()).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=41).collect::<Vec<_>>());
        let verdict = fresh.store.verify_audit().await.unwrap();
        assert_eq!((verdict.sound, verdict.broken), (41, None));
        assert_eq!(verdict.hash, entries[40].hash);
    }

    async fn an_entry_tells_who_did_what_to_what_from_where(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let token = TokenId::new();
        let actor = Actor {
            member: Some(anna.id), token: Some(token), address: Some("192.0.2.1".to_owned()),
            user_agent: Some("curl\r\nforged: line".to_owned()),
        };
        let store = fresh.store.acting_as(actor);
        let project = fresh.project(&anna).await;
        let card = fresh.card(&project, "one").await;
        store.start_feature(card.card.id, anna.id, new_run(), i64::MAX).await.unwrap();
        let entry = fresh.store.audit_entries(&AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap().remove(0);
        assert_eq!((entry.action, entry.outcome, entry.at), (AuditAction::StartRun, AuditOutcome::Ok, fresh.clock.now()));
        assert_eq!((entry.object, entry.object_id), (Some(AuditObject::Feature), Some(card.card.id.to_string())));
        assert_eq!((entry.member_id, entry.token_id), (Some(anna.id), Some(token)));
        assert_eq!(entry.address.as_deref(), Some("192.0.2.1"));
        assert_eq!(entry.user_agent.as_deref(), Some("curl\\u{d}\\u{a}forged: line"));
        assert!(entry.detail.contains_key("run"));
    }

    async fn what_is_refused_leaves_no_entry_of_being_done(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let before = fresh.store.audit_entries(&all()).await.unwrap().len();
        let change = MemberChange { role: None, disabled: Some(true) };
        fresh.store.change_member(anna.id, anna.id, change).await.unwrap_err();
        assert_eq!(fresh.store.audit_entries(&all()).await.unwrap().len(), before);
    }

    async fn a_change_that_the_audit_cannot_tell_of_is_not_made(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        fresh.tamper("DROP TABLE audit").await.unwrap();
        fresh.store.put_setting("limits", &1).await.unwrap_err();
        assert_eq!(fresh.store.setting::<i64>("limits").await.unwrap(), None);
        let project = guildhall_store::NewProject {
            name: "p".to_owned(), source: guildhall_types::project::ProjectSource::Empty, settings: Default::default(),
            created_by: anna.id,
        };
        fresh.store.create_project(project).await.unwrap_err();
        assert!(fresh.store.projects(None, 10).await.unwrap().is_empty());
    }

    async fn the_database_itself_refuses_to_change_it(fresh: Fresh) {
        ten_entries(&fresh).await;
        for sql in ["UPDATE audit SET outcome = 'ok'", "DELETE FROM audit WHERE seq = 10"] {
            let error = fresh.tamper(sql).await.unwrap_err().to_string();
            assert!(error.contains("the audit only grows"), "{error}");
        }
        assert_eq!(broken(&fresh).await, None);
    }

    async fn an_entry_that_was_changed_is_found(fresh: Fresh) {
        ten_entries(&fresh).await;
        unlock(&fresh).await;
        for (column, value) in [
            ("outcome", "'refused'"), ("action", "'run.stop'"), ("detail", "'{}'"), ("object_id", "'other'"),
            ("object_id", "NULL"), ("address", "'192.0.2.9'"), ("user_agent", "''"), ("object", "'what'"),
        ] {
            fresh.tamper(&format!("CREATE TABLE kept AS SELECT * FROM audit WHERE seq = 4; UPDATE audit SET {column} = {value} WHERE seq = 4"))
                .await.unwrap();
            let verdict = fresh.store.verify_audit().await.unwrap();
            assert_eq!((verdict.sound, verdict.broken), (3, Some(Broken::Changed(4))), "{column}");
            fresh.tamper(&format!("UPDATE audit SET {column} = (SELECT {column} FROM kept) WHERE seq = 4; DROP TABLE kept"))
                .await.unwrap();
            assert_eq!(broken(&fresh).await, None, "{column}");
        }
    }

    async fn an_entry_that_was_taken_away_is_found_wherever_it_was(fresh: Fresh) {
        ten_entries(&fresh).await;
        unlock(&fresh).await;
        for seq in [10, 4, 1] {
            fresh.tamper(&format!("DELETE FROM audit WHERE seq = {seq}")).await.unwrap();
            assert_eq!(broken(&fresh).await, Some(Broken::Missing(seq)));
        }
        fresh.tamper("DELETE FROM audit").await.unwrap();
        assert_eq!(broken(&fresh).await, Some(Broken::Missing(1)));
    }

    async fn entries_in_another_order_are_found(fresh: Fresh) {
        ten_entries(&fresh).await;
        unlock(&fresh).await;
        fresh.tamper(
            "UPDATE audit SET seq = -4 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = -4",
        ).await.unwrap();
        assert_eq!(broken(&fresh).await, Some(Broken::Unchained(4)));
    }

    async fn an_entry_that_was_put_in_is_found(fresh: Fresh) {
        ten_entries(&fresh).await;
        let forged = "INSERT INTO audit SELECT 11, at, member_id, token_id, action, object, object_id, address, user_agent,
            outcome, detail, prev_hash, hash FROM audit WHERE seq = 10";
        fresh.tamper(forged).await.unwrap();
        assert_eq!(broken(&fresh).await, Some(Broken::End(11)));
    }

    async fn a_rewritten_end_is_found(fresh: Fresh) {
        ten_entries(&fresh).await;
        unlock(&fresh).await;
        // The last entry goes, and the head is told that it never was; only the hash of the one before does not fit.
        fresh.tamper("DELETE FROM audit WHERE seq = 10; UPDATE audit_head SET seq = 9").await.unwrap();
        assert_eq!(broken(&fresh).await, Some(Broken::End(9)));
    }

    async fn entries_are_found_by_what_they_tell(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let store = fresh.store.acting_as(Actor { member: Some(anna.id), ..Actor::default() });
        let start = fresh.clock.now();
        ten_entries(&fresh).await;
        fresh.clock.advance(chrono::Duration::hours(1));
        let note = Note::new(AuditAction::Refused).on(AuditObject::Route, "GET /api/audit");
        store.audit(note.outcome(AuditOutcome::Refused)).await.unwrap();
        let find = async |query: AuditQuery| {
            let entries = fresh.store.audit_entries(&AuditQuery { limit: 100, ..query }).await.unwrap();
            entries.into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
        };
        // The first entry tells that Anna was made.
        assert_eq!(find(AuditQuery { actor: Some(anna.id), ..AuditQuery::default() }).await, [12]);
        assert_eq!(find(AuditQuery { action: Some(AuditAction::Register), ..AuditQuery::default() }).await, [1]);
        assert_eq!(find(AuditQuery { object: Some(AuditObject::Route), ..AuditQuery::default() }).await, [12]);
        assert_eq!(find(AuditQuery { object_id: Some(anna.id.to_string()), ..AuditQuery::default() }).await, [1]);
        assert_eq!(find(AuditQuery { outcome: Some(AuditOutcome::Refused), ..AuditQuery::default() }).await, [12]);
        let later = start + chrono::Duration::minutes(1);
        assert_eq!(find(AuditQuery { from: Some(later), ..AuditQuery::default() }).await, [12]);
        assert_eq!(find(AuditQuery { to: Some(later), ..AuditQuery::default() }).await, (1..=11).rev().collect::<Vec<_>>());
        assert_eq!(find(AuditQuery { after: Some(3), ..AuditQuery::default() }).await, [2, 1]);
        assert_eq!(find(AuditQuery { after: Some(10), oldest_first: true, ..AuditQuery::default() }).await, [11, 12]);
    }
}
