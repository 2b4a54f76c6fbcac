//! Where the figures come from.

use chrono::Duration;

use super::{AlertKind, Measured};
use crate::member::ProviderKind;
use crate::reading::{Disk, DiskRole, Reading, Used};
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

impl Certificate {
    /// Days that it still holds, at least 0. One of which a good part of its life is left is taken for one that holds long.
    pub fn days_left(&self, now: DateTime) -> i64 {
        let left = self.ends.signed_duration_since(now);
        let life = self.ends.signed_duration_since(self.begins);
        match left > life / LIFE && life < Duration::days(60) {
            true => Duration::days(365).num_days(),
            false => left.num_days().max(0),
        }
    }
}

/// What is measured beside a reading. What nobody measures is absent, and no alert is raised of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// For how long what carries hints between servers has been lost; nothing, and so no loss, where there is none to lose.
    pub bus_lost: Option<Duration>,
    /// When the latest good backup was made where they are to go, or, where none is good, when they first were to go there;
    /// nothing where none is planned.
    pub last_backup: Option<DateTime>,
    /// Since when mails come no further; when they do, this moment. Nothing where none are sent.
    pub mail_stuck: Option<DateTime>,
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
    for disk in &reading.disks {
        let (subject, about) = named(disk, server);
        if disk.role() == DiskRole::Log {
            put(AlertKind::LogDisk, here, &about, Some(percent(disk.bytes)));
            continue;
        }
        put(AlertKind::Disk, &subject, &about, Some(percent(disk.bytes)));
        put(AlertKind::DiskFiles, &subject, &about, disk.files.map(percent));
    }
    put(AlertKind::ActiveAgents, "", "", reading.active_agents);
    put(AlertKind::ApiFailures, here, name, Some(reading.provider_failures));
    put(AlertKind::DatabaseSlow, here, name, Some(reading.database_millis.map_or(NO_ANSWER, whole)));
    put(AlertKind::BusLost, here, name, beside.bus_lost.map(|lost| lost.num_seconds()));
    put(AlertKind::BackupOld, "", "", beside.last_backup.map(|at| age(at).num_hours()));
    put(AlertKind::MailStuck, "", "", beside.mail_stuck.map(|since| age(since).num_hours()));
    put(AlertKind::CleanUpStuck, here, name, beside.last_clean_up.map(|at| age(at).num_minutes()));
    put(AlertKind::SandboxUnusable, here, name, beside.sandbox_usable.map(|usable| if usable { 0 } else { 2 }));
    for certificate in &beside.certificates {
        let host = &certificate.host;
        put(AlertKind::CertificateEnds, host, host, Some(certificate.days_left(reading.at)));
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

/// What a disk is called among the subjects of alerts, and by people. The data folder's goes by the server's own name.
fn named(disk: &Disk, server: &Server) -> (String, String) {
    let subject = match disk.role() {
        DiskRole::Data => server.subject.clone(),
        role => format!("{} {role}", server.subject),
    };
    (subject, format!("{} on {}", disk.path, server.name))
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
            disks: Vec::new(),
            processors: 2,
            load: None,
            active_agents: Some(3),
            active_runs: 1,
            worktrees: 1,
            queue_depth: None,
            provider_failures: 0,
            database_millis: None,
            database_trouble: None,
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
            bus_lost: Some(Duration::seconds(90)),
            last_backup: Some(now - Duration::hours(30)),
            mail_stuck: Some(now - Duration::minutes(119)),
            last_clean_up: Some(now - Duration::minutes(31)),
            certificates: vec![certificate("hall.example", 239), certificate("*.pages.example", 47)],
            refused_keys: Some(vec![key(None), key(Some((ben, "Ben".to_owned())))]),
            sandbox_usable: Some(false),
        };
        let all = measured(&reading(), &beside, &here(), &["team/openai".to_owned()]);
        let expected = [
            (AlertKind::BusLost, 90),
            (AlertKind::BackupOld, 30),
            (AlertKind::MailStuck, 1),
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
        let hosts: Vec<&str> = all[9..11].iter().map(|one| one.subject.as_str()).collect();
        assert_eq!(hosts, ["hall.example", "*.pages.example"]);
        let about: Vec<&str> = all[11..].iter().map(|one| one.about.as_str()).collect();
        assert_eq!(about, ["the team's key for anthropic", "Ben's key for anthropic", ""]);
        assert_eq!(all[12].subject, format!("{ben}/anthropic"));
    }

    #[test]
    fn each_disk_has_its_own_figures_and_its_name() {
        let disk = |holds: &[DiskRole], path: &str, used, files| Disk {
            holds: holds.to_vec(),
            path: path.to_owned(),
            bytes: Used { used, total: 100 },
            files: Option::map(files, |used| Used { used, total: 1_000 }),
        };
        let disks = vec![
            disk(&[DiskRole::Data, DiskRole::Database], "/data", 40, Some(931)),
            disk(&[DiskRole::Repositories], "/srv/git", 92, None),
            disk(&[DiskRole::Log], "/var/log", 75, Some(999)),
        ];
        let all = measured(&Reading { disks, memory: None, ..reading() }, &Beside::default(), &here(), &[]);
        let told: Vec<_> = all[..4].iter().map(|one| (one.kind, one.subject.as_str(), one.value)).collect();
        let expected = [
            (AlertKind::Disk, "hall:/data", 40),
            (AlertKind::DiskFiles, "hall:/data", 93),
            (AlertKind::Disk, "hall:/data repositories", 92),
            (AlertKind::LogDisk, "hall:/data", 75),
        ];
        assert_eq!(told, expected);
        let about: Vec<&str> = all[..4].iter().map(|one| one.about.as_str()).collect();
        assert_eq!(about, ["/data on hall", "/data on hall", "/srv/git on hall", "/var/log on hall"]);
        assert!(all.len() > 4 && all[4].kind == AlertKind::ActiveAgents);
    }

    #[test]
    fn a_short_life_is_not_always_near_its_end() {
        let now = reading().at;
        let days = |begun: i64, left: i64| {
            let (begins, ends) = (now - Duration::hours(begun), now + Duration::hours(left));
            Certificate { host: String::new(), begins, ends }.days_left(now)
        };
        assert_eq!(days(24, 6 * 24), 365, "six days, of which one is over");
        assert_eq!(days(5 * 24, 24), 1);
        assert_eq!(days(60 * 24, 30 * 24), 30, "of ninety days");
        assert_eq!(days(80 * 24, 10 * 24), 10);
        assert_eq!(days(90 * 24, -24), 0, "it has ended");
    }
}
