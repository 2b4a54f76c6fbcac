//! What a card of Automaker becomes: nothing of it is lost, and what becomes something else is told.

use guildhall_git::check_branch;
use guildhall_llm::models;
use guildhall_types::feature::{PlanningMode, ThinkingLevel};
use guildhall_types::feature_text::KEPT;
use guildhall_types::{DateTime, FeatureId, plan};
use serde_json::{Value, json};

use super::format::{OldDescription, OldFeature, OldPlan};
use crate::attachments::SentFile;
use crate::cards::{CATEGORY, DESCRIPTION, NewCard, TITLE};

/// Characters of an error that stand in the description.
const ERROR: usize = 2_000;

/// What the repository here has of the branch that a card names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    /// There is none of this name.
    Absent,
    /// All of it is in the default branch.
    Merged,
    /// It has what the default branch lacks.
    Open,
    /// There is no repository to look in yet.
    Unknown,
}

/// Where a card stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stood {
    /// Nobody had begun it.
    Waiting,
    /// Its agent was at work, or had failed.
    Begun,
    /// Its agent was done, and nobody had found the work good.
    Shown,
    /// The work was found good.
    Verified,
    /// It was put away as done.
    Completed,
    /// Nobody knows.
    Unknown,
}

impl Stood {
    fn of(status: &str) -> Self {
        match status {
            "backlog" | "pending" | "ready" => Self::Waiting,
            "running" | "in_progress" | "failed" | "interrupted" => Self::Begun,
            "waiting_approval" => Self::Shown,
            "verified" => Self::Verified,
            "completed" => Self::Completed,
            other if other.starts_with("pipeline_") => Self::Begun,
            _ => Self::Unknown,
        }
    }
}

/// What a card becomes.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) card: NewCard,
    /// It is kept as completed.
    pub(super) done: bool,
    pub(super) summary: Option<String>,
    /// What the card has no place for, as files.
    pub(super) files: Vec<SentFile>,
    /// What became something else, each a part of a sentence.
    pub(super) changed: Vec<String>,
    /// What the description was before, and since when.
    pub(super) earlier: Vec<(DateTime, String)>,
}

/// What is gathered on the way.
struct Gathered {
    old: OldFeature,
    /// What is told in the description.
    notes: Vec<String>,
    changed: Vec<String>,
    files: Vec<SentFile>,
}

impl Gathered {
    /// Something that the card has no place for stays in the file of what is left.
    fn keep(&mut self, name: &str, value: impl Into<Value>) {
        self.old.rest.insert(name.to_owned(), value.into());
    }

    fn file(&mut self, name: &str, text: &str) {
        if !text.trim().is_empty() {
            self.files.push(SentFile { name: name.to_owned(), bytes: format!("{}\n", text.trim_end()).into_bytes() });
        }
    }
}

/// What a card becomes, whose dependencies here are these, and those that are not here those. `shared` says that another card has
/// its branch.
pub(super) fn mapped(
    old: OldFeature,
    branch: Branch,
    shared: bool,
    dependencies: Vec<FeatureId>,
    lost: Vec<String>,
) -> Mapped {
    let mut of = Gathered { notes: Vec::new(), changed: old.odd.clone(), files: Vec::new(), old };
    let done = stood(&mut of, branch);
    let branch = branch_of(&mut of, branch, shared, done);
    if !lost.is_empty() {
        of.notes.push(format!("It depended on cards that did not come in, or that depend on it: {}.", lost.join(", ")));
        of.changed.push(format!("it does not wait for {}, which did not come in, or waits for it", lost.join(", ")));
        of.keep("dependenciesNotHere", lost);
    }
    let title = one_line(&mut of, "title", TITLE);
    let category = one_line(&mut of, "category", CATEGORY);
    let (planning_mode, require_plan_approval) = planning(&mut of);
    let mut card = NewCard {
        title,
        category,
        priority: Some(priority(&mut of)),
        model: model(&mut of),
        thinking_level: thinking(&mut of),
        planning_mode: Some(planning_mode),
        require_plan_approval: Some(require_plan_approval),
        skip_verification: of.old.skip_tests,
        branch,
        dependencies,
        ..NewCard::default()
    };
    let earlier = earlier(&mut of);
    let summary = texts(&mut of, done);
    let Gathered { mut old, notes, changed, mut files } = of;
    card.description = std::mem::take(&mut old.description);
    told(&mut card.description, &notes, &mut files);
    if !old.rest.is_empty() {
        old.rest.insert("id".to_owned(), json!(old.id));
        let left = serde_json::to_vec_pretty(&old.rest).unwrap_or_default();
        files.push(SentFile { name: "automaker.json".to_owned(), bytes: left });
    }
    Mapped { card, done, summary, files, changed, earlier }
}

/// Whether it is kept as done. Whatever else it was, it is in the backlog here: its run is not.
fn stood(of: &mut Gathered, branch: Branch) -> bool {
    let status = of.old.status.take().unwrap_or_else(|| "backlog".to_owned());
    let stood = Stood::of(&status);
    let named = of.old.branch_name.is_some();
    let done = match stood {
        Stood::Completed => true,
        // One that names no branch was worked on in the project's folder itself: there is none that could be missing here.
        Stood::Verified => !named || branch == Branch::Merged,
        _ => false,
    };
    let note = match stood {
        Stood::Waiting => None,
        Stood::Begun => Some("an agent had begun it, and its run is not here"),
        Stood::Shown => Some("an agent had done it, and nobody had found it good yet"),
        Stood::Verified if !named => {
            Some("its work was found good in the project's folder itself, on no branch of its own")
        }
        Stood::Verified => Some(match branch {
            Branch::Merged => "its work was found good, and is on the default branch",
            Branch::Open => "its work was found good, and is not on the default branch",
            Branch::Absent => "its branch is not here; whether it was merged is not known",
            Branch::Unknown => "whether its branch was merged is seen only when the project is here",
        }),
        Stood::Completed => Some("its work was done there"),
        Stood::Unknown => Some("no such status is known"),
    };
    if let Some(why) = note {
        of.notes.push(format!("It was `{}`: {why}.", status.replace('`', "'")));
        if !done {
            of.changed.push(format!("{status} became backlog: {why}"));
        } else if stood == Stood::Verified {
            of.changed.push(format!("verified became completed: {why}"));
        }
    }
    done
}

/// The branch that it is to work on: only one that an agent can make.
fn branch_of(of: &mut Gathered, branch: Branch, shared: bool, done: bool) -> Option<String> {
    let name = of.old.branch_name.take()?;
    let shown = name.replace('`', "'");
    if check_branch(&name).is_err() {
        of.changed.push("its branch has no name that git takes, and was left out".to_owned());
        of.keep("branchName", name);
        return None;
    }
    if done {
        of.notes.push(format!("Its branch was `{shown}`."));
        return None;
    }
    let why = match branch {
        Branch::Open => format!("Its work may be on the branch `{shown}`, which is in this repository."),
        Branch::Merged => format!("Its branch `{shown}` is in this repository, and in the default branch already."),
        Branch::Absent | Branch::Unknown if shared => format!("It shared the branch `{shown}` with another card."),
        Branch::Absent | Branch::Unknown => return Some(name),
    };
    of.notes.push(why);
    of.changed.push(format!("it gets a branch of its own in place of {name}"));
    None
}

/// A title or a category, as one line that is not too long.
fn one_line(of: &mut Gathered, name: &str, most: usize) -> Option<String> {
    let whole = if name == "title" { of.old.title.take()? } else { of.old.category.take()? };
    let words: Vec<&str> =
        whole.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= most {
        return Some(line);
    }
    of.changed.push(format!("its {name} was cut to {most} characters"));
    of.keep(name, whole);
    Some(line.chars().take(most - 1).chain(['…']).collect())
}

fn planning(of: &mut Gathered) -> (PlanningMode, bool) {
    let mode = match of.old.planning_mode.take() {
        None => PlanningMode::Skip,
        Some(name) => name.parse().unwrap_or_else(|_| {
            of.changed.push(format!("the planning mode {name} is not known; it became skip"));
            of.keep("planningMode", name);
            PlanningMode::Skip
        }),
    };
    let wanted = of.old.require_plan_approval.unwrap_or(false);
    let approved = wanted && plan::can_be_approved(mode);
    if wanted && !approved {
        of.changed.push("it makes no plan, so that none is to be approved".to_owned());
        of.keep("requirePlanApproval", true);
    }
    (mode, approved)
}

/// How hard the model thinks. Cards of other providers' models said it as an effort, beside a level of `none`.
fn thinking(of: &mut Gathered) -> Option<ThinkingLevel> {
    let (level, effort) = (of.old.thinking_level.take(), of.old.reasoning_effort.take());
    let known: Option<ThinkingLevel> = level.as_deref().and_then(|level| level.parse().ok());
    if let (Some(level), None) = (&level, known) {
        of.changed.push(format!("the thinking level {level} is not known; the usual one holds"));
        of.keep("thinkingLevel", level.as_str());
    }
    let Some(effort) = effort else { return known };
    let by_effort = match effort.as_str() {
        "none" => Some(ThinkingLevel::None),
        "minimal" | "low" => Some(ThinkingLevel::Low),
        "medium" => Some(ThinkingLevel::Medium),
        "high" => Some(ThinkingLevel::High),
        "xhigh" => Some(ThinkingLevel::Ultrathink),
        _ => None,
    };
    match (known, by_effort) {
        (None | Some(ThinkingLevel::None), Some(level)) => {
            if level.as_str() != effort {
                of.changed.push(format!("the reasoning effort {effort} became the thinking level {level}"));
            }
            Some(level)
        }
        (known, _) => {
            of.changed.push(format!("the reasoning effort {effort} was left out"));
            of.keep("reasoningEffort", effort);
            known
        }
    }
}

fn priority(of: &mut Gathered) -> i64 {
    const USUAL: i64 = 2;
    let Some(given) = of.old.priority.take() else { return USUAL };
    let words = given.as_str().map(str::trim);
    let number = given.as_i64().or_else(|| words.and_then(|words| words.parse().ok()));
    let named = match words {
        Some("high") => Some(1),
        Some("medium") => Some(2),
        Some("low") => Some(3),
        _ => None,
    };
    let priority = number.or(named).map_or(USUAL, |number| number.clamp(1, 3));
    if number != Some(priority) {
        of.changed.push(format!("the priority {given} became {priority}"));
        of.keep("priority", given);
    }
    priority
}

/// A model that is known here, or the one that an alias means now.
fn model(of: &mut Gathered) -> Option<String> {
    let name = of.old.model.take()?;
    if models::find(&name).is_some() {
        return Some(name);
    }
    let alias = name.strip_prefix("claude-").unwrap_or(&name);
    let meant = matches!(alias, "opus" | "sonnet" | "haiku" | "fable").then(|| format!("claude-{alias}-"));
    let model = meant.and_then(|start| models::all().iter().find(|model| model.id.starts_with(&start)));
    match model {
        Some(model) => of.changed.push(format!("the model {name} became {}", model.id)),
        None => of.changed.push(format!("the model {name} is not known here and was left out; the project's holds")),
    }
    of.keep("model", name);
    model.map(|model| model.id.clone().into_owned())
}

/// What the description was before, for the card's history, if it fits there; else it becomes a file with the other texts.
fn earlier(of: &mut Gathered) -> Vec<(DateTime, String)> {
    let Some(mut texts) = of.old.history.iter().map(dated).collect::<Option<Vec<_>>>() else { return Vec::new() };
    if texts.len() as i64 >= KEPT {
        return Vec::new();
    }
    let how: Vec<Value> = std::mem::take(&mut of.old.history)
        .into_iter()
        .map(|old| json!({ "timestamp": old.timestamp, "source": old.source, "enhancementMode": old.enhancement_mode }))
        .collect();
    if how.iter().any(|how| !how["enhancementMode"].is_null()) {
        of.keep("descriptionHistory", how);
    }
    // The latest may be the one that the card has.
    if texts.last().is_some_and(|(_, text)| *text == of.old.description) {
        texts.pop();
    }
    texts
}

fn dated(old: &OldDescription) -> Option<(DateTime, String)> {
    let at = old.timestamp.as_deref()?.parse().ok()?;
    let text = old.description.replace("\r\n", "\n").trim().to_owned();
    ((1..=DESCRIPTION).contains(&text.chars().count())).then_some((at, text))
}

/// Longer texts become files. Returns the closing words of work that is done.
fn texts(of: &mut Gathered, done: bool) -> Option<String> {
    if let Some(error) = of.old.error.take() {
        let cut: String = error.chars().take(ERROR).collect();
        let quoted: Vec<String> = cut.lines().map(|line| format!("  > {line}")).collect();
        of.notes.push(format!("It ended in an error:\n\n{}", quoted.join("\n")));
        if cut.len() < error.len() {
            of.keep("error", error);
        }
    }
    let summary = of.old.summary.take();
    let (summary, shown) = if done { (summary, None) } else { (None, summary) };
    of.file("summary.md", shown.as_deref().unwrap_or_default());
    let spec = of.old.spec.take().unwrap_or_default();
    of.file("specification.md", &spec);
    if let Some(plan) = of.old.plan.take() {
        of.file("plan.md", &plan_text(&plan));
        let mut left = plan.rest;
        left.extend(plan.status.map(|status| ("status".to_owned(), json!(status))));
        if !left.is_empty() {
            of.keep("planSpec", left);
        }
    }
    let history = history_text(&of.old.history);
    of.file("earlier-descriptions.md", &history);
    if !of.files.is_empty() {
        let names: Vec<String> = of.files.iter().map(|file| format!("`{}`", file.name)).collect();
        of.notes.push(format!("More of it is in the attached files: {}.", names.join(", ")));
    }
    summary
}

fn plan_text(plan: &OldPlan) -> String {
    let mut text = plan.content.as_deref().unwrap_or_default().replace("\r\n", "\n").trim_end().to_owned();
    if !plan.tasks.is_empty() {
        text.push_str("\n\n## Tasks\n");
    }
    let mut phase = None;
    for task in &plan.tasks {
        if task.phase.is_some() && task.phase != phase {
            phase.clone_from(&task.phase);
            text.push_str(&format!("\n### {}\n", phase.as_deref().unwrap_or_default()));
        }
        let status = task.status.as_deref().unwrap_or("pending");
        let mark = if status == "completed" { 'x' } else { ' ' };
        let id = task.id.as_deref().map(|id| format!("{id}: ")).unwrap_or_default();
        let file = task.file_path.as_deref().map(|file| format!(" (`{file}`)")).unwrap_or_default();
        let state = if matches!(status, "completed" | "pending") { String::new() } else { format!(", {status}") };
        let what = task.description.as_deref().unwrap_or_default();
        text.push_str(&format!("\n- [{mark}] {id}{what}{file}{state}"));
    }
    text
}

fn history_text(history: &[OldDescription]) -> String {
    let told = history.iter().map(|old| {
        let when = old.timestamp.as_deref().unwrap_or("at an unknown time");
        let how = [old.source.as_deref(), old.enhancement_mode.as_deref()];
        let how: Vec<&str> = how.into_iter().flatten().collect();
        let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
        format!("## {when}{how}\n\n{}\n", old.description.replace("\r\n", "\n").trim())
    });
    told.collect::<Vec<_>>().join("\n")
}

/// Puts what is to be told of the card below its description, or beside it where it does not fit.
fn told(description: &mut String, notes: &[String], files: &mut Vec<SentFile>) {
    if notes.is_empty() {
        return;
    }
    let notes: Vec<String> = notes.iter().map(|note| format!("- {note}")).collect();
    let notes = format!("**From Automaker**\n\n{}", notes.join("\n"));
    if description.chars().count() + notes.chars().count() + 10 > DESCRIPTION {
        files.push(SentFile { name: "from-automaker.md".to_owned(), bytes: notes.into_bytes() });
    } else {
        *description = format!("{}\n\n---\n\n{notes}", description.trim_end());
    }
}

#[cfg(test)]
mod tests;
