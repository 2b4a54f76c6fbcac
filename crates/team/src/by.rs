//! Who does something, and what they are known by gives them.

use guildhall_types::member::Member;
use guildhall_types::rights::MemberRight;

/// A member who does something, and whether they do it as one who runs the team. A token of an admin does that only where its
/// scopes say so; so what is for its maker and for admins asks this, and never the role alone.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The member.
    pub member: &'a Member,
    /// Whether the member runs the team, and whatever they are known by gives that.
    pub administers: bool,
}

impl<'a> By<'a> {
    /// A member in person, who has all that the role gives.
    pub fn in_person(member: &'a Member) -> Self {
        Self { member, administers: member.role.may(MemberRight::Administer) }
    }
}
