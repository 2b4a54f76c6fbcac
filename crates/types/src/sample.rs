//! What nodes and members used, over time: one sample a minute, and those of longer spans made of them.
//!
//! A level, such as memory, keeps its mean and its highest value; an amount, such as tokens, its sum. Of a member there is no
//! sample of a minute in which nothing was used, so a longer span counts the minutes that have none as nothing.

use chrono::{Duration, DurationRound};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::DateTime;
use crate::reading::Reading;
use crate::text_enum::text_enum;

/// What one sample stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Span {
    /// One minute, kept for a day.
    Minute,
    /// Ten minutes, kept for a week.
    TenMinutes,
    /// An hour, kept for a year.
    Hour,
    /// A day, kept for a year.
    Day,
}

impl Span {
    /// Every span, the shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::TenMinutes, Self::Hour, Self::Day];

    /// Its length in seconds, which is how the database names it.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::TenMinutes => 600,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// For how long its samples are kept.
    pub const fn kept(self) -> Duration {
        match self {
            Self::Minute => Duration::days(1),
            Self::TenMinutes => Duration::days(7),
            Self::Hour | Self::Day => Duration::days(365),
        }
    }

    /// The span of whose samples this one's are made.
    pub const fn made_of(self) -> Option<Self> {
        match self {
            Self::Minute => None,
            Self::TenMinutes => Some(Self::Minute),
            Self::Hour => Some(Self::TenMinutes),
            Self::Day => Some(Self::Hour),
        }
    }

    /// Where the span begins in which `at` is.
    pub fn begin(self, at: DateTime) -> DateTime {
        floor(at, Duration::seconds(self.seconds()))
    }
}

/// The last whole multiple of `by` before `at`, or `at` itself.
fn floor(at: DateTime, by: Duration) -> DateTime {
    at.duration_trunc(by).unwrap_or(at)
}

text_enum! {
    /// Over how long samples are shown.
    pub enum SampleRange {
        /// The last hour, by the minute.
        Hour = "hour",
        /// The last day, by ten minutes.
        Day = "day",
        /// The last seven days, by the hour.
        Week = "week",
        /// The last thirty days, by four hours.
        Month = "month",
        /// The last 364 days, by two days.
        Year = "year",
    }
}

impl SampleRange {
    /// How far back it reaches.
    pub const fn length(self) -> Duration {
        match self {
            Self::Hour => Duration::hours(1),
            Self::Day => Duration::days(1),
            Self::Week => Duration::days(7),
            Self::Month => Duration::days(30),
            Self::Year => Duration::days(364),
        }
    }

    /// Of which samples it is shown.
    pub const fn span(self) -> Span {
        match self {
            Self::Hour => Span::Minute,
            Self::Day => Span::TenMinutes,
            Self::Week | Self::Month => Span::Hour,
            Self::Year => Span::Day,
        }
    }

    /// Seconds between two points of it.
    pub const fn step(self) -> i64 {
        match self {
            Self::Month => 4 * 3_600,
            Self::Year => 2 * 86_400,
            other => other.span().seconds(),
        }
    }

    /// Its first moment, when `now` is in its last step.
    pub fn begins(self, now: DateTime) -> DateTime {
        self.point(now) - self.length() + Duration::seconds(self.step())
    }

    /// The point to which a sample of `at` belongs.
    pub fn point(self, at: DateTime) -> DateTime {
        floor(at, Duration::seconds(self.step()))
    }
}

/// Something that is now more and now less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SampleLevel)]
pub struct Level {
    /// Its mean over the time.
    pub mean: f64,
    /// The most that it was.
    pub max: f64,
}

impl Level {
    /// What stood still.
    pub const fn of(value: f64) -> Self {
        Self { mean: value, max: value }
    }

    /// Two that are there at the same time. The highest value of both together was perhaps less than this says: they need
    /// not have been highest at the same moment.
    fn beside(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, max: self.max + other.max }
    }
}

/// Levels one after the other, each with its minutes, within `minutes` in all.
fn level(parts: impl Iterator<Item = (Option<Level>, i64)>, minutes: i64) -> Option<Level> {
    let known = parts.filter_map(|(level, minutes)| Some((level?, minutes)));
    let mut all: Option<Level> = None;
    for (level, minutes) in known {
        let sum = all.get_or_insert_default();
        sum.mean += level.mean * minutes as f64;
        sum.max = sum.max.max(level.max);
    }
    all.map(|sum| Level { mean: sum.mean / minutes.max(1) as f64, max: sum.max })
}

/// What can be put together to a sample of a longer span.
pub trait Figures: Sized {
    /// Of samples one after the other, each with the minutes that it stands for, and the minutes that have passed of the
    /// longer span.
    fn after_each_other(parts: &[(Self, i64)], passed: i64) -> Self;
}

/// How a node was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeFigures {
    /// Bytes of memory used, of the container or the machine.
    pub memory: Option<Level>,
    /// Bytes of memory that there were at last.
    pub memory_total: Option<i64>,
    /// Bytes of memory of the server's own process.
    pub process_memory: Option<Level>,
    /// Bytes of disk used.
    pub disk: Option<Level>,
    /// Bytes of disk that there were at last.
    pub disk_total: Option<i64>,
    /// The load average, for each processor: at 1 all of them are busy.
    pub load: Option<Level>,
    /// Runs at work on this node.
    pub active_runs: Option<Level>,
    /// Worktrees on its disk.
    pub worktrees: Option<Level>,
    /// Runs of the whole team that waited.
    pub queue_depth: Option<Level>,
    /// Milliseconds until the database gave a turn to write.
    pub database_millis: Option<Level>,
}

impl From<&Reading> for NodeFigures {
    fn from(reading: &Reading) -> Self {
        let whole = |value: i64| Level::of(value as f64);
        Self {
            memory: reading.memory.map(|memory| whole(memory.used)),
            memory_total: reading.memory.map(|memory| memory.total),
            process_memory: reading.process_memory.map(whole),
            disk: reading.disk.map(|disk| whole(disk.used)),
            disk_total: reading.disk.map(|disk| disk.total),
            load: reading.load.map(|load| Level::of(load / reading.processors.max(1) as f64)),
            active_runs: Some(whole(reading.active_runs)),
            worktrees: Some(whole(reading.worktrees)),
            queue_depth: reading.queue_depth.map(whole),
            database_millis: reading.database_millis.map(Level::of),
        }
    }
}

impl Figures for NodeFigures {
    /// Minutes without a sample say nothing: the server was not there.
    fn after_each_other(parts: &[(Self, i64)], _: i64) -> Self {
        let of = |what: fn(&Self) -> Option<Level>| {
            let known: Vec<(Option<Level>, i64)> =
                parts.iter().map(|(one, minutes)| (what(one), *minutes)).filter(|(level, _)| level.is_some()).collect();
            let minutes = known.iter().map(|(_, minutes)| minutes).sum();
            level(known.into_iter(), minutes)
        };
        let last = |what: fn(&Self) -> Option<i64>| parts.iter().rev().find_map(|(one, _)| what(one));
        Self {
            memory: of(|one| one.memory),
            memory_total: last(|one| one.memory_total),
            process_memory: of(|one| one.process_memory),
            disk: of(|one| one.disk),
            disk_total: last(|one| one.disk_total),
            load: of(|one| one.load),
            active_runs: of(|one| one.active_runs),
            worktrees: of(|one| one.worktrees),
            queue_depth: of(|one| one.queue_depth),
            database_millis: of(|one| one.database_millis),
        }
    }
}

/// What a member used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberFigures {
    /// Bytes of memory of the member's commands; absent where no control groups count it.
    pub memory: Option<Level>,
    /// Processes and threads of the member's commands; absent where no control groups count them.
    pub processes: Option<Level>,
    /// Milliseconds of the processors' time that the member's commands took.
    pub processor_millis: i64,
    /// Bytes on the disk: the member's worktrees with all that was built in them, and what tools keep for the member.
    pub disk: Option<Level>,
    /// Worktrees on the disk.
    pub worktrees: Option<Level>,
    /// Runs at work.
    pub agents: Option<Level>,
    /// Tokens of all kinds that the ledger has.
    pub tokens: i64,
    /// Their cost, in micro-dollars.
    pub cost_micros: i64,
}

impl MemberFigures {
    /// Whether nothing was used.
    pub fn is_nothing(&self) -> bool {
        let levels = [self.memory, self.processes, self.disk, self.worktrees, self.agents];
        let amounts = [self.processor_millis, self.tokens, self.cost_micros];
        levels.iter().flatten().all(|level| level.max == 0.0) && amounts.iter().all(|amount| *amount == 0)
    }

    /// What was used on two nodes in the same time.
    #[must_use]
    pub fn beside(self, other: &Self) -> Self {
        let of = |one: Option<Level>, other: Option<Level>| match (one, other) {
            (Some(one), Some(other)) => Some(one.beside(other)),
            (one, other) => one.or(other),
        };
        Self {
            memory: of(self.memory, other.memory),
            processes: of(self.processes, other.processes),
            processor_millis: self.processor_millis + other.processor_millis,
            disk: of(self.disk, other.disk),
            worktrees: of(self.worktrees, other.worktrees),
            agents: of(self.agents, other.agents),
            tokens: self.tokens + other.tokens,
            cost_micros: self.cost_micros + other.cost_micros,
        }
    }
}

impl Figures for MemberFigures {
    fn after_each_other(parts: &[(Self, i64)], passed: i64) -> Self {
        let of = |what: fn(&Self) -> Option<Level>| level(parts.iter().map(|(one, n)| (what(one), *n)), passed);
        let sum = |what: fn(&Self) -> i64| parts.iter().map(|(one, _)| what(one)).sum::<i64>();
        Self {
            memory: of(|one| one.memory),
            processes: of(|one| one.processes),
            processor_millis: sum(|one| one.processor_millis),
            disk: of(|one| one.disk),
            worktrees: of(|one| one.worktrees),
            agents: of(|one| one.agents),
            tokens: sum(|one| one.tokens),
            cost_micros: sum(|one| one.cost_micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    fn busy(memory: f64, tokens: i64) -> MemberFigures {
        MemberFigures { memory: Some(Level::of(memory)), tokens, ..MemberFigures::default() }
    }

    #[test]
    fn a_members_idle_minutes_count_as_nothing() {
        let parts = [(busy(600.0, 5), 1), (busy(200.0, 7), 1)];
        let ten = MemberFigures::after_each_other(&parts, 10);
        assert_eq!((ten.memory, ten.tokens), (Some(Level { mean: 80.0, max: 600.0 }), 12));
        // An hour of which half has passed, made of spans of ten minutes of which two are empty.
        let hour = MemberFigures::after_each_other(&[(ten, 10)], 30);
        assert_eq!(hour.memory.map(|level| (level.mean * 30.0).round()), Some(800.0));
        assert_eq!((hour.memory.map(|level| level.max), hour.tokens), (Some(600.0), 12));
        assert_eq!(hour.processes, None, "what no host counts is not nothing");
    }

    #[test]
    fn a_nodes_absent_minutes_say_nothing() {
        let node = |memory: f64, total| NodeFigures {
            memory: Some(Level::of(memory)),
            memory_total: Some(total),
            ..NodeFigures::default()
        };
        let long = NodeFigures::after_each_other(&[(node(100.0, 1), 9), (node(200.0, 2), 1)], 60);
        assert_eq!((long.memory, long.memory_total), (Some(Level { mean: 110.0, max: 200.0 }), Some(2)));
        // A minute in which the database was away does not lower what it took in the others.
        let slow = NodeFigures { database_millis: Some(Level::of(8.0)), ..NodeFigures::default() };
        let both = NodeFigures::after_each_other(&[(slow, 1), (NodeFigures::default(), 1)], 10);
        assert_eq!(both.database_millis, Some(Level::of(8.0)));
    }

    #[test]
    fn what_is_used_on_two_nodes_adds_up() {
        let both = busy(1.0, 2).beside(&MemberFigures { disk: Some(Level::of(9.0)), ..busy(3.0, 4) });
        assert_eq!((both.memory, both.disk, both.tokens), (Some(Level::of(4.0)), Some(Level::of(9.0)), 6));
        assert!(!both.is_nothing() && busy(0.0, 0).is_nothing() && !busy(0.0, 1).is_nothing());
    }

    #[test]
    fn ranges_have_few_points_all_of_which_are_kept() {
        let now = at("2026-11-26T04:27:31.5Z");
        assert_eq!(Span::TenMinutes.begin(now), at("2026-11-26T04:20:00Z"));
        for range in SampleRange::ALL {
            let points = range.length().num_seconds() / range.step();
            assert!((60..=200).contains(&points), "{range}: {points}");
            assert!(range.span().kept() >= range.length() && range.step() % range.span().seconds() == 0, "{range}");
            assert_eq!((now - range.begins(now)).num_seconds() / range.step(), points - 1, "{range}");
            assert_eq!(range.point(range.begins(now)), range.begins(now), "{range}");
        }
    }
}
