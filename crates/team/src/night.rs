//! Auto mode as members see it: the order as it stands, the queue, and why something does not start.

use std::collections::HashMap;

use guildhall_store::{Night, OrderChange, Queued};
use guildhall_types::auto::{self, AtClose, AutoOrder, Card, OrderState, Place, PutOff, Reason, Told};
use guildhall_types::feature::{FeatureKind, Problem};
use guildhall_types::limits::Limits;
use guildhall_types::member::Member;
use guildhall_types::schedule::{self, AtWork, Candidate};
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId, RunId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::waiting::Words;
use crate::{By, Team, TeamError};

/// Names the team's limits among the settings.
pub const LIMITS: &str = "limits";
/// Cards that wait, in one answer at most.
const MOST: usize = 1000;

/// A member's order as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoMode {
    /// The order.
    #[serde(flatten)]
    pub order: AutoOrder,
    /// Whether its window is open.
    pub open: bool,
    /// When that changes; nothing when it never does.
    pub changes_at: Option<DateTime>,
    /// Why nothing starts at the moment.
    pub waiting: Option<Told>,
    /// Runs of this member in this project that work.
    pub running: i64,
    /// Cards of this member in the backlog.
    pub backlog: i64,
    /// Cards of this member that were stopped with auto mode, and go on with it.
    pub stopped: i64,
    /// Runs of one member at once at most; `maxConcurrent` cannot be more.
    pub limit: i64,
}

/// A card that waits, and why; in the queue of the whole team also a chat or a task.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueItem {
    /// What it is.
    pub kind: FeatureKind,
    /// The card.
    pub feature_id: FeatureId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its run; nothing for a card that auto mode has not started yet.
    pub run_id: Option<RunId>,
    /// Whose run or order it is.
    pub member_id: MemberId,
    /// Its place among all of the team that wait for nothing but a place: 1 comes next.
    pub position: Option<i64>,
    /// Why it waits.
    pub waiting: Told,
}

impl Team {
    /// The team's limits as they are set now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn limits(&self) -> Result<Limits, TeamError> {
        Ok(self.store.setting(LIMITS).await?.unwrap_or_default())
    }

    /// Switches a member's auto mode on in a project, with what changes of it, and keeps the forecast of what it will do.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad number or window; the store's error when the project is gone.
    pub async fn start_auto_mode(
        &self,
        member: MemberId,
        project: ProjectId,
        change: OrderChange,
    ) -> Result<AutoMode, TeamError> {
        self.check_order(&change).await?;
        // Before it is on: what it starts then would be a part of the evening already.
        let forecast = self.forecast(member, project, change.clone()).await;
        self.store.switch_on_order(project, member, change).await?;
        match forecast {
            Ok(forecast) => self.store.keep_forecast(project, member, &forecast).await?,
            Err(error) => tracing::warn!(%project, %member, %error, "no forecast could be made"),
        }
        self.auto_mode(member, project).await
    }

    pub(crate) async fn check_order(&self, change: &OrderChange) -> Result<(), TeamError> {
        let most = self.limits().await?.max_concurrent_features_per_member;
        if change.max_concurrent.is_some_and(|wanted| !(1..=most).contains(&wanted)) {
            return Err(TeamError::invalid("maxConcurrent", format!("give a number from 1 to {most}")));
        }
        if let Some(Some(window)) = &change.window {
            window.check().map_err(|wrong| TeamError::invalid("window", wrong.to_string()))?;
        }
        Ok(())
    }

    /// Switches a member's auto mode off in a project. Admins may do that for others.
    ///
    /// # Errors
    /// [`TeamError::Store`] when `by` may not; [`TeamError::NotFound`] when the project is gone.
    pub async fn stop_auto_mode(
        &self,
        by: By<'_>,
        member: MemberId,
        project: ProjectId,
    ) -> Result<AutoMode, TeamError> {
        if by.member.id != member && !by.administers {
            let refused = guildhall_types::member::ChangeRefused::MissingRight;
            return Err(guildhall_store::StoreError::Refused(refused).into());
        }
        self.store.project(project).await?.ok_or(TeamError::NotFound { what: "project" })?;
        self.store.switch_off_order(project, member).await?;
        self.auto_mode(member, project).await
    }

    /// Stops every agent, pauses every auto mode and ends every execution of a system. Returns how many runs and how many orders.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stop_all(&self, by: &Member) -> Result<(usize, usize), TeamError> {
        let pause = Problem {
            code: "stopped-by-admin".to_owned(),
            message: format!("{} stopped every agent.", by.name),
            hint: "When that is settled, start auto mode again: its cards go on where they were stopped.".to_owned(),
        };
        // First and whatever else there is: the agents.
        let (mut runs, orders) = self.store.stop_all(&pause).await?;
        // Then what would begin others in their place, and those that it began in between. One that cannot be stopped keeps none
        // of the others going.
        let ended = self.store.end_all_executions(&pause.message).await;
        let mut failed = None;
        for task in self.store.tasks_left_over().await? {
            match self.cancel_task(task).await {
                Ok(_) => runs += 1,
                Err(error) => failed = Some(error),
            }
        }
        ended?;
        failed.map_or(Ok((runs, orders)), Err)
    }

    /// A member's order in a project as it stands, with why nothing starts at the moment, as `viewer` is told it.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the project is gone.
    pub async fn auto_mode_for(
        &self,
        viewer: MemberId,
        member: MemberId,
        project: ProjectId,
    ) -> Result<AutoMode, TeamError> {
        self.store.project(project).await?.ok_or(TeamError::NotFound { what: "project" })?;
        let order = self.store.order(project, member).await?.unwrap_or_else(|| AutoOrder {
            project_id: project,
            member_id: member,
            state: OrderState::Off,
            max_concurrent: 1,
            window: None,
            at_close: AtClose::FinishTurn,
            failures: Vec::new(),
            pause: None,
            changed_at: self.clock.now(),
        });
        let (night, limits) = (self.store.night().await?, self.limits().await?);
        let cards = self.seen_cards(&night, |card| card.project == project && card.member == member).await?;
        self.as_it_stands(order, &night, &cards, limits, &mut self.words_for(viewer).await?).await
    }

    /// A member's order in a project as it stands, as that member is told it.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the project is gone.
    pub async fn auto_mode(&self, member: MemberId, project: ProjectId) -> Result<AutoMode, TeamError> {
        self.auto_mode_for(member, member, project).await
    }

    /// Everybody's orders that are not switched off, as `viewer` is told of them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn auto_modes(&self, viewer: MemberId) -> Result<Vec<AutoMode>, TeamError> {
        let (mut night, limits) = (self.store.night().await?, self.limits().await?);
        let mut words = self.words_for(viewer).await?;
        let cards = self.seen_cards(&night, |_| true).await?;
        let mut all = Vec::new();
        for order in std::mem::take(&mut night.orders) {
            all.push(self.as_it_stands(order, &night, &cards, limits, &mut words).await?);
        }
        Ok(all)
    }

    /// Cards of orders, each with what it lacks where its order is on.
    pub(crate) async fn seen_cards(
        &self,
        night: &Night,
        wanted: impl Fn(&Card) -> bool,
    ) -> Result<Vec<Card>, TeamError> {
        let is_on =
            |card: &Card| order_of(night, card.project, card.member).is_some_and(|order| order.state == OrderState::On);
        let (mut cards, others): (Vec<Card>, Vec<Card>) =
            night.cards.iter().filter(|card| wanted(card)).cloned().partition(is_on);
        self.note_hindrances(&mut cards).await?;
        cards.extend(others);
        Ok(cards)
    }

    async fn as_it_stands(
        &self,
        order: AutoOrder,
        night: &Night,
        cards: &[Card],
        limits: Limits,
        words: &mut Words,
    ) -> Result<AutoMode, TeamError> {
        let now = words.now;
        let (project, member) = (order.project_id, order.member_id);
        let live = night.live(now);
        let place = Place { live: &live, held: &night.held, limits, used_up: &night.used_up, strain: night.strain };
        let own = |card: &&Card| card.project == project && card.member == member;
        let first = cards
            .iter()
            .filter(own)
            .filter(|card| card.open.is_empty() && card.hindered.is_none())
            .min_by_key(|card| (card.priority, card.run.is_none(), card.since, card.number));
        let hindrance = match first {
            Some(card) if order.state == OrderState::On => {
                let lacks = match card.run {
                    Some(_) => self.may_go_on(member, card.feature).await.err(),
                    None => self.new_run(member, card.feature).await.err(),
                };
                lacks.map(|error| error.to_string())
            }
            _ => None,
        };
        let standing = order.standing(now);
        let waiting = match auto::of_order(&order, cards, now, hindrance, &place) {
            Some(reason) => Some(self.told(reason, member, words).await?),
            None => None,
        };
        let runs = live.iter().filter(|run| run.kind == FeatureKind::Card);
        let running = runs.filter(|run| run.working && run.member == member && run.project == project).count();
        Ok(AutoMode {
            open: standing.open,
            changes_at: standing.changes_at,
            waiting,
            running: running as i64,
            backlog: night.backlog_of(project, member),
            stopped: cards.iter().filter(own).filter(|card| card.run.is_some()).count() as i64,
            limit: limits.max_concurrent_features_per_member,
            order,
        })
    }

    /// What waits, of everybody, each with the reason, as `viewer` is told it: the cards of one project, or all that waits for
    /// a place anywhere, chats and tasks among it.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the project is gone.
    pub async fn queue(&self, viewer: MemberId, project: Option<ProjectId>) -> Result<Vec<QueueItem>, TeamError> {
        if let Some(project) = project {
            self.store.project(project).await?.ok_or(TeamError::NotFound { what: "project" })?;
        }
        let wanted = |other: ProjectId| project.is_none_or(|project| project == other);
        let (night, limits) = (self.store.night().await?, self.limits().await?);
        let mut words = self.words_for(viewer).await?;
        let now = words.now;
        let live = night.live(now);
        let place = Place { live: &live, held: &night.held, limits, used_up: &night.used_up, strain: night.strain };
        let mut items = Vec::new();
        let line = in_line(&night, now).into_iter().filter(|(queued, _)| {
            // A board shows cards; whoever asks for the whole line sees everybody in it.
            (queued.live.kind == FeatureKind::Card || project.is_none()) && wanted(queued.live.project)
        });
        for (queued, position) in line {
            let put_off = queued.parked_until.filter(|until| *until > now).map(|until| PutOff {
                until,
                why: queued.parked_reason.as_deref(),
                awaits: queued.parked_for,
            });
            items.push(Waits {
                kind: queued.live.kind,
                feature: queued.feature,
                project: queued.live.project,
                run: Some(queued.live.run),
                member: queued.live.member,
                position,
                reason: auto::of_run(&queued.live, night.waits_for(queued), put_off, &place),
            });
        }
        for plan in self.store.waiting_plans(project).await? {
            items.push(Waits {
                kind: FeatureKind::Card,
                feature: plan.feature_id,
                project: plan.project_id,
                run: Some(plan.run_id),
                member: plan.member_id,
                position: None,
                reason: Reason::Plan,
            });
        }
        let mut cards = self.seen_cards(&night, |card| wanted(card.project)).await?;
        cards.sort_by_key(|card| {
            (
                card.project,
                card.member,
                !card.open.is_empty(),
                card.priority,
                card.run.is_none(),
                card.since,
                card.number,
            )
        });
        for card in cards.iter().take(MOST.saturating_sub(items.len())) {
            let Some(order) = order_of(&night, card.project, card.member) else { continue };
            let Some(reason) = auto::of_card(order, card, now, &place) else { continue };
            items.push(Waits {
                kind: FeatureKind::Card,
                feature: card.feature,
                project: card.project,
                run: card.run,
                member: card.member,
                position: None,
                reason,
            });
        }
        items.truncate(MOST);
        self.read_titles(&mut words, items.iter().map(|item| &item.reason)).await?;
        Ok(items.into_iter().map(|item| item.told(&words)).collect())
    }
}

/// What waits, before it is put in words.
struct Waits {
    kind: FeatureKind,
    feature: FeatureId,
    project: ProjectId,
    run: Option<RunId>,
    member: MemberId,
    position: Option<i64>,
    reason: Reason,
}

impl Waits {
    fn told(self, words: &Words) -> QueueItem {
        QueueItem {
            kind: self.kind,
            feature_id: self.feature,
            project_id: self.project,
            run_id: self.run,
            member_id: self.member,
            position: self.position,
            waiting: words.told(self.reason, self.member),
        }
    }
}

pub(crate) fn order_of(night: &Night, project: ProjectId, member: MemberId) -> Option<&AutoOrder> {
    night.orders.iter().find(|order| order.project_id == project && order.member_id == member)
}

/// What waits, in the order in which places are given if nothing changes, with its place where it waits for one.
fn in_line(night: &Night, now: DateTime) -> Vec<(&Queued, Option<i64>)> {
    let live = night.live(now);
    let mut working = AtWork::new();
    live.iter().filter(|run| run.working).for_each(|run| *working.entry((run.member, run.kind)).or_default() += 1);
    let waiting: Vec<Candidate> = live
        .iter()
        .filter(|run| !run.working && !run.put_off)
        .map(|run| Candidate {
            run: run.run,
            member: run.member,
            kind: run.kind,
            priority: run.priority,
            since: run.since,
        })
        .collect();
    let positions: HashMap<RunId, i64> =
        schedule::line(&waiting, &working).into_iter().map(|candidate| candidate.run).zip(1..).collect();
    let mut line: Vec<(&Queued, Option<i64>)> = night
        .queue
        .iter()
        .filter(|queued| !queued.live.working)
        .map(|queued| (queued, positions.get(&queued.live.run).copied()))
        .collect();
    line.sort_by_key(|(queued, position)| (position.unwrap_or(i64::MAX), queued.live.since, queued.live.run));
    line
}
