//! What the commands of a project's work see, whoever runs them: an agent, a check, a trial of checks. One place, so that
//! what a member saw pass is what an agent finds.

use guildhall_git::{Repo, Worktree};
use guildhall_sandbox::{Room, RoomSecret, Secrets};
use guildhall_team::OpenSecret;
use guildhall_types::{MemberId, ProjectId};

use crate::Engine;
use crate::problems::Trouble;

/// Whose work commands belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose {
    pub(crate) project: ProjectId,
    pub(crate) member: MemberId,
}

impl Engine {
    /// The room of commands in this worktree. Its secrets are there to be blotted out; commands are given none of them yet.
    pub(crate) async fn outfit(&self, whose: Whose, repo: &Repo, worktree: &Worktree) -> Result<Room, Trouble> {
        let team = &self.0.team;
        let settings = team.store.project(whose.project).await?.map(|project| project.settings).unwrap_or_default();
        let secrets = team.open_project_secrets(whose.project).await?;
        let secret = |OpenSecret { name, value, uses }| RoomSecret { name, value, uses };
        let toolchains = self.0.sandbox.toolchains();
        Ok(Room {
            git: Some(worktree.agent_git()),
            objects: Some(repo.objects()),
            read_only: toolchains.read_only().collect(),
            env: toolchains.env(),
            path: toolchains.path(),
            cache: self.cache(whose, &settings).await?,
            secrets: Secrets::new(secrets.into_iter().map(secret).collect()),
            ..Room::new(worktree.tree())
        })
    }
}
