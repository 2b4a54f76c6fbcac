//! The limits that a command can come up against, in words.

use std::fmt;

use guildhall_types::limits::MB;

/// A limit that a command came up against. Its words are a whole sentence, for whoever reads the command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// A process was killed, because the run's commands together needed more memory than is the run's part.
    RunMemory {
        /// Bytes that are the run's part.
        part: u64,
        /// Bytes that its member may have.
        whole: u64,
        /// The member's runs at work, this one included.
        runs: u64,
    },
    /// A process was killed, because all commands of the member together needed more memory than the member may have.
    MemberMemory {
        /// Bytes that the member may have.
        whole: u64,
    },
    /// A process was killed, because the machine, or the container that the server runs in, has no more memory.
    HostMemory,
    /// Processes could not be started, because there were as many as there may be.
    Processes {
        /// How many the run may have.
        part: u64,
        /// How many its member may have.
        whole: u64,
    },
    /// Processes could not be started, because all runs of the member together had as many as the member may have. Whose command was
    /// to start them, the kernel does not tell.
    MemberProcesses {
        /// How many the member may have.
        whole: u64,
    },
    /// The worktree has grown beyond what it may take of the disk.
    Disk {
        /// Bytes that it takes, as far as they were counted.
        used: u64,
        /// Bytes that it may take.
        most: u64,
    },
    /// The worktree holds more files than can be looked after.
    Files {
        /// How many there may be.
        most: u64,
    },
    /// The caches have grown by more than a worktree may take, while the run was at work.
    Cache {
        /// Bytes that have come to them.
        added: u64,
        /// Bytes that may come to them.
        most: u64,
    },
    /// The server's disk is nearly full, and became so while the command was at work.
    HostDisk,
}

impl Over {
    /// Whether processes were killed, or the whole command was ended.
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Processes { .. } | Self::MemberProcesses { .. })
    }

    /// What whoever wrote the command can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::RunMemory { .. } | Self::MemberMemory { .. } => {
                "Do less at once: fewer parallel jobs, smaller inputs, one package at a time."
            }
            Self::HostMemory => "Do less at once, or try again later.",
            Self::Processes { .. } | Self::MemberProcesses { .. } => {
                "Start fewer processes at once, and wait for those that were started."
            }
            Self::Disk { .. } | Self::Files { .. } | Self::Cache { .. } => {
                "Delete what is not needed, such as build output and downloads, and make less of it."
            }
            Self::HostDisk => "Delete what is not needed; whoever runs the server has to make room.",
        }
    }
}

fn mb(bytes: u64) -> u64 {
    bytes.div_ceil(MB)
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RunMemory { part, whole, .. } if part == whole => write!(
                f,
                "It was out of memory, and a process of it was killed: all commands of a member together may have {} MB.",
                mb(whole)
            ),
            Self::RunMemory { part, whole, runs } => write!(
                f,
                "It was out of memory, and a process of it was killed: the commands of this run together may have {} MB, its \
                 part of its member's {} MB while {runs} of the member's runs are at work.",
                mb(part),
                mb(whole)
            ),
            Self::MemberMemory { whole } => write!(
                f,
                "It was out of memory, and a process of it was killed: the commands of all runs of its member together may \
                 have {} MB, and this one had the most.",
                mb(whole)
            ),
            Self::HostMemory => {
                write!(f, "The server was out of memory, and a process of it was killed.")
            }
            Self::Processes { part, whole } => write!(
                f,
                "Processes could not be started: the commands of this run together may have {part} processes and threads, of \
                 the {whole} of its member."
            ),
            Self::MemberProcesses { whole } => write!(
                f,
                "Processes could not be started: the commands of all runs of its member together may have {whole} processes and \
                 threads, and had as many."
            ),
            Self::Disk { used, most } => write!(
                f,
                "The worktree has grown to {} MB with all that was built in it, and may have {} MB. Commands that let it grow \
                 further are ended.",
                mb(used),
                mb(most)
            ),
            Self::Files { most } => write!(
                f,
                "The worktree holds more than {most} files, which is the most. Commands that add to them are ended."
            ),
            Self::Cache { added, most } => write!(
                f,
                "The caches in /run/cache have grown by {} MB while this run was at work, and may grow by {} MB. Commands that \
                 let them grow further are ended.",
                mb(added),
                mb(most)
            ),
            Self::HostDisk => {
                write!(f, "The server's disk is nearly full, so commands were ended that were at work while it filled.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_is_said_with_its_figures() {
        let alone = Over::RunMemory { part: 8_000 * MB, whole: 8_000 * MB, runs: 1 };
        assert!(alone.to_string().contains("all commands of a member together may have 8000 MB."), "{alone}");
        let shared = Over::RunMemory { part: 2_666_666_666, whole: 8_000 * MB, runs: 3 };
        let said = shared.to_string();
        assert!(said.contains("may have 2667 MB, its part of its member's 8000 MB while 3 of"), "{said}");
        let disk = Over::Disk { used: 10_000_000_001, most: 10_000 * MB };
        assert!(disk.to_string().contains("grown to 10001 MB") && disk.is_end());
        assert!(!Over::Processes { part: 5, whole: 6 }.is_end());
        let together = Over::MemberProcesses { whole: 500 };
        assert!(
            together.to_string().contains("may have 500 processes and threads") && !together.is_end(),
            "{together}"
        );
    }
}
