//! Where agents work: files through a directory handle that cannot be left, commands in a sandbox in which the server's
//! data, the other worktrees and the host's processes do not exist.

mod cgroup;
mod command;
mod leftovers;
mod workspace;

pub use cgroup::{Groups, Over, Share, Usage, look_at_groups};
pub use command::{
    Command, Exit, Finding, Isolation, Net, Network, Outcome, Report, Room, Running, Sandbox, SandboxError, Size,
    Streams, Terminal, WeakNet,
};
pub use leftovers::end_leftovers;
pub use workspace::{FileError, FileRead, Found, GrepQuery, Match, Matches, Workspace};
