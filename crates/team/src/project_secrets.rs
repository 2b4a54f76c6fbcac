//! Secrets of projects: put in place, deleted, opened for the project's commands, and blotted out of everything that is shown.
//! A secret comes in and goes to commands alone.

use std::borrow::Cow;
use std::collections::BTreeSet;

use guildhall_git::{Diff, Oid, Repo};
use guildhall_store::{NewProjectSecret, PutSecret, project_secret_identity};
use guildhall_types::ProjectId;
use guildhall_types::blot::Blot;
use guildhall_types::secret::{self, ProjectSecret, SecretUse};
use zeroize::Zeroizing;

use crate::{By, Team, TeamError};

/// Characters that are shown of a secret, and how many it has at least before any are.
const HINT: usize = 4;
const HINTED: usize = 20;
/// What stands in the way of work that holds a secret.
const IN_WORK: &str = "secret-in-work";

/// A secret of a project, opened.
pub struct OpenSecret {
    /// The environment variable in which commands find it.
    pub name: String,
    /// The secret.
    pub value: Zeroizing<String>,
    /// Which commands it is given to.
    pub uses: Vec<SecretUse>,
}

impl std::fmt::Debug for OpenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSecret").field("name", &self.name).field("uses", &self.uses).finish_non_exhaustive()
    }
}

/// The last characters of a secret that is long enough for that.
fn hint(value: &str) -> String {
    let value = value.trim();
    let length = value.chars().count();
    if length < HINTED { String::new() } else { value.chars().skip(length - HINT).collect() }
}

impl Team {
    /// Seals a secret of a project and puts it in place of the former one of its name. It goes to all kinds of commands unless
    /// `uses` says otherwise.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a name or a value that cannot be one; [`TeamError::NotYours`] where another member's is in its
    /// place, unless this one administers the team; [`TeamError::NotFound`] when the project is gone.
    pub async fn put_project_secret(
        &self,
        by: By<'_>,
        project: ProjectId,
        name: &str,
        value: &str,
        uses: Option<Vec<SecretUse>>,
    ) -> Result<ProjectSecret, TeamError> {
        if let Some(fault) = secret::name_fault(name) {
            return Err(TeamError::invalid("name", fault));
        }
        if let Some(fault) = secret::value_fault(value) {
            return Err(TeamError::invalid("value", fault));
        }
        let uses: BTreeSet<SecretUse> = match uses {
            Some(uses) if uses.is_empty() => {
                return Err(TeamError::invalid("uses", "choose at least one kind of commands that it is given to"));
            }
            Some(uses) => uses.into_iter().collect(),
            None => SecretUse::usual().collect(),
        };
        let uses: Vec<SecretUse> = uses.into_iter().collect();
        let identity = project_secret_identity(project, name);
        let put = self.sealing(&identity, value.as_bytes(), |secret| {
            let new = NewProjectSecret {
                project_id: project,
                name: name.to_owned(),
                secret,
                hint: hint(value),
                uses: uses.clone(),
                put_by: by.member.id,
                over_others: by.administers,
                most: secret::MOST as i64,
                most_bytes: secret::TOGETHER as i64,
            };
            let store = self.store.clone();
            async move { store.put_project_secret(&new).await }
        });
        match put.await? {
            PutSecret::Done(saved) => Ok(saved),
            PutSecret::Others => Err(others()),
            PutSecret::TooMany => {
                let message = format!("a project has at most {} secrets; delete one that is not needed", secret::MOST);
                Err(TeamError::conflict("too-many-secrets", message))
            }
            PutSecret::TooLarge { others } => {
                let message = format!(
                    "all secrets of a project together have at most {} bytes, and the others have {others} already; give a shorter \
                     one, or delete one that is not needed",
                    secret::TOGETHER
                );
                Err(TeamError::conflict("secrets-too-large", message))
            }
        }
    }

    /// Deletes a secret of a project.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::NotYours`] where another member put it in place, unless this one administers the
    /// team.
    pub async fn delete_project_secret(&self, by: By<'_>, project: ProjectId, name: &str) -> Result<(), TeamError> {
        let own = (!by.administers).then_some(by.member.id);
        if self.store.delete_project_secret(project, name, own).await? {
            return Ok(());
        }
        let there = self.store.project_secrets(project).await?.iter().any(|secret| secret.name == name);
        Err(if there { others() } else { TeamError::NotFound { what: "secret" } })
    }

    /// A project's secrets, for its commands.
    ///
    /// # Errors
    /// When the store fails, or one does not open.
    pub async fn open_project_secrets(&self, project: ProjectId) -> Result<Vec<OpenSecret>, TeamError> {
        let mut all = Vec::new();
        for kept in self.store.sealed_project_secrets(project).await? {
            let bytes = self.vault.open(&project_secret_identity(project, &kept.name), &kept.secret)?;
            let value = std::str::from_utf8(&bytes).map_err(|_| crate::vault::VaultError::Broken)?;
            all.push(OpenSecret { value: Zeroizing::new(value.to_owned()), name: kept.name, uses: kept.uses });
        }
        Ok(all)
    }

    /// Blots a project's secrets out.
    ///
    /// # Errors
    /// When the store fails, or a secret does not open: what cannot be blotted out is not shown.
    pub async fn blot_of(&self, project: ProjectId) -> Result<Blot, TeamError> {
        let secrets = self.open_project_secrets(project).await?;
        Ok(Blot::new(secrets.iter().map(|secret| (secret.name.as_str(), secret.value.as_str()))))
    }

    /// Refuses work in which the value of one of its project's secrets stands: once merged, everybody who has the repository
    /// would have it.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `secret-in-work`; when git or the store fails.
    pub async fn must_hold_no_secret(
        &self,
        project: ProjectId,
        repo: &Repo,
        base: &Oid,
        head: &Oid,
    ) -> Result<(), TeamError> {
        let blot = self.blot_of(project).await?;
        match added_secrets(&blot, repo, base, head).await? {
            Added::None => Ok(()),
            Added::Secrets(names) => Err(TeamError::conflict(
                IN_WORK,
                format!(
                    "the work holds the value of {}; have the agent take it out, and exchange the secret if the work left this server",
                    listed(&names)
                ),
            )),
            Added::TooMuch => Err(TeamError::conflict(
                IN_WORK,
                "the work changes more than can be looked through for the project's secrets; have the agent leave large files out",
            )),
        }
    }
}

/// What stands in what a change adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// No secret.
    None,
    /// The values of these.
    Secrets(Vec<String>),
    /// It is too large to be looked through.
    TooMuch,
}

/// Looks for secrets in what a change adds: the lines of files, whatever their kind, and their names.
///
/// # Errors
/// When git fails.
pub async fn added_secrets(blot: &Blot, repo: &Repo, base: &Oid, head: &Oid) -> Result<Added, TeamError> {
    if blot.is_empty() || base == head {
        return Ok(Added::None);
    }
    let Some(added) = repo.added(base, head).await? else { return Ok(Added::TooMuch) };
    let names: Vec<String> = blot.found_in(&added).into_iter().map(str::to_owned).collect();
    Ok(if names.is_empty() { Added::None } else { Added::Secrets(names) })
}

/// Names of secrets in a sentence.
pub fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("the secret {name}")).collect();
    names.join(" and of ")
}

fn others() -> TeamError {
    TeamError::not_yours("another member put this secret in place; ask them or an admin to change it")
}

/// A diff without secrets.
pub(crate) fn blotted(mut diff: Diff, blot: &Blot) -> Diff {
    if blot.is_empty() {
        return diff;
    }
    let change = |text: &mut String| {
        if let Cow::Owned(blotted) = blot.text(text) {
            *text = blotted;
        }
    };
    for file in &mut diff.files {
        change(&mut file.old_path);
        change(&mut file.new_path);
        for hunk in &mut file.hunks {
            change(&mut hunk.header);
            hunk.lines.iter_mut().for_each(|line| change(&mut line.text));
        }
    }
    diff
}
