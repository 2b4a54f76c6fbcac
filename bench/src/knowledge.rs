//! Search, writing and live sync of the knowledge hub, with few and with many items, over both databases.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use guildhall_store::{NewKnowledge, Store};
use guildhall_types::SystemClock;
use guildhall_types::knowledge::{
    Author, EntryDetails, EntryType, KnowledgeDetails, KnowledgeDraft, KnowledgeReview, Via,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use sqlx::Connection;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;

use crate::server::{PATIENCE, Server, text};
use crate::table::{Table, quantile};

/// Words that there are.
const VOCABULARY: usize = 20_000;
/// Items that are put in at once.
const AT_ONCE: usize = 250;
/// Questions that are asked of each hub, one after the other, and by how many at once.
const QUESTIONS: usize = 400;
const ASKERS: usize = 8;
/// Items that are written over HTTP.
const WRITTEN: usize = 100;
/// Open pages for the live sync, and how often something is written.
const PAGES: [usize; 2] = [3, 300];
/// Pages that one member has open: the server lets nobody have many more.
const OF_ONE: usize = 40;
const TOLD: usize = 50;
/// Milliseconds that a search of the largest hub, and a change on its way to an open page, may take at most.
const SEARCH: f64 = 20.0;
const SYNC: f64 = 1_000.0;

/// Measures the hub over SQLite, and over PostgreSQL where a server for tests is there.
pub async fn measure(program: &Path, items: usize, table: &mut Table) -> anyhow::Result<()> {
    measure_over(program, None, "SQLite", items, table).await?;
    if let Ok(server) = std::env::var("GUILDHALL_TEST_POSTGRES") {
        let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
        let mut admin = sqlx::PgConnection::connect(&server).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await?;
        let (server, _) = server.rsplit_once('/').context("GUILDHALL_TEST_POSTGRES names no database")?;
        measure_over(program, Some(format!("{server}/{name}")), "PostgreSQL", items, table).await?;
    }
    Ok(())
}

async fn measure_over(
    program: &Path,
    database: Option<String>,
    name: &str,
    items: usize,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut server = Server::start_over(program, database).await?;
    server.sign_up().await?;
    let me = server.get("/api/auth/me").await?;
    let author = Author { member: text(&me, "id")?.parse()?, may_manage: false, via: Via::Page };
    let store = Store::open(&server.database(), Arc::new(SystemClock)).await?;
    let mut words = Words::new(17);
    let mut there = 0;
    for size in [items / 100, items / 10, items] {
        let began = Instant::now();
        let added = size - there;
        while there < size {
            let batch = AT_ONCE.min(size - there);
            store.create_all_knowledge((0..batch).map(|_| new(&mut words, author)).collect()).await?;
            there += batch;
        }
        let each = milliseconds(began) / added.max(1) as f64;
        table.tell(
            format!("{name}, {size} items: put in, each"),
            each,
            "ms",
            format!("{added} items, {AT_ONCE} at once"),
        );
        search(&server, name, size, size == items, &mut words, table).await?;
        write(&server, name, size, &mut words, table).await?;
        there += WRITTEN;
    }
    for pages in PAGES {
        sync(&server, name, pages, &mut words, table).await?;
    }
    table.tell(format!("{name}: server, peak"), server.memory()?.peak_mib, "MiB", "resident, after all of it");
    store.close().await;
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

async fn search(
    server: &Server,
    name: &str,
    size: usize,
    largest: bool,
    words: &mut Words,
    table: &mut Table,
) -> anyhow::Result<()> {
    let questions: Vec<String> = (0..QUESTIONS).map(|n| words.question(n)).collect();
    let ask = |question: String| async move {
        let began = Instant::now();
        let path = format!("/api/knowledge/search?q={}", question.replace(' ', "%20"));
        let found = server.get(&path).await?;
        let hits = found["items"].as_array().map_or(0, Vec::len);
        anyhow::Ok((milliseconds(began), hits))
    };
    // The first ones find cold caches.
    for question in questions.iter().take(20) {
        ask(question.clone()).await?;
    }
    for askers in [1, ASKERS] {
        let times: Vec<(f64, usize)> =
            stream::iter(questions.clone()).map(ask).buffer_unordered(askers).try_collect().await?;
        let found = times.iter().filter(|(_, hits)| *hits > 0).count();
        ensure!(found * 10 >= QUESTIONS * 9, "only {found} of {QUESTIONS} questions found anything");
        let times: Vec<f64> = times.into_iter().map(|(time, _)| time).collect();
        let p99 = quantile(&times, 0.99);
        let label = format!("{name}, {size} items: search p99, {askers} at once");
        let note = format!("median {:.1} ms; {found} of {QUESTIONS} found something", quantile(&times, 0.5));
        match largest && askers == 1 {
            true => table.add(label, p99, "ms", SEARCH, note),
            false => table.tell(label, p99, "ms", note),
        }
    }
    Ok(())
}

async fn write(server: &Server, name: &str, size: usize, words: &mut Words, table: &mut Table) -> anyhow::Result<()> {
    let mut times = Vec::with_capacity(WRITTEN);
    for _ in 0..WRITTEN {
        let body = json!({ "title": words.text(5), "content": words.text(200), "tags": ["written"] });
        let began = Instant::now();
        server.post("/api/knowledge/entries?anyway=true", &body).await?;
        times.push(milliseconds(began));
    }
    let note = format!("median {:.1} ms", quantile(&times, 0.5));
    table.tell(format!("{name}, {size} items: write p99"), quantile(&times, 0.99), "ms", note);
    Ok(())
}

async fn sync(server: &Server, name: &str, pages: usize, words: &mut Words, table: &mut Table) -> anyhow::Result<()> {
    let mut readers = Vec::new();
    for n in 0..pages.div_ceil(OF_ONE) {
        readers.push(server.invite(&format!("reader-{pages}-{n}")).await?);
    }
    let before = server.memory()?.own_mib;
    let mut sockets = Vec::with_capacity(pages);
    for session in readers.iter().cycle().take(pages) {
        sockets.push(server.listen_as(session).await?);
    }
    let grown = (server.memory()?.own_mib - before) * 1_024.0 / pages as f64;
    table.tell(
        format!("{name}: memory of an open page, of {pages}"),
        grown,
        "KiB",
        "allocated, before anything is told",
    );
    let mut times = Vec::with_capacity(pages * TOLD);
    for n in 0..TOLD {
        let title = format!("told {pages} {n} {}", words.text(3));
        let body = json!({ "title": title, "content": words.text(150) });
        let began = Instant::now();
        let heard = try_join_all(sockets.iter_mut().map(|socket| heard(socket, &title, began)));
        let (written, heard) = tokio::join!(
            server.post("/api/knowledge/entries?anyway=true", &body),
            tokio::time::timeout(PATIENCE, heard)
        );
        written?;
        times.extend(heard.context("a page did not hear of it")??);
    }
    let note = format!("median {:.1} ms; {TOLD} changes, from before the request", quantile(&times, 0.5));
    table.add(format!("{name}: live sync p99, {pages} open pages"), quantile(&times, 0.99), "ms", SYNC, note);
    Ok(())
}

/// Waits until a page hears of the item with this title.
async fn heard(socket: &mut WebSocketStream<TcpStream>, title: &str, since: Instant) -> anyhow::Result<f64> {
    loop {
        let message = socket.next().await.context("the WebSocket was closed")??;
        if message.to_text().is_ok_and(|text| text.contains("knowledge.entry.created") && text.contains(title)) {
            return Ok(milliseconds(since));
        }
    }
}

fn new(words: &mut Words, author: Author) -> NewKnowledge {
    let length = words.random.random_range(150..300);
    let details = EntryDetails { entry_type: EntryType::Documentation, source_url: None, keywords: Vec::new() };
    let draft = KnowledgeDraft {
        title: words.text(5),
        description: words.text(12),
        content: words.text(length),
        tags: vec![words.text(1), words.text(1)],
        related: Vec::new(),
        details: KnowledgeDetails::Entry(details),
    };
    NewKnowledge { draft, author, review: KnowledgeReview::Accepted, source_run: None, source_feature: None }
}

/// Words that nobody speaks, as frequent as words are.
struct Words {
    random: StdRng,
    all: Vec<String>,
    /// How frequent the words up to each are, together.
    sums: Vec<f64>,
}

impl Words {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut all = std::collections::BTreeSet::new();
        while all.len() < VOCABULARY {
            let syllables = random.random_range(2..5);
            let mut word = String::new();
            for _ in 0..syllables {
                word.push(char::from(b"bcdfghjklmnprstvwz"[random.random_range(0..18)]));
                word.push(char::from(b"aeiou"[random.random_range(0..5)]));
            }
            all.insert(word);
        }
        let mut all: Vec<String> = all.into_iter().collect();
        for n in (1..all.len()).rev() {
            all.swap(n, random.random_range(0..=n));
        }
        let mut sum = 0.0;
        let sums = (1..=all.len())
            .map(|n| {
                sum += 1.0 / n as f64;
                sum
            })
            .collect();
        Self { random, all, sums }
    }

    fn word(&mut self) -> &str {
        let most = self.sums.last().copied().unwrap_or_default();
        let at = self.random.random_range(0.0..most);
        let n = self.sums.partition_point(|sum| *sum <= at).min(self.all.len() - 1);
        &self.all[n]
    }

    fn text(&mut self, length: usize) -> String {
        (0..length).map(|_| self.word().to_owned()).collect::<Vec<_>>().join(" ")
    }

    /// One to three words, the last of them cut off or misspelt in every second question.
    fn question(&mut self, n: usize) -> String {
        let length = 1 + n % 3;
        let mut question = self.text(length);
        let last = question.rfind(' ').map_or(0, |at| at + 1);
        let letters = question.len() - last;
        match n % 4 {
            1 if letters > 4 => question.truncate(question.len() - 2),
            3 if letters > 5 => {
                let letter = question.remove(last + 2);
                question.insert(last + 3, letter);
                question.push(' ');
            }
            _ => {}
        }
        question.trim_end_matches(' ').to_owned()
    }
}
