//! Which version this is.

use std::fmt::Write;

use guildhall_store::Store;

use crate::routes::health::VERSION;

/// The commit that the program was built of, and the day. Whoever builds it says so in the environment, as
/// `scripts/release.sh` does; cargo notices when that changes, so no build script is needed, which would run each time.
const COMMIT: Option<&str> = option_env!("GUILDHALL_COMMIT");
const BUILT: Option<&str> = option_env!("GUILDHALL_BUILT");

/// The version, what is known of the build, and the schema that the database is brought to: versions with the same schema
/// can take each other's place.
pub fn text() -> String {
    told(COMMIT, BUILT)
}

fn told(commit: Option<&str>, built: Option<&str>) -> String {
    let mut text = format!("guildhall {VERSION}\n");
    for (what, known) in [("commit", commit), ("built", built)] {
        if let Some(known) = known.filter(|known| !known.is_empty()) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{what} {known}");
        }
    }
    let _ = writeln!(text, "schema {}", Store::known_schema());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_did_not_say_is_left_out() {
        let schema = Store::known_schema();
        let whole = told(Some("0123456789ab"), Some("2026-11-26"));
        assert_eq!(whole, format!("guildhall {VERSION}\ncommit 0123456789ab\nbuilt 2026-11-26\nschema {schema}\n"));
        assert_eq!(told(Some(""), None), format!("guildhall {VERSION}\nschema {schema}\n"));
    }
}
