//! What goes from the database, and the refs of runs that never work again.

use guildhall_git::{Left, Oid, Repo};
use guildhall_store::OldRefs;
use guildhall_types::feature::FeatureKind;
use guildhall_types::tidy::before;

use super::broom::{Broom, Swept};
use super::look::is_over;
use crate::problems::Trouble;

/// Runs that are read at once.
const AT_ONCE: i64 = 50;

impl Broom {
    /// Forgets the histories of runs that were closed long ago, events that nobody asks for any more, the states between
    /// the turns of what was merged, and the files of deleted chats and cards.
    pub(super) async fn sweep_records(&self, swept: &mut Swept) -> Result<(), Trouble> {
        let (rules, now) = (self.rules().await?, self.clock.now());
        self.store.finish_erasing().await?;
        let chats = self.store.forget_files_of_deleted_chats().await?;
        if chats > 0 {
            tracing::info!(chats, "files were left of deleted chats, and are gone now");
            swept.gone.push(format!("what was left of the files of {chats} deleted chats"));
        }
        if let Some(before) = before(rules.deleted_card_days, now) {
            let cards = self.store.forget_files_of_deleted_cards(before).await?;
            if cards > 0 {
                tracing::info!(cards, "the files of deleted cards were forgotten");
                swept.gone.push(format!("the files of {cards} deleted cards"));
            }
        }
        let mut runs = 0;
        if let Some(before) = before(rules.run_days, now) {
            self.store.close_steps_of_executions(before).await?;
            loop {
                let some = self.store.runs_to_forget(before, AT_ONCE).await?;
                if some.is_empty() {
                    break;
                }
                for run in some {
                    while !self.store.forget_run(run).await? {}
                    runs += 1;
                }
            }
        }
        let mut events = 0;
        if let Some(before) = before(rules.event_days, now) {
            loop {
                match self.store.forget_events(before).await? {
                    0 => break,
                    some => events += some,
                }
            }
        }
        if runs + events > 0 {
            tracing::info!(runs, events, "the histories of closed runs and old events were forgotten");
            swept.gone.push(format!("the histories of {runs} closed runs, and {events} events"));
        }
        let Some(before) = before(rules.snapshot_days, now) else { return Ok(()) };
        let mut after = None;
        loop {
            let some = self.store.old_refs(before, after, AT_ONCE).await?;
            // Those that go wrong are asked for again by the next clean-up, and keep this one from no other.
            let Some(last) = some.last() else { return Ok(()) };
            after = Some(last.id);
            for old in some {
                match self.tidy_refs(&old).await {
                    Ok(()) => self.store.note_refs_tidied(old.id).await?,
                    Err(error) => swept.fault(&format!("the refs of run {} stay", old.id), &error),
                }
            }
        }
    }

    /// Forgets what was left long ago in worktrees of runs that are over.
    pub(super) async fn sweep_left(&self, swept: &mut Swept) -> Result<(), Trouble> {
        let Some(before) = before(self.rules().await?.left_days, self.clock.now()) else { return Ok(()) };
        for project in self.projects().await? {
            let Ok(repo) = Repo::open(&self.places.repository(project.id)) else { continue };
            let all = match repo.all_left().await {
                Ok(all) => all,
                Err(error) => {
                    swept.fault(&format!("what is on the refs of {} could not be read", project.name), &error);
                    continue;
                }
            };
            for left in all.into_iter().filter(|left| left.at < before) {
                match self.forget_left(&repo, &left).await {
                    Ok(()) => {}
                    Err(error) => swept.fault(&format!("what was left of run {} stays", left.run), &error),
                }
            }
        }
        Ok(())
    }

    async fn forget_left(&self, repo: &Repo, left: &Left) -> Result<(), Trouble> {
        // Of a run that this database does not know, perhaps another one does.
        let Ok(run) = left.run.parse() else { return Ok(()) };
        let Some(place) = self.store.run_place(run).await? else { return Ok(()) };
        if is_over(&place) && !self.is_active(run) && !self.places.run(run).exists() {
            repo.drop_left(left).await?;
            self.share(place.run.project_id, repo, vec![format!("refs/guildhall/left/{run}")]).await?;
            tracing::info!(%run, "what was left in the worktree of a run was forgotten");
        }
        Ok(())
    }

    /// Removes the refs of a closed run that say nothing any more: the states between its turns, if its work was merged and
    /// is on its branch; the branch of a chat or a task in which nothing was made. Those of work that was never merged stay.
    async fn tidy_refs(&self, old: &OldRefs) -> Result<(), Trouble> {
        let path = self.places.repository(old.project_id);
        let shared = self.engine.as_ref().is_some_and(|engine| engine.0.team.shared.is_on());
        let Some(base) = old.base_commit.as_ref().filter(|_| shared || path.exists()) else { return Ok(()) };
        let repo = self.repository(old.project_id).await?;
        let base = Oid::parse(base)?;
        let head = old.head_commit.as_deref().map_or_else(|| Ok(base.clone()), Oid::parse)?;
        let name = old.id.to_string();
        // Its worktree needs them until it has gone.
        if repo.worktree(&name, &self.places.run(old.id))?.is_some() {
            return Ok(());
        }
        if old.kind != FeatureKind::Card && head == base {
            repo.drop_branch(&old.branch, &base).await?;
            repo.drop_empty_snapshots(&name, &base).await?;
        } else if old.merged {
            repo.drop_snapshots(&name, &old.branch, &head).await?;
            repo.drop_made_up(&name).await?;
        }
        let hidden = ["runs", "made-up", "left"].map(|folder| format!("refs/guildhall/{folder}/{name}"));
        let names = hidden.into_iter().chain([format!("refs/heads/{}", old.branch)]).collect();
        self.share(old.project_id, &repo, names).await
    }
}
