//! How many requests may come of one member, one token or one address. Counted by each process for itself: a member who
//! reaches two servers has twice as many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use guildhall_team::network;
use guildhall_types::DateTime;

use crate::app::App;
use crate::auth::connection;
use crate::problem::Problem;

/// Callers that are remembered at most. Who is forgotten begins with a full measure.
const REMEMBERED: usize = 20_000;

/// How many requests came of whom lately. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    buckets: Arc<Mutex<HashMap<String, Bucket>>>,
}

/// What a caller may still send: a measure that holds a minute's requests and fills steadily.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: DateTime,
}

impl Rates {
    /// Counts one request; refuses it when the caller has sent its measure.
    ///
    /// # Errors
    /// 429 `too-many-requests`, with the seconds until the next one.
    pub fn take(&self, caller: &str, a_minute: Option<u32>, now: DateTime) -> Result<(), Problem> {
        let Some(a_minute) = a_minute.map(f64::from) else { return Ok(()) };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(caller) {
            buckets.retain(|_, bucket| bucket.filled(a_minute, now) < a_minute);
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(caller.to_owned()).or_insert(Bucket { left: a_minute, at: now });
        *bucket = Bucket { left: bucket.filled(a_minute, now), at: bucket.at.max(now) };
        if bucket.left < 1.0 {
            let seconds = ((1.0 - bucket.left) * 60.0 / a_minute).ceil();
            return Err(Problem::throttled(
                "too-many-requests",
                "That were too many requests at once; an operator can allow more.",
                seconds as i64,
            ));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn filled(&self, a_minute: f64, now: DateTime) -> f64 {
        let passed = (now - self.at).num_milliseconds().max(0) as f64 / 60_000.0;
        (self.left + passed * a_minute).min(a_minute)
    }
}

/// Counts the requests to open routes, of each address.
pub async fn of_address(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let from = connection(request.headers(), request.extensions());
    stranger(&app, from.address.as_deref())?;
    Ok(next.run(request).await)
}

/// Counts a request of somebody who is nobody.
///
/// # Errors
/// 429 `too-many-requests`.
pub fn stranger(app: &App, address: Option<&str>) -> Result<(), Problem> {
    let caller = format!("address {}", network(address.unwrap_or_default()));
    app.rates.take(&caller, app.guard.requests_per_address, app.team.clock.now())
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn a_measure_is_emptied_and_fills_again() {
        let rates = Rates::default();
        let begin: DateTime = "2026-03-01T10:00:00Z".parse().unwrap();
        let at = |seconds| begin + std::time::Duration::from_secs(seconds);
        for _ in 0..60 {
            rates.take("a", Some(60), begin).unwrap();
        }
        assert_eq!(rates.take("a", Some(60), begin).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        rates.take("b", Some(60), begin).unwrap();
        rates.take("a", None, begin).unwrap();
        rates.take("a", Some(60), at(1)).unwrap();
        assert!(rates.take("a", Some(60), at(1)).is_err());
        // A clock that was set back gives nothing away and takes nothing.
        assert!(rates.take("a", Some(60), begin).is_err());
        for _ in 0..60 {
            rates.take("a", Some(60), at(600)).unwrap();
        }
        assert!(rates.take("a", Some(60), at(600)).is_err());
    }

    #[test]
    fn no_number_of_callers_fills_the_memory() {
        let rates = Rates::default();
        let now: DateTime = "2026-03-01T10:00:00Z".parse().unwrap();
        for n in 0..REMEMBERED * 2 + 10 {
            rates.take(&n.to_string(), Some(60), now).unwrap();
        }
        assert!(rates.buckets.lock().unwrap().len() <= REMEMBERED);
    }
}
