//! Python: its packages by pip, uv, Poetry or Pipenv, and what starts it.

use super::checked::Version;
use super::text::{Making, unknown};
use super::{Files, Language, Recognised, bases, procfile};

mod start;

/// What says that it is Python.
const SIGNS: [&str; 9] = [
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "requirements.txt",
    "pyproject.toml",
    "Pipfile",
    "manage.py",
    "main.py",
    "app.py",
];

/// Where its packages are named.
const MANIFESTS: [&str; 3] = ["requirements.txt", "pyproject.toml", "Pipfile"];

/// Libraries of Debian's that packages load while they run, by package. Those that are built here are built against the headers that the
/// full image has and the slim one has no library for; others load theirs by name.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("psycopg2", &["libpq5"]),
    ("psycopg", &["libpq5"]),
    ("mysqlclient", &["libmariadb3"]),
    ("uwsgi", &["libxml2"]),
    ("python-magic", &["libmagic1"]),
    ("weasyprint", &["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"]),
    ("opencv-python", &["libgl1", "libglib2.0-0"]),
];

/// Recognises it by a manifest or a file to begin in.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    let sign = files.first(&SIGNS)?;
    let mut making = Making::new(vec![sign.to_owned()]);
    let wanted = version(files, &mut making);
    let base = bases::PYTHON.choose(wanted.as_ref());
    making.doubt(base.uncertain.clone());
    let command = procfile::command(files, &mut making, port.is_some());
    let Some(start) = start::of(files, command, port.is_some(), &mut making) else {
        return unknown(
            "It is Python, but nothing says what to start: there is no manage.py, main.py, app.py, server.py or wsgi.py, \
             and no Procfile with a plain web line. Add a Procfile, such as: web: gunicorn shop.wsgi",
        );
    };
    making.line(format!("FROM {} AS build", base.build));
    making.lines([
        "WORKDIR /app",
        "RUN python -m venv /venv",
        "ENV VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1",
    ]);
    install(files, sign, &mut making);
    for package in start.servers.iter().filter(|package| !names(files, package)) {
        making.line(format!("RUN --mount=type=cache,target=/root/.cache/pip pip install {package}"));
        making.doubt(format!(
            "{package} is installed beside your packages, as they do not name it: add it to them to fix its version."
        ));
    }
    making.line("").line(format!("FROM {}", base.run));
    making.packages(&libraries(files)).user();
    making.line("ENV VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1");
    making.lines(["WORKDIR /app", "COPY --from=build /venv /venv", "COPY --chown=10001:10001 . ."]);
    making.run_as(None).listens(port, &[]);
    start.write(&mut making);
    making.end(Language::Python)
}

/// The version that is asked for, and where.
fn version(files: &Files, making: &mut Making) -> Option<Version> {
    let wants =
        |line: &&str| line.trim_start().starts_with("requires-python") || line.trim_start().starts_with("python =");
    let project = files.text("pyproject.toml").and_then(|text| text.lines().find(wants));
    let named = [(".python-version", files.text(".python-version")), ("runtime.txt", files.text("runtime.txt"))];
    let exact = named.into_iter().find_map(|(place, text)| Some((place, Version::within(text?)?)));
    // ">=3.9" is content with the usual one; what has an upper end below it, or names one, is held there.
    let held = |line: &str| line.contains("==") || line.contains("~=") || line.contains("\"3.") || line.contains("<3.");
    let of_project =
        || Some(("pyproject.toml", Version::within(project.filter(|line| held(line))?.split_once('=')?.1)?));
    let (place, version) = exact.or_else(of_project)?;
    making.because(format!("{place} {version}"));
    Some(version)
}

/// Whether one of the manifests names this package.
fn names(files: &Files, package: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut words = MANIFESTS.iter().filter_map(|name| files.text(name)).flat_map(|text| text.split(|c| !plain(c)));
    // PEP 503: the two are one.
    words.any(|word| word.replace('_', "-").eq_ignore_ascii_case(package))
}

/// What its packages load while they run, each once. psycopg brings its own where it is named so: `psycopg2-binary`, `psycopg[binary]`,
/// `psycopg = { extras = ["binary"] }`.
fn libraries(files: &Files) -> Vec<&'static str> {
    let lines = MANIFESTS.iter().filter_map(|name| files.text(name)).flat_map(str::lines);
    let brought = lines.filter(|line| line.contains("psycopg")).any(|line| line.contains("binary"));
    let needed = LIBRARIES.iter().filter(|(package, _)| names(files, package));
    let mut libraries: Vec<&str> = Vec::new();
    for library in needed.flat_map(|(_, libraries)| libraries.iter().copied()) {
        let own = brought && library == "libpq5";
        if !own && !libraries.contains(&library) {
            libraries.push(library);
        }
    }
    libraries
}

/// Puts the packages into the virtual environment.
fn install(files: &Files, sign: &str, making: &mut Making) {
    const TOOLS: &str = "RUN python -m venv /tools && /tools/bin/pip install";
    match sign {
        "uv.lock" => {
            making.line(format!("{TOOLS} uv")).line("COPY pyproject.toml uv.lock ./");
            making.line("RUN --mount=type=cache,target=/root/.cache/uv \\");
            making.line("    UV_LINK_MODE=copy /tools/bin/uv sync --active --locked --no-dev --no-install-project");
        }
        "poetry.lock" => {
            making.line(format!("{TOOLS} poetry")).line("COPY pyproject.toml poetry.lock ./");
            making.line("RUN --mount=type=cache,target=/root/.cache/pypoetry \\");
            making.line("    /tools/bin/poetry install --only main --no-root --no-interaction");
        }
        "Pipfile.lock" => {
            making.line(format!("{TOOLS} pipenv")).line("COPY Pipfile Pipfile.lock ./");
            making.line("RUN --mount=type=cache,target=/root/.cache/pip /tools/bin/pipenv sync");
        }
        "requirements.txt" => {
            // What refers to other files of the repository needs them.
            let refers = |line: &str| {
                line.starts_with("-e") || line.starts_with("-r") || line.starts_with("-c") || line.starts_with('.')
            };
            let alone =
                !files.text("requirements.txt").is_some_and(|text| text.lines().any(|line| refers(line.trim())));
            making.line(if alone { "COPY requirements.txt ./" } else { "COPY . ." });
            making.line("RUN --mount=type=cache,target=/root/.cache/pip pip install --requirement requirements.txt");
        }
        "pyproject.toml" if files.text("pyproject.toml").is_some_and(|text| text.contains("[project]")) => {
            making.line("COPY . .").line("RUN --mount=type=cache,target=/root/.cache/pip pip install .");
            making
                .doubt("There is no lock file, so that each build may get other versions of its packages.".to_owned());
        }
        _ => {
            making
                .doubt("Nothing says which packages it needs: add a requirements.txt where it needs some.".to_owned());
        }
    }
}
