use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::reading::Used;

const NOW: i64 = 1_800_000_000;

fn at(ago_minutes: i64) -> DateTime {
    DateTime::from_timestamp(NOW - ago_minutes * 60, 0).unwrap()
}

fn now() -> DateTime {
    at(0)
}

fn one(number: u128, ago_minutes: i64, bytes: u64) -> WorktreeFacts {
    WorktreeFacts {
        run: RunId(Uuid::from_u128(number)),
        kind: FeatureKind::Card,
        status: RunStatus::Waiting,
        deleted: false,
        unused_since: at(ago_minutes),
        bytes,
        files: bytes,
        in_use: Occupied::Nobody,
        unsaved: false,
    }
}

const DAY: i64 = 24 * 60;

#[test]
fn each_goes_for_its_reason_and_at_its_time() {
    let rules = Retention::default();
    let why = |facts: WorktreeFacts| worktrees_to_go(&[facts], None, &rules, now()).first().map(|going| going.why);
    assert_eq!(why(one(1, 14 * DAY - 1, 1)), None);
    assert_eq!(why(one(1, 14 * DAY, 1)), Some(TidyReason::Idle));
    for status in [RunStatus::Stopped, RunStatus::Failed] {
        assert_eq!(why(WorktreeFacts { status, ..one(1, 14 * DAY, 1) }), Some(TidyReason::Idle));
    }
    for status in [RunStatus::Queued, RunStatus::Running] {
        assert_eq!(why(WorktreeFacts { status, ..one(1, 400 * DAY, 1) }), None, "it is about to work");
    }
    assert_eq!(why(WorktreeFacts { status: RunStatus::Closed, ..one(1, 0, 1) }), Some(TidyReason::Over), "at once");
    assert_eq!(why(WorktreeFacts { deleted: true, ..one(1, 0, 1) }), Some(TidyReason::Deleted));
    let (chat, task) = (FeatureKind::Chat, FeatureKind::Task);
    assert_eq!(why(WorktreeFacts { kind: chat, ..one(1, 119, 1) }), None);
    assert_eq!(why(WorktreeFacts { kind: chat, ..one(1, 120, 1) }), Some(TidyReason::Rests));
    assert_eq!(why(WorktreeFacts { kind: task, ..one(1, 9, 1) }), None);
    assert_eq!(why(WorktreeFacts { kind: task, ..one(1, 10, 1) }), Some(TidyReason::Rests));
    let looked_at = WorktreeFacts { in_use: Occupied::Looks, ..one(1, 400 * DAY, 1) };
    assert_eq!(why(looked_at.clone()), None);
    assert_eq!(why(WorktreeFacts { status: RunStatus::Closed, ..looked_at.clone() }), Some(TidyReason::Over));
    let worked_in = WorktreeFacts { in_use: Occupied::Works, status: RunStatus::Closed, ..looked_at };
    assert_eq!(why(worked_in), None);
    assert_eq!(why(WorktreeFacts { unsaved: true, status: RunStatus::Closed, ..one(1, 0, 1) }), None);
    let for_ever = Retention { idle_worktree_days: None, ..rules };
    assert!(worktrees_to_go(&[one(1, 4_000 * DAY, 1)], None, &for_ever, now()).is_empty());
}

#[test]
fn a_full_disk_takes_the_longest_unused_until_there_is_room() {
    let rules = Retention::default();
    let all = [one(1, 300, 10), one(2, 900, 10), one(3, 30, 500), one(4, 600, 10)];
    let gone = |used| {
        let disk = Room { bytes: Used { used, total: 1_000 }, files: None };
        worktrees_to_go(&all, Some(disk), &rules, now()).iter().map(|one| one.run_id.0.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(gone(749), [] as [u128; 0]);
    assert_eq!(gone(750), [2]);
    assert_eq!(gone(760), [2, 4]);
    // The third was used half an hour ago.
    assert_eq!(gone(990), [2, 4, 1]);

    // A disk that can hold no more files is as full.
    let of_files = |used| {
        let disk = Room { bytes: Used { used: 1, total: 1_000 }, files: Some(Used { used, total: 1_000 }) };
        worktrees_to_go(&all, Some(disk), &rules, now()).iter().map(|one| one.run_id.0.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(of_files(749), [] as [u128; 0]);
    assert_eq!(of_files(760), [2, 4]);
}

#[test]
fn caches_go_that_nobody_needs_and_then_what_is_over_the_size() {
    let project = |number| ProjectId(Uuid::from_u128(number));
    let cache = |number, tool: &str, bytes, ago_minutes| CacheFacts {
        project: project(number),
        of: None,
        tool: tool.to_owned(),
        bytes,
        changed: at(ago_minutes),
        archived: false,
        gone: false,
        most: 100,
        in_use: false,
    };
    let rules = Retention::default();
    let all = [
        cache(1, "new", 60, 1),
        cache(1, "old", 50, 2 * DAY),
        cache(1, "older", 50, 31 * DAY),
        CacheFacts { archived: true, ..cache(2, "npm", 1, 1) },
        CacheFacts { gone: true, ..cache(3, "npm", 1, 1) },
        CacheFacts { in_use: true, ..cache(4, "npm", 500, 400 * DAY) },
    ];
    let gone = caches_to_go(&all, &rules, now());
    assert_eq!(gone, [(2, TidyReason::Idle), (3, TidyReason::Archived), (4, TidyReason::Gone), (1, TidyReason::Size)]);
    let gone = caches_to_go(&all[..2], &Retention { cache_days: None, ..rules }, now());
    assert_eq!(gone, [(1, TidyReason::Size)]);
}

#[test]
fn a_repository_goes_long_after_its_project_was_archived() {
    let rules = Retention::default();
    assert!(!repository_goes(None, 0, &rules, now()));
    assert!(!repository_goes(Some(at(90 * DAY - 1)), 0, &rules, now()));
    assert!(repository_goes(Some(at(90 * DAY)), 0, &rules, now()));
    assert!(!repository_goes(Some(at(90 * DAY)), 1, &rules, now()), "a worktree of it is still there");
    let for_ever = Retention { archived_project_days: None, ..rules };
    assert!(!repository_goes(Some(at(9_000 * DAY)), 0, &for_ever, now()));
    assert_eq!(before(None, now()), None);
    assert_eq!(before(Some(2), now()), Some(at(2 * DAY)));
}

fn facts() -> impl Strategy<Value = WorktreeFacts> {
    let kind = prop::sample::select(FeatureKind::ALL);
    let status = prop::sample::select(RunStatus::ALL);
    let in_use = prop::sample::select(Occupied::ALL);
    let rest = (any::<u128>(), 0_i64..40 * DAY, 0_u64..1_000, any::<bool>(), prop::bool::weighted(0.2));
    (kind, status, in_use, rest).prop_map(|(kind, status, in_use, (number, ago, bytes, deleted, unsaved))| {
        WorktreeFacts { kind, status, in_use, deleted, unsaved, ..one(number, ago, bytes) }
    })
}

fn rules() -> impl Strategy<Value = Retention> {
    (prop::option::of(1_i64..40), prop::option::of(1_i64..100)).prop_map(|(idle_worktree_days, disk_percent)| {
        Retention { idle_worktree_days, disk_percent, ..Retention::default() }
    })
}

proptest! {
    #[test]
    fn nothing_goes_that_is_used_or_not_on_a_ref_and_no_more_than_needed(
        all in prop::collection::vec(facts(), 0..40), used in 0_i64..12_000, rules in rules(),
    ) {
        let disk = Room { bytes: Used { used, total: 10_000 }, files: None };
        let gone = worktrees_to_go(&all, Some(disk), &rules, now());
        let of = |going: &WorktreeGoing| all.iter().find(|one| one.run == going.run_id).unwrap();
        for going in &gone {
            let one = of(going);
            prop_assert!(!one.unsaved && !one.status.is_live() && one.in_use != Occupied::Works);
            prop_assert!(one.in_use == Occupied::Nobody || matches!(going.why, TidyReason::Over | TidyReason::Deleted));
        }
        // None twice.
        let mut ids: Vec<RunId> = gone.iter().map(|going| going.run_id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), gone.len());

        let forced: Vec<&WorktreeGoing> = gone.iter().filter(|going| going.why == TidyReason::Disk).collect();
        let Some(percent) = rules.disk_percent else {
            prop_assert!(forced.is_empty());
            return Ok(());
        };
        // Oldest first, and none is passed over that could have gone.
        prop_assert!(forced.is_sorted_by_key(|going| of(going).unused_since));
        let stays = |one: &&WorktreeFacts| !gone.iter().any(|going| going.run_id == one.run);
        let could = |one: &&WorktreeFacts| {
            one.in_use == Occupied::Nobody && !one.unsaved && !one.status.is_live() && now() - one.unused_since >= LEAST
        };
        if let (Some(last), Some(left)) = (forced.last(), all.iter().filter(stays).filter(could).map(|one| one.unused_since).min()) {
            prop_assert!(of(last).unused_since <= left);
        }
        // It stops when there is room: without the last one there was none.
        let freed = |most: usize| gone.iter().take(most).map(|going| going.bytes).sum::<u64>();
        if !forced.is_empty() {
            prop_assert!(disk.without(freed(gone.len() - 1), 0).is_over(percent));
        }
        // And it goes on while there is none and something could go.
        if disk.without(freed(gone.len()), 0).is_over(percent) {
            prop_assert!(all.iter().filter(stays).all(|one| !could(&one)));
        }
    }
}
