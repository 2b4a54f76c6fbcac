//! Packs a repository: snapshots make many small files, which take more of the disk and of every call's time than they need.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::confine::Walls;
use crate::locks::is_open;
use crate::worktree::blocking;
use crate::{GitError, Repo};

/// Loose objects, and packs, from which on a repository is packed: the figures of `git gc --auto`.
const LOOSE: u64 = 6_700;
const PACKS: u64 = 50;
/// Bytes of packs up to which all of them are made one, and what nothing refers to goes when it is old. Larger ones are only
/// added to: to write all of it anew would keep the disk busy for long.
const WHOLE: u64 = 2 * 1024 * 1024 * 1024;
/// What nothing refers to stays for so long: a call may be about to refer to it.
const UNUSED: &str = "--cruft-expiration=2.weeks.ago";
/// How long a packing may take.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// A half-written file of git that is older than this is a dead git's.
const DEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// What a packing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Loose objects before, about: one of 256 folders is counted, as git does.
    pub loose: u64,
    /// Packs before.
    pub packs: u64,
    /// Whether all packs were made one.
    pub whole: bool,
}

impl Repo {
    /// Packs the repository if it has become untidy; `always`, whether or not. Others may work with it meanwhile. Dropped, it
    /// ends, and nothing is lost.
    ///
    /// # Errors
    /// When git fails.
    pub async fn pack(&self, always: bool) -> Result<Option<Packed>, GitError> {
        let objects = self.objects();
        let found = blocking(move || {
            clear_half_written(&objects, SystemTime::now());
            Ok(look(&objects))
        });
        let found = found.await?;
        if !always && found.loose < LOOSE && found.packs < PACKS {
            return Ok(None);
        }
        let whole = found.bytes <= WHOLE;
        let walls = || Walls::of(Vec::new(), vec![self.path().to_owned()]);
        self.git("pack-refs").within(walls()).args(["--all", "--prune"]).run().await?;
        // Agents and members need the machine more.
        let how: &[&str] = match whole {
            true => &["-a", "-d", "-l", "-q", "--cruft", UNUSED],
            false => &["-d", "-l", "-q", "--geometric=2"],
        };
        self.git("repack")
            .of_all()
            .config("pack.threads=1")
            .config("pack.windowMemory=128m")
            .limit(LIMIT)
            .within(walls())
            .args(how)
            .run()
            .await?;
        Ok(Some(Packed { loose: found.loose, packs: found.packs, whole }))
    }
}

struct Found {
    loose: u64,
    packs: u64,
    bytes: u64,
}

fn look(objects: &Path) -> Found {
    let entries = |folder: &str| fs::read_dir(objects.join(folder)).into_iter().flatten().flatten();
    let loose = entries("17").count() as u64 * 256;
    let packs = entries("pack").filter(|entry| entry.path().extension().is_some_and(|end| end == "pack"));
    let (packs, bytes) =
        packs.fold((0, 0), |(packs, bytes), entry| (packs + 1, bytes + entry.metadata().map_or(0, |meta| meta.len())));
    Found { loose, packs, bytes }
}

/// Takes away what dead gits left half written: files, and the folders in which pushes are until all of them is there.
fn clear_half_written(objects: &Path, now: SystemTime) {
    let dead = |entry: &fs::DirEntry| {
        let changed = entry.metadata().and_then(|meta| meta.modified());
        changed.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > DEAD))
    };
    let gone = |entry: &fs::DirEntry| {
        tracing::info!(path = %entry.path().display(), "what a dead git had left half written was removed");
    };
    for entry in fs::read_dir(objects).into_iter().flatten().flatten() {
        let push = entry.file_name().to_str().is_some_and(|name| name.starts_with("tmp_objdir-"));
        if push && dead(&entry) && fs::remove_dir_all(entry.path()).is_ok() {
            gone(&entry);
        }
    }
    let folders = fs::read_dir(objects).into_iter().flatten().flatten().filter(|entry| {
        let name = entry.file_name();
        name.len() == 2 || name == "pack"
    });
    for entry in folders.filter_map(|folder| fs::read_dir(folder.path()).ok()).flatten().flatten() {
        let name = entry.file_name();
        let half = name.to_str().is_some_and(|name| name.starts_with("tmp_") || name.starts_with(".tmp-"));
        if half && dead(&entry) && fs::remove_file(entry.path()).is_ok() {
            gone(&entry);
        }
    }
}

/// Takes away what a git left half written since `begun` that was ended: packs that came, and nobody has open any more. What others
/// are at work on stays. Blocks.
pub(crate) fn clear_cut_off(objects: &Path, begun: SystemTime) {
    for entry in fs::read_dir(objects.join("pack")).into_iter().flatten().flatten() {
        let half = entry.file_name().to_str().is_some_and(|name| name.starts_with("tmp_pack_"));
        let since =
            entry.metadata().and_then(|meta| meta.created().or_else(|_| meta.modified())).is_ok_and(|at| at >= begun);
        if half && since && !is_open(&entry.path()) && fs::remove_file(entry.path()).is_ok() {
            tracing::info!(path = %entry.path().display(), "what a git that was ended had left half written was removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, NewFile};

    #[tokio::test]
    async fn a_packed_repository_holds_what_it_held_with_fewer_files() {
        let dir = tempfile::tempdir().unwrap();
        let author = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
        let files: Vec<NewFile> = (0..40)
            .map(|number| NewFile {
                path: format!("f{number}.txt"),
                bytes: format!("{number}\n").repeat(100).into_bytes(),
                executable: false,
            })
            .collect();
        let repo = Repo::create(&dir.path().join("p.git"), "main", &author, "First", &files).await.unwrap();
        let base = repo.branch("main").await.unwrap().unwrap();
        // A worktree with a snapshot on a hidden ref, and a change that only its index holds.
        let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "guild/one", &base).await.unwrap();
        std::fs::write(worktree.tree().join("new.txt"), "new\n").unwrap();
        let taken = repo.snapshot(&worktree, &base, "Turn 1\n", &author).await.unwrap().commit.unwrap();

        assert_eq!(repo.pack(false).await.unwrap(), None, "it is tidy enough");
        let half = repo.objects().join("pack/tmp_pack_dead");
        std::fs::write(&half, "half").unwrap();
        let push = repo.objects().join("tmp_objdir-incoming-dead");
        std::fs::create_dir(&push).unwrap();
        std::fs::write(push.join("file"), "half").unwrap();
        let packed = repo.pack(true).await.unwrap().unwrap();
        assert!(packed.whole && packed.packs == 0);
        let after = look(&repo.objects());
        assert!(after.packs >= 1 && after.loose == 0);
        assert!(half.exists() && push.exists(), "they may be at work");
        clear_cut_off(&repo.objects(), SystemTime::now() + DEAD);
        assert!(half.exists(), "it was there before");
        let mine = repo.objects().join("pack/tmp_pack_mine");
        let held = std::fs::File::create(&mine).unwrap();
        clear_cut_off(&repo.objects(), SystemTime::UNIX_EPOCH);
        assert!(mine.exists() && !half.exists(), "somebody is at work on it");
        drop(held);
        clear_cut_off(&repo.objects(), SystemTime::UNIX_EPOCH);
        assert!(!mine.exists());
        clear_half_written(&repo.objects(), SystemTime::now() + DEAD * 2);
        assert!(!half.exists() && !push.exists());

        assert_eq!(repo.branch("main").await.unwrap(), Some(base.clone()));
        assert_eq!(repo.snapshot_of("r1").await.unwrap(), Some(taken.clone()));
        let read = repo.file_at(&taken, "new.txt", 100).await.unwrap();
        assert_eq!(read, Some(crate::Blob::Bytes(b"new\n".to_vec())));
        // And it is worked with as before.
        std::fs::write(worktree.tree().join("more.txt"), "more\n").unwrap();
        repo.snapshot(&worktree, &taken, "Turn 2\n", &author).await.unwrap().commit.unwrap();
        repo.remove_worktree(&worktree).await.unwrap();
    }
}
