//! The configuration: every part's own section, composed; read from TOML.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::acd;
use crate::call;
use crate::call::trunk::Trunk;
use crate::cdr;
use crate::id::{
    AgentId, ClassId, ConferenceId, CustomerId, ExtensionId, HoursId, MenuId, QueueId, Target,
    TrunkId,
};
use crate::ivr;
use crate::ivr::config::Menus;
use crate::media;
use crate::route::access::{Access, Callers, Class};
use crate::route::config::{Codes, Extension, Hours, Route};
use crate::route::customers::Customer;
use crate::route::defence::Config as Defence;
use crate::route::emergency::Emergency;
use crate::route::rules::Routes;
use crate::sip;
use sections::{Grpc, Http, Log, Node};

pub mod builtin;
pub mod certificates;
pub mod keys;
mod lint;
pub mod load;
mod message;
mod plan;
pub mod problem;
pub mod reach;
mod secrets;
pub mod sections;
mod source;
mod strict;

pub use builtin::generate_password;
pub use lint::{HasPrompt, lint};
pub use load::{Environment, Loaded, load, load_builtin, parse};
pub use reach::reach;

/// Everything that can be configured. `Default` is what an empty file means, without the site that
/// `builtin` adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[acd]`, `[queues.X]` and `[agents.X]`.
    pub acd: acd::config::Config,
    /// `[calls]`.
    pub calls: call::config::Config,
    /// `[callers.X]`.
    pub callers: BTreeMap<Target, Callers>,
    /// `[classes.X]`.
    pub classes: BTreeMap<ClassId, Class>,
    /// `[codes]`.
    pub codes: Codes,
    /// `[conferences.X]`.
    pub conferences: BTreeMap<ConferenceId, call::config::Conference>,
    /// `[customers.X]`.
    pub customers: BTreeMap<CustomerId, Customer>,
    /// `[defence]`.
    pub defence: Defence,
    /// `[emergency]`.
    pub emergency: Emergency,
    /// `[extensions.X]`.
    pub extensions: BTreeMap<ExtensionId, Extension>,
    /// `[grpc]`.
    pub grpc: Grpc,
    /// `[hours.X]`.
    pub hours: BTreeMap<HoursId, Hours>,
    /// `[http]`.
    pub http: Http,
    /// `[ivr]`.
    pub ivr: ivr::config::Config,
    /// `[lamps]`.
    pub lamps: sip::subscription::Config,
    /// `[ledger]`.
    pub ledger: cdr::config::Config,
    /// `[log]`.
    pub log: Log,
    /// `[media]`.
    pub media: media::config::Config,
    /// `[menus.X]`, shared with the callers who are in them.
    pub menus: Arc<Menus>,
    /// `[node]`.
    pub node: Node,
    /// `[park]`.
    pub park: call::config::Park,
    /// `[recordings]`.
    pub recordings: media::archive::Config,
    /// `[[routes]]`.
    pub routes: Vec<Route>,
    /// `[sip]`.
    pub sip: sip::config::Config,
    /// `[trunks.X]`, shared with their lines.
    pub trunks: BTreeMap<TrunkId, Arc<Trunk>>,
    /// Whether the site is the built-in one, whose extensions get generated passwords.
    pub site_is_builtin: bool,
}

impl Config {
    /// The rules of this configuration, ready for calls.
    pub fn compile_routes(&self) -> Routes {
        let numbers = self.numbers().into_iter().map(|(number, target, _)| (number, target));
        let sets = (&self.emergency, &self.codes);
        Routes::new(sets, &self.routes, &self.hours, numbers, &self.node.zone)
    }

    /// Who may call what, ready for calls.
    pub fn compile_access(&self) -> Access {
        Access::new(&self.classes, &self.callers, &self.hours, &self.node.zone)
    }

    /// Every number that can be dialled without a rule, what bears it, and the key that says so;
    /// extensions first, then queues, menus, conferences.
    fn numbers(&self) -> Vec<(String, Target, problem::Path)> {
        let mut numbers = Vec::new();
        let mut add = |number: &str, target, path: &[&str]| {
            numbers.push((number.to_owned(), target, problem::owned(path)));
        };
        for id in self.extensions.keys() {
            add(id.as_str(), Target::Extension(id.clone()), &["extensions", id.as_str()]);
        }
        for (id, queue) in &self.acd.queues {
            if let Some(number) = &queue.number {
                add(number, Target::Queue(id.clone()), &["queues", id.as_str(), "number"]);
            }
        }
        for (id, menu) in self.menus.iter() {
            if let Some(number) = &menu.number {
                add(number, Target::Menu(id.clone()), &["menus", id.as_str(), "number"]);
            }
        }
        for (id, conference) in &self.conferences {
            if let Some(number) = &conference.number {
                let path = ["conferences", id.as_str(), "number"];
                add(number, Target::Conference(id.clone()), &path);
            }
        }
        numbers
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    acd: acd::config::Settings,
    agents: BTreeMap<AgentId, acd::config::Agent>,
    calls: call::config::Config,
    callers: BTreeMap<Target, Callers>,
    classes: BTreeMap<ClassId, Class>,
    codes: Codes,
    conferences: BTreeMap<ConferenceId, call::config::Conference>,
    customers: BTreeMap<CustomerId, Customer>,
    defence: Defence,
    emergency: Emergency,
    extensions: BTreeMap<ExtensionId, Extension>,
    grpc: Grpc,
    hours: BTreeMap<HoursId, Hours>,
    http: Http,
    ivr: ivr::config::Config,
    lamps: sip::subscription::Config,
    ledger: cdr::config::Config,
    log: Log,
    media: media::config::Config,
    menus: BTreeMap<MenuId, ivr::config::Menu>,
    node: Node,
    park: call::config::Park,
    queues: BTreeMap<QueueId, acd::config::Queue>,
    recordings: media::archive::Config,
    routes: Vec<Route>,
    sip: sip::config::Config,
    trunks: BTreeMap<TrunkId, Trunk>,
}

impl source::Shape for File {
    fn include(self) -> Vec<String> {
        self.node.include
    }
}

impl From<File> for Config {
    fn from(file: File) -> Self {
        Self {
            acd: acd::config::Config { acd: file.acd, queues: file.queues, agents: file.agents },
            calls: file.calls,
            callers: file.callers,
            classes: file.classes,
            codes: file.codes,
            conferences: file.conferences,
            customers: file.customers,
            defence: file.defence,
            emergency: file.emergency,
            extensions: file.extensions,
            grpc: file.grpc,
            hours: file.hours,
            http: file.http,
            ivr: file.ivr,
            lamps: file.lamps,
            ledger: file.ledger,
            log: file.log,
            media: file.media,
            menus: Arc::new(file.menus),
            node: file.node,
            park: file.park,
            recordings: file.recordings,
            routes: file.routes,
            sip: file.sip,
            trunks: file.trunks.into_iter().map(|(id, trunk)| (id, Arc::new(trunk))).collect(),
            site_is_builtin: false,
        }
    }
}

/// What a changed configuration touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Sections that can be applied while calls go on.
    pub applied: Vec<&'static str>,
    /// Keys and sections that take effect at the next start only.
    pub restart: Vec<&'static str>,
}

impl Changes {
    /// What differs between the running configuration and a new one.
    pub fn between(old: &Config, new: &Config) -> Self {
        let applied = [
            ("[acd]", old.acd.acd != new.acd.acd),
            ("[agents]", old.acd.agents != new.acd.agents),
            ("[calls]", old.calls != new.calls),
            ("[callers]", old.callers != new.callers),
            ("[classes]", old.classes != new.classes),
            ("[codes]", old.codes != new.codes),
            ("[conferences]", old.conferences != new.conferences),
            ("[customers]", old.customers != new.customers),
            ("[defence]", old.defence != new.defence),
            ("[emergency]", old.emergency != new.emergency),
            ("[extensions]", old.extensions != new.extensions),
            ("[hours]", old.hours != new.hours),
            ("[ivr]", old.ivr != new.ivr),
            ("[lamps]", old.lamps != new.lamps),
            ("[menus]", old.menus != new.menus),
            ("[node] calls_max", old.node.calls_max != new.node.calls_max),
            ("[node] locale", old.node.locale != new.node.locale),
            ("[node] zone", old.node.zone != new.node.zone),
            ("[park]", old.park != new.park),
            ("[queues]", old.acd.queues != new.acd.queues),
            ("[[routes]]", old.routes != new.routes),
            ("[sip] certificate", files(&old.sip) != files(&new.sip)),
            ("[trunks]", old.trunks != new.trunks),
        ];
        let restart = [
            ("[grpc]", old.grpc != new.grpc),
            ("[http]", old.http != new.http),
            ("[ledger]", old.ledger != new.ledger),
            ("[log]", old.log != new.log),
            ("[media]", old.media != new.media),
            ("[node] data", old.node.data != new.node.data),
            ("[node] name", old.node.name != new.node.name),
            ("[node] number", old.node.number != new.node.number),
            ("[recordings]", old.recordings != new.recordings),
            ("[sip]", without_files(&old.sip) != without_files(&new.sip)),
        ];
        let differing = |keys: &[(&'static str, bool)]| {
            keys.iter().filter(|(_, differs)| *differs).map(|(key, _)| *key).collect()
        };
        Self { applied: differing(&applied), restart: differing(&restart) }
    }
}

/// The files of TLS, which new connections take up at once.
fn files(sip: &sip::config::Config) -> [Option<&Path>; 4] {
    [&sip.certificate, &sip.key, &sip.client_ca, &sip.ca].map(Option::as_deref)
}

fn without_files(sip: &sip::config::Config) -> sip::config::Config {
    let (certificate, key, client_ca, ca) = (None, None, None, None);
    sip::config::Config { certificate, key, client_ca, ca, ..sip.clone() }
}
