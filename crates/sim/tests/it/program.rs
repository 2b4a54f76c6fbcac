//! The simulator as a program.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::prompt;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall-sim"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts it, and says where it listens.
async fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = program(&[&["--listen", "127.0.0.1:0"], arguments].concat()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).await.unwrap();
    let address = line.trim().rsplit("http://").next().unwrap().to_owned();
    (child, address)
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let done = Command::new("sh").args(["-c", "kill -$0 $1", name, &id]).status().await.unwrap();
    assert!(done.success());
}

async fn call(address: &str, script: &str) -> TcpStream {
    let mut body = prompt(script);
    body["stream"] = true.into();
    let body = body.to_string();
    let mut line = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-api-key: none\r\nanthropic-version: 2023-06-01\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    line.write_all(head.as_bytes()).await.unwrap();
    line
}

#[tokio::test]
async fn help_names_every_option() {
    let output = program(&["--help"]).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for option in [
        "--listen",
        "--first-word-ms",
        "--per-word-ms",
        "--ping-ms",
        "--requests-per-minute",
        "--context-window",
        "--max-output",
    ] {
        assert!(text.contains(option), "{option} is not in {text}");
    }
}

#[tokio::test]
async fn a_bad_option_is_refused_with_a_reason() {
    for (arguments, words) in [
        (["--listen", "nowhere"], "invalid value 'nowhere'"),
        (["--requests-per-minute", "0"], "0 is not in 1.."),
        (["--per-word-ms", "-5"], "-5"),
    ] {
        let output = program(&arguments).output().await.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(words), "{text}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program(&["--listen", &address]).output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains(&format!("cannot listen on {address}")), "{text}");
}

#[tokio::test]
async fn it_answers_and_ends_when_it_is_told_to() {
    for name in ["TERM", "INT"] {
        let (mut child, address) = start(&["--first-word-ms", "0", "--per-word-ms", "1"]).await;
        let mut line = call(&address, "```sim\n{\"say\": \"a b c d e f g h\", \"silence_ms\": 300}\n```").await;
        let mut first = [0; 12];
        line.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        signal(&child, name).await;
        // What is under way comes to its end.
        let mut rest = String::new();
        line.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains("message_stop"), "{rest}");
        assert!(child.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn a_silent_stream_does_not_keep_it() {
    let (mut child, address) = start(&[]).await;
    let mut line = call(&address, "```sim\n{\"say\": \"x\", \"silence_ms\": 600000}\n```").await;
    line.read_exact(&mut [0; 12]).await.unwrap();
    signal(&child, "TERM").await;
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await;
    assert!(ended.unwrap().unwrap().success());
}
