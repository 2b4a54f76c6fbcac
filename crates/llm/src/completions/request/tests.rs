use guildhall_types::chat::ToolSpec;

use super::*;
use crate::SystemPart;

fn request<'a>(messages: &'a [Message], system: &'a [SystemPart], tools: &'a [ToolSpec]) -> Request<'a> {
    let thinking = ThinkingLevel::High;
    Request {
        model: "compatible/qwen3",
        system,
        tools,
        messages,
        max_tokens: 8_000,
        thinking,
        temperature: None,
        must_call: false,
    }
}

fn call(id: &str) -> Block {
    Block::ToolUse { id: id.to_owned(), name: "read".to_owned(), input: json!({ "path": "a" }) }
}

fn result(id: &str, is_error: bool) -> Block {
    Block::ToolResult { tool_use_id: id.to_owned(), content: "so".to_owned(), is_error, images: Vec::new() }
}

#[test]
fn a_conversation_is_written_as_most_servers_want_it() {
    let messages = [
        Message::user("Add a command."),
        Message::user("And a test."),
        Message::assistant(vec![
            Block::Thinking { thinking: "Hm.".to_owned(), signature: "x".to_owned() },
            Block::text("I look."),
            call("c1"),
            Block::ToolUse { id: "c2".to_owned(), name: "read".to_owned(), input: "{\"path\": ".into() },
        ]),
        Message { role: Role::User, content: vec![result("c1", false), result("c2", true), Block::text("Go on.")] },
        Message::assistant(vec![Block::Thinking { thinking: "Cut.".to_owned(), signature: String::new() }]),
        Message {
            role: Role::User,
            content: vec![Block::Image { media_type: "image/png".to_owned(), data: "AAAA".to_owned() }],
        },
        Message::assistant(vec![Block::text("One.")]),
        Message::assistant(vec![Block::text("Two."), call("c3")]),
        Message { role: Role::User, content: vec![result("c3", false)] },
    ];
    let system = ["You work here.", "Well."].map(|text| SystemPart { text: text.to_owned() });
    let schema = json!({ "type": "object", "additionalProperties": false });
    let tools = [ToolSpec { name: "read".to_owned(), description: "Reads.".to_owned(), input_schema: schema.clone() }];
    let made = body(&request(&messages, &system, &tools), ProviderKind::Compatible, Without::default());
    let calls = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "read", "arguments": arguments } });
    let expected = json!({
        "model": "qwen3",
        "max_tokens": 8_000,
        "stream": true,
        "stream_options": { "include_usage": true },
        "tools": [{ "type": "function", "function":
            { "name": "read", "description": "Reads.", "parameters": schema } }],
        "messages": [
            { "role": "system", "content": "You work here.\n\nWell." },
            { "role": "user", "content": "Add a command.\n\nAnd a test." },
            { "role": "assistant", "content": "I look.",
                "tool_calls": [calls("c1", "{\"path\":\"a\"}"), calls("c2", "{}")] },
            { "role": "tool", "tool_call_id": "c1", "content": "so" },
            { "role": "tool", "tool_call_id": "c2", "content": "The call failed: so" },
            { "role": "user", "content": [
                { "type": "text", "text": "Go on." },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
            ] },
            { "role": "assistant", "content": "One.\n\nTwo.", "tool_calls": [calls("c3", "{\"path\":\"a\"}")] },
            { "role": "tool", "tool_call_id": "c3", "content": "so" },
        ],
    });
    assert_eq!(made, expected);
}

#[test]
fn google_gets_its_seals_back_and_no_words_that_it_refuses() {
    let extra = json!({ "google": { "thought_signature": "sealed" } });
    let sealed =
        Block::Sealed { dialect: NAME.to_owned(), item: json!({ "tool_call_id": "c1", "extra_content": extra }) };
    let messages = [
        Message::user("Hi."),
        Message::assistant(vec![sealed, call("c1"), call("c2")]),
        Message { role: Role::User, content: vec![result("c1", false), result("c2", false)] },
        Message::assistant(vec![call("c3")]),
        Message { role: Role::User, content: vec![result("c3", false)] },
    ];
    let nested = json!({ "type": "object", "additionalProperties": false,
        "properties": { "tasks": { "type": "array", "items": { "type": "object", "additionalProperties": false } } } });
    let tools = [ToolSpec { name: "plan".to_owned(), description: String::new(), input_schema: nested }];
    let made = body(&request(&messages, &[], &tools), ProviderKind::Google, Without::default());
    let calls = &made["messages"][1]["tool_calls"];
    assert_eq!(calls[0]["extra_content"], extra);
    assert!(calls[1]["extra_content"].is_null(), "the first of an answer alone has one");
    let foreign = &made["messages"][4]["tool_calls"][0]["extra_content"];
    assert_eq!(*foreign, json!({ "google": { "thought_signature": NO_SEAL } }), "another model made this call");
    assert!(!made["tools"].to_string().contains("additionalProperties"));
    assert_eq!(made["reasoning_effort"], "high");
    let other = body(&request(&messages, &[], &tools), ProviderKind::Compatible, Without::default());
    assert!(other["reasoning_effort"].is_null() && !other["messages"].to_string().contains(NO_SEAL));
}

#[test]
fn a_call_that_is_owed_is_asked_for() {
    let messages = [Message::user("Hi.")];
    let tools = [ToolSpec { name: "keep".to_owned(), description: String::new(), input_schema: json!({}) }];
    let owed = Request { must_call: true, ..request(&messages, &[], &tools) };
    assert_eq!(body(&owed, ProviderKind::Compatible, Without::default())["tool_choice"], "required");
    let free = request(&messages, &[], &tools);
    assert!(body(&free, ProviderKind::Compatible, Without::default())["tool_choice"].is_null());
}

#[test]
fn what_a_server_does_not_take_is_left_out() {
    let messages = [Message::user("Hi.")];
    let without = Without { usage: true, max_tokens: true, reasoning: true, ..Without::default() };
    let made = body(&request(&messages, &[], &[]), ProviderKind::Google, without);
    assert!(made["stream_options"].is_null() && made["max_tokens"].is_null() && made["reasoning_effort"].is_null());
    assert_eq!(made["max_completion_tokens"], 8_000);
}

fn picture(data: &str) -> Picture {
    let id = guildhall_types::AttachmentId::new();
    Picture { id, media_type: "image/png".to_owned(), size: 3, data: data.to_owned() }
}

#[test]
fn kept_images_follow_their_results_as_if_they_were_said() {
    let result = |id: &str, data: &str| Block::ToolResult {
        tool_use_id: id.to_owned(),
        content: "Here.".to_owned(),
        is_error: false,
        images: vec![picture(data)],
    };
    let mut messages = Vec::new();
    said(&Message { role: Role::User, content: vec![result("c1", "AAAA"), result("c2", "")] }, &mut messages);
    let whose =
        |id: &str| json!({ "type": "text", "text": format!("The images that the call {id} of a tool returned:") });
    assert_eq!(
        messages,
        [
            json!({ "role": "tool", "tool_call_id": "c1", "content": "Here." }),
            json!({ "role": "tool", "tool_call_id": "c2", "content": "Here." }),
            json!({ "role": "user", "content": [
            whose("c1"),
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
            whose("c2"),
            { "type": "text", "text": UNSHOWN },
        ] }),
        ]
    );
}
