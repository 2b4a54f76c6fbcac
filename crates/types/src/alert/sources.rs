//! Where the figures come from.

use chrono::Duration;

use super::{AlertKind, Measured};
use crate::member::ProviderKind;
use crate::reading::{Reading, Used};
use crate::run::KeySource;
use crate::{DateTime, MemberId};

/// Milliseconds that stand for a database that gave no turn at all: readings wait no longer for one.
const NO_ANSWER: i64 = 5_000;
/// A certificate of which more than this share of its life is left is not near its end, however short that life is: there are
/// such as hold for six days.
const LIFE: i32 = 4;

/// The server that measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What it is called among the subjects of alerts. It stays when the server is started again, so that its alerts do.
    pub subject: String,
    /// What people call it.
    pub name: String,
}

/// A key that a provider refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedKey {
    /// Whose it is: a member's, or the team's.
    pub source: KeySource,
    /// The member.
    pub member: Option<(MemberId, String)>,
    /// Of which provider.
    pub provider: ProviderKind,
}

/// A certificate that browsers are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// For which name, as the operator wrote it.
    pub host: String,
    /// From when it holds.
    pub begins: DateTime,
    /// Until when.
    pub ends: DateTime,
}

/// What is measured beside a reading. What nobody measures is absent, and no alert is raised of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// The fullest of the disks that hold a part of the data folder, or the database, and are not the data folder's own.
    pub other_disk: Option<Used>,
    /// The disk that takes the log, where it is neither the data folder's nor something else than a disk.
    pub log_disk: Option<Used>,
    /// For how long what carries hints between servers has been lost; nothing, and so no loss, where there is none to lose.
    pub bus_lost: Option<Duration>,
    /// When the latest good backup was made, or the first tried where none is good; nothing where none was ever tried.
    pub last_backup: Option<DateTime>,
    /// When the clean-up of this server last came through.
    pub last_clean_up: Option<DateTime>,
    /// The certificates of the public address and of the pages of services, as they were seen last.
    pub certificates: Vec<Certificate>,
    /// The keys that providers refused; nothing when that could not be looked up.
    pub refused_keys: Option<Vec<RefusedKey>>,
    /// Whether agents' commands can be run.
    pub sandbox_usable: Option<bool>,
}

fn whole(value: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "percent and milliseconds are small")]
    let whole = value.floor() as i64;
    whole
}

/// The figures of a reading and of what is known beside it. `known` are the subjects of open alerts of keys: a key that is no
/// longer refused is measured as fine.
pub fn measured(reading: &Reading, beside: &Beside, server: &Server, known_keys: &[String]) -> Vec<Measured> {
    let mut all = Vec::new();
    let mut put = |kind, subject: &str, about: &str, value: Option<i64>| {
        let of = |value| Measured { kind, subject: subject.to_owned(), about: about.to_owned(), value };
        all.extend(value.map(of));
    };
    let (here, name) = (server.subject.as_str(), server.name.as_str());
    let age = |since: DateTime| reading.at.signed_duration_since(since).max(Duration::zero());
    let percent = |used: Used| whole(used.share() * 100.0);
    put(AlertKind::Memory, here, name, reading.memory.map(percent));
    put(AlertKind::Disk, here, name, reading.disk.map(percent).max(beside.other_disk.map(percent)));
    put(AlertKind::LogDisk, here, name, beside.log_disk.map(percent));
    put(AlertKind::ActiveAgents, "", "", reading.active_agents);
    put(AlertKind::ApiFailures, here, name, Some(reading.provider_failures));
    put(AlertKind::DatabaseSlow, here, name, Some(reading.database_millis.map_or(NO_ANSWER, whole)));
    put(AlertKind::BusLost, here, name, beside.bus_lost.map(|lost| lost.num_seconds()));
    put(AlertKind::BackupOld, "", "", beside.last_backup.map(|at| age(at).num_hours()));
    put(AlertKind::CleanUpStuck, here, name, beside.last_clean_up.map(|at| age(at).num_minutes()));
    put(AlertKind::SandboxUnusable, here, name, beside.sandbox_usable.map(|usable| if usable { 0 } else { 2 }));
    for Certificate { host, begins, ends } in &beside.certificates {
        put(AlertKind::CertificateEnds, host, host, Some(days_left(*begins, *ends, reading.at)));
    }
    for key in beside.refused_keys.iter().flatten() {
        // Work of everybody who has no key of their own fails by the team's.
        let (subject, about, value) = match &key.member {
            Some((member, name)) => {
                (format!("{member}/{}", key.provider), format!("{name}'s key for {}", key.provider), 1)
            }
            None => (format!("team/{}", key.provider), format!("the team's key for {}", key.provider), 2),
        };
        put(AlertKind::KeyRefused, &subject, &about, Some(value));
    }
    if beside.refused_keys.is_some() {
        for subject in known_keys {
            // The worst of what is said of one subject counts.
            put(AlertKind::KeyRefused, subject, "", Some(0));
        }
    }
    all
}

/// Days that a certificate still holds, at least 0. One of which a good part of its life is left is taken for one that holds
/// long.
fn days_left(begins: DateTime, ends: DateTime, now: DateTime) -> i64 {
    let left = ends.signed_duration_since(now);
    let life = ends.signed_duration_since(begins);
    match left > life / LIFE && life < Duration::days(60) {
        true => Duration::days(365).num_days(),
        false => left.num_days().max(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;

    fn reading() -> Reading {
        Reading {
            node: NodeId::new(),
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            memory: Some(Used { used: 849, total: 1_000 }),
            process_memory: None,
            disk: None,
            processors: 2,
            load: None,
            active_agents: Some(3),
            active_runs: 1,
            worktrees: 1,
            queue_depth: None,
            provider_failures: 0,
            database_millis: None,
        }
    }

    fn here() -> Server {
        Server { subject: "hall:/data".to_owned(), name: "hall".to_owned() }
    }

    fn values(all: &[Measured]) -> Vec<(AlertKind, i64)> {
        all.iter().map(|one| (one.kind, one.value)).collect()
    }

    #[test]
    fn what_nobody_measures_has_no_figure() {
        let all = measured(&reading(), &Beside::default(), &here(), &["team/anthropic".to_owned()]);
        let expected = [
            (AlertKind::Memory, 84),
            (AlertKind::ActiveAgents, 3),
            (AlertKind::ApiFailures, 0),
            // A database that gives no turn is slow.
            (AlertKind::DatabaseSlow, 5_000),
        ];
        assert_eq!(values(&all), expected);
        assert_eq!((all[0].subject.as_str(), all[0].about.as_str()), ("hall:/data", "hall"));
    }

    #[test]
    fn what_is_measured_beside_a_reading_has_its_unit() {
        let now = reading().at;
        let ben = MemberId::new();
        let key = |member: Option<(MemberId, String)>| RefusedKey {
            source: if member.is_some() { KeySource::Member } else { KeySource::Team },
            member,
            provider: ProviderKind::Anthropic,
        };
        let certificate = |host: &str, hours: i64| Certificate {
            host: host.to_owned(),
            begins: now - Duration::days(80),
            ends: now + Duration::hours(hours),
        };
        let beside = Beside {
            other_disk: Some(Used { used: 91, total: 100 }),
            log_disk: Some(Used { used: 3, total: 4 }),
            bus_lost: Some(Duration::seconds(90)),
            last_backup: Some(now - Duration::hours(30)),
            last_clean_up: Some(now - Duration::minutes(31)),
            certificates: vec![certificate("hall.example", 239), certificate("*.pages.example", 47)],
            refused_keys: Some(vec![key(None), key(Some((ben, "Ben".to_owned())))]),
            sandbox_usable: Some(false),
        };
        let reading = Reading { disk: Some(Used { used: 40, total: 100 }), ..reading() };
        let mut all = measured(&reading, &beside, &here(), &["team/openai".to_owned()]);
        let disks: Vec<Measured> = all.drain(1..3).collect();
        assert_eq!(values(&disks), [(AlertKind::Disk, 91), (AlertKind::LogDisk, 75)], "the fuller one, and the log's");
        let expected = [
            (AlertKind::BusLost, 90),
            (AlertKind::BackupOld, 30),
            (AlertKind::CleanUpStuck, 31),
            (AlertKind::SandboxUnusable, 2),
            (AlertKind::CertificateEnds, 9),
            (AlertKind::CertificateEnds, 1),
            (AlertKind::KeyRefused, 2),
            (AlertKind::KeyRefused, 1),
            (AlertKind::KeyRefused, 0),
        ];
        assert_eq!(values(&all)[4..], expected);
        // Each certificate has an alert of its own.
        let hosts: Vec<&str> = all[8..10].iter().map(|one| one.subject.as_str()).collect();
        assert_eq!(hosts, ["hall.example", "*.pages.example"]);
        let about: Vec<&str> = all[10..].iter().map(|one| one.about.as_str()).collect();
        assert_eq!(about, ["the team's key for anthropic", "Ben's key for anthropic", ""]);
        assert_eq!(all[11].subject, format!("{ben}/anthropic"));
    }

    #[test]
    fn a_short_life_is_not_always_near_its_end() {
        let now = reading().at;
        let days = |begun: i64, left: i64| days_left(now - Duration::hours(begun), now + Duration::hours(left), now);
        assert_eq!(days(24, 6 * 24), 365, "six days, of which one is over");
        assert_eq!(days(5 * 24, 24), 1);
        assert_eq!(days(60 * 24, 30 * 24), 30, "of ninety days");
        assert_eq!(days(80 * 24, 10 * 24), 10);
        assert_eq!(days(90 * 24, -24), 0, "it has ended");
    }
}
