//! Projects: git repositories on the team's board.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::guide;
use crate::network::NetworkSettings;
use crate::pipeline::PipelineStep;
use crate::{DateTime, MemberId, ProjectId, text_enum::text_enum};

text_enum! {
    /// Whether a project's repository is there.
    pub enum ProjectStatus {
        /// The repository is being cloned or made.
        Preparing = "preparing",
        /// Work can start.
        Ready = "ready",
        /// The repository could not be made; `error` says why.
        Failed = "failed",
    }
}

/// Where a project's repository comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum ProjectSource {
    /// A copy of another repository: any git URL, or a path below what the operator allows.
    Clone {
        /// `https://…`, `ssh://…`, `git@host:path`, `file://…` or an absolute path.
        url: String,
    },
    /// A new repository with one commit.
    Empty,
    /// The sample project, with suggested features; its model is simulated unless there is a key.
    Sample,
}

text_enum! {
    /// What happens to a feature when its agent is done.
    pub enum AfterWork {
        /// A member looks at it.
        Wait = "wait",
        /// It is verified when the project's checks pass; without checks, a member looks.
        Verify = "verify",
        /// It is verified, and merged when the checks pass on the default branch as it then is.
        Merge = "merge",
    }
}

/// How often failing checks may be given back to the agent, in any project.
pub const REPAIRS: i64 = 3;
/// Minutes that one check may take at most, in any project.
pub const CHECK_MINUTES: i64 = 240;

/// Minutes that a set-up command may take at most, in any project.
pub const SET_UP_MINUTES: i64 = 240;
/// GiB that the tool caches of a project may take at most.
pub const CACHE_GIB: i64 = 500;

/// How agents work in a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ProjectSettings {
    /// Commands that must pass before a feature counts as verified, run in order in the feature's worktree.
    pub verify_commands: Vec<String>,
    /// Minutes that each of them may take before it is ended: 1 to 240.
    pub check_minutes: i64,
    /// Passes over the agent's work before the checks, in order.
    pub pipeline: Vec<PipelineStep>,
    /// The model of a feature that names none.
    pub default_model: Option<String>,
    /// Instructions for every agent in this project, beside the repository's own.
    pub instructions: String,
    /// What happens to a feature when its agent is done.
    pub after_work: AfterWork,
    /// How often failing checks are given back to the agent before a member looks: 0 to 3.
    pub repairs: i64,
    /// Tokens that the team's knowledge may take in an agent's instructions: 0 (none of it) to 32,000.
    pub knowledge_tokens: i64,
    /// Whether an agent whose work passed is asked once what of it is worth keeping.
    pub ask_what_to_keep: bool,
    /// Commands that set a worktree up, run in order and once in each, before its agent begins.
    pub set_up: Vec<String>,
    /// Minutes that each of them may take before it is ended: 1 to 240.
    pub set_up_minutes: i64,
    /// GiB that tools may keep of what they fetch and build, between runs: 0 (nothing is kept) to 500.
    pub cache_gib: i64,
    /// Whether all members' runs share what tools keep. Otherwise each member's have their own.
    pub shared_caches: bool,
    /// What commands reach of the network.
    pub network: NetworkSettings,
}

impl ProjectSettings {
    /// How long each of the checks may take.
    pub fn check_time(&self) -> Duration {
        Duration::from_secs(60 * self.check_minutes.clamp(1, CHECK_MINUTES).unsigned_abs())
    }

    /// How long each of the set-up commands may take.
    pub fn set_up_time(&self) -> Duration {
        Duration::from_secs(60 * self.set_up_minutes.clamp(1, SET_UP_MINUTES).unsigned_abs())
    }

    /// Bytes that the tool caches may take.
    pub fn cache_bytes(&self) -> u64 {
        self.cache_gib.clamp(0, CACHE_GIB).unsigned_abs() * 1024 * 1024 * 1024
    }
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            verify_commands: Vec::new(),
            check_minutes: 20,
            pipeline: Vec::new(),
            default_model: None,
            instructions: String::new(),
            after_work: AfterWork::Wait,
            repairs: 1,
            knowledge_tokens: guide::TOKENS,
            ask_what_to_keep: true,
            set_up: Vec::new(),
            set_up_minutes: 30,
            cache_gib: 10,
            shared_caches: false,
            network: NetworkSettings::default(),
        }
    }
}

/// A git repository on the team's board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// The project's id.
    pub id: ProjectId,
    /// The name that is shown; unique among projects that are not archived.
    pub name: String,
    /// Where the repository came from.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub source: ProjectSource,
    /// Whether the repository is there.
    pub status: ProjectStatus,
    /// Why the repository could not be made, in a sentence that says what to do.
    pub error: Option<String>,
    /// The branch that features start from and are merged into.
    pub default_branch: String,
    /// How agents work here.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub settings: ProjectSettings,
    /// Who added it.
    pub created_by: MemberId,
    /// When it was added.
    pub created_at: DateTime,
    /// When it last changed.
    pub updated_at: DateTime,
}
