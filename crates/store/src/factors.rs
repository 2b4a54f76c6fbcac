//! Second factors: codes of an authenticator app, recovery codes, and who needs one.
//!
//! Whatever is good once is used up in the transaction that lets its holder in, by a statement that must touch one row: of
//! two who show the same code at the same moment, on whichever nodes, one gets in.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::factor::{ChallengeKind, Factors, SecondFactorSetting, WaysIn};
use guildhall_types::member::Member;
use guildhall_types::{DateTime, MemberId};
use sqlx::types::Json;

use crate::members::COLUMNS;
use crate::{NewReset, Rows, SealedSecret, Store, StoreError, Tx, on, read};

/// Codes of an authenticator app, as far as they may be read.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Totp {
    /// When the secret was made.
    pub created_at: DateTime,
    /// When a first code was given; until then it protects nothing.
    pub enabled_at: Option<DateTime>,
    /// The latest step whose code was used.
    pub last_step: i64,
}

/// What somebody has shown beside the password, found right; it is yet to be used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondProof {
    /// The code of this step.
    Step(i64),
    /// The recovery code with this hash.
    Recovery(Vec<u8>),
}

/// What the secret of a member's authenticator app is sealed for.
pub fn totp_identity(member: MemberId) -> String {
    format!("totp/{member}")
}

impl Store {
    /// The second factors that a member has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn factors(&self, member: MemberId) -> Result<Factors, StoreError> {
        let totp = self.totp(member).await?;
        let (recovery_codes,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM recovery_codes WHERE member_id = $1 AND used_at IS NULL")
            .bind(member).fetch_one(c).await)?;
        let passkeys = self.passkeys_of(member).await?;
        Ok(Factors { totp_since: totp.and_then(|totp| totp.enabled_at), passkeys, recovery_codes })
    }

    /// A member's codes of an authenticator app, whether or not they are in use yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn totp(&self, member: MemberId) -> Result<Option<Totp>, StoreError> {
        Ok(read!(self, c => sqlx::query_as("SELECT created_at, enabled_at, last_step FROM totp WHERE member_id = $1")
            .bind(member).fetch_optional(c).await)?)
    }

    /// Keeps a new secret for an authenticator app, in place of one that never came into use. False when there is one in
    /// use already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_totp(&self, member: MemberId, secret: &SealedSecret) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let put = on!(tx, c => sqlx::query(
            "INSERT INTO totp (member_id, created_at, last_step) VALUES ($1, $2, 0)
             ON CONFLICT (member_id) DO UPDATE SET created_at = excluded.created_at WHERE totp.enabled_at IS NULL")
            .bind(member).bind(self.now()).execute(c).await.rows())?;
        if put != 1 {
            return Ok(false);
        }
        self.put_secret(&mut tx, secret).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Brings the secret that was made at `created_at` into use: its code of `step` was given. Whoever had no second factor
    /// before gets `codes` as recovery codes. Returns whether they were kept; nothing when another secret was made in
    /// between, or this one is in use already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enable_totp(
        &self,
        member: MemberId,
        created_at: DateTime,
        step: i64,
        codes: &[Vec<u8>],
    ) -> Result<Option<bool>, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let first = !self.has_factor(&mut tx, member).await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE totp SET enabled_at = $2, last_step = $3 WHERE member_id = $1 AND enabled_at IS NULL AND created_at = $4")
            .bind(member).bind(self.now()).bind(step).bind(created_at).execute(c).await.rows())?;
        if done != 1 {
            return Ok(None);
        }
        tx.note(Note::new(AuditAction::EnableTotp).on(AuditObject::Member, member));
        if first {
            self.write_recovery_codes(&mut tx, member, codes).await?;
        }
        self.tell_member(&mut tx, member).await?;
        self.commit(tx).await?;
        Ok(Some(first))
    }

    /// Takes a member's authenticator app away; with the last second factor the recovery codes go as well. False when there
    /// is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_totp(&self, member: MemberId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let done =
            on!(tx, c => sqlx::query("DELETE FROM totp WHERE member_id = $1").bind(member).execute(c).await.rows())?;
        if done != 1 {
            return Ok(false);
        }
        self.delete_secret(&mut tx, &totp_identity(member)).await?;
        tx.note(Note::new(AuditAction::DisableTotp).on(AuditObject::Member, member));
        self.tidy_recovery_codes(&mut tx, member).await?;
        self.tell_member(&mut tx, member).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Puts recovery codes in place of the former ones. False when the member has no second factor that they could stand
    /// in for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_recovery_codes(&self, member: MemberId, codes: &[Vec<u8>]) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        if !self.has_factor(&mut tx, member).await? {
            return Ok(false);
        }
        self.write_recovery_codes(&mut tx, member, codes).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Ends a sign-in that is half done, by what its member has shown. Nothing when it has ended, or what was shown is used
    /// up, or the member is disabled; then it goes on to be half done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pass_second_step(
        &self,
        token_hash: &[u8],
        member: MemberId,
        proof: &SecondProof,
    ) -> Result<Option<Member>, StoreError> {
        let mut tx = self.begin().await?;
        let found = self.locked_member(&mut tx, member).await?.filter(|member| member.disabled_at.is_none());
        let Some(found) = found else { return Ok(None) };
        if !self.use_proof(&mut tx, member, proof).await? || !self.end_second_step(&mut tx, token_hash, member).await? {
            return Ok(None);
        }
        self.commit(tx).await?;
        Ok(Some(found))
    }

    /// Uses up what a member who is signed in has shown. False when it is used up already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_second_proof(&self, member: MemberId, proof: &SecondProof) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        if !self.use_proof(&mut tx, member, proof).await? {
            return Ok(false);
        }
        self.commit(tx).await?;
        Ok(true)
    }

    /// Takes all second factors of a member away on behalf of another, if that one may, and ends the member's sessions.
    ///
    /// # Errors
    /// [`StoreError::Refused`]; [`StoreError::NotFound`].
    pub async fn take_factors(&self, actor: MemberId, id: MemberId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let member = self.locked_member(&mut tx, id).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let sql = format!("SELECT {COLUMNS} FROM members WHERE id = $1");
        let actor: Member = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(actor).fetch_optional(c).await)?
            .ok_or(StoreError::NotFound { what: "member" })?;
        actor.may_manage(&member)?;
        let note = Note::new(AuditAction::TakeFactors).on(AuditObject::Member, id);
        let note = self.delete_factors(&mut tx, id, note).await?;
        tx.note(note);
        self.tell_member(&mut tx, id).await?;
        self.commit(tx).await
    }

    /// Lets a member in again who lost everything: takes the second factors away, ends the sessions, and makes a link to set
    /// a new password in place of an earlier one. For the operator, at the machine itself.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn rescue(&self, new: NewReset) -> Result<(), StoreError> {
        let id = new.member_id;
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, id).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let note = Note::new(AuditAction::Rescue).on(AuditObject::Member, id);
        let note = self.delete_factors(&mut tx, id, note).await?;
        tx.note(note);
        self.insert_reset(&mut tx, new).await?;
        self.tell_member(&mut tx, id).await?;
        self.commit(tx).await
    }

    /// Whether the team asks everyone for a second factor, and this member has none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lacks_second_factor(&self, member: MemberId) -> Result<bool, StoreError> {
        // One look for each request: mostly there is no such row at all.
        let row: Option<(Json<SecondFactorSetting>, i64)> = read!(self, c => sqlx::query_as(
            "SELECT value, (SELECT count(*) FROM totp WHERE member_id = $1 AND enabled_at IS NOT NULL)
               + (SELECT count(*) FROM passkeys WHERE member_id = $1) FROM settings WHERE name = 'second_factor'")
            .bind(member).fetch_optional(c).await)?;
        Ok(row.is_some_and(|(Json(setting), factors)| setting.required && factors == 0))
    }

    /// Which of the members from `first` to `last`, in the order of their making, have a second factor.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_with_factors(&self, first: MemberId, last: MemberId) -> Result<Vec<MemberId>, StoreError> {
        let rows: Vec<(MemberId,)> = read!(self, c => sqlx::query_as(
            "SELECT member_id FROM totp WHERE enabled_at IS NOT NULL AND member_id BETWEEN $1 AND $2
             UNION SELECT member_id FROM passkeys WHERE member_id BETWEEN $1 AND $2 ORDER BY 1")
            .bind(first).bind(last).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(member,)| member).collect())
    }

    /// By which ways a member gets in without anybody's help, as things stand in this transaction: the one place to count a
    /// further one. `issuers` are the providers that can be used now.
    pub(crate) async fn ways_in(
        &self,
        tx: &mut Tx,
        member: MemberId,
        issuers: &[String],
    ) -> Result<WaysIn, StoreError> {
        let (password,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM members WHERE id = $1 AND password_hash IS NOT NULL").bind(member).fetch_one(c).await)?;
        let (passkeys,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM passkeys WHERE member_id = $1")
            .bind(member).fetch_one(c).await)?;
        let linked: Vec<(String,)> = on!(tx, c => sqlx::query_as("SELECT issuer FROM identities WHERE member_id = $1")
            .bind(member).fetch_all(c).await)?;
        let account = linked.iter().any(|(issuer,)| issuers.contains(issuer));
        Ok(WaysIn { password: password == 1, passkeys, account })
    }

    pub(crate) async fn has_factor(&self, tx: &mut Tx, member: MemberId) -> Result<bool, StoreError> {
        let (count,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT (SELECT count(*) FROM totp WHERE member_id = $1 AND enabled_at IS NOT NULL)
               + (SELECT count(*) FROM passkeys WHERE member_id = $1)").bind(member).fetch_one(c).await)?;
        Ok(count > 0)
    }

    /// Ends the second step that this token began for this member; false when it has ended.
    pub(crate) async fn end_second_step(
        &self,
        tx: &mut Tx,
        token_hash: &[u8],
        member: MemberId,
    ) -> Result<bool, StoreError> {
        let ended = on!(tx, c => sqlx::query(
            "DELETE FROM challenges WHERE token_hash = $1 AND kind = $2 AND member_id = $3 AND expires_at > $4")
            .bind(token_hash).bind(ChallengeKind::SecondStep).bind(member).bind(self.now()).execute(c).await.rows())?;
        Ok(ended == 1)
    }

    async fn use_proof(&self, tx: &mut Tx, member: MemberId, proof: &SecondProof) -> Result<bool, StoreError> {
        match proof {
            SecondProof::Step(step) => {
                let used = on!(tx, c => sqlx::query(
                    "UPDATE totp SET last_step = $2 WHERE member_id = $1 AND enabled_at IS NOT NULL AND last_step < $2")
                    .bind(member).bind(step).execute(c).await.rows())?;
                Ok(used == 1)
            }
            SecondProof::Recovery(hash) => {
                let used = on!(tx, c => sqlx::query(
                    "UPDATE recovery_codes SET used_at = $3 WHERE member_id = $1 AND code_hash = $2 AND used_at IS NULL")
                    .bind(member).bind(hash).bind(self.now()).execute(c).await.rows())?;
                if used != 1 || !self.has_factor(tx, member).await? {
                    return Ok(false);
                }
                let (left,): (i64,) = on!(tx, c => sqlx::query_as(
                    "SELECT count(*) FROM recovery_codes WHERE member_id = $1 AND used_at IS NULL")
                    .bind(member).fetch_one(c).await)?;
                tx.note(Note::new(AuditAction::UseRecoveryCode).on(AuditObject::Member, member).with("left", left));
                Ok(true)
            }
        }
    }

    pub(crate) async fn write_recovery_codes(
        &self,
        tx: &mut Tx,
        member: MemberId,
        codes: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("DELETE FROM recovery_codes WHERE member_id = $1").bind(member).execute(c).await.rows())?;
        for code in codes {
            on!(tx, c => sqlx::query("INSERT INTO recovery_codes (member_id, code_hash) VALUES ($1, $2)")
                .bind(member).bind(code).execute(c).await.rows())?;
        }
        tx.note(Note::new(AuditAction::CreateRecoveryCodes).on(AuditObject::Member, member).with("codes", codes.len()));
        Ok(())
    }

    /// Recovery codes go with the last of what they stand in for.
    pub(crate) async fn tidy_recovery_codes(&self, tx: &mut Tx, member: MemberId) -> Result<(), StoreError> {
        if !self.has_factor(tx, member).await? {
            on!(tx, c => sqlx::query("DELETE FROM recovery_codes WHERE member_id = $1").bind(member)
                .execute(c).await.rows())?;
        }
        Ok(())
    }

    /// Takes everything away, with the sessions; `note` is told how much that was.
    async fn delete_factors(&self, tx: &mut Tx, member: MemberId, note: Note) -> Result<Note, StoreError> {
        let totp =
            on!(tx, c => sqlx::query("DELETE FROM totp WHERE member_id = $1").bind(member).execute(c).await.rows())?;
        let passkeys = on!(tx, c => sqlx::query("DELETE FROM passkeys WHERE member_id = $1").bind(member).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("DELETE FROM recovery_codes WHERE member_id = $1").bind(member).execute(c).await.rows())?;
        self.delete_secret(tx, &totp_identity(member)).await?;
        let sessions = self.delete_sessions(tx, member, None).await?;
        self.disconnect_clients(tx, member, "the second factors were taken away").await?;
        Ok(note.with("totp", totp).with("passkeys", passkeys).with("sessions", sessions))
    }
}
