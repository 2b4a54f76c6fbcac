//! The network of a run: a network namespace that the server keeps, and that the commands of the run join.
//!
//! Nothing leads from it to anywhere but what the server opens in it. Bubblewrap makes it, as it would make one for a single
//! command, so it asks no more of the host than that. It belongs to a user namespace above those of the commands: in it,
//! they have no privilege whatsoever.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream as StdStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use guildhall_process::{Program, on_starter};
use rustix::fs::{Mode, OFlags, Stat};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use rustix::process::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::bwrap::Bwrap;
use super::launch::Streams;
use super::watch::Tree;
use super::{Network, SandboxError};

/// How long bubblewrap may take to make a namespace.
const MAKING: Duration = Duration::from_secs(10);
/// How long a connection in a namespace may take to stand. Who listens is on the same machine, and may have no room.
const CONNECTING: Duration = Duration::from_secs(5);
/// Connections that wait to be taken at most.
const WAITING: u32 = 128;
/// Bytes that are read of what bubblewrap says when it fails.
const SAID: u64 = 4096;

/// The network of a run. Cheap to clone; it is gone when nobody holds it any more and no command is left in it.
#[derive(Debug, Clone)]
pub struct Net(Arc<Namespaces>);

#[derive(Debug)]
struct Namespaces {
    /// The one that owns the network namespace.
    user: OwnedFd,
    network: OwnedFd,
    held: watch::Sender<()>,
}

/// A network that this does not keep from going.
#[derive(Debug, Clone)]
pub struct WeakNet(Weak<Namespaces>);

impl WeakNet {
    /// The network, if somebody holds it still.
    pub fn upgrade(&self) -> Option<Net> {
        self.0.upgrade().map(Net)
    }
}

/// Namespaces to be joined, as numbers that cross a fork.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joined {
    user: RawFd,
    network: RawFd,
}

impl Joined {
    /// Joins them. Between fork and exec only: it needs a process with one thread.
    pub(super) fn enter(self) -> io::Result<()> {
        // The user namespace first: only in it is there the right to join the other.
        for (fd, kind) in [(self.user, libc::CLONE_NEWUSER), (self.network, libc::CLONE_NEWNET)] {
            #[expect(unsafe_code, reason = "rustix offers setns for threads only")]
            // SAFETY: the call takes two numbers.
            if unsafe { libc::setns(fd, kind) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

impl Net {
    /// Makes one, by this bubblewrap.
    pub(super) async fn make(bwrap: &Bwrap) -> Result<Self, SandboxError> {
        let (launch, status) = bwrap.hold().map_err(SandboxError::starting)?;
        let (child, ends) = launch.start(Streams::Parted).await.map_err(SandboxError::starting)?;
        let mut tree = Tree::new(child, Some(status), None);
        // Until its input is closed, it is there to be looked at.
        let _input = ends.input;
        let ready = async {
            match ends.output {
                Some(mut output) => output.read_u8().await,
                None => Err(io::ErrorKind::BrokenPipe.into()),
            }
        };
        let ready = tokio::time::timeout(MAKING, ready).await;
        let made = match (ready, tree.first()) {
            (Ok(Ok(_)), Some(pid)) => Self::of(pid).map_err(|error| SandboxError::no_net(&error)),
            (Err(_), _) => Err(SandboxError::never_ran("it was not ready in ten seconds")),
            _ => {
                let mut said = Vec::new();
                if let Some(errors) = ends.errors {
                    let mut errors = errors.take(SAID);
                    let _ = tokio::time::timeout(MAKING, errors.read_to_end(&mut said)).await;
                }
                Err(SandboxError::never_ran(&String::from_utf8_lossy(&said)))
            }
        };
        tree.fell().await.map_err(SandboxError::losing)?;
        made
    }

    /// The namespaces of a process that has its own.
    fn of(pid: Pid) -> io::Result<Self> {
        let open = |whose: &str, kind: &str| -> io::Result<OwnedFd> {
            let path = format!("/proc/{whose}/ns/{kind}");
            Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
        };
        let theirs = |kind: &str| -> io::Result<OwnedFd> {
            let namespace = open(&pid.as_raw_pid().to_string(), kind)?;
            let id = |of: &Stat| (of.st_dev, of.st_ino);
            let (new, own) = (rustix::fs::fstat(&namespace)?, rustix::fs::fstat(open("self", kind)?)?);
            match id(&new) == id(&own) {
                true => Err(io::Error::other(format!("it shares the {kind} namespace of the server"))),
                false => Ok(namespace),
            }
        };
        let (held, _) = watch::channel(());
        Ok(Self(Arc::new(Namespaces { user: theirs("user")?, network: theirs("net")?, held })))
    }

    /// What a process that is to be in it has to join.
    pub(super) fn joined(&self) -> Joined {
        Joined { user: self.0.user.as_raw_fd(), network: self.0.network.as_raw_fd() }
    }

    /// Whether this file of a process's `ns` folder, read as a link, names this network.
    pub(super) fn is_at(&self, link: &str) -> bool {
        rustix::fs::fstat(&self.0.network).is_ok_and(|stat| link == format!("net:[{}]", stat.st_ino))
    }

    /// The same, not held.
    pub fn downgrade(&self) -> WeakNet {
        WeakNet(Arc::downgrade(&self.0))
    }

    /// Ends when nobody holds this network any more; does not hold it. For whoever serves something in it.
    pub fn released(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut held = self.0.held.subscribe();
        async move { while held.changed().await.is_ok() {} }
    }

    /// Listens in it, at 127.0.0.1. What listens lives on when the network is not held any more; see [`Net::released`].
    ///
    /// # Errors
    /// When a command got there first, or the kernel refuses.
    pub async fn listener(&self, port: u16) -> io::Result<TcpListener> {
        let socket = self.socket(AddressFamily::INET).await?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        socket.listen(WAITING)
    }

    /// Connects to what a command listens at: at 127.0.0.1 or, if nobody is there, at ::1.
    ///
    /// # Errors
    /// When nobody listens there, or takes the connection within five seconds.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        match self.connect_to((Ipv4Addr::LOCALHOST, port).into(), AddressFamily::INET).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let other = self.connect_to((Ipv6Addr::LOCALHOST, port).into(), AddressFamily::INET6).await;
                // A kernel without the newer protocol says so in several ways.
                other.map_err(|_| error)
            }
            connected => connected,
        }
    }

    async fn connect_to(&self, address: SocketAddr, family: AddressFamily) -> io::Result<TcpStream> {
        let socket = self.socket(family).await?;
        tokio::time::timeout(CONNECTING, socket.connect(address)).await?
    }

    /// A socket in it. A socket stays in the namespace that it was made in, wherever it is used; so a child joins the
    /// namespace, makes it, hands it over and is gone.
    async fn socket(&self, family: AddressFamily) -> io::Result<TcpSocket> {
        let (ours, theirs) = UnixStream::pair()?;
        let net = self.clone();
        let nothing = std::fs::File::open("/dev/null")?;
        let streams = [nothing.try_clone()?.into(), nothing.try_clone()?.into(), nothing.into()];
        // It never becomes this program.
        let program = Program::new(Path::new("/proc/self/exe"), &[], &[], Path::new("/"), streams)?;
        let started = on_starter(move || {
            #[expect(unsafe_code, reason = "only before it is a program can a process join a user namespace")]
            // SAFETY: `hand_over` makes system calls only: it neither allocates nor takes a lock. What it refers to is open
            // for as long as this.
            unsafe {
                program.start(true, || hand_over(net.joined(), theirs.as_fd(), family))
            }
        });
        let status = started.await?.wait().await?;
        let stream = receive(&ours)?.ok_or_else(|| io::Error::other(format!("no socket came: {status}")))?;
        Ok(TcpSocket::from_std_stream(StdStream::from(stream)))
    }
}

/// What the child does that makes a socket. It returns only if that fails.
fn hand_over(joined: Joined, to: BorrowedFd<'_>, family: AddressFamily) -> io::Result<()> {
    joined.enter()?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    let rights = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(&rights));
    rustix::net::sendmsg(to, &[IoSlice::new(b"s")], &mut message, SendFlags::NOSIGNAL)?;
    #[expect(unsafe_code, reason = "a copy of the server must end without doing anything of the server's")]
    // SAFETY: it ends the process, which has one thread and nothing to clean up.
    unsafe {
        libc::_exit(0)
    }
}

/// The descriptor that was handed over, if one was.
fn receive(from: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    rustix::net::recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut message, flags)?;
    Ok(message.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    }))
}

impl Network {
    /// What a command has to join.
    pub(super) fn net(&self) -> Option<&Net> {
        match self {
            Self::None => None,
            Self::Of(net) => Some(net),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_the_servers_namespaces_is_no_network_of_a_run() {
        let error = Net::of(rustix::process::getpid()).unwrap_err();
        assert!(error.to_string().contains("shares the user namespace of the server"), "{error}");
    }
}
