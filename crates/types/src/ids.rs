//! Ids: UUID version 7, so that they sort by the time of their making; one type for each kind, so that they cannot be
//! mixed up.

use uuid::Uuid;

use crate::text_enum::column;

macro_rules! id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = uuid::Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later than every earlier one made by this process.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        column!($name, Uuid, |id: &$name| id.0, |id: Uuid| Ok::<_, std::convert::Infallible>($name(id)));
    )+ };
}

id! {
    /// A call to a model, as the ledger has it.
    CallId,
    /// A person with an account.
    MemberId,
    /// A sign-in of a member in one browser.
    SessionId,
    /// A personal access token.
    TokenId,
    /// A program that asks to be connected.
    ClientId,
    /// An invitation to become a member.
    InvitationId,
    /// A link by which a member sets a new password.
    ResetId,
    /// A passkey.
    PasskeyId,
    /// An account at a provider by which a member signs in.
    IdentityId,
    /// A wish to sign up whose address is yet to be proved.
    SignUpId,
    /// A claim of a mail by the process that sends it.
    MailLeaseId,
    /// A mail in the outbox.
    MailId,
    /// Something that a member is told.
    NotificationId,
    /// An address that is called when a member is told something.
    WebhookId,
    /// One message to a webhook; the same however often it is sent.
    DeliveryId,
    /// A claim of a delivery by the process that makes it.
    DeliveryLeaseId,
    /// A backup that was made, or was to be made.
    BackupId,
    /// A git repository on the team's board.
    ProjectId,
    /// An MCP server of a project.
    McpServerId,
    /// One card.
    FeatureId,
    /// An image or a text file on a card.
    AttachmentId,
    /// A reusable definition of an agent.
    AgentId,
    /// One execution of a system of agents.
    ExecutionId,
    /// One attempt at a feature.
    RunId,
    /// A morning report.
    ReportId,
    /// One verification command that was run.
    CheckId,
    /// A command of a run that runs on.
    ServiceId,
    /// A workflow of agents.
    SystemId,
    /// A trial of a project's checks.
    TrialId,
    /// What an admin says that models cost.
    PriceId,
    /// An item of the knowledge hub.
    KnowledgeId,
    /// Something that whoever runs the server is told of it.
    AlertId,
    /// One running Guildhall process.
    NodeId,
    /// A data folder, whichever process works in it: what a node is called over time.
    PlaceId,
}
