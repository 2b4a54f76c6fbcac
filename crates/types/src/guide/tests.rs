use proptest::prelude::*;

use super::work::named_paths;
use super::*;
use crate::knowledge::draft::LearningContext;
use crate::knowledge::{
    BlueprintCategory, BlueprintDetails, BlueprintStatus, KnowledgeCommon, KnowledgeOrigin, KnowledgeReview,
    LearningType,
};
use crate::{Clock, FixedClock, MemberId};

fn item(n: u128, length: usize) -> GuideItem {
    GuideItem {
        kind: KnowledgeKind::Learning,
        id: KnowledgeId(uuid::Uuid::from_u128(n)),
        version: 1,
        title: format!("Item {n}"),
        text: "x".repeat(length),
    }
}

fn common(n: u128, kind: KnowledgeKind) -> KnowledgeCommon {
    let (member, now) = (MemberId::new(), FixedClock::default().now());
    KnowledgeCommon {
        id: KnowledgeId(uuid::Uuid::from_u128(n)),
        kind,
        description: String::new(),
        content: Some("It is so.".to_owned()),
        tags: Vec::new(),
        related: Vec::new(),
        origin: KnowledgeOrigin::Agent,
        source_run_id: None,
        source_feature_id: None,
        version: 3,
        created_by: member,
        created_at: now,
        updated_by: member,
        updated_at: now,
        deleted_at: None,
    }
}

fn standing(review: KnowledgeReview) -> LearningStanding {
    LearningStanding {
        review,
        reject_reason: None,
        verified_by: None,
        verified_at: None,
        application_count: 0,
        success_count: 0,
        failure_count: 0,
    }
}

fn blueprint(n: u128, priority: i64, auto_load_conditions: AutoLoadConditions) -> KnowledgeItem {
    KnowledgeItem {
        title: format!("Blueprint {n}"),
        common: common(n, KnowledgeKind::Blueprint),
        details: KnowledgeDetails::Blueprint(BlueprintDetails {
            category: BlueprintCategory::Testing,
            status: BlueprintStatus::Active,
            priority,
            auto_load_conditions,
        }),
        standing: standing(KnowledgeReview::Accepted),
    }
}

fn details() -> LearningDetails {
    LearningDetails {
        learning_type: LearningType::Pattern,
        confidence: LearningConfidence::High,
        problem: Some("It failed.".to_owned()),
        solution: None,
        prevention: None,
        context: LearningContext::default(),
    }
}

fn learning(n: u128) -> KnowledgeItem {
    KnowledgeItem {
        title: format!("Learning {n}"),
        common: common(n, KnowledgeKind::Learning),
        details: KnowledgeDetails::Learning(details()),
        standing: standing(KnowledgeReview::Accepted),
    }
}

fn numbers(found: &[&KnowledgeItem]) -> Vec<u128> {
    found.iter().map(|item| item.id().0.as_u128()).collect()
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn rust() -> Work {
    let files = list(&["Cargo.toml", "src/main.rs", "src/api/users.rs", "docs/guide.md", "scripts/run.sh"]);
    Work::of(files, "Say in `docs/faq.md` how ui/src/new.tsx works.", "Bug fix")
}

#[test]
fn a_card_names_paths_and_not_whatever_has_a_dot() {
    let text = "See src/main.rs, `./ui/a.tsx` (and Makefile.am). Not https://a.com/b.html, v1.2, e.g. this, ../up.rs or \
        /etc/x.conf. Version 0.4.1!";
    assert_eq!(named_paths(text), ["src/main.rs", "ui/a.tsx", "Makefile.am", "e.g"]);
    let many: String = (0..500).map(|n| format!("f{n}.rs ")).collect();
    assert_eq!(named_paths(&many).len(), 100);
}

#[test]
fn each_condition_that_is_given_must_hold() {
    let work = rust();
    let holds = |patterns: &[&str], languages: &[&str], tasks: &[&str]| {
        let (patterns, languages, tasks) = (list(patterns), list(languages), list(tasks));
        AutoLoadConditions { file_patterns: patterns, languages, task_types: tasks }.hold(&work)
    };
    assert!(holds(&[], &[], &[]), "without any, it suits all work");
    assert!(holds(&["*.rs"], &[], &[]) && holds(&["src/**"], &[], &[]) && holds(&["no", "src/*/*.rs"], &[], &[]));
    assert!(!holds(&["src/*.tsx"], &[], &[]) && !holds(&["api"], &[], &[]) && !holds(&["[", "{"], &[], &[]));
    assert!(holds(&["docs/faq.md"], &[], &[]), "a file that is to be made");
    assert!(holds(&[], &["Rust"], &[]) && holds(&[], &["rs", "cobol"], &[]) && !holds(&[], &["python"], &[]));
    assert!(holds(&[], &["TypeScript"], &[]), "the card names a file of it");
    assert!(holds(&[], &[], &["bug-fix"]) && holds(&[], &[], &["docs", "BUG FIX"]) && !holds(&[], &[], &["bug"]));
    assert!(holds(&["*.rs"], &["rust"], &["bug fix"]));
    assert!(!holds(&["*.rs"], &["python"], &["bug fix"]) && !holds(&["*.py"], &["rust"], &["bug fix"]));
    let unnamed = Work::of(list(&["a.rs"]), "Words.", "");
    let tasks = AutoLoadConditions { task_types: list(&["", "bug"]), ..AutoLoadConditions::default() };
    assert!(!tasks.hold(&unnamed), "a card without a category");
}

#[test]
fn one_script_makes_no_shell_project() {
    let mut files: Vec<String> = (0..60).map(|n| format!("src/m{n}.rs")).collect();
    files.push("run.sh".to_owned());
    let work = Work::of(files, "", "");
    assert!(work.speaks("rust") && !work.speaks("shell"));
}

#[test]
fn blueprints_come_by_priority_and_the_closer_fit_first() {
    let work = rust();
    let of = |languages: &[&str]| AutoLoadConditions { languages: list(languages), ..AutoLoadConditions::default() };
    let mut all = vec![
        blueprint(1, 5, of(&[])),
        blueprint(2, 9, of(&[])),
        blueprint(3, 5, of(&["rust"])),
        blueprint(4, 10, of(&["python"])),
        blueprint(5, 5, of(&[])),
    ];
    assert_eq!(numbers(&matching(&all, &work)), [2, 3, 1, 5]);
    for (at, status) in [(0, BlueprintStatus::Draft), (1, BlueprintStatus::Deprecated)] {
        let KnowledgeDetails::Blueprint(details) = &mut all[at].details else { panic!() };
        details.status = status;
    }
    all[2].common.deleted_at = Some(FixedClock::default().now());
    assert_eq!(numbers(&matching(&all, &work)), [5], "only what is active");
    assert!(matching(&[learning(1)], &work).is_empty());
}

#[test]
fn what_is_no_pattern_of_paths_is_told() {
    for pattern in ["src/**/*.rs", "*.{ts,tsx}", "./docs/[a-z]*", "README", "a/b", " src/* "] {
        assert_eq!(glob_problem(pattern), None, "{pattern}");
    }
    for (pattern, told) in [("src/[a", "unclosed"), ("src/{a,b", "unclosed"), ("x\\", "dangling")] {
        assert!(glob_problem(pattern).is_some_and(|problem| problem.contains(told)), "{:?}", glob_problem(pattern));
    }
}

#[test]
fn what_helped_before_goes_first_and_what_did_not_goes_last() {
    let work = rust();
    let known = Worth { score: 1.0, ..Worth::default() };
    let used = |all, helped, not| {
        let standing = LearningStanding {
            application_count: all,
            success_count: helped,
            failure_count: not,
            ..standing(KnowledgeReview::Accepted)
        };
        known.rank(&details(), &standing, &work)
    };
    let tried = |tried, helped| used(tried, helped, tried - helped);
    let seen = |worth: Worth| worth.rank(&details(), &standing(KnowledgeReview::Accepted), &work);
    let usual = seen(known);
    let came_through = seen(Worth { came_through: 4, ..known });
    let failed = seen(Worth { failed: 4, ..known });
    assert!(tried(4, 4) > came_through && came_through > usual && usual > failed && failed > tried(4, 0));
    assert!(seen(Worth { same_project: true, ..known }) > usual);
    assert_eq!(used(9, 2, 1), used(3, 2, 1), "what nobody knows says nothing");
    assert_eq!(used(5, 0, 0), usual);
    let with = |change: fn(&mut LearningDetails)| {
        let mut of = details();
        change(&mut of);
        known.rank(&of, &standing(KnowledgeReview::Accepted), &work)
    };
    assert!(with(|of| of.confidence = LearningConfidence::Verified) > usual);
    assert!(with(|of| of.confidence = LearningConfidence::Low) < usual);
    assert!(with(|of| of.context.languages = list(&["rust"])) > usual);
    assert!(with(|of| of.context.languages = list(&["python"])) < usual);
    assert!(with(|of| of.context.file_patterns = list(&["src/**"])) > usual);
    assert!(with(|of| of.context.file_patterns = list(&["*.py"])) < usual);
}

#[test]
fn a_learning_that_nobody_stands_for_is_given_to_nobody() {
    let work = rust();
    let worth = |score| Worth { score, ..Worth::default() };
    let mut all = [learning(1), learning(2), learning(3), learning(4)];
    let scored = |all: &[KnowledgeItem; 4]| {
        let scores = [worth(1.0), worth(3.0), worth(0.1), worth(f64::NAN)];
        numbers(&ranked(all.iter().zip(scores), &work))
    };
    assert_eq!(scored(&all), [2, 1], "what is found far worse than the best is left out");
    for review in [KnowledgeReview::Proposed, KnowledgeReview::Rejected] {
        all[1].standing.review = review;
        assert_eq!(scored(&all), [1], "{review}");
    }
    all[1].standing.review = KnowledgeReview::Accepted;
    all[1].common.deleted_at = Some(FixedClock::default().now());
    assert_eq!(scored(&all), [1], "rolled back");
    let item = GuideItem::of(&all[0]);
    assert_eq!((item.version, item.text.as_str()), (3, "It is so.\n\nProblem: It failed."));
}

#[test]
fn what_does_not_fit_whole_is_offered() {
    let guided = fit([item(1, 300), item(2, 90_000), item(3, 300), item(1, 300)], 2_000);
    let ways: Vec<(u128, GuideWay)> = guided.iter().map(|one| (one.item.id.0.as_u128(), one.way)).collect();
    use GuideWay::{Instructions, Offered};
    assert_eq!(ways, [(1, Instructions), (3, Instructions), (2, Offered)], "each once");
    assert_eq!(guided[2].item.text, "");
    assert!(fit([item(1, 10)], 0).is_empty() && fit([item(1, 10)], -5).is_empty());
}

#[test]
fn a_card_is_looked_for_by_its_title_and_by_its_words_in_pieces() {
    let asked = questions(
        " Mark items as done ",
        "Bug fix",
        "Add `todo done <number>`, which marks items. Keep the rest of the list.",
    );
    assert_eq!(asked[0], ("Mark items as done Bug fix".to_owned(), 2.0));
    assert_eq!(asked[1].0, "Add todo number which");
    assert_eq!(asked[2].0, "marks Keep the rest");
    let long: String = (0..10_000).map(|n| format!("word{n} ")).collect();
    assert_eq!(questions("T", "", &long).len(), 13);
    assert!(questions("", "", " ").is_empty());
}

proptest! {
    #[test]
    fn the_budget_holds_and_the_order_stays(
        lengths in prop::collection::vec(0_usize..6_000, 0..40),
        budget in -100_i64..40_000,
    ) {
        let items: Vec<GuideItem> = lengths.iter().zip(1..).map(|(length, n)| item(n, *length)).collect();
        let guided = fit(items.clone(), budget);
        prop_assert_eq!(&guided, &fit(items.clone(), budget), "the same every time");
        prop_assert!(size(&guided) <= budget.max(0));
        let whole: Vec<&Guided> = guided.iter().filter(|one| one.way == GuideWay::Instructions).collect();
        prop_assert!(whole.is_sorted_by_key(|one| one.item.id));
        for one in &whole {
            prop_assert!(items.contains(&one.item), "whole, as it is");
        }
        // The first is left out only where it has no room by itself.
        if let Some(first) = items.first() {
            let room = (budget.min(MOST_TOKENS) - INTRODUCTION) / 8 * 7;
            if first.whole() <= room {
                prop_assert_eq!(&whole[0].item, first);
            }
        }
        // Where there is room for a title, none is left out without a reason.
        let left = budget.min(MOST_TOKENS) - size(&guided);
        if guided.len() < items.len() && left > 2 * LINE + 20 && !guided.is_empty() {
            let offered = guided.iter().filter(|one| one.way == GuideWay::Offered).count();
            prop_assert_eq!(offered, OFFERED);
        }
    }

    #[test]
    fn any_words_make_work(text in ".{0,300}", files in prop::collection::vec("[a-z/.]{0,20}", 0..30), pattern in ".{0,30}") {
        let work = Work::of(files, &text, &text);
        let conditions = AutoLoadConditions { file_patterns: vec![pattern], ..AutoLoadConditions::default() };
        prop_assert_eq!(conditions.hold(&work), conditions.hold(&work));
    }

    #[test]
    fn a_better_found_learning_never_ranks_lower(
        score in 0.0_f64..100.0,
        more in 0.0_f64..100.0,
        not in 0_i64..50,
        helped in 0_i64..50,
        came_through in 0_i64..50,
        failed in 0_i64..50,
    ) {
        let work = rust();
        let rank = |score, helped, came_through, failed| {
            let standing = LearningStanding {
                success_count: helped,
                failure_count: not,
                ..standing(KnowledgeReview::Accepted)
            };
            Worth { score, came_through, failed, same_project: false }.rank(&details(), &standing, &work)
        };
        let usual = rank(score, helped, came_through, failed);
        prop_assert!(rank(score + more, helped, came_through, failed) >= usual);
        prop_assert!(rank(score, helped + 1, came_through, failed) >= usual);
        prop_assert!(rank(score, helped, came_through + 1, failed) >= usual);
        prop_assert!(rank(score, helped, came_through, failed + 1) <= usual);
    }
}
