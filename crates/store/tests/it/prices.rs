//! What models cost, where an admin says so.

use guildhall_store::{AuditQuery, StoreError};
use guildhall_types::audit::{Actor, AuditAction};
use guildhall_types::member::{MemberRole, ProviderKind};
use guildhall_types::price::Price;

use crate::harness::{Fresh, on_both};

const PRICE: Price = Price { input: 1, output: 2, cache_read: 3, cache_write: 4 };

on_both! {
    async fn a_price_is_said_changed_and_taken_back_and_the_audit_tells_of_it(fresh: Fresh) {
        let anna = fresh.with_role("anna", MemberRole::Owner).await;
        let store = fresh.store.acting_as(Actor { member: Some(anna.id), ..Actor::default() });
        let row = store.put_price(ProviderKind::Openai, "gpt-9*", PRICE).await.unwrap();
        assert_eq!((row.price, row.changed_by), (PRICE, Some(anna.id)));
        let dearer = Price { output: 20, ..PRICE };
        let again = store.put_price(ProviderKind::Openai, "gpt-9*", dearer).await.unwrap();
        assert_eq!((again.id, again.price), (row.id, dearer), "one row for one pattern");
        store.put_price(ProviderKind::Google, "gpt-9*", PRICE).await.unwrap();
        assert_eq!(store.prices().await.unwrap().len(), 2);
        assert!(store.delete_price(row.id).await.unwrap());
        assert!(!store.delete_price(row.id).await.unwrap());
        assert_eq!(store.prices().await.unwrap().len(), 1);
        let told = store.audit_entries(&AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
        let told: Vec<_> = told.iter().filter(|entry| matches!(entry.action, AuditAction::PutPrice | AuditAction::DeletePrice)).collect();
        assert_eq!(told.len(), 4);
        let changed = told.iter().find(|entry| entry.detail.contains_key("from") && entry.action == AuditAction::PutPrice).unwrap();
        assert_eq!(changed.detail["from"], "1 in, 2 out, 3 cache read, 4 cache write");
        assert_eq!(changed.detail["to"], "1 in, 20 out, 3 cache read, 4 cache write");
    }

    async fn there_are_no_more_prices_than_there_may_be(fresh: Fresh) {
        for n in 0..500 {
            fresh.store.put_price(ProviderKind::Openai, &format!("m{n}"), PRICE).await.unwrap();
        }
        let refused = fresh.store.put_price(ProviderKind::Openai, "one-more", PRICE).await;
        assert!(matches!(refused, Err(StoreError::TooMany { .. })), "{refused:?}");
        fresh.store.put_price(ProviderKind::Openai, "m7", PRICE).await.unwrap();
    }
}
