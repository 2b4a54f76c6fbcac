//! A repository of some size, and how long git itself takes on it.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use tokio::process::Command;

/// Makes a repository of so many files of about 2 KB, a hundred to a folder.
pub async fn make(at: &Path, files: usize) -> anyhow::Result<()> {
    for number in 0..files {
        let folder = at.join(format!("src/part{}", number / 100));
        std::fs::create_dir_all(&folder)?;
        let text: String = (0..50).map(|line| format!("line {line} of file {number}: nothing of note\n")).collect();
        std::fs::write(folder.join(format!("file{number}.txt")), text)?;
    }
    git(at, &["init", "-q", "-b", "main"]).await?;
    git(at, &["add", "-A"]).await?;
    git(at, &["commit", "-q", "-m", "Begin"]).await
}

/// Milliseconds that a plain `git worktree add` takes. Git itself fails now and then when it makes several worktrees of one
/// repository at once; then it is tried again, as anyone would have to.
pub async fn worktree_add(repository: &Path, folder: &Path) -> anyhow::Result<f64> {
    let folder = folder.to_string_lossy();
    let began = Instant::now();
    for try_ in 0.. {
        match git(repository, &["worktree", "add", "-q", "--force", "--detach", &folder, "HEAD"]).await {
            Ok(()) => break,
            Err(error) if try_ == 20 => return Err(error),
            Err(_) => {}
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}

/// Runs git, with nobody's configuration.
pub async fn git(at: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("git")
        .args(["-c", "user.name=Bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0"])
        .args(arguments)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .await?;
    ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
