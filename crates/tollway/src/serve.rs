//! `tollway serve`: starts everything, serves, and stops it in order.
//!
//! Start: store, books left over from before, keys, catalog, listeners, then the greeting. Stop (SIGTERM, SIGINT): no new
//! connections, calls in flight end or are cut after `server.drain_s`, the last records are folded, exit 0.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use arc_swap::ArcSwapOption;
use gateway::alerts::Event;
use gateway::app::{Gateway, Worker};
use gateway::byok::{Byok, Keeper};
use gateway::contents::{Contents, Heard};
use gateway::journal::Journal;
use gateway::keys::KeyTable;
use gateway::mail::{Mail, Mailer};
use gateway::node::Node;
use gateway::provider_keys;
use gateway::ratings::Ratings;
use store::Store;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use types::{Clock, SystemClock};

use crate::cli::Loaded;
use crate::config::{self, Config, Environment};
use crate::first_run::{self, First, Greeting};
use crate::http_server::{self, Serving};
use crate::jobs::fold::Folder;
use crate::jobs::mails::Transport;
use crate::jobs::poll::Poller;
use crate::jobs::telemetry::{self as telling, Exporter};
use crate::jobs::{
    alerts, catalog_news, contents, expire, fold, mails, pages, payments, poll, ratings, reload, vitals,
};
use crate::site::{LiveSite, Records};
use crate::vigil::Vigil;
use crate::{receipt_keys, secrets, telemetry, wire_up};

/// How far the control runtime's threads step back, in the system's nice levels: about a sixtieth of a contended core.
const BOOKS_NICE: i32 = 19;
/// How long the last records may take to fold at the end.
const LAST_FOLD_MAX: Duration = Duration::from_secs(10);
/// How long the other jobs may take to come to an end.
const LAST_JOBS_MAX: Duration = Duration::from_secs(5);

/// How long the end waits for what a collector has not been told yet; the rest is told after the next start.
const LAST_TELL_MAX: Duration = Duration::from_secs(5);

/// Serves until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub fn serve(mut loaded: Loaded, env: Environment) -> anyhow::Result<()> {
    telemetry::start(&loaded.config.log);
    gateway::crash::arm().map_err(anyhow::Error::msg)?;
    let control = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("tollway-control")
        .on_thread_start(give_way)
        .enable_all()
        .build()
        .context("can't start the control runtime")?;
    let _lock = lock(&loaded.config)?;
    let doors = Doors::open(&mut loaded.config.server)?;
    let handle = control.handle().clone();
    let result = control.block_on(run(loaded, env, doors, handle));
    control.shutdown_timeout(Duration::from_secs(2));
    result
}

/// Calls come before books: where both want the same core, folding takes a small share and catches up later. Threads that
/// this one starts, such as those of the database, inherit it.
fn give_way() {
    // Not being allowed to be nice is no reason not to serve.
    let _ = rustix::process::nice(BOOKS_NICE);
}

/// Two servers on one data directory would write each other's journal.
fn lock(config: &Config) -> anyhow::Result<File> {
    let dir = &config.server.data_dir;
    // Prompts that callers ask to be kept are in it: nobody else on the machine reads them.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("can't make server.data_dir {}", dir.display()))?;
    let path = dir.join("lock");
    let file = File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!("another server uses {}; stop it, or set server.data_dir to another folder", dir.display());
    }
    Ok(file)
}

async fn run(loaded: Loaded, env: Environment, doors: Doors, control: Handle) -> anyhow::Result<()> {
    let config = loaded.config.clone();
    let seen = reload::fingerprint(&config);
    let Assembled { gateway, folder, exporter, poller, events, first, heard, mails: (transport, mails) } =
        assemble(loaded, &env, control).await?;
    let workers = workers(&config);

    let (stop_jobs, jobs_stopping) = watch::channel(false);
    payments::begin(&gateway, Duration::from_millis(config.payments.interval_ms), jobs_stopping.clone())
        .await;
    let (stop, stopping) = watch::channel(false);
    // Before anybody can come in: a signal that nobody waits for ends the process with all calls in flight.
    let signals = signals()?;
    let threads = start_workers(&gateway, &config, workers, doors, &stopping)?;
    let (hang_up, hangups) = mpsc::channel(1);
    let handed_to = exporter.as_ref().map(Exporter::folder);
    let folding = tokio::spawn(fold::run(
        Arc::clone(&gateway),
        folder,
        Duration::from_millis(config.journal.fold_interval_ms),
        config.journal.backlog_bytes_max,
        jobs_stopping.clone(),
    ));
    let mut jobs = JoinSet::new();
    jobs.spawn(poll::run(Arc::clone(&gateway), poller, jobs_stopping.clone()));
    jobs.spawn(alerts::run(Arc::clone(&gateway), events, jobs_stopping.clone()));
    jobs.spawn(catalog_news::run(Arc::clone(&gateway), jobs_stopping.clone()));
    jobs.spawn(ratings::run(Arc::clone(&gateway), jobs_stopping.clone()));
    jobs.spawn(expire::run(Arc::clone(&gateway), jobs_stopping.clone()));
    let keeping = tokio::spawn(contents::write(Arc::clone(&gateway), heard, jobs_stopping.clone()));
    jobs.spawn(contents::forget(Arc::clone(&gateway), jobs_stopping.clone()));
    jobs.spawn(mails::run(Arc::clone(&gateway), transport, mails, jobs_stopping.clone()));
    let health = vitals::run(Arc::clone(&gateway), config.server.data_dir.clone(), jobs_stopping.clone());
    let watching = tokio::spawn(health);
    let (stop_telling, telling_stops) = watch::channel(false);
    let telling =
        exporter.map(|exporter| tokio::spawn(telling::run(Arc::clone(&gateway), exporter, telling_stops)));
    let reloader = reload::Reloader::new(Arc::clone(&gateway), config.clone(), env, seen).await;
    jobs.spawn(reload::run(reloader, hangups, jobs_stopping));

    greet(&gateway, &config, &first);
    wait_for_the_end(signals, hang_up).await;
    gateway.draining.store(true, Ordering::Relaxed);
    tracing::info!("stopping: no new connections; calls in flight have {} s", config.server.drain_s);
    let _ = stop.send(true);
    let drained = tokio::task::spawn_blocking(move || {
        threads.into_iter().try_for_each(|thread| thread.join().map_err(drop))
    });
    let _ = drained.await;
    let _ = stop_jobs.send(true);
    let _ = folding.await;
    let _ = keeping.await;
    let _ = watching.await;
    // Whoever still asks the store would be told that it is closed.
    let _ = tokio::time::timeout(LAST_JOBS_MAX, async { while jobs.join_next().await.is_some() {} }).await;
    fold_the_last(&gateway, &config, handed_to).await;
    let _ = stop_telling.send(true);
    if let Some(telling) = telling {
        let _ = tokio::time::timeout(LAST_TELL_MAX, telling).await;
    }
    gateway.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// A gateway that is ready to serve, and what its jobs go on with.
struct Assembled {
    gateway: Arc<Gateway>,
    folder: Folder,
    exporter: Option<Exporter>,
    poller: Poller,
    events: mpsc::Receiver<Event>,
    first: First,
    heard: mpsc::Receiver<Heard>,
    mails: (Transport, mpsc::Receiver<Mail>),
}

/// Opens what is stored, books what an earlier start left, and puts the gateway together.
async fn assemble(loaded: Loaded, env: &Environment, control: Handle) -> anyhow::Result<Assembled> {
    let Loaded { mut config, catalog } = loaded;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let url = config.store_url();
    // On a thread of the control runtime, whose priority the database's own threads inherit.
    let opening = tokio::spawn({
        let url = url.clone();
        async move { Store::open(url.expose()).await }
    });
    let store = opening.await?.with_context(|| format!("can't open the store {url}; check store.url"))?;
    let first = first_run::prepare(&store, &config, clock.now()).await?;
    let metrics = Arc::default();
    let boot = boot_name(clock.now().micros())?;
    let journal = wire_up::journal(&config, workers(&config), Arc::clone(&metrics), &boot)?;
    let (folder, exporter) = fold_what_is_left(&journal, &store, &config).await?;
    let (signals, events) = gateway::alerts::Signals::channel();
    let empty = KeyTable::new(signals, Arc::clone(&clock));
    let keeper = Keeper::new(config.byok.private_base_urls, Arc::clone(&clock));
    let byok = Byok::new(config.fees.byok, wire_up::masters(&config)?, keeper);
    config.stored_keys = provider_keys::opened(&byok, &store.provider_keys().await?);
    let (contents, heard) = Contents::new();
    let own = (&byok, &contents);
    let (poller, keys, rules) = Poller::begin(config.billing.mode, &store, empty, clock.now(), own).await?;
    let settings = wire_up::settings(&config)?;
    let idempotency = wire_up::idempotency(&config, &settings, &boot, clock.now())?;
    let world = wire_up::world(&config, catalog, env, None, &settings, Arc::clone(&clock))?;
    vitals::restore(&world, &config.server.data_dir, clock.now());
    let (mailer, mails) = Mailer::into_queue();
    let payments = wire_up::payments(&config, mailer)?;
    let transport = Transport::of(&config, &payments.public_url)?;
    let gateway = wire_up::gateway(wire_up::Shared {
        receipts: receipt_keys::signer(&config)?,
        settings,
        world,
        keys,
        rules,
        byok,
        signer: secrets::signer(&config.server.data_dir)?,
        journal,
        idempotency,
        people: wire_up::people(&config, &payments.public_url),
        payments,
        contents,
        ratings: Ratings::new(config.site.ratings, config.site.ratings_hide_reports),
        node: Node {
            started: clock.now(),
            workers: workers(&config),
            data_dir: config.server.data_dir.clone(),
            backlog_bytes_max: config.journal.backlog_bytes_max,
        },
        metrics,
        store,
        control,
        clock,
    });
    gateway.announcements.take(gateway.store.announcements().await?);
    vitals::restore_learned(&gateway, &config.server.data_dir);
    Ok(Assembled { gateway, folder, exporter, poller, events, first, heard, mails: (transport, mails) })
}

/// What the last calls wrote goes into the books, unless the store takes too long.
async fn fold_the_last(gateway: &Arc<Gateway>, config: &Config, handed_to: Option<PathBuf>) {
    let mut last = Folder::new(gateway.journal.dir());
    last.hand_to(handed_to);
    let folding = fold::once(gateway, &mut last, config.journal.backlog_bytes_max);
    let folded = tokio::time::timeout(LAST_FOLD_MAX, folding).await;
    if !matches!(folded, Ok(Ok(()))) {
        tracing::warn!("the last records are not folded yet; the next start folds them");
    }
}

/// What an earlier start left must be in the books before a balance is read from them.
async fn fold_what_is_left(
    journal: &Journal,
    store: &Store,
    config: &Config,
) -> anyhow::Result<(Folder, Option<Exporter>)> {
    let mut folder = Folder::new(journal.dir());
    let exporter = Exporter::open(config, journal.dir()).context("can't export traces")?;
    let handed_to = exporter.as_ref().map(|(exporter, _)| exporter.folder());
    // The first start with a collector tells it nothing of what was before.
    let is_first = exporter.as_ref().is_some_and(|(_, is_first)| *is_first);
    folder.hand_to(handed_to.clone().filter(|_| !is_first));
    let left = folder
        .pass(store, &journal.open_segments())
        .await
        .context("can't fold the journal of the last start")?;
    if left.records > 0 {
        tracing::info!(records = left.records, "folded what the last start left in the journal");
    }
    folder.hand_to(handed_to);
    Ok((folder, exporter.map(|(exporter, _)| exporter)))
}

fn workers(config: &Config) -> usize {
    match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        set => set,
    }
}

/// Sorts after the names of earlier starts, and differs between nodes.
fn boot_name(now_us: i64) -> anyhow::Result<String> {
    let mut random = [0u8; 4];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(format!("{now_us:017}-{:08x}", u32::from_le_bytes(random)))
}

/// The first listener of each address.
struct Doors {
    public: TcpListener,
    admin: Option<TcpListener>,
}

impl Doors {
    /// Opens them, and writes down which ports the system chose.
    fn open(server: &mut config::Server) -> anyhow::Result<Doors> {
        let public = http_server::claim(server.listen, "server.listen")?;
        server.listen = public.local_addr()?;
        let admin =
            server.admin_listen.map(|admin| http_server::claim(admin, "server.admin_listen")).transpose()?;
        server.admin_listen = admin.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(Doors { public, admin })
    }
}

type Threads = Vec<std::thread::JoinHandle<()>>;

fn start_workers(
    gateway: &Arc<Gateway>,
    config: &Config,
    workers: usize,
    doors: Doors,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<Threads> {
    let server = &config.server;
    let Doors { public, mut admin } = doors;
    let mut public = Some(public);
    let tls = http_server::tls(server)?;
    let (site, warmer) = web::warmed(Arc::new(LiveSite {
        gateway: Arc::clone(gateway),
        started: Instant::now(),
        scheme: if tls.is_some() { "https" } else { "http" },
        address: server.listen.to_string(),
        seen: ArcSwapOption::empty(),
        settings: config.site.clone(),
        records: Records::default(),
    }));
    tokio::spawn(pages::run(Arc::clone(gateway), warmer, stopping.clone()));
    let connections = Arc::new(AtomicUsize::new(0));
    let mut threads = Vec::with_capacity(workers + 1);
    for number in 0..workers {
        let mut seed = [0u8; 8];
        getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let serving = Serving {
            worker: Arc::new(Worker::new(Arc::clone(gateway), number, u64::from_le_bytes(seed))),
            site: site.clone(),
            http1: http_server::http1(server),
            http2: http_server::http2(server),
            tls: tls.clone(),
            connections: Arc::clone(&connections),
            connections_max: server.connections_max,
            stopping: stopping.clone(),
            metrics_are_public: false,
        };
        let listener = match public.take() {
            Some(first) => first,
            None => http_server::listen(server.listen)
                .with_context(|| format!("can't listen on {} once more", server.listen))?,
        };
        threads.push(start_worker(listener, serving, server)?);
        if let Some(admin) = admin.take() {
            let worker = Arc::new(Worker::new(Arc::clone(gateway), number, !u64::from_le_bytes(seed)));
            let serving = Serving {
                worker,
                site: site.clone(),
                http1: http_server::http1(server),
                http2: http_server::http2(server),
                tls: None,
                connections: Arc::clone(&connections),
                connections_max: server.connections_max,
                stopping: stopping.clone(),
                metrics_are_public: true,
            };
            threads.push(start_worker(admin, serving, server)?);
        }
    }
    Ok(threads)
}

fn start_worker(
    listener: TcpListener,
    serving: Serving,
    server: &config::Server,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let vigil = Vigil::new(Duration::from_micros(server.spin_us));
    let drain_s = server.drain_s;
    let mut builder = Builder::new_current_thread();
    if let Some(vigil) = &vigil {
        let (before, after) = (Arc::clone(vigil), Arc::clone(vigil));
        builder.on_thread_park(move || before.before_sleep()).on_thread_unpark(move || after.after_sleep());
    }
    let runtime = builder.enable_all().build().context("can't start a worker's runtime")?;
    let name = format!("tollway-{}", serving.worker.number);
    let work = move || {
        let serving = Arc::new(serving);
        runtime.block_on(async {
            if let Some(vigil) = vigil {
                tokio::spawn(vigil.keep());
            }
            if let Err(error) = http_server::accept(listener, Arc::clone(&serving)).await {
                tracing::error!(error = %format!("{error:#}"), "a listener failed");
            }
            drain(&serving, Duration::from_secs(drain_s)).await;
        });
    };
    std::thread::Builder::new().name(name).spawn(work).context("can't start a worker thread")
}

/// Waits for open connections to end their calls. What is left is cut when the thread ends.
async fn drain(serving: &Serving, at_most: Duration) {
    let deadline = Instant::now() + at_most;
    // Calls that go on without their callers have no connection any more.
    let in_flight = &serving.worker.gateway.metrics.in_flight;
    let busy = || serving.connections.load(Ordering::Relaxed) > 0 || in_flight.load(Ordering::Relaxed) > 0;
    while busy() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn greet(gateway: &Gateway, config: &Config, first: &First) {
    let world = gateway.world.load();
    let real = world.switched_on().into_iter().filter(|(p, _)| p.protocol != catalog::Protocol::Sandbox);
    let providers: Vec<String> = real.map(|(p, state)| format!("{} ({})", p.name, state.why)).collect();
    let scheme = if config.server.tls_cert_file.is_some() { "https" } else { "http" };
    let base_url = format!("{scheme}://{}", config.server.listen);
    Greeting { config, base_url: &base_url, first, providers: &providers }.print();
}

/// SIGTERM, SIGINT and SIGHUP, which do nothing by themselves from now on.
fn signals() -> anyhow::Result<[Signal; 3]> {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let [terminate, interrupt, hangup] = kinds.map(signal);
    Ok([terminate?, interrupt?, hangup?])
}

/// Returns on SIGTERM or SIGINT; passes SIGHUP on.
async fn wait_for_the_end(
    [mut terminate, mut interrupt, mut hangup]: [Signal; 3],
    hang_up: mpsc::Sender<()>,
) {
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => drop(hang_up.try_send(())),
        }
    }
}
