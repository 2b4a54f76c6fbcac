//! The one place where the team's failures become problem details.

use axum::http::StatusCode;
use guildhall_git::GitError;
use guildhall_store::StoreError;
use guildhall_team::TeamError;
use guildhall_team::vault::VaultError;
use guildhall_types::member::ChangeRefused;

use super::{Extras, Problem};

/// Seconds after which to try again when the database does not answer.
const AWAY: i64 = 5;

impl From<TeamError> for Problem {
    fn from(error: TeamError) -> Self {
        match error {
            TeamError::Invalid { field, message } => Self::invalid(field, message),
            TeamError::WrongPassword => {
                Self::new(StatusCode::UNAUTHORIZED, "wrong-password", "The e-mail address or the password is wrong.")
            }
            TeamError::Throttled { seconds } => {
                Self::throttled("throttled", "That was tried too often.", seconds)
            }
            TeamError::AlreadySetUp => Self::conflict("already-set-up", sentence(&error)),
            TeamError::NotFound { what } => Self::not_found(what),
            TeamError::Conflict { code, message } => Self::conflict(code, sentence(&message)),
            TeamError::MergeConflict { branch, files, merged } => Self::conflict(
                "merge-conflict",
                format!(
                    "The work conflicts with {branch} in {} file(s){}. Ask the agent to bring it up to date, or start the feature again.",
                    files.len(),
                    guildhall_team::merged_before(&merged)
                ),
            )
            .with(Extras { branch: Some(branch), files: Some(files), ..Extras::default() }),
            TeamError::NotYours { message } => Self::new(StatusCode::FORBIDDEN, "not-yours", sentence(&message)),
            TeamError::LooksLikeSecret { field, line, what } => {
                let message =
                    format!("line {line} looks like {what}; take it out, and exchange it if it is a real one");
                Self::invalid(field, message).coded("looks-like-secret")
            }
            TeamError::NearDuplicate { ref similar } => {
                let extras = Extras { similar: Some(similar.clone()), ..Extras::default() };
                Self::conflict("near-duplicate", sentence(&error)).with(extras)
            }
            TeamError::FaultyFiles(ref files) => {
                let extras = Extras { faulty: Some(files.clone()), ..Extras::default() };
                Self::invalid_all(sentence(&error), std::iter::empty()).with(extras)
            }
            TeamError::KnowledgeChanged { ref current } => {
                let version = current.common.version;
                let item = Some(current.as_ref().clone().shown());
                let extras = Extras { current: Some(version), item, ..Extras::default() };
                Self::conflict("item-changed", sentence(&error)).with(extras)
            }
            TeamError::SystemProblems(ref problems) => {
                let all = problems.iter().map(|problem| (problem.path.clone(), problem.message.clone()));
                Self::invalid_all(sentence(&error), all)
            }
            TeamError::Mail(ref undelivered) => {
                let detail = format!("{} {}", sentence(&error), undelivered.stage.hint());
                Self::new(StatusCode::BAD_GATEWAY, "mail-not-sent", detail)
            }
            TeamError::Store(error) => error.into(),
            TeamError::Git(error) => error.into(),
            TeamError::Vault(error) => error.into(),
            TeamError::Internal { .. } => Self::internal(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = sentence(&error);
        match error {
            StoreError::Taken { .. } => Self::conflict("taken", detail),
            StoreError::TooMany { .. } => Self::conflict("too-many", detail),
            StoreError::TooManyExecutions { .. } => Self::conflict("too-many", detail),
            StoreError::TooManyPreparing { .. } => Self::conflict("too-many-clones", detail),
            StoreError::TooManyWorktrees { .. } => Self::conflict("too-many-worktrees", detail),
            StoreError::NotFound { what } => Self::not_found(what),
            StoreError::Illegal(_) | StoreError::IllegalStage(_) => Self::conflict("illegal-move", detail),
            StoreError::Refused(refused) => match refused {
                ChangeRefused::LastOwner => Self::conflict("last-owner", detail),
                ChangeRefused::LastWayIn => Self::conflict("last-way-in", detail),
                ChangeRefused::MissingRight => Self::new(StatusCode::FORBIDDEN, "missing-right", detail),
                ChangeRefused::NotYours | ChangeRefused::OthersBudget => {
                    Self::new(StatusCode::FORBIDDEN, "not-yours", detail)
                }
                ChangeRefused::TargetIsOwner => Self::new(StatusCode::FORBIDDEN, "target-is-owner", detail),
                ChangeRefused::AboveOwn => Self::new(StatusCode::FORBIDDEN, "above-own-role", detail),
            },
            StoreError::Stale { current } => {
                Self::conflict("stale", detail).with(Extras { current: Some(current), ..Extras::default() })
            }
            StoreError::StaleItem { current } => {
                Self::conflict("item-changed", detail).with(Extras { current: Some(current), ..Extras::default() })
            }
            StoreError::BadRelation { .. } => Self::invalid("related", detail),
            StoreError::NoCursor(_) => Self::invalid("after", detail),
            StoreError::Alike { similar } => TeamError::NearDuplicate { similar }.into(),
            StoreError::Changed { current, .. } => {
                Self::conflict("stale", detail).with(Extras { current: Some(current), ..Extras::default() })
            }
            StoreError::McpToolMoved { .. } => Self::conflict("tool-changed", detail),
            StoreError::McpServerMoved => Self::conflict("server-changed", detail),
            StoreError::StalePlan { current } => {
                Self::conflict("stale-plan", detail).with(Extras { current: Some(current), ..Extras::default() })
            }
            StoreError::NothingToApprove => Self::invalid("requirePlanApproval", detail),
            StoreError::Archived => Self::conflict("project-archived", detail),
            StoreError::OnlyLooked => Self::conflict("only-looked", detail),
            StoreError::OfExecution { .. } => Self::conflict("of-execution", detail),
            StoreError::Live { .. } => Self::conflict("agent-at-work", detail),
            StoreError::BackupUnderWay { .. } => Self::conflict("backup-under-way", detail),
            StoreError::BadDependency(words) => Self::invalid("dependencies", words),
            StoreError::LeaseLost => Self::conflict("lease-lost", detail),
            StoreError::KeyMoved { .. } => Self::conflict("key-moved", detail),
            StoreError::KeyRetired { .. } | StoreError::KeyNeeded { .. } => Self::conflict("key-needed", detail),
            StoreError::Full(_) => Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", detail),
            StoreError::Away(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-away", detail)
                .with(Extras { retry_after: Some(AWAY), ..Extras::default() })
                .because(error),
            StoreError::NotEmpty { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Unfit(_)
            | StoreError::Row { .. }
            | StoreError::BadUrl
            | StoreError::File { .. }
            | StoreError::Migration(_)
            | StoreError::Newer { .. }
            | StoreError::Database(_)
            | StoreError::Corrupt(_) => Self::internal_because("store", error),
        }
    }
}

impl From<GitError> for Problem {
    fn from(error: GitError) -> Self {
        let detail = sentence(&error);
        match error {
            GitError::BadName { what, .. } => Self::invalid(what, detail),
            GitError::BadSource { reason } => Self::invalid("source.url", reason),
            GitError::Apart { .. } => {
                Self::conflict("apart", format!("{detail} Tell its agent to bring it up to date."))
            }
            GitError::BadPush { .. } => Self::new(StatusCode::BAD_REQUEST, "bad-push", detail),
            GitError::Missing { .. } => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            GitError::BranchExists { .. } => Self::conflict("branch-exists", detail),
            GitError::Moved { .. } => Self::conflict("moved", format!("{detail} Try again.")),
            GitError::Locked { .. } => Self::conflict("git-locked", format!("{detail}. Try again when it is done.")),
            full if full.is_full() => {
                let words = "the server's disk is full; try again when its operator has made room";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", sentence(words)).because(full)
            }
            damaged if damaged.is_damaged() => {
                let words = "the project's repository is damaged; ask whoever runs this server to run git fsck on it";
                Self::conflict("repository-damaged", sentence(words)).because(damaged)
            }
            GitError::TimedOut { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "git-timeout", detail),
            GitError::Starved { .. } => Self::conflict("repository-too-large", detail),
            GitError::NoMemory { .. } | GitError::TooMany { .. } => Self::conflict("worktree-too-large", detail),
            GitError::Unreachable { .. }
            | GitError::NotARepository { .. }
            | GitError::TooLarge { .. }
            | GitError::NoRoom => Self::conflict("no-repository", detail),
            GitError::Program(_) | GitError::File { .. } | GitError::Failed { .. } | GitError::Unreadable { .. } => {
                Self::internal_because("git", error)
            }
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let detail = sentence(&error);
        match error {
            VaultError::UnknownKey { .. } | VaultError::Lacking { .. } | VaultError::Broken => {
                Self::conflict("sealed-key", detail).because(error)
            }
            VaultError::File { .. }
            | VaultError::Exposed { .. }
            | VaultError::NotAKey { .. }
            | VaultError::Given { .. }
            | VaultError::Empty => Self::internal_because("vault", error),
        }
    }
}

/// Words with a capital letter and a full stop.
fn sentence(words: &(impl ToString + ?Sized)) -> String {
    let words = words.to_string();
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}
