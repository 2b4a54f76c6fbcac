//! The simulated provider as a program: `guildhall-sim --listen 127.0.0.1:4301`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use guildhall_sim::{Config, Quota};
use tracing_subscriber::EnvFilter;

/// A simulated model provider that speaks the Anthropic Messages API.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4301")]
    listen: SocketAddr,
    /// Milliseconds until the first word of an answer.
    #[arg(long, default_value_t = 400)]
    first_word_ms: u64,
    /// Milliseconds between two words.
    #[arg(long, default_value_t = 25)]
    per_word_ms: u64,
    /// Requests that a key may make in a minute; no limits when absent.
    #[arg(long)]
    requests_per_minute: Option<i64>,
    /// Input tokens that a key may use in a minute.
    #[arg(long, default_value_t = 400_000)]
    input_tokens_per_minute: i64,
    /// Output tokens that a key may use in a minute.
    #[arg(long, default_value_t = 80_000)]
    output_tokens_per_minute: i64,
    /// Tokens that a conversation may have.
    #[arg(long, default_value_t = 200_000)]
    context_window: i64,
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
        context_window: options.context_window,
        quota: options.requests_per_minute.map(|requests| Quota {
            requests,
            input_tokens: options.input_tokens_per_minute,
            output_tokens: options.output_tokens_per_minute,
        }),
        ..Config::default()
    };
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    guildhall_sim::serve(listener, config).await?;
    Ok(())
}
