//! How text is laid out for people: colour only where somebody sees it, lines no wider than the terminal, tables.
//!
//! Colour is left out when the output is no terminal, when `NO_COLOR` says something, or with `--color never`. The same words
//! are printed either way: no meaning is in the colour alone.

use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, ValueEnum};

/// When nobody says how wide it is, as in a pipe.
const WIDTH: usize = 100;
/// A last column narrower than this is not wrapped.
const NARROWEST: usize = 24;

/// The options of every command that prints for people.
#[derive(Debug, Clone, Args)]
pub struct TerminalArgs {
    /// Whether to colour what is printed.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    color: When,
    #[arg(long, hide = true, env = "NO_COLOR", hide_env = true)]
    no_color: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// A heading.
    Strong,
    /// Beside the point.
    Faint,
    /// In order.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
}

/// Where text goes: whether it is coloured, and how wide it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Whether to colour.
    pub color: bool,
    /// Columns.
    pub width: usize,
}

impl TerminalArgs {
    /// What standard output is.
    pub fn stdout(&self) -> Terminal {
        let quiet = self.no_color.as_ref().is_some_and(|text| !text.is_empty());
        let color = match self.color {
            When::Auto => io::stdout().is_terminal() && !quiet,
            When::Always => true,
            When::Never => false,
        };
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0));
        Terminal { color, width: width.max(40) }
    }
}

impl Terminal {
    /// The text in its tone.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
        };
        if self.color && !code.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Rows in columns, each as wide as its widest cell; the last is wrapped, and its further lines are indented under it.
    pub fn table<const N: usize>(&self, rows: &[[(Tone, String); N]]) -> String {
        let wide = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|(_, cell)| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..N).map(|column| wide(column).unwrap_or_default()).collect();
        let mut out = String::new();
        for row in rows {
            let mut line = String::new();
            let mut used = 0;
            for ((tone, cell), width) in row.iter().zip(&widths).take(N.saturating_sub(1)) {
                line.push_str(&self.paint(*tone, cell));
                line.push_str(&" ".repeat(width - cell.chars().count() + 2));
                used += width + 2;
            }
            if let Some((tone, cell)) = row.last() {
                for (number, part) in self.wrap(cell, used).iter().enumerate() {
                    if number > 0 {
                        line.push('\n');
                        line.push_str(&" ".repeat(used));
                    }
                    line.push_str(&self.paint(*tone, part));
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// A paragraph whose lines all begin `indent` columns in.
    pub fn paragraph(&self, indent: usize, text: &str) -> String {
        let pad = " ".repeat(indent);
        self.wrap(text, indent).iter().fold(String::new(), |out, line| format!("{out}{pad}{line}\n"))
    }

    /// Cuts text at spaces into lines that fit beside `used` columns. A word that is longer stays whole.
    fn wrap(&self, text: &str, used: usize) -> Vec<String> {
        let room = self.width.saturating_sub(used);
        if room < NARROWEST {
            return vec![text.to_owned()];
        }
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let Some(line) = lines.last_mut() else { break };
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push(word.to_owned());
                continue;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines
    }
}

/// One line on standard error about what is going on; nothing if nobody sees it.
pub fn progress(line: &str) {
    if io::stderr().is_terminal() {
        writeln!(io::stderr(), "{line}").ok();
    }
}

/// Prints to standard output; a reader that has gone away (`| head`) is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_wrapped_under_itself() {
        let terminal = Terminal { color: false, width: 40 };
        let row = |name: &str, text: &str| [(Tone::Plain, name.to_owned()), (Tone::Plain, text.to_owned())];
        let table = terminal.table(&[row("a", "one two three four five six seven"), row("long", "x")]);
        assert_eq!(table, "a     one two three four five six seven\nlong  x\n");
        let narrow = Terminal { color: false, width: 32 };
        let table = narrow.table(&[row("a", "one two three four five six seven"), row("long", "x")]);
        assert_eq!(table, "a     one two three four five\n      six seven\nlong  x\n");
    }

    #[test]
    fn without_colour_the_words_are_the_same() {
        let plain = Terminal { color: false, width: 80 }.paint(Tone::Bad, "no");
        let red = Terminal { color: true, width: 80 }.paint(Tone::Bad, "no");
        assert_eq!((plain.as_str(), red.as_str()), ("no", "\u{1b}[31mno\u{1b}[0m"));
    }
}
