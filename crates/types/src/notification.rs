//! What members are told of their work while they do something else.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::feature::FeatureCard;
use crate::run::Run;
use crate::text_enum::text_enum;
use crate::{AlertId, DateTime, ExecutionId, FeatureId, MemberId, NotificationId, ProjectId, RunId};

text_enum! {
    /// What a member can be told of. The text is also the type of a webhook's message.
    pub enum NotificationKind {
        /// An agent is done with a card; a member is to look at the work.
        CardWaits = "card.waits",
        /// A card was verified.
        CardVerified = "card.verified",
        /// A run failed.
        CardFailed = "card.failed",
        /// An agent proposed a plan; a member is to decide on it.
        PlanReady = "plan.ready",
        /// An execution of a system asks a person. Told to everybody who may answer.
        ReviewWaits = "review.waits",
        /// An execution of a system came to its end. Told to who started it.
        ExecutionCompleted = "execution.completed",
        /// An execution of a system failed. Told to who started it.
        ExecutionFailed = "execution.failed",
        /// Auto mode of the member paused itself, or somebody else paused it or switched it off.
        AutoModePaused = "auto-mode.paused",
        /// Somebody stopped every agent, those of the member among them.
        RunsStopped = "runs.stopped",
        /// A budget is used up: the member's own, or of somebody whose budget the member may raise.
        BudgetReached = "budget.reached",
        /// The report of a night is there.
        MorningReport = "morning-report.ready",
        /// A webhook was switched off, because nobody took what it sent.
        WebhookOff = "webhook.off",
        /// An MCP server that the member added offers tools that nobody has approved as they are.
        McpToolsChanged = "mcp-server.tools-changed",
        /// Something about a server or the team's operation should be looked at. Told to whoever administers the team.
        AlertWarning = "alert.warning",
        /// The same, where it harms the team's work or is about to.
        AlertCritical = "alert.critical",
        /// An alert is over.
        AlertCleared = "alert.cleared",
    }
}

impl NotificationKind {
    /// What it is, in a few words that may follow what it is about.
    pub const fn words(self) -> &'static str {
        match self {
            Self::CardWaits => "waits for approval",
            Self::CardVerified => "is verified",
            Self::CardFailed => "failed",
            Self::PlanReady => "has a plan to look at",
            Self::ReviewWaits => "waits for a review",
            Self::ExecutionCompleted => "is completed",
            Self::ExecutionFailed => "failed",
            Self::AutoModePaused => "auto mode has stopped",
            Self::RunsStopped => "runs were stopped",
            Self::BudgetReached => "a budget is used up",
            Self::MorningReport => "the morning report is ready",
            Self::WebhookOff => "a webhook was switched off",
            Self::McpToolsChanged => "tools of an MCP server changed",
            Self::AlertWarning => "a warning",
            Self::AlertCritical => "critical",
            Self::AlertCleared => "well again",
        }
    }

    /// Whether it comes by mail unless the member says otherwise: only what ends the night's work until somebody acts, or soon
    /// will.
    pub const fn by_mail_at_first(self) -> bool {
        matches!(
            self,
            Self::AutoModePaused
                | Self::RunsStopped
                | Self::BudgetReached
                | Self::WebhookOff
                | Self::AlertWarning
                | Self::AlertCritical
        )
    }

    /// Whether a mail of its own tells of it, which the member chooses elsewhere.
    pub const fn has_own_mail(self) -> bool {
        matches!(self, Self::MorningReport)
    }

    /// Whether the team's webhooks may hear of it: not of what is one member's alone.
    pub const fn for_team(self) -> bool {
        self.of_card()
            || self.of_alert()
            || self.of_execution()
            || matches!(self, Self::AutoModePaused | Self::RunsStopped)
    }

    /// Whether it is about the team's operation, of which only whoever administers it is told.
    pub const fn of_alert(self) -> bool {
        matches!(self, Self::AlertWarning | Self::AlertCritical | Self::AlertCleared)
    }

    /// Whether it is about an execution of a system.
    pub const fn of_execution(self) -> bool {
        matches!(self, Self::ReviewWaits | Self::ExecutionCompleted | Self::ExecutionFailed)
    }

    /// Whether it is about a card rather than about a project or the member.
    pub const fn of_card(self) -> bool {
        matches!(self, Self::CardWaits | Self::CardVerified | Self::CardFailed | Self::PlanReady)
    }
}

/// Something that a member is told. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The notification's id.
    pub id: NotificationId,
    /// What happened.
    pub kind: NotificationKind,
    /// The project that it is about, if any.
    pub project_id: Option<ProjectId>,
    /// The card that it is about, if any.
    pub feature_id: Option<FeatureId>,
    /// The run that it is about, if any.
    pub run_id: Option<RunId>,
    /// The alert that it is about, if any.
    pub alert_id: Option<AlertId>,
    /// The execution of a system that it is about, if any.
    pub execution_id: Option<ExecutionId>,
    /// The other member whose affair it is, if it is one's.
    pub about_member_id: Option<MemberId>,
    /// What it is about, such as `#12 Login form` or the name of a project.
    pub subject: String,
    /// What happened, in a sentence or two.
    pub text: String,
    /// How often it happened since the member last read of it.
    pub count: i64,
    /// The number of the event that told of it last; later ones are larger.
    pub seq: i64,
    /// When it happened last.
    pub at: DateTime,
    /// When the member read it.
    pub read_at: Option<DateTime>,
}

impl Notification {
    /// The same in one line, as a mail's subject or a line in a chat.
    pub fn headline(&self) -> String {
        let Self { kind, subject, count, .. } = self;
        let line = match kind.of_card() || subject.is_empty() {
            true => format!("{subject} {}", kind.words()).trim().to_owned(),
            false => format!("{subject}: {}", kind.words()),
        };
        match count {
            0 | 1 => line,
            _ => format!("{line} ({count} times)"),
        }
    }

    /// Where in the page one sees what it is about.
    pub fn path(&self) -> String {
        if let Some(execution) = self.execution_id {
            return format!("/executions/{execution}");
        }
        match (self.project_id, self.feature_id) {
            (_, Some(feature)) => format!("/f/{feature}"),
            (Some(project), None) if self.kind == NotificationKind::McpToolsChanged => format!("/p/{project}/settings"),
            (Some(project), None) => format!("/p/{project}"),
            _ if self.kind == NotificationKind::WebhookOff => "/settings".to_owned(),
            _ if self.kind == NotificationKind::McpToolsChanged => "/settings#team-mcp-servers".to_owned(),
            _ if self.kind == NotificationKind::BudgetReached => "/usage#budgets".to_owned(),
            _ if self.kind.of_alert() => "/operation/alerts".to_owned(),
            _ => "/".to_owned(),
        }
    }
}

/// Something that members are to be told; see `tell` of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tell {
    /// What happened.
    pub kind: NotificationKind,
    /// Who is told: each once, and nobody of what they did themselves this moment.
    pub members: Vec<MemberId>,
    /// The project that it is about.
    pub project: Option<ProjectId>,
    /// The card that it is about.
    pub feature: Option<FeatureId>,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// The alert that it is about.
    pub alert: Option<AlertId>,
    /// The execution that it is about.
    pub execution: Option<ExecutionId>,
    /// The other member whose affair it is.
    pub about: Option<MemberId>,
    /// What it is about, in a few words.
    pub subject: String,
    /// What happened, in a sentence or two. Never a secret.
    pub text: String,
    /// Whether it is mailed to those, too, who have not read yet of the last time: that was long ago.
    pub anew: bool,
}

impl Tell {
    /// Something that one member is to be told.
    pub fn new(kind: NotificationKind, member: MemberId, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            kind,
            members: vec![member],
            project: None,
            feature: None,
            run: None,
            alert: None,
            execution: None,
            about: None,
            subject: subject.into(),
            text: text.into(),
            anew: false,
        }
    }

    /// Something that happened to a card: who wrote it and who let the agent work on it are told.
    pub fn of_card(kind: NotificationKind, card: &FeatureCard, run: &Run, text: impl Into<String>) -> Self {
        let mut members = vec![run.member_id];
        if card.created_by != run.member_id {
            members.push(card.created_by);
        }
        Self {
            kind,
            members,
            project: Some(card.project_id),
            feature: Some(card.id),
            run: Some(run.id),
            alert: None,
            execution: None,
            about: None,
            subject: format!("#{} {}", card.number, card.title),
            text: text.into(),
            anew: false,
        }
    }

    /// The project that it is about.
    #[must_use]
    pub fn project(self, project: ProjectId) -> Self {
        Self { project: Some(project), ..self }
    }
}

/// Which kinds come to a member by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailChoice {
    /// Of what.
    pub kind: NotificationKind,
    /// Whether a mail is sent.
    pub mail: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_reads_as_a_line() {
        let mut told = Notification {
            id: NotificationId::new(),
            kind: NotificationKind::CardFailed,
            project_id: Some(ProjectId::new()),
            feature_id: Some(FeatureId::new()),
            run_id: None,
            alert_id: None,
            execution_id: None,
            about_member_id: None,
            subject: "#12 Login form".to_owned(),
            text: String::new(),
            count: 1,
            seq: 1,
            at: DateTime::UNIX_EPOCH,
            read_at: None,
        };
        assert_eq!(told.headline(), "#12 Login form failed");
        told.count = 3;
        assert_eq!(told.headline(), "#12 Login form failed (3 times)");
        assert!(told.path().ends_with(&told.feature_id.unwrap().to_string()));
        let night = Notification { kind: NotificationKind::AutoModePaused, feature_id: None, count: 1, ..told.clone() };
        let night = Notification { subject: "Shop".to_owned(), ..night };
        assert_eq!(night.headline(), "Shop: auto mode has stopped");
        let report = Notification { kind: NotificationKind::MorningReport, subject: String::new(), ..night };
        assert_eq!(report.headline(), "the morning report is ready");
        let report = Notification { project_id: None, ..report };
        assert_eq!(report.path(), "/");
        let budget = Notification { kind: NotificationKind::BudgetReached, ..report.clone() };
        assert_eq!(budget.path(), "/usage#budgets");
        let disk =
            Notification { kind: NotificationKind::AlertCritical, subject: "Disk (hall-1)".to_owned(), ..report };
        assert_eq!((disk.headline().as_str(), disk.path().as_str()), ("Disk (hall-1): critical", "/operation/alerts"));
        let execution = ExecutionId::new();
        let review = Notification {
            kind: NotificationKind::ReviewWaits,
            execution_id: Some(execution),
            subject: "Feature planning".to_owned(),
            ..disk
        };
        assert_eq!(review.headline(), "Feature planning: waits for a review");
        assert_eq!(review.path(), format!("/executions/{execution}"));
        let failed = Notification { kind: NotificationKind::ExecutionFailed, ..review };
        assert_eq!(failed.headline(), "Feature planning: failed");
        assert_eq!(failed.path(), format!("/executions/{execution}"));
        assert!(failed.kind.for_team() && !failed.kind.by_mail_at_first());
    }
}
