//! What one run's commands may take of what their member's may.

use super::Limits;

/// Bytes of one MB, as limits count.
pub const MB: u64 = 1_000_000;
/// Bytes of memory that a run has at least, if its member has that much at all: below this hardly anything can be built.
pub const LEAST_MEMORY: u64 = 512 * MB;
/// Processes and threads that a run has at least, if its member has that many at all.
pub const LEAST_PROCESSES: u64 = 128;

/// A part of a member's memory and processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Bytes of memory, beyond which a process is killed.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// The part of each of `runs` runs of one member that work at once.
///
/// An equal share, so that one run's leak cannot take what the others need; but never less than what is of any use. Where
/// that makes the parts more than the whole, the member's own limit still holds.
pub fn part(limits: &Limits, runs: u64) -> Part {
    let share = |whole: u64, least: u64| (whole / runs.max(1)).max(least.min(whole)).max(1);
    Part {
        memory: share(memory(limits), LEAST_MEMORY),
        processes: share(limits.max_processes_per_member.unsigned_abs().max(1), LEAST_PROCESSES),
    }
}

/// The part of a run that holds `held` bytes of memory, when `part` would be its fair one. A run that holds more keeps it,
/// with a little to go on with: it is not killed because another begins. When the member's limit is met then, the kernel kills
/// where most is held.
pub fn kept(part: Part, held: u64, limits: &Limits) -> Part {
    if held <= part.memory {
        return part;
    }
    Part { memory: held.saturating_add(LEAST_MEMORY).min(memory(limits)), ..part }
}

/// Bytes of memory that all commands of one member may have.
fn memory(limits: &Limits) -> u64 {
    limits.max_memory_mb_per_member.unsigned_abs().max(1) * MB
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(memory: i64, processes: i64) -> Limits {
        Limits { max_memory_mb_per_member: memory, max_processes_per_member: processes, ..Limits::default() }
    }

    proptest! {
        #[test]
        fn parts_are_fair_of_use_and_within_the_whole(
            memory in 1..1_000_000_i64, processes in 1..100_000_i64, runs in 0..200_u64
        ) {
            let limits = limits(memory, processes);
            let (whole, all) = (memory.unsigned_abs() * MB, processes.unsigned_abs());
            let each = part(&limits, runs);
            prop_assert!(each.memory <= whole && each.processes <= all);
            prop_assert!(each.memory >= LEAST_MEMORY.min(whole) && each.processes >= LEAST_PROCESSES.min(all));
            // Together they are the whole at most, unless that leaves too little to each.
            prop_assert!(each.memory * runs <= whole || each.memory == LEAST_MEMORY.min(whole));
            prop_assert!(each.processes * runs <= all || each.processes == LEAST_PROCESSES.min(all));
            // One that comes takes from the others, and never gives.
            prop_assert!(part(&limits, runs + 1).memory <= each.memory);
            // One that is alone has everything.
            prop_assert_eq!((part(&limits, 1).memory, part(&limits, 1).processes), (whole, all));
        }

        #[test]
        fn what_a_run_holds_it_keeps_with_a_little_to_go_on_with(memory in 1..100_000_i64, runs in 1..50_u64, held in 0..200_000_u64) {
            let (limits, whole) = (limits(memory, 1_000), memory.unsigned_abs() * MB);
            let (fair, held) = (part(&limits, runs), held * MB);
            let now = kept(fair, held, &limits);
            prop_assert!(now.memory >= fair.memory && now.memory <= whole);
            prop_assert!(now == fair || (held > fair.memory && now.memory == (held + LEAST_MEMORY).min(whole)));
            // Unless that is all there is, it is not killed at its next page.
            prop_assert!(held <= fair.memory || now.memory == whole || now.memory > held);
            prop_assert_eq!(now.processes, fair.processes);
        }
    }
}
