//! What commands reach of the network: a network of its own for each run, and in it a proxy that leads out as far as the
//! project allows.

mod body;
mod head;
mod outside;
mod proxy;
mod refused;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use guildhall_agent::prompt::Reached;
use guildhall_sandbox::{Isolation, Net, Network, WeakNet};
use guildhall_store::Lease;
use guildhall_types::RunId;
use guildhall_types::network::{HostName, NetworkPolicy, NetworkRules, NetworkSettings};
use guildhall_types::project::Project;
use tracing::Instrument;

use crate::Engine;
use crate::outfit::Whose;
use crate::problems::Trouble;
pub use outside::{Outside, Resolve};
use proxy::Door;
use refused::Refusals;
pub(crate) use refused::note_forever;

/// Where the proxy listens, in each run's network.
const PORT: u16 = 3128;

/// The networks of the runs on this node, and what was refused in them.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// Those of runs that may still have one.
    runs: Mutex<HashMap<RunId, Arc<OfRun>>>,
    refusals: Refusals,
    outside: Outside,
}

/// What is known of a run's network.
#[derive(Debug, Default)]
struct OfRun {
    /// Held while it is made, so that a run has one.
    kept: tokio::sync::Mutex<Option<Kept>>,
    /// The latest hold on the run: by it, what was refused is told in its history.
    lease: Mutex<Option<Lease>>,
}

/// The network of a run.
#[derive(Debug)]
struct Kept {
    net: WeakNet,
    /// Whether there is a proxy in it.
    served: bool,
}

impl OfRun {
    /// Whether somebody makes it, or holds it.
    fn is_used(self: &Arc<Self>) -> bool {
        let held = |kept: &Option<Kept>| kept.as_ref().is_some_and(|kept| kept.net.upgrade().is_some());
        Arc::strong_count(self) > 1 || self.kept.try_lock().is_ok_and(|kept| held(&kept))
    }
}

impl Networks {
    /// With another way out than the host's own.
    pub(crate) fn to(outside: Outside) -> Self {
        Self { outside, ..Self::default() }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Arc<OfRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a run's network. Whoever comes without a hold on the run, such as a member at a terminal, leaves the
    /// one that is there.
    fn of(&self, run: RunId, lease: Option<Lease>) -> Arc<OfRun> {
        let mut runs = self.runs();
        runs.retain(|known, of_run| *known == run || of_run.is_used());
        let of_run = Arc::clone(runs.entry(run).or_default());
        drop(runs);
        if lease.is_some() {
            *of_run.lease.lock().unwrap_or_else(PoisonError::into_inner) = lease;
        }
        of_run
    }

    /// The hold by which something may be told of a run.
    fn lease(&self, run: RunId) -> Option<Lease> {
        let of_run = Arc::clone(self.runs().get(&run)?);
        *of_run.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The network of somebody's commands, and the environment that leads them to its proxy. A run has one network for as
    /// long as anything holds it.
    pub(crate) async fn network(&self, whose: Whose) -> Result<(Network, Vec<(String, String)>), Trouble> {
        if self.0.sandbox.isolation() == Isolation::None {
            return Ok((Network::None, Vec::new()));
        }
        let project = self.0.team.store.project(whose.project).await?;
        let serves = project.is_some_and(|project| project.settings.network.policy != NetworkPolicy::None);
        let of_run = whose.run.map(|run| self.0.networks.of(run, whose.lease));
        let mut kept = match &of_run {
            Some(of_run) => Some(of_run.kept.lock().await),
            None => None,
        };
        let found = kept.as_deref().and_then(Option::as_ref);
        let found = found.and_then(|kept| Some((kept.net.upgrade()?, kept.served)));
        let (net, mut served) = match found {
            Some(found) => found,
            None => (self.0.sandbox.net().await?, false),
        };
        if serves && !served {
            self.serve(&net, whose).await?;
            served = true;
        }
        if let Some(kept) = &mut kept {
            **kept = Some(Kept { net: net.downgrade(), served });
        }
        Ok((Network::Of(net), if serves { environment() } else { Vec::new() }))
    }

    /// Opens a proxy in a network, for as long as somebody holds that.
    async fn serve(&self, net: &Net, whose: Whose) -> Result<(), Trouble> {
        let listener = net.listener(PORT).await.map_err(|error| guildhall_sandbox::SandboxError::Unavailable {
            reason: format!("the proxy that leads out of the sandbox could not be opened: {error}"),
        })?;
        tracing::debug!(project = %whose.project, member = %whose.member, run = ?whose.run, "a way out of a sandbox is open");
        let (released, stop) = (net.released(), self.0.stop.clone());
        let end = async move {
            tokio::select! {
                () = released => {}
                () = stop.cancelled() => {}
            }
        };
        let door = Arc::new(OfProject { engine: self.clone(), whose, known: Mutex::default() });
        tokio::spawn(proxy::serve(listener, door, self.0.networks.outside.clone(), end).in_current_span());
        Ok(())
    }

    /// What the agents of a project are told that their commands reach.
    pub(crate) fn reached(&self, settings: &NetworkSettings) -> Reached {
        match (self.0.sandbox.isolation(), settings.policy) {
            (Isolation::None, _) => Reached::Everything,
            (_, NetworkPolicy::None) => Reached::Nothing,
            (_, NetworkPolicy::AllowList) => {
                Reached::Listed { registries: settings.registries, hosts: settings.hosts.clone() }
            }
            (_, NetworkPolicy::Open) => Reached::World,
        }
    }
}

/// What decides of the connections of a project's commands: its settings, as the database has them.
struct OfProject {
    engine: Engine,
    whose: Whose,
    known: Mutex<Option<Known>>,
}

/// Rules that hold until something is committed, here or elsewhere.
struct Known {
    rules: Arc<NetworkRules>,
    /// The last event that this process had committed when they were read.
    at: i64,
    since: tokio::time::Instant,
}

/// How long rules are taken to hold that another node may have changed.
const HOLD: std::time::Duration = std::time::Duration::from_millis(500);

#[async_trait]
impl Door for OfProject {
    async fn rules(&self) -> Option<Arc<NetworkRules>> {
        let store = &self.engine.0.team.store;
        let at = *store.commits().borrow();
        let known = |known: &Option<Known>| {
            let known = known.as_ref().filter(|known| known.at == at && known.since.elapsed() < HOLD)?;
            Some(Arc::clone(&known.rules))
        };
        if let Some(rules) = known(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Some(rules);
        }
        let since = tokio::time::Instant::now();
        let rules = match store.project(self.whose.project).await {
            Ok(project) => Arc::new(rules_of(project.as_ref())),
            Err(error) => {
                let project = self.whose.project;
                tracing::warn!(%project, error = &error as &dyn std::error::Error, "what commands reach is not known");
                return None;
            }
        };
        let known = Known { rules: Arc::clone(&rules), at, since };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Some(rules)
    }

    fn refused(&self, host: HostName, port: u16) {
        let now = self.engine.0.team.clock.now();
        self.engine.0.networks.refusals.note(self.whose.project, self.whose.run, host, port, now);
    }
}

/// The commands of a project that is gone reach nothing.
fn rules_of(project: Option<&Project>) -> NetworkRules {
    let gone = NetworkSettings { policy: NetworkPolicy::None, ..NetworkSettings::default() };
    NetworkRules::of(project.map_or(&gone, |project| &project.settings.network))
}

/// What leads programs of all kinds to the proxy. Whoever goes by none of it finds no way out.
fn environment() -> Vec<(String, String)> {
    let proxy = format!("http://127.0.0.1:{PORT}");
    let java = format!(
        "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort={PORT} -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={PORT} \
         -Dhttp.nonProxyHosts=localhost|127.*|[::1]"
    );
    let by_proxy = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    // Those that have names of their own: Yarn, Node's own fetch, the Java of Maven and Gradle.
    let own = ["YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"];
    let mut all: Vec<(String, String)> =
        by_proxy.into_iter().chain(own).map(|name| (name.to_owned(), proxy.clone())).collect();
    for name in ["NO_PROXY", "no_proxy"] {
        all.push((name.to_owned(), "localhost,127.0.0.1,::1".to_owned()));
    }
    all.push(("NODE_USE_ENV_PROXY".to_owned(), "1".to_owned()));
    all.push(("JAVA_TOOL_OPTIONS".to_owned(), java));
    all
}
