//! The connection to the cluster that `e2e/cluster/up.sh` makes, and to no other.

use std::{
    env, fs::File, io::Write as _, path::PathBuf, process::Stdio, sync::LazyLock, time::Duration,
};

use anyhow::{Context, Result, ensure};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout},
};

/// The longest that a command may take.
const COMMAND: Duration = Duration::from_secs(30);

/// The file in which `e2e/cluster/lib.sh` keeps the kubeconfig. The user's own kubeconfig names
/// another cluster, on which nothing may be killed.
pub fn kubeconfig() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("NETPROOF_CACHE").unwrap_or_else(|| {
        let caches =
            set("XDG_CACHE_HOME").unwrap_or_else(|| set("HOME").unwrap_or_default().join(".cache"));
        caches.join("netproof")
    });
    cache.join("kubeconfig")
}

/// A new client of the cluster. Each test has its own, since a client lives on the runtime of its
/// test. It retries nothing.
pub async fn client() -> Result<Client> {
    let path = kubeconfig();
    let kubeconfig = Kubeconfig::read_from(&path)
        .with_context(|| format!("no cluster to test on: {}; run make e2e", path.display()))?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// Runs a command to its end, and returns what it wrote to standard output. A failure, or 30 s, is
/// an error with all that it wrote. Dropping the future kills the command.
pub async fn run(program: &str, args: &[&str]) -> Result<String> {
    run_for(COMMAND, program, args).await
}

/// Runs a command as [`run`] does, with this patience.
pub async fn run_for(patience: Duration, program: &str, args: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args).env("KUBECONFIG", kubeconfig()).stdin(Stdio::null()).kill_on_drop(true);
    let what = || format!("{program} {}", args.join(" "));
    let output =
        timeout(patience, command.output()).await.with_context(what)?.with_context(what)?;
    ensure!(
        output.status.success(),
        "{}: {}: {}{}",
        what(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Says what a test is doing, or a figure that it measured, also when the test succeeds: past the
/// capture of the test harness, which captures `print!` alone.
pub fn say(text: impl AsRef<str>) {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    to_stderr(&format!("\n    {:6.1} s  {}", START.elapsed().as_secs_f32(), text.as_ref()));
}

/// Writes to standard error, past the capture of the test harness.
pub(crate) fn to_stderr(text: &str) {
    // An error means that nothing reads standard error.
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Waits until no other test is on the cluster, in any process: some tests kill the operator that
/// all share. The turn ends when the file is closed.
pub(crate) async fn turn() -> Result<File> {
    let path = kubeconfig().with_file_name("e2e.lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?.context("a turn")
}

/// Resolves when the tests are interrupted or terminated.
pub(crate) async fn told_to_end() {
    let [mut interrupt, mut terminate] = [SignalKind::interrupt(), SignalKind::terminate()]
        .map(|kind| signal(kind).expect("a handler of signals"));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// A suffix for the names of a test's objects, which hardly any other test has.
pub fn random_suffix() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("{:06x}", RandomState::new().hash_one(std::process::id()) & 0xff_ffff)
}
