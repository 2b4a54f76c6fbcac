//! Where and how backups are made.

use std::path::PathBuf;

use chrono::{Duration, NaiveTime};
use guildhall_team::backup::{BackupRules, S3Access, Shelf};
use guildhall_types::backup::{Keep, Rhythm};

use super::layers::{self, Settings, Value};
use super::parse::said_yes_or_no;

/// Where they go, if a place is named, and how they are made, which holds for commands that name another one, too.
pub(super) fn read(s: &mut Settings<'_>, s3: &S3Access) -> (Option<Shelf>, BackupRules) {
    let to = place(s, s3);
    let key_file = s.key_file(
        layers::BACKUP_KEY_FILE,
        "the absolute path of a file with 32 random bytes in base64, readable by its owner alone",
    );
    let rhythm = s.value(
        layers::BACKUP_EVERY,
        "a time of the day in UTC such as 03:00, a number of hours such as 6h, or off",
        rhythm,
    );
    let keep = s.value(
        layers::BACKUP_KEEP,
        "which backups are kept, the last one at least, such as: last 3, days 7, weeks 4",
        |text| text.parse::<Keep>().ok(),
    );
    let full_every = s.value(layers::BACKUP_FULL_EVERY, "a number of backups from 1 to 100", |text| {
        text.parse().ok().filter(|number| (1..=100).contains(number))
    });
    let verify = said_yes_or_no(s, layers::BACKUP_VERIFY);
    let scratch = s.value(layers::BACKUP_SCRATCH, "the absolute path of a folder", |text| {
        Some(PathBuf::from(text)).filter(|path| path.is_absolute())
    });
    let usual = BackupRules::default();
    let rules = BackupRules {
        rhythm: rhythm.unwrap_or(Some(Rhythm::Daily(NaiveTime::from_hms_opt(3, 0, 0).unwrap_or_default()))),
        keep: keep.unwrap_or(usual.keep),
        key_file,
        full_every: full_every.unwrap_or(usual.full_every),
        verify: verify.unwrap_or(usual.verify),
        scratch,
    };
    (to, rules)
}

/// Where backups go.
fn place(s: &mut Settings<'_>, s3: &S3Access) -> Option<Shelf> {
    let found = s.find(layers::BACKUP_TO)?;
    let Value::Text(text) = &found.value else {
        s.faults.push(found.bad_address("the absolute path of a folder, or s3:// and a bucket"));
        return None;
    };
    match Shelf::at(text.trim(), s3) {
        Ok(shelf) => Some(shelf),
        Err(bad) => {
            s.faults.push(found.bad_address(bad.to_string()));
            None
        }
    }
}

fn rhythm(text: &str) -> Option<Option<Rhythm>> {
    if text == "off" {
        return Some(None);
    }
    if let Some(hours) = text.strip_suffix('h') {
        let hours = hours.trim().parse::<i64>().ok().filter(|hours| (1..=24 * 31).contains(hours))?;
        return Some(Some(Rhythm::Every(Duration::hours(hours))));
    }
    NaiveTime::parse_from_str(text, "%H:%M").ok().map(|time| Some(Rhythm::Daily(time)))
}
