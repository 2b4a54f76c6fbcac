//! What is on the disk and belongs to nothing in the database.
//!
//! A folder of a run, or a repository, that the store does not know goes only when an admin says so, by name: perhaps the
//! server was started with another database, and then every one of them is somebody's work. What is provably nobody's goes
//! by itself: what git was told of a worktree whose folder is gone, and what was half made or half removed by a server that
//! died.

use std::path::{Path, PathBuf};

use chrono::Duration;
use guildhall_git::{Leaving, Repo};
use guildhall_sandbox::Extent;
use guildhall_team::{Team, TeamError};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::tidy::{Orphan, OrphanKind};
use guildhall_types::{DateTime, ProjectId, RunId};

use super::broom::{Broom, Swept, all_kept, author};
use super::look::{is_over, names};
use crate::problems::{Trouble, chain};

/// What is younger may belong to something that is just being made, or to a database that was put in place a moment ago.
const YOUNG: Duration = Duration::days(7);
/// What a server was making that died; none takes so long.
const HALF: Duration = Duration::days(1);

/// What became of what an admin named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// The paths of what went.
    pub gone: Vec<String>,
    /// The paths of what did not, and why.
    pub refused: Vec<(String, String)>,
}

impl Removed {
    fn note(&mut self, path: &str, done: Result<(), Trouble>) {
        match done {
            Ok(()) => self.gone.push(path.to_owned()),
            Err(error) => {
                let why = chain(&error);
                tracing::warn!(path, why, "what an admin named could not be removed");
                self.refused.push((path.to_owned(), why));
            }
        }
    }
}

impl Broom {
    /// What belongs to nothing in the database; with `measure`, with what each takes.
    pub(super) async fn orphans(&self, measure: bool) -> Result<Vec<Orphan>, Trouble> {
        let mut found = Vec::new();
        for name in names(&self.places.worktrees).await? {
            let kind = match name.parse::<RunId>() {
                Ok(run) if self.store.run(run).await?.is_some() => continue,
                Ok(_) => OrphanKind::Worktree,
                Err(_) => OrphanKind::Other,
            };
            found.push((kind, format!("worktrees/{name}"), self.places.worktrees.join(&name)));
        }
        let known: Vec<ProjectId> = self.projects().await?.into_iter().map(|project| project.id).collect();
        for name in names(&self.places.repositories).await?.into_iter().filter(|name| !name.starts_with('.')) {
            let kind = match name.strip_suffix(".git").and_then(|name| name.parse::<ProjectId>().ok()) {
                Some(project) if known.contains(&project) => continue,
                Some(_) => OrphanKind::Repository,
                None => OrphanKind::Other,
            };
            found.push((kind, format!("repositories/{name}"), self.places.repositories.join(&name)));
        }
        let mut all = Vec::new();
        for (kind, path, at) in found {
            // It may have gone meanwhile.
            let Some(changed_at) = changed(at.clone()).await? else { continue };
            // Work in a tree does not touch the folder above it.
            let size = if measure || kind == OrphanKind::Worktree { self.size(at).await? } else { Extent::default() };
            let newest = i64::try_from(size.changed).ok().and_then(|at| DateTime::from_timestamp(at, 0));
            let changed_at = newest.map_or(changed_at, |newest| newest.max(changed_at));
            let removable_at = changed_at.checked_add_signed(YOUNG).unwrap_or(DateTime::MAX_UTC);
            all.push(Orphan { kind, path, bytes: size.bytes, changed_at, removable_at });
        }
        Ok(all)
    }

    /// Removes these; what a worktree among them holds is put on a ref first where a repository still knows it. A
    /// worktree that is over and stays because not all of it can be kept goes as well when it is named. What cannot be
    /// removed keeps nothing else from going.
    pub(super) async fn remove_orphans(&self, by: &Team, paths: &[String]) -> Result<Removed, TeamError> {
        let internal = |error: Trouble| TeamError::internal("looking for what belongs to nothing", error);
        let (all, now) = (self.orphans(false).await.map_err(internal)?, self.clock.now());
        let (mut chosen, mut given_up) = (Vec::new(), Vec::new());
        for path in paths {
            if let Some(run) = self.stays(path).await.map_err(internal)? {
                given_up.push((path, run));
                continue;
            }
            let Some(orphan) = all.iter().find(|orphan| orphan.path == *path) else {
                return Err(TeamError::invalid("paths", format!("{path} is not there, or belongs to something")));
            };
            if orphan.removable_at > now {
                let until = orphan.removable_at.format("%Y-%m-%d %H:%M");
                let message = format!("{path} is young; it can be removed from {until} UTC on");
                return Err(TeamError::invalid("paths", message));
            }
            chosen.push(orphan.clone());
        }
        let mut removed = Removed::default();
        for (path, run) in given_up {
            removed.note(path, self.give_up_orphan(by, path, run).await);
        }
        for orphan in chosen {
            removed.note(&orphan.path, self.remove_chosen(by, &orphan).await);
        }
        Ok(removed)
    }

    async fn give_up_orphan(&self, by: &Team, path: &str, run: RunId) -> Result<(), Trouble> {
        let why = self.unsaved(run).unwrap_or_default();
        by.store.audit(Note::new(AuditAction::RemoveOrphans).on(AuditObject::Disk, path).with("unsaved", why)).await?;
        match self.give_up(run).await? {
            true => tracing::info!(path, "a worktree of which not all could be kept was given up by an admin"),
            false => return Err(Trouble::NoFooting("somebody works with it again".to_owned())),
        }
        Ok(())
    }

    async fn remove_chosen(&self, by: &Team, orphan: &Orphan) -> Result<(), Trouble> {
        by.store.audit(Note::new(AuditAction::RemoveOrphans).on(AuditObject::Disk, &orphan.path)).await?;
        self.remove_orphan(orphan).await?;
        tracing::info!(path = orphan.path, "what belongs to nothing in the database was removed by an admin");
        Ok(())
    }

    /// The run whose worktree this is, if it is over and stays because not all of it can be kept.
    async fn stays(&self, path: &str) -> Result<Option<RunId>, Trouble> {
        let Some(run) = path.strip_prefix("worktrees/").and_then(|name| name.parse::<RunId>().ok()) else {
            return Ok(None);
        };
        let unsaved = self.unsaved(run).is_some();
        let over = self.store.run_place(run).await?.is_some_and(|place| is_over(&place));
        Ok(Some(run).filter(|_| unsaved && over))
    }

    async fn remove_orphan(&self, orphan: &Orphan) -> Result<(), Trouble> {
        let Some((folder, name)) = orphan.path.split_once('/') else { return Ok(()) };
        let at = match folder {
            "worktrees" => self.places.worktrees.join(name),
            _ => self.places.repositories.join(name),
        };
        if orphan.kind == OrphanKind::Worktree {
            for repo in self.repositories().await? {
                let Some(worktree) = repo.worktree(name, &at)? else { continue };
                // Where no turn was saved, the work began where its branch stands.
                let head = match repo.snapshot_of(name).await? {
                    Some(head) => Some(head),
                    None => repo.head_of(&worktree).await?,
                };
                if let Some(head) = head.filter(|_| worktree.tree().is_dir()) {
                    let now = self.clock.now();
                    all_kept(&repo.lay_aside(&worktree, &head, &author(), Leaving::ForGood, now).await?)?;
                }
                repo.remove_worktree(&worktree).await?;
            }
        }
        Ok(tokio::task::spawn_blocking(move || guildhall_git::remove_folder(&at)).await??)
    }

    /// Every repository on the disk.
    async fn repositories(&self) -> Result<Vec<Repo>, Trouble> {
        let all = names(&self.places.repositories).await?;
        let all = all.iter().filter(|name| !name.starts_with('.') && name.ends_with(".git"));
        // What is no repository is told of as an orphan, or by whoever works with it.
        Ok(all.filter_map(|name| Repo::open(&self.places.repositories.join(name)).ok()).collect())
    }

    /// Removes what is provably nobody's.
    pub(super) async fn sweep_leavings(&self, swept: &mut Swept) {
        if let Err(error) = self.sweep_registrations(swept).await {
            swept.fault("what git knows of worktrees could not be looked at", &error);
        }
        if let Err(error) = self.sweep_half_made(swept).await {
            swept.fault("what was half made could not be looked at", &error);
        }
    }

    /// Lets git forget worktrees of runs whose folders are gone: whoever goes on with one has it made anew.
    async fn sweep_registrations(&self, swept: &mut Swept) -> Result<(), Trouble> {
        for repo in self.repositories().await? {
            let listed = repo.clone();
            let listed = tokio::task::spawn_blocking(move || listed.worktree_names()).await?;
            for name in listed.unwrap_or_default() {
                let Ok(run) = name.parse::<RunId>() else { continue };
                let folder = self.places.run(run);
                if folder.exists() || self.is_active(run) {
                    continue;
                }
                let turn = match &self.engine {
                    None => None,
                    Some(engine) => match engine.free_ground(run) {
                        Some(turn) => Some(turn),
                        None => continue,
                    },
                };
                let done = match repo.worktree(&name, &folder) {
                    Ok(Some(worktree)) if !folder.exists() => repo.remove_worktree(&worktree).await.map(|()| true),
                    Ok(_) => Ok(false),
                    Err(error) => Err(error),
                };
                drop(turn);
                if let Some(engine) = &self.engine {
                    engine.forget_ground(run);
                }
                match done {
                    Ok(true) => swept.gone.push(format!("what git knew of the worktree of run {run}")),
                    Ok(false) => {}
                    Err(error) => swept.fault(&format!("git could not forget the worktree of run {run}"), &error),
                }
            }
        }
        Ok(())
    }

    /// Removes repositories that a server died over: in the middle of making one, or of removing one.
    async fn sweep_half_made(&self, swept: &mut Swept) -> Result<(), Trouble> {
        for name in names(&self.places.repositories).await? {
            let at = self.places.repositories.join(&name);
            let dead = match () {
                () if name.starts_with(".gone-") => true,
                () if name.starts_with(".half-") => {
                    changed(at.clone()).await?.is_some_and(|at| self.clock.now() - at > HALF)
                }
                () => false,
            };
            if !dead {
                continue;
            }
            match tokio::task::spawn_blocking(move || guildhall_git::remove_folder(&at)).await? {
                Ok(()) => swept.gone.push(format!("repositories/{name}, half made or half removed")),
                Err(error) => swept.fault(&format!("repositories/{name} could not be removed"), &error),
            }
        }
        Ok(())
    }
}

/// When something last changed, as far as it itself tells; nothing when it is not there.
async fn changed(at: PathBuf) -> Result<Option<DateTime>, Trouble> {
    let of = |path: &Path| std::fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok();
    Ok(tokio::task::spawn_blocking(move || of(&at)).await?.map(DateTime::from))
}
