//! Scripts: what is answered, and when.

use std::time::{Duration, Instant};

use guildhall_sim::{Config, Sim};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::harness::{ask, open, prompt, stream, user};

/// Goes on with a conversation: what was answered, and what is said to that.
fn go_on(body: &mut Value, answer: &Value, said: &[Value]) {
    let results = answer["content"].as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
    let results = results.map(|call| json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "ok" }));
    let content: Vec<Value> = results.chain(said.iter().cloned()).collect();
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({ "role": "assistant", "content": answer["content"] }));
    if !content.is_empty() {
        messages.push(json!({ "role": "user", "content": content }));
    }
}

fn says(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn words(answer: &Value) -> String {
    let texts = answer["content"].as_array().unwrap().iter().filter_map(|block| block["text"].as_str());
    texts.collect::<Vec<_>>().join("|")
}

async fn fast() -> Sim {
    Sim::start(Config::default()).await.unwrap()
}

const THREE: &str = "Do as follows.\n\n```sim\n{\"say\": \"one\", \"tools\": [[\"read\", {\"path\": \"a\"}], [\"read\", {\"path\": \"b\"}]]}\n\
    {\"say\": \"two\", \"tools\": [[\"bash\", {\"command\": \"true\"}]]}\n\n{\"say\": \"three\"}\n```\n\nThanks.";

#[tokio::test]
async fn a_script_is_followed_and_then_nothing_is_left() {
    let sim = fast().await;
    let mut body = prompt(THREE);
    for (expected, stop) in [("one", "tool_use"), ("two", "tool_use"), ("three", "end_turn")] {
        let answer = ask(&sim, &body).await.json();
        assert_eq!((words(&answer).as_str(), &answer["stop_reason"]), (expected, &json!(stop)));
        assert_eq!(answer, ask(&sim, &body).await.json().tap(&answer), "the same conversation, the same answer");
        go_on(&mut body, &answer, &[]);
    }
    body["messages"].as_array_mut().unwrap().push(user("<note>Go on.</note>"));
    assert_eq!(words(&ask(&sim, &body).await.json()), "Nothing is left to do.");
    assert_eq!(sim.requests().len(), 7);
}

#[tokio::test]
async fn a_step_that_insists_is_done_again_until_its_tools_succeed() {
    let sim = fast().await;
    let steps = [
        json!({ "say": "one", "tools": [["bash", { "command": "one" }]] }),
        json!({ "say": "two", "tools": [["bash", { "command": "two" }]], "insist": true }),
        json!({ "say": "three" }),
    ];
    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
    let mut body = prompt(&format!("Do as follows.\n\n```sim\n{}\n```", steps.join("\n")));
    let mut calls = std::collections::BTreeSet::new();
    // The first step fails, too, but does not insist; the second fails twice.
    for (expected, fails) in [("one", true), ("two", true), ("two", true), ("two", false), ("three", false)] {
        let answer = ask(&sim, &body).await.json();
        assert_eq!(words(&answer), expected);
        if let Some(call) = answer["content"].as_array().unwrap().iter().find(|block| block["type"] == "tool_use") {
            assert!(calls.insert(call["id"].to_string()), "each call has an id of its own");
        }
        go_on(&mut body, &answer, &[]);
        if fails {
            body["messages"].as_array_mut().unwrap().last_mut().unwrap()["content"][0]["is_error"] = json!(true);
        }
    }
}

trait Tap {
    fn tap(self, other: &Value) -> Value;
}

impl Tap for Value {
    /// The same answer, with the usage of the other: the second time, more comes from the cache.
    fn tap(mut self, other: &Value) -> Value {
        self["usage"] = other["usage"].clone();
        self
    }
}

#[tokio::test]
async fn a_later_prompt_brings_its_own_script_or_is_a_follow_up() {
    let sim = fast().await;
    let mut body = prompt("```sim\n{\"say\": \"done\"}\n```");
    let answer = ask(&sim, &body).await.json();
    go_on(&mut body, &answer, &[says("```sim\n{\"say\": \"more\"}\n```")]);
    let answer = ask(&sim, &body).await.json();
    assert_eq!(words(&answer), "more");
    go_on(&mut body, &answer, &[says("Please mention cats.")]);
    let answer = ask(&sim, &body).await.json();
    assert_eq!(words(&answer), "I take that up.");
    assert!(answer["content"].to_string().contains("mention cats"), "{answer}");
}

#[tokio::test]
async fn what_is_said_meanwhile_is_done_before_the_end() {
    let sim = fast().await;
    let mut body = prompt(THREE);
    let answer = ask(&sim, &body).await.json();
    go_on(&mut body, &answer, &[says("<note>not said by a person</note>"), says("Also mention cats.")]);
    let mut heard = Vec::new();
    loop {
        let answer = ask(&sim, &body).await.json();
        heard.push(words(&answer));
        go_on(&mut body, &answer, &[]);
        if answer["stop_reason"] == "end_turn" {
            break;
        }
    }
    assert_eq!(heard[0], "two");
    assert_eq!(heard[1], "I take that up.");
    assert!(heard.last().unwrap().contains("Also mention cats."), "{heard:?}");
    assert!(!heard.contains(&"three".to_owned()), "the closing words come once");
}

#[tokio::test]
async fn a_paused_turn_goes_on_where_it_was() {
    let sim = fast().await;
    let mut body = prompt(
        "```sim\n{\"say\": \"a\", \"stop\": \"pause_turn\"}\n{\"say\": \"b\", \"stop\": \"pause_turn\"}\n{\"say\": \"c\"}\n```",
    );
    let mut content: Vec<Value> = Vec::new();
    for (expected, stop) in [("a", "pause_turn"), ("b", "pause_turn"), ("c", "end_turn")] {
        let answer = ask(&sim, &body).await.json();
        assert_eq!((words(&answer).as_str(), &answer["stop_reason"]), (expected, &json!(stop)));
        // The continuation belongs to the same message.
        content.extend(answer["content"].as_array().unwrap().iter().cloned());
        body["messages"] = json!([body["messages"][0], { "role": "assistant", "content": content }]);
    }
}

#[tokio::test]
async fn a_conversation_whose_beginning_was_summarised_goes_on_where_it_was() {
    let sim = fast().await;
    let mut body = prompt(THREE);
    for _ in 0..2 {
        let answer = ask(&sim, &body).await.json();
        go_on(&mut body, &answer, &[]);
    }
    // The first answer and its results are replaced by a note beside the prompt.
    let messages = body["messages"].as_array_mut().unwrap();
    messages.drain(1..3);
    messages[0]["content"].as_array_mut().unwrap().push(says("<note>summary</note>"));
    assert_eq!(words(&ask(&sim, &body).await.json()), "three");

    let mut summary = prompt("[Said to the agent]\nDo this.");
    summary["system"] = json!([says("Summarise what was done.")]);
    assert_eq!(words(&ask(&sim, &summary).await.json()), "The work stands as it is in the files.");
}

#[tokio::test]
async fn a_script_can_say_anything() {
    let sim = fast().await;
    let script = [
        json!({ "think": "Hm.", "redacted": "sealed", "say": "ü", "tools": [["write", "{\"path\": "]], "stop": "max_tokens" }),
        json!({ "forever": true, "tools": [["bash", { "command": "ls" }]] }),
    ];
    let lines: Vec<String> = script.iter().map(Value::to_string).collect();
    let mut body = prompt(&format!("```sim\n{}\nnonsense\n```", lines.join("\n")));
    let first = stream(&sim, &body).await;
    let events = first.events();
    let sum = |key: &str| -> String { events.iter().filter_map(|event| event["delta"][key].as_str()).collect() };
    assert_eq!(
        (sum("thinking").as_str(), sum("text").as_str(), sum("partial_json").as_str()),
        ("Hm.", "ü", "{\"path\": ")
    );
    assert_eq!(sum("signature"), guildhall_sim::wire::sign("Hm."));
    assert_eq!(sum("stop_reason"), "max_tokens");
    assert_eq!((first.count("content_block_start"), first.count("content_block_stop")), (4, 4));
    assert!(first.count("an_event_of_the_future") > 0 && first.count("ping") > 0);

    let whole = ask(&sim, &body).await.json();
    let mut kept = whole.clone();
    kept["content"][3]["input"] = json!({});
    go_on(&mut body, &kept, &[]);
    for _ in 0..5 {
        let answer = ask(&sim, &body).await.json();
        assert_eq!(answer["content"][0]["name"], "bash");
        go_on(&mut body, &answer, &[]);
    }

    let wrong = ask(&sim, &prompt("```sim\n{\"sya\": \"x\"}\n```")).await.json();
    assert!(words(&wrong).contains("cannot be read (unknown field `sya`"), "{wrong}");
}

#[tokio::test]
async fn the_pace_is_kept_and_silence_has_pings() {
    let ten = Duration::from_millis(10);
    let sim = Sim::start(Config { first_word: ten, per_word: ten, ping: ten, ..Config::default() }).await.unwrap();
    let began = Instant::now();
    let reply = stream(&sim, &prompt("```sim\n{\"say\": \"a b c d e f\", \"silence_ms\": 190}\n```")).await;
    // 10 ms and 190 ms before, and 10 ms behind each of six words.
    assert!(began.elapsed() >= ten * 26, "{:?}", began.elapsed());
    // One opens the stream, and nineteen come between the twenty parts of the silence.
    assert_eq!(reply.count("ping"), 20);
    assert_eq!(reply.count("content_block_delta"), 6);
}

#[tokio::test]
async fn a_hundred_silent_streams_are_cheap() {
    let sim = fast().await;
    let mut arrivals = sim.arrivals();
    let before = resident();
    let mut lines = Vec::new();
    for number in 0..100 {
        let mut body = prompt(&format!("Number {number}.\n```sim\n{{\"say\": \"x\", \"silence_ms\": 600000}}\n```"));
        body["stream"] = true.into();
        let mut line = open(&sim, "POST", "/v1/messages", "sk-test", &body.to_string()).await;
        let mut piece = [0; 16];
        assert!(line.read(&mut piece).await.unwrap() > 0, "it has begun");
        lines.push(line);
    }
    for _ in 0..100 {
        arrivals.recv().await.unwrap();
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 20 * 1024 * 1024, "{grown} bytes for 100 streams");
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}
