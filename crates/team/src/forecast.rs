//! The forecast of what auto mode will do: made before the night, kept with the order, and compared with what came of it.

use guildhall_store::{CardFacts, Evening as Facts, Night, OrderChange, Queued};
use guildhall_types::auto::{AtClose, AutoOrder, Card, OrderState};
use guildhall_types::forecast::{self, Begun, Evening, Forecast, Kind, Then};
use guildhall_types::project::{AfterWork, ProjectSettings};
use guildhall_types::report::morning_of;
use guildhall_types::run::Awaits;
use guildhall_types::window::next_time_of_day;
use guildhall_types::{MemberId, ProjectId};

use crate::{Team, TeamError, caught};

impl Team {
    /// What a member's auto mode in a project would probably do from now on, if it were started with this change.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad number or window; [`TeamError::NotFound`] when the project is gone.
    pub async fn forecast(
        &self,
        member: MemberId,
        project: ProjectId,
        change: OrderChange,
    ) -> Result<Forecast, TeamError> {
        self.check_order(&change).await?;
        self.store.project(project).await?.ok_or(TeamError::NotFound { what: "project" })?;
        let now = self.clock.now();
        let old = self.store.order(project, member).await?;
        let order = AutoOrder {
            project_id: project,
            member_id: member,
            state: OrderState::On,
            max_concurrent: change.max_concurrent.or(old.as_ref().map(|old| old.max_concurrent)).unwrap_or(1),
            window: change.window.unwrap_or_else(|| old.as_ref().and_then(|old| old.window.clone())),
            at_close: change.at_close.or(old.as_ref().map(|old| old.at_close)).unwrap_or(AtClose::FinishTurn),
            failures: Vec::new(),
            pause: None,
            changed_at: now,
        };
        let (settings, _) = self.store.report_settings(member).await?;
        let zone = self.store.member(member).await?.and_then(|member| member.time_zone);
        let morning = next_time_of_day(zone.as_deref(), morning_of(&settings.morning), now);
        let (night, mut facts) = (self.store.night().await?, self.store.evening(project, member).await?);
        // The member's own as if the order were on already; others' as far as it is.
        self.note_hindrances(&mut facts.own).await?;
        let others = self.seen_cards(&night, |card| (card.project, card.member) != (project, member)).await?;
        let mut evening = evening(order, &night, others, facts);
        evening.at = now;
        evening.morning = morning;
        evening.limits = self.limits().await?;
        // The same project, the same numbers: a forecast changes when what it goes by does, and not by looking again.
        let seed = project.0.as_u64_pair().1;
        let played = tokio::task::spawn_blocking(move || forecast::forecast(&evening, seed)).await;
        played.map_err(|error| TeamError::internal("making a forecast", error))
    }

    /// Makes the forecasts of orders whose window has opened since they were foretold, or whose member was told of what came
    /// of the last one. Returns how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn make_due_forecasts(&self) -> Result<usize, TeamError> {
        let foretold = self.store.foretold().await?;
        if foretold.is_empty() {
            return Ok(0);
        }
        let (now, mut made) = (self.clock.now(), 0);
        for last in foretold {
            let Some(order) = self.store.order(last.project_id, last.member_id).await? else { continue };
            let opened = order.window.as_ref().and_then(|window| window.opened(now).ok().flatten());
            let since = [opened, last.told_until].into_iter().flatten().max();
            // One that is made already, by this node or another.
            let current = last.forecast_at.is_some_and(|made| since.is_none_or(|since| made >= since));
            if current || !order.standing(now).open || order.state != OrderState::On {
                continue;
            }
            let (project, member) = (order.project_id, order.member_id);
            // One that cannot be made keeps no other from it.
            match caught(self.forecast(member, project, OrderChange::default())).await {
                Some(Ok(forecast)) => self.store.keep_forecast(project, member, &forecast).await?,
                Some(Err(TeamError::Store(error))) => return Err(error.into()),
                Some(Err(error)) => {
                    tracing::debug!(%project, %member, error = &error as &dyn std::error::Error, "no forecast could be made");
                    continue;
                }
                None => {
                    tracing::error!(%project, %member, "the making of a forecast panicked");
                    continue;
                }
            }
            made += 1;
        }
        Ok(made)
    }
}

fn evening(order: AutoOrder, night: &Night, others: Vec<Card>, facts: Facts) -> Evening {
    let (project, member) = (order.project_id, order.member_id);
    let kind = |facts: &CardFacts, settings: Option<&ProjectSettings>| Kind {
        project: facts.project_id,
        planning: facts.planning_mode,
        model: facts.model.clone().or_else(|| settings.and_then(|settings| settings.default_model.clone())),
        then: then(facts, settings),
    };
    let kind_of = |feature| {
        let card = facts.cards.get(&feature)?;
        Some(kind(card, facts.projects.get(&card.project_id)))
    };
    let own = facts.own.iter().cloned();
    let cards: Vec<(Card, Kind)> =
        others.into_iter().chain(own).filter_map(|card| kind_of(card.feature).map(|kind| (card, kind))).collect();
    // What finds nothing to begin from begins when somebody has mended that.
    let stuck = |run: &Queued| {
        run.parked_for == Some(Awaits::Dependencies) && run.parked_until.is_some_and(|until| until > order.changed_at)
    };
    let begun = night.queue.iter().filter(|run| night.waits_for(run).is_empty() && !stuck(run)).filter_map(|run| {
        let mut live = run.live.clone();
        live.put_off = run.parked_reason.is_some();
        Some(Begun {
            live,
            feature: run.feature,
            kind: kind_of(run.feature)?,
            worked_ms: facts.worked.get(&run.live.run).copied().unwrap_or(0),
            auto: run.auto,
            wakes: run.parked_until,
        })
    });
    let on =
        |other: &&AutoOrder| other.state == OrderState::On && (other.project_id, other.member_id) != (project, member);
    Evening {
        at: order.changed_at,
        member,
        project,
        begun: begun.collect(),
        orders: night.orders.iter().filter(on).cloned().chain([order]).collect(),
        cards,
        held: night.held.clone(),
        limits: Default::default(),
        past: facts.past,
        morning: Default::default(),
    }
}

/// What comes after the agent's work without a person, as the engine does it.
fn then(card: &CardFacts, settings: Option<&ProjectSettings>) -> Then {
    let Some(settings) = settings else { return Then::Person };
    let checked = !card.skip_verification && !settings.verify_commands.is_empty();
    match settings.after_work {
        _ if card.plan_needed => Then::Plan,
        _ if card.needs_approval || !checked => Then::Person,
        AfterWork::Wait => Then::Person,
        AfterWork::Verify => Then::Verified,
        AfterWork::Merge => Then::Merged,
    }
}
