//! A fresh store for each test, on each backend.

use std::sync::Arc;

use guildhall_store::{Backend, NewFeature, NewFile, NewMember, NewProject, NewRun, Store};
use guildhall_types::feature::{Feature, PlanningMode, ThinkingLevel};
use guildhall_types::member::{Member, MemberRole};
use guildhall_types::project::{Project, ProjectSource};
use guildhall_types::{FixedClock, ProjectId, RunId};
use sqlx::Connection;

/// A store that goes with the test, and the clock that it reads.
pub struct Fresh {
    pub store: Store,
    pub clock: FixedClock,
    url: String,
    _dir: tempfile::TempDir,
}

impl Fresh {
    pub async fn sqlite() -> Self {
        Self::bare_sqlite().await.migrated().await
    }

    pub async fn postgres() -> Self {
        Self::bare_postgres().await.migrated().await
    }

    /// Another database of the same kind, which holds nothing yet.
    pub async fn bare_beside(&self) -> Self {
        match self.store.backend() {
            Backend::Sqlite => Self::bare_sqlite().await,
            Backend::Postgres => Self::bare_postgres().await,
        }
    }

    async fn bare_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("guildhall.db").display());
        Self::open(url, dir).await
    }

    async fn bare_postgres() -> Self {
        let Ok(server) = std::env::var("GUILDHALL_TEST_POSTGRES") else {
            panic!(
                "no PostgreSQL server: run the tests by `scripts/with-postgres.sh cargo nextest run …` or `make test`"
            );
        };
        let name = format!("t_{}", ProjectId::new().0.simple());
        let mut admin = sqlx::PgConnection::connect(&server).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
        let (server, _) = server.rsplit_once('/').unwrap();
        let url = format!("{server}/{name}");
        Self::open(url, tempfile::tempdir().unwrap()).await
    }

    async fn open(url: String, dir: tempfile::TempDir) -> Self {
        let clock = FixedClock::default();
        let store = Store::open(&url, Arc::new(clock.clone())).await.unwrap();
        Self { store, clock, url, _dir: dir }
    }

    async fn migrated(self) -> Self {
        self.store.migrate().await.unwrap();
        self.store.migrate().await.unwrap();
        self
    }

    /// The same database, opened once more.
    pub async fn again(&self) -> Store {
        Store::open(&self.url, Arc::new(self.clock.clone())).await.unwrap()
    }

    /// Where the database is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does something to the database behind the store's back.
    pub async fn tamper(&self, sql: &str) -> sqlx::Result<()> {
        match self.store.backend() {
            Backend::Sqlite => {
                let mut db = sqlx::SqliteConnection::connect(&self.url).await?;
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await?;
            }
            Backend::Postgres => {
                let mut db = sqlx::PgConnection::connect(&self.url).await?;
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await?;
            }
        }
        Ok(())
    }

    pub async fn with_role(&self, name: &str, role: MemberRole) -> Member {
        let new = NewMember { email: format!("{name}@example.com"), name: name.to_owned(), password_hash: None };
        self.store.create_member(new, role).await.unwrap()
    }

    pub async fn member(&self, name: &str) -> Member {
        self.with_role(name, MemberRole::Member).await
    }

    pub async fn project(&self, member: &Member) -> Project {
        let new = NewProject {
            name: format!("p-{}", ProjectId::new()),
            source: ProjectSource::Empty,
            settings: Default::default(),
            created_by: member.id,
        };
        self.store.create_project(new).await.unwrap()
    }

    pub async fn card(&self, project: &Project, title: &str) -> Feature {
        self.store.create_feature(card(project, title)).await.unwrap()
    }
}

pub fn card(project: &Project, title: &str) -> NewFeature {
    NewFeature {
        project_id: project.id,
        title: title.to_owned(),
        description: format!("Build {title}."),
        category: String::new(),
        priority: 2,
        agent_id: None,
        model: None,
        thinking_level: ThinkingLevel::None,
        planning_mode: PlanningMode::Skip,
        require_plan_approval: false,
        skip_verification: false,
        needs_approval: false,
        budget_micros: None,
        branch: None,
        dependencies: Vec::new(),
        created_by: project.created_by,
    }
}

pub fn file(name: &str, media_type: &str, bytes: &[u8]) -> NewFile {
    NewFile { name: name.to_owned(), media_type: media_type.to_owned(), bytes: bytes.to_vec() }
}

pub fn new_run() -> NewRun {
    NewRun { model: "m".to_owned(), branch: format!("b-{}", RunId::new()), briefing: Default::default() }
}

/// Makes one test for each backend out of `async fn name(fresh: Fresh)`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($fresh:ident: Fresh) $body:block)+) => { $(
        mod $name {
            use super::*;

            $(#[$meta])*
            async fn contract($fresh: Fresh) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                contract(Fresh::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                contract(Fresh::postgres().await).await;
            }
        }
    )+ };
}

pub(crate) use on_both;
