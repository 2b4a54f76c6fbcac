//! What somebody can say of an item, and how much of it. Attribution, counters and review are the server's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BlueprintCategory, BlueprintStatus, EntryType, KnowledgeKind, LearningConfidence, LearningType};
use crate::KnowledgeId;

/// Characters of a title at most.
pub const TITLE: usize = 200;
/// Characters of a description at most.
pub const DESCRIPTION: usize = 2_000;
/// Characters of a content at most.
pub const CONTENT: usize = 100_000;
/// Tags of an item at most, and characters of one.
pub const TAGS: (usize, usize) = (20, 40);
/// Keywords of an entry at most, and characters of one.
pub const KEYWORDS: (usize, usize) = (30, 60);
/// Patterns, languages, frameworks and types of task of an item at most, and characters of one.
pub const CONDITIONS: (usize, usize) = (50, 200);
/// Items that one names as related at most.
pub const RELATED: usize = 50;
/// Characters of what a learning says of its problem, its solution and how it is prevented, each at most.
pub const PART: usize = 10_000;
/// Characters of an address at most.
pub const ADDRESS: usize = 2_000;
/// Characters of a reason or a note at most.
pub const WHY: usize = 500;
/// Priorities of blueprints, from last to first, and what is meant where none is given.
pub const PRIORITY: std::ops::RangeInclusive<i64> = 1..=10;
const USUAL_PRIORITY: i64 = 5;

/// To which work a blueprint is given. What is empty says nothing; all that is not must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AutoLoadConditions {
    /// Patterns of paths, such as `src/**/*.rs`, of which a file in the repository fits one.
    #[schema(nullable = false)]
    pub file_patterns: Vec<String>,
    /// Languages that the repository is written in.
    #[schema(nullable = false)]
    pub languages: Vec<String>,
    /// Categories of cards.
    #[schema(nullable = false)]
    pub task_types: Vec<String>,
}

/// Where a learning holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LearningContext {
    /// Languages.
    #[schema(nullable = false)]
    pub languages: Vec<String>,
    /// Frameworks and libraries.
    #[schema(nullable = false)]
    pub frameworks: Vec<String>,
    /// Patterns of paths.
    #[schema(nullable = false)]
    pub file_patterns: Vec<String>,
}

/// What only a blueprint has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintDetails {
    /// What it is about.
    pub category: BlueprintCategory,
    /// Whether agents are given it.
    pub status: BlueprintStatus,
    /// Which of several comes first: the higher, from 1 to 10.
    pub priority: i64,
    /// To which work it is given.
    pub auto_load_conditions: AutoLoadConditions,
}

/// What only an entry has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryDetails {
    /// What it is.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// Where it comes from.
    pub source_url: Option<String>,
    /// Words by which it should be found, too.
    pub keywords: Vec<String>,
}

/// What only a learning has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearningDetails {
    /// What was learnt.
    #[serde(rename = "type")]
    pub learning_type: LearningType,
    /// How sure it is.
    pub confidence: LearningConfidence,
    /// What went wrong.
    pub problem: Option<String>,
    /// What helped.
    pub solution: Option<String>,
    /// How it is kept from happening again.
    pub prevention: Option<String>,
    /// Where it holds.
    pub context: LearningContext,
}

/// What only one kind has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum KnowledgeDetails {
    /// Of a blueprint.
    Blueprint(BlueprintDetails),
    /// Of an entry.
    Entry(EntryDetails),
    /// Of a learning.
    Learning(LearningDetails),
}

impl KnowledgeDetails {
    /// Whose they are.
    pub const fn kind(&self) -> KnowledgeKind {
        match self {
            Self::Blueprint(_) => KnowledgeKind::Blueprint,
            Self::Entry(_) => KnowledgeKind::Entry,
            Self::Learning(_) => KnowledgeKind::Learning,
        }
    }

    /// Category of a blueprint, type of an entry or a learning.
    pub const fn sort(&self) -> &'static str {
        match self {
            Self::Blueprint(of) => of.category.as_str(),
            Self::Entry(of) => of.entry_type.as_str(),
            Self::Learning(of) => of.learning_type.as_str(),
        }
    }

    /// Languages that it speaks of.
    pub fn languages(&self) -> &[String] {
        match self {
            Self::Blueprint(of) => &of.auto_load_conditions.languages,
            Self::Entry(_) => &[],
            Self::Learning(of) => &of.context.languages,
        }
    }
}

/// The whole of what somebody says of an item, whatever its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeDraft {
    /// What it is called.
    pub title: String,
    /// What it is about, in a sentence or two.
    pub description: String,
    /// Its text, in Markdown.
    pub content: String,
    /// Labels to find it by.
    pub tags: Vec<String>,
    /// Items that it names as related.
    pub related: Vec<KnowledgeId>,
    /// What only its kind has.
    pub details: KnowledgeDetails,
}

impl KnowledgeDraft {
    /// Its kind.
    pub const fn kind(&self) -> KnowledgeKind {
        self.details.kind()
    }

    /// Every text in it, with the name of its field, to be changed in place.
    pub fn texts_mut(&mut self) -> Vec<(&'static str, &mut String)> {
        let mut all = vec![
            (if self.details.kind() == KnowledgeKind::Blueprint { "name" } else { "title" }, &mut self.title),
            ("description", &mut self.description),
            ("content", &mut self.content),
        ];
        all.extend(self.tags.iter_mut().map(|tag| ("tags", tag)));
        fn list<'a>(field: &'static str, of: &'a mut [String]) -> impl Iterator<Item = (&'static str, &'a mut String)> {
            of.iter_mut().map(move |text| (field, text))
        }
        match &mut self.details {
            KnowledgeDetails::Blueprint(of) => {
                all.extend(list("autoLoadConditions.filePatterns", &mut of.auto_load_conditions.file_patterns));
                all.extend(list("autoLoadConditions.languages", &mut of.auto_load_conditions.languages));
                all.extend(list("autoLoadConditions.taskTypes", &mut of.auto_load_conditions.task_types));
            }
            KnowledgeDetails::Entry(of) => {
                all.extend(of.source_url.as_mut().map(|url| ("sourceUrl", url)));
                all.extend(list("keywords", &mut of.keywords));
            }
            KnowledgeDetails::Learning(of) => {
                all.extend(of.problem.as_mut().map(|text| ("problem", text)));
                all.extend(of.solution.as_mut().map(|text| ("solution", text)));
                all.extend(of.prevention.as_mut().map(|text| ("prevention", text)));
                all.extend(list("context.languages", &mut of.context.languages));
                all.extend(list("context.frameworks", &mut of.context.frameworks));
                all.extend(list("context.filePatterns", &mut of.context.file_patterns));
            }
        }
        all
    }
}

/// Declares what a client says of a new item of one kind, and of one that it changes.
macro_rules! draft {
    ($(#[$meta:meta])* $draft:ident, $update:ident, $kind:literal { $($(#[$field:meta])* $name:ident: $of:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $draft {
            $($(#[$field])* pub $name: $of),+
        }

        #[doc = concat!("The whole of a ", $kind, " as it is to be from now on.")]
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $update {
            $($(#[$field])* pub $name: $of,)+
            /// The version that the change is made to; refused when somebody else's change came in between.
            pub version: i64,
            /// Why, for whoever reads the history.
            #[serde(default)]
            #[schema(nullable = false)]
            pub why: Option<String>,
        }

        impl $update {
            /// The text, the version that it is based on, and why.
            pub fn split(self) -> ($draft, i64, Option<String>) {
                ($draft { $($name: self.$name),+ }, self.version, self.why)
            }
        }
    };
}

draft! {
    /// A blueprint as a client writes it.
    BlueprintDraft, UpdateBlueprint, "blueprint" {
        /// What it is called.
        name: String,
        /// What it is about, in a sentence or two.
        #[serde(default)]
        #[schema(nullable = false)]
        description: Option<String>,
        /// Its text, in Markdown.
        content: String,
        /// What it is about; `custom` when absent.
        #[serde(default)]
        #[schema(nullable = false)]
        category: Option<BlueprintCategory>,
        /// Whether agents are given it; `draft` when absent.
        #[serde(default)]
        #[schema(nullable = false)]
        status: Option<BlueprintStatus>,
        /// Labels to find it by.
        #[serde(default)]
        #[schema(nullable = false)]
        tags: Option<Vec<String>>,
        /// Which of several comes first: the higher, from 1 to 10; 5 when absent.
        #[serde(default)]
        #[schema(nullable = false)]
        priority: Option<i64>,
        /// To which work it is given.
        #[serde(default)]
        #[schema(nullable = false)]
        auto_load_conditions: Option<AutoLoadConditions>,
        /// Items that it names as related.
        #[serde(default)]
        #[schema(nullable = false)]
        related: Option<Vec<KnowledgeId>>,
    }
}

draft! {
    /// An entry as a client writes it.
    EntryDraft, UpdateEntry, "entry" {
        /// What it is called.
        title: String,
        /// What it is about, in a sentence or two.
        #[serde(default)]
        #[schema(nullable = false)]
        description: Option<String>,
        /// Its text, in Markdown.
        content: String,
        /// What it is; `documentation` when absent.
        #[serde(default, rename = "type")]
        #[schema(nullable = false)]
        entry_type: Option<EntryType>,
        /// Labels to find it by.
        #[serde(default)]
        #[schema(nullable = false)]
        tags: Option<Vec<String>>,
        /// Where it comes from: an http address.
        #[serde(default)]
        source_url: Option<String>,
        /// Words by which it should be found, too.
        #[serde(default)]
        #[schema(nullable = false)]
        keywords: Option<Vec<String>>,
        /// Items that it names as related.
        #[serde(default)]
        #[schema(nullable = false)]
        related: Option<Vec<KnowledgeId>>,
    }
}

draft! {
    /// A learning as a client writes it.
    LearningDraft, UpdateLearning, "learning" {
        /// What it is called.
        title: String,
        /// What it is about, in a sentence or two.
        #[serde(default)]
        #[schema(nullable = false)]
        description: Option<String>,
        /// Its text, in Markdown.
        content: String,
        /// What was learnt; `custom` when absent.
        #[serde(default, rename = "type")]
        #[schema(nullable = false)]
        learning_type: Option<LearningType>,
        /// How sure it is: `low`, `medium` or `high`; `medium` when absent. `verified` is given by verifying alone.
        #[serde(default)]
        #[schema(nullable = false)]
        confidence: Option<LearningConfidence>,
        /// What went wrong.
        #[serde(default)]
        problem: Option<String>,
        /// What helped.
        #[serde(default)]
        solution: Option<String>,
        /// How it is kept from happening again.
        #[serde(default)]
        prevention: Option<String>,
        /// Where it holds.
        #[serde(default)]
        #[schema(nullable = false)]
        context: Option<LearningContext>,
        /// Labels to find it by.
        #[serde(default)]
        #[schema(nullable = false)]
        tags: Option<Vec<String>>,
        /// Items that it names as related.
        #[serde(default)]
        #[schema(nullable = false)]
        related: Option<Vec<KnowledgeId>>,
    }
}

impl From<BlueprintDraft> for KnowledgeDraft {
    fn from(of: BlueprintDraft) -> Self {
        Self {
            title: of.name,
            description: of.description.unwrap_or_default(),
            content: of.content,
            tags: of.tags.unwrap_or_default(),
            related: of.related.unwrap_or_default(),
            details: KnowledgeDetails::Blueprint(BlueprintDetails {
                category: of.category.unwrap_or(BlueprintCategory::Custom),
                status: of.status.unwrap_or(BlueprintStatus::Draft),
                priority: of.priority.unwrap_or(USUAL_PRIORITY),
                auto_load_conditions: of.auto_load_conditions.unwrap_or_default(),
            }),
        }
    }
}

impl From<EntryDraft> for KnowledgeDraft {
    fn from(of: EntryDraft) -> Self {
        Self {
            title: of.title,
            description: of.description.unwrap_or_default(),
            content: of.content,
            tags: of.tags.unwrap_or_default(),
            related: of.related.unwrap_or_default(),
            details: KnowledgeDetails::Entry(EntryDetails {
                entry_type: of.entry_type.unwrap_or(EntryType::Documentation),
                source_url: of.source_url,
                keywords: of.keywords.unwrap_or_default(),
            }),
        }
    }
}

impl From<LearningDraft> for KnowledgeDraft {
    fn from(of: LearningDraft) -> Self {
        Self {
            title: of.title,
            description: of.description.unwrap_or_default(),
            content: of.content,
            tags: of.tags.unwrap_or_default(),
            related: of.related.unwrap_or_default(),
            details: KnowledgeDetails::Learning(LearningDetails {
                learning_type: of.learning_type.unwrap_or(LearningType::Custom),
                confidence: of.confidence.unwrap_or(LearningConfidence::Medium),
                problem: of.problem,
                solution: of.solution,
                prevention: of.prevention,
                context: of.context.unwrap_or_default(),
            }),
        }
    }
}
