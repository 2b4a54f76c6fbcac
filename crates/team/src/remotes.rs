//! Projects' other repositories: said by members, and brought up to date with.

use std::pin::pin;

use chrono::Duration;
use futures::FutureExt;
use futures::future::BoxFuture;
use guildhall_git::{GitError, Login, Oid, Repo, Source};
use guildhall_store::{DueRemote, Looked, NewRemote, RemoteLogin, project_remote_identity};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::knowledge::secrets;
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::remote::{ProjectRemote, PutRemote};
use guildhall_types::{DateTime, ProjectId};
use tokio::sync::watch;

use crate::shared::{How, Wish};
use crate::{Team, TeamError};

/// How often one is looked at that the server follows.
const OFTEN: Duration = Duration::minutes(5);
/// How long a node has one in hand that says no more that it has: it died.
const IN_HAND: Duration = Duration::minutes(2);
/// How often it says so.
const HELD: std::time::Duration = std::time::Duration::from_secs(30);
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

/// What helps whom ssh does not let in.
const BY_KEY: &str = "ssh lets in by the server's own key: add it there.";

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
            GitError::Unreachable { .. } | GitError::NotARepository { .. } if self.source.is_by_ssh() => {
                TeamError::conflict("other-repository", format!("{error}. {BY_KEY}"))
            }
            GitError::Failed { .. } if self.source.is_by_ssh() => {
                TeamError::conflict("other-repository", format!("{error}."))
            }
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
        let before = self.store.project_remote(id).await?;
        let other = before.is_some_and(|before| before.url != url);
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
        if other {
            self.forget_fetched(id).await;
        }
        self.remote(id).await?.ok_or(TeamError::NotFound { what: "remote" })
    }

    /// Forgets where else a project's repository is.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn delete_remote(&self, id: ProjectId) -> Result<(), TeamError> {
        if !self.store.delete_project_remote(id).await? {
            return Err(TeamError::NotFound { what: "remote" });
        }
        self.forget_fetched(id).await;
        Ok(())
    }

    /// What came of a repository that is no longer the project's other one is kept by nothing, and tidied away.
    async fn forget_fetched(&self, id: ProjectId) {
        // One that is still being made holds nothing of it.
        let Ok(repo) = Repo::open(&self.places.repository(id)) else { return };
        if let Err(error) = repo.forget_fetched().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(project = %id, error, "what was fetched from a project's former other repository stays");
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
        let remote = self.note_look(id, &known.url, &looked, self.clock.now() + OFTEN).await?;
        match error {
            Some(error) => Err(error),
            None => remote.ok_or(TeamError::NotFound { what: "remote" }),
        }
    }

    /// Brings one up to date whose turn it is, or to which something is to be pushed; for as long as `stop` does not end, and no
    /// other node has it in hand.
    ///
    /// # Errors
    /// When the store or the repository here fails. That the other one does is noted.
    pub async fn sync_due(&self, due: &DueRemote, stop: impl Future<Output = ()>) -> Result<(), TeamError> {
        let mut stop = pin!(stop);
        let now = self.clock.now();
        if (due.next_at > now && !due.pushes) || due.taken_until.is_some_and(|until| until > now) {
            return Ok(());
        }
        let id = due.project_id;
        let (project, repo) = self.ready_project(id).await?;
        let _turn = tokio::select! {
            turn = self.far.of(due.put_by) => turn,
            () = &mut stop => return Ok(()),
        };
        let now = self.clock.now();
        let tip = repo.branch(&project.default_branch).await?;
        // Since the last try, whatever came of that: what is merged now need not wait until it is tried again by itself.
        let new = due.pushes && tip.as_ref().map(Oid::as_str) != due.seen_commit.as_deref();
        let taken = now + IN_HAND;
        if (due.next_at > now && !new) || !self.store.take_remote(due, taken).await? {
            return Ok(());
        }
        let look = async {
            let how = Which { takes: due.follows, pushes: due.pushes };
            let (looked, error) = self.brought_up(&project, &repo, how).await;
            if let Some(error) = error {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(project = %id, error, "a project is not up to date with its other repository");
            }
            let next = self.next_turn(due, &looked);
            self.note_look(id, &due.url, &looked, next).await.map(drop)
        };
        let hold = |taken: DateTime| {
            let held = async move {
                let until = self.clock.now() + IN_HAND;
                match self.store.hold_remote(id, taken, Some(until)).await {
                    Ok(true) => Some(until),
                    // It has become another one.
                    Ok(false) => None,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(project = %id, error, "that its other repository is in hand could not be noted");
                        Some(taken)
                    }
                }
            };
            held.boxed()
        };
        let (looked, taken) = while_held(HELD, look.boxed(), stop, taken, hold).await;
        self.store.hold_remote(id, taken, None).await?;
        looked.unwrap_or(Ok(()))
    }

    /// Notes what a look found. What came of one that was put out of place meanwhile is forgotten.
    async fn note_look(
        &self,
        id: ProjectId,
        url: &str,
        looked: &Looked,
        next_at: DateTime,
    ) -> Result<Option<ProjectRemote>, TeamError> {
        let noted = self.store.note_remote(id, url, looked, next_at).await?;
        if noted.is_none() {
            self.forget_fetched(id).await;
        }
        Ok(noted)
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
        let branch = &project.default_branch;
        // Of what comes here from now on, this look may know nothing.
        looked.seen = repo.branch(branch).await?.map(|tip| tip.to_string());
        let there = &self.other_repository(project).await?;
        // What a former look, or a push, was cut off from.
        self.look_through(project, repo, None).await;
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
            (0, 0) => {}
            (0, _) if !takes => {}
            (0, _) => {
                // Whoever merges or pushes in between is not undone: the next look finds both to have gone on.
                repo.forward(branch, &ours, &theirs).await?;
                let wish = Wish::branch(branch, Some(&theirs));
                self.shared.give(project.id, repo, &[wish], How { again: true, ..How::default() }).await?;
                (looked.seen, looked.behind) = (Some(theirs.to_string()), Some(0));
                self.came_to(project, repo, &ours).await?;
            }
            (_, 0) => {
                self.push_to(repo, there, &ours, branch, pushes).await?;
                looked.ahead = if pushes { Some(0) } else { looked.ahead };
            }
            (ahead, behind) => {
                return Err(TeamError::conflict(
                    "both-went-on",
                    format!(
                        "{branch} here has {ahead} commits that {} has not, which has {behind} that are not here: bring them together in \
                         a clone of your own, and push the result to both",
                        there.url
                    ),
                ));
            }
        }
        // With the tags of another history, all of that would come.
        match takes {
            true => {
                repo.fetch_tags(&there.source, there.login.as_ref()).await.map_err(|error| there.told(error))?;
                self.shared.give_below(project.id, repo, "refs/tags/").await
            }
            false => Ok(()),
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

/// Works until that is done, `stop` ends or `hold`, which is asked again and again, says that it is not held any more: then nothing
/// comes of it. Returns as well what is held then; no answer of `hold` is cut off.
async fn while_held<'a, T, H: Copy>(
    often: std::time::Duration,
    work: BoxFuture<'a, T>,
    stop: impl Future<Output = ()>,
    mut held: H,
    hold: impl Fn(H) -> BoxFuture<'a, Option<H>>,
) -> (Option<T>, H) {
    let (over, mut is_over) = watch::channel(false);
    let (lost, mut is_lost) = watch::channel(false);
    let work = async {
        let done = tokio::select! {
            done = work => Some(done),
            () = stop => None,
            _ = is_lost.wait_for(|lost| *lost) => None,
        };
        over.send_replace(true);
        done
    };
    let holding = async {
        loop {
            tokio::select! {
                _ = is_over.wait_for(|over| *over) => return held,
                () = tokio::time::sleep(often) => {}
            }
            match hold(held).await {
                Some(next) => held = next,
                None => {
                    lost.send_replace(true);
                    return held;
                }
            }
        }
    };
    tokio::join!(work, holding)
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
        Ok((Source::Remote(url) | Source::At { address: url, .. }, login)) => {
            holds_no_secret("url", &url)?;
            Ok((url, login))
        }
        Ok((Source::Folder(_), _)) => {
            Err(TeamError::invalid("url", "give an address in the network: https://…, ssh://… or git@host:path"))
        }
        Err(GitError::BadSource { reason }) => Err(TeamError::invalid("url", reason)),
        Err(error) => Err(error.into()),
    }
}

/// Refuses an address, which everybody sees, in which what looks like a secret is left.
pub(crate) fn holds_no_secret(field: &'static str, address: &str) -> Result<(), TeamError> {
    match secrets::find(address) {
        Some(suspect) => Err(TeamError::LooksLikeSecret { field, line: suspect.line, what: suspect.what }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn what_is_worked_at_is_held_until_it_is_done_or_stopped_or_lost() {
        let often = std::time::Duration::from_millis(2);
        let slow = || tokio::time::sleep(50 * often).boxed();
        let hold = |held: u32| async move { Some(held + 1) }.boxed();
        let (done, held) = while_held(often, slow(), pending(), 0, hold).await;
        assert!(done.is_some() && held > 1, "{held}");
        assert_eq!(while_held(often, pending::<()>().boxed(), slow(), 0, hold).await.0, None);
        let lost = |_| async { None }.boxed();
        assert_eq!(while_held(often, pending::<()>().boxed(), pending(), 7, lost).await, (None, 7));
        // Its last answer is waited for.
        let late = |held: u32| tokio::time::sleep(100 * often).map(move |()| Some(held + 1)).boxed();
        assert_eq!(while_held(often, slow(), pending(), 0, late).await, (Some(()), 1));
    }

    #[test]
    fn whom_ssh_does_not_let_in_is_told_of_the_servers_key() {
        let told = |url: &str, error: GitError| {
            let (url, login) = parsed(url).unwrap();
            There { source: Source::parse(&url).unwrap().0, url, login }.told(error).to_string()
        };
        let refused = || GitError::Unreachable { at: "there".to_owned(), message: "no".to_owned() };
        for url in ["git@a.example:team/r.git", "ssh://git@a.example/team/r.git"] {
            assert_eq!(told(url, refused()), format!("there cannot be reached: no. {BY_KEY}"));
            let failed = GitError::Failed { command: "push".to_owned(), message: "main is protected".to_owned() };
            assert!(!told(url, failed).contains("ssh lets in"));
        }
        assert!(told("https://a.example/r", refused()).contains("a name and a token before the host"));
        assert_eq!(told("https://anna:token@a.example/r", refused()), "there cannot be reached: no.");
    }

    #[test]
    fn what_looks_like_a_secret_stands_in_no_address() {
        const TOKEN: &str = "ghp_x7Kq9LmZ2vTr4WbN8cYd1Fh5Js3Pg6Ra0Ue";
        for url in [
            format!("{TOKEN}@a.example:team/r.git"),
            format!("ssh://{TOKEN}@a.example/r"),
            format!("https://a.example/r/{TOKEN}"),
        ] {
            let refused = parsed(&url).err().unwrap();
            assert!(matches!(refused, TeamError::LooksLikeSecret { field: "url", .. }), "{refused}");
            assert!(!refused.to_string().contains(TOKEN));
        }
        assert_eq!(parsed(&format!("https://anna:{TOKEN}@a.example/r")).unwrap().0, "https://a.example/r");
    }
}
