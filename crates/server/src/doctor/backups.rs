//! Backups: whether there is a place for them, and how old the latest good one is.

use std::time::Duration as StdDuration;

use chrono::Duration;
use guildhall_store::{Store, StoreError};
use guildhall_team::backup::Shelf;
use guildhall_types::DateTime;

use super::{Level, Line};
use crate::config::Config;
use crate::problem::chain;

const WHAT: &str = "backups";
/// From which age on the latest good one is old: a day's, and some hours for making it. The alert's own threshold begins there too.
const OLD: Duration = Duration::hours(26);

/// How long a store may take for one small object.
const STORE: StdDuration = StdDuration::from_secs(20);

/// Whether the bucket that backups go to can be listed, and one small object written, read and deleted there. A folder is looked at
/// when a backup is made.
pub(super) async fn place(config: &Config) -> Option<Line> {
    const WHAT: &str = "place for backups";
    let Shelf::Bucket(bucket) = &config.backup.as_ref()?.shelf else { return None };
    let line = match tokio::time::timeout(STORE, bucket.try_out()).await {
        Ok(Ok(())) => Line::new(
            Level::Ok,
            WHAT,
            format!("{bucket} at {}: one small object was written, read and deleted", bucket.endpoint()),
        ),
        Ok(Err(error)) => Line::new(Level::Fail, WHAT, chain(&error)),
        Err(_) => Line::new(
            Level::Fail,
            WHAT,
            format!("{bucket}: {} did not do it within {} seconds", bucket.endpoint(), STORE.as_secs()),
        ),
    };
    Some(line)
}

pub(super) async fn examine(config: &Config, store: &Store, now: DateTime) -> Line {
    judge(config.backup.is_some(), store.last_good_backup().await, now)
}

fn judge(planned: bool, good: Result<Option<DateTime>, StoreError>, now: DateTime) -> Line {
    match good {
        Err(error) => {
            Line::new(Level::Warn, WHAT, format!("it cannot be looked up which there are: {}", chain(&error)))
        }
        Ok(Some(at)) if now - at < OLD => {
            Line::new(Level::Ok, WHAT, format!("the latest good one is {} hours old", (now - at).num_hours()))
        }
        Ok(Some(at)) => Line::new(
            Level::Warn,
            WHAT,
            format!(
                "the latest good one is {} hours old; `guildhall backup list` and the server's log say what became of later ones",
                (now - at).num_hours()
            ),
        ),
        Ok(None) if planned => Line::new(
            Level::Warn,
            WHAT,
            "there is no good one yet; the server makes them as the configuration says, and `guildhall backup` makes one now",
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
        let level = |planned, good: Option<Duration>| {
            let line = judge(planned, Ok(good.map(|age| now - age)), now);
            (line.level, line.detail)
        };
        assert_eq!(
            level(true, Some(Duration::hours(25))),
            (Level::Ok, "the latest good one is 25 hours old".to_owned())
        );
        let (old, words) = level(false, Some(Duration::hours(27)));
        assert!(old == Level::Warn && words.contains("backup list"), "{words}");
        let (none, words) = level(true, None);
        assert!(none == Level::Warn && words.contains("no good one yet"), "{words}");
        let (none, words) = level(false, None);
        assert!(none == Level::Warn && words.contains("GUILDHALL_BACKUP_TO"), "{words}");
    }
}
