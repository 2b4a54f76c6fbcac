//! Auto mode as members see it: the order as it stands, the queue, and why something does not start.

use std::collections::HashMap;

use guildhall_store::{Night, OrderChange, Queued};
use guildhall_types::auto::{self, AtClose, AutoOrder, Card, Live, OrderState, Place, PutOff, Reason};
use guildhall_types::feature::{Feature, Problem};
use guildhall_types::limits::Limits;
use guildhall_types::member::Member;
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId, RunId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Team, TeamError};

/// Names the team's limits among the settings.
pub const LIMITS: &str = "limits";
/// Titles that one sentence names at most.
const NAMED: usize = 3;

/// A reason with its words.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Told {
    /// The reason.
    #[serde(flatten)]
    pub reason: Reason,
    /// The same in a sentence.
    pub message: String,
}

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
    /// Runs of one member at once at most; `maxConcurrent` cannot be more.
    pub limit: i64,
}

/// A card that waits, and why.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueItem {
    /// The card.
    pub feature_id: FeatureId,
    /// Its run; nothing for a card that auto mode has not started yet.
    pub run_id: Option<RunId>,
    /// Whose run or order it is.
    pub member_id: MemberId,
    /// Its place among all that wait for nothing but a place: 1 comes next.
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

    /// Switches a member's auto mode on in a project, with what changes of it.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad number or window; the store's error when the project is gone.
    pub async fn start_auto_mode(
        &self,
        member: MemberId,
        project: ProjectId,
        change: OrderChange,
    ) -> Result<AutoMode, TeamError> {
        let most = self.limits().await?.max_concurrent_features_per_member;
        if change.max_concurrent.is_some_and(|wanted| !(1..=most).contains(&wanted)) {
            return Err(TeamError::invalid("maxConcurrent", format!("give a number from 1 to {most}")));
        }
        if let Some(Some(window)) = &change.window {
            window.check().map_err(|wrong| TeamError::invalid("window", wrong.to_string()))?;
        }
        self.store.switch_on_order(project, member, change).await?;
        self.auto_mode(member, project).await
    }

    /// Switches a member's auto mode off in a project. Admins may do that for others.
    ///
    /// # Errors
    /// [`TeamError::Store`] when `by` may not; [`TeamError::NotFound`] when the project is gone.
    pub async fn stop_auto_mode(
        &self,
        by: &Member,
        member: MemberId,
        project: ProjectId,
    ) -> Result<AutoMode, TeamError> {
        if by.id != member && !by.role.may(guildhall_types::rights::MemberRight::Administer) {
            let refused = guildhall_types::member::ChangeRefused::MissingRight;
            return Err(guildhall_store::StoreError::Refused(refused).into());
        }
        self.store.project(project).await?.ok_or(TeamError::NotFound { what: "project" })?;
        self.store.switch_off_order(project, member).await?;
        self.auto_mode(member, project).await
    }

    /// Stops every agent and pauses every auto mode. Returns how many runs and how many orders.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stop_all(&self, by: &Member) -> Result<(usize, usize), TeamError> {
        let pause = Problem {
            code: "stopped-by-admin".to_owned(),
            message: format!("{} stopped every agent.", by.name),
            hint: "When that is settled, start auto mode again.".to_owned(),
        };
        Ok(self.store.stop_all(&pause).await?)
    }

    /// A member's order in a project as it stands, with why nothing starts at the moment.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the project is gone.
    pub async fn auto_mode(&self, member: MemberId, project: ProjectId) -> Result<AutoMode, TeamError> {
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
        let (night, limits, now) = (self.store.night().await?, self.limits().await?, self.clock.now());
        let live = night.live(now);
        let place = Place { live: &live, held: &night.held, limits, used_up: &night.used_up };
        let own = |card: &&Card| card.project == project && card.member == member;
        let first = night
            .cards
            .iter()
            .filter(own)
            .filter(|card| card.open.is_empty())
            .min_by_key(|card| (card.priority, card.since, card.number));
        let hindrance = match first {
            Some(card) if order.state == OrderState::On => {
                self.new_run(member, card.feature).await.err().map(|error| error.to_string())
            }
            _ => None,
        };
        let standing = order.standing(now);
        let waiting = match auto::of_order(&order, &night.cards, now, hindrance, &place) {
            Some(reason) => Some(self.told(reason, member, Some(&order), &mut HashMap::new()).await?),
            None => None,
        };
        let running = live.iter().filter(|run| run.working && run.member == member && run.project == project).count();
        Ok(AutoMode {
            open: standing.open,
            changes_at: standing.changes_at,
            waiting,
            running: running as i64,
            backlog: night.cards.iter().filter(own).count() as i64,
            limit: limits.max_concurrent_features_per_member,
            order,
        })
    }

    /// The cards of a project that wait, each with the reason, as `viewer` is told it.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the project is gone.
    pub async fn queue(&self, viewer: MemberId, project: ProjectId) -> Result<Vec<QueueItem>, TeamError> {
        self.store.project(project).await?.ok_or(TeamError::NotFound { what: "project" })?;
        let (night, limits, now) = (self.store.night().await?, self.limits().await?, self.clock.now());
        let live = night.live(now);
        let place = Place { live: &live, held: &night.held, limits, used_up: &night.used_up };
        let mut known = HashMap::new();
        let mut items = Vec::new();
        for (queued, position) in in_line(&night, now) {
            if queued.live.project != project {
                continue;
            }
            let put_off = queued.parked_until.filter(|until| *until > now).map(|until| PutOff {
                until,
                why: queued.parked_reason.as_deref(),
                budget: queued.parked_for,
            });
            let reason = auto::of_run(&queued.live, night.waits_for(queued), put_off, &place);
            let order = order_of(&night, project, queued.live.member);
            items.push(QueueItem {
                feature_id: queued.feature,
                run_id: Some(queued.live.run),
                member_id: queued.live.member,
                position,
                waiting: self.told(reason, viewer, order, &mut known).await?,
            });
        }
        for card in night.cards.iter().filter(|card| card.project == project) {
            let Some(order) = order_of(&night, project, card.member) else { continue };
            let Some(reason) = auto::of_card(order, card, now, &place) else { continue };
            items.push(QueueItem {
                feature_id: card.feature,
                run_id: None,
                member_id: card.member,
                position: None,
                waiting: self.told(reason, viewer, Some(order), &mut known).await?,
            });
        }
        Ok(items)
    }

    /// A reason in words.
    async fn told(
        &self,
        reason: Reason,
        viewer: MemberId,
        order: Option<&AutoOrder>,
        known: &mut HashMap<FeatureId, Option<Feature>>,
    ) -> Result<Told, TeamError> {
        let own = order.is_none_or(|order| order.member_id == viewer);
        let whose = if own { "your" } else { "the member's" };
        let message = match &reason {
            Reason::Paused => "Auto mode is paused.".to_owned(),
            Reason::Window { until: Some(until) } => match order.and_then(|order| order.window.as_ref()) {
                Some(window) => format!("The window opens at {}.", window.shows(*until)),
                None => format!("It rests until {}.", until.format("%a %H:%M UTC")),
            },
            Reason::Window { until: None } => "The window never opens; set it again.".to_owned(),
            Reason::Provider { until, why } => format!("Waits until {}. {why}", until.format("%a %H:%M UTC")),
            Reason::Budget { why, .. } => why.clone(),
            Reason::Dependencies { features } => {
                let mut titles = Vec::new();
                for id in features.iter().take(NAMED) {
                    if !known.contains_key(id) {
                        known.insert(*id, self.store.feature(*id).await?);
                    }
                    titles.push(match known.get(id).and_then(Option::as_ref) {
                        Some(feature) => format!("#{} {}", feature.card.number, feature.card.title),
                        None => "a card that is gone".to_owned(),
                    });
                }
                let more = features.len().saturating_sub(NAMED);
                let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("Waits for {}{rest}.", titles.join(", "))
            }
            Reason::OrderLimit { limit } => format!("Auto mode's limit of {limit} at once is reached."),
            Reason::MemberLimit { limit } => format!("Waits for a place: {whose} limit of {limit} runs is reached."),
            Reason::TeamLimit { limit } => format!("Waits for a place: the team's limit of {limit} runs is reached."),
            Reason::WorktreeLimit { limit } => format!(
                "Waits for room: {whose} limit of {limit} worktrees is reached. Merge finished work, or take it back."
            ),
            Reason::Turn => "Its turn comes next.".to_owned(),
            Reason::Hindered { message } => sentence(message),
            Reason::BacklogEmpty => {
                "There are no cards of yours in the backlog. New ones are taken as they come.".to_owned()
            }
        };
        Ok(Told { reason, message })
    }
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

fn order_of(night: &Night, project: ProjectId, member: MemberId) -> Option<&AutoOrder> {
    night.orders.iter().find(|order| order.project_id == project && order.member_id == member)
}

/// What waits, in the order in which places are given if nothing changes, with its place where it waits for one.
fn in_line(night: &Night, now: DateTime) -> Vec<(&Queued, Option<i64>)> {
    let mut free: Vec<Live> = night.live(now).into_iter().filter(|run| !run.working && !run.put_off).collect();
    free.sort_by_key(|run| (run.priority, run.since, run.run));
    let position = |run: &Live| free.iter().position(|other| other.run == run.run).map(|at| at as i64 + 1);
    let mut line: Vec<(&Queued, Option<i64>)> = night
        .queue
        .iter()
        .filter(|queued| !queued.live.working)
        .map(|queued| (queued, position(&queued.live)))
        .collect();
    line.sort_by_key(|(queued, position)| (position.unwrap_or(i64::MAX), queued.live.since, queued.live.run));
    line
}
