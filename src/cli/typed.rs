//! What people type besides arguments: values nobody shall see, and a yes. Never on a command line: others read those in `ps`.

use std::io::{BufRead, IsTerminal, Read};

use super::{Failed, show};

/// Bytes of a value that are read: more than the longest secret may have.
const LONGEST: u64 = 1024 * 1024;

/// A value nobody shall see: asked for without echo on a terminal, else all of standard input without its last line's end.
pub fn hidden(what: &str) -> Result<String, Failed> {
    let cannot = |error: std::io::Error| Failed::Said(format!("{what} could not be read: {error}."));
    let input = std::io::stdin();
    if input.is_terminal() {
        return rpassword::prompt_password(format!("{what} (not shown): ")).map_err(cannot);
    }
    let mut text = String::new();
    input.lock().take(LONGEST + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > LONGEST {
        return Err(Failed::Said(format!("{what} is longer than 1 MiB.")));
    }
    let end = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).len());
    text.truncate(end.unwrap_or(text.len()));
    Ok(text)
}

/// Several of them: asked for one after the other on a terminal, else a line of standard input for each. Reads nothing where nothing is asked.
pub fn hidden_lines(what: &[&str]) -> Result<Vec<String>, Failed> {
    let [first, ..] = what else { return Ok(Vec::new()) };
    if std::io::stdin().is_terminal() {
        return what.iter().map(|what| hidden(what)).collect();
    }
    let text = hidden(first)?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match what.get(lines.len()..) {
        Some([]) => Ok(lines),
        Some([missing, ..]) if !lines.is_empty() => {
            let (at, wanted) = (lines.len() + 1, what.join(", then "));
            Err(Failed::Said(format!(
                "{missing} is missing in line {at}. On standard input come, a line each: {wanted}."
            )))
        }
        // An empty line is for the panel to refuse, with the name of the field.
        Some(_) if what.len() == 1 => Ok(vec![String::new()]),
        Some(_) => Err(Failed::Said(format!("Nothing came on standard input. A line each: {}.", what.join(", then ")))),
        None => Err(Failed::Said(format!("More lines came on standard input than these: {}.", what.join(", then ")))),
    }
}

/// Asks for a yes. Where nobody can answer, it is a no.
pub fn yes(question: &str) -> Result<bool, Failed> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Ok(false);
    }
    let answer = line(&format!("{question} [y/N]"))?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// A line that is typed. Where nobody can answer, it is empty.
pub fn line(question: &str) -> Result<String, Failed> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Ok(String::new());
    }
    show::tell(question);
    let mut line = String::new();
    let read = input.lock().take(LONGEST).read_line(&mut line);
    read.map_err(|error| Failed::Said(format!("The answer could not be read: {error}.")))?;
    Ok(line.trim().to_owned())
}
