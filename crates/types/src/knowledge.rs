//! The knowledge hub: blueprints, entries and learnings that the team and its agents share.

pub mod alike;
pub mod compare;
pub mod cursor;
pub mod draft;
pub mod index;
pub mod item;
pub mod markdown;
pub mod plain;
pub mod rank;
pub mod secrets;
pub mod snippet;
mod text;
pub mod words;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum::text_enum;
use crate::{DateTime, FeatureId, KnowledgeId, MemberId, RunId, TokenId};

pub use draft::{
    BlueprintDetails, BlueprintDraft, EntryDetails, EntryDraft, KnowledgeDetails, KnowledgeDraft, LearningDetails,
    LearningDraft, UpdateBlueprint, UpdateEntry, UpdateLearning,
};
pub use item::{AnyItem, Blueprint, Entry, KnowledgeCommon, KnowledgeItem, Learning, LearningStanding};

text_enum! {
    /// A kind of knowledge.
    pub enum KnowledgeKind {
        /// How the team works: goes into the instructions of agents whose work it fits.
        Blueprint = "blueprint",
        /// Something to look up.
        Entry = "entry",
        /// What somebody learnt while working.
        Learning = "learning",
    }
}

impl KnowledgeKind {
    /// The word in the addresses of the API and in the folders of an export.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Blueprint => "blueprints",
            Self::Entry => "entries",
            Self::Learning => "learnings",
        }
    }

    /// The kind that an address or a folder names.
    pub fn of_plural(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.plural() == word)
    }
}

text_enum! {
    /// What a blueprint is about.
    pub enum BlueprintCategory {
        /// How code is written.
        CodingStandards = "coding-standards",
        /// How the software is built up.
        Architecture = "architecture",
        /// How it is tested.
        Testing = "testing",
        /// What keeps it safe.
        Security = "security",
        /// How it is documented.
        Documentation = "documentation",
        /// How work goes.
        Workflow = "workflow",
        /// How work is reviewed.
        Review = "review",
        /// How it is brought out.
        Deployment = "deployment",
        /// Something else.
        Custom = "custom",
    }
}

text_enum! {
    /// Whether agents are given a blueprint.
    pub enum BlueprintStatus {
        /// It is being written; no agent is given it.
        Draft = "draft",
        /// Agents whose work it fits are given it.
        Active = "active",
        /// It holds no longer; no agent is given it.
        Deprecated = "deprecated",
    }
}

text_enum! {
    /// What an entry is.
    pub enum EntryType {
        /// A description.
        Documentation = "documentation",
        /// How an interface is used.
        ApiReference = "api-reference",
        /// A way to learn something, step by step.
        Tutorial = "tutorial",
        /// A question and its answer.
        Faq = "faq",
        /// What was decided, and why.
        Decision = "decision",
        /// What to do when something happens.
        Runbook = "runbook",
        /// What words mean.
        Glossary = "glossary",
        /// Something else.
        Custom = "custom",
    }
}

text_enum! {
    /// What was learnt.
    pub enum LearningType {
        /// How a fault was mended.
        BugFix = "bug-fix",
        /// A way that works.
        Pattern = "pattern",
        /// How something became faster or cheaper.
        Optimization = "optimization",
        /// What to do.
        BestPractice = "best-practice",
        /// What not to do.
        AntiPattern = "anti-pattern",
        /// How a tool is used.
        ToolUsage = "tool-usage",
        /// What holds in this place only.
        ContextSpecific = "context-specific",
        /// Something else.
        Custom = "custom",
    }
}

text_enum! {
    /// How sure a learning is.
    pub enum LearningConfidence {
        /// A guess.
        Low = "low",
        /// It worked once.
        Medium = "medium",
        /// It worked more than once.
        High = "high",
        /// A member has looked and stands for it. Given by verifying alone.
        Verified = "verified",
    }
}

text_enum! {
    /// Whether the team takes a learning for true. Only an accepted one reaches other agents by itself.
    pub enum KnowledgeReview {
        /// An agent or a program recorded it, and nobody has looked yet.
        Proposed = "proposed",
        /// A member stands for it, or it has proven itself by the team's rule.
        Accepted = "accepted",
        /// A member found it wrong.
        Rejected = "rejected",
    }
}

text_enum! {
    /// What came of using a learning.
    pub enum LearningOutcome {
        /// It helped.
        Helped = "helped",
        /// It did not help.
        DidNotHelp = "did-not-help",
        /// It is not known.
        Unknown = "unknown",
    }
}

text_enum! {
    /// By what way something came into the hub.
    pub enum KnowledgeOrigin {
        /// A member wrote it.
        Member = "member",
        /// An agent wrote it, in a run of the member.
        Agent = "agent",
        /// A program wrote it, by a token of the member.
        Token = "token",
    }
}

text_enum! {
    /// What was done to an item.
    pub enum KnowledgeDeed {
        /// It was written.
        Created = "created",
        /// Its text was changed.
        Updated = "updated",
        /// A member found it good.
        Verified = "verified",
        /// It has proven itself by the team's rule.
        Proven = "proven",
        /// A member found it wrong.
        Rejected = "rejected",
        /// It was deleted.
        Deleted = "deleted",
        /// A deleted one was taken back, or a former text was.
        Restored = "restored",
        /// Somebody told what came of using it. That changes its counters alone, and is no version.
        Applied = "applied",
        /// An admin erased it for good: nothing of it is left.
        Erased = "erased",
        /// An admin erased former texts of it for good. That is no version.
        Forgotten = "forgotten",
    }
}

/// Who writes in the hub, and how. The server says so, never a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// The member, or the member whose agent or token it is.
    pub member: MemberId,
    /// Whether the member may delete what others wrote.
    pub may_manage: bool,
    /// By what way.
    pub via: Via,
}

/// By what way somebody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A person, on the page.
    Page,
    /// A program, by a token.
    Token(TokenId),
    /// An agent.
    Run {
        /// Its run.
        run: RunId,
        /// The card that it works on, if there is one.
        feature: Option<FeatureId>,
    },
}

impl Author {
    /// By what way, in a word.
    pub const fn origin(&self) -> KnowledgeOrigin {
        match self.via {
            Via::Page => KnowledgeOrigin::Member,
            Via::Token(_) => KnowledgeOrigin::Token,
            Via::Run { .. } => KnowledgeOrigin::Agent,
        }
    }

    /// The run, if it is an agent.
    pub const fn run(&self) -> Option<RunId> {
        match self.via {
            Via::Run { run, .. } => Some(run),
            _ => None,
        }
    }

    /// The card, if it is an agent on one.
    pub const fn feature(&self) -> Option<FeatureId> {
        match self.via {
            Via::Run { feature, .. } => feature,
            _ => None,
        }
    }

    /// The token, if it is a program.
    pub const fn token(&self) -> Option<TokenId> {
        match self.via {
            Via::Token(token) => Some(token),
            _ => None,
        }
    }
}

/// What an event tells of an item: enough to show that something changed and to fetch it, never its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeChange {
    /// The item.
    pub id: KnowledgeId,
    /// Its kind.
    pub kind: KnowledgeKind,
    /// What it is called.
    pub title: String,
    /// The version that it is at.
    pub version: i64,
    /// What was done.
    pub deed: KnowledgeDeed,
    /// Who did it, or whose agent or token.
    pub actor: MemberId,
    /// By what way.
    pub origin: KnowledgeOrigin,
    /// Whether the team takes it for true.
    pub review: KnowledgeReview,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeHit {
    /// The item.
    pub id: KnowledgeId,
    /// Its kind.
    pub kind: KnowledgeKind,
    /// What it is called.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// How well it fits; the best first. 0 where nothing was searched for.
    pub score: f64,
    /// A part of its text in which words of the search stand, without the marks of Markdown.
    pub snippet: KnowledgeSnippet,
    /// Its tags.
    pub tags: Vec<String>,
    /// Category of a blueprint, type of an entry or a learning.
    #[serde(rename = "type")]
    pub sort: String,
    /// Whether the team takes it for true.
    pub review: KnowledgeReview,
    /// Where a blueprint stands; absent with other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<BlueprintStatus>,
    /// How sure a learning is; absent with other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub confidence: Option<LearningConfidence>,
    /// Who brought it in, or whose agent or token.
    pub created_by: MemberId,
    /// By what way.
    pub origin: KnowledgeOrigin,
    /// When it last changed.
    pub updated_at: DateTime,
    /// How often it was used.
    pub application_count: i64,
    /// How often it helped.
    pub success_count: i64,
    /// How often it did not help; of the other uses nothing is known.
    pub failure_count: i64,
}

/// A part of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeSnippet {
    /// The part, with blanks for line ends and `…` where the text goes on.
    pub text: String,
    /// Where words of the search stand in it, in order.
    pub marks: Vec<SnippetMark>,
}

/// Where a word stands in a part of a text, counted in UTF-16 units, as browsers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct SnippetMark {
    /// Where it begins.
    pub from: u32,
    /// Where it has ended.
    pub to: u32,
}

/// An item, as it is named beside another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeRef {
    /// The item.
    pub id: KnowledgeId,
    /// Its kind.
    pub kind: KnowledgeKind,
    /// What it is called.
    pub title: String,
}

/// An item that says much the same as a text.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimilarItem {
    /// The item.
    pub id: KnowledgeId,
    /// Its kind.
    pub kind: KnowledgeKind,
    /// What it is called.
    pub title: String,
    /// How much they have in common: 1 where they say the same.
    pub likeness: f64,
}

/// A change of an item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeVersion {
    /// The item.
    pub item_id: KnowledgeId,
    /// Its number: 1, 2, 3 … without gaps.
    pub version: i64,
    /// What was done.
    pub deed: KnowledgeDeed,
    /// Why, in the words of who did it.
    pub why: Option<String>,
    /// Who did it, or whose agent or token.
    pub member_id: MemberId,
    /// By what way.
    pub origin: KnowledgeOrigin,
    /// The run, if it was an agent.
    pub run_id: Option<RunId>,
    /// When.
    pub at: DateTime,
    /// When its text was erased for good, if it was.
    pub erased_at: Option<DateTime>,
    /// The whole text from then on; absent in lists, and when it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub draft: Option<KnowledgeDraft>,
}

/// That a learning was used, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeApplication {
    /// The learning.
    pub item_id: KnowledgeId,
    /// The run in which it was used; nothing if a member used it.
    pub run_id: Option<RunId>,
    /// The member, or the member whose run it was.
    pub member_id: MemberId,
    /// What came of it.
    pub outcome: LearningOutcome,
    /// More about it.
    pub note: Option<String>,
    /// When it was told last.
    pub at: DateTime,
}

/// The team's rule by which a proposed learning becomes accepted without a member's look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct KnowledgeRule {
    /// Whether the rule is on.
    pub on: bool,
    /// In how many runs it must have helped.
    pub runs: i64,
    /// Of how many members these runs must have been.
    pub members: i64,
    /// Which part of the runs of which the outcome is known it must have helped in, in percent.
    pub success_percent: i64,
}

impl Default for KnowledgeRule {
    fn default() -> Self {
        Self { on: false, runs: 5, members: 2, success_percent: 80 }
    }
}

impl KnowledgeRule {
    /// Whether a learning has proven itself, that helped in `helped` runs of `members` members and did not help in `failed`.
    pub const fn proves(&self, helped: i64, failed: i64, members: i64) -> bool {
        self.on
            && helped >= self.runs
            && members >= self.members
            && helped * 100 >= self.success_percent * (helped + failed)
    }
}

#[cfg(test)]
mod tests;
