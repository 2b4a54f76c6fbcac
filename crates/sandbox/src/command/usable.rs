//! What a host can do is tried out once, and anew when it did not do that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::bwrap::Bwrap;
use super::{Isolation, Sandbox, SandboxError, probe};

/// The bubblewrap that was found usable, until it was seen not to be.
#[derive(Debug, Default)]
pub(super) struct Usable {
    bwrap: Mutex<Option<Arc<Bwrap>>>,
    /// One at a time tries it out.
    trying: tokio::sync::Mutex<()>,
    /// How often what was found usable was not.
    doubts: AtomicU64,
}

impl Usable {
    pub(super) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::Relaxed)
    }

    fn known(&self) -> Option<Arc<Bwrap>> {
        self.bwrap.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This was found now; nothing where none is usable.
    pub(super) fn found(&self, bwrap: Option<Bwrap>) -> Option<Arc<Bwrap>> {
        let bwrap = bwrap.map(Arc::new);
        *self.bwrap.lock().unwrap_or_else(PoisonError::into_inner) = bwrap.clone();
        bwrap
    }

    /// Trusts nothing any more if this host did not do what it was found to do: it is tried out again.
    pub(super) fn heed<T>(&self, done: Result<T, SandboxError>) -> Result<T, SandboxError> {
        if matches!(done, Err(SandboxError::Unavailable { .. })) {
            self.found(None);
            self.doubts.fetch_add(1, Ordering::Relaxed);
        }
        done
    }
}

impl Sandbox {
    /// The bubblewrap to use, or nothing where the operator does without.
    pub(super) async fn usable(&self) -> Result<Option<Arc<Bwrap>>, SandboxError> {
        if self.isolation == Isolation::None {
            return Ok(None);
        }
        if let Some(bwrap) = self.usable.known() {
            return Ok(Some(bwrap));
        }
        let _turn = self.usable.trying.lock().await;
        match self.usable.known() {
            // Whoever came first tried it out.
            Some(bwrap) => Ok(Some(bwrap)),
            None => Ok(self.usable.found(Some(probe::usable(self).await?))),
        }
    }
}
