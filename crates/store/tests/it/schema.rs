//! Which schema a database is at, and what it says of itself.

use guildhall_store::{Backend, Store, StoreError};
use guildhall_types::{Clock, SystemClock};
use sqlx::{Connection, PgConnection};

use crate::harness::{Fresh, on_both};

on_both! {
    async fn a_database_on_which_a_later_version_has_worked_is_left_alone(fresh: Fresh) {
        let known = Store::known_schema();
        assert_eq!(fresh.store.schema_version().await.unwrap(), (Some(known), known));
        let later = format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT {known} + 3, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = {known}"
        );
        fresh.tamper(&later).await.unwrap();
        let refused = fresh.store.migrate().await.unwrap_err();
        assert!(matches!(refused, StoreError::Newer { found, known: k } if found == known + 3 && k == known), "{refused}");
        let told = refused.to_string();
        assert!(told.contains(&format!("at schema {}", known + 3)) && told.contains("restore a backup"), "{told}");
        // It goes on where the later version is installed again, or its schema is the same.
        fresh.tamper(&format!("DELETE FROM _sqlx_migrations WHERE version = {}", known + 3)).await.unwrap();
        fresh.store.migrate().await.unwrap();
    }

    async fn a_database_says_what_it_is_and_who_else_works_on_it(fresh: Fresh) {
        let facts = fresh.store.facts().await.unwrap();
        assert!(facts.version.starts_with(|c: char| c.is_ascii_digit()), "{facts:?}");
        let Some(server) = facts.server else {
            assert_eq!(fresh.store.backend(), Backend::Sqlite);
            return;
        };
        assert_eq!((server.encoding.as_str(), server.others), ("UTF8", Vec::new()), "its own connections do not count");
        assert!(server.number >= 150_000);
        assert!((SystemClock.now() - server.now).num_seconds().abs() < 60);
        let url = format!("{}?application_name=guildhall%207@elsewhere", fresh.url());
        let _other = PgConnection::connect(&url).await.unwrap();
        let facts = fresh.store.facts().await.unwrap();
        assert_eq!(facts.server.unwrap().others, ["7@elsewhere"]);
    }
}
