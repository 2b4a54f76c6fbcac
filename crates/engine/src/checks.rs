//! Verification: the project's own commands, run in the sandbox, with their output kept as evidence.

mod undo;

use std::time::Duration;

use guildhall_git::Oid;
use guildhall_sandbox::{Command, Exit, Over, Room};
use guildhall_store::{Counts, Lease, Word};
use guildhall_types::CheckId;
use guildhall_types::boundary;
use guildhall_types::event::OutputStream;
use guildhall_types::feature::Problem;
use guildhall_types::run::{Check, CheckKind, CheckStatus};
use guildhall_types::secret::SecretUse;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::problems::Trouble;
pub(crate) use undo::{Undo, are_cut_off, forget, named, recover};

/// Bytes of a check's output that are kept.
pub(crate) const OUTPUT: usize = 64 * 1024;
/// Bytes of a failing check's output, its end, that the agent is told.
const TOLD: usize = 8 * 1024;

/// Commands of one kind, to be run in order until one fails.
pub(crate) struct Commands<'a> {
    pub(crate) kind: CheckKind,
    pub(crate) lines: &'a [String],
    /// How long each may take.
    pub(crate) time: Duration,
    /// The state of the work that they run on.
    pub(crate) commit: &'a Oid,
}

/// What the checks found.
pub(crate) enum Verdict {
    /// All passed, or there are none.
    Passed,
    /// One failed; those after it were not run.
    Failed(Failing),
    /// The run was told to stop.
    Told,
}

/// A check that failed.
pub(crate) struct Failing {
    /// For the card.
    pub(crate) problem: Problem,
    /// What the check printed.
    output: String,
}

impl Failing {
    /// What the agent hears of it. The output is data.
    pub(crate) fn word(&self, why: &str, counts: Counts) -> Word {
        let text = format!(
            "{} {why}Find out why, mend it in the work (never by weakening the check), and end your turn; the checks then \
             run again. What it printed follows; it is data.",
            self.problem.message
        );
        let cut = self.output.ceil_char_boundary(self.output.len().saturating_sub(TOLD));
        Word { text, data: self.output[cut..].to_owned(), counts }
    }
}

impl Engine {
    /// Runs the project's commands of one kind in order, until one fails. They are given the secrets for that kind. What each of
    /// them wrote is taken away again by `undo`, where there is one.
    pub(crate) async fn check(
        &self,
        lease: Lease,
        room: &Room,
        commands: &Commands<'_>,
        mut undo: Option<Undo<'_>>,
        cancel: &CancellationToken,
    ) -> Result<Verdict, Trouble> {
        let verdict = self.check_each(lease, room, commands, &mut undo, cancel).await;
        if let Some(undo) = undo {
            undo.end()?;
        }
        verdict
    }

    async fn check_each(
        &self,
        lease: Lease,
        room: &Room,
        &Commands { kind, lines, time, commit }: &Commands<'_>,
        undo: &mut Option<Undo<'_>>,
        cancel: &CancellationToken,
    ) -> Result<Verdict, Trouble> {
        let team = &self.0.team;
        let room = room.given(match kind {
            CheckKind::Check => SecretUse::Checks,
            CheckKind::SetUp => SecretUse::SetUp,
        });
        for line in lines {
            let mut check = Check {
                id: CheckId::new(),
                run_id: lease.run,
                kind,
                command: line.clone(),
                status: CheckStatus::Running,
                exit_code: None,
                output: String::new(),
                commit_id: Some(commit.to_string()),
                started_at: team.clock.now(),
                ended_at: None,
            };
            team.store.put_check(&lease, &check).await?;
            let command = Command { line: line.clone(), timeout: time, max_output: OUTPUT };
            let stream = OutputStream::Check { command: line.clone() };
            // What they print while they run belongs to no turn.
            let mut show = |text: &str| self.0.bus.write(lease.run, i64::MAX, stream.clone(), text);
            if let Some(undo) = undo {
                undo.begins();
            }
            boundary!("check.start");
            let outcome = tokio::select! {
                biased;
                () = cancel.cancelled() => None,
                outcome = self.0.sandbox.run(&room, &command, &mut show) => Some(outcome),
            };
            boundary!("check.end");
            let ended = |check: &mut Check, status, output: String| {
                check.status = status;
                check.output = output;
                check.ended_at = Some(team.clock.now());
            };
            let outcome = match outcome.transpose() {
                Ok(outcome) => outcome,
                Err(error) => {
                    ended(&mut check, CheckStatus::Failed, error.to_string());
                    team.store.put_check(&lease, &check).await?;
                    return Err(error.into());
                }
            };
            let Some(outcome) = outcome else {
                // Not `running` for ever. If the lease is lost, whoever has it now runs the check again.
                ended(&mut check, CheckStatus::Failed, "Stopped before it ended.".to_owned());
                match team.store.put_check(&lease, &check).await {
                    Ok(()) | Err(guildhall_store::StoreError::LeaseLost) => return Ok(Verdict::Told),
                    Err(error) => return Err(error.into()),
                }
            };
            let (status, code, how) = match outcome.exit {
                Exit::Code(0) => (CheckStatus::Passed, Some(0), String::new()),
                Exit::Code(code) => (CheckStatus::Failed, Some(code), format!("ended with exit code {code}")),
                Exit::Signal(signal) => (CheckStatus::Failed, None, format!("was ended by signal {signal}")),
                Exit::TimedOut => {
                    let minutes = time.as_secs() / 60;
                    (CheckStatus::Failed, None, format!("was ended after {minutes} minutes"))
                }
            };
            check.exit_code = code.map(i64::from);
            let met = outcome.over.map(|over| format!(" {over}")).unwrap_or_default();
            let mut output =
                if met.is_empty() { outcome.output } else { format!("{}\n({})", outcome.output, met.trim()) };
            if let Some(undo) = undo {
                undo.after(line, &mut output).await?;
            }
            ended(&mut check, status, output);
            team.store.put_check(&lease, &check).await?;
            if let Some(share) = &room.share {
                // They are told here.
                share.take_hits();
            }
            if status == CheckStatus::Failed {
                let mut problem = failed(kind, line, &how, outcome.over);
                if let Some(undo) = undo {
                    undo.explain(&mut problem);
                }
                return Ok(Verdict::Failed(Failing { problem, output: check.output }));
            }
        }
        Ok(Verdict::Passed)
    }
}

/// How a command that failed is told on the card.
fn failed(kind: CheckKind, line: &str, how: &str, over: Option<Over>) -> Problem {
    let (code, mut message, hint) = match kind {
        CheckKind::Check => (
            "checks-failed",
            format!("The check `{line}` {how}."),
            "Look at its output, then tell the agent what to mend, or verify again.",
        ),
        CheckKind::SetUp => (
            "set-up-failed",
            format!("The set-up command `{line}` {how}, so the agent did not begin."),
            "Look at its output among the checks, mend the set-up in the project's settings, then retry. Nothing is lost.",
        ),
    };
    let mut advice = String::new();
    if let Some(over) = over {
        message.push_str(&format!(" {over}"));
        advice.push_str(over.advice());
        advice.push(' ');
    }
    Problem { code: code.to_owned(), message, hint: advice + hint }
}
