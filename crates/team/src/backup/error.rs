//! What can go wrong with a backup, and what to do about it.

use std::io;

use guildhall_git::GitError;
use guildhall_store::StoreError;

use super::bucket::Trouble;
use crate::vault::VaultError;

/// Why a backup was not made, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or a folder of the destination, or of the server, cannot be used.
    #[error("{path} cannot be {deed}")]
    File {
        /// Which.
        path: String,
        /// What was tried.
        deed: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process works at the destination.
    #[error("another process makes, restores or checks a backup in {at}; wait until it is done")]
    Busy {
        /// Where.
        at: String,
    },
    /// Something in a bucket cannot be used.
    #[error("{at} cannot be {deed}")]
    Bucket {
        /// Which object, or all below a prefix.
        at: String,
        /// What was tried.
        deed: &'static str,
        /// Why.
        #[source]
        source: Trouble,
    },
    /// Another process works at the destination, a bucket, or did so not long ago.
    #[error(
        "another process makes, restores or checks a backup in {at}, or was cut off there: it said so {silent} minutes ago. Wait until it is done; one that says nothing for {forgotten} minutes counts as gone"
    )]
    Claimed {
        /// Where.
        at: String,
        /// Minutes since it last said so.
        silent: i64,
        /// Minutes after which it counts as gone.
        forgotten: i64,
    },
    /// This process did not say for so long that it works at the destination that others may think it gone, or do already.
    #[error(
        "this process could not say in {at} for minutes that it is at work there, and another one may be by now; try again, and look whether this machine stood still or lost its network"
    )]
    Forgotten {
        /// Where.
        at: String,
    },
    /// There is no backup at all.
    #[error("there is no backup in {at}; what has no manifest.json is none, or one that was cut off")]
    Nothing {
        /// Where.
        at: String,
    },
    /// There is no backup of this name.
    #[error("there is no backup {name} in {at}; `guildhall backup list` shows those that are there")]
    Missing {
        /// Its name.
        name: String,
        /// Where.
        at: String,
    },
    /// Several installations put their backups there, so that the latest may be another's.
    #[error(
        "several installations put their backups in {at}, such as a team and one that was restored from it; name the one to restore by --at. The latest of each: {latest}"
    )]
    Several {
        /// Where.
        at: String,
        /// The names of the latest of each.
        latest: String,
    },
    /// There is too little room to look at a backup.
    #[error(
        "it takes about {needed} MB to restore it into a scratch place below {at}, and there is room for {free} MB before {percent} % of that disk are used; make room, or name a folder on another disk in GUILDHALL_BACKUP_SCRATCH"
    )]
    NoRoom {
        /// The scratch place.
        at: String,
        /// Megabytes that it takes.
        needed: u64,
        /// Megabytes that there are for it.
        free: u64,
        /// From how much on a disk counts as full.
        percent: i64,
    },
    /// A part is not as it was written.
    #[error(
        "the part {part} of the backup {name} is damaged: {why}. Restore another backup (`guildhall backup list`), and look after the place where this one is"
    )]
    Damaged {
        /// Which part.
        part: String,
        /// Of which backup.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A manifest is of a later version, or no manifest.
    #[error("the manifest of the backup {name} cannot be read: {why}")]
    Manifest {
        /// Of which backup.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The backup is sealed, and no key was given.
    #[error(
        "the backup {name} is sealed with the key {needed}; name its file by --key-file or GUILDHALL_BACKUP_KEY_FILE"
    )]
    NoKey {
        /// Which backup.
        name: String,
        /// Names the key.
        needed: String,
    },
    /// The backup is sealed with another key.
    #[error(
        "the backup {name} is sealed with the key {needed}, and the one that was given is {given}; name the file of {needed}"
    )]
    WrongKey {
        /// Which backup.
        name: String,
        /// Names the key.
        needed: String,
        /// Names the key that was given.
        given: String,
    },
    /// A key file cannot be used.
    #[error("the key file {path} cannot be used: {why}")]
    KeyFile {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
    /// The place where a backup is to be restored holds something.
    #[error(
        "a backup is restored into an empty server only, and {what}; name another data folder or database, or move that away"
    )]
    InTheWay {
        /// What is in the way.
        what: String,
    },
    /// The database is not at this version's schema.
    #[error(
        "the database is at the schema {found} and this version wants {wanted}; run `guildhall migrate`, or use the version that the server runs"
    )]
    Schema {
        /// At which it is.
        found: i64,
        /// Which one this version wants.
        wanted: i64,
    },
    /// What came out is not what went in.
    #[error("what was restored is not what the backup {name} says: {why}. Nothing was put in place")]
    Differs {
        /// Which backup.
        name: String,
        /// What differs.
        why: String,
    },
    /// Git refused a repository.
    #[error("the repository of the project {project}")]
    Repository {
        /// Which project, by name.
        project: String,
        /// Why.
        #[source]
        source: GitError,
    },
    /// The database refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files of keys cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Something inside failed.
    #[error("{what} failed")]
    Internal {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BackupError {
    /// The name of the backup that cannot be relied on, if that is what a look at the one of this name found: itself, or one that it
    /// builds on. That somebody else works there, that the key is another, or that there is no room, says nothing of a backup.
    pub fn unsound<'a>(&'a self, looked_at: &'a str) -> Option<&'a str> {
        match self {
            Self::Damaged { name, .. } | Self::Manifest { name, .. } => Some(name),
            // Of one that is not there itself nothing can be said.
            Self::Missing { name, .. } => (name != looked_at).then_some(looked_at),
            Self::Differs { .. } => Some(looked_at),
            Self::Repository { source, .. } => is_damage(source).then_some(looked_at),
            _ => None,
        }
    }

    pub(super) fn file(path: impl std::fmt::Display, deed: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_string();
        move |source| Self::File { path, deed, source }
    }

    pub(super) fn internal(what: &'static str) -> impl FnOnce(tokio::task::JoinError) -> Self {
        move |source| Self::Internal { what, source: Box::new(source) }
    }
}

/// Whether it is the repository that git failed at, rather than the machine: its programs, its time, its room.
pub(super) fn is_damage(error: &GitError) -> bool {
    let machine = matches!(
        error,
        GitError::Program(_)
            | GitError::File { .. }
            | GitError::TimedOut { .. }
            | GitError::Locked { .. }
            | GitError::NoMemory { .. }
            | GitError::Starved { .. }
    );
    !machine && !error.is_full()
}
