//! The outbox. A mail is put there in the transaction of the change that it tells of, and sent from there; several nodes
//! may send, and a claim by a lease keeps them from sending the same one.
//!
//! What a mail says is sealed, because it may hold the code of a link, and goes as soon as the mail is sent or given up.

use chrono::Duration;
use guildhall_types::mail::{Mail, MailKind, MailStatus, WhyGivenUp};
use guildhall_types::notification::Notification;
use guildhall_types::{DateTime, MailId, MailLeaseId};

use crate::{Backend, Rows, SealedSecret, Store, StoreError, Tx, on, read};

const COLUMNS: &str = "id, kind, recipient, status, created_at, next_at, attempts, problem, ended_at";
/// Characters of why a mail was not sent at most.
const PROBLEM: usize = 500;

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// Its id.
    pub id: MailId,
    /// What it is for.
    pub kind: MailKind,
    /// The address that it goes to.
    pub recipient: String,
    /// What it says, sealed under [`mail_identity`].
    pub body: SealedSecret,
}

/// Names what a mail says among the sealed secrets.
pub fn mail_identity(id: MailId) -> String {
    format!("mail/{id}")
}

/// A mail that this process is to send.
#[derive(Debug, Clone)]
pub struct ClaimedMail {
    /// The mail.
    pub mail: Mail,
    /// What it says; absent when somebody took it out of the database.
    pub body: Option<SealedSecret>,
    /// What it is to tell, and to whom by name, where that stands in a notification instead.
    pub notification: Option<(Notification, String)>,
    lease: MailLeaseId,
}

/// What came of a try to send a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailEnd {
    /// The mail server took it.
    Sent,
    /// It is given up, and what the last try said.
    GivenUp(WhyGivenUp, String),
    /// It is tried again at this moment; why it was not sent now.
    Later(DateTime, String),
}

impl Store {
    /// The same store, whose next change puts these mails into the outbox, in the change's own transaction: if the change
    /// is not made, nothing is sent.
    #[must_use]
    pub fn mailing(&self, mails: Vec<NewMail>) -> Self {
        Self { mails: Some(std::sync::Arc::new(std::sync::Mutex::new(mails))), ..self.clone() }
    }

    /// Puts what [`Store::mailing`] was given into the outbox. Returns whether there was any.
    pub(crate) async fn write_mails(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let Some(mails) = &self.mails else { return Ok(false) };
        let mails = std::mem::take(&mut *mails.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for mail in &mails {
            self.put_secret(tx, &mail.body).await?;
            on!(tx, c => sqlx::query(
                "INSERT INTO mails (id, kind, recipient, status, created_at, next_at, attempts)
                 VALUES ($1, $2, $3, $4, $5, $5, 0)")
                .bind(mail.id).bind(mail.kind).bind(crate::clean(&mail.recipient)).bind(MailStatus::Waiting)
                .bind(self.now()).execute(c).await.rows())?;
        }
        Ok(!mails.is_empty())
    }

    /// Puts a mail into the outbox that belongs to no change, such as one that tells somebody that there is an account
    /// already. Give it by [`Store::mailing`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_mails(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        self.commit(tx).await
    }

    /// Waits until this process puts a mail into the outbox. One that was put there since the last wait counts.
    pub async fn mail_was_put(&self) {
        self.mail_put.notified().await;
    }

    /// Claims the mail that waits longest of those that are due, for so long.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_mail(&self, hold: Duration) -> Result<Option<ClaimedMail>, StoreError> {
        let mut tx = self.begin_light().await?;
        let clock = self.lease_clock(&mut tx).await?;
        let lease = MailLeaseId::new();
        let passing_by = match self.backend() {
            Backend::Postgres => "FOR UPDATE SKIP LOCKED",
            Backend::Sqlite => "",
        };
        let sql = format!(
            "UPDATE mails SET lease = $1, lease_until = $2, attempts = attempts + 1 WHERE id = (
               SELECT id FROM mails WHERE status = 'waiting' AND next_at <= $3 AND (lease_until IS NULL OR lease_until <= $4)
               ORDER BY next_at, id LIMIT 1 {passing_by})
             RETURNING {COLUMNS}"
        );
        let mail: Option<Mail> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(lease).bind(clock + hold)
            .bind(self.now()).bind(clock).fetch_optional(c).await)?;
        let Some(mail) = mail else { return Ok(None) };
        let body: Option<SealedSecret> = on!(tx, c => sqlx::query_as(
            "SELECT identity, key_id, wrapped_key, sealed FROM secrets WHERE identity = $1")
            .bind(mail_identity(mail.id)).fetch_optional(c).await)?;
        let notification = self.mailed_notification(&mut tx, &mail).await?;
        self.commit(tx).await?;
        Ok(Some(ClaimedMail { mail, body, notification, lease }))
    }

    /// Writes down what came of a try; false when another process has claimed the mail since. What is sent or given up
    /// says nothing any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_mail(&self, claimed: &ClaimedMail, end: &MailEnd) -> Result<bool, StoreError> {
        let id = claimed.mail.id;
        let now = self.now();
        let (status, next_at, ended_at, given_up, problem) = match end {
            MailEnd::Sent => (MailStatus::Sent, now, Some(now), None, None),
            MailEnd::GivenUp(why, problem) => (MailStatus::Failed, now, Some(now), Some(why), Some(problem)),
            MailEnd::Later(at, problem) => (MailStatus::Waiting, *at, None, None, Some(problem)),
        };
        let problem = problem.map(|why| crate::clean(why).chars().take(PROBLEM).collect::<String>());
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE mails SET status = $3, next_at = $4, ended_at = $5, problem = $6, given_up = $7, lease = NULL,
               lease_until = NULL
             WHERE id = $1 AND lease = $2 AND status = 'waiting'")
            .bind(id).bind(claimed.lease).bind(status).bind(next_at).bind(ended_at).bind(problem)
            .bind(given_up).execute(c).await.rows())?;
        if done != 1 {
            return Ok(false);
        }
        if ended_at.is_some() {
            self.delete_secret(&mut tx, &mail_identity(id)).await?;
        }
        self.commit(tx).await?;
        Ok(true)
    }

    /// How many mails wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_mails(&self) -> Result<i64, StoreError> {
        let (count,): (i64,) = read!(self, c => sqlx::query_as("SELECT count(*) FROM mails WHERE status = 'waiting'")
            .fetch_one(c).await)?;
        Ok(count)
    }

    /// Since when mails come no further: when the first of those was written that were tried in vain, or are overdue, since the
    /// mail server took one. One that it refused was refused for itself. Nothing when all is well.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_stuck_since(&self) -> Result<Option<DateTime>, StoreError> {
        let (since,): (Option<DateTime>,) = read!(self, c => sqlx::query_as(
            "SELECT min(created_at) FROM mails
             WHERE (status = 'waiting' OR given_up = 'out-of-time') AND (problem IS NOT NULL OR next_at <= $1)
               AND created_at > coalesce(
                 (SELECT max(ended_at) FROM mails WHERE status = 'sent' AND ended_at IS NOT NULL), $2)")
            .bind(self.now()).bind(DateTime::UNIX_EPOCH).fetch_one(c).await)?;
        Ok(since)
    }

    /// The mails that were given up or whose last try failed, the latest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failed_mails(&self, limit: i64) -> Result<Vec<Mail>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM mails WHERE problem IS NOT NULL ORDER BY id DESC LIMIT $1");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(limit).fetch_all(c).await)?)
    }

    /// Forgets the mails that were sent or given up before this moment, a bounded number at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_mails(&self, before: DateTime) -> Result<u64, StoreError> {
        self.forget("mails WHERE id IN (SELECT id FROM mails WHERE ended_at < $1 LIMIT $2)", before).await
    }
}
