//! Rights: who may do what, written once. Routes name the right that they ask for; roles and the scopes of tokens give it.

use crate::member::MemberRole;
use crate::text_enum::text_enum;

text_enum! {
    /// A right that a route or a deed asks for.
    pub enum MemberRight {
        /// Look at the team's work.
        Read = "read",
        /// Change one's own account.
        Account = "account",
        /// Keep keys for model providers.
        Keys = "keys",
        /// Write cards.
        Build = "build",
        /// Let agents work and take what they made.
        Run = "run",
        /// Add, change and archive projects.
        ManageProjects = "manageProjects",
        /// Write in the knowledge hub.
        Knowledge = "knowledge",
        /// Fetch and push with git.
        Git = "git",
        /// Run the team.
        Administer = "administer",
        /// Decide what only an owner decides.
        Own = "own",
    }
}

text_enum! {
    /// What a personal access token may be used for. A token never does more than its member may.
    pub enum Scope {
        /// Look at the team's work.
        Read = "read",
        /// Write cards and projects.
        Write = "write",
        /// Start, stop, verify and merge.
        Run = "run",
        /// Write in the knowledge hub.
        Knowledge = "knowledge",
        /// Fetch and push with git.
        Git = "git",
        /// Run the team.
        Admin = "admin",
    }
}

/// A right with everyone and everything that gives it.
#[derive(Debug, Clone, Copy)]
pub struct RightRow {
    /// The right.
    pub right: MemberRight,
    /// What it lets a member do.
    pub what: &'static str,
    /// The roles that hold it.
    pub roles: &'static [MemberRole],
    /// The scope by which a token gives it; without one it takes a signed-in person.
    pub scope: Option<Scope>,
}

const EVERYBODY: &[MemberRole] = &[MemberRole::Owner, MemberRole::Admin, MemberRole::Member, MemberRole::Viewer];
const BUILDERS: &[MemberRole] = &[MemberRole::Owner, MemberRole::Admin, MemberRole::Member];
const ADMINS: &[MemberRole] = &[MemberRole::Owner, MemberRole::Admin];
const OWNERS: &[MemberRole] = &[MemberRole::Owner];

const fn row(right: MemberRight, roles: &'static [MemberRole], scope: Option<Scope>, what: &'static str) -> RightRow {
    RightRow { right, what, roles, scope }
}

/// The one table of rights. `docs/security.md` shows it.
pub const RIGHTS: &[RightRow] = &[
    row(MemberRight::Read, EVERYBODY, Some(Scope::Read), "see members, projects, boards, runs and diffs"),
    row(MemberRight::Account, EVERYBODY, None, "change one's own name, password, sessions and tokens"),
    row(
        MemberRight::Keys,
        BUILDERS,
        None,
        "put one's own provider keys in place, test and delete them; put secrets of projects in place and delete them",
    ),
    row(MemberRight::Build, BUILDERS, Some(Scope::Write), "write cards and put files on them"),
    row(
        MemberRight::Run,
        BUILDERS,
        Some(Scope::Run),
        "start, stop, follow up, verify, merge and shelve features, decide on plans",
    ),
    row(MemberRight::ManageProjects, BUILDERS, Some(Scope::Write), "add, change and archive projects"),
    row(MemberRight::Knowledge, BUILDERS, Some(Scope::Knowledge), "write in the knowledge hub"),
    row(MemberRight::Git, BUILDERS, Some(Scope::Git), "fetch and push with git"),
    row(
        MemberRight::Administer,
        ADMINS,
        Some(Scope::Admin),
        "invite and change members, set limits, keep the team's keys and MCP servers, read the audit",
    ),
    row(MemberRight::Own, OWNERS, None, "open and close self sign-up"),
];

impl MemberRight {
    /// The row of the table.
    fn row(self) -> Option<&'static RightRow> {
        RIGHTS.iter().find(|row| row.right == self)
    }

    /// The scope by which a token gives this right, if one does.
    pub fn scope(self) -> Option<Scope> {
        self.row().and_then(|row| row.scope)
    }
}

impl MemberRole {
    /// Whether this role holds `right`: the one function that decides it.
    pub fn may(self, right: MemberRight) -> bool {
        right.row().is_some_and(|row| row.roles.contains(&self))
    }

    /// Every right of this role.
    pub fn rights(self) -> impl Iterator<Item = MemberRight> {
        RIGHTS.iter().map(|row| row.right).filter(move |right| self.may(*right))
    }

    /// Whether this role is above `other`.
    pub fn is_above(self, other: Self) -> bool {
        // Declared from most to least.
        self < other
    }

    /// Whether a token of a member of this role can be of any use with `scope`.
    pub fn can_use(self, scope: Scope) -> bool {
        self.rights().any(|right| right.scope() == Some(scope))
    }
}

#[cfg(test)]
mod tests;
