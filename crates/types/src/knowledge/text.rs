//! What an item says, apart from how sure anybody is of it.

use super::draft::{AutoLoadConditions, LearningContext};
use super::{
    BlueprintCategory, BlueprintDetails, BlueprintStatus, EntryDetails, EntryType, KnowledgeDetails, KnowledgeDraft,
    KnowledgeKind, LearningConfidence, LearningDetails, LearningType,
};

impl KnowledgeDraft {
    /// An item of this kind that says this and nothing else.
    pub fn bare(kind: KnowledgeKind, title: String, content: String) -> Self {
        let details = match kind {
            KnowledgeKind::Blueprint => KnowledgeDetails::Blueprint(BlueprintDetails {
                category: BlueprintCategory::Custom,
                status: BlueprintStatus::Draft,
                priority: 5,
                auto_load_conditions: AutoLoadConditions::default(),
            }),
            KnowledgeKind::Entry => KnowledgeDetails::Entry(EntryDetails {
                entry_type: EntryType::Custom,
                source_url: None,
                keywords: Vec::new(),
            }),
            KnowledgeKind::Learning => KnowledgeDetails::Learning(LearningDetails {
                learning_type: LearningType::Custom,
                confidence: LearningConfidence::Low,
                problem: None,
                solution: None,
                prevention: None,
                context: LearningContext::default(),
            }),
        };
        Self { title, description: String::new(), content, tags: Vec::new(), related: Vec::new(), details }
    }

    /// Whether it says the same as another, however sure one or the other is.
    pub fn says_as(&self, other: &Self) -> bool {
        self.sure_as(other) == *other
    }

    /// The same, as sure as another is.
    pub fn sure_as(&self, other: &Self) -> Self {
        let mut same = self.clone();
        if let (KnowledgeDetails::Learning(of), KnowledgeDetails::Learning(now)) = (&mut same.details, &other.details) {
            of.confidence = now.confidence;
        }
        same
    }

    /// How sure a learning is; nothing of what is none.
    pub const fn confidence(&self) -> Option<LearningConfidence> {
        self.details.confidence()
    }
}

impl KnowledgeKind {
    /// The categories of blueprints, the types of entries or of learnings.
    pub fn sorts(self) -> Vec<&'static str> {
        match self {
            Self::Blueprint => BlueprintCategory::ALL.iter().map(|one| one.as_str()).collect(),
            Self::Entry => EntryType::ALL.iter().map(|one| one.as_str()).collect(),
            Self::Learning => LearningType::ALL.iter().map(|one| one.as_str()).collect(),
        }
    }
}

impl KnowledgeDetails {
    /// How sure a learning is; nothing of what is none.
    pub const fn confidence(&self) -> Option<LearningConfidence> {
        match self {
            Self::Learning(of) => Some(of.confidence),
            Self::Blueprint(_) | Self::Entry(_) => None,
        }
    }
}
