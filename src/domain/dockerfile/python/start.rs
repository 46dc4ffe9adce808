//! What starts a Python program: its `Procfile`, Django, an ASGI or WSGI app in a file of the usual name, or a plain file.

use crate::domain::dockerfile::Files;
use crate::domain::dockerfile::checked::{Command, Word};
use crate::domain::dockerfile::text::Making;

/// Files that a program usually begins in.
const ENTRIES: [&str; 6] = ["main.py", "app.py", "server.py", "wsgi.py", "asgi.py", "index.py"];

/// What starts it.
pub(super) struct Start {
    /// Packages that serve it, to be there.
    pub servers: Vec<&'static str>,
    how: How,
}

enum How {
    /// A line for a shell.
    Line(String),
    /// A file.
    File(&'static str),
}

impl Start {
    /// Writes it.
    pub fn write(&self, making: &mut Making) {
        match &self.how {
            How::Line(line) => making.start_line(line),
            How::File(file) => making.start(&["python", file]),
        };
    }
}

/// Finds it; none where nothing says so.
pub(super) fn of(files: &Files, command: Option<Command>, listens: bool, making: &mut Making) -> Option<Start> {
    if let Some(command) = command {
        return Some(Start { servers: Vec::new(), how: How::Line(command.to_string()) });
    }
    if files.has("manage.py") && listens {
        let package = files
            .names
            .iter()
            .filter_map(|name| name.strip_suffix("/wsgi.py"))
            .find_map(|name| name.parse::<Word>().ok())?;
        making.because("manage.py").because(format!("{package}/wsgi.py"));
        making.doubt("Django's static files are not collected: add RUN python manage.py collectstatic --noinput where it needs them.".to_owned());
        let line = format!("gunicorn --bind 0.0.0.0:${{PORT}} {package}.wsgi:application");
        return Some(Start { servers: vec!["gunicorn"], how: How::Line(line) });
    }
    let file = files.first(&ENTRIES)?;
    let module = file.strip_suffix(".py")?;
    let text = files.text(file).unwrap_or_default();
    let asgi = ["FastAPI", "Starlette", "Litestar", "Quart"].iter().find_map(|class| made_of(text, class));
    let wsgi = ["Flask", "get_wsgi_application", "Bottle"].iter().find_map(|class| made_of(text, class));
    making.because(format!("it begins in {file}"));
    match (asgi, wsgi) {
        (Some(name), _) if listens => {
            let line = format!("uvicorn --host 0.0.0.0 --port ${{PORT}} --proxy-headers {module}:{name}");
            Some(Start { servers: vec!["uvicorn"], how: How::Line(line) })
        }
        (None, Some(name)) if listens => {
            let line = format!("gunicorn --bind 0.0.0.0:${{PORT}} {module}:{name}");
            Some(Start { servers: vec!["gunicorn"], how: How::Line(line) })
        }
        _ => {
            if listens {
                making.doubt(
                    "The program must listen at the port that the variable PORT says, on all addresses.".to_owned(),
                );
            }
            Some(Start { servers: Vec::new(), how: How::File(file) })
        }
    }
}

/// The name of the variable at the left margin that is made of this class: `app = FastAPI(`.
fn made_of(text: &str, class: &str) -> Option<Word> {
    text.lines().find_map(|line| {
        let (name, rest) = line.split_once('=')?;
        let made = rest.trim_start();
        let made = made.rsplit_once('.').filter(|(before, _)| !before.contains('(')).map_or(made, |(_, last)| last);
        let fits = made.strip_prefix(class).is_some_and(|rest| rest.starts_with('('));
        let name = name.split(':').next().unwrap_or_default();
        (fits && !name.starts_with(char::is_whitespace)).then(|| name.trim().parse().ok()).flatten()
    })
}
