//! What the commands of a project's work see, whoever runs them: an agent, a check, a trial of checks. One place, so that
//! what a member saw pass is what an agent finds.

use std::collections::HashMap;

use guildhall_git::{Repo, Worktree};
use guildhall_sandbox::{Isolation, Network, Room, WeakNet};
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
        let network = self.network(whose).await?;
        let (git, objects) = (Some(worktree.agent_git()), Some(repo.objects()));
        Ok(Room { git, objects, network, ..Room::new(worktree.tree()) })
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
}
