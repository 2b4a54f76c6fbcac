use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::MemberId;
use crate::knowledge::draft::{AutoLoadConditions, LearningContext};
use crate::knowledge::item::LearningStanding;
use crate::knowledge::{
    BlueprintCategory, BlueprintDetails, BlueprintStatus, EntryDetails, EntryType, KnowledgeCommon, KnowledgeOrigin,
    LearningDetails, LearningType,
};

fn item(draft: KnowledgeDraft) -> KnowledgeItem {
    let (member, at) = (MemberId::new(), DateTime::UNIX_EPOCH);
    KnowledgeItem {
        title: draft.title,
        common: KnowledgeCommon {
            id: KnowledgeId::new(),
            kind: draft.details.kind(),
            description: draft.description,
            content: Some(draft.content),
            tags: draft.tags,
            related: draft.related,
            origin: KnowledgeOrigin::Member,
            source_run_id: None,
            source_feature_id: None,
            version: 3,
            created_by: member,
            created_at: at,
            updated_by: member,
            updated_at: at,
            deleted_at: None,
        },
        details: draft.details,
        standing: LearningStanding {
            review: KnowledgeReview::Proposed,
            reject_reason: None,
            verified_by: None,
            verified_at: None,
            application_count: 7,
            success_count: 5,
            failure_count: 1,
        },
    }
}

fn draft(details: KnowledgeDetails, words: &str) -> KnowledgeDraft {
    KnowledgeDraft {
        title: format!("T {words}"),
        description: words.to_owned(),
        content: format!("# T\n\n{words}\n---\nkind: x\n\n---"),
        tags: vec!["a-b".to_owned(), "c++".to_owned()],
        related: vec![KnowledgeId::new()],
        details,
    }
}

fn of_each_kind(words: &str) -> [KnowledgeDraft; 3] {
    let list = || vec![words.to_owned(), "src/**/*.{rs,toml}".to_owned()];
    let when = AutoLoadConditions { file_patterns: list(), languages: list(), task_types: list() };
    let context = LearningContext { languages: list(), frameworks: list(), file_patterns: list() };
    [
        draft(
            KnowledgeDetails::Blueprint(BlueprintDetails {
                category: BlueprintCategory::CodingStandards,
                status: BlueprintStatus::Active,
                priority: 9,
                auto_load_conditions: when,
            }),
            words,
        ),
        draft(
            KnowledgeDetails::Entry(EntryDetails {
                entry_type: EntryType::Runbook,
                source_url: Some("https://example.com/?a=b#c: d".to_owned()),
                keywords: list(),
            }),
            words,
        ),
        draft(
            KnowledgeDetails::Learning(LearningDetails {
                learning_type: LearningType::AntiPattern,
                confidence: LearningConfidence::Low,
                problem: Some(format!("{words}\nTwo.")),
                solution: None,
                prevention: Some("---".to_owned()),
                context,
            }),
            words,
        ),
    ]
}

#[test]
fn what_people_write_by_hand_is_read() {
    let text = "---\nkind: learning\ntitle: Don't sleep in tests\ntype: anti-pattern\n# why not\ntags: [testing, 'flaky tests']\n\
                context: {\"languages\": [\"rust\"]}\nproblem: \"They are slow:\\nand flaky.\"\n---\n\nInject the clock.\n";
    let found = parse(text).unwrap();
    assert_eq!(
        (found.draft.title.as_str(), found.draft.content.as_str()),
        ("Don't sleep in tests", "Inject the clock.")
    );
    assert_eq!(found.draft.tags, ["testing", "flaky tests"]);
    let KnowledgeDetails::Learning(of) = &found.draft.details else { panic!("a learning") };
    assert_eq!(
        (of.problem.as_deref(), &of.context.languages[..]),
        (Some("They are slow:\nand flaky."), &["rust".to_owned()][..])
    );
    let text = "---\r\nkind: blueprint\r\ntitle: 2024\r\ntags:\r\n  - one\r\n  - \"two: three\"\r\npriority: 7\r\n---\r\nText\r\n";
    let found = parse(text).unwrap();
    assert_eq!((found.draft.title.as_str(), found.draft.tags.join("|").as_str()), ("2024", "one|two: three"));
}

#[test]
fn what_cannot_be_read_is_told() {
    for (text, told) in [
        ("# A text", "three dashes"),
        ("---\nkind: entry\ntitle: x\n", "end the front matter"),
        ("---\ntitle: x\n---\n", "what kind"),
        ("---\nkind: note\n---\n", "blueprint, entry or learning"),
        ("---\nkind: entry\n---\nText", "title"),
        ("---\nkind: entry\ntitle: x\napplicationCount: 99\n---\nText", "applicationCount"),
        ("---\nkind: learning\ntitle: x\nverifiedBy: me\n---\nText", "verifiedBy"),
        ("---\nkind: entry\nkind: entry\n---\n", "twice"),
        ("---\nnonsense\n---\n", "line 2"),
    ] {
        let problem = parse(text).unwrap_err();
        assert!(problem.contains(told), "{text}: {problem}");
    }
}

#[test]
fn what_is_left_empty_is_absent_and_numbers_are_words() {
    let text = "---\nkind: learning\ntitle: 404\ndescription:\ntags: [2024, web, true]\nproblem: 500\nsolution: null\nrelated:\n\
                type:\ncontext: {\"languages\": [], \"frameworks\": [3]}\n---\nText\n";
    let found = parse(text).unwrap().draft;
    assert_eq!((found.title.as_str(), found.description.as_str()), ("404", ""));
    assert_eq!(found.tags, ["2024", "web", "true"]);
    let KnowledgeDetails::Learning(of) = &found.details else { panic!("a learning") };
    assert_eq!((of.problem.as_deref(), of.solution.as_deref()), (Some("500"), None));
    assert_eq!((of.learning_type, &of.context.frameworks[..]), (LearningType::Custom, &["3".to_owned()][..]));
    let text = "---\nkind: entry\ntitle: x\nkeywords:\n  - 2024\n  - one\n---\nText\n";
    let KnowledgeDetails::Entry(of) = parse(text).unwrap().draft.details else { panic!("an entry") };
    assert_eq!(of.keywords, ["2024", "one"]);
}

#[test]
fn what_does_not_fit_is_told_with_its_field_and_form() {
    for (kind, line, told) in [
        ("entry", "description: [one, two]", "description: write words on one line"),
        ("entry", "tags: one", "tags: write a list of words, such as [one, two]"),
        ("entry", "tags: [[1]]", "tags: write a list"),
        ("entry", "type: note", "type: write one of documentation, api-reference"),
        ("learning", "confidence: sure", "confidence: write one of low, medium, high"),
        ("learning", "related: [me]", "related: \"me\" is no id"),
        (
            "learning",
            "context: rust",
            "context: write lists under their names, on one line, such as {\"languages\": [\"one\"",
        ),
        ("learning", "context: {\"files\": []}", "context.files: there is no such list; there are languages"),
        ("learning", "context: {\"languages\": \"rust\"}", "context.languages: write a list of words"),
        ("learning", "priority: 1", "priority: a learning has no such field"),
        ("blueprint", "priority: high", "priority: write a whole number"),
        ("entry", "title:", "title: "),
    ] {
        let title = if line == "title:" { "" } else { "title: x\n" };
        let problem = parse(&format!("---\nkind: {kind}\n{title}{line}\n---\nText")).unwrap_err();
        assert!(problem.starts_with(told), "{line}: {problem}");
    }
}

#[test]
fn names_of_files_are_made_of_what_is_harmless() {
    let mut one = item(of_each_kind("x")[1].clone());
    for (title, slug) in [
        ("../../etc/passwd", "entries/etc-passwd-"),
        ("完成", "entries/item-"),
        ("Größe: \"C:\\x\"", "entries/grosse-c-x-"),
    ] {
        one.title = title.to_owned();
        let name = file_name(&one);
        assert!(name.starts_with(slug) && name.ends_with(".md") && name.len() < 100, "{name}");
    }
}

#[test]
fn that_it_is_verified_does_not_come_in_a_file() {
    let [.., mut learning] = of_each_kind("x");
    if let KnowledgeDetails::Learning(of) = &mut learning.details {
        of.confidence = LearningConfidence::Verified;
    }
    let found = parse(&render(&item(learning))).unwrap();
    let KnowledgeDetails::Learning(of) = found.draft.details else { panic!("a learning") };
    assert_eq!(of.confidence, LearningConfidence::High);
}

proptest! {
    #[test]
    fn a_round_trip_loses_nothing(words in "[^\\p{C}]{1,60}|[a-z:#\\-\"'\\[\\]{}, \n\t\\\\]{1,40}") {
        for mut draft in of_each_kind(words.trim()) {
            draft.content = draft.content.replace('\r', "");
            let item = item(draft.clone());
            let found = parse(&render(&item)).unwrap();
            prop_assert_eq!(&found.draft, &draft);
            prop_assert_eq!(found.id, Some(item.id()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
        let _ = parse(&text);
        let _ = parse(&format!("---\nkind: entry\ntitle: x\n{text}\n---\n{text}"));
    }
}
