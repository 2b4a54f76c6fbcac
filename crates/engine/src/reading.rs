//! How this node is, read again and again for whoever watches: alerts, the scheduler, monitors and the page.

use std::sync::Arc;
use std::time::Duration;

use guildhall_store::StoreError;
use guildhall_types::reading::{DatabaseTrouble, DiskRole, Reading};
use guildhall_types::trace::{Side, Span};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Engine;
use crate::samples::Sampler;

pub(crate) mod disks;
pub(crate) mod host;

/// How long the database may take to take something that is written.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes a reading, now and at every pace, until the engine stops.
pub(crate) async fn read_forever(engine: Engine) {
    let mut sampler = Sampler::default();
    loop {
        let span = Span::begin(Side::Internal, "job reading", "");
        let reading = Arc::new(span.around(engine.take_reading()).await);
        drop(span);
        engine.0.readings.send_replace(Some(Arc::clone(&reading)));
        sampler.take(&engine, &reading).await;
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = tokio::time::sleep(engine.0.pace.read) => {}
        }
    }
}

impl Engine {
    /// How this node is: shows the latest reading, and tells of each new one. There is none in the first moments.
    pub fn readings(&self) -> watch::Receiver<Option<Arc<Reading>>> {
        self.0.readings.subscribe()
    }

    async fn take_reading(&self) -> Reading {
        let team = &self.0.team;
        let folders = disks::disk_folders(&team.places, team.store.folder());
        let host = tokio::task::spawn_blocking(move || host::look(&folders)).await.unwrap_or_default();
        let asked = Instant::now();
        let turn = in_time(team.store.take_turn(self.0.place.id())).await;
        let waited = asked.elapsed().as_secs_f64() * 1_000.0;
        // What takes nothing can be read all the same.
        let counts = match turn {
            Err(DatabaseTrouble::Away) => None,
            _ => in_time(team.store.run_counts()).await.ok(),
        };
        let stats = self.stats().await;
        let mut reading = Reading {
            node: self.0.node,
            at: team.clock.now(),
            memory: host.memory,
            process_memory: host.process_memory,
            disk: host.disks.iter().find(|disk| disk.role() == DiskRole::Data).map(|disk| disk.bytes),
            disks: host.disks,
            processors: host.processors,
            load: host.load,
            active_agents: counts.map(|(active, _)| active),
            active_runs: whole(stats.active_runs),
            worktrees: whole(stats.worktrees),
            queue_depth: counts.map(|(_, queued)| queued),
            provider_failures: self.0.tally.failures(),
            database_millis: turn.is_ok().then_some(waited),
            database_trouble: turn.err(),
        };
        // The process is another one after a start, whatever is known of its folder.
        let first = self.0.readings.borrow().is_none();
        if (turn == Ok(false) || turn == Ok(true) && first)
            && let Err(trouble) =
                in_time(team.store.meet_node(&self.0.place.known(&reading, team.node_url.as_deref()))).await
        {
            (reading.database_millis, reading.database_trouble) = (None, Some(trouble));
        }
        reading
    }
}

/// What the database says within its time, or what keeps it from that.
async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, DatabaseTrouble> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(said) => said.map_err(|error| error.trouble()),
        Err(_) => Err(DatabaseTrouble::Away),
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
