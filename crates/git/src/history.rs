//! Reading history and single files.

use serde::Serialize;
use utoipa::ToSchema;

use crate::repo::check_branch;
use crate::{GitError, Oid, Repo};

/// A commit as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// The full id.
    pub id: String,
    /// The first line of the message.
    pub subject: String,
    /// The rest of the message.
    pub body: String,
    /// The author's name.
    pub author_name: String,
    /// The author's e-mail address.
    pub author_email: String,
    /// When it was committed, in RFC 3339.
    pub at: String,
}

/// A file at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It is larger than was asked for; its size in bytes.
    TooLarge(u64),
}

impl Repo {
    /// Commits of a branch, the latest first, at most `limit`, after leaving out `skip`.
    ///
    /// # Errors
    /// When there is no such branch or git fails.
    pub async fn log(&self, branch: &str, skip: usize, limit: usize) -> Result<Vec<Commit>, GitError> {
        check_branch(branch)?;
        let out = self
            .git("log")
            .args([
                "-z",
                "--format=%H%x1f%an%x1f%ae%x1f%cI%x1f%s%x1f%b",
                &format!("--skip={skip}"),
                &format!("--max-count={limit}"),
                &format!("refs/heads/{branch}"),
                "--",
            ])
            .run()
            .await?;
        out.split(|byte| *byte == 0)
            .filter(|record| !record.is_empty())
            .map(|record| {
                let text = String::from_utf8_lossy(record);
                let mut fields = text.splitn(6, '\u{1f}').map(str::to_owned);
                let mut field = || fields.next().ok_or(GitError::Unreadable { command: "log" });
                Ok(Commit {
                    id: field()?,
                    author_name: field()?,
                    author_email: field()?,
                    at: field()?,
                    subject: field()?,
                    body: field()?.trim_end().to_owned(),
                })
            })
            .collect()
    }

    /// The latest commit that two have in common; nothing when they have none.
    ///
    /// # Errors
    /// When git fails.
    pub async fn fork_point(&self, one: &Oid, other: &Oid) -> Result<Option<Oid>, GitError> {
        let output = self.git("merge-base").args([one.as_str(), other.as_str()]).output().await?;
        match output.code {
            Some(0) => Ok(Some(Oid::parse(String::from_utf8_lossy(&output.stdout).trim())?)),
            Some(1) => Ok(None),
            _ => Err(output.failed("merge-base")),
        }
    }

    /// The file at `path` in a commit; nothing when there is none.
    ///
    /// # Errors
    /// When git fails.
    pub async fn file_at(&self, commit: &Oid, path: &str, max_bytes: u64) -> Result<Option<Blob>, GitError> {
        let listed = self.git("ls-tree").args(["-z", "-l", "--full-tree", commit.as_str(), "--", path]).run().await?;
        let text = String::from_utf8_lossy(&listed);
        let entry = text.split('\0').find(|entry| entry.split_once('\t').is_some_and(|(_, name)| name == path));
        let Some((head, _)) = entry.and_then(|entry| entry.split_once('\t')) else { return Ok(None) };
        let mut fields = head.split_whitespace();
        let (_mode, kind, blob, size) = (fields.next(), fields.next(), fields.next(), fields.next());
        let (Some("blob"), Some(blob), Some(size)) = (kind, blob, size) else { return Ok(None) };
        let size: u64 = size.parse().map_err(|_| GitError::Unreadable { command: "ls-tree" })?;
        if size > max_bytes {
            return Ok(Some(Blob::TooLarge(size)));
        }
        Ok(Some(Blob::Bytes(self.git("cat-file").args(["blob", blob]).max_output(max_bytes + 1).run().await?)))
    }
    /// The paths of the files in a commit, `limit` at most, in git's order.
    ///
    /// # Errors
    /// When git fails.
    pub async fn files(&self, commit: &Oid, limit: usize) -> Result<Vec<String>, GitError> {
        let listed =
            self.git("ls-tree").args(["-r", "-z", "--name-only", "--full-tree", commit.as_str()]).run().await?;
        let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty()).take(limit);
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }
}
