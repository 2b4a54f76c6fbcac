//! The dialects of OpenAI, against the simulated provider and against servers by hand.

use std::time::Duration;

use guildhall_llm::{Answer, Client, Delta, Endpoint, ErrorKind, LlmError, Reach, Request, Secret, SystemPart};
use guildhall_sim::{Config, Fault, Quota, Sim};
use guildhall_types::chat::{Block, Message, Role, StopReason, ToolSpec, Usage};
use guildhall_types::feature::ThinkingLevel;
use guildhall_types::member::ProviderKind;
use serde_json::{Value, json};

use crate::harness::{KEY, Server, client, hasty, head, plain, stream_head};

const OPENAI: [ProviderKind; 3] = [ProviderKind::Openai, ProviderKind::Google, ProviderKind::Compatible];

fn base(provider: ProviderKind, url: &str) -> String {
    match provider {
        ProviderKind::Google => format!("{url}/v1beta/openai"),
        _ => url.to_owned(),
    }
}

fn endpoint(provider: ProviderKind, url: &str) -> Endpoint {
    Endpoint::new(provider, Some(&base(provider, url)), Secret::new(KEY)).unwrap()
}

fn model(provider: ProviderKind) -> &'static str {
    match provider {
        ProviderKind::Openai => "gpt-6.2-sol",
        ProviderKind::Google => "gemini-4-neon",
        ProviderKind::Compatible => "compatible/qwen3",
        _ => "claude-sonnet-5-5",
    }
}

struct Talk {
    sim: Sim,
    client: Client,
    provider: ProviderKind,
    messages: Vec<Message>,
}

fn script(steps: &[Value]) -> String {
    let lines: Vec<String> = steps.iter().map(ToString::to_string).collect();
    format!("Do it.\n\n```sim\n{}\n```", lines.join("\n"))
}

impl Talk {
    async fn start(config: Config, provider: ProviderKind, steps: &[Value]) -> Self {
        let sim = Sim::start(config).await.unwrap();
        Self { sim, client: client(), provider, messages: vec![Message::user(script(steps))] }
    }

    async fn call(&self) -> Result<Answer, LlmError> {
        self.call_showing(|_| {}).await
    }

    async fn call_showing(&self, show: impl FnMut(Delta<'_>)) -> Result<Answer, LlmError> {
        let system = [SystemPart { text: "You work here. ".repeat(200) }];
        let input_schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        let tools = ["read", "bash"].map(|name| ToolSpec {
            name: name.to_owned(),
            description: "Does it. ".repeat(50),
            input_schema: input_schema.clone(),
        });
        let request = Request {
            model: model(self.provider),
            system: &system,
            tools: &tools,
            messages: &self.messages,
            max_tokens: 8_000,
            thinking: ThinkingLevel::Medium,
            temperature: None,
            must_call: false,
        };
        self.client.stream(&endpoint(self.provider, &self.sim.url()), &request, show).await
    }

    fn go_on(&mut self, answer: Answer, result: &str) {
        let results = answer
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

#[tokio::test]
async fn a_conversation_with_everything_in_it() {
    let steps = [
        json!({ "think": "Let me see, ü.", "redacted": "sealed", "say": "I look.",
            "tools": [["read", { "path": "a" }], ["bash", "{\"command\": "]] }),
        json!({ "think": "Now.", "tools": [["bash", { "command": "ls" }]] }),
        json!({ "say": "Done." }),
    ];
    for provider in OPENAI {
        let mut talk = Talk::start(Config::default(), provider, &steps).await;
        let mut deltas = Vec::new();
        let first = talk.call_showing(|delta| deltas.push(format!("{delta:?}"))).await.unwrap();
        let inputs: Vec<_> = first.message.tool_uses().map(|(_, _, input)| input.clone()).collect();
        assert_eq!(inputs, [json!({ "path": "a" }), json!("{\"command\": ")]);
        assert_eq!(first.stop_reason, StopReason::ToolUse);
        assert_eq!(first.message.plain_text(), "I look.");
        assert!(matches!(&first.message.content[0], Block::Thinking { thinking, .. } if thinking == "Let me see, ü."));
        assert!(deltas[0].starts_with("Limits("), "what the provider says of the key comes before the answer");
        assert_eq!(deltas[1], "Started");
        assert!(deltas.contains(&"Thinking { block: 0, text: \"Let \" }".to_owned()), "{deltas:?}");
        assert!(deltas.iter().any(|delta| delta.ends_with("name: \"read\" }")), "{deltas:?}");

        // The simulator refuses what comes back changed: seals, ids, results, schemas.
        talk.go_on(first, "contents");
        let second = talk.call().await.unwrap();
        assert_eq!(second.stop_reason, StopReason::ToolUse, "{provider}");
        talk.go_on(second, "a\nb");
        let last = talk.call().await.unwrap();
        assert_eq!((last.stop_reason, last.message.plain_text().as_str()), (StopReason::EndTurn, "Done."));
        assert!(last.usage.output_tokens > 0 && last.usage.cache_share() > 0.5, "{:?}", last.usage);
        talk.client.check(&endpoint(provider, &talk.sim.url())).await.unwrap();
    }
}

#[tokio::test]
async fn a_conversation_goes_on_with_another_provider() {
    let steps = [
        json!({ "think": "One.", "redacted": "x", "tools": [["read", { "path": "a" }]] }),
        json!({ "think": "Two.", "tools": [["read", { "path": "b" }]] }),
        json!({ "think": "Three.", "say": "So.", "tools": [["read", { "path": "c" }]] }),
        json!({ "think": "Four.", "tools": [["read", { "path": "d" }]] }),
        json!({ "say": "Done." }),
    ];
    let mut talk = Talk::start(Config::default(), ProviderKind::Anthropic, &steps).await;
    for provider in [ProviderKind::Anthropic, OPENAI[0], OPENAI[1], OPENAI[2], ProviderKind::Anthropic] {
        talk.provider = provider;
        let answer = talk.call().await.unwrap();
        talk.go_on(answer, "words");
    }
    assert_eq!(talk.messages[9].plain_text(), "Done.");
    // And back again, with all of it.
    talk.messages.truncate(9);
    for provider in [OPENAI[0], OPENAI[1], OPENAI[2], ProviderKind::Anthropic] {
        talk.provider = provider;
        assert_eq!(talk.call().await.unwrap().message.plain_text(), "Done.", "{provider}");
    }
}

#[tokio::test]
async fn most_of_a_long_conversation_comes_from_the_cache() {
    for provider in OPENAI {
        let steps =
            [json!({ "forever": true, "think": "And on.", "say": "I read on.", "tools": [["read", { "path": "a" }]] })];
        let config = Config { context_window: 2_000_000, ..Config::default() };
        let mut talk = Talk::start(config, provider, &steps).await;
        let mut sum = Usage::default();
        for _ in 0..20 {
            let answer = talk.call().await.unwrap();
            sum += answer.usage;
            talk.go_on(answer, &"Words of a file. ".repeat(60));
        }
        assert!(sum.cache_share() >= 0.8, "{provider}: {sum:?}");
    }
}

#[tokio::test]
async fn the_limits_of_the_key_come_with_the_answer_and_the_refusal() {
    let quota = Quota { requests: 2, input_tokens: 100_000, output_tokens: 50_000 };
    for provider in OPENAI {
        let config = Config { quota: Some(quota), ..Config::default() };
        let talk = Talk::start(config, provider, &[json!({ "say": "x" })]).await;
        let answer = talk.call().await.unwrap();
        assert_eq!((answer.limits.requests.limit, answer.limits.requests.remaining), (Some(2), Some(1)));
        assert_eq!(answer.limits.tokens.limit, Some(100_000));
        assert!(answer.limits.requests.reset.is_some());
        talk.call().await.unwrap();
        let refused = talk.call().await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::RateLimited);
        assert!(refused.retry_after.is_some_and(|wait| (20..=31).contains(&wait.as_secs())), "{refused:?}");
    }
}

#[tokio::test]
async fn each_fault_of_the_provider_is_told_apart() {
    use ErrorKind::*;
    for provider in OPENAI {
        let mut talk =
            Talk::start(Config::default(), provider, &[json!({ "think": "Hm.", "say": "Some words." })]).await;
        talk.client = hasty();
        for (fault, kind, billed) in [
            (Fault::RateLimited, RateLimited, false),
            (Fault::RateLimitedSilently, RateLimited, false),
            (Fault::Server, Server, false),
            (Fault::Overloaded, Overloaded, false),
            (Fault::BadKey, InvalidKey, false),
            (Fault::NoQuota, Billing, false),
            (Fault::PromptTooLong, PromptTooLong, false),
            (Fault::HangBeforeHeaders, Idle, false),
            (Fault::Hang, Idle, true),
            (Fault::Cut, Broken, true),
            (Fault::Garbage, Garbage, false),
            (Fault::OverloadedInStream, Overloaded, true),
            (Fault::RateLimitedInStream, RateLimited, true),
        ] {
            talk.sim.fail_next([fault]);
            let failed = talk.call().await.unwrap_err();
            assert_eq!((failed.kind, failed.partial.is_some()), (kind, billed), "{provider} {fault:?}: {failed}");
            let second = Some(Duration::from_secs(1));
            let says_when = matches!(fault, Fault::RateLimited | Fault::RateLimitedInStream);
            assert_eq!(failed.retry_after, second.filter(|_| says_when), "{provider} {fault:?}");
            assert!(!failed.to_string().contains(KEY));
        }
        let answer = talk.call().await.unwrap();
        assert_eq!(answer.message.plain_text(), "Some words.");
    }
}

#[tokio::test]
async fn keys_that_are_unknown_or_poor_are_told_apart() {
    let sim = Sim::start(Config::default()).await.unwrap();
    let messages = [Message::user("Hello.")];
    for provider in OPENAI {
        for (key, kind) in [("sk-bad-0123456789", ErrorKind::InvalidKey), ("sk-poor-0123456789", ErrorKind::Billing)] {
            let endpoint = Endpoint::new(provider, Some(&base(provider, &sim.url())), Secret::new(key)).unwrap();
            let request = Request { model: model(provider), ..crate::harness::request(&messages) };
            let failed = client().stream(&endpoint, &request, |_| {}).await.unwrap_err();
            assert_eq!(failed.kind, kind, "{provider}: {failed}");
            assert!(!failed.kind.may_pass(), "nothing is tried again for ever");
        }
    }
}

/// Says hello to a server by hand.
async fn hello(client: &Client, provider: ProviderKind, url: &str) -> Result<Answer, LlmError> {
    let messages = [Message::user("Hello.")];
    let request = Request { model: model(provider), ..crate::harness::request(&messages) };
    client.stream(&endpoint(provider, url), &request, |_| {}).await
}

/// The events of an answer that says "Hi.", one a string.
fn events(provider: ProviderKind) -> Vec<String> {
    let list = match provider {
        ProviderKind::Openai => vec![
            json!({ "type": "response.created", "response": { "model": "m" } }),
            json!({ "type": "response.output_item.added", "output_index": 0, "item": { "type": "message" } }),
            json!({ "type": "response.output_text.delta", "output_index": 0, "delta": "Hi." }),
            json!({ "type": "response.completed", "response": { "usage": { "input_tokens": 7, "output_tokens": 2 } } }),
        ],
        _ => vec![
            json!({ "model": "m", "choices": [{ "delta": { "role": "assistant" } }] }),
            json!({ "choices": [{ "delta": { "content": "Hi." } }] }),
            json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }),
            json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 2 } }),
        ],
    };
    let mut events: Vec<String> = list.iter().map(|event| format!("data: {event}\n\n")).collect();
    if provider != ProviderKind::Openai {
        events.push("data: [DONE]\n\n".to_owned());
    }
    events
}

#[tokio::test]
async fn a_call_bears_the_key_where_the_provider_looks_for_it() {
    for (provider, path) in [
        (ProviderKind::Openai, "/v1/responses"),
        (ProviderKind::Google, "/v1beta/openai/chat/completions"),
        (ProviderKind::Compatible, "/v1/chat/completions"),
    ] {
        let mut server = Server::saying(stream_head() + ": PROCESSING\n\n" + &events(provider).concat()).await;
        let answer = hello(&client(), provider, &server.url()).await.unwrap();
        assert_eq!((answer.message.plain_text().as_str(), answer.usage.input_tokens), ("Hi.", 7));
        let request = server.requests.recv().await.unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
        assert!(head.to_lowercase().contains(&format!("authorization: bearer {KEY}")), "{head}");
        assert!(!head.to_lowercase().contains("x-api-key"));
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["stream"], true);
        assert!(!model(provider).ends_with("qwen3") || body["model"] == "qwen3", "without the provider's name");
    }
    // A server that asks for no key gets no header.
    let mut server = Server::saying(stream_head() + &events(ProviderKind::Compatible).concat()).await;
    let open = Endpoint::new(ProviderKind::Compatible, Some(&server.url()), Secret::new("")).unwrap();
    let messages = [Message::user("Hello.")];
    let request = Request { model: "compatible/qwen3", ..crate::harness::request(&messages) };
    client().stream(&open, &request, |_| {}).await.unwrap();
    assert!(!server.requests.recv().await.unwrap().to_lowercase().contains("authorization"));
}

#[tokio::test]
async fn an_answer_without_its_end_is_broken_and_counted() {
    for provider in OPENAI {
        let events = events(provider);
        let all = events.concat();
        for bytes in [events[..2].concat(), all[..events[..2].concat().len() - 1].to_owned()] {
            let failed =
                hello(&client(), provider, &Server::saying(stream_head() + &bytes).await.url()).await.unwrap_err();
            assert_eq!(failed.kind, ErrorKind::Broken, "{provider}: {failed}");
            assert!(failed.partial.is_some());
        }
        // Byte by byte, with other ends of lines.
        let text = stream_head() + &all.replace('\n', "\r\n");
        assert!(hello(&client(), provider, &Server::saying(text).await.url()).await.is_ok());
    }
    // Why it stopped was said; the rest may be missing.
    let events = events(ProviderKind::Compatible);
    let server = Server::saying(stream_head() + &events[..3].concat()).await;
    let answer = hello(&client(), ProviderKind::Compatible, &server.url()).await.unwrap();
    assert_eq!(answer.stop_reason, StopReason::EndTurn);
    assert!(answer.usage.input_tokens > 0, "an estimate, so that the conversation is shortened in time");
}

#[tokio::test]
async fn what_is_no_stream_is_garbage_or_an_error_after_all() {
    let json = [("content-type", "application/json")];
    for provider in OPENAI {
        for (what, bytes) in [
            ("a web page", plain(200, &[("content-type", "text/html")], "<html>Sign in</html>")),
            ("JSON", plain(200, &json, "{\"content\": []}")),
            ("nothing", stream_head()),
            ("an end alone", stream_head() + "data: [DONE]\n\n"),
            ("no JSON", stream_head() + "data: {\"choices\n\n"),
        ] {
            let failed = hello(&client(), provider, &Server::saying(bytes).await.url()).await.unwrap_err();
            assert_eq!(failed.kind, ErrorKind::Garbage, "{provider}, {what}: {failed}");
        }
        let body = r#"{"error":{"message":"Rate limit reached. Please try again in 17 s.","type":"tokens","code":"rate_limit_exceeded"}}"#;
        let failed =
            hello(&client(), provider, &Server::saying(plain(200, &json, body)).await.url()).await.unwrap_err();
        assert_eq!((failed.kind, failed.retry_after), (ErrorKind::RateLimited, Some(Duration::from_secs(17))));
        let exact = plain(429, &[("retry-after-ms", "1500"), ("retry-after", "2")], body);
        let failed = hello(&client(), provider, &Server::saying(exact).await.url()).await.unwrap_err();
        assert_eq!(failed.retry_after, Some(Duration::from_millis(1_500)));
    }
}

#[tokio::test]
async fn what_a_provider_does_not_take_is_left_out_from_then_on() {
    let unverified = r#"{"error":{"message":"Your organization must be verified to generate reasoning summaries.","type":"invalid_request_error"}}"#;
    let answer = stream_head() + &events(ProviderKind::Openai).concat();
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&calls);
    let mut server = Server::start(move |mut stream| {
        let first = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let bytes = if first { plain(400, &[], unverified) } else { answer.clone() };
        async move {
            use tokio::io::AsyncWriteExt;
            stream.write_all(bytes.as_bytes()).await?;
            stream.shutdown().await
        }
    })
    .await;
    let client = client();
    for _ in 0..2 {
        hello(&client, ProviderKind::Openai, &server.url()).await.unwrap();
    }
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 3, "refused once, and never again");
    let mut asked = Vec::new();
    for _ in 0..3 {
        let request = server.requests.recv().await.unwrap();
        let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        asked.push(body["reasoning"]["summary"].is_null());
    }
    assert_eq!(asked, [false, true, true]);
}

#[tokio::test]
async fn models_are_listed_however_a_server_writes_them() {
    for (body, expected) in [
        (
            r#"{"object":"list","data":[{"id":"qwen3","max_model_len":32768},{"id":"a b"},{"id":""},{"name":"x"}]}"#,
            vec![("qwen3", Some(32_768))],
        ),
        (
            r#"{"data":[{"id":"openai/gpt-6.2-sol","context_length":1050000}]}"#,
            vec![("openai/gpt-6.2-sol", Some(1_050_000))],
        ),
        (r#"{"object":"list","data":null}"#, vec![]),
        (r#"[{"id":"llama","context_length":0}]"#, vec![("llama", None)]),
    ] {
        let server = Server::saying(plain(200, &[], body)).await;
        let listed = client().models(&endpoint(ProviderKind::Compatible, &server.url())).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|model| (model.id.as_str(), model.context_window)).collect();
        assert_eq!(listed, expected, "{body}");
    }
    let many: Vec<Value> = (0..2_000).map(|n| json!({ "id": format!("m{n}") })).collect();
    let server = Server::saying(plain(200, &[], &json!({ "data": many }).to_string())).await;
    assert_eq!(client().models(&endpoint(ProviderKind::Compatible, &server.url())).await.unwrap().len(), 500);
}

#[tokio::test]
async fn an_address_out_of_reach_is_never_called() {
    let mut server = Server::saying(stream_head() + &events(ProviderKind::Compatible).concat()).await;
    let port = server.url().rsplit_once(':').unwrap().1.to_owned();
    let public = client().reaching(Reach::Public);
    // As an address, and as a name that leads there.
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let url = format!("http://{host}:{port}");
        let chosen = endpoint(ProviderKind::Compatible, &url).guarded();
        let messages = [Message::user("Hello.")];
        let request = Request { model: "compatible/qwen3", ..crate::harness::request(&messages) };
        let failed = public.stream(&chosen, &request, |_| {}).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Blocked, "{host}: {failed}");
        assert!(failed.message.contains("GUILDHALL_ALLOW_PRIVATE_PROVIDERS"), "{failed}");
        assert!(!failed.kind.may_pass());
        assert!(public.models(&chosen).await.is_err());
    }
    assert!(server.requests.try_recv().is_err(), "nobody knocked");
    let metadata = endpoint(ProviderKind::Compatible, "http://169.254.169.254/latest/meta-data").guarded();
    for client in [client(), public.clone()] {
        assert_eq!(client.models(&metadata).await.unwrap_err().kind, ErrorKind::Blocked);
        assert_eq!(client.admits(&metadata).unwrap_err().kind, ErrorKind::Blocked);
    }
    // What the operator chose is not looked at, and where it is allowed, a member's choice is called.
    assert!(hello(&public, ProviderKind::Compatible, &server.url()).await.is_ok());
    let messages = [Message::user("Hello.")];
    let request = Request { model: "compatible/qwen3", ..crate::harness::request(&messages) };
    let named = endpoint(ProviderKind::Compatible, &format!("http://localhost:{port}")).guarded();
    assert!(client().stream(&named, &request, |_| {}).await.is_ok());
}

#[tokio::test]
async fn a_redirect_is_not_followed_by_any_dialect() {
    for provider in OPENAI {
        let elsewhere = Server::saying(stream_head() + &events(provider).concat()).await;
        let moved = Server::saying(head(307, &[("location", &elsewhere.url())])).await;
        assert_eq!(hello(&client(), provider, &moved.url()).await.unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn the_simulator_is_as_stern_as_the_providers() {
    let sim = Sim::start(Config::default()).await.unwrap();
    let call = Block::ToolUse { id: "call_0_x_0".to_owned(), name: "read".to_owned(), input: json!({}) };
    let unanswered = [Message::user("Hi."), Message::assistant(vec![call]), Message::user("Well?")];
    for provider in OPENAI {
        let request = Request { model: model(provider), ..crate::harness::request(&unanswered) };
        let failed = client().stream(&endpoint(provider, &sim.url()), &request, |_| {}).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::BadRequest, "{provider}");
        assert!(failed.message.contains("call_0_x_0"), "{failed}");
        let long = [Message::user("Hi.")];
        let request = Request { model: model(provider), max_tokens: 100_000, ..crate::harness::request(&long) };
        let failed = client().stream(&endpoint(provider, &sim.url()), &request, |_| {}).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::OutputTooLong, "{provider}: {failed}");
    }
}
