//! Boundaries: named points between two steps, at each of which a server may die and must go on.
//!
//! Builds with debug assertions tell of each passage to whoever watches, so that the tests can kill a server at exactly that
//! point. In a release nothing of it is left.

use std::fmt::Arguments;
use std::sync::OnceLock;

type Watcher = Box<dyn Fn(&str) + Send + Sync>;

static WATCHER: OnceLock<Watcher> = OnceLock::new();

/// Marks a boundary. Its name is written like the arguments of `format!`.
#[macro_export]
macro_rules! boundary {
    ($($name:tt)*) => {
        if cfg!(debug_assertions) {
            $crate::boundary::pass(format_args!($($name)*));
        }
    };
}

/// Has every passage from now on told to `watcher`, in the task that passes. The first watcher stays.
pub fn watch(watcher: impl Fn(&str) + Send + Sync + 'static) {
    // A second one is of no use to anybody; the tests have one for each process.
    drop(WATCHER.set(Box::new(watcher)));
}

/// What [`boundary!`](crate::boundary!) calls.
pub fn pass(name: Arguments<'_>) {
    if let Some(watcher) = WATCHER.get() {
        watcher(&name.to_string());
    }
}
