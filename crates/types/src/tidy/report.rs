//! What admins are shown of the disk.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Occupied, TidyReason, WorktreeGoing};
use crate::feature::FeatureKind;
use crate::reading::Used;
use crate::run::RunStatus;
use crate::text_enum::text_enum;
use crate::{DateTime, FeatureId, MemberId, ProjectId, RunId};

/// A worktree on this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorktreeUse {
    /// Whose it is.
    pub run_id: RunId,
    /// The card, chat or task.
    pub feature_id: FeatureId,
    /// Which of these it is.
    pub kind: FeatureKind,
    /// Its number on the board.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// The project.
    pub project_id: ProjectId,
    /// Whose run it is.
    pub member_id: MemberId,
    /// Where the run stands.
    pub status: RunStatus,
    /// Bytes on the disk, with all that was built in it.
    pub bytes: u64,
    /// Since when nothing happened in it.
    pub unused_since: DateTime,
    /// Who is in it.
    pub in_use: Occupied,
    /// Whether its work never goes on: it is merged, taken back, begun anew or deleted.
    pub over: bool,
    /// Why what it holds could not be put on a ref; it stays until that works.
    pub unsaved: Option<String>,
}

/// A project's repository on this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryUse {
    /// The project.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When the project was archived, if it was.
    pub archived_at: Option<DateTime>,
}

/// What tools keep for one member in one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheUse {
    /// The project.
    pub project_id: ProjectId,
    /// Whose it is; nobody's where the project's members share it.
    pub member_id: Option<MemberId>,
    /// Bytes on the disk.
    pub bytes: u64,
}

text_enum! {
    /// What kind of thing it is that nothing in the database belongs to.
    pub enum OrphanKind {
        /// The folder of a run.
        Worktree = "worktree",
        /// A repository.
        Repository = "repository",
        /// Something else that lies where the server keeps its own.
        Other = "other",
    }
}

/// Something on the disk that nothing in the database belongs to. Perhaps the server was started with another database, so
/// that it goes only when an admin says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// What kind of thing it is.
    pub kind: OrphanKind,
    /// Where it is, below the data folder.
    pub path: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When it last changed, as far as the folder itself tells.
    pub changed_at: DateTime,
    /// From when on it can be removed: what is young may belong to something that is just being made.
    pub removable_at: DateTime,
}

/// The cache of a tool that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheGoing {
    /// The project.
    pub project_id: ProjectId,
    /// Whose it is.
    pub member_id: Option<MemberId>,
    /// The tool's folder.
    pub tool: String,
    /// Why.
    pub why: TidyReason,
    /// Bytes on the disk that come free.
    pub bytes: u64,
}

/// A repository that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryGoing {
    /// The project.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: String,
    /// Bytes on the disk that come free.
    pub bytes: u64,
}

/// What goes from the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordsGoing {
    /// Runs whose history goes: what was said and done in them, and what checks printed.
    pub runs: i64,
    /// Events that told what changed.
    pub events: i64,
    /// Closed runs whose states between turns are looked through.
    pub snapshots: i64,
}

/// What would go now, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TidyPlan {
    /// Worktrees, in the order in which they go.
    pub worktrees: Vec<WorktreeGoing>,
    /// Caches of tools.
    pub caches: Vec<CacheGoing>,
    /// Repositories of archived projects.
    pub repositories: Vec<RepositoryGoing>,
    /// What goes from the database.
    pub records: RecordsGoing,
}

/// Bytes on a server's disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskBytes {
    /// The database, wherever it is.
    pub database: u64,
    /// Of these, what nothing uses now: the database fills it again before it grows.
    pub database_free: u64,
    /// Repositories of projects.
    pub repositories: u64,
    /// Worktrees, with all that was built in them.
    pub worktrees: u64,
    /// What tools keep between runs.
    pub caches: u64,
    /// What nothing in the database belongs to.
    pub orphans: u64,
}

/// What uses the disk of a server, as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskReport {
    /// When it was measured.
    pub at: DateTime,
    /// The disk that holds worktrees, if it could be looked at.
    pub disk: Option<Used>,
    /// The files and folders that it can hold, and those that it does; absent where it makes places for them as they are needed.
    pub disk_files: Option<Used>,
    /// Bytes of each kind, also of what is not listed.
    pub bytes: DiskBytes,
    /// The largest first, as all lists here but the plan's, and a bounded number.
    pub worktrees: Vec<WorktreeUse>,
    /// Of projects, archived ones among them.
    pub repositories: Vec<RepositoryUse>,
    /// What tools keep between runs.
    pub caches: Vec<CacheUse>,
    /// What nothing in the database belongs to.
    pub orphans: Vec<Orphan>,
    /// What would go now, and why.
    pub plan: TidyPlan,
}

/// What went wrong with the clean-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TidyFault {
    /// When.
    pub at: DateTime,
    /// What.
    pub message: String,
}

/// How the clean-up goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tidiness {
    /// Since when it is at work, if it is.
    pub running_since: Option<DateTime>,
    /// When it last came to its end without a fault, since the server started.
    pub last_good_at: Option<DateTime>,
    /// What went wrong last, since the server started.
    pub last_fault: Option<TidyFault>,
    /// Since when it has come to no good end, if it has not: it fails again and again, or never ends.
    pub stuck_since: Option<DateTime>,
}
