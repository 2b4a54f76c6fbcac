//! A terminal for a command: a pseudo-terminal of the server's own. What is typed goes in, what is shown comes out.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use tokio::io::unix::AsyncFd;

/// How large a terminal is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// The side of a terminal at which a person sits.
#[derive(Debug)]
pub struct Terminal(AsyncFd<OwnedFd>);

impl Terminal {
    /// Opens one. Returns the command's side as well.
    pub(crate) fn open(size: Size) -> io::Result<(Self, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = rustix::pty::openpt(flags)?;
        rustix::pty::unlockpt(&ours)?;
        // By the descriptor, not by a name below /dev/pts, where a container may have another one of that name.
        let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        resize(&ours, size)?;
        #[expect(unsafe_code, reason = "tokio cannot tell whether a descriptor stays open")]
        // SAFETY: it is owned by the `AsyncFd`, so it is open until that is dropped, and it always is the same one.
        let ours = unsafe { AsyncFd::register(ours)? };
        Ok((Self(ours), theirs))
    }

    /// Reads what is shown. Nothing read means that nobody holds the other side any more.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|ours| Ok(rustix::io::read(ours.get_ref(), &mut *into)?)) {
                // The other side is closed.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => return Ok(0),
                Ok(read) => return read,
                Err(_) => {}
            }
        }
    }

    /// Types; as much as there is room for. Returns how much that was.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.writable().await?;
            if let Ok(written) = ready.try_io(|ours| Ok(rustix::io::write(ours.get_ref(), bytes)?)) {
                return written;
            }
        }
    }

    /// Makes it as large as the window that shows it is now.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        resize(self.0.get_ref(), size)
    }
}

fn resize(terminal: impl AsFd, size: Size) -> io::Result<()> {
    let Size { columns, rows } = size;
    Ok(rustix::termios::tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?)
}

/// Makes what a child reads from the terminal that controls it. Makes system calls only.
pub(crate) fn take() -> io::Result<()> {
    rustix::process::setsid()?;
    #[expect(unsafe_code, reason = "a child between fork and exec has no owner of its streams")]
    // SAFETY: it was put there before, and stays open.
    let terminal = unsafe { std::os::fd::BorrowedFd::borrow_raw(libc::STDIN_FILENO) };
    Ok(rustix::process::ioctl_tiocsctty(terminal)?)
}
