//! What git may have of this machine that works for no run: clones, backups, merges, and whatever members look at.

use std::io;
use std::sync::Arc;

use guildhall_git::{SharedGroup, gather_in};
use guildhall_sandbox::{Groups, ServerGroup};
use guildhall_types::limits::{MB, Part};

use crate::reading::host;

/// Processes and threads of all of them. One has a few, and a clone as many threads as there are processors.
const PROCESSES: u64 = 1_000;
/// Bytes of memory where the host does not say how much there is.
const MEMORY: u64 = 4_000 * MB;

/// Gathers git in a group of the server's, which is there for as long as what this returns.
pub(crate) async fn gather(groups: &Groups) -> Option<Arc<ServerGroup>> {
    let groups = groups.clone();
    let made = tokio::task::spawn_blocking(move || {
        let part = part(host::whole_memory());
        Ok::<_, io::Error>(groups.server_group("git", part)?.map(|group| (Arc::new(group), part)))
    });
    match made.await.map_err(io::Error::other).and_then(|made| made) {
        Ok(Some((group, part))) => {
            let known = Arc::downgrade(&group);
            let doors = move || known.upgrade().map_or_else(|| Ok(Vec::new()), |group| group.doors());
            gather_in(Some(SharedGroup { doors: Arc::new(doors), memory: part.memory }));
            Some(group)
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(%error, "git that works for no run has no control group, so that it can take all of the machine's memory");
            None
        }
    }
}

/// Half of the memory that there is: the other half is the server's and its agents'.
fn part(memory: Option<u64>) -> Part {
    Part { memory: memory.map_or(MEMORY, |memory| memory / 2), processes: PROCESSES }
}
