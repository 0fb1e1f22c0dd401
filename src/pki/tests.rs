//! The plan, case by case.

use jiff::ToSpan as _;

use super::*;

struct Kept {
    ca: Pair,
    leaf: Pair,
    now: Timestamp,
}

fn names() -> Vec<Name> {
    ["127.0.0.1", "::1", "localhost"].iter().map(|name| name.parse().unwrap()).collect()
}

fn kept() -> Kept {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let ca = authority::make(now).unwrap();
    let leaf = leaf::make(now, &ca, &names()).unwrap();
    Kept { ca, leaf, now }
}

impl Kept {
    fn stored(&self) -> Stored<'_> {
        Stored {
            ca_cert: Some(&self.ca.cert),
            ca_key: Some(&self.ca.key),
            cert: Some(&self.leaf.cert),
            key: Some(&self.leaf.key),
        }
    }

    fn after(&self, days: i64) -> Timestamp {
        self.now.checked_add((days * 24).hours()).unwrap()
    }
}

fn fault(part: Part, why: Why) -> Result<Step, Fault> {
    Err(Fault { part, why })
}

#[test]
fn nothing_stored_asks_for_an_authority() {
    let step = plan(kept().now, &Stored::default(), &names());
    assert!(matches!(step, Ok(Step::NewAuthority(_))));
}

#[test]
fn a_fresh_pair_is_kept_and_a_pair_near_its_end_renewed() {
    let kept = kept();
    let step = |days| plan(kept.after(days), &kept.stored(), &names()).unwrap();
    assert_eq!(step(0), Step::Keep);
    assert_eq!(step(240), Step::Keep);
    assert!(matches!(step(250), Step::RenewLeaf(_)));
    assert!(matches!(step(366), Step::RenewLeaf(_)));
    assert!(matches!(step(3651), Step::NewAuthority(_)));
}

#[test]
fn a_leaf_is_renewed_in_the_last_third_of_its_life_and_not_an_instant_before() {
    let kept = kept();
    let end = Certificate::read(&kept.leaf.cert).unwrap().not_after;
    let third = end.checked_sub(LEAF_LIFE / 3).unwrap();
    assert_eq!(plan(third, &kept.stored(), &names()), Ok(Step::Keep));
    let next = third.checked_add(1.nanosecond()).unwrap();
    assert!(matches!(plan(next, &kept.stored(), &names()), Ok(Step::RenewLeaf(_))));
}

/// Fault 39: the clock was set back.
#[test]
fn a_leaf_from_the_future_is_renewed_and_an_authority_from_the_future_reported() {
    let kept = kept();
    let before = |hours: i64| kept.now.checked_add((-hours).hours()).unwrap();
    assert!(matches!(plan(before(2), &kept.stored(), &names()), Ok(Step::RenewLeaf(_))));
    let ca = Certificate::read(&kept.ca.cert).unwrap();
    assert_eq!(
        plan(before(48), &kept.stored(), &names()),
        fault(Part::AuthorityCert, Why::NotYetValid(ca.not_before))
    );
}

#[test]
fn a_leaf_at_its_authoritys_end_is_not_renewed_over_and_over() {
    let mut kept = kept();
    let late = kept.after(3600);
    kept.leaf = leaf::make(late, &kept.ca, &names()).unwrap();
    assert_eq!(plan(late, &kept.stored(), &names()), Ok(Step::Keep));
}

#[test]
fn a_name_that_is_missing_asks_for_a_new_leaf() {
    let kept = kept();
    let mut wanted = names();
    wanted.push("host.minikube.internal".parse().unwrap());
    let Ok(Step::RenewLeaf(why)) = plan(kept.now, &kept.stored(), &wanted) else { panic!("no renewal") };
    assert!(why.contains("host.minikube.internal"), "{why}");
}

/// Fault 37: emptied, truncated, key of another.
#[test]
fn what_is_damaged_is_a_fault_of_its_part() {
    let kept = kept();
    let (now, names, other) = (kept.now, names(), self::kept());
    let cut = &kept.leaf.cert[..kept.leaf.cert.len() / 2];
    let plan = |stored: &Stored<'_>| plan(now, stored, &names);
    assert_eq!(
        plan(&Stored { key: Some(&other.leaf.key), ..kept.stored() }),
        fault(Part::Key, Why::WrongKey)
    );
    assert_eq!(
        plan(&Stored { ca_key: Some(&other.ca.key), ..kept.stored() }),
        fault(Part::AuthorityKey, Why::WrongKey)
    );
    assert_eq!(plan(&Stored { key: Some(""), ..kept.stored() }), fault(Part::Key, Why::NotAKey));
    assert_eq!(plan(&Stored { key: None, ..kept.stored() }), fault(Part::Key, Why::Missing));
    assert_eq!(plan(&Stored { cert: None, ..kept.stored() }), fault(Part::Cert, Why::Missing));
    assert_eq!(plan(&Stored { ca_cert: None, ..kept.stored() }), fault(Part::AuthorityCert, Why::Missing));
    assert_eq!(
        plan(&Stored { ca_cert: Some(&kept.leaf.cert), ..kept.stored() }),
        fault(Part::AuthorityCert, Why::NotAnAuthority)
    );
    assert!(matches!(
        plan(&Stored { cert: Some(cut), ..kept.stored() }),
        Err(Fault { part: Part::Cert, why: Why::NotACertificate(_) })
    ));
    assert!(matches!(
        plan(&Stored { ca_cert: Some(&other.ca.cert), ca_key: None, ..kept.stored() }),
        Err(Fault { part: Part::Cert, why: Why::WrongAuthority(_) })
    ));
}

#[test]
fn an_expired_authority_makes_no_leaf_any_more() {
    let kept = kept();
    let later = kept.now.checked_add(jiff::SignedDuration::from_hours(24 * 366 * 30)).unwrap();
    for stored in [Stored { cert: None, key: None, ..kept.stored() }, kept.stored()] {
        let step = plan(later, &stored, &names());
        assert!(matches!(&step, Ok(Step::NewAuthority(why)) if why.contains("expired")), "{step:?}");
    }
}

#[test]
fn without_the_authoritys_key_a_leaf_is_served_to_its_end() {
    let kept = kept();
    let stored = Stored { ca_key: None, ..kept.stored() };
    assert_eq!(plan(kept.after(300), &stored, &names()), Ok(Step::Keep));
    assert_eq!(plan(kept.after(366), &stored, &names()), fault(Part::AuthorityKey, Why::Missing));
}

#[test]
fn names_are_addresses_or_dns_names() {
    for good in ["10.0.0.1", "fd00::1", "localhost", "host.docker.internal", "*.example.org", "A-1.b"] {
        assert!(good.parse::<Name>().is_ok(), "{good}");
    }
    for bad in ["", "a b", "-a", "a..b", "a.b.", "1.2.3", "10.0.0.256", "https://x", "x:443", "ä.de"] {
        assert!(bad.parse::<Name>().is_err(), "{bad}");
    }
}

#[test]
fn a_pair_or_what_holds_one_shows_no_key() {
    let Kept { ca, leaf, now } = kept();
    let step = Step::Keep;
    for shown in [format!("{ca:?}"), format!("{leaf:#?} {step:?} {now}")] {
        assert!(shown.contains("BEGIN CERTIFICATE"), "{shown}");
        for key in [&ca.key, &leaf.key] {
            let secret = key.lines().nth(1).unwrap();
            assert!(!shown.contains("PRIVATE KEY") && !shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn of_a_certificate_the_names_and_all_its_bytes_count() {
    let kept = kept();
    let certificate = Certificate::read(&kept.leaf.cert).unwrap();
    let names: Vec<String> = certificate.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["127.0.0.1", "::1", "localhost"]);
    let longer = [certificate.der().as_ref(), &[0]].concat();
    let error = Certificate::from_der(longer.into()).unwrap_err();
    assert!(error.to_string().contains("bytes after its end"), "{error}");

    let mut params = rcgen::CertificateParams::default();
    let other = rcgen::SanType::Rfc822Name("joe@example.org".try_into().unwrap());
    params.subject_alt_names = vec![other, rcgen::SanType::DnsName("a.b".try_into().unwrap())];
    let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    assert_eq!(
        Certificate::read(&pem).unwrap().names,
        ["a.b".parse().unwrap()],
        "an address of mail is no name"
    );
}

#[test]
fn a_chain_of_nothing_has_no_leaf() {
    assert!(matches!(chain::leaf(&[]), Err(Why::NotACertificate(_))));
}

#[test]
fn an_authority_may_stand_alone_but_not_before_a_leaf() {
    let kept = kept();
    let first = |texts: &[&str]| {
        let chain = chain::read(&texts.concat()).unwrap();
        chain::leaf(&chain).map(Certificate::fingerprint)
    };
    let (leaf, ca) = (&*kept.leaf.cert, &*kept.ca.cert);
    for good in [&[leaf][..], &[leaf, ca], &[ca]] {
        assert_eq!(first(good), Ok(Certificate::read(good[0]).unwrap().fingerprint()));
    }
    assert_eq!(first(&[ca, leaf]), Err(Why::LeafNotFirst));
    assert_eq!(first(&[leaf, ca, leaf]), Err(Why::NotAnIssuer(3)));
}

#[test]
fn a_bundle_holds_authorities_and_nothing_else() {
    let kept = kept();
    let (leaf, ca) = (&*kept.leaf.cert, &*kept.ca.cert);
    for (texts, outcome) in
        [(&[ca][..], Ok(())), (&[ca, ca], Ok(())), (&[ca, leaf], Err(Why::NotAnAuthority))]
    {
        assert_eq!(chain::authorities(&chain::read(&texts.concat()).unwrap()), outcome);
    }
}

/// Such a one was read here and by no client, and leaves were made under it without end.
#[test]
fn an_authority_with_any_wrong_bit_is_none_of_ours() {
    let kept = kept();
    let whole = Certificate::read(&kept.ca.cert).unwrap();
    assert!(whole.is_authority_of_ours());
    for at in 0..whole.der().len() {
        let mut der = whole.der().to_vec();
        der[at] ^= 1 << (at % 8);
        let ours = Certificate::from_der(der.into()).is_ok_and(|read| read.is_authority_of_ours());
        assert!(!ours, "bit {} of byte {at}", at % 8);
    }
    assert!(!Certificate::read(&kept.leaf.cert).unwrap().is_authority_of_ours(), "a leaf");
}

#[test]
fn hashes_are_told_in_hexadecimal_from_their_first_byte_on() {
    let kept = kept();
    let certificate = Certificate::read(&kept.ca.cert).unwrap();
    let sha256 = |bytes: &[u8]| {
        let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
        u64::from_be_bytes(*hash.as_ref().first_chunk().unwrap())
    };
    let shown = format!("{:016x}", sha256(certificate.der()));
    assert_eq!(certificate.fingerprint().to_string(), shown);
    assert_eq!(format!("{:?}", certificate.fingerprint()), shown);
    let key = rcgen::KeyPair::from_pem(&kept.ca.key).unwrap();
    let shown = format!("{:016x}", sha256(&rcgen::PublicKeyData::subject_public_key_info(&key)));
    assert_eq!(certificate.subject, format!("{}{}", authority::NAME, &shown[..8]));
}

#[test]
fn no_private_key_is_printed_for_whoever_debugs() {
    let ca = kept().ca;
    let authority =
        keeping::Authority { certificate: Certificate::read(&ca.cert).unwrap(), key: Some(ca.key.clone()) };
    let printed = format!("{authority:?} {ca:?}");
    let secret: Vec<&str> = ca.key.lines().filter(|line| !line.starts_with("---")).collect();
    assert!(!secret.is_empty() && !secret.iter().any(|line| printed.contains(line)), "{printed}");
    assert!(!printed.contains("PRIVATE KEY"), "{printed}");
}
