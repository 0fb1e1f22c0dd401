//! `adopt` on real API servers: it does what its plan says, Helm then answers what it foretells, and its undo brings the bytes
//! back and holds.

mod answers;
mod desk;
mod killed;
mod refused;
mod rights;
mod states;
mod undone;

use crate::prepared::State;
use crate::scene::{NEW, NEW_HELM_3, NEW_HELM_4};
use crate::support::control_plane::{Helm, Version};
use crate::support::suite::Case;
use crate::support::tools::Tool;

const BOTH: &[Tool] = &[Tool::ApiServer136, Tool::Etcd, Tool::Kubectl, Tool::Helm3, Tool::Helm4];
const OLD: &[Tool] = &[Tool::ApiServer124, Tool::Etcd, Tool::Kubectl, Tool::Helm4];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "adopt::what_eks_and_people_left_is_adopted_as_planned_and_stays_undone_for_a_minute",
        needs: BOTH,
        run: || states::all(&State::ALL[..7]),
    },
    Case {
        name: "adopt::what_other_tools_left_is_adopted_as_planned_and_stays_undone_for_a_minute",
        needs: BOTH,
        run: || states::all(&State::ALL[7..]),
    },
    Case {
        name: "adopt::on_1_24_it_is_as_planned_and_helm_4_installs_with_no_flags",
        needs: OLD,
        run: || answers::whole(Version::V1_24, Helm::V4),
    },
    Case {
        name: "adopt::helm_3_installs_with_no_flags",
        needs: NEW_HELM_3,
        run: || answers::whole(Version::V1_36, Helm::V3),
    },
    Case { name: "adopt::both_helms_fail_where_the_plan_says", needs: BOTH, run: answers::fail },
    Case { name: "adopt::killed_after_any_write_a_second_run_ends_right", needs: NEW, run: killed::all },
    Case {
        name: "adopt::a_run_cut_off_is_not_gone_on_with_once_others_wrote_or_another_end_is_wanted",
        needs: NEW,
        run: killed::stale,
    },
    Case {
        name: "adopt::ctrl_c_stops_between_two_writes_and_says_how_to_go_on",
        needs: NEW,
        run: killed::interrupted,
    },
    Case { name: "adopt::at_a_terminal_it_asks", needs: NEW, run: killed::asked },
    Case {
        name: "adopt::what_speaks_against_it_is_said_and_nothing_is_changed",
        needs: NEW_HELM_4,
        run: refused::all,
    },
    Case { name: "adopt::each_missing_right_is_named_before_the_first_write", needs: NEW, run: rights::all },
    Case {
        name: "adopt::an_undo_file_that_is_not_whole_or_not_ours_is_refused",
        needs: NEW,
        run: undone::files,
    },
    Case {
        name: "adopt::what_others_changed_since_stays_and_is_told",
        needs: NEW_HELM_4,
        run: undone::partly,
    },
];
