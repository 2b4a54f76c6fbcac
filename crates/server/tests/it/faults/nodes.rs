//! Nodes that share repositories, each in a folder of its own: what one does before it is killed, another goes on with.

use std::time::Duration;

use rustix::process::Signal;

use super::tell;
use super::world::{Life, Night, Template};
use crate::harness::fresh_postgres;

const LEASE: (&str, &str) = ("GUILDHALL_TEST_LEASE_MS", "3000");
const SHARES: (&str, &str) = ("GUILDHALL_TEST_SHARES", "on");
/// Longer than a lease.
const STILL: Duration = Duration::from_secs(8);

/// Where refs of a project's that all nodes have stand at a node.
fn shared(night: &Night<'_>) -> Vec<(String, String)> {
    let all = night.refs().into_iter();
    // States between turns that were never saved are no work.
    all.filter(|(name, _)| name.starts_with("refs/heads/") || name.starts_with("refs/tags/")).collect()
}

/// The first node is killed and never comes back; the other, which had nothing, ends the night.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_had_saved_when_it_was_lost_another_goes_on_with() {
    for at in ["kill store.turn_saved.after 3", "kill merge.made 1", "kill tool.bash.start 4"] {
        tell(at);
        let template = Template::on(Some(fresh_postgres().await)).await;
        let mut lost = Night::new(&template).await;
        assert_eq!(lost.live(&[LEASE, SHARES, ("GUILDHALL_TEST_AT", at)], None).await, Life::Killed);
        lost.kills.push(at.to_owned());
        let mut other = lost.apart();
        other.goes_on_from(&lost);
        assert_eq!(other.live(&[LEASE, SHARES], None).await, Life::Finished, "{at}");
        other.ends_well().await;
    }
}

/// A node that is killed between any two steps of sharing comes back, beside another one; both have the same in the end.
async fn killed_at(points: &[&str]) {
    for at in points {
        tell(at);
        let template = Template::on(Some(fresh_postgres().await)).await;
        let mut one = Night::new(&template).await;
        let order = format!("kill {at}");
        assert_eq!(one.live(&[LEASE, SHARES, ("GUILDHALL_TEST_AT", &order)], None).await, Life::Killed);
        one.kills.push(order);
        one.holds().await;
        both_end_well(one).await;
    }
}

async fn both_end_well(mut one: Night<'_>) {
    assert!(one.spawn(&[LEASE, SHARES]).await);
    // It shares what it alone has first.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut other = one.apart();
    other.goes_on_from(&one);
    assert!(other.spawn(&[LEASE, SHARES]).await);
    assert_eq!(other.live_as_it_is().await, Life::Finished);
    one.heard(&other);
    // Whoever looks at a card there catches up.
    one.look_at_all().await;
    other.look_at_all().await;
    assert_eq!(shared(&one), shared(&other));
    assert_eq!(one.terminate().await.code(), Some(0));
    other.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_begins_to_share_nothing_is_lost_or_done_twice() {
    killed_at(&["shared.whole 1", "store.log-begun.before 1", "store.log-begun.after 1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_adds_to_what_is_shared_nothing_is_lost_or_done_twice() {
    killed_at(&["shared.packed 4", "store.log-appended.before 6", "store.log-appended.after 5"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_when_it_has_added_to_what_is_shared_nothing_is_lost_or_done_twice() {
    killed_at(&["shared.appended 7", "shared.given 3", "merge.made 2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_catches_up_it_does_so_again() {
    for at in ["shared.cloned 1", "shared.taken 1", "shared.settled 1", "shared.noted 2"] {
        tell(at);
        let template = Template::on(Some(fresh_postgres().await)).await;
        let mut one = Night::new(&template).await;
        assert!(one.spawn(&[LEASE, SHARES]).await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut other = one.apart();
        let order = format!("kill {at}");
        // It may have been all over before it was killed.
        let life = other.live(&[LEASE, SHARES, ("GUILDHALL_TEST_AT", &order)], None).await;
        tell(&format!("{life:?}"));
        if life == Life::Killed {
            other.kills.push(order);
            assert_eq!(other.live(&[LEASE, SHARES], None).await, Life::Finished, "{at}");
        }
        one.goes_on_from(&other);
        other.look_at_all().await;
        one.look_at_all().await;
        assert_eq!(shared(&one), shared(&other), "{at}");
        other.terminate().await;
        one.ends_well().await;
    }
}

/// A node that stands still for longer than a lease, and goes on when another one has done its work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_runner_changes_nothing_of_what_is_shared() {
    for at in ["stop git.update-ref.before 5", "stop shared.packed 3"] {
        tell(at);
        let template = Template::on(Some(fresh_postgres().await)).await;
        let mut late = Night::new(&template).await;
        assert!(late.spawn(&[LEASE, SHARES, ("GUILDHALL_TEST_AT", at)]).await);
        late.stands_still(at).await;
        let mut other = late.apart();
        other.goes_on_from(&late);
        assert!(other.spawn(&[LEASE, SHARES]).await);
        tokio::time::sleep(STILL).await;
        assert_eq!(other.live_as_it_is().await, Life::Finished, "{at}");
        other.look_at_all().await;
        let refs = other.refs();
        late.signal(Signal::CONT);
        late.until("an end of its commands", |late| late.commands() == 0).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        other.look_at_all().await;
        let now = other.refs();
        for (name, commit) in &refs {
            let same = now.get(name).is_some_and(|now| {
                now == commit || name.starts_with("refs/guildhall/") && other.holds_within(commit, now)
            });
            assert!(same, "a late runner moved {name} from {commit} to {:?}", now.get(name));
        }
        assert!(late.health().await);
        assert_eq!(late.terminate().await.code(), Some(0));
        other.kills.push(at.to_owned());
        other.heard(&late);
        other.ends_well().await;
    }
}
