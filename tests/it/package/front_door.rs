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
        (&[name, terms, &own_root], "say its SKIFF_ACME_DIRECTORY"),
    ] {
        let told = said(settings).await;
        assert!(told.contains(words), "{settings:?}: {told}");
    }
}
