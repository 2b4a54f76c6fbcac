//! Conversations that grow too long.

use std::sync::Arc;

use guildhall_agent::{Job, ToolAnswer, Toolbox};
use guildhall_sim::{Config, Fault};
use guildhall_types::run::RunEvent;

use crate::house::{Cut, Handy, House, done, failed, script};

/// A tool that pours out text for the first calls, and then only a little, so that the script comes to its end although
/// the simulated model counts its answers anew after a compaction.
fn pouring(job: &mut Job, calls: usize, bytes: usize, before: usize) {
    job.tools = Toolbox::new(vec![Handy::tool("pour", false, move |_, call| {
        let call = call + before;
        let amount = if call <= calls { bytes } else { 10 };
        ToolAnswer::ok(format!("{call} {}", "x".repeat(amount)))
    })]);
}

fn work() -> String {
    let mut lines = vec![r#"{"say": "I pour.", "tools": [["pour", {}]]}"#; 8];
    lines.push(r#"{"say": "Done."}"#);
    script(&lines)
}

fn compactions(house: &House) -> Vec<(i64, String)> {
    let pages = house.book.pages();
    let found = pages.events.iter().filter_map(|event| match event {
        RunEvent::Compacted { before_tokens, summary } => Some((*before_tokens, summary.clone())),
        _ => None,
    });
    found.collect()
}

#[tokio::test]
async fn a_long_conversation_is_summarised_before_it_is_full() {
    let house = House::new().await;
    let mut job = house.job(&work());
    job.context_window = Some(40_000);
    pouring(&mut job, 7, 20_000, 0);
    assert_eq!(done(house.run(job).await), "Done.");

    let found = compactions(&house);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 >= 32_000 && found[0].0 < 45_000, "{}", found[0].0);
    assert_eq!(house.book.side_calls(), 1);
    let pages = house.book.pages();
    let turn = pages.turns.iter().find(|turn| turn.compacted.is_some()).unwrap();
    let compaction = turn.compacted.clone().unwrap();
    // The one before the call is kept, since it fits into a fifth of the window.
    assert_eq!(compaction.upto, turn.number - 2);
    drop(pages);

    let requests = house.sim.requests();
    let at = requests.iter().position(|request| request["tools"].is_null()).unwrap();
    let asked = requests[at]["messages"][0]["content"][0]["text"].as_str().unwrap();
    assert!(asked.contains("<transcript>") && asked.contains("I pour.") && asked.contains("characters left out"));
    let next = &requests[at + 1]["messages"];
    let first = next[0]["content"].as_array().unwrap();
    assert!(first[0]["text"].as_str().unwrap().starts_with("# A task"), "the request always stays");
    let summary = first[1]["text"].as_str().unwrap();
    assert!(summary.starts_with("<note>") && summary.contains(&found[0].1));
    assert_eq!(next.as_array().unwrap().len(), 3, "one turn is kept");
    // No request comes near the window.
    for request in &requests {
        assert!(request["messages"].to_string().len() / 4 < 40_000);
    }
}

#[tokio::test]
async fn a_compacted_conversation_that_is_gone_on_with_is_the_same() {
    let whole = House::new().await;
    let job = |house: &House| {
        let mut job = house.job(&work());
        job.context_window = Some(40_000);
        pouring(&mut job, 7, 20_000, house.book.pages().turns.len());
        job
    };
    done(whole.run(job(&whole)).await);
    let entries = whole.book.pages().entries.clone();
    for (at, _) in entries.iter().enumerate().filter(|(_, what)| **what == "settled") {
        let house = House::new().await;
        house.run_cut(job(&house), Cut::After(at + 1)).await;
        done(house.run(job(&house)).await);
        assert_eq!(house.sim.requests(), whole.sim.requests(), "cut after entry {}", at + 1);
    }
}

#[tokio::test]
async fn a_conversation_is_summarised_again_and_again() {
    let house = House::new().await;
    let mut job = house.job(&work());
    job.context_window = Some(20_000);
    pouring(&mut job, 14, 16_000, 0);
    assert_eq!(done(house.run(job).await), "Done.");
    assert!(compactions(&house).len() >= 3);
    for request in house.sim.requests() {
        assert!(request["messages"].to_string().matches("was replaced by this summary").count() <= 1);
    }
}

#[tokio::test]
async fn a_prompt_that_is_found_too_long_is_shortened_once() {
    let house = House::with(Config { context_window: 20_000, ..Config::default() }).await;
    let mut job = house.job(&work());
    pouring(&mut job, 4, 24_000, 0);
    // Nobody told us of the small window: the provider does.
    assert_eq!(done(house.run(job).await), "Done.");
    assert_eq!(compactions(&house).len(), 1);

    // A prompt that is too long by itself cannot be shortened.
    let house = House::with(Config { context_window: 2_000, ..Config::default() }).await;
    let (code, _) = failed(house.run(house.job(&"words ".repeat(5_000))).await);
    assert_eq!((code.as_str(), house.sim.requests().len()), ("prompt-too-long", 1));

    // One that stays too long after it was shortened is given up.
    let house = House::new().await;
    let sim = Arc::clone(&house.sim);
    *house.book.on_event.lock().unwrap() = Some(Box::new(move |event| match event {
        RunEvent::ToolFinished { .. } | RunEvent::Compacted { .. } => sim.fail_next([Fault::PromptTooLong]),
        _ => {}
    }));
    let prompt = script(&[r#"{"tools": [["echo", {"text": "a"}]]}"#, r#"{"say": "Never."}"#]);
    assert_eq!(failed(house.run(house.job(&prompt)).await).0, "prompt-too-long");
    assert_eq!((compactions(&house).len(), house.sim.requests().len()), (1, 4));
}

#[tokio::test]
async fn a_window_that_filled_up_in_the_middle_of_an_answer_is_emptied() {
    let house = House::new().await;
    let prompt = script(&[
        r#"{"tools": [["echo", {"text": "a"}]]}"#,
        r#"{"say": "I was about to", "stop": "model_context_window_exceeded"}"#,
        r#"{"say": "Done."}"#,
    ]);
    let ended = house.run(house.job(&prompt)).await;
    assert!(!compactions(&house).is_empty(), "{ended:?}");
}
