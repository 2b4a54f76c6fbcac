//! Starts a process with nothing of the server's: no descriptor but those it is given, no environment, its own limits.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError, mpsc};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::net::{Joined, Net};

/// Open files that a process may have.
const MAX_OPEN_FILES: u64 = 16_384;
/// Bytes that a file may grow to.
const MAX_FILE_SIZE: u64 = 8 * 1024 * 1024 * 1024;

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
}

/// Our ends of a process's streams.
#[derive(Debug)]
pub(crate) struct Ends {
    /// What it reads. Nothing when the streams are merged.
    pub(crate) input: Option<pipe::Sender>,
    /// What it prints: on both streams when they are merged.
    pub(crate) output: pipe::Receiver,
    /// What it prints on its second stream. Nothing when they are merged.
    pub(crate) errors: Option<pipe::Receiver>,
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
    pub(crate) async fn start(self, streams: Streams) -> io::Result<(Child, Ends)> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .current_dir(&self.folder)
            .process_group(0)
            .kill_on_drop(true);
        let (input, errors) = match streams {
            Streams::Merged => {
                command.stdin(Stdio::null()).stderr(writer.try_clone()?);
                (None, None)
            }
            Streams::Parted => {
                let (theirs, input) = io::pipe()?;
                let (errors, ours) = io::pipe()?;
                command.stdin(theirs).stderr(ours);
                let input = pipe::Sender::from_owned_fd(OwnedFd::from(input))?;
                (Some(input), Some(pipe::Receiver::from_owned_fd(OwnedFd::from(errors))?))
            }
        };
        command.stdout(writer);
        let ends = Ends { input, output: pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?, errors };
        let numbers = |list: &[OwnedFd]| list.iter().map(AsRawFd::as_raw_fd).collect::<Vec<RawFd>>();
        let net = self.net.as_ref().map(Net::joined);
        let (doors, passed, processes) = (numbers(&self.doors), numbers(&self.passed), self.processes);
        #[expect(unsafe_code, reason = "only between fork and exec can a child's descriptors and limits be set")]
        // SAFETY: `prepare` makes system calls only: it neither allocates nor takes a lock.
        unsafe {
            command.pre_exec(move || {
                join(&doors)?;
                prepare(net, &passed, processes)
            });
        }
        let child = on_starter(command).await?;
        drop((self.passed, self.doors, self.net));
        Ok((child, ends))
    }
}

/// Joins control groups. Before all else, so that nothing is done outside of them.
fn join(doors: &[RawFd]) -> io::Result<()> {
    for fd in doors {
        #[expect(unsafe_code, reason = "a number is all that crosses the fork")]
        // SAFETY: the descriptor is open: the `Launch` that owns it outlives the fork.
        let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
        // Whoever writes it.
        rustix::io::write(fd, b"0")?;
    }
    Ok(())
}

/// What a child does before it becomes its program.
fn prepare(net: Option<Joined>, passed: &[RawFd], processes: Option<u64>) -> io::Result<()> {
    net.map_or(Ok(()), Joined::enter)?;
    close_on_exec()?;
    for fd in passed {
        #[expect(unsafe_code, reason = "a number is all that crosses the fork")]
        // SAFETY: the descriptor is open: the `Launch` that owns it outlives the fork.
        let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
    }
    // Whoever kills the server kills this as well.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
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

/// The process group that a child leads.
pub(crate) fn group_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
}

type Job = Box<dyn FnOnce() + Send>;

/// Starts a process on a thread that never ends: the kernel kills a child with a parent-death signal when the *thread*
/// that started it ends, and a runtime's threads come and go.
pub(super) async fn on_starter(mut command: Command) -> io::Result<Child> {
    static STARTER: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);
    let (answer, answered) = oneshot::channel();
    let runtime = Handle::current();
    let job: Job = Box::new(move || {
        let _inside = runtime.enter();
        // When nobody waits any more, the child comes back.
        if let Err(Ok(child)) = answer.send(command.spawn())
            && let Some(group) = group_of(&child)
        {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    });
    {
        let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*starter {
            Some(sender) => sender,
            None => {
                let (sender, jobs) = mpsc::channel::<Job>();
                std::thread::Builder::new()
                    .name("sandbox-start".to_owned())
                    .spawn(move || jobs.into_iter().for_each(|job| job()))?;
                starter.insert(sender)
            }
        };
        if sender.send(job).is_err() {
            *starter = None;
            return Err(io::Error::other("the thread that starts processes ended"));
        }
    }
    answered.await.map_err(|_| io::Error::other("the thread that starts processes ended"))?
}
