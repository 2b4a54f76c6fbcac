use std::collections::HashSet;

use proptest::prelude::*;

use super::alike::{Compared, NEAR};
use super::draft::LearningContext;
use super::index::{Indexed, Mark, Profile, asked, index, label};
use super::rank::{Candidate, Meant, Term, rarity, score, sure};
use super::*;

fn entry(title: &str, content: &str) -> KnowledgeDraft {
    let details = EntryDetails { entry_type: EntryType::Faq, source_url: None, keywords: vec!["Späti".to_owned()] };
    KnowledgeDraft {
        title: title.to_owned(),
        description: String::new(),
        content: content.to_owned(),
        tags: vec!["web".to_owned()],
        related: Vec::new(),
        details: KnowledgeDetails::Entry(details),
    }
}

fn indexed(draft: &KnowledgeDraft) -> Indexed {
    index(draft, KnowledgeReview::Accepted, KnowledgeOrigin::Member)
}

fn terms(query: &str) -> Vec<Term> {
    let of = |word: &str| Term {
        meant: vec![Meant { word: word.to_owned(), sure: sure::SAME, docs: 3 }],
        rarity: rarity(3, 100),
    };
    asked(query).words.iter().map(|word| of(&word.word)).collect()
}

fn scored(query: &str, draft: &KnowledgeDraft, days: f64, helped: i64, failed: i64) -> f64 {
    let indexed = indexed(draft);
    let candidate = Candidate { title: &draft.title, profile: Profile::read(&indexed.profile), days, helped, failed };
    score(&terms(query), &asked(query).phrase, &candidate)
}

#[test]
fn an_item_is_told_to_the_index_with_its_words_and_marks() {
    let found = indexed(&entry("Restart the WebSocket", "It drops. Restart it; restart again."));
    for term in
        ["^restart", "restart", "^websocket", "^socket", "drops", "^spati", "g=web", "k=entry", "t=faq", "x=trusted"]
    {
        assert!(found.terms.iter().any(|known| known == term), "{term}: {:?}", found.terms);
    }
    assert!(!found.terms.iter().any(|term| term == "^drops"));
    let profile = Profile::read(&found.profile);
    assert_eq!(profile.counts("restart"), [1, 0, 0, 2]);
    assert_eq!(profile.counts("nowhere"), [0; 4]);
    assert_eq!(profile.lengths(), [3, 2, 0, 6]);
    assert!(Profile::read(b"rubbish").is_empty());
}

#[test]
fn what_agents_are_given_is_marked() {
    let context = LearningContext { languages: vec!["C++ 20".to_owned()], ..LearningContext::default() };
    let details = LearningDetails {
        learning_type: LearningType::BugFix,
        confidence: LearningConfidence::Low,
        problem: Some("Leaks".to_owned()),
        solution: None,
        prevention: None,
        context,
    };
    let draft = KnowledgeDraft { details: KnowledgeDetails::Learning(details), ..entry("x", "y") };
    let of = |review| index(&draft, review, KnowledgeOrigin::Agent).terms;
    let (proposed, accepted) = (of(KnowledgeReview::Proposed), of(KnowledgeReview::Accepted));
    let rejected = of(KnowledgeReview::Rejected);
    let trusted = Mark::Trusted.term();
    assert!(accepted.contains(&trusted) && !proposed.contains(&trusted) && !rejected.contains(&trusted));
    assert!(proposed.contains(&Mark::Standing.term()) && !rejected.contains(&Mark::Standing.term()));
    assert!(proposed.contains(&"l=c++-20".to_owned()) && proposed.contains(&"leaks".to_owned()), "{proposed:?}");
    assert_eq!(label("  Node  JS (v20)! "), "node-js-v20");
}

#[test]
fn words_that_say_nothing_are_left_out_where_others_say_something() {
    let of = |query: &str| asked(query).words.into_iter().map(|word| word.word).collect::<Vec<_>>();
    assert_eq!(of("How do I restart the socket"), ["restart", "socket"]);
    assert_eq!(of("how to"), ["how", "to"]);
    assert_eq!(of("web so"), ["web"]);
    assert_eq!(of("WebSocket websocket"), ["websocket"]);
    assert_eq!(asked("WebSocket drops").words[0].parts, ["web", "socket"]);
    assert!(asked("web soc").words[1].unfinished && !asked("web soc ").words[1].unfinished);
    assert_eq!(of("?!"), Vec::<String>::new());
}

#[test]
fn who_fits_better_comes_first() {
    let title = entry("Restart the socket", "It drops now and then.");
    let body = entry("It drops", "Now and then you restart the socket by hand.");
    let one = entry("Restart the server", "It drops now and then.");
    let query = "restart socket";
    assert!(scored(query, &title, 0.0, 0, 0) > scored(query, &body, 0.0, 0, 0));
    assert!(scored(query, &body, 0.0, 0, 0) > scored(query, &one, 0.0, 0, 0));
    assert!(scored(query, &body, 1.0, 0, 0) > scored(query, &body, 300.0, 0, 0), "the recent one");
    assert!(scored(query, &body, 1.0, 9, 0) > scored(query, &body, 1.0, 0, 9), "the useful one");
    assert_eq!(scored("nowhere", &title, 0.0, 0, 0), 0.0);
}

#[test]
fn items_that_say_the_same_are_alike() {
    let words = "When the socket drops the page must connect again and ask for what it missed since its last number";
    let alike = |one: &KnowledgeDraft, other: &KnowledgeDraft| {
        let (a, b) = (indexed(one), indexed(other));
        let one = Compared::new(one.kind(), &one.title, Profile::read(&a.profile));
        one.likeness(&Compared::new(other.kind(), &other.title, Profile::read(&b.profile)))
    };
    let one = entry("Reconnect after a drop", words);
    assert!((alike(&one, &one) - 1.0).abs() < 1e-9);
    assert!(alike(&one, &entry("Reconnecting after drops", &words.replace("must", "has to"))) > NEAR);
    assert!(alike(&one, &entry("Reconnect after a drop", &words[..60])) > NEAR);
    assert!(alike(&one, &entry("Pay invoices", "Money goes out on Friday, never before the bank has closed.")) < 0.3);
}

#[test]
fn a_learning_proves_itself_by_the_rule_alone() {
    let rule = KnowledgeRule { on: true, runs: 3, members: 2, success_percent: 75 };
    assert!(rule.proves(3, 1, 2));
    assert!(!rule.proves(3, 2, 2) && !rule.proves(2, 0, 2) && !rule.proves(3, 0, 1));
    assert!(!KnowledgeRule { on: false, ..rule }.proves(100, 0, 9));
    assert!(!KnowledgeRule::default().on);
}

proptest! {
    #[test]
    fn a_word_more_never_ranks_lower(words in prop::collection::hash_set("[a-z]{4,8}", 2..8), days in 0.0..2000.0_f64) {
        let words: Vec<String> = words.into_iter().collect();
        let less = entry("title", &words[1..].join(" "));
        let more = entry("title", &format!("{} {}", words[1..].join(" "), words[0]));
        let query = words.join(" ");
        prop_assert!(scored(&query, &more, days, 0, 0) >= scored(&query, &less, days, 0, 0));
    }

    #[test]
    fn what_is_recent_or_helped_decides_only_among_what_fits_alike(days in 0.0..5000.0_f64, used in 0..1000_i64) {
        let draft = entry("Restart the socket", "By hand.");
        let plain = scored("socket", &draft, 1e12, 0, 0);
        let best = scored("socket", &draft, days, used, 0);
        prop_assert!(best >= plain && best <= plain * 1.081, "{plain} {best}");
    }

    #[test]
    fn a_rare_word_is_worth_more(few in 0..500_i64, more in 1..500_i64) {
        prop_assert!(rarity(few, 1000) > rarity(few + more, 1000));
        prop_assert!(rarity(few + more, 1000) > 0.0);
    }

    #[test]
    fn a_profile_knows_every_word_that_was_written(text in "([a-z]{1,10} ){0,60}") {
        let found = indexed(&entry("t", &text));
        let profile = Profile::read(&found.profile);
        for word in &found.words {
            prop_assert!(profile.counts(word).iter().sum::<u16>() > 0, "{word}");
        }
        let known: HashSet<u32> = profile.hashes().collect();
        prop_assert_eq!(known.len(), profile.len());
    }

    #[test]
    fn terms_can_be_told_to_both_databases(text in "\\PC{0,120}", tag in "\\PC{0,30}") {
        let mut draft = entry("t", &text);
        draft.tags = vec![label(&tag)];
        for term in indexed(&draft).terms {
            prop_assert!(!term.is_empty() && !term.contains(char::is_whitespace) && !term.contains(['"', '\'', '\\']), "{term}");
        }
    }
}
