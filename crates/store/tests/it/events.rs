//! Events are numbered without gaps, in the order of commit.

use guildhall_store::{FeaturePatch, StoreError};
use guildhall_types::event::Happening;

use crate::harness::{Fresh, on_both};

on_both! {
    async fn readers_never_see_a_number_before_the_one_below_it(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let writers: Vec<_> = (0..20).map(|n| {
            let (store, project) = (fresh.store.clone(), project.clone());
            tokio::spawn(async move {
                for m in 0..5 {
                    store.create_feature(crate::harness::card(&project, &format!("{n}.{m}"))).await.unwrap();
                }
            })
        }).collect();
        let mut seen = 0;
        while seen < 101 {
            for event in fresh.store.events_after(seen, 1000).await.unwrap() {
                assert_eq!(event.seq, seen + 1, "a gap");
                seen = event.seq;
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(fresh.store.last_seq().await.unwrap(), 101);
        assert_eq!(*fresh.store.commits().borrow(), 101);
    }

    async fn a_refused_change_leaves_no_event(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let card = fresh.card(&project, "one").await;
        let before = fresh.store.last_seq().await.unwrap();
        let patch = FeaturePatch { title: Some("two".to_owned()), dependencies: Some(vec![card.card.id]), ..Default::default() };
        let refused = fresh.store.update_feature(card.card.id, patch, None).await;
        assert!(matches!(refused, Err(StoreError::BadDependency(_))), "{refused:?}");
        assert_eq!(fresh.store.last_seq().await.unwrap(), before);
        assert_eq!(fresh.store.feature(card.card.id).await.unwrap().unwrap(), card);
    }

    async fn an_event_tells_the_whole_card(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let card = fresh.card(&project, "one").await;
        let events = fresh.store.events_after(0, 10).await.unwrap();
        assert_eq!(events[0].what, Happening::ProjectCreated { project });
        assert_eq!(events[1].what, Happening::FeatureCreated { feature: card });
    }
}
