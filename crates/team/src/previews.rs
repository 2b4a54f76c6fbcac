//! Who sees the pages of a service: members, each in a browser in which they are signed in. The pages are on an origin of
//! their own, so a browser comes there with a ticket, and keeps a pass that is good there alone.

use chrono::Duration;
use guildhall_store::{NewPass, Session};
use guildhall_types::DateTime;
use guildhall_types::member::Member;
use guildhall_types::rights::MemberRight;
use guildhall_types::service::{Service, ServiceStatus};

use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError};

/// How long a ticket is good.
const TICKET: Duration = Duration::seconds(60);
/// How long a pass is good at most; it ends with the session and with the service before.
const PASS: Duration = Duration::hours(12);
/// What a label begins with, so that it is told from other names.
pub const PREVIEW: &str = "p-";
/// Letters and digits of a label after that; of 32 each.
const LABEL: usize = 26;

/// The first part of a name under which pages are shown: 130 random bits, in what a name may hold.
pub fn preview_label() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bytes: [u8; LABEL] = rand::random();
    let letters = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    PREVIEW.chars().chain(letters).collect()
}

/// Whether this is of the form of a label.
pub fn is_preview_label(text: &str) -> bool {
    let of = |letters: &str| {
        letters.len() == LABEL && letters.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte))
    };
    text.strip_prefix(PREVIEW).is_some_and(of)
}

/// A pass that was made.
#[derive(Debug)]
pub struct PreviewPass {
    /// Its token, for a cookie.
    pub token: String,
    /// When it ends.
    pub expires_at: DateTime,
}

impl Team {
    /// A ticket with which the browser of this session comes to the pages of a service, once.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when the service does not run, or listens at no port.
    pub async fn preview_ticket(&self, session: &Session, service: &Service) -> Result<String, TeamError> {
        if service.status != ServiceStatus::Running {
            return Err(TeamError::conflict("service-ended", "this service no longer runs; start it again"));
        }
        if service.port.is_none() {
            return Err(TeamError::conflict(
                "no-port",
                "nobody said at which port this service listens; start it with its port",
            ));
        }
        let ticket = new_token();
        let new = NewPass {
            token_hash: token_hash(&ticket),
            label: service.label.clone(),
            session: session.id,
            ticket: true,
            expires_at: self.clock.now() + TICKET,
        };
        self.store.create_preview_ticket(service, new).await?;
        Ok(ticket)
    }

    /// Exchanges a ticket for a pass. Nothing when it is not good for these pages, was used, or came too late.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn enter_preview(&self, label: &str, ticket: &str) -> Result<Option<PreviewPass>, TeamError> {
        let token = new_token();
        let expires_at = self.clock.now() + PASS;
        let used = self.store.use_preview_ticket(label, &token_hash(ticket), token_hash(&token), expires_at).await?;
        Ok(used.map(|_| PreviewPass { token, expires_at }))
    }

    /// The service whose pages somebody with this pass sees now, and who that is. Nothing when the pass is none or has ended,
    /// with its session or by itself.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn preview(&self, label: &str, token: &str) -> Result<Option<(Service, Member)>, TeamError> {
        let Some(session) = self.store.preview_pass(label, &token_hash(token)).await? else { return Ok(None) };
        if !self.session_holds(session).await? {
            return Ok(None);
        }
        let Some((_, member)) = self.store.session(session).await? else { return Ok(None) };
        if !member.role.may(MemberRight::Read) || self.lacks_second_factor(member.id).await? {
            return Ok(None);
        }
        let service = self.store.service_by_label(label).await?;
        Ok(service.map(|service| (service, member)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_names_that_nobody_guesses() {
        let (one, other) = (preview_label(), preview_label());
        assert!(one != other && is_preview_label(&one) && is_preview_label(&other), "{one} {other}");
        for no in ["", "p-", "p-abc", "www", &one[1..], &format!("{one}a"), &one.to_uppercase(), &one.replace('-', ".")]
        {
            assert!(!is_preview_label(no), "{no}");
        }
    }
}
