//! The cards of a project, page by page.

use std::collections::HashMap;

use guildhall_types::feature::{FeatureCard, FeatureStatus};
use guildhall_types::{FeatureId, ProjectId};
use sqlx::{Database, QueryBuilder};

use super::CARD;
use crate::{Store, StoreError, read};
/// Cards on one page of a list at most.
const PAGE: i64 = 500;

/// Which cards of a project.
#[derive(Debug, Clone, Default)]
pub struct FeatureQuery {
    /// Only in these statuses; empty means any.
    pub status: Vec<FeatureStatus>,
    /// Only with this text in title or description, or with this number.
    pub text: Option<String>,
    /// After the card where the last page ended.
    pub after: Option<String>,
    /// At most so many; 500 are the most.
    pub limit: i64,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl Store {
    /// A page of a project's cards in the board's order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn features(&self, project: ProjectId, query: &FeatureQuery) -> Result<Page<FeatureCard>, StoreError> {
        let limit = query.limit.clamp(1, PAGE);
        let mut items: Vec<FeatureCard> =
            read!(self, c => list(project, query, limit).build_query_as().fetch_all(c).await)?;
        let next = (items.len() as i64 > limit).then(|| {
            items.truncate(limit as usize);
            items.last().map(|card| format!("{}_{}", card.position, card.id)).unwrap_or_default()
        });
        if let (Some(first), Some(last)) = (items.first(), items.last()) {
            let (from, to) = (first.position, last.position);
            let rows: Vec<(FeatureId, FeatureId)> = read!(self, c => sqlx::query_as(
                "SELECT d.feature_id, d.depends_on FROM feature_dependencies d JOIN features f ON f.id = d.feature_id
                 WHERE f.project_id = $1 AND f.position BETWEEN $2 AND $3 ORDER BY d.depends_on")
                .bind(project).bind(from).bind(to).fetch_all(c).await)?;
            let mut of: HashMap<FeatureId, Vec<FeatureId>> = HashMap::new();
            for (feature, depends_on) in rows {
                of.entry(feature).or_default().push(depends_on);
            }
            for card in &mut items {
                card.dependencies = of.remove(&card.id).unwrap_or_default();
            }
        }
        Ok(Page { items, next })
    }
}

/// The query of a page: one card more than the page holds, to know whether there is a next one.
fn list<DB: Database>(project: ProjectId, query: &FeatureQuery, limit: i64) -> QueryBuilder<DB>
where
    for<'q> ProjectId: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> FeatureId: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> FeatureStatus: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> String: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> i64: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> f64: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut sql = QueryBuilder::new(format!(
        "SELECT {CARD} FROM features WHERE deleted_at IS NULL AND kind = 'card' AND project_id = "
    ));
    sql.push_bind(project);
    if !query.status.is_empty() {
        sql.push(" AND status IN (");
        let mut list = sql.separated(", ");
        for status in &query.status {
            list.push_bind(*status);
        }
        sql.push(")");
    }
    if let Some(text) = query.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let plain = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let like = format!("%{plain}%");
        sql.push(" AND (lower(title) LIKE ").push_bind(like.clone()).push(" ESCAPE '\\' OR lower(description) LIKE ");
        sql.push_bind(like).push(" ESCAPE '\\'");
        if let Ok(number) = text.trim_start_matches('#').parse::<i64>() {
            sql.push(" OR number = ").push_bind(number);
        }
        sql.push(")");
    }
    let after = query.after.as_deref().and_then(|cursor| {
        let (position, id) = cursor.split_once('_')?;
        Some((position.parse::<f64>().ok()?, id.parse::<FeatureId>().ok()?))
    });
    if let Some((position, id)) = after {
        sql.push(" AND (position, id) > (").push_bind(position).push(", ").push_bind(id).push(")");
    }
    sql.push(" ORDER BY position, id LIMIT ").push_bind(limit + 1);
    sql
}
