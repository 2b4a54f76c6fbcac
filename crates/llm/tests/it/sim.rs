//! Whole conversations with the simulated provider.

use std::time::Duration;

use guildhall_llm::{Answer, Backoff, Client, Delta, Endpoint, ErrorKind, LlmError, Request, SystemPart};
use guildhall_sim::{Config, Fault, Quota, Sim};
use guildhall_types::chat::{Block, Message, Role, StopReason, ToolSpec, Usage};
use guildhall_types::feature::ThinkingLevel;
use serde_json::json;

use crate::harness::{KEY, client, endpoint, hasty};

struct Caller {
    sim: Sim,
    client: Client,
    endpoint: Endpoint,
    system: [SystemPart; 2],
    tools: [ToolSpec; 2],
    messages: Vec<Message>,
    model: &'static str,
}

fn tool(name: &str) -> ToolSpec {
    let input_schema = json!({ "type": "object", "properties": {} });
    ToolSpec { name: name.to_owned(), description: "Does it. ".repeat(50), input_schema }
}

impl Caller {
    async fn start(config: Config, prompt: &str) -> Self {
        let sim = Sim::start(config).await.unwrap();
        let endpoint = endpoint(&sim.url(), KEY);
        let system =
            ["You work here. ".repeat(200), "The project is small. ".repeat(50)].map(|text| SystemPart { text });
        let tools = [tool("read"), tool("bash")];
        Self {
            sim,
            client: client(),
            endpoint,
            system,
            tools,
            messages: vec![Message::user(prompt)],
            model: "simulated",
        }
    }

    fn request(&self) -> Request<'_> {
        let (system, tools) = (&self.system, &self.tools);
        let thinking = ThinkingLevel::Medium;
        Request {
            model: self.model,
            system,
            tools,
            messages: &self.messages,
            max_tokens: 8_000,
            thinking,
            temperature: None,
            must_call: false,
        }
    }

    async fn call(&self) -> Result<Answer, LlmError> {
        self.client.stream(&self.endpoint, &self.request(), |_| {}).await
    }

    /// Adds an answer, and the results of its tools.
    fn go_on(&mut self, answer: Answer, result: &str) {
        let results: Vec<Block> = answer
            .message
            .tool_uses()
            .map(|(id, _, input)| Block::ToolResult {
                tool_use_id: id.to_owned(),
                content: result.to_owned(),
                is_error: !input.is_object(),
                images: Vec::new(),
            })
            .collect();
        self.messages.push(answer.message);
        self.messages.push(Message { role: Role::User, content: results });
    }
}

fn script(steps: &[serde_json::Value]) -> String {
    let lines: Vec<String> = steps.iter().map(ToString::to_string).collect();
    format!("Do it.\n\n```sim\n{}\n```", lines.join("\n"))
}

#[tokio::test]
async fn a_conversation_with_everything_in_it() {
    let steps = [
        json!({ "think": "Let me see, ü.", "redacted": "sealed", "say": "I look.",
            "tools": [["read", { "path": "a" }], ["bash", "{\"command\": "]] }),
        json!({ "say": "A moment.", "stop": "pause_turn" }),
        json!({ "think": "Now.", "tools": [["bash", { "command": "ls" }]] }),
        json!({ "say": "Done." }),
    ];
    for model in ["simulated", "claude-haiku-4-5"] {
        let mut caller = Caller::start(Config::default(), &script(&steps)).await;
        caller.model = model;
        let mut deltas = Vec::new();
        let show = |delta: Delta<'_>| deltas.push(format!("{delta:?}"));
        let first = caller.client.stream(&caller.endpoint, &caller.request(), show).await.unwrap();
        let kinds: Vec<&str> = first
            .message
            .content
            .iter()
            .map(|block| match block {
                Block::Thinking { .. } => "thinking",
                Block::RedactedThinking { .. } => "redacted",
                Block::Text { .. } => "text",
                Block::ToolUse { .. } => "tool",
                _ => "other",
            })
            .collect();
        assert_eq!(kinds, ["thinking", "redacted", "text", "tool", "tool"]);
        let inputs: Vec<_> = first.message.tool_uses().map(|(_, _, input)| input.clone()).collect();
        assert_eq!(inputs, [json!({ "path": "a" }), json!("{\"command\": ")]);
        assert_eq!((first.stop_reason, first.model.as_str()), (StopReason::ToolUse, model));
        assert!(deltas[0].starts_with("Limits(") && deltas[1] == "Started", "{deltas:?}");
        assert!(deltas.contains(&"Thinking { block: 0, text: \"Let \" }".to_owned()), "{deltas:?}");
        assert!(deltas.contains(&"Tool { block: 3, name: \"read\" }".to_owned()), "{deltas:?}");

        // The simulator refuses what comes back changed: seals, ids, results.
        caller.go_on(first, "contents");
        let paused = caller.call().await.unwrap();
        assert_eq!((paused.stop_reason, paused.message.content.len()), (StopReason::PauseTurn, 2));
        caller.messages.push(paused.message);
        let resumed = caller.call().await.unwrap();
        assert_eq!(resumed.stop_reason, StopReason::ToolUse);
        caller.go_on(resumed, "a\nb");
        let last = caller.call().await.unwrap();
        assert_eq!((last.stop_reason, last.message.plain_text().as_str()), (StopReason::EndTurn, "Done."));

        let counted = caller.client.count_tokens(&caller.endpoint, &caller.request()).await.unwrap();
        assert_eq!(counted, last.usage.context_tokens());
        caller.client.check(&caller.endpoint).await.unwrap();
    }
}

#[tokio::test]
async fn every_stop_reason_arrives() {
    for reason in StopReason::ALL.iter().filter(|reason| **reason != StopReason::Other) {
        let steps = [json!({ "say": "x", "stop": reason.as_str() })];
        let caller = Caller::start(Config::default(), &script(&steps)).await;
        assert_eq!(caller.call().await.unwrap().stop_reason, *reason);
    }
}

/// Usage of a conversation of `turns` turns, with so many calls in each.
async fn long(turns: usize, calls: usize) -> Usage {
    let tools: Vec<_> = (0..calls).map(|at| json!(["read", { "path": format!("file{at}") }])).collect();
    let steps = [json!({ "forever": true, "think": "And on.", "say": "I read on.", "tools": tools })];
    let mut caller = Caller::start(Config { context_window: 2_000_000, ..Config::default() }, &script(&steps)).await;
    let mut sum = Usage::default();
    for turn in 0..turns {
        let answer = caller.call().await.unwrap();
        let usage = answer.usage;
        assert!(turn == 0 || usage.cache_read_tokens > 0, "turn {turn}: {usage:?}");
        sum += usage;
        caller.go_on(answer, &"Words of a file. ".repeat(60));
    }
    sum
}

#[tokio::test]
async fn nine_tenths_of_a_long_conversation_come_from_the_cache() {
    let usual = long(40, 1).await;
    assert!(usual.cache_share() >= 0.9, "{usual:?}: {}", usual.cache_share());
    // More blocks between two calls than the provider looks back.
    let many = long(40, 14).await;
    assert!(many.cache_share() >= 0.9, "{many:?}: {}", many.cache_share());
    assert_eq!(many.input_tokens, 0, "all of it is written or read");
}

#[tokio::test]
async fn the_limits_of_the_key_come_with_the_answer_and_the_refusal() {
    let quota = Quota { requests: 2, input_tokens: 100_000, output_tokens: 50_000 };
    let caller =
        Caller::start(Config { quota: Some(quota), ..Config::default() }, &script(&[json!({ "say": "x" })])).await;
    let answer = caller.call().await.unwrap();
    assert_eq!((answer.limits.requests.limit, answer.limits.requests.remaining), (Some(2), Some(1)));
    assert_eq!(answer.limits.input_tokens.limit, Some(100_000));
    assert!(answer.limits.output_tokens.remaining.is_some_and(|left| left < 50_000));
    assert!(answer.limits.requests.reset.is_some() && answer.limits.tokens.limit.is_none());
    caller.call().await.unwrap();
    let refused = caller.call().await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::RateLimited);
    assert!(refused.retry_after.is_some_and(|wait| (20..=31).contains(&wait.as_secs())), "{refused:?}");
}

#[tokio::test]
async fn each_fault_of_the_provider_is_told_apart() {
    use ErrorKind::*;
    let mut caller =
        Caller::start(Config::default(), &script(&[json!({ "think": "Hm.", "say": "Some words." })])).await;
    caller.client = hasty();
    for (fault, kind, billed) in [
        (Fault::RateLimited, RateLimited, false),
        (Fault::RateLimitedSilently, RateLimited, false),
        (Fault::Server, Server, false),
        (Fault::Overloaded, Overloaded, false),
        (Fault::BadKey, InvalidKey, false),
        (Fault::PromptTooLong, PromptTooLong, false),
        (Fault::HangBeforeHeaders, Idle, false),
        (Fault::Hang, Idle, true),
        (Fault::Cut, Broken, true),
        (Fault::Garbage, Garbage, false),
        (Fault::OverloadedInStream, Overloaded, true),
        (Fault::RateLimitedInStream, RateLimited, true),
    ] {
        caller.sim.fail_next([fault]);
        let failed = caller.call().await.unwrap_err();
        assert_eq!((failed.kind, failed.partial.is_some()), (kind, billed), "{fault:?}: {failed}");
        let second = Some(Duration::from_secs(1));
        let says_when = matches!(fault, Fault::RateLimited | Fault::RateLimitedInStream);
        assert_eq!(failed.retry_after, second.filter(|_| says_when), "{fault:?}");
        assert_eq!(caller.call().await.unwrap().message.plain_text(), "Some words.", "after {fault:?}");
    }
    for (key, kind) in [("sk-bad-0123456789", InvalidKey), ("sk-poor-0123456789", Billing)] {
        let endpoint = endpoint(&caller.sim.url(), key);
        let failed = caller.client.stream(&endpoint, &caller.request(), |_| {}).await.unwrap_err();
        assert_eq!(failed.kind, kind);
    }
    let too_much = Request { max_tokens: 100_000, ..caller.request() };
    let failed = caller.client.stream(&caller.endpoint, &too_much, |_| {}).await.unwrap_err();
    assert_eq!(failed.kind, OutputTooLong);
}

#[tokio::test]
async fn a_call_is_tried_until_what_passes_has_passed() {
    let caller = Caller::start(Config::default(), &script(&[json!({ "say": "At last." })])).await;
    caller.sim.fail_next([Fault::Overloaded, Fault::Cut, Fault::Server, Fault::Garbage, Fault::OverloadedInStream]);
    let mut backoff = Backoff::with_unit(Duration::from_millis(1));
    let mut failures = 0;
    let answer = loop {
        match caller.call().await {
            Ok(answer) => break answer,
            Err(error) => tokio::time::sleep(backoff.after(&error).unwrap()).await,
        }
        failures += 1;
    };
    assert_eq!((failures, answer.message.plain_text().as_str()), (5, "At last."));
}
