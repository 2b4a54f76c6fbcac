//! Samples: what this node and the members on it used in each minute, gathered from reading to reading and kept when the
//! minute is over.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use guildhall_sandbox::measured as extent;
use guildhall_store::{KnownNode, Minute};
use guildhall_team::Places;
use guildhall_types::reading::Reading;
use guildhall_types::sample::{Figures, Level, MemberFigures, NodeFigures, Span};
use guildhall_types::{DateTime, MemberId, PlaceId, RunId};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Engine;

/// How often worktrees and caches are measured: it takes a walk over all their files.
const MEASURE: Duration = Duration::from_secs(10 * 60);
/// How long the database may take to keep a minute. One that it does not keep is lost, and nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the samples of days that an earlier version did not keep. What is cut off, or fails, the next start goes on with.
pub(crate) async fn make_missing_days(engine: Engine) {
    let made = tokio::select! {
        () = engine.0.stop.cancelled() => return,
        made = engine.0.team.store.make_missing_days() => made,
    };
    match made {
        Ok(0) => {}
        Ok(days) => tracing::info!(days, "the samples of past days were made of those of their hours"),
        Err(error) => tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the samples of past days could not be made of those of their hours; the next start tries it again"
        ),
    }
}

/// What this node is called over time.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    id: PlaceId,
    name: String,
    started_at: DateTime,
}

impl Place {
    /// Reads the data folder's name, or gives it one. Blocks, briefly.
    pub(crate) fn of(data: &Path, now: DateTime) -> io::Result<Self> {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("server").to_owned();
        Ok(Self { id: id_of(data)?, name, started_at: now })
    }
}

fn id_of(data: &Path) -> io::Result<PlaceId> {
    let file = data.join("node");
    match fs::read_to_string(&file) {
        Ok(text) => match text.trim().parse() {
            Ok(id) => return Ok(id),
            Err(_) => {
                tracing::warn!(file = %file.display(), "the name of this node cannot be read, so it gets another: its former samples stay under the former one");
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = PlaceId::new();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let fresh = data.join("node.new");
    let mut open = fs::OpenOptions::new();
    writeln!(open.create(true).truncate(true).write(true).mode(0o600).open(&fresh)?, "{id}")?;
    fs::rename(fresh, file)?;
    Ok(id)
}

/// Gathers samples.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    filling: Option<Filling>,
    /// The processors' time of each member's commands when it was last looked at.
    times: HashMap<MemberId, Duration>,
    /// Whose runs those are that are here.
    owners: HashMap<RunId, MemberId>,
    /// Bytes on the disk, when that was last measured.
    disks: HashMap<MemberId, u64>,
    measured: Option<Instant>,
    measuring: Option<JoinHandle<HashMap<MemberId, u64>>>,
}

/// A minute that is being filled.
#[derive(Debug)]
struct Filling {
    at: DateTime,
    node: Vec<(NodeFigures, i64)>,
    members: BTreeMap<MemberId, Vec<(MemberFigures, i64)>>,
}

impl Sampler {
    /// Takes what a reading tells, and keeps the minute before it when that is over.
    pub(crate) async fn take(&mut self, engine: &Engine, reading: &Reading) {
        let at = Span::Minute.begin(reading.at);
        if let Some(full) = self.filling.take_if(|filling| filling.at != at) {
            let minute = full.minute(engine.0.place.known(reading, engine.0.team.node_url.as_deref()));
            let kept = tokio::time::timeout(PATIENCE, engine.0.team.store.save_minute(&minute)).await;
            match kept {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the samples of a minute could not be kept"
                    );
                }
                Err(_) => tracing::warn!("the database took too long, so the samples of a minute were not kept"),
            }
        }
        let members = self.members(engine).await;
        let filling = self.filling.get_or_insert_with(|| Filling { at, node: Vec::new(), members: BTreeMap::new() });
        filling.node.push((NodeFigures::from(reading), 1));
        for (member, figures) in members {
            filling.members.entry(member).or_default().push((figures, 1));
        }
    }

    /// What members use now.
    async fn members(&mut self, engine: &Engine) -> HashMap<MemberId, MemberFigures> {
        let mut all: HashMap<MemberId, MemberFigures> = HashMap::new();
        let groups = engine.0.groups.clone();
        let usages = tokio::task::spawn_blocking(move || groups.usages()).await.unwrap_or_default();
        let mut times = HashMap::with_capacity(usages.len());
        for (member, usage) in usages {
            let figures = all.entry(member).or_default();
            let level = |value: u64| Level::of(value as f64);
            figures.memory = usage.memory.map(level);
            figures.processes = usage.processes.map(level);
            if let Some(time) = usage.time {
                figures.processor_millis = since(self.times.get(&member).copied(), time);
                times.insert(member, time);
            }
        }
        self.times = times;

        let worktrees = engine.worktrees_on_disk().await;
        let active: Vec<RunId> = engine.active().keys().copied().collect();
        self.learn_owners(engine, worktrees.iter().chain(&active)).await;
        let of = |runs: &[RunId]| {
            let mut counts: HashMap<MemberId, u64> = HashMap::new();
            runs.iter()
                .filter_map(|run| self.owners.get(run))
                .for_each(|owner| *counts.entry(*owner).or_default() += 1);
            counts
        };
        for (member, count) in of(&worktrees) {
            all.entry(member).or_default().worktrees = Some(Level::of(count as f64));
        }
        for (member, count) in of(&active) {
            all.entry(member).or_default().agents = Some(Level::of(count as f64));
        }
        self.measure(&engine.0.team.places, &worktrees).await;
        for (member, bytes) in &self.disks {
            all.entry(*member).or_default().disk = Some(Level::of(*bytes as f64));
        }
        all
    }

    /// Looks up whose runs these are, and forgets the others.
    async fn learn_owners(&mut self, engine: &Engine, runs: impl Iterator<Item = &RunId>) {
        let runs: HashSet<RunId> = runs.copied().collect();
        self.owners.retain(|run, _| runs.contains(run));
        let unknown: Vec<RunId> = runs.into_iter().filter(|run| !self.owners.contains_key(run)).collect();
        // What cannot be had now is asked for again with the next reading.
        if let Ok(found) = engine.0.team.store.members_of_runs(&unknown).await {
            self.owners.extend(found);
        }
    }

    /// Takes what was measured, and has it measured again when that is long ago. Nothing waits for it.
    async fn measure(&mut self, places: &Places, worktrees: &[RunId]) {
        if let Some(done) = self.measuring.take_if(|measuring| measuring.is_finished()) {
            self.disks = done.await.unwrap_or_default();
            self.measured = Some(Instant::now());
        }
        if self.measuring.is_some() || self.measured.is_some_and(|at| at.elapsed() < MEASURE) {
            return;
        }
        let owned = worktrees.iter().filter_map(|run| Some((*self.owners.get(run)?, places.run(*run)))).collect();
        let caches = places.caches.clone();
        self.measuring = Some(tokio::task::spawn_blocking(move || measured(owned, &caches)));
    }
}

impl Place {
    /// The data folder's name.
    pub(crate) fn id(&self) -> PlaceId {
        self.id
    }

    /// How this node is, for the others.
    pub(crate) fn known(&self, reading: &Reading, url: Option<&str>) -> KnownNode {
        KnownNode {
            id: self.id,
            node: reading.node,
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: url.map(str::to_owned),
            started_at: self.started_at,
            seen_at: reading.at,
            reading: reading.clone(),
        }
    }
}

impl Filling {
    fn minute(self, known: KnownNode) -> Minute {
        let readings = i64::try_from(self.node.len()).unwrap_or(1);
        let members = self.members.into_iter().map(|(member, parts)| {
            // A reading at which a member used nothing counts as nothing.
            (member, MemberFigures::after_each_other(&parts, readings))
        });
        Minute {
            known,
            at: self.at,
            node: NodeFigures::after_each_other(&self.node, readings),
            members: members.filter(|(_, figures)| !figures.is_nothing()).collect(),
        }
    }
}

/// Milliseconds between two looks at a clock that begins anew with the first of a member's runs.
fn since(before: Option<Duration>, now: Duration) -> i64 {
    let passed = before.and_then(|before| now.checked_sub(before)).unwrap_or(now);
    i64::try_from(passed.as_millis()).unwrap_or_default()
}

/// The bytes of each member's worktrees and caches. What members have in common is nobody's. Blocks, for as long as a walk
/// over all of it takes.
fn measured(worktrees: Vec<(MemberId, PathBuf)>, caches: &Path) -> HashMap<MemberId, u64> {
    let mut all: HashMap<MemberId, u64> = HashMap::new();
    let folders = |at: &Path| fs::read_dir(at).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_members = folders(caches).flat_map(|project| folders(&project).collect::<Vec<_>>()).filter_map(|folder| {
        let member = folder.file_name()?.to_str()?.parse().ok()?;
        Some((member, folder))
    });
    for (member, folder) in worktrees.into_iter().chain(of_members) {
        // What goes away meanwhile takes nothing.
        *all.entry(member).or_default() += extent(&folder).bytes;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let first = id_of(&data).unwrap();
        assert_eq!(id_of(&data).unwrap(), first);
        assert_ne!(id_of(dir.path()).unwrap(), first);
        fs::write(data.join("node"), "rubbish").unwrap();
        let second = id_of(&data).unwrap();
        assert!(second != first && id_of(&data).unwrap() == second);
    }

    #[test]
    fn worktrees_and_caches_are_counted_for_their_member() {
        let dir = tempfile::tempdir().unwrap();
        let (anna, ben) = (MemberId::new(), MemberId::new());
        let worktree = dir.path().join("worktrees/run");
        let caches = dir.path().join("caches");
        for (folder, bytes) in [
            (worktree.join("tree/src"), 50_000),
            (caches.join(format!("project/{anna}/cargo")), 30_000),
            (caches.join(format!("project/{ben}/npm")), 10_000),
            (caches.join("project/shared/npm"), 900_000),
        ] {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("file"), vec![1; bytes]).unwrap();
        }
        let all = measured(vec![(anna, worktree), (anna, dir.path().join("gone"))], &caches);
        assert!((80_000..130_000).contains(&all[&anna]) && (10_000..40_000).contains(&all[&ben]), "{all:?}");
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn time_goes_on_also_when_it_begins_anew() {
        let seconds = Duration::from_secs;
        assert_eq!(since(None, seconds(3)), 3_000);
        assert_eq!(since(Some(seconds(3)), seconds(5)), 2_000);
        assert_eq!(since(Some(seconds(5)), seconds(1)), 1_000);
    }
}
