//! What matters of a conversation for the choice of the next answer.

use serde_json::Value;

use crate::rewrite;
use crate::script::{Pass, Planning, Prompts};
use crate::stream::{PAUSE, number_of};

/// The tool that proposes a plan, where one is to be approved.
const PROPOSE: &str = "propose_plan";

/// The tool of a step of the pipeline, and what its instructions and the word of an earlier look begin with.
const REQUEST: &str = "request_changes";
const STEP: &str = "# Your step: ";
const ASKED: &str = " of this step asked for these changes.";

/// The tool that is there when it is asked what of its work is worth keeping.
const NOTHING: &str = "nothing_to_keep";

/// A conversation as the simulated model sees it.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) prompts: Prompts,
    /// Answers since the latest prompt.
    pub(crate) answers: usize,
    /// Whether a tool that the latest answer called answered with an error.
    pub(crate) failed: bool,
    /// Whether the conversation is to be summarised.
    pub(crate) wants_summary: bool,
}

impl Conversation {
    pub(crate) fn read(body: &Value) -> Self {
        let mut prompts = Prompts::default();
        let mut answers = 0;
        let mut any = false;
        let mut failed = false;
        let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        prompts.planning = tools.iter().any(|tool| tool["name"] == PROPOSE).then(Planning::default);
        let writes = |tool: &Value| matches!(tool["name"].as_str(), Some("write" | "edit"));
        prompts.looks = !tools.is_empty() && !tools.iter().any(writes);
        prompts.keeps = tools.iter().any(|tool| tool["name"] == NOTHING);
        let system = body["system"].as_array().map(Vec::as_slice).unwrap_or_default();
        prompts.step = tools.iter().any(|tool| tool["name"] == REQUEST).then(|| {
            let instructions = texts(system).find_map(|text| text.split_once(STEP)).map(|(_, rest)| rest.to_owned());
            let first = body["messages"][0]["content"].as_array().map(Vec::as_slice).unwrap_or_default();
            let before = texts(first).map(|text| text.matches(ASKED).count()).sum();
            Pass { instructions: instructions.unwrap_or_default(), before }
        });
        let mut proposed = false;
        for message in body["messages"].as_array().into_iter().flatten() {
            let content = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
            if message["role"] == "assistant" {
                answers = after(content, answers);
                failed = false;
                proposed = content.iter().any(|block| block["type"] == "tool_use" && block["name"] == PROPOSE);
                continue;
            }
            failed |= content.iter().any(|block| block["is_error"] == true);
            if let (Some(planning), Some(tasks)) = (&mut prompts.planning, texts(content).find_map(approved_tasks)) {
                planning.tasks = Some(tasks);
            }
            let texts: Vec<&str> = texts(content).filter(|text| !text.trim_start().starts_with("<note>")).collect();
            if texts.is_empty() {
                continue;
            }
            let text = texts.join("\n\n");
            if content.iter().any(|block| block["type"] == "tool_result") {
                match &mut prompts.planning {
                    Some(planning) if proposed => planning.feedback.push(text),
                    _ => prompts.meanwhile.push(text),
                }
            } else {
                prompts = Prompts { later: any, prompt: text, meanwhile: Vec::new(), ..prompts };
                answers = 0;
            }
            any = true;
        }
        let asked = texts(system).chain([prompts.prompt.as_str()]).any(|text| text.to_lowercase().contains("summar"));
        let wants_summary = body["tools"].is_null() && asked && rewrite::asked(&prompts.prompt).is_none();
        Self { answers, failed, wants_summary, prompts }
    }
}

/// The tasks of a plan that somebody changed while approving it, as the note about that lists them.
fn approved_tasks(text: &str) -> Option<Vec<String>> {
    let (_, list) = text.strip_prefix("<note>")?.rsplit_once("\n# Its tasks\n")?;
    let tasks = list.lines().filter_map(|line| line.strip_prefix("- "));
    Some(tasks.map(|task| task.trim_end_matches("</note>").to_owned()).collect())
}

fn texts(content: &[Value]) -> impl Iterator<Item = &str> {
    content.iter().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str())
}

/// How many answers there are with this message. The calls of tools bear the number of their answer, so that a
/// conversation whose beginning was replaced by a summary goes on where it was.
fn after(content: &[Value], before: usize) -> usize {
    if let Some(number) = content.iter().rev().find_map(|block| number_of(block["id"].as_str()?)) {
        return number + 1;
    }
    // A turn that was paused and what came after it are one message.
    let resumed = content.iter().rev().skip(1).filter(|block| block["type"] == PAUSE).count();
    before + 1 + resumed
}
