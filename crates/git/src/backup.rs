//! What a backup takes of a repository, and how a repository is made out of that again.
//!
//! A pack holds all objects that the wanted ones reach and the known ones do not, whole: git checks each by its id when the
//! pack is put in place. Refs are a list beside it.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::program::{Git, Output};
use crate::repo::check_branch;
use crate::{GitError, Oid, Repo};

/// How long one repository may take.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// Ids that git is asked about in one call.
const AT_ONCE: usize = 100_000;

/// What a repository stands at beside its objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The branch that HEAD names.
    pub head: String,
    /// How its objects are named: `sha1` or `sha256`.
    pub object_format: String,
    /// Commits whose parents are not here, because they were not where it was cloned from.
    pub shallow: Vec<String>,
    /// Every ref, hidden ones as well, with what it names.
    pub refs: Vec<(String, String)>,
}

impl Repo {
    /// What it stands at now.
    ///
    /// # Errors
    /// When git fails.
    pub async fn standing(&self) -> Result<Standing, GitError> {
        let listed = self.git("for-each-ref").args(["--format=%(objectname) %(refname)"]).run().await?;
        let mut refs = Vec::new();
        for line in String::from_utf8_lossy(&listed).lines() {
            let (id, name) = line.split_once(' ').ok_or(GitError::Unreadable { command: "for-each-ref" })?;
            refs.push((name.to_owned(), Oid::parse(id)?.to_string()));
        }
        let shallow = self.path().join("shallow");
        let shallow = match std::fs::read_to_string(&shallow) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(GitError::file(shallow, "read")(error)),
        };
        let object_format = self.git("rev-parse").args(["--show-object-format"]).line().await?;
        Ok(Standing { head: self.default_branch().await?, object_format, shallow, refs })
    }

    /// Those of these objects that are here.
    ///
    /// # Errors
    /// When git fails.
    pub async fn having(&self, ids: &[String]) -> Result<Vec<String>, GitError> {
        let mut here = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            let asked = ids.iter().map(|id| format!("{id}\n")).collect::<String>();
            let asking = self.git("cat-file").args(["--batch-check=%(objectname)"]).stdin(asked.into_bytes());
            let told = asking.run().await?;
            let told = String::from_utf8_lossy(&told).into_owned();
            here.extend(told.lines().filter(|line| !line.ends_with(" missing")).map(str::to_owned));
        }
        Ok(here)
    }

    /// Writes a pack of what `wanted` reach and `known` do not to `out`, in pieces. All of them must be here.
    ///
    /// # Errors
    /// When git fails, such as for an object that is missing, or nobody takes the pieces any more.
    pub async fn pack_objects(
        &self,
        wanted: &[String],
        known: &[String],
        out: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), GitError> {
        let mut revisions: String = wanted.iter().map(|id| format!("{id}\n")).collect();
        revisions.extend(known.iter().map(|id| format!("^{id}\n")));
        self.git("pack-objects")
            .of_all()
            .limit(LONGEST)
            // Beside agents at work: it takes one processor, and as much memory as a small server has.
            .config("pack.threads=1")
            .config("pack.windowMemory=64m")
            .args(["--revs", "--stdout", "--quiet", "--delta-base-offset"])
            .stdin(revisions.into_bytes())
            .streamed(None, out)
            .await
    }

    /// Makes a bare repository without anything in it, which is to be filled by [`Repo::take_pack`] and [`Repo::stand_at`].
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn empty(path: &Path, standing: &Standing) -> Result<Self, GitError> {
        check_branch(&standing.head)?;
        if !["sha1", "sha256"].contains(&standing.object_format.as_str()) {
            return Err(GitError::BadName { what: "object format", name: standing.object_format.clone() });
        }
        let format = format!("--object-format={}", standing.object_format);
        let args =
            ["--bare", "--quiet", "--template=", "--initial-branch", standing.head.as_str(), format.as_str(), "--"];
        Git::new("init").args(args).arg(path).run().await?;
        let repo = Self::open(path)?;
        if !standing.shallow.is_empty() {
            let mut text = String::new();
            for id in &standing.shallow {
                text.push_str(Oid::parse(id)?.as_str());
                text.push('\n');
            }
            let shallow = path.join("shallow");
            std::fs::write(&shallow, text).map_err(GitError::file(shallow, "written"))?;
        }
        Ok(repo)
    }

    /// Puts a pack in place; git checks each object in it.
    ///
    /// # Errors
    /// When git finds the pack damaged or cut off, or fails.
    pub async fn take_pack(&self, pieces: mpsc::Receiver<Vec<u8>>) -> Result<(), GitError> {
        let (said, mut hear) = mpsc::channel(4);
        let listen = async { while hear.recv().await.is_some() {} };
        let take = self
            .git("index-pack")
            .of_all()
            .limit(LONGEST)
            .config("pack.threads=1")
            .args(["--stdin"])
            .streamed(Some(pieces), said);
        tokio::join!(take, listen).0
    }

    /// Makes every ref, all or none. Whatever they name must be here.
    ///
    /// # Errors
    /// When an object is missing or a name cannot be used.
    pub async fn stand_at(&self, refs: &[(String, String)]) -> Result<(), GitError> {
        let mut lines = Vec::new();
        for (name, id) in refs {
            let usable = name.starts_with("refs/") && !name.contains(['\0', '\n', ' ']);
            if !usable {
                return Err(GitError::BadName { what: "ref", name: name.clone() });
            }
            lines.extend(format!("create {name} {}\n", Oid::parse(id)?).into_bytes());
        }
        self.git("update-ref").args(["--no-deref", "--stdin"]).stdin(lines).run().await.map(|_| ())
    }

    /// Has git look whether everything that refs reach is here. Returns what it complains of.
    ///
    /// That each object is the one that its id names was found when its pack was put in place. Whether it is also written as git
    /// would write it today is not asked: there are histories with such objects everywhere, and they are to come back as they are.
    ///
    /// # Errors
    /// When git cannot be started.
    pub async fn complaints(&self) -> Result<Option<String>, GitError> {
        let fsck =
            self.git("fsck").of_all().limit(LONGEST).args(["--connectivity-only", "--no-dangling", "--no-progress"]);
        let Output { code, stdout, stderr, .. } = fsck.output().await?;
        let said = format!("{}{stderr}", String::from_utf8_lossy(&stdout));
        Ok((code != Some(0)).then(|| said.trim().chars().take(2_000).collect()))
    }
}
