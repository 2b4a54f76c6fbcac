//! Worktrees that nobody needs any more: removed once their work is on a ref.

use chrono::Duration;
use guildhall_git::{Identity, Oid, Repo};
use guildhall_types::RunId;
use guildhall_types::feature::FeatureKind;
use guildhall_types::run::{Run, RunStatus};
use tokio::time::Instant;

use crate::Engine;
use crate::problems::Trouble;

/// How long the worktree of a chat is kept in which nothing happens, with all that was built in it.
const CHAT: Duration = Duration::hours(2);
/// The same of a task: somebody may look at why it ended so.
const TASK: Duration = Duration::minutes(10);

/// Removes worktrees that nobody needs, now and whenever there may be one, until the engine stops.
pub(crate) async fn tidy_forever(engine: Engine) {
    // They are large, and nothing that happens to a card changes which of them is too much.
    let mut measured: Option<Instant> = None;
    loop {
        if measured.is_none_or(|at| at.elapsed() >= engine.0.pace.tidy) {
            engine.tidy_caches().await;
            measured = Some(Instant::now());
        }
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

    /// Takes away the branch of a chat or a task on which nothing was made.
    async fn drop_empty_branch(&self, repo: &Repo, run: &Run) -> Result<(), Trouble> {
        let aside = matches!(self.0.team.store.kind_of_run(run.id).await?, Some(FeatureKind::Chat | FeatureKind::Task));
        if let Some(base) = run.base_commit.as_ref().filter(|_| aside) {
            repo.drop_branch(&run.branch, &Oid::parse(base)?).await?;
        }
        Ok(())
    }

    /// Whether nobody needs a run's worktree: of one that will never work again, and of a chat or a task that rests. Such a
    /// one gets its worktree back, out of its snapshot, when somebody says something.
    async fn is_idle(&self, run: &Run) -> Result<bool, Trouble> {
        let rests = match run.status {
            RunStatus::Closed => return Ok(true),
            RunStatus::Queued | RunStatus::Running => return Ok(false),
            RunStatus::Waiting | RunStatus::Stopped | RunStatus::Failed => {
                self.0.team.clock.now() - run.ended_at.unwrap_or(run.created_at)
            }
        };
        Ok(match self.0.team.store.kind_of_run(run.id).await? {
            Some(FeatureKind::Chat) => rests >= CHAT,
            Some(FeatureKind::Task) => rests >= TASK,
            Some(FeatureKind::Card) | None => false,
        })
    }

    /// Removes a worktree that nobody needs. What is not on a ref yet is put there first.
    async fn tidy(&self, id: RunId) -> Result<(), Trouble> {
        let team = &self.0.team;
        // A run that the store does not know is not ours to judge: another database may be mounted here by mistake.
        let Some(run) = team.store.run(id).await? else { return Ok(()) };
        if !self.is_idle(&run).await? || self.active().contains_key(&id) {
            return Ok(());
        }
        // Whoever claims it this very moment waits, and then makes the worktree anew.
        let _turn = self.clear_ground(id).await;
        if team.store.run(id).await?.is_none_or(|now| now.status != run.status || now.attempt != run.attempt) {
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
        // Whoever only looks does not wait for a turn, and leaves all the same.
        self.send_away(id, true);
        repo.remove_worktree(&worktree).await?;
        // Nothing was made in it, so that its branch says nothing.
        if run.head_commit == run.base_commit || run.head_commit.is_none() {
            self.drop_empty_branch(&repo, &run).await?;
        }
        tracing::info!(run = %id, "a worktree was tidied away");
        Ok(())
    }
}
