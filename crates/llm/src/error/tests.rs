use super::*;

#[test]
fn a_wait_in_words_is_read() {
    for (message, seconds) in [
        ("Rate limit reached. Please try again in 17 s.", Some(17.0)),
        ("try again in 1.5s", Some(1.5)),
        ("Please retry after 250ms", Some(0.25)),
        ("please try again in 2 minutes", Some(120.0)),
        ("try again in 1m30s", Some(90.0)),
        ("Try again in 2 h 5 min, or ask for more", Some(7_500.0)),
        ("retry after 99999999999999999999 s", Some(604_800.0)),
        ("retry after 1.2.3 s", None),
        ("try again in a while", None),
        ("try again in", None),
        ("overloaded", None),
    ] {
        assert_eq!(wait_in_words(message), seconds.map(Duration::from_secs_f64), "{message}");
    }
}

#[test]
fn each_status_has_its_meaning_and_only_what_may_pass_is_tried_again() {
    use ErrorKind::*;
    let table = [
        (302, NotFound),
        (400, BadRequest),
        (401, InvalidKey),
        (402, Billing),
        (403, Forbidden),
        (404, NotFound),
        (413, TooLarge),
        (418, BadRequest),
        (422, BadRequest),
        (429, RateLimited),
        (500, Server),
        (503, Server),
        (504, Server),
        (529, Overloaded),
    ];
    for (status, kind) in table {
        assert_eq!(ErrorKind::of_status(status, ""), kind, "{status}");
        assert_eq!(kind.may_pass(), status == 429 || status >= 500, "{status}");
    }
    assert_eq!(ErrorKind::of_status(400, "Your credit balance is too low"), Billing);
    assert_eq!(ErrorKind::of_status(400, "You have reached your specified API usage limits."), Billing);
}

#[test]
fn every_form_of_a_complaint_is_read() {
    let read = |text: &str| Complaint::read(&serde_json::from_str(text).unwrap());
    let said = |kind: &str, code: &str, message: &str| {
        Some(Complaint { kind: kind.to_owned(), code: code.to_owned(), message: message.to_owned() })
    };
    for (text, expected) in [
        (r#"{"type":"error","error":{"type":"api_error","message":"a"}}"#, said("api_error", "", "a")),
        (
            r#"{"error":{"message":"a","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            said("tokens", "rate_limit_exceeded", "a"),
        ),
        (
            r#"[{"error":{"code":429,"message":"a","status":"RESOURCE_EXHAUSTED"}}]"#,
            said("resource_exhausted", "429", "a"),
        ),
        (
            r#"{"object":"error","message":"a","type":"BadRequestError","code":400}"#,
            said("badrequesterror", "400", "a"),
        ),
        (r#"{"error":"a"}"#, said("", "", "a")),
        (r#"{"detail":"a"}"#, said("", "", "a")),
        (r#"{"error":null,"choices":[]}"#, None),
        (r#"{"content":[]}"#, None),
        ("[]", None),
        ("7", None),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn words_of_other_providers_are_sorted_by_what_helps() {
    use ErrorKind::*;
    for (status, kind, code, message, expected) in [
        (
            429,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, please check your plan",
            Billing,
        ),
        (
            429,
            "tokens",
            "rate_limit_exceeded",
            "Rate limit reached for gpt-x on tokens per min. Please try again in 17s.",
            RateLimited,
        ),
        (429, "tokens", "rate_limit_exceeded", "Request too large for gpt-x: Limit 30000, Requested 40000.", TooLarge),
        (429, "resource_exhausted", "429", "You exceeded your current quota. Please retry in 17.5s.", RateLimited),
        (429, "resource_exhausted", "429", "Quota exceeded for metric: x, limit: 0\nPlease retry in 17s.", Billing),
        (429, "resource_exhausted", "429", "Quota exceeded for metric: x, limit: 05, y", RateLimited),
        (400, "invalid_argument", "400", "API key not valid. Please pass a valid API key.", InvalidKey),
        (400, "invalid_request_error", "context_length_exceeded", "Too many.", PromptTooLong),
        (
            400,
            "invalid_argument",
            "400",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            PromptTooLong,
        ),
        (
            400,
            "",
            "",
            "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
            OutputTooLong,
        ),
        (400, "", "", "Invalid 'max_output_tokens': integer above maximum value.", OutputTooLong),
        (
            400,
            "",
            "400",
            "This model's maximum context length is 8192 tokens. However, you requested 17000 tokens (1000 in the messages, 16000 in the completion).",
            OutputTooLong,
        ),
        (
            400,
            "",
            "400",
            "This model's maximum context length is 8192 tokens. However, you requested 23000 tokens (7000 in the messages, 16000 in the completion).",
            PromptTooLong,
        ),
        (404, "invalid_request_error", "model_not_found", "The model does not exist.", NotFound),
        (503, "unavailable", "503", "The model is overloaded. Please try again later.", Overloaded),
        (503, "", "", "Service Unavailable", Server),
    ] {
        let said = Complaint { kind: kind.to_owned(), code: code.to_owned(), message: message.to_owned() };
        assert_eq!(ErrorKind::of(status, &said), expected, "{message}");
        let inside = ErrorKind::of_event(&said);
        assert!(inside == expected || code.is_empty(), "{message}: {inside:?}");
    }
}

#[test]
fn a_bad_max_tokens_is_no_overflow_of_the_context() {
    let message = "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens";
    assert_eq!(ErrorKind::of_status(400, message), ErrorKind::OutputTooLong);
    assert_eq!(
        ErrorKind::of_status(400, "prompt is too long: 210000 tokens > 200000 maximum"),
        ErrorKind::PromptTooLong
    );
    assert_eq!(ErrorKind::of_status(400, "messages: roles must alternate"), ErrorKind::BadRequest);
    let both = "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000";
    assert_eq!(ErrorKind::of_status(400, both), ErrorKind::PromptTooLong);
    let budget = "thinking.budget_tokens must be less than max_tokens";
    assert_eq!(ErrorKind::of_status(400, budget), ErrorKind::BadRequest);
}
