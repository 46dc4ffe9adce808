//! Constant scripts: parameters arrive byte for byte and are never read as code.

use super::connected;
use crate::harness::host::TestHost;
use skiff::remote::{CUT_MARK, Error, LINE_BYTES, RemoteScript, Stream};
use std::time::{Duration, Instant};

/// Far above what a small script needs.
const LIMIT: Duration = Duration::from_secs(20);

const ECHO: RemoteScript =
    RemoteScript::new("echo", "printf '%s' \"$VALUE\" | base64 -w0; echo; echo \"$OTHER\" >&2; exit 7");
const ECHO_AS_ROOT: RemoteScript =
    RemoteScript::as_root("echo as root", "id -u; printf '%s' \"$VALUE\" | base64 -w0; echo");

#[tokio::test]
async fn hostile_values_come_back_byte_for_byte() {
    use base64::Engine;
    let rig = TestHost::bare().await;
    let host = connected(&rig).await;
    let hostile = [
        "",
        "plain",
        "two\nlines\n\n",
        "$(touch /tmp/owned) `touch /tmp/owned` ; touch /tmp/owned",
        "'\"\\ \t\r %s %n ${IFS} a=b !! ~ * [a]",
        "x[$(touch /tmp/owned)]=1",
        "grüße 🚢 \u{202e}\u{1b}[31m",
        "OTHER=overwritten",
        "-n",
    ];
    for value in hostile {
        for script in [ECHO, ECHO_AS_ROOT] {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut keep = |stream, line: &[u8]| {
                let text = String::from_utf8(line.to_vec()).unwrap();
                if stream == Stream::Out { out.push(text) } else { err.push(text) }
            };
            let exit = host.run(&script, &[("VALUE", value), ("OTHER", "other")], LIMIT, &mut keep).await.unwrap();
            let bytes = base64::engine::general_purpose::STANDARD.decode(out.last().unwrap()).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), value);
            if script.root {
                assert_eq!((exit.status, out[0].as_str()), (0, "0"));
            } else {
                assert_eq!((exit.status, err), (7, vec!["other".to_owned()]));
            }
        }
    }
    assert_ne!(rig.enter(&["/usr/bin/test", "-e", "/tmp/owned"]).await.status, 0, "a value was read as code");
    for (name, value) in [("bad name", "x"), ("lower", "x"), ("A[0]", "x"), ("A", "nul\0")] {
        let refused = host.run(&ECHO, &[(name, value)], LIMIT, &mut |_, _| {}).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn what_a_script_prints_and_how_long_it_takes_is_bounded() {
    const LONG: RemoteScript = RemoteScript::new("long line", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end");
    const MUCH: RemoteScript = RemoteScript::new("much", "head -c 20000000 /dev/zero | tr '\\0' '\\n'; exit 3");
    const SLOW: RemoteScript = RemoteScript::new("slow", "echo begun; sleep 60");
    const KILLED: RemoteScript = RemoteScript::new("killed", "kill -9 $$");
    let rig = TestHost::bare().await;
    let host = connected(&rig).await;

    let mut lines = Vec::new();
    host.run(&LONG, &[], LIMIT, &mut |_, line| lines.push(line.to_vec())).await.unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), LINE_BYTES + CUT_MARK.len());
    assert_eq!(lines[1], b"end");

    let mut count = 0_u64;
    let exit = host.run(&MUCH, &[], LIMIT, &mut |_, _| count += 1).await.unwrap();
    assert_eq!((exit.status, exit.truncated), (3, true));
    assert!(count < 17 << 20, "{count}");

    let (began, mut lines) = (Instant::now(), Vec::new());
    let slow = host.run(&SLOW, &[], Duration::from_millis(800), &mut |_, line| lines.push(line.to_vec())).await;
    assert!(matches!(slow, Err(Error::TimedOut { what: "slow", .. })), "{slow:?}");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(lines, [b"begun"]);

    let exit = host.run(&KILLED, &[], LIMIT, &mut |_, _| {}).await.unwrap();
    assert_eq!(exit.status, 137);

    // More scripts at once than a connection may have session channels: they wait for each other. So they do where the
    // host allows fewer.
    for limit in [10, 2] {
        let narrow = format!(
            "sed -i '/^MaxSessions/d; 1i MaxSessions {limit}' /etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)"
        );
        rig.enter(&["/bin/sh", "-c", &narrow]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let host = connected(&rig).await;
        let runs = (0..20).map(|_| {
            let host = host.clone();
            tokio::spawn(async move { host.run(&ECHO_AS_ROOT, &[("VALUE", "x")], LIMIT, &mut |_, _| {}).await })
        });
        for run in runs.collect::<Vec<_>>() {
            assert!(run.await.unwrap().unwrap().ok());
        }
    }
}
