//! What a run is told of the team's knowledge, and what its agent finds worth keeping.

use chrono::Duration;
use guildhall_store::{Asked, Claimed, Ending, NewKnowledge, StoreError, Traces};
use guildhall_types::chat::Usage;
use guildhall_types::feature::Move;
use guildhall_types::guide::{GuideItem, GuideWay, Guided};
use guildhall_types::knowledge::{Author, KnowledgeItem, KnowledgeReview, LearningDraft, Via};
use guildhall_types::limits::Limits;
use guildhall_types::member::{Member, ProviderKind};
use guildhall_types::run::{Check, CheckKind, CheckStatus, KeySource, LedgerRow, RunEvent, RunStatus};
use guildhall_types::{CheckId, Clock, NodeId};
use serde_json::json;

use crate::harness::{Fresh, new_run, on_both};

const HOLD: Duration = Duration::seconds(30);

struct Work {
    anna: Member,
    claimed: Claimed,
}

async fn at_work(fresh: &Fresh) -> Work {
    let anna = fresh.member("anna").await;
    let claimed = another(fresh, &anna).await;
    Work { anna, claimed }
}

async fn another(fresh: &Fresh, anna: &Member) -> Claimed {
    let project = fresh.project(anna).await;
    let id = fresh.card(&project, "one").await.card.id;
    fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
    fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap()
}

async fn learning(fresh: &Fresh, author: Author, title: &str) -> KnowledgeItem {
    let draft: LearningDraft =
        serde_json::from_value(json!({ "title": title, "content": format!("{title} \0 is so.") })).unwrap();
    let new = NewKnowledge {
        draft: draft.into(),
        author,
        review: KnowledgeReview::Accepted,
        source_run: author.run(),
        source_feature: author.feature(),
    };
    fresh.store.create_knowledge(new).await.unwrap()
}

fn page(anna: &Member) -> Author {
    Author { member: anna.id, may_manage: true, via: Via::Page }
}

fn guided(item: &KnowledgeItem, way: GuideWay) -> Guided {
    Guided { item: GuideItem::of(item), way }
}

fn row(claimed: &Claimed) -> LedgerRow {
    LedgerRow {
        id: guildhall_types::CallId::new(),
        member_id: claimed.run.member_id,
        key_source: KeySource::Simulated,
        key_hint: None,
        run_id: claimed.run.id,
        turn: None,
        provider: ProviderKind::Anthropic,
        model: "m".to_owned(),
        usage: Usage { output_tokens: 7, ..Usage::default() },
        cost_micros: 3,
        priced: true,
    }
}

on_both! {
    async fn what_was_chosen_for_a_run_stays_whatever_becomes_of_the_hub(fresh: Fresh) {
        let Work { anna, claimed } = at_work(&fresh).await;
        let (store, run) = (&fresh.store, claimed.run.id);
        assert_eq!(store.guide(run).await.unwrap(), None, "not chosen yet");
        let (one, two) = (learning(&fresh, page(&anna), "one").await, learning(&fresh, page(&anna), "two").await);
        let chosen = [guided(&two, GuideWay::Instructions), guided(&one, GuideWay::Offered)];
        store.save_guide(&claimed.lease, &chosen, 300).await.unwrap();
        assert_eq!(store.guide(run).await.unwrap().unwrap(), chosen);
        // Who chose at the same time comes too late, and the hub goes on without changing what was said.
        store.save_guide(&claimed.lease, &[guided(&one, GuideWay::Instructions)], 10).await.unwrap();
        store.delete_knowledge(two.id(), None, &page(&anna)).await.unwrap();
        assert_eq!(store.guide(run).await.unwrap().unwrap(), chosen);

        fresh.clock.advance(Duration::seconds(1));
        for _ in 0..2 {
            store.note_reading(&claimed.lease, &GuideItem::of(&one)).await.unwrap();
        }
        let had = store.run_knowledge(run).await.unwrap();
        let ways: Vec<_> = had.iter().map(|item| (item.title.as_str(), item.way)).collect();
        assert_eq!(ways, [("two", GuideWay::Instructions), ("one", GuideWay::Offered), ("one", GuideWay::Read)]);
        assert_eq!((had[2].at, had[2].version), (fresh.clock.now(), 1));
        assert_eq!(store.guide(run).await.unwrap().unwrap(), chosen, "what was read is no instruction");

        // An empty choice is one, too.
        let other = another(&fresh, &anna).await;
        store.save_guide(&other.lease, &[], 0).await.unwrap();
        assert_eq!(store.guide(other.run.id).await.unwrap(), Some(Vec::new()));

        // Whoever lost the run writes nothing.
        let late = guildhall_store::Lease { attempt: claimed.lease.attempt + 1, ..claimed.lease };
        let item = GuideItem::of(&one);
        assert!(matches!(store.save_guide(&late, &[], 0).await, Err(StoreError::LeaseLost)));
        assert!(matches!(store.note_reading(&late, &item).await, Err(StoreError::LeaseLost)));
        assert!(matches!(store.save_asked::<()>(&late, None).await, Err(StoreError::LeaseLost)));
        assert!(matches!(store.close_asked(&late, None).await, Err(StoreError::LeaseLost)));
    }

    async fn an_answer_is_saved_with_its_bill_and_kept_until_it_is_in_the_hub(fresh: Fresh) {
        let Work { anna, claimed } = at_work(&fresh).await;
        let (store, run) = (&fresh.store, claimed.run.id);
        assert_eq!(store.asked::<Vec<String>>(run).await.unwrap(), Asked::No);
        store.save_guide(&claimed.lease, &[], 0).await.unwrap();
        assert_eq!(store.asked::<Vec<String>>(run).await.unwrap(), Asked::No);
        let answer = vec!["one \"thing\"".to_owned()];
        store.save_asked(&claimed.lease, Some((&row(&claimed), Some(&answer)))).await.unwrap();
        assert_eq!(store.asked::<Vec<String>>(run).await.unwrap(), Asked::Answered(answer));
        let billed = store.run(run).await.unwrap().unwrap();
        assert_eq!((billed.usage.output_tokens, billed.cost_micros, billed.turns), (7, 3, 0));
        store.close_asked(&claimed.lease, Some(RunEvent::Note { text: "Kept.".to_owned() })).await.unwrap();
        assert_eq!(store.asked::<Vec<String>>(run).await.unwrap(), Asked::Over);
        // A run of before, for which nothing was chosen, is given up without a call.
        let other = another(&fresh, &anna).await;
        store.save_asked::<()>(&other.lease, None).await.unwrap();
        assert_eq!(store.asked::<()>(other.run.id).await.unwrap(), Asked::Over);
        assert_eq!(store.run(other.run.id).await.unwrap().unwrap().cost_micros, 0);
    }

    async fn how_runs_ended_is_told_of_what_they_were_told(fresh: Fresh) {
        let Work { anna, claimed } = at_work(&fresh).await;
        let store = &fresh.store;
        let (one, two) = (learning(&fresh, page(&anna), "one").await, learning(&fresh, page(&anna), "two").await);
        let told = [guided(&one, GuideWay::Instructions), guided(&two, GuideWay::Offered)];
        let traces = async || {
            let all = store.traces(&[one.id(), two.id()]).await.unwrap();
            (all.get(&one.id()).copied(), all.get(&two.id()).copied())
        };
        let end = async |claimed: &Claimed, status, what| {
            let ending = Ending { status, what, summary: None, problem: None, later: None };
            store.finish_run(&claimed.lease, ending).await.unwrap();
        };
        assert!(store.traces(&[]).await.unwrap().is_empty());
        store.save_guide(&claimed.lease, &told, 0).await.unwrap();
        assert_eq!(traces().await, (Some(Traces::default()), None), "nothing is known yet, and an offer is no trace");
        end(&claimed, RunStatus::Waiting, Move::Accept).await;
        assert_eq!(traces().await.0, Some(Traces { came_through: 1, failed: 0 }));

        let failed = another(&fresh, &anna).await;
        store.save_guide(&failed.lease, &told, 0).await.unwrap();
        end(&failed, RunStatus::Failed, Move::Fail).await;
        // Work that had to be mended came through, and yet it is no proof.
        let mended = another(&fresh, &anna).await;
        store.save_guide(&mended.lease, &told, 0).await.unwrap();
        let check = Check {
            kind: CheckKind::Check,
            id: CheckId::new(),
            run_id: mended.run.id,
            command: "test".to_owned(),
            status: CheckStatus::Failed,
            exit_code: Some(1),
            output: String::new(),
            commit_id: None,
            started_at: fresh.clock.now(),
            ended_at: None,
        };
        store.put_check(&mended.lease, &check).await.unwrap();
        end(&mended, RunStatus::Waiting, Move::Accept).await;
        assert_eq!(traces().await.0, Some(Traces { came_through: 1, failed: 1 }));

        // The card is tried anew: what its former run says stays said, also when its history is gone.
        store.start_feature(failed.run.feature_id, anna.id, new_run(), i64::MAX).await.unwrap();
        assert_eq!(store.run(failed.run.id).await.unwrap().unwrap().status, RunStatus::Closed);
        assert_eq!(traces().await.0, Some(Traces { came_through: 1, failed: 1 }));
        while !store.forget_run(failed.run.id).await.unwrap() {}
        assert!(store.run_knowledge(failed.run.id).await.unwrap().is_empty());
        assert_eq!(traces().await.0, Some(Traces { came_through: 1, failed: 1 }));
    }

    async fn what_came_of_a_run_stays_counted_when_its_history_goes(fresh: Fresh) {
        let Work { anna, claimed } = at_work(&fresh).await;
        let (store, run) = (&fresh.store, claimed.run.id);
        let (one, two) = (learning(&fresh, page(&anna), "one").await, learning(&fresh, page(&anna), "two").await);
        let told = [guided(&one, GuideWay::Instructions), guided(&two, GuideWay::Offered)];
        let end = async |claimed: &Claimed| {
            let ending = Ending { status: RunStatus::Waiting, what: Move::Accept, summary: None, problem: None, later: None };
            store.finish_run(&claimed.lease, ending).await.unwrap();
        };
        store.save_guide(&claimed.lease, &told, 300).await.unwrap();
        store.note_reading(&claimed.lease, &GuideItem::of(&two)).await.unwrap();
        end(&claimed).await;
        let live = another(&fresh, &anna).await;
        store.save_guide(&live.lease, &told, 300).await.unwrap();
        end(&live).await;
        let came = Some(Traces { came_through: 2, failed: 0 });
        assert_eq!(store.traces(&[one.id(), two.id()]).await.unwrap().get(&one.id()).copied(), came);

        // The card is merged, and half a year goes by.
        let id = run.0;
        let closed = match store.backend() {
            guildhall_store::Backend::Sqlite => format!("id = x'{}'", id.simple()),
            guildhall_store::Backend::Postgres => format!("id = '{id}'"),
        };
        fresh.tamper(&format!("UPDATE runs SET status = 'closed', closed_at = created_at WHERE {closed}")).await.unwrap();
        while !store.forget_run(run).await.unwrap() {}
        assert!(store.run_knowledge(run).await.unwrap().is_empty());
        assert_eq!((store.guide(run).await.unwrap(), store.asked::<()>(run).await.unwrap()), (None, Asked::No));
        let traces = store.traces(&[one.id(), two.id()]).await.unwrap();
        assert_eq!((traces.get(&one.id()).copied(), traces.get(&two.id())), (came, None));
        assert!(store.forget_run(run).await.unwrap());
        assert_eq!(store.traces(&[one.id()]).await.unwrap().get(&one.id()).copied(), came, "twice is once");
        assert_eq!(store.run_knowledge(live.run.id).await.unwrap().len(), 2, "what may go on keeps what it was told");
    }

    async fn what_a_run_recorded_is_listed_as_it_stands(fresh: Fresh) {
        let Work { anna, claimed } = at_work(&fresh).await;
        let (store, run) = (&fresh.store, &claimed.run);
        assert!(store.run_records(run.id).await.unwrap().is_empty());
        let agent =
            Author { member: anna.id, may_manage: false, via: Via::Run { run: run.id, feature: Some(run.feature_id) } };
        let item = learning(&fresh, agent, "one").await;
        learning(&fresh, page(&anna), "another's").await;
        let listed = store.run_records(run.id).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].item_id, listed[0].title.as_str(), listed[0].deleted_at), (item.id(), "one", None));
        assert_eq!(store.project_of(run.feature_id).await.unwrap(), Some(run.project_id));
        store.roll_back_knowledge(run.id, "It was wrong.", &page(&anna)).await.unwrap();
        assert_eq!(store.run_records(run.id).await.unwrap()[0].deleted_at, Some(fresh.clock.now()));
    }
}
