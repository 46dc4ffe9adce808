//! The extensions that a PHP program's packages name.

use serde_json::{Map, Value};

use crate::domain::dockerfile::checked::Word;
use crate::domain::dockerfile::text::Making;

/// Extensions that the image compiles without anything more.
const EASY: [&str; 8] = ["bcmath", "calendar", "exif", "mysqli", "pcntl", "pdo_mysql", "shmop", "sockets"];
/// Extensions that the image has.
const THERE: [&str; 27] = [
    "ctype",
    "curl",
    "date",
    "dom",
    "fileinfo",
    "filter",
    "hash",
    "iconv",
    "json",
    "libxml",
    "mbstring",
    "openssl",
    "pcre",
    "pdo",
    "pdo_sqlite",
    "phar",
    "posix",
    "readline",
    "session",
    "simplexml",
    "sodium",
    "sqlite3",
    "tokenizer",
    "xml",
    "xmlreader",
    "xmlwriter",
    "zlib",
];
/// The extensions that the packages name: what is easy is compiled, of what is not is said so.
pub(super) fn compile(needs: Option<&Map<String, Value>>, making: &mut Making) {
    let named = needs
        .into_iter()
        .flat_map(|needs| needs.keys())
        .filter_map(|name| name.strip_prefix("ext-")?.parse::<Word>().ok());
    let missing: Vec<Word> = named.filter(|name| !THERE.contains(&name.as_ref())).collect();
    let (easy, hard): (Vec<&Word>, Vec<&Word>) = missing.iter().partition(|name| EASY.contains(&name.as_ref()));
    let list = |names: &[&Word]| names.iter().map(|name| name.as_ref()).collect::<Vec<_>>().join(" ");
    if !easy.is_empty() {
        making.line(format!("RUN docker-php-ext-install {}", list(&easy)));
    }
    if !hard.is_empty() {
        making.doubt(format!(
            "These extensions need libraries that are not installed here: {}. Add lines for them before USER.",
            list(&hard)
        ));
    }
}
