//! An item as a Markdown file: what it is in a front matter, its text below. Written here, every value is one line of JSON,
//! which is YAML, too; what people write by hand is read in the simple forms of YAML that such files have: words, quoted
//! words, numbers, and lists in brackets or in lines of their own.

mod fields;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    BlueprintDraft, EntryDraft, KnowledgeDetails, KnowledgeDraft, KnowledgeItem, KnowledgeKind, KnowledgeReview,
    LearningConfidence, LearningDraft,
};
use crate::KnowledgeId;

/// What stands before and after the front matter.
const FENCE: &str = "---";
/// Lines of a front matter at most.
const LINES: usize = 500;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkdownItem {
    /// What it says of the item. That a learning is verified is the hub's to say: it comes as `high`.
    pub draft: KnowledgeDraft,
    /// Which item it was when it was written out, if it was.
    pub id: Option<KnowledgeId>,
    /// How it stood then.
    pub review: Option<KnowledgeReview>,
}

/// An item as a Markdown file.
pub fn render(item: &KnowledgeItem) -> String {
    let draft = item.draft();
    let mut lines = vec![FENCE.to_owned()];
    let mut put = |name: &str, value: Value| {
        let empty = value.is_null() || value == json!("") || value == json!([]);
        if !empty {
            lines.push(format!("{name}: {value}"));
        }
    };
    put("kind", json!(draft.kind()));
    put("id", json!(item.id()));
    put(if draft.kind() == KnowledgeKind::Blueprint { "name" } else { "title" }, json!(draft.title));
    put("description", json!(draft.description));
    put("tags", json!(draft.tags));
    put("related", json!(draft.related));
    let details = match &draft.details {
        KnowledgeDetails::Blueprint(of) => fields(of),
        KnowledgeDetails::Entry(of) => fields(of),
        KnowledgeDetails::Learning(of) => fields(of),
    };
    for (name, value) in details {
        put(&name, value);
    }
    if draft.kind() == KnowledgeKind::Learning {
        put("review", json!(item.standing.review));
    }
    put("version", json!(item.common.version));
    put("updatedAt", json!(item.common.updated_at));
    lines.push(FENCE.to_owned());
    format!("{}\n\n{}\n", lines.join("\n"), draft.content)
}

fn fields(of: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// A name for an item's file, of letters, digits and lines: its title, shortened, and its id.
pub fn file_name(item: &KnowledgeItem) -> String {
    let mut slug = String::new();
    for word in super::words::words(&item.title).into_iter().filter(|word| !word.part) {
        let plain: String = word.text.chars().filter(char::is_ascii_alphanumeric).collect();
        if plain.is_empty() || slug.len() + plain.len() > 40 {
            continue;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&plain);
    }
    let slug = if slug.is_empty() { "item".to_owned() } else { slug };
    format!("{}/{slug}-{}.md", item.kind().plural(), item.id())
}

/// Reads a file.
///
/// # Errors
/// A sentence that says what cannot be read and what is expected.
pub fn parse(text: &str) -> Result<MarkdownItem, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some(FENCE) {
        return Err("begin the file with a line of three dashes, and put kind and title below it".to_owned());
    }
    let mut map: Map<String, Value> = Map::new();
    let mut list: Option<String> = None;
    let mut closed = false;
    let mut read = 1;
    for line in lines.by_ref() {
        read += 1;
        if read > LINES {
            break;
        }
        let line = line.trim_end();
        if line == FENCE {
            closed = true;
            break;
        }
        if line.trim_start().starts_with('#') || line.is_empty() {
            continue;
        }
        if let (Some(name), Some(entry)) = (&list, line.trim_start().strip_prefix("- ")) {
            if let Some(Value::Array(all)) = map.get_mut(name) {
                all.push(scalar(entry));
            }
            continue;
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| format!("line {read}: write a name, a colon and a value"))?;
        let (name, value) = (name.trim().to_owned(), value.trim());
        if map.contains_key(&name) {
            return Err(format!("line {read}: {name} stands there twice"));
        }
        list = value.is_empty().then(|| name.clone());
        map.insert(name, if value.is_empty() { json!([]) } else { scalar(value) });
    }
    if !closed {
        return Err("end the front matter with a line of three dashes".to_owned());
    }
    let content: Vec<&str> = lines.collect();
    map.insert("content".to_owned(), json!(content.join("\n").trim()));
    item(map)
}

/// A value: JSON, a list in brackets, or the words as they stand there.
fn scalar(text: &str) -> Value {
    let text = text.trim();
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let entries = inside.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        return Value::Array(entries.map(|entry| Value::String(unquoted(entry).to_owned())).collect());
    }
    Value::String(unquoted(text).to_owned())
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    within('\'').or_else(|| within('"')).unwrap_or(text)
}

fn item(mut map: Map<String, Value>) -> Result<MarkdownItem, String> {
    let word =
        |map: &mut Map<String, Value>, name: &str| map.remove(name).and_then(|value| value.as_str().map(str::to_owned));
    let kind = word(&mut map, "kind").ok_or("say what kind it is: blueprint, entry or learning")?;
    let kind: KnowledgeKind = kind.parse().map_err(|_| "kind: say blueprint, entry or learning".to_owned())?;
    let id = word(&mut map, "id").and_then(|id| id.parse().ok());
    let review = word(&mut map, "review").and_then(|review| review.parse().ok());
    // The hub's own to say; they are written out for people.
    for name in ["version", "createdAt", "updatedAt"] {
        map.remove(name);
    }
    let own = if kind == KnowledgeKind::Blueprint { "name" } else { "title" };
    for other in ["name", "title"] {
        if other != own
            && !map.contains_key(own)
            && let Some(value) = map.remove(other)
        {
            map.insert(own.to_owned(), value);
        }
    }
    let mut map = fields::fitted(kind, map)?;
    let verified = json!(LearningConfidence::Verified);
    if let Some(value) = map.get_mut("confidence").filter(|value| **value == verified) {
        *value = json!(LearningConfidence::High);
    }
    let map = Value::Object(map);
    let read = |error: serde_json::Error| error.to_string();
    let draft = match kind {
        KnowledgeKind::Blueprint => serde_json::from_value::<BlueprintDraft>(map).map_err(read)?.into(),
        KnowledgeKind::Entry => serde_json::from_value::<EntryDraft>(map).map_err(read)?.into(),
        KnowledgeKind::Learning => serde_json::from_value::<LearningDraft>(map).map_err(read)?.into(),
    };
    Ok(MarkdownItem { draft, id, review })
}

#[cfg(test)]
mod tests;
