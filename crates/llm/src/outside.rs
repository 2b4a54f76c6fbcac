//! Calls to addresses that members chose, for something other than a model, such as a webhook.
//!
//! They reach no further than a member's base URL does. No redirect is followed, no proxy is asked, no connection is kept; a
//! call takes only so long, and of the answer only its beginning is read.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::time::Instant;
use url::Url;

use crate::reach::{Blocked, Guard};
use crate::{ErrorKind, LlmError, Reach};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);

/// Calls such addresses. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    http: reqwest::Client,
    reach: Reach,
}

/// An answer, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Its status.
    pub status: u16,
    /// Its beginning, as far as it came in time.
    pub body: String,
    /// For how long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer, in a sentence that does not repeat the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Uncalled {
    words: String,
}

impl Caller {
    pub(crate) fn new(reach: Reach) -> Result<Self, LlmError> {
        crate::ready_tls();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Guard(reach))
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .user_agent(concat!("guildhall/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                LlmError::from_source(ErrorKind::Unreachable, "the HTTP client could not be made", error)
            })?;
        Ok(Self { http, reach })
    }

    /// Whether an address may be called, as far as it can be seen without asking for the name's address.
    ///
    /// # Errors
    /// [`Uncalled`] when it may not.
    pub fn admits(&self, url: &Url) -> Result<(), Uncalled> {
        self.reach.admits_host(url).map_err(|blocked| Uncalled { words: blocked.to_string() })
    }

    /// The client for a conversation with this address, whoever speaks its protocol. As for all calls here, no redirect is
    /// followed; what is read of answers, and for how long, is for whoever speaks to bound.
    ///
    /// # Errors
    /// [`Uncalled`] when the address may not be called.
    pub fn client_for(&self, url: &Url) -> Result<reqwest::Client, Uncalled> {
        self.admits(url)?;
        Ok(self.http.clone())
    }

    /// Posts a body, and reads at most `most` bytes of the answer. All of it takes at most `within`.
    ///
    /// # Errors
    /// [`Uncalled`] when no answer came.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: String,
        most: usize,
        within: Duration,
    ) -> Result<Called, Uncalled> {
        self.admits(url)?;
        let end = Instant::now() + within;
        let too_slow = || Uncalled { words: format!("no answer came within {} seconds", within.as_secs()) };
        let request = self.http.post(url.clone()).headers(headers).body(body).send();
        let answer = match tokio::time::timeout_at(end, request).await {
            Ok(answer) => answer.map_err(|error| uncalled(&error))?,
            Err(_) => return Err(too_slow()),
        };
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = beginning(answer, most, end).await;
        Ok(Called { status, body, retry_after: retry_after.map(Duration::from_secs) })
    }
}

/// The first bytes of an answer's body. What is cut off, late or too much does not change what its status says.
async fn beginning(mut answer: reqwest::Response, most: usize, end: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        match tokio::time::timeout_at(end, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk[..chunk.len().min(most - bytes.len())]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a client of [`Caller::client_for`] says of a call that failed. It names the address; [`Uncalled`] does not.
pub type CallError = reqwest::Error;

impl From<&CallError> for Uncalled {
    fn from(error: &CallError) -> Self {
        uncalled(error)
    }
}

fn uncalled(error: &reqwest::Error) -> Uncalled {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let blocked = causes.find_map(|error| error.downcast_ref::<Blocked>());
    let words = match blocked {
        Some(blocked) => blocked.to_string(),
        None if error.status().is_some() => {
            format!("it answered {}", error.status().map_or(0, |status| status.as_u16()))
        }
        None if error.is_timeout() => "no connection stood in time".to_owned(),
        // What the innermost cause says is of the network or of TLS, and never the address whole.
        None if error.is_connect() => format!("no connection could be made: {}", innermost(error)),
        None => "the connection was cut before an answer came".to_owned(),
    };
    Uncalled { words }
}

fn innermost(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.last().map_or_else(|| "the receiver is not there".to_owned(), ToString::to_string)
}
