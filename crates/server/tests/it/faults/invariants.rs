//! What must hold of a night: after each death, and in the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use guildhall_git::Repo;
use guildhall_store::Store;
use guildhall_types::chat::Block;
use guildhall_types::{ProjectId, SystemClock};
use sqlx::Connection;

use super::world::{Life, Night};
use crate::death::whole_database;
use crate::fsck::fsck;

impl Night<'_> {
    /// No process of an earlier server is at work in the data folder.
    pub fn no_leftovers(&self, server: u32) {
        let born = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse::<u64>().ok()
        };
        let Some(since) = born(&server.to_string()) else { return };
        let folder = self.dir.path().display().to_string();
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let name = process.file_name().into_string().unwrap_or_default();
            let read = |what: &str| std::fs::read(process.path().join(what)).unwrap_or_default();
            let all = [read("cmdline"), read("environ")].concat();
            let all = String::from_utf8_lossy(&all).replace('\0', " ");
            if all.contains(&folder) && born(&name).is_some_and(|born| born < since) {
                panic!("still at work from before: {all}");
            }
        }
    }

    /// Where every ref of the project stands.
    pub fn refs(&self) -> BTreeMap<String, String> {
        let mut git = super::program("git");
        let format = "--format=%(refname) %(objectname)";
        let output = git.arg("--git-dir").arg(self.repository()).args(["for-each-ref", format]).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    /// Whether one commit is in the history of another.
    pub fn holds_within(&self, older: &str, newer: &str) -> bool {
        let mut git = super::program("git");
        git.arg("--git-dir").arg(self.repository()).args(["merge-base", "--is-ancestor", older, newer]);
        git.status().unwrap().success()
    }

    fn repository(&self) -> PathBuf {
        self.data().join(format!("repositories/{}.git", self.template.project))
    }

    /// What must hold after every death, before anything was mended.
    pub async fn holds(&mut self) {
        // A copy, so that the server itself has to recover what is there.
        let copy = self.dir.path().join("copy");
        drop(std::fs::remove_dir_all(&copy));
        std::fs::create_dir(&copy).unwrap();
        match &self.template.database {
            Some(url) => whole_postgres(url).await,
            None => {
                for file in ["guildhall.db", "guildhall.db-wal"] {
                    if self.data().join(file).exists() {
                        std::fs::copy(self.data().join(file), copy.join(file)).unwrap();
                    }
                }
                whole_database(&copy).await;
            }
        }
        fsck(&self.repository()).await;
        let repo = Repo::open(&self.repository()).unwrap();
        let tip = repo.branch("main").await.unwrap().unwrap().to_string();
        if let Some(before) = self.tip.replace(tip.clone()) {
            let log = repo.log("main", 0, 1_000).await.unwrap();
            assert!(log.iter().any(|commit| commit.id == before), "a commit was lost: {before} is not in {tip}");
        }
    }

    /// What must hold in the end.
    pub async fn ends_well(mut self) {
        if self.server.is_some() && self.terminate().await.code() != Some(0) {
            // The boundary that was not passed before was passed at the very end.
            assert!(self.pending, "it did not end well");
            assert_eq!(self.live(&[], None).await, Life::Finished);
            assert_eq!(self.terminate().await.code(), Some(0));
        }
        self.holds().await;
        self.no_processes();
        let repo = Repo::open(&self.repository()).unwrap();
        let file = format!("sqlite://{}/guildhall.db", self.data().display());
        let url = self.template.database.clone().unwrap_or(file);
        let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
        let project: ProjectId = self.template.project.parse().unwrap();
        let all = guildhall_store::FeatureQuery { limit: 500, ..Default::default() };
        let mut cards = store.features(project, &all).await.unwrap().items;
        cards.sort_by_key(|card| card.number);
        assert_eq!(cards.len(), self.template.cards.len());
        let log = repo.log("main", 0, 100).await.unwrap();
        let mut turns_in_all = 0;
        let mut touched: BTreeMap<String, bool> = BTreeMap::new();
        for (card, id) in cards.iter().zip(&self.template.cards) {
            let trailer = format!("Guildhall-Feature: {id}");
            let merges = log.iter().filter(|commit| commit.body.lines().any(|line| line == trailer)).count();
            assert_eq!(merges, 1, "{} was merged {merges} times", card.title);
            let run = store.run(card.run_id.unwrap()).await.unwrap().unwrap();
            let turns = store.turns(run.id).await.unwrap();
            turns_in_all += turns.len();
            let numbers: Vec<i64> = turns.iter().map(|turn| turn.number).collect();
            assert_eq!(numbers, (1..=turns.len() as i64).collect::<Vec<_>>());
            let calls: Vec<&str> = turns.iter().flat_map(|turn| turn.answer.tool_uses().map(|(id, _, _)| id)).collect();
            assert_eq!(calls.len(), calls.iter().collect::<HashSet<_>>().len(), "a finished turn was done twice");
            for turn in &turns {
                let calls = turn.answer.tool_uses().zip(turn.results.as_ref().unwrap());
                for ((_, _, input), result) in calls.filter(|((_, name, _), _)| *name == "bash") {
                    let (_, file) = input["command"].as_str().unwrap().rsplit_once(' ').unwrap();
                    let ended = matches!(result, Block::ToolResult { is_error: false, .. });
                    *touched.entry(file.to_owned()).or_default() |= ended;
                }
            }
            for commit in turns.iter().filter_map(|turn| turn.snapshot.as_ref()) {
                assert!(self.knows(commit), "the snapshot {commit} was lost");
            }
            // What was worth keeping is in the hub, each thing once.
            let kept: Vec<String> =
                store.run_records(run.id).await.unwrap().into_iter().map(|kept| kept.title).collect();
            assert_eq!(kept.len(), if card.title == "Last" { 2 } else { 0 }, "{}: {kept:?}", card.title);
            assert_eq!(
                store.asked::<serde_json::Value>(run.id).await.unwrap(),
                guildhall_store::Asked::Over,
                "{}",
                card.title
            );
            assert!(run.cost_micros <= guildhall_types::limits::RunLimits::default().max_cost_micros);
        }
        let tip = repo.branch("main").await.unwrap().unwrap();
        // What a command that ended wrote is there, once; what one that was cut off wrote is not.
        for (file, ended) in touched {
            let found = repo.file_at(&tip, &file, 100).await.unwrap();
            let wanted = ended.then(|| guildhall_git::Blob::Bytes(format!("{file}\n").into_bytes()));
            assert_eq!(found, wanted, "{file}");
        }
        let asked = self.sim.requests().len();
        let spare = 3 * (self.kills.len() + self.stops);
        // Beside its turns each run has one call, by which its agent is asked what is worth keeping.
        let owed = turns_in_all + cards.len();
        assert!(asked <= owed + spare, "{asked} calls for {turns_in_all} turns: {:?}", self.kills);

        let notes: ProjectId = self.template.notes.parse().unwrap();
        let kept = store.features(notes, &all).await.unwrap();
        let mut titles: HashMap<&str, usize> = HashMap::new();
        for card in &kept.items {
            *titles.entry(card.title.as_str()).or_default() += 1;
        }
        for note in &self.written {
            assert_eq!(titles.get(note.as_str()), Some(&1), "{note} was acknowledged");
        }
        assert!(store.verify_audit().await.unwrap().broken.is_none());
        store.close().await;
    }

    fn knows(&self, commit: &str) -> bool {
        let mut git = super::program("git");
        git.arg("--git-dir").arg(self.repository()).args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        git.status().unwrap().success()
    }

    fn no_processes(&self) {
        let folder = self.dir.path().display().to_string();
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            assert!(!line.contains(&folder), "still at work: {line}");
        }
    }
}

/// The same of a PostgreSQL as of a file.
async fn whole_postgres(url: &str) {
    let mut db = sqlx::PgConnection::connect(url).await.unwrap();
    let sql = "SELECT count(*) FROM (SELECT 1 FROM ledger WHERE turn IS NOT NULL GROUP BY run_id, turn HAVING count(*) > 1) x";
    let (twice,): (i64,) = sqlx::query_as(sql).fetch_one(&mut db).await.unwrap();
    assert_eq!(twice, 0, "turns were billed twice");
    let sql = "SELECT (SELECT coalesce(sum(output_tokens), 0)::bigint FROM ledger),
        (SELECT coalesce(sum(output_tokens), 0)::bigint FROM runs)";
    let (billed, told): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut db).await.unwrap();
    assert_eq!(billed, told);
    let (events, last): (i64, i64) =
        sqlx::query_as("SELECT count(*), max(seq) FROM events").fetch_one(&mut db).await.unwrap();
    assert_eq!(events, last, "the events have no gap");
}
