//! Which file uses which other one, and the circles in that.
//!
//! A room of this graph is a file, known by its module path. Only the face of a folder (its `mod.rs`, or the file
//! named like it) is cut finer, because it is two things at once: it stands below its folder with the types that
//! all files share, and above it with the code that drives them. So:
//!
//! - what a face hands on with `use` leads to the file that really defines it;
//! - what it defines itself is a room of its own, together with its `impl` blocks and whatever else of the face it
//!   needs, and draws the arrows of all that is named there. `super::LIMIT` in a file ties no circle;
//!   `super::Engine` does if the engine drives that file.
//!
//! Calls of methods are no arrows: a type whose `impl` is spread over several files is one idea in several rooms.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Reference, Source, Token};

/// For each room the rooms it uses, with the names it takes from there.
pub type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Adds an arrow.
pub fn tie(graph: &mut Graph, from: &str, to: &str, name: &str) {
    let arrows = graph.entry(from.to_owned()).or_default();
    arrows
        .entry(to.to_owned())
        .or_default()
        .insert(name.to_owned());
}

/// The arrows between all files.
pub fn of_files(sources: &[&Source]) -> Graph {
    let files: Vec<File> = sources.iter().map(|one| File::of(one, sources)).collect();
    let mut graph = Graph::new();
    for file in &files {
        for reference in &file.source.references {
            draw(&mut graph, file, &file.name, reference, &files);
        }
        for item in &file.items {
            let from = file.room(&item.name);
            for needed in file.needed_by(&item.name) {
                for reference in file.references_in(needed) {
                    draw(&mut graph, file, &from, reference, &files);
                }
            }
        }
    }
    graph
}

fn draw(graph: &mut Graph, file: &File, from: &str, reference: &Reference, files: &[File]) {
    if let Some((to, room, name)) = leads_to(reference, files)
        && to.source.path != file.source.path
    {
        tie(graph, from, &room, &name);
    }
}

/// The file and the room in it where a path ends, and the name it takes there.
fn leads_to<'f, 's>(
    reference: &Reference,
    files: &'f [File<'s>],
) -> Option<(&'f File<'s>, String, String)> {
    let mut path = reference.path.strip_prefix(&["crate".to_owned()])?.to_vec();
    for _ in 0..8 {
        let around = files
            .iter()
            .filter(|file| !file.source.is_program() && path.starts_with(&file.source.module));
        let file = around.max_by_key(|file| file.source.module.len())?;
        let item = path.get(file.source.module.len());
        let name = item.map_or("", |item| item.trim_end_matches('!'));
        if !file.is_face {
            let own = file.source.module.last().map_or("", String::as_str);
            let name = if name.is_empty() { own } else { name };
            return Some((file, file.name.clone(), name.to_owned()));
        }
        if name.is_empty() {
            // the name of a folder alone takes nothing from it
            return reference
                .is_glob
                .then(|| (file, file.name.clone(), "*".to_owned()));
        }
        if file.items.iter().any(|item| item.name == name) {
            return Some((file, file.room(name), name.to_owned()));
        }
        let handed_on = file.source.names.iter().find_map(|(known, target)| {
            let is_ours = known == name && target.first().is_some_and(|root| root == "crate");
            is_ours.then_some(&target[1..])
        });
        let Some(target) = handed_on else {
            return Some((file, file.name.clone(), name.to_owned()));
        };
        path = [target, &path[file.source.module.len() + 1..]].concat();
    }
    None
}

/// A file with the rooms in it.
struct File<'a> {
    source: &'a Source,
    name: String,
    /// Stands for a folder: others lie below it.
    is_face: bool,
    /// What a face defines; empty for other files.
    items: Vec<Item>,
}

/// A part of what a face defines.
struct Item {
    name: String,
    first_line: usize,
    last_line: usize,
}

impl<'a> File<'a> {
    fn of(source: &'a Source, sources: &[&Source]) -> Self {
        let is_below = |other: &&Source| {
            other.module.len() > source.module.len() && other.module.starts_with(&source.module)
        };
        let is_face = !source.is_program() && sources.iter().any(is_below);
        let name = if source.is_program() || source.module.is_empty() {
            source.path.clone()
        } else {
            source.module.join("::")
        };
        let items = if is_face {
            items(&source.tokens)
        } else {
            Vec::new()
        };
        Self {
            source,
            name,
            is_face,
            items,
        }
    }

    fn room(&self, item: &str) -> String {
        format!("{}::{item}", self.name)
    }

    /// What an item names of other files; a `use` of everything may bring in anything.
    fn references_in(&self, item: &Item) -> impl Iterator<Item = &Reference> {
        let lines = item.first_line..=item.last_line;
        let (references, mentions) = (&self.source.references, &self.source.mentions);
        references
            .iter()
            .filter(move |one| one.is_glob || lines.contains(&one.line))
            .chain(
                mentions
                    .iter()
                    .filter(|one| (item.first_line..=item.last_line).contains(&one.line)),
            )
    }

    /// All parts of an item, and of what it needs of the same file.
    fn needed_by(&self, name: &str) -> Vec<&Item> {
        let mut names = vec![name];
        let mut needed = Vec::new();
        let mut done = 0;
        while let Some(&name) = names.get(done) {
            for item in self.items.iter().filter(|item| item.name == name) {
                for sibling in self.siblings_in(item) {
                    if !names.contains(&sibling) {
                        names.push(sibling);
                    }
                }
                needed.push(item);
            }
            done += 1;
        }
        needed
    }

    /// The other items of this file that an item names.
    fn siblings_in(&self, item: &Item) -> impl Iterator<Item = &str> {
        let tokens = &self.source.tokens;
        let words = (0..tokens.len()).filter(move |&i| {
            (item.first_line..=item.last_line).contains(&tokens[i].line)
                && (i == 0 || tokens[i - 1].text != ".")
        });
        words.filter_map(|i| {
            let known = self.items.iter().find(|item| item.name == tokens[i].text);
            known.map(|item| item.name.as_str())
        })
    }
}

/// What stands at the top of a file, `use` and `mod name;` left out. The same name comes once for its definition
/// and once for each `impl`.
fn items(tokens: &[Token]) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    let mut blocks = Vec::new(); // headers of `impl`, to be told when all names are known
    let mut i = 0;
    while i < tokens.len() {
        let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
        let kind = text(i);
        let is_value = matches!(kind, "const" | "static") && text(i + 1) != "fn";
        let defines = matches!(
            kind,
            "struct" | "enum" | "union" | "trait" | "fn" | "type" | "mod" | "macro_rules"
        );
        let passes = matches!(kind, "use" | "impl");
        if !is_value && !defines && !passes {
            i = if matches!(kind, "(" | "[" | "{") {
                after_brackets(tokens, i)
            } else {
                i + 1
            };
            continue;
        }
        let start = i;
        let ends_at_brace = !is_value && !matches!(kind, "type" | "use");
        let mut header = i;
        while i < tokens.len() {
            match text(i) {
                ";" => {
                    i += 1;
                    break;
                }
                "{" if ends_at_brace => {
                    i = after_brackets(tokens, i);
                    break;
                }
                "(" | "[" | "{" => i = after_brackets(tokens, i),
                _ => i += 1,
            }
            if text(i) == "{" {
                header = i;
            }
        }
        let (first_line, last_line) = (tokens[start].line, tokens[i - 1].line);
        let item = |name: &str| Item {
            name: name.to_owned(),
            first_line,
            last_line,
        };
        if kind == "impl" {
            blocks.push((&tokens[start..header.max(start)], first_line, last_line));
        } else if kind != "use" && !(kind == "mod" && last_line == first_line && text(i - 1) == ";")
        {
            let name = tokens[start + 1..].iter().find(|token| {
                token.is_word() && !matches!(token.text.as_str(), "mut" | "fn" | "unsafe")
            });
            found.extend(name.map(|name| item(&name.text)));
        }
    }
    for (header, first_line, last_line) in blocks {
        for name in owners(header, &found) {
            found.push(Item {
                name,
                first_line,
                last_line,
            });
        }
    }
    found
}

/// To which items of its file an `impl` belongs: to the type it is for, else to the trait, else to all of them.
fn owners(header: &[Token], items: &[Item]) -> BTreeSet<String> {
    let known = |tokens: &[Token]| {
        let mut words = tokens.iter().map(|token| &token.text);
        let found = words.find(|word| items.iter().any(|item| item.name == **word));
        found.cloned()
    };
    let is_for = |pair: &[Token]| pair[0].text == "for" && pair[1].text != "<";
    let after_for = header
        .windows(2)
        .position(is_for)
        .map_or(&header[..0], |at| &header[at + 1..]);
    match known(after_for).or_else(|| known(header)) {
        Some(name) => BTreeSet::from([name]),
        None => items.iter().map(|item| item.name.clone()).collect(),
    }
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

/// The circles of a graph, each with the names that tie it; none only if there is none.
pub fn circles(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    let mut done = BTreeSet::new();
    for start in graph.keys() {
        follow(start, graph, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

fn follow<'a>(
    room: &'a str,
    graph: &'a Graph,
    trail: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<String>,
) {
    if let Some(from) = trail.iter().position(|passed| *passed == room) {
        found.push(told(&[&trail[from..], &[room]].concat(), graph));
        return;
    }
    if !done.contains(room) {
        trail.push(room);
        for next in graph.get(room).into_iter().flat_map(BTreeMap::keys) {
            follow(next, graph, trail, done, found);
        }
        trail.pop();
        done.insert(room);
    }
}

fn told(circle: &[&str], graph: &Graph) -> String {
    let arrows = circle.windows(2).map(|pair| {
        let (from, to) = (pair[0], pair[1]);
        let names = graph[from][to].iter().cloned().collect::<Vec<_>>();
        format!("\n    {from} takes {} from {to}", names.join(", "))
    });
    circle.join(" → ") + &arrows.collect::<String>()
}
