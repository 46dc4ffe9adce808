//! `.dockerignore`: which files of a folder are not sent to the builder. The rules are Docker's own (Go's
//! `filepath.Match`, and `**`; the last matching line decides; a folder's rule covers what is in it).

/// Lines with a rule in one file. More would make each file of a large repository slow to decide.
const MAX_RULES: usize = 1_000;
/// Characters of one rule: no path is longer.
const MAX_RULE: usize = 4_096;

/// The rules of one file.
#[derive(Clone, Debug, Default)]
pub struct DockerIgnore {
    rules: Vec<Rule>,
}

/// Why a file of rules is refused: a sentence with the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRule(pub String);

#[derive(Clone, Debug)]
struct Rule {
    keeps: bool,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Char(char),
    /// `?`: one character, but no slash.
    One,
    /// `*`: any number of characters, but no slash.
    Star,
    /// `**` at the end: anything.
    Rest,
    /// `**/`: nothing, or any number of whole folders.
    Folders,
    /// `[a-z]`, `[^a]`: one character of these ranges, or of none of them.
    Class { not: bool, ranges: Vec<(char, char)> },
}

impl DockerIgnore {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, BadRule> {
        let mut rules = Vec::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let (keeps, rule) = line.trim().strip_prefix('!').map_or((false, line.trim()), |rest| (true, rest.trim()));
            let path = clean(rule);
            let bad = |why: &str| BadRule(format!("Line {number} of .dockerignore {why}."));
            if rule.is_empty() {
                return Err(bad("is an exclamation mark without a pattern"));
            }
            if path.chars().count() > MAX_RULE || rules.len() >= MAX_RULES {
                return Err(bad("is too long, or one line too many"));
            }
            let tokens = tokens(&path).ok_or_else(|| bad("has a bracket that is not closed"))?;
            rules.push(Rule { keeps, tokens });
        }
        Ok(Self { rules })
    }

    /// True where the path (relative, without a slash at its end) is not sent.
    pub fn ignores(&self, path: &str) -> bool {
        let mut ignored = false;
        for rule in &self.rules {
            // A rule that would change nothing need not be tried.
            if rule.keeps == ignored && covers(&rule.tokens, path) {
                ignored = !rule.keeps;
            }
        }
        ignored
    }
}

/// Go's `filepath.Clean`, and the slash at the beginning cut: `/a/./b//c/../d/` is `a/b/d`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".into() } else { parts.join("/") }
}

/// The pattern's tokens; none where a bracket is not closed.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                if rest.peek().is_none() { Token::Rest } else { Token::Folders }
            }
            '*' => Token::Star,
            '?' => Token::One,
            '[' => class(&mut rest)?,
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            c => Token::Char(c),
        });
    }
    Some(tokens)
}

/// The rest of a class, after its opening bracket.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let not = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let mut member = || match rest.next()? {
            '\\' => rest.next().map(|c| (c, true)),
            c => Some((c, false)),
        };
        let (low, escaped) = member()?;
        if low == ']' && !escaped && !ranges.is_empty() {
            return Some(Token::Class { not, ranges });
        }
        let mut high = low;
        if rest.next_if_eq(&'-').is_some() {
            if rest.peek() == Some(&']') {
                ranges.push(('-', '-'));
            } else {
                high = match rest.next()? {
                    '\\' => rest.next()?,
                    c => c,
                };
            }
        }
        ranges.push((low, high));
    }
}

/// True where the rule matches the path or a folder above it.
fn covers(tokens: &[Token], path: &str) -> bool {
    if let (Some(Token::Char(first)), Some(begins)) = (tokens.first(), path.chars().next())
        && *first != begins
    {
        return false;
    }
    let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    folders.chain([path]).any(|path| matches(tokens, path))
}

/// The pattern against a whole path: all places in the pattern that the text read so far can stand at are carried
/// along, so that no pattern takes longer than its length times the path's.
fn matches(tokens: &[Token], path: &str) -> bool {
    let mut at = Places::new(tokens.len());
    at.reach(tokens, 0);
    for c in path.chars() {
        let mut next = Places::new(tokens.len());
        for (place, token) in tokens.iter().enumerate() {
            if at.inside.get(place) == Some(&true) {
                next.walk(place);
                if c == '/' {
                    next.reach(tokens, place + 1);
                }
            }
            if at.before.get(place) != Some(&true) {
                continue;
            }
            match token {
                Token::Char(wanted) if c == *wanted => next.reach(tokens, place + 1),
                Token::One if c != '/' => next.reach(tokens, place + 1),
                Token::Star if c != '/' => next.reach(tokens, place),
                Token::Rest => next.reach(tokens, place),
                Token::Folders => {
                    next.walk(place);
                    if c == '/' {
                        next.reach(tokens, place + 1);
                    }
                }
                Token::Class { not, ranges }
                    if ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *not =>
                {
                    next.reach(tokens, place + 1);
                }
                Token::Char(_) | Token::One | Token::Star | Token::Class { .. } => {}
            }
        }
        if next.nowhere {
            return false;
        }
        at = next;
    }
    at.before.last() == Some(&true)
}

/// Where a match can stand: before a token (or past the last), or inside the folders of a `**/`.
struct Places {
    before: Vec<bool>,
    inside: Vec<bool>,
    nowhere: bool,
}

impl Places {
    fn new(tokens: usize) -> Self {
        Self { before: vec![false; tokens + 1], inside: vec![false; tokens], nowhere: true }
    }

    /// Stands before this token, and before those after it that can be empty.
    fn reach(&mut self, tokens: &[Token], from: usize) {
        for place in from..=tokens.len() {
            if let Some(flag) = self.before.get_mut(place) {
                *flag = true;
                self.nowhere = false;
            }
            if !matches!(tokens.get(place), Some(Token::Star | Token::Rest | Token::Folders)) {
                break;
            }
        }
    }

    fn walk(&mut self, place: usize) {
        if let Some(flag) = self.inside.get_mut(place) {
            *flag = true;
            self.nowhere = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_mean_what_they_mean_to_docker() {
        // rules (by line), ignored paths, sent paths
        let cases: [(&str, &[&str], &[&str]); 14] = [
            ("node_modules", &["node_modules", "node_modules/a/b.js"], &["src/node_modules/a", "node_modules2"]),
            ("/build/\n", &["build/x"], &["a/build/x"]),
            ("*.log", &["a.log"], &["a/a.log", "a.log.txt"]),
            ("**/*.log", &["a.log", "a/b/c.log"], &["a/log", "a.logs"]),
            ("*/temp*", &["a/temp", "a/temporary.txt", "a/temp/x"], &["temp", "a/b/temp"]),
            ("temp?", &["tempa", "temp1/x"], &["temp", "tempab"]),
            ("*\n!keep/*.md\nkeep/secret.md", &["a", "keep/b.txt", "keep/secret.md"], &["keep/a.md"]),
            ("# comment\n\n  docs  \n", &["docs/x"], &["# comment"]),
            ("a/**", &["a/b", "a/b/c"], &["b/a"]),
            ("a/**/z", &["a/z", "a/b/c/z"], &["a/bz", "z"]),
            ("[a-c]x\n[^a-z]", &["ax", "cx", "1"], &["dx", "q"]),
            ("\\*star\n\\!bang", &["*star", "!bang"], &["xstar", "bang"]),
            ("**", &["a", "a/b"], &[]),
            (".git\n**/.env", &[".git/config", ".env", "a/b/.env"], &[".gitignore", "a.env"]),
        ];
        for (rules, ignored, sent) in cases {
            let rules_read = DockerIgnore::parse(rules).unwrap();
            for path in ignored {
                assert!(rules_read.ignores(path), "{rules:?} should ignore {path}");
            }
            for path in sent {
                assert!(!rules_read.ignores(path), "{rules:?} should send {path}");
            }
        }
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let rules = DockerIgnore::parse(&"*a".repeat(500)).unwrap();
        assert!(!rules.ignores(&format!("{}b", "a".repeat(2_000))));
    }

    #[test]
    fn what_docker_refuses_is_refused_with_its_line() {
        assert_eq!(
            DockerIgnore::parse("a\n[b").unwrap_err().0,
            "Line 2 of .dockerignore has a bracket that is not closed."
        );
        assert!(DockerIgnore::parse("!").is_err());
        assert!(DockerIgnore::parse(&"x\n".repeat(MAX_RULES + 1)).is_err());
    }
}
