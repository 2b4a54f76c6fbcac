use chrono::{DateTime, Duration};
use proptest::prelude::*;

use super::*;

fn member(n: u8) -> MemberId {
    MemberId(uuid::Uuid::from_u128(u128::from(n) + 1))
}

fn team() -> impl Strategy<Value = (Vec<Candidate>, Limits)> {
    let candidate = (0u8..6, kind(), 1i64..=3, 0i64..1000).prop_map(|(who, kind, priority, minutes)| Candidate {
        run: RunId::new(),
        member: member(who),
        kind,
        priority,
        since: DateTime::UNIX_EPOCH + Duration::minutes(minutes),
    });
    (prop::collection::vec(candidate, 0..60), 0i64..5, 0i64..4, 0i64..4, 0i64..12).prop_map(
        |(waiting, cards, chats, tasks, all)| {
            let limits = Limits {
                max_concurrent_features_per_member: cards,
                max_concurrent_chats_per_member: chats,
                max_concurrent_tasks_per_member: tasks,
                max_concurrent_features: all,
                ..Limits::default()
            };
            (waiting, limits)
        },
    )
}

fn kind() -> impl Strategy<Value = FeatureKind> {
    prop_oneof![3 => Just(FeatureKind::Card), 1 => Just(FeatureKind::Chat), 1 => Just(FeatureKind::Task)]
}

/// Each member's each kind: what places are shared between.
fn sharers() -> impl Iterator<Item = (MemberId, FeatureKind)> {
    (0..6).flat_map(|who| FeatureKind::ALL.iter().map(move |kind| (member(who), *kind)))
}

fn count(of: &[Candidate], (member, kind): (MemberId, FeatureKind)) -> i64 {
    of.iter().filter(|candidate| (candidate.member, candidate.kind) == (member, kind)).count() as i64
}

/// Claims until nothing more may start; returns who works, in the order of claims.
fn fill(mut waiting: Vec<Candidate>, limits: &Limits) -> (Vec<Candidate>, Vec<Candidate>) {
    let mut working = HashMap::new();
    let mut claimed = Vec::new();
    while let Some(chosen) = next(&waiting, &working, limits).cloned() {
        waiting.retain(|candidate| candidate.run != chosen.run);
        *working.entry((chosen.member, chosen.kind)).or_insert(0) += 1;
        claimed.push(chosen);
    }
    (claimed, waiting)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_limit_is_ever_passed((waiting, limits) in team()) {
        let (claimed, _) = fill(waiting, &limits);
        prop_assert!(claimed.len() as i64 <= limits.max_concurrent_features);
        for sharer in sharers() {
            prop_assert!(count(&claimed, sharer) <= limits.per_member(sharer.1));
        }
    }

    #[test]
    fn no_place_stays_free_while_somebody_may_have_it((waiting, limits) in team()) {
        let (claimed, left) = fill(waiting, &limits);
        if (claimed.len() as i64) < limits.max_concurrent_features {
            for candidate in left {
                let taken = count(&claimed, (candidate.member, candidate.kind));
                prop_assert_eq!(taken, limits.per_member(candidate.kind));
            }
        }
    }

    #[test]
    fn nobody_gets_a_second_place_before_everyone_who_waits_has_one((waiting, limits) in team()) {
        let (claimed, left) = fill(waiting, &limits);
        let most = sharers().map(|sharer| count(&claimed, sharer)).max().unwrap_or(0);
        for candidate in left {
            let own = count(&claimed, (candidate.member, candidate.kind));
            let limit = limits.per_member(candidate.kind);
            prop_assert!(own + 1 >= most || own == limit, "{} waits with {own} while another has {most}", candidate.member);
        }
    }

    #[test]
    fn a_member_s_own_runs_go_by_priority_then_age((waiting, limits) in team()) {
        let (claimed, left) = fill(waiting, &limits);
        for chosen in &claimed {
            for other in left.iter().filter(|c| (c.member, c.kind) == (chosen.member, chosen.kind)) {
                prop_assert!((chosen.priority, chosen.since) <= (other.priority, other.since));
            }
        }
    }
}

proptest! {
    /// The line that is shown is the one in which places are given.
    #[test]
    fn the_line_is_what_comes_next((waiting, _) in team(), busy in prop::collection::vec(0i64..4, 18)) {
        let busy: AtWork = sharers().zip(busy).collect();
        let limits = Limits {
            max_concurrent_features_per_member: 1000,
            max_concurrent_chats_per_member: 1000,
            max_concurrent_tasks_per_member: 1000,
            max_concurrent_features: 1000,
            ..Limits::default()
        };
        let shown: Vec<RunId> = line(&waiting, &busy).iter().map(|candidate| candidate.run).collect();
        let (mut left, mut working, mut given) = (waiting.clone(), busy, Vec::new());
        while let Some(chosen) = next(&left, &working, &limits).cloned() {
            left.retain(|candidate| candidate.run != chosen.run);
            *working.entry((chosen.member, chosen.kind)).or_insert(0) += 1;
            given.push(chosen.run);
        }
        prop_assert_eq!(shown, given);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// However many cards a member has at work and in the queue, a chat of the same member gets a place as soon as the team
    /// has one, before any card or task of which as many or more are at work.
    #[test]
    fn cards_do_not_keep_a_member_from_talking((mut waiting, mut limits) in team(), cards in 0i64..40, others in 0i64..5) {
        limits.max_concurrent_chats_per_member = limits.max_concurrent_chats_per_member.max(1);
        waiting.retain(|candidate| candidate.kind != FeatureKind::Chat);
        let chat = Candidate {
            run: RunId::new(), member: member(0), kind: FeatureKind::Chat, priority: 3, since: DateTime::UNIX_EPOCH + Duration::days(9),
        };
        waiting.push(chat.clone());
        let working: AtWork =
            [((member(0), FeatureKind::Card), cards), ((member(1), FeatureKind::Task), others)].into_iter().collect();
        let chosen = next(&waiting, &working, &limits);
        match cards + others < limits.max_concurrent_features {
            true => prop_assert_eq!(chosen, Some(&chat)),
            false => prop_assert_eq!(chosen, None),
        }
    }

    /// And however many chats and tasks there are, cards get their share.
    #[test]
    fn talking_does_not_keep_cards_from_being_built((waiting, mut limits) in team()) {
        limits.max_concurrent_features = 1000;
        let cards: Vec<Candidate> = waiting.iter().filter(|c| c.kind == FeatureKind::Card).cloned().collect();
        let alone: Vec<RunId> = fill(cards, &limits).0.iter().map(|c| c.run).collect();
        let (claimed, _) = fill(waiting, &limits);
        let beside: Vec<RunId> = claimed.iter().filter(|c| c.kind == FeatureKind::Card).map(|c| c.run).collect();
        prop_assert_eq!(alone, beside);
    }
}
