//! Lines to PostgreSQL that die without a word: what waits for an answer is told, and the next that asks gets one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use guildhall_store::{Store, StoreError};
use guildhall_types::FixedClock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::Fresh;

/// Longer than a pool waits for a connection, or any test for an answer on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Carries bytes to a server and back. A line that was there when `dead` counts on stays open, and nothing comes on it any more.
async fn carry(listener: TcpListener, server: String, dead: watch::Receiver<u32>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (server, mut dead) = (server.clone(), dead.clone());
        dead.mark_unchanged();
        tokio::spawn(async move {
            let carrying = async {
                let mut server = TcpStream::connect(&server).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            };
            tokio::select! {
                biased;
                Ok(()) = dead.changed() => std::future::pending().await,
                () = carrying => {}
            }
        });
    }
}

/// A store whose lines die when `dead` counts on.
async fn mortal(of: &Fresh) -> (Store, watch::Sender<u32>) {
    let url = of.url();
    let (start, rest) = url.split_once('@').unwrap();
    let (host, name) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{start}@127.0.0.1:{}/{name}", listener.local_addr().unwrap().port());
    let dead = watch::Sender::new(0);
    tokio::spawn(carry(listener, host.to_owned(), dead.subscribe()));
    (Store::open(&url, Arc::new(FixedClock::default())).await.unwrap(), dead)
}

#[tokio::test]
async fn who_waits_on_a_dead_line_is_told_and_the_next_gets_another() {
    let fresh = Fresh::postgres().await;
    let (store, dead) = mortal(&fresh).await;
    let all = || async {
        let reads = join_all((0..6).map(|_| async { store.last_seq().await.map(drop) }));
        let writes = join_all([0, 1, 2, 3, 4, 5].iter().map(|n| store.put_setting("waits", n)));
        let (reads, writes) = tokio::time::timeout(PATIENCE, async { tokio::join!(reads, writes) }).await.unwrap();
        reads.into_iter().chain(writes).collect::<Vec<_>>()
    };
    // Each opens a line, and these are as many as the pool has places.
    all().await.into_iter().for_each(Result::unwrap);
    let unused = async {
        while store.connections() != (12, 12) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, unused).await.unwrap();
    dead.send_modify(|count| *count += 1);
    for told in all().await {
        assert!(matches!(told, Err(StoreError::Away(sqlx::Error::Io(_)))), "{told:?}");
    }
    // No place is held by a line that is dead.
    all().await.into_iter().for_each(Result::unwrap);
}

#[tokio::test]
async fn a_line_that_died_while_nobody_used_it_costs_nobody_an_error() {
    let fresh = Fresh::postgres().await;
    let (store, dead) = mortal(&fresh).await;
    store.last_seq().await.unwrap();
    dead.send_modify(|count| *count += 1);
    // So long that it is tried before it is used.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    tokio::time::timeout(PATIENCE, store.last_seq()).await.unwrap().unwrap();
}
