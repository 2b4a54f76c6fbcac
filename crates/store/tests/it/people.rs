//! Members, sessions, credentials, settings.

use chrono::Duration;
use guildhall_store::{
    NewCredential, NewMember, NewSession, NewTeamCredential, SealedSecret, StoreError, credential_identity,
    team_credential_identity,
};
use guildhall_types::audit::AuditAction;
use guildhall_types::member::{ListedModel, MemberRole, Preferences, ProviderKind, Theme};
use guildhall_types::{Clock, MemberId};

use crate::harness::{Fresh, on_both};

fn named(name: &str) -> NewMember {
    NewMember { email: format!("{name}@example.com"), name: name.to_owned(), password_hash: Some("hash".to_owned()) }
}

on_both! {
    async fn only_one_of_many_becomes_the_first_member(fresh: Fresh) {
        let tries: Vec<_> = (0..8).map(|n| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.create_first_member(named(&format!("m{n}"))).await.unwrap() })
        }).collect();
        let mut made = Vec::new();
        for one in tries {
            made.extend(one.await.unwrap());
        }
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].role, MemberRole::Owner);
        assert_eq!(fresh.store.member_count().await.unwrap(), 1);
    }

    async fn an_address_belongs_to_one_member(fresh: Fresh) {
        let anna = fresh.store.create_member(named("anna"), MemberRole::Member).await.unwrap();
        let again = fresh.store.create_member(named("anna"), MemberRole::Member).await;
        assert!(matches!(again, Err(StoreError::Taken { what: "e-mail address" })));
        let (found, hash) = fresh.store.member_by_email("anna@example.com").await.unwrap().unwrap();
        assert_eq!((found, hash.as_deref()), (anna.clone(), Some("hash")));
        let renamed = fresh.store.change_profile(anna.id, Some("Anna B."), Some(Some("Europe/Berlin"))).await.unwrap();
        assert_eq!((renamed.name.as_str(), renamed.time_zone.as_deref()), ("Anna B.", Some("Europe/Berlin")));
        assert_eq!(fresh.store.members(None, 10).await.unwrap(), [renamed]);
        let bare = fresh.store.change_profile(anna.id, None, Some(None)).await.unwrap();
        assert_eq!((bare.name.as_str(), bare.time_zone), ("Anna B.", None));
    }

    async fn a_session_ends_by_time_and_by_hand(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let new = |hash: u8| NewSession {
            member_id: anna.id, token_hash: vec![hash; 32], user_agent: Some("Firefox".to_owned()), address: None,
            expires_at: fresh.clock.now() + Duration::days(7),
        };
        let one = fresh.store.create_session(new(1)).await.unwrap();
        fresh.store.create_session(new(2)).await.unwrap();
        assert_eq!(fresh.store.session_by_token(&[1; 32]).await.unwrap().unwrap(), (one.clone(), anna.clone()));
        assert!(fresh.store.session_by_token(&[9; 32]).await.unwrap().is_none());
        assert_eq!(fresh.store.sessions_of(anna.id).await.unwrap().len(), 2);
        assert!(!fresh.store.end_session(one.id, ben.id, AuditAction::SignOut).await.unwrap(), "not another member's");
        assert!(fresh.store.end_session(one.id, anna.id, AuditAction::SignOut).await.unwrap());
        assert!(fresh.store.session_by_token(&[1; 32]).await.unwrap().is_none());
        fresh.clock.advance(Duration::days(7));
        assert!(fresh.store.session_by_token(&[2; 32]).await.unwrap().is_none());
    }

    async fn a_credential_is_replaced_and_deleted(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let identity = credential_identity(anna.id, ProviderKind::Anthropic);
        let mut sealed = NewCredential {
            member_id: anna.id, provider: ProviderKind::Anthropic, hint: "cdef".to_owned(), base_url: None,
            models: vec![ListedModel { id: "qwen3".to_owned(), context_window: Some(131_072) }],
            secret: SealedSecret {
                identity: identity.clone(), key_id: "k".to_owned(), wrapped_key: vec![1, 2], sealed: vec![3, 4],
            },
        };
        fresh.store.put_credential(&sealed).await.unwrap();
        sealed.hint = "7890".to_owned();
        sealed.secret.sealed = vec![5];
        sealed.base_url = Some("http://10.0.0.1".to_owned());
        fresh.store.put_credential(&sealed).await.unwrap();
        let shown = fresh.store.credentials_of(anna.id).await.unwrap();
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].hint, "7890");
        assert_eq!(shown[0].models, sealed.models);
        let kept = fresh.store.sealed_credential(anna.id, ProviderKind::Anthropic).await.unwrap().unwrap();
        assert_eq!((kept.secret.sealed.as_slice(), kept.base_url.as_deref()), (&[5][..], Some("http://10.0.0.1")));
        assert_eq!((kept.hint.as_str(), &kept.models), ("7890", &sealed.models));
        fresh.store.keep_models(anna.id, ProviderKind::Anthropic, &[]).await.unwrap();
        assert!(fresh.store.credentials_of(anna.id).await.unwrap()[0].models.is_empty());
        assert!(!format!("{sealed:?}").contains("sealed: ["));
        assert!(fresh.store.delete_credential(anna.id, ProviderKind::Anthropic).await.unwrap());
        assert!(fresh.store.sealed_credential(anna.id, ProviderKind::Anthropic).await.unwrap().is_none());
        assert!(fresh.store.secret(&identity).await.unwrap().is_none(), "the sealed key goes with it");
    }

    async fn a_key_of_the_team_is_its_own(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let provider = ProviderKind::Compatible;
        let identity = team_credential_identity(provider);
        let mut new = NewTeamCredential {
            put_by: anna.id, provider, hint: "cdef".to_owned(), base_url: Some("http://10.0.0.1/v1".to_owned()),
            models: vec![ListedModel { id: "qwen3".to_owned(), context_window: None }],
            secret: SealedSecret {
                identity: identity.clone(), key_id: "k".to_owned(), wrapped_key: vec![1, 2], sealed: vec![3, 4],
            },
        };
        fresh.store.put_team_credential(&new).await.unwrap();
        fresh.store.touch_team_credential(provider).await.unwrap();
        let shown = fresh.store.team_credentials().await.unwrap();
        assert_eq!((shown[0].hint.as_str(), shown[0].put_by), ("cdef", anna.id));
        assert!(shown[0].last_used_at.is_some());
        assert_eq!(shown[0].models, new.models);
        assert!(fresh.store.sealed_credential(anna.id, provider).await.unwrap().is_none(), "it is nobody's own");

        new.secret.sealed = vec![5];
        fresh.store.put_team_credential(&new).await.unwrap();
        assert!(fresh.store.team_credentials().await.unwrap()[0].last_used_at.is_none());
        fresh.store.keep_team_models(provider, &[]).await.unwrap();
        let kept = fresh.store.sealed_team_credential(provider).await.unwrap().unwrap();
        assert_eq!((kept.secret.sealed, kept.models), (vec![5], Vec::new()));
        assert!(fresh.store.delete_team_credential(provider).await.unwrap());
        assert!(!fresh.store.delete_team_credential(provider).await.unwrap());
        assert!(fresh.store.secret(&identity).await.unwrap().is_none(), "the sealed key goes with it");
    }

    async fn how_a_member_likes_the_page_is_kept(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        assert_eq!(fresh.store.preferences(anna.id).await.unwrap(), Preferences::default());
        let dark = Preferences { theme: Theme::Dark, diff_tree: false, ..Preferences::default() };
        fresh.store.set_preferences(anna.id, dark).await.unwrap();
        assert_eq!(fresh.store.preferences(anna.id).await.unwrap(), dark);
        assert_eq!(fresh.store.preferences(ben.id).await.unwrap(), Preferences::default(), "nobody else's");
        let nobody = fresh.store.set_preferences(MemberId::new(), dark).await;
        assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
    }

    async fn a_setting_reads_back(fresh: Fresh) {
        assert_eq!(fresh.store.setting::<Vec<i64>>("limits").await.unwrap(), None);
        fresh.store.put_setting("limits", &[1, 2]).await.unwrap();
        fresh.store.put_setting("limits", &[3]).await.unwrap();
        assert_eq!(fresh.store.setting::<Vec<i64>>("limits").await.unwrap(), Some(vec![3]));
    }
}
