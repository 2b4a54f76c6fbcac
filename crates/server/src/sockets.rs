//! How many WebSockets one member may hold: each keeps a connection's place for as long as it likes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use guildhall_types::MemberId;

use crate::auth::{Pass, Signed};
use crate::problem::Problem;

/// WebSockets of a member at once, in all pages and programs.
const OF_MEMBER: usize = 50;
/// Those of one token: whoever got hold of it does not keep its member's pages out.
const OF_TOKEN: usize = 20;

/// Who holds how many WebSockets of this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Mutex<HashMap<String, usize>>>);

/// A WebSocket's place among those of its member, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    sockets: Sockets,
    holders: Vec<String>,
}

impl Sockets {
    /// A place for one more.
    ///
    /// # Errors
    /// 429 `too-many-sockets`.
    pub fn take(&self, signed: &Signed) -> Result<Seat, Problem> {
        let member = (format!("member {}", signed.member.id), OF_MEMBER);
        match &signed.pass {
            Pass::Session(_) => self.seat(vec![member]),
            Pass::Token(token) => self.seat(vec![member, (format!("token {}", token.id), OF_TOKEN)]),
        }
    }

    /// A place for one more that leads to a page of a service, which a member looks at.
    ///
    /// # Errors
    /// 429 `too-many-sockets`.
    pub fn take_page(&self, member: MemberId) -> Result<Seat, Problem> {
        self.seat(vec![(format!("pages for {member}"), OF_MEMBER)])
    }

    fn seat(&self, holders: Vec<(String, usize)>) -> Result<Seat, Problem> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.iter().any(|(holder, most)| held.get(holder).is_some_and(|count| count >= most)) {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-sockets",
                "There are as many WebSockets open for you as one may have. Close pages or programs that you no longer need.",
            ));
        }
        let holders: Vec<String> = holders.into_iter().map(|(holder, _)| holder).collect();
        for holder in &holders {
            *held.entry(holder.clone()).or_default() += 1;
        }
        Ok(Seat { sockets: self.clone(), holders })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in &self.holders {
            match held.get_mut(holder) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(held.remove(holder)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_each_and_given_back() {
        let sockets = Sockets::default();
        let (anna, ben) = (MemberId::new(), MemberId::new());
        let mut seats: Vec<Seat> = (0..OF_MEMBER).map(|_| sockets.take_page(anna).unwrap()).collect();
        assert_eq!(sockets.take_page(anna).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        drop(sockets.take_page(ben).unwrap());
        seats.pop();
        drop(sockets.take_page(anna).unwrap());
        drop(seats);
        assert!(sockets.0.lock().unwrap().is_empty(), "who holds none is forgotten");
    }
}
