//! Union, difference, equality and canonical bytes of sets, as structured-merge-diff has them.

use std::path::Path;

use cni_steward::fields::{List, Set};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ask::Oracle;
use crate::random::{self, Random};
use crate::support::suite::Case;
use crate::support::tools::Tool;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "random_pairs_of_sets_are_joined_and_parted_as_go_does",
        needs: &[Tool::OracleSets],
        run: random_pairs,
    },
    Case {
        name: "recorded_sets_are_joined_and_parted_as_go_does",
        needs: &[Tool::OracleSets],
        run: recorded_pairs,
    },
    Case {
        name: "whatever_set_we_accept_go_accepts_and_reads_our_bytes_as_the_same",
        needs: &[Tool::OracleSets],
        run: damaged_sets,
    },
];

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Answer {
    a: String,
    b: String,
    union: String,
    difference: String,
    equal: bool,
    error: String,
}

fn ask(oracle: &mut Oracle, pairs: &[(String, String)]) -> Vec<Answer> {
    let mut text = String::new();
    for (a, b) in pairs {
        text.push_str(&serde_json::json!({"a": a, "b": b}).to_string());
        text.push('\n');
    }
    text.push('\n');
    oracle.write(&text);
    pairs.iter().map(|_| serde_json::from_str(&oracle.line()).unwrap()).collect()
}

fn ours(a: &str, b: &str) -> Answer {
    let (a, b) = match (Set::parse(a), Set::parse(b)) {
        (Ok(a), Ok(b)) => (a, b),
        (a, b) => return Answer { error: format!("{:?} {:?}", a.err(), b.err()), ..Answer::default() },
    };
    Answer {
        a: a.encode(),
        b: b.encode(),
        union: a.clone().union(b.clone()).encode(),
        difference: a.clone().difference(&b).encode(),
        equal: a == b,
        error: String::new(),
    }
}

fn compare(what: &str, pairs: &[(String, String)], theirs: &[Answer]) -> Result<(), String> {
    for ((a, b), theirs) in pairs.iter().zip(theirs) {
        let ours = ours(a, b);
        if ours != *theirs {
            return Err(format!("{what}\na: {a}\nb: {b}\nexpected, from Go: {theirs:#?}\nseen: {ours:#?}"));
        }
    }
    Ok(())
}

fn random_pairs() {
    let amount = random::amount("CNI_STEWARD_ORACLE_PAIRS", 8_000);
    random::each_seed(
        "pairs of sets",
        amount,
        200,
        || Oracle::start(Tool::OracleSets),
        |oracle, seeds| {
            let pairs: Vec<_> = seeds.iter().map(|seed| pair(*seed, false)).collect();
            let theirs = ask(oracle, &pairs);
            for ((seed, pair), theirs) in seeds.iter().zip(&pairs).zip(&theirs) {
                let what =
                    format!("CNI_STEWARD_ORACLE_SEED={seed} CNI_STEWARD_ORACLE_PAIRS=1 shows it alone");
                compare(&what, std::slice::from_ref(pair), std::slice::from_ref(theirs))?;
            }
            Ok(())
        },
    );
}

fn recorded_pairs() {
    let mut sets = Vec::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reviews");
    collect(&here, &mut sets);
    let more = std::env::var_os("CNI_STEWARD_REAL_DATA");
    if let Some(folder) = &more {
        collect(Path::new(folder), &mut sets);
    }
    sets.sort();
    sets.dedup();
    assert!(more.is_none() || !sets.is_empty(), "no recorded sets in CNI_STEWARD_REAL_DATA");
    let pairs: Vec<_> = sets.iter().flat_map(|a| sets.iter().map(|b| (a.clone(), b.clone()))).collect();
    let mut oracle = Oracle::start(Tool::OracleSets);
    for pairs in pairs.chunks(50) {
        let theirs = ask(&mut oracle, pairs);
        compare("a recorded pair", pairs, &theirs).unwrap_or_else(|problem| panic!("{problem}"));
    }
    eprintln!("recorded: {} sets, {} pairs", sets.len(), pairs.len());
}

/// The `fieldsV1` of every `managedFields` in the JSON files below `folder`.
fn collect(folder: &Path, sets: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sets);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, mark) in text.match_indices(r#""managedFields":"#) {
                let tail = &text[at + mark.len()..];
                let list = serde_json::Deserializer::from_str(tail).into_iter::<&RawValue>().next();
                let list = List::parse(list.unwrap().unwrap().get()).unwrap_or_default();
                let known = list.entries.iter().filter_map(|entry| entry.known.as_ref());
                sets.extend(known.map(|known| known.fields.to_owned()));
            }
        }
    }
}

/// Two questions a seed: a damaged text beside our reading of it, and a pair with elements of the future.
fn damaged_sets() {
    let amount = random::amount("CNI_STEWARD_ORACLE_PAIRS", 8_000);
    random::each_seed(
        "damaged sets",
        amount,
        100,
        || Oracle::start(Tool::OracleSets),
        |oracle, seeds| {
            let mut asked = Vec::new();
            for seed in seeds {
                let mut random = Random::new(!seed);
                let (text, _) = pair(*seed, true);
                let text = damage(text, &mut random);
                if let Ok(set) = Set::parse(&text)
                    && entries(&text) == entries(&set.encode())
                {
                    asked.push((*seed, (text.clone(), set.encode())));
                }
            }
            let pairs: Vec<_> = asked.iter().map(|(_, pair)| pair.clone()).collect();
            for ((seed, (text, written)), theirs) in asked.iter().zip(ask(oracle, &pairs)) {
                if !theirs.equal || theirs.a != theirs.b || !theirs.error.is_empty() {
                    return Err(format!(
                        "seed {seed}\ntext: {text}\nwe write: {written}\nexpected: Go reads both as the same\nseen: {theirs:#?}"
                    ));
                }
            }
            let pairs: Vec<_> = seeds.iter().map(|seed| pair(*seed, true)).collect();
            let unions: Vec<_> = pairs.iter().map(|(a, b)| (ours(a, b).union, "{}".to_owned())).collect();
            let (theirs, read) = (ask(oracle, &pairs), ask(oracle, &unions));
            for (((seed, (a, b)), theirs), read) in seeds.iter().zip(&pairs).zip(&theirs).zip(&read) {
                if theirs.union != read.a {
                    return Err(format!(
                        "seed {seed}\na: {a}\nb: {b}\nexpected union: {}\nseen, as Go reads ours: {}",
                        theirs.union, read.a
                    ));
                }
            }
            Ok(())
        },
    );
}

fn damage(text: String, random: &mut Random) -> String {
    let mut bytes = text.into_bytes();
    for _ in 0..=random.below(2) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = random.of(b"{}[]\":,.\\fkvix019-+eE n\0\xff"),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, random.of(b"{}\":,.\\fkvix019-")),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How many elements a text has, each occurrence counted: Go lets the last of two equal ones win, we join them.
fn entries(text: &str) -> usize {
    struct Count(usize);
    impl<'de> Deserialize<'de> for Count {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Count(0))
        }
    }
    impl<'de> serde::de::Visitor<'de> for Count {
        type Value = Self;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a set")
        }
        fn visit_unit<E>(self) -> Result<Self, E> {
            Ok(self)
        }
        fn visit_map<M: serde::de::MapAccess<'de>>(mut self, mut map: M) -> Result<Self, M::Error> {
            while let Some(key) = map.next_key::<String>()? {
                if key == "." {
                    map.next_value::<serde::de::IgnoredAny>()?;
                } else {
                    self.0 += 1 + map.next_value::<Count>()?.0;
                }
            }
            Ok(self)
        }
    }
    serde_json::from_str::<Count>(text).map_or(usize::MAX, |count| count.0)
}

/// A set that has not been written yet.
#[derive(Debug, Clone, Default)]
struct Tree(Vec<Branch>);

#[derive(Debug, Clone)]
struct Branch {
    element: String,
    /// What it means, by our own reading: elements that mean the same shall not stand side by side.
    meant: String,
    own: bool,
    below: Tree,
}

/// The texts of two sets that have much in common, each spelt at random.
fn pair(seed: u64, future: bool) -> (String, String) {
    let mut random = Random::new(seed);
    let a = tree(&mut random, 0, future);
    let mut b = if random.once_in(4) { tree(&mut random, 0, future) } else { a.clone() };
    change(&mut b, &mut random, 0, future);
    (spell(&a, false, &mut random), spell(&b, false, &mut random))
}

fn tree(random: &mut Random, depth: usize, future: bool) -> Tree {
    let mut tree = Tree::default();
    for _ in 0..random.below(*[6, 4, 3, 3, 2].get(depth).unwrap_or(&1)) {
        grow(&mut tree, random, depth, future);
    }
    tree
}

fn grow(tree: &mut Tree, random: &mut Random, depth: usize, future: bool) {
    let element = element(random, future);
    let meant = canonical(&element);
    if tree.0.iter().all(|other| other.meant != meant) {
        let (own, below) = (random.once_in(3), self::tree(random, depth + 1, future));
        tree.0.push(Branch { element, meant, own, below });
    }
}

fn change(tree: &mut Tree, random: &mut Random, depth: usize, future: bool) {
    if random.once_in(3) {
        grow(tree, random, depth, future);
    }
    if random.once_in(4) && !tree.0.is_empty() {
        tree.0.remove(random.below(tree.0.len()));
    }
    for branch in &mut tree.0 {
        if random.once_in(4) {
            branch.own = !branch.own;
        }
        if random.once_in(3) {
            change(&mut branch.below, random, depth + 1, future);
        }
    }
}

fn canonical(element: &str) -> String {
    Set::parse(&format!("{{{}:{{}}}}", serde_json::json!(element)))
        .unwrap_or_else(|problem| panic!("{element}: {problem}"))
        .encode()
}

fn spell(tree: &Tree, own: bool, random: &mut Random) -> String {
    let mut parts: Vec<String> = Vec::new();
    for branch in &tree.0 {
        let below = spell(&branch.below, branch.own, random);
        parts.push(format!("{}{}:{}{below}", quote(&branch.element, random), space(random), space(random)));
    }
    if own {
        parts.insert(random.below(parts.len() + 1), r#"".":{}"#.to_owned());
    } else if parts.is_empty() && random.once_in(12) {
        return "null".to_owned();
    }
    // As a client may send them, in any order.
    if random.once_in(2) {
        for at in (1..parts.len()).rev() {
            parts.swap(at, random.below(at + 1));
        }
    }
    format!("{{{}}}", parts.join(","))
}

fn space(random: &mut Random) -> &'static str {
    if random.once_in(20) { " \n\t" } else { "" }
}

fn quote(text: &str, random: &mut Random) -> String {
    use std::fmt::Write as _;
    let plain = serde_json::json!(text).to_string();
    if !random.once_in(8) {
        return plain;
    }
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        write!(out, "\\u{unit:04x}").unwrap();
    }
    out + "\""
}

const WORDS: &[&str] = &[
    "name",
    "spec",
    "a",
    "b",
    "c",
    "aa",
    "A",
    "Z",
    "0",
    "9",
    "10",
    "",
    ".",
    "f:x",
    "x:y",
    "~1/",
    "'",
    "app.kubernetes.io/managed-by",
    "containerPort",
    "protocol",
    "x<y>&z",
    "quo\"te",
    "back\\slash",
    "tab\tnl\ncr\r",
    "\u{1}\u{1f}\u{7f}",
    "\u{8}\u{c}",
    "é",
    "e\u{301}",
    "\u{2028}\u{2029}",
    "日本",
    "😀",
    "\u{fffd}",
    "\u{feff}",
    "\u{ffff}",
    "\u{10ffff}",
];

fn element(random: &mut Random, future: bool) -> String {
    match random.below(if future { 12 } else { 11 }) {
        0..=2 => {
            let count = 1 + random.below(3);
            format!("k:{}", object(count, random, 1))
        }
        3 | 4 => format!("v:{}", value(random, 0)),
        5 => format!("i:{}", i64::try_from(random.below(40)).unwrap() - 5),
        11 => format!("x:{}", random.of(WORDS)),
        _ => format!("f:{}", random.of(WORDS)),
    }
}

fn object(count: usize, random: &mut Random, depth: usize) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut parts = Vec::new();
    for _ in 0..count {
        let name = random.of(WORDS);
        if !names.contains(&name) {
            names.push(name);
            parts.push(format!("{}{}:{}", quote(name, random), space(random), value(random, depth)));
        }
    }
    format!("{{{}}}", parts.join(","))
}

fn value(random: &mut Random, depth: usize) -> String {
    match random.below(if depth > 2 { 6 } else { 8 }) {
        0..=2 => {
            let word: &str = random.of(WORDS);
            quote(word, random)
        }
        3 => number(random),
        4 => (random.of(&["true", "false"])).to_owned(),
        5 => "null".to_owned(),
        6 => {
            let items: Vec<_> = (0..random.below(3)).map(|_| value(random, depth + 1)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let count = random.below(3);
            object(count, random, depth + 1)
        }
    }
}

fn number(random: &mut Random) -> String {
    let whole = random.below(70_000);
    match random.below(8) {
        0 => format!("{whole}"),
        1 => format!("-{}", whole + 1),
        2 => format!("{}.{}", random.below(12), random.next()),
        3 => format!("{}.0", random.below(20)),
        4 => format!("{}e{}", 1 + random.below(9), i64::try_from(random.below(50)).unwrap() - 25),
        5 => format!("{}", random.next()),
        6 => format!("{}E+{}", 1 + random.below(99), random.below(300)),
        _ => format!("{}", random.below(12)),
    }
}
