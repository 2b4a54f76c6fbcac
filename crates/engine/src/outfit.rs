//! What the commands of a project's work see, whoever runs them: an agent, a check, a trial of checks. One place, so that
//! what a member saw pass is what an agent finds.

use guildhall_git::{Repo, Worktree};
use guildhall_sandbox::Room;
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
    /// The room of commands in this worktree.
    pub(crate) async fn outfit(&self, whose: Whose, repo: &Repo, worktree: &Worktree) -> Result<Room, Trouble> {
        tracing::trace!(project = %whose.project, member = %whose.member, "a room for commands is made");
        Ok(Room { git: Some(worktree.agent_git()), objects: Some(repo.objects()), ..Room::new(worktree.tree()) })
    }
}
