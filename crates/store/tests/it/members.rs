//! What changes of members, and what that ends.

use chrono::Duration;
use guildhall_store::{NewInvitation, NewSession, NewToken, StoreError};
use guildhall_types::Clock;
use guildhall_types::NodeId;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::limits::Limits;
use guildhall_types::member::{ChangeRefused, MemberChange, MemberRole};
use guildhall_types::rights::Scope;
use guildhall_types::run::RunStatus;

use crate::harness::{Fresh, new_run, on_both};

fn role(role: MemberRole) -> MemberChange {
    MemberChange { role: Some(role), disabled: None }
}

const DISABLED: MemberChange = MemberChange { role: None, disabled: Some(true) };

on_both! {
    async fn of_two_owners_who_give_up_at_once_one_stays(fresh: Fresh) {
        for round in 0..10 {
            let anna = fresh.with_role(&format!("anna{round}"), MemberRole::Owner).await;
            let ben = fresh.with_role(&format!("ben{round}"), MemberRole::Owner).await;
            for earlier in fresh.store.members(None, 100).await.unwrap() {
                if earlier.role == MemberRole::Owner && earlier.id != anna.id && earlier.id != ben.id {
                    fresh.store.change_member(anna.id, earlier.id, role(MemberRole::Viewer)).await.unwrap();
                }
            }
            let change = if round % 2 == 0 { role(MemberRole::Member) } else { DISABLED };
            let tries = [(anna.id, anna.id), (ben.id, ben.id)].map(|(actor, target)| {
                let store = fresh.store.clone();
                tokio::spawn(async move { store.change_member(actor, target, change).await })
            });
            let mut refused = 0;
            for one in tries {
                if let Err(error) = one.await.unwrap() {
                    assert!(matches!(error, StoreError::Refused(ChangeRefused::LastOwner)), "{error:?}");
                    refused += 1;
                }
            }
            assert_eq!(refused, 1, "round {round}");
        }
    }

    async fn two_owners_who_depose_each_other_leave_one(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let ben = fresh.with_role("ben", MemberRole::Owner).await;
        let tries = [(anna.id, ben.id), (ben.id, anna.id)].map(|(actor, target)| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.change_member(actor, target, DISABLED).await.is_ok() })
        });
        let mut done = Vec::new();
        for one in tries {
            done.push(one.await.unwrap());
        }
        done.sort_unstable();
        assert_eq!(done, [false, true]);
        let owners = fresh.store.members(None, 10).await.unwrap();
        assert_eq!(owners.iter().filter(|member| member.disabled_at.is_none()).count(), 1);
    }

    async fn nobody_is_changed_by_who_may_not(fresh: Fresh) {
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        let admin = fresh.with_role("adam", MemberRole::Admin).await;
        let member = fresh.member("mia").await;
        let refused = async |actor: &guildhall_types::member::Member, target: &guildhall_types::member::Member, change| {
            match fresh.store.change_member(actor.id, target.id, change).await {
                Err(StoreError::Refused(why)) => why,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(&member, &admin, DISABLED).await, ChangeRefused::MissingRight);
        assert_eq!(refused(&member, &member, role(MemberRole::Admin)).await, ChangeRefused::MissingRight);
        assert_eq!(refused(&admin, &owner, DISABLED).await, ChangeRefused::TargetIsOwner);
        assert_eq!(refused(&admin, &admin, role(MemberRole::Owner)).await, ChangeRefused::AboveOwn);
        assert_eq!(refused(&owner, &owner, role(MemberRole::Admin)).await, ChangeRefused::LastOwner);
        fresh.store.change_member(owner.id, admin.id, role(MemberRole::Owner)).await.unwrap();
        fresh.store.change_member(owner.id, owner.id, role(MemberRole::Admin)).await.unwrap();
        assert_eq!(refused(&owner, &admin, DISABLED).await, ChangeRefused::TargetIsOwner);
    }

    async fn disabling_ends_everything_at_once(fresh: Fresh) {
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        let anna = fresh.with_role("anna", MemberRole::Admin).await;
        let project = fresh.project(&owner).await;
        let (working, queued, other) =
            (fresh.card(&project, "one").await, fresh.card(&project, "two").await, fresh.card(&project, "three").await);
        fresh.store.start_feature(working.card.id, anna.id, new_run(), i64::MAX).await.unwrap();
        let claimed = fresh.store.claim_run(NodeId::new(), Duration::minutes(1), &Limits::default()).await.unwrap().unwrap();
        fresh.store.start_feature(queued.card.id, anna.id, new_run(), i64::MAX).await.unwrap();
        fresh.store.start_feature(other.card.id, owner.id, new_run(), i64::MAX).await.unwrap();
        let expires_at = fresh.clock.now() + Duration::days(7);
        fresh.store.create_session(NewSession {
            member_id: anna.id, token_hash: vec![1; 32], user_agent: None, address: None, expires_at,
        }).await.unwrap();
        let token = NewToken {
            member_id: anna.id, name: "t".to_owned(), scopes: vec![Scope::Read], token_hash: vec![2; 32], expires_at,
        };
        fresh.store.create_token(token, 9).await.unwrap().unwrap();
        fresh.store.create_invitation(NewInvitation {
            email: "x@example.com".to_owned(), role: MemberRole::Admin, code_hash: vec![3; 32], created_by: anna.id, expires_at,
        }).await.unwrap();

        let before = fresh.store.last_seq().await.unwrap();
        let changed = fresh.store.change_member(owner.id, anna.id, DISABLED).await.unwrap();
        assert_eq!(changed.stopped.len(), 2);
        assert!(changed.member.disabled_at.is_some());
        assert!(fresh.store.session_by_token(&[1; 32]).await.unwrap().is_none());
        assert!(fresh.store.token_by_hash(&[2; 32]).await.unwrap().unwrap().revoked_at.is_some());
        assert!(fresh.store.open_invitation(&[3; 32]).await.unwrap().is_none());
        for card in [&working, &queued] {
            let card = fresh.store.feature(card.card.id).await.unwrap().unwrap();
            assert_eq!(card.card.status, FeatureStatus::Paused);
            let run = fresh.store.run(card.card.run_id.unwrap()).await.unwrap().unwrap();
            assert_eq!((run.status, run.lease_until), (RunStatus::Stopped, None));
        }
        let lost = fresh.store.renew_lease(&claimed.lease, Duration::minutes(1)).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)), "whoever held it writes nothing more");
        assert_eq!(fresh.store.feature(other.card.id).await.unwrap().unwrap().card.status, FeatureStatus::Queued);
        let events = fresh.store.events_after(before, 50).await.unwrap();
        let stopped = events.iter().filter(|event| matches!(&event.what, Happening::RunUpdated { .. })).count();
        assert_eq!(stopped, 2);
        assert_eq!(events.last().unwrap().what, Happening::MemberUpdated { member: changed.member });

        // Nothing begins in the name of a disabled member, and what others say is done in their own.
        let start = fresh.store.start_feature(working.card.id, anna.id, new_run(), i64::MAX).await;
        assert!(matches!(start, Err(StoreError::Refused(ChangeRefused::MissingRight))), "{start:?}");
        let (_, run) = fresh.store.follow_up(working.card.id, owner.id, "go on").await.unwrap();
        assert_eq!((run.status, run.member_id), (RunStatus::Queued, owner.id));
        let enabled = MemberChange { role: None, disabled: Some(false) };
        fresh.store.change_member(owner.id, anna.id, enabled).await.unwrap();
        assert!(fresh.store.token_by_hash(&[2; 32]).await.unwrap().unwrap().revoked_at.is_some(), "it stays ended");
    }

    async fn a_change_of_role_ends_the_sessions_and_what_the_new_role_may_not(fresh: Fresh) {
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        let anna = fresh.member("anna").await;
        let project = fresh.project(&owner).await;
        let card = fresh.card(&project, "one").await;
        let session = |hash| NewSession {
            member_id: anna.id, token_hash: vec![hash; 32], user_agent: None, address: None,
            expires_at: fresh.clock.now() + Duration::days(7),
        };
        fresh.store.start_feature(card.card.id, anna.id, new_run(), i64::MAX).await.unwrap();
        fresh.store.create_session(session(1)).await.unwrap();
        let risen = fresh.store.change_member(owner.id, anna.id, role(MemberRole::Admin)).await.unwrap();
        assert!(risen.stopped.is_empty());
        assert!(fresh.store.session_by_token(&[1; 32]).await.unwrap().is_none());
        fresh.store.create_session(session(2)).await.unwrap();
        fresh.store.change_member(owner.id, anna.id, role(MemberRole::Admin)).await.unwrap();
        assert!(fresh.store.session_by_token(&[2; 32]).await.unwrap().is_some(), "nothing changed");
        let fallen = fresh.store.change_member(owner.id, anna.id, role(MemberRole::Viewer)).await.unwrap();
        assert_eq!(fallen.stopped.len(), 1);
    }

    async fn members_who_come_and_go_while_runs_are_claimed_leave_no_run_behind(fresh: Fresh) {
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        let project = fresh.project(&owner).await;
        let anna = fresh.member("anna").await;
        let mut cards = Vec::new();
        for n in 0..12 {
            cards.push(fresh.card(&project, &format!("card {n}")).await.card.id);
        }
        let starts: Vec<_> = cards.into_iter().map(|card| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.start_feature(card, anna.id, new_run(), i64::MAX).await.is_ok() })
        }).collect();
        let claims: Vec<_> = (0..4).map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.claim_run(NodeId::new(), Duration::minutes(1), &Limits::default()).await.unwrap(); })
        }).collect();
        fresh.store.change_member(owner.id, anna.id, DISABLED).await.unwrap();
        for start in starts {
            start.await.unwrap();
        }
        for claim in claims {
            claim.await.unwrap();
        }
        assert_eq!(fresh.store.run_counts().await.unwrap(), (0, 0));
    }
}
