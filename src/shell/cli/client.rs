//! The connection of the command line to a node.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::{CliError, Where};
use crate::config::reach::{Reach, reach};
use crate::shell::grpc::DEFAULT_PORT;
use crate::time::Duration;

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How often a silent connection is asked whether it lives.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);

/// The configuration that is used if it is there.
const DEFAULT_FILE: &str = "conf/strowger.toml";

/// A connection that shows the token with every request.
pub type Connection = InterceptedService<Channel, ShowToken>;

/// A node, and how its times are shown.
pub struct Client {
    pub connection: Connection,
    /// The node's time zone, as far as it is known.
    pub zone: jiff::tz::TimeZone,
}

impl Client {
    /// # Errors
    ///
    /// If the node's address is not known, a certificate cannot be read, or no node answers.
    pub async fn connect(place: &Where) -> Result<Self, CliError> {
        let given = env::var(&place.token_env).ok();
        let reach = configured(place, given.is_none())?;
        let grpc = reach.as_ref().map(|reach| &reach.grpc);
        let address = match (&place.node, grpc) {
            (Some(node), _) => address(node, place.ca.is_some())?,
            (None, Some(grpc)) => own_address(grpc.listen, grpc.certificate.is_some()),
            (None, None) => format!("http://127.0.0.1:{DEFAULT_PORT}"),
        };
        let mut endpoint = Endpoint::from_shared(address.clone())
            .map_err(|_| CliError::Address(address.clone()))?
            .connect_timeout(CONNECT_MAX)
            .http2_keep_alive_interval(KEEPALIVE_EVERY)
            .keep_alive_while_idle(true);
        if address.starts_with("https:") {
            let configured = grpc.and_then(|grpc| grpc.certificate.as_deref());
            let trusted = place.ca.as_deref().or(configured).ok_or(CliError::Trust)?;
            let certificate = Certificate::from_pem(read(trusted)?);
            endpoint = endpoint
                .tls_config(ClientTlsConfig::new().ca_certificate(certificate))
                .map_err(|source| CliError::Connect { address: address.clone(), source })?;
        }
        let channel =
            endpoint.connect().await.map_err(|source| CliError::Connect { address, source })?;
        let configured = grpc.and_then(|grpc| grpc.token.as_ref());
        let token = given.or_else(|| configured.map(|token| token.expose().to_owned()));
        let zone = reach.and_then(|reach| jiff::tz::TimeZone::get(&reach.zone).ok());
        Ok(Self {
            connection: InterceptedService::new(channel, ShowToken::new(token.as_deref())),
            zone: zone.unwrap_or(jiff::tz::TimeZone::UTC),
        })
    }
}

/// What the node's configuration says: the one that is named, else the default one if the node is
/// not named. What cannot be read of it is told; only the address must be known.
fn configured(place: &Where, wants_token: bool) -> Result<Option<Reach>, CliError> {
    let default = Path::new(DEFAULT_FILE);
    let path = match (&place.config, &place.node) {
        (None, Some(_)) => return Ok(None),
        (Some(path), _) => Some(path.as_path()),
        (None, None) => default.exists().then_some(default),
    };
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let reach = reach(path, &environment, wants_token);
    if !reach.is_certain && place.node.is_none() {
        return Err(CliError::Configuration(reach.problems));
    }
    for problem in &reach.problems {
        eprintln!("{problem}");
    }
    Ok(Some(reach))
}

/// The URI of an address as people write it.
fn address(node: &str, secure: bool) -> Result<String, CliError> {
    if node.starts_with("http://") || node.starts_with("https://") {
        return Ok(node.to_owned());
    }
    let scheme = if secure { "https" } else { "http" };
    let uri = format!("{scheme}://{node}");
    match uri.parse::<tonic::transport::Uri>() {
        Ok(parsed) if parsed.port().is_some() => Ok(uri),
        Ok(parsed) if parsed.host().is_some() && parsed.path() == "/" => {
            Ok(format!("{uri}:{DEFAULT_PORT}"))
        }
        Ok(_) | Err(_) => Err(CliError::Address(node.to_owned())),
    }
}

/// Where a node that listens at `listen` is found from its own machine.
fn own_address(listen: SocketAddr, secure: bool) -> String {
    let scheme = if secure { "https" } else { "http" };
    let port = listen.port();
    if listen.ip().is_unspecified() {
        return format!("{scheme}://localhost:{port}");
    }
    format!("{scheme}://{listen}")
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|source| CliError::File { path: path.to_owned(), source })
}

/// Shows the token with every request.
#[derive(Clone)]
pub struct ShowToken(Option<MetadataValue<Ascii>>);

impl ShowToken {
    fn new(token: Option<&str>) -> Self {
        let mut value =
            token.and_then(|token| format!("Bearer {token}").parse::<MetadataValue<Ascii>>().ok());
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        Self(value)
    }
}

impl Interceptor for ShowToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (written, secure, read) in [
            ("127.0.0.1:5", false, "http://127.0.0.1:5"),
            ("pbx.example.com", true, "https://pbx.example.com:50051"),
            ("https://pbx.example.com:1", false, "https://pbx.example.com:1"),
            ("[::1]:7", false, "http://[::1]:7"),
        ] {
            assert_eq!(address(written, secure).unwrap(), read);
        }
        assert!(address("", false).is_err());
        assert!(address("two words", false).is_err());
    }

    #[test]
    fn a_node_that_listens_everywhere_is_found_at_home() {
        let everywhere = "0.0.0.0:9".parse().unwrap();
        assert_eq!(own_address(everywhere, true), "https://localhost:9");
    }
}
