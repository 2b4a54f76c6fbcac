//! Measures the released server from outside, as its users meet it: `bench/run idle|agents|start|board`;
//! a whole night of a team: `bench/run night`; the knowledge hub: `bench/run knowledge`; and the rate governor by itself: `bench/run governor`.

mod agents;
mod board;
mod idle;
mod knowledge;
mod night;
mod repository;
mod sandbox;
mod server;
mod soak;
mod start;
mod table;
mod trials;
mod visitor;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use crate::table::Table;

/// Measures Guildhall.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// What to measure; everything but the night when left out.
    #[arg(value_enum)]
    what: Vec<What>,
    /// The server's program; by default the one beside this program.
    #[arg(long)]
    server: Option<PathBuf>,
    /// The seed of the night, or the first of those of the governor's trials.
    #[arg(long, default_value_t = 1_000)]
    seed: u64,
    /// Items in the hub at most; a tenth and a hundredth of them are measured on the way.
    #[arg(long, default_value_t = 100_000)]
    items: usize,
    /// sandbox: starts of each kind.
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// soak: agents that misbehave.
    #[arg(long, default_value_t = soak::AGENTS)]
    bad: usize,
    #[command(flatten)]
    night: night::Options,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Memory of a server that has nothing to do.
    Idle,
    /// Memory of agents that wait for their model.
    Agents,
    /// Time from a start to the first call of the model.
    Start,
    /// Time to list a board of 2,000 cards.
    Board,
    /// The rate governor in a simulation, against what others do.
    Governor,
    /// Search, writing and live sync of the knowledge hub; takes some minutes, and is measured only when it is named. Over
    /// PostgreSQL, too, where `GUILDHALL_TEST_POSTGRES` names a server.
    Knowledge,
    /// Start of a sandboxed command, against plain fork and exec and against bare bubblewrap; and 200 at once.
    Sandbox,
    /// Agents that misbehave beside a run that must not be disturbed; takes some minutes, and is measured only when it is named.
    Soak,
    /// A night of a team in auto mode; takes some minutes, and is measured only when it is named.
    Night,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // Fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let what = match options.what.is_empty() {
        true => vec![What::Idle, What::Agents, What::Start, What::Board, What::Sandbox, What::Governor],
        false => options.what,
    };
    for what in &what {
        if *what == What::Governor {
            trials::measure(options.seed)?;
        }
    }
    if what.iter().all(|what| *what == What::Governor) {
        return Ok(());
    }
    if what.iter().all(|what| *what == What::Sandbox) {
        let mut table = Table::default();
        sandbox::measure(options.rounds, &mut table).await?;
        return Ok(table.print()?);
    }
    let server = match options.server {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("guildhall"),
    };
    let server = server.canonicalize().with_context(|| format!("there is no server at {}", server.display()))?;
    let mut sound = true;
    for what in what {
        let mut table = Table::default();
        match what {
            What::Idle => idle::measure(&server, &mut table).await?,
            What::Agents => agents::measure(&server, &mut table).await?,
            What::Start => start::measure(&server, &mut table).await?,
            What::Knowledge => knowledge::measure(&server, options.items, &mut table).await?,
            What::Board => board::measure(&server, &mut table).await?,
            What::Sandbox => sandbox::measure(options.rounds, &mut table).await?,
            What::Soak => soak::measure(&server, options.bad, &mut table).await?,
            What::Night => {
                sound &= night::measure(&server, &options.night, options.seed).await?;
                continue;
            }
            What::Governor => continue,
        }
        table.print()?;
    }
    anyhow::ensure!(sound, "something happened that must never happen; see WRONG, or the rows whose aim is 0");
    Ok(())
}
