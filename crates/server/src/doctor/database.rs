//! The database: whether it answers, of which schema it is, and whether it is fit for what is asked of it.

use std::path::Path;
use std::sync::Arc;

use chrono::Duration;
use guildhall_store::{Backend, ServerFacts, Store};
use guildhall_types::{Clock, DateTime};

use super::{Level, Line, backups, keys};
use crate::config::Config;
use crate::problem::chain;
use crate::{database, folder};

const WHAT: &str = "database";

/// The oldest PostgreSQL that the tests run with.
const POSTGRES: i32 = 150_000;
/// How far the database's clock may be from this machine's before times on the page look odd.
const SKEW: Duration = Duration::seconds(2);

pub(super) async fn examine(config: &Config, clock: Arc<dyn Clock>) -> Vec<Line> {
    let url = config.database_url.expose();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !Path::new(path).exists()
    {
        return vec![Line::new(Level::Ok, WHAT, format!("{path} is made at the first start")), keys::files(config)];
    }
    let store = match Store::open(url, Arc::clone(&clock)).await {
        Ok(store) => store,
        Err(error) => {
            let detail = format!("{}; check DATABASE_URL and that the server runs", chain(&error));
            return vec![Line::new(Level::Fail, WHAT, detail), keys::files(config)];
        }
    };
    let kind = match store.backend() {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    };
    let mut lines = vec![match store.ping().await {
        Err(error) => Line::new(Level::Fail, WHAT, format!("{kind} does not answer: {}", chain(&error))),
        Ok(()) => schema(&store, kind).await,
    }];
    if let Ok(Err(moved)) = database::stays(&store).await {
        lines.push(Line::new(Level::Fail, WHAT, moved.to_string()));
    }
    match store.facts().await {
        Ok(facts) => {
            lines[0].detail.push_str(&format!("; its version is {}", facts.version));
            if let Some(server) = facts.server {
                lines.extend(fit(&server, folder::is_taken(&config.data_dir), config.redis_url.is_some()));
                // Once more: this asks for nothing else, so that the time in between is the way there and back.
                let before = clock.now();
                if let Ok(Some(again)) = store.facts().await.map(|facts| facts.server) {
                    lines.push(skew(before, again.now, clock.now()));
                }
            }
        }
        Err(error) => lines.push(Line::new(Level::Fail, WHAT, format!("{kind} does not answer: {}", chain(&error)))),
    }
    lines.extend(keys::examine(config, &store).await);
    if matches!(store.schema_version().await, Ok((Some(found), wanted)) if found == wanted) {
        lines.push(backups::examine(config, &store, clock.now()).await);
    }
    store.close().await;
    lines
}

/// Which schema the database is at, and which one this version wants.
async fn schema(store: &Store, kind: &str) -> Line {
    match (store.schema_version().await, store.last_seq().await) {
        (Ok((Some(found), wanted)), Ok(seq)) => {
            let at = format!("{kind} answers, is at schema {found} and holds {seq} events");
            match found.cmp(&wanted) {
                std::cmp::Ordering::Equal => Line::new(Level::Ok, WHAT, at),
                std::cmp::Ordering::Less => Line::new(
                    Level::Warn,
                    WHAT,
                    format!("{at}; this version wants {wanted}: `guildhall migrate` or the next start brings it there"),
                ),
                std::cmp::Ordering::Greater => Line::new(
                    Level::Fail,
                    WHAT,
                    format!("{at}; this version knows {wanted} only: install the version that made it, or a later one"),
                ),
            }
        }
        (Err(error), _) => Line::new(Level::Fail, WHAT, format!("{kind} does not answer: {}", chain(&error))),
        (Ok(_), _) => Line::new(
            Level::Warn,
            WHAT,
            format!("{kind} answers, but has no tables yet; `guildhall migrate` or the next start makes them"),
        ),
    }
}

/// What a database server needs beside answering. Nothing of ours needs an extension. `running` says whether the server of
/// this data folder is at work: it is connected then. `shared` says whether servers hear of each other.
fn fit(server: &ServerFacts, running: bool, shared: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    if server.number < POSTGRES {
        let detail =
            format!("PostgreSQL {} is older than what is tried; upgrade to 15 or later", server.number / 10_000);
        lines.push(Line::new(Level::Warn, WHAT, detail));
    }
    if server.encoding != "UTF8" {
        let detail = format!(
            "it writes text as {}, in which not every name and every file can be kept; make it anew with: CREATE DATABASE guildhall ENCODING 'UTF8' TEMPLATE template0",
            server.encoding
        );
        lines.push(Line::new(Level::Fail, WHAT, detail));
    }
    if server.others.len() > usize::from(running) {
        let others = format!("other programs of Guildhall work on this database: {}", server.others.join(", "));
        lines.push(match shared {
            true => Line::new(Level::Ok, WHAT, format!("{others} (process@machine)")),
            false => Line::new(
                Level::Warn,
                WHAT,
                format!(
                    "{others} (process@machine). Servers hear of each other's changes at once by Redis alone: name one for all of them in REDIS_URL, or stop those that should not run"
                ),
            ),
        });
    }
    lines
}

/// Compares the database's clock with this machine's, which was looked at before and after.
fn skew(before: DateTime, theirs: DateTime, after: DateTime) -> Line {
    const WHAT: &str = "clock";
    let ours = before + (after - before) / 2;
    let apart = theirs - ours;
    // The answer may have come from any moment in between.
    let sure = apart.abs() - (after - before) / 2;
    let seconds = apart.num_milliseconds() as f64 / 1_000.0;
    match sure > SKEW {
        true => Line::new(
            Level::Warn,
            WHAT,
            format!(
                "the database's clock is {seconds:+.1} seconds from this machine's; let both keep time, such as with: timedatectl set-ntp true"
            ),
        ),
        false => Line::new(Level::Ok, WHAT, "the database's clock and this machine's agree"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_apart_are_told_and_a_slow_answer_is_not_taken_for_that() {
        let at = |ms| DateTime::UNIX_EPOCH + Duration::milliseconds(ms);
        assert_eq!(skew(at(0), at(1_500), at(10)).level, Level::Ok);
        assert_eq!(skew(at(0), at(9_000), at(10_000)).level, Level::Ok);
        let line = skew(at(100_000), at(40_000), at(100_010));
        assert!(line.level == Level::Warn && line.detail.contains("is -60.0 seconds"), "{line:?}");
    }

    #[test]
    fn a_database_that_is_not_fit_is_told_and_one_servers_own_connections_are_not() {
        let good = ServerFacts {
            number: 150_014,
            encoding: "UTF8".to_owned(),
            now: DateTime::UNIX_EPOCH,
            others: vec!["7@here".to_owned()],
        };
        assert!(fit(&good, true, false).is_empty());
        let told = |server: &ServerFacts, running| {
            let lines = fit(server, running, false);
            assert_eq!(lines.len(), 1, "{lines:?}");
            (lines[0].level, lines[0].detail.clone())
        };
        let (level, detail) = told(&good, false);
        assert!(level == Level::Warn && detail.contains("7@here") && detail.contains("REDIS_URL"), "{detail}");
        let lines = fit(&good, false, true);
        assert!(lines[0].level == Level::Ok && lines[0].detail.contains("7@here"), "{lines:?}");
        let old = ServerFacts { number: 140_003, others: Vec::new(), ..good.clone() };
        assert!(told(&old, false).1.contains("PostgreSQL 14 is older"));
        let latin = ServerFacts { encoding: "LATIN1".to_owned(), others: Vec::new(), ..good };
        assert_eq!(told(&latin, false).0, Level::Fail);
    }
}
