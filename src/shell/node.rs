//! A node: builds everything from the configuration, reloads it, stops.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::acd::Acd;
use crate::config::certificates::CertificateError;
use crate::config::keys::KeyFileError;
use crate::config::{Changes, Config};
use crate::media::archive::{FormatAfter, Retention};
use crate::media::control::Recorded;
use crate::rng::Rng;
use crate::shell::board::Board;
use crate::shell::clock::Clock;
use crate::shell::driver::{self, Ends, Orders};
use crate::shell::figures::{Live, Terms};
use crate::shell::grpc::handle::{Asked, SwitchHandle};
use crate::shell::http::{self, HttpError, Pages};
use crate::shell::ledger::{self, Ledger, LedgerError};
use crate::shell::media::archive::Archive;
use crate::shell::media::convert::Converter;
use crate::shell::media::converting::{self, Converting};
use crate::shell::media::keyring::{Fitting, Keyring, UnfitKeys};
use crate::shell::media::margin;
use crate::shell::media::prompts::Source;
use crate::shell::media::retention::{Growing, SWEEP_EVERY, Sweeper};
use crate::shell::media::tape::{Tape, length};
use crate::shell::media::{MediaThreads, Setup};
use crate::shell::metrics::Metrics;
use crate::shell::sip::resolve::Resolver;
use crate::shell::sip::tls::{Files, Tls};
use crate::shell::sip::{self, Inbox, Limits, Listen, TransportError, Transports, inbox};
use crate::shell::{entropy, grpc, systemd, webhook};
use crate::sip::digest::Auth;
use crate::sip::flow::Transport;
use crate::sip::locate::Locator;
use crate::sip::registrar::Registrar;
use crate::sip::transaction::Table;
use crate::switch::request::Reload;
use crate::switch::{Parts, Switch};
use crate::time::Duration;

/// Reads the configuration again, from wherever the first one came.
pub type Reread = Box<dyn FnMut() -> Result<Config, Vec<String>> + Send>;

/// A running node.
pub struct Node {
    /// Where phones register.
    pub sip: Vec<Listen>,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    switch: SwitchHandle,
    orders: Orders,
    thread: JoinHandle<MediaThreads>,
    ledger: Ledger,
    stop: watch::Sender<bool>,
    servers: Vec<tokio::task::JoinHandle<()>>,
    converting: Option<Converting>,
}

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("[sip] {0}")]
    Certificate(#[from] CertificateError),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("[recordings] {0}")]
    Keys(#[from] KeyFileError),
    #[error("[recordings] keys: {0}")]
    KeysMixedUp(UnfitKeys),
    #[error("gRPC: {0}")]
    Grpc(#[from] grpc::GrpcError),
    #[error("HTTP: {0}")]
    Http(#[from] HttpError),
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    #[error("media: {0}")]
    Media(io::Error),
    #[error("SIP: {0}")]
    Sip(#[from] TransportError),
    #[error("the operating system gives no thread or no entropy: {0}")]
    System(#[from] io::Error),
}

impl Node {
    /// Starts a node; it takes calls when this returns.
    ///
    /// # Errors
    ///
    /// If a folder, a file, an address or a port cannot be had.
    pub async fn start(config: Config, reread: Reread) -> Result<Self, StartError> {
        let clock = Clock::start();
        let rng = entropy::rng()?;
        make_private_folder(&config.node.data)?;
        let recordings = recordings_folder(&config)?;
        let keyring = keyring(&config, &recordings)?;
        let ledger = open_ledger(&config, clock.clone(), &keyring)?;
        ledger.count_service(terms(&config), clock.wall())?;
        let alarms = post_alarms(&config, &ledger);
        let grpc_server = grpc::Listener::bind(&config.grpc).await?;
        let http_server = http::bind(&config.http).await?;
        let (media_sender, media_events) = bounded(MEDIA_EVENTS_MAX);
        let (growing, finished) = converting::growing();
        let archive = Archive { folder: recordings.clone(), keyring };
        let setup = setup(&config, &archive, &growing, &clock)?;
        let media = MediaThreads::start(setup, media_sender).map_err(StartError::Media)?;
        let (sip_sender, sip_incoming) = inbox(MESSAGES_MAX);
        let tls = Tls::load(Files::of(&config.sip))?;
        let sip = bind_sip(&config, tls.clone(), sip_sender)?;
        let (answers, resolved) = bounded(ANSWERS_MAX);
        let resolver = Resolver::new(config.sip.resolvers.clone(), answers);
        let listening = sip.listening();
        let (metrics, board) = (Metrics::default(), Board::default());

        let parts = parts(&config, &clock, recordings, rng);
        let switch = Switch::new(clock.now(), parts, config.plan(1), config.secrets());
        let (orders, thread) = start_switch(
            switch,
            Ends {
                board: board.clone(),
                clock: clock.clone(),
                ledger: ledger.clone(),
                media,
                media_events,
                metrics: metrics.clone(),
                resolved,
                resolver,
                sip,
                sip_incoming,
            },
        )?;

        let (reload_sender, reloads) = mpsc::channel(1);
        let switch = handle(orders.clone(), reload_sender);
        let (stop, stopped) = watch::channel(false);
        let shelves = (&archive, growing);
        let converting = convert(&config, &clock, &ledger, shelves.clone(), (finished, &metrics))?;
        let sweeper = sweeper(&config, &clock, &ledger, shelves);
        let reloaded = (orders.clone(), tls, archive.clone(), ledger.service().clone());
        let servers = vec![
            tokio::spawn(sweep(sweeper, clock.clone())),
            tokio::spawn(reload_on_demand(config, reread, reloaded, reloads)),
            tokio::spawn(systemd::watch(orders.clone(), clock.clone())),
        ];
        let mut node = Self {
            sip: listening,
            grpc: grpc_server.local_addr()?,
            http: http_server.local_addr()?,
            switch,
            orders,
            thread,
            ledger,
            stop,
            servers,
            converting,
        };
        node.servers.extend(alarms);
        node.serve((grpc_server, archive, board), http_server, metrics, clock, &stopped);
        Ok(node)
    }

    fn serve(
        &mut self,
        (grpc, archive, board): (grpc::Listener, Archive, Board),
        http: TcpListener,
        metrics: Metrics,
        clock: Clock,
        stopped: &watch::Receiver<bool>,
    ) {
        let (ledger, switch, until) = (self.ledger.clone(), self.switch.clone(), stopped.clone());
        let told = clock.clone();
        self.servers.push(tokio::spawn(async move {
            if let Err(error) = grpc.serve(ledger, switch, told, archive, board, when(until)).await
            {
                tracing::error!(%error, "gRPC ended");
            }
        }));
        let (ledger, switch) = (self.ledger.clone(), self.switch.clone());
        let pages = Pages { ledger, switch, metrics, clock: clock.clone() };
        let until = stopped.clone();
        self.servers.push(tokio::spawn(async move {
            if let Err(error) = http::serve(http, pages, when(until)).await {
                tracing::error!(%error, "HTTP ended");
            }
        }));
    }

    /// Asks the Switch of this node.
    pub fn switch(&self) -> &SwitchHandle {
        &self.switch
    }

    /// Hangs up all calls, writes what is owed, and ends every thread; says whether all of it is on
    /// the disk.
    pub async fn stop(self) -> bool {
        systemd::stopping();
        self.orders.stop();
        let thread = self.thread;
        let media = tokio::task::spawn_blocking(move || thread.join()).await;
        match media {
            Ok(Ok(media)) => _ = tokio::task::spawn_blocking(move || media.stop()).await,
            Ok(Err(_)) | Err(_) => tracing::error!("the Switch thread died"),
        }
        // It may wait for the ledger, which therefore ends first.
        let converting = self.converting.map(Converting::stop);
        let ledger = self.ledger.clone();
        let written = tokio::task::spawn_blocking(move || ledger.close()).await.unwrap_or(false);
        if let Some(thread) = converting {
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                tracing::error!("the converting thread panicked");
            }
        }
        if !written {
            tracing::error!("the ledger could not write everything");
        }
        let _ = self.stop.send(true); // nobody listens any more: all the better
        for server in self.servers {
            server.abort();
        }
        written
    }
}

/// Resolves when the node stops.
async fn when(mut stopped: watch::Receiver<bool>) {
    // An error means that the node is gone, which is a stop too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// What the rest of the process asks with.
fn handle(orders: Orders, reloads: mpsc::Sender<oneshot::Sender<Reload>>) -> SwitchHandle {
    SwitchHandle::new(move |asked| match asked {
        Asked::Reload { reply } => reloads.try_send(reply).is_ok(),
        Asked::Switch { request, reply } => orders.ask(request, reply),
    })
}

/// Reads the configuration again whenever somebody asks; a broken one changes nothing.
async fn reload_on_demand(
    started: Config,
    mut reread: Reread,
    (orders, tls, archive, service): (Orders, Tls, Archive, Live),
    mut asked: mpsc::Receiver<oneshot::Sender<Reload>>,
) {
    let mut version = 1;
    while let Some(reply) = asked.recv().await {
        let outcome = match taken_up(reread(), &tls, &archive).await {
            Err(mistakes) => Reload::Refused { mistakes },
            Ok((config, keys)) if orders.plan(config.plan(version + 1), config.secrets()) => {
                version += 1;
                archive.keyring.take(keys);
                service.agree(terms(&config));
                // Against what was started: a restart that is due stays due.
                let changes = Changes::between(&started, &config);
                let restart_for = changes.restart.into_iter().map(str::to_owned).collect();
                tracing::info!(version, "configuration reloaded");
                Reload::Applied { config: version, restart_for }
            }
            Ok(_) => Reload::Refused { mistakes: vec!["the switch is too busy; try again".into()] },
        };
        if let Reload::Refused { mistakes } = &outcome {
            tracing::warn!(?mistakes, "configuration not reloaded");
        }
        let _ = reply.send(outcome); // who asked may have left
    }
}

/// The files that a configuration names, taken up (certificates) or read (keys of recordings, which
/// must fit, as at the start); or what is wrong with them.
async fn taken_up(
    read: Result<Config, Vec<String>>,
    tls: &Tls,
    archive: &Archive,
) -> Result<(Config, Fitting), Vec<String>> {
    let config = read?;
    let Archive { folder, keyring } = archive.clone();
    let fitting = tokio::task::spawn_blocking(move || keyring.read_again(&folder));
    let fitting = match tokio::time::timeout(ARCHIVE_WAIT_MAX, fitting).await {
        Ok(Ok(Ok(fitting))) => fitting,
        Ok(Ok(Err(error))) => return Err(vec![format!("[recordings] {error}")]),
        Ok(Err(_)) | Err(_) => {
            return Err(vec!["[recordings] keys: the recordings' disk does not answer".to_owned()]);
        }
    };
    tls.reload(Files::of(&config.sip)).map_err(|error| vec![format!("[sip] {error}")])?;
    Ok((config, fitting))
}

/// What the Switch is made of.
fn parts(config: &Config, clock: &Clock, recordings: PathBuf, mut rng: Rng) -> Parts {
    let mut transactions = Table::new(0, config.sip.transactions_max);
    if config.sip.reaches().contains(&Transport::Tcp) {
        transactions = transactions.with_tcp();
    }
    Parts {
        acd: Arc::new(Acd::explaining()),
        auth: Auth::new(config.sip.realm(), &config.digest(), &mut rng),
        locator: Locator::new(config.sip.reaches()),
        name: config.node.name.clone(),
        node: config.node.id(),
        registrar: Registrar::new(config.registrar()),
        rng,
        settings: config.settings(clock.epoch(), recordings),
        transactions,
    }
}

fn prompts(config: &Config) -> Source {
    Source {
        folder: config.node.data.join(&config.media.prompts),
        locale: config.node.locale.as_str().to_owned(),
        bytes_max: config.media.prompts_bytes.0,
    }
}

/// What the media threads need.
fn setup(
    config: &Config,
    archive: &Archive,
    growing: &Growing,
    clock: &Clock,
) -> Result<Setup, StartError> {
    Ok(Setup {
        config: config.media.clone(),
        prompts: prompts(config),
        recordings: archive.folder.clone(),
        keyring: archive.keyring.clone(),
        growing: growing.clone(),
        clock: clock.clone(),
        rng: entropy::rng()?,
    })
}

fn bind_sip(config: &Config, tls: Tls, incoming: Inbox) -> Result<Transports, TransportError> {
    let listen: Vec<_> = (config.sip.listen.iter())
        .map(|listen| Listen { transport: listen.transport, address: listen.address })
        .collect();
    let limits = Limits { connections_max: config.sip.connections_max, ..Limits::default() };
    let (external, origins) = (config.sip.external, config.sip.origins.clone());
    Transports::bind_with(&listen, sip::Setup { external, limits, origins, tls }, incoming)
}

fn start_switch(
    mut switch: Switch,
    ends: Ends,
) -> Result<(Orders, JoinHandle<MediaThreads>), StartError> {
    let mut out = Vec::new();
    switch.resume(ends.clock.now(), ends.ledger.all("")?, &mut out);
    Ok(driver::start(switch, out, ends)?)
}

/// Where recordings are made.
fn recordings_folder(config: &Config) -> Result<PathBuf, StartError> {
    let path = config.node.data.join(&config.media.recordings);
    std::path::absolute(&path).map_err(|source| StartError::File { path, source })
}

/// The keys of recordings; refuses those under whose names the archive has others.
fn keyring(config: &Config, recordings: &Path) -> Result<Keyring, StartError> {
    let keyring = Keyring::load(config.recordings.keys.as_deref())?;
    match keyring.check(recordings) {
        Err(unfit) if unfit.is_confusion() => return Err(StartError::KeysMixedUp(unfit)),
        Err(unfit) => tracing::warn!(%unfit, "recordings of before cannot be read"),
        Ok(()) => {}
    }
    Ok(keyring)
}

/// What removes the recordings that are kept no longer.
fn sweeper(
    config: &Config,
    clock: &Clock,
    ledger: &Ledger,
    (archive, growing): (&Archive, Growing),
) -> Sweeper {
    let (now, wall) = (clock.now(), clock.wall());
    let retention = Retention::new(&config.recordings, now, wall, ledger.last_alive());
    Sweeper::new(archive.folder.clone(), growing, ledger.clone(), retention)
}

/// Starts what makes Ogg/Opus files of recordings, if that is wanted.
fn convert(
    config: &Config,
    clock: &Clock,
    ledger: &Ledger,
    (archive, growing): (&Archive, Growing),
    (finished, metrics): (Receiver<PathBuf>, &Metrics),
) -> io::Result<Option<Converting>> {
    if config.recordings.format_after == FormatAfter::AsRecorded {
        return Ok(None);
    }
    let (stopper, stop) = converting::stopper();
    let converter = Converter {
        archive: archive.clone(),
        growing,
        ledger: ledger.clone(),
        clock: clock.clone(),
        policy: config.recordings.clone(),
        free_bytes_min: config.media.record_disk_free_bytes.0,
        stop,
        before: Box::new(|_| Ok(())),
    };
    Converting::start(converter, stopper, finished, metrics.conversions.clone()).map(Some)
}

/// Looks through the archive now and then.
async fn sweep(mut sweeper: Sweeper, clock: Clock) {
    if !sweeper.retention.is_on() {
        return;
    }
    let mut tick = tokio::time::interval(SWEEP_EVERY);
    loop {
        tick.tick().await;
        match sweeper.sweep(clock.now(), clock.wall()).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "recordings removed, as [recordings] says"),
            Err(error) => tracing::warn!(%error, "no recording is removed"),
        }
    }
}

/// Completes a recording that was cut off with its process; `None` if it is none of ours, or cannot
/// be read.
fn complete(path: &Path, keyring: &Keyring) -> Option<Recorded> {
    let told = |error: &dyn std::fmt::Display| {
        tracing::warn!(path = %path.display(), %error, "a recording cannot be completed");
    };
    let mut tape = Tape::take_up(path, keyring.keys().as_deref()).inspect_err(|e| told(e)).ok()?;
    let (bytes, sha256) = tape.seal().inspect_err(|error| told(error)).ok()?;
    Some(Recorded {
        path: path.to_owned(),
        length: length(tape.frames()),
        bytes,
        sha256,
        fault: Some("cut off with the process".to_owned()),
        gaps: margin::read(path),
    })
}

/// Has alarms posted, if the configuration says where to.
fn post_alarms(config: &Config, ledger: &Ledger) -> Option<tokio::task::JoinHandle<()>> {
    let to = config.http.webhook.clone()?;
    let (sender, alarms) = mpsc::channel(webhook::ALARMS_MAX);
    ledger.service().tell(sender);
    Some(tokio::spawn(webhook::run(to, alarms)))
}

/// What the figures of queues go by.
fn terms(config: &Config) -> Terms {
    Terms::new(&config.acd.queues, &config.node.zone)
}

fn open_ledger(config: &Config, clock: Clock, keyring: &Keyring) -> Result<Ledger, LedgerError> {
    let mut recorded = |path: &str| complete(Path::new(path), keyring);
    let node = ledger::Node {
        name: &config.node.name,
        clock: Box::new(move || clock.wall()),
        recorded: &mut recorded,
    };
    Ledger::open(&config.node.data.join("ledger.sqlite"), &config.ledger, node)
}

/// Makes a folder that only this user can look into.
fn make_private_folder(path: &Path) -> Result<(), StartError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.and_then(|()| fs::metadata(path).map(drop))
        .map_err(|source| StartError::File { path: path.to_owned(), source })
}

/// Messages of each kind that may wait for the Switch; above it datagrams are dropped and
/// connections pause.
const MESSAGES_MAX: usize = 16_384;

/// How long a reload waits for the disk with the recordings, of which the newest shows its key.
const ARCHIVE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Answers of the DNS that may wait for the Switch; further ones wait where they came.
const ANSWERS_MAX: usize = 1024;

/// Media reports that may wait for the Switch.
const MEDIA_EVENTS_MAX: usize = 16_384;
