//! What `install.sh` and `set-up` take for the panel's name: refused before anything is changed, and by the same words in both.

use crate::harness::host::run;

/// The repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The text of this function in this file.
pub(super) fn text(file: &str, name: &str) -> String {
    let all = std::fs::read_to_string(format!("{ROOT}/package/{file}")).unwrap();
    let begin = all.find(&format!("\n{name}() {{")).unwrap_or_else(|| panic!("{file} has no {name}"));
    let rest = &all[begin + 1..];
    rest[..rest.find("\n}\n").unwrap() + 3].to_owned()
}

#[test]
fn both_judge_a_name_alike() {
    assert_eq!(text("install.sh", "name_suits"), text("machine.bash", "name_suits"));
}

#[tokio::test]
async fn what_cannot_be_the_panels_name_is_refused_in_a_sentence() {
    let root = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(root.path(), "-----BEGIN CERTIFICATE-----\n").unwrap();
    let own_root = format!("SKIFF_ACME_ROOT={}", root.path().display());
    let own_key = format!("SKIFF_ACME_EAB_KEY_FILE={}", root.path().display());
    let script = format!("fail() {{ echo \"$*\"; exit 1; }}\n{}name_suits", text("machine.bash", "name_suits"));
    let said = async |settings: &[&str]| {
        let all = [&["-i", "PATH=/usr/bin:/bin"], settings, &["bash", "-euo", "pipefail", "-c", &script]].concat();
        let said = run("env", &all).await;
        assert_eq!(said.status != 0, !said.out.is_empty(), "{}{}", said.out, said.err);
        said.out
    };
    let (terms, name) = ("SKIFF_ACME_TERMS=agree", "SKIFF_DOMAIN=panel.example.org");
    let directory = "SKIFF_ACME_DIRECTORY=https://ca.example.org/dir";
    for fine in [
        &[][..],
        &[terms],
        &[terms, name],
        &[terms, "SKIFF_DOMAIN=auto", "SKIFF_ACME_EMAIL=ada@example.org"],
        &[terms, "SKIFF_DOMAIN=203-0-113-7.sslip.io"],
        &[terms, name, directory, &own_root],
        &[terms, name, directory, &own_root, "SKIFF_ACME_EAB_ID=kid-1", &own_key],
    ] {
        assert_eq!(said(fine).await, "", "{fine:?}");
    }
    let long = format!("SKIFF_DOMAIN={}example.org", "a.".repeat(125));
    for wrong in [
        "SKIFF_DOMAIN=https://panel.example.org",
        "SKIFF_DOMAIN=panel.example.org/",
        "SKIFF_DOMAIN=panel",
        "SKIFF_DOMAIN=203.0.113.7",
        "SKIFF_DOMAIN=-a.example.org",
        "SKIFF_DOMAIN=a..example.org",
        "SKIFF_DOMAIN=a b.example.org",
        "SKIFF_DOMAIN=a.example.org; reboot",
        "SKIFF_DOMAIN=a.example.org\nb.example.org",
        &long,
    ] {
        let told = said(&[terms, wrong]).await;
        assert!(told.starts_with("SKIFF_DOMAIN is a name such as panel.example.org"), "{wrong}: {told}");
        assert!(told.ends_with("Nothing was changed.\n"), "{told}");
    }
    for (settings, words) in [
        (&[name][..], "gives them to those who agree to its terms"),
        (&[name, "SKIFF_ACME_TERMS=yes"], "SKIFF_ACME_TERMS is the word agree"),
        (&[name, terms, "SKIFF_ACME_EMAIL=ada"], "SKIFF_ACME_EMAIL is an address"),
        (&[name, terms, "SKIFF_ACME_DIRECTORY=http://ca.example.org"], "SKIFF_ACME_DIRECTORY is the https:// address"),
        (&[name, terms, directory, "SKIFF_ACME_ROOT=/nowhere"], "SKIFF_ACME_ROOT=/nowhere is no file"),
        (&[name, terms, "SKIFF_ACME_EAB_ID=kid-1"], "SKIFF_ACME_EAB_ID and SKIFF_ACME_EAB_KEY_FILE go together"),
        (&[name, terms, &own_key], "SKIFF_ACME_EAB_ID and SKIFF_ACME_EAB_KEY_FILE go together"),
        (&[name, terms, "SKIFF_ACME_EAB_ID=a b", &own_key], "SKIFF_ACME_EAB_ID is the key's id"),
        (&[name, terms, "SKIFF_ACME_EAB_ID=a", "SKIFF_ACME_EAB_KEY_FILE=/nowhere"], "/nowhere is no file with a key"),
        (&["SKIFF_ACME_EAB_ID=a", &own_key], "gives them to those who agree to its terms"),
        (&[name, terms, &own_root], "say its SKIFF_ACME_DIRECTORY"),
    ] {
        let told = said(settings).await;
        assert!(told.contains(words), "{settings:?}: {told}");
    }
}

/// The panel's user reads neither the root nor the key where root keeps them, and nobody reads the key in a list of processes.
#[tokio::test]
async fn a_root_is_handed_on_by_a_copy_and_a_key_by_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let root = format!("SKIFF_ACME_ROOT={}", at("root", "-----BEGIN CERTIFICATE-----\n"));
    let key = format!("SKIFF_ACME_EAB_KEY_FILE={}", at("key", "the key\n"));
    let admin = r#"admin() { # says what it was given, and what lies there
  { echo "asked: $*"; echo "input: $(cat)"
    while [ $# -gt 0 ]; do [ "$1" != --root ] || { stat -c '%a' "$2"; cat "$2"; }; shift; done; } >&3
  echo '{}'
}"#;
    let script = format!(
        "exec 3>&1\n{admin}\nstep() {{ :; }}\njson() {{ cat >/dev/null; }}\nexport TMPDIR={}\n{}front_door >/dev/null; ls $TMPDIR",
        folder.path().display(),
        text("machine.bash", "front_door")
    );
    let said = async |settings: &[&str]| {
        let all = [&["-i", "PATH=/usr/bin:/bin"], settings, &["bash", "-euo", "pipefail", "-c", &script]].concat();
        run("env", &all).await.must("front_door")
    };
    let terms = "SKIFF_ACME_TERMS=agree";
    assert_eq!(said(&[]).await, "key\nroot\n", "nothing was asked for");
    assert_eq!(said(&[terms]).await, "asked: acme --agree-to-terms\ninput: \nkey\nroot\n");
    let told = said(&[terms, &root, "SKIFF_ACME_EAB_ID=kid-1", &key]).await;
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("asked: acme --agree-to-terms --root /") && !told.contains("root/root"), "{told}");
    assert!(lines[0].ends_with(" --eab-id kid-1 --eab-key-file -"), "{told}");
    assert_eq!(lines[1..], ["input: the key", "644", "-----BEGIN CERTIFICATE-----", "key", "root"], "{told}");
}
