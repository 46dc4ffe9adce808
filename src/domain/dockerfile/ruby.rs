//! Ruby: its gems by Bundler; Rails, Rack or a plain file.

use super::checked::Version;
use super::text::{Making, unknown};
use super::{Files, Language, Recognised, bases, procfile, range};

/// Files that a program without Rails and Rack usually begins in.
const ENTRIES: [&str; 4] = ["main.rb", "app.rb", "server.rb", "web.rb"];
/// Libraries that gems load while they run, by gem.
const LIBRARIES: [(&str, &str); 4] =
    [("pg", "libpq5"), ("mysql2", "libmariadb3"), ("ruby-vips", "libvips42"), ("rmagick", "libmagickwand-6.q16-6")];

/// Recognises it by its `Gemfile`.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    if !files.has("Gemfile") {
        return None;
    }
    let mut making = Making::new(vec!["Gemfile".to_owned()]);
    let wanted = version(files, &mut making);
    let base = bases::RUBY.choose(wanted.as_ref());
    making.doubt(base.uncertain.clone());
    let rails = files.has("config/application.rb");
    let command = procfile::command(files, &mut making, port.is_some());
    let start = match (command, files.first(&ENTRIES)) {
        (Some(command), _) => command.to_string(),
        (None, _) if rails && port.is_some() => {
            making.because("config/application.rb");
            "bundle exec rails server --binding 0.0.0.0 --port ${PORT}".to_owned()
        }
        (None, _) if files.has("config.ru") && port.is_some() => {
            making.because("config.ru");
            match locked(files, "puma") {
                true => "bundle exec puma --bind tcp://0.0.0.0:${PORT}".to_owned(),
                false => "bundle exec rackup --host 0.0.0.0 --port ${PORT}".to_owned(),
            }
        }
        (None, Some(entry)) => {
            making.because(format!("it begins in {entry}"));
            making.doubt(
                port.map(|port| {
                    format!("The program must listen at the port that PORT says ({port}), on all addresses.")
                }),
            );
            format!("bundle exec ruby {entry}")
        }
        (None, None) => {
            return unknown(
                "It is Ruby, but nothing says what to start: there is no Rails, no config.ru, no main.rb or app.rb, \
                 and no Procfile with a plain line. Add a Procfile, such as: web: bundle exec puma",
            );
        }
    };
    let lock = files.has("Gemfile.lock");
    let deployment = if lock { "BUNDLE_DEPLOYMENT=1 " } else { "" };
    let env = format!(
        "ENV {deployment}BUNDLE_PATH=/gems BUNDLE_WITHOUT=development:test RAILS_ENV=production RACK_ENV=production"
    );
    making.line(format!("FROM {} AS build", base.build)).line("WORKDIR /app").line(&env);
    if lock {
        making.because("Gemfile.lock").line("COPY Gemfile Gemfile.lock ./");
    } else {
        making.line("COPY Gemfile ./");
        making.doubt("There is no Gemfile.lock, so that each build may get other versions of its gems.".to_owned());
    }
    // Of what Bundler keeps for all apps, what it fetched, by where it is from: what it compiled may be another thing with other libraries.
    making
        .line("RUN --mount=type=cache,target=/root/.bundle/cache/gems BUNDLE_GLOBAL_GEM_CACHE=true bundle install && mkdir -p /gems")
        .line("COPY . .");
    if rails && (files.has_folder("app/assets") || files.has_folder("app/javascript")) {
        making.line("RUN SECRET_KEY_BASE_DUMMY=1 bundle exec rails assets:precompile");
    }
    making.line("").line(format!("FROM {}", base.run));
    let libraries: Vec<&str> =
        LIBRARIES.iter().filter(|(gem, _)| locked(files, gem)).map(|(_, library)| *library).collect();
    making.packages(&libraries).user().line(env).line("ENV RAILS_LOG_TO_STDOUT=1 RAILS_SERVE_STATIC_FILES=1");
    making.lines(["WORKDIR /app", "COPY --from=build /gems /gems", "COPY --from=build --chown=10001:10001 /app ./"]);
    making.run_as(None).listens(port, &[]).start_line(&start);
    if rails {
        making.doubt(
            "Rails wants a secret named RAILS_MASTER_KEY or SECRET_KEY_BASE, and its database in DATABASE_URL."
                .to_owned(),
        );
    }
    making.end(Language::Ruby)
}

/// The version that is asked for, and where.
fn version(files: &Files, making: &mut Making) -> Option<Version> {
    let of_file = files.text(".ruby-version").and_then(Version::within);
    let (why, version) = match of_file {
        Some(version) => (format!(".ruby-version {version}"), version),
        None => {
            let wish = range::read(&asked(files.text("Gemfile")?)?, &bases::RUBY)?;
            (format!("ruby in the Gemfile {}", wish.words), wish.version)
        }
    };
    making.because(why);
    Some(version)
}

/// What the `Gemfile` asks for: the texts behind `ruby`, and not which engine.
fn asked(gemfile: &str) -> Option<String> {
    let line = gemfile.lines().find_map(|line| line.trim().strip_prefix("ruby "))?;
    let texts = line.split(',').map(str::trim).take_while(|part| part.starts_with(['"', '\'']));
    let texts = texts.filter_map(|part| part.split(['"', '\'']).nth(1));
    Some(texts.collect::<Vec<_>>().join(" "))
}

/// Whether the lock file, or where there is none the Gemfile, has this gem.
fn locked(files: &Files, gem: &str) -> bool {
    let in_lock = |text: &str| text.lines().any(|line| line.trim().split(' ').next() == Some(gem));
    let quoted = [format!("\"{gem}\""), format!("'{gem}'")];
    let in_gemfile = |text: &str| quoted.iter().any(|quoted| text.contains(quoted));
    files.text("Gemfile.lock").map_or_else(|| files.text("Gemfile").is_some_and(in_gemfile), in_lock)
}
