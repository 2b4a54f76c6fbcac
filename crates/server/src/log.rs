//! The log: to standard error, for people or for machines.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{Config, LogFormat};

/// The filter without what rmcp logs, whoever asks for it: that is what MCP servers say, and they may repeat their secrets.
fn without_foreign_words(filter: &str) -> String {
    let asked: Vec<&str> =
        filter.split(',').map(str::trim).filter(|part| !part.is_empty() && !part.starts_with("rmcp")).collect();
    match asked.is_empty() {
        true => "error,rmcp=off".to_owned(),
        false => format!("{},rmcp=off", asked.join(",")),
    }
}

/// Begins to write the log. Call it once.
pub fn begin(config: &Config) {
    // The filter was read once already, when the configuration was.
    let filter = EnvFilter::builder().parse_lossy(without_foreign_words(&config.log));
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_span_events(FmtSpan::NONE)
        // A line that cannot be written, for want of room or of a reader, is lost. The usual way is to say so on standard error,
        // which panics where that is what cannot be written: whatever task logged would end.
        .log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => base.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => base.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
    }
}
