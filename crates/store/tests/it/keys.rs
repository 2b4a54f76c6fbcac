//! Which key is current, what is sealed under which, and secrets that are sealed anew while members put others in place.

use guildhall_store::{NewCredential, Rewrapped, SealedSecret, StoreError, WrappedKey, credential_identity};
use guildhall_types::MemberId;
use guildhall_types::audit::AuditAction;
use guildhall_types::member::ProviderKind;

use crate::harness::{Fresh, on_both};

fn credential(member: MemberId, key_id: &str, mark: u8) -> NewCredential {
    NewCredential {
        member_id: member,
        provider: ProviderKind::Anthropic,
        hint: "cdef".to_owned(),
        base_url: None,
        models: Vec::new(),
        secret: SealedSecret {
            identity: credential_identity(member, ProviderKind::Anthropic),
            key_id: key_id.to_owned(),
            wrapped_key: vec![mark; 8],
            sealed: vec![mark; 4],
        },
    }
}

fn under(old: &WrappedKey, key_id: &str) -> WrappedKey {
    let wrapped_key = [&old.wrapped_key[..], b"anew"].concat();
    WrappedKey { identity: old.identity.clone(), key_id: key_id.to_owned(), wrapped_key }
}

/// Ids, what was heard of them, and how many secrets are under each.
async fn known(fresh: &Fresh) -> Vec<(String, i64, bool, bool)> {
    let keys = fresh.store.known_keys().await.unwrap();
    keys.into_iter().map(|key| (key.id, key.secrets, key.current_at.is_some(), key.retired_at.is_some())).collect()
}

on_both! {
    async fn of_many_servers_that_start_at_once_one_names_the_key(fresh: Fresh) {
        assert_eq!(fresh.store.current_key().await.unwrap(), None);
        let tries: Vec<_> = (0..8).map(|n| {
            let store = fresh.store.clone();
            tokio::spawn(async move { store.adopt_key(&format!("k{n}")).await.unwrap() })
        }).collect();
        let mut told = Vec::new();
        for one in tries {
            told.push(one.await.unwrap());
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(fresh.store.current_key().await.unwrap().as_ref(), told.first());
        assert_eq!(known(&fresh).await, [(told[0].clone(), 0, true, false)]);
    }

    async fn a_secret_is_put_under_the_current_key_alone(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        fresh.store.adopt_key("old").await.unwrap();
        fresh.store.put_credential(&credential(anna.id, "old", 1)).await.unwrap();
        fresh.store.add_key("new").await.unwrap();
        fresh.store.turn_to_key("old", "new").await.unwrap();
        let late = fresh.store.put_credential(&credential(anna.id, "old", 2)).await;
        assert!(matches!(&late, Err(StoreError::KeyMoved { current }) if current == "new"), "{late:?}");
        let kept = fresh.store.sealed_credential(anna.id, ProviderKind::Anthropic).await.unwrap().unwrap().secret;
        assert_eq!((kept.key_id.as_str(), kept.sealed), ("old", vec![1; 4]), "nothing was half done");
        assert!(matches!(fresh.store.turn_to_key("old", "third").await, Err(StoreError::KeyMoved { .. })), "overtaken");
        assert_eq!(fresh.store.current_key().await.unwrap().as_deref(), Some("new"));
    }

    async fn a_secret_that_was_replaced_in_between_is_not_written_over(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        fresh.store.adopt_key("old").await.unwrap();
        for member in [anna.id, ben.id] {
            fresh.store.put_credential(&credential(member, "old", 1)).await.unwrap();
        }
        fresh.store.turn_to_key("old", "new").await.unwrap();
        let walked = fresh.store.keys_not_under("new", "", 1).await.unwrap();
        let rest = fresh.store.keys_not_under("new", &walked[0].identity, 10).await.unwrap();
        assert_eq!((walked.len(), rest.len()), (1, 1));
        let mine = |keys: &[WrappedKey], member: MemberId| {
            keys.iter().find(|key| key.identity == credential_identity(member, ProviderKind::Anthropic)).cloned()
        };
        let all = [walked, rest].concat();
        let (of_anna, of_ben) = (mine(&all, anna.id).unwrap(), mine(&all, ben.id).unwrap());

        fresh.store.put_credential(&credential(anna.id, "new", 7)).await.unwrap();
        assert_eq!(fresh.store.rewrap(&of_anna, &under(&of_anna, "new")).await.unwrap(), Rewrapped::Gone);
        let kept = fresh.store.secret(&of_anna.identity).await.unwrap().unwrap();
        assert_eq!((kept.wrapped_key, kept.sealed), (vec![7; 8], vec![7; 4]));

        assert_eq!(fresh.store.rewrap(&of_ben, &under(&of_ben, "new")).await.unwrap(), Rewrapped::Done);
        assert_eq!(fresh.store.rewrap(&of_ben, &under(&of_ben, "new")).await.unwrap(), Rewrapped::Gone, "once");
        let moved = fresh.store.secret(&of_ben.identity).await.unwrap().unwrap();
        assert_eq!((moved.key_id.as_str(), moved.sealed), ("new", vec![1; 4]), "the secret itself is not touched");
        assert!(fresh.store.keys_not_under("new", "", 10).await.unwrap().is_empty());

        // A rotation that another one overtook stops at the next row.
        fresh.store.turn_to_key("new", "newest").await.unwrap();
        let late = fresh.store.rewrap(&of_ben, &under(&of_ben, "new")).await;
        assert!(matches!(late, Err(StoreError::KeyMoved { .. })), "{late:?}");
    }

    async fn a_key_goes_when_nothing_needs_it_and_never_comes_back(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        fresh.store.adopt_key("old").await.unwrap();
        fresh.store.put_credential(&credential(anna.id, "old", 1)).await.unwrap();
        let current = fresh.store.retire_key("old").await.unwrap_err().to_string();
        assert!(current.contains("is the current one"), "{current}");
        fresh.store.turn_to_key("old", "new").await.unwrap();
        let needed = fresh.store.retire_key("old").await.unwrap_err().to_string();
        assert!(needed.contains("still seals 1 secret(s)"), "{needed}");
        assert!(matches!(fresh.store.retire_key("nothing").await, Err(StoreError::NotFound { what: "key" })));
        fresh.store.delete_credential(anna.id, ProviderKind::Anthropic).await.unwrap();
        fresh.store.retire_key("old").await.unwrap();
        assert_eq!(known(&fresh).await, [("new".to_owned(), 0, true, false), ("old".to_owned(), 0, true, true)]);
        let back = fresh.store.turn_to_key("new", "old").await;
        assert!(matches!(back, Err(StoreError::KeyRetired { .. })), "{back:?}");
        assert_eq!(fresh.store.current_key().await.unwrap().as_deref(), Some("new"));
    }

    async fn keys_that_only_secrets_know_of_are_counted(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        // As a database of an earlier version comes here.
        fresh.store.put_credential(&credential(anna.id, "lost", 1)).await.unwrap();
        fresh.store.adopt_key("mine").await.unwrap();
        let mut all = known(&fresh).await;
        all.sort();
        assert_eq!(all, [("lost".to_owned(), 1, false, false), ("mine".to_owned(), 0, true, false)]);
    }

    async fn whoever_puts_and_whoever_turns_never_leave_a_secret_behind(fresh: Fresh) {
        fresh.store.adopt_key("k0").await.unwrap();
        let mut members = Vec::new();
        for n in 0..4 {
            members.push(fresh.member(&format!("m{n}")).await.id);
        }
        let putters: Vec<_> = members.into_iter().map(|member| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                for mark in 0..25 {
                    loop {
                        let current = store.current_key().await.unwrap().unwrap();
                        match store.put_credential(&credential(member, &current, mark)).await {
                            Err(StoreError::KeyMoved { .. }) => {}
                            done => break done.map(drop).unwrap(),
                        }
                    }
                }
            })
        }).collect();
        for round in 0..10 {
            let (from, to) = (format!("k{round}"), format!("k{}", round + 1));
            fresh.store.turn_to_key(&from, &to).await.unwrap();
            for old in fresh.store.keys_not_under(&to, "", 100).await.unwrap() {
                fresh.store.rewrap(&old, &under(&old, &to)).await.unwrap();
            }
            // One walk was enough, and the key before can go at once, whoever puts something at this moment.
            fresh.store.retire_key(&from).await.unwrap();
        }
        for one in putters {
            one.await.unwrap();
        }
        let left: i64 = known(&fresh).await.iter().filter(|(id, ..)| id != "k10").map(|(_, secrets, ..)| secrets).sum();
        assert_eq!(left, 0);
    }

    async fn what_happens_to_keys_is_told(fresh: Fresh) {
        fresh.store.adopt_key("old").await.unwrap();
        fresh.store.add_key("new").await.unwrap();
        fresh.store.turn_to_key("old", "new").await.unwrap();
        fresh.store.note_rewrapped("new", 3, 1).await.unwrap();
        fresh.store.retire_key("old").await.unwrap();
        let query = guildhall_store::AuditQuery { oldest_first: true, limit: 10, ..Default::default() };
        let told = fresh.store.audit_entries(&query).await.unwrap();
        let told: Vec<_> = told.iter().map(|entry| (entry.action, entry.object_id.as_deref().unwrap())).collect();
        assert_eq!(told, [
            (AuditAction::NewKey, "new"), (AuditAction::RotateKey, "new"), (AuditAction::RotateKey, "new"),
            (AuditAction::RetireKey, "old"),
        ]);
    }
}
