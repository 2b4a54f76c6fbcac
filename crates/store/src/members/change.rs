//! What an admin changes of a member: role, disabled or not, sessions.

use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::{Member, MemberChange, MemberRole};
use guildhall_types::rights::MemberRight;
use guildhall_types::run::Run;

use super::COLUMNS;
use crate::{Backend, Rows, Store, StoreError, Tx, on};

/// What came of a change.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The member as it is now.
    pub member: Member,
    /// The runs that were stopped.
    pub stopped: Vec<Run>,
}

impl Store {
    /// Changes a member on behalf of another, if that one may. A change of the role ends the sessions, a lower role what the
    /// member has invited and the links that it made for others, and a higher one the links that others made for it;
    /// disabling ends all of that, tokens and the member's own links as well; whoever may run nothing any more has no
    /// run at work and no execution that goes on. All of it at once, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`]; [`StoreError::NotFound`].
    pub async fn change_member(
        &self,
        actor: MemberId,
        id: MemberId,
        change: MemberChange,
    ) -> Result<Changed, StoreError> {
        let mut tx = self.begin().await?;
        if self.backend() == Backend::Postgres {
            // One change of members at a time, so that two owners cannot both give up.
            on!(tx, c => sqlx::query("SELECT pg_advisory_xact_lock(4301)").execute(c).await.rows())?;
        }
        let missing = || StoreError::NotFound { what: "member" };
        let member = self.locked_member(&mut tx, id).await?.ok_or_else(missing)?;
        let sql = format!("SELECT {COLUMNS} FROM members WHERE id = $1");
        let actor: Member = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(actor).fetch_optional(c).await)?
            .ok_or_else(missing)?;
        let (others,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM members WHERE role = $1 AND disabled_at IS NULL AND id <> $2")
            .bind(MemberRole::Owner).bind(id).fetch_one(c).await)?;
        actor.may_change(&member, change, others)?;

        let role = change.role.unwrap_or(member.role);
        let disabled = change.disabled.unwrap_or(member.disabled_at.is_some());
        let ends = disabled && member.disabled_at.is_none();
        let disabled_at = disabled.then(|| member.disabled_at.unwrap_or(self.now()));
        if role == member.role && disabled_at == member.disabled_at {
            return Ok(Changed { member, stopped: Vec::new() });
        }
        on!(tx, c => sqlx::query("UPDATE members SET role = $2, disabled_at = $3 WHERE id = $1").bind(id).bind(role)
            .bind(disabled_at).execute(c).await.rows())?;
        if role != member.role {
            let note = Note::new(AuditAction::ChangeRole).on(AuditObject::Member, id);
            tx.note(note.with("from", member.role).with("to", role));
        }
        if disabled != member.disabled_at.is_some() {
            let action = if disabled { AuditAction::Disable } else { AuditAction::Enable };
            tx.note(Note::new(action).on(AuditObject::Member, id));
        }
        self.delete_sessions(&mut tx, id, None).await?;
        self.disconnect_clients(&mut tx, id, "the role changed, or the member was disabled or enabled").await?;
        if ends {
            on!(tx, c => sqlx::query("UPDATE tokens SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL")
                .bind(id).bind(self.now()).execute(c).await.rows())?;
            self.revoke_resets(&mut tx, id).await?;
        }
        if role.is_above(member.role) {
            self.revoke_resets_of_others(&mut tx, id).await?;
        }
        if ends || member.role.is_above(role) {
            self.revoke_invitations_by(&mut tx, id).await?;
            self.revoke_resets_by(&mut tx, id).await?;
        }
        let stopped = match ends || !role.may(MemberRight::Run) {
            true => {
                let stopped = self.stop_runs(&mut tx, Some(id), None).await?;
                let why = match disabled {
                    true => "The member who started it was disabled.",
                    false => "The member who started it may run nothing any more.",
                };
                let ended = self.end_executions(&mut tx, Some(id), None, why).await?;
                let orders = self.switch_off_orders_of(&mut tx, id).await?;
                self.tell_stopped(&mut tx, &stopped).await?;
                self.tell_ended(&mut tx, &ended).await?;
                self.tell_orders(&mut tx, &orders).await?;
                stopped
            }
            false => Vec::new(),
        };
        let member = self.tell_member(&mut tx, id).await?;
        self.commit(tx).await?;
        Ok(Changed { member, stopped })
    }

    /// Ends all sessions of a member on behalf of an admin.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn sign_out_member(&self, id: MemberId) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, id).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let ended = self.delete_sessions(&mut tx, id, None).await?;
        self.disconnect_clients(&mut tx, id, "an admin signed the member out").await?;
        tx.note(Note::new(AuditAction::SignOutMember).on(AuditObject::Member, id).with("sessions", ended));
        self.tell_member(&mut tx, id).await?;
        self.commit(tx).await?;
        Ok(ended)
    }

    /// The member, locked, if it may let agents work.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it may not, or no longer.
    pub(crate) async fn runner(&self, tx: &mut Tx, id: MemberId) -> Result<Member, StoreError> {
        let member = self.locked_member(tx, id).await?.ok_or(StoreError::NotFound { what: "member" })?;
        match may_run(&member) {
            true => Ok(member),
            false => Err(guildhall_types::member::ChangeRefused::MissingRight.into()),
        }
    }
}

/// Whether runs may go on in the name of this member.
pub(crate) fn may_run(member: &Member) -> bool {
    member.disabled_at.is_none() && member.role.may(MemberRight::Run)
}
