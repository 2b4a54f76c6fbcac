//! What the commands of a project's work see, whoever runs them: an agent, a check, a trial of checks. One place, so that
//! what a member saw pass is what an agent finds.

use std::collections::HashMap;

use guildhall_git::{Repo, Worktree};
use guildhall_sandbox::{Isolation, Network, Room, Share, WeakNet};
use guildhall_store::Lease;
use guildhall_types::{MemberId, ProjectId, RunId};

use crate::Engine;
use crate::problems::Trouble;

/// Whose work commands belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose {
    pub(crate) project: ProjectId,
    pub(crate) member: MemberId,
    /// The run that they belong to; nothing for a trial of checks.
    pub(crate) run: Option<RunId>,
    /// The hold on the run, while it is at work here.
    #[expect(dead_code, reason = "for what serves a run's network, which tells of it in the run's history")]
    pub(crate) lease: Option<Lease>,
}

/// The networks of the runs on this node, for as long as anything holds them.
pub(crate) type Networks = tokio::sync::Mutex<HashMap<RunId, WeakNet>>;

impl Engine {
    /// The room of commands in this worktree.
    pub(crate) async fn outfit(&self, whose: Whose, repo: &Repo, worktree: &Worktree) -> Result<Room, Trouble> {
        tracing::trace!(project = %whose.project, member = %whose.member, "a room for commands is made");
        Ok(Room {
            git: Some(worktree.agent_git()),
            objects: Some(repo.objects()),
            network: self.network(whose).await?,
            share: Some(self.share(whose.member, worktree).await?),
            ..Room::new(worktree.tree())
        })
    }

    /// The network of somebody's commands. Those of a run meet in one.
    async fn network(&self, whose: Whose) -> Result<Network, Trouble> {
        let Some(run) = whose.run.filter(|_| self.0.sandbox.isolation() != Isolation::None) else {
            return Ok(Network::None);
        };
        let mut networks = self.0.networks.lock().await;
        networks.retain(|_, net| net.upgrade().is_some());
        let net = match networks.get(&run).and_then(WeakNet::upgrade) {
            Some(net) => net,
            None => self.0.sandbox.net().await?,
        };
        networks.insert(run, net.downgrade());
        Ok(Network::Of(net))
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
