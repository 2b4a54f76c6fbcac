//! Starts a process with nothing of the server's: no descriptor but those it is given, no environment, its own limits.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use guildhall_process::{Process, Program, die_with, on_starter};
use rustix::process::{Pid, Resource, Rlimit};
use tokio::net::unix::pipe;

use super::net::{Joined, Net};
use super::terminal::{Size, Terminal};

/// Open files that a process may have.
const MAX_OPEN_FILES: u64 = 16_384;
/// Bytes that a file may grow to.
const MAX_FILE_SIZE: u64 = 8 * 1024 * 1024 * 1024;

/// How far commands step back behind the server, of 19 steps: a tenth of what it has while both want all. Where control groups
/// weigh them, these say more; but not everywhere are there any.
const NICE: i32 = 10;

/// A process to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) folder: PathBuf,
    /// Descriptors that it gets beside the usual three, under the numbers that they have here.
    pub(crate) passed: Vec<OwnedFd>,
    /// The network that it joins.
    pub(crate) net: Option<Net>,
    /// The control groups that it joins.
    pub(crate) doors: Vec<OwnedFd>,
    /// Processes that its user may have, where no control group counts them.
    pub(crate) processes: Option<u64>,
}

/// What a process reads from and writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Nothing to read, and one pipe for what it prints on both streams, so that their order is kept.
    Merged,
    /// A pipe for each of the three.
    Parted,
    /// A terminal of this size, of which it is the foreground.
    Terminal(Size),
}

/// Our ends of a process's streams.
#[derive(Debug)]
pub(crate) struct Ends {
    /// What it reads. Nothing when the streams are merged.
    pub(crate) input: Option<pipe::Sender>,
    /// What it prints: on both streams when they are merged. Nothing where it has a terminal.
    pub(crate) output: Option<pipe::Receiver>,
    /// What it prints on its second stream. Nothing when they are merged.
    pub(crate) errors: Option<pipe::Receiver>,
    /// The terminal that it has in their place.
    pub(crate) terminal: Option<Terminal>,
}

impl Launch {
    /// Starts `program` in `folder`, with nothing.
    pub(crate) fn new(program: PathBuf, folder: PathBuf) -> Self {
        Self {
            program,
            args: Vec::new(),
            env: Vec::new(),
            folder,
            passed: Vec::new(),
            doors: Vec::new(),
            net: None,
            processes: None,
        }
    }

    /// Starts it.
    pub(crate) async fn start(self, streams: Streams) -> io::Result<(Process, Ends)> {
        let Self { program, args, env, folder, passed, net, doors, processes } = self;
        let (theirs, ends) = connect(streams)?;
        let terminal = ends.terminal.is_some();
        let program = Program::new(&program, &args, &env, &folder, theirs)?;
        let server = rustix::process::getpid();
        let process = on_starter(move || {
            let prepare = || {
                join(&doors)?;
                prepare(net.as_ref().map(Net::joined), &passed, processes, terminal, server)
            };
            #[expect(unsafe_code, reason = "only between fork and exec can a child's descriptors and limits be set")]
            // SAFETY: `join` and `prepare` make system calls only: they neither allocate nor take a lock.
            unsafe {
                // With a terminal it leads a session of its own, and with that a group of its own.
                program.start(!terminal, prepare)
            }
        });
        Ok((process.await?, ends))
    }
}

/// What a process reads from and writes to, and our ends of it.
fn connect(streams: Streams) -> io::Result<([OwnedFd; 3], Ends)> {
    let receiver = |reader: io::PipeReader| pipe::Receiver::from_owned_fd(OwnedFd::from(reader));
    match streams {
        Streams::Merged => {
            let (output, theirs) = io::pipe()?;
            let nothing = std::fs::File::open("/dev/null")?;
            let theirs = [nothing.into(), theirs.try_clone()?.into(), theirs.into()];
            Ok((theirs, Ends { input: None, output: Some(receiver(output)?), errors: None, terminal: None }))
        }
        Streams::Parted => {
            let (theirs, input) = io::pipe()?;
            let (output, out) = io::pipe()?;
            let (errors, err) = io::pipe()?;
            let input = pipe::Sender::from_owned_fd(OwnedFd::from(input))?;
            let (output, errors) = (receiver(output)?, receiver(errors)?);
            let ends = Ends { input: Some(input), output: Some(output), errors: Some(errors), terminal: None };
            Ok(([theirs.into(), out.into(), err.into()], ends))
        }
        Streams::Terminal(size) => {
            let (terminal, theirs) = Terminal::open(size)?;
            let theirs = [theirs.try_clone()?, theirs.try_clone()?, theirs];
            Ok((theirs, Ends { input: None, output: None, errors: None, terminal: Some(terminal) }))
        }
    }
}

/// Joins control groups. Before all else, so that nothing is done outside of them.
fn join(doors: &[OwnedFd]) -> io::Result<()> {
    for door in doors {
        // Whoever writes it.
        rustix::io::write(door, b"0")?;
    }
    Ok(())
}

/// What a child does before it becomes its program.
fn prepare(
    net: Option<Joined>,
    passed: &[OwnedFd],
    processes: Option<u64>,
    terminal: bool,
    server: Pid,
) -> io::Result<()> {
    net.map_or(Ok(()), Joined::enter)?;
    close_on_exec()?;
    if terminal {
        super::terminal::take()?;
    }
    for fd in passed {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
    }
    // Not before it is in its namespaces: joining them may undo that.
    die_with(server)?;
    // It always may.
    let _ = rustix::process::nice(NICE);
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, MAX_OPEN_FILES)?;
    limit(Resource::Fsize, MAX_FILE_SIZE)?;
    processes.map_or(Ok(()), |most| limit(Resource::Nproc, most))
}

/// Marks every descriptor but the usual three to be closed at exec, whoever opened it and however.
fn close_on_exec() -> io::Result<()> {
    #[expect(unsafe_code, reason = "rustix does not offer close_range")]
    // SAFETY: the call takes three numbers, and with this flag closes nothing yet.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lowers a limit for good; one that is lower already stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let now = rustix::process::getrlimit(resource);
    let maximum = now.maximum.map_or(most, |maximum| maximum.min(most));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn what_is_started_for_a_server_that_is_gone_does_not_become_its_program() {
        let begin = |server: Pid| {
            let (streams, _ends) = connect(Streams::Merged).unwrap();
            let program = Program::new("/bin/true".as_ref(), &[], &[], "/".as_ref(), streams).unwrap();
            #[expect(unsafe_code, reason = "as in what is tested")]
            // SAFETY: `prepare` makes system calls only.
            unsafe {
                program.start(true, || prepare(None, &[], None, false, server))
            }
        };
        let own = rustix::process::getpid();
        assert_eq!(begin(own).unwrap().wait().await.unwrap().code(), Some(0));
        // Its parent is another than the one for which it is started, as when that was killed.
        let gone = begin(rustix::process::getppid().unwrap_or(Pid::INIT)).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ESRCH));
    }

    #[tokio::test]
    async fn a_start_that_is_given_up_touches_what_it_was_given_and_nothing_else() {
        // The thread that starts processes is held up by one.
        let ((mut here, at), (held, go)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let first = tokio::spawn(on_starter(move || {
            rustix::io::write(&at, b"h")?;
            rustix::io::read(&held, &mut [0])?;
            Ok(())
        }));
        let here = tokio::task::spawn_blocking(move || here.read_exact(&mut [0]).map(|()| here));
        let _here = here.await.unwrap().unwrap();
        // Another is given up while it waits for that thread; its descriptor is open all the same, and no other has its number.
        let (mut door, knock) = io::pipe().unwrap();
        let mut launch = Launch::new("/bin/true".into(), "/".into());
        launch.doors.push(knock.into());
        {
            let start = pin!(launch.start(Streams::Merged));
            assert!(start.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        (&go).write_all(b"g").unwrap();
        first.await.unwrap().unwrap();
        let mut knocked = String::new();
        let knocked = tokio::task::spawn_blocking(move || door.read_to_string(&mut knocked).map(|_| knocked));
        assert_eq!(knocked.await.unwrap().unwrap(), "0");
    }
}
