//! TLS of SIP: the certificate that we show, renewed while connections last, and whom we trust.
//!
//! Servers that we connect to must show a certificate for the name that was looked up (RFC 5922
//! §7.2), or for the address where there is no name.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use tracing::{info, warn};

use crate::config::certificates::{self, CertificateError};
use crate::sip::config::Config;
use crate::sip::flow::Loss;

/// The files that TLS is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Certificate chain and key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Who signs the certificates of clients, if they are asked for one.
    pub client_ca: Option<PathBuf>,
    /// Who signs the certificates of servers, if it is not whom the system trusts.
    pub ca: Option<PathBuf>,
}

impl Files {
    /// Those of `[sip]`.
    pub fn of(config: &Config) -> Self {
        Self {
            identity: config.certificate.clone().zip(config.key.clone()),
            client_ca: config.client_ca.clone(),
            ca: config.ca.clone(),
        }
    }
}

/// What TLS connections are made with; cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    files: Mutex<Watched>,
    server: ArcSwapOption<ServerConfig>,
    client: ArcSwapOption<ClientConfig>,
    /// Under which name each server was looked up.
    names: Mutex<HashMap<SocketAddr, String>>,
}

/// The files in force, with when they were changed.
struct Watched {
    files: Files,
    changed_at: Vec<Option<SystemTime>>,
}

/// Without certificates: no TLS connection comes up.
impl Default for Tls {
    fn default() -> Self {
        Self(Arc::new(Shared {
            files: Mutex::new(Watched { files: Files::default(), changed_at: Vec::new() }),
            server: ArcSwapOption::empty(),
            client: ArcSwapOption::empty(),
            names: Mutex::default(),
        }))
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If one of them cannot be used. That the system trusts nobody is no error: then no server
    /// can be connected to.
    pub fn load(files: Files) -> Result<Self, CertificateError> {
        let tls = Self::default();
        tls.reload(files)?;
        Ok(tls)
    }

    /// Takes other files, or the same once more: new connections are made with them, the old ones
    /// go on.
    ///
    /// # Errors
    ///
    /// As of `load`; then nothing is changed.
    pub fn reload(&self, files: Files) -> Result<(), CertificateError> {
        let changed_at = changed_at(&files);
        let server = files.identity.as_ref().map(|(certificate, key)| {
            certificates::server(certificate, key, files.client_ca.as_deref())
        });
        let server = server.transpose()?;
        let client = match certificates::client(files.ca.as_deref(), of_system) {
            Ok(client) => Some(client),
            Err(CertificateError::NoRoots) => None,
            Err(wrong) => return Err(wrong),
        };
        self.0.server.store(server);
        self.0.client.store(client);
        *self.watched() = Watched { files, changed_at };
        Ok(())
    }

    /// Looks every few seconds whether the files were changed, and takes them up once they fit.
    pub(super) async fn watch(self, mut closing: watch::Receiver<()>) {
        let mut told = Vec::new();
        loop {
            tokio::select! {
                _ = closing.changed() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let (files, before) = {
                let watched = self.watched();
                (watched.files.clone(), watched.changed_at.clone())
            };
            let changed = changed_at(&files);
            if changed == before {
                continue;
            }
            match self.reload(files) {
                Ok(()) => info!("new certificate in use"),
                // Certificate and key are seldom written in one moment: it is tried again.
                Err(error) if told != changed => {
                    warn!(%error, "the new certificate cannot be used; the old one stays");
                    told = changed;
                }
                Err(_) => {}
            }
        }
    }

    /// Remembers under which name a server was looked up: its certificate must be for it.
    pub(super) fn expect(&self, server: SocketAddr, name: &str) {
        let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX && !names.contains_key(&server) {
            names.clear();
        }
        names.insert(server, name.to_owned());
    }

    /// Shakes hands with a client.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<server::TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.0.server.load_full() {
            Some(config) => TlsAcceptor::from(config).accept(stream).await,
            None => Err(io::Error::other("there is no certificate")),
        }
    }

    /// Shakes hands with a server.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        server: SocketAddr,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let config = self.0.client.load_full();
        let config = config.ok_or_else(|| io::Error::other(CertificateError::NoRoots))?;
        let known = {
            let names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.get(&server).cloned()
        };
        let name = match known {
            Some(name) => ServerName::try_from(name).map_err(io::Error::other)?,
            None => ServerName::from(server.ip().to_canonical()),
        };
        TlsConnector::from(config).connect(name, stream).await
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a failed handshake with a server says about it.
pub(super) fn loss(error: &io::Error) -> Loss {
    let is_untrusted = error.get_ref().is_some_and(|inner| {
        inner.is::<CertificateError>()
            || matches!(inner.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
    });
    if is_untrusted { Loss::Unverified } else { Loss::Ended }
}

/// What the operating system trusts.
fn of_system() -> Vec<rustls::pki_types::CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

fn changed_at(files: &Files) -> Vec<Option<SystemTime>> {
    let identity = files.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
    let all = identity.chain(&files.client_ca).chain(&files.ca);
    all.map(|file| fs::metadata(file).and_then(|file| file.modified()).ok()).collect()
}

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Servers whose name is remembered; above it all are forgotten, and asked for again when they are
/// next looked up.
const NAMES_MAX: usize = 1024;
