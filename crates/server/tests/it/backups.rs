//! Backups: sealed, damaged, and restored into an empty place; what is told apart below is in the files of this folder.

mod drill;
mod due;
mod harm;
mod lasting;
mod whose;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use guildhall_server::config::Config;
use guildhall_store::Store;
use guildhall_team::Places;
use guildhall_team::backup::{
    BackupError, BackupKey, BackupPlan, BackupRules, Backups, Making, Restoring, Room, Shelf, listed, verify,
};
use guildhall_team::vault::{KeyFiles, Vault};
use guildhall_types::backup::{BackupKind, BackupStatus, Keep, Rhythm};
use guildhall_types::{Clock, FixedClock, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{PATIENCE, Persona, TestApp, Wish, fresh_postgres};
use crate::program::{guildhall, run};

/// A key file, and the key.
pub fn key_file(path: &Path, byte: u8) -> BackupKey {
    std::fs::write(path, BASE64.encode([byte; 32])).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    BackupKey::read(path).unwrap()
}

fn vault_of(data: &Path) -> Vault {
    Vault::open_files(KeyFiles::new(&data.join("keys/vault.key"))).unwrap()
}

/// A server that is to be restored into.
pub struct Empty {
    dir: tempfile::TempDir,
    pub store: Store,
    places: Places,
    vault: Vault,
}

impl Empty {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/guildhall.db", dir.path().display());
        Self::with(dir, &url).await
    }

    /// One whose database is elsewhere.
    pub async fn on(url: &str) -> Self {
        Self::with(tempfile::tempdir().unwrap(), url).await
    }

    /// Where the database is of one that has its own.
    pub fn url(&self) -> String {
        format!("sqlite://{}/guildhall.db", self.dir.path().display())
    }

    async fn with(dir: tempfile::TempDir, url: &str) -> Self {
        let store = Store::open(url, Arc::new(SystemClock)).await.unwrap();
        let places = Places::below(dir.path(), Vec::new());
        let vault = vault_of(dir.path());
        Self { dir, store, places, vault }
    }

    pub fn from<'a>(&'a self, shelf: &'a Shelf, name: Option<&'a str>, key: Option<&'a BackupKey>) -> Restoring<'a> {
        let Self { dir, store, places, vault } = self;
        Restoring { shelf, name, key, store, places, data: dir.path(), vault }
    }
}

/// The first file of a backup whose name begins so.
fn part(folder: &Path, name: &str, begins: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder.join(name)).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begins)).collect();
    found.sort();
    found.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_backup_needs_its_key_and_whatever_is_wrong_with_one_is_named() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("shop", json!({ "kind": "sample" })).await;
    let team = &app.app.team;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("backups");
    let shelf = Shelf::Folder(folder.clone());
    let (key, other) = (key_file(&dir.path().join("key"), 7), key_file(&dir.path().join("other"), 8));
    let making = Making {
        store: &team.store,
        places: &team.places,
        shared: None,
        clock: &*team.clock,
        shelf: &shelf,
        key: Some(&key),
        full_every: 3,
        known_only: false,
    };
    let first = making.make().await.unwrap().manifest;
    assert_eq!((first.kind, first.packs.len()), (BackupKind::Full, 1));
    owner.project("second", json!({ "kind": "empty" })).await;
    let second = making.make().await.unwrap().manifest;
    assert_eq!((second.kind, second.parent.as_deref()), (BackupKind::Incremental, Some(&*first.name)));
    assert_eq!(second.packs.len(), 1, "the repository of the shop is in the first one, as it is");
    let third = making.make().await.unwrap().manifest;
    assert_eq!((third.kind, third.packs.len()), (BackupKind::Incremental, 0));
    let fourth = making.make().await.unwrap().manifest;
    assert_eq!((fourth.kind, fourth.packs.len()), (BackupKind::Full, 2));
    for path in
        [part(&folder, &first.name, "rows"), part(&folder, &first.name, "git"), part(&folder, &first.name, "manifest")]
    {
        let bytes = std::fs::read(&path).unwrap();
        let reads = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!reads("shop") && !reads("olga") && !reads("PACK"), "{}", path.display());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }

    // All of it comes out, and the incremental one needs the one that it builds on.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let scratch = app.dir.path();
    let found =
        verify(&shelf, Some(&third.name), Some(&key), &team.vault, clock.clone(), scratch, Room::ALL).await.unwrap();
    assert_eq!((found.problems.as_slice(), found.restored.repositories), (&[] as &[String], 2));
    assert!(
        std::fs::read_dir(scratch).unwrap().flatten().all(|entry| !entry
            .file_name()
            .to_str()
            .unwrap()
            .contains("verify-"))
    );

    let empty = Empty::new().await;
    let refused = |key| {
        let restoring = empty.from(&shelf, Some(&second.name), key);
        async move { restoring.restore().await.unwrap_err() }
    };
    assert!(matches!(refused(None).await, BackupError::NoKey { needed, .. } if needed == key.name()));
    let wrong = refused(Some(&other)).await;
    assert!(matches!(&wrong, BackupError::WrongKey { given, .. } if given == other.name()), "{wrong}");
    for (backup, name) in [(&first, "git"), (&second, "rows"), (&second, "index"), (&second, "git")] {
        let path = part(&folder, &backup.name, name);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let longer = [&whole[..], b"x"].concat();
        for bytes in [&flipped[..], &whole[..whole.len() / 2], &longer, &[]] {
            std::fs::write(&path, bytes).unwrap();
            let error = refused(Some(&key)).await;
            let file = path.file_name().unwrap().to_str().unwrap();
            assert!(
                matches!(&error, BackupError::Damaged { part, name, .. } if part == file && *name == backup.name),
                "{error}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(refused(Some(&key)).await, BackupError::Damaged { .. }));
        std::fs::write(&path, whole).unwrap();
    }
    let manifest = part(&folder, &first.name, "manifest");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    assert!(matches!(refused(Some(&key)).await, BackupError::Missing { name, .. } if name == first.name));
    std::fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let later = refused(Some(&key)).await.to_string();
    assert!(later.contains("use a later version"), "{later}");
    std::fs::write(&manifest, text).unwrap();
    assert_eq!(empty.store.occupied().await.unwrap(), [], "nothing of all this was put in place");
    assert!(!empty.places.repositories.exists());

    let restored = empty.from(&shelf, Some(&second.name), Some(&key)).restore().await.unwrap();
    assert_eq!((restored.problems.as_slice(), restored.repositories), (&[] as &[String], 2));
    let again = empty.from(&shelf, None, Some(&key)).restore().await.unwrap_err().to_string();
    assert!(again.contains("members (1)"), "{again}");
    empty.store.close().await;
}

/// Waits for what stands at a path.
pub async fn until(persona: &mut Persona, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let found = persona.get(path).await.is(StatusCode::OK);
            if wanted(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{path} is not as it should be"))
}
