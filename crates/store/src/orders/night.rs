//! All that decides what starts next, read at once.

use std::collections::{HashMap, HashSet};

use guildhall_types::alert::Strain;
use guildhall_types::auto::{AutoOrder, Card, Live, Order, OrderState};
use guildhall_types::feature::FeatureKind;
use guildhall_types::run::{Awaits, RunStatus};
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId, RunId};

use super::COLUMNS;
use crate::{Store, StoreError, Tx, on, read};

/// Cards of one order that are looked at; those that could start come first.
const CARDS: i64 = 300;

/// A run that waits or works, as the queue shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The run as the decision sees it.
    pub live: Live,
    /// Its card.
    pub feature: FeatureId,
    /// Whether an order started it.
    pub auto: bool,
    /// Whether it has worked before: then nothing that its card depends on keeps it.
    pub begun: bool,
    /// Until when it is put off.
    pub parked_until: Option<DateTime>,
    /// Why; nothing when it rests until a window opens.
    pub parked_reason: Option<String>,
    /// What it waits for, where that is not its provider.
    pub parked_for: Option<Awaits>,
    /// Whether it is in the queue, rather than held by a node, alive or dead.
    pub queued: bool,
}

/// Orders that are not switched off, what they could start, and what takes places.
#[derive(Debug, Clone, Default)]
pub struct Night {
    /// The orders.
    pub orders: Vec<AutoOrder>,
    /// The cards that they could take; first those that were stopped with an order, also with one that is off.
    pub cards: Vec<Card>,
    /// Runs that wait or work, of everybody.
    pub queue: Vec<Queued>,
    /// How many cards each order has in the backlog, also those that are not looked at.
    backlog: HashMap<(ProjectId, MemberId), i64>,
    /// What queued cards and those of the orders depend on that is neither verified nor completed.
    pub open: HashMap<FeatureId, Vec<FeatureId>>,
    /// Worktrees of each member's cards. Those of chats and tasks go when they rest, and come back.
    pub held: HashMap<MemberId, i64>,
    /// Members whose month's budget is used up: how much it was, in micro-dollars, and when the next month begins.
    pub used_up: HashMap<MemberId, (i64, DateTime)>,
    /// What a server is short of, so that it begins no work.
    pub strain: Option<Strain>,
    /// Projects whose repository is there.
    ready: HashSet<ProjectId>,
}

/// A card, and how many its order has in the backlog.
type CardRow = (FeatureId, ProjectId, MemberId, i64, DateTime, i64, i64);
/// The same of a card that was stopped with its order, with its run, and whether that had begun.
type HaltedRow = (FeatureId, ProjectId, MemberId, i64, DateTime, i64, RunId, bool);

#[derive(sqlx::FromRow)]
struct RunRow {
    id: RunId,
    feature_id: FeatureId,
    project_id: ProjectId,
    member_id: MemberId,
    kind: FeatureKind,
    priority: i64,
    queued_at: DateTime,
    status: RunStatus,
    auto: bool,
    lease_until: Option<DateTime>,
    parked_until: Option<DateTime>,
    parked_reason: Option<String>,
    parked_for: Option<Awaits>,
    started_at: Option<DateTime>,
}

/// The same reading inside a transaction and outside one.
macro_rules! night {
    ($how:ident, $from:expr, $now:expr) => {{
        let sql = format!("SELECT {COLUMNS} FROM auto_orders WHERE state <> 'off' ORDER BY project_id, member_id");
        let orders: Vec<AutoOrder> = $how!($from, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(c).await)?;
        let cards: Vec<CardRow> = match orders.is_empty() {
            true => Vec::new(),
            false => $how!($from, c => sqlx::query_as(
                "SELECT id, project_id, created_by, priority, created_at, number, all_of_it FROM (
                   SELECT count(*) OVER (PARTITION BY f.project_id, f.created_by) AS all_of_it, f.id, f.project_id, f.created_by, f.priority, f.created_at, f.number,
                     row_number() OVER (PARTITION BY f.project_id, f.created_by ORDER BY CASE WHEN EXISTS (
                         SELECT 1 FROM feature_dependencies d JOIN features b ON b.id = d.depends_on
                         WHERE d.feature_id = f.id
                           AND (b.deleted_at IS NOT NULL OR b.status NOT IN ('verified', 'completed'))) THEN 1 ELSE 0 END,
                       f.priority, f.created_at, f.number) AS place
                   FROM features f JOIN auto_orders o ON o.project_id = f.project_id AND o.member_id = f.created_by
                   WHERE o.state <> 'off' AND f.kind = 'card' AND f.status = 'backlog' AND f.deleted_at IS NULL) backlog
                 WHERE place <= $1").bind(CARDS).fetch_all(c).await)?,
        };
        // As many as there are worktrees at most.
        let halted: Vec<HaltedRow> = $how!($from, c => sqlx::query_as(
            "SELECT f.id, r.project_id, r.member_id, f.priority, f.created_at, f.number, r.id, r.started_at IS NOT NULL
             FROM runs r JOIN features f ON f.run_id = r.id
             WHERE r.halted AND r.status = 'stopped' AND f.status = 'paused' AND f.deleted_at IS NULL")
            .fetch_all(c).await)?;
        let runs: Vec<RunRow> = $how!($from, c => sqlx::query_as(
            "SELECT r.id, r.feature_id, r.project_id, r.member_id, f.kind, f.priority, r.queued_at, r.status, r.auto, r.lease_until,
               r.parked_until, r.parked_reason, r.parked_for, r.started_at
             FROM runs r JOIN features f ON f.id = r.feature_id WHERE r.status IN ('queued', 'running')").fetch_all(c).await)?;
        let open: Vec<(FeatureId, FeatureId)> = $how!($from, c => sqlx::query_as(
            "SELECT d.feature_id, d.depends_on FROM feature_dependencies d JOIN features f ON f.id = d.feature_id
               LEFT JOIN features b ON b.id = d.depends_on AND b.deleted_at IS NULL
             WHERE f.deleted_at IS NULL AND (b.id IS NULL OR b.status NOT IN ('verified', 'completed'))
               AND (f.status = 'queued' OR (f.status = 'paused' AND EXISTS (SELECT 1 FROM runs r
                   WHERE r.id = f.run_id AND r.halted)) OR (f.status = 'backlog' AND EXISTS (SELECT 1 FROM auto_orders o
                 WHERE o.project_id = f.project_id AND o.member_id = f.created_by AND o.state <> 'off')))
             ORDER BY d.depends_on").fetch_all(c).await)?;
        let held: Vec<(MemberId, i64)> = $how!($from, c => sqlx::query_as(
            "SELECT r.member_id, count(*) FROM runs r JOIN features f ON f.id = r.feature_id
             WHERE r.status <> 'closed' AND f.kind = 'card' GROUP BY r.member_id").fetch_all(c).await)?;
        let ready: Vec<(ProjectId,)> = $how!($from, c => sqlx::query_as(
            "SELECT id FROM projects WHERE status = 'ready' AND archived_at IS NULL").fetch_all(c).await)?;
        Night::of(orders, (cards, halted), runs, open, held, ready, $now)
    }};
}

impl Store {
    /// What decides what starts next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn night(&self) -> Result<Night, StoreError> {
        let night = night!(read, self, self.now());
        let used_up = self.used_up().await?.into_iter().map(|(member, cap, until)| (member, (cap, until))).collect();
        Ok(Night { used_up, strain: self.strain().await?, ..night })
    }

    /// The same inside a transaction, but for whose month is used up.
    pub(super) async fn night_in(&self, tx: &mut Tx) -> Result<Night, StoreError> {
        let now = self.lease_clock(tx).await?;
        Ok(night!(on, tx, now))
    }
}

impl Night {
    fn of(
        orders: Vec<AutoOrder>,
        (cards, halted): (Vec<CardRow>, Vec<HaltedRow>),
        runs: Vec<RunRow>,
        open: Vec<(FeatureId, FeatureId)>,
        held: Vec<(MemberId, i64)>,
        ready: Vec<(ProjectId,)>,
        now: DateTime,
    ) -> Self {
        let mut of: HashMap<FeatureId, Vec<FeatureId>> = HashMap::new();
        for (feature, depends_on) in open {
            of.entry(feature).or_default().push(depends_on);
        }
        let card = |(feature, project, member, priority, since, number)| Card {
            feature,
            project,
            member,
            priority,
            since,
            number,
            open: of.get(&feature).cloned().unwrap_or_default(),
            run: None,
            hindered: None,
        };
        let backlog = cards.iter().map(|row| ((row.1, row.2), row.6)).collect();
        let cards = cards.into_iter().map(|(feature, project, member, priority, since, number, _)| {
            card((feature, project, member, priority, since, number))
        });
        let halted = halted.into_iter().map(|(feature, project, member, priority, since, number, run, begun)| {
            let card = card((feature, project, member, priority, since, number));
            // Nothing that it depends on keeps what had begun.
            let open = if begun { Vec::new() } else { card.open };
            Card { run: Some(run), open, ..card }
        });
        let cards = halted.chain(cards).collect();
        let queued = |row: RunRow| Queued {
            live: Live {
                run: row.id,
                project: row.project_id,
                member: row.member_id,
                kind: row.kind,
                priority: row.priority,
                since: row.queued_at,
                working: row.status == RunStatus::Running && row.lease_until.is_some_and(|until| until > now),
                put_off: false,
            },
            feature: row.feature_id,
            auto: row.auto,
            begun: row.started_at.is_some(),
            parked_until: row.parked_until,
            parked_reason: row.parked_reason,
            parked_for: row.parked_for,
            queued: row.status == RunStatus::Queued,
        };
        Self {
            orders,
            cards,
            backlog,
            queue: runs.into_iter().map(queued).collect(),
            open: of,
            held: held.into_iter().collect(),
            used_up: HashMap::new(),
            strain: None,
            ready: ready.into_iter().map(|(id,)| id).collect(),
        }
    }

    /// The orders that may take a card now.
    pub fn open_orders(&self, at: DateTime) -> Vec<Order> {
        let on = |order: &&AutoOrder| order.state == OrderState::On && self.ready.contains(&order.project_id);
        let open = |order: &AutoOrder| order.standing(at).open && !self.used_up.contains_key(&order.member_id);
        self.orders.iter().filter(on).map(|order| Order { open: open(order), ..order.into() }).collect()
    }

    /// The runs that have a place, or wait for one and nothing else, or for their provider. One that finds nothing to begin
    /// from waits for others, like one whose dependencies are open: meanwhile its order goes on with other cards.
    pub fn live(&self, at: DateTime) -> Vec<Live> {
        let live = |run: &Queued| {
            let parked = run.parked_until.is_some_and(|until| until > at);
            let put_off = parked && run.parked_reason.is_some() && run.parked_for != Some(Awaits::Dependencies);
            let waits = !parked && self.waits_for(run).is_empty();
            (run.live.working || waits || put_off).then(|| Live { put_off, ..run.live.clone() })
        };
        self.queue.iter().filter_map(live).collect()
    }

    /// How many cards a member's order in a project has in the backlog.
    pub fn backlog_of(&self, project: ProjectId, member: MemberId) -> i64 {
        self.backlog.get(&(project, member)).copied().unwrap_or(0)
    }

    /// What a run's card depends on that keeps it from its beginning.
    pub fn waits_for(&self, run: &Queued) -> &[FeatureId] {
        if run.begun { &[] } else { self.open.get(&run.feature).map_or(&[], Vec::as_slice) }
    }

    /// Runs in the queue that are to rest, because the window of their order is closed, each with the end of that.
    pub fn to_rest(&self, at: DateTime) -> Vec<(RunId, DateTime)> {
        let until = |run: &Queued| {
            let own = |order: &&AutoOrder| order.project_id == run.live.project && order.member_id == run.live.member;
            self.orders.iter().find(own).and_then(|order| order.rests_until(at))
        };
        self.queue
            .iter()
            .filter(|run| run.auto && run.queued && run.parked_until.is_none_or(|until| until <= at))
            .filter_map(|run| Some((run.live.run, until(run)?)))
            .collect()
    }
}
