//! A Redis of a test's own, on a free port of the loopback address. It goes with the test.

use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// How long it may take to start.
const STARTS: Duration = Duration::from_secs(30);

pub struct Redis {
    port: u16,
    /// Settings beside the usual ones.
    more: Vec<String>,
    dir: tempfile::TempDir,
    pub server: Option<Child>,
}

impl Redis {
    pub const PASSWORD: &str = "a-password-of-redis";

    pub async fn start() -> Self {
        Self::with(|_| Vec::new()).await
    }

    /// One with settings of its own, which may name the port.
    pub async fn with(more: impl FnOnce(u16) -> Vec<String>) -> Self {
        // Not of those that the system gives to whoever connects somewhere: it is to be free again after an end.
        let mut port = 10_000 + (guildhall_types::RunId::new().0.as_u128() % 9_000) as u16;
        while TcpListener::bind(("127.0.0.1", port)).await.is_err() {
            port += 1;
        }
        let mut redis = Self { port, more: more(port), dir: tempfile::tempdir().unwrap(), server: None };
        redis.again().await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", Self::PASSWORD, self.port)
    }

    /// Starts it again at the same place.
    pub async fn again(&mut self) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "redis-server", "--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command
            .args(["--save", "", "--appendonly", "no", "--requirepass", Self::PASSWORD, "--dir"])
            .arg(self.dir.path())
            .args(&self.more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        self.server =
            Some(command.spawn().unwrap_or_else(|error| panic!("no Redis: {error}; run `scripts/setup.sh test`")));
        let listens = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                let ended = self.server.as_mut().unwrap().try_wait().unwrap();
                assert!(
                    ended.is_none(),
                    "Redis did not start: {ended:?}; is redis-server there? (`scripts/setup.sh test`)"
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(STARTS, listens).await.unwrap();
    }

    /// Ends it as the power would.
    pub async fn kill(&mut self) {
        self.server.take().unwrap().kill().await.unwrap();
    }
}
