//! What tools keep between a project's runs: a folder for each member's, or one for all where the project says so. It is
//! measured, and taken away when it is too large, when a member asks for it and when the project goes, but never while
//! somebody works with it.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use guildhall_git::remove_folder;
use guildhall_sandbox::{Cached, cached};
use guildhall_team::{Team, TeamError};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::project::ProjectSettings;
use guildhall_types::{DateTime, ProjectId};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::Engine;
use crate::outfit::Whose;
use crate::problems::Trouble;

/// Who works with a project's caches, and who takes from them.
pub(crate) type Holds = HashMap<ProjectId, Arc<RwLock<()>>>;

/// How long a project's caches are taken to be as large as they were found, while nobody works with them: another process may
/// have tidied.
const KNOWN: chrono::Duration = chrono::Duration::minutes(10);
/// The same while somebody does.
const GUESSED: chrono::Duration = chrono::Duration::seconds(15);

/// How large the caches of projects were found to be. Each is locked while it is measured.
pub(crate) type Sizes = HashMap<ProjectId, Arc<tokio::sync::Mutex<Option<Measured>>>>;

/// How large the caches of a project were found to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    bytes: u64,
    at: DateTime,
    /// Whether somebody worked with them.
    in_use: bool,
}

impl Measured {
    /// Whether it still tells how large they are, near enough. What was found before the latest work began is forgotten with that.
    fn holds(self, in_use: bool, now: DateTime) -> bool {
        let most = if in_use { GUESSED } else { KNOWN };
        self.in_use == in_use && now >= self.at && now - self.at < most
    }
}

/// What tools keep for a project on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSize {
    /// Bytes on the disk, as they were found some seconds ago while somebody works with them.
    pub bytes: u64,
    /// Bytes that it may have: over that, what was not changed for longest goes.
    pub most: u64,
    /// Whether a run, a trial, a service or a terminal works with it.
    pub in_use: bool,
}

impl Engine {
    /// The folder for the commands of a member's work in a project, made if need be; none where the project wants nothing kept.
    pub(crate) async fn cache(&self, whose: Whose, settings: &ProjectSettings) -> Result<Option<PathBuf>, Trouble> {
        if settings.cache_bytes() == 0 {
            return Ok(None);
        }
        let of = (!settings.shared_caches).then_some(whose.owner);
        let folder = self.0.team.places.cache(whose.project, of);
        let made = folder.clone();
        let making =
            tokio::task::spawn_blocking(move || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(made));
        making.await?.map_err(|source| Trouble::Cache { path: folder.clone(), source })?;
        Ok(Some(folder))
    }

    /// Works with a project's caches until what is returned is dropped: nothing is taken from them meanwhile.
    pub(crate) async fn hold_caches(&self, project: ProjectId) -> OwnedRwLockReadGuard<()> {
        let hold = Arc::clone(self.holds().entry(project).or_default());
        let held = hold.read_owned().await;
        self.forget_size(project);
        held
    }

    fn sizes(&self) -> MutexGuard<'_, Sizes> {
        self.0.cache_sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever is being measured at this moment is forgotten as well.
    fn forget_size(&self, project: ProjectId) {
        self.sizes().remove(&project);
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        self.0.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes from a project's caches, if nobody works with them. Returns whether that was so.
    pub(crate) async fn while_unused(
        &self,
        project: ProjectId,
        take: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> io::Result<bool> {
        let hold = Arc::clone(self.holds().entry(project).or_default());
        let Ok(alone) = hold.try_write_owned() else { return Ok(false) };
        let folder = self.0.team.places.caches.join(project.to_string());
        let engine = self.clone();
        let taking = tokio::task::spawn_blocking(move || {
            let taken = take(&folder);
            engine.forget_size(project);
            drop(alone);
            taken
        });
        taking.await.map_err(io::Error::other)??;
        Ok(true)
    }

    /// Whether somebody works with a project's caches.
    pub(crate) fn caches_in_use(&self, project: ProjectId) -> bool {
        self.holds().get(&project).is_some_and(|hold| hold.try_write().is_err())
    }

    /// How much tools keep for a project. A walk through all of it takes a while, so it is measured when somebody asks, once for
    /// all who ask meanwhile, and remembered.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn cache_size(&self, project: ProjectId, settings: &ProjectSettings) -> Result<CacheSize, TeamError> {
        let known = Arc::clone(self.sizes().entry(project).or_default());
        let mut known = known.lock().await;
        let (in_use, at) = (self.caches_in_use(project), self.0.team.clock.now());
        let bytes = match known.filter(|known| known.holds(in_use, at)) {
            Some(found) => found.bytes,
            None => {
                let folder = self.0.team.places.caches.join(project.to_string());
                let looking = tokio::task::spawn_blocking(move || all_in(&folder));
                let looked = looking.await.map_err(io::Error::other).and_then(|looked| looked);
                let all = looked.map_err(|error| TeamError::internal("measuring the caches", error))?;
                let bytes = all.iter().map(|one| one.bytes).sum();
                *known = Some(Measured { bytes, at, in_use });
                bytes
            }
        };
        Ok(CacheSize { bytes, most: settings.cache_bytes(), in_use })
    }

    /// Takes away all that tools keep for a project. The audit tells that it was whoever `by` acts for.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] while a run, a trial, a service or a terminal works with it.
    pub async fn clear_caches(&self, by: &Team, project: ProjectId) -> Result<(), TeamError> {
        if by.store.project(project).await?.is_none() {
            return Err(TeamError::NotFound { what: "project" });
        }
        let cleared = self.while_unused(project, remove).await;
        match cleared.map_err(|error| TeamError::internal("clearing the caches", error))? {
            true => Ok(by.store.audit(Note::new(AuditAction::ClearCaches).on(AuditObject::Project, project)).await?),
            false => Err(TeamError::conflict(
                "caches-in-use",
                "a run, a trial, a service or a terminal of this project works with the caches; stop it, or wait until it has ended",
            )),
        }
    }

    /// Takes away what is over a project's limit, and all of it when there is no such project any more.
    pub(crate) async fn tidy_cache(&self, project: ProjectId) {
        let done = match self.0.team.store.project(project).await {
            Ok(None) => self.while_unused(project, remove).await,
            Ok(Some(found)) => {
                let most = found.settings.cache_bytes();
                let take =
                    move |folder: &Path| too_much(all_in(folder)?, most).iter().try_for_each(|path| remove(path));
                self.while_unused(project, take).await
            }
            // It is tried again.
            Err(_) => return,
        };
        if let Err(error) = done {
            tracing::warn!(%project, %error, "what tools keep for a project could not be tidied away");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    remove_folder(path).map_err(io::Error::other)
}

/// What each tool keeps for each member of a project.
fn all_in(folder: &Path) -> io::Result<Vec<Cached>> {
    let mut all = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        entries => entries?,
    };
    for entry in entries {
        // These folders are the server's; in them, all is the agents'.
        all.extend(cached(&entry?.path())?);
    }
    Ok(all)
}

/// What has to go so that the rest is no more than `most`: what hides how large it is, and then what was not changed for longest.
fn too_much(mut all: Vec<Cached>, most: u64) -> Vec<PathBuf> {
    all.sort_by_key(|one| (one.whole, one.changed));
    let mut bytes: u64 = all.iter().map(|one| one.bytes).sum();
    let mut gone = Vec::new();
    for one in all {
        if one.whole && bytes <= most {
            break;
        }
        bytes -= one.bytes;
        gone.push(one.path);
    }
    gone
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_oldest_goes_until_the_rest_fits() {
        let one = |name: &str, bytes, age: u64| Cached {
            path: name.into(),
            bytes,
            changed: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 - age),
            whole: true,
        };
        let all = || vec![one("new", 50, 1), one("old", 30, 900), one("middle", 40, 500)];
        assert_eq!(too_much(all(), 120), Vec::<PathBuf>::new());
        assert_eq!(too_much(all(), 119), [PathBuf::from("old")]);
        assert_eq!(too_much(all(), 60), ["old", "middle"].map(PathBuf::from));
        assert_eq!(too_much(all(), 0).len(), 3);
        let mut hiding = all();
        hiding[0].whole = false;
        assert_eq!(too_much(hiding, 120), [PathBuf::from("new")]);
    }

    #[test]
    fn what_was_measured_while_somebody_worked_is_not_what_is_there_afterwards() {
        let at = DateTime::UNIX_EPOCH;
        let (found, guessed) = (Measured { bytes: 1, at, in_use: false }, Measured { bytes: 1, at, in_use: true });
        let later = |seconds| at + chrono::Duration::seconds(seconds);
        assert!(found.holds(false, later(599)) && !found.holds(false, later(600)) && !found.holds(true, at));
        assert!(guessed.holds(true, later(14)) && !guessed.holds(true, later(15)) && !guessed.holds(false, at));
        assert!(!found.holds(false, later(-1)), "a clock that was set back");
    }

    #[test]
    fn no_depth_and_no_mode_keeps_what_is_hidden_by_it() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::create_dir_all(at("member/deep").join("d/".repeat(300))).unwrap();
        std::fs::create_dir_all(at("member/cargo")).unwrap();
        for closed in ["member/deep/d", "member"] {
            std::fs::set_permissions(at(closed), std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        let gone = too_much(all_in(place.path()).unwrap(), u64::MAX);
        assert_eq!(gone, [at("member/deep")]);
        gone.iter().for_each(|path| remove(path).unwrap());
        assert!(!at("member/deep").exists() && at("member/cargo").exists());
    }
}
