//! What may happen to a connection.

use super::{Part, Row, row};

pub(super) const PART: Part = Part {
    heading: "Transport",
    rule: "Always: who asks as an API server does is answered in time, whatever others do, and memory and descriptors stay bounded.",
    rows: &ROWS,
};

const ROWS: [Row; 7] = [
    row(
        30,
        "garbage or plain HTTP on the TLS port, SSL 3.0 to TLS 1.1, no server name or a wrong one",
        "counted, told where a person can read it, and closed; TLS 1.2 and 1.3 are spoken under any name",
        &[
            "server::transport::garbage_is_counted_and_closed",
            "server::transport::plain_http_on_the_tls_port_is_told_so",
            "server::transport::versions_before_1_2_are_refused",
            "server::transport::tls_1_2_and_1_3_are_spoken",
            "server::transport::without_a_name_and_with_a_wrong_one_the_certificate_is_shown",
        ],
    ),
    row(
        31,
        "1000 half-open connections, silence, slow heads, slow bodies, slow readers",
        "cut off when their time is over; known connections stay and new ones are let in",
        &[
            "server::strangers::a_thousand_half_open_connections_do_not_stop_service",
            "server::strangers::at_the_cap_the_idle_go_and_those_in_flight_stay",
            "server::transport::a_handshake_that_stalls_is_cut_off",
            "server::requests::a_slow_head_and_an_idle_connection_are_closed",
            "server::slow::a_head_that_dribbles_is_cut_off_long_before_an_idle_connection",
            "server::slow::a_body_that_dribbles_is_408_when_its_time_is_over",
            "server::slow::who_does_not_take_the_answer_is_cut_off",
            "server::flood::good_reviews_are_answered_in_time_and_memory_is_bounded_whatever_others_do",
        ],
    ),
    row(
        32,
        "10 000 idle connections; no file descriptors left",
        "no spinning, no growth, and service goes on",
        &[
            "faults::peers::fault_32_ten_thousand_kept_connections_take_no_room_and_no_cpu",
            "server::strangers::without_file_descriptors_it_waits_and_recovers",
        ],
    ),
    row(
        33,
        "a client that goes away in the middle of its request or of the answer",
        "forgotten, and what it held is free again",
        &[
            "server::slow::a_client_that_aborts_mid_response_is_forgotten",
            "server::body::a_client_that_aborts_mid_body_is_forgotten",
        ],
    ),
    row(
        34,
        "requests one behind the other without waiting (pipelining)",
        "answered in order",
        &["server::requests::pipelined_requests_are_answered_in_order"],
    ),
    row(
        35,
        "HTTP/2, asked for or simply spoken, and streams that are reset at once",
        "never negotiated; the first frame ends the connection, so there are no streams to reset",
        &[
            "server::transport::http_2_is_not_negotiated",
            "faults::peers::fault_35_streams_that_are_reset_at_once_meet_a_closed_door",
        ],
    ),
    row(
        36,
        "client certificates: none, of a wrong authority, with a wrong name, exchanged",
        "none is asked for, so none can be wrong: every client gets its answer",
        &["faults::peers::fault_36_no_client_certificate_is_asked_for_so_none_can_be_wrong"],
    )
    .smaller(
        "the server does not check client certificates: EKS offers none that one could check; who may reach the port is the \
         network's to say",
    ),
];
