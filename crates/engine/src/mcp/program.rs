//! A server that is a program, while it is at work.

use std::sync::Arc;
use std::time::Duration;

use guildhall_sandbox::{Exit, Over, Running};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::session::beginning;
use super::streams::Said;

/// How long a program that said nothing more is waited for, to tell how it ended.
const LAST: Duration = Duration::from_millis(300);

/// How long a program may take to end by itself when its input has ended.
const GRACE: Duration = Duration::from_millis(500);

/// How a program came to its end by itself: with the limit that it came up against, if any.
type Gone = Result<(Exit, Option<Over>), String>;

/// A program at work, kept by a task of its own: so it is held to its limits also while nobody waits for it. Dropping it ends
/// the program.
pub(crate) struct Program {
    said: Arc<Said>,
    gone: watch::Receiver<Option<Gone>>,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Program {
    /// Keeps a program whose streams were taken.
    pub(crate) fn keep(mut running: Running, said: Arc<Said>) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (tell, gone) = watch::channel(None);
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = stopped.cancelled() => {}
                ended = running.ended() => {
                    let how = ended.map(|exit| (exit, running.over())).map_err(|error| error.to_string());
                    tell.send_replace(Some(how));
                }
            }
            if let Err(error) = running.kill().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "an MCP server may not be gone");
            }
        });
        Self { said, gone, stop: stop.drop_guard(), task }
    }

    /// The end of what it wrote to its standard error.
    pub(crate) fn errors(&self) -> Option<String> {
        self.said.errors()
    }

    /// Ends it, unless it ends by itself now that its input has ended, and waits until it is gone.
    pub(crate) async fn close(mut self) {
        let _ = tokio::time::timeout(GRACE, self.gone.wait_for(Option::is_some)).await;
        drop(self.stop);
        // It is gone as well if its task is.
        let _ = self.task.await;
    }

    /// How it ended, or what it did instead of answering. `when` says in the middle of what.
    pub(crate) async fn last_words(&mut self, when: &str) -> Option<String> {
        if let Some(fault) = self.said.fault() {
            return Some(format!("{fault}, and was ended"));
        }
        let printed = self.said.stray().map(|text| format!("; it printed: {}", beginning(&text))).unwrap_or_default();
        let gone = match tokio::time::timeout(LAST, self.gone.wait_for(Option::is_some)).await {
            Ok(Ok(gone)) => gone.clone(),
            _ => None,
        };
        let (exit, over) = match gone {
            Some(Ok(gone)) => gone,
            Some(Err(words)) => return Some(words),
            None => return (!printed.is_empty()).then(|| format!("what it prints is not MCP{printed}")),
        };
        let how = match exit {
            Exit::Code(code) => format!("it ended with exit code {code} {when}{printed}"),
            Exit::Signal(signal) => format!("it was ended by signal {signal} {when}{printed}"),
            Exit::TimedOut => return None,
        };
        // Whoever tells it ends the sentence.
        let over = over.map(|over| format!(". {over} {}", over.advice().trim_end_matches('.')));
        Some(how + &over.unwrap_or_default())
    }
}
