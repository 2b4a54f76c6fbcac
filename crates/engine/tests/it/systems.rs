//! Executions of systems, with agents that really work.

use std::collections::BTreeMap;

use guildhall_store::FeatureQuery;
use guildhall_team::By;
use guildhall_types::project::Project;
use guildhall_types::run::RunStatus;
use guildhall_types::system::{
    ExecutionStatus, ExecutionView, StepState, StepView, SystemDefinition, SystemStatus, SystemStepStatus as S,
};
use guildhall_types::{ExecutionId, SystemId};
use serde_json::{Value, json};

use crate::harness::{Hall, script};

/// A step whose agent does as these lines say.
pub fn agent(id: &str, lines: &[Value]) -> Value {
    json!({ "id": id, "type": "agent", "name": id, "agentId": "a", "inputTemplate": script(lines) })
}

pub fn says(id: &str, word: &str) -> Value {
    agent(id, &[json!({ "say": word })])
}

pub fn with(mut step: Value, more: Value) -> Value {
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

/// Fails at once, and always.
fn fails(id: &str) -> Value {
    agent(id, &[json!({ "fault": { "kind": "bad-key", "times": 99 }, "say": "Never." })])
}

/// Is silent for longer than any test takes.
pub fn hangs(id: &str) -> Value {
    agent(id, &[json!({ "silence_ms": 600_000, "say": "Late." })])
}

fn definition(steps: Value) -> SystemDefinition {
    serde_json::from_value(json!({
        "name": "Test",
        "agents": [{ "id": "a", "name": "A", "role": "custom", "modelOverride": "simulated" }],
        "workflow": steps,
        "inputSchema": { "properties": { "word": { "type": "string" } } },
    }))
    .unwrap()
}

pub async fn run(hall: &Hall, project: &Project, steps: Value, input: Value) -> ExecutionId {
    let definition = definition(steps);
    let system = hall.team.create_system(&hall.anna, SystemStatus::Active, &definition).await.unwrap();
    hall.team.run_system(By::in_person(&hall.anna), system.id, project.id, &input).await.unwrap().id
}

pub async fn reaches(hall: &Hall, id: ExecutionId, status: ExecutionStatus) -> ExecutionView {
    let there = async || {
        let view = hall.team.execution(id).await.unwrap();
        assert!(!view.execution.status.is_over() || view.execution.status == status, "{view:#?}");
        (view.execution.status == status).then_some(view)
    };
    hall.until(status.as_str(), there).await
}

/// Tasks of agents, of all steps.
fn tries(view: &ExecutionView) -> usize {
    view.steps.iter().map(|step| step.tasks.len()).sum()
}

fn built_in(name: &str) -> SystemId {
    let all = guildhall_team::built_in_systems().unwrap();
    all.iter().find(|system| system.definition.name == name).unwrap().id
}

pub fn state<'a>(view: &'a ExecutionView, key: &str) -> &'a StepView {
    view.steps.iter().find(|step| step.key == key).unwrap()
}

/// A step with its texts.
async fn texts(hall: &Hall, view: &ExecutionView, key: &str) -> StepState {
    hall.team.execution_step(view.execution.id, key).await.unwrap()
}

pub fn status(view: &ExecutionView, key: &str) -> Option<S> {
    view.steps.iter().find(|step| step.key == key).map(|step| step.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_step_executes() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let steps = json!([
        { "id": "both", "type": "parallel", "name": "Both", "children": [
            with(agent("look", &[json!({ "tools": [["read", { "path": "README.md" }]] }), json!({ "say": "Seen." })]),
                json!({ "outputVariable": "seen" })),
            with(says("judge", "{\"verdict\": \"good\", \"score\": 7}"),
                json!({ "outputFormat": "json", "outputVariable": "judged" })),
        ] },
        { "id": "choose", "type": "conditional", "name": "Choose",
          "condition": { "field": "judged.score", "operator": "greaterThan", "value": 5 },
          "trueBranch": [says("high", "High.")], "falseBranch": [says("low", "Low.")] },
        { "id": "rounds", "type": "loop", "name": "Rounds", "maxIterations": 3,
          "condition": { "field": "last", "operator": "notEquals", "value": "enough" },
          "children": [with(says("again", "enough"), json!({ "outputVariable": "last" }))] },
        { "id": "made", "type": "transform", "name": "Put together", "transform": { "op": "fields", "fields": {
            "seen": "seen", "verdict": "judged.verdict", "chosen": "steps.choose.output", "word": "word" } } },
    ]);
    let id = run(&hall, &project, steps, json!({ "word": "hello" })).await;
    let done = reaches(&hall, id, ExecutionStatus::Completed).await;
    let output = json!({ "seen": "Seen.", "verdict": "good", "chosen": "High.", "word": "hello" });
    assert_eq!(done.output, Some(output));
    assert_eq!((status(&done, "choose.low"), status(&done, "rounds@1.again")), (None, Some(S::Completed)));
    assert_eq!(status(&done, "rounds@2.again"), None);
    assert!(done.execution.tokens > 0);
    let tasks: Vec<_> = done.steps.iter().flat_map(|step| &step.tasks).collect();
    assert_eq!(tasks.len(), 4);
    assert_eq!(tasks.iter().map(|task| task.tokens).sum::<i64>(), done.execution.tokens);
    // Nothing of it is on the board, and nothing has changed.
    let board =
        hall.team.store.features(project.id, &FeatureQuery { limit: 50, ..FeatureQuery::default() }).await.unwrap();
    assert!(board.items.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_branch_ends_what_its_policy_says() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let both = |policy: &str, other: Value| json!([{ "id": "both", "type": "parallel", "name": "Both", "failurePolicy": policy, "children": [fails("bad"), other] }]);
    let at_once = run(&hall, &project, both("fail_all", hangs("other")), Value::Null).await;
    let waits = run(&hall, &project, both("wait_all", says("other", "Good.")), Value::Null).await;
    let any = run(&hall, &project, both("any", says("other", "Good.")), Value::Null).await;

    let failed = reaches(&hall, at_once, ExecutionStatus::Failed).await;
    assert_eq!((status(&failed, "both.bad"), status(&failed, "both.other")), (Some(S::Failed), Some(S::Cancelled)));
    assert!(failed.execution.error.as_ref().unwrap().starts_with("Both: bad: "), "{:?}", failed.execution.error);
    let task = failed.steps.iter().find(|step| step.key == "both.other").unwrap().tasks[0].feature_id;
    let stopped = async || {
        let state = hall.team.store.task(task).await.unwrap();
        state.is_none_or(|state| state.status == RunStatus::Stopped).then_some(())
    };
    hall.until("the other's end", stopped).await;

    let failed = reaches(&hall, waits, ExecutionStatus::Failed).await;
    assert_eq!((status(&failed, "both.bad"), status(&failed, "both.other")), (Some(S::Failed), Some(S::Completed)));
    let done = reaches(&hall, any, ExecutionStatus::Completed).await;
    assert_eq!(done.output, Some(json!("Good.")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_waited_for_through_a_restart_and_sends_back() {
    let mut hall = Hall::open().await;
    let project = hall.sample().await;
    let steps = json!([
        with(says("make", "Made."), json!({ "outputVariable": "made" })),
        { "id": "look", "type": "human_review", "name": "Look", "inputTemplate": "Is it good? {{made}}", "children": [
            with(says("mend", "Mended."), json!({ "outputVariable": "made",
                "inputTemplate": format!("Mend: {{{{steps.look.feedback}}}}\n{}", script(&[json!({ "say": "Mended." })])) })) ] },
        { "id": "end", "type": "transform", "name": "End", "transform": { "op": "pick", "from": "made" } },
    ]);
    let id = run(&hall, &project, steps, Value::Null).await;
    let waits = reaches(&hall, id, ExecutionStatus::Waiting).await;
    assert_eq!(texts(&hall, &waits, "look").await.input.as_deref(), Some("Is it good? Made."));
    hall.die_and_start_again().await;
    hall.team.review_step(&hall.anna, id, "look", 0, false, "Shorter, please.").await.unwrap();
    let again = async || {
        let view = hall.team.execution(id).await.unwrap();
        (view.execution.status == ExecutionStatus::Waiting && status(&view, "look@1.mend").is_some()).then_some(view)
    };
    let again = hall.until("the second look", again).await;
    assert_eq!(texts(&hall, &again, "look").await.input.as_deref(), Some("Is it good? Mended."));
    let mended = texts(&hall, &again, "look@1.mend").await;
    assert!(mended.input.as_ref().unwrap().starts_with("Mend: Shorter, please."));
    // Somebody whose page still shows the first one approves nothing that was not looked at.
    let stale = hall.team.review_step(&hall.anna, id, "look", 0, true, "").await;
    assert!(stale.is_err_and(|error| error.to_string().contains("changed meanwhile")));
    hall.team.review_step(&hall.anna, id, "look", 1, true, "").await.unwrap();
    let done = reaches(&hall, id, ExecutionStatus::Completed).await;
    assert_eq!(done.output, Some(json!("Mended.")));
    let late = hall.team.review_step(&hall.anna, id, "look", 1, true, "").await;
    assert!(late.is_err_and(|error| error.to_string().contains("nobody is asked")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_is_ended_by_a_member_by_the_kill_switch_and_by_time() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let slow = || json!([hangs("slow"), says("after", "Never.")]);
    let at_work = async |id: ExecutionId| {
        let working = async || {
            let view = hall.team.execution(id).await.unwrap();
            let task = view.steps.first()?.tasks.first()?.feature_id;
            let state = hall.team.store.task(task).await.unwrap()?;
            (state.status == RunStatus::Running).then_some(task)
        };
        hall.until("an agent at work", working).await
    };
    let ended = async |task| {
        let state =
            async || hall.team.store.task(task).await.unwrap().filter(|state| state.status == RunStatus::Stopped);
        hall.until("the task's end", state).await
    };
    let first = run(&hall, &project, slow(), Value::Null).await;
    let task = at_work(first).await;
    hall.team.cancel_execution(&hall.anna, first).await.unwrap();
    ended(task).await;
    let over = hall.team.execution(first).await.unwrap();
    assert_eq!(
        (over.execution.status, over.execution.error.as_deref()),
        (ExecutionStatus::Cancelled, Some("Anna ended it."))
    );
    assert!(hall.team.cancel_execution(&hall.anna, first).await.is_err());

    let second = run(&hall, &project, slow(), Value::Null).await;
    let task = at_work(second).await;
    hall.team.stop_all(&hall.anna).await.unwrap();
    ended(task).await;
    assert_eq!(hall.team.execution(second).await.unwrap().execution.status, ExecutionStatus::Cancelled);

    let hasty = json!({ "timeoutMs": 1_500, "retry": { "maxAttempts": 2, "delayMs": 100 } });
    let third = run(&hall, &project, json!([with(hangs("slow"), hasty)]), Value::Null).await;
    let failed = reaches(&hall, third, ExecutionStatus::Failed).await;
    assert_eq!((failed.steps[0].attempt, failed.steps[0].tasks.len()), (2, 2));
    assert!(failed.execution.error.unwrap().contains("within 1 seconds"));
    for task in &failed.steps[0].tasks {
        ended(task.feature_id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_systems_that_come_with_guildhall_run_from_end_to_end() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let card = hall
        .scripted(
            &project,
            &[json!({ "tools": [["write", { "path": "new.txt", "content": "a line\n" }]] }), json!({ "say": "Done." })],
        )
        .await;
    let number = hall.rests(card).await.card.number;
    // Each agent is asked with this in it, and closes with it: as a report, as cards, as a verdict, as a test.
    let answer = json!({ "verdict": "proved", "cause": "x", "places": ["todo:1"], "ruledOut": [],
        "reproduced": true, "path": "a.test.sh", "test": "false", "command": "./test.sh", "output": "FAILED", "cards": [
        { "title": "First", "description": "Do one.", "priority": 1 },
        { "title": "Second", "description": "Do two.", "priority": 2, "after": [1] } ] });
    let words = script(&[json!({ "tools": [["glob", { "pattern": "*" }]] }), json!({ "say": answer.to_string() })]);
    let inputs = BTreeMap::from([
        ("Research", json!({ "question": words })),
        ("Code review", json!({ "target": number.to_string(), "focus": words })),
        ("Feature planning", json!({ "goal": words })),
        ("Bug investigation", json!({ "report": words })),
    ]);
    let mut begun = BTreeMap::new();
    for system in guildhall_team::built_in_systems().unwrap() {
        let name = system.definition.name.as_str();
        let execution =
            hall.team.run_system(By::in_person(&hall.anna), system.id, project.id, &inputs[name]).await.unwrap();
        begun.insert(name, execution.id);
    }
    let planning = begun["Feature planning"];
    reaches(&hall, planning, ExecutionStatus::Waiting).await;
    let cards = async || {
        hall.team
            .store
            .features(project.id, &FeatureQuery { limit: 50, ..FeatureQuery::default() })
            .await
            .unwrap()
            .items
    };
    assert_eq!(cards().await.len(), 1, "nothing is made before a person approves");
    hall.team.review_step(&hall.anna, planning, "review", 0, true, "Good.").await.unwrap();
    for (name, id) in &begun {
        let done = reaches(&hall, *id, ExecutionStatus::Completed).await;
        assert!(done.output.is_some(), "{name}");
    }
    let made: Vec<_> = cards().await.into_iter().skip(1).collect();
    let said: Vec<(&str, i64)> = made.iter().map(|card| (card.title.as_str(), card.priority)).collect();
    assert_eq!(said, [("First", 1), ("Second", 2)]);
    assert_eq!((&made[0].dependencies, &made[1].dependencies), (&vec![], &vec![made[0].id]));
    let review = hall.team.execution(begun["Code review"]).await.unwrap();
    let diff = texts(&hall, &review, "diff").await.output.unwrap();
    assert!(diff.as_str().unwrap().contains("+++ new.txt\n@@ -0,0 +1 @@\n+a line"), "{diff}");
    let bug = hall.team.execution(begun["Bug investigation"]).await.unwrap();
    for key in ["suspicions@1.follow", "outcome.reproduce", "outcome.explain"] {
        assert_eq!(status(&bug, key), Some(S::Completed), "{key}");
    }
    assert_eq!((tries(&bug), tries(&hall.team.execution(planning).await.unwrap())), (4, 2), "none was sent back");
    let branch = json!({ "target": "no/such-branch", "focus": "" });
    let review = built_in("Code review");
    let none = hall.team.run_system(By::in_person(&hall.anna), review, project.id, &branch).await.unwrap().id;
    let failed = reaches(&hall, none, ExecutionStatus::Failed).await;
    assert!(failed.execution.error.unwrap().contains("neither a card nor a branch"));
}

/// What an agent says at first, and what it says when that was sent back.
fn says_then(first: &Value, then: &Value) -> String {
    let say = |words: &Value| json!({ "say": words.as_str().map_or_else(|| words.to_string(), str::to_owned) });
    format!("Do it.\n\n```sim\n{}\n```\n\n```again\n{}\n```", say(first), say(then))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_badly_shaped_answer_to_a_system_that_comes_with_guildhall_goes_back_and_the_system_ends_well() {
    let hall = Hall::open().await;
    let project = hall.sample().await;

    // A verdict that no condition would have understood: the search would have gone on for three rounds, and found nothing.
    let good = json!({ "verdict": "proved", "cause": "Off by one.", "places": ["todo:3"], "ruledOut": [],
        "reproduced": true, "path": "a.test.sh", "test": "false", "command": "./test.sh", "output": "FAILED" });
    let mut bad = good.clone();
    (bad["verdict"], bad["reproduced"]) = (json!("Proved, I think"), json!("yes"));
    let report = json!({ "report": says_then(&bad, &good) });
    let id = hall
        .team
        .run_system(By::in_person(&hall.anna), built_in("Bug investigation"), project.id, &report)
        .await
        .unwrap()
        .id;
    let done = reaches(&hall, id, ExecutionStatus::Completed).await;
    for (key, why) in [
        ("suspicions@1.follow", "verdict must be one of \"proved\", \"open\""),
        ("outcome.reproduce", "reproduced must be of the type boolean"),
    ] {
        let step = texts(&hall, &done, key).await;
        assert_eq!((step.status, step.attempt, step.rounds), (S::Completed, 2, 1), "{key}: {step:#?}");
        let asked = step.input.as_deref().unwrap();
        assert!(asked.contains(why) && asked.contains("Proved, I think"), "{key}: {asked}");
        assert_eq!(step.output.as_ref().unwrap()["verdict"], "proved");
    }
    assert_eq!(status(&done, "suspicions@2.follow"), None, "one round was enough");
    assert_eq!(status(&done, "outcome.explain"), Some(S::Completed));
    assert!(texts(&hall, &done, "outcome.explain").await.input.as_ref().unwrap().contains("\"reproduced\": true"));

    // Cards that could not be made: nobody is asked about them.
    let card = |title: &str, priority: Value| json!({ "title": title, "description": "Do it.", "priority": priority });
    let good = json!({ "cards": [card("First", json!(1)), card("Second", json!(3))] });
    let bad = json!({ "cards": [card("First", json!("high"))] });
    let goal = json!({ "goal": says_then(&bad, &good) });
    let id = hall
        .team
        .run_system(By::in_person(&hall.anna), built_in("Feature planning"), project.id, &goal)
        .await
        .unwrap()
        .id;
    let waits = reaches(&hall, id, ExecutionStatus::Waiting).await;
    let plan = texts(&hall, &waits, "plan").await;
    assert_eq!((plan.attempt, &plan.output), (2, &Some(good.clone())));
    assert!(plan.input.as_ref().unwrap().contains("cards[0].priority must be of the type integer"));
    assert!(!texts(&hall, &waits, "review").await.input.as_ref().unwrap().contains("high"));
    // The same when they are changed because somebody sent them back.
    hall.team.review_step(&hall.anna, id, "review", 0, false, "Smaller.").await.unwrap();
    let again = async || {
        let view = hall.team.execution(id).await.unwrap();
        (view.execution.status == ExecutionStatus::Waiting && status(&view, "review@1.revise").is_some())
            .then_some(view)
    };
    let again = hall.until("the second look", again).await;
    assert_eq!((state(&again, "review@1.revise").attempt, state(&again, "review@1.revise").rounds), (2, 1));
    hall.team.review_step(&hall.anna, id, "review", 1, true, "").await.unwrap();
    reaches(&hall, id, ExecutionStatus::Completed).await;
    let query = FeatureQuery { limit: 50, ..FeatureQuery::default() };
    let made = hall.team.store.features(project.id, &query).await.unwrap().items;
    let made: Vec<_> = made.into_iter().map(|card| (card.title, card.priority)).collect();
    assert_eq!(made, [("First".to_owned(), 1), ("Second".to_owned(), 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bug_is_reproduced_on_a_branch_of_its_own_and_the_project_stays_as_it_is() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let finding = json!({ "verdict": "proved", "cause": "x", "places": ["todo:1"], "ruledOut": [] });
    let proof = json!({ "reproduced": true, "path": "tests/bug.test.sh", "test": "false", "command": "./test.sh", "output": "FAILED" });
    let mut both = finding.clone();
    both.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
    // Whoever cannot write is told so, and says the same in the end.
    let words = script(&[
        json!({ "tools": [["write", { "path": "tests/bug.test.sh", "content": "false\n" }], ["bash", { "command": "./test.sh" }]] }),
        json!({ "say": both.to_string() }),
    ]);
    let report = json!({ "report": words });
    let id = hall
        .team
        .run_system(By::in_person(&hall.anna), built_in("Bug investigation"), project.id, &report)
        .await
        .unwrap()
        .id;
    let done = reaches(&hall, id, ExecutionStatus::Completed).await;
    let task = async |key: &str| {
        let step = done.steps.iter().find(|step| step.key == key).unwrap();
        hall.team.store.task(step.tasks.last().unwrap().feature_id).await.unwrap().unwrap()
    };
    let files = async |id| {
        let diff = hall.team.diff(id).await.unwrap();
        diff.files.into_iter().map(|file| file.new_path).collect::<Vec<_>>()
    };
    let (tester, detective) = (task("outcome.reproduce").await, task("suspicions@1.follow").await);
    assert_eq!(files(tester.feature_id).await, ["tests/bug.test.sh"]);
    assert!(files(detective.feature_id).await.is_empty(), "only the tester writes");
    assert_ne!(tester.branch, project.default_branch);
    assert_eq!(hall.text_at_main(&project, "tests/bug.test.sh").await, None);

    // Where no test can be written, the report says what is known without one.
    let mut neither = finding;
    neither["reproduced"] = json!("there is no test runner");
    let report = json!({ "report": says_then(&neither, &neither) });
    let id = hall
        .team
        .run_system(By::in_person(&hall.anna), built_in("Bug investigation"), project.id, &report)
        .await
        .unwrap()
        .id;
    let done = reaches(&hall, id, ExecutionStatus::Completed).await;
    assert_eq!(
        (status(&done, "outcome.reproduce"), status(&done, "outcome.explain")),
        (Some(S::Failed), Some(S::Completed))
    );
    let asked = texts(&hall, &done, "outcome.explain").await.input.unwrap();
    assert!(asked.contains("does not have the form that is asked for"), "{asked}");
}
