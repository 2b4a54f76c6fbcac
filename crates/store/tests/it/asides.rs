//! Chats and tasks: work that is no card on the board, and is a run in everything else.

use std::collections::HashSet;

use chrono::Duration;
use guildhall_store::{
    AsideQuery, Backend, Ending, FeaturePatch, FeatureQuery, Lease, NewAside, NewFeature, NewFile, NewRun, OrderChange,
    StoreError,
};
use guildhall_types::agent::{Briefed, Briefing};
use guildhall_types::feature::{Feature, FeatureKind, FeatureStatus, Move, ThinkingLevel, WorkMode};
use guildhall_types::limits::Limits;
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::run::{Run, RunStatus};
use guildhall_types::{Clock, FeatureId, NodeId};

use crate::agents::new_agent;
use crate::harness::{Fresh, card, new_run, on_both};
use crate::systems::execution_of;

const HOLD: Duration = Duration::seconds(30);

pub fn aside(project: &Project, kind: FeatureKind, text: &str) -> NewAside {
    NewAside {
        id: FeatureId::new(),
        project_id: project.id,
        kind,
        mode: WorkMode::Read,
        title: text.to_owned(),
        text: format!("{text}?"),
        files: Vec::new(),
        agent_id: None,
        thinking_level: ThinkingLevel::Low,
        execution_id: None,
        created_by: project.created_by,
    }
}

async fn team(fresh: &Fresh) -> (Member, Project) {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    (anna, fresh.store.project_ready(project.id, "main").await.unwrap())
}

async fn chat(fresh: &Fresh, project: &Project, text: &str) -> (Feature, Run) {
    fresh.store.start_aside(aside(project, FeatureKind::Chat, text), new_run()).await.unwrap()
}

/// Claims the next run and ends it with these words.
async fn answer(fresh: &Fresh, words: &str) -> FeatureId {
    let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
    let ending = Ending {
        status: RunStatus::Waiting,
        what: Move::Finish,
        summary: Some(words.to_owned()),
        problem: None,
        later: None,
    };
    fresh.store.finish_run(&claimed.lease, ending).await.unwrap();
    claimed.run.feature_id
}

on_both! {
    async fn all_that_takes_a_place_is_listed_whatever_it_is(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let store = &fresh.store;
        assert_eq!(store.at_work().await.unwrap(), []);
        let id = fresh.card(&project, "a card").await.card.id;
        store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        let limits = Limits::default();
        store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        fresh.clock.advance(Duration::seconds(1));
        let (talk, _) = chat(&fresh, &project, "a chat").await;
        let execution = execution_of(&fresh, &anna, &project).await.unwrap().id;
        let step = NewAside { execution_id: Some(execution), ..aside(&project, FeatureKind::Task, "a step") };
        let (step, run) = store.start_aside(step, new_run()).await.unwrap();
        let listed = async || {
            let all = store.at_work().await.unwrap();
            all.into_iter().map(|run| (run.feature_id, run.kind, run.working)).collect::<Vec<_>>()
        };
        use FeatureKind::{Card, Chat, Task};
        let waits = [(id, Card, true), (talk.card.id, Chat, false), (step.card.id, Task, false)];
        assert_eq!(listed().await, waits);
        let task = store.at_work().await.unwrap().remove(2);
        assert_eq!((task.run_id, task.member_id, task.project_id), (run.id, anna.id, project.id));
        assert_eq!((task.title.as_str(), task.execution_id, task.model.as_str()), ("a step", Some(execution), "m"));
        store.claim_run(NodeId::new(), HOLD, &limits).await.unwrap().unwrap();
        assert_eq!(listed().await.iter().filter(|(_, _, working)| *working).count(), 2);
        // A lease that ran out gives its place back, and what was stopped takes none.
        fresh.clock.advance(HOLD + Duration::seconds(1));
        // The other database goes by its own clock.
        if fresh.store.backend() == Backend::Sqlite {
            assert!(listed().await.iter().all(|(_, _, working)| !working));
        }
        store.stop_feature(talk.card.id).await.unwrap();
        assert_eq!(listed().await.len(), 2);
    }

    async fn a_chat_is_a_run_and_nothing_on_the_board(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let (first, run) = chat(&fresh, &project, "Why").await;
        assert_eq!((first.card.kind, first.card.status, first.card.number), (FeatureKind::Chat, FeatureStatus::Queued, -1));
        let (second, _) = chat(&fresh, &project, "How").await;
        assert_eq!(second.card.number, -2);
        let card = fresh.card(&project, "first card").await;
        assert_eq!(card.card.number, 1, "chats use no numbers up");

        let all = FeatureQuery { limit: 100, ..FeatureQuery::default() };
        let board = fresh.store.features(project.id, &all).await.unwrap();
        assert_eq!(board.items.iter().map(|card| card.number).collect::<Vec<_>>(), [1]);
        let summary = fresh.store.projects(None, 10).await.unwrap().remove(0);
        assert_eq!(summary.counts.values().sum::<i64>(), 1);
        let on_chat = NewFeature { dependencies: vec![first.card.id], ..card_of(&project) };
        assert!(matches!(fresh.store.create_feature(on_chat).await, Err(StoreError::BadDependency(_))));
        let patch = FeaturePatch { priority: Some(1), ..FeaturePatch::default() };
        let refused = fresh.store.update_feature(first.card.id, patch, None).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "cards alone are edited: {refused:?}");
        let file = fresh.store.add_attachment(first.card.id, anna.id, &crate::harness::file("a.txt", "text/plain", b"a")).await;
        assert!(matches!(file, Err(StoreError::NotFound { .. })));

        // Auto mode neither takes one nor counts it as its own.
        let change = OrderChange { max_concurrent: Some(1), ..OrderChange::default() };
        fresh.store.switch_on_order(project.id, anna.id, change).await.unwrap();
        let night = fresh.store.night().await.unwrap();
        assert_eq!(night.cards.iter().map(|card| card.number).collect::<Vec<_>>(), [1]);
        assert_eq!(night.held.get(&anna.id), None, "nor does it take a place among the worktrees");
        assert_eq!(night.queue.len(), 2);
        let evening = fresh.store.evening(project.id, anna.id).await.unwrap();
        assert!(!evening.cards.contains_key(&first.card.id) && evening.cards.contains_key(&card.card.id));

        assert_eq!(answer(&fresh, "Because.").await, first.card.id);
        let feature = fresh.store.feature(first.card.id).await.unwrap().unwrap();
        assert_eq!((feature.card.status, feature.summary.as_deref()), (FeatureStatus::WaitingApproval, Some("Because.")));
        let told = fresh.store.notifications(anna.id, None, false, 10).await.unwrap();
        assert!(told.page.items.is_empty(), "whoever talks sees the answer: {told:?}");
        assert!(fresh.store.members_to_tell().await.unwrap().is_empty(), "no morning report tells of it");
        for refused in [
            fresh.store.start_feature(first.card.id, anna.id, new_run(), i64::MAX).await.err(),
            fresh.store.request_verify(first.card.id).await.err(),
            fresh.store.accept_feature(first.card.id).await.err(),
            fresh.store.record_merge(first.card.id, "c").await.err(),
            fresh.store.shelve_feature(first.card.id).await.err(),
        ] {
            assert!(matches!(refused, Some(StoreError::Illegal(_))), "{refused:?}");
        }

        let (feature, again) = fresh.store.follow_up_in(first.card.id, anna.id, "And now?", Some(WorkMode::Work), &[]).await.unwrap();
        assert_eq!((feature.card.status, feature.card.mode, again.id), (FeatureStatus::Queued, WorkMode::Work, run.id));
        let (stopped, _) = fresh.store.stop_all(&guildhall_types::feature::Problem {
            code: "c".to_owned(), message: "m".to_owned(), hint: "h".to_owned(),
        }).await.unwrap();
        assert_eq!(stopped, 2, "the kill switch stops chats as well");
    }

    async fn files_of_a_chat_are_read_once_and_go_with_it(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let store = &fresh.store;
        let file = |name: &str| NewFile { name: name.to_owned(), media_type: "image/png".to_owned(), bytes: vec![0, 1, 255] };
        let new = NewAside { files: vec![file("first.png")], ..aside(&project, FeatureKind::Chat, "Why") };
        let (chat, run) = store.start_aside(new, new_run()).await.unwrap();
        let id = chat.card.id;
        let claimed = store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        store.follow_up(id, anna.id, "No file.").await.unwrap();
        store.follow_up_in(id, anna.id, "And this?", None, &[file("a.png"), file("b.png")]).await.unwrap();
        let inbox = store.inbox(run.id).await.unwrap();
        let names: Vec<Vec<&str>> = inbox.iter().map(|said| said.files.iter().map(|file| file.attachment.name.as_str()).collect()).collect();
        assert_eq!(names, [vec![], vec!["a.png", "b.png"]]);
        assert_eq!(inbox[1].files[0].bytes, [0, 1, 255]);

        // An image of a tool belongs to the run alone, and takes no place among the files of the chat.
        let image = store.keep_image(&claimed.lease, file("tool.png")).await.unwrap().unwrap();
        assert_eq!(store.attachment_bytes(image.id).await.unwrap(), Some((image.clone(), vec![0, 1, 255])));
        let first = store.attached(id).await.unwrap();
        assert_eq!((first.len(), first[0].attachment.name.as_str(), store.count_chat_files(id).await.unwrap()), (1, "first.png", 3));
        // What was said and returned stays, what the chat began with as well.
        for stays in [image.id, inbox[1].files[0].attachment.id, first[0].attachment.id] {
            assert!(!store.delete_attachment(stays).await.unwrap());
        }
        fresh.tamper("UPDATE attachments SET size = 209715199 WHERE name = 'tool.png'").await.unwrap();
        assert_eq!(store.keep_image(&claimed.lease, file("more.png")).await.unwrap(), None, "the run has its fill");
        let lost = Lease { attempt: claimed.lease.attempt + 1, ..claimed.lease };
        assert!(matches!(store.keep_image(&lost, file("late.png")).await, Err(StoreError::LeaseLost)));

        store.stop_feature(id).await.unwrap();
        store.delete_chat(id).await.unwrap();
        store.forget_files_of_chat(id).await.unwrap();
        for gone in [image.id, inbox[1].files[1].attachment.id, first[0].attachment.id] {
            assert!(store.attachment_bytes(gone).await.unwrap().is_none());
        }
    }

    async fn the_many_files_of_a_deleted_chat_go_in_batches_also_when_that_is_cut_off(fresh: Fresh) {
        let (_, project) = team(&fresh).await;
        let store = &fresh.store;
        let begun = async |count: usize| {
            let file = |n: usize| NewFile { name: format!("{n}.png"), media_type: "image/png".to_owned(), bytes: vec![1] };
            let new = NewAside { files: (0..count).map(file).collect(), ..aside(&project, FeatureKind::Chat, "Why") };
            let id = store.start_aside(new, new_run()).await.unwrap().0.card.id;
            store.stop_feature(id).await.unwrap();
            id
        };
        let (gone, stays) = (begun(23).await, begun(1).await);
        let refuse = match store.backend() {
            Backend::Sqlite => "CREATE TRIGGER no BEFORE DELETE ON attachments WHEN OLD.name = '20.png'
                BEGIN SELECT RAISE(ABORT, 'not this one'); END",
            Backend::Postgres => "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
                CREATE TRIGGER no BEFORE DELETE ON attachments FOR EACH ROW WHEN (OLD.name = '20.png') EXECUTE FUNCTION no()",
        };
        fresh.tamper(refuse).await.unwrap();
        store.delete_chat(gone).await.unwrap();
        let there = async |chat| store.count_chat_files(chat).await.unwrap();
        assert!(store.feature(gone).await.unwrap().is_none() && there(gone).await == 23, "nobody waited for its files");
        // Each batch is a transaction of its own: what went before the one that fails is gone.
        assert!(store.forget_files_of_chat(gone).await.is_err());
        assert_eq!(there(gone).await, 3);
        // Whoever tidies up finds what is left, and nothing of a chat that is there.
        let table = if store.backend() == Backend::Sqlite { "" } else { "ON attachments" };
        fresh.tamper(&format!("DROP TRIGGER no {table}")).await.unwrap();
        assert_eq!(store.forget_files_of_deleted_chats().await.unwrap(), 1);
        assert_eq!((there(gone).await, there(stays).await), (0, 1));
        assert_eq!(store.forget_files_of_deleted_chats().await.unwrap(), 0);
    }

    async fn chats_are_listed_renamed_and_deleted(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let ben = fresh.member("ben").await;
        let mut ids = Vec::new();
        for text in ["a", "b", "c", "d"] {
            fresh.clock.advance(Duration::seconds(1));
            let by = if text == "b" { ben.id } else { anna.id };
            let new = NewAside { created_by: by, ..aside(&project, FeatureKind::Chat, text) };
            ids.push(fresh.store.start_aside(new, new_run()).await.unwrap().0.card.id);
        }
        fresh.store.start_aside(aside(&project, FeatureKind::Task, "no chat"), new_run()).await.unwrap();
        let titles = async |query: AsideQuery| {
            let page = fresh.store.chats(project.id, &query).await.unwrap();
            (page.items.iter().map(|chat| chat.title.clone()).collect::<Vec<_>>(), page.next)
        };
        let (shown, next) = titles(AsideQuery { limit: 3, ..AsideQuery::default() }).await;
        assert_eq!(shown, ["d", "c", "b"], "what happened last comes first");
        let (micros, id) = next.as_deref().unwrap().split_once('_').unwrap();
        let at = guildhall_types::DateTime::from_timestamp_micros(micros.parse().unwrap()).unwrap();
        let (rest, next) = titles(AsideQuery { limit: 3, after: Some((at, id.parse().unwrap())), ..AsideQuery::default() }).await;
        assert_eq!((rest, next), (vec!["a".to_owned()], None));
        assert_eq!(titles(AsideQuery { of: Some(ben.id), limit: 9, ..AsideQuery::default() }).await.0, ["b"]);

        let renamed = fresh.store.rename_chat(ids[0], "Why it fails").await.unwrap();
        assert_eq!(renamed.card.title, "Why it fails");
        let busy = fresh.store.delete_chat(ids[0]).await;
        assert!(matches!(busy, Err(StoreError::Live { .. })), "{busy:?}");
        fresh.store.stop_feature(ids[0]).await.unwrap();
        fresh.store.delete_chat(ids[0]).await.unwrap();
        assert!(fresh.store.feature(ids[0]).await.unwrap().is_none());
        let run = &fresh.store.runs_of(ids[0], 1).await.unwrap()[0];
        assert_eq!(run.status, RunStatus::Closed, "so that its worktree goes");
        assert_eq!(fresh.store.kind_of_run(run.id).await.unwrap(), Some(FeatureKind::Chat));
        let card = fresh.card(&project, "a card").await.card.id;
        assert!(matches!(fresh.store.delete_chat(card).await, Err(StoreError::NotFound { .. })));
        assert!(matches!(fresh.store.rename_chat(card, "x").await, Err(StoreError::NotFound { .. })));
        assert!(matches!(fresh.store.to_card(card, FeatureKind::Chat, None).await, Err(StoreError::NotFound { .. })));
    }

    async fn a_chat_becomes_a_card_and_keeps_its_run(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        fresh.card(&project, "first").await;
        let (feature, run) = chat(&fresh, &project, "Sort the list").await;
        let busy = fresh.store.to_card(feature.card.id, FeatureKind::Chat, None).await;
        assert!(matches!(busy, Err(StoreError::Live { .. })), "{busy:?}");
        answer(&fresh, "Sorted.").await;
        let made = fresh.store.to_card(feature.card.id, FeatureKind::Chat, Some("Sorting")).await.unwrap();
        let card = &made.card;
        assert_eq!((card.kind, card.number, card.title.as_str(), card.mode), (FeatureKind::Card, 2, "Sorting", WorkMode::Work));
        assert_eq!((card.run_id, card.status), (Some(run.id), FeatureStatus::WaitingApproval));
        assert_eq!((made.description.as_str(), made.summary.as_deref()), ("Sort the list?", Some("Sorted.")));
        let all = FeatureQuery { limit: 100, ..FeatureQuery::default() };
        let board = fresh.store.features(project.id, &all).await.unwrap();
        assert_eq!(board.items.iter().map(|card| card.number).collect::<Vec<_>>(), [1, 2], "at the end");
        assert!(fresh.store.chats(project.id, &AsideQuery { limit: 9, ..AsideQuery::default() }).await.unwrap().items.is_empty());
        assert_eq!(fresh.store.night().await.unwrap().held.get(&anna.id), Some(&1), "its worktree counts now");
        fresh.store.accept_feature(card.id).await.unwrap();
        assert!(matches!(fresh.store.to_card(card.id, FeatureKind::Chat, None).await, Err(StoreError::NotFound { .. })), "once");
    }

    async fn what_an_agent_did_by_itself_is_listed_and_becomes_a_card(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let ben = fresh.member("ben").await;
        let agent = fresh.store.create_agent(new_agent("Scout", Some(anna.id))).await.unwrap().id;
        let task = |text: &str, mode| NewAside { agent_id: Some(agent), mode, ..aside(&project, FeatureKind::Task, text) };
        let mut ids = Vec::new();
        for (text, mode) in [("looks", WorkMode::Read), ("works", WorkMode::Work)] {
            fresh.clock.advance(Duration::seconds(1));
            ids.push(fresh.store.start_aside(task(text, mode), new_run()).await.unwrap().0.card.id);
        }
        let of_ben = NewAside { created_by: ben.id, ..task("of ben", WorkMode::Work) };
        fresh.store.start_aside(of_ben, new_run()).await.unwrap();
        let execution = execution_of(&fresh, &anna, &project).await.unwrap().id;
        let step = NewAside { execution_id: Some(execution), ..task("a step", WorkMode::Work) };
        let step = fresh.store.start_aside(step, new_run()).await.unwrap().0.card.id;
        fresh.store.start_aside(aside(&project, FeatureKind::Task, "of another agent"), new_run()).await.unwrap();
        let titles = async || {
            let query = AsideQuery { of: Some(anna.id), limit: 9, ..AsideQuery::default() };
            let page = fresh.store.tasks_of_agent(agent, &query).await.unwrap();
            page.items.into_iter().map(|task| task.title).collect::<Vec<_>>()
        };
        assert_eq!(titles().await, ["works", "looks"]);

        let to_card = async |id| fresh.store.to_card(id, FeatureKind::Task, None).await;
        assert!(matches!(to_card(ids[1]).await, Err(StoreError::Live { .. })));
        for id in [ids[0], ids[1], step] {
            fresh.store.stop_feature(id).await.unwrap();
        }
        assert!(matches!(to_card(ids[0]).await, Err(StoreError::OnlyLooked)), "there is no work of it");
        assert!(matches!(to_card(step).await, Err(StoreError::OfExecution { .. })));
        let chat = fresh.store.to_card(ids[1], FeatureKind::Chat, None).await;
        assert!(matches!(chat, Err(StoreError::NotFound { .. })), "{chat:?}");
        let made = to_card(ids[1]).await.unwrap();
        assert_eq!((made.card.kind, made.card.number, made.card.title.as_str()), (FeatureKind::Card, 1, "works"));
        assert_eq!(titles().await, ["looks"]);
        let audit = fresh.store.audit_entries(&guildhall_store::AuditQuery { limit: 5, ..Default::default() }).await.unwrap();
        assert_eq!(audit[0].action, guildhall_types::audit::AuditAction::TaskToCard);
    }

    async fn a_task_is_begun_once_and_its_end_is_there_to_be_asked_for(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let execution = execution_of(&fresh, &anna, &project).await.unwrap().id;
        let new = NewAside { execution_id: Some(execution), ..aside(&project, FeatureKind::Task, "Look") };
        let brief = Briefed { name: "Scout".to_owned(), tools: Some(vec!["read".to_owned()]), ..Briefed::default() };
        let briefing = Briefing { agent: Some(brief), from: Some("side".to_owned()) };
        let run = NewRun { briefing: briefing.clone(), ..new_run() };
        // Many that would begin it, such as a node that died in between and the one that goes on, begin one.
        let tries: Vec<_> = (0..6).map(|_| {
            let (store, new, run) = (fresh.store.clone(), new.clone(), run.clone());
            tokio::spawn(async move { store.start_aside(new, run).await.unwrap().1.id })
        }).collect();
        let mut runs = HashSet::new();
        for begun in tries {
            runs.insert(begun.await.unwrap());
        }
        assert_eq!(runs.len(), 1);
        assert_eq!(fresh.store.briefing(*runs.iter().next().unwrap()).await.unwrap(), briefing);
        let task = fresh.store.task(new.id).await.unwrap().unwrap();
        assert!(!task.has_ended() && task.result.is_none());
        fresh.store.start_aside(aside(&project, FeatureKind::Task, "another's"), new_run()).await.unwrap();
        assert_eq!(fresh.store.tasks_of(execution).await.unwrap(), [task]);

        answer(&fresh, "Found it.").await;
        let task = fresh.store.task(new.id).await.unwrap().unwrap();
        assert!(task.has_ended() && task.ended_at.is_some());
        assert_eq!((task.status, task.result.as_deref()), (RunStatus::Waiting, Some("Found it.")));
        assert!(matches!(fresh.store.task(fresh.card(&project, "c").await.card.id).await, Ok(None)));
        let other = answer(&fresh, "Found that.").await;
        fresh.store.follow_up(other, anna.id, "once more").await.unwrap();
        let task = fresh.store.task(other).await.unwrap().unwrap();
        assert!(!task.has_ended() && task.result.is_none(), "it is at work again");
    }

    async fn the_runs_of_a_systems_steps_are_closed_long_after_its_execution_ended(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let execution = execution_of(&fresh, &anna, &project).await.unwrap().id;
        let step = NewAside { execution_id: Some(execution), ..aside(&project, FeatureKind::Task, "Look") };
        let step = fresh.store.start_aside(step, new_run()).await.unwrap().1.id;
        answer(&fresh, "Found it.").await;
        let ended = fresh.clock.now();
        let own = fresh.store.start_aside(aside(&project, FeatureKind::Task, "of no system"), new_run()).await.unwrap().1.id;
        answer(&fresh, "Found that.").await;
        fresh.clock.advance(Duration::days(1));
        let before = async |days| fresh.store.close_steps_of_executions(fresh.clock.now() - Duration::days(days)).await.unwrap();
        assert_eq!(before(0).await, 0, "the execution goes on");
        fresh.store.end_all_executions("enough").await.unwrap();
        fresh.clock.advance(Duration::days(180));
        assert_eq!(before(181).await, 0, "not before its time");
        assert_eq!(fresh.store.count_runs_to_forget(ended + Duration::days(2)).await.unwrap(), 1);
        assert_eq!(before(179).await, 1);
        let run = fresh.store.run(step).await.unwrap().unwrap();
        assert_eq!(run.status, RunStatus::Closed);
        assert_eq!(fresh.store.count_runs_to_forget(ended + Duration::seconds(1)).await.unwrap(), 1, "closed since it ended");
        // What may go on stays as it is.
        assert_eq!(fresh.store.run(own).await.unwrap().unwrap().status, RunStatus::Waiting);
    }

    async fn a_chat_starts_while_cards_fill_their_places(fresh: Fresh) {
        let (anna, project) = team(&fresh).await;
        let limits = Limits { max_concurrent_features: 6, ..Limits::default() };
        let node = NodeId::new();
        for n in 0..8 {
            let id = fresh.card(&project, &n.to_string()).await.card.id;
            fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        }
        let mut claimed = Vec::new();
        while let Some(next) = fresh.store.claim_run(node, HOLD, &limits).await.unwrap() {
            claimed.push(next.feature.card.kind);
        }
        assert_eq!(claimed, [FeatureKind::Card; 3], "the member's limit of cards");
        for n in 0..5 {
            fresh.store.start_aside(aside(&project, FeatureKind::Task, &n.to_string()), new_run()).await.unwrap();
        }
        for text in ["one", "two", "three", "four"] {
            fresh.clock.advance(Duration::seconds(1));
            chat(&fresh, &project, text).await;
        }
        let mut claimed = Vec::new();
        while let Some(next) = fresh.store.claim_run(node, HOLD, &limits).await.unwrap() {
            claimed.push(next.feature.card.kind);
        }
        // The team has three places left: a chat first, then by turns.
        assert_eq!(claimed, [FeatureKind::Chat, FeatureKind::Task, FeatureKind::Chat]);
        assert_eq!(fresh.store.run_counts().await.unwrap().0, 6, "all count in the team's limit");
    }
}

fn card_of(project: &Project) -> NewFeature {
    card(project, "depends")
}
