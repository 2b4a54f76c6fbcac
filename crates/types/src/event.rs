//! Events: what happened in the team, numbered by the store, and the hints that are not stored.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alert::Alert;
use crate::auto::AutoOrder;
use crate::feature::Feature;
use crate::knowledge::{KnowledgeChange, KnowledgeDeed, KnowledgeKind};
use crate::member::Member;
use crate::notification::Notification;
use crate::project::Project;
use crate::rights::MemberRight;
use crate::run::{Run, RunEvent};
use crate::service::Service;
use crate::system::Execution;
use crate::{AgentId, DateTime, FeatureId, KnowledgeId, McpServerId, MemberId, ProjectId, RunId, ServiceId, SystemId};

/// A stored event as it goes to clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number: 1, 2, 3 … without gaps, in the order of commit.
    pub seq: i64,
    /// When it was stored.
    pub at: DateTime,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened. The tag is the event's type in the outward contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Happening {
    /// A member joined.
    #[serde(rename = "member.created")]
    MemberCreated {
        /// The member.
        member: Member,
    },
    /// A member changed, or was signed out somewhere: whoever holds a connection of this member asks whether its session
    /// still holds.
    #[serde(rename = "member.updated")]
    MemberUpdated {
        /// The member.
        member: Member,
    },
    /// A project was added.
    #[serde(rename = "project.created")]
    ProjectCreated {
        /// The project.
        project: Project,
    },
    /// A project changed.
    #[serde(rename = "project.updated")]
    ProjectUpdated {
        /// The project.
        project: Project,
    },
    /// A project was archived.
    #[serde(rename = "project.deleted")]
    ProjectDeleted {
        /// Which.
        project_id: ProjectId,
    },
    /// Commands of a project were refused a host for the first time, or what they were refused was looked at by a member.
    #[serde(rename = "project.refused-hosts")]
    RefusedHosts {
        /// Which project.
        project_id: ProjectId,
    },
    /// A card was written.
    #[serde(rename = "feature.created")]
    FeatureCreated {
        /// The card.
        feature: Feature,
    },
    /// A card changed.
    #[serde(rename = "feature.updated")]
    FeatureUpdated {
        /// The card.
        feature: Feature,
    },
    /// A card was deleted.
    #[serde(rename = "feature.deleted")]
    FeatureDeleted {
        /// Which.
        feature_id: FeatureId,
        /// Its project.
        project_id: ProjectId,
    },
    /// An agent was defined, changed or deleted. Of a draft only its maker hears.
    #[serde(rename = "agent.updated")]
    AgentUpdated {
        /// Which.
        agent_id: AgentId,
        /// The only member who may hear of it; nothing where everybody may.
        private_to: Option<MemberId>,
    },
    /// An MCP server of a project or of the team was added, changed or taken out, or its tools were looked at.
    #[serde(rename = "mcp-server.updated")]
    McpServerUpdated {
        /// Which.
        server_id: McpServerId,
        /// Its project; nothing where it is the whole team's.
        project_id: Option<ProjectId>,
    },
    /// A member's auto mode was switched, or counted a run.
    #[serde(rename = "auto-mode.updated")]
    AutoModeUpdated {
        /// The order as it stands.
        order: AutoOrder,
    },
    /// A member was told something, or has read what they were told. Only this member hears of it.
    #[serde(rename = "notification.updated")]
    NotificationUpdated {
        /// Who.
        member_id: MemberId,
        /// What they were told; absent when they have read.
        notification: Option<Notification>,
    },
    /// Something about a server or the team's operation needs somebody. Whoever administers the team hears of it, and of what
    /// keeps work from beginning everybody.
    #[serde(rename = "alert.raised")]
    AlertRaised {
        /// The alert.
        alert: Alert,
    },
    /// An alert became worse or better, or was silenced.
    #[serde(rename = "alert.updated")]
    AlertUpdated {
        /// The alert.
        alert: Alert,
    },
    /// An alert is over.
    #[serde(rename = "alert.cleared")]
    AlertCleared {
        /// The alert.
        alert: Alert,
    },
    /// A blueprint was written.
    #[serde(rename = "knowledge.blueprint.created")]
    BlueprintCreated(KnowledgeChange),
    /// A blueprint was changed, verified or rejected.
    #[serde(rename = "knowledge.blueprint.updated")]
    BlueprintUpdated(KnowledgeChange),
    /// A blueprint was deleted.
    #[serde(rename = "knowledge.blueprint.deleted")]
    BlueprintDeleted(KnowledgeChange),
    /// A blueprint was taken back, or a former text of it.
    #[serde(rename = "knowledge.blueprint.restored")]
    BlueprintRestored(KnowledgeChange),
    /// An entry was written.
    #[serde(rename = "knowledge.entry.created")]
    EntryCreated(KnowledgeChange),
    /// An entry was changed, verified or rejected.
    #[serde(rename = "knowledge.entry.updated")]
    EntryUpdated(KnowledgeChange),
    /// An entry was deleted.
    #[serde(rename = "knowledge.entry.deleted")]
    EntryDeleted(KnowledgeChange),
    /// An entry was taken back, or a former text of it.
    #[serde(rename = "knowledge.entry.restored")]
    EntryRestored(KnowledgeChange),
    /// A learning was written.
    #[serde(rename = "knowledge.learning.created")]
    LearningCreated(KnowledgeChange),
    /// A learning was changed, verified or rejected.
    #[serde(rename = "knowledge.learning.updated")]
    LearningUpdated(KnowledgeChange),
    /// A learning was deleted.
    #[serde(rename = "knowledge.learning.deleted")]
    LearningDeleted(KnowledgeChange),
    /// A learning was taken back, or a former text of it.
    #[serde(rename = "knowledge.learning.restored")]
    LearningRestored(KnowledgeChange),
    /// A system of agents was written or changed. Of a draft, only its maker hears.
    #[serde(rename = "system.updated")]
    SystemUpdated {
        /// Which.
        system_id: SystemId,
        /// The version that it is at.
        version: i64,
        /// The only member who may hear of it; nothing where everybody may.
        private_to: Option<MemberId>,
    },
    /// A system of agents was deleted.
    #[serde(rename = "system.deleted")]
    SystemDeleted {
        /// Which.
        system_id: SystemId,
    },
    /// An execution of a system began or changed its state.
    #[serde(rename = "execution.updated")]
    ExecutionUpdated {
        /// The execution.
        execution: Execution,
    },
    /// A run was made or changed its state.
    #[serde(rename = "run.updated")]
    RunUpdated {
        /// The run.
        run: Run,
    },
    /// A service of a run was started, or no longer runs.
    #[serde(rename = "service.updated")]
    ServiceUpdated {
        /// The service.
        service: Service,
    },
    /// Something happened inside a run.
    #[serde(rename = "run.event")]
    Run {
        /// The run.
        run_id: RunId,
        /// Its feature.
        feature_id: FeatureId,
        /// What happened.
        event: RunEvent,
    },
}

impl Happening {
    /// The type in the outward contract.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MemberCreated { .. } => "member.created",
            Self::MemberUpdated { .. } => "member.updated",
            Self::ProjectCreated { .. } => "project.created",
            Self::ProjectUpdated { .. } => "project.updated",
            Self::ProjectDeleted { .. } => "project.deleted",
            Self::RefusedHosts { .. } => "project.refused-hosts",
            Self::FeatureCreated { .. } => "feature.created",
            Self::FeatureUpdated { .. } => "feature.updated",
            Self::FeatureDeleted { .. } => "feature.deleted",
            Self::AgentUpdated { .. } => "agent.updated",
            Self::McpServerUpdated { .. } => "mcp-server.updated",
            Self::AutoModeUpdated { .. } => "auto-mode.updated",
            Self::NotificationUpdated { .. } => "notification.updated",
            Self::AlertRaised { .. } => "alert.raised",
            Self::AlertUpdated { .. } => "alert.updated",
            Self::AlertCleared { .. } => "alert.cleared",
            Self::BlueprintCreated(_) => "knowledge.blueprint.created",
            Self::BlueprintUpdated(_) => "knowledge.blueprint.updated",
            Self::BlueprintDeleted(_) => "knowledge.blueprint.deleted",
            Self::BlueprintRestored(_) => "knowledge.blueprint.restored",
            Self::EntryCreated(_) => "knowledge.entry.created",
            Self::EntryUpdated(_) => "knowledge.entry.updated",
            Self::EntryDeleted(_) => "knowledge.entry.deleted",
            Self::EntryRestored(_) => "knowledge.entry.restored",
            Self::LearningCreated(_) => "knowledge.learning.created",
            Self::LearningUpdated(_) => "knowledge.learning.updated",
            Self::LearningDeleted(_) => "knowledge.learning.deleted",
            Self::LearningRestored(_) => "knowledge.learning.restored",
            Self::SystemUpdated { .. } => "system.updated",
            Self::SystemDeleted { .. } => "system.deleted",
            Self::ExecutionUpdated { .. } => "execution.updated",
            Self::RunUpdated { .. } => "run.updated",
            Self::ServiceUpdated { .. } => "service.updated",
            Self::Run { .. } => "run.event",
        }
    }

    /// What tells of a change in the knowledge hub.
    pub fn knowledge(change: KnowledgeChange) -> Self {
        type Tells = fn(KnowledgeChange) -> Happening;
        let of: [Tells; 4] = match change.kind {
            KnowledgeKind::Blueprint => {
                [Self::BlueprintCreated, Self::BlueprintUpdated, Self::BlueprintDeleted, Self::BlueprintRestored]
            }
            KnowledgeKind::Entry => [Self::EntryCreated, Self::EntryUpdated, Self::EntryDeleted, Self::EntryRestored],
            KnowledgeKind::Learning => {
                [Self::LearningCreated, Self::LearningUpdated, Self::LearningDeleted, Self::LearningRestored]
            }
        };
        let [created, updated, deleted, restored] = of;
        match change.deed {
            KnowledgeDeed::Created => created(change),
            KnowledgeDeed::Deleted | KnowledgeDeed::Erased => deleted(change),
            KnowledgeDeed::Restored => restored(change),
            KnowledgeDeed::Updated
            | KnowledgeDeed::Verified
            | KnowledgeDeed::Proven
            | KnowledgeDeed::Rejected
            | KnowledgeDeed::Forgotten
            | KnowledgeDeed::Applied => updated(change),
        }
    }

    /// The only member who may hear of it; nothing where everybody may.
    pub const fn only_for(&self) -> Option<MemberId> {
        match self {
            Self::NotificationUpdated { member_id, .. } => Some(*member_id),
            Self::AgentUpdated { private_to, .. } | Self::SystemUpdated { private_to, .. } => *private_to,
            _ => None,
        }
    }

    /// The right that it takes to hear of it, beside that to look.
    pub const fn only_with(&self) -> Option<MemberRight> {
        match self {
            Self::AlertRaised { alert } | Self::AlertUpdated { alert } | Self::AlertCleared { alert }
                if alert.kind.strain().is_none() =>
            {
                Some(MemberRight::Administer)
            }
            _ => None,
        }
    }

    /// The run in whose history this belongs, if any.
    pub const fn run_id(&self) -> Option<RunId> {
        match self {
            Self::Run { run_id, .. } => Some(*run_id),
            _ => None,
        }
    }
}

/// Live output of a run: words as the model writes them, a command's output as it prints. Not stored; what it adds up
/// to comes as a stored event when it is complete, and then replaces it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunOutput {
    /// The run.
    pub run_id: RunId,
    /// The turn that is being made.
    pub turn: i64,
    /// What is being written.
    pub stream: OutputStream,
    /// Where `text` belongs in this stream, in characters from its beginning. A client that misses a part sees a gap here.
    pub offset: i64,
    /// The addition.
    pub text: String,
}

/// A member writes at an item of the knowledge hub, or no longer does. Not stored; it is said again while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Editing {
    /// Who.
    pub member_id: MemberId,
    /// The item.
    pub item_id: KnowledgeId,
    /// For how long it holds from now on, in seconds; 0: it is over.
    pub seconds: i64,
}

/// Which live stream of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum OutputStream {
    /// The agent's words; `block` counts the parts of its answer.
    Text {
        /// The part.
        block: i64,
    },
    /// The agent's reasoning.
    Thinking {
        /// The part.
        block: i64,
    },
    /// What a command prints.
    Tool {
        /// The id of the call.
        call: String,
    },
    /// What a check prints.
    Check {
        /// The command.
        command: String,
    },
    /// What a service prints. It belongs to no turn, and goes on over many.
    Service {
        /// Which.
        service: ServiceId,
    },
}
