//! Moving a team to another database.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use guildhall_store::{Store, TableSum};
use guildhall_types::Clock;
use guildhall_types::audit::{Actor, AuditAction, Note};
use tokio::sync::mpsc;
use url::Url;

use crate::config::Config;
use crate::{database, folder};

/// Moves the team to another database.
#[derive(Debug, clap::Args)]
pub struct CopyArgs {
    /// postgres://… or sqlite:///path of an empty database. Everybody on this machine can read arguments: where the address
    /// holds a password, put it into the environment
    #[arg(value_name = "URL", env = "GUILDHALL_COPY_TO", hide_env_values = true)]
    url: String,
}

/// Copies every row, compares, and says what to do next.
///
/// # Errors
/// When a server works in the data folder, the other database is not empty, or what stands there is not what was read: nothing
/// stays there then. When `out` cannot be written.
pub async fn run(
    args: CopyArgs,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<()> {
    let usable = args.url.strip_prefix("sqlite://").map_or_else(
        || args.url.starts_with("postgres://") || args.url.starts_with("postgresql://"),
        |path| Path::new(path).is_absolute(),
    );
    if !usable {
        bail!("name the other database as postgres://… or as sqlite:// and an absolute path");
    }
    if args.url == config.database_url.expose() {
        bail!("this is the database that the team is in already; name another one");
    }
    let from = database::existing(config, Arc::clone(&clock)).await?;
    let _alone = folder::take(&config.data_dir)
        .await
        .context("the server must be stopped while its team moves, or what it writes meanwhile would be lost")?;
    // Once more, now that nobody else can: another one may have moved it meanwhile.
    database::stays(&from).await??;
    match from.schema_version().await? {
        (Some(found), wanted) if found == wanted => {}
        (found, wanted) => bail!(
            "the database is at the schema {}, and this version wants {wanted}; run `guildhall migrate` first",
            found.unwrap_or_default()
        ),
    }
    let to = Store::open(&args.url, clock).await.context("the other database cannot be opened")?;
    let program = Actor { user_agent: Some("guildhall copy-to".to_owned()), ..Actor::default() };
    let to = to.acting_as(program);
    to.migrate().await?;
    let copied = copy(&from, &to).await;
    let noted = match &copied {
        Ok(_) => to.audit(Note::new(AuditAction::MoveDatabase)).await,
        Err(_) => Ok(()),
    };
    // Last of all: until then the team is here.
    let marked = match (&copied, &noted) {
        (Ok(_), Ok(())) => database::mark(&from, &shown(&args.url)).await,
        _ => Ok(()),
    };
    from.close().await;
    to.close().await;
    let copied = copied?;
    noted?;
    for TableSum { table, rows, digest } in copied.iter().filter(|sum| sum.rows > 0) {
        writeln!(out, "{table}: {rows} rows, {}", &digest[..16.min(digest.len())])?;
    }
    let rows: i64 = copied.iter().map(|sum| sum.rows).sum();
    writeln!(out, "Copied {rows} rows of {} tables; read back, each table is as it was.", copied.len())?;
    writeln!(
        out,
        "From now on name the other database (DATABASE_URL) to the server. Repositories and keys stay in the data folder. Keep the former database until you are content; no server starts on it: the team would part in two."
    )?;
    if let Err(error) = marked {
        writeln!(
            out,
            "Only that it is the former one could not be written there ({error}): see to it that no server starts on it."
        )?;
    }
    Ok(())
}

/// Where a database is, as it may be shown.
fn shown(address: &str) -> String {
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    match address.strip_prefix("sqlite://") {
        Some(path) => path.to_owned(),
        None => format!("PostgreSQL at {}", host.as_deref().unwrap_or("an address without a host")),
    }
}

/// Copies every row in one transaction, and compares what was sent, what came, and what stands there.
async fn copy(from: &Store, to: &Store) -> anyhow::Result<Vec<TableSum>> {
    let mut filling = to.fill().await?;
    let (out, pieces) = mpsc::channel(2);
    let filling_up = &mut filling;
    let fill = async move {
        // Gone when this ends, so that nobody waits for a database that refused a row.
        let mut pieces = pieces;
        while let Some(piece) = pieces.recv().await {
            filling_up.put(piece).await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let (sent, filled) = tokio::join!(from.dump(out), fill);
    filled?;
    let sent = sent?;
    if filling.sums() != sent {
        bail!(
            "what came is not what was sent; nothing was copied. Try again, and look after the machine's memory if it stays so"
        );
    }
    filling.compare().await?;
    filling.commit(true).await?;
    Ok(sent)
}
