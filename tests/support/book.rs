//! The pages that people read, as the tests see them: blocks of commands with the mark that says how each is tested, links, and
//! headings. CONTRIBUTING.md says how a page is marked.

#![allow(dead_code, reason = "each test crate uses its own part of the pages")]

use std::path::{Path, PathBuf};

/// A page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Relative to the project, with `/`.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

/// What is between two fences.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The line of the opening fence, from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) lines: Vec<String>,
    /// The comments that stand directly before it, in order, without `<!--` and `-->`.
    pub(crate) marks: Vec<String>,
}

/// How the commands of a block are tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// Run on a real API server, what they print compared with what the page shows.
    Run(How),
    /// Subcommands and flags exist; the text says why it is not run.
    Syntax(String),
    /// Needs what a test cannot have; the text says what and why.
    Needs(String),
}

/// What is expected of a block that is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct How {
    /// The exit code of its last command.
    pub(crate) exit: i32,
    /// Its last command is asked again until it is as shown: what it shows takes some seconds to come about.
    pub(crate) until: bool,
}

/// One command and what the page shows of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Line of the page, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) shown: Vec<String>,
}

impl Block {
    pub(crate) fn has_commands(&self) -> bool {
        matches!(self.language.as_str(), "console" | "sh" | "bash" | "shell")
            || self.lines.iter().any(|line| line.starts_with("$ "))
    }

    /// What the last of its marks says; an error says what is missing.
    pub(crate) fn class(&self) -> Result<Class, String> {
        let known = "expected `run`, `run: exit N`, `run: until`, `syntax: WHY` or `needs WHAT: WHY` in a comment before it";
        let mark = self.marks.last().ok_or(format!("no mark; {known}"))?;
        let (word, rest) =
            mark.split_once(':').map_or((mark.as_str(), ""), |(word, rest)| (word, rest.trim()));
        match (word, rest) {
            ("run", rest) => {
                let mut how = How { exit: 0, until: false };
                let mut words = rest.split_whitespace();
                while let Some(word) = words.next() {
                    match (word, (word == "exit").then(|| words.next()?.parse().ok()).flatten()) {
                        ("until", _) => how.until = true,
                        (_, Some(code)) => how.exit = code,
                        _ => return Err(format!("mark {mark:?}; {known}")),
                    }
                }
                Ok(Class::Run(how))
            }
            ("syntax", why) if why.len() > 10 => Ok(Class::Syntax(why.to_owned())),
            (word, why) if word.starts_with("needs ") && why.len() > 10 => Ok(Class::Needs(mark.clone())),
            _ => Err(format!("mark {mark:?}; {known}")),
        }
    }

    /// The commands of a `console` block are the lines after `$ `, and the rest is output; of any other each line is one.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let is_console = self.lines.iter().any(|line| line.starts_with("$ "));
        let mut commands: Vec<Command> = Vec::new();
        let mut goes_on = false;
        for (index, line) in self.lines.iter().enumerate() {
            let start = if is_console { line.strip_prefix("$ ") } else { Some(line.as_str()) };
            match (goes_on, start, commands.last_mut()) {
                (true, _, Some(command)) => {
                    command.text.push('\n');
                    command.text.push_str(line);
                }
                (false, None, Some(command)) => {
                    command.shown.push(line.trim_end().to_owned());
                    continue;
                }
                (_, Some(text), _) if text.trim().is_empty() || text.trim_start().starts_with('#') => {
                    continue;
                }
                (_, text, _) => commands.push(Command {
                    line: self.line + 1 + index,
                    text: text.unwrap_or(line).to_owned(),
                    shown: Vec::new(),
                }),
            }
            goes_on = line.trim_end().ends_with('\\');
        }
        commands
    }
}

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages whose commands are tested: all of `docs`, and the READMEs of what people install.
pub(crate) fn pages() -> Vec<Page> {
    let mut names: Vec<String> =
        ["README.md", "certs/README.md", "charts/cni-steward/README.md"].map(str::to_owned).into();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                names.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    names.sort();
    names.iter().map(|name| page(name)).collect()
}

pub(crate) fn page(name: &str) -> Page {
    let text = std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Page { name: name.to_owned(), blocks: blocks(name, &text), text }
}

fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut marks: Vec<String> = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        match &mut open {
            Some((block, _)) if trimmed.trim_end() == "```" => {
                blocks.push(block.clone());
                open = None;
            }
            Some((block, indent)) => block.lines.push(line.get(*indent..).unwrap_or(trimmed).to_owned()),
            None => {
                if let Some(language) = trimmed.strip_prefix("```") {
                    let marks = std::mem::take(&mut marks);
                    let language = language.trim().to_owned();
                    open = Some((Block { line: index + 1, language, lines: Vec::new(), marks }, indent));
                } else if let Some(comment) = trimmed.strip_prefix("<!--") {
                    let comment = comment.trim_end().strip_suffix("-->");
                    marks.push(
                        comment
                            .unwrap_or_else(|| {
                                panic!("{name}:{}: a comment has to end in its line", index + 1)
                            })
                            .trim()
                            .to_owned(),
                    );
                } else if !trimmed.is_empty() {
                    marks.clear();
                }
            }
        }
    }
    assert!(open.is_none(), "{name}: a block has no end: {open:?}");
    blocks
}

/// What is set up for the commands after it, with its line: the words of each `<!-- stage: … -->`.
pub(crate) fn stages(page: &Page) -> Vec<(usize, Vec<String>)> {
    let lines = page.text.lines().enumerate();
    let stages = lines.filter_map(|(index, line)| {
        let words = line.trim_start().strip_prefix("<!-- stage:")?.trim_end().strip_suffix("-->")?;
        Some((index + 1, words.split_whitespace().map(str::to_owned).collect()))
    });
    stages.collect()
}

/// The text without blocks and comments, line numbers kept.
pub(crate) fn prose(page: &Page) -> String {
    let mut inside = false;
    let lines = page.text.lines().map(|line| {
        let fence = line.trim_start().starts_with("```");
        let blank = inside || fence || line.trim_start().starts_with("<!--");
        inside ^= fence;
        if blank { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between backticks in the prose, with its line.
pub(crate) fn spans(page: &Page) -> Vec<(usize, String)> {
    let mut spans = Vec::new();
    for (index, line) in prose(page).lines().enumerate() {
        spans.extend(line.split('`').skip(1).step_by(2).map(|span| (index + 1, span.to_owned())));
    }
    spans
}

/// The simple commands of a line of shell, each as its words: split at pipes and the like, quotes taken off, and what is inside
/// `$(…)` as commands of their own.
pub(crate) fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut rest = line.replace("\\\n", " ");
    // Innermost substitutions first: each becomes a word without spaces.
    while let Some(start) = rest.rfind("$(") {
        let Some(end) = rest[start..].find(')') else { break };
        all.extend(simple_commands(&rest[start + 2..start + end]));
        rest.replace_range(start..=start + end, "SUBSTITUTED");
    }
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        if let Some(open) = quote {
            if character == open {
                quote = None;
            } else {
                word.push(character);
            }
            continue;
        }
        match character {
            '\'' | '"' => quote = Some(character),
            '#' if word.is_empty() => break,
            '|' | ';' | '&' | '\n' => {
                words.push(std::mem::take(&mut word));
                all.push(std::mem::take(&mut words));
            }
            '<' | '>' => {
                words.push(std::mem::take(&mut word));
                words.push(character.to_string());
            }
            ' ' | '\t' => words.push(std::mem::take(&mut word)),
            '\\' => word.extend(characters.next()),
            _ => word.push(character),
        }
    }
    words.push(word);
    all.push(words);
    all.into_iter().map(without_redirections).filter(|words| !words.is_empty()).collect()
}

/// Without empty words, what is redirected and where to, and variables that are set for one command.
fn without_redirections(words: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut skip = false;
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        let is_assignment = kept.is_empty()
            && word.split_once('=').is_some_and(|(name, _)| {
                name.chars().all(|character| character.is_ascii_uppercase() || character == '_')
            });
        if std::mem::take(&mut skip) || is_assignment {
            continue;
        }
        match word.as_str() {
            "<" | ">" => skip = true,
            "2" if skip => {}
            _ => kept.push(word),
        }
    }
    kept
}

/// The flags of a command, without values: `--set`, `-n`.
pub(crate) fn flags(words: &[String]) -> Vec<&str> {
    let words = words.iter().skip(1).take_while(|word| *word != "--");
    let flags = words.filter(|word| {
        word.len() > 1 && word.starts_with('-') && !word[1..].starts_with(|c: char| c.is_ascii_digit())
    });
    flags.map(|flag| flag.split_once('=').map_or(flag.as_str(), |(name, _)| name)).collect()
}

/// The flags that a help text names.
pub(crate) fn flags_in(help: &str) -> std::collections::BTreeSet<&str> {
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.len() > 1 && word.starts_with('-')).collect()
}

/// Whether what the page shows is what was printed: each line shown is printed, in this order; `…` stands for anything.
pub(crate) fn is_shown(shown: &[String], printed: &str) -> Result<(), String> {
    let mut lines = printed.lines().map(str::trim_end);
    for wanted in shown.iter().filter(|line| !line.is_empty() && line.trim() != "…") {
        if !lines.any(|line| is_like(wanted, line)) {
            return Err(format!(
                "expected the line\n  {wanted}\nwhich was not printed (or not in this place)"
            ));
        }
    }
    Ok(())
}

fn is_like(wanted: &str, line: &str) -> bool {
    let Some((first, others)) = wanted.split_once('…') else { return wanted == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = others.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
