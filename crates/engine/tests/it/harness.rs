//! A team with an engine, all in one process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use guildhall_bus::Bus;
use guildhall_engine::{Engine, Outside, Pace};
use guildhall_llm::{Client, Endpoint, Secret};
use guildhall_sandbox::{Isolation, Sandbox};
use guildhall_sim::{Config, Sim};
use guildhall_store::Store;
use guildhall_team::vault::Vault;
use guildhall_team::{NewCard, Places, RETENTION, Team, TeamProviders};
use guildhall_types::feature::{Feature, FeatureStatus};
use guildhall_types::member::{Member, ProviderKind};
use guildhall_types::project::{Project, ProjectSource, ProjectStatus};
use guildhall_types::retention::Retention;
use guildhall_types::{Clock, FeatureId, SystemClock};

/// After this, a test that waits has failed.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Hall {
    pub team: Team,
    pub engine: Engine,
    pub bus: Bus,
    pub sim: Sim,
    pub anna: Member,
    pub dir: tempfile::TempDir,
    pace: Pace,
    outside: Outside,
}

pub fn endpoint(url: &str) -> Endpoint {
    Endpoint::new(ProviderKind::Anthropic, Some(url), Secret::new("sk-simulated-key")).unwrap()
}

/// As tests have it: nothing waits for long that nothing tells of.
fn pace() -> Pace {
    Pace { look: Duration::from_millis(500), alerts: false, ..Pace::default() }
}

async fn engine(team: &Team, bus: &Bus, pace: Pace, outside: Outside) -> Engine {
    let sandbox = Sandbox::new(Isolation::Bubblewrap);
    Engine::start_to(team.clone(), bus.clone(), sandbox, pace, true, outside).await.unwrap()
}

impl Hall {
    pub async fn open() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        Self::at_pace(config, |_| {}).await
    }

    /// The same at another pace.
    pub async fn at_pace(config: Config, change: impl FnOnce(&mut Pace)) -> Self {
        let mut pace = pace();
        change(&mut pace);
        Self::paced(config, Arc::new(SystemClock), pace, Outside::default()).await
    }

    pub async fn with_patience(config: Config, patience: Duration) -> Self {
        Self::at_pace(config, |pace| pace.patience = patience).await
    }

    /// The same in another world than that of the host.
    pub async fn in_world(outside: Outside) -> Self {
        Self::paced(Config::default(), Arc::new(SystemClock), pace(), outside).await
    }

    /// The same by another clock, and with leases that outlast its leaps.
    pub async fn clocked(config: Config, clock: Arc<dyn Clock>, lease: Duration) -> Self {
        Self::paced(config, clock, Pace { lease, ..pace() }, Outside::default()).await
    }

    async fn paced(config: Config, clock: Arc<dyn Clock>, pace: Pace, outside: Outside) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::start(config).await.unwrap();
        let url = format!("sqlite://{}", dir.path().join("guildhall.db").display());
        let store = Store::open(&url, clock.clone()).await.unwrap();
        store.migrate().await.unwrap();
        let (vault, _) = Vault::open_or_create(&dir.path().join("key")).unwrap();
        let places = Places::below(&dir.path().join("data"), vec![dir.path().join("sources")]);
        let providers = TeamProviders { simulated: Some(endpoint(&sim.url())), ..TeamProviders::default() };
        let team = Team::new(store, clock, vault, places, Client::new().unwrap(), providers);
        // However full the disk of the machine is on which this runs, no worktree goes for that.
        let rules = Retention { disk_percent: None, ..Retention::default() };
        team.store.put_setting(RETENTION, &rules).await.unwrap();
        let anna = team.register_first("anna@example.com", "four plain words here", "Anna").await.unwrap();
        let bus = Bus::in_memory();
        let engine = engine(&team, &bus, pace, outside.clone()).await;
        Self { team, engine, bus, sim, anna, dir, pace, outside }
    }

    /// The server dies, as far as that can be had without a process of its own, and starts again.
    pub async fn die_and_start_again(&mut self) {
        self.engine.shutdown(Duration::from_secs(20)).await;
        self.engine = engine(&self.team, &self.bus, self.pace, self.outside.clone()).await;
    }

    /// The same, on a host with this sandbox.
    pub async fn start_again_with(&mut self, sandbox: Sandbox) {
        self.engine.shutdown(Duration::from_secs(20)).await;
        let (team, bus, outside) = (self.team.clone(), self.bus.clone(), self.outside.clone());
        self.engine = Engine::start_to(team, bus, sandbox, self.pace, true, outside).await.unwrap();
    }

    pub fn sources(&self) -> PathBuf {
        let path = self.dir.path().join("sources");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// Waits until `look` finds something; looks after every commit.
    pub async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, look: impl Fn() -> F) -> T {
        let mut commits = self.team.store.commits();
        let waiting = async {
            loop {
                commits.mark_unchanged();
                if let Some(found) = look().await {
                    return found;
                }
                // The second arm finds what happens without a commit, such as a folder that goes.
                tokio::select! {
                    changed = commits.changed() => changed.unwrap(),
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain for: {what}"),
        }
    }

    pub async fn feature(&self, id: FeatureId) -> Feature {
        self.team.store.feature(id).await.unwrap().unwrap()
    }

    /// Waits until the card stands at `status`.
    pub async fn reaches(&self, id: FeatureId, status: FeatureStatus) -> Feature {
        let reached = async || Some(self.feature(id).await).filter(|feature| feature.card.status == status);
        self.until(status.as_str(), reached).await
    }

    /// Waits until the card is no longer queued or at work.
    pub async fn rests(&self, id: FeatureId) -> Feature {
        self.until("an end", async || Some(self.feature(id).await).filter(|feature| !feature.card.status.is_active()))
            .await
    }

    /// A project whose repository was made, or could not be.
    pub async fn project(&self, name: &str, source: ProjectSource) -> Project {
        let made = self.team.create_project(&self.anna, name, source).await.unwrap();
        let done = async || {
            let project = self.team.store.project(made.id).await.unwrap().unwrap();
            (project.status != ProjectStatus::Preparing).then_some(project)
        };
        self.until("the repository", done).await
    }

    pub async fn sample(&self) -> Project {
        let project = self.project("todo", ProjectSource::Sample).await;
        assert_eq!(project.status, ProjectStatus::Ready, "{:?}", project.error);
        project
    }

    pub async fn card(&self, project: &Project, description: &str) -> FeatureId {
        let card =
            NewCard { description: description.to_owned(), model: Some("simulated".to_owned()), ..NewCard::default() };
        self.team.create_feature(&self.anna, project.id, card).await.unwrap().card.id
    }

    pub async fn start(&self, id: FeatureId) {
        self.team.start(self.anna.id, id).await.unwrap();
    }

    /// A card with a script of the simulator, started.
    pub async fn scripted(&self, project: &Project, lines: &[serde_json::Value]) -> FeatureId {
        let id = self.card(project, &script(lines)).await;
        self.start(id).await;
        id
    }

    pub async fn text_at_main(&self, project: &Project, path: &str) -> Option<String> {
        let (_, repo) = self.team.ready_project(project.id).await.unwrap();
        let tip = repo.branch(&project.default_branch).await.unwrap().unwrap();
        match repo.file_at(&tip, path, 1 << 20).await.unwrap()? {
            guildhall_git::Blob::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
            guildhall_git::Blob::TooLarge(size) => panic!("{size} bytes"),
        }
    }
}

pub fn script(lines: &[serde_json::Value]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    format!("Do as the script says.\n\n```sim\n{}\n```", lines.join("\n"))
}
