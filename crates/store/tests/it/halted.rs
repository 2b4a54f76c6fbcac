//! What is stopped with auto mode, by whom, who is told of it, and how it goes on.

use std::collections::HashMap;

use chrono::Duration;
use guildhall_store::{Chosen, NewFeature, OrderChange, Ready, Store};
use guildhall_types::audit::Actor;
use guildhall_types::auto::{AtClose, OrderState};
use guildhall_types::feature::{FeatureStatus, Problem};
use guildhall_types::limits::Limits;
use guildhall_types::member::Member;
use guildhall_types::notification::{Notification, NotificationKind as Kind};
use guildhall_types::project::Project;
use guildhall_types::run::{Run, RunStatus};
use guildhall_types::window::{Day, Window};
use guildhall_types::{Clock, FeatureId, MemberId, NodeId};

use crate::harness::{Fresh, card, new_run, on_both};
use crate::orders::{HOLD, order, start, status, team};

fn why(by: &str) -> Problem {
    Problem { code: "stopped-by-admin".to_owned(), message: format!("{by} stopped it all."), hint: String::new() }
}

fn by(store: &Store, member: MemberId) -> Store {
    store.acting_as(Actor { member: Some(member), ..Actor::default() })
}

async fn run_of(fresh: &Fresh, id: FeatureId) -> Run {
    let run = fresh.store.feature(id).await.unwrap().unwrap().card.run_id.unwrap();
    fresh.store.run(run).await.unwrap().unwrap()
}

async fn told(fresh: &Fresh, member: &Member) -> Vec<Notification> {
    fresh.store.notifications(member.id, None, false, 100).await.unwrap().page.items
}

async fn cards<const N: usize>(fresh: &Fresh, project: &Project, names: [&str; N]) -> [FeatureId; N] {
    let mut ids = [FeatureId::new(); N];
    for (id, name) in ids.iter_mut().zip(names) {
        *id = fresh.card(project, name).await.card.id;
        fresh.clock.advance(Duration::seconds(1));
    }
    ids
}

on_both! {
    async fn what_was_stopped_with_everything_goes_on_when_its_member_starts_again(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let [by_hand, a, b, c] = cards(&fresh, &project, ["by hand", "a", "b", "c"]).await;
        order(&fresh, &anna, &project, 3).await;
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [by_hand, a, b]);
        fresh.store.stop_feature(by_hand).await.unwrap();
        assert_eq!(start(&fresh, &limits).await, [c]);
        let begun = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!(begun.run.feature_id, a);
        let former = [run_of(&fresh, a).await, run_of(&fresh, b).await, run_of(&fresh, c).await];
        fresh.clock.advance(Duration::minutes(1));
        assert_eq!(fresh.store.stop_all(&why("Olga")).await.unwrap(), (3, 1));
        assert_eq!(start(&fresh, &limits).await, [], "not by themselves");
        let urgent = fresh.store.create_feature(NewFeature { priority: 1, ..card(&project, "urgent") }).await.unwrap().card.id;
        order(&fresh, &anna, &project, 2).await;
        // All their worktrees are there, so that no room is wanted for them.
        let tight = Limits { max_worktrees_per_member: 4, ..limits };
        assert_eq!(start(&fresh, &tight).await, [a, b], "as many as the order may have, for which no room is wanted");
        let again = run_of(&fresh, a).await;
        assert_eq!((again.id, again.status, again.auto), (former[0].id, RunStatus::Queued, true), "the same run, and the order's");
        assert_eq!((again.ended_at, again.started_at, again.attempt), (None, former[0].started_at, 1));
        let card = fresh.store.feature(a).await.unwrap().unwrap().card;
        assert_eq!((card.status, card.run_id, card.finished_at), (FeatureStatus::Queued, Some(again.id), None));
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!((claimed.run.id, claimed.lease.attempt), (former[0].id, 2));
        order(&fresh, &anna, &project, 3).await;
        assert_eq!(start(&fresh, &tight).await, [c]);
        assert_eq!((run_of(&fresh, b).await.id, run_of(&fresh, c).await.id), (former[1].id, former[2].id));
        order(&fresh, &anna, &project, 4).await;
        assert_eq!(start(&fresh, &tight).await, [], "a new one wants room");
        assert_eq!(start(&fresh, &limits).await, [urgent]);
        assert_eq!(status(&fresh, by_hand).await, FeatureStatus::Paused, "she stopped it herself");
    }

    async fn who_takes_a_stopped_run_in_hand_keeps_it_in_hand(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let [a, b, shelved] = cards(&fresh, &project, ["a", "b", "shelved"]).await;
        order(&fresh, &anna, &project, 3).await;
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [a, b, shelved]);
        fresh.store.stop_all(&why("Olga")).await.unwrap();
        fresh.store.retry_feature(a, anna.id).await.unwrap();
        assert!(!run_of(&fresh, a).await.auto);
        fresh.store.stop_feature(a).await.unwrap();
        fresh.store.follow_up(b, anna.id, "and this").await.unwrap();
        fresh.store.stop_feature(b).await.unwrap();
        let former = run_of(&fresh, shelved).await;
        fresh.store.shelve_feature(shelved).await.unwrap();
        order(&fresh, &anna, &project, 3).await;
        assert_eq!(start(&fresh, &limits).await, [shelved], "anew, from the backlog");
        assert_ne!(run_of(&fresh, shelved).await.id, former.id);
        assert_eq!((status(&fresh, a).await, status(&fresh, b).await), (FeatureStatus::Paused, FeatureStatus::Paused));
    }

    async fn what_was_stopped_and_lacks_something_lets_others_pass(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let [a, b] = cards(&fresh, &project, ["a", "b"]).await;
        order(&fresh, &anna, &project, 1).await;
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [a]);
        fresh.store.stop_all(&why("Olga")).await.unwrap();
        order(&fresh, &anna, &project, 1).await;
        let chosen = async |ready: &[(FeatureId, Ready)]| {
            let ready: HashMap<FeatureId, Ready> = ready.iter().cloned().collect();
            fresh.store.start_by_order(&limits, &ready).await.unwrap()
        };
        let unknown = |feature, stopped| Chosen::Unknown { project: project.id, member: anna.id, feature, stopped };
        assert_eq!(chosen(&[]).await, unknown(a, true), "it is asked whether it may go on");
        assert_eq!(chosen(&[(a, Ready::Begins(Box::new(new_run())))]).await, unknown(a, true), "it has begun");
        assert_eq!(chosen(&[(a, Ready::Lacks)]).await, unknown(b, false));
        assert_eq!(chosen(&[(a, Ready::Lacks), (b, Ready::Lacks)]).await, Chosen::Nothing);
        assert_eq!(chosen(&[(a, Ready::GoesOn)]).await, Chosen::Started(a));
    }

    async fn what_waited_for_another_card_still_does(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let [first] = cards(&fresh, &project, ["first"]).await;
        let second = NewFeature { dependencies: vec![first], ..card(&project, "second") };
        let second = fresh.store.create_feature(second).await.unwrap().card.id;
        order(&fresh, &anna, &project, 3).await;
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [first]);
        // Its run is made while the first card is verified, and stopped before it begins; then that is taken back.
        fresh.store.stop_feature(first).await.unwrap();
        fresh.tamper("UPDATE features SET status = 'verified' WHERE title = 'first'").await.unwrap();
        assert_eq!(start(&fresh, &limits).await, [second]);
        fresh.store.stop_all(&why("Olga")).await.unwrap();
        fresh.store.shelve_feature(first).await.unwrap();
        order(&fresh, &anna, &project, 1).await;
        assert_eq!(start(&fresh, &limits).await, [first]);
        order(&fresh, &anna, &project, 3).await;
        assert_eq!(start(&fresh, &limits).await, [], "it has not begun, so that it waits");
        let night = fresh.store.night().await.unwrap();
        let waits = night.cards.iter().find(|card| card.feature == second).unwrap();
        assert_eq!((waits.open.as_slice(), waits.run), (&[first][..], Some(run_of(&fresh, second).await.id)));
    }

    async fn what_rested_goes_on_in_the_next_window_of_an_order_that_was_off(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let [id] = cards(&fresh, &project, ["a"]).await;
        // The clock of tests begins on a Friday at midnight, UTC.
        let window = Window {
            days: Day::ALL.to_vec(), from: "22:00".to_owned(), until: "07:00".to_owned(), time_zone: "UTC".to_owned(),
        };
        let change = || OrderChange { window: Some(Some(window.clone())), at_close: Some(AtClose::FinishTurn), ..Default::default() };
        fresh.store.switch_on_order(project.id, anna.id, change()).await.unwrap();
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [id]);
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        fresh.clock.advance(Duration::hours(8));
        fresh.store.park_run(&claimed.lease, fresh.clock.now() + Duration::hours(14), None, None).await.unwrap();
        by(&fresh.store, anna.id).switch_off_order(project.id, anna.id).await.unwrap();
        assert_eq!(status(&fresh, id).await, FeatureStatus::Paused);
        assert_eq!(fresh.store.evening(project.id, anna.id).await.unwrap().own[0].run, Some(claimed.run.id), "it is foretold");
        fresh.store.switch_on_order(project.id, anna.id, change()).await.unwrap();
        assert_eq!(start(&fresh, &limits).await, [], "the window is closed");
        fresh.clock.advance(Duration::hours(14));
        assert_eq!(start(&fresh, &limits).await, [id]);
        let again = fresh.store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!((again.run.id, again.run.auto), (claimed.run.id, true));
    }

    async fn whose_runs_are_killed_is_told_of_those_that_nothing_lets_go_on(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let ben = fresh.member("ben").await;
        let [auto, own, bens] = cards(&fresh, &project, ["auto", "own", "bens"]).await;
        order(&fresh, &anna, &project, 1).await;
        let limits = Limits::default();
        assert_eq!(start(&fresh, &limits).await, [auto]);
        fresh.store.start_feature(own, anna.id, new_run(), 9).await.unwrap();
        fresh.store.start_feature(bens, ben.id, new_run(), 9).await.unwrap();
        let olga = fresh.member("olga").await;
        by(&fresh.store, olga.id).stop_all(&why("Olga")).await.unwrap();
        let annas = told(&fresh, &anna).await;
        assert_eq!(annas.iter().map(|one| one.kind).collect::<Vec<_>>(), [Kind::RunsStopped, Kind::AutoModePaused]);
        assert_eq!(annas[0].text, "Olga stopped it all. Of your cards: #2 own. When that is settled, retry them.");
        assert_eq!((annas[0].subject.as_str(), annas[0].project_id), (project.name.as_str(), Some(project.id)));
        let of_ben = told(&fresh, &ben).await;
        assert_eq!((of_ben.len(), of_ben[0].kind), (1, Kind::RunsStopped));
        assert!(of_ben[0].text.contains("#3 bens"), "{}", of_ben[0].text);
        assert_eq!(told(&fresh, &olga).await.len(), 0);
        // Of an order that is off, nothing says it either.
        order(&fresh, &anna, &project, 1).await;
        assert_eq!(start(&fresh, &limits).await, [auto]);
        by(&fresh.store, anna.id).switch_off_order(project.id, anna.id).await.unwrap();
        by(&fresh.store, olga.id).stop_all(&why("Olga")).await.unwrap();
        let annas = told(&fresh, &anna).await;
        assert!(annas[0].text.contains("#1 auto") && annas[0].count == 2, "{:?}", annas[0]);
    }

    async fn whoever_is_switched_off_by_somebody_else_is_told_by_whom(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let olga = fresh.member("olga").await;
        order(&fresh, &anna, &project, 1).await;
        let off = by(&fresh.store, anna.id).switch_off_order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!((off.state, off.pause), (OrderState::Off, None));
        assert_eq!(told(&fresh, &anna).await.len(), 0, "she did it");
        by(&fresh.store, olga.id).switch_off_order(project.id, anna.id).await.unwrap();
        assert_eq!(told(&fresh, &anna).await.len(), 0, "it was off");
        order(&fresh, &anna, &project, 1).await;
        let off = by(&fresh.store, olga.id).switch_off_order(project.id, anna.id).await.unwrap().unwrap();
        let pause = off.pause.unwrap();
        assert_eq!((off.state, pause.message.as_str()), (OrderState::Off, "olga switched it off."));
        let one = told(&fresh, &anna).await.remove(0);
        assert_eq!((one.kind, one.project_id), (Kind::AutoModePaused, Some(project.id)));
        assert!(one.text.starts_with("olga switched it off."), "{}", one.text);
        let again = by(&fresh.store, olga.id).switch_off_order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!(again.pause, Some(pause), "who did it stays known");
        order(&fresh, &anna, &project, 1).await;
        assert_eq!(fresh.store.order(project.id, anna.id).await.unwrap().unwrap().pause, None);
    }
}
