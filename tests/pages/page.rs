//! A page of `docs`: its blocks between fences, and its pieces of code in the text.
//!
//! The words after a fence say what a block is, and so what is done with it here:
//!
//! | words | what it is |
//! |---|---|
//! | `ha.cf`, `haresources`, `authkeys` | a whole file of the pair |
//! | `ha.cf more` | lines for the file of the page |
//! | `sh MACHINE` | commands for `node-a`, `node-b`, `both`, `client` and others |
//! | `sh MACHINE run` | the same, and a test types them |
//! | `sh /PATH` | a script of that name |
//! | `text` | what is shown; anything else is a file of another program |

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the source tree.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A page.
pub struct Page {
    /// From the root of the source tree.
    pub path: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// What stands between two fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The words after the first fence.
    pub words: Vec<String>,
    pub text: String,
    /// The number of the first fence's line.
    pub line: usize,
}

impl Block {
    /// Whether its words are these.
    pub fn is(&self, words: &[&str]) -> bool {
        self.words == words
    }

    /// Where it is typed, or the script that it is: the word after `sh`.
    pub fn shell(&self) -> Option<&str> {
        match self.words.as_slice() {
            [first, place, ..] if first == "sh" => Some(place),
            _ => None,
        }
    }

    /// Whether a test types it.
    pub fn is_run(&self) -> bool {
        self.shell().is_some() && self.words.get(2).is_some_and(|word| word == "run")
    }
}

impl Page {
    pub fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path));
        let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
        Self::parse(path, text)
    }

    fn parse(path: &str, text: String) -> Self {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut indent = 0;
        for (at, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(words), None) => {
                    indent = line.len() - line.trim_start().len();
                    open = Some(Block {
                        words: words.split_whitespace().map(str::to_owned).collect(),
                        text: String::new(),
                        line: at + 1,
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                // In a list it is indented as the text around it.
                (None, Some(block)) => block
                    .text
                    .extend([line.get(indent..).unwrap_or_default(), "\n"]),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{path}: a block has no end");
        Self {
            path: path.to_owned(),
            text,
            blocks,
        }
    }

    /// The blocks with these words.
    pub fn all(&self, words: &[&str]) -> Vec<&Block> {
        let blocks = self.blocks.iter();
        blocks.filter(|block| block.is(words)).collect()
    }

    /// The one block with these words.
    pub fn one(&self, words: &[&str]) -> &Block {
        let found = self.all(words);
        assert!(
            found.len() == 1,
            "{}: {} blocks with {words:?}",
            self.path,
            found.len()
        );
        found[0]
    }

    /// What the page shows below a block of commands, if it shows something.
    pub fn shown_below(&self, commands: &Block) -> Vec<&str> {
        let next = self.blocks.iter().find(|block| block.line > commands.line);
        match next {
            Some(block) if block.is(&["text"]) => block.text.lines().collect(),
            _ => Vec::new(),
        }
    }

    /// What stands between backquotes in the text around the blocks.
    pub fn code_in_text(&self) -> Vec<String> {
        let mut is_block = false;
        let lines = self.text.lines().filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            is_block ^= is_fence;
            !is_block && !is_fence
        });
        let text = lines.collect::<Vec<_>>().join(" ");
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        // As many backquotes end a piece as began it, so that there can be others within.
        while let Some(begin) = rest.find('`') {
            let after = rest[begin..].trim_start_matches('`');
            let quotes = &rest[begin..rest.len() - after.len()];
            let Some((piece, next)) = after.split_once(quotes) else {
                break;
            };
            pieces.push(piece.trim().to_owned());
            rest = next;
        }
        pieces
    }
}

/// The pages below a folder of `docs`, by their paths from the root, sorted.
pub fn pages_in(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(Path::new(folder), &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of pages");
    for entry in entries {
        let path = folder.join(entry.expect("an entry").file_name());
        if root().join(&path).is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path.display().to_string());
        }
    }
}

/// The same page in the other language.
pub fn translated(path: &str) -> String {
    path.replacen("docs/", "docs/zh/", 1)
}

#[test]
fn blocks_and_pieces_of_code_are_told_apart() {
    let text = "a `b` c\n   ```sh both run\n   d `e`\n\n     f\n   ```\nf `g\nh` `` i `j` ``\n```\ni\n```\n";
    let page = Page::parse("x", text.to_owned());
    assert_eq!(page.code_in_text(), ["b", "g h", "i `j`"]);
    let commands = page.one(&["sh", "both", "run"]);
    assert_eq!(commands.text, "d `e`\n\n  f\n");
    assert_eq!(commands.shell(), Some("both"));
    assert!(commands.is_run());
    let other = page.one(&[]);
    assert_eq!(other.line, 9);
    assert!(!other.is_run() && other.shell().is_none());
}
