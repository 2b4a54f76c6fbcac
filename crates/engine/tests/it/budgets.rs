//! Budgets: at its cap a run waits, loses nothing, and goes on when it may.

use std::sync::Arc;

use chrono::Duration;
use guildhall_sim::{Config, Fault};
use guildhall_store::{BudgetChange, OrderChange, UsageQuery};
use guildhall_team::By;
use guildhall_types::auto::Reason;
use guildhall_types::budget::{Month, never};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::limits::RunLimits;
use guildhall_types::member::ProviderKind;
use guildhall_types::price::Price;
use guildhall_types::project::ProjectSource;
use guildhall_types::run::{Awaits, Run, RunStatus};
use guildhall_types::usage::Sums;
use guildhall_types::{Clock, FeatureId, FixedClock, RunId};
use serde_json::{Value, json};

use crate::harness::Hall;

/// A token of output costs a thousand micro-dollars, so that the least answer that is worth a call costs $4.10.
const PRICE: Price = Price { output: 1_000_000_000, ..Price::FREE };
const LEAST: i64 = 4_096_000;

/// Calls that differ, and a last one.
fn calls(number: usize) -> Vec<Value> {
    let mut lines: Vec<Value> =
        (1..number).map(|n| json!({ "tools": [["glob", { "pattern": format!("{n}.txt") }]] })).collect();
    lines.push(json!({ "say": "Done." }));
    lines
}

async fn price(hall: &Hall) {
    hall.team.put_price(ProviderKind::Anthropic, "simulated", PRICE).await.unwrap();
}

async fn run_of(hall: &Hall, id: FeatureId) -> RunId {
    hall.feature(id).await.card.run_id.unwrap()
}

async fn put_off(hall: &Hall, run: RunId) -> Run {
    let look = async || hall.team.store.run(run).await.unwrap().filter(|run| run.parked_for.is_some());
    hall.until("a run that waits for money", look).await
}

async fn ledger(hall: &Hall) -> Sums {
    let now = hall.team.clock.now();
    let all = UsageQuery { from: now - Duration::days(400), to: now + Duration::days(1), project: None, member: None };
    hall.team.store.usage_total(&all).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_at_its_budget_asks_for_more_and_goes_on_with_it() {
    let hall = Hall::open().await;
    price(&hall).await;
    let cap = LEAST + 60_000;
    let limits = RunLimits { max_cost_micros: cap, ..RunLimits::default() };
    hall.team.store.put_setting(guildhall_engine::RUN_LIMITS, &limits).await.unwrap();
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.scripted(&project, &calls(20)).await;
    let parked = put_off(&hall, run_of(&hall, id).await).await;
    assert_eq!((parked.parked_for, parked.parked_until), (Some(Awaits::RunBudget), Some(never())));
    assert_eq!((parked.status, parked.lease_owner, parked.error.clone()), (RunStatus::Queued, None, None));
    assert!(parked.cost_micros > 0 && parked.cost_micros <= cap && parked.turns > 0, "{parked:?}");
    assert!(parked.parked_reason.unwrap().contains("goes on when somebody allows more"));
    assert_eq!(hall.feature(id).await.card.status, FeatureStatus::Queued);
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    assert!(matches!(queue[0].waiting.reason, Reason::Budget { until: None, .. }), "{queue:?}");
    let asked: Vec<Value> = hall.sim.requests().iter().map(|request| request["max_tokens"].clone()).collect();
    assert!(asked.iter().all(|tokens| (4_096..=4_156).contains(&tokens.as_i64().unwrap())), "{asked:?}");

    let ben =
        guildhall_store::NewMember { email: "ben@example.com".to_owned(), name: "Ben".to_owned(), password_hash: None };
    let ben = hall.team.store.create_member(ben, guildhall_types::member::MemberRole::Member).await.unwrap();
    assert!(hall.team.allow_cost(By::in_person(&ben), id, 1).await.is_err(), "the member's own, or an admin");
    hall.team.allow_cost(By::in_person(&hall.anna), id, 20_000_000).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let run = hall.team.store.run(parked.id).await.unwrap().unwrap();
    assert_eq!((run.turns, run.extra_micros, run.parked_for), (20, 20_000_000, None));
    let billed = ledger(&hall).await;
    assert_eq!((billed.calls, billed.cost_micros, billed.unpriced_calls), (20, run.cost_micros, 0));
    assert_eq!(hall.sim.requests().len(), 20, "no call was made twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_at_once_stay_within_the_month_and_go_on_when_it_turns() {
    let clock = FixedClock::default();
    let lease = std::time::Duration::from_secs(90 * 24 * 3600);
    let mut hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), lease).await;
    price(&hall).await;
    let cap = 2 * LEAST + 100_000;
    hall.team.set_team_budgets(Some(cap)).await.unwrap();
    let project = hall.project("p", ProjectSource::Empty).await;
    let mut cards = Vec::new();
    for _ in 0..3 {
        cards.push(hall.card(&project, &crate::harness::script(&calls(500))).await);
    }
    let change = OrderChange { max_concurrent: Some(2), ..OrderChange::default() };
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
    for card in &cards[..2] {
        let started = async || hall.feature(*card).await.card.run_id;
        let run = hall.until("the start", started).await;
        let run = put_off(&hall, run).await;
        assert_eq!(run.parked_for, Some(Awaits::MonthBudget));
        assert_eq!(run.parked_until, Some(Month::of(clock.now()).ends));
    }
    let spent = ledger(&hall).await.cost_micros;
    assert!(spent > cap - 2 * LEAST && spent <= cap, "{spent} of {cap}");
    let told = hall.team.auto_mode(hall.anna.id, project.id).await.unwrap().waiting.unwrap();
    assert!(matches!(told.reason, Reason::Budget { until: Some(_), .. }), "{told:?}");
    assert!(told.message.contains("month's budget"), "{told:?}");
    assert_eq!(hall.feature(cards[2]).await.card.status, FeatureStatus::Backlog, "no card is started");

    // A restart changes nothing of it; the next month does.
    hall.die_and_start_again().await;
    let made = hall.sim.requests().len();
    clock.advance(Month::of(clock.now()).ends - clock.now() - Duration::seconds(1));
    hall.engine.stats().await;
    assert_eq!(hall.sim.requests().len(), made);
    clock.advance(Duration::seconds(1));
    hall.until("the next month", async || (hall.sim.requests().len() > made + 2).then_some(())).await;
    let months = hall.team.store.months(Some(hall.anna.id), hall.team.team_budgets().await.unwrap()).await.unwrap();
    assert!(months[0].spent_micros <= cap, "{months:?}");
    // Their member wants it to cost less, and they stop again.
    hall.team.set_own_budget(hall.anna.id, Some(1)).await.unwrap();
    for card in &cards[..2] {
        put_off(&hall, run_of(&hall, *card).await).await;
    }
    hall.team.store.change_budget(hall.anna.id, BudgetChange::Own(None)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_broke_off_is_billed_once() {
    let hall = Hall::open().await;
    price(&hall).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.card(&project, &crate::harness::script(&calls(2))).await;
    hall.sim.fail_next([Fault::Cut]);
    hall.start(id).await;
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::WaitingApproval);
    let run = hall.team.store.run(run_of(&hall, id).await).await.unwrap().unwrap();
    let billed = ledger(&hall).await;
    assert_eq!((billed.calls, run.turns, hall.sim.requests().len()), (3, 2, 3));
    assert_eq!((billed.cost_micros, billed.output_tokens), (run.cost_micros, run.usage.output_tokens));
    assert_eq!(
        billed.cost_micros,
        PRICE.cost_micros(&guildhall_types::chat::Usage { output_tokens: billed.output_tokens, ..Default::default() })
    );
    let standing = hall.team.store.months(Some(hall.anna.id), Default::default()).await.unwrap()[0];
    assert_eq!((standing.spent_micros, standing.reserved_micros), (billed.cost_micros, 0));
}
