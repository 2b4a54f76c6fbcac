//! Alerts: what whoever runs the server is told of it, from which figure on, and when it is over.
//!
//! What is measured comes from [`measured`], what follows from it says [`judge`]. Both are pure: they are given what was
//! read and when, and do nothing themselves.

mod judge;
mod sources;
mod words;

use chrono::Duration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use judge::{Judged, Measured, Open, Traces, Verdict, judge};
pub use sources::{Beside, Certificate, RefusedKey, Server, measured};
pub use words::Unit;

use crate::backup::Rhythm;
use crate::text_enum::text_enum;
use crate::{AlertId, DateTime, MemberId};

/// An open alert of which nobody has said for so long that it stands is over: the server that measured it is gone, or
/// measures it no more. Many times what lies between two readings, so that one which is slow keeps what is its own.
pub const SILENT: Duration = Duration::minutes(10);
/// Minutes for which an alert can be silenced at most: thirty days. Who wants never to hear of something raises its threshold.
pub const MOST_SILENCE: i64 = 30 * 24 * 60;

/// Hours between two backups, where nothing else is said, and such that one may be late.
const DAY: i64 = 24;
const LATE: i64 = 2;

text_enum! {
    /// What an alert is about.
    pub enum AlertKind {
        /// The memory of a server, in percent that are used.
        Memory = "memory",
        /// A disk on which a server works, in percent that are used: that of its data folder, or one that a part of it has.
        Disk = "disk",
        /// The files that such a disk can hold, in percent that there are.
        DiskFiles = "disk-files",
        /// The disk that takes a server's log, where that is a file on another one, in percent that are used.
        LogDisk = "log-disk",
        /// Runs of the whole team at work.
        ActiveAgents = "active-agents",
        /// Calls to model providers that failed in the last five minutes on a server.
        ApiFailures = "api-failures",
        /// The database takes long to answer a server, in milliseconds.
        DatabaseSlow = "database-slow",
        /// A server has lost what carries hints between servers, in seconds.
        BusLost = "bus-lost",
        /// The latest good backup is old, in hours.
        BackupOld = "backup-old",
        /// The clean-up of a server has not come through, in minutes.
        CleanUpStuck = "clean-up-stuck",
        /// Mails do not reach the mail server, or it takes none, in hours.
        MailStuck = "mail-stuck",
        /// A certificate that browsers are shown ends soon, in days that are left.
        CertificateEnds = "certificate-ends",
        /// A provider refused a key.
        KeyRefused = "key-refused",
        /// A server cannot keep agents' commands apart from itself, so that none runs.
        SandboxUnusable = "sandbox-unusable",
    }
}

text_enum! {
    /// How bad it is. Declared from less to more.
    pub enum AlertLevel {
        /// Somebody should look at it.
        Warning = "warning",
        /// It harms the team's work, or is about to.
        Critical = "critical",
    }
}

text_enum! {
    /// What a server lacks, so that it begins no work.
    pub enum Strain {
        /// Memory.
        Memory = "memory",
        /// Room on the disk.
        Disk = "disk",
        /// A sandbox that keeps commands apart.
        Sandbox = "sandbox",
    }
}

impl AlertKind {
    /// What a server is short of while such an alert is critical.
    pub const fn strain(self) -> Option<Strain> {
        match self {
            Self::Memory => Some(Strain::Memory),
            Self::Disk | Self::DiskFiles => Some(Strain::Disk),
            Self::SandboxUnusable => Some(Strain::Sandbox),
            _ => None,
        }
    }

    /// Whether less is worse.
    pub const fn falls(self) -> bool {
        matches!(self, Self::CertificateEnds)
    }

    /// How bad a value is: more is worse, whatever the kind.
    pub const fn weight(self, value: i64) -> i64 {
        if self.falls() { -value } else { value }
    }

    /// The worse of two values.
    pub const fn worse(self, one: i64, other: i64) -> i64 {
        if self.weight(one) >= self.weight(other) { one } else { other }
    }

    /// How far from its threshold a value must have come back before it counts as better: a value that swings around the
    /// threshold is one alert.
    const fn margin(self, threshold: i64) -> i64 {
        match self {
            // Five points of a hundred: more than memory and disk swing while builds come and go.
            Self::Memory | Self::Disk | Self::DiskFiles | Self::LogDisk => 5,
            Self::ActiveAgents | Self::ApiFailures => 2,
            // A fifth: what an answer's time differs from one to the next.
            Self::DatabaseSlow => threshold / 5,
            // These jump back to nothing, or nearly, when they are mended.
            Self::BusLost => threshold,
            Self::BackupOld
            | Self::CleanUpStuck
            | Self::MailStuck
            | Self::CertificateEnds
            | Self::KeyRefused
            | Self::SandboxUnusable => 1,
        }
    }

    /// The weight at which a value counts as better than a threshold.
    fn better(self, threshold: i64) -> i64 {
        let margin = self.margin(threshold);
        match self.falls() {
            true => self.weight(threshold) - margin,
            // What counts from nothing up must be able to come back, however low somebody set the threshold.
            false => (threshold - margin).max(0),
        }
    }

    /// How long a value must have been better before the alert is over.
    fn rest(self) -> Duration {
        match self {
            Self::Memory | Self::Disk | Self::DiskFiles | Self::LogDisk | Self::ActiveAgents | Self::DatabaseSlow => {
                Duration::minutes(5)
            }
            // Their values look back over a while already.
            Self::ApiFailures | Self::BusLost | Self::SandboxUnusable => Duration::minutes(1),
            Self::BackupOld | Self::CleanUpStuck | Self::MailStuck | Self::CertificateEnds | Self::KeyRefused => {
                Duration::zero()
            }
        }
    }

    /// How long a value must have been better before a critical alert is a warning: work waits for this, so it is shorter.
    fn ease(self) -> Duration {
        self.rest().min(Duration::minutes(1))
    }

    /// How long a value must have been bad before it is told.
    fn patience(self) -> Duration {
        match self {
            // A single slow answer is a checkpoint, or a busy disk.
            Self::DatabaseSlow => Duration::minutes(1),
            _ => Duration::zero(),
        }
    }
}

/// From where on an alert is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Threshold {
    /// A warning from here on.
    pub warning: i64,
    /// Critical from here on.
    pub critical: i64,
}

const fn from(warning: i64, critical: i64) -> Threshold {
    Threshold { warning, critical }
}

impl Threshold {
    /// The figure of a level.
    pub const fn at(self, level: AlertLevel) -> i64 {
        match level {
            AlertLevel::Warning => self.warning,
            AlertLevel::Critical => self.critical,
        }
    }
}

/// From where on each kind of alert is raised. A provider's refusal and a sandbox that cannot be used have no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Thresholds {
    /// Percent of a server's memory that are used.
    pub memory: Threshold,
    /// Percent of a disk on which a server works, or of its log's, that are used, and of the files that it can hold.
    pub disk: Threshold,
    /// Runs of the whole team at work.
    pub active_agents: Threshold,
    /// Calls to providers that failed in the last five minutes.
    pub api_failures: Threshold,
    /// Milliseconds until the database gives a turn to write.
    pub database_millis: Threshold,
    /// Seconds since what carries hints between servers was lost.
    pub bus_seconds: Threshold,
    /// Hours since the latest good backup. Without, they follow from how often one is made; what is shown holds.
    pub backup_hours: Option<Threshold>,
    /// Minutes since the clean-up came through.
    pub clean_up_minutes: Threshold,
    /// Hours since mails come no further.
    pub mail_hours: Threshold,
    /// Days that a certificate which browsers are shown still holds.
    pub certificate_days: Threshold,
}

impl Default for Thresholds {
    /// The first four are the figures of the analysis that Guildhall was built from. Of the others it names none.
    fn default() -> Self {
        Self {
            memory: from(70, 85),
            disk: from(75, 90),
            active_agents: from(10, 15),
            api_failures: from(5, 10),
            // A write takes a few milliseconds; at half a second the page is slow to use, and at two a lease that is renewed
            // every ten seconds comes near to being lost.
            database_millis: from(500, 2_000),
            // It is looked for again within seconds. Work goes on without it, by slower ways, so that it is never urgent.
            bus_seconds: from(60, 600),
            backup_hours: None,
            // It comes every half hour: four times missed, and a whole day.
            clean_up_minutes: from(120, 1_440),
            // The tries of a first hour are for what passes. It is given up after a day.
            mail_hours: from(1, 6),
            // What renews certificates by itself does so a month before their end, and has failed for half of that then.
            certificate_days: from(14, 3),
        }
    }
}

/// The age of backups where one is made so often: some hours for one that is late; critical when a second one is missing
/// too.
const fn backups_every(hours: i64) -> Threshold {
    from(hours + LATE, 2 * hours + LATE)
}

/// A threshold that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadThreshold {
    /// Which, as in JSON.
    pub field: &'static str,
    /// What would be right.
    pub what: String,
}

impl Thresholds {
    /// The thresholds of a kind. Where there is no figure, 1 is a warning and 2 is critical.
    pub const fn of(&self, kind: AlertKind) -> Threshold {
        match self.set(kind) {
            Some(threshold) => threshold,
            None => backups_every(DAY),
        }
    }

    /// The same; nothing where it follows from something else.
    pub const fn set(&self, kind: AlertKind) -> Option<Threshold> {
        Some(match kind {
            AlertKind::BackupOld => return self.backup_hours,
            AlertKind::Memory => self.memory,
            AlertKind::Disk | AlertKind::DiskFiles | AlertKind::LogDisk => self.disk,
            AlertKind::ActiveAgents => self.active_agents,
            AlertKind::ApiFailures => self.api_failures,
            AlertKind::DatabaseSlow => self.database_millis,
            AlertKind::BusLost => self.bus_seconds,
            AlertKind::CleanUpStuck => self.clean_up_minutes,
            AlertKind::MailStuck => self.mail_hours,
            AlertKind::CertificateEnds => self.certificate_days,
            AlertKind::KeyRefused | AlertKind::SandboxUnusable => from(1, 2),
        })
    }

    /// The same with the age of backups, where nobody set it, as it follows from how often one is made.
    #[must_use]
    pub fn with_backups_every(self, rhythm: Option<Rhythm>) -> Self {
        let every = rhythm.map_or(DAY, |rhythm| rhythm.span().num_hours());
        Self { backup_hours: self.backup_hours.or(Some(backups_every(every))), ..self }
    }

    /// Whether they can be.
    ///
    /// # Errors
    /// [`BadThreshold`] for the first that cannot.
    pub fn check(&self) -> Result<(), BadThreshold> {
        for ((warning, critical), threshold, most, falls) in [
            (("memory.warning", "memory.critical"), self.memory, 100, false),
            (("disk.warning", "disk.critical"), self.disk, 100, false),
            (("activeAgents.warning", "activeAgents.critical"), self.active_agents, 1_000_000, false),
            (("apiFailures.warning", "apiFailures.critical"), self.api_failures, 1_000_000, false),
            (("databaseMillis.warning", "databaseMillis.critical"), self.database_millis, 600_000, false),
            (("busSeconds.warning", "busSeconds.critical"), self.bus_seconds, 1_000_000, false),
            (("backupHours.warning", "backupHours.critical"), self.of(AlertKind::BackupOld), 100_000, false),
            (("cleanUpMinutes.warning", "cleanUpMinutes.critical"), self.clean_up_minutes, 1_000_000, false),
            (("mailHours.warning", "mailHours.critical"), self.mail_hours, 1_000, false),
            (("certificateDays.warning", "certificateDays.critical"), self.certificate_days, 1_000, true),
        ] {
            let least = i64::from(!falls);
            for (field, value) in [(warning, threshold.warning), (critical, threshold.critical)] {
                if !(least..=most).contains(&value) {
                    return Err(BadThreshold { field, what: format!("give a number from {least} to {most}") });
                }
            }
            let (low, high) =
                if falls { (threshold.critical, threshold.warning) } else { (threshold.warning, threshold.critical) };
            if low >= high {
                let than = if falls { "less" } else { "more" };
                let what = format!("give a figure that is {than} than that of the warning, {}", threshold.warning);
                return Err(BadThreshold { field: critical, what });
            }
        }
        Ok(())
    }
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// The alert's id.
    pub id: AlertId,
    /// What it is about.
    pub kind: AlertKind,
    /// What of that kind: a server, a key; empty where there is one in the team. One alert of a kind and subject is open at
    /// a time.
    pub subject: String,
    /// The same for people.
    pub about: String,
    /// How bad it is, or was at last.
    pub level: AlertLevel,
    /// How bad it was at its worst.
    pub worst_level: AlertLevel,
    /// The figure, in the unit of its kind, when it was last looked at.
    pub value: i64,
    /// The worst figure.
    pub worst: i64,
    /// What is wrong and what to do, in sentences. Never a secret.
    pub text: String,
    /// When it was raised.
    pub raised_at: DateTime,
    /// When its level changed last.
    pub changed_at: DateTime,
    /// When it was last seen to stand.
    pub seen_at: DateTime,
    /// When it was over.
    pub cleared_at: Option<DateTime>,
    /// Whether it is over because nobody measures it any more, rather than because it is well again.
    pub gone: bool,
    /// Until when nobody is told of it.
    pub silenced_until: Option<DateTime>,
    /// How bad it was when that was wished: when it becomes worse, that is told all the same.
    pub silenced_level: Option<AlertLevel>,
    /// Who wished that.
    pub silenced_by: Option<MemberId>,
}

impl Alert {
    /// Whether nobody is told of it at this moment.
    pub fn is_silent(&self, at: DateTime) -> bool {
        let bad_as_then = self.silenced_level.is_none_or(|then| self.level <= then);
        self.silenced_until.is_some_and(|until| until > at) && bad_as_then
    }

    /// Whether it was silenced, and that is over by now.
    pub fn was_silenced(&self, at: DateTime) -> bool {
        self.silenced_until.is_some_and(|until| until <= at)
    }
}

#[cfg(test)]
mod tests;
