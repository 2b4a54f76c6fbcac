//! Backups: how old the latest good one is.

use chrono::Duration;
use guildhall_store::{GoodBackup, Store, StoreError, THRESHOLDS};
use guildhall_types::DateTime;
use guildhall_types::alert::{AlertKind, Thresholds};

use super::{Level, Line};
use crate::config::Config;
use crate::problem::chain;

const WHAT: &str = "backups";

pub(super) async fn examine(config: &Config, store: &Store, now: DateTime) -> Line {
    let destination = config.backup.as_ref().map(ToString::to_string);
    let good = store.last_good_backup(destination.as_deref()).await;
    // Where they cannot be read, what is usual says enough.
    let thresholds = store.setting::<Thresholds>(THRESHOLDS).await.ok().flatten().unwrap_or_default();
    // As the alert goes by it.
    let rhythm = config.backup_rules.rhythm.filter(|_| config.backup.is_some());
    let old = Duration::hours(thresholds.with_backups_every(rhythm).of(AlertKind::BackupOld).warning);
    judge(config.backup.is_some(), good, old, now)
}

fn judge(planned: bool, good: Result<Option<GoodBackup>, StoreError>, old: Duration, now: DateTime) -> Line {
    match good {
        Err(error) => {
            Line::new(Level::Warn, WHAT, format!("it cannot be looked up which there are: {}", chain(&error)))
        }
        Ok(Some(GoodBackup { started_at, unchecked })) => {
            let age = format!("the latest good one is {} hours old", (now - started_at).num_hours());
            match unchecked {
                _ if now - started_at >= old => Line::new(
                    Level::Warn,
                    WHAT,
                    format!("{age}; `guildhall backup list` and the server's log say what became of later ones"),
                ),
                Some(why) => Line::new(
                    Level::Warn,
                    WHAT,
                    format!(
                        "{age}, but it is not checked yet: {}; `guildhall backup verify` does that now",
                        why.trim_end_matches('.')
                    ),
                ),
                None => Line::new(Level::Ok, WHAT, age),
            }
        }
        Ok(None) if planned => Line::new(
            Level::Warn,
            WHAT,
            "there is no good one yet where they are to go; the server makes them as the configuration says, and `guildhall backup` makes one now",
        ),
        Ok(None) => Line::new(
            Level::Warn,
            WHAT,
            "there is none, and none is planned: name a folder on another disk or a bucket in GUILDHALL_BACKUP_TO (docs/operators.md, Backups)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_backups_stand_is_told_with_what_to_do() {
        let now = DateTime::UNIX_EPOCH + Duration::days(100);
        let judged = |planned, good: Option<(Duration, Option<&str>)>| {
            let good = good
                .map(|(age, unchecked)| GoodBackup { started_at: now - age, unchecked: unchecked.map(str::to_owned) });
            let line = judge(planned, Ok(good), Duration::hours(26), now);
            (line.level, line.detail)
        };
        let level = |planned, good: Option<Duration>| judged(planned, good.map(|age| (age, None)));
        assert_eq!(
            level(true, Some(Duration::hours(25))),
            (Level::Ok, "the latest good one is 25 hours old".to_owned())
        );
        let (old, words) = level(false, Some(Duration::hours(27)));
        assert!(old == Level::Warn && words.contains("backup list"), "{words}");
        let (unchecked, words) = judged(true, Some((Duration::hours(3), Some("No room."))));
        assert!(
            unchecked == Level::Warn && words.contains("3 hours old, but it is not checked yet: No room; `guildhall"),
            "{words}"
        );
        let weekly = GoodBackup { started_at: now - Duration::days(6), unchecked: None };
        assert_eq!(judge(true, Ok(Some(weekly)), Duration::hours(170), now).level, Level::Ok, "it is made once a week");
        let (none, words) = level(true, None);
        assert!(none == Level::Warn && words.contains("no good one yet"), "{words}");
        let (none, words) = level(false, None);
        assert!(none == Level::Warn && words.contains("GUILDHALL_BACKUP_TO"), "{words}");
    }
}
