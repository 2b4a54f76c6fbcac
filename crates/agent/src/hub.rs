//! The team's knowledge hub, as an agent reaches it. Whoever runs an agent gives it one; the agent knows no more of it than
//! this.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Where a call stands in its run. A call that was cut off and is made again has the same place: what it did is not done
/// twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The turn; 0 when the agent is asked at the end what is worth keeping.
    pub turn: i64,
    /// The id of the call.
    pub call: &'a str,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Words.
    pub words: String,
    /// Only this kind: `blueprint`, `entry` or `learning`.
    pub kind: Option<String>,
    /// How many at most.
    pub limit: usize,
}

/// An item that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `blueprint`, `entry` or `learning`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is about, in a sentence or two.
    pub description: String,
    /// Where the words stand in it.
    pub snippet: String,
    /// How far it may be relied on, in a few words.
    pub standing: String,
}

/// An item with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What is known of it, a line each: kind, title, standing, source.
    pub about: Vec<String>,
    /// What it says, in Markdown.
    pub text: String,
}

/// What an agent learned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lesson {
    /// In a few words.
    pub title: String,
    /// In a sentence or two: what it is about and when it matters.
    pub description: String,
    /// The whole, in Markdown.
    pub content: String,
    /// `bug-fix`, `pattern` and so on; see the tool.
    #[serde(rename = "type")]
    pub of_type: String,
    /// How sure the agent is: `low`, `medium` or `high`.
    pub confidence: String,
    /// What went wrong.
    pub problem: Option<String>,
    /// What helped.
    pub solution: Option<String>,
    /// What keeps it from happening again.
    pub prevention: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Languages that it concerns.
    pub languages: Vec<String>,
    /// Frameworks that it concerns.
    pub frameworks: Vec<String>,
    /// Files that it concerns, as globs.
    pub file_patterns: Vec<String>,
}

/// What became of a lesson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is in the hub under this id, and waits for a member to look at it.
    Proposed {
        /// The id.
        id: String,
        /// The title as it is kept.
        title: String,
    },
    /// The hub holds nearly the same already.
    Known {
        /// Its id.
        id: String,
        /// Its title.
        title: String,
        /// Whether agents may read it: not what waits for a member, or was found wrong.
        open: bool,
    },
}

/// What came of an item that the agent went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The learning's id.
    pub id: String,
    /// Whether it helped.
    pub helped: bool,
    /// Why, in a sentence or two.
    pub why: String,
}

/// Why the hub did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// What the agent did wrong and can do better, in a sentence.
    Wrong(String),
    /// It cannot be had now, for this reason.
    Away(String),
}

/// The team's knowledge.
#[async_trait]
pub trait Hub: Send + Sync {
    /// Looks for items, the best first.
    ///
    /// # Errors
    /// See [`Refusal`].
    async fn search(&self, looked: &Looked) -> Result<Vec<Found>, Refusal>;

    /// Reads an item; that it was read is noted.
    ///
    /// # Errors
    /// See [`Refusal`].
    async fn read(&self, id: &str) -> Result<Page, Refusal>;

    /// Records a lesson, for a member to look at.
    ///
    /// # Errors
    /// See [`Refusal`].
    async fn record(&self, place: Place<'_>, lesson: &Lesson) -> Result<Recorded, Refusal>;

    /// Notes what came of a learning. Returns its title.
    ///
    /// # Errors
    /// See [`Refusal`].
    async fn outcome(&self, outcome: &Outcome) -> Result<String, Refusal>;
}
