//! What a panic comes to where one loop does something for many: it costs the one that met it, and no other.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

/// What came of some work; nothing if it panicked. What is shared lies behind locks that are taken whoever let go of them, and
/// is written whole below each: nobody finds it half done.
pub async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    // Of the panic itself, the process has told its standard error.
    AssertUnwindSafe(work).catch_unwind().await.ok()
}
