//! What the simulated model does: a list of steps, one for each of its answers, chosen by the conversation alone.
//!
//! A prompt may bring its own script, as a fenced block of JSON lines:
//!
//! ````text
//! ```sim
//! {"think": "I look first.", "say": "Let me see.", "tools": [["read", {"path": "README.md"}]]}
//! {"fault": {"kind": "overloaded", "times": 2}, "say": "Done."}
//! ```
//! ````
//!
//! A second block of the same kind, which begins with ```` ```keep ````, answers the question what of the work is worth keeping;
//! one that begins with ```` ```again ````, an answer that was sent back because of its form.
//!
//! Without one, it reads, edits and tests the files by itself. Which step is next follows from the number of answers since
//! the prompt, so that the simulator needs no memory and a conversation that is resumed goes on where it was.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{persona, rewrite};

/// One answer of the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Reasoning.
    pub think: Option<String>,
    /// Reasoning that only the provider can read.
    pub redacted: Option<String>,
    /// Words.
    pub say: Option<String>,
    /// Tools to call: name and arguments. Arguments that are a string are sent as they are, JSON or not.
    pub tools: Vec<(String, Value)>,
    /// Why it stops; `tool_use` when there are tools, otherwise `end_turn`.
    pub stop: Option<String>,
    /// What goes wrong before or in this answer.
    pub fault: Option<ScriptedFault>,
    /// Milliseconds of silence (but for pings) before the first word.
    pub silence_ms: u64,
    /// Do this step again for ever.
    pub forever: bool,
    /// Do this step again as long as one of its tools answers with an error, as far as the protocol tells of that.
    pub insist: bool,
}

/// A fault, so many times at this point of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptedFault {
    /// What goes wrong.
    pub kind: Fault,
    /// How often, before the answer comes after all.
    #[serde(default = "once")]
    pub times: u32,
}

const fn once() -> u32 {
    1
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// 429 with `retry-after: 1`.
    RateLimited,
    /// 429 that says nothing of when.
    RateLimitedSilently,
    /// 500.
    Server,
    /// 529.
    Overloaded,
    /// 401.
    BadKey,
    /// The account has nothing left to spend; OpenAI says so with 429.
    NoQuota,
    /// 400 for an overlong prompt.
    PromptTooLong,
    /// 400 for an image that it cannot read.
    BadImage,
    /// No headers, ever.
    HangBeforeHeaders,
    /// Headers, the beginning of an answer, then nothing.
    Hang,
    /// The connection breaks in the middle of an event.
    Cut,
    /// Bytes that are no events.
    Garbage,
    /// An overload inside a 200 stream.
    OverloadedInStream,
    /// A rate limit inside a 200 stream, with the wait in words.
    RateLimitedInStream,
    /// The same, with a wait of 17 seconds.
    RateLimitedInStreamForLong,
}

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompts {
    /// Whether something else was asked for and answered before.
    pub later: bool,
    /// The latest prompt.
    pub prompt: String,
    /// What was said while it was worked on.
    pub meanwhile: Vec<String>,
    /// What is to be planned first, if a plan is to be proposed.
    pub planning: Option<Planning>,
    /// What the model is to do as a step of the pipeline, which looks at the work of another.
    pub step: Option<Pass>,
    /// It has no tool that writes files: it is asked to look and to answer.
    pub looks: bool,
    /// It is asked what of its work is worth keeping; `prompt` tells of the work.
    pub keeps: bool,
}

/// A look at the work of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pass {
    /// The step's instructions. They may bring a script for each look; the last one holds for all later ones.
    pub instructions: String,
    /// Looks that came before and asked for changes.
    pub before: usize,
}

/// What came of the plans that were proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planning {
    /// What was said to a plan in place of a yes; each calls for another plan.
    pub feedback: Vec<String>,
    /// The tasks of the plan as somebody changed it while approving.
    pub tasks: Option<Vec<String>>,
}

/// The steps that answer what was asked for.
pub fn steps(prompts: &Prompts) -> Vec<Step> {
    if prompts.keeps {
        // Whoever scripts the work scripts this as well, or nothing comes of it.
        let scripted = prompts.prompt.contains("```sim");
        return fenced(&prompts.prompt, KEEP).unwrap_or_else(|| persona::keep(&prompts.prompt, scripted));
    }
    if let Some(text) = rewrite::asked(&prompts.prompt) {
        let whole = || vec![Step { say: Some(text), ..Step::default() }];
        return fenced(&prompts.prompt, SCRIPT).unwrap_or_else(whole);
    }
    if let Some(pass) = &prompts.step {
        let mut scripts: Vec<Vec<Step>> = Vec::new();
        let mut rest = pass.instructions.as_str();
        while let Some(own) = fenced(rest, SCRIPT) {
            scripts.push(own);
            rest = rest.split_once(SCRIPT).and_then(|(_, rest)| rest.split_once("```")).map_or("", |(_, rest)| rest);
        }
        let last = scripts.len().saturating_sub(1);
        return scripts.into_iter().nth(pass.before.min(last)).unwrap_or_else(|| persona::pass(&pass.instructions));
    }
    let again = fenced(&prompts.prompt, AGAIN).filter(|_| prompts.prompt.contains(SENT_BACK));
    let mut steps = match again.or_else(|| fenced(&prompts.prompt, SCRIPT)) {
        Some(own) => own,
        None if prompts.looks => persona::look(&prompts.prompt),
        None if prompts.later => persona::follow_up(&prompts.prompt),
        None => persona::work(&prompts.prompt, prompts.planning.as_ref()),
    };
    for said in &prompts.meanwhile {
        if let Some(own) = fenced(said, SCRIPT) {
            steps.extend(own);
            continue;
        }
        // The closing words come once, after everything.
        steps.pop_if(|last| last.tools.is_empty());
        steps.extend(match prompts.looks {
            true => persona::look(said),
            false => persona::follow_up(said),
        });
    }
    steps
}

/// What a script begins with, one for the question of what is worth keeping, and one for an answer that was sent back.
const SCRIPT: &str = "```sim";
const KEEP: &str = "```keep";
const AGAIN: &str = "```again";
/// What a system says to an agent whose answer it sends back.
const SENT_BACK: &str = "is not of the form that is asked for";

/// The script that a prompt brings; a line that cannot be read is said aloud, so that a typing error shows.
fn fenced(prompt: &str, fence: &str) -> Option<Vec<Step>> {
    let (_, rest) = prompt.split_once(fence)?;
    let (script, _) = rest.split_once("```")?;
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    Some(
        lines
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| Step {
                    say: Some(format!("This line of the script cannot be read ({error}): {line}")),
                    ..Step::default()
                })
            })
            .collect(),
    )
}

/// The step after `answers` answers; `failed` says whether a tool that the last of them called answered with an error.
pub fn step(steps: &[Step], answers: usize, failed: bool) -> (usize, Step) {
    let again = answers.checked_sub(1).filter(|last| failed && steps.get(*last).is_some_and(|step| step.insist));
    let answers = again.unwrap_or(answers);
    (answers, nth(steps, answers))
}

fn nth(steps: &[Step], answers: usize) -> Step {
    if let Some(forever) = steps.iter().take(answers + 1).find(|step| step.forever) {
        return forever.clone();
    }
    steps
        .get(answers)
        .cloned()
        .unwrap_or_else(|| Step { say: Some("Nothing is left to do.".to_owned()), ..Step::default() })
}
