//! What this host lets a process have of control groups, and taking it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// The group that this process moves into where a group may hold either processes or groups.
const SERVER: &str = "guildhall-server";
/// What is wanted.
const WANTED: [&str; 3] = ["memory", "pids", "cpu"];
/// What the server weighs where processors are busy, so that the page answers beside any number of commands: fifty times what all of
/// those do together, which have the usual weight of 100.
const SERVER_WEIGHT: &str = "5000";
/// The same in version 1, where the usual weight is 1024.
const SERVER_SHARES: &str = "51200";

/// What a hierarchy is and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Of version 2; otherwise of version 1.
    pub(crate) v2: bool,
    pub(crate) memory: bool,
    pub(crate) pids: bool,
    pub(crate) cpu: bool,
    /// Whether it counts the processors' time.
    pub(crate) time: bool,
}

impl Kind {
    fn has(self, controller: &str) -> bool {
        match controller {
            "memory" => self.memory,
            "pids" => self.pids,
            _ => self.cpu,
        }
    }

    fn only(self, held: &BTreeSet<String>) -> Self {
        let both = |controller: &str| self.has(controller) && held.contains(controller);
        Self { memory: both("memory"), pids: both("pids"), cpu: both("cpu"), ..self }
    }

    /// The controllers that it has.
    pub(crate) fn controllers(self) -> impl Iterator<Item = &'static str> {
        WANTED.into_iter().filter(move |controller| self.has(controller))
    }
}

/// A hierarchy, and the group of it below which ours are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) kind: Kind,
    pub(crate) at: PathBuf,
    /// Nobody else's processes are in the group: it is the root of this container's own groups.
    whole: bool,
}

/// What a host offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) hierarchies: Vec<Hierarchy>,
    /// Why a controller cannot be had, by its name.
    pub(crate) missing: Vec<(&'static str, String)>,
}

impl Offer {
    /// Looks, and changes nothing. Blocks, briefly.
    pub(crate) fn look() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        survey(
            &text("/proc/self/cgroup"),
            &text("/proc/self/mountinfo"),
            |group| words(&group.join("cgroup.controllers")),
            |group| {
                ["", "cgroup.procs"].iter().all(|name| rustix::fs::access(group.join(name), Access::WRITE_OK).is_ok())
            },
        )
    }

    /// Looks, and makes ready that groups can be made below our own. In a hierarchy of version 2 this process, with its
    /// threads, moves into a group of its own for that: there a group holds processes or groups. Blocks.
    pub(crate) fn take() -> Self {
        let mut offer = Self::look();
        let Self { hierarchies, missing } = &mut offer;
        for hierarchy in hierarchies.iter_mut().filter(|hierarchy| hierarchy.kind.v2) {
            let wanted: Vec<&'static str> = hierarchy.kind.controllers().collect();
            let failed = open_up(hierarchy, &wanted).err();
            hierarchy.kind = hierarchy.kind.only(&words(&hierarchy.at.join("cgroup.subtree_control")));
            let why = failed.unwrap_or_else(|| "it could not be handed on to groups below".to_owned());
            let lost = wanted.into_iter().filter(|controller| !hierarchy.kind.has(controller));
            missing.extend(lost.map(|controller| (controller, why.clone())));
        }
        for hierarchy in hierarchies.iter().filter(|hierarchy| hierarchy.kind.cpu && !hierarchy.kind.v2) {
            if let Err(error) = go_before(&hierarchy.at) {
                tracing::debug!(error = &error as &dyn std::error::Error, "the server has no weight of its own");
            }
        }
        hierarchies.retain(|hierarchy| hierarchy.kind.controllers().next().is_some());
        offer
    }
}

/// The words of a file.
fn words(file: &Path) -> BTreeSet<String> {
    fs::read_to_string(file).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Hands controllers on to the groups below.
fn enable(at: &Path, controllers: &[&str]) -> io::Result<()> {
    controllers.iter().try_for_each(|name| fs::write(at.join("cgroup.subtree_control"), format!("+{name}")))
}

/// Hands the controllers of a new group on to those below it.
pub(crate) fn hand_on(at: &Path, kind: Kind) -> io::Result<()> {
    enable(at, &kind.controllers().collect::<Vec<_>>())
}

fn open_up(hierarchy: &Hierarchy, wanted: &[&str]) -> Result<(), String> {
    let at = &hierarchy.at;
    let held = words(&at.join("cgroup.subtree_control"));
    let lacking: Vec<&str> = wanted.iter().filter(|name| !held.contains(**name)).copied().collect();
    let leaf = at.join(SERVER);
    let done = match enable(at, &lacking) {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => move_into(&leaf, hierarchy, &lacking),
        done => done.map_err(|error| format!("its control group {} could not be divided: {error}", at.display())),
    };
    // So that the page answers while all processors are busy. Without it, it still does, but slower.
    let _ = weigh(&leaf, true);
    done
}

/// Gives a group the weight of the server.
pub(super) fn weigh(at: &Path, v2: bool) -> io::Result<()> {
    match v2 {
        true => fs::write(at.join("cpu.weight"), SERVER_WEIGHT),
        false => fs::write(at.join("cpu.shares"), SERVER_SHARES),
    }
}

/// Has the kernel interrupt what is in a group of version 2, that of all commands, as soon as the server, which is beside it, has something
/// to do: with weights alone, whoever wakes up waits until another's turn is over. Only where the server has moved there, so that nobody
/// else is beside it. In version 1 others are, and commands would stand still for them. Kernels before 5.15 do not offer it.
pub(super) fn step_back(at: &Path) -> io::Result<()> {
    let beside_server = at.parent().is_some_and(|above| above.join(SERVER).is_dir());
    if beside_server { fs::write(at.join("cpu.idle"), "1") } else { Ok(()) }
}

/// Moves this process, in version 1, into a group that weighs more than that of the commands, and removes those of dead servers. Where
/// that cannot be, the page answers slower beside them.
fn go_before(at: &Path) -> io::Result<()> {
    for entry in fs::read_dir(at)?.flatten() {
        if is_servers(&entry.path()) {
            // The kernel refuses it for one that somebody is in.
            let _ = fs::remove_dir(entry.path());
        }
    }
    let own = at.join(format!("{SERVER}-{}", std::process::id()));
    match fs::create_dir(&own) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    weigh(&own, false)?;
    fs::write(own.join("cgroup.procs"), "0")
}

/// Whether a group is one that a server has moved into: not one of systemd's that is called after the server, such as
/// `guildhall-server.service`, whose limits are the commands' as well.
fn is_servers(at: &Path) -> bool {
    let rest = at.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(SERVER));
    let number = |rest: &str| {
        let pid = rest.strip_prefix('-');
        pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
    };
    rest.is_some_and(|rest| rest.is_empty() || number(rest))
}

/// Moves this process out of the group that is to be divided, and divides it.
fn move_into(leaf: &Path, hierarchy: &Hierarchy, lacking: &[&str]) -> Result<(), String> {
    let at = &hierarchy.at;
    let failed = |error: io::Error| format!("this process could not move into {}: {error}", leaf.display());
    match fs::create_dir(leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    fs::write(leaf.join("cgroup.procs"), "0").map_err(failed)?;
    if hierarchy.whole {
        // What started us, and what else this container runs.
        for process in words(&at.join("cgroup.procs")) {
            let _ = fs::write(leaf.join("cgroup.procs"), process);
        }
    }
    let Err(error) = enable(at, lacking) else { return Ok(()) };
    let others = words(&at.join("cgroup.procs")).len();
    let _ = fs::write(at.join("cgroup.procs"), "0");
    let _ = fs::remove_dir(leaf);
    Err(format!(
        "its control group {} could not be divided ({error}): {others} other processes are in it; start the server in a \
         group of its own",
        at.display()
    ))
}

/// One mounted hierarchy.
struct Mount<'a> {
    /// The group that is mounted.
    root: &'a Path,
    at: &'a Path,
    v2: bool,
    options: Vec<&'a str>,
}

impl<'a> Mount<'a> {
    /// Reads a line of `/proc/self/mountinfo`. Nothing for what is no hierarchy.
    fn read(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let v2 = match after.next()? {
            "cgroup2" => true,
            "cgroup" => false,
            _ => return None,
        };
        let options = after.nth(1)?.split(',').collect();
        let mut before = before.split(' ').skip(3);
        Some(Self { root: Path::new(before.next()?), at: Path::new(before.next()?), v2, options })
    }

    /// Where the group `path` is found: the one that a server's own is made in, where it is such a one.
    fn find(&self, path: &str) -> Option<PathBuf> {
        let group = Path::new(path);
        let group = if is_servers(group) { group.parent()? } else { group };
        let below = group.strip_prefix(self.root).ok()?;
        // The kernel shows so what lies outside of the part of the tree that this process may see.
        let at = || if below.as_os_str().is_empty() { self.at.to_owned() } else { self.at.join(below) };
        (!path.contains("/..")).then(at)
    }
}

/// The group of this process in the hierarchy of a controller. Lines are such as `4:memory:/path`, and `0::/path` for version 2.
fn own<'a>(groups: &'a str, wanted: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (held, path) = rest.split_once(':')?;
        held.split(',').any(|held| held == wanted).then_some(path)
    })
}

/// The groups that count this process's memory, from its own to the outermost that it sees; each with whether it is of
/// version 2.
pub(super) fn above(groups: &str, mounts: &str) -> Vec<(PathBuf, bool)> {
    let counting = mounts.lines().filter_map(Mount::read).filter(|mount| mount.v2 || mount.options.contains(&"memory"));
    let of_one = |mount: Mount<'_>| {
        let path = own(groups, if mount.v2 { "" } else { "memory" });
        let inmost = path.and_then(|path| mount.find(path)).unwrap_or_else(|| mount.at.to_owned());
        let all: Vec<_> = inmost.ancestors().take_while(|at| at.starts_with(mount.at)).map(Path::to_owned).collect();
        all.into_iter().map(move |at| (at, mount.v2)).collect::<Vec<_>>()
    };
    counting.flat_map(of_one).collect()
}

/// Chooses for each controller where to have it: in version 2 before version 1.
fn survey(
    groups: &str,
    mounts: &str,
    controllers: impl Fn(&Path) -> BTreeSet<String>,
    writable: impl Fn(&Path) -> bool,
) -> Offer {
    let mounts: Vec<Mount<'_>> = mounts.lines().filter_map(Mount::read).collect();
    let own = |wanted: &str| own(groups, wanted);
    let unified = mounts.iter().find(|mount| mount.v2).and_then(|mount| {
        let path = own("")?;
        let at = mount.find(path)?;
        let offered = controllers(&at);
        Some((at, offered, path == "/"))
    });
    let mut offer = Offer::default();
    for controller in WANTED {
        let mut why = "the kernel offers no such controller".to_owned();
        let mut choose = |at: PathBuf, v2: bool, time: bool, whole: bool| {
            if !writable(&at) {
                why = format!("{} cannot be written by this server", at.display());
                return false;
            }
            let known = offer.hierarchies.iter().position(|known| known.at == at);
            let known = known.unwrap_or_else(|| {
                let kind = Kind { v2, memory: false, pids: false, cpu: false, time };
                offer.hierarchies.push(Hierarchy { kind, at, whole });
                offer.hierarchies.len() - 1
            });
            if let Some(Hierarchy { kind, .. }) = offer.hierarchies.get_mut(known) {
                kind.memory |= controller == "memory";
                kind.pids |= controller == "pids";
                kind.cpu |= controller == "cpu";
            }
            true
        };
        let in_unified = unified.as_ref().filter(|(_, offered, _)| offered.contains(controller));
        if in_unified.is_some_and(|(at, _, whole)| choose(at.clone(), true, true, *whole)) {
            continue;
        }
        let old = mounts.iter().find(|mount| !mount.v2 && mount.options.contains(&controller));
        let found = old.and_then(|mount| Some((mount.find(own(controller)?)?, mount.options.contains(&"cpuacct"))));
        if !found.is_some_and(|(at, time)| choose(at, false, time, false)) {
            offer.missing.push((controller, why));
        }
    }
    offer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(controllers: &'static str) -> impl Fn(&Path) -> BTreeSet<String> {
        move |_| controllers.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn commands_step_back_behind_the_server_and_nobody_else() {
        let place = tempfile::tempdir().unwrap();
        let idle = || {
            let at = place.path().join("guildhall-17-2-0");
            fs::create_dir_all(&at).unwrap();
            step_back(&at).unwrap();
            fs::read_to_string(at.join("cpu.idle")).unwrap_or_default()
        };
        assert_eq!(idle(), "", "whoever else is here would go before them");
        fs::create_dir(place.path().join(SERVER)).unwrap();
        assert_eq!(idle(), "1");
    }

    fn shown(offer: &Offer) -> Vec<String> {
        let one = |hierarchy: &Hierarchy| {
            let controllers: Vec<&str> = hierarchy.kind.controllers().collect();
            format!("{} {} {}", hierarchy.at.display(), hierarchy.kind.v2, controllers.join(","))
        };
        offer.hierarchies.iter().map(one).collect()
    }

    #[test]
    fn under_systemd_all_is_in_the_services_own_group() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n24 1 8:1 / / rw - ext4 /dev/sda1 rw\n";
        let at = "/sys/fs/cgroup/system.slice/guildhall.service true memory,pids,cpu";
        for group in ["/system.slice/guildhall.service", "/system.slice/guildhall.service/guildhall-server"] {
            let offer = survey(&format!("0::{group}\n"), mounts, all("cpuset cpu io memory pids"), |_| true);
            assert_eq!((shown(&offer), offer.missing.len()), (vec![at.to_owned()], 0));
            assert!(!offer.hierarchies[0].whole);
        }
        // A unit that is called as the group is in which a server is, or much like it, is a unit all the same.
        for unit in ["guildhall-server.service", "guildhall-server-17.scope", "guildhall-server-"] {
            for below in ["", "/guildhall-server", "/guildhall-server-17"] {
                let groups = format!("0::/system.slice/{unit}{below}\n");
                let offer = survey(&groups, mounts, all("cpu memory pids"), |_| true);
                assert_eq!(shown(&offer), [at.replace("guildhall.service", unit)], "{groups}");
            }
        }
        let refused = survey("0::/system.slice/guildhall.service\n", mounts, all("cpu memory pids"), |_| false);
        assert!(refused.hierarchies.is_empty());
        assert_eq!(refused.missing.len(), 3);
        assert!(refused.missing[0].1.contains("guildhall.service cannot be written"), "{:?}", refused.missing);
    }

    #[test]
    fn in_a_container_with_groups_of_its_own_the_root_is_ours() {
        let mounts = "700 690 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let offer = survey("0::/\n", mounts, all("cpu memory pids"), |_| true);
        assert_eq!(shown(&offer), ["/sys/fs/cgroup true memory,pids,cpu"]);
        assert!(offer.hierarchies[0].whole);
        // One that sees the host's tree, but not its own group in it.
        let outside = survey("0::/../../other\n", mounts, all("cpu memory pids"), |_| true);
        assert!(outside.hierarchies.is_empty());
    }

    #[test]
    fn each_controller_is_taken_where_it_is() {
        let groups = "5:cpu,cpuacct:/\n4:memory:/docker/abc\n8:pids:/docker/abc\n0::/\n";
        let mounts = "1 1 0:1 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n2 1 0:2 /docker/abc /cg/memory rw - cgroup cgroup rw,memory\n\
            3 1 0:3 /docker /cg/pids rw - cgroup cgroup rw,pids\n4 1 0:4 / /cg/unified rw - cgroup2 cgroup2 rw\n";
        let offer = survey(groups, mounts, all("hugetlb"), |_| true);
        assert_eq!(shown(&offer), ["/cg/memory false memory", "/cg/pids/abc false pids", "/cg/cpu,cpuacct false cpu"]);
        assert_eq!(offer.hierarchies.iter().map(|found| found.kind.time).collect::<Vec<_>>(), [false, false, true]);
        let moved = groups.replace("cpuacct:/", "cpuacct:/guildhall-server-17");
        assert_eq!(shown(&survey(&moved, mounts, all("hugetlb"), |_| true)), shown(&offer));
        // A hybrid host: what version 2 has is taken there.
        let hybrid = survey(groups, mounts, all("pids"), |at| !at.ends_with("memory"));
        assert_eq!(shown(&hybrid), ["/cg/unified true pids", "/cg/cpu,cpuacct false cpu"]);
        assert_eq!(hybrid.missing, [("memory", "/cg/memory cannot be written by this server".to_owned())]);
        assert_eq!(survey("", "", all(""), |_| true).missing.len(), 3);
    }
}
