//! The simulated provider as a program: `guildhall-sim --listen 127.0.0.1:4301`.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use clap::builder::RangedI64ValueParser;
use guildhall_sim::{Config, Quota};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How long answers that are under way may still take after a signal to end.
const GRACE: Duration = Duration::from_secs(2);

/// A simulated model provider that speaks the Messages, Responses and Chat Completions APIs. It needs no key and does what
/// scripts say.
///
/// A prompt that holds a block fenced with ```sim is a script, with one answer in JSON on each line, such as
/// {"say": "Done.", "silence_ms": 500}; see the documentation of the module `script`.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Where to listen. With port 0, a free port is taken and printed.
    #[arg(long, env = "GUILDHALL_SIM_LISTEN", default_value = "127.0.0.1:4301")]
    listen: SocketAddr,
    /// Milliseconds until the first word of an answer.
    #[arg(long, default_value_t = 400)]
    first_word_ms: u64,
    /// Milliseconds between two words.
    #[arg(long, default_value_t = 25)]
    per_word_ms: u64,
    /// Milliseconds between two pings while nothing else is sent.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    ping_ms: u64,
    /// Requests that a key may make in a minute; no limits when absent.
    #[arg(long, value_parser = at_least_one())]
    requests_per_minute: Option<i64>,
    /// Input tokens that a key may use in a minute, if requests are limited.
    #[arg(long, default_value_t = 400_000, value_parser = at_least_one())]
    input_tokens_per_minute: i64,
    /// Output tokens that a key may use in a minute, if requests are limited.
    #[arg(long, default_value_t = 80_000, value_parser = at_least_one())]
    output_tokens_per_minute: i64,
    /// Tokens that a conversation may have.
    #[arg(long, default_value_t = 200_000, value_parser = at_least_one())]
    context_window: i64,
    /// Tokens that an answer may have.
    #[arg(long, default_value_t = 64_000, value_parser = at_least_one())]
    max_output: i64,
}

fn at_least_one() -> RangedI64ValueParser {
    clap::value_parser!(i64).range(1..)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .init();
    let options = Options::parse();
    let config = Config {
        first_word: Duration::from_millis(options.first_word_ms),
        per_word: Duration::from_millis(options.per_word_ms),
        ping: Duration::from_millis(options.ping_ms),
        context_window: options.context_window,
        max_output: options.max_output,
        quota: options.requests_per_minute.map(|requests| Quota {
            requests,
            input_tokens: options.input_tokens_per_minute,
            output_tokens: options.output_tokens_per_minute,
        }),
        filled: 1.0,
    };
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    // Whoever started it and does not read this is still served.
    let _ = writeln!(std::io::stdout(), "guildhall-sim listens on http://{}", listener.local_addr()?);
    guildhall_sim::serve(listener, config, stop, GRACE).await?;
    Ok(())
}
