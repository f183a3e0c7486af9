//! A scripted phone: speaks real SIP, and knows only what is sent to its address.

#[path = "credentials.rs"]
mod credentials;
#[path = "early.rs"]
mod early;
#[path = "lamp.rs"]
mod lamp;
#[path = "provider.rs"]
mod provider;
#[path = "sessions.rs"]
mod sessions;

use std::collections::BTreeMap;
use std::net::SocketAddr;

pub use lamp::Lamp;
use strowger::rng::Rng;
use strowger::sip::dialog::{Accepted, Dialog, Reliable, accepted, reliable};
use strowger::sip::flow::{ConnectionId, Flow, Transport};
use strowger::sip::message::{Message, Method, Name, Request, Response};
use strowger::sip::registrar::nat::Path;
use strowger::sip::transaction::{ClientId, Input, Output, ServerKey, Table};
use strowger::time::{Duration, Instant};

pub use early::Rel;
pub use provider::Provider;
pub use sessions::Timers;

/// What a phone does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Rings, and is answered after this time.
    Answers(Duration),
    /// Is dead: hears and says nothing.
    Dead,
    Refuses(u16),
    /// Rings until the test does something.
    Rings,
    /// Says that it has the INVITE (100), and nothing more.
    Silent,
}

/// How far one call at the phone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its own INVITE has no final answer.
    Calling,
    /// It was called, and has not answered.
    Rung,
    Talking,
    Over,
}

/// A call as the phone sees it.
#[derive(Debug)]
pub struct Line {
    pub stage: Stage,
    pub invite: Request,
    /// Every response to the phone's INVITEs and UPDATEs, but 100 and copies.
    pub statuses: Vec<u16>,
    /// The Reason of the CANCEL or BYE that ended it (RFC 3326).
    pub reason: Option<String>,
    /// Retry-After of the last refusal.
    pub retry_after: Option<String>,
    /// The last session description of the other side.
    pub remote_sdp: String,
    /// Byes received.
    pub byes: u32,
    /// Final statuses of the phone's REFERs.
    pub refers: Vec<u16>,
    /// Bodies of the NOTIFYs that told how a REFER went on, without copies.
    pub progress: Vec<String>,
    /// Min-SE of the last refusal.
    pub min_se: Option<String>,
    /// The re-INVITEs and UPDATEs of the switch.
    pub changes: Vec<Request>,
    /// PRACKs that fitted a reliable response of the phone.
    pub acknowledged: u32,
    /// The dialog before the call is answered, where the phone keeps one.
    early: Option<Dialog>,
    /// The number of the last reliable response that it heard.
    rseq: Option<u32>,
    reliable: Option<Reliable>,
    client: Option<ClientId>,
    server: Option<ServerKey>,
    dialog: Option<Dialog>,
    /// The 200 of the phone, until its ACK.
    accepted: Option<Accepted>,
    /// The phone's ACK of the last 200, for copies of it.
    ack: Option<Request>,
    sdp_version: u32,
    /// The tag of the other side, once it has one.
    remote_tag: Option<String>,
}

/// A phone with one account.
#[derive(Debug)]
pub struct Phone {
    /// What the test calls it: the account, with a letter if it has several phones.
    pub name: String,
    pub account: String,
    pub password: String,
    pub manner: Manner,
    /// What makes it a trunk's other side.
    pub provider: Option<Provider>,
    /// Of its first offer or answer in a call; more attributes may follow.
    pub direction: &'static str,
    /// Whether it acknowledges a 200.
    pub acks: bool,
    /// Whether its ACK answers an offer in a 200.
    pub answers_late: bool,
    /// The Contact that it registers, if it is another than where it is.
    pub registered_contact: Option<String>,
    /// The Contact of its calls, if it is another than where it is.
    pub contact_of_calls: Option<String>,
    /// That is the name of another phone.
    pub steals: bool,
    /// The Path that proxies before it write (RFC 3327).
    pub registered_path: Option<String>,
    /// It asks for GRUUs (RFC 5627).
    pub supports_gruu: bool,
    /// The last final response to its REGISTER.
    pub register_answer: Option<Response>,
    pub timers: Timers,
    /// The profile of its descriptions and what more they say of the audio.
    pub sealing: (&'static str, &'static str),
    pub rel: Rel,
    /// What it wants kept from those it calls (RFC 3323); empty for nothing.
    pub privacy: &'static str,
    /// Seconds that its sessions live.
    pub session_expires: u32,
    /// What it answers to the next changes of the session, the last first; then 200.
    pub refusals: Vec<u16>,
    /// What it writes wrong in its answers: this in the place of that.
    pub spoils: Option<(&'static str, &'static str)>,
    /// The number that its 302 names.
    pub redirects_to: Option<String>,
    pub lines: Vec<Line>,
    /// What it watches.
    pub lamps: Vec<Lamp>,
    /// How it answers NOTIFYs.
    pub notify_status: u16,
    /// The last final status of a REGISTER.
    pub registered: Option<u16>,
    pub address: SocketAddr,
    flow: Flow,
    table: Table,
    rng: Rng,
    sent: BTreeMap<ClientId, Sent>,
    registers: u32,
    /// When the phone is answered by its person, by line.
    answer_at: BTreeMap<usize, Instant>,
    /// When it refreshes its sessions, by line.
    refresh_at: BTreeMap<usize, Instant>,
    out: Vec<Message>,
}

#[derive(Clone, Debug)]
struct Sent {
    request: Request,
    line: Option<usize>,
    tries: u32,
    /// The last status of its response.
    status: u16,
}

impl Phone {
    pub fn new(name: &str, password: &str, (address, switch): (SocketAddr, SocketAddr)) -> Self {
        let seed = name.bytes().fold(7, |seed: u64, byte| seed * 31 + u64::from(byte));
        Self {
            name: name.to_owned(),
            account: name.trim_end_matches(char::is_alphabetic).to_owned(),
            password: password.to_owned(),
            manner: Manner::Rings,
            direction: "sendrecv",
            provider: None,
            acks: true,
            answers_late: true,
            sealing: ("RTP/AVP", ""),
            registered_contact: None,
            contact_of_calls: None,
            steals: false,
            registered_path: None,
            supports_gruu: false,
            register_answer: None,
            timers: Timers::default(),
            rel: Rel::default(),
            privacy: "",
            session_expires: 1800,
            refusals: Vec::new(),
            spoils: None,
            refresh_at: BTreeMap::new(),
            redirects_to: None,
            lines: Vec::new(),
            lamps: Vec::new(),
            notify_status: 200,
            registered: None,
            address,
            flow: Flow {
                transport: Transport::Udp,
                local: address,
                remote: switch,
                connection: ConnectionId::default(),
            },
            table: Table::new(0, 10_000),
            rng: Rng::from_number(seed),
            sent: BTreeMap::new(),
            registers: 0,
            answer_at: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// The call it is in, or was in last.
    ///
    /// # Panics
    ///
    /// If it never was in one.
    pub fn line(&self) -> &Line {
        self.lines.last().expect("the phone had a call")
    }

    /// Where it wants the audio of its last call.
    pub fn rtp(&self) -> SocketAddr {
        self.rtp_of(self.lines.len().saturating_sub(1))
    }

    /// Where it wants the audio of one of its calls.
    pub fn rtp_of(&self, line: usize) -> SocketAddr {
        let port = 40_000 + 2 * u16::try_from(line).expect("few calls");
        SocketAddr::new(self.address.ip(), port)
    }

    /// From here on it speaks over this TCP connection.
    pub fn over_tcp(&mut self, connection: ConnectionId) {
        (self.flow.transport, self.flow.connection) = (Transport::Tcp, connection);
    }

    /// What carries its messages.
    pub fn carrier(&self) -> (Transport, ConnectionId) {
        (self.flow.transport, self.flow.connection)
    }

    /// What it wants to send since this was asked last.
    pub fn take(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.out)
    }

    pub fn next_tick(&self) -> Option<Instant> {
        let copies = self.lines.iter().filter_map(|line| line.accepted.as_ref()?.next_tick());
        let reliable = self.lines.iter().filter_map(|line| line.reliable.as_ref()?.next_tick());
        let copies = copies.chain(reliable);
        let answers = self.answer_at.values().chain(self.refresh_at.values()).copied();
        copies.chain(answers).chain(self.table.next_tick()).min()
    }

    pub fn tick(&mut self, now: Instant) {
        if self.table.next_tick().is_some_and(|at| at <= now) {
            self.transact(now, Input::Tick);
        }
        let due: Vec<_> =
            self.answer_at.iter().filter(|(_, at)| **at <= now).map(|(line, _)| *line).collect();
        for line in due {
            self.answer_at.remove(&line);
            self.answer_line(now, line);
        }
        self.refresh(now);
        for index in 0..self.lines.len() {
            self.resend_200(now, index);
            self.tell_reliable(now, index, reliable::Input::Tick);
        }
    }

    pub fn receive(&mut self, now: Instant, message: Message) {
        if self.manner != Manner::Dead {
            self.transact(now, Input::Received { flow: self.flow, message });
        }
    }

    /// Sends the REGISTER of its account; `expires` in seconds, 0 to leave.
    pub fn register(&mut self, now: Instant, expires: u32) {
        self.registers += 1;
        let mut request = Request::build(Method::Register, "sip:strowger.test")
            .header(Name::From, format!("<sip:{}@strowger.test>;tag=r", self.account))
            .header(Name::To, format!("<sip:{}@strowger.test>", self.account))
            .header(Name::CallId, format!("register-{}", self.name))
            .header(Name::CSeq, format!("{} REGISTER", 100 * self.registers))
            .header(Name::Contact, self.registered_contact.clone().unwrap_or(self.contact()))
            .header(Name::Expires, expires);
        if let Some(path) = &self.registered_path {
            request = request.header(Name::Path, path);
        }
        if self.supports_gruu {
            request = request.header(Name::Supported, "gruu");
        }
        let request = request.request();
        self.send(now, Sent { request, line: None, tries: 0, status: 0 });
    }

    /// Calls a number; `body` is the offer, or empty for a late one.
    pub fn dial(&mut self, now: Instant, to: &str, body: &str) {
        self.dial_with(now, to, body, &[]);
    }

    /// Calls a whole URI.
    pub fn dial_uri(&mut self, now: Instant, uri: &str) {
        let body = self.next_sdp();
        self.dial_at(now, uri, &body, &[]);
    }

    /// Calls a number, with further headers.
    pub fn dial_with(&mut self, now: Instant, to: &str, body: &str, more: &[(Name, &str)]) {
        self.dial_at(now, &format!("sip:{to}@strowger.test"), body, more);
    }

    fn dial_at(&mut self, now: Instant, uri: &str, body: &str, more: &[(Name, &str)]) {
        let token = self.rng.token(8);
        let mut invite = Request::build(Method::Invite, uri)
            .header(Name::From, format!("<sip:{}@strowger.test>;tag={token}", self.account))
            .header(Name::To, format!("<{uri}>"))
            .header(Name::CallId, format!("{token}@{}", self.name))
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, self.contact());
        for (name, value) in more {
            invite = invite.header(*name, value);
        }
        if !self.privacy.is_empty() {
            invite = invite.header(Name::Privacy, self.privacy);
        }
        if !body.is_empty() {
            invite = invite.body("application/sdp", body.as_bytes());
        }
        let request = self.tell_rel(self.tell_timers(invite, true)).request();
        self.lines.push(Line::new(request.clone(), Stage::Calling));
        self.send(now, Sent { request, line: Some(self.lines.len() - 1), tries: 0, status: 0 });
    }

    /// Answers the call that rings.
    pub fn answer(&mut self, now: Instant) {
        self.answer_line(now, self.lines.len() - 1);
    }

    pub fn refuse(&mut self, now: Instant, status: u16) {
        self.refuse_line(now, self.lines.len() - 1, status);
    }

    /// Leaves every call that it is in, whatever it does there.
    pub fn leave(&mut self, now: Instant) {
        for index in 0..self.lines.len() {
            match self.lines[index].stage {
                Stage::Calling => self.cancel_line(now, index),
                Stage::Rung => self.refuse_line(now, index, 480),
                Stage::Talking => self.hang_up_line(now, index),
                Stage::Over => {}
            }
        }
    }

    fn refuse_line(&mut self, now: Instant, index: usize, status: u16) {
        self.lines[index].stage = Stage::Over;
        self.respond_to_invite(now, index, status);
    }

    pub fn cancel(&mut self, now: Instant) {
        self.cancel_line(now, self.lines.len() - 1);
    }

    fn cancel_line(&mut self, now: Instant, index: usize) {
        let client = self.lines[index].client.expect("the phone called");
        self.transact(now, Input::Cancel { client, reason: None });
    }

    pub fn hang_up(&mut self, now: Instant) {
        self.hang_up_line(now, self.lines.len() - 1);
    }

    pub fn hang_up_line(&mut self, now: Instant, index: usize) {
        self.lines[index].stage = Stage::Over;
        self.in_dialog_of(now, index, Method::Bye, "");
    }

    /// Sends a request in the dialog of its last call; re-INVITE, UPDATE, INFO, BYE.
    pub fn in_dialog(&mut self, now: Instant, method: Method, body: &str) {
        self.in_dialog_of(now, self.lines.len() - 1, method, body);
    }

    /// Sends a request in the dialog of one of its calls.
    pub fn in_dialog_of(&mut self, now: Instant, index: usize, method: Method, body: &str) {
        let contact = self.contact();
        let Some(dialog) = self.lines[index].dialog.as_mut() else { panic!("the phone talks") };
        let mut request = dialog.request(method);
        if matches!(method, Method::Invite | Method::Update) {
            request = request.header(Name::Contact, contact);
            request = self.tell_timers(request, true);
        }
        if !body.is_empty() {
            let kind = if method == Method::Info { DIGIT } else { "application/sdp" };
            request = request.body(kind, body.as_bytes());
        }
        let request = request.request();
        self.send(now, Sent { request, line: Some(index), tries: 0, status: 0 });
    }

    /// Asks to send the other side of one of its calls to `target`, a URI in brackets.
    pub fn refer(&mut self, now: Instant, line: usize, target: &str, more: &[(Name, &str)]) {
        let contact = self.contact();
        let dialog = self.lines[line].dialog.as_mut().expect("the phone talks");
        let mut request = dialog
            .request(Method::Refer)
            .header(Name::Contact, contact)
            .header(Name::ReferTo, target);
        for (name, value) in more {
            request = request.header(*name, value);
        }
        let request = request.request();
        self.send(now, Sent { request, line: Some(line), tries: 0, status: 0 });
    }

    /// The dialog of one of its calls, as a Replaces header names it to the other side.
    pub fn replaces(&self, line: usize) -> String {
        let told = &self.lines[line];
        let own = match told.client {
            None => format!("{}-{line}", self.name),
            Some(_) => told.invite.from_tag().unwrap_or_default().to_owned(),
        };
        let remote = told.remote_tag.as_deref().expect("the other side has answered something");
        format!("{};to-tag={remote};from-tag={own}", told.invite.call_id())
    }

    /// Acknowledges the last 200 by hand.
    pub fn acknowledge(&mut self, now: Instant) {
        let request = self.line().ack.clone().expect("the phone got a 200");
        self.transact(now, Input::Ack { flow: self.flow, request });
    }

    /// A session description of this phone, in one direction, to one address.
    pub fn sdp(&mut self, address: &str, direction: &str, payloads: &str) -> String {
        self.sdp_at(self.rtp().port(), (address, direction, payloads))
    }

    fn sdp_at(&mut self, port: u16, (address, direction, payloads): (&str, &str, &str)) -> String {
        let version = self.lines.last_mut().map_or(1, |line| {
            line.sdp_version += 1;
            line.sdp_version
        });
        let (profile, keys) = self.sealing;
        let address =
            if address.is_empty() { self.address.ip().to_string() } else { address.into() };
        format!(
            "v=0\r\no=- 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
             m=audio {port} {profile} {payloads} 101\r\na=rtpmap:101 telephone-event/8000\r\n\
             a={direction}\r\n{keys}"
        )
    }

    /// Its everyday offer or answer.
    pub fn talk_sdp(&mut self) -> String {
        self.sdp("", "sendrecv", "8")
    }

    /// Its offer for the next call that it makes.
    pub fn next_sdp(&mut self) -> String {
        let port = self.rtp_of(self.lines.len()).port();
        self.sdp_at(port, ("", self.direction, "8"))
    }

    /// Whether none of its transactions is under way.
    pub fn is_quiet(&self) -> bool {
        self.table.is_empty()
    }

    pub fn contact(&self) -> String {
        let here = format!("<sip:{}@{}>", self.account, self.address);
        self.contact_of_calls.clone().unwrap_or(here)
    }

    fn send(&mut self, now: Instant, sent: Sent) {
        let client = self.table.client_id();
        let request = sent.request.clone();
        let is_initial = request.method() == Method::Invite && request.to_tag().is_none();
        if let Some(line) = sent.line.filter(|_| is_initial) {
            self.lines[line].client = Some(client);
            self.lines[line].invite = request.clone();
        }
        self.sent.insert(client, sent);
        self.transact(now, Input::Request { client, flow: self.flow, request });
    }

    fn transact(&mut self, now: Instant, input: Input) {
        let mut steps = Vec::new();
        self.table.handle(now, &mut self.rng, input, &mut steps);
        for step in steps {
            match step {
                Output::Ack { request, .. } => self.acked(now, &request),
                Output::Cancelled { invite, cancel } => self.cancelled(now, invite, &cancel),
                Output::Failed { client, .. } => {
                    if let Some(line) = self.sent.get(&client).and_then(|sent| sent.line) {
                        self.lines[line].statuses.push(408);
                        self.lines[line].stage = Stage::Over;
                    }
                }
                Output::Request { key, request, .. } => self.requested(now, key, request),
                Output::Response { client, response, .. } => self.heard(now, client, response),
                Output::Abandoned { .. } | Output::ServerEnded { .. } => {}
                Output::Transmit { message, .. } => self.out.push(message),
            }
        }
    }

    fn requested(&mut self, now: Instant, key: ServerKey, request: Request) {
        let is_gruu = request.uri_text().contains(";gr");
        assert!(!is_gruu || self.steals, "a phone is no registrar: {request:?}");
        if self.answers_as_provider(now, key, &request) {
            return;
        }
        let known = self.lines.iter().rposition(|line| line.is_of(&request));
        match (request.method(), known) {
            (Method::Invite, _) if request.to_tag().is_none() => self.rung(now, key, request),
            (Method::Notify, None) => self.notified(now, key, request),
            (Method::Bye, Some(index)) => {
                let line = &mut self.lines[index];
                line.stage = Stage::Over;
                line.byes += 1;
                line.accepted = None;
                line.reason = request.header(Name::Reason).map(str::to_owned);
                self.respond(now, key, &request, 200);
            }
            (Method::Notify, Some(index)) => {
                let body = String::from_utf8_lossy(request.body()).trim_end().to_owned();
                self.lines[index].progress.push(body);
                self.respond(now, key, &request, 200);
            }
            (Method::Prack, Some(index)) => self.pracked(now, key, index, &request),
            (Method::Invite | Method::Update, Some(index)) => {
                self.changed(now, key, index, request);
            }
            _ => self.respond(now, key, &request, if known.is_some() { 200 } else { 481 }),
        }
    }

    fn rung(&mut self, now: Instant, key: ServerKey, invite: Request) {
        let mut line = Line::new(invite, Stage::Rung);
        line.remote_tag = line.invite.from_tag().map(str::to_owned);
        line.server = Some(key);
        line.remote_sdp = String::from_utf8_lossy(line.invite.body()).into_owned();
        self.lines.push(line);
        let index = self.lines.len() - 1;
        match self.manner {
            Manner::Answers(wait) => {
                self.respond_to_invite(now, index, 180);
                self.answer_at.insert(index, now + wait);
            }
            Manner::Dead | Manner::Silent => {}
            Manner::Refuses(status) => {
                self.lines[index].stage = Stage::Over;
                self.respond_to_invite(now, index, status);
            }
            Manner::Rings => self.respond_to_invite(now, index, 180),
        }
    }

    fn answer_line(&mut self, now: Instant, index: usize) {
        if self.lines[index].stage == Stage::Rung {
            self.lines[index].stage = Stage::Talking;
            self.respond_to_invite(now, index, 200);
        }
    }

    fn respond_to_invite(&mut self, now: Instant, index: usize, status: u16) {
        let port = self.rtp_of(index).port();
        let (contact, body) = (self.contact(), self.sdp_at(port, ("", self.direction, "8")));
        let body = self.spoils.map_or(body.clone(), |(right, wrong)| body.replace(right, wrong));
        let line = &mut self.lines[index];
        let key = line.server.expect("the phone was called");
        let tag = format!("{}-{index}", self.name);
        let mut response = Response::build(&line.invite, status, Some(&tag));
        if let (302, Some(number)) = (status, &self.redirects_to) {
            let elsewhere = format!("<sip:{number}@strowger.test>");
            response = response.header(Name::Contact, elsewhere);
        }
        if (101..300).contains(&status) {
            response = response.header(Name::Contact, contact);
        }
        if status == 200 {
            response = response.body("application/sdp", body.as_bytes());
            response = self.tell_timers(response, false);
            self.count_from(now, index);
        }
        if status == 422 {
            response = response.header(Name::MinSe, 3600);
        }
        response = self.tell_more(response, status);
        let line = &mut self.lines[index];
        let response = response.response();
        if status == 200 {
            let path = Path::of(self.flow, &line.invite);
            let early = line.early.take();
            line.dialog = early.or_else(|| Dialog::as_uas(path, &line.invite, &response).ok());
            line.accepted = Some(Accepted::new(now, response.clone()));
        }
        self.transact(now, Input::Respond { key, response });
    }

    fn respond(&mut self, now: Instant, key: ServerKey, request: &Request, status: u16) {
        let response = Response::build(request, status, Some("late")).response();
        self.transact(now, Input::Respond { key, response });
    }

    fn resend_200(&mut self, now: Instant, index: usize) {
        let line = &mut self.lines[index];
        let (Some(accepted), Some(key)) = (&mut line.accepted, line.server) else { return };
        let mut steps = Vec::new();
        if accepted.next_tick().is_some_and(|at| at <= now) {
            accepted.handle(now, accepted::Input::Tick, &mut steps);
        }
        for step in steps {
            if let accepted::Output::Resend(response) = step {
                self.transact(now, Input::Respond { key, response });
            }
        }
    }

    fn acked(&mut self, now: Instant, ack: &Request) {
        if let Some(line) = self.lines.iter_mut().rev().find(|line| line.is_of(ack))
            && let Some(accepted) = &mut line.accepted
        {
            accepted.handle(now, accepted::Input::Ack, &mut Vec::new());
        }
    }

    fn cancelled(&mut self, now: Instant, key: ServerKey, cancel: &Request) {
        let found = self.lines.iter().position(|line| line.server == Some(key));
        let Some(index) = found.filter(|index| self.lines[*index].stage == Stage::Rung) else {
            return;
        };
        self.answer_at.remove(&index);
        self.lines[index].stage = Stage::Over;
        self.lines[index].reason = cancel.header(Name::Reason).map(str::to_owned);
        self.respond_to_invite(now, index, 487);
    }

    fn heard(&mut self, now: Instant, client: ClientId, response: Response) {
        let Some(sent) = self.sent.get_mut(&client) else { return };
        let is_copy = std::mem::replace(&mut sent.status, response.status()) == response.status();
        let sent = sent.clone();
        if matches!(response.status(), 401 | 407) && sent.tries == 0 && !self.password.is_empty() {
            self.send_with_credentials(now, &sent, &response);
            return;
        }
        if response.cseq().method == Method::Register && response.is_final() {
            self.registered = Some(response.status());
            self.register_answer = Some(response.clone());
        }
        if response.cseq().method == Method::Subscribe && response.is_final() {
            self.subscribe_answered(&sent.request, &response);
        }
        let Some(index) = sent.line else { return };
        let line = &mut self.lines[index];
        if response.cseq().method == Method::Refer && response.is_final() && !is_copy {
            line.refers.push(response.status());
        }
        let counts = response.status() != 100 && !is_copy;
        if matches!(response.cseq().method, Method::Invite | Method::Update) && counts {
            line.statuses.push(response.status());
        }
        if matches!(response.cseq().method, Method::Invite | Method::Update)
            && response.is_success()
        {
            self.count_from(now, index);
        }
        let line = &mut self.lines[index];
        if response.cseq().method == Method::Invite {
            self.invite_answered(now, index, &sent.request, response);
        } else if response.cseq().method == Method::Update && response.is_success() {
            line.learn_sdp(response.body());
        }
    }

    fn invite_answered(
        &mut self,
        now: Instant,
        index: usize,
        invite: &Request,
        response: Response,
    ) {
        let is_initial = invite.to_tag().is_none();
        let is_late = invite.body().is_empty() && !response.body().is_empty() && self.answers_late;
        let port = self.rtp_of(index).port();
        let late_answer =
            if is_late { self.sdp_at(port, ("", self.direction, "8")) } else { String::new() };
        let line = &mut self.lines[index];
        line.retry_after = response.header(Name::RetryAfter).map(str::to_owned);
        if let Some(tag) = response.to_tag().filter(|_| response.status() < 300) {
            line.remote_tag = Some(tag.to_owned());
        }
        line.min_se = response.header(Name::MinSe).map(str::to_owned);
        if response.is_success() {
            line.learn_sdp(response.body());
            if let Some(mut early) = line.early.take() {
                early.confirm(&response).expect("a 200 of the switch makes a dialog");
                line.dialog = Some(early);
                line.stage = Stage::Talking;
            }
            if line.dialog.is_none() {
                let path = Path { flow: self.flow, direct: false };
                line.dialog = Dialog::as_uac(path, invite, &response).ok();
                line.stage = Stage::Talking;
            }
            let dialog = line.dialog.as_mut().expect("a 200 of the switch makes a dialog");
            let mut ack = dialog.ack(invite.cseq().number);
            if !late_answer.is_empty() {
                ack = ack.body("application/sdp", late_answer.as_bytes());
            }
            line.ack = Some(ack.request());
            if self.acks {
                self.acknowledge_line(now, index);
            }
        } else if response.is_final() && is_initial {
            line.stage = Stage::Over;
            line.early = None;
        } else if response.status() > 100 {
            self.progressed(now, index, invite, &response);
        }
    }

    fn acknowledge_line(&mut self, now: Instant, index: usize) {
        if let Some(request) = self.lines[index].ack.clone() {
            self.transact(now, Input::Ack { flow: self.flow, request });
        }
    }
}

impl Line {
    fn new(invite: Request, stage: Stage) -> Self {
        Self {
            stage,
            invite,
            statuses: Vec::new(),
            reason: None,
            retry_after: None,
            remote_sdp: String::new(),
            byes: 0,
            refers: Vec::new(),
            progress: Vec::new(),
            min_se: None,
            changes: Vec::new(),
            acknowledged: 0,
            early: None,
            rseq: None,
            reliable: None,
            client: None,
            server: None,
            dialog: None,
            accepted: None,
            ack: None,
            sdp_version: 1,
            remote_tag: None,
        }
    }

    /// Takes up a description of the other side, if there is one.
    fn learn_sdp(&mut self, body: &[u8]) {
        if !body.is_empty() {
            self.remote_sdp = String::from_utf8_lossy(body).into_owned();
        }
    }

    fn is_of(&self, request: &Request) -> bool {
        self.invite.call_id() == request.call_id()
    }
}

const DIGIT: &str = "application/dtmf-relay";
