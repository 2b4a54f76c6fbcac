//! Tells the audit of calls that leave no entry by themselves: those that only look, and those that came to nothing. What was
//! asked is told, never what was answered.
//!
//! A client asks the same again and again, and much at once. So each thing is told once in a minute of one token, and so many
//! things, of those that came to nothing as many again, so that they hide no look; how many calls there were beside them stands in the token's next entry, or in one of its own a while later.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use guildhall_types::audit::{Actor, AuditAction, AuditObject, AuditOutcome, Note, plain};
use guildhall_types::{DateTime, TokenId};
use tokio_util::sync::CancellationToken;

use super::call::Caller;
use crate::app::App;
use crate::auth::Pass;
use crate::problem::{Problem, chain};

/// Calls of one token that are told singly in a minute, and as many that came to nothing.
const SINGLY: usize = 30;
/// How often calls are told that were not told singly, if nothing of their token was told since.
const SWEEP: Duration = Duration::from_secs(60);

/// What was told of whose calls lately. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Told {
    minutes: Arc<Mutex<HashMap<TokenId, Minute>>>,
}

/// A minute of a token.
#[derive(Debug)]
struct Minute {
    since: DateTime,
    actor: Actor,
    singly: HashSet<String>,
    /// Of those that came to nothing.
    refused: HashSet<String>,
    /// Calls that no entry tells of yet.
    others: u64,
}

impl Told {
    /// Whether an entry is to tell of this call, and of how many others that none tells of.
    fn tells(&self, token: TokenId, actor: &Actor, what: String, refused: bool, now: DateTime) -> Option<u64> {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = minutes.entry(token).or_insert_with(|| Minute::of(actor.clone(), now));
        if now - minute.since >= chrono::Duration::minutes(1) {
            let others = minute.others;
            *minute = Minute { others, ..Minute::of(actor.clone(), now) };
        }
        let told = if refused { &mut minute.refused } else { &mut minute.singly };
        if told.len() >= SINGLY || !told.insert(what) {
            minute.others += 1;
            return None;
        }
        Some(std::mem::take(&mut minute.others))
    }

    /// Takes what no entry tells of, of the tokens whose minute is over, or of all.
    fn untold(&self, over_at: Option<DateTime>) -> Vec<(Actor, u64)> {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |minute: &Minute| over_at.is_none_or(|now| now - minute.since >= chrono::Duration::minutes(1));
        let done = minutes.extract_if(|_, minute| over(minute)).map(|(_, minute)| (minute.actor, minute.others));
        done.filter(|(_, others)| *others > 0).collect()
    }
}

impl Minute {
    fn of(actor: Actor, since: DateTime) -> Self {
        Self { since, actor, singly: HashSet::new(), refused: HashSet::new(), others: 0 }
    }
}

/// Tells the audit of a call: of which tool or method, and on what, if it was on one thing. That this fails changes nothing.
pub(super) async fn tell(app: &App, caller: &Caller, what: &str, of: Option<&str>, problem: Option<&Problem>) {
    let Pass::Token(token) = &caller.signed.pass else { return };
    // Who may not is told with the route that refused.
    if problem.is_some_and(|problem| problem.status() == StatusCode::FORBIDDEN) {
        return;
    }
    let code = problem.map(Problem::code);
    let actor = Actor { token: Some(token.id), ..caller.from.of(caller.signed.member.id) };
    let key = key(what, of, code);
    let Some(others) = app.told.tells(token.id, &actor, key, code.is_some(), app.team.clock.now()) else { return };
    let mut note = Note::new(AuditAction::CallTool).on(AuditObject::Tool, what);
    if let Some(of) = of {
        note = note.with("of", of);
    }
    if let Some(code) = code {
        note = note.outcome(AuditOutcome::Refused).with("code", code);
    }
    write(app, actor, note, others).await;
}

/// By what a call is known again: no longer than what the audit tells of it, however long what was asked is.
fn key(what: &str, of: Option<&str>, code: Option<&str>) -> String {
    format!("{} {} {}", plain(what), plain(of.unwrap_or_default()), code.unwrap_or_default())
}

async fn write(app: &App, actor: Actor, note: Note, others: u64) {
    let note = if others > 0 { note.with("others", others) } else { note };
    if let Err(error) = app.team.store.acting_as(actor).audit(note).await {
        tracing::error!(error = chain(&error), "a call by MCP could not be put into the audit");
    }
}

/// Tells of the calls that no entry tells of: of those whose minute is over, or of all.
pub(crate) async fn tell_the_rest(app: &App, all: bool) {
    let over_at = (!all).then(|| app.team.clock.now());
    for (actor, others) in app.told.untold(over_at) {
        write(app, actor, Note::new(AuditAction::CallTool), others).await;
    }
}

/// The same, again and again until the server stops.
pub(crate) async fn tell_until(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        tell_the_rest(&app, false).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn each_thing_is_told_once_in_a_minute_and_the_rest_is_counted() {
        let (told, one, other) = (Told::default(), TokenId::new(), TokenId::new());
        let actor = Actor { token: Some(one), ..Actor::default() };
        let tells = |token, what: &str, second| told.tells(token, &actor, what.to_owned(), false, at(second));
        assert_eq!(tells(one, "feature_get a", 0), Some(0));
        assert_eq!(tells(one, "feature_get a", 1), None);
        assert_eq!(tells(one, "feature_get a", 2), None);
        assert_eq!(tells(other, "feature_get a", 2), Some(0), "another token's are told for themselves");
        assert_eq!(tells(one, "feature_get b", 3), Some(2));
        assert_eq!(tells(one, "feature_get b", 59), None);
        assert_eq!(tells(one, "feature_get b", 60), Some(1), "nothing that was counted is forgotten with its minute");
        for n in 0..SINGLY {
            tells(one, &format!("feature_get {n}"), 61);
        }
        assert_eq!(tells(one, "feature_get z", 62), None, "a flood of different things is counted as well");
        assert!(told.untold(Some(at(61))).is_empty(), "the minute is not over");
        let untold = told.untold(Some(at(200)));
        assert_eq!(untold, [(actor, 2)]);
        assert!(told.untold(None).is_empty(), "each is told once");
    }

    #[test]
    fn what_came_to_nothing_hides_no_look_and_no_key_grows_with_what_was_asked() {
        let (told, one) = (Told::default(), TokenId::new());
        let actor = Actor { token: Some(one), ..Actor::default() };
        let tells = |what: String, refused| told.tells(one, &actor, what, refused, at(0));
        for n in 0..SINGLY {
            assert!(tells(format!("feature_get {n} not-found"), true).is_some());
        }
        assert_eq!(tells("feature_get z not-found".to_owned(), true), None);
        assert_eq!(tells("feature_get a".to_owned(), false), Some(1));
        let long = "x".repeat(2 << 20);
        assert!(key(&long, Some(&long), Some("not-found")).len() < 4096);
    }
}
