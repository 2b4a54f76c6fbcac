//! All rows of a team in one form that both databases give and take: what a backup holds, what a restore puts back, and how
//! a team moves from one database to the other.
//!
//! Which tables there are, which columns, and in which order they can be filled, the database's own catalogue says, so that
//! no table can be forgotten. A value is one of five kinds; what SQLite does not tell apart (an id and other bytes; a time, a
//! document and other text) the catalogue of PostgreSQL tells on the way into it, and out of it everything takes the form in
//! which SQLite keeps it. What follows from other rows, the index of the knowledge hub, is not copied but made anew.

mod catalog;
mod dump;
mod fill;
mod lines;
mod sum;

use std::collections::{BTreeMap, BTreeSet};

use guildhall_types::{ProjectId, RunId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use fill::{Filling, Settled};
pub use lines::{read_pieces, write_piece};

/// Tables that are made anew: out of others, or out of the repositories, which a backup holds beside the rows.
const DERIVED: [&str; 5] =
    ["knowledge_index", "repository_logs", "repository_packs", "repository_refs", "shared_repositories"];
/// Bytes of rows that are handed on at once, about.
const AT_ONCE: usize = 256 * 1024;

/// A value of a column.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number, or whether something holds (0 or 1).
    Int(i64),
    /// A fraction.
    Float(f64),
    /// Text, a time in RFC 3339, or a document in JSON.
    Text(String),
    /// Bytes, or the sixteen of an id.
    Bytes(Vec<u8>),
}

impl Value {
    /// About how many bytes it takes.
    fn size(&self) -> usize {
        match self {
            Self::Null | Self::Int(_) | Self::Float(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// What kind it is, for messages: values may be secrets.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Int(_) => "a number",
            Self::Float(_) => "a fraction",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

/// The values of a row, in the order of its table's columns.
pub type Row = Vec<Value>;

/// Says whose rows follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableHead {
    /// The table.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// A piece of a stream of rows: the head of a table, then its rows, then the next head. Every table has a head.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// A table begins.
    Table(TableHead),
    /// Rows of the table that began last.
    Rows(Vec<Row>),
}

/// How many rows of a table there are, and what they come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: i64,
    /// A digest of them in hexadecimal, whatever their order.
    pub digest: String,
}

/// What rows say of things outside of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The projects, by name.
    pub projects: BTreeMap<ProjectId, String>,
    /// Those of them that have a repository, if nothing is lost: that are ready to be worked on, and not archived.
    pub ready: BTreeSet<ProjectId>,
    /// The commits that rows name, in each project's repository.
    pub commits: BTreeMap<ProjectId, BTreeSet<String>>,
    /// Where the work of runs stands that may still go on.
    pub open: Vec<OpenRun>,
    /// The refs of runs at work, in each project's repository, of which nothing was made yet.
    unborn: Vec<(ProjectId, String)>,
    /// How many secrets are sealed under which key.
    pub keys: BTreeMap<String, i64>,
    head: Option<TableHead>,
}

/// A run that may still go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub run: RunId,
    /// In which project.
    pub project: ProjectId,
    /// The branch that follows its work.
    pub branch: String,
    /// The latest commit of its work.
    pub head: String,
}

impl Named {
    /// The refs of a project of which the rows know that they are not made yet. Where git has one, it came to be after the rows were
    /// read, and would be in the way of the run that makes it.
    pub fn unborn(&self, project: ProjectId) -> BTreeSet<&str> {
        let used: BTreeSet<String> = self
            .open
            .iter()
            .filter(|open| open.project == project)
            .map(|open| format!("refs/heads/{}", open.branch))
            .collect();
        let of_it = self.unborn.iter().filter(|(of, name)| *of == project && !used.contains(name));
        of_it.map(|(_, name)| name.as_str()).collect()
    }

    /// Notes what a piece names. Give it every piece of a stream.
    pub fn note(&mut self, piece: &Piece) {
        match piece {
            Piece::Table(head) => self.head = Some(head.clone()),
            Piece::Rows(rows) => {
                let Some(head) = self.head.take() else { return };
                if ["projects", "features", "runs", "secrets"].contains(&head.table.as_str()) {
                    for row in rows {
                        self.note_row(&head, row);
                    }
                }
                self.head = Some(head);
            }
        }
    }

    fn note_row(&mut self, head: &TableHead, row: &Row) {
        let value = |name: &str| head.columns.iter().position(|column| column == name).and_then(|at| row.get(at));
        let text = |name: &str| match value(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let id = |name: &str| match value(name) {
            Some(Value::Bytes(bytes)) => Uuid::from_slice(bytes).ok(),
            _ => None,
        };
        match head.table.as_str() {
            "projects" => {
                if let (Some(id), Some(name)) = (id("id"), text("name")) {
                    self.projects.insert(ProjectId(id), name);
                    if text("status").as_deref() == Some("ready") && text("archived_at").is_none() {
                        self.ready.insert(ProjectId(id));
                    }
                }
            }
            "features" => {
                if let (Some(project), Some(commit)) = (id("project_id"), text("merge_commit")) {
                    self.commits.entry(ProjectId(project)).or_default().insert(commit);
                }
            }
            "runs" => {
                let (Some(run), Some(project)) = (id("id"), id("project_id").map(ProjectId)) else { return };
                let (base, latest) = (text("base_commit"), text("head_commit"));
                let (branch, status) = (text("branch").unwrap_or_default(), text("status").unwrap_or_default());
                self.commits.entry(project).or_default().extend([base.clone(), latest.clone()].into_iter().flatten());
                match latest.or(base) {
                    Some(head) if status != "closed" => {
                        self.open.push(OpenRun { run: RunId(run), project, branch, head });
                    }
                    None if ["queued", "running"].contains(&status.as_str()) => {
                        let refs = [format!("refs/heads/{branch}"), format!("refs/guildhall/runs/{run}")];
                        self.unborn.extend(refs.map(|name| (project, name)));
                    }
                    _ => {}
                }
            }
            _ => {
                if let Some(key) = text("key_id") {
                    *self.keys.entry(key).or_default() += 1;
                }
            }
        }
    }
}
