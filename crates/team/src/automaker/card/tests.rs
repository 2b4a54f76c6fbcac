use serde_json::json;

use super::super::format::feature;
use super::*;

fn old(value: &Value) -> OldFeature {
    feature(value.to_string().as_bytes(), "f").unwrap()
}

fn map(value: &Value, branch: Branch) -> Mapped {
    mapped(old(value), branch, false, Vec::new(), Vec::new())
}

fn text(mapped: &Mapped, name: &str) -> String {
    let file = mapped.files.iter().find(|file| file.name == name);
    String::from_utf8(file.unwrap_or_else(|| panic!("no {name}")).bytes.clone()).unwrap()
}

#[test]
fn a_plain_card_stays_as_it_is() {
    let plain = map(
        &json!({ "id": "f", "description": "Build it.", "title": "It", "category": "Core", "priority": 3, "status": "backlog",
            "model": "claude-opus-5-5", "planningMode": "full", "requirePlanApproval": true, "thinkingLevel": "low",
            "skipTests": true, "branchName": "feature/it" }),
        Branch::Absent,
    );
    assert!(plain.changed.is_empty() && plain.files.is_empty() && !plain.done, "{plain:?}");
    let card = plain.card;
    assert_eq!((card.title.as_deref(), card.description.as_str()), (Some("It"), "Build it."));
    assert_eq!((card.category.as_deref(), card.priority), (Some("Core"), Some(3)));
    assert_eq!((card.model.as_deref(), card.branch.as_deref()), (Some("claude-opus-5-5"), Some("feature/it")));
    assert_eq!((card.planning_mode, card.require_plan_approval), (Some(PlanningMode::Full), Some(true)));
    assert_eq!((card.thinking_level, card.skip_verification), (Some(ThinkingLevel::Low), Some(true)));
}

/// What ran there does not run here; what was done there is kept as done, unless its branch is not known to be in the default one.
#[test]
fn a_card_comes_in_where_it_can_honestly_stand() {
    let stands = |status: &str, branch: Branch| {
        let of = map(&json!({ "description": "x", "status": status, "branchName": "b" }), branch);
        (of.done, of.card.branch, of.card.description)
    };
    for status in ["backlog", "pending", "ready"] {
        assert_eq!(stands(status, Branch::Absent), (false, Some("b".to_owned()), "x".to_owned()), "{status}");
    }
    for status in
        ["running", "in_progress", "pipeline_review", "waiting_approval", "failed", "interrupted", "on_hold", ""]
    {
        let (done, branch, description) = stands(status, Branch::Open);
        assert!(!done && branch.is_none(), "{status}");
        assert!(description.contains("the branch `b`, which is in this repository"), "{description}");
        assert!(status.is_empty() || description.contains(&format!("It was `{status}`")), "{description}");
    }
    for (status, branch, done) in [
        ("verified", Branch::Absent, false),
        ("verified", Branch::Unknown, false),
        ("verified", Branch::Merged, true),
        ("verified", Branch::Open, false),
        ("completed", Branch::Absent, true),
        ("completed", Branch::Merged, true),
        ("completed", Branch::Open, true),
    ] {
        assert_eq!(stands(status, branch).0, done, "{status} {branch:?}");
    }
    let (_, wish, description) = stands("verified", Branch::Absent);
    assert!(description.contains("its branch is not here; whether it was merged is not known"), "{description}");
    assert_eq!(wish.as_deref(), Some("b"), "an agent may make it anew");
    let unnamed = map(&json!({ "description": "x", "status": "verified" }), Branch::Absent);
    assert!(unnamed.done && unnamed.card.description.contains("on no branch of its own"), "{unnamed:?}");
    let shared = mapped(old(&json!({ "description": "x", "branchName": "b" })), Branch::Absent, true, vec![], vec![]);
    assert!(shared.card.branch.is_none() && shared.card.description.contains("shared the branch `b`"));
    let bad = map(&json!({ "description": "x", "branchName": "-b ..lock" }), Branch::Absent);
    assert!(bad.card.branch.is_none() && text(&bad, "automaker.json").contains("-b ..lock"));
}

#[test]
fn models_and_levels_become_those_that_are_here() {
    let of = |value: Value| {
        let mut card = json!({ "description": "x" });
        card.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        map(&card, Branch::Absent)
    };
    for (name, here) in
        [("opus", "claude-opus-5-5"), ("claude-sonnet", "claude-sonnet-5-5"), ("haiku", "claude-haiku-4-5")]
    {
        let mapped = of(json!({ "model": name }));
        assert_eq!(mapped.card.model.as_deref(), Some(here));
        assert!(mapped.changed[0].contains(name) && text(&mapped, "automaker.json").contains(name));
    }
    assert_eq!(
        of(json!({ "model": "claude-haiku-4-5-20251001" })).card.model.as_deref(),
        Some("claude-haiku-4-5-20251001")
    );
    let unknown = of(json!({ "model": "cursor-auto" }));
    assert!(unknown.card.model.is_none() && unknown.changed[0].contains("cursor-auto"));

    let level = |value| of(value).card.thinking_level;
    assert_eq!(level(json!({})), None);
    assert_eq!(level(json!({ "thinkingLevel": "ultrathink" })), Some(ThinkingLevel::Ultrathink));
    assert_eq!(level(json!({ "thinkingLevel": "none", "reasoningEffort": "xhigh" })), Some(ThinkingLevel::Ultrathink));
    assert_eq!(level(json!({ "reasoningEffort": "minimal" })), Some(ThinkingLevel::Low));
    assert_eq!(level(json!({ "thinkingLevel": "high", "reasoningEffort": "low" })), Some(ThinkingLevel::High));
    let odd = of(json!({ "thinkingLevel": "adaptive", "reasoningEffort": "extreme" }));
    assert!(odd.card.thinking_level.is_none() && odd.changed.len() == 2, "{:?}", odd.changed);

    for (given, here) in [(json!(0), 1), (json!(9), 3), (json!("2"), 2), (json!("high"), 1), (json!([1]), 2)] {
        assert_eq!(of(json!({ "priority": given })).card.priority, Some(here));
    }
    let unplanned = of(json!({ "planningMode": "skip", "requirePlanApproval": true }));
    assert_eq!((unplanned.card.require_plan_approval, unplanned.changed.len()), (Some(false), 1));
    assert_eq!(of(json!({ "planningMode": "deep" })).card.planning_mode, Some(PlanningMode::Skip));
}

#[test]
fn what_a_card_has_no_place_for_becomes_files() {
    let value = json!({
        "id": "f-9", "description": "x", "title": "t".repeat(300), "category": "a\nb", "status": "failed", "error": "It\nbroke.",
        "summary": "Half of it.", "spec": "The spec.", "passes": false, "balance": { "deep": [1] },
        "planSpec": { "status": "approved", "content": "# Plan", "version": 2, "tasks": [
            { "id": "T1", "description": "First", "filePath": "a.rs", "phase": "One", "status": "completed" },
            { "id": "T2", "description": "Second", "phase": "One", "status": "failed" }] },
        "descriptionHistory": [{ "description": "Older", "timestamp": "then", "source": "enhance", "enhancementMode": "technical" }]
    });
    let of = mapped(old(&value), Branch::Absent, false, vec![], vec!["f-0".to_owned()]);
    assert_eq!(of.card.title.as_deref().map(|title| title.chars().count()), Some(TITLE));
    assert_eq!((of.card.category.as_deref(), of.summary.as_deref()), (Some("a b"), None));
    assert!(of.card.description.contains("- It ended in an error:\n\n  > It\n  > broke."), "{}", of.card.description);
    assert!(of.card.description.contains("depended on cards that did not come in, or that depend on it: f-0"));
    let plan = text(&of, "plan.md");
    assert!(plan.contains("### One\n\n- [x] T1: First (`a.rs`)\n- [ ] T2: Second, failed"), "{plan}");
    assert!(text(&of, "earlier-descriptions.md").contains("## then (enhance, technical)\n\nOlder"));
    assert_eq!(
        (text(&of, "summary.md"), text(&of, "specification.md")),
        ("Half of it.\n".into(), "The spec.\n".into())
    );
    let left: Value = serde_json::from_str(&text(&of, "automaker.json")).unwrap();
    assert_eq!((&left["id"], &left["passes"], &left["balance"]["deep"]), (&json!("f-9"), &json!(false), &json!([1])));
    assert_eq!((&left["planSpec"]["version"], &left["dependenciesNotHere"]), (&json!(2), &json!(["f-0"])));
    assert_eq!(left["title"], json!("t".repeat(300)));

    let dated = map(
        &json!({ "description": "x", "descriptionHistory": [
            { "description": "Older\r\n", "timestamp": "2025-01-01T00:00:00.000Z", "source": "initial" },
            { "description": "Old", "timestamp": "2025-01-02T00:00:00.000Z", "source": "enhance", "enhancementMode": "improve" },
            { "description": "x", "timestamp": "2025-01-03T00:00:00.000Z", "source": "edit" }] }),
        Branch::Absent,
    );
    assert_eq!(dated.earlier.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["Older", "Old"]);
    assert_eq!(dated.card.description, "x");
    let left: Value = serde_json::from_str(&text(&dated, "automaker.json")).unwrap();
    assert_eq!(left["descriptionHistory"][1]["enhancementMode"], json!("improve"));

    let done = map(&json!({ "description": "x", "status": "completed", "summary": "Built." }), Branch::Absent);
    assert_eq!((done.done, done.summary.as_deref(), done.files.len()), (true, Some("Built."), 0));
    let long = map(&json!({ "description": "a".repeat(DESCRIPTION), "status": "failed" }), Branch::Absent);
    assert_eq!(long.card.description.len(), DESCRIPTION);
    assert!(text(&long, "from-automaker.md").contains("It was `failed`"));
}
