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

fn made(id: &str, transform: Transform) -> Step {
    Step { transform: Some(transform), output_variable: Some(id.to_owned()), ..Step::new(id, StepKind::Transform) }
}

fn gives(id: &str) -> Step {
    Step { output_variable: Some(id.to_owned()), ..agent(id) }
}

/// The places of what is wrong.
fn wrong(workflow: Vec<Step>) -> Vec<String> {
    validate(&system(workflow)).into_iter().map(|problem| problem.path).collect()
}

#[test]
fn what_is_given_after_the_approval_does_not_become_cards() {
    let look = || Step::new("look", StepKind::HumanReview);
    let cards =
        |from: &str| Step { output_variable: None, ..made("make", Transform::CreateCards { from: from.to_owned() }) };
    let none: [&str; 0] = [];
    // An agent writes after the review what becomes cards.
    assert_eq!(wrong(vec![gives("plan"), look(), gives("cards"), cards("cards")]), ["workflow[3].transform.from"]);
    assert_eq!(wrong(vec![look(), gives("plan"), cards("plan.cards")]), ["workflow[2].transform.from"]);
    assert_eq!(wrong(vec![look(), agent("plan"), cards("steps.plan.output")]), ["workflow[2].transform.from"]);
    assert_eq!(wrong(vec![gives("plan"), look(), gives("other"), cards("plan")]), none);
    // Asked again, it is good again; and what a person sent back was looked at again.
    assert_eq!(wrong(vec![look(), gives("plan"), Step::new("again", StepKind::HumanReview), cards("plan")]), none);
    let mut mends = look();
    mends.children = vec![Step { output_variable: Some("plan".to_owned()), ..agent("mend") }];
    assert_eq!(wrong(vec![gives("plan"), mends, cards("plan")]), none);
    // What is made of what was approved is approved; of anything else it is not.
    let pick = |from: &str| made("list", Transform::Pick { from: from.to_owned() });
    assert_eq!(wrong(vec![gives("plan"), look(), pick("plan.cards"), cards("list")]), none);
    let late = vec![gives("plan"), look(), gives("more"), pick("more.cards"), cards("list")];
    assert_eq!(wrong(late), ["workflow[4].transform.from"]);
    let words = made("words", Transform::Template { template: "{{plan}} {{more}}".to_owned() });
    assert_eq!(
        wrong(vec![gives("plan"), look(), gives("more"), words, cards("words")]),
        ["workflow[4].transform.from"]
    );
    // Beside the review, within a branch, within a round, and in a step around it.
    let beside = within("both", StepKind::Parallel, vec![look(), gives("plan")]);
    assert_eq!(wrong(vec![beside, cards("plan")]), ["workflow[1].transform.from"]);
    let beside = within("both", StepKind::Parallel, vec![look(), gives("other")]);
    assert_eq!(wrong(vec![gives("plan"), beside, cards("plan")]), none);
    let around =
        Step { output_variable: Some("all".to_owned()), ..within("around", StepKind::Sequential, vec![gives("plan")]) };
    assert_eq!(wrong(vec![look(), around, cards("all")]), ["workflow[2].transform.from"]);
    let sometimes = Step {
        condition: Some(Condition { field: "plan".to_owned(), operator: Operator::Exists, value: Value::Null }),
        true_branch: vec![Step { output_variable: Some("plan".to_owned()), ..agent("better") }],
        ..Step::new("if", StepKind::Conditional)
    };
    assert_eq!(wrong(vec![gives("plan"), look(), sometimes, cards("plan")]), ["workflow[3].transform.from"]);
    let rounds = |inner| Step { max_iterations: Some(3), ..within("rounds", StepKind::Loop, inner) };
    assert_eq!(wrong(vec![gives("plan"), rounds(vec![look(), cards("plan"), gives("next")])]), none);
    let late = Step { output_variable: Some("plan".to_owned()), ..agent("next") };
    let later = wrong(vec![gives("plan"), look(), rounds(vec![cards("plan"), late])]);
    assert_eq!(later, ["workflow[2].children[0].transform.from"]);
}

#[test]
fn names_are_of_one_line() {
    let mut of = system(vec![Step { name: "Two\nlines".to_owned(), ..agent("work") }]);
    of.agents[0].name = "Two\nlines".to_owned();
    of.agents[0].model_override = Some("a\nb".to_owned());
    let told: Vec<String> = validate(&of).into_iter().map(|problem| problem.path).collect();
    assert_eq!(told, ["agents[0].name", "agents[0].modelOverride", "workflow[0].name"]);
}

#[test]
fn an_input_is_told_from_others_by_the_beginning_of_what_is_asked() {
    let schema: InputSchema = serde_json::from_value(json!({
        "properties": { "depth": { "type": "integer" }, "also": { "type": "string" }, "topic": { "type": "string" } },
        "required": ["depth", "topic"],
    }))
    .expect("a schema");
    assert_eq!(schema.about(&json!({ "depth": 2, "also": "x", "topic": "\n  Why cats?\nSay." })), "Why cats?");
    assert_eq!(schema.about(&json!({ "depth": 2, "also": "Only this." })), "Only this.");
    assert_eq!(schema.about(&Value::Null), "");
    let long = schema.about(&json!({ "topic": "ä".repeat(200) }));
    assert_eq!(long.chars().count(), 101);
}
