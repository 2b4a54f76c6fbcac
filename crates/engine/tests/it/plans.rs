//! Plans that a person approves, hours later and after whatever happened in between.

use std::time::Duration;

use guildhall_sim::Config;
use guildhall_team::{Correction, NewCard};
use guildhall_types::FeatureId;
use guildhall_types::feature::{Feature, FeatureStatus, PlanningMode, Stage};
use guildhall_types::plan::{PlanStatus, PlannedTask};
use guildhall_types::project::{Project, ProjectSource};
use guildhall_types::run::{RunStatus, TaskStatus};
use serde_json::json;

use crate::harness::{Hall, script};

impl Hall {
    async fn asking(&self, project: &Project, description: &str) -> FeatureId {
        let card = NewCard {
            description: description.to_owned(),
            model: Some("simulated".to_owned()),
            planning_mode: Some(PlanningMode::Spec),
            require_plan_approval: Some(true),
            ..NewCard::default()
        };
        let id = self.team.create_feature(&self.anna, project.id, card).await.unwrap().card.id;
        self.start(id).await;
        id
    }

    /// Waits until version `version` of the card's plan waits for a person.
    async fn plan_waits(&self, id: FeatureId, version: i64) -> Feature {
        let look = async || {
            let feature = self.feature(id).await;
            let latest = self.team.plans(id).await.unwrap().first().map(|plan| plan.version);
            assert_ne!(feature.card.status, FeatureStatus::Failed, "{:?}", feature.card.error);
            (feature.card.plan_waits() && latest == Some(version)).then_some(feature)
        };
        self.until("a plan", look).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_rejected_made_anew_corrected_and_worked_through() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let offered = guildhall_team::sample::suggestions().unwrap().pop().unwrap();
    assert!(offered.require_plan_approval);
    let id = hall.asking(&project, &format!("# {}\n\n{}", offered.title, offered.description)).await;

    let feature = hall.plan_waits(id, 1).await;
    assert_eq!((feature.card.status, feature.card.stage), (FeatureStatus::InProgress, Some(Stage::PlanApproval)));
    assert_eq!((feature.card.files_changed, feature.card.tasks_total), (0, 0));
    hall.until("an idle engine", async || (hall.engine.stats().await.active_runs == 0).then_some(())).await;
    let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Waiting);

    hall.team.reject_plan(hall.anna.id, id, 1, "Say in the README that items are in order.").await.unwrap();
    hall.plan_waits(id, 2).await;
    let plans = hall.team.plans(id).await.unwrap();
    assert_eq!((plans[0].status, plans[1].status), (PlanStatus::Proposed, PlanStatus::Rejected));
    assert!(plans[0].text.contains("items are in order") && plans[0].tasks.len() == 5);

    let late = hall.team.approve_plan(hall.anna.id, id, 1, Correction::default()).await.unwrap_err();
    assert!(late.to_string().contains("version 2"), "{late}");
    let mut tasks = plans[0].tasks.clone();
    tasks.push(PlannedTask { title: "Look at it once more".to_owned(), phase: None });
    let correction = Correction { text: Some(format!("{}\n\nMind the quotes.", plans[0].text)), tasks: Some(tasks) };
    let (_, run) = hall.team.approve_plan(hall.anna.id, id, 2, correction).await.unwrap();
    assert!(run.plan.len() == 6 && run.plan.iter().all(|task| task.status == TaskStatus::Pending));

    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let run = hall.team.store.run(run.id).await.unwrap().unwrap();
    assert_eq!(run.plan[5].title, "Look at it once more", "the agent went by what was approved");
    assert!(run.plan.iter().all(|task| task.status == TaskStatus::Completed));
    let turns = serde_json::to_string(&hall.team.store.turns(run.id).await.unwrap()).unwrap();
    assert!(turns.contains("Mind the quotes."), "it was told");
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert!(hall.text_at_main(&project, "commands/json.sh").await.is_some());
    assert!(hall.text_at_main(&project, "README.md").await.unwrap().contains("items are in order"));
}

/// What a plan costs, and what it must not leave: a look, a plan, another plan, and then the work.
fn planned() -> String {
    let propose = |text: &str| json!({ "tools": [["propose_plan", { "text": text, "tasks": [{ "title": "It" }] }]] });
    script(&[
        json!({ "say": "I look.", "tools": [["bash", { "command": "echo early > early.txt; true" }]] }),
        propose("first"),
        propose("second"),
        json!({ "say": "Now.", "tools": [["write", { "path": "new.txt", "content": "x\n" }]] }),
        json!({ "say": "All done." }),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_step_neither_loses_nor_doubles_a_plan() {
    let slow = Config { first_word: Duration::from_millis(60), ..Config::default() };
    let mut hall = Hall::with(slow).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    // The server dies a moment later in each round: before the first answer, between answers, while a plan is saved.
    for round in 0..8 {
        let id = hall.asking(&project, &planned()).await;
        tokio::time::sleep(Duration::from_millis(40 * round)).await;
        hall.die_and_start_again().await;
        let feature = hall.plan_waits(id, 1).await;
        let run = feature.card.run_id.unwrap();
        hall.die_and_start_again().await;
        assert!(hall.plan_waits(id, 1).await.card.plan_waits(), "it waits on");

        hall.team.reject_plan(hall.anna.id, id, 1, "Another, please.").await.unwrap();
        tokio::time::sleep(Duration::from_millis(30 * round)).await;
        hall.die_and_start_again().await;
        hall.plan_waits(id, 2).await;
        // Stopped and taken up again, it waits without another call.
        hall.team.stop(id).await.unwrap();
        hall.team.retry(hall.anna.id, id).await.unwrap();
        hall.plan_waits(id, 2).await;
        let turns = hall.team.store.turns(run).await.unwrap();
        assert_eq!(turns.len(), 3, "round {round}");
        assert_eq!(hall.team.diff(id).await.unwrap().files.len(), 0, "nothing was written before the approval");

        hall.team.approve_plan(hall.anna.id, id, 2, Correction::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(25 * round)).await;
        hall.die_and_start_again().await;
        let feature = hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
        let turns = hall.team.store.turns(run).await.unwrap();
        assert_eq!(turns.len(), 5, "round {round}: each answer is there once");
        let plans = hall.team.plans(id).await.unwrap();
        let texts: Vec<&str> = plans.iter().map(|plan| plan.text.as_str()).collect();
        assert_eq!(texts, ["second", "first"], "round {round}");
        assert_eq!((plans[0].status, plans[1].status), (PlanStatus::Approved, PlanStatus::Rejected));
        let run = hall.team.store.run(run).await.unwrap().unwrap();
        assert_eq!((run.turns, feature.card.tasks_total), (5, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_without_a_plan_fails_with_what_to_do_and_a_waiting_one_takes_no_place() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.asking(&project, &script(&[json!({ "say": "Done." }), json!({ "say": "Done." })])).await;
    let feature = hall.rests(id).await;
    let problem = feature.card.error.unwrap();
    assert_eq!((feature.card.status, problem.code.as_str()), (FeatureStatus::Failed, "no-plan"));
    assert!(problem.hint.contains("follow-up"), "{}", problem.hint);

    // Three plans wait, which is as many as a member may have at work; a fourth card is worked on all the same.
    for _ in 0..3 {
        let id = hall.asking(&project, &planned()).await;
        hall.plan_waits(id, 1).await;
    }
    let id = hall.scripted(&project, &[json!({ "say": "Done." })]).await;
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::WaitingApproval);
}
