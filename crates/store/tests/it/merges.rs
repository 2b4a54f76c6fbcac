//! Verified work that is merged by itself when what it is built on is.

use chrono::Duration;
use guildhall_store::{Claimed, Ending, Finished, NewFeature, ProjectPatch, StoreError};
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
    fresh.store.finish_run(&claimed.lease, accepted(later)).await.unwrap();
    claimed.run.feature_id
}

fn accepted(later: bool) -> Ending {
    let later = later.then(|| "It waits for another.".to_owned());
    Ending { status: RunStatus::Waiting, what: Move::Accept, summary: None, problem: None, later }
}

async fn due(fresh: &Fresh) -> Vec<FeatureId> {
    fresh.store.due_merges(&[]).await.unwrap().into_iter().map(|due| due.feature).collect()
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

        let all = store.due_merges(&[]).await.unwrap();
        assert_eq!(store.due_merges(&[id]).await.unwrap(), [], "it was passed over");
        store.archive_project(project.id).await.unwrap();
        let archived = store.take_up_merge(&all[0]).await;
        assert!(matches!(archived, Err(StoreError::Archived)), "{archived:?}");
        assert_eq!(status(&fresh, id).await, FeatureStatus::Verified);
        fresh.tamper("UPDATE projects SET archived_at = NULL").await.unwrap();

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
        let before = fresh.store.due_merges(&[]).await.unwrap();
        fresh.store.follow_up(id, anna.id, "And this.").await.unwrap();
        assert!(!fresh.store.take_up_merge(&before[0]).await.unwrap());
        let again = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.tamper("UPDATE run_messages SET read_by_turn = 1").await.unwrap();
        verified(&fresh, &again, false).await;
        assert_eq!(due(&fresh).await, [], "this time nobody said so");
        fresh.store.shelve_feature(id).await.unwrap();
        assert_eq!(due(&fresh).await, []);
    }

    async fn work_that_is_merged_by_hand_is_not_taken_up_in_the_middle_of_that(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        project_that(&fresh, AfterWork::Merge, &project).await;
        let store = &fresh.store;
        let below = verified(&fresh, &at_work(&fresh, &anna, &project, &[]).await, false).await;
        let waits = at_work(&fresh, &anna, &project, &[below]).await;
        let id = verified(&fresh, &waits, true).await;
        assert_eq!(store.take_merge_in_hand(below).await.unwrap(), None, "it is not to be merged by itself");
        let hand = store.take_merge_in_hand(id).await.unwrap().unwrap();
        store.record_merge(below, "one").await.unwrap();
        assert_eq!(due(&fresh).await, []);
        store.leave_merge(hand).await.unwrap();
        let all = store.due_merges(&[]).await.unwrap();
        assert_eq!(all.len(), 1, "it could not be merged by hand");
        let conflicts = store.take_merge_in_hand(id).await.unwrap().unwrap();
        assert!(!store.take_up_merge(&all[0]).await.unwrap(), "who looked before comes too late");
        // Somebody has it go on meanwhile, and it is verified anew.
        store.follow_up(id, anna.id, "And this.").await.unwrap();
        let refused = store.take_merge_in_hand(id).await;
        assert!(matches!(refused, Err(StoreError::Illegal(_))), "{refused:?}");
        let again = store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.tamper("UPDATE run_messages SET read_by_turn = 1").await.unwrap();
        verified(&fresh, &again, true).await;
        store.merge_no_later(conflicts).await.unwrap();
        store.leave_merge(conflicts).await.unwrap();
        assert_eq!(due(&fresh).await, [id], "that was the work before");
        let conflicts = store.take_merge_in_hand(id).await.unwrap().unwrap();
        store.merge_no_later(conflicts).await.unwrap();
        fresh.clock.advance(Duration::hours(1));
        assert_eq!(due(&fresh).await, []);
    }

    async fn a_merge_by_hand_that_is_cut_off_takes_nothing_from_it(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        project_that(&fresh, AfterWork::Merge, &project).await;
        let store = &fresh.store;
        let below = verified(&fresh, &at_work(&fresh, &anna, &project, &[]).await, false).await;
        let id = verified(&fresh, &at_work(&fresh, &anna, &project, &[below]).await, true).await;
        store.record_merge(below, "one").await.unwrap();
        let all = store.due_merges(&[]).await.unwrap();
        store.take_merge_in_hand(id).await.unwrap().unwrap();
        fresh.clock.advance(Duration::minutes(9));
        assert_eq!(due(&fresh).await, [], "it may still be under way");
        fresh.clock.advance(Duration::minutes(2));
        assert_eq!(due(&fresh).await, [id]);
        // Two at once: who fails does not let it go in the middle of the other's, whichever began first.
        let one = store.take_merge_in_hand(id).await.unwrap().unwrap();
        let other = store.take_merge_in_hand(id).await.unwrap().unwrap();
        store.leave_merge(one).await.unwrap();
        assert_eq!((due(&fresh).await, store.take_up_merge(&all[0]).await.unwrap()), (vec![], false));
        store.leave_merge(other).await.unwrap();
        assert_eq!(due(&fresh).await, [], "it does not know that the first one has left");
        fresh.clock.advance(Duration::minutes(11));
        store.take_merge_in_hand(id).await.unwrap().unwrap();
        let other = store.take_merge_in_hand(id).await.unwrap().unwrap();
        store.leave_merge(other).await.unwrap();
        assert_eq!(due(&fresh).await, [], "the first one is still at it");
        fresh.clock.advance(Duration::minutes(11));
        assert!(store.take_up_merge(&all[0]).await.unwrap());
        assert_eq!(status(&fresh, id).await, FeatureStatus::Queued);
    }

    async fn that_work_is_merged_by_itself_is_said_of_what_ends_and_no_other(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        project_that(&fresh, AfterWork::Merge, &project).await;
        let below = verified(&fresh, &at_work(&fresh, &anna, &project, &[]).await, false).await;
        let waits = at_work(&fresh, &anna, &project, &[below]).await;
        let id = waits.run.feature_id;
        fresh.store.record_merge(below, "one").await.unwrap();
        // A member speaks in the last moment: it goes on, fails its checks, and a person finds it good.
        fresh.store.follow_up(id, anna.id, "And this.").await.unwrap();
        assert_eq!(fresh.store.finish_run(&waits.lease, accepted(true)).await.unwrap(), Finished::GoesOn);
        let again = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.tamper("UPDATE run_messages SET read_by_turn = 1").await.unwrap();
        let waits = Ending { what: Move::Finish, ..accepted(false) };
        fresh.store.finish_run(&again.lease, waits).await.unwrap();
        fresh.store.accept_feature(id).await.unwrap();
        assert_eq!((due(&fresh).await, status(&fresh, id).await), (vec![], FeatureStatus::Verified));
    }

    async fn what_is_held_back_takes_no_other_work_its_place(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        project_that(&fresh, AfterWork::Merge, &project).await;
        let stuck = verified(&fresh, &at_work(&fresh, &anna, &project, &[]).await, false).await;
        let merged = verified(&fresh, &at_work(&fresh, &anna, &project, &[]).await, false).await;
        for _ in 0..100 {
            verified(&fresh, &at_work(&fresh, &anna, &project, &[stuck]).await, true).await;
        }
        let last = verified(&fresh, &at_work(&fresh, &anna, &project, &[merged]).await, true).await;
        fresh.store.record_merge(merged, "one").await.unwrap();
        assert_eq!(due(&fresh).await, [last]);
    }
}
