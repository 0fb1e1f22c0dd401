//! `status` on clusters in the states in which people meet us.

use crate::prepared::State;
use crate::scene::NEW;
use crate::support::control_plane::User;
use crate::support::steward::run;
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[Case { name: "status::looks", needs: NEW, run: looks }];

fn looks() {
    for state in State::ALL {
        if state.needs().is_some() && !std::env::var_os("ALL").is_some() {
            continue;
        }
        let prepared = state.prepare();
        let kubeconfig = prepared.plane.kubeconfig(User::Joe);
        println!("==== {state:?}");
        let start = std::time::Instant::now();
        println!("{}", run(&["status", "--kubeconfig", kubeconfig.to_str().unwrap()]).ok());
        println!("took {:?}", start.elapsed());
    }
}
