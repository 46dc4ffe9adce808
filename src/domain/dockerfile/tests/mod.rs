//! What is recognised by which files, and the texts that are written. The texts stand beside, to be read as a user reads them.

use super::*;
use expect_test::expect_file;

/// Files by name and content.
fn files(all: &[(&str, &str)]) -> Files {
    let names = all.iter().map(|(name, _)| (*name).to_owned());
    let texts =
        all.iter().filter(|(name, _)| READ.contains(name)).map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Files::new(names, texts.collect())
}

#[track_caller]
fn written(all: &[(&str, &str)]) -> Written {
    write(&files(all), Some(8080)).unwrap_or_else(|unknown| panic!("{unknown}"))
}

/// The text, and behind it what is said beside.
fn shown(all: &[(&str, &str)]) -> String {
    let written = written(all);
    let doubts: String = written.uncertain.iter().map(|sentence| format!("? {sentence}\n")).collect();
    format!("{}---\n{doubts}", written.text)
}

fn why(all: &[(&str, &str)]) -> String {
    write(&files(all), Some(8080)).expect_err("nothing is written").0
}

const PACKAGE: &str = r#"{"name": "shop", "scripts": {"build": "tsc", "start": "node dist/server.js"}, "engines": {"node": ">=20.1"},
    "dependencies": {"express": "^4"}, "devDependencies": {"typescript": "^5"}}"#;

#[test]
fn each_language_gets_its_text() {
    expect_file!["node.Dockerfile"].assert_eq(&shown(&[
        ("package.json", PACKAGE),
        ("package-lock.json", "{}"),
        ("dist/server.js", ""),
    ]));
    let site = r#"{"scripts": {"build": "vite build", "start": "vite"}, "packageManager": "pnpm@9.1.0", "devDependencies": {"vite": "^6"}}"#;
    expect_file!["site_of_node.Dockerfile"].assert_eq(&shown(&[
        ("package.json", site),
        ("pnpm-lock.yaml", ""),
        ("index.html", ""),
    ]));
    let django = [
        ("manage.py", ""),
        ("shop/wsgi.py", ""),
        ("requirements.txt", "Django==5.1\npsycopg2==2.9\n"),
        (".python-version", "3.12.4\n"),
    ];
    expect_file!["python.Dockerfile"].assert_eq(&shown(&django));
    let rails = [
        ("Gemfile", "source \"https://rubygems.org\"\nruby \"3.3.6\"\n"),
        ("Gemfile.lock", "GEM\n  specs:\n    pg (1.5.9)\n    puma (6.5.0)\n"),
        ("config/application.rb", ""),
        ("app/assets/x.css", ""),
        ("package.json", "{}"),
    ];
    expect_file!["ruby.Dockerfile"].assert_eq(&shown(&rails));
    let laravel = r#"{"require": {"php": "^8.2", "ext-pdo_mysql": "*", "ext-gd": "*", "ext-mbstring": "*"}}"#;
    expect_file!["php.Dockerfile"].assert_eq(&shown(&[
        ("composer.json", laravel),
        ("composer.lock", ""),
        ("public/index.php", ""),
    ]));
    let module = "module example.org/acme/shop\n\ngo 1.22\n";
    expect_file!["go.Dockerfile"].assert_eq(&shown(&[
        ("go.mod", module),
        ("go.sum", ""),
        ("cmd/shop/main.go", ""),
        ("cmd/load/main.go", ""),
        ("templates/page.html", ""),
    ]));
    let cargo = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n\n[dependencies]\naxum = { version = \"0.8\" }\n";
    expect_file!["rust.Dockerfile"].assert_eq(&shown(&[
        ("Cargo.toml", cargo),
        ("Cargo.lock", "[[package]]\nname = \"openssl-sys\"\n"),
        ("src/main.rs", ""),
    ]));
    let pom = "<project><properties><java.version>17</java.version></properties><artifactId>org.springframework.boot</artifactId></project>";
    expect_file!["java.Dockerfile"].assert_eq(&shown(&[("pom.xml", pom)]));
    expect_file!["static.Dockerfile"].assert_eq(&shown(&[("public/index.html", ""), ("public/logo.svg", "")]));
}

#[test]
fn lock_files_and_manifests_say_how_packages_are_installed() {
    let line = |all: &[(&str, &str)], words: &str| {
        let text = written(all).text.to_string();
        assert!(text.contains(words), "{words} in\n{text}");
    };
    let node = ("package.json", r#"{"scripts": {"start": "node server.js"}}"#);
    line(&[node, ("server.js", ""), ("yarn.lock", "")], "yarn install --frozen-lockfile\n");
    line(
        &[node, ("server.js", ""), ("yarn.lock", ""), (".yarnrc.yml", "")],
        "corepack enable\nCOPY package.json yarn.lock .yarnrc.yml ./\n",
    );
    line(&[node, ("server.js", "")], "npm install\n");
    let said = |lock| written(&[node, ("server.js", ""), (lock, "")]).uncertain.join("\n");
    for lock in ["bun.lock", "bun.lockb"] {
        assert!(said(lock).contains(&format!("{lock}: Bun is not written for yet")), "{}", said(lock));
        assert!(!said(lock).contains("There is no lock file"));
    }
    assert!(said("x").contains("There is no lock file") && !said("yarn.lock").contains("lock file"));
    line(&[("Gemfile", "ruby \">= 3.1\", engine: \"ruby\""), ("config.ru", "")], "FROM ruby:3.4-bookworm AS build\n");
    line(&[("Gemfile", "ruby '~> 3.2.0' # not 3.4\n"), ("config.ru", "")], "FROM ruby:3.2-bookworm AS build\n");
    line(
        &[("package.json", PACKAGE), ("dist/server.js", ""), (".nvmrc", "v20.11\n")],
        "FROM node:20-bookworm AS build\n",
    );
    line(
        &[("package.json", &PACKAGE.replace(">=20.1", "20.x")), ("dist/server.js", ""), (".nvmrc", "22\n")],
        "FROM node:20-bookworm AS build\n",
    );
    let prisma =
        r#"{"scripts": {"start": "next start", "build": "next build"}, "dependencies": {"@prisma/client": "6"}}"#;
    line(
        &[("package.json", prisma), ("package-lock.json", "")],
        "COPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci\n",
    );
    line(&[("package.json", prisma), ("package-lock.json", "")], "CMD [\"npm\", \"start\"]\n");
    let main = ("main.py", "from fastapi import FastAPI\n\napi: FastAPI = FastAPI(title=\"x\")\n");
    line(&[main, ("uv.lock", ""), ("pyproject.toml", "")], "uv sync --active --locked --no-dev --no-install-project\n");
    line(
        &[main, ("uv.lock", ""), ("pyproject.toml", "")],
        "exec uvicorn --host 0.0.0.0 --port ${PORT} --proxy-headers main:api\"]\n",
    );
    let flask = ("app.py", "import flask\nshop = flask.Flask(__name__)\n");
    line(
        &[flask, ("poetry.lock", ""), ("pyproject.toml", "gunicorn = \"^23\"")],
        "exec gunicorn --bind 0.0.0.0:${PORT} app:shop\"]\n",
    );
    line(
        &[("server.py", ""), ("requirements.txt", "-r base.txt\n")],
        "COPY . .\nRUN --mount=type=cache,target=/root/.cache/pip pip install",
    );
    line(&[("Gemfile", ""), ("config.ru", "")], "exec bundle exec rackup --host 0.0.0.0 --port ${PORT}\"]\n");
    line(
        &[("Gemfile", ""), ("Procfile", "release: x\nweb: bundle exec puma -p $PORT\n")],
        "exec bundle exec puma -p $PORT\"]\n",
    );
    line(
        &[("build.gradle.kts", "jvmToolchain(17)\nid(\"org.springframework.boot\")")],
        "FROM gradle:8-jdk17 AS build\n",
    );
    line(&[("pom.xml", "<artifactId>x</artifactId><groupId>io.quarkus</groupId>")], "RUN mv target/quarkus-app /app\n");
    line(&[("go.mod", "module x\ngo 1.21\n"), ("main.go", ""), ("vendor/modules.txt", "")], "WORKDIR /src\nCOPY . .\n");
    line(&[("index.php", "")], "COPY --chown=www-data:www-data . .\n");
}

#[test]
fn what_starts_a_program_stays_in_the_image() {
    let of = |start: &str, further: &str, lock: &str| {
        let package = format!(
            r#"{{"scripts": {{"start": "{start}", "serve": "tsx src/main.ts", "build": "tsc"{further}}}, "dependencies": {{"express": "4", "pm2": "5"}},
                "devDependencies": {{"ts-node": "10", "tsx": "4", "nodemon": "3", "typescript": "5", "prisma": "6", "@nestjs/cli": "11", "pm2": "5"}}}}"#
        );
        written(&[("package.json", &package), (lock, "")])
    };
    let kept = |start: &str, further: &str, name: &str| {
        for lock in ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "x"] {
            let written = of(start, further, lock);
            let text = written.text.as_ref();
            assert!(!text.contains("prune") && !text.contains("--production"), "{start} with {lock}:\n{text}");
            let said = format!("It is started by {name}, which is among the devDependencies");
            assert!(written.uncertain.iter().any(|doubt| doubt.starts_with(&said)), "{start}: {:?}", written.uncertain);
        }
    };
    for (start, name) in [
        ("ts-node src/index.ts", "ts-node"),
        ("tsx src/index.ts", "tsx"),
        ("nodemon server.js", "nodemon"),
        ("NODE_ENV=production TZ=UTC tsx src/index.ts", "tsx"),
        ("npx tsx src/index.ts", "tsx"),
        ("pnpm exec tsx src/index.ts", "tsx"),
        ("cross-env A=b ts-node-esm src/index.ts", "ts-node"),
        ("./node_modules/.bin/tsx src/index.ts", "tsx"),
        ("node -r ts-node/register src/index.ts", "ts-node"),
        ("node --import=tsx src/index.ts", "tsx"),
        ("nest start", "@nestjs/cli"),
        ("prisma migrate deploy && node dist/main.js", "prisma"),
        ("npm run serve", "tsx"),
        ("yarn serve", "tsx"),
        ("npm run build && node dist/main.js", "typescript"),
        ("npm run start", "tsx"),
    ] {
        let further = if start == "npm run start" { r#", "prestart": "npm run serve""# } else { "" };
        kept(start, further, name);
    }
    kept("concurrently npm:serve", "", "tsx");
    // Yarn from 2 on takes nothing out, so there is nothing to say.
    let berry = [
        ("package.json", r#"{"scripts": {"start": "tsx ."}, "devDependencies": {"tsx": "4"}}"#),
        ("yarn.lock", ""),
        (".yarnrc.yml", ""),
    ];
    assert!(!written(&berry).uncertain.join("").contains("devDependencies"));

    for start in [
        "node dist/main.js",
        "node --enable-source-maps build",
        "pm2-runtime dist/main.js",
        "pm2 start dist/main.js",
        "./tsx.sh",
    ] {
        for (lock, words) in
            [("package-lock.json", "npm prune"), ("pnpm-lock.yaml", "pnpm prune"), ("yarn.lock", "--production")]
        {
            let written = of(start, "", lock);
            assert!(written.text.as_ref().contains(words), "{start} with {lock}");
            assert!(!written.uncertain.join("").contains("devDependencies"), "{start}");
        }
    }
    // A Procfile says it in the script's place.
    let package =
        ("package.json", r#"{"scripts": {"start": "node a.js", "up": "tsx a.ts"}, "devDependencies": {"tsx": "4"}}"#);
    let by = |line: &str| written(&[package, ("package-lock.json", ""), ("Procfile", line)]).text.to_string();
    assert!(!by("web: npm run up").contains("prune") && !by("web: tsx a.ts").contains("prune"));
    assert!(by("web: node b.js").contains("prune"));
}

#[test]
fn packages_of_python_find_the_libraries_that_they_load() {
    let installed = |requirements: &str| {
        let text = written(&[("main.py", ""), ("requirements.txt", requirements)]).text.to_string();
        let line = text.lines().find_map(|line| line.split_once("--no-install-recommends ")).map(|(_, rest)| rest);
        line.and_then(|rest| rest.split_once(" &&")).map(|(names, _)| names.to_owned()).unwrap_or_default()
    };
    assert_eq!(installed("Django==5.1\nmysqlclient==2.2.7\n"), "libmariadb3");
    assert_eq!(installed("psycopg2\nmysqlclient>=2"), "libpq5 libmariadb3");
    assert_eq!(installed("psycopg==3.2"), "libpq5");
    assert_eq!(installed("psycopg2\npsycopg"), "libpq5", "once");
    assert_eq!(installed("psycopg[binary]==3.2"), "");
    assert_eq!(installed("psycopg2-binary==2.9"), "");
    assert_eq!(installed("psycopg2\nbinary-parser"), "libpq5", "another package's binary");
    assert_eq!(installed("python_magic\nuWSGI"), "libxml2 libmagic1");
    assert_eq!(installed("WeasyPrint==65"), "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0");
    assert_eq!(installed("opencv-python-headless\nPillow\nlxml\nPyMySQL"), "", "these bring theirs");
}

#[test]
fn what_does_not_listen_has_no_port_and_no_check() {
    let text = write(&files(&[("main.py", ""), ("requirements.txt", "")]), None).unwrap().text.to_string();
    assert!(!text.contains("EXPOSE") && !text.contains("HEALTHCHECK") && !text.contains("PORT="), "{text}");
    let text =
        write(&files(&[("Gemfile", ""), ("Procfile", "web: x\nworker: rake work")]), None).unwrap().text.to_string();
    assert!(text.contains("exec rake work"), "{text}");
}

#[test]
fn what_is_not_recognised_is_said_with_what_was_looked_for() {
    assert!(why(&[("README.md", "")]).starts_with("Looked for: package.json (Node.js), "));
    assert!(why(&[("package.json", "{}")]).contains("no start script"));
    assert!(why(&[("package.json", "{")]).contains("no JSON"));
    assert!(why(&[("requirements.txt", "")]).contains("Procfile"));
    assert!(why(&[("Cargo.toml", "[workspace]\nmembers = []\n")]).contains("workspace"));
    let two = [("Cargo.toml", "[package]\nname = \"x\"\n"), ("src/bin/a.rs", ""), ("src/bin/b.rs", "")];
    assert!(why(&two).contains("several programs: a, b."));
    assert!(
        why(&[("go.mod", "module x\n"), ("cmd/a/main.go", ""), ("cmd/b/main.go", "")]).contains("below cmd: a, b.")
    );
    assert!(why(&[("pom.xml", "<modules>")]).contains("modules"));
}

#[test]
fn a_version_that_there_is_none_of_is_replaced_and_that_is_said() {
    let old = r#"{"scripts": {"start": "node server.js"}, "engines": {"node": "16.x"}}"#;
    let written = written(&[("package.json", old), ("server.js", ""), ("package-lock.json", "")]);
    assert!(written.text.as_ref().contains("FROM node:22-bookworm-slim\n"));
    assert!(written.uncertain.iter().any(|sentence| sentence.starts_with("Node.js 16 is asked for; 22 is taken.")));
}

/// No word of a manifest gets into the text in a place where it is obeyed.
#[test]
fn hostile_manifests_put_nothing_into_the_text() {
    const EVIL: &str = "x\\nRUN CANARY";
    let package = format!(
        r#"{{"name": "{EVIL}", "main": "a\"]\nRUN CANARY.js", "packageManager": "pnpm@{EVIL}", "engines": {{"node": "{EVIL}"}},
            "scripts": {{"start": "node a.js; CANARY", "build": "CANARY", "{EVIL}": "x"}}, "dependencies": {{"{EVIL}": "1"}}}}"#
    );
    let cargo = "[package]\nname = \"x; CANARY\"\ndefault-run = \"a\\nRUN CANARY\"\n";
    let main = "app\"]\\nCANARY = FastAPI()\nx$(CANARY) = Flask()\n";
    let composer = r#"{"require": {"php": "8\nRUN CANARY", "ext-CANARY;x": "*", "ext-x\nRUN CANARY": "*"}}"#;
    let all: [&[(&str, &str)]; 12] = [
        &[("package.json", &package), ("pnpm-lock.yaml", "")],
        &[("package.json", &package), ("Procfile", "web: node a.js && CANARY")],
        &[("main.py", main), ("requirements.txt", "CANARY\n"), ("runtime.txt", "python-3.12\nRUN CANARY")],
        &[("manage.py", ""), ("a\nRUN CANARY/wsgi.py", ""), ("shop/wsgi.py", "")],
        &[("Procfile", "web: python $(CANARY)"), ("main.py", ""), ("requirements.txt", "")],
        &[("Gemfile", "ruby \"3\nRUN CANARY\""), ("main.rb", ""), (".ruby-version", "x\nRUN CANARY")],
        &[("composer.json", composer), ("index.php", "")],
        &[("go.mod", "module CANARY\ngo 1.22;CANARY\n"), ("cmd/a b CANARY/main.go", ""), ("cmd/ok/main.go", "")],
        &[("Cargo.toml", cargo), ("src/main.rs", "")],
        &[("Cargo.toml", "[package]\nname = \"x\"\n"), ("src/bin/a\"CANARY.rs", ""), ("src/main.rs", "")],
        &[("pom.xml", "<java.version>17\nRUN CANARY</java.version><packaging>CANARY</packaging>")],
        &[("build.gradle", "sourceCompatibility = '17'; CANARY"), ("settings.gradle", "CANARY")],
    ];
    for case in all {
        match write(&files(case), Some(3000)) {
            Ok(written) => {
                let said = format!("{}{:?}", written.text, written.evidence);
                assert!(!said.contains("CANARY"), "{case:?} gave\n{said}");
            }
            Err(unknown) => assert!(!unknown.0.contains('\n'), "{unknown}"),
        }
    }
}

#[test]
fn a_difference_names_what_goes_and_what_comes() {
    let shown = |before, after| -> Vec<String> {
        let word = |line: Line| match line {
            Line::Same(text) => format!("  {text}"),
            Line::Gone(text) => format!("- {text}"),
            Line::Come(text) => format!("+ {text}"),
        };
        difference(before, after).into_iter().map(word).collect()
    };
    assert_eq!(shown("a\nb\nc\n", "a\nB\nc\nd\n"), ["  a", "- b", "+ B", "  c", "+ d"]);
    assert_eq!(shown("", "a\n"), ["+ a"]);
    assert_eq!(shown("a\nb\n", ""), ["- a", "- b"]);
}

#[test]
fn a_dockerfile_is_checked_before_it_is_kept() {
    let bad = |text: &str| text.parse::<DockerfileText>().expect_err("it is refused").0;
    assert!(bad("").contains("FROM"));
    assert!(bad("RUN x\n# FROM y").contains("FROM"));
    assert!(bad("FROM x\nRUN \u{1b}[2J").contains("control character"));
    assert!(bad(&format!("FROM x\n{}", "x".repeat(70_000))).contains("64 KiB"));
    assert_eq!("from x\r\nRUN y".parse::<DockerfileText>().unwrap().as_ref(), "from x\nRUN y\n");
}
