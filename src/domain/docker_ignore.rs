//! `.dockerignore`: which files of a folder are not sent to the builder. The rules are Docker's own (Go's
//! `filepath.Match`, and `**`; the last matching line decides; a folder's rule covers what is in it).

/// Lines with a rule in one file. More would make each file of a large repository slow to decide.
const MAX_RULES: usize = 1_000;
/// Characters of one rule: no path is longer.
const MAX_RULE: usize = 4_096;
/// Characters of all rules together: a thousand of usual length. A path is held against each of them, so this bounds
/// what one path can cost.
const MAX_ALL: usize = 32 * 1_024;

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
    /// `**` at the end, or before a plain name: anything.
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
        let mut all = 0;
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
            let length = path.chars().count();
            all += length;
            if length > MAX_RULE || all > MAX_ALL || rules.len() >= MAX_RULES {
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
        let mut walk = Walk::default();
        for rule in &self.rules {
            // A rule that would change nothing need not be tried.
            if rule.keeps == ignored && walk.covers(&rule.tokens, path) {
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
    // Docker's own exception: `**.log` without anything else special in it is any path that ends so.
    if let Some(end) = pattern.strip_prefix("**")
        && !end.starts_with('/')
        && !end.contains(['*', '?', '[', ']', '\\'])
    {
        tokens.push(Token::Rest);
        rest = end.chars().peekable();
    }
    while let Some(c) = rest.next() {
        let token = match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                if rest.peek().is_none() { Token::Rest } else { Token::Folders }
            }
            '*' => Token::Star,
            '?' => Token::One,
            '[' => class(&mut rest)?,
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            c => Token::Char(c),
        };
        // Two of them in a row mean the same as one, and anything takes in the folders before it.
        match (tokens.last(), &token) {
            (Some(Token::Folders), Token::Folders) | (Some(Token::Star), Token::Star) => continue,
            (Some(Token::Folders), Token::Rest) => drop(tokens.pop()),
            _ => {}
        }
        tokens.push(token);
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

/// Holds paths against patterns. All places in the pattern that the text read so far can stand at are carried along, so
/// that a path takes at most its length times the pattern's. Kept from rule to rule for its memory.
#[derive(Default)]
struct Walk {
    now: Places,
    next: Places,
}

impl Walk {
    /// True where the rule matches the path or a folder above it: where the pattern ends at a slash, it has matched a
    /// folder, so one walk along the path does for all of them.
    fn covers(&mut self, tokens: &[Token], path: &str) -> bool {
        if let (Some(Token::Char(first)), Some(begins)) = (tokens.first(), path.chars().next())
            && *first != begins
        {
            return false;
        }
        self.now.clear(tokens.len());
        self.now.reach(tokens, 0);
        for c in path.chars() {
            if c == '/' && self.now.at_end() {
                return true;
            }
            if self.now.is_nowhere() {
                return false;
            }
            self.next.clear(tokens.len());
            self.step(tokens, c);
            std::mem::swap(&mut self.now, &mut self.next);
        }
        self.now.at_end()
    }

    /// Where the present places lead with this character.
    fn step(&mut self, tokens: &[Token], c: char) {
        let (now, next) = (&self.now, &mut self.next);
        for &place in &now.inside.list {
            next.inside.add(place);
            if c == '/' {
                next.reach(tokens, place + 1);
            }
        }
        for &place in &now.before.list {
            match tokens.get(place) {
                Some(Token::Char(wanted)) if c == *wanted => next.reach(tokens, place + 1),
                Some(Token::One) if c != '/' => next.reach(tokens, place + 1),
                Some(Token::Star) if c != '/' => next.reach(tokens, place),
                Some(Token::Rest) => next.reach(tokens, place),
                Some(Token::Folders) => {
                    next.inside.add(place);
                    if c == '/' {
                        next.reach(tokens, place + 1);
                    }
                }
                Some(Token::Class { not, ranges })
                    if ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *not =>
                {
                    next.reach(tokens, place + 1);
                }
                Some(Token::Char(_) | Token::One | Token::Star | Token::Class { .. }) | None => {}
            }
        }
    }
}

/// Where a match can stand: before a token (or past the last), or inside the folders of a `**/`.
#[derive(Default)]
struct Places {
    before: Set,
    inside: Set,
    /// The place past the last token.
    end: usize,
}

impl Places {
    fn clear(&mut self, tokens: usize) {
        self.before.clear(tokens + 1);
        self.inside.clear(tokens);
        self.end = tokens;
    }

    /// Stands before this token, and before those after it that can be empty. Behind a place where it stands already
    /// it has been: each place is gone to once.
    fn reach(&mut self, tokens: &[Token], from: usize) {
        for place in from..=tokens.len() {
            let can_be_empty = matches!(tokens.get(place), Some(Token::Star | Token::Rest | Token::Folders));
            if !self.before.add(place) || !can_be_empty {
                break;
            }
        }
    }

    fn at_end(&self) -> bool {
        self.before.has(self.end)
    }

    fn is_nowhere(&self) -> bool {
        self.before.list.is_empty() && self.inside.list.is_empty()
    }
}

/// A set of small numbers: what is in it is listed, so that emptying it and going through it take no longer than that.
#[derive(Default)]
struct Set {
    list: Vec<usize>,
    marks: Vec<bool>,
}

impl Set {
    /// Empty, with room for the numbers below this one.
    fn clear(&mut self, below: usize) {
        for number in self.list.drain(..) {
            if let Some(mark) = self.marks.get_mut(number) {
                *mark = false;
            }
        }
        if self.marks.len() < below {
            self.marks.resize(below, false);
        }
    }

    /// Adds a number; false where it was there.
    fn add(&mut self, number: usize) -> bool {
        match self.marks.get_mut(number) {
            Some(mark) if !*mark => {
                *mark = true;
                self.list.push(number);
                true
            }
            _ => false,
        }
    }

    fn has(&self, number: usize) -> bool {
        self.marks.get(number) == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_mean_what_they_mean_to_docker() {
        // rules (by line), ignored paths, sent paths
        let cases: [(&str, &[&str], &[&str]); 17] = [
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
            ("**/**/**/x/**/**", &["x/a", "a/x/b", "a/b/x/c/d"], &["x", "a/x", "ax/b"]),
            ("a/***/z", &["a/b/z", "a/b/c/z"], &["b/z"]),
            ("**.pyc", &["a.pyc", "a/b.pyc", "a.pyc/b"], &["a.pyc2"]),
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

        let rules = DockerIgnore::parse(&format!("{}x\n{}y", "**/".repeat(1_300), "**/a".repeat(1_000))).unwrap();
        for file in 0..300 {
            let deep = "a/".repeat(120);
            assert!(!rules.ignores(&format!("{deep}{file}")));
            assert!(rules.ignores(&format!("{deep}x/{file}")));
        }
    }

    #[test]
    fn what_docker_refuses_is_refused_with_its_line() {
        assert_eq!(
            DockerIgnore::parse("a\n[b").unwrap_err().0,
            "Line 2 of .dockerignore has a bracket that is not closed."
        );
        assert!(DockerIgnore::parse("!").is_err());
        assert!(DockerIgnore::parse(&"x\n".repeat(MAX_RULES + 1)).is_err());
        assert!(DockerIgnore::parse(&"x".repeat(MAX_RULE + 1)).is_err());
        assert!(DockerIgnore::parse(&format!("{}\n", "x".repeat(MAX_RULE)).repeat(MAX_ALL / MAX_RULE + 1)).is_err());
    }
}
