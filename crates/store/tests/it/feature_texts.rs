//! What cards said before.

use chrono::Duration;
use guildhall_store::{FeaturePatch, Store, StoreError};
use guildhall_types::FeatureId;
use guildhall_types::audit::Actor;
use guildhall_types::feature_text::{FeatureText, KEPT, ONE_CHANGE, TextDeed};
use guildhall_types::member::Member;

use crate::harness::{Fresh, new_run, on_both};

fn of(store: &Store, member: &Member) -> Store {
    store.acting_as(Actor { member: Some(member.id), ..Actor::default() })
}

fn says(text: &str) -> FeaturePatch {
    FeaturePatch { description: Some(text.to_owned()), ..FeaturePatch::default() }
}

async fn say(store: &Store, id: FeatureId, text: &str) {
    store.update_feature(id, says(text), None).await.unwrap();
}

/// Numbers and whole texts, the latest first.
async fn told(store: &Store, id: FeatureId) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    for text in store.feature_texts(id).await.unwrap() {
        assert_eq!(text.description, None, "a list holds no descriptions");
        let whole = store.feature_text(id, text.number).await.unwrap().unwrap();
        assert_eq!(FeatureText { description: None, ..whole.clone() }, text);
        all.push((text.number, whole.description.unwrap()));
    }
    all
}

fn texts(list: &[(i64, &str)]) -> Vec<(i64, String)> {
    list.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}

on_both! {
    async fn each_change_of_what_a_card_says_keeps_what_it_said_before(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let project = fresh.project(&anna).await;
        let card = fresh.card(&project, "one").await.card;
        let id = card.id;
        assert_eq!(told(&fresh.store, id).await, texts(&[(1, "Build one.")]), "also of a card that nobody changed");
        assert_eq!(fresh.store.feature_text(id, 2).await.unwrap(), None);
        let (by_anna, by_ben) = (of(&fresh.store, &anna), of(&fresh.store, &ben));
        fresh.clock.advance(Duration::hours(1));
        say(&by_ben, id, "Build one \0 well.").await;
        fresh.clock.advance(Duration::hours(1));
        let title = FeaturePatch { title: Some("uno".to_owned()), priority: Some(1), ..FeaturePatch::default() };
        by_anna.update_feature(id, title, None).await.unwrap();
        // What says the same, and what changes something else, is no text.
        say(&by_ben, id, "Build one \0 well.").await;
        by_ben.update_feature(id, FeaturePatch { priority: Some(3), ..FeaturePatch::default() }, None).await.unwrap();
        let well = "Build one \u{fffd} well.";
        assert_eq!(told(&fresh.store, id).await, texts(&[(3, well), (2, well), (1, "Build one.")]));
        let all = fresh.store.feature_texts(id).await.unwrap();
        let titles: Vec<_> = all.iter().map(|text| (text.title.as_str(), text.member_id, text.deed)).collect();
        let expected = [
            ("uno", Some(anna.id), TextDeed::Edited),
            ("one", Some(ben.id), TextDeed::Edited),
            ("one", Some(anna.id), TextDeed::Created),
        ];
        assert_eq!(titles, expected);
        assert_eq!((all[2].at, all[1].at), (card.created_at, card.created_at + Duration::hours(1)));
        fresh.clock.advance(Duration::minutes(ONE_CHANGE));
        let back = FeaturePatch {
            title: Some("one".to_owned()),
            deed: Some(TextDeed::Restored),
            restored: Some(2),
            ..says(well)
        };
        by_anna.update_feature(id, back, None).await.unwrap();
        let last = fresh.store.feature_texts(id).await.unwrap().remove(0);
        assert_eq!((last.number, last.deed, last.restored), (4, TextDeed::Restored, Some(2)));
        // A change that is refused keeps nothing.
        assert!(matches!(by_anna.update_feature(id, says("late"), Some(1)).await, Err(StoreError::Stale { .. })));
        assert_eq!(fresh.store.feature_texts(id).await.unwrap().len(), 4);
        assert!(crate::erased::holding(&fresh.store, "build").await.contains(&"feature_texts".to_owned()));
        fresh.store.delete_feature(id).await.unwrap();
        assert!(matches!(fresh.store.feature_texts(id).await, Err(StoreError::NotFound { .. })));
        assert_eq!(fresh.store.feature_text(id, 2).await.unwrap(), None);
        assert!(!crate::erased::holding(&fresh.store, "build").await.contains(&"feature_texts".to_owned()));
    }

    async fn what_one_hand_changes_within_minutes_is_one_change(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let project = fresh.project(&anna).await;
        let (by_anna, by_ben) = (of(&fresh.store, &anna), of(&fresh.store, &ben));
        let token = Actor { member: Some(anna.id), token: Some(guildhall_types::TokenId::new()), ..Actor::default() };
        let id = fresh.card(&project, "one").await.card.id;
        say(&by_anna, id, "a").await;
        fresh.clock.advance(Duration::minutes(ONE_CHANGE - 1));
        say(&by_anna, id, "b").await;
        assert_eq!(told(&fresh.store, id).await, texts(&[(2, "b"), (1, "Build one.")]));
        // Not by writing on and on.
        fresh.clock.advance(Duration::minutes(1));
        say(&by_anna, id, "c").await;
        say(&by_ben, id, "d").await;
        say(&by_anna, id, "e").await;
        fresh.store.acting_as(token).update_feature(id, says("f"), None).await.unwrap();
        let expected = [(6, "f"), (5, "e"), (4, "d"), (3, "c"), (2, "b"), (1, "Build one.")];
        assert_eq!(told(&fresh.store, id).await, texts(&expected));
        assert!(fresh.store.feature_texts(id).await.unwrap()[0].by_token);
        say(&fresh.store, id, "g").await;
        say(&fresh.store, id, "h").await;
        assert_eq!(fresh.store.feature_texts(id).await.unwrap().len(), 8, "of nobody it is not known that it is one");
        // What a run was given stays as it was given.
        let id = fresh.card(&project, "two").await.card.id;
        say(&by_anna, id, "a").await;
        fresh.clock.advance(Duration::seconds(1));
        fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        fresh.clock.advance(Duration::seconds(1));
        say(&by_anna, id, "b").await;
        assert_eq!(told(&fresh.store, id).await, texts(&[(3, "b"), (2, "a"), (1, "Build two.")]));
    }

    async fn no_deed_pushes_the_former_texts_out_in_a_moment(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let id = fresh.card(&project, "one").await.card.id;
        let token = Actor { member: Some(anna.id), token: Some(guildhall_types::TokenId::new()), ..Actor::default() };
        let (by_anna, by_token) = (of(&fresh.store, &anna), fresh.store.acting_as(token));
        let deeds = [Some(TextDeed::Restored), Some(TextDeed::Enhanced), Some(TextDeed::Restored), None];
        for (first, by) in [(2, &by_anna), (7, &by_token)] {
            for (n, deed) in deeds.into_iter().chain([Some(TextDeed::Enhanced)]).enumerate() {
                let restored = (deed == Some(TextDeed::Restored)).then_some(1);
                let patch = FeaturePatch { deed, restored, ..says(&format!("text {first} {n}")) };
                by.update_feature(id, patch, None).await.unwrap();
                let last = fresh.store.feature_texts(id).await.unwrap().remove(0);
                // What a member does is told apart.
                let number = if first == 2 { first + n as i64 } else { first };
                assert_eq!((last.number, last.restored), (number, restored));
            }
        }
        let all = fresh.store.feature_texts(id).await.unwrap();
        let deeds: Vec<_> = all.iter().map(|text| text.deed).collect();
        use TextDeed::{Created, Edited, Enhanced, Restored};
        assert_eq!(deeds, [Edited, Enhanced, Edited, Restored, Enhanced, Restored, Created], "no program takes a suggestion");
        assert_eq!(told(&fresh.store, id).await[0], texts(&[(7, "text 7 4")])[0]);
    }

    async fn a_former_text_is_erased_for_good_and_the_present_one_never(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let id = fresh.card(&project, "one").await.card.id;
        assert!(!fresh.store.erase_feature_text(id, 1).await.unwrap(), "what it says now");
        say(&fresh.store, id, "b").await;
        say(&fresh.store, id, "c").await;
        assert!(!fresh.store.erase_feature_text(id, 3).await.unwrap());
        assert!(crate::erased::holding(&fresh.store, "build").await.contains(&"feature_texts".to_owned()));
        assert!(of(&fresh.store, &anna).erase_feature_text(id, 1).await.unwrap());
        assert!(!crate::erased::holding(&fresh.store, "build").await.contains(&"feature_texts".to_owned()));
        assert_eq!(told(&fresh.store, id).await, texts(&[(3, "c"), (2, "b")]));
        assert_eq!(fresh.store.feature_text(id, 1).await.unwrap(), None, "nor is the present one shown for it");
        assert!(matches!(fresh.store.erase_feature_text(id, 1).await, Err(StoreError::NotFound { what: "version" })));
        assert!(fresh.store.erase_feature_text(id, 2).await.unwrap());
        say(&fresh.store, id, "d").await;
        assert_eq!(told(&fresh.store, id).await, texts(&[(4, "d"), (3, "c")]), "no number is used again");
    }

    async fn the_first_text_and_the_latest_are_kept(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let id = fresh.card(&project, "one").await.card.id;
        for n in 2..=KEPT + 3 {
            say(&fresh.store, id, &format!("text {n}")).await;
        }
        let numbers: Vec<i64> = fresh.store.feature_texts(id).await.unwrap().iter().map(|text| text.number).collect();
        let expected: Vec<i64> = (4..=KEPT + 3).rev().chain([1]).collect();
        assert_eq!(numbers, expected);
        assert_eq!(fresh.store.feature_text(id, 3).await.unwrap(), None);
    }
}
