//! Morning reports and forecasts: made when they are due.

use crate::Engine;

/// Looks for reports and forecasts that are due until the engine stops. That one is due, the clock tells, or that nothing
/// happens any more; no commit does.
pub(crate) async fn report_forever(engine: Engine) {
    loop {
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = tokio::time::sleep(engine.0.pace.look) => {}
        }
        let lacking = engine.passed_over().cards();
        if let Err(error) = engine.0.team.make_due_reports(&lacking).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a morning report could not be made; trying again"
            );
        }
        if let Err(error) = engine.0.team.make_due_forecasts().await {
            tracing::error!(error = &error as &dyn std::error::Error, "a forecast could not be made; trying again");
        }
    }
}
