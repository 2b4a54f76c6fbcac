//! What a server that was killed has left behind.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Ends every bubblewrap that was started with `folder` or one below it. Returns how many there were.
///
/// Commands die with their server by themselves, but for one moment: while bubblewrap's outer process hands over to the
/// inner one, the inner one waits for a word that a dead parent never sends. What has none of the server's folders bound into it is
/// known by [`crate::Sandbox::of_server`]. Call this only when no other server can have commands at work in `folder`. Blocks.
pub fn end_leftovers(folder: &Path) -> usize {
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let mut ended = 0;
    for process in processes.flatten() {
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| is_ours(&process.path(), folder)) else { continue };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // The number may have passed on to another process before the handle was opened; not after.
        if is_ours(&process.path(), folder) && pidfd_send_signal(handle, Signal::KILL).is_ok() {
            ended += 1;
        }
    }
    ended
}

/// Whether a process is a bubblewrap with `folder` or one below it among its arguments.
fn is_ours(process: &Path, folder: &Path) -> bool {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let mut arguments = line.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    let below = |argument: &[u8]| {
        let rest = argument.strip_prefix(folder.as_os_str().as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    };
    (program == b"bwrap" || program.ends_with(b"/bwrap")) && arguments.any(below)
}
