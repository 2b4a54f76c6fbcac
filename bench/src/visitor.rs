//! A member who looks at the server from elsewhere: what goes on here must not hold up whoever measures, or that would be measured.

use std::io;
use std::time::Duration;

use anyhow::ensure;
use reqwest::Client;
use reqwest::header::COOKIE;
use serde_json::Value;

use crate::server::PATIENCE;

/// A session of a member, with connections of its own.
#[derive(Debug)]
pub struct Visitor {
    pub(crate) url: String,
    pub(crate) session: String,
    pub(crate) http: Client,
}

impl Visitor {
    /// What the server answers, and how many milliseconds that took, until all of it is there.
    pub async fn get(&self, path: &str) -> anyhow::Result<(Value, f64)> {
        let call = self.http.get(format!("{}{path}", self.url)).header(COOKIE, &self.session).timeout(PATIENCE);
        let asked = std::time::Instant::now();
        let answer = call.send().await?;
        let (status, bytes) = (answer.status(), answer.bytes().await?);
        let took = milliseconds(asked.elapsed());
        ensure!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok((serde_json::from_slice(&bytes)?, took))
    }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

/// Does something on a thread with a runtime of its own, which the kernel lets work before all others, as if it were on another machine.
/// Whether it could be given that comes first.
///
/// # Errors
/// When there is no such thread, or what it does fails.
pub async fn elsewhere<T, F>(work: impl FnOnce() -> F + Send + 'static) -> anyhow::Result<(bool, T)>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>>,
{
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("elsewhere".to_owned()).spawn(move || {
        let first = come_first().is_ok();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(work()));
        drop(tell.send(done.map(|done| (first, done))));
    })?;
    told.await?
}

/// Has the kernel let this thread work before all that are not of its kind.
fn come_first() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 1 };
    #[expect(unsafe_code, reason = "no crate in use offers it")]
    // SAFETY: the call reads the structure, and changes how this thread takes its turns.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
