//! PostgreSQL restarted in the middle, and answers to a COMMIT that are lost on the way: nothing is there twice. And
//! one that answers no more: monitors hear of it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::program;
use super::world::{Life, Night, Template};
use crate::harness::{PATIENCE, fresh_postgres};
use crate::rotation::serve;

const LEASE: (&str, &str) = ("GUILDHALL_TEST_LEASE_MS", "6000");

/// A PostgreSQL server of a test's own.
struct Cluster {
    dir: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
}

impl Cluster {
    fn start() -> Self {
        let versions =
            std::fs::read_dir("/usr/lib/postgresql").unwrap().flatten().map(|entry| entry.path().join("bin"));
        let bin = versions.max().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let this = Self { dir, bin, port };
        if rustix::process::getuid().is_root() {
            // The server refuses to run as root.
            assert!(program("chown").arg("postgres").arg(this.dir.path()).status().unwrap().success());
        }
        let data = this.data();
        let args = ["-U", "guildhall", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "-D"];
        assert!(this.command("initdb").args(args).arg(&data).output().unwrap().status.success());
        this.control(&["start"]);
        this
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, name: &str) -> Command {
        let found = self.bin.join(name);
        let mut command = match rustix::process::getuid().is_root() {
            true => {
                let mut command = program("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(found);
                command
            }
            false => program(found),
        };
        command.current_dir("/");
        command
    }

    fn control(&self, what: &[&str]) {
        let options =
            format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off", self.port);
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(self.data()).args(["-w", "-t", "30", "-l"]).arg(self.dir.path().join("log"));
        command.arg("-o").arg(options).args(what);
        let null = std::process::Stdio::null;
        assert!(command.stdin(null()).stdout(null()).stderr(null()).status().unwrap().success(), "{what:?}");
    }

    fn url(&self) -> String {
        format!("postgres://guildhall@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = self.command("pg_ctl");
        drop(command.arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]).output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_restarts_in_the_middle_loses_and_doubles_nothing() {
    let cluster = Cluster::start();
    let template = Template::on(Some(cluster.url())).await;
    let mut night = Night::new(&template).await;
    assert!(night.spawn(&[LEASE]).await);
    for (n, mode) in ["fast", "immediate", "fast"].into_iter().enumerate() {
        night.look_for(Duration::from_millis(300 + 200 * n as u64)).await;
        cluster.control(&["restart", "-m", mode]);
        night.kills.push(format!("PostgreSQL restarted, {mode}"));
    }
    assert_eq!(night.live_as_it_is().await, Life::Finished);
    night.ends_well().await;
}

/// Whether the line is cut at a COMMIT, by its number: at one of so many, but not at regular distances, because work that
/// takes just as many in each attempt would be cut at the same place for ever.
fn is_cut(commit: u64, of: u64) -> bool {
    let mixed = commit.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 32)).is_multiple_of(of)
}

/// Carries bytes to a PostgreSQL server and back, but that at one of so many COMMITs the line is cut: the COMMIT arrives,
/// its answer does not.
async fn forgetful(listener: TcpListener, server: String, every: u64, cut: Arc<AtomicUsize>) {
    let commits = Arc::new(AtomicU64::new(0));
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(&server).await.unwrap();
        let (commits, cut) = (Arc::clone(&commits), Arc::clone(&cut));
        tokio::spawn(async move {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let back = tokio::spawn(async move {
                drop(tokio::io::copy(&mut from_server, &mut to_client).await);
                to_client
            });
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                let is_commit = bytes[..count].windows(7).any(|words| words == b"COMMIT\0");
                if is_commit && is_cut(commits.fetch_add(1, Ordering::Relaxed) + 1, every) {
                    // First nobody carries answers any more, then the COMMIT goes.
                    back.abort();
                    drop(back.await);
                    drop(to_server.write_all(&bytes[..count]).await);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    cut.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if to_server.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
            back.abort();
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lost_answer_to_a_commit_doubles_nothing() {
    for every in [7, 11] {
        let url = fresh_postgres().await;
        let template = Template::on(Some(url.clone())).await;
        let (start, rest) = url.split_once('@').unwrap();
        let (host, name) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicUsize::new(0));
        let proxy = tokio::spawn(forgetful(listener, host.to_owned(), every, Arc::clone(&cut)));
        let mut night = Night::new(&template).await;
        night.database = Some(format!("{start}@127.0.0.1:{port}/{name}"));
        assert!(night.spawn(&[LEASE]).await);
        assert_eq!(night.live_as_it_is().await, Life::Finished);
        let cuts = cut.load(Ordering::Relaxed);
        assert!(cuts >= 5, "only {cuts} answers were lost");
        night.kills.extend((0..cuts).map(|n| format!("lost answer {n}")));
        night.ends_well().await;
        proxy.abort();
    }
}

/// A database of its own behind a proxy: its address there, and what has the proxy say nothing any more.
pub(super) async fn silenceable() -> (String, watch::Sender<bool>, JoinHandle<()>) {
    let url = fresh_postgres().await;
    let (start, rest) = url.split_once('@').unwrap();
    let (host, name) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let database = format!("{start}@127.0.0.1:{}/{name}", listener.local_addr().unwrap().port());
    let (silence, silent) = watch::channel(false);
    let proxy = tokio::spawn(silenced(listener, host.to_owned(), silent));
    (database, silence, proxy)
}

/// Carries bytes to a PostgreSQL server and back until it is to be `silent`: then every line stays open, and nothing
/// comes.
async fn silenced(listener: TcpListener, server: String, silent: watch::Receiver<bool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (server, mut silent) = (server.clone(), silent.clone());
        tokio::spawn(async move {
            let carrying = async {
                let mut server = TcpStream::connect(&server).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            };
            let hushed = async { drop(silent.wait_for(|silent| *silent).await) };
            tokio::select! {
                biased;
                () = hushed => std::future::pending().await,
                () = carrying => {}
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitors_hear_in_time_of_a_database_that_answers_no_more() {
    const TOKEN: &str = "a-token-of-the-operators-own";
    let (database, silence, proxy) = silenceable().await;
    let dir = tempfile::tempdir().unwrap();
    let env = [("DATABASE_URL", database.as_str()), ("GUILDHALL_METRICS_TOKEN", TOKEN)];
    let (_server, url) = serve(&dir.path().join("data"), &env).await;
    // As Prometheus does, whose own patience is ten seconds.
    drop(guildhall_llm::Client::new());
    let http = reqwest::Client::builder().timeout(Duration::from_secs(8)).build().unwrap();
    let scraped_until = async |line: &str| {
        let looking = async {
            loop {
                let answer = http.get(format!("{url}/metrics")).bearer_auth(TOKEN).send().await.unwrap();
                let text = answer.error_for_status().unwrap().text().await.unwrap();
                if text.lines().any(|told| told == line) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{line} does not come"));
    };
    scraped_until("guildhall_database_up 1").await;
    silence.send_replace(true);
    scraped_until("guildhall_database_up 0").await;
    // While alerts are judged, which waits for the database, figures come as well.
    for _ in 0..5 {
        scraped_until("guildhall_database_up 0").await;
    }
    proxy.abort();
}
