//! When a report is due.

use chrono::{Duration, NaiveTime};

use super::ReportCause;
use crate::DateTime;
use crate::auto::{AutoOrder, OrderState};
use crate::window::{last_time_of_day, time_of_day};

/// When a member is told in the morning who has not said otherwise.
pub const MORNING: &str = "07:00";
/// How long a report waits, after a window has closed, for what is being finished.
const FINISHING: Duration = Duration::minutes(30);
/// How long nothing happens before auto mode, still switched on, counts as at rest.
const QUIET: Duration = Duration::minutes(15);
/// What was told so long before a morning was told of that morning's night.
const NIGHT: Duration = Duration::hours(12);

/// What is known of a member's auto mode when it is asked whether a report is due.
#[derive(Debug, Clone)]
pub struct Shift {
    /// Up to when the member was told.
    pub told_until: Option<DateTime>,
    /// When the first of the runs that the member was not told of was started; nothing when there is none.
    pub since: Option<DateTime>,
    /// When the latest of them ended, if one has.
    pub ended: Option<DateTime>,
    /// Whether one of them works, or waits for a place or for its provider. One that rests does not.
    pub at_work: bool,
    /// Whether an order could start a card now, or could if there were a place.
    pub may_start: bool,
    /// The member's orders, also those that are switched off.
    pub orders: Vec<AutoOrder>,
    /// The member's time zone.
    pub zone: Option<String>,
    /// When the member wants to be told in the morning, such as `07:00`.
    pub morning: String,
}

/// A report that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Why.
    pub cause: ReportCause,
    /// From when on it tells.
    pub from: DateTime,
}

impl Shift {
    /// Whether a report is due.
    ///
    /// An occasion (a window that closes, a morning) counts once: only if it lies after what was told and after the first
    /// thing that there is to tell. So neither a restart nor a clock that is put back makes a second report of it. What ended
    /// is told once because whoever tells it marks it.
    pub fn due(&self, now: DateTime) -> Option<Due> {
        let of_work = self.since.and_then(|since| self.of_work(since, now));
        of_work.or_else(|| self.of_nothing(now).filter(|_| !self.at_work && self.ended.is_none()))
    }

    /// Whether what was worked on is to be told.
    fn of_work(&self, since: DateTime, now: DateTime) -> Option<Due> {
        let from = self.told_until.map_or(since, |told| told.max(since));
        let due = |cause| Some(Due { cause, from: from.min(now) });
        let new = |moment: &DateTime| *moment > from && *moment <= now;
        let working = self.orders.iter().filter(|order| order.state != OrderState::Off);
        let closed = working
            .filter_map(|order| order.window.as_ref()?.last_closed(now).ok().flatten())
            .filter(|closed| new(closed))
            .max();
        if let Some(closed) = closed {
            // A morning that comes meanwhile is told with it.
            let over = !self.at_work || now >= closed + FINISHING;
            return due(ReportCause::WindowClosed).filter(|_| over);
        }
        if let Some(ended) = self.ended
            && !self.at_work
            && !self.may_start
        {
            let any = |state| self.orders.iter().any(|order| order.state == state);
            match (any(OrderState::On), any(OrderState::Paused)) {
                (false, true) => return due(ReportCause::Paused),
                (false, false) => return due(ReportCause::Stopped),
                (true, _) if now >= ended + QUIET => return due(ReportCause::Rest),
                (true, _) => {}
            }
        }
        let morning = last_time_of_day(self.zone.as_deref(), morning_of(&self.morning), now);
        match new(&morning) && (self.at_work || self.ended.is_some()) {
            true => due(ReportCause::Morning),
            false => None,
        }
    }

    /// Whether a night is over in which nothing came to an end and nothing is at work: that of a window, when it has closed;
    /// of an order whose window is open in the morning, then. Not when something was told in it.
    fn of_nothing(&self, now: DateTime) -> Option<Due> {
        let on = || self.orders.iter().filter(|order| order.state == OrderState::On);
        // A night counts for those orders that were on in it, and not for what was begun after it.
        let after = |moment, order: &AutoOrder| moment > self.since.unwrap_or_default().max(order.changed_at);
        let untold = |since: &DateTime| self.told_until.is_none_or(|told| told <= *since);
        let closed = on().filter_map(|order| {
            let window = order.window.as_ref()?;
            let closed = window.last_closed(now).ok().flatten().filter(|closed| after(*closed, order))?;
            window.opened(closed - Duration::seconds(1)).ok().flatten()
        });
        if let Some(from) = closed.filter(untold).max() {
            return Some(Due { cause: ReportCause::WindowClosed, from });
        }
        let morning = last_time_of_day(self.zone.as_deref(), morning_of(&self.morning), now);
        let open = on().any(|order| after(morning, order) && order.standing(morning).open);
        let from = Some(morning - NIGHT).filter(untold).filter(|_| open)?;
        Some(Due { cause: ReportCause::Morning, from })
    }
}

/// The time of the day that a text names; the usual morning where it names none.
pub fn morning_of(text: &str) -> NaiveTime {
    time_of_day(text).or_else(|_| time_of_day(MORNING)).unwrap_or(NaiveTime::MIN)
}
