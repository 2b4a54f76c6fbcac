//! Ways in: invitations, personal access tokens, and who may sign up without either.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::member::MemberRole;
use crate::rights::Scope;
use crate::{ClientId, DateTime, IdentityId, InvitationId, MemberId, TokenId};

/// An invitation, as admins see it. Its code is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// The invitation's id.
    pub id: InvitationId,
    /// Who is invited, in lower case.
    pub email: String,
    /// The role that the new member will have.
    pub role: MemberRole,
    /// Who invites.
    pub created_by: MemberId,
    /// When it was made.
    pub created_at: DateTime,
    /// When it ends by itself.
    pub expires_at: DateTime,
    /// When it was used.
    pub used_at: Option<DateTime>,
    /// Who joined by it.
    pub used_by: Option<MemberId>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime>,
}

/// A personal access token, as its member sees it. The token itself is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiToken {
    /// The token's id.
    pub id: TokenId,
    /// What it is for, in the member's words.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: DateTime,
    /// When it ends by itself.
    pub expires_at: DateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime>,
}

/// A program that asks to be connected: what it says of itself, which nobody has proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// The id that it was given.
    pub id: ClientId,
    /// What it calls itself.
    pub name: String,
    /// Where members may be led back to.
    pub redirect_uris: Vec<String>,
    /// When it registered.
    pub created_at: DateTime,
}

/// A program that a member has connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectedClient {
    /// Names the connection here and in the audit.
    pub id: TokenId,
    /// What the program calls itself.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was connected.
    pub created_at: DateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime>,
    /// When it ends if it is not used.
    pub ends_at: DateTime,
}

/// Who may sign up without an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SignUpSetting {
    /// Whether anybody may.
    pub open: bool,
    /// Only with an e-mail address of this domain.
    pub domain: Option<String>,
    /// The role of a member who signs up so: `member` or `viewer`.
    pub role: MemberRole,
}

impl Default for SignUpSetting {
    fn default() -> Self {
        Self { open: false, domain: None, role: MemberRole::Member }
    }
}

/// An account at a provider by which a member signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Identity {
    /// The identity's id.
    pub id: IdentityId,
    /// Whose it is.
    pub member_id: MemberId,
    /// The provider, by its issuer.
    pub issuer: String,
    /// The account, as the provider names it for good.
    pub subject: String,
    /// The account's e-mail address, as the provider told it last. For people to know the account by; nothing is decided by it.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: DateTime,
    /// When the member last signed in by it.
    pub last_used_at: Option<DateTime>,
}
