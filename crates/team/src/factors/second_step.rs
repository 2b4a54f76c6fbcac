//! The second step of a sign-in, and the same proof before a sensitive change.

use chrono::Duration;
use guildhall_store::{NewChallenge, SecondProof};
use guildhall_types::audit::{AuditAction, AuditObject, AuditOutcome, Note};
use guildhall_types::factor::{ChallengeKind, SecondFactor};
use guildhall_types::member::Member;

use super::recovery_hash;
use crate::accounts::Origin;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError, throttle};

/// A sign-in that is half done ends by itself after so long.
pub(super) const HALF_DONE: Duration = Duration::minutes(5);
/// Codes that may be tried in one of them.
const TRIES: i64 = 5;

/// A sign-in whose second factor is still to be shown.
pub struct HalfDone {
    /// The token that the browser holds; stored hashed.
    pub token: String,
    /// What can be shown.
    pub kinds: Vec<SecondFactor>,
}

/// What somebody shows beside the password.
pub enum Shown {
    /// A code of an authenticator app.
    Code(String),
    /// A recovery code.
    RecoveryCode(String),
}

impl Shown {
    fn wrong(&self) -> TeamError {
        match self {
            Self::Code(_) => TeamError::invalid(
                "code",
                "this code is wrong or was used already; give the one that the app shows now, and see that its clock is right",
            ),
            Self::RecoveryCode(_) => {
                TeamError::invalid("recoveryCode", "there is no such recovery code, or it was used already")
            }
        }
    }

    fn kind(&self) -> SecondFactor {
        match self {
            Self::Code(_) => SecondFactor::Totp,
            Self::RecoveryCode(_) => SecondFactor::RecoveryCode,
        }
    }
}

pub(super) fn over() -> TeamError {
    TeamError::conflict(
        "sign-in-over",
        "this sign-in took too long, was tried too often, or was begun in another browser; sign in again",
    )
}

impl Team {
    /// Begins the second step for a member who has shown the first factor. Nothing when the member has no second one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin_second_step(&self, member: &Member) -> Result<Option<HalfDone>, TeamError> {
        let factors = self.store.factors(member.id).await?;
        if !factors.any() {
            return Ok(None);
        }
        let token = new_token();
        let new = NewChallenge {
            token_hash: token_hash(&token),
            kind: ChallengeKind::SecondStep,
            member_id: Some(member.id),
            state: String::new(),
            expires_at: self.clock.now() + HALF_DONE,
        };
        self.store.put_challenge(new).await?;
        Ok(Some(HalfDone { token, kinds: factors.kinds() }))
    }

    /// What can be shown in the second step that this token began; nothing when it has ended.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn second_step(&self, token: &str) -> Result<Option<Vec<SecondFactor>>, TeamError> {
        match self.store.half_done(&token_hash(token)).await? {
            Some(member) => Ok(Some(self.store.factors(member).await?.kinds())),
            None => Ok(None),
        }
    }

    /// Ends the second step that this token began: returns its member, who is now to have a session.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `sign-in-over`; [`TeamError::Invalid`] for what is wrong or used up;
    /// [`TeamError::Throttled`].
    pub async fn pass_second_step(&self, token: &str, shown: &Shown, origin: &Origin) -> Result<Member, TeamError> {
        let token_hash = token_hash(token);
        let member = self.store.try_half_done(&token_hash, TRIES).await?.ok_or_else(over)?;
        let member = self.store.member(member).await?.filter(|member| member.disabled_at.is_none()).ok_or_else(over)?;
        let team = self.acting_as(origin.nobody());
        let proof = team.look_at(&member, shown, AuditAction::SignIn, origin).await?;
        match team.acting_as(origin.of(member.id)).store.pass_second_step(&token_hash, member.id, &proof).await? {
            Some(member) => {
                self.throttle.succeeded(&self.store, &throttle::second_factor(member.id, origin)).await?;
                Ok(member)
            }
            None => Err(team.refuse_second(&member, shown, AuditAction::SignIn, origin).await?),
        }
    }

    /// A member who is signed in shows a second factor, which is then used up.
    pub(crate) async fn prove_second(&self, member: &Member, shown: &Shown, origin: &Origin) -> Result<(), TeamError> {
        let proof = self.look_at(member, shown, AuditAction::Confirm, origin).await?;
        match self.store.use_second_proof(member.id, &proof).await? {
            true => {
                self.throttle.succeeded(&self.store, &throttle::second_factor(member.id, origin)).await?;
                Ok(())
            }
            false => Err(self.refuse_second(member, shown, AuditAction::Confirm, origin).await?),
        }
    }

    /// Finds what was shown right, slowed down like a password. Using it up may still fail.
    async fn look_at(
        &self,
        member: &Member,
        shown: &Shown,
        action: AuditAction,
        origin: &Origin,
    ) -> Result<SecondProof, TeamError> {
        if let Err(throttled) = self.throttle.take(&self.store, &throttle::second_factor(member.id, origin)).await {
            let key = format!("second {}", member.id);
            let told = matches!(throttled, TeamError::Throttled { .. });
            if told && self.throttle.worth_telling(&key, self.clock.now()) {
                let note = Note::new(action).on(AuditObject::Member, member.id).outcome(AuditOutcome::Throttled);
                self.store.audit(note.with("by", shown.kind())).await?;
            }
            return Err(throttled);
        }
        let proof = match shown {
            Shown::Code(code) => self.totp_step(member, code).await?.map(SecondProof::Step),
            Shown::RecoveryCode(code) => Some(SecondProof::Recovery(recovery_hash(code))),
        };
        match proof {
            Some(proof) => Ok(proof),
            None => Err(self.refuse_second(member, shown, action, origin).await?),
        }
    }

    /// Tells the audit of a failure, which was counted before it was looked at. Returns what to answer.
    pub(super) async fn refuse_second(
        &self,
        member: &Member,
        shown: &Shown,
        action: AuditAction,
        origin: &Origin,
    ) -> Result<TeamError, TeamError> {
        tracing::warn!(member = %member.id, address = origin.address.as_deref(), "a second factor was refused");
        let note = Note::new(action).on(AuditObject::Member, member.id).outcome(AuditOutcome::Refused);
        self.store.audit(note.with("by", shown.kind())).await?;
        Ok(shown.wrong())
    }
}
