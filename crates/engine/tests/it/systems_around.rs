//! What holds around executions of systems: waiting is no work, what is over works no more, and work is handed on.

use std::time::Duration;

use guildhall_store::AgentPatch;
use guildhall_team::By;
use guildhall_types::agent::{AgentModel, AgentStatus};
use guildhall_types::limits::Limits;
use guildhall_types::run::RunStatus;
use guildhall_types::system::{ExecutionStatus, ExecutionView, SystemDefinition, SystemStatus, SystemStepStatus as S};
use guildhall_types::{ExecutionId, FeatureId};
use serde_json::{Value, json};

use crate::harness::{Hall, script};
use crate::systems::{agent, hangs, reaches, run, says, state, status, with};

/// The task of the last try of a step, once there is one that stands so.
async fn task(hall: &Hall, id: ExecutionId, key: &str, stands: RunStatus) -> FeatureId {
    let there = async || {
        let view = hall.team.execution(id).await.unwrap();
        let step = view.steps.iter().find(|step| step.key == key)?;
        step.tasks.last().filter(|task| task.status == Some(stands)).map(|task| task.feature_id)
    };
    hall.until(&format!("{key} to be {stands}"), there).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_has_its_time_for_work_however_long_it_waits_for_a_place() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let limits = Limits { max_concurrent_tasks_per_member: 1, ..Limits::default() };
    let value = serde_json::to_value(limits).unwrap();
    hall.team.store.put_settings(&[(guildhall_engine::LIMITS, value)]).await.unwrap();
    let first = run(&hall, &project, json!([hangs("slow")]), Value::Null).await;
    let busy = task(&hall, first, "slow", RunStatus::Running).await;
    let hasty = |id: &str| with(says(id, "Done."), json!({ "timeoutMs": 10_000 }));
    let around = json!({ "id": "all", "type": "sequential", "name": "All", "timeoutMs": 10_000, "children": [says("inner", "Done.")] });
    let second = run(&hall, &project, json!([hasty("quick"), around]), Value::Null).await;
    task(&hall, second, "quick", RunStatus::Queued).await;
    // Longer than all that it may work.
    tokio::time::sleep(Duration::from_millis(11_500)).await;
    let waits = hall.team.execution(second).await.unwrap();
    assert_eq!((status(&waits, "quick"), state(&waits, "quick").deadline), (Some(S::Running), None));
    hall.team.cancel_task(busy).await.unwrap();
    let done = reaches(&hall, second, ExecutionStatus::Completed).await;
    assert_eq!((state(&done, "quick").attempt, done.steps[0].tasks.len()), (1, 1));
    // What works too long within another is ended with it.
    let mut around = json!({ "id": "all", "type": "sequential", "name": "All", "timeoutMs": 1_000 });
    around["children"] = json!([hangs("inner")]);
    let third = run(&hall, &project, json!([around]), Value::Null).await;
    let failed = reaches(&hall, third, ExecutionStatus::Failed).await;
    assert!(failed.execution.error.unwrap().contains("within 1 seconds of work"));
    task(&hall, third, "all.inner", RunStatus::Stopped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reviews_ends_no_step_that_rests() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let slow = with(hangs("slow"), json!({ "timeoutMs": 3_000 }));
    let look = json!({ "id": "look", "type": "human_review", "name": "Look" });
    let all = json!({ "id": "all", "type": "parallel", "name": "All", "children": [slow, look] });
    let id = run(&hall, &project, json!([all]), Value::Null).await;
    task(&hall, id, "all.slow", RunStatus::Running).await;
    let noted = async || {
        let view = hall.team.execution(id).await.unwrap();
        (state(&view, "all.slow").deadline.is_some() && status(&view, "all.look") == Some(S::Waiting)).then_some(())
    };
    hall.until("its deadline", noted).await;
    // Nobody looks at it any more, and its agent works no longer.
    hall.engine.shutdown(Duration::from_secs(20)).await;
    task(&hall, id, "all.slow", RunStatus::Queued).await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    hall.team.review_step(&hall.anna, id, "all.look", 0, true, "").await.unwrap();
    let view = hall.team.execution(id).await.unwrap();
    assert_eq!(
        (status(&view, "all.look"), status(&view, "all.slow")),
        (Some(S::Completed), Some(S::Running)),
        "{view:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_sends_back_for_good_stops_the_agents_beside_it() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let look = json!({ "id": "look", "type": "human_review", "name": "Look" });
    let both = |policy: &str| json!([{ "id": "both", "type": "parallel", "name": "Both", "failurePolicy": policy, "children": [hangs("slow"), look] }]);
    let refused = run(&hall, &project, both("fail_all"), Value::Null).await;
    task(&hall, refused, "both.slow", RunStatus::Running).await;
    let over = hall.team.review_step(&hall.anna, refused, "both.look", 0, false, "No.").await.unwrap();
    assert_eq!(over.status, ExecutionStatus::Failed);
    task(&hall, refused, "both.slow", RunStatus::Stopped).await;
    let enough = run(&hall, &project, both("any"), Value::Null).await;
    task(&hall, enough, "both.slow", RunStatus::Running).await;
    hall.team.review_step(&hall.anna, enough, "both.look", 0, true, "").await.unwrap();
    task(&hall, enough, "both.slow", RunStatus::Stopped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_execution_left_at_work_when_its_node_died_is_stopped() {
    let mut hall = Hall::open().await;
    let project = hall.sample().await;
    let id = run(&hall, &project, json!([hangs("slow")]), Value::Null).await;
    let left = task(&hall, id, "slow", RunStatus::Running).await;
    // It ended in the database, and nobody was there to stop its agent.
    hall.team.store.end_all_executions("Enough.").await.unwrap();
    hall.die_and_start_again().await;
    task(&hall, id, "slow", RunStatus::Stopped).await;
    assert!(hall.team.store.task(left).await.unwrap().unwrap().has_ended());
}

/// What an agent was told first, for the last try of a step.
async fn told(hall: &Hall, view: &ExecutionView, key: &str) -> (String, Vec<String>) {
    let step = view.steps.iter().find(|step| step.key == key).unwrap();
    let task = step.tasks.last().unwrap();
    let files = hall.team.diff(task.feature_id).await.unwrap().files.into_iter().map(|file| file.new_path).collect();
    (hall.feature(task.feature_id).await.description, files)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_begins_with_the_work_of_the_step_before_it() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let works = |id: &str, shell: &str| {
        let lines = [
            json!({ "tools": [["write", { "path": format!("{id}.txt"), "content": format!("{id}\n") }], ["bash", { "command": shell }]] }),
            json!({ "say": "Done." }),
        ];
        with(agent(id, &lines), json!({ "mode": "work" }))
    };
    let both = json!({ "id": "both", "type": "parallel", "name": "Both", "children": [works("left", "true"), works("right", "true")] });
    let looks = agent(
        "looks",
        &[json!({ "tools": [["bash", { "command": "cat one.txt two.txt" }]] }), json!({ "say": "Seen." })],
    );
    let steps = json!([works("one", "true"), works("two", "cat one.txt"), looks, both, says("end", "End.")]);
    let id = run(&hall, &project, steps, Value::Null).await;
    let done = reaches(&hall, id, ExecutionStatus::Completed).await;
    let (words, files) = told(&hall, &done, "one").await;
    assert_eq!(files, ["one.txt"]);
    assert!(!words.contains("branch `"), "{words}");
    let (words, files) = told(&hall, &done, "two").await;
    assert!(words.contains("begin with the work of the step “one” (branch `guildhall/task-test-one-"), "{words}");
    assert_eq!(files, ["two.txt"], "and what it changed is what it did itself");
    let (words, _) = told(&hall, &done, "looks").await;
    assert!(words.contains("the step “two”") && !words.contains("“one”"), "{words}");
    let (words, files) = told(&hall, &done, "both.left").await;
    assert!(words.contains("the step “two”"), "{words}");
    assert_eq!(files, ["left.txt"]);
    let (words, _) = told(&hall, &done, "end").await;
    assert!(
        words.contains("Your files hold none of it") && words.contains("- “left”") && words.contains("- “right”"),
        "{words}"
    );
    assert_eq!(hall.text_at_main(&project, "one.txt").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_agent_gets_more_because_one_of_the_library_is_archived() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    hall.team.make_built_in_agents().await.unwrap();
    let briefed = async || {
        let id = run(&hall, &project, json!([says("look", "Seen.")]), Value::Null).await;
        let done = reaches(&hall, id, ExecutionStatus::Completed).await;
        hall.team.store.briefing(done.steps[0].tasks[0].run_id.unwrap()).await.unwrap().agent.unwrap()
    };
    let before = briefed().await;
    let researcher = before.id.unwrap();
    let patch = AgentPatch { status: Some(AgentStatus::Archived), ..AgentPatch::default() };
    hall.team.update_agent(By::in_person(&hall.anna), researcher, patch, None).await.unwrap();
    let after = briefed().await;
    assert_eq!((after.id, &after.tools, &after.servers), (None, &before.tools, &before.servers));
    assert!(
        after
            .tools
            .is_some_and(|tools| tools.iter().any(|tool| tool == "read") && !tools.iter().any(|tool| tool == "write"))
    );
    assert_eq!(after.servers, Some(Vec::new()));
    assert_eq!((after.name, after.prompt), (before.name, before.prompt));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_run_to_its_end_is_told_before_anything_is_paid() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    hall.team.make_built_in_agents().await.unwrap();
    let (builder, _) = hall.team.store.built_in_agent("builder").await.unwrap().unwrap();
    let of = |agent: Value| -> SystemDefinition {
        serde_json::from_value(json!({
            "name": "Test",
            "agents": [
                with(json!({ "id": "a", "name": "A", "role": "custom" }), agent),
                { "id": "idle", "name": "Idle", "role": "custom", "modelOverride": "gpt-5" },
            ],
            "workflow": [{ "id": "one", "type": "agent", "name": "One", "agentId": "a", "inputTemplate": script(&[]) }],
        }))
        .unwrap()
    };
    let keep =
        async |status, definition: &SystemDefinition| hall.team.create_system(&hall.anna, status, definition).await;
    let library = of(json!({ "agentId": builder.id, "modelOverride": "simulated" }));
    assert_eq!(hall.team.system_problems(&hall.anna, &library).await.unwrap(), []);
    let active = keep(SystemStatus::Active, &library).await.unwrap();
    // No key for its model: nothing is begun. What no step uses needs none.
    let keyless = keep(SystemStatus::Active, &of(json!({ "modelOverride": "gpt-5" }))).await.unwrap();
    let refused =
        hall.team.run_system(By::in_person(&hall.anna), keyless.id, project.id, &Value::Null).await.unwrap_err();
    assert!(refused.to_string().contains("no key"), "{refused}");
    // Nor for that of the agent of the library which works for one that names none.
    let unnamed = keep(SystemStatus::Active, &of(json!({}))).await.unwrap();
    let (researcher, _) = hall.team.store.built_in_agent("researcher").await.unwrap().unwrap();
    let calls = async |model: &str| {
        let model = AgentModel { model: Some(model.to_owned()), ..researcher.model.clone() };
        let patch = AgentPatch { model: Some(model), ..AgentPatch::default() };
        hall.team.update_agent(By::in_person(&hall.anna), researcher.id, patch, None).await.unwrap();
    };
    calls("gpt-5").await;
    let refused =
        hall.team.run_system(By::in_person(&hall.anna), unnamed.id, project.id, &Value::Null).await.unwrap_err();
    assert!(refused.to_string().contains("no key"), "{refused}");
    calls("simulated").await;
    hall.team.run_system(By::in_person(&hall.anna), unnamed.id, project.id, &Value::Null).await.unwrap();
    hall.team.run_system(By::in_person(&hall.anna), active.id, project.id, &Value::Null).await.unwrap();
    // Its agent of the library goes.
    let patch = AgentPatch { status: Some(AgentStatus::Archived), ..AgentPatch::default() };
    hall.team.update_agent(By::in_person(&hall.anna), builder.id, patch, None).await.unwrap();
    let problems = hall.team.system_problems(&hall.anna, &library).await.unwrap();
    assert_eq!(problems.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["agents[0].agentId"]);
    assert!(keep(SystemStatus::Active, &library).await.is_err());
    let refused =
        hall.team.run_system(By::in_person(&hall.anna), active.id, project.id, &Value::Null).await.unwrap_err();
    assert!(refused.to_string().contains("agents[0].agentId"), "{refused}");
    // And such a one can be archived as it is.
    let archived = SystemStatus::Archived;
    hall.team.change_system(By::in_person(&hall.anna), active.id, active.version, archived, &library).await.unwrap();
}
