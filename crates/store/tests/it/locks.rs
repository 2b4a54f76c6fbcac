//! Rows are locked in one order, so that no two who write wait for each other for ever. SQLite has one writer anyway.

use std::time::Duration;

use futures::future::join_all;
use guildhall_store::{
    Claimed, Counts, Ending, Going, NewLog, NewPack, NewReset, NewWebhook, ReadUpTo, SealedSecret, SharedStanding,
    StepEnd, Word, webhook_identity,
};
use guildhall_types::chat::{Message, StopReason, Usage};
use guildhall_types::feature::{Move, Problem};
use guildhall_types::limits::Limits;
use guildhall_types::member::ProviderKind;
use guildhall_types::notification::NotificationKind;
use guildhall_types::pipeline::{OnFailure, PipelineStep};
use guildhall_types::plan::{PlannedTask, Proposal};
use guildhall_types::run::{KeySource, LedgerRow, RunEvent, RunStatus, Turn};
use guildhall_types::webhook::WebhookFormat;
use guildhall_types::{CallId, Clock, NodeId, WebhookId};
use sqlx::{Connection, PgConnection};

use crate::harness::{Fresh, new_run};
use crate::orders::{HOLD, order, start, team};

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
const COUNTER: &str = "SELECT 1 FROM event_counter FOR NO KEY UPDATE NOWAIT";

async fn connect(fresh: &Fresh) -> PgConnection {
    PgConnection::connect(fresh.url()).await.unwrap()
}

async fn does(db: &mut PgConnection, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(db).await.map(drop)
}

/// While `deed` waits for what `first` locks, it does not hold what comes later, which `later` asks for; then it is done.
async fn waits_without<T>(fresh: &Fresh, first: &str, later: &str, deed: impl Future<Output = T>) -> T {
    const WAITING: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let (mut holder, mut looker) = (connect(fresh).await, connect(fresh).await);
    does(&mut holder, &format!("BEGIN; {first}")).await.unwrap();
    let look = async {
        loop {
            let (waiting,): (i64,) = sqlx::query_as(WAITING).fetch_one(&mut looker).await.unwrap();
            if waiting > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let free = does(&mut looker, later).await;
        does(&mut holder, "ROLLBACK").await.unwrap();
        free
    };
    let (done, free) = tokio::join!(deed, tokio::time::timeout(PATIENCE, look));
    match free {
        Ok(free) => free.unwrap_or_else(|error| panic!("{later}: {error}")),
        Err(_) => panic!("nobody waited for what is locked"),
    }
    done
}

fn row(table: &str, id: impl std::fmt::Display) -> String {
    format!("SELECT 1 FROM {table} WHERE id = '{id}' FOR NO KEY UPDATE")
}

fn free(table: &str, id: impl std::fmt::Display) -> String {
    format!("{} NOWAIT", row(table, id))
}

async fn claim(fresh: &Fresh) -> Claimed {
    fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap()
}

/// A card at work that a member started.
async fn at_work(fresh: &Fresh) -> Claimed {
    let (anna, project) = team(fresh).await;
    let id = fresh.card(&project, "one").await.card.id;
    fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
    claim(fresh).await
}

fn ending(status: RunStatus, what: Move) -> Ending {
    Ending { status, what, summary: None, problem: None, later: None }
}

fn problem() -> Problem {
    Problem { code: "bad".to_owned(), message: "It broke.".to_owned(), hint: String::new() }
}

/// A look of the pipeline at a run's work begins.
async fn begin_look(fresh: &Fresh, claimed: &Claimed) {
    let step = PipelineStep {
        name: "review".to_owned(),
        instructions: "Look well.".to_owned(),
        model: Some("m".to_owned()),
        enabled: true,
        on_failure: OnFailure::Stop,
        returns: 1,
    };
    let steps = fresh.store.begin_round(&claimed.lease, &[(1, &step)]).await.unwrap();
    let begins = RunEvent::StepStarted {
        step: steps[0].number,
        name: "review".to_owned(),
        look: 1,
        model: "m".to_owned(),
        resumed: false,
    };
    fresh.store.begin_step(&claimed.lease, steps[0].number, begins).await.unwrap();
}

#[tokio::test]
async fn a_step_that_asks_for_changes_takes_the_card_before_the_counter() {
    let fresh = Fresh::postgres().await;
    let claimed = at_work(&fresh).await;
    begin_look(&fresh, &claimed).await;
    let word = Word { text: "Mend it.".to_owned(), data: String::new(), counts: Counts::Return };
    let asked = fresh.store.end_step(&claimed.lease, 1, "c", StepEnd::Asked { what: "More.".to_owned(), word });
    waits_without(&fresh, &row("features", claimed.run.feature_id), COUNTER, asked).await.unwrap();
}

#[tokio::test]
async fn a_plan_takes_the_card_before_the_counter() {
    let fresh = Fresh::postgres().await;
    let claimed = at_work(&fresh).await;
    let turn = Turn {
        number: 1,
        input: Vec::new(),
        compacted: None,
        answer: Message::assistant(Vec::new()),
        stop_reason: StopReason::ToolUse,
        usage: Usage::default(),
        results: None,
        snapshot: None,
    };
    let bill = LedgerRow {
        id: CallId::new(),
        member_id: claimed.run.member_id,
        key_source: KeySource::Team,
        key_hint: None,
        run_id: claimed.run.id,
        turn: Some(1),
        provider: ProviderKind::Anthropic,
        model: "m".to_owned(),
        usage: Usage::default(),
        cost_micros: 1,
        priced: true,
    };
    fresh.store.save_answer(&claimed.lease, &turn, None, &bill, Vec::new()).await.unwrap();
    let tasks = vec![PlannedTask { title: "one".to_owned(), phase: None }];
    let plan = Proposal { text: "First one.".to_owned(), tasks };
    let noted = vec![RunEvent::Note { text: "So.".to_owned() }];
    let saved = fresh.store.save_results(&claimed.lease, 1, Vec::new(), None, Some(&plan), noted);
    waits_without(&fresh, &row("features", claimed.run.feature_id), COUNTER, saved).await.unwrap();
}

#[tokio::test]
async fn the_end_of_a_run_takes_its_order_before_the_counter() {
    let fresh = Fresh::postgres().await;
    let (anna, project) = team(&fresh).await;
    let orders = format!("SELECT 1 FROM auto_orders WHERE member_id = '{}' FOR NO KEY UPDATE", anna.id);
    order(&fresh, &anna, &project, 1).await;
    for title in ["later", "stopped"] {
        let id = fresh.card(&project, title).await.card.id;
        assert_eq!(start(&fresh, &Limits::default()).await, [id]);
        let claimed = claim(&fresh).await;
        let ending = if title == "later" {
            Ending { later: Some("It is merged later.".to_owned()), ..ending(RunStatus::Waiting, Move::Accept) }
        } else {
            begin_look(&fresh, &claimed).await;
            Ending { problem: Some(problem()), ..ending(RunStatus::Waiting, Move::Finish) }
        };
        let ended = fresh.store.finish_run(&claimed.lease, ending);
        waits_without(&fresh, &orders, COUNTER, ended).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_takes_a_card_back_or_starts_it_again_takes_its_run_first() {
    let fresh = Fresh::postgres().await;
    let claimed = at_work(&fresh).await;
    let (id, run) = (claimed.run.feature_id, row("runs", claimed.run.id));
    let failed = Ending { problem: Some(problem()), ..ending(RunStatus::Failed, Move::Fail) };
    fresh.store.finish_run(&claimed.lease, failed).await.unwrap();
    let again = fresh.store.start_feature(id, claimed.run.member_id, new_run(), i64::MAX);
    waits_without(&fresh, &run, &free("features", id), again).await.unwrap();
    let (_, stopped) = fresh.store.stop_feature(id).await.unwrap();
    let shelved = fresh.store.shelve_feature(id);
    waits_without(&fresh, &row("runs", stopped.id), &free("features", id), shelved).await.unwrap();
}

#[tokio::test]
async fn a_node_takes_over_a_run_before_its_stretches() {
    let fresh = Fresh::postgres().await;
    let run = at_work(&fresh).await.run.id;
    fresh.store.expire_leases().await.unwrap();
    let spans = format!("SELECT 1 FROM run_spans WHERE run_id = '{run}' FOR NO KEY UPDATE NOWAIT");
    let over = waits_without(&fresh, &row("runs", run), &spans, claim(&fresh)).await;
    assert_eq!((over.run.id, over.run.attempt), (run, 2));
}

#[tokio::test]
async fn what_a_run_shares_takes_the_run_before_the_repository() {
    let fresh = Fresh::postgres().await;
    let claimed = at_work(&fresh).await;
    let (project, node) = (claimed.run.project_id, NodeId::new());
    fresh.store.take_making(project, node, chrono::Duration::minutes(1)).await.unwrap();
    let pack = NewPack::default();
    let new = NewLog { standing: SharedStanding::default(), refs: Vec::new(), pack: pack.clone() };
    assert!(fresh.store.begin_log(project, node, &new).await.unwrap());
    let log = fresh.store.shared_log(project).await.unwrap().unwrap().log_id;
    let going = Going { log, since: 1, moves: &[], drops: false, pack, lease: Some(&claimed.lease) };
    let repository =
        format!("SELECT 1 FROM shared_repositories WHERE project_id = '{project}' FOR NO KEY UPDATE NOWAIT");
    let shared = fresh.store.append_log(project, going);
    waits_without(&fresh, &row("runs", claimed.run.id), &repository, shared).await.unwrap();
}

#[tokio::test]
async fn a_link_is_used_and_a_webhook_made_in_the_order_of_others() {
    let fresh = Fresh::postgres().await;
    let anna = fresh.member("anna").await;
    let link = NewReset {
        member_id: anna.id,
        code_hash: vec![1; 32],
        created_by: anna.id,
        mailed: false,
        expires_at: fresh.clock.now() + chrono::Duration::hours(1),
    };
    fresh.store.create_reset(link).await.unwrap();
    let links = "SELECT 1 FROM password_resets FOR NO KEY UPDATE NOWAIT";
    let used = waits_without(&fresh, &row("members", anna.id), links, fresh.store.use_reset(&[1; 32], "new")).await;
    assert_eq!(used.unwrap().unwrap().id, anna.id);

    let id = WebhookId::new();
    let sealed =
        SealedSecret { identity: webhook_identity(id), key_id: "k".to_owned(), wrapped_key: vec![1], sealed: vec![2] };
    let new = NewWebhook {
        id,
        member: None,
        name: "hook".to_owned(),
        host: "https://example.com".to_owned(),
        kinds: vec![NotificationKind::CardFailed],
        format: WebhookFormat::Standard,
        created_by: anna.id,
        sealed,
    };
    // What those hold who claim and start, one at a time.
    let turn = "SELECT pg_advisory_xact_lock(4300)";
    waits_without(&fresh, turn, &free("members", anna.id), fresh.store.create_webhook(new)).await.unwrap();
}

#[tokio::test]
async fn many_who_have_nothing_to_read_do_not_keep_the_counter_from_each_other() {
    let fresh = Fresh::postgres().await;
    let anna = fresh.member("anna").await;
    // Twice as many as there are connections.
    let reads = join_all((0..24).map(|_| fresh.store.read_notifications(anna.id, ReadUpTo::Seq(0))));
    for unread in tokio::time::timeout(PATIENCE, reads).await.unwrap() {
        assert_eq!(unread.unwrap(), 0);
    }
}
