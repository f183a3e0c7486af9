//! What happened, as a ladder: one column for each phone, one for the switch.

use std::collections::BTreeSet;
use std::fmt;

use strowger::cdr::entry::Fact;
use strowger::media::control::{Command, Event, Sound};
use strowger::sip::message::{Message, Method};
use strowger::time::Instant;

/// Everything that went over the network or came out of the switch.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    phones: Vec<String>,
    /// INVITEs that the switch has refused, by Call-ID and CSeq number.
    refused: BTreeSet<(String, u32)>,
    pub lines: Vec<Line>,
}

/// One happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub at: Instant,
    /// The phone that sends or gets a message; none for what happens inside the switch.
    pub phone: Option<String>,
    pub to_switch: bool,
    pub text: String,
    /// The modules that it passes.
    pub modules: String,
}

impl Ladder {
    pub fn add(&mut self, phone: &str) {
        self.phones.push(phone.to_owned());
    }

    /// Forgets what happened so far, and shows these phones only.
    pub fn begin(&mut self, phones: &[&str]) {
        self.phones = phones.iter().map(ToString::to_string).collect();
        self.lines.clear();
    }

    pub fn received(&mut self, at: Instant, phone: &str, message: &Message) {
        let number = (message.call_id().to_owned(), message.cseq().number);
        let modules = match message {
            Message::Request(request) => match request.method() {
                Method::Register => "sip::transaction, switch::admission, sip::registrar",
                Method::Ack if self.refused.contains(&number) => "sip::transaction",
                _ if request.to_tag().is_some() => "sip::transaction, switch, call::leg",
                _ => "sip::transaction, switch::admission, sip::digest",
            },
            Message::Response(_) => "sip::transaction, switch, call::leg",
        };
        self.message((at, phone, true), message, modules);
    }

    pub fn sent(&mut self, at: Instant, phone: &str, message: &Message) {
        let modules = match message {
            Message::Request(_) => "call::leg, sip::transaction",
            Message::Response(response) => {
                if response.status() >= 300 {
                    let number = response.cseq().number;
                    self.refused.insert((response.call_id().to_owned(), number));
                }
                match (response.status(), response.cseq().method) {
                    (100, _) => "sip::transaction",
                    (401, _) => "sip::digest, switch::admission",
                    (_, Method::Register) => "sip::registrar, sip::transaction",
                    _ => "call::leg, sip::transaction",
                }
            }
        };
        self.message((at, phone, false), message, modules);
    }

    pub fn fact(&mut self, at: Instant, fact: &Fact) {
        let (text, modules) = match fact {
            Fact::Agent { agent, from, to, .. } => {
                (format!("agent {agent}: {} -> {}", from.name(), to.name()), "acd")
            }
            Fact::Setup { from, to, .. } => (format!("{from} calls {to}"), "call"),
            Fact::LegSetup { leg, .. } => (format!("Call-ID of leg {}", leg.index), "call"),
            Fact::LockedOut { address, .. } => {
                (format!("locked out: {address}"), "switch::defence")
            }
            Fact::Ringing { leg } => (format!("leg {} rings", leg.index), "call"),
            Fact::RecordingBegan { .. } => ("recording began".to_owned(), "call::talking"),
            Fact::RecordingPaused { by, .. } => {
                (format!("recording paused by {by}"), "call::talking")
            }
            Fact::RecordingResumed { by, .. } => {
                (format!("recording resumed by {by}"), "call::talking")
            }
            Fact::RecordingEnded { .. } => ("recording is complete".to_owned(), "call"),
            Fact::Menu { menu } => (format!("menu {menu}"), "ivr"),
            Fact::Key { digit, .. } => (format!("key {digit}"), "ivr"),
            Fact::Routed { rule, target } => (format!("routed: {rule} -> {target}"), "route"),
            Fact::Queued { queue, position } => {
                (format!("waits in queue {queue}, place {position}"), "acd, call::queueing")
            }
            Fact::Decided(decision) => {
                let chosen = decision.chosen.iter().map(|it| it.agent.as_str());
                let chosen = chosen.collect::<Vec<_>>().join(", ");
                let passed: u32 = decision.passed.values().sum();
                (format!("chosen: {chosen}; passed over: {passed}"), "acd, switch")
            }
            Fact::QueueLeft { queue, why } => {
                (format!("leaves queue {queue}: {why:?}"), "acd, call::queueing")
            }
            Fact::Offered { extension, queue, .. } => {
                let by = if queue.is_some() { "call::queueing" } else { "call::ringing" };
                (format!("rings {extension}"), by)
            }
            Fact::OfferEnded { outcome, .. } => (format!("rang: {outcome:?}"), "call"),
            Fact::TalkBegan { .. } => ("talk began".to_owned(), "call::talking"),
            Fact::TalkEnded { .. } => ("talk ended".to_owned(), "call::talking"),
            Fact::Ended { by, status, reason, .. } => {
                (format!("ended by {by:?}: {status} {reason}"), "call::ending")
            }
            Fact::Media { leg, .. } => (format!("counts of leg {}", leg.index), "call"),
            other => (word(other), "call"),
        };
        self.inside(at, &format!("ledger: {text}"), &format!("{modules}, cdr"));
    }

    /// An order to the media threads.
    pub fn order(&mut self, at: Instant, command: &Command) {
        let text = match command {
            Command::Bridge { a, b } => format!("bridge legs {} and {}", a.index, b.index),
            Command::Close { leg } => format!("close leg {}", leg.index),
            Command::Connect { leg, audio } => {
                format!("connect leg {}: {}", leg.index, audio.codecs[0].codec.name())
            }
            Command::Move { leg, to } => format!("move leg {} to thread {to}", leg.index),
            Command::Open { leg, port } => format!("open leg {} at port {}", leg.index, port.rtp),
            Command::Play { leg, playback } => {
                let sounds = playback.sounds.iter().map(|sound| match sound {
                    Sound::Prompt(prompt) => prompt.to_string(),
                    Sound::Silence(length) => format!("{length:?} of silence"),
                });
                let sounds = sounds.collect::<Vec<_>>().join(" ");
                let repeat = if playback.repeat { ", again and again" } else { "" };
                format!("play {sounds} to leg {}{repeat}", leg.index)
            }
            Command::PauseRecording { leg, pause: true } => {
                format!("record nothing of leg {}", leg.index)
            }
            Command::PauseRecording { leg, .. } => format!("record leg {} again", leg.index),
            Command::Press { leg, key } => format!("press {key} on leg {}", leg.index),
            Command::Record { leg, .. } => format!("record leg {}", leg.index),
            Command::Return { port } => format!("port {} is not needed", port.rtp),
            Command::Room(room) => format!("a room of {} legs", room.parties.len()),
            Command::Stop { leg } => format!("stop what leg {} hears", leg.index),
            Command::StopRecording { leg } => format!("stop recording leg {}", leg.index),
            Command::Unbridge { leg } => format!("unbridge leg {}", leg.index),
        };
        self.inside(at, &format!("media: {text}"), "call, media");
    }

    /// A report of the media threads.
    pub fn media(&mut self, at: Instant, event: &Event) {
        let text = match event {
            Event::BothWays { leg } => format!("leg {} is heard again", leg.index),
            Event::OneWay { leg } => format!("leg {} is not heard", leg.index),
            Event::Closed { leg, .. } => format!("leg {} is closed", leg.index),
            Event::Digit { leg, digit } => format!("leg {} pressed {digit}", leg.index),
            Event::Ended { leg, .. } => format!("leg {} has heard it all", leg.index),
            Event::Recorded { leg, .. } => format!("recording of leg {} is complete", leg.index),
            Event::Moved { leg } => format!("leg {} has moved", leg.index),
            Event::Silent { leg } => format!("nothing heard of leg {}", leg.index),
            Event::Counted { .. } | Event::Spare { .. } => return,
        };
        self.inside(at, &format!("from media: {text}"), "media, call");
    }

    fn message(
        &mut self,
        (at, phone, to_switch): (Instant, &str, bool),
        message: &Message,
        modules: &str,
    ) {
        let text = match message {
            Message::Request(request) => request.method_text().to_owned(),
            Message::Response(response) => {
                format!("{} {}", response.status(), response.cseq().method)
            }
        };
        let (phone, modules) = (Some(phone.to_owned()), modules.to_owned());
        self.lines.push(Line { at, phone, to_switch, text, modules });
    }

    fn inside(&mut self, at: Instant, text: &str, modules: &str) {
        let (text, modules) = (text.to_owned(), modules.to_owned());
        self.lines.push(Line { at, phone: None, to_switch: false, text, modules });
    }

    /// The first phone stands left of the switch, all others right of it.
    fn arrow(&self, line: &Line) -> String {
        let Some(phone) = &line.phone else { return format!("       {:16}* {}", "", line.text) };
        let is_left = self.phones.first() == Some(phone);
        let label = format!(" {} ", line.text);
        match (is_left, line.to_switch) {
            (true, true) => format!("{phone:>6} {label:-^15}> |"),
            (true, false) => format!("{phone:>6} <{label:-^15} |"),
            (false, true) => format!("       {:16}| <{label:-^15} {phone}", ""),
            (false, false) => format!("       {:16}| {label:-^15}> {phone}", ""),
        }
    }
}

/// The ledger's own word for a fact.
fn word(fact: &Fact) -> String {
    let text = format!("{fact:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_lowercase()
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = self.lines.first().map_or(Instant::START, |line| line.at);
        for line in &self.lines {
            let millis = line.at.since(begin).as_millis();
            let arrow = self.arrow(line);
            let time = format!("{}.{:03}", millis / 1000, millis % 1000);
            writeln!(f, "{time:>7} {arrow:<73} {}", line.modules)?;
        }
        Ok(())
    }
}
