use super::*;

fn step(name: &str) -> PipelineStep {
    PipelineStep {
        name: name.to_owned(),
        instructions: "Look.".to_owned(),
        model: None,
        enabled: true,
        on_failure: OnFailure::Stop,
        returns: 1,
    }
}

fn look(round: i64, position: i64, look: i64, name: &str, status: StepStatus, commit: &str) -> RunStep {
    let of = step(name);
    RunStep {
        run_id: RunId::new(),
        number: 0,
        round,
        position,
        look,
        name: of.name,
        instructions: of.instructions,
        model: None,
        on_failure: of.on_failure,
        returns: of.returns,
        status,
        word: None,
        commit_id: (!commit.is_empty()).then(|| commit.to_owned()),
        started_at: None,
        ended_at: None,
    }
}

fn names(due: Vec<(i64, &PipelineStep)>) -> Vec<(i64, String)> {
    due.into_iter().map(|(position, step)| (position, step.name.clone())).collect()
}

fn of(list: &[(i64, &str)]) -> Vec<(i64, String)> {
    list.iter().map(|(position, name)| (*position, (*name).to_owned())).collect()
}

#[test]
fn work_passes_every_step_that_is_on_and_again_only_when_it_changed() {
    use StepStatus as S;
    let mut pipeline = vec![step("Review"), step("Security"), step("Docs")];
    pipeline[1].enabled = false;
    assert_eq!(names(due(&pipeline, &[], "a")), of(&[(1, "Review"), (3, "Docs")]));
    let mut steps = vec![look(1, 1, 1, "Review", S::Running, ""), look(1, 3, 1, "Docs", S::Waiting, "")];
    assert_eq!(open(&steps).map(|step| step.name.as_str()), Some("Review"));
    assert_eq!(names(due(&pipeline, &steps, "b")), of(&[]), "a round is open");

    (steps[0].status, steps[0].commit_id) = (S::Asked, Some("a".to_owned()));
    steps.push(look(1, 1, 2, "Review", S::Waiting, ""));
    assert_eq!(open(&steps).map(|step| (step.name.as_str(), step.look)), Some(("Review", 2)));
    (steps[2].status, steps[2].commit_id) = (S::Interrupted, Some("b".to_owned()));
    steps.push(look(1, 1, 3, "Review", S::Running, ""));
    assert_eq!(open(&steps).map(|step| step.look), Some(3));
    (steps[3].status, steps[3].commit_id) = (S::Passed, Some("b".to_owned()));
    assert_eq!(open(&steps).map(|step| step.name.as_str()), Some("Docs"));
    (steps[1].status, steps[1].commit_id) = (S::Passed, Some("c".to_owned()));
    assert_eq!(open(&steps), None);
    assert_eq!(names(due(&pipeline, &steps, "c")), of(&[]), "as the pipeline left it");
    assert_eq!(names(due(&pipeline, &steps, "d")), of(&[(1, "Review"), (3, "Docs")]), "somebody changed it");
}

#[test]
fn a_stopped_round_goes_on_where_it_was_with_the_steps_as_they_are_by_then() {
    use StepStatus as S;
    let mut pipeline = vec![step("Review"), step("Security"), step("Docs")];
    let steps = [
        look(1, 1, 1, "Review", S::Passed, "a"),
        look(1, 2, 1, "Security", S::Asked, "a"),
        look(1, 2, 2, "Security", S::Failed, "b"),
        look(1, 3, 1, "Docs", S::LeftOut, "b"),
    ];
    assert_eq!(names(due(&pipeline, &steps, "b")), of(&[(2, "Security"), (3, "Docs")]));
    assert_eq!(names(due(&pipeline, &steps, "c")).len(), 3, "the review has not seen this");
    pipeline[1].enabled = false;
    assert_eq!(names(due(&pipeline, &steps, "b")), of(&[(3, "Docs")]));

    let last = [look(1, 1, 1, "Review", S::Failed, "a")];
    assert_eq!(names(due(&pipeline[..1], &last, "a")), of(&[(1, "Review")]), "the last step can stop it as well");
    let mut gone_on = last;
    gone_on[0].on_failure = OnFailure::GoOn;
    assert_eq!(names(due(&pipeline[..1], &gone_on, "a")), of(&[]));
}

#[test]
fn a_step_asks_as_often_as_it_may() {
    let asks = |returns, n| RunStep { returns, ..look(1, 1, n, "Review", StepStatus::Running, "") }.may_ask();
    assert_eq!([asks(0, 1), asks(1, 1), asks(1, 2), asks(3, 3), asks(3, 4)], [false, true, false, true, false]);
}
