//! The files that Automaker keeps of a project, read. Nothing here knows of a team: what a file says is told as it stands, what is
//! not understood is kept beside it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A card as its `feature.json` has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OldFeature {
    /// What it is called in `dependencies` of others; its folder's name when it says nothing.
    pub id: String,
    /// A few words.
    pub title: Option<String>,
    /// What to build.
    pub description: String,
    /// A label.
    pub category: Option<String>,
    /// Where it stood.
    pub status: Option<String>,
    /// 1 to 3, or whatever somebody wrote.
    pub priority: Option<Value>,
    /// The ids of what must be done first.
    pub dependencies: Vec<String>,
    /// A specification.
    pub spec: Option<String>,
    /// The model that it asked for.
    pub model: Option<String>,
    /// The branch of its work.
    pub branch_name: Option<String>,
    /// Why it stopped.
    pub error: Option<String>,
    /// Its agent's closing words.
    pub summary: Option<String>,
    /// Whether nothing is to be checked.
    pub skip_tests: Option<bool>,
    /// Whether a person approves its plan.
    pub require_plan_approval: Option<bool>,
    /// How much of a plan comes first.
    pub planning_mode: Option<String>,
    /// How hard the model thinks.
    pub thinking_level: Option<String>,
    /// The same, for models of another provider.
    pub reasoning_effort: Option<String>,
    /// Its images.
    pub images: Vec<OldFile>,
    /// Its text files.
    pub texts: Vec<OldFile>,
    /// Its plan.
    pub plan: Option<OldPlan>,
    /// Its earlier descriptions.
    pub history: Vec<OldDescription>,
    /// Everything else that the file says, and what is of another type than it should be.
    pub rest: Map<String, Value>,
    /// What is odd about the file, each a part of a sentence.
    pub odd: Vec<String>,
}

/// A file on a card.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum OldFile {
    /// Where it is.
    Path(String),
    /// The same, with more about it.
    Whole {
        /// Where it is.
        path: Option<String>,
        /// What it is called.
        filename: Option<String>,
        /// What is in it; of text files.
        content: Option<String>,
    },
}

impl OldFile {
    /// Where it is, if it says so.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Path(path) => Some(path),
            Self::Whole { path, .. } => path.as_deref(),
        }
    }

    /// What to call it.
    pub fn name(&self) -> &str {
        let named = match self {
            Self::Path(_) => None,
            Self::Whole { filename, .. } => filename.as_deref().filter(|name| !name.trim().is_empty()),
        };
        named.or(self.path()).unwrap_or("file")
    }

    /// What is in it, if that stands beside it.
    pub fn content(&self) -> Option<&str> {
        match self {
            Self::Path(_) => None,
            Self::Whole { content, .. } => content.as_deref(),
        }
    }
}

/// A plan, with the tasks that were found in it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OldPlan {
    /// pending, generating, generated, approved, rejected.
    pub status: Option<String>,
    /// Its text.
    pub content: Option<String>,
    /// Its tasks.
    pub tasks: Vec<OldTask>,
    /// What else it says.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A task of a plan.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OldTask {
    /// Such as `T001`.
    pub id: Option<String>,
    /// What is to be done.
    pub description: Option<String>,
    /// In which file.
    pub file_path: Option<String>,
    /// To which phase it belongs.
    pub phase: Option<String>,
    /// pending, in_progress, completed, failed.
    pub status: Option<String>,
}

/// An earlier description.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OldDescription {
    /// What it said.
    pub description: String,
    /// When.
    pub timestamp: Option<String>,
    /// initial, enhance, edit.
    pub source: Option<String>,
    /// How it was bettered, if a model did.
    pub enhancement_mode: Option<String>,
}

/// A step of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OldStep {
    /// What it is called.
    pub name: String,
    /// Its place.
    pub order: f64,
    /// What is to be done.
    pub instructions: String,
}

#[derive(Deserialize)]
struct OldPipeline {
    #[serde(default)]
    steps: Vec<OldStep>,
}

/// A note with what stands above it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OldNote {
    /// What stands between the lines of dashes above it, as it is.
    pub front: Option<String>,
    /// The text below.
    pub body: String,
    /// `tags` of it.
    pub tags: Vec<String>,
    /// `summary` of it.
    pub summary: Option<String>,
}

/// A text as it is kept here: without a byte order mark, each line ended by one sign.
///
/// # Errors
/// When it is no UTF-8.
pub fn text(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n"))
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_str(&text(bytes)?).map_err(|error| format!("it cannot be read as it should: {error}"))
}

/// What `feature.json` in the folder of this name says.
///
/// # Errors
/// What is wrong with it, when it is no JSON object, or says neither what to build nor what it is called.
pub fn feature(bytes: &[u8], folder: &str) -> Result<OldFeature, String> {
    let mut fields = Fields { rest: json(bytes)?, odd: Vec::new() };
    let mut old = OldFeature {
        id: fields.take("id").filter(|id: &String| !id.trim().is_empty()).unwrap_or_else(|| folder.to_owned()),
        title: fields.words("title"),
        description: fields.words("description").unwrap_or_default(),
        category: fields.words("category"),
        status: fields.words("status"),
        priority: fields.take("priority"),
        dependencies: fields.take("dependencies").unwrap_or_default(),
        spec: fields.words("spec"),
        model: fields.words("model"),
        branch_name: fields.words("branchName"),
        error: fields.words("error"),
        summary: fields.words("summary"),
        skip_tests: fields.take("skipTests"),
        require_plan_approval: fields.take("requirePlanApproval"),
        planning_mode: fields.words("planningMode"),
        thinking_level: fields.words("thinkingLevel"),
        reasoning_effort: fields.words("reasoningEffort"),
        images: fields.take("imagePaths").unwrap_or_default(),
        texts: fields.take("textFilePaths").unwrap_or_default(),
        plan: fields.take("planSpec"),
        history: fields.take("descriptionHistory").unwrap_or_default(),
        rest: Map::new(),
        odd: Vec::new(),
    };
    (old.rest, old.odd) = (fields.rest, fields.odd);
    if old.description.is_empty() {
        let title = old.title.clone().ok_or("it has neither a description nor a title: write what is to be built")?;
        old.odd.push("it has no description; its title stands for one".to_owned());
        old.description = title;
    }
    Ok(old)
}

/// The fields of a file that are still to be read.
struct Fields {
    rest: Map<String, Value>,
    odd: Vec<String>,
}

impl Fields {
    /// A field, taken out. One of another type stays, and is told.
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.rest.remove(name).filter(|value| !value.is_null())?;
        match T::deserialize(&value) {
            Ok(read) => Some(read),
            Err(_) => {
                self.odd.push(format!("`{name}` is not of the type that it should be"));
                self.rest.insert(name.to_owned(), value);
                None
            }
        }
    }

    /// Words, unless there are none.
    fn words(&mut self, name: &str) -> Option<String> {
        let words: String = self.take(name)?;
        let words = words.replace("\r\n", "\n").trim().to_owned();
        (!words.is_empty()).then_some(words)
    }
}

/// The steps of `pipeline.json`, in their order.
///
/// # Errors
/// What is wrong with it.
pub fn pipeline(bytes: &[u8]) -> Result<Vec<OldStep>, String> {
    let OldPipeline { mut steps } = json(bytes)?;
    steps.sort_by(|a, b| a.order.total_cmp(&b.order));
    Ok(steps)
}

/// How many categories `categories.json` has.
///
/// # Errors
/// What is wrong with it.
pub fn categories(bytes: &[u8]) -> Result<usize, String> {
    json::<Vec<String>>(bytes).map(|names| names.len())
}

/// A Markdown file with what stands above it. Of that only the simplest YAML is understood; the rest is kept as it is.
///
/// # Errors
/// When it is no UTF-8.
pub fn note(bytes: &[u8]) -> Result<OldNote, String> {
    let text = text(bytes)?;
    let parts = text.strip_prefix("---\n").and_then(|rest| {
        let rest = format!("\n{rest}");
        let (front, body) = rest.split_once("\n---\n").or_else(|| Some((rest.strip_suffix("\n---")?, "")))?;
        Some((front.trim_matches('\n').to_owned(), body.trim().to_owned()))
    });
    let Some((front, body)) = parts else {
        return Ok(OldNote { body: text.trim().to_owned(), ..OldNote::default() });
    };
    let tags = list(&front, "tags");
    let summary = scalar(&front, "summary");
    Ok(OldNote { front: (!front.is_empty()).then_some(front), body, tags, summary })
}

/// What stands behind a name at the beginning of a line.
fn value<'a>(front: &'a str, name: &str) -> Option<&'a str> {
    front.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

fn bare(word: &str) -> String {
    let word = word.trim();
    let quoted = ['"', '\''].iter().find_map(|q| word.strip_prefix(*q)?.strip_suffix(*q));
    quoted.unwrap_or(word).trim().to_owned()
}

fn scalar(front: &str, name: &str) -> Option<String> {
    let said = bare(value(front, name)?);
    (!said.is_empty() && !matches!(said.as_str(), "|" | ">" | "|-" | ">-")).then_some(said)
}

/// A list, in one line between brackets, or in lines that begin with a dash.
fn list(front: &str, name: &str) -> Vec<String> {
    let items: Vec<String> = match value(front, name) {
        None => return Vec::new(),
        Some("") => {
            let below = front.lines().skip_while(|line| !line.starts_with(&format!("{name}:"))).skip(1);
            below.map_while(|line| line.trim_start().strip_prefix("- ")).map(bare).collect()
        }
        Some(said) => {
            let inner = said.strip_prefix('[').and_then(|said| said.strip_suffix(']')).unwrap_or(said);
            inner.split(',').map(bare).collect()
        }
    };
    items.into_iter().filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests;
