//! Brings executions of systems forward: when something they wait for happened, when their time has come, and every few
//! seconds, in case a hint was lost. Any number of nodes may do so at once; of two that look at one execution, one writes.

use std::time::Duration;

use guildhall_team::TeamError;
use guildhall_types::ExecutionId;
use guildhall_types::trace::{Side, Span};

use crate::Engine;

/// Drives executions, now and whenever something comes of them, until the engine stops.
pub(crate) async fn drive_forever(engine: Engine) {
    loop {
        // Told of while it looks, it looks again.
        let told = engine.0.executions.notified();
        if let Err(error) = drive(&engine).await {
            tracing::error!(error = &error as &dyn std::error::Error, "executions cannot be looked at; trying again");
        }
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = told => {}
            () = tokio::time::sleep(until_next(&engine).await) => {}
        }
    }
}

async fn drive(engine: &Engine) -> Result<(), TeamError> {
    for id in engine.0.team.store.executions_to_drive().await? {
        if engine.0.stop.is_cancelled() {
            return Ok(());
        }
        one(engine, id).await;
    }
    Ok(())
}

/// One that cannot be brought forward keeps no other from it.
async fn one(engine: &Engine, id: ExecutionId) {
    let span = Span::begin(Side::Internal, "job execution", "");
    if let Err(error) = span.around(engine.0.team.drive_execution(id)).await {
        span.failed("not-driven");
        tracing::warn!(execution = %id, error = &error as &dyn std::error::Error, "an execution could not go on; trying again");
    }
}

/// How long nothing happens by the clock alone: a retry, or a step that takes too long.
async fn until_next(engine: &Engine) -> Duration {
    let look = engine.0.pace.look;
    match engine.0.team.store.next_execution_at().await {
        Ok(Some(at)) => (at - engine.0.team.clock.now()).to_std().unwrap_or(MOMENT).clamp(MOMENT, look),
        _ => look,
    }
}

/// So that what cannot be brought forward is not tried without a pause.
const MOMENT: Duration = Duration::from_millis(100);
