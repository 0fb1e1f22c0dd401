//! The programs of a real API server. `tests/control-plane/get.sh` knows where they are; it is asked once per test process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program by the name `get.sh` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    ApiServer124,
    ApiServer125,
    ApiServer126,
    ApiServer127,
    ApiServer128,
    ApiServer129,
    ApiServer130,
    ApiServer131,
    ApiServer132,
    ApiServer133,
    ApiServer134,
    ApiServer135,
    ApiServer136,
    ApiServer137,
    Kubectl,
    Etcd,
    Helm3,
    Helm4,
    Helm3First,
    Helm3Old,
    Helm4First,
    Helm4Old,
    Capa25,
    CapaLatest,
    OracleSets,
    OracleWrites,
    ControllerManager,
    Scheduler,
    Kubelet,
    Pause,
    Chromium,
    Zsh,
    Fish,
    /// Not a program: control groups that this process may make.
    ControlGroups,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ApiServer124 => "kube-apiserver-1.24",
            Self::ApiServer125 => "kube-apiserver-1.25",
            Self::ApiServer126 => "kube-apiserver-1.26",
            Self::ApiServer127 => "kube-apiserver-1.27",
            Self::ApiServer128 => "kube-apiserver-1.28",
            Self::ApiServer129 => "kube-apiserver-1.29",
            Self::ApiServer130 => "kube-apiserver-1.30",
            Self::ApiServer131 => "kube-apiserver-1.31",
            Self::ApiServer132 => "kube-apiserver-1.32",
            Self::ApiServer133 => "kube-apiserver-1.33",
            Self::ApiServer134 => "kube-apiserver-1.34",
            Self::ApiServer135 => "kube-apiserver-1.35",
            Self::ApiServer136 => "kube-apiserver-1.36",
            Self::ApiServer137 => "kube-apiserver-1.37",
            Self::Kubectl => "kubectl",
            Self::Etcd => "etcd",
            Self::Helm3 => "helm-3",
            Self::Helm4 => "helm-4",
            Self::Helm3First => "helm-3-first",
            Self::Helm3Old => "helm-3-old",
            Self::Helm4First => "helm-4-first",
            Self::Helm4Old => "helm-4-old",
            Self::Capa25 => "capa-2.5",
            Self::CapaLatest => "capa-latest",
            Self::OracleSets => "oracle-sets",
            Self::OracleWrites => "oracle-writes",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::Pause => "pause",
            Self::Chromium => "chromium",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::ControlGroups => "control groups",
        }
    }

    /// Programs that a machine has from its distribution, by the name of the package.
    const PACKAGES: [Self; 3] = [Self::Chromium, Self::Zsh, Self::Fish];

    /// What only some machines and users have: it is never asked for under the name of a control plane.
    pub(crate) fn is_of_the_machine(self) -> bool {
        self == Self::ControlGroups
    }

    /// Where it is.
    pub(crate) fn path(self) -> Result<&'static Path, Missing> {
        found().get(self.name()).map(PathBuf::as_path).ok_or_else(|| Missing(vec![self.name()]))
    }
}

/// Programs that are not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) Vec<&'static str>);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of_the_machine = |name: &&str| Tool::PACKAGES.iter().any(|tool| tool.name() == *name);
        let groups = |name: &&&str| **name == Tool::ControlGroups.name();
        let (packages, built): (Vec<&str>, Vec<&str>) =
            self.0.iter().filter(|name| !groups(name)).partition(|name| of_the_machine(name));
        let mut ways = Vec::new();
        if self.0.iter().any(|name| groups(&name)) {
            ways.push("only root makes control groups".to_owned());
        }
        if !built.is_empty() {
            ways.push("get it with `make control-plane`".to_owned());
        }
        if !packages.is_empty() {
            ways.push(format!("Debian: apt-get install --no-install-recommends {}", packages.join(" ")));
        }
        write!(f, "missing: {}; {}", self.0.join(", "), ways.join("; "))
    }
}

/// Which of these programs are not here.
pub(crate) fn missing(tools: impl IntoIterator<Item = Tool>) -> Option<Missing> {
    let mut names: Vec<_> =
        tools.into_iter().map(Tool::name).filter(|&name| !found().contains_key(name)).collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then_some(Missing(names))
}

fn found() -> &'static BTreeMap<String, PathBuf> {
    static FOUND: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control-plane/get.sh");
        // Exit code 1 only says that something is missing; stdout lists what is not.
        let lists: [&[&str]; 3] =
            [&[script, "--check"], &[script, "--check", "nodes"], &[script, "--check", "matrix"]];
        let lines = lists.map(|args| {
            let output = Command::new("bash").args(args).output().expect("bash, to look for programs");
            String::from_utf8_lossy(&output.stdout).into_owned()
        });
        lines
            .concat()
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, path)| (name.to_owned(), path.into()))
            .chain(
                Tool::PACKAGES
                    .iter()
                    .filter_map(|tool| Some((tool.name().to_owned(), in_path(tool.name())?))),
            )
            .chain(
                super::cage::can_be_made()
                    .then(|| (Tool::ControlGroups.name().to_owned(), "/sys/fs/cgroup".into())),
            )
            .collect()
    })
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
