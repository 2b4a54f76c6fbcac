//! Repositories that an agent has within its worktree. Git looks into them to tell whether they are some, and stops at one that it
//! cannot read: then nothing of the worktree would be saved any more. The `.git` of such a one is taken away; its files stay.

use std::path::{Path, PathBuf};

use crate::worktree::{Worktree, blocking};
use crate::{GitError, tree};

/// How many are taken away for one call at most.
const MOST: usize = 100;

/// Makes a call in a worktree, again and again for as long as it stops at a repository within that.
///
/// # Errors
/// When it fails for another reason.
pub(crate) async fn past_broken<T, F>(worktree: &Worktree, call: impl Fn() -> F) -> Result<T, GitError>
where
    F: Future<Output = Result<T, GitError>>,
{
    for _ in 0..MOST {
        let failed = match call().await {
            Err(failed @ GitError::Failed { .. }) => failed,
            done => return done,
        };
        let GitError::Failed { message, .. } = &failed else { return Err(failed) };
        let (message, at) = (message.clone(), worktree.tree());
        let taken = blocking(move || Ok(take_away(&at, &message))).await?;
        let Some(taken) = taken else { return Err(failed) };
        tracing::info!(worktree = worktree.name, at = %taken.display(), "a repository within a worktree could not be read, and is none any more");
    }
    call().await
}

/// Removes the `.git` of the first repository within the worktree of which this complaint speaks. Says of which.
fn take_away(tree: &Path, complaint: &str) -> Option<PathBuf> {
    let found = complaint.lines().flat_map(named_in).find_map(|path| {
        let path = Path::new(path);
        let path = if path.is_absolute() { path.strip_prefix(tree).ok()? } else { path };
        // The worktree's own is nothing that git looks into.
        let within = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        (within && path.parent()?.components().next().is_some())
            .then_some(path)
            .filter(|path| tree::remove_below(tree, path).unwrap_or(false))
    });
    found.map(Path::to_owned)
}

/// What may be the path of a `.git` in a line, the longest first: a path may hold blanks as well.
fn named_in(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.match_indices("/.git").map(|(at, name)| at + name.len());
    ends.filter(move |end| !line[*end..].starts_with(|c: char| c.is_alphanumeric())).flat_map(move |end| {
        let starts = line[..end].match_indices([' ', '\'', '"']).map(|(at, _)| at + 1);
        std::iter::once(0).chain(starts).map(move |start| &line[start..end])
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_what_is_named_and_lies_within_goes() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for folder in ["tree/.git", "tree/a/.git", "tree/a b/c/.git", "tree/kept/.git", "outside/.git", "tree/x"] {
            fs::create_dir_all(at(folder)).unwrap();
            fs::write(at(folder).join("config"), "").unwrap();
        }
        std::os::unix::fs::symlink(at("outside"), at("tree/link")).unwrap();
        let tree = at("tree");
        let goes = |complaint: &str| take_away(&tree, complaint);
        let absolute = format!("fatal: bad config line 1 in file {}/config", at("tree/a b/c/.git").display());
        assert_eq!(goes(&absolute).as_deref(), Some(Path::new("a b/c/.git")));
        assert_eq!(goes(&absolute), None, "it is gone");
        assert_eq!(
            goes("fatal: failed to read a/.git/commondir: Is a directory").as_deref(),
            Some(Path::new("a/.git"))
        );
        for nothing in [
            "fatal: bad config line 1 in file .git/config".to_owned(),
            "fatal: failed to read link/.git/commondir: No".to_owned(),
            "fatal: failed to read ../outside/.git/commondir: No".to_owned(),
            "fatal: failed to read x/../kept/.git/commondir: No".to_owned(),
            format!("fatal: failed to read {}/commondir: No", at("outside/.git").display()),
            "fatal: kept/.gitignore is odd, and kept/.gitmodules".to_owned(),
            "fatal: x/.git is not there".to_owned(),
        ] {
            assert_eq!(goes(&nothing), None, "{nothing}");
        }
        for kept in ["tree/.git/config", "tree/kept/.git/config", "outside/.git/config", "tree/x/config"] {
            assert!(at(kept).exists(), "{kept}");
        }
        assert!(!at("tree/a/.git").exists() && at("tree/a").exists());
    }
}
