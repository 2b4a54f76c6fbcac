//! The knowledge hub.

use chrono::Duration;
use guildhall_store::{Judged, KnowledgeFilter, NewKnowledge, StoreError};
use guildhall_types::knowledge::draft::LearningContext;
use guildhall_types::knowledge::{
    Author, BlueprintDetails, BlueprintStatus, EntryDetails, EntryType, KnowledgeDeed, KnowledgeDetails,
    KnowledgeDraft, KnowledgeItem, KnowledgeKind, KnowledgeOrigin, KnowledgeReview, KnowledgeRule, LearningConfidence,
    LearningDetails, LearningOutcome, LearningType, Via,
};
use guildhall_types::member::Member;
use guildhall_types::{Clock, KnowledgeId, RunId};

use crate::harness::{Fresh, new_run, on_both};

pub fn by(member: &Member) -> Author {
    Author { member: member.id, may_manage: false, via: Via::Page }
}

pub fn by_run(member: &Member, run: RunId) -> Author {
    Author { via: Via::Run { run, feature: None }, ..by(member) }
}

pub fn entry(title: &str, content: &str) -> KnowledgeDraft {
    let details = EntryDetails { entry_type: EntryType::Documentation, source_url: None, keywords: Vec::new() };
    KnowledgeDraft {
        title: title.to_owned(),
        description: format!("About {title}."),
        content: content.to_owned(),
        tags: Vec::new(),
        related: Vec::new(),
        details: KnowledgeDetails::Entry(details),
    }
}

pub fn learning(title: &str, content: &str) -> KnowledgeDraft {
    let details = LearningDetails {
        learning_type: LearningType::BugFix,
        confidence: LearningConfidence::Medium,
        problem: None,
        solution: None,
        prevention: None,
        context: LearningContext { languages: vec!["Rust".to_owned()], ..LearningContext::default() },
    };
    KnowledgeDraft { details: KnowledgeDetails::Learning(details), ..entry(title, content) }
}

fn blueprint(title: &str, status: BlueprintStatus) -> KnowledgeDraft {
    let details = BlueprintDetails {
        category: guildhall_types::knowledge::BlueprintCategory::Testing,
        status,
        priority: 5,
        auto_load_conditions: Default::default(),
    };
    KnowledgeDraft { details: KnowledgeDetails::Blueprint(details), ..entry(title, "Write tests first.") }
}

pub fn new(author: Author, draft: KnowledgeDraft) -> NewKnowledge {
    let review = match author.via {
        Via::Page => KnowledgeReview::Accepted,
        _ => KnowledgeReview::Proposed,
    };
    NewKnowledge { draft, source_run: author.run(), source_feature: None, author, review }
}

pub async fn write(fresh: &Fresh, author: Author, draft: KnowledgeDraft) -> KnowledgeItem {
    fresh.store.create_knowledge(new(author, draft)).await.unwrap()
}

pub async fn run_of(fresh: &Fresh, member: &Member) -> RunId {
    let project = fresh.project(member).await;
    let card = fresh.card(&project, "x").await;
    let (_, run) = fresh.store.start_feature(card.card.id, member.id, new_run(), i64::MAX).await.unwrap();
    run.id
}

pub async fn titles(fresh: &Fresh, query: &str, filter: &KnowledgeFilter) -> Vec<String> {
    fresh.store.search_knowledge(query, filter, 50).await.unwrap().into_iter().map(|hit| hit.title).collect()
}

/// How often a learning was used, helped and did not.
fn counted(item: &KnowledgeItem) -> (i64, i64, i64) {
    let of = &item.standing;
    (of.application_count, of.success_count, of.failure_count)
}

fn of_kind(kind: KnowledgeKind) -> KnowledgeFilter {
    KnowledgeFilter { kind: Some(kind), ..KnowledgeFilter::default() }
}

on_both! {
    async fn an_item_comes_back_as_it_was_written_and_every_change_is_a_version(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let mut draft = entry("Restart the socket", "One.\0\nTwo.");
        draft.tags = vec!["web".to_owned()];
        let one = write(&fresh, by(&anna), draft.clone()).await;
        draft.content = "One.\u{fffd}\nTwo.".to_owned();
        assert_eq!(one.draft(), draft);
        assert_eq!((one.common.version, one.common.created_by, one.common.origin), (1, anna.id, KnowledgeOrigin::Member));
        fresh.clock.advance(Duration::hours(1));
        draft.title = "Restart the websocket".to_owned();
        let two = fresh.store
            .update_knowledge(one.id(), 1, draft.clone(), Some("better"), Judged::AsBefore, &by(&ben)).await.unwrap();
        assert_eq!((two.common.version, two.common.created_by, two.common.updated_by), (2, anna.id, ben.id));
        assert_eq!(two.common.updated_at, fresh.clock.now());
        let late = fresh.store
            .update_knowledge(one.id(), 1, entry("x", "y"), None, Judged::AsBefore, &by(&anna)).await;
        assert!(matches!(late, Err(StoreError::StaleItem { current: 2 })), "{late:?}");
        assert_eq!(fresh.store.knowledge(one.id()).await.unwrap().unwrap(), two);

        let deleted = fresh.store.delete_knowledge(one.id(), Some("old"), &by(&anna)).await.unwrap();
        assert_eq!(deleted.common.deleted_at, Some(fresh.clock.now()));
        assert!(titles(&fresh, "socket", &KnowledgeFilter::default()).await.is_empty());
        assert!(matches!(fresh.store.delete_knowledge(one.id(), None, &by(&anna)).await, Err(StoreError::NotFound { .. })));
        assert_eq!(fresh.store.deleted_knowledge(None, 10).await.unwrap().items.len(), 1);
        let first = fresh.store.knowledge_version(one.id(), 1).await.unwrap().unwrap().draft;
        let unseen = fresh.store
            .restore_knowledge(one.id(), Some(2), first.clone(), Judged::Verified, None, &by(&ben)).await;
        assert!(matches!(unseen, Err(StoreError::StaleItem { current: 3 })), "{unseen:?}");
        let back = fresh.store.restore_knowledge(one.id(), Some(3), first, Judged::Verified, None, &by(&ben)).await.unwrap();
        assert_eq!((back.title.as_str(), back.common.deleted_at, back.common.version), ("Restart the socket", None, 4));
        assert_eq!(titles(&fresh, "socket", &KnowledgeFilter::default()).await, ["Restart the socket"]);
        assert!(titles(&fresh, "websocket", &KnowledgeFilter::default()).await.is_empty());

        let versions = fresh.store.knowledge_versions(one.id(), None, 3).await.unwrap();
        let told: Vec<_> = versions.items.iter().map(|of| (of.version, of.deed, of.why.as_deref())).collect();
        assert_eq!(told, [
            (4, KnowledgeDeed::Restored, None), (3, KnowledgeDeed::Deleted, Some("old")),
            (2, KnowledgeDeed::Updated, Some("better")),
        ]);
        assert_eq!(versions.next.as_deref(), Some("2"));
        assert_eq!(fresh.store.knowledge_versions(one.id(), Some(2), 3).await.unwrap().items.len(), 1);

        let events: Vec<&'static str> =
            fresh.store.events_after(0, 100).await.unwrap().iter().map(|event| event.what.kind()).collect();
        let own: Vec<&str> = events.into_iter().filter(|kind| kind.starts_with("knowledge")).collect();
        assert_eq!(own, [
            "knowledge.entry.created", "knowledge.entry.updated", "knowledge.entry.deleted", "knowledge.entry.restored",
        ]);
    }

    async fn items_are_related_both_ways(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let one = write(&fresh, by(&anna), entry("One", "x")).await;
        let mut draft = learning("Two", "y");
        draft.related = vec![one.id()];
        let two = write(&fresh, by(&anna), draft.clone()).await;
        let (to, from) = fresh.store.knowledge_relations(one.id()).await.unwrap();
        assert_eq!((to.len(), from[0].id, from[0].kind), (0, two.id(), KnowledgeKind::Learning));
        assert_eq!(fresh.store.knowledge_relations(two.id()).await.unwrap().0[0].title, "One");
        let unknown = KnowledgeId::new();
        draft.related = vec![unknown];
        let refused = fresh.store.create_knowledge(new(by(&anna), draft.clone())).await;
        assert!(matches!(refused, Err(StoreError::BadRelation { id }) if id == unknown), "{refused:?}");
        draft.related = vec![two.id()];
        let itself = fresh.store.update_knowledge(two.id(), 1, draft, None, Judged::AsBefore, &by(&anna)).await;
        assert!(matches!(itself, Err(StoreError::BadRelation { .. })), "{itself:?}");
        assert_eq!(fresh.store.knowledge_list(&KnowledgeFilter::default(), None, 10).await.unwrap().items.len(), 2);
        fresh.store.delete_knowledge(two.id(), None, &by(&anna)).await.unwrap();
        assert!(fresh.store.knowledge_relations(one.id()).await.unwrap().1.is_empty());
    }

    async fn a_list_is_filtered_and_paged_by_the_latest_change(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        for n in 0..5 {
            let mut draft = entry(&format!("e{n}"), "x");
            draft.tags = vec![if n % 2 == 0 { "c++".to_owned() } else { "web-ui".to_owned() }];
            write(&fresh, by(&anna), draft).await;
            fresh.clock.advance(Duration::days(1));
        }
        write(&fresh, by(&anna), learning("l", "x")).await;
        write(&fresh, by(&anna), blueprint("draft", BlueprintStatus::Draft)).await;
        write(&fresh, by(&anna), blueprint("active", BlueprintStatus::Active)).await;
        let list = |filter: KnowledgeFilter| {
            let store = fresh.store.clone();
            async move {
                let page = store.knowledge_list(&filter, None, 10).await.unwrap();
                page.items.into_iter().map(|item| item.title).collect::<Vec<_>>()
            }
        };
        let page = fresh.store.knowledge_list(&of_kind(KnowledgeKind::Entry), None, 2).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>(), ["e4", "e3"]);
        assert!(page.items[0].common.content.is_none());
        let after = page.next.unwrap().parse().unwrap();
        let page = fresh.store.knowledge_list(&of_kind(KnowledgeKind::Entry), Some(after), 3).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>(), ["e2", "e1", "e0"]);
        assert!(page.next.is_none());
        let none = KnowledgeFilter::default;
        assert_eq!(list(KnowledgeFilter { tags: vec!["C++".to_owned()], ..none() }).await, ["e4", "e2", "e0"]);
        assert_eq!(list(KnowledgeFilter { status: Some(BlueprintStatus::Active), ..none() }).await, ["active"]);
        assert_eq!(list(KnowledgeFilter { language: Some("rust".to_owned()), ..none() }).await, ["l"]);
        assert_eq!(list(KnowledgeFilter { sort: Some("testing".to_owned()), ..none() }).await, ["active", "draft"]);
        let since = Some(fresh.clock.now() - Duration::hours(25));
        assert_eq!(list(KnowledgeFilter { since, kind: Some(KnowledgeKind::Entry), ..none() }).await, ["e4"]);
        assert_eq!(list(KnowledgeFilter { trusted: true, ..none() }).await.len(), 7, "all but the draft");
        assert_eq!(list(KnowledgeFilter { tags: vec!["nobody's".to_owned()], ..none() }).await.len(), 0);
        assert_eq!(list(KnowledgeFilter { since: Some(fresh.clock.now() + Duration::days(1)), ..none() }).await.len(), 0);
    }

    async fn a_walk_comes_to_every_item_whatever_changes_meanwhile(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        for n in 0..5 {
            let tags = vec![if n % 2 == 0 { "even" } else { "odd" }.to_owned()];
            write(&fresh, by(&anna), KnowledgeDraft { tags, ..entry(&format!("E{n}"), "x") }).await;
        }
        let gone = write(&fresh, by(&anna), learning("L", "x")).await;
        let walk = async |filter: KnowledgeFilter| {
            let (mut titles, mut after) = (Vec::new(), None);
            loop {
                let (items, next) = fresh.store.knowledge_walk(&filter, after, 2).await.unwrap();
                titles.extend(items.iter().map(|item| item.title.clone()));
                after = next;
                if after.is_none() {
                    return titles;
                }
                // What is yet to be read changes, and stands above all that was read.
                for item in fresh.store.knowledge_list(&KnowledgeFilter::default(), None, 9).await.unwrap().items {
                    let item = fresh.store.knowledge(item.id()).await.unwrap().unwrap();
                    let draft = KnowledgeDraft { content: format!("{}x", item.draft().content), ..item.draft() };
                    let version = item.common.version;
                    fresh.store.update_knowledge(item.id(), version, draft, None, Judged::AsBefore, &by(&anna)).await.unwrap();
                }
            }
        };
        assert_eq!(walk(KnowledgeFilter::default()).await, ["E0", "E1", "E2", "E3", "E4", "L"]);
        let kind = Some(KnowledgeKind::Entry);
        assert_eq!(walk(KnowledgeFilter { kind, ..KnowledgeFilter::default() }).await, ["E0", "E1", "E2", "E3", "E4"]);
        let tags = vec!["Odd".to_owned()];
        assert_eq!(walk(KnowledgeFilter { tags, ..KnowledgeFilter::default() }).await, ["E1", "E3"]);
        let since = Some(fresh.clock.now() + Duration::hours(1));
        assert!(walk(KnowledgeFilter { since, ..KnowledgeFilter::default() }).await.is_empty());
        fresh.store.delete_knowledge(gone.id(), None, &by(&anna)).await.unwrap();
        assert_eq!(walk(KnowledgeFilter::default()).await.len(), 5);
    }

    async fn an_agents_learning_reaches_others_when_a_member_verifies_it(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let run = run_of(&fresh, &anna).await;
        let item = write(&fresh, by_run(&anna, run), learning("Sockets drop", "Reconnect.")).await;
        assert_eq!((item.standing.review, item.common.source_run_id), (KnowledgeReview::Proposed, Some(run)));
        let trusted = KnowledgeFilter { trusted: true, ..KnowledgeFilter::default() };
        assert!(titles(&fresh, "sockets", &trusted).await.is_empty());
        let verified = fresh.store.verify_knowledge(item.id(), Some(1), None, &by(&ben)).await.unwrap();
        assert_eq!(verified.standing.verified_by, Some(ben.id));
        let KnowledgeDetails::Learning(of) = &verified.details else { panic!("a learning") };
        assert_eq!(of.confidence, LearningConfidence::Verified);
        assert_eq!(titles(&fresh, "sockets", &trusted).await, ["Sockets drop"]);
        let rejected = fresh.store.reject_knowledge(item.id(), None, "wrong", &by(&anna)).await.unwrap();
        assert_eq!(rejected.standing.verified_by, None);
        assert_eq!(rejected.standing.reject_reason.as_deref(), Some("wrong"));
        assert!(titles(&fresh, "sockets", &trusted).await.is_empty());
        let standing = KnowledgeFilter { standing: true, ..KnowledgeFilter::default() };
        assert!(titles(&fresh, "sockets", &standing).await.is_empty());
        let queue = KnowledgeFilter { review: Some(KnowledgeReview::Rejected), ..KnowledgeFilter::default() };
        assert_eq!(titles(&fresh, "", &queue).await, ["Sockets drop"]);
        let token = Author { via: Via::Token(guildhall_types::TokenId::new()), ..by(&ben) };
        let draft = rejected.draft();
        fresh.store.verify_knowledge(item.id(), None, None, &by(&ben)).await.unwrap();
        let changed = fresh.store.update_knowledge(item.id(), 4, draft, None, Judged::Proposed, &token).await.unwrap();
        assert_eq!((changed.standing.review, changed.standing.verified_by), (KnowledgeReview::Proposed, None));
    }

    async fn uses_count_once_for_each_run_and_prove_a_learning_by_the_rule(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let ben = fresh.member("ben").await;
        let own = run_of(&fresh, &anna).await;
        let item = write(&fresh, by_run(&anna, own), learning("Sockets drop", "Reconnect.")).await;
        let rule = KnowledgeRule { on: true, runs: 2, members: 2, success_percent: 60 };
        let tell = |author: Author, outcome: LearningOutcome| {
            let (store, id) = (fresh.store.clone(), item.id());
            async move { store.apply_knowledge(id, outcome, None, &author, &rule).await.unwrap() }
        };
        for outcome in [LearningOutcome::Unknown, LearningOutcome::Helped, LearningOutcome::Unknown] {
            tell(by_run(&anna, own), outcome).await;
        }
        let after = tell(by(&anna), LearningOutcome::DidNotHelp).await;
        assert_eq!(counted(&after.item), (1, 0, 1), "what its own run says counts nowhere");
        assert_eq!(tell(by(&ben), LearningOutcome::Unknown).await.item.standing.application_count, 2);
        assert_eq!(after.item.common.version, 1, "a use is no change");
        let other = run_of(&fresh, &anna).await;
        assert!(!tell(by_run(&anna, other), LearningOutcome::Helped).await.proven, "its own run proves nothing");
        let third = run_of(&fresh, &ben).await;
        let proven = tell(by_run(&ben, third), LearningOutcome::Helped).await;
        assert!(proven.proven);
        assert_eq!((proven.item.standing.review, proven.item.common.version), (KnowledgeReview::Accepted, 2));
        assert_eq!(counted(&proven.item), (4, 2, 1));
        assert_eq!(fresh.store.knowledge_applications(item.id()).await.unwrap().len(), 5);
        assert_eq!(fresh.store.applications_of_run(third).await.unwrap()[0].outcome, LearningOutcome::Helped);
        let last = fresh.store.knowledge_versions(item.id(), None, 1).await.unwrap().items.remove(0);
        assert_eq!(last.deed, KnowledgeDeed::Proven);
    }

    async fn what_a_run_brought_is_taken_back_whole(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let run = run_of(&fresh, &anna).await;
        let one = write(&fresh, by_run(&anna, run), learning("One", "x")).await;
        write(&fresh, by_run(&anna, run), learning("Two", "y")).await;
        write(&fresh, by(&anna), learning("Mine", "z")).await;
        // What a member made of it in their own words names the run as well, and is theirs.
        let promoted = NewKnowledge { source_run: Some(run), ..new(by(&anna), entry("Promoted", "In other words.")) };
        fresh.store.create_knowledge(promoted).await.unwrap();
        fresh.store.verify_knowledge(one.id(), None, None, &by(&anna)).await.unwrap();
        assert_eq!(fresh.store.roll_back_knowledge(run, "poisoned", &by(&anna)).await.unwrap(), 2);
        assert_eq!(titles(&fresh, "", &KnowledgeFilter::default()).await, ["Promoted", "Mine"]);
        assert_eq!(fresh.store.knowledge_of_run(run).await.unwrap().len(), 3);
        assert_eq!(fresh.store.recorded_by_agent(run).await.unwrap(), 2, "as it recorded them");
        assert_eq!(fresh.store.roll_back_knowledge(run, "again", &by(&anna)).await.unwrap(), 0);
        fresh.store.restore_knowledge(one.id(), None, None, Judged::AsBefore, None, &by(&anna)).await.unwrap();
        assert_eq!(titles(&fresh, "", &KnowledgeFilter::default()).await, ["One", "Promoted", "Mine"]);
    }

    async fn of_many_who_write_the_same_at_once_one_gets_in(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        write(&fresh, by(&anna), entry("Something else", "Nothing that is like it.")).await;
        let looked = fresh.store.knowledge_place().await.unwrap();
        let told = |n: usize| learning("Sockets drop", &format!("Connect again with since and ask for the rest of it {n}."));
        let tries: Vec<_> = (0..8).map(|n| {
            let (store, new) = (fresh.store.clone(), new(by(&anna), told(n)));
            tokio::spawn(async move { store.create_unlike_knowledge(KnowledgeId::new(), new, Some(looked)).await })
        }).collect();
        let (mut made, mut refused) = (Vec::new(), 0);
        for one in tries {
            match one.await.unwrap() {
                Ok(item) => made.push(item),
                Err(StoreError::Alike { similar }) => {
                    assert_eq!(similar[0].title, "Sockets drop");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((made.len(), refused), (1, 7));
        assert_eq!(fresh.store.knowledge_place().await.unwrap(), looked + 1, "what was refused took no place");
        // Who has looked at what is there decides for themselves; of several that are written together, one that is alike keeps all out.
        let looked = looked + 1;
        fresh.store.create_unlike_knowledge(KnowledgeId::new(), new(by(&anna), told(9)), Some(looked)).await.unwrap();
        let both = [entry("Quinces", "They ripen late."), told(10)].map(|draft| (KnowledgeId::new(), new(by(&anna), draft)));
        let refused = fresh.store.create_knowledge_as(both.into(), Some(looked)).await;
        assert!(matches!(refused, Err(StoreError::Alike { .. })), "{refused:?}");
        assert!(titles(&fresh, "quinces", &KnowledgeFilter::default()).await.is_empty());
    }

    async fn many_who_write_at_once_keep_the_counts_of_words_right(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let tries: Vec<_> = (0..24).map(|n| {
            let (store, author) = (fresh.store.clone(), by(&anna));
            tokio::spawn(async move {
                let item = store.create_knowledge(new(author, entry(&format!("Item{n}"), "alpha beta gamma"))).await.unwrap();
                if n % 3 == 0 {
                    let draft = entry("Other", "beta delta");
                    store.update_knowledge(item.id(), 1, draft, None, Judged::AsBefore, &author).await.unwrap();
                }
                if n % 4 == 0 {
                    store.delete_knowledge(item.id(), None, &author).await.unwrap();
                }
            })
        }).collect();
        for one in tries {
            one.await.unwrap();
        }
        // 24 items, of which 8 lost `alpha` and 6 went, 2 of these without it.
        let expected = [("alpha", 12), ("beta", 18), ("delta", 6), ("other", 6)];
        for (word, docs) in expected {
            let wrong = format!("UPDATE knowledge_words SET docs = 1 / (CASE WHEN docs = {docs} THEN 1 ELSE 0 END) WHERE word = '{word}'");
            // A division by zero is an error on PostgreSQL and nothing on SQLite, whose column then refuses it.
            fresh.tamper(&wrong).await.unwrap();
        }
        let items = format!("UPDATE knowledge_counter SET items = 18 / (CASE WHEN items = 18 AND place = {} THEN 1 ELSE 0 END)", 24 + 8 + 6);
        fresh.tamper(&items).await.unwrap();
    }
}
