//! Sends what waits for webhooks. Any number of processes may do so at once.

use std::time::{Duration as StdDuration, Instant};

use chrono::Duration;
use guildhall_llm::{Called, Caller};
use guildhall_store::{ClaimedDelivery, DeliveryEnd, Tried, webhook_identity};
use guildhall_types::tidy::before;
use guildhall_types::trace::{Key, Side, Span};
use tokio::task::JoinSet;
use url::Url;

use super::{Sealed, message};
use crate::{Team, TeamError};

/// How webhooks are called.
#[derive(Debug, Clone)]
pub struct WebhookPace {
    /// How often it is looked whether something waits when nobody says so.
    pub look: StdDuration,
    /// How long a call may take, with its answer.
    pub within: StdDuration,
    /// The waits before each further try; after the last one a message is given up. About a day in all.
    pub waits: Vec<Duration>,
    /// How much a wait is longer or shorter by chance, as a share of it.
    pub jitter: f64,
    /// A webhook of which nothing was taken for so long is switched off when a message to it is given up.
    pub off_after: Duration,
}

impl Default for WebhookPace {
    fn default() -> Self {
        let minutes = [5, 30, 120, 240, 480, 600].map(Duration::minutes);
        let waits = [Duration::seconds(5), Duration::seconds(60)].into_iter().chain(minutes).collect();
        Self {
            look: StdDuration::from_secs(10),
            within: StdDuration::from_secs(10),
            waits,
            jitter: 0.2,
            off_after: Duration::days(3),
        }
    }
}

impl WebhookPace {
    /// How long to wait after so many failures; nothing when the message is given up. `chance` is between 0 and 1.
    fn wait(&self, attempts: i64, asked: Option<StdDuration>, chance: f64) -> Option<Duration> {
        let wait = *self.waits.get(usize::try_from(attempts).ok()?.checked_sub(1)?)?;
        let share = 1.0 + self.jitter * (2.0 * chance - 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a wait is days at most")]
        let wait = Duration::milliseconds((wait.num_milliseconds() as f64 * share) as i64);
        // Whoever asks to be left alone is, but not for so long that nothing is ever sent.
        let asked = asked.and_then(|asked| Duration::from_std(asked).ok()).unwrap_or_default();
        Some(wait.max(asked.min(Duration::hours(1))))
    }

    /// How long a claim holds: longer than a call may take.
    fn hold(&self) -> Duration {
        Duration::from_std(self.within + StdDuration::from_secs(5)).unwrap_or(Duration::minutes(1))
    }
}

/// Calls on their way at once, of one process.
const AT_ONCE: usize = 4;
/// Bytes of an answer that are read.
const READ: usize = 2_000;
/// How long calls on their way have when the server stops.
const GRACE: StdDuration = StdDuration::from_secs(4);
/// How often what is old is forgotten.
const TIDY: StdDuration = StdDuration::from_secs(3600);

impl Team {
    /// What calls the addresses that members chose: webhooks, MCP servers.
    ///
    /// # Errors
    /// When no client could be made.
    pub fn caller(&self) -> Result<&Caller, TeamError> {
        if let Some(made) = self.caller.get() {
            return Ok(made);
        }
        let made = self.client.caller().map_err(|error| TeamError::internal("making an HTTP client", error))?;
        Ok(self.caller.get_or_init(|| made))
    }

    /// Sends messages to webhooks until `stop` is ready, and forgets what is old.
    pub async fn send_webhooks_until(self, pace: WebhookPace, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut under_way = JoinSet::new();
        let mut tidied: Option<Instant> = None;
        loop {
            if tidied.is_none_or(|at| at.elapsed() > TIDY) {
                tidied = Some(Instant::now());
                report(self.forget_what_is_old().await);
            }
            while under_way.len() < AT_ONCE {
                match self.store.claim_delivery(pace.hold()).await {
                    Ok(Some(claimed)) => {
                        let (team, pace) = (self.clone(), pace.clone());
                        under_way.spawn(async move { report(team.deliver_message(claimed, &pace).await) });
                    }
                    Ok(None) => break,
                    Err(error) => {
                        report(Err::<(), TeamError>(error.into()));
                        break;
                    }
                }
            }
            tokio::select! {
                () = &mut stop => break,
                Some(_) = under_way.join_next() => {}
                () = self.store.delivery_was_put() => {}
                () = tokio::time::sleep(pace.look) => {}
            }
        }
        // What is cut off all the same is sent again when its claim is over, with the same id.
        let ended = async { while under_way.join_next().await.is_some() {} };
        drop(tokio::time::timeout(GRACE, ended).await);
    }

    /// Sends what is due, one after the other. Returns how many were taken.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn send_due_deliveries(&self, pace: &WebhookPace) -> Result<usize, TeamError> {
        let mut taken = 0;
        while let Some(claimed) = self.store.claim_delivery(pace.hold()).await? {
            taken += usize::from(self.deliver_message(claimed, pace).await? == DeliveryEnd::Delivered);
        }
        Ok(taken)
    }

    async fn forget_what_is_old(&self) -> Result<(), TeamError> {
        let (now, rules) = (self.clock.now(), self.retention().await?);
        if let Some(before) = before(rules.webhook_days, now) {
            self.store.forget_deliveries(before).await?;
        }
        let (read, told) = (before(rules.read_notification_days, now), before(rules.notification_days, now));
        if read.is_some() || told.is_some() {
            self.store.forget_notifications(read, told).await?;
        }
        Ok(())
    }

    async fn deliver_message(&self, claimed: ClaimedDelivery, pace: &WebhookPace) -> Result<DeliveryEnd, TeamError> {
        let began = Instant::now();
        let span = Span::begin(Side::Client, "job webhook", "");
        let called = span.around(self.call(&claimed, pace)).await;
        match &called {
            Ok(called) => span.count(Key::Status, i64::from(called.status)),
            Err(_) => span.failed("not-called"),
        }
        drop(span);
        let duration_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let (tried, taken, asked) = match called {
            Ok(called) => {
                let problem = problem_of(called.status);
                let taken = problem.is_none();
                let answer = Some(called.body).filter(|body| !body.is_empty());
                (
                    Tried { status_code: Some(called.status.into()), duration_ms, answer, problem },
                    taken,
                    called.retry_after,
                )
            }
            Err(problem) => (Tried { duration_ms, problem: Some(problem), ..Tried::default() }, false, None),
        };
        let now = self.clock.now();
        let end = match pace.wait(claimed.delivery.attempts, asked, rand::random()) {
            _ if taken => DeliveryEnd::Delivered,
            _ if tried.status_code == Some(410) => DeliveryEnd::Gone,
            Some(wait) => DeliveryEnd::Later(now + wait),
            None => DeliveryEnd::GivenUp(now - pace.off_after),
        };
        let (delivery, webhook) = (claimed.delivery.id, claimed.webhook.id);
        let status = tried.status_code;
        match (end, tried.problem.as_deref().unwrap_or_default()) {
            (DeliveryEnd::Delivered, _) => tracing::info!(%webhook, %delivery, status, "a webhook took its message"),
            (DeliveryEnd::Later(at), why) => {
                tracing::info!(%webhook, %delivery, %at, status, why, "a webhook did not take its message; it is tried again")
            }
            (_, why) => tracing::warn!(%webhook, %delivery, status, why, "a message to a webhook was given up"),
        }
        if !self.store.end_delivery(&claimed, &tried, end).await? {
            tracing::warn!(%webhook, %delivery, "another process sends this message as well, or it was deleted");
        }
        Ok(end)
    }

    async fn call(&self, claimed: &ClaimedDelivery, pace: &WebhookPace) -> Result<Called, String> {
        let gone = || "its address is gone from the database; make the webhook anew".to_owned();
        let identity = webhook_identity(claimed.webhook.id);
        let sealed = claimed.sealed.as_ref().ok_or_else(gone)?;
        let opened = self.vault.open(&identity, sealed).map_err(|error| error.to_string())?;
        let sealed: Sealed = serde_json::from_slice(&opened).map_err(|_| gone())?;
        let url: Url = sealed.url.parse().map_err(|_| gone())?;
        let ClaimedDelivery { delivery, webhook, about, .. } = claimed;
        let body = message::body(webhook.format, &delivery.kind, about, &self.base);
        let headers = message::headers(delivery.id, self.clock.now(), &body, &sealed.secret).map_err(|_| gone())?;
        let caller = self.caller().map_err(|error| error.to_string())?;
        let headers = headers.ok_or_else(gone)?;
        caller.post(&url, headers, body, READ, pace.within).await.map_err(|uncalled| uncalled.to_string())
    }
}

/// Why an answer does not count as taken.
fn problem_of(status: u16) -> Option<String> {
    match status {
        200..=299 => None,
        300..=399 => {
            Some("the receiver sent it elsewhere, which is not followed; give the address where it wants it".to_owned())
        }
        410 => Some("the receiver wants nothing more".to_owned()),
        400..=499 => Some("the receiver refused it".to_owned()),
        _ => Some("the receiver failed".to_owned()),
    }
}

fn report(done: Result<impl Sized, TeamError>) {
    if let Err(error) = done {
        tracing::error!(%error, "webhooks could not be worked on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_after_about_a_day() {
        let pace = WebhookPace::default();
        let middle = |attempts| pace.wait(attempts, None, 0.5);
        assert_eq!(middle(1), Some(Duration::seconds(5)));
        let all: Vec<_> = (1..).map_while(middle).collect();
        assert!(all.is_sorted());
        let sum: Duration = all.iter().sum();
        assert!((Duration::hours(22)..Duration::hours(26)).contains(&sum), "{sum}");
        assert_eq!(
            (pace.wait(1, None, 0.0), pace.wait(1, None, 1.0)),
            (Some(Duration::seconds(4)), Some(Duration::seconds(6)))
        );
        assert_eq!(middle(0), None);
        let asked = |seconds| pace.wait(1, Some(StdDuration::from_secs(seconds)), 0.5);
        assert_eq!((asked(90), asked(u64::MAX)), (Some(Duration::seconds(90)), Some(Duration::seconds(5))));
        assert_eq!(asked(86_400), Some(Duration::hours(1)));
    }
}
