//! What can go wrong with a deed of the team. Every kind says what to do; the server turns it into problem details.

use guildhall_store::StoreError;
use guildhall_types::knowledge::{KnowledgeItem, SimilarItem};
use guildhall_types::run::HeldCard;

use crate::knowledge::FailedFile;
use crate::mail::Undelivered;
use crate::vault::VaultError;

/// Why a deed did not happen. Nothing was half done, but for one thing: of a card and those that it is built on, which are merged
/// one after another, those before the one that failed stay merged, and the error names them.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    /// A value that was given cannot be used.
    #[error("{field}: {message}")]
    Invalid {
        /// Which value.
        field: &'static str,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// E-mail and password do not belong together. Does not say which accounts exist.
    #[error("the e-mail address or the password is wrong")]
    WrongPassword,
    /// Too many wrong passwords.
    #[error("too many sign-ins failed; try again in {seconds} seconds")]
    Throttled {
        /// How long to wait.
        seconds: i64,
    },
    /// Set-up is over.
    #[error("this Guildhall is already set up; ask an admin for an invitation")]
    AlreadySetUp,
    /// There is no such thing, or none that this member may see.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// It cannot be done as things stand.
    #[error("{message}")]
    Conflict {
        /// A stable word for it.
        code: &'static str,
        /// What stands in the way and what to do.
        message: String,
    },
    /// Somebody else must do it.
    #[error("{message}")]
    NotYours {
        /// Who may.
        message: String,
    },
    /// Something that looks like a secret stands in a text. It is not repeated.
    #[error("{field}: line {line} looks like {what}; take it out, and exchange it if it is a real one")]
    LooksLikeSecret {
        /// In which field.
        field: &'static str,
        /// In which line, from 1 on.
        line: usize,
        /// What it looks like.
        what: &'static str,
    },
    /// The hub holds much the same already.
    #[error("the hub holds much the same already: {}; change that, or write yours anyway", titles(.similar))]
    NearDuplicate {
        /// What it holds.
        similar: Vec<SimilarItem>,
    },
    /// Files of an import that cannot come in, so that none of the others did.
    #[error("{}; mend them or leave them out", faults(.0))]
    FaultyFiles(Vec<FailedFile>),
    /// Somebody changed an item of the hub in between.
    #[error("somebody else changed it in between (it is now at version {}); look at both and save again", .current.common.version)]
    KnowledgeChanged {
        /// The item as it is.
        current: Box<KnowledgeItem>,
    },
    /// A merge that would need a person.
    #[error("the work conflicts with the branch {branch} in {} file(s){}", .files.len(), merged_before(.merged))]
    MergeConflict {
        /// The branch that it should be merged into.
        branch: String,
        /// The files in conflict.
        files: Vec<guildhall_git::ConflictFile>,
        /// The cards that it is built on and that were merged before it: that stays.
        merged: Vec<HeldCard>,
    },
    /// A system of agents that cannot be run as it is.
    #[error("this system has {} problem(s); mend them, or keep it as a draft", .0.len())]
    SystemProblems(Vec<guildhall_types::system::SystemProblem>),
    /// The mail server did not take a mail.
    #[error("the mail was not sent: {0}")]
    Mail(#[source] Undelivered),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The git program refused or failed.
    #[error(transparent)]
    Git(#[from] guildhall_git::GitError),
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Something inside failed that no member can mend.
    #[error("{what} failed")]
    Internal {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl TeamError {
    /// A value that cannot be used.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }

    /// Something that somebody else must do.
    pub fn not_yours(message: impl Into<String>) -> Self {
        Self::NotYours { message: message.into() }
    }

    /// Something that cannot be done as things stand.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// Something inside that failed.
    pub fn internal(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal { what, source: Box::new(source) }
    }
}

/// The files that are named in a sentence at most; the others are told beside it.
const NAMED: usize = 3;

fn faults(files: &[FailedFile]) -> String {
    let named = files.iter().take(NAMED).map(|FailedFile { file, why }| format!("{file}: {why}"));
    let more = files.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("and {more} more"));
    let faulty = if files.len() == 1 { "a file is" } else { "files are" };
    format!("{faulty} faulty, and none came in: {}", named.chain(more).collect::<Vec<_>>().join("; "))
}

fn titles(similar: &[SimilarItem]) -> String {
    similar.iter().map(|item| format!("“{}”", item.title)).collect::<Vec<_>>().join(", ")
}

/// What of a merge was done all the same, as the end of a sentence.
pub fn merged_before(merged: &[HeldCard]) -> String {
    if merged.is_empty() {
        return String::new();
    }
    let names: Vec<String> = merged.iter().map(ToString::to_string).collect();
    format!("; what it is built on was merged before it and stays so: {}", names.join(", "))
}
