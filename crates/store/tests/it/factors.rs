//! Second factors: what is good once is good once, whoever tries at the same moment.

use chrono::Duration;
use guildhall_store::{
    NewChallenge, NewPasskey, NewReset, NewSession, SealedSecret, SecondProof, StoreError, totp_identity,
};
use guildhall_types::Clock;
use guildhall_types::audit::{AuditAction, AuditEntry};
use guildhall_types::factor::{ChallengeKind, SecondFactor, SecondFactorSetting};
use guildhall_types::member::{ChangeRefused, Member, MemberRole};

use crate::harness::{Fresh, on_both};

fn sealed(member: &Member, secret: u8) -> SealedSecret {
    SealedSecret {
        identity: totp_identity(member.id),
        key_id: "k".to_owned(),
        wrapped_key: vec![1],
        sealed: vec![secret],
    }
}

fn codes(of: u8) -> Vec<Vec<u8>> {
    (0..10).map(|n| vec![of, n]).collect()
}

fn passkey(member: &Member, credential: u8) -> NewPasskey {
    NewPasskey {
        member_id: member.id,
        credential_id: vec![credential; 16],
        name: format!("key {credential}"),
        public_key: "{}".to_owned(),
        counter: 0,
    }
}

async fn with_app(fresh: &Fresh, member: &Member) {
    assert!(fresh.store.begin_totp(member.id, &sealed(member, 7)).await.unwrap());
    let made = fresh.store.totp(member.id).await.unwrap().unwrap().created_at;
    assert_eq!(fresh.store.enable_totp(member.id, made, 100, &codes(1)).await.unwrap(), Some(true));
}

/// Begins something under a token.
async fn begin(fresh: &Fresh, token: u8, kind: ChallengeKind, member: Option<&Member>) {
    let new = NewChallenge {
        token_hash: vec![token; 32],
        kind,
        member_id: member.map(|member| member.id),
        state: "state".to_owned(),
        expires_at: fresh.clock.now() + Duration::minutes(5),
    };
    fresh.store.put_challenge(new).await.unwrap();
}

async fn told(fresh: &Fresh, action: AuditAction) -> Vec<AuditEntry> {
    let query = guildhall_store::AuditQuery { action: Some(action), limit: 100, ..Default::default() };
    fresh.store.audit_entries(&query).await.unwrap()
}

on_both! {
    async fn an_authenticator_app_comes_into_use_by_a_first_code(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        assert!(fresh.store.begin_totp(anna.id, &sealed(&anna, 1)).await.unwrap());
        let first = fresh.store.totp(anna.id).await.unwrap().unwrap();
        assert!(first.enabled_at.is_none() && !fresh.store.factors(anna.id).await.unwrap().any());
        fresh.clock.advance(Duration::seconds(1));
        assert!(fresh.store.begin_totp(anna.id, &sealed(&anna, 2)).await.unwrap(), "another in its place");
        let kept = fresh.store.secret(&totp_identity(anna.id)).await.unwrap().unwrap();
        assert_eq!(kept.sealed, [2]);
        let outdated = fresh.store.enable_totp(anna.id, first.created_at, 5, &codes(1)).await.unwrap();
        assert_eq!(outdated, None, "the code was of the secret before");
        let made = fresh.store.totp(anna.id).await.unwrap().unwrap().created_at;
        assert_eq!(fresh.store.enable_totp(anna.id, made, 5, &codes(1)).await.unwrap(), Some(true));
        assert_eq!(fresh.store.enable_totp(anna.id, made, 6, &codes(1)).await.unwrap(), None, "once");
        assert!(!fresh.store.begin_totp(anna.id, &sealed(&anna, 3)).await.unwrap(), "not over one in use");
        let factors = fresh.store.factors(anna.id).await.unwrap();
        assert_eq!(factors.kinds(), [SecondFactor::Totp, SecondFactor::RecoveryCode]);
        assert_eq!((factors.totp_since, factors.recovery_codes), (Some(fresh.clock.now()), 10));
        assert!(fresh.store.delete_totp(anna.id).await.unwrap());
        assert!(!fresh.store.delete_totp(anna.id).await.unwrap());
        assert!(fresh.store.secret(&totp_identity(anna.id)).await.unwrap().is_none());
        assert_eq!(fresh.store.factors(anna.id).await.unwrap(), Default::default(), "the codes went with it");
        assert_eq!(told(&fresh, AuditAction::EnableTotp).await.len(), 1);
        assert_eq!(told(&fresh, AuditAction::DisableTotp).await.len(), 1);
    }

    async fn of_many_with_one_proof_one_gets_in(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        with_app(&fresh, &anna).await;
        for (round, proof) in [SecondProof::Step(101), SecondProof::Recovery(vec![1, 0])].into_iter().enumerate() {
            for n in 0..6 {
                begin(&fresh, 10 * round as u8 + n, ChallengeKind::SecondStep, Some(&anna)).await;
            }
            let tries = (0..6).map(|n| {
                let (store, proof) = (fresh.store.clone(), proof.clone());
                let token = vec![10 * round as u8 + n; 32];
                tokio::spawn(async move { store.pass_second_step(&token, anna.id, &proof).await.unwrap() })
            });
            let mut passed = 0;
            for one in tries.collect::<Vec<_>>() {
                passed += usize::from(one.await.unwrap().is_some());
            }
            assert_eq!(passed, 1, "{proof:?}");
        }
        for old in [0, 100, 101] {
            assert!(!fresh.store.use_second_proof(anna.id, &SecondProof::Step(old)).await.unwrap(), "{old}");
        }
        let used = told(&fresh, AuditAction::UseRecoveryCode).await;
        assert_eq!(used.len(), 1);
        assert_eq!(used[0].detail["left"], "9");
    }

    async fn of_many_steps_of_one_sign_in_one_passes(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        with_app(&fresh, &anna).await;
        with_app(&fresh, &ben).await;
        begin(&fresh, 1, ChallengeKind::SecondStep, Some(&anna)).await;
        let tries = (0..6).map(|n| {
            let store = fresh.store.clone();
            let proof = SecondProof::Recovery(vec![1, n]);
            tokio::spawn(async move { store.pass_second_step(&[1; 32], anna.id, &proof).await.unwrap() })
        });
        let mut passed = 0;
        for one in tries.collect::<Vec<_>>() {
            passed += usize::from(one.await.unwrap().is_some());
        }
        assert_eq!(passed, 1);
        let left = fresh.store.factors(anna.id).await.unwrap().recovery_codes;
        assert_eq!(left, 9, "who does not get in uses nothing up");
        begin(&fresh, 2, ChallengeKind::SecondStep, Some(&ben)).await;
        let other = fresh.store.pass_second_step(&[2; 32], anna.id, &SecondProof::Step(300)).await.unwrap();
        assert!(other.is_none(), "begun by another member");
        begin(&fresh, 3, ChallengeKind::SignIn, Some(&anna)).await;
        let other = fresh.store.pass_second_step(&[3; 32], anna.id, &SecondProof::Step(300)).await.unwrap();
        assert!(other.is_none(), "begun as something else");
    }

    async fn a_sign_in_that_is_half_done_ends_by_tries_time_and_whatever_ends_sessions(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let ben = fresh.member("ben").await;
        begin(&fresh, 1, ChallengeKind::SecondStep, Some(&ben)).await;
        assert_eq!(fresh.store.half_done(&[1; 32]).await.unwrap(), Some(ben.id));
        for _ in 0..3 {
            assert_eq!(fresh.store.try_half_done(&[1; 32], 3).await.unwrap(), Some(ben.id));
        }
        assert_eq!(fresh.store.try_half_done(&[1; 32], 3).await.unwrap(), None);
        begin(&fresh, 2, ChallengeKind::SecondStep, Some(&ben)).await;
        fresh.clock.advance(Duration::minutes(5));
        assert_eq!(fresh.store.half_done(&[2; 32]).await.unwrap(), None);
        assert_eq!(fresh.store.try_half_done(&[2; 32], 3).await.unwrap(), None);
        begin(&fresh, 3, ChallengeKind::SecondStep, Some(&ben)).await;
        fresh.store.set_password(ben.id, "new", None).await.unwrap();
        assert_eq!(fresh.store.half_done(&[3; 32]).await.unwrap(), None, "a new password");
        begin(&fresh, 4, ChallengeKind::SecondStep, Some(&ben)).await;
        let disabled = guildhall_types::member::MemberChange { disabled: Some(true), role: None };
        fresh.store.change_member(anna.id, ben.id, disabled).await.unwrap();
        assert_eq!(fresh.store.half_done(&[4; 32]).await.unwrap(), None, "disabled");
    }

    async fn a_challenge_is_taken_once_and_as_what_it_was_begun(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        begin(&fresh, 1, ChallengeKind::Confirm, Some(&anna)).await;
        assert!(fresh.store.take_challenge(&[1; 32], ChallengeKind::SignIn).await.unwrap().is_none());
        let tries = (0..6).map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.take_challenge(&[1; 32], ChallengeKind::Confirm).await.unwrap() })
        });
        let mut taken = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            taken.extend(one.await.unwrap());
        }
        assert_eq!(taken, [(Some(anna.id), "state".to_owned())]);
        begin(&fresh, 2, ChallengeKind::SignIn, None).await;
        fresh.clock.advance(Duration::minutes(5));
        assert!(fresh.store.take_challenge(&[2; 32], ChallengeKind::SignIn).await.unwrap().is_none());
    }

    async fn a_passkey_counts_upwards_and_belongs_to_one_member(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let (made, codes_kept) = fresh.store.create_passkey(passkey(&anna, 1), &codes(1), 2).await.unwrap().unwrap();
        assert!(codes_kept);
        let taken = fresh.store.create_passkey(passkey(&ben, 1), &codes(2), 2).await;
        assert!(matches!(taken, Err(StoreError::Taken { what: "passkey" })), "{taken:?}");
        let (_, codes_kept) = fresh.store.create_passkey(passkey(&anna, 2), &codes(2), 2).await.unwrap().unwrap();
        assert!(!codes_kept, "not the first factor");
        assert!(fresh.store.create_passkey(passkey(&anna, 3), &codes(2), 2).await.unwrap().is_none(), "one too many");
        let kept = fresh.store.passkey_by_credential(&[1; 16]).await.unwrap().unwrap();
        assert_eq!((kept.id, kept.member_id), (made.id, anna.id));
        for (counter, good) in [(0, true), (0, true), (4, true), (4, false), (3, false), (0, false), (5, true)] {
            let used = fresh.store.use_passkey(&kept, counter, None).await.unwrap();
            assert_eq!(used.map(|member| member.id), good.then_some(anna.id), "{counter}");
        }
        let listed = fresh.store.passkeys_of(anna.id).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.last_used_at.is_some()).collect::<Vec<_>>(), [true, false]);
        assert!(fresh.store.use_passkey(&kept, 6, Some(&[9; 32])).await.unwrap().is_none(), "no such second step");
        begin(&fresh, 9, ChallengeKind::SecondStep, Some(&anna)).await;
        assert!(fresh.store.use_passkey(&kept, 6, Some(&[9; 32])).await.unwrap().is_some());
        assert!(fresh.store.use_passkey(&kept, 7, Some(&[9; 32])).await.unwrap().is_none(), "it was ended");
        assert!(fresh.store.rename_passkey(made.id, ben.id, "x").await.unwrap().is_none());
        assert!(!fresh.store.delete_passkey(made.id, ben.id, &[]).await.unwrap());
        assert_eq!(fresh.store.rename_passkey(made.id, anna.id, "x").await.unwrap().unwrap().name, "x");
    }

    async fn the_last_way_in_stays_however_many_try(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let mut ids = Vec::new();
        for n in 1..=4 {
            ids.push(fresh.store.create_passkey(passkey(&anna, n), &codes(1), 9).await.unwrap().unwrap().0.id);
        }
        let tries = ids.into_iter().map(|id| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.delete_passkey(id, anna.id, &[]).await })
        });
        let mut refused = 0;
        for one in tries.collect::<Vec<_>>() {
            match one.await.unwrap() {
                Ok(deleted) => assert!(deleted),
                Err(StoreError::Refused(ChangeRefused::LastWayIn)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(refused, 1);
        let last = fresh.store.passkeys_of(anna.id).await.unwrap().remove(0);
        fresh.store.set_password(anna.id, "hash", None).await.unwrap();
        assert!(fresh.store.delete_passkey(last.id, anna.id, &[]).await.unwrap());
    }

    async fn factors_are_taken_away_with_the_sessions(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let ben = fresh.with_role("ben", MemberRole::Admin).await;
        let cleo = fresh.member("cleo").await;
        for member in [&anna, &cleo] {
            with_app(&fresh, member).await;
            let session = NewSession {
                member_id: member.id, token_hash: member.email.as_bytes().to_vec(), user_agent: None, address: None,
                expires_at: fresh.clock.now() + Duration::days(7),
            };
            fresh.store.create_session(session).await.unwrap();
        }
        fresh.store.create_passkey(passkey(&cleo, 1), &[], 9).await.unwrap().unwrap();
        for (actor, target, why) in [
            (&ben, &anna, ChangeRefused::TargetIsOwner),
            (&cleo, &ben, ChangeRefused::MissingRight),
        ] {
            let refused = fresh.store.take_factors(actor.id, target.id).await;
            assert!(matches!(&refused, Err(StoreError::Refused(found)) if *found == why), "{refused:?}");
        }
        fresh.store.take_factors(ben.id, cleo.id).await.unwrap();
        assert_eq!(fresh.store.factors(cleo.id).await.unwrap(), Default::default());
        assert!(fresh.store.secret(&totp_identity(cleo.id)).await.unwrap().is_none());
        assert!(fresh.store.session_by_token(cleo.email.as_bytes()).await.unwrap().is_none());
        let entry = told(&fresh, AuditAction::TakeFactors).await.remove(0);
        assert_eq!((entry.detail["totp"].as_str(), entry.detail["passkeys"].as_str()), ("1", "1"));

        let link = NewReset {
            member_id: anna.id, code_hash: vec![1; 32], created_by: anna.id, mailed: false,
            expires_at: fresh.clock.now() + Duration::hours(1),
        };
        let mailed = NewReset { code_hash: vec![2; 32], mailed: true, ..link.clone() };
        fresh.store.create_reset(mailed).await.unwrap();
        fresh.store.rescue(link).await.unwrap();
        assert!(fresh.store.reset_member(&[2; 32]).await.unwrap().is_none(), "who reads the mail has no link any more");
        assert!(!fresh.store.factors(anna.id).await.unwrap().any());
        assert!(fresh.store.session_by_token(anna.email.as_bytes()).await.unwrap().is_none());
        assert_eq!(fresh.store.use_reset(&[1; 32], "new").await.unwrap().unwrap().id, anna.id);
        assert_eq!(told(&fresh, AuditAction::Rescue).await.len(), 1);
    }

    async fn who_lacks_what_the_team_asks_for_is_known(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let cleo = fresh.member("cleo").await;
        assert!(!fresh.store.lacks_second_factor(anna.id).await.unwrap(), "nobody asks");
        fresh.store.put_setting("second_factor", &SecondFactorSetting { required: true }).await.unwrap();
        with_app(&fresh, &anna).await;
        fresh.store.create_passkey(passkey(&ben, 1), &[], 9).await.unwrap().unwrap();
        fresh.store.begin_totp(cleo.id, &sealed(&cleo, 1)).await.unwrap();
        let lacking = [&anna, &ben, &cleo].map(|member| fresh.store.lacks_second_factor(member.id));
        let lacking: Vec<bool> = futures::future::join_all(lacking).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(lacking, [false, false, true]);
        assert_eq!(fresh.store.members_with_factors(anna.id, cleo.id).await.unwrap(), [anna.id, ben.id]);
        assert_eq!(fresh.store.members_with_factors(ben.id, ben.id).await.unwrap(), [ben.id]);
        fresh.store.put_setting("second_factor", &SecondFactorSetting { required: false }).await.unwrap();
        assert!(!fresh.store.lacks_second_factor(cleo.id).await.unwrap());
    }
}
