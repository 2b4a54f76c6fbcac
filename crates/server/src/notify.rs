//! Tells systemd how the service is: that it is ready, that it lives, that it stops (`Type=notify`, `WatchdogSec=`).
//!
//! The protocol is a datagram of lines to a socket that the environment names. Without that name nothing is done.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// A line to systemd. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Notify {
    socket: Option<Arc<UnixDatagram>>,
    /// After how long without a word systemd takes the service for dead.
    watchdog: Option<Duration>,
}

impl Notify {
    /// As this process's environment says.
    pub fn of_this_process() -> Self {
        Self::new(&|name| std::env::var_os(name), std::process::id())
    }

    fn new(env: &dyn Fn(&str) -> Option<OsString>, own: u32) -> Self {
        let Some(name) = env("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Self::default() };
        let socket = match connect(&name) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "systemd cannot be told how the service is; with Type=notify it ends the service");
                return Self::default();
            }
        };
        let number = |name| env(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
        // The watchdog may be another process's: the variables are inherited.
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(own));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        Self { socket: Some(Arc::new(socket)), watchdog }
    }

    /// The service is ready, and at this address.
    pub fn ready(&self, url: &str) {
        self.say(&format!("READY=1\nSTATUS=Serving {url}"));
    }

    /// The service was told to stop, and gives its runs back.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=Giving runs back to the queue");
    }

    /// Says that the service lives, twice in each time after which it would be taken for dead. Whoever spawns this says so by
    /// it as long as the runtime gives tasks their turn.
    pub async fn live(self) {
        let Some(most) = self.watchdog else { return };
        loop {
            self.say("WATCHDOG=1");
            tokio::time::sleep(most / 2).await;
        }
    }

    /// A word that is lost is said again or does not matter: nothing is done about it.
    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(what.as_bytes())
        {
            tracing::warn!(%error, "systemd could not be told how the service is");
        }
    }
}

/// A name that begins with `@` is one without a file.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // Nobody waits for systemd.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 200];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[tokio::test]
    async fn systemd_hears_of_the_start_the_life_and_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let abstract_name = format!("guildhall-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        for (ear, name) in [
            (UnixDatagram::bind(&path).unwrap(), path.clone().into_os_string()),
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{abstract_name}").into()),
        ] {
            ear.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let env = move |asked: &str| match asked {
                "NOTIFY_SOCKET" => Some(name.clone()),
                "WATCHDOG_USEC" => Some("4000000".into()),
                "WATCHDOG_PID" => Some("7".into()),
                _ => None,
            };
            let notify = Notify::new(&env, 7);
            notify.ready("https://guild.example.com");
            assert_eq!(heard(&ear), "READY=1\nSTATUS=Serving https://guild.example.com");
            // Another process's watchdog is not ours to feed.
            let other = Notify::new(&env, 8);
            assert!(other.socket.is_some() && other.watchdog.is_none());
            let living = tokio::spawn(notify.clone().live());
            let (word, ear) = tokio::task::spawn_blocking(move || (heard(&ear), ear)).await.unwrap();
            assert_eq!(word, "WATCHDOG=1");
            living.abort();
            notify.stopping();
            assert_eq!(heard(&ear), "STOPPING=1\nSTATUS=Giving runs back to the queue");
        }
        // Without systemd, and with a socket that is not there, everything goes on.
        for name in [None, Some(OsString::from("/nowhere/at/all"))] {
            let notify = Notify::new(&|asked| name.clone().filter(|_| asked == "NOTIFY_SOCKET"), 7);
            notify.ready("x");
            notify.live().await;
        }
    }
}
