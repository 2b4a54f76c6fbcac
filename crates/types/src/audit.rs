//! The audit: who did what, on what, from where, when, and what came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum::text_enum;
use crate::{DateTime, MemberId, TokenId};

/// Characters of a value in the audit at most.
pub const VALUE: usize = 300;
/// Values that describe an entry at most.
const DETAILS: usize = 12;

text_enum! {
    /// What was done.
    pub enum AuditAction {
        /// Signed in, or tried to.
        SignIn = "member.sign-in",
        /// Signed out.
        SignOut = "member.sign-out",
        /// Ended one or all of one's own sessions elsewhere.
        EndSession = "session.end",
        /// Became a member.
        Register = "member.register",
        /// Proved once more who one is, before a sensitive change.
        Confirm = "member.confirm",
        /// Changed one's own name or time zone.
        ChangeProfile = "member.change-profile",
        /// Set a new password.
        ChangePassword = "member.change-password",
        /// Set a new password by a link that an admin made or that was mailed.
        ResetPassword = "member.reset-password",
        /// Linked an account at a provider, by which one signs in from then on.
        LinkIdentity = "identity.link",
        /// Took such a link away.
        UnlinkIdentity = "identity.unlink",
        /// Made a link by which a member sets a new password.
        CreateResetLink = "member.create-reset-link",
        /// Gave a member another role.
        ChangeRole = "member.change-role",
        /// Took another member's second factors away.
        TakeFactors = "member.take-factors",
        /// Let a member in again, at the machine itself.
        Rescue = "member.rescue",
        /// Disabled a member.
        Disable = "member.disable",
        /// Enabled a member again.
        Enable = "member.enable",
        /// Ended all sessions of another member.
        SignOutMember = "member.sign-out-by-admin",
        /// Asked for an account where sign-up is open; the address is yet to be proved.
        SignUp = "member.sign-up",
        /// Sent a mail to try the mail server.
        TestMail = "mail.test",
        /// Invited somebody.
        Invite = "invitation.create",
        /// Took an invitation back.
        RevokeInvitation = "invitation.revoke",
        /// Made a personal access token.
        CreateToken = "token.create",
        /// Revoked a personal access token.
        RevokeToken = "token.revoke",
        /// Connected a program.
        ConnectClient = "client.connect",
        /// Ended what a program may do.
        DisconnectClient = "client.disconnect",
        /// Set up codes of an authenticator app.
        EnableTotp = "totp.enable",
        /// Took one's own codes of an authenticator app away.
        DisableTotp = "totp.disable",
        /// Made recovery codes in place of the former ones.
        CreateRecoveryCodes = "recovery-codes.create",
        /// Used up a recovery code.
        UseRecoveryCode = "recovery-codes.use",
        /// Added a passkey.
        CreatePasskey = "passkey.create",
        /// Gave a passkey another name.
        RenamePasskey = "passkey.rename",
        /// Deleted a passkey.
        DeletePasskey = "passkey.delete",
        /// Put a key in place.
        PutCredential = "credential.put",
        /// Deleted a key.
        DeleteCredential = "credential.delete",
        /// Asked a provider whether it takes a key.
        TestCredential = "credential.test",
        /// Put a key of the team in place.
        PutTeamCredential = "team-credential.put",
        /// Deleted a key of the team.
        DeleteTeamCredential = "team-credential.delete",
        /// Asked a provider whether it takes the team's key.
        TestTeamCredential = "team-credential.test",
        /// Changed a setting of the team.
        ChangeSetting = "setting.change",
        /// Said what models cost.
        PutPrice = "price.put",
        /// Took back what was said of it.
        DeletePrice = "price.delete",
        /// Gave a member a budget, or set a lower one of one's own.
        ChangeBudget = "budget.change",
        /// Added a project.
        CreateProject = "project.create",
        /// Changed a project.
        ChangeProject = "project.change",
        /// Archived a project.
        ArchiveProject = "project.archive",
        /// Tried once more to make a project's repository.
        RetryProject = "project.retry",
        /// Pushed branches or tags into a project's repository with git.
        Push = "project.push",
        /// Said where else a project's repository is.
        PutRemote = "project-remote.put",
        /// Took that back.
        DeleteRemote = "project-remote.delete",
        /// Had a project's default branch brought up to date with its other repository.
        SyncRemote = "project-remote.sync",
        /// Put a card's work into the project's other repository.
        Publish = "feature.publish",
        /// Tried a project's checks on its default branch.
        TryChecks = "project.try-checks",
        /// Stopped a trial of a project's checks.
        StopChecks = "project.stop-checks",
        /// Allowed a project's commands a host that they had been refused.
        AllowHost = "project.allow-host",
        /// Took a host that a project's commands had been refused off the list of those.
        DismissHost = "project.dismiss-host",
        /// Put a secret of a project in place.
        PutProjectSecret = "project-secret.put",
        /// Deleted a secret of a project.
        DeleteProjectSecret = "project-secret.delete",
        /// Deleted what tools kept for a project's runs.
        ClearCaches = "project.clear-caches",
        /// Let the server tidy up at once.
        Tidy = "operation.tidy",
        /// Removed from a server's disk what nothing in the database belongs to.
        RemoveOrphans = "operation.remove-orphans",
        /// Added an MCP server to a project.
        CreateMcpServer = "mcp-server.create",
        /// Changed an MCP server, or which of its tools agents may have.
        ChangeMcpServer = "mcp-server.change",
        /// Took an MCP server out of a project.
        DeleteMcpServer = "mcp-server.delete",
        /// Started or called an MCP server to see whether it works, and which tools it has.
        TestMcpServer = "mcp-server.test",
        /// Approved tools of an MCP server as it describes them.
        ApproveMcpTools = "mcp-server.approve-tools",
        /// Wrote a card.
        CreateFeature = "feature.create",
        /// Changed a card.
        ChangeFeature = "feature.change",
        /// Deleted a card.
        DeleteFeature = "feature.delete",
        /// Erased what a card said before, for good.
        EraseFeatureText = "feature.erase-text",
        /// Put a file on a card.
        AttachFile = "feature.attach",
        /// Took a file off a card.
        DetachFile = "feature.detach",
        /// Defined an agent.
        CreateAgent = "agent.create",
        /// Changed an agent, or who may use it.
        ChangeAgent = "agent.change",
        /// Deleted an agent.
        DeleteAgent = "agent.delete",
        /// Let an agent run by itself.
        RunAgent = "agent.run",
        /// Began a chat.
        StartChat = "chat.start",
        /// Renamed a chat.
        RenameChat = "chat.rename",
        /// Deleted a chat.
        DeleteChat = "chat.delete",
        /// Turned a chat into a card.
        ChatToCard = "chat.to-card",
        /// Turned what an agent did by itself into a card.
        TaskToCard = "task.to-card",
        /// Took a card back to the backlog.
        Shelve = "feature.shelve",
        /// Started a run.
        StartRun = "run.start",
        /// Went on with a run.
        RetryRun = "run.retry",
        /// Let a run cost more than its budget.
        AllowCost = "run.allow-cost",
        /// Stopped a run.
        StopRun = "run.stop",
        /// Said something to an agent.
        FollowUp = "run.follow-up",
        /// Approved an agent's plan.
        ApprovePlan = "plan.approve",
        /// Rejected an agent's plan.
        RejectPlan = "plan.reject",
        /// Found work good, or asked for its checks.
        Verify = "feature.verify",
        /// Put work on the default branch.
        Merge = "feature.merge",
        /// Started a service in the worktree of a run.
        StartService = "service.start",
        /// Stopped a service of a run.
        StopService = "service.stop",
        /// Opened the pages of a service.
        OpenPreview = "preview.open",
        /// Opened a terminal in the worktree of a run.
        OpenTerminal = "terminal.open",
        /// Changed files of a run in a terminal.
        ChangeFiles = "terminal.change-files",
        /// Switched auto mode on.
        StartAutoMode = "auto-mode.start",
        /// Switched auto mode off.
        StopAutoMode = "auto-mode.stop",
        /// Wrote a system of agents.
        CreateSystem = "system.create",
        /// Changed a system of agents.
        ChangeSystem = "system.change",
        /// Deleted a system of agents.
        DeleteSystem = "system.delete",
        /// Began an execution of a system.
        RunSystem = "system.run",
        /// Approved what a step of an execution shows, or sent it back.
        ReviewStep = "execution.review",
        /// Ended an execution.
        CancelExecution = "execution.cancel",
        /// Made a webhook.
        CreateWebhook = "webhook.create",
        /// Changed a webhook, or switched it on again.
        ChangeWebhook = "webhook.change",
        /// Deleted a webhook.
        DeleteWebhook = "webhook.delete",
        /// Had a test, or a message once more, sent to a webhook.
        SendWebhook = "webhook.send",
        /// Wrote an item of the knowledge hub.
        CreateKnowledge = "knowledge.create",
        /// Changed an item of the knowledge hub.
        ChangeKnowledge = "knowledge.change",
        /// Deleted an item of the knowledge hub.
        DeleteKnowledge = "knowledge.delete",
        /// Took a deleted item, or a former text of one, back.
        RestoreKnowledge = "knowledge.restore",
        /// Found a learning good.
        VerifyKnowledge = "knowledge.verify",
        /// Found a learning wrong.
        RejectKnowledge = "knowledge.reject",
        /// Told what came of using a learning.
        ApplyKnowledge = "knowledge.apply",
        /// Took back everything that a run's agent recorded in the knowledge hub.
        RollBackKnowledge = "knowledge.roll-back",
        /// Erased an item of the knowledge hub, or former texts of one, for good.
        EraseKnowledge = "knowledge.erase",
        /// Stopped every agent and every auto mode.
        StopAll = "agents.stop-all",
        /// Let an alert be told to nobody for a while, or told again.
        SilenceAlert = "alert.silence",
        /// Called something by MCP that changed nothing, or came to nothing.
        CallTool = "mcp.call",
        /// Asked for something and was refused.
        Refused = "access.refuse",
        /// Made a key-encryption key.
        NewKey = "key.new",
        /// Made another key-encryption key the current one, or sealed secrets anew under it.
        RotateKey = "key.rotate",
        /// Retired a key-encryption key.
        RetireKey = "key.retire",
        /// Took a copy of the audit.
        ExportAudit = "audit.export",
        /// Had a backup made.
        MakeBackup = "backup.make",
        /// Restored the server from a backup.
        RestoreBackup = "backup.restore",
        /// Moved the team to this database from another one.
        MoveDatabase = "database.move",
    }
}

text_enum! {
    /// What came of it.
    pub enum AuditOutcome {
        /// It was done.
        Ok = "ok",
        /// It was refused.
        Refused = "refused",
        /// It was refused without a look, because it was tried too often.
        Throttled = "throttled",
    }
}

text_enum! {
    /// What kind of thing it was done to.
    pub enum AuditObject {
        /// A member.
        Member = "member",
        /// A session.
        Session = "session",
        /// A personal access token.
        Token = "token",
        /// A program that a member has connected.
        Client = "client",
        /// A passkey.
        Passkey = "passkey",
        /// An invitation.
        Invitation = "invitation",
        /// An account at a provider by which a member signs in.
        Identity = "identity",
        /// A key for a provider; its id is the provider.
        Credential = "credential",
        /// A setting; its id is its name.
        Setting = "setting",
        /// What models cost.
        Price = "price",
        /// A project.
        Project = "project",
        /// A feature.
        Feature = "feature",
        /// An agent.
        Agent = "agent",
        /// A webhook.
        Webhook = "webhook",
        /// An MCP server of a project.
        McpServer = "mcp-server",
        /// An item of the knowledge hub.
        Knowledge = "knowledge",
        /// A key-encryption key; its id is the short hash that names it.
        Key = "key",
        /// A route; its id is method and path.
        Route = "route",
        /// A tool or a method of MCP; its id is its name.
        Tool = "tool",
        /// The audit itself.
        Audit = "audit",
        /// A system of agents.
        System = "system",
        /// An execution of a system.
        Execution = "execution",
        /// A service of a run.
        Service = "service",
        /// A backup; its id is its name.
        Backup = "backup",
        /// An alert.
        Alert = "alert",
        /// The disk of a server; its id is the server's.
        Disk = "disk",
    }
}

/// Who does something, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// The member; nobody before a sign-in, and for what the server does by itself.
    pub member: Option<MemberId>,
    /// The personal access token, if it was by one.
    pub token: Option<TokenId>,
    /// The address of the connection.
    pub address: Option<String>,
    /// The browser or the program, as it calls itself.
    pub user_agent: Option<String>,
}

/// An entry as it stands in the audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its number: 1, 2, 3 … without gaps.
    pub seq: i64,
    /// When it was written.
    pub at: DateTime,
    /// Who did it, if a member did.
    pub member_id: Option<MemberId>,
    /// The member's personal access token, if it was by one.
    pub token_id: Option<TokenId>,
    /// What was done.
    pub action: AuditAction,
    /// What kind of thing it was done to.
    pub object: Option<AuditObject>,
    /// Which one.
    pub object_id: Option<String>,
    /// The address of the connection.
    pub address: Option<String>,
    /// The browser or the program, as it calls itself.
    pub user_agent: Option<String>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// More about it, by name.
    pub detail: BTreeMap<String, String>,
    /// The SHA-256 of this entry and the hash before it, in hexadecimal.
    pub hash: String,
}

/// An entry to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What was done.
    pub action: AuditAction,
    /// What it was done to.
    pub object: Option<(AuditObject, String)>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// More about it, by name.
    pub detail: BTreeMap<String, String>,
}

impl Note {
    /// Something that was done.
    pub fn new(action: AuditAction) -> Self {
        Self { action, object: None, outcome: AuditOutcome::Ok, detail: BTreeMap::new() }
    }

    /// What it was done to.
    #[must_use]
    pub fn on(mut self, kind: AuditObject, id: impl ToString) -> Self {
        self.object = Some((kind, plain(&id.to_string())));
        self
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(mut self, outcome: AuditOutcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// More about it. Never a secret.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        if self.detail.len() < DETAILS {
            self.detail.insert(name.to_owned(), plain(&value.to_string()));
        }
        self
    }
}

/// A value as it may stand in the audit: bounded, and what could forge a line or turn its direction written as an escape.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == VALUE {
            out.push('…');
            break;
        }
        match c {
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_forge_a_line_or_grow_without_end() {
        assert_eq!(plain("anna\r\n2026 admin\0\u{202e}x"), "anna\\u{d}\\u{a}2026 admin\\u{0}\\u{202e}x");
        assert_eq!(plain("Größe 完成 🙂"), "Größe 完成 🙂");
        assert_eq!(plain(&"x".repeat(10_000)).chars().count(), VALUE + 1);
        let note = (0..50).fold(Note::new(AuditAction::Invite), |note, n| note.with(&format!("k{n}"), n));
        assert_eq!(note.detail.len(), DETAILS);
    }
}
