//! Where agents work: files through a directory handle that cannot be left, commands in a sandbox in which the server's
//! data, the other worktrees and the host's processes do not exist.

mod caches;
mod cgroup;
mod command;
mod leftovers;
mod toolchains;
mod workspace;

pub use caches::{Cached, Extent, cached, measured, measured_at};
pub use cgroup::{
    Beside, Groups, MemoryBound, Over, ServerGroup, Share, Usage, least_memory, look_at_groups, memory_bound,
};
pub use command::{
    Command, Exit, Finding, Isolation, Net, Network, Outcome, Report, Room, RoomSecret, Running, Sandbox, SandboxError,
    Secrets, Size, Streams, Terminal, Unshown, WeakNet, unshown,
};
pub use leftovers::end_leftovers;
pub use toolchains::{Toolchain, Toolchains, on_this_machine};
pub use workspace::{FileError, FileRead, Found, GrepQuery, Match, Matches, Workspace, grep_text};
