//! Verified work that is merged by itself when what it is built on is.

use chrono::Duration;
use guildhall_store::{Claimed, Ending, NewFeature, ProjectPatch};
use guildhall_types::feature::{FeatureStatus, Move};
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, ProviderKind};
use guildhall_types::project::{AfterWork, Project, ProjectSettings};
use guildhall_types::run::{DiffStat, HeldCard, KeySource, RunIntent, RunKey, RunStatus};
use guildhall_types::{FeatureId, NodeId};

use crate::harness::{Fresh, card, new_run, on_both};
use crate::orders::{HOLD, status, team};

async fn project_that(fresh: &Fresh, after_work: AfterWork, project: &Project) {
    let settings = ProjectSettings { after_work, ..project.settings.clone() };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    fresh.store.update_project(project.id, patch, true).await.unwrap();
}

/// A card that is at work on what these hold.
async fn at_work(fresh: &Fresh, member: &Member, project: &Project, on: &[FeatureId]) -> Claimed {
    let new = NewFeature { dependencies: on.to_vec(), ..card(project, "a card") };
    let id = fresh.store.create_feature(new).await.unwrap().card.id;
    fresh.store.start_feature(id, member.id, new_run(), i64::MAX).await.unwrap();
    let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
    let held = |id: &FeatureId| HeldCard { feature_id: *id, number: 1, title: "below".to_owned() };
    let holds: Vec<HeldCard> = on.iter().map(held).collect();
    let key = RunKey { source: KeySource::Team, provider: ProviderKind::Openai, hint: None };
    fresh.store.run_started(&claimed.lease, "base", "b", &holds, &key, vec![]).await.unwrap();
    fresh.store.set_head(&claimed.lease, "head", DiffStat::default()).await.unwrap();
    claimed
}

async fn verified(fresh: &Fresh, claimed: &Claimed, later: bool) -> FeatureId {
    if later {
        fresh.store.merge_later(&claimed.lease, "It waits for another.".to_owned()).await.unwrap();
    }
    let ending = Ending { status: RunStatus::Waiting, what: Move::Accept, summary: None, problem: None };
    fresh.store.finish_run(&claimed.lease, ending).await.unwrap();
    claimed.run.feature_id
}

async fn due(fresh: &Fresh) -> Vec<FeatureId> {
    fresh.store.due_merges().await.unwrap().into_iter().map(|due| due.feature).collect()
}

on_both! {
    async fn work_is_taken_up_when_all_that_it_is_built_on_is_merged(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        project_that(&fresh, AfterWork::Merge, &project).await;
        let store = &fresh.store;
        let mut below = Vec::new();
        for _ in 0..2 {
            below.push(verified(&fresh, &at_work(&fresh, &anna, &project, &[]).await, false).await);
        }
        let waits = at_work(&fresh, &anna, &project, &below).await;
        let id = verified(&fresh, &waits, true).await;
        let by_hand = verified(&fresh, &at_work(&fresh, &anna, &project, &below).await, false).await;
        store.record_merge(below[0], "one").await.unwrap();
        assert_eq!(due(&fresh).await, [], "it holds another one");
        store.record_merge(below[1], "two").await.unwrap();
        assert_eq!(due(&fresh).await, [id], "and not what a person verified");
        project_that(&fresh, AfterWork::Verify, &project).await;
        assert_eq!(due(&fresh).await, [], "nothing is merged by itself any more");
        project_that(&fresh, AfterWork::Merge, &project).await;

        let all = store.due_merges().await.unwrap();
        fresh.clock.advance(Duration::hours(1));
        assert!(store.take_up_merge(&all[0]).await.unwrap());
        assert!(!store.take_up_merge(&all[0]).await.unwrap(), "once");
        assert_eq!((due(&fresh).await, status(&fresh, id).await), (vec![], FeatureStatus::Queued));
        let again = store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        assert_eq!((again.run.id, again.run.intent, again.lease.attempt), (waits.run.id, RunIntent::Work, 2));
        assert_eq!((again.run.auto, again.run.ended_at), (false, None));
        assert_eq!(status(&fresh, by_hand).await, FeatureStatus::Verified);
    }

    async fn who_takes_such_work_in_hand_keeps_it_in_hand(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        project_that(&fresh, AfterWork::Merge, &project).await;
        let below = verified(&fresh, &at_work(&fresh, &anna, &project, &[]).await, false).await;
        let waits = at_work(&fresh, &anna, &project, &[below]).await;
        let id = verified(&fresh, &waits, true).await;
        fresh.store.record_merge(below, "one").await.unwrap();
        let before = fresh.store.due_merges().await.unwrap();
        fresh.store.follow_up(id, anna.id, "And this.").await.unwrap();
        assert!(!fresh.store.take_up_merge(&before[0]).await.unwrap());
        let again = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.tamper("UPDATE run_messages SET read_by_turn = 1").await.unwrap();
        verified(&fresh, &again, false).await;
        assert_eq!(due(&fresh).await, [], "this time nobody said so");
        fresh.store.shelve_feature(id).await.unwrap();
        assert_eq!(due(&fresh).await, []);
    }
}
