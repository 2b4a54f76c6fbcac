//! Members: people with an account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// A right that a route or a deed asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// See boards, features, runs and diffs.
    Read,
    /// Write cards; start, stop, verify and merge features.
    Build,
    /// Add, change and archive projects.
    ManageProjects,
    /// Change the team: members, limits, settings.
    Administer,
}

impl MemberRole {
    /// Whether this role holds `right`. The one table of rights.
    pub const fn may(self, right: Right) -> bool {
        match right {
            Right::Read => true,
            Right::Build => matches!(self, Self::Owner | Self::Admin | Self::Member),
            Right::ManageProjects => matches!(self, Self::Owner | Self::Admin | Self::Member),
            Right::Administer => matches!(self, Self::Owner | Self::Admin),
        }
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
    /// What the member may do.
    pub role: MemberRole,
    /// When the account was made.
    pub created_at: DateTime,
    /// When the member last signed in.
    pub last_login_at: Option<DateTime>,
    /// Set while the account is disabled.
    pub disabled_at: Option<DateTime>,
}

text_enum! {
    /// A provider of models for which a credential can be kept.
    pub enum ProviderKind {
        /// Anthropic, or a server that speaks its Messages API.
        Anthropic = "anthropic",
    }
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
}
