//! Every pair of colours that text stands in has a contrast of 4.5 at least (WCAG 2.2, 1.4.3), in both themes.

use std::collections::BTreeMap;

const TOKENS: &str = include_str!("../../../static/css/tokens.css");
const LEAST: f64 = 4.5;

/// Ink and what it stands on.
const PAIRS: &[(&str, &str)] = &[
    ("ink", "paper"),
    ("ink", "sheet"),
    ("ink", "sunk"),
    ("ink", "sea-wash"),
    ("ink", "well-wash"),
    ("ink", "watch-wash"),
    ("ink", "wrong-wash"),
    ("faint", "paper"),
    ("faint", "sheet"),
    ("faint", "sunk"),
    ("faint", "sea-wash"),
    ("sea", "paper"),
    ("sea", "sheet"),
    ("sea", "sunk"),
    ("sea", "sea-wash"),
    ("buoy-ink", "buoy"),
    ("buoy-ink", "buoy-deep"),
    ("well", "paper"),
    ("well", "sheet"),
    ("well", "well-wash"),
    ("watch", "paper"),
    ("watch", "sheet"),
    ("watch", "watch-wash"),
    ("wrong", "paper"),
    ("wrong", "sheet"),
    ("wrong", "wrong-wash"),
    ("log-ink", "log-paper"),
    ("log-faint", "log-paper"),
    ("log-ink", "log-mark"),
    ("a0", "log-paper"),
    ("a1", "log-paper"),
    ("a2", "log-paper"),
    ("a3", "log-paper"),
    ("a4", "log-paper"),
    ("a5", "log-paper"),
    ("a6", "log-paper"),
    ("a7", "log-paper"),
    ("a8", "log-paper"),
    ("a9", "log-paper"),
    ("a10", "log-paper"),
    ("a11", "log-paper"),
    ("a12", "log-paper"),
    ("a13", "log-paper"),
    ("a14", "log-paper"),
    ("a15", "log-paper"),
    ("paper", "ink"),
];

/// The colours of a block, over those that stand before it.
fn colours(block: &str, mut known: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    for declaration in block.split(';') {
        let Some((name, value)) = declaration.split_once(": #") else { continue };
        let name = name.rsplit("--").next().unwrap().to_owned();
        let channel = |at: usize| {
            let part = f64::from(u8::from_str_radix(&value[at..at + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        known.insert(name, 0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4));
    }
    known
}

fn block(selector: &str) -> &'static str {
    let start = TOKENS.find(selector).unwrap_or_else(|| panic!("{selector} is in tokens.css"));
    TOKENS[start..].split_once('{').unwrap().1.split_once('}').unwrap().0
}

fn wanting(colours: &BTreeMap<String, f64>) -> Vec<String> {
    let short = |(ink, ground): &(&str, &str)| {
        let (one, two) = (colours[*ink], colours[*ground]);
        let contrast = (one.max(two) + 0.05) / (one.min(two) + 0.05);
        (contrast < LEAST).then(|| format!("{ink} on {ground}: {contrast:.2}"))
    };
    PAIRS.iter().filter_map(short).collect()
}

#[test]
fn text_can_be_read_in_both_themes() {
    let log = colours(block("  :root {\n    --log-paper"), BTreeMap::new());
    let light = colours(block("  :root {\n    color-scheme: light"), log.clone());
    let dark = colours(block(":root[data-theme=\"dark\"]"), log);
    assert_eq!(wanting(&light), Vec::<String>::new(), "light");
    assert_eq!(wanting(&dark), Vec::<String>::new(), "dark");
}

#[test]
fn the_chosen_dark_is_the_systems_dark() {
    let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let system = tidy(block(":root:not([data-theme=\"light\"])"));
    assert_eq!(tidy(block(":root[data-theme=\"dark\"]")), system);
}

#[test]
fn a_pale_ink_is_seen() {
    let colours = colours(
        "--ink: #AAAAAA; --paper: #FFFFFF",
        colours(
            block("  :root {\n    color-scheme: light"),
            colours(block("  :root {\n    --log-paper"), BTreeMap::new()),
        ),
    );
    assert!(wanting(&colours).iter().any(|pair| pair.starts_with("ink on paper")));
}
