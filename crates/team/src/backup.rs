//! Backups: everything that a team has, at a place outside of the server, and back from there.
//!
//! A backup is a folder of parts at its destination, or objects that are named like such files: the rows of the
//! database, as all of them were at one moment, and then a pack of each repository. The rows come first, so that what
//! they name is in git by the time that git is read: commits only come to be, and those of which the last ref goes are
//! named by the rows and taken as well. A list of what a restore must find is a part, too; the manifest, which names
//! every part with its digest, is written last. What has no manifest is no backup. Key-encryption keys are in none:
//! secrets stay sealed as they are.

mod bucket;
mod error;
mod keeper;
mod list;
mod make;
mod manifest;
mod part;
mod restore;
mod seal;
mod shelf;
mod standing;
mod verify;

pub use bucket::{BadPlace, Bucket, Patience, S3Access, Trouble};
pub use error::BackupError;
pub use keeper::{BackedUp, BackupPlan, BackupRules, Backups};
pub use list::{Shelved, listed, shelved};
pub use make::{Made, Making};
pub use manifest::{DamagedRepository, Index, Manifest, Part, RepositoryPart};
pub use restore::{KeyState, Restored, Restoring, UNFINISHED};
pub use seal::BackupKey;
pub use shelf::Shelf;
pub use standing::{BackupsView, PlannedBackups};
pub use verify::{Room, Verified, sweep_scratch, verify};
