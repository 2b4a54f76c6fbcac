//! What commands were refused, gathered and written down now and then: a connection waits for no database.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_store::{Refusal, StoreError};
use guildhall_types::network::HostName;
use guildhall_types::run::RunEvent;
use guildhall_types::{DateTime, ProjectId, RunId};
use tokio::sync::Notify;

use crate::Engine;

/// How long refusals are gathered.
const GATHERING: Duration = Duration::from_millis(500);
/// Hosts that are gathered at most, over all projects; what comes beyond them is not told.
const GATHERED: usize = 1_000;
/// Hosts that are told in the history of a run at most.
const TOLD: usize = 30;

/// Hosts, each at a port.
type Hosts = BTreeSet<(HostName, u16)>;

/// What was refused and is not written down yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    pending: Mutex<Pending>,
    some: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    /// In an order that is the same for everybody who writes.
    hosts: BTreeMap<(ProjectId, HostName, u16), Refusal>,
    /// What was refused to each run for the first time.
    news: BTreeMap<RunId, Hosts>,
    /// What was told in the history of each run that this node has had at work.
    told: BTreeMap<RunId, Hosts>,
}

impl Refusals {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a refusal. Waits for nothing.
    pub(super) fn note(&self, project: ProjectId, run: Option<RunId>, host: HostName, port: u16, now: DateTime) {
        let mut pending = self.pending();
        let full = pending.hosts.len() >= GATHERED;
        match pending.hosts.entry((project, host.clone(), port)) {
            Entry::Occupied(mut entry) => {
                let refusal = entry.get_mut();
                (refusal.count, refusal.last_at, refusal.run) = (refusal.count + 1, now, run);
            }
            Entry::Vacant(_) if full => return,
            Entry::Vacant(entry) => {
                let host = host.clone();
                entry.insert(Refusal { host, port, count: 1, first_at: now, last_at: now, run });
            }
        }
        if let Some(run) = run {
            let told = pending.told.entry(run).or_default();
            if told.len() < TOLD && told.insert((host.clone(), port)) {
                pending.news.entry(run).or_default().insert((host, port));
            }
        }
        drop(pending);
        self.some.notify_one();
    }

    /// Takes what is to be written down.
    fn take(&self) -> (BTreeMap<ProjectId, Vec<Refusal>>, BTreeMap<RunId, Hosts>) {
        let mut pending = self.pending();
        let mut projects: BTreeMap<ProjectId, Vec<Refusal>> = BTreeMap::new();
        for ((project, ..), refusal) in std::mem::take(&mut pending.hosts) {
            projects.entry(project).or_default().push(refusal);
        }
        (projects, std::mem::take(&mut pending.news))
    }

    /// Forgets what was told of runs that are at work no more.
    fn forget(&self, at_work: impl Fn(&RunId) -> bool) {
        self.pending().told.retain(|run, _| at_work(run));
    }
}

/// Writes down what is refused until the engine stops, and then the rest.
pub(crate) async fn note_forever(engine: Engine) {
    let refusals = &engine.0.networks.refusals;
    loop {
        let stopped = tokio::select! {
            () = engine.0.stop.cancelled() => true,
            () = refusals.some.notified() => {
                tokio::select! {
                    () = engine.0.stop.cancelled() => true,
                    () = tokio::time::sleep(GATHERING) => false,
                }
            }
        };
        engine.note_refusals().await;
        if stopped {
            return;
        }
    }
}

impl Engine {
    async fn note_refusals(&self) {
        let networks = &self.0.networks;
        let (projects, news) = networks.refusals.take();
        for (project, refusals) in projects {
            if let Err(error) = self.0.team.store.note_refusals(project, &refusals).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%project, error, "what commands were refused was not written down");
            }
        }
        for (run, hosts) in news {
            let Some(lease) = networks.lease(run).await else { continue };
            let note = RunEvent::Note { text: words(&hosts) };
            match self.0.team.store.append_events(&lease, vec![note]).await {
                Ok(()) | Err(StoreError::LeaseLost) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%run, error, "a run was not told what its commands were refused");
                }
            }
        }
        let active = self.active();
        networks.refusals.forget(|run| active.contains_key(run));
    }
}

fn words(hosts: &Hosts) -> String {
    let hosts: Vec<String> = hosts
        .iter()
        .map(|(host, port)| match port {
            443 => host.to_string(),
            port => format!("{host}:{port}"),
        })
        .collect();
    format!(
        "Commands of this run asked for hosts that the project does not let them reach: {}. Whoever manages projects can \
         allow them in the project's settings, under Network; that holds at once.",
        hosts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use guildhall_types::{Clock, FixedClock};

    use super::*;

    #[test]
    fn refusals_are_counted_by_host_and_a_flood_of_them_is_bounded() {
        let (refusals, clock) = (Refusals::default(), FixedClock::default());
        let (project, run) = (ProjectId::new(), RunId::new());
        let host = |n: usize| HostName::parse(&format!("h{n}.example")).unwrap();
        let now = clock.now();
        for n in 0..5_000 {
            refusals.note(project, Some(run), host(n % 2_000), 443, now);
        }
        let (projects, news) = refusals.take();
        assert_eq!(projects[&project].len(), GATHERED);
        let of = |n: usize| projects[&project].iter().find(|refusal| refusal.host == host(n)).cloned();
        assert_eq!(of(7).unwrap().count, 3);
        assert_eq!(of(1_500), None);
        assert_eq!(news[&run].len(), TOLD);
        assert!(words(&news[&run]).contains("h0.example, h1.example"));
        // What the run was told once it is not told again, until it is at work anew.
        refusals.note(project, Some(run), host(0), 443, now);
        assert!(refusals.take().1.is_empty());
        refusals.forget(|_| false);
        refusals.note(project, Some(run), host(0), 22, now);
        assert_eq!(words(&refusals.take().1[&run]).matches("h0.example:22").count(), 1);
    }
}
