//! Worktrees that nobody needs any more: removed once their work is on a ref.

use guildhall_git::{Identity, Oid, Repo};
use guildhall_types::RunId;
use guildhall_types::run::RunStatus;

use crate::Engine;
use crate::problems::Trouble;

/// Removes worktrees of closed runs, now and whenever there may be one, until the engine stops.
pub(crate) async fn tidy_forever(engine: Engine) {
    loop {
        for run in engine.worktrees_on_disk().await {
            if engine.0.stop.is_cancelled() {
                return;
            }
            if let Err(error) = engine.tidy(run).await {
                tracing::warn!(%run, error = &error as &dyn std::error::Error, "a worktree could not be tidied away");
            }
        }
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = engine.0.untidy.notified() => {}
            () = tokio::time::sleep(engine.0.pace.tidy) => {}
        }
    }
}

impl Engine {
    /// The runs that have a folder on this node's disk.
    pub(crate) async fn worktrees_on_disk(&self) -> Vec<RunId> {
        let folder = self.0.team.places.worktrees.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
        });
        listed.await.unwrap_or_default()
    }

    /// Removes the worktree of a run that will never work again. What is not on a ref yet is put there first.
    async fn tidy(&self, id: RunId) -> Result<(), Trouble> {
        let team = &self.0.team;
        // A run that the store does not know is not ours to judge: another database may be mounted here by mistake.
        let Some(run) = team.store.run(id).await? else { return Ok(()) };
        if run.status != RunStatus::Closed || self.active().contains_key(&id) {
            return Ok(());
        }
        let repo = Repo::open(&team.places.repository(run.project_id))?;
        let Some(worktree) = repo.worktree(&id.to_string(), &team.places.run(id))? else { return Ok(()) };
        if let Some(base) = &run.base_commit {
            let head = Oid::parse(run.head_commit.as_ref().unwrap_or(base))?;
            if worktree.tree().is_dir() {
                let author = Identity { name: "Guildhall".to_owned(), email: "guildhall@localhost".to_owned() };
                repo.take_snapshots(&id.to_string(), &head).await?;
                repo.snapshot(&worktree, &head, "What was left in the worktree\n", &author).await?;
            }
        }
        repo.remove_worktree(&worktree).await?;
        tracing::info!(run = %id, "a worktree was tidied away");
        Ok(())
    }
}
