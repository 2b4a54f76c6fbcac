//! What git itself says of a repository.

use std::path::Path;

use tokio::process::Command;

/// Fails where it is not whole.
pub async fn fsck(repository: &Path) {
    let check = async || {
        let mut git = Command::new("git");
        git.arg("--git-dir").arg(repository).args(["fsck", "--strict"]).output().await.unwrap()
    };
    let mut done = check().await;
    // A death in the middle of making a worktree leaves a folder of which git reads nothing more, until the next start clears it away.
    for half in std::fs::read_dir(repository.join("worktrees")).into_iter().flatten().flatten() {
        let empty = std::fs::metadata(half.path().join("commondir")).is_ok_and(|file| file.len() == 0);
        if !done.status.success() && empty {
            let aside = repository.join(half.file_name());
            std::fs::rename(half.path(), &aside).unwrap();
            done = check().await;
            std::fs::rename(&aside, half.path()).unwrap();
        }
    }
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
