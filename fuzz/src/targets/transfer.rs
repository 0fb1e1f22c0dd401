//! A list of `managedFields` and the stored one before it, drawn.

use crate::Target;
use crate::draw::Draw;
use crate::field_laws::transferred;

/// The target.
pub const TARGET: Target = Target {
    name: "transfer",
    about: "a drawn list and the stored one: a fixed point, no path lost, what is not ours byte for byte",
    seeds: &[],
    dictionary: "",
    longest: 2 << 10,
    run,
};

fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let (merge, own, disown, stored) = (!draw.flag(), draw.flag(), draw.flag(), draw.flag());
    let list = draw.list();
    let stored = stored.then(|| if draw.flag() { list.clone() } else { draw.list() });
    transferred(&list, stored.as_deref(), merge, own, disown);
}
