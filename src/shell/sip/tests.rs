//! The transports against plain sockets on loopback. Every wait is for an event.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};

use bytes::Bytes;
use tokio::runtime::Runtime;

use super::*;
use crate::sip::message::{Method, Request, Response};

#[test]
fn a_request_over_udp_is_answered_where_it_came_from() {
    let node = Node::listening(&[UDP]);
    let phone = phone();

    phone.send_to(OPTIONS.as_bytes(), node.address(0)).unwrap();
    let (flow, request) = node.receives_request();
    node.transports.send(&flow, &Response::build(&request, 200, Some("t")).response().into());

    assert_eq!((flow.local, flow.remote), (node.address(0), phone.local_addr().unwrap()));
    let port = phone.local_addr().unwrap().port().to_string();
    assert_eq!(request.via().param("rport"), Some(&*port));
    assert_eq!(request.via().param("received"), Some("127.0.0.1"));
    let (answer, from) = datagram(&phone);
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
    assert_eq!(from, node.address(0));
}

#[test]
fn what_is_malformed_never_reaches_the_switch() {
    let node = Node::listening(&[UDP]);
    let phone = phone();

    for junk in ["\r\n\r\n", "\0\x01\0\0", "hello", "SIP/2.0 200 OK\r\n\r\n"] {
        phone.send_to(junk.as_bytes(), node.address(0)).unwrap();
    }
    phone.send_to(OPTIONS.as_bytes(), node.address(0)).unwrap();
    // Refused by the parser, so its answer says that all before it were looked at and counted.
    let broken = OPTIONS.replace("Content-Length: 0", "Content-Length: 9");
    phone.send_to(broken.as_bytes(), node.address(0)).unwrap();
    let (answer, _) = datagram(&phone);

    assert!(answer.starts_with("SIP/2.0 400 Bad Request: Content-Length says 9"), "{answer}");
    assert_eq!(node.receives_request().1.method(), Method::Options);
    let counts = node.transports.counts();
    assert_eq!((counts.received, counts.keep_alives, counts.malformed), (1, 1, 4));
}

#[test]
fn answers_leave_from_the_socket_that_received() {
    let second = Listen { address: "127.0.0.2:0".parse().unwrap(), ..UDP };
    let node = Node::listening(&[UDP, second, UDP]);
    let phone = phone();

    for i in [2, 0, 1] {
        phone.send_to(OPTIONS.as_bytes(), node.address(i)).unwrap();
        let (flow, request) = node.receives_request();
        node.transports.send(&flow, &Response::build(&request, 200, None).response().into());
        assert_eq!(datagram(&phone).1, node.address(i));
    }
}

#[test]
fn datagrams_are_dropped_and_counted_while_the_switch_is_busy() {
    let node = Node::with(&[UDP], 1, Limits::default());
    let phone = phone();

    for _ in 0..3 {
        phone.send_to(OPTIONS.as_bytes(), node.address(0)).unwrap();
    }
    // Refused by the parser, so its answer says that all before it were looked at.
    phone.send_to(OPTIONS.replace("9 OPT", "x OPT").as_bytes(), node.address(0)).unwrap();
    datagram(&phone);

    let counts = node.transports.counts();
    assert_eq!((counts.received, counts.dropped), (1, 2));
    node.receives_request();
}

#[test]
fn a_message_that_fits_no_datagram_closes_its_flow() {
    let node = Node::listening(&[UDP]);
    let remote = phone().local_addr().unwrap();
    let flow = node.transports.flow_to(Transport::Udp, remote).unwrap();

    node.transports.send(&flow, &options(&[b'x'; 66_000]));

    assert_eq!(node.hears_end(), flow);
    assert_eq!(node.transports.counts().unsent, 1);
}

#[test]
fn a_connection_carries_messages_and_keep_alives_both_ways() {
    let node = Node::listening(&[TCP]);
    let mut phone = TcpStream::connect(node.address(0)).unwrap();

    let (first, second) = OPTIONS.split_at(100);
    phone.write_all(b"\r\n\r\n").unwrap();
    phone.write_all(first.as_bytes()).unwrap();
    let mut pong = [0; 2];
    phone.read_exact(&mut pong).unwrap();
    phone.write_all(second.as_bytes()).unwrap();
    let (flow, request) = node.receives_request();
    let ok = Response::build(&request, 200, None).response();
    node.transports.send(&flow, &ok.clone().into());

    assert_eq!(pong, *b"\r\n");
    assert_eq!((flow.local, flow.remote), (node.address(0), phone.local_addr().unwrap()));
    assert_eq!(reads(&mut phone, ok.bytes().len()), *ok.bytes());
    drop(phone);
    assert_eq!(node.hears_end(), flow);
    assert_eq!(node.transports.connections(), 0);
}

#[test]
fn a_connection_is_opened_once_and_used_again() {
    let node = Node::listening(&[TCP]);
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let flow = node.transports.flow_to(Transport::Tcp, peer.local_addr().unwrap()).unwrap();
    let request = options(b"");

    node.transports.send(&flow, &request);
    node.transports.send(&flow, &request);
    let (mut connection, _) = peer.accept().unwrap();
    let both = [&request.bytes()[..], &request.bytes()[..]].concat();
    assert_eq!(reads(&mut connection, both.len()), both);
    connection.write_all(OPTIONS.as_bytes()).unwrap();
    let (back, _) = node.receives_request();
    drop(connection);

    assert_eq!(flow.local, node.address(0));
    assert_ne!(back.connection, ConnectionId(0));
    assert_eq!(Flow { connection: ConnectionId(0), ..back }, flow);
    let ends = [node.hears_end(), node.hears_end()];
    assert!(ends.contains(&flow) && ends.contains(&back), "{ends:?}");
}

#[test]
fn a_refused_connection_closes_the_flow_at_once() {
    let node = Node::listening(&[TCP]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flow = node.transports.flow_to(Transport::Tcp, nobody).unwrap();

    node.transports.send(&flow, &options(b""));

    let ends = [node.hears_end(), node.hears_end()];
    assert!(ends.contains(&flow), "{ends:?}");
}

#[test]
fn a_peer_that_does_not_read_is_cut() {
    let limits = Limits { queued_bytes_max: 200_000, ..Limits::default() };
    let node = Node::with(&[TCP], 16, limits);
    let mut phone = TcpStream::connect(node.address(0)).unwrap();
    phone.write_all(OPTIONS.as_bytes()).unwrap();
    let (flow, _) = node.receives_request();
    let large = options(&[b'x'; 60_000]);

    for _ in 0..1_000_000 {
        node.transports.send(&flow, &large);
        if !node.incoming.urgent.is_empty() {
            break;
        }
    }

    assert_eq!(node.hears_end(), flow);
    assert!(node.transports.counts().unsent > 0);
}

#[test]
fn a_stream_without_lengths_is_told_why_and_ended() {
    let node = Node::listening(&[TCP]);
    let mut phone = TcpStream::connect(node.address(0)).unwrap();

    phone.write_all(OPTIONS.replace("Content-Length: 0\r\n", "").as_bytes()).unwrap();
    let mut answer = String::new();
    phone.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("SIP/2.0 400 Bad Request: header Content-Length is missing\r\n"));
}

#[test]
fn a_malformed_message_on_a_stream_does_not_end_it() {
    let node = Node::listening(&[TCP]);
    let mut phone = TcpStream::connect(node.address(0)).unwrap();

    phone.write_all((OPTIONS.replace("9 OPT", "x OPT") + OPTIONS).as_bytes()).unwrap();

    assert_eq!(reads(&mut phone, 12), b"SIP/2.0 400 "[..]);
    node.receives_request();
}

#[test]
fn connections_above_the_limit_of_a_source_are_closed() {
    let limits = Limits { connections_per_source_max: 1, ..Limits::default() };
    let node = Node::with(&[TCP], 16, limits);
    let mut first = TcpStream::connect(node.address(0)).unwrap();
    first.write_all(OPTIONS.as_bytes()).unwrap();
    node.receives_request();

    let mut second = TcpStream::connect(node.address(0)).unwrap();

    assert!(matches!(second.read(&mut [0]), Ok(0) | Err(_)));
    assert_eq!(node.transports.counts().refused, 1);
    drop(first);
    node.hears_end();
    TcpStream::connect(node.address(0)).unwrap().write_all(OPTIONS.as_bytes()).unwrap();
    node.receives_request();
}

#[test]
fn a_connection_that_says_nothing_or_only_half_is_closed() {
    let limits = Limits { message_timeout: Duration::from_millis(20), ..Limits::default() };
    let node = Node::with(&[TCP], 16, limits);

    let mut silent = TcpStream::connect(node.address(0)).unwrap();
    let mut half = TcpStream::connect(node.address(0)).unwrap();
    half.write_all((OPTIONS.to_owned() + &OPTIONS[..50]).as_bytes()).unwrap();

    node.receives_request();
    assert_eq!(half.read(&mut [0]).unwrap(), 0);
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_busy_switch_pauses_streams_and_loses_nothing() {
    let node = Node::with(&[TCP], 1, Limits::default());
    let mut phone = TcpStream::connect(node.address(0)).unwrap();

    for number in 0..50 {
        let numbered = OPTIONS.replace("CSeq: 9 ", &format!("CSeq: {number} "));
        phone.write_all(numbered.as_bytes()).unwrap();
    }

    for number in 0..50 {
        assert_eq!(node.receives_request().1.cseq().number, number);
    }
}

#[test]
fn dropping_the_transports_closes_everything() {
    let node = Node::listening(&[UDP, TCP]);
    let mut phone = TcpStream::connect(node.address(1)).unwrap();
    phone.write_all(OPTIONS.as_bytes()).unwrap();
    node.receives_request();
    let Node { transports, incoming, runtime: _runtime } = node;

    drop(transports);

    assert_eq!(phone.read(&mut [0]).unwrap(), 0);
    assert!(incoming.wait().is_err());
}

#[test]
fn an_address_in_use_is_named() {
    let node = Node::listening(&[UDP]);
    let taken = Listen { address: node.address(0), ..UDP };
    let _inside = node.runtime.enter();

    let refused = Transports::bind(&[taken], None, inbox(1).0);

    let text = refused.err().unwrap().to_string();
    assert!(text.starts_with(&format!("cannot listen on udp://{}: ", node.address(0))), "{text}");
}

/// Transports with the Switch's end of their channel.
pub(super) struct Node {
    pub(super) transports: Transports,
    pub(super) incoming: Outbox,
    pub(super) runtime: Runtime,
}

impl Node {
    pub(super) fn listening(listen: &[Listen]) -> Self {
        Self::with(listen, 16, Limits::default())
    }

    fn with(listen: &[Listen], room: usize, limits: Limits) -> Self {
        Self::set_up(listen, room, Setup { limits, ..Setup::default() })
    }

    pub(super) fn set_up(listen: &[Listen], room: usize, setup: Setup) -> Self {
        let runtime = Runtime::new().unwrap();
        let (sender, incoming) = inbox(room);
        let _inside = runtime.enter();
        let transports = Transports::bind_with(listen, setup, sender).unwrap();
        Self { transports, incoming, runtime }
    }

    pub(super) fn address(&self, listener: usize) -> SocketAddr {
        self.transports.listening()[listener].address
    }

    pub(super) fn options(&self) -> Message {
        options(b"")
    }

    pub(super) fn receives_request(&self) -> (Flow, Request) {
        match self.incoming.wait() {
            Ok(Incoming::Received { flow, message: Message::Request(request) }) => (flow, request),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn hears_end(&self) -> Flow {
        match self.incoming.wait() {
            Ok(Incoming::Closed { flow, .. }) => flow,
            other => panic!("{other:?}"),
        }
    }
}

impl Outbox {
    /// The next of either kind; an error if no more can come.
    pub(super) fn wait(&self) -> Result<Incoming, crossbeam_channel::RecvError> {
        crossbeam_channel::select! {
            recv(self.urgent) -> incoming => incoming,
            recv(self.new) -> incoming => incoming,
            default(PATIENCE) => panic!("nothing came"),
        }
    }
}

fn phone() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn datagram(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = [0; 2000];
    let (size, from) = socket.recv_from(&mut buffer).unwrap();
    (String::from_utf8(buffer[..size].to_vec()).unwrap(), from)
}

fn reads(stream: &mut TcpStream, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).unwrap();
    bytes.into()
}

fn options(body: &[u8]) -> Message {
    Request::build(Method::Options, "sip:b@127.0.0.1")
        .via("SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1")
        .header(crate::sip::message::Name::From, "<sip:a@127.0.0.1>;tag=1")
        .header(crate::sip::message::Name::To, "<sip:b@127.0.0.1>")
        .header(crate::sip::message::Name::CallId, "c1")
        .header(crate::sip::message::Name::CSeq, "1 OPTIONS")
        .body("text/plain", body)
        .request()
        .into()
}

/// Longer than anything here takes on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

const UDP: Listen = Listen { transport: Transport::Udp, address: ANY_PORT };
const TCP: Listen = Listen { transport: Transport::Tcp, address: ANY_PORT };
pub(super) const ANY_PORT: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(super) const OPTIONS: &str = "OPTIONS sip:b@127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1\r\n\
    From: <sip:a@127.0.0.1>;tag=1\r\n\
    To: <sip:b@127.0.0.1>\r\n\
    Call-ID: c1\r\n\
    CSeq: 9 OPTIONS\r\n\
    Max-Forwards: 70\r\n\
    Content-Length: 0\r\n\
    \r\n";
