//! The ledger, added up.

use guildhall_types::usage::{DaySpan, GROUPS, Sums, UsageBy};
use guildhall_types::{DateTime, MemberId, ProjectId};
use sqlx::{Database, QueryBuilder};
use uuid::Uuid;

use crate::{Store, StoreError, read};

/// Which calls.
#[derive(Debug, Clone, Copy)]
pub struct UsageQuery {
    /// From this moment on.
    pub from: DateTime,
    /// Before this moment.
    pub to: DateTime,
    /// Only of this project.
    pub project: Option<ProjectId>,
    /// Only of this member.
    pub member: Option<MemberId>,
}

/// Calls that have something in common, added up.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Group {
    /// The member, the project or the card; for a key the member whose own it is.
    #[sqlx(default)]
    pub id: Option<Uuid>,
    /// The model behind its provider and a `/`; for a key whose it is, the provider and the last four characters.
    #[sqlx(default)]
    pub text: Option<String>,
    /// What they took and cost.
    #[sqlx(flatten)]
    pub sums: Sums,
    /// A member's name.
    #[sqlx(default)]
    pub member_name: Option<String>,
    /// The project's name.
    #[sqlx(default)]
    pub project_name: Option<String>,
    /// The card's number in its project.
    #[sqlx(default)]
    pub feature_number: Option<i64>,
    /// The card's title.
    #[sqlx(default)]
    pub feature_title: Option<String>,
    /// Which of the days that were asked for, counted from 0.
    #[sqlx(default)]
    pub day: Option<i64>,
}

const SUMS: &str = "CAST(count(*) AS BIGINT) AS calls,
    CAST(coalesce(sum(CASE WHEN l.priced THEN 0 ELSE 1 END), 0) AS BIGINT) AS unpriced_calls,
    CAST(coalesce(sum(l.input_tokens), 0) AS BIGINT) AS input_tokens,
    CAST(coalesce(sum(l.output_tokens), 0) AS BIGINT) AS output_tokens,
    CAST(coalesce(sum(l.cache_read_tokens), 0) AS BIGINT) AS cache_read_tokens,
    CAST(coalesce(sum(l.cache_write_tokens), 0) AS BIGINT) AS cache_write_tokens,
    CAST(coalesce(sum(l.cost_micros), 0) AS BIGINT) AS cost_micros";
const KEY: &str = "l.key_source || ':' || l.provider || ':' || coalesce(l.key_hint, '')";
const KEY_OF: &str = "CASE WHEN l.key_source = 'member' THEN l.member_id END";
const MODEL: &str = "l.provider || '/' || l.model";

/// What a group has in common: the id and the text, as columns.
const fn common(by: UsageBy) -> (Option<&'static str>, Option<&'static str>) {
    match by {
        UsageBy::Member => (Some("l.member_id"), None),
        UsageBy::Project => (Some("l.project_id"), None),
        UsageBy::Feature => (Some("l.feature_id"), None),
        UsageBy::Model => (None, Some(MODEL)),
        UsageBy::Key => (Some(KEY_OF), Some(KEY)),
        UsageBy::Day => (None, None),
    }
}

/// The names by which a group is shown.
const fn names(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Member | UsageBy::Key => ", max(m.name) AS member_name",
        UsageBy::Project => ", max(l.project_name) AS project_name",
        UsageBy::Feature => {
            ", max(l.project_name) AS project_name, max(l.feature_number) AS feature_number,
             max(l.feature_title) AS feature_title"
        }
        UsageBy::Model | UsageBy::Day => "",
    }
}

/// Which groups are told day by day.
#[derive(Debug, Clone, Default)]
struct Only {
    ids: Vec<Uuid>,
    texts: Vec<String>,
}

fn query<DB: Database>(by: UsageBy, what: &UsageQuery, days: &[DaySpan], only: Option<&Only>) -> QueryBuilder<DB>
where
    for<'q> i64: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> DateTime: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> Uuid: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> String: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let (id, text) = common(by);
    let mut sql = QueryBuilder::new("");
    if !days.is_empty() {
        sql.push("WITH days (n, a, z) AS (VALUES ");
        let mut list = sql.separated(", ");
        for (n, day) in days.iter().enumerate() {
            list.push("(").push_bind_unseparated(n as i64).push_unseparated(", ").push_bind_unseparated(day.begins);
            list.push_unseparated(", ").push_bind_unseparated(day.ends).push_unseparated(")");
        }
        sql.push(") ");
    }
    sql.push("SELECT ");
    if let Some(id) = id {
        sql.push(id).push(" AS id, ");
    }
    if let Some(text) = text {
        sql.push(text).push(" AS text, ");
    }
    if !days.is_empty() {
        sql.push("d.n AS day, ");
    }
    sql.push(SUMS).push(names(by)).push(" FROM ");
    if !days.is_empty() {
        sql.push("days d CROSS JOIN ");
    }
    sql.push("ledger l JOIN members m ON m.id = l.member_id WHERE l.at >= ").push_bind(what.from);
    sql.push(" AND l.at < ").push_bind(what.to);
    if !days.is_empty() {
        sql.push(" AND l.at >= d.a AND l.at < d.z");
    }
    if let Some(project) = what.project {
        sql.push(" AND l.project_id = ").push_bind(project.0);
    }
    if let Some(member) = what.member {
        sql.push(" AND l.member_id = ").push_bind(member.0);
    }
    if let Some(only) = only {
        match (id, text) {
            (_, Some(text)) => {
                sql.push(" AND ").push(text).push(" IN (");
                let mut list = sql.separated(", ");
                only.texts.iter().for_each(|text| {
                    list.push_bind(text.clone());
                });
                sql.push(")");
            }
            (Some(id), None) => {
                sql.push(" AND ").push(id).push(" IN (");
                let mut list = sql.separated(", ");
                only.ids.iter().for_each(|id| {
                    list.push_bind(*id);
                });
                sql.push(")");
            }
            (None, None) => {}
        }
    }
    let mut columns: Vec<&str> = id.into_iter().chain(text).collect();
    if !days.is_empty() {
        columns.push("d.n");
    }
    if !columns.is_empty() {
        sql.push(" GROUP BY ").push(columns.join(", "));
    }
    match days.is_empty() {
        true => sql.push(" ORDER BY cost_micros DESC, output_tokens DESC, calls DESC LIMIT ").push_bind(GROUPS),
        false => sql.push(" ORDER BY day"),
    };
    sql
}

impl Store {
    /// All the calls, added up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage_total(&self, what: &UsageQuery) -> Result<Sums, StoreError> {
        let all: Group = read!(self, c => query(UsageBy::Day, what, &[], None).build_query_as().fetch_one(c).await)?;
        Ok(all.sums)
    }

    /// The calls by what they have in common, the dearest first; no more than [`GROUPS`] groups. Days have a question of
    /// their own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage_groups(&self, by: UsageBy, what: &UsageQuery) -> Result<Vec<Group>, StoreError> {
        Ok(read!(self, c => query(by, what, &[], None).build_query_as().fetch_all(c).await)?)
    }

    /// The calls day by day; days without any are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage_days(&self, what: &UsageQuery, days: &[DaySpan]) -> Result<Vec<Group>, StoreError> {
        if days.is_empty() {
            return Ok(Vec::new());
        }
        Ok(read!(self, c => query(UsageBy::Day, what, days, None).build_query_as().fetch_all(c).await)?)
    }

    /// The calls of these groups day by day; days without any are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage_parts(
        &self,
        by: UsageBy,
        what: &UsageQuery,
        days: &[DaySpan],
        groups: &[Group],
    ) -> Result<Vec<Group>, StoreError> {
        let only = Only {
            ids: groups.iter().filter_map(|group| group.id).collect(),
            texts: groups.iter().filter_map(|group| group.text.clone()).collect(),
        };
        if days.is_empty() || only.ids.is_empty() && only.texts.is_empty() {
            return Ok(Vec::new());
        }
        let only = Some(&only);
        Ok(read!(self, c => query(by, what, days, only).build_query_as().fetch_all(c).await)?)
    }
}
