//! The outbox, wishes to sign up, and the counting of tries.

use chrono::Duration;
use guildhall_store::{MailEnd, NewMail, NewSignUp, SealedSecret, Store, StoreError, TryLimit, mail_identity};
use guildhall_types::audit::AuditAction;
use guildhall_types::mail::{MailKind, MailStatus, WhyGivenUp};
use guildhall_types::member::MemberRole;
use guildhall_types::{Clock, MailId, MemberId};

use crate::harness::{Fresh, on_both};

fn mail(recipient: &str) -> NewMail {
    let id = MailId::new();
    let body =
        SealedSecret { identity: mail_identity(id), key_id: "k".to_owned(), wrapped_key: vec![1], sealed: vec![2] };
    NewMail { id, kind: MailKind::Notice, recipient: recipient.to_owned(), body }
}

async fn put(store: &Store, recipient: &str) -> MailId {
    let mail = mail(recipient);
    let id = mail.id;
    store.mailing(vec![mail]).put_mails().await.unwrap();
    id
}

fn wish(fresh: &Fresh, email: &str, code: u8) -> NewSignUp {
    NewSignUp {
        email: email.to_owned(),
        name: "Ben".to_owned(),
        password_hash: "hash".to_owned(),
        code_hash: vec![code; 32],
        expires_at: fresh.clock.now() + Duration::hours(24),
    }
}

fn limit(key: u8, tries: i64) -> TryLimit {
    TryLimit { key: vec![key; 32], tries, window: Duration::minutes(15) }
}

on_both! {
    async fn a_mail_comes_with_its_change_or_not_at_all(fresh: Fresh) {
        let ben = fresh.member("ben").await;
        let store = fresh.store.mailing(vec![mail("ben@example.com")]);
        let nobody = store.set_password(MemberId::new(), "hash", None).await;
        assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
        assert_eq!(fresh.store.waiting_mails().await.unwrap(), 0);
        let (first, second) = (mail("a@example.com"), mail("b@example.com"));
        let store = fresh.store.mailing(vec![first.clone(), second]);
        store.set_password(ben.id, "hash", None).await.unwrap();
        let waiting = fresh.store.waiting_mails().await.unwrap();
        // Another change by the same store sends nothing twice.
        store.set_password(ben.id, "hash", None).await.unwrap();
        assert_eq!(fresh.store.waiting_mails().await.unwrap(), waiting);
        assert_eq!(waiting, 2);
        assert_eq!(fresh.store.secret(&first.body.identity).await.unwrap(), Some(first.body));
    }

    async fn mails_are_stuck_since_the_first_that_came_no_further(fresh: Fresh) {
        let store = &fresh.store;
        let stuck = async || store.mail_stuck_since().await.unwrap();
        let end = async |end: &dyn Fn(chrono::DateTime<chrono::Utc>) -> MailEnd| {
            let claimed = store.claim_mail(Duration::minutes(1)).await.unwrap().unwrap();
            assert!(store.end_mail(&claimed, &end(fresh.clock.now())).await.unwrap());
        };
        let later = |now| MailEnd::Later(now + Duration::hours(1), "refused".to_owned());
        assert_eq!(stuck().await, None, "there is none");
        let first = fresh.clock.now();
        put(store, "ben@example.com").await;
        end(&later).await;
        fresh.clock.advance(Duration::minutes(10));
        put(store, "anna@example.com").await;
        assert_eq!(stuck().await, Some(first));
        // Another one goes out: the mail server is there, and this one is refused for itself.
        end(&|_| MailEnd::Sent).await;
        assert_eq!(stuck().await, None);
        // An address that there is not.
        fresh.clock.advance(Duration::minutes(1));
        put(store, "nobody@example.com").await;
        end(&|_| MailEnd::GivenUp(WhyGivenUp::Refused, "no such address".to_owned())).await;
        assert_eq!(stuck().await, None);
        // The same, by a server that first asks everybody to come again; it has done so with the first one, too.
        put(store, "noone@example.com").await;
        end(&later).await;
        fresh.clock.advance(Duration::hours(1));
        for _ in 0..2 {
            end(&|_| MailEnd::GivenUp(WhyGivenUp::Refused, "no such address".to_owned())).await;
        }
        assert_eq!((stuck().await, store.waiting_mails().await.unwrap()), (None, 0));
        // Tried in vain for a day, and given up: it stays so until one is sent.
        let last = fresh.clock.now();
        put(store, "olga@example.com").await;
        end(&later).await;
        fresh.clock.advance(Duration::hours(2));
        end(&|_| MailEnd::GivenUp(WhyGivenUp::OutOfTime, "refused".to_owned())).await;
        assert_eq!(stuck().await, Some(last));
        put(store, "olga@example.com").await;
        end(&|_| MailEnd::Sent).await;
        assert_eq!(stuck().await, None);
    }

    async fn a_claim_that_is_over_ends_nothing(fresh: Fresh) {
        let id = put(&fresh.store, "ben@example.com").await;
        let over = fresh.store.claim_mail(Duration::milliseconds(-1)).await.unwrap().unwrap();
        let held = fresh.store.claim_mail(Duration::hours(1)).await.unwrap().unwrap();
        assert_eq!((over.mail.id, held.mail.id, held.mail.attempts), (id, id, 2));
        assert!(fresh.store.claim_mail(Duration::hours(1)).await.unwrap().is_none(), "it is held");
        assert!(!fresh.store.end_mail(&over, &MailEnd::GivenUp(WhyGivenUp::Refused, "late".to_owned())).await.unwrap());
        assert!(held.body.is_some() && fresh.store.secret(&mail_identity(id)).await.unwrap().is_some());
        assert!(fresh.store.end_mail(&held, &MailEnd::Sent).await.unwrap());
        assert!(!fresh.store.end_mail(&held, &MailEnd::Sent).await.unwrap());
        assert!(fresh.store.secret(&mail_identity(id)).await.unwrap().is_none());
        assert!(fresh.store.failed_mails(10).await.unwrap().is_empty());
    }

    async fn a_mail_that_is_put_off_comes_again_in_its_time(fresh: Fresh) {
        put(&fresh.store, "ben@example.com").await;
        let claimed = fresh.store.claim_mail(Duration::hours(1)).await.unwrap().unwrap();
        let later = MailEnd::Later(fresh.clock.now() + Duration::minutes(5), "busy\0".repeat(200));
        assert!(fresh.store.end_mail(&claimed, &later).await.unwrap());
        assert!(fresh.store.claim_mail(Duration::hours(1)).await.unwrap().is_none());
        let trouble = fresh.store.failed_mails(10).await.unwrap().remove(0);
        assert_eq!((trouble.status, trouble.problem.unwrap().chars().count()), (MailStatus::Waiting, 500));
        fresh.clock.advance(Duration::minutes(6));
        let claimed = fresh.store.claim_mail(Duration::hours(1)).await.unwrap().unwrap();
        assert!(fresh.store.end_mail(&claimed, &MailEnd::GivenUp(WhyGivenUp::Refused, "no".to_owned())).await.unwrap());
        assert_eq!(fresh.store.failed_mails(10).await.unwrap()[0].status, MailStatus::Failed);
        fresh.clock.advance(Duration::days(31));
        assert_eq!(fresh.store.forget_mails(fresh.clock.now() - Duration::days(30)).await.unwrap(), 1);
        assert!(fresh.store.failed_mails(10).await.unwrap().is_empty());
    }

    async fn a_wish_to_sign_up_is_fulfilled_once(fresh: Fresh) {
        fresh.store.create_sign_up(wish(&fresh, "ben@example.com", 1)).await.unwrap();
        fresh.store.create_sign_up(wish(&fresh, "ben@example.com", 2)).await.unwrap();
        assert_eq!(fresh.store.open_sign_up(&[1; 32]).await.unwrap().unwrap().email, "ben@example.com");
        assert!(fresh.store.open_sign_up(&[9; 32]).await.unwrap().is_none());
        let tries = (0..6).map(|n| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.fulfil_sign_up(&[1 + n % 2; 32], MemberRole::Viewer).await })
        });
        let mut made = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            // Who comes second finds the code used, or the address in use.
            made.extend(one.await.unwrap().ok().flatten());
        }
        assert_eq!((made.len(), made[0].role), (1, MemberRole::Viewer));
        assert!(fresh.store.open_sign_up(&[1; 32]).await.unwrap().is_none());
        assert!(fresh.store.open_sign_up(&[2; 32]).await.unwrap().is_none());
        fresh.store.create_sign_up(wish(&fresh, "cleo@example.com", 3)).await.unwrap();
        fresh.clock.advance(Duration::hours(24));
        assert!(fresh.store.fulfil_sign_up(&[3; 32], MemberRole::Viewer).await.unwrap().is_none());
    }

    async fn tries_are_counted_over_all_nodes_and_restarts(fresh: Fresh) {
        let node = fresh.store.clone();
        for n in 0..10 {
            let store = if n % 2 == 0 { &fresh.store } else { &node };
            assert_eq!(store.count_try(&[limit(1, 10), limit(2, 100)]).await.unwrap(), None);
        }
        let until = fresh.clock.now() + Duration::minutes(15);
        let restarted = fresh.again().await;
        assert_eq!(restarted.count_try(&[limit(2, 100), limit(1, 10)]).await.unwrap(), Some(until));
        // What is refused counts against nobody.
        assert_eq!(restarted.count_try(&[limit(2, 11)]).await.unwrap(), None);
        assert_eq!(restarted.count_try(&[limit(2, 11)]).await.unwrap(), Some(until));
        restarted.uncount_try(&[2; 32]).await.unwrap();
        assert_eq!(restarted.count_try(&[limit(2, 11)]).await.unwrap(), None);
        restarted.forget_tries(&[1; 32]).await.unwrap();
        assert_eq!(restarted.count_try(&[limit(1, 10)]).await.unwrap(), None);
        fresh.clock.advance(Duration::minutes(15));
        assert_eq!(restarted.count_try(&[limit(2, 1)]).await.unwrap(), None, "counting begins anew");
    }

    async fn many_tries_at_once_are_no_way_around_the_limit(fresh: Fresh) {
        let tries = (0..30).map(|n| {
            let store = fresh.store.clone();
            let limits = if n % 2 == 0 { [limit(1, 10), limit(2, 100)] } else { [limit(2, 100), limit(1, 10)] };
            tokio::spawn(async move { store.count_try(&limits).await.unwrap().is_none() })
        });
        let mut passed = 0;
        for one in tries.collect::<Vec<_>>() {
            passed += usize::from(one.await.unwrap());
        }
        assert_eq!(passed, 10);
    }

    async fn settings_are_set_together(fresh: Fresh) {
        fresh.store.put_settings(&[("limits", 1.into()), ("run_limits", 2.into())]).await.unwrap();
        assert_eq!(fresh.store.setting::<i64>("run_limits").await.unwrap(), Some(2));
        let entries = fresh.store.audit_entries(&guildhall_store::AuditQuery { limit: 10, ..Default::default() }).await.unwrap();
        let changed = entries.iter().filter(|entry| entry.action == AuditAction::ChangeSetting).count();
        assert_eq!(changed, 2);
    }

    async fn the_schema_says_its_version(fresh: Fresh) {
        let (found, wanted) = fresh.store.schema_version().await.unwrap();
        assert!(found == Some(wanted) && wanted >= 6, "{found:?} {wanted}");
    }

    async fn what_is_done_to_cards_and_projects_is_told(fresh: Fresh) {
        let ben = fresh.member("ben").await;
        let project = fresh.project(&ben).await;
        let card = fresh.card(&project, "one").await;
        let id = card.card.id;
        let title = guildhall_store::FeaturePatch { title: Some("two".to_owned()), ..Default::default() };
        fresh.store.update_feature(id, title, None).await.unwrap();
        let place = guildhall_store::FeaturePatch { position: Some(7.0), ..Default::default() };
        fresh.store.update_feature(id, place, None).await.unwrap();
        fresh.store.delete_feature(id).await.unwrap();
        fresh.store.project_failed(project.id, "no disk").await.unwrap();
        fresh.store.project_preparing(project.id).await.unwrap();
        let query = guildhall_store::AuditQuery { oldest_first: true, limit: 50, ..Default::default() };
        let told: Vec<AuditAction> = fresh.store.audit_entries(&query).await.unwrap().iter().map(|one| one.action).collect();
        let last = [AuditAction::CreateFeature, AuditAction::ChangeFeature, AuditAction::DeleteFeature, AuditAction::RetryProject];
        assert!(told.ends_with(&last), "{told:?}");
    }
}
