//! Broken and malicious messages against all machines of SIP at once: nothing panics, nothing
//! grows beyond its limit, nothing stays.

use bytes::Bytes;

use super::dialog::{Dialog, DialogRef};
use super::digest::{Auth, Secret, Verdict, auth};
use super::flow::{ConnectionId, Flow, Loss, Transport};
use super::message::{Message, Method, Name, Request, Response};
use super::registrar::{Config, Path, Registrar};
use super::transaction::{ClientId, Input, Output, ServerKey, Table};
use crate::rng::Rng;
use crate::time::{Duration, Instant};

const MESSAGES: &[&[u8]] = &[
    include_bytes!("../../tests/data/phone-messages/cisco_register.msg"),
    include_bytes!("../../tests/data/phone-messages/compact.msg"),
    include_bytes!("../../tests/data/phone-messages/folded.msg"),
    include_bytes!("../../tests/data/phone-messages/info_dtmf.msg"),
    include_bytes!("../../tests/data/phone-messages/jssip_wss_invite.msg"),
    include_bytes!("../../tests/data/phone-messages/latin1_name.msg"),
    include_bytes!("../../tests/data/phone-messages/linphone_register_v6.msg"),
    include_bytes!("../../tests/data/phone-messages/lists_one_line.msg"),
    include_bytes!("../../tests/data/phone-messages/polycom_invite.msg"),
    include_bytes!("../../tests/data/phone-messages/refer_replaces.msg"),
    include_bytes!("../../tests/data/phone-messages/sha256_auth.msg"),
    include_bytes!("../../tests/data/phone-messages/tel_uri.msg"),
    include_bytes!("../../tests/data/phone-messages/yealink_invite.msg"),
];

/// What is put into messages: the words that change what they mean.
const WORDS: &[&str] = &[
    "",
    "\r\n",
    ",",
    ";",
    "\"",
    "<",
    ">",
    "*",
    "0",
    "4294967296",
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "REGISTER",
    "Contact: *\r\n",
    "Contact: <sip:a@[::1]:1>;q=2;expires=0\r\n",
    "Expires: 0\r\n",
    "Record-Route: <sip:x>\r\n",
    "Route: <sip:[2001:db8::1];lr>\r\n",
    ";rport",
    ";received=x",
    ";branch=z9hG4bK00.1.0000000000000001",
    ";branch=",
    ";tag=",
    "SIP/2.0/TCP [::]:0",
    "é",
    "Authorization: Digest realm=\"pbx\", username=\"1\", nonce=\"",
    "nc=ffffffff",
    "sip:%00@",
];

const TRANSACTIONS_MAX: usize = 200;

#[test]
fn nothing_panics_grows_or_stays() {
    let mut site = Site::new();
    for round in 0..4_000 {
        let message = site.broken_message();
        let Ok(message) = Message::parse(Bytes::from(message)) else { continue };
        let flow = site.flow();
        site.told(Input::Received { flow, message });
        if round % 20 == 0 {
            site.sends();
        }
        if round % 10 == 0 {
            site.now = site.now + Duration::from_millis(site.rng.below(2_000).into());
            site.ticks();
        }
        assert!(site.table.len() <= 2 * TRANSACTIONS_MAX);
        site.dialogs.truncate(100);
    }
    assert!(site.seen > 300, "only {} requests got through", site.seen);
    assert!(site.dialogs.len() > 10, "only {} dialogs were made", site.dialogs.len());

    site.hangs_up();
    while let Some(due) = site.next() {
        assert!(due < site.now + Duration::from_secs(4_000), "a deadline that never comes");
        site.now = due;
        site.ticks();
    }
    assert_eq!(site.table.len(), 0);
    assert!(site.registrar.bindings().is_empty());
}

struct Site {
    now: Instant,
    rng: Rng,
    table: Table,
    auth: Auth,
    secret: Secret,
    registrar: Registrar,
    dialogs: Vec<Dialog>,
    /// INVITEs without a final answer: to end them is the user's duty.
    calling: Vec<ClientId>,
    ringing: Vec<(ServerKey, Request)>,
    seen: usize,
}

impl Site {
    fn new() -> Self {
        let mut rng = Rng::from_number(7);
        Self {
            now: Instant::START,
            table: Table::new(0, TRANSACTIONS_MAX),
            auth: Auth::new("pbx", &auth::Config::default(), &mut rng),
            secret: Secret::new("1", "pbx", "password"),
            registrar: Registrar::new(Config::default()),
            dialogs: Vec::new(),
            calling: Vec::new(),
            ringing: Vec::new(),
            seen: 0,
            rng,
        }
    }

    fn broken_message(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        let mut message = MESSAGES[rng.below(MESSAGES.len() as u32) as usize].to_vec();
        // Most of the time another call, or nothing would get past the absorbing of copies.
        let unique = format!("{:04}", rng.below(5_000));
        for _ in 0..rng.below(4) {
            let at = rng.below(message.len() as u32) as usize;
            let end = (at + rng.below(12) as usize).min(message.len());
            let word = WORDS[rng.below(WORDS.len() as u32) as usize];
            message.splice(at..end, word.bytes());
        }
        let text = String::from_utf8_lossy(&message).into_owned();
        text.replace("z9hG4bK", &format!("z9hG4bK{unique}"))
            .replace("Call-ID: ", &format!("Call-ID: {unique}"))
            .into_bytes()
    }

    fn flow(&mut self) -> Flow {
        let transport = if self.rng.below(4) == 0 { Transport::Tcp } else { Transport::Udp };
        let connection = match transport {
            Transport::Tcp => ConnectionId(u64::from(self.rng.below(3))),
            _ => ConnectionId::default(),
        };
        let local = "192.0.2.1:5060".parse().unwrap();
        let remote = ["192.0.2.9:5060", "[2001:db8::9]:1", "[::ffff:192.0.2.9]:65535"];
        let remote = remote[self.rng.below(3) as usize].parse().unwrap();
        Flow { transport, local, remote, connection }
    }

    /// A request of ours, so that hostile responses have something to match.
    fn sends(&mut self) {
        let (client, flow) = (self.table.client_id(), self.flow());
        let method = [Method::Invite, Method::Options][self.rng.below(2) as usize];
        let request = Request::build(method, "sip:1@192.0.2.9")
            .header(Name::From, "<sip:2@pbx>;tag=us")
            .header(Name::To, "<sip:1@pbx>")
            .header(Name::CallId, "ours")
            .header(Name::CSeq, format_args!("1 {method}"))
            .request();
        self.told(Input::Request { client, flow, request });
        self.calling.push(client);
        if self.rng.below(2) == 0 {
            self.told(Input::Cancel { client, reason: None });
        }
        if self.rng.below(8) == 0 {
            self.told(Input::TransportFailed { flow, loss: Loss::Ended });
            self.registrar.flow_closed(&flow, &mut Vec::new());
        }
    }

    fn told(&mut self, input: Input) {
        let mut out = Vec::new();
        self.table.handle(self.now, &mut self.rng, input, &mut out);
        for output in out {
            match output {
                Output::Request { key, flow, request } => {
                    self.seen += 1;
                    let response = self.answer(flow, &request);
                    if !response.is_final() && request.method() == Method::Invite {
                        self.ringing.push((key, request));
                    }
                    self.told(Input::Respond { key, response });
                }
                Output::Ack { flow, request } => {
                    for dialog in &mut self.dialogs {
                        let _ = dialog.receive(flow, &request);
                    }
                }
                Output::Transmit { message, .. } => self.answered(&message),
                Output::Cancelled { .. }
                | Output::Failed { .. }
                | Output::Response { .. }
                | Output::Abandoned { .. }
                | Output::ServerEnded { .. } => {}
            }
        }
    }

    fn answer(&mut self, flow: Flow, request: &Request) -> Response {
        let secret_of = |user: &str| (user == "1").then_some(&self.secret);
        let (remote, source) = (flow.remote, flow.remote.ip());
        let verdict =
            self.auth.check(self.now, (remote, source), request, |user| user == "1", secret_of);
        if request.method() == Method::Register {
            let extension = "1".into();
            let mut out = Vec::new();
            let registrar = &mut self.registrar;
            let ok = registrar.handle_register(
                self.now,
                &mut self.rng,
                &extension,
                (flow, request),
                "t",
                &mut out,
            );
            assert!(registrar.targets(&extension).len() <= Config::default().contacts_max);
            for binding in registrar.targets(&extension) {
                let _ = binding.flow();
            }
            return ok;
        }
        for dialog in &mut self.dialogs {
            let _ = dialog.receive(flow, request);
            let _ = DialogRef::of_request(request).name() == DialogRef::of_request(request).name();
        }
        let status = [180, 200, 302, 486, 603][self.rng.below(5) as usize];
        let response = Response::build(request, status, Some("t")).response();
        if let Ok(mut dialog) = Dialog::as_uas(Path::of(flow, request), request, &response) {
            let bye = dialog.request(Method::Bye).request();
            let _ = (bye, dialog.ack(1).request(), dialog.next_hop());
            self.dialogs.insert(0, dialog);
        }
        if self.rng.below(2) == 0 && !matches!(verdict, Verdict::User(_)) {
            return self.auth.refusal(self.now, source, request, &verdict);
        }
        response
    }

    fn hangs_up(&mut self) {
        for client in std::mem::take(&mut self.calling) {
            self.told(Input::Cancel { client, reason: None });
        }
        for (key, invite) in std::mem::take(&mut self.ringing) {
            let response = Response::build(&invite, 487, Some("t")).response();
            self.told(Input::Respond { key, response });
        }
    }

    /// Whatever we send is answered by a peer with ideas of its own.
    fn answered(&mut self, message: &Message) {
        let Message::Request(request) = message else { return };
        if request.method() == Method::Ack || self.rng.below(3) == 0 {
            return;
        }
        let status = [100, 180, 200, 401, 487, 699][self.rng.below(6) as usize];
        let response = Response::build(request, status, Some("them"))
            .header(Name::Contact, "<sip:them@192.0.2.9>")
            .response();
        if let Ok(mut dialog) =
            Dialog::as_uac(Path { flow: self.flow(), direct: true }, request, &response)
        {
            let _ = (dialog.refresh(&response), dialog.confirm(&response));
        }
        let flow = self.flow();
        self.told(Input::Received { flow, message: response.into() });
    }

    fn next(&self) -> Option<Instant> {
        [self.table.next_tick(), self.registrar.next_tick()].into_iter().flatten().min()
    }

    fn ticks(&mut self) {
        self.told(Input::Tick);
        self.registrar.tick(self.now, &mut Vec::new());
    }
}
