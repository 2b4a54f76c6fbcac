//! Auto mode: members' standing orders, and the cards that they start.

mod evening;
mod halted;
mod night;
mod wishes;

use std::collections::{HashMap, HashSet};

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::auto::{self, AtClose, AutoOrder, OrderFailure, OrderState};
use guildhall_types::event::Happening;
use guildhall_types::feature::Problem;
use guildhall_types::limits::Limits;
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::report::SpanKind;
use guildhall_types::run::Run;
use guildhall_types::window::Window;
use guildhall_types::{FeatureId, MemberId, ProjectId};
use sqlx::types::Json;

use crate::{Backend, NewRun, Rows, Store, StoreError, Tx, on, read};

pub use evening::{CardFacts, Evening, Foretold};
pub use night::{Night, Queued};
pub use wishes::{WaitingPlan, Wish};

pub(crate) const COLUMNS: &str =
    "project_id, member_id, state, max_concurrent, work_window AS \"window\", at_close, failures, pause, changed_at";

/// How an order is to work from now on; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct OrderChange {
    /// Runs of the member in the project at once at most.
    pub max_concurrent: Option<i64>,
    /// When it works; `Some(None)` means always.
    pub window: Option<Option<Window>>,
    /// What becomes of work that is not done when the window closes.
    pub at_close: Option<AtClose>,
}

/// What came of looking for a card to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// None is to start.
    Nothing,
    /// This one would, but nobody has said yet how, or why it cannot.
    Unknown {
        /// Its project.
        project: ProjectId,
        /// Whose order takes it.
        member: MemberId,
        /// The card.
        feature: FeatureId,
        /// Whether it was stopped with its order, and would go on with its run.
        stopped: bool,
    },
    /// It is in the queue.
    Started(FeatureId),
}

/// What is known of a card that an order could take, by whoever looked at it.
#[derive(Debug, Clone)]
pub enum Ready {
    /// It would begin so.
    Begins(Box<NewRun>),
    /// It was stopped with its order, and has what it needs to go on.
    GoesOn,
    /// It lacks something.
    Lacks,
}

impl Store {
    /// A member's order in a project, if there ever was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order(&self, project: ProjectId, member: MemberId) -> Result<Option<AutoOrder>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM auto_orders WHERE project_id = $1 AND member_id = $2");
        Ok(
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).bind(member).fetch_optional(c).await)?,
        )
    }

    /// Switches a member's order on, with what changes of it. A pause and its failures are over.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the member may run nothing; [`StoreError::NotFound`].
    pub async fn switch_on_order(
        &self,
        project: ProjectId,
        member: MemberId,
        change: OrderChange,
    ) -> Result<AutoOrder, StoreError> {
        let mut tx = self.begin().await?;
        self.runner(&mut tx, member).await?;
        // Locked, so that nobody archives it in between.
        self.locked_project(&mut tx, project).await?;
        let sql = format!("SELECT {COLUMNS} FROM auto_orders WHERE project_id = $1 AND member_id = $2");
        let old: Option<AutoOrder> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).bind(member)
            .fetch_optional(c).await)?;
        let order = AutoOrder {
            project_id: project,
            member_id: member,
            state: OrderState::On,
            max_concurrent: change.max_concurrent.or(old.as_ref().map(|old| old.max_concurrent)).unwrap_or(1),
            window: change.window.unwrap_or_else(|| old.as_ref().and_then(|old| old.window.clone())),
            at_close: change.at_close.or(old.as_ref().map(|old| old.at_close)).unwrap_or(AtClose::FinishTurn),
            failures: Vec::new(),
            pause: None,
            changed_at: self.now(),
        };
        // Whatever rests goes by the new window.
        on!(tx, c => sqlx::query(
            "UPDATE runs SET parked_until = $3
             WHERE project_id = $1 AND member_id = $2 AND status = 'queued' AND auto AND parked_until IS NOT NULL
               AND parked_reason IS NULL")
            .bind(project).bind(member).bind(order.rests_until(self.now())).execute(c).await.rows())?;
        self.put_order(&mut tx, &order).await?;
        self.tell_orders(&mut tx, std::slice::from_ref(&order)).await?;
        let note = Note::new(AuditAction::StartAutoMode).on(AuditObject::Project, project);
        tx.note(note.with("of", member).with("maxConcurrent", order.max_concurrent));
        self.commit(tx).await?;
        Ok(order)
    }

    /// Switches a member's order off. What is at work is finished; what rests is stopped, and goes on when the order is switched
    /// on again. Returns nothing when there never was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn switch_off_order(
        &self,
        project: ProjectId,
        member: MemberId,
    ) -> Result<Option<AutoOrder>, StoreError> {
        let mut tx = self.begin().await?;
        let stopped = self.stop_runs(&mut tx, Some(member), Some(project)).await?;
        let Some(old) = self.locked_order(&mut tx, project, member).await? else { return Ok(None) };
        let pause = self.switched_off_by_other(&mut tx, &old).await?;
        let order = AutoOrder { state: OrderState::Off, pause, failures: Vec::new(), changed_at: self.now(), ..old };
        self.put_order(&mut tx, &order).await?;
        self.tell_stopped(&mut tx, &stopped).await?;
        self.tell_orders(&mut tx, std::slice::from_ref(&order)).await?;
        tx.note(Note::new(AuditAction::StopAutoMode).on(AuditObject::Project, project).with("of", member));
        self.commit(tx).await?;
        Ok(Some(order))
    }

    /// Stops every run and pauses every order that is on, at once. Returns how many of each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_all(&self, pause: &Problem) -> Result<(usize, usize), StoreError> {
        let mut tx = self.begin().await?;
        // Nothing is claimed or started in between.
        self.one_at_a_time(&mut tx).await?;
        let runs = self.stop_runs(&mut tx, None, None).await?;
        let sql = format!(
            "UPDATE auto_orders SET state = $1, pause = $2, changed_at = $3 WHERE state = $4 RETURNING {COLUMNS}"
        );
        let orders: Vec<AutoOrder> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(OrderState::Paused)
            .bind(Json(pause)).bind(self.now()).bind(OrderState::On).fetch_all(c).await)?;
        let cards = self.tell_stopped(&mut tx, &runs).await?;
        self.tell_orders(&mut tx, &orders).await?;
        for order in &orders {
            self.tell_of_pause(&mut tx, order).await?;
        }
        self.tell_of_killed(&mut tx, &runs, &cards, &orders, pause).await?;
        let note = Note::new(AuditAction::StopAll).with("runs", runs.len());
        tx.note(note.with("autoModes", orders.len()));
        self.commit(tx).await?;
        Ok((runs.len(), orders.len()))
    }

    /// Switches off every order of a member who may run nothing any more.
    pub(crate) async fn switch_off_orders_of(
        &self,
        tx: &mut Tx,
        member: MemberId,
    ) -> Result<Vec<AutoOrder>, StoreError> {
        let sql = format!(
            "UPDATE auto_orders SET state = $2, pause = NULL, changed_at = $3
             WHERE member_id = $1 AND state <> $2 RETURNING {COLUMNS}"
        );
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).bind(OrderState::Off).bind(self.now())
            .fetch_all(c).await)?)
    }

    /// Switches off every order in a project that is no longer there.
    pub(crate) async fn switch_off_orders_in(
        &self,
        tx: &mut Tx,
        project: ProjectId,
    ) -> Result<Vec<AutoOrder>, StoreError> {
        let sql = format!(
            "UPDATE auto_orders SET state = $2, pause = NULL, changed_at = $3
             WHERE project_id = $1 AND state <> $2 RETURNING {COLUMNS}"
        );
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).bind(OrderState::Off).bind(self.now())
            .fetch_all(c).await)?)
    }

    /// Counts the end of a run for the order that started it. Returns the order if that changed it.
    pub(crate) async fn count_for_order(
        &self,
        tx: &mut Tx,
        run: &Run,
        ended: Result<(), Problem>,
    ) -> Result<Option<AutoOrder>, StoreError> {
        if !run.auto {
            return Ok(None);
        }
        let order = self.locked_order(tx, run.project_id, run.member_id).await?;
        let Some(mut order) = order else { return Ok(None) };
        let failure = |problem| OrderFailure {
            feature_id: run.feature_id,
            run_id: run.id,
            at: self.now(),
            problem: clean(problem),
        };
        let before = order.state;
        if !order.count(ended.map_err(failure)) {
            return Ok(None);
        }
        order.changed_at = self.now();
        self.put_order(tx, &order).await?;
        if order.state != before {
            self.tell_of_pause(tx, &order).await?;
        }
        Ok(Some(order))
    }

    /// Tells the member of a paused order why it is.
    async fn tell_of_pause(&self, tx: &mut Tx, order: &AutoOrder) -> Result<(), StoreError> {
        let Some(pause) = order.pause.as_ref().filter(|_| order.state == OrderState::Paused) else { return Ok(()) };
        let name = self.project_name(tx, order.project_id).await?;
        let text = format!("{} {}", pause.message, pause.hint);
        tx.tell(
            Tell::new(NotificationKind::AutoModePaused, order.member_id, name, text.trim()).project(order.project_id),
        );
        Ok(())
    }

    async fn locked_order(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        member: MemberId,
    ) -> Result<Option<AutoOrder>, StoreError> {
        let sql = format!(
            "UPDATE auto_orders SET state = state WHERE project_id = $1 AND member_id = $2 RETURNING {COLUMNS}"
        );
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).bind(member).fetch_optional(c).await)?)
    }

    async fn put_order(&self, tx: &mut Tx, order: &AutoOrder) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "INSERT INTO auto_orders (project_id, member_id, state, max_concurrent, work_window, at_close, failures, pause, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (project_id, member_id) DO UPDATE SET state = excluded.state, max_concurrent = excluded.max_concurrent,
               work_window = excluded.work_window, at_close = excluded.at_close, failures = excluded.failures,
               pause = excluded.pause, changed_at = excluded.changed_at")
            .bind(order.project_id).bind(order.member_id).bind(order.state).bind(order.max_concurrent)
            .bind(order.window.as_ref().map(Json)).bind(order.at_close).bind(Json(&order.failures))
            .bind(order.pause.as_ref().map(Json)).bind(order.changed_at).execute(c).await.rows())?;
        Ok(())
    }

    pub(crate) async fn tell_orders(&self, tx: &mut Tx, orders: &[AutoOrder]) -> Result<(), StoreError> {
        for order in orders {
            self.record(tx, &Happening::AutoModeUpdated { order: order.clone() }).await?;
        }
        Ok(())
    }

    /// Starts the card that auto mode is to start next, if there is a place for it, or lets it go on where it was stopped.
    /// `ready` says what is known of cards that were looked at before. What is at rest in the queue is marked so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_by_order(
        &self,
        limits: &Limits,
        ready: &HashMap<FeatureId, Ready>,
    ) -> Result<Chosen, StoreError> {
        self.start_by_order_beside(limits, ready, &HashSet::new()).await
    }

    /// The same without the orders that are passed over for a while.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_by_order_beside(
        &self,
        limits: &Limits,
        ready: &HashMap<FeatureId, Ready>,
        passed: &HashSet<(ProjectId, MemberId)>,
    ) -> Result<Chosen, StoreError> {
        let choose = |night: &Night| {
            let (mut orders, live) = (night.open_orders(self.now()), night.live(self.now()));
            orders.retain(|order| !passed.contains(&(order.project, order.member)));
            let mut cards = night.cards.clone();
            let lacks = |card: &auto::Card| matches!(ready.get(&card.feature), Some(Ready::Lacks));
            cards.iter_mut().for_each(|card| card.hindered = lacks(card).then(String::new));
            let next = auto::next_start(&orders, &cards, &live, &night.held, limits);
            next.map(|card| ((card.project, card.member), card.feature, card.run))
        };
        // Looked at first without a lock: mostly there is nothing to do.
        let night = self.night().await?;
        if choose(&night).is_none() && night.to_rest(self.now()).is_empty() {
            return Ok(Chosen::Nothing);
        }
        let mut tx = self.begin_light().await?;
        self.one_at_a_time(&mut tx).await?;
        let used_up = night.used_up;
        let mut night = self.night_in(&mut tx).await?;
        night.used_up = used_up;
        let chosen = choose(&night)
            .map(|((project, member), feature, run)| (project, member, feature, run, ready.get(&feature)));
        if let Some((_, member, _, Some(_), Some(Ready::GoesOn)) | (_, member, _, None, Some(Ready::Begins(_)))) =
            chosen
        {
            // Before any run.
            self.runner(&mut tx, member).await?;
        }
        let resting = night.to_rest(self.now());
        for (run, until) in &resting {
            on!(tx, c => sqlx::query("UPDATE runs SET parked_until = $2, parked_reason = NULL, parked_for = NULL, out_since = NULL WHERE id = $1 AND status = 'queued'")
                .bind(run).bind(until).execute(c).await.rows())?;
            self.begin_span(&mut tx, *run, SpanKind::Window).await?;
        }
        let chosen = match chosen {
            None => Chosen::Nothing,
            Some((_, _, feature, Some(run), Some(Ready::GoesOn))) => {
                if !self.go_on(&mut tx, feature, run).await? {
                    return Ok(Chosen::Nothing);
                }
                self.tell_both(tx, feature, run).await?;
                return Ok(Chosen::Started(feature));
            }
            Some((_, member, feature, None, Some(Ready::Begins(new)))) => {
                let run = self.start_in(&mut tx, feature, member, (**new).clone(), true).await?;
                self.tell_both(tx, feature, run).await?;
                return Ok(Chosen::Started(feature));
            }
            Some((project, member, feature, run, _)) => {
                Chosen::Unknown { project, member, feature, stopped: run.is_some() }
            }
        };
        if !resting.is_empty() {
            for (id, _) in resting {
                if let Some(run) = self.run_in(&mut tx, id).await? {
                    self.record(&mut tx, &Happening::RunUpdated { run }).await?;
                }
            }
            self.commit(tx).await?;
        }
        Ok(chosen)
    }

    /// One claim or start at a time in the whole team, so that the limits hold across nodes. SQLite has one writer anyway.
    pub(crate) async fn one_at_a_time(&self, tx: &mut Tx) -> Result<(), StoreError> {
        if self.backend() == Backend::Postgres {
            on!(tx, c => sqlx::query("SELECT pg_advisory_xact_lock(4300)").execute(c).await.rows())?;
        }
        Ok(())
    }
}

fn clean(problem: Problem) -> Problem {
    Problem { code: problem.code, message: crate::clean(&problem.message), hint: crate::clean(&problem.hint) }
}
