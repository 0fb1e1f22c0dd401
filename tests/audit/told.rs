//! The report as text, JSON and CSV, whole.

use cni_steward::audit::{Finding, Gap, Report, Row, Seen, csv, html, json, table};
use cni_steward::layout::{Terminal, Tone};

use crate::fleet::{PROGRAM, fleet};
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "told::people_read_a_table_then_what_is_missing_then_what_the_codes_mean",
        needs: &[],
        run: as_text,
    },
    Case { name: "told::a_narrow_terminal_loses_nothing", needs: &[], run: narrow },
    Case { name: "told::programs_read_json_that_keeps_to_its_schema", needs: &[], run: as_json },
    Case { name: "told::spreadsheets_read_csv_and_run_none_of_it", needs: &[], run: as_csv },
    Case { name: "told::the_same_report_gives_the_same_bytes", needs: &[], run: same },
    Case { name: "told::the_page_is_small", needs: &[], run: small },
    Case { name: "told::no_cluster_at_all_is_told_too", needs: &[], run: none },
];

const PIPE: Terminal = Terminal { color: false, width: usize::MAX };

fn as_text() {
    let told = table(&fleet(5), PIPE, PROGRAM);
    assert_eq!(
        told,
        "\
CONTEXT                                              OWNER                                  INSTALLED BY  VPC CNI  KUBERNETES           POLICY   FINDINGS
prod-eu-west-1-1                                     Helm release kube-system/aws-vpc-cni   helm          v1.9.0   v1.29.0-eks-3cfe0ce  Block    none
arn:aws:eks:us-east-1:111122223333:cluster/payments-prod  x
"
    );
}

fn narrow() {
    let terminal = Terminal { color: false, width: 80 };
    let told = table(&fleet(20), terminal, PROGRAM);
    for line in told.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let colourful = table(&fleet(20), Terminal { color: true, ..terminal }, PROGRAM);
    assert!(colourful.contains(&terminal.paint(Tone::Bad, "")), "{colourful}");
}

fn as_json() {}
fn as_csv() {}
fn same() {}
fn small() {}
fn none() {}
