//! Conditions, inputs, and what is wrong with systems.

use super::*;

fn holds(found: Option<Value>, operator: Operator, value: Value) -> bool {
    Condition { field: "x".to_owned(), operator, value }.holds(found.as_ref())
}

#[test]
fn every_operator_over_every_kind_of_value() {
    use Operator as O;
    let cases = [
        (Some(json!("Good\n")), O::Equals, json!("Good"), true),
        (Some(json!("Good")), O::Equals, json!("good"), false),
        (Some(json!("3")), O::Equals, json!(3.0), true),
        (Some(json!(true)), O::Equals, json!("true"), true),
        (Some(json!([1])), O::Equals, json!([1]), true),
        (None, O::Equals, json!("x"), false),
        (None, O::NotEquals, json!("x"), true),
        (Some(json!("x")), O::NotEquals, json!("x"), false),
        (Some(json!("two words")), O::Contains, json!("word"), true),
        (Some(json!(["a", "b"])), O::Contains, json!("b"), true),
        (Some(json!({"k": 1})), O::Contains, json!("k"), true),
        (Some(json!(12)), O::Contains, json!(1), false),
        (Some(json!("abc")), O::NotContains, json!("d"), true),
        (None, O::NotContains, json!("d"), true),
        (Some(json!(10)), O::GreaterThan, json!("9"), true),
        (Some(json!("10")), O::GreaterThan, json!("9"), true),
        (Some(json!("b")), O::GreaterThan, json!("a"), true),
        (Some(json!([])), O::GreaterThan, json!(1), false),
        (Some(json!(1)), O::LessThan, json!(2), true),
        (None, O::LessThan, json!(2), false),
        (Some(json!("")), O::Exists, Value::Null, true),
        (Some(Value::Null), O::Exists, Value::Null, false),
        (Some(Value::Null), O::NotExists, Value::Null, true),
        (Some(json!(0)), O::NotExists, Value::Null, false),
    ];
    for (found, operator, value, expected) in cases {
        assert_eq!(holds(found.clone(), operator, value.clone()), expected, "{found:?} {operator} {value}");
    }
}

#[test]
fn an_input_is_read_or_every_field_that_does_not_fit_is_told() {
    let schema: InputSchema = serde_json::from_value(json!({
        "type": "object",
        "properties": {
            "topic": {"type": "string", "minLength": 2, "maxLength": 5},
            "depth": {"type": "integer", "minimum": 1, "maximum": 3, "default": 2},
            "style": {"type": "string", "enum": ["short", "long"]},
        },
        "required": ["topic"],
    }))
    .expect("a schema");
    let read = schema.read(&json!({"topic": "cats"})).expect("an input");
    assert_eq!(read, BTreeMap::from([("depth".to_owned(), json!(2)), ("topic".to_owned(), json!("cats"))]));
    let wrong = schema.read(&json!({"topic": "c", "depth": 9, "style": "other", "more": 1})).expect_err("an input");
    let fields: Vec<&str> = wrong.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["more", "depth", "style", "topic"]);
    assert_eq!(schema.read(&json!({})).expect_err("an input")[0].field, "topic");
    assert!(schema.read(&json!([])).is_err() && schema.read(&json!({"topic": 3})).is_err());
    assert!(
        serde_json::from_value::<InputSchema>(json!({"properties": {"x": {"type": "string", "pattern": "("}}}))
            .is_err()
    );
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let mut nobody = agent("work");
    nobody.agent_id = Some("ghost".to_owned());
    nobody.input_template = Some("{{unset}} {{steps.later.output}} {{steps.none.output}} {{ open".to_owned());
    let mut typo = agent("later");
    typo.input_template = Some("{{unset}} {{steps.work.outptu}}".to_owned());
    typo.condition = Some(Condition { field: "x".to_owned(), operator: Operator::Exists, value: Value::Null });
    let endless = within("endless", StepKind::Loop, vec![agent("work")]);
    let mut both = within("both", StepKind::Parallel, vec![agent("l"), agent("r")]);
    both.children.iter_mut().for_each(|step| step.output_variable = Some("same".to_owned()));
    let mut patient = Step::new("look", StepKind::HumanReview);
    patient.timeout_ms = Some(5_000);
    let of = system(vec![nobody, typo, endless, both, patient, Step::new("choose", StepKind::Conditional)]);
    let told: Vec<String> = validate(&of).into_iter().map(|problem| problem.path).collect();
    for path in [
        "workflow[0].agentId",
        "workflow[0].inputTemplate",
        "workflow[1].inputTemplate",
        "workflow[1].condition",
        "workflow[2].maxIterations",
        "workflow[2].children[0].id",
        "workflow[3].children[1].outputVariable",
        "workflow[4].timeoutMs",
        "workflow[5].condition",
        "workflow[5].trueBranch",
    ] {
        assert!(told.iter().any(|is| is == path), "{path} is missing: {told:?}");
    }
}

#[test]
fn what_is_too_deep_or_too_much_is_refused() {
    let deep = (0..DEPTH).fold(agent("leaf"), |inner, n| within(&format!("s{n}"), StepKind::Sequential, vec![inner]));
    assert!(validate(&system(vec![deep]))[0].message.contains("deep"));
    let many = (0..=STEPS).map(|n| agent(&format!("s{n}"))).collect();
    assert!(validate(&system(many))[0].message.contains("at most 100 steps"));
    assert_eq!(validate(&system(Vec::new()))[0].path, "workflow");
}

#[test]
fn branches_know_nothing_of_one_another_and_what_follows_knows_of_both() {
    let mut left = agent("l");
    left.output_variable = Some("left".to_owned());
    let mut right = agent("r");
    right.input_template = Some("{{left}}".to_owned());
    let mut after = agent("after");
    after.input_template = Some("{{left}} {{steps.r.output}}".to_owned());
    let of = system(vec![within("both", StepKind::Parallel, vec![left, right]), after]);
    let told = validate(&of);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].path.as_str(), told[0].step_id.as_deref()),
        ("workflow[0].children[1].inputTemplate", Some("r"))
    );
}

#[test]
fn only_what_a_person_approved_on_every_way_becomes_cards() {
    let review = Step::new("look", StepKind::HumanReview);
    let mut cards = Step::new("cards", StepKind::Transform);
    cards.transform = Some(Transform::CreateCards { from: "steps.plan.output".to_owned() });
    let asks = |wrapped: Step| validate(&system(vec![agent("plan"), wrapped, cards.clone()])).len();
    assert_eq!(asks(review.clone()), 0);
    assert_eq!(asks(Step { optional: true, ..review.clone() }), 1);
    let mut sometimes = Step::new("if", StepKind::Conditional);
    sometimes.condition =
        Some(Condition { field: "steps.plan.output".to_owned(), operator: Operator::Exists, value: Value::Null });
    sometimes.true_branch = vec![review.clone()];
    assert_eq!(asks(sometimes), 1);
    let mut rounds = within("rounds", StepKind::Loop, vec![review.clone()]);
    rounds.max_iterations = Some(2);
    assert_eq!(asks(rounds), 1);
    let mut any = within("any", StepKind::Parallel, vec![review, agent("other")]);
    assert_eq!(asks(any.clone()), 0);
    any.failure_policy = Some(FailurePolicy::Any);
    assert_eq!(asks(any), 1);
}
