//! Budgets: reserved before a call, never checked after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Duration;
use guildhall_store::{
    BUDGETS, BudgetChange, Chosen, Claimed, FeaturePatch, NewFeature, OrderChange, ReadUpTo, Ready, Reserved, Store,
    StoreError,
};
use guildhall_types::budget::{Budgets, MonthStanding, Need, never};
use guildhall_types::chat::Usage;
use guildhall_types::feature::Problem;
use guildhall_types::limits::Limits;
use guildhall_types::member::{ChangeRefused, Member, MemberRole, ProviderKind};
use guildhall_types::notification::NotificationKind;
use guildhall_types::price::Price;
use guildhall_types::run::{Awaits, KeySource, LedgerRow, RunStatus};
use guildhall_types::{Clock, FixedClock, MemberId, NodeId};

use crate::harness::{Fresh, card, new_run, on_both};

const HOLD: Duration = Duration::seconds(30);
/// A token costs a micro-dollar.
const PRICE: Price = Price { input: 1_000_000, output: 1_000_000, cache_read: 0, cache_write: 0 };
const RUN: i64 = 1_000_000;

fn need(input: i64, output: i64) -> Need {
    Need { input, output, least_output: output }
}

fn month(micros: i64) -> Budgets {
    Budgets { month_micros: Some(micros) }
}

/// Runs of one member, each claimed by a node of its own.
async fn runs(fresh: &Fresh, number: usize) -> (Member, Vec<Claimed>) {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    let mut claimed = Vec::new();
    for n in 0..number {
        let id = fresh.card(&project, &format!("{n}")).await.card.id;
        fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        claimed.push(claim(&fresh.store).await);
    }
    (anna, claimed)
}

async fn claim(store: &Store) -> Claimed {
    let wide = Limits { max_concurrent_features: 1000, max_concurrent_features_per_member: 1000, ..Default::default() };
    store.claim_run(NodeId::new(), HOLD, &wide).await.unwrap().unwrap()
}

fn row(claimed: &Claimed, micros: i64) -> LedgerRow {
    LedgerRow {
        id: guildhall_types::CallId::new(),
        member_id: claimed.run.member_id,
        key_source: KeySource::Member,
        key_hint: Some("cdef".to_owned()),
        run_id: claimed.run.id,
        turn: None,
        provider: ProviderKind::Anthropic,
        model: "m".to_owned(),
        usage: Usage { output_tokens: micros, ..Usage::default() },
        cost_micros: micros,
        priced: true,
    }
}

async fn reserve(store: &Store, claimed: &Claimed, need: Need, team: Budgets) -> Reserved {
    store.reserve(&claimed.lease, HOLD, &need, &PRICE, RUN, team).await.unwrap()
}

async fn standing(store: &Store, member: MemberId, team: Budgets) -> MonthStanding {
    store.months(Some(member), team).await.unwrap()[0]
}

on_both! {
    async fn runs_at_once_never_get_more_than_the_month_holds(fresh: Fresh) {
        const CAP: i64 = 10_000;
        let (anna, claimed) = runs(&fresh, 8).await;
        let highest = Arc::new(AtomicI64::new(0));
        let working: Vec<_> = claimed.into_iter().enumerate().map(|(n, claimed)| {
            let (store, highest) = (fresh.store.clone(), Arc::clone(&highest));
            tokio::spawn(async move {
                let mut seed = n as u64 + 1;
                let mut refused = 0;
                while refused < 25 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let most = 40 + (seed >> 33) as i64 % 400;
                    match reserve(&store, &claimed, need(most / 2, most - most / 2), month(CAP)).await {
                        Reserved::Go { .. } => {
                            let now = standing(&store, claimed.run.member_id, month(CAP)).await;
                            highest.fetch_max(now.spent_micros + now.reserved_micros, Ordering::Relaxed);
                            // Some calls cost all that they could, some less, some come to nothing.
                            match seed % 3 {
                                0 => store.save_side_call(&claimed.lease, &row(&claimed, most)).await.unwrap(),
                                1 => store.save_side_call(&claimed.lease, &row(&claimed, most / 3)).await.unwrap(),
                                _ => store.release(&claimed.lease).await.unwrap(),
                            }
                        }
                        Reserved::Held { .. } | Reserved::MonthUsedUp { .. } => refused += 1,
                        other => panic!("{other:?}"),
                    }
                }
            })
        }).collect();
        for work in working {
            work.await.unwrap();
        }
        let last = standing(&fresh.store, anna.id, month(CAP)).await;
        assert!(highest.load(Ordering::Relaxed) <= CAP, "{highest:?}");
        assert!(last.spent_micros <= CAP && last.spent_micros > CAP - 441, "all of it was used: {last:?}");
        assert_eq!(last.reserved_micros, 0, "nothing is left set aside");
    }

    async fn a_call_waits_for_those_under_way_and_not_for_the_next_month(fresh: Fresh) {
        let (anna, runs) = runs(&fresh, 2).await;
        let team = month(100);
        assert_eq!(reserve(&fresh.store, &runs[0], need(30, 40), team).await, Reserved::Go { output: 40 });
        assert_eq!(reserve(&fresh.store, &runs[0], need(30, 40), team).await, Reserved::Go { output: 40 }, "in place of the former");
        assert_eq!(standing(&fresh.store, anna.id, team).await.reserved_micros, 70);
        assert_eq!(reserve(&fresh.store, &runs[1], need(30, 40), team).await, Reserved::Held { cap_micros: 100 });
        let smaller = Need { input: 10, output: 40, least_output: 15 };
        assert_eq!(reserve(&fresh.store, &runs[1], smaller, team).await, Reserved::Go { output: 20 }, "a smaller answer");
        fresh.store.save_side_call(&runs[0].lease, &row(&runs[0], 60)).await.unwrap();
        let now = standing(&fresh.store, anna.id, team).await;
        assert_eq!((now.spent_micros, now.reserved_micros), (60, 30));
        let used = reserve(&fresh.store, &runs[0], need(30, 40), team).await;
        assert!(matches!(used, Reserved::MonthUsedUp { cap_micros: 100, spent_micros: 60, .. }), "{used:?}");
        assert_eq!(fresh.store.reserve(&runs[0].lease, HOLD, &need(30, 40), &Price::FREE, RUN, team).await.unwrap(),
            Reserved::Go { output: 40 }, "what is free goes on");
    }

    async fn a_death_between_reserving_and_paying_neither_leaks_nor_counts_twice(fresh: Fresh) {
        let (anna, runs) = runs(&fresh, 2).await;
        let team = month(100);
        let dead = &runs[0];
        assert_eq!(reserve(&fresh.store, dead, need(0, 70), team).await, Reserved::Go { output: 70 });
        fresh.store.expire_leases().await.unwrap();
        fresh.clock.advance(Duration::seconds(1));
        let next = claim(&fresh.store).await;
        let next = if next.run.id == dead.run.id { next } else { claim(&fresh.store).await };
        assert_eq!((next.run.id, next.lease.attempt), (dead.run.id, dead.lease.attempt + 1));
        assert_eq!(standing(&fresh.store, anna.id, team).await.reserved_micros, 0, "claimed again: let go");
        assert_eq!(reserve(&fresh.store, &next, need(0, 60), team).await, Reserved::Go { output: 60 });
        // The one that was thought dead comes back with its bill: it is paid, and takes nothing of the other's.
        let lost = fresh.store.reserve(&dead.lease, HOLD, &need(0, 1), &PRICE, RUN, team).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)), "{lost:?}");
        fresh.store.save_late_call(&dead.lease, &row(dead, 20)).await.unwrap();
        let now = standing(&fresh.store, anna.id, team).await;
        assert_eq!((now.spent_micros, now.reserved_micros), (20, 60));
        fresh.store.save_side_call(&next.lease, &row(&next, 50)).await.unwrap();
        let now = standing(&fresh.store, anna.id, team).await;
        assert_eq!((now.spent_micros, now.reserved_micros), (70, 0));
        let run = fresh.store.run(next.run.id).await.unwrap().unwrap();
        assert_eq!(run.cost_micros, 70);
    }

    async fn what_nobody_renews_ends_with_its_lease(fresh: Fresh) {
        let (anna, runs) = runs(&fresh, 1).await;
        let team = month(100);
        reserve(&fresh.store, &runs[0], need(0, 70), team).await;
        // PostgreSQL's own clock judges leases there.
        if fresh.store.backend() == guildhall_store::Backend::Sqlite {
            fresh.clock.advance(Duration::seconds(20));
            fresh.store.renew_lease(&runs[0].lease, HOLD).await.unwrap();
            fresh.clock.advance(Duration::seconds(20));
            assert_eq!(standing(&fresh.store, anna.id, team).await.reserved_micros, 70, "renewed with the lease");
            // Stopped in the middle of a call, whose bill is yet to come: it counts until then, or until the lease is over.
            fresh.store.stop_feature(runs[0].run.feature_id).await.unwrap();
            assert_eq!(standing(&fresh.store, anna.id, team).await.reserved_micros, 70);
            fresh.clock.advance(Duration::seconds(20));
            assert_eq!(standing(&fresh.store, anna.id, team).await.reserved_micros, 0);
        }
        fresh.store.save_late_call(&runs[0].lease, &row(&runs[0], 7)).await.unwrap();
        let now = standing(&fresh.store, anna.id, team).await;
        assert_eq!((now.spent_micros, now.reserved_micros), (7, 0));
    }

    async fn the_month_turns_by_the_clock(fresh: Fresh) {
        let (anna, runs) = runs(&fresh, 1).await;
        let (run, team) = (&runs[0], month(100));
        fresh.store.save_side_call(&run.lease, &row(run, 95)).await.unwrap();
        let Reserved::MonthUsedUp { until, .. } = reserve(&fresh.store, run, need(5, 5), team).await else { panic!() };
        let why = Some("The month is used up.");
        fresh.store.park_run(&run.lease, until, why, Some(Awaits::MonthBudget)).await.unwrap();
        let parked = fresh.store.run(run.run.id).await.unwrap().unwrap();
        assert_eq!((parked.status, parked.parked_for, parked.lease_owner), (RunStatus::Queued, Some(Awaits::MonthBudget), None));
        let limits = Limits::default();
        assert!(fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().is_none());
        leap_to(&fresh.clock, until - Duration::microseconds(1));
        assert!(fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().is_none(), "not a moment too early");
        leap_to(&fresh.clock, until);
        let again = claim(&fresh.store).await;
        assert_eq!((again.run.id, again.run.parked_for), (run.run.id, None));
        assert_eq!(standing(&fresh.store, anna.id, team).await.spent_micros, 0, "a new month");
        assert_eq!(reserve(&fresh.store, &again, need(5, 5), team).await, Reserved::Go { output: 5 });
    }

    async fn whoever_can_raise_a_month_is_told_once_that_it_is_used_up(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let (anna, mut runs) = runs(&fresh, 6).await;
        let store = &fresh.store;
        store.put_team_budgets(month(5_000_000)).await.unwrap();
        let mut park = async || {
            let until = fresh.clock.now() + Duration::days(9);
            store.park_run(&runs.remove(0).lease, until, Some("No more."), Some(Awaits::MonthBudget)).await.unwrap();
        };
        let told = async |member: &Member| {
            let all = store.notifications(member.id, None, true, 9).await.unwrap().page.items;
            store.read_notifications(member.id, ReadUpTo::Seq(i64::MAX)).await.unwrap();
            all
        };
        park().await;
        park().await;
        let annas = told(&anna).await;
        assert_eq!((annas.len(), annas[0].count, annas[0].about_member_id), (1, 2, None));
        assert_eq!(annas[0].text, "No more. An admin can raise it, and is told.");
        assert_eq!(annas[0].path(), "/usage#budgets");
        let olgas = told(&olga).await;
        assert_eq!((olgas.len(), olgas[0].count, olgas[0].kind), (1, 1, NotificationKind::BudgetReached));
        assert_eq!((olgas[0].subject.as_str(), olgas[0].about_member_id), ("anna's month", Some(anna.id)));
        assert!(olgas[0].text.starts_with("The month's budget of anna, $5.00, is used up."), "{}", olgas[0].text);
        assert_eq!(olgas[0].path(), "/usage#budgets");
        park().await;
        assert_eq!(told(&olga).await.len(), 0, "she has read of this month");
        store.change_budget(anna.id, BudgetChange::Given(Some(9_000_000))).await.unwrap();
        park().await;
        assert_eq!(told(&olga).await.len(), 1, "what she gave since is used up, too");
        fresh.clock.advance(Duration::days(40));
        park().await;
        assert_eq!(told(&olga).await.len(), 1, "another month");
        told(&anna).await;
        store.change_budget(anna.id, BudgetChange::Own(Some(1_000_000))).await.unwrap();
        park().await;
        assert_eq!(told(&anna).await[0].text, "No more. You set this budget yourself, and can raise it.");
        assert_eq!(told(&olga).await.len(), 0, "she can do nothing about it");
    }

    async fn a_run_at_its_own_budget_waits_until_somebody_lets_it(fresh: Fresh) {
        let (_, runs) = runs(&fresh, 1).await;
        let (run, none) = (&runs[0], Budgets::default());
        fresh.store.save_side_call(&run.lease, &row(run, 90)).await.unwrap();
        let store = &fresh.store;
        let ask = async |claimed: &Claimed| store.reserve(&claimed.lease, HOLD, &need(10, 10), &PRICE, 100, none).await.unwrap();
        assert_eq!(ask(run).await, Reserved::RunUsedUp { cap_micros: 100, spent_micros: 90 });
        store.park_run(&run.lease, never(), Some("It asks for more."), Some(Awaits::RunBudget)).await.unwrap();
        fresh.clock.advance(Duration::days(40));
        assert!(store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().is_none());
        let (_, allowed) = store.allow_cost(run.run.feature_id, 15).await.unwrap();
        assert_eq!((allowed.extra_micros, allowed.parked_until, allowed.parked_for), (15, None, None));
        let again = claim(store).await;
        assert_eq!(ask(&again).await, Reserved::Go { output: 10 });
        store.save_side_call(&again.lease, &row(&again, 20)).await.unwrap();
        assert_eq!(ask(&again).await, Reserved::RunUsedUp { cap_micros: 115, spent_micros: 110 });
        store.park_run(&again.lease, never(), Some("It asks for more."), Some(Awaits::RunBudget)).await.unwrap();
        // What the card says goes before the team's limit. It is not for others to spend with this member's key.
        let patch = FeaturePatch { budget_micros: Some(Some(200)), ..FeaturePatch::default() };
        let ben = fresh.member("ben").await;
        for micros in [Some(200), Some(1)] {
            let others = FeaturePatch { budget_micros: Some(micros), budget_of: Some(ben.id), ..FeaturePatch::default() };
            let refused = store.update_feature(run.run.feature_id, others, None).await;
            assert!(matches!(refused, Err(StoreError::Refused(ChangeRefused::OthersBudget))), "{refused:?}");
        }
        let same = FeaturePatch { budget_micros: Some(None), budget_of: Some(ben.id), ..FeaturePatch::default() };
        store.update_feature(run.run.feature_id, same, None).await.unwrap();
        let waits = store.run(run.run.id).await.unwrap().unwrap();
        assert_eq!(waits.parked_for, Some(Awaits::RunBudget), "nobody else wakes it");
        let patch = FeaturePatch { budget_of: Some(run.run.member_id), ..patch };
        let card = store.update_feature(run.run.feature_id, patch, None).await.unwrap();
        assert_eq!(card.card.budget_micros, Some(200));
        let others = |micros| FeaturePatch { budget_micros: Some(Some(micros)), budget_of: Some(ben.id), ..FeaturePatch::default() };
        let less = store.update_feature(run.run.feature_id, others(190), None).await.unwrap();
        assert_eq!(less.card.budget_micros, Some(190), "less costs nobody anything");
        let refused = store.update_feature(run.run.feature_id, others(200), None).await;
        assert!(matches!(refused, Err(StoreError::Refused(ChangeRefused::OthersBudget))), "{refused:?}");
        let back = FeaturePatch { budget_micros: Some(Some(200)), ..FeaturePatch::default() };
        store.update_feature(run.run.feature_id, back, None).await.unwrap();
        let third = claim(store).await;
        assert_eq!(ask(&third).await, Reserved::Go { output: 10 });
        store.requeue_run(&third.lease).await.unwrap();
        store.stop_feature(run.run.feature_id).await.unwrap();
        store.update_feature(run.run.feature_id, others(300), None).await.unwrap();
        assert_eq!(standing(store, run.run.member_id, none).await.reserved_micros, 0, "given back: let go");
    }

    async fn a_call_counts_once_however_often_it_is_written(fresh: Fresh) {
        let (anna, runs) = runs(&fresh, 1).await;
        let (run, store) = (&runs[0], &fresh.store);
        let call = row(run, 30);
        store.save_side_call(&run.lease, &call).await.unwrap();
        store.save_side_call(&run.lease, &call).await.unwrap();
        store.stop_feature(run.run.feature_id).await.unwrap();
        store.save_late_call(&run.lease, &call).await.unwrap();
        store.save_late_call(&run.lease, &row(run, 5)).await.unwrap();
        assert_eq!(standing(store, anna.id, month(100)).await.spent_micros, 35);
        assert_eq!(store.run(run.run.id).await.unwrap().unwrap().cost_micros, 35);
    }

    async fn what_auto_mode_would_spend_is_not_for_others_to_raise(fresh: Fresh) {
        let (anna, project) = crate::orders::team(&fresh).await;
        let ben = fresh.member("ben").await;
        let store = &fresh.store;
        let card = store.create_feature(NewFeature { created_by: anna.id, ..card(&project, "a") }).await.unwrap().card.id;
        let raise = async |by: MemberId, micros| {
            let patch = FeaturePatch { budget_micros: Some(Some(micros)), budget_of: Some(by), ..FeaturePatch::default() };
            store.update_feature(card, patch, None).await.map(drop)
        };
        let refused = |done: Result<(), StoreError>| matches!(done, Err(StoreError::Refused(ChangeRefused::OthersBudget)));
        raise(ben.id, 10).await.unwrap();
        store.switch_on_order(project.id, anna.id, OrderChange::default()).await.unwrap();
        assert!(refused(raise(ben.id, 20).await), "her night would take it");
        raise(ben.id, 5).await.unwrap();
        raise(anna.id, 20).await.unwrap();
        let ready = HashMap::from([(card, Ready::Begins(Box::new(new_run())))]);
        assert_eq!(store.start_by_order(&Limits::default(), &ready).await.unwrap(), Chosen::Started(card));
        let why = Problem { code: "stopped".to_owned(), message: "Stopped.".to_owned(), hint: String::new() };
        store.stop_all(&why).await.unwrap();
        assert!(refused(raise(ben.id, 30).await), "it goes on with her auto mode");
        store.shelve_feature(card).await.unwrap();
        assert!(refused(raise(ben.id, 30).await), "it is paused, and not off");
        store.switch_off_order(project.id, anna.id).await.unwrap();
        raise(ben.id, 30).await.unwrap();
    }

    async fn another_budget_lets_those_who_wait_for_it_ask_again(fresh: Fresh) {
        let (anna, runs) = runs(&fresh, 1).await;
        let store = &fresh.store;
        store.put_team_budgets(month(50)).await.unwrap();
        assert_eq!(store.setting::<Budgets>(BUDGETS).await.unwrap(), Some(month(50)));
        let mut held = runs.into_iter().next().unwrap();
        let until = fresh.clock.now() + Duration::days(20);
        let changes: [BudgetChange; 3] = [BudgetChange::Given(Some(80)), BudgetChange::Own(Some(60)), BudgetChange::Given(None)];
        for (change, cap) in changes.into_iter().zip([80, 60, 50]) {
            store.park_run(&held.lease, until, Some("Used up."), Some(Awaits::MonthBudget)).await.unwrap();
            store.change_budget(anna.id, change).await.unwrap();
            assert_eq!(standing(store, anna.id, month(50)).await.cap_micros, Some(cap));
            held = claim(store).await;
        }
        store.park_run(&held.lease, until, Some("Used up."), Some(Awaits::MonthBudget)).await.unwrap();
        store.put_price(ProviderKind::Openai, "*", PRICE).await.unwrap();
        held = claim(store).await;
        store.park_run(&held.lease, never(), Some("Used up."), Some(Awaits::RunBudget)).await.unwrap();
        store.run_limit_changed().await.unwrap();
        claim(store).await;
        let gone = store.change_budget(MemberId::new(), BudgetChange::Own(None)).await;
        assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    }
}

fn leap_to(clock: &FixedClock, to: guildhall_types::DateTime) {
    clock.advance(to - clock.now());
}
