//! The morning report: what it says of what auto mode did, and when a member is told.

mod due;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auto::Told;
use crate::feature::{FeatureStatus, Problem};
use crate::forecast::Forecast;
use crate::run::{Awaits, RunStatus};
use crate::{DateTime, FeatureId, ProjectId, ReportId, RunId, text_enum::text_enum};

pub use due::{Due, MORNING, Shift, morning_of};

text_enum! {
    /// Why a report was made.
    pub enum ReportCause {
        /// The window of an order closed.
        WindowClosed = "window-closed",
        /// Nothing is left that could be started.
        Rest = "rest",
        /// Auto mode is paused.
        Paused = "paused",
        /// The member, or an admin, switched auto mode off.
        Stopped = "stopped",
        /// It is morning where the member lives.
        Morning = "morning",
    }
}

text_enum! {
    /// What a run does or waits for in a stretch of time.
    pub enum SpanKind {
        /// A node works on it.
        Work = "work",
        /// It waits for its provider.
        Provider = "provider",
        /// A budget had too little left for its next call.
        Budget = "budget",
        /// It rests until auto mode's window opens.
        Window = "window",
        /// The server was short of memory or disk, or without its database.
        Server = "server",
        /// What its card depends on gave nothing to begin from.
        Dependencies = "dependencies",
    }
}

impl SpanKind {
    /// What a run waits for that is put off: without a reason, for auto mode's window.
    pub const fn of_rest(awaits: Option<Awaits>, reason: bool) -> Self {
        match awaits {
            Some(Awaits::RunBudget | Awaits::MonthBudget) => Self::Budget,
            Some(Awaits::Dependencies) => Self::Dependencies,
            Some(Awaits::Server) => Self::Server,
            None if reason => Self::Provider,
            None => Self::Window,
        }
    }

    /// Whether it ends because somebody does something, or at a moment that is known, and not as the work goes on.
    pub const fn rests(self) -> bool {
        matches!(self, Self::Window | Self::Budget | Self::Dependencies)
    }
}

text_enum! {
    /// What came of a card.
    pub enum Outcome {
        /// It is on the default branch.
        Merged = "merged",
        /// It is verified.
        Verified = "verified",
        /// The agent is done, and a member is to look.
        WaitsForApproval = "waits-for-approval",
        /// A member is to look at the plan.
        WaitsForPlan = "waits-for-plan",
        /// It failed, or its checks did.
        Failed = "failed",
        /// Somebody stopped it.
        Stopped = "stopped",
        /// It is at work, or waits for a place.
        UnderWay = "under-way",
        /// It waits for its provider.
        WaitsForProvider = "waits-for-provider",
        /// A budget has too little left for its next call.
        WaitsForBudget = "waits-for-budget",
        /// What it depends on gives nothing to begin from, as it stands.
        WaitsForDependencies = "waits-for-dependencies",
        /// The server has no room on its disk, or no database.
        WaitsForServer = "waits-for-server",
        /// It rests until auto mode's window opens.
        Rests = "rests",
    }
}

impl Outcome {
    /// What came of a run, from where it and its card stand; nothing when the card was taken from it since.
    pub fn of(
        run: RunStatus,
        card: FeatureStatus,
        plan_waits: bool,
        troubled: bool,
        put_off: Option<SpanKind>,
    ) -> Option<Self> {
        use FeatureStatus as F;
        match (run, put_off) {
            (RunStatus::Queued, Some(SpanKind::Provider)) => return Some(Self::WaitsForProvider),
            (RunStatus::Queued, Some(SpanKind::Budget)) => return Some(Self::WaitsForBudget),
            (RunStatus::Queued, Some(SpanKind::Dependencies)) => return Some(Self::WaitsForDependencies),
            (RunStatus::Queued, Some(SpanKind::Server)) => return Some(Self::WaitsForServer),
            (RunStatus::Queued, Some(SpanKind::Window)) => return Some(Self::Rests),
            (RunStatus::Queued | RunStatus::Running, _) => return Some(Self::UnderWay),
            _ => {}
        }
        match card {
            F::Completed => Some(Self::Merged),
            F::Verified => Some(Self::Verified),
            F::InProgress if plan_waits => Some(Self::WaitsForPlan),
            F::WaitingApproval if troubled => Some(Self::Failed),
            F::WaitingApproval => Some(Self::WaitsForApproval),
            F::Failed => Some(Self::Failed),
            F::Paused => Some(Self::Stopped),
            F::Backlog | F::Queued | F::InProgress => None,
        }
    }

    /// Whether something was built.
    pub const fn is_built(self) -> bool {
        matches!(self, Self::Merged | Self::Verified | Self::WaitsForApproval)
    }

    /// Whether it needs a person.
    pub const fn needs_somebody(self) -> bool {
        matches!(
            self,
            Self::Verified
                | Self::WaitsForApproval
                | Self::WaitsForPlan
                | Self::WaitsForBudget
                | Self::WaitsForDependencies
                | Self::Failed
                | Self::Stopped
        )
    }

    /// What a member can do next, in a sentence; nothing where there is nothing to do.
    pub const fn next(self, changed_nothing: bool) -> Option<&'static str> {
        match self {
            Self::WaitsForApproval | Self::Verified if changed_nothing => {
                Some("Read what the agent says; then tell it more, or take it for done.")
            }
            Self::Merged | Self::UnderWay => None,
            Self::Verified => Some("Merge it."),
            Self::WaitsForApproval => Some("Look at the changes, then verify or merge."),
            Self::WaitsForPlan => Some("Read the plan, then approve or reject it."),
            Self::Failed => Some("See what it says, then retry or answer the agent."),
            Self::Stopped => Some("Resume it, or take it back to the backlog."),
            Self::WaitsForProvider => Some("It goes on by itself when its provider has room again."),
            Self::WaitsForBudget => Some("Allow the run more, or raise the month's budget; nothing of it is lost."),
            Self::WaitsForDependencies => Some("Do what it says; it begins by itself then."),
            Self::WaitsForServer => Some("It goes on by itself when the server is well again."),
            Self::Rests => Some("It goes on by itself when the window opens."),
        }
    }
}

/// What a report says of one card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportCard {
    /// The card.
    pub feature_id: FeatureId,
    /// Its run.
    pub run_id: RunId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its number within the project.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether it was finished without a change of any file: there is nothing to look at in it.
    #[serde(default)]
    pub changed_nothing: bool,
    /// Why it failed, and what helps.
    pub problem: Option<Problem>,
    /// What it waits for, in a sentence.
    pub reason: Option<String>,
    /// Until when it waits or rests.
    pub until: Option<DateTime>,
    /// What a member can do next, in a sentence.
    pub next: Option<String>,
    /// What it took in the time that the report tells of.
    #[serde(flatten)]
    pub took: Took,
}

/// What work took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Took {
    /// Time at work, in milliseconds.
    pub worked_ms: i64,
    /// Time of waiting for the provider, in milliseconds.
    pub provider_ms: i64,
    /// Time of rest, for a window to open, a budget to hold more, the server to have room or other cards to be mended, in
    /// milliseconds.
    pub rest_ms: i64,
    /// Tokens of all kinds.
    pub tokens: i64,
    /// Cost in micro-dollars.
    pub cost_micros: i64,
}

impl std::ops::AddAssign for Took {
    fn add_assign(&mut self, other: Self) {
        self.worked_ms += other.worked_ms;
        self.provider_ms += other.provider_ms;
        self.rest_ms += other.rest_ms;
        self.tokens += other.tokens;
        self.cost_micros += other.cost_micros;
    }
}

impl Took {
    /// Adds a stretch of time, as much of it as lies between these moments. One without an end goes on until the second.
    pub fn add_span(
        &mut self,
        kind: SpanKind,
        begins: DateTime,
        ends: Option<DateTime>,
        from: DateTime,
        until: DateTime,
    ) {
        let ends = ends.unwrap_or(until).min(until);
        let ms = (ends - begins.max(from)).num_milliseconds().max(0);
        match kind {
            SpanKind::Work => self.worked_ms += ms,
            SpanKind::Provider => self.provider_ms += ms,
            SpanKind::Budget | SpanKind::Window | SpanKind::Server | SpanKind::Dependencies => self.rest_ms += ms,
        }
    }
}

/// A forecast beside what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The project.
    pub project_id: ProjectId,
    /// What was expected.
    pub forecast: Forecast,
    /// Cards that were built.
    pub done: i64,
    /// What the project's cards cost, in micro-dollars.
    pub cost_micros: i64,
}

/// Cards of a project that auto mode did not begin, and that wait for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotBegun {
    /// The project.
    pub project_id: ProjectId,
    /// What they wait for.
    pub waiting: Told,
    /// How many they are.
    pub count: i64,
    /// The first of them.
    pub cards: Vec<NotBegunCard>,
}

/// A card that auto mode did not begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotBegunCard {
    /// The card.
    pub feature_id: FeatureId,
    /// Its number within the project.
    pub number: i64,
    /// Its title.
    pub title: String,
}

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportBody {
    /// The cards, what needs somebody first.
    pub cards: Vec<ReportCard>,
    /// Cards that were built: merged, verified, or waiting for approval.
    pub built: i64,
    /// Cards of those that are merged.
    pub merged: i64,
    /// Cards that need somebody.
    pub waiting: i64,
    /// Cards that failed.
    pub failed: i64,
    /// Cards that are at work, wait or rest.
    pub under_way: i64,
    /// What all of it took.
    pub total: Took,
    /// The forecasts of the evening, each beside what came of it.
    pub forecasts: Vec<Compared>,
    /// Why an order of the member is paused.
    pub pauses: Vec<Problem>,
    /// The cards that were not begun, by what they wait for. Reports of earlier versions have none.
    #[serde(default)]
    #[schema(required = true)]
    pub not_begun: Vec<NotBegun>,
}

impl ReportBody {
    /// A report of these cards; `others` is what was taken by runs whose cards have gone elsewhere since.
    pub fn of(
        mut cards: Vec<ReportCard>,
        others: Took,
        forecasts: Vec<(ProjectId, Forecast)>,
        pauses: Vec<Problem>,
        not_begun: Vec<NotBegun>,
    ) -> Self {
        let urgency = |card: &ReportCard| match card.outcome {
            Outcome::Failed => 0,
            Outcome::WaitsForPlan | Outcome::WaitsForBudget | Outcome::WaitsForDependencies => 1,
            Outcome::WaitsForApproval => 2,
            Outcome::Verified => 3,
            Outcome::Stopped => 4,
            Outcome::Merged => 5,
            Outcome::UnderWay | Outcome::WaitsForProvider | Outcome::WaitsForServer | Outcome::Rests => 6,
        };
        cards.sort_by_key(|card| (urgency(card), card.project_id, card.number));
        let count = |of: &dyn Fn(&ReportCard) -> bool| cards.iter().filter(|card| of(card)).count() as i64;
        let mut total = others;
        cards.iter().for_each(|card| total += card.took);
        let forecasts = forecasts
            .into_iter()
            .map(|(project, forecast)| Compared {
                project_id: project,
                forecast,
                done: count(&|card| card.project_id == project && card.outcome.is_built()),
                cost_micros: cards
                    .iter()
                    .filter(|card| card.project_id == project)
                    .map(|card| card.took.cost_micros)
                    .sum(),
            })
            .collect();
        Self {
            built: count(&|card| card.outcome.is_built()),
            merged: count(&|card| card.outcome == Outcome::Merged),
            waiting: count(&|card| card.outcome.needs_somebody()),
            failed: count(&|card| card.outcome == Outcome::Failed),
            under_way: count(&|card| {
                matches!(
                    card.outcome,
                    Outcome::UnderWay | Outcome::WaitsForProvider | Outcome::WaitsForServer | Outcome::Rests
                )
            }),
            total,
            forecasts,
            pauses,
            not_begun,
            cards,
        }
    }

    /// The whole of it in one sentence.
    pub fn headline(&self) -> String {
        let built = match self.built {
            0 => "Nothing was built".to_owned(),
            1 => "1 card was built".to_owned(),
            n => format!("{n} cards were built"),
        };
        let mut parts = vec![built];
        let mut say = |count: i64, one: &str, many: &str| match count {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {many}")),
        };
        say(self.merged, "of them is merged", "of them are merged");
        say(self.waiting - self.failed, "waits for you", "wait for you");
        say(self.failed, "failed", "failed");
        say(self.under_way, "is under way", "are under way");
        let not_begun = self.not_begun.iter().map(|group| group.count).sum();
        say(not_begun, "did not begin", "did not begin");
        format!("{}.", parts.join(", "))
    }
}

/// A report, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The report's id.
    pub id: ReportId,
    /// Why it was made.
    pub cause: ReportCause,
    /// From when on it tells.
    pub from: DateTime,
    /// Up to when it tells.
    pub until: DateTime,
    /// When its member looked at it.
    pub read_at: Option<DateTime>,
    /// What it says.
    #[serde(flatten)]
    pub body: ReportBody,
}

/// How a member wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportSettings {
    /// Whether reports come by mail as well.
    pub mail: bool,
    /// When the member is told of a night whose window is still open, such as `07:00`, in the member's time zone.
    pub morning: String,
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self { mail: false, morning: MORNING.to_owned() }
    }
}

#[cfg(test)]
mod tests;
