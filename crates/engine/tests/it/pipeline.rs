//! The pipeline: steps that pass over finished work, send it back, stop it, and are gone on with after a death.

use std::time::Duration;

use guildhall_sim::Config;
use guildhall_store::ProjectPatch;
use guildhall_types::FeatureId;
use guildhall_types::feature::{FeatureStatus, Stage};
use guildhall_types::pipeline::{OnFailure, PipelineStep, RunStep, StepStatus};
use guildhall_types::project::{AfterWork, Project, ProjectSource};
use guildhall_types::run::{Run, RunEvent};
use serde_json::{Value, json};

use crate::harness::{Hall, script};

/// A step whose agent does one of these scripts at each look.
pub fn step(name: &str, looks: &[&[Value]]) -> PipelineStep {
    let looks: Vec<String> = looks.iter().map(|lines| script(lines)).collect();
    PipelineStep {
        name: name.to_owned(),
        instructions: format!("Look at it.\n\n{}", looks.join("\n\n")),
        model: None,
        enabled: true,
        on_failure: OnFailure::Stop,
        returns: 1,
    }
}

fn write(path: &str) -> Value {
    json!({ "say": format!("I write {path}."), "tools": [["write", { "path": path, "content": "x\n" }]] })
}

fn say(words: &str) -> Value {
    json!({ "say": words })
}

fn ask(what: &str) -> Value {
    json!({ "tools": [["request_changes", { "changes": what }]] })
}

impl Hall {
    pub async fn piped(&self, steps: Vec<PipelineStep>) -> Project {
        let project = self.project("p", ProjectSource::Empty).await;
        self.set_pipeline(&project, steps).await
    }

    async fn set_pipeline(&self, project: &Project, steps: Vec<PipelineStep>) -> Project {
        let settings = guildhall_types::project::ProjectSettings {
            pipeline: steps,
            verify_commands: vec!["true".to_owned()],
            after_work: AfterWork::Verify,
            ..project.settings.clone()
        };
        let patch = ProjectPatch { name: None, settings: Some(settings) };
        self.team.update_project(project.id, patch).await.unwrap()
    }

    async fn run_of(&self, id: FeatureId) -> Run {
        let run = self.feature(id).await.card.run_id.unwrap();
        self.team.store.run(run).await.unwrap().unwrap()
    }

    async fn looks(&self, id: FeatureId) -> Vec<RunStep> {
        self.team.store.steps(self.run_of(id).await.id).await.unwrap()
    }

    /// Each look with its step's name, its round, and what came of it.
    async fn passed(&self, id: FeatureId) -> Vec<(String, i64, StepStatus)> {
        self.looks(id).await.into_iter().map(|look| (look.name, look.round, look.status)).collect()
    }

    async fn events(&self, id: FeatureId) -> Vec<RunEvent> {
        let run = self.run_of(id).await.id;
        let events = self.team.store.run_events(run, 0, 500).await.unwrap();
        let of = |what| match what {
            guildhall_types::event::Happening::Run { event, .. } => Some(event),
            _ => None,
        };
        events.into_iter().filter_map(|event| of(event.what)).collect()
    }
}

fn of(list: &[(&str, i64, StepStatus)]) -> Vec<(String, i64, StepStatus)> {
    list.iter().map(|(name, round, status)| ((*name).to_owned(), *round, *status)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finished_work_passes_every_step_and_again_only_when_it_changed() {
    use StepStatus as S;
    let hall = Hall::open().await;
    let mut off = step("Off", &[]);
    off.enabled = false;
    let review = step("Review", &[&[ask("Write mended.txt as well."), say("never")], &[say("All is well now.")]]);
    let docs = step("Docs", &[&[write("docs.txt"), say("I wrote of it.")]]);
    let project = hall.piped(vec![review, off, docs]).await;
    let id = hall.scripted(&project, &[write("work.txt"), say("Done."), write("mended.txt"), say("Mended.")]).await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, &feature.card.error), (FeatureStatus::Verified, &None));
    let all = [("Review", 1, S::Asked), ("Docs", 1, S::Passed), ("Review", 1, S::Passed)];
    assert_eq!(hall.passed(id).await, of(&all));
    assert_eq!(feature.card.files_changed, 3, "its agent's work, what it mended, and what a step wrote");

    // Each agent has its own turns; their numbers count over the run, and each was billed once.
    let run = hall.run_of(id).await;
    let store = &hall.team.store;
    let numbers = async |step| -> Vec<i64> {
        store.turns_of(run.id, step).await.unwrap().iter().map(|turn| turn.number).collect()
    };
    assert_eq!(numbers(None).await, [1, 2, 4, 5]);
    assert_eq!(
        (numbers(Some(1)).await, numbers(Some(3)).await, numbers(Some(2)).await),
        (vec![3], vec![6], vec![7, 8])
    );
    assert_eq!(run.turns, 8);

    // A look begins afresh, with the card, the change and what was asked for before; the agent hears what it is to mend.
    let first = serde_json::to_string(&store.turns_of(run.id, Some(3)).await.unwrap()[0].input).unwrap();
    assert!(first.contains("Do as the script says.") && first.contains("mended.txt (Added"), "{first}");
    assert!(first.contains("Look 1 of this step asked") && first.contains("Write mended.txt as well."), "{first}");
    let heard = serde_json::to_string(&store.turns_of(run.id, None).await.unwrap()[2].input).unwrap();
    assert!(heard.contains("The pipeline's step “Review”") && heard.contains("Write mended.txt as well."), "{heard}");
    let told: Vec<String> = hall
        .events(id)
        .await
        .into_iter()
        .filter_map(|event| match event {
            RunEvent::StepStarted { name, look, resumed: false, .. } => Some(format!("{name} {look}")),
            RunEvent::StepEnded { name, status, .. } => Some(format!("{name}: {status}")),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["Review 1", "Review: asked", "Review 2", "Review: passed", "Docs 1", "Docs: passed"]);

    // A question changes nothing, and passes nothing; a change does, with the steps as they are by then.
    let talk = |lines: &[Value]| script(lines);
    hall.team.follow_up(hall.anna.id, id, &talk(&[say("Because.")])).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Verified);
    assert_eq!(hall.passed(id).await.len(), 3);
    hall.set_pipeline(&project, vec![step("New", &[&[say("Good.")]])]).await;
    hall.team.follow_up(hall.anna.id, id, &talk(&[write("more.txt"), say("Done.")])).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Verified);
    assert_eq!(hall.passed(id).await[3..], of(&[("New", 2, S::Passed)]));
    let looks = hall.looks(id).await;
    assert!(looks[0].instructions.contains("Write mended.txt"), "a look keeps the step as it was");
    let input = serde_json::to_string(&store.turns_of(run.id, Some(4)).await.unwrap()[0].input).unwrap();
    assert!(input.contains("What members said later"), "{input}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_does_not_pass_stops_the_card_or_is_passed_over() {
    use StepStatus as S;
    let hall = Hall::open().await;
    let mut soft = step("Soft", &[&[ask("Nicer words.")]]);
    (soft.on_failure, soft.returns) = (OnFailure::GoOn, 0);
    let strict = step("Strict", &[&[ask("Never enough.")]]);
    let last = step("Last", &[&[say("Good.")]]);
    let project = hall.piped(vec![soft, strict, last]).await;
    let id = hall.scripted(&project, &[write("work.txt"), say("Done."), say("I think it is right.")]).await;
    let feature = hall.rests(id).await;
    let error = feature.card.error.clone().unwrap();
    assert_eq!((feature.card.status, error.code.as_str()), (FeatureStatus::WaitingApproval, "pipeline-step"));
    assert!(error.message.contains("“Strict”") && error.message.contains("After 2 looks"), "{}", error.message);
    assert!(error.message.contains("Never enough."), "{}", error.message);
    let stopped = [("Soft", 1, S::Failed), ("Strict", 1, S::Asked), ("Last", 1, S::LeftOut), ("Strict", 1, S::Failed)];
    assert_eq!(hall.passed(id).await, of(&stopped));
    assert!(hall.team.store.checks(hall.run_of(id).await.id).await.unwrap().is_empty(), "no check ran");

    // A member who finds it wrong mends the step; the pipeline goes on where it was, because nothing changed.
    let strict = step("Strict", &[&[say("Fine.")]]);
    let last = step("Last", &[&[say("Good.")]]);
    hall.set_pipeline(&project, vec![step("Soft", &[&[say("never")]]), strict, last]).await;
    hall.team.follow_up(hall.anna.id, id, &script(&[say("Yes.")])).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Verified);
    assert_eq!(hall.passed(id).await[4..], of(&[("Strict", 2, S::Passed), ("Last", 2, S::Passed)]));

    // A step whose model nobody has a key for fails as a step, not as a run.
    let mut keyless = step("Keyless", &[]);
    keyless.model = Some("claude-sonnet-4-5".to_owned());
    hall.set_pipeline(&project, vec![keyless]).await;
    hall.team.follow_up(hall.anna.id, id, &script(&[write("more.txt"), say("Done.")])).await.unwrap();
    let feature = hall.rests(id).await;
    let error = feature.card.error.clone().unwrap();
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{error:?}");
    assert!(error.message.contains("“Keyless”"), "{}", error.message);
    // Whoever has looked overrules it.
    hall.team.verify(id).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Verified);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_says_during_a_step_is_heard_first_and_costs_the_step_no_look() {
    use StepStatus as S;
    let hall = Hall::open().await;
    let slow = json!({ "tools": [["bash", { "command": "sleep 1" }]] });
    let review = step("Review", &[&[slow.clone(), slow, say("Good.")]]);
    let project = hall.piped(vec![review]).await;
    let id = hall.scripted(&project, &[write("work.txt"), say("Done.")]).await;
    let at = Some(Stage::Pipeline("Review".to_owned()));
    hall.until("the step", async || (hall.feature(id).await.card.stage == at).then_some(())).await;
    hall.team.follow_up(hall.anna.id, id, &script(&[write("said.txt"), say("Done so.")])).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.files_changed), (FeatureStatus::Verified, 2));
    let looks = hall.looks(id).await;
    let statuses: Vec<StepStatus> = looks.iter().map(|look| look.status).collect();
    assert_eq!(statuses, [S::Interrupted, S::Passed]);
    assert_eq!((looks[1].look, looks[1].returns), (2, 2), "it may still ask as often as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_at_any_moment_takes_no_look_twice() {
    use StepStatus as S;
    let slow = Config { first_word: Duration::from_millis(60), ..Config::default() };
    let mut hall = Hall::with(slow).await;
    let count = |path: &str| json!({ "tools": [["bash", { "command": format!("echo x >> {path}; sleep 0.05") }]] });
    let review = step("Review", &[&[count("r1"), ask("Again.")], &[count("r2"), say("Good.")]]);
    let docs = step("Docs", &[&[count("d1"), count("d2"), say("Written.")]]);
    let project = hall.piped(vec![review, docs]).await;
    // A turn that is cut off leaves no file: one write more than there are deaths, so that there is a change for certain.
    let writes = ["1.txt", "2.txt", "3.txt", "4.txt", "5.txt"].map(write);
    let work: Vec<Value> = writes.into_iter().chain([say("Done."), count("mended"), say("Mended.")]).collect();
    for round in 0..10_u64 {
        let id = hall.scripted(&project, &work).await;
        for n in 0..4 {
            tokio::time::sleep(Duration::from_millis(40 + (round * 37 + n * 83) % 360)).await;
            hall.die_and_start_again().await;
        }
        let feature = hall.rests(id).await;
        assert_eq!((feature.card.status, &feature.card.error), (FeatureStatus::Verified, &None), "round {round}");
        let looks = hall.looks(id).await;
        let statuses: Vec<StepStatus> = looks.iter().map(|look| look.status).collect();
        assert_eq!(statuses, [S::Asked, S::Passed, S::Passed], "round {round}");
        let run = hall.run_of(id).await;
        assert_eq!(run.turns, 8 + 2 + 2 + 3, "round {round}: no finished turn was made again");
        assert_eq!(hall.team.store.turns_of(run.id, None).await.unwrap().len(), 8);
    }
}
