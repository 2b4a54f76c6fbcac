use guildhall_types::chat::{Message, ToolSpec};
use proptest::prelude::*;

use crate::SystemPart;

use super::*;

fn request<'a>(messages: &'a [Message], system: &'a [SystemPart], tools: &'a [ToolSpec]) -> Request<'a> {
    Request {
        model: "claude-opus-5-5",
        system,
        tools,
        messages,
        max_tokens: 8_000,
        thinking: ThinkingLevel::High,
        temperature: None,
        must_call: false,
    }
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| usize::from(key == "cache_control") + marks(value)).sum(),
        Value::Array(list) => list.iter().map(marks).sum(),
        _ => 0,
    }
}

#[test]
fn a_conversation_is_written_as_the_provider_wants_it() {
    let messages = [
        Message::user("Add a command."),
        Message::assistant(vec![
            Block::Thinking { thinking: "Hm.".to_owned(), signature: "sealed".to_owned() },
            Block::RedactedThinking { data: "bytes".to_owned() },
            Block::text(" "),
            Block::ToolUse { id: "t1".to_owned(), name: "read".to_owned(), input: json!({ "path": "a" }) },
            Block::ToolUse { id: "t2".to_owned(), name: "read".to_owned(), input: "{\"path\": ".into() },
            Block::Unknown(json!({ "type": "new_thing", "x": 1 })),
        ]),
        Message {
            role: Role::User,
            content: vec![
                Block::ToolResult {
                    tool_use_id: "t1".to_owned(),
                    content: "hello".to_owned(),
                    is_error: false,
                    images: Vec::new(),
                },
                Block::ToolResult {
                    tool_use_id: "t2".to_owned(),
                    content: "no JSON".to_owned(),
                    is_error: true,
                    images: Vec::new(),
                },
            ],
        },
        Message::user("And quickly."),
    ];
    let system = [SystemPart { text: "You work here.".to_owned() }];
    let tools = [ToolSpec { name: "read".to_owned(), description: "Reads.".to_owned(), input_schema: json!({}) }];
    insta::assert_json_snapshot!(Body(&request(&messages, &system, &tools)).whole(true));
}

#[test]
fn an_answer_that_was_cut_off_while_thinking_goes_back_without_it() {
    let thinking = |signature: &str| Block::Thinking { thinking: "Hm.".to_owned(), signature: signature.to_owned() };
    let sealed = Block::RedactedThinking { data: "bytes".to_owned() };
    let messages = [
        Message::user("One."),
        Message::assistant(vec![thinking("sealed"), sealed, thinking("")]),
        Message::user("Two."),
        Message::assistant(vec![thinking("sealed"), Block::text("Yes."), thinking("sealed")]),
        Message::user("Three."),
    ];
    let body = Body(&request(&messages, &[], &[])).whole(true);
    let roles: Vec<&str> =
        body["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(body["messages"][0]["content"].as_array().unwrap().len(), 2);
    let kept = json!([
        { "type": "thinking", "thinking": "Hm.", "signature": "sealed" },
        { "type": "text", "text": "Yes." },
    ]);
    assert_eq!(body["messages"][1]["content"], kept);
}

#[test]
fn a_paused_turn_goes_back_as_the_last_message_and_is_continued() {
    let search = Block::Unknown(json!({ "type": "server_tool_use", "id": "s", "name": "web", "input": {} }));
    let messages = [
        Message::user("One."),
        Message::assistant(vec![Block::text("I look."), search.clone()]),
        Message::assistant(vec![Block::text("Found.")]),
    ];
    for upto in [2, 3] {
        let body = Body(&request(&messages[..upto], &[], &[])).whole(true);
        assert_eq!(body["messages"].as_array().unwrap().len(), 2);
        assert_eq!(body["messages"][1]["content"].as_array().unwrap().len(), upto);
        assert_eq!(marks(&body), 1, "only on what the user said");
    }
}

#[test]
fn a_budget_leaves_room_for_an_answer() {
    let messages = [Message::user("Hi.")];
    let small = Request { model: "claude-haiku-4-5", max_tokens: 4_000, ..request(&messages, &[], &[]) };
    assert_eq!(Body(&small).whole(true)["thinking"], json!({ "type": "enabled", "budget_tokens": 2_000 }));
    let tiny = Request { max_tokens: 1_500, ..small };
    assert!(Body(&tiny).whole(true)["thinking"].is_null());
}

#[test]
fn a_call_that_is_owed_is_asked_for_without_reasoning() {
    let messages = [Message::user("Hi.")];
    let tools = [ToolSpec { name: "keep".to_owned(), description: String::new(), input_schema: json!({}) }];
    for model in ["claude-opus-5-5", "claude-haiku-4-5"] {
        let owed = Request { model, must_call: true, ..request(&messages, &[], &tools) };
        let body = Body(&owed).whole(true);
        assert_eq!((&body["tool_choice"], &body["thinking"]), (&json!({ "type": "any" }), &Value::Null));
        let free = Body(&Request { must_call: false, ..owed }).whole(true);
        assert!(free["tool_choice"].is_null() && !free["thinking"].is_null());
    }
    let nothing = Request { must_call: true, ..request(&messages, &[], &[]) };
    assert!(Body(&nothing).whole(true)["tool_choice"].is_null(), "there is nothing to call");
}

fn any_message() -> impl Strategy<Value = Message> {
    let block = prop_oneof![
        ".{0,8}".prop_map(Block::text),
        Just(Block::Thinking { thinking: "t".to_owned(), signature: "s".to_owned() }),
        Just(Block::Thinking { thinking: "t".to_owned(), signature: String::new() }),
        Just(Block::ToolUse { id: "t".to_owned(), name: "n".to_owned(), input: json!({}) }),
        Just(Block::ToolResult {
            tool_use_id: "t".to_owned(),
            content: String::new(),
            is_error: false,
            images: Vec::new()
        }),
    ];
    (any::<bool>(), prop::collection::vec(block, 0..5)).prop_map(|(user, content)| {
        let fits = |block: &Block| matches!(block, Block::Thinking { .. } | Block::ToolUse { .. }) != user;
        let role = if user { Role::User } else { Role::Assistant };
        Message { role, content: content.into_iter().filter(|b| matches!(b, Block::Text { .. }) || fits(b)).collect() }
    })
}

proptest! {
    #[test]
    fn breakpoints_are_at_most_four_and_never_on_reasoning(messages in prop::collection::vec(any_message(), 0..12)) {
        let system = [SystemPart { text: "s".to_owned() }];
        let tools = [ToolSpec { name: "n".to_owned(), description: String::new(), input_schema: json!({}) }];
        let body = Body(&request(&messages, &system, &tools)).whole(true);
        prop_assert!(marks(&body) <= 4);
        let empty = Vec::new();
        let list = body["messages"].as_array().unwrap_or(&empty);
        for pair in list.windows(2) {
            prop_assert_ne!(&pair[0]["role"], &pair[1]["role"]);
        }
        for message in list.iter().filter(|message| message["role"] == "assistant") {
            let content = message["content"].as_array().unwrap();
            prop_assert!(content.last().is_some_and(|last| last["type"] != "thinking"));
        }
        for block in list.iter().flat_map(|message| message["content"].as_array().unwrap()) {
            prop_assert!(block["cache_control"].is_null() || block["type"] != "thinking");
            prop_assert!(block["type"] != "thinking" || block["signature"] == "s");
            prop_assert!(block["type"] != "text" || !block["text"].as_str().unwrap().trim().is_empty());
        }
    }
}

fn picture(data: &str) -> Picture {
    let id = guildhall_types::AttachmentId::new();
    Picture { id, media_type: "image/png".to_owned(), size: 3, data: data.to_owned() }
}

#[test]
fn kept_images_go_with_results_and_words_in_the_place_of_those_out_of_view() {
    let result = |content: &str, images: Vec<Picture>| Block::ToolResult {
        tool_use_id: "t1".to_owned(),
        content: content.to_owned(),
        is_error: false,
        images,
    };
    let call = Block::ToolUse { id: "t1".to_owned(), name: "photo".to_owned(), input: json!({}) };
    let messages = [
        Message { role: Role::User, content: vec![Block::Picture(picture("AAAA")), Block::Picture(picture(""))] },
        Message::assistant(vec![call]),
        Message { role: Role::User, content: vec![result("Here.", vec![picture("BBBB"), picture("")])] },
    ];
    let body = Body(&request(&messages, &[], &[])).whole(false);
    let image = |data: &str| json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": data } });
    let unshown = json!({ "type": "text", "text": UNSHOWN });
    let first = body["messages"][0]["content"].as_array().unwrap();
    assert_eq!((&first[0], &first[1]["text"]), (&image("AAAA"), &unshown["text"]));
    let content = &body["messages"][2]["content"][0]["content"];
    assert_eq!(*content, json!([{ "type": "text", "text": "Here." }, image("BBBB"), unshown]));
    let bare = block(&result(" ", vec![picture("BBBB")])).unwrap();
    assert_eq!(bare["content"], json!([image("BBBB")]), "no empty text, which the provider refuses");
}
