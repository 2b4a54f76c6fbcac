//! What commands were refused, gathered and written down now and then: a connection waits for no database.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map, hash_map};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_store::{Lease, Refusal, StoreError};
use guildhall_types::blot::Blot;
use guildhall_types::network::{HostName, REFUSED};
use guildhall_types::run::RunEvent;
use guildhall_types::{DateTime, ProjectId, RunId};
use tokio::sync::Notify;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::Engine;

/// How long refusals are gathered.
const GATHERING: Duration = Duration::from_millis(500);
/// How long the pages of a project are let alone after they were told of new hosts.
const QUIET: Duration = Duration::from_secs(5);
/// Hosts of a project that are gathered at most: more would not be kept. What comes beyond them is not counted.
const GATHERED: usize = REFUSED as usize;
/// Hosts that are told in the history of a run at most.
const TOLD: usize = 30;

/// Hosts, each at a port.
type Hosts = BTreeSet<(HostName, u16)>;

/// What was refused and is not written down yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    pending: Mutex<Pending>,
    some: Notify,
    /// Held while runs are told, so that what is taken is written before anybody goes on.
    telling: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Pending {
    /// In an order that is the same for everybody who writes.
    hosts: BTreeMap<ProjectId, BTreeMap<(HostName, u16), Refusal>>,
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
        if let Some(run) = run {
            let told = pending.told.entry(run).or_default();
            if told.len() < TOLD && told.insert((host.clone(), port)) {
                pending.news.entry(run).or_default().insert((host.clone(), port));
            }
        }
        let hosts = pending.hosts.entry(project).or_default();
        let full = hosts.len() >= GATHERED;
        match hosts.entry((host.clone(), port)) {
            btree_map::Entry::Occupied(mut entry) => {
                let refusal = entry.get_mut();
                (refusal.count, refusal.last_at, refusal.run) = (refusal.count + 1, now, run);
            }
            btree_map::Entry::Vacant(_) if full => {}
            btree_map::Entry::Vacant(entry) => {
                entry.insert(Refusal { host, port, count: 1, first_at: now, last_at: now, run });
            }
        }
        drop(pending);
        self.some.notify_one();
    }

    /// Takes what is to be written down of projects.
    fn take(&self) -> BTreeMap<ProjectId, Vec<Refusal>> {
        let hosts = std::mem::take(&mut self.pending().hosts);
        hosts.into_iter().map(|(project, hosts)| (project, hosts.into_values().collect())).collect()
    }

    /// Takes what is to be told in the histories of all runs, or of one.
    fn take_news(&self, of: Option<RunId>) -> BTreeMap<RunId, Hosts> {
        let mut pending = self.pending();
        match of {
            None => std::mem::take(&mut pending.news),
            Some(run) => pending.news.remove_entry(&run).into_iter().collect(),
        }
    }

    /// Forgets what was told of runs that are at work no more.
    fn forget(&self, at_work: impl Fn(&RunId) -> bool) {
        self.pending().told.retain(|run, _| at_work(run));
    }
}

/// When the pages of each project were last told of new hosts, and whether they are owed that again.
#[derive(Debug, Default)]
struct Bells(HashMap<ProjectId, (Instant, bool)>);

impl Bells {
    /// Which projects' pages are to be told now, when there are new hosts in these.
    fn due(&mut self, news: impl IntoIterator<Item = ProjectId>, now: Instant) -> Vec<ProjectId> {
        self.0.retain(|_, (told, owed)| *owed || now.duration_since(*told) < QUIET);
        let mut due = Vec::new();
        for project in news {
            match self.0.entry(project) {
                hash_map::Entry::Occupied(mut bell) => bell.get_mut().1 = true,
                hash_map::Entry::Vacant(bell) => {
                    bell.insert((now, false));
                    due.push(project);
                }
            }
        }
        for (project, bell) in &mut self.0 {
            if bell.1 && now.duration_since(bell.0) >= QUIET {
                *bell = (now, false);
                due.push(*project);
            }
        }
        due
    }

    /// When the next is due that is owed.
    fn next(&self) -> Option<Instant> {
        self.0.values().filter(|(_, owed)| *owed).map(|(told, _)| *told + QUIET).min()
    }
}

/// Writes down what is refused until the engine stops, and then the rest.
pub(crate) async fn note_forever(engine: Engine) {
    let refusals = &engine.0.networks.refusals;
    let mut bells = Bells::default();
    loop {
        let owed = bells.next();
        let due = async {
            match owed {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let stopped = tokio::select! {
            () = engine.0.stop.cancelled() => true,
            () = due => false,
            () = refusals.some.notified() => {
                tokio::select! {
                    () = engine.0.stop.cancelled() => true,
                    () = tokio::time::sleep(GATHERING) => false,
                }
            }
        };
        engine.note_refusals(&mut bells).await;
        if stopped {
            return;
        }
    }
}

impl Engine {
    async fn note_refusals(&self, bells: &mut Bells) {
        let (networks, store) = (&self.0.networks, &self.0.team.store);
        let mut news = Vec::new();
        for (project, mut refusals) in networks.refusals.take() {
            let Some(blot) = self.host_blot(project).await else { continue };
            // A host whose name tells a secret is none to allow: the run's history says that it was asked for.
            refusals.retain(|refusal| !tells(&blot, &refusal.host));
            match store.note_refusals(project, &refusals).await {
                Ok(true) => news.push(project),
                Ok(false) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%project, error, "what commands were refused was not written down");
                }
            }
        }
        for project in bells.due(news, Instant::now()) {
            if let Err(error) = store.tell_of_refusals(project).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%project, error, "nobody was told what commands were refused");
            }
        }
        self.tell_refused(None).await;
        let active = self.active();
        networks.refusals.forget(|run| active.contains_key(run));
    }

    /// Tells in the histories of all runs, or of the one that is held so, what their commands were refused.
    pub(crate) async fn tell_refused(&self, of: Option<Lease>) {
        let networks = &self.0.networks;
        let _telling = networks.refusals.telling.lock().await;
        for (run, hosts) in networks.refusals.take_news(of.map(|lease| lease.run)) {
            let Some(lease) = of.or_else(|| networks.lease(run)) else { continue };
            let project = self.0.team.store.run(run).await.ok().flatten().map(|run| run.project_id);
            let blot = match project {
                Some(project) => self.host_blot(project).await,
                None => None,
            };
            // What cannot be cleaned is not told.
            let Some(blot) = blot else { continue };
            let note = RunEvent::Note { text: blot.owned(words(&hosts)) };
            match self.0.team.store.append_events(&lease, vec![note]).await {
                Ok(()) | Err(StoreError::LeaseLost) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%run, error, "a run was not told what its commands were refused");
                }
            }
        }
    }
}

impl Engine {
    /// Blots a project's secrets out of names of hosts, which know no capital letters. Nothing where they cannot be had.
    async fn host_blot(&self, project: ProjectId) -> Option<Blot> {
        match self.0.team.open_project_secrets(project).await {
            Ok(secrets) => {
                let small = |value: &str| Zeroizing::new(value.to_ascii_lowercase());
                let small: Vec<_> = secrets.iter().map(|secret| (secret.name.as_str(), small(&secret.value))).collect();
                let small = small.iter().map(|(name, value)| (*name, value.as_str()));
                Some(Blot::new(secrets.iter().map(|secret| (secret.name.as_str(), secret.value.as_str())).chain(small)))
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%project, error, "what commands were refused is not told, for it could not be cleaned of secrets");
                None
            }
        }
    }
}

fn tells(blot: &Blot, host: &HostName) -> bool {
    !blot.found_in(host.as_str().as_bytes()).is_empty()
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
        let (project, run, other) = (ProjectId::new(), RunId::new(), RunId::new());
        let host = |n: usize| HostName::parse(&format!("h{n}.example")).unwrap();
        let now = clock.now();
        for n in 0..5_000 {
            refusals.note(project, Some(run), host(n % 2_000), 443, now);
        }
        // Another project and another run are not the worse for it.
        let small = ProjectId::new();
        refusals.note(small, None, host(1_500), 443, now);
        refusals.note(project, Some(other), host(1_500), 443, now);
        let (projects, one) = (refusals.take(), refusals.take_news(Some(other)));
        assert_eq!((projects[&project].len(), projects[&small].len()), (GATHERED, 1));
        let of = |n: usize| projects[&project].iter().find(|refusal| refusal.host == host(n)).cloned();
        assert_eq!(of(7).unwrap().count, 3);
        assert_eq!(of(1_500), None);
        assert!(one.len() == 1 && words(&one[&other]).contains("h1500.example"));
        let news = refusals.take_news(None);
        assert_eq!((news.len(), news[&run].len()), (1, TOLD));
        assert!(words(&news[&run]).contains("h0.example, h1.example"));
        // What the run was told once it is not told again, until it is at work anew.
        refusals.note(project, Some(run), host(0), 443, now);
        assert!(refusals.take_news(None).is_empty());
        refusals.forget(|_| false);
        refusals.note(project, Some(run), host(0), 22, now);
        assert_eq!(words(&refusals.take_news(None)[&run]).matches("h0.example:22").count(), 1);
    }

    #[test]
    fn pages_are_told_at_once_and_then_let_alone_for_a_while() {
        let (mut bells, began) = (Bells::default(), Instant::now());
        let (one, other) = (ProjectId::new(), ProjectId::new());
        assert_eq!(bells.due([one], began), [one]);
        let soon = began + QUIET / 2;
        assert_eq!(bells.due([one, other], soon), [other]);
        assert_eq!(bells.next(), Some(began + QUIET));
        assert_eq!(bells.due([], began + QUIET), [one]);
        assert_eq!(bells.next(), None);
        assert_eq!(bells.due([one], began + QUIET * 3), [one]);
        assert_eq!(bells.0.len(), 1, "what is long ago is forgotten");
    }
}
