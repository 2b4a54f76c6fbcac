//! Commands that run on while others do.

use guildhall_sandbox::{Exit, SandboxError, Streams};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::endings::{alive, brood, none_alive, word};
use crate::harness::Place;

#[tokio::test]
async fn a_program_is_spoken_to_and_its_streams_are_apart() {
    let place = Place::new();
    let line = "while read -r word; do echo \"heard $word\"; echo \"not $word\" >&2; done; exit 7";
    let mut running = place.sandbox.start(&place.room, line, Streams::Parted).await.unwrap();
    let (mut input, output) = (running.input.take().unwrap(), running.output.take().unwrap());
    let mut lines = BufReader::new(output).lines();
    for word in ["one", "two"] {
        input.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), format!("heard {word}"));
    }
    drop(input);
    assert_eq!(running.ended().await.unwrap(), Exit::Code(7));
    assert_eq!(lines.next_line().await.unwrap(), None);
    let mut errors = String::new();
    running.errors.take().unwrap().read_to_string(&mut errors).await.unwrap();
    assert_eq!(errors, "not one\nnot two\n");
}

#[tokio::test]
async fn merged_streams_keep_their_order_and_there_is_nothing_to_read() {
    let place = Place::new();
    let line = "cat; for n in 1 2 3; do echo out$n; echo err$n >&2; done";
    let mut running = place.sandbox.start(&place.room, line, Streams::Merged).await.unwrap();
    assert!(running.input.is_none() && running.errors.is_none());
    let mut said = String::new();
    running.output.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "out1\nerr1\nout2\nerr2\nout3\nerr3\n");
    assert_eq!(running.ended().await.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn when_it_ends_what_it_started_is_gone() {
    let place = Place::new();
    let word = word(11);
    let mut running = place.sandbox.start(&place.room, &brood(&word), Streams::Merged).await.unwrap();
    assert_eq!(running.ended().await.unwrap(), Exit::Code(0));
    assert_eq!(alive(&word), 0);
}

#[tokio::test]
async fn killing_and_dropping_leave_nothing() {
    let place = Place::new();
    for (test, drops) in [(12, true), (13, false)] {
        let word = word(test);
        let line = format!("{}; sleep {word}", brood(&word));
        let mut running = place.sandbox.start(&place.room, &line, Streams::Merged).await.unwrap();
        let output = running.output.take().unwrap();
        assert_eq!(BufReader::new(output).lines().next_line().await.unwrap().unwrap(), "ready");
        if drops {
            drop(running);
            assert!(none_alive(&word).await);
        } else {
            running.kill().await.unwrap();
            assert_eq!(alive(&word), 0);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_so() {
    let place = Place::new();
    let refused = place.sandbox.start(&place.room, "a\0b", Streams::Parted).await;
    assert!(matches!(refused, Err(SandboxError::Refused { .. })), "{refused:?}");
}
