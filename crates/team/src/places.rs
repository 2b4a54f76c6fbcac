//! Where things are on this node's disk.

use std::path::{Path, PathBuf};

use guildhall_git::{GitError, Login, Source};
use guildhall_llm::Reach;
use guildhall_types::{MemberId, ProjectId, RunId};

use crate::TeamError;

/// Where things are on this node's disk.
#[derive(Debug, Clone)]
pub struct Places {
    /// The canonical bare repositories.
    pub repositories: PathBuf,
    /// The worktrees of runs.
    pub worktrees: PathBuf,
    /// The worktrees of trials of checks.
    pub trials: PathBuf,
    /// What tools keep between runs, by project.
    pub caches: PathBuf,
    /// Folders below which a project may be cloned from a path or a `file://` URL.
    pub allowed_repositories: Vec<PathBuf>,
    /// The data folder: nothing in it is ever cloned.
    data: PathBuf,
    /// The folder in which backups are looked at, if it is another.
    scratch: Option<PathBuf>,
    /// How far into the network the server goes for members' repositories.
    reach: Reach,
}

impl Places {
    /// The places below the data folder.
    pub fn below(data: &Path, allowed_repositories: Vec<PathBuf>) -> Self {
        Self {
            repositories: data.join("repositories"),
            worktrees: data.join("worktrees"),
            trials: data.join("trials"),
            caches: data.join("caches"),
            allowed_repositories,
            data: data.to_owned(),
            scratch: None,
            reach: Reach::Public,
        }
    }

    /// The same, where backups are looked at in a folder of its own, if one is named.
    #[must_use]
    pub fn with_scratch(self, scratch: Option<PathBuf>) -> Self {
        Self { scratch, ..self }
    }

    /// The same, with the server going as far for members' repositories.
    #[must_use]
    pub fn with_reach(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// The folders in which backups are, or were, looked at.
    pub fn scratch(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.data), self.scratch.as_ref()].into_iter().flatten().map(PathBuf::as_path)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The canonical repository of a project.
    pub fn repository(&self, project: ProjectId) -> PathBuf {
        self.repositories.join(format!("{project}.git"))
    }

    /// The folder of a run: the worktree is `tree` in it, the agent's own git folder `git`.
    pub fn run(&self, run: RunId) -> PathBuf {
        self.worktrees.join(run.to_string())
    }

    /// The folder in which a project's checks are tried.
    pub fn trial(&self, project: ProjectId) -> PathBuf {
        self.trials.join(project.to_string())
    }

    /// What tools keep between a project's runs: of everybody's in common, or of one member's.
    pub fn cache(&self, project: ProjectId, of: Option<MemberId>) -> PathBuf {
        let of = of.map_or_else(|| "shared".to_owned(), |member| member.to_string());
        self.caches.join(project.to_string()).join(of)
    }

    /// The folder in which a project's MCP servers are tried.
    pub fn mcp_trial(&self, project: ProjectId) -> PathBuf {
        self.trials.join(format!("mcp-{project}"))
    }

    /// A source as git is to reach it: where its host is now, if a member may have the server call that. Git goes there and is led nowhere
    /// else, so that a name that changes its mind in between gains nothing.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when it may not, or the host is not found.
    pub async fn reached(&self, source: Source) -> Result<Source, TeamError> {
        let out_of_reach = |message: String| TeamError::conflict("out-of-reach", message);
        let Some((host, port)) = source.host() else {
            return match source {
                Source::Folder(_) => Ok(source),
                Source::Remote(_) | Source::At { .. } => Err(out_of_reach("the address names no host".to_owned())),
            };
        };
        let found = match tokio::net::lookup_host((host.as_str(), port)).await {
            Ok(found) => found.map(|address| address.ip()).collect::<Vec<_>>(),
            // What only the settings of ssh know is the operator's word: a name that nobody else could give an address.
            Err(_) if source.is_by_ssh() && !host.contains(['.', ':']) => return Ok(source),
            Err(error) => return Err(out_of_reach(format!("{host} is not found: {error}"))),
        };
        for address in &found {
            // One bad address is enough: a name that points at both is up to something.
            self.reach.admits(*address).map_err(|blocked| out_of_reach(format!("{host}: {blocked}")))?;
        }
        Ok(source.reached_at(found))
    }

    /// Where a project is to be cloned from, if the operator allows it, and what its address says of who is let in there.
    ///
    /// # Errors
    /// When it is no address, or a folder that the operator did not allow.
    pub fn source(&self, url: &str) -> Result<(Source, Option<Login>), TeamError> {
        let (source, login) = Source::parse(url).map_err(|error| match error {
            GitError::BadSource { reason } => TeamError::invalid("source.url", reason),
            other => TeamError::Git(other),
        })?;
        let Source::Folder(path) = &source else { return Ok((source, login)) };
        let refused = || {
            TeamError::invalid(
                "source.url",
                "this folder is not below one that the operator allows (GUILDHALL_ALLOWED_REPO_PATHS), or is not there",
            )
        };
        // Links are followed before the comparison: what counts is where the folder really is.
        let real = path.canonicalize().map_err(|_| refused())?;
        let below = |allowed: &PathBuf| allowed.canonicalize().is_ok_and(|allowed| real.starts_with(allowed));
        let own = self.data.canonicalize().is_ok_and(|data| real.starts_with(data));
        if self.allowed_repositories.iter().any(below) && !own {
            Ok((Source::Folder(real), None))
        } else {
            Err(refused())
        }
    }
}
