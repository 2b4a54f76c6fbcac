use guildhall_types::MemberId;
use guildhall_types::chat::Usage;
use guildhall_types::member::ProviderKind;

use super::*;
use crate::{Bucket, Secret};

const KEY: &str = "sk-ant-test-0123456789abcdef";
const MODEL: &str = "claude-sonnet-5-5";

fn endpoint(key: &str) -> Endpoint {
    Endpoint::new(ProviderKind::Anthropic, None, Secret::new(key)).unwrap()
}

fn ask(input: i64) -> Ask {
    Ask { member: MemberId::new(), input, max_output: 1_000, again: false }
}

/// Limits of 600 tokens a minute, so that ten refill in a second.
fn limits(input: i64) -> RateLimits {
    let bucket = Bucket { limit: Some(600), remaining: Some(input), reset: None };
    RateLimits { input_tokens: bucket, ..RateLimits::default() }
}

fn answered() -> Outcome {
    Outcome::Answered(Usage { input_tokens: 1, output_tokens: 1, ..Usage::default() })
}

/// Has learned that there is so much left.
async fn governor(left: i64) -> Governor {
    let governor = Governor::default();
    let permit = governor.ask(&endpoint(KEY), MODEL, ask(1)).unwrap().granted().await.unwrap();
    permit.hear(&limits(left));
    permit.settle(&answered());
    governor
}

fn state(governor: &Governor) -> Snapshot {
    let mut list = governor.snapshot();
    assert_eq!(list.len(), 1);
    list.remove(0).state
}

#[tokio::test]
async fn a_call_waits_for_the_refill_and_goes_by_itself() {
    let governor = governor(10).await;
    // Five tokens and the floor of twelve.
    let began = Instant::now();
    let mut asking = governor.ask(&endpoint(KEY), MODEL, ask(5)).unwrap();
    let wait = asking.wait().unwrap();
    assert_eq!(wait.reason, Reason::RateLimit);
    assert!(wait.time.unwrap() > Duration::from_millis(300), "{wait:?}");
    // Being asked in pieces keeps the place.
    let piece = tokio::time::timeout(Duration::from_millis(10), asking.granted()).await;
    assert!(piece.is_err());
    let permit = asking.granted().await.unwrap();
    assert!(began.elapsed() > Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!((asking.wait(), state(&governor).in_flight), (None, 1));
    permit.settle(&answered());
    assert_eq!(state(&governor).in_flight, 0);
}

#[tokio::test]
async fn whoever_leaves_the_line_or_drops_a_permit_holds_up_nobody() {
    let governor = governor(15).await;
    let large = governor.ask(&endpoint(KEY), MODEL, ask(400)).unwrap();
    let mut small = governor.ask(&endpoint(KEY), MODEL, Ask { ..ask(1) }).unwrap();
    assert_eq!(state(&governor).queued, 2);
    assert!(tokio::time::timeout(Duration::from_millis(50), small.granted()).await.is_err());
    drop(large);
    let permit = tokio::time::timeout(Duration::from_secs(5), small.granted()).await.unwrap().unwrap();
    drop(permit);
    // Let go, but never taken up.
    let asking = governor.ask(&endpoint(KEY), "claude-haiku-4-5", ask(1)).unwrap();
    assert_eq!(asking.wait(), None);
    drop(asking);
    for lane in governor.snapshot() {
        assert_eq!((lane.state.queued, lane.state.in_flight), (0, 0), "{lane:?}");
    }
}

#[tokio::test]
async fn a_call_that_can_never_go_is_refused_also_when_that_becomes_known_while_it_waits() {
    let governor = Governor::new(Settings { first_concurrency: 1, ..Settings::default() });
    let first = governor.ask(&endpoint(KEY), MODEL, ask(1)).unwrap().granted().await.unwrap();
    let mut large = governor.ask(&endpoint(KEY), MODEL, ask(601)).unwrap();
    first.hear(&limits(600));
    assert_eq!(large.granted().await.unwrap_err(), TooLarge { needed: 601, limit: 600 });
    assert!(governor.ask(&endpoint(KEY), MODEL, ask(601)).is_err());
}

#[tokio::test]
async fn each_key_and_class_of_models_has_limits_of_its_own_and_no_key_shows() {
    let governor = governor(0).await;
    let waits = |key: &str, model: &str| governor.ask(&endpoint(key), model, ask(5)).unwrap().wait().is_some();
    assert!(waits(KEY, MODEL) && waits(KEY, "claude-sonnet-4-20250514"));
    assert!(!waits(KEY, "claude-opus-5-5") && !waits("sk-ant-other-0123456789", MODEL));
    let shown = serde_json::to_string(&governor.snapshot()).unwrap() + &format!("{governor:?}");
    assert!(!shown.contains("0123456789") && shown.contains("api.anthropic.com"), "{shown}");
    for (model, name) in [
        ("claude-opus-5-5", "claude-opus"),
        ("claude-3-5-haiku-20241022", "claude-haiku"),
        ("claude-haiku-4-5-20251001", "claude-haiku"),
        ("gpt-oss-120b", "gpt-oss-120b"),
        ("claude-", "claude-"),
        ("simulated", "simulated"),
    ] {
        assert_eq!(class(model), name);
    }
}

#[tokio::test]
async fn many_at_once_go_one_by_one_and_none_is_lost() {
    let governor = Governor::new(Settings { first_concurrency: 3, max_concurrency: 3, ..Settings::default() });
    let under_way = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let calls = (0..200).map(|number| {
        let (governor, under_way) = (governor.clone(), Arc::clone(&under_way));
        tokio::spawn(async move {
            let mut asking = governor.ask(&endpoint(KEY), MODEL, ask(10)).unwrap();
            let permit = asking.granted().await.unwrap();
            assert!(under_way.fetch_add(1, Ordering::SeqCst) < 3);
            tokio::task::yield_now().await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            match number % 3 {
                0 => permit.settle(&answered()),
                1 => permit.settle(&Outcome::Failed(None)),
                _ => drop(permit),
            }
        })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        tokio::time::timeout(Duration::from_secs(20), call).await.unwrap().unwrap();
    }
    let state = state(&governor);
    assert_eq!((state.queued, state.in_flight, state.answered), (0, 0, 67));
}
