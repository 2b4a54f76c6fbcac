//! Runs: claims, leases, fences, turns, endings.

use std::collections::HashSet;

use chrono::Duration;
use guildhall_store::{AuditQuery, Claimed, Ending, Finished, NewRun, Store, StoreError};
use guildhall_types::audit::AuditAction;
use guildhall_types::chat::{Block, Message, StopReason, Usage};
use guildhall_types::feature::{FeatureStatus, Move, Stage};
use guildhall_types::limits::Limits;
use guildhall_types::member::{MemberChange, MemberRole, ProviderKind};
use guildhall_types::run::*;
use guildhall_types::{CheckId, Clock, NodeId, RunId};

use crate::harness::{Fresh, new_run, on_both};

const HOLD: Duration = Duration::seconds(30);

fn wide() -> Limits {
    Limits { max_concurrent_features: 1000, max_concurrent_features_per_member: 1000, ..Default::default() }
}

async fn started(fresh: &Fresh) -> (guildhall_types::member::Member, guildhall_types::FeatureId) {
    let anna = fresh.member(&format!("m{}", RunId::new())).await;
    let project = fresh.project(&anna).await;
    let id = fresh.card(&project, "one").await.card.id;
    fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
    (anna, id)
}

async fn claim(store: &Store) -> Claimed {
    store.claim_run(NodeId::new(), HOLD, &wide()).await.unwrap().unwrap()
}

fn team_key() -> RunKey {
    RunKey { source: KeySource::Team, provider: ProviderKind::Openai, hint: Some("cdef".to_owned()) }
}

fn turn(number: i64) -> Turn {
    Turn {
        number,
        input: vec![Block::text("go")],
        compacted: None,
        answer: Message::assistant(vec![Block::text("nul \0 in text")]),
        stop_reason: StopReason::ToolUse,
        usage: Usage { input_tokens: 10, output_tokens: 5, cache_read_tokens: 100, cache_write_tokens: 1 },
        results: None,
        snapshot: None,
    }
}

fn row(claimed: &Claimed, number: i64) -> LedgerRow {
    LedgerRow {
        id: guildhall_types::CallId::new(),
        member_id: claimed.run.member_id,
        key_source: KeySource::Team,
        key_hint: None,
        run_id: claimed.run.id,
        turn: Some(number),
        provider: ProviderKind::Anthropic,
        model: "m".to_owned(),
        usage: turn(number).usage,
        cost_micros: 42,
        priced: true,
    }
}

fn done() -> Ending {
    Ending {
        status: RunStatus::Waiting,
        what: Move::Finish,
        summary: Some("Done.".to_owned()),
        problem: None,
        later: None,
    }
}

on_both! {
    async fn a_member_starts_no_more_cards_than_worktrees_however_many_at_once(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let mut cards = Vec::new();
        for n in 0..8 {
            cards.push(fresh.card(&project, &format!("card {n}")).await.card.id);
        }
        let starts: Vec<_> = cards.iter().map(|card| {
            let (store, card) = (fresh.store.clone(), *card);
            tokio::spawn(async move { store.start_feature(card, anna.id, new_run(), 3).await.map(|_| card) })
        }).collect();
        let (mut begun, mut refused) = (Vec::new(), 0);
        for start in starts {
            match start.await.unwrap() {
                Ok(card) => begun.push(card),
                Err(StoreError::TooManyWorktrees { most: 3 }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((begun.len(), refused), (3, 5));
        // Another member has places of their own, and whoever gives one back has it again.
        let bert = fresh.member("bert").await;
        let left = *cards.iter().find(|card| !begun.contains(card)).unwrap();
        fresh.store.start_feature(left, bert.id, new_run(), 3).await.unwrap();
        let left = *cards.iter().rfind(|card| !begun.contains(card)).unwrap();
        fresh.store.stop_feature(begun[0]).await.unwrap();
        // It still has its worktree.
        let refused = fresh.store.start_feature(left, anna.id, new_run(), 3).await.unwrap_err();
        assert!(refused.to_string().contains("merge, or take back"), "{refused}");
        // Starting a card anew takes no place more than it has.
        fresh.store.start_feature(begun[0], anna.id, new_run(), 3).await.unwrap();
    }

    async fn many_claimers_never_share_a_run_and_the_limits_hold(fresh: Fresh) {
        for _ in 0..4 {
            let anna = fresh.member(&format!("m{}", RunId::new())).await;
            let project = fresh.project(&anna).await;
            for n in 0..6 {
                let id = fresh.card(&project, &format!("{n}")).await.card.id;
                fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
            }
        }
        let limits = Limits { max_concurrent_features: 10, max_concurrent_features_per_member: 3, ..Default::default() };
        let claimers: Vec<_> = (0..8).map(|_| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                let node = NodeId::new();
                let mut mine = Vec::new();
                while let Some(claimed) = store.claim_run(node, HOLD, &limits).await.unwrap() {
                    mine.push((claimed.run.id, claimed.run.member_id));
                }
                mine
            })
        }).collect();
        let mut all = Vec::new();
        for claimer in claimers {
            all.extend(claimer.await.unwrap());
        }
        assert_eq!(all.len(), 10);
        assert_eq!(all.iter().map(|(run, _)| run).collect::<HashSet<_>>().len(), 10);
        for (_, member) in &all {
            assert!(all.iter().filter(|(_, other)| other == member).count() <= 3);
        }
        assert_eq!(fresh.store.run_counts().await.unwrap(), (10, 14));
    }

    async fn turns_are_saved_one_by_one_and_billed_once(fresh: Fresh) {
        let (_, id) = started(&fresh).await;
        let claimed = claim(&fresh.store).await;
        assert_eq!(claimed.feature.card.status, FeatureStatus::InProgress);
        fresh.store.follow_up(id, claimed.run.member_id, "also this").await.unwrap();
        assert_eq!(fresh.store.inbox(claimed.run.id).await.unwrap()[0].text, "also this");
        fresh.store.save_answer(&claimed.lease, &turn(1), Some(1), &row(&claimed, 1), vec![]).await.unwrap();
        assert!(fresh.store.inbox(claimed.run.id).await.unwrap().is_empty());
        assert_eq!(fresh.store.turns(claimed.run.id).await.unwrap(), [turn(1)]);
        let again = fresh.store.save_answer(&claimed.lease, &turn(1), None, &row(&claimed, 1), vec![]).await;
        assert!(again.is_err(), "a turn is never saved twice");
        let results = vec![Block::ToolResult { tool_use_id: "t".to_owned(), content: "ok".to_owned(), is_error: false, images: Vec::new() }];
        let stat = DiffStat { files: 1, added: 2, removed: 3 };
        let note = RunEvent::Note { text: "nul \0".to_owned() };
        fresh.store.save_results(&claimed.lease, 1, results.clone(), Some(("abc".to_owned(), stat)), None, vec![note.clone()]).await.unwrap();
        let saved = fresh.store.turns(claimed.run.id).await.unwrap().remove(0);
        assert_eq!((saved.results, saved.snapshot.as_deref()), (Some(results), Some("abc")));
        let run = fresh.store.run(claimed.run.id).await.unwrap().unwrap();
        assert_eq!((run.cost_micros, run.usage.cache_read_tokens, run.head_commit.as_deref()), (42, 100, Some("abc")));
        let card = fresh.store.feature(id).await.unwrap().unwrap().card;
        assert_eq!((card.cost_micros, card.lines_added), (42, 2));
        let told = fresh.store.run_events(run.id, 0, 100).await.unwrap();
        assert!(told.iter().any(|e| matches!(&e.what, guildhall_types::event::Happening::Run { event, .. } if *event == note)));
    }

    async fn a_check_that_was_cut_off_does_not_seem_to_run_for_ever(fresh: Fresh) {
        let (_, _) = started(&fresh).await;
        let first = claim(&fresh.store).await;
        let check = |command: &str| Check {
            kind: CheckKind::Check,
            id: CheckId::new(), run_id: first.run.id, command: command.to_owned(), status: CheckStatus::Running, exit_code: None,
            output: String::new(), commit_id: None, started_at: fresh.clock.now(), ended_at: None,
        };
        fresh.store.put_check(&first.lease, &check("cut off")).await.unwrap();
        // Its server dies, and the run is claimed again.
        fresh.store.expire_leases().await.unwrap();
        let second = claim(&fresh.store).await;
        let again = check("again");
        fresh.store.put_check(&second.lease, &again).await.unwrap();
        let status = async || {
            let checks = fresh.store.checks(first.run.id).await.unwrap();
            checks.into_iter().map(|check| (check.command, check.status)).collect::<std::collections::BTreeMap<_, _>>()
        };
        let now = status().await;
        assert_eq!((now["cut off"], now["again"]), (CheckStatus::Failed, CheckStatus::Running));
        fresh.store.put_check(&second.lease, &Check { status: CheckStatus::Passed, ..again }).await.unwrap();
        assert_eq!(status().await["again"], CheckStatus::Passed);
    }

    async fn who_lost_the_lease_writes_nothing(fresh: Fresh) {
        let (_, id) = started(&fresh).await;
        let first = claim(&fresh.store).await;
        fresh.store.expire_leases().await.unwrap();
        fresh.clock.advance(Duration::seconds(1));
        let second = claim(&fresh.store).await;
        assert_eq!((second.run.id, second.lease.attempt), (first.run.id, 2));
        let before = fresh.store.last_seq().await.unwrap();
        let store = &fresh.store;
        let check = Check {
            kind: CheckKind::Check,
            id: CheckId::new(), run_id: first.run.id, command: "true".to_owned(), status: CheckStatus::Passed, exit_code: Some(0),
            output: String::new(), commit_id: None, started_at: fresh.clock.now(), ended_at: None,
        };
        let note = || vec![RunEvent::Note { text: "late".to_owned() }];
        let started = RunEvent::Started { attempt: 1, model: "m".to_owned(), key_source: KeySource::Team, resumed: false, agent: None };
        let refused = [
            store.append_events(&first.lease, note()).await,
            store.save_answer(&first.lease, &turn(1), None, &row(&first, 1), vec![]).await,
            store.save_side_call(&first.lease, &row(&first, 1)).await,
            store.save_results(&first.lease, 1, vec![], None, None, vec![]).await,
            store.set_plan(&first.lease, &[]).await,
            store.set_head(&first.lease, "abc", DiffStat::default()).await,
            store.put_check(&first.lease, &check).await,
            store.run_started(&first.lease, "abc", "b", &[], &team_key(), vec![started]).await,
            store.renew_lease(&first.lease, HOLD).await,
            store.finish_run(&first.lease, done()).await.map(|_| ()),
            store.requeue_run(&first.lease).await,
        ];
        for (n, result) in refused.into_iter().enumerate() {
            assert!(matches!(result, Err(StoreError::LeaseLost)), "write {n}: {result:?}");
        }
        assert_eq!(fresh.store.last_seq().await.unwrap(), before, "nothing was left behind");
        fresh.store.stop_feature(id).await.unwrap();
        assert!(matches!(store.append_events(&second.lease, note()).await, Err(StoreError::LeaseLost)), "stopped");
    }

    async fn a_run_ends_and_the_same_conversation_goes_on(fresh: Fresh) {
        let (anna, id) = started(&fresh).await;
        let claimed = claim(&fresh.store).await;
        fresh.store.save_answer(&claimed.lease, &turn(1), None, &row(&claimed, 1), vec![]).await.unwrap();
        assert_eq!(fresh.store.finish_run(&claimed.lease, done()).await.unwrap(), Finished::Ended);
        let feature = fresh.store.feature(id).await.unwrap().unwrap();
        assert_eq!((feature.card.status, feature.summary.as_deref()), (FeatureStatus::WaitingApproval, Some("Done.")));
        let (feature, run) = fresh.store.follow_up(id, anna.id, "rename it").await.unwrap();
        assert_eq!((feature.card.status, run.status, run.id), (FeatureStatus::Queued, RunStatus::Queued, claimed.run.id));
        fresh.clock.advance(Duration::hours(9));
        let again = claim(&fresh.store).await;
        assert_eq!(again.run.started_at, Some(fresh.clock.now()), "the night in between was no work");
        assert_eq!(again.feature.card.started_at, again.run.started_at);
        assert_eq!(fresh.store.turns(again.run.id).await.unwrap().len(), 1);
        fresh.store.requeue_run(&again.lease).await.unwrap();
        let third = claim(&fresh.store).await;
        assert_eq!(third.lease.attempt, 3);
        assert_eq!(fresh.store.finish_run(&third.lease, done()).await.unwrap(), Finished::GoesOn, "a message is unread");
        assert_eq!(fresh.store.run(third.run.id).await.unwrap().unwrap().status, RunStatus::Queued);
    }

    async fn verify_accept_merge(fresh: Fresh) {
        let (anna, id) = started(&fresh).await;
        let claimed = claim(&fresh.store).await;
        fresh.store.finish_run(&claimed.lease, done()).await.unwrap();
        let (feature, run) = fresh.store.request_verify(id).await.unwrap();
        assert_eq!((feature.card.status, run.intent), (FeatureStatus::Queued, RunIntent::Verify));
        let claimed = claim(&fresh.store).await;
        let ending = Ending { status: RunStatus::Waiting, what: Move::Accept, summary: None, problem: None, later: None };
        fresh.store.finish_run(&claimed.lease, ending).await.unwrap();
        let feature = fresh.store.feature(id).await.unwrap().unwrap();
        assert_eq!((feature.card.status, feature.summary.as_deref()), (FeatureStatus::Verified, Some("Done.")));
        let (feature, run) = fresh.store.record_merge(id, "abc").await.unwrap();
        assert_eq!((feature.card.status, run.status), (FeatureStatus::Completed, RunStatus::Closed));
        let refused = fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await;
        assert!(matches!(refused, Err(StoreError::Illegal(_))));
        let query = AuditQuery { object_id: Some(id.to_string()), limit: 10, ..Default::default() };
        let told = fresh.store.audit_entries(&query).await.unwrap();
        let told: Vec<AuditAction> = told.into_iter().map(|entry| entry.action).collect();
        assert_eq!(told, [AuditAction::Merge, AuditAction::Verify, AuditAction::StartRun, AuditAction::CreateFeature]);
    }

    async fn nobody_finds_work_good_that_goes_on_and_a_run_that_none_may_take_blocks_no_other(fresh: Fresh) {
        let (anna, first) = started(&fresh).await;
        let claimed = claim(&fresh.store).await;
        let refused = fresh.store.accept_feature(first).await;
        assert!(matches!(refused, Err(StoreError::Illegal(_))), "{refused:?}");
        assert_eq!(fresh.store.feature(first).await.unwrap().unwrap().card.status, FeatureStatus::InProgress);
        // However it came to be: a card that is verified, and its run in the queue before all others.
        fresh.store.requeue_run(&claimed.lease).await.unwrap();
        fresh.tamper("UPDATE features SET status = 'verified'").await.unwrap();
        fresh.clock.advance(Duration::seconds(1));
        let project = claimed.project;
        let second = fresh.card(&project, "two").await.card.id;
        fresh.store.start_feature(second, anna.id, new_run(), i64::MAX).await.unwrap();
        assert_eq!(claim(&fresh.store).await.run.feature_id, second);
        let aside = fresh.store.run(claimed.run.id).await.unwrap().unwrap();
        assert_eq!((aside.status, aside.lease_until), (RunStatus::Waiting, None));
        fresh.store.record_merge(first, "abc").await.unwrap();
    }

    async fn members_and_nodes_never_wait_for_each_other_for_ever(fresh: Fresh) {
        let (anna, id) = started(&fresh).await;
        let owner = fresh.with_role("olga", MemberRole::Owner).await;
        for round in 0..15 {
            let lease = claim(&fresh.store).await.lease;
            let writes: Vec<_> = (0..3).map(|_| {
                let store = fresh.store.clone();
                tokio::spawn(async move { store.set_stage(&lease, Stage::Implementing).await })
            }).collect();
            let said = {
                let store = fresh.store.clone();
                tokio::spawn(async move { store.follow_up(id, anna.id, "a word").await })
            };
            let changed = {
                let store = fresh.store.clone();
                let change = MemberChange { role: None, disabled: Some(true) };
                tokio::spawn(async move { store.change_member(owner.id, anna.id, change).await.unwrap() })
            };
            for write in writes {
                let done = write.await.unwrap();
                assert!(matches!(done, Ok(()) | Err(StoreError::LeaseLost)), "round {round}: {done:?}");
            }
            let said = said.await.unwrap();
            assert!(matches!(said, Ok(_) | Err(StoreError::Refused(_))), "round {round}: {said:?}");
            assert_eq!(changed.await.unwrap().stopped.len(), 1, "round {round}");
            let enabled = MemberChange { role: None, disabled: Some(false) };
            fresh.store.change_member(owner.id, anna.id, enabled).await.unwrap();
            fresh.store.retry_feature(id, anna.id).await.unwrap();
        }
    }

    async fn starting_again_closes_the_former_run(fresh: Fresh) {
        let (anna, id) = started(&fresh).await;
        let (_, first) = fresh.store.stop_feature(id).await.unwrap();
        let (_, retried) = fresh.store.retry_feature(id, anna.id).await.unwrap();
        assert_eq!(first.id, retried.id);
        fresh.store.stop_feature(id).await.unwrap();
        let (_, second) = fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(fresh.store.run(first.id).await.unwrap().unwrap().status, RunStatus::Closed);
        assert!(matches!(fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await, Err(StoreError::Illegal(_))));
        assert_eq!(fresh.store.runs_of(id, 10).await.unwrap().len(), 2);
    }

    async fn a_run_that_waits_for_its_provider_is_claimed_when_its_time_has_come_or_a_member_retries(fresh: Fresh) {
        let (anna, id) = started(&fresh).await;
        let held = claim(&fresh.store).await;
        let year =
            |year: i32| chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
        fresh.store.park_run(&held.lease, year(2200), Some("The limit is used up."), None).await.unwrap();
        let run = fresh.store.run(held.run.id).await.unwrap().unwrap();
        assert_eq!((run.status, run.parked_until, run.error), (RunStatus::Queued, Some(year(2200)), None));
        assert_eq!(run.parked_reason.as_deref(), Some("The limit is used up."));
        assert_eq!(fresh.store.feature(id).await.unwrap().unwrap().card.status, FeatureStatus::Queued);
        assert!(fresh.store.claim_run(NodeId::new(), HOLD, &wide()).await.unwrap().is_none());
        let lost = fresh.store.park_run(&held.lease, year(2200), Some("Late."), None).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)));

        fresh.store.stop_feature(id).await.unwrap();
        fresh.store.retry_feature(id, anna.id).await.unwrap();
        let again = claim(&fresh.store).await;
        assert_eq!((again.run.id, again.run.parked_until), (held.run.id, None));
        fresh.store.park_run(&again.lease, year(2001), Some("For a moment."), None).await.unwrap();
        let last = claim(&fresh.store).await;
        assert_eq!((last.run.parked_until, last.run.parked_reason), (None, None));
    }

    async fn of_two_starts_at_once_of_cards_that_name_one_branch_one_is_refused(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let (project, other) = (fresh.project(&anna).await, fresh.again().await);
        for n in 0..12 {
            let (one, two) = (fresh.card(&project, "a").await.card.id, fresh.card(&project, "b").await.card.id);
            let new = || NewRun { branch: format!("shared-{n}"), ..new_run() };
            let (one, two) = tokio::join!(
                fresh.store.start_feature(one, anna.id, new(), 100),
                other.start_feature(two, ben.id, new(), 100)
            );
            let refused = [one.err(), two.err()];
            let taken = refused.iter().flatten().filter(|error| matches!(error, StoreError::Taken { .. })).count();
            assert_eq!((taken, refused.iter().flatten().count()), (1, 1), "{refused:?}");
        }
    }

    async fn since_when_a_provider_is_out_is_known_until_it_answers_or_something_else_is_waited_for(fresh: Fresh) {
        let (anna, id) = started(&fresh).await;
        let (store, since) = (&fresh.store, fresh.clock.now());
        let held = claim(store).await;
        let known = async || store.out_since(held.run.id).await.unwrap();
        assert_eq!(known().await, None);
        store.park_in_outage(&held.lease, since, "It is down.", since).await.unwrap();
        let lost = store.park_in_outage(&held.lease, since, "It is down.", since).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)));
        let again = claim(store).await;
        assert_eq!(known().await, Some(since));
        store.save_answer(&again.lease, &turn(1), None, &row(&again, 1), vec![]).await.unwrap();
        assert_eq!(known().await, None);
        for awaits in [Some(Awaits::MonthBudget), Some(Awaits::Server), None] {
            let held = if awaits == Some(Awaits::MonthBudget) { again.lease } else { claim(store).await.lease };
            store.park_in_outage(&held, since, "It is down.", since).await.unwrap();
            let held = claim(store).await.lease;
            assert_eq!(known().await, Some(since));
            store.park_run(&held, since, Some("Something else."), awaits).await.unwrap();
            assert_eq!(known().await, None, "{awaits:?}");
        }
        let held = claim(store).await;
        store.park_in_outage(&held.lease, since, "It is down.", since).await.unwrap();
        store.stop_feature(id).await.unwrap();
        store.retry_feature(id, anna.id).await.unwrap();
        assert_eq!(known().await, None);
        // Nor is it what it was, when nobody could look for hours.
        let held = claim(store).await;
        store.park_in_outage(&held.lease, since, "It is down.", since).await.unwrap();
        fresh.clock.leap(Duration::hours(2));
        assert_eq!(known().await, None);
    }
}
