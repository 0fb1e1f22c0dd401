//! What may happen to a process, to its node and to the cluster around it.

use super::{Part, Row, row};

const LIFE: [&str; 2] = [
    "nodes::chart::helm_4_installs_us_before_the_cni_upgrades_the_policy_and_leaves_nothing_behind",
    "nodes::chart::helm_3_installs_us_before_the_cni_upgrades_the_policy_and_leaves_nothing_behind",
];
const PLANNED: &str =
    "nodes::planned::no_review_is_lost_through_sigterm_roll_out_drain_a_new_certificate_and_a_new_policy";

pub(super) const PART: Part = Part {
    heading: "Process and cluster",
    rule: "Always: writes of others go through in time, with us or without us, and what we missed is put right.",
    rows: &ROWS,
};

const ROWS: [Row; 21] = [
    row(
        47,
        "SIGTERM under load",
        "no review is lost by a client that keeps its connections, as the API server does",
        &["server::drain::sigterm_under_load_loses_nothing", PLANNED],
    ),
    row(
        48,
        "SIGKILL",
        "it starts again on what is stored; a repair or rotation that was cut off is ended by the next leader",
        &[
            "server::drain::after_sigkill_it_starts_again",
            "cluster::leader::a_killed_leader_is_followed_when_its_lease_has_run_out",
            "cluster::repair::killed_at_any_point_of_a_repair_the_next_leader_ends_it",
        ],
    ),
    row(
        49,
        "more bodies in flight than memory; killed for memory",
        "503 with Retry-After over the budget, so that the chart's limit is never reached; killed at a smaller one, it starts again",
        &[
            "server::body::over_the_budget_a_review_is_503_with_retry_after_and_the_budget_comes_back",
            "server::body::large_bodies_leave_room_for_small_ones",
            "server::body::answers_that_nobody_reads_leave_less_room_for_large_bodies",
            "server::flood::good_reviews_are_answered_in_time_and_memory_is_bounded_whatever_others_do",
            "faults::starved::fault_49_a_flood_never_reaches_the_chart_s_memory_limit",
            "faults::starved::fault_49_no_review_becomes_more_than_the_chart_s_memory_limit",
            "faults::starved::fault_49_killed_for_memory_it_starts_again_on_what_is_stored",
        ],
    ),
    row(
        50,
        "a hundredth of a core",
        "slow, and right: every review is answered within the API server's time, and readiness holds",
        &["faults::starved::fault_50_on_a_hundredth_of_a_core_reviews_are_answered_in_time"],
    ),
    row(
        51,
        "a roll-out, a drained node, a lost node or zone, both replicas evicted",
        "planned: none lost. Lost without notice: writes go through within the timeout, fail open until the endpoint is gone, and \
         what was missed is repaired",
        &[
            PLANNED,
            "nodes::lost::fault_51_a_node_that_vanishes_costs_no_write_and_what_it_missed_is_repaired",
            "nodes::lost::fault_51_only_one_replica_is_evicted_and_with_both_gone_writes_go_on",
        ],
    )
    .smaller("two nodes on one machine: a zone is the one node that is cut off with all that runs on it"),
    row(
        52,
        "the API server restarted, unreliable, overloaded (429), forgetful (410 Gone), silent, or not there at the start",
        "reviews are answered and readiness holds; it asks more and more slowly, and goes on by itself",
        &[
            "api_server::serving::overloaded",
            "api_server::serving::broken",
            "api_server::serving::silent",
            "api_server::serving::not_one",
            "api_server::serving::down_and_then_there",
            "api_server::watching::a_watch_tells_every_state_and_reads_anew_what_was_forgotten",
            "api_server::watching::a_watch_that_is_dropped_and_taken_up_again_loses_nothing",
            "api_server::watching::a_watch_that_ends_at_once_is_not_asked_for_in_a_loop",
            "cluster::leader::while_the_api_server_hangs_nobody_leads_and_reviews_are_answered",
            "cluster::trust::it_serves_what_is_mounted_while_there_is_no_api_server",
            "cluster::repair::whatever_the_api_server_answers_to_a_write_the_repair_comes_to_its_end",
            "cluster::repair::fault_52_through_an_unreliable_line_everything_is_adopted_all_the_same",
            "cluster::repair::fault_52_after_the_api_server_s_restart_it_goes_on_by_itself",
        ],
    ),
    row(
        53,
        "no DNS, no kube-proxy, no CNI on any node",
        "installed, serving, called through its Service, and in nobody's way",
        &LIFE,
    ),
    row(
        54,
        "rights taken away while it runs",
        "reviews go on; what is missing is named with the command that checks it; given back, it is used",
        &[
            "cluster::repair::fault_54_rights_taken_away_while_it_runs_cost_nothing_but_what_they_were_for",
            "cluster::repair::a_missing_right_is_named_and_everything_else_goes_on",
            "cluster::leader::a_right_that_lacks_is_named_and_everything_else_goes_on",
        ],
    ),
    row(
        55,
        "the Lease stolen or deleted; a leader whose clock is wrong",
        "never two that write; a living holder is waited for",
        &[
            "cluster::leader::a_lease_that_somebody_deletes_or_takes_is_given_up",
            "lib::leader::claim::tests::never_do_two_lead",
            "lib::leader::claim::tests::no_write_of_a_leader_ends_after_somebody_else_can_begin",
            "lib::leader::claim::tests::a_record_that_says_forever_or_never_is_not_believed",
        ],
    ),
    row(
        56,
        "a new policy that is invalid, half written or huge",
        "the last good one stays in force, and that is said in log, metric and /readyz?verbose",
        &[
            "server::reload::a_bad_pair_or_policy_is_refused_loudly_and_the_last_good_one_stays",
            "server::reload::every_exchange_of_a_mounted_volume_is_taken_and_no_review_is_lost",
            "policy_file::a_policy_of_a_mebibyte_is_an_error_and_not_a_crash",
            "policy_file::a_mistake_is_one_error_that_says_where_what_and_what_is_allowed",
        ],
    ),
    row(
        57,
        "nobody reads the log (the pipe is full)",
        "lines are dropped and counted, reviews and the orderly end are not",
        &[
            "server::drain::a_blocked_log_does_not_stop_reviews",
            "lib::telemetry::sink::tests::a_blocked_sink_drops_lines_and_returns_at_once",
        ],
    ),
    row(
        58,
        "hundreds that scrape the metrics at once",
        "reviews are answered in time, and memory is bounded",
        &["faults::peers::fault_58_a_storm_of_scrapes_costs_no_review_its_time"],
    ),
    row(
        59,
        "72 hours of load",
        "memory and descriptors stay flat",
        &[
            "faults::soak::fault_59_memory_and_descriptors_are_flat_under_mixed_load",
            "cluster::soak::memory_and_descriptors_stay_flat_under_mixed_load_with_faults",
        ],
    )
    .smaller(
        "the tests take half a minute and two minutes, tens of thousands of reviews; `make soak` runs for an hour (docs/fuzzing.md), and nobody \
         has let it run for 72 hours yet",
    ),
    row(
        60,
        "random input for a day; the same input to Go",
        "nothing panics; what we make of field ownership is what Go makes of it",
        &[
            "laws::a_damaged_review_is_refused_with_a_reason_or_answered_lawfully",
            "oracle::random_pairs_of_sets_are_joined_and_parted_as_go_does",
            "oracle::recorded_sets_are_joined_and_parted_as_go_does",
            "oracle::whatever_set_we_accept_go_accepts_and_reads_our_bytes_as_the_same",
            "oracle::after_any_sequence_of_writes_the_owners_are_what_the_laws_say",
        ],
    )
    .smaller("the tests take seconds of it at each run; `make fuzz` and `make oracle` run for as long as they are told (docs/fuzzing.md)"),
    row(
        61,
        "any review, whole or damaged",
        "the patch applies, applies once, and changes only what the catalogue allows",
        &[
            "laws::any_review_is_answered_by_a_patch_that_applies_once_and_stays_in_the_catalogue",
            "laws::any_stored_object_is_repaired_by_patches_that_apply_stay_in_the_catalogue_and_come_to_an_end",
            "laws::a_damaged_review_is_refused_with_a_reason_or_answered_lawfully",
        ],
    ),
    row(
        62,
        "uninstalled while no replica answers, or through a slow API server; installed again",
        "it goes without a hook that could hang, leaves nothing behind, and comes back",
        &[
            LIFE[0],
            LIFE[1],
            "cluster::releases::fault_62_helm_3_takes_us_away_with_nobody_there_and_a_slow_api_server_and_brings_us_back",
            "cluster::releases::fault_62_helm_4_takes_us_away_with_nobody_there_and_a_slow_api_server_and_brings_us_back",
        ],
    ),
    row(
        63,
        "an upgrade and a downgrade by one version under load",
        "no review is lost; what the other version stored is understood or left as it is",
        &[PLANNED, "cluster::trust::fault_63_what_another_version_stored_is_kept_and_harms_nothing"],
    )
    .smaller(
        "there is no earlier release yet: every replica is replaced by one of the same version under load, and what another version may \
         have stored is made up",
    ),
    row(
        64,
        "a port that is taken",
        "an error that names it; nothing was made",
        &[
            "server::drain::a_port_in_use_is_an_error_that_names_it",
            "server::drain::two_listeners_on_one_port_are_an_error_that_names_both",
        ],
    ),
    row(
        65,
        "two releases of cni-steward in one cluster",
        "the same name is refused by Helm; two of different names, with different owners in mind, come to rest",
        &[
            "cluster::releases::fault_65_a_second_release_of_the_same_name_is_refused_and_the_first_is_as_before",
            "cluster::repair::fault_65_two_of_us_with_different_owners_in_mind_come_to_rest",
        ],
    ),
    row(
        66,
        "another mutating webhook beside ours (reinvocation)",
        "one result, whoever comes first",
        &["cluster::writers::a_second_webhook_beside_ours_leads_to_reinvocation_and_one_result"],
    ),
    row(
        67,
        "two that fight over a field: the managed add-on and Helm, or somebody and us",
        "the add-on's are left to it; who changes it back three times gets it and is named; writes are few",
        &[
            "cluster::repair::who_changes_it_back_three_times_gets_it_and_is_named",
            "cluster::repair::two_replicas_with_different_policies_do_not_flap",
            "cluster::modes::the_managed_addon_marks_what_it_writes_and_is_then_left_alone",
            "lib::reconcile::contest::tests::the_third_time_back_in_ten_minutes_stops_and_names_the_other_writer",
            "lib::reconcile::pace::tests::a_bootstrap_fits_at_once_and_then_one_write_every_five_seconds",
        ],
    ),
];
