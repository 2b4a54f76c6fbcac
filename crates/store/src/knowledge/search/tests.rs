use super::*;

fn counts(items: i64, place: i64, docs: &[(&str, i64)]) -> Counts {
    Counts { items, place, docs: docs.iter().map(|(word, docs)| ((*word).to_owned(), *docs)).collect() }
}

#[test]
fn what_many_items_hold_is_looked_for_among_the_latest_first_and_then_everywhere() {
    let must = |words: &[&str]| -> Must { words.iter().map(|word| vec![(*word).to_owned()]).collect() };
    let hub = counts(100_000, 100_000, &[("often", 50_000), ("half", 50_000), ("rare", 100)]);
    assert_eq!(hub.windows(&must(&["rare"]), 0, i64::MAX, 200), [0]);
    assert_eq!(hub.windows(&must(&["often", "rare"]), 0, i64::MAX, 200), [0], "what holds both is rare");
    // A half of all: in the latest 600 places there are some 300 of them.
    assert_eq!(hub.windows(&must(&["often"]), 0, i64::MAX, 200), [100_001 - 600, 0]);
    assert_eq!(hub.windows(&must(&["often", "half"]), 0, i64::MAX, 200), [100_001 - 1_200, 0]);
    // Where items were changed often, their places lie far apart.
    let changed = counts(100_000, 400_000, &[("often", 50_000)]);
    assert_eq!(changed.windows(&must(&["often"]), 0, i64::MAX, 200), [400_001 - 2_400, 0]);
    // The next page of a list goes on from where the last one ended; a filter by time ends the way.
    assert_eq!(hub.windows(&must(&["often"]), 0, 50_000, 200), [50_000 - 600, 0]);
    assert_eq!(hub.windows(&must(&["often"]), 99_900, i64::MAX, 200), [99_900]);
    // A word that stands for several counts with all of them, and never more than all items.
    let any: Must = vec![vec!["often".to_owned(), "half".to_owned(), "rare".to_owned()]];
    assert_eq!(hub.windows(&any, 0, i64::MAX, 200), [100_001 - 300, 0]);
}
