//! A provider with faults.

use guildhall_agent::Ended;
use guildhall_llm::{Backoff, models};
use guildhall_sim::Fault;
use guildhall_types::Clock;
use guildhall_types::event::OutputStream;

use crate::house::{House, done, failed, script};

const WORK: &[&str] = &[r#"{"say": "One two three.", "tools": [["echo", {"text": "a"}]]}"#, r#"{"say": "Done now."}"#];

#[tokio::test]
async fn each_fault_that_passes_is_waited_for_and_the_work_is_done() {
    for (fault, bills) in [
        (Fault::RateLimitedSilently, 0),
        (Fault::Server, 0),
        (Fault::Overloaded, 0),
        (Fault::HangBeforeHeaders, 0),
        (Fault::Garbage, 0),
        (Fault::Hang, 1),
        (Fault::Cut, 1),
        (Fault::OverloadedInStream, 1),
    ] {
        let silent = matches!(fault, Fault::HangBeforeHeaders | Fault::Hang);
        let house = if silent { House::impatient().await } else { House::new().await };
        house.sim.fail_next([fault, fault]);
        assert_eq!(done(house.run(house.job(&script(WORK))).await), "Done now.", "{fault:?}");
        // On a busy machine, a call that was well may be taken for a silent one too.
        assert!(house.sim.requests().len() == 4 || silent && house.sim.requests().len() > 4, "{fault:?}");
        // What broke off in the middle was paid for, once each.
        assert!(house.book.side_calls() == bills * 2 || silent && house.book.side_calls() >= bills * 2, "{fault:?}");
        assert!(!house.book.waits().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_the_provider_says_and_costs_no_attempt() {
    for fault in [Fault::RateLimited, Fault::RateLimitedInStream] {
        let house = House::new().await;
        house.sim.fail_next([fault]);
        let before = std::time::Instant::now();
        done(house.run(house.job(&script(WORK))).await);
        assert!(before.elapsed() >= std::time::Duration::from_secs(1), "{fault:?}");
        let waits = house.book.waits();
        assert!(waits.len() == 1 && waits[0].contains("costs no attempt"), "{waits:?}");
    }
    // Far more of them than failures would be suffered.
    let house = House::new().await;
    house.sim.fail_next([Fault::RateLimitedSilently; 40]);
    done(house.run(house.job(&script(WORK))).await);
    assert_eq!(house.sim.requests().len(), 42);
}

#[tokio::test]
async fn an_outage_puts_the_work_off_for_hours_and_only_then_ends_it() {
    for fault in [Fault::Server, Fault::HangBeforeHeaders] {
        let house = if fault == Fault::HangBeforeHeaders { House::impatient().await } else { House::new().await };
        house.sim.fail_next([fault; 14]);
        let began = house.clock.now();
        let ended = house.run(house.job(&script(WORK))).await;
        let Ended::Parked { until, reason, budget: None, out_since: Some(since) } = ended else { panic!("{ended:?}") };
        assert_eq!((until - house.clock.now(), since), (chrono::Duration::minutes(10), began), "{fault:?}");
        assert!(reason.contains("since 4 October, 00:00 (UTC)") && reason.contains("costs no attempt"), "{reason}");
        assert_eq!(house.sim.requests().len(), 11);
        // Claimed anew, it only looks whether that is over; since when it lasts is kept.
        house.clock.advance(chrono::Duration::hours(11));
        let mut job = house.job(&script(WORK));
        job.outage.since = Some(since);
        let ended = house.run(job.clone()).await;
        assert!(matches!(ended, Ended::Parked { out_since: Some(at), .. } if at == since), "{fault:?}: {ended:?}");
        assert_eq!(house.sim.requests().len(), 14, "{fault:?}");
        assert_eq!(done(house.run(job.clone()).await), "Done now.", "{fault:?}: the provider is back");
    }
    // It does not wait for ever.
    let house = House::new().await;
    house.sim.fail_next([Fault::Server; 99]);
    let mut job = house.job(&script(WORK));
    job.outage.since = Some(house.clock.now() - chrono::Duration::hours(12));
    let (code, message) = failed(house.run(job).await);
    assert_eq!(code, "provider-error");
    assert!(message.contains("500") && message.contains("Internal"), "{message}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_each_time_is_paid_for_at_the_usual_tries_and_no_more() {
    for fault in [Fault::Cut, Fault::Hang] {
        let house = if fault == Fault::Hang { House::impatient().await } else { House::new().await };
        house.sim.fail_next([fault; 99]);
        let (code, message) = failed(house.run(house.job(&script(WORK))).await);
        assert!(matches!(code.as_str(), "stream-broken" | "provider-silent"), "{code}: {message}");
        assert!(!message.contains("No call has been answered"), "{message}");
        assert_eq!((house.sim.requests().len(), house.book.side_calls()), (11, 11), "{fault:?}");
    }
}

#[tokio::test]
async fn an_outage_is_over_when_the_provider_refuses_and_counts_no_hours_of_sleep() {
    for sleeps in [false, true] {
        let house = House::new().await;
        let refusal = if sleeps { Fault::Server } else { Fault::RateLimited };
        house.sim.fail_next([refusal, Fault::Server, Fault::Server, Fault::Server]);
        let mut job = house.job(&script(WORK));
        job.backoff = Backoff::with_unit(std::time::Duration::from_millis(100));
        job.outage.since = Some(house.clock.now() - chrono::Duration::hours(if sleeps { 1 } else { 13 }));
        let wakes = async {
            while sleeps && house.sim.requests().is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            if sleeps {
                house.clock.leap(chrono::Duration::hours(13));
            }
        };
        let (ended, ()) = tokio::join!(house.run(job), wakes);
        assert_eq!(done(ended), "Done now.", "{sleeps}: three failures are no outage of hours");
    }
}

#[tokio::test]
async fn what_is_no_providers_answer_ends_the_run() {
    let house = House::new().await;
    house.sim.fail_next([Fault::Garbage; 99]);
    assert_eq!(failed(house.run(house.job(&script(WORK))).await).0, "not-a-provider");
    assert_eq!(house.sim.requests().len(), 6);
}

#[tokio::test]
async fn an_overload_that_does_not_end_puts_the_work_off_and_fails_nothing() {
    let house = House::new().await;
    let prompt = script(&[r#"{"fault": {"kind": "overloaded", "times": 13}, "say": "At last."}"#]);
    let ended = house.run(house.job(&prompt)).await;
    let Ended::Parked { until, reason, budget: None, out_since: None } = ended else { panic!("{ended:?}") };
    assert_eq!(until - house.clock.now(), chrono::Duration::minutes(10));
    assert!(reason.contains("529"), "{reason}");
    assert_eq!(house.sim.requests().len(), 11);
    assert_eq!(done(house.run(house.job(&prompt)).await), "At last.");
}

#[tokio::test]
async fn a_wait_beyond_all_patience_puts_the_work_off() {
    let house = House::new().await;
    house.sim.fail_next([Fault::RateLimited]);
    let mut job = house.job(&script(WORK));
    job.patience = std::time::Duration::from_millis(100);
    let governor = job.governor.clone();
    let ended = house.run(job).await;
    let Ended::Parked { until, reason, budget: None, out_since: None } = ended else { panic!("{ended:?}") };
    let wait = until - house.clock.now();
    assert!(wait <= chrono::Duration::seconds(1) && wait >= chrono::Duration::milliseconds(800), "{wait}");
    assert!(reason.contains("costs no attempt"), "{reason}");
    let state = &governor.snapshot()[0].state;
    assert_eq!((state.limited, state.queued, state.in_flight), (1, 0, 0), "its place is free for others");
    // The next stretch of work waits out the rest.
    let job = guildhall_agent::Job { governor, ..house.job(&script(WORK)) };
    assert_eq!(done(house.run(job).await), "Done now.");
    assert_eq!(house.sim.requests().len(), 3);
}

#[tokio::test]
async fn a_key_that_is_refused_is_tried_once() {
    let house = House::new().await;
    house.sim.fail_next([Fault::BadKey]);
    assert_eq!(failed(house.run(house.job(&script(WORK))).await).0, "invalid-key");
    assert_eq!((house.sim.requests().len(), house.book.waits().len()), (1, 0));
    // With a good key the same run goes on.
    assert_eq!(done(house.run(house.job(&script(WORK))).await), "Done now.");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_named() {
    let house = House::new().await;
    let mut job = house.job("Hello.");
    job.endpoint.base_url = "http://127.0.0.1:9".parse().unwrap();
    let ended = house.run(job.clone()).await;
    let Ended::Parked { reason, out_since: Some(since), .. } = ended else { panic!("{ended:?}") };
    assert!(reason.contains("127.0.0.1"), "{reason}");
    house.clock.advance(chrono::Duration::hours(12));
    job.outage.since = Some(since);
    assert_eq!(failed(house.run(job).await).0, "provider-unreachable");
}

#[tokio::test]
async fn the_words_of_a_try_that_broke_off_and_of_the_next_are_not_mixed() {
    let house = House::new().await;
    house.sim.fail_next([Fault::Cut]);
    done(house.run(house.job(&script(&[r#"{"say": "One two three."}"#]))).await);
    let pages = house.book.pages();
    let words = |number: i64| -> String {
        let block = OutputStream::Text { block: number };
        pages.live.iter().filter(|(_, stream, _)| *stream == block).map(|(_, _, text)| text.as_str()).collect()
    };
    assert_eq!((words(0).as_str(), words(1).as_str()), ("One two three.", "One two three."));
}

#[tokio::test]
async fn a_broken_off_answer_is_billed_at_the_models_price() {
    let house = House::new().await;
    house.sim.fail_next([Fault::Cut]);
    let mut job = house.job(&script(WORK));
    job.model = "claude-sonnet-5-5".to_owned();
    done(house.run(job).await);
    let model = models::find("claude-sonnet-5-5").unwrap();
    for call in &house.book.pages().calls {
        assert_eq!(call.cost_micros, model.cost_micros(&call.usage));
        assert!(call.cost_micros > 0 && call.model == "claude-sonnet-5-5", "{call:?}");
    }
}

#[tokio::test]
async fn a_cancelled_agent_does_not_wait_for_the_provider() {
    for fault in [Fault::Hang, Fault::HangBeforeHeaders] {
        let house = House::new().await;
        house.sim.fail_next([fault; 50]);
        let job = house.job(&script(WORK));
        let cancel = job.cancel.clone();
        let (ended, ()) = tokio::join!(house.run(job), async {
            while house.sim.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        });
        assert!(matches!(ended, Ended::Cancelled), "{ended:?}");
        assert!(house.book.pages().turns.is_empty());
    }
}

#[tokio::test]
async fn a_cancelled_agent_does_not_wait_for_a_limit() {
    let house = House::new().await;
    house.sim.fail_next([Fault::RateLimitedInStreamForLong]);
    let job = house.job(&script(WORK));
    let cancel = job.cancel.clone();
    *house.book.on_event.lock().unwrap() = Some(Box::new(move |_| cancel.cancel()));
    let before = std::time::Instant::now();
    assert!(matches!(house.run(job).await, Ended::Cancelled));
    // It would be seventeen seconds.
    assert!(before.elapsed() < std::time::Duration::from_secs(15));
}
