//! Accounts: signing in, sessions, and what members change of their own.

use chrono::Duration;
use guildhall_store::{NewSession, Session, Store};
use guildhall_types::audit::{Actor, AuditAction, AuditObject, AuditOutcome, Note};
use guildhall_types::member::Member;
use guildhall_types::{DateTime, MemberId, SessionId};
use serde_json::Value;
use url::Url;

use crate::factors::Shown;
use crate::mail::Notice;
use crate::passwords::Passwords;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError, throttle};

/// A session ends so long after it was opened.
const SESSION: Duration = Duration::days(30);
/// A session that was not used for so long has ended.
const IDLE: Duration = Duration::days(14);
/// The last use of a session or a token is written down no more often than this.
pub(crate) const TOUCH: Duration = Duration::minutes(1);
/// For so long after a member proved who they are, sensitive changes are taken from the session.
const CONFIRMED: Duration = Duration::minutes(10);
/// For so long, after a session was given another token, the former one is good for requests that were under way.
const GRACE: Duration = Duration::seconds(30);
/// Characters of a time zone's name at most.
const TIME_ZONE: usize = 64;

/// From where somebody signs in.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The address of the connection.
    pub address: Option<String>,
    /// The browser, as it calls itself.
    pub user_agent: Option<String>,
}

impl Origin {
    /// Somebody there, before it is known who.
    pub fn nobody(&self) -> Actor {
        Actor { member: None, token: None, address: self.address.clone(), user_agent: self.user_agent.clone() }
    }

    /// This member there.
    pub fn of(&self, member: MemberId) -> Actor {
        Actor { member: Some(member), ..self.nobody() }
    }
}

/// What a member changes of their own account; what is absent stays.
#[derive(Clone, Default)]
pub struct ProfileChange {
    /// The name that is shown.
    pub name: Option<String>,
    /// The time zone by its IANA name; an inner nothing takes it away.
    pub time_zone: Option<Option<String>>,
    /// A new password.
    pub password: Option<PasswordChange>,
}

/// A new password in place of the former one.
#[derive(Clone)]
pub struct PasswordChange {
    /// The former one; nothing where a member has none and has proved lately in another way who they are.
    pub current: Option<String>,
    /// The new one.
    pub new: String,
}

/// In which way a member signed in.
#[derive(Debug, Clone)]
pub enum Way {
    /// By password.
    Password,
    /// By a passkey alone.
    Passkey,
    /// By a second factor, after one of the others.
    SecondFactor,
    /// By a provider.
    Provider {
        /// Its name.
        name: String,
        /// When the member last proved to it who they are, if it says so.
        proved: Option<DateTime>,
    },
}

impl Team {
    /// The first step of a sign-in: returns the member of this address and password. Whoever has a second factor is asked
    /// for it next, see [`Team::begin_second_step`].
    ///
    /// # Errors
    /// [`TeamError::WrongPassword`], which does not say whether the account exists; [`TeamError::Throttled`].
    pub async fn login(&self, email: &str, password: &str, origin: &Origin) -> Result<Member, TeamError> {
        let email = email.trim().to_lowercase();
        let now = self.clock.now();
        let limits = throttle::sign_in(&email, origin);
        let store = self.store.acting_as(origin.nobody());
        // What was typed is not repeated: it may be a password in the wrong field.
        let note = |found: Option<&Member>, outcome| {
            let note = Note::new(AuditAction::SignIn).outcome(outcome);
            match found {
                Some(member) => note.on(AuditObject::Member, member.id),
                None => note.with("account", "unknown"),
            }
        };
        if let Err(throttled) = self.throttle.take(&self.store, &limits).await {
            let mut told = vec![format!("sign-in {}", email.chars().take(254).collect::<String>())];
            told.extend(origin.address.iter().map(|address| format!("sign-in {address}")));
            let throttle = |error: &TeamError| matches!(error, TeamError::Throttled { .. });
            if throttle(&throttled) && told.iter().all(|key| self.throttle.worth_telling(key, now)) {
                let found = self.store.member_by_email(&email).await?;
                store.audit(note(found.as_ref().map(|(member, _)| member), AuditOutcome::Throttled)).await?;
            }
            return Err(throttled);
        }
        let found = self.store.member_by_email(&email).await?;
        let hash = found.as_ref().and_then(|(_, hash)| hash.as_deref());
        let right = self.passwords.verify(password, hash).await?;
        match found {
            Some((member, _)) if right && member.disabled_at.is_none() => {
                self.throttle.succeeded(&self.store, &limits).await?;
                Ok(member)
            }
            found => {
                tracing::warn!(address = origin.address.as_deref(), "a sign-in was refused");
                store.audit(note(found.as_ref().map(|(member, _)| member), AuditOutcome::Refused)).await?;
                Err(TeamError::WrongPassword)
            }
        }
    }

    /// Opens a session. Returns its token, which is shown once and stored hashed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_session(
        &self,
        member: MemberId,
        way: &Way,
        origin: Origin,
    ) -> Result<(String, Session), TeamError> {
        let token = new_token();
        let store = self.store.acting_as(origin.of(member));
        let cut = |text: String| text.chars().take(300).collect();
        let session = NewSession {
            member_id: member,
            token_hash: token_hash(&token),
            user_agent: origin.user_agent.map(cut),
            address: origin.address,
            expires_at: self.clock.now() + SESSION,
        };
        let session = match way {
            Way::Password => store.create_session(session).await?,
            Way::Passkey => store.create_session_by(session, "passkey", self.clock.now()).await?,
            Way::SecondFactor => store.create_session_by(session, "second-factor", self.clock.now()).await?,
            Way::Provider { name, proved } => {
                // A provider that lets somebody through who proved something to it days ago proves nothing new to us.
                let proved = proved.unwrap_or(DateTime::UNIX_EPOCH).min(self.clock.now());
                store.create_session_by(session, name, proved).await?
            }
        };
        self.store.touch_login(member).await?;
        Ok((token, session))
    }

    /// The session with this token and its member, if it has not ended.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session(&self, token: &str) -> Result<Option<(Session, Member)>, TeamError> {
        let Some((session, member)) = self.store.session_by_token(&token_hash(token)).await? else { return Ok(None) };
        let now = self.clock.now();
        if session.last_used_at + IDLE <= now {
            self.store.forget_session(session.id).await?;
            return Ok(None);
        }
        if session.last_used_at + TOUCH <= now {
            self.store.touch_session(session.id).await?;
        }
        Ok(Some((session, member)))
    }

    /// Whether a session that was there has not ended since.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session_holds(&self, id: SessionId) -> Result<bool, TeamError> {
        let found = self.store.session(id).await?;
        Ok(found.is_some_and(|(session, _)| session.last_used_at + IDLE > self.clock.now()))
    }

    /// Whether the member has proved who they are in this session lately enough for a sensitive change.
    pub fn is_confirmed(&self, session: &Session) -> bool {
        session.confirmed_at + CONFIRMED > self.clock.now()
    }

    /// A member proves again who they are: by the password and, whoever has one, by a second factor too. A password alone
    /// proves little where it was stolen, or where the browser of an unlocked machine fills it in; and by this proof second
    /// factors can be taken away. It is asked for once in ten minutes at most, and a passkey does both in one. The session
    /// goes on with a new token, which is returned.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a wrong password or code; [`TeamError::Throttled`].
    pub async fn confirm(
        &self,
        member: &Member,
        session: SessionId,
        password: &str,
        second: Option<&Shown>,
        origin: &Origin,
    ) -> Result<(String, Session), TeamError> {
        let asked = self.store.factors(member.id).await?.any();
        if asked && second.is_none() {
            let words = "give a code of your authenticator app or a recovery code as well, or use a passkey";
            return Err(TeamError::invalid("code", words));
        }
        self.prove(member, "password", password, origin).await?;
        if let Some(shown) = second.filter(|_| asked) {
            self.prove_second(member, shown, origin).await?;
        }
        self.confirmed(session).await
    }

    /// A member proves again who they are, by a passkey: `token` is that of the question, `credential` the answer.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a passkey that is not accepted; [`TeamError::Conflict`] `passkey-over`.
    pub async fn confirm_by_passkey(
        &self,
        member: &Member,
        session: SessionId,
        site: Option<&Url>,
        token: &str,
        credential: Value,
        origin: &Origin,
    ) -> Result<(String, Session), TeamError> {
        self.prove_by_passkey(member, site, token, credential, origin).await?;
        self.confirmed(session).await
    }

    /// Gives a session whose member has proved who they are another token, which is returned.
    pub(crate) async fn confirmed(&self, session: SessionId) -> Result<(String, Session), TeamError> {
        let token = new_token();
        let session = self.store.confirm_session(session, &token_hash(&token), self.clock.now() + GRACE).await?;
        Ok((token, session))
    }

    /// Checks a member's password, slowed down like a sign-in.
    async fn prove(
        &self,
        member: &Member,
        field: &'static str,
        password: &str,
        origin: &Origin,
    ) -> Result<(), TeamError> {
        let now = self.clock.now();
        let limits = throttle::sign_in(&member.email, origin);
        let note = |outcome| Note::new(AuditAction::Confirm).on(AuditObject::Member, member.id).outcome(outcome);
        if let Err(throttled) = self.throttle.take(&self.store, &limits).await {
            let key = format!("confirm {}", member.id);
            if matches!(throttled, TeamError::Throttled { .. }) && self.throttle.worth_telling(&key, now) {
                self.store.audit(note(AuditOutcome::Throttled)).await?;
            }
            return Err(throttled);
        }
        let hash = self.store.password_hash(member.id).await?;
        if self.passwords.verify(password, hash.as_deref()).await? {
            self.throttle.succeeded(&self.store, &limits).await?;
            return Ok(());
        }
        self.store.audit(note(AuditOutcome::Refused)).await?;
        Err(TeamError::invalid(field, "this is not your password"))
    }

    /// Changes a member's own account. A new password asks for the former one and ends every other session.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad value; [`TeamError::Throttled`].
    pub async fn change_profile(
        &self,
        member: &Member,
        session: SessionId,
        change: ProfileChange,
        origin: &Origin,
    ) -> Result<Member, TeamError> {
        let name = change.name.as_deref().map(plain_name).transpose()?;
        let time_zone = change.time_zone.map(|zone| zone.map(|zone| plain_time_zone(&zone)).transpose()).transpose()?;
        if let Some(PasswordChange { current, new }) = change.password {
            match &current {
                Some(current) => self.prove(member, "currentPassword", current, origin).await?,
                None if self.store.password_hash(member.id).await?.is_none() => {}
                None => {
                    let message = "give the password that you have now as well";
                    return Err(TeamError::invalid("currentPassword", message));
                }
            }
            let shown = name.as_deref().unwrap_or(&member.name);
            Passwords::check_new(&new, &member.email, shown).map_err(|error| match error {
                TeamError::Invalid { message, .. } => TeamError::invalid("newPassword", message),
                other => other,
            })?;
            if current.as_ref() == Some(&new) {
                return Err(TeamError::invalid("newPassword", "this is the password that you have now"));
            }
            let hash = self.passwords.hash(&new).await?;
            let (id, hash) = (member.id, hash.as_str());
            let change = |store: Store| async move { store.set_password(id, hash, Some(session)).await };
            self.notify(member, &Notice::password_changed(), change).await?;
            tracing::info!(member = %member.id, "a member set a new password");
        }
        if name.is_none() && time_zone.is_none() {
            return self.store.member(member.id).await?.ok_or(TeamError::NotFound { what: "member" });
        }
        let zone = time_zone.as_ref().map(|zone| zone.as_deref());
        Ok(self.store.change_profile(member.id, name.as_deref(), zone).await?)
    }
}

pub(crate) fn plain_email(text: &str) -> Result<String, TeamError> {
    let email = text.trim().to_lowercase();
    let fits = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if fits { Ok(email) } else { Err(TeamError::invalid("email", "give an e-mail address, such as anna@example.com")) }
}

pub(crate) fn plain_name(text: &str) -> Result<String, TeamError> {
    let name = text.trim();
    match name.chars().count() {
        1..=100 if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err(TeamError::invalid("name", "give a name of 1 to 100 characters")),
    }
}

/// The form of a name in the time zone database. Which names there are, the browser that offers them knows.
fn plain_time_zone(text: &str) -> Result<String, TeamError> {
    let zone = text.trim();
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
    };
    match !zone.is_empty() && zone.len() <= TIME_ZONE && zone.split('/').all(part) {
        true => Ok(zone.to_owned()),
        false => Err(TeamError::invalid("timeZone", "give a time zone such as Europe/Berlin")),
    }
}
