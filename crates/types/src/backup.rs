//! Backups: when one is due, which are kept, and what is told of them.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use chrono::{Datelike, Duration, NaiveTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum::text_enum;
use crate::{BackupId, DateTime, MemberId};

text_enum! {
    /// What of the repositories a backup holds. Every row is in each.
    pub enum BackupKind {
        /// All of them.
        Full = "full",
        /// What is new since the backup before.
        Incremental = "incremental",
    }
}

text_enum! {
    /// What had a backup made.
    pub enum BackupCause {
        /// Its time had come.
        Schedule = "schedule",
        /// An admin, on the page or by the API.
        Member = "member",
        /// The command line.
        Command = "command",
    }
}

text_enum! {
    /// How a backup is, or came to be.
    pub enum BackupStatus {
        /// It is being made.
        Running = "running",
        /// It is there, whole.
        Done = "done",
        /// It was not made.
        Failed = "failed",
    }
}

/// A backup that was made, or was to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Names the try.
    pub id: BackupId,
    /// Names the backup at its destination, once it is there.
    pub name: Option<String>,
    /// What had it made.
    pub cause: BackupCause,
    /// Who asked for it, if a member did.
    pub member_id: Option<MemberId>,
    /// What of the repositories it holds, once it is there.
    pub kind: Option<BackupKind>,
    /// How it is.
    pub status: BackupStatus,
    /// Where it is: a folder, or a place in a bucket.
    pub destination: String,
    /// When it was begun: what it holds is how things were a moment later.
    pub started_at: DateTime,
    /// When it was there, or had failed.
    pub ended_at: Option<DateTime>,
    /// How much was written, in bytes.
    pub bytes: Option<i64>,
    /// Why it was not made.
    pub problem: Option<String>,
    /// The name of the one that it builds on, if it does.
    pub parent: Option<String>,
    /// When it was last restored into a scratch place and looked at.
    pub verified_at: Option<DateTime>,
    /// What was wrong then.
    pub verify_problem: Option<String>,
    /// Why it could not be looked at, when that was tried and has not been done yet.
    pub unchecked: Option<String>,
    /// Whether it is no longer where it was put: it was not to be kept, or somebody took it away.
    pub gone: bool,
    /// The name of one that it builds on, in which something wrong was found since it was last looked at itself: it cannot be
    /// relied on either.
    pub unsound_below: Option<String>,
}

impl Backup {
    /// Whether nothing wrong is known of it, nor of any that it builds on.
    pub fn is_sound(&self) -> bool {
        self.verify_problem.is_none() && self.unsound_below.is_none()
    }

    /// Whether it is there, whole, and nothing wrong is known of it.
    pub fn is_good(&self) -> bool {
        self.status == BackupStatus::Done && !self.gone && self.is_sound()
    }
}

/// What is known of a backup by looking at it, and at those that it builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Something wrong was found in it, or in one that it builds on.
    Unsound,
    /// Nobody has looked at it.
    Unknown,
    /// It was restored into a scratch place, and nothing was wrong.
    Sound,
}

/// Which backups are kept; what none of these asks for goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The latest so many.
    pub last: u32,
    /// The latest of each of so many days (UTC) on which one was made.
    pub days: u32,
    /// The latest of each of so many weeks (ISO 8601).
    pub weeks: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { last: 3, days: 7, weeks: 4 }
    }
}

impl FromStr for Keep {
    type Err = ();

    /// Reads such as `last 3, days 7, weeks 4`; what is absent is 0.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut keep = Self { last: 0, days: 0, weeks: 0 };
        for part in text.split(',') {
            let (word, number) = part.trim().split_once(' ').ok_or(())?;
            let number: u32 = number.trim().parse().map_err(|_| ())?;
            *match word {
                "last" => &mut keep.last,
                "days" => &mut keep.days,
                "weeks" => &mut keep.weeks,
                _ => return Err(()),
            } = number;
        }
        // Nothing kept would be no backup at all.
        if keep.last == 0 { Err(()) } else { Ok(keep) }
    }
}

/// A backup that is at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub at: DateTime,
    /// The one that it builds on.
    pub parent: Option<String>,
    /// What is known of it.
    pub finding: Finding,
}

/// The names of those that are kept: what `keep` asks for, and all that these build on. What is unsound takes no other's place, so
/// that a disk which spoils one after the other does not have the good ones deleted; and the latest that was found sound stays, until
/// a later one is.
pub fn kept(all: &[Standing], keep: &Keep) -> BTreeSet<String> {
    let mut latest_first: Vec<&Standing> = all.iter().collect();
    latest_first.sort_by(|a, b| (b.at, &b.name).cmp(&(a.at, &a.name)));
    let mut wanted = asked_for(&latest_first, keep);
    let sound = latest_first.iter().find(|one| one.finding == Finding::Sound).map(|one| one.name.clone());
    latest_first.retain(|one| one.finding != Finding::Unsound);
    wanted.extend(asked_for(&latest_first, keep));
    wanted.extend(sound);
    let parents: BTreeMap<&str, &str> =
        all.iter().filter_map(|one| Some((one.name.as_str(), one.parent.as_deref()?))).collect();
    let mut kept = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if let Some(parent) = parents.get(name.as_str()).filter(|_| !kept.contains(&name)) {
            wanted.push((*parent).to_owned());
        }
        kept.insert(name);
    }
    kept
}

/// The names of those that `keep` asks for.
fn asked_for(latest_first: &[&Standing], keep: &Keep) -> Vec<String> {
    let (mut days, mut weeks) = (BTreeSet::new(), BTreeSet::new());
    let mut wanted = Vec::new();
    for (place, one) in latest_first.iter().enumerate() {
        let (day, week) = (one.at.date_naive(), one.at.iso_week());
        let of_day = days.len() < keep.days as usize && days.insert(day);
        let of_week = weeks.len() < keep.weeks as usize && weeks.insert(week);
        if place < keep.last as usize || of_day || of_week {
            wanted.push(one.name.clone());
        }
    }
    wanted
}

/// How often a backup is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// So long after the last one was begun.
    Every(Duration),
    /// Each day at this time (UTC).
    Daily(NaiveTime),
}

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::minutes(15);
/// So many that are not sound are made one soon after the other; then the rhythm holds for them, too, as what is wrong lies deeper.
const SPOILT: usize = 3;

impl Rhythm {
    /// The time from one to the next.
    pub fn span(self) -> Duration {
        match self {
            Self::Every(every) => every,
            Self::Daily(_) => Duration::days(1),
        }
    }
}

/// When the next backup is due after these tries at its place, the latest first.
pub fn due_after(rhythm: Rhythm, tries: &[Backup]) -> DateTime {
    let made = || tries.iter().filter(|one| one.status == BackupStatus::Done);
    let spoilt = made().take_while(|one| !one.is_good()).count() >= SPOILT;
    let good = made().find(|one| spoilt || one.is_good()).map(|one| one.started_at);
    due(rhythm, good, tries.first().map(|one| one.started_at))
}

/// When the next backup is due. `good` is when the latest good one was begun, `tried` when the latest try was.
pub fn due(rhythm: Rhythm, good: Option<DateTime>, tried: Option<DateTime>) -> DateTime {
    let wanted = good.map_or(DateTime::UNIX_EPOCH, |good| match rhythm {
        Rhythm::Every(every) => good + every,
        Rhythm::Daily(time) => {
            let today = good.date_naive().and_time(time).and_utc();
            if today > good { today } else { today + Duration::days(1) }
        }
    });
    match tried {
        Some(tried) if good.is_none_or(|good| tried > good) => wanted.max(tried + AGAIN),
        _ => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime {
        // A Monday.
        DateTime::UNIX_EPOCH + Duration::days(4 + 7 * 3000) + Duration::hours(hours)
    }

    fn standing(name: &str, hours: i64, parent: Option<&str>) -> Standing {
        Standing { name: name.to_owned(), at: at(hours), parent: parent.map(str::to_owned), finding: Finding::Unknown }
    }

    #[test]
    fn what_is_kept_is_the_latest_of_each_and_whatever_they_build_on() {
        // Every six hours for thirty days; each fourth is full.
        let all: Vec<Standing> = (0..120)
            .map(|n| standing(&format!("{n:03}"), n * 6, (n % 4 != 0).then(|| format!("{:03}", n - 1)).as_deref()))
            .collect();
        let names = |keep| kept(&all, &keep).into_iter().collect::<Vec<_>>();
        assert_eq!(names(Keep { last: 1, days: 0, weeks: 0 }), ["116", "117", "118", "119"]);
        assert_eq!(names(Keep { last: 5, days: 0, weeks: 0 }).len(), 8);
        // The last of a day is the third after a full one.
        assert_eq!(names(Keep { last: 1, days: 3, weeks: 0 }).len(), 12);
        let weeks = names(Keep { last: 1, days: 0, weeks: 2 });
        assert_eq!(weeks, ["108", "109", "110", "111", "116", "117", "118", "119"], "the last of the week before, too");
        assert!(kept(&[], &Keep::default()).is_empty());
        // A parent that is not there any more is nobody's business here, and a circle ends.
        let odd = [standing("a", 0, Some("b")), standing("b", 1, Some("a"))];
        assert_eq!(kept(&odd, &Keep { last: 1, days: 0, weeks: 0 }).len(), 2);
    }

    #[test]
    fn what_is_unsound_takes_no_other_place_and_the_last_sound_one_stays() {
        let night = |name: &str, night: i64, finding| Standing { finding, ..standing(name, 24 * night, None) };
        let names = |all: &[Standing], last| {
            let keep = Keep { last, days: 0, weeks: 0 };
            kept(all, &keep).into_iter().collect::<Vec<_>>().concat()
        };
        let (good, nothing, bad) = (Finding::Sound, Finding::Unknown, Finding::Unsound);
        assert_eq!(names(&[night("a", 0, good), night("b", 1, bad)], 1), "ab");
        assert_eq!(
            names(&[night("a", 0, good), night("b", 1, bad), night("c", 2, bad)], 1),
            "ac",
            "one of the bad ones"
        );
        assert_eq!(names(&[night("a", 0, good), night("b", 1, bad), night("c", 2, good)], 1), "c");
        assert_eq!(names(&[night("a", 0, nothing), night("b", 1, bad)], 1), "ab", "it may be sound");
        assert_eq!(
            names(&[night("a", 0, good), night("b", 1, nothing), night("c", 2, nothing)], 1),
            "ac",
            "as these may not be"
        );
        assert_eq!(names(&[night("a", 0, nothing), night("b", 1, nothing), night("c", 2, nothing)], 1), "c");
        let spoilt: Vec<Standing> =
            (0..9).map(|n| night(&n.to_string(), n, if n < 5 { nothing } else { bad })).collect();
        assert_eq!(names(&spoilt, 3), "234678", "as many as ever of those that may be sound");
        // With what it builds on.
        let chain =
            [night("a", 0, good), Standing { parent: Some("a".to_owned()), ..night("b", 1, good) }, night("c", 2, bad)];
        assert_eq!(names(&chain, 1), "abc");
    }

    #[test]
    fn a_rule_of_keeping_is_read() {
        assert_eq!("last 3, days 7, weeks 4".parse(), Ok(Keep::default()));
        assert_eq!("last 1".parse(), Ok(Keep { last: 1, days: 0, weeks: 0 }));
        for bad in ["", "days 7", "last 0", "last", "last x", "years 1, last 1", "last -1"] {
            assert!(bad.parse::<Keep>().is_err(), "{bad}");
        }
    }

    fn made(hours: i64, problem: Option<&str>) -> Backup {
        Backup {
            id: BackupId::new(),
            name: Some(hours.to_string()),
            cause: BackupCause::Schedule,
            member_id: None,
            kind: Some(BackupKind::Full),
            status: BackupStatus::Done,
            destination: "/backups".to_owned(),
            started_at: at(hours),
            ended_at: None,
            bytes: None,
            problem: None,
            parent: None,
            verified_at: None,
            verify_problem: problem.map(str::to_owned),
            unchecked: None,
            gone: false,
            unsound_below: None,
        }
    }

    #[test]
    fn one_that_is_not_sound_is_made_again_soon_but_not_for_ever() {
        let every = Rhythm::Every(Duration::hours(24));
        let (good, bad) = (|hours| made(hours, None), |hours| made(hours, Some("a part is damaged")));
        assert_eq!(due_after(every, &[good(0)]), at(24));
        assert_eq!(due_after(every, &[bad(24), good(0)]), at(24) + AGAIN);
        assert_eq!(due_after(every, &[bad(25), bad(24), good(0)]), at(25) + AGAIN);
        assert_eq!(due_after(every, &[bad(26), bad(25), bad(24), good(0)]), at(50), "the rhythm holds again");
        assert_eq!(due_after(every, &[good(26), bad(25), bad(24)]), at(50));
        let below = Backup { unsound_below: Some("0".to_owned()), ..good(24) };
        assert_eq!(due_after(every, &[below, good(1)]), at(24) + AGAIN.max(Duration::hours(1)));
        assert_eq!(due_after(every, &[Backup { gone: true, ..good(24) }]), at(24) + AGAIN, "it is not there any more");
        let failed = Backup { status: BackupStatus::Failed, ..bad(30) };
        assert_eq!(due_after(every, &[failed, good(0)]), at(30) + AGAIN);
        assert!(due_after(every, &[]) < at(0));
    }

    #[test]
    fn the_next_is_due_when_the_rhythm_says_and_soon_after_a_failure() {
        let every = Rhythm::Every(Duration::hours(24));
        assert!(due(every, None, None) < at(0), "never made one: at once");
        assert_eq!(due(every, Some(at(0)), Some(at(0))), at(24));
        assert_eq!(due(every, Some(at(0)), Some(at(24))), at(24) + AGAIN, "the last try failed");
        assert_eq!(due(every, None, Some(at(1))), at(1) + AGAIN);
        let daily = Rhythm::Daily(NaiveTime::from_hms_opt(3, 0, 0).unwrap());
        assert_eq!(due(daily, Some(at(1)), None), at(3));
        assert_eq!(due(daily, Some(at(3)), None), at(27), "it was begun at that very moment");
        assert_eq!(due(daily, Some(at(20)), None), at(27));
    }
}
