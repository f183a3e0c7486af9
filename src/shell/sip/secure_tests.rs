//! TLS and WebSocket against real clients and servers on loopback, with certificates made here.

use std::fs;
use std::net::{TcpStream as Plain, UdpSocket};
use std::path::Path;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsFrame};

use super::tests::{ANY_PORT, Node, OPTIONS, PATIENCE};
use super::tls::Files;
use super::*;
use crate::config::certificates;
use crate::sip::message::Response;

#[test]
fn a_phone_speaks_sip_over_tls() {
    let site = Site::new("pbx.example");
    let node = site.node(Transport::Tls, Limits::default());
    let mut phone = node.runtime.block_on(site.connect(node.address(0))).unwrap();

    node.runtime.block_on(phone.write_all(format!("\r\n\r\n{OPTIONS}").as_bytes())).unwrap();
    let (flow, request) = node.receives_request();
    let ok = Response::build(&request, 200, None).response();
    node.transports.send(&flow, &ok.clone().into());

    assert_eq!((flow.transport, flow.local), (Transport::Tls, node.address(0)));
    let answer = node.runtime.block_on(read(&mut phone, 2 + ok.bytes().len()));
    assert_eq!(answer[..2], *b"\r\n", "the pong");
    assert_eq!(answer[2..], ok.bytes()[..]);
    drop(phone);
    assert_eq!(node.hears_end(), flow);
}

/// RFC 5922 §7.2.
#[test]
fn a_server_must_show_a_certificate_for_the_name_that_was_looked_up() {
    let site = Site::new("itsp.example");
    let node = site.node(Transport::Tls, Limits::default());
    let server = site.server();
    let server = node.runtime.block_on(TcpListener::bind("127.0.0.1:0")).map(|tcp| (tcp, server));
    let (listener, acceptor) = server.unwrap();
    let remote = listener.local_addr().unwrap();
    let message: Message = node.options();

    // Nobody looked a name up: the certificate would have to be for the address.
    let flow = node.transports.flow_to(Transport::Tls, remote).unwrap();
    node.transports.send(&flow, &message);
    let refused = node.runtime.block_on(async {
        let (tcp, _) = listener.accept().await.unwrap();
        acceptor.accept(tcp).await.map(drop)
    });
    assert!(refused.is_err());
    assert_eq!(node.hears_end().remote, remote);
    while node.incoming.urgent.try_recv().is_ok() {}

    node.transports.expect(remote, "itsp.example");
    node.transports.send(&flow, &message);
    let heard = node.runtime.block_on(async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tls = acceptor.accept(tcp).await.unwrap();
        let mut heard = vec![0; message.bytes().len()];
        tls.read_exact(&mut heard).await.unwrap();
        heard
    });
    assert_eq!(heard, message.bytes()[..]);
}

#[test]
fn a_new_certificate_is_shown_while_old_connections_go_on() {
    let site = Site::new("pbx.example");
    let node = site.node(Transport::Tls, Limits::default());
    let mut old = node.runtime.block_on(site.connect(node.address(0))).unwrap();
    let before = shown(&old);

    site.write("pbx.example");
    node.transports.shared.tls.reload(site.files()).unwrap();
    let new = node.runtime.block_on(site.connect(node.address(0))).unwrap();
    node.runtime.block_on(old.write_all(OPTIONS.as_bytes())).unwrap();

    assert_ne!(shown(&new), before);
    assert_eq!(node.receives_request().0.transport, Transport::Tls);
    fs::write(site.folder.path().join("key.pem"), "broken").unwrap();
    assert!(node.transports.shared.tls.reload(site.files()).is_err());
    let still = node.runtime.block_on(site.connect(node.address(0))).unwrap();
    assert_eq!(shown(&still), shown(&new), "a broken file changes nothing");
}

#[test]
fn a_client_certificate_is_checked_if_there_is_one() {
    let site = Site::new("pbx.example");
    let mut files = site.files();
    files.client_ca = Some(site.folder.path().join("ca.pem"));
    let node = site.node_with(Transport::Tls, Limits::default(), files);
    let stranger = Site::new("stranger.example");

    let speaks = |identity: Option<&Site>| {
        node.runtime.block_on(async {
            let mut phone = site.connect_as(node.address(0), identity).await.ok()?;
            // With TLS 1.3 a client hears of the refusal only when it reads.
            phone.write_all(b"\r\n\r\n").await.ok()?;
            let mut pong = [0; 2];
            phone.read_exact(&mut pong).await.ok()
        })
    };

    assert!(speaks(None).is_some(), "without one");
    assert!(speaks(Some(&site)).is_some(), "signed by the authority");
    assert!(speaks(Some(&stranger)).is_none(), "signed by somebody else");
    for _ in 0..3 {
        node.hears_end(); // what failed is counted before
    }
    assert_eq!(node.transports.counts().handshakes_failed, 1);
}

/// RFC 7118 §5: one message a frame, no Content-Length needed, answers as text.
#[test]
fn a_browser_speaks_sip_over_websocket() {
    let site = Site::new("pbx.example");
    for transport in [Transport::Ws, Transport::Wss] {
        let node = site.node(transport, Limits::default());
        let address = node.address(0);
        let options = OPTIONS.replace("Content-Length: 0\r\n", "");
        let options = options.replace("UDP 127.0.0.1", "WS df7jal23ls0d.invalid");

        let heard = node.runtime.block_on(async {
            let tcp = TcpStream::connect(address).await.unwrap();
            if transport == Transport::Ws {
                browse(tcp, &node, &options).await
            } else {
                let tls = site.connect(address).await.unwrap();
                browse(tls, &node, &options).await
            }
        });

        assert!(heard.starts_with("SIP/2.0 200 OK\r\n"), "{heard}");
        assert!(heard.contains("received=127.0.0.1"), "{heard}");
        assert_eq!(node.hears_end().transport, transport);
        assert!(node.transports.flow_to(transport, address).is_none(), "nobody calls a browser");
    }
}

async fn browse<S>(stream: S, node: &Node, options: &str) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut socket, _) = client_async(request("sip"), stream).await.unwrap();
    socket.send(WsFrame::text("\r\n\r\n")).await.unwrap();
    assert_eq!(next(&mut socket).await, "\r\n", "the pong");
    socket.send(WsFrame::text(options)).await.unwrap();
    let incoming = node.incoming.clone();
    let got = tokio::task::spawn_blocking(move || incoming.wait()).await.unwrap();
    let Ok(Incoming::Received { flow, message: Message::Request(request) }) = got else {
        panic!("{got:?}")
    };
    let ok = Response::build(&request, 200, None).response();
    node.transports.send(&flow, &ok.into());
    let heard = next(&mut socket).await;
    socket.close(None).await.unwrap();
    heard
}

async fn next<S>(socket: &mut tokio_tungstenite::WebSocketStream<S>) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
        Some(Ok(WsFrame::Text(text))) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_subprotocol_is_refused() {
    let site = Site::new("pbx.example");
    let node = site.node(Transport::Ws, Limits::default());

    let refused = node.runtime.block_on(async {
        let tcp = TcpStream::connect(node.address(0)).await.unwrap();
        client_async(request("chat"), tcp).await.map(drop)
    });

    assert!(matches!(refused, Err(WsError::Http(answer)) if answer.status() == 400));
}

#[test]
fn half_open_handshakes_are_bounded_in_time_and_number() {
    let site = Site::new("pbx.example");
    let limits = Limits {
        handshake_timeout: Duration::from_millis(300),
        handshakes_max: 1,
        ..Limits::default()
    };
    let node = site.node(Transport::Tls, limits);

    let first = Plain::connect(node.address(0)).unwrap();
    let second = Plain::connect(node.address(0)).unwrap();

    for phone in [first, second] {
        phone.set_read_timeout(Some(PATIENCE)).unwrap();
        let end = std::io::Read::read(&mut &phone, &mut [0]);
        assert!(!matches!(end, Ok(1..)), "{end:?}");
    }
    for _ in 0..2 {
        node.hears_end();
    }
    let counts = node.transports.counts();
    assert_eq!((counts.refused, counts.handshakes_failed), (1, 1));
    assert_eq!(node.transports.connections(), 0);
}

/// RFC 5626 §3.5.2, over IPv6.
#[test]
fn stun_tells_a_phone_its_address() {
    let any = "[::1]:0".parse().unwrap();
    let node = Node::listening(&[Listen { transport: Transport::Udp, address: any }]);
    let phone = UdpSocket::bind(any).unwrap();
    phone.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();

    phone.send_to(&request, node.address(0)).unwrap();

    let mut buffer = [0; 100];
    let size = phone.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..2], [1, 1]);
    assert_eq!(buffer[8..20], [7; 12]);
    let port = u16::from_be_bytes([buffer[26], buffer[27]]) ^ 0x2112;
    assert_eq!((size, port), (44, phone.local_addr().unwrap().port()));
    assert_eq!(node.transports.counts().keep_alives, 1);
}

/// RFC 5118 §4: IPv6 addresses all the way, over a stream.
#[test]
fn a_phone_at_ipv6_registers_over_tls() {
    let site = Site::new("pbx.example");
    let any = "[::1]:0".parse().unwrap();
    let listen = Listen { transport: Transport::Tls, address: any };
    let node = site.node_at(listen, Limits::default(), site.files());
    let mut phone = node.runtime.block_on(site.connect(node.address(0))).unwrap();

    let options = OPTIONS.replace("UDP 127.0.0.1", "TLS [::1]:5061");
    node.runtime.block_on(phone.write_all(options.as_bytes())).unwrap();
    let (flow, request) = node.receives_request();

    assert_eq!(flow.remote.ip().to_string(), "::1");
    assert_eq!(request.via().param("received"), Some("::1"));
}

/// A folder with an authority, a certificate that it signed, and its key.
struct Site {
    folder: TempDir,
    name: String,
    authority: Issuer<'static, KeyPair>,
}

impl Site {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let site = Self { folder, name: name.to_owned(), authority: Issuer::new(params, key) };
        site.write(name);
        site
    }

    /// Writes a new certificate for a name, and its key.
    fn write(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        fs::write(self.path("certificate.pem"), certificate.pem()).unwrap();
        fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(file)
    }

    fn files(&self) -> Files {
        Files {
            identity: Some((self.path("certificate.pem"), self.path("key.pem"))),
            client_ca: None,
            ca: Some(self.path("ca.pem")),
        }
    }

    fn node(&self, transport: Transport, limits: Limits) -> Node {
        self.node_with(transport, limits, self.files())
    }

    fn node_with(&self, transport: Transport, limits: Limits, files: Files) -> Node {
        self.node_at(Listen { transport, address: ANY_PORT }, limits, files)
    }

    fn node_at(&self, listen: Listen, limits: Limits, files: Files) -> Node {
        let tls = Tls::load(files).unwrap();
        Node::set_up(&[listen], 16, Setup { limits, tls, ..Setup::default() })
    }

    /// A TLS server of this site's certificate.
    fn server(&self) -> TlsAcceptor {
        let (certificate, key) = self.files().identity.unwrap();
        TlsAcceptor::from(certificates::server(&certificate, &key, None).unwrap())
    }

    async fn connect(&self, server: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_as(server, None).await
    }

    /// Connects as a phone that trusts this site's authority, with somebody's certificate or none.
    async fn connect_as(
        &self,
        server: SocketAddr,
        identity: Option<&Self>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(site) => {
                let certificate = CertificateDer::from_pem_file(site.path("certificate.pem"));
                let key = PrivateKeyDer::from_pem_file(site.path("key.pem")).unwrap();
                builder.with_client_auth_cert(vec![certificate.unwrap()], key).unwrap()
            }
        };
        let name = ServerName::try_from(self.name.clone()).unwrap();
        let tcp = TcpStream::connect(server).await?;
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }
}

/// The certificate that the server showed.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn read(stream: &mut TlsStream<TcpStream>, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes.into()
}

fn request(
    subprotocol: &'static str,
) -> tokio_tungstenite::tungstenite::handshake::client::Request {
    let mut request = "ws://pbx.example/".into_client_request().unwrap();
    let value = HeaderValue::from_static(subprotocol);
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    request
}
