//! What members are told by mail of what happens to their accounts.

use guildhall_types::member::MemberRole;

/// Something that happened to a member's account. Whoever adds a way to change an account adds its notice:
/// `team.notify(&member, &Notice::new("…", "…"), |store| …)` makes the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub(super) subject: String,
    pub(super) what: String,
    pub(super) advice: String,
}

/// What to do when it was somebody else.
const NOT_YOU: &str = "If it was not you, set a new password now and look at your sessions and tokens under Settings, or tell an admin of your team.";

impl Notice {
    /// `subject` is a line without a full stop; `what` is the same as a sentence. Never a secret.
    pub fn new(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self { subject: subject.into(), what: what.into(), advice: NOT_YOU.to_owned() }
    }

    /// With other advice than what to do when it was somebody else.
    #[must_use]
    pub fn advising(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// The member changed the password.
    pub fn password_changed() -> Self {
        Self::new(
            "Your password was changed",
            "The password of your account was changed, and every other session was ended.",
        )
    }

    /// The password was set by a link.
    pub fn password_reset() -> Self {
        Self::new(
            "Your password was set by a link",
            "A new password was set for your account by a link, and all sessions were ended.",
        )
    }

    /// An admin made a link to set the password.
    pub fn reset_link_made() -> Self {
        Self::new(
            "A link to set your password was made",
            "An admin of your team made a link by which a new password can be set for your account.",
        )
        .advising("If you did not ask for it, ask your admin why.")
    }

    /// A personal access token was made.
    pub fn token_made(name: &str) -> Self {
        Self::new(
            "A new access token was made",
            format!("A personal access token named “{name}” was made for your account."),
        )
    }

    /// A program was connected.
    pub fn client_connected(name: &str) -> Self {
        Self::new(
            "A program was connected to your account",
            format!("A program that calls itself “{name}” was connected and may act on your behalf."),
        )
    }

    /// An authenticator app came into use.
    pub fn totp_enabled() -> Self {
        Self::new(
            "An authenticator app was set up",
            "An authenticator app was set up for your account: its codes are asked for after the password.",
        )
    }

    /// The authenticator app was taken away.
    pub fn totp_deleted() -> Self {
        Self::new(
            "Your authenticator app was taken away",
            "The authenticator app of your account was taken away: its codes are good for nothing any more.",
        )
    }

    /// Recovery codes were made.
    pub fn recovery_codes_made() -> Self {
        Self::new(
            "New recovery codes were made",
            "New recovery codes were made for your account, and the former ones are good for nothing any more.",
        )
    }

    /// A passkey was added.
    pub fn passkey_added(name: &str) -> Self {
        Self::new(
            "A passkey was added",
            format!("A passkey named “{name}” was added to your account. Whoever holds it can sign in with it."),
        )
    }

    /// A passkey was deleted.
    pub fn passkey_deleted(name: &str) -> Self {
        Self::new("A passkey was deleted", format!("The passkey “{name}” of your account was deleted."))
    }

    /// An account at a provider was linked.
    pub fn account_linked(at: &str) -> Self {
        Self::new(
            "An account was linked to yours",
            format!("An account at {at} was linked to yours. Whoever holds it can sign in with it."),
        )
    }

    /// A linked account was taken away.
    pub fn account_unlinked(at: &str) -> Self {
        Self::new(
            "A linked account was taken away",
            format!("An account at {at} that was linked to yours was taken away."),
        )
    }

    /// An admin took every second factor away.
    pub fn factors_taken() -> Self {
        Self::new(
            "Your second factors were taken away",
            "An admin of your team took every second factor of your account away, passkeys and recovery codes too, and your sessions were ended.",
        )
        .advising("If you did not ask for it, ask your admin why; then set one up again under Settings.")
    }

    /// The role is another one.
    pub fn role_changed(from: MemberRole, to: MemberRole) -> Self {
        Self::new(
            "Your role was changed",
            format!("Your role was changed from {from} to {to}, and your sessions were ended."),
        )
        .advising("Ask an admin of your team if you do not know why.")
    }

    /// The account was disabled.
    pub fn disabled() -> Self {
        Self::new("Your account was disabled", "Your account was disabled; its sessions, tokens and runs were ended.")
            .advising("Ask an admin of your team if you do not know why.")
    }

    /// The account was enabled again.
    pub fn enabled() -> Self {
        Self::new("Your account was enabled again", "Your account can be used again, with its former password.")
            .advising("Ask an admin of your team if you do not know why.")
    }
}
