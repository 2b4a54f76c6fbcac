//! Second factors: an authenticator app, recovery codes, passkeys, and the step at which they are asked for.

mod passkeys;
mod second_step;

pub use passkeys::AskPasskey;
pub use second_step::{HalfDone, Shown};

use guildhall_store::{Store, totp_identity};
use guildhall_types::MemberId;
use guildhall_types::audit::AuditAction;
use guildhall_types::factor::{Factors, SecondFactorSetting};
use guildhall_types::member::Member;
use qrcodegen::{QrCode, QrCodeEcc};
use serde::Serialize;
use totp_rs::{Builder, Totp};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::accounts::Origin;
use crate::mail::Notice;
use crate::tokens::token_hash;
use crate::{Team, TeamError, throttle};

/// Names the setting of who needs a second factor among the settings.
const SETTING: &str = "second_factor";
/// Bytes of an authenticator app's secret: as long as the hash that is made with it (RFC 4226, section 4).
const SECRET: usize = 20;
/// What an authenticator app shows beside the code.
const ISSUER: &str = "Guildhall";
/// Recovery codes that are made at once.
const CODES: usize = 10;
/// The letters of recovery codes: without those that look like others. 24 of these 32 make 120 bits, which nobody tries out,
/// so that a plain hash keeps them as well as a token's (ASVS 6.5.2 asks for 112).
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
const CODE: usize = 24;
/// Letters of a group, for whoever types them.
const GROUP: usize = 4;

/// The secret of an authenticator app, to be shown once.
#[derive(Serialize, ToSchema)]
pub struct TotpSetUp {
    /// The secret in base 32, for typing.
    pub secret: String,
    /// The address that authenticator apps understand.
    pub url: String,
    /// The same as a QR code.
    pub qr: QrPicture,
}

/// A QR code, to be drawn.
#[derive(Serialize, ToSchema)]
pub struct QrPicture {
    /// Modules of a side, without the quiet border of four that goes around it.
    pub size: i32,
    /// The dark modules as an SVG path, one unit for each module.
    pub path: String,
}

impl Team {
    /// The second factors that a member has.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn factors(&self, member: MemberId) -> Result<Factors, TeamError> {
        Ok(self.store.factors(member).await?)
    }

    /// Makes a secret for a member's authenticator app. It protects nothing until a first code is given.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `totp-in-use` when there is one in use already.
    pub async fn begin_totp(&self, member: &Member) -> Result<TotpSetUp, TeamError> {
        let secret: Zeroizing<[u8; SECRET]> = Zeroizing::new(rand::random());
        let totp = authenticator(secret.to_vec(), &member.email)?;
        let url = totp.to_url().map_err(|error| TeamError::internal("the address for an authenticator app", error))?;
        let qr = picture(&url)?;
        let identity = totp_identity(member.id);
        let begun = self.sealing(&identity, &*secret, |sealed| {
            let (store, member) = (self.store.clone(), member.id);
            async move { store.begin_totp(member, &sealed).await }
        });
        if !begun.await? {
            return Err(TeamError::conflict(
                "totp-in-use",
                "you have an authenticator app already; take it away first, then set up the new one",
            ));
        }
        Ok(TotpSetUp { secret: totp.secret().to_base32(), url, qr })
    }

    /// Brings a member's authenticator app into use by a first code of it. Returns recovery codes, to be shown once, if it
    /// is the member's first second factor.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a wrong code; [`TeamError::Throttled`]; [`TeamError::Conflict`] `no-totp-begun`.
    pub async fn enable_totp(
        &self,
        member: &Member,
        code: &str,
        origin: &Origin,
    ) -> Result<Option<Vec<String>>, TeamError> {
        let begun =
            || TeamError::conflict("no-totp-begun", "no authenticator app waits for its first code; begin anew");
        let totp = self.store.totp(member.id).await?.filter(|totp| totp.enabled_at.is_none()).ok_or_else(begun)?;
        let shown = Shown::Code(code.to_owned());
        let limits = throttle::second_factor(member.id, origin);
        self.throttle.take(&self.store, &limits).await?;
        let Some(step) = self.totp_step(member, code).await? else {
            return Err(self.refuse_second(member, &shown, AuditAction::EnableTotp, origin).await?);
        };
        let (codes, hashes) = recovery_codes();
        let (id, made_at, hashes) = (member.id, totp.created_at, hashes.as_slice());
        let change = |store: Store| async move { store.enable_totp(id, made_at, step, hashes).await };
        let given = self.notify(member, &Notice::totp_enabled(), change).await?.ok_or_else(begun)?;
        self.throttle.succeeded(&self.store, &limits).await?;
        tracing::info!(member = %member.id, "an authenticator app was set up");
        Ok(given.then_some(codes))
    }

    /// Takes a member's authenticator app away.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn delete_totp(&self, member: &Member) -> Result<(), TeamError> {
        let id = member.id;
        let change = |store: Store| async move { store.delete_totp(id).await };
        match self.notify(member, &Notice::totp_deleted(), change).await? {
            true => {
                tracing::info!(member = %member.id, "an authenticator app was taken away");
                Ok(())
            }
            false => Err(TeamError::NotFound { what: "authenticator app" }),
        }
    }

    /// Makes recovery codes in place of the former ones. They are shown once.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `no-second-factor`.
    pub async fn new_recovery_codes(&self, member: &Member) -> Result<Vec<String>, TeamError> {
        let (codes, hashes) = recovery_codes();
        let (id, hashes) = (member.id, hashes.as_slice());
        let change = |store: Store| async move { store.replace_recovery_codes(id, hashes).await };
        match self.notify(member, &Notice::recovery_codes_made(), change).await? {
            true => Ok(codes),
            false => Err(TeamError::conflict(
                "no-second-factor",
                "recovery codes stand in for a second factor; set up an authenticator app or a passkey first",
            )),
        }
    }

    /// Takes all second factors of a member away, and ends the member's sessions.
    ///
    /// # Errors
    /// The store's errors, for what may not be.
    pub async fn take_factors(&self, actor: &Member, id: MemberId) -> Result<(), TeamError> {
        let member = self.store.member(id).await?.ok_or(TeamError::NotFound { what: "member" })?;
        let by = actor.id;
        let change = |store: Store| async move { store.take_factors(by, id).await };
        self.notify(&member, &Notice::factors_taken(), change).await?;
        tracing::info!(by = %actor.id, member = %id, "a member's second factors were taken away");
        Ok(())
    }

    /// Whether everyone in the team needs a second factor. Not, until the owner says so.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn second_factor_setting(&self) -> Result<SecondFactorSetting, TeamError> {
        Ok(self.store.setting(SETTING).await?.unwrap_or_default())
    }

    /// Says whether everyone in the team needs a second factor.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `own-factor-first` when the owner who asks for it has none.
    pub async fn set_second_factor(
        &self,
        owner: &Member,
        setting: SecondFactorSetting,
    ) -> Result<SecondFactorSetting, TeamError> {
        if setting.required && !self.store.factors(owner.id).await?.any() {
            return Err(TeamError::conflict(
                "own-factor-first",
                "set up a second factor of your own first, under Settings; then ask the others for one",
            ));
        }
        self.store.put_setting(SETTING, &setting).await?;
        tracing::info!(member = %owner.id, ?setting, "who needs a second factor was set");
        Ok(setting)
    }

    /// Whether the team asks everyone for a second factor, and this member has none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn lacks_second_factor(&self, member: MemberId) -> Result<bool, TeamError> {
        Ok(self.store.lacks_second_factor(member).await?)
    }

    /// The step whose code this is, of those that may be given now: the present one, the one before and the one after.
    async fn totp_step(&self, member: &Member, code: &str) -> Result<Option<i64>, TeamError> {
        let identity = totp_identity(member.id);
        let Some(sealed) = self.store.secret(&identity).await? else { return Ok(None) };
        let secret = self.vault.open(&identity, &sealed)?;
        let totp = authenticator(secret.to_vec(), &member.email)?;
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let now = u64::try_from(self.clock.now().timestamp()).unwrap_or_default();
        Ok(totp.check(&code, now).and_then(|step| i64::try_from(step).ok()))
    }
}

/// The rules of RFC 6238 as every app knows them: SHA-1, six digits, 30 seconds, one step to either side.
fn authenticator(secret: Vec<u8>, email: &str) -> Result<Totp, TeamError> {
    let account = email.replace(':', " ");
    let totp = Builder::new().with_secret(secret).with_skew(1).with_account_name(account).with_issuer(Some(ISSUER));
    totp.build().map_err(|error| TeamError::internal("an authenticator's secret", error))
}

fn picture(text: &str) -> Result<QrPicture, TeamError> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium)
        .map_err(|error| TeamError::internal("the QR code of an authenticator app", error))?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let long = (x..size).take_while(|x| code.get_module(*x, y)).count();
            match i32::try_from(long).unwrap_or_default() {
                0 => x += 1,
                long => {
                    path.push_str(&format!("M{x} {y}h{long}v1h-{long}z"));
                    x += long;
                }
            }
        }
    }
    Ok(QrPicture { size, path })
}

/// New recovery codes, and what is kept of them.
fn recovery_codes() -> (Vec<String>, Vec<Vec<u8>>) {
    let code = || {
        let bytes: [u8; CODE] = rand::random();
        let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
        let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
        groups.join("-")
    };
    let codes: Vec<String> = (0..CODES).map(|_| code()).collect();
    let hashes = codes.iter().map(|code| recovery_hash(code)).collect();
    (codes, hashes)
}

/// What is kept of a recovery code, however it is typed.
fn recovery_hash(code: &str) -> Vec<u8> {
    let letters = code.chars().filter(|c| c.is_ascii_alphanumeric());
    token_hash(&letters.take(64).collect::<String>().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, cut to six digits.
        let totp = authenticator(b"12345678901234567890".to_vec(), "a@example.com").unwrap();
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.check(code, time), Some(time / 30), "{time}");
            assert_eq!(totp.check(code, time + 30), Some(time / 30), "a step late");
            assert_eq!(totp.check(code, time + 60), None, "two steps late");
        }
        assert!(totp.to_url().unwrap().starts_with("otpauth://totp/Guildhall:a%40example.com?secret="));
    }

    #[test]
    fn recovery_codes_are_all_different_and_known_however_they_are_typed() {
        let (codes, hashes) = recovery_codes();
        let different: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!((codes.len(), different.len()), (CODES, CODES));
        assert!(codes.iter().all(|code| code.len() == CODE + CODE / GROUP - 1), "{codes:?}");
        assert_eq!(recovery_hash(&codes[0].to_uppercase().replace('-', " ")), hashes[0]);
        assert_ne!(recovery_hash(&codes[1]), hashes[0]);
    }

    #[test]
    fn the_picture_has_the_corners_of_a_qr_code() {
        let qr = picture("otpauth://totp/Guildhall:a?secret=AAAA").unwrap();
        assert!(qr.size >= 21 && qr.path.starts_with("M0 0h7v1h-7z"), "{}", qr.path);
    }
}
