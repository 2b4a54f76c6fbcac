//! All rows of a team, from one database into another.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use guildhall_store::{
    FeaturePatch, KnowledgeFilter, MailEnd, McpSecrets, Named, NewCredential, NewFile, NewKnowledge, NewMail,
    NewMcpServer, Piece, PlainRow, SealedSecret, Store, StoreError, TableHead, TableSum, Value, credential_identity,
    mail_identity,
};
use guildhall_types::knowledge::{KnowledgeReview, Via};
use guildhall_types::mail::MailKind;
use guildhall_types::member::{Member, ProviderKind};
use guildhall_types::{Clock, MailId};
use sqlx::Connection;
use tokio::sync::mpsc;

use crate::harness::{Fresh, file, new_run, on_both};
use crate::knowledge::{by, entry};
use crate::mcp_servers::new as mcp_server;

async fn dumped(store: &Store) -> (Vec<Piece>, Vec<TableSum>) {
    let (out, mut pieces) = mpsc::channel(2);
    let take = async {
        let mut all = Vec::new();
        while let Some(piece) = pieces.recv().await {
            all.push(piece);
        }
        all
    };
    let (all, sums) = tokio::join!(take, store.dump(out));
    (all, sums.unwrap())
}

/// Copies everything, compares, and commits.
async fn copy(from: &Store, to: &Store) -> Result<(), StoreError> {
    let (pieces, sums) = dumped(from).await;
    let mut filling = to.fill().await?;
    for piece in pieces {
        filling.put(piece).await?;
    }
    assert_eq!(filling.sums(), sums);
    filling.compare().await?;
    filling.commit(true).await
}

fn tables(pieces: &[Piece]) -> BTreeMap<String, BTreeSet<String>> {
    let head = |piece: &Piece| match piece {
        Piece::Table(head) => Some((head.table.clone(), head.columns.iter().cloned().collect())),
        Piece::Rows(_) => None,
    };
    pieces.iter().filter_map(head).collect()
}

fn rows(pieces: &[Piece], table: &str) -> Vec<PlainRow> {
    let mut of_it = false;
    let mut found = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Table(head) => of_it = head.table == table,
            Piece::Rows(rows) if of_it => found.extend(rows.iter().cloned()),
            Piece::Rows(_) => {}
        }
    }
    found
}

/// A team with a bit of everything: whole numbers, fractions, truths, times, documents, bytes, text with marks in it.
async fn furnish(fresh: &Fresh) -> Member {
    let store = &fresh.store;
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    let card = fresh.card(&project, "tab\there \\ and\nthere: \u{1f980} \\N").await.card.id;
    let another = fresh.card(&project, "another").await.card.id;
    let text = FeaturePatch { description: Some("Anders \u{1f980}.".to_owned()), ..FeaturePatch::default() };
    store.update_feature(another, text, None).await.unwrap();
    store.start_feature(card, anna.id, new_run(), i64::MAX).await.unwrap();
    store
        .add_attachment(card, anna.id, &file("a.bin", "application/octet-stream", &[0, 1, 92, 255, 10]))
        .await
        .unwrap();
    let file = NewFile { name: "said.bin".to_owned(), media_type: "text/plain".to_owned(), bytes: vec![34, 0, 200] };
    store.follow_up_in(card, anna.id, "look", None, &[file]).await.unwrap();
    let odd = serde_json::json!({ "small": 0.1, "large": 1e21, "whole": 3.0, "text": "\\u0000 \" \\", "none": null });
    store.put_setting("odd", &odd).await.unwrap();
    store.adopt_key("k").await.unwrap();
    let secret = SealedSecret {
        identity: credential_identity(anna.id, ProviderKind::Anthropic),
        key_id: "k".to_owned(),
        wrapped_key: vec![0, 200],
        sealed: vec![9; 40],
    };
    let credential = NewCredential {
        member_id: anna.id,
        provider: ProviderKind::Anthropic,
        hint: "cdef".to_owned(),
        base_url: None,
        models: Vec::new(),
        secret,
    };
    store.put_credential(&credential).await.unwrap();
    for title in ["Ownership of errors", "Wasps"] {
        let author = by(&anna);
        assert!(matches!(author.via, Via::Page));
        let new = NewKnowledge {
            draft: entry(title, "Say what to do."),
            author,
            review: KnowledgeReview::Accepted,
            source_run: None,
            source_feature: None,
        };
        store.create_knowledge(new).await.unwrap();
    }
    let server = NewMcpServer { project: None, secrets: McpSecrets::None, ..mcp_server(&project, &anna, "docs") };
    store.create_mcp_server(server).await.unwrap();
    anna
}

async fn the_same(a: &Store, b: &Store) {
    let (all_a, all_b) = (dumped(a).await, dumped(b).await);
    let counts = |sums: &[TableSum]| sums.iter().map(|sum| (sum.table.clone(), sum.rows)).collect::<Vec<_>>();
    assert_eq!(counts(&all_a.1), counts(&all_b.1));
    assert_eq!(tables(&all_a.0), tables(&all_b.0));
    for table in
        ["members", "events", "audit", "attachments", "feature_texts", "secrets", "knowledge_words", "knowledge_grams"]
    {
        let sorted = |pieces: &[Piece]| {
            let mut all: Vec<String> = Vec::new();
            for row in rows(pieces, table) {
                let mut bytes = Vec::new();
                guildhall_store::write_piece(&Piece::Rows(vec![row]), &mut bytes).unwrap();
                all.push(String::from_utf8(bytes).unwrap());
            }
            all.sort();
            all
        };
        // These hold no documents, which each database writes in its own way.
        let (a, b) = (sorted(&all_a.0), sorted(&all_b.0));
        assert!(!a.is_empty() && (table == "members" || a == b), "{table}");
    }
    let verdicts = (a.verify_audit().await.unwrap(), b.verify_audit().await.unwrap());
    assert_eq!(verdicts.0, verdicts.1);
    assert!(verdicts.0.broken.is_none() && verdicts.0.sound > 0);
    let odd = |store: &Store| {
        let store = store.clone();
        async move { store.setting::<serde_json::Value>("odd").await.unwrap().unwrap() }
    };
    assert_eq!(odd(a).await, odd(b).await);
}

/// The titles that a search finds.
async fn found(store: &Store, words: &str) -> Vec<String> {
    let hits = store.search_knowledge(words, &KnowledgeFilter::default(), 10).await.unwrap();
    hits.into_iter().map(|hit| hit.title).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_moves_to_the_other_database_and_back_and_goes_on_there() {
    let (lite, post, back) = (Fresh::sqlite().await, Fresh::postgres().await, Fresh::sqlite().await);
    let anna = furnish(&lite).await;
    copy(&lite.store, &post.store).await.unwrap();
    the_same(&lite.store, &post.store).await;
    copy(&post.store, &back.store).await.unwrap();
    the_same(&lite.store, &back.store).await;
    let again = Fresh::postgres().await;
    copy(&post.store, &again.store).await.unwrap();
    the_same(&post.store, &again.store).await;
    for fresh in [&lite, &post, &back, &again] {
        let card = fresh.store.member(anna.id).await.unwrap().unwrap();
        assert_eq!(card, anna);
        assert_eq!(found(&fresh.store, "ownership").await, ["Ownership of errors"]);
        assert_eq!(found(&fresh.store, "wsaps").await, ["Wasps"], "what is misspelt is found, too");
        let last = fresh.store.last_seq().await.unwrap();
        // Counters go on where they were, and what is found is what was found.
        let project = fresh.project(&card).await;
        assert_eq!(fresh.card(&project, "later").await.card.number, 1);
        assert!(fresh.store.last_seq().await.unwrap() > last);
        assert!(fresh.store.verify_audit().await.unwrap().broken.is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_table_and_no_column_is_forgotten() {
    let (lite, post) = (Fresh::sqlite().await, Fresh::postgres().await);
    let (of_lite, of_post) = (tables(&dumped(&lite.store).await.0), tables(&dumped(&post.store).await.0));
    assert_eq!(of_lite, of_post, "both have the same tables with the same columns");
    let made_anew = |all: Vec<(String,)>, known: &BTreeMap<String, BTreeSet<String>>| {
        let left = all.into_iter().map(|(name,)| name).filter(|name| !known.contains_key(name));
        left.filter(|name| !name.starts_with("_sqlx")).collect::<Vec<_>>()
    };
    let mut db = sqlx::SqliteConnection::connect(lite.url()).await.unwrap();
    let all = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let all: Vec<(String,)> = sqlx::query_as(all).fetch_all(&mut db).await.unwrap();
    let left = made_anew(all, &of_lite);
    let shared = ["repository_logs", "repository_packs", "repository_refs", "shared_repositories"];
    let derived = |name: &String| name.starts_with("knowledge_index") || shared.contains(&name.as_str());
    assert!(left.iter().all(derived), "{left:?}");
    let mut db = sqlx::PgConnection::connect(post.url()).await.unwrap();
    let all = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let all: Vec<(String,)> = sqlx::query_as(all).fetch_all(&mut db).await.unwrap();
    let left: BTreeSet<String> = made_anew(all, &of_post).into_iter().collect();
    assert_eq!(left, ["knowledge_index"].into_iter().chain(shared).map(str::to_owned).collect());
    // What the database itself counted would have to be set as well.
    let (sequences,): (i64,) = sqlx::query_as("SELECT count(*) FROM pg_sequences").fetch_one(&mut db).await.unwrap();
    assert_eq!(sequences, 0);
}

on_both! {
    async fn a_database_that_holds_rows_is_refused_and_stays_as_it_is(fresh: Fresh) {
        let other = Fresh::sqlite().await;
        furnish(&other).await;
        assert_eq!(fresh.store.occupied().await.unwrap(), []);
        let anna = fresh.member("anna").await;
        let told = copy(&other.store, &fresh.store).await.unwrap_err().to_string();
        assert!(told.contains("members (1)"), "{told}");
        assert!(fresh.store.occupied().await.unwrap().contains(&("members".to_owned(), 1)));
        assert_eq!(fresh.store.member(anna.id).await.unwrap().unwrap(), anna);
    }

    async fn rows_that_do_not_fit_leave_nothing(fresh: Fresh) {
        let other = Fresh::sqlite().await;
        furnish(&other).await;
        let (pieces, _) = dumped(&other.store).await;
        // A table that this schema does not know.
        let mut filling = fresh.store.fill().await.unwrap();
        let unknown = TableHead { table: "wishes".to_owned(), columns: vec!["id".to_owned()] };
        assert!(matches!(filling.put(Piece::Table(unknown)).await, Err(StoreError::Unfit(_))));
        drop(filling);
        // A row that is cut short, and one whose member is not there.
        for wrong in ["short", "orphan", "missing"] {
            let mut filling = fresh.store.fill().await.unwrap();
            let mut of = String::new();
            let mut refused = None;
            for piece in pieces.clone() {
                let piece = match piece {
                    Piece::Table(head) => {
                        of.clone_from(&head.table);
                        Piece::Table(head)
                    }
                    Piece::Rows(mut rows) => {
                        if of == "projects" && wrong == "short" {
                            rows[0].pop();
                        }
                        if of == "members" && wrong == "orphan" {
                            rows.clear();
                        }
                        Piece::Rows(rows)
                    }
                };
                if wrong == "missing" && of == "turns" {
                    continue;
                }
                if let Err(error) = filling.put(piece).await {
                    refused = Some(error);
                    break;
                }
            }
            if refused.is_none() {
                refused = filling.compare().await.err();
            }
            assert!(refused.is_some(), "{wrong}");
            drop(filling);
            assert_eq!(fresh.store.occupied().await.unwrap(), [], "{wrong}");
        }
        copy(&other.store, &fresh.store).await.unwrap();
    }

    async fn what_is_read_is_one_moment_beside_whoever_writes(fresh: Fresh) {
        furnish(&fresh).await;
        let (out, mut pieces) = mpsc::channel(1);
        let store = fresh.store.clone();
        let dump = tokio::spawn(async move { store.dump(out).await });
        let mut all = vec![pieces.recv().await.unwrap()];
        // The reader has begun, and waits for us.
        fresh.member("late").await;
        while let Some(piece) = pieces.recv().await {
            all.push(piece);
        }
        let sums = dump.await.unwrap().unwrap();
        let members = sums.iter().find(|sum| sum.table == "members").unwrap();
        assert_eq!((members.rows, rows(&all, "members").len()), (1, 1));
        let mut named = Named::default();
        all.iter().for_each(|piece| named.note(piece));
        assert_eq!((named.projects.len(), named.keys.get("k")), (1, Some(&1)));
    }

    async fn what_was_under_way_is_settled(fresh: Fresh) {
        let other = Fresh::sqlite().await;
        furnish(&other).await;
        let id = MailId::new();
        let body =
            SealedSecret { identity: mail_identity(id), key_id: "k".to_owned(), wrapped_key: vec![1], sealed: vec![2] };
        let mail = NewMail { id, kind: MailKind::Notice, recipient: "ben@example.com".to_owned(), body };
        other.store.mailing(vec![mail]).put_mails().await.unwrap();
        // It was tried in vain, twice.
        for _ in 0..2 {
            let claimed = other.store.claim_mail(Duration::minutes(1)).await.unwrap().unwrap();
            let later = MailEnd::Later(other.clock.now(), "busy".to_owned());
            assert!(other.store.end_mail(&claimed, &later).await.unwrap());
        }
        let (pieces, _) = dumped(&other.store).await;
        let mut filling = fresh.store.fill().await.unwrap();
        for piece in pieces {
            filling.put(piece).await.unwrap();
        }
        filling.compare().await.unwrap();
        let settled = filling.settle(fresh.clock.now()).await.unwrap();
        assert_eq!((settled.mails, settled.messages), (1, 0));
        filling.commit(true).await.unwrap();
        assert_eq!(fresh.store.waiting_mails().await.unwrap(), 0);
        let failed = fresh.store.failed_mails(9).await.unwrap();
        assert!(failed[0].problem.as_ref().unwrap().contains("not sent again"), "{failed:?}");
        assert_eq!(fresh.store.mail_stuck_since().await.unwrap(), None, "the mail server had no part in it");
        assert_eq!(fresh.store.secret(&mail_identity(id)).await.unwrap(), None);
    }

    async fn a_value_is_shown_as_what_it_is_and_never_itself(fresh: Fresh) {
        furnish(&fresh).await;
        let (pieces, _) = dumped(&fresh.store).await;
        let shown = format!("{pieces:?}");
        assert!(shown.contains("members") && !shown.contains("anna"), "rows hold secrets");
        assert_eq!(format!("{:?}", Value::Text("secret".to_owned())), "text");
    }
}
