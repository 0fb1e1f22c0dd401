//! The Secret with authority and leaves, spoilt in any way, and what a replica makes of it.
//!
//! Certificates and keys are made from constants (Ed25519 signs without chance), so that no key has to be committed and a
//! finding stays one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cni_steward::pki::coverage::Version;
use cni_steward::pki::keeping::KEYS;
use cni_steward::pki::rotation::carry_out::apply;
use cni_steward::pki::rotation::{Canary, Lifetimes, Step};
use cni_steward::pki::{Keeping, Name, Replica, authority};
use cni_steward::trust::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SerialNumber,
};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::Target;
use crate::draw::Draw;

/// The target.
pub const TARGET: Target = Target {
    name: "secret",
    about: "a spoilt Secret: what is read belongs together, and a replica with the lease comes to a whole one again",
    seeds: &[],
    dictionary: "",
    longest: 1 << 10,
    run,
};

/// What the pool is made for.
const NAME: &str = "cni-steward.kube-system.svc";
const NOW: &str = "2026-01-01T12:00:00Z";

/// Certificates and keys that do, or do not, belong together.
#[derive(Debug)]
pub struct Pool {
    /// PEM texts, certificates and keys.
    pub texts: Vec<String>,
}

fn key(seed: u8) -> KeyPair {
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    KeyPair::try_from([&HEAD[..], &[seed; 32]].concat()).expect("a key")
}

/// Not before and not after, in days from [`NOW`].
fn params(name: &str, days: [i64; 2], serial: u64) -> CertificateParams {
    let now: Timestamp = NOW.parse().expect("a time");
    let moment =
        |days: i64| OffsetDateTime::from_unix_timestamp(now.as_second() + days * 86_400).expect("a time");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    (params.not_before, params.not_after) = (moment(days[0]), moment(days[1]));
    params
}

impl Pool {
    /// The pool, made once.
    pub fn get() -> &'static Self {
        static MADE: OnceLock<Pool> = OnceLock::new();
        MADE.get_or_init(Self::make)
    }

    fn make() -> Self {
        let mut texts = Vec::new();
        for (seed, name, days) in [
            (1, format!("{}aaaaaaaa", authority::NAME), [-400, 3000]),
            (2, format!("{}bbbbbbbb", authority::NAME), [-1, 3649]),
            (3, format!("{}cccccccc", authority::NAME), [-400, -1]),
            (4, "somebody else's CA".to_owned(), [-400, 3000]),
        ] {
            let ca_key = key(seed);
            let mut ca = params(&name, days, seed.into());
            ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            texts.push(ca.self_signed(&ca_key).expect("a certificate").pem());
            texts.push(ca_key.serialize_pem());
            let issuer = Issuer::new(ca, ca_key);
            for (seed, names, days) in [
                (seed + 10, vec![NAME.to_owned()], [-1, 89]),
                (seed + 20, vec![NAME.to_owned()], [-90, -1]),
                (seed + 30, vec!["elsewhere.example".to_owned()], [-1, 89]),
            ] {
                let leaf_key = key(seed);
                let mut leaf = params("cni-steward server", days, seed.into());
                leaf.subject_alt_names = names
                    .into_iter()
                    .map(|name| rcgen::SanType::DnsName(name.try_into().expect("a name")))
                    .collect();
                texts.push(leaf.signed_by(&leaf_key, &issuer).expect("a certificate").pem());
                texts.push(leaf_key.serialize_pem());
            }
        }
        Self { texts }
    }
}

/// The Secret as an API server gives it.
fn secret(draw: &mut Draw<'_>) -> Value {
    let pool = Pool::get();
    let mut data = Map::new();
    for (at, name) in KEYS.into_iter().enumerate() {
        // Where each belongs in a Secret of one whole family: the authority's pair, the leaf's, then the coming ones.
        const HOME: [usize; 9] = [0, 1, 2, 3, 8, 9, 10, 11, 16];
        let value = match draw.below(8) {
            0..=2 => continue,
            3 | 4 => json!(STANDARD.encode(&pool.texts[HOME[at]])),
            5 => json!(STANDARD.encode(draw.of(&pool.texts))),
            6 => {
                let mut text = draw.of(&pool.texts).into_bytes();
                draw.spoil(&mut text);
                json!(STANDARD.encode(text))
            }
            _ => draw.of(&[
                json!(""),
                json!(7),
                Value::Null,
                json!("not base64"),
                json!(STANDARD.encode("text")),
            ]),
        };
        data.insert(name.to_owned(), value);
    }
    json!({"metadata": {"resourceVersion": "1"}, "data": data})
}

fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let stored = secret(&mut draw);
    let names: Vec<Name> = vec![NAME.parse().expect("a name")];
    let read: Secret = serde_json::from_value(stored).expect("a Secret");
    let mut texts = read.texts();
    let keeping = Keeping::read(&texts, &names);
    whole(&keeping, &names);

    let mut world = World::new(draw.flag().then(|| keeping.clone()));
    for round in 0..24 {
        let keeping = Keeping::read(&texts, &names);
        whole(&keeping, &names);
        let Some(step) = world.next(keeping) else {
            let leaf =
                world.replica.keeping().leaf.as_ref().expect("a leaf in force when nothing is to be done");
            assert!(leaf.certificate.not_after > world.now, "an expired leaf is left in force");
            assert!(world.replica.served().is_some(), "nothing is served");
            return;
        };
        let changes = world.replica.carry_out(&step, world.now, world.now, &names);
        let changes = changes.unwrap_or_else(|problem| panic!("round {round}: {step:?}: {problem}"));
        texts = apply(&texts, &changes);
    }
    panic!("no end: {:?}", world.done);
}

/// What is read belongs together.
fn whole(keeping: &Keeping, names: &[Name]) {
    for leaf in [&keeping.leaf, &keeping.next_leaf].into_iter().flatten() {
        leaf.certificate.belongs_to(&leaf.pair.key).expect("its own key");
        leaf.certificate.signed_by(&leaf.signer).expect("its own signer");
        assert!(names.iter().all(|name| leaf.certificate.names.contains(name)));
    }
    for authority in [&keeping.authority, &keeping.next_authority].into_iter().flatten() {
        assert!(authority.certificate.is_authority_of_ours());
        if let Some(key) = &authority.key {
            authority.certificate.belongs_to(key).expect("its own key");
        }
    }
    assert!(keeping.old.iter().all(cni_steward::pki::Certificate::is_authority_of_ours));
}

/// A replica that leads, and an API server that does as it is told.
struct World {
    replica: Replica,
    entries: Vec<cni_steward::pki::Bundle>,
    generation: i64,
    at: Duration,
    now: Timestamp,
    done: Vec<&'static str>,
}

impl World {
    fn new(mounted: Option<Keeping>) -> Self {
        Self {
            replica: Replica::new(Lifetimes::default(), mounted),
            entries: vec![cni_steward::pki::Bundle::default()],
            generation: 1,
            at: Duration::ZERO,
            now: NOW.parse().expect("a time"),
            done: Vec::new(),
        }
    }

    /// Tells the API server what to trust until that is settled; gives the next write of the Secret.
    fn next(&mut self, keeping: Keeping) -> Option<Step> {
        self.replica.see_secret(Arc::new(keeping));
        for _ in 0..6 {
            let version = Version { uid: "u".into(), generation: self.generation };
            self.replica.see_configuration(self.at, Some(&version), self.entries.clone());
            self.replica.settle(self.at, self.now);
            let next = self.replica.keeping().next_leaf.as_ref();
            let canary = next.map_or(Canary::Silent, |leaf| {
                Canary::Trusted(leaf.certificate.fingerprint(), Duration::ZERO)
            });
            let plan = self.replica.plan(self.now, self.now, self.at, canary);
            if let Some(bundle) = plan.trust {
                self.entries = vec![bundle];
                self.generation += 1;
                self.done.push("trust");
            } else if let Some(step) = plan.secret {
                self.done.push(step.name());
                return Some(step);
            } else if plan.waiting.is_none() && !self.replica.holds_back() {
                return None;
            } else {
                self.done.push("wait");
            }
            self.at += Duration::from_mins(3);
            self.now += SignedDuration::from_mins(3);
        }
        panic!("no end of waiting: {:?}", self.done);
    }
}
