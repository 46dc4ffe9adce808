//! PHP in Apache: its packages by Composer, its pages from `public` where there is such a folder.

mod extensions;

use serde_json::Value;

use super::checked::Version;
use super::text::Making;
use super::{Files, Language, Recognised, bases};

/// Where the first page stands, by the file that says so.
const HOMES: [(&str, &str); 4] =
    [("public/index.php", "/public"), ("web/index.php", "/web"), ("webroot/index.php", "/webroot"), ("index.php", "")];

/// Recognises it by a `composer.json` or an `index.php`.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    let home = HOMES.iter().find(|(name, _)| files.has(name));
    let composer = files.has("composer.json");
    if home.is_none() && !composer {
        return None;
    }
    let mut making = Making::new(Vec::new());
    let package: Value =
        files.text("composer.json").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let needs = package.get("require").and_then(Value::as_object);
    if composer {
        making.because("composer.json");
    }
    let folder = match home {
        Some((name, folder)) => {
            making.because(*name);
            *folder
        }
        None => {
            making.doubt("No index.php was found, so all files are taken to be pages: change the lines with /var/www/html where it is otherwise.".to_owned());
            ""
        }
    };
    let wanted = needs.and_then(|needs| needs.get("php")).and_then(Value::as_str).and_then(Version::within);
    if let Some(wanted) = &wanted {
        making.because(format!("php {wanted}"));
    }
    // "^8.1" and ">=8.1" are content with a newer one.
    let held = wanted.filter(|version| version.first(1) != "8");
    let base = bases::PHP.choose(held.as_ref());
    making.doubt(base.uncertain.clone());
    if composer {
        packages(files, &mut making);
    }
    making.line(format!("FROM {}", base.run));
    extensions::compile(needs, &mut making);
    let port = port.unwrap_or(8080);
    making.lines([
        "RUN a2enmod rewrite \\",
        "    && sed -i 's/^Listen 80$/Listen ${PORT}/' /etc/apache2/ports.conf \\",
        "    && sed -i 's/:80>/:${PORT}>/' /etc/apache2/sites-available/000-default.conf \\",
    ]);
    making.line(format!(
        "    && sed -ri 's#^(\\s*DocumentRoot) .*#\\1 /var/www/html{folder}#' /etc/apache2/sites-available/000-default.conf"
    ));
    // What begins with a dot is no page: settings, passwords, the repository's own.
    making.line("RUN printf '%s\\n' '<LocationMatch \"/\\.(?!well-known/)\">' 'Require all denied' '</LocationMatch>' > /etc/apache2/conf-enabled/dot-files.conf");
    making.line("WORKDIR /var/www/html");
    making.line(match composer {
        true => "COPY --from=packages --chown=www-data:www-data /app ./",
        false => "COPY --chown=www-data:www-data . .",
    });
    making.run_as(Some("www-data")).listens(Some(port), &[]).start(&["apache2-foreground"]);
    making.end(Language::Php)
}

/// The stage that fetches packages.
fn packages(files: &Files, making: &mut Making) {
    let lock = files.has("composer.lock");
    making.line(format!("FROM {} AS packages", bases::COMPOSER)).line("WORKDIR /app");
    if lock {
        making.because("composer.lock").line("COPY composer.json composer.lock ./");
    } else {
        making.line("COPY composer.json ./");
        making
            .doubt("There is no composer.lock, so that each build may get other versions of its packages.".to_owned());
    }
    making.lines([
        "RUN --mount=type=cache,target=/tmp/cache \\",
        "    composer install --no-dev --no-interaction --no-scripts --no-autoloader --prefer-dist --ignore-platform-reqs",
        "COPY . .",
        "RUN composer dump-autoload --no-dev --no-interaction --no-scripts --optimize --ignore-platform-reqs",
        "",
    ]);
}
