//! Bad input: never a panic; a 4xx with a reason, or an allow with a warning where the object itself is odd (law 6).
//! Numbers are those of the fault list in the fact sheets.

use serde_json::{Value, json};

use super::write::{Seen, Write, adopt, daemon_set, entry, see};

#[track_caller]
fn assert_unreadable(body: &[u8], says: &str) {
    let seen = see(body, &adopt());
    assert_eq!((seen.answer.status, seen.verdict()), (400, "error"));
    let status: Value = serde_json::from_slice(&seen.answer.body.whole(body)).unwrap();
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("BadRequest")));
    let message = status["message"].as_str().unwrap();
    assert!(message.contains(says), "{message:?} should say {says:?}");
}

#[track_caller]
fn assert_odd(seen: &Seen) {
    seen.assert_left("odd-object");
    assert_eq!(seen.warnings().len(), 1, "{:?}", seen.warnings());
}

fn with_metadata(metadata: Value) -> Write {
    let mut object = daemon_set();
    object["metadata"] = metadata;
    Write::create(&object).set("name", json!("aws-node")).set("namespace", json!("kube-system"))
}

fn body() -> String {
    Write::create(&daemon_set()).review.to_string()
}

#[test]
fn fault_1_an_empty_body() {
    assert_unreadable(b"", "empty");
    assert_unreadable(b" \r\n\t", "empty");
}

#[test]
fn fault_2_truncated_json_at_every_byte() {
    let body = body();
    for end in 1..body.len() {
        let seen = see(&body.as_bytes()[..end], &adopt());
        assert_eq!(seen.answer.status, 400, "cut at {end}");
    }
    assert_unreadable(b"{", "EOF");
    assert_unreadable(b"not json", "expected");
    assert_unreadable(b"[]", "AdmissionReview object");
    assert_unreadable(b"\0\0\0", "expected");
    assert_unreadable(b"k8s\0\x0a\x10", "not JSON");
    assert_unreadable((body + "x").as_bytes(), "trailing");
}

#[test]
fn fault_3_invalid_utf_8_and_lone_surrogates() {
    let at = |needle: &[u8], junk: &[u8]| {
        let body = body().into_bytes();
        let start = body.windows(needle.len()).position(|window| window == needle).unwrap();
        [&body[..start], junk, &body[start + needle.len()..]].concat()
    };
    assert_unreadable(&at(b"7f0c", b"\xff\xfe"), "");
    assert_unreadable(&at(b"Helm", b"\xff\xfe"), "");
    assert_unreadable(&at(b"7f0c", br"\ud800"), "");
    assert_odd(&see(&at(b"Helm", br"\ud800"), &adopt()));
    assert_unreadable(&at(b"Helm", b"a\0b"), "control character");
}

#[test]
fn fault_4_a_byte_order_mark_is_skipped() {
    let seen = see(format!("\u{feff}{}", body()).as_bytes(), &adopt());
    assert_eq!(seen.answer.record.reason, "adopted");
}

#[test]
fn fault_5_duplicate_keys_are_refused_in_the_envelope_and_odd_in_the_object() {
    let twice = |key: &str, value: &str| {
        let needle = format!("\"{key}\":");
        body().replacen(&needle, &format!("{needle}{value},{needle}"), 1)
    };
    assert_unreadable(twice("uid", "\"a\"").as_bytes(), "duplicate field `uid`");
    assert_unreadable(twice("request", "{}").as_bytes(), "duplicate field `request`");
    assert_unreadable(twice("object", "{}").as_bytes(), "duplicate field `object`");
    assert_odd(&see(twice("metadata", "{}").as_bytes(), &adopt()));
    assert_odd(&see(twice("app.kubernetes.io/managed-by", "\"x\"").as_bytes(), &adopt()));
}

#[test]
fn an_object_without_an_api_version_is_left_alone() {
    for other in ["\"object\":{", "\"object\":{\"apiVersion\":\"\","] {
        let body = body().replacen("\"object\":{\"apiVersion\":\"apps/v1\",", other, 1);
        assert_odd(&see(body.as_bytes(), &adopt()));
    }
}

#[test]
fn fault_6_nesting_10_000_deep() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let seen =
        see(body().replacen("\"spec\":", &format!("\"deep\":{deep},\"spec\":"), 1).as_bytes(), &adopt());
    assert!(["adopted", "odd-object", "unreadable"].contains(&seen.answer.record.reason));
    let seen = see(
        body().replacen("\"k8s-app\":", &format!("\"deep\":{deep},\"k8s-app\":"), 1).as_bytes(),
        &adopt(),
    );
    assert!(["odd-object", "unreadable"].contains(&seen.answer.record.reason));
    let fields = format!("{}{{}}{}", "{\"f:a\":".repeat(10_000), "}".repeat(10_000));
    let seen = see(
        body().replacen("\"fieldsV1\":{", &format!("\"fieldsV1\":{fields},\"x\":{{"), 1).as_bytes(),
        &adopt(),
    );
    assert_ne!(seen.answer.status, 500);
}

#[test]
fn fault_7_a_string_of_10_mb_and_a_million_elements() {
    let mut object = daemon_set();
    object["spec"]["x"] = json!("x".repeat(10_000_000));
    assert_eq!(Write::create(&object).judge(&adopt()).reason(), "adopted");
    object["spec"]["x"] = Value::Array(vec![json!(0); 1_000_000]);
    assert_eq!(Write::create(&object).judge(&adopt()).reason(), "adopted");
}

#[test]
fn more_groups_than_anybody_is_in_are_refused() {
    let ask = |count: usize| {
        let groups = json!(vec!["system:authenticated"; count]);
        let write =
            Write::create(&daemon_set()).set("userInfo", json!({"username": "admin", "groups": groups}));
        write.review.to_string()
    };
    assert_eq!(see(ask(1 << 16).as_bytes(), &adopt()).answer.status, 200);
    assert_unreadable(ask((1 << 16) + 1).as_bytes(), "groups: more than 65536");
}

#[test]
fn fault_8_numbers_beyond_any_type() {
    for number in ["1e400", "18446744073709551616", "-0", "0.1e-999"] {
        let body = body().replacen("\"spec\":", &format!("\"n\":{number},\"spec\":"), 1);
        assert_eq!(see(body.as_bytes(), &adopt()).answer.record.reason, "adopted", "{number}");
    }
    assert_unreadable(body().replacen("\"dryRun\":false", "\"dryRun\":1e400", 1).as_bytes(), "");
}

#[rstest::rstest]
#[case("apiVersion", json!("admission.k8s.io/v1beta1"))]
#[case("apiVersion", json!("admission.k8s.io/v2"))]
#[case("apiVersion", json!("v1"))]
#[case("apiVersion", Value::Null)]
#[case("kind", json!("ConversionReview"))]
#[case("kind", json!(""))]
fn fault_9_only_v1_admission_reviews_are_answered(#[case] key: &str, #[case] value: Value) {
    let mut review = Write::create(&daemon_set()).review;
    review[key] = value;
    assert_unreadable(
        review.to_string().as_bytes(),
        "expected \"AdmissionReview\" of \"admission.k8s.io/v1\"",
    );
}

#[test]
fn fault_10_a_uid_is_needed_and_comes_back_byte_for_byte() {
    for uid in [Value::Null, json!("")] {
        assert_unreadable(
            Write::create(&daemon_set()).set("uid", uid).review.to_string().as_bytes(),
            "no uid",
        );
    }
    let mut missing = Write::create(&daemon_set()).review;
    missing["request"].as_object_mut().unwrap().remove("uid");
    assert_unreadable(missing.to_string().as_bytes(), "no uid");
    for uid in ["u".repeat(65_536), "<&> \" \\ \u{1f980} \u{7f}".to_owned()] {
        assert_eq!(Write::create(&daemon_set()).set("uid", json!(uid)).judge(&adopt()).response["uid"], uid);
    }
}

#[test]
fn fault_11_a_review_without_a_request() {
    assert_unreadable(br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}"#, "no request");
    assert_unreadable(
        br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":null}"#,
        "no request",
    );
    assert_unreadable(
        br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":[]}"#,
        "request object",
    );
    for key in ["operation", "resource"] {
        let mut review = Write::create(&daemon_set()).review;
        review["request"].as_object_mut().unwrap().remove(key);
        assert_unreadable(review.to_string().as_bytes(), key);
    }
    assert_unreadable(
        Write::create(&daemon_set()).set("operation", json!("PATCH")).review.to_string().as_bytes(),
        "operation is \"PATCH\"",
    );
}

#[test]
fn fault_12_a_missing_object() {
    assert_odd(&Write::create(&daemon_set()).set("object", Value::Null).judge(&adopt()));
    assert_odd(&Write::update(&Value::Null, &daemon_set()).judge(&adopt()));
    assert_odd(&Write::update(&json!(7), &daemon_set()).judge(&adopt()));
    let delete = Write::update(&Value::Null, &Value::Null).set("operation", json!("DELETE"));
    delete.set("name", json!("aws-node")).judge(&adopt()).assert_left("outside-catalogue");
}

#[test]
fn fault_13_metadata_that_is_none() {
    assert_odd(&with_metadata(Value::Null).judge(&adopt()));
    assert_odd(&with_metadata(json!([])).judge(&adopt()));
    assert_odd(&with_metadata(json!("x")).judge(&adopt()));
    let mut none = with_metadata(json!({}));
    none.review["request"]["object"].as_object_mut().unwrap().remove("metadata");
    assert_odd(&none.judge(&adopt()));
}

#[test]
fn fault_14_labels_and_annotations_that_are_null_or_no_strings() {
    for empty in [Value::Null, json!({})] {
        let seen =
            with_metadata(json!({"name": "aws-node", "labels": empty, "annotations": empty})).judge(&adopt());
        assert_eq!(
            seen.label("app.kubernetes.io/managed-by"),
            Some("Helm"),
            "the parent map is made when missing"
        );
        assert_eq!(seen.annotation("meta.helm.sh/release-name"), Some("aws-vpc-cni"));
    }
    assert_odd(&with_metadata(json!({"labels": {"x": 1}})).judge(&adopt()));
    assert_odd(&with_metadata(json!({"labels": {"app.kubernetes.io/managed-by": null}})).judge(&adopt()));
    assert_odd(&with_metadata(json!({"annotations": ["x"]})).judge(&adopt()));
    assert_odd(&with_metadata(json!({"annotations": {"x": {"y": "z"}}})).judge(&adopt()));
}

#[test]
fn fault_15_keys_are_escaped_as_json_pointers() {
    let seen = Write::create(&daemon_set()).judge(&adopt());
    let paths: Vec<&str> = seen
        .patch
        .as_ref()
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|op| op["path"].as_str())
        .collect();
    assert!(paths.contains(&"/metadata/labels/cni-steward.dev~1installed-by"), "{paths:?}");
}

#[test]
fn fault_16_full_annotations_are_not_pushed_over_the_limit() {
    let filled = |bytes: usize| {
        let mut object = daemon_set();
        object["metadata"]["annotations"] = json!({"a": "x".repeat(bytes - 1)});
        Write::create(&object).judge(&adopt())
    };
    let ours = "meta.helm.sh/release-name".len()
        + "aws-vpc-cni".len()
        + "meta.helm.sh/release-namespace".len()
        + "kube-system".len();
    assert_eq!(filled(256 * 1024 - ours).reason(), "adopted");
    let full = filled(256 * 1024 - ours + 1);
    full.assert_left("annotations-full");
    assert!(full.warnings()[0].contains("256 KiB"), "{:?}", full.warnings());
}

#[test]
fn fault_17_managed_fields_of_every_odd_form_never_make_a_patch_that_does_not_apply() {
    let odd_entries = [
        json!([]),
        json!([{}]),
        json!({}),
        json!("x"),
        json!([7, null, "x", []]),
        json!([{"manager": "eks", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV2", "fieldsV1": {}}]),
        json!([{"manager": "eks", "operation": "apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {}}]),
        json!([entry("eks", "Apply", json!("garbage"))]),
        json!([entry("eks", "Apply", json!({"k:nonsense": {}, "": {}, "f:a": 7}))]),
        json!([entry("eks", "Apply", Value::Null)]),
        json!([
            entry("helm", "Apply", json!({"f:a": {}})),
            entry("helm", "Apply", json!({"f:b": {}})),
            eks()
        ]),
        json!([entry(&"m".repeat(200), "Update", json!({"f:a": {}})), eks()]),
        Value::Array(
            (0..500).map(|i| entry(&format!("m{i}"), "Update", json!({format!("f:{i}"): {}}))).collect(),
        ),
    ];
    for list in odd_entries {
        let mut object = daemon_set();
        object["metadata"]["managedFields"] = list.clone();
        for write in
            [Write::create(&object), Write::update(&object, &object), Write::update(&daemon_set(), &object)]
        {
            let seen = write.judge(&adopt());
            assert_eq!(seen.response["allowed"], true, "{list}");
            let again = Write { review: write.set("object", seen.object.clone()).review }.judge(&adopt());
            assert_eq!(again.patch, None, "a second look changes nothing: {list}");
        }
    }
}

fn eks() -> Value {
    entry("eks", "Apply", json!({"f:spec": {}}))
}

#[test]
fn fault_29_unknown_future_keys_are_preserved() {
    let mut object = daemon_set();
    object["future"] = json!({"a": [1, 2]});
    object["metadata"]["futureToo"] = json!("x");
    let mut write = Write::create(&object);
    write.review["future"] = json!(1);
    write.review["request"]["future"] = json!({"x": []});
    let seen = write.judge(&adopt());
    assert_eq!(seen.reason(), "adopted");
    assert_eq!(seen.object["future"], object["future"]);
    assert_eq!(seen.object["metadata"]["futureToo"], "x");
}

#[test]
fn fault_16_a_managed_addon_s_write_with_full_annotations_is_not_marked() {
    let mut object = daemon_set();
    object["metadata"]["annotations"] = json!({"x": "y".repeat(256 * 1024 - 10)});
    let seen = Write::create(&object).addon().judge(&adopt());
    seen.assert_left("annotations-full");
}

#[test]
fn what_is_null_is_absent() {
    let mut write = Write::create(&daemon_set());
    write.review["request"]["userInfo"]["groups"] = Value::Null;
    write.review["request"]["dryRun"] = Value::Null;
    assert_eq!(write.judge(&adopt()).verdict(), "amend");
    assert_unreadable(write.set("resource", Value::Null).review.to_string().as_bytes(), "resource");
}

/// The API server drops what has control characters, and cuts what is long.
#[test]
fn a_warning_is_one_line_of_120_letters_whatever_it_names() {
    for name in ["ü".repeat(200), "a\nb\u{1b}".repeat(60), "x".repeat(300)] {
        let mut object = daemon_set();
        object["metadata"]["annotations"] =
            json!({"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": "kube-system"});
        let seen = Write::create(&object).judge(&adopt());
        let warning = &seen.warnings()[0];
        assert_eq!(warning.chars().count(), 120, "{warning:?}");
        assert!(warning.ends_with('…') && !warning.chars().any(char::is_control), "{warning:?}");
    }
}

/// A log for a terminal has lines; what an object says begins none.
#[test]
fn what_is_told_of_a_review_is_one_line() {
    let mut object = daemon_set();
    object["metadata"]["annotations"] = json!({
        "meta.helm.sh/release-name": "x\n2026-01-01T00:00:00Z INFO all is well\r\u{1b}[1m",
        "meta.helm.sh/release-namespace": "kube-system",
    });
    let seen = Write::create(&object).judge(&adopt());
    let message = &seen.answer.record.message;
    assert!(message.contains("all is well") && !message.contains(char::is_control), "{message:?}");
}

/// Log and Events keep what is told of a review longer than its body, and the body is whoever's.
#[test]
fn what_is_told_of_a_review_is_short_however_long_its_names_are() {
    for name in ["kube-root", "aws-node"] {
        // No limit falls between two of its characters.
        let long = format!("a{}", "ü".repeat(1 << 20));
        let body = Write::create(&daemon_set())
            .set("name", json!(name))
            .set("uid", json!(long))
            .set("userInfo", json!({"username": long, "groups": []}))
            .set("options", json!({"fieldManager": long}))
            .review
            .to_string();
        let record = see(body.as_bytes(), &adopt()).answer.record;
        let texts = [
            ("uid", record.decision(), 64),
            ("user", &*record.username, 512),
            ("manager", &*record.manager, 512),
            ("message", &*record.message, 4096),
        ];
        for (what, text, most) in texts {
            assert!(text.len() <= most, "{name}: {} bytes of {what}, at most {most} are told", text.len());
        }
    }
}
