//! What is erased for good: nothing of it is left in the database.

use chrono::Duration;
use guildhall_store::{Backend, Judged, KnowledgeFilter, Piece, Store, StoreError};
use guildhall_types::guide::{GuideItem, GuideWay, Guided};
use guildhall_types::knowledge::{KnowledgeKind, KnowledgeRule, LearningOutcome};
use guildhall_types::limits::Limits;
use guildhall_types::{Clock, NodeId};
use sqlx::Connection;
use tokio::sync::mpsc;

use crate::harness::{Fresh, new_run, on_both};
use crate::knowledge::{by, entry, learning, new, titles, write};

/// Looks like nothing else.
const SECRET: &str = "zq8kittens";

/// The tables in which a word stands, whatever its case; those of the search's index are looked at by themselves.
pub async fn holding(store: &Store, word: &str) -> Vec<String> {
    let (out, mut pieces) = mpsc::channel(2);
    let take = async {
        let (mut table, mut found) = (String::new(), Vec::new());
        while let Some(piece) = pieces.recv().await {
            match &piece {
                Piece::Table(head) => table.clone_from(&head.table),
                Piece::Rows(_) => {
                    let mut bytes = Vec::new();
                    guildhall_store::write_piece(&piece, &mut bytes).unwrap();
                    let text = String::from_utf8_lossy(&bytes).to_lowercase();
                    if text.contains(word) && !found.contains(&table) {
                        found.push(table.clone());
                    }
                }
            }
        }
        found.sort();
        found
    };
    let (found, dumped) = tokio::join!(take, store.dump(out));
    dumped.unwrap();
    found
}

/// Whether the search's own index holds a word, and, of SQLite, whether the file or its log does.
async fn indexed(fresh: &Fresh, word: &str) -> bool {
    match fresh.store.backend() {
        Backend::Sqlite => {
            let file = fresh.url().strip_prefix("sqlite://").unwrap();
            let holds = |path: String| {
                let bytes = std::fs::read(path).unwrap_or_default();
                bytes.windows(word.len()).any(|part| part == word.as_bytes())
            };
            holds(file.to_owned()) || holds(format!("{file}-wal"))
        }
        Backend::Postgres => {
            let mut db = sqlx::PgConnection::connect(fresh.url()).await.unwrap();
            let sql = "SELECT count(*) FROM knowledge_index WHERE terms::text LIKE '%' || $1 || '%'";
            let (count,): (i64,) = sqlx::query_as(sql).bind(word).fetch_one(&mut db).await.unwrap();
            count > 0
        }
    }
}

on_both! {
    async fn of_an_item_that_is_erased_nothing_is_left(fresh: Fresh) {
        let (anna, store) = (fresh.member("anna").await, &fresh.store);
        let mut draft = learning("How to call it", &format!("The key is {SECRET}, and quinces ripen late."));
        let other = write(&fresh, by(&anna), entry("Quinces", "They ripen late.")).await;
        draft.related = vec![other.id()];
        let item = write(&fresh, by(&anna), draft).await;
        let mut naming = entry("Names it", "It is related.");
        naming.related = vec![item.id()];
        let naming = write(&fresh, by(&anna), naming).await;
        let told = learning(&format!("With {SECRET} in its title"), "Otherwise.");
        store.update_knowledge(item.id(), 1, told, Some(SECRET), Judged::AsBefore, &by(&anna)).await.unwrap();
        store.apply_knowledge(item.id(), LearningOutcome::Helped, Some(SECRET), &by(&anna), &KnowledgeRule::default()).await.unwrap();
        store.reject_knowledge(item.id(), None, SECRET, &by(&anna)).await.unwrap();
        // A run keeps what it was told of it.
        let project = fresh.project(&anna).await;
        let card = fresh.card(&project, "told").await;
        store.start_feature(card.card.id, anna.id, new_run(), i64::MAX).await.unwrap();
        let claimed = store.claim_run(NodeId::new(), Duration::seconds(30), &Limits::default()).await.unwrap().unwrap();
        let present = store.knowledge(item.id()).await.unwrap().unwrap();
        let guided = Guided { item: GuideItem::of(&present), way: GuideWay::Instructions };
        store.save_guide(&claimed.lease, &[guided], 300).await.unwrap();
        let before = holding(store, SECRET).await;
        for table in ["knowledge_items", "knowledge_versions", "knowledge_applications", "knowledge_words", "knowledge_grams", "events"] {
            assert!(before.iter().any(|held| held == table), "{table}: {before:?}");
        }
        assert!(indexed(&fresh, SECRET).await);

        store.erase_knowledge(item.id(), &by(&anna)).await.unwrap();
        assert_eq!(holding(store, SECRET).await, ["audit", "run_knowledge"], "what was told of it stays told");
        if store.backend() == Backend::Postgres {
            assert!(!indexed(&fresh, SECRET).await);
        }
        assert_eq!(store.knowledge(item.id()).await.unwrap(), None);
        assert!(store.knowledge_items(&[item.id()], true).await.unwrap().is_empty());
        assert!(store.deleted_knowledge(None, 10).await.unwrap().items.is_empty());
        assert!(store.knowledge_versions(item.id(), None, 10).await.unwrap().items.is_empty());
        assert!(matches!(store.erase_knowledge(item.id(), &by(&anna)).await, Err(StoreError::NotFound { .. })));
        let again = store.restore_knowledge(item.id(), None, None, Judged::AsBefore, None, &by(&anna)).await;
        assert!(matches!(again, Err(StoreError::NotFound { .. })), "{again:?}");
        assert_eq!(store.guide(claimed.run.id).await.unwrap().unwrap().len(), 1);
        // Others are found as before, also by words that they had in common with it, and slips of them.
        let all = KnowledgeFilter::default();
        assert_eq!(titles(&fresh, "quinces", &all).await, ["Quinces"]);
        assert_eq!(titles(&fresh, "quicnes", &all).await, ["Quinces"]);
        let change = entry("Names it", "It was related.");
        let change = guildhall_types::knowledge::KnowledgeDraft { related: vec![item.id()], ..change };
        store.update_knowledge(naming.id(), 1, change, None, Judged::AsBefore, &by(&anna)).await.unwrap();
        // What a server that died had still to do is done.
        let told = format!(r#"{{"id":"{}","title":"{SECRET}"}}"#, item.id());
        fresh.tamper(&format!("UPDATE events SET what = '{told}' WHERE kind LIKE 'knowledge.%' AND what LIKE '%{}%'", item.id()))
            .await.unwrap();
        assert!(holding(store, SECRET).await.contains(&"events".to_owned()));
        store.put_setting("knowledge_erased", &[item.id()]).await.unwrap();
        store.finish_erasing().await.unwrap();
        assert_eq!(holding(store, SECRET).await, ["audit", "run_knowledge"]);
        // An old export may bring it in again, under its id.
        let anew = store.create_unlike_knowledge(item.id(), new(by(&anna), entry("Anew", "Without a key.")), None).await.unwrap();
        assert_eq!((anew.id(), anew.kind(), anew.common.version), (item.id(), KnowledgeKind::Entry, 1));
        assert_eq!(titles(&fresh, "anew", &all).await, ["Anew"]);
        let taken = store.create_unlike_knowledge(item.id(), new(by(&anna), entry("Other", "x")), None).await;
        assert!(matches!(taken, Err(StoreError::Taken { .. })), "{taken:?}");
    }

    async fn of_a_former_text_that_is_erased_its_place_alone_is_left(fresh: Fresh) {
        let (anna, store) = (fresh.member("anna").await, &fresh.store);
        let item = write(&fresh, by(&anna), entry("How to call it", &format!("The key is {SECRET}."))).await;
        let clean = entry("How to call it", "Ask Olga for the key.");
        store.update_knowledge(item.id(), 1, clean, Some("took it out"), Judged::AsBefore, &by(&anna)).await.unwrap();
        assert!(holding(store, SECRET).await.contains(&"knowledge_versions".to_owned()));
        for version in [2, 3] {
            let refused = store.erase_versions(item.id(), &[1, version], &by(&anna)).await;
            assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
        }
        store.erase_versions(item.id(), &[1], &by(&anna)).await.unwrap();
        assert!(holding(store, SECRET).await.is_empty());
        if store.backend() == Backend::Postgres {
            assert!(!indexed(&fresh, SECRET).await);
        }
        let first = store.knowledge_version(item.id(), 1).await.unwrap().unwrap();
        assert_eq!((first.draft, first.erased_at, first.member_id), (None, Some(fresh.clock.now()), anna.id));
        assert!(store.knowledge_version(item.id(), 2).await.unwrap().unwrap().draft.is_some());
        assert_eq!(store.knowledge_versions(item.id(), None, 10).await.unwrap().items.len(), 2);
        assert_eq!(titles(&fresh, "olga", &KnowledgeFilter::default()).await, ["How to call it"]);
        // Once more changes nothing.
        fresh.clock.advance(Duration::hours(1));
        store.erase_versions(item.id(), &[1], &by(&anna)).await.unwrap();
        assert_ne!(store.knowledge_version(item.id(), 1).await.unwrap().unwrap().erased_at, Some(fresh.clock.now()));
    }

    async fn what_is_erased_is_not_said_to_have_failed_where_something_is_left_to_do(fresh: Fresh) {
        let (anna, store) = (fresh.member("anna").await, &fresh.store);
        let item = write(&fresh, by(&anna), entry("How to call it", &format!("The key is {SECRET}."))).await;
        store.update_knowledge(item.id(), 1, entry("How", "Ask."), None, Judged::AsBefore, &by(&anna)).await.unwrap();
        let undone = async || store.setting::<Vec<guildhall_types::KnowledgeId>>("knowledge_erased").await.unwrap();
        // No event can be read that tells of it.
        let told = format!("kind LIKE 'knowledge.%' AND what LIKE '%{}%'", item.id());
        fresh.tamper(&format!("UPDATE events SET what = '!' || what WHERE {told}")).await.unwrap();
        store.erase_versions(item.id(), &[1], &by(&anna)).await.unwrap();
        store.erase_knowledge(item.id(), &by(&anna)).await.unwrap();
        assert_eq!(store.knowledge(item.id()).await.unwrap(), None);
        assert_eq!(undone().await, Some(vec![item.id(), item.id()]));
        assert!(store.finish_erasing().await.is_err(), "the clean-up says so");
        fresh.tamper(&format!("UPDATE events SET what = ltrim(what, '!') WHERE {told}")).await.unwrap();
        store.finish_erasing().await.unwrap();
        assert_eq!(undone().await, Some(vec![]));
    }
}

#[tokio::test]
async fn the_file_of_sqlite_holds_nothing_of_what_was_erased() {
    let fresh = Fresh::sqlite().await;
    let anna = fresh.member("anna").await;
    for n in 0..30 {
        write(&fresh, by(&anna), entry(&format!("Other {n}"), "It ripens late.")).await;
    }
    let item = write(&fresh, by(&anna), entry("How to call it", &format!("The key is {SECRET}."))).await;
    let clean = entry("How to call it", "Ask Olga for the key.");
    fresh.store.update_knowledge(item.id(), 1, clean, None, Judged::AsBefore, &by(&anna)).await.unwrap();
    assert!(indexed(&fresh, SECRET).await);
    fresh.store.erase_versions(item.id(), &[1], &by(&anna)).await.unwrap();
    assert!(!indexed(&fresh, SECRET).await);
}

#[tokio::test]
async fn who_erases_waits_for_those_who_read_and_leaves_the_rest_for_later_when_they_do_not_end() {
    let fresh = Fresh::sqlite().await;
    let anna = fresh.member("anna").await;
    let item = write(&fresh, by(&anna), entry("How to call it", &format!("The key is {SECRET}."))).await;
    let mut reader = sqlx::SqliteConnection::connect(fresh.url()).await.unwrap();
    sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
    sqlx::query("SELECT count(*) FROM knowledge_items").execute(&mut reader).await.unwrap();
    fresh.store.erase_knowledge(item.id(), &by(&anna)).await.unwrap();
    let undone = async || fresh.store.setting::<Vec<guildhall_types::KnowledgeId>>("knowledge_erased").await.unwrap();
    assert_eq!(undone().await, Some(vec![item.id()]));
    sqlx::query("COMMIT").execute(&mut reader).await.unwrap();
    fresh.store.finish_erasing().await.unwrap();
    assert!(!indexed(&fresh, SECRET).await);
    assert_eq!(undone().await, Some(vec![]));
}
