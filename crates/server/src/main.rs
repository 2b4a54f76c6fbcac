//! The program `guildhall`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use guildhall_server::audit::AuditCommand;
use guildhall_server::config::{Config, Flags};
use guildhall_server::keys::KeysCommand;
use guildhall_server::rescue::MemberCommand;
use guildhall_server::serve::Server;
use guildhall_server::tidy::TidyCommand;
use guildhall_server::{audit, doctor, keys, log, openapi, rescue, tidy};
use guildhall_store::Store;
use guildhall_types::SystemClock;
use tokio::signal::unix::{SignalKind, signal};

/// A studio where a team and its AI coding agents build software together.
#[derive(Parser)]
#[command(name = "guildhall", version)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve,
    /// Look at everything that the server needs, and say how to mend what is missing.
    Doctor,
    /// Bring the database to this version's schema. `serve` does it as well.
    Migrate,
    /// Look at the audit: who did what.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Look at the keys that seal secrets, and change which one does.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Let a member in again who lost everything.
    #[command(subcommand)]
    Member(MemberCommand),
    /// Take from the disk and the database what nobody needs any more, as a running server does every half hour.
    Tidy(TidyCommand),
    /// Say which version this is.
    Version,
    /// Print the description of the API (OpenAPI 3.1).
    Openapi,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve => serve(&Config::load(&cli.flags)?).await?,
        Command::Doctor => {
            let lines = doctor::examine(Config::load(&cli.flags), Arc::new(SystemClock)).await;
            let well = doctor::print(&lines, &mut io::stdout().lock())?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Migrate => migrate(&Config::load(&cli.flags)?).await?,
        Command::Audit(command) => {
            let config = Config::load(&cli.flags)?;
            let sound = audit::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Keys(command) => {
            let config = Config::load(&cli.flags)?;
            let well = keys::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Member(command) => {
            let config = Config::load(&cli.flags)?;
            rescue::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
        }
        Command::Tidy(command) => {
            let config = Config::load(&cli.flags)?;
            let well = tidy::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Version => writeln!(io::stdout(), "guildhall {}", env!("CARGO_PKG_VERSION"))?,
        Command::Openapi => io::stdout().write_all(openapi::text().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    log::begin(config);
    #[cfg(debug_assertions)]
    guildhall_server::boundaries::watch();
    // Heard from the first moment on: a signal during the start must not be lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config, Arc::new(SystemClock)).await?;
    writeln!(io::stdout(), "Guildhall {} is at {}", env!("CARGO_PKG_VERSION"), config.url(server.address()))?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.run(stop).await.context("the server failed while it was serving")
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let store = Store::open(config.database_url.expose(), Arc::new(SystemClock)).await?;
    store.migrate().await?;
    store.close().await;
    writeln!(io::stdout(), "The database is at this version's schema.")?;
    Ok(())
}
