//! Systems of agents and their executions.

mod endings;

use std::collections::BTreeMap;

use chrono::Duration;
use guildhall_store::{
    Advanced, AuditQuery, Backend, CardToMake, ExecutionQuery, NewAside, NewExecution, OPEN_EXECUTIONS, StoreError,
    TaskWork, Texts,
};
use guildhall_types::audit::AuditAction;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureKind;
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, MemberChange, MemberRole};
use guildhall_types::notification::NotificationKind;
use guildhall_types::project::Project;
use guildhall_types::run::{Awaits, RunStatus};
use guildhall_types::system::{
    Execution, ExecutionState, ExecutionStatus, Happened, Step, StepKind, System, SystemDefinition, SystemStatus,
    Transform, advance, wake_at,
};
use guildhall_types::{FeatureId, NodeId, SystemId};
use serde_json::json;
use sqlx::Connection;

use crate::asides::aside;
use crate::harness::{Fresh, card, new_run, on_both};

fn definition() -> SystemDefinition {
    serde_json::from_value(json!({
        "name": "Two \u{0} steps",
        "agents": [{ "id": "a", "name": "A", "role": "researcher" }],
        "workflow": [
            { "id": "one", "type": "agent", "name": "One", "agentId": "a", "inputTemplate": "Look.", "outputVariable": "found",
              "timeoutMs": 60_000, "retry": { "maxAttempts": 2, "delayMs": 1000, "backoffMultiplier": 1.5 } },
            { "id": "look", "type": "human_review", "name": "Look", "inputTemplate": "{{found}}" },
        ],
    }))
    .unwrap()
}

/// Begins an execution in this member's name.
pub async fn execution_of(fresh: &Fresh, member: &Member, project: &Project) -> Result<Execution, StoreError> {
    let system = System {
        id: SystemId::new(),
        status: SystemStatus::Active,
        built_in: true,
        version: 1,
        definition: definition(),
        created_by: None,
        updated_by: None,
        created_at: now(fresh),
        updated_at: now(fresh),
    };
    let state = ExecutionState::begin(&system.definition, BTreeMap::new());
    let new = NewExecution {
        system: &system,
        project_id: project.id,
        member_id: member.id,
        input: &json!({}),
        state: &state,
    };
    fresh.store.create_execution(&new).await
}

async fn begun(fresh: &Fresh) -> (Member, Project, System, Execution) {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    let system = fresh.store.create_system(anna.id, SystemStatus::Active, &definition()).await.unwrap();
    let state = ExecutionState::begin(&system.definition, BTreeMap::from([("topic".to_owned(), json!("a\0b"))]));
    let input = json!({ "topic": "a\u{0}b" });
    let new =
        NewExecution { system: &system, project_id: project.id, member_id: anna.id, input: &input, state: &state };
    let execution = fresh.store.create_execution(&new).await.unwrap();
    (anna, project, system, execution)
}

/// Brings an execution forward as a node does, and says whether that was written.
async fn forward(fresh: &Fresh, execution: &Execution, happened: &[Happened]) -> Option<Execution> {
    let record = fresh.store.execution_record(execution.id, Texts::Open).await.unwrap().unwrap();
    let (after, actions) = advance(&record.definition, &record.state, now(fresh), happened);
    let tasks = actions.iter().filter_map(|action| match action {
        guildhall_types::system::Action::Start { key, attempt, .. } => Some((key.clone(), *attempt, FeatureId::new())),
        _ => None,
    });
    let step = Advanced {
        id: execution.id,
        revision: execution.revision,
        before: &record.state,
        after: &after,
        wake_at: wake_at(&after),
        tasks: tasks.collect(),
        asks: actions
            .iter()
            .filter_map(|action| match action {
                guildhall_types::system::Action::Ask { key, .. } => Some(key.clone()),
                _ => None,
            })
            .collect(),
        note: None,
    };
    fresh.store.advance_execution(step).await.unwrap()
}

fn now(fresh: &Fresh) -> guildhall_types::DateTime {
    guildhall_types::Clock::now(&fresh.clock)
}

on_both! {
    async fn a_system_is_kept_changed_by_its_version_and_deleted(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let made = fresh.store.create_system(anna.id, SystemStatus::Draft, &definition()).await.unwrap();
        assert_eq!(fresh.store.system(made.id).await.unwrap().unwrap(), made);
        assert_eq!(made.definition, definition());
        let mut other = definition();
        other.workflow.pop();
        let changed = fresh.store.change_system(anna.id, made.id, 1, SystemStatus::Active, &other).await.unwrap();
        assert_eq!((changed.version, changed.definition.workflow.len()), (2, 1));
        let late = fresh.store.change_system(anna.id, made.id, 1, SystemStatus::Active, &other).await;
        assert!(matches!(late, Err(StoreError::Changed { current: 2, .. })), "{late:?}");
        let second = fresh.store.create_system(anna.id, SystemStatus::Draft, &definition()).await.unwrap();
        let ids = |list: Vec<System>| list.into_iter().map(|system| system.id).collect::<Vec<_>>();
        assert_eq!(ids(fresh.store.systems(None, 10).await.unwrap()), [made.id, second.id]);
        assert_eq!(ids(fresh.store.systems(Some(made.id), 10).await.unwrap()), [second.id]);
        fresh.store.delete_system(made.id).await.unwrap();
        assert!(fresh.store.system(made.id).await.unwrap().is_none());
        assert!(matches!(fresh.store.delete_system(made.id).await, Err(StoreError::NotFound { .. })));
        let events = fresh.store.events_after(0, 100).await.unwrap();
        let drafts = events.iter().filter(|event| event.what.kind() == "system.updated" && event.what.only_for().is_some());
        assert_eq!(drafts.count(), 2, "of a draft only its maker hears");
        assert!(events.iter().any(|event| matches!(event.what, Happening::SystemDeleted { system_id } if system_id == made.id)));
    }

    async fn an_execution_is_read_back_as_it_was_written(fresh: Fresh) {
        let (_, project, system, first) = begun(&fresh).await;
        assert_eq!((first.status, first.revision, first.tokens), (ExecutionStatus::Pending, 1, 0));
        // A change of the system is nothing to what has begun.
        fresh.store.delete_system(system.id).await.unwrap();
        let second = forward(&fresh, &first, &[]).await.unwrap();
        assert_eq!((second.status, second.revision), (ExecutionStatus::Running, 2));
        let record = fresh.store.execution_record(first.id, Texts::All).await.unwrap().unwrap();
        assert_eq!(record.definition, definition());
        let (expected, _) = advance(&definition(), &ExecutionState::new(record.state.variables.clone()), now(&fresh), &[]);
        assert_eq!(record.state, expected);
        assert_eq!(record.state.variables["topic"], json!("a\0b"));
        let tasks = fresh.store.execution_tasks(first.id).await.unwrap();
        assert_eq!((tasks.len(), tasks[0].step_key.as_str(), tasks[0].run_id), (1, "one", None));
        assert_eq!(fresh.store.execution_of(tasks[0].feature_id).await.unwrap(), Some(first.id));
        let result = Ok(json!({ "deep": [1, 2.5, null, "x\0y"] }));
        let ended = Happened::Ended { key: "one".to_owned(), attempt: 1, result };
        let third = forward(&fresh, &second, std::slice::from_ref(&ended)).await.unwrap();
        let again = fresh.store.execution_record(first.id, Texts::All).await.unwrap().unwrap();
        let (expected, _) = advance(&definition(), &record.state, now(&fresh), &[ended]);
        assert_eq!(again.state.variables, expected.variables);
        assert_eq!((third.status, again.state.steps.len()), (ExecutionStatus::Waiting, 2));
        let of = |query: ExecutionQuery| { let store = fresh.store.clone(); async move { store.executions(query).await.unwrap().len() } };
        let all = ExecutionQuery { limit: 10, ..ExecutionQuery::default() };
        assert_eq!(of(ExecutionQuery { project: Some(project.id), open: true, ..all }).await, 1);
        assert_eq!(of(ExecutionQuery { system: Some(system.id), ..all }).await, 1);
        assert_eq!(of(ExecutionQuery { before: Some(first.id), ..all }).await, 0);
    }

    async fn of_many_who_bring_an_execution_forward_at_once_one_does(fresh: Fresh) {
        let (.., first) = begun(&fresh).await;
        let (a, b) = (fresh.again().await, fresh.again().await);
        let record = fresh.store.execution_record(first.id, Texts::All).await.unwrap().unwrap();
        let (after, _) = advance(&record.definition, &record.state, now(&fresh), &[]);
        let step = || Advanced {
            id: first.id,
            revision: first.revision,
            before: &record.state,
            after: &after,
            wake_at: None,
            tasks: vec![("one".to_owned(), 1, FeatureId::new())],
            asks: Vec::new(),
            note: None,
        };
        let (one, other, third) = tokio::join!(
            a.advance_execution(step()), b.advance_execution(step()), fresh.store.advance_execution(step()));
        let written = [one, other, third].into_iter().filter(|done| done.as_ref().unwrap().is_some()).count();
        assert_eq!(written, 1);
        assert_eq!(fresh.store.execution_tasks(first.id).await.unwrap().len(), 1);
        let events = fresh.store.events_after(0, 100).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.what.kind() == "execution.updated").count(), 2);
    }

    async fn what_the_clock_brings_forward_is_found_and_what_waits_for_a_person_is_not(fresh: Fresh) {
        let (.., first) = begun(&fresh).await;
        assert_eq!(fresh.store.executions_to_drive().await.unwrap(), [first.id]);
        let second = forward(&fresh, &first, &[]).await.unwrap();
        assert_eq!(fresh.store.next_execution_at().await.unwrap(), None, "its agent waits for a place");
        let end = now(&fresh) + Duration::seconds(60);
        let due = Happened::Due { key: "one".to_owned(), attempt: 1, at: Some(end) };
        let second = forward(&fresh, &second, &[due]).await.unwrap();
        assert_eq!(fresh.store.next_execution_at().await.unwrap(), Some(end));
        let ended = Happened::Ended { key: "one".to_owned(), attempt: 1, result: Ok(json!("x")) };
        let third = forward(&fresh, &second, &[ended]).await.unwrap();
        assert_eq!(third.status, ExecutionStatus::Waiting);
        assert!(fresh.store.executions_to_drive().await.unwrap().is_empty());
        assert_eq!(fresh.store.next_execution_at().await.unwrap(), None);
        let yes = Happened::Reviewed { key: "look".to_owned(), approved: true, text: String::new() };
        let done = forward(&fresh, &third, &[yes]).await.unwrap();
        assert_eq!((done.status, done.ended_at), (ExecutionStatus::Completed, Some(now(&fresh))));
        let open = ExecutionQuery { open: true, limit: 10, ..ExecutionQuery::default() };
        assert!(fresh.store.executions(open).await.unwrap().is_empty());
        let audit = fresh.store.audit_entries(&AuditQuery { limit: 20, ..AuditQuery::default() }).await.unwrap();
        assert!(audit.iter().any(|entry| entry.action == AuditAction::RunSystem));
    }

    async fn who_may_answer_is_told_of_a_review_until_it_is_answered(fresh: Fresh) {
        let (anna, _, _, first) = begun(&fresh).await;
        let ben = fresh.member("ben").await;
        let viewer = fresh.with_role("vera", MemberRole::Viewer).await;
        let second = forward(&fresh, &first, &[]).await.unwrap();
        let ended = Happened::Ended { key: "one".to_owned(), attempt: 1, result: Ok(json!("x")) };
        assert_eq!(fresh.store.unread(ben.id).await.unwrap(), 0);
        let third = forward(&fresh, &second, &[ended]).await.unwrap();
        for member in [&anna, &ben] {
            let told = fresh.store.notifications(member.id, None, true, 10).await.unwrap();
            let one = &told.page.items[0];
            assert_eq!((told.unread, one.kind, one.execution_id), (1, NotificationKind::ReviewWaits, Some(first.id)));
            assert!(one.text.contains("“look”") && one.subject.contains("steps"), "{one:?}");
        }
        assert_eq!(fresh.store.unread(viewer.id).await.unwrap(), 0, "who may not answer is not asked");
        let yes = Happened::Reviewed { key: "look".to_owned(), approved: true, text: String::new() };
        forward(&fresh, &third, &[yes]).await.unwrap();
        for member in [&anna, &ben] {
            let told = fresh.store.notifications(member.id, None, true, 10).await.unwrap().page.items;
            assert!(told.iter().all(|one| one.kind != NotificationKind::ReviewWaits), "one of them has answered: {told:?}");
        }
    }

    async fn cards_are_made_once_however_often_it_is_asked(fresh: Fresh) {
        let (anna, project, system, _) = begun(&fresh).await;
        let mut make = Step::new("make", StepKind::Transform);
        make.transform = Some(Transform::CreateCards { from: "cards".to_owned() });
        let planned = SystemDefinition { workflow: vec![make], ..definition() };
        let planning = System { definition: planned, ..system };
        let cards = json!([{ "title": "One", "description": "Do it." }, { "title": "Two", "description": "That, too." }]);
        let state = ExecutionState::begin(&planning.definition, BTreeMap::from([("cards".to_owned(), cards.clone())]));
        let new =
            NewExecution { system: &planning, project_id: project.id, member_id: anna.id, input: &cards, state: &state };
        let first = fresh.store.create_execution(&new).await.unwrap();
        let second = forward(&fresh, &first, &[]).await.unwrap();
        let to_make = |title: &str, after: &[usize]| CardToMake { card: card(&project, title), after: after.to_vec() };
        let both = || vec![to_make("One", &[]), to_make("Two", &[0])];
        let wrong = fresh.store.make_cards(first.id, second.revision, "make", vec![to_make("One", &[0])]).await;
        assert!(matches!(wrong, Err(StoreError::BadDependency(_))), "nothing of it is made: {wrong:?}");
        let other = fresh.again().await;
        let (one, two) = tokio::join!(
            fresh.store.make_cards(first.id, second.revision, "make", both()),
            other.make_cards(first.id, second.revision, "make", both()));
        assert_eq!([one.unwrap(), two.unwrap()].iter().flatten().count(), 1);
        assert!(fresh.store.make_cards(first.id, second.revision + 1, "make", both()).await.unwrap().is_none());
        let made = fresh.store.features(project.id, &guildhall_store::FeatureQuery { limit: 10, ..Default::default() }).await.unwrap();
        assert_eq!(made.items.len(), 2);
        let record = fresh.store.execution_record(first.id, Texts::All).await.unwrap().unwrap();
        assert_eq!(record.state.steps[0].output.as_ref().unwrap()[1]["title"], json!("Two"));
        let second = fresh.store.feature_by_number(project.id, 2).await.unwrap().unwrap().card;
        let one = made.items.iter().find(|card| card.title == "One").unwrap();
        assert_eq!((second.title.as_str(), &second.dependencies), ("Two", &vec![one.id]));
        assert_eq!(one.dependencies, []);
    }

    async fn a_member_begins_so_many_and_keeps_nobody_elses_waiting(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let project = fresh.project(&anna).await;
        for _ in 0..OPEN_EXECUTIONS {
            execution_of(&fresh, &anna, &project).await.unwrap();
        }
        let more = execution_of(&fresh, &anna, &project).await;
        assert!(matches!(more, Err(StoreError::TooManyExecutions { most: OPEN_EXECUTIONS })), "{more:?}");
        fresh.clock.advance(Duration::seconds(1));
        let later = execution_of(&fresh, &ben, &project).await.unwrap();
        let looked = fresh.store.executions_to_drive().await.unwrap();
        assert_eq!(looked.iter().position(|id| *id == later.id), Some(1), "the second, not the last");
    }

    async fn the_time_at_work_is_known_and_a_dead_node_works_no_longer_than_it_held_the_run(fresh: Fresh) {
        let (_, project, _, first) = begun(&fresh).await;
        fresh.store.project_ready(project.id, "main").await.unwrap();
        forward(&fresh, &first, &[]).await.unwrap();
        let task = fresh.store.execution_tasks(first.id).await.unwrap().remove(0).feature_id;
        let new = NewAside { id: task, execution_id: Some(first.id), ..aside(&project, FeatureKind::Task, "One") };
        fresh.store.start_aside(new, new_run()).await.unwrap();
        let work = async || -> Vec<(i64, Option<i64>)> {
            let since = |at: guildhall_types::DateTime| (at - first.created_at).num_seconds();
            let all: Vec<TaskWork> = fresh.store.execution_work(first.id).await.unwrap();
            all.iter().map(|one| (since(one.begins_at), one.ends_at.map(since))).collect()
        };
        let claim = async || {
            let limits = Limits::default();
            fresh.store.claim_run(NodeId::new(), Duration::seconds(30), &limits).await.unwrap().unwrap().lease
        };
        fresh.clock.advance(Duration::seconds(100));
        assert!(work().await.is_empty(), "it waits for a place");
        let lease = claim().await;
        assert_eq!(work().await, [(100, None)]);
        fresh.clock.advance(Duration::seconds(10));
        let until = now(&fresh) + Duration::hours(5);
        fresh.store.park_run(&lease, until, Some("Its provider has enough."), None).await.unwrap();
        fresh.clock.advance(Duration::hours(6));
        assert_eq!(work().await, [(100, Some(110))]);
        let tasks = fresh.store.execution_tasks(first.id).await.unwrap();
        assert_eq!((tasks[0].status, tasks[0].parked_until), (Some(RunStatus::Queued), Some(until)));
        assert_eq!(tasks[0].parked_reason.as_deref(), Some("Its provider has enough."));
        // The node dies, and the server is off for an hour.
        let begun = (now(&fresh) - first.created_at).num_seconds();
        claim().await;
        if fresh.store.backend() == Backend::Postgres {
            // Where leases go by the database's clock, which a test cannot set.
            let until = (now(&fresh) + Duration::seconds(30)).to_rfc3339();
            fresh.tamper(&format!("UPDATE runs SET lease_until = '{until}' WHERE lease_until IS NOT NULL")).await.unwrap();
        }
        fresh.clock.advance(Duration::hours(1));
        assert_eq!(work().await[1], (begun, Some(begun + 30)));
        if fresh.store.backend() == Backend::Sqlite {
            fresh.store.expire_leases().await.unwrap();
            claim().await;
            assert_eq!(work().await[1..], [(begun, Some(begun + 30)), (begun + 3600, None)]);
        }
    }

    async fn a_glance_reads_no_text_and_a_look_none_of_what_is_over(fresh: Fresh) {
        let (.., first) = begun(&fresh).await;
        let second = forward(&fresh, &first, &[]).await.unwrap();
        let ended = Happened::Ended { key: "one".to_owned(), attempt: 1, result: Ok(json!("x")) };
        forward(&fresh, &second, &[ended]).await.unwrap();
        let read = async |texts| fresh.store.execution_record(first.id, texts).await.unwrap().unwrap().state;
        let (all, open, none) = (read(Texts::All).await, read(Texts::Open).await, read(Texts::None).await);
        let inputs = |state: &ExecutionState| state.steps.iter().map(|step| step.input.clone()).collect::<Vec<_>>();
        assert_eq!(inputs(&all), [Some("Look.".to_owned()), Some("x".to_owned())]);
        assert_eq!(inputs(&open), [None, Some("x".to_owned())]);
        assert_eq!((inputs(&none), none.variables.len()), (vec![None, None], 0));
        assert_eq!((all.steps[0].output.clone(), open.steps[0].output.clone()), (Some(json!("x")), Some(json!("x"))));
        assert_eq!((none.steps[0].output.clone(), none.steps[1].status), (None, all.steps[1].status));
        // Members are shown what the whole was given and gave, and each step's texts when they look at it.
        let whole = fresh.store.execution_record(first.id, Texts::Whole).await.unwrap().unwrap();
        assert_eq!((inputs(&whole.state), whole.state.variables.len()), (vec![None, None], 0));
        let full = fresh.store.execution_record(first.id, Texts::All).await.unwrap().unwrap();
        assert_eq!((&whole.input, &whole.state.output), (&full.input, &full.state.output));
        for step in &all.steps {
            assert_eq!(fresh.store.execution_step(first.id, &step.key).await.unwrap().as_ref(), Some(step));
        }
        assert_eq!(fresh.store.execution_step(first.id, "none").await.unwrap(), None);
        // What was not read is not written either.
        let yes = Happened::Reviewed { key: "look".to_owned(), approved: true, text: String::new() };
        let third = fresh.store.execution(first.id).await.unwrap().unwrap();
        forward(&fresh, &third, &[yes]).await.unwrap();
        assert_eq!(inputs(&read(Texts::All).await), inputs(&all));
    }

    async fn of_an_agent_whose_own_budget_is_used_up_its_member_is_told(fresh: Fresh) {
        let (anna, project, _, first) = begun(&fresh).await;
        fresh.store.project_ready(project.id, "main").await.unwrap();
        let new = NewAside { execution_id: Some(first.id), ..aside(&project, FeatureKind::Task, "Two steps: One") };
        fresh.store.start_aside(new, new_run()).await.unwrap();
        let claimed =
            fresh.store.claim_run(NodeId::new(), Duration::seconds(30), &Limits::default()).await.unwrap().unwrap();
        let never = now(&fresh) + Duration::days(3_000);
        fresh.store.park_run(&claimed.lease, never, Some("It has cost $20.00."), Some(Awaits::RunBudget)).await.unwrap();
        let told = fresh.store.notifications(anna.id, None, true, 10).await.unwrap();
        let one = &told.page.items[0];
        assert_eq!((one.kind, one.execution_id), (NotificationKind::BudgetReached, Some(first.id)));
        assert_eq!((one.subject.as_str(), one.text.as_str()), ("Two steps: One", "It has cost $20.00."));
        assert_eq!(one.path(), format!("/executions/{}", first.id));
    }
}

// SQLite has one writer, and no locks to take in an order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_begins_for_an_execution_waits_for_its_project_before_that_is_locked() {
    let fresh = Fresh::postgres().await;
    let (_, project, _, first) = begun(&fresh).await;
    fresh.store.project_ready(project.id, "main").await.unwrap();
    // Somebody is about to archive the project.
    let mut archives = sqlx::PgConnection::connect(fresh.url()).await.unwrap();
    let mut looks = sqlx::PgConnection::connect(fresh.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT 1 FROM projects FOR UPDATE").execute(&mut archives).await.unwrap();
    let new = NewAside { execution_id: Some(first.id), ..aside(&project, FeatureKind::Task, "One") };
    let store = fresh.store.clone();
    let begins = tokio::spawn(async move { store.start_aside(new, new_run()).await });
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%next_aside%'";
    let waiting = async {
        while sqlx::query_as::<_, (i64,)>(waits).fetch_one(&mut looks).await.unwrap().0 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await.expect("it waits for the project");
    sqlx::raw_sql("SELECT 1 FROM executions FOR UPDATE NOWAIT; COMMIT").execute(&mut archives).await.unwrap();
    begins.await.unwrap().unwrap();
}
