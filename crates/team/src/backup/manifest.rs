//! What a backup says of itself.

use std::collections::BTreeMap;

use guildhall_git::Standing;
use guildhall_store::TableSum;
use guildhall_types::backup::BackupKind;
use guildhall_types::{DateTime, ProjectId};
use serde::{Deserialize, Serialize};

/// The form of what is written here.
pub(super) const FORMAT: u32 = 1;
/// Its file.
pub(super) const FILE: &str = "manifest.json";

/// What anybody who has the backup may know of it: no name of a project, a member or a branch, since the rest may be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The form: 1.
    pub format: u32,
    /// Names it: the moment at which it was begun.
    pub name: String,
    /// Which installation made it. Nothing in those of the first versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<String>,
    /// That moment.
    pub made_at: DateTime,
    /// The version of Guildhall that made it.
    pub version: String,
    /// The schema of its rows.
    pub schema: i64,
    /// What of the repositories it holds.
    pub kind: BackupKind,
    /// The backup that an incremental one builds on.
    pub parent: Option<String>,
    /// Names the key that its parts are sealed with, if they are.
    pub sealed_with: Option<String>,
    /// The rows.
    pub rows: Part,
    /// The list of what a restore must find.
    pub index: Part,
    /// The packs of repositories.
    pub packs: Vec<Part>,
}

impl Manifest {
    /// Every part.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        [&self.rows, &self.index].into_iter().chain(&self.packs)
    }

    /// How much it takes, in bytes, without its manifest.
    pub fn bytes(&self) -> u64 {
        self.parts().map(|part| part.bytes).sum()
    }
}

/// A part of a backup, as it is at the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Its file.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of these bytes in hexadecimal.
    pub sha256: String,
    /// Whether what is in it is compressed (Zstandard).
    pub compressed: bool,
}

/// What a restore must find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// What the rows come to, table by table.
    pub tables: Vec<TableSum>,
    /// The repositories.
    pub repositories: Vec<RepositoryPart>,
    /// How many secrets are sealed under which key-encryption key.
    pub keys: BTreeMap<String, i64>,
    /// The repositories that are not in it, because git could not read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedRepository>,
}

/// A repository that a backup could not take up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DamagedRepository {
    /// Of which project.
    pub project: ProjectId,
    /// The project's name.
    pub name: String,
    /// What git said.
    pub why: String,
}

impl std::fmt::Display for DamagedRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, why, .. } = self;
        write!(
            f,
            "the repository of the project {name} could not be read when it was made, so that it is not in it ({why}): put it back from an earlier backup, or from a clone"
        )
    }
}

/// What a backup holds of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryPart {
    /// Of which project.
    pub project: ProjectId,
    /// The project's name.
    pub name: String,
    /// What the repository stood at.
    pub standing: Standing,
    /// Commits that the rows name and no ref does.
    pub also: Vec<String>,
    /// Commits that the rows name and that the repository had no more when the backup was made.
    pub lacking: Vec<String>,
    /// The file of the pack; nothing when everything is in those that this backup builds on.
    pub pack: Option<String>,
}

impl RepositoryPart {
    pub(super) fn new(project: ProjectId, name: &str, standing: Standing) -> Self {
        Self { project, name: name.to_owned(), standing, also: Vec::new(), lacking: Vec::new(), pack: None }
    }

    /// Everything that this backup, with those that it builds on, holds whole.
    pub(super) fn tips(&self) -> impl Iterator<Item = &String> {
        self.standing.refs.iter().map(|(_, id)| id).chain(&self.also)
    }
}
