//! What a file system has of what it can run out of, and how little of it is too little for what.

use crate::reading::Used;

const MIB: u64 = 1024 * 1024;

/// What a file system has of what it can run out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: Used,
    /// Places for files, each file and folder one; nothing where they are made as they are needed.
    pub files: Option<Used>,
}

/// How many there are of something in a file system, as the kernel counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// All.
    pub all: u64,
    /// Those that nobody uses.
    pub free: u64,
    /// Those of them that others than root can have.
    pub usable: u64,
}

impl Counted {
    /// As `df` tells it: what is kept back for root nobody else can use, so it counts neither as used nor as there.
    fn used(self, each: u64) -> Used {
        let whole = |many: u64| i64::try_from(many.saturating_mul(each)).unwrap_or(i64::MAX);
        let used = whole(self.all.saturating_sub(self.free));
        Used { used, total: used.saturating_add(whole(self.usable)) }
    }
}

impl Room {
    /// What a file system has that counts its bytes in blocks of so many.
    pub fn of(blocks: Counted, block: u64, files: Counted) -> Self {
        Self { bytes: blocks.used(block), files: (files.all > 0).then(|| files.used(1)) }
    }

    /// Whether less than so much is left: a disk on which no more files can be made is full, whatever it has free.
    pub fn lacks(self, least: Least) -> bool {
        self.bytes.left() < least.bytes || self.files.is_some_and(|files| files.left() < least.files)
    }

    /// Whether so many percent of either are used, or more.
    pub fn is_over(self, percent: i64) -> bool {
        self.bytes.is_over(percent) || self.files.is_some_and(|files| files.is_over(percent))
    }

    /// The same when so many bytes, in so many files, are gone from it.
    #[must_use]
    pub fn without(self, bytes: u64, files: u64) -> Self {
        Self { bytes: self.bytes.without(bytes), files: self.files.map(|of| of.without(files)) }
    }
}

/// How much of a file system must be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// Bytes.
    pub bytes: u64,
    /// Places for files.
    pub files: u64,
}

impl Least {
    /// For a turn, of which a snapshot is taken: where there is less, none begins.
    pub const TURN: Self = Self { bytes: 16 * MIB, files: 1_000 };
    /// Beside a repository that is being made, for the turns of others: where there is less, it ends.
    pub const BESIDE_A_CLONE: Self = Self { bytes: 256 * MIB, files: Self::TURN.files };
    /// For a clone or a build, which soon takes as much: where there is less, an operator is to make room.
    pub const FOR_LONG: Self = Self { bytes: 1024 * MIB, files: 20_000 };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(all: u64, free: u64, usable: u64) -> Counted {
        Counted { all, free, usable }
    }

    #[test]
    fn what_is_kept_back_for_root_is_neither_used_nor_there() {
        let room = Room::of(counted(1_000, 100, 60), 4_096, counted(500, 90, 90));
        assert_eq!(room.bytes, Used { used: 900 * 4_096, total: 960 * 4_096 });
        assert_eq!(room.files, Some(Used { used: 410, total: 500 }));
        let room = Room::of(counted(1_000, 100, 60), 4_096, counted(0, 0, 0));
        assert_eq!(room.files, None, "it makes places as they are needed");
    }

    #[test]
    fn a_disk_is_full_when_it_has_no_bytes_or_no_places_for_files() {
        let has = |bytes: u64, files: Counted| Room::of(counted(bytes, bytes, bytes), 1, files);
        let files = |usable| counted(1_000_000, usable, usable);
        let bytes = Least::TURN.bytes;
        assert!(!has(bytes, files(1_000)).lacks(Least::TURN));
        assert!(has(bytes, files(999)).lacks(Least::TURN) && has(bytes - 1, files(1_000)).lacks(Least::TURN));
        assert!(!has(bytes, counted(0, 0, 0)).lacks(Least::TURN) && has(0, counted(0, 0, 0)).lacks(Least::TURN));
        // Whoever is told in time to make room has room for the rest meanwhile.
        let [turn, clone, long] = [Least::TURN, Least::BESIDE_A_CLONE, Least::FOR_LONG];
        assert!(turn.bytes < clone.bytes && clone.bytes < long.bytes);
        assert!(turn.files <= clone.files && clone.files < long.files);
    }

    #[test]
    fn a_disk_is_over_by_its_bytes_or_by_its_files() {
        let of = |bytes, files: Option<i64>| Room {
            bytes: Used { used: bytes, total: 100 },
            files: files.map(|used| Used { used, total: 1_000 }),
        };
        assert!(of(75, None).is_over(75) && of(10, Some(750)).is_over(75));
        assert!(!of(74, Some(749)).is_over(75) && !of(74, None).is_over(75));
        assert_eq!(of(75, Some(750)).without(5, 50), of(70, Some(700)));
    }
}
