//! The governor before a real wire: the simulated provider with limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use guildhall_llm::Delta;
use guildhall_llm::governor::{Ask, Governor};
use guildhall_sim::{Config, Quota, Sim};
use guildhall_types::MemberId;
use guildhall_types::chat::Message;

use crate::harness::{KEY, client, endpoint, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_of_a_provider_are_filled_and_hardly_ever_met() {
    // Ten requests refill in a second.
    let quota = Quota { requests: 600, input_tokens: 10_000_000, output_tokens: 10_000_000 };
    let sim = Sim::start(Config { quota: Some(quota), ..Config::default() }).await.unwrap();
    let governor = Governor::default();
    let left = Arc::new(AtomicI64::new(650));
    let began = std::time::Instant::now();
    let callers = (0..20).map(|_| {
        let (governor, left, url) = (governor.clone(), Arc::clone(&left), sim.url());
        let (client, member) = (client(), MemberId::new());
        tokio::spawn(async move {
            let endpoint = endpoint(&url, KEY);
            let messages = [Message::user("Hello.")];
            let request = request(&messages);
            let mut again = false;
            while again || left.fetch_sub(1, Ordering::SeqCst) > 0 {
                let ask = Ask { member, input: 10, max_output: request.max_tokens, again };
                let permit = governor.ask(&endpoint, request.model, ask).unwrap().granted().await.unwrap();
                let hear = |delta: Delta<'_>| {
                    if let Delta::Limits(limits) = delta {
                        permit.hear(limits);
                    }
                };
                let result = client.stream(&endpoint, &request, hear).await;
                again = result.is_err();
                permit.settle_call(&result);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    let state = &governor.snapshot()[0].state;
    assert_eq!((state.answered, state.queued, state.in_flight), (650, 0, 0));
    assert!(state.limited <= 3, "{state:?}");
    // 600 at once, 50 more and the floor of twelve at ten a second.
    assert!(took >= 4.0, "{took} s");
    assert_eq!(
        state.buckets.iter().map(|bucket| bucket.name).collect::<Vec<_>>(),
        ["requests", "inputTokens", "outputTokens"]
    );
}
