//! Text for a terminal of a known width: how wide a text is, where it is broken, and how a table is laid out.
//!
//! Nothing is cut off: what does not fit goes on in the next line, in the same column, because the end of a name is often what
//! tells two clusters apart. Text that comes from a cluster is shown without the characters that steer a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A column is not made narrower than this, however narrow the terminal is.
const NARROWEST: usize = 8;
const GAP: usize = 2;

/// Where text goes: whether it is coloured, and how wide it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Whether to colour.
    pub color: bool,
    /// Columns; `usize::MAX` for a file or a pipe, whose lines are as long as they must be.
    pub width: usize,
}

/// What a piece of text means. Nothing is told by a colour alone.
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
    /// Wrong, or not known.
    Bad,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
        }
    }
}

impl Terminal {
    /// The text in its tone.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        match tone.code() {
            code if self.color && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }

    /// Rows in columns two spaces apart. Where the terminal is too narrow the widest columns give way first: a cell that does not
    /// fit goes on under itself.
    pub fn table<const N: usize>(&self, rows: &[[(Tone, String); N]]) -> String {
        self.rows(&rows.iter().map(<[_; N]>::as_slice).collect::<Vec<_>>())
    }

    fn rows(&self, rows: &[&[(Tone, String)]]) -> String {
        let rows: Vec<Vec<(Tone, String)>> = rows
            .iter()
            .map(|row| row.iter().map(|(tone, text)| (*tone, printable(text))).collect())
            .collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let natural = (0..columns).map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|(_, text)| text.width()).max().unwrap_or_default()
        });
        let widths = self.fit(&natural.collect::<Vec<_>>());
        let mut out = String::new();
        for row in &rows {
            self.row(&mut out, row, &widths);
        }
        out
    }

    fn fit(&self, natural: &[usize]) -> Vec<usize> {
        let room = self.width.saturating_sub(GAP * natural.len().saturating_sub(1));
        let mut most = natural.iter().copied().max().unwrap_or_default();
        while most > NARROWEST && natural.iter().map(|&width| width.min(most)).sum::<usize>() > room {
            most -= 1;
        }
        natural.iter().map(|&width| width.min(most)).collect()
    }

    fn row(&self, out: &mut String, row: &[(Tone, String)], widths: &[usize]) {
        let columns: Vec<Vec<&str>> =
            row.iter().zip(widths).map(|((_, text), &width)| broken(text, width)).collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or_default();
        for line in 0..height {
            let mut behind = 0;
            for (((tone, _), width), lines) in row.iter().zip(widths).zip(&columns) {
                if let Some(text) = lines.get(line).filter(|text| !text.is_empty()) {
                    out.extend(std::iter::repeat_n(' ', behind));
                    out.push_str(&self.paint(*tone, text));
                    behind = width.saturating_sub(text.width()) + GAP;
                } else {
                    behind += width + GAP;
                }
            }
            out.push('\n');
        }
    }

    /// A paragraph whose lines all begin `indent` columns in.
    pub fn paragraph(&self, indent: usize, text: &str) -> String {
        let room = self.width.saturating_sub(indent).max(NARROWEST);
        broken(&printable(text), room)
            .iter()
            .fold(String::new(), |out, line| format!("{out}{:indent$}{line}\n", ""))
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The text without what steers a terminal or turns the reading direction, which is written out as `\u{1b}`.
pub fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Lines of at most `width` columns: broken after a space, else after a mark that joins words, else anywhere.
fn broken(text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.width() > width {
        let (head, tail) = rest.split_at(cut(rest, width));
        lines.push(head.trim_end());
        rest = tail.trim_start();
    }
    if lines.is_empty() || !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Where the first line ends, in bytes; at least one character is taken.
fn cut(text: &str, width: usize) -> usize {
    let (mut used, mut end, mut after_space, mut after_mark) = (0, 0, None, None);
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or_default();
        // A space may stand in the margin.
        if used > width && c != ' ' {
            break;
        }
        end = at + c.len_utf8();
        match c {
            ' ' => after_space = Some(end),
            '/' | ':' | ',' | '-' | '.' | '@' => after_mark = Some(end),
            _ => {}
        }
        if used > width {
            break;
        }
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    // A short piece before the mark would waste most of the line.
    let mark = after_mark.filter(|&at| 2 * at > end);
    after_space.or(mark).unwrap_or(end).max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(width: usize) -> Terminal {
        Terminal { color: false, width }
    }

    fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<[(Tone, String); N]> {
        rows.iter().map(|row| row.map(|text| (Tone::Plain, text.to_owned()))).collect()
    }

    #[test]
    fn columns_line_up_also_where_characters_are_wide() {
        let table =
            terminal(80).table(&rows(&[["CONTEXT", "OWNER"], ["生产集群", "helm"], ["é", ""], ["", "eks"]]));
        assert_eq!(table, "CONTEXT   OWNER\n生产集群  helm\né\n          eks\n");
    }

    #[test]
    fn what_does_not_fit_goes_on_in_its_column_and_nothing_is_lost() {
        let long = "arn:aws:eks:eu-west-1:111122223333:cluster/prod";
        let table =
            terminal(40).table(&rows(&[["CONTEXT", "OWNER", "N"], [long, "Helm release aws-vpc-cni", "1"]]));
        assert_eq!(
            table,
            "CONTEXT            OWNER              N\n\
             arn:aws:eks:eu-    Helm release       1\n\
             west-1:1111222233  aws-vpc-cni\n\
             33:cluster/prod\n"
        );
    }

    #[test]
    fn the_last_column_is_broken_between_words() {
        let table = terminal(33).table(&rows(&[["a", "one two three four five six seven"], ["long", "x"]]));
        assert_eq!(table, "a     one two three four five six\n      seven\nlong  x\n");
    }

    #[test]
    fn a_pipe_has_no_width() {
        let long = "x y ".repeat(100);
        assert_eq!(terminal(usize::MAX).table(&rows(&[["A"], [&long]])), format!("A\n{long}\n"));
        assert_eq!(terminal(usize::MAX).paragraph(2, &long), format!("  {long}\n"));
    }

    #[test]
    fn a_terminal_too_narrow_for_anything_still_ends() {
        let table = terminal(1).table(&rows(&[["生产集群生产集群", "a b c d e f g h i j"]]));
        assert!(table.lines().count() > 1, "{table}");
        assert_eq!(broken("生产", 1), ["生", "产"]);
    }

    #[test]
    fn text_from_a_cluster_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b]0;x\x07\n\u{202e}b"), "a\\u{1b}]0;x\\u{7}\\u{a}\\u{202e}b");
        let table = terminal(80).table(&rows(&[["\x1b[2J"]]));
        assert_eq!(table, "\\u{1b}[2J\n");
    }

    #[test]
    fn colour_takes_no_room_and_the_words_are_the_same_without_it() {
        let row = [(Tone::Bad, "a".to_owned()), (Tone::Plain, "b".to_owned())];
        let heading = [(Tone::Strong, "XX".to_owned()), (Tone::Strong, "Y".to_owned())];
        let coloured = Terminal { color: true, width: 80 }.table(&[heading.clone(), row.clone()]);
        assert_eq!(coloured.lines().nth(1), Some("\x1b[31ma\x1b[0m   b"));
        assert_eq!(terminal(80).table(&[heading, row]).lines().nth(1), Some("a   b"));
    }

    #[test]
    fn each_line_of_a_paragraph_is_indented() {
        let text = terminal(30).paragraph(6, "no answer within five seconds of waiting");
        assert_eq!(text, "      no answer within five\n      seconds of waiting\n");
    }
}
