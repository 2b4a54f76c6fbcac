//! A server that stands still for longer than its leases, and one that is told to stop while everything is at work.

use std::time::Duration;

use rustix::process::Signal;

use super::world::{Life, Night, Template};
use crate::harness::fresh_postgres;

const LEASE: (&str, &str) = ("GUILDHALL_TEST_LEASE_MS", "3000");
/// Longer than a lease, and than PostgreSQL keeps the transaction of a client that says nothing.
const STILL: Duration = Duration::from_secs(4);
const STILL_WITHIN_A_TRANSACTION: Duration = Duration::from_secs(13);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stood_still_goes_on_and_does_nothing_twice() {
    let template = Template::make().await;
    for at in [
        "stop tool.bash.start 2",
        "stop git.update-ref.before 6",
        "stop store.turn_saved.before 3",
        "stop check.start 1",
    ] {
        let mut night = Night::new(&template).await;
        assert!(night.spawn(&[LEASE, ("GUILDHALL_TEST_AT", at)]).await);
        night.stands_still(at).await;
        tokio::time::sleep(STILL).await;
        night.signal(Signal::CONT);
        assert_eq!(night.live_as_it_is().await, Life::Finished, "{at}");
        night.ends_well().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_runner_is_fenced_in_the_database_and_in_git() {
    for at in ["stop git.update-ref.before 5", "stop tool.bash.start 1", "stop store.turn_saved.before 2"] {
        let template = Template::on(Some(fresh_postgres().await)).await;
        let mut late = Night::new(&template).await;
        assert!(late.spawn(&[LEASE, ("GUILDHALL_TEST_AT", at)]).await);
        late.stands_still(at).await;
        let mut other = late.second();
        assert!(other.spawn(&[LEASE]).await);
        let within = at.contains("store.");
        tokio::time::sleep(if within { STILL_WITHIN_A_TRANSACTION } else { STILL }).await;
        assert_eq!(other.live_as_it_is().await, Life::Finished, "{at}");

        let refs = other.refs();
        late.signal(Signal::CONT);
        late.until("an end of its commands", |late| late.commands() == 0).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        // What a late runner's worktree holds when it is tidied away comes on top; nothing goes.
        for (name, commit) in &refs {
            let now = &late.refs()[name];
            let same = now == commit || name.starts_with("refs/guildhall/") && late.holds_within(commit, now);
            assert!(same, "a late runner moved {name} from {commit} to {now}");
        }
        assert!(late.health().await);
        assert_eq!(late.terminate().await.code(), Some(0));
        // What had been asked for and could not be saved was asked for again.
        other.kills.push(at.to_owned());
        other.heard(&late);
        other.ends_well().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_under_load_it_claims_no_more_and_ends_in_time() {
    let template = Template::make().await;
    let mut night = Night::new(&template).await;
    let mut life = Life::Ended;
    for n in 1..=8 {
        let before = night.log().len();
        let began = std::time::Instant::now();
        let after = Duration::from_millis(90 * n);
        life = night.live(&[], Some(after)).await;
        if life == Life::Finished {
            break;
        }
        assert!(began.elapsed() < after + Duration::from_secs(20), "{:?}", began.elapsed());
        let log = night.log();
        let (_, rest) = log[before..].split_once("shutting down").unwrap();
        // A claim that was being written at that moment is seen through, and its run goes back to the queue.
        assert!(rest.matches("a run begins").count() <= 1 && !rest.contains("did not end in time"), "{rest}");
        night.kills.push(format!("told to stop after {after:?}"));
    }
    if life != Life::Finished {
        assert_eq!(night.live(&[], None).await, Life::Finished);
    }
    night.ends_well().await;
}
