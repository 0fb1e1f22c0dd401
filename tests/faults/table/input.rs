//! What may stand in a request.

use super::{Part, Row, row};

pub(super) const PART: Part = Part {
    heading: "Input",
    rule: "Always: no panic, an answer within the limits of time and size, and that answer is an AdmissionReview or a documented \
           4xx with a reason.",
    rows: &ROWS,
};

const ROWS: [Row; 29] = [
    row(1, "an empty body", "400 that says so", &["decisions::bad_input::fault_1_an_empty_body"]),
    row(
        2,
        "JSON that ends too early, or is none",
        "400 that says what was expected, wherever it is cut",
        &["decisions::bad_input::fault_2_truncated_json_at_every_byte"],
    ),
    row(
        3,
        "bytes that are no UTF-8, half of a surrogate pair",
        "400, or left alone with a warning where only the object is odd",
        &["decisions::bad_input::fault_3_invalid_utf_8_and_lone_surrogates"],
    ),
    row(4, "a byte order mark", "skipped", &["decisions::bad_input::fault_4_a_byte_order_mark_is_skipped"]),
    row(
        5,
        "a key twice (`uid`, `request`, `metadata`, a label)",
        "never decided on the first of them, since Go takes the last: 400 in the envelope, left alone in the object",
        &["decisions::bad_input::fault_5_duplicate_keys_are_refused_in_the_envelope_and_odd_in_the_object"],
    ),
    row(
        6,
        "10 000 levels of nesting",
        "neither the stack nor a wrong answer",
        &[
            "decisions::bad_input::fault_6_nesting_10_000_deep",
            "laws::deep_nesting_costs_neither_the_stack_nor_a_wrong_answer",
        ],
    ),
    row(
        7,
        "a string of 10 MB, a list of a million elements",
        "decided as any other (behind the socket 8 MiB are the limit: 25)",
        &["decisions::bad_input::fault_7_a_string_of_10_mb_and_a_million_elements"],
    ),
    row(
        8,
        "numbers: 1e400, 2^64, -0",
        "pass untouched in an object; 400 where a boolean belongs",
        &["decisions::bad_input::fault_8_numbers_beyond_any_type"],
    ),
    row(
        9,
        "another apiVersion (v1beta1, v2) or kind",
        "400 that names the version we answer",
        &["decisions::bad_input::fault_9_only_v1_admission_reviews_are_answered"],
    ),
    row(
        10,
        "no uid, an empty one, one of 64 KB",
        "400 without one; otherwise it comes back byte for byte",
        &["decisions::bad_input::fault_10_a_uid_is_needed_and_comes_back_byte_for_byte"],
    ),
    row(
        11,
        "`request` missing, null or no object",
        "400 that says so",
        &["decisions::bad_input::fault_11_a_review_without_a_request"],
    ),
    row(
        12,
        "`object` null on CREATE, `oldObject` null on UPDATE or DELETE",
        "left alone",
        &[
            "decisions::bad_input::fault_12_a_missing_object",
            "decisions::left_alone::fault_18_deletion_subresources_and_connections_pass",
        ],
    ),
    row(
        13,
        "metadata missing, null or a list",
        "left alone with a warning",
        &["decisions::bad_input::fault_13_metadata_that_is_none"],
    ),
    row(
        14,
        "labels or annotations null, or with values that are no strings",
        "null is made a map by a patch that applies; else left alone with a warning",
        &["decisions::bad_input::fault_14_labels_and_annotations_that_are_null_or_no_strings"],
    ),
    row(
        15,
        "keys with `/` and `~`",
        "escaped as JSON Pointer has it; the patch applies",
        &[
            "decisions::bad_input::fault_15_keys_are_escaped_as_json_pointers",
            "laws::any_review_is_answered_by_a_patch_that_applies_once_and_stays_in_the_catalogue",
        ],
    ),
    row(
        16,
        "annotations of almost 256 KiB",
        "never pushed over the limit; no patch and a warning, and the API server stores the write",
        &[
            "decisions::bad_input::fault_16_full_annotations_are_not_pushed_over_the_limit",
            "decisions::bad_input::fault_16_a_managed_addon_s_write_with_full_annotations_is_not_marked",
            "cluster::objects::fault_16_full_annotations_are_stored_with_a_warning",
        ],
    ),
    row(
        17,
        "managedFields absent, empty, of 500 entries, unknown, garbage, twice the same manager, one of over 128 characters",
        "what is not understood passes byte for byte; a patch applies, and the API server takes the list as ours",
        &[
            "decisions::bad_input::fault_17_managed_fields_of_every_odd_form_never_make_a_patch_that_does_not_apply",
            "laws::entries_that_are_not_understood_pass_byte_for_byte",
            "laws::a_huge_list_moves_whole_and_the_answer_grows_with_what_changes_only",
            "transfer::five_hundred_entries_are_no_trouble",
            "oracle::after_any_sequence_of_writes_the_owners_are_what_the_laws_say",
        ],
    ),
    row(
        18,
        "subresources, DELETE of a collection, CONNECT",
        "allowed and untouched; a real API server does not even call us",
        &[
            "decisions::left_alone::fault_18_deletion_subresources_and_connections_pass",
            "cluster::writers::a_status_write_a_delete_and_a_pod_never_reach_us",
            "cluster::objects::fault_18_a_collection_is_deleted_without_us",
        ],
    ),
    row(
        19,
        "a dry run",
        "decided alike; nothing is stored and no Event posted",
        &[
            "decisions::block::fault_19_dry_runs_are_decided_alike",
            "cluster::writers::a_dry_run_is_answered_and_stores_nothing",
            "cluster::objects::fault_19_a_dry_run_posts_no_event_and_the_write_itself_does",
        ],
    ),
    row(
        20,
        "no fieldManager in the options, whichever kind of options",
        "the writer is inferred from what changed",
        &["decisions::left_alone::fault_20_an_untold_field_manager_is_inferred_from_what_changed"],
    ),
    row(
        21,
        "generateName",
        "no target before it has its name; left alone",
        &["decisions::left_alone::fault_21_a_name_that_is_still_to_be_generated_is_no_target"],
    ),
    row(
        22,
        "an object that is adopted already",
        "no patch",
        &[
            "decisions::adopt::fault_22_a_second_look_at_the_result_changes_nothing",
            "decisions::recorded::a_recorded_review_is_amended_to_a_fixed_point_and_outside_metadata_nothing_changes",
        ],
    ),
    row(
        23,
        "stamps of another release",
        "left alone with a warning that names both",
        &["decisions::adopt::fault_23_a_target_of_another_release_is_left_and_both_are_named"],
    ),
    row(
        24,
        "an object that is not ours to review, by a rule that is too broad",
        "allowed from the head of the review, unread and untouched",
        &["decisions::left_alone::fault_24_what_an_over_broad_rule_sends_is_answered_from_the_head"],
    ),
    row(
        25,
        "bodies of 2.2, 3, 6.9, 7.1 MB and more",
        "read up to 8 MiB, and one byte more is 413",
        &[
            "server::body::a_body_of_8_mib_is_read_and_one_byte_more_is_413",
            "server::body::a_chunked_body_has_the_same_limit",
        ],
    ),
    row(
        26,
        "no Content-Type, a wrong one, protobuf",
        "415 that names the right one",
        &["server::requests::only_json_is_a_review"],
    ),
    row(
        27,
        "gzip, `Expect: 100-continue`, chunks with trailers, bad chunk sizes, both lengths at once (smuggling)",
        "gzip is 415; what HTTP allows is read; the rest is 400 or the end of the connection, and nothing hides behind it",
        &[
            "server::requests::only_json_is_a_review",
            "server::requests::a_request_with_two_lengths_smuggles_nothing",
            "server::body::expect_100_continue_is_answered_before_the_body_comes",
            "server::body::expect_100_continue_with_too_large_a_body_is_413_at_once",
            "server::body::many_small_chunks_and_trailers_make_one_body",
            "server::body::bad_chunk_sizes_are_refused_and_end_the_connection",
        ],
    ),
    row(
        28,
        "GET, PUT, an unknown path",
        "405 and 404 that name the right ones",
        &["server::requests::wrong_methods_and_paths_are_told_the_right_ones"],
    ),
    row(
        29,
        "keys of a future Kubernetes",
        "kept",
        &["decisions::bad_input::fault_29_unknown_future_keys_are_preserved"],
    ),
];
