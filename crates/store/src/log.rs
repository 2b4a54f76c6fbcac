//! SQLite's log of commits, made durable for many of them at once.
//!
//! A commit that is to survive the loss of power waits for the disk. If the one writer waited for it, all others would wait
//! too, each for a time of its own; here they wait together, after the next writer has begun.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::StoreError;

/// The log of a database file.
#[derive(Debug)]
pub(crate) struct Log {
    /// The log's file, and the database's.
    path: PathBuf,
    database: PathBuf,
    /// Commits that asked to be kept, counted.
    asked: AtomicU64,
    /// Who holds it waits for the disk. It says up to which of them all are kept, and up to which that failed.
    turn: Mutex<(u64, u64)>,
    /// Whether the disk knows the log's name.
    named: Arc<AtomicBool>,
}

impl Log {
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self {
            path: path.into(),
            database: database.to_owned(),
            asked: AtomicU64::new(0),
            turn: Mutex::default(),
            named: Arc::default(),
        }
    }

    /// Waits until every commit that was made before survives the loss of power.
    pub(crate) async fn keep(&self) -> Result<(), StoreError> {
        let own = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut turn = self.turn.lock().await;
        let (kept, failed) = *turn;
        if own <= failed {
            return Err(self.failed(io::Error::other("the disk has just failed to keep what was written")));
        }
        if own <= kept {
            return Ok(());
        }
        // All that asked until now have committed before, and are kept with this one.
        let upto = self.asked.load(Ordering::SeqCst);
        let (path, database, named) = (self.path.clone(), self.database.clone(), Arc::clone(&self.named));
        let done = tokio::task::spawn_blocking(move || sync(&path, &database, &named)).await;
        match done.map_err(io::Error::other).flatten() {
            Ok(()) => {
                turn.0 = upto;
                Ok(())
            }
            Err(error) => {
                turn.1 = upto;
                Err(self.failed(error))
            }
        }
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::File { path: self.path.clone(), source }
    }
}

fn sync(path: &Path, database: &Path, named: &AtomicBool) -> io::Result<()> {
    match std::fs::File::open(path) {
        Ok(log) => log.sync_data()?,
        // Without a log, all is in the database.
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::File::open(database)?.sync_data()?,
        Err(error) => return Err(error),
    }
    if !named.load(Ordering::Relaxed) {
        if let Some(folder) = path.parent() {
            std::fs::File::open(folder)?.sync_all()?;
        }
        named.store(true, Ordering::Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_ask_together_are_kept_together_and_hear_together_that_it_failed() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        std::fs::write(&database, "").unwrap();
        let log = Log::of(&database);
        log.keep().await.unwrap();
        assert_eq!(*log.turn.lock().await, (1, 0));

        let turn = log.turn.lock().await;
        let all = async { tokio::join!(log.keep(), log.keep(), log.keep()) };
        let waiting = async {
            while log.asked.load(Ordering::SeqCst) < 4 {
                tokio::task::yield_now().await;
            }
            drop(turn);
        };
        let (all, ()) = tokio::join!(all, waiting);
        assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok());
        assert_eq!(*log.turn.lock().await, (4, 0), "the first kept what all three had asked for");

        std::fs::remove_file(&database).unwrap();
        assert!(matches!(log.keep().await, Err(StoreError::File { .. })));
        std::fs::write(&database, "").unwrap();
        log.keep().await.unwrap();
        assert_eq!(*log.turn.lock().await, (6, 5));
    }
}
