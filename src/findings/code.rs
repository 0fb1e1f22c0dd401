//! The stable codes. `docs/codes.md` has a section for each; a code is never given another meaning.

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is wrong, or surely will be: the command's exit code is 1.
    Problem,
    /// Something to look at.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Some of the objects are missing.
    Incomplete,
    /// Objects carry the stamps of different releases.
    TwoStamps,
    /// Several releases claim the objects.
    TwoReleases,
    /// Not all of Helm's three marks are there.
    HalfStamped,
    /// Stamped for a release that Helm does not know.
    NoRelease,
    /// EKS's, and claimed by nobody.
    Unclaimed,
    /// Two writers write the same object in turn.
    Fight,
    /// The managed add-on wrote what somebody else claims.
    AddonContradicted,
    /// The managed add-on owns the objects.
    ManagedAddon,
    /// A live pause.
    Paused,
    /// A pause that does not count.
    BadPause,
    /// Objects are being deleted.
    Deleting,
    /// A `DaemonSet` of that name that is no VPC CNI.
    Foreign,
    /// Nodes without any network.
    NoNetwork,
    /// Two networks run at once.
    TwoNetworks,
    /// The VPC CNI is not ready everywhere.
    NotReady,
    /// Cluster API spares some of the core four only.
    PartlyProtected,
    /// An old Cluster API may delete the objects.
    Released,
    /// A release is not well.
    ReleaseUnwell,
    /// An object that cannot be understood.
    Odd,
    /// An object is not as the policy wants it.
    NotAsPolicy,
    /// A repair waits for a person's word about the managed add-on.
    HeldBack,
    /// Our server runs, but no webhook leads to it.
    NoWebhook,
    /// The API server is not told whom to trust.
    Untrusted,
    /// A webhook leads to nobody.
    NobodyServes,
    /// No replica leads.
    NoLeader,
    /// The policy in the cluster cannot be used.
    BrokenPolicy,
    /// A webhook whose failure refuses writes.
    FailsClosed,
    /// Something could not be seen.
    Unseen,
    /// The chart brings a CRD that the EKS control plane owns.
    SkipCrds,
    /// Somebody beside the owner holds fields.
    SharedFields,
}

/// Each code in order: its identifier and how much it matters.
const TABLE: [(Code, &str, Severity); 31] = {
    use Severity::{Note, Problem, Warning};
    [
        (Code::Incomplete, "CS001", Problem),
        (Code::TwoStamps, "CS002", Problem),
        (Code::TwoReleases, "CS003", Problem),
        (Code::HalfStamped, "CS004", Warning),
        (Code::NoRelease, "CS005", Warning),
        (Code::Unclaimed, "CS006", Note),
        (Code::Fight, "CS007", Problem),
        (Code::AddonContradicted, "CS008", Problem),
        (Code::ManagedAddon, "CS009", Note),
        (Code::Paused, "CS010", Note),
        (Code::BadPause, "CS011", Warning),
        (Code::Deleting, "CS012", Warning),
        (Code::Foreign, "CS013", Problem),
        (Code::NoNetwork, "CS014", Problem),
        (Code::TwoNetworks, "CS015", Warning),
        (Code::NotReady, "CS016", Warning),
        (Code::PartlyProtected, "CS017", Warning),
        (Code::Released, "CS018", Note),
        (Code::ReleaseUnwell, "CS019", Warning),
        (Code::Odd, "CS020", Warning),
        (Code::NotAsPolicy, "CS021", Warning),
        (Code::HeldBack, "CS022", Warning),
        (Code::NoWebhook, "CS023", Problem),
        (Code::Untrusted, "CS024", Problem),
        (Code::NobodyServes, "CS025", Problem),
        (Code::NoLeader, "CS026", Warning),
        (Code::BrokenPolicy, "CS027", Problem),
        (Code::FailsClosed, "CS028", Warning),
        (Code::Unseen, "CS029", Warning),
        (Code::SkipCrds, "CS030", Note),
        (Code::SharedFields, "CS031", Warning),
    ]
};

impl Code {
    /// Every code, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.into_iter().map(|(code, ..)| code)
    }

    /// `CS001`, …
    pub fn id(self) -> &'static str {
        self.row().1
    }

    /// How much it matters.
    pub fn severity(self) -> Severity {
        self.row().2
    }

    fn row(self) -> (Self, &'static str, Severity) {
        // Every code is in the table: a test holds it.
        TABLE.into_iter().find(|(code, ..)| *code == self).unwrap_or((self, "CS000", Severity::Warning))
    }
}
