//! Why an agent cannot go on, in words for its members.

use guildhall_llm::LlmError;
use guildhall_types::feature::Problem;
use guildhall_types::limits::RunLimits;

use crate::text::beginning;

fn problem(code: &str, message: impl Into<String>, hint: &str) -> Problem {
    Problem { code: code.to_owned(), message: message.into(), hint: hint.to_owned() }
}

pub(crate) fn of_call(error: &LlmError) -> Problem {
    problem(error.kind.code(), error.message.clone(), error.kind.hint())
}

pub(crate) fn turn_limit(limits: &RunLimits) -> Problem {
    problem(
        "turn-limit",
        format!("The agent made {} calls since a member last said something.", limits.max_turns),
        "Say in a follow-up how to go on, or raise the limit under Settings.",
    )
}

pub(crate) fn time_limit(limits: &RunLimits) -> Problem {
    problem(
        "time-limit",
        format!("The agent was at work for {} minutes.", limits.max_minutes),
        "Retry to give it as long again, or raise the limit under Settings.",
    )
}

pub(crate) fn looping(tool: &str, times: usize) -> Problem {
    problem(
        "looping",
        format!("The agent called `{tool}` {times} times in a row with the same arguments and the same result."),
        "Say in a follow-up what it should do instead, or start again with a clearer description.",
    )
}

pub(crate) fn malformed_calls(turns: u32) -> Problem {
    problem(
        "malformed-calls",
        format!("The model called tools with arguments that are no valid JSON, {turns} turns in a row."),
        "Retry, or choose another model.",
    )
}

pub(crate) fn output_limit() -> Problem {
    problem(
        "output-limit",
        "The model's answers were cut off at their greatest length, again and again.",
        "Ask for smaller steps in a follow-up, or choose a model that can answer at greater length.",
    )
}

pub(crate) fn too_long() -> Problem {
    problem(
        "output-limit",
        "The text is too long for this model to rewrite in one answer.",
        "Shorten it, or rewrite it in parts.",
    )
}

pub(crate) fn no_plan() -> Problem {
    problem(
        "no-plan",
        "The agent ended its work without proposing a plan, although it was told that a person must approve one.",
        "Ask for the plan in a follow-up, choose another model, or let the card do without approval and start it again.",
    )
}

pub(crate) fn refused(words: &str) -> Problem {
    let message = match words.trim() {
        "" => "The model declined to answer.".to_owned(),
        words => format!("The model declined to answer: {}", beginning(words, 500)),
    };
    problem("refused", message, "Put the request in other words, or choose another model.")
}
