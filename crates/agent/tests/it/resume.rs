//! Work that is cut, and gone on with.

use guildhall_agent::Ended;
use guildhall_types::chat::Block;
use guildhall_types::run::RunEvent;

use crate::house::{Cut, House, done, script, simple_tools};

fn long_work() -> String {
    script(&[
        r#"{"think": "I look.", "say": "First.", "tools": [["echo", {"text": "a"}], ["echo", {"text": "b"}]]}"#,
        r#"{"redacted": "c2VhbGVk", "tools": [["write", {"path": "x"}]]}"#,
        r#"{"say": "Half", "stop": "pause_turn"}"#,
        r#"{"say": "All is done."}"#,
    ])
}

/// The whole work without a cut: how many entries it makes into the journal.
async fn entries() -> usize {
    let house = House::new().await;
    assert_eq!(done(house.run(house.job(&long_work())).await), "All is done.");
    assert_eq!(house.sim.requests().len(), 4);
    let pages = house.book.pages();
    assert_eq!(pages.changed, [false, true, false, false]);
    pages.entries.len()
}

#[tokio::test]
async fn after_a_cut_anywhere_the_work_goes_on_and_no_saved_turn_is_paid_twice() {
    let entries = entries().await;
    // Four answers, four settlements, and the tools' events in four entries and their ends in two.
    assert!(entries >= 13, "{entries}");
    for at in 1..=entries {
        for cut in [Cut::Before(at), Cut::After(at)] {
            let house = House::new().await;
            assert!(house.run_cut(house.job(&long_work()), cut).await.is_none(), "{cut:?} was not reached");
            assert_eq!(done(house.run(house.job(&long_work())).await), "All is done.", "{cut:?}");

            let pages = house.book.pages();
            assert_eq!(pages.turns.len(), 4, "{cut:?}");
            assert!(pages.turns.iter().all(|turn| turn.results.is_some()), "{cut:?}");
            // Only an answer that was not saved is asked for again.
            let lost = usize::from(pages.cut_in == Some("answered") && cut == Cut::Before(at));
            assert_eq!(house.sim.requests().len(), 4 + lost, "{cut:?}");
            assert_eq!(pages.calls.len(), 4, "{cut:?}");
            let input: Vec<&Block> = pages.turns.iter().flat_map(|turn| &turn.input).collect();
            assert_eq!(input.len(), 1, "the prompt is said once: {cut:?}");
        }
    }
}

#[tokio::test]
async fn a_conversation_that_is_gone_on_with_is_the_one_that_was_cut() {
    let whole = House::new().await;
    done(whole.run(whole.job(&long_work())).await);
    let entries = whole.book.pages().entries.clone();
    for (at, _) in entries.iter().enumerate().filter(|(_, what)| **what == "settled") {
        let house = House::new().await;
        house.run_cut(house.job(&long_work()), Cut::After(at + 1)).await;
        done(house.run(house.job(&long_work())).await);
        assert_eq!(house.sim.requests(), whole.sim.requests(), "cut after entry {}", at + 1);
    }
}

#[tokio::test]
async fn calls_that_were_cut_are_answered_as_interrupted() {
    let house = House::new().await;
    let prompt = script(&[r#"{"tools": [["echo", {"text": "a"}], ["write", {}]]}"#, r#"{"say": "Done."}"#]);
    // Entries: the answer, the first tool's start.
    house.run_cut(house.job(&prompt), Cut::After(2)).await;
    done(house.run(house.job(&prompt)).await);
    let results = house.book.results(1);
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|(text, is_error)| *is_error && text.contains("may or may not have had its effect")));
    let pages = house.book.pages();
    // A call that may have changed files may have done so.
    assert_eq!(pages.changed, [true, false]);
    let ends =
        pages.events.iter().filter(|event| matches!(event, RunEvent::ToolFinished { is_error: true, .. })).count();
    assert_eq!(ends, 2, "members see what the model was told");
}

#[tokio::test]
async fn work_that_was_done_already_asks_nothing() {
    let house = House::new().await;
    let prompt = script(&[r#"{"say": "Done."}"#]);
    done(house.run(house.job(&prompt)).await);
    assert_eq!(done(house.run(house.job(&prompt)).await), "Done.");
    assert_eq!(house.sim.requests().len(), 1);
}

#[tokio::test]
async fn a_journal_that_fails_ends_the_work_at_once() {
    let house = House::new().await;
    *house.book.broken.lock().unwrap() = true;
    let prompt = script(&[r#"{"tools": [["write", {}]]}"#, r#"{"say": "Done."}"#]);
    let mut job = house.job(&prompt);
    job.tools = simple_tools();
    assert!(matches!(house.run(job).await, Ended::Unsaved(_)));
    assert_eq!(house.sim.requests().len(), 1);
}
