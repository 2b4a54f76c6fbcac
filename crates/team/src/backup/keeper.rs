//! Backups by themselves and on demand: one at a time, in whichever process begins it, each put down in the database.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use guildhall_store::{BackupEnd, NewBackup, Store, StoreError, THRESHOLDS};
use guildhall_types::alert::Thresholds;
use guildhall_types::backup::{Backup, BackupCause, BackupKind, Finding, Keep, Rhythm, due_after};
use guildhall_types::trace::{Side, Span};
use guildhall_types::{BackupId, Clock, DateTime};
use tokio::sync::{Mutex, mpsc};

use super::list::{Own, Tidied, listed, tidy_alone};
use super::{BackupError, BackupKey, DamagedRepository, Made, Making, Manifest, Room, Shelf, Verified, verify};
use crate::vault::Vault;
use crate::{Places, Shared, Team, TeamError, caught};

/// How often it is looked whether one is due.
const LOOK: StdDuration = StdDuration::from_secs(30);
/// How often the process that makes one says that it still does. Much less than the time after which it counts as gone.
const BEAT: StdDuration = StdDuration::from_secs(20);
/// How long a bucket may take, when a backup is cut off in the middle, to let others in.
const LEAVE: StdDuration = StdDuration::from_secs(3);
/// Backups and tries that are shown.
pub(super) const SHOWN: i64 = 50;
/// What is told of one in whose making this program panicked.
const MISTAKE: &str = "Guildhall itself made a mistake in the middle of it; the log says more. The next one is made from the \
                       beginning.";
/// What stands of a backup until it has been restored into a scratch place, and where that was cut off.
const LOOKING: &str = "It is being restored into a scratch place, or whoever did so was stopped in the middle of it. \
                       It is looked at again with the next backup.";

/// What the operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPlan {
    /// Where backups go.
    pub shelf: Shelf,
    /// How they are made.
    pub rules: BackupRules,
}

/// How backups are made, wherever they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRules {
    /// How often one is made; never by itself, if nothing.
    pub rhythm: Option<Rhythm>,
    /// Which are kept.
    pub keep: Keep,
    /// The file of the key that they are sealed with, if they are.
    pub key_file: Option<PathBuf>,
    /// After so many a full one is made again.
    pub full_every: u32,
    /// Whether each full one is restored into a scratch place at once.
    pub verify: bool,
    /// The folder in which scratch places are made; the data folder, if none is named.
    pub scratch: Option<PathBuf>,
}

impl Default for BackupRules {
    fn default() -> Self {
        Self { rhythm: None, keep: Keep::default(), key_file: None, full_every: 7, verify: true, scratch: None }
    }
}

/// A backup that was made, and what was done with it.
#[derive(Debug)]
pub struct BackedUp {
    /// What was made.
    pub made: Made,
    /// What a restore into a scratch place found, or why that could not be done, where it was to be done.
    pub verified: Option<Result<Verified, BackupError>>,
    /// The names of those that went, since none keeps them.
    pub gone: Result<Vec<String>, BackupError>,
}

/// Makes backups as the operator wants them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    places: Arc<Places>,
    shared: Shared,
    clock: Arc<dyn Clock>,
    vault: Arc<Vault>,
    plan: BackupPlan,
    /// The data folder.
    data: PathBuf,
    asked: mpsc::Sender<Begun>,
    /// What was asked for. Whoever holds it is the loop of this process.
    asking: Mutex<mpsc::Receiver<Begun>>,
}

/// One that was begun.
#[derive(Debug)]
struct Begun {
    id: BackupId,
    /// Acts for whoever asked for it: the audit tells so.
    store: Store,
}

impl Backups {
    /// Those of this plan, of what is in the data folder `data`.
    pub fn new(
        store: Store,
        places: Arc<Places>,
        clock: Arc<dyn Clock>,
        vault: Arc<Vault>,
        plan: BackupPlan,
        data: PathBuf,
    ) -> Self {
        let (asked, asking) = mpsc::channel(1);
        let asking = Mutex::new(asking);
        let shared = Shared::new(store.clone(), Arc::clone(&places));
        Self(Arc::new(Inner { store, places, shared, clock, vault, plan, data, asked, asking }))
    }

    /// The same beside a server that has the same repositories in hand.
    #[must_use]
    pub fn beside(mut self, shared: &Shared) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.shared = shared.clone();
        }
        self
    }

    /// What the operator wants.
    pub fn plan(&self) -> &BackupPlan {
        &self.0.plan
    }

    /// Makes one now, whoever else may be about it.
    ///
    /// # Errors
    /// [`StoreError::BackupUnderWay`], or why it was not made: that is put down, too.
    pub async fn make(&self, cause: BackupCause, full: bool) -> Result<BackedUp, BackupError> {
        let store = self.0.store.clone();
        let id = self.begin(&store, cause).await?;
        self.finish(&Begun { id, store }, full).await
    }

    /// Has one made soon by the loop of this process, on behalf of whoever `team` acts for.
    ///
    /// # Errors
    /// When another one is being made.
    pub async fn ask(&self, team: &Team) -> Result<Backup, TeamError> {
        let id = self.begin(&team.store, BackupCause::Member).await?;
        if self.0.asked.try_send(Begun { id, store: team.store.clone() }).is_err() {
            let why = "This server is about to stop; ask again when it is back.".to_owned();
            self.0.store.end_backup(id, &BackupEnd::Failed(why)).await?;
        }
        let shown = self.0.store.backups(SHOWN).await?;
        shown.into_iter().find(|one| one.id == id).ok_or(TeamError::NotFound { what: "backup" })
    }

    async fn begin(&self, store: &Store, cause: BackupCause) -> Result<BackupId, StoreError> {
        store.begin_backup(&self.new_one(cause)).await
    }

    fn new_one(&self, cause: BackupCause) -> NewBackup {
        NewBackup { cause, destination: self.0.plan.shelf.to_string() }
    }

    /// Makes the one that was begun, and says meanwhile that this process still does.
    async fn finish(&self, begun: &Begun, full: bool) -> Result<BackedUp, BackupError> {
        let inner = &self.0;
        let id = begun.id;
        let mut work = std::pin::pin!(self.work(begun, full));
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                () = tokio::time::sleep(BEAT) => {
                    // A database that is away for a moment is none of its business.
                    if let Err(error) = inner.store.see_backup(id).await {
                        tracing::warn!(%error, "it could not be put down that a backup is being made");
                    }
                }
            }
        };
        if let Err(error) = &done {
            inner.store.end_backup(id, &BackupEnd::Failed(chain(error))).await?;
        }
        done
    }

    async fn work(&self, begun: &Begun, full: bool) -> Result<BackedUp, BackupError> {
        let inner = &self.0;
        let BackupPlan { shelf, rules } = &inner.plan;
        let key = rules.key_file.as_deref().map(BackupKey::read).transpose()?;
        let making = Making {
            store: &inner.store,
            places: &inner.places,
            shared: Some(&inner.shared),
            clock: &*inner.clock,
            shelf,
            key: key.as_ref(),
            full_every: if full { 1 } else { rules.full_every },
            known_only: true,
        };
        // Also before: what is not kept any longer may be what leaves the new one no room. Whatever is wrong with the place, the
        // making says better.
        let before = self.tidy().await.unwrap_or_default();
        inner.shared.look().await.map_err(|error| BackupError::Internal {
            what: "finding out whether repositories are shared",
            source: Box::new(error),
        })?;
        let made = making.make().await?;
        let Manifest { name, kind, parent, .. } = &made.manifest;
        let bytes = i64::try_from(made.manifest.bytes()).unwrap_or(i64::MAX);
        // One that builds on what could not be looked at is looked at in its place: that restores both.
        let looks = rules.verify
            && match (kind, parent) {
                (BackupKind::Incremental, Some(parent)) => inner.store.why_unchecked(parent).await?.is_some(),
                _ => true,
            };
        let unchecked = looks.then(|| LOOKING.to_owned());
        let done = BackupEnd::Done { name: name.clone(), kind: *kind, bytes, parent: parent.clone(), unchecked };
        begun.store.end_backup(begun.id, &done).await?;
        let verified = match looks {
            true => Some(self.verify(Some(name)).await),
            false => None,
        };
        if let Some(problem) = made.problem() {
            inner.store.note_backup_verified(name, Some(&problem)).await?;
        }
        // Only then: a new one that is not sound takes no other's place.
        let gone = self.tidy().await.map(|gone| before.into_iter().chain(gone).collect());
        Ok(BackedUp { made, verified, gone })
    }

    /// Takes away what is not kept. Returns the names of what went.
    async fn tidy(&self) -> Result<Vec<String>, BackupError> {
        let BackupPlan { shelf, rules } = &self.0.plan;
        let own = Own::of(&self.0.store).await?;
        // One that somebody looked at once is kept for no longer than others, where nobody looks at later ones.
        let most = if rules.verify { Finding::Sound } else { Finding::Unknown };
        let alone = shelf.alone(false).await?;
        let tidied = async {
            let Tidied { gone, left } =
                tidy_alone(shelf, &rules.keep, &own, |finding| finding.min(most), &alone).await?;
            // With the destination still in hand: what another process made since would count as gone.
            self.0.store.note_backups_gone(&shelf.to_string(), &left).await?;
            Ok(gone)
        };
        let gone = tidied.await;
        alone.release().await;
        gone
    }

    /// Restores one, the latest if none is named, into a scratch place, and puts down what was found, or why that cannot be done.
    ///
    /// # Errors
    /// When it cannot be restored, or not be looked at now.
    pub async fn verify(&self, name: Option<&str>) -> Result<Verified, BackupError> {
        let inner = &self.0;
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                let own = Own::of(&inner.store).await?;
                let latest = listed(&inner.plan.shelf).await?.into_iter().rfind(|one| own.made(one));
                latest.ok_or_else(|| BackupError::Nothing { at: inner.plan.shelf.to_string() })?.name
            }
        };
        let found = self.look_at(&name).await;
        match &found {
            Ok(Verified { problems, .. }) => {
                let problem = (!problems.is_empty()).then(|| problems.join("\n"));
                inner.store.note_backup_verified(&name, problem.as_deref()).await?;
            }
            Err(error) => match error.unsound(&name) {
                Some(of) => {
                    let problem = chain(error);
                    inner.store.note_backup_verified(&name, Some(&problem)).await?;
                    // What else builds on that one is not sound either.
                    if of != name {
                        inner.store.note_backup_verified(of, Some(&problem)).await?;
                    }
                }
                None => inner.store.note_backup_unchecked(&name, &chain(error)).await?,
            },
        }
        found
    }

    async fn look_at(&self, name: &str) -> Result<Verified, BackupError> {
        let Inner { store, plan, vault, clock, data, .. } = &*self.0;
        let key = plan.rules.key_file.as_deref().map(BackupKey::read).transpose()?;
        let thresholds = store.setting::<Thresholds>(THRESHOLDS).await?.unwrap_or_default();
        let room = Room { percent: thresholds.disk.warning };
        let scratch = plan.rules.scratch.as_deref().unwrap_or(data);
        verify(&plan.shelf, Some(name), key.as_ref(), vault, Arc::clone(clock), scratch, room).await
    }

    /// Makes backups when they are due and when they are asked for, until `stop` is ready.
    pub async fn make_until(self, stop: impl Future<Output = ()>) {
        self.make_looking_until(LOOK, stop).await;
    }

    /// The same, with another pause between two looks whether one is due.
    pub async fn make_looking_until(self, look: StdDuration, stop: impl Future<Output = ()>) {
        let Ok(mut asking) = self.0.asking.try_lock() else { return };
        let mut stop = std::pin::pin!(stop);
        loop {
            let begun = tokio::select! {
                () = &mut stop => return,
                Some(begun) = asking.recv() => Some(begun),
                () = tokio::time::sleep(look) => match self.begin_if_due().await {
                    Ok(begun) => begun,
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "it could not be looked whether a backup is due");
                        None
                    }
                },
            };
            let Some(begun) = begun else { continue };
            tokio::select! {
                done = caught(self.told(&begun)) => match done {
                    Some(done) => tell(&done),
                    None => {
                        tracing::error!("the making of a backup panicked");
                        self.cut_off(begun.id, MISTAKE).await;
                    }
                },
                () = &mut stop => {
                    let why = "The server was stopped in the middle of it. The next one is made from the beginning.";
                    return self.cut_off(begun.id, why).await;
                }
            }
        }
    }

    /// Puts down that the one that was being made is made no more, and lets others in.
    async fn cut_off(&self, id: BackupId, why: &str) {
        if let Err(error) = self.0.store.end_backup(id, &BackupEnd::Failed(why.to_owned())).await {
            tracing::warn!(error = chain(&error), "it could not be put down that a backup was cut off");
        }
        // Or nobody gets in for a quarter of an hour, this server's next start included.
        if tokio::time::timeout(LEAVE, self.0.plan.shelf.left()).await.is_err() {
            tracing::warn!(
                place = %self.0.plan.shelf,
                "it could not be said in time that no backup is being made any more; others wait for some minutes"
            );
        }
    }

    /// Makes the one that was begun, and tells collectors of traces how long it took.
    async fn told(&self, begun: &Begun) -> Result<BackedUp, BackupError> {
        let span = Span::begin(Side::Internal, "job backup", "");
        let done = span.around(self.finish(begun, false)).await;
        if done.is_err() {
            span.failed("not-made");
        }
        done
    }

    async fn begin_if_due(&self) -> Result<Option<Begun>, StoreError> {
        // Before it is looked whether one is due: whoever began one since was quicker.
        let latest = self.0.store.backups(1).await?.first().map(|one| one.id);
        match self.next().await? {
            Some(next) if next <= self.0.clock.now() => {}
            _ => return Ok(None),
        }
        let new = self.new_one(BackupCause::Schedule);
        match self.0.store.begin_due_backup(&new, latest).await {
            Ok(id) => Ok(Some(Begun { id, store: self.0.store.clone() })),
            // Another process was quicker.
            Err(StoreError::BackupUnderWay { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// When the next one is due. What went elsewhere is nothing to the place where they are to go.
    pub(super) async fn next(&self) -> Result<Option<DateTime>, StoreError> {
        let BackupPlan { shelf, rules } = &self.0.plan;
        let Some(rhythm) = rules.rhythm else { return Ok(None) };
        let tries = self.0.store.backups_at(&shelf.to_string(), SHOWN).await?;
        Ok(Some(due_after(rhythm, &tries)))
    }
}

/// A failure and all that led to it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn tell(done: &Result<BackedUp, BackupError>) {
    let BackedUp { made, verified, gone } = match done {
        Ok(done) => done,
        Err(error) => return tracing::error!(error = chain(error), "a backup was not made"),
    };
    let keys: Vec<&str> = made.keys.keys().map(String::as_str).collect();
    let backup = &made.manifest.name;
    tracing::info!(
        backup,
        kind = %made.manifest.kind,
        bytes = made.manifest.bytes(),
        gone = gone.as_ref().map_or(0, Vec::len),
        needs_keys = keys.join(", "),
        "a backup was made; the keys that seal secrets are not in it"
    );
    match verified {
        Some(Ok(verified)) => {
            for problem in &verified.problems {
                tracing::error!(backup, problem, "the backup was restored into a scratch place, and is not sound");
            }
        }
        Some(Err(error)) if error.unsound(backup).is_some() => {
            tracing::error!(backup, error = chain(error), "the backup cannot be restored");
        }
        Some(Err(error)) => tracing::error!(backup, error = chain(error), "the backup could not be checked"),
        None => {}
    }
    for project in &made.lost {
        tracing::error!(backup, project, "the repository of a project was not there, so that the backup lacks it");
    }
    for DamagedRepository { name: project, why, .. } in &made.damaged {
        tracing::error!(
            backup,
            project,
            why,
            "the repository of a project could not be read, so that the backup lacks it"
        );
    }
    if let Err(error) = gone {
        tracing::warn!(error = chain(error), "backups that are not kept any longer could not be deleted");
    }
}
