//! A desk for one leg: its phone's messages by hand, and what the leg does about them in words.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use bytes::Bytes;

use crate::acd::Acd;
use crate::call::audio::{Audio, Sealing};
use crate::call::hall::Halls;
use crate::call::identity::Manner;
use crate::call::invite::{self, Dial};
use crate::call::known::Known;
use crate::call::leg::{Input, Leg, Output};
use crate::call::park::Lot;
use crate::call::services::Book;
use crate::call::site::{Ports, Settings, Site};
use crate::call::trunk::Lines;
use crate::id::{CallId, LegId};
use crate::media::control::{Command, Port};
use crate::rng::Rng;
use crate::sdp::{Codec, Security, Session, Suite};
use crate::sip::dialog::session_timer::{EXPIRES_MIN, Limits};
use crate::sip::digest::locks::Locks;
use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Message, Name, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::sip::registrar::{Config, Registrar};
use crate::sip::transaction::{ClientId, ServerKey, Table};
use crate::time::{Duration, Epoch, Instant, Wall};

/// A leg of a phone that called us.
pub struct Desk {
    pub leg: Leg,
    pub now: Instant,
    acd: Acd,
    phones: Registrar,
    ports: Ports,
    rng: Rng,
    settings: Settings,
    table: Table,
    pub requests: Vec<(ClientId, Request)>,
    /// The CSeq number of the dialog that was stored last.
    pub stored: Option<u32>,
    /// Where audio goes.
    pub connected: Option<SocketAddr>,
}

impl Desk {
    pub fn talking() -> Self {
        let mut desk = Self::answered();
        let ack = Input::Acked(desk.message("ACK", 1, ""));
        assert_eq!(desk.gets(ack), ["Answered"]);
        desk
    }

    pub fn answered() -> Self {
        let invite = request("INVITE", 1, "", SDP);
        let offer = Session::parse(SDP.as_bytes()).ok();
        let mut desk = Self::with(|audio, site| {
            Leg::invited(ID, (ServerKey(1), invite, FLOW), offer, audio, site)
        });
        let answer = Input::Answer(vec![Codec::Pcma, Codec::Pcmu]);
        assert_eq!(desk.gets(answer), ["connect SendRecv", "respond 200"]);
        desk
    }

    /// A leg that calls a phone, and its INVITE.
    pub fn calling() -> (Self, ClientId, Request) {
        let mut out = Vec::new();
        let desk = Self::with(|audio, site| {
            let dial = Dial {
                user: "1002",
                uri: "sip:1002@198.51.100.7",
                path: Path { flow: FLOW, direct: false },
                from: "1001",
                name: None,
                referred_by: None,
                manner: Manner::default(),
                route: &[],
                srtp: None,
                outside: None,
                max_forwards: 70,
            };
            Leg::inviting(ID, &dial, audio, &[Codec::Pcma, Codec::Pcmu], site, &mut out)
        });
        let invite = out.into_iter().find_map(|output| match output {
            Output::Request { client, request, .. } => Some((client, request)),
            _ => None,
        });
        let (client, invite) = invite.unwrap();
        (desk, client, invite)
    }

    fn with(make: impl FnOnce(Audio, &mut Site<'_>) -> Leg) -> Self {
        let (acd, phones) = (Acd::new(), Registrar::new(Config::default()));
        let (mut ports, mut rng) = (Ports::default(), Rng::from_number(3));
        let settings = Settings {
            epoch: Epoch(Wall::from_micros(0)),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            aliases: Vec::new(),
            domain: String::new(),
            media: None,
            ptime: 20,
            srtp: None,
            suites: [Suite::Counter128Tag80].into(),
            recordings: PathBuf::new(),
            recording_extension: "wav",
            session: Limits { expires: Duration::from_secs(1800), min: EXPIRES_MIN },
        };
        let mut table = Table::new(0, 100);
        let place = (LOCAL.ip(), Port { rtp: 20_000, thread: 0 });
        let suites = settings.suites.clone();
        let sealing = Sealing::new(Security::Accepted, suites, &mut Rng::from_number(7));
        let audio = Audio::new(place, 20, 7, sealing);
        let mut site = Site {
            acd: &acd,
            decided: &mut Vec::new(),
            known: &mut Known::default(),
            lines: &mut Lines::default(),
            halls: &mut Halls::default(),
            lot: &mut Lot::default(),
            phones: &phones,
            pins: &mut Locks::new(1),
            ports: &mut ports,
            rng: &mut rng,
            services: &Book::new(),
            settings: &settings,
            transactions: &mut table,
        };
        let leg = make(audio, &mut site);
        let (now, requests, stored) = (Instant::from_micros(1_000_000), Vec::new(), None);
        Self {
            leg,
            now,
            acd,
            phones,
            ports,
            rng,
            settings,
            table,
            requests,
            stored,
            connected: None,
        }
    }

    /// A response to our INVITE, with these lines besides.
    pub fn responds(
        &mut self,
        client: ClientId,
        invite: &Request,
        (status, tag): (u16, &str),
        lines: &[(Name, &str)],
        body: &str,
    ) -> Vec<String> {
        let invite = invite.with_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
        let mut response = Response::build(&invite, status, Some(tag).filter(|it| !it.is_empty()));
        for (name, value) in lines {
            response = response.header(*name, value);
        }
        if !body.is_empty() {
            response = response.body("application/sdp", body.as_bytes());
        }
        self.gets(Input::Response { client, response: response.response(), flow: FLOW })
    }

    /// What the leg does about an input, in words.
    pub fn gets(&mut self, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        let mut site = Site {
            acd: &self.acd,
            decided: &mut Vec::new(),
            known: &mut Known::default(),
            lines: &mut Lines::default(),
            halls: &mut Halls::default(),
            lot: &mut Lot::default(),
            phones: &self.phones,
            pins: &mut Locks::new(1),
            ports: &mut self.ports,
            rng: &mut self.rng,
            services: &Book::new(),
            settings: &self.settings,
            transactions: &mut self.table,
        };
        self.leg.handle(self.now, &mut site, input, &mut out);
        let mut words = Vec::new();
        for output in out {
            words.push(match output {
                Output::Ack { request, .. } => format!("ACK {}", request.cseq().number),
                Output::Cancel { .. } => "cancel".to_owned(),
                Output::Dialog(dialog) => {
                    self.stored = dialog.map(|dialog| dialog.local_cseq());
                    continue;
                }
                Output::Event(event) => format!("{event:?}"),
                Output::Media(Command::Connect { audio, .. }) => {
                    self.connected = Some(audio.remote_rtp);
                    format!("connect {:?}", audio.direction)
                }
                Output::Media(Command::Close { .. }) => "close".to_owned(),
                Output::Media(command) => format!("{command:?}"),
                Output::Request { client, request, .. } => {
                    let words = format!("{} {}", request.method(), request.cseq().number);
                    self.requests.push((client, request));
                    words
                }
                Output::Respond { response, .. } => {
                    let words = format!("respond {}", response.status());
                    let accept = response.header(Name::Accept).filter(|it| *it != invite::SDP);
                    accept.map_or(words.clone(), |accept| format!("{words} {accept}"))
                }
            });
        }
        words
    }

    /// The one request that an input makes the leg send.
    pub fn sent(&mut self, input: Input) -> (ClientId, Request) {
        self.requests.clear();
        self.gets(input);
        assert_eq!(self.requests.len(), 1);
        self.requests.remove(0)
    }

    pub fn answers(
        &mut self,
        client: ClientId,
        to: &Request,
        status: u16,
        body: &str,
    ) -> Vec<String> {
        let to = to.with_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
        let mut response = Response::build(&to, status, None);
        if !body.is_empty() {
            response = response.body("application/sdp", body.as_bytes());
        }
        self.gets(Input::Response { client, response: response.response(), flow: FLOW })
    }

    pub fn request(&self, method: &str, cseq: u32, body: &str) -> Input {
        Input::Request { key: ServerKey(1), flow: FLOW, request: self.message(method, cseq, body) }
    }

    pub fn message(&self, method: &str, cseq: u32, body: &str) -> Request {
        request(method, cseq, &format!(";tag={}", self.leg.dialog_key().1), body)
    }
}

pub fn request(method: &str, cseq: u32, tag: &str, body: &str) -> Request {
    request_with(method, cseq, tag, ("application/sdp", body))
}

/// A request whose body is of this media type.
pub fn request_with(method: &str, cseq: u32, tag: &str, (kind, body): (&str, &str)) -> Request {
    let text = format!(
        "{method} sip:2@h SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{cseq}\r\n\
         From: <sip:1@h>;tag=them\r\nTo: <sip:2@h>{tag}\r\nCall-ID: c\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:1@198.51.100.7>\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    match Message::parse(Bytes::from(text)).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("not a request"),
    }
}

pub fn text(request: &Request) -> String {
    String::from_utf8_lossy(request.body()).into_owned()
}

pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\n\
                   c=IN IP4 198.51.100.7\r\nt=0 0\r\n\
                   m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n\
                   a=sendrecv\r\n";

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
pub const FLOW: Flow = Flow {
    transport: Transport::Udp,
    local: LOCAL,
    remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 5060),
    connection: ConnectionId(0),
};
const ID: LegId = LegId { call: CallId::from_u64(1), index: 0 };
