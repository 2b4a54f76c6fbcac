use super::*;

fn all() -> Vec<Stage> {
    let step = |name: &str| Stage::Pipeline(name.to_owned());
    vec![Stage::Planning, Stage::PlanApproval, Stage::Implementing, step("Review"), step("Docs"), Stage::Verifying]
}

/// Every stage that may follow another, written out: a change of the machine must be made here as well.
#[test]
fn the_table_of_stages() {
    let legal = [
        ("planning", "plan_approval"),
        ("implementing", "pipeline:Review"),
        ("implementing", "pipeline:Docs"),
        ("implementing", "verifying"),
        ("pipeline:Review", "implementing"),
        ("pipeline:Review", "pipeline:Docs"),
        ("pipeline:Review", "verifying"),
        ("pipeline:Docs", "implementing"),
        ("pipeline:Docs", "pipeline:Review"),
        ("pipeline:Docs", "verifying"),
        ("verifying", "implementing"),
    ];
    for from in all() {
        for to in all() {
            let (a, b) = (from.to_string(), to.to_string());
            let wanted = from == to || legal.contains(&(a.as_str(), b.as_str()));
            assert_eq!(from.after(to).is_ok(), wanted, "{a} → {b}");
        }
    }
}

#[test]
fn a_stage_is_one_text_and_comes_back() {
    for stage in all() {
        let text = serde_json::to_string(&stage).unwrap();
        assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage);
    }
    assert_eq!(
        serde_json::to_string(&Stage::Pipeline("Security pass".to_owned())).unwrap(),
        r#""pipeline:Security pass""#
    );
    for unknown in ["", "pipeline:", "pipeline", "done"] {
        assert!(unknown.parse::<Stage>().is_err(), "{unknown}");
    }
}
