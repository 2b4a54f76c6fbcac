//! What the calls took and cost, added up.

use std::str::FromStr;

use chrono::{Days, NaiveDate, NaiveTime};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::DateTime;
use crate::text_enum::text_enum;
use crate::window::{Twice, moment};

/// Days that one question may span.
pub const DAYS: i64 = 366;
/// Groups that are told one by one.
pub const GROUPS: i64 = 50;
/// Groups that are told day by day.
pub const STACKED: usize = 8;

text_enum! {
    /// By what the calls are added up.
    pub enum UsageBy {
        /// Whose runs they were made for.
        Member = "member",
        /// With whose key.
        Key = "key",
        /// In which project.
        Project = "project",
        /// For which card.
        Feature = "feature",
        /// Which model answered.
        Model = "model",
        /// On which day.
        Day = "day",
    }
}

/// Calls, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// How many.
    pub calls: i64,
    /// How many of them no price is known for: their tokens count, their cost does not.
    pub unpriced_calls: i64,
    /// Input tokens billed in full.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// Input tokens read from the cache.
    pub cache_read_tokens: i64,
    /// Input tokens written to the cache.
    pub cache_write_tokens: i64,
    /// The cost, in micro-dollars.
    pub cost_micros: i64,
}

impl Sums {
    /// What is left of these when those are taken away.
    #[must_use]
    pub fn without(self, part: &Self) -> Self {
        Self {
            calls: self.calls - part.calls,
            unpriced_calls: self.unpriced_calls - part.unpriced_calls,
            input_tokens: self.input_tokens - part.input_tokens,
            output_tokens: self.output_tokens - part.output_tokens,
            cache_read_tokens: self.cache_read_tokens - part.cache_read_tokens,
            cache_write_tokens: self.cache_write_tokens - part.cache_write_tokens,
            cost_micros: self.cost_micros - part.cost_micros,
        }
    }
}

/// A day as a member's clock has it, from its first moment to that of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySpan {
    /// The day.
    pub day: NaiveDate,
    /// Its first moment.
    pub begins: DateTime,
    /// The first moment of the next.
    pub ends: DateTime,
}

/// The days from `from` to `to`, both of them too, as a clock in `zone` has them; in UTC where the zone is unknown. Days
/// on which the clock is changed have 23 or 25 hours.
pub fn days(from: NaiveDate, to: NaiveDate, zone: &str) -> Vec<DaySpan> {
    let zone = Tz::from_str(zone).unwrap_or(Tz::UTC);
    let first = |day: NaiveDate| moment(&zone, day.and_time(NaiveTime::MIN), Twice::First);
    let next = |day: NaiveDate| day.checked_add_days(Days::new(1)).unwrap_or(day);
    from.iter_days()
        .take_while(|day| *day <= to)
        .take(DAYS as usize)
        .map(|day| DaySpan { day, begins: first(day), ends: first(next(day)) })
        .collect()
}

/// The day that a clock in `zone` shows; in UTC where the zone is unknown.
pub fn day_in(at: DateTime, zone: &str) -> NaiveDate {
    at.with_timezone(&Tz::from_str(zone).unwrap_or(Tz::UTC)).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_follow_each_other_also_when_the_clock_is_changed() {
        let days = days(date("2026-10-24"), date("2026-10-26"), "Europe/Berlin");
        assert_eq!(days.len(), 3);
        assert_eq!(days[0].begins.to_rfc3339(), "2026-10-23T22:00:00+00:00");
        assert!(days.windows(2).all(|two| two[0].ends == two[1].begins));
        assert_eq!((days[1].ends - days[1].begins).num_hours(), 25);
        assert_eq!((days[2].ends - days[2].begins).num_hours(), 24);
        assert_eq!(day_in(days[0].begins, "Europe/Berlin"), date("2026-10-24"));
    }

    #[test]
    fn a_question_has_no_more_days_than_it_may() {
        assert_eq!(days(date("2020-01-01"), date("2026-01-01"), "UTC").len(), DAYS as usize);
        assert!(days(date("2026-01-02"), date("2026-01-01"), "UTC").is_empty());
        assert_eq!(
            days(date("2026-01-01"), date("2026-01-01"), "Nowhere/Else")[0].begins.to_rfc3339(),
            "2026-01-01T00:00:00+00:00"
        );
    }
}
