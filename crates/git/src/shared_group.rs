//! What git may have of the machine that works for no run: of a clone, a diff for the page, a merge, a backup.

use std::sync::{Arc, PoisonError, RwLock};

use crate::worktree::Doors;

/// A control group that all gits share which work for no run, beside those of runs.
#[derive(Clone)]
pub struct SharedGroup {
    /// Opens the files by which a process joins. Nothing once the group is gone.
    pub doors: Arc<Doors>,
    /// Bytes of memory that all gits in it may have together.
    pub memory: u64,
}

impl std::fmt::Debug for SharedGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedGroup").field("memory", &self.memory).finish_non_exhaustive()
    }
}

/// The process's, as the machine is: whoever opens a repository need not know of it.
static SHARED: RwLock<Option<SharedGroup>> = RwLock::new(None);

/// From now on every git of this process works in this group that works in no run's. The last word holds.
pub fn gather_in(group: Option<SharedGroup>) {
    *SHARED.write().unwrap_or_else(PoisonError::into_inner) = group;
}

pub(crate) fn shared_group() -> Option<SharedGroup> {
    SHARED.read().unwrap_or_else(PoisonError::into_inner).clone()
}
