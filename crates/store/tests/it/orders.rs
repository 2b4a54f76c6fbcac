//! Auto mode: standing orders, and what they start.

use std::collections::HashMap;

use chrono::Duration;
use guildhall_store::{Chosen, Counts, Ending, NewFeature, OrderChange, Ready, StoreError, Word};
use guildhall_types::auto::{AtClose, OrderState};
use guildhall_types::feature::{FeatureStatus, Move, Problem, Stage};
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, MemberChange, MemberRole};
use guildhall_types::project::Project;
use guildhall_types::run::{Awaits, DiffStat, RunStatus};
use guildhall_types::window::{Day, Window};
use guildhall_types::{Clock, FeatureId, MemberId, NodeId, RunId};

use crate::harness::{Fresh, card, new_run, on_both};

pub const HOLD: Duration = Duration::seconds(30);

pub async fn team(fresh: &Fresh) -> (Member, Project) {
    let anna = fresh.member(&format!("m{}", RunId::new())).await;
    let project = fresh.project(&anna).await;
    let project = fresh.store.project_ready(project.id, "main").await.unwrap();
    (anna, project)
}

pub async fn order(fresh: &Fresh, member: &Member, project: &Project, max_concurrent: i64) {
    let change = OrderChange { max_concurrent: Some(max_concurrent), ..OrderChange::default() };
    fresh.store.switch_on_order(project.id, member.id, change).await.unwrap();
}

/// Starts what is to start, as the engine does. Returns the cards in their order.
pub async fn start(fresh: &Fresh, limits: &Limits) -> Vec<FeatureId> {
    let mut ready: HashMap<FeatureId, Ready> = HashMap::new();
    let mut started = Vec::new();
    loop {
        match fresh.store.start_by_order(limits, &ready).await.unwrap() {
            Chosen::Nothing => return started,
            Chosen::Started(feature) => started.push(feature),
            Chosen::Unknown { feature, stopped, .. } => {
                ready.insert(feature, if stopped { Ready::GoesOn } else { Ready::Begins(Box::new(new_run())) });
            }
        }
    }
}

async fn end(fresh: &Fresh, status: RunStatus, what: Move, code: Option<&str>) -> FeatureId {
    let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
    let problem =
        code.map(|code| Problem { code: code.to_owned(), message: "It broke.".to_owned(), hint: String::new() });
    fresh.store.finish_run(&claimed.lease, Ending { status, what, summary: None, problem, later: None }).await.unwrap();
    claimed.run.feature_id
}

pub async fn status(fresh: &Fresh, id: FeatureId) -> FeatureStatus {
    fresh.store.feature(id).await.unwrap().unwrap().card.status
}

on_both! {
    async fn an_order_works_through_what_may_begin(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let write = |title: &str, priority, dependencies: Vec<FeatureId>| NewFeature {
            priority, dependencies, ..card(&project, title)
        };
        let store = &fresh.store;
        let a = store.create_feature(write("a", 2, vec![])).await.unwrap().card.id;
        fresh.clock.advance(Duration::seconds(1));
        let b = store.create_feature(write("b", 1, vec![a])).await.unwrap().card.id;
        let c = store.create_feature(write("c", 2, vec![])).await.unwrap().card.id;
        let bob = fresh.member("bob").await;
        let foreign = NewFeature { created_by: bob.id, ..write("bob's", 1, vec![]) };
        let foreign = store.create_feature(foreign).await.unwrap().card.id;
        assert_eq!(start(&fresh, &Limits::default()).await, [], "nobody asked for it");
        order(&fresh, &anna, &project, 1).await;
        assert_eq!(start(&fresh, &Limits::default()).await, [a], "the older of two that may begin");
        assert_eq!(start(&fresh, &Limits::default()).await, [], "its own limit");
        let run = store.feature(a).await.unwrap().unwrap().card.run_id.unwrap();
        assert!(store.run(run).await.unwrap().unwrap().auto);
        end(&fresh, RunStatus::Waiting, Move::Accept, None).await;
        assert_eq!(start(&fresh, &Limits::default()).await, [b], "what it depended on is verified, and it is urgent");
        order(&fresh, &anna, &project, 3).await;
        assert_eq!(start(&fresh, &Limits::default()).await, [c]);
        assert_eq!(status(&fresh, foreign).await, FeatureStatus::Backlog, "it is not hers");
        store.switch_off_order(project.id, anna.id).await.unwrap();
        let late = store.create_feature(write("late", 1, vec![])).await.unwrap().card.id;
        assert_eq!(start(&fresh, &Limits::default()).await, []);
        assert_eq!((status(&fresh, late).await, status(&fresh, c).await), (FeatureStatus::Backlog, FeatureStatus::Queued));
    }

    async fn many_nodes_start_no_card_twice_and_no_more_than_there_are_places(fresh: Fresh) {
        let limits = Limits { max_concurrent_features: 5, max_concurrent_features_per_member: 3, ..Default::default() };
        for _ in 0..3 {
            let (anna, project) = team(&fresh).await;
            for n in 0..5 {
                fresh.store.create_feature(card(&project, &n.to_string())).await.unwrap();
            }
            order(&fresh, &anna, &project, 3).await;
        }
        let nodes: Vec<_> = (0..6).map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                let mut ready: HashMap<FeatureId, Ready> = HashMap::new();
                let mut mine = Vec::new();
                loop {
                    match store.start_by_order(&limits, &ready).await.unwrap() {
                        Chosen::Nothing => return mine,
                        Chosen::Started(feature) => mine.push(feature),
                        Chosen::Unknown { feature, .. } => {
                            ready.insert(feature, Ready::Begins(Box::new(new_run())));
                        }
                    }
                }
            })
        }).collect();
        let mut all = Vec::new();
        for node in nodes {
            all.extend(node.await.unwrap());
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (5, 5));
        let night = fresh.store.night().await.unwrap();
        let of = |member: MemberId| night.queue.iter().filter(|run| run.live.member == member).count();
        let mut shares: Vec<usize> = night.orders.iter().map(|order| of(order.member_id)).collect();
        shares.sort_unstable();
        assert_eq!(shares, [1, 2, 2], "shared between members");
    }

    async fn what_cannot_run_is_passed_over_and_stays_where_it_is(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let keyless = fresh.card(&project, "keyless").await.card.id;
        fresh.clock.advance(Duration::seconds(1));
        let other = fresh.card(&project, "other").await.card.id;
        order(&fresh, &anna, &project, 1).await;
        let mut ready = HashMap::from([(keyless, Ready::Lacks)]);
        let limits = Limits::default();
        let chosen = fresh.store.start_by_order(&limits, &ready).await.unwrap();
        assert_eq!(chosen, Chosen::Unknown { project: project.id, member: anna.id, feature: other, stopped: false });
        ready.insert(other, Ready::Begins(Box::new(new_run())));
        assert_eq!(fresh.store.start_by_order(&limits, &ready).await.unwrap(), Chosen::Started(other));
        assert_eq!(status(&fresh, keyless).await, FeatureStatus::Backlog);
    }

    async fn a_started_card_waits_in_the_queue_for_what_it_depends_on(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let a = fresh.card(&project, "a").await.card.id;
        let mut new = card(&project, "b");
        new.dependencies = vec![a];
        let b = fresh.store.create_feature(new).await.unwrap().card.id;
        fresh.store.start_feature(b, anna.id, new_run(), i64::MAX).await.unwrap();
        assert!(fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().is_none());
        let night = fresh.store.night().await.unwrap();
        assert_eq!((night.waits_for(&night.queue[0]), night.live(fresh.clock.now()).len()), (&[a][..], 0));
        fresh.store.start_feature(a, anna.id, new_run(), i64::MAX).await.unwrap();
        assert_eq!(end(&fresh, RunStatus::Waiting, Move::Accept, None).await, a);
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        assert_eq!(claimed.run.feature_id, b);
        // What it depends on is taken back while it works: nothing keeps it any more.
        fresh.store.shelve_feature(a).await.unwrap();
        fresh.store.requeue_run(&claimed.lease).await.unwrap();
        assert!(fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().is_some());
    }

    async fn three_failures_in_a_row_pause_an_order(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        for n in 0..7 {
            fresh.card(&project, &n.to_string()).await;
        }
        order(&fresh, &anna, &project, 1).await;
        let limits = Limits::default();
        let mut failures = Vec::new();
        for code in [Some("looping"), Some("looping"), None, Some("looping"), Some("rate-limited"), Some("server")] {
            assert_eq!(start(&fresh, &limits).await.len(), 1);
            match code {
                Some(code) => end(&fresh, RunStatus::Failed, Move::Fail, Some(code)).await,
                None => end(&fresh, RunStatus::Waiting, Move::Finish, None).await,
            };
            let order = fresh.store.order(project.id, anna.id).await.unwrap().unwrap();
            failures.push(order.failures.len());
            assert_eq!(order.state, OrderState::On);
        }
        assert_eq!(failures, [1, 2, 0, 1, 1, 2]);
        assert_eq!(start(&fresh, &limits).await.len(), 1);
        end(&fresh, RunStatus::Waiting, Move::Finish, Some("checks-failed")).await;
        let paused = fresh.store.order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!((paused.state, paused.pause.unwrap().code.as_str()), (OrderState::Paused, "three-failures"));
        let card = fresh.card(&project, "one more").await.card.id;
        assert_eq!(start(&fresh, &limits).await, []);
        // A member's own run is none of the order's business.
        fresh.store.start_feature(card, anna.id, new_run(), i64::MAX).await.unwrap();
        end(&fresh, RunStatus::Failed, Move::Fail, Some("looping")).await;
        order(&fresh, &anna, &project, 1).await;
        let resumed = fresh.store.order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!((resumed.state, resumed.failures.len(), resumed.pause), (OrderState::On, 0, None));
    }

    async fn a_run_rests_while_the_window_is_closed(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let id = fresh.card(&project, "a").await.card.id;
        // The clock of tests begins on a Friday at midnight, UTC.
        let window = Window {
            days: Day::ALL.to_vec(), from: "22:00".to_owned(), until: "07:00".to_owned(), time_zone: "UTC".to_owned(),
        };
        let change = OrderChange { window: Some(Some(window)), at_close: Some(AtClose::FinishTurn), ..Default::default() };
        fresh.store.switch_on_order(project.id, anna.id, change).await.unwrap();
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [id]);
        let opens = fresh.clock.now() + Duration::hours(22);
        fresh.clock.advance(Duration::hours(8));
        assert_eq!(start(&fresh, &limits).await, [], "it closes while the card is still in the queue");
        assert!(fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().is_none());
        let run = fresh.store.feature(id).await.unwrap().unwrap().card.run_id.unwrap();
        let run = fresh.store.run(run).await.unwrap().unwrap();
        assert_eq!((run.status, run.parked_until), (RunStatus::Queued, Some(opens)));
        fresh.clock.advance(Duration::hours(14));
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!((claimed.run.id, claimed.run.parked_until), (run.id, None));
        fresh.store.park_run(&claimed.lease, opens + Duration::days(1), None, None).await.unwrap();
        assert!(fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().is_none());
        // A member takes it in hand: it goes on at once, and the order no longer counts it.
        fresh.store.follow_up(id, anna.id, "now, please").await.unwrap();
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert!(!claimed.run.auto);
        fresh.store.park_run(&claimed.lease, opens + Duration::days(1), None, None).await.unwrap();
        fresh.store.switch_off_order(project.id, anna.id).await.unwrap();
        assert_eq!(status(&fresh, id).await, FeatureStatus::Paused, "switched off, nothing comes to life by itself");
    }

    async fn an_outage_of_one_evening_is_not_counted_on_in_the_next(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        fresh.card(&project, "a").await;
        let window = Window {
            days: Day::ALL.to_vec(), from: "22:00".to_owned(), until: "07:00".to_owned(), time_zone: "UTC".to_owned(),
        };
        let change = OrderChange { window: Some(Some(window)), at_close: Some(AtClose::FinishTurn), ..Default::default() };
        fresh.store.switch_on_order(project.id, anna.id, change).await.unwrap();
        let limits = Limits::default();
        fresh.clock.advance(Duration::minutes(6 * 60 + 55));
        start(&fresh, &limits).await;
        let run = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        let now = fresh.clock.now();
        fresh.store.park_in_outage(&run.lease, now + Duration::minutes(10), "It is down.", now).await.unwrap();
        assert_eq!(fresh.store.out_since(run.run.id).await.unwrap(), Some(now));
        fresh.clock.advance(Duration::minutes(10));
        start(&fresh, &limits).await;
        let rests = fresh.store.run(run.run.id).await.unwrap().unwrap();
        assert_eq!((rests.parked_until, rests.parked_reason), (Some(now + Duration::minutes(15 * 60 + 5)), None));
        assert_eq!(fresh.store.out_since(run.run.id).await.unwrap(), None);
    }

    async fn who_waits_for_a_provider_neither_rests_nor_fails(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let id = fresh.card(&project, "a").await.card.id;
        order(&fresh, &anna, &project, 1).await;
        let limits = Limits::default();
        start(&fresh, &limits).await;
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        let until = fresh.clock.now() + Duration::hours(1);
        fresh.store.park_run(&claimed.lease, until, Some("The limit is used up."), None).await.unwrap();
        let night = fresh.store.night().await.unwrap();
        let live = night.live(fresh.clock.now());
        assert_eq!(live.iter().map(|run| (run.working, run.put_off)).collect::<Vec<_>>(), [(false, true)]);
        assert_eq!(night.queue[0].parked_reason.as_deref(), Some("The limit is used up."));
        let second = fresh.card(&project, "b").await.card.id;
        assert_eq!(start(&fresh, &limits).await, [], "the order's one run is under way, if only in waiting");
        // Neither a new order nor none changes when the provider is ready.
        order(&fresh, &anna, &project, 2).await;
        assert_eq!(start(&fresh, &limits).await, [second]);
        let other = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!(other.run.feature_id, second);
        fresh.store.switch_off_order(project.id, anna.id).await.unwrap();
        let run = fresh.store.run(claimed.run.id).await.unwrap().unwrap();
        assert_eq!((run.status, run.auto, run.parked_until), (RunStatus::Queued, true, Some(until)));
        let kept = fresh.store.order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!((kept.state, kept.failures.len()), (OrderState::Off, 0));
        // Whoever says something lets it ask the provider again; it stays with its order.
        fresh.store.follow_up(id, anna.id, "and this").await.unwrap();
        let again = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!((again.run.auto, again.run.parked_until, again.run.parked_reason), (true, None, None));
    }

    async fn who_finds_nothing_to_begin_from_keeps_no_other_card_of_the_order(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        fresh.card(&project, "a").await;
        order(&fresh, &anna, &project, 1).await;
        let limits = Limits::default();
        start(&fresh, &limits).await;
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        let until = fresh.clock.now() + Duration::minutes(10);
        let why = Some("What it depends on conflicts.");
        fresh.store.park_run(&claimed.lease, until, why, Some(Awaits::Dependencies)).await.unwrap();
        let run = fresh.store.run(claimed.run.id).await.unwrap().unwrap();
        assert_eq!((run.parked_for, run.parked_reason.as_deref()), (Some(Awaits::Dependencies), why));
        let second = fresh.card(&project, "b").await.card.id;
        assert_eq!(start(&fresh, &limits).await, [second]);
        assert_eq!(fresh.store.night().await.unwrap().live(fresh.clock.now()).len(), 1);
        let other = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        fresh.store.park_run(&other.lease, until, Some("The disk is full."), Some(Awaits::Server)).await.unwrap();
        fresh.card(&project, "c").await;
        assert_eq!(start(&fresh, &limits).await, [], "that one is under way");
        fresh.clock.advance(Duration::minutes(11));
        let again = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!((again.run.parked_for, again.run.parked_until), (None, None));
    }

    async fn all_of_a_long_backlog_is_counted(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        for n in 0..310 {
            fresh.store.create_feature(card(&project, &n.to_string())).await.unwrap();
        }
        order(&fresh, &anna, &project, 1).await;
        let night = fresh.store.night().await.unwrap();
        assert_eq!((night.cards.len(), night.backlog_of(project.id, anna.id)), (300, 310));
        assert_eq!(night.backlog_of(project.id, MemberId::new()), 0);
    }

    async fn a_plan_that_waits_holds_no_place_and_counts_as_nothing(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let first = fresh.card(&project, "a").await.card.id;
        let second = fresh.card(&project, "b").await.card.id;
        let third = fresh.card(&project, "c").await.card.id;
        order(&fresh, &anna, &project, 1).await;
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [first]);
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        let broken = Problem { code: "looping".to_owned(), message: "It broke.".to_owned(), hint: String::new() };
        let failing = Ending { status: RunStatus::Failed, what: Move::Fail, summary: None, problem: Some(broken), later: None };
        fresh.store.finish_run(&claimed.lease, failing).await.unwrap();
        assert_eq!(start(&fresh, &limits).await, [second]);
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        let proposal = Ending { status: RunStatus::Waiting, what: Move::Propose, summary: None, problem: None, later: None };
        fresh.store.finish_run(&claimed.lease, proposal).await.unwrap();
        let card = fresh.store.feature(second).await.unwrap().unwrap().card;
        assert_eq!((card.status, card.stage), (FeatureStatus::InProgress, Some(Stage::PlanApproval)));
        assert_eq!(start(&fresh, &limits).await, [third], "the order goes on with its next card");
        let order = fresh.store.order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!((order.state, order.failures.len()), (OrderState::On, 1), "neither a failure nor a success");
    }

    async fn work_is_handed_back_counted_and_merged_in_one_step(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let id = fresh.card(&project, "a").await.card.id;
        order(&fresh, &anna, &project, 1).await;
        start(&fresh, &Limits::default()).await;
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        let word = |counts| Word { text: "Mend it.".to_owned(), data: "red \0".to_owned(), counts };
        fresh.store.say(&claimed.lease, &word(Counts::Repair)).await.unwrap();
        let stat = DiffStat { files: 1, added: 1, removed: 0 };
        fresh.store.move_base(&claimed.lease, "b", "h", stat, Some(&word(Counts::Return))).await.unwrap();
        fresh.store.move_base(&claimed.lease, "b2", "h2", stat, None).await.unwrap();
        let run = fresh.store.run(claimed.run.id).await.unwrap().unwrap();
        assert_eq!((run.repairs, run.returns, run.base_commit.as_deref()), (1, 1, Some("b2")));
        let heard = fresh.store.inbox(run.id).await.unwrap();
        assert_eq!(heard.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["<note>Mend it.</note>\n\nred \u{fffd}"; 2]);
        // What a member says begins the count anew.
        fresh.store.follow_up(id, anna.id, "and this").await.unwrap();
        let run = fresh.store.run(run.id).await.unwrap().unwrap();
        assert_eq!((run.repairs, run.returns, run.auto), (0, 0, true));
        fresh.store.finish_merged(&claimed.lease, "merge", Some("Done.")).await.unwrap();
        let feature = fresh.store.feature(id).await.unwrap().unwrap();
        assert_eq!((feature.card.status, feature.card.merge_commit.as_deref()), (FeatureStatus::Completed, Some("merge")));
        assert_eq!(fresh.store.run(run.id).await.unwrap().unwrap().status, RunStatus::Closed);
        let again = fresh.store.finish_merged(&claimed.lease, "merge", None).await;
        assert!(matches!(again, Err(StoreError::LeaseLost)));
        assert!(matches!(fresh.store.say(&claimed.lease, &word(Counts::Repair)).await, Err(StoreError::LeaseLost)));
    }

    async fn everything_stops_at_once(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        for n in 0..4 {
            fresh.card(&project, &n.to_string()).await;
        }
        order(&fresh, &anna, &project, 3).await;
        assert_eq!(start(&fresh, &Limits::default()).await.len(), 3);
        let working = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        let why = Problem { code: "stopped-by-admin".to_owned(), message: "Stop.".to_owned(), hint: String::new() };
        assert_eq!(fresh.store.stop_all(&why).await.unwrap(), (3, 1));
        assert_eq!(fresh.store.run_counts().await.unwrap(), (0, 0));
        assert!(matches!(fresh.store.renew_lease(&working.lease, HOLD).await, Err(StoreError::LeaseLost)));
        let order = fresh.store.order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!((order.state, order.pause), (OrderState::Paused, Some(why)));
        assert_eq!(start(&fresh, &Limits::default()).await, []);
    }

    async fn who_may_run_nothing_has_no_order(fresh: Fresh) {
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        let (anna, project) = team(&fresh).await;
        fresh.card(&project, "a").await;
        order(&fresh, &anna, &project, 1).await;
        let change = MemberChange { role: Some(MemberRole::Viewer), disabled: None };
        fresh.store.change_member(owner.id, anna.id, change).await.unwrap();
        assert_eq!(fresh.store.order(project.id, anna.id).await.unwrap().unwrap().state, OrderState::Off);
        assert_eq!(start(&fresh, &Limits::default()).await, []);
        let refused = fresh.store.switch_on_order(project.id, anna.id, OrderChange::default()).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))));
    }
}
