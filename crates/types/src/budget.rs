//! Budgets: what a member's calls may cost in a month and what a run may cost. They are reserved before a call.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::price::Price;
use crate::text_enum::text_enum;
use crate::{DateTime, MemberId};

/// The most that a budget may be, in micro-dollars: a million dollars.
pub const MOST: i64 = 1_000_000_000_000;

/// Until when a run waits that goes on when somebody lets it and not before: the last day that RFC 3339 can write.
pub fn never() -> DateTime {
    NaiveDate::from_ymd_opt(9999, 12, 31)
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .unwrap_or(chrono::NaiveDateTime::MAX)
        .and_utc()
}

text_enum! {
    /// Which budget a run waits for.
    pub enum BudgetKind {
        /// Its own.
        Run = "run",
        /// Its member's for this month.
        Month = "month",
    }
}

/// The team's budgets, in micro-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Budgets {
    /// What the calls of each member may cost in a month, unless an admin gave the member another budget. Nothing means
    /// that there is no such budget.
    pub month_micros: Option<i64>,
}

/// A member's budgets, where they are not the team's, in micro-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct MemberBudget {
    /// What an admin gave, in place of the team's.
    pub given_micros: Option<i64>,
    /// What the member set, which only ever makes it less.
    pub own_micros: Option<i64>,
}

impl MemberBudget {
    /// Whether it is the member's own that holds, which nobody else can raise.
    pub fn is_own(&self, team: Budgets) -> bool {
        let given = self.given_micros.or(team.month_micros);
        self.own_micros.is_some_and(|own| given.is_none_or(|given| own < given))
    }

    /// What holds: the lower one of what the team gives and what the member wants.
    pub fn cap(&self, team: Budgets) -> Option<i64> {
        let given = self.given_micros.or(team.month_micros);
        match (given, self.own_micros) {
            (Some(given), Some(own)) => Some(given.min(own)),
            (given, own) => given.or(own),
        }
    }
}

/// How a member's month stands, in micro-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthStanding {
    /// The member.
    pub member_id: MemberId,
    /// What the member's calls may cost this month; nothing when there is no budget.
    pub cap_micros: Option<i64>,
    /// What an admin gave, in place of the team's.
    pub given_micros: Option<i64>,
    /// What the member set.
    pub own_micros: Option<i64>,
    /// What the calls of this month have cost.
    pub spent_micros: i64,
    /// What the calls under way may cost at most.
    pub reserved_micros: i64,
    /// When the next month begins.
    pub resets_at: DateTime,
}

/// A calendar month in UTC. It is the same for everybody, so that nobody moves it by another time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// Its first moment.
    pub begins: DateTime,
    /// The first moment of the next.
    pub ends: DateTime,
}

impl Month {
    /// The month of a moment.
    pub fn of(at: DateTime) -> Self {
        let first = |year, month| {
            let day = NaiveDate::from_ymd_opt(year, month, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
            day.map_or(at, |day| day.and_utc())
        };
        let (year, month) = (at.year(), at.month());
        let next = if month == 12 { first(year + 1, 1) } else { first(year, month + 1) };
        Self { begins: first(year, month), ends: next }
    }
}

/// What a call needs, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What it says, at most.
    pub input: i64,
    /// What the answer may have.
    pub output: i64,
    /// With less than this for the answer it is not worth making.
    pub least_output: i64,
}

/// How much of a call there is money for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Tokens that the answer may have.
    pub output: i64,
    /// What it may cost at most, in micro-dollars.
    pub micros: i64,
}

/// How much of a call fits into what is `left`, in micro-dollars; nothing when too little does. What costs nothing always
/// fits.
pub fn fit(price: &Price, need: &Need, left: i64) -> Option<Fit> {
    let whole = price.most_micros(need.input, need.output);
    if whole == 0 || whole <= left {
        return Some(Fit { output: need.output, micros: whole });
    }
    let output = price.output_within(left, need.input).min(need.output);
    (output >= need.least_output.max(1)).then(|| Fit { output, micros: price.most_micros(need.input, output) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_the_calendars() {
        let at = |text: &str| text.parse::<DateTime>().unwrap();
        for (moment, begins, ends) in [
            ("2026-11-30T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            assert_eq!(Month::of(at(moment)), Month { begins: at(begins), ends: at(ends) });
        }
        assert_eq!(serde_json::to_string(&never()).unwrap(), "\"9999-12-31T00:00:00Z\"");
    }

    #[test]
    fn a_member_makes_it_less_and_never_more() {
        let budget = |given_micros, own_micros| MemberBudget { given_micros, own_micros };
        let team = Budgets { month_micros: Some(10) };
        assert_eq!(budget(None, None).cap(team), Some(10));
        assert_eq!(budget(Some(20), None).cap(team), Some(20));
        assert_eq!(budget(Some(20), Some(15)).cap(team), Some(15));
        assert_eq!(budget(None, Some(15)).cap(team), Some(10));
        assert_eq!(budget(None, Some(15)).cap(Budgets::default()), Some(15));
        assert_eq!(budget(None, None).cap(Budgets::default()), None);
        assert!(budget(Some(20), Some(15)).is_own(team) && budget(None, Some(15)).is_own(Budgets::default()));
        assert!(!budget(None, Some(15)).is_own(team) && !budget(Some(15), Some(15)).is_own(team));
    }

    #[test]
    fn a_smaller_answer_is_had_for_what_is_left_down_to_a_floor() {
        let price = Price { input: 1_000_000, output: 2_000_000, ..Price::FREE };
        let need = Need { input: 100, output: 1_000, least_output: 200 };
        assert_eq!(fit(&price, &need, 2_100), Some(Fit { output: 1_000, micros: 2_100 }));
        assert_eq!(fit(&price, &need, 2_099), Some(Fit { output: 999, micros: 2_098 }));
        assert_eq!(fit(&price, &need, 500), Some(Fit { output: 200, micros: 500 }));
        assert_eq!(fit(&price, &need, 499), None);
        assert_eq!(fit(&price, &need, -5), None);
        assert_eq!(fit(&Price::FREE, &need, -5), Some(Fit { output: 1_000, micros: 0 }), "what is free goes on");
    }
}
