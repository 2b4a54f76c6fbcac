//! Serving a repository to a git program elsewhere, by git's smart HTTP protocol: this side is the git program, too.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::confine::Walls;
use crate::program::Git;
use crate::push::Push;
use crate::{GitError, Repo};

/// How long one exchange may take.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Bytes that a push may bring at most.
const MOST: u64 = 2 * 1024 * 1024 * 1024;

/// What is neither listed nor pushed: refs of the server's own, such as snapshots of runs.
const HIDDEN: &str = "transfer.hideRefs=refs/guildhall";
/// What holds of fetches: parts of a history may be left out, which spares those who need few of the files.
const FETCH: &[&str] = &["uploadpack.allowFilter=true", "pack.threads=1", "pack.windowMemory=128m"];
/// What holds of pushes: objects are looked at before they are taken, and nothing is tidied up behind them.
const PUSH: &[&str] = &[
    "receive.fsckObjects=true",
    // Old programs made these, and they harm nobody.
    "receive.fsck.zeroPaddedFilemode=ignore",
    "receive.fsck.badTimezone=ignore",
    "receive.fsck.missingSpaceBeforeDate=ignore",
    "receive.fsck.missingNameBeforeEmail=ignore",
    // Whoever lets a branch be pushed to has looked whose work is on it.
    "receive.denyCurrentBranch=ignore",
    "receive.autoGC=false",
    "receive.updateServerInfo=false",
    "pack.threads=1",
];

/// What somebody wants of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// To fetch, or to clone.
    Fetch,
    /// To push.
    Push,
}

impl Service {
    /// Reads its name in the protocol.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Fetch, Self::Push].into_iter().find(|service| service.name() == name)
    }

    /// Its name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "git-upload-pack",
            Self::Push => "git-receive-pack",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Fetch => "upload-pack",
            Self::Push => "receive-pack",
        }
    }
}

/// The version of the protocol that a client asks for in its `Git-Protocol` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The first one, which each client speaks.
    First,
    /// The same with its number in front.
    Numbered,
    /// The second one, in which a client asks for what it wants to see. There is none of it for a push.
    Second,
}

impl Version {
    /// Reads the header: words between colons, of which those that are not known mean nothing.
    pub fn parse(header: &str) -> Self {
        match header.split(':').filter_map(|word| word.strip_prefix("version=")).filter_map(|it| it.parse().ok()).max()
        {
            Some(2_u8) => Self::Second,
            Some(1) => Self::Numbered,
            _ => Self::First,
        }
    }

    const fn word(self) -> Option<&'static str> {
        match self {
            Self::First => None,
            Self::Numbered => Some("version=1"),
            Self::Second => Some("version=2"),
        }
    }
}

impl Repo {
    /// Says what there is to be fetched, or what stands where somebody wants to push. Pieces of it go to `drain`.
    ///
    /// # Errors
    /// When git fails, or nobody takes what it says.
    pub async fn advertise(
        &self,
        service: Service,
        version: Version,
        drain: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), GitError> {
        let version = if service == Service::Push && version == Version::Second { Version::First } else { version };
        if version != Version::Second {
            let line = format!("# service={}\n", service.name());
            let head = format!("{:04x}{line}0000", line.len() + 4);
            // That nobody takes it is found when git says something.
            let _ = drain.send(head.into_bytes()).await;
        }
        self.service(service, version, &[], &["--advertise-refs"]).streamed(None, drain).await
    }

    /// Answers one request of a fetch, whose body comes from `feed`; the answer goes to `drain`.
    ///
    /// # Errors
    /// When git fails, or nobody takes what it says.
    pub async fn fetched(
        &self,
        version: Version,
        feed: mpsc::Receiver<Vec<u8>>,
        drain: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), GitError> {
        self.service(Service::Fetch, version, &[], &[]).streamed(Some(feed), drain).await
    }

    /// Takes a push, whose pack comes from `feed`; the answer goes to `drain`. What stands there is moved from what the client
    /// takes it for, or not at all. With `forward` each branch only goes forward.
    ///
    /// # Errors
    /// [`GitError::NoRoom`]; when git fails. That single refs were refused is in the answer alone.
    pub async fn pushed(
        &self,
        push: &Push,
        forward: bool,
        feed: mpsc::Receiver<Vec<u8>>,
        drain: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), GitError> {
        self.has_room().await?;
        let most = format!("receive.maxInputSize={MOST}");
        let forward = format!("receive.denyNonFastForwards={forward}");
        let settings = [most.as_str(), forward.as_str()];
        let git = self.service(Service::Push, Version::First, &settings, &[]).stdin(push.read().to_vec());
        tokio::select! {
            done = git.streamed(Some(feed), drain) => done,
            // Git ends with the wait for it, and what came is nowhere yet.
            error = self.runs_out_of_room() => Err(error),
        }
    }

    fn service(&self, service: Service, version: Version, settings: &[&str], args: &[&str]) -> Git {
        let at = || vec![self.path().to_owned()];
        // Nobody's fetch writes anything here.
        let (all, walls) = match service {
            Service::Fetch => (FETCH, Walls::of(at(), Vec::new())),
            Service::Push => (PUSH, Walls::of(Vec::new(), at())),
        };
        let settings = [HIDDEN].into_iter().chain(all.iter().copied()).chain(settings.iter().copied());
        let git = settings.fold(self.git(service.program()), Git::config).of_all().limit(LONGEST).within(walls);
        let git = version.word().into_iter().fold(git, |git, word| git.env("GIT_PROTOCOL", word));
        let place: &Path = self.path();
        git.args(["--stateless-rpc"].iter().chain(args)).arg(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_git_reads_them() {
        for (header, expected) in [
            ("", Version::First),
            ("version=0", Version::First),
            ("version=1", Version::Numbered),
            ("version=2", Version::Second),
            ("version=1:version=2", Version::Second),
            ("agent=x:version=2:more", Version::Second),
            ("version=3", Version::First),
            ("version=-1", Version::First),
            ("version=2\n", Version::First),
        ] {
            assert_eq!(Version::parse(header), expected, "{header:?}");
        }
        assert_eq!(Service::parse("git-upload-pack"), Some(Service::Fetch));
        assert_eq!(Service::parse("git-upload-archive"), None);
    }
}
