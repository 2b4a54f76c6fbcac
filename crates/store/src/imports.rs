//! Cards that come from another board, each with its files and as it stood there, whole or not at all.

use guildhall_types::feature::{Feature, Move};
use guildhall_types::feature_text::{FeatureText, TextDeed};
use guildhall_types::{DateTime, FeatureId};

use crate::{NewFeature, NewFile, Rows, Store, StoreError, on, read};

/// A card that comes from another board.
#[derive(Debug, Clone)]
pub struct BroughtCard {
    /// Its id here, which follows from the one that it had there: so it comes in once.
    pub id: FeatureId,
    /// The card.
    pub card: NewFeature,
    /// Its work was done there: it is kept as completed.
    pub done: bool,
    /// What was said of that work.
    pub summary: Option<String>,
    /// Its files.
    pub files: Vec<NewFile>,
    /// What its description was before, and since when, the oldest first.
    pub earlier: Vec<(DateTime, String)>,
}

impl Store {
    /// Whether a card came in under this id, even if it was deleted since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn came_in(&self, id: FeatureId) -> Result<bool, StoreError> {
        let row: Option<(FeatureId,)> =
            read!(self, c => sqlx::query_as("SELECT id FROM features WHERE id = $1").bind(id).fetch_optional(c).await)?;
        Ok(row.is_some())
    }

    /// Writes a card that comes from another board, with its files. Nothing when it came in before, even if it was deleted since.
    ///
    /// # Errors
    /// As for [`Store::create_feature`].
    pub async fn bring_card(&self, brought: BroughtCard) -> Result<Option<Feature>, StoreError> {
        let BroughtCard { id, card, done, summary, files, earlier } = brought;
        let by = card.created_by;
        let mut tx = self.begin().await?;
        // Two imports at once wait for each other here, so that the second finds what the first wrote.
        self.locked_project(&mut tx, card.project_id).await?;
        let before: Option<(FeatureId,)> =
            on!(tx, c => sqlx::query_as("SELECT id FROM features WHERE id = $1").bind(id).fetch_optional(c).await)?;
        if before.is_some() {
            return Ok(None);
        }
        let mut feature = self.create_feature_as(&mut tx, id, card).await?;
        if !earlier.is_empty() {
            let text = |at, description: String| FeatureText {
                number: 0,
                deed: TextDeed::Imported,
                member_id: None,
                by_token: false,
                restored: None,
                at,
                title: feature.card.title.clone(),
                description: Some(description),
            };
            let mut texts: Vec<FeatureText> =
                earlier.into_iter().map(|(at, words)| text(at, crate::clean(&words))).collect();
            let now = text(self.now(), feature.description.clone());
            texts.push(FeatureText { member_id: Some(by), ..now });
            for (number, text) in (1..).zip(texts) {
                self.put_text(&mut tx, id, &FeatureText { number, ..text }, None).await?;
            }
        }
        let kept = self.keep_files(&mut tx, id, None, &files).await?;
        if !kept.is_empty() {
            on!(tx, c => sqlx::query("UPDATE attachments SET created_by = $2 WHERE feature_id = $1").bind(id).bind(by)
                .execute(c).await.rows())?;
        }
        if let Some(summary) = summary {
            on!(tx, c => sqlx::query("UPDATE features SET summary = $2 WHERE id = $1").bind(id)
                .bind(crate::clean(&summary)).execute(c).await.rows())?;
        }
        if done {
            self.move_feature(&mut tx, &feature, Move::Record).await?;
            feature = self.tell_feature(&mut tx, id).await?;
        }
        self.commit(tx).await?;
        Ok(Some(feature))
    }
}
