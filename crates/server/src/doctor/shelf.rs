//! Where backups go, and what they are sealed with: whether the server can write the one and read the other.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use guildhall_team::backup::{BackupKey, Bucket, Shelf};
use guildhall_types::room::Room;
use rustix::fs::Access;
use rustix::io::Errno;

use super::disk::{Kind, is_full, kind_at, shown};
use super::files::nearest;
use super::{Level, Line};
use crate::config::Config;
use crate::problem::chain;

const WHAT: &str = "place for backups";
const SCRATCH: &str = "place where backups are looked at";
/// How long a store may take for one small object.
const STORE: Duration = Duration::from_secs(20);
/// How long systemd may take to say what it lets the server write.
const SYSTEMD: Duration = Duration::from_secs(5);
/// The share of the disk for backups that may be used before it is time to look after it. Old ones go by themselves, so that a disk
/// which is well used is no fault.
const USED: f64 = 0.9;

pub(super) async fn examine(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    match &config.backup {
        Some(Shelf::Bucket(place)) => lines.push(bucket(place).await),
        Some(Shelf::Folder(path)) => {
            lines.extend(folder(path, &config.data_dir));
        }
        None => {}
    }
    let rules = &config.backup_rules;
    let scratch = rules.scratch.as_deref().filter(|_| config.backup.is_some() && rules.verify);
    lines.extend(scratch.map(scratch_folder));
    let folder = match &config.backup {
        Some(Shelf::Folder(path)) => Some((WHAT, path.as_path())),
        _ => None,
    };
    let written: Vec<_> = folder.into_iter().chain(scratch.map(|path| (SCRATCH, path))).collect();
    if rules.rhythm.is_some()
        && !written.is_empty()
        && let Some(unit) = unit().await
    {
        lines.extend(written.into_iter().filter_map(|(what, path)| forbidden(&unit, what, path)));
    }
    lines.extend(config.backup_rules.key_file.as_deref().map(|path| key(path, &config.data_dir)));
    lines
}

/// Whether the folder in which backups are restored to look at them is there, and can be written. Nobody makes it by itself.
fn scratch_folder(path: &Path) -> Line {
    let (shown, own) = (path.display(), rustix::process::geteuid().as_raw());
    if !path.is_dir() {
        let detail = format!(
            "{shown} is not there; as root: install -d -m 0700 -o {own} {shown}, or name another folder in GUILDHALL_BACKUP_SCRATCH"
        );
        return Line::new(Level::Fail, SCRATCH, detail);
    }
    match rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Line::new(Level::Ok, SCRATCH, format!("{shown} can be written")),
        Err(error) => {
            let detail = format!(
                "{shown} cannot be written by this user ({error}); as root: chown {own} {shown}, or name another folder in GUILDHALL_BACKUP_SCRATCH"
            );
            Line::new(Level::Fail, SCRATCH, detail)
        }
    }
}

/// Whether the bucket can be listed, and one small object written, read and deleted there.
async fn bucket(bucket: &Bucket) -> Line {
    match tokio::time::timeout(STORE, bucket.try_out()).await {
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
    }
}

/// Whether a folder can be written, has room, and is still there when the data is lost. Nothing is written or made.
fn folder(path: &Path, data: &Path) -> Vec<Line> {
    let there = nearest(path);
    if !there.is_dir() {
        let detail = format!("{} is not a folder; name another one in GUILDHALL_BACKUP_TO", there.display());
        return vec![Line::new(Level::Fail, WHAT, detail)];
    }
    if let Err(error) = rustix::fs::access(there, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        return vec![Line::new(Level::Fail, WHAT, closed(path, there, error))];
    }
    let mut lines = room(path, guildhall_git::room(there));
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    let beside = device(there).is_some() && device(there) == device(nearest(data));
    lines.extend(lost(path, data, kind_at(there), beside));
    lines
}

fn closed(path: &Path, there: &Path, error: Errno) -> String {
    let (shown, own) = (path.display(), rustix::process::geteuid().as_raw());
    let what = if there == path { "cannot be written" } else { "is not there and cannot be made" };
    match error {
        Errno::ROFS => format!(
            "{shown} {what}: {} is mounted to be read only; mount it so that it can be written, or name another folder in GUILDHALL_BACKUP_TO",
            there.display()
        ),
        error => format!(
            "{shown} {what} by this user ({error}); as root: install -d -m 0700 -o {own} {shown}, or name another folder in GUILDHALL_BACKUP_TO"
        ),
    }
}

fn room(path: &Path, room: io::Result<Room>) -> Vec<Line> {
    let at = path.display();
    let room = match room {
        Err(error) => {
            let detail = format!("the room in {at} cannot be looked at: {error}");
            return vec![Line::new(Level::Warn, WHAT, detail)];
        }
        Ok(room) => room,
    };
    let has = shown(room);
    let (level, detail) = match (is_full(room), room.bytes.share() > USED) {
        (true, _) => (
            Level::Fail,
            format!("{at} has {has}; make room, keep fewer (GUILDHALL_BACKUP_KEEP), or name a larger disk"),
        ),
        (false, true) => (Level::Warn, format!("{at} has {has}; make room soon, or keep fewer")),
        (false, false) => (Level::Ok, format!("{at} can be written, {has}")),
    };
    vec![Line::new(level, WHAT, detail)]
}

/// Whether backups there go together with the data, or before it.
fn lost(path: &Path, data: &Path, kind: Option<Kind>, beside: bool) -> Option<Line> {
    let shown = path.display();
    let detail = match kind {
        Some(Kind::Layer) => {
            format!("{shown} lies in the container itself and goes with it: mount another disk there (compose.yaml)")
        }
        Some(Kind::Memory) => format!("{shown} lies in memory and is lost when the machine restarts: name a disk"),
        _ if beside => format!(
            "{shown} is on the same disk as the data in {}, so that both are lost together; name another disk or a bucket. If one is to be mounted there, it is not: findmnt --target {shown}",
            data.display()
        ),
        _ => return None,
    };
    Some(Line::new(Level::Warn, WHAT, detail))
}

/// What systemd says of the unit that the server runs in, where there is a systemd.
async fn unit() -> Option<String> {
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let mut systemctl = tokio::process::Command::new("systemctl");
    systemctl.args(["show", "guildhall.service", "--property=LoadState,ProtectSystem,ReadWritePaths"]);
    let said = systemctl.stdin(std::process::Stdio::null()).kill_on_drop(true).output();
    let said = tokio::time::timeout(SYSTEMD, said).await.ok()?.ok()?;
    String::from_utf8(said.stdout).ok()
}

/// Says so where the unit keeps the server from writing there: whoever asks from a shell can.
fn forbidden(unit: &str, what: &'static str, path: &Path) -> Option<Line> {
    let of = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let mut open = of("ReadWritePaths").split(' ').map(|path| path.trim_start_matches(['-', '+']));
    // Below it are the data folder and what is named.
    let closed = of("LoadState") == "loaded" && of("ProtectSystem") == "strict";
    if !closed || open.any(|open| !open.is_empty() && path.starts_with(open)) {
        return None;
    }
    let shown = path.display();
    let detail = format!(
        "guildhall.service may not write to {shown}, though this user may; run systemctl edit guildhall, write [Service] and ReadWritePaths={shown}, and restart it"
    );
    Some(Line::new(Level::Fail, what, detail))
}

/// Whether the server can read what backups are sealed with: nobody finds out before the first of them is due.
fn key(path: &Path, data: &Path) -> Line {
    const WHAT: &str = "key that seals backups";
    let (shown, read) = (path.display(), BackupKey::read(path));
    // Whose the data is runs the server, whoever runs this.
    let own = std::fs::metadata(data).map_or_else(|_| rustix::process::geteuid().as_raw(), |found| found.uid());
    let foreign = std::fs::metadata(path).map(|found| found.uid()).ok().filter(|owner| *owner != own && own != 0);
    let mend = foreign.map(|owner| {
        format!(
            "it belongs to user {owner}, and the server runs as user {own}; as root: chown {own} {shown} && chmod 600 {shown}"
        )
    });
    match (read, mend) {
        (Ok(key), None) => {
            let detail = format!(
                "{shown} holds the key {}; keep a copy of it apart from this server and from the backups",
                key.name()
            );
            Line::new(Level::Ok, WHAT, detail)
        }
        (Ok(_), Some(mend)) => Line::new(Level::Fail, WHAT, format!("{shown}: {mend}")),
        (Err(error), None) => Line::new(Level::Fail, WHAT, chain(&error)),
        (Err(error), Some(mend)) => Line::new(Level::Fail, WHAT, format!("{}; {mend}", chain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_on_the_disk_of_the_data_is_told_and_so_is_one_that_soon_goes() {
        let (path, data) = (Path::new("/mnt/backups"), Path::new("/var/lib/guildhall"));
        let told = |kind, beside| lost(path, data, kind, beside).map(|line| (line.level, line.detail));
        assert_eq!(told(Some(Kind::Local), false), None);
        assert_eq!(told(Some(Kind::Network("NFS")), false), None, "another machine is another place");
        for (kind, beside, part) in [
            (Kind::Local, true, "findmnt --target /mnt/backups"),
            (Kind::Layer, false, "mount another disk there"),
            (Kind::Memory, false, "lost when the machine restarts"),
        ] {
            let (level, detail) = told(Some(kind), beside).unwrap();
            assert!(level == Level::Warn && detail.contains(part), "{detail}");
        }
        // As it is found: both in one folder, the one for backups yet to be made, and nothing is.
        let dir = tempfile::tempdir().unwrap();
        let lines = folder(&dir.path().join("mnt/backups"), &dir.path().join("data"));
        assert!(lines.len() == 2 && lines[1].level == Level::Warn, "{lines:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_told_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [&file, &file.join("below")] {
            let lines = folder(path, dir.path());
            assert!(lines[0].level == Level::Fail && lines[0].detail.contains("is not a folder"), "{lines:?}");
        }
        let path = Path::new("/mnt/backups");
        let own = rustix::process::geteuid().as_raw();
        let told = closed(path, path, Errno::ACCESS);
        assert!(told.contains("cannot be written") && told.contains(&format!("-o {own} /mnt/backups")), "{told}");
        let told = closed(path, Path::new("/mnt"), Errno::ACCESS);
        assert!(told.contains("is not there and cannot be made") && told.contains("install -d"), "{told}");
        let told = closed(path, Path::new("/"), Errno::ROFS);
        assert!(told.contains("/ is mounted to be read only") && !told.contains("install -d"), "{told}");
        // Nothing has room there.
        let full = room(Path::new("/mnt/backups"), guildhall_git::room(Path::new("/proc")));
        assert!(full[0].level == Level::Fail && full[0].detail.contains("GUILDHALL_BACKUP_KEEP"), "{full:?}");
    }

    #[test]
    fn a_folder_in_which_no_backup_can_be_looked_at_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(scratch_folder(dir.path()).level, Level::Ok);
        let told = scratch_folder(&dir.path().join("scratch"));
        assert!(told.level == Level::Fail && told.detail.contains("install -d -m 0700"), "{told:?}");
        assert!(!dir.path().join("scratch").exists());
    }

    #[test]
    fn a_folder_that_the_unit_does_not_open_is_told() {
        let told =
            |unit: &str| forbidden(unit, SCRATCH, Path::new("/mnt/backups")).map(|line| (line.level, line.detail));
        let (level, detail) = told("LoadState=loaded\nProtectSystem=strict\nReadWritePaths=\n").unwrap();
        assert!(level == Level::Fail && detail.contains("ReadWritePaths=/mnt/backups"), "{detail}");
        assert!(told("ReadWritePaths=/srv /mnt/back\nLoadState=loaded\nProtectSystem=strict\n").is_some());
        for open in ["/srv /mnt/backups", "-/mnt", "/"] {
            assert_eq!(
                told(&format!("LoadState=loaded\nProtectSystem=strict\nReadWritePaths={open}\n")),
                None,
                "{open}"
            );
        }
        assert_eq!(told("LoadState=loaded\nProtectSystem=full\nReadWritePaths=\n"), None);
        assert_eq!(told("LoadState=not-found\nProtectSystem=no\nReadWritePaths=\n"), None, "there is no such unit");
    }

    #[test]
    fn a_key_that_the_server_cannot_read_is_told_before_the_first_backup() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup.key");
        let told = || key(&path, dir.path());
        assert!(told().level == Level::Fail && told().detail.contains("No such file"), "{:?}", told());
        std::fs::write(&path, "A".repeat(43) + "=\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(told().level == Level::Fail && told().detail.contains("chmod 600"), "{:?}", told());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(told().level == Level::Ok && told().detail.contains("keep a copy"), "{:?}", told());
        // Only root gives files away: as from whoever makes the key as root, for a server that is another user.
        let own = rustix::process::geteuid().as_raw() + 7;
        if rustix::fs::chown(dir.path(), Some(rustix::fs::Uid::from_raw(own)), None).is_ok() {
            let line = told();
            assert!(line.level == Level::Fail && line.detail.contains(&format!("chown {own} ")), "{line:?}");
        }
    }
}
