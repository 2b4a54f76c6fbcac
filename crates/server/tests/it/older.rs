//! Backups of earlier schemas, which are brought forward, and of later ones, which are refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use guildhall_git::Repo;
use guildhall_store::{KnowledgeFilter, Named, Piece, PlainRow, Store, TableHead, write_piece};
use guildhall_team::backup::{BackupError, Index, Making, Manifest, Part, RepositoryPart, Room, Shelf, verify};
use guildhall_types::backup::BackupKind;
use guildhall_types::{FeatureId, ProjectId, SystemClock};
use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Connection;
use tokio::sync::mpsc;

use crate::backups::Empty;
use crate::fsck::fsck;
use crate::harness::{PASSWORD, Persona, TestApp, fresh_postgres};
use crate::live::waits;
use crate::program::{guildhall, run};
use crate::rotation::serve;

/// The schema of the first version that made backups.
const FIRST: i64 = 29;

async fn dumped(store: &Store) -> (Vec<Piece>, Vec<guildhall_store::TableSum>) {
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

fn url_of(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

async fn alter(url: &str, sql: &str) {
    let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
}

/// How many rows there are.
async fn count(url: &str, of: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {of}"));
    let (found,) = match url.starts_with("sqlite") {
        true => {
            let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
            sqlx::query_as::<_, (i64,)>(sql).fetch_one(&mut db).await.unwrap()
        }
        false => {
            let mut db = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::query_as::<_, (i64,)>(sql).fetch_one(&mut db).await.unwrap()
        }
    };
    found
}

/// A team as an earlier version would have it: what that knows of the rows, at its schema.
async fn earlier(now: &[Piece], schema: i64, file: &Path) -> Option<Store> {
    let old = Store::open(&url_of(file), Arc::new(SystemClock)).await.unwrap();
    old.migrate_to(schema).await.unwrap();
    if old.schema_version().await.unwrap().0 != Some(schema) {
        return None;
    }
    let known: Vec<TableHead> = dumped(&old).await.0.into_iter().filter_map(head).collect();
    let mut filling = old.fill().await.unwrap();
    // Of the table that comes: where its columns are that were there then.
    let mut places: Option<Vec<usize>> = None;
    for piece in now {
        match piece {
            Piece::Table(head) => {
                places = known.iter().find(|then| then.table == head.table).map(|then| {
                    let place = |column: &String| head.columns.iter().position(|one| one == column).unwrap();
                    then.columns.iter().map(place).collect()
                });
                if let Some(then) = known.iter().find(|then| then.table == head.table) {
                    filling.put(Piece::Table(then.clone())).await.unwrap();
                }
            }
            Piece::Rows(rows) => {
                let Some(places) = &places else { continue };
                let of_then = |row: &PlainRow| places.iter().map(|at| row[*at].clone()).collect();
                filling.put(Piece::Rows(rows.iter().map(of_then).collect())).await.unwrap();
            }
        }
    }
    filling.compare().await.unwrap();
    filling.commit(false).await.unwrap();
    Some(old)
}

fn head(piece: Piece) -> Option<TableHead> {
    match piece {
        Piece::Table(head) => Some(head),
        Piece::Rows(_) => None,
    }
}

fn written(folder: &Path, file: &str, bytes: &[u8]) -> Part {
    std::fs::write(folder.join(file), bytes).unwrap();
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Part { file: file.to_owned(), bytes: bytes.len() as u64, sha256, compressed: false }
}

/// A backup as that version made it: its rows beside the packs of one of today.
async fn backup_of(store: &Store, today: &Manifest, from: &Path, to: &Path, repository: &Path) -> Manifest {
    let folder = to.join(&today.name);
    std::fs::create_dir_all(&folder).unwrap();
    for pack in &today.packs {
        std::fs::copy(from.join(&today.name).join(&pack.file), folder.join(&pack.file)).unwrap();
    }
    let (pieces, tables) = dumped(store).await;
    let mut rows = Vec::new();
    let mut named = Named::default();
    for piece in &pieces {
        named.note(piece);
        write_piece(piece, &mut rows).unwrap();
    }
    let (project, name) = named.projects.first_key_value().unwrap();
    let repository = RepositoryPart {
        project: *project,
        name: name.clone(),
        standing: Repo::open(repository).unwrap().standing().await.unwrap(),
        also: Vec::new(),
        lacking: Vec::new(),
        pack: Some(today.packs[0].file.clone()),
    };
    let index = Index { tables, repositories: vec![repository], keys: named.keys, damaged: Vec::new() };
    let (schema, known) = store.schema_version().await.unwrap();
    assert!(schema.unwrap() < known);
    let manifest = Manifest {
        schema: schema.unwrap(),
        kind: BackupKind::Full,
        rows: written(&folder, "rows.jsonl", &rows),
        index: written(&folder, "index.json", &serde_json::to_vec(&index).unwrap()),
        ..today.clone()
    };
    std::fs::write(folder.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
    manifest
}

/// A team whose work waits, with an entry in its hub, and a backup of it.
struct Team {
    app: TestApp,
    folder: PathBuf,
    today: Manifest,
    project: ProjectId,
    card: FeatureId,
    rows: Vec<Piece>,
}

impl Team {
    async fn new() -> Self {
        let mut app = TestApp::start().await;
        let mut owner = app.owner().await;
        let (feature, _) = waits(&mut owner).await;
        let entry = json!({ "title": "Wasps", "content": "Say what to do.", "type": "faq" });
        owner.post("/api/knowledge/entries", entry).await.is(StatusCode::CREATED);
        let card = owner.get(&feature).await.is(StatusCode::OK);
        let id = |name: &str| card[name].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
        let (project, card) = (ProjectId(id("projectId")), FeatureId(id("id")));
        let team = app.app.team.clone();
        let folder = app.dir.path().join("backups");
        let shelf = Shelf::Folder(folder.clone());
        let making = Making {
            store: &team.store,
            places: &team.places,
            shared: None,
            clock: &*team.clock,
            shelf: &shelf,
            key: None,
            full_every: 1,
            known_only: false,
        };
        let today = making.make().await.unwrap().manifest;
        let rows = dumped(&team.store).await.0;
        app.stop().await;
        Self { app, folder, today, project, card, rows }
    }

    /// A place with the backup that a version of this schema would have made; nothing when there was no such schema.
    async fn as_of(&self, schema: i64) -> Option<(PathBuf, Manifest)> {
        let dir = self.app.dir.path();
        let file = dir.join(format!("{schema}.db"));
        let old = earlier(&self.rows, schema, &file).await?;
        // What a later migration looks at (0032): what a run was told goes with its history, and counts.
        alter(
            &url_of(&file),
            "INSERT INTO run_knowledge (run_id, item_id, way, position, kind, version, title, text, at)
               SELECT r.id, k.id, 'instructions', 0, 'entry', 1, 'Wasps', 'x', r.created_at FROM runs r, knowledge_items k;
             UPDATE runs SET forgotten_at = created_at;
             UPDATE features SET status = 'completed'",
        )
        .await;
        let to = dir.join(format!("backups-{schema}"));
        let repository = dir.join(format!("repositories/{}.git", self.project));
        let manifest = backup_of(&old, &self.today, &self.folder, &to, &repository).await;
        old.close().await;
        Some((to, manifest))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_any_earlier_schema_is_brought_forward_on_either_database() {
    let team = Team::new().await;
    let mut schemas = 0;
    for schema in FIRST..Store::known_schema() {
        let Some((place, manifest)) = team.as_of(schema).await else { continue };
        schemas += 1;
        let shelf = Shelf::Folder(place.clone());
        let lite = Empty::new().await;
        let mut places = vec![(lite.url(), lite)];
        // The ends of the row stand for what is in between, which SQLite is tried with.
        if schema == FIRST || schema + 1 == Store::known_schema() {
            let (vault, scratch) = (&team.app.app.team.vault, team.app.dir.path());
            let found = verify(&shelf, None, None, vault, Arc::new(SystemClock), scratch, Room::ALL).await.unwrap();
            assert_eq!((found.problems.as_slice(), found.restored.manifest.schema), (&[] as &[String], schema));
            let post = fresh_postgres().await;
            places.push((post.clone(), Empty::on(&post).await));
        }
        for (url, empty) in places {
            let restored = empty.from(&shelf, None, None).restore().await.unwrap();
            assert_eq!((restored.problems.as_slice(), restored.repositories), (&[] as &[String], 1), "{schema}: {url}");
            assert_eq!(restored.manifest, manifest);
            assert!(restored.audit.broken.is_none() && restored.audit.sound > 0);
            let store = &empty.store;
            assert_eq!(store.schema_version().await.unwrap(), (Some(Store::known_schema()), Store::known_schema()));
            assert!(store.feature(team.card).await.unwrap().is_some());
            let hits = store.search_knowledge("wasps", &KnowledgeFilter::default(), 10).await.unwrap();
            assert_eq!(hits.iter().map(|hit| hit.title.as_str()).collect::<Vec<_>>(), ["Wasps"]);
            // What the migrations since do to rows, they did to these.
            let (counted, told) = if schema < 32 { (1, 0) } else { (0, 1) };
            assert_eq!(count(&url, "knowledge_traces WHERE came_through = 1").await, counted, "{schema}: {url}");
            assert_eq!(count(&url, "run_knowledge").await, told, "{schema}: {url}");
            empty.store.close().await;
        }
    }
    assert!(schemas >= 3, "{schemas}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_restores_an_earlier_backup_and_serves_it_and_refuses_a_later_one() {
    let team = Team::new().await;
    let (place, manifest) = team.as_of(FIRST).await.unwrap();
    let dir = team.app.dir.path();
    let restore = |data: &Path, from: &Path| {
        let mut command = guildhall(data);
        command.arg("restore").arg("--from").arg(from);
        command
    };
    // Tables of this schema are in the way: the migrations since would not look at what comes into them.
    let data = dir.join("restored");
    std::fs::create_dir_all(&data).unwrap();
    let (code, out, err) = run(guildhall(&data).arg("migrate")).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let known = Store::known_schema();
    let (code, out, err) = run(&mut restore(&data, &place)).await;
    let told =
        format!("tables of the schema {known} already, while the backup {} is of the schema {FIRST}", manifest.name);
    assert!(
        code == Some(1) && err.contains(&told) && err.contains("name another data folder or database"),
        "{out}{err}"
    );
    assert!(!data.join("repositories").exists() && !data.join("restore.unfinished").exists());
    for file in ["guildhall.db", "guildhall.db-wal", "guildhall.db-shm"] {
        std::fs::remove_file(data.join(file)).ok();
    }
    // Cut off when the rows are there, and not brought forward yet.
    let (code, ..) = run(restore(&data, &place).env("GUILDHALL_TEST_AT", "kill restore.forward 1")).await;
    assert_eq!((code, count(&url_of(&data.join("guildhall.db")), "members").await), (None, 1));
    let (code, _, err) = run(guildhall(&data).arg("serve")).await;
    assert!(code == Some(1) && err.contains("was cut off"), "{err}");
    let (code, out, err) = run(&mut restore(&data, &place)).await;
    assert!(code == Some(0) && out.contains("1 repositories are whole"), "{out}{err}");
    assert!(out.contains("1 sessions were ended"), "{out}");
    assert!(!data.join("restore.unfinished").exists());
    assert_eq!(count(&url_of(&data.join("guildhall.db")), "settings WHERE name = 'restoring'").await, 0);
    fsck(&data.join(format!("repositories/{}.git", team.project))).await;
    let (_server, url) = serve(&data, &[]).await;
    let mut owner = Persona::at(&url);
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    owner.post("/api/auth/login", login).await.is(StatusCode::OK);
    let card = owner.get(&format!("/api/features/{}", team.card)).await.is(StatusCode::OK);
    assert_eq!(card["status"], "completed", "{card:#}");
    owner.get(&format!("/api/features/{}/diff", team.card)).await.is(StatusCode::OK);

    // One of a later version is refused before anything is touched.
    let path = place.join(&manifest.name).join("manifest.json");
    let later = Manifest { schema: known + 1, ..manifest };
    std::fs::write(&path, serde_json::to_vec(&later).unwrap()).unwrap();
    let data = dir.join("never");
    let (code, out, err) = run(&mut restore(&data, &place)).await;
    let told =
        format!("of the schema {}, and this version knows up to {known}; use a later version of Guildhall", known + 1);
    assert!(code == Some(1) && err.contains(&told), "{out}{err}");
    assert!(!data.join("repositories").exists() && !data.join("restore.unfinished").exists());
    let empty = Empty::new().await;
    let error = empty.from(&Shelf::Folder(place), None, None).restore().await.unwrap_err();
    assert!(matches!(error, BackupError::Store(_)), "{error}");
    assert_eq!(empty.store.schema_version().await.unwrap().0, None, "it has no tables even");
    empty.store.close().await;
}
