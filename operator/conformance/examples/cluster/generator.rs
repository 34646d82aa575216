//! Makes up a cluster, the same one for the same seed: pods of about 4 KB as a real one has them,
//! policies of all shapes, namespaces, and a node for every 50 pods.

#[path = "value.rs"]
mod value;

use value::{Value, list, object, text};

/// How much there is of what.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Pods, in workloads of up to ten.
    pub pods: u32,
    /// Policies.
    pub policies: u32,
    /// Namespaces.
    pub namespaces: u32,
}

/// How the cluster is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As `-o json`.
    Json,
    /// As `-o yaml`.
    Yaml,
}

/// The applications that every namespace may have, with their tier and the port that they name.
const APPLICATIONS: [(&str, &str, &str, u32); 8] = [
    ("web", "front", "http", 8080),
    ("api", "middle", "http", 8000),
    ("auth", "middle", "grpc", 9000),
    ("worker", "middle", "metrics", 9100),
    ("cache", "back", "redis", 6379),
    ("db", "back", "mysql", 3306),
    ("queue", "back", "amqp", 5672),
    ("search", "back", "http", 9200),
];

const TEAMS: [&str; 6] = ["shop", "pay", "data", "ops", "risk", "mail"];

/// How many pods run on a node.
const PODS_A_NODE: u32 = 50;

/// A `List` of everything.
pub fn cluster(size: &Size, seed: u64, format: Format) -> String {
    let mut chance = Chance(seed);
    let namespaces = size.namespaces.max(1);
    let mut items: Vec<Value> = Vec::new();
    items.extend((0..namespaces).map(namespace));
    items.extend((0..size.pods.div_ceil(PODS_A_NODE)).map(node));
    let mut index = 0;
    while index < size.pods {
        let workload = Workload::random(&mut chance, index, namespaces);
        let last = (index + 1 + chance.below(10)).min(size.pods);
        items.extend((index..last).map(|pod| workload.pod(&mut chance, pod, pod - index)));
        index = last;
    }
    items.extend((0..size.policies).map(|index| policy(&mut chance, index, namespaces)));
    let all = object([
        ("apiVersion", text("v1")),
        ("items", Value::List(items)),
        ("kind", text("List")),
        ("metadata", object([("resourceVersion", text(""))])),
    ]);
    match format {
        Format::Json => all.json(),
        Format::Yaml => all.yaml(),
    }
}

/// Numbers that look random (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit.max(1))).unwrap_or_default()
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        let place = self.next() % u64::try_from(among.len()).unwrap_or(1);
        &among[usize::try_from(place).unwrap_or_default()]
    }

    fn uid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let (first, second, third) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        let (fourth, fifth) = (low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        format!("{first:08x}-{second:04x}-4{third:03x}-{fourth:04x}-{fifth:012x}")
    }

    /// What controllers append to names; never a number, which YAML would have to quote.
    fn suffix(&mut self, length: usize) -> String {
        let letters = b"bcdfghjklmnpqrstvwxz";
        (0..length).map(|_| char::from(*self.pick(letters))).collect()
    }
}

fn namespace_name(index: u32) -> String {
    format!("{}-{index}", team(index))
}

fn team(index: u32) -> &'static str {
    TEAMS[index as usize % TEAMS.len()]
}

fn namespace(index: u32) -> Value {
    let name = namespace_name(index);
    object([
        ("apiVersion", text("v1")),
        ("kind", text("Namespace")),
        (
            "metadata",
            object([
                (
                    "labels",
                    object([
                        ("kubernetes.io/metadata.name", text(&name)),
                        (
                            "stage",
                            text(if index.is_multiple_of(3) { "production" } else { "test" }),
                        ),
                        ("team", text(team(index))),
                    ]),
                ),
                ("name", text(&name)),
            ]),
        ),
        ("status", object([("phase", text("Active"))])),
    ])
}

fn node_name(index: u32) -> String {
    format!("node-{index}.example.internal")
}

fn node_address(index: u32) -> String {
    format!("192.168.{}.{}", index / 250, index % 250 + 1)
}

fn node(index: u32) -> Value {
    let address = |kind, address: &str| object([("address", text(address)), ("type", text(kind))]);
    object([
        ("apiVersion", text("v1")),
        ("kind", text("Node")),
        (
            "metadata",
            object([
                ("labels", object([("kubernetes.io/os", text("linux"))])),
                ("name", text(&node_name(index))),
            ]),
        ),
        (
            "status",
            object([(
                "addresses",
                list([
                    address("InternalIP", &node_address(index)),
                    address("Hostname", &node_name(index)),
                ]),
            )]),
        ),
    ])
}

/// Pods that belong together.
struct Workload {
    namespace: String,
    app: (&'static str, &'static str, &'static str, u32),
    team: &'static str,
    name: String,
    hash: String,
    uid: String,
    is_stateful: bool,
}

impl Workload {
    fn random(chance: &mut Chance, index: u32, namespaces: u32) -> Self {
        let namespace = chance.below(namespaces);
        let app = *chance.pick(&APPLICATIONS);
        let name = format!("{}-{index}", app.0);
        Self {
            namespace: namespace_name(namespace),
            is_stateful: app.1 == "back",
            team: team(namespace),
            hash: chance.suffix(10),
            uid: chance.uid(),
            app,
            name,
        }
    }

    fn pod(&self, chance: &mut Chance, index: u32, ordinal: u32) -> Value {
        let (owner_kind, owner, name) = if self.is_stateful {
            ("StatefulSet", self.name.clone(), format!("{}-{ordinal}", self.name))
        } else {
            let owner = format!("{}-{}", self.name, self.hash);
            let name = format!("{owner}-{}", chance.suffix(5));
            ("ReplicaSet", owner, name)
        };
        let node = index / PODS_A_NODE;
        let uid = chance.uid();
        object([
            ("apiVersion", text("v1")),
            ("kind", text("Pod")),
            (
                "metadata",
                object([
                    (
                        "annotations",
                        object([
                            ("checksum/config", text(&chance.uid())),
                            ("kubernetes.io/config.source", text("api")),
                            ("prometheus.io/scrape", text("true")),
                        ]),
                    ),
                    ("creationTimestamp", text("2026-10-01T08:00:00Z")),
                    ("generateName", text(&format!("{owner}-"))),
                    ("labels", self.labels(&name)),
                    ("name", text(&name)),
                    ("namespace", text(&self.namespace)),
                    (
                        "ownerReferences",
                        list([object([
                            ("apiVersion", text("apps/v1")),
                            ("blockOwnerDeletion", Value::Bool(true)),
                            ("controller", Value::Bool(true)),
                            ("kind", text(owner_kind)),
                            ("name", text(&owner)),
                            ("uid", text(&self.uid)),
                        ])]),
                    ),
                    ("resourceVersion", text(&format!("{}", 100_000 + index))),
                    ("uid", text(&uid)),
                ]),
            ),
            ("spec", self.spec(node)),
            ("status", status(chance, index, node, self.app.0)),
        ])
    }

    fn labels(&self, pod: &str) -> Value {
        let (app, tier, ..) = self.app;
        let own = if self.is_stateful {
            ("statefulset.kubernetes.io/pod-name", text(pod))
        } else {
            ("pod-template-hash", text(&self.hash))
        };
        object([
            ("app", text(app)),
            ("app.kubernetes.io/instance", text(&self.name)),
            own,
            ("team", text(self.team)),
            ("tier", text(tier)),
        ])
    }

    fn spec(&self, node: u32) -> Value {
        let (app, _, port_name, port) = self.app;
        let declared = |name, port| {
            object([
                ("containerPort", Value::Number(port)),
                ("name", text(name)),
                ("protocol", text("TCP")),
            ])
        };
        let probe = |path| {
            object([
                ("failureThreshold", Value::Number(3)),
                (
                    "httpGet",
                    object([
                        ("path", text(path)),
                        ("port", text(port_name)),
                        ("scheme", text("HTTP")),
                    ]),
                ),
                ("periodSeconds", Value::Number(10)),
                ("successThreshold", Value::Number(1)),
                ("timeoutSeconds", Value::Number(1)),
            ])
        };
        let variable = |name, value: &str| object([("name", text(name)), ("value", text(value))]);
        let resources = |cpu, memory| object([("cpu", text(cpu)), ("memory", text(memory))]);
        let mount = |name, path| {
            object([
                ("mountPath", text(path)),
                ("name", text(name)),
                ("readOnly", Value::Bool(true)),
            ])
        };
        let container = object([
            ("args", list([text("--listen"), text(&format!(":{port}")), text("--log=json")])),
            (
                "env",
                list([
                    variable("SERVICE_NAME", &self.name),
                    variable("LOG_LEVEL", "info"),
                    variable("DATABASE_URL", "mysql://db:3306/main?parseTime=true"),
                ]),
            ),
            ("image", text(&format!("registry.example.com/{}/{app}:1.14.2", self.team))),
            ("imagePullPolicy", text("IfNotPresent")),
            ("livenessProbe", probe("/livez")),
            ("name", text(app)),
            ("ports", list([declared(port_name, port), declared("admin", 15_000)])),
            ("readinessProbe", probe("/readyz")),
            (
                "resources",
                object([
                    ("limits", resources("1", "512Mi")),
                    ("requests", resources("100m", "128Mi")),
                ]),
            ),
            ("terminationMessagePath", text("/dev/termination-log")),
            ("terminationMessagePolicy", text("File")),
            (
                "volumeMounts",
                list([
                    mount("config", "/etc/app"),
                    mount("token", "/var/run/secrets/kubernetes.io/serviceaccount"),
                ]),
            ),
        ]);
        object([
            ("containers", list([container])),
            ("dnsPolicy", text("ClusterFirst")),
            ("enableServiceLinks", Value::Bool(true)),
            ("nodeName", text(&node_name(node))),
            ("preemptionPolicy", text("PreemptLowerPriority")),
            ("priority", Value::Number(0)),
            ("restartPolicy", text("Always")),
            ("schedulerName", text("default-scheduler")),
            ("securityContext", object([("runAsNonRoot", Value::Bool(true))])),
            ("serviceAccountName", text(app)),
            ("terminationGracePeriodSeconds", Value::Number(30)),
            (
                "tolerations",
                list([
                    toleration("node.kubernetes.io/not-ready"),
                    toleration("node.kubernetes.io/unreachable"),
                ]),
            ),
            (
                "volumes",
                list([object([
                    ("configMap", object([("name", text(&self.name))])),
                    ("name", text("config")),
                ])]),
            ),
        ])
    }
}

fn toleration(key: &str) -> Value {
    object([
        ("effect", text("NoExecute")),
        ("key", text(key)),
        ("operator", text("Exists")),
        ("tolerationSeconds", Value::Number(300)),
    ])
}

fn status(chance: &mut Chance, index: u32, node: u32, container: &str) -> Value {
    let address = format!("10.{}.{}.{}", 64 + index / 62_500, index / 250 % 250, index % 250 + 1);
    let condition = |kind| {
        object([
            ("lastProbeTime", Value::Null),
            ("lastTransitionTime", text("2026-10-01T08:00:07Z")),
            ("status", text("True")),
            ("type", text(kind)),
        ])
    };
    let digest = format!("{:016x}{:016x}", chance.next(), chance.next());
    object([
        (
            "conditions",
            list(["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition)),
        ),
        (
            "containerStatuses",
            list([object([
                ("containerID", text(&format!("containerd://{digest}{digest}"))),
                ("image", text("registry.example.com/app:1.14.2")),
                ("imageID", text(&format!("registry.example.com/app@sha256:{digest}{digest}"))),
                ("name", text(container)),
                ("ready", Value::Bool(true)),
                ("restartCount", Value::Number(0)),
                (
                    "state",
                    object([("running", object([("startedAt", text("2026-10-01T08:00:05Z"))]))]),
                ),
            ])]),
        ),
        ("hostIP", text(&node_address(node))),
        ("hostIPs", list([object([("ip", text(&node_address(node)))])])),
        ("phase", text("Running")),
        ("podIP", text(&address)),
        ("podIPs", list([object([("ip", text(&address))])])),
        ("qosClass", text("Burstable")),
        ("startTime", text("2026-10-01T08:00:00Z")),
    ])
}

fn policy(chance: &mut Chance, index: u32, namespaces: u32) -> Value {
    let app = *chance.pick(&APPLICATIONS);
    let subjects = match chance.below(5) {
        0 => object([]),
        1 => object([("matchExpressions", list([one_of(chance)]))]),
        _ => object([("matchLabels", object([("app", text(app.0))]))]),
    };
    let rules = |chance: &mut Chance, peers| {
        let count = 1 + chance.below(3);
        Value::List((0..count).map(|_| rule(chance, app, peers, namespaces)).collect())
    };
    let (ingress, egress) = (rules(chance, "from"), rules(chance, "to"));
    let spec = match chance.below(4) {
        0 => object([
            ("egress", egress),
            ("ingress", ingress),
            ("podSelector", subjects),
            ("policyTypes", list([text("Ingress"), text("Egress")])),
        ]),
        1 => object([
            ("egress", egress),
            ("podSelector", subjects),
            ("policyTypes", list([text("Egress")])),
        ]),
        _ => object([
            ("ingress", ingress),
            ("podSelector", subjects),
            ("policyTypes", list([text("Ingress")])),
        ]),
    };
    object([
        ("apiVersion", text("networking.k8s.io/v1")),
        ("kind", text("NetworkPolicy")),
        (
            "metadata",
            object([
                ("creationTimestamp", text("2026-10-01T08:00:00Z")),
                ("generation", Value::Number(1)),
                ("name", text(&format!("{}-{index}", app.0))),
                ("namespace", text(&namespace_name(chance.below(namespaces)))),
                ("uid", text(&chance.uid())),
            ]),
        ),
        ("spec", spec),
    ])
}

fn one_of(chance: &mut Chance) -> Value {
    let tiers = match chance.below(3) {
        0 => list([text("front")]),
        1 => list([text("middle"), text("back")]),
        _ => list([text("back")]),
    };
    let operator = if chance.below(3) == 0 { "NotIn" } else { "In" };
    object([("key", text("tier")), ("operator", text(operator)), ("values", tiers)])
}

fn rule(
    chance: &mut Chance,
    app: (&str, &str, &str, u32),
    peers: &'static str,
    namespaces: u32,
) -> Value {
    let count = 1 + chance.below(2);
    let elements = Value::List((0..count).map(|_| peer(chance, namespaces)).collect());
    let port = match chance.below(4) {
        0 => object([("port", text(app.2)), ("protocol", text("TCP"))]),
        1 => object([
            ("endPort", Value::Number(9999)),
            ("port", Value::Number(8000)),
            ("protocol", text("TCP")),
        ]),
        _ => object([("port", Value::Number(app.3)), ("protocol", text("TCP"))]),
    };
    match chance.below(6) {
        0 => object([(peers, elements)]),
        _ => object([(peers, elements), ("ports", list([port]))]),
    }
}

fn peer(chance: &mut Chance, namespaces: u32) -> Value {
    let other = chance.pick(&APPLICATIONS).0;
    let pods = || ("podSelector", object([("matchLabels", object([("app", text(other))]))]));
    let labels = |key: &'static str, value: &str| {
        ("namespaceSelector", object([("matchLabels", object([(key, text(value))]))]))
    };
    match chance.below(6) {
        0 => object([labels("team", chance.pick::<&str>(&TEAMS)), pods()]),
        1 => {
            let name = namespace_name(chance.below(namespaces));
            object([labels("kubernetes.io/metadata.name", &name)])
        }
        2 => {
            let (third, hole) = (chance.below(250), chance.below(15));
            object([(
                "ipBlock",
                object([
                    ("cidr", text(&format!("10.64.{third}.0/24"))),
                    ("except", list([text(&format!("10.64.{third}.{}/28", hole * 16))])),
                ]),
            )])
        }
        3 => object([("podSelector", object([("matchExpressions", list([one_of(chance)]))]))]),
        _ => object([pods()]),
    }
}
