use guildhall_git::Identity;
use tokio::process::Command;

use super::*;

struct Place {
    dir: tempfile::TempDir,
    repo: Repo,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let author = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
        let repo = Repo::create(&dir.path().join("p.git"), "main", &author, "Begin", &[]).await.unwrap();
        Self { dir, repo }
    }

    async fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("--git-dir").arg(self.repo.path()).args(["-c", "user.name=A", "-c", "user.email=a@b"]).args(args);
        let done = git.output().await.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// A further commit on a branch.
    async fn commit_on(&self, branch: &str) {
        let commit = self.git(&["commit-tree", &format!("{branch}^{{tree}}"), "-p", branch, "-m", "More"]).await;
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit]).await;
    }

    async fn at(&self, branch: &str) -> Option<Oid> {
        self.repo.branch(branch).await.unwrap()
    }

    /// What a claim does that finds no base commit of the run.
    async fn claim(&self, run: RunId, branch: &str, own_name: bool) -> Result<String, Trouble> {
        let folder = self.dir.path().join(run.to_string());
        let base = self.at("main").await.unwrap();
        clear_half_made(&self.repo, run, &folder).await?;
        let (_, made) = add(&self.repo, run, &folder, branch, own_name, &base).await?;
        assert_eq!(self.at(&made).await, Some(base));
        Ok(made)
    }
}

fn is_taken(claimed: &Result<String, Trouble>) -> bool {
    matches!(claimed, Err(Trouble::Git(GitError::BranchExists { .. })))
}

#[tokio::test]
async fn a_branch_that_a_dead_claim_made_is_made_anew_wherever_the_default_branch_is_by_then() {
    let place = Place::new().await;
    let run = RunId::new();
    // The claim dies before it is written down that the worktree is there; the default branch moves on.
    assert_eq!(place.claim(run, "mine", true).await.unwrap(), "mine");
    place.commit_on("main").await;
    assert_eq!(place.claim(run, "mine", true).await.unwrap(), "mine");
    // It dies between the branch and the worktree, and again.
    place.commit_on("main").await;
    std::fs::remove_dir_all(place.repo.path().join("worktrees")).unwrap();
    std::fs::remove_dir_all(place.dir.path().join(run.to_string()).join("tree")).unwrap();
    assert_eq!(place.claim(run, "mine", true).await.unwrap(), "mine");
    // The name of a branch that nobody chose is kept as well.
    let other = RunId::new();
    assert_eq!(place.claim(other, "guildhall/1-x", false).await.unwrap(), "guildhall/1-x");
    place.commit_on("main").await;
    assert_eq!(place.claim(other, "guildhall/1-x", false).await.unwrap(), "guildhall/1-x");
}

#[tokio::test]
async fn a_branch_of_somebody_elses_stays() {
    let place = Place::new().await;
    // It stands where the work would begin, and is theirs all the same.
    place.git(&["branch", "theirs", "main"]).await;
    let run = RunId::new();
    for _ in 0..3 {
        assert!(is_taken(&place.claim(run, "theirs", true).await));
        assert!(place.at("theirs").await.is_some());
    }
    assert_eq!(place.claim(run, "theirs", false).await.unwrap(), "theirs-2");

    // Somebody put work on the branch in between.
    let run = RunId::new();
    place.claim(run, "mine", true).await.unwrap();
    place.commit_on("mine").await;
    let work = place.at("mine").await;
    assert!(is_taken(&place.claim(run, "mine", true).await));
    assert_eq!(place.at("mine").await, work);
}
