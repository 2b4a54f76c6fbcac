//! Windows of time: hours of the week, in somebody's own time zone, in which auto mode works.

use std::str::FromStr;

use chrono::{Datelike, Days, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, text_enum::text_enum};

text_enum! {
    /// A day of the week.
    pub enum Day {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

/// When auto mode works. A window that ends no later than it begins goes on into the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// The days on which it opens.
    pub days: Vec<Day>,
    /// When it opens, such as `22:00`.
    pub from: String,
    /// When it closes, such as `07:00`; the same as `from` means a whole day.
    pub until: String,
    /// The time zone of both, by its IANA name, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// Whether a window is open, and when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is open.
    pub open: bool,
    /// When it closes or opens next; nothing when it never does.
    pub changes_at: Option<DateTime>,
}

/// What is wrong with a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// No day.
    #[error("name at least one day of the week")]
    NoDay,
    /// No time of the day.
    #[error("`{0}` is no time of the day; write it such as 22:00")]
    BadTime(String),
    /// No time zone.
    #[error("`{0}` is no time zone; give its IANA name, such as Europe/Berlin")]
    BadZone(String),
}

/// Days that are looked at around a moment: every window of a week opens within them.
const BEFORE: u64 = 3;
const AFTER: u64 = 9;
/// Minutes for which a clock may be put forward at most: some islands have skipped a whole day.
const LONGEST_GAP: i64 = 25 * 60;

impl Window {
    /// Refuses a window that never opens or that cannot be understood.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), BadWindow> {
        if self.days.is_empty() {
            return Err(BadWindow::NoDay);
        }
        self.read().map(|_| ())
    }

    fn read(&self) -> Result<(NaiveTime, NaiveTime, Tz), BadWindow> {
        let zone = Tz::from_str(&self.time_zone).map_err(|_| BadWindow::BadZone(self.time_zone.clone()))?;
        Ok((time_of_day(&self.from)?, time_of_day(&self.until)?, zone))
    }

    /// Whether it is open at this moment, and when that changes. Where the clock is put forward over its beginning or its
    /// end, the first moment after counts; an hour that comes twice belongs to it both times.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn standing(&self, at: DateTime) -> Result<Standing, BadWindow> {
        let spans = self.spans(at, BEFORE, AFTER)?;
        // What goes on beyond the days that were looked at goes on for ever.
        let changes_at = |moment: DateTime| (moment < at + Duration::days(8)).then_some(moment);
        Ok(match spans.iter().find(|(_, ends)| *ends > at) {
            Some((begins, ends)) if *begins <= at => Standing { open: true, changes_at: changes_at(*ends) },
            Some((begins, _)) => Standing { open: false, changes_at: Some(*begins) },
            None => Standing { open: false, changes_at: None },
        })
    }

    /// When it last closed, within the last week; nothing when it has not.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn last_closed(&self, at: DateTime) -> Result<Option<DateTime>, BadWindow> {
        let spans = self.spans(at, AFTER, BEFORE)?;
        let closed = spans.iter().rev().map(|(_, ends)| *ends).find(|ends| *ends <= at);
        Ok(closed.filter(|closed| *closed > at - Duration::days(8)))
    }

    /// When it opened, if it is open.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn opened(&self, at: DateTime) -> Result<Option<DateTime>, BadWindow> {
        let spans = self.spans(at, AFTER, 1)?;
        Ok(spans.iter().find(|(begins, ends)| *begins <= at && at < *ends).map(|(begins, _)| *begins))
    }

    /// When it is open, from so many days before a moment to so many after it, in order; what joins is one.
    fn spans(&self, at: DateTime, before: u64, after: u64) -> Result<Vec<(DateTime, DateTime)>, BadWindow> {
        let (from, until, zone) = self.read()?;
        let today = at.with_timezone(&zone).date_naive();
        let first = today.checked_sub_days(Days::new(before)).unwrap_or(today);
        let last = today.checked_add_days(Days::new(after)).unwrap_or(today);
        let mut spans: Vec<(DateTime, DateTime)> = Vec::new();
        for date in first.iter_days().take_while(|date| *date <= last) {
            if !self.days.contains(&day_of(date)) {
                continue;
            }
            let end = if until <= from { date.succ_opt().unwrap_or(date) } else { date };
            let begins = moment(&zone, date.and_time(from), Twice::First);
            let ends = moment(&zone, end.and_time(until), Twice::Second);
            match spans.last_mut() {
                // One that begins where another ends does not close in between.
                Some(before) if before.1 >= begins => before.1 = before.1.max(ends),
                _ if begins < ends => spans.push((begins, ends)),
                _ => {}
            }
        }
        Ok(spans)
    }
}

/// The latest moment up to `at` at which a clock in this zone showed this time of the day. On a day on which the clock
/// leaves it out, the first moment after counts; where it comes twice, the first. An unknown zone counts as UTC.
pub fn last_time_of_day(zone: Option<&str>, time: NaiveTime, at: DateTime) -> DateTime {
    let zone = zone.and_then(|zone| Tz::from_str(zone).ok()).unwrap_or(Tz::UTC);
    let today = at.with_timezone(&zone).date_naive();
    let shown = |days| Some(moment(&zone, today.checked_sub_days(Days::new(days))?.and_time(time), Twice::First));
    // Of three days: some islands have left out a whole one.
    (0..3).filter_map(shown).find(|moment| *moment <= at).unwrap_or(at)
}

/// The next moment after `at` at which a clock in this zone shows this time of the day, as [`last_time_of_day`] counts.
pub fn next_time_of_day(zone: Option<&str>, time: NaiveTime, at: DateTime) -> DateTime {
    let zone = zone.and_then(|zone| Tz::from_str(zone).ok()).unwrap_or(Tz::UTC);
    let today = at.with_timezone(&zone).date_naive();
    let shown = |days| Some(moment(&zone, today.checked_add_days(Days::new(days))?.and_time(time), Twice::First));
    (0..3).filter_map(shown).find(|moment| *moment > at).unwrap_or(at)
}

/// A time of the day such as `07:00`.
///
/// # Errors
/// [`BadWindow::BadTime`].
pub fn time_of_day(text: &str) -> Result<NaiveTime, BadWindow> {
    let whole = text.len() == 5;
    let read = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| whole);
    read.ok_or_else(|| BadWindow::BadTime(text.to_owned()))
}

/// A moment as a clock in this zone shows it to somebody who looks at `now`: `02:14` within the next half a day, `Mon 02:14`
/// within the week, the date otherwise. Without a zone it is UTC, and says so.
pub fn shown_at(zone: Option<&str>, at: DateTime, now: DateTime) -> String {
    let known = zone.and_then(|zone| Tz::from_str(zone).ok());
    let local = at.with_timezone(&known.unwrap_or(Tz::UTC));
    let ahead = (at - now).abs();
    let form = if ahead < Duration::hours(12) {
        "%H:%M"
    } else if ahead < Duration::days(6) {
        "%a %H:%M"
    } else {
        "%-d %b %H:%M"
    };
    let suffix = if known.is_some() { "" } else { " UTC" };
    format!("{}{suffix}", local.format(form))
}

fn day_of(date: NaiveDate) -> Day {
    Day::ALL[date.weekday().num_days_from_monday() as usize]
}

/// Which of two moments that the clock shows alike.
#[derive(Clone, Copy)]
pub(crate) enum Twice {
    First,
    Second,
}

/// The moment at which a clock of this zone shows `local`.
pub(crate) fn moment(zone: &Tz, local: NaiveDateTime, twice: Twice) -> DateTime {
    for minutes in 0..=LONGEST_GAP {
        match (zone.from_local_datetime(&(local + Duration::minutes(minutes))), twice) {
            (LocalResult::Single(found), _)
            | (LocalResult::Ambiguous(found, _), Twice::First)
            | (LocalResult::Ambiguous(_, found), Twice::Second) => return found.with_timezone(&Utc),
            (LocalResult::None, _) => {}
        }
    }
    local.and_utc()
}

#[cfg(test)]
mod tests;
