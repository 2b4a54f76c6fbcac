//! Steps of the pipeline, and trials of checks.

use chrono::Duration;
use guildhall_store::{AuditQuery, Claimed, Counts, Ending, StepEnd, StoreError, Word};
use guildhall_types::NodeId;
use guildhall_types::audit::AuditAction;
use guildhall_types::chat::{Message, StopReason, Usage};
use guildhall_types::feature::{FeatureStatus, Move, Problem, Stage};
use guildhall_types::limits::Limits;
use guildhall_types::member::ProviderKind;
use guildhall_types::pipeline::{OnFailure, PipelineStep, RunStep, StepStatus as S};
use guildhall_types::run::{CheckKind, CheckStatus, KeySource, LedgerRow, RunEvent, RunStatus, Turn};
use guildhall_types::trial::{Trial, TrialStatus, TriedCheck};

use crate::harness::{Fresh, new_run, on_both};

const HOLD: Duration = Duration::seconds(30);

fn step(name: &str) -> PipelineStep {
    PipelineStep {
        name: name.to_owned(),
        instructions: "Look \0 well.".to_owned(),
        model: Some("m".to_owned()),
        enabled: true,
        on_failure: OnFailure::Stop,
        returns: 1,
    }
}

async fn claim(fresh: &Fresh) -> Claimed {
    fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap()
}

async fn at_work(fresh: &Fresh) -> Claimed {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    let id = fresh.card(&project, "one").await.card.id;
    fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
    claim(fresh).await
}

fn begins(step: &RunStep) -> RunEvent {
    RunEvent::StepStarted {
        step: step.number,
        name: step.name.clone(),
        look: step.look,
        model: "m".to_owned(),
        resumed: false,
    }
}

async fn saves_turn(fresh: &Fresh, claimed: &Claimed, number: i64) {
    let turn = Turn {
        number,
        input: Vec::new(),
        compacted: None,
        answer: Message::assistant(Vec::new()),
        stop_reason: StopReason::EndTurn,
        usage: Usage::default(),
        results: None,
        snapshot: None,
    };
    let row = LedgerRow {
        id: guildhall_types::CallId::new(),
        member_id: claimed.run.member_id,
        key_source: KeySource::Team,
        key_hint: None,
        run_id: claimed.run.id,
        turn: Some(number),
        provider: ProviderKind::Anthropic,
        model: "m".to_owned(),
        usage: Usage::default(),
        cost_micros: 1,
        priced: true,
    };
    fresh.store.save_answer(&claimed.lease, &turn, None, &row, Vec::new()).await.unwrap();
}

async fn statuses(fresh: &Fresh, claimed: &Claimed) -> Vec<(i64, String, i64, S)> {
    let steps = fresh.store.steps(claimed.run.id).await.unwrap();
    steps.into_iter().map(|step| (step.round, step.name, step.look, step.status)).collect()
}

fn word(text: &str) -> Word {
    Word { text: text.to_owned(), data: "data".to_owned(), counts: Counts::Nothing }
}

on_both! {
    async fn looks_are_taken_one_after_the_other_and_keep_the_step_as_it_was(fresh: Fresh) {
        let claimed = at_work(&fresh).await;
        let (store, lease) = (&fresh.store, claimed.lease);
        let (review, docs) = (step("Review"), step("Docs"));
        let steps = store.begin_round(&lease, &[(1, &review), (3, &docs)]).await.unwrap();
        assert_eq!(steps.iter().map(|step| (step.number, step.position, step.look)).collect::<Vec<_>>(), [(1, 1, 1), (2, 3, 1)]);
        assert_eq!((steps[0].instructions.as_str(), steps[0].model.as_deref()), ("Look \u{fffd} well.", Some("m")));

        saves_turn(&fresh, &claimed, 1).await;
        store.begin_step(&lease, 1, begins(&steps[0])).await.unwrap();
        let card = store.feature(claimed.run.feature_id).await.unwrap().unwrap().card;
        assert_eq!(card.stage, Some(Stage::Pipeline("Review".to_owned())));
        saves_turn(&fresh, &claimed, 2).await;
        let asked = StepEnd::Asked { what: "Mend it.".to_owned(), word: word("They ask.") };
        store.end_step(&lease, 1, "c1", asked).await.unwrap();
        let card = store.feature(claimed.run.feature_id).await.unwrap().unwrap().card;
        assert_eq!(card.stage, Some(Stage::Implementing));
        let inbox = store.inbox(claimed.run.id).await.unwrap();
        assert_eq!(inbox[0].text, "<note>They ask.</note>\n\ndata");
        saves_turn(&fresh, &claimed, 3).await;
        let ended = store.end_step(&lease, 1, "c1", StepEnd::Passed(String::new())).await;
        assert!(matches!(ended, Err(StoreError::NotFound { .. })), "it ended before: {ended:?}");
        let begun = store.begin_step(&lease, 1, begins(&steps[0])).await;
        assert!(matches!(begun, Err(StoreError::NotFound { .. })), "{begun:?}");

        // The next look, given way to a member, costs none of the times that it may ask.
        store.begin_step(&lease, 3, begins(&steps[0])).await.unwrap();
        store.end_step(&lease, 3, "c2", StepEnd::Interrupted).await.unwrap();
        let steps = store.steps(claimed.run.id).await.unwrap();
        assert_eq!((steps[2].returns, steps[3].look, steps[3].returns), (1, 3, 2));
        assert!(steps[3].may_ask() == steps[2].may_ask());
        let expected = [(1, "Review", 1, S::Asked), (1, "Docs", 1, S::Waiting), (1, "Review", 2, S::Interrupted), (1, "Review", 3, S::Waiting)];
        let expected: Vec<_> = expected.iter().map(|(a, b, c, d)| (*a, (*b).to_owned(), *c, *d)).collect();
        assert_eq!(statuses(&fresh, &claimed).await, expected);

        // Each agent has its own turns.
        let numbers = async |of| store.turns_of(claimed.run.id, of).await.unwrap().iter().map(|turn| turn.number).collect::<Vec<_>>();
        assert_eq!((numbers(None).await, numbers(Some(1)).await), (vec![1, 3], vec![2]));
        assert_eq!(store.turns(claimed.run.id).await.unwrap().len(), 3);
    }

    async fn a_claim_goes_on_at_the_step_where_the_run_was(fresh: Fresh) {
        let claimed = at_work(&fresh).await;
        let (store, lease) = (&fresh.store, claimed.lease);
        let review = step("Review");
        let steps = store.begin_round(&lease, &[(1, &review)]).await.unwrap();
        store.begin_step(&lease, 1, begins(&steps[0])).await.unwrap();
        store.expire_leases().await.unwrap();
        let again = claim(&fresh).await;
        assert_eq!(again.run.id, claimed.run.id);
        assert_eq!(again.feature.card.stage, Some(Stage::Pipeline("Review".to_owned())));
        // Whoever held it before can write nothing more.
        let late = [
            store.begin_step(&lease, 1, begins(&steps[0])).await,
            store.end_step(&lease, 1, "c", StepEnd::Passed(String::new())).await,
            store.begin_round(&lease, &[(1, &review)]).await.map(drop),
        ];
        assert!(late.iter().all(|late| matches!(late, Err(StoreError::LeaseLost))), "{late:?}");
        store.end_step(&again.lease, 1, "c", StepEnd::Passed("Good.".to_owned())).await.unwrap();
        let back = store.set_stage(&again.lease, Stage::Planning).await;
        assert!(matches!(back, Err(StoreError::IllegalStage(_))), "{back:?}");
        store.set_stage(&again.lease, Stage::Verifying).await.unwrap();
    }

    async fn a_card_that_a_step_stopped_and_the_end_of_its_look_are_one(fresh: Fresh) {
        let claimed = at_work(&fresh).await;
        let (store, lease) = (&fresh.store, claimed.lease);
        let (review, docs) = (step("Review"), step("Docs"));
        let steps = store.begin_round(&lease, &[(1, &review), (2, &docs)]).await.unwrap();
        store.begin_step(&lease, 1, begins(&steps[0])).await.unwrap();
        let problem = Problem { code: "x".to_owned(), message: "Bad.".to_owned(), hint: "Mend.".to_owned() };
        let ending = Ending { status: RunStatus::Waiting, what: Move::Finish, summary: None, problem: Some(problem), later: None };
        store.finish_run(&lease, ending).await.unwrap();
        let card = store.feature(claimed.run.feature_id).await.unwrap().unwrap().card;
        assert_eq!((card.status, card.stage), (FeatureStatus::WaitingApproval, None));
        let steps = store.steps(claimed.run.id).await.unwrap();
        assert_eq!((steps[0].status, steps[0].word.as_deref()), (S::Failed, Some("Bad.")));
        assert_eq!((steps[1].status, steps[1].ended_at.is_some()), (S::LeftOut, true));

        // What fails otherwise leaves the look as it is, to be gone on with.
        store.follow_up(card.id, claimed.run.member_id, "Go on.").await.unwrap();
        let again = claim(&fresh).await;
        let steps = store.begin_round(&again.lease, &[(1, &review)]).await.unwrap();
        assert_eq!((steps[2].number, steps[2].round), (3, 2));
        store.begin_step(&again.lease, 3, begins(&steps[2])).await.unwrap();
        store.stop_feature(card.id).await.unwrap();
        assert_eq!(store.steps(claimed.run.id).await.unwrap()[2].status, S::Running);
    }

    async fn a_project_has_one_trial_at_a_time_and_a_lost_one_is_told(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let store = &fresh.store;
        assert_eq!(store.trial(project.id).await.unwrap(), None);
        let many: Vec<_> = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.begin_trial(project.id, anna.id, "c1", 2).await.unwrap() })
        }).collect();
        let mut begun = Vec::new();
        for one in many {
            begun.extend(one.await.unwrap());
        }
        assert_eq!(begun.len(), 1);
        let mut trial = begun.remove(0);
        trial.checks.push(TriedCheck {
            kind: CheckKind::Check,
            command: "true".to_owned(),
            status: CheckStatus::Running,
            exit_code: None,
            output: "a\0b".to_owned(),
            started_at: trial.started_at,
            ended_at: None,
        });
        assert!(store.put_trial(&trial).await.unwrap());
        let shown = store.trial(project.id).await.unwrap().unwrap();
        assert_eq!((shown.status, shown.checks[0].output.as_str()), (TrialStatus::Running, "a\u{fffd}b"));

        // Its process is gone: that is told, another may begin, and the first one has no say any more.
        fresh.clock.advance(Duration::minutes(3));
        let lost = store.trial(project.id).await.unwrap().unwrap();
        assert!(lost.status == TrialStatus::Stopped && lost.problem.unwrap().contains("stopped"));
        let second = store.begin_trial(project.id, anna.id, "c2", 1).await.unwrap().unwrap();
        trial.status = TrialStatus::Passed;
        assert!(!store.put_trial(&trial).await.unwrap());
        let shown = store.trial(project.id).await.unwrap().unwrap();
        assert_eq!((shown.id, shown.checks.len(), shown.commit_id.as_str()), (second.id, 0, "c2"));
        let told = async |action| {
            let query = AuditQuery { action: Some(action), limit: 10, ..AuditQuery::default() };
            store.audit_entries(&query).await.unwrap().len()
        };
        assert_eq!(told(AuditAction::TryChecks).await, 2);

        // What runs is stopped, for the first reason; what is over was stopped by nobody.
        assert!(!store.stop_trial(&trial, "Olga stopped it.").await.unwrap(), "another one runs");
        assert!(store.stop_trial(&second, "Olga stopped it.").await.unwrap());
        assert!(store.stop_trial(&second, "Ben stopped it.").await.unwrap());
        assert_eq!(store.trial_stopped(&second).await.unwrap().as_deref(), Some("Olga stopped it."));
        assert!(store.put_trial(&Trial { status: TrialStatus::Stopped, ..second.clone() }).await.unwrap());
        assert!(!store.stop_trial(&second, "Olga stopped it.").await.unwrap());
        assert_eq!(told(AuditAction::StopChecks).await, 2);
    }
}
