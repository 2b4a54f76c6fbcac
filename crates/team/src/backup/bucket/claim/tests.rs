//! A claim whose holder stood still, at a store whose clock the test sets.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use guildhall_llm::Secret;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::backup::{Patience, S3Access};

/// What is there, and since when; and the time.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<(BTreeMap<String, DateTime>, DateTime)>>);

impl Store {
    /// A store that knows put, delete and list, and a place in it.
    async fn start() -> (Self, Bucket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let store = Self::default();
        let serving = store.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(client));
            }
        });
        let access = S3Access {
            endpoint: Some(format!("http://127.0.0.1:{port}").parse().unwrap()),
            key_id: Some("AKIA".to_owned()),
            secret: Some(Secret::new("hidden-key")),
            patience: Patience { retries: 0, ..Patience::default() },
            ..S3Access::default()
        };
        (store, Bucket::at("backups", &access).unwrap())
    }

    async fn answer(self, client: TcpStream) {
        let mut client = BufReader::new(client);
        let (mut first, mut length) = (String::new(), 0);
        client.read_line(&mut first).await.unwrap();
        loop {
            let mut line = String::new();
            client.read_line(&mut line).await.unwrap();
            if line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        client.read_exact(&mut vec![0; length]).await.unwrap();
        let (method, rest) = first.split_once(' ').unwrap();
        let name = rest.split_once(' ').unwrap().0.trim_start_matches("/backups").trim_start_matches('/');
        let body = {
            let (there, now) = &mut *self.0.lock().unwrap();
            match method {
                "PUT" => drop(there.insert(name.to_owned(), *now)),
                "DELETE" => drop(there.remove(name)),
                _ => {}
            }
            let one = |(name, at): (&String, &DateTime)| {
                let at = at.to_rfc3339();
                format!(
                    "<Contents><Key>{name}</Key><Size>1</Size><LastModified>{at}</LastModified><ETag>1</ETag></Contents>"
                )
            };
            format!("<ListBucketResult>{}</ListBucketResult>", there.iter().map(one).collect::<String>())
        };
        let head =
            format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }

    fn pass(&self, minutes: i64) {
        self.0.lock().unwrap().1 += TimeDelta::minutes(minutes);
    }

    fn there(&self) -> Vec<String> {
        self.0.lock().unwrap().0.keys().cloned().collect()
    }

    fn clear(&self) {
        self.0.lock().unwrap().0.clear();
    }
}

#[tokio::test]
async fn a_claim_that_was_taken_away_never_holds_again() {
    let (store, bucket) = Store::start().await;
    let mut claim = bucket.claim(true).await.unwrap().unwrap();
    claim.still().await.unwrap();
    assert_eq!(store.there().len(), 1);
    // Another process forgot it while this one stood still, and its clock with it.
    store.clear();
    claim.keep(DateTime::UNIX_EPOCH, Duration::from_millis(1));
    let (_end, beat) = claim.beat.take().unwrap();
    beat.await.unwrap();
    assert!(store.there().is_empty(), "it was put again");
    assert!(matches!(claim.still().await, Err(BackupError::Forgotten { .. })));
    // Also between two times that it would have been put again.
    let claim = bucket.claim(true).await.unwrap().unwrap();
    store.clear();
    assert!(matches!(claim.still().await, Err(BackupError::Forgotten { .. })));
    claim.release().await;
}

#[tokio::test]
async fn how_long_a_claim_was_silent_the_stores_clock_says() {
    let (store, bucket) = Store::start().await;
    let claim = bucket.claim(true).await.unwrap().unwrap();
    store.pass(LOST - 1);
    let at = bucket.again(&claim.path, DateTime::UNIX_EPOCH).await.unwrap().unwrap();
    assert_eq!(at, DateTime::UNIX_EPOCH + TimeDelta::minutes(LOST - 1));
    store.pass(LOST);
    assert_eq!(bucket.again(&claim.path, at).await.unwrap(), None);
    assert!(store.there().is_empty(), "it is in nobody's way");
    claim.release().await;
}

#[tokio::test]
async fn a_claim_that_is_dropped_is_gone_when_that_was_waited_for() {
    let (store, bucket) = Store::start().await;
    let claim = bucket.claim(true).await.unwrap().unwrap();
    drop(claim);
    bucket.gone().await;
    assert!(store.there().is_empty() && bucket.left().is_empty());
}
