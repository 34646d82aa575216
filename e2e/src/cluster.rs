//! The way to the cluster that `e2e/cluster/up.sh` makes, and to no other.

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

/// A command that takes longer is given up.
const COMMAND: Duration = Duration::from_secs(30);

/// Where `e2e/cluster/lib.sh` keeps the kubeconfig. What the user's own kubeconfig names is another
/// cluster, in which nothing is to be killed.
pub fn kubeconfig() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("NETPROOF_CACHE").unwrap_or_else(|| {
        let caches =
            set("XDG_CACHE_HOME").unwrap_or_else(|| set("HOME").unwrap_or_default().join(".cache"));
        caches.join("netproof")
    });
    cache.join("kubeconfig")
}

/// A client; one a test, since it lives on the test's own runtime.
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

/// Runs a command to its end; returns what it wrote.
pub async fn run(program: &str, args: &[&str]) -> Result<String> {
    run_for(COMMAND, program, args).await
}

/// The same for one that may take longer.
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
/// capture of the test harness, which knows only of `print!`.
pub fn say(text: impl AsRef<str>) {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    to_stderr(&format!("\n    {:6.1} s  {}", START.elapsed().as_secs_f32(), text.as_ref()));
}

/// Writes past the capture of the test harness.
pub(crate) fn to_stderr(text: &str) {
    // Nobody listens to stderr: then nobody misses it.
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Waits until no other test is on the cluster, in whichever process: some kill the operator that
/// all share. The turn ends when the file is closed.
pub(crate) async fn turn() -> Result<File> {
    let path = kubeconfig().with_file_name("e2e.lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?.context("a turn")
}

/// Resolves when somebody interrupts or terminates the tests.
pub(crate) async fn told_to_end() {
    let [mut interrupt, mut terminate] = [SignalKind::interrupt(), SignalKind::terminate()]
        .map(|kind| signal(kind).expect("a handler of signals"));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// A suffix that nothing else on the cluster has.
pub fn random_suffix() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("{:06x}", RandomState::new().hash_one(std::process::id()) & 0xff_ffff)
}
