//! Invitations, personal access tokens, links to set a password.

use chrono::Duration;
use guildhall_store::{NewInvitation, NewMember, NewReset, NewSession, NewToken, StoreError};
use guildhall_types::Clock;
use guildhall_types::event::Happening;
use guildhall_types::member::{ChangeRefused, Member, MemberChange, MemberRole};
use guildhall_types::rights::Scope;

use crate::harness::{Fresh, on_both};

fn invitation(fresh: &Fresh, by: &Member, email: &str, code: u8) -> NewInvitation {
    NewInvitation {
        email: email.to_owned(),
        role: MemberRole::Viewer,
        code_hash: vec![code; 32],
        created_by: by.id,
        expires_at: fresh.clock.now() + Duration::days(7),
    }
}

fn account(email: &str) -> NewMember {
    NewMember { email: email.to_owned(), name: "Ben".to_owned(), password_hash: Some("hash".to_owned()) }
}

fn token(fresh: &Fresh, member: &Member, hash: u8) -> NewToken {
    NewToken {
        member_id: member.id,
        name: "script".to_owned(),
        scopes: vec![Scope::Read, Scope::Run],
        token_hash: vec![hash; 32],
        expires_at: fresh.clock.now() + Duration::days(1),
    }
}

on_both! {
    async fn an_invitation_makes_one_member(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let made = fresh.store.create_invitation(invitation(&fresh, &anna, "ben@example.com", 1)).await.unwrap();
        assert_eq!(fresh.store.open_invitation(&[1; 32]).await.unwrap().unwrap(), made);
        assert!(fresh.store.join(account("eve@example.com"), &[1; 32]).await.unwrap().is_none(), "another address");
        assert!(fresh.store.join(account("ben@example.com"), &[9; 32]).await.unwrap().is_none(), "another code");
        let tries = (0..6).map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.join(account("ben@example.com"), &[1; 32]).await })
        });
        let mut joined = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            joined.extend(one.await.unwrap().unwrap());
        }
        assert_eq!(joined.len(), 1);
        assert_eq!(joined[0].role, MemberRole::Viewer);
        let used = fresh.store.invitations(None, 10).await.unwrap().remove(0);
        assert_eq!((used.used_at, used.used_by), (Some(fresh.clock.now()), Some(joined[0].id)));
        assert_eq!(fresh.store.open_invitations().await.unwrap(), 0);
        let last = fresh.store.events_after(0, 10).await.unwrap().pop().unwrap();
        assert_eq!(last.what, Happening::MemberCreated { member: joined.remove(0) });
        let again = fresh.store.create_invitation(invitation(&fresh, &anna, "ben@example.com", 2)).await;
        assert!(matches!(again, Err(StoreError::Taken { .. })), "{again:?}");
    }

    async fn an_invitation_ends_by_time_by_hand_and_by_a_newer_one(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let old = fresh.store.create_invitation(invitation(&fresh, &anna, "ben@example.com", 1)).await.unwrap();
        let new = fresh.store.create_invitation(invitation(&fresh, &anna, "ben@example.com", 2)).await.unwrap();
        assert!(fresh.store.open_invitation(&[1; 32]).await.unwrap().is_none(), "replaced");
        assert!(!fresh.store.revoke_invitation(old.id).await.unwrap());
        assert!(fresh.store.revoke_invitation(new.id).await.unwrap());
        assert!(fresh.store.join(account("ben@example.com"), &[2; 32]).await.unwrap().is_none(), "taken back");
        fresh.store.create_invitation(invitation(&fresh, &anna, "ben@example.com", 3)).await.unwrap();
        fresh.clock.advance(Duration::days(7));
        assert!(fresh.store.join(account("ben@example.com"), &[3; 32]).await.unwrap().is_none(), "too late");
        assert_eq!(fresh.store.member_count().await.unwrap(), 1);
        let page = fresh.store.invitations(Some(new.id), 10).await.unwrap();
        assert_eq!(page.iter().map(|one| one.id).collect::<Vec<_>>(), [old.id], "the page before the second");
    }

    async fn a_token_is_found_used_and_revoked(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let made = fresh.store.create_token(token(&fresh, &anna, 1), 2).await.unwrap().unwrap();
        let found = fresh.store.token_by_hash(&[1; 32]).await.unwrap().unwrap();
        assert_eq!((&found.token, &found.member, found.revoked_at), (&made, &anna, None));
        assert_eq!(fresh.store.token(made.id).await.unwrap(), Some(found));
        assert!(fresh.store.token_by_hash(&[9; 32]).await.unwrap().is_none());
        fresh.store.touch_token(made.id).await.unwrap();
        assert_eq!(fresh.store.tokens_of(anna.id).await.unwrap()[0].last_used_at, Some(fresh.clock.now()));
        fresh.store.create_token(token(&fresh, &anna, 2), 2).await.unwrap().unwrap();
        assert!(fresh.store.create_token(token(&fresh, &anna, 3), 2).await.unwrap().is_none(), "one too many");
        assert!(!fresh.store.revoke_token(made.id, ben.id).await.unwrap(), "not another member's");
        assert!(fresh.store.revoke_token(made.id, anna.id).await.unwrap());
        assert!(!fresh.store.revoke_token(made.id, anna.id).await.unwrap());
        assert!(fresh.store.token_by_hash(&[1; 32]).await.unwrap().unwrap().revoked_at.is_some());
        assert_eq!(fresh.store.tokens_of(anna.id).await.unwrap().len(), 1);
    }

    async fn a_link_sets_one_password_and_ends_the_sessions(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Admin).await;
        let ben = fresh.member("ben").await;
        let session = |hash| NewSession {
            member_id: ben.id, token_hash: vec![hash; 32], user_agent: None, address: None,
            expires_at: fresh.clock.now() + Duration::days(7),
        };
        let link = |code| NewReset {
            member_id: ben.id, code_hash: vec![code; 32], created_by: anna.id, mailed: false,
            expires_at: fresh.clock.now() + Duration::hours(24),
        };
        fresh.store.create_session(session(1)).await.unwrap();
        fresh.store.create_reset(link(1)).await.unwrap();
        fresh.store.create_reset(link(2)).await.unwrap();
        assert!(fresh.store.use_reset(&[1; 32], "new").await.unwrap().is_none(), "replaced");
        assert_eq!(fresh.store.reset_member(&[2; 32]).await.unwrap().unwrap().id, ben.id);
        let tries = (0..4).map(|n| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.use_reset(&[2; 32], &format!("new {n}")).await.unwrap() })
        });
        let mut used = 0;
        for one in tries.collect::<Vec<_>>() {
            used += usize::from(one.await.unwrap().is_some());
        }
        assert_eq!(used, 1);
        assert!(fresh.store.password_hash(ben.id).await.unwrap().unwrap().starts_with("new"));
        assert!(fresh.store.session_by_token(&[1; 32]).await.unwrap().is_none());
        fresh.store.create_reset(link(5)).await.unwrap();
        fresh.store.create_reset(NewReset { created_by: ben.id, mailed: true, ..link(6) }).await.unwrap();
        assert!(fresh.store.reset_member(&[5; 32]).await.unwrap().is_some(), "one that was asked for by mail ends none");
        fresh.store.create_reset(NewReset { created_by: ben.id, ..link(3) }).await.unwrap();
        assert!(fresh.store.reset_member(&[6; 32]).await.unwrap().is_none(), "one that is handed over ends the mailed ones");
        fresh.clock.advance(Duration::hours(24));
        assert!(fresh.store.use_reset(&[3; 32], "late").await.unwrap().is_none());
        fresh.store.create_reset(link(4)).await.unwrap();
        fresh.store.set_password(ben.id, "own", None).await.unwrap();
        assert!(fresh.store.use_reset(&[4; 32], "late").await.unwrap().is_none(), "a new password ends it");
    }

    async fn who_no_longer_runs_the_team_leaves_no_link_behind(fresh: Fresh) {
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        let anna = fresh.with_role("anna", MemberRole::Admin).await;
        let ben = fresh.member("ben").await;
        let expires_at = fresh.clock.now() + Duration::hours(24);
        let link = |of: &Member, by: &Member, code, mailed| NewReset {
            member_id: of.id, code_hash: vec![code; 32], created_by: by.id, mailed, expires_at,
        };
        let open = async |code| fresh.store.reset_member(&[code; 32]).await.unwrap().is_some();
        let role = |role| MemberChange { role: Some(role), disabled: None };
        let refused = |done: Result<(), StoreError>| match done {
            Err(StoreError::Refused(why)) => why,
            other => panic!("{other:?}"),
        };
        let above = fresh.store.create_reset(link(&owner, &anna, 9, false)).await;
        assert_eq!(refused(above), ChangeRefused::TargetIsOwner);
        let gone = MemberChange { role: None, disabled: Some(true) };
        for (change, back) in [
            (role(MemberRole::Member), role(MemberRole::Admin)),
            (gone, MemberChange { disabled: Some(false), ..gone }),
        ] {
            fresh.store.create_reset(link(&ben, &anna, 1, false)).await.unwrap();
            fresh.store.create_reset(link(&ben, &ben, 2, true)).await.unwrap();
            fresh.store.create_reset(link(&ben, &owner, 3, true)).await.unwrap();
            assert!(open(1).await && open(2).await && open(3).await);
            fresh.store.change_member(owner.id, anna.id, change).await.unwrap();
            assert!(!open(1).await, "what the former admin holds lets nobody in");
            assert!(open(2).await && open(3).await, "others' links stay");
            // A request that was under way comes too late.
            let late = fresh.store.create_reset(link(&ben, &anna, 4, false)).await;
            assert_eq!(refused(late), ChangeRefused::MissingRight);
            let late = fresh.store.create_invitation(invitation(&fresh, &anna, "eve@example.com", 5)).await.map(drop);
            assert_eq!(refused(late), ChangeRefused::MissingRight);
            assert!(open(2).await, "nothing is half done");
            fresh.store.change_member(owner.id, anna.id, back).await.unwrap();
            assert!(!open(1).await);
            fresh.tamper("DELETE FROM password_resets").await.unwrap();
        }
        // Nor does who rises above somebody stay in that one's hand.
        fresh.store.create_reset(link(&ben, &anna, 1, false)).await.unwrap();
        fresh.store.create_reset(link(&ben, &ben, 2, true)).await.unwrap();
        fresh.store.change_member(owner.id, ben.id, role(MemberRole::Owner)).await.unwrap();
        assert!(!open(1).await && open(2).await, "its own link stays");
        let late = fresh.store.create_reset(link(&ben, &anna, 4, false)).await;
        assert_eq!(refused(late), ChangeRefused::TargetIsOwner);
        let above = NewInvitation { role: MemberRole::Owner, ..invitation(&fresh, &anna, "eve@example.com", 6) };
        assert_eq!(refused(fresh.store.create_invitation(above).await.map(drop)), ChangeRefused::AboveOwn);
    }

    async fn a_new_password_ends_every_other_session(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let new = |hash| NewSession {
            member_id: anna.id, token_hash: vec![hash; 32], user_agent: None, address: None,
            expires_at: fresh.clock.now() + Duration::days(7),
        };
        let own = fresh.store.create_session(new(1)).await.unwrap();
        fresh.store.create_session(new(2)).await.unwrap();
        fresh.store.set_password(anna.id, "new", Some(own.id)).await.unwrap();
        assert!(fresh.store.session_by_token(&[2; 32]).await.unwrap().is_none());
        fresh.clock.advance(Duration::minutes(20));
        let grace = fresh.clock.now() + Duration::seconds(30);
        let confirmed = fresh.store.confirm_session(own.id, &[3; 32], grace).await.unwrap();
        assert_eq!(confirmed.confirmed_at, fresh.clock.now());
        let (former, _) = fresh.store.session_by_token(&[1; 32]).await.unwrap().unwrap();
        assert_eq!(former.id, own.id, "good for requests under way");
        assert!(former.confirmed_at < confirmed.created_at, "but it proves nothing");
        fresh.clock.advance(Duration::seconds(30));
        assert!(fresh.store.session_by_token(&[1; 32]).await.unwrap().is_none(), "the token is another one");
        assert_eq!(fresh.store.session_by_token(&[3; 32]).await.unwrap().unwrap().0.id, own.id);
        fresh.store.create_session(new(4)).await.unwrap();
        assert_eq!(fresh.store.end_sessions(anna.id, Some(own.id)).await.unwrap(), 1);
        assert!(fresh.store.session(own.id).await.unwrap().is_some());
    }
}
