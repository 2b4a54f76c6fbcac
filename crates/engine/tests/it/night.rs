//! Auto mode and what follows the work, with real repositories and checks.

use std::sync::Arc;

use chrono::Duration;
use guildhall_sim::Config;
use guildhall_store::{AgentPatch, OrderChange, ProjectPatch};
use guildhall_team::{AgentWish, By, NewCard};
use guildhall_types::agent::AgentStatus;
use guildhall_types::auto::{AtClose, OrderState, Reason};
use guildhall_types::feature::{FeatureStatus, Stage};
use guildhall_types::member::ProviderKind;
use guildhall_types::project::{AfterWork, Project, ProjectSettings, ProjectSource};
use guildhall_types::run::{CheckStatus, Run, RunStatus};
use guildhall_types::window::{Day, Window};
use guildhall_types::{FeatureId, FixedClock};
use serde_json::{Value, json};

use crate::harness::{Hall, script};

pub async fn project(hall: &Hall, checks: &[&str], after_work: AfterWork, repairs: i64) -> Project {
    let project = hall.project("p", ProjectSource::Empty).await;
    let settings = ProjectSettings {
        verify_commands: checks.iter().map(|&check| check.to_owned()).collect(),
        after_work,
        repairs,
        ..ProjectSettings::default()
    };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap()
}

pub fn write(path: &str, content: &str) -> Value {
    json!({ "tools": [["write", { "path": path, "content": content }]] })
}

pub fn say(words: &str) -> Value {
    json!({ "say": words })
}

pub async fn card(hall: &Hall, project: &Project, lines: &[Value], dependencies: &[FeatureId]) -> FeatureId {
    let new = NewCard {
        description: script(lines),
        model: Some("simulated".to_owned()),
        dependencies: dependencies.to_vec(),
        ..NewCard::default()
    };
    hall.team.create_feature(&hall.anna, project.id, new).await.unwrap().card.id
}

pub async fn order(hall: &Hall, project: &Project, max_concurrent: i64) {
    let change = OrderChange { max_concurrent: Some(max_concurrent), ..OrderChange::default() };
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
}

pub async fn run_of(hall: &Hall, id: FeatureId) -> Run {
    let run = hall.feature(id).await.card.run_id.unwrap();
    hall.team.store.run(run).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_builds_and_merges_what_depends_on_each_other() {
    let hall = Hall::open().await;
    // What a card depends on is there when its checks run.
    let check =
        "for f in n*.txt; do [ -e \"$f\" ] || continue; for d in $(cat $f); do [ -e n$d.txt ] || exit 1; done; done";
    let project = project(&hall, &[check], AfterWork::Merge, 1).await;
    let mut cards: Vec<FeatureId> = Vec::new();
    for (n, on) in [&[][..], &[0], &[0], &[1, 2], &[], &[3, 4]].into_iter().enumerate() {
        let names: Vec<String> = on.iter().map(|d: &usize| d.to_string()).collect();
        let before = names.iter().map(|d| format!("[ -e n{d}.txt ] &&")).collect::<String>();
        let lines = [
            json!({ "tools": [["bash", { "command": format!("{before} echo '{}' > n{n}.txt", names.join(" ")) }]] }),
            say("Done."),
        ];
        let on: Vec<FeatureId> = on.iter().map(|d| cards[*d]).collect();
        cards.push(card(&hall, &project, &lines, &on).await);
    }
    order(&hall, &project, 2).await;
    for (n, id) in cards.iter().enumerate() {
        let done = async || {
            assert!(hall.engine.stats().await.active_runs <= 2);
            let feature = hall.feature(*id).await;
            assert_eq!(feature.card.error, None, "card {n}");
            (feature.card.status == FeatureStatus::Completed).then_some(feature)
        };
        let feature = hall.until("the merge", done).await;
        assert_eq!(feature.summary.as_deref(), Some("Done."));
        assert!(hall.text_at_main(&project, &format!("n{n}.txt")).await.is_some(), "card {n} is on the branch");
        assert_eq!(run_of(&hall, *id).await.status, RunStatus::Closed);
    }
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    let log = repo.log("main", 0, 100).await.unwrap();
    assert_eq!(log.len(), 1 + cards.len(), "one commit for each card");
    assert_eq!(log[0].author_name, "Anna");
    let empty = async || {
        let told = hall.team.auto_mode(hall.anna.id, project.id).await.unwrap();
        (told.waiting.unwrap().reason == Reason::BacklogEmpty).then_some(told.order.state)
    };
    assert_eq!(hall.until("an empty backlog", empty).await, OrderState::On, "it stays on for what comes");
    let late = card(&hall, &project, &[write("late.txt", "x\n"), say("Done.")], &[cards[5]]).await;
    hall.reaches(late, FeatureStatus::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_checks_go_back_to_the_agent_as_often_as_the_project_says() {
    let hall = Hall::open().await;
    let red = "[ ! -e broken ] || { echo it is red; exit 1; }";
    let project = project(&hall, &[red], AfterWork::Wait, 1).await;
    let mend = json!({ "tools": [["bash", { "command": "rm broken" }]] });
    let mended = [write("broken", "x\n"), say("Done."), mend.clone(), say("Mended.")];
    let mended = card(&hall, &project, &mended, &[]).await;
    hall.start(mended).await;
    let feature = hall.rests(mended).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    assert_eq!(feature.summary.as_deref(), Some("Mended."));
    let run = run_of(&hall, mended).await;
    assert_eq!((run.repairs, run.attempt), (1, 1), "the same conversation, the same worktree");
    let told = serde_json::to_string(&hall.team.store.turns(run.id).await.unwrap()).unwrap();
    assert!(told.contains("<note>The check") && told.contains("it is red"), "{told}");
    let checks = hall.team.store.checks(run.id).await.unwrap();
    assert_eq!(checks.iter().map(|check| check.status).collect::<Vec<_>>(), [CheckStatus::Passed, CheckStatus::Failed]);

    let stubborn = [write("broken", "x\n"), say("Done."), say("It is fine."), mend, say("Mended.")];
    let stubborn = card(&hall, &project, &stubborn, &[]).await;
    hall.start(stubborn).await;
    let feature = hall.rests(stubborn).await;
    assert_eq!(feature.card.error.unwrap().code, "checks-failed");
    assert_eq!(hall.team.store.checks(run_of(&hall, stubborn).await.id).await.unwrap().len(), 2);
    // A member says something: the agent may be given the checks once more.
    hall.team.follow_up(hall.anna.id, stubborn, "<note>no script of its own</note>").await.unwrap();
    let feature = hall.rests(stubborn).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));

    let settings = ProjectSettings { repairs: 0, ..project.settings.clone() };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap();
    let never = card(&hall, &project, &[write("broken", "x\n"), say("Done.")], &[]).await;
    hall.start(never).await;
    assert_eq!(hall.rests(never).await.card.error.unwrap().code, "checks-failed");
    assert_eq!(hall.team.store.checks(run_of(&hall, never).await.id).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_verified_without_a_person_and_what_is_not() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify, 1).await;
    let lines = [write("a.txt", "x\n"), say("Done.")];
    let checked = card(&hall, &project, &lines, &[]).await;
    let new = |needs_approval, skip_verification| NewCard {
        description: script(&lines),
        model: Some("simulated".to_owned()),
        needs_approval: Some(needs_approval),
        skip_verification: Some(skip_verification),
        ..NewCard::default()
    };
    let asks = hall.team.create_feature(&hall.anna, project.id, new(true, false)).await.unwrap().card.id;
    let unchecked = hall.team.create_feature(&hall.anna, project.id, new(false, true)).await.unwrap().card.id;
    for (id, status) in [
        (checked, FeatureStatus::Verified),
        (asks, FeatureStatus::WaitingApproval),
        (unchecked, FeatureStatus::WaitingApproval),
    ] {
        hall.start(id).await;
        assert_eq!(hall.rests(id).await.card.status, status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_goes_back_to_the_agent_once() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Merge, 1).await;
    let both = |text: &str| {
        let first = json!({ "silence_ms": 800, "tools": [["write", { "path": "README.md", "content": text }]] });
        [first, say("Done."), write("README.md", "# One and Two\n"), say("Both are there.")]
    };
    let cards =
        [card(&hall, &project, &both("# One\n"), &[]).await, card(&hall, &project, &both("# Two\n"), &[]).await];
    for id in cards {
        hall.start(id).await;
    }
    let mut returns = Vec::new();
    for id in cards {
        let feature = hall.rests(id).await;
        assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::Completed, None));
        returns.push(run_of(&hall, id).await.returns);
    }
    returns.sort_unstable();
    assert_eq!(returns, [0, 1], "the second of them found the first on the branch");
    assert_eq!(hall.text_at_main(&project, "README.md").await.unwrap(), "# One and Two\n");

    // Marks that stay are seen, whatever the checks say.
    let lazy = |text: &str| {
        let first = json!({ "silence_ms": 800, "tools": [["write", { "path": "README.md", "content": text }]] });
        [first, say("Done."), say("It looks fine.")]
    };
    let cards = [card(&hall, &project, &lazy("# 3\n"), &[]).await, card(&hall, &project, &lazy("# 4\n"), &[]).await];
    for id in cards {
        hall.start(id).await;
    }
    let mut ends = Vec::new();
    for id in cards {
        let feature = hall.rests(id).await;
        ends.push((feature.card.status, feature.card.error.map(|problem| problem.message)));
    }
    ends.sort();
    let left = Some("The agent left conflict marks in README.md.".to_owned());
    assert_eq!(ends, [(FeatureStatus::WaitingApproval, left), (FeatureStatus::Completed, None)]);
    assert!(!hall.text_at_main(&project, "README.md").await.unwrap().contains("<<<<"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_alone_is_checked_again_together_with_what_came_before_it() {
    let hall = Hall::open().await;
    let check = "! { [ -e a.txt ] && [ -e b.txt ]; } || [ -e c.txt ]";
    let project = project(&hall, &[check], AfterWork::Merge, 0).await;
    let lines = |path: &str| {
        let first = json!({ "silence_ms": 800, "tools": [["write", { "path": path, "content": "x\n" }]] });
        [first, say("Done."), write("c.txt", "x\n"), say("Now they go together.")]
    };
    let cards = [card(&hall, &project, &lines("a.txt"), &[]).await, card(&hall, &project, &lines("b.txt"), &[]).await];
    for id in cards {
        hall.start(id).await;
    }
    let mut checked = Vec::new();
    for id in cards {
        let feature = hall.rests(id).await;
        assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::Completed, None));
        let run = run_of(&hall, id).await;
        checked.push((run.returns, hall.team.store.checks(run.id).await.unwrap().len()));
    }
    checked.sort_unstable();
    assert_eq!(checked, [(0, 1), (1, 3)], "alone, with the other, and mended");
    for path in ["a.txt", "b.txt", "c.txt"] {
        assert!(hall.text_at_main(&project, path).await.is_some(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_failures_pause_and_what_cannot_run_does_not_fail() {
    let hall = Hall::open().await;
    let project = project(&hall, &[], AfterWork::Wait, 1).await;
    let keyless = NewCard { description: script(&[say("Done.")]), priority: Some(1), ..NewCard::default() };
    let keyless = hall.team.create_feature(&hall.anna, project.id, keyless).await.unwrap().card.id;
    let bad = json!({ "fault": { "kind": "bad-key", "times": 9 } });
    let mut cards = Vec::new();
    for _ in 0..4 {
        cards.push(card(&hall, &project, std::slice::from_ref(&bad), &[]).await);
    }
    order(&hall, &project, 1).await;
    let paused = async || {
        let order = hall.team.store.order(project.id, hall.anna.id).await.unwrap().unwrap();
        (order.state == OrderState::Paused).then_some(order)
    };
    let order_ = hall.until("the pause", paused).await;
    assert_eq!(order_.failures.len(), 3);
    assert!(order_.pause.unwrap().message.starts_with("Three runs in a row failed. "));
    let mut statuses = Vec::new();
    for id in &cards {
        statuses.push(hall.feature(*id).await.card.status);
    }
    use FeatureStatus::{Backlog, Failed};
    assert_eq!(statuses, [Failed, Failed, Failed, Backlog]);
    let keyless = hall.feature(keyless).await.card;
    assert_eq!((keyless.status, keyless.error), (Backlog, None));
    order(&hall, &project, 1).await;
    assert_eq!(hall.reaches(cards[3], Failed).await.card.error.unwrap().code, "invalid-key");
    let told = async || hall.team.auto_mode(hall.anna.id, project.id).await.unwrap().waiting;
    let hindered = async || told().await.filter(|told| matches!(told.reason, Reason::Hindered { .. }));
    assert!(hall.until("the reason", hindered).await.message.contains("key"));
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    let why = queue.iter().find(|item| item.feature_id == keyless.id).unwrap();
    assert!(matches!(why.waiting.reason, Reason::Hindered { .. }), "{why:?}");
    assert!(why.waiting.message.contains("key"), "{why:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stopped_goes_on_with_its_key_and_not_without_it() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify, 1).await;
    let key = async || {
        let (key, url) = ("sk-good-0123456789-abcdef", hall.sim.url());
        hall.team.put_credential(hall.anna.id, ProviderKind::Anthropic, key, Some(&url)).await.unwrap();
    };
    key().await;
    let slow = json!({ "silence_ms": 3000, "say": "Done." });
    let new = NewCard {
        description: script(&[write("a.txt", "x\n"), slow]),
        model: Some("claude-sonnet-4-5".to_owned()),
        priority: Some(1),
        ..NewCard::default()
    };
    let stopped = hall.team.create_feature(&hall.anna, project.id, new).await.unwrap().card.id;
    order(&hall, &project, 1).await;
    hall.until("the first turn", async || {
        let run = hall.feature(stopped).await.card.run_id?;
        hall.team.store.run(run).await.unwrap().filter(|run| run.turns >= 1)
    })
    .await;
    hall.team.stop_all(&hall.anna).await.unwrap();
    hall.team.store.delete_credential(hall.anna.id, ProviderKind::Anthropic).await.unwrap();
    let mut others = Vec::new();
    for n in 0..4 {
        others.push(card(&hall, &project, &[write(&format!("{n}.txt"), "x\n"), say("Done.")], &[]).await);
    }
    order(&hall, &project, 1).await;
    for id in others {
        hall.reaches(id, FeatureStatus::Verified).await;
    }
    let kept = hall.team.store.order(project.id, hall.anna.id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.failures.len()), (OrderState::On, 0), "{:?}", kept.failures);
    let card = hall.feature(stopped).await.card;
    assert_eq!((card.status, card.error), (FeatureStatus::Paused, None), "it does not fail");
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    let told = &queue.iter().find(|item| item.feature_id == stopped).unwrap().waiting;
    assert!(matches!(told.reason, Reason::Hindered { .. }) && told.message.contains("key"), "{told:?}");
    let run = run_of(&hall, stopped).await;
    key().await;
    hall.reaches(stopped, FeatureStatus::Verified).await;
    assert_eq!(run_of(&hall, stopped).await.id, run.id, "it goes on, and does not begin anew");
}

/// Each way in which a start would refuse a card, told of the card without a start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_card_says_what_it_lacks_and_the_forecast_leaves_it_out() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Merge, 0).await;
    let done = card(&hall, &project, &[write("a.txt", "a\n"), say("Done.")], &[]).await;
    hall.start(done).await;
    hall.reaches(done, FeatureStatus::Completed).await;
    let agent = AgentWish { name: "Gone".to_owned(), system_prompt: "Build.".to_owned(), ..AgentWish::default() };
    let archived = hall.team.create_agent(&hall.anna, AgentWish { name: "Archived".to_owned(), ..agent.clone() });
    let (archived, agent) = (archived.await.unwrap(), hall.team.create_agent(&hall.anna, agent).await.unwrap());
    let active = AgentPatch { status: Some(AgentStatus::Active), ..AgentPatch::default() };
    for id in [agent.id, archived.id] {
        hall.team.update_agent(By::in_person(&hall.anna), id, active.clone(), None).await.unwrap();
    }
    let simulated = || Some("simulated".to_owned());
    let new =
        |title: &str| NewCard { title: Some(title.to_owned()), description: "x".to_owned(), ..NewCard::default() };
    let mut ids = Vec::new();
    for new in [
        new("no key"),
        NewCard { model: Some("gpt-5".to_owned()), ..new("another's key") },
        NewCard { model: simulated(), agent_id: Some(agent.id), ..new("no agent") },
        NewCard { model: simulated(), agent_id: Some(archived.id), ..new("an agent for nothing new") },
        NewCard { model: simulated(), branch: Some("main".to_owned()), ..new("a branch") },
        NewCard { model: simulated(), branch: Some("free".to_owned()), ..new("nothing") },
        NewCard { model: simulated(), ..new("nothing either") },
    ] {
        ids.push(hall.team.create_feature(&hall.anna, project.id, new).await.unwrap().card.id);
    }
    hall.team.delete_agent(By::in_person(&hall.anna), agent.id).await.unwrap();
    let over = AgentPatch { status: Some(AgentStatus::Archived), ..AgentPatch::default() };
    hall.team.update_agent(By::in_person(&hall.anna), archived.id, over, None).await.unwrap();
    let forecast = hall.team.forecast(hall.anna.id, project.id, OrderChange::default()).await.unwrap();
    assert_eq!((forecast.cards, forecast.hindered, forecast.estimate.unwrap().done.high), (7, 5, 2));
    // Nothing begins: the window is closed, and what lacks something says so all the same.
    let never = Window {
        days: Day::ALL.to_vec(),
        from: "00:00".to_owned(),
        until: "00:01".to_owned(),
        time_zone: "Pacific/Kiritimati".to_owned(),
    };
    let change = OrderChange { window: Some(Some(never)), ..OrderChange::default() };
    hall.team.store.switch_on_order(project.id, hall.anna.id, change).await.unwrap();
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    for (n, id) in ids.iter().enumerate() {
        let told = &queue.iter().find(|item| item.feature_id == *id).unwrap().waiting;
        // Word for word what a start says.
        match hall.team.new_run(hall.anna.id, *id).await {
            Ok(_) => assert!(matches!(told.reason, Reason::Window { .. }) && n >= 5, "{n}: {told:?}"),
            Err(why) => assert_eq!(told.reason, Reason::Hindered { why: why.to_string() }, "{n}"),
        }
    }
    let modes = hall.team.auto_modes(hall.anna.id).await.unwrap();
    assert!(matches!(modes[0].waiting.as_ref().unwrap().reason, Reason::Window { .. }), "{modes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_window_closes_the_turn_is_finished_and_the_work_rests() {
    let clock = FixedClock::default();
    let hall =
        Hall::clocked(Config::default(), Arc::new(clock.clone()), std::time::Duration::from_secs(90 * 24 * 3600)).await;
    let project = project(&hall, &[], AfterWork::Wait, 1).await;
    // The clock of tests begins at midnight, UTC.
    let window = Window {
        days: Day::ALL.to_vec(),
        from: "22:00".to_owned(),
        until: "07:00".to_owned(),
        time_zone: "UTC".to_owned(),
    };
    let slow = json!({ "silence_ms": 1500, "tools": [["write", { "path": "b.txt", "content": "b\n" }]] });
    let lines = [write("a.txt", "a\n"), slow, write("c.txt", "c\n"), say("Done.")];
    let id = card(&hall, &project, &lines, &[]).await;
    let waiting = card(&hall, &project, &lines, &[]).await;
    let change =
        OrderChange { max_concurrent: Some(1), window: Some(Some(window)), at_close: Some(AtClose::FinishTurn) };
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
    let first = async || hall.feature(id).await.card.run_id;
    let run = hall.until("the start", first).await;
    hall.until("the second call", async || (hall.sim.requests().len() >= 2).then_some(())).await;
    clock.advance(Duration::hours(8));
    let parked = async || hall.team.store.run(run).await.unwrap().filter(|run| run.parked_until.is_some());
    let resting = hall.until("the rest", parked).await;
    assert_eq!((resting.status, resting.turns), (RunStatus::Queued, 2), "the turn that was going on is saved");
    assert_eq!(hall.feature(waiting).await.card.status, FeatureStatus::Backlog, "nothing new starts");
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    let why = queue.iter().find(|item| item.feature_id == id).unwrap();
    assert_eq!(why.waiting.message, "The window opens at Fri 22:00 UTC.");
    clock.advance(Duration::hours(14));
    let feature = hall.reaches(id, FeatureStatus::WaitingApproval).await;
    assert_eq!((feature.card.error, feature.card.stage), (None, None::<Stage>));
    assert_eq!(hall.team.store.turns(run).await.unwrap().len(), 4, "no turn was made twice");
    hall.reaches(waiting, FeatureStatus::WaitingApproval).await;
}
