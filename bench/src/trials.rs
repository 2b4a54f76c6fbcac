//! The rate governor against what others do, in virtual time.

use std::io::Write;

use guildhall_bench::governor::{Governed, POLICIES, Policy, Report, Scenario, run};

/// Trials of each line; the seeds follow each other.
const SEEDS: u64 = 5;

/// Prints the comparison, and the governor under each kind of trouble; means over five seeds from `seed` on.
pub fn measure(seed: u64) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "Seeds {seed} to {}; 120 agents of four members for 40 minutes.\n", seed + SEEDS - 1)?;
    writeln!(
        out,
        "| {:<40} | {:>7} | {:>9} | {:>9} | {:>6} | {:>6} | {:>9} | {:>9} | {:>8} | {:>6} |",
        "policy, trouble",
        "used",
        "429/1,000",
        "529/1,000",
        "failed",
        "Jain",
        "wait p50",
        "wait p95",
        "recovery",
        "error",
    )?;
    writeln!(
        out,
        "| {:-<40} | ------: | --------: | --------: | -----: | -----: | --------: | --------: | -------: | -----: |",
        ""
    )?;
    let usual = Scenario::usual();
    for (name, make) in POLICIES {
        line(&mut out, name, &usual, make, seed)?;
    }
    for scenario in Scenario::all().iter().skip(1) {
        line(&mut out, &format!("governor, {}", scenario.name), scenario, |seed| Box::new(Governed::new(seed)), seed)?;
    }
    writeln!(out)
}

fn line(
    out: &mut impl Write,
    name: &str,
    scenario: &Scenario,
    make: fn(u64) -> Box<dyn Policy>,
    seed: u64,
) -> std::io::Result<()> {
    let reports: Vec<Report> = (seed..seed + SEEDS).map(|seed| run(scenario, make(seed).as_mut(), seed)).collect();
    let mean = |of: &dyn Fn(&Report) -> f64| reports.iter().map(of).sum::<f64>() / reports.len() as f64;
    let thousand = |count: u64, report: &Report| count as f64 * 1_000.0 / report.answered.max(1) as f64;
    // Of the member who waits longest.
    let wait = |of: fn(&(f64, f64)) -> f64| mean(&|report| report.waits.iter().map(of).fold(0.0, f64::max));
    let error = match reports.iter().all(|report| report.error.is_some()) {
        true => format!("{:.1} %", mean(&|report| report.error.unwrap_or_default()) * 100.0),
        false => String::new(),
    };
    writeln!(
        out,
        "| {name:<40} | {:>5.1} % | {:>9.1} | {:>9.1} | {:>6.0} | {:>6.3} | {:>7.0} s | {:>7.0} s | {:>6.0} s | {error:>6} |",
        mean(&|report| report.used) * 100.0,
        mean(&|report| thousand(report.limited, report)),
        mean(&|report| thousand(report.overloaded, report)),
        mean(&|report| report.failed as f64),
        mean(&|report| report.fairness),
        wait(|waits| waits.0),
        wait(|waits| waits.1),
        reports.iter().map(|report| report.recovery).fold(0.0, f64::max),
    )
}
