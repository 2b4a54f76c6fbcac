//! Accounts: the first member, signing in, and sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use guildhall_store::{NewMember, NewSession, Session};
use guildhall_types::member::Member;
use guildhall_types::{DateTime, MemberId};

use crate::passwords::Passwords;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError};

/// A session ends so long after it was opened.
const SESSION: Duration = Duration::days(30);
/// A session that was not used for so long has ended.
const IDLE: Duration = Duration::days(14);
/// The last use of a session is written down no more often than this.
const TOUCH: Duration = Duration::minutes(1);
/// Failed sign-ins of one account, or from one address, within [`WINDOW`], after which it must wait.
const TRIES: usize = 10;
const WINDOW: Duration = Duration::minutes(15);
/// Accounts and addresses that are remembered at most.
const REMEMBERED: usize = 10_000;

/// From where somebody signs in.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The address of the connection.
    pub address: Option<String>,
    /// The browser, as it calls itself.
    pub user_agent: Option<String>,
}

/// Slows down the guessing of passwords, per account and per address. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    failures: Arc<Mutex<HashMap<String, Vec<DateTime>>>>,
}

impl Throttle {
    fn check(&self, keys: &[String], now: DateTime) -> Result<(), TeamError> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let recent: Vec<&DateTime> =
                failures.get(key).into_iter().flatten().filter(|at| **at > now - WINDOW).collect();
            if let Some(first) = recent.iter().rev().nth(TRIES - 1) {
                return Err(TeamError::Throttled { seconds: (**first + WINDOW - now).num_seconds().max(1) });
            }
        }
        Ok(())
    }

    fn failed(&self, keys: &[String], now: DateTime) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() > REMEMBERED {
            failures.retain(|_, times| times.iter().any(|at| *at > now - WINDOW));
        }
        for key in keys {
            let times = failures.entry(key.clone()).or_default();
            times.retain(|at| *at > now - WINDOW);
            times.push(now);
        }
    }

    fn succeeded(&self, key: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Team {
    /// Makes the first account, whose member is the owner. Closed as soon as there is a member.
    ///
    /// # Errors
    /// [`TeamError::AlreadySetUp`], or [`TeamError::Invalid`] for a bad address, name or password.
    pub async fn register_first(&self, email: &str, password: &str, name: &str) -> Result<Member, TeamError> {
        if self.store.member_count().await? > 0 {
            return Err(TeamError::AlreadySetUp);
        }
        let email = plain_email(email)?;
        let name = plain_name(name)?;
        Passwords::check_new(password, &email)?;
        let password_hash = Some(self.passwords.hash(password).await?);
        let made = self.store.create_first_member(NewMember { email, name, password_hash }).await?;
        let member = made.ok_or(TeamError::AlreadySetUp)?;
        tracing::info!(member = %member.id, "the first member was made and owns this team");
        Ok(member)
    }

    /// Signs a member in: returns the member of this address and password.
    ///
    /// # Errors
    /// [`TeamError::WrongPassword`], which does not say whether the account exists; [`TeamError::Throttled`].
    pub async fn login(&self, email: &str, password: &str, origin: &Origin) -> Result<Member, TeamError> {
        let email = email.trim().to_lowercase();
        let now = self.clock.now();
        let mut keys = vec![format!("account {}", email.chars().take(254).collect::<String>())];
        keys.extend(origin.address.iter().map(|address| format!("address {address}")));
        self.throttle.check(&keys, now)?;
        let found = self.store.member_by_email(&email).await?;
        let hash = found.as_ref().and_then(|(_, hash)| hash.as_deref());
        let right = self.passwords.verify(password, hash).await?;
        match found {
            Some((member, _)) if right && member.disabled_at.is_none() => {
                self.throttle.succeeded(&keys[0]);
                self.store.touch_login(member.id).await?;
                Ok(member)
            }
            _ => {
                self.throttle.failed(&keys, now);
                tracing::warn!(address = origin.address.as_deref(), "a sign-in was refused");
                Err(TeamError::WrongPassword)
            }
        }
    }

    /// Opens a session. Returns its token, which is shown once and stored hashed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_session(&self, member: MemberId, origin: Origin) -> Result<(String, Session), TeamError> {
        let token = new_token();
        let cut = |text: String| text.chars().take(300).collect();
        let session = NewSession {
            member_id: member,
            token_hash: token_hash(&token),
            user_agent: origin.user_agent.map(cut),
            address: origin.address,
            expires_at: self.clock.now() + SESSION,
        };
        Ok((token, self.store.create_session(session).await?))
    }

    /// The session with this token and its member, if it has not ended.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session(&self, token: &str) -> Result<Option<(Session, Member)>, TeamError> {
        let Some((session, member)) = self.store.session_by_token(&token_hash(token)).await? else { return Ok(None) };
        let now = self.clock.now();
        if session.last_used_at + IDLE <= now {
            self.store.delete_session(session.id, session.member_id).await?;
            return Ok(None);
        }
        if session.last_used_at + TOUCH <= now {
            self.store.touch_session(session.id).await?;
        }
        Ok(Some((session, member)))
    }

    /// Changes a member's name.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad name.
    pub async fn rename(&self, member: MemberId, name: &str) -> Result<Member, TeamError> {
        Ok(self.store.rename_member(member, &plain_name(name)?).await?)
    }
}

fn plain_email(text: &str) -> Result<String, TeamError> {
    let email = text.trim().to_lowercase();
    let fits = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if fits { Ok(email) } else { Err(TeamError::invalid("email", "give an e-mail address, such as anna@example.com")) }
}

fn plain_name(text: &str) -> Result<String, TeamError> {
    let name = text.trim();
    match name.chars().count() {
        1..=100 if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err(TeamError::invalid("name", "give a name of 1 to 100 characters")),
    }
}
