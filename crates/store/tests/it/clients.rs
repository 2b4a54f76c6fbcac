//! Programs that members connect.

use chrono::Duration;
use guildhall_store::{ClientBounds, Grant, NewGrant, NewPair};
use guildhall_types::access::OauthClient;
use guildhall_types::audit::{AuditAction, AuditEntry};
use guildhall_types::member::{Member, MemberChange, MemberRole};
use guildhall_types::rights::Scope;
use guildhall_types::{Clock, TokenId};

use crate::harness::{Fresh, on_both};

fn bounds(fresh: &Fresh, most: i64) -> ClientBounds {
    let now = fresh.clock.now();
    ClientBounds { most, unused_since: now - Duration::days(1), ended_since: now - Duration::days(90) }
}

async fn registered(fresh: &Fresh) -> OauthClient {
    let uris = ["http://127.0.0.1/cb".to_owned()];
    fresh.store.register_client("Editor", &uris, bounds(fresh, 10)).await.unwrap()
}

fn grant(fresh: &Fresh, member: &Member, client: &OauthClient, code: u8) -> NewGrant {
    NewGrant {
        member_id: member.id,
        client_id: client.id,
        scopes: vec![Scope::Read, Scope::Run],
        resource: "https://guild.example.com/mcp".to_owned(),
        code_hash: vec![code; 32],
        redirect_uri: "http://127.0.0.1:1/cb".to_owned(),
        challenge: "c".to_owned(),
        code_ends: fresh.clock.now() + Duration::minutes(1),
    }
}

fn pair(fresh: &Fresh, n: u8) -> NewPair {
    let now = fresh.clock.now();
    NewPair {
        access_hash: vec![n, 1],
        access_ends: now + Duration::hours(1),
        refresh_hash: vec![n, 2],
        refresh_ends: now + Duration::days(30),
    }
}

/// A connection whose first pair is number 1.
async fn connected(fresh: &Fresh, member: &Member) -> Grant {
    let client = registered(fresh).await;
    fresh.store.allow_client(grant(fresh, member, &client, 1), 5).await.unwrap().unwrap();
    let found = fresh.store.client_code(&[1; 32]).await.unwrap().unwrap();
    assert!(fresh.store.exchange_code(&[1; 32], &found.grant, pair(fresh, 1)).await.unwrap());
    fresh.store.client_token(&[1, 1]).await.unwrap().unwrap().grant
}

async fn disconnections(fresh: &Fresh) -> Vec<AuditEntry> {
    let query =
        guildhall_store::AuditQuery { action: Some(AuditAction::DisconnectClient), limit: 50, ..Default::default() };
    fresh.store.audit_entries(&query).await.unwrap()
}

on_both! {
    async fn a_code_gives_one_pair_however_many_show_it(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let client = registered(&fresh).await;
        let id = fresh.store.allow_client(grant(&fresh, &anna, &client, 1), 5).await.unwrap().unwrap();
        let found = fresh.store.client_code(&[1; 32]).await.unwrap().unwrap();
        assert_eq!((found.grant.id, &found.grant.name, found.used_at), (id, &"Editor".to_owned(), None));
        let tries = (0..6_u8).map(|n| {
            let (store, grant, pair) = (fresh.store.clone(), found.grant.clone(), pair(&fresh, n));
            tokio::spawn(async move { store.exchange_code(&[1; 32], &grant, pair).await.unwrap() })
        });
        let mut done = 0;
        for one in tries.collect::<Vec<_>>() {
            done += usize::from(one.await.unwrap());
        }
        assert_eq!(done, 1);
        assert_eq!(fresh.store.client_code(&[1; 32]).await.unwrap().unwrap().used_at, Some(fresh.clock.now()));
        let kept = fresh.store.clients_of(anna.id).await.unwrap();
        assert_eq!((kept.len(), kept[0].id, kept[0].ends_at), (1, id, fresh.clock.now() + Duration::days(30)));
        // A code ends by itself, and with it what it was for.
        fresh.store.allow_client(grant(&fresh, &anna, &client, 2), 5).await.unwrap().unwrap();
        fresh.clock.advance(Duration::seconds(61));
        let late = fresh.store.client_code(&[2; 32]).await.unwrap().unwrap();
        assert!(!fresh.store.exchange_code(&[2; 32], &late.grant, pair(&fresh, 9)).await.unwrap());
        assert_eq!(fresh.store.clients_of(anna.id).await.unwrap().len(), 1);
    }

    async fn a_refresh_token_is_exchanged_once(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let grant = connected(&fresh, &anna).await;
        let now = fresh.clock.now();
        assert!(!fresh.store.rotate_tokens(&[1, 1], &grant, pair(&fresh, 7), now).await.unwrap(), "a token for use");
        assert!(fresh.store.rotate_tokens(&[1, 2], &grant, pair(&fresh, 2), now).await.unwrap());
        assert!(!fresh.store.rotate_tokens(&[1, 2], &grant, pair(&fresh, 3), now).await.unwrap());
        let old = fresh.store.client_token(&[1, 2]).await.unwrap().unwrap();
        assert!(old.refresh && old.used_at.is_some());
        assert!(fresh.store.client_token(&[3, 1]).await.unwrap().is_none());
        assert!(!fresh.store.client_token(&[2, 1]).await.unwrap().unwrap().refresh);
        fresh.store.touch_grant(grant.id).await.unwrap();
        assert_eq!(fresh.store.clients_of(anna.id).await.unwrap()[0].last_used_at, Some(fresh.clock.now()));
        // Not used for long, it has ended.
        fresh.clock.advance(Duration::days(31));
        assert!(!fresh.store.rotate_tokens(&[2, 2], &grant, pair(&fresh, 4), now).await.unwrap());
        assert!(fresh.store.clients_of(anna.id).await.unwrap().is_empty());
    }

    async fn a_pair_that_did_not_arrive_is_given_once_more_while_nothing_of_it_was_used(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let grant = connected(&fresh, &anna).await;
        let rotate = async |token: u8, n: u8| {
            let lost_since = fresh.clock.now() - Duration::seconds(30);
            fresh.store.rotate_tokens(&[token, 2], &grant, pair(&fresh, n), lost_since).await.unwrap()
        };
        assert!(rotate(1, 2).await);
        fresh.clock.advance(Duration::seconds(29));
        assert!(rotate(1, 3).await, "its answer was lost");
        assert!(fresh.store.client_token(&[2, 1]).await.unwrap().is_none_or(|old| old.expires_at <= fresh.clock.now()));
        let void = fresh.store.client_token(&[2, 2]).await.unwrap().unwrap();
        assert!(void.used_at.is_some(), "whoever has it after all is a second one");
        assert!(!rotate(1, 4).await && !rotate(2, 4).await, "no third time, and nothing of what is void");
        // What came into use arrived.
        assert!(rotate(3, 5).await);
        fresh.store.use_client_token(&[5, 1]).await.unwrap();
        assert!(!rotate(3, 6).await);
        // Nor is it given after a while.
        assert!(rotate(5, 7).await);
        fresh.clock.advance(Duration::seconds(31));
        assert!(!rotate(5, 8).await);
        // Of many who ask at once two get one, and one of these is void.
        let tries = (10..16_u8).map(|n| {
            let (store, grant, pair) = (fresh.store.clone(), grant.clone(), pair(&fresh, n));
            let lost_since = fresh.clock.now() - Duration::seconds(30);
            tokio::spawn(async move { store.rotate_tokens(&[7, 2], &grant, pair, lost_since).await.unwrap() })
        });
        let mut done = 0;
        for one in tries.collect::<Vec<_>>() {
            done += usize::from(one.await.unwrap());
        }
        assert_eq!(done, 2);
    }

    async fn what_a_member_allows_ends_by_hand_and_with_the_member(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let anna = fresh.member("anna").await;
        let grant = connected(&fresh, &anna).await;
        assert!(!fresh.store.disconnect_client(grant.id, olga.id, "by hand").await.unwrap(), "another's");
        assert!(!fresh.store.disconnect_client(TokenId::new(), anna.id, "by hand").await.unwrap());
        assert!(fresh.store.disconnect_client(grant.id, anna.id, "by hand").await.unwrap());
        assert!(!fresh.store.disconnect_client(grant.id, anna.id, "by hand").await.unwrap());
        assert!(fresh.store.client_token(&[1, 1]).await.unwrap().unwrap().grant.revoked_at.is_some());
        assert!(!fresh.store.rotate_tokens(&[1, 2], &grant, pair(&fresh, 2), fresh.clock.now()).await.unwrap());

        let client = registered(&fresh).await;
        for (code, why) in [(11, "password"), (12, "sign-out"), (13, "disabled")] {
            fresh.store.allow_client(self::grant(&fresh, &anna, &client, code), 5).await.unwrap().unwrap();
            match why {
                "password" => fresh.store.set_password(anna.id, "hash", None).await.unwrap(),
                "sign-out" => drop(fresh.store.sign_out_member(anna.id).await.unwrap()),
                _ => {
                    let change = MemberChange { disabled: Some(true), ..MemberChange::default() };
                    fresh.store.change_member(olga.id, anna.id, change).await.unwrap();
                }
            }
            let found = fresh.store.client_code(&[code; 32]).await.unwrap().unwrap();
            assert!(found.grant.revoked_at.is_some(), "{why}");
            assert!(!fresh.store.exchange_code(&[code; 32], &found.grant, pair(&fresh, code)).await.unwrap(), "{why}");
        }
        assert_eq!(disconnections(&fresh).await.len(), 4);
        let refused = fresh.store.allow_client(self::grant(&fresh, &anna, &client, 14), 5).await.unwrap();
        assert!(refused.is_none(), "a disabled member");
    }

    async fn one_that_is_connected_at_this_moment_is_not_forgotten(fresh: Fresh) {
        // A stranger registers without a pause while a member connects the oldest of those that wait. It says something
        // on PostgreSQL alone: on SQLite one writes after the other.
        let anna = fresh.member("anna").await;
        let uris = ["https://a.example/cb".to_owned()];
        for n in 0..8_u8 {
            let oldest = fresh.store.register_client("Editor", &uris, bounds(&fresh, 1)).await.unwrap();
            let store = fresh.store.clone();
            let (bounds, stranger) = (bounds(&fresh, 1), uris.clone());
            let pushing = tokio::spawn(async move { store.register_client("X", &stranger, bounds).await.unwrap() });
            let connected = fresh.store.allow_client(grant(&fresh, &anna, &oldest, 100 + n), 50).await;
            pushing.await.unwrap();
            // Either of both came first; what a member was told is so.
            match connected {
                Ok(id) => {
                    assert!(id.is_some() && fresh.store.client(oldest.id).await.unwrap().is_some());
                    assert!(fresh.store.client_code(&[100 + n; 32]).await.unwrap().is_some());
                }
                Err(error) => assert!(matches!(error, guildhall_store::StoreError::NotFound { what: "client" }), "{error}"),
            }
        }
    }

    async fn programs_that_nobody_connects_are_few_and_forgotten(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let used = registered(&fresh).await;
        fresh.store.allow_client(grant(&fresh, &anna, &used, 1), 1).await.unwrap().unwrap();
        assert!(fresh.store.allow_client(grant(&fresh, &anna, &used, 2), 1).await.unwrap().is_none(), "one too many");
        let uris = ["https://a.example/cb".to_owned()];
        let mut waiting = Vec::new();
        for name in ["A", "B", "C", "D"] {
            waiting.push(fresh.store.register_client(name, &uris, bounds(&fresh, 2)).await.unwrap().id);
            fresh.clock.advance(Duration::seconds(1));
        }
        // The oldest make room, and what is connected is none of them.
        let mut there = Vec::new();
        for id in &waiting {
            there.push(fresh.store.client(*id).await.unwrap().is_some());
        }
        assert_eq!(there, [false, false, true, true]);
        assert_eq!(fresh.store.client(used.id).await.unwrap(), Some(used.clone()));
        fresh.clock.advance(Duration::days(2));
        fresh.store.register_client("E", &uris, bounds(&fresh, 2)).await.unwrap();
        assert!(fresh.store.client(waiting[3]).await.unwrap().is_none(), "none waits for longer than a day");
        assert_eq!(fresh.store.client(used.id).await.unwrap(), Some(used.clone()));
        // And what ended long ago.
        fresh.clock.advance(Duration::days(100));
        registered(&fresh).await;
        assert!(fresh.store.client(used.id).await.unwrap().is_none());
        assert!(fresh.store.client_code(&[1; 32]).await.unwrap().is_none());
    }
}
