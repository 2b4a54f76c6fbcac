//! Control groups: what the kernel lets the commands of a member, of a run and of one command have of memory, processes
//! and processors.
//!
//! One group for the commands of this process, below it one for each member, below that one for each run at work (or
//! whatever else commands are run for), below that one for each command. Processors are shared out by weight alone: who is
//! alone has all of them, and between members and between their runs the kernel divides them evenly.

mod bound;
mod cell;
mod group;
mod host;
mod over;
mod report;
mod server_group;
mod share;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use guildhall_types::MemberId;
use guildhall_types::limits::{Limits, Part, kept, part};

pub use bound::{MemoryBound, least_memory, memory_bound};
pub(crate) use cell::{Cell, Met};
use group::Group;
use host::Offer;
pub use over::Over;
use report::findings;
pub use report::look_at_groups;
pub use server_group::ServerGroup;
use share::Place;
pub use share::{Beside, Share};

use crate::{Finding, SandboxError};

/// How the groups of a process are called; its number, when it started, and a number of our own follow.
const NAME: &str = "guildhall-";
/// How often, and how many times, it is tried to remove what could not be removed at once.
const SWEEP: Duration = Duration::from_millis(50);
const SWEEPS: usize = 1_200;
/// Limits that were met and are yet to be told, of each run.
const HITS: usize = 8;

/// The control groups of this process's commands. Cheap to clone. Where the host offers none, limits of memory are not
/// kept, and that is found in [`Groups::findings`].
#[derive(Debug, Clone)]
pub struct Groups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The group of all commands. None where the host offers nothing.
    home: Option<Home>,
    offer: Offer,
    /// Locked while groups are made and limits set: on threads that may block.
    table: Mutex<Table>,
    /// The limits that hold, and how many runs each member has at work: looked at without waiting for the kernel.
    standing: Mutex<Standing>,
    serial: AtomicU64,
    /// Whether somebody sees to it that what could not be removed is removed.
    sweeping: AtomicBool,
}

#[derive(Debug)]
struct Home {
    above: Group,
    own: Group,
}

#[derive(Debug, Default)]
struct Table {
    members: HashMap<MemberId, Member>,
    /// Groups whose processes were killed and were not gone yet.
    rubbish: Vec<PathBuf>,
}

#[derive(Debug)]
struct Member {
    group: Option<Group>,
    runs: HashMap<String, Run>,
}

#[derive(Debug)]
struct Run {
    group: Option<Group>,
    share: Weak<Place>,
}

#[derive(Debug)]
struct Standing {
    limits: Limits,
    parts: HashMap<MemberId, HashMap<String, Part>>,
    hits: HashMap<(MemberId, String), Vec<Over>>,
}

/// What all commands of one member use now, or have used. What the host does not count is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory now, files that are kept at hand included.
    pub memory: Option<u64>,
    /// Processes and threads now.
    pub processes: Option<u64>,
    /// The processors' time since the first of the member's runs that are at work began.
    pub time: Option<Duration>,
    /// Runs at work, and whatever else has a part.
    pub runs: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The whole of what a member may have.
fn whole(limits: &Limits) -> Part {
    part(limits, 1)
}

impl Groups {
    /// Takes what the host offers, ends what processes left there that are dead, and makes the group of this process's
    /// commands. In version 2 this process moves into a group of its own. Blocks.
    pub fn begin(limits: Limits) -> Self {
        let mut offer = Offer::take();
        let above: Vec<_> = offer.hierarchies.iter().map(|found| (found.kind, found.at.clone())).collect();
        let ended: usize = above.iter().map(|(_, at)| end_dead(at)).sum();
        if ended > 0 {
            tracing::warn!(ended, "processes that a dead server had left in its control groups were ended");
        }
        let mut home = None;
        if !above.is_empty() {
            static HOMES: AtomicU64 = AtomicU64::new(0);
            let (pid, since) = (std::process::id(), started(std::process::id()).unwrap_or_default());
            let name = format!("{NAME}{pid}-{since}-{}", HOMES.fetch_add(1, Ordering::Relaxed));
            let above = Group::new(above);
            match above.make(&name, true) {
                Ok(own) => {
                    own.step_back();
                    home = Some(Home { above, own });
                }
                Err(error) => {
                    let why = format!("no control group could be made: {error}");
                    let lost = offer.hierarchies.drain(..).flat_map(|lost| lost.kind.controllers().collect::<Vec<_>>());
                    offer.missing.extend(lost.map(|controller| (controller, why.clone())));
                }
            }
        }
        Self::of(home, offer, limits)
    }

    fn of(home: Option<Home>, offer: Offer, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            home,
            offer,
            table: Mutex::default(),
            standing: Mutex::new(Standing { limits, parts: HashMap::new(), hits: HashMap::new() }),
            serial: AtomicU64::new(0),
            sweeping: AtomicBool::new(false),
        }))
    }

    /// What this process has of control groups, and what to do about what it lacks.
    pub fn findings(&self) -> Vec<Finding> {
        findings(&self.0.offer)
    }

    /// Whether memory is limited by the kernel.
    pub fn limit_memory(&self) -> bool {
        self.0.offer.hierarchies.iter().any(|found| found.kind.memory)
    }

    /// Whether processes are limited by the kernel.
    pub fn limit_processes(&self) -> bool {
        self.0.offer.hierarchies.iter().any(|found| found.kind.pids)
    }

    /// The limits that hold.
    pub fn limits(&self) -> Limits {
        lock(&self.0.standing).limits
    }

    /// Sets the limits. They hold at once, for commands at work as well.
    pub async fn set(&self, limits: Limits) {
        let before = std::mem::replace(&mut lock(&self.0.standing).limits, limits);
        if before == limits {
            return;
        }
        let groups = self.clone();
        let _ = tokio::task::spawn_blocking(move || {
            let table = lock(&groups.0.table);
            let members: Vec<MemberId> = table.members.keys().copied().collect();
            members.into_iter().for_each(|member| groups.settle(&table, member));
        })
        .await;
    }

    /// A part of what this member may have, for the commands of a run or whatever else `name` names. Who asks twice gets
    /// the same.
    ///
    /// # Errors
    /// When the host offers control groups, and the kernel refuses to make one.
    pub async fn share(&self, member: MemberId, name: &str) -> Result<Share, SandboxError> {
        let (groups, name) = (self.clone(), plain(name));
        let made = tokio::task::spawn_blocking(move || groups.enter(member, name));
        made.await.map_err(|error| SandboxError::no_group(&io::Error::other(error)))?
    }

    fn enter(&self, member: MemberId, name: String) -> Result<Share, SandboxError> {
        let mut table = lock(&self.0.table);
        self.clear(&mut table);
        let known = table.members.get(&member).and_then(|known| known.runs.get(&name));
        if let Some(place) = known.and_then(|run| run.share.upgrade()) {
            return Ok(Share(place));
        }
        let at = match &self.0.home {
            Some(home) => {
                // One that is there goes on counting for the runs that have it already.
                let there = table.members.get(&member).and_then(|known| known.group.clone());
                let made = home.own.make(&member.to_string(), true).map(|made| there.unwrap_or(made));
                let both = made.and_then(|of_member| Ok((of_member.clone(), of_member.make(&name, true)?)));
                Some(both.map_err(|error| SandboxError::no_group(&error))?)
            }
            None => None,
        };
        if let Some((of_member, of_run)) = &at {
            // One of the same name may be waiting to be removed.
            let used: Vec<&Path> = of_member.folders().chain(of_run.folders()).collect();
            table.rubbish.retain(|at| !used.contains(&at.as_path()));
        }
        let (of_member, group) = at.clone().unzip();
        let place = Place {
            groups: self.clone(),
            member,
            name: name.clone(),
            at,
            disk: AtomicU64::new(0),
            cache: AtomicU64::new(u64::MAX),
        };
        let share = Share(Arc::new(place));
        let known = table.members.entry(member).or_insert_with(|| Member { group: of_member, runs: HashMap::new() });
        known.runs.insert(name, Run { group, share: Arc::downgrade(&share.0) });
        self.settle(&table, member);
        Ok(share)
    }

    /// A run has gone: its group is removed, and the others get its part.
    fn leave(&self, member: MemberId, name: &str) {
        let mut table = lock(&self.0.table);
        let Some(known) = table.members.get_mut(&member) else { return };
        if known.runs.get(name).is_none_or(|run| run.share.strong_count() > 0) {
            // It has come again in between.
            return;
        }
        let mut gone = Vec::new();
        if let Some(Run { group: Some(group), .. }) = known.runs.remove(name) {
            gone.extend(group.folders().map(Path::to_owned));
        }
        if known.runs.is_empty()
            && let Some(Member { group: Some(group), .. }) = table.members.remove(&member)
        {
            gone.extend(group.folders().map(Path::to_owned));
        }
        table.rubbish.extend(gone);
        self.clear(&mut table);
        self.sweep(&table);
        lock(&self.0.standing).hits.remove(&(member, name.to_owned()));
        self.settle(&table, member);
    }

    /// Tries to remove what could not be removed before.
    fn clear(&self, table: &mut Table) {
        table.rubbish.retain(|at| {
            fs::remove_dir(at).is_err_and(|error| {
                // What holds a group that is not gone yet is tried again, and so is that.
                matches!(error.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY))
            })
        });
    }

    /// Tries again, until nothing is left that could not be removed: a busy machine takes a while to let processes go.
    fn sweep(&self, table: &Table) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if table.rubbish.is_empty() || self.0.sweeping.swap(true, Ordering::Relaxed) {
            return;
        }
        let groups = self.clone();
        runtime.spawn(async move {
            for _ in 0..SWEEPS {
                tokio::time::sleep(SWEEP).await;
                let again = groups.clone();
                let swept = tokio::task::spawn_blocking(move || {
                    let mut table = lock(&again.0.table);
                    again.clear(&mut table);
                    let empty = table.rubbish.is_empty();
                    if empty {
                        // Before anybody adds to it.
                        again.0.sweeping.store(false, Ordering::Relaxed);
                    }
                    empty
                });
                match swept.await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(_) => break,
                }
            }
            groups.0.sweeping.store(false, Ordering::Relaxed);
        });
    }

    /// Gives each run of a member its part, as things are now.
    fn settle(&self, table: &Table, member: MemberId) {
        let limits = self.limits();
        let Some(Member { group, runs }) = table.members.get(&member) else {
            lock(&self.0.standing).parts.remove(&member);
            return;
        };
        if let Some(group) = group {
            told(group.limit(whole(&limits)), member);
        }
        let fair = part(&limits, runs.len() as u64);
        let mut parts = HashMap::with_capacity(runs.len());
        for (name, run) in runs {
            let mut own = fair;
            if let Some(group) = &run.group {
                own = kept(fair, group.held(), &limits);
                told(group.limit(own), member);
            }
            parts.insert(name.clone(), own);
        }
        lock(&self.0.standing).parts.insert(member, parts);
    }

    /// What this member's commands use now.
    pub fn usage(&self, member: MemberId) -> Usage {
        let table = lock(&self.0.table);
        let Some(Member { group, runs }) = table.members.get(&member) else { return Usage::default() };
        let (runs, group) = (runs.len(), group.as_ref());
        Usage {
            memory: group.and_then(Group::memory),
            processes: group.and_then(Group::processes),
            time: group.and_then(Group::time),
            runs,
        }
    }

    /// What the commands of each member that has any use now.
    pub fn usages(&self) -> Vec<(MemberId, Usage)> {
        let members: Vec<MemberId> = lock(&self.0.table).members.keys().copied().collect();
        members.into_iter().map(|member| (member, self.usage(member))).collect()
    }

    /// Bytes of memory that the commands of one run hold now, where that is counted.
    pub fn memory_of(&self, member: MemberId, name: &str) -> Option<u64> {
        let table = lock(&self.0.table);
        table.members.get(&member)?.runs.get(&plain(name))?.group.as_ref()?.memory()
    }

    /// The limits that the commands of a run came up against since this was last asked.
    pub fn take_hits(&self, member: MemberId, name: &str) -> Vec<Over> {
        lock(&self.0.standing).hits.remove(&(member, plain(name))).unwrap_or_default()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody has a share any more, so nothing is in the groups.
        let table = std::mem::take(self.table.get_mut().unwrap_or_else(PoisonError::into_inner));
        table.rubbish.iter().for_each(|at| drop(fs::remove_dir(at)));
        if let Some(Home { above, own }) = &self.home {
            let _ = own.remove_below(above);
        }
    }
}

fn told(done: io::Result<()>, member: MemberId) {
    if let Err(error) = done {
        tracing::error!(%member, error = &error as &dyn std::error::Error, "a limit could not be set in a control group");
    }
}

/// A name that is one of a folder.
fn plain(name: &str) -> String {
    name.chars().take(100).map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// When a process started, in the kernel's ticks. Nothing when it is gone.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything: the state is the third field, this the twenty-second.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Ends what is in the groups of processes that are dead, and removes those. Returns how many there were.
fn end_dead(at: &Path) -> usize {
    let mut ended = 0;
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let mut parts =
            name.to_str().and_then(|name| name.strip_prefix(NAME)).into_iter().flat_map(|rest| rest.split('-'));
        let (pid, since) = (parts.next().and_then(|pid| pid.parse().ok()), parts.next().and_then(|at| at.parse().ok()));
        if let (Some(pid), Some(since)) = (pid, since)
            && started(pid) != Some(since)
        {
            ended += group::raze(&entry.path());
        }
    }
    ended
}
