//! Starts a process that shares this one's memory until it becomes its program, rather than copying it.
//!
//! What a process takes on between fork and exec, the standard library can do after a fork only. A fork copies the tables of
//! all of the server's memory and makes every page of it stumble once more, for all its threads: with three hundred agents, a quarter
//! of the server's time went there. Here the new process borrows the memory for that moment, as `posix_spawn` does, while the
//! thread that started it stands still.

use std::ffi::{CStr, CString, OsString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use tokio::io::unix::AsyncFd;
use tokio::runtime;

/// What the new process may use of stack before it becomes its program, in words of 16 bytes.
const STACK: usize = 8 * 1024;
/// The highest number of a signal.
const SIGNALS: c_int = 64;

/// A program, with all that it is given, ready to be started.
#[derive(Debug)]
pub struct Program {
    path: CString,
    args: Vec<CString>,
    env: Vec<CString>,
    folder: CString,
    /// What becomes its first three descriptors.
    streams: [OwnedFd; 3],
}

impl Program {
    /// A program to be started with these arguments after its own name, with this environment and no other, in this folder.
    ///
    /// # Errors
    /// When something of it holds a NUL character.
    pub fn new(
        path: &Path,
        args: &[OsString],
        env: &[(OsString, OsString)],
        folder: &Path,
        streams: [OwnedFd; 3],
    ) -> io::Result<Self> {
        let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::from);
        let name = path.as_os_str();
        Ok(Self {
            path: text(name.as_bytes())?,
            args: std::iter::once(name)
                .chain(args.iter().map(AsRef::as_ref))
                .map(|arg| text(arg.as_bytes()))
                .collect::<Result<_, _>>()?,
            env: env
                .iter()
                .map(|(key, value)| text(&[key.as_bytes(), b"=", value.as_bytes()].concat()))
                .collect::<Result<_, _>>()?,
            folder: text(folder.as_os_str().as_bytes())?,
            streams,
        })
    }

    /// Starts it. Blocks until it has become its program. `prepare` is what it does before, in the order given: it leads a group of
    /// processes by then where `leads` says so, and is in its folder.
    ///
    /// # Errors
    /// When the kernel makes no process, or what comes before the program fails, or there is no such program.
    ///
    /// # Safety
    /// `prepare` makes system calls only. It neither allocates nor takes a lock, and does not panic: it runs in another process
    /// that shares this one's memory, whose other threads go on.
    #[expect(unsafe_code, reason = "the caller promises what the compiler cannot see")]
    pub unsafe fn start<F: FnMut() -> io::Result<()>>(&self, leads: bool, prepare: F) -> io::Result<Process> {
        let pointers = |list: &[CString]| -> Vec<*const c_char> {
            list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (args, env) = (pointers(&self.args), pointers(&self.env));
        let mut begin = Begin { program: self, args: &args, env: &env, leads, prepare, failed: 0 };
        let mut stack = Vec::<u128>::with_capacity(STACK);
        let mut handle: c_int = -1;
        // SAFETY: the process runs on a stack of its own, which grows downward from its end and is aligned to 16 bytes; the
        // kernel holds this thread until it is another program or gone, so that all it refers to lives for as long as that. With
        // every signal blocked, no handler of this process runs in the other.
        let pid = unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
            let top = stack.as_mut_ptr().add(STACK).cast::<c_void>();
            let pid = libc::clone(begin_in::<F>, top, flags, (&raw mut begin).cast::<c_void>(), &raw mut handle);
            // Before anything else may change it.
            let error = io::Error::last_os_error();
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
            made(pid, error)?
        };
        // SAFETY: the kernel has just made it for this call alone.
        let handle = unsafe { OwnedFd::from_raw_fd(handle) };
        let failed = begin.failed;
        let process = Process { pid, handle: Some(Handle::Made(handle)), status: None };
        if failed != 0 {
            // Dropping it takes leave of it.
            return Err(io::Error::from_raw_os_error(failed));
        }
        Ok(process)
    }
}

/// The process that a clone has made, if it has made one. What it answers when it is refused is no number of a process.
fn made(answer: c_int, error: io::Error) -> io::Result<Pid> {
    Some(answer).filter(|pid| *pid > 0).and_then(Pid::from_raw).ok_or(error)
}

/// What the new process finds.
struct Begin<'a, F> {
    program: &'a Program,
    args: &'a [*const c_char],
    env: &'a [*const c_char],
    leads: bool,
    prepare: F,
    /// What it tells when it fails: the number of an error.
    failed: c_int,
}

/// Where the new process begins.
extern "C" fn begin_in<F: FnMut() -> io::Result<()>>(begin: *mut c_void) -> c_int {
    #[expect(unsafe_code, reason = "what a process is given at its beginning is a pointer")]
    // SAFETY: it is the one that `start` gave, and nobody else has it while that stands still.
    let begin = unsafe { &mut *begin.cast::<Begin<'_, F>>() };
    let error = begin.run();
    begin.failed = error.raw_os_error().unwrap_or(libc::EIO);
    #[expect(
        unsafe_code,
        reason = "a process that shares the server's memory must end without doing anything of the server's"
    )]
    // SAFETY: it ends this process alone, and cleans nothing up.
    unsafe {
        libc::_exit(127)
    }
}

impl<F: FnMut() -> io::Result<()>> Begin<'_, F> {
    /// Becomes the program. Returns only if that fails.
    fn run(&mut self) -> io::Error {
        match self.get_ready() {
            Err(error) => error,
            Ok(()) => {
                #[expect(unsafe_code, reason = "no crate in use offers it")]
                // SAFETY: both lists end with a null pointer, and all that they point to lives.
                unsafe {
                    libc::execve(self.program.path.as_ptr(), self.args.as_ptr(), self.env.as_ptr());
                }
                io::Error::last_os_error()
            }
        }
    }

    fn get_ready(&mut self) -> io::Result<()> {
        // The server's first three descriptors are open, as those of every Rust program are: so none of these is one of them.
        for (stream, number) in self.program.streams.iter().zip(0..) {
            #[expect(unsafe_code, reason = "a number for a descriptor is what this is about")]
            // SAFETY: the call takes two numbers, and changes this process's own table.
            check(unsafe { libc::dup2(stream.as_raw_fd(), number) })?;
        }
        enter(&self.program.folder)?;
        if self.leads {
            rustix::process::setpgid(None, None)?;
        }
        (self.prepare)()?;
        heed_signals()
    }
}

fn enter(folder: &CStr) -> io::Result<()> {
    Ok(rustix::process::chdir(folder)?)
}

fn check(done: c_int) -> io::Result<()> {
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Heeds every signal as a new program does: those that the server handles or ignores too. None is blocked any more.
fn heed_signals() -> io::Result<()> {
    #[expect(unsafe_code, reason = "no crate in use offers it")]
    // SAFETY: the structures are plain data, and the calls change what is this process's own: it shares memory, but no handlers.
    unsafe {
        let mut usual: libc::sigaction = std::mem::zeroed();
        usual.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=SIGNALS {
            // Some cannot be changed, and need not be.
            libc::sigaction(signal, &raw const usual, std::ptr::null_mut());
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// A process that was started. Dropping it kills it, with the group that it leads.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    /// Tells when it has ended. Nothing once that was told.
    handle: Option<Handle>,
    status: Option<ExitStatus>,
}

/// What the kernel tells of a process by.
#[derive(Debug)]
enum Handle {
    /// Nobody has waited for it yet.
    Made(OwnedFd),
    /// The runtime looks at it, and goes on with that until it is dropped: who reads what a process prints asks again after each piece.
    Watched(AsyncFd<OwnedFd>),
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Made(handle) => handle.as_fd(),
            Self::Watched(handle) => handle.get_ref().as_fd(),
        }
    }
}

impl Process {
    /// Kills all that are in the group that it leads. Does nothing once its end was told: they were killed before that, and the
    /// number may be another's by now.
    pub fn kill_group(&self) {
        if self.handle.is_some() {
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Waits until it has ended, and kills what it left in the group that it led. May be given up and asked again.
    ///
    /// # Errors
    /// When the kernel does not say how it ended.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        if let Some(Handle::Made(handle)) = &self.handle {
            // A second one, so that the first is still there to kill by if this fails.
            self.handle = Some(Handle::Watched(watched(handle.try_clone()?)?));
        }
        let Some(Handle::Watched(handle)) = &self.handle else { return Err(io::Error::other("a process was lost")) };
        let status = ended(self.pid, handle).await?;
        self.status = Some(status);
        self.handle = None;
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What it has not been taken leave of keeps its number, and so does the group that it leads.
        self.kill_group();
        let (pid, Some(handle)) = (self.pid, self.handle.take()) else { return };
        let _ = rustix::process::pidfd_send_signal(handle.as_fd(), Signal::KILL);
        if !matches!(reap(pid, handle.as_fd()), Ok(None)) {
            return;
        }
        // Somebody has to take leave of it, or its number stays taken for as long as the server runs.
        let Ok(runtime) = runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let handle = match handle {
                Handle::Made(handle) => watched(handle)?,
                Handle::Watched(handle) => handle,
            };
            ended(pid, &handle).await
        });
    }
}

/// Has the runtime look at the handle of a process.
fn watched(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(unsafe_code, reason = "tokio cannot tell whether a descriptor stays open")]
    // SAFETY: it is owned by the `AsyncFd`, so it is open until that is dropped, and it always is the same one.
    let watched = unsafe { AsyncFd::register(handle) };
    Ok(watched?)
}

/// Waits until a process has ended.
async fn ended(pid: Pid, handle: &AsyncFd<OwnedFd>) -> io::Result<ExitStatus> {
    loop {
        let mut ready = handle.readable().await?;
        match reap(pid, handle.get_ref().as_fd())? {
            Some(status) => return Ok(status),
            None => ready.clear_ready(),
        }
    }
}

/// How a process ended, if it did. It is taken leave of.
fn reap(pid: Pid, handle: BorrowedFd<'_>) -> io::Result<Option<ExitStatus>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let look = |more| rustix::process::waitid(WaitId::PidFd(handle), options | more);
    if look(WaitIdOptions::NOWAIT)?.is_some() {
        // Only until it is taken leave of is its number its own for sure, and with that its group's: so what is left in that goes now.
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
    Ok(look(WaitIdOptions::empty())?.map(status))
}

/// The same as the standard library's functions have it.
fn status(ended: WaitIdStatus) -> ExitStatus {
    let raw = match ended.exit_status() {
        Some(code) => (code & 0xff) << 8,
        None => ended.terminating_signal().unwrap_or_default(),
    };
    ExitStatus::from_raw(raw)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn start(path: &str, line: &str, prepare: impl FnMut() -> io::Result<()>) -> io::Result<Process> {
        let nothing = || OwnedFd::from(std::fs::File::options().read(true).write(true).open("/dev/null").unwrap());
        let args = ["-c", line].map(OsString::from);
        let env = [("WORD".into(), "here".into())];
        let streams = [nothing(), nothing(), nothing()];
        let program = Program::new(Path::new(path), &args, &env, Path::new("/usr"), streams)?;
        #[expect(unsafe_code, reason = "as in what is tested")]
        // SAFETY: what the tests give makes no more than system calls.
        unsafe {
            program.start(true, prepare)
        }
    }

    #[tokio::test]
    async fn a_program_gets_what_it_is_given_and_its_end_is_told() {
        let line = r#"test "$PWD $WORD" = "/usr here" && test "$(env | grep -c WORD)" = 1 && exit 7"#;
        let mut ended = start("/bin/sh", line, || Ok(())).unwrap();
        assert_eq!(ended.wait().await.unwrap().code(), Some(7));
        assert_eq!(ended.wait().await.unwrap().code(), Some(7), "it may be asked again");
        let mut killed = start("/bin/sh", "kill -TERM $$", || Ok(())).unwrap();
        assert_eq!(killed.wait().await.unwrap().signal(), Some(libc::SIGTERM));
        let pid = start("/bin/sh", "sleep 60 & wait", || Ok(())).unwrap().pid;
        while rustix::process::test_kill_process_group(pid).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn what_is_left_of_a_group_goes_with_its_leader_and_nobody_afterwards() {
        let mut leader = start("/bin/sh", "sleep 600 & exit 0", || Ok(())).unwrap();
        assert_eq!(leader.wait().await.unwrap().code(), Some(0));
        let gone = async {
            while rustix::process::test_kill_process_group(leader.pid).is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
        // Numbers come again: this stands for a process that has that of one whose end was told.
        let mut other = start("/bin/sh", "sleep 0.3; exit 3", || Ok(())).unwrap();
        leader.pid = other.pid;
        leader.kill_group();
        drop(leader);
        assert_eq!(other.wait().await.unwrap().code(), Some(3));
    }

    #[test]
    fn a_process_that_the_kernel_refuses_is_an_error() {
        for answer in [-1, 0] {
            let refused = made(answer, io::Error::from_raw_os_error(libc::EAGAIN)).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::EAGAIN));
        }
        assert_eq!(made(17, io::Error::from_raw_os_error(0)).unwrap().as_raw_pid(), 17);
    }

    #[tokio::test]
    async fn what_does_not_become_its_program_is_an_error() {
        let gone = start("/nowhere/sh", "true", || Ok(())).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        let refused = start("/bin/sh", "true", || Err(io::Error::from_raw_os_error(libc::EDQUOT))).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EDQUOT));
        assert_eq!(start("/bin/sh", "a\0b", || Ok(())).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
