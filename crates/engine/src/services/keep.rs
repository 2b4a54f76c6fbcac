//! Keeps one service: takes in what it prints, and sees to its end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use guildhall_sandbox::Running;
use guildhall_types::event::OutputStream;
use guildhall_types::service::MINUTES;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::MissedTickBehavior;

use super::log::Shown;
use super::{LOG, Live, Why};
use crate::Engine;
use crate::problems::chain;

/// How often what a service prints is shown.
const SHOW: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// Keeps a service until it ends or is to stop.
pub(super) async fn keep(engine: Engine, live: Arc<Live>, mut running: Running) {
    let mut output = running.output.take();
    let stream = OutputStream::Service { service: live.id };
    let mut shown = Shown::default();
    // Before anything is kept or shown, so that no cut goes through a secret and leaves half of it.
    let mut blot = live.room.secrets.blot().stream();
    let mut chunk = vec![0; CHUNK];
    let mut tick = tokio::time::interval(SHOW);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let limit = Duration::from_secs(MINUTES.unsigned_abs() * 60);
    let over = async {
        match live.member {
            Some(_) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let ended = loop {
        tokio::select! {
            // In this order, so that one that never stops printing is still stopped and shown.
            biased;
            () = engine.0.stop.cancelled() => {
                live.halt(Why::Shutdown);
                break None;
            }
            () = live.stop.cancelled() => break None,
            () = &mut over => {
                live.halt(Why::Time);
                break None;
            }
            ended = running.ended() => break Some(ended),
            _ = tick.tick(), if !shown.is_empty() => {
                engine.0.bus.write(live.run, 0, stream.clone(), &shown.take(false));
            }
            read = read(&mut output, &mut chunk), if output.is_some() => match read {
                Some(count) => {
                    let said = blot.push(&chunk[..count]);
                    live.log().push(&said);
                    shown.push(&said);
                }
                None => output = None,
            },
        }
    };
    let how = match ended {
        Some(Ok(exit)) => match running.over() {
            Some(over) => Err(Why::Failed(format!("{over} {}", over.advice()))),
            None => Ok(exit),
        },
        Some(Err(error)) => Err(Why::Failed(chain(&error))),
        None => Err(live.why.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or(Why::Attempt)),
    };
    if let Err(error) = running.kill().await {
        tracing::warn!(run = %live.run, service = live.name, error = &error as &dyn std::error::Error, "a service may not be gone");
    }
    if let Some(output) = output {
        // All who could write are gone. The kernel itself is asked: tokio would say that there is nothing until it was told.
        for _ in 0..LOG / CHUNK {
            match rustix::io::read(&output, &mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    let said = blot.push(&chunk[..count]);
                    live.log().push(&said);
                    shown.push(&said);
                }
            }
        }
    }
    let said = blot.finish();
    live.log().push(&said);
    shown.push(&said);
    engine.0.bus.write(live.run, 0, stream, &shown.take(true));
    engine.put_end(&live, how).await;
}

/// Reads what a service prints; nothing at its end.
async fn read(output: &mut Option<pipe::Receiver>, chunk: &mut [u8]) -> Option<usize> {
    let read = output.as_mut()?.read(chunk).await;
    read.ok().filter(|count| *count > 0)
}
