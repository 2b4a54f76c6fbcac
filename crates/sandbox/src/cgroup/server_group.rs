//! A group for what the server itself has done, beside that of the commands.

use std::io;
use std::os::fd::OwnedFd;

use guildhall_types::limits::Part;

use super::group::Group;
use super::{Groups, Home};

/// A group for programs that the server itself starts. It goes with this, once nothing is in it.
#[derive(Debug)]
pub struct ServerGroup {
    above: Group,
    group: Group,
}

impl ServerGroup {
    /// Files by which a process joins: it writes a 0 to each.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        self.group.doors()
    }

    /// Bytes of memory that it has now.
    pub fn memory(&self) -> Option<u64> {
        self.group.memory()
    }
}

impl Drop for ServerGroup {
    fn drop(&mut self) {
        // What is left is found, and ended, by the next server that starts here.
        let _ = self.group.remove_below(&self.above);
    }
}

impl Groups {
    /// A group beside that of the commands, for programs that the server itself starts, with so much of the machine for
    /// all of them. Of the processors it has as much as the server: members wait for what they do. None where the host
    /// limits neither memory nor processes. Blocks, briefly.
    ///
    /// # Errors
    /// When the kernel refuses to make one.
    pub fn server_group(&self, name: &str, part: Part) -> io::Result<Option<ServerGroup>> {
        let Some(Home { above, own: commands }) = &self.0.home else { return Ok(None) };
        let above = above.that_limit();
        // By the name of the commands' group it is known to whom it belongs when that server is dead.
        let beside =
            commands.folders().next().and_then(|at| at.file_name()).map(|name| name.to_string_lossy().into_owned());
        let Some(beside) = beside.filter(|_| above.folders().next().is_some()) else { return Ok(None) };
        let group = above.make(&format!("{beside}-{name}"), false)?;
        let made = ServerGroup { above, group };
        made.group.limit(part)?;
        made.group.weigh();
        Ok(Some(made))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use guildhall_types::limits::Limits;

    use super::super::host::{Kind, Offer};
    use super::*;

    #[test]
    fn it_stands_beside_the_commands_with_limits_and_the_servers_share_of_processors() {
        let part = Part { memory: 4_000_000_000, processes: 500 };
        for v2 in [true, false] {
            let [limits, shares] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let kind = |limits, cpu| Kind { v2, memory: limits, pids: limits, cpu, time: false };
            let mut places = vec![(kind(true, v2), limits.path().to_owned())];
            if !v2 {
                places.push((kind(false, true), shares.path().to_owned()));
            }
            let above = Group::new(places);
            let home = Home { own: above.make("guildhall-1-2-3", true).unwrap(), above };
            let groups = Groups::of(Some(home), Offer::default(), Limits::default());
            let group = groups.server_group("git", part).unwrap().unwrap();
            let at = limits.path().join("guildhall-1-2-3-git");
            let read = |file: &str| fs::read_to_string(at.join(file)).unwrap_or_default();
            let memory = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
            assert_eq!((read(memory).as_str(), read("pids.max").as_str()), ("4000000000", "500"));
            assert_eq!(read("cpu.weight"), if v2 { "5000" } else { "" });
            // Where processors are shared out apart, whatever the server starts has its share with it.
            assert!(!shares.path().join("guildhall-1-2-3-git").exists());
            for file in fs::read_dir(&at).unwrap() {
                // The kernel's own files do not keep a group.
                fs::remove_file(file.unwrap().path()).unwrap();
            }
            drop(group);
            assert!(!at.exists());
        }
        let nothing = Groups::of(None, Offer::default(), Limits::default());
        assert!(nothing.server_group("git", part).unwrap().is_none());
    }
}
