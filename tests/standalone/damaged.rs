//! What is damaged: reported, never overwritten.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use cni_steward::pki::{self};
use cni_steward::telemetry::clock;

use crate::place::{in_days, mode, place};
use crate::program::arg;

/// Faults 37, 45: emptied, truncated, exchanged, not text. Each is named with its reason, and nothing changes.
#[test]
fn what_is_damaged_is_reported_by_name_and_never_overwritten() {
    let other = place();
    for name in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
        let whole = fs::read(other.path(name)).unwrap();
        for damage in [&[][..], &whole[..whole.len() / 2], &whole[..], &[0xff; 50]] {
            let place = place();
            fs::write(place.path(name), damage).unwrap();
            let before = place.all();
            let (code, said) = place.serve();
            assert_eq!(code, 2, "{said}");
            assert!(said.contains("Nothing was changed"), "{said}");
            assert_eq!(place.all(), before, "{name}");
            // A foreign ca.crt shows in the key or the leaf beside it; everything else in the file itself.
            let names_it = said.contains(arg(&place.path(name)));
            assert!(names_it || damage == whole && ["ca.crt", "tls.crt"].contains(&name), "{name}: {said}");
        }
    }
}

#[test]
fn a_file_that_is_missing_beside_others_is_reported() {
    for name in ["ca.crt", "tls.crt", "tls.key"] {
        let place = place();
        fs::remove_file(place.path(name)).unwrap();
        let error = place.load(clock::now()).unwrap_err().to_string();
        assert!(error.contains(arg(&place.path(name))) && error.contains("missing"), "{error}");
    }
    let place = place();
    fs::remove_file(place.path("ca.key")).unwrap();
    place.load(in_days(300)).unwrap();
    let error = place.load(in_days(366)).unwrap_err().to_string();
    assert!(error.contains("ca.key"), "{error}");
}

#[test]
fn a_directory_that_others_can_write_is_refused_and_left_alone() {
    let place = place();
    fs::set_permissions(&place.state.directory, fs::Permissions::from_mode(0o777)).unwrap();
    let (code, said) = place.serve();
    assert!(code == 2 && said.contains("writable by others"), "{said}");
    assert_eq!(mode(&place.state.directory), 0o777);
}

/// Fault 41, in files: killed between any two steps of an exchange.
#[test]
fn a_crash_while_renewing_leaves_the_old_pair_or_the_new() {
    let place = place();
    let (old_cert, old_key) = (place.read("tls.crt"), place.read("tls.key"));
    let ca = pki::Pair { cert: place.read("ca.crt"), key: place.read("ca.key") };
    let new = pki::leaf::make(clock::now(), &ca, &place.state.names).unwrap();
    let (new_cert, new_key) = (new.cert, new.key);
    let cases = [
        (&old_key, &old_cert, Some(&new_key), None, &old_cert),
        (&old_key, &old_cert, Some(&new_key), Some(&new_cert), &new_cert),
        (&new_key, &old_cert, None, Some(&new_cert), &new_cert),
    ];
    for (key, cert, staged_key, staged_cert, expected) in cases {
        fs::write(place.path("tls.key"), key).unwrap();
        fs::write(place.path("tls.crt"), cert).unwrap();
        fs::write(place.path(".tls.crt.tmp"), "half a certif").unwrap();
        for (name, staged) in [(".tls.key.new", staged_key), (".tls.crt.new", staged_cert)] {
            if let Some(text) = staged {
                fs::write(place.path(name), text).unwrap();
            }
        }
        place.load(clock::now()).unwrap();
        assert_eq!(&&place.read("tls.crt"), &expected);
        assert!(!place.path(".tls.key.new").exists() && !place.path(".tls.crt.new").exists());
    }
}
