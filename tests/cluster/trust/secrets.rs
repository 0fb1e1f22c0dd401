//! What is secret stays so, and what has become known is got rid of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{HOOKS, SECRET, Scene};
use crate::support::control_plane::{User, Version};
use crate::support::fixtures;

/// Even with all that it, or a library, has to tell.
pub(super) fn logged_nowhere() {
    const CONTENT: &str = "content-of-an-object";
    let scene = Scene::new(Version::V1_36);
    let config = scene.plane.kubeconfig(User::Admin);
    let steward = scene.start_from(&config, "", &["--drain=0s", "--log-level=trace"]);
    scene.await_trust("from nothing");
    scene.plane.eks_apply(fixtures::EKS_APPLY).ok();
    let patch =
        format!(r#"{{"data":{{"other":"{CONTENT}"}},"metadata":{{"annotations":{{"other":"{CONTENT}"}}}}}}"#);
    let args = ["patch", "cm/amazon-vpc-cni", "-n", "kube-system", "--type=merge", "-p", &patch];
    scene.plane.kubectl(User::Admin, &args).ok();
    scene.patch(&json!({"data": {"ca.key": null}}));
    let secret = scene.eventually("a new authority came", || {
        scene.secret().filter(|data| data["next-ca.key"].is_string() || data["old-ca.crt"].is_string())
    });
    scene.eventually("the write of an object was logged", || {
        scene
            .log()
            .lines()
            .any(|line| line.contains("amazon-vpc-cni") && line.contains("UPDATE"))
            .then_some(())
    });
    let log = scene.log();
    let mut secrets = vec![User::Admin.token().to_owned(), CONTENT.to_owned()];
    for (name, value) in secret.as_object().unwrap() {
        if name.contains(".key") {
            let value = value.as_str().unwrap();
            let pem = String::from_utf8(STANDARD.decode(value).unwrap()).unwrap();
            secrets.extend(pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));
            secrets.push(value[..60].to_owned());
        }
    }
    assert!(secrets.len() > 6, "expected keys in the Secret, got {:?}", secret.as_object().unwrap().keys());
    for one in &secrets {
        let line = log.lines().find(|line| line.contains(one));
        assert_eq!(line, None, "logged {one:?}");
    }
    drop(steward);
}

/// What docs/security-model.md says to do about a stolen Secret.
pub(super) fn replaced() {
    let scene = Scene::new(Version::V1_36);
    let steward = scene.start("");
    scene.await_trust("from nothing");
    let stolen = scene.secret().unwrap();
    let old = STANDARD.decode(stolen["ca.crt"].as_str().unwrap()).unwrap();
    scene.kill(steward);
    assert_eq!(scene.api.delete(SECRET).unwrap().status, 200);
    let entries = scene.bundles().len();
    let empty: Vec<_> = (0..entries)
        .map(|at| json!({"op": "remove", "path": format!("/webhooks/{at}/clientConfig/caBundle")}))
        .collect();
    let reply = scene.api.patch(HOOKS, "application/json-patch+json", &json!(empty)).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());

    let _steward = scene.start("");
    scene.await_trust("from nothing again");
    let new = scene.secret().unwrap();
    assert_ne!(new["ca.crt"], stolen["ca.crt"], "expected another authority");
    assert!(new.get("old-ca.crt").is_none(), "the stolen one is remembered: {new}");
    let old = String::from_utf8(old).unwrap();
    for bundle in scene.bundles() {
        let bundle = String::from_utf8(STANDARD.decode(bundle).unwrap()).unwrap();
        assert!(!bundle.contains(old.trim()), "the stolen authority is trusted still");
    }
}
