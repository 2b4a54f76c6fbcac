//! Chats, and agents that run by themselves: what they are told, what they may do, and what is left of it.

use std::time::Duration;

use guildhall_sim::Config;
use guildhall_store::AgentPatch;
use guildhall_team::{AgentWish, By, NewCard, NewChat, NewTask, SentFile, TeamError};
use guildhall_types::agent::{Agent, AgentModel, AgentStatus, AgentTool};
use guildhall_types::chat::Block;
use guildhall_types::event::Happening;
use guildhall_types::feature::{FeatureKind, FeatureStatus, WorkMode};
use guildhall_types::limits::Limits;
use guildhall_types::project::{Project, ProjectSource};
use guildhall_types::run::{RunEvent, RunStatus, Turn};
use guildhall_types::{FeatureId, RunId};
use serde_json::{Value, json};

use crate::harness::{Hall, script};

impl Hall {
    async fn chat(&self, project: &Project, mode: WorkMode, lines: &[Value], agent: Option<&Agent>) -> FeatureId {
        let new = NewChat {
            message: script(lines),
            files: Vec::new(),
            title: Some("A talk".to_owned()),
            agent: agent.map(|agent| agent.id),
            model: Some("simulated".to_owned()),
            mode,
        };
        self.team.start_chat(self.anna.id, project.id, new).await.unwrap().0.card.id
    }

    async fn say(&self, chat: FeatureId, lines: &[Value], mode: Option<WorkMode>) {
        self.team.say_in_chat(self.anna.id, chat, &script(lines), mode, Vec::new()).await.unwrap();
    }

    async fn agent(&self, name: &str, prompt: &str, tools: &[&str]) -> Agent {
        let wish = AgentWish {
            name: name.to_owned(),
            system_prompt: prompt.to_owned(),
            tools: Some(tools.iter().map(|name| AgentTool { name: (*name).to_owned(), enabled: true }).collect()),
            model: Some(AgentModel { model: Some("simulated".to_owned()), ..AgentModel::default() }),
            ..AgentWish::default()
        };
        let agent = self.team.create_agent(&self.anna, wish).await.unwrap();
        let active = AgentPatch { status: Some(AgentStatus::Active), ..AgentPatch::default() };
        self.team.update_agent(By::in_person(&self.anna), agent.id, active, None).await.unwrap()
    }

    async fn run_id(&self, id: FeatureId) -> RunId {
        self.feature(id).await.card.run_id.unwrap()
    }

    async fn said(&self, id: FeatureId) -> Vec<Turn> {
        self.team.store.turns(self.run_id(id).await).await.unwrap()
    }
}

/// What the tools of all turns answered: whether each failed, and its words.
fn results(turns: &[Turn]) -> Vec<(bool, &str)> {
    let blocks = turns.iter().filter_map(|turn| turn.results.as_deref()).flatten();
    blocks
        .filter_map(|block| match block {
            Block::ToolResult { content, is_error, .. } => Some((*is_error, content.as_str())),
            _ => None,
        })
        .collect()
}

/// The system prompt and the tools of the latest call that the provider got of the work itself, not of the question of what is
/// worth keeping.
fn call(hall: &Hall) -> (String, Vec<String>) {
    let calls = hall.sim.requests();
    let asks = |body: &&Value| body["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "nothing_to_keep");
    let body = calls.iter().rfind(|body| !asks(body)).unwrap();
    let system =
        body["system"].as_array().unwrap().iter().map(|part| part["text"].as_str().unwrap()).collect::<Vec<_>>();
    let tools = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
    (system.join("\n"), tools.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_reads_changes_nothing_and_one_that_works_becomes_a_card_with_all_of_it() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let looks = [
        json!({ "say": "I look.", "tools": [
            ["read", { "path": "README.md" }],
            ["write", { "path": "new.txt", "content": "x" }],
            ["bash", { "command": "echo x > new.txt; rm -rf commands" }],
        ] }),
        json!({ "say": "It is a to-do list." }),
    ];
    let id = hall.chat(&project, WorkMode::Read, &looks, None).await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    assert_eq!(feature.summary.as_deref(), Some("It is a to-do list."));
    let turns = hall.said(id).await;
    let told = results(&turns);
    assert!(!told[0].0, "{told:?}");
    assert!(told[1].0 && told[1].1.contains("There is no tool \"write\""), "{told:?}");
    assert!(told[2].0 && told[2].1.contains("Read-only file system"), "{told:?}");
    let (system, tools) = call(&hall);
    let hub = ["knowledge_search", "knowledge_read", "learning_record", "learning_outcome"];
    assert_eq!(tools, [&["read", "glob", "grep", "bash"], &hub[..], &["attachment_read"]].concat());
    assert!(system.contains("no file can be changed here") && !system.contains("You\nbuild one feature"), "{system}");
    assert_eq!(hall.team.diff(id).await.unwrap().files.len(), 0);

    // Now it may work: the same conversation, in the same worktree.
    let run = hall.run_id(id).await;
    let works =
        [json!({ "tools": [["write", { "path": "new.txt", "content": "x\n" }]] }), json!({ "say": "Written." })];
    hall.say(id, &works, Some(WorkMode::Work)).await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.kind, feature.card.files_changed), (FeatureKind::Chat, 1), "{:?}", feature.card.error);
    let checks = hall.team.store.checks(run).await.unwrap();
    assert!(checks.is_empty(), "a chat passes neither pipeline nor checks");
    let before = hall.said(id).await;
    assert_eq!(before.len(), 4);
    hall.team.merge(&hall.anna, id, None).await.unwrap_err();

    let card = hall.team.to_card(id, FeatureKind::Chat, None).await.unwrap();
    assert_eq!((card.card.number, card.card.run_id, card.card.files_changed), (1, Some(run), 1));
    assert_eq!(hall.said(id).await, before);
    assert_eq!(hall.team.diff(id).await.unwrap().files[0].new_path, "new.txt");
    let more = [json!({ "tools": [["bash", { "command": "cat new.txt >> more.txt" }]] }), json!({ "say": "More." })];
    hall.team.follow_up(hall.anna.id, id, &script(&more)).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(
        (feature.card.status, feature.card.files_changed),
        (FeatureStatus::WaitingApproval, 2),
        "{:?}",
        feature.card.error
    );
    assert!(!hall.team.store.checks(run).await.unwrap().is_empty(), "a card passes the checks");
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "more.txt").await.as_deref(), Some("x\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_mode_holds_from_the_message_on_with_which_it_came_also_while_the_agent_works() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let asked = async |times: usize| {
        hall.until("a call", async || (hall.sim.requests().len() >= times).then_some(())).await;
    };
    // Each is still being answered when the next one is said.
    let look = [json!({ "silence_ms": 4_000, "tools": [["read", { "path": "README.md" }]] })];
    let id = hall.chat(&project, WorkMode::Read, &look, None).await;
    asked(1).await;
    let work = [json!({ "silence_ms": 4_000, "tools": [["write", { "path": "a.txt", "content": "a\n" }]] })];
    hall.say(id, &work, Some(WorkMode::Work)).await;
    asked(2).await;
    let (system, tools) = call(&hall);
    assert!(tools.iter().any(|tool| tool == "write") && !system.contains("no file can be changed here"), "{tools:?}");
    let no_more = [json!({ "tools": [["write", { "path": "b.txt", "content": "b\n" }]] }), json!({ "say": "Done." })];
    hall.say(id, &no_more, Some(WorkMode::Read)).await;
    let feature = hall.rests(id).await;
    assert_eq!(
        (feature.summary.as_deref(), feature.card.files_changed),
        (Some("Done."), 1),
        "{:?}",
        feature.card.error
    );
    let turns = hall.said(id).await;
    let told = results(&turns);
    assert_eq!(told.iter().map(|(failed, _)| *failed).collect::<Vec<_>>(), [false, false, true], "{told:?}");
    assert!(told[2].1.contains("There is no tool \"write\""), "{told:?}");
    let run = hall.team.store.run(hall.run_id(id).await).await.unwrap().unwrap();
    assert_eq!((run.attempt, run.turns), (1, 4), "it was at work all the time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_has_its_enabled_tools_alone_and_a_run_keeps_the_agent_that_it_began_with() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let agent = hall.agent("Reader", "Mind the {{ braces }}.", &["read", "write"]).await;
    let tries = [
        json!({ "tools": [
            ["read", { "path": "README.md" }],
            ["bash", { "command": "touch by-bash" }],
            ["edit", { "path": "README.md", "oldText": "to-do", "newText": "x" }],
            ["plan", { "tasks": [{ "title": "t" }] }],
        ] }),
        json!({ "say": "I could only read." }),
    ];
    // On a card, where the usual agent would have them all.
    let card = NewCard {
        description: script(&tries),
        agent_id: Some(agent.id),
        skip_verification: Some(true),
        ..NewCard::default()
    };
    let id = hall.team.create_feature(&hall.anna, project.id, card).await.unwrap().card.id;
    hall.start(id).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let turns = hall.said(id).await;
    let told = results(&turns);
    assert!(!told[0].0, "{told:?}");
    for (tool, (failed, words)) in ["bash", "edit", "plan"].iter().zip(&told[1..]) {
        assert!(*failed && words.contains(&format!("There is no tool {tool:?}. There are: read, write.")), "{words}");
    }
    assert_eq!(feature.card.files_changed, 0);
    let (system, tools) = call(&hall);
    assert_eq!(tools, ["read", "write"], "nor were they offered");
    assert!(system.contains("# Who you are: Reader") && system.contains("Mind the {{ braces }}."), "{system}");

    // The agent changes while the run rests: what goes on is the run, as it began.
    let patch = AgentPatch {
        name: Some("Writer".to_owned()),
        tools: Some(vec![AgentTool { name: "bash".to_owned(), enabled: true }]),
        ..AgentPatch::default()
    };
    hall.team.update_agent(By::in_person(&hall.anna), agent.id, patch, None).await.unwrap();
    hall.team.follow_up(hall.anna.id, id, &script(&tries)).await.unwrap();
    hall.rests(id).await;
    assert_eq!(call(&hall).1, ["read", "write"]);
    // A new run has the new one.
    hall.start(id).await;
    hall.rests(id).await;
    assert_eq!(call(&hall).1, ["bash"]);
    let run = hall.run_id(id).await;
    let events = hall.team.store.run_events(run, 0, 100).await.unwrap();
    let began = events.into_iter().find_map(|event| match event.what {
        Happening::Run { event: RunEvent::Started { agent, .. }, .. } => Some(agent),
        _ => None,
    });
    assert_eq!(began, Some(Some("Writer".to_owned())));
    // One that is gone says so before anything begins.
    hall.team.delete_agent(By::in_person(&hall.anna), agent.id).await.unwrap();
    let refused = hall.team.start(hall.anna.id, id).await.unwrap_err();
    assert!(refused.to_string().contains("choose another"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_goes_on_after_its_server_died_and_its_worktree_went() {
    let slow = Config { per_word: Duration::from_millis(15), ..Config::default() };
    let mut hall = Hall::with(slow).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines: Vec<Value> = (1..=4)
        .map(|n| json!({ "say": format!("Turn {n} of them."), "tools": [["bash", { "command": format!("echo {n} >> log.txt") }]] }))
        .chain([json!({ "say": "All said." })])
        .collect();
    let id = hall.chat(&project, WorkMode::Work, &lines, None).await;
    for wanted in 1..=3 {
        let store = hall.team.store.clone();
        hall.until("the next turn", async || {
            let run = store.run(hall.feature(id).await.card.run_id?).await.unwrap()?;
            (run.turns >= wanted || !run.status.is_live()).then_some(())
        })
        .await;
        hall.die_and_start_again().await;
    }
    let feature = hall.rests(id).await;
    assert_eq!(feature.summary.as_deref(), Some("All said."), "{:?}", feature.card.error);
    assert_eq!(hall.said(id).await.len(), 5, "no turn was asked for twice");

    let run = hall.run_id(id).await;
    std::fs::remove_dir_all(hall.team.places.run(run)).unwrap();
    let more =
        [json!({ "tools": [["bash", { "command": "wc -l < log.txt > count.txt" }]] }), json!({ "say": "Counted." })];
    hall.say(id, &more, None).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.summary.as_deref(), Some("Counted."), "{:?}", feature.card.error);
    let files: Vec<String> = hall.team.diff(id).await.unwrap().files.into_iter().map(|file| file.new_path).collect();
    assert_eq!(files, ["count.txt", "log.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_answers_while_auto_mode_fills_its_places() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let limits = Limits { max_concurrent_features_per_member: 2, ..Limits::default() };
    let value = serde_json::to_value(limits).unwrap();
    hall.team.store.put_settings(&[(guildhall_engine::LIMITS, value)]).await.unwrap();
    let silent = [json!({ "silence_ms": 600_000, "say": "Late." })];
    for _ in 0..4 {
        hall.card(&project, &script(&silent)).await;
    }
    let change = guildhall_store::OrderChange { max_concurrent: Some(2), ..Default::default() };
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
    hall.until("a full night", async || (hall.engine.stats().await.active_runs == 2).then_some(())).await;
    let id = hall.chat(&project, WorkMode::Read, &[json!({ "say": "Here I am." })], None).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.summary.as_deref(), Some("Here I am."), "{:?}", feature.card.error);
    hall.until("the night alone", async || (hall.engine.stats().await.active_runs == 2).then_some(())).await;
    let queue = hall.team.queue(hall.anna.id, None).await.unwrap();
    assert_eq!(queue.len(), 2, "what waits for no place is not in the queue: {queue:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_tells_its_result_starts_where_it_is_told_to_and_is_cancelled() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let agent = hall.agent("Worker", "Work.", &["read", "write", "bash"]).await;
    // Something that goes on as long as nobody looks.
    let waits = json!([{ "id": "look", "type": "human_review", "name": "Look" }]);
    let execution = crate::systems::run(&hall, &project, waits, Value::Null).await;
    let lines =
        [json!({ "tools": [["write", { "path": "one.txt", "content": "1\n" }]] }), json!({ "say": "Made one." })];
    let first = NewTask {
        agent: Some(agent.id),
        mode: WorkMode::Work,
        execution: Some(execution),
        ..NewTask::new(project.id, script(&lines))
    };
    let (feature, run) = hall.team.start_task(hall.anna.id, first.clone()).await.unwrap();
    let (again, same) = hall.team.start_task(hall.anna.id, first).await.unwrap();
    assert_eq!((again.card.id, same.id), (feature.card.id, run.id), "asking again begins no second");
    hall.rests(feature.card.id).await;
    let ended = hall.team.tasks_of(execution).await.unwrap().remove(0);
    assert_eq!((ended.status, ended.result.as_deref()), (RunStatus::Waiting, Some("Made one.")));
    assert!(ended.tokens > 0 && ended.ended_at.is_some() && ended.head_commit != ended.base_commit, "{ended:?}");

    // The next one begins with what the first made, and is somebody else there.
    let lines = [json!({ "tools": [["bash", { "command": "cat one.txt" }]] }), json!({ "say": "Seen." })];
    let second = NewTask {
        agent: Some(agent.id),
        name: Some("Checker".to_owned()),
        instructions: Some("Check it.".to_owned()),
        from: Some(ended.branch.clone()),
        execution: Some(execution),
        ..NewTask::new(project.id, script(&lines))
    };
    let id = hall.team.start_task(hall.anna.id, second).await.unwrap().0.card.id;
    hall.rests(id).await;
    let turns = hall.said(id).await;
    assert!(results(&turns).iter().any(|(failed, words)| !failed && words.starts_with("1\n")), "{:?}", results(&turns));
    let (system, tools) = call(&hall);
    assert!(
        system.contains("# Who you are: Checker") && system.contains("Check it.") && !system.contains("Work.\n"),
        "{system}"
    );
    assert_eq!(tools, ["read", "bash"], "what it may do is the mode's and the agent's together");

    let slow = NewTask {
        execution: Some(execution),
        model: Some("simulated".to_owned()),
        ..NewTask::new(project.id, script(&[json!({ "silence_ms": 600_000, "say": "Late." })]))
    };
    let id = hall.team.start_task(hall.anna.id, slow).await.unwrap().0.card.id;
    hall.until("its work", async || (hall.engine.stats().await.active_runs == 1).then_some(())).await;
    let cancelled = hall.team.cancel_task(id).await.unwrap();
    assert_eq!((cancelled.status, cancelled.result), (RunStatus::Stopped, None));
    hall.until("an idle engine", async || (hall.engine.stats().await.active_runs == 0).then_some(())).await;
    assert_eq!(hall.team.cancel_task(id).await.unwrap().status, RunStatus::Stopped, "once more is no error");
    assert_eq!(hall.team.tasks_of(execution).await.unwrap().len(), 3);
    let missing = NewTask {
        from: Some("nowhere".to_owned()),
        model: Some("simulated".to_owned()),
        ..NewTask::new(project.id, "x")
    };
    assert!(hall.team.start_task(hall.anna.id, missing).await.unwrap_err().to_string().contains("nowhere"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_messages_reach_the_model_show_in_the_chat_and_go_with_it() {
    let png = |name: &str| {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01".to_vec();
        bytes.extend(name.as_bytes());
        SentFile { name: name.to_owned(), bytes }
    };
    let text = |name: &str, text: &str| SentFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let mut hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let new = NewChat {
        message: script(&[json!({ "say": "A cat." })]),
        files: vec![png("cat.png"), text("notes.md", "It is called Mia.")],
        title: Some("A talk".to_owned()),
        agent: None,
        model: Some("simulated".to_owned()),
        mode: WorkMode::Read,
    };
    let (feature, run) = hall.team.start_chat(hall.anna.id, project.id, new).await.unwrap();
    let id = feature.card.id;
    hall.rests(id).await;
    let seen = |hall: &Hall| {
        let body = hall.sim.requests().pop().unwrap();
        let content = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|message| message["content"].as_array().unwrap().clone());
        content.filter(|block| block["type"] == "image").count()
    };
    assert_eq!(seen(&hall), 1);
    assert!(hall.sim.requests().pop().unwrap().to_string().contains("It is called Mia."));

    // By another process of the server: what was seen before is read anew.
    hall.die_and_start_again().await;
    let more = script(&[json!({ "say": "Another one." })]);
    hall.team.say_in_chat(hall.anna.id, id, &more, None, vec![png("dog.png")]).await.unwrap();
    let answered = async || (hall.rests(id).await.summary.as_deref() == Some("Another one.")).then_some(());
    hall.until("the answer", answered).await;
    assert_eq!(seen(&hall), 2);
    let events = hall.team.store.run_events(run.id, 0, 100).await.unwrap();
    let said = events.into_iter().filter_map(|event| match event.what {
        Happening::Run { event: RunEvent::Said { files, .. }, .. } => Some(files),
        _ => None,
    });
    let said: Vec<_> = said.collect();
    let names: Vec<Vec<&str>> =
        said.iter().map(|files| files.iter().map(|file| file.name.as_str()).collect()).collect();
    assert_eq!(names, [vec!["cat.png", "notes.md"], vec!["dog.png"]]);
    for file in said.iter().flatten() {
        assert!(hall.team.store.attachment_bytes(file.id).await.unwrap().is_some());
    }
    let many = (0..9).map(|n| text(&format!("{n}.txt"), "x")).collect();
    let refused = hall.team.say_in_chat(hall.anna.id, id, "And?", None, many).await;
    assert!(matches!(refused, Err(TeamError::Invalid { .. })), "{refused:?}");
    hall.team.delete_chat(By::in_person(&hall.anna), id).await.unwrap();
    for file in said.iter().flatten() {
        assert!(hall.team.store.attachment_bytes(file.id).await.unwrap().is_none(), "{}", file.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_file_is_shown_in_part_and_read_on_by_its_own_work_alone() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let log: String = (1..=300_000).map(|n| format!("{n} quiet\n")).collect();
    let log = log.replace("\n150000 quiet", "\n150000 the lamp went out");
    assert!(log.len() > 3_000_000);
    let file = || SentFile { name: "lamp.log".to_owned(), bytes: log.clone().into_bytes() };
    let new = |files| NewChat {
        message: script(&[json!({ "say": "A long log." })]),
        files,
        title: Some("A talk".to_owned()),
        agent: None,
        model: Some("simulated".to_owned()),
        mode: WorkMode::Read,
    };
    let (feature, _) = hall.team.start_chat(hall.anna.id, project.id, new(vec![file(), file()])).await.unwrap();
    let id = feature.card.id;
    let rested = hall.rests(id).await;
    assert_eq!((rested.card.error, rested.summary.as_deref()), (None, Some("A long log.")));
    let said = hall.sim.requests().pop().unwrap()["messages"].to_string();
    assert!(said.len() < 300_000 && said.contains("300000 quiet") && !said.contains("the lamp went out"));
    let attached = hall.team.store.attachments(id).await.unwrap().remove(0).id;
    assert!(
        said.contains(&attached.to_string()) && said.contains("has 3788907 bytes and 300000 lines"),
        "{}",
        &said[..900]
    );

    let lines = |of| {
        [
            json!({ "tools": [
            ["attachment_read", { "id": of, "pattern": "lamp" }],
            ["attachment_read", { "id": of, "offset": 149_999, "limit": 3 }],
            ["attachment_read", { "id": "x" }],
        ] }),
            json!({ "say": "At 150000." }),
        ]
    };
    hall.say(id, &lines(attached), None).await;
    let answered = async || (hall.rests(id).await.summary.as_deref() == Some("At 150000.")).then_some(());
    hall.until("the answer", answered).await;
    let turns = hall.said(id).await;
    let told = results(&turns);
    assert_eq!(told[0], (false, "150000: 150000 the lamp went out"));
    assert!(told[1].1.starts_with("149999\t149999 quiet\n150000\t150000 the lamp went out\n150001"), "{told:?}");
    assert!(told[2].0 && told[2].1.contains("No file with the id \"x\""), "{told:?}");

    // Another work does not reach it, though it knows the id.
    let other = hall.chat(&project, WorkMode::Read, &lines(attached), None).await;
    hall.rests(other).await;
    let turns = hall.said(other).await;
    assert!(results(&turns).iter().all(|(refused, told)| *refused && told.contains("is attached here")), "{turns:?}");
}
