//! Sets of field paths: reading, joining and writing them; and what must hold for any list whatever.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails this way"
)]

// What the fuzz targets share is written for the program.
extern crate cni_steward_verdict as cni_steward;

use cni_steward::fields::element::Element;
use cni_steward::fields::{List, Set, Transfer, transfer};
use proptest::prelude::*;

#[path = "../../tests/support/laws/fields.rs"]
mod laws;

use laws::wish;

fn set(text: &str) -> Set<'_> {
    Set::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

#[test]
fn text_is_written_as_the_api_server_writes_it() {
    for (text, canonical) in [
        ("{}", "{}"),
        ("null", "{}"),
        (r#"{"f:a":{".":{}}}"#, r#"{"f:a":{}}"#),
        (r#"{"f:a":null}"#, r#"{"f:a":{}}"#),
        (
            r#" { "f:b" : { } , "f:a" : { "f:c" : {}, "." : {"x":1} } } "#,
            r#"{"f:a":{".":{},"f:c":{}},"f:b":{}}"#,
        ),
        (
            r#"{"i:10":{},"i:9":{},"v:2":{},"k:{\"a\":1}":{},"f:z":{}}"#,
            r#"{"f:z":{},"k:{\"a\":1}":{},"v:2":{},"i:9":{},"i:10":{}}"#,
        ),
        (
            r#"{"v:null":{},"v:{}":{},"v:[]":{},"v:true":{},"v:false":{},"v:\"a\"":{},"v:1":{}}"#,
            r#"{"v:1":{},"v:\"a\"":{},"v:false":{},"v:true":{},"v:[]":{},"v:{}":{},"v:null":{}}"#,
        ),
        (r#"{"k:{\"p\":61678}":{},"k:{\"p\":8080}":{}}"#, r#"{"k:{\"p\":8080}":{},"k:{\"p\":61678}":{}}"#),
        (r#"{"k:{\"b\":1.0,\"a\":8e1}":{}}"#, r#"{"k:{\"a\":80,\"b\":1}":{}}"#),
        (
            r#"{"v:1e21":{},"v:0.0000001":{},"v:1e20":{}}"#,
            r#"{"v:1e-07":{},"v:100000000000000000000":{},"v:1e+21":{}}"#,
        ),
        (r#"{"f:\u0061\/\u003c":{}}"#, r#"{"f:a/<":{}}"#),
        (r#"{"f:\f\r\n":{}}"#, r#"{"f:\u000c\r\n":{}}"#),
        (r#"{"v:{\"b\":1,\"a\":2,\"b\":3}":{}}"#, r#"{"v:{\"a\":2,\"b\":3}":{}}"#),
        (r#"{"k:null":{}}"#, r#"{"k:{}":{}}"#),
        (r#"{"f:\u0001\b\t\"\\":{}}"#, r#"{"f:\u0001\u0008\t\"\\":{}}"#),
        (r#"{"\u0066:a":{},"\u002e":{}}"#, r#"{"f:a":{}}"#),
        (r#"{"k:{\"<\":\"<\"}":{}}"#, r#"{"k:{\"<\":\"\\u003c\"}":{}}"#),
        (r#"{"f:\ud83d\ude00\ud800":{}}"#, "{\"f:😀\u{fffd}\":{}}"),
        (
            r#"{"x:new":{"anything":{}},"f:a":{"x:b":{}}}"#,
            r#"{"f:a":{".":{},"x:b":{}},"x:new":{"anything":{}}}"#,
        ),
        (
            r#"{"f:a":{"f:b":{}},"f:b":{},"f:a":{".":{},"f:c":{}}}"#,
            r#"{"f:a":{".":{},"f:b":{},"f:c":{}},"f:b":{}}"#,
        ),
    ] {
        assert_eq!(set(text).encode(), canonical, "{text}");
        assert_eq!(set(canonical), set(text));
    }
}

#[test]
fn text_that_the_api_server_would_refuse_is_an_error() {
    for text in [
        "",
        "[]",
        "7",
        "{",
        "{}x",
        r#"{"f:a":{}"#,
        r#"{"f:a":{},}"#,
        r#"{"f:a"}"#,
        r#"{"f:a":7}"#,
        r#"{"f:a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"":{}}"#,
        r#"{"é:":{}}"#,
        r#"{"k:":{}}"#,
        r#"{"k:7":{}}"#,
        r#"{"k:{\"a\":}":{}}"#,
        r#"{"k:{}x":{}}"#,
        r#"{"k:{\"}":{}}"#,
        r#"{"k:{\"a\":1,\"}":{}}"#,
        r#"{"k:{\"a\":\"b\",\"}":{}}"#,
        r#"{"v:":{}}"#,
        r#"{"v:1 2":{}}"#,
        r#"{"v:01":{}}"#,
        r#"{"v:1.":{}}"#,
        r#"{"v:-":{}}"#,
        r#"{"v:1e":{}}"#,
        r#"{"v:1e999":{}}"#,
        r#"{"i:x":{}}"#,
        r#"{"i:99999999999999999999":{}}"#,
        "{\"f:\u{1}\":{}}",
        r#"{"f:\x":{}}"#,
        r#"{"f:\u12":{}}"#,
    ] {
        assert!(Set::parse(text).is_err(), "{text}");
    }
}

/// Most keys are read by a short way of their own. It may take no text that is no JSON, and the long way has to take all that is.
#[test]
fn a_key_of_any_six_tokens_is_read_exactly_if_it_is_an_object_in_json() {
    const TOKENS: [&str; 8] = ["{", "}", "\"a\":", "\"b\"", "\"", ",", "1", " "];
    let mut texts = vec![String::new()];
    for _ in 0..6 {
        texts = texts.iter().flat_map(|text| TOKENS.map(|token| format!("{text}{token}"))).collect();
        for text in &texts {
            let key = serde_json::to_string(&format!("k:{text}")).unwrap();
            let object = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(text).is_ok();
            assert_eq!(Set::parse(&format!("{{{key}:{{}}}}")).is_ok(), object, "{text}");
        }
    }
}

#[test]
fn depth_is_limited_and_never_costs_the_stack() {
    let deep = |n: usize| r#"{"f:a":"#.repeat(n) + "{}" + &"}".repeat(n);
    assert_eq!(set(&deep(256)).len(), 1);
    assert!(Set::parse(&deep(257)).is_err());
    assert!(Set::parse(&deep(100_000)).is_err());
    assert!(Set::parse(&format!(r#"{{"v:{}":{{}}}}"#, "[".repeat(100_000))).is_err());
    let entry = format!(
        r#"[{{"manager":"eks","fieldsV1":{}}},{}]"#,
        deep(100_000),
        "[".repeat(5000) + &"]".repeat(5000)
    );
    assert_eq!(
        List::parse(&entry).unwrap().entries.len(),
        2,
        "what is only passed through may be of any depth"
    );
}

#[test]
fn single_paths_go_in_and_out() {
    let mut s = set(r#"{"f:a":{"f:b":{}}}"#);
    assert!(!s.contains(&["a"]) && s.contains(&["a", "b"]) && !s.contains(&[]));
    assert!(s.insert(&["a"]) && !s.insert(&["a"]) && !s.insert(&[]) && !s.insert(&["x"; 257]));
    let mut deep = Set::default();
    for depth in [256, 257, 258] {
        deep.put(&vec![Element::Field("x".into()); depth]);
    }
    assert_eq!(deep.len(), 1, "one is as deep as a path may be, two are deeper");
    assert!(deep.contains(&["x"; 256]));
    assert!(s.insert(&["a", "c", "d"]));
    assert_eq!(s.encode(), r#"{"f:a":{".":{},"f:b":{},"f:c":{"f:d":{}}}}"#);
    assert_eq!(s.len(), 3);
    assert!(s.remove(&["a"]) && !s.remove(&["a"]) && !s.remove(&["a", "c"]) && !s.remove(&[]));
    assert!(s.remove(&["a", "b"]));
    assert!(s.remove(&["a", "c", "d"]) && s.is_empty(), "empty nodes go with their last path");
}

#[test]
fn a_difference_is_exact_path_by_path() {
    let all = set(r#"{"f:a":{".":{},"f:b":{},"f:c":{}},"f:d":{}}"#);
    let some = r#"{"f:a":{".":{},"f:c":{}},"f:d":{"f:e":{}}}"#;
    assert_eq!(all.clone().difference(&set(some)).encode(), r#"{"f:a":{"f:b":{}},"f:d":{}}"#);
    assert!(all.clone().difference(&all).is_empty());
}

#[test]
fn an_intersection_is_exact_path_by_path() {
    let all = set(r#"{"f:a":{".":{},"f:b":{},"f:c":{}},"f:d":{},"f:e":{"f:f":{}}}"#).whole();
    let some = set(r#"{"f:a":{"f:c":{}},"f:d":{".":{},"f:x":{}},"f:e":{"f:y":{}}}"#).whole();
    for both in [all.intersection(&some), some.intersection(&all)] {
        assert_eq!(both.encode(), r#"{"f:a":{"f:c":{}},"f:d":{}}"#);
    }
}

/// Text is looked at sixteen bytes at a time: the first that has to be escaped may stand at any place of a block.
#[test]
fn what_json_escapes_is_escaped_wherever_it_stands() {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let specials = ['"', '\\', '<', '>', '&', '\u{1}', '\u{7f}', 'é', '~', ' ', '='];
    let places = (0..40).flat_map(|place| [1, 20, 32, 48, 64].map(|length| (place, length)));
    for ((place, length), special) in places.flat_map(|at| specials.map(|special| (at, special))) {
        let mut name = format!("{}{special}", "a".repeat(place));
        name.push_str(&"b".repeat(length.max(name.len()) - name.len()));
        // Go's encoder, which writes a key's values, escapes these; the one that writes the paths does not.
        let value = quoted(&name).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        let field = quoted(&format!("f:{name}"));
        let key = quoted(&format!("k:{{\"name\":{value}}}"));
        let canonical = format!("{{{field}:{{}},{key}:{{}}}}");
        let other = format!("{{{key}:{{}},{field}:{{}}}}");
        assert_eq!(set(&other).encode(), canonical, "{name:?}");
        assert_eq!(set(&canonical).encode(), canonical, "{name:?}");
    }
}

#[test]
fn paths_read_as_kubectl_and_helm_print_them() {
    let text = r#"{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/managed-by":{}},"f:finalizers":{"v:\"x\"":{}}},
        "f:spec":{"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{}}},"i:3":{},"f:\u001b[2J":{}},"x:y":{}}"#;
    assert_eq!(
        set(text).paths(),
        [
            r#".metadata.finalizers[="x"]"#,
            ".metadata.labels",
            r".metadata.labels.app\.kubernetes\.io/managed-by",
            r".spec.\x1b[2J",
            r#".spec.ports[containerPort=80,protocol="TCP"]"#,
            r#".spec.ports[containerPort=80,protocol="TCP"].name"#,
            ".spec[3]",
            "{x:y}",
        ]
    );
    // As Go writes them, which marks no dots.
    assert_eq!(
        set(r#"{"f:a.b":{"f:c":{},"k:{\"d.e\":\"f\"}":{}}}"#).reported(),
        [".a.b.c", r#".a.b[d.e="f"]"#]
    );
    // What would move the cursor of a terminal or turn its text round.
    for (control, shown) in [
        ("\r", r".\r"),
        ("\t", r".\t"),
        ("\u{85}", r".\u0085"),
        ("\u{202a}", r".\u202a"),
        ("\u{202e}", r".\u202e"),
        ("\u{2066}", r".\u2066"),
        ("\u{2069}", r".\u2069"),
    ] {
        let name = serde_json::to_string(&format!("f:{control}")).unwrap();
        assert_eq!(set(&format!("{{{name}:{{}}}}")).paths(), [shown]);
    }
}

/// Our own recordings, and more in the folder that `CNI_STEWARD_REAL_DATA` names.
fn recorded_reviews() -> Vec<String> {
    let mut folders =
        vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/reviews")];
    let more = std::env::var_os("CNI_STEWARD_REAL_DATA").filter(|root| !root.is_empty());
    folders.extend(more.map(|root| std::path::Path::new(&root).join("reviews")));
    let versions = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let files = versions.flat_map(|version| std::fs::read_dir(version.unwrap().path()).unwrap());
    files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn recorded_entries_are_canonical_as_we_write_them() {
    let mut count = 0;
    for text in recorded_reviews() {
        for (at, _) in text.match_indices(r#""managedFields":"#) {
            let tail = &text[at + r#""managedFields":"#.len()..];
            let mut stream =
                serde_json::Deserializer::from_str(tail).into_iter::<&serde_json::value::RawValue>();
            let list = List::parse(stream.next().unwrap().unwrap().get()).unwrap();
            for entry in &list.entries {
                let known = entry.known.as_ref().unwrap();
                assert_eq!(known.set().unwrap().encode(), known.fields);
                count += 1;
            }
        }
    }
    assert!(count > 50, "only {count} entries found");
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "a", "b", "c", "name", "a.b/c", "<&>", "\"", "\\", "\n", "é", "\u{2028}", "."
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

/// JSON values as they occur in keys; whole numbers, so that no two texts mean one key by rounding.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        3 => word().prop_map(serde_json::Value::from),
        3 => (-9..99_999_i32).prop_map(serde_json::Value::from),
        1 => any::<bool>().prop_map(serde_json::Value::from),
        1 => (1_u32..100).prop_map(|n| serde_json::Value::from(f64::from(n) / 8.0)),
        1 => Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            prop::collection::vec((word(), inner), 0..3)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn element() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => word().prop_map(|name| format!("f:{name}")),
        3 => prop::collection::btree_map(word(), value(), 1..3)
            .prop_map(|fields| format!("k:{}", serde_json::to_string(&fields).unwrap())),
        2 => value().prop_map(|value| format!("v:{value}")),
        1 => (-3..30_i64).prop_map(|index| format!("i:{index}")),
        1 => word().prop_map(|text| format!("x:{text}")),
    ]
}

/// JSON text of a set, in any order and with elements that occur twice.
fn fields() -> impl Strategy<Value = String> {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    Just("{}".to_owned()).prop_recursive(4, 40, 5, move |inner| {
        (prop::collection::vec((element(), inner), 1..5), any::<bool>()).prop_map(move |(nodes, own)| {
            let mut parts: Vec<String> =
                nodes.iter().map(|(element, below)| format!("{}:{below}", quoted(element))).collect();
            if own {
                parts.push(r#"".":{}"#.to_owned());
            }
            format!("{{{}}}", parts.join(","))
        })
    })
}

fn entry() -> impl Strategy<Value = String> {
    let known = (
        prop::sample::select(vec!["eks", "helm", "kubectl-set", "other"]),
        prop::sample::select(vec!["Apply", "Update"]),
        prop::sample::select(vec!["apps/v1", "apps/v1", "apps/v1", "v0"]),
        prop::sample::select(vec!["", r#""time":"2026-01-01T00:00:00Z","#, r#""time":"2025-01-01T00:00:00Z","#, r#""time":"?","#]),
        prop_oneof![8 => fields(), 1 => Just(r#"{"bad":{}}"#.to_owned()), 3 => Just(OWNED.to_owned())],
        prop::sample::select(vec!["", "", "", r#","subresource":"status""#]),
    )
        .prop_map(|(manager, operation, version, time, fields, sub)| {
            format!(r#"{{"manager":"{manager}","operation":"{operation}","apiVersion":"{version}",{time}"fieldsType":"FieldsV1","fieldsV1":{fields}{sub}}}"#)
        });
    prop_oneof![12 => known, 1 => value().prop_map(|value| value.to_string())]
}

fn list() -> impl Strategy<Value = String> {
    prop::collection::vec(entry(), 0..6).prop_map(|entries| format!("[{}]", entries.join(",")))
}

const OWNED: &str = r#"{"f:metadata":{"f:annotations":{"f:b":{}},"f:labels":{"f:a":{}}}}"#;

/// What comes with an object: the owner's stored entry, others' entries, and what eks wrote meanwhile.
fn story() -> impl Strategy<Value = (String, Vec<String>, String, bool)> {
    let others = prop::collection::vec(entry(), 0..4).prop_map(|entries| {
        let foreign = |entry: &String| {
            !["eks", "helm", "kubectl-set"].iter().any(|name| entry.contains(&format!("\"{name}\"")))
        };
        entries.into_iter().filter(foreign).collect()
    });
    (fields(), others, fields(), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_eks_took_or_shared_goes_back_into_the_stored_bytes((owned, others, taken, force) in story()) {
        let write = |manager: &str, time: &str, set: &Set<'_>| format!(
            r#"{{"manager":"{manager}","operation":"Apply","apiVersion":"apps/v1",{time}"fieldsType":"FieldsV1","fieldsV1":{}}}"#,
            set.encode(),
        );
        // eks took by force, or shares, some of what the owner holds; the list comes in another order.
        let all = set(&owned).union(set(&taken)).union(set(OWNED));
        let rest = if force { all.clone().difference(&set(&taken)).union(set(OWNED)) } else { all.clone() };
        let stored: Vec<_> = std::iter::once(write("helm", r#""time":"2025-05-05T00:00:00Z","#, &all))
            .chain(others.iter().cloned()).collect();
        let mut now = others;
        now.push(write("eks", if force { r#""time":"2026-05-05T00:00:00Z","# } else { "" }, &set(&taken)));
        now.push(write("helm", r#""time":"2025-05-05T00:00:00Z","#, &rest));
        let (stored, now) = (format!("[ {} ]", stored.join(", ")), format!("[{}]", now.join(",")));
        let outcome = transfer(
            &List::parse(&now).unwrap(), List::parse(&stored).as_ref(), &wish(true, true, false, "2031-01-01T00:00:00Z"),
        );
        let Transfer::Replace { list, moved } = outcome.transfer else { panic!("kept") };
        prop_assert_eq!(list.to_string(), stored);
        prop_assert_eq!(moved.len(), 1);
    }

    #[test]
    fn what_is_written_reads_back_the_same(text in fields()) {
        laws::canonical(&set(&text));
    }

    #[test]
    fn a_key_is_the_same_however_it_is_spaced(fields in prop::collection::btree_map(word(), value(), 1..4)) {
        let text = |json: &str| format!("{{{}:{{}}}}", serde_json::to_string(&format!("k:{json}")).unwrap());
        let short = text(&serde_json::to_string(&fields).unwrap());
        let long = text(&serde_json::to_string_pretty(&fields).unwrap());
        prop_assert_eq!(set(&short), set(&long));
        prop_assert_eq!(set(&short).encode(), set(&long).encode());
    }

    #[test]
    fn a_union_is_a_union_and_a_difference_is_a_difference(a in fields(), b in fields(), c in fields()) {
        laws::algebra(&set(&a), &set(&b), &set(&c));
    }

    #[test]
    fn garbage_never_panics(text in any::<String>(), cut in 0..400_usize, json in list()) {
        drop(Set::parse(&text));
        drop(List::parse(&text));
        let end = json.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(json.len());
        if let Some(list) = List::parse(&json[..end]) {
            transfer(&list, None, &wish(true, true, true, "2026-01-01T00:00:00Z"));
        }
        drop(Set::parse(&json[..end]));
        drop(List::parse(&format!("{}{text}{}", &json[..end], &json[end..])));
    }

    #[test]
    fn a_transfer_is_a_fixed_point_and_loses_nothing(
        text in list(), stored in prop::option::of(list()),
        merge in any::<bool>(), own in any::<bool>(), disown in any::<bool>(),
    ) {
        laws::transferred(&text, stored.as_deref(), merge, own, disown);
    }
}
