//! A room with a worktree, a git folder and things beside it that must stay hidden.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use guildhall_sandbox::{Command, Isolation, Net, Network, Outcome, Room, Sandbox, SandboxError};

pub struct Place {
    /// Holds `run/tree`, `run/git`, `objects`, `other/tree` and `secret`.
    pub dir: tempfile::TempDir,
    pub room: Room,
    pub sandbox: Sandbox,
}

/// How long something may take that takes so many seconds at most: longer where `GUILDHALL_TEST_PATIENCE` says how many times, as on an
/// emulated machine.
pub fn patience(seconds: u64) -> Duration {
    let times = std::env::var("GUILDHALL_TEST_PATIENCE").ok().and_then(|times| times.parse().ok());
    Duration::from_secs(seconds * times.unwrap_or(1))
}

pub fn command(line: &str) -> Command {
    Command { line: line.to_owned(), timeout: patience(60), max_output: 32 * 1024 }
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().canonicalize().unwrap();
        for folder in ["run/tree", "run/git", "objects", "other/tree"] {
            fs::create_dir_all(at.join(folder)).unwrap();
        }
        fs::write(at.join("secret"), "the key").unwrap();
        fs::write(at.join("other/tree/theirs"), "another member's").unwrap();
        let room =
            Room { git: Some(at.join("run/git")), objects: Some(at.join("objects")), ..Room::new(at.join("run/tree")) };
        Self { dir, room, sandbox: Sandbox::new(Isolation::Bubblewrap) }
    }

    /// The same for the commands of a run, which share a network.
    pub async fn of_a_run() -> Self {
        let mut place = Self::new();
        place.room.network = Network::Of(place.sandbox.net().await.unwrap());
        place
    }

    /// The network of the run.
    pub fn net(&self) -> Net {
        match &self.room.network {
            Network::Of(net) => net.clone(),
            Network::None => panic!("there is no network"),
        }
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    pub fn tree(&self, path: &str) -> PathBuf {
        self.room.tree.join(path)
    }

    pub async fn try_run(&self, command: &Command) -> Result<Outcome, SandboxError> {
        self.sandbox.run(&self.room, command, &mut |_| {}).await
    }

    pub async fn run(&self, line: &str) -> Outcome {
        self.try_run(&command(line)).await.unwrap()
    }

    /// What a line prints, whatever its exit code.
    pub async fn says(&self, line: &str) -> String {
        self.run(line).await.output
    }
}
