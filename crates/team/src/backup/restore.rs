//! Restoring a backup into an empty server, on whichever database.
//!
//! Repositories first, beside their place, and the rows last, in one transaction: whatever cuts a restore off leaves a server
//! without rows. A file in the data folder says that a restore is under way; with it a server does not start, and the next
//! restore takes away what the former one left. What is cut off after the rows, the next one goes on with: they say whose they are.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use guildhall_git::Repo;
use guildhall_store::{Named, Settled, Store, Verdict, read_pieces};
use guildhall_types::ProjectId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use tokio::sync::mpsc;

use super::list::{Chain, chain};
use super::make::{lost, read_index};
use super::manifest::{Index, Manifest, RepositoryPart};
use super::part::Parts;
use super::shelf::blocking;
use super::{BackupError, BackupKey, Shelf};
use crate::Places;
use crate::vault::{Vault, VaultError};

/// The file in the data folder that says that a restore is under way, or was cut off.
pub const UNFINISHED: &str = "restore.unfinished";
/// The folder among the repositories in which they are until all of them are there.
const RESTORING: &str = ".restoring";
/// What an earlier version called it, beside them.
const FORMER: &str = "restoring";
/// What a disk of its own has at its root.
const OF_THE_DISK: &str = "lost+found";
/// Secrets that are read at once.
const AT_ONCE: i64 = 200;

/// How a backup is restored.
#[derive(Debug, Clone, Copy)]
pub struct Restoring<'a> {
    /// Where it is.
    pub shelf: &'a Shelf,
    /// Its name; the latest, if none is given.
    pub name: Option<&'a str>,
    /// What it is sealed with, if it is.
    pub key: Option<&'a BackupKey>,
    /// An empty database, with or without tables.
    pub store: &'a Store,
    /// Where repositories go.
    pub places: &'a Places,
    /// The data folder.
    pub data: &'a Path,
    /// The key-encryption keys that are here.
    pub vault: &'a Vault,
}

/// A key-encryption key that what was restored needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Names it.
    pub id: String,
    /// How many secrets are sealed under it.
    pub secrets: i64,
    /// Whether it is here.
    pub here: bool,
    /// How many of the secrets open.
    pub open: i64,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// How many rows.
    pub rows: i64,
    /// How many repositories.
    pub repositories: usize,
    /// What was under way when the backup was made.
    pub settled: Settled,
    /// The key-encryption keys that are needed.
    pub keys: Vec<KeyState>,
    /// What the walk along the chain of the audit found.
    pub audit: Verdict,
    /// What is not as it should be.
    pub problems: Vec<String>,
    /// The names of later backups that cannot be read, where the latest was wanted.
    pub passed_over: Vec<String>,
}

impl Restoring<'_> {
    /// Restores it.
    ///
    /// # Errors
    /// [`BackupError`]. Nothing was put in place then but what the next try takes away.
    pub async fn restore(&self) -> Result<Restored, BackupError> {
        let alone = self.shelf.alone(false).await?;
        let restored = self.restore_alone().await;
        alone.release().await;
        restored
    }

    async fn restore_alone(&self) -> Result<Restored, BackupError> {
        let Chain { all: chain, passed_over } = chain(self.shelf, self.name).await?;
        let Some(manifest) = chain.last().cloned() else {
            return Err(BackupError::Nothing { at: self.shelf.to_string() });
        };
        let (_, known) = self.store.schema_version().await?;
        if manifest.schema > known {
            return Err(guildhall_store::StoreError::NewerSchema { found: manifest.schema, known }.into());
        }
        self.right_key(&chain)?;
        // Before anything is touched: whether every byte is as it was written.
        for one in &chain {
            let parts = self.parts(one);
            for part in one.parts() {
                parts.check(part).await?;
            }
        }
        let mut indexes = Vec::with_capacity(chain.len());
        for one in &chain {
            indexes.push(read_index(self.parts(one), one).await?);
        }
        let Some(index) = indexes.last().cloned() else {
            return Err(BackupError::Nothing { at: self.shelf.to_string() });
        };
        let (mut problems, settled, named) = match self.in_place(&manifest).await? {
            Some(settled) => (self.complaints(&index).await?, settled, self.named(&manifest).await?),
            None => {
                self.nothing_in_the_way(&manifest).await?;
                self.begin(&manifest.name).await?;
                let problems = self.repositories(&chain, &indexes).await?;
                let (settled, named) = self.rows(&manifest, &index).await?;
                (problems, settled, named)
            }
        };
        guildhall_types::boundary!("restore.forward");
        self.store.migrate().await?;
        if manifest.schema != known {
            self.store.reindex_knowledge().await?;
        }
        problems.extend(index.damaged.iter().map(ToString::to_string));
        let held = |project: &ProjectId| {
            let damaged = index.damaged.iter().map(|one| one.project);
            index.repositories.iter().map(|one| one.project).chain(damaged).any(|one| one == *project)
        };
        let lacking = named.ready.iter().filter(|project| !held(project)).filter_map(|of| named.projects.get(of));
        problems.extend(lacking.map(|project| lost(project)));
        problems.extend(self.lacking_commits(&index, &named).await?);
        let keys = self.keys(&index, &mut problems).await?;
        let audit = self.store.verify_audit().await?;
        if let Some(broken) = &audit.broken {
            problems.push(format!("the audit is not as it was written: {broken}"));
        }
        let note = Note::new(AuditAction::RestoreBackup).on(AuditObject::Backup, &manifest.name);
        self.store.note_restore(note.with("made", manifest.made_at.to_rfc3339())).await?;
        guildhall_types::boundary!("restore.noted");
        self.end().await?;
        self.store.restored().await?;
        let rows = index.tables.iter().map(|table| table.rows).sum();
        let repositories = index.repositories.len();
        Ok(Restored { manifest, rows, repositories, settled, keys, audit, problems, passed_over })
    }

    fn parts<'a>(&'a self, manifest: &'a Manifest) -> Parts<'a> {
        let key = self.key.filter(|_| manifest.sealed_with.is_some());
        Parts { shelf: self.shelf, backup: &manifest.name, key }
    }

    /// Refuses a key that is none of these backups', and one that is lacking.
    fn right_key(&self, chain: &[Manifest]) -> Result<(), BackupError> {
        for manifest in chain {
            let Some(needed) = manifest.sealed_with.clone() else { continue };
            let name = manifest.name.clone();
            match self.key {
                None => return Err(BackupError::NoKey { name, needed }),
                Some(key) if key.name() != needed => {
                    return Err(BackupError::WrongKey { name, needed, given: key.name().to_owned() });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn unfinished(&self) -> PathBuf {
        self.data.join(UNFINISHED)
    }

    /// Where repositories are until all of them are there: on their own disk, which may be another than that of the data folder.
    fn beside(&self) -> PathBuf {
        self.places.repositories.join(RESTORING)
    }

    /// Whether everything of this backup is here already, put there by a restore that was cut off after that.
    async fn in_place(&self, manifest: &Manifest) -> Result<Option<Settled>, BackupError> {
        match self.unfinished().exists() {
            true => Ok(self.store.rows_of_backup(&manifest.name).await?),
            false => Ok(None),
        }
    }

    async fn nothing_in_the_way(&self, manifest: &Manifest) -> Result<(), BackupError> {
        // What migrations do to rows, they must do to these as well: so they run after them.
        let (found, _) = self.store.schema_version().await?;
        if let Some(found) = found.filter(|found| *found > manifest.schema) {
            let what = format!(
                "the database has tables of the schema {found} already, while the backup {} is of the schema {} and is brought forward from there: it needs a database without tables",
                manifest.name, manifest.schema
            );
            return Err(BackupError::InTheWay { what });
        }
        let held = self.store.occupied().await?;
        if !held.is_empty() {
            let tables: Vec<String> = held.iter().map(|(table, rows)| format!("{table} ({rows})")).collect();
            let what = format!("the database holds rows: {}", tables.join(", "));
            return Err(BackupError::InTheWay { what });
        }
        let (repositories, worktrees) = (self.places.repositories.clone(), self.places.worktrees.clone());
        let unfinished = self.unfinished();
        blocking(move || {
            // What a restore left that was cut off is no one's work.
            let again = unfinished.exists();
            for (what, folder, ours) in [("repositories", repositories, again), ("worktrees of runs", worktrees, false)]
            {
                if !ours && !content(&folder).unwrap_or_default().is_empty() {
                    let what = format!("there are {what} in {}", folder.display());
                    return Err(BackupError::InTheWay { what });
                }
            }
            Ok(())
        })
        .await
    }

    /// Says that a restore is under way, and takes away what a former one left.
    async fn begin(&self, name: &str) -> Result<(), BackupError> {
        let (unfinished, beside, place) = (self.unfinished(), self.beside(), self.places.repositories.clone());
        let former = place.with_extension(FORMER);
        let text = format!("{name}\n");
        blocking(move || {
            let again = unfinished.exists();
            let written = std::fs::write(&unfinished, text)
                .and_then(|()| std::fs::File::open(&unfinished)?.sync_all())
                .map_err(BackupError::file(unfinished.display(), "written"));
            written?;
            // The place itself stays: it may be where a disk is mounted, or lead there.
            let mut left = if again { content(&place) } else { Ok(Vec::new()) };
            if let Ok(left) = &mut left {
                left.extend(Some(former).filter(|former| again && former.is_dir()));
            }
            for path in left.map_err(BackupError::file(place.display(), "read"))? {
                let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                removed.map_err(BackupError::file(path.display(), "removed"))?;
            }
            std::fs::create_dir_all(&beside).map_err(BackupError::file(beside.display(), "made"))
        })
        .await
    }

    async fn end(&self) -> Result<(), BackupError> {
        let unfinished = self.unfinished();
        blocking(move || std::fs::remove_file(&unfinished).map_err(BackupError::file(unfinished.display(), "removed")))
            .await
    }

    /// Makes the repositories beside their place, and puts them there together. Returns what git complains of.
    async fn repositories(&self, chain: &[Manifest], indexes: &[Index]) -> Result<Vec<String>, BackupError> {
        let beside = self.beside();
        let mut problems = Vec::new();
        let wanted = indexes.last().map(|index| index.repositories.as_slice()).unwrap_or_default();
        for one in wanted {
            let failed = |source| BackupError::Repository { project: one.name.clone(), source };
            let path = beside.join(format!("{}.git", one.project));
            let repo = Repo::empty(&path, &one.standing).await.map_err(failed)?;
            for (manifest, index) in chain.iter().zip(indexes) {
                let earlier = index.repositories.iter().find(|earlier| earlier.project == one.project);
                if let Some(file) = earlier.and_then(|earlier| earlier.pack.as_ref()) {
                    self.pack(manifest, file, one, &repo).await?;
                }
            }
            repo.stand_at(&one.standing.refs).await.map_err(failed)?;
            problems.extend(self.complaint(&repo, one).await?);
        }
        let place = self.places.repositories.clone();
        // One after the other: where that is cut off, the next try takes all of them away, as there are no rows yet.
        blocking(move || {
            let failed = |error| BackupError::file(place.display(), "put in place")(error);
            for path in content(&beside).map_err(failed)? {
                let name = path.file_name().unwrap_or_default().to_owned();
                std::fs::rename(&path, place.join(name)).map_err(failed)?;
                guildhall_types::boundary!("restore.repository");
            }
            std::fs::remove_dir(&beside).map_err(failed)
        })
        .await?;
        Ok(problems)
    }

    /// What git complains of in the repositories that are here.
    async fn complaints(&self, index: &Index) -> Result<Vec<String>, BackupError> {
        let mut problems = Vec::new();
        for one in &index.repositories {
            let failed = |source| BackupError::Repository { project: one.name.clone(), source };
            let repo = Repo::open(&self.places.repository(one.project)).map_err(failed)?;
            problems.extend(self.complaint(&repo, one).await?);
        }
        Ok(problems)
    }

    async fn complaint(&self, repo: &Repo, of: &RepositoryPart) -> Result<Option<String>, BackupError> {
        let failed = |source| BackupError::Repository { project: of.name.clone(), source };
        let told = repo.complaints().await.map_err(failed)?;
        Ok(told.map(|told| format!("git fsck complains of the repository of {}: {told}", of.name)))
    }

    /// What the rows name.
    async fn named(&self, manifest: &Manifest) -> Result<Named, BackupError> {
        let eat = |from: &mut dyn io::BufRead| {
            let mut named = Named::default();
            read_pieces(from, |piece| {
                named.note(&piece);
                Ok(())
            })?;
            Ok(named)
        };
        self.parts(manifest).read(&manifest.rows, eat).await
    }

    async fn pack(&self, manifest: &Manifest, file: &str, of: &RepositoryPart, repo: &Repo) -> Result<(), BackupError> {
        let part = manifest.packs.iter().find(|part| part.file == file).ok_or_else(|| BackupError::Manifest {
            name: manifest.name.clone(),
            why: format!("it does not name the part {file}"),
        })?;
        let (out, pieces) = mpsc::channel::<Vec<u8>>(4);
        let eat = move |from: &mut dyn io::BufRead| {
            loop {
                let piece = from.fill_buf()?.to_vec();
                if piece.is_empty() {
                    return Ok::<_, io::Error>(());
                }
                from.consume(piece.len());
                out.blocking_send(piece).map_err(|_| io::Error::other("git takes no more"))?;
            }
        };
        let parts = self.parts(manifest);
        let (read, taken) = tokio::join!(parts.read(part, eat), repo.take_pack(pieces));
        // Git says better what is wrong with a pack than that it took no more of it.
        taken.map_err(|source| BackupError::Repository { project: of.name.clone(), source })?;
        read
    }

    /// Puts the rows in place, all or none, if they are what the backup says.
    async fn rows(&self, manifest: &Manifest, index: &Index) -> Result<(Settled, Named), BackupError> {
        self.store.migrate_to(manifest.schema).await?;
        let mut filling = self.store.fill().await?;
        let (out, pieces) = mpsc::channel(2);
        let eat = move |from: &mut dyn io::BufRead| {
            read_pieces(from, |piece| {
                out.blocking_send(piece).map_err(|_| io::Error::other("the database takes no more"))
            })
        };
        let filling_up = &mut filling;
        let fill = async move {
            // Gone when this ends, so that nobody waits for a database that refused a row.
            let mut pieces = pieces;
            let mut named = Named::default();
            while let Some(piece) = pieces.recv().await {
                named.note(&piece);
                filling_up.put(piece).await?;
            }
            Ok::<_, BackupError>(named)
        };
        let parts = self.parts(manifest);
        let (read, filled) = tokio::join!(parts.read(&manifest.rows, eat), fill);
        let named = filled?;
        read?;
        let came = filling.sums();
        if came != index.tables {
            let differs = |why: String| BackupError::Differs { name: manifest.name.clone(), why };
            let by_name: BTreeMap<&str, _> = came.iter().map(|sum| (sum.table.as_str(), sum)).collect();
            let wrong: Vec<&str> = index
                .tables
                .iter()
                .filter(|sum| by_name.get(sum.table.as_str()) != Some(sum))
                .map(|sum| sum.table.as_str())
                .collect();
            return Err(differs(format!("the rows of {} are others", wrong.join(", "))));
        }
        filling.compare().await?;
        let settled = filling.settle(manifest.made_at).await?;
        filling.note_backup(&manifest.name, settled).await?;
        let (_, known) = self.store.schema_version().await?;
        guildhall_types::boundary!("restore.rows");
        filling.commit(manifest.schema == known).await?;
        Ok((settled, named))
    }

    /// Whether the commits are there from which runs go on.
    async fn lacking_commits(&self, index: &Index, named: &Named) -> Result<Vec<String>, BackupError> {
        let mut wanted: BTreeMap<ProjectId, Vec<String>> = BTreeMap::new();
        for open in &named.open {
            wanted.entry(open.project).or_default().push(open.head.clone());
        }
        let mut problems = Vec::new();
        for (project, mut heads) in wanted {
            let name = named.projects.get(&project).cloned().unwrap_or_default();
            let failed = |source| BackupError::Repository { project: name.clone(), source };
            let repo = match Repo::open(&self.places.repository(project)) {
                Ok(repo) => repo,
                Err(_) if index.repositories.iter().all(|one| one.project != project) => continue,
                Err(_) => {
                    problems.push(format!("the project {name} has work under way and no repository"));
                    continue;
                }
            };
            heads.sort();
            heads.dedup();
            let here = repo.having(&heads).await.map_err(failed)?;
            let of_it = index.repositories.iter().find(|one| one.project == project);
            let before = |head: &String| of_it.is_some_and(|one| one.lacking.contains(head));
            for lacking in heads.iter().filter(|head| !here.contains(head) && !before(head)) {
                problems.push(format!("the commit {lacking} of work under way in the project {name} is not there"));
            }
        }
        Ok(problems)
    }

    /// Which keys are needed, whether they are here, and whether they open what they should.
    async fn keys(&self, index: &Index, problems: &mut Vec<String>) -> Result<Vec<KeyState>, BackupError> {
        let mut states: BTreeMap<String, KeyState> = BTreeMap::new();
        for id in index.keys.keys() {
            let state = KeyState { id: id.clone(), secrets: 0, here: self.vault.holds(id)?, open: 0 };
            states.insert(id.clone(), state);
        }
        let mut after = String::new();
        loop {
            let secrets = self.store.secrets(&after, AT_ONCE).await?;
            let Some(last) = secrets.last() else { break };
            after = last.identity.clone();
            for secret in &secrets {
                let new = || KeyState { id: secret.key_id.clone(), secrets: 0, here: false, open: 0 };
                let state = states.entry(secret.key_id.clone()).or_insert_with(new);
                state.secrets += 1;
                if !state.here {
                    continue;
                }
                match self.vault.open(&secret.identity, secret) {
                    Ok(_) => state.open += 1,
                    Err(VaultError::Broken) => problems.push(format!("the secret {} does not open", secret.identity)),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(states.into_values().collect())
    }
}

/// What lies in a folder, but for what its disk itself has there; nothing where there is none.
fn content(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    Ok(paths?.into_iter().filter(|path| !path.ends_with(OF_THE_DISK)).collect())
}
