//! The report as text, JSON and CSV, whole.

use cni_steward::audit::{Report, Row, csv, html, json, table};
use cni_steward::layout::Terminal;
use serde_json::{Value, json};

use crate::fleet::{PROGRAM, fleet};
use crate::support::schema::check;
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[
    Case { name: "told::people_read_rows_then_gaps_then_what_the_codes_mean", needs: &[], run: as_text },
    Case { name: "told::a_narrow_terminal_loses_nothing", needs: &[], run: narrow },
    Case { name: "told::programs_read_json_that_keeps_to_its_schema", needs: &[], run: as_json },
    Case { name: "told::spreadsheets_read_csv_and_run_none_of_it", needs: &[], run: as_csv },
    Case { name: "told::the_same_report_gives_the_same_bytes", needs: &[], run: same },
    Case { name: "told::the_page_is_small", needs: &[], run: small },
];

const PIPE: Terminal = Terminal { color: false, width: usize::MAX };

fn as_text() {
    let told = table(&fleet(5), PIPE, PROGRAM);
    assert_eq!(
        told,
        "\
CONTEXT                                                   OWNER                         INSTALLED BY  VPC CNI  KUBERNETES           POLICY   FINDINGS
prod-eu-west-1-1                                          helm kube-system/aws-vpc-cni  helm          v1.9.0   v1.29.0-eks-3cfe0ce  Block    none
arn:aws:eks:us-east-1:111122223333:cluster/payments-prod  helm kube-system/aws-vpc-cni  eks           v1.16.1  v1.30.3-eks-3cfe0ce  Adopt    none
<script>alert(1)</script>                                 eks (likely)                  eks           v1.9.2   v1.31.6-eks-3cfe0ce  -        CS001 CS006
staging-eu-west-1-4                                       -                             -             -        -                    -        not audited: timeout
staging-us-east-1-5                                       flux kube-system/vpc-cni      flux          v1.9.4   v1.33.1-eks-3cfe0ce  Observe  CS031

Not audited
  staging-eu-west-1-4
      cannot reach the API server: no answer within 5s

Findings (more by: cni-steward status --context CONTEXT)
  CS001 problem  <script>alert(1)</script>: ServiceAccount, ClusterRole aws-node are missing, the other objects are there
  CS031 warning  staging-us-east-1-5: kubectl holds 3 fields of DaemonSet aws-node beside the owner
  CS006 note     <script>alert(1)</script>: no release claims the objects: helm install will refuse them

5 clusters: 2 clear, 1 with warnings, 1 with problems, 1 not audited
"
    );
    assert_eq!(
        table(&fleet(0), PIPE, PROGRAM).lines().last(),
        Some("0 clusters: 0 clear, 0 with warnings, 0 with problems, 0 not audited")
    );
}

fn narrow() {
    let terminal = Terminal { color: false, width: 80 };
    let told = table(&fleet(20), terminal, PROGRAM);
    let too_wide: Vec<&str> = told.lines().filter(|line| line.chars().count() > 80).collect();
    assert_eq!(too_wide, Vec::<&str>::new());
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        letters.sort_unstable();
        letters
    };
    assert_eq!(
        letters(&told),
        letters(&table(&fleet(20), PIPE, PROGRAM)),
        "the same characters as in a pipe"
    );
    // The words are the same with colours.
    let coloured = table(&fleet(20), Terminal { color: true, ..terminal }, PROGRAM);
    let mut plain = coloured.clone();
    for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, told);
    assert!(coloured.contains("\x1b[31mnot"), "{coloured}");
}

fn as_json() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/audit.schema.json")).unwrap();
    for size in [0, 3, 20] {
        let document: Value = serde_json::from_str(&json(&fleet(size))).unwrap();
        let mut problems = Vec::new();
        check(&schema, &schema, &document, "$", &mut problems);
        assert_eq!(problems, Vec::<String>::new(), "{document:#}");
    }
    let document: Value = serde_json::from_str(&json(&fleet(5))).unwrap();
    assert_eq!(
        document["summary"],
        json!({"clusters": 5, "clear": 2, "withWarnings": 1, "withProblems": 1, "notAudited": 1})
    );
    let clusters = &document["clusters"];
    assert_eq!(clusters[1]["release"], json!({"namespace": "kube-system", "name": "aws-vpc-cni"}));
    assert_eq!((&clusters[2]["mode"], &clusters[2]["findings"][0]["code"]), (&Value::Null, &json!("CS001")));
    assert_eq!(
        (&clusters[3]["owner"], &clusters[3]["notAudited"]["reason"]),
        (&Value::Null, &json!("timeout"))
    );
}

fn as_csv() {
    let mut report = fleet(5);
    for (row, name) in report.rows.iter_mut().zip(["=cmd|' /C calc'!A0", "a,\"b\"", "-1+2", "＝1", "a;=1"]) {
        name.clone_into(&mut row.context);
    }
    let told = csv(&report);
    let server = |number: usize| {
        format!(
            "https://{number:032X}.gr7.{}.eks.amazonaws.com:443",
            ["ap-northeast-1", "eu-west-1", "us-east-1"][number % 3]
        )
    };
    let expected = [
        "context,server,owner,certainty,release,installed_by,vpc_cni,kubernetes,mode,findings,not_audited,message".to_owned(),
        format!(
            "\"'=cmd|' /C calc'!A0\",{},helm,certain,kube-system/aws-vpc-cni,helm,v1.9.0,v1.29.0-eks-3cfe0ce,Block,,,",
            server(1)
        ),
        format!(
            "\"a,\"\"b\"\"\",{},helm,certain,kube-system/aws-vpc-cni,eks,v1.16.1,v1.30.3-eks-3cfe0ce,Adopt,,,",
            server(2)
        ),
        format!("\"'-1+2\",{},eks,likely,,eks,v1.9.2,v1.31.6-eks-3cfe0ce,,CS001 CS006,,", server(3)),
        format!("\"'＝1\",{},,,,,,,,,timeout,cannot reach the API server: no answer within 5s", server(4)),
        format!("\"a;=1\",{},flux,certain,kube-system/vpc-cni,flux,v1.9.4,v1.33.1-eks-3cfe0ce,Observe,CS031,,", server(5)),
        String::new(),
    ];
    assert_eq!(told.split("\r\n").collect::<Vec<_>>(), expected);
}

fn same() {
    let all =
        |report: &Report| [table(report, PIPE, PROGRAM), json(report), csv(report), html(report, PROGRAM)];
    assert_eq!(all(&fleet(50)), all(&fleet(50)));
}

/// The page's own part lies in the binary.
fn small() {
    let empty = html(&fleet(0), PROGRAM);
    assert!(empty.len() < 8 << 10, "the page without rows has {} bytes", empty.len());
    let Row { context, .. } = &fleet(3).rows[2];
    assert_eq!(context, "<script>alert(1)</script>");
    assert!(
        html(&fleet(3), PROGRAM).contains("<th scope=\"row\">&lt;script&gt;alert(1)&lt;/script&gt;</th>")
    );
}
