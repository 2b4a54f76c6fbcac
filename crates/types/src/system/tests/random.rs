//! Thousands of random systems in a world in which agents succeed, fail and hang: every execution ends, nothing is done
//! twice, and it does not matter where it is cut off.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;

/// Looks that an execution may take before it counts as endless.
const LOOKS: usize = 4_000;

#[derive(Debug, Clone)]
enum Shape {
    Agent { optional: bool, tries: i64, hangs: bool },
    Text,
    Review(Vec<Shape>),
    Sequence(bool, Vec<Shape>),
    Parallel(FailurePolicy, Vec<Shape>),
    Choice(Vec<Shape>, Vec<Shape>),
    Loop(i64, bool, Vec<Shape>),
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let leaf = prop_oneof![
        4 => (any::<bool>(), 1..4_i64, any::<bool>()).prop_map(|(optional, tries, hangs)| Shape::Agent { optional, tries, hangs }),
        1 => Just(Shape::Text),
        1 => Just(Shape::Review(Vec::new())),
    ];
    let policy = prop_oneof![Just(FailurePolicy::FailAll), Just(FailurePolicy::WaitAll), Just(FailurePolicy::Any)];
    let shape = leaf.prop_recursive(4, 24, 3, move |inner| {
        let some = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some().prop_map(Shape::Review),
            (any::<bool>(), some()).prop_map(|(optional, inner)| Shape::Sequence(optional, inner)),
            (policy.clone(), some()).prop_map(|(policy, inner)| Shape::Parallel(policy, inner)),
            (some(), some()).prop_map(|(yes, no)| Shape::Choice(yes, no)),
            (1..5_i64, any::<bool>(), some()).prop_map(|(rounds, asks, inner)| Shape::Loop(rounds, asks, inner)),
        ]
    });
    prop::collection::vec(shape, 1..4)
}

fn build(shapes: &[Shape], count: &mut usize) -> Vec<Step> {
    shapes.iter().map(|shape| build_one(shape, count)).collect()
}

fn build_one(shape: &Shape, count: &mut usize) -> Step {
    *count += 1;
    let id = format!("s{count}");
    let luck = |field: &str| Condition { field: field.to_owned(), operator: Operator::Contains, value: json!("odd") };
    match shape {
        Shape::Agent { optional, tries, hangs } => Step {
            optional: *optional,
            retry: (*tries > 1).then_some(Retry { max_attempts: *tries, delay_ms: 500, backoff_multiplier: 2.0 }),
            timeout_ms: hangs.then_some(3_000),
            output_variable: Some("last".to_owned()),
            ..agent(&id)
        },
        Shape::Text => Step {
            transform: Some(Transform::Template { template: "{{last}}, {{last}}".to_owned() }),
            ..Step::new(&id, StepKind::Transform)
        },
        Shape::Review(inner) => within(&id, StepKind::HumanReview, build(inner, count)),
        Shape::Sequence(optional, inner) => {
            Step { optional: *optional, ..within(&id, StepKind::Sequential, build(inner, count)) }
        }
        Shape::Parallel(policy, inner) => {
            Step { failure_policy: Some(*policy), ..within(&id, StepKind::Parallel, build(inner, count)) }
        }
        Shape::Choice(yes, no) => Step {
            condition: Some(luck("last")),
            true_branch: build(yes, count),
            false_branch: build(no, count),
            ..Step::new(&id, StepKind::Conditional)
        },
        Shape::Loop(rounds, asks, inner) => Step {
            max_iterations: Some(*rounds),
            condition: asks.then(|| luck("last")),
            ..within(&id, StepKind::Loop, build(inner, count))
        },
    }
}

fn draw(seed: u64, of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, of).hash(&mut hasher);
    hasher.finish()
}

/// What the world answers to an action; nothing for an agent that hangs.
fn answer(of: &SystemDefinition, seed: u64, action: &Action) -> Option<Happened> {
    match action {
        Action::Start { key, attempt, .. } => {
            let id = key.rsplit('.').next().unwrap_or(key);
            let limited = of.step(id).is_some_and(|step| step.timeout_ms.is_some());
            let word = draw(seed, (key, attempt));
            match word % 8 {
                0 if limited => None,
                1 | 2 => Some(ended(key, *attempt, Err("It broke."))),
                _ => Some(ended(key, *attempt, Ok(if word % 3 == 0 { "even" } else { "odd" }))),
            }
        }
        Action::Ask { key, time } => {
            let approved = draw(seed, (key, time)) % 3 > 0;
            Some(Happened::Reviewed { key: key.clone(), approved, text: "Hm.".to_owned() })
        }
        Action::Do { .. } | Action::Cancel { .. } => None,
    }
}

/// The work of steps that have a limit, as far as that is news: an agent that hangs has worked since it was begun.
fn worked(
    of: &SystemDefinition,
    state: &ExecutionState,
    begun: &HashMap<(String, i64), (usize, DateTime)>,
) -> Vec<Happened> {
    let running = state.steps.iter().filter(|step| step.status == SystemStepStatus::Running);
    let news = running.filter_map(|step| {
        let limit = of.step(&step.step_id)?.timeout_ms?;
        let (_, since) = begun.get(&(step.key.clone(), step.attempt))?;
        let at = due(limit, [Stretch { begins_at: *since, ends_at: None }]);
        (at != step.deadline).then(|| due_at(&step.key, step.attempt, at))
    });
    news.collect()
}

/// Plays an execution through, and checks what must hold at each look.
fn play(of: &SystemDefinition, seed: u64, cut_at: Option<usize>) -> ExecutionState {
    let mut now = noon();
    let mut begun: HashMap<(String, i64), (usize, DateTime)> = HashMap::new();
    let (mut state, mut actions) = begun_at(of);
    for look in 0..LOOKS {
        for action in &actions {
            if let Action::Start { key, attempt, .. } = action {
                let (times, _) = begun.entry((key.clone(), *attempt)).or_insert((0, now));
                *times += 1;
                assert_eq!(*times, 1, "{key} was begun twice in try {attempt}");
            }
        }
        if state.status.is_over() {
            assert!(state.steps.iter().all(|step| !step.status.is_open()));
            assert_eq!(wake_at(&state), None);
            return state;
        }
        if cut_at == Some(look) {
            // The process dies: all that is left is what was written down, and what that asks for.
            let text = serde_json::to_string(&state).expect("a state is JSON");
            state = serde_json::from_str(&text).expect("and comes back");
        }
        let news = worked(of, &state, &begun);
        if !news.is_empty() {
            (state, actions) = advance(of, &state, now, &news);
            assert!(actions.is_empty(), "nothing is done because of it");
        }
        let under_way = outstanding(of, &state);
        assert!(under_way.iter().all(|action| match action {
            Action::Start { key, attempt, .. } => begun.contains_key(&(key.clone(), *attempt)),
            _ => true,
        }));
        let mut able: Vec<Happened> = under_way.iter().filter_map(|action| answer(of, seed, action)).collect();
        let happened = match able.len() {
            0 => {
                now = wake_at(&state).expect("something is to come of an execution that is not over");
                Vec::new()
            }
            some => vec![able.swap_remove(usize::try_from(draw(seed, look)).unwrap_or_default() % some)],
        };
        let next = advance(of, &state, now, &happened);
        assert_eq!(next, advance(of, &state, now, &happened), "the same gives the same");
        // Nothing more comes of looking again.
        let (again, more) = advance(of, &next.0, now, &[]);
        assert_eq!((&again, more.len()), (&next.0, 0));
        (state, actions) = next;
    }
    panic!("it did not end within {LOOKS} looks");
}

fn begun_at(of: &SystemDefinition) -> (ExecutionState, Vec<Action>) {
    super::begun(of)
}

fn whole(shapes: &[Shape]) -> SystemDefinition {
    let mut of = system(build(shapes, &mut 0));
    of.variables.insert("last".to_owned(), json!("odd"));
    of
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_execution_ends_within_its_bounds(shapes in shapes(), seed in any::<u64>()) {
        let of = whole(&shapes);
        let state = play(&of, seed, None);
        let keys: HashSet<&str> = state.steps.iter().map(|step| step.key.as_str()).collect();
        prop_assert_eq!(keys.len(), state.steps.len());
        prop_assert!(state.steps.len() <= BEGUN);
        for is in &state.steps {
            let step = of.step(&is.step_id).expect("its step");
            prop_assert!(is.attempt <= step.retry.map_or(1, |retry| retry.max_attempts));
            prop_assert!(is.rounds <= step.rounds());
        }
    }

    #[test]
    fn cut_off_anywhere_it_comes_to_the_same_end(shapes in shapes(), seed in any::<u64>(), cut in 0..40_usize) {
        let of = whole(&shapes);
        prop_assert_eq!(play(&of, seed, Some(cut)), play(&of, seed, None));
    }

    #[test]
    fn cancelled_anywhere_it_is_over_at_once(shapes in shapes(), seed in any::<u64>(), cut in 0..20_usize) {
        let of = whole(&shapes);
        let (mut state, _) = begun_at(&of);
        for look in 0..cut {
            let able = outstanding(&of, &state).iter().find_map(|action| answer(&of, seed, action));
            let Some(happened) = able else { break };
            state = advance(&of, &state, noon() + chrono::Duration::seconds(i64::try_from(look).unwrap_or_default()), &[happened]).0;
        }
        let open = outstanding(&of, &state).iter().filter(|action| matches!(action, Action::Start { .. })).count();
        let was_over = state.status.is_over();
        let (state, actions) = advance(&of, &state, noon(), &[Happened::Cancelled { why: "Enough.".to_owned() }]);
        prop_assert!(state.status.is_over() && state.steps.iter().all(|step| !step.status.is_open()));
        prop_assert_eq!(actions.len(), if was_over { 0 } else { open });
        prop_assert!(outstanding(&of, &state).is_empty());
    }
}
