//! Offers and answers for one stream of audio.
//!
//! Spec:     RFC 3264; RFC 3551 §6 (payload types), RFC 4733 §2.4 (digits), RFC 3605 (rtcp);
//!           RFC 3389 §4 (comfort noise), RFC 7587 §7 (Opus); RFC 4568 §5 and RFC 8643
//!           (encryption).
//! In:       what our side can do, and the peer's description.
//! Out:      the description to send, and what both agreed on.
//! Not here: when to offer and when to answer (`call`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use thiserror::Error;

use super::crypto::{Keys, Line, MasterKey, Security};
use super::opus::Opus;
use super::payloads::{
    EVENT, EVENT_CLOCKS, Numbers, codec_types, event_type, event_types, noise_type, numbers, rtpmap,
};
use super::session::{Attribute, Connection, Media, Origin, Session};
use super::{COMFORT_NOISE, Codec, DigitPayload, Direction, Negotiated, Packets, Payload};

/// What our side of one stream can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local<'a> {
    /// Where the peer shall send RTP; RTCP goes to the next port.
    pub address: IpAddr,
    /// An even RTP port.
    pub port: u16,
    /// The description's identity: the same in all descriptions of a dialog.
    pub session: u64,
    /// One more than in the dialog's last description, if anything changed.
    pub version: u64,
    /// In the order of preference, which an answer keeps too; not empty.
    pub codecs: &'a [Codec],
    /// Whether telephone-event is offered and accepted (RFC 4733).
    pub digits: bool,
    /// Whether comfort noise is offered, beside a codec of its clock rate, and accepted (RFC 3389).
    pub noise: bool,
    /// What we want of Opus that is sent to us.
    pub opus: Opus,
    /// What we want, from our side.
    pub direction: Direction,
    /// Milliseconds of audio we want in a packet.
    pub ptime: u8,
    /// The most that we take, if there is a limit (RFC 8866 §6.4).
    pub maxptime: Option<u8>,
    /// Whether the audio is encrypted.
    pub security: Security,
    /// What we would encrypt with, the preferred first: one key for each suite. Those of an offer
    /// have the tags 1, 2 and so on.
    pub keys: &'a [MasterKey],
}

/// Why a description cannot lead to audio between the two.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    #[error("the address is missing, no IP address, of another family than ours, or a group's")]
    Address,
    #[error("the answer's media descriptions are not those of the offer")]
    MediaLines,
    #[error("no audio is offered")]
    NoAudio,
    #[error("no codec in common")]
    NoCommonCodec,
    #[error("no way of encrypting the audio in common")]
    NoCommonSuite,
    #[error("the audio is not encrypted, though it must be")]
    NotEncrypted,
    #[error("only encrypted or unknown transports are offered for the audio")]
    Protocol,
    #[error("the answer refuses the audio")]
    Rejected,
}

impl Refusal {
    /// The status that a request with such a description is answered with.
    pub fn status(self) -> u16 {
        488
    }
}

/// An offer of one stream of audio.
pub fn offer(local: &Local) -> String {
    local.session(vec![local.offered(&Numbers::default())]).to_string()
}

/// A further offer in a dialog, after `theirs` was the last description of the peer.
///
/// Its media descriptions stay in their places (RFC 3264 §8); what is not our audio has port 0.
pub fn offer_again(local: &Local, theirs: &Session) -> String {
    let audio = audio_line(theirs);
    let mut media: Vec<_> = theirs.media.iter().map(refused).collect();
    match audio {
        Some(index) => {
            let mut ours = local.offered(&Numbers::of(&theirs.media[index]));
            ours.protocol.clone_from(&theirs.media[index].protocol);
            media[index] = ours;
        }
        None => media.push(local.offered(&Numbers::default())),
    }
    local.session(media).to_string()
}

/// The answer to an offer, and what it settles.
///
/// Of several descriptions of audio it takes the first that can be used; the others get port 0. Its
/// codecs stand in our order, under the offer's payload types.
///
/// # Errors
///
/// If the offer has no audio that we can take part in.
pub fn answer(offer: &Session, local: &Local) -> Result<(String, Negotiated), Refusal> {
    let mut why = Refusal::NoAudio;
    for (index, media) in offer.media.iter().enumerate() {
        if media.kind != "audio" || media.port == 0 {
            continue;
        }
        match agree(offer, media, local, None) {
            Ok(negotiated) => {
                let mut lines: Vec<_> = offer.media.iter().map(refused).collect();
                lines[index] = local.answered(media, &negotiated);
                return Ok((local.session(lines).to_string(), negotiated));
            }
            Err(refusal) => why = refusal,
        }
    }
    Err(why)
}

/// What the peer's answer to `offer(local)` settles.
///
/// # Errors
///
/// If the answer does not fit the offer, or refuses it.
pub fn accept(local: &Local, answer: &Session) -> Result<Negotiated, Refusal> {
    match answer.media.as_slice() {
        [media] => accept_line(local, answer, media, &Numbers::default()),
        _ => Err(Refusal::MediaLines),
    }
}

/// What the peer's answer to `offer_again(local, theirs)` settles.
///
/// # Errors
///
/// If the answer does not fit the offer, or refuses it.
pub fn accept_again(
    local: &Local,
    theirs: &Session,
    answer: &Session,
) -> Result<Negotiated, Refusal> {
    let (count, index, offered) = match audio_line(theirs) {
        Some(index) => (theirs.media.len(), index, Numbers::of(&theirs.media[index])),
        None => (theirs.media.len() + 1, theirs.media.len(), Numbers::default()),
    };
    if answer.media.len() != count {
        return Err(Refusal::MediaLines);
    }
    accept_line(local, answer, &answer.media[index], &offered)
}

/// The codecs of a description's audio that Strowger knows, in its order: what the other leg may be
/// offered so that audio needs no transcoding.
pub fn codecs_of(session: &Session) -> SmallVec<[Codec; 4]> {
    let mut codecs = SmallVec::new();
    if let Some(index) = audio_line(session) {
        for (_, codec) in codec_types(&session.media[index]) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
    }
    codecs
}

/// Whether a description's audio may be encrypted.
pub fn has_keys(session: &Session) -> bool {
    session.media.iter().any(|media| media.attribute("crypto").is_some())
}

/// Whether a description's audio has telephone-event.
pub fn has_digits(session: &Session) -> bool {
    audio_line(session).is_some_and(|index| event_types(&session.media[index]).next().is_some())
}

/// Whether a description's audio has comfort noise.
pub fn has_noise(session: &Session) -> bool {
    audio_line(session).is_some_and(|index| noise_type(&session.media[index]))
}

/// What a description's author wants of Opus that is sent to him; `None` if he has no Opus.
pub fn opus_of(session: &Session) -> Option<Opus> {
    audio_line(session).and_then(|index| wanted_of_opus(&session.media[index]))
}

/// How long a description's author wants packets to be.
pub fn packets_of(session: &Session) -> Packets {
    audio_line(session).map(|index| packets_in(session, &session.media[index])).unwrap_or_default()
}

impl Local<'_> {
    fn session(&self, media: Vec<Media>) -> Session {
        assert!(!self.codecs.is_empty(), "a description needs a codec");
        let connection = Connection::of(self.address);
        Session {
            origin: Some(Origin {
                user: "-".to_owned(),
                session: self.session.to_string(),
                version: self.version.to_string(),
                connection: connection.clone(),
            }),
            connection: Some(connection),
            attributes: Vec::new(),
            media,
        }
    }

    fn offered(&self, numbers: &Numbers) -> Media {
        let codecs = self.codecs.iter().map(|codec| (numbers.of_codec(*codec), *codec)).collect();
        let clocks = self.codecs.iter().map(|codec| codec.clock_rate());
        let mut digits = SmallVec::<[_; 2]>::new();
        for clock in clocks.filter(|_| self.digits) {
            let event = (numbers.of_event(clock), clock);
            if !digits.contains(&event) {
                digits.push(event);
            }
        }
        let noise = self.noise && self.codecs.iter().any(|codec| codec.clock_rate() == 8000);
        let formats = Formats { codecs, digits, noise };
        let protocol = if self.security == Security::Required { SECURE } else { PLAIN };
        let mut media = self.media(protocol, &formats, self.direction);
        let lines = (1..).zip(self.keys).map(|(tag, key)| Line { tag, key: key.clone() });
        media.attributes.extend(lines.map(|line| line.attribute()));
        media
    }

    fn answered(&self, offer: &Media, negotiated: &Negotiated) -> Media {
        let Negotiated { codecs, digits, noise, direction, .. } = negotiated;
        let formats = Formats {
            codecs: codecs.iter().map(|payload| (payload.receive, payload.codec)).collect(),
            digits: digits.iter().map(|digits| (digits.receive, digits.clock_rate)).collect(),
            noise: *noise,
        };
        let mut media = self.media(&offer.protocol, &formats, *direction);
        let line = negotiated.keys.as_ref();
        let line = line.map(|keys| Line { tag: keys.tag, key: keys.send.clone() });
        media.attributes.extend(line.map(|line| line.attribute()));
        media
    }

    fn media(&self, protocol: &str, wanted: &Formats, direction: Direction) -> Media {
        let mut formats = Vec::new();
        let mut attributes = Vec::new();
        let mut add = |number: u8, encoding: &str, parameters: Option<String>| {
            formats.push(number.to_string());
            attributes.push(Attribute::new("rtpmap", format_args!("{number} {encoding}")));
            let line = parameters.map(|it| Attribute::new("fmtp", format_args!("{number} {it}")));
            attributes.extend(line);
        };
        for (number, codec) in &wanted.codecs {
            let parameters = (*codec == Codec::Opus).then(|| self.opus.text());
            add(*number, &codec.encoding(), parameters);
        }
        if wanted.noise {
            add(COMFORT_NOISE, "CN/8000", None);
        }
        for (number, clock) in &wanted.digits {
            add(*number, &format!("{EVENT}/{clock}"), Some("0-15".to_owned()));
        }
        attributes.push(Attribute::new("ptime", self.ptime));
        attributes.extend(self.maxptime.map(|most| Attribute::new("maxptime", most)));
        attributes.push(Attribute::flag(direction.name()));
        Media {
            kind: "audio".to_owned(),
            port: self.port,
            protocol: protocol.to_owned(),
            formats,
            connection: None,
            attributes,
        }
    }
}

/// What a description of ours lists, with the numbers.
struct Formats {
    codecs: SmallVec<[(u8, Codec); 4]>,
    /// telephone-event, with its clock rates.
    digits: SmallVec<[(u8, u32); 2]>,
    noise: bool,
}

/// RFC 3264 §6: a refused description keeps its place, its kind and its formats.
fn refused(media: &Media) -> Media {
    Media { port: 0, connection: None, attributes: Vec::new(), ..media.clone() }
}

/// The place of the description that audio runs, or could run, over.
fn audio_line(session: &Session) -> Option<usize> {
    session.media.iter().position(|media| {
        let protocol = &media.protocol;
        let is_rtp = is_plain_rtp(protocol) || is_secure_rtp(protocol);
        media.kind == "audio" && media.port != 0 && is_rtp
    })
}

fn is_plain_rtp(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case(PLAIN) || protocol.eq_ignore_ascii_case("RTP/AVPF")
}

fn is_secure_rtp(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case(SECURE) || protocol.eq_ignore_ascii_case("RTP/SAVPF")
}

fn accept_line(
    local: &Local,
    answer: &Session,
    media: &Media,
    offered: &Numbers,
) -> Result<Negotiated, Refusal> {
    if media.kind != "audio" {
        return Err(Refusal::MediaLines);
    }
    if media.port == 0 {
        return Err(Refusal::Rejected);
    }
    agree(answer, media, local, Some(offered))
}

/// What is common to their media description and ours.
///
/// `offered` has the payload types of our offer; `None` if they made the offer.
fn agree(
    theirs: &Session,
    media: &Media,
    local: &Local,
    offered: Option<&Numbers>,
) -> Result<Negotiated, Refusal> {
    let keys = shared_keys(media, local, offered.is_some())?;
    let codecs = shared_codecs(media, local, offered);
    if codecs.is_empty() {
        return Err(Refusal::NoCommonCodec);
    }
    let (remote_rtp, held) = remote(theirs, media, local)?;
    let their_direction = direction_of(theirs, media);
    let their_direction =
        Direction::of(their_direction.sends(), their_direction.receives() && !held);
    let digits = shared_digits(media, local, &codecs, offered);
    let is_opus = codecs.iter().any(|payload| payload.codec == Codec::Opus);
    let is_narrow = codecs.iter().any(|payload| payload.codec.clock_rate() == 8000);
    Ok(Negotiated {
        remote_rtp,
        remote_rtcp: remote_rtcp(media, remote_rtp),
        signalled: None,
        codecs,
        tones: local.digits && digits.is_empty(),
        digits,
        noise: local.noise && is_narrow && noise_type(media),
        opus: is_opus.then(|| wanted_of_opus(media).unwrap_or_default()),
        direction: local.direction.agreed(their_direction),
        ptime: ptime_of(theirs, media),
        maxptime: packets_in(theirs, media).maxptime,
        keys,
    })
}

/// What the audio is encrypted with; `None` if it is not.
fn shared_keys(media: &Media, local: &Local, they_answered: bool) -> Result<Option<Keys>, Refusal> {
    let is_secure = is_secure_rtp(&media.protocol);
    if !is_secure && !is_plain_rtp(&media.protocol) || is_secure && local.security == Security::Off
    {
        return Err(Refusal::Protocol);
    }
    let ours = |line: &Line| match they_answered {
        // RFC 4568 §5.1.3: the answer repeats the tag and the suite that it takes.
        true => local.keys.get((line.tag as usize).checked_sub(1)?),
        false => local.keys.iter().find(|key| key.suite() == line.key.suite()),
    };
    let keys = Line::all(media).find_map(|line| {
        let send = ours(&line).filter(|key| key.suite() == line.key.suite())?.clone();
        Some(Keys { tag: line.tag, send, receive: line.key })
    });
    match keys {
        Some(keys) => Ok(Some(keys)),
        None if is_secure => Err(Refusal::NoCommonSuite),
        None if local.security == Security::Required => Err(Refusal::NotEncrypted),
        None => Ok(None),
    }
}

/// In our order if they offered, in theirs if they answered (RFC 3264 §7: the answer's first is the
/// one to use).
fn shared_codecs(
    media: &Media,
    local: &Local,
    offered: Option<&Numbers>,
) -> SmallVec<[Payload; 4]> {
    let theirs: SmallVec<[_; 8]> = codec_types(media).collect();
    let number_of = |codec| theirs.iter().find(|(_, own)| *own == codec).map(|(number, _)| *number);
    let mut shared = SmallVec::<[Payload; 4]>::new();
    let order: SmallVec<[Codec; 8]> = if offered.is_some() {
        theirs.iter().map(|(_, codec)| *codec).filter(|own| local.codecs.contains(own)).collect()
    } else {
        local.codecs.iter().copied().collect()
    };
    for codec in order {
        if shared.iter().any(|payload| payload.codec == codec) {
            continue;
        }
        if let Some(send) = number_of(codec) {
            let receive = offered.map_or(send, |numbers| numbers.of_codec(codec));
            shared.push(Payload { codec, receive, send });
        }
    }
    shared
}

/// telephone-event at the clock rates of the codecs (RFC 7587 §4.1: one clock for a stream), that
/// of the first codec first; at another if they have none of these.
fn shared_digits(
    media: &Media,
    local: &Local,
    codecs: &[Payload],
    offered: Option<&Numbers>,
) -> SmallVec<[DigitPayload; 2]> {
    let mut shared = SmallVec::<[DigitPayload; 2]>::new();
    if !local.digits {
        return shared;
    }
    let at = |clock_rate| {
        let send = event_type(media, clock_rate).or_else(|| {
            // Some answers repeat our number and leave the rtpmap out.
            let ours = offered?.of_event(clock_rate);
            let number = numbers(media).find(|number| *number == ours)?;
            rtpmap(media, number).is_none().then_some(number)
        })?;
        let receive = offered.map_or(send, |numbers| numbers.of_event(clock_rate));
        Some(DigitPayload { receive, send, clock_rate })
    };
    for payload in codecs {
        let clock_rate = payload.codec.clock_rate();
        if !shared.iter().any(|digits| digits.clock_rate == clock_rate) {
            shared.extend(at(clock_rate));
        }
    }
    if shared.is_empty() {
        shared.extend(EVENT_CLOCKS.into_iter().find_map(at));
    }
    shared
}

/// What whoever wrote the description wants of Opus that is sent to him.
fn wanted_of_opus(media: &Media) -> Option<Opus> {
    let (number, _) = codec_types(media).find(|(_, codec)| *codec == Codec::Opus)?;
    let parameters = media.values("fmtp").find_map(|value| {
        let (own, parameters) = value.split_once(char::is_whitespace)?;
        (own.parse() == Ok(number)).then_some(parameters)
    });
    Some(Opus::parse(parameters.unwrap_or_default()))
}

/// Where they want RTP, and whether they want none at all (0.0.0.0, as in RFC 2543).
fn remote(theirs: &Session, media: &Media, local: &Local) -> Result<(SocketAddr, bool), Refusal> {
    let connection = media.connection.as_ref().or(theirs.connection.as_ref());
    let address = connection.and_then(Connection::ip).ok_or(Refusal::Address)?;
    if address.is_unspecified() {
        let origin = theirs.origin.as_ref().and_then(|origin| origin.connection.ip());
        let fallback = origin.filter(|address| is_usable(*address, local));
        return Ok((SocketAddr::new(fallback.unwrap_or(nowhere(local)), media.port), true));
    }
    if !is_usable(address, local) {
        return Err(Refusal::Address);
    }
    Ok((SocketAddr::new(address, media.port), false))
}

/// Stands where the peer named no address because it wants no packets.
fn nowhere(local: &Local) -> IpAddr {
    match local.address {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

fn is_usable(address: IpAddr, local: &Local) -> bool {
    let group = address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !group && !address.is_unspecified() && address.is_ipv4() == local.address.is_ipv4()
}

/// RFC 3605 §2.1: `a=rtcp:port` or `a=rtcp:port IN IP4 address`.
fn remote_rtcp(media: &Media, rtp: SocketAddr) -> SocketAddr {
    let usual = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
    let Some(value) = media.attribute("rtcp") else { return usual };
    let mut words = value.split_whitespace();
    let Some(port) = words.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0)
    else {
        return usual;
    };
    let address: Option<IpAddr> = words.nth(2).and_then(|address| address.parse().ok());
    // Only the address of the audio is known to want packets: others could be victims.
    let elsewhere = address.is_some_and(|address| address.to_canonical() != rtp.ip());
    if elsewhere { usual } else { SocketAddr::new(rtp.ip(), port) }
}

/// Their direction, from their side; the last attribute of the nearest level counts.
fn direction_of(theirs: &Session, media: &Media) -> Direction {
    const ALL: [Direction; 4] =
        [Direction::Inactive, Direction::RecvOnly, Direction::SendOnly, Direction::SendRecv];
    let among = |attributes: &[Attribute]| {
        attributes.iter().rev().find_map(|own| ALL.into_iter().find(|way| way.name() == own.name))
    };
    among(&media.attributes).or_else(|| among(&theirs.attributes)).unwrap_or(Direction::SendRecv)
}

/// Whole tens of milliseconds, 10 to 60, as they want it; 20 if they do not say.
fn ptime_of(theirs: &Session, media: &Media) -> u8 {
    let Packets { ptime, maxptime } = packets_in(theirs, media);
    let time = ptime.unwrap_or(20).min(maxptime.unwrap_or(60)).clamp(10, 60);
    time / 10 * 10
}

/// What they say, within what can be: 10 ms at least.
fn packets_in(theirs: &Session, media: &Media) -> Packets {
    let wanted = |name: &str| {
        let common = theirs.attributes.iter().filter(|own| own.name == name).map(Attribute::text);
        let text = media.values(name).chain(common).next()?;
        let whole = text.split('.').next()?.parse::<u32>().ok();
        whole.filter(|time| *time > 0).map(|time| time.clamp(10, u8::MAX.into()) as u8)
    };
    Packets { ptime: wanted("ptime"), maxptime: wanted("maxptime") }
}

/// The profiles of RFC 3551 and RFC 3711 (§4.1 of RFC 4568).
const PLAIN: &str = "RTP/AVP";
const SECURE: &str = "RTP/SAVP";

#[cfg(test)]
#[path = "offer_answer_tests.rs"]
mod tests;
