//! Cards as what other cards are built on.

use guildhall_types::FeatureId;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::run::HeldCard;

use crate::{Store, StoreError, read};

/// A card that another one depends on or is built on, deleted or not, with the state of its latest run.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Foundation {
    /// The card.
    pub id: FeatureId,
    /// Its number within the project.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// Where it stands, or stood when it was deleted.
    pub status: FeatureStatus,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The commit that its work starts from.
    pub base_commit: Option<String>,
    /// The latest state of its work, if it changed anything.
    pub head_commit: Option<String>,
    /// What its work is itself built on.
    #[sqlx(json)]
    pub holds: Vec<HeldCard>,
}

impl Foundation {
    /// How a run that is built on it names it.
    pub fn named(&self) -> HeldCard {
        HeldCard { feature_id: self.id, number: self.number, title: self.title.clone() }
    }

    /// Whether its work is on the default branch.
    pub fn is_merged(&self) -> bool {
        self.status == FeatureStatus::Completed
    }

    /// Whether it may be built on: its work is merged, or ready to be.
    pub fn is_firm(&self) -> bool {
        self.is_merged() || (self.status.satisfies_dependency() && !self.deleted)
    }
}

impl Store {
    /// A card as what others are built on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn foundation(&self, id: FeatureId) -> Result<Option<Foundation>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT f.id, f.number, f.title, f.status, f.deleted_at IS NOT NULL AS deleted, r.base_commit, r.head_commit,
               coalesce(r.holds, '[]') AS holds
             FROM features f LEFT JOIN runs r ON r.id = f.run_id WHERE f.id = $1").bind(id).fetch_optional(c).await)?)
    }
}
