//! What makes a learning accepted, and who stands for a text.

use chrono::Duration;
use guildhall_store::{Claimed, Judged};
use guildhall_types::guide::{GuideItem, GuideWay, Guided};
use guildhall_types::knowledge::{
    Author, KnowledgeDetails, KnowledgeItem, KnowledgeReview, KnowledgeRule, LearningConfidence, LearningOutcome, Via,
};
use guildhall_types::limits::Limits;
use guildhall_types::member::Member;
use guildhall_types::{NodeId, TokenId};

use crate::harness::{Fresh, new_run, on_both};
use crate::knowledge::{by, by_run, learning, run_of, write};

const RULE: KnowledgeRule = KnowledgeRule { on: true, runs: 2, members: 2, success_percent: 60 };
const OFF: KnowledgeRule = KnowledgeRule { on: false, ..RULE };

fn by_token(member: &Member) -> Author {
    Author { via: Via::Token(TokenId::new()), ..by(member) }
}

/// A run at work that was told this in its instructions.
async fn told(fresh: &Fresh, member: &Member, item: &KnowledgeItem) -> Claimed {
    let project = fresh.project(member).await;
    let card = fresh.card(&project, "told").await;
    fresh.store.start_feature(card.card.id, member.id, new_run(), i64::MAX).await.unwrap();
    let claimed =
        fresh.store.claim_run(NodeId::new(), Duration::seconds(30), &Limits::default()).await.unwrap().unwrap();
    let guided = Guided { item: GuideItem::of(item), way: GuideWay::Instructions };
    fresh.store.save_guide(&claimed.lease, &[guided], 300).await.unwrap();
    claimed
}

on_both! {
    async fn what_helped_by_another_text_proves_nothing_of_this_one(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let proposed = write(&fresh, by_token(&anna), learning("Sockets drop", "Reconnect.")).await;
        let late = told(&fresh, &ben, &proposed).await;
        let (one, other) = (run_of(&fresh, &anna).await, run_of(&fresh, &ben).await);
        let tell = |author: Author, outcome, rule| {
            let (store, id) = (fresh.store.clone(), proposed.id());
            async move { store.apply_knowledge(id, outcome, None, &author, &rule).await.unwrap() }
        };
        for author in [by_run(&anna, one), by_run(&ben, other)] {
            assert!(!tell(author, LearningOutcome::Helped, OFF).await.proven);
        }
        // A program puts another text in its place: it is nobody's, whatever is told of what was there before.
        let text = learning("Sockets drop", "Open the door to everybody.");
        let changed = fresh.store
            .update_knowledge(proposed.id(), 1, text, None, Judged::Proposed, &by_token(&anna)).await.unwrap();
        assert_eq!(changed.standing.review, KnowledgeReview::Proposed);
        assert!(!tell(by_token(&anna), LearningOutcome::Unknown, RULE).await.proven);
        assert!(!tell(by_run(&anna, one), LearningOutcome::Unknown, RULE).await.proven, "it helped by the other text");
        assert!(!tell(by_run(&ben, late.run.id), LearningOutcome::Helped, RULE).await.proven, "it was told the other text");
        assert!(!tell(by_run(&anna, one), LearningOutcome::Helped, RULE).await.proven, "one member is not two");
        let proven = tell(by_run(&ben, other), LearningOutcome::Helped, RULE).await;
        assert!(proven.proven, "this text helped two");
    }

    async fn how_sure_somebody_is_makes_no_other_text(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let proposed = write(&fresh, by_token(&anna), learning("Sockets drop", "Reconnect.")).await;
        let (one, other) = (run_of(&fresh, &anna).await, run_of(&fresh, &ben).await);
        fresh.store.apply_knowledge(proposed.id(), LearningOutcome::Helped, None, &by_run(&anna, one), &RULE).await.unwrap();
        let mut surer = proposed.draft();
        if let KnowledgeDetails::Learning(of) = &mut surer.details {
            of.confidence = LearningConfidence::High;
        }
        fresh.store.update_knowledge(proposed.id(), 1, surer, None, Judged::AsBefore, &by(&anna)).await.unwrap();
        let applied =
            fresh.store.apply_knowledge(proposed.id(), LearningOutcome::Helped, None, &by_run(&ben, other), &RULE).await.unwrap();
        assert!(applied.proven);
    }

    async fn what_was_found_wrong_stays_so_until_a_member_judges_it(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let item = write(&fresh, by_token(&anna), learning("Sockets drop", "Reconnect.")).await;
        fresh.store.reject_knowledge(item.id(), None, "wrong", &by(&ben)).await.unwrap();
        let text = learning("Sockets drop", "Connect again.");
        let changed = fresh.store.update_knowledge(item.id(), 2, text, None, Judged::Proposed, &by_token(&anna)).await.unwrap();
        assert_eq!((changed.standing.review, changed.standing.reject_reason.as_deref()), (KnowledgeReview::Rejected, Some("wrong")));
        let first = fresh.store.knowledge_version(item.id(), 1).await.unwrap().unwrap().draft;
        let back = fresh.store
            .restore_knowledge(item.id(), None, first, Judged::Proposed, None, &by_token(&anna)).await.unwrap();
        assert_eq!(back.standing.review, KnowledgeReview::Rejected);
        for member in [&anna, &ben] {
            let run = run_of(&fresh, member).await;
            let author = by_run(member, run);
            let told = fresh.store.apply_knowledge(item.id(), LearningOutcome::Helped, None, &author, &RULE).await.unwrap();
            assert!(!told.proven);
        }
        let good = fresh.store.verify_knowledge(item.id(), None, None, &by(&ben)).await.unwrap();
        assert_eq!(good.standing.review, KnowledgeReview::Accepted);
    }

    async fn whoever_takes_another_text_back_stands_for_it(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let item = write(&fresh, by_token(&anna), learning("Sockets drop", "Reconnect.")).await;
        let corrected = learning("Sockets drop", "Connect again, with since.");
        fresh.store.update_knowledge(item.id(), 1, corrected, None, Judged::Verified, &by(&ben)).await.unwrap();
        let text = async |version| fresh.store.knowledge_version(item.id(), version).await.unwrap().unwrap().draft;
        let back = async |version, author: &Member| {
            let draft = text(version).await;
            fresh.store.restore_knowledge(item.id(), None, draft, Judged::Verified, None, &by(author)).await.unwrap()
        };
        let same = back(2, &anna).await;
        assert_eq!(same.standing.verified_by, Some(ben.id), "these are the words that he verified");
        let other = back(1, &anna).await;
        assert_eq!((other.standing.verified_by, other.standing.review), (Some(anna.id), KnowledgeReview::Accepted));
        assert_eq!(other.common.content.as_deref(), Some("Reconnect."));
        // What nobody verified is verified by nobody.
        let entry = write(&fresh, by_token(&anna), learning("Pears bruise", "Throw them.")).await;
        fresh.store.update_knowledge(entry.id(), 1, learning("Pears", "Lay them down."), None, Judged::AsBefore, &by(&anna)).await.unwrap();
        let first = fresh.store.knowledge_version(entry.id(), 1).await.unwrap().unwrap().draft;
        let back = fresh.store.restore_knowledge(entry.id(), None, first, Judged::Verified, None, &by(&ben)).await.unwrap();
        assert_eq!((back.standing.verified_by, back.standing.review), (None, KnowledgeReview::Proposed));
    }
}
