//! What the commands of a project's work see, whoever runs them: an agent, a check, a trial of checks. One place, so that
//! what a member saw pass is what an agent finds.

use std::sync::Arc;

use guildhall_git::{Repo, Worktree};
use guildhall_sandbox::{Room, RoomSecret, Secrets, Share};
use guildhall_store::Lease;
use guildhall_team::OpenSecret;
use guildhall_types::{MemberId, ProjectId, RunId};

use crate::Engine;
use crate::problems::Trouble;

/// Whose work commands belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose {
    pub(crate) project: ProjectId,
    /// Whose part of this machine they use.
    pub(crate) member: MemberId,
    /// Whose work it is, of whom is also what tools keep.
    pub(crate) owner: MemberId,
    /// The run that they belong to; nothing for a trial of checks.
    pub(crate) run: Option<RunId>,
    /// The hold on the run, while it is at work here.
    pub(crate) lease: Option<Lease>,
}

impl Engine {
    /// The room of commands in this worktree. Its secrets are there to be blotted out; commands are given none of them yet.
    pub(crate) async fn outfit(&self, whose: Whose, repo: &Repo, worktree: &Worktree) -> Result<Room, Trouble> {
        let team = &self.0.team;
        let settings = team.store.project(whose.project).await?.map(|project| project.settings).unwrap_or_default();
        let secrets = team.open_project_secrets(whose.project).await?;
        let secret = |OpenSecret { name, value, uses }| RoomSecret { name, value, uses };
        let toolchains = self.0.sandbox.toolchains();
        let (network, proxy) = self.network(whose).await?;
        Ok(Room {
            git: Some(worktree.agent_git()),
            objects: Some(repo.objects()),
            read_only: toolchains.read_only().collect(),
            network,
            share: Some(self.share(whose.member, worktree).await?),
            env: toolchains.env().into_iter().chain(proxy).collect(),
            path: toolchains.path(),
            cache: self.cache(whose, &settings).await?,
            secrets: Secrets::new(secrets.into_iter().map(secret).collect()),
            ..Room::new(worktree.tree())
        })
    }

    /// The worktree, in which git counts among what the commands of a share may have: what an agent leaves for it to read is work of
    /// that agent's.
    pub(crate) async fn among(&self, worktree: Worktree, share: Option<&Share>) -> Worktree {
        let Some(share) = share.cloned() else { return worktree };
        let made = tokio::task::spawn_blocking(move || share.beside()).await;
        match made.map_err(std::io::Error::other).and_then(|made| made) {
            Ok(Some(beside)) => worktree.among(Arc::new(move || beside.doors())),
            Ok(None) => worktree,
            Err(error) => {
                tracing::warn!(%error, "git works in a worktree outside of its run's control groups");
                worktree
            }
        }
    }

    /// What commands in this worktree may have of what their member may.
    async fn share(&self, member: MemberId, worktree: &Worktree) -> Result<Share, Trouble> {
        self.apply_limits().await?;
        let tree = worktree.tree();
        // Of a run it is the run's id, of a trial the project's.
        let name = tree.parent().and_then(|folder| folder.file_name()).unwrap_or_default().to_string_lossy();
        Ok(self.0.groups.share(member, &name).await?)
    }
}
