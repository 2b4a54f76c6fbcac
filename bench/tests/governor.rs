//! The governor on trial, with seeds of the tests' own.

use guildhall_bench::governor::{Governed, POLICIES, Scenario, run};

#[test]
fn whatever_the_provider_does_the_limit_is_filled_and_no_turn_fails() {
    for seed in [11, 12] {
        for scenario in Scenario::all() {
            let report = run(&scenario, &mut Governed::new(seed), seed);
            let what = format!("{}, seed {seed}: {report:#?}", scenario.name);
            assert_eq!(report.failed, 0, "{what}");
            assert!(report.fairness >= 0.99, "{what}");
            let enough = if scenario.overloads.is_empty() { 0.985 } else { 0.94 };
            assert!(report.used >= enough, "{what}");
            let refusals = report.limited as f64 * 1_000.0 / report.answered as f64;
            // Without headers each refusal is also how the limit is found.
            assert!(refusals <= if scenario.headers { 6.0 } else { 40.0 }, "{what}");
            let (held, true_number) = report.held.unwrap();
            assert_eq!(held, true_number, "{what}");
            assert!(report.longest_wait < 700.0 && report.recovery <= 60.0, "{what}");
            assert!(report.error.is_none_or(|error| error < 0.02), "{what}");
        }
    }
}

#[test]
fn what_others_do_fails_turns_or_gives_half_of_all_to_one_member() {
    let scenario = Scenario::usual();
    let [back_off, fifo, governor] = POLICIES.map(|(_, make)| run(&scenario, make(13).as_mut(), 13));
    assert!(back_off.failed > 1_000 && back_off.limited > 10_000, "{back_off:?}");
    assert!(fifo.fairness < 0.8 && back_off.fairness < 0.8, "{fifo:?}");
    assert!(governor.limited < fifo.limited && governor.fairness > 0.99, "{governor:?}");
}

#[test]
fn a_trial_repeats_itself() {
    let scenario = Scenario { minutes: 5.0, ..Scenario::usual() };
    let [one, two] = [0, 1].map(|_| run(&scenario, &mut Governed::new(14), 14));
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}
