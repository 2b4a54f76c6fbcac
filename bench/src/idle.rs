//! Memory of a server that has nothing to do.

use std::path::Path;
use std::time::Duration;

use crate::server::{Memory, Server};
use crate::table::{Table, median};

/// MiB at most.
const TARGET: f64 = 25.0;

/// Measures five servers.
pub async fn measure(program: &Path, table: &mut Table) -> anyhow::Result<()> {
    let (mut fresh, mut used) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let mut server = Server::start(program, None, None).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        fresh.push(server.memory()?);
        server.sign_up().await?;
        server.project(serde_json::json!({ "kind": "sample" })).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        used.push(server.memory()?);
    }
    let all = |list: &[Memory]| median(&list.iter().map(|memory| memory.mib).collect::<Vec<_>>());
    let own = |list: &[Memory]| {
        let own = median(&list.iter().map(|memory| memory.own_mib).collect::<Vec<_>>());
        format!("median of 5; {own:.1} MiB of it allocated, the rest is the program")
    };
    table.add("idle: resident memory, 3 s after the start", all(&fresh), "MiB", TARGET, own(&fresh));
    table.tell("idle: the same with a member and a project", all(&used), "MiB", own(&used));
    Ok(())
}
