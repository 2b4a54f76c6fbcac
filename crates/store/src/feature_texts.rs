//! What cards said before: each change of a title or a description keeps the text as it was from then on.

use chrono::Duration;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::feature::{Feature, FeatureKind};
use guildhall_types::feature_text::{FeatureText, KEPT, ONE_CHANGE, TextDeed};
use guildhall_types::{DateTime, FeatureId, MemberId, TokenId};

use crate::{FeaturePatch, Rows, Store, StoreError, Tx, on, read};

#[derive(sqlx::FromRow)]
struct Last {
    number: i64,
    deed: TextDeed,
    member_id: Option<MemberId>,
    token_id: Option<TokenId>,
    at: DateTime,
}

impl Store {
    /// The texts of a card, the latest first, without their descriptions. Of one that nobody changed it is the one that it has.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn feature_texts(&self, id: FeatureId) -> Result<Vec<FeatureText>, StoreError> {
        let texts: Vec<FeatureText> = read!(self, c => sqlx::query_as(
            "SELECT number, deed, member_id, token_id IS NOT NULL AS by_token, restored, at, title, CAST(NULL AS TEXT) AS description
             FROM feature_texts WHERE feature_id = $1 ORDER BY number DESC").bind(id).fetch_all(c).await)?;
        let feature = self.feature(id).await?.ok_or(StoreError::NotFound { what: "feature" })?;
        Ok(match texts.is_empty() {
            true => vec![FeatureText { description: None, ..first(feature) }],
            false => texts,
        })
    }

    /// One text of a card, whole.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feature_text(&self, id: FeatureId, number: i64) -> Result<Option<FeatureText>, StoreError> {
        let Some(feature) = self.feature(id).await? else { return Ok(None) };
        let texts: Vec<FeatureText> = read!(self, c => sqlx::query_as(
            "SELECT number, deed, member_id, token_id IS NOT NULL AS by_token, restored, at, title, description
             FROM feature_texts WHERE feature_id = $1
               AND (number = $2 OR number = (SELECT MAX(number) FROM feature_texts WHERE feature_id = $1))")
            .bind(id).bind(number).fetch_all(c).await)?;
        Ok(match texts.is_empty() {
            true => Some(first(feature)).filter(|text| text.number == number),
            false => texts.into_iter().find(|text| text.number == number),
        })
    }

    /// Erases a former text of a card for good; its number is not used again. Answers whether it did: what the card says now stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn erase_feature_text(&self, id: FeatureId, number: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let card = self.locked_of_kind(&mut tx, id, FeatureKind::Card).await?.card;
        let (present,): (Option<i64>,) = on!(tx, c => sqlx::query_as(
            "SELECT MAX(number) FROM feature_texts WHERE feature_id = $1").bind(id).fetch_one(c).await)?;
        if number == present.unwrap_or(1) {
            return Ok(false);
        }
        let erased = on!(tx, c => sqlx::query("DELETE FROM feature_texts WHERE feature_id = $1 AND number = $2")
            .bind(id).bind(number).execute(c).await.rows())?;
        if erased == 0 {
            return Err(StoreError::NotFound { what: "version" });
        }
        let note = Note::new(AuditAction::EraseFeatureText).on(AuditObject::Feature, id);
        tx.note(note.with("number", card.number).with("project", card.project_id).with("version", number));
        self.commit(tx).await?;
        Ok(true)
    }

    /// What a locked card says from now on, its title and its description. Where that is something else, it is kept, and what it
    /// said at first if nobody changed it before. What the same member changes by the same way within minutes is one change, whatever
    /// they do, unless a run was given the text in between: nobody pushes the former texts out in a moment.
    pub(crate) async fn keep_text(
        &self,
        tx: &mut Tx,
        old: &Feature,
        patch: &FeaturePatch,
    ) -> Result<(String, String), StoreError> {
        let title = crate::clean(patch.title.as_deref().unwrap_or(&old.card.title));
        let description = crate::clean(patch.description.as_deref().unwrap_or(&old.description));
        if title == old.card.title && description == old.description {
            return Ok((title, description));
        }
        let id = old.card.id;
        let mut new = FeatureText {
            number: 2,
            // No program has read a suggestion and taken it.
            deed: patch
                .deed
                .filter(|deed| *deed != TextDeed::Enhanced || self.actor.token.is_none())
                .unwrap_or(TextDeed::Edited),
            member_id: self.actor.member,
            by_token: self.actor.token.is_some(),
            restored: patch.restored,
            at: self.now(),
            title,
            description: Some(description),
        };
        let last: Option<Last> = on!(tx, c => sqlx::query_as(
            "SELECT number, deed, member_id, token_id, at FROM feature_texts WHERE feature_id = $1 ORDER BY number DESC LIMIT 1")
            .bind(id).fetch_optional(c).await)?;
        if let Some(last) = &last
            && self.is_one_change(tx, id, last, new.deed).await?
        {
            on!(tx, c => sqlx::query(
                "UPDATE feature_texts SET title = $3, description = $4, deed = $5, restored = $6
                 WHERE feature_id = $1 AND number = $2")
                .bind(id).bind(last.number).bind(&new.title).bind(&new.description).bind(new.deed).bind(new.restored)
                .execute(c).await.rows())?;
            return Ok((new.title, new.description.unwrap_or_default()));
        }
        match last {
            Some(last) => new.number = last.number + 1,
            None => self.put_text(tx, id, &first(old.clone()), None).await?,
        }
        self.put_text(tx, id, &new, self.actor.token).await?;
        on!(tx, c => sqlx::query("DELETE FROM feature_texts WHERE feature_id = $1 AND number > 1 AND number <= $2").bind(id)
            .bind(new.number - KEPT).execute(c).await.rows())?;
        Ok((new.title, new.description.unwrap_or_default()))
    }

    /// Whether a change is one with the last. Of a member's own words none goes with a suggestion that is taken or a text that is taken back;
    /// a program could push all former texts out so.
    async fn is_one_change(&self, tx: &mut Tx, id: FeatureId, last: &Last, deed: TextDeed) -> Result<bool, StoreError> {
        let hand = (self.actor.member, self.actor.token);
        let edits = matches!(last.deed, TextDeed::Edited | TextDeed::Enhanced | TextDeed::Restored)
            && (last.deed == deed || hand.1.is_some());
        let soon = self.now() - last.at < Duration::minutes(ONE_CHANGE);
        if !edits || !soon || hand.0.is_none() || hand != (last.member_id, last.token_id) {
            return Ok(false);
        }
        let (given,): (bool,) = on!(tx, c => sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM runs WHERE feature_id = $1 AND (created_at >= $2 OR started_at >= $2))")
            .bind(id).bind(last.at).fetch_one(c).await)?;
        Ok(!given)
    }

    pub(crate) async fn put_text(
        &self,
        tx: &mut Tx,
        id: FeatureId,
        text: &FeatureText,
        token: Option<TokenId>,
    ) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "INSERT INTO feature_texts (feature_id, number, deed, member_id, token_id, restored, at, title, description)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(id).bind(text.number).bind(text.deed).bind(text.member_id).bind(token).bind(text.restored).bind(text.at)
            .bind(&text.title).bind(&text.description).execute(c).await.rows())?;
        Ok(())
    }

    /// Deletes what a card said before.
    pub(crate) async fn forget_texts(&self, tx: &mut Tx, id: FeatureId) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("DELETE FROM feature_texts WHERE feature_id = $1").bind(id).execute(c).await.rows())?;
        Ok(())
    }
}

/// The text of a card that nobody changed.
fn first(feature: Feature) -> FeatureText {
    FeatureText {
        number: 1,
        deed: TextDeed::Created,
        member_id: Some(feature.card.created_by),
        by_token: false,
        restored: None,
        at: feature.card.created_at,
        title: feature.card.title,
        description: Some(feature.description),
    }
}
