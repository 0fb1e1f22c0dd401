//! Certificates and keys as somebody may give them: `--cert`, `--key`, `--ca`, a `caBundle`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cni_steward::pki::{Bundle, Certificate, Stored, chain, plan};
use cni_steward::trust::certified::certified;

use super::secret::Pool;
use crate::Target;

/// The target.
pub const TARGET: Target = Target {
    name: "pem",
    about: "a PEM text as chain, bundle, authority and key: what is read is written and read again as the same",
    seeds: &[],
    dictionary: "pem.dict",
    longest: 8 << 10,
    run,
};

/// Base64 hides what it holds from libFuzzer: after `C` comes a certificate's DER, after `K` a key's.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let wrapped = |what: &str, der: &[u8]| {
        let der = STANDARD.encode(der);
        Cow::Owned(format!("-----BEGIN {what}-----\n{der}\n-----END {what}-----\n"))
    };
    match bytes.split_first() {
        Some((b'C', der)) => wrapped("CERTIFICATE", der),
        Some((b'K', der)) => wrapped("PRIVATE KEY", der),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn run(bytes: &[u8]) {
    let text = text_of(bytes);
    drop(certified(text.as_bytes(), text.as_bytes()));
    let pool = Pool::get();
    drop(certified(text.as_bytes(), pool.texts[1].as_bytes()));
    drop(certified(pool.texts[0].as_bytes(), text.as_bytes()));
    let bundle = Bundle::read(&text);
    let written = Bundle::read(&bundle.pem());
    assert!(bundle.fingerprints().eq(written.fingerprints()), "a bundle reads back");
    let now = "2026-01-01T12:00:00Z".parse().expect("a time");
    let stored = Stored { ca_cert: Some(&text), ca_key: Some(&text), cert: Some(&text), key: Some(&text) };
    drop(plan(now, &stored, &[]));
    let Ok(all) = chain::read(&text) else { return };
    for certificate in &all {
        let again = Certificate::read(&certificate.pem()).expect("our own text");
        assert_eq!(again.fingerprint(), certificate.fingerprint());
        assert_eq!((again.not_before, again.not_after), (certificate.not_before, certificate.not_after));
        assert_eq!(again.names, certificate.names);
        drop(certificate.belongs_to(&text));
    }
    drop((chain::leaf(&all), chain::authorities(&all), chain::leads_to(&all, &all)));
}
