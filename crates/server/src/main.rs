//! The program `guildhall`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use guildhall_server::audit::AuditCommand;
use guildhall_server::backup::{BackupArgs, RestoreArgs};
use guildhall_server::config::{Config, Flags};
use guildhall_server::copy::CopyArgs;
use guildhall_server::import::ImportCommand;
use guildhall_server::keys::KeysCommand;
use guildhall_server::knowledge::KnowledgeCommand;
use guildhall_server::notify::Notify;
use guildhall_server::rescue::MemberCommand;
use guildhall_server::serve::{self, Server};
use guildhall_server::tidy::TidyCommand;
use guildhall_server::traces::Traces;
use guildhall_server::{
    alive, audit, backup, copy, database, doctor, import, keys, knowledge, log, memory, openapi, rescue, tidy, version,
};
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
    Doctor {
        /// Say it as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Ask the server that runs here whether it answers, and fail where it does not: for the health check of a container.
    Health,
    /// Bring the database to this version's schema. `serve` does it as well. The server must be stopped.
    Migrate {
        /// Say that the team is in this database after all, though it was moved to another one.
        #[arg(long)]
        unmark: bool,
    },
    /// Make a backup, beside a running server.
    Backup(BackupArgs),
    /// Restore a backup into an empty server.
    Restore(RestoreArgs),
    /// Move the team to another database, such as from SQLite to PostgreSQL. The server must be stopped.
    CopyTo(CopyArgs),
    /// Look at the audit: who did what.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Bring in what another program kept of a team's work.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Look at the keys that seal secrets, and change which one does.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Bring files into the knowledge hub, give them out, or search it.
    #[command(subcommand)]
    Knowledge(KnowledgeCommand),
    /// Let in the first member, or one who lost everything.
    #[command(subcommand)]
    Member(MemberCommand),
    /// Take from the disk and the database what nobody needs any more, as a running server does every half hour.
    Tidy(TidyCommand),
    /// Say which version this is, of which commit where that is known, and the schema of its database.
    Version,
    /// Print the description of the API (OpenAPI 3.1).
    Openapi,
}

fn main() -> anyhow::Result<ExitCode> {
    memory::give_back();
    run()
}

#[tokio::main]
async fn run() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve => serve(&Config::load(&cli.flags)?).await?,
        Command::Doctor { json } => {
            let lines = doctor::examine(&cli.flags, Arc::new(SystemClock)).await;
            let out = &mut io::stdout().lock();
            let well = if json { doctor::print_json(&lines, out)? } else { doctor::print(&lines, out)? };
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Health => writeln!(io::stdout(), "{}", alive::ask(&Config::load(&cli.flags)?).await?)?,
        Command::Migrate { unmark } => {
            database::migrate(&Config::load(&cli.flags)?, unmark, Arc::new(SystemClock)).await?;
            writeln!(io::stdout(), "The database is at this version's schema.")?;
        }
        Command::Backup(args) => {
            #[cfg(debug_assertions)]
            guildhall_server::boundaries::watch();
            let config = Config::load(&cli.flags)?;
            let well = backup::run(args, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Restore(args) => {
            #[cfg(debug_assertions)]
            guildhall_server::boundaries::watch();
            let config = Config::load(&cli.flags)?;
            let well = backup::restore(args, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::CopyTo(args) => {
            copy::run(args, &Config::load(&cli.flags)?, Arc::new(SystemClock), &mut io::stdout()).await?;
        }
        Command::Audit(command) => {
            let config = Config::load(&cli.flags)?;
            let sound = audit::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Import(command) => {
            let config = Config::load(&cli.flags)?;
            let well = import::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Keys(command) => {
            let config = Config::load(&cli.flags)?;
            let well = keys::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Knowledge(command) => {
            let config = Config::load(&cli.flags)?;
            let well = knowledge::run(command, &config, Arc::new(SystemClock), &mut io::stdout()).await?;
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
        Command::Version => io::stdout().write_all(version::text().as_bytes())?,
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
    serve::take_file_handles();
    let notify = Notify::of_this_process();
    let traces = config.collector.as_ref().map(Traces::begin).transpose().context("traces cannot be sent")?;
    let started = tokio::select! {
        started = Server::start(config, Arc::new(SystemClock)) => Some(started?),
        // What is cut off is done again by the next start: each change of the schema is a transaction.
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let Some(server) = started else {
        tracing::info!("the server was told to stop before it had started");
        return Ok(());
    };
    let server = server.with_traces(traces);
    let url = config.url(server.address());
    // A courtesy to whoever starts it by hand: where a file takes it, its disk may be full, and the server serves all the same.
    if let Err(error) = writeln!(io::stdout(), "Guildhall {} is at {url}", env!("CARGO_PKG_VERSION")) {
        tracing::warn!(%error, url, "where the server is could not be printed");
    }
    notify.ready(&url);
    tokio::spawn(notify.clone().live());
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify.stopping();
    };
    server.run(stop).await.context("the server failed while it was serving")
}
