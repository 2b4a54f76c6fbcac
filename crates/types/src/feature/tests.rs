use super::*;

/// Every legal move, written out: a change of the machine must be made here as well.
#[test]
fn the_table_of_moves() {
    use FeatureStatus as S;
    use Move as M;
    let legal: &[(S, M, S)] = &[
        (S::Backlog, M::Start, S::Queued),
        (S::Backlog, M::Record, S::Completed),
        (S::Queued, M::FollowUp, S::Queued),
        (S::Queued, M::Claim, S::InProgress),
        (S::Queued, M::Fail, S::Failed),
        (S::Queued, M::Stop, S::Paused),
        (S::InProgress, M::FollowUp, S::InProgress),
        (S::InProgress, M::Claim, S::InProgress),
        (S::InProgress, M::Requeue, S::Queued),
        (S::InProgress, M::Propose, S::InProgress),
        (S::InProgress, M::Finish, S::WaitingApproval),
        (S::InProgress, M::Fail, S::Failed),
        (S::InProgress, M::Stop, S::Paused),
        (S::InProgress, M::Accept, S::Verified),
        (S::WaitingApproval, M::Start, S::Queued),
        (S::WaitingApproval, M::FollowUp, S::Queued),
        (S::WaitingApproval, M::Verify, S::Queued),
        (S::WaitingApproval, M::Approve, S::Verified),
        (S::WaitingApproval, M::Merge, S::Completed),
        (S::WaitingApproval, M::Shelve, S::Backlog),
        (S::Verified, M::Start, S::Queued),
        (S::Verified, M::FollowUp, S::Queued),
        (S::Verified, M::TakeUp, S::Queued),
        (S::Verified, M::Merge, S::Completed),
        (S::Verified, M::Shelve, S::Backlog),
        (S::Failed, M::Start, S::Queued),
        (S::Failed, M::Retry, S::Queued),
        (S::Failed, M::FollowUp, S::Queued),
        (S::Failed, M::Shelve, S::Backlog),
        (S::Paused, M::Start, S::Queued),
        (S::Paused, M::Retry, S::Queued),
        (S::Paused, M::FollowUp, S::Queued),
        (S::Paused, M::Shelve, S::Backlog),
    ];
    let mut found = Vec::new();
    for &from in S::ALL {
        for &what in M::ALL {
            if let Ok(to) = from.after(what) {
                found.push((from, what, to));
            }
        }
    }
    for entry in &found {
        assert!(legal.contains(entry), "{entry:?} is possible but not in the table");
    }
    assert_eq!(found.len(), legal.len());
}

/// The same for a card in progress whose plan waits for a person.
#[test]
fn the_table_of_moves_while_a_plan_waits() {
    use FeatureStatus as S;
    let found: Vec<(Move, S)> =
        Move::ALL.iter().filter_map(|&what| FeatureStatus::with_plan_waiting(what).ok().map(|to| (what, to))).collect();
    let legal =
        [(Move::FollowUp, S::Queued), (Move::Decide, S::Queued), (Move::Stop, S::Paused), (Move::Shelve, S::Backlog)];
    assert_eq!(found, legal);
    // A decision is for a plan that waits, and for nothing else.
    assert!(S::ALL.iter().all(|status| status.after(Move::Decide).is_err()));
    let error = FeatureStatus::with_plan_waiting(Move::Merge).unwrap_err();
    assert_eq!(error.to_string(), "cannot merge a feature whose plan waits for approval");
}

#[test]
fn a_completed_card_stays() {
    for &what in Move::ALL {
        assert!(FeatureStatus::Completed.after(what).is_err());
    }
}

#[test]
fn an_illegal_move_says_so_in_words() {
    let error = FeatureStatus::Completed.after(Move::Start).unwrap_err();
    assert_eq!(error.to_string(), "cannot start a feature that is completed");
}

#[test]
fn every_status_but_completed_can_reach_completed() {
    for &start in FeatureStatus::ALL {
        let mut reached = vec![start];
        let mut next = 0;
        while next < reached.len() {
            // By work done here, not by writing down what was done elsewhere.
            for &what in Move::ALL.iter().filter(|what| **what != Move::Record) {
                if let Ok(to) = reached[next].after(what)
                    && !reached.contains(&to)
                {
                    reached.push(to);
                }
            }
            next += 1;
        }
        assert!(reached.contains(&FeatureStatus::Completed), "{start} is a dead end");
    }
}

#[test]
fn texts_read_back() {
    for &status in FeatureStatus::ALL {
        assert_eq!(status.as_str().parse::<FeatureStatus>(), Ok(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    assert!("done".parse::<FeatureStatus>().is_err());
}

/// What is no card goes no way that ends on the board, and never begins anew.
#[test]
fn only_cards_go_where_the_board_ends() {
    use Move as M;
    let asides = [FeatureKind::Chat, FeatureKind::Task];
    for kind in asides {
        let may: Vec<Move> = M::ALL.iter().copied().filter(|what| kind.may(*what)).collect();
        assert_eq!(
            may,
            [M::Start, M::Retry, M::FollowUp, M::Claim, M::Requeue, M::Finish, M::Fail, M::Stop],
            "{kind} is not planned, verified, merged or shelved"
        );
    }
    assert!(M::ALL.iter().all(|what| FeatureKind::Card.may(*what)));
    let refused = IllegalMove {
        kind: FeatureKind::Chat,
        from: FeatureStatus::WaitingApproval,
        plan_waits: false,
        what: M::Merge,
    };
    assert_eq!(refused.to_string(), "cannot merge a chat before it is turned into a card");
    let refused = IllegalMove { what: M::Stop, ..refused };
    assert_eq!(refused.to_string(), "cannot stop a chat that is waiting for approval");
    let refused = IllegalMove { kind: FeatureKind::Task, what: M::Shelve, ..refused };
    assert_eq!(refused.to_string(), "cannot move to the backlog a task because it is no card");
}
