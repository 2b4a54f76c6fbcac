//! Passkeys (WebAuthn): made, shown, and taken for both factors, because the authenticator has verified its user.
//!
//! What a passkey signs is a challenge that is kept here for minutes, taken once, and found by a token that this browser
//! alone holds. The passkey that answers is looked up by its own id; whose it is must be whom the question was put to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_store::{KeptPasskey, NewChallenge, NewPasskey, Store};
use guildhall_types::audit::{AuditAction, AuditObject, AuditOutcome, Note};
use guildhall_types::factor::{ChallengeKind, Passkey};
use guildhall_types::member::Member;
use guildhall_types::{MemberId, PasskeyId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Webauthn,
    WebauthnBuilder,
};

use super::recovery_codes;
use super::second_step::{HALF_DONE, over};
use crate::accounts::Origin;
use crate::mail::Notice;
use crate::tokens::{new_token, token_hash};
use crate::{Team, TeamError};

/// Passkeys that a member can have.
const MOST: i64 = 20;

type Kept = webauthn_rs::prelude::Passkey;

/// For what a passkey is asked.
pub enum AskPasskey<'a> {
    /// To sign in, whoever it is.
    SignIn,
    /// To end the second step that this token began.
    SecondStep(&'a str),
    /// To confirm that it is this member.
    Confirm(&'a Member),
}

fn refused() -> TeamError {
    TeamError::invalid("credential", "this passkey was not accepted; use another one, or sign in with your password")
}

fn too_late() -> TeamError {
    TeamError::conflict("passkey-over", "that took too long, or was begun in another browser; try again")
}

/// The site that a passkey is for. `site` is the address under which the browser knows this server.
fn webauthn(site: Option<&Url>) -> Result<Webauthn, TeamError> {
    let nowhere = || {
        TeamError::conflict(
            "no-passkeys-here",
            "passkeys need a name, not an IP address: on this machine open http://localhost instead; elsewhere the operator sets GUILDHALL_PUBLIC_URL to an https address with a name",
        )
    };
    let site = site.ok_or_else(nowhere)?;
    let name = site.domain().ok_or_else(nowhere)?;
    let builder = WebauthnBuilder::new(name, site).map_err(|_| nowhere())?;
    builder.rp_name("Guildhall").build().map_err(|error| TeamError::internal("passkeys", error))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> TeamError {
    TeamError::internal("a passkey's state", error)
}

fn answer<T: DeserializeOwned>(credential: Value) -> Result<T, TeamError> {
    serde_json::from_value(credential)
        .map_err(|_| TeamError::invalid("credential", "give what the browser returned, as JSON"))
}

impl Team {
    /// Whether passkeys can be used at this address.
    pub fn passkeys_at(site: Option<&Url>) -> bool {
        webauthn(site).is_ok()
    }

    /// What to ask a browser that is to show a passkey, and the token by which its answer is known.
    ///
    /// # Errors
    /// [`TeamError::Conflict`]: `no-passkeys-here`, `no-passkey` for a member without one, `sign-in-over`.
    pub async fn ask_passkey(&self, site: Option<&Url>, ask: AskPasskey<'_>) -> Result<(String, Value), TeamError> {
        let webauthn = webauthn(site)?;
        let (kind, member) = match ask {
            AskPasskey::SignIn => (ChallengeKind::SignIn, None),
            AskPasskey::SecondStep(token) => {
                let member = self.store.half_done(&token_hash(token)).await?.ok_or_else(over)?;
                (ChallengeKind::SignIn, Some(member))
            }
            AskPasskey::Confirm(member) => (ChallengeKind::Confirm, Some(member.id)),
        };
        let (asked, state) = webauthn.start_discoverable_authentication().map_err(failed)?;
        let mut options = serde_json::to_value(asked.public_key).map_err(failed)?;
        if let Some(member) = member {
            let passkeys = self.kept(member).await?;
            if passkeys.is_empty() {
                return Err(TeamError::conflict(
                    "no-passkey",
                    "this account has no passkey; use another second factor",
                ));
            }
            let id = |passkey: &Kept| URL_SAFE_NO_PAD.encode(passkey.cred_id());
            options["allowCredentials"] =
                passkeys.iter().map(|passkey| json!({ "type": "public-key", "id": id(passkey) })).collect();
        }
        let state = serde_json::to_string(&state).map_err(failed)?;
        Ok((self.keep(kind, member, state).await?, options))
    }

    /// A member signs in by a passkey. With `half_done`, the token of a second step, it must be one of the member whose
    /// sign-in that is.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a passkey that is not accepted; [`TeamError::Conflict`] `passkey-over`.
    pub async fn sign_in_by_passkey(
        &self,
        site: Option<&Url>,
        token: &str,
        half_done: Option<&str>,
        credential: Value,
        origin: &Origin,
    ) -> Result<Member, TeamError> {
        let (whose, state) = self.take(token, ChallengeKind::SignIn).await?;
        let second_step = whose.and(half_done).map(token_hash);
        if whose.is_some() && second_step.is_none() {
            return Err(over());
        }
        let team = self.acting_as(origin.nobody());
        match team.verified(site, whose, &state, credential).await? {
            Ok((passkey, counter)) => match team.store.use_passkey(&passkey, counter, second_step.as_deref()).await? {
                Some(member) => Ok(member),
                None => Err(team.refuse_passkey(Some(passkey.member_id), AuditAction::SignIn, origin).await?),
            },
            Err(known) => Err(team.refuse_passkey(known, AuditAction::SignIn, origin).await?),
        }
    }

    /// A member who is signed in shows a passkey.
    pub(crate) async fn prove_by_passkey(
        &self,
        member: &Member,
        site: Option<&Url>,
        token: &str,
        credential: Value,
        origin: &Origin,
    ) -> Result<(), TeamError> {
        let (whose, state) = self.take(token, ChallengeKind::Confirm).await?;
        if whose != Some(member.id) {
            return Err(too_late());
        }
        if let Ok((passkey, counter)) = self.verified(site, whose, &state, credential).await?
            && self.store.use_passkey(&passkey, counter, None).await?.is_some()
        {
            return Ok(());
        }
        Err(self.refuse_passkey(Some(member.id), AuditAction::Confirm, origin).await?)
    }

    /// What to ask a browser that is to make a passkey, and the token by which its answer is known.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `no-passkeys-here`.
    pub async fn begin_passkey(&self, member: &Member, site: Option<&Url>) -> Result<(String, Value), TeamError> {
        let webauthn = webauthn(site)?;
        let known = self.kept(member.id).await?.iter().map(|passkey| passkey.cred_id().clone()).collect();
        let (asked, state) = webauthn
            .start_passkey_registration(member.id.0, &member.email, &member.name, Some(known))
            .map_err(failed)?;
        let mut options = serde_json::to_value(asked.public_key).map_err(failed)?;
        // Kept by the authenticator itself, so that it can be found without an e-mail address.
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        let state = serde_json::to_string(&state).map_err(failed)?;
        Ok((self.keep(ChallengeKind::Register, Some(member.id), state).await?, options))
    }

    /// Keeps the passkey that a browser made. Returns recovery codes, to be shown once, if it is the member's first second
    /// factor.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad name or a passkey that is not accepted; [`TeamError::Conflict`] `passkey-over` and
    /// `too-many-passkeys`; the store's error for one that is known already.
    pub async fn create_passkey(
        &self,
        member: &Member,
        site: Option<&Url>,
        token: &str,
        name: &str,
        credential: Value,
    ) -> Result<(Passkey, Option<Vec<String>>), TeamError> {
        let webauthn = webauthn(site)?;
        let name = plain_name(name)?;
        let credential: RegisterPublicKeyCredential = answer(credential)?;
        let (whose, state) = self.take(token, ChallengeKind::Register).await?;
        if whose != Some(member.id) {
            return Err(too_late());
        }
        let state: PasskeyRegistration = serde_json::from_str(&state).map_err(failed)?;
        let kept = webauthn.finish_passkey_registration(&credential, &state).map_err(|error| {
            tracing::warn!(member = %member.id, %error, "a new passkey was refused");
            TeamError::invalid("credential", "this passkey was not accepted; try again, or use another device")
        })?;
        let (codes, hashes) = recovery_codes();
        let new = NewPasskey {
            member_id: member.id,
            credential_id: kept.cred_id().to_vec(),
            name,
            public_key: serde_json::to_string(&kept).map_err(failed)?,
            counter: 0,
        };
        let notice = Notice::passkey_added(&new.name);
        let hashes = hashes.as_slice();
        let change = |store: Store| {
            let new = new.clone();
            async move { store.create_passkey(new, hashes, MOST).await }
        };
        let made = self.notify(member, &notice, change).await?;
        let (passkey, given) = made.ok_or_else(|| {
            TeamError::conflict(
                "too-many-passkeys",
                format!("you have {MOST} passkeys; delete one that you do not use"),
            )
        })?;
        tracing::info!(member = %member.id, passkey = %passkey.id, "a passkey was added");
        Ok((passkey, given.then_some(codes)))
    }

    /// Gives one of a member's passkeys another name.
    ///
    /// # Errors
    /// [`TeamError::Invalid`]; [`TeamError::NotFound`].
    pub async fn rename_passkey(&self, member: &Member, id: PasskeyId, name: &str) -> Result<Passkey, TeamError> {
        let name = plain_name(name)?;
        self.store.rename_passkey(id, member.id, &name).await?.ok_or(TeamError::NotFound { what: "passkey" })
    }

    /// Deletes one of a member's passkeys.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; the store's error when the member could not sign in without it.
    pub async fn delete_passkey(&self, member: &Member, id: PasskeyId) -> Result<(), TeamError> {
        let missing = || TeamError::NotFound { what: "passkey" };
        let passkeys = self.store.passkeys_of(member.id).await?;
        let passkey = passkeys.into_iter().find(|passkey| passkey.id == id).ok_or_else(missing)?;
        let (member_id, issuers) = (member.id, self.sign_in.issuers());
        let issuers = issuers.as_slice();
        let change = |store: Store| async move { store.delete_passkey(id, member_id, issuers).await };
        match self.notify(member, &Notice::passkey_deleted(&passkey.name), change).await? {
            true => Ok(()),
            false => Err(missing()),
        }
    }

    /// Checks what a passkey has signed. Returns it and its counter; when it is not accepted, whose it is, where that is
    /// known.
    async fn verified(
        &self,
        site: Option<&Url>,
        whose: Option<MemberId>,
        state: &str,
        credential: Value,
    ) -> Result<Result<(KeptPasskey, i64), Option<MemberId>>, TeamError> {
        let webauthn = webauthn(site)?;
        let credential: PublicKeyCredential = answer(credential)?;
        let state: DiscoverableAuthentication = serde_json::from_str(state).map_err(failed)?;
        let found = self.store.passkey_by_credential(credential.get_credential_id()).await?;
        let Some(mut kept) = found else { return Ok(Err(whose)) };
        let member = kept.member_id;
        // Whom the authenticator names must be whose the passkey is; who was not asked for by name must be named.
        let named = credential.get_user_unique_id();
        let right = match (whose, named) {
            (Some(whose), _) if whose != member => false,
            (None, None) => false,
            (_, Some(named)) => named == member.0.as_bytes().as_slice(),
            (Some(_), None) => true,
        };
        if !right {
            return Ok(Err(whose));
        }
        let mut passkey: Kept = serde_json::from_str(&kept.public_key).map_err(failed)?;
        match webauthn.finish_discoverable_authentication_v2(&credential, state, &passkey) {
            Ok(result) if result.user_verified() => {
                passkey.update_credential(&result);
                kept.public_key = serde_json::to_string(&passkey).map_err(failed)?;
                Ok(Ok((kept, i64::from(result.counter()))))
            }
            Ok(_) => Ok(Err(Some(member))),
            Err(error) => {
                tracing::warn!(%member, passkey = %kept.id, %error, "a passkey was refused");
                Ok(Err(Some(member)))
            }
        }
    }

    async fn refuse_passkey(
        &self,
        member: Option<MemberId>,
        action: AuditAction,
        origin: &Origin,
    ) -> Result<TeamError, TeamError> {
        let who = member.map(|member| member.to_string()).or_else(|| origin.address.clone()).unwrap_or_default();
        if self.throttle.worth_telling(&format!("passkey {who}"), self.clock.now()) {
            let note = Note::new(action).outcome(AuditOutcome::Refused).with("by", "passkey");
            let note = match member {
                Some(member) => note.on(AuditObject::Member, member),
                None => note.with("account", "unknown"),
            };
            self.store.audit(note).await?;
        }
        Ok(refused())
    }

    async fn kept(&self, member: MemberId) -> Result<Vec<Kept>, TeamError> {
        let kept = self.store.kept_passkeys_of(member).await?;
        kept.iter().map(|passkey| serde_json::from_str(&passkey.public_key).map_err(failed)).collect()
    }

    async fn keep(&self, kind: ChallengeKind, member: Option<MemberId>, state: String) -> Result<String, TeamError> {
        let token = new_token();
        let expires_at = self.clock.now() + HALF_DONE;
        let new = NewChallenge { token_hash: token_hash(&token), kind, member_id: member, state, expires_at };
        self.store.put_challenge(new).await?;
        Ok(token)
    }

    async fn take(&self, token: &str, kind: ChallengeKind) -> Result<(Option<MemberId>, String), TeamError> {
        self.store.take_challenge(&token_hash(token), kind).await?.ok_or_else(too_late)
    }
}

fn plain_name(text: &str) -> Result<String, TeamError> {
    let name = text.trim();
    match name.chars().count() {
        1..=100 if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err(TeamError::invalid("name", "give the passkey a name of 1 to 100 characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_need_a_name_and_a_safe_address() {
        for (site, usable) in [
            ("http://localhost:4300", true),
            ("http://guild.localhost:4300", true),
            ("https://guild.example.com", true),
            ("https://guild.example.com/some/path", true),
            ("http://127.0.0.1:4300", false),
            ("http://[::1]:4300", false),
            ("https://192.0.2.7", false),
        ] {
            assert_eq!(Team::passkeys_at(Some(&site.parse().unwrap())), usable, "{site}");
        }
        assert!(!Team::passkeys_at(None));
    }
}
