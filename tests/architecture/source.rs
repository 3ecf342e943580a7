//! Reads Rust source far enough to know which paths it names: comments and literals are dropped, `use` trees
//! are unfolded, aliases followed, `super` and `self` resolved. What stands under `#[cfg(test)]` is left out.

use std::collections::{BTreeMap, BTreeSet};

/// One file as the rules see it.
pub struct Source {
    /// Path from the root of the package, e.g. `src/cluster/link.rs`.
    pub path: String,
    /// Module path inside its crate, e.g. `cluster`, `link`.
    pub module: Vec<String>,
    /// Words and signs outside tests.
    pub tokens: Vec<Token>,
    /// Words and signs of the whole file.
    pub all_tokens: Vec<Token>,
    /// Every path the file names outside tests.
    pub references: Vec<Reference>,
    /// Every place where a name stands that a `use` brought in.
    pub mentions: Vec<Reference>,
    /// What each `use` brings in: its name here, and where it leads.
    pub names: Vec<(String, Vec<String>)>,
    /// Lines outside tests.
    pub code_lines: usize,
    /// Modules that exist only for tests: `#[cfg(test)] mod name;`.
    pub test_modules: Vec<String>,
}

/// A word, or a single sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// A path that the file names, resolved as far as the file itself allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// `crate` first for a path of ours, else the name of a foreign crate or something local.
    pub path: Vec<String>,
    /// Ends in `*`.
    pub is_glob: bool,
    pub line: usize,
}

impl Source {
    pub fn read(path: &str, text: &str) -> Self {
        let all_tokens = tokens(text);
        let (tokens, test_lines, test_modules) = without_tests(&all_tokens);
        let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
        if module
            .last()
            .is_some_and(|last| last == "mod" || last == "lib" || last == "main")
        {
            module.pop();
        }
        let mut source = Self {
            path: path.to_owned(),
            module,
            tokens,
            all_tokens,
            references: Vec::new(),
            mentions: Vec::new(),
            names: Vec::new(),
            code_lines: text.lines().count().saturating_sub(test_lines),
            test_modules,
        };
        let mut scan = Scan::new(&source);
        scan.collect();
        let names = scan.uses.iter();
        let names = names
            .map(|(name, written)| (name.clone(), scan.resolve(&written.module, &written.path)))
            .collect();
        let uses = scan.uses.iter().map(|(_, written)| written);
        let references = scan.follow(uses.chain(&scan.paths));
        let known = scan.words.iter();
        let known = known.filter(|word| scan.uses.iter().any(|(name, _)| *name == word.path[0]));
        let mentions = scan.follow(known);
        (source.names, source.references, source.mentions) = (names, references, mentions);
        source
    }

    /// Whether this file is the root of a program, which names the library as `heartbeat`.
    pub fn is_program(&self) -> bool {
        self.path == "src/main.rs" || self.path.starts_with("src/bin/")
    }
}

/// Splits text into words and signs; comments, strings, characters, numbers and lifetimes vanish.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut found, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => i = after_string(&chars, i + 1),
            '\'' => {
                if at(i + 1) == '\\' {
                    i += 3;
                    while i < chars.len() && at(i) != '\'' {
                        i += 1;
                    }
                    i += 1;
                } else if at(i + 2) == '\'' {
                    i += 3;
                } else {
                    i += 1; // a lifetime: its name is dropped with it
                    while at(i).is_alphanumeric() || at(i) == '_' {
                        i += 1;
                    }
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                while at(i).is_alphanumeric() || at(i) == '_' {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let raw = matches!(word.as_str(), "r" | "br" | "cr");
                if raw && (at(i) == '"' || at(i) == '#') {
                    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
                    if at(i + hashes) == '"' {
                        i = after_raw_string(&chars, i + hashes + 1, hashes);
                    } else {
                        i += 1; // `r#type`: the word itself follows
                    }
                } else if matches!(word.as_str(), "b" | "c") && at(i) == '"' {
                    i = after_string(&chars, i + 1);
                } else if !word.starts_with(|c: char| c.is_ascii_digit()) {
                    found.push(Token { text: word, line });
                }
            }
            c => {
                i += 1;
                if !c.is_whitespace() {
                    found.push(Token {
                        text: c.to_string(),
                        line,
                    });
                }
            }
        }
        line += chars[start..i.min(chars.len())]
            .iter()
            .filter(|c| **c == '\n')
            .count();
    }
    found
}

fn after_string(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn after_raw_string(chars: &[char], mut i: usize, hashes: usize) -> usize {
    while i < chars.len() {
        let closes =
            chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
        i += 1;
        if closes {
            return i + hashes;
        }
    }
    i
}

/// Leaves out items under `#[cfg(test)]`; also gives the lines they take and the test-only modules.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, usize, Vec<String>) {
    let (mut kept, mut lines, mut modules, mut i) = (Vec::new(), 0, Vec::new(), 0);
    while i < tokens.len() {
        if starts_with(&tokens[i..], &["#", "!", "[", "cfg", "(", "test", ")", "]"]) {
            return (
                Vec::new(),
                tokens.last().map_or(0, |last| last.line),
                modules,
            );
        }
        if !starts_with(&tokens[i..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let first = tokens[i].line;
        while starts_with(&tokens[i..], &["#", "["]) {
            i = after_brackets(tokens, i + 1);
        }
        let item: Vec<&str> = tokens[i..]
            .iter()
            .take(5)
            .map(|token| token.text.as_str())
            .collect();
        if let Some(at) = item.iter().position(|word| *word == "mod")
            && item.get(at + 2) == Some(&";")
        {
            modules.push(item[at + 1].to_owned());
        }
        let is_use = item.contains(&"use");
        while i < tokens.len() {
            match tokens[i].text.as_str() {
                ";" => {
                    i += 1;
                    break;
                }
                "{" if !is_use => {
                    i = after_brackets(tokens, i);
                    break;
                }
                "(" | "[" | "{" => i = after_brackets(tokens, i),
                _ => i += 1,
            }
        }
        let last = tokens
            .get(i.saturating_sub(1))
            .map_or(first, |token| token.line);
        lines += last - first + 1;
    }
    (kept, lines, modules)
}

fn starts_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len()
        && tokens
            .iter()
            .zip(words)
            .all(|(token, word)| token.text == *word)
}

fn after_brackets(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        i += 1;
        if depth == 0 {
            break;
        }
    }
    i
}

/// A path as written, with the module it was written in.
struct Written {
    module: Vec<String>,
    path: Vec<String>,
    is_glob: bool,
    line: usize,
}

struct Scan<'a> {
    source: &'a Source,
    uses: Vec<(String, Written)>,
    paths: Vec<Written>,
    words: Vec<Written>,
    declared: BTreeSet<(Vec<String>, String)>,
}

impl<'a> Scan<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            uses: Vec::new(),
            paths: Vec::new(),
            words: Vec::new(),
            declared: BTreeSet::new(),
        }
    }

    /// Where paths lead through the names that `use` brings in.
    fn follow<'b>(&self, written: impl Iterator<Item = &'b Written>) -> Vec<Reference> {
        let mut aliases: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        for (alias, written) in &self.uses {
            let target = self.resolve(&written.module, &written.path);
            // `use log::log;` leads to itself
            if target.first() != Some(alias) {
                aliases.entry(alias).or_default().push(target);
            }
        }
        let mut found = BTreeSet::new();
        for written in written {
            let mut open = vec![self.resolve(&written.module, &written.path)];
            for _ in 0..8 {
                let mut next = Vec::new();
                for path in open.drain(..) {
                    match path.first().and_then(|first| aliases.get(first.as_str())) {
                        Some(targets) => next.extend(
                            targets
                                .iter()
                                .map(|target| [target.as_slice(), &path[1..]].concat()),
                        ),
                        None => {
                            found.insert(Reference {
                                path,
                                is_glob: written.is_glob,
                                line: written.line,
                            });
                        }
                    }
                }
                open = next;
            }
        }
        found.into_iter().collect()
    }

    fn collect(&mut self) {
        let source = self.source;
        let tokens = &source.tokens;
        let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
        let mut module = source.module.clone();
        let mut scopes = Vec::new(); // for each open brace: whether it opened a module
        let mut i = 0;
        while i < tokens.len() {
            match text(i) {
                "mod" if tokens.get(i + 1).is_some_and(Token::is_word) => {
                    self.declared
                        .insert((module.clone(), text(i + 1).to_owned()));
                    if text(i + 2) == "{" {
                        module.push(text(i + 1).to_owned());
                        scopes.push(true);
                        i += 1;
                    }
                    i += 2;
                }
                "{" => {
                    scopes.push(false);
                    i += 1;
                }
                "}" => {
                    if scopes.pop() == Some(true) {
                        module.pop();
                    }
                    i += 1;
                }
                "use" if text(i + 1) != "<" => i = self.use_tree(i + 1, &module, &[]),
                _ if tokens[i].is_word() => i = self.expression(i, &module),
                _ => i += 1,
            }
        }
    }

    /// Reads one branch of a `use` tree; gives the index of what follows it.
    fn use_tree(&mut self, mut i: usize, module: &[String], prefix: &[String]) -> usize {
        let source = self.source;
        let text = |i: usize| source.tokens.get(i).map_or("", |token| token.text.as_str());
        let line = source.tokens.get(i).map_or(0, |token| token.line);
        let mut path = prefix.to_vec();
        let mut alias = None;
        let mut is_glob = false;
        loop {
            match text(i) {
                ":" | "$" => i += 1,
                "{" => {
                    i += 1;
                    while !matches!(text(i), "}" | "") {
                        i = self.use_tree(i, module, &path);
                        if text(i) == "," {
                            i += 1;
                        }
                    }
                    return i + 1;
                }
                "*" => (is_glob, i) = (true, i + 1),
                "as" => {
                    alias = Some(text(i + 1).to_owned());
                    i += 2;
                }
                "self" if !path.is_empty() => i += 1,
                "," | "}" | ";" | "" => break,
                word => {
                    path.push(word.to_owned());
                    i += 1;
                }
            }
        }
        let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
        let alias = if is_glob { "*".to_owned() } else { name };
        self.uses.push((
            alias,
            Written {
                module: module.to_vec(),
                path,
                is_glob,
                line,
            },
        ));
        i
    }

    /// Reads `a::b::c` at `i`; gives the index of what follows.
    fn expression(&mut self, mut i: usize, module: &[String]) -> usize {
        let tokens = &self.source.tokens;
        let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
        let line = tokens[i].line;
        let is_method = i > 0 && text(i - 1) == "." && (i < 2 || text(i - 2) != ".");
        let mut path = vec![text(i).to_owned()];
        i += 1;
        while text(i) == ":" && text(i + 1) == ":" && tokens.get(i + 2).is_some_and(Token::is_word)
        {
            path.push(text(i + 2).to_owned());
            i += 3;
        }
        let is_macro = text(i) == "!" && text(i + 1) != "=";
        if is_macro {
            path.last_mut().expect("has a first word").push('!');
        }
        if !is_method {
            let is_path = path.len() > 1 || is_macro;
            let list = if is_path {
                &mut self.paths
            } else {
                &mut self.words
            };
            list.push(Written {
                module: module.to_vec(),
                path,
                is_glob: false,
                line,
            });
        }
        i
    }

    /// From the module it stands in to the root of the crate.
    fn resolve(&self, module: &[String], path: &[String]) -> Vec<String> {
        let (mut base, mut rest) = (module.to_vec(), path);
        let first = path.first().map_or("", String::as_str);
        match first {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "heartbeat" if self.source.is_program() => {
                base.clear();
                rest = &path[1..];
            }
            "self" | "super" => {
                while let [word, tail @ ..] = rest {
                    match word.as_str() {
                        "self" => {}
                        "super" => {
                            base.pop();
                        }
                        _ => break,
                    }
                    rest = tail;
                }
            }
            _ if self.declared.contains(&(base.clone(), first.to_owned())) => {}
            _ => return path.to_vec(),
        }
        let is_own_program = self.source.is_program() && first != "heartbeat";
        let root = if is_own_program { "program" } else { "crate" };
        std::iter::once(root.to_owned())
            .chain(base)
            .chain(rest.iter().cloned())
            .collect()
    }
}
