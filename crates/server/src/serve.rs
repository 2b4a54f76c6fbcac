//! Starting and stopping the server.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use guildhall_bus::Bus;
use guildhall_engine::{Engine, Outside, Pace, last};
use guildhall_llm::{Client, LlmError, Reach};
use guildhall_sandbox::Sandbox;
use guildhall_store::{Backend, Store, StoreError};
use guildhall_team::backup::{BackupPlan, Backups, PlannedBackups};
use guildhall_team::keys::Keys;
use guildhall_team::mail::{MailPace, Mailer};
use guildhall_team::oidc::Providers;
use guildhall_team::vault::{Vault, VaultError};
use guildhall_team::{Places, Team, TeamError, TeamProviders, WebhookPace};
use guildhall_types::{Clock, boundary};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::auth::origin::Public;
use crate::config::Config;
use crate::database::Moved;
use crate::folder::{FolderError, Unfinished};
use crate::mcp::told::{self, Told};
use crate::metrics::{Metrics, MetricsToken};
use crate::preview::{PreviewUrl, Previews};
use crate::rates::Rates;
use crate::sockets::Sockets;
use crate::traces::Traces;
use crate::ws::Listening;
use crate::{connections, database, folder, keys, router, toolchains};

/// How long runs may take to give themselves back when the server stops.
const ENGINE_GRACE: Duration = Duration::from_secs(10);
/// How long requests may take to end when the server stops.
const REQUEST_GRACE: Duration = Duration::from_secs(5);
/// After this, a task that is to last begins anew that panicked.
const PAUSE: Duration = Duration::from_secs(5);
/// How long the collector of traces may take for the last of them, when everything else has stopped.
const TRACES_GRACE: Duration = Duration::from_secs(3);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A restore was cut off.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
    /// The address cannot be listened on.
    #[error("the address {address} cannot be listened on; choose another with GUILDHALL_LISTEN or --listen")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A toolchain that the operator listed cannot be shown to agents.
    #[error("the list of toolchains (GUILDHALL_TOOLCHAINS) cannot be used:\n{}", .0.iter().map(|fault| format!("  - {fault}")).collect::<Vec<_>>().join("\n"))]
    Toolchains(Vec<String>),
    /// The database cannot be used.
    #[error("the database cannot be used; run `guildhall doctor`")]
    Store(#[from] StoreError),
    /// The team is in another database by now.
    #[error(transparent)]
    Moved(#[from] Moved),
    /// The vault cannot be opened.
    #[error("the vault of keys cannot be opened")]
    Vault(#[from] VaultError),
    /// Calls to providers cannot be made.
    #[error("calls to model providers cannot be made")]
    Client(#[from] LlmError),
    /// Figures cannot be kept.
    #[error("figures for monitoring cannot be kept")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The keys that seal secrets cannot be used.
    #[error("the keys that seal secrets cannot be used; run `guildhall doctor`")]
    Keys(#[source] TeamError),
    /// The engine did not start.
    #[error("the engine did not start")]
    Engine(#[from] TeamError),
}

/// A server that listens, and is yet to serve.
#[derive(Debug)]
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    /// What keeps the link to other servers, and how it ends.
    linked: JoinHandle<()>,
    alone_again: CancellationToken,
    /// Held as long as the server lives; nobody else may work in the data folder.
    _lock: File,
}

impl Server {
    /// Makes everything ready: data folder, address, database, vault, engine.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        #[cfg(debug_assertions)]
        let pace = crate::boundaries::pace();
        #[cfg(not(debug_assertions))]
        let pace = Pace::default();
        Self::start_with(config, clock, pace, Listening::default()).await
    }

    /// The same, with an engine and WebSockets that keep another pace.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_with(
        config: &Config,
        clock: Arc<dyn Clock>,
        pace: Pace,
        listening: Listening,
    ) -> Result<Self, StartError> {
        for note in &config.notes {
            tracing::warn!("{note}");
        }
        let toolchains = toolchains::listed(config).map_err(StartError::Toolchains)?;
        let lock = folder::take(&config.data_dir).await?;
        folder::is_whole(&config.data_dir)?;
        if let Some(line) = crate::doctor::place(config) {
            tracing::warn!("{}", line.detail);
        }
        let failed = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;

        let store = Store::open(config.database_url.expose(), Arc::clone(&clock)).await?;
        store.migrate().await?;
        database::stays(&store).await??;
        let vault = Vault::open_files(config.key_files())?;
        let settled = Keys { store: &store, vault: &vault }.settle().await.map_err(StartError::Keys)?;
        if let Some(path) = settled.made {
            tracing::warn!(
                path = %path.display(),
                "a new key for sealing members' keys was made; keep a copy of it in a safe place, apart from the database"
            );
        }
        if let Some(key) = settled.lacking {
            keys::tell_of_lacking(&key);
        }
        let reach = if config.allow_private_providers { Reach::Private } else { Reach::Public };
        let places = Places::below(&config.data_dir, config.allowed_repo_paths.clone())
            .with_scratch(config.backup_rules.scratch.clone())
            .with_reach(reach);
        let providers = TeamProviders {
            anthropic: config.anthropic.clone(),
            openai: config.openai.clone(),
            simulated: config.simulated.clone(),
        };
        // One process at a time works in a data folder, so on SQLite nobody else can hold a run.
        let alone = store.backend() == Backend::Sqlite;
        let mut team = Team::new(
            store,
            Arc::clone(&clock),
            vault,
            places,
            Client::with_patience(pace.calls)?.reaching(reach),
            providers,
        )
        .with_sign_in(Providers::new(config.sign_in.clone())?)
        .at(&config.url(address))
        .sharing(shares_repositories(config))
        .reached_at(config.node_url.as_deref());
        if let Some((names, at)) = config.preview_url.as_ref().and_then(PreviewUrl::secured) {
            team = team.with_pages_at(&names, at);
        }
        let plan = config.backup.clone().map(|shelf| BackupPlan { shelf, rules: config.backup_rules.clone() });
        let planned = plan.as_ref().map(PlannedBackups::of);
        if let Some(planned) = &planned {
            team.store.plan_backups(&planned.destination).await?;
        }
        team = team.with_backups(planned);
        if let Some(smtp) = &config.mail {
            team = team.with_mail(Mailer::new(smtp.clone(), &config.url(address)));
        }
        let agents = team.make_built_in_agents().await?;
        if agents > 0 {
            tracing::info!(agents, "the agents that every team begins with were made");
        }
        let bus = match &config.redis_url {
            Some(url) => Bus::over_redis(url.clone(), &team.store.installation().await?, Arc::clone(&clock)),
            None => Bus::in_memory(),
        };
        let sandbox = Sandbox::new(config.sandbox).with_toolchains(toolchains);
        let own = config.own_addresses.clone();
        let outside = Outside::without(move |address| own.iter().any(|network| network.contains(&address)));
        let engine = Engine::start_to(team.clone(), bus.clone(), sandbox, pace, alone, outside).await?;
        let report = engine.sandbox_report().await;
        for finding in report.findings.iter().filter(|finding| !finding.ok) {
            tracing::warn!(finding = finding.name, detail = finding.detail, "the sandbox is not as it should be");
        }
        if !report.usable {
            tracing::error!(
                "agents' commands cannot be kept apart from this host, so no agent will start; run `guildhall doctor`"
            );
        }
        let metrics = Arc::new(Metrics::new()?);
        let closing = CancellationToken::new();
        let (watched, told, stop) = (team.clone(), Arc::clone(&metrics), closing.clone());
        tokio::spawn(last("keys", PAUSE, closing.clone(), move || keys::watch(watched.clone(), stop.clone())));
        let stop = closing.clone();
        tokio::spawn(last("figures", PAUSE, closing.clone(), move || Arc::clone(&told).keep_up(stop.clone())));
        // Longer than anything else: what this server gives back when it stops, others are to hear of.
        let alone_again = CancellationToken::new();
        let (heard, commits, stop) = (bus.clone(), team.store.commits(), alone_again.clone());
        let linked = tokio::spawn(last("bus", PAUSE, alone_again.clone(), move || {
            let (bus, commits, stop) = (heard.clone(), commits.clone(), stop.clone());
            async move { bus.keep_linked(commits, stop.cancelled()).await }
        }));
        let backups = plan.map(|plan| {
            let (store, data) = (team.store.clone(), config.data_dir.clone());
            Backups::new(store, Arc::clone(&team.places), clock.clone(), Arc::clone(&team.vault), plan, data)
                .beside(&team.shared)
        });
        let app = App {
            team,
            backups,
            bus,
            public: Arc::new(Public::new(config.public_url.clone())),
            previews: Arc::new(Previews::new(config.preview_url.clone())),
            engine,
            listening,
            guard: Arc::new(config.guard.clone()),
            rates: Rates::default(),
            sockets: Sockets::default(),
            told: Told::default(),
            metrics,
            metrics_token: config.metrics_token.as_ref().map(MetricsToken::new),
            traces: None,
            started: clock.now(),
            closing,
        };
        Ok(Self { app, listener, address, linked, alone_again, _lock: lock })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its handlers reach.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The same server, which tells how these traces do, and sends the last of them when it has stopped.
    #[must_use]
    pub fn with_traces(mut self, traces: Option<Traces>) -> Self {
        self.app.traces = traces;
        self
    }

    /// Serves until `stop` is ready, then lets requests end, gives runs back to the queue and closes the database.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self { app, listener, linked, alone_again, .. } = self;
        let closing = app.closing.clone();
        let (team, end) = (app.team.clone(), closing.clone());
        let mailing = tokio::spawn(last("mail", PAUSE, closing.clone(), move || {
            team.clone().send_mail_until(MailPace::default(), end.clone().cancelled_owned())
        }));
        let (team, end) = (app.team.clone(), closing.clone());
        let calling = tokio::spawn(last("webhooks", PAUSE, closing.clone(), move || {
            team.clone().send_webhooks_until(WebhookPace::default(), end.clone().cancelled_owned())
        }));
        let (of, end) = (app.clone(), closing.clone());
        let telling = tokio::spawn(last("calls by MCP", PAUSE, closing.clone(), move || {
            told::tell_until(of.clone(), end.clone())
        }));
        let keeping = app.backups.clone().map(|backups| {
            let end = closing.clone();
            tokio::spawn(last("backups", PAUSE, closing.clone(), move || {
                backups.clone().make_until(end.clone().cancelled_owned())
            }))
        });
        let mut serving =
            tokio::spawn(connections::serve(listener, router(app.clone()), Arc::clone(&app.guard), closing.clone()));
        let early = tokio::select! {
            () = stop => None,
            ended = &mut serving => Some(ended),
        };
        tracing::info!("shutting down");
        boundary!("shutdown.begin");
        closing.cancel();
        let requests = async {
            match early {
                Some(ended) => ended.map_err(io::Error::other),
                None => match tokio::time::timeout(REQUEST_GRACE, &mut serving).await {
                    Ok(ended) => ended.map_err(io::Error::other),
                    Err(_) => {
                        tracing::warn!("some requests did not end in time and were cut off");
                        serving.abort();
                        Ok(())
                    }
                },
            }
        };
        let (served, in_time) = tokio::join!(requests, app.engine.shutdown(ENGINE_GRACE));
        if !in_time {
            tracing::warn!("some runs did not end in time; they go on from their last saved turn");
        }
        if let Err(error) = telling.await {
            tracing::error!(%error, "the telling of calls by MCP failed");
        }
        told::tell_the_rest(&app, true).await;
        if let Err(error) = mailing.await {
            tracing::error!(%error, "the sending of mail failed");
        }
        if let Err(error) = calling.await {
            tracing::error!(%error, "the calling of webhooks failed");
        }
        if let Some(keeping) = keeping
            && let Err(error) = keeping.await
        {
            tracing::error!(%error, "the making of backups failed");
        }
        alone_again.cancel();
        if let Err(error) = linked.await {
            tracing::error!(%error, "the link to other servers failed");
        }
        boundary!("shutdown.at-rest");
        app.team.store.close().await;
        if let Some(traces) = &app.traces {
            traces.end(TRACES_GRACE).await;
        }
        boundary!("shutdown.end");
        served
    }
}

/// Whether other nodes have the same repositories.
fn shares_repositories(config: &Config) -> bool {
    #[cfg(debug_assertions)]
    if crate::boundaries::shares() {
        return true;
    }
    config.redis_url.is_some()
}

/// Lets this process open as many files as its hard limit says. The soft one is 1024 nearly everywhere, for programs that can
/// count no further, and each connection takes a file.
pub fn take_file_handles() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the soft limit of open files could not be raised to the hard one");
    }
}
