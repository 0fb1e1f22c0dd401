//! A cluster of two real nodes that have no CNI plugin. They stay `NotReady`; what uses its node's network and tolerates
//! that runs all the same. Node 1 shares the namespace that etcd, the API server and this process are in; node 2 has
//! one of its own, behind a bridge. Each has its own mounts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cell;
use crate::support::control_plane::{ADDRESS, Around, ControlPlane, User, Version};
use crate::support::tools::Tool;
use crate::support::watchdog::Background;
use crate::support::{Output, tail, until};

pub(crate) const NEEDS: &[Tool] = &[
    Tool::ApiServer136,
    Tool::Etcd,
    Tool::Kubectl,
    Tool::Helm3,
    Tool::Helm4,
    Tool::ControllerManager,
    Tool::Scheduler,
    Tool::Kubelet,
    Tool::Pause,
];

/// What each pod begins with.
pub(crate) const PAUSE: &str = "cni-steward.test/pause:1";

pub(crate) const ADDRESSES: [&str; 2] = [ADDRESS, "10.240.0.3"];

/// Where Debian puts them.
const PLUGINS: &str = "/usr/lib/cni";

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    nodes: Vec<Node>,
    controllers: Vec<Background>,
}

#[derive(Debug)]
struct Node {
    containerd: Background,
    kubelet: Background,
    socket: PathBuf,
}

impl Cluster {
    /// Returns when both nodes have registered and default service accounts are there.
    pub(crate) fn start() -> Self {
        network();
        let plane = ControlPlane::start_with(Version::V1_36, Around::Nodes);
        let file = |name: &str| plane.folder().join(name).display().to_string();
        let kubeconfig = format!("--kubeconfig={}", file("nodes.kubeconfig"));
        let common =
            [kubeconfig.clone(), "--leader-elect=false".to_owned(), "--bind-address=127.0.0.1".to_owned()];
        let accounts = [
            format!("--service-account-private-key-file={}", file("accounts.key")),
            format!("--root-ca-file={}", file("ca.crt")),
        ];
        let controllers = vec![
            start(Tool::ControllerManager, &[&common[..], &accounts].concat()),
            start(Tool::Scheduler, &common),
        ];
        let pause = pause_image();
        let nodes = [0, 1].map(|number| Node::start(number, &kubeconfig, &pause)).into();
        let cluster = Self { plane, nodes, controllers };
        for path in [
            "/api/v1/nodes/node1",
            "/api/v1/nodes/node2",
            "/api/v1/namespaces/kube-system/serviceaccounts/default",
        ] {
            let client = cluster.plane.client(User::Admin);
            until(&format!("{path} was there"), PATIENCE, || {
                client.get(path).is_ok_and(|reply| reply.status == 200).then_some(())
            })
            .unwrap_or_else(|error| panic!("{error}\n{}", cluster.logs()));
        }
        cluster
    }

    /// Puts an image from an archive onto both nodes.
    pub(crate) fn import(&self, archive: &Path) {
        for node in &self.nodes {
            import(&node.socket, archive);
        }
    }

    /// Gives the Pods of both nodes addresses, by the `bridge` plugin: from now on the nodes can be ready.
    pub(crate) fn bring_network(&self) {
        for number in [1, 2] {
            let folder = cell::folder().join(format!("node{number}"));
            let (plugins, networks) = (folder.join("plugins"), folder.join("networks"));
            for folder in [&plugins, &networks] {
                std::fs::create_dir_all(folder).unwrap();
            }
            for plugin in ["bridge", "host-local", "loopback"] {
                std::fs::copy(Path::new(PLUGINS).join(plugin), plugins.join(plugin)).unwrap();
            }
            let network = json!({
                "cniVersion": "0.4.0", "name": "bridge", "plugins": [{
                    "type": "bridge", "bridge": "cni0", "isGateway": true,
                    "ipam": {"type": "host-local", "subnet": format!("10.241.{number}.0/24"), "dataDir": folder.join("addresses")},
                }],
            });
            // In one write: containerd looks after one, and does not after a file that is moved in.
            std::fs::write(networks.join("10-bridge.conflist"), network.to_string()).unwrap();
        }
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> Output {
        self.plane.kubectl(User::Admin, args)
    }

    /// Every object of a kind in a namespace that a label selects.
    pub(crate) fn list(&self, kind: &str, namespace: &str, selector: &str) -> Vec<Value> {
        let output = self.kubectl(&["get", kind, "-n", namespace, "-l", selector, "-o", "json"]);
        let list: Value = serde_json::from_str(output.ok()).unwrap();
        list["items"].as_array().cloned().unwrap()
    }

    /// Waits until `enough` says so of what [`Self::list`] gives.
    #[track_caller]
    pub(crate) fn await_list<T>(
        &self,
        what: &str,
        (kind, namespace, selector): (&str, &str, &str),
        enough: impl Fn(&[Value]) -> Option<T>,
    ) -> T {
        let seen = until(what, PATIENCE, || enough(&self.list(kind, namespace, selector)));
        seen.unwrap_or_else(|error| {
            let pods = self.kubectl(&["describe", "pods", "-n", namespace, "-l", selector]);
            let events = self.kubectl(&["get", "events", "-A", "--sort-by=.lastTimestamp"]);
            panic!("{error}\n{}\n{}\n{}", pods.stdout, tail_of(&events.stdout), self.logs())
        })
    }

    /// The last lines of what each part said.
    pub(crate) fn logs(&self) -> String {
        let nodes = self.nodes.iter().flat_map(|node| [&node.containerd, &node.kubelet]);
        let parts = self.controllers.iter().chain(nodes);
        let logs = parts.map(|part| format!("--- {}\n{}", part.log().display(), tail(part.log(), 8)));
        logs.collect::<Vec<_>>().join("\n")
    }
}

fn tail_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

impl Node {
    fn start(number: usize, kubeconfig: &str, pause: &Path) -> Self {
        let name = format!("node{}", number + 1);
        let folder = cell::folder().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("containerd.sock");
        let config = folder.join("containerd.toml");
        std::fs::write(&config, containerd_config(&folder)).unwrap();
        std::fs::create_dir_all(folder.join("kubelet")).unwrap();
        // A kubelet puts a socket under /var/lib/kubelet wherever its own folder is, and removes what was there.
        let own = r#"mkdir -p /var/lib/kubelet && mount --bind "$0" /var/lib/kubelet && exec "$@""#;
        let unshare =
            ["unshare", "--mount", "sh", "-euc", own, &folder.join("kubelet").display().to_string()];
        // Not `ip netns exec`, which mounts /sys anew and hides the cgroups.
        let network = (number == 1).then_some(["nsenter", "--net=/run/netns/node2"]);
        let words = network.iter().flatten().chain(&unshare).map(|&word| word.to_owned());
        let run = |words: Vec<String>, log: &str| {
            Background::start(Path::new(&words[0]), &words[1..], &folder.join(log))
        };
        let containerd = ["containerd".to_owned(), format!("--config={}", config.display())];
        let containerd = run(words.chain(containerd).collect(), "containerd.log");
        until("containerd answered", PATIENCE, || {
            let asked = Output::of(ctr(&socket, &["version"]), None);
            (asked.code == 0).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", tail(containerd.log(), 15)));
        import(&socket, pause);

        let config = folder.join("kubelet.yaml");
        std::fs::write(&config, kubelet_config(&folder, &socket).to_string()).unwrap();
        // Where containerd is: it has to see what the kubelet mounts for a Pod.
        let kubelet = vec![
            "nsenter".to_owned(),
            format!("--target={}", containerd.pid()),
            "--mount".to_owned(),
            "--net".to_owned(),
            program(Tool::Kubelet),
            format!("--config={}", config.display()),
            kubeconfig.to_owned(),
            format!("--hostname-override={name}"),
            format!("--node-ip={}", ADDRESSES[number]),
            format!("--root-dir={}", folder.join("kubelet").display()),
            format!("--cert-dir={}", folder.join("certificates").display()),
        ];
        let kubelet = run(kubelet, "kubelet.log");
        Self { containerd, kubelet, socket }
    }
}

fn containerd_config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
  address = "{folder}/containerd.sock"
[ttrpc]
  address = "{folder}/containerd.sock.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  # runc may not lower the score on every machine.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{folder}/plugins"
    conf_dir = "{folder}/networks"
"#
    )
}

fn kubelet_config(folder: &Path, socket: &Path) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": format!("unix://{}", socket.display()),
        "cgroupDriver": "cgroupfs",
        // Whatever this machine offers in cgroups shall do.
        "failCgroupV1": false,
        "cgroupsPerQOS": false,
        "enforceNodeAllocatable": [],
        "failSwapOn": false,
        // How soon a pod sees a changed ConfigMap or Secret; a minute if not said.
        "syncFrequency": "5s",
        "localStorageCapacityIsolation": false,
        // A full disk of the machine is not what is tested.
        "evictionHard": {"memory.available": "1Mi"},
        "imageGCHighThresholdPercent": 100,
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "resolvConf": "",
        "podLogsDir": folder.join("logs"),
        "volumePluginDir": folder.join("volume-plugins"),
    })
}

/// Bridge, addresses and routes.
fn network() {
    for words in [
        "netns add node2",
        "-n node2 link set lo up",
        "link add br0 type bridge",
        "addr add 10.240.0.2/24 dev br0",
        "link set br0 up",
        "link add to2 type veth peer name eth0 netns node2",
        "link set to2 master br0 up",
        "-n node2 addr add 10.240.0.3/24 dev eth0",
        "-n node2 link set eth0 up",
        "route add default dev br0",
        "-n node2 route add default via 10.240.0.2",
    ] {
        let mut command = Command::new("ip");
        command.args(words.split(' '));
        Output::of(command, None).ok();
    }
}

fn program(tool: Tool) -> String {
    tool.path().unwrap_or_else(|missing| panic!("{missing}")).display().to_string()
}

fn start(tool: Tool, args: &[String]) -> Background {
    let log = cell::folder().join(format!("{}.log", tool.name()));
    Background::start(Path::new(&program(tool)), args, &log)
}

fn ctr(socket: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(socket).args(["--namespace", "k8s.io"]).args(args);
    command
}

fn import(socket: &Path, archive: &Path) {
    Output::of(ctr(socket, &["images", "import", archive.to_str().unwrap()]), None).ok();
}

fn pause_image() -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    let archive = cell::folder().join("pause.tar");
    let mut command = Command::new(format!("{root}/hack/image.sh"));
    command.arg(PAUSE).arg(format!("{root}/tests/control-plane/pause/Dockerfile")).arg(program(Tool::Pause));
    command.arg(std::env::consts::ARCH.replace("x86_64", "amd64").replace("aarch64", "arm64"));
    command.arg(&archive).arg("none");
    Output::of(command, None).ok();
    archive
}
