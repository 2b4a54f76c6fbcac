//! Alerts in words.

use super::{AlertKind, AlertLevel, Strain, Threshold};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Parts of a hundred.
    Percent,
    /// Whole things.
    Count,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Nothing: it is so, or it is not.
    None,
}

impl Unit {
    /// A figure with its unit.
    pub fn of(self, value: i64) -> String {
        let many = |one: &str| if value == 1 { format!("1 {one}") } else { format!("{value} {one}s") };
        match self {
            Self::Percent => format!("{value} %"),
            Self::Count => value.to_string(),
            Self::Millis => format!("{value} ms"),
            Self::Seconds => many("second"),
            Self::Minutes => many("minute"),
            Self::Hours => many("hour"),
            Self::Days => many("day"),
            Self::None => String::new(),
        }
    }
}

impl AlertKind {
    /// What its figures count.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Memory | Self::Disk | Self::DiskFiles | Self::LogDisk => Unit::Percent,
            Self::ActiveAgents | Self::ApiFailures => Unit::Count,
            Self::DatabaseSlow => Unit::Millis,
            Self::BusLost => Unit::Seconds,
            Self::BackupOld | Self::MailStuck => Unit::Hours,
            Self::CleanUpStuck => Unit::Minutes,
            Self::CertificateEnds => Unit::Days,
            Self::KeyRefused | Self::SandboxUnusable => Unit::None,
        }
    }

    /// What it is about, in a few words: the subject of a mail, a line in a chat. `about` is which of that kind.
    pub fn title(self, about: &str) -> String {
        let what = match self {
            Self::Memory => "Memory",
            Self::Disk => "Disk",
            Self::DiskFiles => "Files on the disk",
            Self::LogDisk => "Disk of the log",
            Self::ActiveAgents => "Agents at work",
            Self::ApiFailures => "Calls to providers",
            Self::DatabaseSlow => "Database",
            Self::BusLost => "Link between servers",
            Self::BackupOld => "Backup",
            Self::CleanUpStuck => "Clean-up",
            Self::MailStuck => "Mail",
            Self::CertificateEnds => "Certificate",
            Self::KeyRefused => "Provider key",
            Self::SandboxUnusable => "Sandbox",
        };
        match about {
            "" => what.to_owned(),
            about => format!("{what} ({about})"),
        }
    }

    /// What is wrong and what to do, in sentences.
    pub fn text(self, level: AlertLevel, value: i64, threshold: Threshold, about: &str) -> String {
        let figure = self.unit().of(value);
        let limit = self.unit().of(threshold.at(level));
        let critical = level == AlertLevel::Critical;
        let holds = |what: &str, help: &str| match critical {
            true => format!(
                "{what} No new work begins there, and work is parked; it goes on by itself when this has cleared. {help}"
            ),
            false => format!("{what} {help}"),
        };
        match self {
            Self::Memory => holds(
                &format!("{figure} of the memory of {about} are used (threshold: {limit})."),
                "Lower the limits of memory or of runs at once, or give the server more memory.",
            ),
            Self::Disk => holds(
                &format!("The disk of {about} is used to {figure} (threshold: {limit})."),
                "Merge or take back finished work, let what is not needed be tidied away, or give the server a larger disk. The clean-up makes room where worktrees are.",
            ),
            Self::DiskFiles => holds(
                &format!(
                    "Of the files and folders that the disk of {about} can hold, {figure} are there (threshold: {limit}). When there are all, it is full, whatever it has free."
                ),
                "Merge or take back finished work, let what is not needed be tidied away (folders of installed packages are many files), or make the file system anew with more inodes.",
            ),
            Self::LogDisk => format!(
                "{figure} of the disk that takes the log ({about}) are used (threshold: {limit}). Work goes on when it is full, and lines of the log are lost. Make room there, or let old logs be thrown away."
            ),
            Self::ActiveAgents => format!(
                "{figure} agents are at work (threshold: {limit}). If the servers and the budgets bear that, raise the threshold; else lower the limits of runs at once."
            ),
            Self::ApiFailures => format!(
                "{figure} calls from {about} to model providers failed within five minutes (threshold: {limit}). Look at the providers' status pages and at the network; runs try again by themselves."
            ),
            Self::DatabaseSlow => format!(
                "The database lets {about} wait {figure} for a turn (threshold: {limit}). Look at the load of its disk and at what else uses it."
            ),
            Self::BusLost => format!(
                "{about} has not reached the bus for {figure} (threshold: {limit}). Work goes on, and pages hear of it later. Look whether Redis runs and can be reached."
            ),
            Self::BackupOld => format!(
                "For {figure} there was no good backup, or none that was restored to look at it (threshold: {limit}). The page Backups says why those since failed, are not sound, or could not be looked at; where none was tried, look at what is to make them."
            ),
            Self::CleanUpStuck => format!(
                "The clean-up of {about} has not come through for {figure} (threshold: {limit}). The server's log says why."
            ),
            Self::MailStuck => format!(
                "For {figure} no mail has come to the mail server, or it takes none (threshold: {limit}); each is given up a day after it was written. The page Team says what went wrong: look at the mail server's address and password, and at the network."
            ),
            Self::CertificateEnds if value == 0 => format!(
                "The certificate of {about} has ended, or ends today: browsers refuse to open the page. Renew it, and look at why it was not renewed."
            ),
            Self::CertificateEnds => format!(
                "The certificate of {about} ends in {figure} (threshold: {limit}). Look at why it was not renewed."
            ),
            Self::KeyRefused => match critical {
                true => format!(
                    "The provider refuses {about}, so that runs fail of all who have no key of their own. Put a valid one in place under Settings, or where the server's configuration names it."
                ),
                false => format!(
                    "The provider refuses {about}, so that this member's runs fail. Let it be put in place anew under Settings."
                ),
            },
            Self::SandboxUnusable => format!(
                "{about} cannot keep agents' commands apart from itself, so no agent starts there; its work waits. Run `guildhall doctor` on it."
            ),
        }
    }
}

impl Strain {
    /// Why no work begins, in sentences.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Memory => {
                "The server is short of memory, so no new work begins. It goes on by itself when there is more; this costs no attempt."
            }
            Self::Disk => {
                "The server's disk is nearly full, so no new work begins. It goes on by itself when there is room; this costs no attempt."
            }
            Self::Sandbox => {
                "The server cannot keep agents' commands apart from itself, so no new work begins. It goes on by itself when whoever runs it has mended that; this costs no attempt."
            }
        }
    }

    /// What a run's history says when it makes room.
    pub const fn parked(self) -> &'static str {
        match self {
            Self::Memory => {
                "The server is short of memory, so the run makes room. It goes on by itself when there is more; this costs no attempt."
            }
            Self::Disk => {
                "The server's disk is nearly full, so the run waits. It goes on by itself when there is room; this costs no attempt."
            }
            Self::Sandbox => {
                "The server cannot keep agents' commands apart from itself, so the run waits. It goes on by itself when whoever runs it has mended that; this costs no attempt."
            }
        }
    }
}
