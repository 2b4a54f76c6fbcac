//! Becoming a member: the first one, by invitation, or where the owner has opened the door.

use chrono::Duration;
use guildhall_store::{NewInvitation, NewMember, NewSignUp, Store, StoreError};
use guildhall_types::access::{Invitation, SignUpSetting};
use guildhall_types::mail::MailKind;
use guildhall_types::member::{Member, MemberRole};
use tracing::Instrument;

use crate::accounts::{Origin, plain_email, plain_name};
use crate::mail::Words;
use crate::passwords::Passwords;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError, throttle};

/// Names the setting of who may sign up among the settings.
const SIGN_UP: &str = "sign_up";
/// An invitation ends by itself after so long.
const INVITATION: Duration = Duration::days(7);
/// A wish to sign up ends by itself after so long.
const WISH: Duration = Duration::hours(24);

/// Who may sign up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUp {
    /// The first member, who becomes the owner.
    First,
    /// Nobody.
    Closed,
    /// Whoever is invited.
    Invitation,
    /// Anybody, or anybody with an address of the team's domain.
    Open,
}

/// What came of a wish to become a member.
#[derive(Debug, Clone, PartialEq)]
pub enum Registered {
    /// A member came to be.
    Member(Box<Member>),
    /// A mail is on its way that says how to go on. Whether the address has an account, this does not tell.
    LookIntoYourMail,
}

/// Somebody who wants to become a member.
#[derive(Clone)]
pub struct NewAccount {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
    /// The name that is shown.
    pub name: String,
    /// The code of an invitation.
    pub invitation: Option<String>,
}

fn bad_sign_up() -> TeamError {
    TeamError::conflict(
        "bad-sign-up-link",
        "this link cannot be used: it was used already or has ended; sign up once more",
    )
}

fn of_the_domain(setting: &SignUpSetting, email: &str) -> Result<(), TeamError> {
    let host = email.split_once('@').map(|(_, host)| host);
    match setting.domain.as_deref() {
        Some(domain) if host != Some(domain) => {
            Err(TeamError::invalid("email", "only addresses of the team's own domain may sign up here"))
        }
        _ => Ok(()),
    }
}

fn bad_invitation() -> TeamError {
    TeamError::conflict(
        "bad-invitation",
        "this invitation cannot be used: it is not for this e-mail address, was used or taken back, or has ended; ask for a new one",
    )
}

impl Team {
    /// Who may sign up now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sign_up_state(&self) -> Result<SignUp, TeamError> {
        if self.store.member_count().await? == 0 {
            return Ok(SignUp::First);
        }
        Ok(match self.sign_up_setting().await?.open {
            true => SignUp::Open,
            false if self.store.open_invitations().await? > 0 => SignUp::Invitation,
            false => SignUp::Closed,
        })
    }

    /// Who may sign up without an invitation. Nobody, until the owner says otherwise.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sign_up_setting(&self) -> Result<SignUpSetting, TeamError> {
        Ok(self.store.setting(SIGN_UP).await?.unwrap_or_default())
    }

    /// Says who may sign up without an invitation.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for what is no domain, or a role that nobody is given without being looked at.
    pub async fn set_sign_up(&self, mut setting: SignUpSetting) -> Result<SignUpSetting, TeamError> {
        if !matches!(setting.role, MemberRole::Member | MemberRole::Viewer) {
            return Err(TeamError::invalid("role", "who signs up becomes a member or a viewer; an admin is invited"));
        }
        let domain = setting.domain.as_deref().map(|domain| domain.trim().trim_start_matches('@').to_lowercase());
        setting.domain = domain.filter(|domain| !domain.is_empty());
        if let Some(domain) = &setting.domain {
            let part = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '-') && !part.starts_with('-')
            };
            if domain.len() > 250 || !domain.contains('.') || !domain.split('.').all(part) {
                return Err(TeamError::invalid("domain", "give a domain such as example.com"));
            }
        }
        self.store.put_setting(SIGN_UP, &setting).await?;
        tracing::info!(?setting, "who may sign up was set");
        Ok(setting)
    }

    /// Makes an account: the first, the one that was invited, or one more where sign-up is open. In the last case, where
    /// mail is on, the member comes to be only when the address is proved.
    ///
    /// # Errors
    /// [`TeamError::AlreadySetUp`] when sign-up is closed; [`TeamError::Conflict`] `bad-invitation`;
    /// [`TeamError::Invalid`]; the store's error when the address is in use.
    pub async fn register(&self, new: NewAccount, origin: &Origin) -> Result<Registered, TeamError> {
        if self.store.member_count().await? == 0 {
            let first = self.register_first(&new.email, &new.password, &new.name).await?;
            return Ok(Registered::Member(Box::new(first)));
        }
        let code_hash = new.invitation.as_deref().map(|code| token_hash(code.trim()));
        let role = match &code_hash {
            // Looked at before the password is hashed, which is dear.
            Some(hash) => {
                let invitation = self.store.open_invitation(hash).await?;
                let invitation = invitation.filter(|invitation| invitation.email == new.email.trim().to_lowercase());
                invitation.ok_or_else(bad_invitation)?.role
            }
            None => {
                let setting = self.open_sign_up_setting().await?;
                self.throttle.take(&self.store, &throttle::sign_up(origin)).await?;
                of_the_domain(&setting, &plain_email(&new.email)?)?;
                setting.role
            }
        };
        let email = plain_email(&new.email)?;
        let name = plain_name(&new.name)?;
        Passwords::check_new(&new.password, &email, &name)?;
        let password_hash = self.passwords.hash(&new.password).await?;
        if code_hash.is_none() && self.mail_is_on() {
            return self.mail_how_to_go_on(email, name, password_hash, origin).await;
        }
        let account = NewMember { email, name, password_hash: Some(password_hash) };
        let member = match &code_hash {
            Some(hash) => self.store.join(account, hash).await?.ok_or_else(bad_invitation)?,
            None => self.store.sign_up(account, role).await?,
        };
        tracing::info!(member = %member.id, role = %member.role, invited = code_hash.is_some(), "a member joined");
        Ok(Registered::Member(Box::new(member)))
    }

    /// Keeps the wish to sign up and mails the link that fulfils it; or, where there is an account, mails that there is.
    /// Both after the answer, which so tells neither by its words nor by its time.
    async fn mail_how_to_go_on(
        &self,
        email: String,
        name: String,
        password_hash: String,
        origin: &Origin,
    ) -> Result<Registered, TeamError> {
        self.throttle.take(&self.store, &throttle::asking_for_mail(&email, origin)).await?;
        let team = self.acting_as(origin.nobody());
        let mailing = async move {
            if let Err(error) = team.mail_sign_up(email, name, password_hash).await {
                tracing::error!(%error, "how to go on with a sign-up could not be mailed");
            }
        };
        tokio::spawn(mailing.in_current_span());
        Ok(Registered::LookIntoYourMail)
    }

    async fn mail_sign_up(&self, email: String, name: String, password_hash: String) -> Result<(), TeamError> {
        if self.store.member_by_email(&email).await?.is_some() {
            let link = self.mailer()?.link("/login");
            let draft = self.letter(MailKind::SignUp, &email, &Words::SignUpKnown { link })?;
            return self.posting(Some(draft), |store| async move { store.put_mails().await }).await;
        }
        let code = new_token();
        let link = self.mailer()?.link(&format!("/welcome/{code}"));
        let draft = self.letter(MailKind::SignUp, &email, &Words::SignUp { link })?;
        let expires_at = self.clock.now() + WISH;
        let new = NewSignUp { email, name, password_hash, code_hash: token_hash(&code), expires_at };
        let change = |store: Store| {
            let new = new.clone();
            async move { store.create_sign_up(new).await }
        };
        self.posting(Some(draft), change).await
    }

    /// Makes the member who proves an address by a mailed code. The password that was chosen is asked for again, so that
    /// nobody makes an account for a stranger's address that the stranger then takes for their own.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `bad-sign-up-link`; [`TeamError::Invalid`] for another password;
    /// [`TeamError::AlreadySetUp`] when sign-up was closed since; [`TeamError::Throttled`].
    pub async fn finish_sign_up(&self, code: &str, password: &str, origin: &Origin) -> Result<Member, TeamError> {
        let code_hash = token_hash(code.trim());
        let wish = self.store.open_sign_up(&code_hash).await?.ok_or_else(bad_sign_up)?;
        let setting = self.open_sign_up_setting().await?;
        of_the_domain(&setting, &wish.email)?;
        let limits = throttle::sign_in(&wish.email, origin);
        self.throttle.take(&self.store, &limits).await?;
        if !self.passwords.verify(password, Some(&wish.password_hash)).await? {
            return Err(TeamError::invalid(
                "password",
                "this is not the password that was chosen; or sign up once more",
            ));
        }
        self.throttle.succeeded(&self.store, &limits).await?;
        let member = self.store.fulfil_sign_up(&code_hash, setting.role).await?.ok_or_else(bad_sign_up)?;
        tracing::info!(member = %member.id, role = %member.role, "a member signed up");
        Ok(member)
    }

    /// Who may sign up, if anybody may.
    async fn open_sign_up_setting(&self) -> Result<SignUpSetting, TeamError> {
        let setting = self.sign_up_setting().await?;
        if setting.open { Ok(setting) } else { Err(TeamError::AlreadySetUp) }
    }

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
        Passwords::check_new(password, &email, &name)?;
        let password_hash = Some(self.passwords.hash(password).await?);
        let made = self.store.create_first_member(NewMember { email, name, password_hash }).await?;
        let member = made.ok_or(TeamError::AlreadySetUp)?;
        tracing::info!(member = %member.id, "the first member was made and owns this team");
        Ok(member)
    }

    /// Invites somebody, by mail too if `by_mail`. Returns the code, which is shown once and stored hashed.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad address; [`TeamError::Conflict`] `mail-off`; the store's errors for a role
    /// above the inviter's own and for the address of a member.
    pub async fn invite(
        &self,
        inviter: &Member,
        email: &str,
        role: MemberRole,
        by_mail: bool,
    ) -> Result<(String, Invitation), TeamError> {
        let email = plain_email(email)?;
        inviter.may_invite(role).map_err(StoreError::from)?;
        let code = new_token();
        let until = self.clock.now() + INVITATION;
        let draft = match by_mail {
            true => {
                let link = self.mailer()?.link(&format!("/join/{code}"));
                let words = Words::Invitation { inviter: &inviter.name, role, email: &email, until, link };
                Some(self.letter(MailKind::Invitation, &email, &words)?)
            }
            false => None,
        };
        let new =
            NewInvitation { email, role, code_hash: token_hash(&code), created_by: inviter.id, expires_at: until };
        let change = |store: Store| {
            let new = new.clone();
            async move { store.create_invitation(new).await }
        };
        let invitation = self.posting(draft, change).await?;
        tracing::info!(member = %inviter.id, invitation = %invitation.id, %role, "somebody was invited");
        Ok((code, invitation))
    }

    /// What the holder of a code is invited to.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `bad-invitation`.
    pub async fn invitation(&self, code: &str) -> Result<Invitation, TeamError> {
        self.store.open_invitation(&token_hash(code.trim())).await?.ok_or_else(bad_invitation)
    }
}

/// Makes the first account without a password, for an operator at the machine: its member is the owner, and sets one by
/// a link. So nobody else comes first while the server is new.
///
/// # Errors
/// [`TeamError::AlreadySetUp`] when there is a member; [`TeamError::Invalid`] for a bad address or name.
pub async fn make_owner(store: &Store, email: &str, name: &str) -> Result<Member, TeamError> {
    let new = NewMember { email: plain_email(email)?, name: plain_name(name)?, password_hash: None };
    store.create_first_member(new).await?.ok_or(TeamError::AlreadySetUp)
}
