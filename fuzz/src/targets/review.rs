//! A body of `/mutate`, byte for byte.
//!
//! Beside the laws of an answer, the envelope is read a second time by serde. Ours is laxer in what it passes over
//! (law 6), so what is held is one direction: what serde understands we understand, and alike.

use std::borrow::Cow;

use cni_steward::admission::review::Review;
use cni_steward::policy::rules::Names;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Target;
use crate::review_laws::lawful;

/// The target.
pub const TARGET: Target = Target {
    name: "review",
    about: "a body of /mutate: the laws of an answer; the envelope read as serde reads it",
    seeds: &["tests/fixtures/reviews"],
    dictionary: "review.dict",
    longest: 64 << 10,
    run,
};

fn run(body: &[u8]) {
    let policies = super::policy::all();
    let policy = &policies[body.len() % policies.len()];
    if let Err(problem) = lawful(body, policy) {
        panic!("{problem}");
    }
    as_serde_reads_it(body);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    uid: Option<String>,
    resource: Option<Resource>,
    sub_resource: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    operation: Option<String>,
    user_info: Option<User>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
    dry_run: Option<bool>,
    options: Option<Options>,
}

#[derive(Deserialize)]
struct Resource {
    group: Option<String>,
    version: Option<String>,
    #[serde(rename = "resource")]
    plural: Option<String>,
}

#[derive(Deserialize)]
struct User {
    username: Option<String>,
    groups: Option<Vec<Option<String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    field_manager: Option<String>,
}

fn as_serde_reads_it(body: &[u8]) {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // What is passed over serde does not ask to be UTF-8; JSON is.
    let Ok(outer) = std::str::from_utf8(body)
        .map_err(drop)
        .and_then(|text| serde_json::from_str::<Outer<'_>>(text).map_err(drop))
    else {
        return;
    };
    let typed = outer.kind.as_deref() == Some("AdmissionReview")
        && outer.api_version.as_deref() == Some("admission.k8s.io/v1");
    let Some(request) = outer.request.filter(|_| typed) else { return };
    let operation = request.operation.as_deref().unwrap_or_default();
    let whole = matches!(operation, "CREATE" | "UPDATE" | "DELETE" | "CONNECT") && request.resource.is_some();
    let Some(uid) = request.uid.as_deref().filter(|uid| whole && !uid.is_empty()) else { return };

    let names = Names::default();
    let review = Review::parse(body, &names).unwrap_or_else(|problem| panic!("serde reads it: {problem}"));
    assert_eq!((&*review.uid, review.operation.name()), (uid, operation));
    let resource = request.resource.unwrap_or(Resource { group: None, version: None, plural: None });
    if resource.version.as_deref() != Some("v1") {
        assert_eq!(review.kind, None);
    } else if let Some(kind) = review.kind {
        let seen = (resource.group.unwrap_or_default(), resource.plural.unwrap_or_default());
        assert_eq!((seen.0.as_str(), seen.1.as_str()), kind.group_resource());
    }
    // Outside the catalogue nothing is read behind the head.
    if review.target(&names).is_none() {
        return;
    }
    let user = request.user_info.unwrap_or(User { username: None, groups: None });
    let groups: Vec<String> = user.groups.unwrap_or_default().into_iter().flatten().collect();
    let manager = request.options.and_then(|options| options.field_manager);
    let expected = [request.name, request.namespace, request.sub_resource, user.username, manager];
    let seen = [&review.name, &review.namespace, &review.subresource, &review.username, &review.manager];
    for (expected, seen) in expected.iter().zip(seen) {
        assert_eq!(expected.as_deref().unwrap_or_default(), &**seen);
    }
    assert_eq!(groups, review.groups);
    assert_eq!(request.dry_run.unwrap_or_default(), review.dry_run);
    for (expected, seen) in [(request.object, &review.object), (request.old_object, &review.old)] {
        assert_eq!(expected.map(RawValue::get), seen.as_ref().map(|(text, _)| *text));
        let Some((text, Ok(object))) = seen else { continue };
        let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
        let metadata = &value["metadata"];
        assert_eq!(value["apiVersion"].as_str(), Some(&*object.api_version));
        assert_eq!(metadata["name"].as_str().unwrap_or_default(), object.name);
        for (map, meta) in [("labels", &object.labels), ("annotations", &object.annotations)] {
            assert_eq!(metadata[map].is_object(), meta.present, "{map} of {text}");
            for key in cni_steward::policy::object::KEYS {
                assert_eq!(metadata[map][key].as_str(), meta.get(key), "{map}[{key}] of {text}");
            }
        }
        let entries = metadata["managedFields"].as_array().map(Vec::len);
        assert_eq!(
            entries,
            object.managed_fields.as_ref().map(|list| list.entries.len()),
            "entries of {text}"
        );
    }
}
