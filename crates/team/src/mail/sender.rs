//! Sends what waits in the outbox. Any number of processes may do so at once.

use std::time::Duration as StdDuration;

use chrono::Duration;
use guildhall_store::{ClaimedMail, MailEnd, mail_identity};
use guildhall_types::audit::{AuditAction, AuditOutcome, Note};
use guildhall_types::mail::WhyGivenUp;
use guildhall_types::member::Member;
use guildhall_types::tidy::before;
use guildhall_types::trace::{Side, Span};
use guildhall_types::{DateTime, MailId};
use lettre::Address;
use lettre::address::Envelope;

use super::smtp::{Undelivered, WHOLE};
use super::{Letter, Mailer, Words};
use crate::{Team, TeamError};

/// How the outbox is worked on.
#[derive(Debug, Clone, Copy)]
pub struct MailPace {
    /// How often it is looked into when nobody says that something was put there.
    pub look: StdDuration,
    /// The wait after the first failure; it doubles with each.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// A mail that could not be sent for so long is given up.
    pub give_up: Duration,
}

impl Default for MailPace {
    fn default() -> Self {
        Self {
            look: StdDuration::from_secs(10),
            first: Duration::seconds(15),
            longest: Duration::hours(1),
            give_up: Duration::days(1),
        }
    }
}

impl MailPace {
    /// When a mail of this age that failed so often is tried again; nothing when it is given up.
    fn next(&self, created_at: DateTime, attempts: i64, now: DateTime) -> Option<DateTime> {
        let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
        let wait = self.first.checked_mul(1_i32 << doublings).unwrap_or(self.longest).min(self.longest);
        let last = created_at + self.give_up;
        // The last try is at the very end, so that a server which was away for hours is not missed by minutes.
        (now < last).then(|| (now + wait).min(last))
    }
}

/// How long a claim holds: longer than a mail may take.
fn hold() -> Duration {
    Duration::from_std(WHOLE * 2).unwrap_or(Duration::minutes(3))
}

/// How long a mail on its way has when the server stops.
const GRACE: StdDuration = StdDuration::from_secs(4);

impl Team {
    /// Sends mail until `stop` is ready. Does nothing while mail is off.
    pub async fn send_mail_until(self, pace: MailPace, stop: impl Future<Output = ()>) {
        let Some(mailer) = self.mail.clone() else { return stop.await };
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = self.store.mail_was_put() => {}
                () = tokio::time::sleep(pace.look) => {}
            }
            let mut work = std::pin::pin!(self.send_due_mail_by(&mailer, pace));
            tokio::select! {
                done = &mut work => report(done),
                () = &mut stop => {
                    // What is cut off all the same is sent again when its claim is over, with the same id.
                    if let Ok(done) = tokio::time::timeout(GRACE, work).await {
                        report(done);
                    }
                    return;
                }
            }
        }
    }

    /// Sends what is due in the outbox. Returns how many mails the server took.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn send_due_mail(&self, pace: MailPace) -> Result<usize, TeamError> {
        match &self.mail {
            Some(mailer) => self.send_due_mail_by(mailer, pace).await,
            None => Ok(0),
        }
    }

    async fn send_due_mail_by(&self, mailer: &Mailer, pace: MailPace) -> Result<usize, TeamError> {
        let mut sent = 0;
        while let Some(claimed) = self.store.claim_mail(hold()).await? {
            let id = claimed.mail.id;
            let span = Span::begin(Side::Client, "job mail", "");
            let end = match span.around(self.deliver(mailer, &claimed)).await {
                Ok(()) => {
                    sent += 1;
                    MailEnd::Sent
                }
                Err(Undelivered { for_good: true, words, .. }) => MailEnd::GivenUp(WhyGivenUp::Refused, words),
                Err(Undelivered { words, .. }) => {
                    match pace.next(claimed.mail.created_at, claimed.mail.attempts, self.clock.now()) {
                        Some(at) => MailEnd::Later(at, words),
                        None => MailEnd::GivenUp(WhyGivenUp::OutOfTime, words),
                    }
                }
            };
            if end != MailEnd::Sent {
                span.failed("not-sent");
            }
            drop(span);
            match &end {
                MailEnd::Sent => tracing::info!(mail = %id, kind = %claimed.mail.kind, "a mail was sent"),
                MailEnd::Later(at, why) => {
                    tracing::warn!(mail = %id, %at, why, "a mail was not sent and is tried again")
                }
                MailEnd::GivenUp(_, why) => tracing::error!(mail = %id, why, "a mail was given up"),
            }
            if !self.store.end_mail(&claimed, &end).await? {
                tracing::warn!(mail = %id, "another process sends this mail as well");
            }
        }
        if let Some(before) = before(self.retention().await?.mail_days, self.clock.now()) {
            self.store.forget_mails(before).await?;
        }
        Ok(sent)
    }

    async fn deliver(&self, mailer: &Mailer, claimed: &ClaimedMail) -> Result<(), Undelivered> {
        let ClaimedMail { mail, body, notification, .. } = claimed;
        if let Some((told, name)) = notification {
            let link = mailer.link(&told.path());
            let headline = told.headline();
            let words = Words::Notification { name, headline: &headline, text: &told.text, at: told.at, link };
            let letter = words.letter(&mailer.base).map_err(|error| Undelivered::unsendable(&error.to_string()))?;
            return send(mailer, mail.id, mail.created_at, &mail.recipient, letter).await;
        }
        let body = body.as_ref().ok_or_else(|| Undelivered::unsendable("what it says is gone from the database"))?;
        let opened = self.vault.open(&mail_identity(mail.id), body);
        let opened = opened.map_err(|error| Undelivered::unsendable(&error.to_string()))?;
        let letter =
            serde_json::from_slice(&opened).map_err(|_| Undelivered::unsendable("what it says cannot be read"))?;
        send(mailer, mail.id, mail.created_at, &mail.recipient, letter).await
    }

    /// Sends a mail to a member at once, past the outbox, to see whether mail works.
    ///
    /// # Errors
    /// [`TeamError::Mail`] with what the mail server said; [`TeamError::Conflict`] `mail-off`.
    pub async fn send_test_mail(&self, member: &Member) -> Result<(), TeamError> {
        let mailer = self.mailer()?;
        let letter = Words::Test { name: &member.name }.letter(&mailer.base)?;
        let sent = send(mailer, MailId::new(), self.clock.now(), &member.email, letter).await;
        let outcome = if sent.is_ok() { AuditOutcome::Ok } else { AuditOutcome::Refused };
        self.store.audit(Note::new(AuditAction::TestMail).outcome(outcome).with("to", &member.email)).await?;
        sent.map_err(TeamError::Mail)
    }
}

async fn send(mailer: &Mailer, id: MailId, at: DateTime, to: &str, letter: Letter) -> Result<(), Undelivered> {
    let to: Address = to.parse().map_err(|_| Undelivered::unsendable("this is no address that a mail server takes"))?;
    let message = mailer.message(id, at.into(), to, letter).map_err(|why| Undelivered::unsendable(&why))?;
    let envelope: Envelope = message.envelope().clone();
    mailer.smtp.deliver(&envelope, &message.formatted()).await
}

fn report(done: Result<usize, TeamError>) {
    if let Err(error) = done {
        tracing::error!(%error, "the outbox could not be worked on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_after_a_day() {
        let pace = MailPace::default();
        let begin: DateTime = "2026-03-01T10:00:00Z".parse().unwrap();
        let after = |attempts, minutes| pace.next(begin, attempts, begin + Duration::minutes(minutes));
        assert_eq!(after(1, 0), Some(begin + Duration::seconds(15)));
        assert_eq!(after(2, 1), Some(begin + Duration::seconds(90)));
        assert_eq!(after(30, 60), Some(begin + Duration::hours(2)), "never more than an hour");
        assert_eq!(after(30, 24 * 60 - 5), Some(begin + Duration::days(1)), "a last try at the end");
        assert_eq!(after(30, 24 * 60), None);
    }
}
