//! Mail that the server sends: what kinds there are, and how one in the outbox is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum::text_enum;
use crate::{DateTime, MailId};

text_enum! {
    /// What a mail is for.
    pub enum MailKind {
        /// An invitation to the team.
        Invitation = "invitation",
        /// A link by which a member sets a new password.
        PasswordReset = "password-reset",
        /// What comes of somebody's wish to sign up.
        SignUp = "sign-up",
        /// Something that happened to a member's account.
        Notice = "notice",
        /// What a member asked to be told of by mail.
        Notification = "notification",
        /// A morning report.
        Report = "report",
    }
}

text_enum! {
    /// How a mail in the outbox is.
    pub enum MailStatus {
        /// It waits to be sent, or to be tried again.
        Waiting = "waiting",
        /// The mail server has taken it.
        Sent = "sent",
        /// It was given up.
        Failed = "failed",
    }
}

text_enum! {
    /// Why a mail was given up.
    pub enum WhyGivenUp {
        /// The mail server refused it for good, or it could not be written.
        Refused = "refused",
        /// It was tried for as long as mails are.
        OutOfTime = "out-of-time",
    }
}

/// A mail in the outbox, as admins see it: never what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// The mail's id.
    pub id: MailId,
    /// What it is for.
    pub kind: MailKind,
    /// Whom it goes to.
    pub recipient: String,
    /// How it is.
    pub status: MailStatus,
    /// When it was put into the outbox.
    pub created_at: DateTime,
    /// When it is tried next, while it waits.
    pub next_at: DateTime,
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last try failed.
    pub problem: Option<String>,
    /// When it was sent or given up.
    pub ended_at: Option<DateTime>,
}
