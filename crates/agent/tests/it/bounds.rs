//! Limits, and models that get nowhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Duration;
use guildhall_agent::{Ended, Leave, PriceTable, ToolAnswer, Toolbox};
use guildhall_llm::models;
use guildhall_sim::{Config, Fault};
use guildhall_types::budget::{self, BudgetKind};
use guildhall_types::chat::StopReason;
use guildhall_types::member::ProviderKind;
use guildhall_types::price::{Price, PriceRow};
use guildhall_types::run::RunEvent;
use guildhall_types::{DateTime, PriceId};

use crate::house::{Handy, House, Stuck, done, failed, script, stops};

#[tokio::test]
async fn turns_are_counted_from_what_a_member_said_last() {
    let house = House::new().await;
    let prompt = script(&[r#"{"tools": [["count", {}]], "forever": true}"#]);
    let job = |house: &House| {
        let mut job = house.job(&prompt);
        job.limits.max_turns = 5;
        job.tools = Toolbox::new(vec![Handy::tool("count", false, |_, call| ToolAnswer::ok(call.to_string()))]);
        job
    };
    assert_eq!(failed(house.run(job(&house)).await).0, "turn-limit");
    assert_eq!(house.sim.requests().len(), 5);
    // Going on without a word changes nothing, and costs nothing.
    assert_eq!(failed(house.run(job(&house)).await).0, "turn-limit");
    assert_eq!(house.sim.requests().len(), 5);
    house.book.say("Go on.");
    assert_eq!(failed(house.run(job(&house)).await).0, "turn-limit");
    assert_eq!(house.sim.requests().len(), 10);
}

#[tokio::test]
async fn time_at_work_ends_and_neither_waits_nor_sleep_of_the_machine_are_work() {
    let work = script(&[
        r#"{"tools": [["sleep", {}]]}"#,
        r#"{"tools": [["sleep", {}]]}"#,
        r#"{"tools": [["sleep", {}]]}"#,
        r#"{"say": "Done."}"#,
    ]);
    let job = |house: &House| {
        let clock = house.clock.clone();
        let mut job = house.job(&work);
        job.tools = Toolbox::new(vec![Handy::tool("sleep", false, move |_, call| {
            clock.advance(Duration::minutes(50));
            ToolAnswer::ok(call.to_string())
        })]);
        job
    };
    let house = House::new().await;
    let (code, message) = failed(house.run(job(&house)).await);
    assert_eq!((code.as_str(), house.sim.requests().len()), ("time-limit", 3));
    assert!(message.contains("120 minutes"), "{message}");
    // Claimed anew, it has as long again.
    assert_eq!(done(house.run(job(&house)).await), "Done.");

    for fault in [Fault::RateLimitedSilently, Fault::Overloaded, Fault::Server] {
        let house = House::new().await;
        house.sim.fail_next([fault]);
        let clock = house.clock.clone();
        *house.book.on_event.lock().unwrap() = Some(Box::new(move |event| {
            if matches!(event, RunEvent::Waiting { .. }) {
                clock.advance(Duration::hours(5));
            }
        }));
        assert_eq!(done(house.run(house.job(&script(&[r#"{"say": "Done."}"#]))).await), "Done.", "{fault:?}");
    }

    // The lid of the machine is closed while a command runs.
    let house = House::new().await;
    let mut job = job(&house);
    let clock = house.clock.clone();
    job.tools = Toolbox::new(vec![Handy::tool("sleep", false, move |_, call| {
        clock.leap(Duration::hours(3));
        ToolAnswer::ok(call.to_string())
    })]);
    assert_eq!(done(house.run(job).await), "Done.");
}

#[tokio::test]
async fn cost_is_bounded_over_all_that_a_run_has_spent() {
    let house = House::new().await;
    let prompt = script(&[r#"{"tools": [["count", {}]], "forever": true}"#]);
    let job = || {
        let mut job = house.job(&prompt);
        job.model = "claude-opus-5-5".to_owned();
        job.tools = Toolbox::new(vec![Handy::tool("count", false, |_, call| ToolAnswer::ok(call.to_string()))]);
        job
    };
    // A journal as the engine keeps one: what was spent and what the next call may cost stay below a cap.
    let price = models::find("claude-opus-5-5").unwrap().price();
    const CAP: i64 = 200_000;
    let mut at_most = 0;
    *house.book.leave.lock().unwrap() = Some(Box::new(move |pages, need| {
        let spent: i64 = pages.calls.iter().map(|call| call.cost_micros).sum();
        assert!(spent <= at_most, "no call cost more than was set aside for it");
        match budget::fit(&price, need, CAP - spent) {
            Some(fit) => {
                at_most = spent + fit.micros;
                Leave::Go { output: fit.output, prices: PriceTable::default() }
            }
            None => Leave::Parked { until: budget::never(), reason: "Used up.".to_owned(), budget: BudgetKind::Run },
        }
    }));
    let ended = house.run(job()).await;
    let Ended::Parked { budget: Some(BudgetKind::Run), .. } = ended else { panic!("{ended:?}") };
    let spent: i64 = house.book.pages().calls.iter().map(|call| call.cost_micros).sum();
    assert!(spent > CAP / 3 && spent <= CAP, "{spent}");
    // Answers were asked to be shorter before the run was put off.
    let asked: Vec<i64> = house.sim.requests().iter().map(|request| request["max_tokens"].as_i64().unwrap()).collect();
    assert!(asked[0] < 32_000 && asked.iter().all(|tokens| *tokens >= 4_096), "{asked:?}");
    assert!(asked.windows(2).all(|two| two[1] <= two[0]), "{asked:?}");
    // Taken up again, it asks again, and makes no call.
    let ended = house.run(job()).await;
    assert!(matches!(ended, Ended::Parked { .. }), "{ended:?}");
    assert_eq!(house.sim.requests().len(), asked.len());
}

#[tokio::test]
async fn a_price_that_changes_holds_for_the_next_call_and_an_unknown_one_is_told() {
    let house = House::new().await;
    let prompt = script(&[
        r#"{"tools": [["echo", {"text": "a"}]]}"#,
        r#"{"tools": [["echo", {"text": "b"}]]}"#,
        r#"{"say": "Done."}"#,
    ]);
    let mut job = house.job(&prompt);
    job.model = "claude-unheard-of".to_owned();
    let row = |output| PriceRow {
        id: PriceId::new(),
        provider: ProviderKind::Anthropic,
        pattern: "claude-un*".to_owned(),
        price: Price { output, ..Price::FREE },
        changed_by: None,
        changed_at: DateTime::UNIX_EPOCH,
    };
    *house.book.leave.lock().unwrap() = Some(Box::new(move |pages, need| {
        let rows = match pages.calls.len() {
            0 => Vec::new(),
            calls => vec![row(calls as i64 * 1_000_000)],
        };
        Leave::Go { output: need.output, prices: rows.into() }
    }));
    done(house.run(job).await);
    let pages = house.book.pages();
    let told: Vec<(bool, i64)> =
        pages.calls.iter().map(|call| (call.priced, call.cost_micros / call.usage.output_tokens)).collect();
    assert_eq!(told, [(false, 0), (true, 1), (true, 2)]);
    let notes = pages.events.iter().filter(
        |event| matches!(event, RunEvent::Note { text } if text.contains("No price is known for claude-unheard-of")),
    );
    assert_eq!(notes.count(), 1);
}

#[tokio::test]
async fn a_call_waits_while_others_have_all_the_money() {
    let house = House::new().await;
    let mut asked = 0;
    *house.book.leave.lock().unwrap() = Some(Box::new(move |_, need| {
        asked += 1;
        match asked {
            1 => Leave::Held { reason: "Others' calls are under way.".to_owned() },
            _ => Leave::Go { output: need.output, prices: PriceTable::default() },
        }
    }));
    let job = house.job(&script(&[r#"{"say": "Done."}"#]));
    let governor = job.governor.clone();
    done(house.run(job).await);
    assert_eq!(house.sim.requests().len(), 1);
    assert_eq!((governor.snapshot()[0].state.in_flight, governor.snapshot()[0].state.queued), (0, 0));
}

#[tokio::test]
async fn a_model_that_repeats_itself_is_told_and_then_ended() {
    for calls in [r#"[["echo", {"text": "a"}]]"#, r#"[["echo", {"text": "a"}], ["echo", {"text": "b"}]]"#] {
        let house = House::new().await;
        let prompt = script(&[&format!(r#"{{"tools": {calls}, "forever": true}}"#)]);
        let (code, message) = failed(house.run(house.job(&prompt)).await);
        assert_eq!((code.as_str(), house.sim.requests().len()), ("looping", 8));
        assert!(message.contains("`echo`") && message.contains("8 times"), "{message}");
        let told = |request: usize| house.texts(request).iter().filter(|text| text.contains("several times")).count();
        assert_eq!((told(3), told(4), told(7)), (0, 1, 1));
        // A member who wants it to go on has it go on.
        assert_eq!(failed(house.run(house.job(&prompt)).await).0, "looping");
        assert!(house.sim.requests().len() > 8);
    }
}

#[tokio::test]
async fn the_same_call_with_another_result_is_no_repetition() {
    let house = House::new().await;
    let prompt = script(&[r#"{"tools": [["count", {}]], "forever": true}"#]);
    let mut job = house.job(&prompt);
    job.limits.max_turns = 20;
    job.tools = Toolbox::new(vec![Handy::tool("count", false, |_, call| ToolAnswer::ok(call.to_string()))]);
    assert_eq!(failed(house.run(job).await).0, "turn-limit");
}

#[tokio::test]
async fn calls_that_are_malformed_unknown_or_ill_fitting_are_answered_with_what_to_do() {
    let house = House::new().await;
    let prompt = script(&[
        r#"{"tools": [["echo", "{\"text\": \"unfinished"], ["jump", {}], ["echo", {"text": "fine"}]]}"#,
        r#"{"say": "Done."}"#,
    ]);
    done(house.run(house.job(&prompt)).await);
    let results = house.book.results(1);
    assert!(results[0].1 && results[0].0.contains("{\"text\": \"unfinished") && results[0].0.contains("valid JSON"));
    assert!(results[1].1 && results[1].0.contains("echo, write"), "{results:?}");
    assert_eq!(results[2], ("fine".to_owned(), false));
}

#[tokio::test]
async fn malformed_calls_five_turns_in_a_row_end_the_run() {
    let house = House::new().await;
    let bad = r#"{"tools": [["echo", "{\"n\": 1"]]}"#;
    let good = r#"{"tools": [["echo", {"text": "x"}]]}"#;
    let prompt = script(&[bad, bad, bad, bad, good, bad, bad, bad, bad, r#"{"say": "Done."}"#]);
    // Four in a row, one that is right, four in a row: bearable.
    let mut job = house.job(&prompt);
    job.tools = Toolbox::new(vec![Handy::tool("echo", false, |_, call| ToolAnswer::ok(call.to_string()))]);
    done(house.run(job).await);

    let house = House::new().await;
    let varied: Vec<String> = (0..9).map(|n| format!(r#"{{"tools": [["echo", "{{\"n\": {n}"]]}}"#)).collect();
    let lines: Vec<&str> = varied.iter().map(String::as_str).collect();
    assert_eq!(failed(house.run(house.job(&script(&lines))).await).0, "malformed-calls");
    assert_eq!(house.sim.requests().len(), 5);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_goes_on_three_times() {
    let house = House::new().await;
    let cut = r#"{"say": "And so", "stop": "max_tokens"}"#;
    done(house.run(house.job(&script(&[cut, cut, cut, r#"{"say": "Done."}"#]))).await);
    assert_eq!(house.sim.requests().len(), 4);
    assert!(house.texts(3).iter().filter(|text| text.contains("was cut off")).count() == 3);

    let house = House::new().await;
    assert_eq!(failed(house.run(house.job(&script(&[cut, cut, cut, cut, cut]))).await).0, "output-limit");
    assert_eq!(house.sim.requests().len(), 4);
}

#[tokio::test]
async fn of_an_answer_that_is_cut_off_the_whole_calls_are_run() {
    let house = House::new().await;
    let prompt = script(&[
        r#"{"tools": [["echo", {"text": "a"}], ["write", "{\"path\": \"x\", \"cont"]], "stop": "max_tokens"}"#,
        r#"{"say": "Done."}"#,
    ]);
    done(house.run(house.job(&prompt)).await);
    let results = house.book.results(1);
    assert_eq!(results[0], ("a".to_owned(), false));
    assert!(results[1].1 && results[1].0.contains("cut off"), "{results:?}");
}

#[tokio::test]
async fn an_output_limit_that_the_provider_finds_too_high_is_lowered() {
    let house = House::with(Config { max_output: 9_000, ..Config::default() }).await;
    done(house.run(house.job(&script(&[r#"{"say": "Done."}"#]))).await);
    let asked: Vec<i64> = house.sim.requests().iter().map(|request| request["max_tokens"].as_i64().unwrap()).collect();
    assert_eq!(asked, [32_000, 16_000, 8_000]);
    assert!(house.book.pages().events.iter().all(|event| !matches!(event, RunEvent::Compacted { .. })));
}

#[tokio::test]
async fn a_refusal_ends_the_run_with_its_words_and_is_not_sent_again() {
    let house = House::new().await;
    let prompt =
        script(&[r#"{"tools": [["echo", {"text": "a"}]]}"#, r#"{"say": "I will not do that.", "stop": "refusal"}"#]);
    let (code, message) = failed(house.run(house.job(&prompt)).await);
    assert_eq!(code, "refused");
    assert!(message.contains("I will not do that."), "{message}");
    // Asked once more, the model does not see that it declined.
    assert_eq!(failed(house.run(house.job(&prompt)).await).0, "refused");
    let requests = house.sim.requests();
    assert_eq!(requests[1], requests[2]);
    // Nor does it when a member puts the request in other words.
    house.book.say("Then do only half of it.");
    done(house.run(house.job(&prompt)).await);
    let last = house.sim.requests().pop().unwrap().to_string();
    assert!(last.contains("only half of it") && !last.contains("\"I will not do that.\""), "{last}");
}

#[tokio::test]
async fn a_refusal_with_calls_runs_none_of_them() {
    let house = House::new().await;
    let prompt = script(&[r#"{"tools": [["write", {}]], "stop": "refusal"}"#]);
    assert_eq!(failed(house.run(house.job(&prompt)).await).0, "refused");
    assert!(house.book.results(1)[0].1);
    assert_eq!(house.book.pages().changed, [false]);
}

#[tokio::test]
async fn the_other_reasons_to_stop() {
    // A paused turn is gone on with by sending it back.
    let house = House::new().await;
    let prompt = script(&[
        r#"{"tools": [["echo", {"text": "a"}]]}"#,
        r#"{"think": "Hm.", "say": "I search.", "stop": "pause_turn"}"#,
        r#"{"say": "Found."}"#,
    ]);
    assert_eq!(done(house.run(house.job(&prompt)).await), "Found.");
    assert_eq!(stops(&house.book), [StopReason::ToolUse, StopReason::PauseTurn, StopReason::EndTurn]);
    let requests = house.sim.requests();
    let last = requests[2]["messages"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["role"], &last["content"][1]["text"]), (&"assistant".into(), &"I search.".into()));
    // And still is when the conversation goes on after it.
    house.book.say("```sim\n{\"say\": \"And more.\"}\n```");
    assert_eq!(done(house.run(house.job(&prompt)).await), "And more.");

    for stop in ["stop_sequence", "compaction", "something_new", "tool_use"] {
        let house = House::new().await;
        let prompt = script(&[&format!(r#"{{"say": "The end.", "stop": "{stop}"}}"#)]);
        assert_eq!(done(house.run(house.job(&prompt)).await), "The end.", "{stop}");
        assert_eq!(house.sim.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_empty_answer_is_asked_about_once() {
    let house = House::new().await;
    let prompt = script(&[r#"{"say": "I begin.", "tools": [["echo", {"text": "a"}]]}"#, "{}", "{}"]);
    assert_eq!(done(house.run(house.job(&prompt)).await), "I begin.");
    assert_eq!(house.sim.requests().len(), 3);
    assert!(house.texts(2).last().unwrap().contains("Your answer was empty"));
}

#[tokio::test]
async fn a_cancelled_agent_drops_the_tool_that_runs() {
    let house = House::new().await;
    let stuck = Arc::new(Stuck::default());
    let mut job = house.job(&script(&[r#"{"tools": [["stuck", {}]]}"#]));
    job.tools = Toolbox::new(vec![Arc::clone(&stuck) as _]);
    let cancel = job.cancel.clone();
    let (ended, ()) = tokio::join!(house.run(job), async {
        stuck.begun.notified().await;
        cancel.cancel();
    });
    assert!(matches!(ended, Ended::Cancelled));
    assert_eq!(stuck.dropped.load(Ordering::SeqCst), 1);
    let pages = house.book.pages();
    assert!(pages.turns.len() == 1 && pages.turns[0].results.is_none());
}

#[tokio::test]
async fn an_agent_that_is_cancelled_before_it_begins_asks_nothing() {
    let house = House::new().await;
    let job = house.job("Hello.");
    job.cancel.cancel();
    assert!(matches!(house.run(job).await, Ended::Cancelled));
    assert!(house.sim.requests().is_empty());
}

#[tokio::test]
async fn an_agent_takes_little_memory_while_it_waits() {
    let house = House::new().await;
    // Beside its conversation: the state of the loop, of the call and of the tool that runs.
    assert!(size_of_val(&house.run(house.job("Hello."))) < 16 * 1024);
}
