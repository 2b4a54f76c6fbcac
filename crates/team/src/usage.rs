//! What the calls took and cost, as members see it.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use guildhall_store::{Group, UsageQuery};
use guildhall_types::member::ProviderKind;
use guildhall_types::usage::{self, DAYS, STACKED, Sums, UsageBy};
use guildhall_types::{MemberId, ProjectId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{By, Team, TeamError};

/// Days that are shown when nobody says which.
const USUAL: u64 = 30;

/// A question about the ledger.
#[derive(Debug, Clone, Copy)]
pub struct UsageAsked {
    /// The first day.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub to: Option<NaiveDate>,
    /// By what the calls are added up.
    pub by: UsageBy,
    /// Only in this project.
    pub project: Option<ProjectId>,
    /// Only of this member.
    pub member: Option<MemberId>,
}

/// Calls that have something in common.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageGroup {
    /// What they have in common, as a word that stays the same.
    pub key: String,
    /// The same for people.
    pub label: String,
    /// Where it belongs: a card's project, a model's provider.
    pub of: Option<String>,
    /// The member, the project or the card, or whose a key is.
    pub id: Option<String>,
    /// What they took and cost.
    #[serde(flatten)]
    pub sums: Sums,
}

/// A group's calls of a day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsagePart {
    /// The group's key.
    pub key: String,
    /// What they took and cost.
    #[serde(flatten)]
    pub sums: Sums,
}

/// The calls of a day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageDay {
    /// The day.
    pub day: NaiveDate,
    /// All of them.
    #[serde(flatten)]
    pub sums: Sums,
    /// Those of the first eight groups; what is missing belongs to others.
    pub parts: Vec<UsagePart>,
}

/// Whose calls an answer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum UsageOf {
    /// Everybody's.
    Team,
    /// One member's.
    Member,
}

/// What the calls of some days took and cost.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// By whose clock the days are.
    pub time_zone: String,
    /// By what the calls are added up.
    pub by: UsageBy,
    /// Whose calls these are.
    pub whose: UsageOf,
    /// All of them.
    pub total: Sums,
    /// The groups, the dearest first, fifty at most.
    pub groups: Vec<UsageGroup>,
    /// What belongs to none of these groups, because there are too many.
    pub others: Option<Sums>,
    /// Day by day, every day.
    pub days: Vec<UsageDay>,
}

impl Team {
    /// What the calls of some days took and cost, as the viewer may know it. Everybody sees the team's sums by project and by
    /// card, and otherwise their own; admins see everything. Days are those of the viewer's clock.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for days that cannot be.
    pub async fn usage(&self, by: By<'_>, asked: UsageAsked) -> Result<UsageView, TeamError> {
        let By { member: viewer, administers: admin } = by;
        let zone = viewer.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
        let to = asked.to.unwrap_or_else(|| usage::day_in(self.clock.now(), &zone));
        let from = asked.from.unwrap_or_else(|| to.checked_sub_days(Days::new(USUAL - 1)).unwrap_or(to));
        if from > to {
            return Err(TeamError::invalid("from", "give a day that is not after the last"));
        }
        if (to - from).num_days() >= DAYS {
            return Err(TeamError::invalid("from", format!("ask for {DAYS} days at most")));
        }
        let days = usage::days(from, to, &zone);
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Err(TeamError::invalid("from", "give days between the years 1 and 9999"));
        };
        let shared = matches!(asked.by, UsageBy::Project | UsageBy::Feature);
        let member = match asked.member {
            Some(member) if member != viewer.id && !admin => {
                return Err(TeamError::invalid(
                    "member",
                    "only admins see what another member's calls took; leave it out",
                ));
            }
            None if !admin && !shared => Some(viewer.id),
            asked => asked,
        };
        let what = UsageQuery { from: first.begins, to: last.ends, project: asked.project, member };
        let total = self.store.usage_total(&what).await?;
        let all_days = self.store.usage_days(&what, &days).await?;
        let (groups, parts) = match asked.by {
            UsageBy::Day => (Vec::new(), Vec::new()),
            by => {
                let groups = self.store.usage_groups(by, &what).await?;
                let told = groups.get(..STACKED).unwrap_or(&groups);
                let parts = self.store.usage_parts(by, &what, &days, told).await?;
                let told: Vec<String> = told.iter().map(key).collect();
                (groups, parts.into_iter().filter(|part| told.contains(&key(part))).collect())
            }
        };
        let mut of_day: HashMap<i64, (Sums, Vec<UsagePart>)> = HashMap::new();
        for day in &all_days {
            of_day.entry(day.day.unwrap_or_default()).or_default().0 = day.sums;
        }
        for part in &parts {
            let told = UsagePart { key: key(part), sums: part.sums };
            of_day.entry(part.day.unwrap_or_default()).or_default().1.push(told);
        }
        let days: Vec<UsageDay> = (0..)
            .zip(&days)
            .map(|(n, span)| {
                let (sums, parts) = of_day.remove(&n).unwrap_or_default();
                UsageDay { day: span.day, sums, parts }
            })
            .collect();
        let groups: Vec<UsageGroup> = match asked.by {
            UsageBy::Day => days.iter().rev().filter(|day| day.sums.calls > 0).map(of_one_day).collect(),
            by => groups.iter().map(|group| told(by, group)).collect(),
        };
        let others = groups.iter().fold(total, |rest, group| rest.without(&group.sums));
        Ok(UsageView {
            from,
            to,
            time_zone: zone,
            by: asked.by,
            whose: if member.is_some() { UsageOf::Member } else { UsageOf::Team },
            total,
            groups,
            others: (others.calls > 0).then_some(others),
            days,
        })
    }
}

fn of_one_day(day: &UsageDay) -> UsageGroup {
    let label = day.day.to_string();
    UsageGroup { key: label.clone(), label, of: None, id: None, sums: day.sums }
}

fn key(group: &Group) -> String {
    let id = group.id.map(|id| id.to_string());
    let parts: Vec<&str> = group.text.as_deref().into_iter().chain(id.as_deref()).collect();
    parts.join(":")
}

fn told(by: UsageBy, group: &Group) -> UsageGroup {
    let text = group.text.as_deref().unwrap_or_default();
    let gone = |name: &Option<String>| name.clone().unwrap_or_else(|| "Unknown".to_owned());
    let (label, of) = match by {
        UsageBy::Member => (gone(&group.member_name), None),
        UsageBy::Project => (gone(&group.project_name), None),
        UsageBy::Feature => {
            let number = group.feature_number.map_or_else(String::new, |number| format!("#{number} "));
            (format!("{number}{}", gone(&group.feature_title)), group.project_name.clone())
        }
        UsageBy::Model => match text.split_once('/') {
            Some((provider, model)) => (model.to_owned(), Some(provider_name(provider))),
            None => (text.to_owned(), None),
        },
        UsageBy::Key => {
            let mut parts = text.splitn(3, ':');
            let (source, provider, hint) =
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let whose = match source {
                "member" => format!("{}’s own", gone(&group.member_name)),
                "team" => "The team’s".to_owned(),
                _ => "Simulated, no key".to_owned(),
            };
            let ends = if hint.is_empty() { String::new() } else { format!(" …{hint}") };
            (format!("{whose}{ends}"), Some(provider_name(provider)))
        }
        UsageBy::Day => (text.to_owned(), None),
    };
    UsageGroup { key: key(group), label, of, id: group.id.map(|id| id.to_string()), sums: group.sums }
}

fn provider_name(word: &str) -> String {
    word.parse::<ProviderKind>().map_or_else(|_| word.to_owned(), |provider| provider.name().to_owned())
}
