//! Keeps one service: takes in what it prints, and sees to its end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use guildhall_sandbox::{Exit, Over, Running, Streams};
use guildhall_types::event::OutputStream;
use guildhall_types::secret::SecretUse;
use guildhall_types::service::MINUTES;
use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::MissedTickBehavior;

use super::log::Shown;
use super::{LOG, Live, Why};
use crate::Engine;
use crate::problems::chain;
use crate::set_up::Due;

/// How often what a service prints is shown.
const SHOW: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// Sets the worktree up and starts a service in it, and keeps that. What the set-up prints stands in the service's log: blotted by
/// whoever runs it.
pub(super) async fn set_up_and_keep(engine: Engine, live: Arc<Live>, due: Due, command: String) {
    let stream = OutputStream::Service { service: live.id };
    let mut show = |text: &str| {
        live.log().push(text.as_bytes());
        engine.0.bus.write(live.run, 0, stream.clone(), text);
    };
    let setting_up = engine.set_up_to_look(live.run, &due, &live.room, &live.stop, &mut show);
    let shutting_down = async {
        engine.0.stop.cancelled().await;
        live.halt(Why::Shutdown);
        // That lets the set-up end.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = shutting_down => {}
        () = setting_up => {}
    }
    let stopped = live.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(why) = stopped {
        engine.put_end(&live, Err(why)).await;
        return;
    }
    match engine.0.sandbox.start(&live.room.given(SecretUse::Services), &command, Streams::Merged).await {
        Ok(running) => keep(engine, live, running).await,
        Err(error) => engine.put_end(&live, Err(Why::Failed(chain(&error)))).await,
    }
}

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
    let (how, met) = match ended {
        Some(Ok(exit)) => judged(exit, running.over()),
        Some(Err(error)) => (Err(Why::Failed(chain(&error))), None),
        None => (Err(live.why.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or(Why::Attempt)), None),
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
    let mut said = blot.finish();
    said.extend(met.unwrap_or_default().into_bytes());
    live.log().push(&said);
    shown.push(&said);
    engine.0.bus.write(live.run, 0, stream, &shown.take(true));
    engine.put_end(&live, how).await;
}

/// How a service ended, and what its log is to say of a limit that it met without being ended by that.
///
/// It may have run for hours and met a limit at some time; what it ended by is what it did last. A worktree that has grown too large, or
/// a full disk, is told by whoever ended it for that. Want of memory kills: a service that was not killed has gone on without the
/// process that was. A process that could not be started kills nobody, and may have been another command's.
fn judged(exit: Exit, met: Option<Over>) -> (Result<Exit, Why>, Option<String>) {
    let Some(over) = met else { return (Ok(exit), None) };
    let words = format!("{over} {}", over.advice());
    let kill = Signal::KILL.as_raw();
    // Without a sandbox, a shell tells so how what it started ended.
    let killed = exit == Exit::Signal(kill) || exit == Exit::Code(128 + kill);
    match over {
        Over::Disk { .. } | Over::Files { .. } | Over::Cache { .. } | Over::HostDisk => (Err(Why::Failed(words)), None),
        Over::RunMemory { .. } | Over::MemberMemory { .. } | Over::HostMemory if killed => {
            (Err(Why::Failed(words)), None)
        }
        Over::Processes { .. } | Over::MemberProcesses { .. } if exit == Exit::Code(0) => (Ok(exit), None),
        _ => (Ok(exit), Some(format!("\n[A limit was met while it ran. {words}]\n"))),
    }
}

/// Reads what a service prints; nothing at its end.
async fn read(output: &mut Option<pipe::Receiver>, chunk: &mut [u8]) -> Option<usize> {
    let read = output.as_mut()?.read(chunk).await;
    read.ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_did_not_end_a_service_is_not_told_as_its_end() {
        let (memory, host) = (Over::MemberMemory { whole: 8_000_000_000 }, Over::HostMemory);
        let run = Over::RunMemory { part: 4_000_000_000, whole: 8_000_000_000, runs: 2 };
        let (own, others) = (Over::Processes { part: 250, whole: 500 }, Over::MemberProcesses { whole: 500 });
        let disk = Over::Disk { used: 11_000_000_000, most: 10_000_000_000 };
        let (files, cache) =
            (Over::Files { most: 1_000_000 }, Over::Cache { added: 11_000_000_000, most: 10_000_000_000 });
        let exits = [Exit::Code(0), Exit::Code(1), Exit::Code(137), Exit::Signal(15), Exit::Signal(9)];
        for exit in exits {
            assert_eq!(judged(exit, None), (Ok(exit), None));
            for over in [disk, files, cache, Over::HostDisk] {
                let (how, told) = judged(exit, Some(over));
                assert!(matches!(how, Err(Why::Failed(why)) if why.starts_with(&over.to_string())), "{over} {exit:?}");
                assert_eq!(told, None);
            }
            let killed = matches!(exit, Exit::Code(137) | Exit::Signal(9));
            for over in [memory, host, run] {
                let (how, told) = judged(exit, Some(over));
                assert_eq!(matches!(how, Err(Why::Failed(_))), killed, "{over} {exit:?}");
                assert_eq!(told.is_some_and(|told| told.contains(&over.to_string())), !killed, "{over} {exit:?}");
            }
            for over in [own, others] {
                let (how, told) = judged(exit, Some(over));
                assert_eq!(how, Ok(exit), "{over}");
                assert_eq!(told.is_some(), exit != Exit::Code(0), "{over} {exit:?}");
            }
        }
    }
}
