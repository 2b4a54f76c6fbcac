//! How long PostgreSQL is waited for.
//!
//! A line to it may die without a word: its host loses power, a firewall forgets the connection. Whoever waits for an answer then
//! waits until the kernel gives up, which is a quarter of an hour; meanwhile leases run out and pages stand still. So each answer is
//! waited for only so long, and a connection that gave none is not used again.

use std::io;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use sqlx::postgres::{PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection, Describe, Either, Error, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use tokio::time::timeout;

/// For the next piece of what a statement answers. Longer than PostgreSQL bears with a node that holds locks and says nothing
/// (`IDLE_IN_TRANSACTION`), so that who waits for these is not taken for cut off; so short that what a run has to save can be tried
/// again before its lease ends.
const ANSWER: Duration = Duration::from_secs(15);
/// For a sign of life of a connection on which nothing is being asked.
const SIGN: Duration = Duration::from_secs(3);

/// What is told where no answer came. It is of the kind that a cut line gives.
fn silence(waited: Duration) -> Error {
    let seconds = waited.as_secs();
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, format!("PostgreSQL did not answer within {seconds} s")))
}

/// When somebody last stopped waiting for PostgreSQL before it had answered. Of the process: what cuts one line off cuts others off, too.
static GIVEN_UP: Mutex<Option<Instant>> = Mutex::new(None);
/// For how long after that a connection may be silent because of the same.
const DOUBT: Duration = Duration::from_secs(60);

/// Whether connections may have gone silent.
fn in_doubt() -> bool {
    GIVEN_UP.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < DOUBT)
}

/// Who waits for an answer; notes it where that is given up: because it takes too long, or because nobody wants it any more.
struct Waiting {
    has_it: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.has_it {
            *GIVEN_UP.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }
}

/// The same, unless it takes too long.
pub(crate) async fn answered<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    // Ends after what waits, so that a connection that is given back with it is known to be in doubt.
    let answer = pin!(timeout(ANSWER, what));
    let mut waiting = Waiting { has_it: false };
    let answer = answer.await;
    waiting.has_it = answer.is_ok();
    answer.unwrap_or_else(|_| Err(silence(ANSWER)))
}

async fn sign_of_life(connection: &mut PgConnection) -> Result<(), Error> {
    timeout(SIGN, connection.ping()).await.unwrap_or_else(|_| Err(silence(SIGN)))
}

/// Has a pool put away connections that are silent: such as lay idle for longer than `fresh`, before they are used, and such as are given
/// back when somebody has stopped waiting lately. The pool tries any that is given back by itself, too, and would wait for as long as the
/// kernel does; to do it twice each time would be a round trip more for every statement.
pub(crate) fn watched(options: PgPoolOptions, fresh: Duration) -> PgPoolOptions {
    options
        .test_before_acquire(false)
        .before_acquire(move |connection, about| {
            Box::pin(async move {
                if about.idle_for > fresh {
                    sign_of_life(connection).await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                if in_doubt() {
                    sign_of_life(connection).await?;
                }
                Ok(true)
            })
        })
}

/// What runs statements on PostgreSQL, and waits for their answers only so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patient<E>(pub(crate) E);

/// The pieces of an answer; the last says so if one did not come in time.
fn pieces<'a, T: Send + 'a>(answer: BoxStream<'a, Result<T, Error>>) -> BoxStream<'a, Result<T, Error>> {
    let next = |answer: Option<BoxStream<'a, Result<T, Error>>>| async move {
        let mut answer = answer?;
        match answered(async { answer.next().await.transpose() }).await {
            Ok(piece) => piece.map(|piece| (Ok(piece), Some(answer))),
            Err(error) => Some((Err(error), None)),
        }
    };
    stream::unfold(Some(answer), next).boxed()
}

/// The same for a pool and for one connection.
macro_rules! run_patiently {
    ($life:lifetime, $of:ty, $this:ident => $inner:expr) => {
        impl<$life> Executor<$life> for $of {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
            where
                $life: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let $this = self;
                pieces($inner.fetch_many(query))
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                $life: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let $this = self;
                Box::pin(answered($inner.fetch_optional(query)))
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, Error>>
            where
                $life: 'e,
            {
                let $this = self;
                Box::pin(answered($inner.prepare_with(sql, parameters)))
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
            where
                $life: 'e,
            {
                let $this = self;
                Box::pin(answered($inner.describe(sql)))
            }
        }
    };
}

run_patiently!('c, Patient<&'c PgPool>, this => this.0);
run_patiently!('c, &'c mut Patient<&'_ mut PgConnection>, this => (&mut *this.0));
