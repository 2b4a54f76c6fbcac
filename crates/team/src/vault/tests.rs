use std::os::unix::fs::PermissionsExt;

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
    assert!(matches!(two.open("row", &sealed), Err(VaultError::UnknownKey { key_id }) if key_id == one.key_id));
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
