//! The thread that starts processes which die with the server.

use std::io;
use std::sync::{Mutex, PoisonError, mpsc};

use rustix::process::{Pid, Signal};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Has this process killed when the one that started it, and that must be `server`, is. For a process that is yet to become its
/// program, and after whatever changes its privileges: that may undo it. It makes system calls only.
///
/// # Errors
/// When the server is gone already, so that nothing would tell this of its death.
pub fn die_with(server: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(server) {
        return Err(rustix::io::Errno::SRCH.into());
    }
    Ok(())
}

/// Starts a process on a thread that never ends: the kernel kills a child with a parent-death signal when the *thread*
/// that started it ends, and a runtime's threads come and go. What was started when nobody waits for it any more is dropped.
///
/// # Errors
/// When `start` fails, or there is no such thread.
pub async fn on_starter<T: Send + 'static>(start: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    static STARTER: Mutex<Option<mpsc::Sender<Job>>> = Mutex::new(None);
    let (answer, answered) = oneshot::channel();
    let runtime = Handle::current();
    let job: Job = Box::new(move || {
        let _inside = runtime.enter();
        // Our copies of what the child was given are closed by the time that anybody is told.
        let started = start();
        drop(answer.send(started));
    });
    {
        let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*starter {
            Some(sender) => sender,
            None => {
                let (sender, jobs) = mpsc::channel::<Job>();
                std::thread::Builder::new()
                    .name("process-start".to_owned())
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use super::*;
    use crate::{Process, Program};

    fn begin(server: Pid) -> io::Result<Process> {
        let nothing = || OwnedFd::from(std::fs::File::options().read(true).write(true).open("/dev/null").unwrap());
        let program = Program::new(
            Path::new("/bin/true"),
            &[] as &[OsString],
            &[],
            Path::new("/"),
            [nothing(), nothing(), nothing()],
        )?;
        #[expect(unsafe_code, reason = "as in what is tested")]
        // SAFETY: it makes system calls only.
        unsafe {
            program.start(true, || die_with(server))
        }
    }

    #[tokio::test]
    async fn what_is_started_for_a_server_that_is_gone_does_not_become_its_program() {
        assert_eq!(begin(rustix::process::getpid()).unwrap().wait().await.unwrap().code(), Some(0));
        // Its parent is another than the one for which it is started, as when that was killed.
        let gone = begin(rustix::process::getppid().unwrap_or(Pid::INIT)).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ESRCH));
    }
}
