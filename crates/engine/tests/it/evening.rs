//! Auto mode where something is in its way: a provider that is down, many cards that lack something, a branch that two cards
//! name, and a member who switches it off.

use std::sync::Arc;

use chrono::Duration;
use guildhall_sim::{Config, Fault};
use guildhall_store::{NewMember, OrderChange};
use guildhall_team::{By, NewCard, TeamError};
use guildhall_types::FixedClock;
use guildhall_types::auto::{AtClose, OrderState, Reason};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::member::MemberRole;
use guildhall_types::project::AfterWork;
use guildhall_types::window::{Day, Window};
use serde_json::json;

use crate::harness::{Hall, script};
use crate::night::{card, order, project, run_of, say, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_provider_fails_no_card_and_the_night_goes_on() {
    use std::time::Duration;
    let hall = Hall::at_pace(Config::default(), |pace| {
        (pace.tries, pace.outage) = (Duration::from_millis(1), Duration::from_secs(1));
    })
    .await;
    let project = project(&hall, &[], AfterWork::Wait, 1).await;
    let mut cards = Vec::new();
    for n in 0..4 {
        cards.push(card(&hall, &project, &[write(&format!("{n}.txt"), "x\n"), say("Done.")], &[]).await);
    }
    // Each of three runs finds it down until it gives up, and finds it down again; then it is back.
    hall.sim.fail_next([Fault::Server; 11 * 3 + 3 * 3]);
    order(&hall, &project, 3).await;
    let parked = async || {
        let run = hall.feature(cards[0]).await.card.run_id?;
        hall.team.store.run(run).await.unwrap().filter(|run| run.parked_reason.is_some())
    };
    let run = hall.until("a run that waits for its provider", parked).await;
    let why = run.parked_reason.unwrap();
    assert!(why.contains("No call has been answered since") && why.contains("costs no attempt"), "{why}");
    let since = hall.team.store.out_since(run.id).await.unwrap();
    assert!(since.is_some());
    for id in cards {
        let feature = hall.reaches(id, FeatureStatus::WaitingApproval).await;
        assert_eq!(feature.card.error, None);
        assert_eq!(hall.team.store.out_since(run_of(&hall, id).await.id).await.unwrap(), None, "it is over");
    }
    assert_eq!(hall.sim.faults_to_come(), 0);
    let order = hall.team.store.order(project.id, hall.anna.id).await.unwrap().unwrap();
    assert_eq!((order.state, order.failures), (OrderState::On, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_it_is_switched_off_what_is_at_work_is_finished_and_no_window_opens_for_it() {
    let clock = FixedClock::default();
    let hall =
        Hall::clocked(Config::default(), Arc::new(clock.clone()), std::time::Duration::from_secs(90 * 24 * 3600)).await;
    let project = project(&hall, &[], AfterWork::Wait, 1).await;
    // The clock of tests begins at midnight, UTC.
    let (from, until, time_zone) = ("22:00".to_owned(), "07:00".to_owned(), "UTC".to_owned());
    let window = Window { days: Day::ALL.to_vec(), from, until, time_zone };
    let slow = json!({ "silence_ms": 1500, "tools": [["write", { "path": "b.txt", "content": "b\n" }]] });
    let id = card(&hall, &project, &[write("a.txt", "a\n"), slow, write("c.txt", "c\n"), say("Done.")], &[]).await;
    let change =
        OrderChange { max_concurrent: Some(1), window: Some(Some(window)), at_close: Some(AtClose::FinishTurn) };
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
    hall.until("the second call", async || (hall.sim.requests().len() >= 2).then_some(())).await;
    clock.leap(Duration::minutes(390));
    hall.team.stop_auto_mode(By::in_person(&hall.anna), hall.anna.id, project.id).await.unwrap();
    clock.leap(Duration::hours(1));
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    assert_eq!(run_of(&hall, id).await.turns, 4, "it was finished, and did not rest till night");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_members_many_cards_that_lack_something_keep_nobody_elses_from_their_turn() {
    // Without a hint, no round follows within the time of this test.
    let hall = Hall::at_pace(Config::default(), |pace| pace.look = std::time::Duration::from_secs(3_600)).await;
    let project = project(&hall, &[], AfterWork::Wait, 1).await;
    let ben = NewMember { email: "ben@example.com".to_owned(), name: "Ben".to_owned(), password_hash: None };
    let ben = hall.team.store.create_member(ben, MemberRole::Member).await.unwrap();
    for _ in 0..200 {
        let keyless = NewCard { description: script(&[say("Done.")]), priority: Some(1), ..NewCard::default() };
        hall.team.create_feature(&hall.anna, project.id, keyless).await.unwrap();
    }
    let bens =
        NewCard { description: script(&[say("Done.")]), model: Some("simulated".to_owned()), ..NewCard::default() };
    let bens = hall.team.create_feature(&ben, project.id, bens).await.unwrap().card.id;
    order(&hall, &project, 2).await;
    let change = OrderChange { max_concurrent: Some(1), ..OrderChange::default() };
    hall.team.start_auto_mode(ben.id, project.id, change).await.unwrap();
    hall.reaches(bens, FeatureStatus::WaitingApproval).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_cards_that_name_a_branch_the_second_waits_and_does_not_fail() {
    let hall = Hall::open().await;
    let project = project(&hall, &[], AfterWork::Wait, 1).await;
    let mut cards = Vec::new();
    for text in ["One.", "Two."] {
        let new = NewCard {
            description: script(&[json!({ "silence_ms": 400, "say": text })]),
            model: Some("simulated".to_owned()),
            branch: Some("feature/x".to_owned()),
            ..NewCard::default()
        };
        cards.push(hall.team.create_feature(&hall.anna, project.id, new).await.unwrap().card.id);
    }
    order(&hall, &project, 2).await;
    hall.reaches(cards[0], FeatureStatus::WaitingApproval).await;
    let second = hall.feature(cards[1]).await.card;
    assert_eq!((second.status, second.error), (FeatureStatus::Backlog, None));
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    let told = &queue.iter().find(|item| item.feature_id == cards[1]).unwrap().waiting;
    assert!(matches!(told.reason, Reason::Hindered { .. }) && told.message.contains("feature/x"), "{told:?}");
    let order = hall.team.store.order(project.id, hall.anna.id).await.unwrap().unwrap();
    assert_eq!((order.state, order.failures), (OrderState::On, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_a_queued_run_is_to_make_is_taken_already() {
    let hall = Hall::open().await;
    let project = project(&hall, &[], AfterWork::Wait, 1).await;
    let first = card(&hall, &project, &[say("Done.")], &[]).await;
    let mut cards = Vec::new();
    for _ in 0..2 {
        let new = NewCard {
            description: script(&[say("Done.")]),
            model: Some("simulated".to_owned()),
            branch: Some("feature/y".to_owned()),
            dependencies: vec![first],
            ..NewCard::default()
        };
        cards.push(hall.team.create_feature(&hall.anna, project.id, new).await.unwrap().card.id);
    }
    let new = hall.team.new_run(hall.anna.id, cards[1]).await.unwrap();
    // What it depends on is not done: it waits in the queue, and git knows nothing of its branch.
    hall.start(cards[0]).await;
    let refused = hall.team.start(hall.anna.id, cards[1]).await.unwrap_err();
    assert!(matches!(refused, TeamError::Conflict { code: "branch-exists", .. }), "{refused}");
    assert!(hall.team.store.start_feature(cards[1], hall.anna.id, new.clone(), 9).await.is_err(), "of two at once");
    hall.team.stop(cards[0]).await.unwrap();
    hall.team.shelve(cards[0]).await.unwrap();
    hall.team.store.start_feature(cards[1], hall.anna.id, new, 9).await.unwrap();
}
