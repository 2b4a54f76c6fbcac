//! What may come into the hub: bounded, tidy, and without secrets.

use guildhall_types::guide::glob_problem;
use guildhall_types::knowledge::draft::{
    ADDRESS, CONDITIONS, CONTENT, DESCRIPTION, KEYWORDS, PART, PRIORITY, RELATED, TAGS, TITLE, WHY,
};
use guildhall_types::knowledge::index::label;
use guildhall_types::knowledge::{KnowledgeDetails, KnowledgeDraft, KnowledgeKind, LearningConfidence, secrets};
use url::Url;

use crate::TeamError;
use crate::cards::{line, text};

/// A draft that may be written: bounded and without secrets. That a learning is verified can be said only of one that is.
pub(super) fn sound(draft: KnowledgeDraft, now: Option<LearningConfidence>) -> Result<KnowledgeDraft, TeamError> {
    if let KnowledgeDetails::Learning(of) = &draft.details
        && of.confidence == LearningConfidence::Verified
        && now != Some(LearningConfidence::Verified)
    {
        return Err(TeamError::invalid(
            "confidence",
            "say low, medium or high; a learning is verified by verifying it, at …/learnings/{id}/verify",
        ));
    }
    let mut draft = bounded(draft)?;
    for (field, text) in draft.texts_mut() {
        no_secret(field, text)?;
    }
    Ok(draft)
}

/// Refuses a text in which something looks like a secret. What it says never holds it.
pub(super) fn no_secret(field: &'static str, text: &str) -> Result<(), TeamError> {
    match secrets::find(text) {
        None => Ok(()),
        Some(found) => Err(TeamError::LooksLikeSecret { field, line: found.line, what: found.what }),
    }
}

/// A draft within its bounds, tidied.
pub(super) fn bounded(draft: KnowledgeDraft) -> Result<KnowledgeDraft, TeamError> {
    let title = if draft.kind() == KnowledgeKind::Blueprint { "name" } else { "title" };
    Ok(KnowledgeDraft {
        title: one_line(title, &draft.title, TITLE)?,
        description: text("description", &draft.description, 0, DESCRIPTION)?,
        content: text("content", &draft.content, 1, CONTENT)?,
        tags: labels("tags", &draft.tags, TAGS)?,
        related: {
            let mut related = Vec::new();
            for id in draft.related {
                if !related.contains(&id) {
                    related.push(id);
                }
            }
            if related.len() > RELATED {
                return Err(TeamError::invalid("related", format!("name at most {RELATED} items")));
            }
            related
        },
        details: details(draft.details)?,
    })
}

fn details(details: KnowledgeDetails) -> Result<KnowledgeDetails, TeamError> {
    Ok(match details {
        KnowledgeDetails::Blueprint(mut of) => {
            if !PRIORITY.contains(&of.priority) {
                let (last, first) = (PRIORITY.start(), PRIORITY.end());
                let message = format!("give a number from {last} (last) to {first} (first)");
                return Err(TeamError::invalid("priority", message));
            }
            let when = &mut of.auto_load_conditions;
            when.file_patterns = patterns("autoLoadConditions.filePatterns", &when.file_patterns)?;
            when.languages = lines("autoLoadConditions.languages", &when.languages, CONDITIONS)?;
            when.task_types = lines("autoLoadConditions.taskTypes", &when.task_types, CONDITIONS)?;
            KnowledgeDetails::Blueprint(of)
        }
        KnowledgeDetails::Entry(mut of) => {
            of.source_url = of.source_url.as_deref().map(address).transpose()?.flatten();
            of.keywords = lines("keywords", &of.keywords, KEYWORDS)?;
            KnowledgeDetails::Entry(of)
        }
        KnowledgeDetails::Learning(mut of) => {
            for (field, part) in
                [("problem", &mut of.problem), ("solution", &mut of.solution), ("prevention", &mut of.prevention)]
            {
                let words = part.as_deref().map(|words| text(field, words, 0, PART)).transpose()?;
                *part = words.filter(|words| !words.is_empty());
            }
            of.context.languages = lines("context.languages", &of.context.languages, CONDITIONS)?;
            of.context.frameworks = lines("context.frameworks", &of.context.frameworks, CONDITIONS)?;
            of.context.file_patterns = patterns("context.filePatterns", &of.context.file_patterns)?;
            KnowledgeDetails::Learning(of)
        }
    })
}

/// A reason, or none.
pub(super) fn why(why: Option<&str>) -> Result<Option<String>, TeamError> {
    let why = why.map(|words| text("why", words, 0, WHY)).transpose()?.filter(|words| !words.is_empty());
    if let Some(words) = &why {
        no_secret("why", words)?;
    }
    Ok(why)
}

/// A reason that must be given.
pub(super) fn reason(field: &'static str, words: &str) -> Result<String, TeamError> {
    let words = text(field, words, 1, WHY)?;
    no_secret(field, &words)?;
    Ok(words)
}

fn one_line(field: &'static str, words: &str, most: usize) -> Result<String, TeamError> {
    let words = line(field, words, most)?;
    match words.is_empty() {
        true => Err(TeamError::invalid(field, "write at least a word")),
        false => Ok(words),
    }
}

/// A list of lines: without empty ones, each once.
fn lines(field: &'static str, all: &[String], (most, longest): (usize, usize)) -> Result<Vec<String>, TeamError> {
    let mut out: Vec<String> = Vec::new();
    for words in all {
        let words = line(field, words, longest)?;
        if !words.is_empty() && !out.contains(&words) {
            out.push(words);
        }
    }
    match out.len() > most {
        true => Err(TeamError::invalid(field, format!("give at most {most}"))),
        false => Ok(out),
    }
}

/// Patterns of paths: what is none would never match, and nobody would know.
fn patterns(field: &'static str, all: &[String]) -> Result<Vec<String>, TeamError> {
    let all = lines(field, all, CONDITIONS)?;
    for pattern in &all {
        if let Some(problem) = glob_problem(pattern) {
            return Err(TeamError::invalid(field, format!("`{pattern}` is no pattern of paths: {problem}")));
        }
    }
    Ok(all)
}

/// Tags as the hub knows them.
fn labels(field: &'static str, all: &[String], bounds: (usize, usize)) -> Result<Vec<String>, TeamError> {
    let labels: Vec<String> = all.iter().map(|tag| label(tag)).collect();
    lines(field, &labels, bounds)
}

fn address(text: &str) -> Result<Option<String>, TeamError> {
    let text = line("sourceUrl", text, ADDRESS)?;
    if text.is_empty() {
        return Ok(None);
    }
    let url: Option<Url> = text.parse().ok().filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
    match url {
        Some(_) => Ok(Some(text)),
        None => Err(TeamError::invalid("sourceUrl", "give a whole address that begins with https:// or http://")),
    }
}
