//! Dies, or stops, at one exact boundary, when the tests say so. Not in a release.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use guildhall_engine::Pace;
use guildhall_types::boundary;
use rustix::process::{Signal, getpid, kill_process};

/// A file to which each passage is written, as a line.
const PASSAGES: &str = "GUILDHALL_TEST_PASSAGES";
/// What to do where: `kill NAME N` or `stop NAME N`, at the Nth passage of the boundary NAME since the start.
const AT: &str = "GUILDHALL_TEST_AT";

/// Milliseconds that a lease lasts, so that a test need not wait for half a minute.
const LEASE: &str = "GUILDHALL_TEST_LEASE_MS";
/// `off` where nobody judges the machine on which the tests run: however full it is, work begins.
const ALERTS: &str = "GUILDHALL_TEST_ALERTS";

/// `on` where repositories are shared with other nodes, as where there is a Redis beside PostgreSQL.
const SHARES: &str = "GUILDHALL_TEST_SHARES";

/// Whether repositories are shared, as the environment says.
pub(crate) fn shares() -> bool {
    std::env::var(SHARES).is_ok_and(|text| text == "on")
}

/// The usual pace, or the one that the environment says.
pub(crate) fn pace() -> Pace {
    let judged = std::env::var(ALERTS).map_or(true, |text| text != "off");
    let usual = Pace { alerts: judged, ..Pace::default() };
    let lease = std::env::var(LEASE).ok().and_then(|text| text.parse().ok());
    lease.map(Duration::from_millis).map_or(usual, |lease| Pace {
        lease,
        look: lease / 6,
        rest: lease / 3,
        alerts: false,
        ..usual
    })
}

/// Watches the boundaries, if the environment says so.
pub fn watch() {
    let order = std::env::var(AT).ok();
    let order = order.as_deref().and_then(parse);
    let log = std::env::var_os(PASSAGES).and_then(|path| File::options().create(true).append(true).open(path).ok());
    if order.is_none() && log.is_none() {
        return;
    }
    let passed: Mutex<HashMap<String, u64>> = Mutex::default();
    boundary::watch(move |name| {
        if let Some(mut log) = log.as_ref() {
            // The tests miss the line, and say so.
            drop(log.write_all(format!("{name}\n").as_bytes()));
        }
        let Some((signal, at, nth)) = &order else { return };
        if name == at {
            let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
            let count = passed.entry(name.to_owned()).or_default();
            *count += 1;
            if count == nth {
                // This thread gets no further: the signal is taken before the call returns.
                let _ = kill_process(getpid(), *signal);
            }
        }
    });
}

fn parse(order: &str) -> Option<(Signal, String, u64)> {
    let mut words = order.split(' ');
    let signal = match words.next()? {
        "kill" => Signal::KILL,
        "stop" => Signal::STOP,
        _ => return None,
    };
    Some((signal, words.next()?.to_owned(), words.next()?.parse().ok()?))
}
