//! Rust source as words, signs and texts: as much of it as is needed to find what a program says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::page::root;

/// A piece of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Sign(char),
    /// What a literal between double quotes stands for.
    Text(String),
}

impl Token {
    /// Whether it is this word or sign.
    pub fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Word(word) => word == wanted,
            Self::Sign(sign) => wanted.len() == 1 && wanted.starts_with(*sign),
            Self::Text(_) => false,
        }
    }
}

/// A file without its comments and without what is only compiled for tests.
pub struct Source {
    /// From the root of the source tree.
    pub path: String,
    pub tokens: Vec<Token>,
}

/// Every file below `src` that is no test.
pub fn files() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(Path::new("src"), &mut paths);
    paths.sort();
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).expect("readable");
        Source::read(path, &text)
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).expect("a folder of source") {
        let path = folder.join(entry.expect("an entry").file_name());
        let name = path.file_name().unwrap_or_default();
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if root().join(&path).is_dir() {
            collect(&path, found);
        } else {
            found.push(path.display().to_string());
        }
    }
}

impl Source {
    pub fn read(path: String, text: &str) -> Self {
        let mut tokens = without_tests(&tokens(text));
        resolve_constants(&mut tokens);
        Self { path, tokens }
    }

    /// Where these words and signs stand in a row.
    pub fn find(&self, wanted: &[&str]) -> Vec<usize> {
        let places = 0..self.tokens.len();
        let stands = |at: &usize| {
            let here = self.tokens[*at..].iter();
            here.clone().count() >= wanted.len()
                && here.zip(wanted).all(|(token, wanted)| token.is(wanted))
        };
        places.filter(stands).collect()
    }

    /// What the first function of this name does.
    pub fn body(&self, function: &str) -> Option<&[Token]> {
        let at = self.find(&["fn", function]).into_iter().next()?;
        let open = (at..self.tokens.len()).find(|&at| self.tokens[at].is("{"))?;
        Some(self.inside(open))
    }

    /// What stands from here to the semicolon that ends it.
    pub fn statement(&self, begin: usize) -> &[Token] {
        let mut end = begin;
        while end < self.tokens.len() && !self.tokens[end].is(";") {
            if matches!(self.tokens[end], Token::Sign('(' | '[' | '{')) {
                end = end_of(&self.tokens, end);
            }
            end += 1;
        }
        &self.tokens[begin..end.min(self.tokens.len())]
    }

    /// What is between the bracket here and the one that closes it.
    pub fn inside(&self, open: usize) -> &[Token] {
        let end = end_of(&self.tokens, open);
        &self.tokens[open + 1..end]
    }
}

/// Where the bracket that is opened here is closed.
pub fn end_of(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// The parts that commas outside of brackets make.
pub fn arguments(tokens: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < tokens.len() {
        match &tokens[at] {
            Token::Sign('(' | '[' | '{') => at = end_of(tokens, at),
            Token::Sign(',') => {
                parts.push(&tokens[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if from < tokens.len() {
        parts.push(&tokens[from..]);
    }
    parts
}

/// The literals among tokens.
pub fn texts(tokens: &[Token]) -> impl Iterator<Item = &str> {
    tokens.iter().filter_map(|token| match token {
        Token::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Puts the text of a constant of this file where its name stands.
fn resolve_constants(tokens: &mut [Token]) {
    let mut constants = BTreeMap::new();
    for part in tokens.windows(7) {
        if let [
            first,
            Token::Word(name),
            colon,
            _,
            kind,
            equals,
            Token::Text(text),
        ] = part
            && (first.is("const") && colon.is(":") && kind.is("str") && equals.is("="))
        {
            constants.insert(name.clone(), text.clone());
        }
    }
    for token in tokens {
        if let Token::Word(name) = token
            && let Some(text) = constants.get(name)
        {
            *token = Token::Text(text.clone());
        }
    }
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut left = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_mark = tokens.len() - at >= mark.len()
            && tokens[at..]
                .iter()
                .zip(mark)
                .all(|(token, wanted)| token.is(wanted));
        if is_mark {
            at += mark.len();
            while !matches!(tokens.get(at), None | Some(Token::Sign('{' | ';'))) {
                at += 1;
            }
            if tokens.get(at) == Some(&Token::Sign('{')) {
                at = end_of(tokens, at);
            }
        } else {
            left.push(tokens[at].clone());
        }
        at += 1;
    }
    left
}

fn tokens(text: &str) -> Vec<Token> {
    let signs: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&sign) = signs.get(at) {
        let next = signs.get(at + 1).copied();
        match sign {
            '/' if next == Some('/') => at = line_end(&signs, at),
            '/' if next == Some('*') => at = comment_end(&signs, at),
            '"' => at = quoted(&signs, at, &mut found),
            'r' if matches!(next, Some('"' | '#')) => at = raw(&signs, at, &mut found),
            '\'' => at = character_or_lifetime(&signs, at),
            _ if sign.is_alphanumeric() || sign == '_' => {
                let end = word_end(&signs, at);
                // The quote after `b` begins a literal of bytes, which no person reads.
                found.push(Token::Word(signs[at..end].iter().collect()));
                at = end;
            }
            _ => {
                if !sign.is_whitespace() {
                    found.push(Token::Sign(sign));
                }
                at += 1;
            }
        }
    }
    found
}

fn line_end(signs: &[char], at: usize) -> usize {
    let length = signs[at..].iter().position(|sign| *sign == '\n');
    length.map_or(signs.len(), |length| at + length)
}

fn comment_end(signs: &[char], at: usize) -> usize {
    let end = signs[at..].windows(2).position(|pair| pair == ['*', '/']);
    end.map_or(signs.len(), |length| at + length + 2)
}

fn word_end(signs: &[char], at: usize) -> usize {
    let length = signs[at..]
        .iter()
        .position(|sign| !sign.is_alphanumeric() && *sign != '_');
    length.map_or(signs.len(), |length| at + length)
}

/// Behind the literal that begins here, whose meaning goes to the others.
fn quoted(signs: &[char], at: usize, found: &mut Vec<Token>) -> usize {
    let mut text = String::new();
    let mut at = at + 1;
    while let Some(&sign) = signs.get(at) {
        at += 1;
        match sign {
            '"' => break,
            '\\' => {
                let escaped = signs.get(at).copied().unwrap_or_default();
                at += 1;
                match escaped {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    '\n' => {
                        while signs.get(at).is_some_and(|sign| sign.is_whitespace()) {
                            at += 1;
                        }
                    }
                    'x' => at += 2,
                    'u' => at = end_of_code(signs, at),
                    other => text.push(other),
                }
            }
            other => text.push(other),
        }
    }
    found.push(Token::Text(text));
    at
}

fn end_of_code(signs: &[char], at: usize) -> usize {
    let length = signs[at..].iter().position(|sign| *sign == '}');
    length.map_or(signs.len(), |length| at + length + 1)
}

/// A literal that begins with `r`, or a word that does.
fn raw(signs: &[char], at: usize, found: &mut Vec<Token>) -> usize {
    let marks = signs[at + 1..]
        .iter()
        .take_while(|sign| **sign == '#')
        .count();
    let begin = at + 1 + marks;
    if signs.get(begin) != Some(&'"') {
        let end = word_end(signs, at);
        found.push(Token::Word(signs[at..end].iter().collect()));
        return end;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', marks));
    let rest = &signs[begin + 1..];
    let length = rest.windows(close.len()).position(|signs| signs == close);
    let length = length.unwrap_or(rest.len());
    found.push(Token::Text(rest[..length].iter().collect()));
    (begin + 1 + length + close.len()).min(signs.len())
}

/// Behind `'x'`, `'\n'` or `'static`.
fn character_or_lifetime(signs: &[char], at: usize) -> usize {
    if signs.get(at + 1) == Some(&'\\') {
        let from = at + 3;
        let length = signs
            .get(from..)
            .unwrap_or_default()
            .iter()
            .position(|sign| *sign == '\'');
        return length.map_or(signs.len(), |length| from + length + 1);
    }
    if signs.get(at + 2) == Some(&'\'') {
        return at + 3;
    }
    word_end(signs, at + 1)
}

#[test]
fn literals_are_read_and_tests_left_out() {
    let source = r#"
        // a "comment"
        fn f<'a>(x: &'a str) { warn!("b \"c\" \
            d{x}", '"', '\'', r"e f", runs); /* "g" */ }
        #[cfg(test)]
        mod tests { fn g() { "h" } }
        #[cfg(test)] mod more;
        const I: &str = "i";
        fn g() { I }
    "#;
    let source = Source::read("x".to_owned(), source);
    let found: Vec<_> = texts(&source.tokens).collect();
    assert_eq!(found, ["b \"c\" d{x}", "e f", "i", "i", "i"]);
    let open = source.find(&["warn", "!", "("])[0] + 2;
    assert_eq!(arguments(source.inside(open)).len(), 5);
}
