//! Cards that come from another board.

use guildhall_store::{BroughtCard, StoreError};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::feature_text::TextDeed;
use guildhall_types::{Clock, FeatureId};

use crate::harness::{Fresh, card, file, on_both};

on_both! {
    async fn a_card_comes_in_once_with_its_files(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let id = FeatureId::new();
        let brought = BroughtCard {
            id, card: card(&project, "done"), done: true, summary: Some("All of it.".to_owned()),
            files: vec![file("a.txt", "text/plain", b"text")],
            earlier: vec![(fresh.clock.now() - chrono::Duration::days(9), "Older.".to_owned())],
        };
        assert!(!fresh.store.came_in(id).await.unwrap());
        let feature = fresh.store.bring_card(brought.clone()).await.unwrap().unwrap();
        assert_eq!((feature.card.id, feature.card.status), (id, FeatureStatus::Completed));
        assert_eq!(fresh.store.feature(id).await.unwrap().unwrap().summary.as_deref(), Some("All of it."));
        let files = fresh.store.attachments(id).await.unwrap();
        assert_eq!((files.len(), files[0].created_by), (1, Some(anna.id)));
        let texts = fresh.store.feature_texts(id).await.unwrap();
        let of: Vec<_> = texts.iter().map(|text| (text.number, text.deed, text.member_id)).collect();
        assert_eq!(of, [(2, TextDeed::Imported, Some(anna.id)), (1, TextDeed::Imported, None)]);
        let older = fresh.store.feature_text(id, 1).await.unwrap().unwrap();
        assert_eq!((older.description.as_deref(), older.at), (Some("Older."), brought.earlier[0].0));
        // Not again, even when it was deleted since.
        assert!(fresh.store.bring_card(brought.clone()).await.unwrap().is_none());
        fresh.store.delete_feature(id).await.unwrap();
        assert!(fresh.store.came_in(id).await.unwrap());
        assert!(fresh.store.bring_card(brought.clone()).await.unwrap().is_none());
        assert!(fresh.store.feature(id).await.unwrap().is_none());

        // Two at once write one.
        let open = BroughtCard { id: FeatureId::new(), done: false, ..brought.clone() };
        let (one, two) = tokio::join!(fresh.store.bring_card(open.clone()), fresh.store.bring_card(open.clone()));
        let came = [one.unwrap(), two.unwrap()];
        assert_eq!(came.iter().flatten().count(), 1);
        assert_eq!(came.iter().flatten().next().unwrap().card.status, FeatureStatus::Backlog);

        // One that cannot be is not there in part.
        let mut bad = BroughtCard { id: FeatureId::new(), ..brought };
        bad.card.dependencies = vec![FeatureId::new()];
        let id = bad.id;
        assert!(matches!(fresh.store.bring_card(bad).await, Err(StoreError::BadDependency(_))));
        assert!(!fresh.store.came_in(id).await.unwrap());
        assert!(fresh.store.attachments(id).await.unwrap().is_empty());
    }
}
