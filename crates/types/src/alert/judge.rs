//! What follows from what was measured.

use std::collections::BTreeMap;

use super::{AlertKind, AlertLevel, Thresholds};
use crate::DateTime;

/// A figure as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Of what kind.
    pub kind: AlertKind,
    /// Of what: see [`super::Alert::subject`].
    pub subject: String,
    /// The same for people.
    pub about: String,
    /// In the unit of the kind.
    pub value: i64,
}

/// An alert that is open, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Of what kind.
    pub kind: AlertKind,
    /// Of what.
    pub subject: String,
    /// How bad it is.
    pub level: AlertLevel,
}

/// Since when a value is beyond each threshold, and since when it is better: warning and critical.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Trace {
    beyond: [Option<DateTime>; 2],
    better: [Option<DateTime>; 2],
}

/// What whoever measures remembers from one time to the next. What it forgets makes an alert last longer, and no second one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces(BTreeMap<(AlertKind, String), Trace>);

/// What comes of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// An alert is raised, at this level.
    Raised(AlertLevel),
    /// The one that is open is critical now.
    Worsened,
    /// The one that is open is a warning now.
    Eased,
    /// The one that is open is over.
    Cleared,
    /// The one that is open stands as it is.
    Stands,
}

/// What comes of a figure, and of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The figure.
    pub measured: Measured,
    /// What comes of it.
    pub verdict: Verdict,
}

impl Trace {
    fn note(&mut self, kind: AlertKind, weight: i64, thresholds: &Thresholds, now: DateTime) {
        let of = thresholds.of(kind);
        for (place, level) in AlertLevel::ALL.iter().enumerate() {
            let threshold = of.at(*level);
            let mark = |since: &mut Option<DateTime>, holds: bool| {
                *since = if holds { since.or(Some(now)) } else { None };
            };
            mark(&mut self.beyond[place], weight >= kind.weight(threshold));
            mark(&mut self.better[place], weight <= kind.better(threshold));
        }
    }
}

/// Says what comes of what was measured at this moment, beside the alerts that are open. What is fine and was fine is not
/// named; of what was not measured nothing is said, and what was remembered of it is forgotten.
///
/// A value raises an alert at the threshold, and is over only when it has been some way below it for a while: so a value
/// that swings around a threshold makes one alert, and one that is raised is told once.
pub fn judge(
    measured: &[Measured],
    thresholds: &Thresholds,
    open: &[Open],
    traces: &mut Traces,
    now: DateTime,
) -> Vec<Judged> {
    let mut worst: BTreeMap<(AlertKind, String), &Measured> = BTreeMap::new();
    for one in measured {
        let known = worst.entry((one.kind, one.subject.clone())).or_insert(one);
        if one.kind.weight(one.value) > one.kind.weight(known.value) {
            *known = one;
        }
    }
    traces.0.retain(|key, _| worst.contains_key(key));
    let mut judged = Vec::new();
    for (key, one) in worst {
        let kind = one.kind;
        let level = open.iter().find(|open| open.kind == kind && open.subject == one.subject).map(|open| open.level);
        let trace = traces.0.entry(key).or_default();
        trace.note(kind, kind.weight(one.value), thresholds, now);
        let [warning, critical] = trace.beyond.map(|since| since.is_some_and(|since| now - since >= kind.patience()));
        let rested = trace.better[0].is_some_and(|since| now - since >= kind.rest());
        let eased = trace.better[1].is_some_and(|since| now - since >= kind.ease());
        let verdict = match level {
            None if critical => Verdict::Raised(AlertLevel::Critical),
            None if warning => Verdict::Raised(AlertLevel::Warning),
            None => continue,
            Some(AlertLevel::Warning) if critical => Verdict::Worsened,
            Some(_) if rested => Verdict::Cleared,
            Some(AlertLevel::Critical) if eased => Verdict::Eased,
            Some(_) => Verdict::Stands,
        };
        judged.push(Judged { measured: one.clone(), verdict });
    }
    judged
}
