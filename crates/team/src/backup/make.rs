//! Making a backup, beside a server at work.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use guildhall_git::{GitError, Oid, Repo, Standing};
use guildhall_store::{Named, Store, write_piece};
use guildhall_types::backup::{BackupKind, Finding};
use guildhall_types::{Clock, ProjectId};
use tokio::sync::mpsc;

use super::error::is_damage;
use super::list::{Own, Shelved, chain, name_of, shelved, sweep};
use super::manifest::{DamagedRepository, FILE, FORMAT, Index, Manifest, Part, RepositoryPart};
use super::part::Parts;
use super::shelf::Alone;
use super::{BackupError, BackupKey, Shelf};
use crate::{Places, Shared, TeamError};

/// Bytes at the beginning of a pack that say how many objects are in it.
const PACK_HEAD: usize = 12;

/// How a backup is made.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// The database.
    pub store: &'a Store,
    /// Where the repositories are.
    pub places: &'a Places,
    /// What of them several nodes have in common, if any do: what other nodes did is in it as well.
    pub shared: Option<&'a Shared>,
    /// Tells the moment that names the backup.
    pub clock: &'a dyn Clock,
    /// Where it goes.
    pub shelf: &'a Shelf,
    /// What it is sealed with, if it is.
    pub key: Option<&'a BackupKey>,
    /// After so many backups a full one is made again: 1 for full ones only.
    pub full_every: u32,
    /// Whether an incremental one builds only on such as this database knows, and knows nothing wrong of; else on any that is there.
    pub known_only: bool,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it says of itself.
    pub manifest: Manifest,
    /// How many secrets are sealed under which key-encryption key: these are needed where it is restored.
    pub keys: BTreeMap<String, i64>,
    /// How many rows are in it.
    pub rows: i64,
    /// How many repositories are in it.
    pub repositories: usize,
    /// Projects that have no repository yet, or none any more.
    pub without: Vec<String>,
    /// Projects whose repository should be there and is not.
    pub lost: Vec<String>,
    /// Projects whose repository is there, and could not be read.
    pub damaged: Vec<DamagedRepository>,
}

impl Made {
    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        let damaged = self.damaged.iter().map(ToString::to_string);
        let told: Vec<String> = self.lost.iter().map(|project| lost(project)).chain(damaged).collect();
        (!told.is_empty()).then(|| told.join("\n"))
    }
}

/// What is said of a backup that lacks a repository.
pub(super) fn lost(project: &str) -> String {
    format!(
        "the repository of the project {project} was not there when it was made: look whether the disk that holds repositories is mounted, and put it back from an earlier backup"
    )
}

impl Making<'_> {
    /// Makes one.
    ///
    /// # Errors
    /// [`BackupError`]. What was written then has no manifest, is no backup, and goes when the next one is made.
    pub async fn make(&self) -> Result<Made, BackupError> {
        let alone = self.shelf.alone(true).await?;
        let made = self.make_alone(&alone).await;
        alone.release().await;
        made
    }

    async fn make_alone(&self, alone: &Alone) -> Result<Made, BackupError> {
        sweep(self.shelf, alone).await?;
        let (found, wanted) = self.store.schema_version().await?;
        let schema = found.filter(|found| *found == wanted);
        let schema = schema.ok_or(BackupError::Schema { found: found.unwrap_or_default(), wanted })?;
        let own = Own::of(self.store).await?;
        let parent = self.parent(&own).await?;
        let made_at = self.clock.now();
        let name = self.begin(&name_of(made_at)).await?;
        let parts = Parts { shelf: self.shelf, backup: &name, key: self.key };

        let (rows, named, tables) = self.rows(parts).await?;
        let known: BTreeMap<ProjectId, &RepositoryPart> = match &parent {
            Some((_, index)) => index.repositories.iter().map(|one| (one.project, one)).collect(),
            None => BTreeMap::new(),
        };
        let (mut repositories, mut packs) = (Vec::new(), Vec::new());
        let (mut without, mut lost, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
        for (project, title) in &named.projects {
            let opened = match self.shared.filter(|shared| shared.is_on()) {
                Some(shared) => shared.caught_up(*project).await,
                None => Repo::open(&self.places.repository(*project)).map_err(TeamError::from),
            };
            let repo = match opened {
                Ok(repo) => repo,
                Err(TeamError::Git(GitError::NotARepository { .. }) | TeamError::Conflict { .. }) => {
                    // One that is still being made, or was tidied away with its project, is not missed.
                    let missed = if named.ready.contains(project) { &mut lost } else { &mut without };
                    missed.push(title.clone());
                    continue;
                }
                Err(TeamError::Git(source)) => {
                    return Err(BackupError::Repository { project: title.clone(), source });
                }
                Err(TeamError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    let what = "catching up with what other servers share";
                    return Err(BackupError::Internal { what, source: Box::new(error) });
                }
            };
            match repository(parts, &repo, (*project, title), &named, known.get(project).copied()).await {
                Ok((one, pack)) => {
                    repositories.push(one);
                    packs.extend(pack);
                }
                // What it stands for is lost already; everything else is not to be lost with it.
                Err(BackupError::Repository { source, .. }) if is_damage(&source) => {
                    let why = source.to_string();
                    damaged.push(DamagedRepository { project: *project, name: title.clone(), why });
                }
                Err(error) => return Err(error),
            }
        }
        let index = Index { tables, repositories, keys: named.keys, damaged };
        let text = serde_json::to_vec(&index)
            .map_err(|error| BackupError::Internal { what: "the writing of the list", source: Box::new(error) })?;
        let (listed, ()) = parts.write("index.json.zst", true, move |out| out.write_all(&text)).await?;
        let manifest = Manifest {
            format: FORMAT,
            installation: Some(own.installation().to_owned()),
            made_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            kind: if parent.is_some() { BackupKind::Incremental } else { BackupKind::Full },
            parent: parent.map(|(name, _)| name),
            sealed_with: self.key.map(|key| key.name().to_owned()),
            rows,
            index: listed,
            packs,
            name,
        };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| BackupError::Internal { what: "the writing of the manifest", source: Box::new(error) })?;
        guildhall_types::boundary!("backup.manifest");
        alone.still().await?;
        self.shelf.put_last(&manifest.name, FILE, text).await?;
        let Index { tables, repositories, keys, damaged } = index;
        let rows = tables.iter().map(|table| table.rows).sum();
        Ok(Made { manifest, keys, rows, repositories: repositories.len(), without, lost, damaged })
    }

    /// Makes room for one of this name, or of this name with a number.
    async fn begin(&self, name: &str) -> Result<String, BackupError> {
        let mut number = 1;
        loop {
            let name = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            if self.shelf.begin(&name).await? {
                return Ok(name);
            }
            number += 1;
        }
    }

    /// What an incremental backup builds on; nothing when a full one is due, or what is there cannot be built on.
    async fn parent(&self, own: &Own) -> Result<Option<(String, Index)>, BackupError> {
        let Shelved { whole, unreadable } = shelved(self.shelf).await?;
        let ours = |one: &Manifest| own.made(one) || !self.known_only && one.installation.is_none();
        let Some(latest) = whole.into_iter().rfind(ours) else { return Ok(None) };
        // One that cannot be read, and came after it, may be what it should build on.
        if unreadable.iter().any(|(name, _)| *name > latest.name) {
            return Ok(None);
        }
        let chain = match chain(self.shelf, Some(&latest.name)).await {
            Ok(chain) => chain.all,
            Err(BackupError::Missing { .. } | BackupError::Manifest { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let sealed_with = self.key.map(BackupKey::name);
        if chain.len() >= self.full_every.max(1) as usize
            || chain.iter().any(|one| one.sealed_with.as_deref() != sealed_with)
        {
            return Ok(None);
        }
        // What this database does not know was made after the backup from which it was put back by hand.
        let builds_on = |one: &Manifest| own.finding(&one.name).is_some_and(|finding| finding != Finding::Unsound);
        if self.known_only && !chain.iter().all(builds_on) {
            return Ok(None);
        }
        for one in &chain {
            let sizes = self.shelf.sizes(&one.name).await?;
            if one.parts().any(|part| sizes.get(&part.file) != Some(&part.bytes)) {
                return Ok(None);
            }
        }
        let parts = Parts { shelf: self.shelf, backup: &latest.name, key: self.key };
        match read_index(parts, &latest).await {
            Ok(index) => Ok(Some((latest.name, index))),
            Err(BackupError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn rows(&self, parts: Parts<'_>) -> Result<(Part, Named, Vec<guildhall_store::TableSum>), BackupError> {
        let (out, mut pieces) = mpsc::channel(2);
        let fill = move |to: &mut dyn Write| {
            let mut named = Named::default();
            while let Some(piece) = pieces.blocking_recv() {
                named.note(&piece);
                write_piece(&piece, to)?;
            }
            Ok::<_, io::Error>(named)
        };
        let (written, tables) = tokio::join!(parts.write("rows.jsonl.zst", true, fill), self.store.dump(out));
        // When both failed, the rows were not taken any more because the disk was full, or the like.
        let (part, named) = written?;
        Ok((part, named, tables?))
    }
}

/// The list of what a restore of this backup must find.
pub(super) async fn read_index(parts: Parts<'_>, manifest: &Manifest) -> Result<Index, BackupError> {
    let eat = |from: &mut dyn io::BufRead| serde_json::from_reader(from).map_err(io::Error::other);
    parts.read(&manifest.index, eat).await
}

/// Takes back what runs did with their refs since the rows were read: the rows know nothing of it, and runs go on by the rows.
async fn as_the_rows_know(
    repo: &Repo,
    project: ProjectId,
    named: &Named,
    standing: &mut Standing,
) -> Result<(), GitError> {
    let unborn = named.unborn(project);
    standing.refs.retain(|(name, _)| !unborn.contains(name.as_str()));
    for open in named.open.iter().filter(|open| open.project == project) {
        let branch = format!("refs/heads/{}", open.branch);
        let Some((_, tip)) = standing.refs.iter_mut().find(|(name, _)| *name == branch) else { continue };
        let (head, at) = (Oid::parse(&open.head)?, Oid::parse(tip)?);
        // A commit that is not there is nobody's ancestor.
        if head != at && repo.is_ancestor(&head, &at).await.unwrap_or(false) {
            tip.clone_from(&open.head);
        }
    }
    Ok(())
}

/// The commits that rows name and no ref does.
fn beside_refs(one: &RepositoryPart, commits: Option<&BTreeSet<String>>) -> Vec<String> {
    let on_refs: BTreeSet<&String> = one.tips().collect();
    commits.into_iter().flatten().filter(|id| !on_refs.contains(id)).cloned().collect()
}

/// Looks what a repository stands at, as the rows know it, and puts what is new in it there.
async fn repository(
    parts: Parts<'_>,
    repo: &Repo,
    (project, title): (ProjectId, &str),
    named: &Named,
    known: Option<&RepositoryPart>,
) -> Result<(RepositoryPart, Option<Part>), BackupError> {
    let failed = |source| BackupError::Repository { project: title.to_owned(), source };
    let mut standing = repo.standing().await.map_err(failed)?;
    as_the_rows_know(repo, project, named, &mut standing).await.map_err(failed)?;
    let mut one = RepositoryPart::new(project, title, standing);
    let wanted = beside_refs(&one, named.commits.get(&project));
    let here: BTreeSet<String> = repo.having(&wanted).await.map_err(failed)?.into_iter().collect();
    (one.also, one.lacking) = wanted.into_iter().partition(|id| here.contains(id));
    let pack = pack(parts, repo, &mut one, known).await?;
    Ok((one, pack))
}

/// Puts what is new in a repository there.
async fn pack(
    parts: Parts<'_>,
    repo: &Repo,
    one: &mut RepositoryPart,
    known: Option<&RepositoryPart>,
) -> Result<Option<Part>, BackupError> {
    let title = one.name.clone();
    let failed = |source| BackupError::Repository { project: title.clone(), source };
    let wanted: BTreeSet<String> = one.tips().cloned().collect();
    let known: BTreeSet<String> = known.into_iter().flat_map(RepositoryPart::tips).cloned().collect();
    if wanted.is_subset(&known) {
        return Ok(None);
    }
    let known: Vec<String> = known.into_iter().collect();
    let known = repo.having(&known).await.map_err(failed)?;
    let wanted: Vec<String> = wanted.into_iter().collect();
    let (out, mut pieces) = mpsc::channel::<Vec<u8>>(4);
    let fill = move |to: &mut dyn Write| {
        let mut head: Vec<u8> = Vec::new();
        while let Some(piece) = pieces.blocking_recv() {
            if head.len() < PACK_HEAD {
                head.extend(piece.iter().take(PACK_HEAD - head.len()));
            }
            to.write_all(&piece)?;
        }
        Ok::<_, io::Error>(head.len() == PACK_HEAD && head[8..] == [0; 4])
    };
    let file = format!("git-{}.pack", one.project);
    let (written, packed) = tokio::join!(parts.write(&file, false, fill), repo.pack_objects(&wanted, &known, out));
    let (part, empty) = written?;
    if empty || packed.is_err() {
        // Refs moved among what was known, or it is half a pack.
        parts.shelf.drop_part(parts.backup, &part.file).await?;
    }
    packed.map_err(failed)?;
    if empty {
        return Ok(None);
    }
    one.pack = Some(part.file.clone());
    Ok(Some(part))
}
