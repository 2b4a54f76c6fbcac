//! Verified work that is merged when what it is built on is, by itself or by hand.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use guildhall_sim::Config;
use guildhall_team::NewCard;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{AfterWork, Project};
use guildhall_types::run::CheckStatus;
use guildhall_types::{FeatureId, FixedClock};

use crate::harness::Hall;
use crate::stacked::{bash, card, new, project, run_of, say, status, subjects, write};

use FeatureStatus::{Completed, Verified, WaitingApproval};

/// “Log in”, verified, and merged by nobody but a person.
async fn for_a_person(hall: &Hall, project: &Project, file: &str) -> FeatureId {
    let asks = NewCard { needs_approval: Some(true), ..new("Log in", &[write(file, "name\n"), say("Done.")], &[]) };
    let login = hall.team.create_feature(&hall.anna, project.id, asks).await.unwrap().card.id;
    hall.start(login).await;
    hall.reaches(login, WaitingApproval).await;
    hall.team.verify(login).await.unwrap();
    login
}

/// What is built on that, verified.
async fn upon(hall: &Hall, project: &Project, login: FeatureId, file: &str) -> FeatureId {
    let upon = card(hall, project, "Upon", &[bash(&format!("echo secret >> {file}"))], &[login]).await;
    hall.start(upon).await;
    hall.reaches(upon, Verified).await;
    upon
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_waited_for_a_person_is_merged_by_itself_when_what_it_is_built_on_is() {
    let hall = Hall::open().await;
    let project = project(&hall, &["test -e login.txt"], AfterWork::Merge).await;
    let login = for_a_person(&hall, &project, "login.txt").await;
    let (one, two) = (
        card(&hall, &project, "One", &[write("one.txt", "1\n")], &[login]).await,
        card(&hall, &project, "Two", &[bash("cat one.txt > two.txt")], &[login]).await,
    );
    for id in [one, two] {
        hall.start(id).await;
        hall.reaches(id, Verified).await;
    }
    let calls = hall.sim.requests().len();
    hall.team.merge(&hall.anna, login, None).await.unwrap();
    for id in [one, two] {
        hall.reaches(id, Completed).await;
        let checks = hall.team.store.checks(run_of(&hall, id).await.id).await.unwrap();
        assert_eq!(checks.iter().map(|check| check.status).collect::<Vec<_>>()[0], CheckStatus::Passed);
    }
    assert_eq!(hall.sim.requests().len(), calls, "no agent was asked anything");
    let mut merged = subjects(&hall, &project).await;
    merged.truncate(2);
    merged.sort();
    assert_eq!(merged, ["One", "Two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_is_merged_by_hand_with_what_it_is_built_on_is_not_taken_up_as_well() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Merge).await;
    for n in 0..3 {
        let file = format!("login{n}.txt");
        let login = for_a_person(&hall, &project, &file).await;
        let upon = upon(&hall, &project, login, &file).await;
        hall.team.merge(&hall.anna, upon, None).await.unwrap();
        assert_eq!((status(&hall, login).await, status(&hall, upon).await), (Completed, Completed));
        assert_eq!(run_of(&hall, upon).await.attempt, 1);
        assert_eq!(subjects(&hall, &project).await[..2], ["Upon", "Log in"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_whose_merge_by_hand_was_cut_off_is_still_merged_by_itself() {
    let clock = FixedClock::default();
    let hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), Duration::from_secs(3_600)).await;
    let project = project(&hall, &["true"], AfterWork::Merge).await;
    let login = for_a_person(&hall, &project, "login.txt").await;
    let upon = upon(&hall, &project, login, "login.txt").await;
    // Who merges it closes the page as soon as what it is built on is merged.
    let mut commits = hall.team.store.commits();
    while status(&hall, login).await != Completed {
        commits.mark_unchanged();
        tokio::select! {
            biased;
            changed = commits.changed() => changed.unwrap(),
            merged = hall.team.merge(&hall.anna, upon, None) => panic!("it was not cut off: {merged:?}"),
        }
    }
    assert_eq!(status(&hall, upon).await, Verified);
    assert_eq!(hall.team.store.due_merges(&[]).await.unwrap(), [], "for all that is known, it is under way");
    clock.advance(TimeDelta::minutes(11));
    hall.reaches(upon, Completed).await;
    assert_eq!(subjects(&hall, &project).await[..2], ["Upon", "Log in"]);
}
