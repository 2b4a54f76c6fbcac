//! Looks after what a worktree takes of the disk while a command runs in it: no ordinary file system bounds a folder, so
//! that the command is ended when the folder has grown too large.
//!
//! A walk over all files is dear, what the whole disk has free is cheap: a walk is due only when so much less is free that
//! the folder could have grown beyond its bound, or when the last one is long ago.
//!
//! Not all that fills a disk is found by a walk: a closed folder, one that is too deep and a file that has no name any more
//! are not. So when a disk is nearly used up, whatever was at work while it filled is ended, wherever that lies.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cap_std::fs::{Dir, MetadataExt};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::Room;
use crate::cgroup::{Over, Share};

/// How often it is asked what the disk has free.
const OFTEN: Duration = Duration::from_secs(1);
/// After how long the files are counted, whatever the disk has free: others may have made room meanwhile.
const SELDOM: Duration = Duration::from_secs(30);
/// A walk may take this part of the time, and so many seconds at once.
const SHARE: u32 = 10;
const LONGEST: Duration = Duration::from_secs(20);
/// Files and folders that a worktree may hold.
const MOST_FILES: u64 = 1_000_000;
/// Bytes that stay free on the disk, or a part of it where it is small: for the server itself.
const RESERVE: u64 = 512 * 1024 * 1024;
const PART: u64 = 20;

/// A watch over the folders of a room.
#[derive(Debug)]
pub(super) struct Growth {
    told: Option<oneshot::Receiver<Over>>,
    task: Option<AbortHandle>,
    folders: Folders,
}

/// What is watched.
#[derive(Debug, Clone)]
struct Folders {
    list: Vec<PathBuf>,
    /// What tools keep: other commands write there as well, so that what comes to it counts, and not what is in it.
    cache: Option<PathBuf>,
    share: Option<Share>,
    /// What the disk had free when the command began.
    free: u64,
}

impl Growth {
    /// Watches the folders that commands in this room can write. They may grow to what the room's share says, or stay as
    /// large as they are: what that is has to be known before anything begins there, so that of a run's first command it is counted.
    pub(super) async fn watch(room: &Room) -> Self {
        let list: Vec<PathBuf> = std::iter::once(&room.tree).chain(&room.git).cloned().collect();
        let free = Disk::of(&room.tree).free;
        // What is frozen does not grow.
        let share = room.share.clone().filter(|_| !room.frozen);
        let folders = Folders { list, cache: room.cache.clone(), share, free };
        let Some(share) = folders.share.clone() else { return Self { told: None, task: None, folders } };
        if share.disk() == 0 {
            folders.count(&share).await;
        }
        let (tell, told) = oneshot::channel();
        let watched = folders.clone();
        let task = tokio::spawn(async move {
            let over = watched.grow_over(&share).await;
            let _ = tell.send(over);
        });
        Self { told: Some(told), task: Some(task.abort_handle()), folders }
    }

    /// Waits until the folders have grown too large, perhaps for ever. May be given up and asked again.
    pub(super) async fn over(&mut self) -> Over {
        if let Some(told) = &mut self.told {
            let over = told.await;
            self.told = None;
            if let Ok(over) = over {
                return over;
            }
        }
        std::future::pending().await
    }

    /// Whether a command that has ended left the folders too large. A short one is not noticed before.
    pub(super) async fn at_the_end(&self) -> Option<Over> {
        let share = self.folders.share.clone()?;
        let free = Disk::of(self.folders.list.first()?).free;
        let taken = self.folders.free.saturating_sub(free);
        if share.disk().saturating_add(taken) <= share.most_disk() {
            return None;
        }
        let before = share.disk();
        let over = self.folders.count(&share).await.filter(|_| share.disk() > before)?;
        share.hit(over);
        Some(over)
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Folders {
    /// Waits until the folders have grown too large, or the disk is used up.
    async fn grow_over(&self, share: &Share) -> Over {
        let Some(tree) = self.list.first() else { return std::future::pending().await };
        let over = tokio::select! {
            over = self.outgrow(tree, share) => over,
            // However long a walk takes.
            () = self.use_up(tree) => Over::HostDisk,
        };
        share.hit(over);
        over
    }

    async fn use_up(&self, tree: &Path) {
        while !Disk::of(tree).is_used_up(self.free) {
            tokio::time::sleep(OFTEN).await;
        }
    }

    async fn outgrow(&self, tree: &Path, share: &Share) -> Over {
        let (mut free, mut counted, mut took) = (self.free, Instant::now(), Duration::ZERO);
        // Who begins beyond the bound may delete, and not add.
        let begun = share.disk();
        loop {
            tokio::time::sleep(OFTEN).await;
            let disk = Disk::of(tree);
            let taken = free.saturating_sub(disk.free);
            let room = share.most_disk().saturating_sub(share.disk());
            let full = disk.free < disk.reserve && disk.free < self.free;
            let due = full || taken > room / 2 || counted.elapsed() >= SELDOM;
            if !due || counted.elapsed() < took * SHARE {
                continue;
            }
            let (started, before) = (Instant::now(), share.disk());
            let over = self.count(share).await;
            (took, counted, free) = (started.elapsed(), Instant::now(), disk.free);
            match over {
                Some(over) if share.disk() > begun.max(before) => return over,
                _ if full && share.disk() > before => return Over::HostDisk,
                _ => {}
            }
        }
    }

    /// Counts what the folders take, and says whether that is too much.
    async fn count(&self, share: &Share) -> Option<Over> {
        let (list, cache) = (self.list.clone(), self.cache.clone());
        let sizes = tokio::task::spawn_blocking(move || {
            let until = Instant::now() + LONGEST;
            let own: Vec<Size> = list.iter().map(|at| size(at, until)).collect();
            (own, cache.map(|at| size(&at, until)))
        });
        let (own, cache) = sizes.await.unwrap_or_default();
        let (used, files) = own.iter().fold((0, 0), |(used, files), size| (used + size.bytes, files + size.files));
        // One that could not be looked through does not tell how much has come to it.
        let added = cache.filter(|cache| cache.whole).map_or(0, |cache| share.cache_added(cache.bytes));
        share.set_disk(used + added);
        let most = share.most_disk();
        if files > MOST_FILES {
            return Some(Over::Files { most: MOST_FILES });
        }
        if used > most {
            return Some(Over::Disk { used, most });
        }
        (added > most).then_some(Over::Cache { added, most })
    }
}

/// A disk.
#[derive(Debug, Clone, Copy)]
struct Disk {
    free: u64,
    /// What is to stay free.
    reserve: u64,
}

impl Disk {
    /// The disk that holds a folder. One that cannot be looked at has room.
    fn of(folder: &Path) -> Self {
        match rustix::fs::statvfs(folder) {
            Ok(found) => {
                let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
                Self { free: bytes(found.f_bavail), reserve: RESERVE.min(bytes(found.f_blocks) / PART) }
            }
            Err(_) => Self { free: u64::MAX, reserve: 0 },
        }
    }

    /// Whether so little is free that the server itself is about to fail, and less than `before`.
    fn is_used_up(self, before: u64) -> bool {
        self.free < self.reserve / 2 && self.free < before
    }
}

/// What a folder holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    bytes: u64,
    files: u64,
    /// Whether it was gone through to its end.
    whole: bool,
}

/// Counts what a folder takes of the disk with all that is in it, until there are too many files or it is late. No link is
/// followed; what goes away meanwhile is not counted.
fn size(folder: &Path, until: Instant) -> Size {
    let mut size = Size::default();
    let Ok(root) = Dir::open_ambient_dir(folder, cap_std::ambient_authority()) else { return size };
    let mut waiting = vec![PathBuf::from(".")];
    while let Some(path) = waiting.pop() {
        let Ok(entries) = root.read_dir(&path) else { continue };
        for entry in entries.flatten() {
            if size.files > MOST_FILES || (size.files.is_multiple_of(256) && Instant::now() > until) {
                return size;
            }
            size.files += 1;
            let Ok(found) = entry.metadata() else { continue };
            // A file of several names counts once, if all of them are here.
            let names = if found.is_dir() { 1 } else { found.nlink().max(1) };
            size.bytes += found.blocks() * 512 / names;
            if found.is_dir() {
                waiting.push(path.join(entry.file_name()));
            }
        }
    }
    size.whole = true;
    size
}

#[cfg(test)]
mod tests {
    use guildhall_types::MemberId;
    use guildhall_types::limits::Limits;

    use super::*;
    use crate::Groups;

    fn of(folder: &Path) -> Size {
        size(folder, Instant::now() + Duration::from_secs(60))
    }

    #[test]
    fn what_a_folder_takes_is_counted_once_and_within_it() {
        let place = tempfile::tempdir().unwrap();
        let (inside, outside) = (place.path().join("inside"), place.path().join("outside"));
        for folder in [&inside, &outside] {
            std::fs::create_dir_all(folder.join("deep/er")).unwrap();
        }
        std::fs::write(outside.join("large"), vec![1; 4 << 20]).unwrap();
        let empty = of(&inside);
        std::fs::write(inside.join("deep/er/file"), vec![1; 1 << 20]).unwrap();
        let one = of(&inside);
        assert_eq!(one.files, empty.files + 1);
        assert!((1 << 20..(1 << 20) + 65_536).contains(&(one.bytes - empty.bytes)), "{empty:?} {one:?}");
        std::fs::hard_link(inside.join("deep/er/file"), inside.join("again")).unwrap();
        std::os::unix::fs::symlink("../outside", inside.join("out")).unwrap();
        std::os::unix::fs::symlink(".", inside.join("deep/round")).unwrap();
        let same = of(&inside);
        assert_eq!(same.files, one.files + 3);
        assert!(same.bytes - one.bytes < 65_536, "{one:?} {same:?}");
        // A hole takes nothing.
        std::fs::File::create(inside.join("hole")).unwrap().set_len(1 << 40).unwrap();
        assert!(of(&inside).bytes - same.bytes < 65_536);
        assert_eq!(of(&place.path().join("gone")).bytes, 0);
    }

    #[test]
    fn a_walk_ends_in_time() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file"), "x").unwrap();
        let late = size(place.path(), Instant::now() - Duration::from_secs(1));
        assert_eq!((late.files, late.whole), (0, false));
        assert!(of(place.path()).whole);
    }

    #[test]
    fn a_disk_is_used_up_for_whoever_was_at_work_while_it_filled() {
        let disk = Disk { free: 200, reserve: 500 };
        assert!(disk.is_used_up(201) && !disk.is_used_up(200), "what began on a full disk may make room");
        assert!(!Disk { free: 250, ..disk }.is_used_up(900), "what can be told apart is, until half of it is used");
    }

    #[tokio::test]
    async fn a_cache_counts_by_what_comes_to_it() {
        let limits = Limits { max_disk_mb_per_worktree: 2, ..Limits::default() };
        let groups = tokio::task::spawn_blocking(move || Groups::begin(limits)).await.unwrap();
        let share = async |name: &str| groups.share(MemberId::new(), name).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let (tree, cache) = (place.path().join("tree"), place.path().join("cache"));
        let write = |at: &Path, mb: usize| std::fs::write(at, vec![1; mb << 20]).unwrap();
        std::fs::create_dir(&tree).unwrap();
        std::fs::create_dir(&cache).unwrap();
        write(&tree.join("large"), 4);
        write(&cache.join("old"), 8);
        let one = share("one").await;
        let folders =
            Folders { list: vec![tree.clone()], cache: Some(cache.clone()), share: Some(one.clone()), free: 100 << 20 };
        assert!(matches!(folders.count(&one).await, Some(Over::Disk { .. })));
        assert!((4 << 20..5 << 20).contains(&one.disk()), "what was in the cache is nobody's: {}", one.disk());

        std::fs::remove_file(tree.join("large")).unwrap();
        write(&cache.join("new"), 1);
        assert_eq!(folders.count(&one).await, None);
        write(&cache.join("newer"), 2);
        let over = folders.count(&one).await;
        let Some(Over::Cache { added, most }) = over else { panic!("{over:?}") };
        assert!(most == 2_000_000 && (3 << 20..4 << 20).contains(&added), "{added}");
        assert_eq!(folders.count(&share("two").await).await, None, "for who comes later it was there before");
    }

    /// Later nobody could tell what a run's first command added from what it found: what the disk has lost since says nothing
    /// where others delete.
    #[tokio::test]
    async fn what_a_worktree_takes_is_known_before_its_first_command_begins() {
        let groups = tokio::task::spawn_blocking(|| Groups::begin(Limits::default())).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let write = |mb: usize| std::fs::write(place.path().join("file"), vec![1; mb << 20]).unwrap();
        write(3);
        let share = groups.share(MemberId::new(), "run").await.unwrap();
        let room = Room { share: Some(share.clone()), ..Room::new(place.path().to_owned()) };
        let before = Growth::watch(&room).await;
        assert!((3 << 20..4 << 20).contains(&share.disk()), "{}", share.disk());
        drop(before);
        write(5);
        Growth::watch(&room).await;
        assert!(share.disk() < 4 << 20, "it is counted once, and looked after from then on");
    }
}
