//! What may happen to certificates, to the trust in them, and to the clocks they depend on.

use super::{Part, Row, row};

const YEAR: &str = "year::with_any_faults_no_bundle_of_ours_leaves_a_served_leaf_uncovered_and_all_heals";
const GENTLE_YEAR: &str =
    "year::with_deaths_and_hand_overs_alone_every_replica_is_trusted_by_every_api_server_all_year";

pub(super) const PART: Part = Part {
    heading: "Certificates",
    rule: "Always: nobody serves a leaf that the API server does not yet trust, and what is broken heals without a person.",
    rows: &ROWS,
};

const ROWS: [Row; 10] = [
    row(
        37,
        "the Secret deleted, emptied, damaged, with a key of another certificate",
        "written again as it was; reviews go on with what is in memory; files of your own: refused by name, the last good pair stays",
        &[
            "cluster::trust::a_lost_or_damaged_secret_is_written_again_as_it_was",
            "lib::pki::rotation::tests::a_secret_that_is_lost_or_half_is_written_again_and_never_served",
            "server::reload::a_bad_pair_or_policy_is_refused_loudly_and_the_last_good_one_stays",
            "standalone::damaged::what_is_damaged_is_reported_by_name_and_never_overwritten",
            YEAR,
        ],
    ),
    row(
        38,
        "the leaf expired; the authority expired under a valid leaf",
        "not ready and loud while it is served; renewed or replaced before, in trust order",
        &[
            "server::requests::with_an_expired_certificate_it_is_alive_and_not_ready",
            "standalone::kept::an_expired_authority_is_replaced_and_said_to_need_registration",
            "standalone::kept::near_its_end_the_leaf_is_renewed_under_the_same_authority",
            "server::reload::a_bad_pair_or_policy_is_refused_loudly_and_the_last_good_one_stays",
            YEAR,
        ],
    ),
    row(
        39,
        "a certificate not yet valid; clocks that jump by hours or 400 days; a machine that sleeps",
        "a wrong clock makes nothing and drops nothing; who slept has lost its right to write",
        &[
            "standalone::told::a_certificate_that_begins_in_a_moment_is_served",
            "lib::pki::tests::a_leaf_from_the_future_is_renewed_and_an_authority_from_the_future_reported",
            "lib::pki::rotation::tests::a_clock_that_is_wrong_makes_nothing",
            "lib::telemetry::standing::tests::a_certificate_has_expired_when_both_clocks_say_so",
            "lib::cluster::writer::tests::a_term_gives_a_right_only_while_it_is_renewed",
            "cluster::repair::fault_39_a_leader_that_was_frozen_writes_nothing_when_it_wakes",
            YEAR,
        ],
    )
    .smaller(
        "clocks jump where time is a value that is passed in, a simulated year at a time, since a test cannot set this machine's \
         clock; sleep is a process that is stopped for longer than its lease is good",
    ),
    row(
        40,
        "three replicas race for the first authority, and at a rotation, while somebody writes the Secret without end",
        "one authority, one leaf",
        &["cluster::trust::three_replicas_that_race_make_one_authority_and_end_with_one_leaf", YEAR],
    ),
    row(
        41,
        "the leader killed around each step of a rotation",
        "the next one ends it; no leaf is served that was not told before",
        &[
            "cluster::trust::killed_at_any_step_it_ends_up_trusted_and_never_serves_what_is_not",
            "lib::pki::rotation::tests::tests_can_end_the_program_around_each_step",
            GENTLE_YEAR,
        ],
    ),
    row(
        42,
        "the caBundle wiped or replaced every second",
        "healed within two seconds each time, and who does it is named",
        &[
            "cluster::trust::a_bundle_that_somebody_spoils_every_second_is_healed_each_time_and_he_is_named",
            "cluster::trust::a_wiped_or_foreign_bundle_is_healed_in_two_seconds_and_what_passed_unseen_is_told",
            "lib::trust::fight::tests::the_third_time_back_in_ten_minutes_is_told_once_and_ends_when_it_is_quiet",
        ],
    ),
    row(
        43,
        "the webhook configuration deleted, changed, renamed",
        "told in log, metric and Event; trusted again as soon as it is back",
        &["cluster::trust::a_webhook_configuration_that_is_not_as_rendered_is_told", YEAR],
    ),
    row(
        44,
        "an API server that still trusts the old authority alone",
        "the old leaf is served until the settling time is over and the canary was answered",
        &[
            "lib::pki::rotation::tests::a_new_authority_waits_for_the_settling_time_however_often_the_canary_answers",
            "lib::pki::coverage::tests::trust_counts_from_when_all_entries_have_it_and_anew_after_any_gap",
            "cluster::trust::a_new_authority_comes_into_force_and_no_review_fails",
            GENTLE_YEAR,
        ],
    ),
    row(
        45,
        "the folder of certificates read-only or full, files exchanged by a link, half written",
        "what is whole counts; what is half or cannot be written is told, and the last good pair is served",
        &[
            "server::reload::every_exchange_of_a_mounted_volume_is_taken_and_no_review_is_lost",
            "server::reload::files_written_in_place_are_taken_too",
            "lib::trust::watch::tests::every_exchange_of_a_link_is_seen_once_and_only_when_it_has_stood_still",
            "standalone::damaged::a_crash_while_renewing_leaves_the_old_pair_or_the_new",
            "faults::disk::fault_45_on_a_full_or_read_only_disk_it_says_so_and_serves_what_it_has",
            "cluster::trust::it_serves_what_is_mounted_while_there_is_no_api_server",
        ],
    ),
    row(
        46,
        "a connection older than two rotations",
        "answered as before",
        &[
            "cluster::trust::no_review_is_lost_through_two_rotations_two_hand_overs_and_a_deleted_secret",
            "server::reload::every_exchange_of_a_mounted_volume_is_taken_and_no_review_is_lost",
        ],
    ),
];
