//! Another repository of the same project, such as the one at the team's forge: what stands there is looked at, and what was done here
//! is put there.

use std::time::{Duration, SystemTime};

use crate::clone::{Bounds, explain};
use crate::pack::clear_cut_off;
use crate::program::{Git, Output};
use crate::repo::check_branch;
use crate::worktree::blocking;
use crate::{GitError, Identity, Login, Oid, Repo, Source, Work};

/// How long one exchange may take.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How long a git that was ended may take to be gone.
const GONE: Duration = Duration::from_secs(2);

/// What holds of every exchange with it: it is let go of when it says nothing for two minutes, and objects are looked at before they
/// are taken.
const SETTINGS: &[&str] = &[
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=120",
    "fetch.fsckObjects=true",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.missingNameBeforeEmail=ignore",
    "fetch.writeCommitGraph=false",
    "push.followTags=false",
    "push.gpgSign=false",
];

/// Where branches of another repository stand that were fetched from there.
const FETCHED: &str = "refs/guildhall/remote";

/// Up to where the default branch was looked through for work that came from elsewhere.
const LOOKED_THROUGH: &str = "refs/guildhall/looked-through";

/// By how many commits two histories differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// Commits that only the first has.
    pub ahead: u64,
    /// Commits that only the other has.
    pub behind: u64,
}

impl Repo {
    /// Fetches a branch from another repository, and says where it stands there; nothing when there is no such branch. No branch
    /// of this repository is changed.
    ///
    /// # Errors
    /// [`GitError::NotARepository`], [`GitError::Unreachable`], [`GitError::TooLarge`], [`GitError::NoRoom`], or when git fails.
    pub async fn fetch_branch(
        &self,
        from: &Source,
        login: Option<&Login>,
        branch: &str,
    ) -> Result<Option<Oid>, GitError> {
        self.fetch_branch_within(Bounds::default(), from, login, branch).await
    }

    /// The same within other bounds.
    ///
    /// # Errors
    /// As for [`Repo::fetch_branch`].
    pub async fn fetch_branch_within(
        &self,
        bounds: Bounds,
        from: &Source,
        login: Option<&Login>,
        branch: &str,
    ) -> Result<Option<Oid>, GitError> {
        check_branch(branch)?;
        let here = format!("{FETCHED}/{branch}");
        let output = match self.fetch(bounds, from, login, &format!("+refs/heads/{branch}:{here}")).await {
            Err(error @ GitError::TooLarge { .. }) => {
                self.forget_fetched().await?;
                return Err(error);
            }
            output => output?,
        };
        match output.code {
            Some(0) => self.resolve(&here).await,
            _ if output.stderr.contains("couldn't find remote ref") => Ok(None),
            _ => Err(explain(from, &output.stderr).unwrap_or_else(|| output.failed("fetch"))),
        }
    }

    /// Fetches the tags of another repository that are not here. One that is here already stays where it is.
    ///
    /// # Errors
    /// As for [`Repo::fetch_branch`].
    pub async fn fetch_tags(&self, from: &Source, login: Option<&Login>) -> Result<(), GitError> {
        let output = self.fetch(Bounds::default(), from, login, "refs/tags/*:refs/tags/*").await?;
        match output.code {
            Some(0) => Ok(()),
            // Each was fetched or refused by itself, and a quiet git has no words for one that it refused.
            Some(1) if output.stderr.trim().is_empty() => Ok(()),
            _ => Err(explain(from, &output.stderr).unwrap_or_else(|| output.failed("fetch"))),
        }
    }

    /// Forgets where branches stood in another repository, so that what came of it alone is tidied away.
    ///
    /// # Errors
    /// When git fails.
    pub async fn forget_fetched(&self) -> Result<(), GitError> {
        let listed = self.git("for-each-ref").args(["--format=%(refname)", FETCHED]).run().await?;
        for name in String::from_utf8_lossy(&listed).lines() {
            self.git("update-ref").args(["--no-deref", "-d", name]).run().await?;
        }
        Ok(())
    }

    /// Fetches these refs, while what comes keeps to the bounds of a clone.
    async fn fetch(
        &self,
        bounds: Bounds,
        from: &Source,
        login: Option<&Login>,
        refs: &str,
    ) -> Result<Output, GitError> {
        let git = self.there("fetch", from, login)?;
        let git = git.args([
            "--quiet",
            "--no-write-fetch-head",
            "--no-tags",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--",
        ]);
        // Where all is that is large. Of a small one nothing comes there, however long it takes.
        let packs = self.objects().join("pack");
        let hold = async |bounds: Bounds| {
            let packs = packs.clone();
            blocking(move || bounds.hold(&packs)).await
        };
        let before = hold(Bounds { bytes: u64::MAX, ..bounds }).await?;
        let with = Bounds { bytes: before.saturating_add(bounds.bytes), silence: Duration::MAX, ..bounds };
        let begun = SystemTime::now();
        let output = tokio::select! {
            output = git.arg(from.argument()).arg(refs).output() => output,
            error = with.outgrown(&packs, from) => Err(error),
        };
        if matches!(output, Err(GitError::NoRoom | GitError::TooLarge { .. } | GitError::TimedOut { .. })) {
            // It was ended with the wait for it, a moment ago.
            let objects = self.objects();
            tokio::time::sleep(GONE).await;
            blocking(move || {
                clear_cut_off(&objects, begun);
                Ok(())
            })
            .await?;
        }
        let kept = match output {
            // What came quickly, nobody has looked at.
            Ok(output) if output.code == Some(0) => hold(with).await.map(|_| output),
            other => other,
        };
        kept.map_err(|error| match error {
            GitError::TooLarge { .. } => GitError::TooLarge { bytes: bounds.bytes },
            other => other,
        })
    }

    /// Puts a commit on a branch of another repository, which only goes forward.
    ///
    /// # Errors
    /// [`GitError::Moved`] when there is something on it that the commit does not hold; [`GitError::NotARepository`],
    /// [`GitError::Unreachable`]; when git fails, or the other side refuses.
    pub async fn push_commit(
        &self,
        to: &Source,
        login: Option<&Login>,
        commit: &Oid,
        branch: &str,
    ) -> Result<(), GitError> {
        check_branch(branch)?;
        let git = self.there("push", to, login)?;
        let git = git.args(["--quiet", "--porcelain", "--no-verify", "--no-recurse-submodules", "--"]);
        let output = git.arg(to.argument()).arg(format!("{commit}:refs/heads/{branch}")).output().await?;
        if output.code == Some(0) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let refused = said.lines().find(|line| line.starts_with('!')).unwrap_or_default();
        if refused.contains("[rejected]") {
            return Err(GitError::Moved { name: branch.to_owned() });
        }
        if let Some((_, why)) = refused.split_once("[remote rejected] ") {
            let message = format!("the other side refused {branch}: {}", why.trim_matches(['(', ')']));
            return Err(GitError::Failed { command: "push".to_owned(), message });
        }
        Err(explain(to, &output.stderr).unwrap_or_else(|| output.failed("push")))
    }

    /// By how many commits two histories differ.
    ///
    /// # Errors
    /// When git fails.
    pub async fn apart(&self, one: &Oid, other: &Oid) -> Result<Apart, GitError> {
        let range = format!("{one}...{other}");
        let line = self.git("rev-list").args(["--left-right", "--count", &range, "--"]).line().await?;
        let counts =
            line.split_once('\t').and_then(|(ahead, behind)| Some((ahead.parse().ok()?, behind.parse().ok()?)));
        let (ahead, behind) = counts.ok_or(GitError::Unreadable { command: "rev-list" })?;
        Ok(Apart { ahead, behind })
    }

    /// Up to which commit of a branch it was looked for work that came from elsewhere, if it ever was.
    ///
    /// # Errors
    /// When git fails.
    pub async fn looked_through(&self) -> Result<Option<Oid>, GitError> {
        self.resolve(LOOKED_THROUGH).await
    }

    /// Notes that.
    ///
    /// # Errors
    /// [`GitError::Moved`] when somebody else did, or when git fails.
    pub async fn note_looked_through(&self, from: Option<&Oid>, to: &Oid) -> Result<(), GitError> {
        self.update_ref(LOOKED_THROUGH, to, from).await
    }

    /// What was made up so of a run's work last, if anything was.
    ///
    /// # Errors
    /// When git fails.
    pub async fn last_made_up(&self, run: &str) -> Result<Option<Oid>, GitError> {
        self.resolve(&made_up_ref(run)?).await
    }

    /// Brings a branch forward from one commit to a later one.
    ///
    /// # Errors
    /// [`GitError::Moved`] when it does not stand there any more, or when git fails.
    pub async fn forward(&self, branch: &str, from: &Oid, to: &Oid) -> Result<(), GitError> {
        check_branch(branch)?;
        self.update_ref(&format!("refs/heads/{branch}"), to, Some(from)).await
    }

    /// The work of a run as commits for others to look at: one for all of it, and another one on top of it for what came to it since it
    /// was made up so last. Returns the latest. They stand on what `branch` holds and on nothing else: what the work is built on and
    /// is not on it, such as the states between the turns of another card's agent, does not come along.
    ///
    /// # Errors
    /// [`GitError::Apart`] when the work does not go onto the branch by itself, [`GitError::Moved`] when somebody does the same, or when
    /// git fails.
    pub async fn made_up(
        &self,
        run: &str,
        (work, branch): (&Work, &str),
        message: &str,
        again: &str,
        author: &Identity,
    ) -> Result<Oid, GitError> {
        let name = made_up_ref(run)?;
        let tree_of = async |commit: &Oid| self.git("rev-parse").args([&format!("{commit}^{{tree}}")]).line().await;
        let missing = || GitError::Missing { what: "branch", name: branch.to_owned() };
        let tip = self.branch(branch).await?.ok_or_else(missing)?;
        let (foot, tree) = if self.is_ancestor(&work.base, &tip).await? {
            (work.base.clone(), tree_of(&work.head).await?)
        } else {
            let tried = self.try_merge(work, &tip).await?;
            if !tried.clean {
                return Err(GitError::Apart { branch: branch.to_owned() });
            }
            (tip, tried.tree)
        };
        let before = self.resolve(&name).await?;
        let commit = match &before {
            None => self.commit_tree(&tree, &[&foot], message, author).await?,
            Some(before) => {
                let holds_foot = self.is_ancestor(&foot, before).await?;
                if holds_foot && tree_of(before).await? == tree {
                    return Ok(before.clone());
                }
                let parents: Vec<&Oid> = std::iter::once(before).chain((!holds_foot).then_some(&foot)).collect();
                self.commit_tree(&tree, &parents, again, author).await?
            }
        };
        self.update_ref(&name, &commit, before.as_ref()).await?;
        Ok(commit)
    }

    fn there(&self, call: &str, source: &Source, login: Option<&Login>) -> Result<Git, GitError> {
        let git = SETTINGS.iter().fold(self.git(call).of_all().limit(LONGEST), |git, setting| git.config(setting));
        match source {
            Source::Remote(_) | Source::At { .. } => Ok(source.reached_by(git, login)),
            Source::Folder(_) => Err(GitError::BadSource {
                reason: "give an address in the network (https://…, ssh://…)".to_owned(),
            }),
        }
    }
}

/// The hidden ref of what was made up of a run's work.
pub(crate) fn made_up_ref(run: &str) -> Result<String, GitError> {
    Ok(crate::repo::snapshot_ref(run)?.replace("/runs/", "/made-up/"))
}
