//! Answers as they are to be read: the document, or the sentence that says why there is none. What a panel says is not
//! trusted to be harmless on a terminal.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use serde_json::Value;
use url::Url;

use crate::cli::Failed;
use crate::cli::failed::MORE;
use crate::cli::show::plain;

/// Reads an answer.
pub(super) fn read(base: &Url, status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Failed> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if status.is_redirection() {
        let to = plain(text(LOCATION));
        return Err(not_a_panel(base, &format!("it sends us on to {to}; sign in there if that is the panel")));
    }
    let problem = text(CONTENT_TYPE).starts_with("application/problem+json");
    if !status.is_success() && !problem {
        let what = match status {
            StatusCode::NOT_FOUND => {
                "it has no such address: it is not a panel, or one too old for this program".into()
            }
            other => format!("HTTP {}", other.as_u16()),
        };
        return Err(not_a_panel(base, &what));
    }
    if status == StatusCode::NO_CONTENT {
        return Ok(Value::Null);
    }
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        return Err(not_a_panel(base, "it does not answer in JSON"));
    };
    if status.is_success() {
        return Ok(document);
    }
    let more = more(base, &document);
    let said = sentence(&document) + &more;
    Err(match status {
        StatusCode::UNAUTHORIZED => Failed::NotSignedIn(format!(
            "{base} does not take the token: it may have expired or been revoked. Make one on the panel's page of \
             tokens, then: skiff login {base}{more}"
        )),
        StatusCode::SERVICE_UNAVAILABLE => Failed::Unreached(said),
        _ => Failed::Said(said),
    })
}

/// A problem as text: its sentence, and each field with what is wrong. Of one field alone the sentence says it all.
fn sentence(problem: &Value) -> String {
    let of = |value: &Value, name: &str| plain(value.get(name).and_then(Value::as_str).unwrap_or_default());
    let errors = problem.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut lines = vec![match of(problem, "detail") {
        detail if detail.is_empty() => of(problem, "title"),
        detail => detail,
    }];
    let said =
        |error: &Value| lines.iter().any(|line| *line == format!("{}: {}", of(error, "field"), of(error, "detail")));
    let told = matches!(errors, [only] if said(only));
    for error in errors.iter().filter(|_| !told) {
        let place = match error.get("entry").and_then(Value::as_u64) {
            Some(entry) => format!("{} {}", of(error, "field"), entry + 1),
            None => of(error, "field"),
        };
        lines.push(format!("{place}: {}", of(error, "detail")));
    }
    let id = of(problem, "id");
    if !id.is_empty() {
        lines.push(format!("The panel's log has more under {id}."));
    }
    lines.join("\n")
}

/// Where the panel's docs say more, as a line of its own. What they say of calls is for whoever writes programs.
pub(super) fn more(base: &Url, document: &Value) -> String {
    let of_people = |path: &&str| path.starts_with("/docs/") && *path != "/docs/api#what-goes-wrong";
    let path = document.get("help").and_then(Value::as_str).filter(of_people);
    let url = path.and_then(|path| base.join(path).ok());
    url.map(|url| format!("{MORE}{}", plain(url.as_str()))).unwrap_or_default()
}

/// Somebody answered, but no panel.
pub(super) fn not_a_panel(base: &Url, what: &str) -> Failed {
    Failed::Unreached(format!("{base} does not answer as a Skiff panel: {what}."))
}

/// Nobody answered for long.
pub(super) fn slow(base: &Url) -> Failed {
    Failed::Unreached(format!(
        "{base} did not answer in time. Is the panel running, and is there a way to it from here?"
    ))
}

/// Nobody answered.
pub(super) fn unreached(base: &Url, error: &dyn std::error::Error, connecting: bool) -> Failed {
    let mut causes = vec![plain(&error.to_string())];
    let mut cause = error.source();
    while let Some(next) = cause {
        causes.push(plain(&next.to_string()));
        cause = next.source();
    }
    let why = causes.pop().unwrap_or_else(|| "no cause was given".into());
    let certificate = causes.iter().chain([&why]).any(|cause| cause.contains("certificate"));
    Failed::Unreached(if certificate {
        format!("The certificate of {base} cannot be trusted: {why}.")
    } else if connecting {
        format!("{base} cannot be reached: {why}. Is the panel running, and is there a way to it from here?")
    } else {
        format!("The connection to {base} broke: {why}.")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_as(status: u16, kind: &str, body: &str) -> Result<Value, Failed> {
        let base = "https://panel.example/".parse().unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
        read(&base, StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn a_problem_names_its_fields() {
        let body = json!({
            "title": "Wrong", "detail": "Two fields are wrong.\u{1b}[2J",
            "errors": [{"field": "port", "entry": null, "detail": "Use a number."}, {"field": "routes", "entry": 1, "detail": "Taken."}],
        });
        let failed = read_as(422, "application/problem+json", &body.to_string()).unwrap_err();
        assert_eq!(failed.to_string(), "Two fields are wrong.\nport: Use a number.\nroutes 2: Taken.");
        assert_eq!(failed.code(), 1);
    }

    #[test]
    fn where_the_docs_say_more_is_the_last_line_of_each() {
        for status in [401, 403, 409, 503] {
            let body = json!({ "title": "No", "detail": "No.", "errors": [], "help": "/docs/api#a-token" });
            let said = read_as(status, "application/problem+json", &body.to_string()).unwrap_err().to_string();
            assert_eq!(said.lines().last(), Some("More: https://panel.example/docs/api#a-token"), "{status}");
        }
    }

    #[test]
    fn one_field_is_said_once() {
        let body = |detail: &str| {
            let errors = json!([{ "field": "domain", "entry": null, "detail": "Use a domain." }]);
            let body = json!({ "title": "Wrong", "detail": detail, "errors": errors }).to_string();
            read_as(422, "application/problem+json", &body).unwrap_err().to_string()
        };
        assert_eq!(body("domain: Use a domain."), "domain: Use a domain.");
        assert_eq!(
            body("It does not go."),
            "It does not go.\ndomain: Use a domain.",
            "words of another panel are all said"
        );
    }

    #[test]
    fn each_kind_of_refusal_has_its_status() {
        let problem = r#"{"title":"No","detail":"No.","errors":[]}"#;
        assert_eq!(read_as(401, "application/problem+json", problem).unwrap_err().code(), 4);
        assert_eq!(read_as(503, "application/problem+json", problem).unwrap_err().code(), 3);
        assert_eq!(read_as(404, "application/problem+json", problem).unwrap_err().code(), 1);
        assert_eq!(read_as(404, "text/html", "<h1>nginx</h1>").unwrap_err().code(), 3);
        assert_eq!(read_as(200, "text/html", "<h1>hello</h1>").unwrap_err().code(), 3);
        assert_eq!(read_as(204, "", "").unwrap(), Value::Null);
    }
}
