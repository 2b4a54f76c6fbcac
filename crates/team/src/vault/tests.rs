use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn vault() -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let (vault, made) = Vault::open_or_create(&dir.path().join("master.key")).unwrap();
    assert!(made);
    (dir, vault)
}

#[test]
fn a_secret_comes_back_only_for_its_own_row() {
    let (_dir, vault) = vault();
    let sealed = vault.seal("credential:anna:anthropic", b"sk-ant-secret").unwrap();
    assert_eq!(&**vault.open("credential:anna:anthropic", &sealed).unwrap(), b"sk-ant-secret");
    assert!(matches!(vault.open("credential:ben:anthropic", &sealed), Err(VaultError::Broken)));
}

#[test]
fn a_flipped_bit_is_noticed() {
    let (_dir, vault) = vault();
    let sealed = vault.seal("row", b"secret").unwrap();
    for at in 0..sealed.sealed.len() {
        let mut changed = sealed.clone();
        changed.sealed[at] ^= 1;
        assert!(matches!(vault.open("row", &changed), Err(VaultError::Broken)));
    }
    for at in 0..sealed.wrapped_key.len() {
        let mut changed = sealed.clone();
        changed.wrapped_key[at] ^= 1;
        assert!(matches!(vault.open("row", &changed), Err(VaultError::Broken)));
    }
}

#[test]
fn the_same_secret_never_looks_the_same() {
    let (_dir, vault) = vault();
    let (one, two) = (vault.seal("row", b"secret").unwrap(), vault.seal("row", b"secret").unwrap());
    assert_ne!(one.sealed, two.sealed);
    assert_ne!(one.wrapped_key, two.wrapped_key);
}

#[test]
fn the_key_file_is_the_owner_s_alone_and_is_kept() {
    let (dir, vault) = vault();
    let path = dir.path().join("master.key");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let sealed = vault.seal("row", b"secret").unwrap();
    let (again, made) = Vault::open_or_create(&path).unwrap();
    assert!(!made);
    assert_eq!(&**again.open("row", &sealed).unwrap(), b"secret");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(Vault::open_or_create(&path).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn a_foreign_key_is_named() {
    let (_dir, one) = vault();
    let (_dir, two) = vault();
    let sealed = one.seal("row", b"secret").unwrap();
    assert!(
        matches!(two.open("row", &sealed), Err(VaultError::UnknownKey { key_id }) if Some(&key_id) == one.key_id().as_ref())
    );
}

#[test]
fn a_damaged_key_file_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    fs::write(&path, "garbage").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Vault::open_or_create(&path), Err(VaultError::NotAKey { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "garbage");
}

fn wrapped(sealed: &SealedSecret) -> WrappedKey {
    let SealedSecret { identity, key_id, wrapped_key, .. } = sealed.clone();
    WrappedKey { identity, key_id, wrapped_key }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_data_key_is_sealed_anew_and_the_secret_is_not_touched() {
    let (dir, vault) = vault();
    let old = vault.key_id().unwrap();
    let sealed = vault.seal("row", b"secret").unwrap();
    let new = vault.make_key().unwrap();
    assert_eq!(vault.key_id().unwrap(), old, "a key that was made is not used yet");
    assert_eq!(fs::metadata(&new.path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(new.path.file_name().unwrap().to_str().unwrap(), format!("{}.key", new.id));

    let anew = vault.rewrap(&wrapped(&sealed), &new.id).unwrap();
    let moved = SealedSecret { key_id: anew.key_id, wrapped_key: anew.wrapped_key, ..sealed.clone() };
    vault.turn_to(&new.id).unwrap();
    for secret in [&sealed, &moved] {
        assert_eq!(&**vault.open("row", secret).unwrap(), b"secret", "both open, whichever is current");
    }
    assert_eq!(vault.seal("row", b"x").unwrap().key_id, new.id);
    // One that was moved to another row is not sealed anew there.
    let stolen = WrappedKey { identity: "other".to_owned(), ..wrapped(&sealed) };
    assert!(matches!(vault.rewrap(&stolen, &new.id), Err(VaultError::Broken)));

    // Without the earlier key only the one that was sealed anew opens.
    fs::remove_file(dir.path().join("master.key")).unwrap();
    let later = Vault::open_files(KeyFiles::new(&dir.path().join("master.key"))).unwrap();
    assert!(matches!(later.open("row", &sealed), Err(VaultError::UnknownKey { key_id }) if key_id == old));
    assert_eq!(&**later.open("row", &moved).unwrap(), b"secret");
}

#[test]
fn a_key_that_comes_later_is_found_without_a_restart() {
    let (dir, running) = vault();
    let (other, _) = Vault::open_or_create(&dir.path().join("master.key")).unwrap();
    let new = other.make_key().unwrap();
    other.turn_to(&new.id).unwrap();
    let sealed = other.seal("row", b"secret").unwrap();
    assert_eq!(&**running.open("row", &sealed).unwrap(), b"secret");
    running.turn_to(&new.id).unwrap();
    assert_eq!(running.seal("row", b"x").unwrap().key_id, new.id);
}

#[test]
fn while_the_current_key_is_not_here_nothing_is_sealed_under_an_earlier_one() {
    let (_dir, vault) = vault();
    let sealed = vault.seal("row", b"secret").unwrap();
    assert!(matches!(vault.turn_to("0123456789ab"), Err(VaultError::Lacking { .. })));
    assert!(matches!(vault.seal("row", b"x"), Err(VaultError::Lacking { key_id }) if key_id == "0123456789ab"));
    assert_eq!(&**vault.open("row", &sealed).unwrap(), b"secret");
}

#[test]
fn what_a_killed_process_left_of_a_key_does_no_harm_and_goes() {
    let (dir, vault) = vault();
    let left = dir.path().join("0123456789ab.key.new");
    fs::write(&left, "half a k").unwrap();
    let (again, made) = Vault::open_or_create(&dir.path().join("master.key")).unwrap();
    assert!(!made && again.key_id() == vault.key_id());
    vault.make_key().unwrap();
    assert!(!left.exists());
}

#[test]
fn a_key_that_others_may_read_is_refused_whichever_it_is() {
    let (dir, vault) = vault();
    let new = vault.make_key().unwrap();
    set_mode(&new.path, 0o640);
    let error = Vault::open_or_create(&dir.path().join("master.key")).unwrap_err().to_string();
    assert!(error.contains("chmod 600") && error.contains(&new.id), "{error}");
}

#[test]
fn an_operators_file_is_read_and_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let given = dir.path().join("credential");
    let text = "# the first is current\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
    fs::write(&given, text).unwrap();
    let files = |guarded| KeyFiles { first: dir.path().join("keys/vault.key"), given: Some(given.clone()), guarded };
    set_mode(&given, 0o440);
    assert!(matches!(Vault::open_files(files(false)), Err(VaultError::Exposed { .. })));
    drop(Vault::open_files(files(true)).unwrap());
    set_mode(&given, 0o444);
    assert!(matches!(Vault::open_files(files(true)), Err(VaultError::Exposed { .. })));
    set_mode(&given, 0o400);

    let vault = Vault::open_files(files(false)).unwrap();
    let places = vault.reload().unwrap();
    assert_eq!(places.len(), 2);
    assert_eq!(vault.key_id().as_ref(), Some(&places[0].id));
    let error = vault.make_key().unwrap_err().to_string();
    assert!(error.contains("guildhall keys rotate --to"), "{error}");
    assert!(!dir.path().join("keys").exists());
    let sealed = vault.seal("row", b"secret").unwrap();
    let anew = vault.rewrap(&wrapped(&sealed), &places[1].id).unwrap();
    assert_eq!(anew.key_id, places[1].id);
    assert_eq!(fs::read_to_string(&given).unwrap(), text);

    set_mode(&given, 0o600);
    for bad in ["", "# nothing\n", "AAAA\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nnot a key\n"] {
        fs::write(&given, bad).unwrap();
        assert!(matches!(Vault::open_files(files(false)), Err(VaultError::NotAKey { .. })), "{bad:?}");
    }
}
