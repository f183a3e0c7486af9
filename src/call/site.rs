//! What calls share: the plan of the site, its phones, agents, ports and chances.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::acd::{self, Acd};
use crate::call::audio::Sealing;
use crate::call::config::{Conference, Config, Park};
use crate::call::guesses::Guesser;
use crate::call::hall::Halls;
use crate::call::identity::Shown;
use crate::call::known::Known;
use crate::call::park::Lot;
use crate::call::services::Book;
use crate::call::trunk::{Lines, Trunk};
use crate::id::{AgentId, ConferenceId, CustomerId, ExtensionId, HoursId, TrunkId};
use crate::ivr::config::{Config as IvrConfig, Menus};
use crate::ivr::speech::Locale;
use crate::media::control::Port;
use crate::rng::Rng;
use crate::route::access::Access;
use crate::route::config::{Codes, Extension};
use crate::route::customers::Customer;
use crate::route::defence::Config as Defence;
use crate::route::emergency::Emergency;
use crate::route::hours::Calendar;
use crate::route::rules::Routes;
use crate::sdp::{Codec, Security, Suite};
use crate::sip::dialog::session_timer::Limits;
use crate::sip::digest::locks::Locks;
use crate::sip::flow::Flow;
use crate::sip::registrar::Registrar;
use crate::sip::subscription::Config as LampsConfig;
use crate::sip::transaction::{ClientId, Table};
use crate::time::Epoch;

/// One configuration of the site: a call keeps the one that it began with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Counts the configurations since the start, from 1.
    pub version: u64,
    pub access: Access,
    /// The hours within which callers are called back.
    pub callback_hours: BTreeMap<HoursId, Calendar>,
    pub acd: acd::Config,
    pub calls: Config,
    /// Calls at once; a further one gets 503.
    pub calls_max: usize,
    pub codes: Codes,
    pub conferences: BTreeMap<ConferenceId, Conference>,
    pub customers: BTreeMap<CustomerId, Customer>,
    pub defence: Defence,
    pub emergency: Emergency,
    pub extensions: BTreeMap<ExtensionId, Extension>,
    pub ivr: IvrConfig,
    /// The agents to whom callers belong, by their numbers.
    pub owners: HashMap<String, AgentId>,
    pub lamps: LampsConfig,
    pub locale: Locale,
    pub menus: Arc<Menus>,
    pub park: Park,
    pub routes: Routes,
    /// The agents whose fixed seat each phone is.
    pub seats: HashMap<ExtensionId, Vec<AgentId>>,
    pub trunks: BTreeMap<TrunkId, Arc<Trunk>>,
}

impl Plan {
    /// An account as others are shown it.
    pub fn identity_of(&self, extension: &ExtensionId) -> Shown {
        let name = self.extensions.get(extension).map(|account| account.name.clone());
        let name = name.filter(|name| !name.is_empty());
        Shown { number: extension.to_string(), name, hidden: false }
    }
}

/// What stays the same until the next start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Wall clock time at `Instant::START`, as far as the clock was not set since.
    pub epoch: Epoch,
    /// The codecs that are offered and accepted, the preferred first.
    pub codecs: Vec<Codec>,
    /// Names besides `domain` under which the node is addressed.
    pub aliases: Vec<String>,
    /// The host in the From and To that phones see; empty for our address as the phone knows it.
    pub domain: String,
    /// The address in session descriptions; without it, the one that the phone's SIP came to.
    pub media: Option<IpAddr>,
    /// Whether audio is encrypted, unless a phone's account or a trunk says otherwise.
    pub srtp: Option<Security>,
    /// What it is encrypted with, the preferred first.
    pub suites: Arc<[Suite]>,
    /// Milliseconds of audio in a packet that phones are asked for, 10 to 60.
    pub ptime: u8,
    /// The folder of recordings.
    pub recordings: PathBuf,
    /// What the names of their files end in.
    pub recording_extension: &'static str,
    /// How long sessions live without being refreshed.
    pub session: Limits,
}

/// The bound media ports that nobody uses, and how many legs each media thread carries.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    threads: BTreeMap<u8, Share>,
}

/// What one media thread has.
#[derive(Clone, Debug, Default)]
struct Share {
    spare: BTreeSet<u16>,
    /// Legs whose media it carries.
    taken: usize,
}

impl Ports {
    /// A media thread has bound a pair, or one has rested long enough.
    pub fn put(&mut self, port: Port) {
        self.threads.entry(port.thread).or_default().spare.insert(port.rtp);
    }

    /// A pair on the thread that carries the fewest legs. `None` if there is none left.
    pub fn take(&mut self) -> Option<Port> {
        self.take_on(self.thread()?)
    }

    /// The thread that carries the fewest legs, of those that have a spare pair. How many spare
    /// ones it has says nothing: it binds new ones as fast as they are taken.
    pub fn thread(&self) -> Option<u8> {
        let able = self.threads.iter().filter(|(_, share)| !share.spare.is_empty());
        able.min_by_key(|(_, share)| share.taken).map(|(thread, _)| *thread)
    }

    /// A pair on this thread, for a leg that is to hear others on it.
    pub fn take_on(&mut self, thread: u8) -> Option<Port> {
        let share = self.threads.get_mut(&thread)?;
        let rtp = share.spare.pop_first()?;
        share.taken += 1;
        Some(Port { rtp, thread })
    }

    /// A leg goes with its pair from one thread to another.
    pub fn moved(&mut self, from: u8, to: u8) {
        self.closed(from);
        self.threads.entry(to).or_default().taken += 1;
    }

    /// A leg's media on this thread is closed; its pair comes back through `put` when it has
    /// rested.
    pub fn closed(&mut self, thread: u8) {
        let share = self.threads.entry(thread).or_default();
        share.taken = share.taken.saturating_sub(1);
    }

    pub fn spare(&self) -> usize {
        self.threads.values().map(|share| share.spare.len()).sum()
    }

    pub fn taken(&self) -> usize {
        self.threads.values().map(|share| share.taken).sum()
    }
}

/// What a call may use while it handles an input.
#[derive(Debug)]
pub struct Site<'a> {
    pub acd: &'a Acd,
    /// What `acd` decided meanwhile, for this call and for others.
    pub decided: &'a mut Vec<acd::Output>,
    /// Who is in which conference.
    pub halls: &'a mut Halls,
    /// What is known of callers.
    pub known: &'a mut Known,
    /// The trunks as they are at this moment.
    pub lines: &'a mut Lines,
    /// The places where calls are parked.
    pub lot: &'a mut Lot,
    pub phones: &'a Registrar,
    /// Who has typed wrong PINs lately.
    pub pins: &'a mut Locks<Guesser>,
    pub ports: &'a mut Ports,
    pub rng: &'a mut Rng,
    pub services: &'a Book,
    pub settings: &'a Settings,
    pub transactions: &'a mut Table,
}

impl Site<'_> {
    /// A name for the next request of ours.
    pub fn client(&mut self) -> ClientId {
        self.transactions.client_id()
    }

    /// A tag for a From or To header (RFC 3261 §19.3: at least 32 bits of chance).
    pub fn tag(&mut self) -> String {
        self.rng.token(8)
    }

    /// How the audio of a leg over `flow` is encrypted; `own` is what its account or trunk says.
    pub fn sealing(&mut self, flow: &Flow, own: Option<Security>) -> Sealing {
        let usual = match flow.transport.is_secure() {
            true => Security::Preferred,
            false => Security::Accepted,
        };
        let security = own.or(self.settings.srtp).unwrap_or(usual);
        Sealing::new(security, self.settings.suites.clone(), self.rng)
    }

    /// The address that a peer over `flow` is told to send audio to.
    pub fn media_address(&self, flow: &Flow) -> IpAddr {
        self.settings.media.unwrap_or(flow.local.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_are_spread_over_the_threads() {
        let mut ports = Ports::default();
        for (thread, rtp) in [(0, 20_000), (0, 20_002), (1, 20_004)] {
            ports.put(Port { rtp, thread });
        }

        assert_eq!(ports.take(), Some(Port { rtp: 20_000, thread: 0 }));
        assert_eq!(ports.take_on(1), Some(Port { rtp: 20_004, thread: 1 }));
        assert_eq!(ports.take_on(1), None);
        assert_eq!((ports.spare(), ports.taken()), (1, 2));
    }

    #[test]
    fn calls_go_to_the_thread_with_the_fewest_legs_however_fast_ports_are_bound() {
        let mut ports = Ports::default();
        for rtp in [20_000, 20_002] {
            ports.put(Port { rtp, thread: 0 });
        }
        ports.put(Port { rtp: 30_000, thread: 1 });

        let mut of_calls = Vec::new();
        for next in (20_004..).step_by(2).take(6) {
            let Port { thread, .. } = ports.take().unwrap();
            of_calls.push(thread);
            ports.put(Port { rtp: next, thread }); // its thread binds another at once
        }
        assert_eq!(of_calls, [0, 1, 0, 1, 0, 1]);

        ports.moved(0, 1);
        assert_eq!(ports.take().map(|port| port.thread), Some(0), "2 legs on 0, 4 on 1");
        ports.closed(1);
        ports.closed(1);
        assert_eq!(ports.take().map(|port| port.thread), Some(1), "3 legs on 0, 2 on 1");
        assert_eq!(ports.taken(), 6);
    }
}
