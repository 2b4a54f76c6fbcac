//! Each check finds the files of the commit that it is said of, whatever the ones before it wrote: that is taken away again,
//! unless git ignores it. A check that needs what another one writes would pass on files that nobody merges.
//!
//! What was there before is written beside the worktree, where no agent can write: after the death of a server, what its
//! checks wrote is taken for no work of anybody's.

use std::io;
use std::path::{Path, PathBuf};

use guildhall_git::{Beside, GitError, Repo, Worktree};
use guildhall_types::feature::Problem;

use crate::problems::Trouble;

/// Names that are told.
const NAMED: usize = 8;

/// Takes away what checks write.
pub(crate) struct Undo<'a> {
    repo: &'a Repo,
    worktree: &'a Worktree,
    before: Beside,
    /// Where that is written down.
    file: Option<PathBuf>,
    /// A check is at work, or was cut off.
    open: bool,
    /// What each of those wrote that are over.
    wrote: Vec<(String, String)>,
}

impl<'a> Undo<'a> {
    /// Checks begin in a worktree that is as the latest snapshot of it. In `folder` it is written down what it holds beside.
    pub(crate) async fn begin(repo: &'a Repo, worktree: &'a Worktree, folder: Option<&Path>) -> Result<Self, Trouble> {
        let before = repo.beside(worktree).await?;
        let file = folder.map(file);
        if let Some(file) = &file {
            let half = file.with_extension("half");
            let failed = |source| GitError::File { path: file.clone(), deed: "written", source };
            std::fs::write(&half, before.to_bytes()).and_then(|()| std::fs::rename(&half, file)).map_err(failed)?;
        }
        Ok(Self { repo, worktree, before, file, open: false, wrote: Vec::new() })
    }

    /// A check begins.
    pub(crate) fn begins(&mut self) {
        self.open = true;
    }

    /// A check is over. What it wrote is told below its output.
    pub(crate) async fn after(&mut self, line: &str, output: &mut String) -> Result<(), Trouble> {
        let wrote = self.repo.undo(self.worktree, &self.before).await?;
        self.open = false;
        if wrote.is_empty() {
            return Ok(());
        }
        let wrote = named(&wrote, wrote.len());
        if !output.is_empty() && !output.ends_with('\n') {
            output.push('\n');
        }
        output.push_str(&format!("(It wrote files that are in no commit, and they were taken away again: {wrote}.)"));
        self.wrote.push((line.to_owned(), wrote));
        Ok(())
    }

    /// Says of a check that failed what it did not find.
    pub(crate) fn explain(&self, problem: &mut Problem) {
        // What it wrote itself, it had.
        let earlier: Vec<String> = self.wrote.iter().map(|(line, wrote)| format!("`{line}` wrote {wrote}")).collect();
        if earlier.is_empty() {
            return;
        }
        problem.message.push_str(&format!(
            " It ran on the work as it would be merged, without what checks wrote: {}.",
            earlier.join("; ")
        ));
        problem.hint.insert_str(
            0,
            "If it needs what another check writes, make that part of the work, let git ignore it, or make one check of both \
             commands, with && between them. ",
        );
    }

    /// The checks are over. What one left that was cut off is taken away before the next who comes in there: what it started may
    /// still be about to end, and writes until then.
    pub(crate) fn end(self) -> Result<(), Trouble> {
        match self.file.filter(|_| !self.open) {
            Some(file) => Ok(remove(&file)?),
            None => Ok(()),
        }
    }
}

/// Whether checks may have left something that were cut off.
pub(crate) fn are_cut_off(folder: &Path) -> bool {
    file(folder).exists()
}

/// Takes away what checks left that were cut off: by a stop, or by the death of a server.
pub(crate) async fn recover(repo: &Repo, worktree: &Worktree, folder: &Path) -> Result<(), Trouble> {
    let file = file(folder);
    let before = match std::fs::read(&file) {
        Ok(bytes) => Beside::from_bytes(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(GitError::File { path: file, deed: "read", source }.into()),
    };
    repo.undo(worktree, &before).await?;
    Ok(remove(&file)?)
}

/// Nothing of checks is in the worktree in this folder.
pub(crate) fn forget(folder: &Path) -> Result<(), GitError> {
    remove(&file(folder))
}

fn file(folder: &Path) -> PathBuf {
    folder.join("checking")
}

fn remove(file: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(GitError::File { path: file.to_owned(), deed: "removed", source })
        }
        _ => Ok(()),
    }
}

/// Some of `all` files, by their names.
pub(crate) fn named(names: &[String], all: usize) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.saturating_sub(NAMED.min(names.len())) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
