//! Becoming a member: the first one, by invitation, or where the owner has opened the door.

use chrono::Duration;
use guildhall_store::{NewInvitation, NewMember};
use guildhall_types::access::{Invitation, SignUpSetting};
use guildhall_types::member::{Member, MemberRole};

use crate::accounts::{Origin, plain_email, plain_name};
use crate::passwords::Passwords;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError};

/// Names the setting of who may sign up among the settings.
const SIGN_UP: &str = "sign_up";
/// An invitation ends by itself after so long.
const INVITATION: Duration = Duration::days(7);

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

    /// Makes an account: the first, the one that was invited, or one more where sign-up is open.
    ///
    /// # Errors
    /// [`TeamError::AlreadySetUp`] when sign-up is closed; [`TeamError::Conflict`] `bad-invitation`;
    /// [`TeamError::Invalid`]; the store's error when the address is in use.
    pub async fn register(&self, new: NewAccount, origin: &Origin) -> Result<Member, TeamError> {
        if self.store.member_count().await? == 0 {
            return self.register_first(&new.email, &new.password, &new.name).await;
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
                let setting = self.sign_up_setting().await?;
                if !setting.open {
                    return Err(TeamError::AlreadySetUp);
                }
                let now = self.clock.now();
                let keys: Vec<String> = origin.address.iter().map(|address| format!("sign-up {address}")).collect();
                self.throttle.check(&keys, now)?;
                self.throttle.failed(&keys, now);
                let email = plain_email(&new.email)?;
                let host = email.split_once('@').map(|(_, host)| host);
                if setting.domain.as_deref().is_some_and(|domain| host != Some(domain)) {
                    return Err(TeamError::invalid(
                        "email",
                        "only addresses of the team's own domain may sign up here",
                    ));
                }
                setting.role
            }
        };
        let email = plain_email(&new.email)?;
        let name = plain_name(&new.name)?;
        Passwords::check_new(&new.password, &email, &name)?;
        let password_hash = Some(self.passwords.hash(&new.password).await?);
        let account = NewMember { email, name, password_hash };
        let member = match &code_hash {
            Some(hash) => self.store.join(account, hash).await?.ok_or_else(bad_invitation)?,
            None => self.store.sign_up(account, role).await?,
        };
        tracing::info!(member = %member.id, role = %member.role, invited = code_hash.is_some(), "a member joined");
        Ok(member)
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

    /// Invites somebody. Returns the code, which is shown once and stored hashed.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad address; the store's errors for a role above the inviter's own and for the
    /// address of a member.
    pub async fn invite(
        &self,
        inviter: &Member,
        email: &str,
        role: MemberRole,
    ) -> Result<(String, Invitation), TeamError> {
        let email = plain_email(email)?;
        if role.is_above(inviter.role) {
            return Err(guildhall_store::StoreError::from(guildhall_types::member::ChangeRefused::AboveOwn).into());
        }
        let code = new_token();
        let new = NewInvitation {
            email,
            role,
            code_hash: token_hash(&code),
            created_by: inviter.id,
            expires_at: self.clock.now() + INVITATION,
        };
        let invitation = self.store.create_invitation(new).await?;
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
