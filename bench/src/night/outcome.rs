//! What came of a night, judged from outside: by the API, the repositories and the provider's own count.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::process::Command;

use super::bound::{Bound, Limit, Room, bound, ideal};
use super::watch::{Call, Story, jain};
use super::{AT_ONCE, Night, Options, PER_MINUTE, REQUESTS, Seen, line, times};
use crate::repository::git;
use crate::server::text;
use crate::table::{median, quantile};

/// A night as it was.
#[derive(Debug)]
pub struct Outcome {
    /// Runs of each member at once.
    own: usize,
    cards: usize,
    merged: usize,
    /// What did not come to its end, or came to another one, in words.
    wrong: Vec<String>,
    /// Of the tightest limit, until fewer cards were left than places.
    used: f64,
    /// Calls that were answered, and refused with 429 and 529.
    answered: usize,
    limited: usize,
    overloaded: usize,
    /// All that was taken of calls, input and output.
    tokens: [f64; 3],
    fairness: f64,
    makespan: f64,
    bound: Bound,
    ideal: f64,
    seen: Seen,
    /// Calls for a turn whose answer was stored already.
    paid_twice: usize,
    lost: usize,
    done_twice: usize,
    /// Commands that a kill cut off.
    interrupted: usize,
    /// Seconds that the product added: to each turn, after the last word, and from an end to the next first call.
    turn_gap: Vec<f64>,
    end_gap: Vec<f64>,
    start_gap: Vec<f64>,
}

impl Outcome {
    /// Whether nothing happened that must never happen.
    pub fn is_sound(&self) -> bool {
        self.wrong.is_empty() && self.merged == self.cards && self.paid_twice + self.lost + self.done_twice == 0
    }
}

/// A card at the end.
struct Ended {
    completed: bool,
    /// When its run ended, in seconds since the beginning.
    at: f64,
    story: Story,
}

pub async fn judge(
    night: &mut Night,
    options: &Options,
    own: usize,
    seen: Seen,
    (began, clock): (Instant, i64),
) -> anyhow::Result<Outcome> {
    night.calls.take();
    let mut wrong = Vec::new();
    if !seen.ended {
        wrong.push("not every card came to rest".to_owned());
    }
    let ended = ends(night, clock, &mut wrong).await?;
    let (mut lost, mut done_twice) = (0, 0);
    for (at, project) in night.projects.iter().enumerate() {
        let mine = |card: usize| night.cards[card].member % night.projects.len() == at;
        let merged = (0..ended.len()).filter(|card| mine(*card) && ended[*card].completed).count();
        let repository = night.repository(project);
        if let Err(error) = git(&repository, &["fsck", "--no-dangling", "--connectivity-only"]).await {
            wrong.push(format!("{error:#}"));
        }
        let commits = shown(&repository, &["rev-list", "--count", "main"]).await?.trim().parse::<usize>()?;
        match commits.cmp(&(merged + 1)) {
            std::cmp::Ordering::Less => lost += merged + 1 - commits,
            std::cmp::Ordering::Greater => done_twice += commits - merged - 1,
            std::cmp::Ordering::Equal => {}
        }
        for card in (0..ended.len()).filter(|card| mine(*card) && ended[*card].completed) {
            let key = &night.cards[card].key;
            let log = shown(&repository, &["show", &format!("main:work/{key}/log.txt")]).await.unwrap_or_default();
            let entries: Vec<&str> = log.lines().collect();
            let distinct: HashSet<&str> = entries.iter().copied().collect();
            done_twice += entries.len() - distinct.len() + ended[card].story.twice;
            lost += ended[card].story.written.iter().filter(|entry| !distinct.contains(entry.as_str())).count();
            // What a script orders and no kill cut off must be there.
            let missing = night.cards[card].log.iter().filter(|entry| !distinct.contains(entry.as_str())).count();
            lost += missing.saturating_sub(ended[card].story.interrupted);
        }
    }
    let seconds = |at: Instant| (at - began).as_secs_f64();
    let stored = |call: &Call| Some(*ended.get(call.card)?.story.stored.get(&call.turn)?);
    let again = |call: &&Call| stored(call).is_some_and(|stored| (seconds(call.at) * 1_000.0) as i64 > stored - clock);
    let paid_twice = night.calls.taken().filter(|(call, _)| again(call)).count();

    let places = (own * night.sessions.len()).min(AT_ONCE);
    let mut ends: Vec<f64> = ended.iter().map(|ended| ended.at).collect();
    ends.sort_unstable_by(f64::total_cmp);
    let makespan = ends.last().copied().unwrap_or_default();
    let limits = [REQUESTS, PER_MINUTE[0], PER_MINUTE[1]].map(|amount| (amount as f64 * options.scale).floor());
    let limit = Limit {
        rate: limits.map(|limit| limit / 60.0),
        first: limits.map(|limit| limit / options.scale),
        most: limits,
    };
    let room = Room { own, all: AT_ONCE, limit: Some(limit) };
    let tokens = night.calls.tokens();
    let bounds = bound(&night.cards, options.cards, room, &tokens);
    let ideal = ideal(&night.cards, options.cards, room, &tokens);

    let first = night.calls.all.first().map_or(0.0, |call| seconds(call.at));
    let crowded = ends.len().checked_sub(places).and_then(|at| ends.get(at)).copied().unwrap_or(makespan);
    let taken = |upto: f64| {
        let calls = night.calls.taken().filter(|(call, _)| seconds(call.at) <= upto);
        calls.fold([0.0; 3], |sum, (_, took)| [sum[0] + took[0], sum[1] + took[1], sum[2] + took[2]])
    };
    let all = taken(crowded);
    let used =
        (0..3).map(|kind| all[kind] / (limit.first[kind] + limit.rate[kind] * (crowded - first))).fold(0.0, f64::max);
    // While each member has at work what a fair share of all places holds.
    let at_work = works(night, &ended, &seconds);
    let all_want = |at: f64| {
        let wants = |member: usize| {
            let works = at_work.iter().filter(|(of, from, to)| *of == member && *from <= at && at <= *to);
            works.count() >= places / night.sessions.len()
        };
        (0..night.sessions.len()).all(wants)
    };
    // What a call weighs in the governor's fairness: its input, and five times its output.
    let mut shares = vec![0.0; night.sessions.len()];
    for (call, took) in night.calls.taken().filter(|(call, _)| all_want(seconds(call.at))) {
        if let Some(share) = shares.get_mut(night.cards[call.card].member) {
            *share += took[1] + 5.0 * took[2];
        }
    }

    let (turn_gap, end_gap, start_gap) = gaps(night, &ended, &seconds);
    Ok(Outcome {
        own,
        cards: night.cards.len(),
        merged: ended.iter().filter(|ended| ended.completed).count(),
        wrong,
        used,
        answered: night.calls.answered().count(),
        limited: night.calls.refused(429),
        overloaded: night.calls.refused(529),
        tokens: taken(f64::MAX),
        fairness: jain(&shares),
        makespan,
        bound: bounds,
        ideal,
        seen,
        paid_twice,
        lost,
        done_twice,
        interrupted: ended.iter().map(|ended| ended.story.interrupted).sum(),
        turn_gap,
        end_gap,
        start_gap,
    })
}

/// How every card ended.
async fn ends(night: &Night, clock: i64, wrong: &mut Vec<String>) -> anyhow::Result<Vec<Ended>> {
    let mut found = HashMap::new();
    for project in &night.projects {
        for card in night.list(project).await? {
            found.insert(text(&card, "id")?, card);
        }
    }
    let mut ended = Vec::new();
    for (id, card) in night.features.iter().zip(&night.cards) {
        let shown = found.get(id).with_context(|| format!("{} is gone", card.key))?;
        let status = text(shown, "status")?;
        let completed = status == "completed" && shown["error"].is_null();
        if !completed {
            wrong.push(format!(
                "{}: {status}, {}",
                card.key,
                shown["error"]["message"].as_str().unwrap_or("no reason")
            ));
        }
        let (mut at, mut story) = (0.0, Story::default());
        if let Some(run) = shown["runId"].as_str() {
            let row = night.server.get(&format!("/api/runs/{run}")).await?;
            if let Some(end) = row["endedAt"].as_str().and_then(|at| chrono::DateTime::parse_from_rfc3339(at).ok()) {
                at = (end.timestamp_millis() - clock) as f64 / 1_000.0;
            }
            story = read(night, run).await?;
        }
        ended.push(Ended { completed, at, story });
    }
    Ok(ended)
}

async fn read(night: &Night, run: &str) -> anyhow::Result<Story> {
    let (mut story, mut saved, mut after) = (Story::default(), HashSet::new(), 0);
    loop {
        let page = night.server.get(&format!("/api/runs/{run}/events?limit=500&after={after}")).await?;
        for item in page["items"].as_array().into_iter().flatten() {
            story.read(item, &mut saved);
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return Ok(story),
        }
    }
}

/// The members' cards at work: whose, from when, until when.
fn works(night: &Night, ended: &[Ended], seconds: &dyn Fn(Instant) -> f64) -> Vec<(usize, f64, f64)> {
    let mut firsts: HashMap<usize, f64> = HashMap::new();
    for call in &night.calls.all {
        firsts.entry(call.card).or_insert(seconds(call.at));
    }
    firsts.into_iter().map(|(card, from)| (night.cards[card].member, from, ended[card].at)).collect()
}

type Gaps = (Vec<f64>, Vec<f64>, Vec<f64>);

fn gaps(night: &Night, ended: &[Ended], seconds: &dyn Fn(Instant) -> f64) -> Gaps {
    let mut calls: HashMap<usize, Vec<&Call>> = HashMap::new();
    for (call, _) in night.calls.answered() {
        calls.entry(call.card).or_default().push(call);
    }
    let (mut turns, mut ends, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    let mut firsts: Vec<(usize, f64)> = Vec::new();
    for (card, calls) in &calls {
        let plan = &night.cards[*card];
        for pair in calls.windows(2) {
            let [one, two] = pair else { continue };
            let Some(turn) = plan.turns.get(one.turn).filter(|_| two.turn == one.turn + 1) else { continue };
            turns.push((two.at - one.at).as_secs_f64() - (turn.answer + turn.tools).as_secs_f64());
        }
        if let (Some(last), Some(turn)) = (calls.last(), plan.turns.last())
            && last.turn + 1 == plan.turns.len()
        {
            ends.push(ended[*card].at - seconds(last.at) - (turn.answer + plan.checks).as_secs_f64());
        }
        firsts.extend(calls.first().map(|call| (plan.member, seconds(call.at))));
    }
    for (card, end) in ended.iter().enumerate() {
        let member = night.cards[card].member;
        let next = firsts.iter().filter(|(of, at)| *of == member && *at > end.at).map(|(_, at)| at - end.at);
        starts.extend(next.min_by(f64::total_cmp));
    }
    (turns, ends, starts)
}

/// What git prints.
async fn shown(repository: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(arguments).current_dir(repository).output().await?;
    anyhow::ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A row: its name, its aim, and its value in each night.
type Row = (&'static str, &'static str, Box<dyn Fn(&Outcome) -> String>);

pub fn print(outcomes: &[Outcome], options: &Options, seed: u64) -> std::io::Result<()> {
    let extra =
        [(options.shared, "one project"), (options.kill, "killed each minute"), (options.faults, "with faults")];
    let extra: String = extra.iter().filter(|(on, _)| *on).map(|(_, word)| format!(", {word}")).collect();
    line(&format!(
        "The night, seed {seed}: {} members with {} cards each{extra}; the provider and its limits {} times faster than in reality, so that a minute of the scene takes {:.1} s.\n",
        options.members,
        options.cards,
        options.scale,
        Duration::from_secs(60).as_secs_f64() / options.scale
    ))?;
    let scale = options.scale;
    let thousand = |count: usize, out: &Outcome| count as f64 * 1_000.0 / out.answered.max(1) as f64;
    let ms = |values: &[f64]| format!("{:.0} / {:.0} ms", median(values) * 1_000.0, quantile(values, 0.95) * 1_000.0);
    let mut rows: Vec<Row> = vec![
        ("verified and merged", "all", Box::new(|out| format!("{} of {}", out.merged, out.cards))),
        ("failed", "0", Box::new(|out| format!("{}", out.cards - out.merged))),
        ("finished turns paid twice", "0", Box::new(|out| out.paid_twice.to_string())),
        ("lost", "0", Box::new(|out| out.lost.to_string())),
        ("done twice", "0", Box::new(|out| out.done_twice.to_string())),
        ("use of the tightest limit", "99 %", Box::new(|out| format!("{:.1} %", out.used * 100.0))),
        ("calls answered", "", Box::new(|out| out.answered.to_string())),
        ("429s per 1,000 calls", "", Box::new(move |out| format!("{:.1}", thousand(out.limited, out)))),
        ("529s per 1,000 calls", "", Box::new(move |out| format!("{:.1}", thousand(out.overloaded, out)))),
        ("Jain over members", "0.99", Box::new(|out| format!("{:.3}", out.fairness))),
        ("makespan, of the scene", "", Box::new(move |out| format!("{:.1} min", out.makespan * scale / 60.0))),
        ("makespan / lower bound", "1.03", Box::new(|out| format!("{:.3}", out.makespan / out.bound.most()))),
        ("the bound", "", Box::new(|out| out.bound.which().to_owned())),
        (
            "path / places / tokens, of the scene",
            "",
            Box::new(move |out| {
                let minutes = [out.bound.path, out.bound.places, out.bound.tokens]
                    .map(|of| format!("{:.1}", of.max(0.0) * scale / 60.0));
                format!("{} min", minutes.join(" / "))
            }),
        ),
        (
            "tokens, input / output",
            "",
            Box::new(|out| format!("{:.0}k / {:.0}k", out.tokens[1] / 1e3, out.tokens[2] / 1e3)),
        ),
        ("makespan / the same order at no cost", "1.03", Box::new(|out| format!("{:.3}", out.makespan / out.ideal))),
        ("server, peak", "150 MiB", Box::new(|out| format!("{:.1} MiB", out.seen.peaks.server))),
        (
            "git and sandboxes, peak",
            "",
            Box::new(|out| format!("{:.1} MiB in {}", out.seen.peaks.children, out.seen.peaks.processes)),
        ),
        (
            "processor, server / children, a turn",
            "",
            Box::new(|out| {
                let [server, children] =
                    out.seen.peaks.worked().map(|seconds| seconds * 1e3 / out.answered.max(1) as f64);
                format!("{server:.0} / {children:.0} ms")
            }),
        ),
        ("the board, p50 / p99", "", Box::new(|out| times(&out.seen.answers))),
        ("added to a turn, p50 / p95", "", Box::new(move |out| ms(&out.turn_gap))),
        ("last word to merge beside the check", "", Box::new(move |out| ms(&out.end_gap))),
        (
            "an end to the next first call",
            "",
            Box::new(move |out| match out.own {
                1 => ms(&out.start_gap),
                // What follows an end is not known: another card may have begun by itself.
                _ => String::new(),
            }),
        ),
    ];
    if options.kill {
        rows.push(("kills", "", Box::new(|out| out.seen.recoveries.len().to_string())));
        rows.push(("kill to the next call, p50 / p95", "", Box::new(move |out| ms(&out.seen.recoveries))));
        rows.push(("commands cut off", "", Box::new(|out| out.interrupted.to_string())));
    }
    let cells = |name: &str, aim: &str, values: Vec<String>| {
        let values: String = values.iter().map(|value| format!(" {value:>18} |")).collect();
        format!("| {name:<38} | {aim:>8} |{values}")
    };
    let head = outcomes.iter().map(|out| format!("{} at once each", out.own)).collect();
    line(&cells("measured", "aim", head))?;
    line(&cells(&"-".repeat(38), "-------:", outcomes.iter().map(|_| format!("{}:", "-".repeat(17))).collect()))?;
    for (name, aim, value) in rows {
        line(&cells(name, aim, outcomes.iter().map(value).collect()))?;
    }
    for out in outcomes {
        for wrong in &out.wrong {
            line(&format!("\nWRONG, {} at once each: {wrong}", out.own))?;
        }
    }
    line("")
}
