//! Second factors: what a member shows beside the password.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum::text_enum;
use crate::{DateTime, PasskeyId};

text_enum! {
    /// What somebody can show beside the password.
    pub enum SecondFactor {
        /// A code of an authenticator app (TOTP, RFC 6238).
        Totp = "totp",
        /// A passkey. It is both factors by itself.
        Passkey = "passkey",
        /// One of the codes for when everything else is lost.
        RecoveryCode = "recoveryCode",
    }
}

text_enum! {
    /// What a browser has begun and not ended.
    pub enum ChallengeKind {
        /// A sign-in whose second factor is still to be shown.
        SecondStep = "second-step",
        /// A sign-in by a passkey.
        SignIn = "passkey-sign-in",
        /// A proof by a passkey of who is there.
        Confirm = "passkey-confirm",
        /// The making of a passkey.
        Register = "passkey-register",
    }
}

/// A passkey, as its member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Passkey {
    /// The passkey's id.
    pub id: PasskeyId,
    /// The member's name for it.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime,
    /// When it was last used.
    pub last_used_at: Option<DateTime>,
}

/// The second factors that a member has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Factors {
    /// Since when there are codes of an authenticator app; nothing when there are none.
    pub totp_since: Option<DateTime>,
    /// The passkeys, the first made first.
    pub passkeys: Vec<Passkey>,
    /// Recovery codes that are not used up.
    pub recovery_codes: i64,
}

impl Factors {
    /// Whether there is any. Recovery codes alone are none: they stand in for another.
    pub fn any(&self) -> bool {
        self.totp_since.is_some() || !self.passkeys.is_empty()
    }

    /// What this member can be asked for.
    pub fn kinds(&self) -> Vec<SecondFactor> {
        let has = |kind: &SecondFactor| match kind {
            SecondFactor::Totp => self.totp_since.is_some(),
            SecondFactor::Passkey => !self.passkeys.is_empty(),
            SecondFactor::RecoveryCode => self.any() && self.recovery_codes > 0,
        };
        SecondFactor::ALL.iter().copied().filter(has).collect()
    }
}

/// Whether everyone in the team needs a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecondFactorSetting {
    /// Whoever has none is led to set one up, and can do nothing else until then.
    pub required: bool,
}

/// The ways by which a member gets in without anybody's help.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaysIn {
    /// Whether there is a password.
    pub password: bool,
    /// How many passkeys there are.
    pub passkeys: i64,
    /// Whether there is an account at a provider that can be used now.
    pub account: bool,
}

impl WaysIn {
    /// Whether there is any: the rule that the last one stays.
    pub fn any(self) -> bool {
        self.password || self.passkeys > 0 || self.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_alone_are_no_second_factor() {
        let mut factors = Factors { recovery_codes: 3, ..Factors::default() };
        assert!(!factors.any() && factors.kinds().is_empty());
        factors.totp_since = Some(DateTime::UNIX_EPOCH);
        assert_eq!(factors.kinds(), [SecondFactor::Totp, SecondFactor::RecoveryCode]);
        factors.recovery_codes = 0;
        assert_eq!(factors.kinds(), [SecondFactor::Totp]);
    }

    #[test]
    fn the_last_way_in_stays() {
        let none = WaysIn::default();
        assert!(!none.any());
        let ways =
            [WaysIn { password: true, ..none }, WaysIn { passkeys: 1, ..none }, WaysIn { account: true, ..none }];
        assert!(ways.into_iter().all(WaysIn::any));
    }
}
