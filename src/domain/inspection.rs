//! What Docker says about a container, as groups of facts that people read. Every text is the host's: hostile. Not here:
//! the environment (it never comes this far), asking.

use serde_json::Value;

/// Names and values under a title.
pub type Group = (&'static str, Vec<(String, String)>);

/// Entries of one list that are told: mounts, networks, ports.
const MOST: usize = 50;

/// The facts of a container, in groups; what is not there is left out.
pub fn groups(raw: &Value) -> Vec<Group> {
    let mut groups = vec![
        ("State", state(raw)),
        ("Program", program(raw)),
        ("Limits", limits(raw)),
        ("Network", network(raw)),
        ("Mounts", mounts(raw)),
    ];
    groups.retain(|(_, facts)| !facts.is_empty());
    groups
}

/// `running`, `exited` …; empty where it is not told.
pub fn status(raw: &Value) -> &str {
    text(raw, "/State/Status")
}

/// Its labels, by name.
pub fn labels(raw: &Value) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = entries(raw, "/Config/Labels")
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    labels.sort();
    labels
}

fn text<'a>(raw: &'a Value, at: &str) -> &'a str {
    raw.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

fn number(raw: &Value, at: &str) -> i64 {
    raw.pointer(at).and_then(Value::as_i64).unwrap_or(0)
}

fn entries<'a>(raw: &'a Value, at: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    raw.pointer(at).and_then(Value::as_object).into_iter().flatten().take(MOST)
}

fn words(raw: &Value, at: &str) -> String {
    let parts = raw.pointer(at).and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(Value::as_str).map(quoted).collect::<Vec<_>>().join(" ")
}

/// An argument, in quotes where a blank or a quote in it would mislead.
fn quoted(part: &str) -> String {
    let plain = !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '"');
    if plain { part.to_owned() } else { format!("{part:?}") }
}

/// Facts that are told: those with a value.
fn told(facts: Vec<(&str, String)>) -> Vec<(String, String)> {
    let told = facts.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A moment without its fractions; Docker writes the year 1 for "never".
fn moment(raw: &Value, at: &str) -> String {
    match text(raw, at) {
        at if at.starts_with("0001-") => String::new(),
        at => match at.get(..19) {
            Some(head) if head.is_ascii() => format!("{} UTC", head.replacen('T', " ", 1)),
            _ => at.to_owned(),
        },
    }
}

fn state(raw: &Value) -> Vec<(String, String)> {
    let ended = !moment(raw, "/State/FinishedAt").is_empty();
    let last_end = match (ended, raw.pointer("/State/OOMKilled") == Some(&Value::Bool(true))) {
        (false, _) => String::new(),
        (true, true) => "killed, because memory ran out".to_owned(),
        (true, false) => format!("with status {}", number(raw, "/State/ExitCode")),
    };
    told(vec![
        ("State", status(raw).to_owned()),
        ("Created", moment(raw, "/Created")),
        ("Started", moment(raw, "/State/StartedAt")),
        ("Ended last", moment(raw, "/State/FinishedAt")),
        ("How it ended", last_end),
        ("Docker's own words", text(raw, "/State/Error").to_owned()),
        ("Restarts by Docker", number(raw, "/RestartCount").to_string()),
        ("Image's own health check", text(raw, "/State/Health/Status").to_owned()),
    ])
}

fn program(raw: &Value) -> Vec<(String, String)> {
    let path = text(raw, "/Path");
    let args = words(raw, "/Args");
    let command = if path.is_empty() { args } else { format!("{} {args}", quoted(path)).trim_end().to_owned() };
    let stop = match number(raw, "/Config/StopTimeout") {
        0 => text(raw, "/Config/StopSignal").to_owned(),
        seconds => {
            let signal = text(raw, "/Config/StopSignal");
            format!("{}, then SIGKILL after {seconds} s", if signal.is_empty() { "SIGTERM" } else { signal })
        }
    };
    told(vec![
        ("Command", command),
        ("Image", text(raw, "/Image").to_owned()),
        ("Runs as", text(raw, "/Config/User").to_owned()),
        ("Folder", text(raw, "/Config/WorkingDir").to_owned()),
        ("Stopped by", stop),
        ("Started again", text(raw, "/HostConfig/RestartPolicy/Name").replace('-', " ")),
        ("Container", text(raw, "/Id").chars().take(12).collect()),
        ("Name on the host", text(raw, "/Name").trim_start_matches('/').to_owned()),
    ])
}

fn limits(raw: &Value) -> Vec<(String, String)> {
    let memory = match number(raw, "/HostConfig/Memory") {
        0 => "as much as the host has".to_owned(),
        bytes => format!("{} MB", bytes >> 20),
    };
    let cpus = match number(raw, "/HostConfig/NanoCpus") {
        0 => "all cores".to_owned(),
        nano => format!("{}.{:02} cores", nano / 1_000_000_000, nano % 1_000_000_000 / 10_000_000),
    };
    let processes = match number(raw, "/HostConfig/PidsLimit") {
        ..=0 => String::new(),
        limit => format!("at most {limit}"),
    };
    told(vec![("Memory", memory), ("CPU", cpus), ("Processes", processes)])
}

fn network(raw: &Value) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = entries(raw, "/NetworkSettings/Networks")
        .map(|(name, end)| {
            let fixed = text(end, "/IPAMConfig/IPv4Address");
            (name.clone(), if fixed.is_empty() { text(end, "/IPAddress") } else { fixed }.to_owned())
        })
        .collect();
    let published = entries(raw, "/NetworkSettings/Ports").map(|(port, to)| {
        let at =
            to.as_array().into_iter().flatten().map(|to| format!("{}:{}", text(to, "/HostIp"), text(to, "/HostPort")));
        let at: Vec<String> = at.collect();
        (format!("Port {port}"), if at.is_empty() { "not published".to_owned() } else { at.join(", ") })
    });
    facts.extend(published);
    facts
}

fn mounts(raw: &Value) -> Vec<(String, String)> {
    let all = raw.pointer("/Mounts").and_then(Value::as_array).into_iter().flatten().take(MOST);
    all.map(|mount| {
        let from = [text(mount, "/Name"), text(mount, "/Source")].into_iter().find(|from| !from.is_empty());
        let kind = text(mount, "/Type");
        let reads = if mount.pointer("/RW") == Some(&Value::Bool(false)) { ", read only" } else { "" };
        (text(mount, "/Destination").to_owned(), format!("{kind} {}{reads}", from.unwrap_or_default()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_is_told_in_facts_and_what_is_missing_is_left_out() {
        let raw = json!({
            "Id": "abcdef0123456789", "Name": "/skiff-1", "Created": "2026-11-21T07:38:12.123Z", "Path": "/bin/serve",
            "Args": ["--name", "two words"], "Image": "sha256:12", "RestartCount": 3,
            "State": {"Status": "running", "StartedAt": "2026-11-21T07:38:13Z", "FinishedAt": "2026-11-21T07:38:12.9Z",
                      "OOMKilled": true, "ExitCode": 137},
            "Config": {"Labels": {"b": "2", "a": "1"}, "StopTimeout": 10},
            "HostConfig": {"Memory": 536870912, "NanoCpus": 1500000000_i64, "RestartPolicy": {"Name": "unless-stopped"}},
            "NetworkSettings": {"Networks": {"skiff-9": {"IPAddress": "10.64.0.2"}}, "Ports": {"8080/tcp": null}},
            "Mounts": [{"Type": "volume", "Name": "skiff-7", "Source": "/var/lib/docker/x", "Destination": "/data", "RW": true}]
        });
        let told: Vec<String> = groups(&raw)
            .into_iter()
            .flat_map(|(title, facts)| facts.into_iter().map(move |(name, value)| format!("{title}/{name}: {value}")))
            .collect();
        expect_test::expect![[r#"
            State/State: running
            State/Created: 2026-11-21 07:38:12 UTC
            State/Started: 2026-11-21 07:38:13 UTC
            State/Ended last: 2026-11-21 07:38:12 UTC
            State/How it ended: killed, because memory ran out
            State/Restarts by Docker: 3
            Program/Command: /bin/serve --name "two words"
            Program/Image: sha256:12
            Program/Stopped by: SIGTERM, then SIGKILL after 10 s
            Program/Started again: unless stopped
            Program/Container: abcdef012345
            Program/Name on the host: skiff-1
            Limits/Memory: 512 MB
            Limits/CPU: 1.50 cores
            Network/skiff-9: 10.64.0.2
            Network/Port 8080/tcp: not published
            Mounts//data: volume skiff-7"#]]
        .assert_eq(&told.join("\n"));
        assert_eq!(labels(&raw), [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn an_answer_that_is_nothing_like_it_is_told_as_little() {
        for raw in [json!(null), json!([1]), json!({"State": 3, "Mounts": {"a": 1}, "Created": "é".repeat(30)})] {
            assert!(groups(&raw).len() <= 2 || !raw.is_null(), "{raw}");
            assert_eq!((status(&raw), labels(&raw)), ("", Vec::new()));
        }
    }
}
