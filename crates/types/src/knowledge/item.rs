//! An item as it stands in the hub, and as each kind is shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    BlueprintDetails, BlueprintStatus, EntryDetails, KnowledgeChange, KnowledgeDeed, KnowledgeDetails, KnowledgeDraft,
    KnowledgeKind, KnowledgeOrigin, KnowledgeReview, LearningDetails,
};
use crate::{DateTime, FeatureId, KnowledgeId, MemberId, RunId};

/// What every item has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeCommon {
    /// The item's id.
    pub id: KnowledgeId,
    /// Its kind.
    pub kind: KnowledgeKind,
    /// What it is about, in a sentence or two.
    pub description: String,
    /// Its text, in Markdown; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub content: Option<String>,
    /// Labels to find it by.
    pub tags: Vec<String>,
    /// Items that it names as related.
    pub related: Vec<KnowledgeId>,
    /// By what way it came into the hub.
    pub origin: KnowledgeOrigin,
    /// The run in which it was found.
    pub source_run_id: Option<RunId>,
    /// The card on which it was found.
    pub source_feature_id: Option<FeatureId>,
    /// Counts its changes, from 1 on.
    pub version: i64,
    /// Who wrote it, or whose agent or token did.
    pub created_by: MemberId,
    /// When it was written.
    pub created_at: DateTime,
    /// Who changed it last, or whose agent or token did.
    pub updated_by: MemberId,
    /// When it was changed last.
    pub updated_at: DateTime,
    /// When it was deleted, if it is.
    pub deleted_at: Option<DateTime>,
}

/// Where a learning stands: the server's alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearningStanding {
    /// Whether the team takes it for true.
    pub review: KnowledgeReview,
    /// Why it was rejected.
    pub reject_reason: Option<String>,
    /// Who verified it.
    pub verified_by: Option<MemberId>,
    /// When.
    pub verified_at: Option<DateTime>,
    /// In how many runs, and by how many members beside, it was used.
    pub application_count: i64,
    /// In how many of them it helped.
    pub success_count: i64,
    /// In how many of them it did not; of the others nothing is known.
    pub failure_count: i64,
}

/// A blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Blueprint {
    /// What it is called.
    pub name: String,
    /// What every item has.
    #[serde(flatten)]
    pub common: KnowledgeCommon,
    /// What only a blueprint has.
    #[serde(flatten)]
    pub details: BlueprintDetails,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Entry {
    /// What it is called.
    pub title: String,
    /// What every item has.
    #[serde(flatten)]
    pub common: KnowledgeCommon,
    /// What only an entry has.
    #[serde(flatten)]
    pub details: EntryDetails,
}

/// A learning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Learning {
    /// What it is called.
    pub title: String,
    /// What every item has.
    #[serde(flatten)]
    pub common: KnowledgeCommon,
    /// What only a learning has.
    #[serde(flatten)]
    pub details: LearningDetails,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: LearningStanding,
}

/// An item of any kind, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum AnyItem {
    /// A blueprint.
    Blueprint(Blueprint),
    /// An entry.
    Entry(Entry),
    /// A learning.
    Learning(Learning),
}

/// An item of any kind, as the rules handle it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnowledgeItem {
    /// What it is called.
    pub title: String,
    /// What every item has.
    pub common: KnowledgeCommon,
    /// What only its kind has.
    pub details: KnowledgeDetails,
    /// Where it stands; blueprints and entries are accepted as they are.
    pub standing: LearningStanding,
}

impl KnowledgeItem {
    /// Its id.
    pub const fn id(&self) -> KnowledgeId {
        self.common.id
    }

    /// Its kind.
    pub const fn kind(&self) -> KnowledgeKind {
        self.common.kind
    }

    /// What somebody says of it.
    pub fn draft(&self) -> KnowledgeDraft {
        KnowledgeDraft {
            title: self.title.clone(),
            description: self.common.description.clone(),
            content: self.common.content.clone().unwrap_or_default(),
            tags: self.common.tags.clone(),
            related: self.common.related.clone(),
            details: self.details.clone(),
        }
    }

    /// Whether agents may be given it without a member's look at it: an entry, an active blueprint, an accepted learning.
    pub fn is_trusted(&self) -> bool {
        is_trusted(&self.details, self.standing.review)
    }

    /// As it is shown.
    pub fn shown(self) -> AnyItem {
        let Self { title, common, details, standing } = self;
        match details {
            KnowledgeDetails::Blueprint(details) => AnyItem::Blueprint(Blueprint { name: title, common, details }),
            KnowledgeDetails::Entry(details) => AnyItem::Entry(Entry { title, common, details }),
            KnowledgeDetails::Learning(details) => AnyItem::Learning(Learning { title, common, details, standing }),
        }
    }

    /// What an event tells of it.
    pub fn change(&self, deed: KnowledgeDeed, actor: MemberId, origin: KnowledgeOrigin) -> KnowledgeChange {
        KnowledgeChange {
            id: self.common.id,
            kind: self.common.kind,
            title: self.title.clone(),
            version: self.common.version,
            deed,
            actor,
            origin,
            review: self.standing.review,
        }
    }
}

/// Whether agents may be given an item without a member's look at it.
pub fn is_trusted(details: &KnowledgeDetails, review: KnowledgeReview) -> bool {
    match details {
        KnowledgeDetails::Blueprint(of) => of.status == BlueprintStatus::Active,
        KnowledgeDetails::Entry(_) => true,
        KnowledgeDetails::Learning(_) => review == KnowledgeReview::Accepted,
    }
}
