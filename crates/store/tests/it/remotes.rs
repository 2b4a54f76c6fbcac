//! Who has a project's other repository in hand.

use chrono::Duration;
use guildhall_store::{DueRemote, Looked, NewRemote, RemoteLogin};
use guildhall_types::Clock;

use crate::harness::{Fresh, on_both};

async fn due(fresh: &Fresh) -> DueRemote {
    fresh.store.remotes_by_themselves().await.unwrap().remove(0)
}

on_both! {
    async fn one_is_in_hand_of_one_node_until_it_gives_it_back_or_says_no_more_that_it_has_it(fresh: Fresh) {
        let store = &fresh.store;
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await.id;
        store.project_ready(project, "main").await.unwrap();
        let url = "https://a.example/r".to_owned();
        let new = NewRemote { project, url: url.clone(), follows: true, pushes: true, by: anna.id };
        store.put_project_remote(new.clone(), RemoteLogin::Kept).await.unwrap();
        let first = due(&fresh).await;
        assert_eq!(first.taken_until, None);
        let minute = |minutes| fresh.clock.now() + Duration::minutes(minutes);
        let (until, later) = (minute(2), minute(3));
        assert!(store.take_remote(&first, until).await.unwrap());
        assert!(!store.take_remote(&first, until).await.unwrap(), "somebody has it");
        let held = due(&fresh).await;
        assert_eq!((held.taken_until, held.next_at), (Some(until), first.next_at), "it is still its turn");

        // Held for longer, it is nobody else's; nor is it held by whom it was taken from.
        assert!(store.hold_remote(project, until, Some(later)).await.unwrap());
        assert!(!store.hold_remote(project, until, Some(later)).await.unwrap());
        fresh.clock.advance(Duration::minutes(2));
        assert!(!store.take_remote(&first, minute(2)).await.unwrap());
        fresh.clock.advance(Duration::minutes(1));
        let other = minute(2);
        assert!(store.take_remote(&first, other).await.unwrap(), "whoever had it is dead");
        assert!(!store.hold_remote(project, later, None).await.unwrap());
        assert_eq!(due(&fresh).await.taken_until, Some(other));

        // Given back, it is due as it was; looked at meanwhile, it is not any more.
        assert!(store.hold_remote(project, other, None).await.unwrap());
        assert_eq!(due(&fresh).await, first);
        store.note_remote(project, &url, &Looked::default(), minute(5)).await.unwrap().unwrap();
        assert!(!store.take_remote(&first, minute(2)).await.unwrap());

        // Another one is in nobody's hand.
        let now = due(&fresh).await;
        let until = minute(2);
        assert!(store.take_remote(&now, until).await.unwrap());
        store.put_project_remote(new, RemoteLogin::Kept).await.unwrap();
        assert!(!store.hold_remote(project, until, Some(minute(2))).await.unwrap());
        assert_eq!(due(&fresh).await.taken_until, None);
    }
}
