//! Mail: what it says, and how it gets to the mail server.
//!
//! A mail is put into the outbox in the transaction of the change that it tells of ([`Team::posting`], [`Team::notify`]), and
//! sent from there ([`sender`]). What it says is sealed while it waits.

mod notice;
mod sender;
mod smtp;
mod words;

use guildhall_store::{NewMail, Store, StoreError, mail_identity};
use guildhall_types::MailId;
use guildhall_types::mail::{Mail, MailKind};
use guildhall_types::member::Member;
use lettre::message::header::{self, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Team, TeamError};

pub use lettre::message::Mailbox as Sender;
pub use notice::Notice;
pub use sender::MailPace;
pub use smtp::{BadSmtpUrl, Security, SmtpSettings, Stage, Undelivered};
pub(crate) use words::Words;

/// Mails in the list of what went wrong.
const TROUBLES: i64 = 50;

/// Sends mail. Without one, the team goes on by links that people hand over themselves.
#[derive(Debug)]
pub struct Mailer {
    smtp: SmtpSettings,
    /// The address under which members reach the server, without a slash at the end. Links in mails never come from what
    /// a request says about where it was sent.
    base: String,
}

/// What a mail says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// A mail that a change is to put into the outbox.
pub(crate) struct Draft {
    kind: MailKind,
    recipient: String,
    letter: Zeroizing<Vec<u8>>,
    /// Whether the change is of no use without it, as a link is that nobody else is shown.
    needed: bool,
}

impl Draft {
    /// The same mail, without which the change is made as well.
    pub(crate) fn if_it_can_be(self) -> Self {
        Self { needed: false, ..self }
    }
}

/// How mail is, for admins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailState {
    /// The mail server, without user and password, and the sender's address; nothing while mail is off.
    pub through: Option<(String, String)>,
    /// Mails that wait.
    pub waiting: i64,
    /// Mails that were given up or whose last try failed, the latest first.
    pub troubles: Vec<Mail>,
}

impl Mailer {
    /// Sends through this server; links lead to `base`.
    pub fn new(smtp: SmtpSettings, base: &str) -> Self {
        Self { smtp, base: base.trim_end_matches('/').to_owned() }
    }

    /// The address of a page.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The message as it goes to the mail server. Its id is the outbox's, so that a mail which is sent twice after a crash
    /// is known as the same one.
    fn message(&self, id: MailId, at: std::time::SystemTime, to: Address, letter: Letter) -> Result<Message, String> {
        let domain = self.smtp.from.email.domain();
        let auto = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let text = SinglePart::builder().header(header::ContentType::TEXT_PLAIN).body(letter.text);
        let html = SinglePart::builder().header(header::ContentType::TEXT_HTML).body(letter.html);
        Message::builder()
            .from(self.smtp.from.clone())
            .to(Mailbox::new(None, to))
            .subject(words::one_line(&letter.subject))
            .message_id(Some(format!("<{id}@{domain}>")))
            .date(at)
            .raw_header(auto)
            .multipart(MultiPart::alternative().singlepart(text).singlepart(html))
            .map_err(|error| error.to_string())
    }
}

impl Team {
    /// Whether this server sends mail.
    pub fn mail_is_on(&self) -> bool {
        self.mail.is_some()
    }

    /// The mailer, or what to do without one.
    pub(crate) fn mailer(&self) -> Result<&Mailer, TeamError> {
        self.mail.as_deref().ok_or_else(|| {
            TeamError::conflict(
                "mail-off",
                "this server sends no mail; ask an admin for a link, or the operator to set GUILDHALL_SMTP_URL",
            )
        })
    }

    /// A mail without which a change is of no use.
    pub(crate) fn letter(&self, kind: MailKind, to: &str, words: &Words<'_>) -> Result<Draft, TeamError> {
        let letter = words.letter(&self.mailer()?.base)?;
        let letter = serde_json::to_vec(&letter).map_err(|error| TeamError::internal("writing a mail", error))?;
        Ok(Draft { kind, recipient: to.to_owned(), letter: Zeroizing::new(letter), needed: true })
    }

    /// A mail that tells this member of what happens to the account; nothing without mail.
    pub(crate) fn notice(&self, member: &Member, notice: &Notice) -> Result<Option<Draft>, TeamError> {
        if !self.mail_is_on() {
            return Ok(None);
        }
        let Notice { subject, what, advice } = notice;
        let at = self.clock.now();
        let words = Words::Notice { name: &member.name, subject, what, advice, at };
        Ok(Some(self.letter(MailKind::Notice, &member.email, &words)?.if_it_can_be()))
    }

    /// Makes a change whose transaction puts this mail into the outbox, sealed under the key that is current then. What is not
    /// needed holds nothing up: where it cannot be sealed, the change is made without it.
    pub(crate) async fn posting<T, F>(&self, draft: Option<Draft>, change: impl Fn(Store) -> F) -> Result<T, TeamError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let Some(Draft { kind, recipient, letter, needed }) = draft else {
            return Ok(change(self.store.clone()).await?);
        };
        let id = MailId::new();
        let mailing = |body| change(self.store.mailing(vec![NewMail { id, kind, recipient: recipient.clone(), body }]));
        match self.sealing(&mail_identity(id), &letter, mailing).await {
            Err(error @ (TeamError::Vault(_) | TeamError::Store(StoreError::KeyMoved { .. }))) if !needed => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a change is not told by mail: it cannot be sealed"
                );
                Ok(change(self.store.clone()).await?)
            }
            done => done,
        }
    }

    /// Makes a change that happens to this member's account, and tells the member of it by mail in the change's own transaction.
    ///
    /// # Errors
    /// Those of the change; when the mail cannot be written.
    pub async fn notify<T, F>(
        &self,
        member: &Member,
        notice: &Notice,
        change: impl Fn(Store) -> F,
    ) -> Result<T, TeamError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.posting(self.notice(member, notice)?, change).await
    }

    /// How mail is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mail_state(&self) -> Result<MailState, TeamError> {
        let through = self.mail.as_ref().map(|mailer| (mailer.smtp.server(), mailer.smtp.from.email.to_string()));
        let waiting = self.store.waiting_mails().await?;
        let troubles = self.store.failed_mails(TROUBLES).await?;
        Ok(MailState { through, waiting, troubles })
    }
}
