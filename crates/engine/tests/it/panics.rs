//! A panic costs what met it, and not the night.

use std::backtrace::Backtrace;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall_sim::Config;
use guildhall_store::{NewMember, OrderChange};
use guildhall_team::NewCard;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::member::MemberRole;
use guildhall_types::project::{ProjectSource, ProjectStatus};
use guildhall_types::{Clock, DateTime, SystemClock};
use serde_json::json;

use crate::harness::{Hall, script};

/// A clock that breaks in the hands of one function, so many times.
#[derive(Debug, Default)]
struct Brittle {
    of: Mutex<(&'static str, usize)>,
    broke: AtomicUsize,
}

impl Brittle {
    fn breaks(&self, function: &'static str, times: usize) {
        *self.of.lock().unwrap() = (function, times);
    }

    fn broke(&self) -> usize {
        self.broke.load(Ordering::SeqCst)
    }
}

impl Clock for Brittle {
    fn now(&self) -> DateTime {
        let broken = {
            let mut of = self.of.lock().unwrap();
            let broken = of.1 > 0 && Backtrace::force_capture().to_string().contains(of.0);
            of.1 -= usize::from(broken);
            broken
        };
        if broken {
            self.broke.fetch_add(1, Ordering::SeqCst);
            panic!("the clock is broken");
        }
        SystemClock.now()
    }
}

async fn hall(clock: &Arc<Brittle>) -> Hall {
    Hall::clocked(Config::default(), Arc::clone(clock) as Arc<dyn Clock>, Duration::from_secs(30)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_claiming_of_runs_begins_anew() {
    let clock = Arc::<Brittle>::default();
    let hall = hall(&clock).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.card(&project, &script(&[json!({ "say": "Done." })])).await;
    clock.breaks("schedule::claim_forever", 2);
    hall.team.start_auto_mode(hall.anna.id, project.id, OrderChange::default()).await.unwrap();
    hall.reaches(id, FeatureStatus::WaitingApproval).await;
    assert_eq!(clock.broke(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_work_panics_fails_with_a_word_and_can_go_on_here() {
    let clock = Arc::<Brittle>::default();
    let hall = hall(&clock).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "tools": [["write", { "path": "a.txt", "content": "whole\n" }]] }),
        json!({ "silence_ms": 1500, "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let run = hall.feature(id).await.card.run_id.unwrap();
    let turns = async || hall.team.store.run(run).await.unwrap().filter(|run| run.turns == 1);
    hall.until("the first turn", turns).await;
    clock.breaks("drive::drive", 1);
    let card = hall.rests(id).await.card;
    let problem = card.error.unwrap();
    assert_eq!((card.status, problem.code.as_str(), clock.broke()), (FeatureStatus::Failed, "internal", 1));
    assert!(problem.hint.contains("last saved turn"), "{problem:?}");
    let idle = async || (hall.engine.stats().await.active_runs == 0).then_some(());
    hall.until("its being forgotten", idle).await;
    hall.team.retry(hall.anna.id, id).await.unwrap();
    let card = hall.rests(id).await.card;
    assert_eq!(card.status, FeatureStatus::WaitingApproval, "{:?}", card.error);
    assert_eq!(hall.team.store.turns(run).await.unwrap().len(), 2, "the first turn was not done again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_whose_making_panics_has_failed_and_can_be_made_again() {
    let clock = Arc::<Brittle>::default();
    let hall = hall(&clock).await;
    clock.breaks("::prepare_project", 1);
    let project = hall.project("p", ProjectSource::Empty).await;
    assert!(project.error.is_some_and(|words| words.contains("Guildhall itself")), "{:?}", project.status);
    hall.team.retry_project(project.id).await.unwrap();
    let made = async || {
        let project = hall.team.store.project(project.id).await.unwrap().unwrap();
        (project.status == ProjectStatus::Ready).then_some(())
    };
    hall.until("the repository", made).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_panics_keeps_nobody_else_from_theirs() {
    let clock = Arc::<Brittle>::default();
    let hall = hall(&clock).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let bob = NewMember { email: "bob@example.com".to_owned(), name: "Bob".to_owned(), password_hash: None };
    let bob = hall.team.store.create_member(bob, MemberRole::Member).await.unwrap();
    for member in [&hall.anna, &bob] {
        let new = NewCard {
            description: script(&[json!({ "say": "Done." })]),
            model: Some("simulated".to_owned()),
            ..NewCard::default()
        };
        let id = hall.team.create_feature(member, project.id, new).await.unwrap().card.id;
        hall.team.start_auto_mode(member.id, project.id, OrderChange::default()).await.unwrap();
        hall.reaches(id, FeatureStatus::WaitingApproval).await;
    }
    hall.engine.shutdown(Duration::from_secs(20)).await;
    for member in [&hall.anna, &bob] {
        hall.team.store.switch_off_order(project.id, member.id).await.unwrap();
    }
    clock.breaks("::make_report", 1);
    let made = async || hall.team.make_due_reports(&HashSet::new()).await.unwrap();
    assert_eq!((made().await, clock.broke()), (1, 1));
    assert_eq!((made().await, made().await), (1, 0), "the other one at the next look");
}
