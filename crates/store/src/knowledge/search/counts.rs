//! How a look into the index is put, and where it begins: what very many items hold is looked for among the latest first.

use std::collections::{HashMap, HashSet};

use super::super::index::{STRETCH, stretch};
use super::super::listed;
use super::Must;
use crate::{Backend, Reader, Store, StoreError, read_by};

/// Items that a look is expected to find from which on PostgreSQL looks among the latest first: it visits the row of each that it
/// finds, before it sorts them, and most of these lie on pages of their own. To visit a page that only the system's memory has takes it
/// some ten microseconds, and to go through the marks of places a millisecond.
const MANY: f64 = 400.0;

/// An expression of the database's own language for it.
fn expression(backend: Backend, must: &Must) -> String {
    // Words hold letters and digits, marks a few signs beside them, and neither a quote.
    let (quote, or, and) = match backend {
        Backend::Sqlite => ('"', " OR ", " AND "),
        Backend::Postgres => ('\'', " | ", " & "),
    };
    let one = |of: &Vec<String>| {
        let words: Vec<String> = of.iter().map(|word| format!("{quote}{word}{quote}")).collect();
        format!("({})", words.join(or))
    };
    must.iter().map(one).collect::<Vec<_>>().join(and)
}

/// What must be there, and that within these places, of which the `latest` is the last: the marks of the stretches that they are in.
/// Without them PostgreSQL would visit the row of each item that holds the words to learn where it stands.
fn within(must: &Must, from: i64, before: i64, latest: i64) -> Must {
    let (first, last) = (from / STRETCH, (before - 1).min(latest) / STRETCH);
    let marks = (first..=last).map(|number| stretch(number * STRETCH)).collect();
    must.iter().cloned().chain([marks]).collect()
}

/// How many items hold which words and marks.
#[derive(Default)]
pub(super) struct Counts {
    items: i64,
    /// The latest place.
    place: i64,
    docs: HashMap<String, i64>,
}

impl Counts {
    /// From which places on to look, one after the other, until there are `limit` items. What very many items hold is looked for
    /// among the latest first, where as many as are wanted will be.
    pub(super) fn windows(&self, must: &Must, since: i64, before: i64, limit: i64) -> Vec<i64> {
        let items = self.items.max(1) as f64;
        let share = |any: &Vec<String>| {
            let docs: i64 = any.iter().filter_map(|word| self.docs.get(word)).sum();
            (docs as f64 / items).min(1.0)
        };
        let share: f64 = must.iter().map(share).product();
        if share * items < MANY {
            return vec![since];
        }
        // Places that nobody holds any more lie between those of the items.
        let spread = (self.place as f64 / items).max(1.0);
        let width = (1.5 * limit as f64 * spread / share).ceil() as i64;
        let from = before.min(self.place + 1).saturating_sub(width);
        if from > since { vec![from, since] } else { vec![since] }
    }

    /// What is looked for in a window that begins at `from`, where all of it would begin at `since`.
    pub(super) fn expression(&self, backend: Backend, must: &Must, from: i64, since: i64, before: i64) -> String {
        match from > since {
            true => expression(backend, &within(must, from, before, self.place)),
            false => expression(backend, must),
        }
    }
}

impl Store {
    /// How many items hold each of these words and marks. SQLite has no need of it: it walks its index from the latest item
    /// on, and stops when it has enough. PostgreSQL finds all before it sorts them. `size` is the hub's, where it is known.
    pub(super) async fn counts(
        &self,
        by: &mut Reader,
        looks: &[Must],
        size: Option<(i64, i64)>,
    ) -> Result<Counts, StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(Counts::default());
        }
        let wanted: HashSet<&String> = looks.iter().flatten().flatten().collect();
        let (items, place) = match size {
            Some(size) => size,
            None => self.hub_size(by).await?,
        };
        let sql = format!("SELECT word, docs FROM knowledge_words WHERE word {}", listed(self.backend(), 1));
        let docs: Vec<(String, i64)> = read_by!(by, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(serde_json::to_string(&wanted)?).fetch_all(c).await)?;
        Ok(Counts { items, place, docs: docs.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_window_names_the_stretches_that_it_reaches_into() {
        let must: Must = vec![vec!["often".to_owned()]];
        let hub = counts(100_000, 10_000, &[("often", 50_000)]);
        let of = |from, since, before| hub.expression(Backend::Postgres, &must, from, since, before);
        assert_eq!(of(0, 0, i64::MAX), "('often')", "all of it");
        assert_eq!(of(9_000, 0, i64::MAX), "('often') & ('p=2')");
        assert_eq!(of(4_095, 0, i64::MAX), "('often') & ('p=0' | 'p=1' | 'p=2')");
        assert_eq!(of(4_096, 0, 8_192), "('often') & ('p=1')", "which ends before the place");
    }
}
