//! Which schema a database is at, and what it says of itself.

use guildhall_store::{Backend, NewProject, Store, StoreError};
use guildhall_types::alert::{Threshold, Thresholds};
use guildhall_types::event::Happening;
use guildhall_types::project::ProjectSource;
use guildhall_types::{Clock, SystemClock};
use sqlx::{Connection, PgConnection};

use crate::harness::{Fresh, on_both};

/// Numbers that no migration has, and none may have any more: databases are past them.
const GAPS: &[i64] = &[30, 34, 41, 44];

/// The numbers and names of a folder's migrations.
fn migrations(of: &str) -> Vec<(i64, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(of);
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut all: Vec<_> = names
        .map(|name| {
            let (number, rest) = name.split_once('_').unwrap();
            (number.parse().unwrap(), rest.to_owned())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn both_databases_have_the_same_migrations_and_a_new_one_comes_after_all_others() {
    let sqlite = migrations("sqlite");
    assert_eq!(sqlite, migrations("postgres"));
    let numbers: Vec<i64> = sqlite.iter().map(|(number, _)| *number).collect();
    // The schema is known by its highest number. One that fills a gap would make two schemas of the same number.
    let expected: Vec<i64> = (1..=Store::known_schema()).filter(|number| !GAPS.contains(number)).collect();
    assert_eq!(numbers, expected, "each number once, without gaps but for those that are known");
}

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

    async fn thresholds_of_backups_that_were_set_along_with_others_follow_from_the_rhythm_again(fresh: Fresh) {
        for (warning, critical, stays) in [(26, 50, false), (30, 50, true)] {
            let old = fresh.bare_beside().await;
            old.store.migrate_to(46).await.unwrap();
            let hours = format!("{{\"warning\":{warning},\"critical\":{critical}}}");
            let set = format!(
                "INSERT INTO settings (name, value) VALUES ('alert_thresholds',
                 '{{\"memory\":{{\"warning\":60,\"critical\":70}},\"backupHours\":{hours}}}')"
            );
            old.tamper(&set).await.unwrap();
            old.store.migrate().await.unwrap();
            let set: Thresholds = old.store.setting("alert_thresholds").await.unwrap().unwrap();
            assert_eq!((set.memory.warning, set.backup_hours), (60, stays.then_some(Threshold { warning, critical })));
        }
    }

    async fn addresses_that_were_kept_lose_what_let_a_clone_in(fresh: Fresh) {
        let old = fresh.bare_beside().await;
        old.store.migrate_to(39).await.unwrap();
        let anna = old.member("anna").await;
        let cases = [
            ("https://anna:secret@a.example/team/r.git", "https://a.example/team/r.git"),
            ("https://secret@a.example/@x/r@2", "https://a.example/@x/r@2"),
            ("http://anna:sec@ret@[::1]:80/r", "http://[::1]:80/r"),
            ("https://anna:secret@a.example", "https://a.example"),
            ("ssh://git:secret@a.example/r", "ssh://a.example/r"),
            ("ssh://git@a.example/r", "ssh://git@a.example/r"),
            ("git@a.example:r.git", "git@a.example:r.git"),
            ("https://a.example/@x/r", "https://a.example/@x/r"),
            ("/srv/a@b/r", "/srv/a@b/r"),
        ];
        for (n, (url, _)) in cases.iter().enumerate() {
            let source = ProjectSource::Clone { url: (*url).to_owned() };
            let new = NewProject { name: format!("p{n}"), source, settings: Default::default(), created_by: anna.id };
            let made = old.store.create_project(new).await.unwrap();
            old.store.project_failed(made.id, "no").await.unwrap();
        }
        old.project(&anna).await;
        old.store.migrate().await.unwrap();
        let kept = old.store.projects(None, 100).await.unwrap();
        let kept: Vec<_> = kept.into_iter().map(|summary| summary.project.source).collect();
        let wanted: Vec<_> = cases.iter().map(|(_, url)| ProjectSource::Clone { url: (*url).to_owned() }).collect();
        assert_eq!((&kept[..cases.len()], kept.last()), (&wanted[..], Some(&ProjectSource::Empty)));
        let told: Vec<_> = old.store.events_after(0, 100).await.unwrap().into_iter().filter_map(|event| match event.what {
            Happening::ProjectCreated { project } | Happening::ProjectUpdated { project } => Some(project.source),
            _ => None,
        }).collect();
        let twice: Vec<_> = wanted.into_iter().flat_map(|source| [source.clone(), source]).chain([ProjectSource::Empty]).collect();
        assert_eq!(told, twice);
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
