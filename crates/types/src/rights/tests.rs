use super::*;

#[test]
fn every_right_has_one_row_and_every_scope_gives_something() {
    let rows: Vec<MemberRight> = RIGHTS.iter().map(|row| row.right).collect();
    assert_eq!(rows, MemberRight::ALL);
    for scope in Scope::ALL {
        assert!(RIGHTS.iter().any(|row| row.scope == Some(*scope)), "{scope}");
    }
}

#[test]
fn a_higher_role_has_every_right_of_a_lower_one() {
    use MemberRole::{Admin, Member, Owner, Viewer};
    assert!(Owner.is_above(Admin) && Admin.is_above(Member) && Member.is_above(Viewer));
    assert!(!Admin.is_above(Owner) && !Admin.is_above(Admin));
    for right in MemberRight::ALL {
        for pair in MemberRole::ALL.windows(2) {
            assert!(pair[0].may(*right) || !pair[1].may(*right), "{right}: {} and not {}", pair[1], pair[0]);
        }
        assert!(Owner.may(*right), "{right}");
    }
    assert!(Viewer.rights().eq([MemberRight::Read, MemberRight::Account]));
    assert!(Viewer.can_use(Scope::Read) && !Viewer.can_use(Scope::Write) && !Member.can_use(Scope::Admin));
}

/// The table as the docs show it.
fn markdown() -> String {
    let roles: Vec<&str> = MemberRole::ALL.iter().map(|role| role.as_str()).collect();
    let mut text = format!("| right | what it lets one do | {} | a token needs |\n", roles.join(" | "));
    text += &format!("| --- | --- |{} --- |\n", " --- |".repeat(roles.len()));
    for row in RIGHTS {
        let held: Vec<&str> = MemberRole::ALL.iter().map(|role| if role.may(row.right) { "yes" } else { "" }).collect();
        let scope = row.scope.map_or("never enough".to_owned(), |scope| format!("`{scope}`"));
        text += &format!("| `{}` | {} | {} | {scope} |\n", row.right, row.what, held.join(" | "));
    }
    text
}

#[test]
fn the_docs_show_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/security.md");
    let docs = std::fs::read_to_string(path).unwrap();
    let shown =
        docs.split("<!-- rights: begin -->\n").nth(1).and_then(|rest| rest.split("<!-- rights: end -->").next());
    assert!(shown == Some(&markdown()), "put this between the marks in docs/security.md:\n{}", markdown());
}
