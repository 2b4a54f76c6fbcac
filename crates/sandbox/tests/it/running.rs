//! Commands that run on while others do.

use guildhall_sandbox::{Exit, Room, Running, SandboxError, Size, Streams};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::endings::{alive, brood, none_alive, word};
use crate::harness::{Place, patience};

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

/// Reads what a terminal shows until `wanted` is there.
async fn until(running: &mut Running, shown: &mut String, wanted: &str) {
    let terminal = running.terminal.as_ref().unwrap();
    let mut chunk = [0; 4096];
    while !shown.contains(wanted) {
        let read = tokio::time::timeout(patience(30), terminal.read(&mut chunk)).await;
        let count = read.unwrap_or_else(|_| panic!("waited in vain for {wanted:?}; there is {shown:?}")).unwrap();
        assert!(count > 0, "it ended before {wanted:?}; there is {shown:?}");
        shown.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
}

async fn types(running: &Running, words: &str) {
    let terminal = running.terminal.as_ref().unwrap();
    assert_eq!(terminal.write(words.as_bytes()).await.unwrap(), words.len());
}

#[tokio::test]
async fn a_terminal_is_one_to_the_command_and_keeps_the_walls() {
    let place = Place::new();
    let mut env = place.room.env.clone();
    env.push(("TERM".to_owned(), "xterm-256color".to_owned()));
    let room = Room { env, ..place.room.clone() };
    let size = Size { columns: 91, rows: 17 };
    let line = "exec /bin/bash --norc -i";
    let mut running = place.sandbox.start(&room, line, Streams::Terminal(size)).await.unwrap();
    let mut shown = String::new();
    types(&running, "test -t 0 && test -t 1 && stty size && echo $TERM\n").await;
    until(&mut running, &mut shown, "17 91\r\nxterm-256color\r\n").await;
    running.terminal.as_ref().unwrap().resize(Size { columns: 120, rows: 40 }).unwrap();
    types(&running, "stty size\n").await;
    until(&mut running, &mut shown, "40 120\r\n").await;
    // Ctrl-C reaches what is in the foreground, and the shell stays.
    // It says so itself once it is in the foreground: between two commands of a shell, an interrupt may reach neither.
    types(&running, "sh -c 'echo begun; exec sleep 300'\n").await;
    until(&mut running, &mut shown, "begun\r\n").await;
    shown.clear();
    types(&running, "\u{3}").await;
    // What is typed before the shell asks again may be thrown away with what was interrupted.
    until(&mut running, &mut shown, "$ ").await;
    types(&running, "echo still-$((1+1))\n").await;
    until(&mut running, &mut shown, "still-2\r\n").await;
    // Nobody puts words into its mouth.
    types(&running, "perl -e '$x = \"x\"; print ioctl(STDIN, 0x5412, $x) ? \"put\" : \"kept: $!\", \"\\n\"'\n").await;
    until(&mut running, &mut shown, "kept: Operation not permitted\r\n").await;
    assert!(!shown.contains("job control"), "{shown}");
    types(&running, "exit 3\n").await;
    assert_eq!(running.ended().await.unwrap(), Exit::Code(3));
}

#[tokio::test]
async fn what_a_terminal_started_goes_with_it() {
    let place = Place::new();
    let word = word(14);
    let line = format!("{}; sleep {word}", brood(&word));
    let size = Size { columns: 80, rows: 24 };
    let mut running = place.sandbox.start(&place.room, &line, Streams::Terminal(size)).await.unwrap();
    until(&mut running, &mut String::new(), "ready").await;
    drop(running);
    assert!(none_alive(&word).await);
}
