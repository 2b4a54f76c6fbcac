//! Members: people with an account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rights::MemberRight;
use crate::{DateTime, MemberId, text_enum::text_enum};

text_enum! {
    /// What a member may do, from most to least.
    pub enum MemberRole {
        /// Made the team, or was handed it. The last owner cannot be lost.
        Owner = "owner",
        /// Runs the team: members, settings, limits.
        Admin = "admin",
        /// Plans, runs and merges features.
        Member = "member",
        /// Looks.
        Viewer = "viewer",
    }
}

/// A person with an account, as everyone in the team may see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The member's id.
    pub id: MemberId,
    /// In lower case; unique in the team.
    pub email: String,
    /// The name that is shown.
    pub name: String,
    /// The member's time zone by its IANA name, such as `Europe/Berlin`; nothing before it is set.
    pub time_zone: Option<String>,
    /// What the member may do.
    pub role: MemberRole,
    /// When the account was made.
    pub created_at: DateTime,
    /// When the member last signed in.
    pub last_login_at: Option<DateTime>,
    /// Set while the account is disabled.
    pub disabled_at: Option<DateTime>,
    /// Names the picture that there is of the member: `/api/members/ID/avatar?v=…`. Nothing where there is none.
    pub avatar: Option<String>,
}

text_enum! {
    /// The colours of the page.
    pub enum Theme {
        /// As the device likes it.
        System = "system",
        /// Light.
        Light = "light",
        /// Dark.
        Dark = "dark",
    }
}

text_enum! {
    /// How the two sides of a change are laid out.
    pub enum DiffLayout {
        /// One below the other.
        Unified = "unified",
        /// Side by side.
        Split = "split",
    }
}

/// How a member likes the page, on whichever device. Nobody else sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preferences {
    /// The colours.
    pub theme: Theme,
    /// How changes are laid out.
    pub diff_layout: DiffLayout,
    /// Whether lines are left out of changes that differ in white space alone.
    pub hide_whitespace: bool,
    /// Whether the tree of changed files is shown beside changes.
    pub diff_tree: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { theme: Theme::System, diff_layout: DiffLayout::Unified, hide_whitespace: false, diff_tree: true }
    }
}

/// What an admin changes of a member; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// What the member may do from now on.
    pub role: Option<MemberRole>,
    /// Whether the account is disabled from now on.
    pub disabled: Option<bool>,
}

/// Why a member may not be changed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefused {
    /// Who asks does not run the team, or no longer does.
    #[error("you may not change members")]
    MissingRight,
    /// Something that another member made.
    #[error("only who made this, or an admin, may change it")]
    NotYours,
    /// What another member's run may cost, or a card that their auto mode begins.
    #[error(
        "this card works with another member's key, now or when their auto mode takes it: what it may cost, they or an admin raise"
    )]
    OthersBudget,
    /// The member owns the team and who asks does not.
    #[error("only an owner may change an owner")]
    TargetIsOwner,
    /// The role is above that of who asks.
    #[error("you cannot give a role above your own")]
    AboveOwn,
    /// Nobody would own the team.
    #[error("this is the last owner; make another member an owner first")]
    LastOwner,
    /// The member could not sign in any more.
    #[error("this is your only way to sign in; add another passkey or set a password first")]
    LastWayIn,
}

impl Member {
    /// Whether anything may run on this member's behalf.
    pub fn may_run(&self) -> bool {
        self.disabled_at.is_none() && self.role.may(MemberRight::Run)
    }

    /// Whether `self` may take this hold on `target`'s account: change it, or set its password anew.
    ///
    /// # Errors
    /// Why not.
    pub fn may_manage(&self, target: &Self) -> Result<(), ChangeRefused> {
        if self.disabled_at.is_some() || !self.role.may(MemberRight::Administer) {
            return Err(ChangeRefused::MissingRight);
        }
        match target.role == MemberRole::Owner && self.role != MemberRole::Owner {
            true => Err(ChangeRefused::TargetIsOwner),
            false => Ok(()),
        }
    }

    /// Whether `self` may invite somebody who is given this role.
    ///
    /// # Errors
    /// Why not.
    pub fn may_invite(&self, role: MemberRole) -> Result<(), ChangeRefused> {
        if self.disabled_at.is_some() || !self.role.may(MemberRight::Administer) {
            return Err(ChangeRefused::MissingRight);
        }
        match role.is_above(self.role) {
            true => Err(ChangeRefused::AboveOwn),
            false => Ok(()),
        }
    }

    /// Whether `self` may change `target` so, where `others` members besides `target` own the team and are not disabled.
    ///
    /// # Errors
    /// Why not.
    pub fn may_change(&self, target: &Self, change: MemberChange, others: i64) -> Result<(), ChangeRefused> {
        self.may_manage(target)?;
        let role = change.role.unwrap_or(target.role);
        if change.role.is_some() && role.is_above(self.role) {
            return Err(ChangeRefused::AboveOwn);
        }
        let disabled = change.disabled.unwrap_or(target.disabled_at.is_some());
        let owned = target.role == MemberRole::Owner && target.disabled_at.is_none();
        match owned && others == 0 && (role != MemberRole::Owner || disabled) {
            true => Err(ChangeRefused::LastOwner),
            false => Ok(()),
        }
    }
}

text_enum! {
    /// A provider of models for which a credential can be kept.
    pub enum ProviderKind {
        /// Anthropic, or a server that speaks its Messages API.
        Anthropic = "anthropic",
        /// OpenAI, or a server that speaks its Responses API.
        Openai = "openai",
        /// Google's Gemini.
        Google = "google",
        /// A server that speaks the Chat Completions API, at an address of its own.
        Compatible = "compatible",
        /// A token of a Claude subscription, kept for an external agent. Never used for calls of our own.
        ClaudeSubscription = "claudeSubscription",
    }
}

impl ProviderKind {
    /// Its name, as it is written in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "Anthropic",
            Self::Openai => "OpenAI",
            Self::Google => "Google",
            Self::Compatible => "the OpenAI-compatible server",
            Self::ClaudeSubscription => "the Claude subscription",
        }
    }

    /// Whether models are called with its key; the other kinds are only kept.
    pub const fn is_called(self) -> bool {
        !matches!(self, Self::ClaudeSubscription)
    }
}

/// A model that a server said it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedModel {
    /// The server's name for it.
    pub id: String,
    /// Tokens that a conversation may have, if the server said so.
    pub context_window: Option<i64>,
}

/// A member's key for a provider, as far as it may be shown. The key itself never leaves the vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Which provider the key is for.
    pub provider: ProviderKind,
    /// The last four characters of the key.
    pub hint: String,
    /// Where the provider is, if not at its usual address.
    pub base_url: Option<String>,
    /// When the key was last put in place.
    pub updated_at: DateTime,
    /// When a run last used it.
    pub last_used_at: Option<DateTime>,
    /// The models that the server listed when the key was put in place or tested; for OpenAI-compatible servers alone.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub models: Vec<ListedModel>,
}

/// The team's key for a provider, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct TeamCredential {
    /// Which provider the key is for.
    pub provider: ProviderKind,
    /// The last four characters of the key.
    pub hint: String,
    /// Where the provider is, if not at its usual address.
    pub base_url: Option<String>,
    /// Who put it in place.
    pub put_by: MemberId,
    /// When it was last put in place.
    pub updated_at: DateTime,
    /// When a run last used it.
    pub last_used_at: Option<DateTime>,
    /// The models that the server listed; for OpenAI-compatible servers alone.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub models: Vec<ListedModel>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(role: MemberRole) -> Member {
        Member {
            id: MemberId::new(),
            email: format!("{role}@example.com"),
            name: role.to_string(),
            time_zone: None,
            role,
            created_at: DateTime::UNIX_EPOCH,
            last_login_at: None,
            disabled_at: None,
            avatar: None,
        }
    }

    #[test]
    fn nobody_rises_above_who_changes_them() {
        use MemberRole::{Admin, Owner, Viewer};
        for actor in MemberRole::ALL {
            for target in MemberRole::ALL {
                for given in MemberRole::ALL {
                    let change = MemberChange { role: Some(*given), disabled: None };
                    let answer = member(*actor).may_change(&member(*target), change, 1);
                    let expected = match (*actor, *target, *given) {
                        (Owner, ..) => Ok(()),
                        (Admin, Owner, _) => Err(ChangeRefused::TargetIsOwner),
                        (Admin, _, Owner) => Err(ChangeRefused::AboveOwn),
                        (Admin, ..) => Ok(()),
                        _ => Err(ChangeRefused::MissingRight),
                    };
                    assert_eq!(answer, expected, "{actor} makes {target} {given}");
                }
            }
        }
        let mut former = member(Admin);
        former.disabled_at = Some(DateTime::UNIX_EPOCH);
        let change = MemberChange { disabled: Some(true), role: None };
        assert_eq!(former.may_change(&member(Viewer), change, 1), Err(ChangeRefused::MissingRight));
    }

    #[test]
    fn the_last_owner_stays() {
        let owner = member(MemberRole::Owner);
        let demoted = MemberChange { role: Some(MemberRole::Admin), disabled: None };
        let disabled = MemberChange { role: None, disabled: Some(true) };
        for change in [demoted, disabled] {
            assert_eq!(owner.may_change(&owner, change, 0), Err(ChangeRefused::LastOwner));
            assert_eq!(owner.may_change(&owner, change, 1), Ok(()));
        }
        assert_eq!(owner.may_change(&owner, MemberChange { disabled: Some(false), role: None }, 0), Ok(()));
        // A disabled owner does not count as one who is lost.
        let mut gone = member(MemberRole::Owner);
        gone.disabled_at = Some(DateTime::UNIX_EPOCH);
        assert_eq!(owner.may_change(&gone, demoted, 1), Ok(()));
    }
}
