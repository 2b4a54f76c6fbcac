//! What admins do with members.

use chrono::Duration;
use guildhall_store::{Changed, NewReset, Store, StoreError};
use guildhall_types::MemberId;
use guildhall_types::member::{Member, MemberChange};

use crate::mail::{Draft, Notice};
use crate::passwords::Passwords;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError};

/// A link by which a member sets a new password ends by itself after so long.
const RESET: Duration = Duration::hours(24);

fn bad_reset() -> TeamError {
    TeamError::conflict(
        "bad-reset-link",
        "this link cannot be used: it was used already, was replaced by another, or has ended; ask for a new one",
    )
}

impl Team {
    /// Changes a member's role, or disables or enables the account. What that ends, ends at once.
    ///
    /// # Errors
    /// The store's errors, for what may not be.
    pub async fn change_member(
        &self,
        actor: &Member,
        id: MemberId,
        change: MemberChange,
    ) -> Result<Changed, TeamError> {
        let draft = match self.store.member(id).await? {
            Some(member) => self.notice_of(&member, change)?,
            None => None,
        };
        let by = actor.id;
        let changed = self.posting(draft, |store| async move { store.change_member(by, id, change).await }).await?;
        tracing::info!(by = %actor.id, member = %id, ?change, stopped = changed.stopped.len(), "a member was changed");
        Ok(changed)
    }

    /// What tells the member of this change.
    fn notice_of(&self, member: &Member, change: MemberChange) -> Result<Option<Draft>, TeamError> {
        let was_disabled = member.disabled_at.is_some();
        let notice = match (change.disabled, change.role) {
            (Some(disabled), _) if disabled != was_disabled => match disabled {
                true => Notice::disabled(),
                false => Notice::enabled(),
            },
            (_, Some(role)) if role != member.role => Notice::role_changed(member.role, role),
            _ => return Ok(None),
        };
        self.notice(member, &notice)
    }

    /// Ends all sessions of a member. Returns how many.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; the store's error when the actor may not.
    pub async fn sign_out_member(&self, actor: &Member, id: MemberId) -> Result<u64, TeamError> {
        self.managed(actor, id).await?;
        let ended = self.store.sign_out_member(id).await?;
        tracing::info!(by = %actor.id, member = %id, ended, "a member was signed out");
        Ok(ended)
    }

    /// Makes a link by which a member sets a new password. Returns its code, which is shown once and stored hashed.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] while the member is disabled; the store's error when the actor
    /// may not.
    pub async fn reset_link(&self, actor: &Member, id: MemberId) -> Result<String, TeamError> {
        let member = self.managed(actor, id).await?;
        if member.disabled_at.is_some() {
            return Err(TeamError::conflict("member-disabled", "this member is disabled; enable the account first"));
        }
        let code = new_token();
        let new = NewReset {
            member_id: id,
            code_hash: token_hash(&code),
            created_by: actor.id,
            mailed: false,
            expires_at: self.clock.now() + RESET,
        };
        let change = |store: Store| {
            let new = new.clone();
            async move { store.create_reset(new).await }
        };
        self.notify(&member, &Notice::reset_link_made(), change).await?;
        tracing::info!(by = %actor.id, member = %id, "a link to set a new password was made");
        Ok(code)
    }

    /// Sets a new password by a link. Ends all sessions of the member.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `bad-reset-link`; [`TeamError::Invalid`] for a weak password.
    pub async fn reset_password(&self, code: &str, password: &str) -> Result<Member, TeamError> {
        let code_hash = token_hash(code.trim());
        let member = self.store.reset_member(&code_hash).await?.ok_or_else(bad_reset)?;
        Passwords::check_new(password, &member.email, &member.name)?;
        let hash = self.passwords.hash(password).await?;
        let (code_hash, hash) = (code_hash.as_slice(), hash.as_str());
        let change = |store: Store| async move { store.use_reset(code_hash, hash).await };
        let member = self.notify(&member, &Notice::password_reset(), change).await?.ok_or_else(bad_reset)?;
        tracing::info!(member = %member.id, "a password was set by a link");
        Ok(member)
    }

    async fn managed(&self, actor: &Member, id: MemberId) -> Result<Member, TeamError> {
        let member = self.store.member(id).await?.ok_or(TeamError::NotFound { what: "member" })?;
        actor.may_manage(&member).map_err(StoreError::from)?;
        Ok(member)
    }
}
