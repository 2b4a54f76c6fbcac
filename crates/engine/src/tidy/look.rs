//! What there is on the disk, and what would go.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use guildhall_sandbox::{Extent, cached, measured_at};
use guildhall_store::{KnownProject, RunPlace};
use guildhall_team::TeamError;
use guildhall_types::feature::FeatureKind;
use guildhall_types::retention::Retention;
use guildhall_types::run::RunStatus;
use guildhall_types::tidy::{
    CacheFacts, CacheGoing, CacheUse, DiskBytes, DiskReport, Occupied, RecordsGoing, RepositoryGoing, RepositoryUse,
    TidyPlan, WorktreeFacts, WorktreeUse, before, caches_to_go, repository_goes, worktrees_to_go,
};
use guildhall_types::{DateTime, MemberId, ProjectId, RunId};

use super::broom::Broom;
use crate::problems::Trouble;
use crate::reading::disks;
use crate::stay;

/// Of each kind, so many are shown at most, the largest.
const SHOWN: usize = 500;
/// Projects that are read at once.
const AT_ONCE: i64 = 500;

/// A worktree on this disk of a run that the store knows.
pub(super) struct Held {
    pub(super) place: RunPlace,
    pub(super) facts: WorktreeFacts,
    unsaved: Option<String>,
}

/// The names in a folder; none where it is not there.
pub(super) async fn names(folder: &Path) -> Result<Vec<String>, Trouble> {
    let folder = folder.to_owned();
    let listed = tokio::task::spawn_blocking(move || {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    });
    Ok(listed.await?)
}

impl Broom {
    /// The worktrees on this disk of runs that the store knows; with `measure`, with what each takes.
    pub(super) async fn held(&self, measure: bool) -> Result<Vec<Held>, Trouble> {
        let mut all = Vec::new();
        for id in names(&self.places.worktrees).await?.iter().filter_map(|name| name.parse::<RunId>().ok()) {
            let Some(place) = self.store.run_place(id).await? else { continue };
            let folder = self.places.run(id);
            let size = if measure { self.size(folder.clone()).await? } else { Extent::default() };
            let used = tokio::task::spawn_blocking(move || stay::used_at(&folder)).await?;
            let rested = place.run.ended_at.unwrap_or(place.run.created_at);
            let unsaved = self.unsaved(id);
            let facts = WorktreeFacts {
                run: id,
                kind: place.kind,
                status: place.run.status,
                deleted: place.deleted,
                unused_since: used.map_or(rested, |used| used.max(rested)),
                bytes: size.bytes,
                files: size.files,
                in_use: self.in_use(&place).await?,
                unsaved: unsaved.is_some(),
            };
            all.push(Held { place, facts, unsaved });
        }
        Ok(all)
    }

    /// What whatever is at a path takes.
    pub(super) async fn size(&self, path: PathBuf) -> Result<Extent, Trouble> {
        let now = self.clock.now().into();
        Ok(tokio::task::spawn_blocking(move || measured_at(&path, now)).await?)
    }

    /// Why what a worktree holds could not be put on a ref when that was last tried.
    pub(super) fn unsaved(&self, run: RunId) -> Option<String> {
        let engine = self.engine.as_ref()?;
        engine.0.tidying.state().unsaved.get(&run).map(|one| one.why.clone())
    }

    async fn in_use(&self, place: &RunPlace) -> Result<Occupied, Trouble> {
        let id = place.run.id;
        if place.run.status.is_live() || self.is_active(id) {
            return Ok(Occupied::Works);
        }
        let looked_at = match &self.engine {
            Some(engine) => engine.is_looked_at(id),
            // Beside a server, what it knows alone is not seen; what it has written down is.
            None => self.store.has_service(id).await?,
        };
        Ok(if looked_at { Occupied::Looks } else { Occupied::Nobody })
    }

    /// Every project that the store knows, archived ones among them.
    pub(super) async fn projects(&self) -> Result<Vec<KnownProject>, Trouble> {
        let mut all: Vec<KnownProject> = Vec::new();
        loop {
            let some = self.store.known_projects(all.last().map(|project| project.id), AT_ONCE).await?;
            let last = some.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
            all.extend(some);
            if last {
                return Ok(all);
            }
        }
    }

    /// What each tool keeps.
    pub(super) async fn caches(&self) -> Result<Vec<CacheFacts>, Trouble> {
        let disabled: HashSet<MemberId> = self.store.disabled_members().await?.into_iter().collect();
        let mut all = Vec::new();
        for id in names(&self.places.caches).await?.iter().filter_map(|name| name.parse::<ProjectId>().ok()) {
            let project = self.store.project(id).await?;
            let in_use = self.engine.as_ref().is_some_and(|engine| engine.caches_in_use(id));
            for of in names(&self.places.caches.join(id.to_string())).await? {
                let member = match of.as_str() {
                    "shared" => None,
                    name => match name.parse::<MemberId>() {
                        Ok(member) => Some(member),
                        Err(_) => continue,
                    },
                };
                let folder = self.places.cache(id, member);
                let found = tokio::task::spawn_blocking(move || cached(&folder)).await?;
                let found = found.map_err(|source| Trouble::Cache { path: self.places.cache(id, member), source })?;
                all.extend(found.into_iter().map(|tool| CacheFacts {
                    project: id,
                    of: member,
                    tool: tool.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                    bytes: tool.bytes,
                    changed: tool.changed.into(),
                    archived: project.is_none(),
                    gone: member.is_some_and(|member| disabled.contains(&member)),
                    most: project.as_ref().map_or(0, |project| project.settings.cache_bytes()),
                    in_use,
                }));
            }
        }
        Ok(all)
    }

    /// Measures what uses the disk, and says what would go. Changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self) -> Result<DiskReport, TeamError> {
        self.report().await.map_err(|error| TeamError::internal("measuring the disk", error))
    }

    pub(super) async fn report(&self) -> Result<DiskReport, Trouble> {
        let (now, rules) = (self.clock.now(), self.rules().await?);
        let disk = disks::room(&self.places.worktrees);
        let held = self.held(true).await?;
        let facts: Vec<_> = held.iter().map(|one| one.facts.clone()).collect();
        let caches = self.caches().await?;
        let orphans = self.orphans(true).await?;
        let (database, database_free) = self.store.size().await?;
        let mut plan = TidyPlan {
            worktrees: worktrees_to_go(&facts, disk, &rules, now),
            records: self.records(&rules, now).await?,
            ..TidyPlan::default()
        };
        plan.caches = caches_to_go(&caches, &rules, now)
            .into_iter()
            .map(|(at, why)| {
                let one = &caches[at];
                let (project_id, member_id, tool, bytes) = (one.project, one.of, one.tool.clone(), one.bytes);
                CacheGoing { project_id, member_id, tool, why, bytes }
            })
            .collect();
        let mut repositories = Vec::new();
        for project in self.projects().await? {
            let path = self.places.repository(project.id);
            if !path.exists() {
                continue;
            }
            let bytes = self.size(path).await?.bytes;
            let worktrees = held.iter().filter(|one| one.place.run.project_id == project.id).count();
            if repository_goes(project.archived_at, worktrees, &rules, now) {
                plan.repositories.push(RepositoryGoing { project_id: project.id, name: project.name.clone(), bytes });
            }
            let KnownProject { id, name, archived_at } = project;
            repositories.push(RepositoryUse { project_id: id, name, bytes, archived_at });
        }
        let mut uses: HashMap<(ProjectId, Option<MemberId>), u64> = HashMap::new();
        for one in &caches {
            *uses.entry((one.project, one.of)).or_default() += one.bytes;
        }
        let uses = uses.into_iter().map(|((project_id, member_id), bytes)| CacheUse { project_id, member_id, bytes });
        let caches: Vec<CacheUse> = uses.collect();
        let worktrees: Vec<WorktreeUse> = held.into_iter().map(Held::shown).collect();
        let bytes = DiskBytes {
            database,
            database_free,
            repositories: repositories.iter().map(|one| one.bytes).sum(),
            worktrees: worktrees.iter().map(|one| one.bytes).sum(),
            caches: caches.iter().map(|one| one.bytes).sum(),
            orphans: orphans.iter().map(|one| one.bytes).sum(),
        };
        Ok(DiskReport {
            at: now,
            disk: disk.map(|disk| disk.bytes),
            disk_files: disk.and_then(|disk| disk.files),
            bytes,
            worktrees: largest(worktrees, |one| one.bytes),
            repositories: largest(repositories, |one| one.bytes),
            caches: largest(caches, |one| one.bytes),
            orphans: largest(orphans, |one| one.bytes),
            plan: shortened(plan),
        })
    }

    async fn records(&self, rules: &Retention, now: DateTime) -> Result<RecordsGoing, Trouble> {
        let mut records = RecordsGoing::default();
        if let Some(before) = before(rules.run_days, now) {
            records.runs = self.store.count_runs_to_forget(before).await?;
        }
        if let Some(before) = before(rules.event_days, now) {
            records.events = self.store.count_old_events(before).await?;
        }
        if let Some(before) = before(rules.snapshot_days, now) {
            records.snapshots = self.store.count_old_refs(before).await?;
        }
        Ok(records)
    }
}

/// Whether a run never works again.
pub(super) fn is_over(place: &RunPlace) -> bool {
    place.deleted || place.run.status == RunStatus::Closed
}

impl Held {
    fn shown(self) -> WorktreeUse {
        let over = is_over(&self.place);
        let Self { place: RunPlace { run, kind, number, title, .. }, facts, unsaved } = self;
        WorktreeUse {
            run_id: run.id,
            feature_id: run.feature_id,
            // That of a chat or a task says nothing to anybody.
            number: if kind == FeatureKind::Card { number } else { 0 },
            kind,
            title,
            project_id: run.project_id,
            member_id: run.member_id,
            status: run.status,
            bytes: facts.bytes,
            unused_since: facts.unused_since,
            in_use: facts.in_use,
            over,
            unsaved,
        }
    }
}

fn largest<T>(mut all: Vec<T>, bytes: impl Fn(&T) -> u64) -> Vec<T> {
    all.sort_by_key(|one| std::cmp::Reverse(bytes(one)));
    all.truncate(SHOWN);
    all
}

fn shortened(mut plan: TidyPlan) -> TidyPlan {
    plan.worktrees.truncate(SHOWN);
    plan.caches.truncate(SHOWN);
    plan.repositories.truncate(SHOWN);
    plan
}
