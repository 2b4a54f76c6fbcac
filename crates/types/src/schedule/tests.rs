use chrono::{DateTime, Duration};
use proptest::prelude::*;

use super::*;

fn member(n: u8) -> MemberId {
    MemberId(uuid::Uuid::from_u128(u128::from(n) + 1))
}

fn team() -> impl Strategy<Value = (Vec<Candidate>, Limits)> {
    let candidate = (0u8..6, 1i64..=3, 0i64..1000).prop_map(|(who, priority, minutes)| Candidate {
        run: RunId::new(),
        member: member(who),
        priority,
        since: DateTime::UNIX_EPOCH + Duration::minutes(minutes),
    });
    (prop::collection::vec(candidate, 0..60), 0i64..5, 0i64..12).prop_map(|(waiting, each, all)| {
        let limits =
            Limits { max_concurrent_features_per_member: each, max_concurrent_features: all, ..Limits::default() };
        (waiting, limits)
    })
}

/// Claims until nothing more may start; returns who works, in the order of claims.
fn fill(mut waiting: Vec<Candidate>, limits: &Limits) -> (Vec<Candidate>, Vec<Candidate>) {
    let mut working = HashMap::new();
    let mut claimed = Vec::new();
    while let Some(chosen) = next(&waiting, &working, limits).cloned() {
        waiting.retain(|candidate| candidate.run != chosen.run);
        *working.entry(chosen.member).or_insert(0) += 1;
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
        for who in 0..6 {
            let count = claimed.iter().filter(|c| c.member == member(who)).count() as i64;
            prop_assert!(count <= limits.max_concurrent_features_per_member);
        }
    }

    #[test]
    fn no_place_stays_free_while_somebody_may_have_it((waiting, limits) in team()) {
        let (claimed, left) = fill(waiting, &limits);
        if (claimed.len() as i64) < limits.max_concurrent_features {
            for candidate in left {
                let count = claimed.iter().filter(|c| c.member == candidate.member).count() as i64;
                prop_assert_eq!(count, limits.max_concurrent_features_per_member);
            }
        }
    }

    #[test]
    fn nobody_gets_a_second_place_before_everyone_who_waits_has_one((waiting, limits) in team()) {
        let (claimed, left) = fill(waiting, &limits);
        let most = (0..6).map(|who| claimed.iter().filter(|c| c.member == member(who)).count()).max().unwrap_or(0);
        for candidate in left {
            let own = claimed.iter().filter(|c| c.member == candidate.member).count();
            prop_assert!(own + 1 >= most, "{} waits with {own} while another has {most}", candidate.member);
        }
    }

    #[test]
    fn a_member_s_own_runs_go_by_priority_then_age((waiting, limits) in team()) {
        let (claimed, left) = fill(waiting, &limits);
        for chosen in &claimed {
            for other in left.iter().filter(|c| c.member == chosen.member) {
                prop_assert!((chosen.priority, chosen.since) <= (other.priority, other.since));
            }
        }
    }
}

proptest! {
    /// The line that is shown is the one in which places are given.
    #[test]
    fn the_line_is_what_comes_next((waiting, _) in team(), busy in prop::collection::vec(0i64..4, 6)) {
        let busy: HashMap<MemberId, i64> = (0..).zip(busy).map(|(who, count)| (member(who), count)).collect();
        let limits = Limits {
            max_concurrent_features_per_member: 1000, max_concurrent_features: 1000, ..Limits::default()
        };
        let shown: Vec<RunId> = line(&waiting, &busy).iter().map(|candidate| candidate.run).collect();
        let (mut left, mut working, mut given) = (waiting.clone(), busy, Vec::new());
        while let Some(chosen) = next(&left, &working, &limits).cloned() {
            left.retain(|candidate| candidate.run != chosen.run);
            *working.entry(chosen.member).or_insert(0) += 1;
            given.push(chosen.run);
        }
        prop_assert_eq!(shown, given);
    }
}
