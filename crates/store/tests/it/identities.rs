//! Accounts at providers, sign-ins that are under way there, and pictures.

use chrono::Duration;
use guildhall_store::{Avatar, NewIdentity, NewInvitation, NewMember, NewSession, SignInTry, StoreError, Unlinked};
use guildhall_types::event::Happening;
use guildhall_types::member::MemberRole;
use guildhall_types::{Clock, DateTime, SessionId};

use crate::harness::{Fresh, on_both};

const ISSUER: &str = "https://id.example.com";

fn identity(subject: &str) -> NewIdentity {
    NewIdentity { issuer: ISSUER.to_owned(), subject: subject.to_owned(), email: Some("a@example.com".to_owned()) }
}

fn account(email: &str) -> NewMember {
    NewMember { email: email.to_owned(), name: "Ben".to_owned(), password_hash: None }
}

fn avatar(version: &str) -> Avatar {
    Avatar { version: version.to_owned(), media_type: "image/png".to_owned(), bytes: version.as_bytes().to_vec() }
}

on_both! {
    async fn an_account_is_one_members_however_many_ask_at_once(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let tries = [anna.id, ben.id, anna.id, ben.id].map(|member| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.link_identity(member, &identity("x")).await })
        });
        let mut owners = Vec::new();
        for one in tries {
            match one.await.unwrap() {
                Ok(linked) => owners.push(linked.member_id),
                Err(error) => assert!(matches!(error, StoreError::Taken { what: "account" }), "{error:?}"),
            }
        }
        assert!(!owners.is_empty() && owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
        let (found, member) = fresh.store.member_by_identity(ISSUER, "x").await.unwrap().unwrap();
        assert_eq!((found.member_id, member.id), (owners[0], owners[0]));
        // The same subject elsewhere is somebody else, and so is another one here.
        assert!(fresh.store.member_by_identity("https://id.example.org", "x").await.unwrap().is_none());
        assert!(fresh.store.member_by_identity(ISSUER, "X").await.unwrap().is_none());
        fresh.store.touch_identity(found.id, None).await.unwrap();
        let touched = fresh.store.identities_of(owners[0]).await.unwrap().remove(0);
        assert_eq!((touched.last_used_at, touched.email.as_deref()), (Some(fresh.clock.now()), Some("a@example.com")));
        fresh.store.touch_identity(found.id, Some("b\0@example.com")).await.unwrap();
        assert_eq!(fresh.store.identities_of(owners[0]).await.unwrap()[0].email.as_deref(), Some("b\u{fffd}@example.com"));
    }

    async fn the_last_way_in_stays(fresh: Fresh) {
        let ben = fresh.store.sign_up_by_identity(account("ben@example.com"), MemberRole::Viewer, &identity("one")).await;
        let ben = ben.unwrap();
        let last = fresh.store.events_after(0, 10).await.unwrap().pop().unwrap();
        assert_eq!(last.what, Happening::MemberCreated { member: ben.clone() });
        let here = [ISSUER.to_owned()];
        let one = fresh.store.identities_of(ben.id).await.unwrap().remove(0);
        assert_eq!(fresh.store.unlink_identity(ben.id, one.id, &here).await.unwrap(), Unlinked::LastWayIn);
        assert_eq!(one.last_used_at, Some(fresh.clock.now()), "whoever signs up by it uses it");
        let two = fresh.store.link_identity(ben.id, &identity("two")).await.unwrap();
        assert_eq!(two.last_used_at, None);
        // Of two that go at once, one stays.
        let tries = [one.id, two.id].map(|id| {
            let (store, here) = (fresh.store.clone(), here.clone());
            tokio::spawn(async move { store.unlink_identity(ben.id, id, &here).await.unwrap() })
        });
        let mut done = Vec::new();
        for one in tries {
            done.push(one.await.unwrap());
        }
        assert!(done.contains(&Unlinked::Done) && done.contains(&Unlinked::LastWayIn), "{done:?}");
        let left = fresh.store.identities_of(ben.id).await.unwrap().remove(0);
        // At a provider that cannot be used, an account is no way in; somebody else's is not there at all.
        let third = fresh.store.link_identity(ben.id, &identity("three")).await.unwrap();
        assert_eq!(fresh.store.unlink_identity(ben.id, third.id, &[]).await.unwrap(), Unlinked::LastWayIn);
        let anna = fresh.member("anna").await;
        assert_eq!(fresh.store.unlink_identity(anna.id, left.id, &here).await.unwrap(), Unlinked::NotFound);
        fresh.store.set_password(ben.id, "hash", None).await.unwrap();
        for id in [left.id, third.id] {
            assert_eq!(fresh.store.unlink_identity(ben.id, id, &[]).await.unwrap(), Unlinked::Done);
        }
        assert!(fresh.store.verify_audit().await.unwrap().broken.is_none());
    }

    async fn who_joins_by_an_account_joins_whole_or_not_at_all(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        fresh.store.link_identity(anna.id, &identity("taken")).await.unwrap();
        let invitation = NewInvitation {
            email: "ben@example.com".to_owned(),
            role: MemberRole::Viewer,
            code_hash: vec![1; 32],
            created_by: anna.id,
            expires_at: fresh.clock.now() + Duration::days(7),
        };
        fresh.store.create_invitation(invitation).await.unwrap();
        let refused = fresh.store.join_by_identity(account("ben@example.com"), &[1; 32], &identity("taken")).await;
        assert!(matches!(refused, Err(StoreError::Taken { .. })), "{refused:?}");
        let refused = fresh.store.sign_up_by_identity(account("eve@example.com"), MemberRole::Member, &identity("taken")).await;
        assert!(matches!(refused, Err(StoreError::Taken { .. })), "{refused:?}");
        assert_eq!(fresh.store.member_count().await.unwrap(), 1);
        assert_eq!(fresh.store.open_invitations().await.unwrap(), 1, "the invitation was not used up");
        let none = fresh.store.join_by_identity(account("eve@example.com"), &[1; 32], &identity("eve")).await.unwrap();
        assert!(none.is_none(), "another address");
        let ben = fresh.store.join_by_identity(account("ben@example.com"), &[1; 32], &identity("ben")).await;
        let ben = ben.unwrap().unwrap();
        assert_eq!(ben.role, MemberRole::Viewer);
        assert_eq!(fresh.store.member_by_identity(ISSUER, "ben").await.unwrap().unwrap().1, ben);
    }

    async fn a_try_is_taken_once_and_in_time(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let one = |state: u8| SignInTry {
            state_hash: vec![state; 32],
            browser_hash: vec![9; 32],
            provider: "google".to_owned(),
            purpose: "link".to_owned(),
            invitation_hash: Some(vec![8; 32]),
            member_id: Some(anna.id),
            session_id: Some(SessionId::new()),
            go_to: "/settings".to_owned(),
            redirect_url: "https://guild.example.com/x".to_owned(),
            started_at: fresh.clock.now(),
            expires_at: fresh.clock.now() + Duration::minutes(10),
        };
        let first = one(1);
        fresh.store.create_try(&first).await.unwrap();
        let tries = (0..6).map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.take_try(&[1; 32]).await.unwrap() })
        });
        let mut taken = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            taken.extend(one.await.unwrap());
        }
        assert_eq!(taken, [first]);
        assert!(fresh.store.take_try(&[2; 32]).await.unwrap().is_none());
        fresh.store.create_try(&one(3)).await.unwrap();
        fresh.clock.advance(Duration::minutes(10));
        assert!(fresh.store.take_try(&[3; 32]).await.unwrap().is_none(), "too late");
    }

    async fn a_session_says_by_what_and_how_long_ago_it_was_proved(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let new = |hash: u8| NewSession {
            member_id: anna.id, token_hash: vec![hash; 32], user_agent: None, address: None,
            expires_at: fresh.clock.now() + Duration::days(7),
        };
        let made = fresh.store.create_session_by(new(1), "google", DateTime::UNIX_EPOCH).await.unwrap();
        assert_eq!(made.confirmed_at, DateTime::UNIX_EPOCH);
        assert_eq!(fresh.store.session(made.id).await.unwrap().unwrap().0, made);
        let made = fresh.store.create_session(new(2)).await.unwrap();
        assert_eq!(fresh.store.session(made.id).await.unwrap().unwrap().0.confirmed_at, fresh.clock.now());
    }

    async fn a_picture_comes_goes_and_stays_away(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        assert!(anna.avatar.is_none() && fresh.store.avatar(anna.id).await.unwrap().is_none());
        assert!(fresh.store.put_avatar(anna.id, &avatar("a")).await.unwrap());
        assert!(!fresh.store.put_avatar(anna.id, &avatar("a")).await.unwrap(), "the same again");
        assert!(fresh.store.put_avatar(anna.id, &avatar("b")).await.unwrap());
        assert_eq!(fresh.store.avatar(anna.id).await.unwrap(), Some(avatar("b")));
        let seen = fresh.store.member(anna.id).await.unwrap().unwrap();
        assert_eq!(seen.avatar.as_deref(), Some("b"));
        let last = fresh.store.events_after(0, 100).await.unwrap().pop().unwrap();
        assert_eq!(last.what, Happening::MemberUpdated { member: seen });
        assert!(fresh.store.remove_avatar(anna.id).await.unwrap());
        assert!(!fresh.store.remove_avatar(anna.id).await.unwrap());
        assert!(!fresh.store.put_avatar(anna.id, &avatar("c")).await.unwrap(), "it was taken away");
        assert!(fresh.store.avatar(anna.id).await.unwrap().is_none());
        fresh.store.link_identity(anna.id, &identity("x")).await.unwrap();
        assert!(fresh.store.put_avatar(anna.id, &avatar("d")).await.unwrap(), "who links an account wants it");
    }
}
