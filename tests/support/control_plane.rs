//! A real etcd and a real kube-apiserver on loopback, for one test alone. No nodes, no controllers, no service accounts:
//! what writes is the test, and what the API server itself must.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::http::Client;
use super::tools::Tool;
pub(crate) use super::versions::{Helm, Version};
use super::watchdog::{Background, Folder};
use super::{Output, fixtures, free_port, tail, until};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// In system:masters, which no authorizer looks at.
    Admin,
    /// `eks:addon-manager`, as AWS's managed add-ons write; cluster-admin by a binding.
    AddonManager,
    /// A person: cluster-admin by a binding, no group of note.
    Joe,
}

impl User {
    const ALL: [Self; 3] = [Self::Admin, Self::AddonManager, Self::Joe];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::AddonManager => "eks:addon-manager",
            Self::Joe => "joe",
        }
    }

    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::Admin => "token-of-admin",
            Self::AddonManager => "token-of-addon-manager",
            Self::Joe => "token-of-joe",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Admin => "admin.kubeconfig",
            Self::AddonManager => "addon-manager.kubeconfig",
            Self::Joe => "joe.kubeconfig",
        }
    }
}

/// What stands around the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    Nothing,
    /// Nodes and controllers, which reach it at [`ADDRESS`].
    Nodes,
}

impl Around {
    fn args(self) -> Vec<&'static str> {
        match self {
            Self::Nothing => vec![
                "--bind-address=127.0.0.1",
                // No controller makes the default accounts that this plugin asks for.
                "--disable-admission-plugins=ServiceAccount",
                // Less to write and less to wait for.
                "--endpoint-reconciler-type=none",
                "--enable-priority-and-fairness=false",
            ],
            Self::Nodes => vec![
                "--bind-address=0.0.0.0",
                "--advertise-address=10.240.0.2",
                // It dials a Service's endpoints itself, as EKS does; so webhooks need neither kube-proxy nor DNS.
                "--enable-aggregator-routing=true",
            ],
        }
    }
}

/// Where nodes reach the API server; in a network namespace of ours.
pub(crate) const ADDRESS: &str = "10.240.0.2";

/// Key in etcd → revision of its last write.
pub(crate) type State = BTreeMap<String, u64>;

/// Dropped, both processes are killed and the folder is removed.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    version: Version,
    // In this order they are dropped.
    server: Background,
    /// What it was started with.
    arguments: Vec<String>,
    store: Background,
    folder: Folder,
    api: Client,
    gateway: Client,
    port: u16,
}

impl ControlPlane {
    /// Starts both programs and returns when the API server is ready and all users may do what they may.
    pub(crate) fn start(version: Version) -> Self {
        Self::start_with(version, Around::Nothing)
    }

    /// The same, with `around` to come.
    pub(crate) fn start_with(version: Version, around: Around) -> Self {
        let folder = Folder::new();
        let (store, store_port) = start_etcd(&folder);
        let ca = write_certificates(folder.path());
        let Started { server, arguments, port, api } =
            start_server(version, around, &folder, store_port, &ca);
        let plane = Self {
            version,
            server,
            arguments,
            store,
            api: api.with_token(User::Admin.token()),
            gateway: Client::plain(store_port),
            port,
            folder,
        };
        for user in User::ALL {
            plane.write_kubeconfig(user, &ca);
        }
        if around == Around::Nodes {
            plane.write_kubeconfig_to(&plane.folder.join("nodes.kubeconfig"), User::Admin, ADDRESS, &ca);
        }
        plane.grant_rights();
        plane
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The API server's port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Numbers of the processes: API server, etcd.
    pub(crate) fn pids(&self) -> [u32; 2] {
        [self.server.pid(), self.store.pid()]
    }

    /// Kills the API server; what is stored stays.
    pub(crate) fn stop_server(&mut self) {
        self.server.signal("KILL");
        until("the API server was gone", Duration::from_secs(20), || self.server.ended()).unwrap();
    }

    /// Starts it again where it was, and returns when it is ready.
    pub(crate) fn start_server_again(&mut self) {
        let log = self.folder.join("kube-apiserver-again.log");
        self.server = Background::start(&self.folder.join("kube-apiserver"), &self.arguments, &log);
        await_ready(&mut self.server, &self.api, "/readyz")
            .unwrap_or_else(|error| panic!("kube-apiserver: {error}\n{}", tail(&log, 15)));
    }

    /// The API server dies, and comes again on the same port; etcd stays. Returns when it is ready.
    pub(crate) fn restart(&mut self) {
        self.stop_server();
        self.start_server_again();
    }

    /// Admin's kubeconfig with another port on 127.0.0.1.
    pub(crate) fn kubeconfig_through(&self, port: u16) -> PathBuf {
        let admin = std::fs::read_to_string(self.kubeconfig(User::Admin)).unwrap();
        let [direct, through] = [self.port, port].map(|port| format!("127.0.0.1:{port}\""));
        assert!(admin.contains(&direct), "{admin}");
        let file = self.folder.join(&format!("through-{port}.kubeconfig"));
        std::fs::write(&file, admin.replace(&direct, &through)).unwrap();
        file
    }

    /// A folder that lives as long as the control plane.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn kubeconfig(&self, user: User) -> PathBuf {
        self.folder.join(user.file())
    }

    /// HTTP to the API server as `user`, for when a kubectl would be slow or in the way.
    pub(crate) fn client(&self, user: User) -> Client {
        self.api.with_token(user.token())
    }

    pub(crate) fn kubectl(&self, user: User, args: &[&str]) -> Output {
        Output::of(self.command(Tool::Kubectl, user, args), None)
    }

    /// With more environment, such as the editor of `kubectl edit`.
    pub(crate) fn kubectl_env(&self, user: User, args: &[&str], variables: &[(&str, &Path)]) -> Output {
        let mut command = self.command(Tool::Kubectl, user, args);
        command.envs(variables.iter().copied());
        Output::of(command, None)
    }

    /// With a manifest on stdin, for `-f -`.
    pub(crate) fn kubectl_stdin(&self, user: User, args: &[&str], stdin: &str) -> Output {
        Output::of(self.command(Tool::Kubectl, user, args), Some(stdin))
    }

    /// kubectl with words as a person types them into a shell, quotes and all.
    pub(crate) fn shell(&self, user: User, words: &str) -> Output {
        let kubectl = Tool::Kubectl.path().unwrap_or_else(|missing| panic!("{missing}"));
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$0\" {words}"), text(kubectl)]);
        command.env("KUBECONFIG", self.kubeconfig(user)).env("HOME", self.folder.path());
        Output::of(command, None)
    }

    /// As admin, with Helm's own folders inside ours.
    pub(crate) fn helm(&self, helm: Helm, args: &[&str]) -> Output {
        let mut command = self.command(helm.tool(), User::Admin, args);
        for (variable, folder) in [
            ("HELM_CACHE_HOME", "helm-cache"),
            ("HELM_CONFIG_HOME", "helm-config"),
            ("HELM_DATA_HOME", "helm-data"),
        ] {
            command.env(variable, self.folder.join(folder));
        }
        Output::of(command, None)
    }

    /// One pass of Cluster API over a cluster with `vpcCni.disable`. Gives kind → `kept`, `deleted` or `absent`.
    pub(crate) fn capa(&self, tool: Tool) -> BTreeMap<String, String> {
        let kubeconfig = self.kubeconfig(User::Admin);
        let output = Output::of(self.command(tool, User::Admin, &[text(&kubeconfig)]), None);
        let fates = output.ok().lines().filter_map(|line| {
            let (kind, rest) = line.split_once(' ')?;
            Some((kind.to_owned(), rest.rsplit(' ').next()?.to_owned()))
        });
        fates.collect()
    }

    /// What EKS does when it makes a cluster: a forced server-side apply as field manager `eks`.
    ///
    /// Returns when the API server has done its own writes that follow from a new CRD.
    pub(crate) fn eks_apply(&self, manifest: &str) -> Output {
        let args = ["apply", "--server-side", "--force-conflicts", "--field-manager", "eks", "-f", manifest];
        let output = self.kubectl(User::Admin, &args);
        if output.code == 0 {
            self.await_crd();
        }
        output
    }

    /// The object as stored, managedFields and all; namespace kube-system if it has one.
    #[track_caller]
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        self.find(kind, name).unwrap_or_else(|| panic!("expected {kind} {name} to exist"))
    }

    /// Like [`Self::get`], for what may not exist.
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<Value> {
        let args = [
            "get",
            kind,
            name,
            "-n",
            "kube-system",
            "--show-managed-fields",
            "--ignore-not-found",
            "-o",
            "json",
        ];
        let output = self.kubectl(User::Admin, &args);
        let json = output.ok();
        (!json.is_empty()).then(|| serde_json::from_str(json).unwrap())
    }

    /// The revision of everything stored, without what the API server writes of its own accord.
    pub(crate) fn etcd_state(&self) -> State {
        let range = json!({
            "key": BASE64.encode("/registry/"),
            "range_end": BASE64.encode("/registry0"),
            "keys_only": true,
        });
        let reply = self.gateway.post("/v3/kv/range", &range).unwrap();
        assert!(
            reply.status == 200,
            "expected etcd to list its keys, got {}: {}",
            reply.status,
            reply.text()
        );
        let answer = reply.json();
        let pairs = answer["kvs"].as_array().into_iter().flatten().map(|pair| {
            let key = BASE64.decode(pair["key"].as_str().unwrap()).unwrap();
            let revision = pair["mod_revision"].as_str().unwrap().parse().unwrap();
            (String::from_utf8(key).unwrap(), revision)
        });
        pairs.filter(|(key, _)| !OF_ITS_OWN_ACCORD.iter().any(|prefix| key.starts_with(prefix))).collect()
    }

    /// What `action` writes, as [`difference`] says it; empty if nothing.
    pub(crate) fn writes_of<T>(&self, action: impl FnOnce() -> T) -> (T, String) {
        let before = self.quiet();
        let result = action();
        (result, difference(&before, &self.quiet()))
    }

    /// Expects that `action` leaves every stored object at the revision it had.
    #[track_caller]
    pub(crate) fn assert_writes_nothing<T>(&self, action: impl FnOnce() -> T) -> T {
        let (result, changes) = self.writes_of(action);
        assert!(changes.is_empty(), "expected no write, but in etcd{changes}");
        result
    }

    /// The state once nothing is written any more: three looks in a row that see the same.
    fn quiet(&self) -> State {
        let mut seen = (self.etcd_state(), 0);
        until("etcd was quiet", Duration::from_secs(20), || {
            std::thread::sleep(Duration::from_millis(80));
            let now = self.etcd_state();
            seen = if now == seen.0 { (now, seen.1 + 1) } else { (now, 0) };
            (seen.1 == 2).then(|| seen.0.clone())
        })
        .unwrap()
    }

    fn command(&self, tool: Tool, user: User, args: &[&str]) -> Command {
        let mut command = Command::new(tool.path().unwrap_or_else(|missing| panic!("{missing}")));
        command.args(args);
        command.env("KUBECONFIG", self.kubeconfig(user)).env("HOME", self.folder.path());
        command
            .env_remove("HELM_NAMESPACE")
            .env_remove("HELM_KUBECONTEXT")
            .env_remove("KUBECTL_EXTERNAL_DIFF");
        command
    }

    fn write_kubeconfig(&self, user: User, ca: &str) {
        self.write_kubeconfig_to(&self.kubeconfig(user), user, "127.0.0.1", ca);
    }

    fn write_kubeconfig_to(&self, file: &Path, user: User, address: &str, ca: &str) {
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://{address}:{}", self.port),
                "certificate-authority-data": BASE64.encode(ca),
            }}],
            "users": [{"name": user.name(), "user": {"token": user.token()}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user.name()}}],
            "current-context": "test",
        });
        std::fs::write(file, kubeconfig.to_string()).unwrap();
    }

    fn grant_rights(&self) {
        let bound = [User::AddonManager, User::Joe];
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "people-of-the-test"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": bound.map(|user| json!({
                "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name(),
            })),
        });
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        let reply = self.api.post(path, &binding).unwrap();
        assert!(
            reply.status == 201,
            "expected the binding to be created, got {}: {}",
            reply.status,
            reply.text()
        );
        // The authorizer sees it a moment later. The namespaces and the API's own Service too are made only after the server
        // has called itself ready; the Service is the last thing it writes of its own accord.
        let last = ["/api/v1/namespaces/kube-system", "/api/v1/namespaces/default/services/kubernetes"];
        for user in bound {
            let client = self.client(user);
            for path in last {
                until(&format!("{} could read {path}", user.name()), Duration::from_secs(20), || {
                    let reply = client.get(path).ok()?;
                    (reply.status == 200).then_some(())
                })
                .unwrap();
            }
        }
    }

    /// Waits until whoever has `token` may do each of these in kube-system, or may not. A role that was just stored takes effect a
    /// moment later, on a busy machine seconds later. Each is as `kubectl auth can-i` has it: `patch daemonsets.apps/aws-node`.
    pub(crate) fn await_rights(&self, token: &str, may: bool, rights: &[&str]) {
        let client = self.api.with_token(token);
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        for right in rights {
            let (verb, rest) = right.split_once(' ').unwrap();
            let (resource, name) = rest.split_once('/').unwrap_or((rest, ""));
            let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {
                    "namespace": "kube-system", "verb": verb, "group": group, "resource": resource, "name": name,
                }},
            });
            until(&format!("{right} was allowed: {may}"), Duration::from_mins(1), || {
                let reply = client.post(path, &review).ok().filter(|reply| reply.status == 201)?.json();
                (reply["status"]["allowed"].as_bool().unwrap_or_default() == may).then_some(())
            })
            .unwrap();
        }
    }

    /// Waits for the API server's own writes that follow from a new CRD.
    pub(crate) fn await_crd(&self) {
        let name = fixtures::OBJECTS[0].1;
        let paths = [
            (format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"), "Established"),
            (
                "/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.crd.k8s.amazonaws.com".to_owned(),
                "Available",
            ),
        ];
        for (path, condition) in paths {
            until(&format!("{path} was {condition}"), Duration::from_secs(20), || {
                let object = self.api.get(&path).ok()?.json();
                let conditions = object["status"]["conditions"].as_array()?;
                conditions.iter().any(|c| c["type"] == condition && c["status"] == "True").then_some(())
            })
            .unwrap();
        }
    }
}

/// Who wrote workload or identity, and what webhooks had to say about it; nothing else.
const AUDIT: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata
    verbs: [create, update, patch]
    resources:
      - {group: apps, resources: [daemonsets]}
      - {group: rbac.authorization.k8s.io, resources: [clusterroles, clusterrolebindings]}
  - level: None
";

/// Prefixes of keys that change although nobody writes.
const OF_ITS_OWN_ACCORD: [&str; 5] = [
    "/registry/leases/",
    "/registry/events/",
    "/registry/masterleases/",
    "/registry/ranges/",
    "/registry/configmaps/kube-system/kube-apiserver-legacy-service-account-token-tracking",
];

/// One line for each key that is not the same in both, starting with a line break; empty if there is none.
pub(crate) fn difference(before: &State, after: &State) -> String {
    let mut lines = String::new();
    for (key, revision) in after {
        match before.get(key) {
            None => write!(lines, "\n  created {key}").unwrap(),
            Some(old) if old != revision => write!(lines, "\n  changed {key}").unwrap(),
            Some(_) => {}
        }
    }
    for key in before.keys().filter(|&key| !after.contains_key(key)) {
        write!(lines, "\n  deleted {key}").unwrap();
    }
    lines
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Calls `start` until what it started is ready; again from the start if the port was taken in between.
fn on_free_ports<T>(program: &str, log: &Path, mut start: impl FnMut() -> Result<T, String>) -> T {
    for _ in 0..5 {
        match start() {
            Ok(started) => return started,
            Err(_) if tail(log, 1000).contains("address already in use") => {}
            Err(error) => panic!("{program}: {error}\n{}", tail(log, 15)),
        }
    }
    panic!("{program}: found no free port in five attempts")
}

/// Waits for HTTP status 200, and gives up early when the program ends.
fn await_ready(process: &mut Background, client: &Client, path: &str) -> Result<(), String> {
    until(&format!("{path} answered 200"), Duration::from_mins(1), || {
        if let Some(status) = process.ended() {
            return Some(Err(format!("ended with {status}")));
        }
        client.get(path).is_ok_and(|reply| reply.status == 200).then_some(Ok(()))
    })?
}

fn start_etcd(folder: &Folder) -> (Background, u16) {
    let log = folder.join("etcd.log");
    let data = folder.join("etcd");
    let program = Tool::Etcd.path().unwrap_or_else(|missing| panic!("{missing}"));
    on_free_ports("etcd", &log, || {
        let (port, peer_port) = (free_port(), free_port());
        let args = [
            format!("--data-dir={}", text(&data)),
            format!("--listen-client-urls={}", url(port)),
            format!("--advertise-client-urls={}", url(port)),
            format!("--listen-peer-urls={}", url(peer_port)),
            format!("--initial-advertise-peer-urls={}", url(peer_port)),
            format!("--initial-cluster=default={}", url(peer_port)),
            // Nobody misses the data after a crash, and the only member need not wait long before it elects itself.
            "--unsafe-no-fsync".to_owned(),
            "--heartbeat-interval=20".to_owned(),
            "--election-timeout=200".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let mut process = Background::start(program, &args, &log);
        let ready = await_ready(&mut process, &Client::plain(port), "/health");
        if ready.is_err() {
            drop(std::fs::remove_dir_all(&data));
        }
        ready.map(|()| (process, port))
    })
}

/// An API server that is ready.
struct Started {
    server: Background,
    arguments: Vec<String>,
    port: u16,
    api: Client,
}

fn start_server(version: Version, around: Around, folder: &Folder, store_port: u16, ca: &str) -> Started {
    let log = folder.join("kube-apiserver.log");
    // By its usual name, which becomes a field manager.
    let program = folder.join("kube-apiserver");
    let built = version.server().path().unwrap_or_else(|missing| panic!("{missing}"));
    std::os::unix::fs::symlink(built, &program).unwrap();
    let file = |name: &str| text(&folder.join(name)).to_owned();
    std::fs::write(folder.join("audit.yaml"), AUDIT).unwrap();
    // The server's name in a lease of its own, renewed every few seconds.
    let mut gates = "APIServerIdentity=false".to_owned();
    if version >= Version::V1_36 {
        gates.push_str(",UnknownVersionInteroperabilityProxy=false");
    }
    on_free_ports("kube-apiserver", &log, || {
        let port = free_port();
        let mut args = vec![
            format!("--etcd-servers={}", url(store_port)),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", file("server-certificates")),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            format!("--service-account-key-file={}", file("accounts.pub")),
            format!("--service-account-signing-key-file={}", file("accounts.key")),
            "--service-account-issuer=https://kubernetes.default".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!("--feature-gates={gates}"),
            format!("--audit-policy-file={}", file("audit.yaml")),
            format!("--audit-log-path={}", file("audit.log")),
        ];
        args.extend(around.args().into_iter().map(str::to_owned));
        let mut server = Background::start(&program, &args, &log);
        let api = Client::tls(port, ca.as_bytes());
        await_ready(&mut server, &api, "/readyz").map(|()| Started { server, arguments: args, port, api })
    })
}

/// Puts all keys, the server's certificate and the users' tokens into `folder`; gives the CA's certificate.
fn write_certificates(folder: &Path) -> String {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    let write = |name: &str, content: String| std::fs::write(folder.join(name), content).unwrap();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "CA of a test");
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    write("ca.crt", ca_pem.clone());
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate().unwrap();
    let names = ["127.0.0.1", "localhost", ADDRESS].map(str::to_owned);
    let mut server = CertificateParams::new(names).unwrap();
    server.distinguished_name.push(DnType::CommonName, "API server of a test");
    write("server.crt", server.signed_by(&key, &issuer).unwrap().pem());
    write("server.key", key.serialize_pem());
    let accounts = KeyPair::generate().unwrap();
    write("accounts.key", accounts.serialize_pem());
    write("accounts.pub", accounts.public_key_pem());
    let tokens = User::ALL.map(|user| {
        let groups = if user == User::Admin { ",system:masters" } else { "" };
        format!("{},{name},{name}{groups}\n", user.token(), name = user.name())
    });
    write("tokens.csv", tokens.concat());
    ca_pem
}
