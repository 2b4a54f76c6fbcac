//! What it takes to have the same in several clones of a repository: which refs are shared, and how they are moved together.

use std::collections::BTreeMap;
use std::path::Path;

use crate::repo::Half;
use crate::{GitError, Oid, Repo, Standing};

/// What is one clone's own: where branches stood in another repository when they were fetched from there.
const OWN: &str = "refs/guildhall/remote/";
/// Where what only one clone had is kept, when another state of the same ref held.
pub const BESIDE: &str = "refs/guildhall/beside/";

/// A ref that is to name something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its whole name.
    pub name: String,
    /// What it names now; nothing: it is not there.
    pub old: Option<Oid>,
    /// What it is to name; nothing: it is to go.
    pub new: Option<Oid>,
}

/// A repository that is being made out of what others have. Nothing is at its place before all of it is.
#[derive(Debug)]
pub struct Unfinished {
    half: Half,
    repo: Repo,
}

impl Unfinished {
    /// Begins one, which is to be at `path`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn begin(path: &Path, standing: &Standing) -> Result<Self, GitError> {
        let half = Half::beside(path)?;
        let repo = Repo::empty(&half.path(), standing).await?;
        Ok(Self { half, repo })
    }

    /// What there is of it.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// When something else is there.
    pub fn finish(self, path: &Path) -> Result<Repo, GitError> {
        self.half.finish(path)
    }
}

/// Whether a ref is one of those that all clones have.
pub fn is_shared(name: &str) -> bool {
    let kind = ["refs/heads/", "refs/tags/", "refs/guildhall/"].iter().any(|folder| name.starts_with(folder));
    kind && !name.starts_with(OWN)
}

impl Repo {
    /// The refs that all clones of this repository have, with what they name here.
    ///
    /// # Errors
    /// When git fails.
    pub async fn shared_refs(&self) -> Result<BTreeMap<String, Oid>, GitError> {
        let listed = self.git("for-each-ref").args(["--format=%(objectname) %(refname)"]).run().await?;
        let mut refs = BTreeMap::new();
        for line in String::from_utf8_lossy(&listed).lines() {
            let (id, name) = line.split_once(' ').ok_or(GitError::Unreadable { command: "for-each-ref" })?;
            if is_shared(name) {
                refs.insert(name.to_owned(), Oid::parse(id)?);
            }
        }
        Ok(refs)
    }

    /// Moves refs, all or none. What goes goes first, so that another one may take the place of its name.
    ///
    /// # Errors
    /// [`GitError::Moved`] when one of them does not stand where it was thought to, or git fails.
    pub async fn move_refs(&self, steps: &[Step]) -> Result<(), GitError> {
        let (going, moving): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.new.is_none());
        for some in [going, moving] {
            let mut lines = String::new();
            for step in some {
                if !is_shared(&step.name) || step.name.contains(['\0', '\n', ' ']) {
                    return Err(GitError::BadName { what: "ref", name: step.name.clone() });
                }
                let name = &step.name;
                match (&step.old, &step.new) {
                    (_, None) if step.old.is_none() => {}
                    (Some(old), None) => lines.push_str(&format!("delete {name} {old}\n")),
                    (Some(old), Some(new)) => lines.push_str(&format!("update {name} {new} {old}\n")),
                    (None, Some(new)) => lines.push_str(&format!("create {name} {new}\n")),
                    (None, None) => {}
                }
            }
            if lines.is_empty() {
                continue;
            }
            let output =
                self.git("update-ref").args(["--no-deref", "--stdin"]).stdin(lines.into_bytes()).output().await?;
            match output.code {
                Some(0) => {}
                _ if ["but expected", "already exists", "unable to resolve reference"]
                    .iter()
                    .any(|words| output.stderr.contains(words)) =>
                {
                    return Err(GitError::Moved { name: "a shared ref".to_owned() });
                }
                _ => return Err(output.failed("update-ref")),
            }
        }
        Ok(())
    }

    /// Whether some of `before` is reached by nothing of `after`; also where that cannot be found out.
    ///
    /// # Errors
    /// When git cannot be started.
    pub async fn loses(&self, before: &[Oid], after: &[Oid]) -> Result<bool, GitError> {
        if before.is_empty() {
            return Ok(false);
        }
        let mut asked: String = before.iter().map(|id| format!("{id}\n")).collect();
        asked.extend(after.iter().map(|id| format!("^{id}\n")));
        let output = self
            .git("rev-list")
            .args(["--objects", "--max-count=1", "--stdin"])
            .stdin(asked.into_bytes())
            .output()
            .await?;
        Ok(output.code != Some(0) || !output.stdout.iter().all(u8::is_ascii_whitespace))
    }
}
