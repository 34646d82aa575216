//! An API server over loopback, for tests: as much of one as lists, watches and gets take. It
//! answers every apply with success, and keeps nothing of what was applied.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming},
    header::RETRY_AFTER,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::sleep};

/// The path of the collection of `CustomResourceDefinitions`.
pub const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// An API server of a test. It ends when this is dropped.
pub struct ApiServer {
    /// A client of this server.
    pub client: Client,
    /// The configuration from which a test makes more clients of this server.
    pub config: Config,
    state: Arc<Mutex<ServerState>>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct ServerState {
    version: u64,
    /// The objects of each collection that is served: by the collection's path, then by name.
    collections: BTreeMap<String, BTreeMap<String, Value>>,
    /// All changes since the start, so that a watch can begin at an earlier version.
    history: Vec<Happening>,
    watches: Vec<Watch>,
    requests: Vec<String>,
    methods: Vec<(Method, String)>,
    refusals: Vec<RequestRefusal>,
    /// Whether a watch ends as soon as it was told the history.
    ends_watches: bool,
}

/// Which requests are refused, and with which answer.
#[derive(Clone)]
pub struct RequestRefusal {
    /// The method of the requests.
    pub method: Method,
    /// A part of the requests' path and query.
    pub part: &'static str,
    /// The status code of the answer.
    pub code: u16,
    /// The message in the answer's body.
    pub message: &'static str,
    /// The answer's `Retry-After`, in seconds; none leaves the header out.
    pub retry_after: Option<u32>,
}

struct Happening {
    version: u64,
    path: String,
    event: Value,
}

struct Watch {
    path: String,
    name: Option<String>,
    events: mpsc::UnboundedSender<Value>,
}

impl ApiServer {
    /// Starts a server of one collection, [`DEFINITIONS`], with nothing in it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(ServerState::default()));
        let shared = Arc::clone(&state);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without this the kernel delays the end of an answer, and a paused clock runs
                // ahead.
                stream.set_nodelay(true).expect("it is a socket");
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        let response = respond(&request, &state);
                        async move { Ok::<_, Infallible>(response) }
                    });
                    drop(
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    );
                });
            }
        });
        // A paused clock jumps to the next timer while loopback works; this one keeps jumps short.
        tasks.spawn(async {
            loop {
                sleep(Duration::from_millis(20)).await;
            }
        });
        let mut config = Config::new(format!("http://{address}").parse().expect("an address"));
        config.default_retry = false;
        let client = Client::try_from(config.clone()).expect("a client");
        let server = Self { client, config, state, _tasks: tasks };
        server.serve(DEFINITIONS);
        server
    }

    fn with<T>(&self, change: impl FnOnce(&mut ServerState) -> T) -> T {
        change(&mut self.state.lock().expect("no holder of this lock can panic"))
    }

    /// Begins to serve a collection, with nothing in it.
    pub fn serve(&self, path: &str) {
        self.with(|state| drop(state.collections.insert(path.into(), BTreeMap::new())));
    }

    /// Ends a collection: its watches end, and requests for it get a 404.
    pub fn stop_serving(&self, path: &str) {
        self.with(|state| {
            state.collections.remove(path);
            state.watches.retain(|watch| watch.path != path);
        });
    }

    /// Creates or replaces an object, tells the watches, and returns the object's version.
    pub fn put(&self, path: &str, mut object: Value) -> String {
        self.with(|state| {
            state.version += 1;
            let version = state.version.to_string();
            object["metadata"]["resourceVersion"] = json!(version);
            let name = named(&object).expect("a name").to_owned();
            let objects = state.collections.get_mut(path).expect("a collection that is served");
            let before = objects.insert(name, object.clone());
            state.tell(path, if before.is_some() { "MODIFIED" } else { "ADDED" }, &object);
            version
        })
    }

    /// Removes an object, and tells the watches. Panics if there is none of this name.
    pub fn delete(&self, path: &str, name: &str) {
        self.with(|state| {
            let objects = state.collections.get_mut(path).expect("a collection that is served");
            let object = objects.remove(name).expect("an object of this name");
            state.version += 1;
            state.tell(path, "DELETED", &object);
        });
    }

    /// Sends a bookmark to all watches.
    pub fn bookmark(&self) {
        self.with(|state| {
            let bookmark = json!({
                "apiVersion": "v1", "kind": "Bookmark",
                "metadata": {"resourceVersion": state.version.to_string()},
            });
            let event = json!({"type": "BOOKMARK", "object": bookmark});
            state.watches.retain(|watch| watch.events.send(event.clone()).is_ok());
        });
    }

    /// Refuses all such requests from now on. The earliest refusal that fits a request decides.
    pub fn refuse(&self, refusal: RequestRefusal) {
        self.with(|state| state.refusals.push(refusal));
    }

    /// Takes back all refusals.
    pub fn relent(&self) {
        self.with(|state| state.refusals.clear());
    }

    /// Ends all watches, and each new one as soon as it was told the history.
    pub fn end_watches(&self) {
        self.with(|state| {
            state.ends_watches = true;
            state.watches.clear();
        });
    }

    /// How many requests so far had this method, and `part` in their path and query.
    pub fn count(&self, method: &Method, part: &str) -> usize {
        let is = |(of, uri): &&(Method, String)| of == method && uri.contains(part);
        self.with(|state| state.methods.iter().filter(is).count())
    }

    /// The path and query of each request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<String> {
        self.with(|state| state.requests.clone())
    }
}

impl ServerState {
    fn tell(&mut self, path: &str, type_: &str, object: &Value) {
        let event = json!({"type": type_, "object": object});
        let happening = Happening { version: self.version, path: path.to_owned(), event };
        for watch in &self.watches {
            watch.tell(&happening);
        }
        self.history.push(happening);
    }
}

impl Watch {
    fn tell(&self, Happening { path, event, .. }: &Happening) {
        let concerned = self.name.is_none() || self.name.as_deref() == named(&event["object"]);
        if *path == self.path && concerned {
            drop(self.events.send(event.clone()));
        }
    }
}

fn named(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str()
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn respond(request: &Request<Incoming>, state: &Mutex<ServerState>) -> Response<Body> {
    let mut state = state.lock().expect("no holder of this lock can panic");
    let path = request.uri().path();
    let query = request.uri().query().unwrap_or_default();
    let uri = request.uri().to_string();
    let method = request.method().clone();
    state.requests.push(uri.clone());
    state.methods.push((method.clone(), uri.clone()));
    let refuses = |one: &&RequestRefusal| one.method == method && uri.contains(one.part);
    if let Some(refusal) = state.refusals.iter().find(refuses) {
        return refused(refusal);
    }
    if let (Method::PATCH, Some((path, name))) = (method, path.rsplit_once('/'))
        && state.collections.contains_key(path)
    {
        // The fields that a pod, a StandInSet and a ConnectivityTest cannot do without.
        let test = json!({"namespace": "shop", "name": "t", "uid": "u"});
        let object = json!({
            "metadata": {"name": name, "uid": format!("uid-{name}")},
            "spec": {"containers": [], "replicas": 0, "test": test, "endpoints": []},
        });
        return whole(StatusCode::OK, &object);
    }
    let name =
        query.split('&').find_map(|part| part.strip_prefix("fieldSelector=metadata.name%3D"));
    let Some(objects) = state.collections.get(path) else {
        let object = path.rsplit_once('/').and_then(|(path, name)| {
            state.collections.get(path).and_then(|objects| objects.get(name))
        });
        return match object {
            Some(object) => whole(StatusCode::OK, object),
            None => whole(StatusCode::NOT_FOUND, &not_found()),
        };
    };
    if query.split('&').any(|part| part == "watch=true") {
        let (events, received) = mpsc::unbounded_channel();
        let watch = Watch { path: path.to_owned(), name: name.map(str::to_owned), events };
        let since = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
        let since: u64 = since.and_then(|version| version.parse().ok()).expect("a version");
        for happening in state.history.iter().filter(|happening| happening.version > since) {
            watch.tell(happening);
        }
        if !state.ends_watches {
            state.watches.push(watch);
        }
        return streamed(received);
    }
    let wanted = |object: &&Value| name.is_none() || name == named(object);
    let items: Vec<&Value> = objects.values().filter(wanted).collect();
    let metadata = json!({"resourceVersion": state.version.to_string()});
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items});
    whole(StatusCode::OK, &list)
}

fn refused(refusal: &RequestRefusal) -> Response<Body> {
    let said = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": refusal.code,
        "reason": "Refused", "message": refusal.message,
    });
    let code = StatusCode::from_u16(refusal.code).expect("a status");
    let mut response = whole(code, &said);
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn not_found() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404,
        "reason": "NotFound", "message": "the server could not find the requested resource",
    })
}

fn whole(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string())).boxed_unsync();
    Response::builder().status(status).body(body).expect("the status is valid")
}

fn streamed(events: mpsc::UnboundedReceiver<Value>) -> Response<Body> {
    let lines = futures::stream::unfold(events, |mut events| async move {
        let event = events.recv().await?;
        Some((Ok(Frame::data(Bytes::from(format!("{event}\n")))), events))
    });
    Response::new(StreamBody::new(lines).boxed_unsync())
}
