//! Projects' other repositories: said by members, and brought up to date with.

use chrono::Duration;
use guildhall_git::{GitError, Login, Oid, Repo, Source};
use guildhall_store::{DueRemote, Looked, NewRemote, RemoteLogin, project_remote_identity};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::remote::{ProjectRemote, PutRemote};
use guildhall_types::{DateTime, ProjectId};

use crate::{Team, TeamError};

/// How often one is looked at that the server follows.
const OFTEN: Duration = Duration::minutes(5);
/// How long a node has one in hand at most.
const IN_HAND: Duration = Duration::minutes(35);
/// How long after so many failures in a row it is tried again: the last of them from then on.
const AGAIN: [Duration; 4] = [Duration::minutes(1), Duration::minutes(5), Duration::minutes(15), Duration::minutes(60)];
/// Characters of an address at most.
const ADDRESS: usize = 2_000;

/// Exchanges with other repositories that a node has at once. More wait, and one place is never the same member's as all others.
pub(crate) const EXCHANGES: usize = 6;

/// Which way something goes.
#[derive(Debug, Clone, Copy)]
struct Which {
    /// From there.
    takes: bool,
    /// To there.
    pushes: bool,
}

/// A project's other repository, as git reaches it.
pub(crate) struct There {
    pub(crate) url: String,
    pub(crate) source: Source,
    pub(crate) login: Option<Login>,
}

impl There {
    /// What a member is told of it.
    pub(crate) fn told(&self, error: GitError) -> TeamError {
        match error {
            GitError::Unreachable { .. } | GitError::NotARepository { .. } | GitError::Failed { .. } => {
                let login = match self.login {
                    Some(_) => "",
                    None => " If it lets in nobody unknown, put a name and a token before the host of its address.",
                };
                TeamError::conflict("other-repository", format!("{error}.{login}"))
            }
            other => other.into(),
        }
    }
}

impl Team {
    /// Where else a project's repository is.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; when the store fails.
    pub async fn remote(&self, id: ProjectId) -> Result<Option<ProjectRemote>, TeamError> {
        self.store.project(id).await?.ok_or(TeamError::NotFound { what: "project" })?;
        Ok(self.store.project_remote(id).await?)
    }

    /// Says where else a project's repository is. What lets in there is sealed; of an address that stays, so does what was given before.
    ///
    /// # Errors
    /// [`TeamError::Invalid`]; [`TeamError::NotFound`].
    pub async fn put_remote(&self, member: &Member, id: ProjectId, put: PutRemote) -> Result<ProjectRemote, TeamError> {
        let (url, login) = parsed(&put.url)?;
        let new = NewRemote { project: id, url, follows: put.follows, pushes: put.pushes, by: member.id };
        match login {
            Some(login) => {
                let identity = project_remote_identity(id);
                // With the address for which it is.
                let text = format!("{}\n{}", new.url, login.as_str());
                self.sealing(&identity, text.as_bytes(), |sealed| {
                    let (store, new) = (self.store.clone(), new.clone());
                    async move { store.put_project_remote(new, RemoteLogin::Sealed(sealed)).await }
                })
                .await?;
            }
            None => {
                self.store.put_project_remote(new, RemoteLogin::Kept).await?;
            }
        }
        self.remote(id).await?.ok_or(TeamError::NotFound { what: "remote" })
    }

    /// Forgets where else a project's repository is.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn delete_remote(&self, id: ProjectId) -> Result<(), TeamError> {
        match self.store.delete_project_remote(id).await? {
            true => Ok(()),
            false => Err(TeamError::NotFound { what: "remote" }),
        }
    }

    /// Brings a project's default branch up to date with its other repository, as a member asks: what is only there comes here, and what
    /// is only here goes there if the server is to push there. Where each has something that the other has not, neither is touched.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when there is none, it cannot be reached, or both have gone on.
    pub async fn sync_remote(&self, by: &Member, id: ProjectId) -> Result<ProjectRemote, TeamError> {
        let (project, repo) = self.ready_project(id).await?;
        let known = self.store.project_remote(id).await?.ok_or_else(no_other)?;
        self.store.audit(Note::new(AuditAction::SyncRemote).on(AuditObject::Project, id)).await?;
        let _turn = self.far.of(by.id).await;
        let (looked, error) = self.brought_up(&project, &repo, Which { takes: true, pushes: known.pushes }).await;
        let remote = self.store.note_remote(id, &known.url, &looked, self.clock.now() + OFTEN).await?;
        match error {
            Some(error) => Err(error),
            None => remote.ok_or(TeamError::NotFound { what: "remote" }),
        }
    }

    /// Brings those up to date whose turn it is, or from which something is to be pushed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sync_remotes(&self) -> Result<(), TeamError> {
        // None that takes long holds up those of others.
        let looks = self.store.remotes_by_themselves().await?.into_iter().map(|due| async move {
            if let Err(error) = self.sync_due(&due).await {
                tracing::warn!(project = %due.project_id, error = &error as &dyn std::error::Error, "a project's other repository could not be looked at");
            }
        });
        futures::future::join_all(looks).await;
        Ok(())
    }

    async fn sync_due(&self, due: &DueRemote) -> Result<(), TeamError> {
        let id = due.project_id;
        let (project, repo) = self.ready_project(id).await?;
        let _turn = self.far.of(due.put_by).await;
        let now = self.clock.now();
        let tip = repo.branch(&project.default_branch).await?;
        let moved = tip.as_ref().map(Oid::as_str) != due.seen_commit.as_deref();
        // One that a node has in hand is due later than that.
        let new = due.pushes && due.fails == 0 && moved && due.next_at <= now + OFTEN;
        if (due.next_at > now && !new) || !self.store.take_remote(due, now + IN_HAND).await? {
            return Ok(());
        }
        let how = Which { takes: due.follows, pushes: due.pushes };
        let (looked, error) = self.brought_up(&project, &repo, how).await;
        if let Some(error) = error {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(project = %id, error, "a project is not up to date with its other repository");
        }
        let next = self.next_turn(due, &looked);
        self.store.note_remote(id, &due.url, &looked, next).await?;
        Ok(())
    }

    fn next_turn(&self, due: &DueRemote, looked: &Looked) -> DateTime {
        let after = match looked.error {
            None => OFTEN,
            Some(_) => {
                let last = AGAIN.len() - 1;
                AGAIN[usize::try_from(due.fails).unwrap_or(last).min(last)]
            }
        };
        self.clock.now() + after
    }

    async fn brought_up(&self, project: &Project, repo: &Repo, how: Which) -> (Looked, Option<TeamError>) {
        let mut looked = Looked::default();
        let error = self.bring_up_to(project, repo, how, &mut looked).await.err();
        looked.error = error.as_ref().map(ToString::to_string);
        (looked, error)
    }

    async fn bring_up_to(
        &self,
        project: &Project,
        repo: &Repo,
        Which { takes, pushes }: Which,
        looked: &mut Looked,
    ) -> Result<(), TeamError> {
        let there = &self.other_repository(project).await?;
        // What a former look, or a push, was cut off from.
        self.look_through(project, repo, None).await;
        let branch = &project.default_branch;
        let theirs =
            repo.fetch_branch(&there.source, there.login.as_ref(), branch).await.map_err(|it| there.told(it))?;
        let ours = repo.branch(branch).await?.ok_or(TeamError::NotFound { what: "branch" })?;
        looked.seen = Some(ours.to_string());
        let Some(theirs) = theirs else {
            // A new one, in which nothing is yet.
            return self.push_to(repo, there, &ours, branch, pushes).await;
        };
        let apart = repo.apart(&ours, &theirs).await?;
        (looked.ahead, looked.behind) = (apart.ahead.try_into().ok(), apart.behind.try_into().ok());
        match (apart.ahead, apart.behind) {
            (0, 0) => Ok(()),
            (0, _) if !takes => Ok(()),
            (0, _) => {
                // Whoever merges or pushes in between is not undone: the next look finds both to have gone on.
                repo.forward(branch, &ours, &theirs).await?;
                (looked.seen, looked.behind) = (Some(theirs.to_string()), Some(0));
                self.came_to(project, repo, &ours).await
            }
            (_, 0) => {
                self.push_to(repo, there, &ours, branch, pushes).await?;
                looked.ahead = if pushes { Some(0) } else { looked.ahead };
                Ok(())
            }
            (ahead, behind) => Err(TeamError::conflict(
                "both-went-on",
                format!(
                    "{branch} here has {ahead} commits that {} has not, which has {behind} that are not here: bring them together in a \
                     clone of your own, and push the result to both",
                    there.url
                ),
            )),
        }
    }

    async fn push_to(
        &self,
        repo: &Repo,
        there: &There,
        commit: &Oid,
        branch: &str,
        pushes: bool,
    ) -> Result<(), TeamError> {
        if !pushes {
            return Ok(());
        }
        let pushed = repo.push_commit(&there.source, there.login.as_ref(), commit, branch).await;
        pushed.map_err(|error| match error {
            GitError::Moved { .. } => TeamError::conflict(
                "both-went-on",
                format!("something came to {branch} of {} in between; it is looked at again", there.url),
            ),
            other => there.told(other),
        })
    }

    /// Something came to a project's default branch from elsewhere: everybody is told, and cards whose work it is are completed.
    ///
    /// # Errors
    /// When the store or git fails.
    pub(crate) async fn came_to(&self, project: &Project, repo: &Repo, from: &Oid) -> Result<(), TeamError> {
        self.store.project_pushed(project.id).await?;
        self.look_through(project, repo, Some(from)).await;
        Ok(())
    }

    /// Completes cards whose work came to the default branch from elsewhere. That this fails undoes nothing, and the next look makes it
    /// good.
    async fn look_through(&self, project: &Project, repo: &Repo, from: Option<&Oid>) {
        let project_id = project.id;
        match self.complete_merged(project, repo, from).await {
            Ok(completed) if completed.is_empty() => {}
            Ok(completed) => {
                tracing::info!(project = %project_id, ?completed, "cards whose work was merged elsewhere are completed");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(project = %project_id, error, "whether cards were merged elsewhere is looked at again");
            }
        }
    }

    pub(crate) async fn other_repository(&self, project: &Project) -> Result<There, TeamError> {
        let remote = self.store.project_remote(project.id).await?.ok_or_else(no_other)?;
        let (source, _) = Source::parse(&remote.url)?;
        let source = self.places.reached(source).await?;
        let identity = project_remote_identity(project.id);
        let login = match self.store.secret(&identity).await?.filter(|_| remote.has_login) {
            Some(sealed) => {
                let text = self.vault.open(&identity, &sealed)?;
                let text = std::str::from_utf8(&text).map_err(|_| crate::vault::VaultError::Broken)?;
                // What lets in at another address, put in place meanwhile, is not for this one.
                let login =
                    text.split_once('\n').filter(|(url, _)| *url == remote.url).map(|(_, login)| Login::new(login));
                login.transpose()?
            }
            None => None,
        };
        Ok(There { url: remote.url, source, login })
    }
}

fn no_other() -> TeamError {
    TeamError::conflict("no-other-repository", "this project has no other repository; say in its settings where one is")
}

/// An address in the network, and what it says of who is let in there.
fn parsed(url: &str) -> Result<(String, Option<Login>), TeamError> {
    let url = url.trim();
    if url.len() > ADDRESS {
        return Err(TeamError::invalid("url", "this is longer than any address"));
    }
    match Source::parse(url) {
        Ok((Source::Remote(url) | Source::At { address: url, .. }, login)) => Ok((url, login)),
        Ok((Source::Folder(_), _)) => {
            Err(TeamError::invalid("url", "give an address in the network: https://…, ssh://… or git@host:path"))
        }
        Err(GitError::BadSource { reason }) => Err(TeamError::invalid("url", reason)),
        Err(error) => Err(error.into()),
    }
}
