//! How long a step may work. Only the time counts in which an agent of it is at work: not that in which it waits for a place, for
//! its provider, for a budget or for a person, and none in which no server runs.

use chrono::Duration;

use super::LONGEST_TIMEOUT;
use crate::DateTime;

/// A time in which an agent worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From when on.
    pub begins_at: DateTime,
    /// Until when; nothing while it goes on.
    pub ends_at: Option<DateTime>,
}

/// When a step has worked for `limit` milliseconds, if its agents go on as they are. Nothing while none of them works. The time of
/// several at once counts once.
pub fn due(limit: i64, work: impl IntoIterator<Item = Stretch>) -> Option<DateTime> {
    let mut work: Vec<Stretch> = work.into_iter().collect();
    work.sort_by_key(|stretch| stretch.begins_at);
    let mut left = Duration::milliseconds(limit.clamp(1, LONGEST_TIMEOUT));
    let mut counted = DateTime::MIN_UTC;
    for Stretch { begins_at, ends_at } in work {
        let from = begins_at.max(counted);
        match ends_at {
            // All that follow begin within it.
            None => return Some(from + left),
            Some(end) if end > from => {
                left -= end - from;
                counted = end;
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_counts_and_that_of_several_at_once_once() {
        let at = |seconds| DateTime::UNIX_EPOCH + Duration::seconds(seconds);
        let work = |list: &[(i64, Option<i64>)]| {
            let stretch = |(from, to): &(i64, Option<i64>)| Stretch { begins_at: at(*from), ends_at: to.map(at) };
            due(60_000, list.iter().map(stretch).collect::<Vec<_>>())
        };
        assert_eq!(work(&[]), None);
        assert_eq!(work(&[(5, None)]), Some(at(65)));
        // It waits: nothing ends it, however long that is.
        assert_eq!(work(&[(0, Some(50))]), None);
        assert_eq!(work(&[(0, Some(50)), (1_000, None)]), Some(at(1_010)));
        assert_eq!(work(&[(1_000, None), (0, Some(70))]), Some(at(990)), "its time is used up");
        assert_eq!(work(&[(0, Some(20)), (10, Some(30)), (12, Some(15)), (25, Some(28)), (100, None)]), Some(at(130)));
        assert_eq!(work(&[(0, Some(20)), (10, None), (15, None)]), Some(at(60)));
    }
}
