//! Starts the git program, with nothing of the server's and so that it dies with the server: at a pipe that an agent left where it
//! opens files, it would wait for ever for somebody to write.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use guildhall_process::{Process, Program, die_with, on_starter};
use tokio::net::unix::pipe;

use crate::confine::Within;

/// The git program. Found once: with its whole path, a process starts without a search.
pub(crate) static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let found = folders.map(|folder| folder.join("git")).find(|git| git.is_file());
    found.unwrap_or_else(|| PathBuf::from("git"))
});

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Call {
    program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// All of its environment.
    env: BTreeMap<OsString, OsString>,
    pub(crate) folder: PathBuf,
}

/// A program at work, and our ends of what it reads and writes. Dropping it kills the program with what it started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    /// What it reads, if it is to read anything.
    pub(crate) input: Option<pipe::Sender>,
    pub(crate) output: pipe::Receiver,
    pub(crate) errors: pipe::Receiver,
}

impl Call {
    /// A call of git, in no folder of anybody's.
    pub(crate) fn git() -> Self {
        Self::of(&PROGRAM)
    }

    pub(crate) fn of(program: &Path) -> Self {
        Self { program: program.to_owned(), args: Vec::new(), env: BTreeMap::new(), folder: "/".into() }
    }

    pub(crate) fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Starts it: with something to read where it is `fed`, and under what keeps it.
    ///
    /// # Errors
    /// When there is no such program, or the kernel makes no process or refuses the walls.
    pub(crate) async fn start(&self, fed: bool, within: Within) -> io::Result<Started> {
        let (stdin, input) = match fed {
            true => {
                let (theirs, ours) = io::pipe()?;
                (OwnedFd::from(theirs), Some(pipe::Sender::from_owned_fd(OwnedFd::from(ours))?))
            }
            false => (OwnedFd::from(File::open("/dev/null")?), None),
        };
        let ((output, out), (errors, err)) = (io::pipe()?, io::pipe()?);
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(output))?;
        let errors = pipe::Receiver::from_owned_fd(OwnedFd::from(errors))?;
        let env: Vec<(OsString, OsString)> = self.env.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let program = Program::new(&self.program, &self.args, &env, &self.folder, [stdin, out.into(), err.into()])?;
        let server = rustix::process::getpid();
        let process = on_starter(move || {
            let prepare = || {
                within.enter()?;
                die_with(server)
            };
            #[expect(unsafe_code, reason = "only before it is a program can a process take all that on")]
            // SAFETY: `enter` and `die_with` make system calls only: they neither allocate nor take a lock.
            unsafe {
                program.start(true, prepare)
            }
        });
        Ok(Started { process: process.await?, input, output, errors })
    }
}
