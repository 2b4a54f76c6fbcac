use guildhall_types::chat::ToolSpec;

use super::*;
use crate::SystemPart;

fn request<'a>(messages: &'a [Message], system: &'a [SystemPart], tools: &'a [ToolSpec]) -> Request<'a> {
    Request {
        model: "gpt-6.2-sol",
        system,
        tools,
        messages,
        max_tokens: 8_000,
        thinking: ThinkingLevel::High,
        temperature: None,
        must_call: false,
    }
}

fn reasoning(id: &str) -> Block {
    let item = json!({ "type": "reasoning", "id": id, "summary": [], "encrypted_content": "gAAA" });
    Block::Sealed { dialect: NAME.to_owned(), item }
}

#[test]
fn a_conversation_is_written_as_the_provider_wants_it() {
    let messages = [
        Message {
            role: Role::User,
            content: vec![
                Block::text("Add a command."),
                Block::Image { media_type: "image/png".to_owned(), data: "AAAA".to_owned() },
            ],
        },
        Message::assistant(vec![
            Block::Thinking { thinking: "Hm.".to_owned(), signature: String::new() },
            reasoning("rs_1"),
            Block::text(" "),
            Block::ToolUse { id: "c1".to_owned(), name: "read".to_owned(), input: json!({ "path": "a" }) },
            Block::ToolUse { id: "c2".to_owned(), name: "read".to_owned(), input: "{\"path\": ".into() },
        ]),
        Message {
            role: Role::User,
            content: vec![
                Block::ToolResult {
                    tool_use_id: "c1".to_owned(),
                    content: "hello".to_owned(),
                    is_error: false,
                    images: Vec::new(),
                },
                Block::ToolResult {
                    tool_use_id: "c2".to_owned(),
                    content: "no JSON".to_owned(),
                    is_error: true,
                    images: Vec::new(),
                },
                Block::text("And quickly."),
            ],
        },
    ];
    let system = ["You work here.", "", "Well."].map(|text| SystemPart { text: text.to_owned() });
    let schema = json!({ "type": "object" });
    let tools = [ToolSpec { name: "read".to_owned(), description: "Reads.".to_owned(), input_schema: schema }];
    let body = body(&request(&messages, &system, &tools), Without::default());
    let expected = json!({
        "model": "gpt-6.2-sol",
        "instructions": "You work here.\n\nWell.",
        "max_output_tokens": 8_000,
        "stream": true,
        "store": false,
        "include": ["reasoning.encrypted_content"],
        "reasoning": { "effort": "high", "summary": "auto" },
        "tools": [{ "type": "function", "name": "read", "description": "Reads.", "parameters": { "type": "object" },
            "strict": false }],
        "input": [
            { "type": "message", "role": "user", "content": [
                { "type": "input_text", "text": "Add a command." },
                { "type": "input_image", "image_url": "data:image/png;base64,AAAA" },
            ] },
            { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA" },
            { "type": "function_call", "call_id": "c1", "name": "read", "arguments": "{\"path\":\"a\"}" },
            { "type": "function_call", "call_id": "c2", "name": "read", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c1", "output": "hello" },
            { "type": "function_call_output", "call_id": "c2", "output": "The call failed: no JSON" },
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "And quickly." }] },
        ],
    });
    assert_eq!(body, expected);
}

#[test]
fn what_others_reasoned_and_what_led_to_nothing_is_left_out() {
    let messages = [
        Message::user("One."),
        Message::assistant(vec![
            Block::Thinking { thinking: "Hm.".to_owned(), signature: "Anthropic's".to_owned() },
            Block::RedactedThinking { data: "x".to_owned() },
            Block::Unknown(json!({ "type": "server_tool_use" })),
            Block::Sealed { dialect: "completions".to_owned(), item: json!({}) },
            Block::text("Yes."),
            reasoning("rs_loose"),
        ]),
        Message::user("Two."),
        Message::assistant(vec![reasoning("rs_cut")]),
        Message::user("Three."),
        Message::assistant(vec![reasoning("rs_2"), Block::text("So.")]),
        Message::user("Four."),
    ];
    let kinds = |without: Without| {
        let body = body(&request(&messages, &[], &[]), without);
        let kinds: Vec<String> = body["input"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["role"].as_str().or(item["id"].as_str()).unwrap().to_owned())
            .collect();
        kinds.join(" ")
    };
    assert_eq!(kinds(Without::default()), "user assistant user user rs_2 assistant user");
    let without = Without { sealed: true, ..Without::default() };
    assert_eq!(kinds(without), "user assistant user user assistant user");
}

#[test]
fn a_model_that_does_not_reason_is_not_asked_to() {
    let messages = [Message::user("Hi.")];
    let old = Request { model: "gpt-4o", ..request(&messages, &[], &[]) };
    let plain = body(&old, Without::default());
    assert!(plain["reasoning"].is_null() && plain["include"].is_null());
    let taught = body(&request(&messages, &[], &[]), Without { reasoning: true, ..Without::default() });
    assert!(taught["reasoning"].is_null() && taught["include"].is_null());
    let unverified = body(&request(&messages, &[], &[]), Without { summary: true, ..Without::default() });
    assert_eq!(unverified["reasoning"], json!({ "effort": "high" }));
    let named = Request { model: "openai/gpt-9", ..request(&messages, &[], &[]) };
    assert_eq!(body(&named, Without::default())["model"], "gpt-9");
}

#[test]
fn a_call_that_is_owed_is_asked_for() {
    let messages = [Message::user("Hi.")];
    let tools = [ToolSpec { name: "keep".to_owned(), description: String::new(), input_schema: json!({}) }];
    let owed = Request { must_call: true, ..request(&messages, &[], &tools) };
    assert_eq!(body(&owed, Without::default())["tool_choice"], "required");
    assert!(body(&Request { must_call: false, ..owed }, Without::default())["tool_choice"].is_null());
}

fn picture(data: &str) -> Picture {
    let id = guildhall_types::AttachmentId::new();
    Picture { id, media_type: "image/png".to_owned(), size: 3, data: data.to_owned() }
}

#[test]
fn kept_images_go_with_results_and_words_in_the_place_of_those_out_of_view() {
    let result = Block::ToolResult {
        tool_use_id: "c1".to_owned(),
        content: "Here.".to_owned(),
        is_error: false,
        images: vec![picture("AAAA"), picture("")],
    };
    let mut items = Vec::new();
    said(&[result, Block::Picture(picture("BBBB"))], &mut items);
    let image = |data: &str| json!({ "type": "input_image", "image_url": format!("data:image/png;base64,{data}") });
    let output =
        json!([{ "type": "input_text", "text": "Here." }, image("AAAA"), { "type": "input_text", "text": UNSHOWN }]);
    assert_eq!(
        items,
        [
            json!({ "type": "function_call_output", "call_id": "c1", "output": output }),
            json!({ "type": "message", "role": "user", "content": [image("BBBB")] }),
        ]
    );
}
