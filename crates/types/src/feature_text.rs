//! The history of what a card says: its title and description from each change of them on.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum::text_enum;
use crate::{DateTime, MemberId};

/// Minutes within which changes by the same hand are one, if nobody else's and no run came in between.
pub const ONE_CHANGE: i64 = 5;
/// Former texts of a card that are kept: the first, and the latest of the others.
pub const KEPT: i64 = 100;

text_enum! {
    /// How a text of a card came to be.
    pub enum TextDeed {
        /// The card was written.
        Created = "created",
        /// A member changed it, or a token of theirs did.
        Edited = "edited",
        /// A member took what a model made of their text.
        Enhanced = "enhanced",
        /// It came along from another board.
        Imported = "imported",
        /// A member took a former text back.
        Restored = "restored",
    }
}

text_enum! {
    /// What a model is to make of a text.
    pub enum Enhancement {
        /// Clearer words, in a better order.
        Improve = "improve",
        /// With what whoever builds it must know technically.
        Technical = "technical",
        /// As short and plain as it can be.
        Simplify = "simplify",
        /// With a list of what can be seen when it is done.
        AcceptanceCriteria = "acceptance_criteria",
    }
}

/// What a card says from one change of its title or description on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct FeatureText {
    /// Counts from 1, the text that the card was written with.
    pub number: i64,
    /// How it came to be.
    pub deed: TextDeed,
    /// Who did it, or whose token; absent when the server did it by itself.
    pub member_id: Option<MemberId>,
    /// Whether it came by a token, such as that of an MCP client.
    pub by_token: bool,
    /// The number of the former text that was taken back.
    pub restored: Option<i64>,
    /// Since when the card says so.
    pub at: DateTime,
    /// The title.
    pub title: String,
    /// What to build, in Markdown; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
}
