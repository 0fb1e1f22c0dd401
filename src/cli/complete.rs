//! What may be typed next: the candidates for a word of a command line, from the commands and options as clap knows them.
//!
//! Own code, because the scripts that clap's generator writes would take 100 kB of the binary for four shells and could not
//! name the contexts of a kubeconfig. So each shell gets a few lines that ask the binary itself, as kubectl's scripts do.

use clap::{Arg, ArgAction, Command};

/// A candidate and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word.
    pub word: String,
    /// What it means, in one line.
    pub about: String,
}

/// The candidates for a word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Words that may stand there.
    pub candidates: Vec<Candidate>,
    /// Whether a file's name may stand there too.
    pub files: bool,
}

/// What may stand in place of the last of `words`, which follow the program's name; `contexts` are those of the kubeconfig, which
/// is asked for with the value of `--kubeconfig`, if there is one.
pub fn answer(command: &Command, words: &[String], contexts: impl Fn(Option<&str>) -> Vec<String>) -> Answer {
    let (last, before) = words.split_last().map_or(("", words), |(last, before)| (last.as_str(), before));
    let place = Place::after(command, before);
    let contexts = || contexts(place.kubeconfig.as_deref());
    let mut found = match (place.waiting, option(last)) {
        (Some(arg), _) => values(arg, last, contexts),
        (None, Some((name, Some(value)))) => {
            let mut found =
                long(place.command, name).map(|arg| values(arg, value, contexts)).unwrap_or_default();
            for candidate in &mut found.candidates {
                candidate.word = format!("--{name}={}", candidate.word);
            }
            found
        }
        (None, _) if last.starts_with('-') && !place.only_values => options(place.command),
        (None, _) => {
            let mut found = place.positional().map(|arg| values(arg, last, contexts)).unwrap_or_default();
            if !place.only_values && place.given == 0 {
                found.candidates.extend(subcommands(place.command));
            }
            found
        }
    };
    found.candidates.retain(|candidate| candidate.word.starts_with(last));
    found
}

/// Where in the command line a word stands.
struct Place<'c> {
    command: &'c Command,
    /// The option whose value comes next.
    waiting: Option<&'c Arg>,
    /// Values without an option that stand before.
    given: usize,
    /// `--` stands before: no options any more.
    only_values: bool,
    kubeconfig: Option<String>,
}

impl<'c> Place<'c> {
    fn after(command: &'c Command, words: &[String]) -> Self {
        let mut place = Self { command, waiting: None, given: 0, only_values: false, kubeconfig: None };
        for word in words {
            place.pass(word);
        }
        place
    }

    fn pass(&mut self, word: &str) {
        if let Some(arg) = self.waiting.take() {
            self.take(arg, word);
        } else if self.only_values {
            self.given += 1;
        } else if word == "--" {
            self.only_values = true;
        } else if let Some((name, value)) = option(word) {
            let arg = long(self.command, name).filter(|arg| takes_value(arg));
            match (arg, value) {
                (Some(arg), Some(value)) => self.take(arg, value),
                (arg, _) => self.waiting = arg,
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            // `-ojson` has its value with it.
            let arg = self
                .command
                .get_arguments()
                .find(|arg| arg.get_short().map(String::from).as_deref() == Some(letters));
            self.waiting = arg.filter(|arg| takes_value(arg));
        } else if let Some(command) = self.command.find_subcommand(word) {
            (self.command, self.given) = (command, 0);
        } else {
            self.given += 1;
        }
    }

    fn take(&mut self, arg: &Arg, value: &str) {
        if arg.get_id() == "kubeconfig" {
            self.kubeconfig = Some(value.to_owned());
        }
    }

    fn positional(&self) -> Option<&'c Arg> {
        self.command.get_positionals().nth(self.given)
    }
}

/// The name and value of `--name=value`, or `--name`.
fn option(word: &str) -> Option<(&str, Option<&str>)> {
    let word = word.strip_prefix("--").filter(|word| !word.is_empty())?;
    Some(word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value))))
}

fn long<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(name))
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

fn subcommands(command: &Command) -> impl Iterator<Item = Candidate> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| Candidate { word: command.get_name().to_owned(), about: line(command.get_about()) })
}

fn options(command: &Command) -> Answer {
    let shown = command.get_opts().chain(command.get_arguments().filter(|arg| !takes_value(arg)));
    let shown = shown.filter(|arg| !arg.is_hide_set());
    let candidates = shown.filter_map(|arg| {
        Some(Candidate { word: format!("--{}", arg.get_long()?), about: line(arg.get_help()) })
    });
    let mut candidates: Vec<_> = candidates.collect();
    candidates.sort_by(|a, b| a.word.cmp(&b.word));
    candidates.dedup_by(|a, b| a.word == b.word);
    Answer { candidates, files: false }
}

/// The values that an option or a positional may have, as far as they are known.
fn values(arg: &Arg, typed: &str, contexts: impl Fn() -> Vec<String>) -> Answer {
    let plain = |word: String| Candidate { word, about: String::new() };
    let named = |name: &str| arg.get_value_names().into_iter().flatten().any(|value| value.starts_with(name));
    let candidates = match arg.get_id().as_str() {
        "context" => contexts().into_iter().map(plain).collect(),
        "contexts" => {
            // A list: what stands before the last comma stays.
            let before = typed.rsplit_once(',').map_or("", |(before, _)| before);
            let comma = if before.is_empty() { "" } else { "," };
            let chosen: Vec<&str> = before.split(',').collect();
            let free = contexts().into_iter().filter(|context| !chosen.contains(&context.as_str()));
            free.map(|context| plain(format!("{before}{comma}{context}"))).collect()
        }
        _ => {
            let possible = arg.get_possible_values();
            let shown = possible.iter().filter(|value| !value.is_hide_set());
            shown
                .map(|value| Candidate { word: value.get_name().to_owned(), about: line(value.get_help()) })
                .collect()
        }
    };
    Answer { candidates, files: named("FILE") || named("DIR") }
}

/// Help without its line breaks.
fn line(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
