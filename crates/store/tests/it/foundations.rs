//! What cards are built on: dependencies that go, what a run found in its tree, and projects that are put away.

use std::collections::HashMap;

use chrono::Duration;
use guildhall_store::{Chosen, Ending, FeaturePatch, NewFeature, OrderChange, Ready, StoreError};
use guildhall_types::auto::OrderState;
use guildhall_types::feature::{FeatureStatus, Move, Problem};
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, ProviderKind};
use guildhall_types::notification::NotificationKind;
use guildhall_types::project::Project;
use guildhall_types::run::{DiffStat, HeldCard, KeySource, RunKey, RunStatus};
use guildhall_types::{FeatureId, NodeId, RunId};

use crate::harness::{Fresh, card, new_run, on_both};

const HOLD: Duration = Duration::seconds(30);

async fn team(fresh: &Fresh) -> (Member, Project) {
    let anna = fresh.member(&format!("m{}", RunId::new())).await;
    let project = fresh.project(&anna).await;
    let project = fresh.store.project_ready(project.id, "main").await.unwrap();
    (anna, project)
}

async fn order(fresh: &Fresh, member: &Member, project: &Project) -> Result<OrderState, StoreError> {
    let order = fresh.store.switch_on_order(project.id, member.id, OrderChange::default()).await?;
    Ok(order.state)
}

/// Which card auto mode would start, looking for one.
async fn next(fresh: &Fresh) -> Option<FeatureId> {
    let ready: HashMap<FeatureId, Ready> = HashMap::new();
    match fresh.store.start_by_order(&Limits::default(), &ready).await.unwrap() {
        Chosen::Unknown { feature, .. } => Some(feature),
        Chosen::Nothing | Chosen::Started(_) => None,
    }
}

async fn claimed(fresh: &Fresh) -> Option<FeatureId> {
    let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap();
    claimed.map(|claimed| claimed.run.feature_id)
}

/// A card whose work was verified, and perhaps merged.
async fn built(fresh: &Fresh, member: &Member, project: &Project, merged: bool) -> FeatureId {
    let id = fresh.card(project, "built").await.card.id;
    fresh.store.start_feature(id, member.id, new_run(), i64::MAX).await.unwrap();
    let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
    let key = RunKey { source: KeySource::Team, provider: ProviderKind::Openai, hint: None };
    fresh.store.run_started(&claimed.lease, "base", "b", &[], &key, vec![]).await.unwrap();
    fresh.store.set_head(&claimed.lease, "head", DiffStat::default()).await.unwrap();
    let ending = Ending { status: RunStatus::Waiting, what: Move::Accept, summary: None, problem: None, later: None };
    fresh.store.finish_run(&claimed.lease, ending).await.unwrap();
    if merged {
        fresh.store.record_merge(id, "merge").await.unwrap();
    }
    id
}

async fn on(fresh: &Fresh, project: &Project, below: FeatureId) -> FeatureId {
    let new = NewFeature { dependencies: vec![below], ..card(project, "on it") };
    fresh.store.create_feature(new).await.unwrap().card.id
}

fn depends_on(ids: &[FeatureId]) -> FeaturePatch {
    FeaturePatch { dependencies: Some(ids.to_vec()), ..FeaturePatch::default() }
}

on_both! {
    async fn nothing_begins_because_what_it_needs_was_deleted(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let store = &fresh.store;
        order(&fresh, &anna, &project).await.unwrap();
        let unbuilt = fresh.card(&project, "unbuilt").await.card.id;
        let waits = on(&fresh, &project, unbuilt).await;
        assert_eq!(next(&fresh).await, Some(unbuilt));
        store.delete_feature(unbuilt).await.unwrap();
        assert_eq!(next(&fresh).await, None);
        let night = store.night().await.unwrap();
        assert_eq!(night.open.get(&waits), Some(&vec![unbuilt]));
        assert_eq!(store.feature(waits).await.unwrap().unwrap().card.dependencies, [unbuilt]);

        // Whoever starts it by hand has it wait as well, and can go on changing it.
        store.start_feature(waits, anna.id, new_run(), i64::MAX).await.unwrap();
        assert_eq!(claimed(&fresh).await, None);
        store.update_feature(waits, depends_on(&[unbuilt]), None).await.unwrap();
        assert_eq!(claimed(&fresh).await, None);
        let other = fresh.card(&project, "other").await.card.id;
        let anew = store.update_feature(other, depends_on(&[unbuilt]), None).await;
        assert!(matches!(anew, Err(StoreError::BadDependency(_))), "a card that is gone is put on no other");
        store.update_feature(waits, depends_on(&[]), None).await.unwrap();
        assert_eq!(claimed(&fresh).await, Some(waits));
    }

    async fn verified_work_that_was_deleted_is_on_no_branch(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let store = &fresh.store;
        let below = built(&fresh, &anna, &project, false).await;
        let (first, second) = (on(&fresh, &project, below).await, on(&fresh, &project, below).await);
        let foundation = store.foundation(below).await.unwrap().unwrap();
        assert!(foundation.is_firm() && !foundation.is_merged());
        store.delete_feature(below).await.unwrap();
        assert!(!store.foundation(below).await.unwrap().unwrap().is_firm());
        order(&fresh, &anna, &project).await.unwrap();
        assert_eq!(next(&fresh).await, None);
        store.start_feature(first, anna.id, new_run(), i64::MAX).await.unwrap();
        assert_eq!(claimed(&fresh).await, None);
        let free = fresh.card(&project, "free").await.card.id;
        assert_eq!(next(&fresh).await, Some(free), "what waits for nothing comes first");
        store.update_feature(second, depends_on(&[]), None).await.unwrap();
        assert_eq!(next(&fresh).await, Some(second));
    }

    async fn merged_work_stays_whatever_becomes_of_its_card(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let below = built(&fresh, &anna, &project, true).await;
        let above = on(&fresh, &project, below).await;
        fresh.store.delete_feature(below).await.unwrap();
        assert!(fresh.store.foundation(below).await.unwrap().unwrap().is_firm());
        assert_eq!(fresh.store.feature(above).await.unwrap().unwrap().card.dependencies, []);
        order(&fresh, &anna, &project).await.unwrap();
        assert_eq!(next(&fresh).await, Some(above));
    }

    async fn what_a_run_is_built_on_reads_back(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let id = fresh.card(&project, "one").await.card.id;
        let store = &fresh.store;
        assert_eq!(store.foundation(FeatureId::new()).await.unwrap(), None);
        let bare = store.foundation(id).await.unwrap().unwrap();
        assert_eq!((bare.status, bare.base_commit, bare.holds), (FeatureStatus::Backlog, None, vec![]));
        store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        let claimed = store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        assert_eq!(claimed.run.holds, []);
        let holds = vec![HeldCard { feature_id: FeatureId::new(), number: 7, title: "below".to_owned() }];
        let key = RunKey { source: KeySource::Team, provider: ProviderKind::Openai, hint: None };
        store.run_started(&claimed.lease, "base", "b", &holds, &key, vec![]).await.unwrap();
        assert_eq!(store.run(claimed.run.id).await.unwrap().unwrap().holds, holds);
        let built = store.foundation(id).await.unwrap().unwrap();
        assert_eq!((built.base_commit.as_deref(), built.head_commit, built.holds), (Some("base"), None, holds));
    }

    async fn an_archived_project_leaves_no_auto_mode_on(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let bob = fresh.member("bob").await;
        let store = &fresh.store;
        for member in [&anna, &bob] {
            order(&fresh, member, &project).await.unwrap();
        }
        let pause = Problem { code: "p".to_owned(), message: "It failed.".to_owned(), hint: String::new() };
        store.stop_all(&pause).await.unwrap();
        order(&fresh, &anna, &project).await.unwrap();
        let other = fresh.project(&bob).await;
        order(&fresh, &bob, &other).await.unwrap();
        store.archive_project(project.id).await.unwrap();
        for member in [&anna, &bob] {
            let order = store.order(project.id, member.id).await.unwrap().unwrap();
            assert_eq!((order.state, order.pause), (OrderState::Off, None));
            let told = store.notifications(member.id, None, false, 10).await.unwrap().page.items;
            assert_eq!((told[0].kind, told[0].project_id), (NotificationKind::AutoModePaused, None), "a link would lead nowhere");
            assert!(told[0].text.contains("archived") && told[0].subject == project.name, "{told:?}");
        }
        let left: Vec<_> = store.night().await.unwrap().orders.iter().map(|order| order.project_id).collect();
        assert_eq!(left, [other.id], "and no other");
        assert!(matches!(order(&fresh, &anna, &project).await, Err(StoreError::NotFound { .. })));
    }
}
