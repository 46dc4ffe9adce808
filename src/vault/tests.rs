use std::os::unix::fs::PermissionsExt;

use super::*;

fn vault() -> (tempfile::TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::create(&folder.path().join("key")).unwrap();
    (folder, vault)
}

fn place() -> Context {
    let id = |n| Uuid::from_u128(n);
    Context { table: "secret_versions", column: "sealed", team: TeamId(id(1)), row: id(2), version: 3 }
}

#[test]
fn a_value_opens_where_it_was_sealed() {
    let (_folder, vault) = vault();
    let key = vault.new_team_key(place().team);
    let sealed = vault.seal(&key, &place(), b"line 1\nline 2\0").unwrap();
    assert_eq!(vault.unseal(&key, &place(), &sealed).unwrap().expose(), b"line 1\nline 2\0");
    assert_ne!(sealed, vault.seal(&key, &place(), b"line 1\nline 2\0").unwrap(), "no two envelopes are alike");
    assert!(!sealed.windows(6).any(|bytes| bytes == b"line 1"));
}

#[test]
fn a_moved_value_does_not_open() {
    let (_folder, vault) = vault();
    let key = vault.new_team_key(place().team);
    let sealed = vault.seal(&key, &place(), b"value").unwrap();
    let moved = [
        Context { table: "secret_version", ..place() },
        // The parts joined would read the same; their lengths do not.
        Context { table: "secret_versionss", column: "ealed", ..place() },
        Context { row: Uuid::from_u128(9), ..place() },
        Context { version: 4, ..place() },
    ];
    for moved in moved {
        assert_eq!(vault.unseal(&key, &moved, &sealed).unwrap_err(), CannotOpen::Damaged, "{moved:?}");
    }
    let elsewhere = Context { team: TeamId(Uuid::from_u128(9)), ..place() };
    assert_eq!(vault.unseal(&key, &elsewhere, &sealed).unwrap_err(), CannotOpen::Damaged);
    let their_key = vault.new_team_key(elsewhere.team);
    assert_eq!(vault.unseal(&their_key, &elsewhere, &sealed).unwrap_err(), CannotOpen::OtherKey);
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_folder, vault) = vault();
    let key = vault.new_team_key(place().team);
    let sealed = vault.seal(&key, &place(), b"value").unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(vault.unseal(&key, &place(), &changed).is_err(), "byte {at}");
        assert!(vault.unseal(&key, &place(), &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn another_master_key_is_told() {
    let (_one, first) = vault();
    let (_two, second) = vault();
    assert_eq!(first.check(&first.key_check()), Ok(()));
    assert_eq!(second.check(&first.key_check()), Err(WrongMasterKey));
    assert!(WrongMasterKey.to_string().starts_with("The master key is not the one"));
    let key = first.new_team_key(place().team);
    assert_eq!(second.seal(&key, &place(), b"x").unwrap_err(), CannotOpen::OtherKey);
}

#[test]
fn the_key_file_is_its_owners_and_stays() {
    let (folder, vault) = vault();
    let file = folder.path().join("key");
    let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert!(matches!(Vault::create(&file), Err(BadKeyFile::Exists(_))));
    Vault::open(&file).unwrap().check(&vault.key_check()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Vault::open(&file), Err(BadKeyFile::Open(_))));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, "skiff-master-key-1 c2hvcnQ=\n").unwrap();
    assert!(matches!(Vault::open(&file), Err(BadKeyFile::Damaged(_))));
    assert!(matches!(Vault::open(&folder.path().join("none")), Err(BadKeyFile::Missing(_))));
}

#[tokio::test]
async fn a_password_is_its_hashs_alone() {
    let secret = |text: &str| Secret::new(text.to_owned());
    let hash = hash_password(secret("correct horse battery")).await.unwrap();
    assert!(hash.starts_with("$argon2id$"));
    assert!(verify_password(secret("correct horse battery"), Some(hash.clone())).await);
    assert!(!verify_password(secret("correct horse batterz"), Some(hash)).await);
    assert!(!verify_password(secret("anything"), None).await);
    assert!(!verify_password(secret("anything"), Some("not a hash".to_owned())).await);
}

#[test]
fn tokens_are_long_and_different() {
    let (one, two) = (random_token(), random_token());
    assert_eq!(one.expose().len(), 43);
    assert!(!same(&token_hash(one.expose()), &token_hash(two.expose())));
    assert!(same(&token_hash(one.expose()), &token_hash(one.expose())));
}
