//! Morning reports: what is told is told once, and nothing is left out.

use std::collections::HashMap;

use chrono::Duration;
use guildhall_store::{Chosen, Ending, NewAgent, NewFeature, NewReport, NewRun, OrderChange, Ready, UntoldRun};
use guildhall_types::agent::{AgentModel, AgentStatus};
use guildhall_types::auto::{Reason, Told};
use guildhall_types::chat::{Message, Role, StopReason, Usage};
use guildhall_types::feature::{Move, Problem};
use guildhall_types::forecast::{Circle, Forecast};
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, ProviderKind};
use guildhall_types::project::Project;
use guildhall_types::report::{NotBegun, NotBegunCard, ReportBody, ReportCause, ReportSettings, SpanKind};
use guildhall_types::run::{KeySource, LedgerRow, RunStatus, Turn};
use guildhall_types::{Clock, DateTime, FeatureId, MemberId, NodeId, ProjectId, ReportId, RunId};

use crate::harness::{Fresh, new_run, on_both};

const HOLD: Duration = Duration::hours(9);

async fn team(fresh: &Fresh) -> (Member, Project) {
    let anna = fresh.member(&format!("m{}", RunId::new())).await;
    let project = fresh.project(&anna).await;
    (anna, fresh.store.project_ready(project.id, "main").await.unwrap())
}

/// Lets auto mode start a card of this member, and claims it.
async fn begin(fresh: &Fresh, project: &Project, title: &str) -> guildhall_store::Claimed {
    let id = fresh.card(project, title).await.card.id;
    let change = OrderChange { max_concurrent: Some(3), ..OrderChange::default() };
    fresh.store.switch_on_order(project.id, project.created_by, change).await.unwrap();
    let ready: HashMap<FeatureId, Ready> = HashMap::from([(id, Ready::Begins(Box::new(new_run())))]);
    assert_eq!(fresh.store.start_by_order(&Limits::default(), &ready).await.unwrap(), Chosen::Started(id));
    fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap()
}

async fn pay(fresh: &Fresh, claimed: &guildhall_store::Claimed, number: i64, cost_micros: i64) {
    let turn = Turn {
        number,
        input: Vec::new(),
        compacted: None,
        answer: Message { role: Role::Assistant, content: Vec::new() },
        stop_reason: StopReason::EndTurn,
        usage: Usage::default(),
        results: None,
        snapshot: None,
    };
    let row = LedgerRow {
        id: guildhall_types::CallId::new(),
        member_id: claimed.run.member_id,
        key_source: KeySource::Member,
        key_hint: None,
        run_id: claimed.run.id,
        turn: Some(number),
        provider: ProviderKind::Anthropic,
        model: "m".to_owned(),
        usage: Usage { input_tokens: cost_micros, ..Usage::default() },
        cost_micros,
        priced: true,
    };
    fresh.store.save_answer(&claimed.lease, &turn, Some(100), &row, Vec::new()).await.unwrap();
}

async fn end(fresh: &Fresh, claimed: &guildhall_store::Claimed, code: Option<&str>) {
    let problem = code.map(|code| Problem {
        code: code.to_owned(),
        message: "It broke.".to_owned(),
        hint: "Mend it.".to_owned(),
    });
    let (status, what) =
        if code.is_some() { (RunStatus::Failed, Move::Fail) } else { (RunStatus::Waiting, Move::Finish) };
    fresh.store.finish_run(&claimed.lease, Ending { status, what, summary: None, problem, later: None }).await.unwrap();
}

/// A report of what there is to tell, as it would be made at this moment.
async fn report(fresh: &Fresh, member: MemberId, until: DateTime) -> NewReport {
    let (_, told_until) = fresh.store.report_settings(member).await.unwrap();
    let runs = fresh.store.untold_runs(member).await.unwrap();
    let mut body = ReportBody::default();
    body.total.cost_micros = runs.iter().map(|run| run.cost_micros).sum();
    let from = until - Duration::hours(8);
    NewReport { id: ReportId::new(), member, cause: ReportCause::Morning, from, until, told_until, body, runs }
}

fn costs(runs: &[UntoldRun]) -> Vec<(RunStatus, i64, i64)> {
    runs.iter().map(|run| (run.status, run.tokens, run.cost_micros)).collect()
}

on_both! {
    async fn what_ended_is_told_once_and_what_goes_on_is_told_again_without_its_cost(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let store = &fresh.store;
        assert_eq!(store.members_to_tell().await.unwrap(), []);
        let (done, broken, long) =
            (begin(&fresh, &project, "a").await, begin(&fresh, &project, "b").await, begin(&fresh, &project, "c").await);
        for (claimed, cost) in [(&done, 5), (&broken, 7), (&long, 11)] {
            pay(&fresh, claimed, 1, cost).await;
        }
        end(&fresh, &done, None).await;
        end(&fresh, &broken, Some("looping")).await;
        assert_eq!(store.members_to_tell().await.unwrap(), [anna.id]);
        let first = report(&fresh, anna.id, fresh.clock.now()).await;
        use RunStatus::{Failed, Running, Waiting};
        assert_eq!(costs(&first.runs), [(Waiting, 5, 5), (Failed, 7, 7), (Running, 11, 11)]);
        assert!(first.runs.iter().all(|run| run.current));
        assert_eq!(first.runs[1].error.as_ref().unwrap().hint, "Mend it.");
        assert!(store.put_report(&first).await.unwrap());
        // The same once more, by a node that read it before: nothing.
        let again = NewReport { id: ReportId::new(), ..first.clone() };
        assert!(!store.put_report(&again).await.unwrap());
        pay(&fresh, &long, 2, 13).await;
        let second = report(&fresh, anna.id, fresh.clock.now() + Duration::hours(1)).await;
        assert_eq!(costs(&second.runs), [(Running, 13, 13)]);
        // It ends after it was read: the report tells its cost, and its end is left to the next.
        end(&fresh, &long, None).await;
        assert!(store.put_report(&second).await.unwrap());
        let third = report(&fresh, anna.id, fresh.clock.now() + Duration::hours(2)).await;
        assert_eq!(costs(&third.runs), [(Waiting, 0, 0)]);
        assert!(store.put_report(&third).await.unwrap());
        assert_eq!(store.members_to_tell().await.unwrap(), []);
        let kept = store.reports(anna.id, None, 2).await.unwrap();
        assert_eq!(kept.items.iter().map(|report| report.id).collect::<Vec<_>>(), [third.id, second.id]);
        let rest = store.reports(anna.id, kept.next.map(|next| next.parse().unwrap()), 2).await.unwrap();
        assert_eq!((rest.items.len(), rest.next), (1, None));
        let told: i64 = [&rest.items[0], &kept.items[0], &kept.items[1]].iter().map(|one| one.body.total.cost_micros).sum();
        assert_eq!(told, 36, "all of it, once");

        // Nobody else's.
        let bob = fresh.member("bob").await;
        assert_eq!(store.report(bob.id, first.id).await.unwrap(), None);
        assert!(!store.read_report(bob.id, first.id).await.unwrap());
        assert!(store.read_report(anna.id, first.id).await.unwrap());
        let read = store.report(anna.id, first.id).await.unwrap().unwrap();
        assert_eq!((read.read_at, read.from), (Some(fresh.clock.now()), first.from));
        fresh.clock.advance(Duration::hours(1));
        assert!(store.read_report(anna.id, first.id).await.unwrap());
        assert_eq!(store.report(anna.id, first.id).await.unwrap().unwrap().read_at, read.read_at, "the first look counts");

        // A run that another member goes on with before it was told is that member's affair.
        let taken = begin(&fresh, &project, "d").await;
        end(&fresh, &taken, Some("looping")).await;
        assert_eq!(store.members_to_tell().await.unwrap(), [anna.id]);
        store.retry_feature(taken.run.feature_id, bob.id).await.unwrap();
        assert_eq!(store.members_to_tell().await.unwrap(), []);

        // A run that a member goes on with is in the member's hands.
        store.retry_feature(broken.run.feature_id, anna.id).await.unwrap();
        assert_eq!(store.members_to_tell().await.unwrap(), []);
    }

    async fn of_many_nodes_one_makes_the_report(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let claimed = begin(&fresh, &project, "a").await;
        pay(&fresh, &claimed, 1, 5).await;
        end(&fresh, &claimed, None).await;
        for round in 1..4 {
            let mut read = Vec::new();
            for _ in 0..6 {
                read.push((fresh.again().await, report(&fresh, anna.id, fresh.clock.now()).await));
            }
            let nodes = read.into_iter().map(|(store, new)| {
                tokio::spawn(async move { store.put_report(&new).await.unwrap() })
            });
            let nodes: Vec<_> = nodes.collect();
            let mut made = 0;
            for node in nodes {
                made += i64::from(node.await.unwrap());
            }
            assert_eq!(made, 1);
            assert_eq!(fresh.store.reports(anna.id, None, 10).await.unwrap().items.len(), round);
            fresh.clock.advance(Duration::hours(1));
        }
    }

    async fn a_clock_that_was_put_back_leaves_nothing_out(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let early = begin(&fresh, &project, "a").await;
        end(&fresh, &early, None).await;
        let ahead = report(&fresh, anna.id, fresh.clock.now() + Duration::hours(1)).await;
        assert!(fresh.store.put_report(&ahead).await.unwrap());
        fresh.clock.advance(Duration::minutes(-30));
        let late = begin(&fresh, &project, "b").await;
        end(&fresh, &late, None).await;
        let next = report(&fresh, anna.id, fresh.clock.now()).await;
        assert_eq!(next.runs.iter().map(|run| run.id).collect::<Vec<_>>(), [late.run.id]);
        assert!(fresh.store.put_report(&next).await.unwrap());
        let (_, told) = fresh.store.report_settings(anna.id).await.unwrap();
        assert_eq!(told, Some(ahead.until), "never back");
    }

    async fn what_a_run_did_when_is_kept(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let claimed = begin(&fresh, &project, "a").await;
        let began = fresh.clock.now();
        fresh.clock.advance(Duration::minutes(10));
        fresh.store.park_run(&claimed.lease, fresh.clock.now() + Duration::minutes(20), Some("The limit is used up."), None).await.unwrap();
        fresh.clock.advance(Duration::minutes(25));
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.clock.advance(Duration::minutes(5));
        fresh.store.park_run(&claimed.lease, fresh.clock.now() + Duration::hours(1), None, None).await.unwrap();
        fresh.clock.advance(Duration::hours(2));
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.clock.advance(Duration::minutes(3));
        pay(&fresh, &claimed, 1, 1_000).await;
        end(&fresh, &claimed, None).await;
        fresh.clock.advance(Duration::hours(5));
        let minutes = |at: DateTime| (at - began).num_minutes();
        let spans = fresh.store.untold_spans(anna.id).await.unwrap();
        let told: Vec<_> = spans.iter().map(|span| (span.kind, minutes(span.begins_at), span.ends_at.map(minutes))).collect();
        use SpanKind::{Provider, Window, Work};
        assert_eq!(told, [
            (Work, 0, Some(10)), (Provider, 10, Some(35)), (Work, 35, Some(40)), (Window, 40, Some(160)), (Work, 160, Some(163)),
        ]);
        // The forecast goes by the time at work alone, and a change by a member does not count the pause before it.
        fresh.store.follow_up(claimed.run.feature_id, anna.id, "And this.").await.unwrap();
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.clock.advance(Duration::minutes(2));
        pay(&fresh, &claimed, 2, 500).await;
        end(&fresh, &claimed, None).await;
        let evening = fresh.store.evening(project.id, anna.id).await.unwrap();
        let past: Vec<_> = evening.past.iter().map(|run| (run.worked_ms / 60_000, run.cost_micros, run.failed)).collect();
        assert_eq!(past, [(20, 1_500, false)]);
    }

    async fn an_evening_knows_past_runs_cards_and_what_is_at_work(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let (ben, other) = team(&fresh).await;
        let theirs = begin(&fresh, &other, "theirs").await;
        fresh.clock.advance(Duration::minutes(7));
        pay(&fresh, &theirs, 1, 70).await;
        end(&fresh, &theirs, Some("looping")).await;
        let stopped = begin(&fresh, &other, "stopped").await;
        pay(&fresh, &stopped, 1, 70).await;
        fresh.store.stop_feature(stopped.run.feature_id).await.unwrap();
        let a = fresh.card(&project, "a").await.card.id;
        let mut new = crate::harness::card(&project, "b");
        new.dependencies = vec![a];
        let b = fresh.store.create_feature(new).await.unwrap().card.id;
        let at_work = begin(&fresh, &other, "at work").await;
        fresh.clock.advance(Duration::minutes(3));
        let evening = fresh.store.evening(project.id, anna.id).await.unwrap();
        let open: Vec<_> = evening.own.iter().map(|card| (card.feature, card.open.clone())).collect();
        assert_eq!(open, [(a, vec![]), (b, vec![a])], "though no order is on");
        let past: Vec<_> = evening.past.iter().map(|run| (run.project, run.worked_ms / 60_000, run.failed)).collect();
        assert_eq!(past, [(other.id, 7, true)], "of the team, and not what was stopped");
        assert_eq!(evening.worked.get(&at_work.run.id), Some(&180_000));
        assert_eq!(evening.cards[&at_work.run.feature_id].model.as_deref(), Some("m"));
        assert!(evening.projects.contains_key(&project.id));

        let forecast = Forecast {
            at: fresh.clock.now(), by: fresh.clock.now(), cards: 2, hindered: 0, runs: 1, circle: Circle::Team, estimate: None,
        };
        fresh.store.keep_forecast(other.id, ben.id, &forecast).await.unwrap();
        let orders = fresh.store.orders_of(ben.id).await.unwrap();
        assert_eq!(orders[0].1, Some(forecast));
        assert_eq!(fresh.store.foretold().await.unwrap()[0].forecast_at, Some(forecast.at));
    }

    async fn a_night_without_news_is_over_once_and_a_report_without_runs_is_made_once(fresh: Fresh) {
        let (anna, _) = team(&fresh).await;
        let store = &fresh.store;
        let dawn = fresh.clock.now();
        store.nothing_to_tell(anna.id, None, dawn).await.unwrap();
        assert_eq!(store.report_settings(anna.id).await.unwrap().1, Some(dawn));
        // Another node that read before that changes nothing, and neither does a clock that was put back.
        store.nothing_to_tell(anna.id, None, dawn + Duration::hours(1)).await.unwrap();
        store.nothing_to_tell(anna.id, Some(dawn), dawn - Duration::hours(1)).await.unwrap();
        assert_eq!(store.report_settings(anna.id).await.unwrap().1, Some(dawn));
        assert_eq!(store.reports(anna.id, None, 10).await.unwrap().items, []);

        let waiting = Told { reason: Reason::Hindered { why: "no key".to_owned() }, message: "No key.".to_owned() };
        let cards = vec![NotBegunCard { feature_id: FeatureId::new(), number: 3, title: "c".to_owned() }];
        let not_begun = vec![NotBegun { project_id: ProjectId::new(), waiting, count: 7, cards }];
        let mut new = report(&fresh, anna.id, dawn + Duration::days(1)).await;
        new.body = ReportBody { not_begun, ..ReportBody::default() };
        assert!(new.runs.is_empty());
        assert!(store.put_report(&new).await.unwrap());
        assert!(!store.put_report(&NewReport { id: ReportId::new(), ..new.clone() }).await.unwrap());
        let kept = store.reports(anna.id, None, 10).await.unwrap().items;
        assert_eq!(kept.iter().map(|report| &report.body).collect::<Vec<_>>(), [&new.body]);
        let told = store.notifications(anna.id, None, false, 9).await.unwrap().page.items;
        assert_eq!(told.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), ["Nothing was built, 7 did not begin."]);
    }

    async fn what_cards_ask_for_is_read_for_many_at_once(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let store = &fresh.store;
        let agent = NewAgent {
            name: "Builder".to_owned(),
            description: String::new(),
            system_prompt: "Build.".to_owned(),
            status: AgentStatus::Active,
            model: AgentModel { model: Some("of-agent".to_owned()), ..AgentModel::default() },
            tools: Vec::new(),
            mcp_servers: Vec::new(),
            icon: None,
            tags: Vec::new(),
            built_in: None,
            created_by: Some(anna.id),
        };
        let agent = store.create_agent(agent).await.unwrap().id;
        let card = |title: &str| crate::harness::card(&project, title);
        let plain = store.create_feature(card("plain")).await.unwrap().card.id;
        let full = NewFeature {
            agent_id: Some(agent), model: Some("own".to_owned()), branch: Some("b".to_owned()), ..card("full")
        };
        let full = store.create_feature(full).await.unwrap().card.id;
        let mut all: Vec<FeatureId> = vec![plain, full, FeatureId::new()];
        for n in 0..600 {
            all.push(store.create_feature(card(&format!("more {n}"))).await.unwrap().card.id);
        }
        let wishes = store.wishes(&all).await.unwrap();
        assert_eq!(wishes.len(), all.len() - 1, "but for the one that there is not");
        let wish = &wishes[&plain];
        assert_eq!((&wish.model, &wish.branch, wish.had_branch, wish.agent_gone), (&None, &None, false, false));
        assert!(wish.agent_model.is_none() && wish.run_model.is_none());
        let wish = &wishes[&full];
        assert_eq!((wish.model.as_deref(), wish.branch.as_deref()), (Some("own"), Some("b")));
        assert_eq!(wish.agent_model.as_ref().unwrap().model.as_deref(), Some("of-agent"));
        assert!(!wish.had_branch && !wish.agent_gone);

        // A run that had the branch makes it the card's own; a deleted agent is gone.
        let run = NewRun { branch: "b".to_owned(), ..new_run() };
        store.start_feature(full, anna.id, run, i64::MAX).await.unwrap();
        store.stop_feature(full).await.unwrap();
        store.shelve_feature(full).await.unwrap();
        store.delete_agent(agent).await.unwrap();
        let wish = store.wishes(&[full]).await.unwrap().remove(&full).unwrap();
        assert!(wish.had_branch && wish.agent_gone && wish.agent_model.is_none());
        assert_eq!(wish.run_model.as_deref(), Some("m"));

        let titles = store.titles(&all).await.unwrap();
        assert_eq!((titles.len(), &titles[&plain]), (all.len() - 1, &(1, "plain".to_owned())));
        assert_eq!((store.titles(&[]).await.unwrap().len(), store.wishes(&[]).await.unwrap().len()), (0, 0));
    }

    async fn how_a_member_is_told_is_kept(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        assert_eq!(fresh.store.report_settings(anna.id).await.unwrap(), (ReportSettings::default(), None));
        let settings = ReportSettings { mail: true, morning: "05:45".to_owned() };
        fresh.store.set_report_settings(anna.id, &settings).await.unwrap();
        assert_eq!(fresh.store.report_settings(anna.id).await.unwrap(), (settings, None));
    }
}
