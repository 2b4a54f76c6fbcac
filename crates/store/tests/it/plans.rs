//! Plans: proposed once, decided on once, and by nobody who may not.

use chrono::Duration;
use guildhall_store::{AuditQuery, Claimed, Ending, Finished, NewFeature, StoreError};
use guildhall_types::audit::AuditAction;
use guildhall_types::chat::{Block, Message, StopReason, Usage};
use guildhall_types::event::Happening;
use guildhall_types::feature::{FeatureStatus, Move, PlanningMode, Stage};
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, MemberChange, MemberRole, ProviderKind};
use guildhall_types::plan::{PlanApproval, PlanStatus, PlannedTask, Proposal};
use guildhall_types::run::*;
use guildhall_types::{FeatureId, NodeId};

use crate::harness::{Fresh, card, new_run, on_both};

fn plan(text: &str) -> Proposal {
    let task = |title: String| PlannedTask { title, phase: None };
    let tasks = vec![task(format!("{text} one")), task("two".to_owned())];
    Proposal { text: text.to_owned(), tasks }
}

async fn claim(fresh: &Fresh) -> Option<Claimed> {
    fresh.store.claim_run(NodeId::new(), Duration::seconds(30), &Limits::default()).await.unwrap()
}

/// A turn that proposes a plan is saved; the run does not wait yet.
async fn propose(fresh: &Fresh, claimed: &Claimed, number: i64, plan: &Proposal) -> Result<(), StoreError> {
    let turn = Turn {
        number,
        input: Vec::new(),
        compacted: None,
        answer: Message::assistant(vec![Block::text("so")]),
        stop_reason: StopReason::ToolUse,
        usage: Usage::default(),
        results: None,
        snapshot: None,
    };
    let row = LedgerRow {
        id: guildhall_types::CallId::new(),
        member_id: claimed.run.member_id,
        key_source: KeySource::Team,
        key_hint: None,
        run_id: claimed.run.id,
        turn: Some(number),
        provider: ProviderKind::Anthropic,
        model: "m".to_owned(),
        usage: turn.usage,
        cost_micros: 1,
        priced: true,
    };
    let inbox = fresh.store.inbox(claimed.run.id).await.unwrap();
    let read = inbox.last().map(|said| said.seq);
    fresh.store.save_answer(&claimed.lease, &turn, read, &row, vec![]).await?;
    fresh.store.save_results(&claimed.lease, number, vec![], None, Some(plan), vec![]).await
}

fn waits() -> Ending {
    Ending { status: RunStatus::Waiting, what: Move::Propose, summary: None, problem: None, later: None }
}

/// A card whose plan a person approves.
async fn asking(fresh: &Fresh, member: &Member) -> FeatureId {
    let project = fresh.project(member).await;
    let new = NewFeature { planning_mode: PlanningMode::Spec, require_plan_approval: true, ..card(&project, "one") };
    fresh.store.create_feature(new).await.unwrap().card.id
}

/// The same, started, with a first plan that waits.
async fn waiting(fresh: &Fresh) -> (Member, FeatureId) {
    let anna = fresh.member(&format!("m{}", NodeId::new())).await;
    let id = asking(fresh, &anna).await;
    let (_, run) = fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
    assert_eq!(run.approval, PlanApproval::Awaited);
    let claimed = claim(fresh).await.unwrap();
    assert_eq!(claimed.feature.card.stage, Some(Stage::Planning));
    propose(fresh, &claimed, 1, &plan("first")).await.unwrap();
    assert_eq!(fresh.store.finish_run(&claimed.lease, waits()).await.unwrap(), Finished::Ended);
    (anna, id)
}

async fn stands(fresh: &Fresh, id: FeatureId) -> (FeatureStatus, Option<Stage>, RunStatus) {
    let feature = fresh.store.feature(id).await.unwrap().unwrap();
    let run = fresh.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
    (feature.card.status, feature.card.stage, run.status)
}

async fn statuses(fresh: &Fresh, id: FeatureId) -> Vec<(i64, PlanStatus)> {
    fresh.store.plans_of(id).await.unwrap().into_iter().map(|plan| (plan.version, plan.status)).collect()
}

const WAITS: (FeatureStatus, Option<Stage>, RunStatus) =
    (FeatureStatus::InProgress, Some(Stage::PlanApproval), RunStatus::Waiting);

on_both! {
    async fn a_plan_is_rejected_made_anew_corrected_and_approved(fresh: Fresh) {
        let (anna, id) = waiting(&fresh).await;
        assert_eq!(stands(&fresh, id).await, WAITS);
        assert_eq!(fresh.store.run_counts().await.unwrap(), (0, 0), "it takes no place");
        assert!(claim(&fresh).await.is_none(), "and no node may take it");

        let (feature, run) = fresh.store.reject_plan(id, anna.id, 1, "Smaller \0 steps.", "<note>no</note>").await.unwrap();
        assert_eq!((feature.card.status, feature.card.stage, run.status), (FeatureStatus::Queued, None, RunStatus::Queued));
        let said: Vec<String> = fresh.store.inbox(run.id).await.unwrap().into_iter().map(|said| said.text).collect();
        assert_eq!(said, ["<note>no</note>", "Smaller \u{fffd} steps."]);
        let claimed = claim(&fresh).await.unwrap();
        assert_eq!((claimed.run.id, claimed.feature.card.stage.clone()), (run.id, Some(Stage::Planning)));
        propose(&fresh, &claimed, 2, &plan("nul \0 second")).await.unwrap();
        fresh.store.finish_run(&claimed.lease, waits()).await.unwrap();

        let late = fresh.store.approve_plan(id, anna.id, 1, None, "yes").await;
        assert!(matches!(late, Err(StoreError::StalePlan { current: 2 })), "{late:?}");
        let late = fresh.store.reject_plan(id, anna.id, 1, "no", "no").await;
        assert!(matches!(late, Err(StoreError::StalePlan { current: 2 })), "{late:?}");
        let (feature, run) = fresh.store.approve_plan(id, anna.id, 2, Some(&plan("mine")), "<note>yes</note>").await.unwrap();
        assert_eq!((feature.card.tasks_done, feature.card.tasks_total, run.approval), (0, 2, PlanApproval::Given));
        assert_eq!(run.plan[0], Task { title: "mine one".to_owned(), phase: None, status: TaskStatus::Pending });
        let claimed = claim(&fresh).await.unwrap();
        assert_eq!(claimed.feature.card.stage, Some(Stage::Implementing));

        use PlanStatus::{Approved, Rejected, Superseded};
        assert_eq!(statuses(&fresh, id).await, [(3, Approved), (2, Superseded), (1, Rejected)]);
        let plans = fresh.store.plans_of(id).await.unwrap();
        assert_eq!((plans[0].written_by, plans[0].decided_by, plans[0].text.as_str()), (Some(anna.id), Some(anna.id), "mine"));
        assert_eq!((plans[1].written_by, plans[1].text.as_str()), (None, "nul \u{fffd} second"));
        assert_eq!((plans[2].feedback.as_deref(), plans[2].decided_by), (Some("Smaller \u{fffd} steps."), Some(anna.id)));
        assert_eq!(plans[2].tasks, plan("first").tasks);

        let query = AuditQuery { object_id: Some(id.to_string()), limit: 10, ..Default::default() };
        let told = fresh.store.audit_entries(&query).await.unwrap();
        let actions: Vec<AuditAction> = told.iter().map(|entry| entry.action).collect();
        use AuditAction::{ApprovePlan, CreateFeature, RejectPlan, StartRun};
        assert_eq!(actions, [ApprovePlan, RejectPlan, StartRun, CreateFeature]);
        assert_eq!((told[0].detail["version"].as_str(), told[0].detail["changed"].as_str()), ("3", "true"));
        let told = fresh.store.run_events(run.id, 0, 100).await.unwrap();
        let kinds = |wanted: fn(&RunEvent) -> bool| {
            told.iter().filter(|event| matches!(&event.what, Happening::Run { event, .. } if wanted(event))).count()
        };
        assert_eq!(kinds(|event| matches!(event, RunEvent::PlanProposed { .. })), 2);
        assert_eq!(kinds(|event| matches!(event, RunEvent::PlanDecided { .. })), 2);
        assert_eq!(kinds(|event| matches!(event, RunEvent::Ended { .. })), 0, "the work has not ended");
    }

    async fn of_many_who_decide_at_once_one_does(fresh: Fresh) {
        for round in 0..5 {
            let (anna, id) = waiting(&fresh).await;
            let ben = fresh.member(&format!("ben{round}")).await;
            let deciders: Vec<_> = (0..6).map(|n| {
                let (store, member) = (fresh.store.clone(), if n % 2 == 0 { anna.id } else { ben.id });
                tokio::spawn(async move {
                    match n % 3 {
                        0 => store.reject_plan(id, member, 1, "no", "no").await,
                        1 => store.approve_plan(id, member, 1, None, "yes").await,
                        _ => store.approve_plan(id, member, 1, Some(&plan("mine")), "yes").await,
                    }
                })
            }).collect();
            let mut won = 0;
            for decider in deciders {
                match decider.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(StoreError::Illegal(_) | StoreError::StalePlan { .. }) => {}
                    Err(other) => panic!("round {round}: {other:?}"),
                }
            }
            assert_eq!(won, 1, "round {round}");
            let decided = statuses(&fresh, id).await;
            let final_ones = decided.iter().filter(|(_, s)| matches!(s, PlanStatus::Approved | PlanStatus::Rejected));
            assert_eq!(final_ones.count(), 1, "round {round}: {decided:?}");
            assert_eq!(stands(&fresh, id).await, (FeatureStatus::Queued, None, RunStatus::Queued));
            fresh.store.stop_feature(id).await.unwrap();
        }
    }

    async fn a_turn_proposes_once_and_only_while_the_lease_holds(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let id = asking(&fresh, &anna).await;
        fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        let first = claim(&fresh).await.unwrap();
        propose(&fresh, &first, 1, &plan("first")).await.unwrap();
        let again = fresh.store.save_results(&first.lease, 1, vec![], None, Some(&plan("twice")), vec![]).await;
        assert!(again.is_err(), "the database itself keeps a turn from proposing twice");
        // The node dies between the turn and the end: the plan is there, and whoever takes the run lets it wait.
        fresh.store.expire_leases().await.unwrap();
        fresh.clock.advance(Duration::seconds(1));
        let second = claim(&fresh).await.unwrap();
        let late = fresh.store.finish_run(&first.lease, waits()).await;
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
        let late = propose(&fresh, &first, 2, &plan("late")).await;
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
        fresh.store.finish_run(&second.lease, waits()).await.unwrap();
        assert_eq!(stands(&fresh, id).await, WAITS);
        assert_eq!(statuses(&fresh, id).await, [(1, PlanStatus::Proposed)]);
    }

    async fn what_is_said_to_a_plan_goes_on_unapproved(fresh: Fresh) {
        let (anna, id) = waiting(&fresh).await;
        let (feature, run) = fresh.store.follow_up(id, anna.id, "Also think of tabs.").await.unwrap();
        assert_eq!((feature.card.status, run.approval), (FeatureStatus::Queued, PlanApproval::Awaited));
        let decided = fresh.store.approve_plan(id, anna.id, 1, None, "yes").await;
        assert!(matches!(decided, Err(StoreError::Illegal(_))), "the agent is at it: {decided:?}");
        let claimed = claim(&fresh).await.unwrap();
        assert_eq!(claimed.feature.card.stage, Some(Stage::Planning));
        propose(&fresh, &claimed, 2, &plan("second")).await.unwrap();
        // Somebody speaks in the last moment: the agent hears it before anybody is asked.
        fresh.store.follow_up(id, anna.id, "And of spaces.").await.unwrap();
        assert_eq!(fresh.store.finish_run(&claimed.lease, waits()).await.unwrap(), Finished::GoesOn);
        let claimed = claim(&fresh).await.unwrap();
        propose(&fresh, &claimed, 3, &plan("third")).await.unwrap();
        fresh.store.finish_run(&claimed.lease, waits()).await.unwrap();
        use PlanStatus::{Proposed, Superseded};
        assert_eq!(statuses(&fresh, id).await, [(3, Proposed), (2, Superseded), (1, Superseded)]);
    }

    async fn a_plan_that_waits_is_stopped_taken_up_shelved_and_begun_anew(fresh: Fresh) {
        let (anna, id) = waiting(&fresh).await;
        let (feature, run) = fresh.store.stop_feature(id).await.unwrap();
        assert_eq!((feature.card.status, feature.card.stage, run.status), (FeatureStatus::Paused, None, RunStatus::Stopped));
        let decided = fresh.store.approve_plan(id, anna.id, 1, None, "yes").await;
        assert!(matches!(decided, Err(StoreError::Illegal(_))), "{decided:?}");
        fresh.store.retry_feature(id, anna.id).await.unwrap();
        let claimed = claim(&fresh).await.unwrap();
        fresh.store.finish_run(&claimed.lease, waits()).await.unwrap();
        assert_eq!(stands(&fresh, id).await, WAITS);

        for refused in [
            fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.map(|_| ()),
            fresh.store.request_verify(id).await.map(|_| ()),
            fresh.store.accept_feature(id).await.map(|_| ()),
            fresh.store.record_merge(id, "abc").await.map(|_| ()),
        ] {
            assert!(matches!(&refused, Err(StoreError::Illegal(error)) if error.to_string().contains("whose plan waits")), "{refused:?}");
        }
        let feature = fresh.store.shelve_feature(id).await.unwrap();
        assert_eq!((feature.card.status, feature.card.stage), (FeatureStatus::Backlog, None));
        assert!(matches!(fresh.store.approve_plan(id, anna.id, 1, None, "yes").await, Err(StoreError::NotFound { .. })));

        let (_, second) = fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        assert_eq!(second.approval, PlanApproval::Awaited);
        let claimed = claim(&fresh).await.unwrap();
        assert_eq!((claimed.run.id, claimed.feature.card.stage.clone()), (second.id, Some(Stage::Planning)));
        propose(&fresh, &claimed, 1, &plan("anew")).await.unwrap();
        let plans = fresh.store.plans_of(id).await.unwrap();
        assert_eq!((plans.len(), plans[0].run_id, plans[0].version, plans[1].run_id), (2, second.id, 1, run.id));
        fresh.store.finish_run(&claimed.lease, waits()).await.unwrap();
        fresh.store.delete_feature(id).await.unwrap();
    }

    async fn the_plan_of_a_disabled_member_waits_on_and_whoever_decides_takes_it_over(fresh: Fresh) {
        let (anna, id) = waiting(&fresh).await;
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        let change = MemberChange { role: None, disabled: Some(true) };
        let changed = fresh.store.change_member(owner.id, anna.id, change).await.unwrap();
        assert!(changed.stopped.is_empty(), "nothing was at work");
        assert_eq!(stands(&fresh, id).await, WAITS);
        let decided = fresh.store.approve_plan(id, anna.id, 1, None, "yes").await;
        assert!(matches!(decided, Err(StoreError::Refused(_))), "{decided:?}");
        let viewer = fresh.with_role("vera", MemberRole::Viewer).await;
        let decided = fresh.store.reject_plan(id, viewer.id, 1, "no", "no").await;
        assert!(matches!(decided, Err(StoreError::Refused(_))), "{decided:?}");
        let (_, run) = fresh.store.approve_plan(id, owner.id, 1, None, "yes").await.unwrap();
        assert_eq!((run.member_id, run.status), (owner.id, RunStatus::Queued));
    }

    async fn a_card_without_a_plan_asks_for_no_approval(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let new = NewFeature { require_plan_approval: true, ..card(&project, "one") };
        assert!(matches!(fresh.store.create_feature(new).await, Err(StoreError::NothingToApprove)));
        let id = asking(&fresh, &anna).await;
        let patch = |mode, required| guildhall_store::FeaturePatch {
            planning_mode: mode, require_plan_approval: required, ..Default::default()
        };
        let refused = fresh.store.update_feature(id, patch(Some(PlanningMode::Skip), None), None).await;
        assert!(matches!(refused, Err(StoreError::NothingToApprove)));
        let both = fresh.store.update_feature(id, patch(Some(PlanningMode::Skip), Some(false)), None).await.unwrap();
        assert!(!both.card.require_plan_approval);
        let refused = fresh.store.update_feature(id, patch(None, Some(true)), None).await;
        assert!(matches!(refused, Err(StoreError::NothingToApprove)));
        // What a run needs is settled when it starts: a change of its card is for the next one.
        let (_, run) = fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        fresh.store.update_feature(id, patch(Some(PlanningMode::Full), Some(true)), None).await.unwrap();
        assert_eq!(claim(&fresh).await.unwrap().feature.card.stage, Some(Stage::Implementing));
        let run = fresh.store.run(run.id).await.unwrap().unwrap();
        assert_eq!(run.approval, PlanApproval::NotNeeded);
    }
}
