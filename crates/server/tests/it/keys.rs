//! Secrets and the keys that seal them, over both databases: rotation, several servers, a lost key, and a database of an
//! earlier version.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use guildhall_llm::Secret;
use guildhall_store::{NewCredential, Store, StoreError, credential_identity};
use guildhall_team::TeamError;
use guildhall_team::keys::Keys;
use guildhall_team::vault::{KeyFiles, Vault};
use guildhall_types::member::{MemberRole, ProviderKind};
use guildhall_types::{MemberId, SystemClock};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection};

use crate::harness::{TestApp, Wish, fresh_postgres};

const KEY: &str = "sk-ant-api03-very-secret-0123";

/// A database of each kind that holds nothing.
async fn databases(dir: &Path) -> [String; 2] {
    [format!("sqlite://{}", dir.join("guildhall.db").display()), fresh_postgres().await]
}

async fn store(url: &str) -> Store {
    let store = Store::open(url, Arc::new(SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn member(store: &Store, name: &str) -> MemberId {
    let email = format!("{name}@example.com");
    let new = guildhall_store::NewMember { email, name: name.to_owned(), password_hash: None };
    store.create_member(new, MemberRole::Member).await.unwrap().id
}

async fn put(store: &Store, vault: &Vault, member: MemberId, key: &str) -> Result<(), StoreError> {
    let provider = ProviderKind::Anthropic;
    let secret = vault.seal(&credential_identity(member, provider), key.as_bytes()).unwrap();
    let new = NewCredential {
        member_id: member,
        provider,
        secret,
        hint: "0123".to_owned(),
        base_url: None,
        models: Vec::new(),
    };
    store.put_credential(&new).await.map(drop)
}

async fn opened(store: &Store, vault: &Vault, member: MemberId) -> String {
    let provider = ProviderKind::Anthropic;
    let sealed = store.sealed_credential(member, provider).await.unwrap().unwrap().secret;
    let opened = vault.open(&credential_identity(member, provider), &sealed).unwrap();
    String::from_utf8(opened.to_vec()).unwrap()
}

#[tokio::test]
async fn a_rotation_seals_everything_anew_and_the_former_key_can_go() {
    let dir = tempfile::tempdir().unwrap();
    for (n, url) in databases(dir.path()).await.into_iter().enumerate() {
        let store = store(&url).await;
        let first = dir.path().join(format!("keys{n}/vault.key"));
        let vault = Vault::open_files(KeyFiles::new(&first)).unwrap();
        let keys = Keys { store: &store, vault: &vault };
        assert_eq!(keys.settle().await.unwrap().made.as_deref(), Some(&*first));
        let old = vault.key_id().unwrap();
        let (anna, ben) = (member(&store, "anna").await, member(&store, "ben").await);
        put(&store, &vault, anna, "key of Anna").await.unwrap();
        put(&store, &vault, ben, "key of Ben").await.unwrap();
        // Another process, which does not know of the rotation yet.
        let unaware = Vault::open_files(KeyFiles::new(&first)).unwrap();

        let done = keys.rotate(None).await.unwrap();
        assert_eq!((done.from.as_ref(), done.rewrapped), (Some(&old), 2));
        assert!(done.left.is_empty() && done.broken.is_empty());
        assert_eq!(done.spent.iter().map(|key| &key.id).collect::<Vec<_>>(), [&old]);
        assert_eq!(opened(&store, &unaware, anna).await, "key of Anna", "the new key's file is found");
        let late = put(&store, &unaware, ben, "late").await;
        assert!(matches!(&late, Err(StoreError::KeyMoved { current }) if *current == done.to), "{late:?}");

        keys.retire(&old).await.unwrap();
        std::fs::remove_file(&first).unwrap();
        let after = Vault::open_files(KeyFiles::new(&first)).unwrap();
        assert_eq!(Keys { store: &store, vault: &after }.settle().await.unwrap().lacking, None);
        assert_eq!(opened(&store, &after, anna).await, "key of Anna");
        assert_eq!(opened(&store, &after, ben).await, "key of Ben");
    }
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_anywhere_is_finished_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    for (n, url) in databases(dir.path()).await.into_iter().enumerate() {
        let store = store(&url).await;
        let vault = Vault::open_files(KeyFiles::new(&dir.path().join(format!("keys{n}/vault.key")))).unwrap();
        let keys = Keys { store: &store, vault: &vault };
        keys.settle().await.unwrap();
        let first = vault.key_id().unwrap();
        let anna = member(&store, "anna").await;
        put(&store, &vault, anna, "key").await.unwrap();
        // When the file was made and nothing else was done.
        let made = vault.make_key().unwrap();
        let done = keys.rotate(None).await.unwrap();
        assert_eq!((&done.to, done.rewrapped, &done.made), (&made.id, 1, &None), "no key is made for nothing");
        // When the key was current and nothing was sealed anew.
        let next = keys.make().await.unwrap();
        store.turn_to_key(&made.id, &next.id).await.unwrap();
        let done = keys.rotate(None).await.unwrap();
        assert_eq!((&done.to, &done.from, done.rewrapped), (&next.id, &None, 1));
        // When all was done and nothing was told.
        let done = keys.rotate(Some(&next.id)).await.unwrap();
        assert_eq!((&done.to, &done.from, done.rewrapped), (&next.id, &None, 0));
        assert_eq!(opened(&store, &vault, anna).await, "key");
        let back = keys.rotate(Some(&first)).await.unwrap();
        assert_eq!((&back.to, back.rewrapped), (&first, 1), "one that was not retired can come back");
        keys.retire(&next.id).await.unwrap();
        assert!(matches!(keys.rotate(Some(&next.id)).await, Err(TeamError::Store(StoreError::KeyRetired { .. }))));
        // Two that wait: which one is not guessed.
        keys.make().await.unwrap();
        keys.make().await.unwrap();
        assert!(matches!(keys.rotate(None).await, Err(TeamError::Conflict { code: "which-key", .. })));
    }
}

#[tokio::test]
async fn a_lost_key_is_told_and_nothing_is_made_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    for (n, url) in databases(dir.path()).await.into_iter().enumerate() {
        let store = store(&url).await;
        let first = dir.path().join(format!("keys{n}/vault.key"));
        let vault = Vault::open_files(KeyFiles::new(&first)).unwrap();
        Keys { store: &store, vault: &vault }.settle().await.unwrap();
        let lost = vault.key_id().unwrap();
        let (anna, ben) = (member(&store, "anna").await, member(&store, "ben").await);
        put(&store, &vault, anna, "key").await.unwrap();
        put(&store, &vault, ben, "key").await.unwrap();
        let away = dir.path().join(format!("away{n}"));
        std::fs::rename(&first, &away).unwrap();

        let vault = Vault::open_files(KeyFiles::new(&first)).unwrap();
        let keys = Keys { store: &store, vault: &vault };
        assert_eq!(keys.settle().await.unwrap().lacking.as_ref(), Some(&lost));
        assert!(!first.exists());
        let listed = keys.list().await.unwrap();
        let lacking: Vec<_> = listed.lacking().map(|key| (&key.id, key.secrets)).collect();
        assert_eq!(lacking, [(&lost, 2)]);
        assert!(matches!(keys.rotate(None).await, Err(TeamError::Conflict { code: "key-missing", .. })));
        // Lost for good: a new one is made on purpose, and who puts a key in place again is well.
        let new = keys.make().await.unwrap();
        let done = keys.rotate(Some(&new.id)).await.unwrap();
        assert_eq!((done.rewrapped, done.left.get(&lost)), (0, Some(&2)));
        put(&store, &vault, anna, "again").await.unwrap();
        assert_eq!(opened(&store, &vault, anna).await, "again");
        let needed = keys.retire(&lost).await.unwrap_err();
        assert!(matches!(needed, TeamError::Store(StoreError::KeyNeeded { secrets: 1, .. })), "{needed}");
        // It turns up after all.
        std::fs::rename(&away, &first).unwrap();
        assert_eq!(keys.rotate(None).await.unwrap().rewrapped, 1);
        assert_eq!(opened(&store, &vault, ben).await, "key");
        keys.retire(&lost).await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_was_tampered_with_does_not_stop_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    for (n, url) in databases(dir.path()).await.into_iter().enumerate() {
        let store = store(&url).await;
        let vault = Vault::open_files(KeyFiles::new(&dir.path().join(format!("keys{n}/vault.key")))).unwrap();
        let keys = Keys { store: &store, vault: &vault };
        keys.settle().await.unwrap();
        let (anna, ben) = (member(&store, "anna").await, member(&store, "ben").await);
        put(&store, &vault, anna, "key of Anna").await.unwrap();
        put(&store, &vault, ben, "key of Ben").await.unwrap();
        // Whoever can write the database puts Anna's key in Ben's place.
        let (from, to) =
            (credential_identity(anna, ProviderKind::Anthropic), credential_identity(ben, ProviderKind::Anthropic));
        let set = ["wrapped_key", "sealed"]
            .map(|column| format!("{column} = (SELECT {column} FROM secrets WHERE identity = '{from}')"));
        tamper(&url, &format!("UPDATE secrets SET {} WHERE identity = '{to}'", set.join(", "))).await;
        let done = keys.rotate(None).await.unwrap();
        assert_eq!((done.rewrapped, done.broken), (1, vec![to]));
        assert_eq!(opened(&store, &vault, anna).await, "key of Anna");
    }
}

async fn tamper(url: &str, sql: &str) {
    if url.starts_with("sqlite") {
        let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
    } else {
        let mut db = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_each_needs_the_key_and_says_so() {
    let url = fresh_postgres().await;
    let same = |url: &str| {
        let url = Secret::new(url);
        Wish { change: Box::new(move |config| config.database_url = url), ..Wish::default() }
    };
    let one = TestApp::with(same(&url)).await;
    let two = TestApp::with(same(&url)).await;
    let mut owner = one.owner().await;
    let mut there = two.anonymous();
    there.cookie.clone_from(&owner.cookie);
    let path = "/api/user/credentials/anthropic";
    owner.put(path, json!({ "key": KEY, "baseUrl": one.sim.url() })).await.is(StatusCode::OK);

    let first = one.app.team.vault.key_id().unwrap();
    assert!(!two.dir.path().join("keys/vault.key").exists(), "the second server makes no key of its own");
    let refused = there.put(path, json!({ "key": "sk-ant-other-0000" })).await;
    let problem = refused.is_problem(StatusCode::CONFLICT, "sealed-key");
    assert!(problem["detail"].as_str().unwrap().contains(&first), "{problem}");
    there.call(&format!("{path}/test")).await.is_problem(StatusCode::CONFLICT, "sealed-key");
    let listed = there.get("/api/settings/keys").await.is(StatusCode::OK);
    assert_eq!((&listed["items"][0]["here"], &listed["items"][0]["current"]), (&json!(false), &json!(true)));

    let bring = |name: &str| {
        let text = std::fs::read(one.dir.path().join("keys").join(name)).unwrap();
        let to = two.dir.path().join("keys");
        std::fs::create_dir_all(&to).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(to.join(name)).unwrap();
        std::io::Write::write_all(&mut file, &text).unwrap();
    };
    bring("vault.key");
    assert_eq!(there.call(&format!("{path}/test")).await.is(StatusCode::OK)["ok"], true, "nothing was lost");

    let new = one.app.team.keys().make().await.unwrap();
    bring(&format!("{}.key", new.id));
    one.app.team.keys().rotate(Some(&new.id)).await.unwrap();
    assert_eq!(two.app.team.vault.key_id().as_ref(), Some(&first), "the other server has not heard of it yet");
    there.put(path, json!({ "key": "sk-ant-other-0000", "baseUrl": one.sim.url() })).await.is(StatusCode::OK);
    assert_eq!(two.app.team.vault.key_id().as_ref(), Some(&new.id), "it noticed when it put the secret");
    let listed = owner.get("/api/settings/keys").await.is(StatusCode::OK);
    let under = listed["items"].as_array().unwrap().iter().find(|key| key["id"] == new.id.as_str()).unwrap();
    assert_eq!((&under["current"], &under["secrets"]), (&json!(true), &json!(1)), "{listed}");
}

#[tokio::test]
async fn the_page_shows_keys_to_admins_and_never_a_key_itself() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.put("/api/user/credentials/anthropic", json!({ "key": KEY })).await.is(StatusCode::OK);
    let listed = owner.get("/api/settings/keys").await;
    let text = std::fs::read_to_string(app.dir.path().join("keys/vault.key")).unwrap();
    assert!(!listed.text().contains(text.trim()) && !listed.text().contains("vault.key"), "{}", listed.text());
    let listed = listed.is(StatusCode::OK);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["items"][0]["secrets"], &listed["items"][0]["here"]), (&json!(1), &json!(true)));
    let mut member = app.member(MemberRole::Member).await;
    member.get("/api/settings/keys").await.is_problem(StatusCode::FORBIDDEN, "missing-right");
}

/// What the second version wrote: the member, the key file, and the three parts of a credential.
const MEMBER: &str = "0198c0de-0000-7000-8000-0000000a11ce";
const OLD_FILE: &str = "juxqCua3XeBvsukMsG4Aw6ECKI18H7UJkJP9kveYSv8=\n";
const OLD_ID: &str = "ef91973a9bcd";
const OLD_WRAPPED: &str = "8a047c6c389d04d6328e03c49c72043893e922e94c3653b71eb6aa25ecc7d3adc11a9b247ff6027808b2ab72fb86fef3c0abe990c49f0a4232db1cd10aa4ea44bfcebc417a45054a";
const OLD_SEALED: &str = "a106103dc2518ad6cdf3a705b308465a3b9db7a973b29f5320a950f02ae3ea5914f12b2d99c570613d61856cdfd82b8e8e0652bc478a90f953c155b3317a2af7609b082599";

#[tokio::test]
async fn what_the_second_version_sealed_opens_in_this_one() {
    let dir = tempfile::tempdir().unwrap();
    for (n, url) in databases(dir.path()).await.into_iter().enumerate() {
        let kind = if url.starts_with("sqlite") { "sqlite" } else { "postgres" };
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/migrations").join(kind);
        let migrator = Migrator::new(files).await.unwrap();
        let bytes = |hex: &str| if kind == "sqlite" { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") };
        let id = if kind == "sqlite" { bytes(&MEMBER.replace('-', "")) } else { format!("'{MEMBER}'") };
        let (wrapped, sealed) = (bytes(OLD_WRAPPED), bytes(OLD_SEALED));
        let sql = format!(
            "INSERT INTO members (id, email, name, role, created_at)
               VALUES ({id}, 'anna@example.com', 'Anna', 'member', '2026-11-01T00:00:00Z');
             INSERT INTO credentials (member_id, provider, key_id, wrapped_key, sealed, hint, updated_at)
               VALUES ({id}, 'anthropic', '{OLD_ID}', {wrapped}, {sealed}, '0123', '2026-11-01T00:00:00Z')"
        );
        if kind == "sqlite" {
            drop(Store::open(&url, Arc::new(SystemClock)).await.unwrap());
            let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
            migrator.run_to(2, &mut db).await.unwrap();
        } else {
            let mut db = sqlx::PgConnection::connect(&url).await.unwrap();
            migrator.run_to(2, &mut db).await.unwrap();
        }
        tamper(&url, &sql).await;

        let store = store(&url).await;
        let first = dir.path().join(format!("keys{n}/vault.key"));
        std::fs::create_dir(first.parent().unwrap()).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&first).unwrap();
        std::io::Write::write_all(&mut file, OLD_FILE.as_bytes()).unwrap();
        let vault = Vault::open_files(KeyFiles::new(&first)).unwrap();
        let keys = Keys { store: &store, vault: &vault };
        let settled = keys.settle().await.unwrap();
        assert_eq!((settled.made, settled.lacking), (None, None));
        assert_eq!(store.current_key().await.unwrap().as_deref(), Some(OLD_ID));
        let anna: MemberId = MEMBER.parse().unwrap();
        assert_eq!(opened(&store, &vault, anna).await, KEY);
        assert_eq!(store.credentials_of(anna).await.unwrap()[0].hint, "0123");
        assert_eq!(keys.rotate(None).await.unwrap().rewrapped, 1);
        assert_eq!(opened(&store, &vault, anna).await, KEY);
    }
}
