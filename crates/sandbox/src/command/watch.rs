//! Watches a started process to its end: takes in what it prints, ends it at the timeout, leaves no survivor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use guildhall_process::Process;
use guildhall_types::blot::Blot;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Exit;
use super::bwrap::Status;
use super::growth::Growth;
use super::output::{HeadAndTail, Live};
use crate::cgroup::{Cell, Met};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// How long the kernel may take to end what was killed.
const DEATH: Duration = Duration::from_secs(5);
/// Bytes that are still taken in after the end: more than a pipe holds.
const MAX_REST: usize = 4 * 1024 * 1024;

/// A process with everything that it started. Dropping it kills all of them.
#[derive(Debug)]
pub(crate) struct Tree {
    process: Process,
    over: bool,
    /// All of it is gone, so that its numbers may be others' by now.
    fallen: bool,
    /// What bubblewrap says; there is none without a sandbox.
    status: Option<Told>,
    /// Its control group, until it is left.
    cell: Option<Cell>,
    /// Who leaves it, on a thread that may wait for the kernel, and tells what that counted.
    leaving: Option<JoinHandle<Met>>,
    /// What the kernel counted of it, once that is known.
    met: Met,
}

/// How a tree ended, and what it printed.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) exit: Exit,
    pub(crate) output: String,
    pub(crate) omitted: u64,
    /// The sandbox could not be set up, and the command never ran.
    pub(crate) never_ran: bool,
    /// What the kernel counted of it.
    pub(crate) met: Met,
}

/// What bubblewrap said so far, as lines of JSON.
#[derive(Debug)]
struct Told {
    pipe: OwnedFd,
    text: Vec<u8>,
}

impl Told {
    /// The number after `"key":`.
    fn number(&mut self, key: &str) -> Option<u64> {
        let mut chunk = [0; 1024];
        // The pipe is bubblewrap's alone, which writes a few hundred bytes.
        while self.text.len() < 16 * 1024 {
            match rustix::io::read(&self.pipe, &mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.text.extend_from_slice(&chunk[..count]),
            }
        }
        let text = String::from_utf8_lossy(&self.text);
        let rest = text.split_once(&format!("\"{key}\":"))?.1.trim_start();
        rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
    }

    /// The number of the process that bubblewrap started.
    fn child(&mut self) -> Option<Pid> {
        Pid::from_raw(self.number("child-pid")?.try_into().ok()?)
    }

    /// The first process of the sandbox's own process namespace. The kernel lets it end only after all the others.
    fn first_process(&mut self) -> Option<OwnedFd> {
        let pid = self.child()?;
        let first = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        // Looked at afterwards: what is in its namespaces by now was so before.
        self.is_of(pid).then_some(first)
    }

    /// Whether what has this number now is of the sandbox, as far as that can be seen: somebody may have taken leave of the one that
    /// had it, and numbers come again.
    fn is_of(&mut self, pid: Pid) -> bool {
        // Not every sandbox has both of its own.
        ["pid", "net"].into_iter().all(|kind| {
            let Some(own) = self.number(&format!("{kind}-namespace")) else { return true };
            let there = std::fs::read_link(format!("/proc/{}/ns/{kind}", pid.as_raw_pid()));
            there.map_or(true, |there| there.as_os_str() == format!("{kind}:[{own}]").as_str())
        })
    }
}

impl Tree {
    pub(crate) fn new(process: Process, status: Option<Status>, cell: Option<Cell>) -> Self {
        let status = status.map(|Status(pipe)| Told { pipe, text: Vec::new() });
        Self { process, over: false, fallen: false, status, cell, leaving: None, met: Met::default() }
    }

    /// What the kernel counted of it: nothing before it has ended.
    pub(crate) fn met(&self) -> Met {
        self.met
    }

    /// Waits until the process ended, `timeout` passed or the worktree had grown too large, and everything that it started is gone as well.
    pub(crate) async fn end(
        mut self,
        mut output: pipe::Receiver,
        timeout: Duration,
        max_output: usize,
        growth: &mut Growth,
        blot: &Blot,
        on_output: &mut (dyn FnMut(&str) + Send),
    ) -> io::Result<End> {
        let mut kept = HeadAndTail::new(max_output);
        let mut live = Live::default();
        // Before anything is kept or shown, so that no cut goes through a secret and leaves half of it.
        let mut blot = blot.stream();
        let mut chunk = vec![0; CHUNK];
        let mut open = true;
        let deadline = tokio::time::sleep_until(later(timeout));
        tokio::pin!(deadline);
        let mut grown = None;
        let ended = loop {
            tokio::select! {
                // In this order, so that a command that never stops printing is still stopped.
                biased;
                () = &mut deadline => break None,
                status = self.process.wait() => break Some(status?),
                over = growth.over() => {
                    grown = Some(over);
                    break None;
                }
                count = output.read(&mut chunk), if open => {
                    let bytes = &chunk[..count?];
                    open = !bytes.is_empty();
                    let shown = blot.push(bytes);
                    kept.push(&shown);
                    live.push(&shown, on_output);
                }
            }
        };
        // A process that was left behind may hold the pipe: in a sandbox they all die now, elsewhere most do.
        self.fell().await?;
        let mut rest = 0;
        while rest < MAX_REST {
            // Asked of the kernel itself: tokio would say that there is nothing until it was told of it.
            match rustix::io::read(&output, &mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    let shown = blot.push(&chunk[..count]);
                    kept.push(&shown);
                    live.push(&shown, on_output);
                    rest += count;
                }
            }
        }
        let shown = blot.finish();
        kept.push(&shown);
        live.push(&shown, on_output);
        live.finish(on_output);
        let never_ran = ended.as_ref().is_some_and(|status| self.never_ran(status));
        let stopped = if grown.is_some() { Exit::Signal(libc::SIGKILL) } else { Exit::TimedOut };
        let exit = ended.map_or(stopped, |status| exit(status, self.status.is_some()));
        if ended.is_none() {
            tokio::time::timeout(DEATH, self.process.wait()).await.ok();
        }
        let (output, omitted) = kept.finish();
        let met = Met { over: grown.or(self.met.over), ..self.met };
        Ok(End { exit, output, omitted, never_ran, met })
    }

    /// Waits until the process ended by itself, and everything that it started is gone as well. May be given up and asked
    /// again. Says nothing when the sandbox could not be set up, and the command never ran.
    pub(crate) async fn ended(&mut self) -> io::Result<Option<Exit>> {
        let status = self.process.wait().await?;
        self.fell().await?;
        Ok((!self.never_ran(&status)).then(|| exit(status, self.status.is_some())))
    }

    /// The number of the process that bubblewrap started, once it did.
    pub(crate) fn first(&mut self) -> Option<Pid> {
        self.status.as_mut().and_then(Told::child)
    }

    /// Kills everything, and waits until all that the command started is gone. May be given up and asked again.
    pub(crate) async fn fell(&mut self) -> io::Result<()> {
        let mut alone = false;
        if !self.fallen {
            if let Some(first) = self.kill() {
                alone = self.is_alone();
                if alone {
                    // It is bubblewrap's own, and takes its mounts down: a fair part of what a short command takes.
                    tokio::spawn(gone(first));
                } else {
                    gone(first).await?;
                }
            }
            self.fallen = true;
        }
        if let Some(cell) = self.cell.take() {
            // Without a sandbox, what left the group of processes is found there. What is not gone yet goes when nobody waits for it.
            self.leaving = Some(tokio::task::spawn_blocking(move || cell.leave(!alone)));
        }
        if let Some(leaving) = &mut self.leaving {
            let met = leaving.await;
            self.leaving = None;
            self.met = met.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Whether the command has ended and left nothing: the first process of its namespace, which was killed, has no other below it.
    /// Whatever is in that namespace descends from it, and what has lost its parent becomes its child. The kernel looks for the first one
    /// on its list at one moment, so an empty list is no chance. Where it keeps none, it is not known.
    fn is_alone(&mut self) -> bool {
        let Some(told) = &mut self.status else { return false };
        let (Some(_), Some(first)) = (told.number("exit-code"), told.child().map(Pid::as_raw_pid)) else {
            return false;
        };
        std::fs::read(format!("/proc/{first}/task/{first}/children")).is_ok_and(|list| list.is_empty())
    }

    /// Whether bubblewrap ended before the command began.
    fn never_ran(&mut self, status: &ExitStatus) -> bool {
        let told = self.status.as_mut();
        told.is_some_and(|told| status.code().is_some() && told.number("exit-code").is_none())
    }

    /// Kills the process, its group, and the first process of its namespace, with which the whole namespace dies.
    fn kill(&mut self) -> Option<OwnedFd> {
        self.over = true;
        let before = self.status.as_mut().and_then(Told::first_process);
        // While bubblewrap still sets up, all are in its group; later the namespace holds them.
        self.process.kill_group();
        let first = before.or_else(|| self.status.as_mut().and_then(Told::first_process))?;
        let _ = rustix::process::pidfd_send_signal(&first, Signal::KILL);
        Some(first)
    }
}

/// Waits until a namespace's first process is gone, and so all of them.
async fn gone(first: OwnedFd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "tokio cannot tell whether a descriptor stays open")]
    // SAFETY: it is owned by the `AsyncFd`, so it is open until that is dropped, and it always is the same one.
    let first = unsafe { AsyncFd::register(first)? };
    if tokio::time::timeout(DEATH, first.readable()).await.is_err() {
        tracing::warn!("a sandbox that was killed is still there");
    }
    // Bubblewrap ended before it, so it became a child of the host's first process. In a container that may be this
    // server, which then has to take its leave.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let _ = rustix::process::waitid(WaitId::PidFd(first.get_ref().as_fd()), options);
    Ok(())
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.over {
            self.kill();
        }
    }
}

fn later(timeout: Duration) -> Instant {
    let now = Instant::now();
    // A timeout beyond all bounds is no timeout.
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(365 * 86_400))
}

fn exit(status: ExitStatus, sandboxed: bool) -> Exit {
    match (status.code(), status.signal()) {
        // Bubblewrap tells a signal as a shell does, by 128 more than its number. Codes that programs use themselves, as
        // git uses 129, are left alone.
        (Some(code), _) if sandboxed && FATAL.contains(&(code - 128)) => Exit::Signal(code - 128),
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// Signals by which programs die.
const FATAL: &[i32] = &[
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGKILL,
    libc::SIGSEGV,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use tokio::process::{Child, Command};

    use super::super::launch::{Launch, Streams};
    use super::*;

    /// What bubblewrap would say of this process, were it in this namespace.
    fn told(process: &Child, namespace: u64) -> Status {
        let (reader, writer) = io::pipe().unwrap();
        let line = format!("{{ \"child-pid\": {}, \"pid-namespace\": {namespace} }}\n", process.id().unwrap());
        rustix::io::write(&writer, line.as_bytes()).unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        Status(reader.into())
    }

    /// The number of the process namespace of the tests, which is that of what they start.
    fn ours() -> u64 {
        std::fs::metadata("/proc/self/ns/pid").unwrap().ino()
    }

    /// The same of one whose command has ended.
    fn told_the_end(process: &Child) -> Status {
        let (reader, writer) = io::pipe().unwrap();
        let lines = format!(
            "{{ \"child-pid\": {}, \"pid-namespace\": {} }}\n{{ \"exit-code\": 0 }}\n",
            process.id().unwrap(),
            ours()
        );
        rustix::io::write(&writer, lines.as_bytes()).unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        Status(reader.into())
    }

    async fn tree(status: Status) -> Tree {
        let (process, _ends) = Launch::new("/bin/true".into(), "/".into()).start(Streams::Merged).await.unwrap();
        Tree::new(process, Some(status), None)
    }

    fn sleeps() -> Child {
        Command::new("/bin/sleep").arg("60").kill_on_drop(true).spawn().unwrap()
    }

    /// Whether it was killed; it is gone afterwards.
    async fn was_killed(mut process: Child) -> bool {
        // Whoever waited for it to be killed took leave of it as well, so that nobody is found.
        if !matches!(process.try_wait(), Ok(None)) {
            return true;
        }
        process.kill().await.unwrap();
        false
    }

    #[tokio::test]
    async fn what_has_a_number_of_the_sandbox_without_being_in_it_is_left_alone() {
        // The one that had the number before is gone, and was of another namespace.
        let (first, stranger) = (sleeps(), sleeps());
        tree(told(&stranger, ours() + 1)).await.fell().await.unwrap();
        drop(tree(told(&stranger, ours() + 1)).await);
        assert!(!was_killed(stranger).await);
        tree(told(&first, ours())).await.fell().await.unwrap();
        assert!(was_killed(first).await);
    }

    #[tokio::test]
    async fn only_what_has_nothing_below_it_is_not_waited_for() {
        let first = sleeps();
        assert!(!tree(told(&first, ours())).await.is_alone(), "its command may be yet to begin");
        let mut alone = tree(told_the_end(&first)).await;
        assert!(alone.is_alone());
        let mut parent = Command::new("/bin/sh");
        parent
            .args(["-c", "sleep 5 > /dev/null 2>&1 & echo begun; wait"])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true);
        let mut parent = parent.spawn().unwrap();
        let mut begun = [0; 6];
        parent.stdout.take().unwrap().read_exact(&mut begun).await.unwrap();
        let mut left = tree(told_the_end(&parent)).await;
        assert!(!left.is_alone());
        for (mut tree, process) in [(alone, first), (left, parent)] {
            tree.fell().await.unwrap();
            assert!(was_killed(process).await);
        }
    }

    #[tokio::test]
    async fn what_has_fallen_kills_nobody_any_more() {
        let (first, later) = (sleeps(), sleeps());
        let mut tree = tree(told(&first, ours())).await;
        tree.ended().await.unwrap();
        assert!(was_killed(first).await);
        // Stands for one that has the number of the first one now.
        let Status(pipe) = told(&later, ours());
        tree.status = Some(Told { pipe, text: Vec::new() });
        tree.fell().await.unwrap();
        drop(tree);
        assert!(!was_killed(later).await);
    }
}
