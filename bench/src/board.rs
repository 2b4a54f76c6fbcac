//! Time to list a board of 2,000 cards.

use std::path::Path;
use std::time::Instant;

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use guildhall_sim::{Config, Sim};
use serde_json::json;

use crate::server::Server;
use crate::table::{Table, median, quantile};

const CARDS: usize = 2_000;
/// The most that one page of the list may hold.
const PAGE: usize = 500;
/// Milliseconds that the program took which Guildhall is compared with, with one reader and with sixteen.
const COMPARED: [(usize, f64); 2] = [(1, 140.0), (16, 2_700.0)];

/// Measures one reader and sixteen.
pub async fn measure(program: &Path, table: &mut Table) -> anyhow::Result<()> {
    let sim = Sim::start(Config::default()).await?;
    let mut server = Server::start(program, Some(&sim.url()), None).await?;
    server.sign_up().await?;
    let project = server.project(json!({ "kind": "empty" })).await?;
    let path = format!("/api/projects/{project}/features");
    let written = Instant::now();
    let (server, path) = (&server, path.as_str());
    stream::iter(0..CARDS)
        .map(|number| async move {
            let description = format!("Card {number} of the benchmark. {}", "It has some words to it. ".repeat(20));
            let body = json!({ "title": format!("Card {number}"), "category": "bench", "description": description });
            server.post(path, &body).await.map(|_| ())
        })
        .buffer_unordered(8)
        .try_collect::<Vec<()>>()
        .await?;
    let each = written.elapsed().as_secs_f64() * 1_000.0 / CARDS as f64;
    table.tell("board: writing a card, 8 writers", each, "ms", format!("{CARDS} cards"));

    let size = server.bytes(&format!("{path}?limit={PAGE}")).await?;
    let mut pages = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        server.bytes(&format!("{path}?limit={PAGE}")).await?;
        pages.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    let note = format!("p99 {:.1} ms; {} KiB", quantile(&pages, 0.99), size / 1024);
    table.tell(format!("board: a page of {PAGE}, 1 reader, p50"), median(&pages), "ms", note);

    for (readers, compared) in COMPARED {
        // Once for warming up.
        whole(server, path).await?;
        let reads = (0..readers).map(|_| async move {
            let mut times = Vec::new();
            for _ in 0..25 {
                times.push(whole(server, path).await?);
            }
            anyhow::Ok(times)
        });
        let times = try_join_all(reads).await?.concat();
        let name = format!("board: all {CARDS} cards, {readers} reader(s), p50");
        let note =
            format!("p99 {:.1} ms; {} readings; compared with {compared:.0} ms", quantile(&times, 0.99), times.len());
        table.add(name, median(&times), "ms", compared, note);
    }
    Ok(())
}

/// Reads the whole list, page by page; milliseconds.
async fn whole(server: &Server, path: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = server.get(&format!("{path}?limit={PAGE}{after}")).await?;
        count += page["items"].as_array().map_or(0, Vec::len);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    anyhow::ensure!(count == CARDS, "the list has {count} cards");
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}
