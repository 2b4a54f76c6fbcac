//! What the members want built: seeded cards, each with what its agent does, and how long that takes if nothing else does.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// Until the first word of an answer, at the pace of a real provider.
const FIRST_WORD: Duration = Duration::from_millis(2_000);
/// Between two words: about 45 tokens a second.
const PER_WORD: Duration = Duration::from_millis(30);
/// Seconds that a project's checks take beside what they really do.
const CHECK: f64 = 8.0;
/// Turns of a card besides its closing words.
const TURNS: std::ops::RangeInclusive<usize> = 8..=16;
/// Files of a project's repository that agents read.
pub const FILES: usize = 200;
/// How often failing checks are given back to an agent, which after a kill may find its last turn undone.
pub const REPAIRS: usize = 3;

/// The check of every project: whoever has begun has a result, and a result's dependencies are there.
pub const CHECKS: &str =
    "for d in work/*/; do [ -e \"$d\" ] || continue; [ -e \"$d/result.txt\" ] || { echo \"$d has no result\"; exit 1; }
for n in $(cat \"$d/result.txt\"); do [ -e \"work/$n/result.txt\" ] || { echo \"$d lacks $n\"; exit 1; }; done; done
sleep \"$1\"
";

/// How time is told in a scene: everything that the provider does is this many times faster than in reality.
#[derive(Debug, Clone, Copy)]
pub struct Scale(pub f64);

impl Scale {
    pub fn real(self, time: Duration) -> Duration {
        time.div_f64(self.0)
    }

    pub fn first_word(self) -> Duration {
        self.real(FIRST_WORD)
    }

    pub fn per_word(self) -> Duration {
        self.real(PER_WORD)
    }

    pub fn check(self) -> f64 {
        CHECK / self.0
    }
}

/// A turn: how long its answer takes, and its tools.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub answer: Duration,
    pub tools: Duration,
}

/// A card.
#[derive(Debug, Clone)]
pub struct Card {
    /// Its title, and its folder in the repository.
    pub key: String,
    pub member: usize,
    pub priority: i64,
    /// Numbers of cards of the same member.
    pub depends: Vec<usize>,
    pub script: String,
    /// With the closing words.
    pub turns: Vec<Turn>,
    /// What its agent adds to its log, in order.
    pub log: Vec<String>,
    pub checks: Duration,
}

impl Card {
    /// How long it takes if nothing else does.
    pub fn work(&self) -> Duration {
        self.turns.iter().map(|turn| turn.answer + turn.tools).sum::<Duration>() + self.checks
    }
}

/// The cards of all members, those of a member together. A card depends only on earlier ones of the same member.
pub fn cards(members: &[&str], each: usize, seed: u64, scale: Scale) -> Vec<Card> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut cards = Vec::new();
    for (member, name) in members.iter().enumerate() {
        for number in 0..each {
            let depends: Vec<usize> = match number {
                // A third stands alone, the others need one or two that were written shortly before.
                0 => Vec::new(),
                _ if random.random_bool(0.35) => Vec::new(),
                _ => {
                    let mut on: Vec<usize> = (0..random.random_range(1..=2))
                        .map(|_| number - random.random_range(1..=number.min(5)))
                        .collect();
                    on.sort_unstable();
                    on.dedup();
                    on
                }
            };
            let key = |number: usize| format!("{name}{number:02}");
            let needs: Vec<String> = depends.iter().map(|on| key(*on)).collect();
            let mut card = Card {
                key: key(number),
                member,
                priority: random.random_range(1..=3),
                depends,
                script: String::new(),
                turns: Vec::new(),
                log: Vec::new(),
                checks: Duration::from_secs_f64(scale.check()),
            };
            fill(&mut card, &needs, &mut random, scale);
            cards.push(card);
        }
    }
    cards
}

/// Writes what a card's agent does.
fn fill(card: &mut Card, needs: &[String], random: &mut StdRng, scale: Scale) {
    let key = card.key.clone();
    let count = random.random_range(TURNS);
    let result =
        json!(["write", { "path": format!("work/{key}/result.txt"), "content": format!("{}\n", needs.join(" ")) }]);
    let mut lines = Vec::new();
    for turn in 1..=count {
        let think = words(random, "I weigh", 15..60);
        let file = random.random_range(0..FILES);
        let path = format!("src/part{}/file{file}.txt", file / 100);
        let (tools, sleep) = match (turn, random.random_range(0..4)) {
            (1, _) => {
                (vec![json!(["glob", { "pattern": format!("**/*{file}*") }]), json!(["read", { "path": path }])], 0.0)
            }
            (turn, _) if turn == count => (vec![result.clone()], 0.0),
            (_, 0) => (vec![json!(["read", { "path": path }])], 0.0),
            (_, 1) => {
                let pattern = format!("file {file}:");
                (vec![json!(["grep", { "pattern": pattern, "path": "src" }])], 0.0)
            }
            (turn, 2) => {
                let text = words(random, "Part", 60..180);
                (vec![json!(["write", { "path": format!("work/{key}/part{turn}.txt"), "content": text }])], 0.0)
            }
            // Builds and tests take their time.
            (turn, _) => {
                let sleep = random.random_range(1.0..6.0) / scale.0;
                let entry = format!("turn-{turn}");
                let command = format!("mkdir -p work/{key} && echo {entry} >> work/{key}/log.txt && sleep {sleep:.3}");
                card.log.push(entry);
                (vec![json!(["bash", { "command": command }])], sleep)
            }
        };
        lines.push(json!({ "think": think, "say": words(random, "Now", 10..50), "tools": tools }));
        card.turns.push(turn_of(lines.last().unwrap_or(&Value::Null), sleep, scale));
    }
    let done = json!({ "say": words(random, "It is done:", 20..60) });
    card.turns.push(turn_of(&done, 0.0, scale));
    lines.push(done);
    // Said only to who hears of failing checks.
    for _ in 0..REPAIRS {
        lines.push(json!({ "say": "I see what is missing.", "tools": [result] }));
        lines.push(json!({ "say": "Now it is there." }));
    }
    card.script = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
}

fn turn_of(line: &Value, sleep: f64, scale: Scale) -> Turn {
    let pieces = |text: &str| text.split_inclusive(char::is_whitespace).count();
    let spoken = [&line["think"], &line["say"]].into_iter().filter_map(Value::as_str).map(pieces).sum::<usize>();
    let tools = line["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let called = tools.iter().map(|tool| pieces(&tool[1].to_string())).sum::<usize>();
    let answer = scale.first_word() + scale.per_word() * u32::try_from(spoken + called).unwrap_or(u32::MAX);
    Turn { answer, tools: Duration::from_secs_f64(sleep) }
}

fn words(random: &mut StdRng, first: &str, count: std::ops::Range<usize>) -> String {
    const WORDS: [&str; 12] =
        ["the", "state", "of", "each", "form", "before", "it", "is", "saved", "with", "care", "twice"];
    let mut text = first.to_owned();
    for _ in 0..random.random_range(count) {
        text.push(' ');
        text.push_str(WORDS[random.random_range(0..WORDS.len())]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_cards_and_no_card_waits_for_itself() {
        let scale = Scale(10.0);
        let cards = |seed| super::cards(&["anna", "ben"], 10, seed, scale);
        let (one, two) = (cards(7), cards(7));
        assert_eq!(
            one.iter().map(|card| &card.script).collect::<Vec<_>>(),
            two.iter().map(|card| &card.script).collect::<Vec<_>>()
        );
        assert_ne!(one[3].script, cards(8)[3].script);
        assert!(one.iter().any(|card| !card.depends.is_empty()) && one.iter().any(|card| card.depends.is_empty()));
        for (at, card) in one.iter().enumerate() {
            assert!(card.depends.iter().all(|on| *on < at % 10), "{}", card.key);
            assert!(TURNS.contains(&(card.turns.len() - 1)));
            assert_eq!(card.script.lines().count(), card.turns.len() + 2 * REPAIRS);
        }
    }
}
