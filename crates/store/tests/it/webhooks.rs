//! Webhooks and the messages to them: each goes with its change, and of those who would send one, one does.

use chrono::Duration;
use guildhall_store::{
    DeliveryEnd, NewWebhook, SealedSecret, Store, StoreError, Tried, WebhookChange, webhook_identity,
};
use guildhall_types::member::Member;
use guildhall_types::notification::{NotificationKind as Kind, Tell};
use guildhall_types::webhook::{DeliveryStatus, Webhook, WebhookFormat};
use guildhall_types::{Clock, DeliveryId, WebhookId};

use crate::harness::{Fresh, on_both};

const HOLD: Duration = Duration::seconds(30);

fn sealed(id: WebhookId) -> SealedSecret {
    SealedSecret { identity: webhook_identity(id), key_id: "k".to_owned(), wrapped_key: vec![1], sealed: vec![2] }
}

async fn webhook(store: &Store, by: &Member, team: bool, kinds: &[Kind]) -> Webhook {
    let id = WebhookId::new();
    let new = NewWebhook {
        id,
        member: (!team).then_some(by.id),
        name: "hook".to_owned(),
        host: "https://example.com".to_owned(),
        kinds: kinds.to_vec(),
        format: WebhookFormat::Standard,
        created_by: by.id,
        sealed: sealed(id),
    };
    store.create_webhook(new).await.unwrap()
}

async fn tell(store: &Store, member: &Member, kind: Kind) {
    store.tell(Tell::new(kind, member.id, "Shop", "It stopped.")).await.unwrap();
}

on_both! {
    async fn who_asked_for_it_gets_a_message_and_no_other(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let of_anna = webhook(&fresh.store, &anna, false, &[Kind::AutoModePaused]).await;
        let of_ben = webhook(&fresh.store, &ben, false, &[Kind::AutoModePaused]).await;
        let of_team = webhook(&fresh.store, &ben, true, &[Kind::AutoModePaused, Kind::CardFailed]).await;
        tell(&fresh.store, &anna, Kind::AutoModePaused).await;
        tell(&fresh.store, &anna, Kind::CardFailed).await;
        let kinds = async |webhook: &Webhook| -> Vec<String> {
            let log = fresh.store.deliveries(webhook.id, webhook.member_id, 9).await.unwrap();
            log.into_iter().map(|one| one.kind).collect()
        };
        assert_eq!(kinds(&of_anna).await, ["auto-mode.paused"]);
        assert_eq!(kinds(&of_ben).await, [""; 0]);
        assert_eq!(kinds(&of_team).await, ["card.failed", "auto-mode.paused"]);
        assert_eq!(fresh.store.deliveries(of_anna.id, None, 9).await.unwrap(), [], "it is not the team's");
        assert_eq!(fresh.store.deliveries(of_anna.id, Some(ben.id), 9).await.unwrap(), [], "nor Ben's");
    }

    async fn a_claim_that_is_over_ends_nothing(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let hook = webhook(&fresh.store, &anna, false, &[Kind::CardFailed]).await;
        tell(&fresh.store, &anna, Kind::CardFailed).await;
        let over = fresh.store.claim_delivery(Duration::milliseconds(-1)).await.unwrap().unwrap();
        let held = fresh.store.claim_delivery(HOLD).await.unwrap().unwrap();
        assert_eq!((over.delivery.id, held.delivery.attempts), (held.delivery.id, 2));
        assert_eq!((held.about.kind, held.sealed.as_ref()), (Kind::CardFailed, Some(&sealed(hook.id))));
        assert!(fresh.store.claim_delivery(HOLD).await.unwrap().is_none());
        let tried = Tried { status_code: Some(200), duration_ms: 12, answer: Some("ok\0".repeat(400)), problem: None };
        assert!(!fresh.store.end_delivery(&over, &tried, DeliveryEnd::Delivered).await.unwrap());
        assert!(fresh.store.end_delivery(&held, &tried, DeliveryEnd::Delivered).await.unwrap());
        assert!(!fresh.store.end_delivery(&held, &tried, DeliveryEnd::Delivered).await.unwrap());
        let last = fresh.store.deliveries(hook.id, Some(anna.id), 9).await.unwrap().remove(0);
        assert_eq!((last.status, last.answer.unwrap().chars().count()), (DeliveryStatus::Delivered, 500));
        fresh.clock.advance(Duration::days(1));
        assert_eq!(fresh.store.forget_deliveries(fresh.clock.now()).await.unwrap(), 1);
    }

    async fn of_many_who_would_send_a_message_one_does(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        for _ in 0..3 {
            webhook(&fresh.store, &anna, false, &[Kind::CardFailed]).await;
        }
        for _ in 0..4 {
            tell(&fresh.store, &anna, Kind::CardFailed).await;
        }
        let senders: Vec<_> = (0..6).map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                let mut sent = Vec::new();
                let mut idle = 0;
                while idle < 20 {
                    match store.claim_delivery(HOLD).await.unwrap() {
                        Some(claimed) => {
                            idle = 0;
                            tokio::task::yield_now().await;
                            assert!(store.end_delivery(&claimed, &Tried::default(), DeliveryEnd::Delivered).await.unwrap());
                            sent.push(claimed.delivery.id);
                        }
                        None => {
                            idle += 1;
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        }
                    }
                }
                sent
            })
        }).collect();
        let mut all = Vec::new();
        for sender in senders {
            all.extend(sender.await.unwrap());
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (12, 12));
    }

    async fn deleting_one_while_it_is_told_of_something_harms_neither(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        for _ in 0..15 {
            let hook = webhook(&fresh.store, &anna, false, &[Kind::CardFailed]).await;
            let (telling, deleting) = (fresh.store.clone(), fresh.store.clone());
            let member = anna.id;
            let told = tokio::spawn(async move { telling.tell(Tell::new(Kind::CardFailed, member, "x", "y")).await });
            let deleted = tokio::spawn(async move { deleting.delete_webhook(hook.id, Some(member)).await });
            told.await.unwrap().unwrap();
            deleted.await.unwrap().unwrap();
        }
        let told = fresh.store.notifications(anna.id, None, false, 9).await.unwrap().page.items;
        assert_eq!((told.len(), told[0].count), (1, 15));
        assert!(fresh.store.claim_delivery(HOLD).await.unwrap().is_none(), "what waited went with it");
    }

    async fn what_is_another_s_is_not_there(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let hook = webhook(&fresh.store, &anna, false, &[Kind::CardFailed]).await;
        for other in [Some(ben.id), None] {
            let gone = |done: Result<(), StoreError>| assert!(matches!(done, Err(StoreError::NotFound { .. })), "{done:?}");
            gone(fresh.store.change_webhook(hook.id, other, WebhookChange::default()).await.map(drop));
            gone(fresh.store.delete_webhook(hook.id, other).await);
            gone(fresh.store.test_webhook(hook.id, other).await.map(drop));
            gone(fresh.store.send_again(hook.id, other, DeliveryId::new()).await.map(drop));
        }
        // Nor does a secret change that nobody's change came with.
        let change = WebhookChange { sealed: Some(("x".to_owned(), SealedSecret { sealed: vec![9], ..sealed(hook.id) })), ..WebhookChange::default() };
        assert!(fresh.store.change_webhook(hook.id, Some(ben.id), change).await.is_err());
        assert_eq!(fresh.store.secret(&webhook_identity(hook.id)).await.unwrap(), Some(sealed(hook.id)));
        fresh.store.delete_webhook(hook.id, Some(anna.id)).await.unwrap();
        assert_eq!(fresh.store.secret(&webhook_identity(hook.id)).await.unwrap(), None, "its secret goes with it");
    }

    async fn there_are_not_too_many_however_many_are_made_at_once(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let made: Vec<_> = (0..14).map(|_| {
            let (store, anna) = (fresh.store.clone(), anna.clone());
            tokio::spawn(async move {
                let id = WebhookId::new();
                let new = NewWebhook {
                    id, member: Some(anna.id), name: "h".to_owned(), host: "h".to_owned(), kinds: vec![Kind::CardFailed],
                    format: WebhookFormat::Slack, created_by: anna.id, sealed: sealed(id),
                };
                store.create_webhook(new).await.is_ok()
            })
        }).collect();
        let mut ok = 0;
        for one in made {
            ok += usize::from(one.await.unwrap());
        }
        assert_eq!((ok, fresh.store.webhooks(Some(anna.id)).await.unwrap().len()), (10, 10));
    }
}
