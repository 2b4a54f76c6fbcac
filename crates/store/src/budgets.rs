//! Budgets: what members' calls may cost in a month, and what each call is given of it before it is made.

use chrono::Duration;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::budget::{self, BudgetKind, Budgets, MemberBudget, Month, MonthStanding, Need};
use guildhall_types::event::Happening;
use guildhall_types::feature::Feature;
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::price::Price;
use guildhall_types::run::{Awaits, Run, RunEvent};
use guildhall_types::{DateTime, FeatureId, MemberId};
use sqlx::types::Json;

use crate::runs::note;
use crate::{Backend, Lease, Rows, Store, StoreError, Tx, on, read};

/// Names the team's budgets among the settings.
pub const BUDGETS: &str = "budgets";

/// A member, what it was given, what it set, what it spent, and what is set aside for it.
type MonthRow = (MemberId, Option<i64>, Option<i64>, i64, i64);

/// What came of asking for money for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// There is enough, for an answer of so many tokens at most.
    Go {
        /// Tokens that the answer may have.
        output: i64,
    },
    /// There will be enough if the calls under way cost less than they could.
    Held {
        /// What the member's calls may cost this month, in micro-dollars.
        cap_micros: i64,
    },
    /// The run's budget does not hold the call.
    RunUsedUp {
        /// What the run may cost, in micro-dollars.
        cap_micros: i64,
        /// What it has cost.
        spent_micros: i64,
    },
    /// What is left of the month does not hold the call.
    MonthUsedUp {
        /// What the member's calls may cost this month, in micro-dollars.
        cap_micros: i64,
        /// What they have cost.
        spent_micros: i64,
        /// When the next month begins.
        until: DateTime,
    },
}

/// A change of a member's budget: of the one that an admin gives, or of the one that the member sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetChange {
    /// An admin gives this, or the team's again.
    Given(Option<i64>),
    /// The member wants no more than this, or all that is given.
    Own(Option<i64>),
}

impl Store {
    /// Sets aside the most that the next call of a run can cost, in place of what the run had set aside before. Counts what
    /// the month has cost and what all other calls under way may cost; nothing comes in between. With too little for the
    /// whole answer, a smaller one is let go. What costs nothing is always let go.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn reserve(
        &self,
        lease: &Lease,
        hold: Duration,
        need: &Need,
        price: &Price,
        run_cap: i64,
        team: Budgets,
    ) -> Result<Reserved, StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        let cap = match self.card_budget(&mut tx, run.feature_id).await? {
            Some(own) => own,
            None => run_cap,
        };
        let cap = cap.saturating_add(run.extra_micros);
        let Some(of_run) = budget::fit(price, need, cap - run.cost_micros) else {
            self.let_go(&mut tx, lease).await?;
            self.commit(tx).await?;
            return Ok(Reserved::RunUsedUp { cap_micros: cap, spent_micros: run.cost_micros });
        };
        if of_run.micros == 0 {
            self.let_go(&mut tx, lease).await?;
            self.commit(tx).await?;
            return Ok(Reserved::Go { output: of_run.output });
        }
        if self.backend() == Backend::Postgres {
            // One of a member at a time; what was committed before is seen by what follows.
            on!(tx, c => sqlx::query("SELECT pg_advisory_xact_lock(4301, hashtext($1))").bind(run.member_id.to_string())
                .execute(c).await.rows())?;
        }
        let month_cap = self.budget_in(&mut tx, run.member_id).await?.cap(team);
        let (month, now) = (Month::of(self.now()), self.lease_clock(&mut tx).await?);
        let mut fits = of_run;
        if let Some(cap_micros) = month_cap {
            let (spent, open) = self.month_in(&mut tx, run.member_id, Some(&run), month, now).await?;
            let need = Need { output: of_run.output, ..*need };
            let refused = match budget::fit(price, &need, cap_micros - spent - open) {
                Some(of_month) => {
                    fits = of_month;
                    None
                }
                None if budget::fit(price, &need, cap_micros - spent).is_some() => Some(Reserved::Held { cap_micros }),
                None => Some(Reserved::MonthUsedUp { cap_micros, spent_micros: spent, until: month.ends }),
            };
            if let Some(refused) = refused {
                self.let_go(&mut tx, lease).await?;
                self.commit(tx).await?;
                return Ok(refused);
            }
        }
        // The statement itself counts once more: whatever else is wrong, it lets nobody go beyond the budget.
        let done = on!(tx, c => sqlx::query(
            "INSERT INTO reservations (run_id, attempt, member_id, micros, until)
             SELECT $1, $2, $3, $4, $5 WHERE $6 IS NULL OR $4 <= $6
               - (SELECT coalesce(sum(cost_micros), 0) FROM ledger WHERE member_id = $3 AND at >= $7 AND at < $8)
               - (SELECT coalesce(sum(micros), 0) FROM reservations WHERE member_id = $3 AND run_id <> $1 AND until > $9)
             ON CONFLICT (run_id) DO UPDATE SET attempt = excluded.attempt, member_id = excluded.member_id,
               micros = excluded.micros, until = excluded.until")
            .bind(run.id).bind(lease.attempt).bind(run.member_id).bind(fits.micros).bind(now + hold).bind(month_cap)
            .bind(month.begins).bind(month.ends).bind(now).execute(c).await.rows())?;
        self.commit(tx).await?;
        match (done, month_cap) {
            (0, Some(cap_micros)) => Ok(Reserved::Held { cap_micros }),
            _ => Ok(Reserved::Go { output: fits.output }),
        }
    }

    /// Lets go of what a run had set aside for a call that came to nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        self.let_go(&mut tx, lease).await?;
        self.commit(tx).await
    }

    /// Lets go of what this very claim of a run had set aside.
    pub(crate) async fn let_go(&self, tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("DELETE FROM reservations WHERE run_id = $1 AND attempt = $2").bind(lease.run)
            .bind(lease.attempt).execute(c).await.rows())?;
        Ok(())
    }

    async fn card_budget(&self, tx: &mut Tx, card: FeatureId) -> Result<Option<i64>, StoreError> {
        let row: Option<(Option<i64>,)> = on!(tx, c => sqlx::query_as("SELECT budget_micros FROM features WHERE id = $1")
            .bind(card).fetch_optional(c).await)?;
        Ok(row.and_then(|(micros,)| micros))
    }

    async fn budget_in(&self, tx: &mut Tx, member: MemberId) -> Result<MemberBudget, StoreError> {
        let row: Option<MemberBudget> = on!(tx, c => sqlx::query_as(
            "SELECT given_micros, own_micros FROM budgets WHERE member_id = $1").bind(member).fetch_optional(c).await)?;
        Ok(row.unwrap_or_default())
    }

    /// What a member's calls of a month have cost, and what those under way may cost, but for one run's. Read at once, so
    /// that a call that is written to the ledger in this moment counts once.
    async fn month_in(
        &self,
        tx: &mut Tx,
        member: MemberId,
        but: Option<&Run>,
        month: Month,
        now: DateTime,
    ) -> Result<(i64, i64), StoreError> {
        Ok(on!(tx, c => sqlx::query_as(
            "SELECT (SELECT CAST(coalesce(sum(cost_micros), 0) AS BIGINT) FROM ledger
                 WHERE member_id = $1 AND at >= $2 AND at < $3),
               (SELECT CAST(coalesce(sum(micros), 0) AS BIGINT) FROM reservations
                 WHERE member_id = $1 AND until > $4 AND ($5 IS NULL OR run_id <> $5))")
            .bind(member).bind(month.begins).bind(month.ends).bind(now).bind(but.map(|run| run.id)).fetch_one(c).await)?)
    }

    /// How the month stands: of one member, or of all who are not disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn months(&self, member: Option<MemberId>, team: Budgets) -> Result<Vec<MonthStanding>, StoreError> {
        let (month, now) = (Month::of(self.now()), self.now());
        let rows: Vec<MonthRow> = read!(self, c => sqlx::query_as(
            "SELECT m.id, b.given_micros, b.own_micros,
               (SELECT CAST(coalesce(sum(l.cost_micros), 0) AS BIGINT) FROM ledger l
                 WHERE l.member_id = m.id AND l.at >= $2 AND l.at < $3),
               (SELECT CAST(coalesce(sum(v.micros), 0) AS BIGINT) FROM reservations v
                 WHERE v.member_id = m.id AND v.until > $4)
             FROM members m LEFT JOIN budgets b ON b.member_id = m.id
             WHERE (m.disabled_at IS NULL AND $1 IS NULL) OR m.id = $1 ORDER BY m.name, m.id LIMIT 1000")
            .bind(member).bind(month.begins).bind(month.ends).bind(now).fetch_all(c).await)?;
        let standing = |(member_id, given_micros, own_micros, spent_micros, reserved_micros): MonthRow| MonthStanding {
            member_id,
            cap_micros: MemberBudget { given_micros, own_micros }.cap(team),
            given_micros,
            own_micros,
            spent_micros,
            reserved_micros,
            resets_at: month.ends,
        };
        Ok(rows.into_iter().map(standing).collect())
    }

    /// The members whose month is used up, of those that auto mode works for, each with the end of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn used_up(&self) -> Result<Vec<(MemberId, i64, DateTime)>, StoreError> {
        let caps: Vec<(MemberId, Option<i64>, Option<i64>)> = read!(self, c => sqlx::query_as(
            "SELECT o.member_id, b.given_micros, b.own_micros
             FROM (SELECT DISTINCT member_id FROM auto_orders WHERE state = 'on') o
               LEFT JOIN budgets b ON b.member_id = o.member_id").fetch_all(c).await)?;
        if caps.is_empty() {
            return Ok(Vec::new());
        }
        let team: Budgets = self.setting(BUDGETS).await?.unwrap_or_default();
        let month = Month::of(self.now());
        let mut found = Vec::new();
        for (member, given_micros, own_micros) in caps {
            let Some(cap) = (MemberBudget { given_micros, own_micros }).cap(team) else { continue };
            // A run that waits for the month has found that what is left holds no call.
            let (spent, waits): (i64, i64) = read!(self, c => sqlx::query_as(
                "SELECT (SELECT CAST(coalesce(sum(cost_micros), 0) AS BIGINT) FROM ledger
                     WHERE member_id = $1 AND at >= $2 AND at < $3),
                   (SELECT count(*) FROM runs WHERE member_id = $1 AND status = 'queued' AND parked_for = $4
                     AND parked_until > $5)")
                .bind(member).bind(month.begins).bind(month.ends).bind(BudgetKind::Month).bind(self.now())
                .fetch_one(c).await)?;
            if spent >= cap || waits > 0 {
                found.push((member, cap, month.ends));
            }
        }
        Ok(found)
    }

    /// Sets the budget that every member has who was given no other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_team_budgets(&self, budgets: Budgets) -> Result<(), StoreError> {
        self.put_setting(BUDGETS, &budgets).await?;
        let mut tx = self.begin().await?;
        self.look_anew(&mut tx, None, &[BudgetKind::Month]).await?;
        self.commit(tx).await
    }

    /// Changes a member's budget.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn change_budget(&self, member: MemberId, change: BudgetChange) -> Result<MemberBudget, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let mut budget = self.budget_in(&mut tx, member).await?;
        let (which, micros) = match change {
            BudgetChange::Given(micros) => ("given", micros),
            BudgetChange::Own(micros) => ("own", micros),
        };
        match change {
            BudgetChange::Given(micros) => budget.given_micros = micros,
            BudgetChange::Own(micros) => budget.own_micros = micros,
        }
        on!(tx, c => sqlx::query(
            "INSERT INTO budgets (member_id, given_micros, own_micros) VALUES ($1, $2, $3)
             ON CONFLICT (member_id) DO UPDATE SET given_micros = excluded.given_micros, own_micros = excluded.own_micros")
            .bind(member).bind(budget.given_micros).bind(budget.own_micros).execute(c).await.rows())?;
        let note = Note::new(AuditAction::ChangeBudget).on(AuditObject::Member, member).with("which", which);
        tx.note(note.with("micros", micros.map_or_else(|| "none".to_owned(), |micros| micros.to_string())));
        self.look_anew(&mut tx, Some(member), &[BudgetKind::Month]).await?;
        self.commit(tx).await?;
        Ok(budget)
    }

    /// Tells a member that the month's budget is used up, which is one thing however many runs wait for it, and once in a month
    /// those who can raise it: none of them can where the member set a lower one.
    pub(crate) async fn tell_of_month(&self, tx: &mut Tx, member: MemberId, why: &str) -> Result<(), StoreError> {
        let kind = NotificationKind::BudgetReached;
        let budget = self.budget_in(tx, member).await?;
        let team: Option<(Json<Budgets>,)> = on!(tx, c => sqlx::query_as("SELECT value FROM settings WHERE name = $1")
            .bind(BUDGETS).fetch_optional(c).await)?;
        let team = team.map(|(Json(team),)| team).unwrap_or_default();
        let by_member = budget.is_own(team);
        let admins = self.admins(tx).await?;
        let help = match by_member {
            true => "You set this budget yourself, and can raise it.",
            false if admins.contains(&member) => "You can raise it.",
            false => "An admin can raise it, and is told.",
        };
        tx.tell(Tell::new(kind, member, "This month", format!("{why} {help}")));
        let Some(cap) = budget.cap(team).filter(|_| !by_member) else { return Ok(()) };
        // When it was raised and is used up again, that is news.
        let news = on!(tx, c => sqlx::query(
            "INSERT INTO told_months (member_id, month, cap_micros) VALUES ($1, $2, $3)
             ON CONFLICT (member_id) DO UPDATE SET month = excluded.month, cap_micros = excluded.cap_micros
             WHERE told_months.month <> excluded.month OR told_months.cap_micros <> excluded.cap_micros")
            .bind(member).bind(Month::of(self.now()).begins).bind(cap).execute(c).await.rows())?;
        if news == 0 {
            return Ok(());
        }
        let (name,): (String,) =
            on!(tx, c => sqlx::query_as("SELECT name FROM members WHERE id = $1").bind(member).fetch_one(c).await)?;
        let members = admins.into_iter().filter(|admin| *admin != member).collect();
        let text = format!(
            "The month's budget of {name}, ${:.2}, is used up. The agents wait until you raise it or the next month begins.",
            cap as f64 / 1e6
        );
        let subject = format!("{name}'s month");
        tx.tell(Tell { members, about: Some(member), ..Tell::new(kind, member, subject, text) });
        Ok(())
    }

    /// Lets a card's run cost more than its budget. Goes on with it, if it waits for that.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn allow_cost(&self, id: FeatureId, micros: i64) -> Result<(Feature, Run), StoreError> {
        let mut tx = self.begin().await?;
        let (_, run) = self.locked_with_run(&mut tx, id).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET extra_micros = extra_micros + $2,
               parked_until = CASE WHEN parked_for = $3 THEN NULL ELSE parked_until END,
               parked_reason = CASE WHEN parked_for = $3 THEN NULL ELSE parked_reason END,
               parked_for = CASE WHEN parked_for = $3 THEN NULL ELSE parked_for END
             WHERE id = $1").bind(run.id).bind(micros).bind(Awaits::from(BudgetKind::Run)).execute(c).await.rows())?;
        let dollars = micros as f64 / 1e6;
        self.record_run(&mut tx, &run, RunEvent::Note { text: format!("The run may cost ${dollars:.2} more.") })
            .await?;
        tx.note(note(AuditAction::AllowCost, id, run.id).with("micros", micros));
        self.tell_both(tx, id, run.id).await
    }

    /// Lets runs that wait for a budget ask again: of everybody or of one member.
    pub(crate) async fn look_anew(
        &self,
        tx: &mut Tx,
        member: Option<MemberId>,
        kinds: &[BudgetKind],
    ) -> Result<(), StoreError> {
        for kind in kinds {
            let sql = format!(
                "UPDATE runs SET parked_until = NULL, parked_reason = NULL, parked_for = NULL
                 WHERE status = 'queued' AND parked_for = $1 AND ($2 IS NULL OR member_id = $2) RETURNING {}",
                crate::runs::COLUMNS
            );
            let mut runs: Vec<Run> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(Awaits::from(*kind))
                .bind(member).fetch_all(c).await)?;
            runs.sort_by_key(|run| run.id);
            for run in runs {
                self.record(tx, &Happening::RunUpdated { run }).await?;
            }
        }
        Ok(())
    }

    /// Lets a card's run ask again, if it waits for its budget. Takes the run's lock only; whoever calls tells of it.
    pub(crate) async fn look_anew_at(&self, tx: &mut Tx, card: FeatureId) -> Result<Option<Run>, StoreError> {
        let sql = format!(
            "UPDATE runs SET parked_until = NULL, parked_reason = NULL, parked_for = NULL
             WHERE status = 'queued' AND parked_for = $1 AND id = (SELECT run_id FROM features WHERE id = $2)
             RETURNING {}",
            crate::runs::COLUMNS
        );
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(Awaits::from(BudgetKind::Run)).bind(card)
            .fetch_optional(c).await)?)
    }

    /// Lets every run that waits for its own budget ask again, after the team's limit of one has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_limit_changed(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.look_anew(&mut tx, None, &[BudgetKind::Run]).await?;
        self.commit(tx).await
    }
}
