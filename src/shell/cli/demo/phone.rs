//! A small SIP phone over UDP: registers, calls, answers, presses keys, hears tones, hangs up.
//!
//! It plays a person's part in `strowger demo` and in tests against a whole node. One thing is done
//! at a time; while a call stands, the peer's requests are answered during every wait.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::audio::Audio;
pub use super::audio::Sound;
use crate::rng::Rng;
use crate::sdp::{self, Codec, Direction, Security, Session, offer_answer::Local};
use crate::sip::dialog::{Dialog, DialogError};
use crate::sip::digest::{Credentials, answer};
use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Message, Method, Name, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::time::Duration;

/// Why something that the phone was to do did not happen.
#[derive(Debug, Error)]
pub enum PhoneError {
    #[error("the caller gave up")]
    Cancelled,
    #[error("the peer's answer makes no dialog: {0}")]
    Dialog(#[from] DialogError),
    #[error("the peer hung up")]
    HungUp,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("refused with {status} {reason}")]
    Refused { status: u16, reason: String },
    #[error("the peer's session description cannot be used")]
    Session,
    #[error("{0} did not come in time")]
    Timeout(&'static str),
}

/// One message, for the ladder.
#[derive(Clone, Debug)]
pub struct Step {
    /// The phone's name.
    pub phone: String,
    /// Whether the phone sent it; else it received it.
    pub sent: bool,
    /// The first line.
    pub line: String,
}

/// A phone with one account at one server.
pub struct Phone {
    name: String,
    user: String,
    password: String,
    server: SocketAddr,
    local: SocketAddr,
    socket: UdpSocket,
    rng: Rng,
    cseq: u32,
    steps: mpsc::UnboundedSender<Step>,
    /// The latest answer, with the branch of its request: for requests that come again.
    answered: Option<(String, Response)>,
}

impl Phone {
    /// Opens the phone's socket on `address`. What it sends and receives goes to `steps`.
    ///
    /// # Errors
    ///
    /// `Io`.
    pub async fn open(
        name: &str,
        (user, password): (&str, &str),
        address: IpAddr,
        server: SocketAddr,
        rng: Rng,
        steps: mpsc::UnboundedSender<Step>,
    ) -> Result<Self, PhoneError> {
        let socket = UdpSocket::bind((address, 0)).await?;
        Ok(Self {
            name: name.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            server,
            local: socket.local_addr()?,
            socket,
            rng,
            cseq: 0,
            steps,
            answered: None,
        })
    }

    /// Where the phone receives SIP.
    pub fn address(&self) -> SocketAddr {
        self.local
    }

    /// Registers for so many seconds; 0 removes the registration.
    ///
    /// # Errors
    ///
    /// `Refused`, `Timeout`, `Io`.
    pub async fn register(&mut self, seconds: u32) -> Result<(), PhoneError> {
        let uri = format!("sip:{}", self.server);
        let (me, tag, call_id) = (self.identity(), self.rng.token(4), self.rng.token(8));
        let contact = self.contact();
        let (_, response) = self
            .request_with_credentials(|cseq| {
                Request::build(Method::Register, &uri)
                    .header(Name::From, format_args!("<{me}>;tag={tag}"))
                    .header(Name::To, format_args!("<{me}>"))
                    .header(Name::CallId, &call_id)
                    .header(Name::CSeq, format_args!("{cseq} REGISTER"))
                    .header(Name::Contact, &contact)
                    .header(Name::Expires, seconds)
            })
            .await?;
        accepted(&response)
    }

    /// Calls a number; returns when it is answered.
    ///
    /// # Errors
    ///
    /// `Refused` unless it is answered; `Timeout`, `Session`, `Dialog`, `Io`.
    pub async fn call(&mut self, number: &str) -> Result<Call<'_>, PhoneError> {
        let (audio, port) = self.audio().await?;
        let uri = format!("sip:{number}@{}", self.server);
        let (me, tag, call_id) = (self.identity(), self.rng.token(4), self.rng.token(8));
        let (contact, offer) = (self.contact(), sdp::offer(&self.session(port)));
        let (invite, response) = self
            .request_with_credentials(|cseq| {
                Request::build(Method::Invite, &uri)
                    .header(Name::From, format_args!("<{me}>;tag={tag}"))
                    .header(Name::To, format_args!("<{uri}>"))
                    .header(Name::CallId, &call_id)
                    .header(Name::CSeq, format_args!("{cseq} INVITE"))
                    .header(Name::Contact, &contact)
                    .body(SDP, offer.as_bytes())
            })
            .await?;
        accepted(&response)?;
        let dialog = Dialog::as_uac(self.path(), &invite, &response)?;
        let answer = Session::parse(response.body()).map_err(|_| PhoneError::Session)?;
        let negotiated = sdp::offer_answer::accept(&self.session(port), &answer);
        audio.connect(negotiated.map_err(|_| PhoneError::Session)?);
        let ack = dialog.ack(invite.cseq().number).request();
        let ack = self.with_own_via(&ack);
        self.send(&ack.clone().into()).await?;
        Ok(Call { phone: self, dialog, audio, port, ack: Some(ack), is_over: false })
    }

    /// Waits for a call, rings, and answers.
    ///
    /// # Errors
    ///
    /// `Timeout` if no call comes within `patience`; `Cancelled` if it goes away while ringing;
    /// `Session`, `Dialog`, `Io`.
    pub async fn answer(
        &mut self,
        patience: Duration,
        ring: Duration,
    ) -> Result<Call<'_>, PhoneError> {
        let deadline = Instant::now() + patience;
        let invite = loop {
            match timeout_at(deadline, self.receive()).await {
                Ok(Message::Request(invite)) if invite.method() == Method::Invite => break invite,
                Ok(Message::Request(other)) => self.serve_idle(&other).await?,
                Ok(Message::Response(_)) => {}
                Err(_) => return Err(PhoneError::Timeout("a call")),
            }
        };
        let tag = self.rng.token(4);
        self.respond(Response::build(&invite, 180, Some(&tag)).response()).await?;
        self.ring(&invite, &tag, ring).await?;

        let (audio, port) = self.audio().await?;
        let offer = Session::parse(invite.body()).map_err(|_| PhoneError::Session)?;
        let answered = sdp::answer(&offer, &self.session(port));
        let (answer, negotiated) = answered.map_err(|_| PhoneError::Session)?;
        let ok = Response::build(&invite, 200, Some(&tag))
            .header(Name::Contact, self.contact())
            .body(SDP, answer.as_bytes())
            .response();
        let mut dialog = Dialog::as_uas(Path::of(self.flow(), &invite), &invite, &ok)?;
        dialog.accept();
        audio.connect(negotiated);
        self.respond_until_acked(ok).await?;
        Ok(Call { phone: self, dialog, audio, port, ack: None, is_over: false })
    }

    /// Lets it ring; fails if the caller gives up.
    async fn ring(
        &mut self,
        invite: &Request,
        tag: &str,
        ring: Duration,
    ) -> Result<(), PhoneError> {
        let deadline = Instant::now() + ring;
        loop {
            match timeout_at(deadline, self.receive()).await {
                Err(_) => return Ok(()),
                Ok(Message::Request(cancel))
                    if cancel.method() == Method::Cancel
                        && cancel.via().branch() == invite.via().branch() =>
                {
                    self.respond(Response::build(&cancel, 200, Some(tag)).response()).await?;
                    let terminated = Response::build(invite, 487, Some(tag)).response();
                    self.respond_until_acked(terminated).await?;
                    return Err(PhoneError::Cancelled);
                }
                Ok(Message::Request(other)) => self.serve_idle(&other).await?,
                Ok(Message::Response(_)) => {}
            }
        }
    }

    /// Sends a final response to an INVITE until its ACK comes (RFC 3261 §13.3.1.4, §17.2.1).
    async fn respond_until_acked(&mut self, response: Response) -> Result<(), PhoneError> {
        let mut interval = T1;
        for _ in 0..RESENDS_MAX {
            self.respond(response.clone()).await?;
            let resend_at = Instant::now() + interval;
            interval = (2 * interval).min(T2);
            while let Ok(message) = timeout_at(resend_at, self.receive()).await {
                match message {
                    Message::Request(ack) if ack.method() == Method::Ack => return Ok(()),
                    Message::Request(other) => self.serve_idle(&other).await?,
                    Message::Response(_) => {}
                }
            }
        }
        Err(PhoneError::Timeout("an ACK"))
    }

    /// Answers what comes outside of a call.
    async fn serve_idle(&mut self, request: &Request) -> Result<(), PhoneError> {
        let status = match request.method() {
            Method::Ack => return Ok(()),
            Method::Invite => 486,
            Method::Notify | Method::Options => 200,
            _ => 481,
        };
        self.respond_once(request, status).await
    }

    /// Answers a request, or repeats the answer that it had.
    async fn respond_once(&mut self, request: &Request, status: u16) -> Result<(), PhoneError> {
        let again = self.answered.as_ref().filter(|(branch, answer)| {
            Some(branch.as_str()) == request.via().branch() && answer.cseq() == request.cseq()
        });
        let response = match again {
            Some((_, response)) => response.clone(),
            None => {
                let tag = self.rng.token(4);
                Response::build(request, status, Some(&tag)).response()
            }
        };
        self.respond(response).await
    }

    async fn respond(&mut self, response: Response) -> Result<(), PhoneError> {
        let branch = response.via().branch().unwrap_or_default().to_owned();
        self.answered = Some((branch, response.clone()));
        self.send(&response.into()).await
    }

    /// Sends a request, and again with credentials if the server asks for them. Gives what was
    /// sent last and its final response.
    async fn request_with_credentials(
        &mut self,
        build: impl Fn(u32) -> crate::sip::message::Builder,
    ) -> Result<(Request, Response), PhoneError> {
        self.cseq += 1;
        let first = build(self.cseq).request();
        let (sent, refusal) = self.transact(&first).await?;
        let cnonce = self.rng.token(8);
        let credentials = Credentials { user: &self.user, password: &self.password };
        let (method, uri) = (first.method_text(), first.uri_text());
        let Some((name, value)) = answer(&refusal, credentials, method, uri, &cnonce, 1) else {
            return Ok((sent, refusal));
        };
        self.cseq += 1;
        let second = build(self.cseq).header(name, value).request();
        self.transact(&second).await
    }

    /// Sends a request over and over until its final response comes (RFC 3261 §17.1).
    async fn transact(&mut self, request: &Request) -> Result<(Request, Response), PhoneError> {
        let sent = self.with_own_via(request);
        self.send(&sent.clone().into()).await?;
        let patience = if sent.method() == Method::Invite { ANSWER_PATIENCE } else { 64 * T1 };
        let deadline = Instant::now() + patience;
        let (mut interval, mut resend_at) = (T1, Some(Instant::now() + T1));
        loop {
            let wake = resend_at.unwrap_or(deadline).min(deadline);
            let response = match timeout_at(wake, self.receive()).await {
                Ok(Message::Response(response)) => response,
                Ok(Message::Request(other)) => {
                    self.serve_idle(&other).await?;
                    continue;
                }
                Err(_) if Instant::now() >= deadline => {
                    return Err(PhoneError::Timeout("a final response"));
                }
                Err(_) => {
                    self.send(&sent.clone().into()).await?;
                    interval = (2 * interval).min(T2);
                    resend_at = Some(Instant::now() + interval);
                    continue;
                }
            };
            if response.via().branch() != sent.via().branch() || response.cseq() != sent.cseq() {
                continue;
            }
            if !response.is_final() {
                resend_at = None;
                continue;
            }
            if sent.method() == Method::Invite && !response.is_success() {
                self.send(&ack_of_refusal(&sent, &response).into()).await?;
            }
            return Ok((sent, response));
        }
    }

    async fn send(&mut self, message: &Message) -> Result<(), PhoneError> {
        self.report(true, message);
        self.socket.send_to(message.bytes(), self.server).await?;
        Ok(())
    }

    /// The next message; what is none is skipped.
    async fn receive(&mut self) -> Message {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((size, _)) = self.socket.recv_from(&mut buffer).await else { continue };
            if let Ok(message) = Message::parse(Bytes::copy_from_slice(&buffer[..size])) {
                self.report(false, &message);
                return message;
            }
        }
    }

    fn report(&self, sent: bool, message: &Message) {
        let end = message.bytes().iter().position(|b| *b == b'\r').unwrap_or(0);
        let line = String::from_utf8_lossy(&message.bytes()[..end]).into_owned();
        // Whoever does not want the ladder has dropped its end.
        let _ = self.steps.send(Step { phone: self.name.clone(), sent, line });
    }

    async fn audio(&mut self) -> Result<(Audio, u16), PhoneError> {
        let socket = UdpSocket::bind((self.local.ip(), 0)).await?;
        let port = socket.local_addr()?.port();
        Ok((Audio::start(socket, &mut self.rng), port))
    }

    fn session(&self, port: u16) -> Local<'static> {
        Local {
            address: self.local.ip(),
            port,
            session: u64::from(port),
            version: 1,
            codecs: &[Codec::Pcma],
            digits: true,
            noise: false,
            opus: sdp::Opus::OURS,
            direction: Direction::SendRecv,
            ptime: 20,
            maxptime: None,
            security: Security::Off,
            keys: &[],
        }
    }

    fn with_own_via(&mut self, request: &Request) -> Request {
        let branch = self.rng.token(8);
        request.with_via(&format!("SIP/2.0/UDP {};rport;branch=z9hG4bK{branch}", self.local))
    }

    fn identity(&self) -> String {
        format!("sip:{}@{}", self.user, self.server.ip())
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.local)
    }

    fn flow(&self) -> Flow {
        let connection = ConnectionId(0);
        Flow { transport: Transport::Udp, local: self.local, remote: self.server, connection }
    }

    fn path(&self) -> Path {
        Path { flow: self.flow(), direct: false }
    }
}

/// A call that stands.
pub struct Call<'a> {
    phone: &'a mut Phone,
    dialog: Dialog,
    audio: Audio,
    port: u16,
    /// Repeated whenever the 2xx comes again.
    ack: Option<Request>,
    is_over: bool,
}

impl Call<'_> {
    /// Plays a tone of so many hertz from now on; `None` is silence.
    pub fn play(&self, frequency: Option<f64>) {
        self.audio.play(frequency);
    }

    /// Presses a key, and waits until it is let go.
    ///
    /// # Errors
    ///
    /// `Timeout`: what was negotiated has no keys. `HungUp`, `Io`.
    pub async fn press(&mut self, digit: char) -> Result<(), PhoneError> {
        let released = self.audio.press(digit);
        self.during(async { timeout(KEY_PATIENCE, released).await.is_ok_and(|done| done.is_ok()) })
            .await?
            .then_some(())
            .ok_or(PhoneError::Timeout("the end of the key"))
    }

    /// Waits until a sound is heard.
    ///
    /// # Errors
    ///
    /// `Timeout` if it is not, `HungUp`, `Io`.
    pub async fn hear(&mut self, sound: Sound, patience: Duration) -> Result<(), PhoneError> {
        let heard = self.audio.listen(sound);
        self.during(async { timeout(patience, heard).await.is_ok_and(|heard| heard.is_ok()) })
            .await?
            .then_some(())
            .ok_or(PhoneError::Timeout("the sound"))
    }

    /// Stays in the call for a while.
    ///
    /// # Errors
    ///
    /// `HungUp`, `Io`.
    pub async fn stay(&mut self, time: Duration) -> Result<(), PhoneError> {
        self.during(tokio::time::sleep(time)).await
    }

    /// Hangs up.
    ///
    /// # Errors
    ///
    /// `Timeout`, `Refused`, `Io`.
    pub async fn hang_up(mut self) -> Result<(), PhoneError> {
        let bye = self.dialog.request(Method::Bye).request();
        let (_, response) = self.phone.transact(&bye).await?;
        accepted(&response)
    }

    /// Waits until the peer hangs up.
    ///
    /// # Errors
    ///
    /// `Timeout`, `Io`.
    pub async fn wait_for_hang_up(mut self, patience: Duration) -> Result<(), PhoneError> {
        match self.during(tokio::time::sleep(patience)).await {
            Err(PhoneError::HungUp) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(PhoneError::Timeout("the end of the call")),
        }
    }

    /// Waits for something, and answers the peer's requests meanwhile.
    async fn during<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, PhoneError> {
        let mut wait = std::pin::pin!(wait);
        while !self.is_over {
            let message = tokio::select! {
                done = &mut wait => return Ok(done),
                message = self.phone.receive() => message,
            };
            match message {
                Message::Request(request) => self.serve(&request).await?,
                Message::Response(response) if response.cseq().method == Method::Invite => {
                    if let Some(ack) = self.ack.clone().filter(|_| response.is_success()) {
                        self.phone.send(&ack.into()).await?;
                    }
                }
                Message::Response(_) => {}
            }
        }
        Err(PhoneError::HungUp)
    }

    async fn serve(&mut self, request: &Request) -> Result<(), PhoneError> {
        match request.method() {
            Method::Ack => Ok(()),
            Method::Bye => {
                self.is_over = true;
                self.phone.respond_once(request, 200).await
            }
            Method::Invite | Method::Update if !request.body().is_empty() => {
                self.renegotiate(request).await
            }
            Method::Info | Method::Notify | Method::Options | Method::Update => {
                self.phone.respond_once(request, 200).await
            }
            _ => self.phone.respond_once(request, 501).await,
        }
    }

    /// Takes up a new offer: hold, or another place for the audio.
    async fn renegotiate(&mut self, request: &Request) -> Result<(), PhoneError> {
        self.dialog.receive(self.phone.flow(), request)?;
        let offer = Session::parse(request.body()).map_err(|_| PhoneError::Session)?;
        let Ok((answer, negotiated)) = sdp::answer(&offer, &self.phone.session(self.port)) else {
            return self.phone.respond_once(request, 488).await;
        };
        self.audio.connect(negotiated);
        let ok = Response::build(request, 200, None)
            .header(Name::Contact, self.phone.contact())
            .body(SDP, answer.as_bytes())
            .response();
        if request.method() == Method::Invite {
            return self.phone.respond_until_acked(ok).await;
        }
        self.phone.respond(ok).await
    }
}

fn accepted(response: &Response) -> Result<(), PhoneError> {
    if response.is_success() {
        return Ok(());
    }
    let reason = response.reason().to_owned();
    Err(PhoneError::Refused { status: response.status(), reason })
}

/// The ACK of a final response that is no 2xx (RFC 3261 §17.1.1.3).
fn ack_of_refusal(invite: &Request, response: &Response) -> Request {
    let header = |name| invite.header(name).unwrap_or_default();
    Request::build(Method::Ack, invite.uri_text())
        .via(invite.values(Name::Via).next().unwrap_or_default())
        .header(Name::From, header(Name::From))
        .header(Name::To, response.header(Name::To).unwrap_or_default())
        .header(Name::CallId, invite.call_id())
        .header(Name::CSeq, format_args!("{} ACK", invite.cseq().number))
        .request()
}

/// The media type of session descriptions.
const SDP: &str = "application/sdp";
/// Round-trip time estimate (RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);
/// Longest interval between copies (RFC 3261 §17.1.2.2).
const T2: Duration = Duration::from_secs(4);
/// Copies of a final response before the phone gives up: 64 × T1.
const RESENDS_MAX: usize = 11;
/// How long it may ring at the other end.
const ANSWER_PATIENCE: Duration = Duration::from_secs(180);
/// Longer than any key is held.
const KEY_PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
