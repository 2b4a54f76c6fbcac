//! What is seen of a night from outside: the provider's calls, the server's memory, and how fast it answers.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use guildhall_sim::{Outcome, Receipt};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::server::Memory;

/// A call of the model.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub at: Instant,
    /// Of which card, by its number in the scene; calls that belong to none are not kept.
    pub card: usize,
    /// Which turn, from 0 on.
    pub turn: usize,
    pub outcome: Outcome,
}

/// What calls take out of the provider's limits: calls, input and output tokens.
pub type Taken = [f64; 3];

/// All calls so far.
#[derive(Debug)]
pub struct Calls {
    receipts: UnboundedReceiver<Receipt>,
    numbers: HashMap<String, usize>,
    pub all: Vec<Call>,
}

impl Calls {
    pub fn new<'a>(receipts: UnboundedReceiver<Receipt>, keys: impl Iterator<Item = &'a str>) -> Self {
        let numbers = keys.enumerate().map(|(at, key)| (key.to_owned(), at)).collect();
        Self { receipts, numbers, all: Vec::new() }
    }

    /// Takes what has come in.
    pub fn take(&mut self) {
        while let Ok(receipt) = self.receipts.try_recv() {
            let messages = receipt.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
            let said = messages.first().and_then(|first| first["content"][0]["text"].as_str()).unwrap_or_default();
            let title = said.lines().next().unwrap_or_default().trim_start_matches("# ");
            let turn = messages.iter().filter(|message| message["role"] == "assistant").count();
            if let Some(card) = self.numbers.get(title) {
                self.all.push(Call { at: receipt.at, card: *card, turn, outcome: receipt.outcome });
            }
        }
    }

    pub fn refused(&self, status: u16) -> usize {
        self.all.iter().filter(|call| call.outcome == Outcome::Refused(status)).count()
    }

    /// Calls that were answered whole, with what they took out of the limits.
    pub fn answered(&self) -> impl Iterator<Item = (&Call, Taken)> {
        self.all.iter().filter_map(|call| match call.outcome {
            Outcome::Answered { input, output, fault: None } => Some((call, [1.0, input as f64, output as f64])),
            _ => None,
        })
    }

    /// Calls whose tokens were taken out of the limits, with these.
    pub fn taken(&self) -> impl Iterator<Item = (&Call, Taken)> {
        self.all.iter().filter_map(|call| match call.outcome {
            Outcome::Answered { input, output, .. } => Some((call, [1.0, input as f64, output as f64])),
            Outcome::Refused(_) => None,
        })
    }

    /// What each turn took when it was answered last.
    pub fn tokens(&self) -> HashMap<(usize, usize), Taken> {
        self.answered().map(|(call, tokens)| ((call.card, call.turn), tokens)).collect()
    }
}

/// The server and its children over time.
#[derive(Debug, Default)]
pub struct Peaks {
    /// The most that any of the server's lives had, in MiB.
    pub server: f64,
    /// The most that its children had at once.
    pub children: f64,
    pub processes: usize,
    /// Seconds of processor time of the server and of its children, in former lives and in this one.
    before: [f64; 2],
    now: [f64; 2],
}

impl Peaks {
    pub fn note(&mut self, memory: &Memory) {
        // What is less than before is another life's.
        if memory.worked[0] < self.now[0] {
            self.before = self.worked();
        }
        self.now = memory.worked;
        self.server = self.server.max(memory.peak_mib);
        self.children = self.children.max(memory.mib - memory.server_mib);
        self.processes = self.processes.max(memory.processes - 1);
    }

    /// Seconds of processor time of the server and of its children.
    pub fn worked(&self) -> [f64; 2] {
        [self.before[0] + self.now[0], self.before[1] + self.now[1]]
    }
}

/// What a run's stored events say of its tools.
#[derive(Debug, Default)]
pub struct Story {
    /// Turns that were saved more than once.
    pub twice: usize,
    /// The entries of the log that were written by commands that ended well.
    pub written: HashSet<String>,
    /// Commands that did not, which were cut off.
    pub interrupted: usize,
    /// When the answer of each turn, from 0 on, was stored, in milliseconds since 1970.
    pub stored: HashMap<usize, i64>,
}

impl Story {
    /// Reads one event more.
    pub fn read(&mut self, item: &Value, saved: &mut HashSet<i64>) {
        let event = &item["event"];
        let turn = event["turn"].as_i64().unwrap_or_default();
        let at = || item["at"].as_str().and_then(|at| chrono::DateTime::parse_from_rfc3339(at).ok());
        match event["kind"].as_str().unwrap_or_default() {
            // Stored in the transaction of the answer.
            "text" | "thinking" => {
                let number = usize::try_from(turn - 1).unwrap_or_default();
                if let Some(at) = at() {
                    self.stored.entry(number).or_insert(at.timestamp_millis());
                }
            }
            "turn_saved" if !saved.insert(turn) => self.twice += 1,
            "tool_finished" if event["tool"] == "bash" => match event["isError"].as_bool() {
                Some(false) => {
                    self.written.insert(format!("turn-{turn}"));
                }
                _ => self.interrupted += 1,
            },
            _ => {}
        }
    }
}

/// Jain's index: 1 when all have the same, 1/n when one has all.
pub fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) = (shares.iter().sum::<f64>(), shares.iter().map(|share| share * share).sum::<f64>());
    if squares > 0.0 { sum * sum / (shares.len() as f64 * squares) } else { 1.0 }
}
